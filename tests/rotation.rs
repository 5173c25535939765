//! A rotation may run at any time, any number of times, on any set: what comes of it is the same.

use jwks::key::Key;
use jwks::key::generate::{Plan as Wish, Request};
use jwks::key::header::Header;
use jwks::key::members::Members;
use jwks::key::thumbprint::thumbprint;
use jwks::keyset::KeySet;
use jwks::keyset::rotate::{self, Policy, Publication, Rotated, Schedule, ServerState};
use jwks::keyset::server_rules::ServerRules;
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::RngSeed;
use std::collections::BTreeSet;
use std::sync::LazyLock;

const MINUTE: i64 = 60;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// When the first key is made, in seconds since 1970.
const BEGINNING: i64 = 1_800_000_000;

/// Two names for keys that are quick to make.
const ALGORITHMS: [&str; 2] = ["EdDSA", "Ed25519"];

fn policy(schedule: Schedule, now: i64) -> Policy<'static> {
    Policy {
        schedule,
        now,
        ..Policy::default()
    }
}

fn rotate_by(set: &mut KeySet<'static>, policy: &Policy) -> Rotated {
    let plan = rotate::plan(set, policy).expect("a plan");
    plan.apply(set, policy.now, |template| template.generate())
        .expect("changes")
}

/// A private key without a kid and dates.
fn made(alg: &str) -> Members<'static> {
    let wish = Wish::new(Request {
        alg: Some(alg),
        ..Request::default()
    });
    wish.expect("a wish").generate().expect("a key")
}

fn name(key: &Key) -> String {
    thumbprint(&key.members().expect("members")).expect("a thumbprint")
}

fn cases(cases: u32) -> ProptestConfig {
    ProptestConfig {
        cases,
        failure_persistence: None,
        // The same ones each time; PROPTEST_RNG_SEED and more cases look further.
        rng_seed: std::env::var("PROPTEST_RNG_SEED")
            .map_or(RngSeed::Fixed(9964), |_| ProptestConfig::default().rng_seed),
        ..ProptestConfig::default()
    }
}

// How often it runs.

/// What happens in both histories at the same moment, beside an ordinary rotation.
#[derive(Clone, Debug)]
enum Event {
    Nothing,
    Force,
    Compromise(Index),
    Move(Index),
}

#[derive(Clone, Debug)]
struct Histories {
    schedule: Schedule,
    /// The pauses between rotations in each history, in thousandths of a lead, over and over.
    pauses: [Vec<i64>; 2],
    /// The pauses between the moments at which the histories are compared, in thousandths of the
    /// period, and what happens then.
    events: Vec<(i64, Event)>,
}

fn histories() -> impl Strategy<Value = Histories> {
    let schedule = (2 * DAY..60 * DAY, 0.02..0.49f64, 0.0..2.0f64, 0usize..3);
    let schedule = schedule.prop_map(|(every, delay, life, keep)| Schedule {
        every: Some(every),
        publish_delay: (every as f64 * delay) as i64,
        retire_after: (every as f64 * life * life) as i64,
        keep,
    });
    let pauses = || prop::collection::vec(1i64..=1000, 1..12);
    let event = prop_oneof![
        6 => Just(Event::Nothing),
        1 => Just(Event::Force),
        1 => any::<Index>().prop_map(Event::Compromise),
        1 => any::<Index>().prop_map(Event::Move),
    ];
    let events = prop::collection::vec((1i64..1500, event), 3..10);
    (schedule, pauses(), pauses(), events).prop_map(|(schedule, one, other, events)| Histories {
        schedule,
        pauses: [one, other],
        events,
    })
}

/// The algorithm and the dates of the keys that have not expired.
fn dates(set: &KeySet, now: i64) -> Vec<(String, Option<i64>, Option<i64>)> {
    let headers = set.keys.iter().map(Header::of);
    let unexpired = headers.filter(|header| header.exp.is_none_or(|exp| exp > now));
    let dates = unexpired.map(|header| {
        let alg = header.alg.clone().unwrap_or_default().into_owned();
        (alg, header.nbf, header.exp)
    });
    let mut dates: Vec<_> = dates.collect();
    dates.sort();
    dates
}

