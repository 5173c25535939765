//! A ConfigMap or a Secret: its address, its data, and how it is written.

use crate::error::{Error, Result};
use crate::kubernetes::{check_key, check_name, check_namespace};
use crate::remote::cluster::{KEYSTORE, MANAGED_BY, MANAGER, resource_version};
use crate::remote::http::{Answer, parse};
use crate::remote::kind::kubernetes::KUBERNETES;
use crate::remote::location::Location;
use crate::secret::Secret;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::json;
use std::collections::BTreeMap;
use std::fmt;

/// The most bytes that the values of an object can have together.
pub const LIMIT: usize = 1 << 20;

/// The key of the discovery document. A key cannot contain a slash.
pub const DISCOVERY: &str = "openid-configuration";

/// The key of the JWK Set, unless the address has another one.
const KEY: &str = "jwks.json";

/// The kind of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resource {
    /// A ConfigMap, whose data is text.
    ConfigMap,
    /// A Secret, whose data is base64.
    Secret,
}

impl Resource {
    /// Returns the name in the path of a call, and in a role.
    pub fn plural(self) -> &'static str {
        match self {
            Resource::ConfigMap => "configmaps",
            Resource::Secret => "secrets",
        }
    }

    fn name(self) -> &'static str {
        match self {
            Resource::ConfigMap => "ConfigMap",
            Resource::Secret => "Secret",
        }
    }

    /// Returns a text as it stands in the data.
    pub fn encode(self, text: &str) -> Secret<String> {
        Secret::new(match self {
            Resource::ConfigMap => text.to_owned(),
            Resource::Secret => STANDARD.encode(text),
        })
    }

    /// Returns the text of a value in the data; `None` if it is not base64.
    fn decode(self, value: String) -> Option<Secret<Vec<u8>>> {
        let value = Secret::new(value.into_bytes());
        match self {
            Resource::ConfigMap => Some(value),
            Resource::Secret => STANDARD.decode(value.expose()).ok().map(Secret::new),
        }
    }
}

/// The address of an object, and of the JWK Set in it.
#[derive(Clone, Debug)]
pub struct Name {
    /// The kind of the object.
    pub resource: Resource,
    /// The namespace.
    pub namespace: String,
    /// The name of the object.
    pub name: String,
    /// The key of the JWK Set in the data.
    pub key: String,
}

