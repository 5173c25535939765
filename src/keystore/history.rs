//! The history of each set: what its changes replaced, for `jwks undo` and `jwks restore`.
//!
//! `.history/SET` has a file for each change: the old file of the set, or an empty one where there
//! was no set. The file is flushed before the change is in place, so every change has one. A killed
//! change can leave a version that is equal to the present set; its content shows that.

mod back;
mod version;

pub use version::{Content, History, Version};

use crate::error::{Error, Result};
use crate::files::kept::Links;
use crate::files::{self, Access, Existing, kept, ownership};
use crate::keystore::{Keystore, SetName, TEMPORARY};
use serde_json::Value;
use std::cell::Cell;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};
use version::remove_file;

/// The directory of all histories; a set's name never begins with a dot.
const DIRECTORY: &str = ".history";

/// A history that is being removed.
const GONE: &str = ".gone";

/// The file whose time says when the histories of all sets were last looked through.
const SWEPT: &str = ".swept";

/// How often that happens, in seconds.
const SWEEP_EVERY: i64 = 24 * 60 * 60;

/// The most versions of a set.
const MOST_VERSIONS: usize = 100;

/// The most octets of all versions of a set but the last.
const MOST_OCTETS: u64 = 64 << 20;

/// How long versions are kept.
#[derive(Debug, Default)]
pub(super) struct Keeping {
    /// For how many seconds; 0 for no history.
    seconds: Cell<i64>,
    /// True if no change may succeed that leaves earlier versions of its set.
    purges: Cell<bool>,
    /// The current time, in seconds since 1970.
    now: i64,
}

/// What becomes of the history of a set with a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Past {
    /// It gets another version.
    Keep,
    /// It is removed.
    Drop,
}

/// The history of a set within a change.
#[derive(Debug)]
pub(super) struct Kept<'a> {
    store: &'a Keystore,
    name: &'a SetName,
    history: History,
    /// The version that the change has added; `None` if the history is removed.
    new: Option<Version>,
}

impl Keystore {
    /// Keeps the versions of sets for so many seconds. `now` is the current time, in seconds since
    /// 1970.
    pub fn with_history(mut self, seconds: i64, now: i64) -> Self {
        let (seconds, now) = (seconds.into(), now.max(0));
        self.keeping = Keeping {
            seconds,
            purges: Cell::new(false),
            now,
        };
        self
    }

    /// Lets the changes of this run remove the histories of their sets.
    pub fn purge(&self) {
        self.keeping.seconds.set(0);
        self.keeping.purges.set(true);
    }

    /// The earlier versions of a set, without those that are too old.
    pub fn history(&self, name: &SetName) -> Result<History> {
        let directory = self.history_of(name);
        if !self.is_history(&directory)? {
            return Ok(History::default());
        }
        let mut history = History::list(&directory)?;
        history.versions.retain(|version| !self.is_old(version));
        Ok(history)
    }

    /// The names of the sets that have a history.
    pub fn histories(&self) -> Result<Vec<SetName>> {
        let top = self.directory.join(DIRECTORY);
        if !ownership::own_directory_exists(&top)? {
            return Ok(Vec::new());
        }
        let failed = |error| files::failed("list", &top, error);
        let mut names = Vec::new();
        for entry in fs::read_dir(&top).map_err(failed)? {
            let name = entry.map_err(failed)?.file_name();
            names.extend(name.to_str().and_then(|name| SetName::new(name).ok()));
        }
        names.sort();
        Ok(names)
    }

    /// The set that was changed last; `None` if no set has a history.
    pub fn last_changed(&self) -> Result<Option<SetName>> {
        let mut last = None;
        for name in self.histories()? {
            let Some(version) = self.history(&name)?.versions.pop() else {
                continue;
            };
            // Two changes in one second are told apart by the clock of the file system.
            let metadata = fs::symlink_metadata(self.history_of(&name));
            let written = metadata.and_then(|metadata| metadata.modified()).ok();
            last = last.max(Some((version.until, written, name)));
        }
        Ok(last.map(|(_, _, name)| name))
    }

    /// Removes the history of a set under the lock.
    pub fn forget(&self, name: &SetName) -> Result<()> {
        let _lock = self.lock()?;
        self.drop_history(name)
    }

