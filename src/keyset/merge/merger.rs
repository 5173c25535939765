//! Merges the keys of documents into a set, one document after the other.

use crate::error::{Error, Result};
use crate::key::Key;
use crate::key::certificate;
use crate::key::check::{Budget, is_usable, public_findings};
use crate::key::parts::has_private_member;
use crate::keyset::KeySet;
use crate::keyset::index::{Apart, Entry, identity, pair};
use crate::keyset::key_name::KeyName;
use crate::keyset::merge::Merged;
use crate::keyset::merge::conflict::{conflict, contradiction, contradicts, named_by_thumbprint};
use crate::keyset::merge::existing::ExistingKeys;
use crate::keyset::merge::update::update;
use crate::keyset::terms::{OnConflict, Origin, Terms};
use std::collections::{HashMap, HashSet};

/// The most different copies of one entry that a document can have.
const MOST_COPIES: usize = 100;

/// A merge of keys into a set.
///
/// An entry with the same thumbprint, kid, alg and use is updated; a kid, alg or use that is absent on
/// one side also matches. The same key with another kid, alg or use is an entry of its own, so that no
/// entry is lost. It is a conflict if a new key has the kid of another key of the set, or has the
/// thumbprint of one as its kid. Two new keys can share a kid, because only their owner can correct
/// that.
pub struct Merger<'a, 't> {
    pub keys: Vec<Key<'a>>,
    pub merged: Merged,
    terms: &'t Terms<'t>,
    /// The keys of the set before the merge, by kid; for each kid only as many as it takes to find
    /// conflicts.
    kids: HashMap<String, Vec<(String, usize)>>,
    /// The keys of the set before the merge, by identity.
    identities: HashMap<String, usize>,
    /// The entry of each key.
    entries: Vec<Entry>,
    /// The positions of each key, by identity.
    positions: HashMap<String, Vec<usize>>,
    /// The positions of keys that were replaced by a new key.
    taken: HashSet<usize>,
    /// The work that checks can still do if the terms give none.
    budget: Budget,
}

impl<'a, 't> Merger<'a, 't> {
    /// Starts a merge. The set itself is not changed; the caller takes the keys from here.
    pub fn into_set(set: &KeySet<'a>, terms: &'t Terms<'t>) -> Self {
        let mut kids: HashMap<String, Vec<(String, usize)>> = HashMap::new();
        let mut identities = HashMap::new();
        let mut positions: HashMap<String, Vec<usize>> = HashMap::new();
        let entries: Vec<_> = set.keys.iter().map(Entry::of).collect();
        for (position, entry) in entries.iter().enumerate() {
            if let Some(kid) = &entry.kid {
                let holders = kids.entry(kid.clone()).or_default();
                let same = holders.iter().filter(|(other, _)| *other == entry.identity);
                // Keep enough keys that two other ones are found for every key, if there are two.
                if holders.len() < 4 && same.count() < 2 {
                    holders.push((entry.identity.clone(), position));
                }
            }
            let first = identities.entry(entry.identity.clone());
            first.or_insert(position);
            place(&mut positions, entry, position);
        }
        Merger {
            keys: set.keys.clone(),
            merged: Merged::default(),
            terms,
            kids,
            identities,
            entries,
            positions,
            taken: HashSet::new(),
            budget: Budget::default(),
        }
    }

