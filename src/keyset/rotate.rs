//! Rotates the keys of a set: first plans all changes, then applies them. The same set at the same
//! time gives the same plan, and the plan for a set that was just rotated is empty.
//!
//! In each line, the active key gets a successor that is published before it signs. The old key stays
//! published until the last token that it signed has expired. Keys without a private part are
//! unchanged, because somebody else rotates them.

mod algorithm_change;
mod apply;
mod ends;
mod lines;
mod plan;
mod publication;
mod removal;
mod schedule;
mod server_state;
mod template;
mod timetable;

pub use apply::{Retired, Rotated};
pub use plan::{NewKey, RotationPlan};
pub use publication::Publication;
pub use schedule::{CLOCK_DIFFERENCE, Schedule};
pub use server_state::{ServerState, is_revoked};
pub use template::Template;

use crate::error::Result;
use crate::key::header::Header;
use crate::key::parts::UNCONFIRMED;
use crate::keyset::KeySet;
use crate::keyset::kid_from::KidFrom;
use lines::Lines;
use plan::Successor;
use schedule::Time;
use server_state::ServerSigners;
use std::collections::BTreeSet;

/// The position of a key in the set.
type Position = usize;

/// The options of a rotation.
#[derive(Clone, Copy, Debug, Default)]
pub struct Policy<'a> {
    /// The schedule.
    pub schedule: Schedule,
    /// The lines to rotate, each by its algorithm, or else by its curve or key type. If empty, all.
    pub lines: &'a [String],
    /// The use of the lines to rotate.
    pub usage: Option<&'a str>,
    /// The algorithm to which the lines move.
    pub alg: Option<&'a str>,
    /// The curve of new keys.
    pub crv: Option<&'a str>,
    /// The size of new keys in bits.
    pub size: Option<u32>,
    /// Where the kids of new keys come from.
    pub kid_from: KidFrom,
    /// True if every active key gets a successor now.
    pub force: bool,
    /// The compromised keys, by kid or thumbprint.
    pub compromised: &'a [String],
    /// The states of the servers and files that get the result.
    pub servers: &'a [ServerState<'a>],
    /// The [materials](crate::keyset::key_name::KeyName::material) of the keys with which signers sign before
    /// they get the result.
    pub signing: &'a [String],
    /// The materials of the keys with which signers have signed, each with the time at which its last token
    /// expires.
    pub signed: &'a [(String, Time)],
    /// What the addresses serve at which a key must be seen before it signs; `None` without addresses.
    pub publication: Option<&'a Publication>,
    /// True if expired and compromised keys stay in the set until a push has removed them from the
    /// server.
    pub keep_expired: bool,
    /// The time, in seconds since 1970.
    pub now: Time,
}

impl Policy<'_> {
    /// Returns true if the options give a curve or size for the line of this key.
    fn asks_for_material(&self, header: &Header) -> bool {
        let is_asked = self.crv.is_some() || self.size.is_some();
        is_asked && (self.alg.is_none() || self.alg == header.alg.as_deref())
    }
}

/// A plan and the state that its steps share.
struct Planner<'p, 's> {
    lines: Lines<'s>,
    policy: &'p Policy<'p>,
    plan: RotationPlan,
    /// The keys that sign on the server before the next push.
    server_signers: ServerSigners,
    /// The next times at which a rotation changes a line.
    due: Vec<Time>,
}

/// Plans a rotation.
///
/// Returns an error if a named key or line is not in the set, if no key of the set has its private
/// part, if it is ambiguous which line moves, or if no key like the old one can be generated.
pub fn plan(set: &KeySet, policy: &Policy) -> Result<RotationPlan> {
    policy.schedule.check()?;
    let mut compromised = BTreeSet::new();
    for found in set.find_each(policy.compromised) {
        compromised.extend(found?);
    }
    let mut headers: Vec<_> = set.keys.iter().map(Header::of).collect();
    let mut plan = RotationPlan {
        kid_from: policy.kid_from,
        ..RotationPlan::default()
    };
    publication::release_confirmed(set, &mut headers, policy, &mut plan);
    let server_signers =
        server_state::adjust_dates(set, &mut headers, &compromised, policy, &mut plan);
    let looks = publication::hold_unconfirmed(set, &mut headers, &compromised, policy, &mut plan);
    let lines = Lines::of(set, headers, compromised, policy.now);
    lines.check(policy)?;
    let mut planner = Planner {
        lines,
        policy,
        plan,
        server_signers,
        due: looks,
    };
    planner.take_out_compromised();
    let moved = planner.move_lines()?;
    for line in planner.lines.ids() {
        if planner.lines.is_selected(line, policy) && !moved.contains(&line) {
            planner.schedule_line(line)?;
        }
    }
    planner.delay_until_published();
    planner.remove_expired();
    planner.skip_removed_successors();
    planner.plan.next_change = planner.next_change();
    planner.plan.invalid = std::mem::take(&mut planner.lines.invalid);
    Ok(planner.plan)
}

