//! What only a directory keeps: the history and the log. A server keeps neither.

use crate::error::{Error, Result};
use crate::keyset::KeySet;
use crate::keystore::directory::Directory;
use crate::keystore::history::{History, KeepHistory, Version};
use crate::keystore::log::{Change, Log};
use crate::keystore::medium::Medium;
use crate::keystore::{Keystore, Protection, SetName, Stored};
use std::path::PathBuf;

impl Keystore {
    /// Sets how long versions are kept. If `is_setting` is false, that holds only for the sets that are
    /// changed. `now` is the current time, in seconds since 1970, which can be a simulated one.
    pub fn with_history(mut self, keep: KeepHistory, is_setting: bool, now: i64) -> Self {
        if let Medium::Directory(directory) = &mut self.medium {
            directory.keep_history(keep, is_setting, now);
        }
        self
    }

    /// Returns an error for a store on a server, which does not keep `what`.
    pub fn require_directory(&self, what: &str) -> Result<()> {
        self.kept(what).map(drop)
    }

    /// Returns the directory, or the error for a server that does not keep `what`.
    fn kept(&self, what: &str) -> Result<&Directory> {
        match &self.medium {
            Medium::Directory(directory) => Ok(directory),
            Medium::Server(server) => {
                let shown = server.shown();
                Err(Error::refused(format!("{shown} keeps no {what}"))
                    .hint("only a keystore in a directory keeps a history and a log"))
            }
        }
    }

    fn in_directory<T: Default>(&self, ask: impl FnOnce(&Directory) -> T) -> T {
        match &self.medium {
            Medium::Directory(directory) => ask(directory),
            Medium::Server(_) => T::default(),
        }
    }

    fn try_in_directory<T: Default>(&self, ask: impl FnOnce(&Directory) -> Result<T>) -> Result<T> {
        match &self.medium {
            Medium::Directory(directory) => ask(directory),
            Medium::Server(_) => Ok(T::default()),
        }
    }

    /// Makes all changes of this run delete the histories of their sets (`--purge`).
    pub fn purge(&self) {
        self.in_directory(Directory::purge);
    }

    /// Returns the number of the last change that this run has made to a set, if its history is kept.
    pub fn change_number(&self, set: &str) -> Option<u64> {
        self.in_directory(|directory| directory.change_number(set))
    }

    /// Returns the earlier versions of a set, without those that are too old. Returns an error if the
    /// history belongs to another user, or if other users can write to it.
    pub fn history(&self, name: &SetName) -> Result<History> {
        self.try_in_directory(|directory| directory.history(name))
    }

    /// Returns all earlier versions of a set, including those that are too old and that the next change
    /// deletes. Fails as [`history`](Keystore::history) does.
    pub fn whole_history(&self, name: &SetName) -> Result<History> {
        self.try_in_directory(|directory| directory.whole_history(name))
    }

    /// Returns true if a set has a history. Returns an error if the history belongs to another user, or if
    /// other users can write to it.
    pub fn has_history(&self, name: &SetName) -> Result<bool> {
        self.try_in_directory(|directory| directory.has_history(name))
    }

    /// Returns the names of the sets that have a history, sorted. Ignores directories that belong to
    /// other users.
    pub fn sets_with_history(&self) -> Result<Vec<SetName>> {
        self.try_in_directory(Directory::sets_with_history)
    }

    /// Returns the set that was changed last; `None` if no set has a history.
    pub fn last_changed(&self) -> Result<Option<SetName>> {
        self.try_in_directory(Directory::last_changed)
    }

