//! The names of sets, which are safe as file names on every platform.

use crate::error::{Error, Result};
use std::fmt;

/// The name of a set: `[A-Za-z0-9][A-Za-z0-9._-]{0,127}`, but not a Windows device name, and without a
/// suffix of the keystore's files.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SetName(String);

/// The maximum length of a name, in characters.
const LONGEST: usize = 128;

impl SetName {
    /// Checks a name.
    pub fn new(name: &str) -> Result<SetName> {
        let refuse = |what: &str| {
            Err(Error::usage(format!("invalid set name {name:?}: {what}"))
                .hint("use letters, digits, '.', '_' and '-', and start with a letter or digit"))
        };
        let inner = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        if !name.starts_with(|c: char| c.is_ascii_alphanumeric()) {
            return refuse("it does not start with a letter or digit");
        }
        if !name.chars().all(inner) {
            return refuse("it has a character that is not allowed");
        }
        if name.len() > LONGEST {
            return refuse("it is longer than 128 characters");
        }
        if [".json", ".jwe", ".jwks"]
            .iter()
            .any(|suffix| name.ends_with(suffix))
        {
            let bare = name.rsplit_once('.').map_or(name, |(bare, _)| bare);
            return Err(Error::usage(format!(
                "invalid set name {name:?}: it has the suffix of a file"
            ))
            .hint(format!("name the set {bare:?}")));
        }
        if is_device(name) {
            return refuse("it is a device name on Windows");
        }
        Ok(SetName(name.to_owned()))
    }

    /// Returns the name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn is_device(name: &str) -> bool {
    let stem = name.split('.').next().unwrap_or(name).to_ascii_uppercase();
    let numbered = |device: &str| {
        let number = stem.strip_prefix(device);
        number.is_some_and(|number| {
            number.len() == 1 && number != "0" && number.as_bytes()[0].is_ascii_digit()
        })
    };
    matches!(&*stem, "CON" | "PRN" | "AUX" | "NUL") || numbered("COM") || numbered("LPT")
}

impl AsRef<str> for SetName {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for SetName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_are_safe_everywhere() {
        for good in [
            "a",
            "api",
            "hydra.openid.id-token",
            "9",
            "A_b-c",
            "console",
            "com10",
        ] {
            assert!(SetName::new(good).is_ok(), "{good}");
        }
        let long = "x".repeat(129);
        for bad in [
            "", ".", "..", "../x", "a/b", "/abs", "a\\b", "a\0b", "-rf", "--help", ".hidden",
            "CON", "nul.txt", "com1", "api.json", "api.jwe", "a b", "ä", "a\n", &long,
        ] {
            assert!(SetName::new(bad).is_err(), "{bad:?}");
        }
    }
}