impl Planner<'_, '_> {
    fn next_change(&self) -> Option<Time> {
        let headers = self.lines.headers.iter().enumerate();
        let kept = headers.filter(|(i, _)| !self.plan.removed.contains(i));
        let dates = kept.flat_map(|(i, header)| {
            let end = self.plan.ends.get(&i).copied().or(header.exp);
            [header.nbf, end]
        });
        let new = self.plan.new.iter().map(|new| new.nbf);
        let dates = dates.chain(new).flatten().chain(self.due.iter().copied());
        let is_known = |date: &Time| *date > self.policy.now && *date < UNCONFIRMED;
        dates.filter(is_known).min()
    }

    /// Records the successor of a key in another line.
    fn set_successor(&mut self, position: Position, successor: &Successor) {
        let header = &self.lines.headers[position];
        let is =
            |kid: Option<&str>| matches!(successor, Successor::Existing(own) if kid == Some(own));
        if is(header.kid.as_deref()) {
            // A key cannot be its own successor.
            self.plan.successors.insert(position, None);
        } else if is(header.successor.as_deref()) {
            self.plan.successors.remove(&position);
        } else {
            self.plan
                .successors
                .insert(position, Some(successor.clone()));
        }
    }

    /// Gives another successor to the keys that name a key as theirs, and returns their positions.
    fn redirect(&mut self, from: Position, to: &Successor) -> Vec<Position> {
        let leading = self.lines.predecessors(from);
        for position in &leading {
            self.set_successor(*position, to);
        }
        leading
    }

