//! The keystore: sets of keys, plain or encrypted, in a directory or on a server.
//!
//! The rules for sets stand here once. The [`medium`] keeps them. In a directory, a change holds a lock while
//! it reads, changes and writes. On a server, a change writes under the condition that the set is as it was
//! read, and begins again if somebody else was faster.

mod delivered;
mod directory;
mod document;
mod meant;
pub mod medium;
mod name;
mod past;
mod protect;
mod schedules;
mod served;
mod write;

pub use delivered::DeliveriesLock;
pub use directory::{deliveries, history, log};
pub use document::{Encrypted, SetDocument, Stored};
pub use name::SetName;
pub use schedules::Schedules;

use crate::error::{Error, Result};
use crate::files::ownership::Fault;
use crate::jwe::DerivedKeys;
use crate::keyset::KeySet;
use crate::secret::Secret;
use directory::Directory;
use document::OWN_LIMIT;
use history::{Earlier, Present};
use medium::{Attempts, Item, Medium, Outcome, Server, Version};
use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

/// A store of sets.
#[derive(Debug)]
pub struct Keystore {
    medium: Medium,
    derived: RefCell<DerivedKeys>,
    /// The last error after a change on a server was made, for the end of the run.
    deferred_error: RefCell<Option<Error>>,
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

/// What a set was when it was read: the condition of a write.
#[derive(Debug)]
enum Condition {
    /// The file, if there was one. The lock holds until it is replaced.
    File(Option<Present>),
    /// The state of the item of a server.
    Version(Version),
}

impl Keystore {
    /// Returns the keystore in a directory, which need not exist. Changes wait at most `lock_wait` for the
    /// lock.
    pub fn new(directory: PathBuf, lock_wait: Duration) -> Self {
        let directory = Directory::new(directory, lock_wait);
        Self::over(Medium::Directory(Box::new(directory)))
    }

    /// Returns the keystore on a server.
    pub fn on_server(server: Box<dyn Server>) -> Self {
        Self::over(Medium::Server(server))
    }

    fn over(medium: Medium) -> Self {
        Keystore {
            medium,
            derived: RefCell::default(),
            deferred_error: RefCell::default(),
        }
    }

    /// Returns the keystore with a lower limit for the files that it reads, in bytes.
    pub fn reading_at_most(mut self, limit: u64) -> Self {
        if let Medium::Directory(directory) = &mut self.medium {
            directory.limit = limit;
        }
        self
    }

    /// Returns the directory; `None` for a store on a server.
    pub fn directory(&self) -> Option<&Path> {
        match &self.medium {
            Medium::Directory(directory) => Some(directory.directory()),
            Medium::Server(_) => None,
        }
    }

    /// Returns the directory, or the store on a server, for messages.
    pub fn shown(&self) -> String {
        match &self.medium {
            Medium::Directory(directory) => directory.directory().display().to_string(),
            Medium::Server(server) => server.shown().to_owned(),
        }
    }

    /// Returns the names of all sets, sorted. Returns an error if they cannot be read.
    pub fn names(&self) -> Result<Vec<SetName>> {
        match &self.medium {
            Medium::Directory(directory) => directory.names(),
            Medium::Server(server) => served::names(&**server),
        }
    }

    /// Reads a set; `None` if it does not exist. Returns an error if it is not text, if its JWE
    /// is malformed, or if the set has two files. A plain set is parsed later.
    pub fn read(&self, name: &SetName) -> Result<Option<Stored>> {
        match &self.medium {
            Medium::Directory(directory) => directory.read(name),
            Medium::Server(server) => Ok(served::read(&**server, name)?.0),
        }
    }

    /// Reads a set as [`read`](Self::read) does, and returns also the condition for a write.
    fn look(&self, name: &SetName) -> Result<(Option<Stored>, Condition)> {
        match &self.medium {
            Medium::Directory(directory) => Ok(match directory.read_file(name)? {
                None => (None, Condition::File(None)),
                Some((stored, path)) => {
                    let present = Present::new(path, &stored);
                    (Some(stored), Condition::File(Some(present)))
                }
            }),
            Medium::Server(server) => {
                let (stored, version) = served::read(&**server, name)?;
                Ok((stored, Condition::Version(version)))
            }
        }
    }

    /// Reads a set. Returns an error if it does not exist.
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
        match &self.medium {
            Medium::Directory(directory) => directory.contains(name),
            Medium::Server(server) => Ok(server.read(Item::Set(name))?.text.is_some()),
        }
    }

