//! How a kind of server stores keys and picks the one that signs.

use crate::error::{Error, Result};
use crate::key::Key;
use crate::key::header::Header;
use crate::key::members::{Members, same_value};
use crate::key::parts::is_key_pair;
use crate::keyset::KeySet;
use crate::keyset::index::Entry;
use crate::keyset::issuer::Issuer;
use crate::keyset::key_name::KeyName;
use crate::keyset::lifecycle::{self, State};
use std::collections::{HashMap, HashSet};

/// How a kind of server keeps keys.
#[derive(Clone, Copy, Debug)]
pub struct ServerRules {
    /// The members that the server keeps; `None` if it keeps all.
    pub members: Option<&'static [&'static str]>,
    /// Returns the kid of a key on the server, from its local kid and kty.
    pub kid: fn(&str, Option<&str>) -> String,
    /// How the server picks its signing key.
    pub signing: Signing,
    /// The rules for the server's own tokens; `None` if it issues none, or if the rules are not known.
    pub issuer: Option<&'static Issuer>,
    /// Returns why the server does not accept a key, or `None` if it does.
    pub refuses: fn(&Members) -> Option<String>,
    /// True if the server only publishes the set: its keys have the form of an export.
    pub publishes: bool,
}

/// How a server picks the signing key of a set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signing {
    /// It does not sign.
    Never,
    /// Its settings name the kid.
    ByKid,
    /// It signs with the first key that is not public. A symmetric key counts as not public.
    FirstSecret,
    /// It signs with the first public and the first other entry, which must be the halves of one pair.
    /// So the pair has to be the first key of the set.
    FirstPair,
}

impl ServerRules {
    /// A server that keeps everything as it is and does not sign.
    pub const FAITHFUL: ServerRules = ServerRules {
        members: None,
        kid: |kid, _| kid.to_owned(),
        signing: Signing::Never,
        issuer: None,
        refuses: |_| None,
        publishes: false,
    };

    /// A server that publishes a document for verifiers, as an export writes it.
    pub const PUBLISHED: ServerRules = ServerRules {
        publishes: true,
        ..ServerRules::FAITHFUL
    };

    /// Returns true if it signs, so that it needs the private part of the active signing key.
    pub fn signs(&self) -> bool {
        self.signing != Signing::Never
    }

    /// Returns true if the order of the keys decides which one signs.
    pub fn order_decides(&self) -> bool {
        matches!(self.signing, Signing::FirstSecret | Signing::FirstPair)
    }

