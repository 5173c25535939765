//! `jwks push`: sends sets to a server.

use crate::args::connection::{ConnectionArgs, split_name};
use crate::commands::shared::publishing::{present, publish_delay, warn_of_caches};
use crate::commands::shared::push_report::{
    PushReport, describe_signer, handles, line, record, record_failed, warn_of_unsent,
};
use crate::commands::shared::server::{for_each_set, hint_at_order, retry_on_conflict};
use crate::commands::shared::signing_check::{Change, Keyless, Source};
use crate::commands::shared::verifiers::{refusals_by, warn};
use crate::context::Context;
use crate::error::{Error, Result};
use crate::keyset::key_name::KeyName;
use crate::keyset::push::{self, Ed25519, KeyChange, Policy, Private, Prune, PushPlan};
use crate::keystore::SetName;
use crate::remote::Remote;
use crate::remote::kind::{Form, Sets};
use crate::report::loss::describe_number;
use crate::report::names::{SetLabel, count, list_names};
use crate::source::server::set_name;
use clap::Args;
use std::collections::HashSet;

const EXAMPLES: &str = "\
Examples:
  $ jwks push api prod --yes
  $ jwks push api prod:hydra.openid.id-token --yes
  $ jwks push api prod --prune --dry-run
  $ jwks push --all prod --yes";

/// Send a set to a server
///
/// Shows what would be sent, and asks. A server that signs gets the private part of the active
/// signing keys. All other keys are sent public only, so that verifiers know a key before it signs and
/// after. Symmetric keys are sent only if --kid names them, and expired keys never. Keys that only the
/// server has stay there unless you pass --prune. If nothing has changed, nothing is sent. After a
/// write, the set is read back and compared.
///
/// If the server does not accept some of the keys, the others are sent, and push exits with 4. If the
/// server could not sign its own tokens afterwards, nothing is sent, and push exits with 4.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct PushArgs {
    /// The set; with --all, the remote
    #[arg(value_name = "SET")]
    set: String,

    /// The remote, and the name of the set on it
    #[arg(value_name = "REMOTE[:NAME]", required_unless_present = "all")]
    remote: Option<String>,

    /// Send every set of the keystore; name only the remote
    #[arg(long, conflicts_with_all = ["remote", "kids"])]
    all: bool,

    /// Send only this key; can be repeated
    #[arg(
        long = "kid",
        id = "kids",
        value_name = "KID",
        conflicts_with = "prune"
    )]
    #[arg(allow_hyphen_values = true)]
    kids: Vec<String>,

    /// Send no private keys
    #[arg(long, conflicts_with = "private_all")]
    public: bool,

    /// Send all private keys, even of pending and retired keys
    #[arg(long)]
    private_all: bool,

    /// Delete server keys that are not in the set
    #[arg(long)]
    prune: bool,

    /// Send alg Ed25519 as EdDSA, as Hydra expects it
    #[arg(long)]
    ed25519_as_eddsa: bool,

    /// Send the set even if Hydra 1.x could no longer sign
    ///
    /// Without a private key, Hydra 1.x cannot sign its tokens.
    #[arg(short, long)]
    force: bool,

    /// Show what would be sent, and send nothing
    #[arg(long)]
    dry_run: bool,

    #[command(flatten)]
    connection: ConnectionArgs,
}

/// Runs `jwks push`.
pub fn run(ctx: &Context, args: &PushArgs) -> Result<()> {
    if !args.all {
        let (name, there) = split_name(args.remote.as_deref().unwrap_or_default());
        let set = SetName::given(&args.set)?;
        let server = args.connection.open(ctx, name).map_err(|error| {
            hint_at_order(ctx, error, &args.set, &format!("jwks push {name} {set}"))
        })?;
        let there = set_name(&server, there, Some(set.as_str()))?;
        let report = push(ctx, args, &server, &set, &there)?;
        if ctx.out.is_json() {
            ctx.out.json(&report)?;
        }
        return report.complete();
    }
    let server = args.connection.open(ctx, &args.set)?;
    server.kind.require_push()?;
    if server.kind.sets == Sets::One {
        let name = server.kind.name;
        return Err(Error::usage(format!(
            "{name} has a single set: each set would replace the one before"
        ))
        .hint("push one set: jwks push SET REMOTE"));
    }
    let names = ctx.store.names()?;
    for_each_set(ctx, &names, "pushed", |name| {
        let report = push(ctx, args, &server, name, name.as_str())?;
        report.complete().map(|()| report)
    })
}

fn push(
    ctx: &Context,
    args: &PushArgs,
    server: &Remote,
    name: &SetName,
    there: &str,
) -> Result<PushReport> {
    server.kind.require_push()?;
    // If somebody replaced the encrypted set with a plain one, its keys must not reach the server.
    ctx.demand_encryption(name)?;
    let target = format!("{}:{there}", server.name);
    let mut shown = None;
    let delay = if server.kind.rules.publishes {
        publish_delay(ctx, name)?
    } else {
        0
    };
    present(server, delay);
    let pushed = retry_on_conflict(ctx, server, &target, || {
        push_once(ctx, args, server, name, there, &mut shown)
    });
    if pushed.is_ok() {
        warn_of_caches(ctx, server, delay);
    }
    pushed
}

