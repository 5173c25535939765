//! What is kept of a named server: where it is and where its token comes from, never the token.

use super::http::Trust;
use super::kind::{Auth, KINDS, Kind};
use super::token::{self, TOKEN};
use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::path::PathBuf;
use url::Url;

/// A remote's entry in `remotes.json`. What is `None` is left out there.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Entry {
    /// The name.
    pub name: String,
    /// The kind of server.
    pub kind: String,
    /// The settings that say where it is.
    #[serde(flatten)]
    pub place: Place,
    /// The environment variable that holds the token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token_env: Option<String>,
    /// The file that holds the token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token_file: Option<PathBuf>,
    /// The shell command that prints the token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token_command: Option<String>,
    /// Headers for each call, `NAME:VALUE`; `{token}` in a value stands for the token.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub headers: Vec<String>,
    /// The authorities to trust instead of the platform's, as PEM.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cacert: Option<PathBuf>,
    /// The client's certificate, as PEM.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cert: Option<PathBuf>,
    /// The private key of the client's certificate, as PEM.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<PathBuf>,
    /// What another version of jwks wrote.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// Where a server is, and what of it is meant.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Place {
    /// The address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// The project of Ory Network, by its slug.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub project_slug: Option<String>,
    /// The service of Authlete.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service_id: Option<String>,
    /// The region of Authlete.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// The project of Apinizer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub project: Option<String>,
    /// The client that fetches tokens; its secret comes from where tokens come from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_id: Option<String>,
    /// The issuer (OpenID Connect Discovery).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub issuer: Option<String>,
}

impl Place {
    /// The settings that are there, by the names of their options.
    pub fn settings(&self) -> Vec<(&'static str, &str)> {
        let all = [
            ("--url", &self.url),
            ("--project-slug", &self.project_slug),
            ("--service-id", &self.service_id),
            ("--region", &self.region),
            ("--project", &self.project),
            ("--client-id", &self.client_id),
            ("--issuer", &self.issuer),
        ];
        let given = all.into_iter();
        given
            .filter_map(|(name, value)| Some((name, value.as_deref()?)))
            .collect()
    }

    /// The value of a setting that a kind cannot do without.
    pub fn required<'p>(name: &str, value: &'p Option<String>, kind: &Kind) -> Result<&'p str> {
        value
            .as_deref()
            .ok_or_else(|| Error::usage(format!("{} needs {name}", kind.name)))
    }
}

impl Entry {
    /// The kind of server.
    pub fn kind(&self) -> Result<&'static Kind> {
        let found = KINDS.iter().find(|kind| kind.name == self.kind);
        found.copied().ok_or_else(|| {
            let names: Vec<_> = KINDS.iter().map(|kind| kind.name).collect();
            Error::usage(format!("there is no kind of remote {:?}", self.kind))
                .hint(format!("kinds: {}", names.join(", ")))
        })
    }

    /// The address that all paths of the server are below.
    pub fn base(&self) -> Result<Url> {
        (self.kind()?.base)(&self.place)
    }

    /// Refuses what does not fit together, and what would put a secret into the entry.
    pub fn check(&self) -> Result<()> {
        check_name(&self.name)?;
        let kind = self.kind()?;
        for (setting, _) in self.place.settings() {
            if !kind.settings.contains(&setting) {
                return Err(Error::usage(format!("{} takes no {setting}", kind.name))
                    .hint(format!("{} takes {}", kind.name, kind.settings.join(", "))));
            }
        }
        self.base()?;
        if let Some(variable) = &self.token_env {
            token::check_variable(variable)?;
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
        Ok(())
    }

    /// Certificates beside the platform's.
    pub fn trust(&self) -> Trust {
        Trust {
            cacert: self.cacert.clone(),
            cert: self.cert.clone(),
            key: self.key.clone(),
        }
    }

    /// Where the token comes from, in words; `None` where the entry does not say so.
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

/// Refuses names that could be taken for an address or for a set of a remote.
fn check_name(name: &str) -> Result<()> {
    let inner = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    let is_fine = name.len() <= 128
        && name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name.chars().all(inner);
    match is_fine {
        true => Ok(()),
        false => Err(Error::usage(format!("{name:?} is no name for a remote")).hint(
            "names start with a letter or digit, and go on with letters, digits, '.', '_' and '-'",
        )),
    }
}

/// A header's name and value.
pub fn split_header(header: &str) -> Result<(&str, &str)> {
    let malformed = || {
        // What is wrong may hold a secret: it is not repeated.
        Error::usage("--header takes NAME:VALUE, in printable ASCII")
    };
    let (name, value) = header.split_once(':').ok_or_else(malformed)?;
    let is_name = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
    let is_value = |c: char| matches!(c, ' '..='~');
    match !name.is_empty() && name.chars().all(is_name) && value.chars().all(is_value) {
        true => Ok((name, value.trim())),
        false => Err(malformed()),
    }
}

/// Whether a name sounds like that of a secret.
fn sounds_secret(name: &str) -> bool {
    const WORDS: &[&str] = &[
        "auth",
        "cookie",
        "credential",
        "key",
        "password",
        "secret",
        "signature",
        "token",
    ];
    let name = name.to_ascii_lowercase();
    WORDS.iter().any(|word| name.contains(word))
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
        return Err(Error::usage(format!("the header {name} is jwks's own")));
    }
    if sounds_secret(&name) && !value.contains(TOKEN) {
        return Err(Error::usage(format!(
            "the header {name} would put a secret into the remote's entry"
        ))
        .hint(format!(
            "write {TOKEN} for it, and say with --token-env, --token-file or --token-command where it is"
        )));
    }
    Ok(())
}

/// An address as the user gave it: http or https, and nothing secret in it.
pub fn parse_address(address: &str) -> Result<Url> {
    let refuse = |why: &str| {
        // What is wrong may be a password: the address is not repeated.
        Err(Error::usage(format!("the address {why}"))
            .hint("addresses are like https://host:port/path"))
    };
    let Ok(mut url) = Url::parse(address) else {
        return refuse("cannot be read");
    };
    if !matches!(url.scheme(), "http" | "https") || url.host().is_none() {
        return refuse("is neither http:// nor https://");
    }
    if !url.username().is_empty() || url.password().is_some() {
        return refuse("carries a user name or password");
    }
    if url.query_pairs().any(|(name, _)| sounds_secret(&name)) {
        return Err(Error::usage("the address carries a secret behind its question mark")
            .hint("send it as a header: remote add --header 'NAME: {token}' with --token-env or its like"));
    }
    url.set_fragment(None);
    Ok(url)
}

/// The address of a setting.
pub fn parse_setting(place: &Place, kind: &Kind) -> Result<Url> {
    parse_address(Place::required("--url", &place.url, kind)?)
}
