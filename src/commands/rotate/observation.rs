//! Reads the addresses at which a set is published, to see which keys they serve.

use crate::args::connection::ConnectionArgs;
use crate::commands::shared::served::Served;
use crate::context::Context;
use crate::keyset::KeySet;
use crate::keyset::import::read_set;
use crate::keyset::rotate::Publication;
use crate::keystore::SetName;
use crate::keystore::deliveries::{Address, Deliveries, Failure};
use crate::remote::fetch_with_caching;
use crate::remote::http::Caching;
use std::collections::{BTreeMap, HashMap};

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
        let read = fetch_with_caching(address, connection.options(ctx))
            .and_then(|(document, caching)| Ok((read_set(document.expose())?, caching)));
        let seen = known.published.entry(address.clone()).or_default();
        let served = match read {
            Ok((served, caching)) => {
                look(ctx, name, address, set, (&served, &caching), seen);
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
    (served, caching): (&KeySet, &Caching),
    seen: &mut Address,
) {
    let served = Served::compare(set, served);
    for fault in served.faults(&seen.foreign) {
        ctx.out.warn(format!("{name}: {address} {fault}"));
    }
    let since = served.own.into_iter().map(|thumbprint| {
        let first = seen.since.get(&thumbprint).copied().unwrap_or(ctx.now);
        // A clock can have been ahead.
        (thumbprint, first.min(ctx.now))
    });
    *seen = Address {
        read: Some(ctx.now),
        failed: None,
        since: since.collect(),
        foreign: served.foreign,
        max_age: caching.lifetime(),
    };
}
