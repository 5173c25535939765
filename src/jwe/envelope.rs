//! The envelope of an encrypted document: everything that is checked before any cryptography.
//!
//! A JWE (RFC 7516) in compact, flattened or general form with one recipient, for a passphrase (RFC
//! 7518 section 4.8). Whatever counts is in the protected header. Each part has the very length that
//! the algorithms ask for, so that nothing short, long, slow or compressed reaches them.

use crate::error::{Error, Result};
use crate::jwe::algorithm::{Derivation, Encryption};
use crate::key::base64url;
use crate::key::members::Members;
use crate::key::strict_json;

/// The least number of PBKDF2 iterations (RFC 7518 section 4.8.1.2).
pub const LEAST_ITERATIONS: u32 = 1_000;

/// The largest number of PBKDF2 iterations, about half a second of work.
pub const MOST_ITERATIONS: u32 = 1_000_000;

/// The length of a salt in octets (RFC 7518 section 4.8.1.1 gives the least).
const SALT: std::ops::RangeInclusive<usize> = 8..=1024;

/// An encrypted document whose parts have been checked, and not yet opened.
pub struct Envelope {
    /// The protected header as it came, in base64url; it is authenticated with the content.
    pub(super) protected: String,
    header: String,
    pub(super) derivation: &'static Derivation,
    pub(super) encryption: &'static Encryption,
    pub(super) salt: Vec<u8>,
    pub(super) iterations: u32,
    pub(super) encrypted_key: Vec<u8>,
    pub(super) iv: Vec<u8>,
    pub(super) ciphertext: Vec<u8>,
    pub(super) tag: Vec<u8>,
}

/// The parts in base64url, in the order of the compact form (RFC 7516 section 3.1).
type Parts<'a> = [std::borrow::Cow<'a, str>; 5];

impl Envelope {
    /// Whether a document looks like one, whatever is wrong with it.
    pub fn is_in(document: &str) -> bool {
        let text = document.trim();
        if text.starts_with('{') {
            // A set may have a member of that name, too.
            return Members::parse(text)
                .is_ok_and(|members| members.has("ciphertext") && !members.has("keys"));
        }
        // A header begins with a brace and a quotation mark or a blank; the rest is base64url.
        (text.starts_with("ey") || text.starts_with("ew")) && text.contains('.')
    }

    /// Reads and checks an encrypted document; blanks around it are left out of account.
    pub fn parse(document: &str) -> Result<Envelope> {
        let text = document.trim();
        let parts = if text.starts_with('{') {
            json(text)?
        } else {
            compact(text)?
        };
        checked(&parts)
    }

    /// The members of the protected header.
    pub fn header(&self) -> Members<'_> {
        // It was read before; what cannot be read again has no members.
        Members::parse(&self.header).unwrap_or_default()
    }

    /// The number of PBKDF2 iterations.
    pub fn iterations(&self) -> u32 {
        self.iterations
    }
}

fn unfit(what: impl std::fmt::Display) -> Error {
    Error::invalid(format!(
        "an encrypted document that jwks does not open: {what}"
    ))
}

fn compact(text: &str) -> Result<Parts<'_>> {
    let parts: Vec<&str> = text.split('.').take(6).collect();
    let parts: [&str; 5] = parts
        .try_into()
        .map_err(|_| unfit("it has not five parts (RFC 7516 section 3.1)"))?;
    Ok(parts.map(Into::into))
}

/// Takes the parts out of the JSON forms (RFC 7516 section 7.2).
fn json(text: &str) -> Result<Parts<'static>> {
    check_strict(text)?;
    let document = Members::parse(text).map_err(|_| unfit("no JSON object"))?;
    let recipient = recipient(&document)?;
    for (members, name) in [(&document, "unprotected"), (&recipient, "header")] {
        let is_empty = |raw| Members::parse(raw).is_ok_and(|m| m.names().next().is_none());
        if members.raw(name).is_some_and(|raw| !is_empty(raw)) {
            return Err(unfit(format!("its header is not protected ({name})")));
        }
    }
    if document.has("aad") {
        return Err(unfit("it has additional authenticated data (aad)"));
    }
    let part = |members: &Members, name: &str| {
        let text = members.string(name).map(|text| text.into_owned().into());
        text.ok_or_else(|| unfit(format!("no {name}")))
    };
    Ok([
        part(&document, "protected")?,
        part(&recipient, "encrypted_key")?,
        part(&document, "iv")?,
        part(&document, "ciphertext")?,
        part(&document, "tag")?,
    ])
}

fn check_strict(json: &str) -> Result<()> {
    strict_json::check(json).map_err(|error| unfit(error.to_string()))
}

