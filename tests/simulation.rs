//! A thousand years of rotation: keys that follow each other, signers that take the active one,
//! verifiers that keep copies of the set, tokens that live on, and four clocks that differ.
//!
//! At every moment at which anything can change, of anybody's clock:
//!
//! - each line that was begun has exactly one key that signs, also while it moves to another
//!   algorithm;
//! - the key of every token is in every copy of the set that a verifier may hold, from the publish
//!   delay before it was signed until it has run out, but for keys that were declared compromised;
//! - what was just rotated needs no rotation, nor does it before the next change that was promised;
//! - the number of keys stays bounded, and retired ones are kept as was asked.

use jwks::error::ErrorKind;
use jwks::key::Key;
use jwks::key::generate::{Plan as Wish, Request};
use jwks::key::header::Header;
use jwks::key::thumbprint::thumbprint;
use jwks::keyset::KeySet;
use jwks::keyset::lifecycle::{self, State};
use jwks::keyset::rotate::{self, Policy, Rotated, Schedule};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use std::cell::Cell;
use std::collections::{HashMap, HashSet};

const HOUR: i64 = 3600;
const DAY: i64 = 24 * HOUR;
const YEAR: i64 = 365 * DAY;

/// How much each history covers at least.
const SPAN: i64 = 12 * YEAR;

/// How many histories there are, and how many threads share them.
const HISTORIES: u32 = 90;
const THREADS: u32 = 2;

/// When the first key is made, in seconds since 1970.
const BEGINNING: i64 = 1_800_000_000;

const ALGORITHMS: [&str; 4] = ["ES256", "EdDSA", "ES384", "Ed25519"];

/// What happens at a step, beside an ordinary rotation.
#[derive(Clone, Debug)]
enum Event {
    Nothing,
    Force,
    /// The key at this position, counted around.
    Compromise(usize),
    /// A line, and the algorithm that it moves to.
    Move(usize, usize),
    /// New keys on this curve, where a line takes it.
    Curve(&'static str),
    /// Another period, life of tokens, and number of keys to keep.
    Schedule(Schedule),
}

/// How far the clocks are ahead, in seconds.
#[derive(Clone, Copy, Debug)]
struct Clocks {
    rotator: i64,
    signer: i64,
    publisher: i64,
    verifier: i64,
}

#[derive(Clone, Debug)]
struct History {
    lines: usize,
    schedule: Schedule,
    clocks: Clocks,
    /// The pause before each step, in thousandths of the period, and what happens then.
    steps: Vec<(i64, Event)>,
}

fn schedules() -> impl Strategy<Value = Schedule> {
    let every = 10 * DAY..400 * DAY;
    (every, 0i64..4, 0.0..1.0f64, 0.0..2.0f64, 0usize..4).prop_map(
        |(every, kind, delay, life, keep)| Schedule {
            every: Some(every),
            publish_delay: match kind {
                0 => 0,
                1 => 300,
                2 => HOUR + (delay * 10.0) as i64 * HOUR,
                _ => (every as f64 * delay) as i64,
            },
            retire_after: (every as f64 * life * life * life) as i64,
            keep,
        },
    )
}

fn events() -> impl Strategy<Value = Event> {
    prop_oneof![
        24 => Just(Event::Nothing),
        1 => Just(Event::Force),
        2 => any::<usize>().prop_map(Event::Compromise),
        2 => (any::<usize>(), any::<usize>()).prop_map(|(line, alg)| Event::Move(line, alg)),
        1 => prop_oneof![Just("Ed448"), Just("Ed25519")].prop_map(Event::Curve),
        1 => schedules().prop_map(Event::Schedule),
    ]
}

fn histories() -> impl Strategy<Value = History> {
    let clock = -30i64..=30;
    let clocks = (clock.clone(), clock.clone(), clock.clone(), clock);
    let clocks = clocks.prop_map(|(rotator, signer, publisher, verifier)| Clocks {
        rotator,
        signer,
        publisher,
        verifier,
    });
    let pause = prop_oneof![3 => 0i64..50, 4 => 50i64..1000, 1 => 1000i64..3000];
    let steps = prop::collection::vec((pause, events()), 30..80);
    (1usize..=3, schedules(), clocks, steps).prop_map(|(lines, schedule, clocks, steps)| History {
        lines,
        schedule,
        clocks,
        steps,
    })
}

/// What is known of a key that was published.
struct Life {
    published: i64,
    /// Until when its tokens live, in true time.
    needed_until: i64,
    is_gone: bool,
}

struct World {
    set: KeySet<'static>,
    schedule: Schedule,
    clocks: Clocks,
    /// The true time.
    now: i64,
    /// The line in which each signer finds its key.
    signers: Vec<String>,
    lives: HashMap<String, Life>,
    compromised: HashSet<String>,
    /// No copy of the set is older than this: a compromise has every verifier fetch it anew.
    copies_since: i64,
    specials: usize,
}

fn name(key: &Key) -> String {
    thumbprint(&key.members().expect("members")).expect("a thumbprint")
}

impl World {
    fn new(history: &History) -> World {
        let keys = ALGORITHMS[..history.lines].iter().map(|alg| {
            let wish = Wish::new(Request {
                alg: Some(alg),
                ..Request::default()
            });
            let mut key = wish.expect("a wish").generate().expect("a key");
            key.set_number("iat", BEGINNING + history.clocks.rotator);
            let kid = thumbprint(&key).expect("a thumbprint");
            Key::from(key.with_kid(&kid))
        });
        World {
            set: KeySet::from(keys.collect::<Vec<_>>()),
            schedule: history.schedule,
            clocks: history.clocks,
            now: BEGINNING,
            signers: ALGORITHMS[..history.lines]
                .iter()
                .map(|alg| alg.to_string())
                .collect(),
            lives: HashMap::new(),
            compromised: HashSet::new(),
            copies_since: BEGINNING,
            specials: 0,
        }
    }

