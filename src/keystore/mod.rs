//! The local keystore: a directory with one file for each set, plain or encrypted.
//!
//! Reading creates no files. A change takes the lock, reads the set, changes it in memory, writes and
//! flushes a temporary file, renames it, flushes the directory, and releases the lock.

pub mod deliveries;
mod document;
pub mod history;
pub mod log;
mod meant;
mod name;
mod protect;
mod schedules;
mod write;

pub use document::{Encrypted, SetDocument, Stored};
pub use name::SetName;
pub use schedules::Schedules;

use crate::error::{Error, ErrorKind, Result};
use crate::files::kept::Links;
use crate::files::lock::Lock;
use crate::files::ownership::{self, Fault};
use crate::files::{self, kept, lock};
use crate::jwe::DerivedKeys;
use crate::keyset::KeySet;
use crate::secret::Secret;
use document::OWN_LIMIT;
use history::{Earlier, Histories, Present};
use std::cell::{OnceCell, RefCell};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

/// The suffixes of a set's file.
const PLAIN: &str = ".json";
const ENCRYPTED: &str = ".jwe";

/// The temporary file for changes. Only the holder of the lock writes it.
const TEMPORARY: &str = ".writing";

/// How many times a set without a file, or with two files, is looked up. Another process can rename the
/// file at that time, because it encrypts or decrypts the set.
const LOOKS: usize = 2;

/// A directory of sets.
#[derive(Debug)]
pub struct Keystore {
    directory: PathBuf,
    lock_wait: Duration,
    /// The maximum size of a set's file, in bytes.
    limit: u64,
    derived: RefCell<DerivedKeys>,
    /// The last error after a change was made, for the end of the run.
    deferred_error: RefCell<Option<Error>>,
    /// The warnings about unfinished work of earlier runs that this run could not complete.
    warnings: RefCell<Vec<String>>,
    histories: Histories,
    /// Why the directory is not safe, once it exists and was checked.
    fault: OnceCell<Option<Fault>>,
}

/// The encryption of a set that is written.
#[derive(Debug)]
pub struct Protection {
    /// The passphrase.
    pub passphrase: Rc<Secret<String>>,
    /// The number of PBKDF2 iterations.
    pub iterations: u32,
}

/// What a change does if the set does not exist.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IfMissing {
    /// Begin with an empty set.
    Create,
    /// Fail.
    Fail,
}

impl Keystore {
    /// Returns the keystore in a directory, which need not exist. Changes wait at most `lock_wait` for the
    /// lock.
    pub fn new(directory: PathBuf, lock_wait: Duration) -> Self {
        Keystore {
            directory,
            lock_wait,
            limit: OWN_LIMIT,
            derived: RefCell::default(),
            deferred_error: RefCell::default(),
            warnings: RefCell::default(),
            histories: Histories::default(),
            fault: OnceCell::new(),
        }
    }

    /// Returns the keystore with a lower limit for the files that it reads, in bytes.
    pub fn reading_at_most(self, limit: u64) -> Self {
        Keystore { limit, ..self }
    }

