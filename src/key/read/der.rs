//! Reads one key in DER: PKCS#8 (RFC 5958), PKCS#1 (RFC 8017), SEC1 (RFC 5915) or
//! SubjectPublicKeyInfo (RFC 5280). The kind is detected from the structure.

use crate::error::{Error, Result};
use crate::key::base64url::encode;
use crate::key::curve::Curve;
use crate::key::members::Members;
use crate::key::ml_dsa::ParameterSet;
use crate::key::openssl_key::{self, Point};
use crate::key::read::asn1::children;
use crate::key::read::elliptic::{elliptic, elliptic_private, mismatch};
use crate::key::read::pkcs8::PrivateKeyInfo;
use pkcs1::{RsaPrivateKey, RsaPssParamsOwned, RsaPublicKeyRef};
use pkcs8::der::asn1::{AnyRef, BitStringRef, ObjectIdentifier, UintRef};
use pkcs8::der::{Decode, Tag};
use pkcs8::spki::{AlgorithmIdentifierRef, SubjectPublicKeyInfoRef};
use sec1::EcPrivateKey;

/// The kind of a DER document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// PKCS#8 PrivateKeyInfo, version 1 or 2.
    Pkcs8,
    /// PKCS#8 EncryptedPrivateKeyInfo.
    EncryptedPkcs8,
    /// PKCS#1 RSAPrivateKey.
    Pkcs1Private,
    /// PKCS#1 RSAPublicKey.
    Pkcs1Public,
    /// SEC1 ECPrivateKey.
    Sec1,
    /// SubjectPublicKeyInfo.
    Spki,
    /// An X.509 certificate.
    Certificate,
    /// A PKCS#10 certification request.
    Request,
    /// A PKCS#12 keystore.
    Pkcs12,
    /// A PKCS#7 bundle.
    Pkcs7,
}

impl Kind {
    /// Returns true if documents of this kind hold a private key.
    pub fn is_private(self) -> bool {
        use Kind::{EncryptedPkcs8, Pkcs1Private, Pkcs8, Pkcs12, Sec1};
        matches!(self, Pkcs8 | EncryptedPkcs8 | Pkcs1Private | Sec1 | Pkcs12)
    }

    /// Returns the name of the kind, with its article.
    pub fn description(self) -> &'static str {
        match self {
            Kind::Pkcs8 => "a PKCS#8 private key",
            Kind::EncryptedPkcs8 => "an encrypted PKCS#8 key",
            Kind::Pkcs1Private => "a PKCS#1 RSA private key",
            Kind::Pkcs1Public => "a PKCS#1 RSA public key",
            Kind::Sec1 => "a SEC1 EC private key",
            Kind::Spki => "a public key",
            Kind::Certificate => "a certificate",
            Kind::Request => "a certification request",
            Kind::Pkcs12 => "a PKCS#12 keystore",
            Kind::Pkcs7 => "a PKCS#7 bundle",
        }
    }
}

/// Detects the kind of a document. Returns `None` if it is not strict DER or none of the kinds.
pub fn kind(der: &[u8]) -> Option<Kind> {
    let outer = AnyRef::from_der(der).ok()?;
    let children = children(&outer)?;
    let tags: Vec<Tag> = children.iter().map(|child| child.header().tag()).collect();
    let version = || children[0].decode_as::<u8>().ok();
    use Tag::{BitString, Integer, ObjectIdentifier, OctetString, Sequence};
    Some(match tags[..] {
        [ObjectIdentifier, Tag::ContextSpecific { .. }] => Kind::Pkcs7,
        [Integer, Sequence, OctetString, ..] => Kind::Pkcs8,
        [Integer, OctetString, ..] => Kind::Sec1,
        [Integer, Integer] => Kind::Pkcs1Public,
        [Integer, Integer, Integer, ..] => Kind::Pkcs1Private,
        [Integer, Sequence, ..] if version() == Some(3) => Kind::Pkcs12,
        [Sequence, BitString] => Kind::Spki,
        [Sequence, OctetString] => Kind::EncryptedPkcs8,
        [Sequence, Sequence, BitString] => match children_tags(&children[0]).first()? {
            Integer if children_tags(&children[0]).len() <= 4 => Kind::Request,
            _ => Kind::Certificate,
        },
        _ => return None,
    })
}

