//! Deletes histories. If the process is killed, the next one completes the deletion.
//!
//! A history that will be deleted is first moved to `.history/.removing`, where no command reads it.
//! There, `SET` still waits for its change, `..SET` is a hard link to the new file of that set, and `.SET`
//! can be deleted. If a process is killed while a history waits, the next process moves the history back in two cases, because the change was not
//! made: the set is unchanged, or the new file still has its temporary name. Otherwise, it deletes the
//! history.

use crate::error::Result;
use crate::files;
use crate::keystore::SetName;
use crate::keystore::directory::history::version::remove_file;
use crate::keystore::directory::history::{DIRECTORY, History};
use crate::keystore::directory::{Directory, TEMPORARY};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// The directory of the histories that are being deleted.
const REMOVING: &str = ".removing";

impl Directory {
    /// Deletes the history of a set under the lock. `check` gets the history, and can refuse with an
    /// error.
    pub fn forget(&self, name: &SetName, check: impl FnOnce(&History) -> Result<()>) -> Result<()> {
        let _lock = self.lock()?;
        check(&self.whole_history(name)?)?;
        self.remove_history(name)
    }

    /// Deletes the history of a set. The caller holds the lock.
    pub(super) fn remove_history(&self, name: &SetName) -> Result<()> {
        let directory = self.history_of(name);
        if !self.is_history(&directory)? {
            return Ok(());
        }
        self.remove_from(&directory, name)
    }

    /// Flushes the history of a set, and moves it aside before the change that deletes it.
    pub(super) fn begin_removal(&self, name: &SetName) -> Result<()> {
        let directory = self.history_of(name);
        let next = self.next(name);
        self.create_removing_directory()?;
        remove_file(&next)?;
        // Without a new file, as in a deletion, or without hard links, there is no second name.
        let _ = fs::hard_link(self.directory.join(TEMPORARY), &next);
        flush(&directory)?;
        flush(&self.directory)?;
        self.move_to(&directory, &self.removing(name))
    }

    /// Moves the history of a set back, because the change is not made.
    pub(super) fn cancel_removal(&self, name: &SetName) -> Result<()> {
        let moved = fs::rename(self.removing(name), self.history_of(name))
            .map_err(|error| files::failed("move", &self.removing(name), error));
        let removed = remove_file(&self.next(name));
        let _ = fs::remove_dir(self.removing_directory());
        moved.and(removed)
    }

    /// Deletes the history that [`begin_removal`](Directory::begin_removal) has moved, after the change.
    pub(super) fn finish_removal(&self, name: &SetName) -> Result<()> {
        let removed = remove_file(&self.next(name));
        self.remove_from(&self.removing(name), name).and(removed)
    }

    /// Completes the deletions that a killed process has begun, so that the histories of all sets are
    /// where commands look for them.
    pub fn complete_interrupted(&self) -> Result<()> {
        if self.removing_directory().symlink_metadata().is_ok() {
            self.lock()?;
        }
        Ok(())
    }

    /// Returns true if a deleted history of a set is still on the disk, because it could not be deleted.
    pub fn has_remains(&self, name: &SetName) -> bool {
        let paths = [self.removing(name), self.removed(name)];
        paths.iter().any(|path| path.symlink_metadata().is_ok())
    }

    /// Completes the deletions that a killed process has begun. The caller holds the lock.
    pub(in crate::keystore) fn complete_removals(&self) {
        let directory = self.removing_directory();
        if directory.symlink_metadata().is_ok()
            && let Err(error) = self.complete_all(&directory)
        {
            self.warnings.borrow_mut().push(format!(
                "cannot complete the deletion of a history: {error}; remove {}",
                directory.display()
            ));
        }
        // The temporary file of a killed process can hold private keys of a set that is now deleted.
        let _ = fs::remove_file(self.directory.join(TEMPORARY));
    }

    fn complete_all(&self, directory: &Path) -> Result<()> {
        if !self.is_history(directory)? {
            return Ok(());
        }
        let failed = |error| files::failed("list", directory, error);
        let mut file_names = Vec::new();
        for entry in fs::read_dir(directory).map_err(failed)? {
            file_names.extend(entry.map_err(failed)?.file_name().into_string());
        }
        // The links are needed until their histories are moved or deleted, so they come last.
        file_names.sort_by_key(|name| name.starts_with(".."));
        let mut first = Ok(());
        for file_name in file_names {
            let Ok(name) = SetName::new(file_name.trim_start_matches('.')) else {
                continue;
            };
            let completed = if file_name.starts_with("..") {
                remove_file(&self.next(&name))
            } else if file_name.starts_with('.') {
                remove_directory(&self.removed(&name))
            } else {
                self.complete_removal(&name)
            };
            first = first.and(completed);
        }
        let _ = fs::remove_dir(directory);
        first
    }

    /// Completes one deletion: deletes a history that waits for its change, or moves it back if the
    /// change was not made.
    fn complete_removal(&self, name: &SetName) -> Result<()> {
        let directory = self.removing(name);
        let history = History::list(&directory)?;
        match history.versions.last() {
            Some(version) if self.is_present(name, version)? => {
                version.remove()?;
                self.cancel_removal(name)
            }
            _ if files::is_same(&self.next(name), &self.directory.join(TEMPORARY)) => {
                self.cancel_removal(name)
            }
            _ => self.finish_removal(name),
        }
    }

    fn move_to(&self, old: &Path, new: &Path) -> Result<()> {
        self.create_removing_directory()?;
        fs::rename(old, new).map_err(|error| files::failed("move", old, error))?;
        flush(&files::parent(old))?;
        flush(&self.removing_directory())
    }

    /// Creates the directory of the histories that are being deleted. Returns an error if it belongs to
    /// another user.
    fn create_removing_directory(&self) -> Result<()> {
        let top = self.removing_directory();
        files::directories::create(&top)?;
        self.is_history(&top).map(drop)
    }

    /// Deletes the history of a set. It is at `directory`.
    fn remove_from(&self, directory: &Path, name: &SetName) -> Result<()> {
        let moved = self.move_to(directory, &self.removed(name));
        // The move fails if the disk is full, or if an earlier history of the set could not be deleted.
        let removed = if moved.is_err() && directory.exists() {
            remove_directory(directory)
        } else {
            remove_directory(&self.removed(name))
        };
        // This fails if another history is still there.
        let _ = fs::remove_dir(self.removing_directory());
        removed
    }

    fn removing_directory(&self) -> PathBuf {
        self.directory.join(DIRECTORY).join(REMOVING)
    }

    /// Returns the path of a history that waits for its change.
    pub(super) fn removing(&self, name: &SetName) -> PathBuf {
        self.removing_directory().join(name.as_str())
    }

    /// Returns the path of the hard link to the new file of a set whose history waits.
    fn next(&self, name: &SetName) -> PathBuf {
        self.removing_directory().join(format!("..{name}"))
    }

    /// Returns the path of a history that can be deleted.
    fn removed(&self, name: &SetName) -> PathBuf {
        self.removing_directory().join(format!(".{name}"))
    }
}

pub(super) fn flush(directory: &Path) -> Result<()> {
    files::sync_directory(directory).map_err(|error| files::failed("flush", directory, error))
}

fn remove_directory(directory: &Path) -> Result<()> {
    match fs::remove_dir_all(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed.map_err(|error| files::failed("remove", directory, error)),
    }
}
