//! What a server answers, and what its words mean.

use crate::error::{Error, Result};
use crate::key::strict_json::check_size;
use crate::keyset::KeySet;
use crate::keyset::import;
use crate::secret::Secret;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::time::Duration;

/// The most characters of a server's own words in a message.
const LONGEST_WORDS: usize = 400;

/// An answer, read to its end.
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The body, which may hold private keys.
    pub body: Secret<Vec<u8>>,
    /// What the server says is wrong, where it says so, without secrets of ours.
    pub words: Option<String>,
    /// How long the server asks to wait.
    pub retry_after: Option<Duration>,
    pub(super) location: Option<String>,
    /// The call that it answers: method and address.
    pub call: String,
}

impl Answer {
    /// Whether the call was carried out.
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// The answer of a call that was carried out; an error for any other.
    pub fn success(self) -> Result<Answer> {
        if self.is_success() {
            Ok(self)
        } else {
            Err(self.error())
        }
    }

    /// What an answer means that is not the one hoped for.
    pub fn error(&self) -> Error {
        let words = match &self.words {
            Some(words) => format!(": {words}"),
            None => String::new(),
        };
        let message = format!("{} answered {}{words}", self.call, self.status);
        match (self.status, self.retry_after) {
            (401, _) => Error::denied(message)
                .hint("check that the token is valid; `jwks remote show` prints its source"),
            (403, _) => Error::denied(message).hint("the token lacks the permission"),
            (404, _) => Error::remote(message).hint("check the address"),
            (429, Some(wait)) => Error::remote(message).hint(format!(
                "the server asks to wait {} s; run the command again then",
                wait.as_secs()
            )),
            (502..=504, _) if self.call.starts_with("POST ") => Error::remote(message).hint(
                "the server may have made the change: check before you run the command again",
            ),
            (500.., _) => Error::remote(message).hint("run the command again later"),
            _ => Error::remote(message),
        }
    }

    /// The body as the JSON that it should be.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T> {
        parse(self.body.expose()).ok_or_else(|| self.unlike("the JSON it should be"))
    }

    /// The body as a JWK Set: strict JSON, its keys not looked into.
    pub fn key_set(&self) -> Result<KeySet<'static>> {
        import::read_set(self.body.expose()).map_err(|error| {
            Error::remote(format!("the answer to {}: {error}", self.call))
                .hint("check the address and the kind of server")
        })
    }

    /// The answer is not what the call should give.
    pub fn unlike(&self, wanted: &str) -> Error {
        let what = match self.body.expose().trim_ascii_start() {
            [] => "is empty",
            [b'<', ..] => "is HTML or XML",
            _ => "is something else",
        };
        Error::remote(format!("{} is not {wanted}: it {what}", self.call))
            .hint("check the address and the kind of server")
    }
}

/// Parses the JSON of a server; `None` if it is not JSON, or has so many values that they would take
/// many times the size of the text.
pub fn parse<T: DeserializeOwned>(body: &[u8]) -> Option<T> {
    let text = std::str::from_utf8(body).ok()?;
    check_size(text).ok()?;
    serde_json::from_str(text).ok()
}

/// What a server says is wrong, all of it, in whichever of the usual forms it says so.
pub(super) fn words(body: &[u8]) -> Option<String> {
    let Some(value) = parse::<Value>(body) else {
        let text = std::str::from_utf8(body).ok()?.trim();
        let is_line = !text.is_empty() && !text.starts_with('<') && text.lines().count() == 1;
        return is_line.then(|| text.to_owned());
    };
    let mut parts = Vec::new();
    collect(&value, &mut parts);
    for error in value["errors"].as_array().into_iter().flatten() {
        collect(error, &mut parts);
    }
    if let Some(trace) = value["clerk_trace_id"].as_str() {
        parts.push(format!("trace {trace}"));
    }
    (!parts.is_empty()).then(|| parts.join("; "))
}

/// The members of an error object that are meant for people, each once.
fn collect(error: &Value, parts: &mut Vec<String>) {
    const MEMBERS: &[&str] = &[
        "error",
        "error_description",
        "error_hint",
        "message",
        "long_message",
        "reason",
        "resultMessage",
        "code",
    ];
    for member in MEMBERS {
        match &error[*member] {
            object @ Value::Object(_) => collect(object, parts),
            Value::String(text) if !text.is_empty() && !parts.contains(text) => {
                parts.push(text.clone());
            }
            _ => {}
        }
    }
}

/// The beginning of a server's words, where there are many. Secrets are taken out before: half of
/// one would not be found.
pub(super) fn shorten(text: String) -> String {
    match text.char_indices().nth(LONGEST_WORDS) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_of_too_many_values_is_not_parsed() {
        let array = |values: usize| format!("[{}0]", "0,".repeat(values));
        assert!(parse::<Value>(array(400_000).as_bytes()).is_some());
        assert!(parse::<Value>(array(600_000).as_bytes()).is_none());
    }

    #[test]
    fn every_servers_words_are_understood() {
        for (body, said) in [
            (
                r#"{"error":"Not Found","error_description":"Unable to locate"}"#,
                "Not Found; Unable to locate",
            ),
            (
                r#"{"error":{"code":401,"status":"Unauthorized","message":"no session","reason":"expired"}}"#,
                "no session; expired",
            ),
            (
                r#"{"resultCode":1202,"resultMessage":"[A001202] no"}"#,
                "[A001202] no",
            ),
            (
                r#"{"errors":[{"message":"bad","long_message":"very bad","code":"c"}],"clerk_trace_id":"t"}"#,
                "bad; very bad; c; trace t",
            ),
            ("404 page not found\n", "404 page not found"),
        ] {
            assert_eq!(words(body.as_bytes()).as_deref(), Some(said));
        }
        for silent in ["", "<html>no</html>", "{}", "[1]", "{\"keys\":[]}"] {
            assert_eq!(words(silent.as_bytes()), None, "{silent}");
        }
    }
}
