//! A thousand years of rotations that deliver: a file of verifiers, two files of signers with layouts of
//! their own, and a published copy of the first that lags, lies or is down. Any of the files fails now and
//! then, for one run or many.
//!
//! Between the runs, each signer signs with the key that its file names. Every token verifies with every
//! copy of the set that a verifier may hold, from the publish delay before it was signed until it has run
//! out, but for tokens of keys that were declared compromised.

#[path = "support/servers/mod.rs"]
mod servers;
mod support;

use jwks::cli;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value, json};
use servers::{Answer, Server};
use std::cell::Cell;
use std::collections::{BTreeSet, HashMap};
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use support::Sandbox;

const MINUTE: i64 = 60;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;
const YEAR: i64 = 365 * DAY;

/// When the first key is made, in seconds since 1970.
const BEGINNING: i64 = 1_800_000_000;

/// How much each history covers at least, how many there are, and how many threads share them.
const SPAN: i64 = 25 * YEAR;
const HISTORIES: u32 = 40;
const THREADS: u32 = 2;

/// What happens before a rotation.
#[derive(Clone, Debug)]
enum Event {
    Nothing,
    /// A target cannot be written, or can be written again.
    Toggle(usize),
    /// The published copy follows the file, at the latest version that verifiers can do with.
    Publish,
    /// It goes back to an older one.
    Lag(usize),
    /// It serves another key under the kid of a key that does not sign yet.
    Lie,
    Down,
    Force,
    /// A key that signs is compromised.
    Compromise,
    Move(usize),
}

const ALGORITHMS: [&str; 2] = ["EdDSA", "ES256"];

#[derive(Clone, Debug)]
struct History {
    every: i64,
    delay: i64,
    life: i64,
    /// The pause before each step, in thousandths of the period, and what happens then.
    steps: Vec<(i64, Event)>,
}

fn events() -> impl Strategy<Value = Event> {
    prop_oneof![
        8 => Just(Event::Nothing),
        4 => (0usize..3).prop_map(Event::Toggle),
        10 => Just(Event::Publish),
        2 => any::<usize>().prop_map(Event::Lag),
        1 => Just(Event::Lie),
        1 => Just(Event::Down),
        1 => Just(Event::Force),
        1 => Just(Event::Compromise),
        1 => (0usize..2).prop_map(Event::Move),
    ]
}

fn histories() -> impl Strategy<Value = History> {
    let pause = prop_oneof![3 => 0i64..20, 4 => 20i64..500, 1 => 500i64..3000];
    let steps = prop::collection::vec((pause, events()), 40..60);
    (100 * DAY..400 * DAY, 0.001..0.2f64, 0.001..0.5f64, steps).prop_map(
        |(every, delay, life, steps)| History {
            every,
            delay: (every as f64 * delay) as i64,
            life: (every as f64 * life) as i64,
            steps,
        },
    )
}

/// Names of keys: a kid with the public key under it.
type Keys = BTreeSet<String>;

fn names(set: &Value) -> Keys {
    let keys = set["keys"].as_array().expect("keys").iter();
    keys.map(|key| format!("{} {}", key["kid"], key["x"]))
        .collect()
}

struct World {
    sandbox: Sandbox,
    server: Server,
    copy: Arc<Mutex<Answer>>,
    now: i64,
    schedule: Vec<String>,
    delay: i64,
    life: i64,
    /// The versions of the file of verifiers, oldest first.
    versions: Vec<Value>,
    /// What the verifiers could fetch, and from when on.
    copies: Vec<(i64, Keys)>,
    /// Until when the tokens of each key live.
    needed: HashMap<String, i64>,
    compromised: Keys,
    blocked: [bool; 3],
    tokens: u64,
    /// What happened last, for the message of a failure.
    story: Vec<String>,
}

const TARGETS: [&str; 3] = ["public", "spring", "provider"];

impl World {
    fn new(history: &History) -> World {
        let sandbox = Sandbox::new();
        for target in TARGETS {
            fs::create_dir(sandbox.path().join(target)).expect("a directory");
        }
        let copy = Arc::new(Mutex::new(Answer::json(200, json!({"keys": []}))));
        let shown = copy.clone();
        let server = Server::start(move |_| shown.lock().expect("an answer").clone());
        let at = |file: &str| sandbox.path().join(file).display().to_string();
        let mut schedule: Vec<String> = vec!["rotate".into(), "api".into()];
        for (name, value) in [
            ("--every", format!("{}s", history.every)),
            ("--publish-delay", format!("{}s", history.delay)),
            ("--retire-after", format!("{}s", history.life)),
            ("--export", at("public/jwks.json")),
            ("--export", at("spring/sign.json=spring")),
            ("--export", at("provider/sign.json=oidc-provider")),
            ("--published", format!("{}/jwks.json", server.address())),
        ] {
            schedule.extend([name.to_owned(), value]);
        }
        let mut world = World {
            sandbox,
            server,
            copy,
            now: BEGINNING,
            schedule,
            delay: history.delay,
            life: history.life,
            versions: Vec::new(),
            copies: Vec::new(),
            needed: HashMap::new(),
            compromised: Keys::new(),
            blocked: [false; 3],
            tokens: 0,
            story: Vec::new(),
        };
        world.run(&["create", "api", "--alg", "EdDSA"]);
        world.rotate(&["--save"]);
        world.publish(usize::MAX);
        // Nobody has an older copy.
        world.copies = vec![(i64::MIN, world.copies.pop().expect("a copy").1)];
        world
    }

