//! The names beside keys in JSON, which become their kids.

use crate::key::members::Members;
use crate::key::read::pem;
use crate::keyset::import::form::is_jwk;

/// The members that hold the kid of the key beside them.
const KIDS: &[&str] = &["private_key_id", "kid", "keyId", "key_id"];

/// Members of DID documents and ActivityPub actors. An object with one of them has the kid in `id`.
const WITH_ID: &[&str] = &["publicKeyJwk", "publicKeyPem"];

/// The names that describe a key and do not identify it, in lower case, letters and digits only.
const DESCRIPTIONS: &[&str] = &[
    "body",
    "ca",
    "cacert",
    "cacrt",
    "cert",
    "certificate",
    "chain",
    "content",
    "crt",
    "data",
    "fullchain",
    "issuer",
    "issuingca",
    "jwk",
    "key",
    "pem",
    "private",
    "privatejwk",
    "privatekey",
    "privatekeyjwk",
    "privatekeypem",
    "privatepem",
    "public",
    "publicjwk",
    "publickey",
    "publickeyjwk",
    "publickeypem",
    "publicpem",
    "secret",
    "signingkey",
    "tlscrt",
    "tlskey",
    "value",
];

/// Returns the kid that an object gives for the key in it.
pub fn beside(members: &Members) -> Option<String> {
    let has_id = WITH_ID.iter().any(|name| members.has(name));
    let mut names = KIDS.iter().chain(has_id.then_some(&"id"));
    let kid = names.find_map(|name| members.string(name));
    kid.map(|kid| kid.into_owned())
}

/// Returns true if an object maps kids to keys: each of its values is a JWK or PEM, or at least two
/// are, and no name of a key is a description.
pub fn is_map_by_kid(members: &Members) -> bool {
    let is_pem = |value: &str| value.starts_with('"') && value.contains(pem::MARKER);
    let keys = members
        .iter()
        .filter(|(_, value)| is_jwk(value) || is_pem(value));
    let names: Vec<_> = keys.map(|(name, _)| name).collect();
    let is_description = |name: &str| {
        let letters = name.chars().filter(char::is_ascii_alphanumeric);
        let letters: String = letters.take(32).collect();
        DESCRIPTIONS.contains(&letters.to_ascii_lowercase().as_str())
    };
    (names.len() >= 2 || names.len() == members.names().count())
        && !names.into_iter().any(is_description)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn descriptive_names_are_not_kids() {
        let is_map = |json: &str| is_map_by_kid(&Members::parse(json).ok().unwrap());
        let pem = r#""-----BEGIN X-----""#;
        assert!(is_map(&format!(r#"{{"53d7":{pem},"key-2":{pem}}}"#)));
        assert!(is_map(r#"{"a":{"kty":"EC"}}"#));
        assert!(is_map(&format!(
            r#"{{"a":{pem},"b":{{"kty":"EC"}},"updated":1}}"#
        )));
        assert!(!is_map(&format!(
            r#"{{"a":{pem},"key":{pem},"updated":1}}"#
        )));
        assert!(!is_map(&format!(r#"{{"tls.crt":{pem},"tls.key":{pem}}}"#)));
        assert!(!is_map(&format!(r#"{{"private_key":{pem},"a":{pem}}}"#)));
        assert!(!is_map(&format!(r#"{{"a":{pem},"b":1}}"#)));
        assert!(!is_map(r#"{"publicKeyJwk":{"kty":"EC"}}"#));
    }

    #[test]
    fn a_kid_is_beside_its_key() {
        let kid = |json: &str| beside(&Members::parse(json).ok().unwrap());
        assert_eq!(
            kid(r#"{"private_key_id":"a","private_key":"x"}"#).as_deref(),
            Some("a")
        );
        assert_eq!(
            kid(r##"{"id":"#a","publicKeyJwk":{}}"##).as_deref(),
            Some("#a")
        );
        assert_eq!(kid(r#"{"id":"a","client":{}}"#), None);
    }
}
