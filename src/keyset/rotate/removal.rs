//! Which keys go, and who takes their place in what others say of them.

use super::super::lifecycle::State;
use super::{Planner, Successor, there};

impl Planner<'_, '_> {
    /// Compromised keys go; where a server is to be told of them first, they end now and say why.
    pub(super) fn take_out_compromised(&mut self) {
        let now = self.policy.now;
        for position in self.lines.compromised.clone() {
            if !self.policy.keep_expired {
                self.plan.removed.insert(position);
                continue;
            }
            if !there::is_revoked(&self.lines.set.keys[position]) {
                self.plan.revoked.insert(position);
            }
            if self.lines.headers[position].exp.is_none_or(|exp| exp > now) {
                self.plan.ends.insert(position, now);
            }
        }
    }

    /// A key that has not begun, and is not to, goes; where a server is to be told of it first, it
    /// ends now.
    pub(super) fn give_up(&mut self, position: usize) {
        self.plan.begins.remove(&position);
        if self.policy.keep_expired {
            self.plan.ends.insert(position, self.policy.now);
        } else {
            self.plan.removed.insert(position);
        }
    }

    /// Expired keys of the lines that are meant go, but for those that fail their check: what these
    /// are nobody knows.
    pub(super) fn remove_expired(&mut self) {
        if self.policy.keep_expired {
            return;
        }
        for (number, line) in self.lines.all.iter().enumerate() {
            if !self.lines.is_meant(number, self.policy) {
                continue;
            }
            let expired = line.iter().copied().filter(|i| self.lines.is_expired(*i));
            let expired = expired.filter(|i| self.lines.is_without_fault(*i));
            self.plan.removed.extend(expired);
        }
    }

    /// A line that has moved stays so when the key goes that it moved to.
    pub(super) fn lead_past_removed(&mut self) {
        for position in self.plan.removed.clone() {
            if self.lines.state_before(position) == Some(State::Pending) {
                continue;
            }
            let line = self.lines.line_of(position);
            let active = line.and_then(|line| self.lines.active(line));
            let kid = active.and_then(|active| self.lines.kid(active));
            let own = self.lines.headers[position].successor.as_deref();
            let Some(kid) = kid.or(own.map(str::to_owned)) else {
                continue;
            };
            for leading in self.lines.led_to(position) {
                let is_led = self.plan.successors.contains_key(&leading);
                if !is_led && !self.plan.removed.contains(&leading) {
                    self.succeed(leading, &Successor::There(kid.clone()));
                }
            }
        }
    }

    /// Keys that name a compromised key of a line as their successor, where that one had begun, or
    /// an expired one, name another.
    pub(super) fn redirect_past_gone(&mut self, line: usize, to: &Successor) {
        let gone = self.lines.all[line].clone().into_iter().filter(|i| {
            let state = self.lines.state_before(*i);
            let is_taken_out = self.lines.compromised.contains(i) && state != Some(State::Pending);
            is_taken_out || state == Some(State::Expired)
        });
        for position in gone.collect::<Vec<_>>() {
            self.redirect(position, to);
        }
    }
}
