//! Restores earlier versions of sets.

use crate::error::{Error, ErrorKind, Result};
use crate::files;
use crate::files::kept::{self, Kept, Links};
use crate::key::parts::holds_secret;
use crate::keyset::KeySet;
use crate::keystore::directory::history::version::remove_file;
use crate::keystore::directory::history::{Content, Earlier, Present, Version};
use crate::keystore::directory::{Directory, ENCRYPTED, PLAIN};
use crate::keystore::{SetDocument, SetName, Stored};
use crate::secret::Secret;
use serde_json::Value;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

/// The largest file of a schedule that is read, in bytes.
const SCHEDULE_LIMIT: u64 = 4 << 20;

/// The suffix of a damaged file that was moved aside.
const DAMAGED: &str = "damaged";

impl Directory {
    /// Reads a version; `None` if the set did not exist then. Returns an error if the version is
    /// damaged, or was deleted in the meantime.
    pub fn version(&self, version: &Version) -> Result<Option<Stored>> {
        match version.content {
            Content::NoSet => Ok(None),
            Content::Damaged => Err(Error::not_found("the file of the set was damaged")),
            Content::Plain | Content::Encrypted => {
                let kept = self.bytes_of(version)?;
                Stored::of_file(kept, version.path.clone()).map(Some)
            }
        }
    }

    /// Returns the damaged files of a set that were moved aside, sorted.
    pub fn damaged_files(&self, name: &SetName) -> Result<Vec<PathBuf>> {
        let failed = |error| files::failed("list", &self.directory, error);
        let entries = match fs::read_dir(&self.directory) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.map_err(failed)?,
        };
        let mut paths = Vec::new();
        for entry in entries {
            let path = entry.map_err(failed)?.path();
            let is_file_of_set = |suffix: &str| {
                let file = self.path(name, suffix);
                path.file_stem() == file.file_name()
            };
            let extension = path.extension().and_then(OsStr::to_str);
            let is_aside = extension.is_some_and(is_damaged_extension);
            if is_aside && [PLAIN, ENCRYPTED].into_iter().any(is_file_of_set) {
                paths.push(path);
            }
        }
        paths.sort();
        Ok(paths)
    }

    /// Removes damaged files that were moved aside, under the lock.
    pub fn remove_damaged_files(&self, paths: &[PathBuf]) -> Result<()> {
        if paths.is_empty() {
            return Ok(());
        }
        let _lock = self.lock()?;
        paths.iter().try_for_each(|path| remove_file(path))?;
        files::sync_directory(&self.directory)
            .map_err(|error| files::failed("flush", &self.directory, error))
    }

    /// Returns true if a version is equal to the present set. That happens if the process was killed
    /// before the change.
    pub fn is_present(&self, name: &SetName, version: &Version) -> Result<bool> {
        match (self.file(name)?, version.content) {
            (None, _) => Ok(!version.holds_set()),
            (Some(_), Content::NoSet) => Ok(false),
            (Some(_), Content::Damaged) => Ok(self.damage(name)?.is_some()),
            (Some(file), _) => {
                if files::is_same(&version.path, &file) {
                    return Ok(true);
                }
                let size = fs::metadata(&file).map(|metadata| metadata.len()).ok();
                if size != Some(version.size) {
                    return Ok(false);
                }
                let present = kept::open(&file, Links::Within)?;
                let version = kept::open(&version.path, Links::Within).ok().flatten();
                let (Some(present), Some(version)) = (present, version) else {
                    return Ok(false);
                };
                have_same_content(present, version)
                    .map_err(|error| files::failed("read", &file, error))
            }
        }
    }

    /// Returns the error about a damaged file of a set; `None` if the file is valid, or if there is
    /// none. Returns an error if the file cannot be read.
    pub fn damage(&self, name: &SetName) -> Result<Option<Error>> {
        let look = || -> Result<()> {
            let known = self.read(name)?.and_then(Stored::known);
            known.as_ref().map(SetDocument::parse).transpose()?;
            Ok(())
        };
        match look() {
            Err(error) if error.kind() == ErrorKind::Invalid => Ok(Some(error)),
            looked => looked.map(|()| None),
        }
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
        let _lock = self.lock()?;
        let is_damaged = moves_damaged && self.damage(name)?.is_some();
        let stored = if is_damaged { None } else { self.read(name)? };
        let file = self.file(name)?;
        let damaged = file.clone().filter(|_| is_damaged);
        let present = match (&damaged, file, &stored) {
            (Some(path), _, _) => Some(Present {
                path: path.clone(),
                content: Content::Damaged,
            }),
            (None, Some(file), Some(stored)) => Some(Present::new(file, stored)),
            _ => None,
        };
        let known = stored.and_then(Stored::known);
        let known = known.as_ref().map(SetDocument::parse).transpose()?;
        check(self.history(name)?.last(), known.as_ref())?;
        let aside = damaged.map(|path| set_aside(&path)).transpose()?;
        let restored = self.bring_back(name, version, present);
        if let (Err(_), Some(aside)) = (&restored, &aside) {
            let _ = fs::remove_file(aside);
        }
        restored.map(|()| aside)
    }

    fn bring_back(
        &self,
        name: &SetName,
        version: &Version,
        present: Option<Present>,
    ) -> Result<()> {
        if version.content == Content::NoSet {
            return present.map_or(Ok(()), |file| self.take_away(name, &file));
        }
        let kept = self.bytes_of(version)?;
        let bytes = Secret::new(kept.octets.clone());
        let stored = Stored::of_file(kept, version.path.clone())?;
        let content = Content::of(&stored);
        let known = stored.known();
        let known = known.as_ref().map(SetDocument::parse).transpose()?;
        if known.is_none_or(|set| set.keys.iter().any(holds_secret)) {
            self.refuse_open()?;
        }
        let has_schedule = present.is_none() && self.restore_schedule(name, version)?;
        let replaced = self.replace(name, (bytes.expose(), content), present, Earlier::Keep);
        replaced.map_err(|error| {
            if has_schedule && self.drop_schedule(name).is_err() {
                return error.hint(format!(
                    "the schedule of set {name} is restored, but the set is not; run the command again"
                ));
            }
            error
        })
    }

    /// Restores the schedule that was deleted with the set, and returns true if there was one. This is done
    /// before the set is written: if the process is killed in between, the set can still be restored.
    fn restore_schedule(&self, name: &SetName, version: &Version) -> Result<bool> {
        let mut later = self.history(name)?.versions;
        later.retain(|later| later.number >= version.number);
        let is_set = |version: &&Version| version.content != Content::NoSet;
        let Some(deletion) = later.iter().take_while(is_set).last() else {
            return Ok(false);
        };
        let path = deletion.schedule();
        let Some(kept) = kept::read(&path, Links::Within, SCHEDULE_LIMIT)? else {
            return Ok(false);
        };
        let schedule: Value = serde_json::from_slice(&kept.octets).map_err(|error| {
            Error::invalid(format!("{}: not a schedule: {error}", path.display()))
                .hint("remove the file to restore the set without its schedule")
        })?;
        let text = self.schedules_with(name, Some(schedule))?;
        text.as_deref()
            .map(|text| self.write_schedules(text))
            .transpose()?;
        Ok(text.is_some())
    }

    fn bytes_of(&self, version: &Version) -> Result<Kept> {
        let kept = kept::read(&version.path, Links::Within, self.limit)?;
        kept.ok_or_else(|| {
            Error::refused("an earlier version was deleted meanwhile")
                .hint("nothing was changed; run the command again")
        })
    }
}

