//! `jwks rotate`: rotate keys on schedule.

mod caches;
mod delivery;
mod failures;
mod hooks;
mod ledger;
mod observation;
mod report;
mod schedules;
mod server;
mod target_file;

use crate::args::connection::ConnectionArgs;
use crate::args::schedule::ScheduleArgs;
use crate::commands::shared::verifiers::{refusals, warn};
use crate::context::Context;
use crate::error::{Error, Result};
use crate::key::members::Members;
use crate::keyset::KeySet;
use crate::keyset::key_name::{KeyName, quote};
use crate::keyset::rotate::{self, Policy, Rotated, RotationPlan, Template};
use crate::keystore::log::{COMPROMISED, Verb};
use crate::keystore::{IfMissing, Schedules, SetName};
use crate::report::log_entry::Record;
use crate::report::names::{SetLabel, count, list_names};
use clap::{ArgGroup, Args};
use delivery::Delivery;
use failures::Failures;
use report::RotationReport;
use schedules::{every_set, forget, saved_schedule, schedules};
use server::Servers;
use std::collections::BTreeSet;

const EXAMPLES: &str = "\
Examples:
  $ jwks rotate api --every 30d --publish-delay 1h --retire-after 24h
  $ jwks rotate api --every 30d --save && jwks rotate --all
  $ jwks rotate api --every 30d --dry-run
  $ jwks rotate api --force
  $ jwks rotate api --alg RS256 --size 3072 --line ES256
  $ jwks rotate api --compromised first
  $ jwks rotate api --every 30d --push prod";

/// Rotate keys on schedule
///
/// Replaces the signing key of each line (the keys with the same use and algorithm). A new key is staged
/// first, so that verifiers know it before it signs. The old key stays published until its last token has
/// expired. Run this as often as you like, from cron or a pipeline: the dates of the keys decide what to
/// do, and usually there is nothing to do. jwks asks no questions. Only keys with their private part are
/// rotated; public-only and invalid keys are left alone. A minute is added to the publish delay and to the
/// end of each key, because clocks can differ.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
#[command(group = ArgGroup::new("which").args(["sets", "all"]).required(true))]
pub struct RotateArgs {
    /// The sets
    #[arg(value_name = "SET", id = "sets")]
    sets: Vec<String>,

    /// Rotate all sets with a saved schedule
    ///
    /// With --every, sets without a schedule are rotated, too.
    #[arg(long)]
    all: bool,

    /// Save these options as the schedule of the set
    #[arg(long)]
    save: bool,

    /// Delete the schedule of the set and its record of deliveries, and rotate nothing
    #[arg(long, conflicts_with_all = ["save", "force", "compromised", "dry_run", "every"])]
    forget: bool,

    /// Stage a new key now, regardless of the schedule
    #[arg(short, long)]
    force: bool,

    /// Remove this key at once; can be repeated
    ///
    /// If the key signs, a new key signs immediately.
    #[arg(
        long,
        value_name = "KID",
        conflicts_with = "all",
        allow_hyphen_values = true
    )]
    compromised: Vec<String>,

    /// Show what would be done, and change nothing
    #[arg(long)]
    dry_run: bool,

    /// Exit with 8 if something would be done
    #[arg(long, requires = "dry_run")]
    exit_code: bool,

    #[command(flatten)]
    schedule: ScheduleArgs,

    #[command(flatten)]
    connection: ConnectionArgs,
}

/// Runs `jwks rotate`.
pub fn run(ctx: &Context, args: &RotateArgs) -> Result<()> {
    let schedules = schedules(ctx, args)?;
    let names = if args.all {
        every_set(ctx, args, &schedules)?
    } else {
        let names = args.sets.iter().map(|name| SetName::given(name));
        let mut names = names.collect::<Result<Vec<_>>>()?;
        // A set that is named twice is rotated once.
        let mut seen = BTreeSet::new();
        names.retain(|name| seen.insert(name.to_string()));
        names
    };
    if names.len() > 1 && !args.compromised.is_empty() {
        return Err(Error::usage("--compromised requires a single SET"));
    }
    if args.forget {
        return forget(ctx, &names, &schedules);
    }
    let servers = Servers::new(ctx, args);
    let (mut reports, mut failures) = (Vec::new(), Vec::new());
    for name in &names {
        let mut report = RotationReport::new(name, args.dry_run);
        if let Err(error) = rotate_set(ctx, args, &schedules, &servers, name, &mut report) {
            report.fail(&error);
            failures.push((name, error));
        }
        reports.push(report);
    }
    report::finish(ctx, &reports, args.all)?;
    if let [(_, error)] = &mut failures[..]
        && names.len() == 1
    {
        return Err(std::mem::replace(error, Error::failed("")));
    }
    if let Some((_, first)) = failures.first() {
        let kind = first.kind();
        let failed: Vec<_> = failures.iter().map(|(name, _)| name.as_str()).collect();
        let number = count(failed.len(), "set");
        let summary = format!("{number} not completed: {}", list_names(&failed));
        for (name, error) in failures {
            ctx.out.error(&error.about(format!("set {name}")));
        }
        return Err(Error::of(kind, summary));
    }
    if args.exit_code && reports.iter().any(RotationReport::is_due) {
        Err(Error::differs("a rotation is due"))
    } else {
        Ok(())
    }
}

