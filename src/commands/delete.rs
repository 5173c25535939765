//! `jwks delete`: deletes keys of a set, or a whole set.

mod remote;

use crate::args::connection::RemoteArgs;
use crate::commands::shared::forgetting::{Past, forget};
use crate::context::Context;
use crate::error::{Error, ErrorKind, Result};
use crate::key::Key;
use crate::keyset::KeySet;
use crate::keyset::key_name::KeyName;
use crate::keyset::lifecycle::{self, State};
use crate::keyset::succession::{Succession, succession};
use crate::keystore::log::Verb;
use crate::keystore::{IfMissing, SetName};
use crate::report::json::{JsonKeyName, json_names};
use crate::report::log_entry::Record;
use crate::report::loss::describe;
use crate::report::names::{SetLabel, changed_meanwhile, count, list_names, no_signer_left, sign};
use clap::Args;
use serde::Serialize;
use std::collections::HashMap;

const EXAMPLES: &str = "\
Examples:
  $ jwks delete api --expired --yes
  $ jwks delete api $(jwks list api --format names | head -n 1) --yes --force
  $ jwks delete old --yes --force --if-exists --purge
  $ jwks delete api --remote prod --yes --force";

/// Delete keys or a whole set
///
/// Shows what will be lost, and asks for a confirmation. Pass --yes to confirm without a terminal. If
/// another key signs in place of a deleted one, the command names it. If no key of the set would sign
/// any more, pass --force, too; on a terminal, the deletion of a whole set does not need it. Name keys by
/// their full kid or thumbprint. On a terminal, a unique prefix of a kid will do, because the question
/// shows the whole kid.
///
/// `jwks undo` brings deleted keys back while the history keeps them. Pass --purge to delete the history
/// of the set, too, and its damaged files that `jwks undo` has moved aside, such as api.json.damaged.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct DeleteArgs {
    /// The set
    #[arg(value_name = "SET")]
    set: String,

    /// The keys, by kid or thumbprint [default: the whole set]
    #[arg(value_name = "KID")]
    kids: Vec<String>,

    /// Delete the expired keys
    #[arg(long, conflicts_with = "kids")]
    expired: bool,

    /// Do not fail if the set or a key does not exist
    #[arg(long)]
    if_exists: bool,

    /// Delete even if no key of the set signs afterwards
    #[arg(short, long)]
    force: bool,

    /// Delete the history of the set, too: there is no undo
    #[arg(long, conflicts_with = "remote")]
    purge: bool,

    #[command(flatten)]
    remote: RemoteArgs,
}

#[derive(Serialize)]
struct Report<'a> {
    set: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    remote: Option<&'a str>,
    removed: Vec<JsonKeyName<'a>>,
    /// The keys that sign in place of deleted ones.
    activated: Vec<JsonKeyName<'a>>,
    set_deleted: bool,
    /// True if --purge has deleted the history.
    history_deleted: bool,
    /// The damaged files of the set that --purge has deleted.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    damaged_files_deleted: Vec<String>,
}

