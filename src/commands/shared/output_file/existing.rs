//! What an existing file holds, so that only an earlier export is replaced.

use crate::key::Key;
use crate::key::parts::holds_secret;
use crate::keyset::import::{self, Form, Imported, Options};
use crate::keyset::{FOREIGN_LIMIT, KeySet};
use crate::secret::Secret;
use std::fs;
use std::path::Path;

/// Returns true if the file does not exist, is not a regular file, which the write refuses anyway, or holds
/// only public keys, as an earlier export does.
pub(super) fn is_public(path: &Path, new: Option<Form>) -> bool {
    let Some(content) = content_of(path) else {
        return true;
    };
    // Lines of OpenSSH keys can be an authorized_keys file, and a manifest can be another program's
    // configuration.
    let is_own = |form| match form {
        Form::Jwk | Form::Jwks | Form::Pem | Form::Der => true,
        Form::Openssh | Form::Kubernetes => new == Some(form),
        Form::Jwe | Form::Pkcs12 | Form::Jks | Form::Secret => false,
    };
    let Ok(opened) = import::open(content.expose(), &Options::default()) else {
        return false;
    };
    // Keys inside another document, such as a configuration, are not an earlier export.
    let Some(form) = opened.form() else {
        return false;
    };
    // A part that jwks cannot read can be a damaged private key.
    let is_public = |read: Imported| {
        let is_whole = !read.notes.iter().any(|note| note.is_loss);
        is_whole && !read.set.keys.iter().any(holds_secret)
    };
    is_own(form) && import::join(vec![opened]).is_ok_and(is_public)
}

/// Returns true if the file does not exist, or if it has these keys and nothing else: as a JWK Set, as PEM, or
/// as variables with these names.
pub(super) fn holds_only(path: &Path, is_own: &dyn Fn(&Key) -> bool, variables: &[&str]) -> bool {
    let Some(content) = content_of(path) else {
        return true;
    };
    let Ok(text) = std::str::from_utf8(content.expose()) else {
        return false;
    };
    let has_form = if variables.is_empty() {
        is_bare_set(text) || is_bare_pem(text)
    } else {
        has_only_variables(text, variables)
    };
    let are_own = |read: Imported| {
        !read.notes.iter().any(|note| note.is_loss) && read.set.keys.iter().all(is_own)
    };
    has_form && import::read(content.expose(), &Options::default()).is_ok_and(are_own)
}

/// Returns true if a text is a JWK Set without other members.
fn is_bare_set(text: &str) -> bool {
    KeySet::parse(text).is_ok_and(|set| set.members().next().is_none())
}

/// Returns true if a text has nothing but keys in PEM, as PKCS#8 or SubjectPublicKeyInfo.
fn is_bare_pem(text: &str) -> bool {
    let mut rest = text;
    while !rest.trim_start().is_empty() {
        let labels = ["PRIVATE KEY", "PUBLIC KEY"];
        let block = labels.iter().find_map(|label| {
            let body = rest.trim_start();
            let body = body.strip_prefix(&format!("-----BEGIN {label}-----"))?;
            let (body, after) = body.split_once(&format!("-----END {label}-----"))?;
            // A header has a colon.
            (!body.contains(['-', ':'])).then_some(after)
        });
        match block {
            Some(after) => rest = after,
            None => return false,
        }
    }
    !text.trim_start().is_empty()
}

/// Returns true if a text has only lines `NAME='…'` with these names. A value can have several lines.
fn has_only_variables(text: &str, names: &[&str]) -> bool {
    let mut rest = text;
    while !rest.is_empty() {
        let after = names.iter().find_map(|name| {
            let value = rest.strip_prefix(name)?.strip_prefix("='")?;
            value.split_once("'\n")
        });
        match after {
            Some((value, after)) if !value.contains('\'') => rest = after,
            _ => return false,
        }
    }
    !text.is_empty()
}

/// Returns the content of a regular file; `None` if there is none. A file that is too large or cannot be
/// read counts as empty, which is in no format.
fn content_of(path: &Path) -> Option<Secret<Vec<u8>>> {
    let metadata = fs::symlink_metadata(path).ok()?;
    if !metadata.is_file() {
        return None;
    }
    let is_small = metadata.len() <= FOREIGN_LIMIT as u64;
    let content = is_small.then(|| fs::read(path).ok()).flatten();
    Some(Secret::new(content.unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_a_layout_writes_counts_as_an_export() {
        let public = "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n";
        assert!(is_bare_pem(public) && is_bare_pem(&public.repeat(2)));
        let certificate = public.replace("PUBLIC KEY", "CERTIFICATE");
        for other in ["", "\n", &format!("# a note\n{public}"), &certificate] {
            assert!(!is_bare_pem(other), "{other:?}");
        }
        assert!(!is_bare_pem(&format!("{public}{certificate}")));
        assert!(is_bare_set(r#"{"keys":[]}"#));
        assert!(!is_bare_set(r#"{"keys":[],"password":"x"}"#));
        let names = ["A", "B"];
        assert!(has_only_variables("A='1'\nB='2\n3'\n", &names));
        for other in ["", "C='1'\n", "A='1'\nC='2'\n", "A='1'\n# B\n", "A=1\n"] {
            assert!(!has_only_variables(other, &names), "{other:?}");
        }
    }
}
