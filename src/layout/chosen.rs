//! Chooses the keys of a layout, and puts them in order.

use crate::error::{Error, Result};
use crate::key::Key;
use crate::key::algorithm::Algorithm;
use crate::key::check::Budget;
use crate::key::header::Header;
use crate::key::members::Members;
use crate::key::parts::{DATES, holds_secret};
use crate::key::public::{Dates, public_form};
use crate::keyset::KeySet;
use crate::keyset::key_name::KeyName;
use crate::keyset::lifecycle::{self, State, line_name};
use crate::keyset::push::with_private_part;
use crate::layout::{Audience, Layout, Lines, Options, Write};
use std::collections::BTreeSet;

/// The order of the keys in an export.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Order {
    /// That of the set
    #[default]
    Set,
    /// Signing keys first, then pending keys, then the others
    ActiveFirst,
}

/// The keys of a layout, in its order.
#[derive(Default)]
pub struct Chosen {
    /// The keys.
    pub keys: Vec<ChosenKey>,
}

/// A key of a layout.
pub struct ChosenKey {
    /// Its position in the set.
    pub position: usize,
    /// Its state; `None` if nobody signs with its line here.
    pub state: Option<State>,
    /// True if the signer signs with it.
    pub signs: bool,
    /// Its public form; `None` for symmetric keys.
    pub public: Option<Members<'static>>,
    /// Its form with the private part, without dates; `None` if there is none.
    pub private: Option<Members<'static>>,
}

impl ChosenKey {
    /// Returns the name of the key for messages.
    pub fn name(&self) -> String {
        let members = self.private.as_ref().or(self.public.as_ref());
        let name = members.map(|members| KeyName::of(&Key::from(members.clone())));
        name.map_or_else(String::new, |name| name.shown().into_owned())
    }
}

impl Chosen {
    /// Returns the positions in the set of the keys with which the signer signs.
    pub fn signing_positions(&self) -> Vec<usize> {
        self.signing().map(|key| key.position).collect()
    }

    /// Returns the keys with which the signer signs.
    pub fn signing(&self) -> impl Iterator<Item = &ChosenKey> {
        self.keys.iter().filter(|key| key.signs)
    }
}

impl Layout {
    /// Chooses the keys for the file. Returns an error if no key signs, or if it is ambiguous which line
    /// signs.
    pub fn choose(&self, set: &KeySet, options: Options, budget: &Budget) -> Result<Chosen> {
        let Options { line, keep, now } = options;
        let headers: Vec<_> = set.keys.iter().map(Header::of).collect();
        if let Some(line) = line
            && !headers.iter().any(|header| line_name(header) == line)
        {
            return Err(unknown_line(line, &headers));
        }
        let states = match self.audience {
            Audience::Verifiers => lifecycle::states_by_date(set, now),
            Audience::Signer => lifecycle::signing_states(set, now, budget),
        };
        let is_of_line = |i: usize| line.is_none_or(|line| line_name(&headers[i]) == line);
        let signs = |i: usize| {
            let header = &headers[i];
            states[i] == Some(State::Active)
                && header.effective_use() != Some("enc")
                && self.accepts(header)
        };
        let signing: Vec<usize> = (0..headers.len())
            .filter(|i| signs(*i) && is_of_line(*i))
            .collect();
        let signing = match self.audience {
            Audience::Verifiers => Vec::new(),
            Audience::Signer => self.signers(signing, line, &headers, &states)?,
        };
        let line_of = |i: usize| lifecycle::line_of(&headers[i]);
        let lines: BTreeSet<_> = signing.iter().map(|i| line_of(*i)).collect();
        let active: BTreeSet<_> = (0..headers.len())
            .filter(|i| states[*i] == Some(State::Active))
            .map(line_of)
            .collect();
        let is_held = |i: usize| match (self.audience, self.lines) {
            (Audience::Verifiers, _) => {
                is_of_line(i) && (states[i] != Some(State::Expired) || keep.contains(&i))
            }
            (Audience::Signer, Lines::One) => lines.contains(&line_of(i)),
            (Audience::Signer, Lines::OneSigns) => true,
            // A signer would sign with a pending key whose line has no active one.
            (Audience::Signer, Lines::All) => is_of_line(i) && active.contains(&line_of(i)),
        };
        let has_state = |i: usize| match states[i] {
            Some(State::Expired) => keep.contains(&i),
            Some(state) => self.states.contains(&state),
            None => self.audience == Audience::Verifiers,
        };
        let mut chosen = Chosen::default();
        for i in (0..headers.len()).filter(|i| is_held(*i) && has_state(*i)) {
            let key = &set.keys[i];
            let public = public_form(key, Dates::Drop, budget).ok();
            // The body of a push has the private parts of the signing keys.
            let is_sent = !matches!(self.write, Write::Body(_)) || signing.contains(&i);
            let is_private = self.audience == Audience::Signer && holds_secret(key) && is_sent;
            let private = is_private.then(|| without_dates(with_private_part(key, budget)));
            if public.is_none() && private.is_none() {
                continue;
            }
            chosen.keys.push(ChosenKey {
                position: i,
                state: states[i],
                signs: signing.contains(&i),
                public,
                private,
            });
        }
        if self.audience == Audience::Signer {
            let rank = |key: &ChosenKey| rank(key.state);
            chosen.keys.sort_by_key(rank);
        }
        Ok(chosen)
    }

