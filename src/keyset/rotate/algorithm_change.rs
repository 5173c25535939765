//! Moves lines to another algorithm: the keys of the old line name their successor in the new line,
//! and the old line ends when the successor begins.

use crate::error::{Error, Result};
use crate::key::attributes::USES;
use crate::keyset::rotate::lines::LineId;
use crate::keyset::rotate::template::Template;
use crate::keyset::rotate::{Planner, Position, Successor, Time};
use std::collections::BTreeSet;

impl Planner<'_, '_> {
    /// Moves the selected lines to the requested algorithm. Returns the lines that have moved and are
    /// no longer scheduled. Returns an error if there is no line to move, or if it is ambiguous which
    /// one moves.
    pub(super) fn move_lines(&mut self) -> Result<BTreeSet<LineId>> {
        let Some(alg) = self.policy.alg else {
            return Ok(BTreeSet::new());
        };
        let template = Template::of_algorithm(alg, self.policy)?;
        let usage = template.usage();
        if self.policy.usage.is_some() && self.policy.usage != usage {
            let usage = usage.unwrap_or_default();
            return Err(Error::usage(format!("{alg} is for use {usage}")));
        }
        let of_use = |line: &LineId| self.lines.usage(*line) == usage;
        let lines = self.lines.ids().filter(of_use);
        let (target, others): (Vec<_>, Vec<_>) =
            lines.partition(|line| self.lines.alg(*line) == Some(alg));
        let target = target.first().copied();
        let sources = self.sources(target, &others);
        if sources.is_empty() {
            return if self.has_signer(target) {
                Ok(BTreeSet::new())
            } else {
                Err(self.nothing_to_move(alg, &others))
            };
        }
        let active = target.and_then(|target| self.lines.active(target));
        let is_taken = active.is_some_and(|active| !self.waits_for(active, &sources));
        if self.policy.lines.is_empty() && (sources.len() > 1 || is_taken) {
            return Err(self.unclear(alg, &sources, target));
        }
        let (successor, begins) = self.successor(template, &sources, target);
        for line in &sources {
            self.name_successor(*line, &successor, begins);
        }
        Ok(sources.into_iter().collect())
    }

    /// Returns the lines to move: those whose last key has no successor. If there are none and the target
    /// has no signing key, returns the lines without keys that can sign.
    fn sources(&self, target: Option<LineId>, others: &[LineId]) -> Vec<LineId> {
        let meant = others
            .iter()
            .copied()
            .filter(|line| self.lines.is_selected(*line, self.policy));
        let meant: Vec<LineId> = meant.collect();
        let without_successor = meant.iter().copied();
        let without_successor: Vec<_> = without_successor
            .filter(|line| self.lines.without_successor(*line).is_some())
            .collect();
        if !without_successor.is_empty() || self.has_signer(target) {
            return without_successor;
        }
        let is_lost = |line: &LineId| {
            let last = self.lines.last_begun(*line);
            last.is_some_and(|last| self.lines.headers[last].successor.is_none())
        };
        meant.into_iter().filter(is_lost).collect()
    }

    /// Returns true if a line has an active or pending key.
    fn has_signer(&self, line: Option<LineId>) -> bool {
        line.is_some_and(|line| self.lines.active(line).is_some() || self.lines.has_pending(line))
    }

    /// Returns true if the successor of a key is in one of these lines, which are in ascending order. If
    /// these lines move to the line of the key, it needs no successor.
    fn waits_for(&self, position: Position, lines: &[LineId]) -> bool {
        let successor = self.lines.successor(position);
        let line = successor.and_then(|i| self.lines.line_of(i));
        line.is_some_and(|line| lines.binary_search(&line).is_ok())
    }

    fn nothing_to_move(&self, alg: &str, others: &[LineId]) -> Error {
        let mut meant = others
            .iter()
            .filter(|line| self.lines.is_selected(**line, self.policy));
        let moving = meant.find_map(|line| {
            let key = self.lines.active(*line)?;
            let next = self.lines.line_of(self.lines.successor(key)?)?;
            Some((self.lines.name(*line), self.lines.name(next)))
        });
        match moving {
            Some((line, next)) => Error::refused(format!("line {line} already moves to {next}"))
                .hint(format!("pass --line {next} to move it on to {alg}")),
            None => {
                let error = Error::not_found(format!("no line can move to {alg}"));
                match self.line_of_private_use() {
                    Some((line, usage)) => {
                        error.hint(format!("pass --use {usage} to move line {line}"))
                    }
                    None => error.hint("a line moves only to an algorithm for the same use"),
                }
            }
        }
    }

    /// Returns the name and the use of a line whose use is not registered, if one is selected.
    fn line_of_private_use(&self) -> Option<(&str, &str)> {
        let mut lines = self.lines.ids();
        lines.find_map(|line| {
            let usage = self.lines.usage(line).filter(|it| !USES.contains(it))?;
            let is_meant = self.lines.is_selected(line, self.policy);
            is_meant.then(|| (self.lines.name(line), usage))
        })
    }

