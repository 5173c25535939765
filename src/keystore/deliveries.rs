//! What the rotations of a set have delivered and seen, in a directory of the keystore for each set.

use crate::error::{Error, Result};
use crate::files::kept::Links;
use crate::files::lock::Lock;
use crate::files::{self, Access, Existing, directories, kept};
use crate::key::strict_json;
use crate::keyset::key_name::material_of;
use crate::keyset::rotate::Publication;
use crate::keystore::{Keystore, SetName, TEMPORARY};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;

/// The directory, which has one for each set.
const DIRECTORY: &str = ".deliveries";

/// The maximum size of the file of a set, in bytes.
const LIMIT: usize = 16 << 20;

/// What the rotations of a set have delivered and seen. Times are in seconds since 1970.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Deliveries {
    /// The files and servers that get the set, by their name in the schedule.
    pub targets: BTreeMap<String, Target>,
    /// The addresses at which the set is published.
    pub published: BTreeMap<String, Address>,
    /// The [materials](crate::keyset::key_name::KeyName::material) of the keys with which a reader of a file has signed, each with the
    /// time at which its last token expires.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub signed: BTreeMap<String, i64>,
    /// The [materials](crate::keyset::key_name::KeyName::material) of the keys that signed after the last rotation.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub active: BTreeSet<String>,
    /// The hooks that have not run since a change, by command, with the event that each one gets.
    pub hooks: BTreeMap<String, Value>,
}

/// The last delivery to a file or server.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Target {
    /// When it last got the set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delivered: Option<i64>,
    /// The failure since then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failed: Option<Failure>,
    /// The [entries](crate::keyset::key_name::KeyName::entry) of the keys with which its reader signs.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub signing: BTreeSet<String>,
    /// The [entries](crate::keyset::key_name::KeyName::entry) of the keys that it has: for the file of a signer, of the private keys.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub keys: BTreeSet<String>,
}

/// A failure.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Failure {
    /// When it happened first.
    pub since: i64,
    /// What happened last.
    pub message: String,
}

/// What an address was seen to serve.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Address {
    /// When it was last read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub read: Option<i64>,
    /// The failure since then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failed: Option<Failure>,
    /// Since when it has served each key without a gap, by its [entry](crate::keyset::key_name::KeyName::entry).
    pub since: BTreeMap<String, i64>,
    /// The thumbprints of the keys that it serves and the set does not have.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub foreign: BTreeSet<String>,
    /// How long caches can use what it serves, by its headers, in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_age: Option<u64>,
}

impl Deliveries {
    /// Returns the [materials](crate::keyset::key_name::KeyName::material) of the keys with which readers of files sign.
    pub fn signing(&self) -> Vec<String> {
        let signing = self.targets.values().flat_map(|target| &target.signing);
        signing.map(|entry| material_of(entry).to_owned()).collect()
    }

    /// Returns the [entries](crate::keyset::key_name::KeyName::entry) of the keys with which readers of files sign.
    pub fn signing_entries(&self) -> BTreeSet<String> {
        let targets = self.targets.values();
        targets.flat_map(|target| target.signing.clone()).collect()
    }

    /// Returns the materials of the keys whose tokens live on although no reader signs with them any more, each
    /// with the time at which its last token expires.
    pub fn signed(&self, now: i64) -> Vec<(String, i64)> {
        let signed = self.signed.iter().filter(|(_, until)| **until > now);
        signed
            .map(|(material, until)| (material.clone(), *until))
            .collect()
    }

    /// Returns what these addresses serve, as it was seen last; `None` without addresses. An address that could
    /// not be read confirms no key.
    pub fn publication(&self, addresses: &[String]) -> Option<Publication> {
        let mut served = addresses.iter().map(|address| {
            let seen = self.published.get(address);
            let seen = seen.filter(|seen| seen.failed.is_none());
            seen.map(|seen| seen.since.clone()).unwrap_or_default()
        });
        let mut all = served.next()?;
        for one in served {
            all.retain(|key, since| {
                let other = one.get(key);
                *since = (*since).max(other.copied().unwrap_or_default());
                other.is_some()
            });
        }
        Some(Publication {
            since: all.into_iter().collect(),
        })
    }
}

impl Failure {
    /// Returns a failure at `now`, which began when the one before it did.
    pub fn after(before: Option<Failure>, message: String, now: i64) -> Failure {
        Failure {
            since: before.map_or(now, |before| before.since),
            message,
        }
    }
}

impl Keystore {
    /// Takes the lock of the deliveries of a set, so that two rotations do not deliver at once.
    pub fn lock_deliveries(&self, name: &SetName) -> Result<Lock> {
        let directory = self.deliveries_directory(name);
        directories::create_unflushed(&directory)?;
        Lock::take(&directory, self.lock_wait)
    }

    /// Reads what the rotations of a set have delivered. Returns an error if the file cannot be read or is
    /// damaged.
    pub fn deliveries(&self, name: &SetName) -> Result<Deliveries> {
        let path = self.deliveries_path(name);
        let Some(kept) = kept::read(&path, Links::Within, LIMIT as u64)? else {
            return Ok(Deliveries::default());
        };
        let read = || {
            let text = std::str::from_utf8(&kept.octets).map_err(|error| error.to_string())?;
            strict_json::check(text).map_err(|error| error.to_string())?;
            if !text.trim_start().starts_with('{') {
                return Err("not a JSON object".to_owned());
            }
            serde_json::from_str(text).map_err(|error| error.to_string())
        };
        read().map_err(|error: String| {
            Error::invalid(format!(
                "{}: invalid file of deliveries: {error}",
                path.display()
            ))
            .hint("correct the file, or remove it; held keys then wait for the whole publish delay again")
        })
    }

    /// Saves what the rotations of a set have delivered. The caller holds the lock of the deliveries.
    pub fn save_deliveries(&self, name: &SetName, deliveries: &Deliveries) -> Result<()> {
        // Serialization cannot fail: the keys of the maps are strings.
        let text = serde_json::to_string_pretty(deliveries).unwrap_or_default() + "\n";
        files::write(
            &self.deliveries_path(name),
            text.as_bytes(),
            Access::Private,
            Existing::Replace,
            TEMPORARY,
        )?
    }

    /// Removes what is known of the deliveries of a set whose schedule is deleted. Returns an error if a rotation
    /// of the set is running.
    pub fn forget_deliveries(&self, name: &SetName) -> Result<()> {
        if self.deliveries_directory(name).is_dir() {
            let _lock = self.lock_deliveries(name)?;
            self.drop_deliveries(name);
        }
        Ok(())
    }

    /// Removes what is known of the deliveries of a set that was deleted for good.
    pub(super) fn drop_deliveries(&self, name: &SetName) {
        let directory = self.deliveries_directory(name);
        if directory.is_dir() {
            let _ = fs::remove_dir_all(directory);
        }
    }

    fn deliveries_directory(&self, name: &SetName) -> PathBuf {
        self.directory().join(DIRECTORY).join(name.as_str())
    }

    fn deliveries_path(&self, name: &SetName) -> PathBuf {
        self.deliveries_directory(name).join("state.json")
    }
}
