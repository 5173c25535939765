//! Reads what a name on the command line stands for: a set, a file, standard input or an address.

pub mod document;
pub mod target;
