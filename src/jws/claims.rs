//! The claims of a token: the registered ones, and what they are checked against (RFC 7519 section 4.1).

use crate::jws::header::parse_object;
use crate::jws::refusal::{Cause, Refusal};
use crate::key::check::excerpt;
use crate::key::members::Members;
use crate::time::{format, format_duration};

/// What the claims of a token must be.
#[derive(Clone, Debug, Default)]
pub struct Expected<'a> {
    /// The time, in seconds since 1970.
    pub now: i64,
    /// How far the clocks of the issuer and the verifier can differ, in seconds.
    pub leeway: i64,
    /// The issuer, compared character by character; `None` for any.
    pub issuer: Option<&'a str>,
    /// The audiences, one of which the token must have; empty for any.
    pub audiences: &'a [String],
}

/// The claims that are strings.
const TEXTS: &[&str] = &["iss", "sub", "jti"];

/// The claims that are times.
const TIMES: &[&str] = &["exp", "nbf", "iat"];

fn wrong(message: impl Into<String>) -> Refusal {
    Refusal::new(Cause::Claims, message)
}

/// Parses claims: a strict JSON object whose registered claims have their types.
pub fn parse(payload: &[u8]) -> Result<Members<'static>, Refusal> {
    let claims = decode(payload)?;
    check_types(&claims)?;
    Ok(claims)
}

/// Parses the claims of a token that nobody verified. The types of registered claims are not checked.
pub fn decode(payload: &[u8]) -> Result<Members<'static>, Refusal> {
    parse_object(payload, "the payload", Cause::Claims)
}

/// Returns an error if a registered claim has the wrong type, or is `null`.
pub fn check_types(claims: &Members) -> Result<(), Refusal> {
    for name in TEXTS {
        if claims.raw(name).is_some() && claims.string(name).is_none() {
            return Err(wrong(format!("the claim {name} is not a string")));
        }
    }
    for name in TIMES {
        let is_time = matches!(claims.seconds(name), Ok(Some(_)));
        if claims.raw(name).is_some() && !is_time {
            let message = format!("the claim {name} is not a number of seconds since 1970");
            return Err(wrong(message));
        }
    }
    if claims.raw("aud").is_some() && audiences(claims).is_none() {
        let message = "the claim aud is not a string or an array of strings";
        return Err(wrong(message));
    }
    Ok(())
}

/// Returns the audiences of a token; `None` if it has none.
pub fn audiences(claims: &Members) -> Option<Vec<String>> {
    if let Some(only) = claims.string("aud") {
        return Some(vec![only.into_owned()]);
    }
    let several = claims.texts("aud").ok().flatten()?;
    Some(several.into_iter().map(String::from).collect())
}

/// Returns an error if a claim is not as expected. The types were checked by [`parse`].
pub fn check(claims: &Members, expected: &Expected) -> Result<(), Refusal> {
    let time = |name: &str| claims.seconds(name).ok().flatten();
    let Expected { now, leeway, .. } = *expected;
    if let Some(exp) = time("exp").filter(|exp| exp.saturating_add(leeway) <= now) {
        return Err(Refusal::new(Cause::Expired, ago("expired", exp, now)));
    }
    if let Some(nbf) = time("nbf").filter(|nbf| *nbf > now.saturating_add(leeway)) {
        let message = ahead("is not valid yet: its nbf is", nbf, now);
        return Err(Refusal::new(Cause::NotYetValid, message));
    }
    if let Some(iat) = time("iat").filter(|iat| *iat > now.saturating_add(leeway)) {
        let message = ahead("was issued in the future: its iat is", iat, now);
        let refusal = Refusal::new(Cause::IssuedAhead, message);
        return Err(refusal.hint("compare the clocks of the issuer and of this machine"));
    }
    if let Some(issuer) = expected.issuer {
        match claims.string("iss") {
            Some(iss) if iss == issuer => {}
            Some(iss) => {
                let message = format!("the issuer is {}, not {issuer:?}", excerpt(&iss));
                return Err(Refusal::new(Cause::Issuer, message));
            }
            None => {
                let message = format!("the token has no iss, which must be {issuer:?}");
                return Err(Refusal::new(Cause::Issuer, message));
            }
        }
    }
    check_audience(claims, expected.audiences)
}

fn check_audience(claims: &Members, expected: &[String]) -> Result<(), Refusal> {
    if expected.is_empty() {
        return Ok(());
    }
    let wanted: Vec<_> = expected.iter().map(|name| format!("{name:?}")).collect();
    let wanted = wanted.join(" or ");
    let refused = |message: String| Err(Refusal::new(Cause::Audience, message));
    match audiences(claims) {
        None => refused(format!("the token has no aud, which must be {wanted}")),
        Some(found) if found.iter().any(|name| expected.contains(name)) => Ok(()),
        Some(found) => {
            let shown: Vec<_> = found.iter().take(5).map(|name| excerpt(name)).collect();
            refused(format!(
                "the audience is {}, not {wanted}",
                shown.join(", ")
            ))
        }
    }
}

