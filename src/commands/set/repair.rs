//! `jwks set --repair`: repairs keys of the input or of the set.

use crate::commands::shared::repairing::doubt;
use crate::context::Context;
use crate::error::Result;
use crate::key::Key;
use crate::key::header::Header;
use crate::key::repair::{Repair, Repaired, repair};
use crate::keyset::key_name::KeyName;
use crate::keyset::merge::{Merged, RepairedKey};
use crate::keystore::SetName;

/// Repairs the keys of the input. A key whose material is in doubt stays as it is, with a warning; the
/// check of the input decides about it.
pub fn repair_input(ctx: &Context, keys: &mut [Key<'static>]) -> Vec<RepairedKey> {
    let mut all = Vec::new();
    for (index, key) in keys.iter_mut().enumerate() {
        match repair(key, &ctx.checks) {
            Repair::Nothing => {}
            Repair::Repaired(repaired) => {
                all.push(repaired_key(ctx, key, &repaired));
                *key = repaired.key;
            }
            Repair::Doubt(finding) => ctx.out.warn(doubt(index, key, &finding)),
        }
    }
    all
}

/// Returns the name of a repaired key, and what the repair changes.
pub fn repaired_key(ctx: &Context, before: &Key, repaired: &Repaired) -> RepairedKey {
    let (old, new) = (KeyName::of(before), KeyName::of(&repaired.key));
    let is_expired = Header::of(before).exp.is_some_and(|exp| exp <= ctx.now);
    let former = old.public_thumbprint().map(str::to_owned);
    RepairedKey {
        former_thumbprint: former.filter(|_| old.thumbprint != new.thumbprint),
        is_published: !old.is_symmetric && !is_expired,
        findings: repaired.findings.clone(),
        name: new,
    }
}

/// Asks for a confirmation if published keys get another thumbprint. Verifiers and servers can know a
/// key by its thumbprint.
pub fn confirm(ctx: &Context, set: &SetName, merged: &Merged) -> Result<()> {
    let published = merged.repaired.iter().filter(|key| key.is_published);
    let changed = published.filter_map(|key| {
        let old = key.former_thumbprint.as_deref()?;
        let new = key.name.thumbprint.as_deref()?;
        Some(format!("{} from {old} to {new}", key.name.shown()))
    });
    let changed: Vec<_> = changed.collect();
    if changed.is_empty() {
        return Ok(());
    }
    let what = format!("published keys of set {set} would get another thumbprint");
    ctx.prompt.confirm_all(&ctx.out, &what, &changed)
}
