//! The log of a keystore. It has a line of JSON for each key that was changed or sent, for the keys that a
//! command printed or exported with their private part, and for the key that signed tokens.
//!
//! Lines are appended and never changed. The log holds names, and no secrets. It is not flushed to disk,
//! so a crash of the machine can lose the last lines and truncate one.

use crate::error::Result;
use crate::files::kept::Links;
use crate::files::{self, kept};
use crate::keystore::directory::Directory;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

/// The name of the log file. It begins with a dot, which no set name does.
const LOG: &str = ".log";

/// The note of a key that was removed because its private part is known to others.
pub const COMPROMISED: &str = "compromised";

/// The maximum size of the part of the log that is read, in bytes.
const LIMIT: u64 = 16 << 20;

/// The change to a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verb {
    /// The key was generated.
    Created,
    /// The key was added from elsewhere.
    Added,
    /// Its members were changed.
    Updated,
    /// A successor of the signing key was added, which does not sign yet.
    Staged,
    /// The key became the signing key.
    Activated,
    /// The key stopped signing.
    Retired,
    /// The key was removed.
    Removed,
    /// The key was printed or exported with its private part.
    Exported,
    /// The key was sent to a server.
    Pushed,
    /// The key signed tokens.
    Signed,
}

impl Verb {
    /// Returns the verb as the log has it.
    pub fn name(self) -> &'static str {
        match self {
            Verb::Created => "created",
            Verb::Added => "added",
            Verb::Updated => "updated",
            Verb::Staged => "staged",
            Verb::Activated => "activated",
            Verb::Retired => "retired",
            Verb::Removed => "removed",
            Verb::Exported => "exported",
            Verb::Pushed => "pushed",
            Verb::Signed => "signed",
        }
    }

    /// Returns true if the key was used, and nothing has changed.
    pub fn is_use(self) -> bool {
        matches!(self, Verb::Exported | Verb::Signed)
    }
}

/// A line of the log: a change to one key, or to several keys at once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// When the command began, as RFC 3339 in UTC.
    pub time: String,
    /// The change.
    pub verb: Verb,
    /// The name of the set.
    pub set: String,
    /// The kid, if the key has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kid: Option<String>,
    /// The RFC 7638 thumbprint, unless the key has none or is symmetric.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thumbprint: Option<String>,
    /// The kids of several keys, or their thumbprints.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub kids: Vec<String>,
    /// The number of the change in the history of the set, if that is kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<u64>,
    /// The server: `REMOTE` if `set` is the server's own set, `REMOTE:NAME` if `set` is in the keystore.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remote: Option<String>,
    /// A note.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

impl Change {
    /// Returns the name of the set: `SET` for one of the keystore, `REMOTE:SET` for one of a server.
    pub fn set_label(&self) -> Cow<'_, str> {
        match &self.remote {
            Some(remote) if !remote.contains(':') => format!("{remote}:{}", self.set).into(),
            _ => self.set.as_str().into(),
        }
    }
}

/// The entries that were read from a log.
#[derive(Debug)]
pub struct Log {
    /// The changes, oldest first.
    pub changes: Vec<Change>,
    /// The number of damaged lines, which were left out.
    pub damaged: usize,
    /// True if only the end of a large file was read.
    pub is_cut: bool,
    /// True if users other than the owner can read or write the file.
    pub is_open: bool,
    /// The path of the file, which need not exist.
    pub path: PathBuf,
}

impl Directory {
    /// Appends changes to the log in one write, so that the lines of two writers do not mix. Creates
    /// the file if it does not exist, but not the keystore. Returns an error if the file cannot be
    /// written.
    pub fn append(&self, changes: &[Change]) -> Result<()> {
        let path = self.directory.join(LOG);
        let is_there = self.directory.try_exists();
        let is_there = is_there.map_err(|error| files::failed("write", &path, error))?;
        if changes.is_empty() || !is_there {
            return Ok(());
        }
        self.refuse_foreign()?;
        append_lines(&path, changes).map_err(|error| files::failed("write", &path, error))
    }

    /// Reads the log, or the last 16 MiB of a larger one; an empty one if there is no file. Nothing
    /// is created.
    pub fn log(&self) -> Result<Log> {
        self.last_of_log(LIMIT)
    }

