//! The digests and lengths of the signature algorithms (RFC 7518 section 3, RFC 8037, RFC 8812, RFC 9964).

use crate::key::algorithm::Algorithm;
use openssl::hash::MessageDigest;

/// The family of a signature algorithm.
#[derive(Clone, Copy)]
pub(super) enum Family {
    /// HMAC with a digest.
    Hmac(MessageDigest),
    /// RSASSA-PKCS1-v1_5 with a digest.
    Pkcs1(MessageDigest),
    /// RSASSA-PSS with a digest. The salt has the length of the digest.
    Pss(MessageDigest),
    /// ECDSA with a digest.
    Ecdsa(MessageDigest),
    /// EdDSA on the curve of the key.
    Edwards,
    /// ML-DSA, whose signatures have this length in bytes.
    MlDsa(usize),
}

/// Returns the family of an algorithm; `None` if it does not sign.
pub(super) fn family_of(algorithm: &Algorithm) -> Option<Family> {
    let (sha256, sha384, sha512) = (
        MessageDigest::sha256(),
        MessageDigest::sha384(),
        MessageDigest::sha512(),
    );
    Some(match algorithm.name {
        "HS256" => Family::Hmac(sha256),
        "HS384" => Family::Hmac(sha384),
        "HS512" => Family::Hmac(sha512),
        "RS256" => Family::Pkcs1(sha256),
        "RS384" => Family::Pkcs1(sha384),
        "RS512" => Family::Pkcs1(sha512),
        "PS256" => Family::Pss(sha256),
        "PS384" => Family::Pss(sha384),
        "PS512" => Family::Pss(sha512),
        "ES256" | "ES256K" => Family::Ecdsa(sha256),
        "ES384" => Family::Ecdsa(sha384),
        "ES512" => Family::Ecdsa(sha512),
        "EdDSA" | "Ed25519" | "Ed448" => Family::Edwards,
        // FIPS 204 table 2.
        "ML-DSA-44" => Family::MlDsa(2420),
        "ML-DSA-65" => Family::MlDsa(3309),
        "ML-DSA-87" => Family::MlDsa(4627),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::algorithm::{ALGORITHMS, Use};

    #[test]
    fn every_signature_algorithm_has_a_family_and_no_other() {
        for algorithm in ALGORITHMS {
            let is_known = family_of(algorithm).is_some();
            assert_eq!(is_known, algorithm.usage == Use::Sig, "{}", algorithm.name);
        }
    }
}