/// An object as a call has returned it.
pub struct Object {
    /// The version (resourceVersion).
    pub version: String,
    /// True if Kubernetes refuses every change.
    pub is_immutable: bool,
    /// True if the object is a set of a keystore.
    pub is_of_keystore: bool,
    /// The size of each value in the data, in bytes.
    sizes: BTreeMap<String, usize>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Wire {
    metadata: Metadata,
    #[serde(default)]
    immutable: Option<bool>,
    #[serde(default)]
    data: Option<BTreeMap<String, String>>,
    #[serde(default)]
    binary_data: Option<BTreeMap<String, String>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Metadata {
    #[serde(deserialize_with = "resource_version")]
    resource_version: String,
    #[serde(default)]
    labels: Option<BTreeMap<String, String>>,
}

impl Object {
    /// Returns the size of all values but one, in bytes.
    pub fn size_without(&self, key: &str) -> usize {
        let others = self.sizes.iter().filter(|(other, _)| *other != key);
        others.map(|(_, size)| size).sum()
    }
}

impl Name {
    /// Parses the address in --url. Returns an error if it is not that of an object.
    pub fn of(location: &Location) -> Result<Name> {
        let address = Location::required("--url", &location.url, KUBERNETES.name)?;
        let malformed = || {
            Error::usage(
                "the address of an object is configmap://NAMESPACE/NAME/KEY or secret://NAMESPACE/NAME/KEY",
            )
            .hint("for example: --url configmap://apps/keys, whose KEY is jwks.json")
        };
        let (resource, rest) = if let Some(rest) = address.strip_prefix("configmap://") {
            (Resource::ConfigMap, rest)
        } else {
            let rest = address.strip_prefix("secret://").ok_or_else(malformed)?;
            (Resource::Secret, rest)
        };
        let parts: Vec<&str> = rest.split('/').collect();
        let (namespace, name, key) = match parts[..] {
            [namespace, name] => (namespace, name, KEY),
            [namespace, name, key] => (namespace, name, key),
            _ => return Err(malformed()),
        };
        check_namespace(namespace)?;
        check_name(name, &format!("a {}", resource.name()))?;
        check_key(key)?;
        Ok(Name {
            resource,
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            key: key.to_owned(),
        })
    }

    /// Returns the object in an answer, and the text of a key; `None` if the object does not have the key. Returns an
    /// error if the answer is something else, or if the value cannot be a JWK Set.
    pub fn read(&self, answer: &Answer, key: &str) -> Result<(Object, Option<Secret<Vec<u8>>>)> {
        let wire: Wire = parse(answer.body.expose())
            .ok_or_else(|| answer.unlike(&format!("a {}", self.resource.name())))?;
        let mut data = wire.data.unwrap_or_default();
        let binary = wire.binary_data.unwrap_or_default();
        if binary.contains_key(key) {
            return Err(Error::refused(format!(
                "{self} has {key} in its binaryData, where jwks does not write"
            ))
            .hint("move it to data, or write another key into the address"));
        }
        let resource = self.resource;
        let plain = |(key, value): (&String, &String)| (key.clone(), value.len());
        let encoded = |(key, value): (&String, &String)| (key.clone(), decoded_size(value));
        let mut sizes: BTreeMap<String, usize> = match resource {
            Resource::ConfigMap => data.iter().map(plain).collect(),
            Resource::Secret => data.iter().map(encoded).collect(),
        };
        sizes.extend(binary.iter().map(encoded));
        let text = data.remove(key).map(|value| {
            let text = resource.decode(value);
            text.ok_or_else(|| answer.unlike("a Secret with base64"))
        });
        let labels = wire.metadata.labels.unwrap_or_default();
        let object = Object {
            is_of_keystore: labels.contains_key(KEYSTORE),
            version: wire.metadata.resource_version,
            is_immutable: wire.immutable == Some(true),
            sizes,
        };
        Ok((object, text.transpose()?))
    }

    /// Returns the body of a write of one key. With the version that was read, it is a merge patch (RFC 7396), which
    /// keeps everything else in the object. Without one, it is a new object.
    pub fn body(&self, key: &str, value: &Secret<String>, version: Option<&str>) -> Secret<String> {
        let data = json!({ key: value.expose() });
        let body = match (version, self.resource) {
            (Some(version), _) => {
                json!({ "metadata": { "resourceVersion": version }, "data": data })
            }
            (None, resource) => {
                let labels = json!({ MANAGED_BY: MANAGER });
                let mut object = json!({
                    "apiVersion": "v1",
                    "kind": resource.name(),
                    "metadata": { "name": self.name, "labels": labels },
                    "data": data,
                });
                if resource == Resource::Secret {
                    object["type"] = "Opaque".into();
                }
                object
            }
        };
        Secret::new(body.to_string())
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = self.resource.name();
        write!(f, "the {kind} {}/{}", self.namespace, self.name)
    }
}

/// Returns the size of what a base64 text encodes, in bytes.
fn decoded_size(text: &str) -> usize {
    let padding = text.bytes().rev().take_while(|byte| *byte == b'=').count();
    (text.len() / 4 * 3).saturating_sub(padding)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_size_of_base64_is_that_of_its_content() {
        for text in ["", "a", "ab", "abc", "abcd"] {
            assert_eq!(decoded_size(&STANDARD.encode(text)), text.len());
        }
    }

    #[test]
    fn addresses_have_a_namespace_a_name_and_perhaps_a_key() {
        let name = |url: &str| {
            Name::of(&Location {
                url: Some(url.to_owned()),
                ..Location::default()
            })
        };
        let shown = |url: &str| {
            let name = name(url).unwrap();
            format!("{name} {}", name.key)
        };
        assert_eq!(
            shown("configmap://apps/keys"),
            "the ConfigMap apps/keys jwks.json"
        );
        assert_eq!(
            shown("secret://apps/keys.v1/a.json"),
            "the Secret apps/keys.v1 a.json"
        );
        for bad in [
            "configmap://apps",
            "configmap://apps/",
            "configmap:///keys",
            "configmap://apps/keys/",
            "configmap://apps/keys/a/b",
            "configmap://apps/keys/..",
            "configmap://a.b/keys",
            "configmap://Apps/keys",
            "configmap://apps/Keys",
            "secret://apps/keys/a b",
            "secret://apps/keys?x=y",
            "https://apps/keys",
        ] {
            assert_eq!(name(bad).unwrap_err().kind().exit_code(), 2, "{bad}");
        }
    }
}