fn children_tags(outer: &AnyRef) -> Vec<Tag> {
    let children = children(outer).unwrap_or_default();
    children.iter().map(|child| child.header().tag()).collect()
}

/// Reads an unencrypted key. Returns an error for other documents, which names their kind.
pub fn read(der: &[u8]) -> Result<Members<'static>> {
    let Some(kind) = kind(der) else {
        // Some writers of keystores use BER, which allows an indefinite length.
        if der.starts_with(&[0x30, 0x80]) {
            return Err(Error::invalid("BER is not supported, only DER")
                .hint("convert it: openssl pkcs12 -in FILE -nodes, or openssl pkcs7 -inform DER -in FILE -print_certs; then pass it to `jwks set SET -`"));
        }
        return Err(Error::invalid("not a key, certificate or keystore in DER"));
    };
    match kind {
        Kind::Pkcs8 => pkcs8(&PrivateKeyInfo::parse(der)?),
        Kind::Pkcs1Private => rsa_private(der),
        Kind::Pkcs1Public => rsa_public(der),
        Kind::Sec1 => sec1(der, None),
        Kind::Spki => spki(&SubjectPublicKeyInfoRef::from_der(der).map_err(broken("public key"))?),
        Kind::EncryptedPkcs8 | Kind::Pkcs12 | Kind::Pkcs7 | Kind::Certificate | Kind::Request => {
            Err(Error::invalid(format!(
                "it is {}, not a key",
                kind.description()
            )))
        }
    }
}

/// An error of the DER parsers, as the cause of an [`Error`].
#[derive(Debug)]
struct DerError(pkcs8::der::Error);

impl std::fmt::Display for DerError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for DerError {}

fn broken(what: &'static str) -> impl Fn(pkcs8::der::Error) -> Error {
    move |error| Error::invalid(format!("invalid {what}")).cause(DerError(error))
}

const RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
const RSA_PSS: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.10");
const EC: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");

/// The hashes in RSA-PSS parameters and their `alg` (RFC 8017 appendix A.2.3).
const PSS_HASHES: &[(ObjectIdentifier, &str)] = &[
    (
        ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.1"),
        "PS256",
    ),
    (
        ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.2"),
        "PS384",
    ),
    (
        ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.3"),
        "PS512",
    ),
];

fn named_curve(oid: &ObjectIdentifier) -> Result<&'static Curve> {
    Curve::ec_of_oid(oid).ok_or_else(|| {
        Error::invalid(format!("unsupported curve {oid}"))
            .hint("curves: P-256, P-384, P-521, secp256k1")
    })
}

fn no_jwk_form(oid: &ObjectIdentifier) -> Error {
    let name = match oid.to_string().as_str() {
        "1.2.840.10040.4.1" => "DSA keys".into(),
        "1.2.840.113549.1.3.1" | "1.2.840.10046.2.1" => "Diffie-Hellman keys".into(),
        other => format!("keys of the algorithm {other}"),
    };
    Error::invalid(format!("{name} have no JWK form"))
}

fn curve_of(algorithm: &AlgorithmIdentifierRef) -> Result<&'static Curve> {
    let parameters = algorithm
        .parameters
        .map(|any| any.decode_as::<ObjectIdentifier>());
    match parameters {
        Some(Ok(oid)) => named_curve(&oid),
        _ => Err(Error::invalid("the EC key has no named curve")
            .hint("convert the key: openssl ec -in KEY -param_enc named_curve -out NEW")),
    }
}

fn pkcs8(key: &PrivateKeyInfo) -> Result<Members<'static>> {
    let oid = key.algorithm.oid;
    if oid == RSA || oid == RSA_PSS {
        let mut members = rsa_private(key.octets)?;
        set_pss_algorithm(&key.algorithm, &mut members);
        return Ok(members);
    }
    if oid == EC {
        return sec1(key.octets, Some(curve_of(&key.algorithm)?));
    }
    if let Some(set) = ParameterSet::of_oid(&oid) {
        return set.read_private(key.octets);
    }
    let curve = Curve::okp_of_oid(&oid).ok_or_else(|| no_jwk_form(&oid))?;
    key.okp(curve)
}

