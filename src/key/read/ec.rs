//! Reads EC private keys (SEC 1, RFC 5915) and the parameters that name their curve (RFC 5480 section
//! 2.1.1).
//!
//! Parameters that spell out a curve are read if they are those of a named one. Each of their numbers is
//! compared: with another generator, anybody can make the private key of a given public key
//! (CVE-2020-0601).

use crate::error::{Error, Result};
use crate::key::curve::Curve;
use crate::key::members::Members;
use crate::key::openssl_key::{point_from_octets, public_from_private};
use crate::key::read::asn1::{children, name};
use crate::key::read::elliptic::{elliptic, elliptic_private, mismatch};
use crate::secret::Secret;
use pkcs8::der::asn1::{AnyRef, BitStringRef, ObjectIdentifier, OctetStringRef, UintRef};
use pkcs8::der::{Decode as _, Tag, Tagged as _};

const PRIME_FIELD: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.1.1");

const CURVES: &str = "curves: P-256, P-384, P-521, secp256k1";

fn broken() -> Error {
    Error::invalid("invalid SEC1 EC private key")
}

/// Reads a SEC1 key. The curve can be in the key or outside of it, as in PKCS#8.
pub(super) fn sec1(der: &[u8], outside: Option<&'static Curve>) -> Result<Members<'static>> {
    let outer = AnyRef::from_der(der).map_err(|_| broken())?;
    let fields = children(&outer).ok_or_else(broken)?;
    let [version, private, others @ ..] = &fields[..] else {
        return Err(broken());
    };
    if version.decode_as::<u8>() != Ok(1) {
        return Err(broken());
    }
    let private = private.decode_as::<&OctetStringRef>();
    let private = private.map_err(|_| broken())?.as_bytes();
    let (mut inside, mut public) = (None, None);
    for field in others {
        let inner = AnyRef::from_der(field.value()).map_err(|_| broken())?;
        match field.tag() {
            Tag::ContextSpecific { number, .. } if number.value() == 0 && inside.is_none() => {
                inside = Some(curve_of(Some(&inner))?);
            }
            Tag::ContextSpecific { number, .. } if number.value() == 1 && public.is_none() => {
                let bits = inner.decode_as::<BitStringRef>();
                public = Some(bits.ok().and_then(|it| it.as_bytes()).ok_or_else(broken)?);
            }
            _ => return Err(broken()),
        }
    }
    let curve = match (outside, inside) {
        (Some(outside), Some(inside)) if outside != inside => {
            return Err(Error::invalid(
                "the EC private key names two different curves",
            ));
        }
        (outside, inside) => outside.or(inside),
    };
    let curve = curve.ok_or_else(|| Error::invalid("the EC private key names no curve"))?;
    // Some writers omit leading zero bytes, others add one.
    let start = private.iter().take_while(|octet| **octet == 0).count();
    let digits = &private[start..];
    let zeros = curve.octets.saturating_sub(digits.len());
    let mut d = Secret::new(vec![0; zeros + digits.len()]);
    d.expose_mut()[zeros..].copy_from_slice(digits);
    let members = elliptic_private(curve, d.expose())?;
    if let Some(public) = public {
        let public = elliptic(curve, &point_from_octets(curve, public)?, None);
        if public.raw("x") != members.raw("x") || public.raw("y") != members.raw("y") {
            return Err(mismatch());
        }
    }
    Ok(members)
}

/// Returns the curve that parameters name or spell out.
pub(super) fn curve_of(parameters: Option<&AnyRef>) -> Result<&'static Curve> {
    let missing = || Error::invalid("the EC key names no curve");
    let parameters = parameters.ok_or_else(missing)?;
    match parameters.tag() {
        Tag::ObjectIdentifier => {
            let oid = parameters.decode_as().map_err(|_| missing())?;
            Curve::ec_of_oid(&oid).ok_or_else(|| {
                Error::invalid(format!("unsupported curve {}", name(&oid))).hint(CURVES)
            })
        }
        Tag::Sequence => explicit(parameters),
        _ => Err(missing()),
    }
}

