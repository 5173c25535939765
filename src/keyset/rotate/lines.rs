//! The lines of a set: their keys, states and successors, as a rotation needs them.

use crate::error::{Error, Result};
use crate::key::Key;
use crate::key::attributes::check_use;
use crate::key::check::{is_supported, may_sign, public_findings};
use crate::key::header::Header;
use crate::key::parts::holds_secret;
use crate::keyset::KeySet;
use crate::keyset::lifecycle::{self, State, can_sign, line, line_name, rank, states_of};
use crate::keyset::rotate::{Policy, Position, Time};
use std::cell::OnceCell;
use std::collections::{BTreeSet, HashMap, HashSet};

/// The number of a line, in the order in which the lines first occur in the set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct LineId(usize);

/// The keys of one line that are looked up often, by position.
#[derive(Clone, Copy, Default)]
struct Marks {
    active: Option<Position>,
    signer_before: Option<Position>,
    last_begun: Option<Position>,
    last_to_sign: Option<Position>,
    has_pending: bool,
}

/// The keys of a set and their lines.
pub(super) struct Lines<'s> {
    pub set: &'s KeySet<'s>,
    pub headers: Vec<Header<'s>>,
    /// The positions of each line's keys, in the set's order.
    all: Vec<Vec<Position>>,
    /// The line of each key.
    line_of: Vec<LineId>,
    /// The keys of each line that are looked up often.
    marks: Vec<Marks>,
    /// The keys that can sign and name a successor, by the successor's kid.
    leading: HashMap<String, Vec<Position>>,
    /// True for each line on a circle of successors; computed on first use.
    circles: OnceCell<Vec<bool>>,
    /// The positions of the keys that are declared compromised.
    pub compromised: BTreeSet<Position>,
    /// The positions of the private keys that fail their check.
    pub invalid: Vec<Position>,
    /// The state of each key that can sign.
    states: Vec<Option<State>>,
    /// The successor in another line of each key that can sign.
    successors: Vec<Option<Position>>,
    now: Time,
}

impl<'s> Lines<'s> {
    /// Groups the keys of a set into lines. `headers` are those of its keys, with adjusted dates.
    pub fn of(
        set: &'s KeySet<'s>,
        mut headers: Vec<Header<'s>>,
        compromised: BTreeSet<Position>,
        now: Time,
    ) -> Self {
        let mut all: Vec<Vec<Position>> = Vec::new();
        let mut line_of = Vec::with_capacity(headers.len());
        let mut numbers = HashMap::new();
        for (position, header) in headers.iter().enumerate() {
            let number = *numbers.entry(line(header)).or_insert(all.len());
            if number == all.len() {
                all.push(Vec::new());
            }
            all[number].push(position);
            line_of.push(LineId(number));
        }
        // Within a line, the dates decide which key follows, so a successor in the same line is ignored.
        for line in &all {
            if line.iter().all(|i| headers[*i].successor.is_none()) {
                continue;
            }
            let kids: HashSet<_> = line.iter().map(|i| headers[*i].kid.clone()).collect();
            for position in line {
                let successor = &mut headers[*position].successor;
                if successor.is_some() && kids.contains(successor) {
                    *successor = None;
                }
            }
        }
        let counts: Vec<_> = set.keys.iter().map(can_sign).collect();
        let private = (0..headers.len()).filter(|i| is_private(&set.keys[*i]));
        let invalid = private.filter(|i| !counts[*i]).collect();
        let mut states = states_of(&headers, now, |i| counts[i]);
        for (state, counts) in states.iter_mut().zip(&counts) {
            *state = state.filter(|_| *counts);
        }
        let successors = lifecycle::successors(&headers, |i| counts[i]);
        let mut leading: HashMap<String, Vec<Position>> = HashMap::new();
        for (position, header) in headers.iter().enumerate() {
            if let Some(successor) = header.successor.as_deref()
                && states[position].is_some()
            {
                leading.entry(successor.into()).or_default().push(position);
            }
        }
        let mut lines = Lines {
            set,
            headers,
            line_of,
            marks: Vec::new(),
            leading,
            circles: OnceCell::new(),
            all,
            compromised,
            invalid,
            states,
            successors,
            now,
        };
        lines.marks = lines.ids().map(|line| lines.mark(line)).collect();
        lines
    }

    fn mark(&self, line: LineId) -> Marks {
        let begins = |i: Position| !lifecycle::never_begins(&self.headers[i]);
        let mut keys = self.keys(line);
        Marks {
            active: self.in_state(line, State::Active).next(),
            signer_before: keys.find(|i| self.states[*i] == Some(State::Active)),
            last_begun: self.newest(line, |i| {
                let has_begun = self.states[i].is_some_and(|state| state != State::Pending);
                has_begun && begins(i)
            }),
            last_to_sign: self.newest(line, |i| {
                let is_unexpired = self.state(i).is_some_and(|state| state != State::Expired);
                is_unexpired && begins(i)
            }),
            has_pending: !self.pending(line).is_empty(),
        }
    }

