//! Keys in other forms than JWK: PEM, DER, keystores and OpenSSH's own in, PEM and DER out.
//!
//! Foreign DER is taken apart by strict parsers in Rust; OpenSSL sees numbers, points and
//! certificates only.

pub mod certificate;
pub mod contents;
pub mod der;
mod encryption;
pub mod jks;
pub mod join;
pub mod openssh;
pub(crate) mod openssl_key;
pub mod pem;
pub mod pkcs12;
mod pkcs8;
pub mod self_signed;
pub mod subject;
pub mod unlock;
pub mod write;

use crate::error::{Error, Result};
use certificate::Certificate;
use contents::Contents;
use unlock::Unlock;

/// Reads one key, certificate or certification request in DER.
pub fn read_der(document: &[u8], unlock: &Unlock) -> Result<Contents> {
    let mut contents = Contents::default();
    match der::kind(document) {
        Some(der::Kind::Certificate) => {
            let broken = || Error::invalid("a certificate that does not parse");
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
