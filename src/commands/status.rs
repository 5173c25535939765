//! `jwks status`: shows what each set needs, without a call to a server.

mod delivered;
mod lines;
mod problem;
mod prometheus;
mod set;
mod table;

use crate::commands::shared::output_file::{refuse_in_keystore, temporary_name};
use crate::context::Context;
use crate::error::{Error, Result};
use crate::files::{self, Access, Existing};
use crate::keystore::{Schedules, SetName};
use crate::report::names::{count, list_names};
use clap::{Args, ValueHint};
use set::SetStatus;
use std::collections::BTreeSet;
use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};

const EXAMPLES: &str = "\
Examples:
  $ jwks status
  $ jwks status api --json
  $ jwks status --prometheus -o jwks.prom";

/// Show what each set needs
///
/// Shows the key that signs in each line and its age, the next change, the last delivery to each target of the
/// schedule, and the last reading of each published address. Lists the problems that need a person, and then
/// exits with 8: an overdue rotation, a line without a signing key, a key that waits too long for its publication,
/// expired keys, a target, hook or address that failed, an address that serves other keys or lets caches keep
/// the set for longer than the publish delay, a certificate that ends, and a set that cannot be read.
///
/// Works offline, and without the passphrase of an encrypted set. A rotation is overdue if it has been due
/// for the publish delay, and for at least an hour.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct StatusArgs {
    /// The sets [default: all]
    #[arg(value_name = "SET", id = "sets")]
    sets: Vec<String>,

    /// Print metrics for Prometheus
    ///
    /// The text format is that of the textfile collector of node_exporter.
    #[arg(long)]
    prometheus: bool,

    /// Write to a file; - is standard output
    #[arg(short, long, requires = "prometheus", value_name = "FILE")]
    #[arg(value_hint = ValueHint::FilePath)]
    output: Option<PathBuf>,

    /// Overwrite an existing file, whatever its content
    #[arg(short, long, requires = "output")]
    force: bool,
}

/// Runs `jwks status`.
pub fn run(ctx: &Context, args: &StatusArgs) -> Result<()> {
    if args.prometheus && ctx.out.is_json() {
        return Err(
            Error::usage("--prometheus cannot be used with --json").hint("leave one of them out")
        );
    }
    let names = names(ctx, args)?;
    let schedules = ctx.store.schedules();
    let schedules: Result<&Schedules, String> = match &schedules {
        Ok(schedules) => Ok(schedules),
        Err(error) => Err(format!("cannot read the schedules: {error}")),
    };
    let sets = names
        .iter()
        .map(|name| SetStatus::of(ctx, name, &schedules));
    let sets: Vec<_> = sets.collect();
    let plain = sets
        .iter()
        .filter(|set| !set.encrypted && set.error.is_none());
    let plain: Vec<_> = plain.map(|set| set.set.as_str()).collect();
    let accepted = ctx.accept_plain(&plain);
    if args.prometheus {
        write(ctx, args, &prometheus::metrics(&sets, ctx.now))?;
    } else if ctx.out.is_json() {
        ctx.out
            .json(&serde_json::json!({ "now": ctx.now, "sets": sets }))?;
    } else {
        table::print(ctx, &sets)?;
    }
    accepted?;
    let problems: usize = sets.iter().map(|set| set.problems.len()).sum();
    if sets.is_empty() {
        let store = ctx.store.shown();
        ctx.out.status(format!(
            "no sets in {store}; run `jwks create SET` to create one"
        ));
        return Ok(());
    }
    if problems == 0 {
        let sets = count(sets.len(), "set");
        ctx.out.status(format!("{sets}, no problems"));
        return Ok(());
    }
    let concerned = sets.iter().filter(|set| !set.problems.is_empty());
    let concerned: Vec<_> = concerned.map(|set| set.set.as_str()).collect();
    let problems = count(problems, "problem");
    Err(Error::differs(format!(
        "{problems} in {}",
        list_names(&concerned)
    )))
}

/// Returns the given sets, each once, or else all sets. Returns an error if a given set does not exist.
fn names(ctx: &Context, args: &StatusArgs) -> Result<Vec<SetName>> {
    if args.sets.is_empty() {
        return ctx.store.names();
    }
    let mut names = Vec::new();
    let mut seen = BTreeSet::new();
    for name in &args.sets {
        let name = SetName::given(name)?;
        if !ctx.store.contains(&name)? {
            // This is the error for a set that does not exist.
            ctx.store.load(&name)?;
        }
        if seen.insert(name.to_string()) {
            names.push(name);
        }
    }
    Ok(names)
}

/// Writes metrics to the file or to standard output. A reader never sees a part of the file.
fn write(ctx: &Context, args: &StatusArgs, metrics: &str) -> Result<()> {
    let path = match args.output.as_deref() {
        Some(path) if path.as_os_str() != "-" => path,
        _ => return ctx.out.octets(metrics.as_bytes()),
    };
    refuse_in_keystore(ctx, path)?;
    if !args.force && !may_be_overwritten(path) {
        let message = format!("{} exists and has no metrics of jwks", path.display());
        return Err(
            Error::refused(message).hint("choose another file, or overwrite it with --force")
        );
    }
    let temporary = temporary_name(path);
    let octets = metrics.as_bytes();
    files::write(path, octets, Access::Shared, Existing::Replace, &temporary)?
}

/// Returns true if the file does not exist, or has metrics of an earlier run.
fn may_be_overwritten(path: &Path) -> bool {
    match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.is_file() => {}
        // The file does not exist, or it is not a regular file, which the write refuses anyway.
        _ => return true,
    }
    let mut beginning = Vec::new();
    let read =
        files::open_to_read(path).and_then(|file| file.take(200).read_to_end(&mut beginning));
    read.is_ok() && beginning.starts_with(prometheus::BEGINNING.as_bytes())
}
