//! The history of each set: the states that changes replaced, for `jwks undo` and `jwks restore`.
//!
//! `.history/SET` has a file for each change: the old file of the set, or an empty file if there was no
//! set. The file is flushed before the change is in place, so no change is without its version. If the
//! process is killed before the change, the version stays. It is then equal to the present set, which
//! shows that the change was not made.
//!
//! A change that deletes the history moves it aside before, and deletes it after: see `removal`.

mod pending;
mod removal;
mod restore;
mod version;

pub(in crate::keystore) use pending::Earlier;
pub use version::{Content, History, Version};

use crate::error::{Error, Result};
use crate::files::{self, ownership};
use crate::keystore::directory::{Directory, ENCRYPTED, PLAIN};
use crate::keystore::{Encrypted, SetName, Stored};
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::fs::{self, Metadata};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The directory of all histories. No set has this name, because names never begin with a dot.
const DIRECTORY: &str = ".history";

/// An empty file. Its modification time is the time of the last sweep of all histories.
const SWEPT: &str = ".swept";

/// The maximum number of versions of a set.
const MOST_VERSIONS: usize = 100;

/// The time between two sweeps, in seconds.
const SWEEP_EVERY: i64 = 24 * 60 * 60;

/// How long earlier versions are kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum KeepHistory {
    /// For this time, in seconds.
    For(i64),
    /// Not at all.
    #[default]
    Nothing,
}

/// What this run does with histories.
#[derive(Debug, Default)]
pub(in crate::keystore) struct Histories {
    keep: KeepHistory,
    /// True if `keep` is the setting of the keystore, and not only of the sets that this run changes.
    is_setting: bool,
    /// True if changes delete the histories of their sets, and fail if they cannot.
    purges: Cell<bool>,
    /// The current time for the names of versions, in seconds since 1970. It can be a simulated one.
    now: i64,
    /// The numbers of the changes that this run has made, by set.
    changes: RefCell<HashMap<String, u64>>,
}

/// The current file of a set, which a change will replace.
#[derive(Clone, Debug)]
pub(in crate::keystore) struct Present {
    pub path: PathBuf,
    pub content: Content,
}

impl Present {
    pub fn new(path: PathBuf, stored: &Stored) -> Present {
        Present {
            path,
            content: Content::of(stored),
        }
    }
}

impl Directory {
    /// Sets how long versions are kept. If `is_setting` is false, that holds only for the sets that are
    /// changed. `now` is the current time, in seconds since 1970, which can be a simulated one.
    pub(in crate::keystore) fn keep_history(
        &mut self,
        keep: KeepHistory,
        is_setting: bool,
        now: i64,
    ) {
        self.histories = Histories {
            keep,
            is_setting,
            now: now.max(0),
            ..Histories::default()
        };
    }

    /// Makes all changes of this run delete the histories of their sets (`--purge`).
    pub fn purge(&self) {
        self.histories.purges.set(true);
    }

    /// Returns true if deleted sets leave nothing.
    pub(super) fn purges(&self) -> bool {
        self.histories.purges.get()
    }

    /// Returns the number of the last change that this run has made to a set, if its history is kept.
    pub fn change_number(&self, set: &str) -> Option<u64> {
        self.histories.changes.borrow().get(set).copied()
    }

    /// Returns the earlier versions of a set, without those that are too old. Returns an error if the
    /// history belongs to another user, or if other users can write to it.
    pub fn history(&self, name: &SetName) -> Result<History> {
        let mut history = self.whole_history(name)?;
        history.versions.retain(|version| !self.is_old(version));
        Ok(history)
    }

    /// Returns all earlier versions of a set, including those that are too old and that the next change
    /// deletes. Fails as [`history`](Directory::history) does.
    pub fn whole_history(&self, name: &SetName) -> Result<History> {
        let directory = self.history_of(name);
        if self.is_history(&directory)? {
            History::list(&directory)
        } else {
            Ok(History::default())
        }
    }

