//! Keys in other forms than JWK: PEM and DER in and out.
//!
//! Foreign DER is taken apart by strict parsers in Rust; OpenSSL sees numbers, points and
//! certificates only.

pub mod certificate;
pub mod der;
pub(crate) mod openssl_key;
pub mod pem;
pub mod self_signed;
pub mod subject;
pub mod write;

use super::members::Members;
use crate::error::{Error, Result};
use certificate::Certificate;

/// Reads one key or certificate in DER; a certificate gives its public key with `x5c` and
/// `x5t#S256`.
pub fn read_der(document: &[u8]) -> Result<Members<'static>> {
    if der::kind(document) != Some(der::Kind::Certificate) {
        return der::read(document);
    }
    let broken = || Error::invalid("a certificate that does not parse");
    let certificate = Certificate::parse(document).ok_or_else(broken)?;
    let mut members = certificate.public_key()?;
    certificate::attach(&[certificate], &mut members);
    Ok(members)
}
