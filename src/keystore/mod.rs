//! The local keystore: a directory with one file for each set, a JWK Set or an encrypted one.
//!
//! Reading creates nothing. A change is: lock, read, change in memory, write a temporary file,
//! flush, rename, flush the directory, unlock.

mod document;
pub mod log;
mod name;
mod protect;
mod schedules;

pub use document::{Document, Encrypted, Stored};
pub use name::SetName;
pub use schedules::Schedules;

use crate::error::{Error, Result};
use crate::files::lock::Lock;
use crate::files::{self, Access, Existing};
use crate::jwe::{self, DerivedKeys};
use crate::key::public::holds_secret;
use crate::keyset::{KeySet, sealed};
use crate::secret::Secret;
use document::OWN_LIMIT;
use std::cell::RefCell;
use std::fs;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

/// The endings of a set's file.
const PLAIN: &str = ".json";
const ENCRYPTED: &str = ".jwe";

/// The file that a change is written to before it is renamed; the lock guards it.
const TEMPORARY: &str = ".writing";

/// How often a set is looked for that is not there, or seems to be there twice: one that becomes
/// encrypted or plain changes its file's name under a reader's eyes.
const LOOKS: usize = 2;

/// A directory of sets.
#[derive(Debug)]
pub struct Keystore {
    directory: PathBuf,
    lock_wait: Duration,
    derived: RefCell<DerivedKeys>,
}

