//! Replaces and removes the files of sets, and keeps the old ones in the history.

use crate::error::{Error, Result};
use crate::files::{self, Access, Existing};
use crate::keystore::SetName;
use crate::keystore::directory::history::{Content, Earlier, Present};
use crate::keystore::directory::{Directory, TEMPORARY};
use std::fs;
use std::path::Path;

impl Directory {
    /// Replaces the file of a set, and keeps the old one in the history. The history is on the disk
    /// before the new file is in place. The caller holds the lock.
    pub fn replace(
        &self,
        name: &SetName,
        (bytes, content): (&[u8], Content),
        present: Option<Present>,
        earlier: Earlier,
    ) -> Result<()> {
        // The file gets its new suffix after it is written, so that at every moment there is exactly
        // one file. Its content decides how it is read, not its suffix.
        let right = self.path(name, content.suffix());
        let mut pending = self.keep(name, present.as_ref(), None, earlier)?;
        let path = present.map_or_else(|| right.clone(), |present| present.path);
        let written = files::write_after(
            &path,
            bytes,
            Access::Private,
            Existing::Replace,
            TEMPORARY,
            || pending.flush(),
        );
        let flushed = written.inspect_err(|_| pending.discard())?;
        self.defer_error(flushed);
        if path != right {
            self.defer_error(rename(name, &path, &right));
        }
        self.defer_error(pending.complete(content));
        self.sweep();
        Ok(())
    }

    /// Removes the file of a set and its schedule, and keeps both in the history. The caller holds
    /// the lock.
    pub fn take_away(&self, name: &SetName, present: &Present) -> Result<()> {
        let path = &present.path;
        // A new set with this name must not inherit the schedule.
        let schedules = self.schedules_with(name, None)?;
        // If the file is a link, removing it would leave the file with the keys behind.
        files::check_target(path)?;
        let schedule = self.schedules()?.remove(name.as_str());
        let mut pending = self.keep(name, Some(present), schedule.as_ref(), Earlier::Keep)?;
        let removed = pending.flush().and_then(|()| {
            fs::remove_file(path).map_err(|error| files::failed("remove", path, error))
        });
        removed.inspect_err(|_| pending.discard())?;
        let dropped = schedules.map_or(Ok(()), |text| self.write_schedules(&text));
        self.defer_error(dropped.map_err(|error| {
            error
                .about(format!("set {name} is deleted, but its schedule is not"))
                .hint(format!("run `jwks rotate {name} --forget` to delete it"))
        }));
        self.defer_error(files::flush_directory_of(path, "removed"));
        if self.purges() {
            self.drop_deliveries(name);
        }
        self.defer_error(pending.complete(Content::NoSet));
        self.sweep();
        Ok(())
    }
}

/// Renames the file of a set that was encrypted or decrypted, so that its suffix matches its content.
fn rename(name: &SetName, old: &Path, new: &Path) -> Result<()> {
    fs::rename(old, new).map_err(|error| {
        let what = if new.extension().is_some_and(|suffix| suffix == "jwe") {
            "encrypted now"
        } else {
            "no longer encrypted"
        };
        let message = format!("set {name} is {what}, but cannot rename {}", old.display());
        let hint = format!(
            "run `mv {} {}` to rename it, or leave that to the next change; until then jwks reads the old name",
            old.display(),
            new.display()
        );
        Error::failed(message).cause(error).hint(hint)
    })?;
    files::flush_directory_of(new, "wrote")
}
