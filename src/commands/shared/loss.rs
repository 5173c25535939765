//! Keys that a command would remove, as its question names them.

use crate::key::header::Header;
use crate::key::parts::holds_secret;
use crate::keyset::KeySet;
use crate::keyset::key_name::KeyName;
use crate::keyset::lifecycle::State;

/// The most keys that a question describes.
const SHOWN: usize = 20;

/// Describes each key at `positions`: kid, algorithm, state, and whether a private part is lost.
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
