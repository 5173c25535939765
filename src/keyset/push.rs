//! Plans a push: the server's set afterwards, and the change to each key.

mod counterparts;
mod selection;
mod signer;

use crate::error::{Error, Result};
use crate::key::Key;
use crate::key::algorithm::Algorithm;
use crate::key::check::{Budget, findings, may_sign};
use crate::key::header::Header;
use crate::key::parts::{has_private_member, is_key_pair, is_registered};
use crate::keyset::KeySet;
use crate::keyset::index::Entry;
use crate::keyset::issuer::Issuer;
use crate::keyset::key_name::KeyName;
use crate::keyset::lifecycle::{self, State, can_sign};
use crate::keyset::server_rules::ServerRules;
pub use counterparts::counterpart;
pub(super) use counterparts::counterparts;
use selection::{Selection, wanted, with_private_part};
pub use signer::successors;
use std::cell::OnceCell;
use std::collections::{HashMap, HashSet};

/// Which private parts are sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Private {
    /// The private parts of the active signing keys, if the server signs.
    #[default]
    Signing,
    /// None.
    None,
    /// All of them.
    All,
}

/// Which keys of the server are deleted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Prune {
    /// None.
    #[default]
    Nothing,
    /// Remove keys that have expired here.
    Expired,
    /// Remove expired keys and every key the local set lacks.
    All,
}

/// The `alg` with which a key for Ed25519 is sent (RFC 9864).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Ed25519 {
    /// `Ed25519`, as the key has it.
    #[default]
    AsItIs,
    /// `EdDSA`, the older name.
    AsEdDsa,
}

/// The options of a push.
#[derive(Clone, Copy, Debug, Default)]
pub struct Policy<'a> {
    /// Which private parts are sent.
    pub private: Private,
    /// The keys to send, by kid or thumbprint. If empty, all. Symmetric keys are sent only if they are
    /// named.
    pub only: &'a [String],
    /// Which keys of the server are deleted.
    pub prune: Prune,
    /// The `alg` with which keys for Ed25519 are sent.
    pub ed25519: Ed25519,
    /// The rules for the server's own tokens, if it signs them with this set.
    pub issuer: Option<&'static Issuer>,
    /// The time, in seconds since 1970.
    pub now: i64,
}

/// The change that a push makes to a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyChange {
    /// The server gets the key.
    Add,
    /// The server gets other values for these members.
    Change(Vec<String>),
    /// Nothing changes.
    Same,
}

/// A local key that the server has after the push.
#[derive(Debug)]
pub struct Item {
    /// Its name.
    pub name: KeyName,
    /// Its algorithm, or else its type.
    pub alg: String,
    /// True if the server has its private part after the push.
    pub private: bool,
    /// True if the server has its private part now.
    pub was_private: bool,
    /// True if the only change is that the server loses the private part.
    pub only_strips: bool,
    /// The change to the key.
    pub change: KeyChange,
}

/// A key pair that could sign, but has neither `use` nor `alg`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unmarked {
    /// Its name.
    pub name: KeyName,
    /// An algorithm that fits the key.
    pub alg: Option<&'static str>,
}

