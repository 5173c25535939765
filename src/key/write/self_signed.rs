//! Self-signed certificates (RFC 5280), for tools that only accept keys in certificates.

use crate::error::{Error, Result};
use crate::key::algorithm::{Algorithm, Use};
use crate::key::certificate::{Certificate, Validity};
use crate::key::curve::{Curve, Form};
use crate::key::key_type::Kty;
use crate::key::members::Members;
use crate::key::write;
use openssl::error::ErrorStack;
use openssl::hash::MessageDigest;
use openssl::pkey::{PKey, Private};
use openssl::rand::rand_bytes;
use openssl::rsa::Padding;
use openssl::sign::{RsaPssSaltlen, Signer};
use pkcs1::{RsaPssParams, TrailerField};
use sha2::{Digest as _, Sha256};
use signature::Keypair;
use std::time::Duration;
use x509_cert::TbsCertificate;
use x509_cert::builder::profile::BuilderProfile;
use x509_cert::builder::{self, Builder as _, CertificateBuilder};
use x509_cert::der::asn1::{
    Any, AnyRef, BitString, GeneralizedTime, ObjectIdentifier, OctetString,
};
use x509_cert::der::{self, Decode as _, Encode as _};
use x509_cert::ext::pkix::{BasicConstraints, KeyUsage, KeyUsages, SubjectKeyIdentifier};
use x509_cert::ext::{Extension, ToExtension as _};
use x509_cert::name::Name;
use x509_cert::serial_number::SerialNumber;
use x509_cert::spki::{
    self, AlgorithmIdentifier, AlgorithmIdentifierOwned, DynSignatureAlgorithmIdentifier,
    EncodePublicKey, SubjectPublicKeyInfoOwned, SubjectPublicKeyInfoRef,
};
use x509_cert::time::Time;

/// Creates a self-signed certificate for a private key. It is not for a CA. `subject` is in DER.
/// The serial number is random and has 20 bytes.
///
/// Returns an error if the key cannot sign, if the dates are not in order, or if a date is after the
/// year 9999.
pub fn self_signed(members: &Members, subject: &[u8], validity: Validity) -> Result<Certificate> {
    let scheme = scheme(members)?;
    let spki = write::spki(members)?.der().to_vec();
    let key = PKey::private_key_from_pkcs8(write::pkcs8(members)?.der()).map_err(not_signed)?;
    let mut serial = [0; 20];
    rand_bytes(&mut serial).map_err(not_signed)?;
    // The number must be positive and have its full length.
    serial[0] = serial[0] & 0x7f | 0x40;
    let profile = Profile {
        subject: Name::from_der(subject).map_err(not_built)?,
        usage: key_usage(members),
    };
    let pair = Pair {
        spki,
        algorithm: scheme.algorithm.clone(),
    };
    let mut builder = CertificateBuilder::new(
        profile,
        SerialNumber::new(&serial).map_err(not_built)?,
        in_asn1(validity)?,
        SubjectPublicKeyInfoOwned::from_der(&pair.spki).map_err(not_built)?,
    )
    .map_err(not_built)?;
    let signed = builder.finalize(&pair).map_err(not_built)?;
    let signature = sign(&key, &scheme, &signed).map_err(not_signed)?;
    let signature = BitString::from_bytes(&signature).map_err(not_built)?;
    let certificate = builder.assemble(signature, &pair).map_err(not_built)?;
    let der = certificate.to_der().map_err(not_built)?;
    let broken = || Error::failed("the new certificate does not parse");
    Certificate::parse(&der).ok_or_else(broken)
}

/// Returns true if a key can sign certificates.
pub fn can_sign(members: &Members) -> bool {
    scheme(members).is_ok()
}

fn not_signed(error: ErrorStack) -> Error {
    Error::failed("OpenSSL cannot sign the certificate").cause(error)
}

fn not_built(error: impl std::fmt::Display) -> Error {
    Error::failed(format!("the certificate cannot be built: {error}"))
}

/// The properties of a self-signed certificate that the certificate of the next key has, too.
#[derive(Clone, PartialEq)]
pub struct Model {
    /// The subject, in DER.
    subject: Vec<u8>,
    /// The validity in seconds.
    seconds: i64,
}

impl Model {
    /// Returns the properties of a key's certificate; `None` if the key has none, or if it is not
    /// self-signed.
    pub fn of(members: &Members) -> Option<Model> {
        let chain = Certificate::chain_of(members);
        let [certificate] = &chain[..] else {
            return None;
        };
        let validity = certificate.validity()?;
        let seconds = validity.not_after.checked_sub(validity.not_before)?;
        let is_own = certificate.is_self_signed() && seconds > 0;
        let subject = certificate.x509().subject_name().to_der().ok()?;
        is_own.then_some(Model { subject, seconds })
    }

    /// Creates the certificate of a successor, with the dates of [`validity_of`]. Fails as
    /// [`self_signed`] does. `now` is in seconds since 1970.
    pub fn certify(&self, members: &Members, now: i64) -> Result<Certificate> {
        let mut validity = validity_of(members, now, self.seconds);
        validity.not_after = validity.not_after.min(NEVER);
        self_signed(members, &self.subject, validity)
    }
}

