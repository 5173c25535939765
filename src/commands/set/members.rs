//! `jwks set` without a FILE: members of the set's own keys.

use crate::commands::set::SetArgs;
use crate::context::Context;
use crate::error::{Error, Result};
use crate::key::Key;
use crate::key::attributes::Attributes;
use crate::key::check::new_fault;
use crate::keyset::key_name::KeyName;
use crate::keyset::merge::Merged;
use crate::keystore::{IfMissing, SetName};
use crate::report::names::describe;

/// Changes members of the set's own keys.
pub fn change(
    ctx: &Context,
    args: &SetArgs,
    name: &SetName,
    attributes: &Attributes,
) -> Result<Merged> {
    // Members are those of a set that exists.
    ctx.store.load(name)?;
    let protection = args.encrypt.protection(ctx, name)?;
    let protection = protection.as_ref();
    ctx.store.change(name, IfMissing::Fail, protection, |set| {
        let positions: Vec<usize> = match &args.kid {
            Some(kid) => {
                let found = set.find_exactly(kid);
                vec![found.map_err(|error| error.about(format!("set {name}")))?]
            }
            None => (0..set.keys.len()).collect(),
        };
        let mut merged = Merged::default();
        for position in positions {
            let key = &set.keys[position];
            let Some(changed) = changed(key, attributes) else {
                merged.unchanged.push(KeyName::of(key));
                continue;
            };
            if let Some(fault) = new_fault(key, &changed, &ctx.checks) {
                let key = describe(position, key);
                let message = format!("{key}: {} ({})", fault.message, fault.rule);
                return Err(Error::invalid(message));
            }
            merged.updated.push(KeyName::of(&changed));
            set.keys[position] = changed;
        }
        Ok(merged)
    })
}

/// The key with the attributes; `None` where that changes nothing, or nothing can be changed.
fn changed(key: &Key, attributes: &Attributes) -> Option<Key<'static>> {
    let before = key.members().ok()?;
    let mut members = before.clone();
    attributes.overwrite(&mut members);
    (members != before).then(|| Key::from(members))
}
