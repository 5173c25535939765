//! Decodes a document that carries another one: UTF-16 text, and a key in base64. Only one level of
//! base64 is decoded.

use crate::error::{Error, Result};
use crate::key::read::{der, jks, openssh_public, pem};
use crate::secret::Secret;
use base64::Engine as _;
use base64::alphabet::{STANDARD, URL_SAFE};
use base64::engine::DecodePaddingMode::Indifferent;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};

/// Base64 and base64url with or without padding.
const DECODERS: [GeneralPurpose; 2] = {
    let config = GeneralPurposeConfig::new().with_decode_padding_mode(Indifferent);
    [
        GeneralPurpose::new(&STANDARD, config),
        GeneralPurpose::new(&URL_SAFE, config),
    ]
};

/// The length of the shortest base64 text that can be a key, in bytes.
const SHORTEST: usize = 24;

/// The UTF-8 byte order mark.
const UTF_8_MARK: &[u8] = b"\xef\xbb\xbf";

/// The beginning of a PKCS#12 keystore in BER with an indefinite length.
const BER: &[u8] = &[0x30, 0x80];

/// A document that another one carries.
pub struct Carried {
    /// The decoded document.
    pub octets: Secret<Vec<u8>>,
    /// The encoding, such as `base64`.
    pub encoding: &'static str,
}

/// Returns a document without its byte order mark, if it is UTF-8.
pub fn without_mark(document: &[u8]) -> &[u8] {
    document.strip_prefix(UTF_8_MARK).unwrap_or(document)
}

/// Decodes UTF-16 text and base64 of a key, or returns `None` for other documents. Returns an error
/// for base64 of base64, and for invalid UTF-16 text.
pub fn carried(document: &[u8]) -> Result<Option<Carried>> {
    let Some(text) = utf_16(document)? else {
        let octets = of_base64(document)?;
        return Ok(octets.map(|octets| Carried {
            octets,
            encoding: "base64",
        }));
    };
    Ok(Some(match of_base64(text.expose())? {
        Some(octets) => Carried {
            octets,
            encoding: "base64 in UTF-16",
        },
        None => Carried {
            octets: text,
            encoding: "UTF-16",
        },
    }))
}

/// Converts UTF-16 text to UTF-8; `None` for other documents. The text has a byte order mark or begins
/// with two ASCII characters. Returns an error for invalid UTF-16.
fn utf_16(document: &[u8]) -> Result<Option<Secret<Vec<u8>>>> {
    let to_unit: fn([u8; 2]) -> u16 = match document {
        [0xff, 0xfe, ..] => u16::from_le_bytes,
        [0xfe, 0xff, ..] => u16::from_be_bytes,
        [first, 0, second, 0, ..] if is_text(*first) && is_text(*second) => u16::from_le_bytes,
        [0, first, 0, second, ..] if is_text(*first) && is_text(*second) => u16::from_be_bytes,
        _ => return Ok(None),
    };
    let (pairs, rest) = document.as_chunks();
    let units = pairs.iter().copied().map(to_unit);
    let units = units.skip_while(|unit| *unit == 0xfeff);
    let mut text = Secret::new(String::with_capacity(document.len()));
    for character in char::decode_utf16(units) {
        let character = character.map_err(|error| {
            let error = Error::invalid("invalid UTF-16 text").cause(error);
            error.hint("save it as UTF-8")
        })?;
        text.expose_mut().push(character);
    }
    if rest.is_empty() {
        let octets = std::mem::take(text.expose_mut()).into_bytes();
        Ok(Some(Secret::new(octets)))
    } else {
        Err(Error::invalid("the UTF-16 text ends in half a character").hint("save it as UTF-8"))
    }
}

fn is_text(octet: u8) -> bool {
    octet.is_ascii_graphic() || octet.is_ascii_whitespace()
}

/// Decodes base64 or base64url if the content is a key, a certificate or a keystore.
fn of_base64(document: &[u8]) -> Result<Option<Secret<Vec<u8>>>> {
    let Some(octets) = decoded(document).filter(|octets| octets.expose().len() >= SHORTEST) else {
        return Ok(None);
    };
    if is_key(octets.expose()) {
        return Ok(Some(octets));
    }
    if decoded(octets.expose()).is_some_and(|twice| is_key(twice.expose())) {
        return Err(
            Error::invalid("it is base64 of base64").hint("run `base64 -d FILE | jwks set SET -`")
        );
    }
    Ok(None)
}

