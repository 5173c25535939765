//! Chooses one of the keys that were read, by its kid.

use crate::error::{Error, Result};
use crate::key::Key;
use crate::key::strict_json::LONGEST_KID;
use crate::key::thumbprint::thumbprint;
use crate::keyset::KeySet;

/// Returns the key with a kid, and its position. If the input has only one key and its kid is absent or
/// is its thumbprint, gives it the kid. Returns an error if there is no such key, or more than one.
pub fn pick(keys: Vec<Key<'static>>, kid: &str) -> Result<(usize, Key<'static>)> {
    let missing = || Error::not_found(format!("no key {kid:?} in the input"));
    let given = KeySet::from(keys);
    match (&given.with_kid(kid)[..], &given.keys[..]) {
        ([one], _) => Ok((*one, given.keys[*one].clone())),
        ([], [only]) => {
            let members = only.members().unwrap_or_default();
            match members.string("kid") {
                Some(own) if thumbprint(&members).as_deref() != Some(&own) => {
                    Err(missing().hint(format!("its only key has the kid {own:?}")))
                }
                _ => {
                    check_kid(kid)?;
                    Ok((0, Key::from(members.clone().with_kid(kid))))
                }
            }
        }
        ([], _) => Err(missing()),
        (several, _) => {
            let message = format!("{} keys of the input have the kid {kid:?}", several.len());
            Err(Error::refused(message))
        }
    }
}

/// Returns an error for a kid that is empty, too long for an import, or has control characters, which
/// other tools could mishandle.
pub fn check_kid(kid: &str) -> Result<()> {
    if kid.is_empty() {
        return Err(Error::usage("the kid is empty"));
    }
    if kid.len() > LONGEST_KID {
        return Err(Error::usage(format!(
            "the kid has more than {} bytes",
            LONGEST_KID
        )));
    }
    if kid.chars().any(char::is_control) {
        return Err(Error::usage(format!(
            "the kid {kid:?} has control characters"
        )));
    }
    Ok(())
}
