//! The request with which Apinizer generates a key.

use crate::error::{Error, Result};
use crate::key::generate::{Plan, Request};
use crate::remote::kind::Generate;
use serde_json::{Value, json};

/// Returns the body of the call that generates a key.
pub fn body(name: &str, key: &Generate) -> Result<Value> {
    let plan = Plan::new(Request {
        alg: key.alg.as_deref(),
        kty: key.kty.as_deref(),
        crv: key.crv.as_deref(),
        size: key.size,
        usage: key.usage.as_deref(),
    })?;
    let refuse = |what: String| {
        Err(Error::usage(format!("Apinizer does not generate {what}")).hint(
            "it generates RSA of 2048, 3072 or 4096 bits, EC on P-256, P-384, P-521 or secp256k1, oct of 128, 192 or 256 bits, OKP on Ed25519 or X25519",
        ))
    };
    let (kind, member, settings) = match (plan.kty(), plan.crv(), plan.bits()) {
        ("RSA", _, Some(bits @ (2048 | 3072 | 4096))) => ("RSA", "rsa", json!({"keySize": bits})),
        ("oct", _, Some(bits @ (128 | 192 | 256))) => ("OCT", "oct", json!({"keySize": bits})),
        ("EC", Some(crv), _) => {
            let curve = crv.replace('-', "").to_ascii_uppercase();
            ("EC", "ec", json!({"curveType": curve}))
        }
        ("OKP", Some(crv @ ("Ed25519" | "X25519")), _) => {
            ("OKP", "okp", json!({"curveType": crv.to_ascii_uppercase()}))
        }
        _ => return refuse(plan.description()),
    };
    // Some versions read the settings next to the type, others in a member with its name.
    let mut body = settings.clone();
    body["name"] = name.into();
    body["kid"] = name.into();
    body["type"] = kind.into();
    body[member] = settings;
    Ok(body)
}