fn rotate_set(
    ctx: &Context,
    args: &RotateArgs,
    schedules: &Schedules,
    servers: &Servers,
    name: &SetName,
    report: &mut RotationReport,
) -> Result<()> {
    let about = |error: Error| error.about(format!("set {name}"));
    // Decrypt the set even if there is nothing to do: that shows that the given passphrase is right.
    if args.dry_run || !ctx.demands_encryption() {
        ctx.demand_encryption(name)?
    } else {
        drop(ctx.protection(name)?)
    }
    if !ctx.store.contains(name)? {
        // This is an error, and no record begins.
        ctx.load_public(name)?;
    }
    let saved = saved_schedule(ctx, args, schedules, name)?;
    let saved = saved.unwrap_or_default();
    let options = args.schedule.over(saved.clone());
    let schedule = options.schedule()?;
    refuse_files_of_a_server(ctx, &options)?;
    let is_asked = args.force || !args.compromised.is_empty() || options.asks_for_another_key();
    if schedule.every.is_none() && !is_asked {
        return Err(Error::not_found(format!("set {name} has no schedule"))
            .names(format!("set {name}"))
            .hint("pass --every 30d, and --save to keep it as the schedule"));
    }
    let mut delivery = Delivery::open(ctx, args, servers, (&options, &saved), name)?;
    // The public part is enough to see whether there is anything to do.
    let document = ctx.load_public(name)?;
    let set = document.parse()?;
    let is_emergency = !args.compromised.is_empty();
    delivery.look(&set, &args.connection, is_emergency);
    let (signing, signed) = (delivery.signing(), delivery.signed());
    let publication = delivery.publication();
    let settled = Policy {
        signing: &signing,
        signed: &signed,
        publication: publication.as_ref(),
        ..options.policy(schedule, ctx.now)
    };
    let states = delivery.states();
    let policy = Policy {
        force: args.force,
        compromised: &args.compromised,
        servers: &states,
        keep_expired: delivery.has_targets(),
        ..settled
    };
    let plan = rotate::plan(&set, &policy).map_err(about)?;
    report.next_change = plan.next_change;
    warn_of_invalid_keys(ctx, name, &set, &plan);
    if args.dry_run {
        delivery.check()?;
        report.plan(ctx, &set, &plan);
        if !plan.is_empty() {
            return Ok(());
        }
        delivery.show(report)?;
        delivery.tell_waiting(report)?;
        return report.complete_pushes();
    }
    delivery.warn_of_caches(&set, schedule);
    if !plan.is_empty() {
        // Ask for the passphrase before the schedule is saved: if it is missing, nothing changes.
        ctx.protection(name)?;
    }
    if args.save {
        delivery.check()?;
        let options = options.absolute()?.to_json();
        ctx.store.save_schedule(name, Some(options))?;
        let status = format!("{name}: its schedule is saved");
        ctx.out.status(&status);
        ctx.record_change(status);
    }
    delivery.begin(!plan.is_empty())?;
    if !plan.is_empty() {
        change(ctx, name, &plan, &policy, report)?;
    }
    let has_targets = delivery.has_targets();
    let delivered = delivery.deliver(report);
    let mut failures = Failures::default();
    if has_targets && delivered.is_ok() && !report.waits() {
        // No target has the expired keys any more, so they can be removed here, too.
        failures.note(remove_expired(ctx, name, &settled, report));
    }
    for result in [
        delivered,
        delivery.tell_waiting(report),
        delivery.note_signers(report),
        delivery.run_hooks(report),
        report.complete_pushes(),
    ] {
        failures.note(result);
    }
    failures.first(ctx)
}

