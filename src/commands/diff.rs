//! `jwks diff`: compares a set with a set on a server, or with another set or file.

use crate::args::connection::split_name;
use crate::args::source::SourceArgs;
use crate::commands::shared::server::hint_at_order;
use crate::context::Context;
use crate::error::{Error, Result};
use crate::keyset::diff::{Comparison, compare};
use crate::keyset::key_name::KeyName;
use crate::keyset::push::{self, Item, KeyChange, Policy, Prune, PushPlan};
use crate::output::{Narrow, Tone};
use crate::remote::kind::Form;
use crate::remote::{Remote, is_address};
use crate::report::json::{JsonDiffering, JsonKeyName};
use crate::report::names::{list_names, shell_word};
use crate::source::document::STANDARD_INPUT;
use crate::source::server::set_name;
use crate::source::target::{self, Access, Source, Target};
use clap::Args;
use serde::Serialize;
use std::collections::HashSet;
use std::path::Path;

const EXAMPLES: &str = "\
Examples:
  $ jwks diff api prod
  $ jwks diff api prod:hydra.openid.id-token --json
  $ jwks diff issuer https://issuer.example/jwks.json --exit-code
  $ jwks diff other.json jwks.json";

/// Compare two sets, such as a local set and the set on a server
///
/// Keys are compared by thumbprint, and by the members that the server keeps and that a push or an
/// export sends. The order of keys counts only if it decides which key signs on the server. Members
/// that stay in the keystore, dates that the server does not have, and symmetric, unusable or expired
/// keys that only the keystore has are ignored. An Ed25519 key that has the older alg EdDSA on the
/// server counts as identical, because `jwks push --ed25519-as-eddsa` sends it so.
///
/// Two sets or files are compared with all their keys. If only one of them has the private part of a
/// key, the public parts are compared. Dates that one of them lacks are ignored.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct DiffArgs {
    /// A set, a file, an address, or - for standard input
    ///
    /// A word without a slash is a SET. If there is none and it ends in the suffix of a key file, such
    /// as .pem, it is a file. Write ./FILE for any file. A remote comes second.
    #[arg(value_name = "SET|FILE|URL")]
    target: String,

    /// A remote, an address, a set or a file
    ///
    /// NAME is the name of the set on the remote, if it differs. If a remote and a set have the same
    /// name, the remote is meant.
    #[arg(value_name = "REMOTE[:NAME]|SET|FILE")]
    other: String,

    /// Exit with 8 if there is a difference
    #[arg(long)]
    exit_code: bool,

    #[command(flatten)]
    source: SourceArgs,
}

#[derive(Serialize)]
struct Report {
    set: String,
    /// The remote, the address or the file; absent for a set of the keystore.
    #[serde(skip_serializing_if = "Option::is_none")]
    remote: Option<String>,
    remote_set: String,
    only_local: Vec<JsonKeyName<'static>>,
    only_remote: Vec<JsonKeyName<'static>>,
    differs: Vec<JsonDiffering>,
    identical: Vec<JsonKeyName<'static>>,
    /// The keys whose private part is on the server, although a push would not send it.
    private_on_remote: Vec<JsonKeyName<'static>>,
    /// The key that will sign on the server after a push, if the order of the keys decides that and
    /// another key signs now.
    #[serde(skip_serializing_if = "Option::is_none")]
    new_signer: Option<JsonKeyName<'static>>,
}

/// Runs `jwks diff`.
pub fn run(ctx: &Context, args: &DiffArgs) -> Result<()> {
    match split_name(&args.other) {
        (remote, there) if is_server(ctx, &args.other)? => {
            let server = args.source.connection.open(ctx, remote);
            let server = server.map_err(|error| {
                let right = format!("jwks diff {remote} {}", args.target);
                hint_at_order(ctx, error, &args.target, &right)
            })?;
            with_server(ctx, args, &server, there)
        }
        _ => with_source(ctx, args),
    }
}

