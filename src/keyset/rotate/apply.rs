//! Applies a plan to a set.

use crate::error::Result;
use crate::key::Key;
use crate::key::header::Header;
use crate::key::members::Members;
use crate::key::parts::{PLANNED, REVOKED, SUCCESSOR, UNCONFIRMED};
use crate::keyset::KeySet;
use crate::keyset::kid_from::Kids;
use crate::keyset::rotate::{NewKey, Position, RotationPlan, Successor, Template, Time};

/// The keys that a rotation changed.
#[derive(Debug, Default)]
pub struct Rotated {
    /// New keys that do not sign yet.
    pub staged: Vec<Key<'static>>,
    /// New keys that sign at once.
    pub activated: Vec<Key<'static>>,
    /// Keys whose beginning was moved to a later time.
    pub postponed: Vec<Key<'static>>,
    /// Keys that were held, and got their beginning because their publication is confirmed.
    pub confirmed: Vec<Key<'static>>,
    /// Keys whose end was set or moved.
    pub retired: Vec<Retired>,
    /// Keys that were removed.
    pub removed: Vec<Key<'static>>,
    /// New keys without a certificate, although the keys before them have one.
    pub uncertified: Vec<Key<'static>>,
}

/// A key whose end was set or moved.
#[derive(Debug)]
pub struct Retired {
    /// The key, with the new end.
    pub key: Key<'static>,
    /// The end that it had before, in seconds since 1970, if it had one.
    pub exp_before: Option<Time>,
}

impl Rotated {
    /// Returns true if nothing changed.
    pub fn is_empty(&self) -> bool {
        self.staged.is_empty()
            && self.activated.is_empty()
            && self.postponed.is_empty()
            && self.confirmed.is_empty()
            && self.retired.is_empty()
            && self.removed.is_empty()
    }
}

impl RotationPlan {
    /// Generates a key from a template, without kid and dates. Returns an error if OpenSSL cannot generate
    /// it.
    pub fn generate(&self, template: &Template) -> Result<Members<'static>> {
        self.kid_from.generate(|| template.generate())
    }

    /// Applies the plan to the set that it was made for. `make` generates the new keys, which get the
    /// kids that the policy asks for. `now` is in seconds since 1970. If this fails, the set is incomplete
    /// and must be discarded.
    pub fn apply(
        &self,
        set: &mut KeySet,
        now: Time,
        mut make: impl FnMut(&Template) -> Result<Members<'static>>,
    ) -> Result<Rotated> {
        let mut changes = Rotated::default();
        let mut new = Vec::new();
        let mut kids = Kids::new(self.kid_from, set, now);
        for key in &self.new {
            let mut members = dated(make(&key.template)?, key, now);
            let is_certified = key.template.certify(&mut members, now);
            if let Some(planned) = key.planned {
                // Its certificate is valid from the beginning that is planned.
                members.set_number("nbf", UNCONFIRMED);
                members.set_number(PLANNED, planned);
            }
            let kid = kids.next(&members)?;
            let made = Key::from(members.with_kid(&kid));
            if !is_certified {
                changes.uncertified.push(made.clone());
            }
            new.push(made);
        }
        let kid = |successor: &Successor| match successor {
            Successor::Existing(kid) => kid.clone(),
            Successor::New(number) => new
                .get(*number)
                .and_then(|key| Header::of(key).kid)
                .map(|kid| kid.into_owned())
                .unwrap_or_default(),
        };
        for (position, successor) in &self.successors {
            let kid = successor.as_ref().map(kid);
            edit(set, *position, |members| match kid {
                Some(kid) => members.set_text(SUCCESSOR, &kid),
                None => members.remove(SUCCESSOR),
            });
        }
        for position in &self.revoked {
            edit(set, *position, |members| {
                let why = format!(r#"{{"revoked_at":{now},"reason":"compromised"}}"#);
                members.set_raw(REVOKED, why);
            });
        }
        for (position, nbf) in &self.begins {
            edit(set, *position, |members| {
                members.set_number("nbf", *nbf);
                match self.planned.get(position) {
                    Some(Some(planned)) => members.set_number(PLANNED, *planned),
                    Some(None) => members.remove(PLANNED),
                    None => {}
                }
            });
            let key = set.keys.get(*position).cloned().map(Key::into_owned);
            if self.confirms(*position) {
                changes.confirmed.extend(key);
            } else {
                changes.postponed.extend(key);
            }
        }
        for (position, exp) in &self.ends {
            let exp_before = set.keys.get(*position).and_then(|key| Header::of(key).exp);
            edit(set, *position, |members| members.set_number("exp", *exp));
            if !self.removed.contains(position) {
                let key = set.keys.get(*position).cloned().map(Key::into_owned);
                let retired = |key| Retired { key, exp_before };
                changes.retired.extend(key.map(retired));
            }
        }
        let mut position = 0;
        set.keys.retain(|key| {
            let is_removed = self.removed.contains(&position);
            if is_removed {
                changes.removed.push(key.clone().into_owned());
            }
            position += 1;
            !is_removed
        });
        for (key, planned) in new.into_iter().zip(&self.new) {
            set.keys.push(key.clone());
            if planned.nbf.is_some_and(|nbf| nbf > now) {
                changes.staged.push(key)
            } else {
                changes.activated.push(key)
            }
        }
        Ok(changes)
    }
}

/// Returns a new key with its dates and successor.
fn dated(mut members: Members<'static>, planned: &NewKey, now: Time) -> Members<'static> {
    members.set_number("iat", now);
    let nbf = planned.planned.or(planned.nbf);
    for (name, date) in [("nbf", nbf), ("exp", planned.exp)] {
        if let Some(date) = date {
            members.set_number(name, date);
        }
    }
    if let Some(Successor::Existing(kid)) = &planned.successor {
        members.set_text(SUCCESSOR, kid);
    }
    members
}

fn edit(set: &mut KeySet, position: Position, change: impl FnOnce(&mut Members)) {
    let Some(key) = set.keys.get_mut(position) else {
        return;
    };
    if let Ok(mut members) = key.members().map(Members::into_owned) {
        change(&mut members);
        *key = Key::from(members);
    }
}
