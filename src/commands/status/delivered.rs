//! What the record of deliveries says of the targets, addresses and hooks of a schedule.

use crate::args::schedule::ScheduleArgs;
use crate::args::target::{FileTarget, is_server, server_id};
use crate::commands::status::problem::{Kind, Problem};
use crate::keyset::KeySet;
use crate::keyset::key_name::KeyName;
use crate::keyset::lifecycle;
use crate::keystore::deliveries::{self, Deliveries, Failure};
use crate::remote::shown_address;
use crate::report::names::{count, list_names};
use crate::time;
use serde::Serialize;

/// How long a hook can be pending while a rotation runs, in seconds.
const HOOK_GRACE: i64 = 600;

/// A file or server that gets the set.
#[derive(Debug, Serialize)]
pub(super) struct Target {
    /// `export PATH` or `push REMOTE:NAME`.
    pub(super) target: String,
    /// When it last got the set; `None` if it never did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) delivered: Option<i64>,
    #[serde(flatten)]
    pub(super) failure: Option<Failed>,
}

/// An address at which the set is published.
#[derive(Debug, Serialize)]
pub(super) struct Address {
    pub(super) address: String,
    /// When it was last read; `None` if it never was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) read: Option<i64>,
    #[serde(flatten)]
    pub(super) failure: Option<Failed>,
    /// How long caches can use what it serves, in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) max_age: Option<u64>,
    /// The number of keys that it serves and the set does not have.
    pub(super) foreign_count: usize,
}

/// A failure that has not ended.
#[derive(Debug, Serialize)]
pub(super) struct Failed {
    pub(super) failed_since: i64,
    pub(super) failure: String,
}

/// A hook that has not run since a change.
#[derive(Debug, Serialize)]
pub(super) struct Hook {
    pub(super) command: String,
    /// When the change was; `None` if the record does not say so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) since: Option<i64>,
}

fn failed(failure: &Option<Failure>) -> Option<Failed> {
    failure.as_ref().map(|failure| Failed {
        failed_since: failure.since,
        failure: failure.message.clone(),
    })
}

/// Returns the targets of a schedule, and the problems of those that failed.
pub(super) fn targets(options: &ScheduleArgs, known: &Deliveries) -> (Vec<Target>, Vec<Problem>) {
    let files = options.export.iter().map(|text| {
        let parsed = FileTarget::parse(text);
        parsed.map_or_else(|_| text.clone(), |file| file.id())
    });
    let servers = options.push.iter().map(|value| {
        let mut ids = known.targets.keys();
        let found = ids.find(|id| is_server(id, value));
        found.cloned().unwrap_or_else(|| server_id(value))
    });
    let (mut targets, mut problems) = (Vec::new(), Vec::new());
    for id in files.chain(servers) {
        let state = known.targets.get(&id);
        let target = Target {
            delivered: state.and_then(|state| state.delivered),
            failure: state.and_then(|state| failed(&state.failed)),
            target: id,
        };
        if let Some(failed) = &target.failure {
            let since = time::format(failed.failed_since);
            let message = format!(
                "{} has failed since {since}: {}",
                target.target, failed.failure
            );
            problems.push(Problem::new(Kind::Target, message));
        }
        targets.push(target);
    }
    (targets, problems)
}

/// Returns the published addresses of a schedule, and their problems. `delay` is the publish delay in seconds.
pub(super) fn addresses(
    options: &ScheduleArgs,
    known: &Deliveries,
    set: &KeySet,
    delay: i64,
    now: i64,
) -> (Vec<Address>, Vec<Problem>) {
    let (mut addresses, mut problems) = (Vec::new(), Vec::new());
    for address in &options.published {
        let default = deliveries::Address::default();
        let seen = known.published.get(address).unwrap_or(&default);
        let shown = Address {
            address: shown_address(address),
            read: seen.read,
            failure: failed(&seen.failed),
            max_age: seen.max_age,
            foreign_count: seen.foreign.len(),
        };
        problems.extend(problems_of(&shown, delay));
        if shown.failure.is_none() && seen.read.is_some() {
            problems.extend(stale(seen, &shown.address, set, now));
        }
        addresses.push(shown);
    }
    (addresses, problems)
}

fn problems_of(address: &Address, delay: i64) -> Vec<Problem> {
    let mut problems = Vec::new();
    let name = &address.address;
    if let Some(failed) = &address.failure {
        let since = time::format(failed.failed_since);
        let message = format!(
            "{name} has been unreadable since {since}: {}",
            failed.failure
        );
        problems.push(Problem::new(Kind::Address, message));
    }
    if address.foreign_count > 0 {
        let number = count(address.foreign_count, "key");
        let message = format!("{name} serves {number} that the set does not have");
        problems.push(Problem::new(Kind::Foreign, message));
    }
    if let Some(max_age) = address.max_age.and_then(|time| i64::try_from(time).ok())
        && max_age > delay
    {
        let message = format!(
            "caches can keep the set of {name} for {}, which is longer than the publish delay ({}); run `jwks advise`",
            time::format_duration(max_age),
            time::format_duration(delay)
        );
        problems.push(Problem::new(Kind::MaxAge, message));
    }
    problems
}

/// Returns the problem of an address that does not serve the keys that sign.
fn stale(seen: &deliveries::Address, address: &str, set: &KeySet, now: i64) -> Option<Problem> {
    let names: Vec<_> = lifecycle::active(set, now).map(KeyName::of).collect();
    let is_missing = |name: &&KeyName| {
        let public = name.kid.as_ref().and(name.public_thumbprint());
        let entry = public.and(name.entry());
        entry.is_some_and(|entry| !seen.since.contains_key(&entry))
    };
    let missing: Vec<_> = names
        .iter()
        .filter(is_missing)
        .map(KeyName::shown)
        .collect();
    (!missing.is_empty()).then(|| {
        let message = format!(
            "{address} does not serve the active key {}",
            list_names(&missing)
        );
        Problem::new(Kind::Stale, message)
    })
}

/// Returns the hooks of a schedule that have not run since a change, and the problems of those that are late.
pub(super) fn hooks(
    options: &ScheduleArgs,
    known: &Deliveries,
    now: i64,
) -> (Vec<Hook>, Vec<Problem>) {
    let (mut hooks, mut problems) = (Vec::new(), Vec::new());
    for command in &options.hook {
        let Some(event) = known.hooks.get(command) else {
            continue;
        };
        let since = event.get("since").or_else(|| event.get("time"));
        let since = since.and_then(serde_json::Value::as_str);
        let since = since.and_then(|text| time::parse(text, now).ok());
        if since.is_none_or(|since| since.saturating_add(HOOK_GRACE) <= now) {
            let when = since.map_or("an earlier change".into(), time::format);
            let message = format!("the hook {command:?} has not succeeded since {when}");
            problems.push(Problem::new(Kind::Hook, message));
        }
        hooks.push(Hook {
            command: command.clone(),
            since,
        });
    }
    (hooks, problems)
}
