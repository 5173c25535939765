//! Pairs local keys with the keys of a server.

use crate::key::Key;
use crate::key::summary::Header;
use crate::keyset::KeySet;
use crate::keyset::index::{Apart, Entry, Index, pair};
use crate::keyset::storage::Storage;
use std::collections::HashSet;

/// Returns, for each local key, the position of the same entry on the server: the same thumbprint and
/// kid, and of several entries the one with the same alg and use.
pub fn counterparts(local: &KeySet, remote: &KeySet, storage: &Storage) -> Vec<Option<usize>> {
    let there: Vec<_> = remote.keys.iter().map(Entry::of).collect();
    let ours: Vec<_> = local.keys.iter().map(Entry::of).collect();
    let named_there = |(entry, key): (&Entry, &Key)| {
        let kty = Header::of(key).kty;
        let kid = entry.kid.as_deref();
        Entry {
            kid: kid.map(|kid| (storage.kid)(kid, kty.as_deref())),
            ..entry.clone()
        }
    };
    let named: Vec<_> = ours.iter().zip(&local.keys).map(named_there).collect();
    let mut pairs = pair(&there, &named, Apart::SameKid);
    // A key on the server can lack the prefix that other kids have there.
    let claimed: HashSet<usize> = pairs.iter().flatten().copied().collect();
    let left: Vec<usize> = (0..there.len()).filter(|i| !claimed.contains(i)).collect();
    let bare = |i: &usize| pairs[*i].is_none() && named[*i] != ours[*i];
    let bare: Vec<usize> = (0..ours.len()).filter(bare).collect();
    let of = |all: &[Entry], places: &[usize]| -> Vec<Entry> {
        places.iter().map(|i| all[*i].clone()).collect()
    };
    let more = pair(&of(&there, &left), &of(&ours, &bare), Apart::SameKid);
    for (position, place) in bare.into_iter().zip(more) {
        pairs[position] = place.map(|place| left[place]);
    }
    pairs
}

/// Returns the position of one key on the server: the same thumbprint under the same kid.
pub fn counterpart(key: &Key, index: &Index, storage: &Storage) -> Option<usize> {
    let header = Header::of(key);
    let kty = header.kty.as_deref();
    let kid = header.kid.as_deref().map(|kid| (storage.kid)(kid, kty));
    match &kid {
        None => index.first(key),
        // A key on the server can lack the prefix that other kids have there.
        Some(kid) => index.first_under(key, [Some(kid), header.kid.as_deref(), None]),
    }
}
