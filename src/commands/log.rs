//! `jwks log`: what was done with the keys.

use super::report::count;
use crate::context::Context;
use crate::error::Result;
use crate::keystore::log::{Change, Verb};
use crate::output::{Narrow, Tone};
use clap::Args;

const EXAMPLES: &str = "\
Examples:
  $ jwks log
  $ jwks log api --last 20
  $ jwks log --json";

/// Show what was done with the keys, oldest first
///
/// Each key that is created, added, updated or removed has a line in the keystore's log, and so has
/// each that is printed or exported with its private part, or pushed to a server. What was done
/// on a server with --remote is there too. The log holds names and thumbprints, never a secret, and
/// no thumbprint of symmetric keys. What a set was remains when the set is gone. The log is for
/// looking back: whoever can write into the keystore can change it.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct LogArgs {
    /// The set; without it all sets
    #[arg(value_name = "SET")]
    set: Option<String>,

    /// Show the last N changes only
    #[arg(short = 'n', long, value_name = "N")]
    last: Option<usize>,
}

/// Runs `jwks log`.
pub fn run(ctx: &Context, args: &LogArgs) -> Result<()> {
    let log = ctx.store.log()?;
    if log.is_open {
        ctx.warn_open(&[log.path.display().to_string()]);
    }
    if log.damaged > 0 {
        let lines = count(log.damaged, "damaged line");
        let path = log.path.display();
        ctx.out.warn(format!("{lines} in {path} left out"));
    }
    let is_wanted = |change: &Change| args.set.as_ref().is_none_or(|set| *set == change.set);
    let changes: Vec<_> = log.changes.into_iter().filter(is_wanted).collect();
    let last = args.last.unwrap_or(changes.len());
    let changes = &changes[changes.len().saturating_sub(last)..];
    if ctx.out.is_json() {
        return ctx.out.json(&serde_json::json!({ "changes": changes }));
    }
    if changes.is_empty() {
        let of = args.set.as_ref().map(|set| format!(" of set {set}"));
        let of = of.unwrap_or_default();
        ctx.out.status(format!("no changes{of} in the log"));
        return Ok(());
    }
    print(ctx, changes)
}

fn print(ctx: &Context, changes: &[Change]) -> Result<()> {
    let mut header = vec!["TIME", "VERB", "SET", "KID"];
    if changes.iter().any(|change| more(change).is_some()) {
        header.push("MORE");
    }
    let rows = changes.iter().map(|change| {
        let text = |text: Option<String>| (text.unwrap_or_else(|| "-".into()), Tone::Plain);
        let mut row = vec![
            (change.time.clone(), Tone::Plain),
            (change.verb.name().to_owned(), tone(change.verb)),
            (change.set.clone(), Tone::Plain),
            text(change.kid.clone().or_else(|| change.thumbprint.clone())),
        ];
        if header.len() > row.len() {
            row.push(text(more(change)));
        }
        row
    });
    ctx.out.table(&header, rows.collect(), Narrow::WrapLast)
}

/// The server and the note, where there is one of them.
fn more(change: &Change) -> Option<String> {
    match (&change.remote, &change.note) {
        (Some(remote), Some(note)) => Some(format!("{remote}, {note}")),
        (one, other) => one.clone().or_else(|| other.clone()),
    }
}

fn tone(verb: Verb) -> Tone {
    match verb {
        Verb::Created | Verb::Added | Verb::Activated => Tone::Good,
        Verb::Staged => Tone::Ahead,
        Verb::Updated | Verb::Pushed => Tone::Plain,
        Verb::Retired => Tone::Faint,
        Verb::Exported => Tone::Warning,
        Verb::Removed => Tone::Bad,
    }
}
