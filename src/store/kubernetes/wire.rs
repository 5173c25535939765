//! The objects of the Kubernetes API.

use crate::error::{Error, Result};
use crate::keystore::medium::{Found, Item, Version};
use crate::remote::cluster::{KEYSTORE, MANAGED_BY, MANAGER, resource_version};
use crate::remote::http::{Answer, parse};
use crate::secret::Secret;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// The name of the text of a set in its Secret: a plain set, and an encrypted one.
const PLAIN: &str = "jwks.json";
const ENCRYPTED: &str = "jwks.jwe";

/// The name of the schedules in their Secret, and that of the deliveries of a set.
const SCHEDULES: &str = "schedules.json";
const DELIVERIES: &str = "deliveries.json";

/// A Secret.
#[derive(Deserialize)]
pub struct SecretObject {
    metadata: Metadata,
    #[serde(default)]
    data: Option<BTreeMap<String, String>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Metadata {
    name: String,
    #[serde(deserialize_with = "resource_version")]
    resource_version: String,
    #[serde(default)]
    labels: Option<BTreeMap<String, String>>,
}

/// A page of Secrets.
#[derive(Deserialize)]
pub struct Listing {
    #[serde(default)]
    pub metadata: ListMetadata,
    pub items: Vec<SecretObject>,
}

/// Where the next page begins.
#[derive(Default, Deserialize)]
pub struct ListMetadata {
    #[serde(rename = "continue")]
    pub next: Option<String>,
}

impl SecretObject {
    /// Returns the name of the Secret.
    pub fn name(&self) -> &str {
        &self.metadata.name
    }

    /// Returns the text and the version. Returns an error for a Secret that is not of a keystore.
    pub fn found(self, item: Item, prefix: &str) -> Result<Found> {
        let labels = self.metadata.labels.unwrap_or_default();
        let has = |label: &str, value: &str| labels.get(label).is_some_and(|its| its == value);
        if !has(MANAGED_BY, MANAGER) || !has(KEYSTORE, prefix) {
            let (name, wanted) = (&self.metadata.name, labels_of(prefix).join(" "));
            return Err(
                Error::refused(format!("it does not have the labels {wanted}")).hint(format!(
                    "run `kubectl label secret {name} {wanted}` if it is a set of this keystore"
                )),
            );
        }
        let data = self.data.unwrap_or_default();
        let texts: Vec<&String> = names(item)
            .iter()
            .filter_map(|name| data.get(*name))
            .collect();
        let text = match texts[..] {
            [] => {
                return Err(Error::invalid(format!(
                    "it has no {}",
                    names(item).join(" and no ")
                )));
            }
            [text] => text,
            _ => {
                return Err(
                    Error::refused(format!("it has {}", names(item).join(" and ")))
                        .hint("remove one of them"),
                );
            }
        };
        let octets = STANDARD
            .decode(text)
            .map_err(|error| Error::invalid("its data is not base64").cause(error))?;
        let octets = Secret::new(octets);
        let text = std::str::from_utf8(octets.expose())
            .map_err(|_| Error::invalid("its data is not UTF-8 text"))?;
        Ok(Found {
            text: Some(Secret::new(text.to_owned())),
            version: Version {
                tag: Some(self.metadata.resource_version),
                beside: None,
            },
        })
    }
}

/// Returns the labels of the Secrets of a keystore.
fn labels_of(prefix: &str) -> [String; 2] {
    [
        format!("{MANAGED_BY}={MANAGER}"),
        format!("{KEYSTORE}={prefix}"),
    ]
}

/// Returns the selector of the Secrets of a keystore.
pub fn selector(prefix: &str) -> String {
    labels_of(prefix).join(",")
}

/// Returns the names that the text of an item can have in its Secret.
fn names(item: Item) -> &'static [&'static str] {
    match item {
        Item::Set(_) => &[PLAIN, ENCRYPTED],
        Item::Schedules => &[SCHEDULES],
        Item::Deliveries(_) => &[DELIVERIES],
    }
}

/// Returns the body of a write, and the text in it. With a version, it is a patch that keeps everything else
/// in the Secret.
pub fn body(
    (name, prefix): (&str, &str),
    item: Item,
    text: &Secret<String>,
    version: &Version,
) -> (Secret<String>, Secret<String>) {
    let encoded = Secret::new(STANDARD.encode(text.expose()));
    let is_encrypted = !text.expose().trim_start().starts_with('{');
    let own = match item {
        Item::Set(_) if is_encrypted => ENCRYPTED,
        Item::Set(_) => PLAIN,
        Item::Schedules => SCHEDULES,
        Item::Deliveries(_) => DELIVERIES,
    };
    let mut data = BTreeMap::from([(own, Value::String(encoded.expose().clone()))]);
    let labels = json!({ MANAGED_BY: MANAGER, KEYSTORE: prefix });
    let mut metadata = json!({ "name": name, "labels": labels });
    let body = match &version.tag {
        None => json!({
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": metadata,
            "type": "Opaque",
            "data": data,
        }),
        Some(tag) => {
            // In a merge patch (RFC 7396), null removes a member.
            for other in names(item).iter().filter(|other| **other != own) {
                data.insert(other, Value::Null);
            }
            metadata["resourceVersion"] = json!(tag);
            json!({ "metadata": metadata, "data": data })
        }
    };
    (Secret::new(body.to_string()), encoded)
}

/// Returns the body of a deletion of exactly this version.
pub fn preconditions(version: &Version) -> Secret<String> {
    let body = json!({
        "apiVersion": "v1",
        "kind": "DeleteOptions",
        "preconditions": { "resourceVersion": version.tag },
    });
    Secret::new(body.to_string())
}

/// Returns the version of the object in an answer.
pub fn version(answer: &Answer) -> Option<String> {
    let object: Value = parse(answer.body.expose())?;
    Some(object["metadata"]["resourceVersion"].as_str()?.to_owned())
}
