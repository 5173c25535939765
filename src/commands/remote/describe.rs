//! A remote in words, with nothing in them that could be a secret.

use crate::error::{Error, Result};
use crate::remote::entry::{Entry, TOKEN};
use crate::remote::kind::{Auth, ServerKind};
use crate::remote::location::parse_address;
use serde_json::{Value, json};

/// An address as far as it can hold no secret.
pub fn shown_address(address: &str) -> String {
    match parse_address(address) {
        _ if address == TOKEN => TOKEN.to_owned(),
        Ok(_) => address.to_owned(),
        Err(_) => "(no usable address)".into(),
    }
}

/// Where a remote is, in a few words.
pub fn location(entry: &Entry) -> String {
    let settings = entry.location.settings();
    let words: Vec<_> = settings
        .iter()
        .map(|(name, value)| match *name {
            "--url" | "--issuer" => shown_address(value),
            name => format!("{} {value}", name.trim_start_matches('-')),
        })
        .collect();
    if words.is_empty() {
        "-".into()
    } else {
        words.join(", ")
    }
}

/// The entry as it is kept, with what the kind can do. It holds no token; values of headers are
/// left out, for somebody may have put a secret there.
pub fn described(entry: &Entry) -> Result<Value> {
    let mut value = serde_json::to_value(entry)
        .map_err(|error| Error::failed("cannot write JSON").cause(error))?;
    for member in ["url", "issuer"] {
        if let Some(address) = value[member].as_str().map(shown_address) {
            value[member] = address.into();
        }
    }
    // What is not known may be anything.
    for member in entry.other.keys() {
        value[member] = "(not shown)".into();
    }
    let names: Vec<_> = header_names(entry).collect();
    if !names.is_empty() {
        value["headers"] = json!(names);
    }
    // Another version may know a kind that this one does not.
    if let Ok(kind) = entry.kind() {
        value["can"] = json!(can(kind));
    }
    Ok(value)
}

/// The names of its headers.
pub fn header_names(entry: &Entry) -> impl Iterator<Item = &str> {
    let headers = entry.headers.iter();
    headers.map(|header| {
        header
            .split_once(':')
            .map_or("(no header)", |(name, _)| name)
    })
}

/// What a kind can do, in words.
pub fn can(kind: &ServerKind) -> Vec<&'static str> {
    kind.can
        .iter()
        .map(|operation| operation.description())
        .collect()
}

/// Where the token comes from, in words.
pub fn describe_token_source(entry: &Entry, kind: &ServerKind) -> String {
    match (entry.token_source(), kind.auth, kind.token_variables) {
        (Some(source), ..) => source,
        (None, Auth::None | Auth::Optional, _) => "none".into(),
        (None, Auth::Required, []) => "a prompt on the terminal".into(),
        (None, Auth::Required, variables) => format!(
            "the variable {}, or a prompt on the terminal",
            variables.join(" or ")
        ),
    }
}
