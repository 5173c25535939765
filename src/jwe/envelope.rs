//! The parts of an encrypted document, checked before any cryptography.
//!
//! A document is a JWE (RFC 7516) in compact, flattened or general form with one recipient,
//! encrypted with a passphrase (RFC 7518 section 4.8). All parameters must be in the protected
//! header, and each part must have the length that the algorithms require.

use crate::error::{Error, Result};
use crate::jwe::algorithm::{Derivation, Encryption};
use crate::key::base64url;
use crate::key::members::Members;
use crate::key::strict_json;

/// The smallest PBKDF2 iteration count (RFC 7518 section 4.8.1.2).
pub const LEAST_ITERATIONS: u32 = 1_000;

/// The largest PBKDF2 iteration count that jwks accepts, about half a second of work.
pub const MOST_ITERATIONS: u32 = 1_000_000;

/// The allowed salt lengths in bytes. RFC 7518 section 4.8.1.1 sets the minimum.
const SALT: std::ops::RangeInclusive<usize> = 8..=1024;

/// An encrypted document whose parts have been checked but not decrypted.
pub struct Envelope {
    /// The original protected header in base64url, which is authenticated with the content.
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

    /// Parses and checks an encrypted document. Ignores white space around it. Returns an error that
    /// names the part that is invalid or not supported.
    pub fn parse(document: &str) -> Result<Envelope> {
        let text = document.trim();
        let parts = if text.starts_with('{') {
            json(text)?
        } else {
            compact(text)?
        };
        checked(&parts)
    }

    /// Returns the members of the protected header.
    pub fn header(&self) -> Members<'_> {
        // The header was parsed before, so this does not fail.
        Members::parse(&self.header).unwrap_or_default()
    }

    /// Returns the PBKDF2 iteration count.
    pub fn iterations(&self) -> u32 {
        self.iterations
    }
}

fn unfit(what: impl std::fmt::Display) -> Error {
    Error::invalid(format!("unsupported encrypted document: {what}"))
}

fn compact(text: &str) -> Result<Parts<'_>> {
    let parts: Vec<&str> = text.split('.').take(6).collect();
    let parts: [&str; 5] = parts
        .try_into()
        .map_err(|_| unfit("it does not have five parts (RFC 7516 section 3.1)"))?;
    Ok(parts.map(Into::into))
}

/// Returns the parts of the JSON forms (RFC 7516 section 7.2).
fn json(text: &str) -> Result<Parts<'static>> {
    check_strict(text)?;
    let document = Members::parse(text).map_err(|_| unfit("it is not a JSON object"))?;
    let recipient = recipient(&document)?;
    for (members, name) in [(&document, "unprotected"), (&recipient, "header")] {
        let is_empty = |raw| Members::parse(raw).is_ok_and(|m| m.names().next().is_none());
        if members.raw(name).is_some_and(|raw| !is_empty(raw)) {
            return Err(unfit(format!("it has an unprotected header ({name})")));
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

/// Returns the one recipient of the general form, or the document itself in the flattened form.
fn recipient<'a>(document: &Members<'a>) -> Result<Members<'a>> {
    let Some(recipients) = document.raw("recipients") else {
        return Ok(document.clone());
    };
    if document.has("encrypted_key") || document.has("header") {
        return Err(unfit(
            "it mixes the flattened and the general form (RFC 7516 section 7.2.2)",
        ));
    }
    let one: Option<[Members; 1]> = serde_json::from_str(recipients).ok();
    let [one] = one.ok_or_else(|| unfit("it does not have exactly one recipient"))?;
    Ok(one.into_owned())
}

fn checked(parts: &Parts) -> Result<Envelope> {
    let [protected, encrypted_key, iv, ciphertext, tag] = parts;
    let header = decode("header", protected)?;
    let header = String::from_utf8(header).map_err(|_| unfit("its header is not UTF-8"))?;
    check_strict(&header)?;
    let members = Members::parse(&header).map_err(|_| unfit("its header is not a JSON object"))?;
    for (name, why) in [
        ("zip", "it is compressed (zip)"),
        (
            "crit",
            "it has critical header parameters (crit), which are not supported",
        ),
    ] {
        if members.has(name) {
            return Err(unfit(why));
        }
    }
    let name = |name: &str| members.string(name).unwrap_or_default().into_owned();
    let derivation = Derivation::named(&name("alg")).ok_or_else(|| {
        unfit(format!(
            "its alg is {:?}, which is not for passphrases",
            name("alg")
        ))
        .hint(format!("supported: {}", Derivation::names()))
    })?;
    let encryption = Encryption::named(&name("enc")).ok_or_else(|| {
        unfit(format!("its enc is {:?}", name("enc")))
            .hint(format!("supported: {}", Encryption::names()))
    })?;
    let salt = decode(
        "p2s",
        &members
            .string("p2s")
            .ok_or_else(|| unfit("it has no salt (p2s)"))?,
    )?;
    if !SALT.contains(&salt.len()) {
        return Err(unfit(format!("its salt (p2s) has {} bytes", salt.len())));
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
        // AES Key Wrap adds eight bytes (RFC 3394 section 2.2.1).
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
                    "its {what} has {length} bytes instead of {octets}"
                )));
            }
        }
        let block = self.encryption.block_octets;
        if self.ciphertext.is_empty() || !self.ciphertext.len().is_multiple_of(block) {
            let length = self.ciphertext.len();
            return Err(unfit(format!("its ciphertext has {length} bytes")));
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
        .ok_or_else(|| unfit("it has no iteration count (p2c)"))?;
    let count = raw.parse().unwrap_or(0);
    if (LEAST_ITERATIONS..=MOST_ITERATIONS).contains(&count) {
        return Ok(count);
    }
    Err(
        unfit("its iteration count (p2c) is out of range").hint(format!(
            "the iteration count must be {LEAST_ITERATIONS} to {MOST_ITERATIONS}"
        )),
    )
}

