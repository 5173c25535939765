//! Compares what an address serves with a set.

use crate::error::{Error, Result};
use crate::key::Key;
use crate::key::header::Header;
use crate::key::members::same_value;
use crate::key::parts::has_private_member;
use crate::keyset::KeySet;
use crate::keyset::key_name::{KeyName, quote};
use crate::remote::{entry_of_address, is_address};
use crate::report::names::{count, list_names};
use std::collections::{BTreeSet, HashMap, HashSet};

/// Returns an error if a value of `--published` is not an address, or holds a secret.
pub fn check_addresses(addresses: &[String]) -> Result<()> {
    for address in addresses {
        if !is_address(address) {
            return Err(
                Error::usage(format!("--published {address:?} is not an address"))
                    .hint("an address begins with https:// or http://"),
            );
        }
        entry_of_address(address).map_err(|error| error.about("--published"))?;
    }
    Ok(())
}

/// What an address serves, beside the keys of a set.
#[derive(Debug, Default)]
pub struct Served {
    /// The [entries](KeyName::entry) of the keys of the set that it serves.
    pub own: BTreeSet<String>,
    /// The kids of the set under which it serves another key.
    pub other_under: Vec<String>,
    /// The kids of keys of the set that it serves with other members, so that verifiers can refuse them.
    pub altered: Vec<String>,
    /// The thumbprints of the keys that it serves and the set does not have.
    pub foreign: BTreeSet<String>,
    /// True if it serves private keys.
    pub has_private: bool,
}

impl Served {
    /// Compares a document of an address with the set that it should serve.
    pub fn compare(set: &KeySet, served: &KeySet) -> Self {
        let names: Vec<_> = served.keys.iter().map(KeyName::of).collect();
        let own: Vec<_> = set.keys.iter().map(KeyName::of).collect();
        let mut kids: HashMap<&str, HashSet<Option<&str>>> = HashMap::new();
        let mut served_keys: HashMap<_, Vec<_>> = HashMap::new();
        for (name, key) in names.iter().zip(&served.keys) {
            let kid = name.kid.as_deref().unwrap_or_default();
            kids.entry(kid)
                .or_default()
                .insert(name.public_thumbprint());
            served_keys.entry(kid).or_default().push(key);
        }
        let known: HashSet<_> = own.iter().filter_map(KeyName::public_thumbprint).collect();
        let foreign = names.iter().filter_map(KeyName::public_thumbprint);
        let foreign = foreign.filter(|thumbprint| !known.contains(thumbprint));
        let mut found = Served {
            foreign: foreign.map(str::to_owned).collect(),
            has_private: served.keys.iter().any(has_private_member),
            ..Served::default()
        };
        for (key, whole) in own.iter().zip(&set.keys) {
            let (Some(kid), Some(thumbprint)) = (key.kid.as_deref(), key.public_thumbprint())
            else {
                continue;
            };
            let Some(materials) = kids.get(kid) else {
                continue;
            };
            let is_same = materials.len() == 1 && materials.contains(&Some(thumbprint));
            let mut copies = served_keys.get(kid).into_iter().flatten();
            let mut is_altered = || copies.any(|copy| is_altered(whole, copy));
            if is_same && is_altered() {
                found.altered.push(kid.to_owned());
            } else if is_same {
                found.own.extend(key.entry());
            } else {
                found.other_under.push(kid.to_owned());
            }
        }
        found
    }

    /// Says what the address should not serve. `known` are foreign keys that were reported before.
    pub fn faults(&self, known: &BTreeSet<String>) -> Vec<String> {
        let others = self.other_under.iter();
        let mut faults: Vec<_> = others
            .map(|kid| format!("serves another key under the kid {}", quote(kid)))
            .collect();
        let altered = self.altered.iter();
        faults.extend(altered.map(|kid| {
            format!(
                "serves {} with another alg, use, key_ops or x5c",
                quote(kid)
            )
        }));
        if self.foreign.iter().any(|key| !known.contains(key)) {
            let number = count(self.foreign.len(), "key");
            faults.push(format!("serves {number} that the set does not have"));
        }
        if self.has_private {
            faults.push("serves private keys".to_owned());
        }
        faults
    }

    /// Returns the fault of an address that lacks some of these keys; `None` if it has all of them.
    pub fn lacks<'n>(&self, names: impl IntoIterator<Item = &'n KeyName>) -> Option<String> {
        let is_served = |name: &&KeyName| {
            let public = name.kid.as_ref().and(name.public_thumbprint());
            public.is_none() || name.entry().is_some_and(|entry| self.own.contains(&entry))
        };
        let missing = names.into_iter().filter(|name| !is_served(name));
        let missing: Vec<_> = missing.map(KeyName::shown).collect();
        (!missing.is_empty()).then(|| {
            let names = list_names(&missing);
            format!("does not serve {names}: it serves an old copy or another set")
        })
    }
}

/// Returns true if a verifier can refuse a key that is served instead of our own, because of another purpose or
/// certificate. An address need not serve our `key_ops` and `x5c`.
fn is_altered(own: &Key, served: &Key) -> bool {
    let (one, other) = (Header::of(own), Header::of(served));
    if (one.alg, one.usage) != (other.alg, other.usage) {
        return true;
    }
    let (Ok(own), Ok(served)) = (own.members(), served.members()) else {
        return true;
    };
    ["key_ops", "x5c"].iter().any(|name| {
        let own = own.raw(name);
        let differs = |served| own.is_none_or(|own| !same_value(own, served));
        served.raw(name).is_some_and(differs)
    })
}
