//! Why a set does not have the key of a token: what the log says, and how old a file is.

use crate::commands::verify::Sources;
use crate::commands::verify::trial::Trial;
use crate::context::Context;
use crate::jws::Refusal;
use crate::keystore::log::{COMPROMISED, Change, Verb};
use crate::source::document::STANDARD_INPUT;
use crate::source::target::{Origin, Source};
use crate::time::format_duration;
use std::fs;
use std::time::UNIX_EPOCH;

/// Adds to a refusal what is known about the kid.
pub(super) fn explain(
    ctx: &Context,
    refusal: Refusal,
    trial: &Trial,
    sources: &Sources,
    target: Option<&str>,
) -> Refusal {
    let mut message = refusal.message.clone();
    let only = match sources {
        [one] => Some(one),
        _ => None,
    };
    if let Some(age) = only.and_then(|source| age(ctx, source)) {
        message += &format!("; the file is {age} old");
    }
    let kid = trial.token.header().kid.as_deref();
    let own = only.and_then(|source| match &source.origin {
        Origin::Keystore(name) => Some(name.as_str()),
        Origin::Server(_) | Origin::Document => None,
    });
    if let Some(history) = kid.and_then(|kid| history(ctx, kid, own)) {
        message += &format!("; {history}");
    }
    let hint = match (target, kid) {
        (None, Some(_)) => "pass --online to ask the issuer that the token names",
        (None, None) => "name the set, or pass --online to ask the issuer",
        (Some(_), _) => "leave the set out to look in every set of the keystore",
    };
    Refusal { message, ..refusal }.hint(hint)
}

/// Returns how old a file is.
fn age(ctx: &Context, source: &Source) -> Option<String> {
    if !matches!(source.origin, Origin::Document) || source.name == STANDARD_INPUT {
        return None;
    }
    let changed = fs::metadata(&source.name).ok()?.modified().ok()?;
    let changed = changed.duration_since(UNIX_EPOCH).ok()?.as_secs();
    let seconds = ctx.now.checked_sub(i64::try_from(changed).ok()?)?;
    // Minutes are close enough for hours and days.
    let seconds = if seconds < 3600 {
        seconds
    } else {
        seconds / 60 * 60
    };
    (seconds > 0).then(|| format_duration(seconds))
}

/// Returns what the log says last about a kid in a set, or in any set.
fn history(ctx: &Context, kid: &str, set: Option<&str>) -> Option<String> {
    let log = ctx.store.log().ok()?;
    let is_it = |change: &&Change| {
        let is_kid = change.kid.as_deref() == Some(kid);
        let is_set = set.is_none_or(|set| change.set == set);
        is_kid && is_set && change.remote.is_none() && !change.verb.is_use()
    };
    let change = log.changes.iter().rev().find(is_it)?;
    let (verb, time) = (change.verb.name(), &change.time);
    let from = match (set, change.verb) {
        (Some(_), _) => String::new(),
        (None, Verb::Removed) => format!(" from set {}", change.set),
        (None, _) => format!(" in set {}", change.set),
    };
    let why = match change.note.as_deref() {
        Some(COMPROMISED) => ", because its private key is known to others",
        _ => "",
    };
    Some(format!("it was {verb}{from} at {time}{why}"))
}