    fn file(&self, target: &str) -> PathBuf {
        let file = if target == "public" {
            "jwks.json"
        } else {
            "sign.json"
        };
        let directory = self.sandbox.path().join(target);
        if directory.is_dir() {
            directory.join(file)
        } else {
            directory.with_extension("away").join(file)
        }
    }

    fn read(path: &Path) -> Value {
        serde_json::from_slice(&fs::read(path).expect("the file")).expect("a set")
    }

    /// Runs a command in this process. A target that fails is an error that the next run mends.
    fn run(&self, arguments: &[&str]) -> bool {
        let now = self.now.to_string();
        let store = self.sandbox.store().display().to_string();
        let all = ["jwks"].iter().chain(arguments).copied();
        let more = [
            "--now",
            &now,
            "--store",
            &store,
            "--quiet",
            "--no-input",
            "--keep-history",
            "0",
        ];
        let all: Vec<OsString> = all.chain(more).map(OsString::from).collect();
        let (cli, out) = cli::parse(&all).unwrap_or_else(|code| panic!("{code}: {arguments:?}"));
        let ctx = cli::context(&cli.global, out).unwrap_or_else(|(_, error)| panic!("{error}"));
        ctx.finish(cli.command.run(&ctx)).is_ok()
    }

    fn rotate(&mut self, more: &[&str]) -> bool {
        let schedule: Vec<_> = self.schedule.iter().map(String::as_str).collect();
        let done = self.run(&[&schedule[..], more].concat());
        let public = World::read(&self.file("public"));
        if self.versions.last() != Some(&public) {
            self.versions.push(public);
        }
        done
    }

    /// The keys with which the signers sign: the only one of each file, and the first one.
    fn signing(&self) -> Keys {
        let keys = ["spring", "provider"].map(|target| {
            let set = World::read(&self.file(target));
            format!("{} {}", set["keys"][0]["kid"], set["keys"][0]["x"])
        });
        keys.into_iter().collect()
    }

    /// Serves a version of the file that has every key with tokens that live: the latest one, or one that is
    /// this far back.
    fn publish(&mut self, back: usize) {
        let needed: Keys = self
            .needed
            .iter()
            .filter(|(key, until)| **until > self.now && !self.compromised.contains(*key))
            .map(|(key, _)| key.clone())
            .collect();
        let latest = self.versions.len() - 1;
        let wanted = if back == usize::MAX {
            latest
        } else {
            latest - back % self.versions.len()
        };
        let suffices = |i: &usize| needed.is_subset(&names(&self.versions[*i]));
        let version = (wanted..=latest).find(suffices);
        let version = version.unwrap_or_else(|| {
            panic!("the file of verifiers lacks a key at {}", self.now);
        });
        let set = self.versions[version].clone();
        self.copies.push((self.now, names(&set)));
        self.serve(Answer::json(200, set));
    }

    fn serve(&self, answer: Answer) {
        *self.copy.lock().expect("an answer") = answer;
    }

    /// A set that has another key under the kid of each key without tokens.
    fn lie(&self) {
        let mut set = self.versions.last().expect("a version").clone();
        for key in set["keys"].as_array_mut().expect("keys") {
            let name = format!("{} {}", key["kid"], key["x"]);
            if !self.needed.contains_key(&name) {
                *key = json!({"kty": "OKP", "crv": "Ed25519", "kid": key["kid"],
                    "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"});
            }
        }
        self.serve(Answer::json(200, set));
    }

    /// Makes a target writable, or puts a file in the place of its directory.
    fn toggle(&mut self, target: usize) {
        let path = self.sandbox.path().join(TARGETS[target]);
        let away = path.with_extension("away");
        if self.blocked[target] {
            fs::remove_file(&path).expect("the file in the way");
            fs::rename(away, path).expect("the directory");
        } else {
            fs::rename(&path, away).expect("the directory");
            fs::write(path, "in the way").expect("a file");
        }
        self.blocked[target] = !self.blocked[target];
    }

