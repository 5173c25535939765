//! Splits and joins key pairs, because Hydra 1.x stores the two halves of a pair as two entries.

use crate::key::Key;
use crate::key::header::Header;
use crate::key::members::Members;
use crate::key::parts::{has_private_member, is_key_pair};
use crate::key::thumbprint::thumbprint;
use crate::keyset::KeySet;
use std::collections::{HashMap, HashSet};

pub use crate::keyset::key_pairs::{PRIVATE, PUBLIC};

/// Returns the entries as which a key is stored, the private half first. A key whose kid is in
/// `bare_kids` is stored as one entry, and stays so. A symmetric key has no halves.
pub fn split(key: Members<'static>, bare_kids: &HashSet<String>) -> Vec<Key<'static>> {
    let kid = key.string("kid").unwrap_or_default().into_owned();
    let key_type = key.key_type();
    let Some(key_type) = key_type.filter(|key_type| !key_type.is_symmetric()) else {
        return vec![Key::from(key)];
    };
    if bare_kids.contains(&kid) {
        return vec![Key::from(key)];
    }
    let kid = bare(&kid);
    let mut public = key.clone().with_kid(&format!("{PUBLIC}{kid}"));
    for name in key_type.private {
        public.remove(name);
    }
    let private = Key::from(key.with_kid(&format!("{PRIVATE}{kid}")));
    let private = Some(private).filter(has_private_member);
    private.into_iter().chain([Key::from(public)]).collect()
}

/// How strictly the order of the halves is checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// The server signs with the set, so the first public and the first other entry must be the halves of
    /// one pair.
    Signs,
    /// Only clients use the set. A pair that is stored as one entry can also be first, and symmetric keys
    /// are ignored.
    Other,
}

/// Joins the two halves of each key pair under the kid that tokens carry. Each pair takes the place of
/// its public half, and the pair that signs comes first. If no pair signs, a key that is not a pair comes
/// first, if there is one.
pub fn join(set: &KeySet<'static>, order: Order) -> KeySet<'static> {
    let names: Vec<_> = set.keys.iter().map(name).collect();
    let positions = names.iter().enumerate();
    let positions: HashMap<_, _> = positions.map(|(position, name)| (name, position)).collect();
    let half = |prefix: &str, kid: &str, thumbprint: &Option<String>| {
        let name = (format!("{prefix}{kid}"), thumbprint.clone());
        positions
            .get(&name)
            .filter(|_| thumbprint.is_some())
            .copied()
    };
    let renamed = |key: &Key, kid: &str| {
        let members = key.members().map(Members::into_owned);
        members.map(|members| Key::from(members.with_kid(&format!("{PUBLIC}{kid}"))))
    };
    let mut keys = Vec::new();
    for (key, (kid, thumbprint)) in set.keys.iter().zip(&names) {
        let joined = match (kid.strip_prefix(PRIVATE), kid.strip_prefix(PUBLIC)) {
            (Some(kid), _) if half(PUBLIC, kid, thumbprint).is_some() => continue,
            (Some(kid), _) => renamed(key, kid).ok(),
            (None, Some(kid)) => {
                let private = half(PRIVATE, kid, thumbprint);
                private.and_then(|private| renamed(&set.keys[private], kid).ok())
            }
            (None, None) => None,
        };
        keys.push(joined.unwrap_or_else(|| key.clone()));
    }
    let signer = signer(set, order);
    let is_first = |key: &Key| match &signer {
        Some(kid) => bare(&name(key).0) == kid && is_key_pair(key),
        None => !is_key_pair(key),
    };
    if let Some(first) = keys.iter().position(is_first) {
        keys[..=first].rotate_right(1);
    }
    KeySet::from(keys)
}

/// Returns the kid, without its prefix, of the pair with which the server signs: the kid of the first
/// public and the first other entry, if both are the same.
pub fn signer(set: &KeySet, order: Order) -> Option<String> {
    let is_public = |key: &&Key| !has_private_member(key);
    let is_meant =
        |key: &&Key| order == Order::Signs || Header::of(key).kty.as_deref() != Some("oct");
    let first = |wanted: bool| {
        let mut keys = set.keys.iter().filter(is_meant);
        keys.find(|key| is_public(key) == wanted).map(name)
    };
    let (other, _) = first(false)?;
    if order == Order::Other && bare(&other) == other {
        return Some(other);
    }
    let (public, _) = first(true)?;
    (bare(&public) == bare(&other)).then(|| bare(&other).to_owned())
}

fn name(key: &Key) -> (String, Option<String>) {
    let kid = Header::of(key).kid.unwrap_or_default().into_owned();
    let thumbprint = key.members().ok().and_then(|members| thumbprint(&members));
    (kid, thumbprint)
}

/// Returns the kids of a set that have no prefix.
pub fn bare_kids(set: &KeySet) -> HashSet<String> {
    let pairs = set.keys.iter().map(Header::of);
    let pairs = pairs.filter(|header| header.kty.as_deref() != Some("oct"));
    let bare = pairs.filter_map(|header| header.kid.filter(|kid| bare(kid) == &**kid));
    bare.map(|kid| kid.into_owned()).collect()
}

/// Returns the kid that a key has on the server, from its local kid and kty.
pub fn kid(kid: &str, kty: Option<&str>) -> String {
    match kty {
        Some("oct") => kid.to_owned(),
        _ => format!("{PUBLIC}{}", bare(kid)),
    }
}

/// Returns a kid without its prefix.
fn bare(kid: &str) -> &str {
    kid.strip_prefix(PUBLIC)
        .or_else(|| kid.strip_prefix(PRIVATE))
        .unwrap_or(kid)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The kids of a set of 1.x after its halves are joined, each with `*` if its private part is
    /// there. The entries are `public:a`, `private:a`, …, of one key for each letter.
    fn joined(entries: &str, order: Order) -> String {
        let entry = |kid: &str| {
            let letter = bare(kid);
            let private = if kid.starts_with(PUBLIC) {
                ""
            } else {
                r#","d":"AQ""#
            };
            let n = letter.repeat(8);
            Key::from_json(format!(
                r#"{{"kty":"RSA","kid":"{kid}","n":"{n}","e":"AQAB"{private}}}"#
            ))
        };
        let set = KeySet::from(entries.split(' ').map(entry).collect::<Vec<_>>());
        let told = |key: &Key| {
            let kid = bare(&name(key).0).to_owned();
            kid + if has_private_member(key) { "*" } else { "" }
        };
        let keys = join(&set, order).keys;
        keys.iter().map(told).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn the_pair_that_signs_comes_first() {
        for (entries, keys) in [
            ("private:b public:b public:a", "b* a"),
            ("public:b public:a private:b", "b* a"),
            ("public:b private:b private:a public:a", "b* a*"),
        ] {
            assert_eq!(joined(entries, Order::Signs), keys, "{entries}");
        }
    }

    #[test]
    fn no_pair_comes_first_that_does_not_sign() {
        for (entries, keys) in [
            ("public:a private:b public:b", "a b*"),
            ("private:b public:a public:b", "a b*"),
            ("private:b private:a public:a public:b public:c", "c a* b*"),
        ] {
            assert_eq!(joined(entries, Order::Signs), keys, "{entries}");
        }
    }

    #[test]
    fn a_pair_in_one_piece_signs_in_the_sets_of_others_alone() {
        assert_eq!(joined("b public:a", Order::Other), "b* a");
        assert_eq!(joined("b public:a", Order::Signs), "a b*");
    }
}
