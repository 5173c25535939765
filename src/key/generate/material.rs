//! Generates the key material: with josekit, and with OpenSSL for ML-DSA.

use crate::error::{Error, Result};
use crate::key::base64url;
use crate::key::curve::{Curve, Form};
use crate::key::members::Members;
use crate::key::ml_dsa;
use crate::key::read::der;
use crate::secret::Secret;
use josekit::JoseError;
use josekit::jwk::alg::ec::EcKeyPair;
use josekit::jwk::alg::ecx::EcxKeyPair;
use josekit::jwk::alg::ed::EdKeyPair;
use josekit::jwk::alg::rsa::RsaKeyPair;
use josekit::jwk::{Jwk, KeyPair as _};

/// A kind of key and its size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Material {
    Rsa { bits: u32 },
    Curve(&'static Curve),
    Oct { bits: u32 },
    MlDsa(&'static str),
}

impl Material {
    /// Returns the `kty` of the key.
    pub fn kty(&self) -> &'static str {
        match self {
            Material::Rsa { .. } => "RSA",
            Material::Curve(curve) => curve.kty,
            Material::Oct { .. } => "oct",
            Material::MlDsa(_) => "AKP",
        }
    }

    /// Returns the curve of the key, if it is on one.
    pub fn curve(&self) -> Option<&'static Curve> {
        match self {
            Material::Curve(curve) => Some(curve),
            Material::Rsa { .. } | Material::Oct { .. } | Material::MlDsa(_) => None,
        }
    }

    /// Generates the members of a key: `kty`, public part and private part.
    pub fn generate(&self) -> Result<Members<'static>> {
        match *self {
            Material::Oct { bits } => generate_oct(bits),
            // josekit returns DER, which is parsed as strictly as foreign DER.
            Material::Rsa { bits } => {
                read(RsaKeyPair::generate(bits), |pair| pair.to_raw_private_key())
            }
            Material::Curve(curve) => generate_on(curve),
            Material::MlDsa(name) => ml_dsa::generate(name),
        }
    }
}

fn generate_on(curve: &Curve) -> Result<Members<'static>> {
    match curve.form {
        Form::Weierstrass { generator, .. } => read(EcKeyPair::generate(generator), |pair| {
            pair.to_raw_private_key()
        }),
        Form::Edwards { generator, .. } => read(EdKeyPair::generate(generator), |pair| {
            pair.to_der_private_key()
        }),
        Form::Montgomery { generator, .. } => read(EcxKeyPair::generate(generator), |pair| {
            pair.to_der_private_key()
        }),
    }
}

fn read<P>(
    pair: Result<P, JoseError>,
    to_der: impl FnOnce(&P) -> Vec<u8>,
) -> Result<Members<'static>> {
    let pair = pair.map_err(not_generated)?;
    der::read(Secret::new(to_der(&pair)).expose())
}

fn generate_oct(bits: u32) -> Result<Members<'static>> {
    // The plan allows at most 255 bytes.
    let octets = (bits / 8).min(255) as u8;
    let jwk = Jwk::generate_oct_key(octets).map_err(not_generated)?;
    let k = jwk.key_value().unwrap_or_default();
    let mut members = Members::default();
    members.set_text("kty", "oct");
    members.set_text("k", &base64url::encode(k));
    Ok(members)
}

fn not_generated(error: JoseError) -> Error {
    Error::failed("cannot generate a key").cause(error)
}
