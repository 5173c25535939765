//! Finds the keys that take over signing when keys are removed or added.

use crate::key::Key;
use crate::key::header::Header;
use crate::keyset::KeySet;
use crate::keyset::index::identity;
use crate::keyset::key_name::KeyName;
use crate::keyset::lifecycle::{self, State, can_sign};
use std::collections::HashMap;

/// The effect on signing if some keys are removed from a set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Succession {
    /// The keys that take over from active signing keys that are removed.
    pub takeovers: Vec<Takeover>,
    /// True if an active signing key is removed and no key of the set signs afterwards.
    pub ends_signing: bool,
}

/// A key that takes over from another one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Takeover {
    /// The active key of the whole set.
    pub signer: KeyName,
    /// The key that signs if the signer is removed.
    pub instead: KeyName,
}

/// Compares the signing keys of a set with those that sign without the keys at `positions`. A key takes
/// over from a key of its own line, or from the key that it names as its successor.
///
/// `states` returns the states of the keys of a set. Public-only and invalid keys never sign.
pub fn succession(
    set: &KeySet,
    positions: &[usize],
    states: impl Fn(&KeySet) -> Vec<Option<State>>,
) -> Succession {
    let headers: Vec<_> = set.keys.iter().map(Header::of).collect();
    let before = states(set);
    let signs = |state: Option<State>, position: usize| {
        state == Some(State::Active)
            && headers[position].effective_use() == Some("sig")
            && can_sign(&set.keys[position])
    };
    let going = positions.iter().copied();
    let signers: Vec<_> = going.filter(|i| signs(before[*i], *i)).collect();
    if signers.is_empty() {
        return Succession::default();
    }
    let mut is_kept = vec![true; set.keys.len()];
    positions.iter().for_each(|i| is_kept[*i] = false);
    let kept: Vec<usize> = (0..set.keys.len()).filter(|i| is_kept[*i]).collect();
    let keys: Vec<Key> = kept.iter().map(|i| set.keys[*i].clone()).collect();
    let after = states(&KeySet::from(keys)).into_iter();
    let signing = kept.into_iter().zip(after);
    let signing = signing.filter(|(position, state)| signs(*state, *position));
    let (as_before, newly): (Vec<usize>, Vec<usize>) = signing
        .map(|(position, _)| position)
        .partition(|position| before[*position] == Some(State::Active));
    // The first of each line, and of those that name each kid as their successor.
    let (mut of_line, mut naming) = (HashMap::new(), HashMap::new());
    for position in &newly {
        let header = &headers[*position];
        of_line.entry(lifecycle::line(header)).or_insert(position);
        if let Some(successor) = &header.successor {
            naming.entry(successor).or_insert(position);
        }
    }
    let instead_of = |signer: &usize| {
        let old = &headers[*signer];
        let of_its_line = of_line.get(&lifecycle::line(old));
        let naming_it = || naming.get(old.kid.as_ref()?);
        let instead = *of_its_line.or_else(naming_it)?;
        Some(Takeover {
            signer: KeyName::of(&set.keys[*signer]),
            instead: KeyName::of(&set.keys[*instead]),
        })
    };
    let takeovers: Vec<_> = signers.iter().filter_map(instead_of).collect();
    Succession {
        ends_signing: as_before.is_empty() && takeovers.is_empty(),
        takeovers,
    }
}

/// The active signing keys of a set.
#[derive(Clone, Debug)]
pub struct Signers {
    /// The position, identity and name of each.
    keys: Vec<(usize, String, KeyName)>,
    /// The periods in the future in which no key signs, in order.
    gaps: Vec<Gap>,
}

/// A period in which no key of a set signs, in seconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gap {
    /// Its start.
    pub from: i64,
    /// The time from which a key signs again; `None` if no key ever does.
    pub to: Option<i64>,
}

impl Gap {
    fn contains(&self, other: &Gap) -> bool {
        let ends_after = |to: i64| other.to.is_some_and(|end| end <= to);
        self.from <= other.from && self.to.is_none_or(ends_after)
    }
}

/// The effect on signing if the members of keys change, or keys are added.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SigningChange {
    /// The keys that sign now and did not sign before.
    pub activated: Vec<KeyName>,
    /// The keys that signed before and do not sign now, with their names before the change.
    pub deactivated: Vec<KeyName>,
    /// True if keys signed before, and none signs now.
    pub ends_signing: bool,
    /// The first future period in which no key signs that was not in such a period before.
    pub gap: Option<Gap>,
}

