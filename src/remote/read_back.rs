//! Makes sure that the right key signs after a write, on servers where the order of the keys decides it.
//!
//! A server orders the keys of a set by the time of their insertion. If the keys of one write have the
//! same time, their order is arbitrary: MySQL and MariaDB store whole seconds, and Hydra 1.0 on
//! PostgreSQL stores one time for each call.

use crate::error::{Error, Reason, Result};
use crate::key::Key;
use crate::keyset::KeySet;
use crate::keyset::index::{Apart, Entry, Index, pair};
use crate::keyset::key_name::KeyName;
use crate::keyset::server_rules::ServerRules;
use crate::remote::Remote;
use crate::remote::http::Event;
use crate::remote::kind::Form;
use std::collections::{HashMap, HashSet};
use std::time::Duration;

/// The pauses before the signing key is put again by itself. The first try needs no pause, because the
/// next second may have begun already.
const PAUSES: [Duration; 3] = [
    Duration::ZERO,
    Duration::from_millis(1100),
    Duration::from_millis(1100),
];

/// How a server's set differs from what was written.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Difference {
    /// In its keys; the text is for messages.
    Keys(String),
    /// Only in the key that signs.
    Signer,
}

impl Difference {
    pub(super) fn description(&self) -> &str {
        match self {
            Difference::Keys(words) => words,
            Difference::Signer => "another key signs, or none",
        }
    }
}

/// Which key signs after a write.
enum Outcome {
    /// The right key signs.
    Signs,
    /// Another key signs, or none; with the error of the last try to put the right key again.
    Fails(Option<Error>),
}

impl Remote {
    /// Reads back what was written. If the wrong key signs, or none, puts the right key again by itself,
    /// which makes it the newest and the first. If that does not help either, restores the set.
    pub(super) fn settle(&self, set: &str, before: &KeySet, after: &KeySet) -> Result<()> {
        match self.insist(set, before, after)? {
            Outcome::Signs => {
                self.watch.settle();
                self.server.check_published(after)
            }
            Outcome::Fails(error) => Err(self.put_back(set, before, after, error)),
        }
    }

    /// Puts the signing key again until it signs, for a limited number of tries.
    fn insist(&self, set: &str, before: &KeySet, after: &KeySet) -> Result<Outcome> {
        let signer = self.kind.rules.signer(after);
        let mut failure = None;
        for pause in PAUSES.map(Some).into_iter().chain([None]) {
            match self.difference_there(set, before, after)? {
                None => return Ok(Outcome::Signs),
                Some(Difference::Signer) => {}
                Some(difference) => return Err(self.not_as_written(difference.description())),
            }
            let (Some(signer), Some(pause)) = (signer, pause) else {
                break;
            };
            if !pause.is_zero() {
                (self.notify)(Event::Repeat {
                    reason: "another key signs there, because the server does not keep the order of keys",
                    pause,
                });
                std::thread::sleep(pause);
            }
            failure = self.server.put_key(set, before, signer).err();
        }
        Ok(Outcome::Fails(failure))
    }

    /// Restores a set after a write with which the right key does not sign.
    fn put_back(
        &self,
        set: &str,
        before: &KeySet,
        after: &KeySet,
        failure: Option<Error>,
    ) -> Error {
        let put = self.server.put_set(set, after, before);
        let is_back = put.and_then(|()| self.insist(set, after, before));
        let what = match is_back {
            Ok(Outcome::Signs) => {
                self.watch.settle();
                "the set is restored"
            }
            _ => "the set could not be restored, so another key may sign, or none",
        };
        let why = match failure {
            Some(error) => error.to_string(),
            None => "the server does not keep the order of keys".to_owned(),
        };
        let name = &self.name;
        Error::remote(format!(
            "{name} does not sign with the first key of {set}: {why}; {what}"
        ))
        .hint(format!(
            "run the command again; `jwks list SET --remote {name}` shows which key signs"
        ))
    }

    /// Returns the first difference between a server's set after a write and what was written. If the
    /// server has keys that are neither from the write nor from before, somebody else wrote them.
    fn difference_there(
        &self,
        set: &str,
        before: &KeySet,
        written: &KeySet,
    ) -> Result<Option<Difference>> {
        let unread = |error: Error| {
            let error = Error::remote(format!("cannot read back what was written: {error}"));
            error
                .because(Reason::Unanswered)
                .hint("the server may have made the change: check before you run the command again")
        };
        self.left.take();
        let now = self.get(set, Form::Private).map_err(unread)?;
        let now = now.unwrap_or_default();
        self.left.replace(Some(now.clone()));
        match self.first_difference(&now, written) {
            Some(Difference::Keys(_)) if is_of_another(&now, before, written, &self.kind.rules) => {
                self.watch.settle();
                Err(self.overtaken(set))
            }
            difference => Ok(difference),
        }
    }

