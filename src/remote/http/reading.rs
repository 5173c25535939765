//! Reads the answer to a call, up to a limit.

use crate::error::{Error, Reason, Result};
use crate::remote::http::Caching;
use crate::remote::http::response::{Answer, ERROR_LIMIT, words};
use crate::remote::http::retry::retry_after;
use crate::secret::Secret;
use std::io::Read as _;
use ureq::Body;
use ureq::http::Response;

/// Reads an answer, and of an error only its beginning. Returns an error if the answer is larger
/// than `limit`, in bytes. `clean` removes secrets from the server's words.
pub(super) fn read(
    call: String,
    mut response: Response<Body>,
    limit: usize,
    clean: impl Fn(String) -> String,
) -> Result<Result<Answer, ureq::Error>> {
    let headers = response.headers();
    let header = |name: &str| Some(headers.get(name)?.to_str().ok()?.to_owned());
    let encoding = header("content-encoding").filter(|encoding| encoding != "identity");
    let (location, caching) = (header("location"), Caching::of(headers));
    let retry_after = retry_after(headers, jiff::Timestamp::now());
    let headers = headers.clone();
    if let Some(encoding) = encoding {
        return Err(Error::remote(format!(
            "the answer to {call} has the content encoding {encoding}, which was not requested"
        )));
    }
    let status = response.status().as_u16();
    let most = match status {
        400.. => ERROR_LIMIT,
        _ => limit + 1,
    };
    let mut body = Secret::new(Vec::new());
    let mut reader = response.body_mut().as_reader().take(most as u64);
    if let Err(error) = reader.read_to_end(body.expose_mut()) {
        return Ok(Err(error.into()));
    }
    if body.expose().len() > limit {
        return Err(Error::remote(format!(
            "the answer to {call} is larger than {} MiB",
            limit >> 20
        ))
        .because(Reason::TooLarge));
    }
    let words = match status {
        200..=299 => None,
        _ => words(body.expose()).map(clean),
    };
    Ok(Ok(Answer {
        status,
        body,
        words,
        retry_after,
        caching,
        headers,
        location,
        call,
    }))
}
