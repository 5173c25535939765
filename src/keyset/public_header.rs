//! The public keys of an encrypted set, which its protected header carries so that they can be read
//! without the passphrase (RFC 7516 section 4.3 allows private header members).

use crate::key::Key;
use crate::key::members::Members;
use crate::key::parts::WITHHELD;
use crate::key::parts::{PLANNED, SUCCESSOR};
use crate::key::public::known_part;
use crate::keyset::KeySet;
use serde::Deserialize;
use serde_json::value::RawValue;

/// The media type of the encrypted content, without `application/` (RFC 7517 section 8.5.2).
pub const CONTENT_TYPE: &str = "jwk-set+json";

/// The member of the protected header that holds the public part of the set.
pub const PUBLIC_PART: &str = "jwks";

/// Returns the members of the protected header for a set: its content type and its public part.
pub fn header(set: &KeySet) -> Members<'static> {
    let keys: Vec<_> = set
        .keys
        .iter()
        .map(|key| known_part(key).to_json())
        .collect();
    let mut header = Members::default();
    header.set_text("cty", CONTENT_TYPE);
    header.set_raw(PUBLIC_PART, format!("{{\"keys\":[{}]}}", keys.join(",")));
    header
}

/// Reads the public part of a header. Returns `None` if it is not a JWK Set.
pub fn parse(part: &str) -> Option<KeySet<'_>> {
    KeySet::parse(part).ok()?;
    let part: Part = serde_json::from_str(part).ok()?;
    let keys = part.keys.into_iter();
    let keys: Vec<_> = keys.map(|key| Key::of_public_part(key.get())).collect();
    Some(KeySet::from(keys))
}

#[derive(Deserialize)]
struct Part<'a> {
    #[serde(borrow)]
    keys: Vec<&'a RawValue>,
}

/// The members that identify keys and decide which one signs. The public part must have all of them;
/// other members can differ between versions of jwks.
const DECISIVE: &[&str] = &[
    "kty", "kid", "alg", "use", "iat", "nbf", "exp", SUCCESSOR, PLANNED, WITHHELD,
];

/// Returns true if the public part of a header matches the set: the same keys in the same order, each
/// with the deciding members and without members that the key lacks.
pub fn is_public_part(public: &KeySet, set: &KeySet) -> bool {
    let is_part = |(part, key): (&Key, &Key)| {
        let (part, known) = (part.members().unwrap_or_default(), known_part(key));
        let key = key.members().unwrap_or_default();
        let is_told = |name: &str| match name {
            WITHHELD => part.has(name) == known.has(name),
            name => part.raw(name) == known.raw(name),
        };
        let mut others = part.iter().filter(|(name, _)| !DECISIVE.contains(name));
        DECISIVE.iter().all(|name| is_told(name))
            && others.all(|(name, value)| key.raw(name) == Some(value))
    };
    public.keys.len() == set.keys.len() && public.keys.iter().zip(&set.keys).all(is_part)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SET: &str = r#"{"keys":[
        {"kty":"oct","kid":"s","k":"c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0IQ","exp":7,"note":"n"},
        {"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
         "d":"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A","key_ops":["sign"],"note":"n"},
        {"kty":"OKP","crv":"Ed25519","x":"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2","kid":{"d":"x"}},
        {"kty":"XYZ","kid":"z","k":"secret","alg":["secret"]}]}"#;

    #[test]
    fn the_public_part_tells_keys_apart_and_gives_nothing_away() {
        let set = KeySet::parse(SET).unwrap();
        let header = header(&set);
        assert_eq!(
            header.raw(PUBLIC_PART).unwrap(),
            concat!(
                r#"{"keys":[{"kty":"oct","kid":"s","exp":7,"jwks_private":224},"#,
                r#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo","#,
                r#""key_ops":["sign"],"jwks_private":true},"#,
                r#"{"kty":"OKP","crv":"Ed25519"},{"kty":"XYZ","kid":"z","jwks_private":true}]}"#
            )
        );
    }

    #[test]
    fn another_public_part_is_seen() {
        let set = KeySet::parse(SET).unwrap();
        let header = header(&set);
        let part = header.raw(PUBLIC_PART).unwrap();
        assert!(is_public_part(&parse(part).unwrap(), &set));
        for (old, new) in [
            // What decides must not be left out: an expired key would live on.
            (",\"exp\":7", ""),
            (",\"jwks_private\":true", ""),
            ("11qY", "11qZ"),
            (r#""s""#, r#""t""#),
            (",{\"kty\":\"OKP\",\"crv\":\"Ed25519\"}", ""),
        ] {
            let other = part.replacen(old, new, 1);
            assert!(!is_public_part(&parse(&other).unwrap(), &set), "{old}");
        }
    }
}
