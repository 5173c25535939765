//! Carrying out a plan.

use crate::error::Result;
use crate::key::Key;
use crate::key::header::Header;
use crate::key::members::Members;
use crate::key::parts::REVOKED;
use crate::key::parts::SUCCESSOR;
use crate::key::thumbprint::thumbprint;
use crate::keyset::KeySet;
use crate::keyset::rotate::{NewKey, Plan, Successor, Template};

/// What a rotation changed.
#[derive(Debug, Default)]
pub struct Rotated {
    /// New keys that are published and do not sign yet.
    pub staged: Vec<Key<'static>>,
    /// New keys that sign at once.
    pub activated: Vec<Key<'static>>,
    /// Keys that begin later than they were to.
    pub postponed: Vec<Key<'static>>,
    /// Keys that were given another end.
    pub retired: Vec<Key<'static>>,
    /// Keys that are gone.
    pub removed: Vec<Key<'static>>,
    /// New keys without a certificate, although the keys before them have one.
    pub uncertified: Vec<Key<'static>>,
}

impl Rotated {
    /// Whether nothing was changed.
    pub fn is_empty(&self) -> bool {
        self.staged.is_empty()
            && self.activated.is_empty()
            && self.postponed.is_empty()
            && self.retired.is_empty()
            && self.removed.is_empty()
    }
}

impl Plan {
    /// Carries the plan out on the set that it was made for. `make` makes the new keys, which get
    /// their thumbprint for a kid. `now` is in seconds since 1970. Where it fails the set is to be
    /// thrown away.
    pub fn apply(
        &self,
        set: &mut KeySet,
        now: i64,
        mut make: impl FnMut(&Template) -> Result<Members<'static>>,
    ) -> Result<Rotated> {
        let mut changes = Rotated::default();
        let mut new = Vec::new();
        for key in &self.new {
            let mut members = dated(make(&key.template)?, key, now);
            let is_certified = key.template.certify(&mut members, now);
            let kid = thumbprint(&members).unwrap_or_default();
            let made = Key::from(members.with_kid(&kid));
            if !is_certified {
                changes.uncertified.push(made.clone());
            }
            new.push(made);
        }
        let kid = |successor: &Successor| match successor {
            Successor::ServerState(kid) => kid.clone(),
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
            edit(set, *position, |members| members.set_number("nbf", *nbf));
            let key = set.keys.get(*position).cloned();
            changes.postponed.extend(key.map(Key::into_owned));
        }
        for (position, exp) in &self.ends {
            edit(set, *position, |members| members.set_number("exp", *exp));
            if !self.removed.contains(position) {
                changes
                    .retired
                    .extend(set.keys.get(*position).cloned().map(Key::into_owned));
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
            match planned.nbf.is_some_and(|nbf| nbf > now) {
                true => changes.staged.push(key),
                false => changes.activated.push(key),
            }
        }
        Ok(changes)
    }
}

/// A new key with its dates.
fn dated(mut members: Members<'static>, planned: &NewKey, now: i64) -> Members<'static> {
    members.set_number("iat", now);
    for (name, date) in [("nbf", planned.nbf), ("exp", planned.exp)] {
        if let Some(date) = date {
            members.set_number(name, date);
        }
    }
    if let Some(Successor::ServerState(kid)) = &planned.successor {
        members.set_text(SUCCESSOR, kid);
    }
    members
}

fn edit(set: &mut KeySet, position: usize, change: impl FnOnce(&mut Members)) {
    let Some(key) = set.keys.get_mut(position) else {
        return;
    };
    if let Ok(mut members) = key.members().map(Members::into_owned) {
        change(&mut members);
        *key = Key::from(members);
    }
}