/// Returns an error if `typ` is not the expected one. Media types are compared without regard to case, and
/// `application/` can be left out (RFC 7515 section 4.1.9).
pub fn check_type(typ: Option<&str>, expected: &str) -> Result<(), Refusal> {
    let short = |typ: &str| {
        let typ = typ.to_ascii_lowercase();
        match typ.strip_prefix("application/") {
            Some(rest) if !rest.contains('/') => rest.to_owned(),
            _ => typ,
        }
    };
    match typ {
        Some(typ) if short(typ) == short(expected) => Ok(()),
        Some(typ) => {
            let message = format!("the typ is {}, not {expected:?}", excerpt(typ));
            Err(Refusal::new(Cause::Type, message))
        }
        None => {
            let message = format!("the token has no typ, which must be {expected:?}");
            Err(Refusal::new(Cause::Type, message))
        }
    }
}

/// `expired 1h ago, at 2026-01-01T00:00:00Z`.
fn ago(what: &str, time: i64, now: i64) -> String {
    let span = format_duration(now.saturating_sub(time));
    format!("the token {what} {span} ago, at {}", format(time))
}

/// `its nbf is 1h ahead, at 2026-01-01T00:00:00Z`.
fn ahead(what: &str, time: i64, now: i64) -> String {
    let span = format_duration(time.saturating_sub(now));
    format!("the token {what} {span} ahead, at {}", format(time))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cause(json: &str, expected: &Expected) -> Option<Cause> {
        let claims = match parse(json.as_bytes()) {
            Ok(claims) => claims,
            Err(refusal) => return Some(refusal.cause),
        };
        check(&claims, expected).err().map(|refusal| refusal.cause)
    }

    #[test]
    fn times_have_a_leeway_and_both_ends() {
        let expected = Expected {
            now: 1000,
            leeway: 60,
            ..Expected::default()
        };
        for (json, refused) in [
            ("{}", None),
            (r#"{"exp":941}"#, None),
            (r#"{"exp":940}"#, Some(Cause::Expired)),
            (r#"{"exp":940.9}"#, Some(Cause::Expired)),
            (r#"{"exp":-1}"#, Some(Cause::Expired)),
            (r#"{"nbf":1060}"#, None),
            (r#"{"nbf":1061}"#, Some(Cause::NotYetValid)),
            (r#"{"iat":1060}"#, None),
            (r#"{"iat":1061}"#, Some(Cause::IssuedAhead)),
            (r#"{"iat":4600}"#, Some(Cause::IssuedAhead)),
        ] {
            assert_eq!(cause(json, &expected), refused, "{json}");
        }
        let extreme = Expected {
            now: i64::MAX,
            leeway: i64::MAX,
            ..Expected::default()
        };
        let dates = r#"{"exp":1,"nbf":1,"iat":1}"#;
        assert_eq!(cause(dates, &extreme), Some(Cause::Expired));
    }

    #[test]
    fn registered_claims_have_their_types() {
        for json in [
            "[]",
            "1",
            "",
            "{} {}",
            r#"{"iss":"a","iss":"b"}"#,
            r#"{"exp":null}"#,
            r#"{"exp":"1"}"#,
            r#"{"exp":1e300}"#,
            r#"{"nbf":true}"#,
            r#"{"iss":1}"#,
            r#"{"sub":null}"#,
            r#"{"jti":[]}"#,
            r#"{"aud":1}"#,
            r#"{"aud":["a",1]}"#,
            r#"{"aud":null}"#,
        ] {
            assert_eq!(
                cause(json, &Expected::default()),
                Some(Cause::Claims),
                "{json}"
            );
        }
    }

    #[test]
    fn the_issuer_and_an_audience_are_demanded() {
        let audiences = ["a".to_owned(), "b".to_owned()];
        let expected = Expected {
            issuer: Some("https://i"),
            audiences: &audiences,
            ..Expected::default()
        };
        for (json, refused) in [
            (r#"{"iss":"https://i","aud":"a"}"#, None),
            (r#"{"iss":"https://i","aud":["x","b"]}"#, None),
            (r#"{"iss":"https://i/","aud":"a"}"#, Some(Cause::Issuer)),
            (r#"{"aud":"a"}"#, Some(Cause::Issuer)),
            (r#"{"iss":"https://i"}"#, Some(Cause::Audience)),
            (r#"{"iss":"https://i","aud":[]}"#, Some(Cause::Audience)),
            (r#"{"iss":"https://i","aud":"A"}"#, Some(Cause::Audience)),
        ] {
            assert_eq!(cause(json, &expected), refused, "{json}");
        }
    }

    #[test]
    fn types_are_media_types() {
        for (typ, expected, fits) in [
            (Some("JWT"), "jwt", true),
            (Some("at+jwt"), "application/at+jwt", true),
            (Some("application/AT+jwt"), "at+jwt", true),
            (Some("JWT"), "at+jwt", false),
            (Some("application/a/b"), "a/b", false),
            (None, "JWT", false),
        ] {
            assert_eq!(check_type(typ, expected).is_ok(), fits, "{typ:?}");
        }
    }
}