impl std::fmt::Debug for Envelope {
    /// Shows only the algorithms, because the header can contain names.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Envelope")
            .field("alg", &self.derivation.name)
            .field("enc", &self.encryption.name)
            .field("p2c", &self.iterations)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: &str =
        r#"{"alg":"PBES2-HS256+A128KW","enc":"A128GCM","p2s":"AAAAAAAAAAA","p2c":1000}"#;
    const CBC: &str =
        r#"{"alg":"PBES2-HS256+A128KW","enc":"A128CBC-HS256","p2s":"AAAAAAAAAAA","p2c":1000}"#;

    /// The compact form with zeros of these lengths as key, initialization vector, ciphertext and tag.
    fn compact_form(header: &str, lengths: [usize; 4]) -> String {
        let parts = lengths.map(|length| base64url::encode(vec![0; length]));
        format!("{}.{}", base64url::encode(header), parts.join("."))
    }

    fn refusal(document: &str) -> String {
        let error = Envelope::parse(document).err();
        error.map(|error| error.to_string()).unwrap_or_default()
    }

    #[test]
    fn a_header_has_bounds() {
        let lengths = [24, 12, 1, 16];
        let long_salt = base64url::encode(vec![0; 1025]);
        for (from, to, why) in [
            ("1000", "1000", ""),
            ("1000", "1000000", ""),
            ("1000", "999", "p2c"),
            ("1000", "1000001", "p2c"),
            ("1000", "\"1000\"", "p2c"),
            ("AAAAAAAAAAA", "AAAAAAAAAA", "p2s"),
            ("AAAAAAAAAAA", &*long_salt, "p2s"),
            ("\"p2s\"", "\"other\"", "p2s"),
            ("{", r#"{"crit":["exp"],"#, "crit"),
            ("{", r#"{"zip":"DEF","#, "zip"),
            ("PBES2-HS256+A128KW", "A128KW", "alg"),
            ("A128GCM", "none", "enc"),
        ] {
            let refusal = refusal(&compact_form(&HEADER.replacen(from, to, 1), lengths));
            assert!(refusal.contains(why), "{to}: {refusal}");
            assert_eq!(refusal.is_empty(), why.is_empty(), "{to}: {refusal}");
        }
    }

    #[test]
    fn every_part_has_the_length_of_its_algorithm() {
        for (header, good) in [(HEADER, [24, 12, 1, 16]), (CBC, [40, 16, 16, 16])] {
            assert_eq!(refusal(&compact_form(header, good)), "");
            let parts = [
                "encrypted key",
                "initialization vector",
                "ciphertext",
                "tag",
            ];
            for (i, part) in parts.into_iter().enumerate() {
                let mut lengths = good;
                lengths[i] -= 1;
                let refusal = refusal(&compact_form(header, lengths));
                assert!(refusal.contains(part), "{part}: {refusal}");
            }
            let [key, iv, ciphertext, tag] = good;
            let long = refusal(&compact_form(header, [key, iv, ciphertext, tag + 1]));
            assert!(long.contains("tag"), "{long}");
        }
        let odd = refusal(&compact_form(CBC, [40, 16, 17, 16]));
        assert!(odd.contains("ciphertext"), "{odd}");
    }

    #[test]
    fn nothing_counts_that_is_not_protected() {
        let compact = compact_form(HEADER, [24, 12, 1, 16]);
        let parts: Vec<_> = compact.split('.').collect();
        let [protected, key, iv, ciphertext, tag] = parts[..] else {
            panic!("five parts");
        };
        let document = |more: &str| {
            format!(
                r#"{{"protected":"{protected}","iv":"{iv}","ciphertext":"{ciphertext}","tag":"{tag}",{more}}}"#
            )
        };
        let key = format!(r#""encrypted_key":"{key}""#);
        for (more, why) in [
            (key.clone(), ""),
            (format!(r#"{key},"unprotected":{{}},"header":{{}}"#), ""),
            (format!(r#""recipients":[{{{key}}}]"#), ""),
            (format!(r#"{key},"aad":"AA""#), "aad"),
            (format!(r#"{key},"unprotected":{{"p2c":1}}"#), "unprotected"),
            (format!(r#"{key},"header":{{"p2c":1}}"#), "header"),
            (
                format!(r#""recipients":[{{{key},"header":{{"p2c":1}}}}]"#),
                "header",
            ),
            (format!(r#"{key},"recipients":[{{{key}}}]"#), "mixes"),
            (
                format!(r#""header":{{}},"recipients":[{{{key}}}]"#),
                "mixes",
            ),
            (
                format!(r#""recipients":[{{{key}}},{{{key}}}]"#),
                "recipient",
            ),
            (r#""recipients":[]"#.to_owned(), "recipient"),
        ] {
            let refusal = refusal(&document(&more));
            assert!(refusal.contains(why), "{more}: {refusal}");
            assert_eq!(refusal.is_empty(), why.is_empty(), "{more}: {refusal}");
        }
    }
}
