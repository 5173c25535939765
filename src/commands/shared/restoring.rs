//! Restores an earlier version of a set, for `jwks undo` and `jwks restore`.

use crate::context::Context;
use crate::error::{Error, Result};
use crate::key::Key;
use crate::key::parts::is_withheld;
use crate::key::public::known_part;
use crate::keyset::KeySet;
use crate::keyset::changes::{Changes, is_alike};
use crate::keyset::key_name::KeyName;
use crate::keyset::lifecycle;
use crate::keyset::succession::succession;
use crate::keystore::history::{Content, History, Version};
use crate::keystore::log::{COMPROMISED, Change, Verb};
use crate::keystore::{SetDocument, SetName, Stored};
use crate::report::json::{JsonKeyName, json_names};
use crate::report::log_entry::Record;
use crate::report::loss::describe;
use crate::report::names::{SetLabel, changed_meanwhile, count, list_names};
use serde::Serialize;
use std::collections::HashSet;
use std::path::PathBuf;

/// The result of restoring a version.
#[derive(Debug, Default)]
pub struct Outcome {
    /// The keys that differ.
    pub changes: Changes,
    /// True if the set did not exist before.
    pub set_created: bool,
    /// True if the set does not exist any more.
    pub set_deleted: bool,
    /// The new path of the damaged file of the set, if the file was damaged.
    pub damaged: Option<PathBuf>,
}

/// The members that the JSON of both commands has.
#[derive(Debug, Serialize)]
pub struct OutcomeJson<'a> {
    added: Vec<JsonKeyName<'a>>,
    updated: Vec<JsonKeyName<'a>>,
    removed: Vec<JsonKeyName<'a>>,
    set_created: bool,
    set_deleted: bool,
    /// The new path of the damaged file.
    #[serde(skip_serializing_if = "Option::is_none")]
    damaged_file: Option<String>,
}

/// Warns about the files of a history that are left out.
pub fn warn_damaged(ctx: &Context, history: &History) {
    const SHOWN: usize = 5;
    for path in history.damaged.iter().take(SHOWN) {
        let path = path.display();
        ctx.out
            .warn(format!("{path} is not a version of a set; left out"));
    }
    if history.damaged.len() > SHOWN {
        let more = count(history.damaged.len() - SHOWN, "more file");
        ctx.out.warn(format!("left out {more} of the history"));
    }
}

/// Makes a version the current state of its set. Asks first if something would be lost; `why` begins
/// the question. `note` is logged with each key. Returns an error if the set has changed in the
/// meantime, or if the version cannot be read.
pub fn restore(
    ctx: &Context,
    name: &SetName,
    (history, version): (&History, &Version),
    why: &str,
    note: &str,
) -> Result<Outcome> {
    let unreadable = |error: Error| {
        error.hint(format!(
            "run `jwks restore {name}@TIME` to restore another version"
        ))
    };
    if version.content == Content::Damaged {
        return Err(was_damaged(ctx, name)?);
    }
    let before = ctx.store.version(version).map_err(unreadable)?;
    let damage = ctx.store.damage(name)?;
    let present = match damage {
        Some(_) => None,
        None => ctx.store.read(name)?,
    };
    if let Some(Stored::Plain(_)) = before {
        ctx.refuse_plain(name)?;
    }
    let plain_versions = match (&before, &present) {
        (Some(Stored::Encrypted(_)), None | Some(Stored::Plain(_))) => {
            ctx.store.plain_versions(name)? + usize::from(present.is_some())
        }
        _ => 0,
    };
    let set_created = present.is_none() && damage.is_none();
    let set_deleted = before.is_none();
    let [before, present] = [look(ctx, name, before)?, look(ctx, name, present)?];
    let before = parse(&before).map_err(unreadable)?;
    let present = parse(&present)?;
    let changes = present.changes_to(&before, is_alike_as_known);
    let lost = present.positions_lost_in(&before);
    let mut losses = losses(ctx, name, &present, &lost, &changes, set_deleted);
    let compromised = compromised(ctx, name, &changes.added)?;
    if !compromised.is_empty() {
        losses.push(format!(
            "set {name} would get keys back that were removed as compromised: {}",
            list_names(&compromised)
        ));
    }
    if plain_versions > 0 {
        losses.push(format!(
            "{} without a passphrase would be deleted",
            count(plain_versions, "version")
        ));
    }
    if let Some(damage) = &damage {
        let left = if set_deleted {
            ", and no set is left"
        } else {
            ""
        };
        losses.push(format!(
            "the damaged file of set {name} would be moved aside{left} ({damage})"
        ));
    }
    if !losses.is_empty() {
        let question = format!("{why}; {}", losses.join(", and "));
        let states = lifecycle::states(&present, ctx.now);
        let going = describe(&present, &states, &lost);
        ctx.prompt.confirm_all(&ctx.out, &question, &going)?;
    }
    let check = |last, now: Option<&KeySet>| {
        let is_same = now.is_none_or(|now| *now == present);
        if last == history.last() && is_same {
            Ok(())
        } else {
            Err(changed_meanwhile(name))
        }
    };
    let damaged = ctx.store.restore(name, version, damage.is_some(), check)?;
    Record::of(ctx, SetLabel::local(name.as_str()))
        .noted(Verb::Added, note, &changes.added)
        .noted(Verb::Updated, note, &changes.updated)
        .noted(Verb::Removed, note, &changes.removed)
        .append();
    Ok(Outcome {
        changes,
        set_created,
        set_deleted,
        damaged,
    })
}

