//! Reads PEM (RFC 7468) with one or several blocks and text around them, including OpenSSL's old
//! encryption (RFC 1421 section 4.6.1.3).

use crate::error::ErrorKind::Invalid;
use crate::error::{Error, Result};
use crate::key::read::bundle::{Bundle, Part};
use crate::key::read::der::{self, Kind};
use crate::key::read::document_password::{DocumentPassword, Lock, denied};
use crate::key::read::openssh;
use crate::key::read::pkcs12;
use crate::key::read::{kind, read_der};
use crate::secret::Secret;
use openssl::hash::MessageDigest;
use openssl::pkcs5::bytes_to_key;
use openssl::symm::{self, Cipher};

/// The beginning of a PEM block.
pub const MARKER: &str = "-----BEGIN ";

/// The label of a keystore, as GnuTLS writes it.
const PKCS12: &str = "PKCS12";

/// Reads every key and certificate of a PEM file. A block that jwks cannot use is left out, so the
/// contents can be empty. Returns an error if the password is wrong, or if there are too many keys.
pub fn read(text: &str, unlock: &DocumentPassword) -> Result<Bundle> {
    let starts: Vec<usize> = text.match_indices(MARKER).map(|(start, _)| start).collect();
    let ends = starts.iter().skip(1).copied().chain([text.len()]);
    let mut contents = Bundle::default();
    for (i, (start, end)) in starts.iter().zip(ends).enumerate() {
        let block = &text[*start..end];
        let label = label(block);
        let part = if label.contains("PRIVATE KEY") || label == PKCS12 {
            Part::PrivateKey
        } else {
            Part::Other
        };
        let name = format!("PEM block {}", i + 1);
        match read_block(block, unlock) {
            Err(error) if error.kind() != Invalid => return Err(error.about(name)),
            read => contents.take(&format!("{name} ({label})"), part, read)?,
        }
    }
    Ok(contents)
}

/// Returns the label in the first line of a block, for messages.
fn label(block: &str) -> String {
    const LONGEST: usize = 40;
    let line = block.lines().next().unwrap_or_default();
    let label = line
        .trim_start_matches(MARKER)
        .trim_end()
        .trim_end_matches('-');
    let is_malformed = label.contains(char::is_control) || label.chars().count() > LONGEST;
    if is_malformed {
        "with a malformed label".into()
    } else {
        label.to_owned()
    }
}

fn read_block(text: &str, unlock: &DocumentPassword) -> Result<Bundle> {
    let unfolded = unfolded(text);
    let text = unfolded.as_ref().map_or(text, |text| text.expose());
    let block = pem::parse(text).map_err(|error| {
        if text.contains("-----END ") {
            Error::invalid("it is damaged").cause(error)
        } else {
            Error::invalid("it has no END line")
        }
    })?;
    let label = block.tag();
    let expected = match label {
        // The key in the next block repeats these curve parameters.
        "EC PARAMETERS" => return Ok(Bundle::default()),
        "PRIVATE KEY" => Kind::Pkcs8,
        "ENCRYPTED PRIVATE KEY" => Kind::EncryptedPkcs8,
        "RSA PRIVATE KEY" => Kind::Pkcs1Private,
        "EC PRIVATE KEY" => Kind::Sec1,
        "PUBLIC KEY" => Kind::Spki,
        "RSA PUBLIC KEY" => Kind::Pkcs1Public,
        "CERTIFICATE" | "X509 CERTIFICATE" => Kind::Certificate,
        "CERTIFICATE REQUEST" | "NEW CERTIFICATE REQUEST" => Kind::Request,
        "OPENSSH PRIVATE KEY" => {
            return openssh::read_private(block.contents(), unlock).map(Bundle::from);
        }
        "DSA PRIVATE KEY" => return Err(der::no_dsa()),
        "PKCS7" | "CMS" => Kind::Pkcs7,
        PKCS12 => return pkcs12::read(block.contents(), None, unlock),
        "TRUSTED CERTIFICATE" => {
            return Err(
                Error::invalid("OpenSSL trusted certificates are not supported")
                    .hint("run `openssl x509 -in FILE | jwks set SET -`"),
            );
        }
        _ => return Err(Error::invalid("not a key or certificate that jwks reads")),
    };
    if block.headers().get("Proc-Type").is_some() {
        let content = decrypt(&block, expected, unlock)?;
        return read_der(content.expose(), unlock);
    }
    match kind(block.contents()) {
        Some(kind) if kind == expected => read_der(block.contents(), unlock),
        Some(kind) => {
            let found = kind.description();
            Err(Error::invalid(format!("the content is {found}")))
        }
        None => Err(Error::invalid("the content does not parse as DER")),
    }
}

