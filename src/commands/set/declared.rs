//! `jwks set --verifiers`: declares the verifiers of a set.

use crate::commands::set::SetArgs;
use crate::commands::set::report::report;
use crate::commands::shared::verifiers::{refusals, warn};
use crate::context::Context;
use crate::error::Result;
use crate::keyset::merge::Merged;
use crate::keyset::verifiers;
use crate::keystore::{IfMissing, SetName};
use crate::report::names::SetLabel;

/// The value of --verifiers that removes the declaration.
pub const NONE: &str = "none";

/// Declares the verifiers of a set, and warns if they do not accept the set. Returns an error for an
/// unknown verifier.
pub fn declare(ctx: &Context, args: &SetArgs, name: &SetName) -> Result<()> {
    let given = &args.verifiers;
    let mut declared: Vec<String> = Vec::new();
    if given != &[NONE] {
        verifiers::named(given)?;
        for verifier in given {
            if !declared.contains(verifier) {
                declared.push(verifier.clone());
            }
        }
    }
    let protection = args.encrypt.protection(ctx, name)?;
    let protection = protection.as_ref();
    let refused = ctx.store.change(name, IfMissing::Fail, protection, |set| {
        set.declare_verifiers(&declared);
        Ok(refusals(ctx, name.as_str(), set))
    })?;
    let words = match &declared[..] {
        [] => format!("set {name}: declares no verifiers"),
        declared => format!("set {name}: declares the verifiers {}", declared.join(", ")),
    };
    ctx.record_change(&words);
    warn(ctx, refused);
    if ctx.out.is_json() {
        return report(ctx, SetLabel::local(name.as_str()), &Merged::default());
    }
    ctx.out.status(words);
    Ok(())
}
