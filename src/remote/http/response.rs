//! The answer to a call, and the errors that it means.

use crate::error::{Error, Result};
use crate::key::strict_json::check_size;
use crate::keyset::KeySet;
use crate::keyset::import;
use crate::remote::http::caching::Caching;
use crate::remote::http::xml_error;
use crate::secret::Secret;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::time::Duration;
use ureq::http::HeaderMap;

/// The maximum number of characters of a server's own message.
const LONGEST_WORDS: usize = 400;

/// The most bytes that are read of an error. Only its message is used.
pub(super) const ERROR_LIMIT: usize = 64 << 10;

/// A complete answer.
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The body, which can hold private keys.
    pub body: Secret<Vec<u8>>,
    /// The server's error message, if there is one, without our secrets.
    pub words: Option<String>,
    /// How long the server asks to wait.
    pub retry_after: Option<Duration>,
    /// For how long caches can use it.
    pub caching: Caching,
    pub(super) headers: HeaderMap,
    pub(super) location: Option<String>,
    /// The call: method and address.
    pub call: String,
}

impl Answer {
    /// Returns true if the status is a success.
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// Returns the value of a header; `None` if it is missing or not ASCII.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// Returns the answer if the status is a success, or else an error.
    pub fn success(self) -> Result<Answer> {
        if self.is_success() {
            Ok(self)
        } else {
            Err(self.error())
        }
    }

    /// Returns the error for an unsuccessful answer.
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

    /// Parses the body as JSON. Returns an error if it is something else.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T> {
        parse(self.body.expose()).ok_or_else(|| self.unlike("JSON"))
    }

    /// Parses the body as a JWK Set. Returns an error if it is not one, or not strict JSON. The keys
    /// are not parsed.
    pub fn key_set(&self) -> Result<KeySet<'static>> {
        import::read_set(self.body.expose()).map_err(|error| {
            Error::remote(format!("the answer to {}: {error}", self.call))
                .hint("check the address and the kind of server")
        })
    }

    /// Returns the error for an answer of another form than `wanted`.
    pub fn unlike(&self, wanted: &str) -> Error {
        let what = match self.body.expose().trim_ascii_start() {
            [] => "is empty",
            [b'<', ..] => "is HTML or XML",
            _ => "has another format",
        };
        Error::remote(format!(
            "the answer to {} is not {wanted}: it {what}",
            self.call
        ))
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

/// The most parts of a server's error message.
const MOST_PARTS: usize = 20;

/// Returns the error message of a server, which can have any of the usual forms.
pub(super) fn words(body: &[u8]) -> Option<String> {
    if body.trim_ascii_start().starts_with(b"<") {
        return xml_error::words(body);
    }
    let Some(value) = parse::<Value>(body) else {
        let text = match std::str::from_utf8(body) {
            Ok(text) => text,
            // The body is cut in the middle of a character.
            Err(error) if error.error_len().is_none() => {
                std::str::from_utf8(&body[..error.valid_up_to()]).ok()?
            }
            Err(_) => return None,
        };
        let text = text.trim();
        let is_line = !text.is_empty() && text.lines().count() == 1;
        return is_line.then(|| text.to_owned());
    };
    let mut parts = Vec::new();
    collect(&value, &mut parts);
    for error in value["errors"]
        .as_array()
        .into_iter()
        .flatten()
        .take(MOST_PARTS)
    {
        match error {
            Value::String(text) if !text.is_empty() => parts.push(text.trim().to_owned()),
            error => collect(error, &mut parts),
        }
    }
    if let Some(trace) = value["clerk_trace_id"].as_str() {
        parts.push(format!("trace {trace}"));
    }
    (!parts.is_empty()).then(|| parts.join("; "))
}

/// Returns the readable members of an error object, without duplicates.
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
        if parts.len() >= MOST_PARTS {
            return;
        }
        match &error[*member] {
            object @ Value::Object(_) => collect(object, parts),
            Value::String(text) if !text.is_empty() && !parts.contains(text) => {
                parts.push(text.clone());
            }
            _ => {}
        }
    }
}

/// Shortens a server's message. Secrets must be removed before, because half of one would not be found.
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
        assert!(parse::<Value>(array(500_000).as_bytes()).is_none());
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
            (
                r#"{"errors":["permission denied","no"]}"#,
                "permission denied; no",
            ),
            ("404 page not found\n", "404 page not found"),
        ] {
            assert_eq!(words(body.as_bytes()).as_deref(), Some(said));
        }
        let many: Vec<_> = (0..100)
            .map(|i| format!(r#"{{"message":"m{i}"}}"#))
            .collect();
        let many = format!(r#"{{"errors":[{}]}}"#, many.join(","));
        let parts = words(many.as_bytes()).unwrap_or_default();
        assert_eq!(parts.split("; ").count(), MOST_PARTS);
        for silent in ["", "<html>no</html>", "{}", "[1]", "{\"keys\":[]}"] {
            assert_eq!(words(silent.as_bytes()), None, "{silent}");
        }
    }
}
