//! Reads Kubernetes manifests: the data of Secrets and ConfigMaps, in YAML or JSON.

use crate::error::{Error, Result};
use crate::secret::Secret;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;
use yaml_rust2::parser::{Event, Parser};
use yaml_rust2::{Yaml, YamlLoader};

/// The maximum nesting depth of a manifest.
const DEPTH: usize = 64;

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

/// Returns the values in the data of all Secrets and ConfigMaps, ordered by name. Documents of other
/// kinds are skipped. Returns an error for invalid YAML, and for YAML that could exhaust memory.
pub fn read(text: &str) -> Result<Vec<Item>> {
    let mut items = Vec::new();
    for document in documents(text)? {
        // A separator at the end of the text begins a document without content.
        if !document.is_null() {
            collect(document, &mut items)?;
        }
    }
    Ok(items)
}

/// Returns the documents of a YAML stream, or the single JSON document.
fn documents(text: &str) -> Result<Vec<Value>> {
    if text.trim_start().starts_with('{') {
        let value = serde_json::from_str(text);
        return Ok(vec![
            value.map_err(|error| Error::invalid("not JSON").cause(error))?,
        ]);
    }
    bound(text)?;
    let documents = YamlLoader::load_from_str(text).map_err(no_yaml)?;
    documents.into_iter().map(to_json).collect()
}

fn no_yaml(error: yaml_rust2::ScanError) -> Error {
    Error::invalid("not YAML").cause(error)
}

/// Rejects YAML that could exhaust memory or the stack: aliases can expand to a much longer text, and
/// nested values are parsed recursively.
fn bound(text: &str) -> Result<()> {
    let mut parser = Parser::new_from_str(text);
    let mut depth = 0;
    loop {
        match parser.next_token().map_err(no_yaml)?.0 {
            Event::StreamEnd => return Ok(()),
            Event::Alias(_) => {
                return Err(Error::invalid("YAML aliases are not supported"));
            }
            Event::MappingStart(..) | Event::SequenceStart(..) => depth += 1,
            Event::MappingEnd | Event::SequenceEnd => depth -= 1,
            _ => {}
        }
        if depth > DEPTH {
            return Err(Error::invalid(format!("YAML nested deeper than {DEPTH}")));
        }
    }
}

fn to_json(yaml: Yaml) -> Result<Value> {
    Ok(match yaml {
        Yaml::Hash(hash) => {
            let mut object = serde_json::Map::new();
            for (name, value) in hash {
                let Yaml::String(name) = name else {
                    return Err(Error::invalid("YAML with a name that is not a string"));
                };
                object.insert(name, to_json(value)?);
            }
            Value::Object(object)
        }
        Yaml::Array(array) => Value::Array(array.into_iter().map(to_json).collect::<Result<_>>()?),
        Yaml::String(text) | Yaml::Real(text) => Value::String(text),
        Yaml::Integer(number) => number.into(),
        Yaml::Boolean(truth) => truth.into(),
        _ => Value::Null,
    })
}

fn collect(mut document: Value, items: &mut Vec<Item>) -> Result<()> {
    if let Some(Value::Array(documents)) = document.get_mut("items").map(Value::take) {
        for document in documents {
            collect(document, items)?;
        }
    }
    let kind = document.get("kind").and_then(Value::as_str);
    let is_secret = match kind {
        Some("Secret") => true,
        Some("ConfigMap") => false,
        _ => return Ok(()),
    };
    let manifest: Manifest = serde_json::from_value(document)
        .map_err(|error| Error::invalid("not a Kubernetes manifest").cause(error))?;
    let (encoded, plain) = if is_secret {
        (manifest.data, manifest.string_data)
    } else {
        (manifest.binary_data, manifest.data)
    };
    for (name, value) in encoded.into_iter().flatten() {
        items.push((name, text_of(value).and_then(decode)));
    }
    for (name, value) in plain.into_iter().flatten() {
        let octets = text_of(value).map(|text| Secret::new(text.into_bytes()));
        items.push((name, octets));
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
