//! A set that is rotated for months: what each run tells, who signs, and what verifiers get.

use crate::support::Sandbox;
use serde_json::Value;

/// A set `login` whose keys go by numbers, in the order in which they came.
struct Story {
    sandbox: Sandbox,
    kids: Vec<String>,
}

impl Story {
    /// One ES256 key made on 5 January 2026, and a schedule: 30 days, one hour before, one day
    /// after, a minute on top of both.
    fn begin(options: &str) -> Story {
        let mut story = Story::of("create login --now 2026-01-05");
        let schedule = "--every 30d --publish-delay 1h --retire-after 24h --save";
        story.rotate(&format!("{schedule} {options}"), "2026-01-05");
        story
    }

    /// A set that a command makes, without a schedule.
    fn of(command: &str) -> Story {
        let sandbox = Sandbox::new();
        sandbox.ok(command.split_whitespace());
        let kids = Vec::new();
        let mut story = Story { sandbox, kids };
        story.meet();
        story
    }

    fn keys(&self) -> Vec<Value> {
        let set = serde_json::from_str(&self.sandbox.read_set("login"));
        let set: Value = set.expect("a whole set");
        set["keys"].as_array().expect("keys").clone()
    }

    /// Gives new keys their numbers.
    fn meet(&mut self) {
        for key in self.keys() {
            let kid = kid(&key);
            if !self.kids.contains(&kid) {
                self.kids.push(kid);
            }
        }
    }

    /// Rotates, and returns what is told of it, with numbers in place of kids. Neither that nor the
    /// log has a secret.
    fn rotate(&mut self, options: &str, now: &str) -> Vec<String> {
        let line = format!("rotate login {options} --now {now}");
        let run = self.sandbox.run(line.split_whitespace()).ok();
        assert_eq!(run.stdout, "", "{line}");
        self.meet();
        let log = self.sandbox.read_log();
        for key in self.keys() {
            let secret = key["d"].as_str().expect("a private key");
            assert!(!run.stderr.contains(secret) && !log.contains(secret));
        }
        let told = run.stderr.lines().map(|line| {
            let line = line.strip_prefix("login: ").expect("the set's name");
            self.numbered(line)
        });
        told.collect()
    }

    fn numbered(&self, text: &str) -> String {
        let kids = self.kids.iter().zip(1..);
        kids.fold(text.to_owned(), |text, (kid, number)| {
            text.replace(kid, &number.to_string())
        })
    }

    /// The keys with their states at a time: `1 retired, 2 active`.
    fn states(&self, now: &str) -> String {
        let listed = self.sandbox.json(["list", "login", "--json", "--now", now]);
        let keys = listed["keys"].as_array().expect("keys").iter();
        let state = |key: &Value| format!("{} {}", kid(key), key["state"].as_str().expect("one"));
        self.numbered(&keys.map(state).collect::<Vec<_>>().join(", "))
    }

    /// What verifiers get has every key that has not expired, no other one, and nothing private.
    #[track_caller]
    fn assert_published(&self, now: &str) {
        let set = self
            .sandbox
            .json(["export", "login", "--now", now, "--json"]);
        let seconds = now.parse::<jiff::Timestamp>().expect("a time").as_second();
        let lives = |key: &&Value| key["exp"].as_i64().is_none_or(|exp| seconds < exp);
        let expected: Vec<_> = self.keys().iter().filter(lives).map(kid).collect();
        let published = set["keys"].as_array().expect("keys");
        assert_eq!(
            published.iter().map(kid).collect::<Vec<_>>(),
            expected,
            "{now}"
        );
        assert!(published.iter().all(|key| key.get("d").is_none()), "{now}");
    }

    /// At a time a rotation tells this, and leaves these states. A second one does nothing.
    #[track_caller]
    fn step(&mut self, now: &str, options: &str, told: &[&str], states: &str) {
        self.assert_published(now);
        assert_eq!(self.rotate(options, now), told, "{now}");
        assert_eq!(self.states(now), states, "{now}");
        self.assert_published(now);
        let rotated = self.sandbox.read_set("login");
        self.rotate(options, now);
        assert_eq!(self.sandbox.read_set("login"), rotated, "again at {now}");
    }
}

