//! What a server that signs its own tokens requires of its signing keys.

use crate::key::Key;
use crate::key::algorithm::Algorithm;
use crate::key::header::Header;
use crate::key::key_type::KeyType;

/// The rules of a server that signs its own tokens with some of its sets.
#[derive(Debug)]
pub struct Issuer {
    /// The names of the sets with which it signs its own tokens.
    pub sets: &'static [&'static str],
    /// The values of `alg` that it can sign with.
    pub algorithms: &'static [&'static str],
    /// What it does when it needs a private key and the set has none.
    pub without_key: WithoutKey,
}

/// What a server does when it needs a private key and the set has none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WithoutKey {
    /// It generates a key into the set.
    Generates,
    /// It issues no tokens, and does not start again.
    Fails,
}

/// Why a server cannot sign with a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unfit {
    /// The key is symmetric, so nobody could verify the tokens.
    Symmetric,
    /// The key has no `alg`.
    NoAlg,
    /// The server knows the algorithm of this key only by its older name, EdDSA.
    OldName,
    /// The server does not sign with this algorithm.
    Alg(String),
    /// The algorithm does not fit the key type or curve.
    Misfit(String),
}

impl Issuer {
    /// Returns true if the server signs its own tokens with the set of this name.
    pub fn owns(&self, set: &str) -> bool {
        self.sets.contains(&set)
    }

    /// Says why the server cannot sign with a key, or `None` if it can.
    pub fn unfit(&self, key: &Key) -> Option<Unfit> {
        let header = Header::of(key);
        let kty = header.kty.as_deref().unwrap_or_default();
        if KeyType::named(kty).is_some_and(KeyType::is_symmetric) {
            return Some(Unfit::Symmetric);
        }
        let Some(alg) = header.alg.as_deref() else {
            return Some(Unfit::NoAlg);
        };
        let is_known = self.algorithms.contains(&alg);
        match Algorithm::named(alg).filter(|_| is_known) {
            Some(algorithm) if algorithm.takes_key(kty, header.crv.as_deref()) => None,
            Some(_) => Some(Unfit::Misfit(alg.to_owned())),
            None if alg == "Ed25519" && self.algorithms.contains(&"EdDSA") => Some(Unfit::OldName),
            None => Some(Unfit::Alg(alg.to_owned())),
        }
    }

    /// Returns the first algorithm that the server signs with and that fits the key.
    pub fn alg_for(&self, key: &Key) -> Option<&'static str> {
        let header = Header::of(key);
        let kty = header.kty.as_deref()?;
        let takes = |name: &&&str| {
            let algorithm = Algorithm::named(name);
            algorithm.is_some_and(|alg| alg.takes_key(kty, header.crv.as_deref()))
        };
        self.algorithms.iter().find(takes).copied()
    }
}

impl Unfit {
    /// Returns the reason for a message, to follow "because" or a colon.
    pub fn why(&self) -> String {
        match self {
            Unfit::Symmetric => "it is symmetric".into(),
            Unfit::NoAlg => "it has no alg".into(),
            Unfit::OldName => "its alg is Ed25519, which the server supports only as EdDSA".into(),
            Unfit::Alg(alg) => format!("its alg is {alg:?}"),
            Unfit::Misfit(alg) => format!("its alg {alg} does not fit the key"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NEW: Issuer = Issuer {
        sets: &["own"],
        algorithms: &["RS256", "PS256", "ES256", "ES384", "EdDSA"],
        without_key: WithoutKey::Generates,
    };

    fn unfit(issuer: &Issuer, json: &str) -> Option<Unfit> {
        issuer.unfit(&Key::from_json(json.to_owned()))
    }

    #[test]
    fn a_key_needs_an_alg_that_the_server_signs_with_and_that_fits_it() {
        let misfit = |alg: &str| Some(Unfit::Misfit(alg.into()));
        let alg = |alg: &str| Some(Unfit::Alg(alg.into()));
        for (json, reason) in [
            (r#"{"kty":"RSA","alg":"PS256"}"#, None),
            (r#"{"kty":"EC","crv":"P-256","alg":"ES256"}"#, None),
            (r#"{"kty":"OKP","crv":"Ed25519","alg":"EdDSA"}"#, None),
            (r#"{"kty":"RSA"}"#, Some(Unfit::NoAlg)),
            (
                r#"{"kty":"OKP","crv":"Ed25519","alg":"Ed25519"}"#,
                Some(Unfit::OldName),
            ),
            (
                r#"{"kty":"EC","crv":"P-256","alg":"RS256"}"#,
                misfit("RS256"),
            ),
            (
                r#"{"kty":"EC","crv":"P-256","alg":"ES384"}"#,
                misfit("ES384"),
            ),
            (r#"{"kty":"RSA","alg":"RSA-OAEP"}"#, alg("RSA-OAEP")),
            (r#"{"kty":"RSA","alg":"rs256"}"#, alg("rs256")),
            (r#"{"kty":"oct","alg":"HS256"}"#, Some(Unfit::Symmetric)),
        ] {
            assert_eq!(unfit(&NEW, json), reason, "{json}");
        }
    }

    #[test]
    fn the_alg_to_choose_is_one_of_the_server_that_takes_the_key() {
        for (json, alg) in [
            (r#"{"kty":"RSA","alg":"RS512"}"#, Some("RS256")),
            (r#"{"kty":"EC","crv":"P-384"}"#, Some("ES384")),
            (r#"{"kty":"OKP","crv":"Ed25519"}"#, Some("EdDSA")),
            (r#"{"kty":"EC","crv":"secp256k1"}"#, None),
        ] {
            assert_eq!(NEW.alg_for(&Key::from_json(json.to_owned())), alg, "{json}");
        }
    }
}
