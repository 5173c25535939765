//! Pairs local keys with the keys of a server.

use crate::key::Key;
use crate::key::header::Header;
use crate::keyset::KeySet;
use crate::keyset::index::{Apart, Entry, Index, pair};
use crate::keyset::server_rules::ServerRules;
use std::collections::HashSet;

/// Returns, for each local key, the position of the same entry on the server: the same thumbprint and
/// kid, and of several entries the one with the same alg and use.
pub fn counterparts(local: &KeySet, remote: &KeySet, rules: &ServerRules) -> Vec<Option<usize>> {
    let remote_entries: Vec<_> = remote.keys.iter().map(Entry::of).collect();
    let ours: Vec<_> = local.keys.iter().map(Entry::of).collect();
    let named: Vec<_> = local.keys.iter().map(|key| rules.entry(key)).collect();
    let mut pairs = pair(&remote_entries, &named, Apart::SameKid);
    // A key on the server can lack the prefix that other kids have there.
    let claimed: HashSet<usize> = pairs.iter().flatten().copied().collect();
    let left: Vec<usize> = (0..remote_entries.len())
        .filter(|i| !claimed.contains(i))
        .collect();
    let bare = |i: &usize| pairs[*i].is_none() && named[*i] != ours[*i];
    let bare: Vec<usize> = (0..ours.len()).filter(bare).collect();
    let of = |all: &[Entry], places: &[usize]| -> Vec<Entry> {
        places.iter().map(|i| all[*i].clone()).collect()
    };
    let more = pair(
        &of(&remote_entries, &left),
        &of(&ours, &bare),
        Apart::SameKid,
    );
    for (position, place) in bare.into_iter().zip(more) {
        pairs[position] = place.map(|place| left[place]);
    }
    pairs
}

/// Returns the position of one key on the server: the same thumbprint under the same kid.
pub fn counterpart(key: &Key, index: &Index, rules: &ServerRules) -> Option<usize> {
    match &rules.kid_of(key) {
        None => index.first(key),
        // A key on the server can lack the prefix that other kids have there.
        Some(kid) => index.first_under(key, [Some(kid), Header::of(key).kid.as_deref(), None]),
    }
}
