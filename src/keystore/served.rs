//! The sets of a store on a server: reads them, writes them under their condition, and finds out what
//! became of a write that got no answer.

use crate::error::{Error, Reason, Result};
use crate::keyset::KeySet;
use crate::keyset::index::Index;
use crate::keystore::medium::{Attempts, Found, Item, Medium, Outcome, Server, Version};
use crate::keystore::schedules::{self, Schedules};
use crate::keystore::{Keystore, SetName, Stored};
use crate::secret::Secret;
use serde_json::Value;

/// The maximum size of a set on a server, in bytes. Most servers allow less.
pub(super) const LIMIT: u64 = 16 << 20;

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
    let Err(error) = unanswered(server.write(item, text, version))? else {
        return Ok(Outcome::Done);
    };
    let Some(error) = error else {
        return Ok(Outcome::Overtaken);
    };
    let found = server.read(item).map_err(|_| error)?;
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
    let Err(error) = unanswered(server.delete(item, version))? else {
        return Ok(Outcome::Done);
    };
    let Some(error) = error else {
        return Ok(Outcome::Overtaken);
    };
    let found = server.read(item).map_err(|_| error)?;
    match found.text {
        None => Ok(Outcome::Done),
        Some(_) => Ok(Outcome::Overtaken),
    }
}

/// Splits the outcome of a write: carried out, overtaken (`None`), or without an answer.
fn unanswered(outcome: Result<Outcome>) -> Result<Result<(), Option<Error>>> {
    match outcome {
        Ok(Outcome::Done) => Ok(Ok(())),
        Ok(Outcome::Overtaken) => Ok(Err(None)),
        Err(error) if error.is_because(Reason::Unanswered) => Ok(Err(Some(error))),
        Err(error) => Err(error),
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
            let written = server.write(Item::Schedules, &Secret::new(text), &version);
            match unanswered(written)? {
                Ok(()) => return Ok(()),
                // The next attempt reads the schedules again, and has nothing to do if this one was
                // carried out.
                Err(_) => attempts.again(Item::Schedules, server.shown())?,
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
            let written = server.write(Item::Schedules, &Secret::new(text), &version);
            let _ = unanswered(written)?;
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
