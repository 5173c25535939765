//! Reads what a name on the command line stands for: a set, a file, standard input,
//! an address or a remote.

pub mod document;
pub mod server;
pub mod target;
