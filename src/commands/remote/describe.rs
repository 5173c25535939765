//! Describes a remote for output, without anything that can be a secret.

use crate::error::{Error, Result};
use crate::remote::entry::{Entry, TOKEN};
use crate::remote::kind::{Auth, ServerKind};
use crate::remote::location::parse_address;
use serde_json::{Value, json};

/// Returns an address if it can hold no secret.
fn usable_address(address: &str) -> Option<&str> {
    let is_object = ["s3://", "gs://", "configmap://", "secret://"]
        .iter()
        .any(|scheme| address.starts_with(scheme));
    let is_object = is_object && !address.contains(['?', '#', '@']);
    (address == TOKEN || is_object || parse_address(address).is_ok()).then_some(address)
}

/// Returns an address, or a text in place of one that may hold a secret.
pub fn shown_address(address: &str) -> String {
    usable_address(address)
        .unwrap_or("(no usable address)")
        .to_owned()
}

/// Returns the address or the project of a remote in a few words; `-` if it has neither.
pub fn location(entry: &Entry) -> String {
    let settings = entry.location.settings();
    let words: Vec<_> = settings
        .iter()
        .map(|(name, value)| match *name {
            "--url" | "--issuer" | "--endpoint" | "--read-url" => shown_address(value),
            name => format!("{} {value}", name.trim_start_matches('-')),
        })
        .collect();
    if words.is_empty() {
        "-".into()
    } else {
        words.join(", ")
    }
}

/// Returns an entry as JSON, with the operations that its kind supports. Leaves out tokens, unusable
/// addresses and the values of headers, because users can have put secrets there.
pub fn described(entry: &Entry) -> Result<Value> {
    let mut value = serde_json::to_value(entry)
        .map_err(|error| Error::failed("cannot write JSON").cause(error))?;
    if let Some(members) = value.as_object_mut() {
        members.remove("name");
        members.insert("remote".into(), entry.name.clone().into());
        // Settings of another version of jwks can be secrets.
        members.retain(|name, _| !entry.other.contains_key(name));
    }
    for member in ["url", "issuer", "endpoint", "read_url"] {
        let address = value[member].as_str();
        let is_secret = address.is_some_and(|address| usable_address(address).is_none());
        if let (true, Some(members)) = (is_secret, value.as_object_mut()) {
            members.remove(member);
        }
    }
    let names: Vec<_> = header_names(entry).collect();
    if !names.is_empty() {
        value["headers"] = json!(names);
    }
    // Another version of jwks can have written a kind that this one does not know.
    if let Ok(kind) = entry.kind() {
        value["can"] = json!(can(kind));
    }
    Ok(value)
}

/// Returns the names of an entry's headers, without their values.
pub fn header_names(entry: &Entry) -> impl Iterator<Item = &str> {
    let headers = entry.headers.iter();
    headers.map(|header| {
        header
            .split_once(':')
            .map_or("(no header)", |(name, _)| name)
    })
}

/// Returns the operations that a kind supports, in words.
pub fn can(kind: &ServerKind) -> Vec<&'static str> {
    kind.can
        .iter()
        .map(|operation| operation.description())
        .collect()
}

/// Returns the source of an entry's token, in words.
pub fn describe_token_source(entry: &Entry, kind: &ServerKind) -> String {
    match (entry.token_source(), kind.auth, kind.token_variables) {
        (Some(source), ..) => source,
        (None, Auth::Found, _) if entry.location.endpoint.is_none() => {
            "the service account of the pod, or the kubeconfig".into()
        }
        (None, Auth::None | Auth::Optional | Auth::Found, _) => "none".into(),
        (None, Auth::Required, []) => "a prompt on the terminal".into(),
        (None, Auth::Required, variables) => format!(
            "the variable {}, or a prompt on the terminal",
            variables.join(" or ")
        ),
    }
}
