//! Adds a version to the history before a change, and cleans the history after it.

use crate::error::{Error, ErrorKind, Reason, Result};
use crate::files::kept::Links;
use crate::files::{self, Access, Existing, kept};
use crate::keystore::SetName;
use crate::keystore::directory::history::removal::flush;
use crate::keystore::directory::history::version::{Content, History, Version, remove_file};
use crate::keystore::directory::history::{
    KeepHistory, MOST_VERSIONS, Present, after_removal, after_the_change, modified,
};
use crate::keystore::directory::{Directory, TEMPORARY};
use serde_json::Value;
use std::fs;
use std::io;
use std::path::Path;

/// The maximum total size of a set's versions without the newest, in bytes.
const MOST_BYTES: u64 = 64 << 20;

/// What a change does with the earlier versions of its set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::keystore) enum Earlier {
    /// Keep them, and add one.
    Keep,
    /// Delete them. If that is impossible, the change is not made.
    Delete,
    /// Delete them if possible. The change is made in any case.
    TryToDelete,
}

/// A change of a set that is about to be made, and its version in the history.
#[derive(Debug)]
pub(in crate::keystore) struct Pending<'a> {
    store: &'a Directory,
    name: &'a SetName,
    earlier: Earlier,
    history: History,
    /// The version that the change has added; `None` if no history is kept.
    new: Option<Version>,
}

impl Directory {
    /// Adds the present state of a set to its history before a change replaces it, and the schedule
    /// that a deletion removes. The caller holds the lock. Returns an error if the version cannot be
    /// written.
    pub(in crate::keystore) fn keep<'a>(
        &'a self,
        name: &'a SetName,
        present: Option<&Present>,
        schedule: Option<&Value>,
        earlier: Earlier,
    ) -> Result<Pending<'a>> {
        let earlier = if self.histories.purges.get() || earlier == Earlier::Delete {
            Earlier::Delete
        } else if self.histories.keep == KeepHistory::Nothing {
            Earlier::TryToDelete
        } else {
            Earlier::Keep
        };
        let mut pending = Pending {
            store: self,
            name,
            earlier,
            history: History::default(),
            new: None,
        };
        let added = pending.add(present, schedule);
        pending.unless_optional(added)?;
        Ok(pending)
    }
}

