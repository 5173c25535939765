//! The saved schedules of sets, in one file in the keystore.

use crate::error::{Error, Result};
use crate::files::kept::Links;
use crate::files::{self, Access, Existing, kept};
use crate::key::strict_json;
use crate::keystore::{Keystore, SetName, TEMPORARY};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// The saved schedules, by set name.
pub type Schedules = BTreeMap<String, Value>;

/// The maximum size of the file, in bytes.
const LIMIT: usize = 4 << 20;

impl Keystore {
    /// Reads all schedules. Returns an error if the file cannot be read or is damaged.
    pub fn schedules(&self) -> Result<Schedules> {
        let path = self.schedules_path();
        let Some(kept) = kept::read(&path, Links::Within, LIMIT as u64)? else {
            return Ok(Schedules::new());
        };
        let damaged = |error: String| {
            Error::invalid(format!(
                "{}: invalid schedule file: {error}",
                path.display()
            ))
            .hint("correct the file, or remove it and run `jwks rotate SET --save` for each set")
        };
        let text = std::str::from_utf8(&kept.octets).map_err(|error| damaged(error.to_string()))?;
        strict_json::check(text).map_err(|error| damaged(error.to_string()))?;
        serde_json::from_str(text).map_err(|error| damaged(error.to_string()))
    }

    /// Saves the schedule of a set, or deletes it if it is `None`. Writes nothing if it does not
    /// change.
    pub fn save_schedule(&self, name: &SetName, schedule: Option<Value>) -> Result<()> {
        let _lock = self.lock()?;
        match self.schedules_with(name, schedule)? {
            Some(text) => self.write_schedules(&text),
            None => Ok(()),
        }
    }

    /// Returns the new content of the file; `None` if the schedule does not change.
    pub(super) fn schedules_with(
        &self,
        name: &SetName,
        schedule: Option<Value>,
    ) -> Result<Option<String>> {
        let before = self.schedules()?;
        let mut after = before.clone();
        match schedule {
            Some(schedule) => after.insert(name.to_string(), schedule),
            None => after.remove(name.as_str()),
        };
        if after == before {
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

    /// Deletes the schedule of a set that does not exist. A process that was killed while it deleted the
    /// set can have left it. The caller holds the lock.
    pub(super) fn drop_schedule(&self, name: &SetName) -> Result<()> {
        // If the file of schedules is damaged, the new set is created anyway.
        match self.schedules_with(name, None) {
            Ok(Some(text)) => self.write_schedules(&text),
            Ok(None) | Err(_) => Ok(()),
        }
    }

    /// Writes the file. The caller holds the lock.
    pub(super) fn write_schedules(&self, text: &str) -> Result<()> {
        let flushed = files::write(
            &self.schedules_path(),
            text.as_bytes(),
            Access::Private,
            Existing::Replace,
            TEMPORARY,
        )?;
        self.defer_error(flushed);
        Ok(())
    }

    fn schedules_path(&self) -> PathBuf {
        self.directory().join(".schedules.json")
    }
}
