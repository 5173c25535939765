//! The answers and bodies of the key-value engine.

use crate::error::{Error, Result};
use crate::keystore::medium::{Found, Version};
use crate::remote::http::{Answer, parse};
use crate::secret::Secret;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::{RawValue, to_raw_value};
use std::collections::BTreeMap;

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
    data: Option<Fields>,
    metadata: Metadata,
}

/// The fields of a secret. Those of others keep their text, such as `1.0`.
type Fields = BTreeMap<String, Box<RawValue>>;

/// The body of a write.
#[derive(Serialize)]
struct Written {
    options: Options,
    data: Fields,
}

#[derive(Serialize)]
struct Options {
    cas: u64,
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
        None => None,
        Some(value) => match value.get().as_bytes().first() {
            Some(b'n') => None,
            // Somebody has put the set there as an object.
            Some(b'{') => Some(value.get().to_owned()),
            _ => Some(
                serde_json::from_str(value.get())
                    .map_err(|_| Error::invalid(format!("its field {field} is not a text")))?,
            ),
        },
    };
    // Serialization cannot fail: the names are strings, and the values are JSON.
    let beside = || Secret::new(serde_json::to_string(&fields).unwrap_or_default());
    let beside = (!fields.is_empty()).then(beside);
    Ok(Found {
        text: text.map(Secret::new),
        version: Version {
            tag: Some(data.metadata.version.to_string()),
            beside,
        },
    })
}

/// Returns true for the answer about a path at which there is nothing: `{"errors":[]}`.
pub fn is_missing(answer: &Answer) -> bool {
    let value = parse::<Value>(answer.body.expose());
    value.is_some_and(|value| value["errors"].as_array().is_some_and(Vec::is_empty))
}

/// Returns the body of a write: the field, or none, beside the other fields of the version that was read.
pub fn body(
    field: &str,
    text: Option<&Secret<String>>,
    version: &Version,
) -> Result<Secret<String>> {
    let unusable = |error| Error::failed("the secret cannot be written").cause(error);
    let mut data: Fields = match &version.beside {
        Some(beside) => serde_json::from_str(beside.expose()).map_err(unusable)?,
        None => Fields::new(),
    };
    if let Some(text) = text {
        let text = to_raw_value(text.expose()).map_err(unusable)?;
        data.insert(field.to_owned(), text);
    }
    let tag = version.tag.as_deref().unwrap_or("0");
    let cas: u64 = tag
        .parse()
        .map_err(|_| Error::remote("the version of the secret is not a number"))?;
    let options = Options { cas };
    let body = serde_json::to_string(&Written { options, data }).map_err(unusable)?;
    Ok(Secret::new(body))
}
