//! `jwks set --remote`: imports keys into a server's set.

use crate::commands::set::SetArgs;
use crate::commands::set::report::report;
use crate::commands::set::source::{read_documents, read_keys};
use crate::commands::shared::server::retry_on_conflict;
use crate::commands::shared::signing_check::{self, Keyless, Source};
use crate::context::Context;
use crate::error::{Error, Result};
use crate::key::Key;
use crate::key::attributes::Attributes;
use crate::key::header::Header;
use crate::key::members::Members;
use crate::key::parts::{has_private_member, is_key_pair};
use crate::keyset::KeySet;
use crate::keyset::index::{Index, identity};
use crate::keyset::key_name::{KeyName, named, quote};
use crate::keyset::merge::{Merged, RepairedKey};
use crate::keyset::server_rules::Signing;
use crate::remote::Remote;
use crate::remote::kind::{Form, Operation};
use crate::report::log_entry::Record;
use crate::report::loss::{count_loss, shorten};
use crate::report::names::{SetLabel, count};
use crate::source::server::set_name;
use std::collections::HashSet;

/// Puts keys into a server's set. A single key is written by itself if that is safe; otherwise the
/// whole set is written in one step. Asks before anything is written. Returns an error if the server
/// does not accept a key, or could no longer sign.
pub fn set(ctx: &Context, args: &SetArgs, attributes: &Attributes, server: &Remote) -> Result<()> {
    server.kind.require(if args.replace {
        Operation::SetSet
    } else {
        Operation::SetKey
    })?;
    let documents = read_documents(ctx, args, attributes)?;
    if documents.is_empty() {
        return Err(Error::usage("no keys were given").hint("name files, or - for standard input"));
    }
    let (given, repaired) = read_keys(ctx, args, &documents, attributes)?;
    let (mut given, _) = KeySet::default().replaced_by(&given, ctx.now);
    refuse_unfit(server, &mut given)?;
    let name = &set_name(server, Some(&args.set), None)?;
    // The user confirmed the losses of this plan, so a replacement is not planned again.
    if args.replace {
        return write(ctx, args, server, name, &given, &repaired);
    }
    let target = format!("{}:{name}", server.name);
    retry_on_conflict(ctx, server, &target, || {
        write(ctx, args, server, name, &given, &repaired)
    })
}

fn write(
    ctx: &Context,
    args: &SetArgs,
    server: &Remote,
    name: &str,
    given: &KeySet<'static>,
    repaired: &[RepairedKey],
) -> Result<()> {
    let before = server.get(name, Form::Private)?.unwrap_or_default();
    let mut change = if args.replace {
        replacement(&before, given)
    } else {
        addition(args, server, &before, given.clone())?
    };
    change.merged.repaired = repaired.to_vec();
    server.kind.rules.put_a_pair_first(&mut change.after);
    if change.merged.added.is_empty()
        && change.merged.updated.is_empty()
        && change.merged.replaced.is_empty()
    {
        return report(ctx, SetLabel::remote(name, &server.name), &change.merged);
    }
    server.kind.rules.refuse_shared_kids(&change.after)?;
    let judged = signing_check::Change {
        server,
        set: name,
        before: &before,
        after: &change.after,
        source: Source::Files,
    };
    judged.check(
        ctx,
        if args.force {
            Keyless::Allow
        } else {
            Keyless::Refuse("also set a signing key, or pass --force")
        },
    )?;
    let (what, details) = describe_changes(name, server, &before, &change);
    ctx.prompt.confirm_all(&ctx.out, &what, &details)?;
    match &change.single {
        Some(key) => server.put_key(name, &before, key)?,
        None => server.put_set(name, &before, &change.after)?,
    }
    let whose = SetLabel::remote(name, &server.name);
    let rules = server.rules(&[&before, &change.after]);
    let changes = before.changes_to(&change.after, |there, sent| {
        rules.differences(sent, there).is_empty()
    });
    Record::of(ctx, whose).changes(&changes).append();
    let signer = server.kind.rules.signer(&change.after).map(KeyName::of);
    if let Some(kid) = signer.as_ref().and_then(KeyName::handle) {
        let kid = quote(kid);
        ctx.out
            .status(format!("{} signs with {kid}", server.kind.name));
    }
    report(ctx, whose, &change.merged)
}

/// A planned change to a server's set.
struct Change {
    after: KeySet<'static>,
    /// The key, if it can be written by itself; `None` if the whole set is written.
    single: Option<Key<'static>>,
    merged: Merged,
}

