//! Indexes the keys of a set for a merge.

use crate::key::Key;
use crate::key::parts::holds_secret;
use crate::keyset::index::Entry;
use std::collections::{HashMap, HashSet};

/// The keys of the set that one document has, too, while it is merged.
pub(super) struct ExistingKeys {
    pub entries: HashMap<Entry, usize>,
    /// The identity and kid of each key.
    pub kids: HashSet<(String, Option<String>)>,
    /// The kid of the first entry of each key, by identity.
    pub known: HashMap<String, Option<String>>,
    /// The keys with a private part, by identity and kid.
    pub private: HashMap<(String, Option<String>), usize>,
    /// The keys with a private part, by identity alone.
    pub any_private: HashMap<String, usize>,
}

impl ExistingKeys {
    /// Indexes keys. `entries` are their positions and entries.
    pub fn of<'e>(keys: &[Key], entries: impl Iterator<Item = (usize, &'e Entry)>) -> ExistingKeys {
        let mut existing = ExistingKeys {
            entries: HashMap::new(),
            kids: HashSet::new(),
            known: HashMap::new(),
            private: HashMap::new(),
            any_private: HashMap::new(),
        };
        for (position, entry) in entries {
            existing.add(entry, position);
            if holds_secret(&keys[position]) {
                let name = (entry.identity.clone(), entry.kid.clone());
                existing.private.entry(name).or_insert(position);
                let any = existing.any_private.entry(entry.identity.clone());
                any.or_insert(position);
            }
        }
        existing
    }

    pub fn add(&mut self, entry: &Entry, position: usize) {
        self.entries.entry(entry.clone()).or_insert(position);
        self.kids
            .insert((entry.identity.clone(), entry.kid.clone()));
        let known = self.known.entry(entry.identity.clone());
        known.or_insert_with(|| entry.kid.clone());
    }

    /// Returns the entry of a new key. If its kid is only its thumbprint, and the set has the key under
    /// another kid, the kid is ignored.
    pub fn without_weak_kid(&self, mut entry: Entry) -> Entry {
        let is_weak = entry.kid.as_deref() == Some(&*entry.identity);
        let name = (entry.identity.clone(), entry.kid.clone());
        if is_weak && self.known.contains_key(&entry.identity) && !self.kids.contains(&name) {
            entry.kid = None;
        }
        entry
    }

    /// The key of the set with a private part and this kid; a kid that is absent on one side matches.
    pub fn private_of(&self, entry: &Entry) -> Option<usize> {
        let named = |kid| self.private.get(&(entry.identity.clone(), kid));
        let found = match &entry.kid {
            Some(kid) => named(Some(kid.clone())).or_else(|| named(None)),
            None => self.any_private.get(&entry.identity),
        };
        found.copied()
    }
}