    /// Returns the directory.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Returns the names of all sets, sorted. Returns an error if the directory cannot be read.
    pub fn names(&self) -> Result<Vec<SetName>> {
        let failed = |error| files::failed("list", &self.directory, error);
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

    /// Reads a set's file; `None` if it does not exist. Returns an error if it is not text, if its JWE
    /// is malformed, or if the set has two files. A plain set is parsed later.
    pub fn read(&self, name: &SetName) -> Result<Option<Stored>> {
        for _ in 0..LOOKS {
            let Some(path) = self.file(name)? else {
                return Ok(None);
            };
            if let Some(kept) = kept::read(&path, Links::Within, self.limit)? {
                return Stored::read(kept, path).map(Some);
            }
        }
        Ok(None)
    }

    /// Reads a set's file. Returns an error if it does not exist.
    pub fn load(&self, name: &SetName) -> Result<Stored> {
        self.read(name)?.ok_or_else(|| self.missing(name))
    }

    /// Decrypts a set. Returns an error if the passphrase is wrong or the file is damaged. Keys that
    /// were derived before are reused.
    pub fn open(&self, encrypted: &Encrypted, passphrase: &Secret<String>) -> Result<SetDocument> {
        encrypted.open(passphrase, &mut self.derived.borrow_mut())
    }

    /// Returns true if the set exists.
    pub fn contains(&self, name: &SetName) -> Result<bool> {
        Ok(self.file(name)?.is_some())
    }

    /// Changes a set under the lock: reads it, calls `change`, and writes the result. Writes nothing if
    /// `change` fails or changes nothing. `protection` decrypts an encrypted set and encrypts it again,
    /// or encrypts a new set. Returns an error if another process has encrypted or decrypted the set in
    /// the meantime.
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
        let _lock = self.prepare()?;
        let stored = match self.read(name)? {
            None if if_missing == IfMissing::Fail => return Err(self.missing(name)),
            stored => stored,
        };
        let present = stored.as_ref().map(Present::of);
        let (document, iterations) = match (stored, protection) {
            (Some(Stored::Encrypted(encrypted)), Some(protection)) => {
                let document = self.open(&encrypted, &protection.passphrase)?;
                (Some(document), encrypted.iterations())
            }
            (Some(Stored::Plain(document)), None) => (Some(document), 0),
            (None, None) => (None, 0),
            (None, Some(protection)) => {
                self.refuse_unprotected_versions(name, protection)?;
                (None, protection.iterations)
            }
            _ => return Err(protected_meanwhile(name)),
        };
        let before = document.as_ref().map(SetDocument::parse).transpose()?;
        let mut after = before.clone().unwrap_or_default();
        let result = change(&mut after)?;
        if before.as_ref() != Some(&after) {
            let passphrase = protection.map(|protection| &*protection.passphrase);
            let encryption = passphrase.map(|it| (it, iterations));
            self.write(name, &after, encryption, present, Earlier::Keep)?;
        }
        Ok(result)
    }

    /// Removes a set under the lock. `confirm` can refuse with an error. It gets the part of the set
    /// that is readable without a passphrase. Returns an error if the set does not exist.
    pub fn remove(
        &self,
        name: &SetName,
        confirm: impl FnOnce(Option<&KeySet>) -> Result<()>,
    ) -> Result<()> {
        if !self.contains(name)? {
            return Err(self.missing(name));
        }
        let _lock = self.lock()?;
        let stored = self.load(name)?;
        let present = Present::of(&stored);
        let known = stored.known();
        confirm(known.as_ref().map(SetDocument::parse).transpose()?.as_ref())?;
        self.take_away(name, &present)
    }

    /// Removes the file of a set and its schedule, and keeps both in the history. The caller holds
    /// the lock.
    fn take_away(&self, name: &SetName, present: &Present) -> Result<()> {
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
        self.defer_error(pending.complete(history::Content::NoSet));
        self.sweep();
        Ok(())
    }

    /// Returns and clears the last error after a change was made.
    pub fn take_deferred_error(&self) -> Option<Error> {
        self.deferred_error.take()
    }

    /// Returns and clears the warnings about unfinished work of earlier runs.
    pub fn take_warnings(&self) -> Vec<String> {
        self.warnings.take()
    }

    /// Keeps an error after a change until the end of the run, so that the change is first reported and
    /// logged.
    fn defer_error(&self, afterwards: Result<()>) {
        if let Err(error) = afterwards {
            self.deferred_error.replace(Some(error));
        }
    }

