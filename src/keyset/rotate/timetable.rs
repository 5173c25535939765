//! Schedules one line: stages the successor of its active key, and sets the ends of retired keys.

use crate::error::Result;
use crate::key::parts::UNCONFIRMED;
use crate::keyset::lifecycle::{State, begin};
use crate::keyset::rotate::lines::LineId;
use crate::keyset::rotate::template::Template;
use crate::keyset::rotate::{CLOCK_DIFFERENCE, NewKey, Planner, Position, Successor, Time};

/// The times at which an active key needs a successor.
struct Due {
    /// The successor begins at one of these times, or whole leads later.
    times: Vec<Time>,
    /// True if the successor is needed at once, because the age of the key is unknown.
    is_overdue: bool,
}

impl Planner<'_, '_> {
    /// Stages the successor of a line's active key if it is due, and sets the ends of the retired keys.
    pub(super) fn schedule_line(&mut self, line: LineId) -> Result<()> {
        let Some(active) = self.lines.active(line) else {
            return self.restart_line(line);
        };
        if self.policy.kid_from.needs_certificate() {
            // A rotation that will fail when it is due fails at once.
            Template::like(&self.lines.set.keys[active], self.policy)?;
        }
        let schedule = self.policy.schedule;
        let mut pending = self.lines.pending(line);
        let ends = self.lines.end_of_line(line);
        // A key that moves to another line can be followed by pending keys of its own line.
        let moves = self.lines.followed_from(active);
        if let Some(moves) = moves.filter(|moves| pending.iter().all(|(nbf, _)| nbf >= moves)) {
            self.end_in_turn(Some(active), &[], moves);
            if let Some(ends) = ends {
                self.end_in_turn(None, &pending, ends);
            }
            return Ok(());
        }
        if let Some(ends) = ends {
            self.end_in_turn(Some(active), &pending, ends);
            return Ok(());
        }
        let key = &self.lines.set.keys[active];
        let mut is_unlike = false;
        if self.policy.asks_for_material(&self.lines.headers[active]) {
            let wanted = Template::like(key, self.policy)?;
            is_unlike = !wanted.fits(key);
            let keys = &self.lines.set.keys;
            let fits = |(_, i): &(Time, Position)| wanted.fits(&keys[*i]);
            let (fit, unfit) = pending.into_iter().partition(fits);
            pending = fit;
            // A pending key of the old size or curve would need a successor as soon as it signs.
            let unfit: Vec<(Time, Position)> = unfit;
            for (_, position) in unfit {
                self.drop_pending(position);
            }
        }
        let first = pending.first().map(|(nbf, _)| *nbf);
        let due = self.due(active, first);
        let needed = if is_unlike || self.policy.force || due.is_overdue {
            Some(self.earliest_begin())
        } else {
            due.times
                .iter()
                .filter_map(|due| self.begin_of_successor(*due))
                .min()
        };
        let latest = needed.or(due.times.iter().copied().min());
        let latest = latest.unwrap_or(Time::MAX);
        let is_held = pending.last().is_some_and(|(nbf, _)| *nbf == UNCONFIRMED);
        let mut newer = Vec::new();
        let next = match (first.filter(|first| *first <= latest), needed) {
            // Nothing is staged beside a key that is held, until that one signs.
            (None, Some(_)) if is_held => Some(UNCONFIRMED),
            (None, Some(nbf)) => {
                let template = Template::like(key, self.policy)?;
                let mut new = self.new_key(template, nbf);
                let nbf = new.nbf.unwrap_or(nbf);
                if new.nbf.is_none() {
                    newer.extend(self.takes_over(first));
                    let end = newer.first().filter(|_| schedule.keep == 0);
                    new.exp = end.map(|end| end.saturating_add(schedule.grace()));
                }
                self.add_key(new);
                Some(self.last_signature(nbf))
            }
            (next, _) => next,
        };
        match (next, &due.times) {
            (Some(next), _) if self.lines.headers[active].exp.is_some() => {
                self.extend_end(active, next.saturating_add(schedule.grace()));
            }
            (None, times) => {
                let staging: Vec<_> = times.iter().map(|due| self.staging_time(*due)).collect();
                self.due.extend(staging);
            }
            _ => {}
        }
        newer.extend(next);
        self.end_retired(line, &newer, schedule.keep);
        self.stage_after_pending(&pending)
    }

