//! `jwks restore`: returns a set to its state at a given time.

use crate::commands::shared::restoring::{Outcome, OutcomeJson, restore, warn_damaged};
use crate::context::Context;
use crate::error::{Error, Result};
use crate::keystore::SetName;
use crate::keystore::history::{Content, History, Version};
use crate::report::names::list_names;
use crate::time;
use clap::Args;
use serde::Serialize;

const EXAMPLES: &str = "\
Examples:
  $ jwks restore api@-90m --yes
  $ jwks delete api --yes --force && jwks restore api@-30m";

/// Restore a set to its state at a given time
///
/// Returns the set to its state at that time, from its history. A time is 2026-12-31T12:00:00Z,
/// 2026-12-31, an offset such as -1d, or seconds since 1970. If the set changed within that
/// second, the last state counts. Asks if something would be lost; pass --yes to confirm without a terminal.
/// `jwks undo` takes the restore back. If the file of the set is damaged, it is moved aside and kept, as
/// with `jwks undo`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct RestoreArgs {
    /// The set and the time
    #[arg(value_name = "SET@TIME")]
    version: String,
}

#[derive(Serialize)]
struct Report<'a> {
    set: &'a str,
    /// The time whose state the set now has, in seconds since 1970.
    restored: i64,
    #[serde(flatten)]
    outcome: OutcomeJson<'a>,
}

/// Runs `jwks restore`.
pub fn run(ctx: &Context, args: &RestoreArgs) -> Result<()> {
    ctx.store.require_directory("history")?;
    let (set, text) = args.version.split_once('@').unwrap_or((&args.version, ""));
    let name = SetName::given(set)?;
    if text.is_empty() {
        return Err(no_time(ctx, &name)?);
    }
    ctx.store.complete_interrupted()?;
    let time = time::parse(text, ctx.now)?;
    if time > ctx.now {
        return Err(Error::usage(format!(
            "{} is in the future",
            time::format(time)
        )));
    }
    let history = ctx.store.history(&name)?;
    warn_damaged(ctx, &history);
    let version = find(ctx, &name, &history, time)?;
    let outcome = match version {
        Some(version) => {
            let shown = time::format(time);
            let why = format!("set {name} would return to its state at {shown}");
            let note = format!("restore of {shown}");
            restore(ctx, &name, (&history, version), &why, &note)?
        }
        None => Outcome::default(),
    };
    if ctx.out.is_json() {
        return ctx.out.json(&Report {
            set: name.as_str(),
            restored: time,
            outcome: outcome.json(),
        });
    }
    let time = time::format(time);
    if version.is_some() {
        ctx.out
            .status(format!("restored set {name} to its state at {time}"));
        outcome.report(ctx, &name);
    } else {
        ctx.out
            .status(format!("set {name} is already in its state at {time}"));
    }
    Ok(())
}

/// Returns the version that was current at a time, in seconds since 1970; `None` if the set has not
/// changed since. Returns an error if there was no set then, or if its version is not kept.
fn find<'a>(
    ctx: &Context,
    name: &SetName,
    history: &'a History,
    time: i64,
) -> Result<Option<&'a Version>> {
    let hint = || match &times(history)[..] {
        [] if history.sets() == 0 => "the set has no earlier versions".to_owned(),
        [] => undo(name),
        times => format!("versions: {}", list_names(times)),
    };
    let missing = |message: String| {
        let missing = Error::not_found(message).hint(hint());
        Err(ctx.store.hint_at_nearest(name, missing))
    };
    let shown = time::format(time);
    let since = history.versions.last().map(|last| last.until);
    match history.at(time) {
        Some(version) if version.content == Content::NoSet => {
            missing(format!("there was no set {name} at {shown}"))
        }
        Some(version) => {
            let is_present = ctx.store.is_present(name, version)?;
            Ok((!is_present).then_some(version))
        }
        None if since.is_some_and(|since| since <= time) => {
            if let Some(damage) = ctx.store.damage(name)? {
                return Err(damage.hint(hint()));
            }
            if ctx.store.contains(name)? {
                Ok(None)
            } else {
                missing(format!("there was no set {name} at {shown}"))
            }
        }
        None => missing(format!("no version of set {name} from {shown}")),
    }
}

/// Returns the error for a set without a time. The hint lists the times of its versions.
fn no_time(ctx: &Context, name: &SetName) -> Result<Error> {
    let history = ctx.store.history(name)?;
    if history.sets() == 0 {
        // A set that does not exist and has no history is a mistyped name.
        let found = ctx.store.load(name);
        found.map_err(|error| ctx.store.hint_at_nearest(name, error))?;
        return Ok(Error::not_found(format!(
            "set {name} has no earlier versions"
        )));
    }
    let hint = match &times(&history)[..] {
        [] => undo(name),
        times => format!("pass {name}@TIME; versions: {}", list_names(times)),
    };
    Ok(Error::usage(format!("restoring set {name} requires a time")).hint(hint))
}

/// Returns the hint for a set that no time brings back, because its versions were replaced in the second in
/// which they began.
fn undo(name: &SetName) -> String {
    format!("run `jwks undo {name}` to undo the last change")
}

/// Returns the times to which a set can be restored, the latest first.
fn times(history: &History) -> Vec<String> {
    let versions = history.versions.iter().rev();
    let is_set = |version: &&Version| version.holds_set() && version.from < version.until;
    let since = versions.filter(is_set).map(|version| match version.from {
        0 => format!("before {}", time::format(version.until)),
        from => time::format(from),
    });
    since.collect()
}
