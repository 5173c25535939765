//! A directory of sets: one file for each set, and beside them the lock, the schedules, the log and the
//! history.
//!
//! Reading creates no files. A change takes the lock, reads the set, changes it in memory, writes and
//! flushes a temporary file, renames it, flushes the directory, and releases the lock.

pub mod deliveries;
mod files_of_sets;
pub mod history;
pub mod log;

use crate::error::{Error, ErrorKind, Result};
use crate::files::kept::Links;
use crate::files::lock::Lock;
use crate::files::ownership::{self, Fault};
use crate::files::{self, Access, Existing, kept, lock};
use crate::keystore::schedules::{self, Schedules};
use crate::keystore::{OWN_LIMIT, SetName, Stored};
use history::Histories;
use serde_json::Value;
use std::cell::{OnceCell, RefCell};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
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
pub(super) struct Directory {
    directory: PathBuf,
    lock_wait: Duration,
    /// The maximum size of a set's file, in bytes.
    pub(super) limit: u64,
    /// The last error after a change was made, for the end of the run.
    pub(super) deferred_error: RefCell<Option<Error>>,
    /// The warnings about unfinished work of earlier runs that this run could not complete.
    pub(super) warnings: RefCell<Vec<String>>,
    histories: Histories,
    /// Why the directory is not safe, once it exists and was checked.
    fault: OnceCell<Option<Fault>>,
}

impl Directory {
    /// Returns the store in a directory, which need not exist. Changes wait at most `lock_wait` for the
    /// lock.
    pub fn new(directory: PathBuf, lock_wait: Duration) -> Self {
        Directory {
            directory,
            lock_wait,
            limit: OWN_LIMIT,
            deferred_error: RefCell::default(),
            warnings: RefCell::default(),
            histories: Histories::default(),
            fault: OnceCell::new(),
        }
    }

    /// Returns the path of the directory.
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
        Ok(self.read_file(name)?.map(|(stored, _)| stored))
    }

    /// Reads a set's file as [`read`](Self::read) does, and returns also its path.
    pub fn read_file(&self, name: &SetName) -> Result<Option<(Stored, PathBuf)>> {
        for _ in 0..LOOKS {
            let Some(path) = self.file(name)? else {
                return Ok(None);
            };
            if let Some(kept) = kept::read(&path, Links::Within, self.limit)? {
                let stored = Stored::of_file(kept, path.clone())?;
                return Ok(Some((stored, path)));
            }
        }
        Ok(None)
    }

    /// Returns true if the set exists.
    pub fn contains(&self, name: &SetName) -> Result<bool> {
        Ok(self.file(name)?.is_some())
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
    pub fn prepare(&self) -> Result<Lock> {
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
    pub fn lock(&self) -> Result<Lock> {
        self.refuse_foreign()?;
        let lock = Lock::take(&self.directory, self.lock_wait)?;
        self.complete_removals();
        Ok(lock)
    }

    fn refuse_foreign(&self) -> Result<()> {
        let otherwise = "choose another keystore with --store DIR";
        ownership::refuse_fault(self.fault().as_ref(), &self.directory, otherwise)
    }

    /// Returns an error if other users can write to the directory, because private keys must not be
    /// written there.
    pub fn refuse_open(&self) -> Result<()> {
        let Some(Fault::Open(open)) = self.fault() else {
            return Ok(());
        };
        let directory = open.display();
        Err(
            Error::refused(format!("other users can write to {directory}")).hint(format!(
                "run `chmod go-w {directory}` to keep private keys there"
            )),
        )
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

    /// Reads all schedules. Returns an error if the file cannot be read or is damaged.
    pub fn schedules(&self) -> Result<Schedules> {
        let path = self.schedules_path();
        match kept::read(&path, Links::Within, schedules::LIMIT as u64)? {
            Some(kept) => schedules::parse(&kept.octets, path.display()),
            None => Ok(Schedules::new()),
        }
    }

    /// Returns the new content of the file of schedules; `None` if the schedule does not change.
    pub fn schedules_with(
        &self,
        name: &SetName,
        schedule: Option<Value>,
    ) -> Result<Option<String>> {
        schedules::changed(&self.schedules()?, name, schedule)
    }

    /// Deletes the schedule of a set that does not exist. A process that was killed while it deleted the
    /// set can have left it. The caller holds the lock.
    pub fn drop_schedule(&self, name: &SetName) -> Result<()> {
        // If the file of schedules is damaged, the new set is created anyway.
        match self.schedules_with(name, None) {
            Ok(Some(text)) => self.write_schedules(&text),
            Ok(None) | Err(_) => Ok(()),
        }
    }

    /// Writes the file of schedules. The caller holds the lock.
    pub fn write_schedules(&self, text: &str) -> Result<()> {
        let flushed = files::write(
            &self.schedules_path(),
            text.as_bytes(),
            Access::Private,
            Existing::Replace,
            TEMPORARY,
        )?;
        self.defer_error(flushed);
        Ok(())
    }

    fn schedules_path(&self) -> PathBuf {
        self.directory.join(".schedules.json")
    }
}
