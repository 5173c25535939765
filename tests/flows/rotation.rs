//! The rotation of sets over time: the story of some months, keys that are kept, moves there and
//! back, clocks that are wrong, and sets that somebody has edited.

use crate::support::{Run, Sandbox};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs;

/// When the stories begin, in seconds since 1970.
pub const START: i64 = 1_800_000_000;

pub const MINUTE: i64 = 60;
pub const HOUR: i64 = 60 * MINUTE;
pub const DAY: i64 = 24 * HOUR;

/// The schedule of most stories.
pub const SCHEDULE: &str = "--every 30d --publish-delay 1h --retire-after 24h";

/// A keystore and a clock that the test sets.
pub struct Store {
    pub sandbox: Sandbox,
}

impl Store {
    /// A set `api` with the key `first`, made at the start.
    pub fn with_a_key(alg: &str) -> Store {
        let store = Store {
            sandbox: Sandbox::new(),
        };
        store.ok(&format!("create api --kid first --alg {alg}"), START);
        store
    }

    /// A set `api` as somebody has written it, from keys whose `kid` is a letter.
    fn with_edited(edit: impl FnOnce(&mut Vec<Value>)) -> Store {
        let store = Store {
            sandbox: Sandbox::new(),
        };
        for kid in ["a", "b", "c"] {
            store.ok(&format!("create api --kid {kid} --alg EdDSA"), START);
        }
        let mut keys = store.keys();
        edit(&mut keys);
        store.write(&keys);
        store
    }

    fn write(&self, keys: &[Value]) {
        let set = json!({ "keys": keys }).to_string();
        fs::write(self.sandbox.set_file("api"), set).expect("the set");
    }

    pub fn run(&self, line: &str, now: i64) -> Run {
        let now = now.to_string();
        self.sandbox.run(line.split(' ').chain(["--now", &now]))
    }

    #[track_caller]
    pub fn ok(&self, line: &str, now: i64) -> Run {
        self.run(line, now).ok()
    }

    #[track_caller]
    pub fn rotate(&self, more: &str, now: i64) -> Run {
        self.ok(&format!("rotate api {more}"), now)
    }

    /// The keys as they are kept.
    pub fn keys(&self) -> Vec<Value> {
        let set: Value = serde_json::from_str(&self.sandbox.read_set("api")).expect("a set");
        set["keys"].as_array().expect("keys").clone()
    }

    #[track_caller]
    fn key(&self, kid: &str) -> Value {
        let mut keys = self.keys().into_iter();
        keys.find(|key| key["kid"] == kid).expect("the key")
    }

    /// The algorithm, the beginning and the end of each key, sorted: what is left when chance is taken
    /// away.
    pub fn dates(&self) -> Vec<(String, Option<i64>, Option<i64>)> {
        let keys = self.keys().into_iter();
        let dates = keys.map(|key| {
            let alg = key["alg"].as_str().unwrap_or_default().to_owned();
            (alg, key["nbf"].as_i64(), key["exp"].as_i64())
        });
        let mut dates: Vec<_> = dates.collect();
        dates.sort();
        dates
    }

    /// The kids of the keys, each with its state.
    fn states(&self, now: i64) -> BTreeMap<String, String> {
        let listed = self.ok("list api --json", now).json();
        let text = |value: &Value| value.as_str().expect("a text").to_owned();
        let keys = listed["keys"].as_array().expect("keys").iter();
        keys.map(|key| (text(&key["kid"]), text(&key["state"])))
            .collect()
    }

    fn in_state(&self, state: &str, now: i64) -> Vec<String> {
        let states = self.states(now).into_iter();
        let states = states.filter(|(_, other)| other == state);
        states.map(|(kid, _)| kid).collect()
    }

    #[track_caller]
    fn active(&self, now: i64) -> String {
        let active = self.in_state("active", now);
        assert_eq!(active.len(), 1, "{active:?} at {now}");
        active[0].clone()
    }

