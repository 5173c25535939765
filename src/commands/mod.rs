//! One file a command: its arguments, its examples, its `run`; and what several of them share.

mod adoption;
mod certificate;
pub mod check;
pub mod completion;
pub mod create;
pub mod delete;
pub mod diff;
pub mod encrypt;
pub mod export;
pub mod get;
mod input;
pub mod list;
pub mod log;
pub mod man;
pub mod passwd;
pub mod password;
pub mod pull;
pub mod push;
pub mod record;
pub mod remote;
pub mod report;
pub mod rotate;
pub mod select;
pub mod server;
pub mod set;
pub mod thumbprint;
pub mod time;
