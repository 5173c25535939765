//! The sets of a store on a server: reads them, writes them under their condition, and finds out what
//! became of a write that got no answer.

use crate::error::{Reason, Result};
use crate::keyset::KeySet;
use crate::keyset::index::Index;
use crate::keystore::medium::{Attempts, Found, Item, Medium, Outcome, Server, Version};
use crate::keystore::schedules::{self, Schedules};
use crate::keystore::{Keystore, SetName, Stored};
use crate::secret::Secret;
use serde_json::Value;
use std::time::Duration;

/// The maximum size of a set on a server, in bytes. Most servers allow less.
pub(super) const LIMIT: u64 = 16 << 20;

/// The most times that a write without an answer is sent, and the pause between two.
const MOST_SENDS: u32 = 3;
const PAUSE: Duration = Duration::from_millis(500);

/// Returns the names of all sets, sorted.
pub(super) fn names(server: &dyn Server) -> Result<Vec<SetName>> {
    let mut names = server.names()?;
    names.sort();
    names.dedup();
    Ok(names)
}

/// Reads a set, and returns also the condition for a write.
pub(super) fn read(server: &dyn Server, name: &SetName) -> Result<(Option<Stored>, Version)> {
    let Found { text, version } = server.read(Item::Set(name))?;
    let shown = format!("{}/{name}", server.shown());
    let stored = text.map(|text| Stored::of_server(text, shown));
    Ok((stored.transpose()?, version))
}

/// Writes a set if it still has this version. `sets` are the set before the change, if it existed, and after
/// it.
pub(super) fn write(
    server: &dyn Server,
    name: &SetName,
    text: &Secret<String>,
    version: &Version,
    (before, after): (Option<&KeySet>, &KeySet),
) -> Result<Outcome> {
    let item = Item::Set(name);
    let found = match send(server, item, version, || server.write(item, text, version))? {
        Sent::Done => return Ok(Outcome::Done),
        Sent::Overtaken => return Ok(Outcome::Overtaken),
        Sent::Changed(found) => found,
    };
    let Some(now) = found.text else {
        return Ok(Outcome::Overtaken);
    };
    if now.expose() == text.expose() {
        return Ok(Outcome::Done);
    }
    // The server can have carried out the write, and somebody else can have changed the set since. The keys
    // that the change has added show that.
    let known = Stored::of_server(now, server.shown().to_owned()).map(Stored::known);
    let (Ok(Some(document)), before) = (known, before.map(Index::of).unwrap_or_default()) else {
        return Ok(Outcome::Overtaken);
    };
    let Ok(set) = document.parse() else {
        return Ok(Outcome::Overtaken);
    };
    let index = Index::of(&set);
    let added = after.keys.iter().filter(|key| !before.has(key));
    let mut is_there = added.map(|key| index.has(key)).peekable();
    if is_there.peek().is_some() && is_there.all(|is_there| is_there) {
        Ok(Outcome::Done)
    } else {
        Ok(Outcome::Overtaken)
    }
}

/// Deletes a set if it still has this version.
pub(super) fn delete(server: &dyn Server, name: &SetName, version: &Version) -> Result<Outcome> {
    let item = Item::Set(name);
    match send(server, item, version, || server.delete(item, version))? {
        Sent::Done => Ok(Outcome::Done),
        Sent::Changed(found) if found.text.is_none() => Ok(Outcome::Done),
        Sent::Overtaken | Sent::Changed(_) => Ok(Outcome::Overtaken),
    }
}

/// What became of a write.
pub(super) enum Sent {
    /// The server has carried it out.
    Done,
    /// Somebody else has changed the item before. The server has not carried it out.
    Overtaken,
    /// There was no answer, and the item has changed since it was read: by the write, by somebody else, or
    /// by both.
    Changed(Found),
}

/// Sends a write of an item that was read in this version. If there is no answer and the item is unchanged,
/// sends the write again, at most twice: its condition lets the server carry it out only once.
pub(super) fn send(
    server: &dyn Server,
    item: Item,
    version: &Version,
    write: impl Fn() -> Result<Outcome>,
) -> Result<Sent> {
    let mut tries = 0;
    loop {
        let error = match write() {
            Ok(Outcome::Done) => return Ok(Sent::Done),
            Ok(Outcome::Overtaken) if tries == 0 => return Ok(Sent::Overtaken),
            // The attempt before can have been carried out late.
            Ok(Outcome::Overtaken) => return server.read(item).map(Sent::Changed),
            Err(error) if error.is_because(Reason::Unanswered) => error,
            Err(error) => return Err(error),
        };
        tries += 1;
        match server.read(item) {
            Ok(found) if found.version.tag != version.tag => return Ok(Sent::Changed(found)),
            Ok(_) if tries < MOST_SENDS => std::thread::sleep(PAUSE),
            _ => return Err(error),
        }
    }
}

/// Changes an item: writes what `change` reads and makes of it, and begins again if somebody else was faster.
/// `change` returns the new text and the version that it read, or nothing if there is nothing to write.
pub(super) fn update(
    server: &dyn Server,
    item: Item,
    change: impl Fn() -> Result<Option<(Secret<String>, Version)>>,
) -> Result<()> {
    let mut attempts = Attempts::default();
    while let Some((text, version)) = change()? {
        let write = || server.write(item, &text, &version);
        match send(server, item, &version, write)? {
            Sent::Done => return Ok(()),
            // The next attempt has nothing to write if this one was carried out.
            Sent::Overtaken | Sent::Changed(_) => attempts.again(item, server.shown())?,
        }
    }
    Ok(())
}

