//! Reads JKS, Java's old keystore format: private keys with their chains, and trusted certificates,
//! each with an alias. There is no standard; this follows the JDK.

use crate::error::{Error, Result};
use crate::key::certificate::Certificate;
use crate::key::members::Members;
use crate::key::read::bundle::{Bundle, Part};
use crate::key::read::der::{self, Kind};
use crate::key::read::document_password::{DocumentPassword, Lock, denied};
use crate::secret::Secret;
use pkcs8::der::Decode as _;
use pkcs8::der::asn1::ObjectIdentifier;
use pkcs12::pbe_params::EncryptedPrivateKeyInfo;
use sha1::{Digest as _, Sha1};

/// The first bytes of a JKS keystore.
const MAGIC: [u8; 4] = [0xfe, 0xed, 0xfe, 0xed];

/// The first bytes of a JCEKS keystore. JCEKS is not supported: it encrypts keys differently, and
/// its shared secrets are serialized Java objects.
const JCEKS_MAGIC: [u8; 4] = [0xce, 0xce, 0xce, 0xce];

/// The bytes between the password and the keystore in the integrity digest.
const WHITENER: &[u8] = b"Mighty Aphrodite";

/// The algorithm with which Sun's JDK encrypts private keys.
const KEY_PROTECTOR: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.42.2.17.1.1");

/// The tags of entries.
const PRIVATE_KEY: u32 = 1;
const TRUSTED_CERTIFICATE: u32 = 2;

/// The length of a SHA-1 digest in bytes.
const DIGEST: usize = 20;

const TO_PKCS12: &str =
    "keytool -importkeystore -srckeystore FILE -destkeystore NEW.p12 -deststoretype pkcs12";

/// Returns true if a document begins like a keystore in one of Java's old formats.
pub fn is_in(document: &[u8]) -> bool {
    document.starts_with(&MAGIC) || document.starts_with(&JCEKS_MAGIC)
}

/// Reads all certificates of a keystore, and all its keys or those of one alias. A key can have
/// another password than the keystore. Returns an error if a password is wrong, or if the keystore is
/// damaged.
pub fn read(document: &[u8], alias: Option<&str>, unlock: &DocumentPassword) -> Result<Bundle> {
    if document.starts_with(&JCEKS_MAGIC) {
        return Err(Error::invalid("JCEKS keystores are not supported").hint(TO_PKCS12));
    }
    let (body, digest) = document.split_last_chunk().ok_or_else(broken)?;
    let mut octets = Octets(body);
    if octets.array()? != MAGIC {
        return Err(broken());
    }
    let version = octets.number()?;
    if !matches!(version, 1 | 2) {
        let message = format!("JKS version {version} is not supported");
        return Err(Error::invalid(message));
    }
    unlock.open(Lock::Document, cost(body), |password| {
        let keyed = keyed(password.unwrap_or_default());
        if sha1(&keyed.chain_update(WHITENER), body) == *digest {
            Ok(())
        } else {
            Err(denied())
        }
    })?;
    entries(octets, version, alias, unlock)
}

/// Returns the cost of digesting bytes, in SHA-256 iterations.
fn cost(octets: &[u8]) -> u64 {
    octets.len() as u64 / 64 + 1
}

fn broken() -> Error {
    Error::invalid("invalid JKS keystore")
}

/// Reads the entries after the version.
fn entries(
    mut octets: Octets,
    version: u32,
    alias: Option<&str>,
    unlock: &DocumentPassword,
) -> Result<Bundle> {
    let mut contents = Bundle::default();
    let mut named = Vec::new();
    let mut aliases = Vec::new();
    for _ in 0..octets.number()? {
        let tag = octets.number()?;
        let name = octets.text()?;
        let _created: [u8; 8] = octets.array()?;
        let is_wanted = alias.is_none_or(|alias| alias == name);
        let place = format!("{name:?} of the keystore");
        let certificates = match tag {
            PRIVATE_KEY => {
                let protected = octets.sized()?;
                if is_wanted {
                    let key = private_key(protected, &place, unlock).map(Bundle::from);
                    let key = key.map(|key| key.with_alias(Some(&name)));
                    contents.take(&place, Part::PrivateKey, key)?;
                }
                octets.number()?
            }
            TRUSTED_CERTIFICATE => 1,
            _ => return Err(broken()),
        };
        for _ in 0..certificates {
            // Version 1 has only X.509 certificates.
            let is_x509 = version == 1 || octets.text()? == "X.509";
            let certificate = match (is_x509, Certificate::parse(octets.sized()?)) {
                (true, Some(certificate)) => certificate,
                (is_x509, _) if is_wanted => {
                    let error = Error::invalid(if is_x509 {
                        "invalid certificate"
                    } else {
                        "the certificate is not X.509"
                    });
                    contents.take(&place, Part::Other, Err(error))?;
                    continue;
                }
                _ => continue,
            };
            if is_wanted {
                named.push(certificate.clone());
            }
            let certificate = Bundle::from(certificate);
            contents.extend(match tag {
                TRUSTED_CERTIFICATE => certificate.with_alias(Some(&name)),
                _ => certificate,
            });
        }
        aliases.push(name);
    }
    if !octets.0.is_empty() {
        return Err(broken());
    }
    if let Some(alias) = alias {
        contents = contents.of_alias(alias, named, aliases)?;
    }
    contents.or_nothing("the JKS keystore has no key")
}