    fn policy(&self) -> Policy<'static> {
        Policy {
            schedule: self.schedule,
            now: self.now + self.clocks.rotator,
            ..Policy::default()
        }
    }

    fn rotate(&mut self, policy: Policy) -> Rotated {
        let plan = rotate::plan(&self.set, &policy).expect("a plan");
        let changes = plan
            .apply(&mut self.set, policy.now, |template| template.generate())
            .expect("changes");
        assert_eq!(changes.is_empty() && plan.is_empty(), plan.is_empty());
        let again = Policy {
            force: false,
            compromised: &[],
            ..policy
        };
        let again = rotate::plan(&self.set, &again).expect("a plan");
        assert!(again.is_empty(), "once more: {again:#?}\n{}", self.show());
        self.observe(self.now);
        self.count();
        changes
    }

    /// The line of a signer's key at a time of its own clock.
    fn line_at(&self, line: &str, time: i64) -> String {
        let headers: Vec<_> = self.set.keys.iter().map(Header::of).collect();
        let states = lifecycle::states_of(&headers, time, |_| true);
        let mut line = line.to_owned();
        for _ in 0..=ALGORITHMS.len() {
            let of_line = |i: &usize| headers[*i].alg.as_deref() == Some(&line);
            let keys: Vec<_> = (0..headers.len()).filter(of_line).collect();
            let active = keys.iter().filter(|i| states[**i] == Some(State::Active));
            match active.count() {
                1 => return line,
                0 => {}
                _ => panic!("two keys sign in {line}"),
            }
            let begun = keys
                .into_iter()
                .filter(|i| states[*i] != Some(State::Pending));
            let last = begun.max_by_key(|i| (headers[*i].nbf.or(headers[*i].iat), *i));
            let last =
                last.unwrap_or_else(|| panic!("no key in {line} at {time}\n{}", self.show()));
            let kid = headers[last].successor.as_deref();
            let next = headers
                .iter()
                .find(|header| kid.is_some() && header.kid.as_deref() == kid);
            let next =
                next.unwrap_or_else(|| panic!("no key signs in {line} at {time}\n{}", self.show()));
            line = next.alg.as_deref().expect("an alg").to_owned();
        }
        panic!("the lines lead around")
    }