/// Returns true if the other side is on a server: an address or a remote. A name that is neither an
/// existing set nor a file counts as a remote, too.
fn is_server(ctx: &Context, other: &str) -> Result<bool> {
    if is_address(other) {
        return Ok(true);
    }
    let (remote, _) = split_name(other);
    if ctx
        .remotes
        .entries()?
        .iter()
        .any(|entry| entry.name == remote)
    {
        return Ok(true);
    }
    Ok(match Target::of(ctx, other)? {
        Target::Set(name) => !ctx.store.contains(&name)?,
        Target::Remote(..) => true,
        // A word such as host:8080 is an address without a scheme, and not a file.
        Target::Document(path) => {
            path != STANDARD_INPUT && path.contains(':') && !Path::new(path).exists()
        }
    })
}

fn read(ctx: &Context, args: &DiffArgs, target: &str, access: Access<'_>) -> Result<Source> {
    let SourceArgs {
        password,
        connection,
    } = &args.source;
    target::read(ctx, target, access, password, connection)
}

fn with_server(ctx: &Context, args: &DiffArgs, server: &Remote, there: Option<&str>) -> Result<()> {
    // Only a server that signs gets private parts; other servers need no passphrase.
    let access = if server.kind.rules.signs() {
        Access::Whole
    } else {
        Access::Public
    };
    let source = read(ctx, args, &args.target, access)?;
    let local = source.set()?;
    let there = set_name(server, there, Some(&source.name))?;
    let held = if is_address(&args.other) {
        // At an address, keys can be inside another document, as in a file.
        let document = read(ctx, args, &args.other, Access::Listing)?;
        document.set()?.into_owned().into_owned()
    } else {
        server.get(&there, Form::Private)?.unwrap_or_default()
    };
    let rules = &server.rules(&[&local, &held]);
    let held = local.to_compare(&held, rules);
    let policy = Policy {
        prune: Prune::All,
        issuer: server.kind.rules.issuer_of(&there),
        now: ctx.now,
        ..Policy::default()
    };
    let plan = push::plan(&local, &held, rules, policy, &ctx.checks)?;
    let shown: HashSet<_> = plan.gone.iter().map(|gone| &gone.thumbprint).collect();
    let is_shown = |key: &KeyName| shown.contains(&key.thumbprint);
    for (key, why) in plan.left_out.iter().filter(|(key, _)| !is_shown(key)) {
        let key = key.shown();
        ctx.out.status(format!("not compared: {key}, {why}"));
    }
    for (key, why) in &plan.refused {
        let key = key.shown();
        ctx.out.warn(format!("not compared: {key}: {why}"));
    }
    if held.keys.is_empty() {
        let remote = &server.name;
        ctx.out.status(format!(
            "set {there} on {remote} does not exist or is empty"
        ));
    }
    let report = report_of_plan(&source.name, &server.name, &there, &plan);
    let remote = format!("{}:{there}", server.name);
    print(
        ctx,
        &report,
        ["only local", "only remote"],
        [&source.title, &remote],
    )?;
    if !report.private_on_remote.is_empty() {
        let keys = shown_names(&report.private_on_remote);
        ctx.out.status(match server.kind.require_push() {
            Ok(()) => {
                format!("a push would delete the private part of these keys on the server: {keys}")
            }
            Err(_) => format!(
                "{} also has the private part of these keys: {keys}",
                server.name
            ),
        });
    }
    if plan.new_signer.is_some() && !report.differs() {
        ctx.out
            .status("the order of the keys differs, so another key signs");
    }
    if args.exit_code && (report.differs() || plan.new_signer.is_some()) {
        Err(Error::differs(format!(
            "{} differs from {there} on {}",
            source.title, server.name
        )))
    } else {
        Ok(())
    }
}

/// Compares two sets or files. Returns an error for a remote that comes first, because the rules of a
/// server apply only to the second set.
fn with_source(ctx: &Context, args: &DiffArgs) -> Result<()> {
    let (target, other) = (&args.target, &args.other);
    if let Target::Remote(..) = Target::of(ctx, target)? {
        let message = format!("{target} is a remote, which comes second");
        return Err(Error::usage(message).hint(format!(
            "did you mean `jwks diff {} {target}`?",
            shell_word(other)
        )));
    }
    let access = Access::PublicHeader(None);
    let [one, other] = [
        read(ctx, args, target, access)?,
        read(ctx, args, other, access)?,
    ];
    let comparison = compare(&*one.set()?, &*other.set()?, &ctx.checks);
    let report = report_of_comparison(&one, &other, comparison);
    let only = [&one, &other].map(|source| format!("only in {}", source.title));
    print(
        ctx,
        &report,
        [&only[0], &only[1]],
        [&one.title, &other.title],
    )?;
    if !report.private_on_remote.is_empty() {
        let keys = shown_names(&report.private_on_remote);
        ctx.out.status(format!(
            "{} also has the private part of these keys: {keys}",
            other.title
        ));
    }
    if args.exit_code && report.differs() {
        let message = format!("{} differs from {}", one.title, other.title);
        return Err(Error::differs(message));
    }
    Ok(())
}

