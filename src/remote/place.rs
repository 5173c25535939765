//! Where servers are: addresses, and the settings that stand for one.

use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};
use url::Url;

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
    pub fn required<'p>(name: &str, value: &'p Option<String>, kind: &str) -> Result<&'p str> {
        value
            .as_deref()
            .ok_or_else(|| Error::usage(format!("{kind} needs {name}")))
    }
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
pub fn parse_setting(place: &Place, kind: &str) -> Result<Url> {
    parse_address(Place::required("--url", &place.url, kind)?)
}

/// Whether a name sounds like that of a secret.
pub fn sounds_secret(name: &str) -> bool {
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
