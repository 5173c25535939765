//! The keys that a Hydra accepts, and the members that it stores.

use super::{Outcome, Refusal};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use openssl::bn::BigNum;
use openssl::ec::{EcGroup, EcKey};
use openssl::error::ErrorStack;
use openssl::nid::Nid;
use openssl::pkey::{Id, PKey, Public};
use openssl::rsa::Rsa;
use openssl::x509::X509;
use serde_json::{Map, Value};

/// The members that are stored, in the order in which they are returned.
const KEPT: [&str; 20] = [
    "use", "kty", "kid", "crv", "alg", "k", "x", "y", "n", "e", "d", "p", "q", "dp", "dq", "qi",
    "x5c", "x5u", "x5t", "x5t#S256",
];

/// Returns a key with the members that are stored, or an error if the key is not accepted.
pub fn kept(key: &Value) -> Outcome<Value> {
    let mut kept = Map::new();
    for name in KEPT {
        match &key[name] {
            Value::Null => {}
            Value::Array(_) if name == "x5c" => _ = kept.insert(name.into(), key[name].clone()),
            Value::String(_) if name != "x5c" => _ = kept.insert(name.into(), key[name].clone()),
            _ => return Err(refusal(format!("{name} is of the wrong type"))),
        }
    }
    let kept = Value::Object(kept);
    match kept["kty"].as_str().unwrap_or_default() {
        "RSA" => check_rsa(&kept)?,
        "EC" => check_ec(&kept)?,
        "OKP" => check_okp(&kept)?,
        "oct" => _ = octets(&kept, "k")?,
        other => return Err(refusal(format!("unknown kty {other}"))),
    }
    check_certificate(&kept)?;
    Ok(kept)
}

fn check_rsa(key: &Value) -> Outcome<()> {
    let required: &[&str] = match key["d"] {
        Value::Null => &["n", "e"],
        _ => &["n", "e", "d", "p", "q"],
    };
    for member in required {
        octets(key, member)?;
    }
    Ok(())
}

fn check_ec(key: &Value) -> Outcome<()> {
    let size = match key["crv"].as_str().unwrap_or_default() {
        "P-256" => 32,
        "P-384" => 48,
        "P-521" => 66,
        other => return Err(refusal(format!("unknown crv {other}"))),
    };
    check_sizes(key, &["x", "y"], size)
}

fn check_okp(key: &Value) -> Outcome<()> {
    match key["crv"].as_str().unwrap_or_default() {
        "Ed25519" => check_sizes(key, &["x"], 32),
        other => Err(refusal(format!("unknown crv {other}"))),
    }
}

/// Checks that the public members, and the private member if it is present, have `size` bytes.
fn check_sizes(key: &Value, public: &[&str], size: usize) -> Outcome<()> {
    let private = (!key["d"].is_null()).then_some("d");
    for member in public.iter().copied().chain(private) {
        if octets(key, member)?.len() != size {
            return Err(refusal(format!("{member} is of the wrong length")));
        }
    }
    Ok(())
}

/// Checks that the first certificate of a chain is for this key.
fn check_certificate(key: &Value) -> Outcome<()> {
    let Some(first) = key["x5c"].get(0) else {
        return Ok(());
    };
    let certificate = STANDARD.decode(first.as_str().unwrap_or_default());
    let certified = certificate.ok().and_then(|der| X509::from_der(&der).ok());
    let certified = certified.and_then(|certificate| certificate.public_key().ok());
    let own = public_key(key)?.ok();
    let is_same = certified
        .zip(own)
        .is_some_and(|(certified, own)| certified.public_eq(&own));
    is_same
        .then_some(())
        .ok_or_else(|| refusal("x5c does not match the key"))
}

fn public_key(key: &Value) -> Outcome<Result<PKey<Public>, ErrorStack>> {
    Ok(match key["kty"].as_str().unwrap_or_default() {
        "RSA" => rsa_key(&octets(key, "n")?, &octets(key, "e")?),
        "EC" => ec_key(&octets(key, "x")?, &octets(key, "y")?),
        "OKP" => PKey::public_key_from_raw_bytes(&octets(key, "x")?, Id::ED25519),
        _ => return Err(refusal("a symmetric key has no certificate")),
    })
}

fn rsa_key(n: &[u8], e: &[u8]) -> Result<PKey<Public>, ErrorStack> {
    let (n, e) = (BigNum::from_slice(n)?, BigNum::from_slice(e)?);
    PKey::from_rsa(Rsa::from_public_components(n, e)?)
}

fn ec_key(x: &[u8], y: &[u8]) -> Result<PKey<Public>, ErrorStack> {
    let curve = match x.len() {
        32 => Nid::X9_62_PRIME256V1,
        48 => Nid::SECP384R1,
        _ => Nid::SECP521R1,
    };
    let group = EcGroup::from_curve_name(curve)?;
    let (x, y) = (BigNum::from_slice(x)?, BigNum::from_slice(y)?);
    PKey::from_ec_key(EcKey::from_public_key_affine_coordinates(&group, &x, &y)?)
}

/// Decodes a required member.
fn octets(key: &Value, member: &str) -> Outcome<Vec<u8>> {
    let text = key[member].as_str().unwrap_or_default();
    match URL_SAFE_NO_PAD.decode(text.trim_end_matches('=')) {
        Ok(octets) if !octets.is_empty() => Ok(octets),
        _ => Err(refusal(format!("{member} is missing or no base64url"))),
    }
}

fn refusal(reason: impl Into<String>) -> Refusal {
    Refusal::malformed(400, reason)
}
