//! What a server makes of the keys that it is given.

use super::KeySet;
use super::lifecycle::{self, State};
use crate::key::Key;
use crate::key::members::{Members, same_value};
use crate::key::public::is_key_pair;
use crate::key::summary::Header;
use std::collections::{HashMap, HashSet};

/// How a kind of server keeps keys.
#[derive(Clone, Copy, Debug)]
pub struct Storage {
    /// The members that survive; all of them where it is `None`.
    pub members: Option<&'static [&'static str]>,
    /// The kid of a key there, from its kid and kty here.
    pub kid: fn(&str, Option<&str>) -> String,
    /// Whether it signs, so that it needs the private part of the active signing key.
    pub signs: bool,
    /// Whether the first key with a private part is the one that signs.
    pub first_signs: bool,
    /// Why it does not take a key, in words.
    pub refuses: fn(&Members) -> Option<String>,
}

impl Storage {
    /// A server that keeps everything as it is and does not sign.
    pub const FAITHFUL: Storage = Storage {
        members: None,
        kid: |kid, _| kid.to_owned(),
        signs: false,
        first_signs: false,
        refuses: |_| None,
    };

    /// Whether a member survives.
    pub fn keeps(&self, name: &str) -> bool {
        self.members.is_none_or(|members| members.contains(&name))
    }

    /// What is left of a key there.
    pub fn form(&self, members: &Members) -> Members<'static> {
        let left = members.iter().filter(|(name, _)| self.keeps(name));
        let left = left.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let mut left: Members<'static> = left.collect();
        if let Some(kid) = members.string("kid") {
            left.set_text("kid", &(self.kid)(&kid, members.string("kty").as_deref()));
        }
        left
    }

    /// The key of a set that signs there, where the order decides it: the first with a private part.
    pub fn signer<'s, 'k>(&self, set: &'s KeySet<'k>) -> Option<&'s Key<'k>> {
        let first = set.keys.iter().find(|key| is_key_pair(key));
        first.filter(|_| self.first_signs)
    }

    /// The keys of a set that may sign there: where the order decides, the first with a private part;
    /// else every one with it, unless it is for encryption.
    pub fn signers<'s, 'k>(&self, set: &'s KeySet<'k>) -> Vec<&'s Key<'k>> {
        if self.first_signs {
            return self.signer(set).into_iter().collect();
        }
        let may_sign =
            |key: &&Key| is_key_pair(key) && Header::of(key).effective_use() != Some("enc");
        let keys = set.keys.iter().filter(may_sign);
        keys.filter(|_| self.signs).collect()
    }

    /// The states of the keys of a set there. Of a server that publishes what others sign with, only
    /// the dates tell. Where the order decides who signs, that key is the active one of all that sign.
    pub fn states(&self, set: &KeySet, now: i64) -> Vec<Option<State>> {
        if !self.signs {
            return lifecycle::states_by_date(set, now);
        }
        let mut states = lifecycle::states(set, now);
        if !self.keeps("nbf") && !self.first_signs {
            // Without dates nothing tells which key signs, but that it takes a private part.
            for (key, state) in set.keys.iter().zip(&mut states) {
                if is_key_pair(key) && *state == Some(State::Retired) {
                    *state = Some(State::Active);
                }
            }
        }
        let Some(signer) = self.signer(set) else {
            return states;
        };
        for (key, state) in set.keys.iter().zip(&mut states) {
            let signs = Header::of(key).effective_use() != Some("enc");
            if key == signer {
                *state = Some(State::Active);
            } else if signs && *state == Some(State::Active) {
                *state = Some(State::Retired);
            }
        }
        states
    }

    /// The members in which two keys would differ there, by value and not by text.
    pub fn differences(&self, one: &Key, other: &Key) -> Vec<String> {
        let (one, other) = (
            self.form(&one.members().unwrap_or_default()),
            self.form(&other.members().unwrap_or_default()),
        );
        // Where there are many, a look for each would take the square of their number.
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
