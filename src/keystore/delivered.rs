//! The records of the deliveries of sets, which the medium keeps beside the sets.
//!
//! In a directory, a rotation holds a lock while it delivers. On a server, several rotations can deliver at
//! once. Then each one records what it has changed, and what others have changed meanwhile stays.

use crate::error::Result;
use crate::files::lock::Lock;
use crate::keystore::deliveries::{self, Deliveries};
use crate::keystore::medium::{Item, Medium, Server, Version};
use crate::keystore::served::{send, update};
use crate::keystore::{Keystore, SetName};
use crate::secret::Secret;

/// The lock of the deliveries of a set. A server has none.
#[derive(Debug)]
pub struct DeliveriesLock {
    _lock: Option<Lock>,
}

impl Keystore {
    /// Takes the lock of the deliveries of a set, so that two rotations do not deliver at once.
    pub fn lock_deliveries(&self, name: &SetName) -> Result<DeliveriesLock> {
        Ok(DeliveriesLock {
            _lock: match &self.medium {
                Medium::Directory(directory) => Some(directory.lock_deliveries(name)?),
                Medium::Server(_) => None,
            },
        })
    }

    /// Reads what the rotations of a set have delivered. Returns an error if the record cannot be read or is
    /// damaged.
    pub fn deliveries(&self, name: &SetName) -> Result<Deliveries> {
        match &self.medium {
            Medium::Directory(directory) => directory.deliveries(name),
            Medium::Server(server) => Ok(read(&**server, name)?.0),
        }
    }

    /// Saves what the rotations of a set have delivered. `before` is what the caller has read or saved last.
    /// The caller holds the lock of the deliveries.
    pub fn save_deliveries(
        &self,
        name: &SetName,
        before: &Deliveries,
        after: &Deliveries,
    ) -> Result<()> {
        let server = match &self.medium {
            Medium::Directory(directory) => return directory.save_deliveries(name, after),
            Medium::Server(server) => &**server,
        };
        update(server, Item::Deliveries(name), || {
            let (others, version) = read(server, name)?;
            let merged = after.merged(before, &others);
            let text = (merged != others).then(|| merged.to_json());
            Ok(text.map(|text| (Secret::new(text), version)))
        })
    }

    /// Removes what is known of the deliveries of a set whose schedule is deleted. Returns an error if a rotation
    /// of the set is running in a directory.
    pub fn forget_deliveries(&self, name: &SetName) -> Result<()> {
        let server = match &self.medium {
            Medium::Directory(directory) => return directory.forget_deliveries(name),
            Medium::Server(server) => &**server,
        };
        let item = Item::Deliveries(name);
        let found = server.read(item)?;
        if found.text.is_some() {
            // Whoever overtakes the deletion delivers a new set of this name.
            let version = &found.version;
            send(server, item, version, || server.delete(item, version))?;
        }
        Ok(())
    }
}

/// Removes what is known of the deliveries of a set that was deleted. The record of a set that somebody else has
/// created meanwhile stays.
pub(super) fn drop_orphaned(server: &dyn Server, name: &SetName) -> Result<()> {
    let item = Item::Deliveries(name);
    let found = server.read(item)?;
    // Whoever delivers has a set. If there is none after the record was read, the record is an old one.
    if found.text.is_some() && server.read(Item::Set(name))?.text.is_none() {
        let version = &found.version;
        send(server, item, version, || server.delete(item, version))?;
    }
    Ok(())
}

fn read(server: &dyn Server, name: &SetName) -> Result<(Deliveries, Version)> {
    let item = Item::Deliveries(name);
    let found = server.read(item)?;
    let deliveries = match &found.text {
        Some(text) => {
            let place = format!("{item} in {}", server.shown());
            deliveries::parse(text.expose().as_bytes(), place)?
        }
        None => Deliveries::default(),
    };
    Ok((deliveries, found.version))
}