/// Runs `jwks delete`.
pub fn run(ctx: &Context, args: &DeleteArgs) -> Result<()> {
    if let Some(server) = args.remote.open(ctx)? {
        return remote::delete(ctx, args, &server);
    }
    let name = SetName::given(&args.set)?;
    let past = if args.purge {
        ctx.store.purge();
        ctx.store.complete_interrupted()?;
        Past::of(ctx, &name)?
    } else {
        Past::default()
    };
    ctx.demand_encryption(&name)?;
    // Deleting a whole set needs no passphrase. Deleting some keys does, because the rest is encrypted
    // again.
    let read = if args.is_whole() {
        ctx.load_public(&name)
    } else {
        ctx.load(&name)
    };
    let document = match read {
        Err(error) if args.if_exists && error.kind() == ErrorKind::NotFound => {
            return nothing_to_delete(ctx, &name, past);
        }
        document => document?,
    };
    let set = document.parse()?;
    let states = lifecycle::states(&set, ctx.now);
    let kids = whole_kids(ctx, args, &set);
    let positions = chosen(args, &kids, name.as_str(), &set, &states)?;
    // A public key never takes over from a signer, however new it is.
    let succession = succession(&set, &positions, |set| lifecycle::states(set, ctx.now));
    let going = describe(&set, &states, &positions);
    if args.is_whole() {
        // A script whose list of kids is empty names the whole set by mistake, so it must pass --force.
        if succession.ends_signing && !args.force && !ctx.prompt.asks() {
            let going = list_names(&going);
            let message =
                format!("deleting set {name} would leave no active signing key; it holds {going}");
            return Err(Error::refused(message)
                .hint("pass --yes --force to delete the set without a question"));
        }
        return delete_set(ctx, args, &name, &set, &going, past);
    }
    if positions.is_empty() {
        return nothing_to_delete(ctx, &name, past);
    }
    let signing = signing_instead(ctx, args, name.as_str(), &succession)?;
    let keys: Vec<Key> = positions.iter().map(|i| set.keys[*i].clone()).collect();
    let mut what = format!(
        "set {name} would lose {}{}",
        count(keys.len(), "key"),
        and_past(args, &past)
    );
    if !signing.is_empty() {
        what = format!("{what}, and {} again from now on", sign(&signing));
    }
    ctx.prompt.confirm_all(&ctx.out, &what, &going)?;
    ctx.store.remove_damaged_files(&past.damaged)?;
    ctx.change(&name, IfMissing::Fail, |now| {
        // Delete only what the question showed: the same keys must still be in the set.
        let mut left: HashMap<&str, usize> = HashMap::new();
        for key in &keys {
            *left.entry(key.json()).or_default() += 1;
        }
        now.keys.retain(|key| match left.get_mut(key.json()) {
            Some(copies) if *copies > 0 => {
                *copies -= 1;
                false
            }
            _ => true,
        });
        if left.values().all(|copies| *copies == 0) {
            Ok(())
        } else {
            Err(changed_meanwhile(&name))
        }
    })?;
    warn_of_earlier_versions(ctx, args, &name);
    let whose = SetLabel::local(name.as_str());
    finish(ctx, whose, &keys, &signing, Gone { set: false, past })
}

impl DeleteArgs {
    fn is_whole(&self) -> bool {
        self.kids.is_empty() && !self.expired
    }
}

/// Completes prefixes of kids if the question shows the whole kids. Without a question, the same words
/// must not mean another key the next time.
fn whole_kids(ctx: &Context, args: &DeleteArgs, set: &KeySet) -> Vec<String> {
    let whole = |kid: &String| {
        let is_prefix = ctx.prompt.asks() && set.find_exactly(kid).is_err();
        let found = set.find(kid).ok().filter(|_| is_prefix);
        let name = found.and_then(|position| KeyName::of(&set.keys[position]).kid);
        name.unwrap_or_else(|| kid.clone())
    };
    args.kids.iter().map(whole).collect()
}

/// Returns the positions of the keys to delete. A name matches every entry of its key.
fn chosen(
    args: &DeleteArgs,
    kids: &[String],
    name: &str,
    set: &KeySet,
    states: &[Option<State>],
) -> Result<Vec<usize>> {
    if args.is_whole() {
        return Ok((0..set.keys.len()).collect());
    }
    if args.expired {
        let expired = states
            .iter()
            .enumerate()
            .filter(|(_, state)| **state == Some(State::Expired));
        return Ok(expired.map(|(position, _)| position).collect());
    }
    let mut positions = Vec::new();
    for found in set.find_each(kids) {
        match found {
            Ok(found) => positions.extend(found),
            Err(error) if args.if_exists && error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(error.about(format!("set {name}"))),
        }
    }
    positions.sort_unstable();
    positions.dedup();
    Ok(positions)
}

/// Returns the keys that sign in place of deleted ones. A deletion after which no key of the
/// set signs is refused without --force.
fn signing_instead(
    ctx: &Context,
    args: &DeleteArgs,
    name: &str,
    succession: &Succession,
) -> Result<Vec<KeyName>> {
    if succession.ends_signing && !args.force {
        let options = if ctx.prompt.asks() {
            "--force"
        } else {
            "--yes --force"
        };
        return Err(no_signer_left(name, options));
    }
    let takeovers = succession.takeovers.iter();
    Ok(takeovers.map(|takeover| takeover.instead.clone()).collect())
}

