//! Reads one key in DER: PKCS#8 (RFC 5958), PKCS#1 (RFC 8017), SEC1 (RFC 5915) or
//! SubjectPublicKeyInfo (RFC 5280). The kind is detected from the structure.

use crate::error::{Error, Result};
use crate::key::base64url::encode;
use crate::key::curve::Curve;
use crate::key::members::Members;
use crate::key::ml_dsa::ParameterSet;
use crate::key::openssl_key::{self, Point};
use crate::key::read::asn1::{children, name};
use crate::key::read::ec::{curve_of, sec1};
use crate::key::read::elliptic::elliptic;
use crate::key::read::pkcs8::PrivateKeyInfo;
use pkcs1::{RsaPrivateKey, RsaPssParamsOwned, RsaPublicKeyRef};
use pkcs8::der::asn1::{AnyRef, BitStringRef, ObjectIdentifier, UintRef};
use pkcs8::der::{Decode, Tag};
use pkcs8::spki::{AlgorithmIdentifierRef, SubjectPublicKeyInfoRef};

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
    /// The DSA private key of OpenSSL.
    Dsa,
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
        use Kind::{Dsa, EncryptedPkcs8, Pkcs1Private, Pkcs8, Pkcs12, Sec1};
        matches!(
            self,
            Pkcs8 | EncryptedPkcs8 | Pkcs1Private | Sec1 | Dsa | Pkcs12
        )
    }

    /// Returns the name of the kind, with its article.
    pub fn description(self) -> &'static str {
        match self {
            Kind::Pkcs8 => "a PKCS#8 private key",
            Kind::EncryptedPkcs8 => "an encrypted PKCS#8 key",
            Kind::Pkcs1Private => "a PKCS#1 RSA private key",
            Kind::Pkcs1Public => "a PKCS#1 RSA public key",
            Kind::Sec1 => "a SEC1 EC private key",
            Kind::Dsa => "a DSA private key",
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
        // The version, p, q, g, the public and the private key.
        [Integer, Integer, Integer, Integer, Integer, Integer] => Kind::Dsa,
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
        // BER allows an indefinite length.
        if der.starts_with(&[0x30, 0x80]) {
            return Err(Error::invalid("a key in BER is not supported, only DER")
                .hint("convert it: openssl pkey -inform DER -in FILE | jwks set SET -"));
        }
        return Err(Error::invalid("not a key, certificate or keystore in DER"));
    };
    match kind {
        Kind::Pkcs8 => pkcs8(&PrivateKeyInfo::parse(der)?),
        Kind::Pkcs1Private => rsa_private(der),
        Kind::Pkcs1Public => rsa_public(der),
        Kind::Sec1 => sec1(der, None),
        Kind::Dsa => Err(no_dsa()),
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

fn no_jwk_form(oid: &ObjectIdentifier) -> Error {
    let name = match oid.to_string().as_str() {
        "1.2.840.10040.4.1" => return no_dsa(),
        "1.2.840.113549.1.3.1" | "1.2.840.10046.2.1" => "Diffie-Hellman keys".into(),
        _ => format!("keys of the algorithm {}", name(oid)),
    };
    Error::invalid(format!("{name} have no JWK form")).hint(INSTEAD)
}

/// Returns the error for a DSA key.
pub(super) fn no_dsa() -> Error {
    Error::invalid("DSA keys have no JWK form").hint(INSTEAD)
}

/// What to use in place of a key without a JWK form.
const INSTEAD: &str = "use an RSA, EC or Ed25519 key; `jwks create SET` creates one";

fn pkcs8(key: &PrivateKeyInfo) -> Result<Members<'static>> {
    let oid = key.algorithm.oid;
    if oid == RSA || oid == RSA_PSS {
        let mut members = rsa_private(key.octets)?;
        set_pss_algorithm(&key.algorithm, &mut members);
        return Ok(members);
    }
    if oid == EC {
        return sec1(
            key.octets,
            Some(curve_of(key.algorithm.parameters.as_ref())?),
        );
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
        let curve = curve_of(key.algorithm.parameters.as_ref())?;
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