    /// Looks at everything that must hold, at a moment of true time.
    fn observe(&mut self, moment: i64) {
        let published = self.exported(moment);
        for key in &published {
            self.lives.entry(key.clone()).or_insert(Life {
                published: moment,
                needed_until: i64::MIN,
                is_gone: false,
            });
        }
        let set = &self.set;
        for (key, life) in &mut self.lives {
            let is_gone = !published.contains(key);
            if is_gone && !life.is_gone && !self.compromised.contains(key) {
                assert!(
                    life.needed_until <= moment,
                    "{key} is gone {} s too early at {moment}\n{}",
                    life.needed_until - moment,
                    show(set)
                );
            }
            assert!(is_gone || !life.is_gone, "{key} is back");
            life.is_gone = is_gone;
        }
        let time = moment + self.clocks.signer;
        let states = lifecycle::states(&self.set, time);
        for line in self.signers.clone() {
            let line = self.line_at(&line, time);
            let of_line = |key: &Key| Header::of(key).alg.as_deref() == Some(&line);
            let mut keys = self.set.keys.iter().zip(&states);
            let (key, _) = keys
                .find(|(key, state)| of_line(key) && **state == Some(State::Active))
                .expect("the active key");
            let key = name(key);
            let life = self.lives.get_mut(&key).expect("a published key");
            assert!(!life.is_gone, "{key} signs and is not published");
            let oldest_copy = (moment - self.schedule.publish_delay).max(self.copies_since);
            assert!(
                life.published <= oldest_copy,
                "{key} signs {} s too early at {moment}\n{}",
                life.published - oldest_copy,
                show(&self.set)
            );
            let end = time + self.schedule.retire_after - self.clocks.verifier;
            life.needed_until = life.needed_until.max(end);
        }
    }

    fn exported(&self, moment: i64) -> HashSet<String> {
        let states = lifecycle::states(&self.set, moment + self.clocks.publisher);
        let keys = self.set.keys.iter().zip(states);
        keys.filter(|(_, state)| *state != Some(State::Expired))
            .map(|(key, _)| name(key))
            .collect()
    }

    /// Time goes by, and nobody rotates.
    fn wait_until(&mut self, then: i64) {
        let headers = self.set.keys.iter().map(Header::of);
        let dates = headers
            .flat_map(|header| [header.nbf, header.exp])
            .flatten();
        let Clocks {
            signer,
            publisher,
            verifier,
            ..
        } = self.clocks;
        let moments =
            dates.flat_map(|date| [signer, publisher, verifier].map(|ahead| date - ahead));
        let around = moments.flat_map(|moment| [moment - 1, moment]);
        let mut around: Vec<i64> = around
            .filter(|i| (self.now + 1..=then).contains(i))
            .collect();
        around.push(then);
        around.sort_unstable();
        around.dedup();
        for moment in around {
            self.observe(moment);
        }
        self.now = then;
    }

    /// As many keys as the schedule asks for, and not many more.
    fn count(&self) {
        let Schedule {
            every,
            publish_delay,
            retire_after,
            keep,
        } = self.schedule;
        let retired = (retire_after + 2 * publish_delay + DAY) / every.expect("a period") + 1;
        let lines = ALGORITHMS.len();
        let most = lines * (keep.max(3) + 3 + retired as usize) + self.specials * 2 + 20;
        assert!(self.set.keys.len() <= most, "{} keys", self.set.keys.len());
    }

