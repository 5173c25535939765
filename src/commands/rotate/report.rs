//! Reports a rotation: a line for each change, or one JSON document for all sets.

mod delivered;
mod step;

use crate::context::Context;
use crate::error::{Error, Result};
use crate::key::Key;
use crate::key::header::Header;
use crate::key::parts::UNCONFIRMED;
use crate::keyset::KeySet;
use crate::keyset::key_name::KeyName;
use crate::keyset::lifecycle::line_name;
use crate::keyset::rotate::{Policy, Retired, Rotated, RotationPlan};
use crate::keystore::SetName;
use crate::output::JsonError;
use crate::report::json::{JsonKeyName, json_keys};
use crate::report::names::count;
use crate::time;
use delivered::Delivered;
use serde::Serialize;
use serde_json::json;
use step::Step;

/// The report about one set.
#[derive(Debug, Default, Serialize)]
pub(super) struct RotationReport {
    set: String,
    changed: bool,
    staged: Vec<JsonKeyName<'static>>,
    activated: Vec<JsonKeyName<'static>>,
    /// The keys that begin later than planned.
    postponed: Vec<JsonKeyName<'static>>,
    /// Keys that were held, and got their beginning.
    confirmed: Vec<JsonKeyName<'static>>,
    retired: Vec<JsonKeyName<'static>>,
    /// The keys of `retired` that had another end before.
    moved_ends: Vec<MovedEnd>,
    removed: Vec<JsonKeyName<'static>>,
    /// New keys without a certificate, although the keys before them have one.
    uncertified: Vec<JsonKeyName<'static>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) next_change: Option<i64>,
    /// What was delivered.
    #[serde(flatten)]
    delivered: Delivered,
    dry_run: bool,
    /// The changes that a dry run would make.
    planned: Vec<Step>,
    pub(super) due: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<JsonError>,
}

/// A key whose end was moved. Times are in seconds since 1970.
#[derive(Debug, Serialize)]
struct MovedEnd {
    #[serde(flatten)]
    key: JsonKeyName<'static>,
    /// The end before.
    from: i64,
    /// The end now.
    to: i64,
}

impl RotationReport {
    pub(super) fn new(name: &SetName, dry_run: bool) -> RotationReport {
        RotationReport {
            set: name.to_string(),
            dry_run,
            ..RotationReport::default()
        }
    }

    /// Returns true if a dry run found something to do.
    pub(super) fn is_due(&self) -> bool {
        self.due
    }

    pub(super) fn fail(&mut self, error: &Error) {
        self.error = Some(error.into());
    }

    /// Reports what a rotation would do.
    pub(super) fn plan(&mut self, ctx: &Context, set: &KeySet, plan: &RotationPlan) {
        let steps = step::steps(set, plan);
        self.due = !plan.is_empty();
        for step in &steps {
            ctx.out
                .status(format!("{}: {}", self.set, step.description()));
        }
        for new in plan
            .new
            .iter()
            .filter(|new| new.template.lacks_certificate())
        {
            let key = new.template.description();
            self.warn_uncertified(ctx, &format!("the new key ({key}) would have"));
        }
        self.planned = steps;
    }

