//! Encryption of keys and sets with a passphrase: JWE with PBES2 (RFC 7516, RFC 7517 section 7, RFC
//! 7518 section 4.8).

mod algorithm;
mod envelope;
mod serialization;

pub use envelope::{Envelope, LEAST_ITERATIONS, MOST_ITERATIONS};
pub use serialization::is_in;

use crate::error::{Error, Result};
use crate::key::base64url;
use crate::key::members::Members;
use crate::secret::Secret;
use algorithm::{Derivation, Encryption};
use envelope::Recipient;
use josekit::jwe::{JweDecrypter as _, JweEncrypter as _, JweHeader};
use openssl::pkcs5::pbkdf2_hmac;
use openssl::rand::rand_bytes;
use std::fmt;

/// The default PBKDF2 iteration count.
pub const ITERATIONS: u32 = 600_000;

/// The iteration count below which a passphrase is too easy to guess.
pub const WEAK_ITERATIONS: u32 = 100_000;

/// The length of new salts in bytes.
const SALT_OCTETS: usize = 16;

/// Returns the error for a wrong passphrase or a damaged document, which cannot be told apart.
pub fn not_opened() -> Error {
    Error::denied("wrong passphrase, or the encrypted document is damaged")
}

/// A cache of the keys derived in this run.
#[derive(Default)]
pub struct DerivedKeys(Vec<Derived>);

struct Derived {
    alg: &'static str,
    salt: Vec<u8>,
    iterations: u32,
    passphrase: Secret<String>,
    key: Secret<Vec<u8>>,
}

impl fmt::Debug for DerivedKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DerivedKeys({})", self.0.len())
    }
}

impl DerivedKeys {
    /// Derives the key that wraps the content key (RFC 7518 section 4.8.1), or returns the cached one.
    /// Returns an error if OpenSSL fails.
    fn derive(
        &mut self,
        derivation: &'static Derivation,
        salt: &[u8],
        iterations: u32,
        passphrase: &Secret<String>,
    ) -> Result<&Secret<Vec<u8>>> {
        let is_it = |derived: &Derived| {
            derived.alg == derivation.name
                && derived.salt == salt
                && derived.iterations == iterations
                && derived.passphrase.expose() == passphrase.expose()
        };
        if let Some(position) = self.0.iter().position(is_it) {
            return Ok(&self.0[position].key);
        }
        let salted = [derivation.name.as_bytes(), &[0], salt].concat();
        let mut key = Secret::new(vec![0; derivation.octets]);
        pbkdf2_hmac(
            passphrase.expose().as_bytes(),
            &salted,
            iterations as usize,
            (derivation.digest)(),
            key.expose_mut(),
        )
        .map_err(|error| Error::failed("cannot derive a key").cause(error))?;
        self.0.push(Derived {
            alg: derivation.name,
            salt: salt.to_vec(),
            iterations,
            passphrase: Secret::new(passphrase.expose().clone()),
            key,
        });
        let last = self.0.len() - 1;
        Ok(&self.0[last].key)
    }
}

/// Decrypts a document. Returns [`not_opened`] for a wrong passphrase or a damaged document. Keys in
/// `derived` are not derived again.
pub fn open(
    envelope: &Envelope,
    passphrase: &Secret<String>,
    derived: &mut DerivedKeys,
) -> Result<Secret<Vec<u8>>> {
    let content = envelope.encryption.content();
    for recipient in &envelope.recipients {
        let Recipient {
            derivation,
            salt,
            iterations,
            encrypted_key,
        } = recipient;
        let key = derived.derive(derivation, salt, *iterations, passphrase)?;
        let unwrap = derivation.wrap.decrypter_from_bytes(key.expose());
        let unwrap = unwrap.map_err(|_| not_opened())?;
        let content_key = unwrap.decrypt(Some(encrypted_key), content, &JweHeader::new());
        let Ok(content_key) = content_key else {
            continue;
        };
        let content_key = Secret::new(content_key.into_owned());
        let opened = content.decrypt(
            content_key.expose(),
            Some(&envelope.iv),
            &envelope.ciphertext,
            envelope.authenticated.as_bytes(),
            Some(&envelope.tag),
        );
        if let Ok(opened) = opened {
            return Ok(Secret::new(opened));
        }
    }
    Err(not_opened())
}

