//! What shows an API server who calls: a token, a client certificate, or what a plugin prints.

use crate::credential::{self, Pem, token};
use crate::error::Result;
use crate::kubernetes::PURPOSE;
use crate::kubernetes::plugin::Plugin;
use crate::secret::Secret;
use std::path::PathBuf;

/// A user of a cluster.
#[derive(Default)]
pub(super) struct User {
    pub token: Option<TokenSource>,
    /// The client certificate and its private key.
    pub certificate: Option<(Pem, Pem)>,
    pub plugin: Option<Plugin>,
}

/// Where a token stands.
pub(super) enum TokenSource {
    /// A file, which is read again for each call, because it can be renewed.
    File(PathBuf),
    /// The kubeconfig with this name.
    Text(Secret<String>, String),
}

impl User {
    /// Returns the token for the next call; `None` if the user has none. Runs the plugin only if there is no other
    /// token.
    pub fn token(&self) -> Result<Option<Secret<String>>> {
        match (&self.token, &self.plugin) {
            (Some(TokenSource::File(file)), _) => {
                let (token, _) = credential::token_of(file, PURPOSE)?;
                Ok(Some(token))
            }
            (Some(TokenSource::Text(text, source)), _) => {
                token(text.expose(), PURPOSE, source).map(Some)
            }
            (None, Some(plugin)) => match &plugin.credentials()?.token {
                Some(text) => token(text.expose(), PURPOSE, &plugin.shown()).map(Some),
                None => Ok(None),
            },
            (None, None) => Ok(None),
        }
    }

    /// Returns the client certificate and its private key; `None` if the user has none.
    pub fn certificate(&self) -> Result<Option<(Pem, Pem)>> {
        match (&self.certificate, &self.token, &self.plugin) {
            (Some(certificate), ..) => Ok(Some(certificate.clone())),
            (None, None, Some(plugin)) => Ok(plugin.credentials()?.certificate.clone()),
            (None, ..) => Ok(None),
        }
    }
}
