//! Bringing keys into a set: what is there already is updated, and what conflicts is decided.

use super::KeySet;
use super::index::Index;
use crate::error::{Error, Result};
use crate::key::Key;
use crate::key::check::{Budget, broken_members, findings, is_usable, public_findings};
use crate::key::format::certificate;
use crate::key::key_type::KeyType;
use crate::key::members::Members;
use crate::key::thumbprint::thumbprint;
use std::collections::HashSet;

/// What happens to a key whose kid another key of the set has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum OnConflict {
    /// Change nothing
    #[default]
    Fail,
    /// Keep the set's key
    Skip,
    /// Take the new key in its place
    Replace,
    /// Give the new key its thumbprint as kid
    Rekey,
}

/// How a key is named in a report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyName {
    /// Its kid, where it has one.
    pub kid: Option<String>,
    /// Its RFC 7638 thumbprint, where it has one.
    pub thumbprint: Option<String>,
    /// Whether it is a shared secret.
    pub is_symmetric: bool,
}

impl KeyName {
    /// The name of a key.
    pub fn of(key: &Key) -> KeyName {
        let members = key.members().unwrap_or_default();
        let key_type = members.string("kty").and_then(|kty| KeyType::named(&kty));
        KeyName {
            kid: members.string("kid").map(|kid| kid.into_owned()),
            thumbprint: thumbprint(&members),
            is_symmetric: key_type.is_some_and(KeyType::is_symmetric),
        }
    }

    /// The thumbprint, where it may be written down: that of a secret which people made up would
    /// help to guess it (RFC 7638 section 7).
    pub fn public_thumbprint(&self) -> Option<&str> {
        self.thumbprint.as_deref().filter(|_| !self.is_symmetric)
    }

    /// The kid, or else the thumbprint, by which the key can be asked for again.
    pub fn handle(&self) -> Option<&str> {
        let kid = self.kid.as_deref().filter(|kid| !kid.is_empty());
        kid.or(self.thumbprint.as_deref())
    }
}

impl From<&Key<'_>> for KeyName {
    fn from(key: &Key) -> Self {
        KeyName::of(key)
    }
}

impl From<&KeyName> for KeyName {
    fn from(name: &KeyName) -> Self {
        name.clone()
    }
}

/// What became of the keys that were brought in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Merged {
    /// New keys.
    pub added: Vec<KeyName>,
    /// Keys that were there and changed.
    pub updated: Vec<KeyName>,
    /// Keys that were there as they are.
    pub unchanged: Vec<KeyName>,
    /// Keys that lost a conflict.
    pub skipped: Vec<KeyName>,
    /// Keys of the set that a replacement threw out, as they were.
    pub replaced: Vec<Key<'static>>,
    /// New keys that the set has under another kid as well.
    pub aliases: Vec<KeyName>,
}

impl KeySet<'_> {
    /// Brings keys in, in their order. Nothing is changed where it fails.
    ///
    /// The same key (the same thumbprint) under the same kid is updated; under another kid it is
    /// a key of its own, so that no kid is lost. Another key with the kid of one of the set's own
    /// is a conflict. Two new keys may share a kid: that is for the one who made them to mend.
    pub fn merge(&mut self, keys: Vec<Key<'static>>, on_conflict: OnConflict) -> Result<Merged> {
        let mut merge = Merge {
            own: self.keys.len(),
            index: Index::of(self),
            keys: self.keys.clone(),
            on_conflict,
            taken: HashSet::new(),
            budget: Budget::default(),
            merged: Merged::default(),
        };
        for key in keys {
            merge.bring_in(key)?;
        }
        self.keys = merge.keys;
        Ok(merge.merged)
    }

    /// The keys that would be lost if the set became another one: those that are not in it, and
    /// those that are without their private part.
    pub fn lost_in(&self, other: &KeySet) -> Vec<Key<'static>> {
        let index = Index::of(other);
        let is_kept = |key: &Key| {
            let copies = index.copies_of(key);
            copies.iter().any(|i| keeps_secrets(key, &other.keys[*i]))
        };
        let lost = self.keys.iter().filter(|key| !is_kept(key));
        lost.map(|key| key.clone().into_owned()).collect()
    }
}

/// A merge under way.
struct Merge<'a> {
    /// How many keys the set had before.
    own: usize,
    index: Index,
    keys: Vec<Key<'a>>,
    on_conflict: OnConflict,
    /// The positions that a new key has taken from one of the set's own.
    taken: HashSet<usize>,
    /// What the checks of new private parts may still cost.
    budget: Budget,
    merged: Merged,
}

