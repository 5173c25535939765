//! The addresses of servers, and the settings that replace an address.

use crate::error::{Error, Result};
use crate::secret::Secret;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use url::Url;

/// The address of a server, and the project or service on it.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Location {
    /// The address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// The project of Ory Network, by its slug.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub project_slug: Option<String>,
    /// The service of Authlete.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service_id: Option<String>,
    /// The region of Authlete, or of object storage.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// The project of Apinizer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub project: Option<String>,
    /// The ID of the client that requests tokens. Its secret comes from the source of the token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_id: Option<String>,
    /// The issuer (OpenID Connect Discovery).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub issuer: Option<String>,
    /// The address of the storage, if it is not the vendor's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,
    /// The address where a published document is read, if it is not written there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub read_url: Option<String>,
    /// The `Cache-Control` header of published documents.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cache_control: Option<String>,
}

impl Location {
    /// Returns the settings that are present, by the names of their options.
    pub fn settings(&self) -> Vec<(&'static str, &str)> {
        let all = [
            ("--url", &self.url),
            ("--project-slug", &self.project_slug),
            ("--service-id", &self.service_id),
            ("--region", &self.region),
            ("--project", &self.project),
            ("--client-id", &self.client_id),
            ("--issuer", &self.issuer),
            ("--endpoint", &self.endpoint),
            ("--read-url", &self.read_url),
            ("--cache-control", &self.cache_control),
        ];
        let given = all.into_iter();
        given
            .filter_map(|(name, value)| Some((name, value.as_deref()?)))
            .collect()
    }

    /// Returns the value of a setting that the kind requires, or an error.
    pub fn required<'p>(name: &str, value: &'p Option<String>, kind: &str) -> Result<&'p str> {
        value
            .as_deref()
            .ok_or_else(|| Error::usage(format!("{kind} requires {name}")))
    }
}

/// Parses an address that the user gave. Returns an error if it is neither http nor https, or contains
/// a secret.
pub fn parse_address(address: &str) -> Result<Url> {
    let refuse = |why: &str| {
        // The address can contain a password, so the message does not repeat it.
        Err(Error::usage(format!("the address {why}"))
            .hint("use an address such as https://host:port/path"))
    };
    let Ok(mut url) = Url::parse(address) else {
        return refuse("cannot be read");
    };
    if !matches!(url.scheme(), "http" | "https") || url.host().is_none() {
        return refuse("is neither http:// nor https://");
    }
    if !url.username().is_empty() || url.password().is_some() {
        return refuse("contains a user name or password");
    }
    if has_secret_query(&url) {
        return Err(Error::usage("the query of the address holds a secret").hint(
            "keep the whole address in a variable: jwks remote add NAME --kind url --url-env VAR; --url-command CMD lets a command print it",
        ));
    }
    url.set_fragment(None);
    Ok(url)
}

/// Parses the address in a setting. Returns an error if the setting is missing.
pub fn parse_setting(location: &Location, kind: &str) -> Result<Url> {
    parse_address(Location::required("--url", &location.url, kind)?)
}

/// Returns true if the name of a header or query parameter is usual for a secret: it contains a word
/// such as `token`, or has a short word such as `sig` by itself.
pub fn sounds_secret(name: &str) -> bool {
    const PARTS: &[&str] = &[
        "auth",
        "bearer",
        "cookie",
        "credential",
        "hmac",
        "key",
        "passphrase",
        "password",
        "passwd",
        "secret",
        "session",
        "signature",
        "signed",
        "token",
    ];
    const WORDS: &[&str] = &[
        "code", "hash", "jwt", "mac", "otp", "pass", "pin", "policy", "pw", "pwd", "sas", "sid",
        "sig", "sign", "ticket",
    ];
    let lower = name.to_ascii_lowercase();
    PARTS.iter().any(|part| lower.contains(part)) || words(name).any(|word| WORDS.contains(&&*word))
}

/// Returns true if a query parameter of an address has a usual name for a secret, or is a token.
pub fn has_secret_query(url: &Url) -> bool {
    let is_secret =
        |(name, value): (Cow<str>, Cow<str>)| sounds_secret(&name) || looks_secret(&value);
    url.query_pairs().any(is_secret)
}

/// Parses an address that is secret as a whole. Returns an error if it is not http or https, or has a
/// user name. The error contains no part of the address.
pub fn parse_secret_address(address: &Secret<String>) -> Result<Url> {
    let is_usable = |url: &Url| {
        let has_user = !url.username().is_empty() || url.password().is_some();
        matches!(url.scheme(), "http" | "https") && url.host().is_some() && !has_user
    };
    let mut url = Url::parse(address.expose())
        .ok()
        .filter(is_usable)
        .ok_or_else(|| {
            Error::denied("the address that the remote takes from its token is not usable")
                .hint("set the token to a whole address such as https://host/path?query")
        })?;
    url.set_fragment(None);
    Ok(url)
}

/// Splits a name into lower-case words: `X-Amz-Sig`, `x_amz_sig` and `xAmzSig` have three words.
fn words(name: &str) -> impl Iterator<Item = String> {
    let mut words = vec![String::new()];
    let mut after_lower = false;
    for c in name.chars() {
        if !c.is_ascii_alphanumeric() || (after_lower && c.is_ascii_uppercase()) {
            words.push(String::new());
        }
        if let Some(word) = words.last_mut().filter(|_| c.is_ascii_alphanumeric()) {
            word.push(c.to_ascii_lowercase());
        }
        after_lower = c.is_ascii_lowercase();
    }
    words.into_iter()
}

/// Returns true if the value of a query parameter is a token, whatever its name: a JWT or JWE in
/// compact form.
fn looks_secret(value: &str) -> bool {
    value.starts_with("eyJ") && value.contains('.')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn presigned_addresses_are_refused_and_not_repeated() {
        for query in [
            "sig=SECRET",
            "sv=2024-11-04&se=2026-12-01&sr=b&sp=r&sig=SECRET",
            "X-Amz-Credential=a&X-Amz-Signature=SECRET",
            "X-Goog-Signature=SECRET",
            "code=SECRET",
            "pwd=SECRET",
            "sid=SECRET",
            "JWT=SECRET",
            "q=eyJhbGciOiJub25lIn0.SECRET.",
            "api_key=SECRET",
            "accessPass=SECRET",
            "%73ig=SECRET",
        ] {
            let error = parse_address(&format!("https://h/jwks.json?{query}")).unwrap_err();
            let hint = error.advice().unwrap_or_default();
            assert!(!format!("{error} {hint}").contains("SECRET"), "{query}");
        }
    }

    #[test]
    fn ordinary_parameters_stay() {
        for query in [
            "p=B2C_1_signin",
            "appid=0b1c",
            "version=2",
            "design=x",
            "format=json",
        ] {
            assert!(
                parse_address(&format!("https://h/keys?{query}")).is_ok(),
                "{query}"
            );
        }
    }
}
