//! X.509 certificates: the public key inside, and the digests that JWKs carry; and requests for
//! certificates.

use super::der;
use crate::error::{Error, Result};
use crate::key::base64url;
use crate::key::members::Members;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use openssl::hash::{MessageDigest, hash};
use openssl::x509::{X509, X509Req, X509VerifyResult};
use pem::{EncodeConfig, LineEnding, Pem};
use sha2::{Digest, Sha256};

/// A certificate that parsed.
#[derive(Clone)]
pub struct Certificate {
    x509: X509,
    der: Vec<u8>,
}

impl Certificate {
    /// Reads a certificate in DER, from the first octet to the last.
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

    /// The certificates of a key's `x5c`, leaf first; none where it has none or they do not parse.
    pub fn chain_of(members: &Members) -> Vec<Self> {
        let chain = members.texts("x5c").ok().flatten().unwrap_or_default();
        let parsed = chain.iter().map(|text| {
            let der = STANDARD.decode(text.as_bytes()).ok()?;
            Certificate::parse(&der)
        });
        parsed.collect::<Option<_>>().unwrap_or_default()
    }

    /// The certificate as OpenSSL knows it.
    pub(super) fn x509(&self) -> &X509 {
        &self.x509
    }

    /// The certificate as PEM, with its label.
    pub fn to_pem(&self) -> String {
        let config = EncodeConfig::new().set_line_ending(LineEnding::LF);
        pem::encode_config(&Pem::new("CERTIFICATE", self.der.as_slice()), config)
    }

    /// The certificate as it came.
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// Whom it is for, such as `CN=api, O=Example`, as the certificate itself says.
    pub fn subject(&self) -> String {
        let entry = |entry: &openssl::x509::X509NameEntryRef| {
            let name = entry.object().nid().short_name().unwrap_or("OID");
            let value = entry.data().to_string();
            format!("{name}={}", value.as_deref().unwrap_or("?"))
        };
        let entries: Vec<_> = self.x509.subject_name().entries().map(entry).collect();
        match entries.is_empty() {
            true => "nobody (its subject is empty)".into(),
            false => entries.join(", "),
        }
    }

    /// The public key as JWK members.
    pub fn public_key(&self) -> Result<Members<'static>> {
        let key = self
            .x509
            .public_key()
            .and_then(|key| key.public_key_to_der());
        let key = key.map_err(|error| {
            Error::invalid("a certificate whose public key cannot be read").cause(error)
        })?;
        der::read(&key)
    }

    /// Whether this certificate's subject is the issuer of the other.
    pub fn issued(&self, other: &Certificate) -> bool {
        self.x509.issued(&other.x509) == X509VerifyResult::OK
    }

    /// The certificate as an element of `x5c`: base64, not base64url (RFC 7517 section 4.7).
    pub fn to_x5c(&self) -> String {
        STANDARD.encode(&self.der)
    }

    /// The SHA-1 digest, 20 octets, of `x5t`.
    pub fn sha1(&self) -> Vec<u8> {
        hash(MessageDigest::sha1(), &self.der).map_or_else(|_| Vec::new(), |digest| digest.to_vec())
    }

    /// The SHA-256 digest, 32 octets, of `x5t#S256`.
    pub fn sha256(&self) -> Vec<u8> {
        Sha256::digest(&self.der).to_vec()
    }
}

/// Adds a chain, leaf first, to a key: `x5c` and `x5t#S256`.
pub fn attach(chain: &[&Certificate], members: &mut Members) {
    let Some(leaf) = chain.first() else {
        return;
    };
    let texts: Vec<_> = chain.iter().map(|link| link.to_x5c()).collect();
    members.set_texts("x5c", &texts);
    members.set_text("x5t#S256", &base64url::encode(leaf.sha256()));
}

/// Reads the public key of a certification request (RFC 2986) that is signed with the private
/// one.
pub fn read_request(der: &[u8]) -> Result<Members<'static>> {
    let broken = || Error::invalid("a certification request that does not parse");
    let request = X509Req::from_der(der).map_err(|error| broken().cause(error))?;
    let key = request.public_key();
    let key = key.map_err(|error| {
        Error::invalid("a certification request whose public key cannot be read").cause(error)
    })?;
    let members = der::read(
        &key.public_key_to_der()
            .map_err(|error| broken().cause(error))?,
    )?;
    match request.verify(&key) {
        Ok(true) => Ok(members),
        _ => Err(Error::invalid(
            "a certification request that is not signed with its own key",
        )),
    }
}
