//! JWK thumbprints (RFC 7638, 8037, 9964) and thumbprint URIs (RFC 9278), with SHA-256.

use crate::key::base64url;
use crate::key::members::{Members, quoted};
use crate::key::step_counter;
use sha2::{Digest, Sha256};
use std::fmt::Write as _;

/// Computes the SHA-256 thumbprint of a key as base64url. The required members are used unchanged.
/// Returns `None` if the `kty` is unknown or a required member is not a string.
pub fn thumbprint(members: &Members) -> Option<String> {
    step_counter::count();
    let key_type = members.key_type()?;
    let mut json = String::from("{");
    for (i, name) in key_type.thumbprint.iter().enumerate() {
        let comma = if i == 0 { "" } else { "," };
        // Writing to a String never fails.
        let _ = write!(json, "{comma}\"{name}\":{}", quoted(&members.string(name)?));
    }
    json.push('}');
    Some(base64url::encode(Sha256::digest(json)))
}

/// Returns the URI of a SHA-256 thumbprint (RFC 9278 section 3).
pub fn uri(thumbprint: &str) -> String {
    format!("urn:ietf:params:oauth:jwk-thumbprint:sha-256:{thumbprint}")
}
