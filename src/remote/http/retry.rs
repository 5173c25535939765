//! Decides whether a call is retried, and after which pause.

use crate::remote::http::request::{Request, Retries, Unanswered, Verdict};
use crate::remote::http::response::Answer;
use jiff::Timestamp;
use std::io;
use std::time::Duration;
use ureq::Timeout;
use ureq::http::HeaderMap;

/// The maximum duration of a call with all retries.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// The first pause before a retry.
pub const FIRST_PAUSE: Duration = Duration::from_millis(500);

/// The longest pause that the server did not ask for.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// Returns the next pause, which is longer by half.
pub fn longer(pause: Duration) -> Duration {
    (pause * 3 / 2).min(LONGEST_PAUSE)
}

/// Returns why a call is retried after an answer; `None` if it is not.
pub fn reason_after_answer(
    retries: &Retries,
    request: &Request,
    answer: &Answer,
) -> Option<String> {
    let by_status = answer.status == 429
        || (retries.statuses.contains(&answer.status) && request.is_idempotent());
    let is_worth_it = match (retries.judge)(answer) {
        Verdict::ByStatus => by_status,
        Verdict::Repeat => true,
        Verdict::Final => false,
    };
    is_worth_it.then(|| format!("status {}", answer.status))
}

/// Returns why a call without an answer is retried; `None` if it is not.
pub fn reason_after_failure(
    retries: &Retries,
    request: &Request,
    error: &ureq::Error,
) -> Option<String> {
    let is_connection = match error {
        ureq::Error::Io(error) => is_lost_connection(error),
        // An unknown host name stays unknown.
        ureq::Error::HostNotFound => false,
        // Waiting for the whole limit again does not help.
        ureq::Error::Timeout(_) => false,
        error => was_never_sent(error),
    };
    let may_repeat = match retries.unanswered {
        Unanswered::Repeat => request.is_idempotent(),
        Unanswered::Look => !request.changes(),
    };
    let is_safe = may_repeat || was_never_sent(error);
    (is_connection && is_safe).then(|| error.to_string().trim_start_matches("io: ").to_owned())
}

/// Returns true if a call without an answer certainly did not reach the server.
pub fn was_never_sent(error: &ureq::Error) -> bool {
    match error {
        ureq::Error::HostNotFound | ureq::Error::ConnectionFailed => true,
        ureq::Error::Timeout(limit) => matches!(limit, Timeout::Resolve | Timeout::Connect),
        ureq::Error::Io(error) => error.kind() == io::ErrorKind::ConnectionRefused,
        _ => false,
    }
}

fn is_lost_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionRefused
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::NotConnected
            | io::ErrorKind::BrokenPipe
            | io::ErrorKind::UnexpectedEof
            | io::ErrorKind::NetworkUnreachable
            | io::ErrorKind::HostUnreachable
    )
}

/// Returns a random pause between three and five quarters of `pause`, so that clients do not retry at the
/// same time.
pub fn jittered(pause: Duration) -> Duration {
    let (random, _) = uuid::Uuid::new_v4().as_u64_pair();
    pause * 3 / 4 + pause * (random % 512) as u32 / 1024
}

/// Returns how long a server asks to wait: `Retry-After` (RFC 9110 section 10.2.3: seconds or a
/// date), or the seconds to the reset of a rate limit.
pub fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    if let Some(value) = text(headers, "retry-after") {
        let until = || {
            let date = jiff::fmt::rfc2822::parse(value).ok()?;
            let seconds = date.timestamp().as_second() - now.as_second();
            Some(seconds.max(0) as u64)
        };
        let is_number = !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit());
        // A number that does not fit is longer than any limit.
        let seconds = is_number.then(|| value.parse().unwrap_or(u64::MAX));
        return seconds.or_else(until).map(Duration::from_secs);
    }
    let seconds = text(headers, "x-ratelimit-reset")?.parse().ok()?;
    Some(Duration::from_secs(seconds))
}

fn text<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers.get(name)?.to_str().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_asks_for_seconds_or_names_a_date() {
        let now: Timestamp = "2026-12-31T23:59:50Z".parse().unwrap();
        for (name, value, seconds) in [
            ("retry-after", "0", Some(0)),
            ("retry-after", "3600", Some(3600)),
            ("retry-after", "99999999999999999999", Some(u64::MAX)),
            ("retry-after", "Fri, 01 Jan 2027 00:00:20 GMT", Some(30)),
            ("retry-after", "Sun, 06 Nov 1994 08:49:37 GMT", Some(0)),
            ("retry-after", "whenever you like", None),
            ("retry-after", "", None),
            ("x-ratelimit-reset", "7", Some(7)),
            ("x-ratelimit-reset", "soon", None),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(name, value.parse().unwrap());
            let asked = retry_after(&headers, now);
            assert_eq!(asked, seconds.map(Duration::from_secs), "{name}: {value}");
        }
    }
}
