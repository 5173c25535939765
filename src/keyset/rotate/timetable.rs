//! One line and its schedule: when the active key is followed, and by which one.

use crate::error::Result;
use crate::keyset::lifecycle::{State, begin};
use crate::keyset::rotate::template::Template;
use crate::keyset::rotate::{CLOCK_DIFFERENCE, NewKey, Planner, Successor};

/// When an active key is to be followed.
struct Due {
    /// At each of these times, in seconds since 1970, or else some whole leads later.
    times: Vec<i64>,
    /// At once: it has signed for longer than anybody knows.
    is_overdue: bool,
}

impl Planner<'_, '_> {
    /// Stages the successor of a line's active key when that is due, and dates the keys that
    /// retire.
    pub(super) fn follow_the_calendar(&mut self, line: usize) -> Result<()> {
        let Some(active) = self.lines.active(line) else {
            return self.begin_again(line);
        };
        let schedule = self.policy.schedule;
        let mut pending = self.lines.pending(line);
        let ends = self.lines.end_of_line(line);
        // A key that moves to another line may have pending ones of its own line behind it.
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
            let fits = |(_, i): &(i64, usize)| wanted.fits(&keys[*i]);
            let (fit, unfit) = pending.into_iter().partition(fits);
            pending = fit;
            // A key of the old size or curve would only have to be followed again.
            let unfit: Vec<(i64, usize)> = unfit;
            for (_, position) in unfit {
                self.give_up(position);
            }
        }
        let first = pending.first().map(|(nbf, _)| *nbf);
        let due = self.due(active, first);
        let needed = if is_unlike || self.policy.force || due.is_overdue {
            Some(self.soon())
        } else {
            due.times
                .iter()
                .filter_map(|due| self.beginning(*due))
                .min()
        };
        let latest = needed.or(due.times.iter().copied().min());
        let latest = latest.unwrap_or(i64::MAX);
        let mut newer = Vec::new();
        let next = match (first.filter(|first| *first <= latest), needed) {
            (None, Some(nbf)) => {
                let template = Template::like(key, self.policy)?;
                let mut new = NewKey::from_then_on(template, nbf, self.policy.now);
                if new.nbf.is_none() {
                    newer.extend(self.takes_over(first));
                    let end = newer.first().filter(|_| schedule.keep == 0);
                    new.exp = end.map(|end| end.saturating_add(schedule.grace()));
                }
                self.make(new);
                Some(self.last_signature(nbf))
            }
            (next, _) => next,
        };
        match (next, &due.times) {
            (Some(next), _) if self.lines.headers[active].exp.is_some() => {
                self.end_no_earlier(active, next.saturating_add(schedule.grace()));
            }
            (None, times) => {
                let staging: Vec<_> = times.iter().map(|due| self.staging(*due)).collect();
                self.due.extend(staging);
            }
            _ => {}
        }
        newer.extend(next);
        self.end_retired(line, &newer, schedule.keep);
        self.follow_pending(&pending)
    }

    /// Stages the successors of pending keys that have an end already and nobody behind them: it may
    /// be too late for that when they sign.
    fn follow_pending(&mut self, pending: &[(i64, usize)]) -> Result<()> {
        let nexts = pending.iter().skip(1).map(|(nbf, _)| Some(*nbf));
        let lead = self.policy.schedule.lead();
        for ((begins, position), next) in pending.iter().zip(nexts.chain([None])) {
            let exp = self.lines.headers[*position].exp;
            let Some(exp) = exp.filter(|exp| next.is_none_or(|next| next > *exp)) else {
                continue;
            };
            let grace = self.policy.schedule.grace();
            let due = exp.saturating_sub(grace).max(begins.saturating_add(lead));
            let Some(nbf) = self.beginning(due) else {
                self.due.push(self.staging(due));
                continue;
            };
            let template = Template::like(&self.lines.set.keys[*position], self.policy)?;
            self.make(NewKey::from_then_on(template, nbf, self.policy.now));
            self.end_no_earlier(*position, nbf.saturating_add(grace));
        }
        Ok(())
    }

    /// When a pending key takes over from a new one that signs at once, as it would have from the old
    /// one: where it begins before the new one is due.
    fn takes_over(&self, first: Option<i64>) -> Option<i64> {
        let every = self.policy.schedule.every;
        let due = every.map(|every| self.policy.now.saturating_add(every));
        first.filter(|first| due.is_none_or(|due| *first <= due))
    }

    /// When an active key is to be followed, by its age and by its end. `first` is when the first
    /// pending key of its line begins.
    fn due(&self, active: usize, first: Option<i64>) -> Due {
        let header = &self.lines.headers[active];
        let schedule = self.policy.schedule;
        let begin = begin(header);
        let by_age = schedule
            .every
            .and_then(|every| Some(begin?.saturating_add(every)));
        // Its tokens outlive it unless the next one begins early enough.
        let by_end = header
            .exp
            .filter(|exp| first.is_none_or(|first| first > *exp));
        let by_end = by_end.map(|exp| exp.saturating_sub(schedule.grace()));
        Due {
            times: by_age.into_iter().chain(by_end).collect(),
            is_overdue: schedule.every.is_some() && begin.is_none(),
        }
    }

    /// When a key that is staged now may sign, in seconds since 1970.
    pub(super) fn soon(&self) -> i64 {
        self.policy.now.saturating_add(self.policy.schedule.lead())
    }

    /// Until when a key may sign that is followed from `begins` on by one that nobody knew: some
    /// clock may be ahead.
    pub(super) fn last_signature(&self, begins: i64) -> i64 {
        begins.max(self.policy.now.saturating_add(CLOCK_DIFFERENCE))
    }

    /// When a successor is staged that is due at a time: two leads before, so that every rotation
    /// within a lead gives it the same beginning.
    fn staging(&self, due: i64) -> i64 {
        due.saturating_sub(self.policy.schedule.lead().saturating_mul(2))
    }

    /// When a successor begins that is due at a time: then, or as many whole leads later as it takes
    /// to have it published for one. `None` where it is too early to stage it.
    fn beginning(&self, due: i64) -> Option<i64> {
        if self.policy.now < self.staging(due) {
            return None;
        }
        let lead = self.policy.schedule.lead();
        let late = self.soon().saturating_sub(due).max(0);
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
    fn begin_again(&mut self, line: usize) -> Result<()> {
        let signer = self.lines.signer_before(line);
        let Some(last) = signer.or_else(|| self.lines.last_begun(line)) else {
            return Ok(());
        };
        if signer.is_none() && self.keep_moved(line) {
            return Ok(());
        }
        let pending = self.lines.pending(line);
        if self.signing_there.by_other && !pending.is_empty() {
            // The server keeps its signing key until one of these has been published for long enough.
            return Ok(());
        }
        let is_awaited = |(_, i): &(i64, usize)| !self.lines.led_to(*i).is_empty();
        if signer.is_none() && pending.iter().any(is_awaited) {
            return Ok(());
        }
        let headers = &self.lines.headers;
        let successor = self.lines.successor(last);
        let was_pending = |i: usize| self.lines.state_before(i) == Some(State::Pending);
        let next = match successor {
            // It moves to another line later.
            Some(i) if was_pending(i) && !self.lines.compromised.contains(&i) => headers[i].nbf,
            Some(i) if was_pending(i) => None,
            None if headers[last].successor.is_none() => None,
            None if signer.is_some() => None,
            None if self.lines.is_led_to(line) => None,
            Some(_) if self.lines.leads_around(line) => None,
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
        // Where the line ends, so does each of its keys.
        let first = match ends {
            Some(_) => first,
            None => self.takes_over(first),
        };
        let staged = due.and_then(|due| self.beginning(due));
        let staged = staged.filter(|_| first.is_none() && next.is_none());
        let end = first
            .or(staged)
            .filter(|_| schedule.keep == 0 || ends.is_some());
        let fresh = self.make(NewKey {
            template: template.clone(),
            nbf: None,
            exp: next
                .or(end)
                .map(|next| next.saturating_add(schedule.grace())),
            successor: kid.filter(|_| next.is_some()).map(Successor::ServerState),
        });
        if let Some(nbf) = staged {
            self.make(NewKey::from_then_on(template, nbf, self.policy.now));
        }
        self.redirect_past_gone(line, &fresh);
        self.due.extend(due.map(|due| self.staging(due)));
        if let Some(ends) = ends {
            self.end_in_turn(None, &pending, ends);
        }
        let mut newer: Vec<_> = first.or(staged).into_iter().collect();
        newer.push(self.policy.now);
        self.end_retired(line, &newer, schedule.keep);
        match ends {
            Some(_) => Ok(()),
            None => self.follow_pending(&pending),
        }
    }
}
