//! The members of a key: which are public, which are private, and which belong to jwks.

use crate::key::Key;
use crate::key::key_type::{KEY_TYPES, KeyType};
use crate::key::members::Members;

/// The string members of keys of every type that are published unchanged.
pub(super) const TEXTS: &[&str] = &["kty", "use", "alg", "kid", "x5u", "x5t", "x5t#S256"];

/// The members that hold the dates of a key, in seconds since 1970.
pub const DATES: &[&str] = &["iat", "nbf", "exp"];

/// The members that describe a key: its purpose, dates, certificates and kid. The holder of the
/// private key decides their values. Public keys have them, too.
pub const DESCRIBING: &[&str] = &[
    "kid", "alg", "use", "key_ops", "iat", "nbf", "exp", REVOKED, "x5u", "x5c", "x5t", "x5t#S256",
];

/// The members that only jwks sets. They are removed from foreign keys.
pub const OWN: &[&str] = &[SUCCESSOR, WITHHELD, PLANNED];

/// The member that says when and why a key was revoked (OpenID Federation 1.0 section 8.7.3).
pub const REVOKED: &str = "revoked";

/// Returns true if only the holder of the private key can set a member. Such a member describes the
/// key, is key material of some type, or is set only by jwks.
pub fn is_protected(name: &str) -> bool {
    DESCRIBING.contains(&name) || OWN.contains(&name) || is_registered(name)
}

/// Returns true if a member is a date or is registered for keys of some type (RFC 7517 section
/// 8.1.2).
pub fn is_registered(name: &str) -> bool {
    registered_names().any(|registered| registered == name)
}

/// Returns the names of the members for which [`is_registered`] is true. Some names appear twice.
pub fn registered_names() -> impl Iterator<Item = &'static str> {
    let of_types = KEY_TYPES
        .iter()
        .flat_map(|key_type| key_type.public.iter().chain(key_type.private));
    let of_all = TEXTS.iter().chain(DATES).chain(&["x5c", "key_ops"]);
    of_all.chain(of_types).copied()
}

/// The member that names the successor of a key in another line, by kid. Only jwks sets it, and it
/// is never published.
pub const SUCCESSOR: &str = "jwks_successor";

/// The member that replaces the private part of a key in the public header of an encrypted set. Its
/// value is the size in bits for symmetric keys, and `true` for others. Only jwks sets it.
pub const WITHHELD: &str = "jwks_private";

/// The `nbf` of a key that is held until its publication is confirmed: the last second of the year 9999.
pub const UNCONFIRMED: i64 = 253_402_300_799;

/// The member with the `nbf` that a held key gets when its publication is confirmed, unless that time has
/// passed. Only jwks sets it, and it is never published.
pub const PLANNED: &str = "jwks_nbf";

/// Returns true if a key of this type has a private part, even if it is withheld.
pub(super) fn has_private_part(key_type: &KeyType, members: &Members) -> bool {
    key_type.private.iter().any(|name| members.has(name)) || members.has(WITHHELD)
}

/// Returns true if a key is in the public part of an encrypted set, which has a private part for it.
pub fn is_withheld(key: &Key) -> bool {
    key.members()
        .is_ok_and(|members| is_withheld_part(&members))
}

/// Returns true if [`WITHHELD`] stands for the private part of a key.
pub fn is_withheld_part(members: &Members) -> bool {
    members.has(WITHHELD)
}

/// Returns true if a key has a private part, judged by the names of its members. A key that does
/// not parse or has an unknown `kty` counts as private.
pub fn holds_secret(key: &Key) -> bool {
    key.members().map_or(true, |members| is_private(&members))
}

/// Returns true if members have the private part of their `kty`. Members of an unknown `kty` count
/// as private.
pub fn is_private(members: &Members) -> bool {
    match members.key_type() {
        Some(key_type) => has_private_part(key_type, members),
        None => true,
    }
}

/// Returns true if a member holds private key material of some key type.
pub fn is_private_member(name: &str) -> bool {
    let mut types = KEY_TYPES.iter();
    types.any(|key_type| key_type.private.contains(&name))
}

/// Returns true if a key has a private member of any key type.
pub fn has_private_member(key: &Key) -> bool {
    let members = key.members().unwrap_or_default();
    members.iter().any(|(name, _)| is_private_member(name))
}

/// Returns true if a key is a key pair with its private part. Private members of another key type
/// do not count.
pub fn is_key_pair(key: &Key) -> bool {
    let members = key.members().unwrap_or_default();
    let key_type = members.key_type();
    key_type
        .is_some_and(|key_type| !key_type.is_symmetric() && has_private_part(key_type, &members))
}
