//! A JWK or JWK Set that a password encrypts (RFC 7517 section 7).

use crate::error::{Error, Result};
use crate::jwe::{self, DerivedKeys, Envelope};
use crate::key::read::document_password::{DocumentPassword, denied};
use crate::keyset::import::{FOREIGN_LIMIT, Form, KeySet, as_text, read_json, within};
use crate::keyset::public_header::CONTENT_TYPE;
use crate::secret::Secret;

/// The media type of a JWK, without `application/` (RFC 7517 section 8.5.1).
const KEY_CONTENT_TYPE: &str = "jwk+json";

/// Opens an encrypted document and reads the keys in it. What is in it stands in no error.
pub fn read(document: &[u8], unlock: &DocumentPassword) -> Result<KeySet<'static>> {
    let envelope = Envelope::parse(as_text(within(document, FOREIGN_LIMIT)?)?)?;
    // SHA-512 takes twice as long as SHA-256.
    unlock.spend(u64::from(envelope.iterations()) * 2)?;
    let password = Secret::new(unlock.password()?.to_owned());
    let opened = jwe::open(&envelope, &password, &mut DerivedKeys::default());
    let opened = opened.map_err(|_| denied())?;
    let form = match content_type(&envelope).as_deref() {
        None => None,
        Some(CONTENT_TYPE) => Some(Form::Jwks),
        Some(KEY_CONTENT_TYPE) => Some(Form::Jwk),
        Some(other) => {
            let message = format!("what is encrypted is no key, but {other:?}");
            return Err(Error::invalid(message));
        }
    };
    read_json(opened.expose(), form).map_err(|_| {
        Error::invalid(match form {
            Some(Form::Jwks) => "what is encrypted is no JWK Set, as its header says",
            Some(_) => "what is encrypted is no JWK, as its header says",
            None => "what is encrypted is no JWK or JWK Set",
        })
    })
}

/// The content type, as media types compare: without case, and without `application/` (RFC 7516 section
/// 4.1.12).
fn content_type(envelope: &Envelope) -> Option<String> {
    let cty = envelope.header().string("cty")?.to_ascii_lowercase();
    let short = cty.strip_prefix("application/").map(str::to_owned);
    Some(short.unwrap_or(cty))
}
