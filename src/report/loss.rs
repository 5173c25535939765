//! Keys that a command would remove, for its question.

use crate::key::Key;
use crate::key::header::Header;
use crate::key::parts::holds_secret;
use crate::keyset::KeySet;
use crate::keyset::key_name::KeyName;
use crate::keyset::lifecycle::State;
use crate::report::names::count;

/// The most keys that a question names.
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

/// Returns the number of keys that a set would lose, in words, and their names.
pub fn count_loss(lost: &[Key]) -> (String, Vec<String>) {
    let private = lost.iter().filter(|key| holds_secret(key)).count();
    let names = lost.iter().map(|key| KeyName::of(key).shown().into_owned());
    (describe_number(lost.len(), private), names.collect())
}

/// Says how many keys a set would lose, to follow `would`.
pub fn describe_number(keys: usize, private: usize) -> String {
    if private == keys {
        format!("lose {}", count(private, "private key"))
    } else {
        format!("lose {}, {private} of them private", count(keys, "key"))
    }
}

/// Shortens the details of a question. The last one then says how many are left out.
pub fn shorten(mut details: Vec<String>) -> Vec<String> {
    if details.len() > SHOWN {
        let more = details.len() - SHOWN;
        details.truncate(SHOWN);
        details.push(format!("and {more} more"));
    }
    details
}
