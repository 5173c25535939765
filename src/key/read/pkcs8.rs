//! Reads PKCS#8 private keys (RFC 5958), including known deviations.
//!
//! - ring 0.14 to 0.16 tagged the public key `[1]` EXPLICIT, where the standard says IMPLICIT.
//! - Some writers add a public key to version 1, or omit it in version 2.
//! - Some writers of OKP keys left the inner OCTET STRING out (RFC 8410 section 7), or put the
//!   private key of NaCl into it: 64 bytes, the seed and the public key.

use crate::error::{Error, Result};
use crate::key::base64url::encode;
use crate::key::curve::Curve;
use crate::key::members::Members;
use crate::key::read::asn1::children;
use crate::key::read::elliptic::{elliptic_private, mismatch};
use pkcs8::der::asn1::{AnyRef, BitStringRef, OctetStringRef};
use pkcs8::der::{Decode as _, Tag, Tagged as _};
use pkcs8::spki::AlgorithmIdentifierRef;

/// The contents of a PKCS#8 document.
pub struct PrivateKeyInfo<'a> {
    /// The algorithm of the key.
    pub algorithm: AlgorithmIdentifierRef<'a>,
    /// The private key, in the encoding of its algorithm.
    pub octets: &'a [u8],
    /// The public key, in the encoding of its algorithm.
    public: Option<&'a [u8]>,
}

impl<'a> PrivateKeyInfo<'a> {
    /// Reads a PrivateKeyInfo of version 1 or 2. Returns an error for other versions and malformed DER.
    pub fn parse(der: &'a [u8]) -> Result<Self> {
        let broken = || Error::invalid("invalid PKCS#8 private key");
        let outer = AnyRef::from_der(der).map_err(|_| broken())?;
        let fields = children(&outer).ok_or_else(broken)?;
        let [version, algorithm, octets, others @ ..] = &fields[..] else {
            return Err(broken());
        };
        if version.decode_as::<u8>().is_ok_and(|version| version > 1) {
            return Err(broken());
        }
        let octets = octets.decode_as::<&OctetStringRef>();
        let mut key = PrivateKeyInfo {
            algorithm: algorithm.decode_as().map_err(|_| broken())?,
            octets: octets.map_err(|_| broken())?.as_bytes(),
            public: None,
        };
        for field in others {
            match field.tag() {
                Tag::ContextSpecific { number, .. } if number.value() == 1 => {
                    if key.public.is_some() {
                        return Err(broken());
                    }
                    key.public = Some(public_key(field).ok_or_else(broken)?);
                }
                // Attributes and extensions are ignored.
                Tag::ContextSpecific { .. } => {}
                _ => return Err(broken()),
            }
        }
        Ok(key)
    }

    /// Reads a key on a curve with its own algorithm identifier (RFC 8410). Returns an error if the key
    /// has a wrong length, or if the public key in the document does not belong to it.
    pub fn okp(&self, curve: &'static Curve) -> Result<Members<'static>> {
        let d = if self.octets.len() == curve.octets {
            self.octets
        } else {
            <&OctetStringRef>::from_der(self.octets)
                .map_err(|_| Error::invalid("invalid PKCS#8 private key"))?
                .as_bytes()
        };
        let (d, beside) = match d.split_at_checked(curve.octets) {
            Some((seed, public)) if curve.name == "Ed25519" && public.len() == curve.octets => {
                (seed, Some(public))
            }
            _ => (d, None),
        };
        let members = elliptic_private(curve, d)?;
        let own = members.string("x");
        let mut others = [self.public, beside].into_iter().flatten();
        if others.any(|other| own.as_deref() != Some(&encode(other))) {
            return Err(mismatch());
        }
        drop(own);
        Ok(members)
    }
}

/// Returns the public key in the field `[1]`, with an implicit or explicit tag.
fn public_key<'a>(field: &AnyRef<'a>) -> Option<&'a [u8]> {
    if field.tag().is_constructed() {
        return BitStringRef::from_der(field.value()).ok()?.as_bytes();
    }
    match field.value().split_first()? {
        (0, octets) => Some(octets),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use crate::key::base64url;
    use crate::key::read::der;

    const SEED: &[u8] = &[7; 32];
    const ED25519: &[u8] = &[0x30, 5, 6, 3, 0x2b, 0x65, 0x70];

    fn tlv(tag: u8, content: &[u8]) -> Vec<u8> {
        let length = u8::try_from(content.len()).expect("a short content");
        [&[tag, length], content].concat()
    }

    fn document(version: u8, octets: &[u8], fields: &[u8]) -> Vec<u8> {
        let key = tlv(4, octets);
        tlv(0x30, &[&[2, 1, version], ED25519, &key, fields].concat())
    }

    #[test]
    fn near_misses_of_known_writers_give_the_same_key() {
        let wrapped = tlv(4, SEED);
        let expected = der::read(&document(0, &wrapped, &[])).unwrap();
        let x = expected.string("x").unwrap();
        let public = base64url::decode(&x).unwrap();
        let bits = [&[0], &public[..]].concat();
        let implicit = tlv(0x81, &bits);
        let explicit = tlv(0xa1, &tlv(3, &bits));
        let nacl = tlv(4, &[SEED, &public].concat());
        for (name, document) in [
            ("version 2", document(1, &wrapped, &implicit)),
            ("ring", document(1, &wrapped, &explicit)),
            (
                "version 1 with a public key",
                document(0, &wrapped, &implicit),
            ),
            ("version 2 without one", document(1, &wrapped, &[])),
            ("no inner octet string", document(0, SEED, &[])),
            ("NaCl", document(0, &nacl, &[])),
            (
                "attributes",
                document(1, &wrapped, &[&tlv(0xa0, &[]), &implicit[..]].concat()),
            ),
        ] {
            assert!(
                der::read(&document).is_ok_and(|key| key == expected),
                "{name}"
            );
        }
        let mut other = public.clone();
        other[0] ^= 1;
        let bits = [&[0], &other[..]].concat();
        for (name, document) in [
            ("another key", document(1, &wrapped, &tlv(0x81, &bits))),
            (
                "another key of ring",
                document(1, &wrapped, &tlv(0xa1, &tlv(3, &bits))),
            ),
            (
                "another key of NaCl",
                document(0, &tlv(4, &[SEED, &other].concat()), &[]),
            ),
            (
                "two public keys",
                document(1, &wrapped, &[&implicit[..], &implicit].concat()),
            ),
            (
                "stray bytes",
                document(
                    1,
                    &wrapped,
                    &tlv(0xa1, &[&tlv(3, &bits)[..], &[0]].concat()),
                ),
            ),
            ("version 3", document(2, &wrapped, &implicit)),
            ("a field without a tag", document(0, &wrapped, &tlv(4, &[]))),
        ] {
            assert!(der::read(&document).is_err(), "{name}");
        }
    }
}
