//! The files of a history, and what their names say.

use crate::error::Result;
use crate::files;
use crate::keystore::{ENCRYPTED, PLAIN};
use std::fs;
use std::path::{Path, PathBuf};

/// The ending of an empty file that stands for no set.
const NO_SET: &str = ".none";

/// The ending of a deleted set's schedule.
pub(super) const SCHEDULE: &str = ".schedule";

/// What a version holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content {
    /// The set did not exist.
    NoSet,
    /// The file of a plain set.
    Plain,
    /// The file of an encrypted set.
    Encrypted,
}

impl Content {
    fn suffix(self) -> &'static str {
        match self {
            Content::NoSet => NO_SET,
            Content::Plain => PLAIN,
            Content::Encrypted => ENCRYPTED,
        }
    }

    /// What the file of a set holds, by its name.
    pub(super) fn of(file: Option<&Path>) -> Content {
        match file.and_then(Path::extension) {
            None => Content::NoSet,
            Some(suffix) if suffix == "jwe" => Content::Encrypted,
            Some(_) => Content::Plain,
        }
    }
}

/// What a set was over some time. Times are in seconds since 1970.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version {
    /// The number of the change that ended it; higher is later.
    pub number: u64,
    /// When the set became so; 0 if that is unknown.
    pub from: i64,
    /// When a change ended it.
    pub until: i64,
    /// What it holds.
    pub content: Content,
    /// The size of the file in octets.
    pub(super) size: u64,
    /// The path of the file.
    pub(super) path: PathBuf,
}

impl Version {
    /// A version that is to be written into a directory.
    pub(super) fn new(
        directory: &Path,
        number: u64,
        (from, until): (i64, i64),
        content: Content,
    ) -> Self {
        let suffix = content.suffix();
        let name = format!("{number:06}-{from}-{until}{suffix}");
        Version {
            number,
            from,
            until,
            content,
            size: 0,
            path: directory.join(name),
        }
    }

    fn parse(path: &Path, size: u64) -> Option<Version> {
        let name = path.file_name()?.to_str()?;
        let content = [Content::NoSet, Content::Plain, Content::Encrypted]
            .into_iter()
            .find(|content| name.ends_with(content.suffix()))?;
        let mut parts = name.strip_suffix(content.suffix())?.split('-');
        let mut next = || parts.next()?.parse::<u64>().ok();
        let (number, from, until) = (next()?, next()?, next()?);
        if parts.next().is_some() {
            return None;
        }
        Some(Version {
            number,
            from: from.try_into().ok()?,
            until: until.try_into().ok()?,
            content,
            size,
            path: path.to_owned(),
        })
    }

    /// The file of the schedule that was deleted with the set.
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

/// The earlier versions of a set.
#[derive(Debug, Default)]
pub struct History {
    /// The versions, oldest first.
    pub versions: Vec<Version>,
    /// The files that are not versions.
    pub damaged: Vec<PathBuf>,
    /// What a killed process has left.
    pub(super) leftovers: Vec<PathBuf>,
}

impl History {
    /// Lists the files of a directory, which exists.
    pub(super) fn list(directory: &Path) -> Result<History> {
        let failed = |error| files::failed("list", directory, error);
        let mut history = History::default();
        let mut schedules = Vec::new();
        for entry in fs::read_dir(directory).map_err(failed)? {
            let path = entry.map_err(failed)?.path();
            if path
                .file_name()
                .is_some_and(|name| name == super::TEMPORARY)
            {
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
            let metadata = fs::symlink_metadata(&path).map_err(failed)?;
            let version = Version::parse(&path, metadata.len());
            match version.filter(|_| metadata.is_file()) {
                Some(version) => history.versions.push(version),
                None => history.damaged.push(path),
            }
        }
        history.versions.sort_by_key(|version| version.number);
        let is_orphan = |schedule: &PathBuf| {
            let mut versions = history.versions.iter();
            !versions.any(|version| version.schedule() == *schedule)
        };
        history
            .leftovers
            .extend(schedules.into_iter().filter(is_orphan));
        Ok(history)
    }

    /// The number of the last change.
    pub fn last(&self) -> u64 {
        self.versions.last().map_or(0, |version| version.number)
    }

    /// The version that the set was at a time, in seconds since 1970.
    pub fn at(&self, time: i64) -> Option<&Version> {
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
        for content in [Content::NoSet, Content::Plain, Content::Encrypted] {
            let version = Version::new(directory, 7, (0, 1_763_000_000), content);
            assert_eq!(Version::parse(&version.path, 0), Some(version));
        }
        for bad in [
            "api.json",
            "1-2.json",
            "1-2-3-4.json",
            "1--3.json",
            "1-2-3.txt",
            "1-2-99999999999999999999.json",
            ".json",
        ] {
            assert_eq!(Version::parse(&directory.join(bad), 0), None, "{bad}");
        }
    }
}
