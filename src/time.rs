//! Reads and formats times and durations of the command line.

use crate::error::{Error, Result};
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Span, SpanRelativeTo, SpanRound, Timestamp, Unit};

/// Seconds since 1970 are 0 or at least this. A smaller number is one of days or hours without its unit.
const FIRST_SECONDS: u64 = 1_000_000;

/// Reads a time: RFC 3339, a date (midnight in UTC), seconds since 1970, or an offset from `now` such
/// as `+30d`, `-1h` or `+P1M`. The result and `now` are in seconds since 1970. Returns a usage error
/// for other texts.
pub fn parse(text: &str, now: i64) -> Result<i64> {
    let unclear = || {
        let error = Error::usage(format!("{text:?} is not a time"));
        let (sign, number) = match text.strip_prefix(['+', '-']) {
            Some(number) => (&text[..1], number),
            None => ("+", text),
        };
        // A longer number counts milliseconds.
        if is_number(number) && number.len() < 7 {
            return error.hint(in_days(sign, number));
        }
        match (shift(now, text, false), text.strip_suffix('m')) {
            (Some(_), Some(number)) if is_number(number) => error.hint(format!(
                "write +{number}m for {number} minutes, or +{number}mo for {number} months"
            )),
            (Some(_), _) => error.hint(format!("did you mean +{text}?")),
            (None, _) => error
                .hint("times: 2026-12-31T12:00:00Z, 2026-12-31, +30d, -1h, or seconds since 1970"),
        }
    };
    if let Some(offset) = text.strip_prefix('+') {
        return shift(now, offset, false).ok_or_else(unclear);
    }
    if let Some(offset) = text.strip_prefix('-') {
        return shift(now, offset, true).ok_or_else(unclear);
    }
    if let Ok(seconds) = text.parse::<i64>() {
        if (1..FIRST_SECONDS).contains(&seconds.unsigned_abs()) {
            return Err(unclear());
        }
        let moment = Timestamp::from_second(seconds);
        return moment.map(Timestamp::as_second).map_err(|_| unclear());
    }
    if let Ok(moment) = text.parse::<Timestamp>() {
        return Ok(moment.as_second());
    }
    // The parser of dates accepts a time of day without a time zone, and ignores it. Only the length of
    // a date rules that out.
    let date: Date = match text.len() {
        10 => text.parse().map_err(|_| unclear())?,
        _ => return Err(unclear()),
    };
    let midnight = date.to_zoned(TimeZone::UTC).map_err(|_| unclear())?;
    Ok(midnight.timestamp().as_second())
}

/// Reads a duration, such as `90d`, `12h`, `1h30m` or `P30D`, in seconds. A day has 24 hours. Returns a
/// usage error for months and years, whose length varies, and for negative durations.
pub fn parse_duration(text: &str) -> Result<i64> {
    let unclear = |what: &str| {
        let error = Error::usage(format!("{text:?} is {what}"));
        if is_number(text) {
            error.hint(in_days("", text))
        } else {
            error.hint("durations: 30d, 12h, 1h30m, 90s, 2w, P30D")
        }
    };
    let span: Span = text.parse().map_err(|_| unclear("not a duration"))?;
    if span.get_years() != 0 || span.get_months() != 0 {
        return Err(unclear("not a fixed duration: give the number of days"));
    }
    if span.is_negative() {
        return Err(unclear("below zero"));
    }
    let seconds = span.total((Unit::Second, SpanRelativeTo::days_are_24_hours()));
    let seconds = seconds.map_err(|_| unclear("too long"))?;
    Ok(seconds.floor() as i64)
}

/// Returns the hint for a number without a unit.
fn in_days(sign: &str, number: &str) -> String {
    let plural = if number == "1" { "" } else { "s" };
    format!("write {sign}{number}d for {number} day{plural}")
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|octet| octet.is_ascii_digit())
}