    /// The kids that verifiers get.
    fn exported(&self, now: i64) -> Vec<String> {
        let set = self.ok("export api", now).json();
        let kid = |key: &Value| key["kid"].as_str().expect("a kid").to_owned();
        let keys = set["keys"].as_array().expect("keys").iter();
        keys.map(kid).collect()
    }

    /// What was just rotated is rotated: the file stays as it is.
    #[track_caller]
    fn is_at_rest(&self, options: &str, now: i64) {
        let before = self.sandbox.read_set("api");
        let again = self.rotate(options, now);
        assert_eq!(self.sandbox.read_set("api"), before, "{again:#?}");
        assert!(again.stderr.contains("nothing to do"), "{again:#?}");
    }
}

/// Somebody signs all the time, verifiers keep copies of the set, and tokens live for a day.
#[test]
fn six_weeks_without_a_token_that_does_not_verify() {
    let store = Store::with_a_key("EdDSA");
    let schedule = "--every 5d --publish-delay 6h --retire-after 24h";
    let (mut now, mut random) = (START, 12345_u64);
    let mut copies: Vec<(i64, Vec<String>)> = Vec::new();
    let mut tokens: Vec<(i64, String)> = Vec::new();
    let mut signers = Vec::new();
    while now < START + 46 * DAY {
        store.rotate(schedule, now);
        let published = store.exported(now);
        let signs = store.active(now);
        copies.retain(|(fetched, _)| *fetched >= now - 6 * HOUR);
        copies.push((now, published.clone()));
        for (fetched, copy) in &copies {
            assert!(copy.contains(&signs), "not in the copy of {fetched}");
        }
        tokens.retain(|(signed, _)| *signed > now - DAY);
        tokens.push((now, signs.clone()));
        for (signed, kid) in &tokens {
            assert!(published.contains(kid), "a token of {signed} at {now}");
        }
        assert!(published.len() <= 3, "{published:?}");
        if signers.last() != Some(&signs) {
            signers.push(signs);
        }
        random = random.wrapping_mul(6364136223846793005).wrapping_add(1);
        now += (2 + i64::try_from((random >> 33) % 22).expect("small")) * HOUR;
    }
    // Nine begin every five days, but for the pauses that were longer than the publish delay.
    assert_eq!(signers.len(), 9, "{signers:?}");
}

#[test]
fn each_step_of_a_change_comes_in_its_time_and_once() {
    let store = Store::with_a_key("ES256");
    let due = START + 30 * DAY;
    for (now, pending, active, retired) in [
        (START, 0, "first", 0),
        (due - 3 * HOUR, 0, "first", 0),
        (due - 2 * HOUR, 1, "first", 0),
        (due - 1, 1, "first", 0),
        (due, 0, "another", 1),
        (due + DAY + 59, 0, "another", 1),
        (due + DAY + 60, 0, "another", 0),
    ] {
        store.rotate(SCHEDULE, now);
        store.is_at_rest(SCHEDULE, now);
        assert_eq!(store.in_state("pending", now).len(), pending, "at {now}");
        assert_eq!(store.in_state("retired", now).len(), retired, "at {now}");
        assert_eq!(store.active(now) == "first", active == "first", "at {now}");
        store.ok("check api --strict", now);
    }
    assert_eq!(store.dates(), [("ES256".into(), Some(due), None)]);
}

/// Whoever comes by once a year finds a set that was fit for each day of it.
#[test]
fn a_rotation_that_comes_late_breaks_nothing() {
    let store = Store::with_a_key("EdDSA");
    let late = START + 365 * DAY;
    assert_eq!(store.active(late), "first");
    store.rotate(SCHEDULE, late);
    store.is_at_rest(SCHEDULE, late);
    // The new key is known for the publish delay, and a minute, before it signs.
    assert_eq!(store.active(late + HOUR), "first");
    assert_ne!(store.active(late + 3 * HOUR), "first");
    assert!(store.exported(late + DAY + HOUR).contains(&"first".into()));
}