/// The planned changes of a push.
#[derive(Debug, Default)]
pub struct PushPlan {
    /// The local keys that the server has after the push, in order.
    pub items: Vec<Item>,
    /// The local keys that are not sent, and why.
    pub left_out: Vec<(KeyName, &'static str)>,
    /// The local keys that the server does not accept, and why.
    pub refused: Vec<(KeyName, String)>,
    /// The active key pairs that are sent public only because they have neither `use` nor `alg`.
    pub unmarked: Vec<Unmarked>,
    /// The keys that only the server has, and that stay.
    pub kept: Vec<KeyName>,
    /// The keys of the server that are deleted.
    pub gone: Vec<KeyName>,
    /// The number of deleted keys that have a private part on the server.
    pub gone_private: usize,
    /// The key that signs afterwards, if the order of the keys decides it.
    pub signer: Option<KeyName>,
    /// The key that signs afterwards, if another key signs now. The same key under another kid counts as
    /// another key, because tokens carry the kid.
    pub new_signer: Option<KeyName>,
    /// The kid under which the same key signs now, if that changes.
    pub old_kid: Option<String>,
    /// The server's set after the push.
    pub set: KeySet<'static>,
}

impl PushPlan {
    /// Returns true if there is anything to send.
    pub fn changes(&self) -> bool {
        let is_changed = |item: &Item| item.change != KeyChange::Same;
        self.new_signer.is_some() || !self.gone.is_empty() || self.items.iter().any(is_changed)
    }
}

/// Plans a push. Returns an error if two keys on the server would have the same kid.
pub fn plan(
    local: &KeySet,
    remote: &KeySet,
    rules: &ServerRules,
    policy: Policy,
    budget: &Budget,
) -> Result<PushPlan> {
    let headers: Vec<_> = local.keys.iter().map(Header::of).collect();
    let good: Vec<OnceCell<bool>> = vec![OnceCell::new(); headers.len()];
    let is_good = |i: usize| {
        let key = &local.keys[i];
        *good[i].get_or_init(|| can_sign(key) && may_sign(&findings(key, budget)))
    };
    let here = lifecycle::states_of(&headers, policy.now, is_good);
    // A key that the server does not accept cannot replace the signer there.
    let is_taken = |i: usize| {
        let members = local.keys[i].members().unwrap_or_default();
        (rules.refuses)(&members).is_none()
    };
    let states = lifecycle::states_of(&headers, policy.now, |i| is_good(i) && is_taken(i));
    let mut plan = PushPlan::default();
    let mut claimed = HashSet::new();
    let counterparts = counterparts(local, remote, rules);
    for (position, key) in local.keys.iter().enumerate() {
        let state = match here[position] {
            Some(State::Active) => here[position],
            _ => states[position],
        };
        let counterpart = counterparts[position];
        match wanted(key, state, rules, policy, budget) {
            Selection::Key(wanted) => {
                claimed.extend(counterpart);
                plan.unmarked
                    .extend(unmarked(key, state, rules, policy, budget));
                plan.add(
                    key,
                    wanted,
                    counterpart.map(|i| &remote.keys[i]),
                    rules,
                    budget,
                );
            }
            Selection::Expired => {
                let why = match counterpart {
                    None => "expired",
                    Some(_) if policy.prune != Prune::Nothing => {
                        "expired, and deleted on the server"
                    }
                    Some(_) => "expired, but still on the server; pass --prune to delete it",
                };
                plan.left_out.push((KeyName::of(key), why));
                match counterpart {
                    Some(position) if policy.prune != Prune::Nothing => {
                        claimed.insert(position);
                        plan.lose(&remote.keys[position]);
                    }
                    counterpart => plan.keep(counterpart, remote, &mut claimed),
                }
            }
            // A key that this push does not send stays on the server.
            Selection::NotNamed => plan.keep(counterpart, remote, &mut claimed),
            Selection::LeftOut(why) => {
                plan.left_out.push((KeyName::of(key), why));
                plan.keep(counterpart, remote, &mut claimed);
            }
            Selection::Refused(why) => {
                plan.refused.push((KeyName::of(key), why));
                plan.keep(counterpart, remote, &mut claimed);
            }
        }
    }
    let entries: Vec<_> = remote.keys.iter().map(Entry::of).collect();
    let known: HashSet<_> = claimed.iter().map(|position| &entries[*position]).collect();
    for (position, key) in remote.keys.iter().enumerate() {
        if claimed.contains(&position) {
            continue;
        }
        // A second copy of an entry cannot be named or removed by itself.
        if known.contains(&entries[position]) {
            plan.set.keys.push(key.clone().into_owned());
            continue;
        }
        if policy.prune == Prune::All {
            plan.lose(key);
            continue;
        }
        plan.kept.push(KeyName::of(key));
        plan.set.keys.push(key.clone().into_owned());
    }
    refuse_shared_kids(&plan.set, rules)?;
    if rules.order_decides() {
        let now = rules.signer(remote);
        plan.put_the_signer_first(local, &states, rules, now, policy);
        plan.name_the_signer(rules, now);
    }
    plan.set.add_members(remote);
    Ok(plan)
}

/// Returns the key pair if it is sent public only because it has neither `use` nor `alg`.
fn unmarked(
    key: &Key,
    state: Option<State>,
    rules: &ServerRules,
    policy: Policy,
    budget: &Budget,
) -> Option<Unmarked> {
    let could_sign = rules.signs() && policy.private == Private::Signing;
    let is_silent = Header::of(key).effective_use().is_none() && is_key_pair(key);
    let is_one = could_sign && is_silent && state == Some(State::Active);
    (is_one && has_good_secret(key, budget)).then(|| Unmarked {
        name: KeyName::of(key),
        alg: match rules.issuer {
            Some(issuer) => issuer.alg_for(key),
            None => {
                let header = Header::of(key);
                let kty = header.kty.as_deref();
                kty.and_then(|kty| Algorithm::signing_with(kty, header.crv.as_deref()))
            }
        },
    })
}

/// Returns true if a key has a valid private or symmetric part.
fn has_good_secret(key: &Key, budget: &Budget) -> bool {
    let is_symmetric = Header::of(key).kty.as_deref() == Some("oct");
    (is_key_pair(key) || is_symmetric) && may_sign(&findings(key, budget))
}

/// Returns the key with the server's members that are neither private nor registered, because others
/// can need them. A key without a kid gets the kid that it has on the server.
fn with_unknown_members_of(key: Key<'static>, counterpart: &Key) -> Key<'static> {
    let (Ok(mut members), Ok(others)) = (key.members(), counterpart.members()) else {
        return key;
    };
    let has: HashSet<&str> = members
        .iter()
        .filter(|(_, value)| *value != "null")
        .map(|(name, _)| name)
        .collect();
    let is_new = |name: &str| (!is_registered(name) || name == "kid") && !has.contains(name);
    let new: Vec<_> = others.iter().filter(|(name, _)| is_new(name)).collect();
    members.overlay(new.into_iter());
    Key::from(members)
}

impl PushPlan {
    fn add(
        &mut self,
        local: &Key,
        wanted: Key<'static>,
        counterpart: Option<&Key>,
        rules: &ServerRules,
        budget: &Budget,
    ) {
        let header = Header::of(local);
        let was_private = counterpart.is_some_and(has_private_member);
        let wanted = match counterpart {
            // The only copy of a valid private part is not deleted.
            Some(counterpart) if was_private && !has_good_secret(local, budget) => {
                counterpart.clone().into_owned()
            }
            Some(counterpart) => with_unknown_members_of(wanted, counterpart),
            None => wanted,
        };
        let change = match counterpart {
            None => KeyChange::Add,
            Some(counterpart) => match rules.differences(&wanted, counterpart) {
                members if members.is_empty() => KeyChange::Same,
                members => KeyChange::Change(members),
            },
        };
        let private = has_private_member(&wanted);
        let is_stripped = was_private && !private;
        let only_strips = is_stripped
            && counterpart.is_some_and(|counterpart| {
                let whole = with_unknown_members_of(with_private_part(local, budget), counterpart);
                rules.differences(&whole, counterpart).is_empty()
            });
        self.items.push(Item {
            name: KeyName::of(local),
            alg: header.alg.or(header.kty).unwrap_or_default().into_owned(),
            private,
            was_private,
            only_strips,
            change,
        });
        self.set.keys.push(wanted);
    }

    fn lose(&mut self, counterpart: &Key) {
        self.gone.push(KeyName::of(counterpart));
        self.gone_private += usize::from(has_private_member(counterpart));
    }

    fn keep(&mut self, counterpart: Option<usize>, remote: &KeySet, claimed: &mut HashSet<usize>) {
        if let Some(position) = counterpart
            && claimed.insert(position)
        {
            self.set
                .keys
                .push(remote.keys[position].clone().into_owned());
        }
    }
}

/// Returns an error if two keys on the server would have the same kid.
pub fn refuse_shared_kids(set: &KeySet, rules: &ServerRules) -> Result<()> {
    let mut kids = HashMap::new();
    for key in &set.keys {
        let Some(kid) = rules.kid_of(key) else {
            continue;
        };
        let name = KeyName::of(key);
        if let Some(other) = kids.insert(kid.clone(), name.clone())
            && (rules.order_decides() || other.thumbprint != name.thumbprint)
        {
            let [one, other] =
                [&other, &name].map(|name| name.public_thumbprint().unwrap_or("none"));
            return Err(Error::refused(format!(
                "the server would have two keys with the kid {kid:?}, with the thumbprints {one} and {other}"
            ))
            .hint("pass --prune to delete the server's own keys, or give the local key another kid"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keyset::server_rules::Signing;

    const HYDRA: ServerRules = ServerRules {
        members: Some(&["kty", "kid", "crv", "x", "d", "use", "alg"]),
        signing: Signing::FirstSecret,
        ..ServerRules::FAITHFUL
    };

    /// A set of Ed25519 key pairs of RFC 8037 and RFC 8032, `letter` for a kid, with more members.
    fn set(keys: &[(&str, &str)]) -> KeySet<'static> {
        const PAIRS: &[(&str, &str, &str)] = &[
            (
                "a",
                "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
                "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A",
            ),
            (
                "b",
                "PUAXw-hDiVqStwqnTRt-vJyYLM8uxJaMwM1V8Sr0Zgw",
                "TM0Imyj_ltqdtsNG7BFOD1uKMZ81q6Yk2oz27U-4pvs",
            ),
        ];
        let key = |(letter, more): &(&str, &str)| {
            let (_, x, d) = PAIRS.iter().find(|(name, ..)| name == letter).unwrap();
            let more = more.replace("PRIVATE", &format!(r#""d":"{d}""#));
            let comma = if more.is_empty() { "" } else { "," };
            Key::from_json(format!(
                r#"{{"kty":"OKP","crv":"Ed25519","use":"sig","kid":"{letter}","x":"{x}"{comma}{more}}}"#
            ))
        };
        KeySet::from(keys.iter().map(key).collect::<Vec<_>>())
    }

    fn sent(local: &KeySet, remote: &KeySet, policy: Policy) -> String {
        let plan = plan(local, remote, &HYDRA, policy, &Budget::default()).unwrap();
        let key = |key: &Key| {
            let kid = Header::of(key).kid.unwrap_or_default().into_owned();
            kid + if has_private_member(key) { "*" } else { "" }
        };
        plan.set.keys.iter().map(key).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn only_the_active_key_is_private() {
        let local = set(&[("a", "PRIVATE"), ("b", "PRIVATE,\"nbf\":100")]);
        let at = |now| Policy {
            now,
            ..Policy::default()
        };
        assert_eq!(sent(&local, &KeySet::default(), at(50)), "a* b");
        assert_eq!(sent(&local, &KeySet::default(), at(100)), "a b*");
    }

    #[test]
    fn a_pending_key_never_comes_before_the_active_one() {
        let local = set(&[("b", "PRIVATE,\"nbf\":100"), ("a", "PRIVATE")]);
        let all = Policy {
            private: Private::All,
            now: 50,
            ..Policy::default()
        };
        assert_eq!(sent(&local, &KeySet::default(), all), "a* b*");
    }

    #[test]
    fn what_only_the_server_has_stays_unless_pruned() {
        let (local, remote) = (set(&[("a", "PRIVATE")]), set(&[("b", "PRIVATE")]));
        let prune = Policy {
            prune: Prune::All,
            ..Policy::default()
        };
        assert_eq!(sent(&local, &remote, Policy::default()), "a* b*");
        assert_eq!(sent(&local, &remote, prune), "a*");
        let public = set(&[("a", "")]);
        let server = set(&[("a", "PRIVATE")]);
        assert_eq!(sent(&public, &server, prune), "a*", "the only private part");
    }

    #[test]
    fn a_second_push_has_nothing_to_do() {
        let local = set(&[("a", "PRIVATE,\"iat\":1"), ("b", "PRIVATE,\"nbf\":100")]);
        let first = plan(
            &local,
            &KeySet::default(),
            &HYDRA,
            Policy::default(),
            &Budget::default(),
        )
        .unwrap();
        assert!(first.changes());
        let forms = first.set.keys.iter().map(|key| {
            let form = HYDRA.form(&key.members().unwrap_or_default());
            Key::from(form)
        });
        let stored = KeySet::from(forms.collect::<Vec<_>>());
        let second = plan(
            &local,
            &stored,
            &HYDRA,
            Policy::default(),
            &Budget::default(),
        )
        .unwrap();
        assert!(!second.changes(), "{second:?}");
    }

    #[test]
    fn a_kid_stands_for_one_key() {
        let local = set(&[("a", "")]);
        let other = set(&[("b", "")]);
        let renamed = other.keys[0]
            .json()
            .replace("\"kid\":\"b\"", "\"kid\":\"a\"");
        let remote = KeySet::from(vec![Key::from_json(renamed)]);
        assert!(
            plan(
                &local,
                &remote,
                &HYDRA,
                Policy::default(),
                &Budget::default()
            )
            .is_err()
        );
    }
}
