//! Reads YAML as JSON values.

use crate::error::{Error, Result};
use serde_json::Value;
use yaml_rust2::parser::{Event, Parser};
use yaml_rust2::{Yaml, YamlLoader};

/// The maximum nesting depth of YAML.
const DEPTH: usize = 64;

/// Returns true if the first line with content is a YAML mapping or sequence entry.
pub fn is_in(text: &str) -> bool {
    let mut lines = text.lines();
    let is_content = |line: &&str| {
        !line.trim().is_empty() && !line.starts_with(['#', '%']) && line.trim_end() != "---"
    };
    lines.find(is_content).is_some_and(|line| {
        let is_name = |name: &str| !name.is_empty() && !name.contains([' ', '{', '[', ',']);
        let member = line.split_once(':');
        line.starts_with("- ")
            || member.is_some_and(|(name, value)| {
                is_name(name) && (value.is_empty() || value.starts_with([' ', '\r']))
            })
    })
}

/// Returns the documents of a YAML stream, or the single JSON document. Returns an error for invalid
/// YAML, and for YAML that could exhaust memory.
pub fn documents(text: &str) -> Result<Vec<Value>> {
    if text.trim_start().starts_with('{') {
        let value = serde_json::from_str(text);
        return Ok(vec![
            value.map_err(|error| Error::invalid("invalid JSON").cause(error))?,
        ]);
    }
    check_bounds(text)?;
    let documents = YamlLoader::load_from_str(text).map_err(invalid_yaml)?;
    documents.into_iter().map(to_json).collect()
}

fn invalid_yaml(error: yaml_rust2::ScanError) -> Error {
    Error::invalid("invalid YAML").cause(error)
}

/// Rejects YAML that could exhaust memory or the stack: aliases can expand to a much longer text, and
/// nested values are parsed recursively.
fn check_bounds(text: &str) -> Result<()> {
    let mut parser = Parser::new_from_str(text);
    let mut depth = 0;
    loop {
        match parser.next_token().map_err(invalid_yaml)?.0 {
            Event::StreamEnd => return Ok(()),
            Event::Alias(_) => {
                return Err(Error::invalid("YAML aliases are not supported"));
            }
            Event::MappingStart(..) | Event::SequenceStart(..) => depth += 1,
            Event::MappingEnd | Event::SequenceEnd => depth -= 1,
            _ => {}
        }
        if depth > DEPTH {
            return Err(Error::invalid(format!(
                "the YAML is nested deeper than {DEPTH} levels"
            )));
        }
    }
}

fn to_json(yaml: Yaml) -> Result<Value> {
    Ok(match yaml {
        Yaml::Hash(hash) => {
            let mut object = serde_json::Map::new();
            for (name, value) in hash {
                let Yaml::String(name) = name else {
                    return Err(Error::invalid(
                        "a YAML mapping has a key that is not a string",
                    ));
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
