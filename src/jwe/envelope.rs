//! The parts of an encrypted document, checked before any cryptography.
//!
//! A document is a JWE (RFC 7516) that is encrypted with a passphrase (RFC 7518 section 4.8). Each part
//! must have the length that the algorithms require.

use crate::error::Result;
use crate::jwe::algorithm::{Derivation, Encryption};
use crate::jwe::serialization::{EMPTY, Parts, check_strict, unfit};
use crate::key::base64url;
use crate::key::members::Members;

/// The smallest PBKDF2 iteration count (RFC 7518 section 4.8.1.2).
pub const LEAST_ITERATIONS: u32 = 1_000;

/// The largest PBKDF2 iteration count that jwks accepts, about half a second of work.
pub const MOST_ITERATIONS: u32 = 1_000_000;

/// The allowed salt lengths in bytes. RFC 7518 section 4.8.1.1 sets the minimum.
const SALT: std::ops::RangeInclusive<usize> = 8..=1024;

/// An encrypted document whose parts have been checked but not decrypted.
pub struct Envelope {
    /// The protected header as JSON.
    header: String,
    /// What is authenticated with the content (RFC 7516 section 5.1, step 14).
    pub(super) authenticated: String,
    pub(super) encryption: &'static Encryption,
    /// The recipients that a passphrase can open; at least one.
    pub(super) recipients: Vec<Recipient>,
    pub(super) iv: Vec<u8>,
    pub(super) ciphertext: Vec<u8>,
    pub(super) tag: Vec<u8>,
    /// True if there is one recipient, all parameters are protected, and there is no `aad`.
    is_simple: bool,
}

/// The encrypted content key for one passphrase.
pub(super) struct Recipient {
    pub derivation: &'static Derivation,
    pub salt: Vec<u8>,
    pub iterations: u32,
    pub encrypted_key: Vec<u8>,
}

impl Envelope {
    /// Parses and checks an encrypted document. Ignores white space around it. Returns an error that
    /// names the part that is invalid or not supported.
    pub fn parse(document: &str) -> Result<Envelope> {
        checked(Parts::parse(document)?)
    }

    /// Returns the members of the protected header.
    pub fn header(&self) -> Members<'_> {
        // The header was parsed before, so this does not fail.
        Members::parse(&self.header).unwrap_or_default()
    }

    /// Returns the smallest PBKDF2 iteration count.
    pub fn iterations(&self) -> u32 {
        let counts = self.recipients.iter().map(|it| it.iterations);
        counts.min().unwrap_or_default()
    }

    /// Returns the iterations that one passphrase needs for all recipients.
    pub fn total_iterations(&self) -> u64 {
        let counts = self.recipients.iter().map(|it| u64::from(it.iterations));
        counts.sum()
    }

    /// Returns true if there is one recipient, all parameters are protected, and there is no `aad`. Another
    /// document would lose something when it is encrypted again with one passphrase.
    pub fn is_simple(&self) -> bool {
        self.is_simple
    }
}

fn checked(parts: Parts) -> Result<Envelope> {
    let header = match &*parts.protected {
        "" => EMPTY.to_owned(),
        protected => String::from_utf8(decode("header", protected)?)
            .map_err(|_| unfit("its header is not UTF-8"))?,
    };
    check_strict(&header)?;
    let mut encryption = None;
    let mut recipients = Vec::new();
    let mut refused = Vec::new();
    let protected = parse_header(&header)?;
    let unprotected = parse_header(&parts.unprotected)?;
    check_disjoint(&protected, &unprotected)?;
    let mut is_protected = unprotected.names().next().is_none() && parts.aad.is_none();
    for (own, encrypted_key) in &parts.recipients {
        let own = parse_header(own)?;
        check_disjoint(&protected, &own)?;
        check_disjoint(&unprotected, &own)?;
        is_protected &= own.names().next().is_none();
        match recipient([&protected, &unprotected, &own], encrypted_key) {
            Ok((own, recipient)) => {
                if encryption.is_some_and(|other: &Encryption| other.name != own.name) {
                    return Err(unfit("its recipients differ in enc"));
                }
                encryption = Some(own);
                recipients.push(recipient);
            }
            Err(error) => refused.push(error),
        }
    }
    drop((protected, unprotected));
    let is_simple = parts.recipients.len() == 1 && is_protected;
    let Some(encryption) = encryption else {
        let error = refused.into_iter().next();
        return Err(error.unwrap_or_else(|| unfit("it has no recipient")));
    };
    let authenticated = match &parts.aad {
        Some(aad) => format!("{}.{aad}", parts.protected),
        None => parts.protected,
    };
    let envelope = Envelope {
        header,
        authenticated,
        encryption,
        recipients,
        iv: decode("initialization vector", &parts.iv)?,
        ciphertext: decode("ciphertext", &parts.ciphertext)?,
        tag: decode("tag", &parts.tag)?,
        is_simple,
    };
    envelope.check_lengths()?;
    Ok(envelope)
}