impl Signers {
    /// Finds the keys that sign at `now`, in seconds since 1970.
    pub fn of(keys: &[Key], now: i64) -> Signers {
        let states = lifecycle::states_where(keys, now, can_sign);
        let (mut signers, mut spans) = (Vec::new(), Vec::new());
        let mut always = false;
        for (position, (key, state)) in keys.iter().zip(states).enumerate() {
            let header = Header::of(key);
            if header.effective_use() != Some("sig") {
                continue;
            }
            let signs_later = || !always && can_sign(key);
            match state {
                Some(State::Active) => signers.push((position, identity(key), KeyName::of(key))),
                Some(State::Pending | State::Retired) if signs_later() => {}
                _ => continue,
            }
            let from = header.nbf.unwrap_or(now).max(now);
            always |= from == now && header.exp.is_none();
            spans.push((from, header.exp));
        }
        let has_gaps = !always && !signers.is_empty();
        Signers {
            gaps: if has_gaps {
                gaps(spans, now)
            } else {
                Vec::new()
            },
            keys: signers,
        }
    }

    /// Compares these signers with those after a change that leaves each key at its position.
    pub fn change_to(&self, after: &Signers) -> SigningChange {
        let missing_in = |from: &Signers, other: &Signers| {
            let is_there = |position: usize, identity: &str| {
                let mut keys = other.keys.iter();
                keys.any(|(i, other, _)| *i == position && other == identity)
            };
            let keys = from.keys.iter();
            let keys = keys.filter(|(position, identity, _)| !is_there(*position, identity));
            keys.map(|(_, _, name)| name.clone()).collect()
        };
        let is_new = |gap: &&Gap| {
            !self.keys.is_empty() && !self.gaps.iter().any(|before| before.contains(gap))
        };
        SigningChange {
            activated: missing_in(after, self),
            deactivated: missing_in(self, after),
            ends_signing: after.keys.is_empty() && !self.keys.is_empty(),
            gap: after.gaps.iter().find(is_new).copied(),
        }
    }

    /// Returns the positions of the signers in the set.
    pub fn positions(&self) -> Vec<usize> {
        self.keys.iter().map(|(position, ..)| *position).collect()
    }
}