fn shown_names(keys: &[JsonKeyName]) -> String {
    list_names(&keys.iter().map(JsonKeyName::shown).collect::<Vec<_>>())
}

impl Report {
    fn differs(&self) -> bool {
        !self.only_local.is_empty() || !self.only_remote.is_empty() || !self.differs.is_empty()
    }
}

fn named(name: &KeyName) -> JsonKeyName<'static> {
    JsonKeyName::from(name.clone())
}

fn report_of_plan(name: &str, remote: &str, there: &str, plan: &PushPlan) -> Report {
    let added = plan
        .items
        .iter()
        .filter(|item| item.change == KeyChange::Add);
    let changed = plan.items.iter().filter_map(|item| match &item.change {
        KeyChange::Change(members) if !item.only_strips => Some(JsonDiffering {
            key: named(&item.name),
            members: members.clone(),
        }),
        _ => None,
    });
    // A key also counts as the same if a push would only delete its private part on the server.
    let is_same = |item: &&Item| item.change == KeyChange::Same || item.only_strips;
    let same = plan.items.iter().filter(is_same);
    let stripped = plan.items.iter().filter(|item| item.only_strips);
    Report {
        set: name.to_owned(),
        remote: Some(remote.to_owned()),
        remote_set: there.to_owned(),
        only_local: added.map(|item| named(&item.name)).collect(),
        only_remote: plan.gone.iter().map(named).collect(),
        differs: changed.collect(),
        identical: same.map(|item| named(&item.name)).collect(),
        private_on_remote: stripped.map(|item| named(&item.name)).collect(),
        new_signer: plan.new_signer.as_ref().map(named),
    }
}

fn report_of_comparison(one: &Source, other: &Source, comparison: Comparison) -> Report {
    let names = |names: Vec<KeyName>| names.into_iter().map(JsonKeyName::from).collect();
    let differs = comparison.differs.into_iter();
    let differs = differs.map(|(key, members)| JsonDiffering {
        key: key.into(),
        members,
    });
    let (remote, remote_set) = match other.label() {
        Some(label) => (None, label.set.to_owned()),
        None => (Some(other.name.clone()), "jwks".to_owned()),
    };
    Report {
        set: one.name.clone(),
        remote,
        remote_set,
        only_local: names(comparison.only_one),
        only_remote: names(comparison.only_other),
        differs: differs.collect(),
        identical: names(comparison.same),
        private_on_remote: names(comparison.private_in_other),
        new_signer: None,
    }
}

/// Prints a report. `only` says for each side where a key is that the other side lacks, and `sides` names
/// the two sides.
fn print(ctx: &Context, report: &Report, only: [&str; 2], sides: [&str; 2]) -> Result<()> {
    if ctx.out.is_json() {
        return ctx.out.json(report);
    }
    let row = |key: &JsonKeyName, what: &str, tone: Tone| {
        vec![
            (what.to_owned(), tone),
            (key.handle().unwrap_or("-").to_owned(), Tone::Plain),
        ]
    };
    let mut rows = Vec::new();
    for key in &report.only_local {
        rows.push(row(key, only[0], Tone::Good));
    }
    for key in &report.only_remote {
        rows.push(row(key, only[1], Tone::Bad));
    }
    for differing in &report.differs {
        let members = differing.members.join(", ");
        rows.push(row(
            &differing.key,
            &format!("differs in {members}"),
            Tone::Warning,
        ));
    }
    if !rows.is_empty() {
        ctx.out.table(&["WHAT", "KID"], rows, Narrow::WrapLast)?;
    }
    let same = report.identical.len();
    let [one, other] = sides;
    ctx.out
        .status(format!("{one} and {other}: {same} identical"));
    Ok(())
}
