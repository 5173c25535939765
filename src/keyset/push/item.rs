//! A local key that a push sends: what the server gets, and what changes there.

use crate::key::Key;
use crate::key::algorithm::Algorithm;
use crate::key::check::{Budget, findings, may_sign};
use crate::key::header::Header;
use crate::key::parts::{has_private_member, is_key_pair, is_registered};
use crate::keyset::key_name::KeyName;
use crate::keyset::lifecycle::State;
use crate::keyset::push::selection::with_private_part;
use crate::keyset::push::{Policy, Private, PushPlan};
use crate::keyset::server_rules::ServerRules;
use std::collections::HashSet;

/// The change that a push makes to a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyChange {
    /// The server gets the key.
    Add,
    /// The server gets other values for these members.
    Change(Vec<String>),
    /// Nothing changes.
    Same,
}

/// A local key that the server has after the push.
#[derive(Debug)]
pub struct Item {
    /// Its name.
    pub name: KeyName,
    /// Its algorithm, or else its type.
    pub alg: String,
    /// True if the server has its private part after the push.
    pub private: bool,
    /// True if the server has its private part now.
    pub was_private: bool,
    /// True if the only change is that the server loses the private part.
    pub only_strips: bool,
    /// The change to the key.
    pub change: KeyChange,
}

/// A key pair that could sign, but has neither `use` nor `alg`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unmarked {
    /// Its name.
    pub name: KeyName,
    /// An algorithm that fits the key.
    pub alg: Option<&'static str>,
}

impl PushPlan {
    /// Adds a local key that the server gets as `wanted`, or keeps as its counterpart.
    pub(super) fn add(
        &mut self,
        local: &Key,
        wanted: Key<'static>,
        counterpart: Option<&Key>,
        rules: &ServerRules,
        budget: &Budget,
    ) {
        let header = Header::of(local);
        let was_private = counterpart.is_some_and(has_private_member);
        let wanted = match counterpart {
            // The only copy of a valid private part is not deleted.
            Some(counterpart)
                if was_private && !rules.publishes && !has_good_secret(local, budget) =>
            {
                counterpart.clone().into_owned()
            }
            // An export holds no members of others.
            Some(_) if rules.publishes => wanted,
            Some(counterpart) => with_unknown_members_of(wanted, counterpart),
            None => wanted,
        };
        let change = match counterpart {
            None => KeyChange::Add,
            Some(counterpart) => match rules.differences(&wanted, counterpart) {
                members if members.is_empty() => KeyChange::Same,
                members => KeyChange::Change(members),
            },
        };
        let private = has_private_member(&wanted);
        let is_stripped = was_private && !private;
        let only_strips = is_stripped
            && counterpart.is_some_and(|counterpart| {
                let whole = with_unknown_members_of(with_private_part(local, budget), counterpart);
                rules.differences(&whole, counterpart).is_empty()
            });
        self.items.push(Item {
            name: KeyName::of(local),
            alg: header.alg.or(header.kty).unwrap_or_default().into_owned(),
            private,
            was_private,
            only_strips,
            change,
        });
        self.set.keys.push(wanted);
    }
}

/// Returns the key pair if it is sent public only because it has neither `use` nor `alg`.
pub(super) fn unmarked(
    key: &Key,
    state: Option<State>,
    rules: &ServerRules,
    policy: Policy,
    budget: &Budget,
) -> Option<Unmarked> {
    let could_sign = rules.signs() && policy.private == Private::Signing;
    let is_silent = Header::of(key).effective_use().is_none() && is_key_pair(key);
    let is_one = could_sign && is_silent && state == Some(State::Active);
    (is_one && has_good_secret(key, budget)).then(|| Unmarked {
        name: KeyName::of(key),
        alg: match rules.issuer {
            Some(issuer) => issuer.alg_for(key),
            None => {
                let header = Header::of(key);
                let kty = header.kty.as_deref();
                kty.and_then(|kty| Algorithm::signing_with(kty, header.crv.as_deref()))
            }
        },
    })
}

/// Returns true if a key has a valid private or symmetric part.
fn has_good_secret(key: &Key, budget: &Budget) -> bool {
    let is_symmetric = Header::of(key).kty.as_deref() == Some("oct");
    (is_key_pair(key) || is_symmetric) && may_sign(&findings(key, budget))
}

/// Returns the key with the server's members that are neither private nor registered, because others
/// can need them. A key without a kid gets the kid that it has on the server.
fn with_unknown_members_of(key: Key<'static>, counterpart: &Key) -> Key<'static> {
    let (Ok(mut members), Ok(others)) = (key.members(), counterpart.members()) else {
        return key;
    };
    let has: HashSet<&str> = members
        .iter()
        .filter(|(_, value)| *value != "null")
        .map(|(name, _)| name)
        .collect();
    let is_new = |name: &str| (!is_registered(name) || name == "kid") && !has.contains(name);
    let new: Vec<_> = others.iter().filter(|(name, _)| is_new(name)).collect();
    members.overlay(new.into_iter());
    Key::from(members)
}
