//! The files in a history, and the parts of their names: number, from, until and content.

use crate::error::Result;
use crate::files;
use crate::keystore::Stored;
use crate::keystore::directory::{ENCRYPTED, PLAIN, TEMPORARY};
use std::collections::HashSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// The suffix of an empty file for a time without the set.
const NO_SET: &str = ".none";

/// The suffix of an empty file for a damaged file of the set, which was moved aside.
const DAMAGED: &str = ".damaged";

/// The suffix of the file with the schedule of a deleted set.
pub(super) const SCHEDULE: &str = ".schedule";

/// What a version holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content {
    /// The set did not exist.
    NoSet,
    /// The file of the set was damaged. It was moved aside, and no version holds it.
    Damaged,
    /// The file of a plain set.
    Plain,
    /// The file of an encrypted set.
    Encrypted,
}

impl Content {
    /// Every kind of content.
    const ALL: [Content; 4] = [
        Content::NoSet,
        Content::Damaged,
        Content::Plain,
        Content::Encrypted,
    ];

    /// Returns the content of the file of a set.
    pub(in crate::keystore) fn of(stored: &Stored) -> Content {
        match stored {
            Stored::Plain(_) => Content::Plain,
            Stored::Encrypted(_) => Content::Encrypted,
        }
    }

    /// Returns the ending of a file with this content.
    pub(in crate::keystore) fn suffix(self) -> &'static str {
        match self {
            Content::NoSet => NO_SET,
            Content::Damaged => DAMAGED,
            Content::Plain => PLAIN,
            Content::Encrypted => ENCRYPTED,
        }
    }
}

/// A state of a set that a change has replaced. Times are in seconds since 1970.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version {
    /// The number of the change that replaced it; a higher number is later.
    pub number: u64,
    /// The time from which the set had this state; 0 if that is unknown.
    pub from: i64,
    /// The time of the change that replaced it.
    pub until: i64,
    /// What it holds.
    pub content: Content,
    /// The time at which the version was written, by the clock of the file system: seconds, and
    /// nanoseconds.
    pub(super) written: (i64, i64),
    /// The size of the file in bytes.
    pub(super) size: u64,
    /// The path of the file.
    pub(super) path: PathBuf,
}

impl Version {
    /// Returns a version to be written to a directory; `None` if its name would not be valid.
    pub(super) fn new(
        directory: &Path,
        number: u64,
        (from, until): (i64, i64),
        content: Content,
    ) -> Option<Self> {
        let suffix = content.suffix();
        let name = format!("{number:06}-{from}-{until}{suffix}");
        Version::parse(&directory.join(name))
    }

    fn parse(path: &Path) -> Option<Version> {
        let name = path.file_name()?.to_str()?;
        let content = Content::ALL
            .into_iter()
            .find(|content| name.ends_with(content.suffix()))?;
        let mut parts = name.strip_suffix(content.suffix())?.split('-');
        let mut next = || parts.next()?.parse::<u64>().ok();
        let (number, from, until) = (next()?, next()?, next()?);
        if parts.next().is_some() {
            return None;
        }
        Some(Version {
            number: u64::from(u32::try_from(number).ok()?),
            from: from.try_into().ok()?,
            until: until.try_into().ok()?,
            content,
            written: (0, 0),
            size: 0,
            path: path.to_owned(),
        })
    }

    /// Returns true if it holds a set.
    pub fn holds_set(&self) -> bool {
        matches!(self.content, Content::Plain | Content::Encrypted)
    }

    /// Returns the path of the schedule that was deleted with the set.
    pub(super) fn schedule(&self) -> PathBuf {
        self.path.with_extension(&SCHEDULE[1..])
    }

    /// Removes the files of the version.
    pub(super) fn remove(&self) -> Result<()> {
        remove_file(&self.schedule())?;
        remove_file(&self.path)
    }
}

/// Removes a file that need not exist.
pub(super) fn remove_file(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        removed => removed.map_err(|error| files::failed("remove", path, error)),
    }
}

/// The earlier versions of a set, and the other files in its history.
#[derive(Debug, Default)]
pub struct History {
    /// The versions, oldest first.
    pub versions: Vec<Version>,
    /// The files whose names are not those of versions.
    pub damaged: Vec<PathBuf>,
    /// The files that a killed process has left.
    pub(super) leftovers: Vec<PathBuf>,
}

impl History {
    /// Lists the files of a history. Files that another process removes in the meantime are left out.
    /// Returns an error if the directory cannot be read.
    pub(super) fn list(directory: &Path) -> Result<History> {
        let failed = |error| files::failed("list", directory, error);
        let is_gone = |error: &io::Error| error.kind() == io::ErrorKind::NotFound;
        let mut history = History::default();
        let mut schedules = Vec::new();
        let entries = match fs::read_dir(directory) {
            Err(error) if is_gone(&error) => return Ok(history),
            entries => entries.map_err(failed)?,
        };
        for entry in entries {
            let path = entry.map_err(failed)?.path();
            let is_named = |name| path.file_name().is_some_and(|its| its == name);
            if is_named(TEMPORARY) {
                history.leftovers.push(path);
                continue;
            }
            if path
                .extension()
                .is_some_and(|suffix| suffix == &SCHEDULE[1..])
            {
                schedules.push(path);
                continue;
            }
            // Links are not followed.
            let metadata = match fs::symlink_metadata(&path) {
                Err(error) if is_gone(&error) => continue,
                metadata => metadata.map_err(failed)?,
            };
            match Version::parse(&path).filter(|_| metadata.is_file()) {
                Some(version) => history.versions.push(Version {
                    written: files::changed(&metadata),
                    size: metadata.len(),
                    ..version
                }),
                None => history.damaged.push(path),
            }
        }
        history.versions.sort_by_key(|version| version.number);
        let own: HashSet<_> = history.versions.iter().map(Version::schedule).collect();
        let orphans = schedules.into_iter().filter(|path| !own.contains(path));
        history.leftovers.extend(orphans);
        Ok(history)
    }

    /// Returns the number of versions that hold a set.
    pub fn sets(&self) -> usize {
        let versions = self.versions.iter();
        versions.filter(|version| version.holds_set()).count()
    }

    /// Returns the number of the last change; 0 if there is none.
    pub fn last(&self) -> u64 {
        self.versions.last().map_or(0, |version| version.number)
    }

    /// Returns the version that was current at a time, in seconds since 1970. Returns `None` if the set
    /// has not changed since, or if the version is not kept.
    pub fn at(&self, time: i64) -> Option<&Version> {
        // If the clock was set back, a version can end before it begins.
        if self.versions.last().is_some_and(|last| last.until <= time) {
            return None;
        }
        let mut versions = self.versions.iter().rev();
        versions.find(|version| version.from <= time && time < version.until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_they_are_written() {
        let directory = Path::new("store/.history/api");
        for content in Content::ALL {
            let version = Version::new(directory, 7, (0, 1_763_000_000), content).unwrap();
            assert_eq!((version.number, version.until), (7, 1_763_000_000));
            assert_eq!(Version::parse(&version.path), Some(version));
        }
        for bad in [
            "api.json",
            "1-2.json",
            "1-2-3-4.json",
            "1--3.json",
            "1-2-3.txt",
            "1-2-99999999999999999999.json",
            "18446744073709551615-0-1.json",
            ".json",
        ] {
            assert_eq!(Version::parse(&directory.join(bad)), None, "{bad}");
        }
    }
}