/// Formats a duration in seconds, such as `30d` or `1h 30m`.
pub fn format_duration(seconds: i64) -> String {
    let rounded = Span::new()
        .try_seconds(seconds)
        .and_then(|span| span.round(SpanRound::new().largest(Unit::Day).days_are_24_hours()));
    rounded.map_or_else(|_| format!("{seconds}s"), |span| format!("{span:#}"))
}

/// Reads the time of an option, if it is given. See [`parse`].
pub fn parse_option(text: &Option<String>, now: i64) -> Result<Option<i64>> {
    text.as_deref().map(|text| parse(text, now)).transpose()
}

/// Adds an offset to a time in seconds since 1970, or subtracts it. Months and years follow the
/// calendar in UTC. Returns `None` if the offset is not a positive duration, or if the result is out of
/// range.
fn shift(now: i64, offset: &str, back: bool) -> Option<i64> {
    let span: Span = offset
        .parse()
        .ok()
        .filter(|span: &Span| span.is_positive())?;
    let start = Timestamp::from_second(now).ok()?.to_zoned(TimeZone::UTC);
    let end = if back {
        start.checked_sub(span)
    } else {
        start.checked_add(span)
    };
    Some(end.ok()?.timestamp().as_second())
}

/// Formats seconds since 1970 as RFC 3339 in UTC. Returns the number itself if it is out of range.
pub fn format(seconds: i64) -> String {
    match Timestamp::from_second(seconds) {
        Ok(moment) => moment.to_string(),
        Err(_) => seconds.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read() {
        for (text, seconds) in [
            ("90d", 90 * 86_400),
            ("12h", 43_200),
            ("1h30m", 5_400),
            ("P30D", 30 * 86_400),
            ("2w", 14 * 86_400),
            ("30 days", 30 * 86_400),
            ("0s", 0),
        ] {
            assert_eq!(parse_duration(text).unwrap(), seconds, "{text}");
        }
        for bad in ["", "30", "d", "-1h", "1mo", "1y", "P1M", "soon", "1d ago"] {
            assert!(parse_duration(bad).is_err(), "{bad}");
        }
        let error = parse_duration("30").unwrap_err();
        assert_eq!(error.advice(), Some("write 30d for 30 days"));
    }

    #[test]
    fn durations_are_formatted() {
        for (seconds, words) in [(0, "0s"), (3_660, "1h 1m"), (90 * 86_400, "90d")] {
            assert_eq!(format_duration(seconds), words);
        }
    }

    #[test]
    fn moments_and_offsets() {
        let now = 1_763_000_000;
        for (text, seconds) in [
            ("1970-01-01T00:00:10Z", 10),
            ("1970-01-02", 86_400),
            ("1000000", 1_000_000),
            ("1763000000", now),
            ("+30d", now + 30 * 86_400),
            ("+1h30m", now + 5_400),
            ("-1d", now - 86_400),
            ("+P1D", now + 86_400),
        ] {
            assert_eq!(parse(text, now).unwrap(), seconds, "{text}");
        }
        for bad in [
            "",
            "+",
            "soon",
            "+-1d",
            "--1d",
            "2026-13-01",
            "+0d",
            "90",
            "99999999999999999",
        ] {
            assert!(parse(bad, now).is_err(), "{bad}");
        }
        for (text, hint) in [
            ("90d", "did you mean +90d?"),
            ("90", "write +90d for 90 days"),
            ("+90", "write +90d for 90 days"),
            ("-1", "write -1d for 1 day"),
            ("3m", "write +3m for 3 minutes, or +3mo for 3 months"),
        ] {
            let error = parse(text, now).unwrap_err();
            assert_eq!(error.advice(), Some(hint), "{text}");
        }
        assert_eq!(parse("+3mo", now).unwrap(), now + 92 * 86_400);
        assert_eq!(format(0), "1970-01-01T00:00:00Z");
    }

    #[test]
    fn milliseconds_are_no_days() {
        let error = parse("1763000000000", 1_763_000_000).unwrap_err();
        assert!(!error.advice().unwrap_or_default().contains("days"));
    }
}
