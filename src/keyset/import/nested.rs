//! Reads documents that have keys inside: text in several formats, JSON, JSON Lines, YAML, dotenv and
//! signed tokens.

use crate::error::{Error, Result};
use crate::key::read::bundle::Part;
use crate::key::read::document_password::DocumentPassword;
use crate::key::read::pem;
use crate::key::strict_json;
use crate::keyset::FOREIGN_LIMIT;
use crate::keyset::import::finder::Finder;
use crate::keyset::import::place::Place;
use crate::keyset::import::{BINARY_LIMIT, dotenv, kubernetes, mixed, text, token, within, yaml};
use crate::secret::Secret;
use serde_json::Deserializer;
use serde_json::value::RawValue;

/// The note about the keys in a token.
const UNCHECKED: &str = "it is a signed token (JWT); its signature was not checked";

/// The note about a text with keys in several formats.
const MIXED: &str = "it holds keys in several formats";

/// Finds the keys in a signed token, in text in several formats, in YAML or in dotenv lines, with
/// notes for the user. Returns `None` for other documents and if there is no key. Returns an error for
/// a token without a key, for too many keys, and for a wrong password.
pub fn read_text<'a>(
    document: &[u8],
    unlock: &'a DocumentPassword<'a>,
) -> Result<Option<(Finder<'a>, Vec<String>)>> {
    let Ok(text) = std::str::from_utf8(document) else {
        return Ok(None);
    };
    if let Some(parts) = token::parts(text) {
        let finder = read_token(parts, unlock)?;
        let mut notes = vec![UNCHECKED.to_owned()];
        notes.extend(finder.notes());
        return Ok(Some((finder, notes)));
    }
    if text.len() <= BINARY_LIMIT
        && let Some(parts) = mixed::parts(text)
    {
        return read_parts(&parts, unlock);
    }
    // A PEM file can have lines above its first block that look like YAML.
    let has_block = || text.contains("\n-----BEGIN ");
    if text.trim_start().starts_with(['{', '['])
        || kubernetes::is_manifest(text)
        || text.trim_start().starts_with(pem::MARKER)
    {
        return Ok(None);
    }
    let mut finder = Finder::new(unlock);
    if yaml::is_in(text) && !has_block() {
        let text = std::str::from_utf8(within(document, BINARY_LIMIT)?).unwrap_or_default();
        // A text that only begins like YAML can be another format.
        for value in yaml::documents(text).unwrap_or_default() {
            let json = Secret::new(value.to_string());
            finder.json(json.expose(), &Place::root(""))?;
        }
    } else if text.len() <= BINARY_LIMIT
        && let Some(variables) = dotenv::read(text)
    {
        let root = Place::root("");
        for (name, value) in variables {
            let place = root.member(name);
            finder.document(value.expose().as_bytes(), &place, None)?;
        }
    }
    let notes = finder.notes();
    Ok((!finder.is_empty()).then_some((finder, notes)))
}

/// Finds the keys in JSON Lines. Lines that are not JSON, or not strict JSON, are left out. Returns `None`
/// if the first line is not JSON.
fn read_lines<'a>(
    text: &str,
    unlock: &'a DocumentPassword<'a>,
) -> Result<Option<(Finder<'a>, Vec<String>)>> {
    let lines = (1..).zip(text.lines().map(str::trim));
    let mut lines = lines.filter(|(_, line)| !line.is_empty()).peekable();
    let is_json = |line: &str| serde_json::from_str::<&RawValue>(line).is_ok();
    if !lines.peek().is_some_and(|(_, first)| is_json(first)) {
        return Ok(None);
    }
    let mut finder = Finder::new(unlock);
    for (number, line) in lines {
        let place = format!("line {number}");
        let place = Place::root(&place);
        let checked = if is_json(line) {
            strict_json::check(line)
        } else {
            Err(Error::invalid("it is not JSON"))
        };
        match checked {
            Ok(()) => finder.json(line, &place)?,
            Err(error) if text::may_have_key(line) => {
                finder.leave_out(&place, Part::PrivateKey, error)?;
            }
            Err(error) => finder.leave_out(&place, Part::Other, error)?,
        }
    }
    let notes = finder.notes();
    Ok((!finder.is_empty()).then_some((finder, notes)))
}

