//! The key that signs: the active one, or the one that is named, if it can sign.

use crate::commands::sign::SignArgs;
use crate::context::Context;
use crate::error::{Error, Result};
use crate::jws::{Act, algorithm_of, is_revoked, unfitness};
use crate::key::Key;
use crate::key::check::findings_at;
use crate::key::header::Header;
use crate::key::parts::{UNCONFIRMED, holds_secret};
use crate::keyset::KeySet;
use crate::keyset::key_name::KeyName;
use crate::keyset::lifecycle::{State, line_name, signing_states};
use crate::source::target::{Origin, Source};
use crate::time;

/// Returns the position of the key that signs. Returns an error if no key signs now, or several, or if the named
/// one cannot.
pub(super) fn choose(
    ctx: &Context,
    args: &SignArgs,
    source: &Source,
    set: &KeySet,
) -> Result<usize> {
    let states = match &source.origin {
        Origin::Server(_) => source.states(set, ctx.now),
        // The private parts are checked, too: a key that does not match must not sign.
        Origin::Keystore(_) | Origin::Document => signing_states(set, ctx.now, &ctx.checks),
    };
    let position = match &args.kid {
        Some(kid) => set
            .find(&source.kid(set, kid))
            .map_err(|error| error.about(&source.title))?,
        None => active(args, source, set, &states)?,
    };
    check(ctx, source, set, position, &states)?;
    Ok(position)
}

fn active(
    args: &SignArgs,
    source: &Source,
    set: &KeySet,
    states: &[Option<State>],
) -> Result<usize> {
    let headers: Vec<_> = set.keys.iter().map(Header::of).collect();
    let mut lines: Vec<_> = headers.iter().map(line_name).collect();
    lines.sort_unstable();
    lines.dedup();
    if let Some(line) = &args.line
        && !lines.contains(&line.as_str())
    {
        let error = Error::not_found(format!("no line {line:?}")).about(&source.title);
        return Err(error.hint(format!("lines: {}", lines.join(", "))));
    }
    let signs = |position: &usize| {
        let header = &headers[*position];
        let in_line = args
            .line
            .as_deref()
            .is_none_or(|line| line == line_name(header));
        states[*position] == Some(State::Active) && header.effective_use() != Some("enc") && in_line
    };
    let signers: Vec<_> = (0..set.keys.len()).filter(signs).collect();
    match &signers[..] {
        [one] => Ok(*one),
        [] if !set.keys.iter().any(holds_secret) => {
            let title = &source.title;
            Err(Error::refused(format!(
                "{title} has no private keys to sign with"
            )))
        }
        [] => Err(
            Error::refused(format!("no key of {} signs now", source.title))
                .hint("run `jwks list SET` to see the states of its keys, or `jwks check SET`"),
        ),
        several => {
            let shown = |position: &usize| {
                let name = KeyName::of(&set.keys[*position]);
                format!("{} ({})", name.shown(), line_name(&headers[*position]))
            };
            let shown: Vec<_> = several.iter().take(10).map(shown).collect();
            let message = format!("{} keys of {} sign now", several.len(), source.title);
            let error = Error::refused(format!("{message}: {}", shown.join(", ")));
            Err(error.hint("name one with --kid, or its line with --line"))
        }
    }
}

/// Refuses a key that must not sign now.
fn check(
    ctx: &Context,
    source: &Source,
    set: &KeySet,
    position: usize,
    states: &[Option<State>],
) -> Result<()> {
    let key = &set.keys[position];
    let shown = KeyName::of(key).shown().into_owned();
    let refused = |why: String| {
        let title = &source.title;
        Err(Error::refused(format!(
            "key {shown} of {title} cannot sign: {why}"
        )))
    };
    let members = key.members().unwrap_or_default();
    let findings = findings_at(key, ctx.now, &ctx.checks);
    if let Some(why) = unfitness(&members, &findings, Act::Sign) {
        return refused(why.message);
    }
    if let Err(why) = algorithm_of(&members, None) {
        return refused(why.message);
    }
    if is_revoked(&members) {
        return refused("it was revoked".into());
    }
    let header = Header::of(key);
    match states[position] {
        Some(State::Active) => Ok(()),
        Some(State::Pending) if header.nbf == Some(UNCONFIRMED) => {
            refused("it is held until its publication is confirmed".into())
        }
        Some(State::Pending) => {
            let begin = header.nbf.map_or_else(String::new, time::format);
            refused(format!("it is pending, and signs from {begin}"))
        }
        Some(State::Retired) => {
            let is_successor = |(other, state): &(&Key, &Option<State>)| {
                **state == Some(State::Active)
                    && line_name(&Header::of(other)) == line_name(&header)
            };
            let signer = set.keys.iter().zip(states).find(is_successor);
            refused(match signer {
                Some((signer, _)) => {
                    let signer = KeyName::of(signer);
                    format!("it is retired, and {} signs now", signer.shown())
                }
                None => "it is retired".into(),
            })
        }
        Some(State::Expired) => {
            let end = header.exp.map_or_else(String::new, time::format);
            refused(format!("it expired at {end}"))
        }
        None => refused("another system signs with it".into()),
    }
}
