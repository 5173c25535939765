//! A JSON Web Key as it came, and everything that can be said of one key without a keystore.
//!
//! Nothing here touches a file, the environment, a clock or a terminal.

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
mod rsa;
pub mod salvage;
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

/// One element of a JWK Set's `keys` array, kept as the JSON text that it came as.
#[derive(Clone, PartialEq, Eq)]
pub struct Key<'a>(Cow<'a, str>);

impl<'a> Key<'a> {
    /// Takes the JSON text of one value. The text must be valid JSON; it need not be a usable
    /// key, nor an object.
    ///
    /// What only jwks itself may say ([`WITHHELD`](parts::WITHHELD)) is left out: a document of
    /// others could pass a public key off as a private one with it.
    pub(crate) fn from_json(json: impl Into<Cow<'a, str>>) -> Self {
        Key(json.into()).without(&[parts::WITHHELD])
    }

    /// Removes the members that only jwks sets ([`parts::OWN`]) from a foreign key: with them, a document
    /// could retire a key, or make a public key pass for a private one.
    pub(crate) fn without_own_members(self) -> Self {
        self.without(parts::OWN)
    }

    fn without(self, names: &[&str]) -> Self {
        // A name may be written with escapes.
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

    /// Takes the JSON text of a key from the public part of an encrypted set, where something may be
    /// withheld.
    pub(crate) fn of_public_part(json: impl Into<Cow<'a, str>>) -> Self {
        Key(json.into())
    }

    /// The text as it came, secrets included.
    pub fn json(&self) -> &str {
        &self.0
    }

    /// The key's members.
    pub fn members(&self) -> Result<Members<'_>, Malformed> {
        Members::parse(&self.0)
    }

    /// The same key, borrowing from nothing.
    pub fn into_owned(mut self) -> Key<'static> {
        Key(Cow::Owned(mem::take(&mut self.0).into_owned()))
    }
}

impl Drop for Key<'_> {
    /// A copy that is the key's own leaves nothing behind.
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
    /// Shows no more than the kid and kty: everything else may be secret.
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
