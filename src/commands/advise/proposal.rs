//! Derives the delays of a rotation from what is known of caches, signers and tokens.

use crate::commands::advise::{Address, Named};
use crate::keyset::rotate::Schedule;
use crate::time::format_duration;

/// The longest cache lifetime of an address for which a publish delay is proposed, in seconds: a day. For a longer
/// one, the headers should change.
const LONGEST_LIFETIME: i64 = 86_400;

/// The least time that is added for verifiers that repeat a failed fetch, in seconds.
const LEAST_MARGIN: i64 = 5 * 60;

/// The shortest and the longest `max-age` that is proposed, in seconds.
const SHORTEST_MAX_AGE: i64 = 60;
const LONGEST_MAX_AGE: i64 = 3600;

/// What is known of a set. Times are in seconds.
pub(super) struct Facts<'a> {
    pub(super) schedule: Schedule,
    pub(super) addresses: &'a [Address],
    pub(super) verifiers: &'a [Named],
    pub(super) token_lifetime: Option<i64>,
    /// How long it takes to publish a changed set.
    pub(super) publish_interval: i64,
    /// How long it takes until a signer uses a new key.
    pub(super) signer_reload: i64,
}

/// A proposed time in seconds, and why it is proposed.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Proposed {
    /// `None` if too little is known.
    pub(super) value: Option<i64>,
    pub(super) reason: String,
}

/// The proposed settings.
pub(super) struct Proposal {
    pub(super) schedule: Schedule,
    pub(super) publish_delay: Proposed,
    pub(super) retire_after: Proposed,
    /// The `max-age` of the addresses.
    pub(super) max_age: Proposed,
}

/// A time, and for the reason, what takes it.
type Part = (i64, String);

impl Proposal {
    pub(super) fn of(facts: &Facts) -> Proposal {
        let lifetimes = lifetimes(facts);
        let lifetime = lifetimes.iter().map(|(time, _)| *time).max();
        let longest = lifetime.unwrap_or(0);
        let fits = |lifetime: i64| {
            let delay = with_margin(lifetime).saturating_add(facts.publish_interval);
            let every = facts.schedule.every.unwrap_or(i64::MAX);
            lifetime <= LONGEST_LIFETIME && delay.saturating_mul(2) <= every
        };
        let is_usable = fits(longest);
        // If an address lets caches keep the set for too long, the headers change first.
        let lifetime = lifetime.filter(|_| is_usable);
        let mut caches = waits(facts, lifetime);
        caches.extend(lifetimes.into_iter().filter(|_| is_usable));
        let now = facts.schedule.publish_delay;
        let publish_delay = match delay(facts, &caches, is_usable) {
            Some(proposed) if is_usable => not_shorter(facts, proposed),
            needed if is_usable => needed.unwrap_or(Proposed {
                value: None,
                reason: "nothing is known of caches: pass --published or --verifier".into(),
            }),
            needed => {
                let needed = needed.and_then(|proposed| proposed.value);
                let max_age = max_age(facts, now, longest, is_usable);
                let value = needed.max(max_age.value.map(with_margin));
                let kept = format_duration(longest);
                Proposed {
                    value: value.max(Some(now)),
                    reason: format!(
                        "with the max-age below; caches can keep the set for {kept} now, and a new key would have to wait for that long"
                    ),
                }
            }
        };
        // A longer delay that an address needs because of its max-age is no reason for that max-age.
        let delay = publish_delay
            .value
            .filter(|_| is_usable)
            .unwrap_or(now)
            .min(now);
        Proposal {
            schedule: facts.schedule,
            publish_delay,
            retire_after: retire_after(facts),
            max_age: max_age(facts, delay, longest, is_usable),
        }
    }
}

/// Keeps the current delay if it is longer and the lifetime of a cache is not known.
fn not_shorter(facts: &Facts, proposed: Proposed) -> Proposed {
    let now = facts.schedule.publish_delay;
    let addresses = facts.addresses.iter();
    let mut unknown: Vec<&str> = addresses
        .filter(|address| lifetime(address).is_none())
        .map(|address| address.address.as_str())
        .collect();
    let verifiers = facts.verifiers.iter();
    let verifiers = verifiers.filter(|verifier| verifier.cache.is_none());
    unknown.extend(verifiers.map(|verifier| verifier.name.as_str()));
    if unknown.is_empty() || proposed.value >= Some(now) {
        return proposed;
    }
    let reason = format!(
        "not shorter than now, because the cache lifetime of {} is not known; otherwise, {}",
        unknown.join(", "),
        proposed.reason
    );
    Proposed {
        value: Some(now),
        reason,
    }
}