/// Gives each key the kid that it has on the server. Returns an error if the server does not accept a
/// key.
fn refuse_unfit(server: &Remote, given: &mut KeySet) -> Result<()> {
    let rules = &server.kind.rules;
    for key in &mut given.keys {
        let Ok(members) = key.members().map(Members::into_owned) else {
            continue;
        };
        let kid = members.string("kid");
        let kid = kid.map(|kid| (rules.kid)(&kid, members.string("kty").as_deref()));
        let members = match kid {
            Some(kid) => members.with_kid(&kid),
            None => members,
        };
        if let Some(why) = (rules.refuses)(&members) {
            let name = named(KeyName::of(key).handle());
            return Err(Error::refused(format!(
                "{} does not accept {name}: {why}",
                server.name
            )));
        }
        *key = Key::from(members);
    }
    Ok(())
}

fn replacement(before: &KeySet, given: &KeySet) -> Change {
    let index = Index::of(before);
    let names = |there: bool| {
        let keys = given.keys.iter();
        let keys = keys.filter(|key| index.has(key) == there);
        keys.map(KeyName::of).collect()
    };
    Change {
        after: given.clone().into_owned(),
        single: None,
        merged: Merged {
            added: names(false),
            updated: names(true),
            replaced: before.lost_in(given),
            ..Merged::default()
        },
    }
}

fn addition(
    args: &SetArgs,
    server: &Remote,
    before: &KeySet,
    given: KeySet<'static>,
) -> Result<Change> {
    let is_one = given.keys.len() == 1;
    let mut after = before.clone().into_owned();
    let merged = after.place(given.keys, args.on_conflict)?;
    let new = after.keys.len() - before.keys.len();
    let known: HashSet<&str> = before.keys.iter().map(Key::json).collect();
    let changed = after
        .keys
        .iter()
        .find(|key| !known.contains(key.json()))
        .cloned();
    if server.kind.rules.order_decides() {
        // The newest key comes first, as it would if it were written by itself.
        after.keys.rotate_right(new);
        after.keys[..new].reverse();
    }
    // A public key that is written by itself would become the first key, and on some servers no key
    // would sign.
    let is_safe = |key: &Key| is_key_pair(key) || server.kind.rules.signing != Signing::FirstPair;
    Ok(Change {
        after,
        // Do not write an existing key by itself: that would make it the newest, and change which key
        // signs.
        single: changed.filter(|key| is_one && new == 1 && is_safe(key)),
        merged,
    })
}

/// Describes what is sent and what is lost: a summary, and a line for each key.
fn describe_changes(
    name: &str,
    server: &Remote,
    before: &KeySet,
    change: &Change,
) -> (String, Vec<String>) {
    let private_there = before.keys.iter().filter(|key| has_private_member(key));
    let private_there: HashSet<String> = private_there.map(identity).collect();
    let known: HashSet<&str> = before.keys.iter().map(Key::json).collect();
    let sent = change
        .after
        .keys
        .iter()
        .filter(|key| !known.contains(key.json()));
    let sent = sent.map(|key| {
        let header = Header::of(key);
        let kid = header.kid.as_deref().map_or("(without kid)".into(), quote);
        let alg = header
            .alg
            .as_deref()
            .or(header.kty.as_deref())
            .unwrap_or("?");
        let was_private = private_there.contains(&identity(key));
        let part = match (has_private_member(key), was_private) {
            (true, true) => "private, as on the server",
            (true, false) => "with its private part",
            (false, true) => "public only: its private part is deleted on the server",
            (false, false) => "public only",
        };
        format!("{kid} ({alg}, {part})")
    });
    let sent: Vec<_> = sent.collect();
    let number = count(sent.len(), "key");
    let mut what = format!("set {name} on {} would get {number}", server.name);
    let mut details = shorten(sent);
    if !change.merged.replaced.is_empty() {
        let (loss, keys) = count_loss(&change.merged.replaced);
        what = format!("{what} and {loss}");
        details.extend(shorten(keys.map(|key| format!("loses {key}"))));
    }
    details.extend(describe_signer(server, before, &change.after));
    (what, details)
}

/// Says which key signs after a change, if that changes. The same key under another kid counts as
/// another key, because tokens carry the kid.
fn describe_signer(server: &Remote, before: &KeySet, after: &KeySet) -> Option<String> {
    let rules = &server.kind.rules;
    let (now, then) = (rules.signer(before), rules.signer(after));
    let then = rules.name(then?);
    let now = now.map(|key| rules.name(key));
    if now.as_ref() == Some(&then) {
        return None;
    }
    let kid = quote(then.handle()?);
    let is_same_key = |now: &KeyName| now.thumbprint == then.thumbprint;
    Some(match now.filter(is_same_key).and_then(|now| now.kid) {
        None => format!("{kid} becomes the signing key"),
        Some(old) => format!(
            "{kid} becomes the signing key: it is the key {} under another kid, so tokens carry the new kid at once",
            quote(&old)
        ),
    })
}
