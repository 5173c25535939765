//! Removes keys, and redirects the keys that name them as their successor.

use crate::keyset::lifecycle::State;
use crate::keyset::rotate::lines::{LineId, is_without_fault};
use crate::keyset::rotate::server_state;
use crate::keyset::rotate::{Planner, Position, Successor};
use std::collections::HashMap;

impl Planner<'_, '_> {
    /// Removes the compromised keys. If a push has to remove them from a server first, they expire now
    /// and are marked as revoked.
    pub(super) fn take_out_compromised(&mut self) {
        let now = self.policy.now;
        for position in self.lines.compromised.clone() {
            if !self.policy.keep_expired {
                self.plan.removed.insert(position);
                continue;
            }
            if !server_state::is_revoked(&self.lines.set.keys[position]) {
                self.plan.revoked.insert(position);
            }
            if self.lines.headers[position].exp.is_none_or(|exp| exp > now) {
                self.plan.ends.insert(position, now);
            }
        }
    }

    /// Removes a pending key. If a push has to remove it from a server first, it expires now.
    pub(super) fn drop_pending(&mut self, position: Position) {
        self.plan.begins.remove(&position);
        self.plan.planned.remove(&position);
        if self.policy.keep_expired {
            self.plan.ends.insert(position, self.policy.now);
        } else {
            self.plan.removed.insert(position);
        }
    }

    /// Removes the expired keys of the selected lines, except invalid keys.
    pub(super) fn remove_expired(&mut self) {
        if self.policy.keep_expired {
            return;
        }
        for line in self.lines.ids() {
            if !self.lines.is_selected(line, self.policy) {
                continue;
            }
            let expired = self.lines.keys(line).filter(|i| self.lines.is_expired(*i));
            let expired = expired.filter(|i| is_without_fault(&self.lines.set.keys[*i]));
            self.plan.removed.extend(expired);
        }
    }

    /// Gives a new successor to the keys whose successor is removed: the active key of its line, or else
    /// its own successor. So a line that has moved does not sign again.
    pub(super) fn skip_removed_successors(&mut self) {
        if self.plan.removed.is_empty() {
            return;
        }
        let headers = self.lines.headers.iter().enumerate();
        let kids = headers.filter_map(|(i, header)| Some((header.kid.as_deref()?.to_owned(), i)));
        // If several keys have the same kid, the first one is the successor.
        let positions: HashMap<_, _> = kids.rev().collect();
        let mut ends = HashMap::new();
        for leading in 0..self.lines.headers.len() {
            let successor = self.planned_successor(leading);
            let Some(gone) = self.removed_successor(&positions, successor.as_ref()) else {
                continue;
            };
            if let Some(successor) = self.last_replacement(gone, &positions, &mut ends)
                && !self.plan.removed.contains(&leading)
            {
                self.set_successor(leading, &successor);
            }
        }
    }

    /// Returns the position of a successor that has begun and will be removed.
    fn removed_successor(
        &self,
        positions: &HashMap<String, Position>,
        successor: Option<&Successor>,
    ) -> Option<Position> {
        let Some(Successor::Existing(kid)) = successor else {
            return None;
        };
        let position = positions.get(kid).copied();
        position.filter(|position| self.is_removed_signer(*position))
    }

    /// Follows successors from a removed key to the first one that stays; `None` if they form a circle.
    /// `ends` caches the results, so that no successor is visited twice.
    fn last_replacement(
        &self,
        from: Position,
        positions: &HashMap<String, Position>,
        ends: &mut HashMap<Position, Option<Successor>>,
    ) -> Option<Successor> {
        let (mut here, mut way) = (from, Vec::new());
        let end = loop {
            if let Some(known) = ends.get(&here) {
                break known.clone();
            }
            way.push(here);
            ends.insert(here, None);
            let successor = self.replacement_of(here);
            match self.removed_successor(positions, successor.as_ref()) {
                Some(next) => here = next,
                None => break successor,
            }
        };
        ends.extend(way.into_iter().map(|position| (position, end.clone())));
        end
    }

    /// Returns true if a key that has begun will be removed.
    fn is_removed_signer(&self, position: Position) -> bool {
        let has_begun = self.lines.state_before(position) != Some(State::Pending);
        has_begun && self.plan.removed.contains(&position)
    }

    /// Returns the key that replaces a removed key as successor.
    fn replacement_of(&self, position: Position) -> Option<Successor> {
        let line = self.lines.line_of(position)?;
        let active = self.lines.active(line);
        let active = active.and_then(|active| self.lines.kid(active));
        let last = || self.planned_successor(self.lines.last_begun(line)?);
        let active = active.map(Successor::Existing);
        active
            .or_else(|| self.planned_successor(position))
            .or_else(last)
    }

    /// Returns the successor of a key after this rotation.
    fn planned_successor(&self, position: Position) -> Option<Successor> {
        match self.plan.successors.get(&position) {
            Some(planned) => planned.clone(),
            None => {
                let successor = self.lines.successor(position)?;
                self.lines.kid(successor).map(Successor::Existing)
            }
        }
    }

    /// Gives another successor to the keys whose successor in a line is expired, or is compromised and had
    /// begun.
    pub(super) fn redirect_from_removed(&mut self, line: LineId, to: &Successor) {
        let gone = self.lines.keys(line).filter(|i| {
            let state = self.lines.state_before(*i);
            let is_taken_out = self.lines.compromised.contains(i) && state != Some(State::Pending);
            is_taken_out || state == Some(State::Expired)
        });
        let gone = self.lines.one_of_each_kid(gone.collect());
        for position in gone {
            self.redirect(position, to);
        }
    }
}