    fn unclear(&self, alg: &str, sources: &[LineId], target: Option<LineId>) -> Error {
        let lines = sources.iter().copied().chain(target);
        let names: Vec<_> = lines.map(|line| self.lines.name(line)).collect();
        let names = names.join(" and ");
        Error::refused(format!("several lines can move to {alg}: {names}"))
            .hint("pass --line LINE to choose lines; it can be repeated")
    }

    /// Returns the successor of the lines and the time at which it begins: the active key of the target, a
    /// pending key that begins in time, or a new key.
    fn successor(
        &mut self,
        template: Template,
        sources: &[LineId],
        target: Option<LineId>,
    ) -> (Successor, Time) {
        let now = self.policy.now;
        let active = target.and_then(|target| self.lines.active(target));
        if let Some(active) = active
            && let Some(kid) = self.lines.kid(active)
        {
            let pending = target.map(|target| self.lines.pending(target));
            let pending = pending.into_iter().flatten().map(|(_, position)| position);
            for position in pending.chain([active]) {
                if self.waits_for(position, sources) {
                    self.plan.successors.insert(position, None);
                    self.lines.forget_successor(position);
                }
            }
            return (Successor::Existing(kid), now);
        }
        let has_active = sources
            .iter()
            .any(|line| self.lines.active(*line).is_some());
        let pending = sources.iter().flat_map(|line| self.lines.pending(*line));
        let begins = match (has_active, pending.map(|(nbf, _)| nbf).min()) {
            (true, _) => self.earliest_begin(),
            (false, Some(first)) => first.max(self.earliest_begin()),
            (false, None) => now,
        };
        let waiting = target.map(|target| self.lines.pending(target));
        let waiting = waiting.and_then(|pending| pending.first().copied());
        if let Some((nbf, position)) = waiting.filter(|(nbf, _)| *nbf <= begins)
            && let Some(kid) = self.lines.kid(position)
        {
            return (Successor::Existing(kid), nbf);
        }
        let lines = sources.iter();
        let old = lines.filter_map(|line| {
            let last = self.lines.active(*line);
            last.or_else(|| self.lines.last_begun(*line))
        });
        let template = match old.map(|old| &self.lines.set.keys[old]).next() {
            Some(old) => template.certified_like(old),
            None => template,
        };
        let new = self.new_key(template, begins);
        let begins = new.nbf.unwrap_or(begins);
        (self.add_key(new), begins)
    }

    /// Sets the ends of the keys of a line that moves: each ends after the next one has begun, and the last
    /// one after `last`.
    pub(super) fn end_in_turn(
        &mut self,
        signing: Option<Position>,
        pending: &[(Time, Position)],
        last: Time,
    ) {
        let grace = self.policy.schedule.grace();
        let positions = signing.into_iter().chain(pending.iter().map(|(_, i)| *i));
        let skipped = usize::from(signing.is_none());
        let nexts = pending.iter().map(|(nbf, _)| *nbf).skip(skipped);
        let nexts = nexts.chain([last]);
        for (position, next) in positions.zip(nexts).collect::<Vec<_>>() {
            self.extend_end(position, next.saturating_add(grace));
        }
    }

    /// Records the successor of a line in its keys, and removes the keys that would begin after it.
    fn name_successor(&mut self, line: LineId, successor: &Successor, begins: Time) {
        let grace = self.policy.schedule.grace();
        let last = self.last_signature(begins);
        let end = last.saturating_add(grace);
        self.redirect_from_removed(line, successor);
        let (sooner, never): (Vec<_>, Vec<_>) = self
            .lines
            .pending(line)
            .into_iter()
            .partition(|(nbf, _)| *nbf < begins);
        let never: Vec<_> = never.into_iter().map(|(_, position)| position).collect();
        for position in &never {
            self.drop_pending(*position);
        }
        for position in self.lines.one_of_each_kid(never) {
            for leading in self.redirect(position, successor) {
                self.extend_end(leading, end);
            }
        }
        // Every key names the successor, so that no key signs again if another one is removed.
        let pending = sooner.iter().map(|(_, position)| *position);
        for position in self.lines.begun(line).into_iter().chain(pending) {
            self.set_successor(position, successor);
        }
        self.end_in_turn(self.lines.active(line), &sooner, last);
        let next = sooner.first().map_or(last, |(nbf, _)| *nbf);
        self.end_retired(line, &[next], 0);
    }

    /// Records the successor of a line in its other keys if the key that named it is compromised, so that
    /// the line does not sign again. Returns true if it did.
    pub(super) fn keep_successor_of_line(&mut self, line: LineId) -> bool {
        let begun = self.lines.begun(line);
        let would_sign = begun.first().is_some_and(|i| !self.lines.has_successor(*i));
        let Some(successor) = self.lines.moved_to(line).filter(|_| would_sign) else {
            return false;
        };
        let next = self.lines.line_of(successor);
        let signs = next.and_then(|next| self.lines.active(next));
        let Some(kid) = self.lines.kid(signs.unwrap_or(successor)) else {
            return false;
        };
        for position in begun {
            if !self.lines.has_successor(position) {
                self.set_successor(position, &Successor::Existing(kid.clone()));
            }
        }
        true
    }
}
