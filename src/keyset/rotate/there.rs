//! What a server that is told of a set has made of it so far: the key that it signs with, and those
//! that its verifiers have seen.

use super::super::lifecycle::{line, rank};
use super::lines::{REVOKED, is_private, is_without_fault};
use super::{Plan, Policy};
use crate::key::Key;
use crate::key::summary::Header;
use crate::keyset::KeySet;
use crate::keyset::index::Index;
use crate::keyset::merge::KeyName;
use crate::keyset::push::counterpart;
use crate::keyset::storage::Storage;
use std::collections::BTreeSet;

/// What a server has of a set.
#[derive(Clone, Copy, Debug)]
pub struct There<'a> {
    /// Its keys.
    pub set: &'a KeySet<'a>,
    /// What it makes of keys.
    pub storage: &'a Storage,
    /// The kids that its settings name to sign with.
    pub named: &'a [String],
}

/// Who signs on a server until it is told of another key.
#[derive(Debug, Default)]
pub(super) struct SigningThere {
    /// The positions of the keys of ours that it signs with.
    pub ours: BTreeSet<usize>,
    /// Whether it can go on with a key that is not ours.
    pub by_other: bool,
}

/// Changes the dates of keys for what a server has missed, in the plan and in these headers.
///
/// A key that still signs there stays published for a token's life from now on. A key that nobody
/// has seen there yet is not to sign before it has been published for long enough, as long as
/// another key can sign there: one before it, or one that is not ours. Keys that are not ours to
/// rotate are left as they are.
pub(super) fn allow_for(
    there: There,
    set: &KeySet,
    headers: &mut [Header],
    compromised: &BTreeSet<usize>,
    policy: &Policy,
    plan: &mut Plan,
) -> SigningThere {
    let names: Vec<_> = set.keys.iter().map(KeyName::of).collect();
    let is_out = |i: usize| compromised.contains(&i) || is_revoked(&set.keys[i]);
    let is_trusted = |i: usize| {
        let key = &set.keys[i];
        is_private(key) && is_without_fault(key) && !is_out(i)
    };
    let is_trusted: Vec<_> = (0..names.len()).map(is_trusted).collect();
    let end = policy.now.saturating_add(policy.schedule.grace());
    let signers = there.storage.signers(there.set).into_iter();
    let signers: Vec<_> = signers.map(KeyName::of).collect();
    let signs = |position: &usize| {
        let name = &names[*position];
        let is_it = |other: &String| {
            Some(other) == name.kid.as_ref() || Some(other) == name.thumbprint.as_ref()
        };
        let signs =
            |other: &KeyName| other.thumbprint.is_some() && other.thumbprint == name.thumbprint;
        is_trusted[*position] && (there.named.iter().any(is_it) || signers.iter().any(signs))
    };
    let ours: BTreeSet<_> = (0..names.len()).filter(signs).collect();
    for position in &ours {
        if headers[*position].exp.is_some_and(|exp| exp < end) {
            headers[*position].exp = Some(end);
            plan.ends.insert(*position, end);
        }
    }
    // The same key under another kid is not the same for verifiers.
    let index = Index::of(there.set);
    let place = |i: usize| counterpart(&set.keys[i], &index, there.storage);
    let places: Vec<_> = (0..names.len()).map(place).collect();
    let by_other = there
        .storage
        .signer_position(there.set)
        .is_some_and(|signer| {
            let key = &there.set.keys[signer];
            let can_sign = there
                .storage
                .issuer
                .is_none_or(|issuer| issuer.unfit(key).is_none());
            let thumbprint = KeyName::of(key).thumbprint;
            let is_ours = |i: usize| is_trusted[i] && places[i] == Some(signer);
            let is_bad = |i: usize| is_out(i) && names[i].thumbprint == thumbprint;
            can_sign && !(0..names.len()).any(|i| is_ours(i) || is_bad(i))
        });
    let signing = SigningThere { ours, by_other };
    let soon = policy.now.saturating_add(policy.schedule.lead());
    if soon == policy.now {
        return signing;
    }
    let is_published = |i: usize| places[i].is_some();
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
        by_other
            || others
                .any(|other| is_published(other) && is_trusted[other] && lives(&headers[other]))
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
