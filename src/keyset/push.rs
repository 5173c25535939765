//! Plans a push: the server's set afterwards, and the change to each key.

mod counterparts;
mod item;
mod selection;
mod signer;

use crate::error::{Error, Result};
use crate::key::Key;
use crate::key::check::{Budget, findings, may_sign};
use crate::key::header::Header;
use crate::key::parts::has_private_member;
use crate::keyset::KeySet;
use crate::keyset::index::Entry;
use crate::keyset::issuer::Issuer;
use crate::keyset::key_name::KeyName;
use crate::keyset::lifecycle::{self, State, can_sign};
use crate::keyset::server_rules::ServerRules;
pub use counterparts::{counterpart, counterparts};
use item::unmarked;
pub use item::{Item, KeyChange, Unmarked};
pub use selection::with_private_part;
use selection::{Selection, wanted};
pub use signer::successors;
use std::cell::OnceCell;
use std::collections::HashSet;

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
    /// What else changes in a published document, although no key changes, such as its headers.
    pub redrawn: Option<String>,
}

impl PushPlan {
    /// Returns true if there is anything to send.
    pub fn changes(&self) -> bool {
        let is_changed = |item: &Item| item.change != KeyChange::Same;
        self.new_signer.is_some()
            || !self.gone.is_empty()
            || self.redrawn.is_some()
            || self.items.iter().any(is_changed)
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
                match counterpart {
                    Some(position) if rules.publishes && policy.prune == Prune::All => {
                        claimed.insert(position);
                        plan.lose(&remote.keys[position]);
                    }
                    counterpart => plan.keep(counterpart, remote, &mut claimed),
                }
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
    rules.refuse_shared_kids(&plan.set)?;
    if rules.order_decides() {
        let now = rules.signer(remote);
        plan.put_the_signer_first(local, &states, rules, now, policy);
        plan.name_the_signer(rules, now);
    }
    plan.set.add_members(remote);
    if rules.publishes && policy.private != Private::All {
        refuse_private(&plan)?;
    }
    Ok(plan)
}

/// Refuses to publish again a private key that only the published document has.
fn refuse_private(plan: &PushPlan) -> Result<()> {
    let is_secret =
        |key: &&Key| has_private_member(key) || Header::of(key).kty.as_deref() == Some("oct");
    let Some(key) = plan.set.keys.iter().find(is_secret) else {
        return Ok(());
    };
    let name = KeyName::of(key);
    let name = name.shown();
    Err(Error::refused(format!(
        "the published set has the secret key {name}, which a push does not send"
    ))
    .hint("pass --prune to delete it there; whoever can read the address knows it"))
}

impl PushPlan {
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
