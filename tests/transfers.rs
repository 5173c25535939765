//! What holds for every push and pull, tried on many sets: nothing is lost, nobody signs who should
//! not, and what is done is done.

use jwks::key::Key;
use jwks::key::check::Budget;
use jwks::key::generate::{Plan as Wish, Request};
use jwks::key::header::Header;
use jwks::key::members::Members;
use jwks::key::parts::is_key_pair;
use jwks::key::public::{Dates, public_form};
use jwks::keyset::KeySet;
use jwks::keyset::adopt::{Foreign, PrivateParts};
use jwks::keyset::lifecycle::{self, State};
use jwks::keyset::merge::Merged;
use jwks::keyset::push::{self, Policy, Private, Prune, PushPlan};
use jwks::keyset::server_rules::{ServerRules, Signing};
use jwks::keyset::terms::{Origin, Terms};
use proptest::prelude::*;
use std::sync::LazyLock;

/// The moment of every push and pull here.
const NOW: i64 = 100;

/// A server that signs with its first private key and keeps no dates, as Hydra does.
const SERVER: ServerRules = ServerRules {
    members: Some(&["kty", "kid", "crv", "x", "y", "d", "use", "alg"]),
    signing: Signing::FirstSecret,
    ..ServerRules::FAITHFUL
};

/// Six key pairs of two lines, `0` to `5`.
static PAIRS: LazyLock<Vec<Members<'static>>> = LazyLock::new(|| {
    let pair = |number: usize| {
        let alg = Some(["ES256", "EdDSA"][number % 2]);
        let wish = Request {
            alg,
            ..Request::default()
        };
        let wish = Wish::new(wish).expect("a known algorithm");
        let pair = wish.generate().expect("a key pair");
        pair.with_kid(&number.to_string())
    };
    (0..6).map(pair).collect()
});

/// A key of a set: which pair, whether with its private part, and its dates.
type Choice = (usize, bool, Option<i64>, Option<i64>);

fn choice() -> impl Strategy<Value = Choice> {
    let nbf = prop::option::of(0i64..200);
    let exp = prop::option::of(50i64..300);
    (0usize..6, any::<bool>(), nbf, exp)
}

fn choices() -> impl Strategy<Value = Vec<Choice>> {
    prop::collection::vec(choice(), 0..6)
}

/// The set of these keys; the first choice of a pair counts.
fn set(choices: &[Choice], dated: bool) -> KeySet<'static> {
    let mut taken = [false; 6];
    let mut keys = Vec::new();
    for (pair, private, nbf, exp) in choices {
        if std::mem::replace(&mut taken[*pair], true) {
            continue;
        }
        let mut members = PAIRS[*pair].clone();
        if !private {
            members = public_form(&Key::from(members), Dates::Keep, &Budget::default())
                .expect("a public form");
        }
        for (name, date) in [("nbf", nbf), ("exp", exp)] {
            if let (Some(date), true) = (date, dated) {
                members.set_number(name, *date);
            }
        }
        keys.push(Key::from(members));
    }
    KeySet::from(keys)
}

fn kid(key: &Key) -> String {
    Header::of(key).kid.expect("a kid").into_owned()
}

fn find<'s>(set: &'s KeySet, wanted: &str) -> Option<&'s Key<'s>> {
    set.keys.iter().find(|key| kid(key) == wanted)
}

fn has_private(set: &KeySet, wanted: &str) -> bool {
    find(set, wanted).is_some_and(is_key_pair)
}

/// What the server holds after a push.
fn stored(plan: &PushPlan) -> KeySet<'static> {
    let form = |key: &Key| Key::from(SERVER.form(&key.members().expect("an object")));
    KeySet::from(plan.set.keys.iter().map(form).collect::<Vec<_>>())
}

fn policy(private: Private, prune: bool) -> Policy<'static> {
    Policy {
        private,
        prune: if prune { Prune::All } else { Prune::Nothing },
        now: NOW,
        ..Policy::default()
    }
}

fn private() -> impl Strategy<Value = Private> {
    prop::sample::select(vec![Private::Signing, Private::None, Private::All])
}

/// Takes in what the server holds.
fn pull(local: &mut KeySet<'static>, remote: &KeySet, now: i64) -> jwks::error::Result<Merged> {
    let set = remote.clone().into_owned();
    let there = Foreign::of_server(set, Origin::Signer, SERVER, PrivateParts::LeaveOut);
    local.adopt(
        &[there],
        &Terms {
            now,
            ..Terms::default()
        },
    )
}