fn parse_header(header: &str) -> Result<Members<'_>> {
    Members::parse(header).map_err(|_| unfit("its header is not a JSON object"))
}

/// Returns an error if a parameter is in both headers (RFC 7516 section 7.2.1).
fn check_disjoint(one: &Members, other: &Members) -> Result<()> {
    match other.names().find(|name| one.has(name)) {
        Some(name) => Err(unfit(format!(
            "{name:?} is in two of its headers (RFC 7516 section 7.2.1)"
        ))),
        None => Ok(()),
    }
}

/// Checks what a recipient needs. Returns an error if it cannot be opened with a passphrase.
fn recipient(
    headers: [&Members; 3],
    encrypted_key: &str,
) -> Result<(&'static Encryption, Recipient)> {
    let raw = |name: &str| headers.iter().find_map(|header| header.raw(name));
    let string = |name: &str| headers.iter().find_map(|header| header.string(name));
    for (name, why) in [
        ("zip", "it is compressed (zip)"),
        (
            "crit",
            "it has critical header parameters (crit), which are not supported",
        ),
    ] {
        if raw(name).is_some() {
            return Err(unfit(why));
        }
    }
    let name = |name: &str| string(name).unwrap_or_default().into_owned();
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
    let salt = string("p2s");
    let salt = decode("p2s", &salt.ok_or_else(|| unfit("it has no salt (p2s)"))?)?;
    if !SALT.contains(&salt.len()) {
        return Err(unfit(format!("its salt (p2s) has {} bytes", salt.len())));
    }
    let encrypted_key = decode("encrypted key", encrypted_key)?;
    // AES Key Wrap adds eight bytes (RFC 3394 section 2.2.1).
    check_length("encrypted key", &encrypted_key, encryption.key_octets() + 8)?;
    let recipient = Recipient {
        derivation,
        salt,
        iterations: iterations(raw("p2c"))?,
        encrypted_key,
    };
    Ok((encryption, recipient))
}

fn check_length(what: &str, part: &[u8], octets: usize) -> Result<()> {
    if part.len() == octets {
        return Ok(());
    }
    let length = part.len();
    Err(unfit(format!(
        "its {what} has {length} bytes instead of {octets}"
    )))
}

impl Envelope {
    fn check_lengths(&self) -> Result<()> {
        let encryption = self.encryption;
        check_length("initialization vector", &self.iv, encryption.iv_octets())?;
        check_length("tag", &self.tag, encryption.tag_octets)?;
        let length = self.ciphertext.len();
        if length == 0 || !length.is_multiple_of(encryption.block_octets) {
            return Err(unfit(format!("its ciphertext has {length} bytes")));
        }
        Ok(())
    }
}

fn decode(what: &str, text: &str) -> Result<Vec<u8>> {
    base64url::decode(text).map_err(|_| unfit(format!("its {what} is not base64url")))
}