    /// The rules for the server's own tokens, if it signs them with the set of this name.
    pub fn issuer_of(&self, set: &str) -> Option<&'static Issuer> {
        self.issuer.filter(|issuer| issuer.owns(set))
    }

    /// Returns true if the server keeps a member.
    pub fn keeps(&self, name: &str) -> bool {
        self.members.is_none_or(|members| members.contains(&name))
    }

    /// Returns the form in which the server keeps a key.
    pub fn form(&self, members: &Members) -> Members<'static> {
        let left = members.iter().filter(|(name, _)| self.keeps(name));
        let left = left.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let mut left: Members<'static> = left.collect();
        if let Some(kid) = members.string("kid") {
            left.set_text("kid", &(self.kid)(&kid, members.string("kty").as_deref()));
        }
        left
    }

    /// Returns the kid that a key has on the server; `None` if it has none.
    pub fn kid_of(&self, key: &Key) -> Option<String> {
        let header = Header::of(key);
        let kid = header.kid.as_deref()?;
        Some((self.kid)(kid, header.kty.as_deref()))
    }

    /// Returns the name of a key on the server: its thumbprint, and the kid that it has there.
    pub fn name(&self, key: &Key) -> KeyName {
        KeyName {
            kid: self.kid_of(key),
            ..KeyName::of(key)
        }
    }

    /// Returns the entry of a key on the server, under the kid that it has there.
    pub fn entry(&self, key: &Key) -> Entry {
        Entry {
            kid: self.kid_of(key),
            ..Entry::of(key)
        }
    }

    /// Returns the position of the key with which the server signs, if the order decides it. That can be a
    /// symmetric key.
    pub fn signer_position(&self, set: &KeySet) -> Option<usize> {
        match self.signing {
            Signing::Never | Signing::ByKid => None,
            Signing::FirstSecret => set.keys.iter().position(holds_secret_of_its_own),
            Signing::FirstPair => set.keys.first().filter(|key| is_key_pair(key)).map(|_| 0),
        }
    }

    /// Returns the key with which the server signs, if the order decides it.
    pub fn signer<'s, 'k>(&self, set: &'s KeySet<'k>) -> Option<&'s Key<'k>> {
        self.signer_position(set)
            .map(|position| &set.keys[position])
    }

    /// Puts the first key pair in front, if the server signs with the first pair.
    pub fn put_a_pair_first(&self, set: &mut KeySet) {
        let pair = set.keys.iter().position(is_key_pair);
        if let (Signing::FirstPair, Some(pair)) = (self.signing, pair) {
            set.keys[..=pair].rotate_right(1);
        }
    }

    /// Returns the keys of a set with which the server can sign. If the order decides, that is one key;
    /// otherwise it is every key pair that is not for encryption.
    pub fn signers<'s, 'k>(&self, set: &'s KeySet<'k>) -> Vec<&'s Key<'k>> {
        if self.order_decides() {
            return self.signer(set).into_iter().collect();
        }
        let may_sign =
            |key: &&Key| is_key_pair(key) && Header::of(key).effective_use() != Some("enc");
        let keys = set.keys.iter().filter(may_sign);
        keys.filter(|_| self.signs()).collect()
    }

    /// Returns the states of the keys of a set on the server. On a server that only publishes keys,
    /// they follow from the dates alone. If the order decides which key signs, only that one is an
    /// active signing key. `now` is in seconds since 1970.
    pub fn states(&self, set: &KeySet, now: i64) -> Vec<Option<State>> {
        if !self.signs() {
            return lifecycle::states_by_date(set, now);
        }
        let mut states = lifecycle::states(set, now);
        if !self.order_decides() {
            // If the server does not store dates, only the private part shows that a key signs, so
            // every key pair counts as active.
            for (key, state) in set.keys.iter().zip(&mut states) {
                if !self.keeps("nbf") && is_key_pair(key) && *state == Some(State::Retired) {
                    *state = Some(State::Active);
                }
            }
            return states;
        }
        let signer = self.signer_position(set);
        for (position, state) in states.iter_mut().enumerate() {
            let signs = Header::of(&set.keys[position]).effective_use() != Some("enc");
            if signer == Some(position) {
                *state = Some(State::Active);
            } else if signs && *state == Some(State::Active) {
                *state = Some(State::Retired);
            }
        }
        states
    }

    /// Returns an error if two keys on the server would have the same kid.
    pub fn refuse_shared_kids(&self, set: &KeySet) -> Result<()> {
        let mut kids = HashMap::new();
        for key in &set.keys {
            let Some(kid) = self.kid_of(key) else {
                continue;
            };
            let name = KeyName::of(key);
            if let Some(other) = kids.insert(kid.clone(), name.clone())
                && (self.order_decides() || other.thumbprint != name.thumbprint)
            {
                let [one, other] =
                    [&other, &name].map(|name| name.public_thumbprint().unwrap_or("none"));
                return Err(Error::refused(format!(
                    "the server would have two keys with the kid {kid:?}, with the thumbprints {one} and {other}"
                ))
                .hint("pass --prune to delete the server's own keys, or give the local key another kid"));
            }
        }
        Ok(())
    }

    /// Returns the members in which two keys would differ on the server, compared by value.
    pub fn differences(&self, one: &Key, other: &Key) -> Vec<String> {
        let (one, other) = (
            self.form(&one.members().unwrap_or_default()),
            self.form(&other.members().unwrap_or_default()),
        );
        // The map avoids quadratic work for keys with many members.
        let theirs: HashMap<&str, &str> = other.iter().collect();
        let mut names: Vec<String> = Vec::new();
        let mut seen = HashSet::new();
        for (name, value) in one.iter() {
            seen.insert(name);
            let is_same = theirs
                .get(name)
                .is_some_and(|other| same_value(value, other));
            if !is_same {
                names.push(name.to_owned());
            }
        }
        let more = other.names().filter(|name| !seen.contains(name));
        names.extend(more.map(str::to_owned));
        names
    }
}

/// Returns true for a key pair with its private part, and for a symmetric key.
fn holds_secret_of_its_own(key: &Key) -> bool {
    is_key_pair(key) || Header::of(key).kty.as_deref() == Some("oct")
}
