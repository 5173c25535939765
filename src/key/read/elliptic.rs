//! Creates the members of keys on a curve.

use crate::error::{Error, Result};
use crate::key::base64url::encode;
use crate::key::curve::Curve;
use crate::key::members::Members;
use crate::key::openssl_key::{self, Point};

/// Creates the members of a private key `d` (big-endian for EC keys) and computes its public key.
/// Returns an error if `d` has the wrong length or is out of range.
pub(super) fn elliptic_private(curve: &'static Curve, d: &[u8]) -> Result<Members<'static>> {
    let public = openssl_key::public_from_private(curve, d)?;
    Ok(elliptic(curve, &public, Some(d)))
}

/// Creates the members of a key from its public point and its private number, if there is one.
pub(super) fn elliptic(
    curve: &'static Curve,
    public: &Point,
    d: Option<&[u8]>,
) -> Members<'static> {
    let mut members = Members::default();
    members.set_text("kty", curve.kty);
    members.set_text("crv", curve.name);
    members.set_text("x", &encode(&public.x));
    if let Some(y) = &public.y {
        members.set_text("y", &encode(y));
    }
    if let Some(d) = d {
        members.set_text("d", &encode(d));
    }
    members
}

/// Returns the error for a private key with the public key of another.
pub(super) fn mismatch() -> Error {
    Error::invalid("the public part of the private key belongs to another key")
}