/// Decrypts a private key, which can have another password than the keystore.
fn private_key(
    protected: &[u8],
    place: &str,
    unlock: &DocumentPassword,
) -> Result<Members<'static>> {
    let protected = EncryptedPrivateKeyInfo::from_der(protected).map_err(|_| broken())?;
    let scheme = protected.encryption_algorithm.oid;
    if scheme != KEY_PROTECTOR {
        let message = format!("unsupported encryption: scheme {scheme}");
        return Err(Error::invalid(message).hint(TO_PKCS12));
    }
    let protected = protected.encrypted_data.as_bytes();
    let key = unlock.open(Lock::Entry(place), 2 * cost(protected), |password| {
        decrypt(protected, &keyed(password.unwrap_or_default())).ok_or_else(denied)
    })?;
    match der::kind(key.expose()) {
        Some(Kind::Pkcs8) => der::read(key.expose()),
        _ => Err(Error::invalid("the private key is not PKCS#8")),
    }
}

/// Decrypts the format of Sun's key protector: a salt, the ciphertext and a digest of the
/// plaintext. Each block of the key stream is the digest of the previous block, and the first is
/// the digest of the salt.
fn decrypt(protected: &[u8], keyed: &Sha1) -> Option<Secret<Vec<u8>>> {
    let (salt, rest) = protected.split_first_chunk::<DIGEST>()?;
    let (ciphertext, digest) = rest.split_last_chunk::<DIGEST>()?;
    let mut block = Secret::new(*salt);
    let mut plaintext = Secret::new(ciphertext.to_vec());
    for part in plaintext.expose_mut().chunks_mut(DIGEST) {
        *block.expose_mut() = sha1(keyed, block.expose());
        for (octet, key) in part.iter_mut().zip(block.expose()) {
            *octet ^= key;
        }
    }
    (sha1(keyed, plaintext.expose()) == *digest).then_some(plaintext)
}

/// Starts a SHA-1 digest with the password in big-endian UTF-16, as every digest of the format
/// does.
fn keyed(password: &str) -> Sha1 {
    let mut keyed = Sha1::new();
    for unit in password.encode_utf16() {
        keyed.update(unit.to_be_bytes());
    }
    keyed
}

fn sha1(keyed: &Sha1, octets: &[u8]) -> [u8; DIGEST] {
    keyed.clone().chain_update(octets).finalize().into()
}

/// The unread rest of a keystore. Every length is checked against it first.
struct Octets<'a>(&'a [u8]);

impl<'a> Octets<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8]> {
        let (taken, left) = self.0.split_at_checked(count).ok_or_else(broken)?;
        self.0 = left;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        let (taken, left) = self.0.split_first_chunk().ok_or_else(broken)?;
        self.0 = left;
        Ok(*taken)
    }

    fn number(&mut self) -> Result<u32> {
        Ok(u32::from_be_bytes(self.array()?))
    }

    /// Reads bytes with a length prefix.
    fn sized(&mut self) -> Result<&'a [u8]> {
        let count = usize::try_from(self.number()?).map_err(|_| broken())?;
        self.take(count)
    }

    /// Reads text with a length prefix in bytes.
    fn text(&mut self) -> Result<String> {
        let count = u16::from_be_bytes(self.array()?);
        modified_utf8(self.take(count.into())?).ok_or_else(broken)
    }
}

