//! Hydra 1.x keeps the two halves of a key pair as two entries.

use crate::key::Key;
use crate::key::key_type::KeyType;
use crate::key::members::Members;
use crate::key::public::has_private_member;
use crate::key::summary::Header;
use crate::key::thumbprint::thumbprint;
use crate::keyset::KeySet;
use std::collections::HashSet;

pub use crate::keyset::halves::{PRIVATE, PUBLIC};

/// The entries that a key is kept as, the private half first. One whose kid is among the bare ones
/// came there in one piece, and stays so; a symmetric key has no halves.
pub fn split(key: Members<'static>, bare_kids: &HashSet<String>) -> Vec<Key<'static>> {
    let kid = key.string("kid").unwrap_or_default().into_owned();
    let key_type = key.string("kty").and_then(|kty| KeyType::named(&kty));
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

/// The set with the two halves of each key pair put together, under the kid that tokens carry.
pub fn join(set: KeySet<'static>) -> KeySet<'static> {
    let name = |key: &Key| {
        let kid = Header::of(key).kid.unwrap_or_default().into_owned();
        let thumbprint = key.members().ok().and_then(|members| thumbprint(&members));
        (kid, thumbprint)
    };
    let names: Vec<_> = set.keys.iter().map(name).collect();
    let known: HashSet<_> = names.iter().collect();
    let has_private = |kid: &str, thumbprint: &Option<String>| {
        let private = (format!("{PRIVATE}{kid}"), thumbprint.clone());
        thumbprint.is_some() && known.contains(&private)
    };
    let mut keys = Vec::new();
    for (key, (kid, thumbprint)) in set.keys.iter().zip(&names) {
        match (
            kid.strip_prefix(PRIVATE),
            kid.strip_prefix(PUBLIC),
            key.members(),
        ) {
            (Some(kid), _, Ok(members)) => {
                keys.push(Key::from(members.with_kid(&format!("{PUBLIC}{kid}"))));
            }
            (None, Some(kid), _) if has_private(kid, thumbprint) => {}
            _ => keys.push(key.clone()),
        }
    }
    KeySet::from(keys)
}

/// The kids of a set that nothing was put in front of.
pub fn bare_kids(set: &KeySet) -> HashSet<String> {
    let pairs = set.keys.iter().map(Header::of);
    let pairs = pairs.filter(|header| header.kty.as_deref() != Some("oct"));
    let bare = pairs.filter_map(|header| header.kid.filter(|kid| bare(kid) == &**kid));
    bare.map(|kid| kid.into_owned()).collect()
}

/// The kid that a key has there, from its kid and kty here.
pub fn kid(kid: &str, kty: Option<&str>) -> String {
    match kty {
        Some("oct") => kid.to_owned(),
        _ => format!("{PUBLIC}{}", bare(kid)),
    }
}

/// A kid without what is put in front of it.
fn bare(kid: &str) -> &str {
    kid.strip_prefix(PUBLIC)
        .or_else(|| kid.strip_prefix(PRIVATE))
        .unwrap_or(kid)
}