#[test]
fn as_many_retired_keys_as_asked_are_kept() {
    let store = Store::with_a_key("EdDSA");
    let keep = "--every 10d --publish-delay 24h --retire-after 1h --keep 2";
    for day in 0..=60 {
        store.rotate(keep, START + day * DAY);
        let retired = store.in_state("retired", START + day * DAY).len();
        let expected = match day {
            0..10 => 0,
            10..20 => 1,
            _ => 2,
        };
        assert_eq!(retired, expected, "on day {day}");
    }
    // With none to keep they go.
    let now = START + 61 * DAY;
    store.rotate("--every 10d --publish-delay 24h --retire-after 1h", now);
    assert_eq!(store.in_state("retired", now + 2 * HOUR).len(), 0);
}

#[test]
fn a_line_moves_to_another_algorithm_and_back() {
    let store = Store::with_a_key("ES256");
    let schedule = |alg: &str| format!("{SCHEDULE} --alg {alg}");
    let alg = |kid: &str| store.key(kid)["alg"].clone();
    let mut now = START;
    let mut before = "first".to_owned();
    for next in ["EdDSA", "ES256", "EdDSA"] {
        now += 3 * DAY;
        store.rotate(&schedule(next), now);
        store.is_at_rest(&schedule(next), now);
        assert_eq!(store.active(now), before);
        let begun = now + 2 * HOUR;
        store.rotate(SCHEDULE, begun);
        let active = store.active(begun);
        assert_eq!(alg(&active), next);
        assert_eq!(store.states(begun)[&before], "retired");
        // Its last tokens have run out, and nothing is left of the old line.
        store.rotate(SCHEDULE, begun + 2 * DAY);
        assert_eq!(store.keys().len(), 1);
        before = active;
    }
    // The new line has the schedule of the old one.
    let due = now + HOUR + MINUTE + 30 * DAY;
    store.rotate(SCHEDULE, due - HOUR - 2 * MINUTE);
    assert_eq!(store.in_state("pending", due - MINUTE).len(), 1);
}

/// The key that was staged signs never, and the old one goes on as if nothing had been.
#[test]
fn a_move_that_is_called_off_in_time_leaves_the_old_key() {
    let store = Store::with_a_key("ES256");
    let now = START + DAY;
    store.rotate(&format!("{SCHEDULE} --alg EdDSA"), now);
    assert_eq!(store.keys().len(), 2);
    let back = format!("{SCHEDULE} --alg ES256");
    store.rotate(&back, now + HOUR);
    store.is_at_rest(&back, now + HOUR);
    for then in [now + 2 * HOUR, now + DAY, now + 29 * DAY] {
        store.rotate(SCHEDULE, then);
        let active = store.active(then);
        assert_eq!(store.key(&active)["alg"], "ES256", "at {then}");
        assert!(store.key(&active)["jwks_successor"].is_null());
    }
}

/// A pending key that was to end with its line has a successor in time when the line goes on.
#[test]
fn a_pending_key_of_a_line_that_moved_and_stays_is_followed_in_time() {
    let store = Store::with_a_key("ES256");
    let schedule = "--every 48h --publish-delay 18h --retire-after 0s";
    let due = START + 2 * DAY;
    store.rotate(schedule, due - DAY);
    assert_eq!(store.in_state("pending", due - DAY).len(), 1);
    // The line would end just after its pending key begins.
    let moved = due - 18 * HOUR;
    store.rotate(&format!("{schedule} --alg EdDSA"), moved);
    store.rotate(&format!("{schedule} --alg ES256"), moved + MINUTE);
    let published = store.exported(moved + MINUTE);
    for hours in 0..60 {
        let then = moved + hours * HOUR + 2 * MINUTE;
        let active = store.active(then);
        assert_eq!(store.key(&active)["alg"], "ES256", "after {hours} h");
        assert!(published.contains(&active), "after {hours} h");
    }
}