/// Decodes a text that has only the characters of base64, white space and quotation marks around it.
fn decoded(document: &[u8]) -> Option<Secret<Vec<u8>>> {
    let text = document.trim_ascii();
    let text = [b'"', b'\''].iter().fold(text, |text, quote| {
        let inner = text.strip_prefix(&[*quote]);
        inner
            .and_then(|text| text.strip_suffix(&[*quote]))
            .unwrap_or(text)
    });
    let is_base64 = |octet: &u8| octet.is_ascii_alphanumeric() || b"+/-_= \t\r\n".contains(octet);
    if text.len() < SHORTEST || !text.iter().all(is_base64) {
        return None;
    }
    let compact = text
        .iter()
        .copied()
        .filter(|octet| !octet.is_ascii_whitespace());
    let compact = Secret::new(compact.collect::<Vec<u8>>());
    let mut decoders = DECODERS.iter();
    let octets = decoders.find_map(|decoder| decoder.decode(compact.expose()).ok());
    octets.map(Secret::new)
}

/// Returns true if a document is a key, a certificate or a keystore in a format that can be in base64.
fn is_key(octets: &[u8]) -> bool {
    if jks::is_in(octets) || octets.starts_with(BER) || der::kind(octets).is_some() {
        return true;
    }
    let Ok(text) = std::str::from_utf8(without_mark(octets)) else {
        return false;
    };
    text.contains(pem::MARKER)
        || openssh_public::is_in(text)
        || (text.trim_start().starts_with(['{', '[']) && may_have_key(text))
}

/// Returns true if a JSON text contains `kty` or `keys`, as every JWK or JWK Set does.
pub fn may_have_key(json: &str) -> bool {
    json.contains("\"kty\"") || json.contains("\"keys\"")
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::engine::general_purpose;

    const JWK: &str = r#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo","n":"ü"}"#;

    fn decode(document: &[u8]) -> Option<(String, &'static str)> {
        let carried = carried(document).unwrap()?;
        let text = String::from_utf8(carried.octets.expose().clone()).unwrap();
        Some((text, carried.encoding))
    }

    #[test]
    fn utf_16_is_decoded_with_and_without_a_mark() {
        let little: Vec<u8> = JWK.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let big: Vec<u8> = JWK.encode_utf16().flat_map(u16::to_be_bytes).collect();
        let expected = Some((JWK.to_owned(), "UTF-16"));
        for document in [
            [b"\xff\xfe", &little[..]].concat(),
            [b"\xfe\xff", &big[..]].concat(),
            little.clone(),
            big,
        ] {
            assert_eq!(decode(&document), expected);
        }
        assert!(carried(&[&little[..], b"x"].concat()).is_err());
        assert!(carried(b"\xff\xfe\x00\xd8").is_err());
    }

    #[test]
    fn base64_of_a_key_is_decoded_once() {
        let once = general_purpose::STANDARD.encode(JWK);
        let url = general_purpose::URL_SAFE_NO_PAD.encode(JWK);
        let expected = Some((JWK.to_owned(), "base64"));
        let wrapped = format!("  {}\r\n{}\n", &once[..40], &once[40..]);
        for text in [&once, &url, &wrapped, &format!("\"{once}\"\n")] {
            assert_eq!(decode(text.as_bytes()), expected, "{text}");
        }
        let twice = general_purpose::STANDARD.encode(&once);
        let error = carried(twice.as_bytes()).err().unwrap();
        assert!(error.to_string().contains("base64 of base64"), "{error}");
        let thrice = general_purpose::STANDARD.encode(&twice);
        assert!(carried(thrice.as_bytes()).unwrap().is_none());
    }

    #[test]
    fn other_texts_are_not_decoded() {
        for text in [
            JWK,
            "",
            "a",
            "AAAA",
            "c2VjcmV0IHNlY3JldCBzZWNyZXQgc2VjcmV0",
            "\"",
            "\0a",
        ] {
            assert!(carried(text.as_bytes()).unwrap().is_none(), "{text}");
        }
    }
}