/// Returns the curve that SpecifiedECDomain spells out (SEC 1 appendix C.2).
fn explicit(parameters: &AnyRef) -> Result<&'static Curve> {
    let unknown = || {
        Error::invalid("the EC key spells out the parameters of an unsupported curve").hint(CURVES)
    };
    let domain = Domain::parse(parameters).ok_or_else(unknown)?;
    let curve = Curve::of_equation(domain.p, domain.a, domain.b).ok_or_else(unknown)?;
    // The generator is the public key of the private key 1.
    let mut one = vec![0; curve.octets];
    one[curve.octets - 1] = 1;
    let generator = public_from_private(curve, &one)?;
    let is_same = point_from_octets(curve, domain.base)
        .is_ok_and(|base| base.x == generator.x && base.y == generator.y);
    let has_order = curve
        .equation()
        .is_some_and(|it| it.has_order(domain.order));
    if is_same && has_order && domain.cofactor.is_none_or(|cofactor| cofactor == [1]) {
        return Ok(curve);
    }
    let message = format!(
        "the EC key spells out the parameters of {} with another generator, order or cofactor",
        curve.name
    );
    Err(Error::invalid(message)
        .hint("do not trust the key: such parameters can forge the key of another (CVE-2020-0601)"))
}

/// The numbers of a curve over a prime field, big-endian.
struct Domain<'a> {
    p: &'a [u8],
    a: &'a [u8],
    b: &'a [u8],
    base: &'a [u8],
    order: &'a [u8],
    cofactor: Option<&'a [u8]>,
}

impl<'a> Domain<'a> {
    /// Parses the parameters; `None` if they are malformed or of another field.
    fn parse(parameters: &AnyRef<'a>) -> Option<Self> {
        let fields = children(parameters)?;
        let [version, field, curve, base, order, others @ ..] = &fields[..] else {
            return None;
        };
        let (field, curve) = (children(field)?, children(curve)?);
        let ([kind, p], [a, b, ..]) = (&field[..], &curve[..]) else {
            return None;
        };
        let is_known = matches!(version.decode_as::<u8>(), Ok(1..=3));
        if !is_known || kind.decode_as() != Ok(PRIME_FIELD) {
            return None;
        }
        let cofactor = others.first().filter(|it| it.tag() == Tag::Integer);
        Some(Domain {
            p: number(p)?,
            a: octets(a)?,
            b: octets(b)?,
            base: octets(base)?,
            order: number(order)?,
            cofactor: match cofactor {
                Some(cofactor) => Some(number(cofactor)?),
                None => None,
            },
        })
    }
}

fn number<'a>(value: &AnyRef<'a>) -> Option<&'a [u8]> {
    value.decode_as::<UintRef>().ok().map(|it| it.as_bytes())
}

fn octets<'a>(value: &AnyRef<'a>) -> Option<&'a [u8]> {
    let octets = value.decode_as::<&OctetStringRef>().ok();
    octets.map(OctetStringRef::as_bytes)
}

#[cfg(test)]
mod tests {
    use crate::key::read::der;
    use openssl::bn::{BigNum, BigNumContext};
    use openssl::ec::{Asn1Flag, EcGroup, EcKey, EcPoint, PointConversionForm};
    use openssl::nid::Nid;
    use openssl::pkey::PKey;

    const CURVES: [(Nid, &str); 4] = [
        (Nid::X9_62_PRIME256V1, "P-256"),
        (Nid::SECP384R1, "P-384"),
        (Nid::SECP521R1, "P-521"),
        (Nid::SECP256K1, "secp256k1"),
    ];

    fn group(curve: Nid, flag: Asn1Flag) -> EcGroup {
        let mut group = EcGroup::from_curve_name(curve).unwrap();
        group.set_asn1_flag(flag);
        group
    }