#[test]
fn a_curve_is_not_the_algorithm_of_the_same_name() {
    let store = Store::with_a_key("EdDSA");
    let mut keys = store.keys();
    let first = keys[0].as_object_mut().expect("a key");
    first.remove("alg");
    store.write(&keys);
    store.rotate("--alg Ed25519", START + DAY);
    let pending = store.in_state("pending", START + DAY).remove(0);
    assert_eq!(store.key(&pending)["alg"], "Ed25519");
    assert_eq!(store.key("first")["jwks_successor"], pending);
}

#[test]
fn new_keys_have_another_size_at_once_and_every_time() {
    let store = Store::with_a_key("RS256");
    let larger = "--every 30d --line RS256 --size 3072";
    store.rotate(larger, START + DAY);
    store.is_at_rest(larger, START + DAY);
    let then = START + 2 * DAY;
    let active = store.active(then);
    let size = |kid: &str| {
        let listed = store.ok("list api --json", then).json();
        let mut keys = listed["keys"].as_array().expect("keys").iter();
        keys.find(|key| key["kid"] == kid).expect("the key")["size"].clone()
    };
    assert_eq!((size("first"), size(&active)), (json!(2048), json!(3072)));
    store.is_at_rest("--every 30d --size 3072", then);
}

#[test]
fn only_the_lines_that_are_meant_are_rotated() {
    let store = Store::with_a_key("ES256");
    store.ok("create api --kid ed --alg EdDSA", START);
    store.ok("create api --kid enc --alg ECDH-ES", START);
    let late = START + 40 * DAY;
    store.rotate("--every 30d --line EdDSA", late);
    assert_eq!(store.in_state("pending", late).len(), 1);
    assert!(store.key("ed")["exp"].is_i64());
    store.rotate("--every 30d --use enc", late);
    assert_eq!(store.in_state("pending", late).len(), 2);
    assert!(store.key("enc")["exp"].is_i64());
    assert!(store.key("first")["exp"].is_null());
    store.rotate("--every 30d", late);
    assert_eq!(store.in_state("pending", late).len(), 3);
}

/// States follow the dates. Nothing is changed for a clock that is behind.
#[test]
fn a_clock_that_went_back_loses_nothing() {
    let store = Store::with_a_key("EdDSA");
    let due = START + 30 * DAY;
    for now in [due - HOUR - 2 * MINUTE, due + HOUR] {
        store.rotate(SCHEDULE, now);
    }
    let before = store.sandbox.read_set("api");
    for back in [due - 2 * HOUR, START, START - 400 * DAY, 0] {
        store.is_at_rest(SCHEDULE, back);
        assert_eq!(store.active(back), "first", "at {back}");
    }
    assert_eq!(store.sandbox.read_set("api"), before);
    store.is_at_rest(SCHEDULE, due + HOUR);
    assert_ne!(store.active(due + HOUR), "first");
}

/// What a clock that was far ahead has staged waits, and the schedule goes on before it.
#[test]
fn a_clock_that_was_far_ahead_loses_nothing() {
    let store = Store::with_a_key("EdDSA");
    let ahead = START + 3650 * DAY;
    store.rotate(SCHEDULE, ahead);
    assert_eq!(store.keys().len(), 2);
    for day in (1..=95).step_by(2) {
        let now = START + day * DAY;
        store.rotate(SCHEDULE, now);
        store.is_at_rest(SCHEDULE, now);
        store.active(now);
    }
    let now = START + 95 * DAY;
    let far = |kid: &String| store.key(kid)["nbf"].as_i64() > Some(ahead);
    assert!(store.in_state("pending", now).iter().any(far));
    assert_eq!(store.states(now)["first"], "retired");
    assert_eq!(store.keys().len(), 3);
}

