//! The digests and lengths of the signature algorithms (RFC 7518 section 3, RFC 8037, RFC 8812, RFC 9964).

use crate::key::algorithm::{Algorithm, Takes};
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
    let digest = || {
        let name = algorithm.name.trim_end_matches('K');
        match name.get(name.len().checked_sub(3)?..)? {
            "256" => Some(MessageDigest::sha256()),
            "384" => Some(MessageDigest::sha384()),
            "512" => Some(MessageDigest::sha512()),
            _ => None,
        }
    };
    match (algorithm.name.get(..2)?, algorithm.takes) {
        ("HS", Takes::OctAtLeast(_)) => digest().map(Family::Hmac),
        ("RS", Takes::Rsa) => digest().map(Family::Pkcs1),
        ("PS", Takes::Rsa) => digest().map(Family::Pss),
        ("ES", Takes::Curves(_)) => digest().map(Family::Ecdsa),
        ("Ed", Takes::Curves(_)) => Some(Family::Edwards),
        ("ML", Takes::Akp) => match algorithm.name {
            // FIPS 204 table 2.
            "ML-DSA-44" => Some(Family::MlDsa(2420)),
            "ML-DSA-65" => Some(Family::MlDsa(3309)),
            "ML-DSA-87" => Some(Family::MlDsa(4627)),
            _ => None,
        },
        _ => None,
    }
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
