//! The paths of the two documents, and the address of the JWK Set below an issuer.

use crate::error::{Error, Result};
use crate::remote::location::{Location, parse_address};
use url::Url;

/// The path of a discovery document below an issuer (OpenID Connect Discovery 1.0 section 4.1).
const DISCOVERY: [&str; 2] = [".well-known", "openid-configuration"];

/// The path of a JWK Set at the issuer of a Kubernetes cluster.
const OF_CLUSTER: [&str; 3] = ["openid", "v1", "jwks"];

/// Checks the issuer of a remote, if it has one.
pub fn check_issuer(location: &Location) -> Result<()> {
    let Some(issuer) = &location.issuer else {
        return Ok(());
    };
    check_issuer_address(issuer)
}

/// Returns an error if an address cannot be that of an issuer (OpenID Connect Core 1.0 section 2).
pub fn check_issuer_address(issuer: &str) -> Result<()> {
    parse_address(issuer).map_err(|error| error.about("--issuer"))?;
    if issuer.contains(['?', '#']) {
        return Err(Error::usage("an issuer has neither a query nor a fragment"));
    }
    Ok(())
}

/// Where the documents are: the path of the JWK Set, split at the place of the issuer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Site {
    prefix: Vec<String>,
    keys: Vec<String>,
    /// True if the segments are percent-encoded.
    is_encoded: bool,
}

impl Site {
    /// Splits the path of a JWK Set. The issuer is the directory of the document, or the one around
    /// `.well-known/` or `openid/v1/jwks`.
    pub fn of<S: AsRef<str>>(path: impl IntoIterator<Item = S>) -> Site {
        let path: Vec<String> = path.into_iter().map(|it| it.as_ref().to_owned()).collect();
        let length = match &path[..] {
            [.., a, b, c] if [&**a, &**b, &**c] == OF_CLUSTER => 3,
            [.., directory, _] if directory == DISCOVERY[0] => 2,
            _ => 1,
        };
        let (prefix, keys) = path.split_at(path.len().saturating_sub(length));
        Site {
            prefix: prefix.to_vec(),
            keys: keys.to_vec(),
            is_encoded: false,
        }
    }

    /// Splits the path of the address of a JWK Set. The segments stay percent-encoded.
    pub fn of_address(url: &Url) -> Site {
        let site = Site::of(url.path_segments().into_iter().flatten());
        Site {
            is_encoded: true,
            ..site
        }
    }

    /// Returns the path of the JWK Set.
    pub fn keys(&self) -> Vec<&str> {
        let path = self.prefix.iter().chain(&self.keys);
        path.map(String::as_str).collect()
    }

    /// Returns the path of the discovery document.
    pub fn discovery(&self) -> Vec<&str> {
        let prefix = self.prefix.iter().map(String::as_str);
        prefix.chain(DISCOVERY).collect()
    }

    /// Returns the address of the JWK Set for an issuer.
    pub fn jwks_uri(&self, issuer: &str) -> String {
        let path = self.keys.join("/");
        let issuer = issuer.trim_end_matches('/');
        match Url::parse(issuer) {
            Ok(mut url) if !self.is_encoded => {
                // Only addresses without a host have no segments.
                if let Ok(mut segments) = url.path_segments_mut() {
                    segments.pop_if_empty().extend(&self.keys);
                }
                url.into()
            }
            _ => format!("{issuer}/{path}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_issuer_is_around_the_usual_paths() {
        for (path, discovery, keys) in [
            (
                "keys.json",
                ".well-known/openid-configuration",
                "https://i/keys.json",
            ),
            (
                "a/b/keys.json",
                "a/b/.well-known/openid-configuration",
                "https://i/keys.json",
            ),
            (
                "a/openid/v1/jwks",
                "a/.well-known/openid-configuration",
                "https://i/openid/v1/jwks",
            ),
            (
                "a/.well-known/jwks.json",
                "a/.well-known/openid-configuration",
                "https://i/.well-known/jwks.json",
            ),
        ] {
            let site = Site::of(path.split('/'));
            assert_eq!(site.keys().join("/"), path);
            assert_eq!(site.discovery().join("/"), discovery);
            assert_eq!(site.jwks_uri("https://i/"), keys);
        }
    }

    #[test]
    fn the_address_of_the_keys_is_percent_encoded_once() {
        let url = Url::parse("https://h/keys%20of%20a/all%25.json").unwrap();
        let encoded = Site::of_address(&url).jwks_uri("https://i/x");
        assert_eq!(encoded, "https://i/x/all%25.json");
        let raw = Site::of("keys of a/all%.json".split('/')).jwks_uri("https://i/x");
        assert_eq!(raw, "https://i/x/all%25.json");
        let raw = Site::of(["a b.json"]).jwks_uri("https://i");
        assert_eq!(raw, "https://i/a%20b.json");
    }
}