#[test]
fn of_two_keys_with_one_beginning_one_signs_and_the_other_ends() {
    let begin = START - DAY;
    let store = Store::with_edited(|keys| {
        keys.pop();
        for key in keys {
            key["nbf"] = json!(begin);
        }
    });
    assert_eq!(store.active(START), "b");
    store.rotate(SCHEDULE, START);
    store.is_at_rest(SCHEDULE, START);
    assert_eq!(store.active(START), "b");
    assert_eq!(store.key("a")["exp"], begin + DAY + MINUTE);
}

#[test]
fn dates_that_make_no_sense_lose_no_key() {
    // Each is what somebody wrote into the second key of three, the last of which signs.
    for (name, value) in [
        ("nbf", json!("tomorrow")),
        ("exp", json!("2027-01-01")),
        ("nbf", json!(1e300)),
        ("exp", json!(-5)),
        ("iat", json!(null)),
        ("nbf", json!(START * 1000)),
    ] {
        let store = Store::with_edited(|keys| keys[1][name] = value.clone());
        let before = store.keys();
        for hours in [0, 1, 2] {
            let run = store.run(&format!("rotate api {SCHEDULE}"), START + hours * HOUR);
            assert!(matches!(run.code, Some(0 | 5)), "{name} {value}: {run:#?}");
            assert!(!run.stderr.contains("panicked"), "{name} {value}: {run:#?}");
        }
        for key in before {
            let has_ended = key["kid"] == "b" && value == json!(-5);
            let is_there = store.keys().iter().any(|other| other["d"] == key["d"]);
            assert!(is_there || has_ended, "{name} {value}: {key}");
        }
    }
}

/// Nobody signs with a public key: the line goes on, and the key that names it stays.
#[test]
fn a_successor_that_lost_its_private_part_is_none() {
    let store = Store::with_edited(|keys| {
        keys.remove(0);
        keys[0]["jwks_successor"] = json!("c");
        let public = keys[1].as_object_mut().expect("a key");
        public.insert("alg".into(), json!("Ed25519"));
        public.insert("nbf".into(), json!(START - 200 * HOUR));
        public.remove("d");
    });
    let before = store.key("b");
    store.is_at_rest(SCHEDULE, START);
    assert_eq!(store.key("b"), before);
    let signs = |key: &&Value, now: i64| {
        let has_begun = key["nbf"].as_i64().is_none_or(|nbf| nbf <= now);
        let lives = key["exp"].as_i64().is_none_or(|exp| exp > now);
        key["d"].is_string() && key["alg"] == "EdDSA" && has_begun && lives
    };
    for days in [1, 40, 41, 80, 81] {
        let now = START + days * DAY;
        store.rotate(SCHEDULE, now);
        store.is_at_rest(SCHEDULE, now);
        let keys = store.keys();
        assert!(keys.iter().any(|key| signs(&key, now)), "on day {days}");
    }
    assert!(!store.keys().contains(&before));
}

#[test]
fn a_key_that_fails_its_check_is_left_as_it_is() {
    let store = Store::with_edited(|keys| {
        keys[0]["x"] = json!("AAAA");
        keys[0]["exp"] = json!(START - DAY);
        keys[0]["note"] = json!("do not touch");
    });
    let invalid = store.key("a");
    for now in [START, START + 29 * DAY + 23 * HOUR, START + 40 * DAY] {
        let run = store.rotate(SCHEDULE, now);
        assert!(run.stderr.contains("a fails its check"), "{run:#?}");
        assert_eq!(store.key("a"), invalid);
    }
    assert_ne!(store.active(START + 40 * DAY), "c");
}

#[test]
fn where_every_key_fails_its_check_nothing_is_rotated() {
    let store = Store::with_edited(|keys| {
        for key in keys {
            key["x"] = json!("AAAA");
        }
    });
    let before = store.sandbox.read_set("api");
    let run = store.run("rotate api --every 30d --save", START).fails(4);
    assert!(
        run.stderr.contains("valid private part that may"),
        "{run:#?}"
    );
    assert_eq!(store.sandbox.read_set("api"), before);
    store.run("rotate api --forget", START).fails(3);
}

