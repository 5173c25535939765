//! Reads keys in formats other than JWK: PEM, DER, PKCS#12, JKS and OpenSSH.
//!
//! Strict parsers in Rust parse foreign DER. OpenSSL reads only numbers, points and certificates.

mod asn1;
pub mod bundle;
pub mod der;
pub mod document_password;
mod elliptic;
pub mod encryption;
pub mod jks;
pub mod join;
pub mod openssh;
pub mod pem;
pub mod pkcs12;
pub mod pkcs8;

use crate::error::{Error, Result};
use crate::key::certificate::{self, Certificate};
use bundle::Bundle;
use document_password::DocumentPassword;

/// Reads one key, certificate or certification request in DER. Returns an error that names the kind of
/// other documents.
pub fn read_der(document: &[u8], unlock: &DocumentPassword) -> Result<Bundle> {
    let mut contents = Bundle::default();
    match der::kind(document) {
        Some(der::Kind::Certificate) => {
            let broken = || Error::invalid("invalid certificate");
            let certificate = Certificate::parse(document).ok_or_else(broken)?;
            contents.certificates.push(certificate);
        }
        Some(der::Kind::Request) => contents.keys.push(certificate::read_request(document)?),
        Some(der::Kind::EncryptedPkcs8) => {
            contents
                .keys
                .push(encryption::encrypted_pkcs8(document, unlock)?);
        }
        _ => contents.keys.push(der::read(document)?),
    }
    Ok(contents)
}
