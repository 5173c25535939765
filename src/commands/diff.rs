//! `jwks diff`: what differs between a set here and on a server.

use crate::args::connection::{ConnectionArgs, split_name};
use crate::commands::shared::server::{hint_at_order, set_name};
use crate::context::Context;
use crate::error::{Error, Result};
use crate::keyset::key_name::KeyName;
use crate::keyset::push::{self, Item, KeyChange, Policy, Prune, PushPlan};
use crate::keystore::SetName;
use crate::output::{Narrow, Tone};
use crate::remote::kind::{Form, Operation};
use crate::report::json::{JsonDiffering, JsonKeyName};
use crate::report::names::list_names;
use clap::Args;
use serde::Serialize;
use std::collections::HashSet;

const EXAMPLES: &str = "\
Examples:
  $ jwks diff api prod
  $ jwks diff api prod:hydra.openid.id-token --json
  $ jwks diff issuer https://issuer.example/jwks.json --exit-code";

/// Show how a set differs from the set on a server
///
/// Keys are compared by thumbprint, and by the members that the server keeps and that a push or an
/// export sends. The order of keys is ignored, and so are members that stay in the keystore, dates that
/// the server does not have, and symmetric, unusable or expired keys that only the keystore has. An Ed25519
/// key with the older alg EdDSA on the server is the same, as `jwks push --ed25519-as-eddsa` sends it.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct DiffArgs {
    /// The set
    #[arg(value_name = "SET")]
    set: String,

    /// The remote, and the name of the set on it if it differs; or an address
    #[arg(value_name = "REMOTE[:NAME]")]
    remote: String,

    /// Exit with 8 if there is a difference
    #[arg(long)]
    exit_code: bool,

    #[command(flatten)]
    connection: ConnectionArgs,
}

#[derive(Serialize)]
struct Report {
    set: String,
    remote: String,
    remote_set: String,
    only_local: Vec<JsonKeyName<'static>>,
    only_remote: Vec<JsonKeyName<'static>>,
    differs: Vec<JsonDiffering>,
    identical: Vec<JsonKeyName<'static>>,
    /// The keys whose private part is there, where a push would send none.
    private_on_remote: Vec<JsonKeyName<'static>>,
    /// The key that signs there after a push, if the order of the keys decides it and it is another one.
    #[serde(skip_serializing_if = "Option::is_none")]
    new_signer: Option<JsonKeyName<'static>>,
}

/// Runs `jwks diff`.
pub fn run(ctx: &Context, args: &DiffArgs) -> Result<()> {
    let name = SetName::given(&args.set)?;
    let (remote, there) = split_name(&args.remote);
    let server = args.connection.open(ctx, remote).map_err(|error| {
        let right = format!("jwks diff {remote} {name}");
        hint_at_order(ctx, error, name.as_str(), &right)
    })?;
    // Only a server that signs gets private parts; other servers need no passphrase.
    let document = if server.kind.rules.signs() {
        ctx.load(&name)?
    } else {
        ctx.load_public(&name)?
    };
    let local = document.parse()?;
    let there = set_name(&server, there, Some(name.as_str()))?;
    let held = server.get(&there, Form::Private)?.unwrap_or_default();
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
    let report = report(&name, &server.name, &there, &plan);
    let differs = !report.only_local.is_empty()
        || !report.only_remote.is_empty()
        || !report.differs.is_empty();
    print(ctx, &report)?;
    if !report.private_on_remote.is_empty() {
        let keys = report.private_on_remote.iter().map(JsonKeyName::shown);
        let keys = list_names(&keys.collect::<Vec<_>>());
        ctx.out
            .status(match server.kind.require(Operation::SetSet) {
                Ok(()) => format!(
                    "a push would delete the private part of these keys on the server: {keys}"
                ),
                Err(_) => format!(
                    "{} also has the private part of these keys: {keys}",
                    server.name
                ),
            });
    }
    if plan.new_signer.is_some() && !differs {
        ctx.out
            .status("the order of the keys differs, so another key signs");
    }
    if args.exit_code && (differs || plan.new_signer.is_some()) {
        Err(Error::differs(format!(
            "set {name} differs from {there} on {}",
            server.name
        )))
    } else {
        Ok(())
    }
}

fn report(name: &SetName, remote: &str, there: &str, plan: &PushPlan) -> Report {
    let named = |name: &KeyName| JsonKeyName::from(name.clone());
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
        set: name.to_string(),
        remote: remote.to_owned(),
        remote_set: there.to_owned(),
        only_local: added.map(|item| named(&item.name)).collect(),
        only_remote: plan.gone.iter().map(named).collect(),
        differs: changed.collect(),
        identical: same.map(|item| named(&item.name)).collect(),
        private_on_remote: stripped.map(|item| named(&item.name)).collect(),
        new_signer: plan.new_signer.as_ref().map(named),
    }
}

fn print(ctx: &Context, report: &Report) -> Result<()> {
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
        rows.push(row(key, "only local", Tone::Good));
    }
    for key in &report.only_remote {
        rows.push(row(key, "only remote", Tone::Bad));
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
    ctx.out.status(format!(
        "set {} and {}:{}: {same} identical",
        report.set, report.remote, report.remote_set
    ));
    Ok(())
}
