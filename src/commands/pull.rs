//! `jwks pull`: takes the keys of a server into the keystore.

use crate::args::adoption::AdoptionArgs;
use crate::args::connection::{ConnectionArgs, split_name};
use crate::commands::shared::adoption::{Confirmation, warn_of_differences, warn_of_losses};
use crate::commands::shared::server::{for_each_set, hint_at_order};
use crate::context::Context;
use crate::error::{Error, Result};
use crate::key::Key;
use crate::key::check::Severity;
use crate::key::parts::{has_private_member, holds_secret};
use crate::key::public::Dates;
use crate::keyset::KeySet;
use crate::keyset::adopt::Foreign;
use crate::keyset::check::{self, Located};
use crate::keyset::key_name::KeyName;
use crate::keyset::merge::Merged;
use crate::keyset::terms::OnConflict;
use crate::keyset::terms::Terms;
use crate::keystore::log::Verb;
use crate::keystore::{IfMissing, SetName};
use crate::remote::kind::{Form, Sets};
use crate::remote::{Remote, is_address};
use crate::report::json::{JsonCarried, JsonDiffering, JsonKeyName, json_differing};
use crate::report::log_entry::Record;
use crate::report::names::{SetLabel, changed_meanwhile, describe, note_left_out, shell_word};
use crate::source::server::set_name;
use clap::Args;
use serde::Serialize;
use std::collections::HashSet;

const EXAMPLES: &str = "\
Examples:
  $ jwks pull prod:api
  $ jwks pull prod:hydra.openid.id-token tokens --yes
  $ jwks pull https://issuer.example/jwks.json issuer
  $ jwks pull --all clerk";

/// The note in the log for a change that came from a server.
const PULLED: &str = "pulled";

/// Merge a set from a server into the keystore
///
/// Keys are merged by thumbprint. A key of the set keeps its private part and every member that the
/// server does not have. If its private part is in the set, it also keeps its kid, alg, use, key_ops,
/// dates and certificates. jwks warns if the server has other values; pass --take to use those. From a
/// server that publishes keys (url, oidc, clerk, an address), private keys are taken only with
/// --private. jwks asks before a server adds a private key or changes which key signs. Keys
/// that the server does not have stay in the set unless you pass --prune. Invalid keys are taken
/// unchanged, and listed as invalid.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct PullArgs {
    /// The remote, and the name of the set on it; or an address
    #[arg(value_name = "REMOTE[:NAME]")]
    remote: String,

    /// The local set [default: the name of the set on the server]
    #[arg(value_name = "SET")]
    set: Option<String>,

    /// Pull every set of the remote, if it lists its sets
    #[arg(long, conflicts_with = "set")]
    all: bool,

    /// Take public keys only
    #[arg(long, conflicts_with = "private")]
    public: bool,

    #[command(flatten)]
    adoption: AdoptionArgs,

    /// What to do if another key has the same kid
    #[arg(long, value_name = "WHAT", default_value = "fail")]
    on_conflict: OnConflict,

    /// Remove keys from the set that the server does not have
    #[arg(long)]
    prune: bool,

    #[command(flatten)]
    connection: ConnectionArgs,
}

#[derive(Serialize)]
struct Report {
    set: String,
    remote: String,
    remote_set: String,
    added: Vec<JsonCarried>,
    updated: Vec<JsonCarried>,
    unchanged: Vec<JsonKeyName<'static>>,
    /// New keys that were left out because of a conflict.
    skipped: Vec<JsonKeyName<'static>>,
    removed: Vec<JsonKeyName<'static>>,
    /// Keys whose private part is here, and that the server describes otherwise.
    differs: Vec<JsonDiffering>,
    changed: bool,
}