    pub(super) fn first_difference(&self, now: &KeySet, written: &KeySet) -> Option<Difference> {
        let rules = &self.rules(&[now, written]);
        let name = |key: &Key| {
            KeyName::of(key)
                .handle()
                .unwrap_or("without a kid")
                .to_owned()
        };
        let entries =
            |set: &KeySet| -> Vec<Entry> { set.keys.iter().map(|key| rules.entry(key)).collect() };
        let (there, ours) = (entries(now), entries(written));
        // The server can store a duplicate once.
        let places: HashMap<&Entry, usize> = there.iter().zip(0..).collect();
        let pairs = pair(&there, &ours, Apart::SameKid);
        let wanted = Index::of(written);
        for ((key, entry), place) in written.keys.iter().zip(&ours).zip(pairs) {
            let place = place.or_else(|| places.get(entry).copied());
            let place = place.filter(|place| there[*place].kid == entry.kid);
            let Some(copy) = place.map(|place| &now.keys[place]) else {
                return Some(Difference::Keys(format!(
                    "the key {:?} is missing",
                    name(key)
                )));
            };
            let members = rules.differences(key, copy);
            if !members.is_empty() {
                let members = members.join(", ");
                return Some(Difference::Keys(format!(
                    "the key {:?} differs in {members}",
                    name(key)
                )));
            }
        }
        let more = now.keys.iter().find(|key| !wanted.has(key));
        if let Some(key) = more {
            return Some(Difference::Keys(format!(
                "the server also has the key {:?}",
                name(key)
            )));
        }
        let signer = |set| rules.signer(set).map(|key| rules.name(key));
        let signs = signer(written).is_none() || self.server.is_in_order();
        (!signs || signer(now) != signer(written)).then_some(Difference::Signer)
    }
}

/// Returns true if a server's set after a write shows that somebody else wrote to it: it differs from the
/// set before, and has other keys than were written, or a key that is as it was before.
fn is_of_another(now: &KeySet, before: &KeySet, written: &KeySet, rules: &ServerRules) -> bool {
    if now.is_alike(before) {
        return false;
    }
    let names = |set: &KeySet| -> HashSet<_> {
        let thumbprints = set.keys.iter().map(|key| KeyName::of(key).thumbprint);
        thumbprints.collect()
    };
    let old: HashSet<&str> = before.keys.iter().map(Key::json).collect();
    let mut wanted: HashMap<Entry, Vec<&Key>> = HashMap::new();
    for key in &written.keys {
        let copies = wanted.entry(rules.entry(key)).or_default();
        copies.push(key);
    }
    let is_undone = |key: &Key| {
        let copies = wanted.get(&rules.entry(key)).into_iter();
        let differs = |copy: &&Key| !rules.differences(copy, key).is_empty();
        old.contains(key.json()) && copies.flatten().all(differs)
    };
    names(now) != names(written) || now.keys.iter().any(is_undone)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::step_counter;

    /// A set of `count` copies of one key under kids of their own, whose last one is for `usage`.
    fn copies(count: usize, usage: &str) -> KeySet<'static> {
        const KEY: &str =
            r#""kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo""#;
        let key = |i| {
            let usage = if i + 1 == count { usage } else { "sig" };
            Key::from_json(format!(r#"{{{KEY},"kid":"{i}","use":"{usage}"}}"#))
        };
        KeySet::from((0..count).map(key).collect::<Vec<_>>())
    }

    /// The steps of a look at a write to such a set, which somebody else undid or not.
    fn steps_of_a_look(count: usize, is_undone: bool) -> u64 {
        let (before, written) = (copies(count, "sig"), copies(count, "enc"));
        let mut now = if is_undone {
            before.clone()
        } else {
            written.clone()
        };
        now.keys.reverse();
        let steps = step_counter::counted();
        let found = is_of_another(&now, &before, &written, &ServerRules::FAITHFUL);
        assert_eq!(found, is_undone);
        step_counter::counted() - steps
    }

    #[test]
    fn copies_of_one_key_are_compared_in_linear_time() {
        for is_undone in [true, false] {
            let (once, twice) = (
                steps_of_a_look(50, is_undone),
                steps_of_a_look(100, is_undone),
            );
            assert!(once > 0 && twice <= 2 * once + 10, "{once} to {twice}");
        }
    }
}
