//! Reads the addresses at which a set is published, to see which keys they serve.

use crate::args::connection::ConnectionArgs;
use crate::commands::shared::served::Served;
use crate::context::Context;
use crate::keyset::KeySet;
use crate::keyset::import::read_set;
use crate::keystore::SetName;
use crate::keystore::deliveries::{Address, Deliveries, Failure};
use crate::remote::fetch_with_caching;
use crate::remote::http::Caching;

/// Reads each address, and keeps in `known` what it serves.
pub(super) fn observe(
    ctx: &Context,
    connection: &ConnectionArgs,
    addresses: &[String],
    name: &SetName,
    set: &KeySet,
    known: &mut Deliveries,
) {
    known
        .published
        .retain(|address, _| addresses.contains(address));
    for address in addresses {
        let read = fetch_with_caching(address, connection.options(ctx))
            .and_then(|(document, caching)| Ok((read_set(document.expose())?, caching)));
        let seen = known.published.entry(address.clone()).or_default();
        match read {
            Ok((served, caching)) => look(ctx, name, address, set, (&served, &caching), seen),
            Err(error) => {
                let message = error.to_string();
                ctx.out
                    .warn(format!("{name}: cannot read {address}: {message}"));
                seen.failed = Some(Failure::after(seen.failed.take(), message, ctx.now));
            }
        }
    }
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
    let since = served.own.into_iter().map(|entry| {
        let first = seen.since.get(&entry).copied().unwrap_or(ctx.now);
        // A clock can have been ahead.
        (entry, first.min(ctx.now))
    });
    *seen = Address {
        read: Some(ctx.now),
        failed: None,
        since: since.collect(),
        foreign: served.foreign,
        max_age: caching.lifetime(),
    };
}
