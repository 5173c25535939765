//! The keys that a server signs with and has published before the next push.

use crate::key::Key;
use crate::key::header::Header;
use crate::key::parts::REVOKED;
use crate::keyset::KeySet;
use crate::keyset::key_name::KeyName;
use crate::keyset::lifecycle::{can_sign, line, rank};
use crate::keyset::push::counterparts;
use crate::keyset::rotate::{Planner, Policy, Position, RotationPlan};
use crate::keyset::server_rules::ServerRules;
use std::collections::{BTreeSet, HashMap, HashSet};

/// The state of a set on a server.
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
    pub ours: BTreeSet<Position>,
    /// True if it can sign with a key that is not ours.
    pub by_other: bool,
}

/// Adjusts the dates of keys, in the plan and in these headers, to what servers have published so far, and
/// to the keys with which signers sign.
///
/// A key that still signs there stays published for the life of a token. A key that is not published
/// there yet does not sign before it has been published for long enough, if an earlier key or a key that
/// is not ours can sign until then. Keys without their private part are unchanged.
pub(super) fn adjust_dates(
    set: &KeySet,
    headers: &mut [Header],
    compromised: &BTreeSet<Position>,
    policy: &Policy,
    plan: &mut RotationPlan,
) -> ServerSigners {
    let mut signers = ServerSigners::default();
    if policy.servers.is_empty() && policy.signing.is_empty() && policy.signed.is_empty() {
        return signers;
    }
    let names: Vec<_> = set.keys.iter().map(KeyName::of).collect();
    let is_out = |i: Position| compromised.contains(&i) || is_revoked(&set.keys[i]);
    let is_trusted = |i: Position| can_sign(&set.keys[i]) && !is_out(i);
    let keys = Keys {
        set,
        is_trusted: (0..names.len()).map(is_trusted).collect(),
        is_out: (0..names.len()).map(is_out).collect(),
        names,
        policy,
    };
    keys.keep_signed(headers, plan);
    let materials: HashSet<_> = policy.signing.iter().cloned().collect();
    let signs_with = |name: &KeyName| name.material().is_some_and(|it| materials.contains(&it));
    keys.keep_signing(&signs_with, headers, plan, &mut signers);
    for server in policy.servers {
        let handles = keys.signers(server);
        let signs_with = |name: &KeyName| {
            let mut names = [&name.kid, &name.thumbprint].into_iter().flatten();
            names.any(|handle| handles.contains(handle))
        };
        keys.keep_signing(&signs_with, headers, plan, &mut signers);
    }
    for server in policy.servers {
        keys.delay_unpublished(server, headers, plan, &mut signers);
    }
    signers
}

/// The keys of a set, and what a rotation has to know of them.
struct Keys<'a> {
    set: &'a KeySet<'a>,
    names: Vec<KeyName>,
    /// True for keys that can sign and are not compromised.
    is_trusted: Vec<bool>,
    /// True for compromised keys.
    is_out: Vec<bool>,
    policy: &'a Policy<'a>,
}

