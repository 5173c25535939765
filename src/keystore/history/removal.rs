//! Deletes histories. A process that is killed on the way leaves a mark for the next one.

use crate::error::{Error, Result};
use crate::files::kept::{self, Links};
use crate::files::{self, Access, Existing, ownership};
use crate::keystore::history::DIRECTORY;
use crate::keystore::history::version::remove_file;
use crate::keystore::{Keystore, SetName, TEMPORARY};
use std::fs;
use std::io;
use std::path::PathBuf;

/// The file that names the set whose history is being deleted. Behind the name can be the number of the
/// version that the change before the deletion replaces.
const REMOVING: &str = ".removing";

/// The largest mark that is read, in bytes.
const MARK_LIMIT: u64 = 1024;

impl Keystore {
    /// Deletes the history of a set under the lock.
    pub fn forget(&self, name: &SetName) -> Result<()> {
        let _lock = self.lock()?;
        self.remove_history(name)
    }

    /// Deletes the history of a set. The caller holds the lock.
    pub(super) fn remove_history(&self, name: &SetName) -> Result<()> {
        let directory = self.history_of(name);
        if !self.is_history(&directory)? {
            return Ok(());
        }
        self.begin_removal(name, None)?;
        match fs::remove_dir_all(&directory) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            removed => removed.map_err(|error| files::failed("remove", &directory, error))?,
        }
        files::flush_directory_of(&directory, "removed")?;
        remove_file(&self.removal_mark())
    }

    /// Marks a history for deletion. If a version is given, the deletion waits for the change that
    /// replaces it.
    pub(super) fn begin_removal(&self, name: &SetName, before: Option<u64>) -> Result<()> {
        if let Some((other, _)) = self.marked_removal()?
            && other != *name
        {
            return Err(Error::refused(format!(
                "the history of set {other} was to be deleted before, and is still there"
            ))
            .hint(format!("run `jwks forget {other}`")));
        }
        let text = match before {
            Some(number) => format!("{name} {number}"),
            None => name.to_string(),
        };
        files::write(
            &self.removal_mark(),
            text.as_bytes(),
            Access::Private,
            Existing::Replace,
            TEMPORARY,
        )?
    }

    /// Removes the mark of a deletion whose change is not made.
    pub(super) fn end_removal(&self, name: &SetName) {
        if let Ok(Some((marked, _))) = self.marked_removal()
            && marked == *name
        {
            let _ = remove_file(&self.removal_mark());
        }
    }

    /// Completes the deletion that a killed process has begun. The caller holds the lock.
    pub(in crate::keystore) fn complete_removal(&self) {
        if self.removal_mark().symlink_metadata().is_err() {
            return;
        }
        let completed = self.complete_marked_removal().map_err(|error| {
            Error::failed(format!(
                "cannot delete a history that was to be deleted before: {error}"
            ))
        });
        self.defer_error(completed);
    }

    fn complete_marked_removal(&self) -> Result<()> {
        if let Some((name, before)) = self.marked_removal()? {
            let history = self.whole_history(&name)?;
            let mut versions = history.versions.iter();
            let version = versions.find(|version| Some(version.number) == before);
            match version {
                // The change was not made.
                Some(version) if self.is_present(&name, version)? => version.remove()?,
                _ => self.remove_history(&name)?,
            }
        }
        remove_file(&self.removal_mark())
    }

    /// Returns the set whose history is marked for deletion, and the version that the change before the
    /// deletion replaces.
    fn marked_removal(&self) -> Result<Option<(SetName, Option<u64>)>> {
        let top = self.directory.join(DIRECTORY);
        if !ownership::own_directory_exists(&top)? {
            return Ok(None);
        }
        let Some(kept) = kept::read(&self.removal_mark(), Links::Within, MARK_LIMIT)? else {
            return Ok(None);
        };
        let text = String::from_utf8_lossy(&kept.octets);
        let (name, number) = text.split_once(' ').unwrap_or((&text, ""));
        // What is no name of a set was not written by jwks.
        let name = SetName::new(name).ok();
        Ok(name.map(|name| (name, number.parse().ok())))
    }

    fn removal_mark(&self) -> PathBuf {
        self.directory.join(DIRECTORY).join(REMOVING)
    }
}