/// Finds the keys in the parts of a text. Each part comes with the number of its first line.
fn read_parts<'a>(
    parts: &[(usize, &str)],
    unlock: &'a DocumentPassword<'a>,
) -> Result<Option<(Finder<'a>, Vec<String>)>> {
    let mut finder = Finder::new(unlock);
    for (number, part) in parts {
        let line = format!("line {number}");
        finder.document(part.as_bytes(), &Place::root(&line), None)?;
    }
    let mut notes = vec![MIXED.to_owned()];
    notes.extend(finder.notes());
    Ok((!finder.is_empty()).then_some((finder, notes)))
}

/// Finds the keys in JSON that is neither a JWK nor a JWK Set, with notes for the user. Returns `None`
/// for other documents, and if there is no key. Returns an error for JSON that is not strict, for too
/// many keys, and for a wrong password.
pub fn read_json<'a>(
    document: &[u8],
    unlock: &'a DocumentPassword<'a>,
) -> Result<Option<(Finder<'a>, Vec<String>)>> {
    let Ok(text) = std::str::from_utf8(within(document, FOREIGN_LIMIT)?) else {
        return Ok(None);
    };
    if !text.trim_start().starts_with(['{', '[']) {
        return Ok(None);
    }
    strict_json::check_size(text)?;
    let values = Deserializer::from_str(text).into_iter::<&RawValue>();
    let Ok(values) = values.collect::<Result<Vec<_>, _>>() else {
        return read_lines(text, unlock);
    };
    let mut finder = Finder::new(unlock);
    let root = Place::root("");
    match &values[..] {
        [only] => finder.json(only.get(), &root)?,
        // JSON Lines: one value per line.
        _ => {
            for (i, value) in values.iter().enumerate() {
                finder.json(value.get(), &root.element(i))?;
            }
        }
    }
    let notes = finder.notes();
    Ok((!finder.is_empty()).then_some((finder, notes)))
}

/// Finds the keys in the header and in the claims of a signed token. Its signature is not checked. Claims with keys
/// are those of an entity statement (OpenID Federation 1.0 section 3.1). Returns an error if there is no key.
fn read_token<'a>(
    [header, claims]: [String; 2],
    unlock: &'a DocumentPassword<'a>,
) -> Result<Finder<'a>> {
    let mut finder = Finder::new(unlock);
    let root = Place::root("");
    for (name, json) in [("header", header), ("claims", claims)] {
        finder.json(&json, &root.member(name))?;
    }
    if finder.is_empty() {
        return Err(Error::invalid("it is a signed token (JWT), not a key")
            .hint("run `jwks set SET ADDRESS` to import the keys of its issuer"));
    }
    Ok(finder)
}

#[cfg(test)]
mod tests {
    use crate::error::{ErrorKind, Result};
    use crate::key::members::quoted;
    use crate::keyset::import::{Imported, Options, read};
    use crate::secret::Secret;

    const JWK: &str =
        r#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;
    const PEM: &str = "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\n-----END PUBLIC KEY-----\n";
    const THUMBPRINT: &str = "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k";

    fn import(document: &str) -> Result<Imported> {
        let options = Options {
            password: &|| Ok(Secret::new("wrong".to_owned())),
            ..Options::default()
        };
        read(document.as_bytes(), &options)
    }

    /// The kids of the keys, and the notes.
    fn found(document: &str) -> (Vec<Option<String>>, Vec<String>) {
        let imported = import(document).unwrap_or_else(|error| panic!("{document}: {error}"));
        let kid = |key: &crate::key::Key| {
            let members = key.members().unwrap();
            members.string("kid").map(|kid| kid.into_owned())
        };
        let kids = imported.set.keys.iter().map(kid).collect();
        let notes = imported.notes.into_iter().map(|note| note.text).collect();
        (kids, notes)
    }

