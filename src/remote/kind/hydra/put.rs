//! Writes keys to a Hydra: the whole set in one call, or one key by itself.

use crate::error::{Error, Result};
use crate::key::Key;
use crate::key::header::Header;
use crate::keyset::KeySet;
use crate::keyset::index::identity;
use crate::keyset::key_name::KeyName;
use crate::keyset::server_rules::{ServerRules, Signing};
use crate::remote::kind::hydra::key_pairs::{bare_kids, split};
use crate::remote::kind::hydra::limits::fits_in_path;
use crate::remote::kind::hydra::version::has_certificate_members;
use crate::remote::kind::hydra::{COMMON, Hydra, MEMBERS};
use crate::remote::kind::{Server as _, ServerKind};
use std::collections::{HashMap, HashSet};
use ureq::http::Method;

impl Hydra {
    /// Returns the entries as which a key is stored.
    pub(super) fn entries(&self, key: &Key, bare_kids: &HashSet<String>) -> Vec<Key<'static>> {
        let members = if has_certificate_members(key) {
            self.members()
        } else {
            MEMBERS
        };
        entries_of(key, members, self.in_halves(), bare_kids)
    }

    /// Puts a whole set. It is sent in reverse, so that GET returns it in the order of `entries`.
    /// Returns an error if two entries have one kid.
    pub(super) fn put_entries(&self, set: &str, entries: Vec<Key>) -> Result<()> {
        // Some versions lose the set if it contains a kid twice.
        let mut kids = HashSet::new();
        for entry in &entries {
            let kid = Header::of(entry).kid.unwrap_or_default();
            if !kids.insert(kid.clone()) {
                return Err(Error::refused(format!(
                    "the server would have two keys with the kid {kid:?}"
                ))
                .hint("give one of the two another kid"));
            }
        }
        let body = body(&entries);
        self.call(Method::PUT, &[set], Some(body)).map(drop)
    }

    /// Puts one key into a set, where it comes first. The caller has made sure that paths can name
    /// its entries.
    pub(super) fn put_alone(&self, set: &str, entries: &[Key]) -> Result<()> {
        // The entry that is put last comes first in the answer of GET.
        for entry in entries.iter().rev() {
            let kid = Header::of(entry).kid.unwrap_or_default().into_owned();
            self.call(Method::PUT, &[set, &kid], Some(entry.json().to_owned()))?;
        }
        Ok(())
    }

    /// Returns the only key that a write adds or changes, if it can be put by itself: nothing else changes,
    /// and the same key signs when that one comes first. Such a PUT does not remove keys that somebody else
    /// adds at the same time.
    pub(super) fn single<'s>(&self, before: &KeySet, after: &'s KeySet) -> Option<&'s Key<'s>> {
        // The halves of a pair need two calls, and between them the server could not sign.
        if self.in_halves() {
            return None;
        }
        let rules = self.rules(&[before, after]).unwrap_or(self.kind.rules);
        let copy = copies_in(before, &rules);
        let is_same =
            |key: &Key| copy(key).is_some_and(|copy| rules.differences(key, copy).is_empty());
        let mut changed = after.keys.iter().filter(|key| !is_same(key));
        let (single, None) = (changed.next()?, changed.next()) else {
            return None;
        };
        let is_new = copy(single).is_none();
        if after.keys.len() != before.keys.len() + usize::from(is_new) {
            return None;
        }
        let others = after.keys.iter().filter(|key| *key != single).cloned();
        let first = std::iter::once(single.clone()).chain(others);
        let as_put = KeySet::from(first.collect::<Vec<_>>());
        let signer = |set: &KeySet| rules.signer(set).map(KeyName::of);
        let keeps_signer = signer(&as_put) == signer(after);
        let bare = bare_kids(before);
        let entries = self.entries(single, &bare);
        (keeps_signer && entries.iter().all(fits_path)).then_some(single)
    }
}

/// Returns the entries as which a server keeps a key, with these members.
fn entries_of(
    key: &Key,
    members: &'static [&'static str],
    in_halves: bool,
    bare_kids: &HashSet<String>,
) -> Vec<Key<'static>> {
    let rules = ServerRules {
        members: Some(members),
        ..COMMON.rules
    };
    let form = rules.form(&key.members().unwrap_or_default());
    if in_halves {
        split(form, bare_kids)
    } else {
        vec![Key::from(form)]
    }
}

/// Returns the body of a PUT of a whole set. GET returns the entries in reverse.
fn body(entries: &[Key]) -> String {
    let entries: Vec<&str> = entries.iter().rev().map(Key::json).collect();
    format!(r#"{{"keys":[{}]}}"#, entries.join(","))
}

/// Returns the body of the call that gives a new set to a server of this kind, whose first key signs.
pub fn document(kind: &ServerKind, set: &KeySet) -> String {
    let in_halves = kind.rules.signing == Signing::FirstPair;
    let entries = set
        .keys
        .iter()
        .flat_map(|key| entries_of(key, MEMBERS, in_halves, &HashSet::new()));
    body(&entries.collect::<Vec<_>>())
}

/// Returns a function that finds the copy of a key in a server's set: the same key under the kid that
/// it has there. A lookup takes the same time however many keys there are.
fn copies_in<'b>(
    before: &'b KeySet,
    rules: &'b ServerRules,
) -> impl Fn(&Key) -> Option<&'b Key<'b>> {
    let name = |key: &Key| (identity(key), rules.kid_of(key));
    let mut there = HashMap::new();
    for key in &before.keys {
        there.entry(name(key)).or_insert(key);
    }
    move |key| there.get(&name(key)).copied()
}

/// Returns true if the path of a call can name an entry.
pub(super) fn fits_path(entry: &Key) -> bool {
    fits_in_path(&Header::of(entry).kid.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::step_counter;

    /// The steps it takes to find each of `count` copies of one key under kids of their own.
    fn steps_to_find_all(count: usize) -> u64 {
        const KEY: &str =
            r#""kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo""#;
        let key = |i| Key::from_json(format!(r#"{{{KEY},"kid":"{i}"}}"#));
        let set = KeySet::from((0..count).map(key).collect::<Vec<_>>());
        let before = step_counter::counted();
        let copy = copies_in(&set, &COMMON.rules);
        assert!(set.keys.iter().all(|key| copy(key) == Some(key)));
        step_counter::counted() - before
    }

    #[test]
    fn copies_of_one_key_are_found_in_linear_time() {
        let (once, twice) = (steps_to_find_all(50), steps_to_find_all(100));
        assert!(once > 0 && twice <= 2 * once + 10, "{once} to {twice}");
    }
}