/// Returns the cache lifetime of an address by its headers; `None` if it is not known.
fn lifetime(address: &Address) -> Option<i64> {
    let lifetime = address.caching.as_ref().ok()?.lifetime()?;
    i64::try_from(lifetime).ok()
}

/// Returns the cache lifetimes by the headers of the addresses.
fn lifetimes(facts: &Facts) -> Vec<Part> {
    let addresses = facts.addresses.iter();
    let lifetimes = addresses.filter_map(|address| {
        let what = format!("of cache lifetime at {}", address.address);
        Some((lifetime(address)?, what))
    });
    lifetimes.collect()
}

/// Returns how long each verifier can lack a new key.
fn waits(facts: &Facts, lifetime: Option<i64>) -> Vec<Part> {
    let lifetime = lifetime.and_then(|time| u64::try_from(time).ok());
    let verifiers = facts.verifiers.iter();
    let waits = verifiers.filter_map(|verifier| {
        let wait = verifier.cache?.lacks_new_keys_for(lifetime);
        let name = &verifier.name;
        let what = match verifier.cache?.new_kid {
            Some(_) => format!("until {name} fetches the set for an unknown kid"),
            None => format!("for which {name} caches the set"),
        };
        Some((wait as i64, what))
    });
    waits.collect()
}

/// Returns the publish delay that these caches need, with its reason; `None` if nothing is known of caches.
fn delay(facts: &Facts, caches: &[Part], is_usable: bool) -> Option<Proposed> {
    let (longest, what) = caches.iter().max_by_key(|(time, _)| *time)?;
    let mut parts = vec![format!("{} {what}", format_duration(*longest))];
    let mut sum = *longest;
    let mut add = |time: i64, what: &str| {
        if time > 0 {
            parts.push(format!("{} {what}", format_duration(time)));
            sum = sum.saturating_add(time);
        }
    };
    let shared = facts.addresses.iter().filter_map(|address| {
        let shared = address.caching.as_ref().ok()?.shared_lifetime()?;
        Some(shared as i64)
    });
    if is_usable {
        let what = "in a shared cache before that, because many verifiers ignore Age";
        add(shared.max().unwrap_or(0), what);
    }
    add(facts.publish_interval, "until the set is published");
    let padded = with_margin(sum);
    let margin = format_duration(padded - sum);
    parts.push(format!("{margin} for retries"));
    Some(Proposed {
        value: Some(padded),
        reason: parts.join(", "),
    })
}

/// Adds a tenth, and at least five minutes, and rounds up to a minute, or to five minutes if the time is longer
/// than an hour.
fn with_margin(time: i64) -> i64 {
    let padded = time.saturating_add(LEAST_MARGIN.max(time / 10));
    let step = if padded > 3600 { 300 } else { 60 };
    padded.saturating_add(step - 1) / step * step
}

fn retire_after(facts: &Facts) -> Proposed {
    let Some(lifetime) = facts.token_lifetime else {
        return Proposed {
            value: None,
            reason: "pass --token-lifetime, the longest lifetime of a token".into(),
        };
    };
    let mut reason = format!("{} lifetime of a token", format_duration(lifetime));
    if facts.signer_reload > 0 {
        let reload = format_duration(facts.signer_reload);
        reason += &format!(", {reload} until the signer uses the next key");
    }
    let sum = lifetime.saturating_add(facts.signer_reload);
    let value = sum.saturating_add(59) / 60 * 60;
    reason += "; rotate adds a minute for clocks that differ";
    Proposed {
        value: Some(value),
        reason,
    }
}