    /// A key in SEC1, PKCS#8 and SubjectPublicKeyInfo, with the parameters of a group.
    fn documents(group: &EcGroup) -> [Vec<u8>; 3] {
        let mut ctx = BigNumContext::new().unwrap();
        let d = BigNum::from_u32(5).unwrap();
        let mut point = EcPoint::new(group).unwrap();
        point.mul_generator2(group, &d, &mut ctx).unwrap();
        let key = EcKey::from_private_components(group, &d, &point).unwrap();
        let sec1 = key.private_key_to_der().unwrap();
        let key = PKey::from_ec_key(key).unwrap();
        let pkcs8 = key.private_key_to_pkcs8().unwrap();
        [sec1, pkcs8, key.public_key_to_der().unwrap()]
    }

    #[test]
    fn parameters_of_a_named_curve_are_that_curve() {
        for (nid, name) in CURVES {
            let named = documents(&group(nid, Asn1Flag::NAMED_CURVE));
            let explicit = documents(&group(nid, Asn1Flag::EXPLICIT_CURVE));
            for (named, explicit) in named.iter().zip(&explicit) {
                assert!(explicit.len() > named.len() + 100);
                let key = der::read(explicit).unwrap();
                assert_eq!(key.string("crv").as_deref(), Some(name));
                assert!(key == der::read(named).unwrap());
            }
        }
    }

    /// Replaces bytes, which must be there.
    fn replaced(document: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
        let mut places = document.windows(from.len());
        let at = places.position(|part| part == from).unwrap();
        [&document[..at], to, &document[at + from.len()..]].concat()
    }

    #[test]
    fn changed_parameters_are_refused() {
        for (nid, name) in CURVES {
            let group = group(nid, Asn1Flag::EXPLICIT_CURVE);
            let mut ctx = BigNumContext::new().unwrap();
            let form = PointConversionForm::UNCOMPRESSED;
            let [generator, other] = [1, 2].map(|factor| {
                let mut ctx = BigNumContext::new().unwrap();
                let mut point = EcPoint::new(&group).unwrap();
                let factor = BigNum::from_u32(factor).unwrap();
                point.mul_generator2(&group, &factor, &mut ctx).unwrap();
                point.to_bytes(&group, form, &mut ctx).unwrap()
            });
            let (mut p, mut a, mut b) = (
                BigNum::new().unwrap(),
                BigNum::new().unwrap(),
                BigNum::new().unwrap(),
            );
            group
                .components_gfp(&mut p, &mut a, &mut b, &mut ctx)
                .unwrap();
            let mut order = BigNum::new().unwrap();
            group.order(&mut order, &mut ctx).unwrap();
            let octets = p.num_bytes();
            let changed = |number: &BigNum| {
                let number = number.to_vec_padded(octets).unwrap();
                let mut other = number.clone();
                *other.last_mut().unwrap() ^= 2;
                (number, other)
            };
            let order = changed(&order);
            // The cofactor follows the order.
            let with = |cofactor: &[u8]| [&order.0[..], cofactor].concat();
            let cofactor = (with(&[2, 1, 1]), with(&[2, 1, 2]));
            let is_of = format!("the parameters of {name} with another");
            for (from, to, expected) in [
                (&generator, &other, is_of.as_str()),
                (&order.0, &order.1, &is_of),
                (&cofactor.0, &cofactor.1, &is_of),
                (&changed(&p).0, &changed(&p).1, "unsupported curve"),
                (&changed(&b).0, &changed(&b).1, "unsupported curve"),
            ] {
                for document in documents(&group) {
                    let error = der::read(&replaced(&document, from, to)).err().unwrap();
                    assert!(error.to_string().contains(expected), "{name}: {error}");
                }
            }
        }
    }

    #[test]
    fn other_parameters_are_named() {
        for flag in [Asn1Flag::NAMED_CURVE, Asn1Flag::EXPLICIT_CURVE] {
            for document in documents(&group(Nid::BRAINPOOL_P256R1, flag)) {
                let error = der::read(&document).err().unwrap();
                let error = error.to_string();
                let expected = match flag {
                    Asn1Flag::NAMED_CURVE => "unsupported curve brainpoolP256r1",
                    _ => "the parameters of an unsupported curve",
                };
                assert!(error.contains(expected), "{error}");
            }
        }
    }
}
