//! Collects the status of a set from its file, its schedule and its record of deliveries.

use crate::args::schedule::{self, ScheduleArgs};
use crate::commands::status::delivered::{self, Address, Hook, Target};
use crate::commands::status::lines::{self, Ending, Line};
use crate::commands::status::problem::{Kind, Problem};
use crate::context::Context;
use crate::error::{Error, Result};
use crate::key::header::Header;
use crate::keyset::KeySet;
use crate::keyset::lifecycle;
use crate::keyset::rotate::{self, Policy, Schedule};
use crate::keystore::deliveries::Deliveries;
use crate::keystore::{Schedules, SetName, Stored};
use crate::output::JsonError;
use crate::time;
use serde::Serialize;

/// How long a rotation can be due at least before it is overdue, in seconds.
const LEAST_GRACE: i64 = 3600;

/// The status of a set. Times are in seconds since 1970.
#[derive(Debug, Default, Serialize)]
pub(super) struct SetStatus {
    pub(super) set: String,
    pub(super) encrypted: bool,
    /// True if the set has a saved schedule.
    pub(super) scheduled: bool,
    pub(super) lines: Vec<Line>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) next_change: Option<i64>,
    /// True if a rotation is due now.
    pub(super) due: bool,
    /// True if a rotation has been due for too long.
    pub(super) overdue: bool,
    /// The publish delay of the schedule, in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) publish_delay: Option<i64>,
    pub(super) targets: Vec<Target>,
    pub(super) published: Vec<Address>,
    /// The hooks that have not run since a change.
    pub(super) hooks: Vec<Hook>,
    pub(super) certificates: Vec<Ending>,
    pub(super) problems: Vec<Problem>,
    /// Why the set cannot be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) error: Option<JsonError>,
}

impl SetStatus {
    /// Collects the status of a set. What cannot be read is a problem of the set.
    pub(super) fn of(
        ctx: &Context,
        name: &SetName,
        schedules: &Result<&Schedules, String>,
    ) -> Self {
        let mut status = SetStatus {
            set: name.to_string(),
            ..SetStatus::default()
        };
        let options = status.options(name, schedules);
        let schedule = options.schedule().unwrap_or_default();
        let known = ctx.store.deliveries(name).unwrap_or_else(|error| {
            status.unreadable(&error);
            Deliveries::default()
        });
        if status.scheduled {
            status.publish_delay = Some(schedule.publish_delay);
            let (targets, problems) = delivered::targets(&options, &known);
            status.targets = targets;
            status.problems.extend(problems);
            let (hooks, problems) = delivered::hooks(&options, &known, ctx.now);
            status.hooks = hooks;
            status.problems.extend(problems);
        }
        if let Err(error) = status.read(ctx, name, (&options, schedule), &known) {
            status.unreadable(&error);
            status.error = Some(JsonError::from(&error));
        }
        status.problems.sort_by_key(|problem| problem.kind);
        status
    }

    fn unreadable(&mut self, error: &Error) {
        let message = error.to_string();
        self.problems.push(Problem::new(Kind::Unreadable, message));
    }

    /// Returns the saved options of the set.
    fn options(&mut self, name: &SetName, schedules: &Result<&Schedules, String>) -> ScheduleArgs {
        let schedules = match schedules {
            Ok(schedules) => schedules,
            Err(message) => {
                self.problems.push(Problem::new(Kind::Unreadable, message));
                return ScheduleArgs::default();
            }
        };
        let saved = schedule::saved(schedules, name).and_then(|saved| {
            let Some(saved) = saved else {
                return Ok(None);
            };
            saved.schedule()?;
            Ok(Some(saved))
        });
        match saved {
            Ok(saved) => {
                self.scheduled = saved.is_some();
                saved.unwrap_or_default()
            }
            Err(error) => {
                self.unreadable(&error.about("schedule"));
                ScheduleArgs::default()
            }
        }
    }

    /// Reads the set itself, without its passphrase.
    fn read(
        &mut self,
        ctx: &Context,
        name: &SetName,
        (options, schedule): (&ScheduleArgs, Schedule),
        known: &Deliveries,
    ) -> Result<()> {
        let stored = ctx.store.load(name)?;
        self.encrypted = matches!(stored, Stored::Encrypted(_));
        // Another tool wrote this JWE, so nothing is known without the passphrase.
        let Some(document) = stored.known() else {
            return Ok(());
        };
        let set = document.parse()?;
        let grace = schedule.publish_delay.max(LEAST_GRACE);
        let (lines, problems) = lines::lines(&set, ctx.now, grace);
        self.lines = lines;
        self.problems.extend(problems);
        let (certificates, problems) = lines::certificates(&set, ctx.now);
        self.certificates = certificates;
        self.problems.extend(problems);
        if !self.scheduled {
            let headers: Vec<_> = set.keys.iter().map(Header::of).collect();
            self.next_change = lifecycle::next_change(&headers, ctx.now);
            return Ok(());
        }
        let delay = schedule.publish_delay;
        let (published, problems) = delivered::addresses(options, known, &set, delay, ctx.now);
        self.published = published;
        self.problems.extend(problems);
        if let Err(error) = self.plan(&set, (options, schedule), known, ctx.now, grace) {
            let message = format!("the set cannot be rotated: {error}");
            self.problems.push(Problem::new(Kind::Unreadable, message));
        }
        Ok(())
    }

    /// Plans the rotation that is due now, and the one that was due some time ago.
    fn plan(
        &mut self,
        set: &KeySet,
        (options, schedule): (&ScheduleArgs, Schedule),
        known: &Deliveries,
        now: i64,
        grace: i64,
    ) -> Result<()> {
        let (signing, signed) = (known.signing(), known.signed(now));
        let publication = known.publication(&options.published);
        let policy = |now: i64| Policy {
            signing: &signing,
            signed: &signed,
            publication: publication.as_ref(),
            ..options.policy(schedule, now)
        };
        let plan = rotate::plan(set, &policy(now))?;
        self.next_change = plan.next_change;
        if plan.is_empty() {
            return Ok(());
        }
        self.due = true;
        self.next_change = Some(now);
        let earlier = rotate::plan(set, &policy(now.saturating_sub(grace)))?;
        if earlier.is_empty() {
            return Ok(());
        }
        let span = time::format_duration(grace);
        let name = &self.set;
        let problem = if earlier.only_removes() {
            let message = format!(
                "expired keys have been in the set for more than {span}; run `jwks rotate {name}`"
            );
            Problem::new(Kind::Expired, message)
        } else {
            let message =
                format!("a rotation has been due for more than {span}; run `jwks rotate {name}`");
            self.overdue = true;
            Problem::new(Kind::Overdue, message)
        };
        self.problems.push(problem);
        Ok(())
    }
}
