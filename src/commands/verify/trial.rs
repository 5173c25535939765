//! Tries the keys that can have signed a token.

use crate::commands::verify::report::{Copies, Verified};
use crate::commands::verify::{Sources, Stop};
use crate::context::Context;
use crate::error::Result;
use crate::jws::{self, Cause, Refusal, Token, algorithm_of, is_revoked};
use crate::key::Key;
use crate::key::check::excerpt;
use crate::key::header::Header;
use crate::keyset::KeySet;
use crate::keyset::key_name::KeyName;
use crate::keyset::lifecycle::{State, line_name};
use crate::source::target::Source;
use crate::time;

/// The most keys that are tried for one token.
const MOST_TRIED: usize = 100;

/// A token that keys are tried with.
pub(super) struct Trial<'a> {
    pub(super) ctx: &'a Context,
    pub(super) token: &'a Token<'a>,
    pub(super) payload: &'a [u8],
    /// The algorithm that the command line demands.
    pub(super) alg: Option<&'a str>,
}

impl Trial<'_> {
    /// Returns true if only a symmetric key can have signed the token.
    pub(super) fn may_be_symmetric(&self) -> bool {
        self.token.header().alg.starts_with("HS")
    }

    /// Returns the positions of the keys with the kid of the token.
    fn named(&self, set: &KeySet) -> Vec<usize> {
        let kid = self.token.header().kid.as_deref();
        kid.map_or(Vec::new(), |kid| set.with_kid(kid))
    }

    /// Returns the positions of the keys without a kid that have the algorithm of the token, or if the token has no
    /// kid, of all that have it.
    fn unnamed(&self, set: &KeySet) -> Vec<usize> {
        let has_kid = self.token.header().kid.is_some();
        let fits = |key: &Key| {
            if has_kid && Header::of(key).kid.is_some() {
                return false;
            }
            let members = key.members().unwrap_or_default();
            let algorithm = algorithm_of(&members, self.alg);
            algorithm.is_ok_and(|algorithm| algorithm.name == self.token.header().alg)
        };
        let keys = set.keys.iter().enumerate();
        keys.filter(|(_, key)| fits(key))
            .map(|(position, _)| position)
            .take(MOST_TRIED)
            .collect()
    }

    /// Returns the positions of the keys of one set that can have signed the token.
    pub(super) fn positions(&self, set: &KeySet) -> Vec<usize> {
        let named = self.named(set);
        if named.is_empty() {
            self.unnamed(set)
        } else {
            named
        }
    }

    /// Tries the keys of sets, and returns the first that verifies the token: those with its kid, or if no set has
    /// one, those without a kid. Otherwise, returns the reason of the key that came closest.
    pub(super) fn among(&self, sources: &Sources) -> Result<Verified, Stop> {
        let sets: Vec<_> = sources.iter().map(Source::set).collect::<Result<_>>()?;
        let is_named = sets.iter().any(|set| !self.named(set).is_empty());
        let mut closest: Option<Refusal> = None;
        let mut tried = 0;
        'sets: for (source, set) in sources.iter().zip(&sets) {
            let positions = if is_named {
                self.named(set)
            } else {
                self.unnamed(set)
            };
            let states = match &positions[..] {
                [] => Vec::new(),
                _ => source.states(set, self.ctx.now),
            };
            for position in positions {
                if tried == MOST_TRIED {
                    break 'sets;
                }
                tried += 1;
                let state = states.get(position).copied().flatten();
                match self.with(source, set, position, state) {
                    Ok(verified) => return Ok(verified),
                    Err(Stop::Refused(refusal)) => {
                        let is_closer = |other: &Refusal| rank(&refusal) > rank(other);
                        if closest.as_ref().is_none_or(is_closer) {
                            closest = Some(*refusal);
                        }
                    }
                    Err(failed) => return Err(failed),
                }
            }
        }
        if self.token.header().kid.is_some() && !is_named {
            // A key without a kid says nothing about this kid, unless it has signed the token.
            closest = closest.filter(|refusal| refusal.cause == Cause::EndedKey);
        }
        let refusal = closest.map(|refusal| match refusal.cause {
            Cause::Signature if tried > 1 => Refusal {
                message: format!(
                    "the signature matches none of the {tried} keys that fit the token"
                ),
                ..refusal
            },
            _ => refusal,
        });
        Err(refusal.unwrap_or_else(|| self.unknown(sources)).into())
    }

    /// The refusal of a token that no key of the sets can have signed.
    fn unknown(&self, sources: &Sources) -> Refusal {
        let place = match sources {
            [one] => one.title.clone(),
            _ => "the keystore".into(),
        };
        let header = self.token.header();
        let message = match &header.kid {
            Some(kid) => format!("no key of {place} has the kid {}", excerpt(kid)),
            None => {
                let alg = excerpt(&header.alg);
                format!("the token has no kid, and no key of {place} has its algorithm {alg}")
            }
        };
        Refusal::new(Cause::UnknownKey, message)
    }

    /// Verifies the token with one key.
    fn with(
        &self,
        source: &Source,
        set: &KeySet,
        position: usize,
        state: Option<State>,
    ) -> Result<Verified, Stop> {
        let key = &set.keys[position];
        let name = KeyName::of(key);
        let shown = format!("key {} of {}", name.shown(), source.title);
        let clock = (self.ctx.now, &self.ctx.checks);
        let algorithm = jws::verify(self.token, self.payload, key, self.alg, clock);
        let algorithm = algorithm.map_err(|refusal| Refusal {
            message: format!("{shown}: {}", refusal.message),
            ..refusal
        })?;
        let header = Header::of(key);
        let ended = |why: String| {
            let message = format!("{shown} signed the token, but {why}");
            Err(Refusal::new(Cause::EndedKey, message).into())
        };
        if is_revoked(&key.members().unwrap_or_default()) {
            return ended("the key was revoked".into());
        }
        if state == Some(State::Expired) {
            let end = header.exp.map_or_else(String::new, time::format);
            return ended(format!("the key expired at {end}"));
        }
        let line = line_name(&header).to_owned();
        Ok(Verified {
            set: source.name.clone(),
            title: source.title.clone(),
            copies: Copies::of(self.ctx, source, set, key),
            name,
            alg: algorithm.name,
            line,
            usage: header.effective_use().map(str::to_owned),
            state,
            header: self.token.header().members.clone(),
            claims: None,
            payload_octets: self.payload.len(),
        })
    }
}

/// Returns how close a key came to verifying a token.
fn rank(refusal: &Refusal) -> u8 {
    match refusal.cause {
        Cause::EndedKey => 5,
        Cause::Signature => 4,
        Cause::InvalidKey => 3,
        Cause::Purpose => 2,
        _ => 1,
    }
}
