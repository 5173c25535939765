//! X.509 certificates and certification requests: the public keys in them, and the JWK members that
//! describe them.

use crate::error::{Error, Result};
use crate::key::algorithm::Use;
use crate::key::base64url;
use crate::key::members::Members;
use crate::key::read::der;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use openssl::asn1::Asn1Time;
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{Id, PKey, Public};
use openssl::x509::{X509, X509Req, X509VerifyResult};
use pem::{EncodeConfig, LineEnding, Pem};
use sha1::Sha1;
use sha2::{Digest, Sha256};
use std::cmp::Ordering;
use x509_cert::der::Decode as _;
use x509_cert::ext::pkix::{KeyUsage, KeyUsages};

/// Seconds in a day.
const DAY: i64 = 86_400;

/// The validity of a certificate in seconds since 1970, both ends included (RFC 5280 section
/// 4.1.2.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Validity {
    /// The first second.
    pub not_before: i64,
    /// The last second.
    pub not_after: i64,
}

/// A parsed certificate.
#[derive(Clone)]
pub struct Certificate {
    x509: X509,
    der: Vec<u8>,
}

impl Certificate {
    /// Parses a certificate in DER. Returns `None` if there are other bytes after it.
    pub fn parse(der: &[u8]) -> Option<Self> {
        if der::kind(der) != Some(der::Kind::Certificate) {
            return None;
        }
        let x509 = X509::from_der(der).ok()?;
        Some(Certificate {
            x509,
            der: der.to_vec(),
        })
    }

    /// Returns the certificates in the `x5c` of a key, leaf first. Returns none if one of them does
    /// not parse.
    pub fn chain_of(members: &Members) -> Vec<Self> {
        let chain = members.texts("x5c").ok().flatten().unwrap_or_default();
        let parsed = chain.iter().map(|text| {
            let der = STANDARD.decode(text.as_bytes()).ok()?;
            Certificate::parse(&der)
        });
        parsed.collect::<Option<_>>().unwrap_or_default()
    }

    /// Returns the certificate as an OpenSSL object.
    pub(super) fn x509(&self) -> &X509 {
        &self.x509
    }

    /// Encodes the certificate as PEM.
    pub fn to_pem(&self) -> String {
        let config = EncodeConfig::new().set_line_ending(LineEnding::LF);
        pem::encode_config(&Pem::new("CERTIFICATE", self.der.as_slice()), config)
    }

    /// Returns the original DER.
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// Returns the subject, such as `CN=api, O=Example`.
    pub fn subject(&self) -> String {
        let entry = |entry: &openssl::x509::X509NameEntryRef| {
            let name = entry.object().nid().short_name().unwrap_or("OID");
            let value = entry.data().to_string();
            format!("{name}={}", value.as_deref().unwrap_or("?"))
        };
        let entries: Vec<_> = self.x509.subject_name().entries().map(entry).collect();
        if entries.is_empty() {
            "an empty subject".into()
        } else {
            entries.join(", ")
        }
    }

    /// Returns the validity, or `None` if the dates do not parse.
    pub fn validity(&self) -> Option<Validity> {
        let epoch = Asn1Time::from_unix(0).ok()?;
        let seconds = |time| {
            let since = epoch.diff(time).ok()?;
            Some(i64::from(since.days) * DAY + i64::from(since.secs))
        };
        Some(Validity {
            not_before: seconds(self.x509.not_before())?,
            not_after: seconds(self.x509.not_after())?,
        })
    }