/// Returns a block with its line ends restored, or `None` if it has them. In variables and in JSON,
/// line ends become `\n`, spaces or nothing. In YAML, lines are indented.
fn unfolded(block: &str) -> Option<Secret<String>> {
    let label_end = MARKER.len() + block[MARKER.len()..].find("-----")?;
    let (begin, rest) = block.split_at(label_end + "-----".len());
    let body = &rest[..rest.find("-----END ")?];
    let end = &rest[body.len()..];
    let is_escaped = body.contains("\\n");
    let is_indented = || body.lines().any(|line| line.starts_with([' ', '\t']));
    if !is_escaped && body.contains('\n') && !is_indented() {
        return None;
    }
    let body = Secret::new(body.replace("\\r", " ").replace("\\n", " "));
    let mut words = body.expose().split_ascii_whitespace().peekable();
    let mut text = Secret::new(String::with_capacity(block.len() + 8));
    let unfolded = text.expose_mut();
    unfolded.push_str(begin);
    unfolded.push('\n');
    let mut has_headers = false;
    while let Some(name) = words.next_if(|word| word.ends_with(':')) {
        has_headers = true;
        let value = words.next().unwrap_or_default();
        [name, " ", value, "\n"]
            .iter()
            .for_each(|part| unfolded.push_str(part));
    }
    if has_headers {
        unfolded.push('\n');
    }
    words.for_each(|word| unfolded.push_str(word));
    unfolded.push('\n');
    unfolded.push_str(end);
    Some(text)
}

/// Decrypts a block with the headers Proc-Type and DEK-Info to a document of a kind. Its key is the MD5 digest of the
/// password and the first 8 bytes of the initialization vector, extended by further digests.
fn decrypt(block: &pem::Pem, expected: Kind, unlock: &DocumentPassword) -> Result<Secret<Vec<u8>>> {
    let information = block.headers().get("DEK-Info").unwrap_or_default();
    let (name, iv) = information.split_once(',').unwrap_or((information, ""));
    let cipher = match name {
        "AES-128-CBC" => Cipher::aes_128_cbc(),
        "AES-192-CBC" => Cipher::aes_192_cbc(),
        "AES-256-CBC" => Cipher::aes_256_cbc(),
        "DES-EDE3-CBC" => Cipher::des_ede3_cbc(),
        other => {
            let message = format!("unsupported encryption: {other:?}");
            return Err(Error::invalid(message)
                .hint("run `openssl pkey -in KEY -aes256 -out NEW` to encrypt it again"));
        }
    };
    let iv = hexadecimal(iv).filter(|iv| Some(iv.len()) == cipher.iv_len());
    let iv = iv.ok_or_else(|| Error::invalid("invalid DEK-Info header"))?;
    // One MD5 digest gives 16 bytes of the key.
    unlock.open(Lock::Document, 2, |password| {
        let password = password.unwrap_or_default().as_bytes();
        let key = bytes_to_key(cipher, MessageDigest::md5(), password, iv.get(..8), 1);
        let key = key.map(|pair| Secret::new(pair.key)).map_err(|error| {
            Error::failed("OpenSSL cannot derive a key from the password").cause(error)
        })?;
        let content = symm::decrypt(cipher, key.expose(), Some(&iv), block.contents());
        let content = content.map(Secret::new).map_err(|_| denied())?;
        match der::kind(content.expose()) {
            Some(kind) if kind == expected => Ok(content),
            _ => Err(denied()),
        }
    })
}

fn hexadecimal(text: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u8>> = text
        .chars()
        .map(|digit| digit.to_digit(16).and_then(|digit| digit.try_into().ok()))
        .collect();
    let digits = digits.filter(|digits| digits.len().is_multiple_of(2))?;
    let pairs = digits.chunks_exact(2).map(|pair| pair[0] << 4 | pair[1]);
    Some(pairs.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "-----BEGIN PUBLIC KEY-----
MCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIa
aPcHURo=
-----END PUBLIC KEY-----
";

    fn read(text: &str) -> Option<String> {
        let unlock = DocumentPassword::new(&|| Err(denied()));
        let keys = super::read(text, &unlock).ok()?.keys;
        keys.first().map(|key| key.to_json())
    }

    #[test]
    fn a_block_without_line_ends_is_the_same_key() {
        let expected = read(KEY);
        assert!(expected.is_some());
        for folded in [
            KEY.replace('\n', "\\n"),
            KEY.replace('\n', "\\r\\n"),
            KEY.replace('\n', " "),
            KEY.replace('\n', ""),
            KEY.replace('\n', "\n    "),
            format!("KEY=\"{}\"\n", KEY.replace('\n', "\\n")),
            format!("  key: |\n    {}", KEY.replace('\n', "\n    ")),
        ] {
            assert_eq!(read(&folded), expected, "{folded}");
        }
        assert!(unfolded(KEY).is_none());
    }

    #[test]
    fn headers_keep_their_lines() {
        let block = "-----BEGIN RSA PRIVATE KEY-----
Proc-Type: 4,ENCRYPTED
DEK-Info: AES-256-CBC,00

AAAA
-----END RSA PRIVATE KEY-----
";
        assert!(unfolded(block).is_none());
        for folded in [block.replace('\n', "\\n"), block.replace('\n', " ")] {
            let restored = unfolded(&folded).unwrap();
            assert!(restored.expose().starts_with(block.trim_end()), "{folded}");
        }
    }

    #[test]
    fn unfolding_odd_texts_does_not_panic() {
        for text in [
            "",
            "-----",
            "é-----END ",
            "-----END -----BEGIN",
            "\\n\\-----END \\",
        ] {
            let _ = unfolded(&format!("{MARKER}{text}"));
        }
    }
}
