//! The registered JOSE algorithms and the keys that each one requires (RFC 7518, 8037, 8812, 9864,
//! 9964).

use crate::key::curve::Curve;

/// The purpose of a key: the registered values of `use` (RFC 7517 section 4.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Use {
    /// Signatures and message authentication codes.
    Sig,
    /// Encryption and key agreement.
    Enc,
}

impl Use {
    /// Returns the value of the `use` member.
    pub fn name(self) -> &'static str {
        match self {
            Use::Sig => "sig",
            Use::Enc => "enc",
        }
    }
}

/// The keys that an algorithm requires.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Takes {
    /// An RSA key of 2048 bits or more.
    Rsa,
    /// A key on one of these curves; the first is the default.
    Curves(&'static [&'static str]),
    /// A symmetric key of at least this many bits.
    OctAtLeast(u32),
    /// A symmetric key of exactly this many bits.
    OctExactly(u32),
    /// An algorithm key pair (RFC 9964) whose `alg` is this algorithm.
    Akp,
}

/// One registered algorithm.
#[derive(Debug)]
pub struct Algorithm {
    /// The `alg` value.
    pub name: &'static str,
    /// The purpose of its keys.
    pub usage: Use,
    /// The keys that it requires.
    pub takes: Takes,
    /// The `key_ops` values that fit it (RFC 7517 section 4.3).
    pub operations: &'static [&'static str],
    /// True if `create` generates keys for it.
    pub created: bool,
}

/// The registered `key_ops` values, in groups of related operations (RFC 7517 section 4.3).
pub const OPERATIONS: &[&[&str]] = &[
    &["sign", "verify"],
    &["encrypt", "decrypt", "wrapKey", "unwrapKey"],
    &["deriveKey", "deriveBits"],
];

/// Returns the position of the group in [`OPERATIONS`] that an operation belongs to; `None` if it is not
/// registered.
pub fn operation_group(operation: &str) -> Option<usize> {
    let mut groups = OPERATIONS.iter();
    groups.position(|group| group.contains(&operation))
}

/// Returns the purpose of a key: its `use`, or that of its `alg` if it has no `use`.
pub fn effective_use<'a>(usage: Option<&'a str>, alg: Option<&str>) -> Option<&'a str> {
    usage.or_else(|| Some(Algorithm::named(alg?)?.usage.name()))
}

const SIGN: &[&str] = &["sign", "verify"];
const WRAP: &[&str] = &["wrapKey", "unwrapKey", "encrypt", "decrypt"];
const AGREE: &[&str] = &["deriveKey", "deriveBits"];
const AGREE_AND_WRAP: &[&str] = &["deriveKey", "deriveBits", "wrapKey", "unwrapKey"];
const AGREEMENT_CURVES: &[&str] = &["P-256", "P-384", "P-521", "X25519", "X448"];

/// Every algorithm that jwks knows, in display order.
pub static ALGORITHMS: &[Algorithm] = &[
    sig("RS256", Takes::Rsa),
    sig("RS384", Takes::Rsa),
    sig("RS512", Takes::Rsa),
    sig("PS256", Takes::Rsa),
    sig("PS384", Takes::Rsa),
    sig("PS512", Takes::Rsa),
    sig("ES256", Takes::Curves(&["P-256"])),
    sig("ES384", Takes::Curves(&["P-384"])),
    sig("ES512", Takes::Curves(&["P-521"])),
    sig("ES256K", Takes::Curves(&["secp256k1"])),
    sig("EdDSA", Takes::Curves(&["Ed25519", "Ed448"])),
    sig("Ed25519", Takes::Curves(&["Ed25519"])),
    sig("Ed448", Takes::Curves(&["Ed448"])),
    sig("ML-DSA-44", Takes::Akp),
    sig("ML-DSA-65", Takes::Akp),
    sig("ML-DSA-87", Takes::Akp),
    sig("HS256", Takes::OctAtLeast(256)),
    sig("HS384", Takes::OctAtLeast(384)),
    sig("HS512", Takes::OctAtLeast(512)),
    enc("RSA-OAEP", Takes::Rsa, WRAP),
    enc("RSA-OAEP-256", Takes::Rsa, WRAP),
    enc("RSA-OAEP-384", Takes::Rsa, WRAP),
    enc("RSA-OAEP-512", Takes::Rsa, WRAP),
    enc("ECDH-ES", Takes::Curves(AGREEMENT_CURVES), AGREE),
    enc(
        "ECDH-ES+A128KW",
        Takes::Curves(AGREEMENT_CURVES),
        AGREE_AND_WRAP,
    ),
    enc(
        "ECDH-ES+A192KW",
        Takes::Curves(AGREEMENT_CURVES),
        AGREE_AND_WRAP,
    ),
    enc(
        "ECDH-ES+A256KW",
        Takes::Curves(AGREEMENT_CURVES),
        AGREE_AND_WRAP,
    ),
    enc("A128KW", Takes::OctExactly(128), WRAP),
    enc("A192KW", Takes::OctExactly(192), WRAP),
    enc("A256KW", Takes::OctExactly(256), WRAP),
    enc("A128GCMKW", Takes::OctExactly(128), WRAP),
    enc("A192GCMKW", Takes::OctExactly(192), WRAP),
    enc("A256GCMKW", Takes::OctExactly(256), WRAP),
    enc("A128GCM", Takes::OctExactly(128), WRAP),
    enc("A192GCM", Takes::OctExactly(192), WRAP),
    enc("A256GCM", Takes::OctExactly(256), WRAP),
    enc("A128CBC-HS256", Takes::OctExactly(256), WRAP),
    enc("A192CBC-HS384", Takes::OctExactly(384), WRAP),
    enc("A256CBC-HS512", Takes::OctExactly(512), WRAP),
    known(enc("RSA1_5", Takes::Rsa, WRAP)),
    known(enc("dir", Takes::OctAtLeast(8), WRAP)),
    known(enc("PBES2-HS256+A128KW", Takes::OctAtLeast(8), WRAP)),
    known(enc("PBES2-HS384+A192KW", Takes::OctAtLeast(8), WRAP)),
    known(enc("PBES2-HS512+A256KW", Takes::OctAtLeast(8), WRAP)),
];