    /// Returns true if a set has a history. Returns an error if the history belongs to another user, or if
    /// other users can write to it.
    pub fn has_history(&self, name: &SetName) -> Result<bool> {
        self.is_history(&self.history_of(name))
    }

    /// Returns the names of the sets that have a history, sorted. Ignores directories that belong to
    /// other users.
    pub fn sets_with_history(&self) -> Result<Vec<SetName>> {
        let top = self.directory.join(DIRECTORY);
        if !ownership::own_directory_exists(&top)? {
            return Ok(Vec::new());
        }
        let failed = |error| files::failed("list", &top, error);
        let mut names = Vec::new();
        for entry in fs::read_dir(&top).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let name = entry.file_name();
            let name = name.to_str().and_then(|name| SetName::new(name).ok());
            let is_ours = matches!(ownership::own_directory_exists(&entry.path()), Ok(true));
            names.extend(name.filter(|_| is_ours));
        }
        names.sort();
        Ok(names)
    }

    /// Returns the set that was changed last; `None` if no set has a history.
    pub fn last_changed(&self) -> Result<Option<SetName>> {
        let mut last = None;
        for name in self.sets_with_history()? {
            let history = self.history(&name)?;
            if let Some(version) = self.last_version(&name, &history)? {
                last = last.max(Some((version.until, version.written, name)));
            }
        }
        Ok(last.map(|(_, _, name)| name))
    }

    /// Returns the version that the last change replaced; `None` if there is none. Skips versions that
    /// are equal to the present set, which a killed process has left.
    pub fn last_version<'h>(
        &self,
        name: &SetName,
        history: &'h History,
    ) -> Result<Option<&'h Version>> {
        // Another program can have put more versions there than a set keeps.
        for version in history.versions.iter().rev().take(MOST_VERSIONS) {
            if !self.is_present(name, version)? {
                return Ok(Some(version));
            }
        }
        Ok(None)
    }

    /// Returns an error if an encrypted set would be created in the place of a deleted one whose
    /// versions have another passphrase, or none. `opens` says whether the new passphrase opens a version.
    pub(in crate::keystore) fn refuse_unprotected_versions(
        &self,
        name: &SetName,
        opens: impl Fn(&Encrypted) -> bool,
    ) -> Result<()> {
        if self.histories.keep == KeepHistory::Nothing || self.histories.purges.get() {
            return Ok(());
        }
        let mut versions = self.history(name)?.versions;
        versions.retain(Version::holds_set);
        let is_encrypted = |version: &Version| version.content == Content::Encrypted;
        let is_opened = |version: &Version| match self.version(version) {
            Ok(Some(Stored::Encrypted(set))) => opens(&set),
            _ => false,
        };
        match versions.last() {
            None => Ok(()),
            // All encrypted versions of a set have the same passphrase.
            Some(last) if versions.iter().all(is_encrypted) && is_opened(last) => Ok(()),
            Some(_) => Err(Error::refused(format!(
                "set {name} has earlier versions that this passphrase does not protect"
            ))
            .hint(format!(
                "run `jwks undo {name}` to restore the set, or `jwks forget {name}` to delete its history"
            ))),
        }
    }

    /// Returns the number of versions of a set that are readable without a passphrase.
    pub fn plain_versions(&self, name: &SetName) -> Result<usize> {
        let versions = self.whole_history(name)?.versions;
        let is_plain = |version: &&Version| version.content == Content::Plain;
        Ok(versions.iter().filter(is_plain).count())
    }

    /// Deletes the versions that are too old from all histories, and what killed processes have left there,
    /// once a day. The caller holds the lock.
    pub(super) fn sweep(&self) {
        if !self.histories.is_setting {
            return;
        }
        let top = self.directory.join(DIRECTORY);
        let mark = top.join(SWEPT);
        let swept = fs::symlink_metadata(&mark).map_or(0, |metadata| modified(&metadata));
        if (0..SWEEP_EVERY).contains(&(real_now() - swept)) {
            return;
        }
        match ownership::own_directory_exists(&top) {
            Ok(true) => {}
            // Without a history of ours there is nothing to delete.
            Ok(false) | Err(_) => return,
        }
        let result = self.sweep_all();
        let marked = files::open_lock(&mark).and_then(|file| file.set_modified(SystemTime::now()));
        let marked = marked.map_err(|error| files::failed("write", &mark, error));
        self.defer_error(result.and(marked).map_err(after_the_change));
    }

    /// Deletes the versions that are too old from all histories. Continues after an error, and returns
    /// the first one.
    fn sweep_all(&self) -> Result<()> {
        let mut first = Ok(());
        for name in self.sets_with_history()? {
            first = first.and(self.sweep_set(&name));
        }
        first
    }

    fn sweep_set(&self, name: &SetName) -> Result<()> {
        let directory = self.history_of(name);
        let history = History::list(&directory)?;
        let is_old = |version: &&Version| self.is_old(version);
        let (old, young): (Vec<_>, Vec<_>) = history.versions.iter().partition(is_old);
        old.into_iter().try_for_each(Version::remove)?;
        let mut leftovers = history.leftovers.iter();
        leftovers.try_for_each(|leftover| version::remove_file(leftover))?;
        if young.is_empty() {
            // This fails for a directory that still has damaged files, which stay.
            let _ = fs::remove_dir(&directory);
        }
        Ok(())
    }

    /// Returns true if a version was written too long ago, by the clock of the system. A simulated time
    /// (`--now`) does not count, because it must not delete versions.
    fn is_old(&self, version: &Version) -> bool {
        match self.histories.keep {
            KeepHistory::For(seconds) => real_now() - version.written.0 >= seconds,
            KeepHistory::Nothing => true,
        }
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
}

