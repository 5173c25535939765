//! The table behind a Hydra: a row for each key, in the order of their insertion.

use super::{Outcome, Refusal};
use serde_json::Value;
use std::collections::BTreeMap;

/// The longest set id and the longest kid that a column takes.
const LONGEST: usize = 255;

/// The rows of each set, oldest first.
#[derive(Clone, Default)]
pub struct Storage {
    sets: BTreeMap<String, Vec<Value>>,
}

impl Storage {
    /// The keys of a set, newest first; none where there is no such set.
    pub fn read(&self, set: &str) -> Vec<Value> {
        let rows = self.sets.get(set).into_iter().flatten();
        rows.rev().cloned().collect()
    }

    /// Inserts all of these keys or none of them.
    pub fn insert(&mut self, set: &str, keys: Vec<Value>) -> Outcome<()> {
        let mut rows = self.sets.get(set).cloned().unwrap_or_default();
        for key in keys {
            if set.chars().count().max(kid(&key).chars().count()) > LONGEST {
                return Err(Refusal::malformed(400, "The name is too long"));
            }
            if rows.iter().any(|row| kid(row) == kid(&key)) {
                return Err(Refusal::new(
                    409,
                    "Unable to insert or update resource because a resource with that value exists already",
                    "",
                ));
            }
            rows.push(key);
        }
        self.sets.insert(set.to_owned(), rows);
        Ok(())
    }

    pub fn delete(&mut self, set: &str) {
        self.sets.remove(set);
    }

    pub fn delete_key(&mut self, set: &str, deleted: &str) {
        if let Some(rows) = self.sets.get_mut(set) {
            rows.retain(|row| kid(row) != deleted);
        }
    }
}

/// The kid of a key; a key without one has the empty kid.
pub fn kid(key: &Value) -> &str {
    key["kid"].as_str().unwrap_or_default()
}
