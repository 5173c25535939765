//! Signs tokens as a Hydra does: with which key, and under which kid.

use super::Version;
use super::storage::kid;
use serde_json::Value;

/// The header of a signed token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    pub kid: String,
    pub alg: String,
}

/// Signs with a key of a set, whose keys are in the order of the database. Returns the status of the
/// server's answer if no key can sign.
pub fn sign(version: Version, keys: &[Value]) -> Result<Token, u16> {
    if version.is_1() {
        sign_with_pair(keys)
    } else {
        sign_with_first(keys)
    }
}

/// Signs as 1.x does: with RS256, and with the first public and the first other key. By their kids,
/// these must be the halves of one RSA pair.
fn sign_with_pair(keys: &[Value]) -> Result<Token, u16> {
    if keys.is_empty() {
        return Err(404);
    }
    let public = keys.iter().find(|key| is_public(key)).ok_or(500_u16)?;
    let private = keys.iter().find(|key| !is_public(key)).ok_or(500_u16)?;
    let suffix = |key: &Value, prefix| kid(key).replacen(prefix, "", 1);
    let is_pair = suffix(public, "public:") == suffix(private, "private:");
    let are_rsa = public["kty"] == "RSA" && private["kty"] == "RSA";
    if is_pair && are_rsa {
        Ok(Token {
            kid: kid(public).to_owned(),
            alg: "RS256".to_owned(),
        })
    } else {
        Err(500)
    }
}

/// Signs as 2.x does: with the first key that is not public, and with that key's `alg`.
fn sign_with_first(keys: &[Value]) -> Result<Token, u16> {
    let first = keys.iter().find(|key| !is_public(key)).ok_or(500_u16)?;
    if first["kty"] == "oct" {
        return Ok(Token {
            kid: String::new(),
            alg: "HS256".to_owned(),
        });
    }
    let alg = first["alg"].as_str().unwrap_or_default();
    let fits = match alg {
        "RS256" | "RS384" | "RS512" | "PS256" | "PS384" | "PS512" => first["kty"] == "RSA",
        "ES256" => first["crv"] == "P-256",
        "ES384" => first["crv"] == "P-384",
        "ES512" => first["crv"] == "P-521",
        "EdDSA" => first["crv"] == "Ed25519",
        _ => false,
    };
    if fits {
        Ok(Token {
            kid: kid(first).to_owned(),
            alg: alg.to_owned(),
        })
    } else {
        Err(500)
    }
}

/// Returns true for a key without a private part; a symmetric key is never public.
pub fn is_public(key: &Value) -> bool {
    key["d"].is_null() && key["kty"] != "oct"
}