/// Adds a hint to the error about the damaged file of a set: how to restore an earlier version, or where
/// another copy can be.
pub(in crate::keystore) fn with_way_back(error: Error, file: &Path) -> Error {
    match way_back(file) {
        Some(hint) => error.hint(format!("correct the file, or run {hint}")),
        None => error.hint("correct the file, restore it from a backup, or remove it"),
    }
}

fn way_back(file: &Path) -> Option<String> {
    let name = file.file_name()?.to_str()?;
    let name = name.strip_suffix(PLAIN).or(name.strip_suffix(ENCRYPTED))?;
    let name = SetName::new(name).ok()?;
    let store = Directory::new(files::parent(file), Duration::ZERO);
    let history = store.whole_history(&name).ok()?;
    let mut versions = history.versions.iter().rev();
    let last = versions.find(|version| version.content != Content::Damaged);
    if last?.holds_set() {
        Some(format!(
            "`jwks undo {name}` to return to the version before the last change"
        ))
    } else if history.sets() > 0 {
        Some(format!(
            "`jwks restore {name}@TIME` to return to an earlier version"
        ))
    } else {
        None
    }
}

/// Returns the error for a history that could not be cleaned after a change.
fn after_the_change(error: Error) -> Error {
    Error::failed(format!(
        "the change is made, but the history could not be cleaned: {error}"
    ))
    .hint("run `jwks forget SET` to delete the earlier versions of a set")
}

/// Returns the error for a history that could not be deleted after a change.
fn after_removal(error: Error) -> Error {
    Error::failed(format!(
        "the change is made, but the history could not be removed: {error}"
    ))
    .hint("the next change of a set removes it")
}

/// Returns the time of the system's clock, in seconds since 1970.
fn real_now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| since.as_secs() as i64)
}

/// Returns the modification time of a file in seconds since 1970; 0 if it is unknown.
fn modified(metadata: &Metadata) -> i64 {
    let modified = metadata.modified().ok();
    let since = modified.and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    since.map_or(0, |since| since.as_secs() as i64)
}
