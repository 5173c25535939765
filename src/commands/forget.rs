//! `jwks forget`: deletes the history of sets for good.

use crate::commands::shared::forgetting::{Past, forget};
use crate::context::Context;
use crate::error::{Error, Result};
use crate::keystore::SetName;
use crate::keystore::history::History;
use clap::Args;
use serde_json::json;

const EXAMPLES: &str = "\
Examples:
  $ jwks delete old --yes --force
  $ jwks forget old --yes";

/// Delete the history of sets for good
///
/// Deletes every earlier version of the sets, with the private keys in them, and the damaged files that
/// `jwks undo` has moved aside, such as api.json.damaged. The sets themselves and the log stay. The disk or a
/// backup can still hold the deleted files.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct ForgetArgs {
    /// The sets, which need not exist any more
    #[arg(value_name = "SET", required = true)]
    sets: Vec<String>,
}

/// Runs `jwks forget`.
pub fn run(ctx: &Context, args: &ForgetArgs) -> Result<()> {
    ctx.store.require_directory("history")?;
    ctx.store.complete_interrupted()?;
    let mut sets: Vec<(SetName, Past)> = Vec::new();
    for set in &args.sets {
        let name = SetName::given(set)?;
        if sets.iter().any(|(known, _)| *known == name) {
            continue;
        }
        let past = Past::of(ctx, &name)?;
        if past.is_empty() {
            let none = Error::not_found(format!("set {name} has no history"));
            return Err(ctx.store.hint_at_nearest(&name, none));
        }
        sets.push((name, past));
    }
    let what = sets.iter().map(|(name, past)| past.describe(name));
    let what: Vec<_> = what.collect();
    let question = format!("{} would be deleted for good", what.join(", "));
    ctx.prompt.confirm(&ctx.out, &question)?;
    for (name, past) in &sets {
        forget(ctx, name, past)?;
    }
    if !ctx.out.is_json() {
        return Ok(());
    }
    let row = |(name, past): &(SetName, Past)| {
        let versions = past.history.as_ref().map_or(0, History::sets);
        json!({ "set": name.as_str(), "version_count": versions })
    };
    let sets: Vec<_> = sets.iter().map(row).collect();
    ctx.out.json(&json!({ "sets": sets }))
}
