//! The phases of each key of a set over time, computed line by line from date to date.

use crate::key::header::Header;
use crate::key::parts::UNCONFIRMED;
use crate::keyset::lifecycle;
use crate::keyset::timeline::{Life, Phase, Stretch};
use std::collections::{BTreeSet, HashMap};

/// A date in seconds since 1970; `None` is before every date.
type Moment = Option<i64>;

/// The lives of the keys of a set, in the set's order.
///
/// `can_sign` returns whether the key at a position can sign. From `now` on, each phase is the key's
/// state. Before `now`, it is the state among the keys that existed at that time. A key with a future
/// `iat` counts as made `now`, because it exists.
pub fn lifetimes(headers: &[Header], now: i64, can_sign: impl Fn(usize) -> bool) -> Vec<Life> {
    let made = headers
        .iter()
        .map(|header| header.iat.map(|iat| iat.min(now)));
    let made: Vec<Moment> = made.collect();
    let can_sign: Vec<bool> = (0..headers.len()).map(can_sign).collect();
    // The order in the set decides only between keys that were made together.
    let mut order: Vec<usize> = (0..headers.len()).collect();
    order.sort_by_key(|position| made[*position]);
    let followed = followed(headers, &made, &can_sign, &order);
    let mut ranks = vec![(None, None, 0); headers.len()];
    let mut lines: HashMap<_, Vec<usize>> = HashMap::new();
    for (place, position) in order.iter().enumerate() {
        let header = &headers[*position];
        ranks[*position] = (lifecycle::begin(header), header.iat, place);
        let line = lines.entry(lifecycle::line(header)).or_default();
        line.push(*position);
    }
    // True if the key has begun, false if it is pending; `None` before it is made and after its end.
    let has_begun = |position: usize, moment: Moment| {
        let header = &headers[position];
        let is_past = |date: i64| Some(date) <= moment;
        let is_there = made[position] <= moment && !header.exp.is_some_and(is_past);
        is_there.then(|| header.nbf.is_none_or(is_past))
    };

    let mut phases: Vec<Vec<Stretch>> = vec![Vec::new(); headers.len()];
    for keys in lines.into_values() {
        let dates_of = |position: usize| {
            let header = &headers[position];
            let dates = [
                Some(made[position]),
                header.nbf.map(Some),
                header.exp.map(Some),
            ];
            let followed = followed[position].map(|span| [Some(span.from), span.to]);
            dates
                .into_iter()
                .chain(followed.into_iter().flatten())
                .flatten()
                .filter(|moment| *moment < Some(UNCONFIRMED))
        };
        let changes = keys.iter();
        let changes = changes.flat_map(|i| dates_of(*i).map(|date| (date, *i)));
        let mut changes: Vec<(Moment, usize)> = changes.collect();
        changes.sort_unstable();
        changes.dedup();
        // The keys that have begun, and the last of them that can sign.
        let (mut signers, mut others) = (BTreeSet::new(), BTreeSet::new());
        let mut signer = None;
        for together in changes.chunk_by(|one, next| one.0 == next.0) {
            let moment = together[0].0;
            for (_, position) in together {
                let key = (ranks[*position], *position);
                match (has_begun(*position, moment), can_sign[*position]) {
                    (Some(true), true) => signers.insert(key),
                    (Some(true), false) => others.insert(*position),
                    (_, true) => signers.remove(&key),
                    (_, false) => others.remove(position),
                };
            }
            let before = signer;
            signer = signers.last().map(|(_, position)| *position);
            let together = together.iter().map(|(_, position)| *position);
            let mut changed: Vec<usize> = together.chain(before).chain(signer).collect();
            if before.is_some() != signer.is_some() {
                changed.extend(&others);
            }
            for position in changed {
                let is_followed = || followed[position].is_some_and(|span| span.contains(moment));
                let phase = match has_begun(position, moment) {
                    None => None,
                    Some(false) => Some(Phase::Published),
                    // A key of such a line is published, because somebody else signs with it.
                    Some(true) if signer.is_none() => Some(Phase::Published),
                    Some(true) if signer == Some(position) && !is_followed() => {
                        Some(Phase::Signing)
                    }
                    Some(true) => Some(Phase::Retired),
                };
                enter(&mut phases[position], phase, moment);
            }
        }
    }
    let keys = headers.iter().zip(phases);
    keys.map(|(header, phases)| Life {
        line: lifecycle::describe_line(header),
        phases,
    })
    .collect()
}

/// Begins a phase of a key, unless the key is in it already. `None` is no phase.
fn enter(life: &mut Vec<Stretch>, phase: Option<Phase>, from: Moment) {
    let current = life.last_mut().filter(|last| last.to.is_none());
    if current.as_ref().map(|current| current.phase) == phase {
        return;
    }
    if let Some(current) = current {
        current.to = from;
    }
    life.extend(phase.map(|phase| Stretch {
        phase,
        from,
        to: None,
    }));
}

/// The time in which a key is retired in favor of its successor in another line.
#[derive(Clone, Copy)]
struct Span {
    from: Moment,
    /// When it ends; `None` if it never does.
    to: Option<Moment>,
}

impl Span {
    fn contains(self, moment: Moment) -> bool {
        self.from <= moment && self.to.is_none_or(|to| moment < to)
    }
}

/// Returns when each key is retired in favor of its successor in another line: once that one begins.
/// Successors that form a circle are ignored once all of them exist.
fn followed(
    headers: &[Header],
    made: &[Moment],
    can_sign: &[bool],
    order: &[usize],
) -> Vec<Option<Span>> {
    let mut first = HashMap::new();
    for position in order.iter().filter(|position| can_sign[**position]) {
        if let Some(kid) = headers[*position].kid.as_deref() {
            first.entry(kid).or_insert(*position);
        }
    }
    let successor = |position: usize| {
        let header = &headers[position];
        let successor = *first.get(header.successor.as_deref()?)?;
        let other = &headers[successor];
        let is_of_another_line = lifecycle::line(other) != lifecycle::line(header);
        let follows = is_of_another_line && !lifecycle::never_begins(other) && can_sign[position];
        follows.then_some(successor)
    };
    let successors: Vec<_> = (0..headers.len()).map(successor).collect();
    let is_on_circle = lifecycle::on_circles(&successors);
    let mut ends: Vec<Option<Moment>> = vec![None; headers.len()];
    for start in (0..headers.len()).filter(|position| is_on_circle[*position]) {
        if ends[start].is_some() {
            continue;
        }
        let next = |position: &usize| successors[*position].filter(|next| *next != start);
        let circle: Vec<usize> = std::iter::successors(Some(start), next).collect();
        let complete = circle.iter().map(|position| made[*position]).max();
        for position in circle {
            ends[position] = complete;
        }
    }
    let span = |(position, successor): (usize, &Option<usize>)| {
        let successor = (*successor)?;
        let made = made[position].max(made[successor]);
        Some(Span {
            from: made.max(headers[successor].nbf),
            to: ends[position],
        })
    };
    successors.iter().enumerate().map(span).collect()
}
