//! Groups of options that several commands share.

pub mod adoption;
pub mod certificate;
pub mod connection;
pub mod encryption;
pub mod filter;
pub mod layout;
pub mod password;
pub mod schedule;
pub mod source;
pub mod target;
