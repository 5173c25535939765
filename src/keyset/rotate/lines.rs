//! A set seen line by line, with what a rotation may count on.

use crate::error::{Error, Result};
use crate::key::Key;
use crate::key::check::{is_supported, may_sign, public_findings};
use crate::key::header::Header;
use crate::key::parts::holds_secret;
use crate::keyset::KeySet;
use crate::keyset::lifecycle::{self, State, can_sign, line, line_name, rank, states_of};
use crate::keyset::rotate::Policy;
use std::cell::OnceCell;
use std::collections::{BTreeSet, HashMap, HashSet};

/// The keys of one line that are looked up often, by position.
#[derive(Clone, Copy, Default)]
struct Marks {
    active: Option<usize>,
    signer_before: Option<usize>,
    last_begun: Option<usize>,
    last_to_sign: Option<usize>,
    has_pending: bool,
}

/// The keys of a set and their lines.
pub(super) struct Lines<'s> {
    pub set: &'s KeySet<'s>,
    pub headers: Vec<Header<'s>>,
    /// The positions of each line's keys, in the set's order.
    pub all: Vec<Vec<usize>>,
    /// The line of each key.
    line_of: Vec<usize>,
    /// The keys of each line that are looked up often.
    marks: Vec<Marks>,
    /// The keys that count and name a successor, by the successor's kid.
    leading: HashMap<String, Vec<usize>>,
    /// True for each line on a circle of successors; computed on first use.
    circles: OnceCell<Vec<bool>>,
    /// The positions of the keys that are declared compromised.
    pub compromised: BTreeSet<usize>,
    /// The positions of the private keys that fail their check.
    pub unsound: Vec<usize>,
    /// The state of each key that counts, among those that do.
    states: Vec<Option<State>>,
    /// The successor in another line of each key that counts, among those that do: nobody signs with
    /// a public key.
    successors: Vec<Option<usize>>,
    now: i64,
}

