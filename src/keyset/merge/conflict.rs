//! Conflicts of a new key with the keys of a set: another key with its kid, and another private part.

use crate::error::{Error, Result};
use crate::key::Key;
use crate::key::key_type::Kty;
use crate::key::thumbprint::thumbprint;
use crate::keyset::key_name::{KeyName, named};

/// Returns the key with its thumbprint as kid. Returns an error for shared secrets, because the
/// thumbprint of a weak secret would help to guess it (RFC 7638 section 7).
pub(super) fn named_by_thumbprint(key: &Key) -> Result<Key<'static>> {
    let members = key.members().unwrap_or_default();
    let symmetric = members.kty() == Some(Kty::Oct);
    match thumbprint(&members).filter(|_| !symmetric) {
        Some(thumbprint) => {
            let renamed = Key::from(members.clone().with_kid(&thumbprint));
            if renamed == *key {
                Err(Error::refused(format!(
                    "another key has the kid {thumbprint:?}"
                )))
            } else {
                Ok(renamed)
            }
        }
        None => Err(Error::refused(
            "a key that cannot be named by its thumbprint has the kid of another key",
        )
        .hint("pass --kid to give it another kid")),
    }
}

/// Returns true if both keys have a private part and these differ.
pub(super) fn contradicts(own: &Key, new: &Key) -> bool {
    let (own, new) = (
        own.members().unwrap_or_default(),
        new.members().unwrap_or_default(),
    );
    let key_type = own.key_type();
    key_type.is_some_and(|key_type| {
        key_type
            .private
            .iter()
            .any(|name| own.has(name) && new.has(name) && own.string(name) != new.string(name))
    })
}

/// Returns the error for two private parts of one key.
pub(super) fn contradiction(own: &Key) -> Error {
    let name = named(KeyName::of(own).handle());
    Error::refused(format!("the set has {name} with another private part"))
        .hint("run `jwks check` on both to see which one is wrong")
}

/// Returns the error for a kid that another key of the set has, or whose thumbprint it is.
pub(super) fn conflict(kid: &str, own: &Key) -> Error {
    let own = KeyName::of(own);
    if own.thumbprint.as_deref() == Some(kid) && own.kid.as_deref() != Some(kid) {
        let own = named(own.kid.as_deref());
        return Error::refused(format!("the kid {kid:?} is the thumbprint of {own}"))
            .hint("pass --on-conflict skip or rekey");
    }
    let own = own.public_thumbprint().unwrap_or("no public thumbprint");
    Error::refused(format!("another key has the kid {kid:?} ({own})"))
        .hint("pass --on-conflict skip, replace or rekey")
}