impl Keys<'_> {
    /// Returns the thumbprints and kids of the keys with which a server signs.
    fn signers(&self, server: &ServerState) -> HashSet<String> {
        let signers = server.rules.signers(server.set).into_iter();
        let signers = signers.filter_map(|key| KeyName::of(key).thumbprint);
        signers.chain(server.named.iter().cloned()).collect()
    }

    /// Keeps the keys that have signed until their last token expires. An undo can have brought back an earlier
    /// end.
    fn keep_signed(&self, headers: &mut [Header], plan: &mut RotationPlan) {
        let signed: HashMap<_, _> = self.policy.signed.iter().cloned().collect();
        for (i, name) in self.names.iter().enumerate() {
            let end = name.material().and_then(|it| signed.get(&it).copied());
            let Some(end) = end.filter(|_| self.is_trusted[i]) else {
                continue;
            };
            if headers[i].exp.is_some_and(|exp| exp < end) {
                headers[i].exp = Some(end);
                plan.ends.insert(i, end);
            }
        }
    }

    /// Keeps the keys that sign somewhere for the life of a token.
    fn keep_signing(
        &self,
        signs_with: &dyn Fn(&KeyName) -> bool,
        headers: &mut [Header],
        plan: &mut RotationPlan,
        known: &mut ServerSigners,
    ) {
        let end = self.policy.now.saturating_add(self.policy.schedule.grace());
        for (i, name) in self.names.iter().enumerate() {
            if !self.is_trusted[i] || !signs_with(name) {
                continue;
            }
            known.ours.insert(i);
            if headers[i].exp.is_some_and(|exp| exp < end) {
                headers[i].exp = Some(end);
                plan.ends.insert(i, end);
            }
        }
    }

    /// Moves the beginning of keys that a server does not publish yet.
    fn delay_unpublished(
        &self,
        server: &ServerState,
        headers: &mut [Header],
        plan: &mut RotationPlan,
        known: &mut ServerSigners,
    ) {
        let Keys {
            set,
            names,
            is_trusted,
            is_out,
            policy,
        } = self;
        // For verifiers, the same key under another kid is another key.
        let places = counterparts(set, server.set, server.rules);
        let by_other = server
            .rules
            .signer_position(server.set)
            .is_some_and(|signer| {
                let key = &server.set.keys[signer];
                let can_sign = server
                    .rules
                    .issuer
                    .is_none_or(|issuer| issuer.unfit(key).is_none());
                let thumbprint = KeyName::of(key).thumbprint;
                let is_ours = |i: Position| is_trusted[i] && places[i] == Some(signer);
                let is_bad = |i: Position| is_out[i] && names[i].thumbprint == thumbprint;
                can_sign && !(0..names.len()).any(|i| is_ours(i) || is_bad(i))
            });
        known.by_other |= by_other;
        let soon = policy.now.saturating_add(policy.schedule.lead());
        if soon == policy.now {
            return;
        }
        let is_published = |i: Position| places[i].is_some();
        let is_unexpired = |header: &Header| header.exp.is_none_or(|exp| exp > policy.now);
        let can_sign =
            |i: &Position| is_published(*i) && is_trusted[*i] && is_unexpired(&headers[*i]);
        let can_sign: BTreeSet<Position> = (0..headers.len()).filter(can_sign).collect();
        // The number of these keys that name each kid as their successor, and the first one of each line.
        let mut leading: HashMap<&str, Position> = HashMap::new();
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
        let can_wait = |i: Position| {
            let header = &headers[i];
            let kid = header.kid.as_deref();
            // A key that names itself as its successor does not wait for itself.
            let own = can_sign.contains(&i) && kid.is_some() && header.successor.as_deref() == kid;
            let leading = kid.and_then(|kid| leading.get(kid)).copied();
            let is_before = |first: &Position| rank(headers, *first) < rank(headers, i);
            by_other
                || leading.unwrap_or_default() > usize::from(own)
                || first.get(&line(header)).is_some_and(is_before)
        };
        let unseen = (0..headers.len()).filter(|i| {
            let is_early = headers[*i].nbf.is_none_or(|nbf| nbf < soon);
            is_early
                && !is_published(*i)
                && is_unexpired(&headers[*i])
                && is_trusted[*i]
                && can_wait(*i)
        });
        for position in unseen.collect::<Vec<_>>() {
            headers[position].nbf = Some(soon);
            plan.begins.insert(position, soon);
        }
    }
}

impl Planner<'_, '_> {
    /// Delays new keys until they have been published, if the server signs with a key that is not ours.
    pub(super) fn delay_until_published(&mut self) {
        let soon = self.earliest_begin();
        if self.server_signers.by_other && soon > self.policy.now {
            for new in &mut self.plan.new {
                new.nbf.get_or_insert(soon);
            }
        }
    }
}

/// Returns true if a key is marked as compromised.
pub fn is_revoked(key: &Key) -> bool {
    key.members().is_ok_and(|members| members.has(REVOKED))
}