    /// Returns true if the signer can sign with a key of this header.
    fn accepts(&self, header: &Header) -> bool {
        if self.algorithms.is_empty() {
            return true;
        }
        match header.alg.as_deref() {
            Some(alg) => self.algorithms.contains(&alg),
            None => {
                let kty = header.kty.as_deref().unwrap_or_default();
                let takes = |name: &&str| {
                    let algorithm = Algorithm::named(name);
                    algorithm.is_some_and(|it| it.takes_key(kty, header.crv.as_deref()))
                };
                self.algorithms.iter().any(takes)
            }
        }
    }

    /// Returns the keys that sign. Returns an error if there is none, or too many.
    fn signers(
        &self,
        signing: Vec<usize>,
        line: Option<&str>,
        headers: &[Header],
        states: &[Option<State>],
    ) -> Result<Vec<usize>> {
        let name = self.name;
        if signing.is_empty() {
            let is_active = |i: &usize| {
                states[*i] == Some(State::Active) && headers[*i].effective_use() != Some("enc")
            };
            let others: BTreeSet<_> = (0..headers.len())
                .filter(is_active)
                .map(|i| line_name(&headers[i]))
                .collect();
            if let Some(line) = line
                && !others.contains(line)
            {
                return Err(Error::refused(format!("no key of line {line} signs now")));
            }
            // The algorithms of the signer exclude the other lines.
            let (false, [first, ..]) = (others.is_empty(), self.algorithms) else {
                return Err(Error::refused("no key signs now"));
            };
            return Err(Error::refused(format!(
                "{name} signs with {}, and the set has {}",
                self.algorithms.join(", "),
                others.into_iter().collect::<Vec<_>>().join(", ")
            ))
            .hint(format!("run `jwks create SET --alg {first}`")));
        }
        // A symmetric key only verifies beside key pairs.
        let pairs: Vec<_> = signing
            .iter()
            .copied()
            .filter(|i| headers[*i].kty.as_deref() != Some("oct"))
            .collect();
        let signing = match (self.lines, &pairs[..]) {
            (Lines::OneSigns, [_, ..]) => pairs,
            _ => signing,
        };
        match &signing[..] {
            [_, _, ..] if self.lines != Lines::All => {
                let lines: Vec<_> = signing.iter().map(|i| line_name(&headers[*i])).collect();
                Err(Error::refused(format!(
                    "{name} signs with one line, and the set has {}",
                    lines.join(", ")
                ))
                .hint(format!(
                    "pass --line {0} to `jwks export`, or --export PATH={name}:{0} to `jwks rotate`",
                    lines[0]
                )))
            }
            _ => Ok(signing),
        }
    }
}

/// Returns the error for a line that a set does not have.
fn unknown_line(line: &str, headers: &[Header]) -> Error {
    let names: BTreeSet<_> = headers.iter().map(line_name).collect();
    let names: Vec<_> = names.into_iter().collect();
    Error::not_found(format!("no line {line:?}")).hint(format!("lines: {}", names.join(", ")))
}

/// Returns these positions of a set in an order.
pub fn arranged(mut positions: Vec<usize>, states: &[Option<State>], order: Order) -> Vec<usize> {
    if order == Order::ActiveFirst {
        positions.sort_by_key(|position| rank(states[*position]));
    }
    positions
}

/// Returns the rank of a state in [`Order::ActiveFirst`].
fn rank(state: Option<State>) -> u8 {
    match state {
        Some(State::Active) => 0,
        Some(State::Pending) => 1,
        Some(State::Retired) | None => 2,
        Some(State::Expired) => 3,
    }
}

/// A signer does not read the dates, and the file stays the same when they change.
fn without_dates(key: Key<'static>) -> Members<'static> {
    let mut members = key.members().map(Members::into_owned).unwrap_or_default();
    for date in DATES {
        members.remove(date);
    }
    members
}
