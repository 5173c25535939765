//! Reading keys of any form: what a document is, is seen by its content.

use super::{FOREIGN_LIMIT, KeySet};
use crate::error::{Error, Result};
use crate::key::Key;
use crate::key::base64url;
use crate::key::format::{self, der, pem};
use crate::key::members::{Members, check_strict};
use crate::key::thumbprint::thumbprint;

/// The largest PEM or DER document, in octets.
const BINARY_LIMIT: usize = 1 << 20;

/// How deep foreign JSON may nest.
const DEPTH: usize = 64;

/// What a document is insisted to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Form {
    /// One JSON Web Key
    Jwk,
    /// A JWK Set
    Jwks,
    /// PEM: keys and certificates, one or several
    Pem,
    /// DER: one key or certificate
    Der,
    /// The octets of a shared secret; asked for where no FILE is given
    Secret,
}

/// Reads the keys of a foreign document, as a set. What has no kid and is no JWK gets its
/// thumbprint for one. Keys are not checked beyond what it takes to read them.
pub fn read(document: &[u8], form: Option<Form>) -> Result<KeySet<'static>> {
    match form.unwrap_or_else(|| recognise(document)) {
        Form::Secret => secret(document),
        Form::Der => Ok(named_by_thumbprint(vec![format::read_der(within(
            document,
            BINARY_LIMIT,
        )?)?])),
        Form::Pem => {
            let text = as_text(within(document, BINARY_LIMIT)?)?;
            if !text.contains(pem::MARKER) {
                return Err(Error::invalid("no PEM block"));
            }
            Ok(named_by_thumbprint(pem::read(text)?))
        }
        json => read_json(within(document, FOREIGN_LIMIT)?, form.map(|_| json)),
    }
}

/// What a document most probably is; JSON where nothing else fits.
fn recognise(document: &[u8]) -> Form {
    let text = std::str::from_utf8(document);
    if text.is_ok_and(|text| text.contains(pem::MARKER) && !text.trim_start().starts_with('{')) {
        Form::Pem
    } else if document.first() == Some(&0x30) && (text.is_err() || der::kind(document).is_some()) {
        Form::Der
    } else {
        Form::Jwks
    }
}

fn within(document: &[u8], limit: usize) -> Result<&[u8]> {
    if document.len() <= limit {
        return Ok(document);
    }
    Err(Error::invalid(format!(
        "it is larger than {} MiB",
        limit >> 20
    )))
}

fn as_text(document: &[u8]) -> Result<&str> {
    std::str::from_utf8(document)
        .map_err(|error| Error::invalid("it is neither UTF-8 text nor a key in DER").cause(error))
}

fn read_json(document: &[u8], insisted: Option<Form>) -> Result<KeySet<'static>> {
    let text = as_text(document)?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let is_key =
        Members::parse(text).is_ok_and(|members| members.has("kty") && !members.has("keys"));
    let set = match (is_key, insisted) {
        (true, Some(Form::Jwks)) => {
            return Err(Error::invalid("it is a single JWK, not a JWK Set"));
        }
        (false, Some(Form::Jwk)) => return Err(Error::invalid("it is not a single JWK")),
        (true, _) => KeySet::from(vec![Key::from_json(text.trim())]),
        (false, _) => KeySet::parse(text)?,
    };
    check_strict(text, DEPTH).map_err(|error| Error::invalid("no strict JSON").cause(error))?;
    Ok(set.into_owned())
}

fn named_by_thumbprint(keys: Vec<Members<'static>>) -> KeySet<'static> {
    let name = |members: Members<'static>| match thumbprint(&members) {
        Some(thumbprint) => Key::from(members.with_kid(&thumbprint)),
        None => Key::from(members),
    };
    KeySet::from(keys.into_iter().map(name).collect::<Vec<_>>())
}

/// A symmetric key of the very octets, as HMAC secrets are handed around. It gets no kid: the
/// thumbprint of a secret that people made up would help to guess it (RFC 7638 section 7).
fn secret(octets: &[u8]) -> Result<KeySet<'static>> {
    if octets.is_empty() {
        return Err(Error::invalid("the secret is empty"));
    }
    let mut members = Members::default();
    members.set_text("kty", "oct");
    members.set_text("k", &base64url::encode(within(octets, BINARY_LIMIT)?));
    Ok(KeySet::from(vec![Key::from(members)]))
}

/// Picks the key with a kid among keys that were read; or gives the kid to the only one there is,
/// where that has none of its own or is named by its thumbprint.
pub fn pick(keys: Vec<Key<'static>>, kid: &str) -> Result<Key<'static>> {
    let missing = || Error::not_found(format!("no key {kid:?} in the input"));
    let given = KeySet::from(keys);
    match (&given.with_kid(kid)[..], &given.keys[..]) {
        ([one], _) => Ok(given.keys[*one].clone()),
        ([], [only]) => {
            let members = only.members().unwrap_or_default();
            match members.string("kid") {
                Some(own) if thumbprint(&members).as_deref() != Some(&own) => {
                    Err(missing().hint(format!("its only key has the kid {own:?}")))
                }
                _ => {
                    check_kid(kid)?;
                    Ok(Key::from(members.clone().with_kid(kid)))
                }
            }
        }
        ([], _) => Err(missing()),
        (several, _) => {
            let message = format!("{} keys of the input have the kid {kid:?}", several.len());
            Err(Error::refused(message))
        }
    }
}

/// Refuses a kid that could not be handed to other tools safely.
pub fn check_kid(kid: &str) -> Result<()> {
    if kid.is_empty() {
        return Err(Error::usage("the kid is empty"));
    }
    if kid.chars().any(char::is_control) {
        return Err(Error::usage(format!(
            "the kid {kid:?} has control characters"
        )));
    }
    Ok(())
}
