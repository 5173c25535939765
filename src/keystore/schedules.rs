//! The saved schedules of sets, in one document for the whole keystore.

use crate::error::{Error, Result};
use crate::key::strict_json;
use crate::keystore::SetName;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt::Display;

/// The saved schedules, by set name.
pub type Schedules = BTreeMap<String, Value>;

/// The maximum size of the document, in bytes.
pub(super) const LIMIT: usize = 4 << 20;

/// Parses the document. Returns an error if it is damaged.
pub(super) fn parse(octets: &[u8], place: impl Display) -> Result<Schedules> {
    let damaged = |error: String| {
        Error::invalid(format!("{place}: invalid schedule file: {error}"))
            .hint("correct the file, or remove it and run `jwks rotate SET --save` for each set")
    };
    let text = std::str::from_utf8(octets).map_err(|error| damaged(error.to_string()))?;
    strict_json::check(text).map_err(|error| damaged(error.to_string()))?;
    serde_json::from_str(text).map_err(|error| damaged(error.to_string()))
}

/// Returns the document with another schedule for a set, or without one; `None` if it does not change.
pub(super) fn changed(
    before: &Schedules,
    name: &SetName,
    schedule: Option<Value>,
) -> Result<Option<String>> {
    let mut after = before.clone();
    match schedule {
        Some(schedule) => after.insert(name.to_string(), schedule),
        None => after.remove(name.as_str()),
    };
    if after == *before {
        return Ok(None);
    }
    // Serialization cannot fail: the keys of the map are strings, and its values are JSON.
    let text = serde_json::to_string_pretty(&after).unwrap_or_default() + "\n";
    if text.len() <= LIMIT {
        Ok(Some(text))
    } else {
        Err(Error::refused("the schedules would be larger than 4 MiB")
            .hint("run `jwks rotate SET --forget` to delete some"))
    }
}
