//! One file for each command: its arguments, its examples and its `run`. A command that outgrows its
//! file has a folder of the same name.

pub mod advise;
pub mod check;
pub mod completion;
pub mod create;
pub mod delete;
pub mod diff;
pub mod export;
pub mod forget;
pub mod get;
pub mod list;
pub mod log;
pub mod man;
pub mod passwd;
pub mod pull;
pub mod push;
pub mod remote;
pub mod restore;
pub mod rotate;
pub mod set;
mod shared;
pub mod sign;
pub mod status;
pub mod thumbprint;
pub mod undo;
pub mod verify;
