//! The tokens of stores, and the certificate authority: from the environment and the files of the service's
//! own tools.

use crate::credential::{self, Pem};
use crate::environment;
use crate::error::Result;
use crate::remote::http::{Client, Endpoint, Event, Options, Privacy, Traffic, Trust};
use crate::secret::Secret;
use crate::store::RETRIES;
use std::path::{Path, PathBuf};
use url::Url;

/// What a token is for, in errors.
const PURPOSE: &str = "the keystore";

/// Returns the first of these variables that is set.
pub(super) fn variable(names: &[&str]) -> Option<String> {
    names.iter().find_map(|name| environment::value(name))
}

/// Returns the token in a variable; `None` if none of them is set.
pub(super) fn token_in(names: &[&str]) -> Result<Option<Secret<String>>> {
    for name in names {
        if let Some(token) = environment::secret(name)? {
            let source = format!("the variable {name}");
            return credential::token(token.expose(), PURPOSE, &source).map(Some);
        }
    }
    Ok(None)
}

/// Reads a token from a file. Warns if others can access it.
pub(super) fn token_of(file: &Path, options: &Options) -> Result<Secret<String>> {
    let (token, is_open) = credential::token_of(file, PURPOSE)?;
    if is_open {
        let shown = file.display();
        let warning = format!(
            "{shown} holds a token and other users have access to it: run `chmod 600 {shown}`"
        );
        (options.notify)(Event::Warning(&warning));
    }
    Ok(token)
}

/// Returns a client for a store. Its calls carry private keys.
pub(super) fn client(
    shown: &str,
    base: Url,
    headers: Vec<(String, Secret<String>)>,
    cacert: Option<PathBuf>,
    options: Options,
) -> Client {
    let endpoint = Endpoint {
        name: shown.to_owned(),
        base,
        privacy: Privacy::Shown,
        headers,
        traffic: Traffic::Private,
        retries: RETRIES,
        trust: Trust {
            cacert: cacert.map(Pem::File),
            ..Trust::default()
        },
    };
    Client::new(endpoint, options)
}