/// A set with one key, and the rotations of one history.
struct Runs {
    set: KeySet<'static>,
    schedule: Schedule,
    pauses: Vec<i64>,
    next: usize,
    now: i64,
}

impl Runs {
    fn of(schedule: Schedule, pauses: &[i64], first: &Key<'static>) -> Runs {
        Runs {
            set: KeySet::from(vec![first.clone()]),
            schedule,
            pauses: pauses.to_vec(),
            next: 0,
            now: BEGINNING,
        }
    }

    /// Rotates now and then; no pause is longer than from staging to signing.
    fn until(&mut self, then: i64) {
        let lead = self.schedule.publish_delay + MINUTE;
        loop {
            let pause = self.pauses[self.next % self.pauses.len()] * lead / 1000;
            let now = self.now + pause.max(1);
            if now >= then {
                break;
            }
            self.next += 1;
            self.now = now;
            rotate_by(&mut self.set, &policy(self.schedule, now));
        }
        self.now = then;
        rotate_by(&mut self.set, &policy(self.schedule, then));
    }

    fn has_pending(&self) -> bool {
        let mut headers = self.set.keys.iter().map(Header::of);
        headers.any(|header| header.nbf.is_some_and(|nbf| nbf > self.now))
    }

    fn meet(&mut self, event: &Event) {
        let plain = policy(self.schedule, self.now);
        match event {
            Event::Nothing => {}
            // One more than the key that is on its way would cut that one's time to sign.
            Event::Force if self.has_pending() => {}
            Event::Force => {
                let force = true;
                rotate_by(&mut self.set, &Policy { force, ..plain });
            }
            Event::Compromise(which) => {
                let mut keys: Vec<_> = self.set.keys.iter().map(Header::of).collect();
                keys.sort_by_key(|key| (key.alg.clone(), key.nbf, key.exp));
                let kid = keys[which.index(keys.len())].kid.as_deref();
                let compromised = [kid.expect("a kid").to_owned()];
                let compromised = &compromised;
                rotate_by(
                    &mut self.set,
                    &Policy {
                        compromised,
                        ..plain
                    },
                );
            }
            Event::Move(which) => {
                let alg = Some(ALGORITHMS[which.index(ALGORITHMS.len())]);
                let moved = Policy { alg, ..plain };
                // It may be on its way already.
                if rotate::plan(&self.set, &moved).is_ok() {
                    rotate_by(&mut self.set, &moved);
                }
            }
        }
    }
}

proptest! {
    #![proptest_config(cases(300))]

    /// Once in every lead, which is the publish delay and a minute, is as good as every second,
    /// where a key signs for two leads at least.
    #[test]
    fn the_outcome_does_not_depend_on_how_often_it_runs(histories in histories()) {
        let mut first = made(ALGORITHMS[0]);
        first.set_number("iat", BEGINNING);
        let first = Key::from(first.with_kid("first"));
        let [one, other] = &histories.pauses;
        let mut runs = [one, other].map(|pauses| Runs::of(histories.schedule, pauses, &first));
        let mut now = BEGINNING;
        for (pause, event) in &histories.events {
            now += pause * histories.schedule.every.unwrap_or_default() / 1000 + 1;
            for runs in &mut runs {
                runs.until(now);
            }
            prop_assert_eq!(dates(&runs[0].set, now), dates(&runs[1].set, now), "at {}", now);
            for runs in &mut runs {
                runs.meet(event);
            }
            prop_assert_eq!(dates(&runs[0].set, now), dates(&runs[1].set, now), "{:?} at {}", event, now);
        }
    }
}

// Which set it is.

/// How a key of a hand-made set is written.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Form {
    Private,
    Public,
    /// With a private part, and without the public one.
    Invalid,
}

/// A key of a hand-made set; its dates are in hours from now, and it was made before.
#[derive(Clone, Debug)]
struct Wild {
    form: Form,
    alg: Option<&'static str>,
    iat: Option<i64>,
    nbf: Option<i64>,
    exp: Option<i64>,
    /// The number of the key that it names as its successor: of another line, its own, or none at all.
    successor: Option<usize>,
}

