//! The kind and version of a Hydra, and the certificate members that the version keeps.

use crate::error::Error;
use crate::key::Key;
use crate::remote::http::{Client, Event, Request};
use crate::remote::kind::hydra::answer::{Meaning, meaning};
use crate::remote::kind::hydra::{HYDRA, HYDRA_V1, Hydra, MEMBERS, SETS, SETS_V1};
use serde_json::Value;
use std::fmt;

/// The name of a set that should not exist. The answer about it shows whether key sets are below a
/// path.
pub const NOBODYS_SET: &str = "jwks-remote-test";

/// The first two numbers of a Hydra version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version(u32, u32);

impl Version {
    pub const V1_0: Version = Version(1, 0);
    const V1_10: Version = Version(1, 10);
    pub const V2_0: Version = Version(2, 0);
    const V2_2: Version = Version(2, 2);

    /// Parses a version such as `v2.2.0`. The `v` and the rest after the second number are optional.
    pub fn parse(text: &str) -> Option<Version> {
        let mut numbers = text.trim_start_matches('v').split(['.', '-', '+']);
        let mut number = || numbers.next()?.parse().ok();
        Some(Version(number()?, number()?))
    }

    /// Returns the members of a key that this version keeps. The first releases drop three; later ones
    /// answer a PUT with `x5u` with status 500.
    pub fn members(self) -> &'static [&'static str] {
        let lost = match self {
            version if version < Version::V1_10 => 3,
            version if version < Version::V2_2 => 1,
            _ => 0,
        };
        &MEMBERS[..MEMBERS.len() - lost]
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.0, self.1)
    }
}

/// Asks a server for its version; `None` if it does not say.
pub fn ask(client: &Client) -> Option<Version> {
    let answer = client
        .send(&Request::get(["version"]))
        .ok()?
        .success()
        .ok()?;
    let body: Value = answer.json().ok()?;
    Version::parse(body["version"].as_str()?)
}

/// Returns true if the server keeps key sets below this path.
pub fn has_key_sets(client: &Client, prefix: &[&str]) -> bool {
    let path = prefix.iter().chain(&[NOBODYS_SET]);
    match client.send(&Request::get(path)) {
        Ok(answer) => answer.is_success() || meaning(&answer) == Meaning::Missing,
        Err(_) => false,
    }
}

/// Returns true if some version loses a member of this key.
pub fn has_certificate_members(key: &Key) -> bool {
    let lost = &MEMBERS[Version::V1_0.members().len()..];
    let members = key.members().unwrap_or_default();
    lost.iter().any(|name| members.has(name))
}

impl Hydra {
    /// Returns an error that names the right kind, if the server is of the other kind.
    pub(super) fn other_kind(&self) -> Option<Error> {
        // 26.2 and later also answer the paths of 1.x, so the paths of 2.x decide.
        let is_2 = has_key_sets(&self.client, SETS);
        let (kind, fallback) = match self.kind.name {
            "hydra-v1" if is_2 => (&HYDRA, "2.x"),
            "hydra" if !is_2 && has_key_sets(&self.client, SETS_V1) => (&HYDRA_V1, "1.x"),
            _ => return None,
        };
        let (base, name) = (self.client.base(), self.client.name());
        let base = base.trim_end_matches('/');
        let version = self.version().map(|version| version.to_string());
        let version = version.as_deref().unwrap_or(fallback);
        let (own, other) = (self.kind.name, kind.name);
        Some(
            Error::remote(format!(
                "{base} is Hydra {version}, and remote {name} is of kind {own}"
            ))
            .hint(format!(
                "run `jwks remote add {name} --kind {other} --url {base} --force`"
            )),
        )
    }

    fn version(&self) -> Option<Version> {
        *self.version.get_or_init(|| ask(&self.client))
    }

    /// Returns the members that this server's version keeps. Warns if it loses some.
    pub(super) fn members(&self) -> &'static [&'static str] {
        // Ory Network runs the newest version.
        let oldest = match self.kind.name {
            "ory" => return MEMBERS,
            "hydra" => Version::V2_0,
            _ => Version::V1_0,
        };
        let is_asked = self.version.get().is_some();
        let version = self.version().unwrap_or(oldest);
        let members = version.members();
        if !is_asked && members.len() < MEMBERS.len() {
            let lost = MEMBERS[members.len()..].join(", ");
            let words = format!("Hydra {version} does not keep {lost}: not sent, and not compared");
            (self.client.options().notify)(Event::Warning(&words));
        }
        members
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_and_ordered() {
        for (text, version) in [
            ("v1.0.9", Some(Version(1, 0))),
            ("v26.2.0", Some(Version(26, 2))),
            ("2.2.0-pre.1", Some(Version(2, 2))),
            ("v2", None),
            ("master", None),
            ("", None),
        ] {
            assert_eq!(Version::parse(text), version, "{text}");
        }
        assert_eq!(Version(26, 2).members(), MEMBERS);
        assert_eq!(Version(2, 0).members().last(), Some(&"x5t#S256"));
        assert_eq!(Version(1, 9).members().last(), Some(&"x5c"));
    }
}
