//! Deletes histories. If a process is killed while it does that, the next one completes it.
//!
//! A history that is to be deleted is moved to `.history/.removing`, where no command reads it. `SET`
//! waits for the change before the deletion, `.SET` does not.

use crate::error::{Error, Reason, Result};
use crate::files;
use crate::keystore::history::{DIRECTORY, History};
use crate::keystore::{Keystore, SetName, TEMPORARY};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// The directory of the histories that are being deleted.
const REMOVING: &str = ".removing";

impl Keystore {
    /// Deletes the history of a set under the lock. `check` gets the history and can refuse.
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
        match self.move_to(&directory, &self.removed(name)) {
            // A move needs space on the disk.
            Err(error) if error.is_because(Reason::Full) => remove_directory(&directory),
            moved => moved.and_then(|()| self.remove_moved(name)),
        }
    }

    /// Moves the history of a set away before the change that deletes it.
    pub(super) fn begin_removal(&self, name: &SetName) -> Result<()> {
        self.move_to(&self.history_of(name), &self.removing(name))
    }

    /// Moves the history of a set back, because the change is not made.
    pub(super) fn cancel_removal(&self, name: &SetName) -> Result<()> {
        fs::rename(self.removing(name), self.history_of(name))
            .map_err(|error| files::failed("move", &self.removing(name), error))?;
        let _ = fs::remove_dir(self.removing_directory());
        Ok(())
    }

    /// Deletes the history that [`begin_removal`](Keystore::begin_removal) has moved, after the change.
    pub(super) fn finish_removal(&self, name: &SetName) -> Result<()> {
        self.move_to(&self.removing(name), &self.removed(name))?;
        self.remove_moved(name)
    }

    /// Completes what a killed process has begun. The caller holds the lock.
    pub(in crate::keystore) fn complete_removals(&self) {
        // The temporary file can hold private keys of a set that is deleted now.
        let _ = fs::remove_file(self.directory.join(TEMPORARY));
        let directory = self.removing_directory();
        if directory.symlink_metadata().is_ok() {
            let completed = self.complete_all(&directory).map_err(|error| {
                let hint = format!("remove {}", directory.display());
                let message = format!("cannot complete the deletion of a history: {error}");
                Error::failed(message).hint(hint)
            });
            self.defer_error(completed);
        }
    }

    fn complete_all(&self, directory: &Path) -> Result<()> {
        if !self.is_history(directory)? {
            return Ok(());
        }
        let failed = |error| files::failed("list", directory, error);
        for entry in fs::read_dir(directory).map_err(failed)? {
            let file_name = entry.map_err(failed)?.file_name();
            let file_name = file_name.to_str().unwrap_or_default();
            let name = file_name.strip_prefix('.').unwrap_or(file_name);
            let Ok(name) = SetName::new(name) else {
                continue;
            };
            if file_name.starts_with('.') {
                self.remove_moved(&name)?;
            } else {
                self.complete_removal(&name)?;
            }
        }
        let _ = fs::remove_dir(directory);
        Ok(())
    }

    /// Deletes a history that waits for its change, or moves it back if the change was not made.
    fn complete_removal(&self, name: &SetName) -> Result<()> {
        let history = History::list(&self.removing(name))?;
        match history.versions.last() {
            Some(version) if self.is_present(name, version)? => {
                version.remove()?;
                self.cancel_removal(name)
            }
            _ => self.finish_removal(name),
        }
    }

    fn move_to(&self, old: &Path, new: &Path) -> Result<()> {
        let top = self.removing_directory();
        files::create_private_directory(&top)?;
        self.is_history(&top)?;
        fs::rename(old, new).map_err(|error| files::failed("move", old, error))?;
        for directory in [files::parent(old), top] {
            files::sync_directory(&directory)
                .map_err(|error| files::failed("flush", &directory, error))?;
        }
        Ok(())
    }

    fn remove_moved(&self, name: &SetName) -> Result<()> {
        remove_directory(&self.removed(name))?;
        // Another history can still be there.
        let _ = fs::remove_dir(self.removing_directory());
        Ok(())
    }

    fn removing_directory(&self) -> PathBuf {
        self.directory.join(DIRECTORY).join(REMOVING)
    }

    /// The place of a history that waits for its change.
    pub(super) fn removing(&self, name: &SetName) -> PathBuf {
        self.removing_directory().join(name.as_str())
    }

    /// The place of a history that is deleted.
    fn removed(&self, name: &SetName) -> PathBuf {
        self.removing_directory().join(format!(".{name}"))
    }
}

fn remove_directory(directory: &Path) -> Result<()> {
    match fs::remove_dir_all(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed.map_err(|error| files::failed("remove", directory, error)),
    }
}
