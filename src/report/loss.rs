//! Keys that a command would remove, for its question.

use crate::key::Key;
use crate::key::header::Header;
use crate::key::parts::holds_secret;
use crate::keyset::KeySet;
use crate::keyset::key_name::KeyName;
use crate::keyset::lifecycle::State;
use crate::report::names::{count, list_names};

/// The most keys that a question describes.
const SHOWN: usize = 20;

/// Describes each key at `positions`: its kid, algorithm and state, and if a private part is lost.
pub fn describe(set: &KeySet, states: &[Option<State>], positions: &[usize]) -> Vec<String> {
    let key = |i: &usize| {
        let key = &set.keys[*i];
        let name = KeyName::of(key);
        let name = name.shown();
        let header = Header::of(key);
        let alg = header
            .alg
            .as_deref()
            .or(header.kty.as_deref())
            .unwrap_or("?");
        let part = if holds_secret(key) {
            "with its private part"
        } else {
            "public only"
        };
        let state = states[*i].map_or(String::new(), |state| format!("{}, ", state.name()));
        format!("{name} ({alg}, {state}{part})")
    };
    let mut lines: Vec<_> = positions.iter().take(SHOWN).map(key).collect();
    if positions.len() > SHOWN {
        lines.push(format!("and {} more", positions.len() - SHOWN));
    }
    lines
}

/// Describes the keys that a set would lose, to follow the name of the set.
pub fn describe_loss(lost: &[Key]) -> String {
    let handle = |key: &Key| {
        let name = KeyName::of(key);
        name.shown().to_owned()
    };
    let names: Vec<_> = lost.iter().map(handle).collect();
    let private = lost.iter().filter(|key| holds_secret(key)).count();
    let lost = count(lost.len(), "key");
    format!(
        "would lose {lost}, {private} of them private: {}",
        list_names(&names)
    )
}
