//! What a server that is told of a set has made of it so far: the key that it signs with, and those
//! that its verifiers have seen.

use crate::key::Key;
use crate::key::header::Header;
use crate::key::parts::REVOKED;
use crate::keyset::KeySet;
use crate::keyset::lifecycle::{can_sign, line, rank};
use crate::keyset::merge::KeyName;
use crate::keyset::push::counterparts;
use crate::keyset::rotate::{Plan, Policy};
use crate::keyset::server_rules::ServerRules;
use std::collections::{BTreeSet, HashMap, HashSet};

/// What a server has of a set.
#[derive(Clone, Copy, Debug)]
pub struct ServerState<'a> {
    /// The keys of the set on the server.
    pub set: &'a KeySet<'a>,
    /// How the server stores keys.
    pub rules: &'a ServerRules,
    /// The kids that the server's settings name for signing.
    pub named: &'a [String],
}

/// The keys that sign on a server before the next push.
#[derive(Debug, Default)]
pub(super) struct ServerSigners {
    /// The positions of our keys with which it signs.
    pub ours: BTreeSet<usize>,
    /// True if it can sign with a key that is not ours.
    pub by_other: bool,
}

/// Adjusts the dates of keys, in the plan and in these headers, to what the server has published so far.
///
/// A key that still signs there stays published for the life of a token. A key that is not published
/// there yet does not sign before it has been published for long enough, if an earlier key or a key that
/// is not ours can sign until then. Keys without their private part are unchanged.
pub(super) fn allow_for(
    there: ServerState,
    set: &KeySet,
    headers: &mut [Header],
    compromised: &BTreeSet<usize>,
    policy: &Policy,
    plan: &mut Plan,
) -> ServerSigners {
    let names: Vec<_> = set.keys.iter().map(KeyName::of).collect();
    let is_out = |i: usize| compromised.contains(&i) || is_revoked(&set.keys[i]);
    let is_trusted = |i: usize| {
        let key = &set.keys[i];
        can_sign(key) && !is_out(i)
    };
    let is_trusted: Vec<_> = (0..names.len()).map(is_trusted).collect();
    let end = policy.now.saturating_add(policy.schedule.grace());
    let signers = there.rules.signers(there.set).into_iter();
    let signers = signers.filter_map(|key| KeyName::of(key).thumbprint);
    let signers: HashSet<String> = signers.chain(there.named.iter().cloned()).collect();
    let signs = |position: &usize| {
        let name = &names[*position];
        let mut handles = [&name.kid, &name.thumbprint].into_iter().flatten();
        is_trusted[*position] && handles.any(|handle| signers.contains(handle))
    };
    let ours: BTreeSet<_> = (0..names.len()).filter(signs).collect();
    for position in &ours {
        if headers[*position].exp.is_some_and(|exp| exp < end) {
            headers[*position].exp = Some(end);
            plan.ends.insert(*position, end);
        }
    }
    // For verifiers, the same key under another kid is another key.
    let places = counterparts(set, there.set, there.rules);
    let by_other = there
        .rules
        .signer_position(there.set)
        .is_some_and(|signer| {
            let key = &there.set.keys[signer];
            let can_sign = there
                .rules
                .issuer
                .is_none_or(|issuer| issuer.unfit(key).is_none());
            let thumbprint = KeyName::of(key).thumbprint;
            let is_ours = |i: usize| is_trusted[i] && places[i] == Some(signer);
            let is_bad = |i: usize| is_out(i) && names[i].thumbprint == thumbprint;
            can_sign && !(0..names.len()).any(|i| is_ours(i) || is_bad(i))
        });
    let signing = ServerSigners { ours, by_other };
    let soon = policy.now.saturating_add(policy.schedule.lead());
    if soon == policy.now {
        return signing;
    }
    let is_published = |i: usize| places[i].is_some();
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
        // A key that names itself as its successor does not wait for itself.
        let own = can_sign.contains(&i) && kid.is_some() && header.successor.as_deref() == kid;
        let leading = kid.and_then(|kid| leading.get(kid)).copied();
        let is_before = |first: &usize| rank(headers, *first) < rank(headers, i);
        by_other
            || leading.unwrap_or_default() > usize::from(own)
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
