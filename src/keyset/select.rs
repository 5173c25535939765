//! Finds keys by kid, prefix of a kid, thumbprint or properties.

use crate::error::{Error, Result};
use crate::key::Key;
use crate::key::header::Header;
use crate::key::thumbprint::thumbprint;
use crate::keyset::KeySet;
use crate::keyset::key_name::{KeyName, quote};
use crate::keyset::lifecycle::{self, State};
use crate::nearest::nearest;
use std::collections::{BTreeSet, HashMap, HashSet};

/// The minimum length of a kid prefix, in characters.
const SHORTEST_PREFIX: usize = 4;

/// The most keys whose kids are compared with a kid that does not exist.
const MOST_COMPARED: usize = 1000;

/// The length of a SHA-256 thumbprint as base64url, in characters.
const THUMBPRINT_LENGTH: usize = 43;

/// A filter for keys. A field that is `None` admits every key.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// The value of `use`, or the use of the algorithm if `use` is absent.
    pub usage: Option<String>,
    /// The value of `alg`.
    pub alg: Option<String>,
    /// The value of `kty`.
    pub kty: Option<String>,
    /// The current state.
    pub state: Option<State>,
}

impl Filter {
    fn admits(&self, header: &Header, state: Option<State>) -> bool {
        let fits = |asked: &Option<String>, found: Option<&str>| {
            asked.as_deref().is_none_or(|asked| found == Some(asked))
        };
        fits(&self.usage, header.effective_use())
            && fits(&self.alg, header.alg.as_deref())
            && fits(&self.kty, header.kty.as_deref())
            && self.state.is_none_or(|asked| state == Some(asked))
    }

    /// Returns true if the filter admits every key.
    pub fn is_empty(&self) -> bool {
        self.usage.is_none() && self.alg.is_none() && self.kty.is_none() && self.state.is_none()
    }
}