/// Returns the `max-age` for the addresses: about a quarter of the publish delay, in seconds.
fn max_age(facts: &Facts, delay: i64, longest: i64, is_usable: bool) -> Proposed {
    let of_verifiers = waits(facts, None).into_iter().map(|(time, _)| time).max();
    let least = with_margin(of_verifiers.unwrap_or(0)).saturating_add(facts.publish_interval);
    let delay = delay.max(least);
    let value = (delay / 4 / 60 * 60).clamp(SHORTEST_MAX_AGE, LONGEST_MAX_AGE);
    let is_silent = |address: &Address| address.caching.is_ok() && lifetime(address).is_none();
    let addresses = facts.addresses;
    let has_silent = addresses.iter().any(is_silent);
    let is_read = addresses.iter().any(|address| address.caching.is_ok());
    let is_covered = with_margin(longest) <= facts.schedule.publish_delay;
    if is_usable && is_read && !has_silent && is_covered {
        return Proposed {
            value: Some(longest),
            reason: "as it is: the publish delay covers it".into(),
        };
    }
    let mut reason = format!(
        "a quarter of a publish delay of {}, so that verifiers fetch the set several times within it",
        format_duration(delay)
    );
    if has_silent {
        reason += "; without the header, each cache decides by itself";
    }
    Proposed {
        value: Some(value),
        reason,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Error;
    use crate::keyset::verifiers::caches::cache_of;
    use crate::remote::http::Caching;

    const HOUR: i64 = 3600;
    const DAY: i64 = 24 * HOUR;

    fn address(caching: Option<Caching>) -> Address {
        Address {
            address: "https://h/jwks.json".into(),
            caching: caching.ok_or_else(|| Error::remote("refused")),
            faults: Vec::new(),
        }
    }

    fn with_max_age(seconds: u64) -> Address {
        address(Some(Caching {
            max_age: Some(seconds),
            ..Caching::default()
        }))
    }

    fn proposal(
        addresses: &[Address],
        verifiers: &[&str],
        token_lifetime: Option<i64>,
    ) -> Proposal {
        let verifiers = verifiers.iter().map(|name| Named {
            name: (*name).to_owned(),
            cache: cache_of(name),
        });
        Proposal::of(&Facts {
            schedule: Schedule {
                every: Some(30 * DAY),
                publish_delay: HOUR,
                retire_after: DAY,
                keep: 0,
            },
            addresses,
            verifiers: &verifiers.collect::<Vec<_>>(),
            token_lifetime,
            publish_interval: 0,
            signer_reload: 600,
        })
    }

    fn delay(addresses: &[Address], verifiers: &[&str]) -> (Option<i64>, Option<i64>) {
        let proposal = proposal(addresses, verifiers, None);
        (proposal.publish_delay.value, proposal.max_age.value)
    }

    #[test]
    fn the_longest_cache_decides() {
        assert_eq!(delay(&[], &[]), (None, Some(900)));
        // 20 min of istio and 5 min; jose fetches the set for an unknown kid.
        assert_eq!(delay(&[], &["istio", "jose"]), (Some(25 * 60), Some(360)));
        assert_eq!(
            delay(&[with_max_age(600)], &["jose"]),
            (Some(900), Some(600))
        );
        assert_eq!(delay(&[with_max_age(2 * HOUR as u64)], &[]).0, Some(8100));
        assert_eq!(delay(&[], &["go-oidc"]).0, Some(300));
    }

    #[test]
    fn a_shared_cache_adds_its_time() {
        let caching = Caching {
            max_age: Some(600),
            age: Some(5),
            ..Caching::default()
        };
        let proposal = proposal(&[address(Some(caching))], &[], None);
        assert_eq!(proposal.publish_delay.value, Some(1500));
        assert!(proposal.publish_delay.reason.contains("ignore Age"));
    }

    #[test]
    fn a_delay_is_not_shortened_if_a_cache_is_unknown() {
        let silent = || address(Some(Caching::default()));
        assert_eq!(delay(&[silent()], &["istio"]).0, Some(HOUR));
        assert_eq!(delay(&[address(None)], &["istio"]).0, Some(HOUR));
        assert_eq!(delay(&[], &["istio", "josekit"]).0, Some(HOUR));
        assert_eq!(delay(&[silent()], &["aspnet"]).0, Some(95_100));
    }

    #[test]
    fn an_absurd_max_age_changes_the_headers_and_not_the_delay() {
        for seconds in [7 * DAY as u64, 10 * 365 * DAY as u64] {
            let (value, max_age) = delay(&[with_max_age(seconds)], &["jwx"]);
            assert_eq!((value, max_age), (Some(HOUR), Some(900)), "{seconds}");
        }
        let proposal = proposal(&[with_max_age(7 * DAY as u64)], &[], None);
        assert!(proposal.publish_delay.reason.contains("for 7d now"));
    }

    #[test]
    fn a_key_is_kept_for_the_lifetime_of_a_token() {
        assert_eq!(proposal(&[], &[], None).retire_after.value, None);
        assert_eq!(
            proposal(&[], &[], Some(HOUR)).retire_after.value,
            Some(4200)
        );
        let forever = proposal(&[], &[], Some(i64::MAX)).retire_after.value;
        assert!(forever.is_some_and(|forever| forever > 0));
    }
}
