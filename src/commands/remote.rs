//! `jwks remote`: the named servers.

mod add;
mod describe;

use crate::args::connection::ConnectionArgs;
use crate::context::Context;
use crate::error::Result;
use crate::output::{Narrow, Tone};
use crate::remote::entry::{Entry, TOKEN};
use crate::remote::kind::{Auth, Sets};
use add::AddArgs;
use clap::{Args, Subcommand};
use describe::{can, describe_token_source, described, header_names, location, shown_address};
use serde_json::json;

const EXAMPLES: &str = "\
Examples:
  $ jwks remote add local --kind hydra --url http://127.0.0.1:4445
  $ jwks remote list
  $ jwks remote show prod
  $ jwks remote test prod";

/// Manage the named servers that hold key sets
///
/// A remote is a server with a name: its address, its kind, and where its token comes from. The token
/// itself is never stored.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct RemoteArgs {
    #[command(subcommand)]
    command: RemoteCommand,
}

#[derive(Debug, Subcommand)]
enum RemoteCommand {
    Add(Box<AddArgs>),
    List(ListArgs),
    Show(ShowArgs),
    Test(TestArgs),
    Remove(RemoveArgs),
}

/// List the remotes
#[derive(Debug, Args)]
#[command(visible_alias = "ls")]
struct ListArgs {}

/// Show a remote, and where its token comes from
#[derive(Debug, Args)]
struct ShowArgs {
    /// The remote
    #[arg(value_name = "REMOTE")]
    remote: String,
}

/// Test a remote with one harmless call
#[derive(Debug, Args)]
struct TestArgs {
    /// The remote, or an address
    #[arg(value_name = "REMOTE")]
    remote: String,

    /// Also find out whether the server honors conditional writes
    ///
    /// The published document is written as it is, under a condition that never holds.
    #[arg(long)]
    probe: bool,

    #[command(flatten)]
    connection: ConnectionArgs,
}

/// Remove a remote; its server is left alone
#[derive(Debug, Args)]
#[command(visible_alias = "rm")]
struct RemoveArgs {
    /// The remote
    #[arg(value_name = "REMOTE")]
    remote: String,
}

/// Runs `jwks remote`.
pub fn run(ctx: &Context, args: &RemoteArgs) -> Result<()> {
    match &args.command {
        RemoteCommand::Add(args) => add::add(ctx, args),
        RemoteCommand::List(_) => list(ctx),
        RemoteCommand::Show(args) => show(ctx, args),
        RemoteCommand::Test(args) => test(ctx, args),
        RemoteCommand::Remove(args) => remove(ctx, args),
    }
}

fn list(ctx: &Context) -> Result<()> {
    ctx.warn_open_remotes();
    let entries = ctx.remotes.entries()?;
    if ctx.out.is_json() {
        let entries: Result<Vec<_>> = entries.iter().map(described).collect();
        return ctx.out.json(&json!({ "remotes": entries? }));
    }
    if entries.is_empty() {
        ctx.out
            .status("no remotes; run `jwks remote add NAME --kind KIND` to add one");
        return Ok(());
    }
    let row = |entry: &Entry| {
        let token = entry.kind().map(|kind| describe_token_source(entry, kind));
        let token = token.unwrap_or_else(|_| "-".into());
        let cells = [
            entry.name.clone(),
            entry.kind.clone(),
            location(entry),
            token,
        ];
        cells.map(|text| (text, Tone::Plain)).to_vec()
    };
    let header = ["REMOTE", "KIND", "WHERE", "TOKEN"];
    ctx.out
        .table(&header, entries.iter().map(row).collect(), Narrow::WrapLast)
}

fn show(ctx: &Context, args: &ShowArgs) -> Result<()> {
    let entry = ctx.remote(&args.remote)?;
    if ctx.out.is_json() {
        return ctx.out.json(&described(&entry)?);
    }
    let kind = entry.kind()?;
    let mut rows = vec![
        ("name", entry.name.clone()),
        ("kind", format!("{}: {}", kind.name, kind.about)),
    ];
    for (name, value) in entry.location.settings() {
        let value = match name {
            "--url" | "--issuer" | "--endpoint" | "--read-url" => shown_address(value),
            _ => value.to_owned(),
        };
        rows.push((name.trim_start_matches('-'), value));
    }
    rows.push(("token", describe_token_source(&entry, kind)));
    let in_header = entry.headers.iter().any(|header| header.contains(TOKEN));
    let has_token = entry.token_source().is_some() || kind.auth == Auth::Required;
    if has_token && !in_header && !entry.has_secret_address() {
        rows.push(("sent as", kind.token.to_owned()));
    }
    for header in header_names(&entry) {
        rows.push(("header", header.to_owned()));
    }
    let files = [
        ("cacert", &entry.cacert),
        ("cert", &entry.cert),
        ("key", &entry.key),
    ];
    for (name, file) in files {
        if let Some(file) = file {
            rows.push((name, file.display().to_string()));
        }
    }
    rows.push(("can", can(kind).join(", ")));
    print(ctx, rows)
}

fn print(ctx: &Context, rows: Vec<(&str, String)>) -> Result<()> {
    let rows = rows
        .into_iter()
        .map(|(name, value)| vec![(name.to_owned(), Tone::Faint), (value, Tone::Plain)]);
    ctx.out
        .table(&["WHAT", "VALUE"], rows.collect(), Narrow::WrapLast)
}

fn test(ctx: &Context, args: &TestArgs) -> Result<()> {
    let server = args.connection.open(ctx, &args.remote)?;
    let found = server.test()?;
    let conditions = args.probe.then(|| server.honors_conditions()).transpose()?;
    let token = match (&server.token_source, server.identity()) {
        (Some(source), _) => format!("a token from {source}"),
        (None, Some(identity)) => identity,
        (None, None) => "no token".into(),
    };
    let sets = match server.kind.sets {
        Sets::Named => "any number, by name",
        Sets::One => "one",
    };
    if ctx.out.is_json() {
        let mut report = json!({
            "remote": server.name, "kind": server.kind.name, "address": server.address(),
            "found": found, "can": can(server.kind),
        });
        if let Some(source) = &server.token_source {
            report["token"] = json!(source);
        } else if let Some(identity) = server.identity() {
            report["identity"] = json!(identity);
        }
        if let Some(honored) = conditions {
            report["honors_conditions"] = json!(honored);
        }
        return ctx.out.json(&report);
    }
    let mut rows = vec![
        ("remote", server.name.clone()),
        ("kind", server.kind.name.into()),
        ("address", server.address()),
        ("found", found),
        ("authenticated by", token),
        ("sets", sets.into()),
    ];
    if server.kind.rules.publishes {
        let conditions = match conditions {
            Some(true) => "honored",
            Some(false) => "ignored: a write of somebody else at the same moment can be lost",
            None => "not tested; pass --probe",
        };
        rows.push(("conditions", conditions.to_owned()));
    }
    rows.push(("can", can(server.kind).join(", ")));
    print(ctx, rows)
}

fn remove(ctx: &Context, args: &RemoveArgs) -> Result<()> {
    ctx.remotes.remove(&args.remote)?;
    ctx.record_change(format!("removed remote {}", args.remote));
    ctx.out.status(format!("removed remote {}", args.remote));
    if ctx.out.is_json() {
        ctx.out.json(&json!({ "remote": args.remote }))
    } else {
        Ok(())
    }
}
