//! What a rotation makes of a set: planned first, over the dates of its keys and one clock, then
//! applied in one go. The same set at the same time gives the same plan, and a set that was just
//! rotated gives an empty one.
//!
//! In each line the active key is followed by a successor that is published before it signs; the
//! outgoing key stays published until the last token that it signed has run out. Only keys with
//! their private part count: the others are not ours to rotate, and are left as they are.

mod algorithm_change;
mod apply;
mod lines;
mod removal;
mod server_state;
mod template;
mod timetable;

pub use apply::Rotated;
pub use server_state::ServerState;
pub use template::Template;

use crate::error::{Error, Result};
use crate::key::header::Header;
use crate::keyset::KeySet;
use crate::keyset::lifecycle::State;
use lines::Lines;
use server_state::ServerSigners;
use std::collections::{BTreeMap, BTreeSet};

/// How far the clocks of those who rotate, sign, publish and verify may be apart, in seconds. It is
/// added to the publish delay and to the time for which a retired key is kept.
pub const CLOCK_DIFFERENCE: i64 = 60;

/// When keys follow each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Schedule {
    /// For how long a key signs, in seconds; where it is `None` no key is too old.
    pub every: Option<i64>,
    /// For how long a key is published before it signs, in seconds: as long as verifiers keep a
    /// copy of the set.
    pub publish_delay: i64,
    /// For how long a key is published after it has signed, in seconds: as long as a token lives.
    pub retire_after: i64,
    /// How many retired keys of a line get no end.
    pub keep: usize,
}

impl Schedule {
    /// Refuses a schedule that cannot be kept.
    pub fn check(&self) -> Result<()> {
        if self.publish_delay < 0 || self.retire_after < 0 {
            return Err(Error::usage(
                "a publish delay or retire-after is below zero",
            ));
        }
        match self.every {
            Some(every) if every <= 0 => Err(Error::usage("a key cannot sign for no time at all")
                .hint("--every is how long a key signs, such as 30d")),
            Some(every) if every < self.publish_delay => Err(Error::usage(
                "a key would be published for longer than it signs",
            )
            .hint("choose a longer --every or a shorter --publish-delay")),
            _ => Ok(()),
        }
    }

    /// From staging to signing, in seconds.
    fn lead(&self) -> i64 {
        match self.publish_delay {
            // Who keeps no copy has seen the key as soon as it is there.
            0 => 0,
            delay => delay.saturating_add(CLOCK_DIFFERENCE),
        }
    }

    /// From the last signature to the key's end, in seconds.
    fn grace(&self) -> i64 {
        self.retire_after.saturating_add(CLOCK_DIFFERENCE)
    }
}

/// What a rotation is asked for.
#[derive(Clone, Copy, Debug)]
pub struct Policy<'a> {
    /// When keys follow each other.
    pub schedule: Schedule,
    /// The lines that are meant, each by its algorithm, or by its curve or key type where it has
    /// none; all where there is none.
    pub lines: &'a [String],
    /// The use of the lines that are meant.
    pub usage: Option<&'a str>,
    /// The algorithm that the lines move to.
    pub alg: Option<&'a str>,
    /// The curve of new keys.
    pub crv: Option<&'a str>,
    /// The size of new keys in bits.
    pub size: Option<u32>,
    /// Whether every active key is due.
    pub force: bool,
    /// The keys that nobody may trust any more, by kid or thumbprint.
    pub compromised: &'a [String],
    /// What the server has of the set that is to be told of it.
    pub there: Option<ServerState<'a>>,
    /// Whether expired and compromised keys stay for now, so that a server can be told of them.
    pub keep_expired: bool,
    /// The time, in seconds since 1970.
    pub now: i64,
}

impl Policy<'_> {
    /// Whether a curve or size is asked for where this key is.
    fn asks_for_material(&self, header: &Header) -> bool {
        let is_asked = self.crv.is_some() || self.size.is_some();
        is_asked && (self.alg.is_none() || self.alg == header.alg.as_deref())
    }
}

/// The key that another one names as its successor.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Successor {
    /// The kid of a key of the set.
    ServerState(String),
    /// The position among the new keys.
    New(usize),
}

