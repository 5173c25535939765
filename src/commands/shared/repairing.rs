//! Repairs keys and reports what a repair changed.

use crate::context::Context;
use crate::error::{Error, Result};
use crate::key::Key;
use crate::key::check::Finding;
use crate::key::repair::{Repair, Repaired, repair};
use crate::keyset::key_name::KeyName;
use crate::report::names::describe;

/// Repairs a key; `None` if there is nothing to repair. `index` is its position. Returns an error if the
/// key material is in doubt.
pub fn repaired(ctx: &Context, index: usize, key: &Key) -> Result<Option<Repaired>> {
    match repair(key, &ctx.checks) {
        Repair::Nothing => Ok(None),
        Repair::Repaired(repaired) => Ok(Some(repaired)),
        Repair::Doubt(finding) => Err(Error::invalid(doubt(index, key, &finding))),
    }
}

/// Returns the message for a key whose material is in doubt. `index` is its position.
pub fn doubt(index: usize, key: &Key, finding: &Finding) -> String {
    let (key, message, rule) = (describe(index, key), &finding.message, finding.rule);
    format!("{key} cannot be repaired: {message} ({rule})")
}

/// Says which findings a repair resolved.
pub fn report_repair(ctx: &Context, name: &KeyName, findings: &[Finding]) {
    let findings = findings.iter();
    let findings = findings.map(|found| format!("{} ({})", found.message, found.rule));
    let findings: Vec<_> = findings.collect();
    ctx.out.status(format!(
        "repaired {}: {}",
        name.shown(),
        findings.join("; ")
    ));
}