    #[test]
    fn a_name_beside_a_key_is_its_kid() {
        let pem = quoted(PEM);
        for (document, kid, note) in [
            (format!(r#"{{"a":{JWK}}}"#), Some("a"), "a"),
            (format!(r#"{{"a":{pem}}}"#), Some("a"), "a"),
            (
                format!(r#"{{"private_key_id":"b","private_key":{pem}}}"#),
                Some("b"),
                "private_key",
            ),
            (
                format!(r##"{{"verificationMethod":[{{"id":"#k","publicKeyJwk":{JWK}}}]}}"##),
                Some("#k"),
                "verificationMethod[0].publicKeyJwk",
            ),
            (format!(r#"{{"key":{pem}}}"#), Some(THUMBPRINT), "key"),
            (format!(r#"{{"jwk":{JWK}}}"#), None, "jwk"),
            (format!(r#"{{"a":{pem},"b":1}}"#), Some(THUMBPRINT), "a"),
            (format!(r#"{{"jwks":{{"keys":[{JWK}]}}}}"#), None, "jwks"),
            (format!("[1,{JWK}]"), None, "a list"),
            (
                format!(r#"{{"keys":[{{"kid":"c","pem":{pem}}}]}}"#),
                Some("c"),
                "keys[0].pem",
            ),
            (format!("{{\"a\":1}}\n{JWK}\n"), None, "a list"),
        ] {
            let (kids, notes) = found(&document);
            assert_eq!(kids, [kid.map(str::to_owned)], "{document}");
            assert_eq!(notes, [format!("found a key in {note}")], "{document}");
        }
        let control = format!(r#"{{"a\u0007":{JWK}}}"#);
        assert_eq!(found(&control).0, [None]);
    }

    #[test]
    fn a_part_that_cannot_be_used_is_named() {
        let broken = PEM.replace("MC", "??");
        let document = format!(r#"{{"a":{},"b":{JWK}}}"#, quoted(&broken));
        let (kids, notes) = found(&document);
        assert_eq!(kids.len(), 1);
        assert!(notes[1].starts_with("left out a: PEM block 1"), "{notes:?}");
    }

    #[test]
    fn a_wrong_password_names_its_container() {
        let encrypted = include_str!("../../../tests/vectors/generated/p256/p256.pkcs8-aes256.pem");
        let document = format!(r#"{{"a":{{"b":{}}},"c":{JWK}}}"#, quoted(encrypted));
        let error = import(&document).err().unwrap();
        assert_eq!(error.kind(), ErrorKind::Denied);
        assert!(error.to_string().starts_with("a.b: "), "{error}");
    }

    #[test]
    fn hostile_documents_are_refused() {
        let pem = quoted(PEM);
        let members = vec![pem.as_str(); 1001].join(",");
        for (document, expected) in [
            (
                format!("[{}{JWK}]", "0,".repeat(1_000_000)),
                "more than 450000 names and values",
            ),
            (format!("[{members}]"), "more than"),
            (
                format!("[{JWK}{}]", format!(",{JWK}").repeat(10_000)),
                "10001 keys",
            ),
            (
                format!("{}{JWK}{}", "[".repeat(65), "]".repeat(65)),
                "nested deeper",
            ),
            (format!(r#"{{"a":{JWK},"a":1}}"#), "appears twice"),
        ] {
            let error = import(&document).err().unwrap();
            let text = error.to_string();
            assert!(text.contains(expected), "{expected}: {text}");
        }
        // Deeper than this, nothing is searched.
        assert!(import(&format!("{}{JWK}{}", "[".repeat(17), "]".repeat(17))).is_err());
        assert!(import(&format!("{}{JWK}{}", "[".repeat(15), "]".repeat(15))).is_ok());
    }

    #[test]
    fn odd_texts_are_rejected() {
        for text in [
            "[", "{", "[]", "{}", "[{}]", "a: [", "- &a *a", "A='", "a.b.c", "e30.e30.", "\u{feff}",
        ] {
            assert!(import(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_discovery_document_names_the_address_of_its_keys() {
        let document = r#"{"issuer":"https://i.example","jwks_uri":"https://i.example/jwks"}"#;
        let error = import(document).err().unwrap();
        let hint = error.advice().unwrap_or_default();
        assert!(
            hint.ends_with("its jwks_uri is \"https://i.example/jwks\""),
            "{hint}"
        );
    }

    #[test]
    fn a_token_without_a_key_is_called_a_token() {
        // {"alg":"ES256"} and {"sub":"a"}
        let error = import("eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJhIn0.AAAA")
            .err()
            .unwrap();
        assert_eq!(error.to_string(), "it is a signed token (JWT), not a key");
        let bearer = import("Bearer eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJhIn0.AAAA")
            .err()
            .unwrap();
        assert_eq!(bearer.to_string(), error.to_string());
    }
}
