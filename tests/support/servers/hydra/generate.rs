//! Generates keys as a Hydra does.

use super::{Outcome, Refusal, Version, check, public_form};
use josekit::jwk::Jwk;
use josekit::jwk::alg::ec::EcCurve;
use josekit::jwk::alg::ed::EdCurve;
use serde_json::{Map, Value, json};

/// Returns the entries of a new key for the request `{"alg","use","kid"}`, in the order in which they
/// are inserted.
pub fn generate(version: Version, wanted: &Value) -> Outcome<Vec<Value>> {
    let alg = text(wanted, "alg")?.unwrap_or_default();
    if !algorithms(version).contains(&alg) {
        return Err(Refusal::new(
            400,
            "Bad Request",
            "Unsupported key algorithm",
        ));
    }
    let kid = match text(wanted, "kid")? {
        None | Some("") => uuid::Uuid::new_v4().to_string(),
        Some(kid) => kid.to_owned(),
    };
    let mut key = material(alg);
    key["kid"] = json!(kid);
    if let Some(usage) = text(wanted, "use")? {
        key["use"] = json!(usage);
    }
    let is_unnamed = version.is_1() && (alg.starts_with("ES") || alg == "EdDSA");
    if !is_unnamed {
        key["alg"] = json!(alg);
    }
    let key = check::kept(&key)?;
    Ok(match public_form(&key) {
        Some(public) if version.is_1() => vec![
            renamed(key, format!("private:{kid}")),
            renamed(public, format!("public:{kid}")),
        ],
        _ => vec![key],
    })
}

fn algorithms(version: Version) -> &'static [&'static str] {
    match version {
        Version::V1_0 => &["RS256", "ES512", "HS256", "HS512"],
        Version::V1_10 | Version::V1_11 => &["RS256", "ES512", "HS256", "HS512", "ES256", "EdDSA"],
        Version::V2_0 | Version::V2_2 | Version::V26_2 => &[
            "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512",
            "EdDSA",
        ],
    }
}

fn material(alg: &str) -> Value {
    let key = match alg {
        "ES256" => Jwk::generate_ec_key(EcCurve::P256),
        "ES384" => Jwk::generate_ec_key(EcCurve::P384),
        "ES512" => Jwk::generate_ec_key(EcCurve::P521),
        "EdDSA" => Jwk::generate_ed_key(EdCurve::Ed25519),
        "HS256" => Jwk::generate_oct_key(32),
        "HS512" => Jwk::generate_oct_key(64),
        // The real server generates 4096 bits, which is slow.
        _ => Jwk::generate_rsa_key(2048),
    };
    let key = key.expect("a key");
    let members: &Map<String, Value> = key.as_ref();
    Value::Object(members.clone())
}

fn renamed(mut key: Value, kid: String) -> Value {
    key["kid"] = json!(kid);
    key
}

fn text<'w>(wanted: &'w Value, member: &str) -> Outcome<Option<&'w str>> {
    match &wanted[member] {
        Value::Null => Ok(None),
        Value::String(text) => Ok(Some(text)),
        _ => Err(Refusal::malformed(400, format!("{member} is no string"))),
    }
}
