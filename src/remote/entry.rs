//! The entry of a named server: its address and the source of its token, never the token itself.

use crate::credential::Pem;
use crate::error::{Error, Result};
use crate::remote::http::{Caching, Trust};
use crate::remote::kind::{Auth, KINDS, ServerKind};
use crate::remote::location::{Location, sounds_secret};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::path::PathBuf;
use url::Url;

/// The placeholder for the token in a header, or for the whole address of a remote.
pub const TOKEN: &str = "{token}";

/// A remote's entry in `remotes.json`, which omits fields that are `None`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Entry {
    /// The name.
    pub name: String,
    /// The kind of server.
    pub kind: String,
    /// The settings for its address.
    #[serde(flatten)]
    pub location: Location,
    /// The environment variable that holds the token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token_env: Option<String>,
    /// The file that holds the token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token_file: Option<PathBuf>,
    /// The shell command that prints the token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token_command: Option<String>,
    /// Headers for each call, as `NAME:VALUE`. `{token}` in a value is replaced by the token.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub headers: Vec<String>,
    /// A PEM file with the certificate authorities to trust instead of the platform's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cacert: Option<PathBuf>,
    /// The client's certificate, as PEM.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cert: Option<PathBuf>,
    /// The private key of the client's certificate, as PEM.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<PathBuf>,
    /// Fields that another version of jwks wrote.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

impl Entry {
    /// Returns the kind of server. Returns an error if this version of jwks does not know it.
    pub fn kind(&self) -> Result<&'static ServerKind> {
        let found = KINDS.iter().find(|kind| kind.name == self.kind);
        found.copied().ok_or_else(|| {
            let names: Vec<_> = KINDS.iter().map(|kind| kind.name).collect();
            Error::usage(format!("unknown kind of remote {:?}", self.kind))
                .hint(format!("kinds: {}", names.join(", ")))
        })
    }

    /// Returns the base address of the server. Returns an error if a setting is missing or invalid.
    pub fn base(&self) -> Result<Url> {
        (self.kind()?.base)(&self.location)
    }

    /// Returns true if the token is the whole address, such as a presigned one.
    pub fn has_secret_address(&self) -> bool {
        let can_be_secret = self.kind().is_ok_and(|kind| kind.secret_address);
        can_be_secret && self.location.url.as_deref() == Some(TOKEN)
    }

    /// Returns an error if the fields contradict each other, or if one contains a secret.
    pub fn check(&self) -> Result<()> {
        check_name(&self.name)?;
        let kind = self.kind()?;
        for (setting, _) in self.location.settings() {
            if !kind.settings.contains(&setting) {
                return Err(
                    Error::usage(format!("{} does not accept {setting}", kind.name)).hint(format!(
                        "{} accepts {}",
                        kind.name,
                        kind.settings.join(", ")
                    )),
                );
            }
        }
        match (self.has_secret_address(), self.token_source()) {
            (false, _) => drop(self.base()?),
            (true, Some(_)) if self.location.issuer.is_some() => {
                return Err(Error::usage("--issuer needs an address for two documents")
                    .hint("a secret address is that of one document; leave out --issuer"));
            }
            (true, Some(_)) => {}
            (true, None) => {
                return Err(Error::usage(format!(
                    "--url {TOKEN} requires --token-env, --token-file or --token-command"
                )));
            }
        }
        if let Some(variable) = &self.token_env {
            check_variable(variable)?;
        }
        let uses_token = self.headers.iter().any(|header| header.contains(TOKEN));
        if kind.auth == Auth::None && self.token_source().is_some() && !uses_token {
            return Err(Error::usage(format!("{} sends no token", kind.name)));
        }
        if self.cert.is_some() != self.key.is_some() {
            return Err(Error::usage("--cert and --key belong together"));
        }
        for header in &self.headers {
            check_header(header)?;
        }
        if let Some(value) = &self.location.cache_control {
            check_cache_control(value)?;
        }
        (kind.check)(&self.location)
    }

    /// Returns the certificate files.
    pub fn trust(&self) -> Trust {
        Trust {
            cacert: self.cacert.clone().map(Pem::File),
            cert: self.cert.clone().map(Pem::File),
            key: self.key.clone().map(Pem::File),
        }
    }

    /// Returns the source of the token for messages; `None` if the entry has none.
    pub fn token_source(&self) -> Option<String> {
        let file = self.token_file.as_ref().map(|file| file.display());
        self.token_env
            .as_ref()
            .map(|variable| format!("the variable {variable}"))
            .or_else(|| file.map(|file| format!("the file {file}")))
            .or_else(|| {
                let command = self.token_command.as_ref();
                command.map(|command| format!("the command {command:?}"))
            })
    }
}

