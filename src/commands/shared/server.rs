//! How commands get to a server: the options that all of them share, and the way there.

use crate::context::Context;
use crate::error::{Error, ErrorKind, Reason, Result};
use crate::keyset::KeySet;
use crate::output::JsonError;
use crate::remote::Remote;
use crate::remote::kind::Sets;
use crate::report::names::{count, list_names};
use serde::Serialize;
use serde_json::json;
use std::fmt::Display;

/// How often a command plans and writes a set, in all, if somebody else changes the set meanwhile.
const ATTEMPTS: u32 = 5;

/// After how many keys that were read a large set is not planned again.
const MOST_KEYS_READ: usize = 30_000;

/// Moves several sets: shows how far it is, goes on after a failure, and tells of each.
pub fn for_each_set<N: Display, R: Serialize>(
    ctx: &Context,
    names: &[N],
    done: &str,
    mut each: impl FnMut(&N) -> Result<R>,
) -> Result<()> {
    let progress = ctx.out.progress(names.len() as u64, "sets");
    let (mut reports, mut failed, mut kind) = (Vec::new(), Vec::new(), None);
    for name in names {
        match progress.suspend(|| each(name)) {
            Ok(report) => reports.push(json!(report)),
            Err(error) => {
                let error = error.about(format!("set {name}"));
                progress.suspend(|| ctx.out.error(&error));
                kind.get_or_insert(error.kind());
                reports.push(json!({ "set": name.to_string(), "error": JsonError::from(&error) }));
                failed.push(name.to_string());
            }
        }
        progress.inc(1);
    }
    progress.finish_and_clear();
    if ctx.out.is_json() {
        ctx.out.json(&json!({ "sets": reports }))?;
    }
    let Some(kind) = kind else {
        return Ok(());
    };
    let number = count(failed.len(), "set");
    let failed = list_names(&failed);
    Err(Error::of(kind, format!("{number} not {done}: {failed}")))
}

/// Reads a set on a server, plans and writes. If somebody else changed the set meanwhile, it starts
/// again, for at most five tries in all, or fewer for a large set; then it returns an error.
pub fn retry_on_conflict<T>(
    ctx: &Context,
    server: &Remote,
    target: &str,
    mut attempt: impl FnMut() -> Result<T>,
) -> Result<T> {
    let before = server.keys_read();
    for _ in 1..ATTEMPTS {
        match attempt() {
            Err(error)
                if error.is_because(Reason::Overtaken)
                    && server.keys_read() - before < MOST_KEYS_READ =>
            {
                ctx.out.status(format!(
                    "somebody else changed {target} at the same time; planning again"
                ));
            }
            outcome => return outcome,
        }
    }
    attempt()
}

/// Corrects the hint of the error for a remote that does not exist, if the two words of a command line stand
/// in the wrong order. `right` is the command in the right one.
pub fn hint_at_order(ctx: &Context, error: Error, in_its_place: &str, right: &str) -> Error {
    let entries = ctx.remotes.entries().unwrap_or_default();
    let is_remote = entries.iter().any(|entry| entry.name == in_its_place);
    if error.kind() == ErrorKind::NotFound && is_remote {
        error.hint(format!("did you mean `{right}`?"))
    } else {
        error
    }
}

/// Returns the name of the set on a server: the given name, or the name of the only set, or else the
/// local name `here`.
pub fn set_name(remote: &Remote, named: Option<&str>, here: Option<&str>) -> Result<String> {
    match (named, remote.kind.sets) {
        (Some(name), Sets::Named) => Ok(name.to_owned()),
        // A kid must not be taken for the name of the set, or the command would act on the whole set.
        (Some(name), Sets::One) => {
            let only = remote.sets()?.pop().unwrap_or_default();
            if name == only || name == remote.name {
                Ok(only)
            } else {
                Err(
                    Error::not_found(format!("no set {name} on {}", remote.name))
                        .hint(format!("its only set is {only}")),
                )
            }
        }
        (None, Sets::One) => remote
            .sets()?
            .pop()
            .ok_or_else(|| Error::not_found(format!("{} has no set", remote.name))),
        (None, Sets::Named) => here.map(str::to_owned).ok_or_else(|| {
            let name = &remote.name;
            Error::usage(format!("{} requires the name of a set", remote.kind.name)).hint(format!(
                "jwks get SET --remote {name}, jwks pull {name}:SET"
            ))
        }),
    }
}

/// The kid that a text means on a server: as it is, or with what every kid begins with there.
pub fn server_kid(remote: &Remote, set: &KeySet, kid: &str) -> String {
    let there = (remote.kind.rules.kid)(kid, None);
    let is_there = match (set.find_exactly(kid), set.find_exactly(&there)) {
        (Ok(_), _) => false,
        (_, Ok(_)) => true,
        _ => set.find(kid).is_err() && set.find(&there).is_ok(),
    };
    if is_there { there } else { kid.to_owned() }
}
