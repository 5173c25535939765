//! The sets of a rotation and their saved schedules.

use crate::args::schedule::{self, ScheduleArgs};
use crate::commands::rotate::RotateArgs;
use crate::context::Context;
use crate::error::{Error, Result};
use crate::key::parts::holds_secret;
use crate::keystore::{Schedules, SetName, Stored};

/// Reads the saved schedules. With --compromised, a damaged file is only a warning: taking the key out
/// cannot wait until the file is corrected.
pub(super) fn schedules(ctx: &Context, args: &RotateArgs) -> Result<Schedules> {
    match ctx.store.schedules() {
        Err(error) if !args.compromised.is_empty() && !args.save => {
            ctx.out
                .warn(format!("the saved schedules are ignored: {error}"));
            Ok(Schedules::new())
        }
        schedules => schedules,
    }
}

/// Reads the saved schedule of a set. With --compromised, an invalid schedule is only a warning, too.
pub(super) fn saved_schedule(
    ctx: &Context,
    args: &RotateArgs,
    schedules: &Schedules,
    name: &SetName,
) -> Result<Option<ScheduleArgs>> {
    match schedule::saved(schedules, name) {
        Err(error) if !args.compromised.is_empty() => {
            ctx.out
                .warn(format!("the saved schedule is ignored: {error}"));
            Ok(None)
        }
        saved => saved,
    }
}

/// Returns the sets with a schedule. With --every, also returns every other set that has a private key.
pub(super) fn every_set(
    ctx: &Context,
    args: &RotateArgs,
    schedules: &Schedules,
) -> Result<Vec<SetName>> {
    let mut names = ctx.store.names()?;
    for scheduled in schedules.keys() {
        if !names.iter().any(|name| name.as_str() == scheduled) {
            ctx.out.warn(format!(
                "{scheduled} has a schedule, but no set; run `jwks rotate {scheduled} --forget` to delete it"
            ));
        }
    }
    let is_given = args.schedule.has_period() && !args.forget;
    names.retain(|name| {
        let is_scheduled = schedules.contains_key(name.as_str());
        let is_private = || {
            let known = ctx.store.load(name).map(Stored::known);
            let Ok(Some(document)) = known else {
                // A damaged set is reported when it is rotated.
                return true;
            };
            let set = document.parse();
            set.map_or(true, |set| set.keys.iter().any(holds_secret))
        };
        is_scheduled || is_given && is_private()
    });
    if names.is_empty() {
        ctx.out
            .status("no set has a schedule; run `jwks rotate SET --every 30d --save` to save one");
    }
    Ok(names)
}

pub(super) fn forget(ctx: &Context, names: &[SetName], schedules: &Schedules) -> Result<()> {
    for name in names {
        if !schedules.contains_key(name.as_str()) {
            let none = Error::not_found(format!("set {name} has no schedule"));
            return Err(ctx.store.hint_at_nearest(name, none));
        }
    }
    for name in names {
        ctx.store.forget_deliveries(name)?;
        ctx.store.save_schedule(name, None)?;
        let status = format!("{name}: its schedule is deleted");
        ctx.out.status(&status);
        ctx.record_change(status);
    }
    Ok(())
}