    /// Stages the successors of pending keys that have an end and no successor. When these keys sign, it
    /// can be too late.
    fn stage_after_pending(&mut self, pending: &[(Time, Position)]) -> Result<()> {
        let nexts = pending.iter().skip(1).map(|(nbf, _)| Some(*nbf));
        let lead = self.policy.schedule.lead();
        for ((begins, position), next) in pending.iter().zip(nexts.chain([None])) {
            let exp = self.lines.headers[*position].exp;
            let Some(exp) = exp.filter(|exp| next.is_none_or(|next| next > *exp)) else {
                continue;
            };
            if next == Some(UNCONFIRMED) {
                self.extend_end(*position, UNCONFIRMED);
                continue;
            }
            let grace = self.policy.schedule.grace();
            let due = exp.saturating_sub(grace).max(begins.saturating_add(lead));
            let Some(nbf) = self.begin_of_successor(due) else {
                self.due.push(self.staging_time(due));
                continue;
            };
            let template = Template::like(&self.lines.set.keys[*position], self.policy)?;
            let new = self.new_key(template, nbf);
            let nbf = new.nbf.unwrap_or(nbf);
            self.add_key(new);
            self.extend_end(*position, nbf.saturating_add(grace));
        }
        Ok(())
    }

    /// Returns the time at which the first pending key takes over from a new key that signs at once; `None`
    /// if the new key needs a successor before that.
    fn takes_over(&self, first: Option<Time>) -> Option<Time> {
        let every = self.policy.schedule.every;
        let due = every.map(|every| self.policy.now.saturating_add(every));
        first.filter(|first| due.is_none_or(|due| *first <= due))
    }

    /// Returns the times at which an active key needs a successor, because of its age and its end. `first`
    /// is the beginning of the first pending key of its line.
    fn due(&self, active: Position, first: Option<Time>) -> Due {
        let header = &self.lines.headers[active];
        let schedule = self.policy.schedule;
        let begin = begin(header);
        let by_age = schedule
            .every
            .and_then(|every| Some(begin?.saturating_add(every)));
        // Tokens would outlive the key unless the successor begins early enough.
        let by_end = header
            .exp
            .filter(|exp| first.is_none_or(|first| first > *exp));
        let by_end = by_end.map(|exp| exp.saturating_sub(schedule.grace()));
        Due {
            times: by_age.into_iter().chain(by_end).collect(),
            is_overdue: schedule.every.is_some() && begin.is_none(),
        }
    }

    /// Returns the earliest time at which a key that is staged now can sign.
    pub(super) fn earliest_begin(&self) -> Time {
        self.policy.now.saturating_add(self.policy.schedule.lead())
    }

    /// Returns the time until which a key can sign whose successor begins at `begins`. Clocks can differ, so
    /// a successor that begins at once overlaps with it.
    pub(super) fn last_signature(&self, begins: Time) -> Time {
        begins.max(self.policy.now.saturating_add(CLOCK_DIFFERENCE))
    }

    /// Returns the time at which a successor is staged that is due at `due`: two leads before, so that all
    /// rotations within a lead give it the same beginning.
    fn staging_time(&self, due: Time) -> Time {
        due.saturating_sub(self.policy.schedule.lead().saturating_mul(2))
    }

    /// Returns the time at which a successor that is due at `due` begins: then, or as many whole leads later
    /// as it takes to publish it for one lead. Returns `None` if it is too early to stage it.
    fn begin_of_successor(&self, due: Time) -> Option<Time> {
        if self.policy.now < self.staging_time(due) {
            return None;
        }
        let lead = self.policy.schedule.lead();
        let late = self.earliest_begin().saturating_sub(due).max(0);
        Some(match lead {
            0 => due.max(self.policy.now),
            lead => {
                let leads = late.saturating_add(lead - 1) / lead;
                due.saturating_add(leads.saturating_mul(lead))
            }
        })
    }

