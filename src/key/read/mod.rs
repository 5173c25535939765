//! Reads keys in formats other than JWK: PEM, DER, PKCS#7, PKCS#12, JKS and OpenSSH.
//!
//! Strict parsers in Rust parse foreign DER. OpenSSL reads only numbers, points and certificates.

mod asn1;
pub mod ber;
pub mod bundle;
pub mod der;
pub mod document_password;
mod ec;
mod elliptic;
pub mod encryption;
pub mod jks;
pub mod join;
pub mod openssh;
pub mod openssh_public;
pub mod pem;
pub mod pkcs12;
mod pkcs7;
pub mod pkcs8;

use crate::error::{Error, Result};
use crate::key::certificate::{self, Certificate};
use bundle::Bundle;
use document_password::{DocumentPassword, Lock};

/// Detects the kind of a document in DER, or of a keystore or bundle in BER.
pub fn kind(document: &[u8]) -> Option<der::Kind> {
    der::kind(document).or_else(|| ber::kind(document))
}

/// Reads one key, certificate, certification request or PKCS#7 bundle in DER. Returns an error that names the kind of
/// other documents.
pub fn read_der(document: &[u8], unlock: &DocumentPassword) -> Result<Bundle> {
    let key = match kind(document) {
        Some(der::Kind::Certificate) => {
            let broken = || Error::invalid("invalid certificate");
            return Certificate::parse(document)
                .map(Bundle::from)
                .ok_or_else(broken);
        }
        Some(der::Kind::Pkcs7) => return pkcs7::read(document),
        Some(der::Kind::Request) => certificate::read_request(document)?,
        Some(der::Kind::EncryptedPkcs8) => {
            encryption::encrypted_pkcs8(document, Lock::Document, unlock)?
        }
        _ => der::read(document)?,
    };
    Ok(Bundle::from(key))
}
