//! The plugin of a kubeconfig: a program that prints credentials (`ExecCredential` of client.authentication.k8s.io).

use crate::credential::{self, Pem};
use crate::error::{Error, ErrorKind, Result};
use crate::secret::Secret;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};
use std::cell::RefCell;
use std::ffi::OsString;
use std::process::Command;
use std::rc::Rc;

/// The versions of the interface that jwks knows.
pub(super) const VERSIONS: [&str; 2] = [
    "client.authentication.k8s.io/v1",
    "client.authentication.k8s.io/v1beta1",
];

/// The variable in which the program finds out what is wanted.
const EXEC_INFO: &str = "KUBERNETES_EXEC_INFO";

/// A program that prints credentials.
pub(super) struct Plugin {
    /// The version of the interface.
    pub version: String,
    /// The path of the program, or its name in the search path.
    pub program: OsString,
    /// Its arguments, which can be secret.
    pub arguments: Vec<String>,
    /// Variables in its environment, which can be secret.
    pub variables: Vec<(String, String)>,
    /// The cluster, for a program that wants to know it.
    pub cluster: Option<Value>,
    /// What to do if the program is not installed, in the words of the kubeconfig.
    pub install_hint: Option<String>,
    /// What it printed last.
    pub printed: RefCell<Option<Rc<Credentials>>>,
}

/// What a plugin has printed.
pub(super) struct Credentials {
    pub token: Option<Secret<String>>,
    /// The client certificate and its private key.
    pub certificate: Option<(Pem, Pem)>,
    expires: Option<Timestamp>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ExecCredential {
    api_version: String,
    kind: String,
    status: Option<Status>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Status {
    expiration_timestamp: Option<String>,
    token: Option<String>,
    client_certificate_data: Option<String>,
    client_key_data: Option<String>,
}

impl Plugin {
    /// Returns the program for messages. Its arguments can be secret.
    pub fn shown(&self) -> String {
        format!("the plugin {:?} of the kubeconfig", self.program)
    }

    /// Returns the credentials. Runs the program at the first call, and again after they have expired.
    pub fn credentials(&self) -> Result<Rc<Credentials>> {
        let now = Timestamp::now();
        let is_valid = |it: &Rc<Credentials>| it.expires.is_none_or(|expires| now < expires);
        if let Some(credentials) = self.printed.borrow().clone().filter(is_valid) {
            return Ok(credentials);
        }
        let failed = |error: Error| {
            let is_missing = error.kind() == ErrorKind::NotFound;
            let error = Error::denied(format!("no credentials for Kubernetes: {error}"));
            match &self.install_hint {
                Some(hint) if is_missing => {
                    let words: Vec<_> = hint.split_whitespace().collect();
                    error.hint(words.join(" "))
                }
                _ => error.hint("run `kubectl get --raw /version` to try the plugin with kubectl"),
            }
        };
        let octets = credential::program(self.command(), &self.shown()).map_err(failed)?;
        let credentials = Rc::new(self.read(&octets).map_err(failed)?);
        self.printed.replace(Some(Rc::clone(&credentials)));
        Ok(credentials)
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        let mut spec = json!({ "interactive": false });
        if let Some(cluster) = &self.cluster {
            spec["cluster"] = cluster.clone();
        }
        let info = json!({ "apiVersion": self.version, "kind": "ExecCredential", "spec": spec });
        let variables = self.variables.iter().map(|(name, value)| (name, value));
        command
            .args(&self.arguments)
            .envs(variables)
            .env(EXEC_INFO, info.to_string());
        command
    }

    /// Reads what the program has printed. No error repeats a part of it.
    fn read(&self, octets: &Secret<Vec<u8>>) -> Result<Credentials> {
        let invalid = |why: &str| Error::invalid(format!("{} printed {why}", self.shown()));
        let printed: ExecCredential = serde_json::from_slice(octets.expose())
            .map_err(|_| invalid("no ExecCredential as JSON"))?;
        if printed.kind != "ExecCredential" || printed.api_version != self.version {
            let version = &self.version;
            return Err(invalid(&format!("no ExecCredential of {version}")));
        }
        let status = printed.status.unwrap_or_default();
        let expires = match status.expiration_timestamp {
            Some(time) => Some(
                time.parse()
                    .map_err(|_| invalid("an invalid expirationTimestamp"))?,
            ),
            None => None,
        };
        let pem = |text: String, what: &str| {
            let source = format!("the {what} of {}", self.shown());
            Pem::Text(Rc::new(Secret::new(text.into_bytes())), source)
        };
        let certificate = match (status.client_certificate_data, status.client_key_data) {
            (Some(certificate), Some(key)) => Some((
                pem(certificate, "client certificate"),
                pem(key, "client key"),
            )),
            (None, None) => None,
            _ => {
                return Err(invalid(
                    "only one of clientCertificateData and clientKeyData",
                ));
            }
        };
        let token = status.token.filter(|token| !token.is_empty());
        if token.is_none() && certificate.is_none() {
            return Err(invalid("neither a token nor a client certificate"));
        }
        Ok(Credentials {
            token: token.map(Secret::new),
            certificate,
            expires,
        })
    }
}