    /// Returns an error if nothing in the set can be rotated, or if it lacks a line that was named.
    pub fn check(&self, policy: &Policy) -> Result<()> {
        for name in policy.lines {
            let is_there = |name: &str| self.ids().any(|line| self.name(line) == name);
            // A line that has moved to the new algorithm can already be gone, so its name is no error.
            let has_moved = policy.alg.is_some_and(is_there);
            if !is_there(name) && !has_moved {
                let names: Vec<_> = self.ids().map(|line| self.name(line)).collect();
                return Err(Error::not_found(format!("no line {name:?}"))
                    .hint(format!("lines of the set: {}", names.join(", "))));
            }
        }
        if let Some(usage) = policy.usage {
            let has_it = self
                .headers
                .iter()
                .any(|header| header.effective_use() == Some(usage));
            if !has_it {
                check_use(usage)?;
            }
        }
        if !self.states.iter().any(Option::is_some) {
            return Err(if self.headers.is_empty() {
                Error::refused("the set has no keys")
                    .hint("run `jwks create SET` to create the first key")
            } else {
                Error::refused("no key has a valid private part that may sign or decrypt")
                    .hint("only the holder of the private keys can rotate them; run `jwks list SET` and `jwks check SET` to see why")
            });
        }
        Ok(())
    }

    /// The lines of the set.
    pub fn ids(&self) -> impl Iterator<Item = LineId> + use<> {
        (0..self.all.len()).map(LineId)
    }