impl KeySet<'_> {
    /// Returns the positions of the keys that a filter admits. `now` is in seconds since 1970.
    pub fn filter(&self, filter: &Filter, now: i64) -> Vec<usize> {
        if filter.is_empty() {
            (0..self.keys.len()).collect()
        } else {
            self.filter_by(filter, &lifecycle::states(self, now))
        }
    }

    /// Returns the positions of the keys that a filter admits, given the state of each key.
    pub fn filter_by(&self, filter: &Filter, states: &[Option<State>]) -> Vec<usize> {
        if filter.is_empty() {
            return (0..self.keys.len()).collect();
        }
        let keys = self.keys.iter().zip(states).enumerate();
        keys.filter(|(_, (key, state))| filter.admits(&Header::of(key), **state))
            .map(|(position, _)| position)
            .collect()
    }

    /// Returns the position of the key with this kid, thumbprint or kid prefix, tried in this order.
    /// Returns an error if no key matches, or more than one.
    pub fn find(&self, wanted: &str) -> Result<usize> {
        let mut found = self.named(wanted);
        if found.is_empty() && wanted.chars().count() >= SHORTEST_PREFIX {
            let begins = |key: &Key| {
                let kid = Header::of(key).kid;
                kid.is_some_and(|kid| kid.starts_with(wanted))
            };
            found = self.positions(begins);
        }
        self.only(wanted, &found)
    }

    /// Returns the position of the key with this kid or thumbprint. Changes accept no prefixes, because
    /// a prefix can match another key the second time. Returns an error if no key matches, or more than
    /// one.
    pub fn find_exactly(&self, wanted: &str) -> Result<usize> {
        self.only(wanted, &self.named(wanted))
    }

    /// Returns, for each name, the positions of all entries of the key that
    /// [`find_exactly`](KeySet::find_exactly) finds.
    pub fn find_each(&self, names: &[String]) -> Vec<Result<Vec<usize>>> {
        let nowhere = || names.iter().map(|name| (name.as_str(), Vec::new()));
        let mut kids: HashMap<&str, Vec<usize>> = nowhere().collect();
        let mut thumbprints: HashMap<&str, Vec<usize>> = nowhere().collect();
        for (position, key) in self.keys.iter().enumerate() {
            let name = KeyName::of(key);
            for (places, name) in [(&mut kids, name.kid), (&mut thumbprints, name.thumbprint)] {
                if let Some(places) = name.and_then(|name| places.get_mut(name.as_str())) {
                    places.push(position);
                }
            }
        }
        let mut is_first = true;
        let find = |name: &String| {
            let found = meant(kids[name.as_str()].clone(), &thumbprints[name.as_str()]);
            let thumbprint = |i: &usize| KeyName::of(&self.keys[*i]).thumbprint;
            let mut keys = found.iter().map(thumbprint);
            let first = keys.next().flatten();
            if first.is_some() && keys.all(|key| key == first) {
                Ok(found)
            } else if found.is_empty() && !std::mem::take(&mut is_first) {
                // The search for what each of many names means would take long.
                Err(Error::not_found(format!("no key {name:?}")))
            } else {
                self.only(name, &found).map(|one| vec![one])
            }
        };
        names.iter().map(find).collect()
    }

    fn named(&self, wanted: &str) -> Vec<usize> {
        let kids = self.with_kid(wanted);
        let is_own = |i: &usize| KeyName::of(&self.keys[*i]).thumbprint.as_deref() == Some(wanted);
        // If the kid is the key's own thumbprint, the other keys need no search.
        if wanted.len() != THUMBPRINT_LENGTH || !kids.is_empty() && kids.iter().all(is_own) {
            kids
        } else {
            meant(kids, &self.with_thumbprint(wanted))
        }
    }

    fn only(&self, wanted: &str, found: &[usize]) -> Result<usize> {
        match found {
            [one] => Ok(*one),
            [] => Err(self.missing(wanted)),
            _ => Err(self.ambiguous(wanted, found)),
        }
    }

    fn missing(&self, wanted: &str) -> Error {
        let error = Error::not_found(format!("no key {wanted:?}"));
        let keys = self.keys.iter().take(MOST_COMPARED);
        let kids: Vec<_> = keys.filter_map(|key| Header::of(key).kid).collect();
        let kids: Vec<_> = kids.iter().map(AsRef::as_ref).collect();
        error.hint(match nearest(wanted, &kids) {
            Some(kid) => format!("did you mean {}?", quote(kid)),
            None if wanted.starts_with('-') => "it is not an option; --help lists them".into(),
            None if wanted.chars().count() < SHORTEST_PREFIX => {
                "a kid prefix needs at least four characters; run `jwks list SET` to see the keys"
                    .into()
            }
            None => "run `jwks list SET` to see the keys".into(),
        })
    }

    /// Returns the positions of the keys with this kid.
    pub fn with_kid(&self, wanted: &str) -> Vec<usize> {
        self.positions(|key| {
            may_contain(key, wanted) && Header::of(key).kid.as_deref() == Some(wanted)
        })
    }

    /// Returns the positions of the keys with this thumbprint.
    pub fn with_thumbprint(&self, wanted: &str) -> Vec<usize> {
        if wanted.len() != THUMBPRINT_LENGTH {
            return Vec::new();
        }
        self.positions(|key| {
            let members = key.members();
            members.is_ok_and(|members| thumbprint(&members).as_deref() == Some(wanted))
        })
    }

    fn positions(&self, wanted: impl Fn(&Key) -> bool) -> Vec<usize> {
        let keys = self.keys.iter().enumerate();
        keys.filter(|(_, key)| wanted(key))
            .map(|(i, _)| i)
            .collect()
    }

    fn ambiguous(&self, wanted: &str, found: &[usize]) -> Error {
        const SHOWN: usize = 10;
        let name = |i: &usize| {
            let members = self.keys[*i].members().unwrap_or_default();
            let kid = members.string("kid").unwrap_or_default();
            match thumbprint(&members) {
                Some(thumbprint) => format!("{kid:?} (thumbprint {thumbprint})"),
                None => format!("{kid:?} (without a thumbprint)"),
            }
        };
        let mut names: Vec<_> = found.iter().take(SHOWN).map(name).collect();
        if found.len() > SHOWN {
            names.push(format!("and {} more", found.len() - SHOWN));
        }
        Error::refused(format!("{wanted:?} matches {} keys", found.len()))
            .hint(format!("candidates: {}", names.join(", ")))
    }
}

/// Returns the keys with this name: those with the kid, or else those with the thumbprint. If the kid of
/// one key is the thumbprint of another, returns both, so that the caller can refuse the name.
fn meant(kids: Vec<usize>, thumbprints: &[usize]) -> Vec<usize> {
    let theirs: HashSet<_> = thumbprints.iter().collect();
    if !kids.is_empty() && (theirs.is_empty() || kids.iter().all(|i| theirs.contains(i))) {
        return kids;
    }
    let all: BTreeSet<_> = kids.iter().chain(thumbprints).copied().collect();
    all.into_iter().collect()
}

/// Returns false if the JSON text of a key cannot contain a string, not even escaped.
fn may_contain(key: &Key, text: &str) -> bool {
    key.json().contains(text) || key.json().contains('\\')
}
