//! The errors for answers of stores that are not as wanted.

use crate::error::{Error, Reason};
use crate::remote::http::Answer;

/// Returns the error for an unsuccessful answer. `access` is the hint for a call that is not allowed.
///
/// A server that fails during a write can have carried it out, so such an error says that there is no answer.
pub(super) fn failure(answer: &Answer, access: &str) -> Error {
    let words = match &answer.words {
        Some(words) => format!(": {words}"),
        None => String::new(),
    };
    let message = format!("{} answered {}{words}", answer.call, answer.status);
    match answer.status {
        401 | 403 => Error::denied(message).hint(access),
        429 => match answer.retry_after {
            Some(wait) => Error::remote(message).hint(format!(
                "the server asks to wait {} s; run the command again then",
                wait.as_secs()
            )),
            None => Error::remote(message).hint("run the command again later"),
        },
        500.. if answer.call.starts_with("GET ") => {
            Error::remote(message).hint("run the command again later")
        }
        500.. => Error::remote(message)
            .because(Reason::Unanswered)
            .hint("the server may have made the change: check before you run the command again"),
        _ => Error::remote(message),
    }
}
