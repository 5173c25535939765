//! The warning that `create` and `set` share about a use that is not registered.

use crate::context::Context;
use crate::key::attributes::USES;
use crate::nearest::nearest;

/// Warns about a use that is not registered, which other specifications can define.
pub fn warn_of_use(ctx: &Context, usage: Option<&str>) {
    let Some(usage) = usage.filter(|usage| !USES.contains(usage)) else {
        return;
    };
    let meant = nearest(usage, USES).map(|meant| format!("; did you mean {meant}?"));
    ctx.out.warn(format!(
        "the use {usage:?} is not registered, so some verifiers ignore the key{}",
        meant.unwrap_or_default()
    ));
}
