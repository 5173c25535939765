//! Keys that a command would remove, as its question names them.

use crate::key::header::Header;
use crate::key::parts::holds_secret;
use crate::keyset::KeySet;
use crate::keyset::key_name::KeyName;
use crate::keyset::lifecycle::State;
use crate::report::names::list_names;

/// Describes the keys at `positions`: kid, algorithm, state, and whether a private part is lost.
pub fn describe(set: &KeySet, states: &[Option<State>], positions: &[usize]) -> String {
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
            "private part lost"
        } else {
            "public only"
        };
        let state = states[*i].map_or(String::new(), |state| format!("{}, ", state.name()));
        format!("{name} ({alg}, {state}{part})")
    };
    let words: Vec<_> = positions.iter().map(key).collect();
    list_names(&words)
}