/// Encrypts a document in the compact form with PBES2-HS512+A256KW and A256GCM. The salt, the
/// content key and the initialization vector are random. `header` has additional members of the
/// protected header. The result is decrypted again as a test.
pub fn seal(
    document: &[u8],
    passphrase: &Secret<String>,
    iterations: u32,
    header: &Members,
    derived: &mut DerivedKeys,
) -> Result<String> {
    let (derivation, encryption) = (Derivation::OURS, Encryption::OURS);
    let content = encryption.content();
    let salt = random(SALT_OCTETS)?;
    let mut protected = Members::default();
    protected.set_text("alg", derivation.name);
    protected.set_text("enc", encryption.name);
    protected.set_text("p2s", &base64url::encode(salt.expose()));
    protected.set_number("p2c", iterations.into());
    protected.overlay(header.iter());
    let protected = base64url::encode(protected.to_json());

    let failed = |error: josekit::JoseError| Error::failed("cannot encrypt").cause(error);
    let key = derived.derive(derivation, salt.expose(), iterations, passphrase)?;
    let content_key = random(encryption.key_octets())?;
    let wrap = derivation.wrap.encrypter_from_bytes(key.expose());
    let mut unused = JweHeader::new();
    let encrypted_key = wrap
        .and_then(|wrap| wrap.encrypt(content_key.expose(), &JweHeader::new(), &mut unused))
        .map_err(failed)?;
    let iv = random(encryption.iv_octets())?;
    let (ciphertext, tag) = content
        .encrypt(
            content_key.expose(),
            Some(iv.expose()),
            document,
            protected.as_bytes(),
        )
        .map_err(failed)?;
    let sealed = [
        protected,
        base64url::encode(encrypted_key.unwrap_or_default()),
        base64url::encode(iv.expose()),
        base64url::encode(ciphertext),
        base64url::encode(tag.unwrap_or_default()),
    ]
    .join(".");
    let opened = open(&Envelope::parse(&sealed)?, passphrase, derived)?;
    if opened.expose() != document {
        return Err(Error::failed(
            "the encrypted document cannot be decrypted again",
        ));
    }
    Ok(sealed)
}

fn random(octets: usize) -> Result<Secret<Vec<u8>>> {
    let mut random = Secret::new(vec![0; octets]);
    rand_bytes(random.expose_mut())
        .map_err(|error| Error::failed("cannot generate random numbers").cause(error))?;
    Ok(random)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOCUMENT: &[u8] = br#"{"keys":[]}"#;

    fn secret(text: &str) -> Secret<String> {
        Secret::new(text.to_owned())
    }

    fn sealed() -> String {
        let mut header = Members::default();
        header.set_text("cty", "jwk-set+json");
        let mut derived = DerivedKeys::default();
        seal(DOCUMENT, &secret("open"), 1000, &header, &mut derived).unwrap()
    }

    fn try_open(sealed: &str, passphrase: &str) -> Result<Secret<Vec<u8>>> {
        let mut derived = DerivedKeys::default();
        open(&Envelope::parse(sealed)?, &secret(passphrase), &mut derived)
    }

    #[test]
    fn what_is_sealed_opens_with_its_passphrase_alone() {
        let sealed = sealed();
        assert_eq!(try_open(&sealed, "open").unwrap().expose(), DOCUMENT);
        let envelope = Envelope::parse(&sealed).unwrap();
        assert_eq!(envelope.header().string("cty").unwrap(), "jwk-set+json");
        assert_eq!(envelope.iterations(), 1000);
        for wrong in ["", "Open", "open ", "open\n"] {
            let error = try_open(&sealed, wrong).unwrap_err();
            assert_eq!(error.to_string(), not_opened().to_string());
        }
    }

    #[test]
    fn nothing_of_it_is_used_twice() {
        let parts = |sealed: &str| sealed.split('.').map(str::to_owned).collect::<Vec<_>>();
        let (one, other) = (parts(&sealed()), parts(&sealed()));
        for (one, other) in one.iter().zip(&other) {
            assert_ne!(one, other);
        }
    }

    /// Whatever byte is another one: it opens no more, and the reasons are no more than two.
    #[test]
    fn no_part_can_be_changed() {
        let sealed = sealed();
        for position in 0..sealed.len() {
            let mut octets = sealed.clone().into_bytes();
            octets[position] = if octets[position] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(octets).unwrap();
            let error = try_open(&changed, "open").unwrap_err();
            let code = error.kind().exit_code();
            assert!(code == 5 || code == 7, "{position}: {error}");
        }
    }

    #[test]
    fn a_key_is_derived_once() {
        let mut derived = DerivedKeys::default();
        let sealed = seal(
            DOCUMENT,
            &secret("a"),
            1000,
            &Members::default(),
            &mut derived,
        );
        let envelope = Envelope::parse(&sealed.unwrap()).unwrap();
        open(&envelope, &secret("a"), &mut derived).unwrap();
        assert_eq!(derived.0.len(), 1);
        open(&envelope, &secret("b"), &mut derived).unwrap_err();
        assert_eq!(derived.0.len(), 2);
    }
}