    /// Returns true if an earlier version of a set, or its present file, is readable without a
    /// passphrase.
    pub(super) fn has_plain_version(&self, name: &SetName, file: Option<&Path>) -> Result<bool> {
        let is_plain = |version: &Version| version.content == Content::Plain;
        Ok(file.is_some() || self.history(name)?.versions.iter().any(is_plain))
    }

    /// Keeps the present state of a set, before a change replaces it, and the schedule that a delete
    /// drops. The caller holds the lock.
    pub(super) fn keep<'a>(
        &'a self,
        name: &'a SetName,
        file: Option<&Path>,
        schedule: Option<&Value>,
        past: Past,
    ) -> Result<Kept<'a>> {
        let mut kept = Kept {
            store: self,
            name,
            history: History::default(),
            new: None,
        };
        if past == Past::Keep && self.keeping.seconds.get() > 0 {
            kept.add(file, schedule)
                .map_err(|error| not_kept(name, &error))?;
        }
        Ok(kept)
    }

    /// Removes what has become too old in all histories, once a day. The caller holds the lock.
    pub(super) fn sweep(&self) {
        let top = self.directory.join(DIRECTORY);
        let swept = fs::symlink_metadata(top.join(SWEPT)).and_then(|metadata| metadata.modified());
        let swept = swept
            .ok()
            .and_then(|time| time.duration_since(UNIX_EPOCH).ok());
        let since = swept.map(|swept| self.keeping.now - swept.as_secs() as i64);
        let is_due = since.is_none_or(|since| !(0..SWEEP_EVERY).contains(&since));
        if is_due && self.keeping.seconds.get() > 0 && top.is_dir() {
            self.note(self.sweep_all(&top));
        }
    }

    fn sweep_all(&self, top: &Path) -> Result<()> {
        for name in self.histories()? {
            let directory = self.history_of(&name);
            if !ownership::own_directory_exists(&directory)? {
                continue;
            }
            let history = History::list(&directory)?;
            let (old, young): (Vec<_>, Vec<_>) = history
                .versions
                .iter()
                .partition(|version| self.is_old(version));
            old.into_iter().try_for_each(Version::remove)?;
            if young.is_empty() {
                // A directory with damaged files stays.
                let _ = fs::remove_dir(&directory);
            }
        }
        remove_all(&top.join(GONE))?;
        let path = top.join(SWEPT);
        let now = UNIX_EPOCH + Duration::from_secs(self.keeping.now as u64);
        let marked = files::open_lock(&path).and_then(|file| file.set_modified(now));
        marked.map_err(|error| files::failed("write", &path, error))
    }

    fn is_old(&self, version: &Version) -> bool {
        let age = self.keeping.now - version.until;
        age >= self.keeping.seconds.get() && self.keeping.seconds.get() > 0
    }

    fn history_of(&self, name: &SetName) -> PathBuf {
        self.directory.join(DIRECTORY).join(name.as_str())
    }

    fn is_history(&self, directory: &Path) -> Result<bool> {
        Ok(
            ownership::own_directory_exists(&self.directory.join(DIRECTORY))?
                && ownership::own_directory_exists(directory)?,
        )
    }

    /// Removes a history in one step: killed at any moment, it is whole or it is none.
    fn drop_history(&self, name: &SetName) -> Result<()> {
        let directory = self.history_of(name);
        if !self.is_history(&directory)? {
            return Ok(());
        }
        let gone = self.directory.join(DIRECTORY).join(GONE);
        remove_all(&gone)?;
        fs::rename(&directory, &gone)
            .map_err(|error| files::failed("remove", &directory, error))?;
        remove_all(&gone)?;
        files::flush_directory_of(&gone, "removed")
    }
}

