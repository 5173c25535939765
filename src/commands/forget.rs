//! `jwks forget`: the history of sets is deleted for good.

use crate::context::Context;
use crate::error::{Error, Result};
use crate::keystore::SetName;
use crate::report::names::count;
use clap::Args;
use serde_json::json;

const EXAMPLES: &str = "\
Examples:
  $ jwks delete old --yes --force
  $ jwks forget old --yes";

/// Delete the history of sets for good
///
/// Deletes every earlier version of the sets, with the private keys in them. The sets themselves and the
/// log stay. The disk or a backup can still hold the deleted files.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct ForgetArgs {
    /// The sets, which need not exist any more
    #[arg(value_name = "SET", required = true)]
    sets: Vec<String>,
}

/// Runs `jwks forget`.
pub fn run(ctx: &Context, args: &ForgetArgs) -> Result<()> {
    let known = ctx.store.sets_with_history()?;
    let mut sets = Vec::new();
    for set in &args.sets {
        let name = SetName::new(set)?;
        if !known.contains(&name) {
            return Err(Error::not_found(format!("set {name} has no history")));
        }
        let history = ctx.store.whole_history(&name)?;
        let number = history.versions.len() + history.damaged.len();
        sets.push((name, number));
    }
    let what = sets.iter().map(|(name, number)| {
        let versions = count(*number, "earlier version");
        format!("{versions} of set {name}")
    });
    let what = what.collect::<Vec<_>>().join(", ");
    ctx.prompt
        .confirm(&ctx.out, &format!("{what} would be deleted for good"))?;
    for (name, number) in &sets {
        ctx.store.forget(name)?;
        let status = format!(
            "deleted {} of set {name}",
            count(*number, "earlier version")
        );
        ctx.out.status(&status);
        ctx.record_change(status);
    }
    if !ctx.out.is_json() {
        return Ok(());
    }
    let row = |(name, number): &(SetName, usize)| json!({ "set": name.as_str(), "version_count": number });
    let sets: Vec<_> = sets.iter().map(row).collect();
    ctx.out.json(&json!({ "sets": sets }))
}
