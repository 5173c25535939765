//! Names of keys and sets in messages, and texts for hints.

use crate::context::Context;
use crate::error::{Error, ErrorKind};
use crate::key::Key;
use crate::keyset::KeySet;
use crate::keyset::import::Note;
use crate::keyset::key_name::KeyName;
use crate::keystore::SetName;
use crate::output::Output;
use std::borrow::Cow;
use std::ffi::OsStr;
use std::fmt;
use std::path::Path;

/// A set in messages: its name, and the remote that holds it if it is not in the keystore.
#[derive(Clone, Copy, Debug)]
pub struct SetLabel<'a> {
    /// The name of the set.
    pub set: &'a str,
    /// The name of the remote; `None` for a set of the keystore.
    pub remote: Option<&'a str>,
}

impl<'a> SetLabel<'a> {
    /// Returns the label of a set in the keystore.
    pub fn local(set: &'a str) -> Self {
        SetLabel { set, remote: None }
    }

    /// Returns the label of a set on a server.
    pub fn remote(set: &'a str, remote: &'a str) -> Self {
        let remote = Some(remote);
        SetLabel { set, remote }
    }
}

impl fmt::Display for SetLabel<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.remote {
            Some(remote) => write!(f, "{} on {remote}", self.set),
            None => f.write_str(self.set),
        }
    }
}

/// Returns a number with its noun: `1 key`, `2 keys`.
pub fn count(number: usize, what: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {what}{plural}")
}

/// Joins at most 20 names with commas, and says how many are left out.
pub fn list_names<S: AsRef<str>>(names: &[S]) -> String {
    const SHOWN: usize = 20;
    let shown = names.iter().take(SHOWN).map(AsRef::as_ref);
    let shown: Vec<_> = shown.collect();
    match names.len().saturating_sub(SHOWN) {
        0 => shown.join(", "),
        more => format!("{}, and {more} more", shown.join(", ")),
    }
}

/// `a signs`, `a, b sign`.
pub fn sign(names: &[KeyName]) -> String {
    with_verb(names, "signs", "sign")
}

/// `a no longer signs`, `a, b no longer sign`.
pub fn no_longer_sign(names: &[KeyName]) -> String {
    with_verb(names, "no longer signs", "no longer sign")
}

fn with_verb(names: &[KeyName], one: &str, several: &str) -> String {
    let verb = if names.len() == 1 { one } else { several };
    let shown: Vec<_> = names.iter().map(KeyName::shown).collect();
    format!("{} {verb}", list_names(&shown))
}

/// The refusal of a change after which no key of a set would sign. `options` are those that allow it.
pub fn no_signer_left(name: &str, options: &str) -> Error {
    Error::refused(format!("set {name} would have no active signing key left")).hint(format!(
        "run `jwks rotate {name} --force` to stage a successor first, or pass {options}"
    ))
}

/// Says which keys were left out of a public form.
pub fn note_left_out(out: &Output, left_out: &str) {
    let note = format!("left out of the public form: {left_out}");
    if out.is_json() {
        out.warn(note)
    } else {
        out.status(note)
    }
}

/// Says that a listing of a set shows no key.
pub fn note_none(ctx: &Context, title: &str, set: &KeySet) {
    let none = if set.keys.is_empty() {
        "no keys"
    } else {
        "no matching keys"
    };
    ctx.out.status(format!("{none} in {title}"));
}

/// Says where keys were found in documents, and warns about parts that were left out, with the names of
/// the documents. The number of lines is bounded, because a hostile document can have thousands of
/// parts.
pub fn warn_left_out<S: AsRef<str>>(ctx: &Context, documents: &[S], notes: &[Note]) {
    const SHOWN: usize = 20;
    let (losses, found): (Vec<_>, Vec<_>) = notes.iter().partition(|note| note.is_loss);
    let line = |note: &Note| {
        let name = documents.get(note.document).map_or("", AsRef::as_ref);
        format!("{name}: {}", note.text)
    };
    for note in found.iter().take(SHOWN) {
        ctx.out.status(line(note));
    }
    if found.len() > SHOWN {
        let more = found.len() - SHOWN;
        ctx.out.status(format!("found keys in {more} more places"));
    }
    for note in losses.iter().take(SHOWN) {
        ctx.out.warn(line(note));
    }
    if losses.len() > SHOWN {
        let more = losses.len() - SHOWN;
        ctx.out.warn(format!("left out {more} more"));
    }
}

/// Returns the kid if it is one plain word in every shell, or else the thumbprint, which also
/// identifies the key.
pub fn plain_handle(kid: Option<&str>, thumbprint: Option<&str>) -> Option<String> {
    let kid = kid.filter(|kid| is_plain(kid));
    kid.or(thumbprint).map(str::to_owned)
}

/// Quotes a text as one word of a POSIX shell, for commands in hints. Otherwise, a foreign kid in a
/// copied command could run a command of its own.
pub fn shell_word(text: &str) -> Cow<'_, str> {
    if is_plain(text) {
        Cow::Borrowed(text)
    } else {
        Cow::Owned(format!("'{}'", text.replace('\'', r"'\''")))
    }
}

/// Returns true if every shell reads a text as one plain word.
pub fn is_plain(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "._+=,@%-".contains(c);
    // A tilde stands for a home directory only at the beginning of a word.
    let mut characters = text.chars();
    characters
        .next()
        .is_some_and(|c| plain(c) && c != '-' && c != '=')
        && characters.all(|c| plain(c) || c == '~')
}

/// Returns a key for messages: its position from 0, and its kid or thumbprint.
pub fn describe(index: usize, key: &Key) -> String {
    match KeyName::of(key).handle() {
        Some(handle) => format!("key {index} ({handle:?})"),
        None => format!("key {index}"),
    }
}

/// Changes the hint of the error for a kid that does not exist, if the word looks like a file to write.
pub fn hint_at_output(error: Error, set: &SetName, kid: &str) -> Error {
    const SUFFIXES: &[&str] = &[
        "json", "jwk", "jwks", "pem", "der", "p12", "txt", "key", "pub",
    ];
    let path = Path::new(kid);
    let suffix = path.extension().and_then(OsStr::to_str).unwrap_or_default();
    if error.kind() != ErrorKind::NotFound || !(path.is_file() || SUFFIXES.contains(&suffix)) {
        return error;
    }
    let to = match suffix {
        "pem" | "der" => format!(" --to {suffix}"),
        _ => String::new(),
    };
    let file = shell_word(kid);
    error.hint(format!(
        "to write a file, run `jwks export {set}{to} -o {file}`"
    ))
}

/// Returns the error for a set that another process changed after the user had seen it.
pub fn changed_meanwhile(name: &SetName) -> Error {
    Error::refused(format!("set {name} was changed meanwhile"))
        .names(format!("set {name}"))
        .hint("run the command again")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shell_takes_a_foreign_kid_for_one_word() {
        assert_eq!(shell_word("signing-2026"), "signing-2026");
        assert_eq!(shell_word("$(touch x)"), "'$(touch x)'");
        assert_eq!(shell_word("it's; rm"), r"'it'\''s; rm'");
        assert_eq!(shell_word("-f"), "'-f'");
    }
}
