//! Writes keys as DER and PEM: PKCS#8, SubjectPublicKeyInfo, PKCS#1 and SEC1. The submodules write
//! encrypted PKCS#8, PKCS#12, OpenSSH and certificates.

pub mod distinguished_name;
mod encrypted;
pub mod openssh;
mod pkcs12;
pub mod self_signed;

pub use encrypted::encrypted_pkcs8;
pub use pkcs12::{check_pkcs12, pkcs12};

use crate::error::{Error, Result};
use crate::key::base64url;
use crate::key::curve::{Curve, Form};
use crate::key::key_type::Kty;
use crate::key::members::Members;
use crate::key::ml_dsa;
use crate::key::openssl_key::public_key;
use crate::key::rsa;
use crate::secret::Secret;
use josekit::jwk::Jwk;
use josekit::jwk::alg::{ec::EcKeyPair, ecx::EcxKeyPair, ed::EdKeyPair, rsa::RsaKeyPair};
use openssl::error::ErrorStack;
use pem::{EncodeConfig, LineEnding, Pem};

/// The DER of a key and its PEM label (RFC 7468).
pub struct Document {
    /// The PEM label, such as `PRIVATE KEY`.
    pub label: &'static str,
    der: Secret<Vec<u8>>,
}

impl Document {
    fn new(label: &'static str, der: Vec<u8>) -> Self {
        Document {
            label,
            der: Secret::new(der),
        }
    }

    /// Returns the DER, which is secret if the key is private.
    pub fn der(&self) -> &[u8] {
        self.der.expose()
    }

    /// Encodes the document as PEM, with lines of 64 characters.
    pub fn to_pem(&self) -> String {
        let config = EncodeConfig::new().set_line_ending(LineEnding::LF);
        pem::encode_config(&Pem::new(self.label, self.der()), config)
    }
}

/// Writes the public key as SubjectPublicKeyInfo (RFC 5280 section 4.1.2.7). Returns an error for
/// symmetric keys.
pub fn spki(members: &Members) -> Result<Document> {
    if let Some(set) = ml_dsa::of(members) {
        let der = set.spki(&number(members, "pub")?)?;
        return Ok(Document::new("PUBLIC KEY", der));
    }
    let der = public_key(members)?
        .public_key_to_der()
        .map_err(openssl_failed)?;
    Ok(Document::new("PUBLIC KEY", der))
}

/// Writes the private key as PKCS#8 (RFC 5958, version 1). Returns an error for symmetric keys.
pub fn pkcs8(members: &Members) -> Result<Document> {
    if let Some(set) = ml_dsa::of(members) {
        let seed = Secret::new(number(members, "priv")?);
        let der = set.pkcs8(seed.expose())?;
        return Ok(Document::new("PRIVATE KEY", der));
    }
    let jwk = to_jwk(members)?;
    // josekit writes EC keys as SEC1 in DER, but as PKCS#8 in PEM.
    let curve = members.string("crv").and_then(|crv| Curve::named(&crv));
    let pem = match (members.kty(), curve.map(|curve| curve.form)) {
        (Some(Kty::Rsa), _) => RsaKeyPair::from_jwk(&jwk).map(|pair| pair.to_pem_private_key()),
        (Some(Kty::Ec), _) => EcKeyPair::from_jwk(&jwk).map(|pair| pair.to_pem_private_key()),
        (Some(Kty::Okp), Some(Form::Montgomery { .. })) => {
            EcxKeyPair::from_jwk(&jwk).map(|pair| pair.to_pem_private_key())
        }
        (Some(Kty::Okp), Some(Form::Edwards { .. })) => {
            EdKeyPair::from_jwk(&jwk).map(|pair| pair.to_pem_private_key())
        }
        (Some(Kty::Okp), Some(Form::Weierstrass { .. }) | None)
        | (Some(Kty::Oct | Kty::Akp) | None, _) => return Err(no_form(members, "PKCS#8")),
    };
    let pem = Secret::new(pem.map_err(not_written)?);
    let der = pem::parse(pem.expose())
        .map_err(|error| Error::failed("the private key cannot be written").cause(error))?;
    Ok(Document::new("PRIVATE KEY", der.into_contents()))
}

/// Writes the RSA key as PKCS#1 (RFC 8017 appendix A.1). Returns an error for keys of other types.
pub fn pkcs1(members: &Members, private: bool) -> Result<Document> {
    if members.kty() != Some(Kty::Rsa) {
        return Err(no_form(members, "PKCS#1"));
    }
    if private {
        let pair = RsaKeyPair::from_jwk(&to_jwk(members)?).map_err(not_written)?;
        return Ok(Document::new("RSA PRIVATE KEY", pair.to_raw_private_key()));
    }
    let der = public_key(members)?
        .rsa()
        .and_then(|rsa| rsa.public_key_to_der_pkcs1());
    Ok(Document::new(
        "RSA PUBLIC KEY",
        der.map_err(openssl_failed)?,
    ))
}

/// Writes the EC private key as SEC1 (RFC 5915). Returns an error for keys of other types.
pub fn sec1(members: &Members) -> Result<Document> {
    if members.kty() != Some(Kty::Ec) {
        return Err(no_form(members, "SEC1"));
    }
    let pair = EcKeyPair::from_jwk(&to_jwk(members)?).map_err(not_written)?;
    Ok(Document::new("EC PRIVATE KEY", pair.to_raw_private_key()))
}

/// Decodes a base64url member.
fn number(members: &Members, name: &str) -> Result<Vec<u8>> {
    let text = members.string(name).unwrap_or_default();
    base64url::decode(&text).map_err(|_| Error::invalid(format!("{name} is not base64url")))
}

fn no_form(members: &Members, form: &str) -> Error {
    let kty = members.string("kty").unwrap_or_default();
    Error::refused(format!("{kty} keys have no {form} form")).hint("use --to jwk or --to jwks")
}

fn openssl_failed(error: ErrorStack) -> Error {
    Error::failed("OpenSSL cannot write the key").cause(error)
}

fn not_written(error: josekit::JoseError) -> Error {
    Error::failed("the private key cannot be written").cause(error)
}

/// Converts a key for josekit. RSA numbers that the key leaves out are computed.
pub(crate) fn to_jwk(members: &Members) -> Result<Jwk> {
    let mut map = serde_json::Map::new();
    for name in [
        "kty", "crv", "x", "y", "n", "e", "d", "p", "q", "dp", "dq", "qi",
    ] {
        if let Some(value) = members.string(name) {
            map.insert(name.into(), value.into_owned().into());
        }
    }
    if members.kty() == Some(Kty::Rsa) && !members.has("dp") {
        let number = |name| number(members, name);
        let recovered = rsa::recover(&number("n")?, &number("e")?, &number("d")?);
        let recovered = recovered.map_err(openssl_failed)?;
        let crt = recovered.ok_or_else(|| Error::invalid("d does not belong to n and e"))?;
        for (name, value) in rsa::CRT.iter().zip(crt) {
            map.insert((*name).into(), base64url::encode(value).into());
        }
    }
    Jwk::from_map(map).map_err(not_written)
}