fn remove_expired(
    ctx: &Context,
    name: &SetName,
    policy: &Policy,
    report: &mut RotationReport,
) -> Result<()> {
    let document = ctx.load_public(name)?;
    let plan = rotate::plan(&document.parse()?, policy);
    let plan = plan.map_err(|error| error.about(format!("set {name}")))?;
    if plan.is_empty() {
        return Ok(());
    }
    change(ctx, name, &plan, policy, report)
}

/// Refuses a schedule that writes files if the keystore is on a server. A path names another file on each
/// machine, and the record of deliveries would say of all of them what one machine has done.
fn refuse_files_of_a_server(ctx: &Context, options: &ScheduleArgs) -> Result<()> {
    if options.export.is_empty() || ctx.store.directory().is_some() {
        return Ok(());
    }
    let store = ctx.store.shown();
    Err(Error::refused(format!("--export cannot be in a rotation of {store}, because the file is on one machine"))
        .hint("run `jwks export SET -o FILE` after the rotation, or deliver the set with --push or --hook"))
}

/// Applies a plan in one change of the set, and reports it. The plan is made again under the lock,
/// because the set can have changed.
fn change(
    ctx: &Context,
    name: &SetName,
    plan: &RotationPlan,
    policy: &Policy,
    report: &mut RotationReport,
) -> Result<()> {
    let about = |error: Error| error.about(format!("set {name}"));
    // Generate before taking the lock, so that other processes do not wait for slow keys.
    let stock = generate(ctx, plan).map_err(about)?;
    let (rotated, refused, next_change) = ctx.change(name, IfMissing::Fail, |set| {
        let plan = rotate::plan(set, policy).map_err(about)?;
        let mut stock = stock.clone();
        let rotated = plan.apply(set, ctx.now, |template| {
            let made = stock.iter().position(|(other, _)| other == template);
            match made {
                Some(made) => Ok(stock.swap_remove(made).1),
                None => plan.generate(template),
            }
        });
        let rotated = rotated.map_err(about)?;
        let has_new = !rotated.staged.is_empty() || !rotated.activated.is_empty();
        let refused = if has_new {
            refusals(ctx, name.as_str(), set)
        } else {
            Vec::new()
        };
        Ok((rotated, refused, plan.next_change))
    })?;
    warn(ctx, refused);
    record(ctx, name, &rotated, policy);
    report.next_change = next_change;
    report.add(ctx, &rotated, policy);
    Ok(())
}

fn generate(ctx: &Context, plan: &RotationPlan) -> Result<Vec<(Template, Members<'static>)>> {
    let is_slow = plan.new.iter().any(|new| new.template.is_slow());
    let progress = is_slow.then(|| ctx.out.progress(plan.new.len() as u64, "generating keys"));
    let mut made = Vec::new();
    for new in &plan.new {
        made.push((new.template.clone(), plan.generate(&new.template)?));
        if let Some(progress) = &progress {
            progress.inc(1);
        }
    }
    if let Some(progress) = progress {
        progress.finish_and_clear();
    }
    Ok(made)
}

fn record(ctx: &Context, name: &SetName, rotated: &Rotated, policy: &Policy) {
    let (compromised, expired): (Vec<_>, Vec<_>) = rotated
        .removed
        .iter()
        .partition(|key| report::is_compromised(key, policy));
    let retired = rotated.retired.iter().map(|retired| &retired.key);
    Record::of(ctx, SetLabel::local(name.as_str()))
        .keys(Verb::Staged, &rotated.staged)
        .keys(Verb::Activated, &rotated.activated)
        .noted(Verb::Updated, "begins later", &rotated.postponed)
        .keys(Verb::Retired, retired)
        .noted(Verb::Removed, COMPROMISED, compromised)
        .noted(Verb::Removed, "expired", expired)
        .append();
}

fn warn_of_invalid_keys(ctx: &Context, name: &SetName, set: &KeySet, plan: &RotationPlan) {
    let keys = plan.invalid.iter().map(|i| &set.keys[*i]);
    for key in keys.map(KeyName::of) {
        let kid = key.handle().map_or("a key without a kid".into(), quote);
        ctx.out.warn(format!(
            "{name}: {kid} fails its check and is left alone; run `jwks check {name}`"
        ));
    }
}
