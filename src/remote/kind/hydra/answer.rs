//! What an answer of Hydra means. Hydra has no error codes: its fixed texts are compared as wholes,
//! never searched for in a message that also holds names of ours.

use crate::remote::http::{Answer, Verdict};
use serde_json::Value;

/// What an answer that is not a success says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meaning {
    /// The set or the key does not exist.
    Missing,
    /// The path is not one of this server's.
    UnknownRoute,
    /// A key with that kid exists, or another write was faster.
    Taken,
    /// The database rolled the write back because of another one.
    RolledBack,
    /// The version does not generate keys of that algorithm.
    UnknownAlgorithm,
    /// The server does not serve plain HTTP.
    PlainHttp,
    /// Anything else.
    Other,
}

/// Returns what an answer that is not a success says.
pub fn meaning(answer: &Answer) -> Meaning {
    let texts = texts(answer.body.expose());
    let says = |text: &str| texts.iter().any(|own| own.starts_with(text));
    match answer.status {
        404 if says("Unable to locate") => Meaning::Missing,
        404 | 301 | 302 | 303 | 307 | 308 => Meaning::UnknownRoute,
        409 => Meaning::Taken,
        400 if says("Unable to serialize access") => Meaning::RolledBack,
        400 if says("Unsupported key algorithm") => Meaning::UnknownAlgorithm,
        // Go's TLS listener.
        400 if says("Client sent an HTTP request to an HTTPS server") => Meaning::PlainHttp,
        // 1.x uses this status for nothing else; 1.0 gives the reason in error_debug.
        502 if says("The error is unrecognizable") => Meaning::PlainHttp,
        502 if says("Can not serve request over insecure http") => Meaning::PlainHttp,
        502 if says("can not serve request over insecure http") => Meaning::PlainHttp,
        _ => Meaning::Other,
    }
}

/// Says whether to repeat a call after an answer.
pub fn verdict(answer: &Answer) -> Verdict {
    match meaning(answer) {
        Meaning::RolledBack => Verdict::Repeat,
        Meaning::PlainHttp => Verdict::Final,
        _ => Verdict::ByStatus,
    }
}

/// The texts of an error, flat as Hydra's or nested as a gateway's; a body that is not JSON is one.
fn texts(body: &[u8]) -> Vec<String> {
    const MEMBERS: [&str; 6] = [
        "error",
        "error_description",
        "error_hint",
        "error_debug",
        "message",
        "reason",
    ];
    let Ok(value) = serde_json::from_slice::<Value>(body) else {
        return vec![String::from_utf8_lossy(body).trim().to_owned()];
    };
    let members = |object: &Value| MEMBERS.map(|member| object[member].as_str().map(str::to_owned));
    let both = members(&value).into_iter().chain(members(&value["error"]));
    both.flatten().collect()
}
