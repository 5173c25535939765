//! Warns about a publish delay that is shorter than the time for which verifiers cache the set.

use crate::context::Context;
use crate::keyset::KeySet;
use crate::keyset::verifiers::caches::cache_of;
use crate::keystore::SetName;
use crate::keystore::deliveries::Deliveries;
use crate::time::format_duration;

/// Warns if caches can lack a new key for longer than the publish delay, which is in seconds. Prints one warning,
/// about the cache that keeps the set for longest.
pub(super) fn warn_of_short_delay(
    ctx: &Context,
    name: &SetName,
    set: &KeySet,
    delay: i64,
    known: &Deliveries,
) {
    let addresses = known.published.iter();
    let addresses = addresses.filter_map(|(address, seen)| Some((seen.max_age?, address.clone())));
    let addresses: Vec<(u64, String)> = addresses.collect();
    let lifetime = addresses.iter().map(|(time, _)| *time).max();
    let declared = set.declared_verifiers().into_iter();
    let verifiers = declared.filter_map(|verifier| {
        let time = cache_of(&verifier)?.lacks_new_keys_for(lifetime);
        Some((time, format!("the verifier {verifier}")))
    });
    let longest = addresses.into_iter().chain(verifiers).max();
    let Some((time, who)) = longest else {
        return;
    };
    let time = i64::try_from(time).unwrap_or(i64::MAX);
    if time > delay {
        let (time, delay) = (format_duration(time), format_duration(delay));
        ctx.out.warn(format!(
            "{name}: the publish delay ({delay}) is shorter than the cache lifetime of {who} ({time}); run `jwks advise {name}`"
        ));
    }
}