/// Runs `jwks pull`.
pub fn run(ctx: &Context, args: &PullArgs) -> Result<()> {
    args.adoption.check()?;
    if args.all {
        let server = args.connection.open(ctx, &args.remote)?;
        return pull_all(ctx, args, &server);
    }
    let (name, there) = split_name(&args.remote);
    let server = args
        .connection
        .open(ctx, name)
        .map_err(|error| match &args.set {
            Some(set) => hint_at_order(ctx, error, set, &format!("jwks pull {set} {name}")),
            None => error,
        })?;
    let there = set_name(&server, there, args.set.as_deref())?;
    let set = match &args.set {
        Some(set) => SetName::given(set)?,
        None => local_name(&server, &there)?,
    };
    let report = pull(ctx, args, &server, &there, &set)?;
    if ctx.out.is_json() {
        ctx.out.json(&report)
    } else {
        Ok(())
    }
}

/// Returns the local name for a server's set: its own name, or the remote's name if the server has one
/// set.
fn local_name(server: &Remote, there: &str) -> Result<SetName> {
    let name = match server.kind.sets {
        Sets::Named => there,
        Sets::One => &server.name,
    };
    if is_address(name) {
        // A query can hold a secret.
        let address = if name.contains(['?', '@']) {
            "URL".into()
        } else {
            shell_word(name)
        };
        let hint = format!("run `jwks pull {address} SET`");
        return Err(Error::usage("the name of the local set is missing").hint(hint));
    }
    SetName::new(name).map_err(|error| error.hint("name the set: jwks pull REMOTE SET"))
}

/// Pulls every set. Continues after a failure, and reports each set.
fn pull_all(ctx: &Context, args: &PullArgs, server: &Remote) -> Result<()> {
    let names = server.sets()?;
    for_each_set(ctx, &names, "pulled", |there| {
        let set = local_name(server, there)?;
        pull(ctx, args, server, there, &set)
    })
}

fn pull(
    ctx: &Context,
    args: &PullArgs,
    server: &Remote,
    there: &str,
    name: &SetName,
) -> Result<Report> {
    ctx.demand_encryption(name)?;
    // Pruning compares with all keys of the server. The public form can omit symmetric keys, which must
    // stay.
    let form = if args.public && !args.prune {
        Form::Public
    } else {
        Form::Private
    };
    let there_are = server.load(there, form)?;
    let mut incoming = there_are.clone();
    if args.public {
        let positions: Vec<usize> = (0..incoming.keys.len()).collect();
        let published = incoming.publish(&positions, Dates::Keep, &ctx.checks);
        if let Some(left_out) = published.left_out() {
            note_left_out(&ctx.out, &left_out);
        }
        incoming.keys = published.keys.into_iter().map(Key::from).collect();
    }
    let source = format!("{}:{there}", server.name);
    let kind = server.kind;
    let private = args.adoption.private_parts();
    let document = ctx.read(name)?;
    let before = match &document {
        Some(document) => document.parse()?,
        None => KeySet::default(),
    };
    let rules = server.rules(&[&before, &incoming]);
    let foreign = Foreign::of_server(incoming, kind.origin, rules, private);
    warn_of_losses(ctx, &source, &foreign);
    let taken = |set: &mut KeySet| take_in(ctx, set, &foreign, &there_are, args);
    // Ask before taking the lock, so that no other process waits for an answer.
    let mut after = before.clone();
    let (expected, lost) = taken(&mut after)?;
    warn_of_differences(ctx, &source, &expected);
    let asks = args.prune || lost.iter().any(holds_secret);
    let asked = |merged: &Merged, lost: &[Key]| {
        Confirmation::of(merged, &source, if asks { lost } else { &[] })
    };
    let consent = asked(&expected, &lost);
    consent.ask(ctx, name.as_str())?;
    if foreign.set().keys.is_empty() && lost.is_empty() {
        ctx.out
            .status(format!("{there} on {} has no keys", server.name));
        return Ok(report_of(
            server,
            there,
            name,
            &foreign,
            (&Merged::default(), &[]),
        ));
    }
    let (merged, lost) = ctx.change(name, IfMissing::Create, |set| {
        if set.keys == before.keys {
            *set = after.clone().into_owned();
            return Ok((expected.clone(), lost.clone()));
        }
        let (merged, now_lost) = taken(set)?;
        if now_lost == lost && asked(&merged, &lost) == consent {
            Ok((merged, now_lost))
        } else {
            Err(changed_meanwhile(name))
        }
    })?;
    let lost: Vec<_> = lost.iter().map(KeyName::of).collect();
    Record::of(ctx, SetLabel::remote(name.as_str(), &source))
        .of_keystore()
        .noted(Verb::Added, PULLED, &merged.added)
        .noted(Verb::Updated, PULLED, &merged.updated)
        .noted(Verb::Removed, PULLED, &lost)
        .append();
    flag_invalid(ctx, foreign.set());
    let report = report_of(server, there, name, &foreign, (&merged, &lost));
    let words = [
        (merged.added.len(), "added"),
        (merged.updated.len(), "updated"),
        (merged.unchanged.len(), "unchanged"),
        (merged.skipped.len(), "skipped"),
        (lost.len(), "removed"),
    ];
    let words = words.iter().filter(|(number, _)| *number > 0);
    let words: Vec<_> = words
        .map(|(number, what)| format!("{number} {what}"))
        .collect();
    ctx.out
        .status(format!("set {name} from {source}: {}", words.join(", ")));
    Ok(report)
}