/// The one recipient of the general form, or the document itself in the flattened form.
fn recipient<'a>(document: &Members<'a>) -> Result<Members<'a>> {
    let Some(recipients) = document.raw("recipients") else {
        return Ok(document.clone());
    };
    if document.has("encrypted_key") || document.has("header") {
        return Err(unfit("it is in two forms at once (RFC 7516 section 7.2.2)"));
    }
    let one: Option<[Members; 1]> = serde_json::from_str(recipients).ok();
    let [one] = one.ok_or_else(|| unfit("it is for several recipients, or for none"))?;
    Ok(one.into_owned())
}

fn checked(parts: &Parts) -> Result<Envelope> {
    let [protected, encrypted_key, iv, ciphertext, tag] = parts;
    let header = decode("header", protected)?;
    let header = String::from_utf8(header).map_err(|_| unfit("its header is not UTF-8 text"))?;
    check_strict(&header)?;
    let members = Members::parse(&header).map_err(|_| unfit("its header is no JSON object"))?;
    for (name, why) in [
        ("zip", "it is compressed (zip)"),
        (
            "crit",
            "it has critical members (crit), which jwks does not know",
        ),
    ] {
        if members.has(name) {
            return Err(unfit(why));
        }
    }
    let name = |name: &str| members.string(name).unwrap_or_default().into_owned();
    let derivation = Derivation::named(&name("alg")).ok_or_else(|| {
        unfit(format!(
            "its alg is {:?}, and not one for a passphrase",
            name("alg")
        ))
        .hint(format!("jwks opens {}", Derivation::names()))
    })?;
    let encryption = Encryption::named(&name("enc")).ok_or_else(|| {
        unfit(format!("its enc is {:?}", name("enc")))
            .hint(format!("jwks opens {}", Encryption::names()))
    })?;
    let salt = decode(
        "p2s",
        &members
            .string("p2s")
            .ok_or_else(|| unfit("it has no salt (p2s)"))?,
    )?;
    if !SALT.contains(&salt.len()) {
        return Err(unfit(format!("its salt (p2s) has {} octets", salt.len())));
    }
    let iterations = iterations(&members)?;
    drop(members);
    let envelope = Envelope {
        encrypted_key: decode("encrypted key", encrypted_key)?,
        iv: decode("initialization vector", iv)?,
        ciphertext: decode("ciphertext", ciphertext)?,
        tag: decode("tag", tag)?,
        protected: protected.clone().into_owned(),
        derivation,
        encryption,
        salt,
        iterations,
        header,
    };
    envelope.check_lengths()?;
    Ok(envelope)
}

impl Envelope {
    fn check_lengths(&self) -> Result<()> {
        // AES Key Wrap adds eight octets (RFC 3394 section 2.2.1).
        let encrypted_key = self.encryption.key_octets() + 8;
        for (what, part, octets) in [
            ("encrypted key", &self.encrypted_key, encrypted_key),
            (
                "initialization vector",
                &self.iv,
                self.encryption.iv_octets(),
            ),
            ("tag", &self.tag, self.encryption.tag_octets),
        ] {
            if part.len() != octets {
                let length = part.len();
                return Err(unfit(format!(
                    "its {what} has {length} octets instead of {octets}"
                )));
            }
        }
        let block = self.encryption.block_octets;
        if self.ciphertext.is_empty() || !self.ciphertext.len().is_multiple_of(block) {
            let length = self.ciphertext.len();
            return Err(unfit(format!("its ciphertext has {length} octets")));
        }
        Ok(())
    }
}

fn decode(what: &str, text: &str) -> Result<Vec<u8>> {
    base64url::decode(text).map_err(|_| unfit(format!("its {what} is not base64url")))
}

fn iterations(header: &Members) -> Result<u32> {
    let raw = header
        .raw("p2c")
        .ok_or_else(|| unfit("it has no count of iterations (p2c)"))?;
    let count = raw.parse().unwrap_or(0);
    if (LEAST_ITERATIONS..=MOST_ITERATIONS).contains(&count) {
        return Ok(count);
    }
    Err(
        unfit("its count of iterations (p2c) is out of bounds").hint(format!(
            "jwks derives keys in {LEAST_ITERATIONS} to {MOST_ITERATIONS} iterations"
        )),
    )
}

impl std::fmt::Debug for Envelope {
    /// Shows the algorithms; the header may hold names, the rest says nothing.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Envelope")
            .field("alg", &self.derivation.name)
            .field("enc", &self.encryption.name)
            .field("p2c", &self.iterations)
            .finish_non_exhaustive()
    }
}
