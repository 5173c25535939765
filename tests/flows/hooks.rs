//! Hooks: what they get, and what happens if they fail, hang or flood.

use crate::rotation::{DAY, HOUR, MINUTE, SCHEDULE, START, Store};
use serde_json::Value;
use std::fs;

const STAGED: i64 = START + 30 * DAY - HOUR - 2 * MINUTE;

/// A set whose rotations write a file and run this hook.
fn with_hook(hook: &str, more: &str) -> Store {
    let store = Store::with_a_key("ES256");
    store.sandbox.write("hook", format!("#!/bin/sh\n{hook}\n"));
    let now = START.to_string();
    let mut line: Vec<_> = "rotate api --export jwks.json --hook".split(' ').collect();
    line.push("sh ./hook");
    line.extend(SCHEDULE.split(' '));
    line.extend(more.split_whitespace());
    line.extend(["--save", "--now", &now]);
    let run = store.sandbox.run(line);
    assert!(matches!(run.code, Some(0 | 6)), "{run:#?}");
    store
}

/// The events that the hook `cat >> events; echo >> events` got.
fn events(store: &Store) -> Vec<Value> {
    let path = store.sandbox.path().join("events");
    let text = fs::read_to_string(path).unwrap_or_default();
    let lines = text.lines();
    lines
        .map(|line| serde_json::from_str(line).expect("an event"))
        .collect()
}

#[test]
fn a_hook_gets_the_change_and_no_secret() {
    let hook = "cat >> events; echo >> events; env > environment";
    let store = with_hook(hook, "");
    assert_eq!(events(&store).len(), 1);
    let mut command = store.sandbox.command(crate::support::JWKS);
    command.env("ORY_ACCESS_TOKEN", "a secret token");
    let now = STAGED.to_string();
    crate::support::finish(command.args(["rotate", "--all", "--now", &now])).ok();
    let events = events(&store);
    let event = &events[1];
    assert_eq!(event["event"], "rotation");
    assert_eq!(event["set"], "api");
    assert_eq!(event["active"][0]["kid"], "first");
    assert_eq!(event["staged"].as_array().expect("keys").len(), 1);
    let written = event["written"][0].as_str().expect("a path");
    assert!(written.ends_with("/jwks.json"), "{written}");
    let environment = fs::read_to_string(store.sandbox.path().join("environment"));
    let environment = environment.expect("the environment");
    for line in [
        "JWKS_EVENT=rotation",
        "JWKS_EVENT_SET=api",
        "JWKS_EVENT_TIME=20",
    ] {
        assert!(environment.contains(line), "{line}: {environment}");
    }
    assert!(!environment.contains("secret"), "{environment}");
    for secret in store.keys() {
        let d = secret["d"].as_str().expect("a private key").to_owned();
        assert!(!environment.contains(&d) && !event.to_string().contains(&d));
    }
    // Nothing has changed.
    store.ok("rotate --all", STAGED + 1);
    assert_eq!(self::events(&store).len(), 2);
}

#[test]
fn a_hook_runs_when_a_key_begins_to_sign() {
    let store = with_hook("cat >> events; echo >> events", "");
    store.ok("rotate --all", STAGED);
    assert_eq!(events(&store).len(), 2);
    store.ok("rotate --all", START + 30 * DAY);
    let events = events(&store);
    assert_eq!(events.len(), 3);
    assert_eq!(events[2]["activated"], events[1]["staged"]);
    store.ok("rotate --all", START + 30 * DAY + 1);
    assert_eq!(self::events(&store).len(), 3);
}

#[test]
fn a_hook_that_fails_runs_again_until_it_succeeds() {
    let hook = "cat >> events; echo >> events; echo boom >&2; test ! -e broken";
    let store = with_hook(hook, "");
    store.sandbox.write("broken", "");
    let run = store.run("rotate --all", STAGED).fails(6);
    for word in ["hook: boom", "failed (exit status: 1)", "runs it again"] {
        assert!(run.stderr.contains(word), "{word}: {run:#?}");
    }
    assert_eq!(store.keys().len(), 2, "the set is rotated");
    store.run("rotate --all", STAGED + 1).fails(6);
    fs::remove_file(store.sandbox.path().join("broken")).expect("it");
    let report = store.ok("rotate --all --json", STAGED + 2).json();
    assert_eq!(report["sets"][0]["hooks"][0]["command"], "sh ./hook");
    let events = events(&store);
    assert_eq!(events.len(), 4);
    // The change is still in the last one.
    assert_eq!(events[3]["staged"], events[1]["staged"]);
    assert_eq!(events[3]["since"], events[1]["time"]);
    store.ok("rotate --all", STAGED + 3);
    assert_eq!(self::events(&store).len(), 4, "it succeeded");
}

#[test]
fn a_hook_that_hangs_or_floods_does_no_harm() {
    let store = with_hook("sleep 1000 & wait", "--hook-timeout 1");
    let run = store.run("rotate --all", STAGED).fails(6);
    assert!(run.stderr.contains("ran for more than 1 s"), "{run:#?}");
    assert_eq!(store.keys().len(), 2);
    let store = with_hook("head -c 100000000 /dev/zero | tr '\\0' x; false", "");
    let now = STAGED.to_string();
    let measured = store
        .sandbox
        .peak_memory(["rotate", "--all", "--now", &now]);
    let Some((run, memory)) = measured else {
        return;
    };
    assert_eq!(run.code, Some(6), "{}", run.stderr.len());
    assert!(run.stderr.len() < 20_000, "{}", run.stderr.len());
    assert!(memory < 100, "{memory} MiB");
}

#[test]
fn a_hook_that_cannot_be_found_is_an_error_at_the_end() {
    let store = with_hook("exec /nowhere/at/all", "");
    let run = store.run("rotate --all", STAGED).fails(6);
    assert!(
        run.stderr
            .contains("the next rotation with this hook runs it again"),
        "{run:#?}"
    );
    assert_eq!(store.keys().len(), 2);
}
