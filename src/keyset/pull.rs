//! Taking in what a server holds: nothing that is here and not there is lost unless asked for.

use super::KeySet;
use super::index::Index;
use super::merge::{Merged, OnConflict};
use super::storage::Storage;
use crate::error::Result;
use crate::key::Key;
use crate::key::summary::Header;

impl KeySet<'_> {
    /// Merges a server's set into this one. A key that is here already keeps its private part,
    /// its kid, and every member that the server does not know.
    pub fn take_in(
        &mut self,
        server: &KeySet,
        storage: &Storage,
        on_conflict: OnConflict,
    ) -> Result<Merged> {
        for (name, value) in server.members() {
            let (name, value) = (name.to_string(), value.to_string());
            self.add_member(name.into(), value.into());
        }
        let index = Index::of(self);
        let keys = server.keys.iter();
        let keys = keys.map(|key| with_local_kid(key, self, &index, storage));
        let keys = keys.collect();
        self.merge(keys, on_conflict)
    }

    /// The same set with a key added, or put in the place of the one with its kid.
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

    /// The same set without some of its keys.
    pub fn without(&self, keys: &[Key]) -> KeySet<'static> {
        let mut set = self.clone().into_owned();
        set.keys.retain(|key| !keys.contains(key));
        set
    }

    /// The keys that are not in another set at all, as they are.
    pub fn absent_from(&self, other: &KeySet) -> Vec<Key<'static>> {
        let index = Index::of(other);
        let absent = self.keys.iter();
        let absent = absent.filter(|key| index.copies_of(key).is_empty());
        absent.map(|key| key.clone().into_owned()).collect()
    }
}

/// The server's key under the kid that the same key has here, where the two stand for each other.
fn with_local_kid(key: &Key, local: &KeySet, index: &Index, storage: &Storage) -> Key<'static> {
    let header = Header::of(key);
    let (own, kty) = (header.kid, header.kty.as_deref());
    let kids = index.copies_of(key).into_iter();
    let mut kids = kids.filter_map(|position| Header::of(&local.keys[position]).kid);
    let alike = kids.find(|kid| Some(storage.kid(kid, kty)) == own.as_deref().map(str::to_owned));
    match alike {
        Some(kid) if Some(&kid) != own.as_ref() => {
            Key::from(key.members().unwrap_or_default().with_kid(&kid))
        }
        _ => key.clone().into_owned(),
    }
}
