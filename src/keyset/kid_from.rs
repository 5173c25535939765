//! The kid of a key that is new to a set: computed from the key, random, or a date.

use crate::error::{Error, Result};
use crate::key::base64url;
use crate::key::certificate::Certificate;
use crate::key::header::Header;
use crate::key::members::Members;
use crate::key::thumbprint::thumbprint;
use crate::key::write::spki;
use crate::keyset::KeySet;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::borrow::Cow;
use std::collections::HashSet;

/// Where the kid of a key comes from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum KidFrom {
    /// The key's RFC 7638 thumbprint
    #[default]
    Thumbprint,
    /// A random UUID
    Uuid,
    /// The time, such as 2026-11-20T12-00-00Z; sorts by age
    Date,
    /// SHA-256 of the public key in DER, as kube-apiserver computes it
    Spki,
    /// SHA-1 of the certificate
    X5t,
    /// SHA-256 of the certificate
    #[value(name = "x5t#S256")]
    #[serde(rename = "x5t#S256")]
    X5tS256,
}

impl KidFrom {
    /// Generates a key whose thumbprint or digest, if that is its kid, does not begin with a dash. One in
    /// 64 does, and a kid that looks like an option is hard to use on a command line. Returns an error if
    /// `make` does, or if the kid cannot be computed.
    pub fn generate(self, make: impl Fn() -> Result<Members<'static>>) -> Result<Members<'static>> {
        loop {
            let members = make()?;
            let kid = match self {
                KidFrom::Thumbprint | KidFrom::Spki => self.compute(&members)?,
                // A certificate is made later.
                KidFrom::Uuid | KidFrom::Date | KidFrom::X5t | KidFrom::X5tS256 => None,
            };
            if !kid.is_some_and(|kid| kid.starts_with('-')) {
                return Ok(members);
            }
        }
    }

    /// Returns true if the kid is the digest of a certificate.
    pub fn needs_certificate(self) -> bool {
        matches!(self, KidFrom::X5t | KidFrom::X5tS256)
    }

    /// Computes the kid of a key; `None` if it does not depend on the key. Returns an error if the key has
    /// no certificate, or no public key.
    pub fn compute(self, members: &Members) -> Result<Option<String>> {
        let leaf = || {
            let mut chain = Certificate::chain_of(members).into_iter();
            chain.next().ok_or_else(|| {
                Error::invalid("the key has no certificate")
                    .hint("choose thumbprint or spki, which need no certificate")
            })
        };
        Ok(match self {
            KidFrom::Uuid | KidFrom::Date => None,
            KidFrom::Thumbprint => thumbprint(members),
            KidFrom::Spki => Some(base64url::encode(Sha256::digest(spki(members)?.der()))),
            KidFrom::X5t => Some(base64url::encode(leaf()?.sha1())),
            KidFrom::X5tS256 => Some(base64url::encode(leaf()?.sha256())),
        })
    }
}

/// Chooses the kids of new keys.
pub struct Kids {
    from: KidFrom,
    taken: HashSet<String>,
    /// The time, in seconds since 1970.
    now: i64,
}

impl Kids {
    /// Creates a source of kids. Dates avoid the kids of the set; a kid that is computed from a key
    /// can repeat one. `now` is in seconds since 1970.
    pub fn new(from: KidFrom, set: &KeySet, now: i64) -> Self {
        let kid = |key| Header::of(key).kid.map(Cow::into_owned);
        Kids {
            from,
            taken: set.keys.iter().filter_map(kid).collect(),
            now,
        }
    }

    /// Returns the kid of a new key. A kid that is computed from the key can be that of another key.
    /// Returns an error if it cannot be computed.
    pub fn next(&mut self, members: &Members) -> Result<String> {
        let kid = match self.from {
            KidFrom::Uuid => uuid::Uuid::new_v4().to_string(),
            KidFrom::Date => {
                let mut dates = dated(self.now);
                dates
                    .find(|kid| !self.taken.contains(kid))
                    .unwrap_or_default()
            }
            from => from.compute(members)?.unwrap_or_default(),
        };
        self.taken.insert(kid.clone());
        Ok(kid)
    }
}

/// Returns the time as a kid, such as `2026-11-20T12-00-00Z`, and then the same text with `-2`, `-3`
/// and so on. `now` is in seconds since 1970.
fn dated(now: i64) -> impl Iterator<Item = String> {
    let date =
        Timestamp::from_second(now).map_or_else(|_| now.to_string(), |time| time.to_string());
    let date = date.replace(':', "-");
    let numbered = date.clone();
    std::iter::once(date).chain((2..).map(move |number| format!("{numbered}-{number}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The thumbprint, and the kid that kube-apiserver gives to a public key.
    #[test]
    fn kids_are_those_that_others_compute() {
        let key =
            r#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;
        let key = Members::parse(key).ok().unwrap();
        let kid = |from: KidFrom| from.compute(&key);
        assert_eq!(
            kid(KidFrom::Thumbprint).ok().flatten().as_deref(),
            Some("kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k")
        );
        assert_eq!(
            kid(KidFrom::Spki).ok().flatten().as_deref(),
            Some("BuP9j9opu2CrWVV95h7bCuzbIxE0vjDnW0Vfjht5L6k")
        );
        assert!(kid(KidFrom::X5t).is_err());
    }

    #[test]
    fn equal_dates_get_a_number() {
        let mut kids = Kids::new(KidFrom::Date, &KeySet::default(), 0);
        let key = Members::default();
        assert_eq!(
            kids.next(&key).ok().as_deref(),
            Some("1970-01-01T00-00-00Z")
        );
        assert_eq!(
            kids.next(&key).ok().as_deref(),
            Some("1970-01-01T00-00-00Z-2")
        );
    }
}