    /// Signers sign from now until `then`, with the keys that they have.
    fn sign_until(&mut self, then: i64) {
        for key in self.signing() {
            self.tokens += 1;
            if self.compromised.contains(&key) {
                continue;
            }
            let ends = self.copies.iter().skip(1).map(|(from, _)| *from);
            for ((from, copy), end) in self.copies.iter().zip(ends.chain([i64::MAX])) {
                // A verifier can hold what was served at any time in the publish delay before.
                let is_held = end > self.now - self.delay && *from <= then;
                assert!(
                    !is_held || copy.contains(&key),
                    "{key} signs from {} to {then}, and a copy from {from} to {end} lacks it\n{}",
                    self.now,
                    self.story.join("\n")
                );
            }
            let until = self.needed.entry(key).or_insert(then);
            *until = (*until).max(then + self.life);
        }
        let oldest = self.now - self.delay;
        let old = self
            .copies
            .iter()
            .skip(1)
            .filter(|(from, _)| *from <= oldest);
        let old = old.count();
        self.copies.drain(..old);
        self.now = then;
    }

    fn step(&mut self, event: &Event) {
        match event {
            Event::Nothing => {}
            Event::Toggle(target) => self.toggle(*target),
            Event::Publish => self.publish(usize::MAX),
            Event::Lag(back) => self.publish(*back),
            Event::Lie => self.lie(),
            Event::Down => self.serve(Answer::html(200, "<p>maintenance</p>")),
            Event::Force => {
                self.rotate(&["--force"]);
            }
            Event::Compromise => {
                let key = self.signing().pop_first().expect("a key");
                let kid: Value =
                    serde_json::from_str(key.split(' ').next().expect("a kid")).expect("a kid");
                let kid = kid.as_str().expect("a kid").to_owned();
                self.compromised.insert(key);
                self.rotate(&["--compromised", &kid]);
                // Every verifier is told to fetch the set, and every target is mended.
                for target in 0..3 {
                    if self.blocked[target] {
                        self.toggle(target);
                    }
                }
                self.rotate(&[]);
                self.publish(usize::MAX);
                self.copies = vec![(i64::MIN, self.copies.pop().expect("a copy").1)];
            }
            Event::Move(alg) => {
                self.rotate(&["--alg", ALGORITHMS[*alg]]);
            }
        }
        self.rotate(&[]);
        let last = self.versions.last().expect("a version");
        let copy = &self.copies.last().expect("a copy").1;
        let keys = World::read(&self.sandbox.set_file("api"));
        let keys = keys["keys"].as_array().expect("keys").iter().map(|key| {
            format!(
                "{:.7} nbf {} exp {}",
                key["kid"].to_string(),
                key["nbf"],
                key["exp"]
            )
        });
        let keys: Vec<_> = keys.collect();
        self.story.push(format!(
            "at {} {event:?}, blocked {:?}: {} sign, published {}, copied {}, set {keys:?}",
            self.now,
            self.blocked,
            Short(&self.signing()),
            Short(&names(last)),
            Short(copy),
        ));
        let old = self.story.len().saturating_sub(8);
        self.story.drain(..old);
    }
}

/// The beginnings of names.
struct Short<'k>(&'k Keys);

impl std::fmt::Display for Short<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let short = self.0.iter().map(|name| format!("{name:.7}"));
        f.debug_list().entries(short).finish()
    }
}

fn live(history: &History) -> (i64, u64) {
    let mut world = World::new(history);
    let mut steps = history.steps.iter().cycle();
    while world.now < BEGINNING + SPAN {
        let (pause, event) = steps.next().expect("a step");
        world.sign_until(world.now + pause * history.every / 1000 + 1);
        world.step(event);
        world.server.forget_calls();
    }
    let keys = World::read(&world.sandbox.set_file("api"));
    let number = keys["keys"].as_array().expect("keys").len();
    assert!(number <= 60, "{number} keys");
    (world.now - BEGINNING, world.tokens)
}

#[test]
fn no_token_is_broken_in_a_thousand_years_of_deliveries() {
    // The errors of thousands of runs that fail are not for anybody to read.
    let stderr = rustix::io::dup(std::io::stderr()).expect("standard error");
    let nowhere = fs::File::options().write(true).open("/dev/null");
    rustix::stdio::dup2_stderr(nowhere.expect("/dev/null")).expect("quiet");
    let outcomes: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS).map(|_| scope.spawn(live_through)).collect();
        let threads = threads.into_iter();
        threads
            .map(|thread| thread.join().expect("an outcome"))
            .collect()
    });
    rustix::stdio::dup2_stderr(stderr).expect("standard error");
    let lived = outcomes.into_iter().map(|outcome| match outcome {
        Ok(lived) => lived,
        Err(failure) => panic!("{failure}"),
    });
    assert!(lived.sum::<i64>() >= 1000 * YEAR);
}

/// Lives through a share of the histories, and returns how many seconds they cover, or how one of them
/// failed.
fn live_through() -> Result<i64, String> {
    let lived = Cell::new(0);
    let mut runner = TestRunner::new(Config {
        cases: HISTORIES / THREADS,
        failure_persistence: None,
        ..Config::default()
    });
    let outcome = runner.run(&histories(), |history| {
        let (span, tokens) = live(&history);
        assert!(tokens > 0);
        lived.set(lived.get() + span);
        Ok(())
    });
    outcome.map_err(|failure| failure.to_string())?;
    Ok(lived.get())
}
