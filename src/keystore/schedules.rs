//! The schedules that rotations keep with their sets: one file beside the sets, which no reader of a
//! set sees.

use super::{Keystore, SetName, TEMPORARY};
use crate::error::{Error, Result};
use crate::files::lock::Lock;
use crate::files::{self, Access, Existing};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::{fs, io};

/// The schedules by the names of their sets, each as it was saved.
pub type Schedules = BTreeMap<String, Value>;

impl Keystore {
    /// Every schedule. It is an error where the file cannot be read.
    pub fn schedules(&self) -> Result<Schedules> {
        let path = self.schedules_path();
        let text = match fs::read_to_string(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Schedules::new()),
            text => text.map_err(|error| {
                Error::failed(format!("cannot read {}", path.display())).cause(error)
            })?,
        };
        serde_json::from_str(&text).map_err(|error| {
            Error::invalid(format!("{}: no schedules", path.display()))
                .cause(error)
                .hint("mend it, or remove it and save the schedules again: jwks rotate SET --save")
        })
    }

    /// Keeps the schedule of a set, or drops it. Nothing is written where that changes nothing.
    pub fn save_schedule(&self, name: &SetName, schedule: Option<Value>) -> Result<()> {
        let _lock = Lock::take(self.directory(), self.lock_wait)?;
        self.write_schedule(name, schedule)
    }

    /// The same under a lock that is held already.
    pub(super) fn write_schedule(&self, name: &SetName, schedule: Option<Value>) -> Result<()> {
        let before = self.schedules()?;
        let mut after = before.clone();
        match schedule {
            Some(schedule) => after.insert(name.to_string(), schedule),
            None => after.remove(name.as_str()),
        };
        if after == before {
            return Ok(());
        }
        // A map of strings to JSON values is JSON.
        let mut text = serde_json::to_string_pretty(&after).unwrap_or_default();
        text.push('\n');
        let path = self.schedules_path();
        files::write(
            &path,
            text.as_bytes(),
            Access::Private,
            Existing::Replace,
            TEMPORARY,
        )
    }

    fn schedules_path(&self) -> PathBuf {
        self.directory().join(".schedules.json")
    }
}
