//! Verifies the tokens of each case with the Rust libraries, as their documentation says.

use serde::{Deserialize, Serialize};
use std::error::Error;

/// A set and the tokens to verify with it.
#[derive(Deserialize)]
struct Case {
    name: String,
    set: String,
    tokens: Vec<String>,
}

/// For each token, `None` if it was verified, or else the error.
#[derive(Serialize)]
struct Outcome<'a> {
    verifier: &'a str,
    version: &'a str,
    case: &'a str,
    errors: Vec<Option<String>>,
}

type Verified = Result<(), Box<dyn Error>>;

fn jsonwebtoken(case: &Case, token: &str) -> Verified {
    let set: jsonwebtoken::jwk::JwkSet = serde_json::from_str(&case.set)?;
    let header = jsonwebtoken::decode_header(token)?;
    let kid = header.kid.ok_or("the token has no kid")?;
    let jwk = set.find(&kid).ok_or("no key has the kid")?;
    let key = jsonwebtoken::DecodingKey::from_jwk(jwk)?;
    let mut validation = jsonwebtoken::Validation::new(header.alg);
    validation.set_audience(&["client"]);
    jsonwebtoken::decode::<serde_json::Value>(token, &key, &validation)?;
    Ok(())
}

fn josekit(case: &Case, token: &str) -> Verified {
    use josekit::jws;
    let set = josekit::jwk::JwkSet::from_bytes(&case.set)?;
    let header = josekit::jwt::decode_header(token)?;
    let text = |name| header.claim(name).and_then(|value| value.as_str());
    let (kid, alg) = (
        text("kid").ok_or("the token has no kid")?,
        text("alg").unwrap_or_default(),
    );
    let jwk = *set.get(kid).first().ok_or("no key has the kid")?;
    let verifier: Box<dyn jws::JwsVerifier> = match alg {
        "RS256" => Box::new(jws::RS256.verifier_from_jwk(jwk)?),
        "RS384" => Box::new(jws::RS384.verifier_from_jwk(jwk)?),
        "RS512" => Box::new(jws::RS512.verifier_from_jwk(jwk)?),
        "PS256" => Box::new(jws::PS256.verifier_from_jwk(jwk)?),
        "PS384" => Box::new(jws::PS384.verifier_from_jwk(jwk)?),
        "PS512" => Box::new(jws::PS512.verifier_from_jwk(jwk)?),
        "ES256" => Box::new(jws::ES256.verifier_from_jwk(jwk)?),
        "ES384" => Box::new(jws::ES384.verifier_from_jwk(jwk)?),
        "ES512" => Box::new(jws::ES512.verifier_from_jwk(jwk)?),
        "ES256K" => Box::new(jws::ES256K.verifier_from_jwk(jwk)?),
        "EdDSA" => Box::new(jws::EdDSA.verifier_from_jwk(jwk)?),
        _ => return Err("josekit has no such algorithm".into()),
    };
    josekit::jwt::decode_with_verifier(token, &*verifier)?;
    Ok(())
}

type Verify = fn(&Case, &str) -> Verified;

fn main() -> Verified {
    let path = std::env::args().nth(1).ok_or("no file of cases")?;
    let cases: Vec<Case> = serde_json::from_str(&std::fs::read_to_string(path)?)?;
    // Cargo.toml pins the versions.
    let verifiers: [(&str, &str, Verify); 2] = [
        ("josekit", "0.10.3", josekit),
        ("jsonwebtoken", "12.0.0", jsonwebtoken),
    ];
    for (verifier, version, verify) in verifiers {
        for case in &cases {
            let errors = case.tokens.iter().map(|token| {
                let error = verify(case, token).err()?;
                Some(error.to_string().chars().take(200).collect())
            });
            let errors = errors.collect();
            println!(
                "{}",
                serde_json::to_string(&Outcome {
                    verifier,
                    version,
                    case: &case.name,
                    errors
                })?
            );
        }
    }
    Ok(())
}
