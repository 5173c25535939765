//! The serializations of a JWE: compact, and JSON in its flattened or general form (RFC 7516 section 7).

use crate::error::{Error, Result};
use crate::key::members::Members;
use crate::key::strict_json;
use serde_json::value::RawValue;

/// The largest number of recipients.
const RECIPIENTS: usize = 8;

/// A header without members.
pub(super) const EMPTY: &str = "{}";

/// The parts of a document, before they are checked. All but the headers are base64url.
pub(super) struct Parts {
    pub protected: String,
    /// The shared unprotected header as JSON.
    pub unprotected: String,
    /// The unprotected header of each recipient as JSON, and its encrypted key.
    pub recipients: Vec<(String, String)>,
    pub iv: String,
    pub ciphertext: String,
    pub tag: String,
    pub aad: Option<String>,
}

/// Returns true if a document looks like a JWE in one of its forms, valid or not.
pub fn is_in(document: &str) -> bool {
    let text = document.trim();
    if text.starts_with('{') {
        // A JWK Set can have a member with this name, too, so a document with `keys` is not a JWE.
        return Members::parse(text)
            .is_ok_and(|members| members.has("ciphertext") && !members.has("keys"));
    }
    // A protected header in base64url begins so: a brace, and a quotation mark or white space.
    (text.starts_with("ey") || text.starts_with("ew")) && text.contains('.')
}

impl Parts {
    /// Parses a document. Ignores white space around it. Returns an error if it has none of the forms.
    pub fn parse(document: &str) -> Result<Parts> {
        let text = document.trim();
        if text.starts_with('{') {
            json(text)
        } else {
            compact(text)
        }
    }
}

/// Returns the error for a document that is invalid or not supported.
pub(super) fn unfit(what: impl std::fmt::Display) -> Error {
    Error::invalid(format!("unsupported encrypted document: {what}"))
}

fn compact(text: &str) -> Result<Parts> {
    let parts: Vec<&str> = text.split('.').take(6).collect();
    let [protected, encrypted_key, iv, ciphertext, tag] = parts[..] else {
        return Err(unfit("it does not have five parts (RFC 7516 section 3.1)"));
    };
    Ok(Parts {
        protected: protected.into(),
        unprotected: EMPTY.into(),
        recipients: vec![(EMPTY.into(), encrypted_key.into())],
        iv: iv.into(),
        ciphertext: ciphertext.into(),
        tag: tag.into(),
        aad: None,
    })
}

/// Returns the parts of the JSON forms (RFC 7516 section 7.2).
fn json(text: &str) -> Result<Parts> {
    check_strict(text)?;
    let document = Members::parse(text).map_err(|_| unfit("it is not a JSON object"))?;
    let header = |members: &Members, name| members.raw(name).unwrap_or(EMPTY).to_owned();
    let text = |members: &Members, name: &str| {
        let text = members.string(name).map(|text| text.into_owned());
        text.ok_or_else(|| unfit(format!("no {name}")))
    };
    let optional = |name: &str| {
        let is_there = document.has(name);
        is_there.then(|| text(&document, name)).transpose()
    };
    let mut recipients = Vec::new();
    for recipient in self::recipients(&document)? {
        // A recipient without an encrypted key uses another algorithm than a passphrase.
        let key = recipient.string("encrypted_key").unwrap_or_default();
        recipients.push((header(&recipient, "header"), key.into_owned()));
    }
    Ok(Parts {
        protected: optional("protected")?.unwrap_or_default(),
        unprotected: header(&document, "unprotected"),
        recipients,
        iv: text(&document, "iv")?,
        ciphertext: text(&document, "ciphertext")?,
        tag: text(&document, "tag")?,
        aad: optional("aad")?,
    })
}

/// Returns an error for JSON that is not strict.
pub(super) fn check_strict(json: &str) -> Result<()> {
    strict_json::check(json).map_err(|error| unfit(error.to_string()))
}

/// Returns the recipients of the general form, or the document itself in the flattened form.
fn recipients<'a>(document: &'a Members<'a>) -> Result<Vec<Members<'a>>> {
    let Some(recipients) = document.raw("recipients") else {
        return Ok(vec![document.clone()]);
    };
    if document.has("encrypted_key") || document.has("header") {
        return Err(unfit(
            "it mixes the flattened and the general form (RFC 7516 section 7.2.2)",
        ));
    }
    let broken = || unfit("its recipients are not an array of objects");
    let recipients: Vec<&RawValue> = serde_json::from_str(recipients).map_err(|_| broken())?;
    if recipients.len() > RECIPIENTS {
        return Err(unfit(format!("it has more than {RECIPIENTS} recipients")));
    }
    let recipients = recipients.into_iter();
    recipients
        .map(|recipient| Members::parse(recipient.get()).map_err(|_| broken()))
        .collect()
}