/// Plans a push and carries it out. `shown` holds the keys that an earlier plan removes; it is an error
/// if this plan removes another one.
fn push_once(
    ctx: &Context,
    args: &PushArgs,
    server: &Remote,
    name: &SetName,
    there: &str,
    shown: &mut Option<HashSet<KeyName>>,
) -> Result<PushReport> {
    let document = ctx.load(name)?;
    let local = document.parse()?;
    for found in local.find_each(&args.kids) {
        found.map_err(|error| error.about(format!("set {name}")))?;
    }
    let before = server.get(there, Form::Private)?.unwrap_or_default();
    let private = match (args.public, args.private_all) {
        (true, _) => Private::None,
        (_, true) => Private::All,
        _ => Private::Signing,
    };
    let policy = Policy {
        private,
        only: &args.kids,
        prune: if args.prune {
            Prune::All
        } else {
            Prune::Nothing
        },
        ed25519: if args.ed25519_as_eddsa {
            Ed25519::AsEdDsa
        } else {
            Ed25519::AsItIs
        },
        issuer: server.kind.rules.issuer_of(there),
        now: ctx.now,
    };
    let rules = server.rules(&[&local, &before]);
    let mut plan = push::plan(&local, &before, &rules, policy, &ctx.checks)?;
    if !server.is_in_order() {
        plan.send_signer_again();
    }
    if !plan.changes() {
        plan.redrawn = server.redrawn(&plan.set)?;
    }
    let target = format!("{}:{there}", server.name);
    if let Some(shown) = shown
        && let Some(other) = plan.gone.iter().find(|name| !shown.contains(*name))
    {
        let kid = other.handle().unwrap_or("without a kid");
        return Err(Error::refused(format!(
            "{target} was changed meanwhile: the key {kid:?} would be deleted, too"
        ))
        .hint("run the command again to see the new plan"));
    }
    *shown = Some(plan.gone.iter().cloned().collect());
    warn_of_unsent(ctx, name, &plan);
    let changes = plan.changes();
    let report = PushReport::of(&plan, server, name, there, args.dry_run);
    let is_empty = plan.items.is_empty() && plan.gone.is_empty() && !local.keys.is_empty();
    if is_empty && !args.all {
        show_left_out(ctx, &plan);
        report.complete()?;
        return Err(Error::refused(format!("set {name} has no key to send")));
    }
    let change = Change {
        server,
        set: there,
        before: &before,
        after: &plan.set,
        source: Source::Keystore(name.as_str(), &local),
    };
    let keyless = if args.force {
        Keyless::Allow
    } else {
        Keyless::Refuse("push a signing key, or pass --force")
    };
    if !changes {
        show_left_out(ctx, &plan);
        change.check_own(ctx, keyless)?;
        let words = if is_empty {
            format!("set {name} has no key to send")
        } else {
            format!("{target} is up to date with set {name}; nothing sent")
        };
        ctx.out.status(words);
        return Ok(report);
    }
    show(ctx, name, &target, &plan);
    let declared = local.declared_verifiers();
    warn(ctx, refusals_by(ctx, &declared, &target, &plan.set));
    change.check(ctx, keyless)?;
    if args.dry_run {
        ctx.out.status("nothing sent: this was a dry run");
        return Ok(report);
    }
    let question = describe_changes(&target, &plan, ctx.prompt.asks());
    ctx.prompt.confirm(&ctx.out, &question)?;
    let whose = SetLabel::remote(name.as_str(), &target);
    let put = server.put_set(there, &before, &plan.set);
    put.inspect_err(|error| record_failed(ctx, whose, &plan, server, error))?;
    record(ctx, whose, &plan);
    ctx.out.status(format!("sent set {name} to {target}"));
    Ok(report)
}

/// Prints the planned change to each key, one per line, on standard error.
fn show(ctx: &Context, name: &SetName, target: &str, plan: &PushPlan) {
    ctx.out.status(format!("set {name} to {target}:"));
    for item in &plan.items {
        ctx.out.status(format!("  {}", line(item)));
    }
    for kid in handles(&plan.kept) {
        ctx.out.status(format!(
            "  {kid}: only on the server, kept (pass --prune to delete it)"
        ));
    }
    // Expired keys are listed separately below.
    let here: HashSet<_> = plan.left_out.iter().map(|(name, _)| name).collect();
    let gone = plan.gone.iter().filter(|name| !here.contains(name));
    let gone: Vec<_> = gone.cloned().collect();
    for kid in handles(&gone) {
        ctx.out
            .status(format!("  {kid}: only on the server, DELETED"));
    }
    if let Some(words) = describe_signer(plan) {
        ctx.out.status(format!("  {words}"));
    }
    if let Some(what) = &plan.redrawn {
        ctx.out.status(format!("  the document: changes {what}"));
    }
    show_left_out(ctx, plan);
}

fn show_left_out(ctx: &Context, plan: &PushPlan) {
    for (key, why) in &plan.left_out {
        let key = key.shown();
        ctx.out.status(format!("  {key}: not sent, {why}"));
    }
}

/// Describes what a push would change. A brief description does not name the keys, because they were
/// shown before.
fn describe_changes(target: &str, plan: &PushPlan, is_brief: bool) -> String {
    let names = |names: &[String]| {
        if is_brief {
            String::new()
        } else {
            format!(": {}", list_names(names))
        }
    };
    let changed = plan
        .items
        .iter()
        .filter(|item| item.change != KeyChange::Same);
    let changed: Vec<_> = changed.map(line).collect();
    let mut parts = Vec::new();
    if !changed.is_empty() {
        let keys = count(changed.len(), "key");
        parts.push(format!("would get {keys}{}", names(&changed)));
    }
    if let (Some(what), [], []) = (&plan.redrawn, &changed[..], &plan.gone[..]) {
        parts.push(format!("would change {what}"));
    }
    if !plan.gone.is_empty() {
        let loss = describe_number(plan.gone.len(), plan.gone_private);
        let names = names(&handles(&plan.gone));
        parts.push(format!("would {loss}{names}"));
    }
    parts.extend(describe_signer(plan).filter(|_| plan.new_signer.is_some()));
    format!("{target} {}", parts.join("; "))
}