    fn last_of_log(&self, limit: u64) -> Result<Log> {
        let path = self.directory.join(LOG);
        let mut log = Log {
            changes: Vec::new(),
            damaged: 0,
            is_cut: false,
            is_open: false,
            path,
        };
        let Some(mut file) = kept::open(&log.path, Links::Within)? else {
            return Ok(log);
        };
        let read = || {
            let metadata = file.metadata()?;
            log.is_open = files::others(&metadata) != 0;
            log.is_cut = metadata.len() > limit;
            if log.is_cut {
                file.seek(SeekFrom::End(-(limit as i64)))?;
            }
            let mut octets = Vec::new();
            file.take(limit).read_to_end(&mut octets)?;
            Ok(octets)
        };
        let octets = read().map_err(|error| files::failed("read", &log.path, error))?;
        let mut lines = &octets[..];
        if log.is_cut {
            // The first line is incomplete.
            let end = lines.iter().position(|octet| *octet == b'\n');
            lines = &lines[end.map_or(lines.len(), |end| end + 1)..];
        }
        (log.changes, log.damaged) = parse(lines);
        Ok(log)
    }
}

fn append_lines(path: &Path, changes: &[Change]) -> io::Result<()> {
    let mut file = files::open_to_append(path)?;
    let mut lines = Vec::new();
    // A line that a crash truncated must not damage the next one.
    if is_torn(&mut file)? {
        lines.push(b'\n');
    }
    for change in changes {
        serde_json::to_writer(&mut lines, change)?;
        lines.push(b'\n');
    }
    // A second write for the rest could come between the lines of another writer.
    match file.write(&lines)? {
        written if written == lines.len() => Ok(()),
        _ => Err(io::Error::other("only a part was written")),
    }
}

/// Returns true if a file does not end with a line feed.
fn is_torn(file: &mut File) -> io::Result<bool> {
    if file.metadata()?.len() == 0 {
        return Ok(false);
    }
    let mut last = [0];
    file.seek(SeekFrom::End(-1))?;
    file.read_exact(&mut last)?;
    Ok(last != *b"\n")
}

/// Returns the changes, and the number of damaged lines.
fn parse(octets: &[u8]) -> (Vec<Change>, usize) {
    let (mut changes, mut damaged) = (Vec::new(), 0);
    for line in octets.split(|octet| *octet == b'\n') {
        match serde_json::from_slice(line) {
            Ok(change) => changes.push(change),
            // Two writers that see the same truncated line both begin with a line feed.
            Err(_) if line.is_empty() => {}
            Err(_) => damaged += 1,
        }
    }
    (changes, damaged)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    const LINE: &str = r#"{"time":"2026-11-21T12:00:00Z","verb":"created","set":"api","kid":"a"}"#;

    #[test]
    fn damaged_lines_spoil_only_themselves() {
        let torn = &LINE[..30];
        let deep = "[".repeat(100_000) + &"]".repeat(100_000);
        for (text, whole, damaged) in [
            (String::new(), 0, 0),
            ("\n\n".into(), 0, 0),
            (format!("{LINE}\n{LINE}\n"), 2, 0),
            (format!("{LINE}\n{torn}"), 1, 1),
            (format!("{torn}\n{LINE}\n\0\0\n{LINE}"), 2, 2),
            (LINE.replace("created", "sung"), 0, 1),
            (LINE.replace("{", r#"{"more":1,"#), 1, 0),
            (LINE.replace("{", r#"{"set":"b","#), 0, 1),
            (LINE.replace("\"a\"", "[]"), 0, 1),
            (LINE.replace("{", &format!(r#"{{"more":{deep},"#)), 1, 0),
            (deep.clone(), 0, 1),
            ("[]\n1\nnull\n".into(), 0, 3),
        ] {
            let (changes, counted) = parse(text.as_bytes());
            assert_eq!((changes.len(), counted), (whole, damaged), "{text}");
        }
        assert_eq!(parse(b"\xff\n").1, 1);
    }

    #[test]
    fn only_the_end_of_a_large_log_is_read() {
        let directory = tempfile::tempdir().unwrap();
        let store = Directory::new(directory.path().to_owned(), Duration::ZERO);
        let lines = format!("{LINE}\n").repeat(3);
        std::fs::write(directory.path().join(LOG), &lines).unwrap();
        let all = lines.len() as u64;
        for (limit, whole) in [(all, 3), (all - 1, 2), (LINE.len() as u64 + 1, 0), (1, 0)] {
            let log = store.last_of_log(limit).unwrap();
            assert_eq!((log.changes.len(), log.damaged), (whole, 0), "{limit}");
            assert_eq!(log.is_cut, limit < all);
        }
    }

    #[test]
    fn a_line_is_written_as_it_is_read() {
        let (changes, _) = parse(LINE.as_bytes());
        assert_eq!(serde_json::to_string(&changes[0]).unwrap(), LINE);
        assert_eq!(changes[0].verb.name(), "created");
    }
}