impl<'s> Lines<'s> {
    /// `headers` are those of the set's keys, with the dates that count.
    pub fn of(
        set: &'s KeySet<'s>,
        mut headers: Vec<Header<'s>>,
        compromised: BTreeSet<usize>,
        now: i64,
    ) -> Self {
        let mut all: Vec<Vec<usize>> = Vec::new();
        let mut line_of = Vec::with_capacity(headers.len());
        let mut numbers = HashMap::new();
        for (position, header) in headers.iter().enumerate() {
            let number = *numbers.entry(line(header)).or_insert(all.len());
            if number == all.len() {
                all.push(Vec::new());
            }
            all[number].push(position);
            line_of.push(number);
        }
        // Who follows within a line is a matter of dates.
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
        let unsound = private.filter(|i| !counts[*i]).collect();
        let mut states = states_of(&headers, now, |i| counts[i]);
        for (state, counts) in states.iter_mut().zip(&counts) {
            *state = state.filter(|_| *counts);
        }
        let successors = lifecycle::successors(&headers, |i| counts[i]);
        let mut leading: HashMap<String, Vec<usize>> = HashMap::new();
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
            unsound,
            states,
            successors,
            now,
        };
        lines.marks = (0..lines.all.len()).map(|line| lines.mark(line)).collect();
        lines
    }

    fn mark(&self, line: usize) -> Marks {
        let begins = |i: usize| !lifecycle::never_begins(&self.headers[i]);
        let mut keys = self.all[line].iter().copied();
        Marks {
            active: self.in_state(line, State::Active).next(),
            signer_before: keys.find(|i| self.states[*i] == Some(State::Active)),
            last_begun: self.newest(line, |i| {
                let has_begun = self.states[i].is_some_and(|state| state != State::Pending);
                has_begun && begins(i)
            }),
            last_to_sign: self.newest(line, |i| {
                let lives = self.state(i).is_some_and(|state| state != State::Expired);
                lives && begins(i)
            }),
            has_pending: !self.pending(line).is_empty(),
        }
    }

    /// Refuses a set in which nothing can be rotated, and names of lines that it does not have.
    pub fn check(&self, policy: &Policy) -> Result<()> {
        for name in policy.lines {
            let is_there = |name: &str| self.all.iter().any(|line| self.name(line) == name);
            // A line that has moved is gone some day.
            let has_moved = policy.alg.is_some_and(is_there);
            if !is_there(name) && !has_moved {
                let names: Vec<_> = self.all.iter().map(|line| self.name(line)).collect();
                return Err(Error::not_found(format!("no line {name:?}"))
                    .hint(format!("lines of the set: {}", names.join(", "))));
            }
        }
        if let Some(usage) = policy.usage {
            let has_it = self
                .headers
                .iter()
                .any(|header| header.effective_use() == Some(usage));
            if !has_it && !matches!(usage, "sig" | "enc") {
                return Err(Error::not_found(format!("no key is for use {usage:?}"))
                    .hint("keys are for sig or enc, as a rule"));
            }
        }
        if !self.states.iter().any(Option::is_some) {
            return Err(match self.headers.is_empty() {
                true => Error::refused("there is no key to be followed by another")
                    .hint("make the first one: jwks create SET"),
                false => Error::refused("no key has a private part that is without fault")
                    .hint("who holds the private keys rotates them; jwks check tells of faults"),
            });
        }
        Ok(())
    }

    /// The line of a key.
    pub fn line_of(&self, position: usize) -> Option<usize> {
        self.line_of.get(position).copied()
    }

    /// What a line is called: its algorithm, or its curve or key type where it has none.
    pub fn name(&self, line: &[usize]) -> &str {
        line.first().map_or("", |i| line_name(&self.headers[*i]))
    }

    /// The algorithm that the keys of a line name. A curve may have the same name: Ed25519.
    pub fn alg(&self, line: usize) -> Option<&str> {
        let first = self.all[line].first()?;
        self.headers[*first].alg.as_deref()
    }

    /// What the keys of a line are for.
    pub fn usage(&self, line: usize) -> Option<&str> {
        let first = self.all[line].first()?;
        self.headers[*first].effective_use()
    }

    /// Whether a rotation is about a line.
    pub fn is_meant(&self, line: usize, policy: &Policy) -> bool {
        let name = self.name(&self.all[line]);
        let is_named = policy.lines.is_empty()
            || policy.alg == Some(name)
            || policy.lines.iter().any(|other| other == name);
        is_named && (policy.usage.is_none() || self.usage(line) == policy.usage)
    }

    /// The state of a key that counts and is not compromised.
    pub fn state(&self, position: usize) -> Option<State> {
        self.states[position].filter(|_| !self.compromised.contains(&position))
    }

    /// The same for compromised ones, too.
    pub fn state_before(&self, position: usize) -> Option<State> {
        self.states[position]
    }

    /// The keys of a line in a state, in their order.
    pub fn in_state(&self, line: usize, state: State) -> impl Iterator<Item = usize> + '_ {
        let keys = self.all[line].iter().copied();
        keys.filter(move |i| self.state(*i) == Some(state))
    }

    /// The key of a line that signs.
    pub fn active(&self, line: usize) -> Option<usize> {
        self.marks[line].active
    }

    /// The key of a line that signed until now, and may be compromised.
    pub fn signer_before(&self, line: usize) -> Option<usize> {
        self.marks[line].signer_before
    }

    /// Returns true if a line has a pending key that will sign.
    pub fn has_pending(&self, line: usize) -> bool {
        self.marks[line].has_pending
    }

    /// The pending keys of a line that will sign, each with its beginning, the first one first.
    pub fn pending(&self, line: usize) -> Vec<(i64, usize)> {
        let keys = self.in_state(line, State::Pending);
        let keys = keys.filter(|i| !lifecycle::never_begins(&self.headers[*i]));
        let mut pending: Vec<_> = keys
            .filter_map(|i| Some((self.headers[i].nbf?, i)))
            .collect();
        pending.sort_unstable();
        pending
    }

    /// The active and retired keys of a line, the newest first.
    pub fn begun(&self, line: usize) -> Vec<usize> {
        let keys = self.all[line].iter().copied();
        let has_begun = |i: &usize| matches!(self.state(*i), Some(State::Active | State::Retired));
        let mut begun: Vec<_> = keys.filter(has_begun).collect();
        begun.sort_by_key(|i| std::cmp::Reverse(rank(&self.headers, *i)));
        begun
    }

    /// The newest key of a line that has begun, and may have expired or be compromised.
    pub fn last_begun(&self, line: usize) -> Option<usize> {
        self.marks[line].last_begun
    }

    /// When a line ends because it moves to another: when the successor of its last key begins, or
    /// that key itself where it would be too late to sign.
    pub fn end_of_line(&self, line: usize) -> Option<i64> {
        let last = self.last_to_sign(line)?;
        let begins = self.followed_from(last)?;
        Some(begins.max(self.headers[last].nbf.unwrap_or(begins)))
    }

    /// When the successor begins that follows a key in another line.
    pub fn followed_from(&self, position: usize) -> Option<i64> {
        let successor = self.successor(position)?;
        let begins = self.headers[successor].nbf.unwrap_or(self.now);
        self.is_settled(position).then_some(begins)
    }

    /// The successor in another line of the newest key of a line that is taken out.
    pub fn moved_to(&self, line: usize) -> Option<usize> {
        let is_retired = |i: usize| self.states[i] == Some(State::Retired);
        let newest = self.newest(line, |i| self.compromised.contains(&i) && is_retired(i));
        self.successor(newest?)
    }

    fn last_to_sign(&self, line: usize) -> Option<usize> {
        self.marks[line].last_to_sign
    }

    /// The key of a line that is to sign last, where it names no successor that follows it.
    pub fn unsettled(&self, line: usize) -> Option<usize> {
        let last = self.last_to_sign(line);
        last.filter(|last| !self.is_settled(*last))
    }

    fn newest(&self, line: usize, is_meant: impl Fn(usize) -> bool) -> Option<usize> {
        let keys = self.all[line].iter().copied().filter(|i| is_meant(*i));
        keys.max_by_key(|i| rank(&self.headers, *i))
    }

    pub fn kid(&self, position: usize) -> Option<String> {
        let kid = self.headers[position].kid.as_deref();
        kid.map(str::to_owned)
    }

    /// The key of another line that a key names as its successor, where that one has its private
    /// part and begins some day.
    pub fn successor(&self, position: usize) -> Option<usize> {
        self.successors[position]
    }

    /// A key has no successor in another line any more.
    pub fn stay(&mut self, position: usize) {
        self.headers[position].successor = None;
        self.successors[position] = None;
        self.circles.take();
    }

    /// Whether a key names a successor that follows it: one that is there, or was until it was
    /// compromised.
    pub fn is_settled(&self, position: usize) -> bool {
        self.successor(position).is_some_and(|i| {
            let has_begun = self.headers[i].nbf.is_none_or(|nbf| nbf <= self.now);
            !self.compromised.contains(&i) || has_begun
        })
    }

    /// The keys that name a key as their successor, among those that count.
    pub fn led_to(&self, position: usize) -> Vec<usize> {
        let Some(kid) = self.headers[position].kid.as_deref() else {
            return Vec::new();
        };
        // The move to a successor can have been called off.
        let names = |i: &usize| self.headers[*i].successor.as_deref() == Some(kid);
        let leading = self.leading.get(kid).into_iter().flatten().copied();
        leading.filter(names).collect()
    }

    /// Reduces positions to one key for each kid, so that the keys that name it are visited once. Keys
    /// without a kid are dropped, because no key can name them.
    pub fn one_of_each_kid(&self, mut positions: Vec<usize>) -> Vec<usize> {
        let mut seen = HashSet::new();
        positions.retain(|i| {
            let kid = self.headers[*i].kid.as_deref();
            kid.is_some_and(|kid| seen.insert(kid))
        });
        positions
    }

    /// Whether keys that are published lead into a line: whoever follows them looks for a key there.
    pub fn is_led_to(&self, line: usize) -> bool {
        let keys = self.one_of_each_kid(self.all[line].clone());
        let leading = keys.into_iter().flat_map(|i| self.led_to(i));
        let mut states = leading.filter_map(|i| self.state(i));
        states.any(|state| state != State::Expired)
    }

    /// Returns true if the line is on a circle of lines that have moved to each other, so that no key
    /// signs in any of them.
    pub fn leads_around(&self, line: usize) -> bool {
        self.circles.get_or_init(|| self.find_circles())[line]
    }

    fn find_circles(&self) -> Vec<bool> {
        let moved_to = |line: usize| {
            let next = self.line_of(self.successor(self.last_begun(line)?)?)?;
            let has_signer = self.active(next).is_some() || self.has_pending(next);
            (!has_signer).then_some(next)
        };
        let next: Vec<_> = (0..self.all.len()).map(moved_to).collect();
        lifecycle::on_circles(&next)
    }

    pub fn is_expired(&self, position: usize) -> bool {
        self.headers[position]
            .exp
            .is_some_and(|exp| exp <= self.now)
    }
}

/// Whether a key has its private part, and is of a kind that is known.
pub fn is_private(key: &Key) -> bool {
    let is_known = key.members().is_ok_and(|members| is_supported(&members));
    is_known && holds_secret(key)
}

/// Returns true if the key is valid, and so are its `use`, `alg` and `key_ops`.
pub fn is_without_fault(key: &Key) -> bool {
    may_sign(&public_findings(key))
}