    /// Reports what a rotation has done.
    pub(super) fn add(&mut self, ctx: &Context, rotated: &Rotated, policy: &Policy) {
        let set = self.set.clone();
        let tell = |words: String| ctx.out.status(format!("{set}: {words}"));
        for key in &rotated.staged {
            let header = Header::of(key);
            let shared = match header.kty.as_deref() {
                Some("oct") => "; it is symmetric: give it to its users before that time",
                _ => "",
            };
            let from = match header.nbf {
                Some(UNCONFIRMED) => "once its publication is confirmed".into(),
                nbf => format!("from {}", date(nbf)),
            };
            tell(format!(
                "staged {}, which signs {from}{shared}",
                described(key)
            ));
            self.staged.push(key.into());
        }
        for key in &rotated.activated {
            tell(format!(
                "created {}, which signs from now on",
                described(key)
            ));
            self.activated.push(key.into());
        }
        for key in &rotated.uncertified {
            self.warn_uncertified(ctx, &format!("{} has", described(key)));
            self.uncertified.push(key.into());
        }
        for key in &rotated.postponed {
            let nbf = Header::of(key).nbf;
            tell(if nbf == Some(UNCONFIRMED) {
                format!(
                    "{} is held until its publication is confirmed",
                    described(key)
                )
            } else {
                let from = date(nbf);
                format!(
                    "{} signs only from {from}, because it has not been published for long enough",
                    described(key)
                )
            });
            self.postponed.push(key.into());
        }
        for key in &rotated.confirmed {
            let from = match Header::of(key).nbf.filter(|nbf| *nbf > ctx.now) {
                Some(nbf) => format!("from {}", time::format(nbf)),
                None => "from now on".into(),
            };
            let why = if policy.publication.is_some() {
                "it has been published for long enough"
            } else {
                "no published address is checked"
            };
            tell(format!("{} signs {from}: {why}", described(key)));
            self.confirmed.push(key.into());
        }
        for Retired { key, exp_before } in &rotated.retired {
            if is_compromised(key, policy) {
                continue;
            }
            let exp = Header::of(key).exp;
            tell(format!(
                "{} ends at {}{}",
                described(key),
                date(exp),
                instead_of(*exp_before)
            ));
            if let (Some(from), Some(to)) = (*exp_before, exp) {
                let key = key.into();
                self.moved_ends.push(MovedEnd { key, from, to });
            }
            self.retired.push(key.into());
        }
        let retired = rotated.retired.iter().map(|retired| &retired.key);
        let out = retired.chain(&rotated.removed);
        for key in out.filter(|key| is_compromised(key, policy)) {
            let delay = time::format_duration(policy.schedule.publish_delay);
            tell(format!(
                "revoked {}; verifiers can have it in their caches for up to {delay}: have them fetch the set again",
                described(key)
            ));
        }
        for key in rotated
            .removed
            .iter()
            .filter(|key| !is_compromised(key, policy))
        {
            let why = match Header::of(key).exp.filter(|exp| *exp <= ctx.now) {
                Some(exp) => format!("which ended at {}", time::format(exp)),
                None => "which never signed".into(),
            };
            tell(format!("removed {}, {why}", described(key)));
        }
        self.removed.extend(json_keys(&rotated.removed));
        self.changed |= !rotated.is_empty();
    }

    /// Warns that a key has no certificate, although the key before it has one.
    fn warn_uncertified(&self, ctx: &Context, key: &str) {
        let set = &self.set;
        ctx.out.warn(format!(
            "{set}: {key} no certificate, although the key before it has one: jwks renews only self-signed certificates; add one with `jwks set {set} FILE`"
        ));
    }

    /// Adds keys that have begun to sign since the last rotation.
    pub(super) fn begin(&mut self, keys: &[JsonKeyName<'static>]) {
        let new = keys.iter().filter(|key| !self.activated.contains(key));
        let new: Vec<_> = new.cloned().collect();
        self.activated.extend(new);
    }

    /// Names the keys that sign on the server from now on.
    pub(super) fn signs_there<'k>(&mut self, kids: impl Iterator<Item = &'k str>) {
        for kid in kids {
            if !self.activated.iter().any(|other| other.kid() == Some(kid)) {
                self.activated.push(JsonKeyName::with_kid(kid.to_owned()));
            }
        }
    }
}

/// Returns true if the options name this key as compromised.
pub(super) fn is_compromised(key: &Key, policy: &Policy) -> bool {
    let name = KeyName::of(key);
    policy.compromised.iter().any(|named| name.is(named))
}

/// Prints the JSON document, or a status line about the sets that did not change.
pub(super) fn finish(ctx: &Context, reports: &[RotationReport], is_all: bool) -> Result<()> {
    if ctx.out.is_json() {
        return ctx.out.json(&json!({ "sets": reports }));
    }
    let is_idle = |report: &&RotationReport| {
        let is_quiet = !report.delivered.says_something();
        !report.changed && !report.due && is_quiet && report.error.is_none()
    };
    let idle: Vec<_> = reports.iter().filter(is_idle).collect();
    let next = |reports: &[&RotationReport]| {
        let next = reports.iter().filter_map(|report| report.next_change).min();
        next.map_or(String::new(), |next| {
            format!(" before {}", time::format(next))
        })
    };
    if !is_all {
        for report in idle {
            let set = &report.set;
            ctx.out
                .status(format!("{set}: nothing to do{}", next(&[report])));
        }
    } else if !idle.is_empty() {
        let sets = count(idle.len(), "set");
        ctx.out
            .status(format!("nothing to do in {sets}{}", next(&idle)));
    }
    Ok(())
}

/// Returns what a line about the new end of a key says of its end before.
fn instead_of(exp_before: Option<i64>) -> String {
    exp_before.map_or_else(String::new, |exp| {
        format!(" instead of {}", time::format(exp))
    })
}

fn date(seconds: Option<i64>) -> String {
    seconds.map_or_else(|| "now".into(), time::format)
}

fn handle(key: &Key) -> String {
    let name = KeyName::of(key);
    name.shown().into_owned()
}

/// Returns the kid of a key with the short name of its line, such as `a (ES256)`.
fn described(key: &Key) -> String {
    let header = Header::of(key);
    format!("{} ({})", handle(key), line_name(&header))
}
