//! Schedules that are kept with their sets: saved, used by `--all`, overridden, dropped, damaged.

use crate::rotation::{DAY, HOUR, MINUTE, SCHEDULE, START, Store};
use crate::support::Sandbox;
use serde_json::{Value, json};
use std::fs;
use std::path::PathBuf;

const DUE: i64 = START + 30 * DAY;

fn file(store: &Store) -> PathBuf {
    store.sandbox.store().join(".schedules.json")
}

fn saved(store: &Store) -> Value {
    let text = fs::read(file(store)).expect("the schedules");
    serde_json::from_slice(&text).expect("JSON")
}

#[test]
fn a_saved_schedule_is_all_that_the_next_run_needs() {
    let store = Store::with_a_key("ES256");
    store.ok("create other", START);
    store.rotate(&format!("{SCHEDULE} --keep 1 --save"), START);
    let expected = json!({"api": {
        "every": "30d", "publish_delay": "1h", "retire_after": "24h", "keep": 1
    }});
    assert_eq!(saved(&store), expected);
    store.ok("rotate --all", DUE - HOUR - 2 * MINUTE);
    assert_eq!(store.keys().len(), 2);
    // One that is kept gets no end.
    assert!(store.keys()[0]["exp"].is_null());
    let run = store.ok("rotate api", DUE);
    assert!(run.stderr.contains("nothing to do"), "{run:#?}");
    // A set without a schedule is none of its business.
    let other: Value = serde_json::from_str(&store.sandbox.read_set("other")).expect("a set");
    assert_eq!(other["keys"].as_array().expect("keys").len(), 1);
}

#[test]
fn an_option_of_one_run_is_not_kept_unless_it_is_saved() {
    let store = Store::with_a_key("ES256");
    store.rotate(&format!("{SCHEDULE} --save"), START);
    let before = saved(&store);
    store.rotate("--every 10d", START + 10 * DAY - HOUR);
    assert_eq!(store.keys().len(), 2);
    assert_eq!(saved(&store), before);
    store.rotate("--every 10d --save", START + 10 * DAY);
    assert_eq!(saved(&store)["api"]["every"], "10d");
    assert_eq!(saved(&store)["api"]["publish_delay"], "1h");
}

#[test]
fn the_schedules_are_private_and_no_set() {
    let store = Store::with_a_key("ES256");
    store.rotate(&format!("{SCHEDULE} --save"), START);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = fs::metadata(file(&store)).expect("it").permissions().mode();
        assert_eq!(mode & 0o7777, 0o600);
    }
    let sets = store.ok("list --format names", START).stdout;
    assert_eq!(sets, "api\n");
}

#[test]
fn a_schedule_that_is_dropped_is_gone_and_the_keys_stay() {
    let store = Store::with_a_key("ES256");
    store.rotate(&format!("{SCHEDULE} --save"), START);
    let before = store.sandbox.read_set("api");
    store.rotate("--forget", START);
    assert_eq!(saved(&store), json!({}));
    assert_eq!(store.sandbox.read_set("api"), before);
    store.run("rotate api", DUE).fails(3);
    let all = store.ok("rotate --all", DUE);
    assert!(all.stderr.contains("no set has a schedule"), "{all:#?}");
    store.run("rotate api --forget", START).fails(3);
}

/// Another set of its name does not inherit it.
#[test]
fn a_schedule_goes_with_its_set() {
    let store = Store::with_a_key("ES256");
    store.rotate(&format!("{SCHEDULE} --save"), START);
    store.ok("delete api --yes --force", START);
    store.ok("create api", START);
    store.run("rotate api", DUE).fails(3);
}

#[test]
fn all_with_a_period_rotates_every_set_with_a_private_key() {
    let store = Store::with_a_key("ES256");
    store.ok("create mac --alg HS256", START);
    store.sandbox.shell("jwks get api > public.json").ok();
    store.ok("set public public.json", START);
    let run = store.ok(&format!("rotate --all {SCHEDULE} --json"), START + 40 * DAY);
    let sets = run.json();
    let sets = sets["sets"].as_array().expect("sets").iter();
    let names: Vec<_> = sets
        .map(|set| set["set"].as_str().expect("a name").to_owned())
        .collect();
    assert_eq!(names, ["api", "mac"]);
}