fn delete_set(
    ctx: &Context,
    args: &DeleteArgs,
    name: &SetName,
    set: &KeySet,
    going: &[String],
    past: Past,
) -> Result<()> {
    let history = and_past(args, &past);
    let what = match set.keys.len() {
        0 => format!("set {name} would be deleted{history}; it has no keys"),
        number => {
            let keys = count(number, "key");
            format!("set {name} would be deleted with {keys}{history}")
        }
    };
    ctx.prompt.confirm_all(&ctx.out, &what, going)?;
    ctx.store.remove_damaged_files(&past.damaged)?;
    ctx.store.remove(name, |now| {
        if now.is_none_or(|now| now == set) {
            Ok(())
        } else {
            Err(changed_meanwhile(name))
        }
    })?;
    warn_of_earlier_versions(ctx, args, name);
    let whose = SetLabel::local(name.as_str());
    finish(ctx, whose, &set.keys, &[], Gone { set: true, past })
}

/// With --purge, warns about the earlier versions that a server keeps by itself.
fn warn_of_earlier_versions(ctx: &Context, args: &DeleteArgs, name: &SetName) {
    if let Some(how) = ctx.store.earlier_versions(name).filter(|_| args.purge) {
        ctx.out.warn(how);
    }
}

/// Logs and reports the keys that are deleted, and those that sign instead.
fn finish(
    ctx: &Context,
    whose: SetLabel,
    keys: &[Key],
    signing: &[KeyName],
    gone: Gone,
) -> Result<()> {
    Record::of(ctx, whose).keys(Verb::Removed, keys).append();
    let removed: Vec<_> = keys.iter().map(KeyName::of).collect();
    report(ctx, whose, &removed, signing, gone)
}

/// Reports that no key and no set is deleted. With --purge, deletes the earlier states nevertheless.
fn nothing_to_delete(ctx: &Context, name: &SetName, past: Past) -> Result<()> {
    let label = SetLabel::local(name.as_str());
    if !past.is_empty() {
        let question = format!("{} would be deleted for good", past.describe(name));
        ctx.prompt.confirm(&ctx.out, &question)?;
        forget(ctx, name, &past)?;
        if !ctx.out.is_json() {
            return Ok(());
        }
    }
    report(ctx, label, &[], &[], Gone { set: false, past })
}

/// What is deleted beside keys.
#[derive(Default)]
struct Gone {
    set: bool,
    /// The earlier states that --purge has deleted.
    past: Past,
}

/// Returns the part of a question about the earlier states; empty without --purge.
fn and_past(args: &DeleteArgs, past: &Past) -> String {
    if args.purge {
        format!("{}, for good", and_names(past))
    } else {
        String::new()
    }
}

fn and_names(past: &Past) -> String {
    let history = past.history.iter().map(|_| "its history".to_owned());
    let names = history.chain(past.damaged_names());
    names.map(|name| format!(" and {name}")).collect()
}

fn report(
    ctx: &Context,
    whose: SetLabel,
    removed: &[KeyName],
    signing: &[KeyName],
    gone: Gone,
) -> Result<()> {
    if ctx.out.is_json() {
        let paths = gone.past.damaged.iter();
        return ctx.out.json(&Report {
            set: whose.set,
            remote: whose.remote,
            removed: json_names(removed),
            activated: json_names(signing),
            set_deleted: gone.set,
            history_deleted: gone.past.history.is_some(),
            damaged_files_deleted: paths.map(|path| path.display().to_string()).collect(),
        });
    }
    match (gone.set, removed.len()) {
        (true, _) => {
            let past = and_names(&gone.past);
            ctx.out.status(format!("deleted set {whose}{past}"));
        }
        (false, 0) => ctx.out.status("nothing to delete"),
        (false, n) => {
            let kids: Vec<_> = removed.iter().map(KeyName::shown).collect();
            let kids = kids.join(", ");
            ctx.out.status(format!(
                "deleted {} of set {whose}: {kids}",
                count(n, "key")
            ));
            if gone.past.history.is_some() {
                ctx.out
                    .status(format!("deleted the history of set {whose}"));
            }
            for file in gone.past.damaged_names() {
                ctx.out.status(format!("deleted {file}"));
            }
            if !signing.is_empty() {
                ctx.out.status(format!("{} from now on", sign(signing)));
            }
        }
    }
    Ok(())
}
