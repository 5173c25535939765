//! A set becomes what it was.

use crate::error::{Error, Result};
use crate::files;
use crate::files::kept::{self, Kept, Links};
use crate::keyset::KeySet;
use crate::keystore::history::{Content, Past, Version};
use crate::keystore::{ENCRYPTED, Keystore, PLAIN, SetDocument, SetName, Stored};
use crate::secret::Secret;
use serde_json::Value;

/// The largest file of a schedule that is read, in octets.
const SCHEDULE_LIMIT: u64 = 4 << 20;

impl Keystore {
    /// Reads a version; `None` if there was no set.
    pub fn version(&self, version: &Version) -> Result<Option<Stored>> {
        if version.content == Content::NoSet {
            return Ok(None);
        }
        let kept = self.octets_of(version)?;
        Stored::read(kept, version.path.clone()).map(Some)
    }

    /// Returns true if a version is what the set is now, as a killed change leaves it.
    pub fn is_present(&self, name: &SetName, version: &Version) -> Result<bool> {
        match (self.file(name)?, version.content) {
            (None, content) => Ok(content == Content::NoSet),
            (Some(_), Content::NoSet) => Ok(false),
            (Some(file), _) => {
                let present = kept::read(&file, Links::Within, self.limit)?;
                let present = present.map(|kept| Secret::new(kept.octets));
                let version = self.octets_of(version).ok();
                let version = version.map(|kept| Secret::new(kept.octets));
                Ok(match (present, version) {
                    (Some(present), Some(version)) => present.expose() == version.expose(),
                    _ => false,
                })
            }
        }
    }

    /// Makes a version the present state of its set, under the lock; this is a change like any other,
    /// and can be undone. `check` gets the number of the last change, and what can be known of the set
    /// without a passphrase, as it then is.
    pub fn bring_back(
        &self,
        name: &SetName,
        version: &Version,
        check: impl FnOnce(u64, Option<&KeySet>) -> Result<()>,
    ) -> Result<()> {
        let _lock = self.lock()?;
        let present = self.read(name)?;
        let path = present.as_ref().map(|stored| stored.path().to_owned());
        let known = present.and_then(Stored::known);
        let known = known.as_ref().map(SetDocument::parse).transpose()?;
        check(self.history(name)?.last(), known.as_ref())?;
        let kept = match (version.content, path) {
            (Content::NoSet, Some(path)) => return self.take_away(name, &path),
            (Content::NoSet, None) => return Ok(()),
            (_, path) => {
                let is_missing = path.is_none();
                let kept = self.octets_of(version)?;
                self.refuse_open()?;
                if is_missing {
                    self.bring_back_schedule(name, version)?;
                }
                kept
            }
        };
        let octets = Secret::new(kept.octets.clone());
        let suffix = match Stored::read(kept, version.path.clone())? {
            Stored::Plain(_) => PLAIN,
            Stored::Encrypted(_) => ENCRYPTED,
        };
        self.replace(name, octets.expose(), suffix, Past::Keep)?;
        self.sweep();
        Ok(())
    }

    /// The schedule comes before the set: killed in between, the set is still to be brought back.
    fn bring_back_schedule(&self, name: &SetName, version: &Version) -> Result<()> {
        let path = version.schedule();
        let Some(kept) = kept::read(&path, Links::Within, SCHEDULE_LIMIT)? else {
            return Ok(());
        };
        let schedule: Value = serde_json::from_slice(&kept.octets).map_err(|error| {
            Error::invalid(format!("{}: not a schedule: {error}", path.display()))
                .hint("remove the file to bring the set back without its schedule")
        })?;
        match self.schedules_with(name, Some(schedule))? {
            Some(text) => self.write_schedules(&text),
            None => Ok(()),
        }
    }

    fn octets_of(&self, version: &Version) -> Result<Kept> {
        let kept = kept::read(&version.path, Links::Within, self.limit)?;
        kept.ok_or_else(|| {
            files::failed("read", &version.path, std::io::ErrorKind::NotFound.into())
        })
    }
}