impl Merge<'_> {
    fn bring_in(&mut self, key: Key<'static>) -> Result<()> {
        let key = self.without_weak_kid(key);
        // An invalid key is kept as it came; no good one is changed after it.
        let same = match is_usable(&public_findings(&key)) {
            true => self.index.position_of(&key),
            false => {
                let mut copies = self.index.copies_with_kids(&key);
                let same = copies.find(|(position, _)| self.keys[*position] == key);
                same.map(|(position, _)| position)
            }
        };
        let kid = KeyName::of(&key).kid;
        let rivals = kid
            .as_deref()
            .map_or(&[][..], |kid| self.index.with_kid(kid));
        let mut rivals = rivals
            .iter()
            .filter(|rival| **rival < self.own && Some(**rival) != same);
        match (rivals.next().copied(), rivals.next(), same) {
            (Some(rival), None, None)
                if self.on_conflict == OnConflict::Replace && self.taken.insert(rival) =>
            {
                self.merged.added.push(KeyName::of(&key));
                let lost = self.put(rival, key);
                self.merged.replaced.push(lost);
            }
            (Some(rival), ..) => match self.on_conflict {
                OnConflict::Skip => self.merged.skipped.push(KeyName::of(&key)),
                OnConflict::Rekey => return self.bring_in(named_by_thumbprint(&key)?),
                OnConflict::Fail | OnConflict::Replace => {
                    return Err(conflict(&kid.unwrap_or_default(), &self.keys[rival]));
                }
            },
            (None, _, Some(same)) if contradicts(&self.keys[same], &key) => {
                return Err(contradiction(&self.keys[same]));
            }
            (None, _, Some(same)) => match updated(&self.keys[same], &key, &self.budget) {
                Some(new) => {
                    self.merged.updated.push(KeyName::of(&new));
                    self.put(same, new);
                }
                None => self.merged.unchanged.push(KeyName::of(&self.keys[same])),
            },
            (None, _, None) => {
                if !self.index.copies_of(&key).is_empty() {
                    self.merged.aliases.push(KeyName::of(&key));
                }
                self.merged.added.push(KeyName::of(&key));
                self.index.add(self.keys.len(), &key);
                self.keys.push(key);
            }
        }
        Ok(())
    }

    /// The key without its kid where that is but its thumbprint and the set has the key under
    /// another kid: such a kid says nothing new.
    fn without_weak_kid(&self, key: Key<'static>) -> Key<'static> {
        let name = KeyName::of(&key);
        let is_weak = name.kid.is_some() && name.kid == name.thumbprint;
        if !is_weak
            || self.index.position_of(&key).is_some()
            || self.index.copies_of(&key).is_empty()
        {
            return key;
        }
        let mut members = key.members().unwrap_or_default();
        members.remove("kid");
        Key::from(members)
    }

    /// Puts a key in the place of another, and returns that.
    fn put(&mut self, position: usize, key: Key<'static>) -> Key<'static> {
        self.index.remove(position, &self.keys[position]);
        self.index.add(position, &key);
        std::mem::replace(&mut self.keys[position], key).into_owned()
    }
}

/// The key with its thumbprint for a kid. Shared secrets get none: the thumbprint of a secret
/// that people made up would help to guess it (RFC 7638 section 7).
fn named_by_thumbprint(key: &Key) -> Result<Key<'static>> {
    let members = key.members().unwrap_or_default();
    let symmetric = members.string("kty").is_some_and(|kty| kty == "oct");
    match thumbprint(&members).filter(|_| !symmetric) {
        Some(thumbprint) => {
            let renamed = Key::from(members.clone().with_kid(&thumbprint));
            match renamed == *key {
                false => Ok(renamed),
                true => Err(Error::refused(format!(
                    "another key has the kid {thumbprint:?}"
                ))),
            }
        }
        None => Err(
            Error::refused("a key without a public thumbprint has a kid that is taken")
                .hint("give it another kid: --kid"),
        ),
    }
}

/// Whether both keys have a private part, and not the same.
fn contradicts(own: &Key, new: &Key) -> bool {
    let (own, new) = (
        own.members().unwrap_or_default(),
        new.members().unwrap_or_default(),
    );
    let key_type = own.string("kty").and_then(|kty| KeyType::named(&kty));
    key_type.is_some_and(|key_type| {
        key_type
            .private
            .iter()
            .any(|name| own.has(name) && new.has(name) && own.string(name) != new.string(name))
    })
}

fn contradiction(own: &Key) -> Error {
    let name = KeyName::of(own);
    let name = name.handle().unwrap_or("without a kid");
    Error::refused(format!(
        "the key {name:?} is there with another private part"
    ))
    .hint("one of the two is wrong: jwks check tells which")
}

fn conflict(kid: &str, own: &Key) -> Error {
    let own = KeyName::of(own)
        .thumbprint
        .unwrap_or_else(|| "no thumbprint".into());
    Error::refused(format!("another key has the kid {kid:?} ({own})"))
        .hint("--on-conflict skip, replace or rekey decides it")
}

/// Whether every private member of a key is in another, with the same value.
fn keeps_secrets(key: &Key, other: &Key) -> bool {
    let (Ok(members), Ok(others)) = (key.members(), other.members()) else {
        return key == other;
    };
    match members.string("kty").and_then(|kty| KeyType::named(&kty)) {
        Some(key_type) => key_type
            .private
            .iter()
            .all(|name| members.raw(name).is_none() || members.string(name) == others.string(name)),
        None => key == other,
    }
}

