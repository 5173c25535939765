//! A set becomes one of its earlier versions.

use crate::error::{Error, Result};
use crate::files;
use crate::files::kept::{self, Kept, Links};
use crate::key::parts::holds_secret;
use crate::keyset::KeySet;
use crate::keystore::history::{Content, Earlier, Present, Version};
use crate::keystore::{Keystore, SetDocument, SetName, Stored};
use crate::secret::Secret;
use serde_json::Value;
use std::fs;

/// The largest file of a schedule that is read, in bytes.
const SCHEDULE_LIMIT: u64 = 4 << 20;

impl Keystore {
    /// Reads a version; `None` if there was no set.
    pub fn version(&self, version: &Version) -> Result<Option<Stored>> {
        if version.content == Content::NoSet {
            return Ok(None);
        }
        let kept = self.bytes_of(version)?;
        Stored::read(kept, version.path.clone()).map(Some)
    }

    /// Returns true if a version is what the set is now, as a killed change leaves it.
    pub fn is_present(&self, name: &SetName, version: &Version) -> Result<bool> {
        match (self.file(name)?, version.content) {
            (None, content) => Ok(content == Content::NoSet),
            (Some(_), Content::NoSet) => Ok(false),
            (Some(file), _) => {
                if files::is_same(&version.path, &file) {
                    return Ok(true);
                }
                let size = fs::metadata(&file).map(|metadata| metadata.len()).ok();
                if size != Some(version.size) {
                    return Ok(false);
                }
                let present = kept::read(&file, Links::Within, self.limit)?;
                let present = present.map(|kept| Secret::new(kept.octets));
                let version = self.bytes_of(version).ok();
                let version = version.map(|kept| Secret::new(kept.octets));
                Ok(match (present, version) {
                    (Some(present), Some(version)) => present.expose() == version.expose(),
                    _ => false,
                })
            }
        }
    }

    /// Makes a version the present state of its set, under the lock; this is a change like any other,
    /// and can be undone. A version with a passphrase deletes the versions without one. `check` gets the
    /// number of the last change, and what can be known of the set without a passphrase, as it then is.
    pub fn restore(
        &self,
        name: &SetName,
        version: &Version,
        check: impl FnOnce(u64, Option<&KeySet>) -> Result<()>,
    ) -> Result<()> {
        let _lock = self.lock()?;
        let stored = self.read(name)?;
        let present = stored.as_ref().map(Present::of);
        let known = stored.and_then(Stored::known);
        let known = known.as_ref().map(SetDocument::parse).transpose()?;
        check(self.history(name)?.last(), known.as_ref())?;
        if version.content == Content::NoSet {
            return present.map_or(Ok(()), |present| self.take_away(name, &present));
        }
        let kept = self.bytes_of(version)?;
        let bytes = Secret::new(kept.octets.clone());
        let stored = Stored::read(kept, version.path.clone())?;
        let content = Present::of(&stored).content;
        let known = stored.known();
        let known = known.as_ref().map(SetDocument::parse).transpose()?;
        if known.is_none_or(|set| set.keys.iter().any(holds_secret)) {
            self.refuse_open()?;
        }
        if present.is_none() {
            self.restore_schedule(name, version)?;
        }
        self.replace(name, (bytes.expose(), content), present, Earlier::Keep)
    }

    /// Restores the schedule that the next deletion of the set has dropped. It comes before the set: if
    /// the process is killed in between, the set can still be restored.
    fn restore_schedule(&self, name: &SetName, version: &Version) -> Result<()> {
        let mut later = self.history(name)?.versions;
        later.retain(|later| later.number >= version.number);
        let is_set = |version: &&Version| version.content != Content::NoSet;
        let Some(deletion) = later.iter().take_while(is_set).last() else {
            return Ok(());
        };
        let path = deletion.schedule();
        let Some(kept) = kept::read(&path, Links::Within, SCHEDULE_LIMIT)? else {
            return Ok(());
        };
        let schedule: Value = serde_json::from_slice(&kept.octets).map_err(|error| {
            Error::invalid(format!("{}: not a schedule: {error}", path.display()))
                .hint("remove the file to restore the set without its schedule")
        })?;
        match self.schedules_with(name, Some(schedule))? {
            Some(text) => self.write_schedules(&text),
            None => Ok(()),
        }
    }

    fn bytes_of(&self, version: &Version) -> Result<Kept> {
        let kept = kept::read(&version.path, Links::Within, self.limit)?;
        kept.ok_or_else(|| {
            Error::refused("an earlier version was deleted meanwhile")
                .hint("nothing was changed; run the command again")
        })
    }
}