/// The others are rotated all the same, and the exit code is that of the first that was not.
#[test]
fn a_set_that_cannot_be_rotated_does_not_stop_the_others() {
    let store = Store::with_a_key("ES256");
    for set in ["broken", "empty", "last"] {
        store.ok(&format!("create {set}"), START);
        store.ok(&format!("rotate {set} {SCHEDULE} --save"), START);
    }
    fs::write(store.sandbox.set_file("broken"), "{").expect("a file");
    fs::write(store.sandbox.set_file("empty"), r#"{"keys":[]}"#).expect("a file");
    store.rotate(&format!("{SCHEDULE} --save"), START);
    let run = store.run("rotate --all", START + 40 * DAY).fails(5);
    for words in [
        "set broken: ",
        "set empty: ",
        "2 sets not completed: broken, empty",
    ] {
        assert!(run.stderr.contains(words), "{words}: {run:#?}");
    }
    assert_eq!(store.keys().len(), 2);
    let last: Value = serde_json::from_str(&store.sandbox.read_set("last")).expect("a set");
    assert_eq!(last["keys"].as_array().expect("keys").len(), 2);
    assert_eq!(store.sandbox.read_set("broken"), "{");
}

#[test]
fn schedules_that_cannot_be_read_are_never_taken_for_none() {
    let store = Store::with_a_key("ES256");
    store.rotate(&format!("{SCHEDULE} --save"), START);
    let before = store.sandbox.read_set("api");
    for (text, code) in [
        ("", 5),
        ("{", 5),
        ("[]", 5),
        (r#"{"api": 1}"#, 5),
        (r#"{"api": {"every": "30d", "color": "red"}}"#, 5),
        (r#"{"api": {"every": 30}}"#, 5),
        (r#"{"api": {"every": "soon"}}"#, 2),
    ] {
        fs::write(file(&store), text).expect("the schedules");
        for line in ["rotate --all", "rotate api --every 10d --save"] {
            // An own period takes the place of one that makes no sense.
            let is_mended = code == 2 && line.contains("--every");
            let run = store.run(line, START + 40 * DAY);
            assert_eq!(
                run.code,
                Some(if is_mended { 0 } else { code }),
                "{text}: {run:#?}"
            );
            assert!(
                run.stderr.contains("hint: ") || is_mended,
                "{text}: {run:#?}"
            );
            if !is_mended {
                assert_eq!(store.sandbox.read_set("api"), before, "{text}");
                assert_eq!(fs::read_to_string(file(&store)).expect("it"), text);
            }
        }
    }
}

/// `list` says when a set with a schedule has something to do.
#[test]
fn the_list_of_sets_shows_when_a_rotation_is_due() {
    let store = Store::with_a_key("ES256");
    store.rotate(&format!("{SCHEDULE} --save"), START);
    let next = |now: i64| {
        let sets = store.ok("list --json", now).json();
        sets["sets"][0]["next_change"].as_i64()
    };
    let staging = DUE - 2 * (HOUR + MINUTE);
    assert_eq!(next(START), Some(staging));
    assert_eq!(next(staging), Some(staging));
    store.ok("rotate --all", staging);
    assert_eq!(next(staging), Some(DUE));
}

/// A key that has to sign until its successor begins gets a later end than its owner chose.
#[test]
fn an_end_that_is_moved_is_told() {
    let sandbox = Sandbox::new();
    let now = ["--now", "2026-01-05"];
    let create = [
        "create",
        "api",
        "--kid",
        "a",
        "--exp",
        "2026-01-05T02:00:00Z",
    ];
    sandbox.ok(create.iter().chain(&now));
    let rotate: Vec<_> = ["rotate", "api", "--every", "30d"]
        .iter()
        .chain(&now)
        .collect();
    let end = |exp: &serde_json::Value| exp.as_i64().expect("an end");
    let planned = sandbox.json(rotate.iter().chain(&[&"--dry-run", &"--json"]));
    let step = &planned["sets"][0]["planned"][1];
    assert_eq!(end(&step["exp_before"]), 1_767_578_400);
    let planned = sandbox.run(rotate.iter().chain(&[&"--dry-run"])).ok();
    let words = " instead of 2026-01-05T02:00:00Z\n";
    assert!(planned.stderr.contains(words), "{planned:#?}");
    let run = sandbox.run(&rotate).ok();
    assert!(
        run.stderr.contains("api: a (ES256) ends at 2026-01-06T0"),
        "{run:#?}"
    );
    assert!(run.stderr.contains(words), "{run:#?}");
    sandbox.ok(["undo", "api", "--yes"]);
    let report = sandbox.json(rotate.iter().chain(&[&"--json"]));
    let moved = &report["sets"][0]["moved_ends"][0];
    assert_eq!(moved["kid"], "a");
    assert_eq!(end(&moved["from"]), 1_767_578_400);
    assert!(end(&moved["to"]) > end(&moved["from"]));
}
