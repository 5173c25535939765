//! What a server that is told of a set has made of it so far: the key that it signs with, and those
//! that its verifiers have seen.

use super::super::lifecycle::{can_sign, line, rank};
use super::{Plan, Policy};
use crate::key::Key;
use crate::key::public::REVOKED;
use crate::key::summary::Header;
use crate::keyset::KeySet;
use crate::keyset::merge::KeyName;
use std::collections::{BTreeSet, HashMap, HashSet};

/// What a server has of a set.
#[derive(Clone, Copy, Debug, Default)]
pub struct There<'a> {
    /// The keys that it may sign with, by kid or thumbprint.
    pub signing: &'a [String],
    /// The thumbprints of the keys that it publishes.
    pub published: &'a [String],
}

/// Changes the dates of keys for what a server has missed, in the plan and in these headers.
///
/// A key that still signs there stays published for a token's life from now on. A key that nobody
/// has seen there yet is not to sign before it has been published for long enough, as long as one
/// before it can sign. Keys that are not ours to rotate are left as they are. What comes back are the
/// keys of ours that it signs with.
pub(super) fn allow_for(
    there: There,
    set: &KeySet,
    headers: &mut [Header],
    compromised: &BTreeSet<usize>,
    policy: &Policy,
    plan: &mut Plan,
) -> BTreeSet<usize> {
    let names: Vec<_> = set.keys.iter().map(KeyName::of).collect();
    let is_trusted = |i: usize| {
        let key = &set.keys[i];
        can_sign(key) && !compromised.contains(&i) && !is_revoked(key)
    };
    let is_trusted: Vec<_> = (0..names.len()).map(is_trusted).collect();
    let end = policy.now.saturating_add(policy.schedule.grace());
    let signing_there: HashSet<&String> = there.signing.iter().collect();
    let published_there: HashSet<&String> = there.published.iter().collect();
    let signs = |position: &usize| {
        let name = &names[*position];
        let mut handles = [&name.kid, &name.thumbprint].into_iter().flatten();
        is_trusted[*position] && handles.any(|handle| signing_there.contains(handle))
    };
    let signing: BTreeSet<_> = (0..names.len()).filter(signs).collect();
    for position in &signing {
        if headers[*position].exp.is_some_and(|exp| exp < end) {
            headers[*position].exp = Some(end);
            plan.ends.insert(*position, end);
        }
    }
    let soon = policy.now.saturating_add(policy.schedule.lead());
    if soon == policy.now {
        return signing;
    }
    let is_published = |i: usize| {
        let thumbprint = names[i].thumbprint.as_ref();
        thumbprint.is_some_and(|thumbprint| published_there.contains(thumbprint))
    };
    let lives = |header: &Header| header.exp.is_none_or(|exp| exp > policy.now);
    let can_sign = |i: &usize| is_published(*i) && is_trusted[*i] && lives(&headers[*i]);
    let can_sign: BTreeSet<usize> = (0..headers.len()).filter(can_sign).collect();
    // Of those, how many lead to each kid, and which is the first of each line.
    let mut leading: HashMap<&str, usize> = HashMap::new();
    let mut first = HashMap::new();
    for i in &can_sign {
        let header = &headers[*i];
        if let Some(successor) = header.successor.as_deref() {
            *leading.entry(successor).or_default() += 1;
        }
        let first = first.entry(line(header)).or_insert(*i);
        if rank(headers, *i) < rank(headers, *first) {
            *first = *i;
        }
    }
    let can_wait = |i: usize| {
        let header = &headers[i];
        let kid = header.kid.as_deref();
        // A key that leads to itself does not wait for itself.
        let own = can_sign.contains(&i) && kid.is_some() && header.successor.as_deref() == kid;
        let leading = kid.and_then(|kid| leading.get(kid)).copied();
        let is_before = |first: &usize| rank(headers, *first) < rank(headers, i);
        leading.unwrap_or_default() > usize::from(own)
            || first.get(&line(header)).is_some_and(is_before)
    };
    let unseen = (0..headers.len()).filter(|i| {
        let is_early = headers[*i].nbf.is_none_or(|nbf| nbf < soon);
        is_early && !is_published(*i) && lives(&headers[*i]) && is_trusted[*i] && can_wait(*i)
    });
    for position in unseen.collect::<Vec<_>>() {
        headers[position].nbf = Some(soon);
        plan.begins.insert(position, soon);
    }
    signing
}

/// Whether a key has been declared compromised.
pub(super) fn is_revoked(key: &Key) -> bool {
    key.members().is_ok_and(|members| members.has(REVOKED))
}
