//! The content of a file, and the steps that several layouts share.

use crate::error::{Error, Result};
use crate::key::members::Members;
use crate::key::write;
use crate::keyset::kid_from::KidFrom;
use crate::keyset::publish::pretty_set;
use crate::layout::{Chosen, ChosenKey};
use crate::secret::Secret;

/// The content of a file.
pub struct Content {
    /// The octets of the file.
    pub octets: Secret<Vec<u8>>,
    /// True if it is one JSON document.
    pub is_json: bool,
    /// Warnings for the user.
    pub warnings: Vec<String>,
}

impl Default for Content {
    fn default() -> Self {
        Content::of(Secret::new(String::new()))
    }
}

impl Content {
    /// Returns a content without warnings.
    pub fn of(text: Secret<String>) -> Self {
        Content {
            octets: Secret::new(text.expose().as_bytes().to_vec()),
            is_json: false,
            warnings: Vec::new(),
        }
    }

    /// Returns a JSON document without warnings.
    pub fn json(text: Secret<String>) -> Self {
        Content {
            is_json: true,
            ..Content::of(text)
        }
    }

    /// Adds warnings about keys that the signer calls by another kid than the set.
    pub fn warn_of_kids(mut self, chosen: &Chosen, signer: &str, from: KidFrom) -> Self {
        for key in &chosen.keys {
            let members = key.private.as_ref().or(key.public.as_ref());
            let Some(members) = members else { continue };
            let computed = from.compute(members).ok().flatten();
            let kid = members.string("kid");
            if let Some(computed) = computed.filter(|it| Some(&**it) != kid.as_deref()) {
                let name = key.name();
                self.warnings
                    .push(format!("{signer} gives {name} the kid {computed}"));
            }
        }
        self
    }
}

/// Returns the private forms of keys. Returns an error if one of them has no private part.
pub fn private_of<'k>(
    keys: impl IntoIterator<Item = &'k ChosenKey>,
) -> Result<Vec<&'k Members<'static>>> {
    let private = |key: &'k ChosenKey| {
        let missing = || Error::refused(format!("{} has no private part", key.name()));
        key.private.as_ref().ok_or_else(missing)
    };
    keys.into_iter().map(private).collect()
}

/// Returns keys as a JWK Set.
pub fn jwk_set(keys: &[&Members<'static>]) -> Secret<String> {
    let keys: Vec<_> = keys.iter().map(|key| (*key).clone()).collect();
    Secret::new(pretty_set(&keys))
}

/// Returns private keys as PKCS#8 in PEM, one after the other.
pub fn private_pem(keys: &[&Members<'static>]) -> Result<Secret<String>> {
    let mut text = Secret::new(String::new());
    for key in keys {
        let pem = Secret::new(write::pkcs8(key)?.to_pem());
        text.expose_mut().push_str(pem.expose());
    }
    Ok(text)
}