/// Decodes Java's modified UTF-8: one to three bytes per UTF-16 unit, and two bytes for zero.
fn modified_utf8(octets: &[u8]) -> Option<String> {
    let mut units = Vec::new();
    let mut octets = octets.iter();
    while let Some(first) = octets.next() {
        let mut next = || match octets.next() {
            Some(octet @ 0x80..=0xbf) => Some(u16::from(octet & 0x3f)),
            _ => None,
        };
        let high = u16::from(*first);
        units.push(match first {
            0x01..=0x7f => high,
            0xc0..=0xdf => (high & 0x1f) << 6 | next()?,
            0xe0..=0xef => (high & 0x0f) << 12 | next()? << 6 | next()?,
            _ => return None,
        });
    }
    String::from_utf16(&units).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;

    /// As keytool wrote it: the private key "signing" and the trusted certificate "authority".
    const STORE: &[u8] = include_bytes!("../../../tests/cmd/base/store.jks");
    const PASSWORD: &str = "secret1";

    fn read(document: &[u8], password: &str) -> Result<Bundle> {
        let ask = || Ok(Secret::new(password.to_owned()));
        super::read(document, None, &DocumentPassword::new(&ask))
    }

    fn failure(document: &[u8], password: &str) -> Option<ErrorKind> {
        read(document, password).err().map(|error| error.kind())
    }

    fn body() -> &'static [u8] {
        &STORE[..STORE.len() - DIGEST]
    }

    /// A keystore of a body, with the digest that fits it.
    fn sealed(body: &[u8]) -> Vec<u8> {
        let digest = sha1(&keyed(PASSWORD).chain_update(WHITENER), body);
        [body, &digest].concat()
    }

    #[test]
    fn a_keystore_gives_its_key_and_its_certificates() {
        let contents = read(STORE, PASSWORD).unwrap();
        assert_eq!(contents.keys.len(), 1);
        assert!(contents.keys[0].has("d"));
        assert_eq!(contents.certificates.len(), 2);
        assert_eq!(sealed(body()), STORE);
        for wrong in ["", "secret", "secret1 ", "Secret1"] {
            assert_eq!(failure(STORE, wrong), Some(ErrorKind::Denied), "{wrong:?}");
        }
    }

    #[test]
    fn no_damage_gives_a_key() {
        for end in 0..STORE.len() {
            assert!(read(&STORE[..end], PASSWORD).is_err(), "{end}");
        }
        for i in 0..STORE.len() {
            for change in [0x01, 0x80, 0xff] {
                let mut damaged = STORE.to_vec();
                damaged[i] ^= change;
                // The magic number and the version are looked at before the password is asked for.
                let expected = match i {
                    0..8 => ErrorKind::Invalid,
                    _ => ErrorKind::Denied,
                };
                assert_eq!(failure(&damaged, PASSWORD), Some(expected), "{i} {change}");
            }
        }
    }

    /// Somebody who knows the password can make the digest fit whatever stands before it.
    #[test]
    fn nothing_inside_is_trusted_because_the_digest_fits() {
        for end in 0..body().len() {
            assert!(read(&sealed(&body()[..end]), PASSWORD).is_err(), "{end}");
        }
        assert!(read(&sealed(&[body(), &[0]].concat()), PASSWORD).is_err());
        for i in 0..body().len() {
            for change in [0x01, 0x80, 0xff] {
                let mut other = body().to_vec();
                other[i] ^= change;
                let _ = read(&sealed(&other), PASSWORD);
            }
            // A count or length here would be four thousand million.
            let mut other = body().to_vec();
            let end = other.len().min(i + 4);
            other[i..end].fill(0xff);
            let _ = read(&sealed(&other), PASSWORD);
        }
    }

    #[test]
    fn version_1_names_no_type_of_certificate() {
        let kind = b"\0\x05X.509";
        let mut body = body().to_vec();
        body[7] = 1;
        let document = sealed(&body);
        assert_eq!(failure(&document, PASSWORD), Some(ErrorKind::Invalid));
        while let Some(at) = body.windows(kind.len()).position(|part| part == kind) {
            body.drain(at..at + kind.len());
        }
        let contents = read(&sealed(&body), PASSWORD).unwrap();
        assert_eq!((contents.keys.len(), contents.certificates.len()), (1, 2));
    }

    #[test]
    fn an_empty_keystore_has_no_key() {
        let error = read(&sealed(&[&STORE[..8], &[0; 4]].concat()), PASSWORD).err();
        let message = error.map(|error| error.to_string());
        assert_eq!(message.as_deref(), Some("the JKS keystore has no key"));
    }

    #[test]
    fn aliases_are_in_modified_utf8() {
        let octets = b"a\xc0\x80\xc3\xa4\xe2\x82\xac\xed\xa0\xbd\xed\xb4\x91";
        assert_eq!(modified_utf8(octets).as_deref(), Some("a\0ä€🔑"));
        for broken in [
            "🔑".as_bytes(),
            b"\0",
            b"\x80",
            b"\xc3",
            b"\xc3a",
            b"\xe2\x82",
            b"\xed\xa0\xbd",
        ] {
            assert_eq!(modified_utf8(broken), None, "{broken:?}");
        }
    }
}
