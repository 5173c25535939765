//! Which key of a server a local key stands for.

use crate::key::Key;
use crate::key::summary::Header;
use crate::keyset::KeySet;
use crate::keyset::index::{Apart, Entry, Index, pair};
use crate::keyset::storage::Storage;
use std::collections::HashSet;

/// Returns for each local key the position of the same key on the server: the same thumbprint under the
/// same kid, where one of the two may have no kid. If a key is listed several times, the entries with the
/// same `alg` and `use` belong together; no entry stands for two.
pub fn counterparts(local: &KeySet, there: &KeySet, storage: &Storage) -> Vec<Option<usize>> {
    let theirs: Vec<_> = there.keys.iter().map(Entry::of).collect();
    let ours: Vec<_> = local.keys.iter().map(Entry::of).collect();
    let renamed = ours.iter().zip(&local.keys).map(|(entry, key)| {
        let kty = Header::of(key).kty;
        let kid = entry.kid.as_deref();
        Entry {
            kid: kid.map(|kid| (storage.kid)(kid, kty.as_deref())),
            ..entry.clone()
        }
    });
    let renamed: Vec<_> = renamed.collect();
    let mut pairs = pair(&theirs, &renamed, Apart::SameKid);
    // A key can have come there without what other kids begin with.
    let left = (0..ours.len()).filter(|i| pairs[*i].is_none() && renamed[*i] != ours[*i]);
    let left: Vec<usize> = left.collect();
    if !left.is_empty() {
        let taken: HashSet<usize> = pairs.iter().flatten().copied().collect();
        let free: Vec<usize> = (0..theirs.len()).filter(|i| !taken.contains(i)).collect();
        let entries = |all: &[Entry], some: &[usize]| -> Vec<Entry> {
            some.iter().map(|i| all[*i].clone()).collect()
        };
        let found = pair(
            &entries(&theirs, &free),
            &entries(&ours, &left),
            Apart::SameKid,
        );
        for (i, found) in left.into_iter().zip(found) {
            pairs[i] = found.map(|found| free[found]);
        }
    }
    pairs
}

/// Returns the position of one key on the server, whatever it is for: the same thumbprint under the same
/// kid.
pub fn counterpart(key: &Key, index: &Index, storage: &Storage) -> Option<usize> {
    let header = Header::of(key);
    let kty = header.kty.as_deref();
    let kid = header.kid.as_deref().map(|kid| (storage.kid)(kid, kty));
    let mut copies = index.copies_with_kids(key);
    copies
        .find(|(_, other)| {
            // A key can have come there without what other kids begin with.
            let is_alike = *other == kid.as_deref() || *other == header.kid.as_deref();
            other.is_none() || kid.is_none() || is_alike
        })
        .map(|(position, _)| position)
}