/// Returns the periods after `now` that no span covers. A span without an end never ends.
fn gaps(mut spans: Vec<(i64, Option<i64>)>, now: i64) -> Vec<Gap> {
    spans.retain(|(from, to)| to.is_none_or(|to| to > *from));
    spans.sort_unstable();
    let (mut gaps, mut covered) = (Vec::new(), now);
    for (from, to) in spans {
        if from > covered {
            let to = Some(from);
            gaps.push(Gap { from: covered, to });
        }
        match to {
            Some(to) => covered = covered.max(to),
            None => return gaps,
        }
    }
    gaps.push(Gap {
        from: covered,
        to: None,
    });
    gaps
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `signer>instead` for each takeover, and `none` if nobody signs any more.
    fn without(positions: &[usize], keys: &[&str]) -> String {
        let keys = keys
            .iter()
            .map(|json| Key::from_json(format!("{{{json}}}")));
        let set = KeySet::from(keys.collect::<Vec<_>>());
        let succession = succession(&set, positions, |set| lifecycle::states(set, 10));
        let name = |name: &KeyName| name.kid.clone().unwrap_or_default();
        let takeovers = succession.takeovers.iter();
        let takeovers =
            takeovers.map(|takeover| name(&takeover.signer) + ">" + &name(&takeover.instead));
        let nobody = succession.ends_signing.then(|| "none".to_owned());
        takeovers.chain(nobody).collect::<Vec<_>>().join(" ")
    }

    // Symmetric keys keep these texts short; the type does not matter.
    const A: &str = r#""kty":"oct","alg":"HS256","kid":"a","iat":1,"k":"AA""#;
    const B: &str = r#""kty":"oct","alg":"HS256","kid":"b","iat":2,"k":"AA""#;
    const NEXT: &str = r#""kty":"oct","alg":"HS256","kid":"next","nbf":20,"k":"AA""#;
    const OTHER: &str = r#""kty":"oct","alg":"HS512","kid":"other","jwks_successor":"b","k":"AA""#;
    const ENC: &str = r#""kty":"oct","alg":"A128KW","kid":"enc","k":"AA""#;
    const UNUSABLE: &str = r#""kty":"oct","alg":"HS256","kid":"unusable","iat":1"#;

    #[test]
    fn the_key_before_signs_again() {
        assert_eq!(without(&[1], &[A, B]), "b>a");
        assert_eq!(without(&[0], &[A, B]), "");
        assert_eq!(without(&[0, 1], &[A, B]), "none");
    }

    #[test]
    fn signing_ends_with_the_last_key_that_signs() {
        assert_eq!(without(&[0], &[A, NEXT]), "none");
        assert_eq!(without(&[0], &[A, ENC]), "none");
        assert_eq!(without(&[0], &[A, OTHER]), "");
        assert_eq!(without(&[0], &[ENC]), "");
    }

    #[test]
    fn the_key_of_a_line_that_has_moved_signs_again() {
        assert_eq!(without(&[1], &[OTHER, B]), "b>other");
    }

    #[test]
    fn a_key_that_cannot_sign_takes_nobodys_place() {
        assert_eq!(without(&[1], &[UNUSABLE, B]), "none");
        assert_eq!(without(&[0], &[UNUSABLE]), "");
    }

    /// The keys that begin (`+`) and stop (`-`) signing, and the end of signing.
    fn changed(before: &[&str], after: &[&str]) -> String {
        let signers = |keys: &[&str]| {
            let keys = keys.iter();
            let keys = keys.map(|json| Key::from_json(format!("{{{json}}}")));
            Signers::of(&keys.collect::<Vec<_>>(), 10)
        };
        let change = signers(before).change_to(&signers(after));
        let name = |sign: &str, name: &KeyName| format!("{sign}{}", name.shown());
        let begun = change.activated.iter().map(|key| name("+", key));
        let stopped = change.deactivated.iter().map(|key| name("-", key));
        let nobody = change.ends_signing.then(|| "none".to_owned());
        let gap = change.gap.map(|gap| {
            let to = gap.to.map_or_else(String::new, |to| to.to_string());
            format!("not {}..{to}", gap.from)
        });
        let words = begun.chain(stopped).chain(nobody).chain(gap);
        words.collect::<Vec<_>>().join(" ")
    }

    const A_PENDING: &str = r#""kty":"oct","alg":"HS256","kid":"a","iat":1,"nbf":90,"k":"AA""#;
    const A_ENC: &str = r#""kty":"oct","alg":"HS256","kid":"a","iat":1,"use":"enc","k":"AA""#;
    const B_EXPIRED: &str = r#""kty":"oct","alg":"HS256","kid":"b","iat":2,"exp":10,"k":"AA""#;
    const B_ENDING: &str = r#""kty":"oct","alg":"HS256","kid":"b","iat":2,"exp":50,"k":"AA""#;
    const B_OTHER_LINE: &str = r#""kty":"oct","alg":"HS512","kid":"b","iat":2,"k":"AA""#;
    const A_RENAMED: &str = r#""kty":"oct","alg":"HS256","kid":"new","iat":1,"k":"AA""#;

    #[test]
    fn a_change_of_members_ends_signing_or_moves_it() {
        assert_eq!(changed(&[A], &[A_PENDING]), "-a none");
        assert_eq!(changed(&[A], &[A_ENC]), "-a none");
        assert_eq!(changed(&[A, B], &[A, B_EXPIRED]), "+a -b");
        assert_eq!(changed(&[A, B], &[A_PENDING, B]), "");
        assert_eq!(changed(&[A, OTHER], &[A_PENDING, OTHER]), "-a");
        assert_eq!(changed(&[A, B], &[A, B_OTHER_LINE]), "+a");
        assert_eq!(changed(&[A_ENC], &[A]), "+a");
        assert_eq!(changed(&[A], &[A_RENAMED]), "");
        assert_eq!(changed(&[A], &[A, B]), "+b -a");
    }

    const NEXT_ENDING: &str =
        r#""kty":"oct","alg":"HS256","kid":"next","nbf":20,"exp":70,"k":"AA""#;
    const NEXT_NEVER: &str = r#""kty":"oct","alg":"HS256","kid":"next","nbf":20,"exp":20,"k":"AA""#;
    const LATER: &str = r#""kty":"oct","alg":"HS256","kid":"next","nbf":60,"k":"AA""#;
    const MUCH_LATER: &str = r#""kty":"oct","alg":"HS256","kid":"next","nbf":80,"k":"AA""#;

    #[test]
    fn an_end_of_signing_is_known_before() {
        assert_eq!(changed(&[B], &[B_ENDING]), "not 50..");
        assert_eq!(changed(&[B_ENDING], &[B_ENDING]), "");
        assert_eq!(changed(&[B_ENDING], &[B]), "");
        assert_eq!(changed(&[A, B], &[A, B_ENDING]), "");
    }

    #[test]
    fn a_gap_in_signing_is_known_before() {
        assert_eq!(changed(&[B, LATER], &[B_ENDING, LATER]), "not 50..60");
        assert_eq!(changed(&[B_ENDING, NEXT], &[B_ENDING, LATER]), "not 50..60");
        let gap = [B_ENDING, LATER];
        assert_eq!(changed(&gap, &[B_ENDING, MUCH_LATER]), "not 50..80");
        assert_eq!(changed(&[B_ENDING, MUCH_LATER], &gap), "");
        assert_eq!(changed(&gap, &gap), "");
        assert_eq!(changed(&[B_ENDING], &gap), "");
        assert_eq!(changed(&[B_ENDING, NEXT], &[B_ENDING, NEXT]), "");
        assert_eq!(changed(&[B, NEXT], &[B_ENDING, NEXT_ENDING]), "not 70..");
        assert_eq!(changed(&[B, NEXT], &[B_ENDING, NEXT_NEVER]), "not 50..");
        assert_eq!(changed(&[B, LATER], &[B, MUCH_LATER]), "");
    }
}
