//! Steps that several commands share. No command uses another command.

pub mod adoption;
pub mod forgetting;
pub mod output_file;
pub mod publishing;
pub mod push_report;
pub mod repairing;
pub mod restoring;
pub mod served;
pub mod server;
pub mod signing_check;
pub mod usage;
pub mod verifiers;