    /// Merges the keys of one document, in their order. Returns an error for an unresolved conflict, a
    /// private part that differs from the set's, and too many different copies of a key.
    pub fn merge_document(&mut self, keys: Vec<Key<'static>>, origin: Origin) -> Result<()> {
        let entries: Vec<_> = keys.iter().map(Entry::of).collect();
        // The keys of the document alone are looked up, so that many small documents cost no more than a
        // large one.
        let positions = self.positions_of(&entries);
        let ours = positions.iter().map(|position| &self.entries[*position]);
        let ours: Vec<&Entry> = ours.collect();
        let known = positions.iter().copied().zip(ours.iter().copied());
        let mut existing = ExistingKeys::of(&self.keys, known);
        let theirs = entries.into_iter();
        let theirs: Vec<_> = theirs
            .map(|entry| existing.without_weak_kid(entry))
            .collect();
        let pairs = pair(&ours, &theirs, Apart::Absent).into_iter();
        let pairs: Vec<_> = pairs.map(|pair| pair.map(|i| positions[i])).collect();
        let mut taken: HashSet<_> = pairs.iter().flatten().copied().collect();
        let mut certificates = Vec::new();
        let mut copies: HashMap<usize, HashSet<String>> = HashMap::new();
        for ((key, entry), same) in keys.into_iter().zip(theirs).zip(pairs) {
            let mut same = same.or_else(|| existing.entries.get(&entry).copied());
            // A server cannot add an entry for another alg or use of a key whose private part is here.
            if origin.is_server() && same.is_none() {
                same = existing.private_of(&entry);
                if let Some(own) = same.filter(|own| !taken.insert(*own)) {
                    self.keep(own, &key, origin);
                    continue;
                }
            }
            if let Some(position) = same {
                // Each copy is compared with all that the copies before it have brought.
                let seen = copies.entry(position).or_default();
                if !seen.insert(key.json().to_owned()) {
                    self.merged
                        .unchanged
                        .push(KeyName::of(&self.keys[position]));
                    continue;
                }
                if seen.len() > MOST_COPIES {
                    let name = KeyName::of(&key);
                    return Err(Error::invalid(format!(
                        "the key {} is in the input more than {MOST_COPIES} times, each time with other members",
                        name.shown()
                    )));
                }
            }
            let is_bare = entry.kid.as_ref().is_none_or(|kid| *kid == entry.identity);
            let certificate = (origin == Origin::Document && is_bare).then(|| key.clone());
            if let Some(position) = self.merge_key(key, &entry, same, &existing, origin)? {
                existing.add(&entry, position);
                certificates.extend(certificate.map(|key| (key, position)));
            }
        }
        self.attach_to_copies(&certificates);
        Ok(())
    }

    /// Returns the positions of the keys that have entries among these, in ascending order.
    fn positions_of(&self, entries: &[Entry]) -> Vec<usize> {
        let identities: HashSet<&str> = entries.iter().map(|entry| &*entry.identity).collect();
        let positions = identities.into_iter();
        let positions = positions.filter_map(|identity| self.positions.get(identity));
        let mut positions: Vec<usize> = positions.flatten().copied().collect();
        positions.sort_unstable();
        positions
    }

