//! Finds the keys that take over signing when keys are removed or added.

use crate::key::Key;
use crate::key::header::Header;
use crate::keyset::KeySet;
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
}
