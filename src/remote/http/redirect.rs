//! Decides which redirects are followed: only those of calls that read and have no token, and none from
//! https to http.

use crate::error::{Error, Result};
use crate::remote::http::request::Request;
use crate::remote::http::response::Answer;
use crate::remote::http::show;
use ureq::http::Method;
use url::Url;

/// Returns true for `http:///path`.
fn has_no_host(location: &str) -> bool {
    location.split_once("://").is_some_and(|(scheme, rest)| {
        let is_http = ["http", "https"]
            .iter()
            .any(|http| scheme.eq_ignore_ascii_case(http));
        is_http && rest.starts_with('/')
    })
}

/// Returns the target of a redirect, or an error if it must not be followed. `clean` removes secrets from
/// messages.
pub fn redirected(
    request: &Request,
    from: &Url,
    answer: &Answer,
    is_authenticated: bool,
    clean: &dyn Fn(String) -> String,
) -> Result<Option<Url>> {
    if !matches!(answer.status, 301 | 302 | 303 | 307 | 308) {
        return Ok(None);
    }
    let refuse = |why: &str| {
        let (call, status) = (&answer.call, answer.status);
        Err(
            Error::remote(format!("{call} was redirected ({status}) {why}"))
                .hint("if you trust that address, pass it directly"),
        )
    };
    let Some(location) = &answer.location else {
        return refuse("without an address");
    };
    // An http address without a host is invalid (RFC 9110 section 4.2.1), but the URL parser uses the first
    // segment of its path as host. The caller knows how such a server is misconfigured.
    if has_no_host(location) {
        return Ok(None);
    }
    let Ok(mut next) = from.join(location) else {
        return refuse("to an invalid address");
    };
    next.set_fragment(None);
    // A query can repeat what the call carried, in any encoding.
    let mut shown = next.clone();
    shown.set_query(None);
    let to = format!("to {}", clean(show(&shown)));
    if request.method != Method::GET {
        return refuse(&format!("{to}; writes are not redirected"));
    }
    if is_authenticated {
        return refuse(&format!("{to}; calls with a token are not redirected"));
    }
    match (from.scheme(), next.scheme()) {
        (_, "https") | ("http", "http") => Ok(Some(next)),
        ("https", "http") => refuse(&format!(
            "{to}; redirects from https to http are not followed"
        )),
        _ => refuse(&to),
    }
}