fn wild_keys() -> impl Strategy<Value = Vec<Wild>> {
    let date = || prop::option::of(prop_oneof![-200i64..200, -5i64..5]);
    let form = prop_oneof![
        6 => Just(Form::Private),
        1 => Just(Form::Public),
        1 => Just(Form::Invalid),
    ];
    let alg = prop_oneof![3 => Just(Some("EdDSA")), 2 => Just(Some("Ed25519")), 1 => Just(None)];
    let successor = prop_oneof![2 => Just(None), 1 => (0usize..8).prop_map(Some)];
    let iat = prop::option::of(-200i64..=0);
    let key = (form, alg, iat, date(), date(), successor);
    let key = key.prop_map(|(form, alg, iat, nbf, exp, successor)| Wild {
        form,
        alg,
        iat,
        nbf,
        exp,
        successor,
    });
    prop::collection::vec(key, 1..7)
}

/// The keys from which every hand-made set is written: making new ones takes longer than all else.
static MADE: LazyLock<Vec<Members>> = LazyLock::new(|| (0..6).map(|_| made("EdDSA")).collect());

fn wild_set(keys: &[Wild]) -> KeySet<'static> {
    let all = keys.iter().zip(&*MADE).enumerate();
    let all = all.map(|(number, (wild, key))| {
        let mut key = key.clone();
        match wild.alg {
            Some(alg) => key.set_text("alg", alg),
            None => key.remove("alg"),
        }
        for (name, hours) in [("iat", wild.iat), ("nbf", wild.nbf), ("exp", wild.exp)] {
            if let Some(hours) = hours {
                key.set_number(name, BEGINNING + hours * HOUR);
            }
        }
        if let Some(successor) = wild.successor {
            key.set_text("jwks_successor", &format!("k{successor}"));
        }
        let key = key.with_kid(&format!("k{number}"));
        match wild.form {
            Form::Private => Key::from(key),
            Form::Public => {
                let mut key = key;
                key.remove("d");
                Key::from(key)
            }
            Form::Invalid => {
                let mut key = key;
                key.set_text("x", "AAAA");
                Key::from(key)
            }
        }
    });
    KeySet::from(all.collect::<Vec<_>>())
}

#[derive(Clone, Debug)]
struct Asked {
    schedule: Schedule,
    force: bool,
    alg: Option<&'static str>,
    compromised: Option<Index>,
    /// What a server has: of each key whether it may sign with it, and whether it publishes it.
    there: Option<Vec<(bool, bool)>>,
    /// For how many hours an address has served each key.
    served: Option<Vec<Option<i64>>>,
}

fn asked() -> impl Strategy<Value = Asked> {
    let every = prop::option::weighted(0.9, 24 * HOUR..100 * HOUR);
    let schedule = (every, 0i64..24 * HOUR, 0i64..200 * HOUR, 0usize..3);
    let schedule = schedule.prop_map(|(every, publish_delay, retire_after, keep)| Schedule {
        every,
        publish_delay,
        retire_after,
        keep,
    });
    let alg = prop::option::weighted(0.3, prop::sample::select(&ALGORITHMS[..]));
    let compromised = prop::option::weighted(0.2, any::<Index>());
    let there = prop::collection::vec((prop::bool::weighted(0.3), any::<bool>()), 8);
    let there = prop::option::weighted(0.3, there);
    let force = prop::bool::weighted(0.2);
    let served = prop::collection::vec(prop::option::of(0i64..48), 8);
    let served = prop::option::weighted(0.3, served);
    (schedule, force, alg, compromised, there, served).prop_map(
        |(schedule, force, alg, compromised, there, served)| Asked {
            // What both ask for together can take a second look.
            served: served.filter(|_| there.is_none()),
            schedule,
            force,
            alg,
            compromised,
            there,
        },
    )
}