    /// Changes a set: reads it, calls `change`, and writes the result. Writes nothing if `change` fails or
    /// changes nothing. `protection` decrypts an encrypted set and encrypts it again, or encrypts a new set.
    /// Returns an error if another process has encrypted or decrypted the set in the meantime.
    ///
    /// On a server, `change` runs again each time that somebody else has changed the set meanwhile.
    pub fn change<T>(
        &self,
        name: &SetName,
        if_missing: IfMissing,
        protection: Option<&Protection>,
        mut change: impl FnMut(&mut KeySet) -> Result<T>,
    ) -> Result<T> {
        let _lock = match &self.medium {
            Medium::Directory(directory) => {
                if if_missing == IfMissing::Fail && !directory.contains(name)? {
                    return Err(self.missing(name));
                }
                Some(directory.prepare()?)
            }
            Medium::Server(_) => None,
        };
        let mut attempts = Attempts::default();
        loop {
            let (stored, condition) = self.look(name)?;
            if stored.is_none() && if_missing == IfMissing::Fail {
                return Err(self.missing(name));
            }
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
            if before.as_ref() == Some(&after) {
                return Ok(result);
            }
            let passphrase = protection.map(|protection| &*protection.passphrase);
            let encryption = passphrase.map(|it| (it, iterations));
            let sets = (before.as_ref(), &after);
            match self.write(name, sets, encryption, condition, Earlier::Keep)? {
                Outcome::Done => return Ok(result),
                Outcome::Overtaken => attempts.again(Item::Set(name), &self.shown())?,
            }
        }
    }

    /// Removes a set. `confirm` can refuse with an error. It gets the part of the set that is readable without
    /// a passphrase. Returns an error if the set does not exist.
    pub fn remove(
        &self,
        name: &SetName,
        mut confirm: impl FnMut(Option<&KeySet>) -> Result<()>,
    ) -> Result<()> {
        let _lock = match &self.medium {
            Medium::Directory(directory) => {
                if !directory.contains(name)? {
                    return Err(self.missing(name));
                }
                Some(directory.lock()?)
            }
            Medium::Server(_) => None,
        };
        let mut attempts = Attempts::default();
        loop {
            let (stored, condition) = self.look(name)?;
            let stored = stored.ok_or_else(|| self.missing(name))?;
            let known = stored.known();
            confirm(known.as_ref().map(SetDocument::parse).transpose()?.as_ref())?;
            match self.take_away(name, condition)? {
                Outcome::Done => return Ok(()),
                Outcome::Overtaken => attempts.again(Item::Set(name), &self.shown())?,
            }
        }
    }

    fn take_away(&self, name: &SetName, condition: Condition) -> Result<Outcome> {
        match (&self.medium, condition) {
            (Medium::Directory(directory), Condition::File(Some(present))) => {
                directory.take_away(name, &present)?;
                Ok(Outcome::Done)
            }
            (Medium::Server(server), Condition::Version(version)) => {
                let outcome = served::delete(&**server, name, &version)?;
                if outcome == Outcome::Done {
                    let dropped = served::drop_orphaned_schedule(&**server, name);
                    self.defer_error(dropped.map_err(|error| {
                        error
                            .about(format!("set {name} is deleted, but its schedule is not"))
                            .hint(format!("run `jwks rotate {name} --forget` to delete it"))
                    }));
                    self.defer_error(delivered::drop_orphaned(&**server, name));
                }
                Ok(outcome)
            }
            // Conditions come from the medium itself.
            _ => Err(self.missing(name)),
        }
    }

    /// Returns and clears the last error after a change was made.
    pub fn take_deferred_error(&self) -> Option<Error> {
        let own = self.deferred_error.take();
        match &self.medium {
            Medium::Directory(directory) => directory.deferred_error.take().or(own),
            Medium::Server(_) => own,
        }
    }

    /// Returns and clears the warnings about unfinished work of earlier runs.
    pub fn take_warnings(&self) -> Vec<String> {
        match &self.medium {
            Medium::Directory(directory) => directory.warnings.take(),
            Medium::Server(_) => Vec::new(),
        }
    }

    /// Keeps an error after a change until the end of the run, so that the change is first reported.
    fn defer_error(&self, afterwards: Result<()>) {
        if let Err(error) = afterwards {
            self.deferred_error.replace(Some(error));
        }
    }

    /// Returns why the directory is not safe for private keys; `None` if it is.
    pub fn fault(&self) -> Option<Fault> {
        match &self.medium {
            Medium::Directory(directory) => directory.fault(),
            Medium::Server(_) => None,
        }
    }
}

/// Returns the error for a set that another process has encrypted or decrypted since it was read.
fn protected_meanwhile(name: &SetName) -> Error {
    Error::refused(format!("set {name} was encrypted or decrypted meanwhile"))
        .names(format!("set {name}"))
        .hint("run the command again")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::Key;
    use crate::key::members::Members;
    use std::fs;

    /// A keystore that reads and writes files of at most `limit` bytes.
    fn limited(limit: u64) -> (tempfile::TempDir, Keystore) {
        let directory = tempfile::tempdir().unwrap();
        // A process that another test starts holds a copy of the lock for a moment.
        let wait = Duration::from_secs(10);
        let store = Keystore::new(directory.path().to_owned(), wait);
        (directory, store.reading_at_most(limit))
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