    fn add_key(&mut self, new: NewKey) -> Successor {
        self.plan.new.push(new);
        Successor::New(self.plan.new.len() - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;
    use schedule::Seconds;

    const NOW: Time = 1_800_000_000;
    const HOUR: Seconds = 3600;

    /// A key that can sign. Its dates are in seconds from now; an empty alg or successor is absent.
    fn key(kid: &str, alg: &str, dates: &[(&str, Seconds)], successor: &str) -> String {
        let texts = [("alg", alg), ("jwks_successor", successor)];
        let texts = texts.iter().filter(|(_, text)| !text.is_empty());
        let texts = texts.map(|(name, text)| format!(r#","{name}":"{text}""#));
        let dates = dates
            .iter()
            .map(|(name, date)| format!(r#","{name}":{}"#, NOW + date));
        let more: String = texts.chain(dates).collect();
        format!(
            r#"{{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo","d":"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A","use":"sig","kid":"{kid}"{more}}}"#
        )
    }

    fn policy() -> Policy<'static> {
        Policy {
            schedule: Schedule {
                publish_delay: HOUR,
                ..Schedule::default()
            },
            now: NOW,
            ..Policy::default()
        }
    }

    fn planned(keys: &[String], policy: &Policy) -> Result<RotationPlan> {
        let json = format!(r#"{{"keys":[{}]}}"#, keys.join(","));
        plan(&KeySet::parse(&json).unwrap(), policy)
    }

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    /// A move drops the pending key b, so the key that leads to it is redirected.
    fn move_past_a_pending_key(exp: &[(&str, Seconds)], compromised: &[String]) -> RotationPlan {
        let keys = [
            key("a", "EdDSA", &[("iat", -9)], ""),
            key("b", "EdDSA", &[("nbf", 10 * HOUR)], ""),
            key("leads", "", exp, "b"),
        ];
        let asked = Policy {
            alg: Some("Ed25519"),
            keep_expired: true,
            compromised,
            ..policy()
        };
        planned(&keys, &asked).unwrap()
    }

    #[test]
    fn an_expired_key_gets_no_later_end() {
        let plan = move_past_a_pending_key(&[("exp", -1)], &[]);
        assert_eq!(plan.ends.get(&2), None);
    }

    #[test]
    fn a_compromised_key_gets_no_later_end() {
        let plan = move_past_a_pending_key(&[], &names(&["leads"]));
        assert_eq!(plan.ends.get(&2), Some(&NOW));
    }

    #[test]
    fn the_next_change_can_be_an_end_that_the_rotation_sets() {
        let keys = [
            key("a", "EdDSA", &[("iat", -200)], ""),
            key("b", "EdDSA", &[("iat", -100)], ""),
        ];
        let plan = planned(&keys, &policy()).unwrap();
        let end = NOW - 100 + 2 * CLOCK_DIFFERENCE;
        assert_eq!(plan.ends.get(&0), Some(&end));
        assert_eq!(plan.next_change, Some(end));
    }

    #[test]
    fn no_key_names_itself_as_successor() {
        let keys = [
            key("same", "EdDSA", &[("iat", -200)], ""),
            key("same", "Ed25519", &[("iat", -100)], ""),
        ];
        let lines = &names(&["EdDSA"]);
        let asked = Policy {
            alg: Some("Ed25519"),
            lines,
            ..policy()
        };
        let plan = planned(&keys, &asked).unwrap();
        assert_eq!(plan.successors.get(&0), Some(&None));
    }

    #[test]
    fn a_removed_key_is_not_reported_with_an_end() {
        let keys = [
            key("a", "", &[("iat", -9)], ""),
            key("later-a", "", &[("nbf", 10 * HOUR)], ""),
            key("b", "EdDSA", &[("iat", -9)], ""),
            key("leads", "EdDSA", &[("nbf", 11 * HOUR)], "later-a"),
            key("later-b", "EdDSA", &[("nbf", 12 * HOUR)], ""),
        ];
        let lines = &names(&["Ed25519", "EdDSA"]);
        let asked = Policy {
            alg: Some("Ed25519"),
            lines,
            ..policy()
        };
        let plan = planned(&keys, &asked).unwrap();
        assert!(plan.ends.contains_key(&3) && plan.removed.contains(&3));
        assert!(plan.ends().all(|(position, _)| position != 3));
    }

    #[test]
    fn a_pending_key_that_ends_gets_a_successor() {
        let begin = HOUR + CLOCK_DIFFERENCE;
        let keys = [
            key("a", "EdDSA", &[("iat", -9)], ""),
            key("b", "EdDSA", &[("nbf", begin), ("exp", begin + 60)], ""),
        ];
        let plan = planned(&keys, &policy()).unwrap();
        let begins: Vec<_> = plan.new.iter().map(|new| new.nbf).collect();
        assert_eq!(begins, [Some(NOW + 2 * begin)]);
        let end = NOW + 2 * begin + CLOCK_DIFFERENCE;
        assert_eq!(plan.ends.get(&1), Some(&end));
    }

    #[test]
    fn a_line_that_waits_for_a_move_into_it_gets_no_key() {
        let keys = [
            key("a", "EdDSA", &[("iat", -9), ("exp", -1)], ""),
            key("awaited", "EdDSA", &[("nbf", 10 * HOUR)], ""),
            key("b", "Ed25519", &[("iat", -9)], "awaited"),
        ];
        assert!(planned(&keys, &policy()).unwrap().new.is_empty());
    }

    #[test]
    fn lines_that_moved_to_each_other_sign_again() {
        let keys = [
            key("a1", "EdDSA", &[("iat", -40)], ""),
            key("a2", "EdDSA", &[("iat", -20)], "b1"),
            key("b1", "Ed25519", &[("iat", -30)], ""),
            key("b2", "Ed25519", &[("iat", -10)], "a1"),
        ];
        let plan = planned(&keys, &policy()).unwrap();
        assert!(!plan.new.is_empty() && plan.new.iter().all(|new| new.nbf.is_none()));
    }

    #[test]
    fn a_line_that_others_moved_to_signs_again() {
        let keys = [
            key("a", "EdDSA", &[("iat", -9), ("exp", -1)], "gone"),
            key("b", "Ed25519", &[("iat", -9)], "a"),
        ];
        let plan = planned(&keys, &policy()).unwrap();
        assert_eq!(plan.new.len(), 1);
        assert_eq!(plan.new[0].template.description(), "EdDSA");
    }

    #[test]
    fn a_compromised_successor_is_not_waited_for() {
        let keys = [
            key("a", "EdDSA", &[("iat", -9)], "b"),
            key("b", "Ed25519", &[("nbf", 10 * HOUR)], ""),
        ];
        let compromised = &names(&["a", "b"]);
        let asked = Policy {
            compromised,
            ..policy()
        };
        let new = planned(&keys, &asked).unwrap().new;
        assert_eq!(new.len(), 1);
        assert_eq!(
            (new[0].nbf, new[0].exp, &new[0].successor),
            (None, None, &None)
        );
    }

    #[test]
    fn a_pending_key_on_another_curve_than_the_requested_one_is_removed() {
        let keys = [
            key("a", "EdDSA", &[("iat", -9)], ""),
            key("b", "EdDSA", &[("nbf", 10 * HOUR)], ""),
        ];
        let asked = Policy {
            crv: Some("Ed448"),
            ..policy()
        };
        let plan = planned(&keys, &asked).unwrap();
        assert!(plan.removed.contains(&1) && plan.new.len() == 1);
    }

    #[test]
    fn a_line_without_keys_that_names_a_successor_does_not_move_again() {
        let keys = [key("a", "EdDSA", &[("iat", -9), ("exp", -1)], "gone")];
        let asked = Policy {
            alg: Some("Ed25519"),
            ..policy()
        };
        let error = planned(&keys, &asked).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
    }
}
