//! Deletes the history of a set, for `jwks forget` and `jwks delete --purge`.

use crate::context::Context;
use crate::error::Result;
use crate::keystore::SetName;
use crate::keystore::history::History;
use crate::report::names::{changed_meanwhile, count};

/// Describes what is deleted with a history, such as `3 earlier versions of set api`.
pub fn describe_history(name: &SetName, history: &History) -> String {
    match history.sets() {
        0 => format!("the history of set {name}"),
        number => format!("{} of set {name}", count(number, "earlier version")),
    }
}

/// Deletes a history and reports it. Returns an error if another process has changed the set since the
/// history was read.
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
