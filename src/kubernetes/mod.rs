//! How to reach the API server of a Kubernetes cluster, and who calls it: the service account of the pod, or a user
//! of the kubeconfig.
//!
//! Reads files and runs the plugin of the kubeconfig. Makes no calls to servers, and never turns the verification of
//! certificates off.

mod kubeconfig;
mod names;
mod plugin;
mod pod;
mod user;

pub use names::{check_key, check_name, check_namespace};
pub use pod::is_of_account;

use crate::credential::{self, Pem};
use crate::error::{Error, Result};
use crate::secret::Secret;
use std::path::PathBuf;
use user::User;

/// The namespace if a kubeconfig names none.
const DEFAULT_NAMESPACE: &str = "default";

/// What a token is for, in errors.
pub const PURPOSE: &str = "Kubernetes";

/// A listener for warnings.
pub type Warn<'a> = &'a dyn Fn(&str);

/// A cluster, and the user who calls it.
pub struct Cluster {
    /// The address of the API server.
    pub server: String,
    /// The certificate authorities to trust; `None` for those of the platform.
    pub authority: Option<Pem>,
    /// The origin of all this, for messages.
    pub source: String,
    namespace: Namespace,
    user: User,
}

/// Where the namespace of the caller stands.
enum Namespace {
    Name(String),
    File(PathBuf),
}

impl Cluster {
    /// Finds the cluster: that of the current context of the kubeconfig, or else that of the pod in which the program
    /// runs, as `kubectl` does. Returns an error if there is neither.
    ///
    /// If `has_token` is true, the caller has a token of its own, so the service account of the pod needs none.
    pub fn find(has_token: bool, warn: Warn) -> Result<Cluster> {
        if let Some(cluster) = kubeconfig::cluster(warn)? {
            return Ok(cluster);
        }
        pod::cluster(has_token).ok_or_else(|| {
            Error::usage(
                "no Kubernetes cluster: there is neither a kubeconfig with a context nor a service account of a pod",
            )
            .hint(
                "set KUBECONFIG, or run `kubectl proxy` and use its address http://127.0.0.1:8001",
            )
        })
    }

    /// Returns the namespace of the pod or of the context.
    pub fn namespace(&self) -> Result<String> {
        let file = match &self.namespace {
            Namespace::Name(name) => return Ok(name.clone()),
            Namespace::File(file) => file,
        };
        let namespace = credential::file(file)
            .and_then(|content| credential::first_line(&content.octets, "the namespace file"));
        let namespace = namespace.map_err(|error| {
            Error::usage(format!("the address names no namespace: {error}"))
                .hint("write the namespace into the address")
        })?;
        Ok(namespace.expose().trim().to_owned())
    }

    /// Returns the token for the next call; `None` if the user has none. A token in a file is read again each time.
    pub fn token(&self) -> Result<Option<Secret<String>>> {
        self.user.token()
    }

    /// Returns the client certificate and its private key; `None` if the user has none.
    pub fn certificate(&self) -> Result<Option<(Pem, Pem)>> {
        self.user.certificate()
    }
}