    /// Returns the file of a set, if it exists. Returns an error if there are two.
    fn file(&self, name: &SetName) -> Result<Option<PathBuf>> {
        let is_there = |path: &PathBuf| {
            path.try_exists()
                .map_err(|error| files::failed("access", path, error))
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
        let message = format!("set {name} has two files: {name}{PLAIN} and {name}{ENCRYPTED}");
        let directory = self.directory.display();
        Err(Error::refused(message)
            .names(format!("set {name}"))
            .hint(format!("move one of them out of {directory}")))
    }

    fn path(&self, name: &SetName, suffix: &str) -> PathBuf {
        self.directory.join(format!("{name}{suffix}"))
    }

    /// Takes the lock. Creates the directory, readable only by its owner, if it does not exist. Returns
    /// an error if it belongs to another user.
    fn prepare(&self) -> Result<Lock> {
        self.refuse_foreign()?;
        let created = files::directories::create(&self.directory)?;
        let lock = Lock::take(&self.directory, self.lock_wait).inspect_err(|error| {
            // On a file system without locks, remove the new directory again. If another process has
            // the lock, the directory is in use.
            if created.is_empty() || error.kind() == ErrorKind::Refused {
                return;
            }
            let _ = fs::remove_file(self.directory.join(lock::FILE));
            for directory in created.iter().rev() {
                let _ = fs::remove_dir(directory);
            }
        })?;
        self.complete_removals();
        Ok(lock)
    }

    /// Takes the lock, unless the directory belongs to another user.
    fn lock(&self) -> Result<Lock> {
        self.refuse_foreign()?;
        let lock = Lock::take(&self.directory, self.lock_wait)?;
        self.complete_removals();
        Ok(lock)
    }

    fn refuse_foreign(&self) -> Result<()> {
        let otherwise = "choose another keystore with --store DIR";
        ownership::refuse_fault(self.fault().as_ref(), &self.directory, otherwise)
    }

    /// Returns why the directory is not safe for private keys; `None` if it is. A directory that exists is
    /// checked once per run.
    pub fn fault(&self) -> Option<Fault> {
        let check = || ownership::fault(&self.directory);
        if self.fault.get().is_none() && !self.directory.is_dir() {
            return check();
        }
        self.fault.get_or_init(check).clone()
    }
}

/// Returns the error for a set that another process has encrypted or decrypted since it was read.
fn protected_meanwhile(name: &SetName) -> Error {
    Error::refused(format!("set {name} was encrypted or decrypted meanwhile"))
        .names(format!("set {name}"))
        .hint("nothing was changed; run the command again")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::Key;
    use crate::key::members::Members;

    /// A keystore that reads and writes files of at most `limit` bytes.
    fn limited(limit: u64) -> (tempfile::TempDir, Keystore) {
        let directory = tempfile::tempdir().unwrap();
        let store = Keystore::new(directory.path().to_owned(), Duration::ZERO);
        (directory, Keystore { limit, ..store })
    }

    fn add(store: &Keystore, protection: Option<&Protection>, kid: &str) -> Result<()> {
        let name = SetName::new("api")?;
        store.change(&name, IfMissing::Create, protection, |set| {
            set.keys.push(Key::from(Members::default().with_kid(kid)));
            Ok(())
        })
    }

    /// A set that could not be read again is refused before it is written, plain or encrypted.
    #[test]
    fn nothing_is_written_that_could_not_be_read_again() {
        let protection = Protection {
            passphrase: Rc::new(Secret::new("of this set".to_owned())),
            iterations: 1000,
        };
        for (protection, file) in [(None, "api.json"), (Some(&protection), "api.jwe")] {
            let (directory, store) = limited(2000);
            let path = directory.path().join(file);
            let mut kids = (0..).map(|i| format!("kid-{i}"));
            let refused = loop {
                let before = fs::read(&path).unwrap_or_default();
                assert!(before.len() <= 2000);
                if let Err(error) = add(&store, protection, &kids.next().unwrap()) {
                    assert_eq!(fs::read(&path).unwrap(), before);
                    break error;
                }
            };
            assert_eq!(refused.kind().exit_code(), 4, "{refused}");
            assert!(refused.to_string().contains("could not be read again"));
            let stored = store.load(&SetName::new("api").unwrap());
            assert_eq!(
                matches!(stored, Ok(Stored::Encrypted(_))),
                protection.is_some()
            );
            let entries = fs::read_dir(directory.path()).unwrap().count();
            assert_eq!(entries, 2, "the set and the lock");
        }
    }

    #[test]
    fn a_file_of_the_largest_size_is_read_and_no_larger_one() {
        let (directory, store) = limited(1 << 20);
        let name = SetName::new("api").unwrap();
        let path = directory.path().join("api.json");
        let set = |length: usize| "{\"keys\":[]}".to_owned() + &" ".repeat(length - 11);
        fs::write(&path, set(1 << 20)).unwrap();
        store.load(&name).unwrap();
        fs::write(&path, set((1 << 20) + 1)).unwrap();
        let error = store.load(&name).unwrap_err().to_string();
        assert!(error.ends_with("it is larger than 1 MiB"), "{error}");
    }
}
