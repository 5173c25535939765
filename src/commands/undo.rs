//! `jwks undo`: the last change of a set is taken back.

use crate::commands::shared::restoring::{OutcomeJson, restore, warn_damaged};
use crate::context::Context;
use crate::error::{Error, Result};
use crate::keyset::key_name::quote;
use crate::keystore::SetName;
use crate::keystore::history::Version;
use crate::keystore::log::Change;
use crate::report::names::{list_names, shell_word};
use crate::time;
use clap::Args;
use serde::Serialize;
use std::borrow::Cow;

const EXAMPLES: &str = "\
Examples:
  $ jwks create api
  $ jwks undo api --yes
  $ jwks undo --yes";

/// Undo the last change of a set
///
/// Returns the set to its state before the last change. Deleted keys come back, and a deleted set comes
/// back with its schedule; other changes of a schedule are not undone. Asks if something would be lost;
/// pass --yes to confirm without a terminal. An undo is a change, too: the next `jwks undo` redoes what
/// this one has undone. To go further back, use `jwks restore`. Only the keystore changes: what was
/// pushed to a server or exported stays there.
///
/// If the file of the set is damaged, it is moved aside, for example to api.json.damaged. It stays there
/// until you delete it, or pass --purge to `jwks delete`, because it can hold keys that no earlier version has.
///
/// `jwks log` shows the changes. They can be undone for the time of --keep-history, 30 days by default.
/// A set keeps at most 100 earlier versions. All but the newest have at most 64 MiB in total.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct UndoArgs {
    /// The set [default: the set that was changed last]
    #[arg(value_name = "SET")]
    set: Option<String>,
}

#[derive(Serialize)]
struct Report<'a> {
    set: &'a str,
    /// When the change was made that is undone.
    undone: i64,
    #[serde(flatten)]
    outcome: OutcomeJson<'a>,
}

/// Runs `jwks undo`.
pub fn run(ctx: &Context, args: &UndoArgs) -> Result<()> {
    ctx.store.require_directory("history")?;
    ctx.store.complete_interrupted()?;
    let name = match &args.set {
        Some(set) if set.contains('@') => {
            return Err(
                Error::usage("undo takes the name of a set, without a time").hint(format!(
                    "run `jwks restore {}` to restore the set to its state at a time",
                    shell_word(set)
                )),
            );
        }
        Some(set) => SetName::given(set)?,
        None => ctx
            .store
            .last_changed()?
            .ok_or_else(|| nothing("nothing to undo"))?,
    };
    let history = ctx.store.history(&name)?;
    warn_damaged(ctx, &history);
    let version = ctx.store.last_version(&name, &history)?;
    let version = version.ok_or_else(|| {
        let nothing = nothing(format!("nothing to undo in set {name}"));
        ctx.store.hint_at_nearest(&name, nothing)
    })?;
    let what = describe_change(ctx, &name, version)?;
    let why = format!("undo of the last change of set {name}, at {what}");
    let outcome = restore(ctx, &name, (&history, version), &why, "undo")?;
    if ctx.out.is_json() {
        return ctx.out.json(&Report {
            set: name.as_str(),
            undone: version.until,
            outcome: outcome.json(),
        });
    }
    ctx.out
        .status(format!("undid the last change of set {name}, at {what}"));
    outcome.report(ctx, &name);
    Ok(())
}

fn nothing(message: impl Into<String>) -> Error {
    Error::not_found(message).hint("run `jwks log` to see the changes that can be undone")
}

/// Describes the change that replaced a version as the log has it: its time, and what was done with
/// which keys.
fn describe_change(ctx: &Context, name: &SetName, version: &Version) -> Result<String> {
    let time = time::format(version.until);
    let log = ctx.store.log()?;
    let is_it = |change: &&Change| {
        change.version == Some(version.number) && change.set == name.as_str() && change.time == time
    };
    let mut done: Vec<(String, Vec<Cow<str>>)> = Vec::new();
    for change in log.changes.iter().filter(is_it) {
        let verb = match &change.note {
            Some(note) => format!("{} ({note})", change.verb.name()),
            None => change.verb.name().to_owned(),
        };
        let key = change.kid.as_deref().or(change.thumbprint.as_deref());
        match done.last_mut() {
            Some((last, keys)) if *last == verb => keys.extend(key.map(quote)),
            _ => done.push((verb, key.map(quote).into_iter().collect())),
        }
    }
    let done = done.iter();
    let done: Vec<_> = done
        .map(|(verb, keys)| format!("{verb} {}", list_names(keys)).trim_end().to_owned())
        .collect();
    Ok(if done.is_empty() {
        time
    } else {
        format!("{time}: {}", done.join(", "))
    })
}
