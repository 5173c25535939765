//! `jwks set` without a FILE: changes members of the set's keys.

use crate::commands::set::{SetArgs, repair, signing};
use crate::commands::shared::repairing::repaired;
use crate::context::Context;
use crate::error::{Error, Result};
use crate::key::Key;
use crate::key::attributes::{Attributes, nearest_member};
use crate::key::certificate::add_sha1;
use crate::key::check::new_fault;
use crate::key::members::Members;
use crate::key::parts::{DESCRIBING, SUCCESSOR};
use crate::keyset::KeySet;
use crate::keyset::import::check_kid;
use crate::keyset::key_name::KeyName;
use crate::keyset::merge::Merged;
use crate::keyset::succession::Signers;
use crate::keystore::{IfMissing, SetName};
use crate::report::names::{changed_meanwhile, describe};
use crate::time;

/// The value of --nbf and --exp that removes the date.
const NONE: &str = "none";

/// Returns the members that the options set and remove. Returns an error for an invalid date,
/// attribute or kid.
pub fn attributes(args: &SetArgs, now: i64) -> Result<Attributes> {
    let mut removed = args.unset.clone();
    let mut date = |name: &str, text: &Option<String>| {
        if text.as_deref() == Some(NONE) && args.changes_own_keys() {
            removed.push(name.to_owned());
            return Ok(None);
        }
        time::parse_option(text, now)
    };
    let attributes = Attributes {
        nbf: date("nbf", &args.nbf)?,
        exp: date("exp", &args.exp)?,
        alg: args.alg.clone(),
        usage: args.usage.clone(),
        key_ops: args.key_ops.clone(),
        removed,
    };
    attributes.check()?;
    if let Some(kid) = &args.rename {
        check_kid(kid)?;
    }
    Ok(attributes)
}

/// Changes members of the keys of a set, or of the key that --kid names. Returns an error if a change
/// would break a key, or if the new kid belongs to another key.
pub fn change(
    ctx: &Context,
    args: &SetArgs,
    name: &SetName,
    attributes: &Attributes,
) -> Result<Merged> {
    if args.kid_from.is_some() {
        return Err(Error::usage("--kid-from requires a FILE")
            .hint("pass --kid OLD --rename NEW to rename a key of the set"));
    }
    // Ask before taking the lock, so that no other process waits. The public part of an encrypted set
    // shows which keys sign, but a repair needs the private keys.
    let document = if args.repair {
        ctx.load(name)?
    } else {
        ctx.load_public(name)?
    };
    let before = document.parse()?;
    let trial = change_keys(ctx, args, name, attributes, &mut before.clone())?;
    repair::confirm(ctx, name, &trial)?;
    signing::confirm(ctx, args, name, &before, &trial.signing)?;
    let protection = args.encrypt.protection(ctx, name)?;
    let protection = protection.as_ref();
    let merged = ctx.store.change(name, IfMissing::Fail, protection, |set| {
        let merged = change_keys(ctx, args, name, attributes, set)?;
        let ends_signing = merged.signing.ends_signing && !trial.signing.ends_signing;
        if ends_signing || merged.repaired != trial.repaired {
            return Err(changed_meanwhile(name));
        }
        Ok(merged)
    })?;
    if merged.former_kid.is_some() {
        ctx.out
            .warn("tokens with the old kid no longer verify once verifiers fetch the set");
    }
    Ok(merged)
}