    /// Replaces the key at a position.
    fn replace(&mut self, position: usize, key: Key<'static>) -> Key<'a> {
        let entry = Entry::of(&key);
        let before = &self.entries[position].identity;
        if *before != entry.identity {
            if let Some(positions) = self.positions.get_mut(before) {
                positions.retain(|other| *other != position);
            }
            place(&mut self.positions, &entry, position);
        }
        self.entries[position] = entry;
        std::mem::replace(&mut self.keys[position], key)
    }

    /// Attaches the certificate of a key without a kid of its own, which is attached at one position, to
    /// all other entries of that key.
    fn attach_to_copies(&mut self, certificates: &[(Key<'static>, usize)]) {
        let mut certified: HashMap<String, (&Key, usize)> = HashMap::new();
        for (key, position) in certificates {
            if key.members().is_ok_and(|members| members.has("x5c")) {
                certified.insert(identity(key), (key, *position));
            }
        }
        let mut copies = Vec::new();
        for (identity, (key, attached)) in certified {
            let positions = self.positions.get(&identity).into_iter().flatten();
            let others = positions.filter(|position| **position != attached);
            copies.extend(others.map(|position| (*position, key)));
        }
        copies.sort_unstable_by_key(|(position, _)| *position);
        for (position, key) in copies {
            if let Some(new) = with_certificate(&self.keys[position], key) {
                self.merged.updated.push(KeyName::of(&new));
                self.replace(position, new);
            }
        }
    }

    /// Merges one key, and returns its position; `None` if it was skipped.
    fn merge_key(
        &mut self,
        mut key: Key<'static>,
        entry: &Entry,
        same: Option<usize>,
        existing: &ExistingKeys,
        origin: Origin,
    ) -> Result<Option<usize>> {
        let mut rivals = self.rivals(&key, entry, same);
        if let Some(position) = same
            && self.keys[position] != key
            && !is_usable(&public_findings(&key))
        {
            // An invalid key must not change a good one.
            if origin.is_server() {
                self.keep(position, &key, origin);
                return Ok(Some(position));
            }
            rivals.push(position);
        }
        if same.is_some() && entry.kid.is_none() {
            let mut members = key.members().unwrap_or_default();
            if members.has("kid") {
                members.remove("kid");
                key = Key::from(members);
            }
        }
        if let Some(rival) = rivals.first().copied() {
            return self.resolve_conflict(key, &rivals, rival, existing, origin);
        }
        let Some(position) = same else {
            return Ok(Some(self.add(key, entry, existing, origin)));
        };
        if contradicts(&self.keys[position], &key) {
            return Err(contradiction(&self.keys[position]));
        }
        let budget = self.terms.budget.unwrap_or(&self.budget);
        let update = update(&self.keys[position], &key, origin, self.terms, budget);
        if !update.kept.is_empty() {
            let name = KeyName::of(&self.keys[position]);
            self.merged.differing.push((name, update.kept));
        }
        match update.key {
            Some(new) => {
                self.merged.updated.push(KeyName::of(&new));
                if update.brings_private && origin.is_server() {
                    self.merged.private.push(KeyName::of(&new));
                }
                self.replace(position, new);
            }
            None => {
                let name = KeyName::of(&self.keys[position]);
                self.merged.unchanged.push(name);
            }
        }
        Ok(Some(position))
    }

    /// Returns the keys of the set that conflict with a new key: they have its kid, or its kid is their
    /// thumbprint.
    fn rivals(&self, key: &Key, entry: &Entry, same: Option<usize>) -> Vec<usize> {
        let Some(kid) = KeyName::of(key).kid else {
            return Vec::new();
        };
        let holders = self.kids.get(&kid).into_iter().flatten();
        let is_other = |(identity, position): &&(String, usize)| {
            *identity != entry.identity && Some(*position) != same
        };
        let mut rivals: Vec<_> = holders.filter(is_other).map(|(_, i)| *i).collect();
        if same.is_none() && kid != entry.identity {
            rivals.extend(self.identities.get(&kid));
        }
        rivals
    }

    /// Resolves a conflict between a new key and keys of the set.
    fn resolve_conflict(
        &mut self,
        key: Key<'static>,
        rivals: &[usize],
        rival: usize,
        existing: &ExistingKeys,
        origin: Origin,
    ) -> Result<Option<usize>> {
        let kid = KeyName::of(&key).kid.unwrap_or_default();
        let has_kid = KeyName::of(&self.keys[rival]).kid.as_deref() == Some(&*kid);
        match self.terms.on_conflict {
            OnConflict::Replace if has_kid && rivals.len() == 1 && self.taken.insert(rival) => {
                if origin.is_server() && has_private_member(&key) {
                    self.merged.private.push(KeyName::of(&key));
                }
                self.merged.added.push(KeyName::of(&key));
                let lost = self.replace(rival, key);
                self.merged.replaced.push(lost.into_owned());
                Ok(Some(rival))
            }
            OnConflict::Skip => {
                self.merged.skipped.push(KeyName::of(&key));
                Ok(None)
            }
            OnConflict::Rekey => {
                let key = named_by_thumbprint(&key)?;
                let entry = Entry::of(&key);
                let same = existing.entries.get(&entry).copied();
                self.merge_key(key, &entry, same, existing, origin)
            }
            OnConflict::Fail | OnConflict::Replace
                if identity(&key) == identity(&self.keys[rival]) =>
            {
                Err(Error::refused(format!(
                    "the input has an invalid copy of the key {kid:?}"
                ))
                .hint(
                    "pass --on-conflict skip to keep the set's key, or replace to take the input's",
                ))
            }
            OnConflict::Fail | OnConflict::Replace => Err(conflict(&kid, &self.keys[rival])),
        }
    }

    fn add(
        &mut self,
        key: Key<'static>,
        entry: &Entry,
        existing: &ExistingKeys,
        origin: Origin,
    ) -> usize {
        let name = KeyName::of(&key);
        let known = existing.known.get(&entry.identity);
        if known.is_some_and(|kid| *kid != entry.kid) {
            self.merged.aliases.push(name.clone());
        }
        if origin.is_server() && has_private_member(&key) {
            self.merged.private.push(name.clone());
        }
        self.merged.added.push(name);
        let position = self.keys.len();
        let own = Entry::of(&key);
        place(&mut self.positions, &own, position);
        self.entries.push(own);
        self.keys.push(key);
        position
    }

    /// Keeps a key of the set unchanged, and records the members that differ on the server.
    fn keep(&mut self, position: usize, key: &Key, origin: Origin) {
        let own = &self.keys[position];
        let budget = self.terms.budget.unwrap_or(&self.budget);
        let kept = update(own, key, origin, &Terms::default(), budget).kept;
        self.merged.unchanged.push(KeyName::of(own));
        if !kept.is_empty() {
            self.merged.differing.push((KeyName::of(own), kept));
        }
    }
}

/// Adds the position of an entry.
fn place(positions: &mut HashMap<String, Vec<usize>>, entry: &Entry, position: usize) {
    let all = positions.entry(entry.identity.clone());
    all.or_default().push(position);
}

/// Returns a key with the certificate of another; `None` if that changes nothing.
fn with_certificate(own: &Key, certified: &Key) -> Option<Key<'static>> {
    let before = own.members().ok()?;
    let mut after = before.clone().into_owned();
    certificate::take_over(&mut after, &certified.members().ok()?);
    (after != before).then(|| Key::from(after))
}
