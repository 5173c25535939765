//! ML-DSA keys (FIPS 204) as JWK (RFC 9964) and in DER (RFC 9881). The private key is a seed, from
//! which OpenSSL computes the rest.

use crate::error::{Error, Result};
use crate::key::base64url;
use crate::key::key_type::Kty;
use crate::key::members::Members;
use crate::secret::Secret;
use openssl::pkey::PKey;
use openssl::rand::rand_bytes;
use pkcs8::der::asn1::{BitStringRef, ContextSpecificRef, ObjectIdentifier, OctetStringRef};
use pkcs8::der::{Decode, Encode, ErrorKind, Reader, SliceReader, TagMode, TagNumber};
use pkcs8::spki::{AlgorithmIdentifierRef, SubjectPublicKeyInfoRef};
use pkcs8::{PrivateKeyInfo, PrivateKeyInfoRef};

/// The length of a seed in bytes (FIPS 204 section 5.1, RFC 9964 section 3).
pub const SEED_OCTETS: usize = 32;

/// The cost of computing a public key from its seed, in microseconds on a machine of 2024.
pub const COST: u64 = 300;

/// A parameter set of ML-DSA.
#[derive(Debug)]
pub struct ParameterSet {
    /// The `alg` of its keys.
    pub alg: &'static str,
    /// The length of a public key in bytes (FIPS 204 section 4).
    pub public_octets: usize,
    /// Its object identifier (RFC 9881 section 2).
    oid: ObjectIdentifier,
}

/// Every parameter set.
pub static PARAMETER_SETS: &[ParameterSet] = &[
    ParameterSet {
        alg: "ML-DSA-44",
        public_octets: 1312,
        oid: ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.3.17"),
    },
    ParameterSet {
        alg: "ML-DSA-65",
        public_octets: 1952,
        oid: ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.3.18"),
    },
    ParameterSet {
        alg: "ML-DSA-87",
        public_octets: 2592,
        oid: ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.3.19"),
    },
];

/// Generates a key for an ML-DSA algorithm, with `kty`, `alg`, `pub` and `priv`. Returns an error for
/// other algorithms, and if OpenSSL is older than 3.5.
pub(crate) fn generate(alg: &str) -> Result<Members<'static>> {
    let set = ParameterSet::named(alg);
    let set = set.ok_or_else(|| Error::usage(format!("{alg} is not an ML-DSA algorithm")))?;
    let mut seed = Secret::new(vec![0; SEED_OCTETS]);
    rand_bytes(seed.expose_mut())
        .map_err(|error| Error::failed("cannot generate random numbers").cause(error))?;
    set.private(seed.expose())
}

impl ParameterSet {
    /// Finds the parameter set of an algorithm.
    pub fn named(alg: &str) -> Option<&'static ParameterSet> {
        PARAMETER_SETS.iter().find(|set| set.alg == alg)
    }

    /// Finds the parameter set with this object identifier.
    pub(crate) fn of_oid(oid: &ObjectIdentifier) -> Option<&'static ParameterSet> {
        PARAMETER_SETS.iter().find(|set| set.oid == *oid)
    }

    fn algorithm(&self) -> AlgorithmIdentifierRef<'static> {
        AlgorithmIdentifierRef {
            oid: self.oid,
            parameters: None,
        }
    }

    /// Computes the public key of a seed. Returns an error if OpenSSL is older than 3.5, because it
    /// lacks ML-DSA.
    pub fn public_of(&self, seed: &[u8]) -> Result<Vec<u8>> {
        let document = Secret::new(self.pkcs8(seed)?);
        let spki = PKey::private_key_from_pkcs8(document.expose())
            .and_then(|key| key.public_key_to_der())
            .map_err(|error| {
                Error::failed(format!("OpenSSL cannot compute with {}", self.alg))
                    .cause(error)
                    .hint("ML-DSA requires OpenSSL 3.5, which jwks includes when it is built with default features")
            })?;
        let key = SubjectPublicKeyInfoRef::from_der(&spki);
        let key = key.ok().filter(|key| key.algorithm.oid == self.oid);
        let octets = key.and_then(|key| key.subject_public_key.as_bytes());
        octets
            .map(<[u8]>::to_vec)
            .ok_or_else(|| Error::failed("OpenSSL returned a public key of another kind"))
    }

    /// Encodes the private key as PKCS#8 with only the seed (RFC 9881 section 6), in DER.
    pub(crate) fn pkcs8(&self, seed: &[u8]) -> Result<Vec<u8>> {
        let encode = || {
            let seed = ContextSpecificRef {
                tag_number: TagNumber(0),
                tag_mode: TagMode::Implicit,
                value: &OctetStringRef::new(seed)?,
            };
            let seed = Secret::new(seed.to_der()?);
            let key: PrivateKeyInfoRef =
                PrivateKeyInfo::new(self.algorithm(), OctetStringRef::new(seed.expose())?);
            key.to_der()
        };
        encode()
            .map_err(|_: pkcs8::der::Error| Error::failed("the key cannot be written as PKCS#8"))
    }

    /// Encodes the public key as SubjectPublicKeyInfo (RFC 9881 section 4), in DER.
    pub(crate) fn spki(&self, public: &[u8]) -> Result<Vec<u8>> {
        let encode = || {
            let key = SubjectPublicKeyInfoRef {
                algorithm: self.algorithm(),
                subject_public_key: BitStringRef::from_bytes(public)?,
            };
            key.to_der()
        };
        encode().map_err(|_: pkcs8::der::Error| Error::failed("the public key cannot be written"))
    }

    /// Reads the private key of a PKCS#8 document: a seed, or a seed and the expanded key. Returns an
    /// error for an expanded key without its seed, which has no JWK form.
    pub(crate) fn read_private(&self, octets: &[u8]) -> Result<Members<'static>> {
        if <&OctetStringRef>::from_der(octets).is_ok() {
            return Err(Error::invalid(format!(
                "an {} private key without its seed has no JWK form (RFC 9964 section 3)",
                self.alg
            )));
        }
        let seed = seed_alone(octets).or_else(|_| seed_of_both(octets));
        let seed = seed.map_err(|_| Error::invalid(format!("invalid {} private key", self.alg)))?;
        self.private(seed)
    }

    /// Returns the members of a public key.
    pub(crate) fn public(&self, octets: &[u8]) -> Members<'static> {
        let mut members = Members::default();
        members.set_text("kty", "AKP");
        members.set_text("alg", self.alg);
        members.set_text("pub", &base64url::encode(octets));
        members
    }

    fn private(&self, seed: &[u8]) -> Result<Members<'static>> {
        if seed.len() != SEED_OCTETS {
            let message = format!("the seed has {} bytes, not {SEED_OCTETS}", seed.len());
            return Err(Error::invalid(message));
        }
        let mut members = self.public(&self.public_of(seed)?);
        members.set_text("priv", &base64url::encode(seed));
        Ok(members)
    }
}

