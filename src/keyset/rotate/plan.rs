//! The planned changes of a rotation.

use crate::keyset::kid_from::KidFrom;
use crate::keyset::rotate::schedule::Time;
use crate::keyset::rotate::{Position, Template};
use std::collections::{BTreeMap, BTreeSet};

/// A key that another key names as its successor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Successor {
    /// A key of the set, by kid.
    Existing(String),
    /// A new key, by its position among the new keys.
    New(usize),
}

/// A key to generate.
#[derive(Clone, Debug, PartialEq)]
pub struct NewKey {
    /// Its type, size and certificate.
    pub template: Template,
    /// The time from which it signs; `None` is at once.
    pub nbf: Option<Time>,
    /// The time from which it signs if it is confirmed by then; `None` if it is not held.
    pub(super) planned: Option<Time>,
    /// Its end, if that is known.
    pub(super) exp: Option<Time>,
    /// The key that succeeds it in another line.
    pub(super) successor: Option<Successor>,
}

/// The planned changes of a rotation. Positions are those of the set before the rotation.
#[derive(Debug, Default)]
pub struct RotationPlan {
    /// The keys to generate.
    pub new: Vec<NewKey>,
    /// Where the kids of these keys come from.
    pub(super) kid_from: KidFrom,
    pub(super) begins: BTreeMap<Position, Time>,
    /// The keys that are held or no longer held, with the beginning that a held key gets when it is
    /// confirmed.
    pub(super) planned: BTreeMap<Position, Option<Time>>,
    pub(super) ends: BTreeMap<Position, Time>,
    pub(super) successors: BTreeMap<Position, Option<Successor>>,
    pub(super) revoked: BTreeSet<Position>,
    pub(super) removed: BTreeSet<Position>,
    /// The private keys that are invalid, and therefore unchanged.
    pub invalid: Vec<Position>,
    /// The next time at which a date changes the state of a key, or at which a rotation changes the set.
    pub next_change: Option<Time>,
}

impl NewKey {
    pub(super) fn signing_now(template: Template) -> NewKey {
        NewKey {
            template,
            nbf: None,
            planned: None,
            exp: None,
            successor: None,
        }
    }

    /// Returns a key that signs from `nbf` on, or at once if that time has come.
    pub(super) fn signing_from(template: Template, nbf: Time, now: Time) -> NewKey {
        NewKey {
            nbf: Some(nbf).filter(|nbf| *nbf > now),
            ..NewKey::signing_now(template)
        }
    }
}

impl RotationPlan {
    /// Returns true if nothing changes.
    pub fn is_empty(&self) -> bool {
        self.new.is_empty()
            && self.begins.is_empty()
            && self.ends.is_empty()
            && self.successors.is_empty()
            && self.revoked.is_empty()
            && self.removed.is_empty()
    }

    /// Returns true if the plan only removes keys that have expired.
    pub fn only_removes(&self) -> bool {
        !self.removed.is_empty()
            && self.new.is_empty()
            && self.begins.is_empty()
            && self.ends.is_empty()
            && self.revoked.is_empty()
    }

    /// Returns the keys whose end changes, with the new end.
    pub fn ends(&self) -> impl Iterator<Item = (Position, Time)> + '_ {
        let ends = self.ends.iter().map(|(position, exp)| (*position, *exp));
        ends.filter(|(position, _)| !self.removed.contains(position))
    }

    /// Returns true if a key whose beginning changes is confirmed, and no longer held.
    pub fn confirms(&self, position: Position) -> bool {
        self.planned.get(&position) == Some(&None)
    }

    /// Returns the keys whose beginning changes, with the new beginning.
    pub fn begins(&self) -> impl Iterator<Item = (Position, Time)> + '_ {
        self.begins.iter().map(|(position, nbf)| (*position, *nbf))
    }

    /// Returns the keys that are removed.
    pub fn removed(&self) -> impl Iterator<Item = Position> + '_ {
        self.removed.iter().copied()
    }
}
