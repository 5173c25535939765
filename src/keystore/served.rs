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
    let mut added = after.keys.iter().filter(|key| !before.has(key));
    if added.any(|key| index.has(key)) {
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
        let mut attempts = Attempts::default();
        loop {
            let (before, version) = schedules_of(server)?;
            let Some(text) = schedules::changed(&before, name, schedule.clone())? else {
                return Ok(());
            };
            let (item, text) = (Item::Schedules, Secret::new(text));
            match send(server, item, &version, || {
                server.write(item, &text, &version)
            })? {
                Sent::Done => return Ok(()),
                // The next attempt reads the schedules again, and has nothing to do if this one was
                // carried out.
                Sent::Overtaken | Sent::Changed(_) => attempts.again(item, server.shown())?,
            }
        }
    }

    /// Deletes the schedule of a set that was deleted: a new set with this name must not inherit it.
    pub(super) fn forget_schedule(&self, name: &SetName) -> Result<()> {
        self.save_schedule(name, None).map_err(|error| {
            error
                .about(format!("set {name} is deleted, but its schedule is not"))
                .hint(format!("run `jwks rotate {name} --forget` to delete it"))
        })
    }

    /// Deletes the schedule of a set that is about to be created. A process that was killed while it deleted
    /// the set can have left it. If the schedule is of a set that somebody else has just created, it stays.
    pub(super) fn drop_orphaned_schedule(&self, name: &SetName) -> Result<()> {
        let Medium::Server(server) = &self.medium else {
            return Ok(());
        };
        // If the schedules are damaged, the new set is created anyway.
        let Ok((before, version)) = schedules_of(&**server) else {
            return Ok(());
        };
        let Some(text) = schedules::changed(&before, name, None)? else {
            return Ok(());
        };
        // Whoever saves a schedule has a set. If there is none after the schedules were read, the schedule
        // in them is an old one.
        if server.read(Item::Set(name))?.text.is_none() {
            server.write(Item::Schedules, &Secret::new(text), &version)?;
        }
        Ok(())
    }
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