fn spki(key: &SubjectPublicKeyInfoRef) -> Result<Members<'static>> {
    let oid = key.algorithm.oid;
    let octets = bits(&key.subject_public_key)?;
    if oid == RSA || oid == RSA_PSS {
        let mut members = rsa_public(octets)?;
        set_pss_algorithm(&key.algorithm, &mut members);
        return Ok(members);
    }
    if oid == EC {
        let curve = curve_of(&key.algorithm)?;
        return Ok(elliptic(
            curve,
            &openssl_key::point_from_octets(curve, octets)?,
            None,
        ));
    }
    if let Some(set) = ParameterSet::of_oid(&oid) {
        return Ok(set.public(octets));
    }
    let curve = Curve::okp_of_oid(&oid).ok_or_else(|| no_jwk_form(&oid))?;
    let point = Point {
        x: octets.to_vec(),
        y: None,
    };
    Ok(elliptic(curve, &point, None))
}

fn bits<'a>(bits: &BitStringRef<'a>) -> Result<&'a [u8]> {
    let octets = bits.as_bytes();
    octets.ok_or_else(|| Error::invalid("the length of the public key is not a multiple of 8 bits"))
}

/// Sets `alg` if the parameters of an RSA-PSS key fix its hash, because the key then fits only that
/// algorithm (RFC 4055 section 3.1).
fn set_pss_algorithm(algorithm: &AlgorithmIdentifierRef, members: &mut Members) {
    let parameters = algorithm.parameters.filter(|_| algorithm.oid == RSA_PSS);
    if let Some(alg) = parameters.and_then(pss_algorithm) {
        members.set_text("alg", alg);
    }
}

fn pss_algorithm(parameters: AnyRef) -> Option<&'static str> {
    let parameters = parameters.decode_as::<RsaPssParamsOwned>().ok()?;
    let mut hashes = PSS_HASHES.iter();
    let (_, alg) = hashes.find(|(oid, _)| *oid == parameters.hash.oid)?;
    Some(alg)
}

fn rsa_private(der: &[u8]) -> Result<Members<'static>> {
    let key = RsaPrivateKey::<UintRef>::from_der(der).map_err(broken("PKCS#1 RSA private key"))?;
    if key.other_prime_infos.is_some() {
        return Err(Error::invalid(
            "RSA keys with more than two primes are not supported",
        ));
    }
    let mut members = rsa(&key.modulus, &key.public_exponent);
    for (name, number) in [
        ("d", &key.private_exponent),
        ("p", &key.prime1),
        ("q", &key.prime2),
        ("dp", &key.exponent1),
        ("dq", &key.exponent2),
        ("qi", &key.coefficient),
    ] {
        members.set_text(name, &encode(number.as_bytes()));
    }
    Ok(members)
}

fn rsa_public(der: &[u8]) -> Result<Members<'static>> {
    let key = RsaPublicKeyRef::from_der(der).map_err(broken("PKCS#1 RSA public key"))?;
    Ok(rsa(&key.modulus, &key.public_exponent))
}

fn rsa(n: &UintRef, e: &UintRef) -> Members<'static> {
    let mut members = Members::default();
    members.set_text("kty", "RSA");
    members.set_text("n", &encode(n.as_bytes()));
    members.set_text("e", &encode(e.as_bytes()));
    members
}

/// Reads a SEC1 key. The curve can be in the key or outside of it, as in PKCS#8.
fn sec1(der: &[u8], outside: Option<&'static Curve>) -> Result<Members<'static>> {
    let key = EcPrivateKey::from_der(der).map_err(broken("SEC1 EC private key"))?;
    let inside = key
        .parameters
        .and_then(|parameters| parameters.named_curve());
    let inside = inside.map(|oid| named_curve(&oid)).transpose()?;
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
    let d = key.private_key;
    let start = d.iter().position(|octet| *octet != 0).unwrap_or(d.len());
    let mut padded = vec![0; curve.octets.saturating_sub(d.len() - start)];
    padded.extend_from_slice(&d[start..]);
    let members = elliptic_private(curve, &padded)?;
    if let Some(public) = key.public_key {
        let public = elliptic(curve, &openssl_key::point_from_octets(curve, public)?, None);
        if public.raw("x") != members.raw("x") || public.raw("y") != members.raw("y") {
            return Err(mismatch());
        }
    }
    Ok(members)
}
