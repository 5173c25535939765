//! The members of a key: which are public, which are private, and which belong to jwks.

use crate::key::Key;
use crate::key::key_type::{KEY_TYPES, KeyType};
use crate::key::members::Members;

/// The members of every kty that are published as they are, with their JSON type.
pub(super) const TEXTS: &[&str] = &["kty", "use", "alg", "kid", "x5u", "x5t", "x5t#S256"];

/// The members that hold the dates of a key, in seconds since 1970.
pub const DATES: &[&str] = &["iat", "nbf", "exp"];

/// The members that describe a key: its purpose, dates, certificates and kid. The holder of the private
/// part decides their values. Public keys have them, too.
pub const DESCRIBING: &[&str] = &[
    "kid", "alg", "use", "key_ops", "iat", "nbf", "exp", REVOKED, "x5u", "x5c", "x5t", "x5t#S256",
];

/// The members that only jwks sets. They are removed from foreign keys.
pub const OWN: &[&str] = &[SUCCESSOR, WITHHELD];

/// The member that says when and why a key was revoked (OpenID Federation 1.0 section 8.7.3).
pub const REVOKED: &str = "revoked";

/// Returns true if only the holder of the private part can set a member: it describes the key, is key
/// material of some kty, or is set only by jwks.
pub fn is_protected(name: &str) -> bool {
    DESCRIBING.contains(&name) || OWN.contains(&name) || is_registered(name)
}

/// Whether a member of a key is one that is registered for some kty, or for all (RFC 7517 section
/// 8.1.2), or a date.
pub fn is_registered(name: &str) -> bool {
    let mut types = KEY_TYPES.iter();
    TEXTS.contains(&name)
        || DATES.contains(&name)
        || matches!(name, "x5c" | "key_ops")
        || types.any(|key_type| key_type.owns(name))
}

/// The member of a key that is to retire in favour of one of another line: the kid of that key.
/// It is jwks's own, and stays in the keystore.
pub const SUCCESSOR: &str = "jwks_successor";

/// The member that stands for the private or symmetric part of a key where that is withheld: in the
/// public header of an encrypted set; of a symmetric key it is the size in bits. It is jwks's own.
pub const WITHHELD: &str = "jwks_private";

/// Whether a key of this type has a private or symmetric part, here or withheld.
pub(super) fn has_private_part(key_type: &KeyType, members: &Members) -> bool {
    key_type.private.iter().any(|name| members.has(name)) || members.has(WITHHELD)
}

/// Whether a key holds a private or symmetric part, by the names of its members alone. A key
/// that cannot be read, or whose kty is not known, may hold anything: it counts as private.
pub fn holds_secret(key: &Key) -> bool {
    key.members().map_or(true, |members| is_private(&members))
}

/// Returns true if members hold the private or symmetric part of their kty. Members of an unknown kty
/// count as private.
pub fn is_private(members: &Members) -> bool {
    match members.string("kty").and_then(|kty| KeyType::named(&kty)) {
        Some(key_type) => has_private_part(key_type, members),
        None => true,
    }
}

/// Whether a key has a member that holds the private or symmetric part of any kty.
pub fn has_private_member(key: &Key) -> bool {
    let members = key.members().unwrap_or_default();
    KEY_TYPES
        .iter()
        .any(|key_type| key_type.private.iter().any(|name| members.has(name)))
}

/// Whether a key is a key pair with its private part, so that one can sign with it for others to
/// verify. A private member of another kty makes none.
pub fn is_key_pair(key: &Key) -> bool {
    let members = key.members().unwrap_or_default();
    let key_type = members.string("kty").and_then(|kty| KeyType::named(&kty));
    key_type
        .is_some_and(|key_type| !key_type.is_symmetric() && has_private_part(key_type, &members))
}
