//! Merges keys into a set: updates the keys that it has, and resolves conflicts.

mod conflict;
mod existing;
mod merger;
mod update;

use crate::error::Result;
use crate::key::Key;
use crate::key::check::Finding;
use crate::key::parts::{WITHHELD, holds_secret, is_key_pair, is_private};
use crate::keyset::KeySet;
use crate::keyset::index::{Apart, Entry, pair};
use crate::keyset::key_name::KeyName;
use crate::keyset::succession::SigningChange;
use crate::keyset::terms::{OnConflict, Origin, Terms};
pub(super) use merger::Merger;
use std::collections::HashMap;

/// A line of the set in which another key signs after a merge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewSigner {
    /// The name of the line, such as `sig ES256`.
    pub line: String,
    /// The key that signs.
    pub key: KeyName,
    /// The key that signed before, if there was one.
    pub before: Option<KeyName>,
}

/// A key that a repair changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RepairedKey {
    /// The name of the key after the repair.
    pub name: KeyName,
    /// The thumbprint before the repair, if the key had another one.
    pub former_thumbprint: Option<String>,
    /// True if the key belongs to the public form of its set.
    pub is_published: bool,
    /// The findings that the repair resolved.
    pub findings: Vec<Finding>,
}

/// The result of a merge.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Merged {
    /// The kid that the updated key had before it was renamed.
    pub former_kid: Option<String>,
    /// The keys that a repair changed, in the input or in the set.
    pub repaired: Vec<RepairedKey>,
    /// New keys.
    pub added: Vec<KeyName>,
    /// Keys of the set that changed.
    pub updated: Vec<KeyName>,
    /// Keys of the set that did not change.
    pub unchanged: Vec<KeyName>,
    /// New keys that were skipped because of a conflict.
    pub skipped: Vec<KeyName>,
    /// Keys of the set that a new key replaced.
    pub replaced: Vec<Key<'static>>,
    /// New keys that the set has under another kid as well.
    pub aliases: Vec<KeyName>,
    /// Keys of the set that keep protected members, and the members that differ at the source.
    pub differing: Vec<(KeyName, Vec<String>)>,
    /// Keys whose private part comes from a server.
    pub private: Vec<KeyName>,
    /// The lines in which a server's keys change which key signs.
    pub signers: Vec<NewSigner>,
    /// The keys that begin or stop signing, if the command has compared them.
    pub signing: SigningChange,
}

impl KeySet<'_> {
    /// Puts our keys into the set of a server. A key that the server has is updated. Returns an error
    /// for an unresolved conflict of kids, and for a private part that differs from the server's. The
    /// set is then unchanged.
    pub fn place(&mut self, keys: Vec<Key<'static>>, on_conflict: OnConflict) -> Result<Merged> {
        let terms = Terms {
            on_conflict,
            ..Terms::default()
        };
        let mut merger = Merger::into_set(self, &terms);
        merger.merge_document(keys, Origin::Own)?;
        let Merger { keys, merged, .. } = merger;
        self.keys = keys;
        Ok(merged)
    }

    /// Returns the keys that would be lost if another set replaced this one: entries that the other set
    /// lacks, or has without their private part.
    pub fn lost_in(&self, other: &KeySet) -> Vec<Key<'static>> {
        let lost = self.positions_lost_in(other).into_iter();
        lost.map(|position| self.keys[position].clone().into_owned())
            .collect()
    }

    /// Returns the positions of the keys that [`lost_in`](KeySet::lost_in) returns.
    pub fn positions_lost_in(&self, other: &KeySet) -> Vec<usize> {
        let entries = |set: &KeySet| set.keys.iter().map(Entry::of).collect::<Vec<_>>();
        let (ours, theirs) = (entries(self), entries(other));
        let pairs = pair(&theirs, &ours, Apart::SameKey);
        // A duplicate is not lost if one copy stays.
        let mut copies: HashMap<&Entry, usize> = HashMap::new();
        for (position, entry) in theirs.iter().enumerate() {
            let copy = copies.entry(entry).or_insert(position);
            if holds_secret(&other.keys[position]) {
                *copy = position;
            }
        }
        let is_kept = |key: &Key, entry: &Entry, pair: Option<usize>| {
            let mut there = pair.into_iter().chain(copies.get(entry).copied());
            there.any(|position| keeps_secrets(key, &other.keys[position]))
        };
        let is_lost = |i: &usize| !is_kept(&self.keys[*i], &ours[*i], pairs[*i]);
        (0..self.keys.len()).filter(is_lost).collect()
    }
}