    /// Returns the public key as JWK members. Returns an error if jwks does not support the key.
    pub fn public_key(&self) -> Result<Members<'static>> {
        let key = self
            .x509
            .public_key()
            .and_then(|key| key.public_key_to_der());
        let key = key.map_err(|error| {
            Error::invalid("cannot read the public key of the certificate").cause(error)
        })?;
        der::read(&key)
    }

    /// Returns true if this certificate can be the issuer of the other: their names, key identifiers
    /// and key usage fit. The signature is not checked.
    pub fn issued(&self, other: &Certificate) -> bool {
        self.x509.issued(&other.x509) == X509VerifyResult::OK
    }

    /// Returns true if the other certificate names the subject of this one as its issuer.
    pub fn is_named_by(&self, other: &Certificate) -> bool {
        let (subject, issuer) = (self.x509.subject_name(), other.x509.issuer_name());
        subject.try_cmp(issuer).is_ok_and(Ordering::is_eq)
    }

    /// Returns true if the other certificate names this one as its issuer, and is signed with its key. If OpenSSL
    /// does not know the key or the hash of the signature, the name decides.
    pub fn certifies(&self, other: &Certificate) -> bool {
        let is_signed = |key: PKey<Public>| other.x509.verify(&key).unwrap_or(false);
        self.is_named_by(other)
            && (!other.has_known_hash() || self.x509.public_key().map_or(true, is_signed))
    }

    /// Returns true if OpenSSL can compute the hash of the signature, or if the algorithm names none.
    fn has_known_hash(&self) -> bool {
        let algorithm = self.x509.signature_algorithm().object().nid();
        let hash = algorithm.signature_algorithms().map(|it| it.digest);
        let hash = hash.filter(|hash| *hash != Nid::UNDEF);
        hash.is_none_or(|hash| {
            MessageDigest::from_nid(hash).is_some_and(|it| openssl::hash::hash(it, &[]).is_ok())
        })
    }

    /// Returns the cost of verifying a signature with the certified key, in microseconds on a machine of 2024.
    pub fn verification_cost(&self) -> u64 {
        let Ok(key) = self.x509.public_key() else {
            return 0;
        };
        let kibibits = u64::from(key.bits()).div_ceil(1024);
        match key.id() {
            Id::RSA | Id::RSA_PSS => match key.rsa() {
                Ok(rsa) if rsa.e().num_bits() <= 32 => 20 * kibibits.pow(2),
                _ => 250 * kibibits.pow(3),
            },
            Id::EC if key.bits() <= 256 => 500,
            Id::EC if key.bits() <= 384 => 1500,
            Id::EC => 4000,
            Id::ED25519 | Id::ED448 => 500,
            // For example DSA with long parameters.
            _ => 20_000,
        }
    }

    /// Returns the names of the usages that the certificate allows, with the `use` that they fit (RFC 5280 section
    /// 4.2.1.3); `None` if it restricts none of them, or names only others. A key that signs certificates counts as a signing key.
    pub fn usages(&self) -> Option<Vec<(&'static str, Use)>> {
        const NAMES: [(KeyUsages, &str, Use); 7] = [
            (KeyUsages::DigitalSignature, "digitalSignature", Use::Sig),
            (KeyUsages::NonRepudiation, "nonRepudiation", Use::Sig),
            (KeyUsages::KeyEncipherment, "keyEncipherment", Use::Enc),
            (KeyUsages::DataEncipherment, "dataEncipherment", Use::Enc),
            (KeyUsages::KeyAgreement, "keyAgreement", Use::Enc),
            (KeyUsages::KeyCertSign, "keyCertSign", Use::Sig),
            (KeyUsages::CRLSign, "cRLSign", Use::Sig),
        ];
        let parsed = x509_cert::Certificate::from_der(&self.der).ok()?;
        let (_, KeyUsage(allowed)) = parsed.tbs_certificate().get_extension().ok()??;
        let names = NAMES
            .into_iter()
            .filter(|(usage, ..)| allowed.contains(*usage));
        let names: Vec<_> = names.map(|(_, name, usage)| (name, usage)).collect();
        (!names.is_empty()).then_some(names)
    }

    /// Returns true if the certificate is signed with its own key.
    pub fn is_self_signed(&self) -> bool {
        let key = self.x509.public_key();
        // OpenSSL's own check requires a key usage that only CA certificates have.
        self.is_named_by(self) && key.and_then(|key| self.x509.verify(&key)).unwrap_or(false)
    }

    /// Encodes the certificate for `x5c`: base64, not base64url (RFC 7517 section 4.7).
    pub fn to_x5c(&self) -> String {
        STANDARD.encode(&self.der)
    }

    /// Returns the SHA-1 digest for `x5t`, 20 bytes.
    pub fn sha1(&self) -> Vec<u8> {
        Sha1::digest(&self.der).to_vec()
    }

    /// Returns the SHA-256 digest for `x5t#S256`, 32 bytes.
    pub fn sha256(&self) -> Vec<u8> {
        Sha256::digest(&self.der).to_vec()
    }
}

/// The members that describe the certificate of a key (RFC 7517 sections 4.7 to 4.9). All three
/// describe one certificate, so only [`attach`] and [`take_over`] change them.
pub const DESCRIBING: &[&str] = &[CHAIN, SHA1, SHA256];

const CHAIN: &str = "x5c";
const SHA1: &str = "x5t";
const SHA256: &str = "x5t#S256";

/// Gives a key a certificate chain, leaf first: sets `x5c` and `x5t#S256`, and `x5t` if the key has
/// one.
pub fn attach(chain: &[&Certificate], members: &mut Members) {
    if chain.is_empty() {
        return;
    }
    let texts: Vec<_> = chain.iter().map(|link| link.to_x5c()).collect();
    members.set_texts(CHAIN, &texts);
    // The digest is computed from the chain below.
    members.set_text(SHA256, "");
    renew_digests(members, &[SHA1, SHA256]);
}