fn change_keys(
    ctx: &Context,
    args: &SetArgs,
    name: &SetName,
    attributes: &Attributes,
    set: &mut KeySet,
) -> Result<Merged> {
    let positions: Vec<usize> = match &args.kid {
        Some(kid) => {
            let found = set.find_exactly(kid);
            vec![found.map_err(|error| error.about(format!("set {name}")))?]
        }
        None => (0..set.keys.len()).collect(),
    };
    if let Some(kid) = &args.rename {
        refuse_taken(set, positions[0], kid).map_err(|error| error.about(format!("set {name}")))?;
    }
    refuse_missing(args, name, set, &positions)?;
    let before = Signers::of(&set.keys, ctx.now);
    let mut merged = Merged::default();
    for position in positions {
        let key = &set.keys[position];
        let repaired = if args.repair {
            repaired(ctx, position, key).map_err(|error| {
                error.hint("nothing was changed; pass --kid KID to repair another key")
            })?
        } else {
            None
        };
        if let Some(repaired) = &repaired {
            merged
                .repaired
                .push(repair::repaired_key(ctx, key, repaired));
        }
        let key = repaired.as_ref().map_or(key, |repaired| &repaired.key);
        let changed = changed(key, attributes, args);
        let Some(changed) = changed.or_else(|| repaired.as_ref().map(|one| one.key.clone())) else {
            merged.unchanged.push(KeyName::of(key));
            continue;
        };
        if let Some(fault) = new_fault(key, &changed, &ctx.checks) {
            let key = describe(position, key);
            let message = format!("{key}: {} ({})", fault.message, fault.rule);
            return Err(Error::invalid(message));
        }
        merged.updated.push(KeyName::of(&changed));
        let before = std::mem::replace(&mut set.keys[position], changed);
        let old = KeyName::of(&before).kid;
        if let (Some(new), Some(old)) = (
            &args.rename,
            old.filter(|old| args.rename.as_ref() != Some(old)),
        ) {
            update_successors(set, &old, new);
            merged.former_kid = Some(old);
        }
    }
    merged.signing = before.change_to(&Signers::of(&set.keys, ctx.now));
    Ok(merged)
}

/// Refuses a kid that is the kid or the thumbprint of another key.
fn refuse_taken(set: &KeySet, position: usize, kid: &str) -> Result<()> {
    let own = KeyName::of(&set.keys[position]);
    let is_taken = |(i, key): (usize, &Key)| {
        let other = KeyName::of(key);
        let is_same_key = other.thumbprint == own.thumbprint;
        i != position && other.is(kid) && (!is_same_key || other.kid.as_deref() == Some(kid))
    };
    if set.keys.iter().enumerate().any(is_taken) {
        Err(Error::refused(format!("another key has the kid {kid:?}")).hint("choose another kid"))
    } else {
        Ok(())
    }
}

/// Returns an error for an --unset name that no key has, unless it is a member that describes keys.
fn refuse_missing(args: &SetArgs, name: &SetName, set: &KeySet, positions: &[usize]) -> Result<()> {
    let has = |position: &usize, member: &str| {
        let members = set.keys[*position].members();
        members.is_ok_and(|members| members.has(member))
    };
    let is_missing = |member: &&String| {
        !DESCRIBING.contains(&&***member) && !positions.iter().any(|i| has(i, member))
    };
    let Some(member) = args.unset.iter().find(is_missing) else {
        return Ok(());
    };
    let error = Error::not_found(match &args.kid {
        Some(kid) => format!("key {kid:?} of set {name} has no member {member:?}"),
        None => format!("no key of set {name} has the member {member:?}"),
    });
    Err(match nearest_member(member) {
        Some(meant) => error.hint(format!("did you mean {meant}?")),
        None => error,
    })
}

/// Updates the successor of the keys that named the old kid, unless another key still has the old kid.
fn update_successors(set: &mut KeySet, old: &str, new: &str) {
    if !set.with_kid(old).is_empty() {
        return;
    }
    for key in &mut set.keys {
        let Ok(mut members) = key.members().map(Members::into_owned) else {
            continue;
        };
        if members.string(SUCCESSOR).as_deref() == Some(old) {
            members.set_text(SUCCESSOR, new);
            *key = Key::from(members);
        }
    }
}

/// Returns the key with the attributes, the digest that --x5t adds, and the new kid; `None` if nothing changes, or nothing can be
/// changed.
fn changed(key: &Key, attributes: &Attributes, args: &SetArgs) -> Option<Key<'static>> {
    let before = key.members().ok()?;
    let mut members = before.clone();
    attributes.overwrite(&mut members);
    if args.x5t {
        add_sha1(&mut members);
    }
    let kid = args.rename.as_deref();
    if let Some(kid) = kid.filter(|kid| members.string("kid").as_deref() != Some(*kid)) {
        members = members.with_kid(kid);
    }
    (members != before).then(|| Key::from(members))
}