/// Returns true if another key has every private member of a key, with the same value. If one of them
/// is in the public part of an encrypted set, the values are not known: then a private part is enough
/// for a key pair, and nothing for a shared secret.
fn keeps_secrets(key: &Key, other: &Key) -> bool {
    let (Ok(members), Ok(others)) = (key.members(), other.members()) else {
        return key == other;
    };
    match members.key_type() {
        Some(_) if members.has(WITHHELD) || others.has(WITHHELD) => {
            !is_private(&members) || is_key_pair(key) && is_key_pair(other)
        }
        Some(key_type) => key_type
            .private
            .iter()
            .all(|name| members.raw(name).is_none() || members.string(name) == others.string(name)),
        None => key == other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keyset::adopt::Foreign;

    fn key(json: &str) -> Key<'static> {
        Key::from_json(json.to_owned())
    }

    /// Takes keys in as those of a file.
    fn take(set: &mut KeySet<'static>, keys: &[&str], on_conflict: OnConflict) -> Result<Merged> {
        let file = Foreign::of_jwks(self::set(keys));
        set.adopt(
            &[file],
            &Terms {
                on_conflict,
                ..Terms::default()
            },
        )
    }

    fn set(keys: &[&str]) -> KeySet<'static> {
        KeySet::from(keys.iter().map(|json| key(json)).collect::<Vec<_>>())
    }

    const A: &str = r#"{"kty":"OKP","crv":"Ed25519","x":"AwAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA","kid":"a"}"#;
    const B_NAMED_A: &str = r#"{"kty":"OKP","crv":"Ed25519","x":"BAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA","kid":"a"}"#;

    #[test]
    fn the_number_of_different_copies_of_a_key_is_bounded() {
        let copy = |i: usize| A.replace("\"kid\"", &format!("\"m{i}\":1,\"kid\""));
        let copies = |number: usize| (0..number).map(copy).collect::<Vec<_>>();
        let taken = |copies: &[String]| {
            let copies: Vec<&str> = copies.iter().map(String::as_str).collect();
            take(&mut set(&[A]), &copies, OnConflict::Fail)
        };
        assert_eq!(taken(&copies(100)).unwrap().updated.len(), 100);
        let refused = taken(&copies(102)).unwrap_err();
        assert_eq!(refused.kind().exit_code(), 5, "{refused}");
        let alike = vec![copy(0); 1000];
        assert_eq!(taken(&alike).unwrap().unchanged.len(), 999);
    }

    #[test]
    fn the_same_key_is_updated_and_loses_nothing() {
        let mut set = set(&[
            r#"{"kty":"OKP","crv":"Ed25519","x":"AwAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA","kid":"a","x-note":1}"#,
        ]);
        let merged = take(
            &mut set,
            &[r#"{"kty":"OKP","crv":"Ed25519","x":"AwAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA","alg":"EdDSA"}"#],
            OnConflict::Fail,
        )
        .unwrap();
        assert_eq!(merged.updated.len(), 1);
        assert_eq!(
            set.keys[0].json(),
            r#"{"kty":"OKP","crv":"Ed25519","x":"AwAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA","kid":"a","x-note":1,"alg":"EdDSA"}"#
        );
        let again = take(&mut set, &[A], OnConflict::Fail).unwrap();
        assert_eq!(again.unchanged.len(), 1);
    }

    #[test]
    fn a_public_key_takes_no_private_part_away() {
        let private = r#"{"kty":"OKP","crv":"Ed25519","x":"BQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA","d":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA","key_ops":["sign"]}"#;
        let mut set = set(&[private]);
        let public = r#"{"kty":"OKP","crv":"Ed25519","x":"BQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA","key_ops":["verify"]}"#;
        take(&mut set, &[public], OnConflict::Fail).unwrap();
        assert_eq!(set.keys[0].json(), private);
    }

    /// The key of RFC 8037, and the same with the private part of another key.
    const PRIVATE: &str = r#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo","d":"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A"}"#;
    const WRONG: &str = r#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo","d":"AWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A"}"#;

    #[test]
    fn a_private_part_of_another_key_is_not_merged() {
        let mut private = set(&[PRIVATE]);
        assert!(take(&mut private, &[WRONG], OnConflict::Fail).is_err());
        assert_eq!(private, set(&[PRIVATE]));
    }

    #[test]
    fn a_private_part_of_another_key_does_not_spoil_a_public_key() {
        let public = PRIVATE.replace(r#","d":"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A""#, "");
        let mut taken = set(&[&public]);
        let merged = take(&mut taken, &[WRONG], OnConflict::Fail).unwrap();
        assert_eq!((merged.unchanged.len(), taken), (1, set(&[&public])));
    }

    #[test]
    fn a_symmetric_key_is_not_named_by_its_thumbprint() {
        let secret = r#"{"kty":"oct","k":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA","kid":"a"}"#;
        let mut taken = set(&[A]);
        assert!(take(&mut taken, &[secret], OnConflict::Rekey).is_err());
        assert_eq!(taken, set(&[A]));
    }

    #[test]
    fn the_same_key_for_other_uses_makes_entries_of_its_own() {
        let entry = |more: &str| A.replace('}', &format!(",{more}}}"));
        let several = [
            entry(r#""alg":"EdDSA""#),
            entry(r#""alg":"Ed25519""#),
            entry(r#""use":"enc""#),
        ];
        let several: Vec<&str> = several.iter().map(String::as_str).collect();
        let mut taken = set(&[]);
        let merged = take(&mut taken, &several, OnConflict::Fail).unwrap();
        assert_eq!((merged.added.len(), taken.keys.len()), (3, 3));
        assert!(merged.aliases.is_empty());
        let again = take(&mut taken, &several, OnConflict::Fail).unwrap();
        assert_eq!((again.unchanged.len(), taken.keys.len()), (3, 3));
        // One entry takes what it lacks, and only one.
        let mut lacking = set(&[A]);
        let merged = take(&mut lacking, &several, OnConflict::Fail).unwrap();
        assert_eq!((merged.updated.len(), merged.added.len()), (1, 2));
    }

    #[test]
    fn a_kid_that_is_the_thumbprint_of_another_key_is_a_conflict() {
        let thumbprint = KeyName::of(&key(A)).thumbprint.unwrap();
        let shadow = B_NAMED_A.replace(r#""kid":"a""#, &format!(r#""kid":"{thumbprint}""#));
        for (on_conflict, keys) in [
            (OnConflict::Fail, None),
            (OnConflict::Replace, None),
            (OnConflict::Skip, Some(1)),
            (OnConflict::Rekey, Some(2)),
        ] {
            let mut set = set(&[A]);
            let taken = take(&mut set, &[&shadow], on_conflict);
            assert_eq!(taken.ok().map(|_| set.keys.len()), keys, "{on_conflict:?}");
            assert_eq!(set.find(&thumbprint).unwrap(), 0);
        }
    }

    #[test]
    fn a_conflict_is_decided_four_ways() {
        let merge = |on_conflict| {
            let mut set = set(&[A]);
            let merged = take(&mut set, &[B_NAMED_A], on_conflict);
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