/// Rejects names that could be read as an address or as a set of a remote.
fn check_name(name: &str) -> Result<()> {
    let inner = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    let is_fine = name.len() <= 128
        && name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name.chars().all(inner);
    if is_fine {
        Ok(())
    } else {
        Err(Error::usage(format!("invalid remote name {name:?}"))
            .hint("use letters, digits, '.', '_' and '-', and start with a letter or digit"))
    }
}

/// Splits a header into its name and value. Returns an error if there is no colon, or if it is not
/// printable ASCII.
pub fn split_header(header: &str) -> Result<(&str, &str)> {
    let malformed = || {
        // The value can contain a secret, so the message does not repeat it.
        Error::usage("--header takes NAME:VALUE, in printable ASCII")
    };
    let (name, value) = header.split_once(':').ok_or_else(malformed)?;
    let is_name = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
    let is_value = |c: char| matches!(c, ' '..='~');
    if !name.is_empty() && name.chars().all(is_name) && value.chars().all(is_value) {
        Ok((name, value.trim()))
    } else {
        Err(malformed())
    }
}

fn check_header(header: &str) -> Result<()> {
    const OWN: &[&str] = &[
        "accept",
        "accept-encoding",
        "connection",
        "content-length",
        "content-type",
        "host",
        "transfer-encoding",
        "user-agent",
    ];
    let (name, value) = split_header(header)?;
    let name = name.to_ascii_lowercase();
    if OWN.contains(&&*name) {
        return Err(Error::usage(format!("the header {name} is set by jwks")));
    }
    if sounds_secret(&name) && !value.contains(TOKEN) {
        return Err(Error::usage(format!(
            "the header {name} would store a secret in the file of the remotes"
        ))
        .hint(format!(
            "write {TOKEN} in its place, and pass --token-env, --token-file or --token-command"
        )));
    }
    Ok(())
}

/// Rejects values that cannot be a `Cache-Control` header, and those that no cache keeps to.
fn check_cache_control(value: &str) -> Result<()> {
    const LONGEST: usize = 200;
    let is_header = value.len() <= LONGEST && value.chars().all(|c| matches!(c, ' '..='~'));
    if is_header && Caching::of_cache_control(value).lifetime().is_some() {
        return Ok(());
    }
    Err(Error::usage("--cache-control says no cache lifetime")
        .hint("use a value such as 'public, max-age=600', or no-cache"))
}

/// Rejects values that are not names of variables, because the user can have given the token itself.
fn check_variable(name: &str) -> Result<()> {
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let begins = |c: char| c.is_ascii_alphabetic() || c == '_';
    // The prefixes of tokens of these services.
    let is_token = ["ory_pat_", "ory_apikey_", "sk_live_", "sk_test_"]
        .iter()
        .any(|beginning| name.starts_with(beginning));
    if !is_token && name.starts_with(begins) && name.chars().all(is_name) && name.len() <= 64 {
        Ok(())
    } else {
        Err(
            Error::usage("--token-env takes the name of an environment variable")
                .hint("pass the name of the variable, not the token"),
        )
    }
}