/// A key to be made.
#[derive(Clone, Debug, PartialEq)]
pub struct NewKey {
    /// What it is like.
    pub template: Template,
    /// When it signs, in seconds since 1970; at once where it is `None`.
    pub nbf: Option<i64>,
    /// Its end, in seconds since 1970, where that is known.
    exp: Option<i64>,
    successor: Option<Successor>,
}

/// A rotation that has not happened. Positions are those of the set that it was planned for.
#[derive(Debug, Default)]
pub struct Plan {
    /// The keys to be made.
    pub new: Vec<NewKey>,
    begins: BTreeMap<usize, i64>,
    ends: BTreeMap<usize, i64>,
    successors: BTreeMap<usize, Option<Successor>>,
    revoked: BTreeSet<usize>,
    removed: BTreeSet<usize>,
    /// The private keys that fail their check, and are left as they are.
    pub unsound: Vec<usize>,
    /// The next moment at which the set changes by itself or a rotation has something to do, in
    /// seconds since 1970.
    pub next_change: Option<i64>,
}

impl NewKey {
    fn at_once(template: Template) -> NewKey {
        NewKey {
            template,
            nbf: None,
            exp: None,
            successor: None,
        }
    }

    /// A key that signs from a time on, or at once where that has come.
    fn from_then_on(template: Template, nbf: i64, now: i64) -> NewKey {
        NewKey {
            nbf: Some(nbf).filter(|nbf| *nbf > now),
            ..NewKey::at_once(template)
        }
    }
}

impl Plan {
    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.new.is_empty()
            && self.begins.is_empty()
            && self.ends.is_empty()
            && self.successors.is_empty()
            && self.revoked.is_empty()
            && self.removed.is_empty()
    }

    /// The keys that get another end, each with it, in seconds since 1970.
    pub fn ends(&self) -> impl Iterator<Item = (usize, i64)> + '_ {
        let ends = self.ends.iter().map(|(position, exp)| (*position, *exp));
        ends.filter(|(position, _)| !self.removed.contains(position))
    }

    /// The keys that begin at another time, each with it, in seconds since 1970.
    pub fn begins(&self) -> impl Iterator<Item = (usize, i64)> + '_ {
        self.begins.iter().map(|(position, nbf)| (*position, *nbf))
    }

    /// The keys that go.
    pub fn removed(&self) -> impl Iterator<Item = usize> + '_ {
        self.removed.iter().copied()
    }
}

/// A plan in the making.
struct Planner<'p, 's> {
    lines: Lines<'s>,
    policy: &'p Policy<'p>,
    plan: Plan,
    /// The keys that sign on the server before the next push.
    signing_there: ServerSigners,
    /// When the schedule has something to do for a line next.
    due: Vec<i64>,
}

/// Works out what a rotation would do.
///
/// It is an error where a named key or line is not there, where no key of the set has its private
/// part, where it is not clear which line is to move, or where no new key can be like the old one.
pub fn plan(set: &KeySet, policy: &Policy) -> Result<Plan> {
    policy.schedule.check()?;
    let mut compromised = BTreeSet::new();
    for found in set.find_each(policy.compromised) {
        compromised.extend(found?);
    }
    let mut headers: Vec<_> = set.keys.iter().map(Header::of).collect();
    let mut plan = Plan::default();
    let signing_there = policy.there.map(|there| {
        server_state::allow_for(there, set, &mut headers, &compromised, policy, &mut plan)
    });
    let lines = Lines::of(set, headers, compromised, policy.now);
    lines.check(policy)?;
    let mut planner = Planner {
        lines,
        policy,
        plan,
        signing_there: signing_there.unwrap_or_default(),
        due: Vec::new(),
    };
    planner.take_out_compromised();
    let moved = planner.move_lines()?;
    for line in 0..planner.lines.all.len() {
        if planner.lines.is_meant(line, policy) && !moved.contains(&line) {
            planner.follow_the_calendar(line)?;
        }
    }
    planner.publish_first();
    planner.remove_expired();
    planner.lead_past_removed();
    planner.plan.next_change = planner.next_change();
    planner.plan.unsound = std::mem::take(&mut planner.lines.unsound);
    Ok(planner.plan)
}

