//! OpenSSL keys and points, created from numbers that have been checked.

use crate::error::{Error, Result};
use crate::key::base64url;
use crate::key::curve::{Curve, Form};
use crate::key::key_type::Kty;
use crate::key::members::Members;
use crate::secret::Secret;
use openssl::bn::{BigNum, BigNumContext, BigNumContextRef};
use openssl::ec::{EcGroup, EcKey, EcPoint, EcPointRef};
use openssl::error::ErrorStack;
use openssl::pkey::{Id, PKey, Private, Public};
use openssl::rsa::Rsa;

/// The public key on a curve. EC keys have big-endian coordinates of full length. OKP keys have the
/// encoding of RFC 8032 or RFC 7748.
pub struct Point {
    /// The x coordinate, or the whole public key of an OKP curve.
    pub x: Vec<u8>,
    /// The y coordinate; `None` for OKP keys.
    pub y: Option<Vec<u8>>,
}

/// The elliptic group of an EC curve, or the identifier of an OKP key.
enum Group {
    Ec(EcGroup),
    Okp(Id),
}

fn group(curve: &Curve) -> Result<Group, ErrorStack> {
    Ok(match curve.form {
        Form::Weierstrass { nid, .. } => Group::Ec(EcGroup::from_curve_name(nid)?),
        Form::Edwards { id, .. } | Form::Montgomery { id, .. } => Group::Okp(id),
    })
}

fn openssl_failed(error: ErrorStack) -> Error {
    Error::failed("OpenSSL cannot compute with the key").cause(error)
}

/// Computes the public key of a private key. `d` is big-endian for EC keys, and the bytes of RFC 8032
/// or RFC 7748 for OKP keys. Returns an error if it does not have the length of the curve or is out of
/// range.
pub fn public_from_private(curve: &Curve, d: &[u8]) -> Result<Point> {
    if d.len() != curve.octets {
        let (found, needed) = (d.len(), curve.octets);
        let message = format!("the private key has {found} bytes, not {needed}");
        return Err(Error::invalid(message));
    }
    if let Some(equation) = curve.equation()
        && !equation.is_private_scalar(d)
    {
        return Err(Error::invalid(format!(
            "the private key is out of range for {}",
            curve.name
        )));
    }
    let compute = || match group(curve)? {
        Group::Okp(id) => Ok(Point {
            x: PKey::private_key_from_raw_bytes(d, id)?.raw_public_key()?,
            y: None,
        }),
        Group::Ec(group) => {
            let mut ctx = BigNumContext::new()?;
            let mut scalar = BigNum::from_slice(d)?;
            scalar.set_const_time();
            let mut point = EcPoint::new(&group)?;
            point.mul_generator2(&group, &scalar, &mut ctx)?;
            affine(curve, &group, &point, &mut ctx)
        }
    };
    compute().map_err(openssl_failed)
}

fn affine(
    curve: &Curve,
    group: &EcGroup,
    point: &EcPointRef,
    ctx: &mut BigNumContextRef,
) -> Result<Point, ErrorStack> {
    let (mut x, mut y) = (BigNum::new()?, BigNum::new()?);
    point.affine_coordinates(group, &mut x, &mut y, ctx)?;
    let octets = curve.octets as i32;
    Ok(Point {
        x: x.to_vec_padded(octets)?,
        y: Some(y.to_vec_padded(octets)?),
    })
}

/// Reads an EC point in any form of SEC 1 section 2.3.4, including compressed points. Returns an error
/// if it is not on the curve.
pub fn point_from_octets(curve: &Curve, octets: &[u8]) -> Result<Point> {
    let off_curve = || Error::invalid(format!("the public key is not a point on {}", curve.name));
    let Ok(Group::Ec(group)) = group(curve) else {
        return Err(off_curve());
    };
    let read = || {
        let mut ctx = BigNumContext::new()?;
        let point = EcPoint::from_bytes(&group, octets, &mut ctx)?;
        affine(curve, &group, &point, &mut ctx)
    };
    read().map_err(|_: ErrorStack| off_curve())
}

/// Creates the OpenSSL key of a JWK whose public part has been checked. Returns an error for symmetric
/// and AKP keys.
pub fn public_key(members: &Members) -> Result<PKey<Public>> {
    let number = |name: &str| {
        let text = members.string(name).unwrap_or_default();
        base64url::decode(&text)
            .map_err(|_| Error::invalid(format!("the member {name} is missing or not base64url")))
    };
    let curve = members.string("crv").and_then(|crv| Curve::named(&crv));
    match (members.kty(), curve) {
        (Some(Kty::Rsa), _) => {
            let (n, e) = (number("n")?, number("e")?);
            rsa_public(&n, &e).map_err(openssl_failed)
        }
        (Some(Kty::Ec), Some(curve)) => {
            let mut octets = vec![4];
            octets.extend(number("x")?);
            octets.extend(number("y")?);
            ec_public(curve, &octets).map_err(openssl_failed)
        }
        (Some(Kty::Okp), Some(curve)) => match group(curve) {
            Ok(Group::Okp(id)) => {
                PKey::public_key_from_raw_bytes(&number("x")?, id).map_err(openssl_failed)
            }
            Ok(Group::Ec(_)) => Err(Error::invalid("the curve is of another kty")),
            Err(error) => Err(openssl_failed(error)),
        },
        (Some(Kty::Ec | Kty::Okp), None) | (Some(Kty::Oct | Kty::Akp) | None, _) => {
            Err(Error::invalid("the key has no public form"))
        }
    }
}

fn rsa_public(n: &[u8], e: &[u8]) -> Result<PKey<Public>, ErrorStack> {
    PKey::from_rsa(Rsa::from_public_components(
        BigNum::from_slice(n)?,
        BigNum::from_slice(e)?,
    )?)
}

/// Creates the private EC key of a JWK whose material has been checked. Works without the decoders of OpenSSL, which
/// would take a third of a short run. Returns an error for keys of other types.
pub fn ec_private_key(members: &Members) -> Result<EcKey<Private>> {
    let number = |name: &str| {
        let text = members.string(name).unwrap_or_default();
        base64url::decode(&text)
            .map(Secret::new)
            .map_err(|_| Error::invalid(format!("the member {name} is missing or not base64url")))
    };
    let (x, y, d) = (number("x")?, number("y")?, number("d")?);
    let curve = members.string("crv").and_then(|crv| Curve::named(&crv));
    let Some(Ok(Group::Ec(group))) = curve.map(group) else {
        return Err(Error::invalid("the key is not on an EC curve"));
    };
    let create = || {
        let mut ctx = BigNumContext::new()?;
        let octets = [&[4], &x.expose()[..], &y.expose()[..]].concat();
        let point = EcPoint::from_bytes(&group, &octets, &mut ctx)?;
        let mut scalar = BigNum::new_secure()?;
        scalar.copy_from_slice(d.expose())?;
        scalar.set_const_time();
        EcKey::from_private_components(&group, &scalar, &point)
    };
    create().map_err(openssl_failed)
}

fn ec_public(curve: &Curve, octets: &[u8]) -> Result<PKey<Public>, ErrorStack> {
    let Group::Ec(group) = group(curve)? else {
        return Err(ErrorStack::get());
    };
    let mut ctx = BigNumContext::new()?;
    let point = EcPoint::from_bytes(&group, octets, &mut ctx)?;
    PKey::from_ec_key(EcKey::from_public_key(&group, &point)?)
}
