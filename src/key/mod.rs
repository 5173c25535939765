//! One JSON Web Key: its text, its checks, and its conversion to and from other formats.
//!
//! This module uses no files, environment variables, clock or terminal.

pub mod algorithm;
pub mod attributes;
pub mod base64url;
pub mod certificate;
pub mod check;
pub mod curve;
pub mod generate;
pub mod header;
pub mod key_type;
pub mod members;
pub mod ml_dsa;
pub mod openssl_key;
pub mod parts;
pub mod public;
pub mod read;
pub mod repair;
pub mod rsa;
pub mod sanitize;
pub mod step_counter;
pub mod strict_json;
pub mod summary;
pub mod thumbprint;
pub mod write;

use crate::secret::wipe;
use members::{Malformed, Members};
use std::borrow::Cow;
use std::fmt;
use std::mem;

/// One element of the `keys` array of a JWK Set, kept as its original JSON text.
#[derive(Clone, PartialEq, Eq)]
pub struct Key<'a>(Cow<'a, str>);

impl<'a> Key<'a> {
    /// Creates a key from the JSON text of one value. The text must be valid JSON, but the value
    /// can be an unusable key or no object at all.
    ///
    /// [`WITHHELD`](parts::WITHHELD) is removed. Otherwise, a foreign document could make a public
    /// key look private.
    pub(crate) fn from_json(json: impl Into<Cow<'a, str>>) -> Self {
        Key(json.into()).without(&[parts::WITHHELD])
    }

    /// Removes the members that only jwks sets ([`parts::OWN`]) from a foreign key. With them, a
    /// foreign document could retire a key or make a public key look private.
    pub(crate) fn without_own_members(self) -> Self {
        self.without(parts::OWN)
    }

    fn without(self, names: &[&str]) -> Self {
        // A name can be written with escapes.
        let may_have = |name: &&str| self.0.contains(*name) || self.0.contains("\\u");
        if !names.iter().any(may_have) {
            return self;
        }
        let without = self.members().ok().and_then(|mut members| {
            let is_there = names.iter().any(|name| members.raw(name).is_some());
            names.iter().for_each(|name| members.remove(name));
            is_there.then(|| Key(Cow::Owned(members.to_json())))
        });
        without.unwrap_or(self)
    }

    /// Creates a key from the public header of an encrypted set, where
    /// [`WITHHELD`](parts::WITHHELD) can stand for the private part.
    pub(crate) fn of_public_part(json: impl Into<Cow<'a, str>>) -> Self {
        Key(json.into())
    }

    /// Returns the original JSON text, including secrets.
    pub fn json(&self) -> &str {
        &self.0
    }

    /// Parses the members of the key.
    pub fn members(&self) -> Result<Members<'_>, Malformed> {
        Members::parse(&self.0)
    }

    /// Converts the key to one that owns its text.
    pub fn into_owned(mut self) -> Key<'static> {
        Key(Cow::Owned(mem::take(&mut self.0).into_owned()))
    }
}

impl Drop for Key<'_> {
    /// Wipes the text if the key owns it.
    fn drop(&mut self) {
        if let Cow::Owned(json) = &mut self.0 {
            wipe(json);
        }
    }
}

impl From<Members<'_>> for Key<'static> {
    fn from(members: Members<'_>) -> Self {
        Key(Cow::Owned(members.to_json()))
    }
}

impl fmt::Debug for Key<'_> {
    /// Shows only `kid` and `kty`, because other members can be secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let members = self.members().unwrap_or_default();
        f.debug_struct("Key")
            .field("kty", &members.string("kty"))
            .field("kid", &members.string("kid"))
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_no_secret() {
        let key = Key::from_json(r#"{"kty":"oct","kid":"a","k":"c2VjcmV0"}"#);
        let shown = format!("{key:?} {:#?}", Key::from_json("[\"c2VjcmV0\"]"));
        assert!(
            shown.contains("oct") && !shown.contains("c2VjcmV0"),
            "{shown}"
        );
    }
}
