//! Writes private keys as encrypted PKCS#8 (RFC 5958 section 3).

use crate::error::{Error, Result};
use crate::key::members::Members;
use crate::key::write::{Document, pkcs8};
use crate::secret::Secret;
use ::pkcs8::PrivateKeyInfoRef;
use ::pkcs8::der::Decode as _;
use ::pkcs8::pkcs5::pbes2::Parameters;
use openssl::rand::rand_bytes;

/// The iteration count of PBKDF2 with HMAC-SHA256, as OWASP recommends since 2023.
const ITERATIONS: u32 = 600_000;

/// Writes the private key as EncryptedPrivateKeyInfo: PBES2 with AES-256-CBC and PBKDF2 with
/// HMAC-SHA256. OpenSSL 1.0.0 and later can read it. Returns an error for symmetric keys.
pub fn encrypted_pkcs8(members: &Members, password: &Secret<String>) -> Result<Document> {
    let plain = pkcs8(members)?;
    let mut salt = [0; 16];
    let mut iv = [0; 16];
    let random = rand_bytes(&mut salt).and_then(|()| rand_bytes(&mut iv));
    random.map_err(|error| Error::failed("cannot generate a salt").cause(error))?;
    let encrypt = || {
        let parameters = Parameters::generate_pbkdf2_sha256_aes256cbc(ITERATIONS, &salt, iv)?;
        PrivateKeyInfoRef::from_der(plain.der())?
            .encrypt_with_params(parameters, password.expose().as_bytes())
    };
    let encrypted = encrypt().map_err(|error: ::pkcs8::Error| {
        Error::failed(format!("the private key cannot be encrypted: {error}"))
    })?;
    Ok(Document::new(
        "ENCRYPTED PRIVATE KEY",
        encrypted.as_bytes().to_vec(),
    ))
}
