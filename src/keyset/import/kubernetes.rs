//! Reads Kubernetes manifests in YAML or JSON: the data of Secrets and ConfigMaps, and other documents.

use crate::error::{Error, Result};
use crate::keyset::import::yaml;
use crate::secret::Secret;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;

/// One value of a manifest's data: its name, and its bytes or the reason why they cannot be read.
pub type Item = (String, Result<Secret<Vec<u8>>>);

type Data = Option<BTreeMap<String, Value>>;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Manifest {
    #[serde(default)]
    data: Data,
    #[serde(default)]
    string_data: Data,
    #[serde(default)]
    binary_data: Data,
}

/// Returns true if a YAML text looks like a manifest.
pub fn is_manifest(text: &str) -> bool {
    let has = |name| text.lines().any(|line| line.starts_with(name));
    has("apiVersion:") && has("kind:")
}

/// The values in the data of all Secrets and ConfigMaps, and the documents of other kinds.
#[derive(Default)]
pub struct Contents {
    /// The values, in the order of the documents.
    pub items: Vec<Item>,
    /// The documents of other kinds.
    pub others: Vec<Value>,
}

/// Returns the contents of a manifest. Returns an error for invalid YAML, and for YAML that could
/// exhaust memory.
pub fn read(text: &str) -> Result<Contents> {
    let mut contents = Contents::default();
    for document in yaml::documents(text)? {
        // A separator at the end of the text begins a document without content.
        if !document.is_null() {
            collect(document, &mut contents)?;
        }
    }
    Ok(contents)
}

fn collect(mut document: Value, contents: &mut Contents) -> Result<()> {
    if let Some(Value::Array(documents)) = document.get_mut("items") {
        for document in std::mem::take(documents) {
            collect(document, contents)?;
        }
        return Ok(());
    }
    let kind = document.get("kind").and_then(Value::as_str);
    let is_secret = match kind {
        Some("Secret") => true,
        Some("ConfigMap") => false,
        _ => {
            contents.others.push(document);
            return Ok(());
        }
    };
    let manifest: Manifest = serde_json::from_value(document)
        .map_err(|error| Error::invalid("not a Kubernetes manifest").cause(error))?;
    let (encoded, plain) = if is_secret {
        (manifest.data, manifest.string_data)
    } else {
        (manifest.binary_data, manifest.data)
    };
    for (name, value) in encoded.into_iter().flatten() {
        contents.items.push((name, text_of(value).and_then(decode)));
    }
    for (name, value) in plain.into_iter().flatten() {
        let octets = text_of(value).map(|text| Secret::new(text.into_bytes()));
        contents.items.push((name, octets));
    }
    Ok(())
}

fn text_of(value: Value) -> Result<String> {
    match value {
        Value::String(text) => Ok(text),
        _ => Err(Error::invalid("its value is not a string")),
    }
}

fn decode(text: String) -> Result<Secret<Vec<u8>>> {
    let text = Secret::new(text);
    let words = text.expose().split_ascii_whitespace();
    let compact = Secret::new(words.collect::<String>());
    let octets = STANDARD.decode(compact.expose());
    let octets = octets.map_err(|error| Error::invalid("its value is not base64").cause(error));
    octets.map(Secret::new)
}
