//! Keys that wait until published addresses have served them for long enough (RFC 7583 section 3.2).

use crate::key::Key;
use crate::key::header::Header;
use crate::key::parts::{PLANNED, UNCONFIRMED};
use crate::keyset::KeySet;
use crate::keyset::key_name::KeyName;
use crate::keyset::lifecycle::{can_sign, line, never_begins};
use crate::keyset::rotate::is_revoked;
use crate::keyset::rotate::template::Template;
use crate::keyset::rotate::{NewKey, Planner, Policy, Position, RotationPlan, Time};
use std::collections::{BTreeSet, HashMap, HashSet};

/// What the published addresses of a set serve.
#[derive(Clone, Debug, Default)]
pub struct Publication {
    /// Since when every address has served each key without a gap, by its [entry](KeyName::entry), in seconds
    /// since 1970. A key that one of them does not serve is absent.
    pub since: HashMap<String, Time>,
}

impl Publication {
    /// Returns true if a key has been served for `delay` seconds.
    pub fn confirms(&self, name: &KeyName, delay: i64, now: Time) -> bool {
        let since = name.entry().and_then(|entry| self.since.get(&entry));
        since.is_some_and(|since| since.saturating_add(delay) <= now)
    }

    /// Returns the next time at which a key can be confirmed.
    fn next_look(&self, key: &Key, policy: &Policy) -> Time {
        let entry = KeyName::of(key).entry();
        let since = entry.and_then(|entry| self.since.get(&entry));
        let since = since.copied().unwrap_or(policy.now);
        since.saturating_add(policy.schedule.publish_delay)
    }
}

/// Gives the held keys that are confirmed their beginning, in the plan and in these headers. Without published
/// addresses, every held key is confirmed.
pub(super) fn release_confirmed(
    set: &KeySet,
    headers: &mut [Header],
    policy: &Policy,
    plan: &mut RotationPlan,
) {
    let delay = policy.schedule.publish_delay;
    let is_confirmed = |key: &Key| {
        policy
            .publication
            .is_none_or(|publication| publication.confirms(&KeyName::of(key), delay, policy.now))
    };
    for (i, header) in headers.iter_mut().enumerate() {
        let key = &set.keys[i];
        if header.nbf == Some(UNCONFIRMED) && can_sign(key) && is_confirmed(key) {
            let members = key.members().unwrap_or_default();
            let planned = members.seconds(PLANNED).ok().flatten();
            let begins = planned.unwrap_or(policy.now).max(policy.now);
            plan.planned.insert(i, None);
            plan.begins.insert(i, begins);
            header.nbf = Some(begins);
        }
    }
}

/// Holds the pending keys that are not confirmed, in the plan and in these headers. Returns the next times at
/// which a key can be confirmed.
///
/// A key is held only if its line has begun, so that another key signs until then. Symmetric keys are not published, so they are
/// not held.
pub(super) fn hold_unconfirmed(
    set: &KeySet,
    headers: &mut [Header],
    compromised: &BTreeSet<Position>,
    policy: &Policy,
    plan: &mut RotationPlan,
) -> Vec<Time> {
    let Some(publication) = policy.publication else {
        return Vec::new();
    };
    let is_trusted = |i: Position| {
        let key = &set.keys[i];
        can_sign(key) && !compromised.contains(&i) && !is_revoked(key)
    };
    let is_pending = |header: &Header| header.nbf.is_some_and(|nbf| nbf > policy.now);
    let (mut lines, mut named) = (HashSet::new(), HashSet::new());
    for (i, header) in headers.iter().enumerate() {
        // If such a key has expired or is compromised, its line gets a key that signs at once.
        if !is_pending(header) && can_sign(&set.keys[i]) {
            lines.insert(line(header));
            named.extend(header.successor.as_deref());
        }
    }
    let can_wait = |header: &Header| {
        let is_named = header.kid.as_deref().is_some_and(|kid| named.contains(kid));
        is_named || lines.contains(&line(header))
    };
    let waiting = (0..headers.len()).filter(|i| {
        let header = &headers[*i];
        let is_symmetric = header.kty.as_deref() == Some("oct");
        is_pending(header)
            && !never_begins(header)
            && !is_symmetric
            && is_trusted(*i)
            && can_wait(header)
    });
    let waiting: Vec<_> = waiting.collect();
    let mut looks = Vec::new();
    for i in waiting {
        let key = &set.keys[i];
        let header = &mut headers[i];
        if publication.confirms(&KeyName::of(key), policy.schedule.publish_delay, policy.now) {
            continue;
        }
        looks.push(publication.next_look(key, policy));
        // A key with an end would be withdrawn by a beginning after it.
        if header.nbf != Some(UNCONFIRMED) && header.exp.is_none() {
            plan.planned.insert(i, header.nbf);
            plan.begins.insert(i, UNCONFIRMED);
            header.nbf = Some(UNCONFIRMED);
        }
    }
    looks
}

impl Planner<'_, '_> {
    /// Returns a new key that signs from `nbf` on, or at once if that time has come. It is held if it has to be
    /// confirmed first.
    pub(super) fn new_key(&self, template: Template, nbf: Time) -> NewKey {
        let mut new = NewKey::signing_from(template, nbf, self.policy.now);
        if self.policy.publication.is_some() && new.nbf.is_some() && !new.template.is_symmetric() {
            new.planned = new.nbf.replace(UNCONFIRMED);
        }
        new
    }
}
