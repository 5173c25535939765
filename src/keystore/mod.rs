//! The local keystore: a directory with one JWK Set file for each set.
//!
//! Reading creates nothing. A change is: lock, read, change in memory, write a temporary file,
//! flush, rename, flush the directory, unlock.

pub mod log;
mod name;
mod schedules;

pub use name::SetName;
pub use schedules::Schedules;

use crate::error::{Error, Result};
use crate::files::lock::Lock;
use crate::files::{self, Access, Existing};
use crate::key::public::holds_secret;
use crate::keyset::KeySet;
use crate::secret::Secret;
use std::fs;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The file that a change is written to before it is renamed; the lock guards it.
const TEMPORARY: &str = ".writing";

/// The largest set of its own that jwks reads, in octets.
const OWN_LIMIT: u64 = 512 << 20;

/// A directory of sets.
#[derive(Debug)]
pub struct Keystore {
    directory: PathBuf,
    lock_wait: Duration,
}

/// The text of a set's file, which may hold private keys.
#[derive(Debug)]
pub struct Document {
    text: Secret<String>,
    /// Whether others than the owner can read or write the file.
    pub is_open: bool,
    path: PathBuf,
}

impl Document {
    /// The set, borrowing from the text.
    pub fn parse(&self) -> Result<KeySet<'_>> {
        KeySet::parse(self.text.expose()).map_err(|error| error.about(self.path.display()))
    }

    /// The path of the file.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// What to do where a set that is to be changed does not exist.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IfMissing {
    /// Begin with an empty one.
    Create,
    /// Fail.
    Fail,
}

impl Keystore {
    /// The keystore in a directory, which need not exist. A change waits no longer than
    /// `lock_wait` for its turn.
    pub fn new(directory: PathBuf, lock_wait: Duration) -> Self {
        Keystore {
            directory,
            lock_wait,
        }
    }