impl Keystore {
    /// Reads all schedules. Returns an error if they cannot be read or are damaged.
    pub fn schedules(&self) -> Result<Schedules> {
        match &self.medium {
            Medium::Directory(directory) => directory.schedules(),
            Medium::Server(server) => Ok(schedules_of(&**server)?.0),
        }
    }

    /// Saves the schedule of a set, or deletes it if it is `None`. Writes nothing if it does not
    /// change.
    pub fn save_schedule(&self, name: &SetName, schedule: Option<Value>) -> Result<()> {
        let server = match &self.medium {
            Medium::Directory(directory) => {
                let _lock = directory.lock()?;
                return match directory.schedules_with(name, schedule)? {
                    Some(text) => directory.write_schedules(&text),
                    None => Ok(()),
                };
            }
            Medium::Server(server) => &**server,
        };
        update(server, Item::Schedules, || {
            let (before, version) = schedules_of(server)?;
            let text = schedules::changed(&before, name, schedule.clone())?;
            Ok(text.map(|text| (Secret::new(text), version)))
        })
    }
}

/// Deletes the schedule of a set that was deleted, or that is about to be created: a new set with this name must
/// not inherit it. The schedule of a set that somebody else has created meanwhile stays. Returns an error if the
/// schedules cannot be read or are damaged.
pub(super) fn drop_orphaned_schedule(server: &dyn Server, name: &SetName) -> Result<()> {
    update(server, Item::Schedules, || {
        let (before, version) = schedules_of(server)?;
        let text = schedules::changed(&before, name, None)?;
        // Whoever saves a schedule has a set. If there is none after the schedules were read, the schedule
        // in them is an old one.
        if text.is_none() || server.read(Item::Set(name))?.text.is_some() {
            return Ok(None);
        }
        Ok(text.map(|text| (Secret::new(text), version)))
    })
}

fn schedules_of(server: &dyn Server) -> Result<(Schedules, Version)> {
    let found = server.read(Item::Schedules)?;
    let place = format!("the schedules in {}", server.shown());
    let schedules = match &found.text {
        Some(text) => schedules::parse(text.expose().as_bytes(), place)?,
        None => Schedules::new(),
    };
    Ok((schedules, found.version))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Error;
    use crate::key::Key;
    use crate::key::members::Members;
    use std::cell::{Cell, RefCell};

    /// A server that carries out every write without an answer. Somebody else replaces the set at once.
    #[derive(Debug)]
    struct Lossy {
        text: RefCell<String>,
        version: Cell<u32>,
        meanwhile: String,
    }

    impl Server for Lossy {
        fn shown(&self) -> &str {
            "lossy"
        }

        fn names(&self) -> Result<Vec<SetName>> {
            Ok(Vec::new())
        }

        fn read(&self, _: Item) -> Result<Found> {
            Ok(Found {
                text: Some(Secret::new(self.text.borrow().clone())),
                version: Version {
                    tag: Some(self.version.get().to_string()),
                    beside: None,
                },
            })
        }

        fn write(&self, _: Item, _: &Secret<String>, _: &Version) -> Result<Outcome> {
            self.text.replace(self.meanwhile.clone());
            self.version.set(self.version.get() + 1);
            Err(Error::remote("no answer").because(Reason::Unanswered))
        }

        fn delete(&self, _: Item, _: &Version) -> Result<Outcome> {
            Ok(Outcome::Overtaken)
        }
    }

    fn set(kids: &[&str]) -> KeySet<'static> {
        let key = |kid: &&str| Key::from(Members::default().with_kid(kid));
        let mut set = KeySet::default();
        set.keys = kids.iter().map(key).collect();
        set
    }

    /// Returns what becomes of a write of the keys `after` that got no answer, if the server then has the keys
    /// `meanwhile`.
    fn outcome(before: &[&str], after: &[&str], meanwhile: &[&str]) -> Outcome {
        let (before, after) = (set(before), set(after));
        let server = Lossy {
            text: RefCell::new(before.to_json()),
            version: Cell::new(1),
            meanwhile: set(meanwhile).to_json(),
        };
        let name = SetName::new("api").unwrap();
        let item = Item::Set(&name);
        let version = server.read(item).unwrap().version;
        let text = Secret::new(after.to_json());
        write(&server, &name, &text, &version, (Some(&before), &after)).unwrap()
    }

    #[test]
    fn a_write_without_an_answer_is_done_only_if_every_added_key_is_there() {
        let done = |before: &[&str], after: &[&str], meanwhile: &[&str]| {
            outcome(before, after, meanwhile) == Outcome::Done
        };
        assert!(done(&["a"], &["a", "b"], &["a", "b"]));
        assert!(done(&["a"], &["a", "b"], &["a", "b", "c"]));
        assert!(done(&["a"], &["a", "b", "c"], &["b", "c"]));
        // The key of another writer hides the change.
        assert!(!done(&["a"], &["a", "b"], &["a", "c"]));
        // Some of the keys would be lost.
        assert!(!done(&["a"], &["a", "b", "c"], &["a", "b"]));
        // A change that adds no key leaves no trace.
        assert!(!done(&["a", "b"], &["a"], &["a", "c"]));
        assert!(!done(&["a", "b"], &["a"], &["a", "b", "c"]));
    }
}