fn kid(key: &Value) -> String {
    key["kid"].as_str().expect("a kid").to_owned()
}

/// Four months of one set.
#[test]
fn a_set_from_january_to_may() {
    let mut story = Story::begin("");
    for (now, told, states) in FOUR_MONTHS {
        story.step(now, "", told, states);
    }
    // The log has each change once, in the order of the story.
    let log = story.sandbox.read_log();
    let line = |line: &str| -> Value { serde_json::from_str(line).expect("a line of the log") };
    let change = |line: Value| {
        let members = ["verb", "kid", "note"].map(|name| line[name].as_str());
        story.numbered(&members.into_iter().flatten().collect::<Vec<_>>().join(" "))
    };
    let changes: Vec<_> = log.lines().map(line).map(change).collect();
    assert_eq!(
        changes,
        [
            "created 1",
            "staged 2",
            "retired 1",
            "removed 1 expired",
            "staged 3",
            "retired 2",
            "removed 2 expired",
            "staged 4",
            "retired 3",
            "removed 3 expired",
        ]
    );
}

/// When a rotation comes, what it tells, and the states after it.
const FOUR_MONTHS: [(&str, &[&str], &str); 12] = [
    // A month of 30 days and two publish delays before: nothing.
    (
        "2026-02-03T21:57:59Z",
        &["nothing to do before 2026-02-03T21:58:00Z"],
        "1 active",
    ),
    (
        "2026-02-03T22:00:00Z",
        &[
            "staged 2 (ES256), which signs from 2026-02-04T00:00:00Z",
            "1 (ES256) ends at 2026-02-05T00:01:00Z",
        ],
        "1 active, 2 pending",
    ),
    (
        "2026-02-03T23:59:59Z",
        &["nothing to do before 2026-02-04T00:00:00Z"],
        "1 active, 2 pending",
    ),
    // No run is needed for the second key to sign.
    (
        "2026-02-04T00:00:00Z",
        &["nothing to do before 2026-02-05T00:01:00Z"],
        "1 retired, 2 active",
    ),
    (
        "2026-02-05T00:00:59Z",
        &["nothing to do before 2026-02-05T00:01:00Z"],
        "1 retired, 2 active",
    ),
    (
        "2026-02-05T00:01:00Z",
        &["removed 1 (ES256), which ended at 2026-02-05T00:01:00Z"],
        "2 active",
    ),
    // Nobody has run it for a month: the third key comes late, and verifiers have it before it signs.
    (
        "2026-03-10T12:00:00Z",
        &[
            "staged 3 (ES256), which signs from 2026-03-10T13:48:00Z",
            "2 (ES256) ends at 2026-03-11T13:49:00Z",
        ],
        "2 active, 3 pending",
    ),
    (
        "2026-03-10T13:48:00Z",
        &["nothing to do before 2026-03-11T13:49:00Z"],
        "2 retired, 3 active",
    ),
    (
        "2026-04-01T00:00:00Z",
        &["removed 2 (ES256), which ended at 2026-03-11T13:49:00Z"],
        "3 active",
    ),
    (
        "2026-04-09T12:00:00Z",
        &[
            "staged 4 (ES256), which signs from 2026-04-09T13:48:00Z",
            "3 (ES256) ends at 2026-04-10T13:49:00Z",
        ],
        "3 active, 4 pending",
    ),
    (
        "2026-04-20T00:00:00Z",
        &["removed 3 (ES256), which ended at 2026-04-10T13:49:00Z"],
        "4 active",
    ),
    (
        "2026-05-05T00:00:00Z",
        &["nothing to do before 2026-05-09T11:46:00Z"],
        "4 active",
    ),
];

