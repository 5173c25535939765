//! The members of a file of the kubeconfig.

use crate::error::{Error, Result};
use crate::keyset::import::yaml;
use crate::secret::Secret;
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use std::ops::Deref;

/// A file.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
pub struct Document {
    pub current_context: Option<Text>,
    pub clusters: Option<Vec<Named<ClusterEntry>>>,
    pub contexts: Option<Vec<Named<ContextEntry>>>,
    pub users: Option<Vec<Named<UserEntry>>>,
}

impl Document {
    /// Returns true if there is neither a cluster, a context nor a user.
    pub fn is_empty(&self) -> bool {
        let has_entries = self.clusters.is_some() || self.users.is_some();
        !has_entries && self.contexts.is_none() && self.current_context.is_none()
    }
}

/// An entry with its name. An entry without members is empty.
#[derive(Deserialize)]
#[serde(bound = "T: Default + Deserialize<'de>")]
pub struct Named<T> {
    pub name: Text,
    #[serde(default, alias = "cluster", alias = "context", alias = "user")]
    #[serde(deserialize_with = "or_default")]
    pub entry: T,
}

fn or_default<'de, D: Deserializer<'de>, T: Default + Deserialize<'de>>(
    deserializer: D,
) -> Result<T, D::Error> {
    Ok(Option::<T>::deserialize(deserializer)?.unwrap_or_default())
}

/// A cluster.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
pub struct ClusterEntry {
    pub server: Option<Text>,
    pub certificate_authority: Option<Text>,
    pub certificate_authority_data: Option<Text>,
    pub tls_server_name: Option<Text>,
    pub insecure_skip_tls_verify: Option<bool>,
    pub proxy_url: Option<Text>,
    pub extensions: Option<Vec<Value>>,
}

/// A context: the cluster, the user and the namespace of commands.
#[derive(Default, Deserialize)]
#[serde(default)]
pub struct ContextEntry {
    pub cluster: Option<Text>,
    pub user: Option<Text>,
    pub namespace: Option<Text>,
}

/// A user.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
pub struct UserEntry {
    pub token: Option<Text>,
    #[serde(rename = "tokenFile")]
    pub token_file: Option<Text>,
    pub client_certificate: Option<Text>,
    pub client_certificate_data: Option<Text>,
    pub client_key: Option<Text>,
    pub client_key_data: Option<Text>,
    pub exec: Option<ExecEntry>,
    pub username: Option<Text>,
    pub password: Option<Text>,
    pub auth_provider: Option<Value>,
    #[serde(rename = "as")]
    pub act_as: Option<Text>,
    pub as_uid: Option<Text>,
    pub as_groups: Option<Value>,
    pub as_user_extra: Option<Value>,
}

/// A plugin that prints credentials.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct ExecEntry {
    pub api_version: Option<Text>,
    pub command: Option<Text>,
    pub args: Option<Vec<Text>>,
    pub env: Option<Vec<Variable>>,
    pub provide_cluster_info: Option<bool>,
    pub interactive_mode: Option<Text>,
    pub install_hint: Option<Text>,
}

/// A variable in the environment of a plugin.
#[derive(Deserialize)]
pub struct Variable {
    pub name: Text,
    pub value: Option<Text>,
}

/// A text. Numbers without quotes are none, as in `kubectl`: `0123` would become another one.
#[derive(Deserialize)]
pub struct Text(String);

impl Deref for Text {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

/// Reads a file. An empty one has no members. No error repeats a part of it, because it can be a secret.
pub fn read(octets: &Secret<Vec<u8>>) -> Result<Document> {
    let text = std::str::from_utf8(octets.expose())
        .map_err(|_| Error::invalid("not a kubeconfig: it is not UTF-8 text"))?;
    let value = match yaml::documents(text) {
        Ok(documents) => documents.into_iter().next().unwrap_or_default(),
        // This error would repeat the key.
        Err(error) if error.to_string().contains("duplicated key") => {
            return Err(Error::invalid("not a kubeconfig: a key appears twice"));
        }
        Err(error) => return Err(Error::invalid(format!("not a kubeconfig: {error}"))),
    };
    match value {
        Value::Null => Ok(Document::default()),
        Value::Object(_) => serde_json::from_value(value).map_err(|_| {
            Error::invalid("not a kubeconfig: a member has another type")
                .hint("run `kubectl config view` to see what kubectl says about it")
        }),
        _ => Err(Error::invalid("not a kubeconfig: it is not a mapping")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document(text: &str) -> Result<Document> {
        read(&Secret::new(text.as_bytes().to_vec()))
    }

    #[test]
    fn empty_files_and_empty_entries_are_read() {
        for empty in [
            "",
            "---\n",
            "{}",
            "clusters: null\n",
            "apiVersion: v1\nkind: Config\n",
        ] {
            assert!(document(empty).is_ok(), "{empty:?}");
        }
        let users = document("users:\n- name: '1'\n  user: {}\n- name: b\n  user:\n- name: c\n");
        let users = users.unwrap().users.unwrap();
        let names: Vec<&str> = users.iter().map(|user| &*user.name).collect();
        assert_eq!(names, ["1", "b", "c"]);
    }

    #[test]
    fn no_error_repeats_a_secret() {
        for bad in [
            "users: SECRET",
            "SECRET: 1\nSECRET: 2\n",
            "users:\n- name: a\n  user: {token: 123}\n",
            "users:\n- name: a\n  user: SECRET\n",
            "users:\n- name: a\n  user: {token: [SECRET]}\n",
            "users:\n- SECRET\n",
            "users:\n- name: a\n  user: {token: *SECRET}\n",
            "users: \"SECRET",
            "{\"users\": SECRET}",
            "[SECRET]",
        ] {
            let error = document(bad).err().expect(bad).to_string();
            assert!(!error.contains("SECRET"), "{bad}: {error}");
        }
    }
}