proptest! {
    #![proptest_config(cases(4000))]

    /// Whatever somebody has written into a set: a rotation ends, the next one has nothing to do,
    /// and no key goes that somebody may need.
    #[test]
    fn a_set_of_any_dates_is_rotated_once(keys in wild_keys(), asked in asked()) {
        let mut set = wild_set(&keys);
        let before = set.clone();
        let compromised: Vec<_> = asked.compromised.iter().map(|which| {
            format!("k{}", which.index(keys.len()))
        }).collect();
        let on_server = |is_meant: fn(&(bool, bool)) -> bool| -> Vec<Key<'static>> {
            let flags = asked.there.iter().flatten();
            let keys = before.keys.iter().zip(flags).filter(|(_, flags)| is_meant(flags));
            keys.map(|(key, _)| key.clone()).collect()
        };
        let signing: Vec<_> = on_server(|flags| flags.0).iter().map(name).collect();
        let published = KeySet::from(on_server(|flags| flags.1));
        let there = ServerState { set: &published, rules: &ServerRules::FAITHFUL, named: &signing };
        let publication = asked.served.as_ref().map(|served| {
            let keys = before.keys.iter().zip(served);
            let served = keys.filter_map(|(key, hours)| Some((name(key), BEGINNING - (*hours)? * HOUR)));
            Publication { since: served.collect() }
        });
        let asked = Policy {
            publication: publication.as_ref(),
            force: asked.force,
            alg: asked.alg,
            compromised: &compromised,
            servers: if asked.there.is_some() { std::slice::from_ref(&there) } else { &[] },
            keep_expired: asked.there.is_some(),
            ..policy(asked.schedule, BEGINNING)
        };
        let Ok(plan) = rotate::plan(&set, &asked) else {
            return Ok(());
        };
        let rotated = plan
            .apply(&mut set, BEGINNING, |template| template.generate())
            .expect("changes");
        for key in &rotated.removed {
            let header = Header::of(key);
            let has_ended = header.exp.is_some_and(|exp| exp <= BEGINNING);
            let is_out = compromised.iter().any(|kid| header.kid.as_deref() == Some(kid));
            let never_signs = asked.alg.is_some() && header.nbf.is_some_and(|nbf| nbf > BEGINNING);
            prop_assert!(has_ended || is_out || never_signs, "{header:?}");
        }
        let gone = rotated.removed.iter().filter_map(|key| Header::of(key).kid);
        let named = compromised.iter().map(|kid| kid.into());
        let touched: BTreeSet<_> = gone.chain(named).collect();
        for (key, wild) in before.keys.iter().zip(&keys) {
            let kid = Header::of(key).kid.expect("a kid");
            if wild.form != Form::Private && !touched.contains(&kid) {
                let is_there = set.keys.iter().any(|other| other.json() == key.json());
                prop_assert!(is_there, "{key:?} was changed");
            }
        }
        // A move that finds its lines without a signer may need a second look, and so may those who
        // were led to a key that goes.
        let goes = |number: usize| {
            let has_ended = |key: &Wild| key.exp.is_some_and(|exp| exp <= 0);
            let is_out = compromised.contains(&format!("k{number}"));
            keys.get(number).is_some_and(has_ended) || is_out
        };
        let leads_nowhere = keys.iter().any(|key| key.successor.is_some_and(goes))
            || (!compromised.is_empty() && keys.iter().any(|key| key.successor.is_some()));
        let again = Policy { force: false, compromised: &[], ..asked };
        // So may ends that meet a key that waits.
        let may_wait = asked.publication.is_some();
        let looks = if asked.alg.is_some() || leads_nowhere || may_wait { 2 } else { 1 };
        let is_asked_for_more = !asked.servers.is_empty() || (may_wait && asked.alg.is_some());
        if looks == 2 && is_asked_for_more {
            return Ok(());
        }
        // The server has been told of it meanwhile.
        let published = set.clone();
        let there = ServerState { set: &published, rules: &ServerRules::FAITHFUL, named: &signing };
        let servers = if asked.servers.is_empty() { &[][..] } else { std::slice::from_ref(&there) };
        let again = Policy { servers, ..again };
        for look in 1..=looks {
            // Where all that could be rotated is gone there is nothing to be asked for any more.
            let Ok(plan) = rotate::plan(&set, &again) else {
                break;
            };
            prop_assert!(look < looks || plan.is_empty(), "once more: {plan:#?}");
            plan.apply(&mut set, BEGINNING, |template| template.generate())
                .expect("changes");
        }
    }
}
