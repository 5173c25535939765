//! What a server that is told of a set has made of it so far: the key that it signs with, and those
//! that its verifiers have seen.

use super::super::lifecycle::{can_sign, line, rank};
use super::{Plan, Policy};
use crate::key::Key;
use crate::key::public::REVOKED;
use crate::key::summary::Header;
use crate::keyset::KeySet;
use crate::keyset::merge::KeyName;
use std::collections::BTreeSet;

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
    let signs = |position: &usize| {
        let name = &names[*position];
        let is_it = |other: &String| {
            Some(other) == name.kid.as_ref() || Some(other) == name.thumbprint.as_ref()
        };
        is_trusted[*position] && there.signing.iter().any(is_it)
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
        thumbprint.is_some_and(|thumbprint| there.published.contains(thumbprint))
    };
    let lives = |header: &Header| header.exp.is_none_or(|exp| exp > policy.now);
    let can_wait = |i: usize| {
        let leads = |other: usize| {
            let leads_there =
                headers[other].successor.is_some() && headers[other].successor == headers[i].kid;
            let is_before = line(&headers[other]) == line(&headers[i])
                && rank(headers, other) < rank(headers, i);
            leads_there || is_before
        };
        let mut others = (0..headers.len()).filter(|other| *other != i && leads(*other));
        others.any(|other| is_published(other) && is_trusted[other] && lives(&headers[other]))
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