    fn step(&mut self, event: &Event) {
        self.signers = self
            .signers
            .iter()
            .map(|line| self.line_at(line, self.now + self.clocks.rotator))
            .collect();
        self.signers.dedup();
        match event {
            Event::Nothing => {}
            Event::Force => {
                self.specials += 1;
                self.rotate(Policy {
                    force: true,
                    ..self.policy()
                });
            }
            // In the minute of a change the clocks do not agree on who signs, and the one that some
            // of them wait for is not the one to be taken out.
            Event::Compromise(_) if self.is_changing() => {}
            Event::Compromise(which) => {
                self.specials += 1;
                let key = &self.set.keys[which % self.set.keys.len()];
                let key = name(key);
                self.compromised.insert(key.clone());
                self.copies_since = self.now;
                let changes = self.rotate(Policy {
                    compromised: std::slice::from_ref(&key),
                    ..self.policy()
                });
                assert!(changes.removed.iter().any(|removed| name(removed) == key));
            }
            Event::Move(line, alg) => {
                self.specials += 1;
                let line = self.signers[line % self.signers.len()].clone();
                let alg = ALGORITHMS[alg % ALGORITHMS.len()];
                let lines = [line];
                let policy = Policy {
                    lines: &lines,
                    alg: Some(alg),
                    ..self.policy()
                };
                match rotate::plan(&self.set, &policy) {
                    Ok(_) => {
                        self.rotate(policy);
                    }
                    // It is on its way to another one.
                    Err(error) => assert_eq!(error.kind(), ErrorKind::Refused, "{error}"),
                }
            }
            Event::Curve(crv) => {
                self.specials += 1;
                let line = "EdDSA".to_owned();
                if self.signers.contains(&line) {
                    self.rotate(Policy {
                        lines: &[line],
                        crv: Some(crv),
                        ..self.policy()
                    });
                }
            }
            Event::Schedule(schedule) => {
                self.specials += 1;
                self.schedule = Schedule {
                    publish_delay: self.schedule.publish_delay.min(schedule.every.unwrap_or(0)),
                    // Tokens of the longer life are about still.
                    retire_after: self.schedule.retire_after.max(schedule.retire_after),
                    ..*schedule
                };
            }
        }
        self.rotate(self.policy());
        self.keeps_its_promise();
    }

    fn is_changing(&self) -> bool {
        let now = self.now + self.clocks.rotator;
        let begins = |key| {
            Header::of(key)
                .nbf
                .is_some_and(|nbf| (nbf - now).abs() <= 60)
        };
        self.set.keys.iter().any(begins)
    }

    /// Before the next change that a rotation names, there is nothing to do.
    fn keeps_its_promise(&self) {
        let policy = self.policy();
        let plan = rotate::plan(&self.set, &policy).expect("a plan");
        let next = plan.next_change.expect("a schedule has a next change");
        assert!(next > policy.now);
        let before = Policy {
            now: next - 1,
            ..policy
        };
        let plan = rotate::plan(&self.set, &before).expect("a plan");
        assert!(plan.is_empty(), "before {next}: {plan:#?}\n{}", self.show());
    }

    fn show(&self) -> String {
        let keys = show(&self.set);
        format!("at {} by {:?}\n{keys}", self.now, self.schedule)
    }
}

fn show(set: &KeySet) -> String {
    let line = |key: &Key| {
        let header = Header::of(key);
        format!(
            "{:.6} {} iat {:?} nbf {:?} exp {:?} -> {:.6}\n",
            header.kid.unwrap_or_default(),
            header.alg.unwrap_or_default(),
            header.iat,
            header.nbf,
            header.exp,
            header.successor.unwrap_or_default()
        )
    };
    set.keys.iter().map(line).collect()
}

fn live(history: &History) -> i64 {
    let mut world = World::new(history);
    world.observe(BEGINNING);
    for (pause, event) in &history.steps {
        let every = world.schedule.every.expect("a period");
        world.wait_until(world.now + pause * every / 1000 + 1);
        world.step(event);
    }
    while world.now < BEGINNING + SPAN {
        let every = world.schedule.every.expect("a period");
        world.wait_until(world.now + every / 2);
        world.step(&Event::Nothing);
    }
    world.now - BEGINNING
}

#[test]
fn no_verifier_is_broken_in_a_thousand_years() {
    // Each thread tries histories of its own.
    let lived: i64 = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS).map(|_| scope.spawn(live_through)).collect();
        let threads = threads.into_iter();
        threads
            .map(|thread| thread.join().expect("no failure"))
            .sum()
    });
    assert!(lived >= 1000 * YEAR);
}

/// Lives through a share of the histories, and returns how many seconds they cover.
fn live_through() -> i64 {
    let lived = Cell::new(0);
    let mut runner = TestRunner::new(Config {
        cases: HISTORIES / THREADS,
        ..Config::default()
    });
    let outcome = runner.run(&histories(), |history| {
        lived.set(lived.get() + live(&history));
        Ok(())
    });
    if let Err(failure) = outcome {
        panic!("{failure}");
    }
    lived.get()
}