proptest! {
    #[test]
    fn a_second_push_has_nothing_to_do(local in choices(), remote in choices(), private in private(), prune: bool) {
        let (local, remote) = (set(&local, true), set(&remote, false));
        let plan = push::plan(&local, &remote, &SERVER, policy(private, prune), &Budget::default()).expect("kids are unique");
        let again = push::plan(&local, &stored(&plan), &SERVER, policy(private, prune), &Budget::default()).expect("still so");
        prop_assert!(!again.changes(), "{again:#?}");
    }

    #[test]
    fn no_private_part_is_lost_by_a_push(local in choices(), remote in choices(), private in private(), prune: bool) {
        let (local, remote) = (set(&local, true), set(&remote, false));
        let plan = push::plan(&local, &remote, &SERVER, policy(private, prune), &Budget::default()).expect("kids are unique");
        for key in remote.keys.iter().filter(|key| is_key_pair(key)) {
            let kid = kid(key);
            let is_told = plan.gone.iter().any(|name| name.kid.as_deref() == Some(&*kid));
            let is_kept = has_private(&plan.set, &kid) || has_private(&local, &kid);
            prop_assert!(is_kept || (prune && is_told), "{kid}: {plan:#?}");
        }
        // Without --prune every key is there afterwards.
        let is_there = |key: &Key| find(&plan.set, &kid(key)).is_some();
        prop_assert!(prune || remote.keys.iter().all(is_there));
    }

    #[test]
    fn only_an_active_key_is_sent_with_its_private_part(local in choices(), remote in choices(), prune: bool) {
        let (local, remote) = (set(&local, true), set(&remote, false));
        let plan = push::plan(&local, &remote, &SERVER, policy(Private::Signing, prune), &Budget::default()).expect("kids are unique");
        let states = lifecycle::signing_states(&local, NOW, &Budget::default());
        for (key, state) in local.keys.iter().zip(states) {
            let kid = kid(key);
            let is_sent = is_key_pair(key) && has_private(&plan.set, &kid);
            let stays_expired = state == Some(State::Expired) && !prune;
            prop_assert!(!is_sent || state == Some(State::Active) || stays_expired, "{kid}: {plan:#?}");
        }
    }

    #[test]
    fn the_signer_is_an_active_key_of_ours_where_there_is_one(local in choices(), remote in choices(), private in private(), prune: bool) {
        let (local, remote) = (set(&local, true), set(&remote, false));
        let plan = push::plan(&local, &remote, &SERVER, policy(private, prune), &Budget::default()).expect("kids are unique");
        let states = lifecycle::signing_states(&local, NOW, &Budget::default());
        let active = local.keys.iter().zip(states).filter(|(_, state)| *state == Some(State::Active));
        let active: Vec<_> = active.map(|(key, _)| kid(key)).collect();
        let signs = |key: &&Key| is_key_pair(key) && active.contains(&kid(key));
        if plan.set.keys.iter().any(|key| signs(&key)) {
            let signer = plan.set.keys.iter().find(|key| is_key_pair(key)).map(kid);
            prop_assert!(active.contains(&signer.expect("a key pair")), "{plan:#?}");
        }
    }

    #[test]
    fn a_pull_loses_nothing_and_is_done_once(local in choices(), remote in choices()) {
        let (mut local, remote) = (set(&local, true), set(&remote, false));
        let before = local.clone();
        pull(&mut local, &remote, NOW).expect("kids are unique");
        prop_assert!(before.lost_in(&local).is_empty());
        prop_assert!(remote.lost_in(&local).is_empty());
        let once = local.clone();
        pull(&mut local, &remote, NOW + 1).expect("still so");
        prop_assert_eq!(local, once);
    }

    #[test]
    fn who_signs_there_signs_there_after_a_pull_and_a_push(local in choices(), remote in choices()) {
        // The server's own keys: what comes from here has been pushed before.
        let local: Vec<_> = local.into_iter().filter(|(pair, ..)| *pair < 2).collect();
        let remote: Vec<_> = remote.into_iter().filter(|(pair, ..)| *pair >= 2).collect();
        let (mut local, remote) = (set(&local, true), set(&remote, false));
        let Some(signer) = remote.keys.iter().find(|key| is_key_pair(key)).map(kid) else {
            return Ok(());
        };
        let ahead = local.keys.iter().any(|key| Header::of(key).nbf.is_some_and(|nbf| nbf > NOW));
        prop_assume!(!ahead);
        pull(&mut local, &remote, NOW).expect("kids are unique");
        let plan = push::plan(&local, &remote, &SERVER, policy(Private::Signing, false), &Budget::default()).expect("kids are unique");
        let signs = plan.set.keys.iter().find(|key| is_key_pair(key)).map(kid);
        prop_assert_eq!(signs, Some(signer));
    }
}