impl Pending<'_> {
    fn add(&mut self, present: Option<&Present>, schedule: Option<&Value>) -> Result<()> {
        let directory = self.store.history_of(self.name);
        if self.store.is_history(&directory)? {
            // Add a version even to a history that will be deleted. If this process is killed, the
            // version shows the next process whether the change was made.
            self.history = History::list(&directory)?;
        } else if self.earlier == Earlier::Keep {
            match present {
                Some(_) => drop(files::directories::create(&directory)?),
                None => files::directories::create_unflushed(&directory)?,
            }
        } else {
            return Ok(());
        }
        let now = self.store.histories.now;
        let versions = &mut self.history.versions;
        let is_leftover = |last: &mut Version| match present {
            Some(present) if present.content == Content::Damaged => {
                last.content == Content::Damaged
            }
            Some(present) => files::is_same(&last.path, &present.path),
            None => !last.holds_set(),
        };
        let number = versions.last().map_or(0, |last| last.number) + 1;
        let from = match (versions.pop_if(is_leftover), versions.last(), present) {
            (Some(leftover), _, _) => {
                leftover.remove()?;
                leftover.from
            }
            (None, Some(last), _) => last.until,
            (None, None, Some(present)) => {
                let metadata = fs::symlink_metadata(&present.path);
                metadata.map_or(0, |metadata| modified(&metadata)).min(now)
            }
            (None, None, None) => 0,
        };
        let content = present.map_or(Content::NoSet, |present| present.content);
        let version = Version::new(&directory, number, (from, now), content).ok_or_else(|| {
            Error::refused(format!("{} has no more numbers", directory.display()))
                .hint(format!("run `jwks forget {}`", self.name))
        })?;
        let version = self.new.insert(version);
        if let Some(schedule) = schedule {
            write(&version.schedule(), schedule.to_string().as_bytes())?;
        }
        match present {
            Some(present) if present.content != Content::Damaged => {
                link_or_copy(self.store, &present.path, &version.path)
            }
            _ => files::open_to_append(&version.path)
                .map(drop)
                .map_err(|error| files::failed("create", &version.path, error)),
        }
    }

    /// Flushes the new version to the disk before the change is in place. If the change deletes the
    /// history, moves the history aside.
    pub(in crate::keystore) fn flush(&mut self) -> Result<()> {
        let Some(new) = &self.new else {
            return Ok(());
        };
        let flushed = match self.earlier {
            // If the machine crashes, the loss of an empty file loses nothing: only that the creation
            // of the set can be undone.
            Earlier::Keep if new.content == Content::NoSet => Ok(()),
            Earlier::Keep => self.flush_version(&new.path),
            Earlier::Delete | Earlier::TryToDelete => self.store.begin_removal(self.name),
        };
        self.unless_optional(flushed)
    }

    /// Flushes the new version and, for the first one that holds a set, the directories above it, which
    /// the creation of the set has not flushed.
    fn flush_version(&self, version: &Path) -> Result<()> {
        // Another program can have written the file. This also flushes its new name, which a file system
        // with a journal writes no later than the file.
        let flushed = files::open_to_read(version).and_then(|file| file.sync_all());
        flushed.map_err(|error| files::failed("flush", version, error))?;
        if self.history.sets() == 0 {
            let directory = files::parent(version);
            flush(&directory)?;
            flush(&files::parent(&directory))?;
        }
        Ok(())
    }

    /// Handles a version that could not be written: removes it, and returns the error, unless the
    /// change can be made without a version.
    fn unless_optional(&mut self, written: Result<()>) -> Result<()> {
        let Err(error) = written else {
            return Ok(());
        };
        self.discard();
        let is_optional = match self.earlier {
            Earlier::Keep => false,
            // Without space on the disk, a change that deletes the history is made anyway, because it
            // frees space.
            Earlier::Delete => error.is_because(Reason::Full),
            Earlier::TryToDelete => true,
        };
        if is_optional {
            return Ok(());
        }
        let hint = match (self.earlier, error.advice()) {
            (_, Some(hint)) => format!("nothing was changed; {hint}"),
            (Earlier::Keep, None) if error.kind() != ErrorKind::Refused => {
                "nothing was changed; pass --keep-history 0 to change the set and delete its earlier versions".to_owned()
            }
            _ => "nothing was changed".to_owned(),
        };
        let message = format!("cannot keep the history of set {}: {error}", self.name);
        Err(Error::of(error.kind(), message).hint(hint))
    }

    /// Removes the version of a change that is not made.
    pub(in crate::keystore) fn discard(&mut self) {
        if let Some(new) = self.new.take() {
            if self.earlier != Earlier::Keep {
                let _ = self.store.cancel_removal(self.name);
            }
            let _ = new.remove();
            // This fails for a directory that has other versions, which stays.
            let directory = files::parent(&new.path);
            let _ = fs::remove_dir(&directory);
            let _ = fs::remove_dir(files::parent(&directory));
        }
    }

    /// Completes the history after the change: deletes it, or the versions that are too old or too many.
    /// A set that is now encrypted keeps no version that is readable without a passphrase.
    pub(in crate::keystore) fn complete(&self, now: Content) -> Result<()> {
        let store = self.store;
        let Some(new) = self.new.as_ref().filter(|_| self.earlier == Earlier::Keep) else {
            let removed = match self.new {
                Some(_) => store.finish_removal(self.name),
                None => store.remove_history(self.name),
            };
            return removed.map_err(after_removal);
        };
        let is_exposed =
            |version: &Version| now == Content::Encrypted && version.content == Content::Plain;
        if is_exposed(new) {
            new.remove().map_err(after_the_change)?;
        } else {
            let mut changes = store.histories.changes.borrow_mut();
            changes.insert(self.name.to_string(), new.number);
        }
        let pruned = self
            .history
            .leftovers
            .iter()
            .try_for_each(|leftover| remove_file(leftover));
        let newest_first = self.history.versions.iter().rev();
        let kept = number_kept(newest_first.clone().map(|version| version.size));
        let pruned = pruned.and_then(|()| {
            newest_first
                .enumerate()
                .filter(|(position, version)| {
                    *position >= kept || store.is_old(version) || is_exposed(version)
                })
                .try_for_each(|(_, version)| version.remove())
        });
        pruned.map_err(after_the_change)
    }
}

/// Returns how many versions are kept besides the newest one. `sizes` are their sizes in bytes, newest
/// first.
fn number_kept(sizes: impl Iterator<Item = u64>) -> usize {
    let mut bytes = 0_u64;
    let fits = |size: &u64| {
        bytes = bytes.saturating_add(*size);
        bytes <= MOST_BYTES
    };
    sizes.take(MOST_VERSIONS - 1).take_while(fits).count()
}

/// Adds a hard link to a file, or copies the file if that is impossible or other users can read it.
fn link_or_copy(store: &Directory, file: &Path, version: &Path) -> Result<()> {
    files::check_target(file)?;
    let is_open = fs::symlink_metadata(file).is_ok_and(|metadata| files::others(&metadata) != 0);
    if cfg!(unix) && !is_open && fs::hard_link(file, version).is_ok() {
        return Ok(());
    }
    match kept::read(file, Links::Within, store.limit)? {
        Some(kept) => write(version, &kept.octets),
        None => Err(files::failed("read", file, io::ErrorKind::NotFound.into())),
    }
}

fn write(path: &Path, content: &[u8]) -> Result<()> {
    let flushed = files::write(path, content, Access::Private, Existing::Replace, TEMPORARY)?;
    // The change is not made, so its hint is left out.
    flushed.map_err(|error| Error::of(error.kind(), error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_and_the_size_of_versions_are_bounded() {
        let kept = |size: u64, number: usize| number_kept(std::iter::repeat_n(size, number));
        assert_eq!(kept(1, 50), 50);
        assert_eq!(kept(1, 500), MOST_VERSIONS - 1);
        assert_eq!(kept(MOST_BYTES / 2, 5), 2);
        assert_eq!(kept(MOST_BYTES / 2 + 1, 5), 1);
        assert_eq!(kept(u64::MAX, 5), 0);
    }
}
