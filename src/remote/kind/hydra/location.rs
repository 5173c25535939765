//! The address of a Hydra: a self-hosted server, or a project of Ory Network.

use crate::environment::{self, ORY_ADDRESS};
use crate::error::{Error, Result};
use crate::remote::kind::hydra::{ORY, ServerKind};
use crate::remote::location::{Location, parse_address, parse_setting};
use url::Url;

/// Returns the admin address of a self-hosted Hydra, from the setting or ORY_SDK_URL. Returns an error
/// if it already ends in the path of key sets.
pub fn self_hosted(location: &Location, kind: &ServerKind) -> Result<Url> {
    let url = address(location, kind)?;
    let path = url.path().trim_end_matches('/');
    if ["/admin", "/keys"].iter().any(|end| path.ends_with(end)) {
        Err(Error::usage(format!(
            "the address of a {} remote must not end with {path}",
            kind.name
        )))
    } else {
        Ok(url)
    }
}

fn address(location: &Location, kind: &ServerKind) -> Result<Url> {
    match (&location.url, environment::value(ORY_ADDRESS)) {
        (None, Some(address)) => parse_address(&address),
        _ => parse_setting(location, kind.name),
    }
}

/// Returns the address of a project of Ory Network, from its slug or an address. Returns an error if
/// both are given, or neither.
pub fn network(location: &Location) -> Result<Url> {
    match (&location.url, &location.project_slug) {
        (None, Some(slug)) => {
            let is_slug = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
            if slug.is_empty() || !slug.chars().all(is_slug) {
                return Err(Error::usage(format!("invalid project slug {slug:?}")));
            }
            parse_address(&format!("https://{slug}.projects.oryapis.com"))
        }
        (Some(_), Some(_)) => Err(Error::usage(
            "--project-slug and --url cannot be used together",
        )),
        _ => self_hosted(location, &ORY).map_err(|error| {
            error.hint("pass --project-slug SLUG or --url URL, or set ORY_SDK_URL")
        }),
    }
}