/// Nobody knows for how long they have signed.
#[test]
fn undated_keys_are_followed_at_once() {
    let store = Store::with_edited(|keys| {
        for key in keys {
            key.as_object_mut().expect("a key").remove("iat");
        }
    });
    assert_eq!(store.active(START), "c");
    store.rotate(SCHEDULE, START);
    store.is_at_rest(SCHEDULE, START);
    assert_eq!(store.active(START + HOUR), "c");
    let then = START + HOUR + 2 * MINUTE;
    assert!(!["a", "b", "c"].contains(&&*store.active(then)));
    let published = store.exported(START + DAY);
    assert_eq!(published.len(), 4);
    store.rotate(SCHEDULE, START + 2 * DAY);
    assert_eq!(store.keys().len(), 1);
}

#[test]
fn public_keys_beside_private_ones_are_left_as_they_are() {
    let store = Store::with_edited(|keys| {
        let theirs = keys[2].as_object_mut().expect("a key");
        theirs.remove("d");
    });
    let theirs = store.key("c");
    for days in [0, 40, 41, 80] {
        store.rotate(SCHEDULE, START + days * DAY);
        assert_eq!(store.key("c"), theirs);
    }
    // Without any private key there is nobody to follow.
    store.write(std::slice::from_ref(&theirs));
    let run = store.run("rotate api --every 30d", START).fails(4);
    assert!(run.stderr.contains("private"), "{run:#?}");
    assert_eq!(store.key("c"), theirs);
}

#[test]
fn a_set_that_is_all_symmetric_is_rotated_and_not_published() {
    let store = Store::with_a_key("HS256");
    let due = START + 30 * DAY;
    let staged = store.rotate(SCHEDULE, due - HOUR - 2 * MINUTE);
    assert!(staged.stderr.contains("symmetric"), "{staged:#?}");
    for key in store.keys() {
        let secret = key["k"].as_str().expect("a secret");
        assert!(!staged.stderr.contains(secret) && !staged.stdout.contains(secret));
        assert!(!store.sandbox.read_log().contains(secret));
    }
    assert_ne!(store.active(due), "first");
    let export = store.run("export api", due).fails(4);
    assert!(export.stderr.contains("2 symmetric"), "{export:#?}");
    store.rotate(SCHEDULE, due + 2 * DAY);
    assert_eq!(store.keys().len(), 1);
}

/// Members of the set and of its keys that jwks does not know are there afterwards.
#[test]
fn what_jwks_does_not_know_stays() {
    let store = Store::with_a_key("ES256");
    let mut keys = store.keys();
    keys[0]["x-owner"] = json!({"team": ["a", 1e5]});
    let set = json!({"keys": keys, "issued_by": "somebody"}).to_string();
    fs::write(store.sandbox.set_file("api"), set).expect("the set");
    store.rotate(SCHEDULE, START + 40 * DAY);
    let set: Value = serde_json::from_str(&store.sandbox.read_set("api")).expect("a set");
    assert_eq!(set["issued_by"], "somebody");
    assert_eq!(set["keys"][0]["x-owner"], keys[0]["x-owner"]);
}

#[test]
fn a_compromised_key_is_out_at_once_by_kid_or_thumbprint() {
    let store = Store::with_a_key("ES256");
    let due = START + 30 * DAY;
    store.rotate(SCHEDULE, due - HOUR - 2 * MINUTE);
    store.rotate(SCHEDULE, due);
    // The one that signs.
    let active = store.active(due);
    store.rotate(&format!("{SCHEDULE} --compromised {active}"), due);
    store.is_at_rest(SCHEDULE, due);
    assert!(!store.exported(due).contains(&active));
    let fresh = store.active(due);
    assert!(fresh != active && fresh != "first");
    let gone = format!("rotate api --compromised {active}");
    store.run(&gone, due).fails(3);
    // A retired one: nobody has to follow it.
    let thumbprint = store.ok("thumbprint api first", due).stdout;
    let thumbprint = thumbprint.trim();
    store.rotate(&format!("--compromised {thumbprint}"), due);
    assert_eq!(store.states(due).into_keys().collect::<Vec<_>>(), [fresh]);
}