impl Kept<'_> {
    fn add(&mut self, file: Option<&Path>, schedule: Option<&Value>) -> Result<()> {
        let directory = self.store.history_of(self.name);
        if self.store.is_history(&directory)? {
            self.history = History::list(&directory)?;
        } else {
            files::create_private_directory(&directory)?;
        }
        let now = self.store.keeping.now;
        let versions = &mut self.history.versions;
        let is_leftover = |last: &mut Version| match file {
            Some(file) => files::is_same(&last.path, file),
            None => last.content == Content::NoSet,
        };
        let number = versions.last().map_or(1, |last| last.number + 1);
        let from = match (versions.pop_if(is_leftover), versions.last(), file) {
            (Some(leftover), _, _) => {
                leftover.remove()?;
                leftover.from
            }
            (None, Some(last), _) => last.until,
            (None, None, Some(file)) => modified(file).min(now),
            (None, None, None) => 0,
        };
        let version = Version::new(&directory, number, (from, now), Content::of(file));
        if let Some(schedule) = schedule {
            write(&version.schedule(), schedule.to_string().as_bytes())?;
        }
        let written = match file {
            None => write(&version.path, b""),
            Some(file) => link_or_copy(self.store, file, &version.path),
        };
        if let Err(error) = written {
            let _ = version.remove();
            return Err(error);
        }
        self.new = Some(version);
        Ok(())
    }

    /// Brings the history to the disk, before the change is in place; or removes it, if that is what
    /// the change does.
    pub(super) fn flush(&self) -> Result<()> {
        if let Some(new) = &self.new {
            let directory = files::parent(&new.path);
            let flushed = files::sync_directory(&directory);
            let flushed = flushed.map_err(|error| files::failed("flush", &directory, error));
            return flushed.map_err(|error| not_kept(self.name, &error));
        }
        let dropped = self.store.drop_history(self.name);
        // With --keep-history 0, a history that cannot be removed does not stop the change.
        let keeping = &self.store.keeping;
        if keeping.seconds.get() == 0 && !keeping.purges.get() {
            self.store.note(dropped);
        } else {
            dropped?;
        }
        Ok(())
    }

    /// Takes back the version of a change that has failed.
    pub(super) fn discard(&self) {
        if let Some(new) = &self.new {
            let _ = new.remove();
            // A directory that is not empty stays.
            let directory = files::parent(&new.path);
            let _ = fs::remove_dir(&directory);
            let _ = fs::remove_dir(files::parent(&directory));
        }
    }

    /// Removes the versions that are too old or too many, and what a killed process has left.
    pub(super) fn prune(&self) -> Result<()> {
        for leftover in &self.history.leftovers {
            remove_file(leftover)?;
        }
        let (mut number, mut octets) = (1, 0);
        for version in self.history.versions.iter().rev() {
            number += 1;
            octets += version.size;
            let fits = number <= MOST_VERSIONS && octets <= MOST_OCTETS;
            if !fits || self.store.is_old(version) {
                version.remove()?;
            }
        }
        Ok(())
    }
}

/// A change that fails because the history cannot be written.
fn not_kept(name: &SetName, error: &Error) -> Error {
    Error::of(
        error.kind(),
        format!("cannot keep the history of set {name}: {error}"),
    )
    .hint("nothing was changed; pass --keep-history 0 to change the set without history")
}

/// Gives a file a second name, or copies it where others can read it or the file system has no second
/// names.
fn link_or_copy(store: &Keystore, file: &Path, version: &Path) -> Result<()> {
    files::check_target(file)?;
    let is_open = fs::symlink_metadata(file).is_ok_and(|metadata| files::others(&metadata) != 0);
    if !is_open && fs::hard_link(file, version).is_ok() {
        return Ok(());
    }
    match kept::read(file, Links::Within, store.limit)? {
        Some(kept) => write(version, &kept.octets),
        None => Err(files::failed("read", file, io::ErrorKind::NotFound.into())),
    }
}

fn write(path: &Path, content: &[u8]) -> Result<()> {
    files::write(path, content, Access::Private, Existing::Replace, TEMPORARY)?
}

/// When a file was written, in seconds since 1970; 0 where that is unknown.
fn modified(file: &Path) -> i64 {
    let modified = fs::symlink_metadata(file).and_then(|metadata| metadata.modified());
    let since = modified
        .ok()
        .and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    since.map_or(0, |since| since.as_secs() as i64)
}

/// Removes a directory that need not exist, with all that is in it.
fn remove_all(directory: &Path) -> Result<()> {
    match fs::remove_dir_all(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed.map_err(|error| files::failed("remove", directory, error)),
    }
}
