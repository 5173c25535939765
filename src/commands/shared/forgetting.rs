//! A history is deleted for good: what `jwks forget` and `jwks delete --purge` share.

use crate::context::Context;
use crate::error::Result;
use crate::keystore::SetName;
use crate::keystore::history::History;
use crate::report::names::{changed_meanwhile, count};

/// Says what is deleted with a history.
pub fn describe_history(name: &SetName, history: &History) -> String {
    match history.sets() {
        0 => format!("the history of set {name}"),
        number => format!("{} of set {name}", count(number, "earlier version")),
    }
}

/// Deletes a history, unless another process has changed the set since it was read.
pub fn forget(ctx: &Context, name: &SetName, history: &History) -> Result<()> {
    ctx.store.forget(name, |now| {
        if now.last() == history.last() {
            Ok(())
        } else {
            Err(changed_meanwhile(name))
        }
    })?;
    let status = format!("deleted {}", describe_history(name, history));
    ctx.out.status(&status);
    ctx.record_change(status);
    Ok(())
}