/// Returns the error for a state of a set that cannot be restored, because the file was damaged and was
/// moved aside.
fn was_damaged(ctx: &Context, name: &SetName) -> Result<Error> {
    let message =
        format!("the file of set {name} was damaged before a change, and was moved aside");
    let restore = format!("run `jwks restore {name}@TIME` to restore another version");
    Ok(
        Error::not_found(message).hint(match ctx.store.damaged_files(name)?.last() {
            Some(path) => format!("the damaged file is {}; {restore}", path.display()),
            None => restore,
        }),
    )
}

/// Returns true if two keys are alike, or if one is in the public part of an encrypted set and the other
/// could be the same key.
fn is_alike_as_known(one: &Key, other: &Key) -> bool {
    let known = |key: &Key| {
        if is_withheld(key) {
            key.clone().into_owned()
        } else {
            Key::of_public_part(known_part(key).to_json())
        }
    };
    is_alike(one, other)
        || (is_withheld(one) || is_withheld(other)) && is_alike(&known(one), &known(other))
}

/// Returns the keys that the log calls compromised.
fn compromised(ctx: &Context, name: &SetName, keys: &[KeyName]) -> Result<Vec<String>> {
    if keys.is_empty() {
        return Ok(Vec::new());
    }
    let changes = ctx.store.log()?.changes.into_iter();
    let is_it = |change: &Change| {
        change.verb == Verb::Removed
            && change.set == name.as_str()
            && change.note.as_deref() == Some(COMPROMISED)
    };
    let removed = changes.filter(is_it);
    let removed: HashSet<_> = removed
        .flat_map(|change| change.thumbprint.or(change.kid))
        .collect();
    let is_removed = |key: &&KeyName| {
        let handle = key.public_thumbprint().or(key.kid.as_deref());
        handle.is_some_and(|handle| removed.contains(handle))
    };
    let keys = keys.iter().filter(is_removed);
    Ok(keys.map(|key| key.shown().into_owned()).collect())
}

/// Describes what a set would lose; empty if it loses nothing.
fn losses(
    ctx: &Context,
    name: &SetName,
    present: &KeySet,
    lost: &[usize],
    changes: &Changes,
    set_deleted: bool,
) -> Vec<String> {
    let removed = changes.removed.len();
    let mut losses = Vec::new();
    if removed > 0 {
        let keys = count(removed, "key");
        losses.push(if set_deleted {
            format!("set {name} would be deleted with {keys}")
        } else {
            format!("set {name} would lose {keys}")
        });
    }
    if lost.len() > removed {
        let private = count(lost.len() - removed, "private part");
        // Without the passphrase, the private parts of two keys cannot be compared.
        let would = if present.keys.iter().any(is_withheld) {
            "could"
        } else {
            "would"
        };
        losses.push(format!("set {name} {would} lose {private}"));
    }
    if !losses.is_empty() && changes.added.is_empty() {
        let succession = succession(present, lost, |set| lifecycle::states(set, ctx.now));
        if succession.ends_signing {
            losses.push("no key of the set would sign".to_owned());
        }
    }
    losses
}

/// Returns what can be read of a set without a passphrase. Asks for the passphrase if the file has no
/// public part.
fn look(ctx: &Context, name: &SetName, stored: Option<Stored>) -> Result<Option<SetDocument>> {
    Ok(match stored {
        None => None,
        Some(Stored::Plain(document)) => Some(document),
        Some(Stored::Encrypted(encrypted)) => match encrypted.public_part() {
            Some(known) => Some(known),
            None => Some(ctx.open(name, &encrypted)?.0),
        },
    })
}

fn parse(document: &Option<SetDocument>) -> Result<KeySet<'_>> {
    let set = document.as_ref().map(SetDocument::parse).transpose()?;
    Ok(set.unwrap_or_default())
}

impl Outcome {
    /// Returns the members for JSON output.
    pub fn json(&self) -> OutcomeJson<'_> {
        OutcomeJson {
            added: json_names(&self.changes.added),
            updated: json_names(&self.changes.updated),
            removed: json_names(&self.changes.removed),
            set_created: self.set_created,
            set_deleted: self.set_deleted,
            damaged_file: self.damaged.as_ref().map(|path| path.display().to_string()),
        }
    }

    /// Prints the changes, and how to undo them.
    pub fn report(&self, ctx: &Context, name: &SetName) {
        if self.set_created {
            ctx.out.status(format!("set {name} is back"));
        }
        for (verb, keys) in [
            ("added", &self.changes.added),
            ("updated", &self.changes.updated),
            ("removed", &self.changes.removed),
        ] {
            if keys.is_empty() {
                continue;
            }
            let names: Vec<_> = keys.iter().map(KeyName::shown).collect();
            let names = list_names(&names);
            let number = count(keys.len(), "key");
            ctx.out.status(format!("{verb} {number}: {names}"));
        }
        if self.set_deleted {
            ctx.out.status(format!("deleted set {name}"));
        }
        if let Some(path) = &self.damaged {
            ctx.out.warn(format!(
                "the damaged file is now {}; it can hold private keys that are lost without it",
                path.display()
            ));
            return;
        }
        ctx.out
            .status(match ctx.store.change_number(name.as_str()) {
                Some(_) => format!("run `jwks undo {name}` to take this back"),
                None => "this cannot be undone".to_owned(),
            });
    }
}