    /// Creates a key at once in a line without a signing key. A line that has not begun or has moved gets
    /// none. A line whose pending keys the server can wait for gets none either.
    fn restart_line(&mut self, line: LineId) -> Result<()> {
        let signer = self.lines.signer_before(line);
        let Some(last) = signer.or_else(|| self.lines.last_begun(line)) else {
            return Ok(());
        };
        let begun = self.lines.followed_from(last);
        if let Some(begun) = begun.filter(|begun| *begun <= self.policy.now) {
            // The line has moved to a key that was held, so it had no end before.
            self.end_retired(line, &[self.last_signature(begun)], 0);
        }
        if signer.is_none() && self.keep_successor_of_line(line) {
            return Ok(());
        }
        let pending = self.lines.pending(line);
        if self.server_signers.by_other && !pending.is_empty() {
            // The server keeps its signing key until one of these has been published for long enough.
            return Ok(());
        }
        let is_awaited = |(_, i): &(Time, Position)| !self.lines.predecessors(*i).is_empty();
        if signer.is_none() && pending.iter().any(is_awaited) {
            return Ok(());
        }
        let headers = &self.lines.headers;
        let successor = self.lines.successor(last);
        let was_pending = |i: Position| self.lines.state_before(i) == Some(State::Pending);
        let next = match successor {
            // The line moves to another line later.
            Some(i) if was_pending(i) && !self.lines.compromised.contains(&i) => headers[i].nbf,
            Some(i) if was_pending(i) => None,
            None if headers[last].successor.is_none() => None,
            None if signer.is_some() => None,
            None if self.lines.has_predecessors(line) => None,
            Some(_) if self.lines.is_on_circle(line) => None,
            _ => return Ok(()),
        };
        let kid = headers[last].successor.as_deref().map(str::to_owned);
        let template = Template::like(&self.lines.set.keys[last], self.policy)?;
        let schedule = self.policy.schedule;
        let due = schedule
            .every
            .map(|every| self.policy.now.saturating_add(every));
        let first = pending.first().map(|(nbf, _)| *nbf);
        let ends = self.lines.end_of_line(line);
        let ends = ends.filter(|ends| *ends > self.policy.now);
        // If the line ends, so does each of its keys.
        let first = match ends {
            Some(_) => first,
            None => self.takes_over(first),
        };
        let staged = due.and_then(|due| self.begin_of_successor(due));
        let staged = staged.filter(|_| first.is_none() && next.is_none());
        let staged = staged.map(|nbf| self.new_key(template.clone(), nbf));
        let staged_begin = staged
            .as_ref()
            .map(|new| new.nbf.unwrap_or(self.policy.now));
        let end = first
            .or(staged_begin)
            .filter(|end| *end < UNCONFIRMED && (schedule.keep == 0 || ends.is_some()));
        let fresh = self.add_key(NewKey {
            template: template.clone(),
            nbf: None,
            planned: None,
            exp: next
                .or(end)
                .map(|next| next.saturating_add(schedule.grace())),
            successor: kid.filter(|_| next.is_some()).map(Successor::Existing),
        });
        if let Some(new) = staged {
            self.add_key(new);
        }
        self.redirect_from_removed(line, &fresh);
        self.due.extend(due.map(|due| self.staging_time(due)));
        if let Some(ends) = ends {
            self.end_in_turn(None, &pending, ends);
        }
        let mut newer: Vec<_> = first.or(staged_begin).into_iter().collect();
        newer.push(self.policy.now);
        self.end_retired(line, &newer, schedule.keep);
        match ends {
            Some(_) => Ok(()),
            None => self.stage_after_pending(&pending),
        }
    }
}