impl Planner<'_, '_> {
    fn next_change(&self) -> Option<i64> {
        let headers = self.lines.headers.iter().enumerate();
        let kept = headers.filter(|(i, _)| !self.plan.removed.contains(i));
        let dates = kept.flat_map(|(i, header)| {
            let end = self.plan.ends.get(&i).copied().or(header.exp);
            [header.nbf, end]
        });
        let new = self.plan.new.iter().map(|new| new.nbf);
        let dates = dates.chain(new).flatten().chain(self.due.iter().copied());
        dates.filter(|date| *date > self.policy.now).min()
    }

    /// Delays new keys until they have been published, if the server signs with a key that is not ours.
    fn publish_first(&mut self) {
        let soon = self.soon();
        if self.signing_there.by_other && soon > self.policy.now {
            for new in &mut self.plan.new {
                new.nbf.get_or_insert(soon);
            }
        }
    }

    /// Gives a key its end, where that is another than it has. The tokens of one that still signs on
    /// the server run out from now on.
    fn end(&mut self, position: usize, exp: i64) {
        let last = self.policy.now.saturating_add(self.policy.schedule.grace());
        let exp = match self.signing_there.ours.contains(&position) {
            true => exp.max(last),
            false => exp,
        };
        if self.lines.headers[position].exp != Some(exp) {
            self.plan.ends.insert(position, exp);
        }
    }

    /// Gives a key an end that is late enough, whatever end it has. What has ended, and what nobody
    /// may trust any more, does not come back.
    fn end_no_earlier(&mut self, position: usize, exp: i64) {
        if self.lines.is_expired(position) || self.lines.compromised.contains(&position) {
            return;
        }
        let planned = self.plan.ends.get(&position).copied();
        let planned = planned.or(self.lines.headers[position].exp);
        if planned.is_none_or(|planned| planned < exp) {
            self.end(position, exp);
        }
    }

    /// Names the successor of a key in another line.
    fn succeed(&mut self, position: usize, successor: &Successor) {
        let header = &self.lines.headers[position];
        let is = |kid: Option<&str>| matches!(successor, Successor::ServerState(there) if kid == Some(there));
        if is(header.kid.as_deref()) {
            // Nobody follows himself: the way leads back to where it came from.
            self.plan.successors.insert(position, None);
        } else if is(header.successor.as_deref()) {
            self.plan.successors.remove(&position);
        } else {
            self.plan
                .successors
                .insert(position, Some(successor.clone()));
        }
    }

    /// The keys that named one as their successor name another; which ones these are.
    fn redirect(&mut self, from: usize, to: &Successor) -> Vec<usize> {
        let leading = self.lines.led_to(from);
        for position in &leading {
            self.succeed(*position, to);
        }
        leading
    }

    fn make(&mut self, new: NewKey) -> Successor {
        self.plan.new.push(new);
        Successor::New(self.plan.new.len() - 1)
    }

    /// Retired keys of a line beyond those that are kept get their end. `newer` is when those keys
    /// begin that take over from the active one, the newest first.
    fn end_retired(&mut self, line: usize, newer: &[i64], keep: usize) {
        let (now, grace) = (self.policy.now, self.policy.schedule.grace());
        // The keys from the newest on, each with the beginning of the one that followed it.
        let mut begins: Vec<_> = newer.iter().copied().map(Some).collect();
        let mut retired = Vec::new();
        for position in self.lines.begun(line) {
            let is_active = self.lines.state(position) == Some(State::Active);
            if !newer.is_empty() || !is_active {
                retired.push((position, begins.len()));
            }
            let header = &self.lines.headers[position];
            // Nobody knew of one that began at once.
            let at_once = || header.iat.map(|iat| iat.saturating_add(CLOCK_DIFFERENCE));
            begins.push(header.nbf.or_else(at_once));
        }
        let kept = keep.saturating_sub(newer.len().saturating_sub(1));
        for (number, (position, newer)) in retired.into_iter().enumerate() {
            let has_end = self.lines.headers[position].exp.is_some()
                || self.plan.ends.contains_key(&position);
            if number < kept || has_end || newer == 0 {
                continue;
            }
            let last_signature = begins[newer - 1];
            let pushed_out = begins[newer - 1 - keep.min(newer - 1)];
            let end = last_signature
                .map(|last| last.saturating_add(grace))
                .max(pushed_out)
                .filter(|end| *end > now);
            self.end(position, end.unwrap_or(now.saturating_add(grace)));
        }
    }
}