/// The set's own key with what the same key brought in says otherwise; `None` where it says
/// nothing new. No member is lost, and a public key never takes a private part away.
fn updated(own: &Key, new: &Key, budget: &Budget) -> Option<Key<'static>> {
    let (Ok(own_members), Ok(mut new_members)) = (own.members(), new.members()) else {
        return None;
    };
    // A broken member says nothing, so it must not take the place of a good one.
    let has_certificate = certificate::DESCRIBING.iter().any(|it| own_members.has(it));
    for name in broken_members(&findings(new, budget)) {
        let is_of_certificate = certificate::DESCRIBING.contains(&name);
        if own_members.has(name) || (has_certificate && is_of_certificate) {
            new_members.remove(name);
        }
    }
    let private = |members: &Members| {
        let key_type = members.string("kty").and_then(|kty| KeyType::named(&kty));
        key_type.is_some_and(|key_type| key_type.private.iter().any(|name| members.has(name)))
    };
    let downgrade = private(&own_members) && !private(&new_members);
    let overlay = |takes: &dyn Fn(&str) -> bool| {
        let takes = |name: &str| takes(name) && !certificate::DESCRIBING.contains(&name);
        let mut result = own_members.clone();
        result.overlay(new_members.iter().filter(|(name, _)| takes(name)));
        certificate::take_over(&mut result, &new_members);
        result
    };
    // A public key's operations are not those of its key pair.
    let mut result = overlay(&|name| !(downgrade && name == "key_ops"));
    let upgrade = !private(&own_members) && private(&new_members);
    if upgrade
        && is_usable(&findings(own, budget))
        && !is_usable(&findings(&Key::from(result.clone()), budget))
    {
        // A private part of another key would make a good public key unusable.
        let key_type = own_members
            .string("kty")
            .and_then(|kty| KeyType::named(&kty));
        let secrets = key_type.map_or(&[][..], |key_type| key_type.private);
        result = overlay(&|name| !secrets.contains(&name) && name != "key_ops");
    }
    (result != own_members).then(|| Key::from(result))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(json: &str) -> Key<'static> {
        Key::from_json(json.to_owned())
    }

    fn set(keys: &[&str]) -> KeySet<'static> {
        KeySet::from(keys.iter().map(|json| key(json)).collect::<Vec<_>>())
    }

    const A: &str = r#"{"kty":"OKP","crv":"Ed25519","x":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA","kid":"a"}"#;
    const B_NAMED_A: &str = r#"{"kty":"OKP","crv":"Ed25519","x":"BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBA","kid":"a"}"#;

    #[test]
    fn the_same_key_is_updated_and_loses_nothing() {
        let mut set = set(&[
            r#"{"kty":"OKP","crv":"Ed25519","x":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA","kid":"a","x-note":1}"#,
        ]);
        let merged = set
            .merge(
                vec![key(
                    r#"{"kty":"OKP","crv":"Ed25519","x":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA","alg":"EdDSA"}"#,
                )],
                OnConflict::Fail,
            )
            .unwrap();
        assert_eq!(merged.updated.len(), 1);
        assert_eq!(
            set.keys[0].json(),
            r#"{"kty":"OKP","crv":"Ed25519","x":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA","kid":"a","x-note":1,"alg":"EdDSA"}"#
        );
        let again = set.merge(vec![key(A)], OnConflict::Fail).unwrap();
        assert_eq!(again.unchanged.len(), 1);
    }

    #[test]
    fn a_public_key_takes_no_private_part_away() {
        let private = r#"{"kty":"OKP","crv":"Ed25519","x":"QQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQA","d":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA","key_ops":["sign"]}"#;
        let mut set = set(&[private]);
        let public = r#"{"kty":"OKP","crv":"Ed25519","x":"QQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQA","key_ops":["verify"]}"#;
        set.merge(vec![key(public)], OnConflict::Fail).unwrap();
        assert_eq!(set.keys[0].json(), private);
    }

    #[test]
    fn a_conflict_is_decided_four_ways() {
        let merge = |on_conflict| {
            let mut set = set(&[A]);
            let merged = set.merge(vec![key(B_NAMED_A)], on_conflict);
            (set, merged)
        };
        let (unchanged, failed) = merge(OnConflict::Fail);
        assert!(failed.is_err() && unchanged == set(&[A]));
        let (unchanged, skipped) = merge(OnConflict::Skip);
        assert!(skipped.unwrap().skipped.len() == 1 && unchanged == set(&[A]));
        let (replaced, merged) = merge(OnConflict::Replace);
        assert_eq!(replaced, set(&[B_NAMED_A]));
        assert_eq!(merged.unwrap().replaced, [key(A)]);
        let (both, merged) = merge(OnConflict::Rekey);
        let added = &merged.unwrap().added[0];
        assert!(both.keys.len() == 2 && added.kid == added.thumbprint);
    }
}
