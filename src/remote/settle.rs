//! Has the right key sign after a write, on servers whose order decides it.
//!
//! A server orders the keys of a set by the time of their insertion. If that is not exact enough,
//! the rows of one write tie, and their order is arbitrary: MySQL and MariaDB keep whole seconds,
//! and Hydra 1.0 on PostgreSQL one time for each call.

use super::Remote;
use super::http::Event;
use super::kind::Form;
use crate::error::{Error, Result};
use crate::key::Key;
use crate::key::summary::Header;
use crate::keyset::KeySet;
use crate::keyset::index::{Apart, Entry, Index, pair};
use crate::keyset::merge::KeyName;
use std::collections::{HashMap, HashSet};
use std::time::Duration;

/// The pauses before the signing key is put again by itself. The first one comes at once, for the
/// next second may have begun meanwhile.
const PAUSES: [Duration; 3] = [
    Duration::ZERO,
    Duration::from_millis(1100),
    Duration::from_millis(1100),
];

/// In what a server's set differs from what was written.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Difference {
    /// In its keys, in words.
    Keys(String),
    /// In the key that signs, and in nothing else.
    Signer,
}

impl Difference {
    pub(super) fn in_words(&self) -> &str {
        match self {
            Difference::Keys(words) => words,
            Difference::Signer => "another key signs, or none",
        }
    }
}

/// Whether the key signs that is to.
enum Outcome {
    /// It does.
    Signs,
    /// It does not; with the error of the last try to put it again.
    Fails(Option<Error>),
}

impl Remote {
    /// Reads back what was written. If another key signs than the one that was to, or none, puts
    /// that key again by itself, which makes it the newest and the first. If that does not help
    /// either, the set is put back as it was.
    pub(super) fn settle(&self, set: &str, before: &KeySet, after: &KeySet) -> Result<()> {
        match self.insist(set, before, after)? {
            Outcome::Signs => {
                self.watch.settle();
                Ok(())
            }
            Outcome::Fails(error) => Err(self.put_back(set, before, after, error)),
        }
    }

    /// Puts the key that is to sign again, until it does or there were enough tries.
    fn insist(&self, set: &str, before: &KeySet, after: &KeySet) -> Result<Outcome> {
        let signer = self.kind.storage.signer(after);
        let mut failure = None;
        for pause in PAUSES.map(Some).into_iter().chain([None]) {
            match self.difference_there(set, before, after)? {
                None => return Ok(Outcome::Signs),
                Some(Difference::Signer) => {}
                Some(difference) => return Err(self.not_as_written(difference.in_words())),
            }
            let (Some(signer), Some(pause)) = (signer, pause) else {
                break;
            };
            if !pause.is_zero() {
                (self.notify)(Event::Repeat {
                    reason: "another key signs there, because the order of one write is arbitrary",
                    pause,
                });
                std::thread::sleep(pause);
            }
            failure = self.server.put_key(set, before, signer).err();
        }
        Ok(Outcome::Fails(failure))
    }

    /// Puts a set back after a write whose order cannot be reached.
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
            None => "the order of its keys is arbitrary there".to_owned(),
        };
        let name = &self.name;
        Error::remote(format!(
            "{name} does not sign with the first key of {set}: {why}; {what}"
        ))
        .hint("run the command again; `jwks list SET --remote` shows which key signs")
    }

    /// Returns the first difference between what a server holds after a write and what was written.
    /// Keys that neither the write nor the set before it explains are somebody else's.
    fn difference_there(
        &self,
        set: &str,
        before: &KeySet,
        written: &KeySet,
    ) -> Result<Option<Difference>> {
        let unread = |error: Error| {
            let error = Error::remote(format!("cannot read back what was written: {error}"));
            error.hint("the server may hold the change already: look before you repeat it")
        };
        let now = self.get(set, Form::Private).map_err(unread)?;
        let now = now.unwrap_or_default();
        match self.first_difference(&now, written) {
            Some(Difference::Keys(_)) if is_of_another(&now, before, written) => {
                self.watch.settle();
                Err(self.overtaken(set))
            }
            difference => Ok(difference),
        }
    }

    pub(super) fn first_difference(&self, now: &KeySet, written: &KeySet) -> Option<Difference> {
        let storage = &self.storage(&[now, written]);
        let name = |key: &Key| {
            KeyName::of(key)
                .handle()
                .unwrap_or("without a kid")
                .to_owned()
        };
        let entry = |key: &Key| {
            let kty = Header::of(key).kty;
            let mut entry = Entry::of(key);
            entry.kid = entry.kid.map(|kid| (storage.kid)(&kid, kty.as_deref()));
            entry
        };
        let entries = |set: &KeySet| set.keys.iter().map(entry).collect::<Vec<_>>();
        let (there, ours) = (entries(now), entries(written));
        // What was written twice may be there once.
        let places: HashMap<&Entry, usize> = there.iter().zip(0..).collect();
        let pairs = pair(&there, &ours, Apart::SameKid);
        let wanted = Index::of(written);
        for ((key, entry), place) in written.keys.iter().zip(&ours).zip(pairs) {
            let place = place.or_else(|| places.get(entry).copied());
            let place = place.filter(|place| there[*place].kid == entry.kid);
            let Some(copy) = place.map(|place| &now.keys[place]) else {
                return Some(Difference::Keys(format!(
                    "the key {:?} is not there",
                    name(key)
                )));
            };
            let members = storage.differences(key, copy);
            if !members.is_empty() {
                let members = members.join(", ");
                return Some(Difference::Keys(format!(
                    "the key {:?} differs in {members}",
                    name(key)
                )));
            }
        }
        let more = now.keys.iter().find(|key| wanted.copies_of(key).is_empty());
        if let Some(key) = more {
            return Some(Difference::Keys(format!(
                "the key {:?} is there",
                name(key)
            )));
        }
        let signer = |set| storage.signer(set).map(|key| storage.name(key));
        let signs = signer(written).is_none() || self.server.is_in_order();
        (!signs || signer(now) != signer(written)).then_some(Difference::Signer)
    }
}

/// Returns true if what a server holds after a write shows a write of somebody else: it is not what
/// was there before, and other keys are in it than were written.
fn is_of_another(now: &KeySet, before: &KeySet, written: &KeySet) -> bool {
    let names = |set: &KeySet| -> HashSet<_> {
        let thumbprints = set.keys.iter().map(|key| KeyName::of(key).thumbprint);
        thumbprints.collect()
    };
    !now.is_alike(before) && names(now) != names(written)
}