/// Reads `[0] IMPLICIT OCTET STRING` with nothing after it.
fn seed_alone(octets: &[u8]) -> Result<&[u8], pkcs8::der::Error> {
    let mut reader = SliceReader::new(octets)?;
    let seed = reader.context_specific::<&OctetStringRef>(TagNumber(0), TagMode::Implicit)?;
    let seed = seed.ok_or(ErrorKind::Failed)?;
    reader.finish()?;
    Ok(seed.as_bytes())
}

/// Reads a sequence of the seed and the expanded key. The expanded key is ignored, because it
/// follows from the seed.
fn seed_of_both(octets: &[u8]) -> Result<&[u8], pkcs8::der::Error> {
    let mut reader = SliceReader::new(octets)?;
    let seed = reader.sequence(|inner| {
        let seed = <&OctetStringRef>::decode(inner)?;
        <&OctetStringRef>::decode(inner)?;
        Ok::<_, pkcs8::der::Error>(seed)
    })?;
    reader.finish()?;
    Ok(seed.as_bytes())
}

/// Returns the parameter set of a JWK.
pub(crate) fn of(members: &Members) -> Option<&'static ParameterSet> {
    let alg = members
        .string("alg")
        .filter(|_| members.kty() == Some(Kty::Akp));
    ParameterSet::named(&alg?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::read::der;

    /// The key of the seed 00 … 00 (RFC 9964 appendix A.1), by its thumbprint.
    #[test]
    fn the_public_key_of_a_seed() {
        let set = ParameterSet::named("ML-DSA-44").unwrap();
        let key = set.private(&[0; SEED_OCTETS]).unwrap();
        let thumbprint = crate::key::thumbprint::thumbprint(&key).unwrap();
        assert_eq!(thumbprint, "T4xl70S7MT6Zeq6r9V9fPJGVn76wfnXJ21-gyo0Gu6o");
    }

    #[test]
    fn every_form_of_a_private_key() {
        for set in PARAMETER_SETS {
            let key = generate(set.alg).unwrap();
            let seed = base64url::decode(&key.string("priv").unwrap()).unwrap();
            assert_eq!(set.public_of(&seed).unwrap().len(), set.public_octets);
            let alone = set.pkcs8(&seed).unwrap();
            assert_eq!(der::read(&alone).unwrap().to_json(), key.to_json());
            // OpenSSL writes seed and expanded key.
            let openssl = PKey::private_key_from_pkcs8(&alone).unwrap();
            let both = openssl.private_key_to_pkcs8().unwrap();
            assert!(both.len() > alone.len() + 2000);
            assert_eq!(der::read(&both).unwrap().to_json(), key.to_json());
            let public = openssl.public_key_to_der().unwrap();
            let mut without = key.clone();
            without.remove("priv");
            assert_eq!(der::read(&public).unwrap().to_json(), without.to_json());
            let ours = set.spki(&set.public_of(&seed).unwrap()).unwrap();
            assert_eq!(ours, public);
        }
    }

    #[test]
    fn what_is_no_private_key() {
        let set = ParameterSet::named("ML-DSA-44").unwrap();
        let expanded = OctetStringRef::new(&[7; 2560]).unwrap().to_der().unwrap();
        let error = set.read_private(&expanded).err().unwrap().to_string();
        assert!(error.contains("without its seed"), "{error}");
        for octets in [
            &[][..],
            &[0x80, 1, 0],
            &[0x80, 0x21],
            &[0x30, 0],
            &[0x80, 2, 0, 0, 0],
        ] {
            assert_eq!(
                set.read_private(octets).err().unwrap().kind().exit_code(),
                5
            );
        }
    }
}
