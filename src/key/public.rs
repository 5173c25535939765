//! The public form of a key, built from the members that are known to be public.

use crate::key::Key;
use crate::key::certificate;
use crate::key::check::{self, Budget};
use crate::key::header::size;
use crate::key::key_type::{KEY_TYPES, KeyType};
use crate::key::members::Members;
use crate::key::parts::{DATES, SUCCESSOR, TEXTS, WITHHELD, has_private_member, holds_secret};
use std::collections::HashSet;

/// Why a key has no public form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unpublishable {
    /// It is a shared secret.
    Symmetric,
    /// Its kty or curve is not known.
    Unsupported,
    /// The key itself breaks a rule whose severity is error.
    Invalid,
}

/// What the public form carries beside the key itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dates {
    /// `iat`, `nbf` and `exp` stay.
    Keep,
    /// They are left out.
    Drop,
}

/// The public form of a key: an allow-list for each kty (RFC 7517 section 4, RFC 7518 section 6),
/// with `key_ops` turned to the operations of the public key. Members that are not registered
/// are left out, because they may be secret. Broken members are left out, too, such as an `x5c` for
/// another key. OpenSSL is used only for the certificates, which are checked as far as the budget goes.
pub fn public_form(
    key: &Key,
    dates: Dates,
    budget: &Budget,
) -> Result<Members<'static>, Unpublishable> {
    let members = key.members().map_err(|_| Unpublishable::Invalid)?;
    let key_type = members.string("kty").and_then(|kty| KeyType::named(&kty));
    if key_type.is_some_and(KeyType::is_symmetric) {
        return Err(Unpublishable::Symmetric);
    }
    let findings = check::published_findings(&members, budget);
    if !check::is_usable(&findings) {
        return Err(Unpublishable::Invalid);
    }
    if !check::is_supported(&members) {
        return Err(Unpublishable::Unsupported);
    }
    let key_type = key_type.ok_or(Unpublishable::Unsupported)?;
    let mut public = keep_public(key_type, &members, dates);
    for name in check::broken_members(&findings) {
        public.remove(name);
    }
    certificate::remove_wrong_digests(&mut public);
    Ok(public)
}

fn keep_public(key_type: &KeyType, members: &Members, dates: Dates) -> Members<'static> {
    let mut public = Members::default();
    for (name, value) in members.iter() {
        if key_type.public.contains(&name) || TEXTS.contains(&name) {
            if members.string(name).is_some() {
                public.set_raw(name.to_owned(), value.to_owned());
            }
        } else if DATES.contains(&name) {
            if dates == Dates::Keep && members.has(name) {
                public.set_raw(name.to_owned(), value.to_owned());
            }
        } else if name == "x5c" {
            if members.texts(name).is_ok_and(|chain| chain.is_some()) {
                public.set_raw(name.to_owned(), value.to_owned());
            }
        } else if name == "key_ops" {
            let operations = members.texts(name).ok().flatten().unwrap_or_default();
            let operations = public_operations(operations.iter().map(|op| &**op));
            if !operations.is_empty() {
                public.set_texts("key_ops", &operations);
            }
        }
    }
    public
}

/// The result of removing the private part of a foreign key.
#[derive(Debug, PartialEq, Eq)]
pub enum Stripped {
    /// The key has no private part.
    Unchanged,
    /// The key without its private part.
    Public(Key<'static>),
    /// Nothing is left, because the key is a shared secret.
    Nothing,
}

/// Removes the private part of any kty from a key, and the operations that need the private key.
pub fn strip_private_part(key: &Key) -> Stripped {
    let Ok(mut members) = key.members() else {
        return Stripped::Unchanged;
    };
    let key_type = members.string("kty").and_then(|kty| KeyType::named(&kty));
    if key_type.is_some_and(KeyType::is_symmetric) {
        return Stripped::Nothing;
    }
    if !has_private_member(key) {
        return Stripped::Unchanged;
    }
    for name in KEY_TYPES.iter().flat_map(|key_type| key_type.private) {
        members.remove(name);
    }
    let operations = members.texts("key_ops").ok().flatten();
    if let Some(operations) = operations.map(|operations| public_operations_of(&operations)) {
        match operations.is_empty() {
            true => members.remove("key_ops"),
            false => members.set_texts("key_ops", &operations),
        }
    }
    Stripped::Public(Key::from(members))
}

/// Returns the operations of the public key, as owned strings.
pub fn public_operations_of<S: AsRef<str>>(operations: &[S]) -> Vec<String> {
    let operations = public_operations(operations.iter().map(AsRef::as_ref));
    operations.into_iter().map(str::to_owned).collect()
}

/// What the public key can do of what the key pair does (RFC 7517 section 4.3). Agreement takes
/// the private key, so that nothing is left of it.
fn public_operations<'a>(operations: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let (mut public, mut seen) = (Vec::new(), HashSet::new());
    for operation in operations {
        let operation = match operation {
            "sign" => "verify",
            "decrypt" => "encrypt",
            "unwrapKey" => "wrapKey",
            "deriveKey" | "deriveBits" => continue,
            other => other,
        };
        if seen.insert(operation) {
            public.push(operation);
        }
    }
    public
}

/// The part of a key that may be known before its set is opened: its public members and dates as
/// they are, and [`WITHHELD`] where there is more. Of a shared secret, a key of an unknown kty and
/// one that fails a check it is what tells them apart, and nothing else.
pub fn known_part(key: &Key) -> Members<'static> {
    const NAMES: &[&str] = &["kty", "crv", "use", "alg", "kid", SUCCESSOR];
    let members = key.members().unwrap_or_default();
    let key_type = members.string("kty").and_then(|kty| KeyType::named(&kty));
    let public = match (public_form(key, Dates::Keep, &Budget::none()), key_type) {
        (Ok(public), _) => Some(public),
        // An unknown curve of a known kty: which members are public is known.
        (Err(Unpublishable::Unsupported), Some(key_type)) => {
            Some(keep_public(key_type, &members, Dates::Keep))
        }
        _ => None,
    };
    let is_known = |name: &str| match &public {
        Some(public) => public.has(name) || name == SUCCESSOR || name == "key_ops",
        None => NAMES.contains(&name) || DATES.contains(&name),
    };
    let is_plain = |name: &str, value: &str| match name {
        _ if !members.has(name) => false,
        "x5c" | "key_ops" => members.texts(name).is_ok(),
        name if DATES.contains(&name) => members.seconds(name).is_ok(),
        _ => value.starts_with('"'),
    };
    let known = members
        .iter()
        .filter(|(name, value)| is_known(name) && is_plain(name, value));
    let known = known.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let mut known: Members<'static> = known.collect();
    if holds_secret(key) {
        let bits = size(&members).filter(|_| members.has("k"));
        known.set_raw(
            WITHHELD,
            bits.map_or("true".into(), |bits| bits.to_string()),
        );
    }
    known
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operations_become_those_of_the_public_key() {
        let map = |ops: &[&'static str]| public_operations(ops.iter().copied()).join(" ");
        assert_eq!(map(&["sign", "verify"]), "verify");
        assert_eq!(map(&["unwrapKey", "decrypt"]), "wrapKey encrypt");
        assert_eq!(map(&["deriveKey", "deriveBits"]), "");
        assert_eq!(map(&["sign", "urn:x"]), "verify urn:x");
    }
}