    /// The directory.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// The names of all sets, sorted.
    pub fn names(&self) -> Result<Vec<SetName>> {
        let failed = |error| {
            let directory = self.directory.display();
            Error::failed(format!("cannot list {directory}")).cause(error)
        };
        let entries = match fs::read_dir(&self.directory) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.map_err(failed)?,
        };
        let mut names = Vec::new();
        for entry in entries {
            let file_name = entry.map_err(failed)?.file_name();
            let name = file_name
                .to_str()
                .and_then(|name| name.strip_suffix(".json"));
            names.extend(name.and_then(|name| SetName::new(name).ok()));
        }
        names.sort();
        Ok(names)
    }

    /// Reads a set's file; `None` where there is none.
    pub fn read(&self, name: &SetName) -> Result<Option<Document>> {
        let path = self.path(name);
        let document = read_document(&path).map_err(|error| {
            Error::failed(format!("cannot read {}", path.display())).cause(error)
        })?;
        let Some((octets, is_open)) = document else {
            return Ok(None);
        };
        let text = String::from_utf8(octets).map_err(|_| {
            Error::invalid(format!("{}: it is not UTF-8 text", path.display()))
                .hint("the file is damaged; restore it, jwks leaves it as it is")
        })?;
        Ok(Some(Document {
            text: Secret::new(text),
            is_open,
            path,
        }))
    }

    /// Reads a set's file; it is an error where there is none.
    pub fn load(&self, name: &SetName) -> Result<Document> {
        self.read(name)?.ok_or_else(|| self.missing(name))
    }

    fn missing(&self, name: &SetName) -> Error {
        const SHOWN: usize = 8;
        let error = Error::not_found(format!("no set {name} in {}", self.directory.display()));
        let names = self.names().unwrap_or_default();
        let names: Vec<_> = names.iter().map(SetName::as_str).collect();
        match names.len() {
            0 => error.hint(format!(
                "the keystore is empty; jwks create {name} makes the set"
            )),
            1..=SHOWN => error.hint(format!("sets: {}", names.join(", "))),
            _ => error.hint("jwks list shows the sets"),
        }
    }

    /// Whether there is such a set.
    pub fn contains(&self, name: &SetName) -> Result<bool> {
        let path = self.path(name);
        path.try_exists().map_err(|error| {
            Error::failed(format!("cannot look at {}", path.display())).cause(error)
        })
    }

    /// Changes a set under the lock: reads it, hands it to `change`, and writes what became of
    /// it. Where `change` fails or changes nothing, nothing is written.
    pub fn change<T>(
        &self,
        name: &SetName,
        if_missing: IfMissing,
        change: impl FnOnce(&mut KeySet) -> Result<T>,
    ) -> Result<T> {
        if if_missing == IfMissing::Fail && !self.contains(name)? {
            return Err(self.missing(name));
        }
        self.prepare()?;
        let _lock = Lock::take(&self.directory, self.lock_wait)?;
        let document = match self.read(name)? {
            None if if_missing == IfMissing::Fail => return Err(self.missing(name)),
            document => document,
        };
        let before = document.as_ref().map(Document::parse).transpose()?;
        let mut after = before.clone().unwrap_or_default();
        let result = change(&mut after)?;
        if before.as_ref() != Some(&after) {
            self.write(name, &after)?;
        }
        Ok(result)
    }

    /// Removes a set under the lock, once `confirm` has seen it as it then is.
    pub fn remove(
        &self,
        name: &SetName,
        confirm: impl FnOnce(&KeySet) -> Result<()>,
    ) -> Result<()> {
        if !self.contains(name)? {
            return Err(self.missing(name));
        }
        let path = self.path(name);
        let _lock = Lock::take(&self.directory, self.lock_wait)?;
        confirm(&self.load(name)?.parse()?)?;
        fs::remove_file(&path).map_err(|error| {
            Error::failed(format!("cannot remove {}", path.display())).cause(error)
        })?;
        // Its schedule is not for another set that will have its name.
        self.write_schedule(name, None)?;
        files::sync_directory(&self.directory).map_err(|error| {
            let path = path.display();
            let message = format!("cannot flush the directory of {path}, which is removed");
            Error::failed(message).cause(error)
        })
    }

    fn path(&self, name: &SetName) -> PathBuf {
        self.directory.join(format!("{name}.json"))
    }

    /// Makes sure of a private directory to write into, which outlasts a crash as its files do.
    fn prepare(&self) -> Result<()> {
        if self.directory.is_dir() {
            return Ok(());
        }
        let created = files::create_private_directory(&self.directory)
            .and_then(|()| files::sync_directory(&files::parent(&self.directory)));
        created.map_err(|error| {
            Error::failed(format!("cannot create {}", self.directory.display())).cause(error)
        })
    }

    fn write(&self, name: &SetName, set: &KeySet) -> Result<()> {
        if set.keys.iter().any(holds_secret) && files::others_can_write(&self.directory) {
            let directory = self.directory.display();
            return Err(
                Error::refused(format!("others can write into {directory}")).hint(format!(
                    "no private key is put there; close it first: chmod go-w {directory}"
                )),
            );
        }
        let content = Secret::new(set.to_json());
        let path = self.path(name);
        let content = content.expose().as_bytes();
        files::write(
            &path,
            content,
            Access::Private,
            Existing::Replace,
            TEMPORARY,
        )
    }
}

/// The octets of a regular file and whether others have access to it; `None` where it is not
/// there.
fn read_document(path: &Path) -> io::Result<Option<(Vec<u8>, bool)>> {
    let file = match files::open_to_read(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        file => file?,
    };
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(io::Error::other("it is no regular file"));
    }
    if metadata.len() > OWN_LIMIT {
        let message = format!("it is larger than {} MiB", OWN_LIMIT >> 20);
        return Err(io::Error::other(message));
    }
    let mut octets = Vec::with_capacity(metadata.len() as usize + 1);
    file.take(OWN_LIMIT).read_to_end(&mut octets)?;
    Ok(Some((octets, files::others(&metadata) != 0)))
}
