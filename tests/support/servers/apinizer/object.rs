//! An object of a project: one JWK and the source that it came from.

use super::{Outcome, bad_request};
use josekit::jwk::Jwk;
use josekit::jwk::alg::ec::EcCurve;
use josekit::jwk::alg::ecx::EcxCurve;
use josekit::jwk::alg::ed::EdCurve;
use serde_json::{Map, Value, json};

/// The members of a JWK that hold key material.
const MATERIAL: [&str; 13] = [
    "crv", "x", "y", "n", "e", "d", "p", "q", "dp", "dq", "qi", "oth", "k",
];

/// A JWK with the name of its object and its source.
pub struct Object {
    pub name: String,
    pub description: Value,
    pub source_type: &'static str,
    pub source_url: Value,
    /// The JWK.
    pub key: Value,
}

impl Object {
    /// Returns the object that a create request describes.
    pub fn sourced(body: &Value) -> Outcome<Object> {
        let text = |member: &str| {
            let missing = || bad_request(format!("{member} is missing"));
            body[member].as_str().ok_or_else(missing)
        };
        let (source_type, source) = match text("sourceType")? {
            "COPY_PASTE" => ("COPY_PASTE", text("jwkStr")?.to_owned()),
            "URL" => ("URL", fetch(text("url")?)?),
            other => return Err(bad_request(format!("no sourceType {other} here"))),
        };
        Ok(Object {
            name: name(body)?,
            description: body["description"].clone(),
            source_type,
            source_url: body["url"].clone(),
            key: chosen(&source, body["kid"].as_str())?,
        })
    }

    /// Returns a new object for a generate request. The settings of the key are in the member named
    /// after its type.
    pub fn generated(body: &Value) -> Outcome<Object> {
        let key_type = body["type"].as_str().unwrap_or_default();
        let wanted = &body[key_type.to_lowercase()];
        let size = wanted["keySize"].as_u64().unwrap_or_default();
        let curve = wanted["curveType"].as_str().unwrap_or_default();
        let key = match (key_type, size, curve) {
            ("RSA", 2048 | 3072 | 4096, _) => Jwk::generate_rsa_key(size as u32),
            ("EC", _, "P256") => Jwk::generate_ec_key(EcCurve::P256),
            ("EC", _, "P384") => Jwk::generate_ec_key(EcCurve::P384),
            ("EC", _, "P521") => Jwk::generate_ec_key(EcCurve::P521),
            ("EC", _, "SECP256K1") => Jwk::generate_ec_key(EcCurve::Secp256k1),
            ("OCT", 128 | 192 | 256, _) => Jwk::generate_oct_key((size / 8) as u8),
            ("OKP", _, "ED25519") => Jwk::generate_ed_key(EdCurve::Ed25519),
            ("OKP", _, "X25519") => Jwk::generate_ecx_key(EcxCurve::X25519),
            _ => return Err(bad_request("No such type, keySize or curveType")),
        };
        let mut key = key.expect("a key");
        match body["kid"].as_str() {
            Some(kid) => key.set_key_id(kid),
            None => key.set_key_id(uuid::Uuid::new_v4().to_string()),
        }
        let members: &Map<String, Value> = key.as_ref();
        Ok(Object {
            name: name(body)?,
            description: body["description"].clone(),
            source_type: "GENERATE",
            source_url: Value::Null,
            key: Value::Object(members.clone()),
        })
    }

    /// Returns the object as lists show it: without its key.
    pub fn overview(&self, project: &str) -> Value {
        json!({
            "name": self.name,
            "description": self.description,
            "projectId": format!("id-of-{project}"),
            "sourceType": self.source_type,
            "sourceId": null,
            "sourceUrl": self.source_url,
            "type": self.key["kty"].as_str().unwrap_or_default().to_uppercase(),
            "kid": self.key["kid"],
        })
    }

    /// Returns the object with its key, which is in the member named after its type.
    pub fn detail(&self, project: &str) -> Value {
        let mut detail = self.overview(project);
        let members = self.key.as_object().into_iter().flatten();
        let material = members.filter(|(name, _)| MATERIAL.contains(&name.as_str()));
        let material: Map<String, Value> = material
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect();
        let key_type = self.key["kty"].as_str().unwrap_or_default();
        detail[key_type.to_lowercase()] = Value::Object(material);
        detail
    }
}

/// Returns the JWK in a source. In a JWK Set, `kid` selects the key.
fn chosen(source: &str, kid: Option<&str>) -> Outcome<Value> {
    let no_jwk = || bad_request("The source holds no such JWK");
    let source: Value = serde_json::from_str(source).map_err(|_| no_jwk())?;
    let mut key = match (source["keys"].as_array(), kid) {
        (None, _) => source,
        (Some(_), None) => return Err(bad_request("kid is missing, the source is a set")),
        (Some(keys), Some(kid)) => {
            let found = keys.iter().find(|key| key["kid"] == kid);
            found.cloned().ok_or_else(no_jwk)?
        }
    };
    if !["RSA", "EC", "oct", "OKP"].contains(&key["kty"].as_str().unwrap_or_default()) {
        return Err(no_jwk());
    }
    if let (true, Some(kid)) = (key["kid"].is_null(), kid) {
        key["kid"] = json!(kid);
    }
    Ok(key)
}

fn fetch(url: &str) -> Outcome<String> {
    let text = ureq::get(url).call();
    let text = text.and_then(|mut response| response.body_mut().read_to_string());
    text.map_err(|error| bad_request(format!("{url}: {error}")))
}

fn name(body: &Value) -> Outcome<String> {
    match body["name"].as_str() {
        None | Some("") => Err(bad_request("The JWK needs a name")),
        Some(name) => Ok(name.to_owned()),
    }
}
