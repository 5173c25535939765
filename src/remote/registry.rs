//! The named remotes: `remotes.json` in the configuration directory, written atomically.

use crate::error::{Error, Result};
use crate::files::kept::Links;
use crate::files::lock::Lock;
use crate::files::ownership;
use crate::files::{self, Access, Existing, kept};
use crate::nearest::did_you_mean;
use crate::remote::entry::Entry;
use crate::remote::kind::KINDS;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The file's name in the configuration directory.
pub const FILE: &str = "remotes.json";

/// The temporary file for changes. Only the holder of the lock writes it.
const TEMPORARY: &str = ".writing";

/// The maximum size of the file, in bytes.
const LIMIT: u64 = 1 << 20;

/// The hint if the remotes belong to another user.
const OTHERWISE: &str = "set HOME to your own home directory";

/// The remotes of a configuration directory.
#[derive(Debug)]
pub struct Registry {
    /// `None` if there is no home directory.
    directory: Option<PathBuf>,
    lock_wait: Duration,
}

#[derive(Default, Serialize, Deserialize)]
struct Document {
    remotes: Vec<Entry>,
    #[serde(flatten)]
    other: Map<String, Value>,
}

impl Registry {
    /// Returns the registry in a directory, which need not exist. Changes wait at most `lock_wait` for the
    /// lock.
    pub fn new(directory: Option<PathBuf>, lock_wait: Duration) -> Registry {
        Registry {
            directory,
            lock_wait,
        }
    }

    /// Returns the configuration directory, or an error if there is none.
    pub fn directory(&self) -> Result<&Path> {
        self.directory.as_deref().ok_or_else(|| {
            Error::usage("no home directory for remotes")
                .hint("set HOME, or pass an address instead of a name")
        })
    }

    /// Returns the path of the file if users other than its owner can access it. They could read or change
    /// the commands that print tokens.
    pub fn open_file(&self) -> Option<PathBuf> {
        let path = self.directory.as_ref()?.join(FILE);
        let metadata = std::fs::metadata(&path).ok()?;
        (files::others(&metadata) != 0).then_some(path)
    }

    /// Returns all remotes, in the order in which they were added. Returns an error if the file is
    /// damaged.
    pub fn entries(&self) -> Result<Vec<Entry>> {
        match &self.directory {
            Some(directory) => Ok(read(&directory.join(FILE))?.remotes),
            None => Ok(Vec::new()),
        }
    }

    /// Returns the environment variables that can hold a token: those that the remotes name, and those
    /// that a kind of server reads by default. If the file of remotes cannot be read, only the latter.
    pub fn token_variables(&self) -> Vec<String> {
        let entries = self.entries().unwrap_or_default();
        let named = entries.into_iter().filter_map(|entry| entry.token_env);
        let usual = KINDS.iter().flat_map(|kind| kind.token_variables);
        named.chain(usual.map(|name| (*name).to_owned())).collect()
    }

    /// Returns the remote with a name, or an error if there is none. Refuses a directory of another
    /// user, who could decide which command is run for a token and where the token is sent.
    pub fn find(&self, name: &str) -> Result<Entry> {
        if let Some(directory) = &self.directory {
            ownership::refuse_foreign(directory, OTHERWISE)?;
        }
        let entries = self.entries()?;
        let found = entries.iter().find(|entry| entry.name == name);
        let entry = found.cloned().ok_or_else(|| missing(name, &entries))?;
        // An entry that was written by hand can contain a secret, so it is checked before it is shown.
        entry
            .check()
            .map_err(|error| error.about(format!("remote {name} in {FILE}")))?;
        Ok(entry)
    }

    /// Adds a remote. Returns an error if the name exists, unless `replace` is true.
    pub fn add(&self, entry: Entry, replace: bool) -> Result<()> {
        self.change(|entries| {
            match entries.iter_mut().find(|other| other.name == entry.name) {
                Some(other) if replace => *other = entry,
                Some(other) => {
                    return Err(
                        Error::refused(format!("remote {} already exists", other.name)).hint(
                            "pass --force to replace it, or run `jwks remote show` to see it",
                        ),
                    );
                }
                None => entries.push(entry),
            }
            Ok(())
        })
    }

    /// Removes a remote. Returns an error if there is none with this name.
    pub fn remove(&self, name: &str) -> Result<()> {
        let entries = self.entries()?;
        if entries.iter().all(|entry| entry.name != name) {
            return Err(missing(name, &entries));
        }
        self.change(|entries| {
            let before = entries.len();
            entries.retain(|entry| entry.name != name);
            if entries.len() == before {
                Err(missing(name, entries))
            } else {
                Ok(())
            }
        })
    }

    fn change(&self, change: impl FnOnce(&mut Vec<Entry>) -> Result<()>) -> Result<()> {
        let directory = self.directory()?;
        ownership::refuse_foreign(directory, OTHERWISE)?;
        files::directories::create(directory)?;
        let _lock = Lock::take(directory, self.lock_wait)?;
        let path = directory.join(FILE);
        let mut document = read(&path)?;
        change(&mut document.remotes)?;
        let json = serde_json::to_string_pretty(&document)
            .map_err(|error| Error::failed("cannot write JSON").cause(error))?;
        if json.len() as u64 >= LIMIT {
            return Err(Error::refused("the remotes would be larger than 1 MiB")
                .hint("run `jwks remote remove NAME` to remove some"));
        }
        files::write(
            &path,
            (json + "\n").as_bytes(),
            Access::Private,
            Existing::Replace,
            TEMPORARY,
        )?
    }
}

fn missing(name: &str, entries: &[Entry]) -> Error {
    let error = Error::not_found(format!("no remote {name:?}"));
    let names: Vec<_> = entries.iter().map(|entry| &*entry.name).collect();
    if names.is_empty() {
        return error.hint("run `jwks remote add NAME --kind KIND` to add one");
    }
    let meant = did_you_mean(name, &names);
    error.hint(meant.unwrap_or_else(|| format!("remotes: {}", names.join(", "))))
}

fn read(path: &Path) -> Result<Document> {
    let Some(kept) = kept::read(path, Links::All, LIMIT)? else {
        return Ok(Document::default());
    };
    serde_json::from_slice(&kept.octets).map_err(|error| {
        Error::invalid(format!("{} cannot be read", path.display()))
            .cause(error)
            .hint("the file is damaged; correct or remove it")
    })
}