const fn sig(name: &'static str, takes: Takes) -> Algorithm {
    Algorithm {
        name,
        usage: Use::Sig,
        takes,
        operations: SIGN,
        created: true,
    }
}

const fn enc(name: &'static str, takes: Takes, operations: &'static [&'static str]) -> Algorithm {
    Algorithm {
        name,
        usage: Use::Enc,
        takes,
        operations,
        created: true,
    }
}

/// Marks an algorithm that existing keys can use but `create` does not offer.
const fn known(mut algorithm: Algorithm) -> Algorithm {
    algorithm.created = false;
    algorithm
}

impl Algorithm {
    /// Finds the algorithm with this registered name. Case matters.
    pub fn named(name: &str) -> Option<&'static Algorithm> {
        ALGORITHMS.iter().find(|algorithm| algorithm.name == name)
    }

    /// Returns the name of the first signature algorithm that fits this `kty` and `crv`.
    pub fn signing_with(kty: &str, crv: Option<&str>) -> Option<&'static str> {
        let mut signing = ALGORITHMS.iter().filter(|alg| alg.usage == Use::Sig);
        let first = signing.find(|alg| alg.takes_key(kty, crv));
        first.map(|algorithm| algorithm.name)
    }

    /// Returns the algorithms that `create` offers.
    pub fn created() -> impl Iterator<Item = &'static Algorithm> {
        ALGORITHMS.iter().filter(|algorithm| algorithm.created)
    }

    /// Returns the `kty` values of the keys that the algorithm requires.
    pub fn key_types(&self) -> Vec<&'static str> {
        match self.takes {
            Takes::Rsa => vec!["RSA"],
            Takes::OctAtLeast(_) | Takes::OctExactly(_) => vec!["oct"],
            Takes::Akp => vec!["AKP"],
            Takes::Curves(names) => {
                let mut types: Vec<_> = names
                    .iter()
                    .filter_map(|name| Curve::named(name))
                    .map(|curve| curve.kty)
                    .collect();
                types.dedup();
                types
            }
        }
    }

    /// Returns true if the algorithm fits this `kty` and `crv`. Key sizes are not checked.
    pub fn takes_key(&self, kty: &str, crv: Option<&str>) -> bool {
        match self.takes {
            Takes::Curves(names) => crv.is_some_and(|crv| {
                names.contains(&crv) && Curve::named(crv).is_some_and(|curve| curve.kty == kty)
            }),
            Takes::Rsa | Takes::OctAtLeast(_) | Takes::OctExactly(_) | Takes::Akp => {
                self.key_types().contains(&kty)
            }
        }
    }

    /// Returns true if the algorithm fits symmetric keys of this size in bits. Other keys always fit.
    pub fn takes_size(&self, bits: u32) -> bool {
        match self.takes {
            Takes::OctAtLeast(least) => bits >= least,
            Takes::OctExactly(exactly) => bits == exactly,
            Takes::Rsa | Takes::Curves(_) | Takes::Akp => true,
        }
    }

    /// Describes the keys that the algorithm requires, such as `EC or OKP keys on P-256, P-384, …`.
    pub fn key_requirement(&self) -> String {
        match self.takes {
            Takes::Rsa => "RSA keys".into(),
            Takes::Curves(names) => {
                format!(
                    "{} keys on {}",
                    self.key_types().join(" or "),
                    names.join(", ")
                )
            }
            Takes::OctAtLeast(bits) => format!("oct keys of {bits} bits or more"),
            Takes::OctExactly(bits) => format!("oct keys of {bits} bits"),
            Takes::Akp => "AKP keys".into(),
        }
    }
}

impl PartialEq for Algorithm {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Algorithm {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_curve_of_an_algorithm_is_known() {
        for algorithm in ALGORITHMS {
            if let Takes::Curves(names) = algorithm.takes {
                assert!(names.iter().all(|name| Curve::named(name).is_some()));
            }
            assert!(!algorithm.key_types().is_empty(), "{}", algorithm.name);
        }
        assert_eq!(
            Algorithm::named("ECDH-ES").map(Algorithm::key_types),
            Some(vec!["EC", "OKP"])
        );
    }
}
