//! `jwks push`: send sets to a server.

mod report;

use super::record::Record;
use super::report::{Whose, count, list_names, shell_word};
use super::server::{ConnectionArgs, for_each_set, set_name, split_name, until_written};
use super::signer::{Change, Keyless, Source};
use crate::context::Context;
use crate::error::{Error, Result};
use crate::keyset::merge::KeyName;
use crate::keyset::push::{self, Ed25519, Fate, Item, Plan, Policy, Private, Prune};
use crate::keystore::SetName;
use crate::keystore::log::Verb;
use crate::remote::Remote;
use crate::remote::kind::{Form, Operation, Sets};
use clap::Args;
pub(super) use report::Report;

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
    /// The set; not with --all
    #[arg(value_name = "SET", required_unless_present = "all")]
    set: Option<String>,

    /// The remote, and the name of the set there if it differs
    #[arg(value_name = "REMOTE[:NAME]", required_unless_present = "all")]
    remote: Option<String>,

    /// Send every set of the keystore to this remote
    #[arg(long, value_name = "REMOTE", conflicts_with_all = ["set", "remote", "kids"])]
    all: Option<String>,

    /// Send only this key; can be repeated
    #[arg(
        long = "kid",
        id = "kids",
        value_name = "KID",
        conflicts_with = "prune"
    )]
    #[arg(allow_hyphen_values = true)]
    kids: Vec<String>,

    /// Send no private part
    #[arg(long, conflicts_with = "private_all")]
    public: bool,

    /// Send every private part, including those of pending and retired keys
    #[arg(long)]
    private_all: bool,

    /// Delete server keys that are not in the set
    #[arg(long)]
    prune: bool,

    /// Send keys with alg Ed25519 as EdDSA, the only name that Hydra accepts
    #[arg(long)]
    ed25519_as_eddsa: bool,

    /// Send the set even if Hydra 1.x would have no private key left to sign its tokens
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
    let Some(remote) = &args.all else {
        let (name, there) = split_name(args.remote.as_deref().unwrap_or_default());
        let set = SetName::new(args.set.as_deref().unwrap_or_default())?;
        let server = args.connection.open(ctx, name)?;
        let there = set_name(&server, there, Some(set.as_str()))?;
        let report = push(ctx, args, &server, &set, &there)?;
        if ctx.out.is_json() {
            ctx.out.json(&report)?;
        }
        return report.complete();
    };
    let server = args.connection.open(ctx, remote)?;
    server.kind.require(Operation::SetSet)?;
    if server.kind.sets == Sets::One {
        let name = server.kind.name;
        return Err(Error::usage(format!(
            "{name} has one set: several would each take the place of the one before"
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
) -> Result<Report> {
    server.kind.require(Operation::SetSet)?;
    // If somebody replaced the encrypted set with a plain one, its keys must not reach the server.
    ctx.demand_encryption(name)?;
    let target = format!("{}:{there}", server.name);
    let mut shown = None;
    until_written(ctx, &target, || {
        push_once(ctx, args, server, name, there, &mut shown)
    })
}

/// Plans a push and carries it out. `shown` holds the keys that an earlier plan removes; it is an error
/// if this plan removes another one.
fn push_once(
    ctx: &Context,
    args: &PushArgs,
    server: &Remote,
    name: &SetName,
    there: &str,
    shown: &mut Option<Vec<KeyName>>,
) -> Result<Report> {
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
        prune: match args.prune {
            true => Prune::All,
            false => Prune::Nothing,
        },
        ed25519: match args.ed25519_as_eddsa {
            true => Ed25519::AsEdDsa,
            false => Ed25519::AsItIs,
        },
        issuer: server.kind.storage.issuer_of(there),
        now: ctx.now,
    };
    let storage = server.storage(&[&local, &before]);
    let mut plan = push::plan(&local, &before, &storage, policy, &ctx.checks)?;
    if !server.is_in_order() {
        plan.send_signer_again();
    }
    let target = format!("{}:{there}", server.name);
    if let Some(shown) = shown
        && let Some(other) = plan.gone.iter().find(|name| !shown.contains(name))
    {
        let kid = other.handle().unwrap_or("without a kid");
        return Err(Error::refused(format!(
            "{target} was changed meanwhile: the key {kid:?} would go away, too"
        ))
        .hint("run the command again to see what it would do now"));
    }
    *shown = Some(plan.gone.clone());
    warn_of_unsent(ctx, name, &plan);
    let changes = plan.changes();
    let report = Report::of(&plan, server, name, there, args.dry_run);
    let is_empty = plan.items.is_empty() && plan.gone.is_empty() && !local.keys.is_empty();
    if is_empty && args.all.is_none() {
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
    let keyless = match args.force {
        true => Keyless::Allow,
        false => Keyless::Refuse("push a key that signs, or pass --force to do without"),
    };
    if !changes {
        show_left_out(ctx, &plan);
        change.check_own(ctx, keyless)?;
        let words = match is_empty {
            true => format!("set {name} has no key to send"),
            false => format!("{target} has all of set {name} already: nothing sent"),
        };
        ctx.out.status(words);
        return Ok(report);
    }
    show(ctx, name, &target, &plan);
    change.check(ctx, keyless)?;
    if args.dry_run {
        ctx.out.status("nothing sent: this was a dry run");
        return Ok(report);
    }
    ctx.prompt.confirm(&ctx.out, &in_words(&target, &plan))?;
    server.put_set(there, &before, &plan.set)?;
    record(ctx, Whose::there(name.as_str(), &target), &plan);
    ctx.out.status(format!("sent set {name} to {target}"));
    Ok(report)
}

/// Warns about the keys that the server does not accept, and about key pairs that have neither use nor
/// alg and so do not sign.
pub(super) fn warn_of_unsent(ctx: &Context, name: &SetName, plan: &Plan) {
    for (key, why) in &plan.refused {
        let key = key.handle().unwrap_or("without a kid");
        ctx.out.warn(format!("{key:?} is not sent: {why}"));
    }
    for unmarked in &plan.unmarked {
        let key = unmarked.name.handle().unwrap_or("without a kid");
        let alg = unmarked.alg.map(|alg| format!(" --alg {alg}"));
        ctx.out.warn(format!(
            "{key:?} is sent public only, because it has neither use nor alg; run `jwks set {name} --kid {} --use sig{}` to let it sign",
            shell_word(key),
            alg.unwrap_or_default()
        ));
    }
}

/// Writes down what was sent, with which part, and what went away there.
pub(super) fn record(ctx: &Context, whose: Whose, plan: &Plan) {
    let sent = plan.items.iter().filter(|item| item.fate != Fate::Same);
    let (private, public): (Vec<_>, Vec<_>) = sent.partition(|item| item.private);
    let names = |items: &[&'_ Item]| -> Vec<KeyName> {
        items.iter().map(|item| item.name.clone()).collect()
    };
    let (private, public) = (names(&private), names(&public));
    let is_sent = |name: &&KeyName| private.contains(name) || public.contains(name);
    let signer = plan.new_signer.iter().filter(|name| !is_sent(name));
    Record::of(ctx, whose)
        .noted(Verb::Pushed, "private", &private)
        .noted(Verb::Pushed, "public", &public)
        .noted(Verb::Pushed, "signs there", signer)
        .noted(Verb::Removed, "pushed", &plan.gone)
        .append();
}

/// The kids, or thumbprints, of keys.
pub(super) fn handles(names: &[KeyName]) -> Vec<String> {
    let handle = |name: &KeyName| name.handle().unwrap_or("(without kid)").to_owned();
    names.iter().map(handle).collect()
}

/// What would happen to each key, one a line on standard error.
fn show(ctx: &Context, name: &SetName, target: &str, plan: &Plan) {
    ctx.out.status(format!("set {name} to {target}:"));
    for item in &plan.items {
        ctx.out.status(format!("  {}", line(item)));
    }
    for kid in handles(&plan.kept) {
        ctx.out.status(format!(
            "  {kid}: only there, stays (--prune takes it away)"
        ));
    }
    // An expired key is told of below.
    let is_here = |name: &&KeyName| plan.left_out.iter().any(|(other, _)| other == *name);
    let gone: Vec<_> = plan
        .gone
        .iter()
        .filter(|name| !is_here(name))
        .cloned()
        .collect();
    for kid in handles(&gone) {
        ctx.out.status(format!("  {kid}: only there, GOES AWAY"));
    }
    if let Some(words) = signer_in_words(plan) {
        ctx.out.status(format!("  {words}"));
    }
    show_left_out(ctx, plan);
}

fn show_left_out(ctx: &Context, plan: &Plan) {
    for (key, why) in &plan.left_out {
        let key = key.handle().unwrap_or("(without kid)");
        ctx.out.status(format!("  {key}: not sent, {why}"));
    }
}

/// What happens to a key on the server, in words.
pub(super) fn line(item: &Item) -> String {
    let kid = item.name.handle().unwrap_or("(without kid)");
    let part = match (item.private, item.was_private) {
        (true, false) => "with its PRIVATE part",
        (true, true) => "private, as it is there",
        (false, true) => "public only: its private part goes away there",
        (false, false) => "public only",
    };
    let fate = match &item.fate {
        Fate::Add => "new".into(),
        Fate::Same => "unchanged".into(),
        Fate::Change(members) => format!("changes {}", members.join(", ")),
    };
    format!("{kid} ({}): {fate}, {part}", item.alg)
}

/// Says which key signs afterwards, if the order decides it.
pub(super) fn signer_in_words(plan: &Plan) -> Option<String> {
    let kid = plan.signer.as_ref().and_then(KeyName::handle)?;
    Some(match (&plan.new_signer, &plan.old_kid) {
        (None, _) => format!("{kid} signs there as before"),
        (Some(_), None) => format!("{kid} signs there after this"),
        (Some(_), Some(old)) => format!(
            "{kid} signs there after this; it is the key {old} under another kid, so tokens carry the new kid at once"
        ),
    })
}

fn in_words(target: &str, plan: &Plan) -> String {
    let changed = plan.items.iter().filter(|item| item.fate != Fate::Same);
    let changed: Vec<_> = changed.map(line).collect();
    let mut parts = Vec::new();
    if !changed.is_empty() {
        let keys = count(changed.len(), "key");
        parts.push(format!("would get {keys}: {}", list_names(&changed)));
    }
    if !plan.gone.is_empty() {
        let (keys, private) = (count(plan.gone.len(), "key"), plan.gone_private);
        let names = list_names(&handles(&plan.gone));
        parts.push(format!(
            "would lose {keys}, {private} of them private: {names}"
        ));
    }
    parts.extend(signer_in_words(plan).filter(|_| plan.new_signer.is_some()));
    format!("{target} {}", parts.join("; "))
}
