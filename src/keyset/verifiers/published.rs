//! The keys that verifiers see.

use crate::key::check::Budget;
use crate::key::header::Header;
use crate::key::members::Members;
use crate::key::public::Dates;
use crate::keyset::KeySet;

/// The keys of a set as verifiers see them.
pub struct Published<'a> {
    /// The keys.
    pub keys: Vec<Members<'a>>,
    /// The position of each key in the whole set.
    places: Vec<usize>,
}

impl<'a> Published<'a> {
    /// Returns the keys of a document that is published as it is. Keys that are not JSON objects are left
    /// out.
    pub fn as_it_is(set: &'a KeySet) -> Published<'a> {
        let keys = set.keys.iter().enumerate();
        let keys = keys.filter_map(|(place, key)| Some((place, key.members().ok()?)));
        let (places, keys) = keys.unzip();
        Published { keys, places }
    }

    /// Returns the public form of the keys that have not expired, as `jwks export` writes it. `now` is in
    /// seconds since 1970.
    pub fn public(set: &KeySet, now: i64, budget: &Budget) -> Published<'static> {
        let has_expired = |i: &usize| Header::of(&set.keys[*i]).exp.is_some_and(|exp| exp <= now);
        let positions: Vec<usize> = (0..set.keys.len()).filter(|i| !has_expired(i)).collect();
        let published = set.publish(&positions, Dates::Drop, budget);
        Published {
            keys: published.keys,
            places: published.positions,
        }
    }

    /// Returns the positions of the keys that fit, among the published keys.
    pub fn positions(&self, mut fits: impl FnMut(&Members) -> bool) -> Vec<usize> {
        let keys = self.keys.iter().enumerate();
        let keys = keys.filter(|(_, members)| fits(members));
        keys.map(|(position, _)| position).collect()
    }

    /// Returns the position in the whole set of a published key.
    pub fn place(&self, position: usize) -> usize {
        self.places[position]
    }
}