    /// Returns the version that the last change replaced; `None` if there is none. Skips versions that
    /// are equal to the present set, which a killed process has left.
    pub fn last_version<'h>(
        &self,
        name: &SetName,
        history: &'h History,
    ) -> Result<Option<&'h Version>> {
        self.try_in_directory(|directory| directory.last_version(name, history))
    }

    /// Returns the number of versions of a set that are readable without a passphrase.
    pub fn plain_versions(&self, name: &SetName) -> Result<usize> {
        self.try_in_directory(|directory| directory.plain_versions(name))
    }

    /// Reads a version; `None` if the set did not exist then. Returns an error if the version is
    /// damaged, or was deleted in the meantime.
    pub fn version(&self, version: &Version) -> Result<Option<Stored>> {
        self.try_in_directory(|directory| directory.version(version))
    }

    /// Returns true if a version is equal to the present set. That happens if the process was killed
    /// before the change.
    pub fn is_present(&self, name: &SetName, version: &Version) -> Result<bool> {
        self.try_in_directory(|directory| directory.is_present(name, version))
    }

    /// Returns the error about a damaged file of a set; `None` if the file is valid, or if there is
    /// none. Returns an error if the file cannot be read.
    pub fn damage(&self, name: &SetName) -> Result<Option<Error>> {
        self.try_in_directory(|directory| directory.damage(name))
    }

    /// Makes a version the present state of its set, under the lock. This is a change like any other,
    /// and can be undone. Restoring an encrypted version deletes the versions that are readable without
    /// a passphrase. `check` can refuse with an error. It gets the number of the last change and the
    /// current set, as far as it is readable without a passphrase.
    ///
    /// If `moves_damaged` is true, a damaged file is moved aside, and its new path is returned. jwks
    /// never deletes it, because it can hold keys that no version has.
    pub fn restore(
        &self,
        name: &SetName,
        version: &Version,
        moves_damaged: bool,
        check: impl FnOnce(u64, Option<&KeySet>) -> Result<()>,
    ) -> Result<Option<PathBuf>> {
        let directory = self.kept("history")?;
        directory.restore(name, version, moves_damaged, check)
    }

    /// Returns the damaged files of a set that were moved aside, sorted.
    pub fn damaged_files(&self, name: &SetName) -> Result<Vec<PathBuf>> {
        self.try_in_directory(|directory| directory.damaged_files(name))
    }

    /// Removes damaged files that were moved aside, under the lock.
    pub fn remove_damaged_files(&self, paths: &[PathBuf]) -> Result<()> {
        self.try_in_directory(|directory| directory.remove_damaged_files(paths))
    }

    /// Deletes the history of a set under the lock. `check` gets the history, and can refuse with an
    /// error.
    pub fn forget(&self, name: &SetName, check: impl FnOnce(&History) -> Result<()>) -> Result<()> {
        self.kept("history")?.forget(name, check)
    }

    /// Completes the deletions that a killed process has begun, so that the histories of all sets are
    /// where commands look for them.
    pub fn complete_interrupted(&self) -> Result<()> {
        self.try_in_directory(Directory::complete_interrupted)
    }

    /// Returns true if a deleted history of a set is still on the disk, because it could not be deleted.
    pub fn has_remains(&self, name: &SetName) -> bool {
        self.in_directory(|directory| directory.has_remains(name))
    }

    /// Returns an error if an encrypted set would be created in the place of a deleted one whose
    /// versions have another passphrase, or none.
    pub(super) fn refuse_unprotected_versions(
        &self,
        name: &SetName,
        protection: &Protection,
    ) -> Result<()> {
        self.try_in_directory(|directory| {
            directory.refuse_unprotected_versions(name, |encrypted| {
                self.open(encrypted, &protection.passphrase).is_ok()
            })
        })
    }

    /// Returns how to delete the earlier versions of a set that a server keeps; `None` if there are none, or
    /// if jwks deletes them itself.
    pub fn earlier_versions(&self, name: &SetName) -> Option<String> {
        match &self.medium {
            Medium::Directory(_) => None,
            Medium::Server(server) => server.earlier_versions(name),
        }
    }

    /// Appends changes to the log in one write, so that the lines of two writers do not mix. Creates
    /// the file if it does not exist, but not the keystore. Returns an error if the file cannot be
    /// written. A server keeps no log.
    pub fn append(&self, changes: &[Change]) -> Result<()> {
        self.try_in_directory(|directory| directory.append(changes))
    }

    /// Reads the log, or the last 16 MiB of a larger one; an empty one if there is no file. Nothing
    /// is created.
    pub fn log(&self) -> Result<Log> {
        self.kept("log")?.log()
    }
}
