//! Reads the addresses at which a set is published, to see which keys they serve.

use crate::args::connection::ConnectionArgs;
use crate::context::Context;
use crate::error::{Error, Result};
use crate::key::parts::has_private_member;
use crate::keyset::KeySet;
use crate::keyset::import::read_set;
use crate::keyset::key_name::{KeyName, quote};
use crate::keyset::rotate::Publication;
use crate::keystore::SetName;
use crate::keystore::deliveries::{Address, Deliveries, Failure};
use crate::remote::{fetch, is_address};
use crate::report::names::count;
use std::collections::{BTreeMap, HashMap, HashSet};

/// Returns an error if a value of `--published` is not an address.
pub(super) fn check(addresses: &[String]) -> Result<()> {
    match addresses.iter().find(|address| !is_address(address)) {
        None => Ok(()),
        Some(word) => Err(
            Error::usage(format!("--published {word:?} is not an address"))
                .hint("an address begins with https:// or http://"),
        ),
    }
}

/// Reads each address, and keeps in `known` what it serves. An address that cannot be read confirms no
/// key. Returns what all of them serve; `None` without addresses.
pub(super) fn observe(
    ctx: &Context,
    connection: &ConnectionArgs,
    addresses: &[String],
    name: &SetName,
    set: &KeySet,
    known: &mut Deliveries,
) -> Option<Publication> {
    known
        .published
        .retain(|address, _| addresses.contains(address));
    if addresses.is_empty() {
        return None;
    }
    let mut since: Option<HashMap<String, i64>> = None;
    for address in addresses {
        let read = fetch(address, connection.options(ctx))
            .and_then(|document| read_set(document.expose()));
        let seen = known.published.entry(address.clone()).or_default();
        let served = match read {
            Ok(served) => {
                look(ctx, name, address, set, &served, seen);
                seen.since.clone()
            }
            Err(error) => {
                let message = error.to_string();
                ctx.out
                    .warn(format!("{name}: cannot read {address}: {message}"));
                seen.failed = Some(Failure::after(seen.failed.take(), message, ctx.now));
                BTreeMap::new()
            }
        };
        since = Some(match since {
            None => served.into_iter().collect(),
            Some(all) => {
                let both = all.into_iter();
                both.filter_map(|(key, since)| Some((key.clone(), since.max(*served.get(&key)?))))
                    .collect()
            }
        });
    }
    Some(Publication {
        since: since.unwrap_or_default(),
    })
}

/// Records what an address serves, and warns about what it should not.
fn look(
    ctx: &Context,
    name: &SetName,
    address: &str,
    set: &KeySet,
    served: &KeySet,
    seen: &mut Address,
) {
    let served_names: Vec<_> = served.keys.iter().map(KeyName::of).collect();
    let own: Vec<_> = set.keys.iter().map(KeyName::of).collect();
    let mut kids: HashMap<&str, HashSet<Option<&str>>> = HashMap::new();
    for key in &served_names {
        let thumbprint = key.public_thumbprint();
        kids.entry(key.kid.as_deref().unwrap_or_default())
            .or_default()
            .insert(thumbprint);
    }
    let mut since = BTreeMap::new();
    for key in &own {
        let (Some(kid), Some(thumbprint)) = (key.kid.as_deref(), key.public_thumbprint()) else {
            continue;
        };
        let Some(materials) = kids.get(kid) else {
            continue;
        };
        if materials.len() == 1 && materials.contains(&Some(thumbprint)) {
            let first = seen.since.get(thumbprint).copied().unwrap_or(ctx.now);
            // A clock can have been ahead.
            since.insert(thumbprint.to_owned(), first.min(ctx.now));
        } else {
            let kid = quote(kid);
            ctx.out.warn(format!(
                "{name}: {address} serves another key under the kid {kid}"
            ));
        }
    }
    let known: HashSet<_> = own.iter().filter_map(KeyName::public_thumbprint).collect();
    let foreign = served_names.iter().filter_map(KeyName::public_thumbprint);
    let foreign: std::collections::BTreeSet<_> = foreign
        .filter(|thumbprint| !known.contains(thumbprint))
        .map(str::to_owned)
        .collect();
    if foreign.iter().any(|key| !seen.foreign.contains(key)) {
        let number = count(foreign.len(), "key");
        ctx.out.warn(format!(
            "{name}: {address} serves {number} that the set does not have"
        ));
    }
    if served.keys.iter().any(has_private_member) {
        ctx.out
            .warn(format!("{name}: {address} serves private keys"));
    }
    *seen = Address {
        read: Some(ctx.now),
        failed: None,
        since,
        foreign,
    };
}
