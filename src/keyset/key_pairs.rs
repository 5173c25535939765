//! The two halves of a key pair, which Hydra 1.x keeps as two entries: `private:KID` and
//! `public:KID`.

use crate::key::Key;
use crate::key::header::Header;
use crate::key::parts::has_private_member;
use crate::key::thumbprint::thumbprint;
use crate::keyset::KeySet;
use std::collections::HashMap;

/// The prefix of the public half's kid. Tokens carry this kid.
pub const PUBLIC: &str = "public:";

/// The prefix of the private half's kid.
pub const PRIVATE: &str = "private:";

/// Returns the set with each pair of halves joined under the kid that tokens carry. Both halves must be
/// in the set and belong to one key; all other keys are unchanged.
pub fn joined(mut set: KeySet<'static>) -> KeySet<'static> {
    if !set.keys.iter().any(|key| half(key, PRIVATE).is_some()) {
        return set;
    }
    let mut private: HashMap<(String, String), usize> = HashMap::new();
    for (position, key) in set.keys.iter().enumerate() {
        if let Some(half) = half(key, PRIVATE).filter(|_| has_private_member(key)) {
            private.entry(half).or_insert(position);
        }
    }
    // The position of each public half that is removed, and of the private half that it joins.
    let mut pairs: HashMap<usize, usize> = HashMap::new();
    for (position, key) in set.keys.iter().enumerate() {
        if has_private_member(key) {
            continue;
        }
        if let Some(other) = half(key, PUBLIC).and_then(|half| private.remove(&half)) {
            pairs.insert(position, other);
        }
    }
    for (public, private) in &pairs {
        set.keys[*private] = whole(&set.keys[*private], &set.keys[*public]);
    }
    let mut position = 0..;
    set.keys
        .retain(|_| position.next().is_none_or(|i| !pairs.contains_key(&i)));
    set
}

/// The kid of a half without its prefix, and the thumbprint that both halves share.
fn half(key: &Key, prefix: &str) -> Option<(String, String)> {
    // Most sets have no halves, and a search of the text is cheaper than parsing it.
    if !key.json().contains(prefix) {
        return None;
    }
    let kid = Header::of(key).kid?.strip_prefix(prefix)?.to_owned();
    let thumbprint = key
        .members()
        .ok()
        .and_then(|members| thumbprint(&members))?;
    Some((kid, thumbprint))
}

/// The private half with the kid of the public one, and with members that only the public one has.
fn whole(private: &Key, public: &Key) -> Key<'static> {
    let (own, others) = (
        private.members().unwrap_or_default(),
        public.members().unwrap_or_default(),
    );
    let mut members = own.clone();
    members.overlay(others.iter().filter(|(name, _)| !own.has(name)));
    let kid = others.string("kid").unwrap_or_default();
    Key::from(members.with_kid(&kid))
}

#[cfg(test)]
mod tests {
    use super::*;

    const X: &str =
        r#""kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo""#;
    const OTHER: &str =
        r#""kty":"OKP","crv":"Ed25519","x":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA""#;

    fn joined_of(keys: &[String]) -> String {
        let json = format!("{{\"keys\":[{}]}}", keys.join(","));
        let set = joined(KeySet::parse(&json).unwrap().into_owned());
        let keys: Vec<_> = set.keys.iter().map(|key| key.json().to_owned()).collect();
        keys.join("\n")
    }

    #[test]
    fn two_halves_become_one_key_wherever_they_stand() {
        let private = format!(r#"{{{X},"kid":"private:a","d":"s","use":"sig"}}"#);
        let public = format!(r#"{{{X},"kid":"public:a","use":"enc","note":1}}"#);
        let other = format!(r#"{{{OTHER},"kid":"b"}}"#);
        let whole = format!(r#"{{{X},"kid":"public:a","d":"s","use":"sig","note":1}}"#);
        for keys in [
            [&private, &public, &other],
            [&public, &other, &private],
            [&other, &private, &public],
        ] {
            let keys = keys.map(String::clone);
            let found = joined_of(&keys);
            let mut found: Vec<_> = found.lines().collect();
            found.sort_unstable();
            let mut expected = [&*whole, &*other];
            expected.sort_unstable();
            assert_eq!(found, expected);
        }
    }

    #[test]
    fn what_is_no_pair_stays_as_it_is() {
        let key = |x: &str, kid: &str, d: &str| format!(r#"{{{x},"kid":"{kid}"{d}}}"#);
        let d = r#","d":"s""#;
        for keys in [
            vec![key(X, "private:a", d)],
            vec![key(X, "public:a", "")],
            vec![key(X, "private:a", d), key(OTHER, "public:a", "")],
            vec![key(X, "private:a", d), key(X, "public:b", "")],
            vec![key(X, "private:a", ""), key(X, "public:a", "")],
            vec![key(X, "private:a", d), key(X, "public:a", d)],
        ] {
            assert_eq!(joined_of(&keys), keys.join("\n"));
        }
    }
}