/// The compromised one does not come back, and the line that was to move to it goes on.
#[test]
fn a_compromised_key_that_others_name_is_not_missed() {
    let store = Store::with_a_key("ES256");
    store.rotate(&format!("{SCHEDULE} --alg EdDSA"), START + DAY);
    let next = store.in_state("pending", START + DAY).remove(0);
    let now = START + DAY + MINUTE;
    store.rotate(&format!("{SCHEDULE} --compromised {next}"), now);
    store.is_at_rest(SCHEDULE, now);
    for days in [2, 3, 30, 31, 62] {
        let now = START + days * DAY;
        store.rotate(SCHEDULE, now);
        let active = store.active(now);
        assert_eq!(store.key(&active)["alg"], "ES256");
        assert!(!store.states(now).contains_key(&next));
    }
}

#[test]
fn bad_input_changes_nothing() {
    let store = Store::with_a_key("ES256");
    store.ok("create two --alg ES256", START);
    store.ok("create two --alg EdDSA", START);
    let entries = store.sandbox.all_store_entries();
    let files = || {
        let files = entries.iter().filter(|name| *name != ".history");
        files.map(|name| fs::read(store.sandbox.store().join(name)))
    };
    let before: Vec<_> = files().map(|file| file.expect("a file")).collect();
    for (line, code) in [
        ("rotate api --every 30d --retire-after -1s --save", 2),
        ("rotate api --every 30d --publish-delay 31d --save", 2),
        ("rotate api --every 0s --save", 2),
        ("rotate api --every -1d --save", 2),
        ("rotate api --every 30d --keep -1 --save", 2),
        ("rotate api --save", 3),
        ("rotate api --every 30d --compromised nobody --save", 3),
        ("rotate api --every 30d --line RS256 --save", 3),
        ("rotate two --force --alg ES384", 4),
        ("rotate api --force --alg nothing", 2),
        ("rotate api --force --alg ES384 --use enc", 2),
        ("rotate api --force --crv P-999", 2),
        ("rotate api --force --size 1024", 2),
        ("rotate api --force --push nowhere", 3),
        ("rotate nowhere --force", 3),
        ("rotate ../api --force", 2),
        ("rotate api --force --exit-code", 2),
        ("rotate api two --compromised first", 2),
        ("rotate --all --compromised first", 2),
        ("rotate api --forget", 3),
        ("rotate --force", 2),
    ] {
        let run = store.run(line, START + 40 * DAY).fails(code);
        assert_eq!(run.stdout, "", "{line}");
        assert_eq!(store.sandbox.all_store_entries(), entries, "{line}");
        let after: Vec<_> = files().map(|file| file.expect("a file")).collect();
        assert!(after == before, "{line} changed something");
    }
}

#[test]
fn a_dry_run_writes_nothing_and_says_what_a_rotation_does() {
    let store = Store::with_a_key("ES256");
    let entries = store.sandbox.all_store_entries();
    let (before, log) = (store.sandbox.read_set("api"), store.sandbox.read_log());
    let now = START + 40 * DAY;
    let dry = format!("rotate api {SCHEDULE} --save --dry-run --exit-code --json");
    let planned = store.run(&dry, now).fails(8).json();
    assert_eq!(store.sandbox.read_set("api"), before);
    assert_eq!(store.sandbox.read_log(), log);
    assert_eq!(store.sandbox.all_store_entries(), entries);
    store.rotate(SCHEDULE, now);
    let steps = planned["sets"][0]["planned"].as_array().expect("steps");
    let staged = store.in_state("pending", now).remove(0);
    assert_eq!(steps[0]["nbf"], store.key(&staged)["nbf"]);
    assert_eq!(steps[1]["exp"], store.key("first")["exp"]);
    assert_eq!(steps.len(), 2);
    store.ok(&dry, now);
}
