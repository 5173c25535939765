//! The warnings and questions that `pull` and `set` share when they take in foreign keys.

use crate::context::Context;
use crate::error::Result;
use crate::key::Key;
use crate::keyset::adopt::Foreign;
use crate::keyset::key_name::KeyName;
use crate::keyset::merge::Merged;
use crate::report::loss::{count_loss, shorten};
use crate::report::names::list_names;

/// Warns about the keys and members that were left out of a document.
pub fn warn_of_losses(ctx: &Context, source: &str, foreign: &Foreign) {
    for (keys, what) in [
        (
            &foreign.stripped,
            "sends private keys; only their public part is taken (pass --private to take all of it)",
        ),
        (
            &foreign.symmetric,
            "sends symmetric keys; they are left out (pass --private to take them)",
        ),
        (
            &foreign.reserved,
            "has members that only jwks sets; they are left out",
        ),
    ] {
        if !keys.is_empty() {
            ctx.out.warn(format!("{source} {what}: {}", names(keys)));
        }
    }
}

/// Warns about the members that differ at the source and that the set keeps.
pub fn warn_of_differences(ctx: &Context, source: &str, merged: &Merged) {
    const SHOWN: usize = 20;
    for (name, members) in merged.differing.iter().take(SHOWN) {
        let (kid, members) = (handle(name), members.join(","));
        ctx.out.warn(format!(
            "{kid} differs in {} at {source}, and is not changed (pass --take {members} to change it)",
            members.replace(',', ", ")
        ));
    }
    if let Some(more @ 1..) = merged.differing.len().checked_sub(SHOWN) {
        ctx.out
            .warn(format!("{more} more keys differ and are not changed"));
    }
}

/// The changes that the user must confirm before keys are taken in; empty if there are none.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Confirmation {
    /// What the set would do, and the keys with which it would do that.
    parts: Vec<(String, Vec<String>)>,
}

impl Confirmation {
    /// Collects the changes of a merge, and the losses, that must be confirmed.
    pub fn of(merged: &Merged, source: &str, lost: &[Key]) -> Confirmation {
        let mut parts = Vec::new();
        if !merged.private.is_empty() {
            let keys = merged.private.iter().map(handle).collect();
            let what = format!("get private keys from {source}");
            parts.push((what, shorten(keys)));
        }
        parts.extend(merged.signers.iter().map(|signer| {
            let (key, line) = (handle(&signer.key), &signer.line);
            let before = match &signer.before {
                Some(before) => format!(" in place of {}", handle(before)),
                None => String::new(),
            };
            let what = format!("have {key} as the active key of {line}{before}");
            (what, Vec::new())
        }));
        if !lost.is_empty() {
            let (what, keys) = count_loss(lost);
            parts.push((what, shorten(keys)));
        }
        Confirmation { parts }
    }

    /// Asks the user to confirm the changes, if there are any.
    pub fn ask(&self, ctx: &Context, set: &str) -> Result<()> {
        let (what, details) = match &self.parts[..] {
            [] => return Ok(()),
            [(what, keys)] => (format!("set {set} would {what}"), keys.clone()),
            parts => {
                let line = |(what, keys): &(String, Vec<String>)| match &keys[..] {
                    [] => what.clone(),
                    keys => format!("{what}: {}", keys.join(", ")),
                };
                let lines = parts.iter().map(line).collect();
                (format!("set {set} would"), lines)
            }
        };
        ctx.prompt.confirm_all(&ctx.out, &what, &details)
    }
}

fn handle(name: &KeyName) -> String {
    name.shown().into_owned()
}

fn names(keys: &[KeyName]) -> String {
    list_names(&keys.iter().map(handle).collect::<Vec<_>>())
}