    /// The positions of a line's keys, in the set's order.
    pub fn keys(&self, line: LineId) -> impl Iterator<Item = Position> + '_ {
        self.all[line.0].iter().copied()
    }

    fn first_header(&self, line: LineId) -> Option<&Header<'s>> {
        let first = self.keys(line).next()?;
        Some(&self.headers[first])
    }

    /// The line of a key.
    pub fn line_of(&self, position: Position) -> Option<LineId> {
        self.line_of.get(position).copied()
    }

    /// Returns the name of a line: its algorithm, or else its curve or key type.
    pub fn name(&self, line: LineId) -> &str {
        self.first_header(line).map_or("", line_name)
    }

    /// Returns the `alg` of the keys of a line. A curve can have the same name: Ed25519.
    pub fn alg(&self, line: LineId) -> Option<&str> {
        self.first_header(line)?.alg.as_deref()
    }

    /// Returns the use of the keys of a line.
    pub fn usage(&self, line: LineId) -> Option<&str> {
        self.first_header(line)?.effective_use()
    }

    /// Returns true if the options select a line.
    pub fn is_selected(&self, line: LineId, policy: &Policy) -> bool {
        let name = self.name(line);
        let is_named = policy.lines.is_empty()
            || policy.alg == Some(name)
            || policy.lines.iter().any(|other| other == name);
        is_named && (policy.usage.is_none() || self.usage(line) == policy.usage)
    }

    /// Returns the state of a key that can sign and is not compromised.
    pub fn state(&self, position: Position) -> Option<State> {
        self.states[position].filter(|_| !self.compromised.contains(&position))
    }

    /// Returns the state of a key that can sign, even if it is compromised.
    pub fn state_before(&self, position: Position) -> Option<State> {
        self.states[position]
    }

    /// Returns the keys of a line in a state, in the set's order.
    pub fn in_state(&self, line: LineId, state: State) -> impl Iterator<Item = Position> + '_ {
        self.keys(line)
            .filter(move |i| self.state(*i) == Some(state))
    }

    /// Returns the active key of a line.
    pub fn active(&self, line: LineId) -> Option<Position> {
        self.marks[line.0].active
    }

    /// Returns the active key of a line before this rotation, which can be compromised.
    pub fn signer_before(&self, line: LineId) -> Option<Position> {
        self.marks[line.0].signer_before
    }

    /// Returns true if a line has a pending key that will sign.
    pub fn has_pending(&self, line: LineId) -> bool {
        self.marks[line.0].has_pending
    }

    /// Returns the pending keys of a line that will sign, each with its beginning, in order.
    pub fn pending(&self, line: LineId) -> Vec<(Time, Position)> {
        let keys = self.in_state(line, State::Pending);
        let keys = keys.filter(|i| !lifecycle::never_begins(&self.headers[*i]));
        let mut pending: Vec<_> = keys
            .filter_map(|i| Some((self.headers[i].nbf?, i)))
            .collect();
        pending.sort_unstable();
        pending
    }

    /// Returns the active and retired keys of a line, the newest first.
    pub fn begun(&self, line: LineId) -> Vec<Position> {
        let has_begun =
            |i: &Position| matches!(self.state(*i), Some(State::Active | State::Retired));
        let mut begun: Vec<_> = self.keys(line).filter(has_begun).collect();
        begun.sort_by_key(|i| std::cmp::Reverse(rank(&self.headers, *i)));
        begun
    }

    /// Returns the newest key of a line that has begun, even if it is expired or compromised.
    pub fn last_begun(&self, line: LineId) -> Option<Position> {
        self.marks[line.0].last_begun
    }

    /// Returns the time at which a line ends because it moves to another: when the successor of its last
    /// key begins, but not before that key.
    pub fn end_of_line(&self, line: LineId) -> Option<Time> {
        let last = self.last_to_sign(line)?;
        let begins = self.followed_from(last)?;
        Some(begins.max(self.headers[last].nbf.unwrap_or(begins)))
    }

    /// Returns the time at which the successor of a key in another line begins.
    pub fn followed_from(&self, position: Position) -> Option<Time> {
        let successor = self.successor(position)?;
        let begins = self.headers[successor].nbf.unwrap_or(self.now);
        self.has_successor(position).then_some(begins)
    }

    /// Returns the successor in another line of the newest retired key of a line that is compromised.
    pub fn moved_to(&self, line: LineId) -> Option<Position> {
        let is_retired = |i: Position| self.states[i] == Some(State::Retired);
        let newest = self.newest(line, |i| self.compromised.contains(&i) && is_retired(i));
        self.successor(newest?)
    }

    fn last_to_sign(&self, line: LineId) -> Option<Position> {
        self.marks[line.0].last_to_sign
    }

    /// Returns the key of a line that signs last, if it has no successor.
    pub fn without_successor(&self, line: LineId) -> Option<Position> {
        let last = self.last_to_sign(line);
        last.filter(|last| !self.has_successor(*last))
    }

    fn newest(&self, line: LineId, is_meant: impl Fn(Position) -> bool) -> Option<Position> {
        let keys = self.keys(line).filter(|i| is_meant(*i));
        keys.max_by_key(|i| rank(&self.headers, *i))
    }

    pub fn kid(&self, position: Position) -> Option<String> {
        let kid = self.headers[position].kid.as_deref();
        kid.map(str::to_owned)
    }

    /// Returns the key of another line that a key names as its successor, if that key can sign and
    /// begins some day.
    pub fn successor(&self, position: Position) -> Option<Position> {
        self.successors[position]
    }

    /// Removes the successor of a key in another line.
    pub fn forget_successor(&mut self, position: Position) {
        self.headers[position].successor = None;
        self.successors[position] = None;
        self.circles.take();
    }

    /// Returns true if a key names a successor in another line. A compromised successor counts only if it
    /// has begun.
    pub fn has_successor(&self, position: Position) -> bool {
        self.successor(position).is_some_and(|i| {
            let has_begun = self.headers[i].nbf.is_none_or(|nbf| nbf <= self.now);
            !self.compromised.contains(&i) || has_begun
        })
    }

    /// Returns the keys that can sign and name a key as their successor.
    pub fn predecessors(&self, position: Position) -> Vec<Position> {
        let Some(kid) = self.headers[position].kid.as_deref() else {
            return Vec::new();
        };
        // The successor can have been removed in the meantime.
        let names = |i: &Position| self.headers[*i].successor.as_deref() == Some(kid);
        let leading = self.leading.get(kid).into_iter().flatten().copied();
        leading.filter(names).collect()
    }

    /// Reduces positions to one key for each kid, so that the keys that name it are visited once. Keys
    /// without a kid are dropped, because no key can name them.
    pub fn one_of_each_kid(&self, mut positions: Vec<Position>) -> Vec<Position> {
        let mut seen = HashSet::new();
        positions.retain(|i| {
            let kid = self.headers[*i].kid.as_deref();
            kid.is_some_and(|kid| seen.insert(kid))
        });
        positions
    }

    /// Returns true if published keys name a key of a line as their successor.
    pub fn has_predecessors(&self, line: LineId) -> bool {
        let keys = self.one_of_each_kid(self.keys(line).collect());
        let leading = keys.into_iter().flat_map(|i| self.predecessors(i));
        let mut states = leading.filter_map(|i| self.state(i));
        states.any(|state| state != State::Expired)
    }

    /// Returns true if the line is on a circle of lines that have moved to each other, so that no key
    /// signs in any of them.
    pub fn is_on_circle(&self, line: LineId) -> bool {
        self.circles.get_or_init(|| self.find_circles())[line.0]
    }

    fn find_circles(&self) -> Vec<bool> {
        let moved_to = |line: LineId| {
            let next = self.line_of(self.successor(self.last_begun(line)?)?)?;
            let has_signer = self.active(next).is_some() || self.has_pending(next);
            (!has_signer).then_some(next.0)
        };
        let next: Vec<_> = self.ids().map(moved_to).collect();
        lifecycle::on_circles(&next)
    }

    pub fn is_expired(&self, position: Position) -> bool {
        self.headers[position]
            .exp
            .is_some_and(|exp| exp <= self.now)
    }
}

/// Returns true if a key has its private part, and its type and curve are supported.
pub fn is_private(key: &Key) -> bool {
    let is_known = key.members().is_ok_and(|members| is_supported(&members));
    is_known && holds_secret(key)
}

/// Returns true if the key is valid, and so are its `use`, `alg` and `key_ops`.
pub fn is_without_fault(key: &Key) -> bool {
    may_sign(&public_findings(key))
}
