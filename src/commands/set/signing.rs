//! Reports how `jwks set` changes the signing keys, and asks before no key signs.

use crate::commands::set::SetArgs;
use crate::context::Context;
use crate::error::{Error, Result};
use crate::keyset::KeySet;
use crate::keyset::lifecycle;
use crate::keyset::succession::{Signers, SigningChange};
use crate::keystore::SetName;
use crate::report::loss::describe;
use crate::report::names::{SetLabel, no_longer_sign, no_signer_left, sign};
use crate::time;

/// Refuses --force for files without --remote or --replace, where it has no effect.
pub fn check_force(args: &SetArgs) -> Result<()> {
    let is_import = !args.changes_own_keys() && !args.replace;
    if args.force && is_import && args.remote.remote.is_none() {
        return Err(
            Error::usage("--force has no effect on FILE without --remote or --replace")
                .hint("pass --on-conflict replace to take the new key in place of another"),
        );
    }
    Ok(())
}

/// Returns the effect of an import on signing. The first signing key of a line changes nothing for its
/// verifiers, and counts as no change.
pub fn of_import(before: &Signers, after: &KeySet, now: i64) -> SigningChange {
    let change = before.change_to(&Signers::of(&after.keys, now));
    if change.deactivated.is_empty() && change.gap.is_none() {
        SigningChange::default()
    } else {
        change
    }
}

/// Returns the effect of replacing a set on signing.
pub fn of_replacement(before: &KeySet, after: &KeySet, now: i64) -> SigningChange {
    let mut change = of_import(&Signers::of(&before.keys, now), after, now);
    // A key that signs before and after can have another position.
    let activated = change.activated.clone();
    change
        .activated
        .retain(|name| !change.deactivated.contains(name));
    change.deactivated.retain(|name| !activated.contains(name));
    change
}

/// Asks for a confirmation if no key of the set would sign any more. If nobody can be asked, the
/// change requires --force.
pub fn confirm(
    ctx: &Context,
    args: &SetArgs,
    name: &SetName,
    before: &KeySet,
    change: &SigningChange,
) -> Result<()> {
    if !change.ends_signing {
        return Ok(());
    }
    if !args.force && !ctx.prompt.asks() {
        return Err(no_signer_left(name.as_str(), "--yes --force"));
    }
    let states = lifecycle::states(before, ctx.now);
    let signers = Signers::of(&before.keys, ctx.now).positions();
    let what = format!("set {name} would have no active signing key left");
    let keys = describe(before, &states, &signers);
    ctx.prompt.confirm_all(&ctx.out, &what, &keys)
}

/// Says which keys sign after a change, if that has changed.
pub fn report(ctx: &Context, whose: SetLabel, change: &SigningChange) {
    let (new, old) = (&change.activated, &change.deactivated);
    match (&new[..], &old[..]) {
        _ if change.ends_signing => {
            ctx.out
                .status(format!("no key of set {whose} signs any more"));
        }
        ([], []) => {}
        ([], old) => ctx.out.status(no_longer_sign(old)),
        (new, []) => ctx.out.status(format!("{} from now on", sign(new))),
        (new, old) => {
            let (new, old) = (sign(new), no_longer_sign(old));
            ctx.out.status(format!("{new} from now on; {old}"));
        }
    }
}

/// Warns if the change opens or extends a period in the future in which no key signs.
pub fn warn_of_gap(ctx: &Context, whose: SetLabel, change: &SigningChange) {
    let Some(gap) = change.gap else {
        return;
    };
    let from = time::format(gap.from);
    ctx.out.warn(match gap.to {
        Some(to) => {
            let to = time::format(to);
            format!("no key of set {whose} signs from {from} to {to}")
        }
        None => format!(
            "no key of set {whose} signs from {from} on; `jwks rotate {} --force` stages a successor",
            whose.set
        ),
    });
}