/// Returns true if two files have the same content. At most 128 KiB are in memory.
fn have_same_content(one: File, other: File) -> io::Result<bool> {
    const CHUNK: u64 = 64 << 10;
    let (mut one, mut other) = (one, other);
    let mut chunks = [Secret::new(Vec::new()), Secret::new(Vec::new())];
    loop {
        for (file, chunk) in [&mut one, &mut other].into_iter().zip(&mut chunks) {
            chunk.expose_mut().clear();
            file.take(CHUNK).read_to_end(chunk.expose_mut())?;
        }
        let [one, other] = [chunks[0].expose(), chunks[1].expose()];
        if one != other || one.is_empty() {
            return Ok(one == other);
        }
    }
}

/// Returns true for `damaged`, `damaged-2` and so on.
fn is_damaged_extension(extension: &str) -> bool {
    let number = || extension.strip_prefix(DAMAGED)?.strip_prefix('-');
    extension == DAMAGED || number().is_some_and(|number| number.parse::<u32>().is_ok())
}

/// Gives a damaged file a second name beside it, `FILE.damaged` or `FILE.damaged-2` and so on, and makes it
/// private. The change then replaces the first name, so that the set never disappears. Returns the new path.
/// Without hard links, the file is copied.
fn set_aside(path: &Path) -> Result<PathBuf> {
    files::check_target(path)?;
    files::make_private(path).map_err(|error| files::failed("change the mode of", path, error))?;
    let mut number = 1;
    let mut aside = path.to_owned();
    while aside.symlink_metadata().is_ok() {
        let mut name = path.file_name().unwrap_or_default().to_owned();
        name.push(match number {
            1 => format!(".{DAMAGED}"),
            _ => format!(".{DAMAGED}-{number}"),
        });
        aside.set_file_name(name);
        number += 1;
        // A killed process has done it.
        if files::is_same(path, &aside) {
            return Ok(aside);
        }
    }
    let linked = fs::hard_link(path, &aside).or_else(|_| fs::copy(path, &aside).map(drop));
    let flushed = linked
        .and_then(|()| files::open_to_read(&aside)?.sync_all())
        .and_then(|()| files::sync_directory(&files::parent(path)));
    flushed.map_err(|error| {
        let _ = fs::remove_file(&aside);
        files::failed("keep the damaged file", path, error)
    })?;
    Ok(aside)
}
