//! How commands name keys in their reports.

use crate::error::Error;
use crate::key::Key;
use crate::keyset::merge::KeyName;
use crate::keystore::SetName;
use crate::output::Output;
use serde::Serialize;

/// A key in JSON output: `{"kid","thumbprint"}`.
#[derive(Debug, Serialize)]
pub struct JsonKeyName<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    kid: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    thumbprint: Option<&'a str>,
}

/// Key names for JSON output.
pub fn json_names(names: &[KeyName]) -> Vec<JsonKeyName<'_>> {
    let names = names.iter().map(|name| JsonKeyName {
        kid: name.kid.as_deref(),
        thumbprint: name.thumbprint.as_deref(),
    });
    names.collect()
}

/// `1 key`, `2 keys`.
pub fn count(number: usize, what: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {what}{plural}")
}

/// Says which keys were left out of a public form.
pub fn note_left_out(out: &Output, left_out: &str) {
    out.status(format!("left out, having no public form: {left_out}"));
}

/// A kid for loops in a shell: the kid where it is printable text without blanks, or else the
/// thumbprint, which names the key as well.
pub fn plain_handle(kid: Option<&str>, thumbprint: Option<&str>) -> Option<String> {
    let plain = |kid: &&str| {
        let printable = |c: char| c.is_ascii_graphic() || (c.is_alphanumeric() && !c.is_ascii());
        !kid.is_empty() && !kid.starts_with('-') && kid.chars().all(printable)
    };
    kid.filter(plain).or(thumbprint).map(str::to_owned)
}

/// A key in messages: its position from 0, and its kid or thumbprint.
pub fn describe(index: usize, key: &Key) -> String {
    match KeyName::of(key).handle() {
        Some(handle) => format!("key {index} ({handle:?})"),
        None => format!("key {index}"),
    }
}

/// Someone else changed the set between what was shown and what was to be done.
pub fn changed_meanwhile(name: &SetName) -> Error {
    Error::refused(format!("set {name} was changed meanwhile")).hint("run the command again")
}
