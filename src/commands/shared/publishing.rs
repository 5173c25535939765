//! How a push publishes a set as a document: its `Cache-Control` header, and the cache lifetime of its keys.

use crate::args::schedule::{self, ScheduleArgs};
use crate::context::Context;
use crate::error::Result;
use crate::keystore::SetName;
use crate::remote::Remote;
use crate::remote::kind::Presentation;
use crate::time::format_duration;

/// Sets the headers of the document that a push publishes, from the publish delay in seconds. The
/// `Cache-Control` of the remote has precedence.
pub fn present(server: &Remote, publish_delay: i64) {
    if !server.kind.rules.publishes {
        return;
    }
    let cache_control = match &server.cache_control {
        Some(cache_control) => cache_control.clone(),
        None => format!("public, max-age={publish_delay}"),
    };
    server.present(&Presentation { cache_control });
}

/// Returns the publish delay of a set, in seconds: that of its saved schedule, or else the default.
pub fn publish_delay(ctx: &Context, name: &SetName) -> Result<i64> {
    let saved = schedule::saved(&ctx.store.schedules()?, name)?;
    let options: ScheduleArgs = saved.unwrap_or_default();
    Ok(options.schedule()?.publish_delay)
}

/// Warns if caches can use the published document for longer than the publish delay: a verifier would not
/// know a new key yet when it signs.
pub fn warn_of_caches(ctx: &Context, server: &Remote, publish_delay: i64) {
    let too_long = |lifetime: Option<u64>| {
        let lifetime = lifetime.and_then(|lifetime| i64::try_from(lifetime).ok());
        let lifetime = lifetime.filter(|lifetime| *lifetime > publish_delay);
        lifetime.map(format_duration)
    };
    let delay = format_duration(publish_delay);
    let Some(lifetime) = too_long(server.lifetime()) else {
        if let Some(lifetime) = too_long(server.replaced_lifetime()) {
            ctx.out.warn(format!(
                "caches can use the replaced set of {} for {lifetime}, which is longer than the publish delay ({delay}); pass a longer --publish-delay to `jwks rotate` until then",
                server.name
            ));
        }
        return;
    };
    let advice = if server.cache_control.is_some() {
        "pass a shorter --cache-control to `jwks remote add`, or a longer --publish-delay to `jwks rotate`"
    } else {
        "configure a shorter lifetime on the server, or pass a longer --publish-delay to `jwks rotate`"
    };
    ctx.out.warn(format!(
        "caches can use the set of {} for {lifetime}, which is longer than the publish delay ({delay}); {advice}",
        server.name
    ));
}
