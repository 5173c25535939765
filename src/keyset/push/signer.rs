//! Who signs after a push, where the first private key does.

use super::Plan;
use crate::key::Key;
use crate::key::check::Budget;
use crate::key::public::is_key_pair;
use crate::key::summary::Header;
use crate::keyset::KeySet;
use crate::keyset::lifecycle::{self, State};
use crate::keyset::merge::KeyName;
use std::collections::{HashMap, HashSet};

impl Plan {
    /// Decides who signs, where the first private key does: the active key of the line of `now`, the
    /// one that signs there before, or else the first active one of ours. Where only some keys were named, nobody else's line
    /// takes over.
    pub(super) fn put_the_signer_first(
        &mut self,
        local: &KeySet,
        states: &[Option<State>],
        now: Option<&Key>,
        only_named: bool,
    ) {
        let signers = local.keys.iter().zip(states).filter(|(key, state)| {
            **state == Some(State::Active) && Header::of(key).effective_use() == Some("sig")
        });
        let signers: HashSet<_> = signers.map(|(key, _)| identity(key)).collect();
        let keys = &mut self.set.keys;
        let is_ours = |key: &&Key| is_key_pair(key) && signers.contains(&identity(key));
        // A line that has moved is followed into the other one.
        let moved = now.and_then(|now| successor(local, now));
        let in_its_line = |key: &Key| {
            let headers = moved.or(now).map(|now| (Header::of(now), Header::of(key)));
            headers.is_some_and(|(now, key)| lifecycle::line(&now) == lifecycle::line(&key))
        };
        let ours = keys.iter().enumerate().filter(|(_, key)| is_ours(key));
        let ours: Vec<(usize, bool)> = ours.map(|(i, key)| (i, in_its_line(key))).collect();
        let successor = ours.iter().find(|(_, in_line)| *in_line);
        let as_now = || {
            let now = identity(now.filter(|_| only_named)?);
            keys.iter()
                .position(|key| is_key_pair(key) && identity(key) == now)
        };
        let chosen = successor
            .map(|(i, _)| *i)
            .or_else(as_now)
            .or(ours.first().map(|(i, _)| *i));
        let first = keys.iter().position(is_key_pair);
        if let (Some(first), Some(chosen)) = (first, chosen)
            && first < chosen
        {
            keys[first..=chosen].rotate_right(1);
        }
    }
}

/// The key of another line that a key of ours names as its successor.
fn successor<'s, 'k>(local: &'s KeySet<'k>, key: &Key) -> Option<&'s Key<'k>> {
    let ours = local
        .keys
        .iter()
        .find(|ours| identity(ours) == identity(key));
    let named = Header::of(ours?).successor?;
    let mut keys = local.keys.iter();
    let key = keys.find(|key| Header::of(key).kid.as_deref() == Some(&*named));
    key.filter(|key| !lifecycle::never_begins(&Header::of(key)))
}

/// What tells a key from all others of a set.
fn identity(key: &Key) -> (Option<String>, Option<String>) {
    let name = KeyName::of(key);
    (name.thumbprint, name.kid)
}

/// Which kids take the place of those that a server's settings name to sign with: each of ours that
/// is not active any more is followed by the active key of its line, where there is one with a kid.
/// Who follows a key that is not ours is for others to say. `now` is in seconds since 1970.
pub fn successors(
    local: &KeySet,
    named: &[String],
    now: i64,
    budget: &Budget,
) -> Vec<(String, String)> {
    let states = lifecycle::signing_states(local, now, budget);
    let headers: Vec<_> = local.keys.iter().map(Header::of).collect();
    // The first key with each kid, and the first active one of each line.
    let (mut with_kid, mut signing) = (HashMap::new(), HashMap::new());
    for (header, state) in headers.iter().zip(&states) {
        if let Some(kid) = header.kid.as_deref() {
            with_kid.entry(kid).or_insert(header);
        }
        if *state == Some(State::Active) {
            signing.entry(lifecycle::line(header)).or_insert(header);
        }
    }
    let follows = |kid: &String| {
        let old = with_kid.get(kid.as_str())?;
        let new = signing.get(&lifecycle::line(old))?.kid.as_deref()?;
        (new != kid).then(|| (kid.clone(), new.to_owned()))
    };
    let mut kids: Vec<_> = named.iter().filter_map(follows).collect();
    kids.sort_unstable();
    kids.dedup();
    kids
}
