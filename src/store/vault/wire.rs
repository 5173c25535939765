//! The answers and bodies of the key-value engine.

use crate::error::{Error, Result};
use crate::keystore::medium::{Found, Version};
use crate::remote::http::{Answer, parse};
use crate::secret::Secret;
use serde::Deserialize;
use serde_json::{Map, Value, json};

/// An answer, whose content is in `data`.
#[derive(Deserialize)]
pub struct Secrets<T> {
    pub data: T,
}

/// The mount of an engine.
#[derive(Deserialize)]
pub struct Mount {
    pub path: String,
    #[serde(rename = "type")]
    pub kind: String,
    pub options: Option<MountOptions>,
}

/// The options of a mount.
#[derive(Default, Deserialize)]
pub struct MountOptions {
    pub version: Option<String>,
}

/// The names below a path. Those of folders end with a slash.
#[derive(Deserialize)]
pub struct Listing {
    pub keys: Vec<String>,
}

/// A version of a secret. The data of a deleted one is `null`.
#[derive(Deserialize)]
struct Content {
    data: Option<Map<String, Value>>,
    metadata: Metadata,
}

#[derive(Deserialize)]
struct Metadata {
    version: u64,
}

/// Returns what an answer says of a secret: its field, its version and its other fields. A secret that was
/// deleted has a version, too, which the next write must name.
pub fn read(answer: &Answer, field: &str) -> Result<Found> {
    let Some(Secrets { data }) = parse::<Secrets<Content>>(answer.body.expose()) else {
        return match answer.status {
            404 if is_missing(answer) => Ok(Found::nothing()),
            _ => Err(answer.unlike("a secret of the key-value engine of version 2")),
        };
    };
    let mut fields = data.data.unwrap_or_default();
    let text = match fields.remove(field) {
        None | Some(Value::Null) => None,
        Some(Value::String(text)) => Some(text),
        // Somebody has put the set there as an object.
        Some(object @ Value::Object(_)) => Some(object.to_string()),
        Some(_) => return Err(Error::invalid(format!("its field {field} is not a text"))),
    };
    let beside = (!fields.is_empty()).then(|| Value::Object(fields).to_string());
    Ok(Found {
        text: text.map(Secret::new),
        version: Version {
            tag: Some(data.metadata.version.to_string()),
            beside,
        },
    })
}

/// Returns true for the answer about a secret that was never written: `{"errors":[]}`.
fn is_missing(answer: &Answer) -> bool {
    let value = parse::<Value>(answer.body.expose());
    value.is_some_and(|value| value["errors"].as_array().is_some_and(Vec::is_empty))
}

/// Returns the body of a write: the field, or none, beside the other fields of the version that was read.
pub fn body(
    field: &str,
    text: Option<&Secret<String>>,
    version: &Version,
) -> Result<Secret<String>> {
    let beside = version.beside.as_deref().map(serde_json::from_str);
    let mut fields: Map<String, Value> = match beside {
        Some(Ok(fields)) => fields,
        _ => Map::new(),
    };
    if let Some(text) = text {
        fields.insert(field.to_owned(), Value::String(text.expose().clone()));
    }
    let tag = version.tag.as_deref().unwrap_or("0");
    let cas: u64 = tag
        .parse()
        .map_err(|_| Error::remote("the version of the secret is not a number"))?;
    let body = json!({ "options": { "cas": cas }, "data": fields });
    Ok(Secret::new(body.to_string()))
}