/// Adds the SHA-1 digest `x5t` of the certificate. Returns false if the key has no certificate.
pub fn add_sha1(members: &mut Members) -> bool {
    let digest = digest_of_leaf(members, SHA1);
    if let Some(digest) = &digest {
        members.set_text(SHA1, digest);
    }
    digest.is_some()
}

/// Gives a key the certificate that `others`, members of the same key, describe, if they describe
/// one.
///
/// A chain in `others` replaces the chain of the key. Without a chain, a digest in `others` is taken
/// only if it is the digest of the key's own chain, or if the key has no chain. A digest that `others`
/// lack never stays for another certificate: it is computed anew, or removed.
pub fn take_over(members: &mut Members, others: &Members) {
    let digests = || [SHA1, SHA256].into_iter();
    let given: Vec<_> = digests().filter(|name| others.has(name)).collect();
    let set = |members: &mut Members, name: &'static str| {
        if let Some(value) = others.raw(name) {
            members.set_raw(name, value.to_owned());
        }
    };
    if others.has(CHAIN) {
        set(members, CHAIN);
        // Keep a wrong digest in `others`, so that a check reports it.
        given.iter().for_each(|name| set(members, name));
        let missing: Vec<_> = digests().filter(|name| !others.has(name)).collect();
        renew_digests(members, &missing);
    } else if members.has(CHAIN) {
        for name in given {
            if others.string(name) == digest_of_leaf(members, name).map(Into::into) {
                set(members, name);
            }
        }
    } else if !given.is_empty() {
        let is_same =
            |name: &&str| members.has(name) && members.string(name) == others.string(name);
        if !given.iter().any(is_same) {
            digests().for_each(|name| members.remove(name));
        }
        given.iter().for_each(|name| set(members, name));
    }
}

/// Removes the digests that are not digests of the first certificate of `x5c`. Without `x5c` nothing
/// is removed. Works without OpenSSL.
pub fn remove_wrong_digests(members: &mut Members) {
    for name in [SHA1, SHA256] {
        let length = if name == SHA1 { 20 } else { 32 };
        let (Some(right), Some(text)) = (digest_of_leaf(members, name), members.string(name))
        else {
            continue;
        };
        let digest = read_digest(&text, length).map(|(digest, _)| base64url::encode(digest));
        if digest.as_deref() != Some(&right) {
            drop(text);
            members.remove(name);
        }
    }
}

/// The encoding of the digest in `x5t` or `x5t#S256`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DigestForm {
    /// Base64url of the bytes, as RFC 7517 requires.
    Base64url,
    /// Hexadecimal digits (WSO2), or base64url of those digits (older tenants of Auth0, ADAL).
    Hexadecimal,
}

/// Reads the digest in `x5t` or `x5t#S256`, which has `length` bytes.
pub fn read_digest(text: &str, length: usize) -> Option<(Vec<u8>, DigestForm)> {
    let decoded = base64url::decode(text).ok();
    let in_base64url = decoded.clone().filter(|digest| digest.len() == length);
    if let Some(digest) = in_base64url {
        return Some((digest, DigestForm::Base64url));
    }
    let again = decoded.as_deref().and_then(hexadecimal);
    let digest = hexadecimal(text.as_bytes()).or(again);
    let digest = digest.filter(|digest| digest.len() == length)?;
    Some((digest, DigestForm::Hexadecimal))
}

/// Decodes hexadecimal digits; colons between the pairs are allowed.
fn hexadecimal(text: &[u8]) -> Option<Vec<u8>> {
    let digits = text.iter().filter(|octet| **octet != b':');
    let digits = digits.map(|octet| char::from(*octet).to_digit(16));
    let digits: Vec<u32> = digits.collect::<Option<_>>()?;
    let (pairs, rest) = digits.as_chunks();
    let octet = |[high, low]: &[u32; 2]| u8::try_from(high << 4 | low).ok();
    let octets: Option<Vec<u8>> = pairs.iter().map(octet).collect();
    octets.filter(|_| rest.is_empty())
}