/// The end of a certificate that does not expire: 9999-12-31T23:59:59Z (RFC 5280 section 4.1.2.5).
const NEVER: i64 = 253_402_300_799;

/// Returns the dates of a certificate for a key. It begins at `nbf` or else `now`, and ends at
/// `exp` or else after `seconds`. If the key has expired and has no `nbf`, the certificate begins
/// at `iat`. All times are in seconds since 1970.
pub fn validity_of(members: &Members, now: i64, seconds: i64) -> Validity {
    let date = |name| members.seconds(name).ok().flatten();
    let exp = date("exp");
    let begin = if exp.is_some_and(|exp| exp <= now) {
        date("iat").unwrap_or(now)
    } else {
        now
    };
    let not_before = date("nbf").unwrap_or(begin);
    Validity {
        not_before,
        not_after: exp.unwrap_or(not_before.saturating_add(seconds)),
    }
}

fn in_asn1(validity: Validity) -> Result<x509_cert::time::Validity> {
    if validity.not_after < validity.not_before {
        let message = "the key expires before its nbf, so no certificate can be valid";
        return Err(Error::refused(message));
    }
    let time = |seconds: i64| {
        let seconds = seconds.max(0).unsigned_abs();
        let time = GeneralizedTime::from_unix_duration(Duration::from_secs(seconds));
        // The builder encodes dates until 2049 as UTCTime (RFC 5280 section 4.1.2.5).
        time.map(Time::GeneralTime).map_err(|_| {
            Error::usage("the certificate would expire after the year 9999")
                .hint("pass fewer --days")
        })
    };
    let (start, end) = (time(validity.not_before)?, time(validity.not_after)?);
    Ok(x509_cert::time::Validity::new(start, end))
}

/// The signature scheme of a key for certificates.
struct Scheme {
    /// `None` for Ed25519 and Ed448, which include a digest (RFC 8410).
    digest: Option<MessageDigest>,
    is_pss: bool,
    algorithm: AlgorithmIdentifierOwned,
}

const RSA_PSS: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.10");
const MGF1: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.8");