/// The last retired key gets no end before another one retires.
#[test]
fn one_retired_key_is_kept() {
    let mut story = Story::begin("--keep 1");
    story.step(
        "2026-02-03T22:00:00Z",
        "",
        &["staged 2 (ES256), which signs from 2026-02-04T00:00:00Z"],
        "1 active, 2 pending",
    );
    story.step(
        "2026-03-01T00:00:00Z",
        "",
        &["nothing to do before 2026-03-05T21:58:00Z"],
        "1 retired, 2 active",
    );
    story.step(
        "2026-03-05T22:00:00Z",
        "",
        &[
            "staged 3 (ES256), which signs from 2026-03-06T00:00:00Z",
            "1 (ES256) ends at 2026-03-06T00:00:00Z",
        ],
        "1 retired, 2 active, 3 pending",
    );
    story.step(
        "2026-03-06T00:00:00Z",
        "",
        &["removed 1 (ES256), which ended at 2026-03-06T00:00:00Z"],
        "2 retired, 3 active",
    );
}

/// A move to another algorithm, and the move back weeks later: each line ends when the other signs.
#[test]
fn a_move_there_and_back() {
    let mut story = Story::begin("");
    story.step(
        "2026-01-20T00:00:00Z",
        "--alg EdDSA",
        &[
            "staged 2 (EdDSA), which signs from 2026-01-20T01:01:00Z",
            "1 (ES256) ends at 2026-01-21T01:02:00Z",
        ],
        "1 active, 2 pending",
    );
    story.step(
        "2026-01-20T01:01:00Z",
        "",
        &["nothing to do before 2026-01-21T01:02:00Z"],
        "1 retired, 2 active",
    );
    story.step(
        "2026-02-10T00:00:00Z",
        "--alg ES256",
        &[
            "staged 3 (ES256), which signs from 2026-02-10T01:01:00Z",
            "2 (EdDSA) ends at 2026-02-11T01:02:00Z",
            "removed 1 (ES256), which ended at 2026-01-21T01:02:00Z",
        ],
        "2 active, 3 pending",
    );
    story.step(
        "2026-02-12T00:00:00Z",
        "",
        &["removed 2 (EdDSA), which ended at 2026-02-11T01:02:00Z"],
        "3 active",
    );
    // The line goes on by its schedule.
    story.step(
        "2026-03-11T23:30:00Z",
        "",
        &[
            "staged 4 (ES256), which signs from 2026-03-12T01:01:00Z",
            "3 (ES256) ends at 2026-03-13T01:02:00Z",
        ],
        "3 active, 4 pending",
    );
}

/// Nobody knows for how long a key without dates has signed: it is followed at once, and kept until
/// the tokens that it signed have run out.
#[test]
fn keys_without_dates_are_due_at_once() {
    let mut story = Story::of("create login --count 2");
    let undated = story.keys().into_iter().map(|mut key| {
        key.as_object_mut().expect("a key").remove("iat");
        key
    });
    let undated = serde_json::json!({ "keys": undated.collect::<Vec<_>>() });
    let file = story.sandbox.write("undated.json", undated.to_string());
    story
        .sandbox
        .ok(["set", "login", &file, "--replace", "--yes"]);
    assert_eq!(story.states("2026-01-05"), "1 retired, 2 active");
    story.step(
        "2026-01-05T00:00:00Z",
        "--every 30d",
        &[
            "staged 3 (ES256), which signs from 2026-01-05T01:01:00Z",
            "1 (ES256) ends at 2026-01-06T00:01:00Z",
            "2 (ES256) ends at 2026-01-06T01:02:00Z",
        ],
        "1 retired, 2 active, 3 pending",
    );
    story.step(
        "2026-01-07T00:00:00Z",
        "--every 30d",
        &[
            "removed 1 (ES256), which ended at 2026-01-06T00:01:00Z",
            "removed 2 (ES256), which ended at 2026-01-06T01:02:00Z",
        ],
        "3 active",
    );
}

/// A clock that went back sees other states, and neither takes a key nor makes one.
#[test]
fn a_clock_that_went_back_loses_nothing() {
    let mut story = Story::begin("");
    story.rotate("", "2026-02-03T22:00:00Z");
    let nothing = "nothing to do before 2026-02-04T00:00:00Z";
    for now in ["2026-02-03T21:00:00Z", "2026-01-01T00:00:00Z"] {
        story.step(now, "", &[nothing], "1 active, 2 pending");
    }
    story.rotate("", "2026-02-06T00:00:00Z");
    story.step("2026-01-20T00:00:00Z", "", &[nothing], "2 pending");
}