/// Recomputes the digests of a key from its `x5c`. Removes them if that fails.
fn renew_digests(members: &mut Members, names: &[&'static str]) {
    for name in names
        .iter()
        .filter(|name| members.has(name))
        .collect::<Vec<_>>()
    {
        match digest_of_leaf(members, name) {
            Some(digest) => members.set_text(name, &digest),
            None => members.remove(name),
        }
    }
}

/// Returns the digest of the first certificate of `x5c` for the member `name`, in base64url.
pub(super) fn digest_of_leaf(members: &Members, name: &str) -> Option<String> {
    let chain = members.texts(CHAIN).ok().flatten()?;
    let leaf = STANDARD.decode(chain.first()?.as_bytes()).ok()?;
    Some(match name {
        SHA1 => base64url::encode(Sha1::digest(leaf)),
        _ => base64url::encode(Sha256::digest(leaf)),
    })
}

/// Reads the public key of a certification request (RFC 2986). Returns an error if the request is
/// not signed with its own key.
pub fn read_request(der: &[u8]) -> Result<Members<'static>> {
    let broken = || Error::invalid("invalid certification request");
    let request = X509Req::from_der(der).map_err(|error| broken().cause(error))?;
    let key = request.public_key();
    let key = key.map_err(|error| {
        Error::invalid("cannot read the public key of the certification request").cause(error)
    })?;
    let members = der::read(
        &key.public_key_to_der()
            .map_err(|error| broken().cause(error))?,
    )?;
    match request.verify(&key) {
        Ok(true) => Ok(members),
        _ => Err(Error::invalid(
            "the certification request is not signed with its own key",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `AA==` is enough as a certificate here: the digests are those of one zero byte.
    const ZERO: &str = r#""x5c":["AA=="],"x5t":"W6k8nbDP-T9StSHXQg5D9u2ieE8","x5t#S256":"bjQLnP-zepicpUTmu3gKLHiQHT-zNzh2hRGjBhevoB0""#;
    const ONE: &str = r#""x5c":["AQ=="],"x5t":"v4tFMNjSRt10rFOhNHG7oXlB3_c","x5t#S256":"S_USLzRFVMU73i67jNK349FgCtYxw4Wl18ziPHeFRZo""#;

    /// The members `own` after they take over the certificate in `others`.
    fn taken(own: &str, others: &str) -> String {
        let [own, others] = [own, others].map(|members| format!("{{{members}}}"));
        let [mut own, others] = [&own, &others].map(|json| Members::parse(json).ok().unwrap());
        take_over(&mut own, &others);
        let json = own.to_json();
        json[1..json.len() - 1].to_owned()
    }

    fn member(certificate: &str, name: &str) -> String {
        let json = format!("{{{certificate}}}");
        let members = Members::parse(&json).ok().unwrap();
        format!("{:?}:{}", name, members.raw(name).unwrap())
    }

    #[test]
    fn a_new_chain_brings_its_digests() {
        assert_eq!(taken(ZERO, ONE), ONE);
        assert_eq!(taken(ZERO, &member(ONE, "x5c")), ONE);
        let chain_and_sha256 = [member(ONE, "x5c"), member(ONE, "x5t#S256")].join(",");
        assert_eq!(taken(ZERO, &chain_and_sha256), ONE);
        assert_eq!(
            taken(r#""kty":"EC""#, &chain_and_sha256),
            format!(r#""kty":"EC",{chain_and_sha256}"#)
        );
    }

    #[test]
    fn a_digest_that_cannot_be_computed_goes() {
        assert_eq!(taken(ZERO, r#""x5c":["?"]"#), r#""x5c":["?"]"#);
        assert_eq!(taken(ZERO, r#""x5c":"AQ==""#), r#""x5c":"AQ==""#);
    }

    #[test]
    fn a_digest_alone_replaces_no_chain() {
        assert_eq!(taken(ZERO, &member(ONE, "x5t")), ZERO);
        let chain = member(ZERO, "x5c");
        let digest = member(ZERO, "x5t");
        assert_eq!(taken(&chain, &digest), format!("{chain},{digest}"));
        assert_eq!(taken(ZERO, r#""kty":"EC""#), ZERO);
    }

    #[test]
    fn digests_of_two_certificates_never_stand_together() {
        let (sha1, sha256) = (member(ZERO, "x5t"), member(ZERO, "x5t#S256"));
        let both = format!("{sha1},{sha256}");
        assert_eq!(taken(&both, &sha1), both);
        assert_eq!(taken(&sha1, &both), both);
        assert_eq!(taken(&both, &member(ONE, "x5t")), member(ONE, "x5t"));
    }

    #[test]
    fn only_right_digests_are_published() {
        let wrong = [
            member(ZERO, "x5c"),
            member(ONE, "x5t"),
            member(ZERO, "x5t#S256"),
        ]
        .join(",");
        let json = format!("{{{wrong}}}");
        let mut members = Members::parse(&json).ok().unwrap();
        remove_wrong_digests(&mut members);
        let right = [member(ZERO, "x5c"), member(ZERO, "x5t#S256")].join(",");
        assert_eq!(members.to_json(), format!("{{{right}}}"));
    }
}
