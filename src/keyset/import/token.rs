//! Reads the header and the claims of a signed token (JWT).

use crate::key::base64url;
use crate::key::members::Members;
use crate::key::strict_json;

/// What precedes a token in an Authorization header.
const SCHEME: &str = "Bearer ";

/// Returns true if a text is a JWS in compact form (RFC 7515 section 3.1), alone or as a bearer token.
pub fn is_in(text: &str) -> bool {
    parts(text).is_some()
}

/// Returns the JSON texts of the header and the claims; `None` if the text is not a JWS. The claims
/// are empty if they are not UTF-8.
pub fn parts(text: &str) -> Option<[String; 2]> {
    let text = text.trim();
    // The value of an Authorization header (RFC 6750 section 2.1).
    let text = match text.split_at_checked(SCHEME.len()) {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case(SCHEME) => token.trim_start(),
        _ => text,
    };
    let mut parts = text.split('.');
    let (header, claims, signature) = (parts.next()?, parts.next()?, parts.next()?);
    let is_base64url = |c: u8| c.is_ascii_alphanumeric() || b"-_".contains(&c);
    if parts.next().is_some() || !signature.bytes().all(is_base64url) {
        return None;
    }
    let decode = |part| String::from_utf8(base64url::decode(part).ok()?).ok();
    let header = decode(header)?;
    strict_json::check_size(&header).ok()?;
    let is_header = Members::parse(&header).is_ok_and(|it| it.has("alg") && !it.has("enc"));
    is_header.then(|| [header, decode(claims).unwrap_or_default()])
}