/// A digest in OpenSSL; the identifiers of the digest (RFC 8017), of RSA signatures (RFC 8017) and
/// of ECDSA signatures (RFC 5758); and the length in bytes.
type Sha2 = (fn() -> MessageDigest, [&'static str; 3], u8);

const SHA256: Sha2 = (
    MessageDigest::sha256,
    [
        "2.16.840.1.101.3.4.2.1",
        "1.2.840.113549.1.1.11",
        "1.2.840.10045.4.3.2",
    ],
    32,
);
const SHA384: Sha2 = (
    MessageDigest::sha384,
    [
        "2.16.840.1.101.3.4.2.2",
        "1.2.840.113549.1.1.12",
        "1.2.840.10045.4.3.3",
    ],
    48,
);
const SHA512: Sha2 = (
    MessageDigest::sha512,
    [
        "2.16.840.1.101.3.4.2.3",
        "1.2.840.113549.1.1.13",
        "1.2.840.10045.4.3.4",
    ],
    64,
);

fn scheme(members: &Members) -> Result<Scheme> {
    let text = |name| members.string(name).unwrap_or_default();
    let (kty, crv, alg) = (text("kty"), text("crv"), text("alg"));
    let curve = Curve::named(&crv);
    let (sha2, is_pss) = match (members.kty(), curve.map(|curve| (curve, curve.form))) {
        (Some(Kty::Rsa), _) => {
            let sha2 = match alg.rsplit(['S', '-']).next() {
                Some("384") => SHA384,
                Some("512") => SHA512,
                _ => SHA256,
            };
            (sha2, alg.starts_with("PS"))
        }
        (Some(Kty::Ec), Some((curve, Form::Weierstrass { .. }))) => match curve.bits {
            ..=256 => (SHA256, false),
            257..=384 => (SHA384, false),
            385.. => (SHA512, false),
        },
        (Some(Kty::Okp), Some((curve, Form::Edwards { .. }))) => {
            // The key and its signatures have one identifier (RFC 8410 section 3).
            let algorithm = AlgorithmIdentifier {
                oid: curve.oid,
                parameters: None,
            };
            return Ok(Scheme {
                digest: None,
                is_pss: false,
                algorithm,
            });
        }
        (Some(Kty::Ec | Kty::Okp), _) => {
            return Err(
                Error::usage(format!("a key on {crv} cannot sign a certificate"))
                    .hint("X25519 and X448 are for key agreement only"),
            );
        }
        (Some(Kty::Oct | Kty::Akp) | None, _) => {
            return Err(
                Error::usage(format!("{kty} keys cannot sign a certificate"))
                    .hint("use an RSA or EC key, Ed25519 or Ed448"),
            );
        }
    };
    let (digest, identifiers, length) = sha2;
    let algorithm = match members.kty() {
        _ if is_pss => pss(identifiers[0], length).map_err(not_built)?,
        Some(Kty::Rsa) => identifier(identifiers[1], Some(Any::null())),
        Some(Kty::Ec | Kty::Okp | Kty::Oct | Kty::Akp) | None => identifier(identifiers[2], None),
    };
    Ok(Scheme {
        digest: Some(digest()),
        is_pss,
        algorithm,
    })
}

fn identifier(oid: &str, parameters: Option<Any>) -> AlgorithmIdentifierOwned {
    AlgorithmIdentifier {
        oid: ObjectIdentifier::new_unwrap(oid),
        parameters,
    }
}

/// Returns the identifier of RSASSA-PSS with the same digest for message and mask, and a salt of
/// that length (RFC 7518 section 3.5, RFC 8017 appendix A.2.3).
fn pss(digest: &str, length: u8) -> der::Result<AlgorithmIdentifierOwned> {
    let hash = AlgorithmIdentifier {
        oid: ObjectIdentifier::new(digest)?,
        parameters: Some(AnyRef::NULL),
    };
    let parameters = RsaPssParams {
        hash,
        mask_gen: AlgorithmIdentifier {
            oid: MGF1,
            parameters: Some(hash),
        },
        salt_len: length,
        trailer_field: TrailerField::BC,
    };
    Ok(AlgorithmIdentifier {
        oid: RSA_PSS,
        parameters: Some(Any::from_der(&parameters.to_der()?)?),
    })
}

fn sign(key: &PKey<Private>, scheme: &Scheme, octets: &[u8]) -> Result<Vec<u8>, ErrorStack> {
    let mut signer = match scheme.digest {
        Some(digest) => Signer::new(digest, key)?,
        None => Signer::new_without_digest(key)?,
    };
    if scheme.is_pss {
        signer.set_rsa_padding(Padding::PKCS1_PSS)?;
        signer.set_rsa_pss_saltlen(RsaPssSaltlen::DIGEST_LENGTH)?;
    }
    signer.sign_oneshot_to_vec(octets)
}

/// Returns the key usage of the certificate from `use` or else `alg`. Without both, it is
/// everything that the key can do.
fn key_usage(members: &Members) -> KeyUsage {
    let by_alg = || {
        let algorithm = members.string("alg");
        let algorithm = algorithm.and_then(|alg| Algorithm::named(&alg));
        algorithm.map(|algorithm| algorithm.usage.name())
    };
    let usage = members.string("use");
    let usage = usage.as_deref().or_else(by_alg);
    let encryption = match members.kty() {
        Some(Kty::Rsa) => Some(KeyUsages::KeyEncipherment),
        Some(Kty::Ec) => Some(KeyUsages::KeyAgreement),
        Some(Kty::Okp | Kty::Oct | Kty::Akp) | None => None,
    };
    KeyUsage(match (encryption, usage) {
        (Some(encryption), Some(usage)) if usage == Use::Enc.name() => encryption.into(),
        (Some(encryption), None) => KeyUsages::DigitalSignature | encryption,
        _ => KeyUsages::DigitalSignature.into(),
    })
}

/// The profile of the certificate: the subject, which is also the issuer, and the extensions.
struct Profile {
    subject: Name,
    usage: KeyUsage,
}

impl BuilderProfile for Profile {
    fn get_issuer(&self, subject: &Name) -> Name {
        subject.clone()
    }

    fn get_subject(&self) -> Name {
        self.subject.clone()
    }

    fn build_extensions(
        &self,
        spki: SubjectPublicKeyInfoRef<'_>,
        _: SubjectPublicKeyInfoRef<'_>,
        tbs: &TbsCertificate,
    ) -> builder::Result<Vec<Extension>> {
        // The leftmost 160 bits of the SHA-256 digest (RFC 7093 section 2).
        let digest = Sha256::digest(spki.subject_public_key.raw_bytes());
        let identifier = SubjectKeyIdentifier(OctetString::new(&digest[..20])?);
        let constraints = BasicConstraints {
            ca: false,
            path_len_constraint: None,
        };
        let subject = tbs.subject();
        Ok(vec![
            (&identifier).to_extension(subject, &[])?,
            (&constraints).to_extension(subject, &[])?,
            (&self.usage).to_extension(subject, &[])?,
        ])
    }
}

/// The key pair for the builder. OpenSSL holds the private part.
struct Pair {
    spki: Vec<u8>,
    algorithm: AlgorithmIdentifierOwned,
}

#[derive(Clone)]
struct PublicKey(Vec<u8>);

impl Keypair for Pair {
    type VerifyingKey = PublicKey;

    fn verifying_key(&self) -> PublicKey {
        PublicKey(self.spki.clone())
    }
}

impl EncodePublicKey for PublicKey {
    fn to_public_key_der(&self) -> spki::Result<der::Document> {
        Ok(der::Document::try_from(self.0.as_slice())?)
    }
}

impl DynSignatureAlgorithmIdentifier for Pair {
    fn signature_algorithm_identifier(&self) -> spki::Result<AlgorithmIdentifierOwned> {
        Ok(self.algorithm.clone())
    }
}
