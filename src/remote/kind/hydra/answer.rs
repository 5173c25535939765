//! The meaning of Hydra's error answers. Hydra has no error codes, so its fixed texts are compared as a
//! whole. They are never searched for in a message, because a message can contain our names.

use crate::remote::http::{Answer, Verdict, parse};
use serde_json::Value;

/// The meaning of an error answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meaning {
    /// The set or the key does not exist.
    Missing,
    /// The server does not have this path.
    UnknownRoute,
    /// A key with that kid exists, or another write was faster.
    Taken,
    /// The database rolled the write back because of a concurrent one.
    RolledBack,
    /// The version does not generate keys of that algorithm.
    UnknownAlgorithm,
    /// The server does not serve plain HTTP.
    PlainHttp,
    /// Anything else.
    Other,
}

/// Returns the meaning of an error answer.
pub fn meaning(answer: &Answer) -> Meaning {
    let texts = texts(answer.body.expose());
    let says = |text: &str| texts.iter().any(|own| own.starts_with(text));
    match answer.status {
        404 if says("Unable to locate") => Meaning::Missing,
        404 | 301 | 302 | 303 | 307 | 308 => Meaning::UnknownRoute,
        409 => Meaning::Taken,
        400 if says("Unable to serialize access") => Meaning::RolledBack,
        400 if says("Unsupported key algorithm") => Meaning::UnknownAlgorithm,
        // The text of Go's TLS listener.
        400 if says("Client sent an HTTP request to an HTTPS server") => Meaning::PlainHttp,
        // 1.x uses this status for nothing else; 1.0 gives the reason in error_debug.
        502 if says("The error is unrecognizable") => Meaning::PlainHttp,
        502 if says("Can not serve request over insecure http") => Meaning::PlainHttp,
        502 if says("can not serve request over insecure http") => Meaning::PlainHttp,
        _ => Meaning::Other,
    }
}

/// Returns whether to repeat a call after an answer.
pub fn verdict(answer: &Answer) -> Verdict {
    match meaning(answer) {
        Meaning::RolledBack => Verdict::Repeat,
        Meaning::PlainHttp => Verdict::Final,
        _ => Verdict::ByStatus,
    }
}

/// Returns the texts of an error: Hydra's are flat, a gateway's are nested. A body that is not JSON is one
/// text.
fn texts(body: &[u8]) -> Vec<String> {
    const MEMBERS: [&str; 6] = [
        "error",
        "error_description",
        "error_hint",
        "error_debug",
        "message",
        "reason",
    ];
    let Some(value) = parse::<Value>(body) else {
        return vec![String::from_utf8_lossy(body).trim().to_owned()];
    };
    let members = |object: &Value| MEMBERS.map(|member| object[member].as_str().map(str::to_owned));
    let both = members(&value).into_iter().chain(members(&value["error"]));
    both.flatten().collect()
}