/// How a set is encrypted when it is written.
#[derive(Debug)]
pub struct Protection {
    /// What opens it.
    pub passphrase: Rc<Secret<String>>,
    /// The number of PBKDF2 iterations.
    pub iterations: u32,
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
            derived: RefCell::default(),
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
                .and_then(|name| name.strip_suffix(PLAIN).or(name.strip_suffix(ENCRYPTED)));
            names.extend(name.and_then(|name| SetName::new(name).ok()));
        }
        names.sort();
        names.dedup();
        Ok(names)
    }

    /// Reads a set's file; `None` where there is none.
    pub fn read(&self, name: &SetName) -> Result<Option<Stored>> {
        for _ in 0..LOOKS {
            let Some(path) = self.file(name)? else {
                return Ok(None);
            };
            let read = read_file(&path).map_err(|error| {
                Error::failed(format!("cannot read {}", path.display())).cause(error)
            })?;
            if let Some((octets, is_open)) = read {
                return Stored::read(octets, is_open, path).map(Some);
            }
        }
        Ok(None)
    }

    /// Reads a set's file; it is an error where there is none.
    pub fn load(&self, name: &SetName) -> Result<Stored> {
        self.read(name)?.ok_or_else(|| self.missing(name))
    }

    /// Decrypts a set. No key is derived twice.
    pub fn open(&self, encrypted: &Encrypted, passphrase: &Secret<String>) -> Result<Document> {
        encrypted.open(passphrase, &mut self.derived.borrow_mut())
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
        Ok(self.file(name)?.is_some())
    }

    /// Changes a set under the lock: reads it, hands it to `change`, and writes what became of
    /// it. Where `change` fails or changes nothing, nothing is written. `protection` opens an
    /// encrypted set, which is encrypted again as it was, and encrypts a set that is new.
    pub fn change<T>(
        &self,
        name: &SetName,
        if_missing: IfMissing,
        protection: Option<&Protection>,
        change: impl FnOnce(&mut KeySet) -> Result<T>,
    ) -> Result<T> {
        if if_missing == IfMissing::Fail && !self.contains(name)? {
            return Err(self.missing(name));
        }
        self.prepare()?;
        let _lock = Lock::take(&self.directory, self.lock_wait)?;
        let stored = match self.read(name)? {
            None if if_missing == IfMissing::Fail => return Err(self.missing(name)),
            stored => stored,
        };
        let (document, iterations) = match (stored, protection) {
            (Some(Stored::Encrypted(encrypted)), Some(protection)) => {
                let document = self.open(&encrypted, &protection.passphrase)?;
                (Some(document), encrypted.iterations())
            }
            (Some(Stored::Plain(document)), None) => (Some(document), 0),
            (None, protection) => (None, protection.map_or(0, |new| new.iterations)),
            _ => return Err(protected_meanwhile(name)),
        };
        let before = document.as_ref().map(Document::parse).transpose()?;
        let mut after = before.clone().unwrap_or_default();
        let result = change(&mut after)?;
        if before.as_ref() != Some(&after) {
            let passphrase = protection.map(|protection| &*protection.passphrase);
            self.write(name, &after, passphrase.map(|it| (it, iterations)))?;
        }
        Ok(result)
    }

    /// Removes a set under the lock, once `confirm` has seen what can be known of it without a
    /// passphrase, as it then is.
    pub fn remove(
        &self,
        name: &SetName,
        confirm: impl FnOnce(Option<&KeySet>) -> Result<()>,
    ) -> Result<()> {
        if !self.contains(name)? {
            return Err(self.missing(name));
        }
        let _lock = Lock::take(&self.directory, self.lock_wait)?;
        let stored = self.load(name)?;
        let path = stored.path().to_owned();
        let known = stored.known();
        confirm(known.as_ref().map(Document::parse).transpose()?.as_ref())?;
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

    /// The file of a set that is there. It is an error where there are two.
    fn file(&self, name: &SetName) -> Result<Option<PathBuf>> {
        let is_there = |path: &PathBuf| {
            path.try_exists().map_err(|error| {
                Error::failed(format!("cannot look at {}", path.display())).cause(error)
            })
        };
        let [plain, encrypted] = [PLAIN, ENCRYPTED].map(|suffix| self.path(name, suffix));
        let mut seen = (false, false);
        for _ in 0..LOOKS {
            seen = (is_there(&plain)?, is_there(&encrypted)?);
            match seen {
                (true, false) => return Ok(Some(plain)),
                (false, true) => return Ok(Some(encrypted)),
                _ => {}
            }
        }
        if seen == (false, false) {
            return Ok(None);
        }
        let message = format!("set {name} is there twice: {name}{PLAIN} and {name}{ENCRYPTED}");
        let directory = self.directory.display();
        Err(Error::refused(message)
            .names(format!("set {name}"))
            .hint(format!("move one of them out of {directory}")))
    }

    fn path(&self, name: &SetName, suffix: &str) -> PathBuf {
        self.directory.join(format!("{name}{suffix}"))
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

    /// Writes a set, encrypted where there is a passphrase and a number of iterations.
    fn write(
        &self,
        name: &SetName,
        set: &KeySet,
        encryption: Option<(&Secret<String>, u32)>,
    ) -> Result<()> {
        if set.keys.iter().any(holds_secret) && files::others_can_write(&self.directory) {
            let directory = self.directory.display();
            return Err(
                Error::refused(format!("others can write into {directory}")).hint(format!(
                    "no private key is put there; close it first: chmod go-w {directory}"
                )),
            );
        }
        let content = Secret::new(set.to_json());
        let (content, suffix) = match encryption {
            None => (content, PLAIN),
            Some((passphrase, _)) if passphrase.expose().is_empty() => {
                return Err(
                    Error::refused(format!("the passphrase of set {name} is empty")).hint(format!(
                        "nothing was written; jwks passwd {name} gives it another one"
                    )),
                );
            }
            Some((passphrase, iterations)) => {
                let sealed = jwe::seal(
                    content.expose().as_bytes(),
                    passphrase,
                    iterations,
                    &sealed::header(set),
                    &mut self.derived.borrow_mut(),
                )?;
                (Secret::new(sealed), ENCRYPTED)
            }
        };
        // The name follows the content: at every moment there is one file, which is read for what
        // it holds.
        let right = self.path(name, suffix);
        let path = self.file(name)?.unwrap_or_else(|| right.clone());
        files::write(
            &path,
            content.expose().as_bytes(),
            Access::Private,
            Existing::Replace,
            TEMPORARY,
        )?;
        match path == right {
            true => Ok(()),
            false => self.rename(&path, &right),
        }
    }

    fn rename(&self, old: &Path, new: &Path) -> Result<()> {
        let renamed = fs::rename(old, new).and_then(|()| files::sync_directory(&self.directory));
        renamed.map_err(|error| {
            let (old, new) = (old.display(), new.display());
            Error::failed(format!("cannot rename {old} to {new}")).cause(error)
        })
    }
}

/// Somebody has encrypted or decrypted the set since it was read.
fn protected_meanwhile(name: &SetName) -> Error {
    Error::refused(format!("set {name} was encrypted or decrypted meanwhile"))
        .names(format!("set {name}"))
        .hint("nothing was changed; run it again")
}

/// The octets of a regular file and whether others have access to it; `None` where it is not
/// there.
fn read_file(path: &Path) -> io::Result<Option<(Vec<u8>, bool)>> {
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
