//! What keeps the sets of a keystore: a directory, or a server with conditional writes.
//!
//! On a server, each item has a version. A write names the version that was read, and the server carries it
//! out only if the item still has that version. Nothing is ever written without this condition.

use crate::error::{Error, Result};
use crate::keystore::SetName;
use crate::keystore::directory::Directory;
use crate::secret::Secret;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

/// What keeps the sets of a keystore.
#[derive(Debug)]
pub(super) enum Medium {
    /// A directory, with a lock.
    Directory(Box<Directory>),
    /// A server, with conditional writes.
    Server(Box<dyn Server>),
}

/// The place of a set, for messages.
#[derive(Clone, Debug)]
pub enum Place {
    /// A file.
    File(PathBuf),
    /// An item of a server.
    Server(String),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::File(path) => path.display().fmt(f),
            Place::Server(shown) => f.write_str(shown),
        }
    }
}

/// What an item of a server is.
#[derive(Clone, Copy, Debug)]
pub enum Item<'a> {
    /// A set.
    Set(&'a SetName),
    /// The schedules of all sets.
    Schedules,
    /// The record of the deliveries of a set.
    Deliveries(&'a SetName),
}

impl fmt::Display for Item<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Item::Set(name) => write!(f, "set {name}"),
            Item::Schedules => f.write_str("the schedules"),
            Item::Deliveries(name) => write!(f, "the record of deliveries of set {name}"),
        }
    }
}

/// The state of an item that was read, which is the condition of a write.
#[derive(Debug)]
pub struct Version {
    /// The version, in the words of the server; `None` if the item was never there.
    pub tag: Option<String>,
    /// What the server keeps beside the text, as JSON, which can be secret. A write keeps it.
    pub beside: Option<Secret<String>>,
}

impl Version {
    /// The state of an item that was never there.
    pub const NEVER: Version = Version {
        tag: None,
        beside: None,
    };
}

/// An item that was read.
#[derive(Debug)]
pub struct Found {
    /// The text; `None` if the item is not there.
    pub text: Option<Secret<String>>,
    /// The condition for a write.
    pub version: Version,
}

impl Found {
    /// An item that was never there.
    pub fn nothing() -> Found {
        Found {
            text: None,
            version: Version::NEVER,
        }
    }
}

/// The result of a conditional write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The server has carried it out.
    Done,
    /// Somebody else has changed the item since it was read. Nothing was written.
    Overtaken,
}

/// A server that keeps the sets of a keystore. Every call has limits for its time and for the size of its
/// answer. A write that got no answer fails with [`Reason::Unanswered`](crate::error::Reason::Unanswered).
pub trait Server: fmt::Debug {
    /// Returns the store for messages, such as `vault:secret/jwks`.
    fn shown(&self) -> &str;

    /// Returns the names of all sets, in any order.
    fn names(&self) -> Result<Vec<SetName>>;

    /// Reads an item.
    fn read(&self, item: Item) -> Result<Found>;

    /// Writes an item if it still has this version.
    fn write(&self, item: Item, text: &Secret<String>, version: &Version) -> Result<Outcome>;

    /// Deletes an item if it still has this version.
    fn delete(&self, item: Item, version: &Version) -> Result<Outcome>;

    /// Returns true if a set with private keys must be encrypted there.
    fn demands_encryption(&self) -> bool {
        false
    }

    /// Returns how to delete the earlier versions of a set, if the server keeps such versions.
    fn earlier_versions(&self, _name: &SetName) -> Option<String> {
        None
    }
}

/// The most attempts of a change that others overtake.
const MOST_TRIES: u32 = 100;

/// The first pause after a change was overtaken, and the longest one.
const FIRST_PAUSE: Duration = Duration::from_millis(25);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// The attempts of one change on a server.
#[derive(Debug, Default)]
pub(super) struct Attempts(u32);

impl Attempts {
    /// Waits after an attempt that was overtaken. Returns an error after the last one.
    pub fn again(&mut self, item: Item, store: &str) -> Result<()> {
        self.0 += 1;
        if self.0 >= MOST_TRIES {
            return Err(Error::refused(format!(
                "{item} in {store} was changed by others {MOST_TRIES} times in a row"
            ))
            .hint("run the command again later"));
        }
        let pause = FIRST_PAUSE.saturating_mul(1 << self.0.min(10));
        std::thread::sleep(jittered(pause.min(LONGEST_PAUSE)));
        Ok(())
    }
}

/// Returns a random pause of at most `pause`, so that writers do not try at the same time.
fn jittered(pause: Duration) -> Duration {
    let (random, _) = uuid::Uuid::new_v4().as_u64_pair();
    pause * (random % 1024) as u32 / 1024
}
