//! Who signs after a push, where the first private key does.

use super::Plan;
use crate::key::Key;
use crate::key::public::is_key_pair;
use crate::key::summary::Header;
use crate::keyset::KeySet;
use crate::keyset::lifecycle::{self, State};
use crate::keyset::merge::KeyName;
use std::collections::HashSet;

impl Plan {
    /// Decides who signs, where the first private key does: the active key of the line of `now`, the
    /// one that signs there before, or else the first active one of ours. Where only some keys were named, nobody else's line
    /// takes over.
    pub(super) fn put_the_signer_first(
        &mut self,
        local: &KeySet,
        states: &[State],
        now: Option<&Key>,
        only_named: bool,
    ) {
        let signers = local.keys.iter().zip(states).filter(|(key, state)| {
            **state == State::Active && Header::of(key).effective_use() == Some("sig")
        });
        let signers: HashSet<_> = signers.map(|(key, _)| identity(key)).collect();
        let keys = &mut self.set.keys;
        let is_ours = |key: &&Key| is_key_pair(key) && signers.contains(&identity(key));
        let in_its_line = |key: &Key| {
            let headers = now.map(|now| (Header::of(now), Header::of(key)));
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

/// What tells a key from all others of a set.
fn identity(key: &Key) -> (Option<String>, Option<String>) {
    let name = KeyName::of(key);
    (name.thumbprint, name.kid)
}
