//! The report about a token that was accepted, or in JSON also about one that was refused.

use crate::commands::shared::publishing::publish_delay;
use crate::context::Context;
use crate::error::Result;
use crate::jws::Refusal;
use crate::key::Key;
use crate::key::header::Header;
use crate::key::members::Members;
use crate::keyset::KeySet;
use crate::keyset::key_name::KeyName;
use crate::keyset::lifecycle::State;
use crate::output::shorten;
use crate::report::json::JsonKeyName;
use crate::source::target::{Origin, Source};
use crate::time::{format, format_duration};
use serde::Serialize;

/// The most claims that are printed as text.
const MOST_CLAIMS: usize = 50;

/// The longest value of a claim in text, in characters.
const LONGEST: usize = 200;

/// A token that was accepted, and its key.
pub(super) struct Verified {
    /// The name of the set.
    pub(super) set: String,
    /// The name of the set in messages.
    pub(super) title: String,
    /// The name of the key.
    pub(super) name: KeyName,
    /// The algorithm of the key.
    pub(super) alg: &'static str,
    /// The line of the key.
    pub(super) line: String,
    /// The purpose of the key.
    pub(super) usage: Option<String>,
    /// The state of the key; `None` if somebody else signs with it.
    pub(super) state: Option<State>,
    /// How long the key has been published; `None` if that is not known.
    pub(super) copies: Option<Copies>,
    /// The header of the token.
    pub(super) header: Members<'static>,
    /// The claims of the token; `None` if only the signature was verified.
    pub(super) claims: Option<Members<'static>>,
    /// The length of the payload in bytes.
    pub(super) payload_octets: usize,
}

/// Whether verifiers with a copy of the set know a key.
#[derive(Clone, Copy, Serialize)]
pub(super) struct Copies {
    /// The publish delay, in seconds: the age that a copy of the set can have.
    publish_delay: i64,
    /// The time from which every copy has the key, in seconds since 1970.
    known_from: i64,
    /// True if that time has come.
    known: bool,
}

impl Copies {
    /// Returns when the copies of a set of the keystore have a key, by its `iat` and the schedule. If the set has no
    /// older key, no copy can lack this one. Returns `None` for other sets, and for a key without a date.
    pub(super) fn of(ctx: &Context, source: &Source, set: &KeySet, key: &Key) -> Option<Copies> {
        let Origin::Keystore(name) = &source.origin else {
            return None;
        };
        let header = Header::of(key);
        if header.kty.as_deref() == Some("oct") {
            return None;
        }
        let iat = header.iat?;
        let is_older = |other: &Key| Header::of(other).iat.is_none_or(|other| other < iat);
        let publish_delay = publish_delay(ctx, name)
            .inspect_err(|error| ctx.out.warn(error.to_string()))
            .ok()?;
        let known_from = if set.keys.iter().any(is_older) {
            iat.checked_add(publish_delay)?
        } else {
            iat
        };
        Some(Copies {
            publish_delay,
            known_from,
            known: known_from <= ctx.now,
        })
    }
}

#[derive(Serialize)]
struct Accepted<'a> {
    valid: bool,
    set: &'a str,
    #[serde(flatten)]
    key: JsonKeyName<'a>,
    alg: &'static str,
    line: &'a str,
    #[serde(rename = "use", skip_serializing_if = "Option::is_none")]
    usage: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    copies: Option<Copies>,
    header: &'a Members<'static>,
    #[serde(skip_serializing_if = "Option::is_none")]
    claims: Option<&'a Members<'static>>,
}

#[derive(Serialize)]
struct Refused<'a> {
    valid: bool,
    cause: &'static str,
    message: &'a str,
}

/// Prints the cause of a refusal as JSON.
pub(super) fn print_refusal(ctx: &Context, refusal: &Refusal) -> Result<()> {
    ctx.out.json(&Refused {
        valid: false,
        cause: refusal.cause.name(),
        message: &refusal.message,
    })
}

/// Prints which key signed the token, and its claims. Warns if verifiers can lack the key.
pub(super) fn print(ctx: &Context, verified: &Verified) -> Result<()> {
    if let Some(copies) = verified.copies.filter(|copies| !copies.known) {
        let delay = format_duration(copies.publish_delay);
        let time = format(copies.known_from);
        ctx.out.warn(format!(
            "the key is new: a verifier with an earlier copy of the set, up to {delay} old, lacks it until {time}"
        ));
    }
    if ctx.out.is_json() {
        return ctx.out.json(&Accepted {
            valid: true,
            set: &verified.set,
            key: JsonKeyName::of(&verified.name),
            alg: verified.alg,
            line: &verified.line,
            usage: verified.usage.as_deref(),
            state: verified.state.map(State::name),
            copies: verified.copies,
            header: &verified.header,
            claims: verified.claims.as_ref(),
        });
    }
    let (key, title) = (verified.name.shown(), &verified.title);
    let state = verified
        .state
        .map_or(String::new(), |state| format!(", {}", state.name()));
    let mut lines = vec![format!(
        "valid: key {key} of {title} ({}{state})",
        verified.line
    )];
    match &verified.claims {
        None => lines.push(format!("payload: {} bytes", verified.payload_octets)),
        Some(claims) => {
            let shown = claims.iter().take(MOST_CLAIMS);
            lines.extend(shown.map(|(name, value)| line(ctx, claims, name, value)));
            match claims.iter().count().saturating_sub(MOST_CLAIMS) {
                0 => {}
                more => lines.push(format!("and {more} more claims: --json prints all")),
            }
            if claims.raw("exp").is_none() {
                ctx.out.warn("the token has no exp: it never expires");
            }
        }
    }
    ctx.out.lines(lines)
}

/// Returns a claim for a line of text: a time in words, a string without quotes, or JSON.
fn line(ctx: &Context, claims: &Members, name: &str, value: &str) -> String {
    let name = shorten(name, LONGEST);
    let time = match &*name {
        "exp" | "nbf" | "iat" => claims.seconds(&name).ok().flatten(),
        _ => None,
    };
    if let Some(time) = time {
        let seconds = time.saturating_sub(ctx.now);
        let span = format_duration(seconds.saturating_abs());
        let words = match seconds {
            0 => "now".into(),
            1.. => format!("in {span}"),
            _ => format!("{span} ago"),
        };
        return format!("{name}: {} ({words})", format(time));
    }
    let text = claims.string(&name);
    let text = text.as_deref().unwrap_or(value);
    format!("{name}: {}", shorten(text, LONGEST))
}
