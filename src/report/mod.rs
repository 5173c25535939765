//! What several commands report: names of keys in messages and JSON, and entries of the log.

pub mod json;
pub mod log_entry;
pub mod loss;
pub mod names;
