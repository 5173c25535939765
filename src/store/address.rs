//! The addresses of keystores on servers: `vault:MOUNT/PREFIX`, `kubernetes:NAMESPACE/PREFIX` and
//! `s3://BUCKET/PREFIX`. For the first two, the address of the server is in front of the path if the environment does
//! not name it.

use crate::error::{Error, Result};
use std::ffi::OsStr;
use url::Url;

/// The kind of a store on a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Vault,
    Kubernetes,
    S3,
}

/// The kinds, by their word in an address.
const KINDS: &[(&str, Kind)] = &[
    ("vault:", Kind::Vault),
    ("kubernetes:", Kind::Kubernetes),
    ("s3://", Kind::S3),
];

/// The address of a keystore on a server.
#[derive(Clone, Debug)]
pub struct Address {
    pub(super) kind: Kind,
    /// The address of the server, without a path; `None` if the environment names it.
    pub(super) server: Option<Url>,
    /// The segments of the path.
    pub(super) path: Vec<String>,
    /// The whole address, for messages.
    pub(super) shown: String,
}

impl Address {
    /// Parses the value of --store or JWKS_STORE; `None` if it names a directory. Returns an error if it
    /// begins with a kind of store and is not an address of one.
    pub fn parse(store: &OsStr) -> Result<Option<Address>> {
        let Some(text) = store.to_str() else {
            return Ok(None);
        };
        let kinds = KINDS.iter();
        let mut kinds = kinds.filter_map(|(word, kind)| Some((*kind, text.strip_prefix(word)?)));
        let Some((kind, rest)) = kinds.next() else {
            return Ok(None);
        };
        let (server, path) = match rest.split_once("://") {
            _ if kind == Kind::S3 => (None, rest.to_owned()),
            None => (None, rest.to_owned()),
            Some(_) => {
                let (server, path) = split(rest)?;
                (Some(server), path)
            }
        };
        let path: Vec<String> = match path.trim_end_matches('/') {
            "" => Vec::new(),
            path => path.split('/').map(str::to_owned).collect(),
        };
        let is_name = |name: &String| {
            let is_plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
            name.chars().all(is_plain) && !name.chars().all(|c| c == '.')
        };
        if !path.iter().all(is_name) {
            return Err(invalid(
                "its path has a segment that is empty or not letters, digits, '.', '_' and '-'",
            ));
        }
        Ok(Some(Address {
            kind,
            server,
            path,
            shown: text.trim_end_matches('/').to_owned(),
        }))
    }

    /// Returns true if the value of --store or JWKS_STORE names a server. `./vault:x` names a directory.
    pub fn is_in(store: &OsStr) -> bool {
        let text = store.to_string_lossy();
        KINDS.iter().any(|(word, _)| text.starts_with(word))
    }
}

/// Splits an address into that of the server and the path.
fn split(rest: &str) -> Result<(Url, String)> {
    // The address can contain a password, so no message repeats it.
    let Ok(mut url) = Url::parse(rest) else {
        return Err(invalid("its server is not an address"));
    };
    if !matches!(url.scheme(), "http" | "https") || url.host().is_none() {
        return Err(invalid("its server is neither http:// nor https://"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(invalid("it contains a user name or password"));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(invalid("it contains a query or a fragment"));
    }
    let path = url.path().trim_start_matches('/').to_owned();
    url.set_path("/");
    Ok((url, path))
}

fn invalid(why: &str) -> Error {
    Error::usage(format!("the address of the keystore is invalid: {why}")).hint(
        "use vault:MOUNT/PREFIX, kubernetes:NAMESPACE/PREFIX or s3://BUCKET/PREFIX; to name a directory, begin with ./",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Option<Address>> {
        Address::parse(OsStr::new(text))
    }

    #[test]
    fn directories_and_servers_are_told_apart() {
        for directory in [
            "keys",
            "./vault:x",
            "/k/vault:x",
            "vault",
            "C:\\keys",
            "s3",
            "",
        ] {
            assert!(parse(directory).unwrap().is_none(), "{directory}");
            assert!(!Address::is_in(OsStr::new(directory)));
        }
        for (text, server, path) in [
            ("vault:secret/jwks", None, "secret jwks"),
            ("vault:kv/team/jwks/", None, "kv team jwks"),
            ("kubernetes:", None, ""),
            ("kubernetes:apps", None, "apps"),
            (
                "vault:http://127.0.0.1:8200/secret/jwks",
                Some("http://127.0.0.1:8200/"),
                "secret jwks",
            ),
            (
                "kubernetes:https://api.example:6443/apps/jwks",
                Some("https://api.example:6443/"),
                "apps jwks",
            ),
        ] {
            let address = parse(text).unwrap().unwrap();
            assert!(Address::is_in(OsStr::new(text)));
            assert_eq!(address.server.as_ref().map(Url::as_str), server, "{text}");
            assert_eq!(address.path.join(" "), path, "{text}");
        }
        for bad in [
            "vault:secret//jwks",
            "vault:../x",
            "vault:a/../b",
            "vault:a b",
            "vault:ftp://h/x",
            "vault:https://u:SECRET@h/x",
            "vault:https://h/x?q=SECRET",
            "vault:https:///x y",
        ] {
            let error = parse(bad).unwrap_err();
            assert_eq!(error.kind().exit_code(), 2, "{bad}");
            assert!(!error.to_string().contains("SECRET"), "{error}");
        }
    }
}
