//! Orders the keys of a push on servers that sign with the first private key.

use crate::key::Key;
use crate::key::check::Budget;
use crate::key::header::Header;
use crate::key::parts::is_key_pair;
use crate::keyset::KeySet;
use crate::keyset::key_name::KeyName;
use crate::keyset::lifecycle::{self, State};
use crate::keyset::push::{Policy, PushPlan};
use crate::keyset::server_rules::{ServerRules, Signing};
use std::collections::{HashMap, HashSet};

impl PushPlan {
    /// Puts the key that will sign first: the active key of the line that signs now, or else our first
    /// active key. If the server signs its own tokens with the set, keys that it can sign with are
    /// preferred. If only some keys are sent, no other line takes over. If none of our keys is active, the
    /// key that signs now stays first.
    pub(super) fn put_the_signer_first(
        &mut self,
        local: &KeySet,
        states: &[Option<State>],
        rules: &ServerRules,
        now: Option<&Key>,
        policy: Policy,
    ) {
        let signers = local.keys.iter().zip(states).filter(|(key, state)| {
            **state == Some(State::Active) && Header::of(key).effective_use() == Some("sig")
        });
        let signers: HashSet<_> = signers.map(|(key, _)| identity(key, rules)).collect();
        let keys = &mut self.set.keys;
        // If the line has moved, its successor signs.
        let moved = now.and_then(|now| successor(local, now, rules));
        let now_header = moved.or(now).map(Header::of);
        let line_now = now_header.as_ref().map(lifecycle::line);
        let in_its_line = |key: &Key| line_now == Some(lifecycle::line(&Header::of(key)));
        let is_ours = |key: &Key| is_key_pair(key) && signers.contains(&identity(key, rules));
        let mut ours: Vec<usize> = (0..keys.len()).filter(|i| is_ours(&keys[*i])).collect();
        let can_sign = |i: &usize| {
            let mut issuer = policy.issuer.into_iter();
            issuer.all(|issuer| issuer.unfit(&keys[*i]).is_none())
        };
        if ours.iter().any(can_sign) {
            ours.retain(can_sign);
        }
        let successor = ours.iter().copied().find(|i| in_its_line(&keys[*i]));
        let as_now = || {
            let now = identity(now?, rules);
            keys.iter()
                .position(|key| is_key_pair(key) && identity(key, rules) == now)
        };
        let first_pair = || keys.iter().position(is_key_pair);
        let chosen = successor
            .or_else(|| as_now().filter(|_| !policy.only.is_empty()))
            .or(ours.first().copied())
            .or_else(as_now)
            .or_else(first_pair);
        let first = match rules.signing {
            Signing::FirstPair => Some(0),
            _ => rules.signer_position(&self.set),
        };
        if let (Some(first), Some(chosen)) = (first, chosen)
            && first < chosen
        {
            self.set.keys[first..=chosen].rotate_right(1);
        }
    }

    /// Sends the signing key again although it is already first, because no key signs on the server.
    pub fn send_signer_again(&mut self) {
        self.new_signer = self.signer.clone();
    }

    /// Records which key signs afterwards, and whether that changes.
    pub(super) fn name_the_signer(&mut self, rules: &ServerRules, now: Option<&Key>) {
        let then = rules.signer(&self.set);
        let is_new = then.map(|key| rules.name(key)) != now.map(|key| rules.name(key));
        self.signer = then.map(KeyName::of);
        self.new_signer = self.signer.clone().filter(|_| is_new);
        let now = now.map(KeyName::of);
        let is_same_key = |now: &KeyName| {
            let then = self.new_signer.as_ref();
            now.thumbprint.is_some() && then.is_some_and(|then| then.thumbprint == now.thumbprint)
        };
        self.old_kid = now.filter(is_same_key).and_then(|now| now.kid);
    }
}

/// Returns the key of another line that a local key names as its successor.
fn successor<'s, 'k>(local: &'s KeySet<'k>, key: &Key, rules: &ServerRules) -> Option<&'s Key<'k>> {
    let wanted = identity(key, rules);
    let ours = local
        .keys
        .iter()
        .find(|ours| identity(ours, rules) == wanted);
    let named = Header::of(ours?).successor?;
    let mut keys = local.keys.iter();
    let key = keys.find(|key| Header::of(key).kid.as_deref() == Some(&*named));
    key.filter(|key| !lifecycle::never_begins(&Header::of(key)))
}

/// Returns the thumbprint of a key, and the kid that it has on the server.
fn identity(key: &Key, rules: &ServerRules) -> (Option<String>, Option<String>) {
    let name = rules.name(key);
    (name.thumbprint, name.kid)
}

/// Returns the kids that replace those in a server's settings. A local key that is no longer active is
/// replaced by the active key of its line, if that has a kid. Keys that are not local are not replaced.
/// `now` is in seconds since 1970.
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
