//! Prepares a server's keys for a pull, and finds the keys that only one side has.

use crate::key::Key;
use crate::key::header::Header;
use crate::key::members::same_value;
use crate::key::parts::{holds_secret, is_key_pair};
use crate::keyset::KeySet;
use crate::keyset::index::{Apart, Entry, identity, pair};
use crate::keyset::lifecycle;
use crate::keyset::server_rules::ServerRules;
use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

/// The thumbprint or text of a key, and its kid.
type Name = (String, Option<String>);

impl KeySet<'_> {
    /// Returns the keys of a server in local form: with their local kids, and ordered so that the key
    /// that signs there is the newest.
    pub(super) fn in_local_form(
        &self,
        server: &KeySet,
        rules: &ServerRules,
        now: i64,
    ) -> Vec<Key<'static>> {
        let local = self.kids_there(rules);
        let keys = server.keys.iter();
        let keys = keys.map(|key| with_local_kid(key, &local));
        let keys: Vec<_> = keys.collect();
        if rules.order_decides() {
            newest_last(self.with_signer_dated(keys, now))
        } else {
            keys
        }
    }

    /// Returns the kid of each local key, by the identity of the key and the kid that it has on the server.
    /// Returns none if all have the same kid there.
    fn kids_there(&self, rules: &ServerRules) -> HashMap<Name, String> {
        let mut kids = HashMap::new();
        let is_renamed = |key: &Key| {
            let header = Header::of(key);
            let there = |kid: &Cow<str>| (rules.kid)(kid, header.kty.as_deref());
            header.kid.as_ref().is_some_and(|kid| there(kid) != **kid)
        };
        if !self.keys.iter().any(is_renamed) {
            return kids;
        }
        for key in &self.keys {
            let header = Header::of(key);
            if let Some(kid) = header.kid {
                let there = (rules.kid)(&kid, header.kty.as_deref());
                let there = kids.entry((identity(key), Some(there)));
                there.or_insert_with(|| kid.into_owned());
            }
        }
        kids
    }

    /// Returns true if both sets hold the same keys in the same order, compared by value.
    pub fn is_alike(&self, other: &KeySet) -> bool {
        let is_alike = |(one, other): (&Key, &Key)| same_value(one.json(), other.json());
        self.keys.len() == other.keys.len() && self.keys.iter().zip(&other.keys).all(is_alike)
    }

    /// Returns the set with a key added; it replaces the key with its kid.
    pub fn with(&self, key: &Key) -> KeySet<'static> {
        let mut set = self.clone().into_owned();
        let kid = Header::of(key).kid;
        let place = set.keys.iter().position(|other| {
            let other = Header::of(other).kid;
            other.is_some() && other == kid
        });
        let key = key.clone().into_owned();
        match place {
            Some(place) => set.keys[place] = key,
            None => set.keys.push(key),
        }
        set
    }

    /// Returns the set without some of its keys.
    pub fn without(&self, keys: &[Key]) -> KeySet<'static> {
        let mut set = self.clone().into_owned();
        let without: HashSet<&str> = keys.iter().map(Key::json).collect();
        set.keys.retain(|key| !without.contains(key.json()));
        set
    }

    /// Returns the keys that another set does not have. A public entry also counts if the other set has
    /// the same key and kid only for another use.
    pub fn absent_from(&self, other: &KeySet) -> Vec<Key<'static>> {
        let entries = |set: &KeySet| set.keys.iter().map(Entry::of).collect::<Vec<_>>();
        let (ours, theirs) = (entries(self), entries(other));
        let name = |entry: &Entry| (entry.identity.clone(), entry.kid.clone());
        let identities: HashSet<&str> = theirs.iter().map(|entry| &*entry.identity).collect();
        let kids: HashSet<_> = theirs.iter().map(name).collect();
        let pairs = pair(&theirs, &ours, Apart::SameKid);
        let is_absent = |position: &usize| {
            let entry = &ours[*position];
            let is_left = pairs[*position].is_none() && !holds_secret(&self.keys[*position]);
            !identities.contains(&*entry.identity) || is_left && kids.contains(&name(entry))
        };
        let absent = (0..ours.len()).filter(is_absent);
        absent.map(|i| self.keys[i].clone().into_owned()).collect()
    }
}

impl KeySet<'_> {
    /// Sets `iat` of the server's signing key to now if the key is new here and other keys of its line
    /// have dates. Without a date it would count as older than those.
    fn with_signer_dated(&self, mut keys: Vec<Key<'static>>, now: i64) -> Vec<Key<'static>> {
        let Some(signer) = keys.iter_mut().find(|key| is_key_pair(key)) else {
            return keys;
        };
        let is_dated = |header: &Header| header.iat.is_some() || header.nbf.is_some();
        let header = Header::of(signer);
        let is_outshone =
            self.keys.iter().map(Header::of).any(|other| {
                is_dated(&other) && lifecycle::line(&other) == lifecycle::line(&header)
            });
        let is_new = || {
            let new = identity(signer);
            !self.keys.iter().any(|own| identity(own) == new)
        };
        if is_outshone && !is_dated(&header) && is_new() {
            let mut members = signer.members().unwrap_or_default();
            members.set_number("iat", now);
            *signer = Key::from(members);
        }
        keys
    }
}

/// Reverses the order of the keys in each line, from newest first on the server to newest last here,
/// so that the key that signs there is active. The lines keep their order.
fn newest_last(keys: Vec<Key<'static>>) -> Vec<Key<'static>> {
    let mut lines: Vec<Vec<Key<'static>>> = Vec::new();
    let mut places: HashMap<String, usize> = HashMap::new();
    for key in keys.into_iter().rev() {
        let line = format!("{:?}", lifecycle::line(&Header::of(&key)));
        let place = *places.entry(line).or_insert(lines.len());
        if place == lines.len() {
            lines.push(Vec::new());
        }
        lines[place].push(key);
    }
    lines.into_iter().rev().flatten().collect()
}

/// Returns the server's key with the kid that the same key has here, if the two kids match.
fn with_local_kid(key: &Key, local: &HashMap<Name, String>) -> Key<'static> {
    let own = Header::of(key).kid.map(Cow::into_owned);
    match local.get(&(identity(key), own.clone())) {
        Some(kid) if Some(kid) != own.as_ref() => {
            Key::from(key.members().unwrap_or_default().with_kid(kid))
        }
        _ => key.clone().into_owned(),
    }
}