fn iterations(p2c: Option<&str>) -> Result<u32> {
    let raw = p2c.ok_or_else(|| unfit("it has no iteration count (p2c)"))?;
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
    /// Shows only what is no name, because the header can contain names.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Envelope")
            .field("recipients", &self.recipients.len())
            .field("enc", &self.encryption.name)
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
    fn the_headers_of_a_json_form_are_joined() {
        let compact = compact_form(HEADER, [24, 12, 1, 16]);
        let parts: Vec<_> = compact.split('.').collect();
        let [protected, key, iv, ciphertext, tag] = parts[..] else {
            panic!("five parts");
        };
        let content = format!(r#""iv":"{iv}","ciphertext":"{ciphertext}","tag":"{tag}""#);
        let document = |more: &str| format!(r#"{{"protected":"{protected}",{content},{more}}}"#);
        let key = format!(r#""encrypted_key":"{key}""#);
        let other = r#"{"header":{"x":1}}"#;
        for (more, why) in [
            (key.clone(), ""),
            (format!(r#"{key},"unprotected":{{}},"header":{{}}"#), ""),
            (
                format!(r#"{key},"unprotected":{{"a":1}},"header":{{"b":1}}"#),
                "",
            ),
            (format!(r#""recipients":[{{{key}}}]"#), ""),
            (format!(r#""recipients":[{{{key}}},{{{key}}}]"#), ""),
            (format!(r#""recipients":[{other},{{{key}}}]"#), ""),
            (format!(r#"{key},"aad":"AA""#), ""),
            (
                format!(r#"{key},"unprotected":{{"p2c":1000}}"#),
                "two of its headers",
            ),
            (
                format!(r#"{key},"header":{{"p2c":1}}"#),
                "two of its headers",
            ),
            (
                format!(r#"{key},"unprotected":{{"a":1}},"header":{{"a":1}}"#),
                "\"a\" is in two",
            ),
            (
                format!(r#""recipients":[{{{key}}},{{{key},"header":{{"alg":"dir"}}}}]"#),
                "two of its headers",
            ),
            (format!(r#"{key},"header":{{"crit":["a"]}}"#), "crit"),
            (format!(r#"{key},"header":{{"zip":"DEF"}}"#), "zip"),
            (format!(r#"{key},"header":[]"#), "not a JSON object"),
            (format!(r#"{key},"recipients":[{{{key}}}]"#), "mixes"),
            (
                format!(r#""header":{{}},"recipients":[{{{key}}}]"#),
                "mixes",
            ),
            (r#""recipients":[]"#.to_owned(), "no recipient"),
            (r#""recipients":[1]"#.to_owned(), "array of objects"),
            (format!(r#""recipients":[{other}]"#), "encrypted key"),
            (
                format!(
                    r#""recipients":[{}{{{key}}}]"#,
                    format!("{{{key}}},").repeat(8)
                ),
                "more than 8 recipients",
            ),
        ] {
            let refusal = refusal(&document(&more));
            assert!(refusal.contains(why), "{more}: {refusal}");
            assert_eq!(refusal.is_empty(), why.is_empty(), "{more}: {refusal}");
        }
        // Nothing is protected, and the bounds hold there, too.
        for (count, why) in [("1000", ""), ("999", "p2c"), ("1000001", "p2c")] {
            let header = HEADER.replace("1000", count);
            let refusal = refusal(&format!(r#"{{{content},{key},"header":{header}}}"#));
            assert!(refusal.contains(why), "{count}: {refusal}");
            assert_eq!(refusal.is_empty(), why.is_empty(), "{count}: {refusal}");
        }
    }

    #[test]
    fn a_simple_document_has_one_recipient_and_one_header() {
        let compact = compact_form(HEADER, [24, 12, 1, 16]);
        assert!(Envelope::parse(&compact).unwrap().is_simple());
        let parts: Vec<_> = compact.split('.').collect();
        let key = format!(r#""encrypted_key":"{}""#, parts[1]);
        for (more, is_simple) in [
            (format!(r#"{key},"header":{{ }}"#), true),
            (format!(r#"{key},"aad":"AA""#), false),
            (format!(r#""recipients":[{{{key}}}]"#), true),
            (format!(r#""recipients":[{{{key}}},{{}}]"#), false),
            (format!(r#"{key},"header":{{"a":1}}"#), false),
            (format!(r#"{key},"unprotected":{{"a":1}}"#), false),
        ] {
            let json = format!(
                r#"{{"protected":"{}","iv":"{}","ciphertext":"{}","tag":"{}",{more}}}"#,
                parts[0], parts[2], parts[3], parts[4]
            );
            let envelope = Envelope::parse(&json).unwrap();
            assert_eq!(envelope.is_simple(), is_simple, "{more}");
            assert_eq!(envelope.total_iterations(), 1000);
        }
    }
}
