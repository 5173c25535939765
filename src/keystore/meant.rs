//! What a word probably means that stands where a set is wanted.

use crate::error::{Error, Result};
use crate::keystore::{Keystore, SetName};
use crate::nearest::did_you_mean;
use std::path::Path;

/// The suffixes of key files. Other suffixes of a name are taken for a part of it, as in
/// `hydra.openid.id-token`.
const FILES: &[&str] = &[
    "asc", "b64", "cer", "cert", "crt", "csr", "der", "env", "jceks", "jks", "json", "jsonl",
    "jwe", "jwk", "jwks", "jwt", "key", "keystore", "p12", "p7b", "p7c", "p8", "pem", "pfx", "pk8",
    "pub", "txt", "yaml", "yml",
];

/// The most sets that an error lists.
const SHOWN: usize = 8;

impl SetName {
    /// Checks a name from the command line. The hint of the error says what was probably meant.
    pub fn given(word: &str) -> Result<SetName> {
        SetName::new(word).map_err(|error| match file(word).or_else(|| set_and_key(word)) {
            Some(hint) => error.hint(hint),
            None => error,
        })
    }
}

impl SetName {
    /// Returns true if the name ends like the name of a key file.
    pub fn has_file_suffix(&self) -> bool {
        let suffix = self.as_str().rsplit_once('.').map(|(_, suffix)| suffix);
        suffix.is_some_and(|suffix| FILES.iter().any(|it| suffix.eq_ignore_ascii_case(it)))
    }
}

impl Keystore {
    /// Returns the hint for a word that is no set of the keystore, if it is nearly one.
    pub fn did_you_mean(&self, word: &str) -> Option<String> {
        did_you_mean(word, &self.names().ok()?)
    }

    /// Returns the hint for a word that is no file, if it means a set.
    pub fn meant_set(&self, word: &str) -> Option<String> {
        let is_set = |name: &str| {
            let name = SetName::new(name).ok()?;
            self.contains(&name).ok()?.then(|| name.to_string())
        };
        let stem = || word.rsplit_once('.').and_then(|(stem, _)| is_set(stem));
        set_and_key(word).or_else(|| Some(format!("did you mean the set {}?", stem()?)))
    }

    /// Adds a hint to an error about a set that neither exists nor has a history, if it is nearly the name
    /// of another set.
    pub fn hint_at_nearest(&self, name: &SetName, error: Error) -> Error {
        let mut names = self.names().unwrap_or_default();
        names.extend(self.sets_with_history().unwrap_or_default());
        if names.contains(name) {
            return error;
        }
        match did_you_mean(name.as_str(), &names) {
            Some(hint) => error.hint(hint),
            None => error,
        }
    }

    /// Returns the error for a set that does not exist.
    pub(super) fn missing(&self, name: &SetName) -> Error {
        let error = Error::not_found(format!("no set {name} in {}", self.shown()));
        if let Some(hint) = file(name.as_str()) {
            return error.hint(hint);
        }
        let Ok(names) = self.names() else {
            return error;
        };
        match names.len() {
            0 => error.hint(format!(
                "the keystore is empty; run `jwks create {name}` to create the set"
            )),
            number => match did_you_mean(name.as_str(), &names) {
                Some(hint) => error.hint(hint),
                None if number <= SHOWN => {
                    let names: Vec<_> = names.iter().map(SetName::as_str).collect();
                    error.hint(format!("sets: {}", names.join(", ")))
                }
                None => error.hint("run `jwks list` to see the sets"),
            },
        }
    }
}

/// Returns the hint for a word that is a file.
fn file(word: &str) -> Option<String> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "._-/".contains(c);
    let (it, file) = if word.chars().all(is_plain) {
        (word, word)
    } else {
        ("it", "FILE")
    };
    // A word that can be the name of a set is not read as a file.
    let here = match SetName::new(word) {
        Ok(name) if it == word && !name.has_file_suffix() => "./",
        _ => "",
    };
    Path::new(word).is_file().then(|| {
        format!("{it} is a file; run `jwks set SET {file}` to import its keys, or `jwks check {here}{file}` to check them")
    })
}

/// Returns the hint for a set and a kid in one word, such as `api/first`.
fn set_and_key(word: &str) -> Option<String> {
    let (set, kid) = word.split_once('/')?;
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    let is_kid = kid.starts_with(|c: char| c.is_ascii_alphanumeric()) && kid.chars().all(is_plain);
    (SetName::new(set).is_ok() && is_kid)
        .then(|| format!("a set and its key are two words: {set} {kid}"))
}
