//! The ends of keys: a key stays published until the last token that it signed has expired.

use crate::key::parts::UNCONFIRMED;
use crate::keyset::lifecycle::State;
use crate::keyset::rotate::lines::LineId;
use crate::keyset::rotate::schedule::{CLOCK_DIFFERENCE, Schedule, Time};
use crate::keyset::rotate::{Planner, Position};

impl Planner<'_, '_> {
    /// Sets the end of a key. A key that still signs on the server is kept for the lifetime of a token
    /// from now.
    pub(super) fn set_end(&mut self, position: Position, exp: Time) {
        let last = self.policy.now.saturating_add(self.policy.schedule.grace());
        let exp = if self.server_signers.ours.contains(&position) {
            exp.max(last)
        } else {
            exp
        };
        if self.lines.headers[position].exp != Some(exp) {
            self.plan.ends.insert(position, exp);
        }
    }

    /// Moves the end of a key to `exp` if it ends earlier or has no end. Expired and compromised keys are
    /// unchanged.
    pub(super) fn extend_end(&mut self, position: Position, exp: Time) {
        if exp >= UNCONFIRMED {
            return self.keep_while_waiting(position);
        }
        if self.lines.is_expired(position) || self.lines.compromised.contains(&position) {
            return;
        }
        let planned = self.plan.ends.get(&position).copied();
        let planned = planned.or(self.lines.headers[position].exp);
        if planned.is_none_or(|planned| planned < exp) {
            self.set_end(position, exp);
        }
    }

    /// Moves the end of a key whose successor is held, so that it signs until the successor does. A key
    /// without an end gets none.
    fn keep_while_waiting(&mut self, position: Position) {
        let Schedule { every, .. } = self.policy.schedule;
        let (now, grace) = (self.policy.now, self.policy.schedule.grace());
        let lead = self.policy.schedule.lead();
        let end = self.lines.headers[position].exp;
        let is_soon = |end: Time| end < now.saturating_add(lead).saturating_add(grace);
        if end.is_some_and(is_soon) {
            // The next rotation can be late.
            let longer = every.unwrap_or_default().max(lead.saturating_mul(2));
            self.extend_end(position, now.saturating_add(longer).saturating_add(grace));
        }
    }

    /// Sets the end of the retired keys of a line, except those that the schedule keeps. `newer` are the
    /// times at which the successors of the active key begin, the newest first.
    pub(super) fn end_retired(&mut self, line: LineId, newer: &[Time], keep: usize) {
        let (now, grace) = (self.policy.now, self.policy.schedule.grace());
        let newer: Vec<_> = newer
            .iter()
            .filter(|begins| **begins < UNCONFIRMED)
            .collect();
        // When the keys begin, the newest first.
        let mut begins: Vec<_> = newer.iter().map(|begins| Some(**begins)).collect();
        let mut retired = Vec::new();
        for position in self.lines.begun(line) {
            let is_active = self.lines.state(position) == Some(State::Active);
            if !newer.is_empty() || !is_active {
                retired.push((position, begins.len()));
            }
            let header = &self.lines.headers[position];
            // A key that began at once was not published before.
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
            self.set_end(position, end.unwrap_or(now.saturating_add(grace)));
        }
    }
}
