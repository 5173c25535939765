//! The caching headers of an answer (RFC 9111): for how long caches can use it.

use jiff::fmt::rfc2822;
use serde::Serialize;
use ureq::http::HeaderMap;

/// The longest cache lifetime that is reported, in seconds: ten years. Servers send longer ones to say "forever".
pub const LONGEST_LIFETIME: u64 = 10 * 365 * 86_400;

/// The longest ETag that is kept, in characters.
const LONGEST_ETAG: usize = 100;

/// For how long caches can use an answer. Times are in seconds, and at most [`LONGEST_LIFETIME`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Caching {
    /// How long any cache can use the answer: `max-age`, or `Expires` without it. `None` if no header says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_age: Option<u64>,
    /// How long a shared cache, such as a CDN, can use the answer: `s-maxage`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shared_max_age: Option<u64>,
    /// How long a cache can use the answer after that, while it fetches a new one (RFC 5861).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stale_while_revalidate: Option<u64>,
    /// How long the answer was in a shared cache. `None` if it came from no cache.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub age: Option<u64>,
    /// The ETag, shortened.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub etag: Option<String>,
}

impl Caching {
    /// Reads the headers of an answer. An unreadable number counts as absent. If a directive is repeated, the
    /// longest time counts, because some cache uses it.
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let mut caching = Caching {
            age: text(headers, "age").and_then(seconds),
            etag: text(headers, "etag").map(|tag| tag.chars().take(LONGEST_ETAG).collect()),
            ..Caching::default()
        };
        let mut is_kept = true;
        for value in headers.get_all("cache-control") {
            for directive in value.to_str().unwrap_or_default().split(',') {
                let (name, value) = directive.split_once('=').unwrap_or((directive, ""));
                let place = match &*name.trim().to_ascii_lowercase() {
                    "max-age" => &mut caching.max_age,
                    "s-maxage" => &mut caching.shared_max_age,
                    "stale-while-revalidate" => &mut caching.stale_while_revalidate,
                    "no-store" | "no-cache" => {
                        is_kept = false;
                        continue;
                    }
                    _ => continue,
                };
                *place = (*place).max(seconds(value.trim().trim_matches('"')));
            }
        }
        if !is_kept {
            caching.max_age = Some(0);
            caching.shared_max_age = None;
            caching.stale_while_revalidate = None;
        } else if caching.max_age.is_none() {
            caching.max_age = expires(headers);
        }
        caching
    }

    /// Reads the value of a `Cache-Control` header. A value that is not ASCII counts as absent.
    pub fn of_cache_control(value: &str) -> Self {
        let mut headers = HeaderMap::new();
        if let Ok(value) = value.parse() {
            headers.insert("cache-control", value);
        }
        Caching::of(&headers)
    }

    /// Returns how long a cache that obeys the headers can use the answer; `None` if they do not say so.
    pub fn lifetime(&self) -> Option<u64> {
        let longest = self.max_age.max(self.shared_max_age)?;
        let stale = self.stale_while_revalidate.unwrap_or(0);
        Some(longest.saturating_add(stale).min(LONGEST_LIFETIME))
    }

    /// Returns how old an answer of a shared cache can be, if a shared cache seems to be in use.
    pub fn shared_lifetime(&self) -> Option<u64> {
        let of_cache = self.age.and(self.max_age);
        self.shared_max_age.or(of_cache)
    }
}

/// Returns the lifetime by `Expires` and `Date` (RFC 9111 section 5.3). An invalid date has passed.
fn expires(headers: &HeaderMap) -> Option<u64> {
    let date = |name| rfc2822::parse(text(headers, name)?).ok();
    text(headers, "expires")?;
    let lifetime = date("expires")
        .zip(date("date"))
        .map(|(expires, date)| expires.timestamp().as_second() - date.timestamp().as_second());
    let lifetime = lifetime.and_then(|seconds| u64::try_from(seconds).ok());
    Some(lifetime.unwrap_or(0).min(LONGEST_LIFETIME))
}

/// Reads a number of seconds (RFC 9111 section 1.2.2). A number that is too large is the longest lifetime.
fn seconds(text: &str) -> Option<u64> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| text.parse().unwrap_or(u64::MAX).min(LONGEST_LIFETIME))
}

fn text<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers.get(name)?.to_str().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use ureq::http::{HeaderName, HeaderValue};

    fn caching(headers: &[(&str, &str)]) -> Caching {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
            map.append(name, HeaderValue::from_str(value).unwrap());
        }
        Caching::of(&map)
    }

    #[test]
    fn a_lifetime_is_read_and_bounded() {
        let with = |value: &str| caching(&[("cache-control", value)]).lifetime();
        for (value, lifetime) in [
            ("public, max-age=600, must-revalidate", Some(600)),
            ("MAX-AGE=\"60\"", Some(60)),
            ("max-age=60, s-maxage=3600", Some(3600)),
            ("max-age=60, stale-while-revalidate=30", Some(90)),
            ("max-age=60, max-age=90", Some(90)),
            ("max-age=600, no-cache", Some(0)),
            ("no-store", Some(0)),
            ("max-age=0", Some(0)),
            ("max-age=99999999999999999999999", Some(LONGEST_LIFETIME)),
            ("max-age=18446744073709551615", Some(LONGEST_LIFETIME)),
            (
                "max-age=315360000, stale-while-revalidate=315360000",
                Some(LONGEST_LIFETIME),
            ),
            ("max-age=-1", None),
            ("max-age=1e9", None),
            ("max-age=", None),
            ("max-age", None),
            ("x-max-age=5", None),
            ("public", None),
            ("", None),
        ] {
            assert_eq!(with(value), lifetime, "{value}");
        }
        let twice = [("cache-control", "public"), ("cache-control", "max-age=7")];
        assert_eq!(caching(&twice).lifetime(), Some(7));
    }

    #[test]
    fn without_max_age_the_date_of_expiry_counts() {
        let date = ("date", "Sun, 06 Nov 1994 08:49:37 GMT");
        for (expires, lifetime) in [
            ("Sun, 06 Nov 1994 08:59:37 GMT", 600),
            ("Sun, 06 Nov 1994 08:00:00 GMT", 0),
            ("0", 0),
        ] {
            let read = caching(&[date, ("expires", expires)]);
            assert_eq!(read.lifetime(), Some(lifetime), "{expires}");
        }
        let both = [
            date,
            ("expires", "Sun, 06 Nov 1994 08:59:37 GMT"),
            ("cache-control", "max-age=5"),
        ];
        assert_eq!(caching(&both).lifetime(), Some(5));
    }

    #[test]
    fn an_age_shows_a_shared_cache() {
        let of = |headers: &[(&str, &str)]| caching(headers).shared_lifetime();
        assert_eq!(of(&[("cache-control", "max-age=60")]), None);
        assert_eq!(
            of(&[("cache-control", "max-age=60"), ("age", "0")]),
            Some(60)
        );
        assert_eq!(of(&[("cache-control", "max-age=60, s-maxage=9")]), Some(9));
        let etag = format!("\"{}\"", "e".repeat(500));
        assert_eq!(
            caching(&[("etag", &etag)]).etag.map(|tag| tag.len()),
            Some(LONGEST_ETAG)
        );
    }
}
