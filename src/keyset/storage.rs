//! What a server makes of the keys that it is given.

use super::KeySet;
use super::lifecycle::{self, State};
use crate::key::Key;
use crate::key::members::Members;
use crate::key::public::is_key_pair;
use crate::key::summary::Header;
use serde_json::Value;

/// How a kind of server keeps keys.
#[derive(Clone, Copy, Debug)]
pub struct Storage {
    /// The members that survive; all of them where it is `None`.
    pub members: Option<&'static [&'static str]>,
    /// What the kid of every key pair begins with there.
    pub kid_prefix: &'static str,
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
        kid_prefix: "",
        signs: false,
        first_signs: false,
        refuses: |_| None,
    };

    /// What is left of a key there.
    pub fn form(&self, members: &Members) -> Members<'static> {
        let survives = |name: &str| self.members.is_none_or(|members| members.contains(&name));
        let left = members.iter().filter(|(name, _)| survives(name));
        let left = left.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let mut left: Members<'static> = left.collect();
        if let Some(kid) = members.string("kid") {
            left.set_text("kid", &self.kid(&kid, members.string("kty").as_deref()));
        }
        left
    }

    /// The kid of a key there, from its kid and kty here.
    pub fn kid(&self, kid: &str, kty: Option<&str>) -> String {
        match kid.starts_with(self.kid_prefix) || kty == Some("oct") {
            true => kid.to_owned(),
            false => format!("{}{kid}", self.kid_prefix),
        }
    }

    /// The states of the keys of a set there. Where the order decides who signs, that key is the
    /// active one of all that sign.
    pub fn states(&self, set: &KeySet, now: i64) -> Vec<State> {
        let mut states = lifecycle::states(set, now);
        if self
            .members
            .is_some_and(|members| !members.contains(&"nbf"))
            && !self.first_signs
        {
            // Without dates nothing tells which key signs, but that it takes a private part.
            for (key, state) in set.keys.iter().zip(&mut states) {
                if is_key_pair(key) && *state == State::Retired {
                    *state = State::Active;
                }
            }
        }
        if !self.first_signs {
            return states;
        }
        let signer = set.keys.iter().position(is_key_pair);
        for (position, (key, state)) in set.keys.iter().zip(&mut states).enumerate() {
            let signs = Header::of(key).effective_use() != Some("enc");
            if Some(position) == signer {
                *state = State::Active;
            } else if signs && *state == State::Active && signer.is_some() {
                *state = State::Retired;
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
        let value = |members: &Members, name: &str| {
            let raw = members.raw(name)?;
            serde_json::from_str::<Value>(raw).ok()
        };
        let more = other.names().filter(|name| !one.has(name));
        let names = one.names().chain(more);
        names
            .filter(|name| value(&one, name) != value(&other, name))
            .map(str::to_owned)
            .collect()
    }
}
