//! Where the keys of a set are, by kid and by what they are, for work over many keys.

use super::KeySet;
use crate::key::Key;
use crate::key::summary::Header;
use crate::key::thumbprint::thumbprint;
use std::collections::HashMap;

/// The positions of a set's keys.
#[derive(Debug, Default)]
pub struct Index {
    kids: HashMap<String, Vec<usize>>,
    identities: HashMap<String, Vec<(usize, Option<String>)>>,
}

/// What makes a key the same as another: its thumbprint, or else its text.
fn identity(key: &Key) -> String {
    let thumbprint = key.members().ok().and_then(|members| thumbprint(&members));
    thumbprint.unwrap_or_else(|| key.json().to_owned())
}

fn kid_of(key: &Key) -> Option<String> {
    Header::of(key).kid.map(|kid| kid.into_owned())
}

impl Index {
    /// The index of a set.
    pub fn of(set: &KeySet) -> Index {
        let mut index = Index::default();
        for (position, key) in set.keys.iter().enumerate() {
            index.add(position, key);
        }
        index
    }

    /// Adds the key at a position.
    pub fn add(&mut self, position: usize, key: &Key) {
        let kid = kid_of(key);
        if let Some(kid) = kid.clone() {
            self.kids.entry(kid).or_default().push(position);
        }
        self.identities
            .entry(identity(key))
            .or_default()
            .push((position, kid));
    }

    /// Takes the key at a position out again.
    pub fn remove(&mut self, position: usize, key: &Key) {
        if let Some(positions) = kid_of(key).and_then(|kid| self.kids.get_mut(&kid)) {
            positions.retain(|other| *other != position);
        }
        if let Some(copies) = self.identities.get_mut(&identity(key)) {
            copies.retain(|(other, _)| *other != position);
        }
    }

    /// The positions of the keys with a kid.
    pub fn with_kid(&self, kid: &str) -> &[usize] {
        self.kids.get(kid).map_or(&[], Vec::as_slice)
    }

    /// The positions of the same key, under whatever kids.
    pub fn copies_of(&self, key: &Key) -> Vec<usize> {
        let copies = self.identities.get(&identity(key));
        copies
            .into_iter()
            .flatten()
            .map(|(position, _)| *position)
            .collect()
    }

    /// The same with the kids of the copies.
    pub fn copies_with_kids(&self, key: &Key) -> impl Iterator<Item = (usize, Option<&str>)> {
        let copies = self.identities.get(&identity(key)).into_iter().flatten();
        copies.map(|(position, kid)| (*position, kid.as_deref()))
    }

    /// The position of the same key under the same kid, where one of the two may have none.
    pub fn position_of(&self, key: &Key) -> Option<usize> {
        let copies = self.identities.get(&identity(key))?;
        let with = |wanted: Option<String>| {
            let found = copies.iter().find(|(_, kid)| *kid == wanted);
            found.map(|(position, _)| *position)
        };
        match kid_of(key) {
            Some(kid) => with(Some(kid)).or_else(|| with(None)),
            None => copies.first().map(|(position, _)| *position),
        }
    }
}
