//! Reads a JWK or JWK Set that is encrypted with a password (RFC 7517 section 7).

use crate::error::{Error, Result};
use crate::jwe::{self, DerivedKeys, Envelope};
use crate::key::read::document_password::{DocumentPassword, Lock, denied};
use crate::keyset::import::{FOREIGN_LIMIT, Form, KeySet, as_text, read_json, within};
use crate::keyset::public_header::CONTENT_TYPE;
use crate::secret::Secret;

/// The media type of a JWK, without `application/` (RFC 7517 section 8.5.1).
const KEY_CONTENT_TYPE: &str = "jwk+json";

/// Decrypts a document and reads its keys. Returns an error if the password is wrong, if the iteration
/// count is too high, or if the content is not a JWK or JWK Set. Errors contain no part of the
/// content.
pub fn read(document: &[u8], unlock: &DocumentPassword) -> Result<KeySet<'static>> {
    let envelope = Envelope::parse(as_text(within(document, FOREIGN_LIMIT)?)?)?;
    // Every JWE counts as PBES2-HS512, whose iterations take twice as long as those of SHA-256.
    let cost = envelope.total_iterations() * 2;
    let opened = unlock.open(Lock::Document, cost, |password| {
        let password = Secret::new(password.unwrap_or_default().to_owned());
        let opened = jwe::open(&envelope, &password, &mut DerivedKeys::default());
        opened.map_err(|_| denied())
    })?;
    let form = match content_type(&envelope).as_deref() {
        None => None,
        Some(CONTENT_TYPE) => Some(Form::Jwks),
        Some(KEY_CONTENT_TYPE) => Some(Form::Jwk),
        Some(other) => {
            let message = format!("the encrypted content is {other:?}, not a key");
            return Err(Error::invalid(message));
        }
    };
    read_json(opened.expose(), form).map_err(|_| {
        Error::invalid(match form {
            Some(Form::Jwks) => {
                "the encrypted content is not a JWK Set, although the header says so"
            }
            Some(_) => "the encrypted content is not a JWK, although the header says so",
            None => "the encrypted content is not a JWK or JWK Set",
        })
    })
}

/// Normalizes a content type for comparison: lower case, without `application/` (RFC 7516 section
/// 4.1.12).
fn content_type(envelope: &Envelope) -> Option<String> {
    let cty = envelope.header().string("cty")?.to_ascii_lowercase();
    let short = cty.strip_prefix("application/").map(str::to_owned);
    Some(short.unwrap_or(cty))
}