/// Takes keys in, prunes if asked to, and returns the keys that are lost.
fn take_in(
    ctx: &Context,
    set: &mut KeySet,
    foreign: &Foreign,
    there_are: &KeySet,
    args: &PullArgs,
) -> Result<(Merged, Vec<Key<'static>>)> {
    let terms = Terms {
        on_conflict: args.on_conflict,
        take: &args.adoption.take,
        given: None,
        now: ctx.now,
        budget: Some(&ctx.checks),
    };
    let merged = set.adopt(std::slice::from_ref(foreign), &terms)?;
    let mut lost = merged.replaced.clone();
    if args.prune {
        let absent = set.absent_from(there_are);
        let is_absent: HashSet<&str> = absent.iter().map(Key::json).collect();
        set.keys.retain(|key| !is_absent.contains(key.json()));
        lost.extend(absent);
    }
    Ok((merged, lost))
}

/// Warns about the invalid keys of the server, and says why. The number of warnings is limited.
fn flag_invalid(ctx: &Context, incoming: &KeySet) {
    const SHOWN: usize = 20;
    let findings = check::findings(incoming, ctx.now, false, &ctx.checks).into_iter();
    let errors = findings.filter(|found| found.finding.rule.severity() == Severity::Error);
    let errors: Vec<_> = errors.collect();
    for Located { index, finding, .. } in errors.iter().take(SHOWN) {
        let key = index.map_or("the set".into(), |index| {
            describe(index, &incoming.keys[index])
        });
        ctx.out
            .warn(format!("{key}: {} ({})", finding.message, finding.rule));
    }
    if errors.len() > SHOWN {
        let more = errors.len() - SHOWN;
        ctx.out.warn(format!(
            "and {more} more errors; run `jwks check` to see them"
        ));
    }
}

/// Reports what was merged, and the keys that are lost.
fn report_of(
    server: &Remote,
    there: &str,
    name: &SetName,
    foreign: &Foreign,
    (merged, lost): (&Merged, &[KeyName]),
) -> Report {
    // The same key can have another kid on the server, but not another thumbprint.
    let identity = |name: &KeyName| name.thumbprint.clone().or(name.kid.clone());
    let private = foreign.set().keys.iter();
    let private = private.filter(|key| has_private_member(key));
    let private: HashSet<_> = private.map(|key| identity(&KeyName::of(key))).collect();
    let carried = |names: &[KeyName]| {
        let carried = names.iter().map(|name| JsonCarried {
            key: name.clone().into(),
            private: private.contains(&identity(name)),
        });
        carried.collect()
    };
    let named = |names: &[KeyName]| names.iter().cloned().map(JsonKeyName::from).collect();
    Report {
        set: name.to_string(),
        remote: server.name.clone(),
        remote_set: there.to_owned(),
        added: carried(&merged.added),
        updated: carried(&merged.updated),
        unchanged: named(&merged.unchanged),
        skipped: named(&merged.skipped),
        removed: named(lost),
        differs: json_differing(merged),
        changed: !merged.added.is_empty() || !merged.updated.is_empty() || !lost.is_empty(),
    }
}
