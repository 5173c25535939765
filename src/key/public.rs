//! The public form of a key: an allow-list of members.

use crate::key::Key;
use crate::key::certificate;
use crate::key::check::{self, Budget, PURPOSE};
use crate::key::header::size;
use crate::key::key_type::{KEY_TYPES, KeyType};
use crate::key::members::Members;
use crate::key::parts::{
    DATES, OWN, PLANNED, SUCCESSOR, TEXTS, WITHHELD, has_private_member, holds_secret,
    is_registered,
};
use std::collections::HashSet;

/// The reason why a key has no public form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unpublishable {
    /// It is a shared secret.
    Symmetric,
    /// Its key type or curve is unknown.
    Unsupported,
    /// The key itself breaks a rule whose severity is error.
    Invalid,
}

/// Whether the public form of a key has dates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dates {
    /// Keep `iat`, `nbf` and `exp`.
    Keep,
    /// Leave the dates out.
    Drop,
}

/// Returns the public form of a key: the public members of its type (RFC 7517 section 4, RFC 7518
/// section 6), with the `key_ops` of the public key. Unregistered members are left out, because they
/// can be secret. Broken members, such as an `x5c` for another key, are left out, too. OpenSSL is used
/// only to check certificates, within the budget.
///
/// Returns the reason if the key has no public form.
pub fn public_form(
    key: &Key,
    dates: Dates,
    budget: &Budget,
) -> Result<Members<'static>, Unpublishable> {
    let members = key.members().map_err(|_| Unpublishable::Invalid)?;
    let key_type = members.key_type();
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

/// Adds the members of a key that are neither registered nor set by jwks. They can mean anything, so
/// they are published only on request.
pub fn keep_unknown(public: &mut Members<'static>, key: &Key) {
    let members = key.members().unwrap_or_default();
    for (name, value) in unknown(&members) {
        public.set_raw(name.to_owned(), value.to_owned());
    }
}

/// Returns the members that are neither registered nor set by jwks.
pub fn unknown<'m>(members: &'m Members) -> impl Iterator<Item = (&'m str, &'m str)> {
    let is_unknown = |name| members.has(name) && !is_registered(name) && !OWN.contains(&name);
    members.iter().filter(move |(name, _)| is_unknown(name))
}

/// Returns the members that can be public, including broken ones.
fn keep_public(key_type: &KeyType, members: &Members, dates: Dates) -> Members<'static> {
    let mut public = Members::default();
    for (name, value) in members.iter() {
        if name == "key_ops" {
            let operations = members.texts(name).ok().flatten().unwrap_or_default();
            let operations = public_operations(operations.iter().map(|op| &**op));
            if !operations.is_empty() {
                public.set_texts("key_ops", &operations);
            }
            continue;
        }
        let is_public = key_type.public.contains(&name)
            || TEXTS.contains(&name)
            || name == "x5c"
            || (dates == Dates::Keep && DATES.contains(&name));
        if is_public && members.has(name) {
            public.set_raw(name.to_owned(), value.to_owned());
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
    let key_type = members.key_type();
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
        if operations.is_empty() {
            members.remove("key_ops")
        } else {
            members.set_texts("key_ops", &operations)
        }
    }
    Stripped::Public(Key::from(members))
}

/// Returns the operations of the public key, as owned strings.
pub fn public_operations_of<S: AsRef<str>>(operations: &[S]) -> Vec<String> {
    let operations = public_operations(operations.iter().map(AsRef::as_ref));
    operations.into_iter().map(str::to_owned).collect()
}

/// Returns the operations of the public key that match those of a key pair (RFC 7517 section 4.3).
/// Key agreement requires the private key, so it has no match.
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

/// Returns the members of a key for the public header of an encrypted set: the public members, the
/// dates, and [`WITHHELD`] if there is a private part. For shared secrets, invalid keys and keys of
/// unknown types, it returns only identifying members.
pub fn known_part(key: &Key) -> Members<'static> {
    const NAMES: &[&str] = &["kty", "crv", "use", "alg", "kid", SUCCESSOR, PLANNED];
    let members = key.members().unwrap_or_default();
    let key_type = members.key_type();
    let public = match (public_form(key, Dates::Keep, &Budget::none()), key_type) {
        (Ok(public), _) => Some(public),
        // For an unknown curve of a known type, the public members are known.
        (Err(Unpublishable::Unsupported), Some(key_type)) => {
            Some(keep_public(key_type, &members, Dates::Keep))
        }
        _ => None,
    };
    let is_known = |name: &str| match &public {
        // A broken purpose says that the key does not sign.
        Some(public) => public.has(name) || OWN.contains(&name) || PURPOSE.contains(&name),
        None => NAMES.contains(&name) || DATES.contains(&name),
    };
    let is_plain = |name: &str, value: &str| match name {
        _ if !members.has(name) => false,
        "x5c" | "key_ops" => members.texts(name).is_ok(),
        name if DATES.contains(&name) || name == PLANNED => members.seconds(name).is_ok(),
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

    const ED25519: &str =
        r#""kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo""#;

    fn published(members: &str) -> Result<String, Unpublishable> {
        let key = Key::from_json(format!("{{{members}}}"));
        let form = public_form(&key, Dates::Keep, &Budget::default())?;
        Ok(form.to_json().trim_matches(['{', '}']).to_owned())
    }

    #[test]
    fn broken_and_unknown_members_are_not_published() {
        for member in [
            r#""kid":7"#,
            r#""use":["sig"]"#,
            r#""alg":{}"#,
            r#""key_ops":"verify""#,
            r#""x5u":1"#,
            r#""x5t":[]"#,
            r#""x5c":"MAA=""#,
            r#""x5c":[]"#,
            r#""x5c":["?"]"#,
            r#""x5c":["MAA="]"#,
            r#""exp":"2030-01-01""#,
            r#""kid":null"#,
            r#""exp":null"#,
            r#""x5c":null"#,
            r#""note":"secret""#,
            r#""k":"AAAA""#,
        ] {
            let form = published(&format!("{ED25519},{member}"));
            assert_eq!(form.as_deref(), Ok(ED25519), "{member}");
        }
    }

    #[test]
    fn a_key_on_an_unknown_curve_is_not_published() {
        for (crv, why) in [
            ("brainpoolP256r1", Unpublishable::Unsupported),
            ("secp256r1", Unpublishable::Invalid),
        ] {
            let members = format!(r#""kty":"EC","crv":"{crv}","x":"AAAA","y":"AAAA""#);
            assert_eq!(published(&members), Err(why), "{crv}");
        }
        assert_eq!(
            published(r#""kty":"new","pub":"AAAA""#),
            Err(Unpublishable::Unsupported)
        );
    }

    #[test]
    fn operations_become_those_of_the_public_key() {
        let map = |ops: &[&'static str]| public_operations(ops.iter().copied()).join(" ");
        assert_eq!(map(&["sign", "verify"]), "verify");
        assert_eq!(map(&["unwrapKey", "decrypt"]), "wrapKey encrypt");
        assert_eq!(map(&["deriveKey", "deriveBits"]), "");
        assert_eq!(map(&["sign", "urn:x"]), "verify urn:x");
    }
}
