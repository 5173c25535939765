//! A rotation that is killed, that meets others, or that finds no space: the set is the old one or the
//! new one, and the next run ends where the first one would have (C2, C3, C4, C10).

#![cfg(target_os = "linux")]

use crate::crash::{assert_both_seen, calls_of, kill};
use crate::rotation::{DAY, HOUR, MINUTE, SCHEDULE, START, Store};
use crate::support::{JWKS, LOCK_WAIT, Run, finish, has_tool, release};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fs;

/// When the first key is due, and the one after it.
const DUE: i64 = START + 30 * DAY;
const DUE_AGAIN: i64 = DUE + 30 * DAY;

/// The members of RFC 7517 and RFC 7518 that nobody else may see.
const PRIVATE: [&str; 2] = ["d", "k"];

/// A set whose next rotation stages a key, gives one its end and removes one.
fn with_all_to_do(alg: &str) -> (Store, i64) {
    let store = Store::with_a_key(alg);
    store.rotate(SCHEDULE, DUE - HOUR - 2 * MINUTE);
    (store, DUE_AGAIN - HOUR - 2 * MINUTE)
}

/// Kills a rotation at one call after the other; what it leaves is the old set or the new one, and
/// the same rotation run again ends with the same dates.
fn kill_at_each_call(options: &str) {
    if !has_tool("strace") {
        return;
    }
    let (store, now) = with_all_to_do("EdDSA");
    let schedules = store.sandbox.store().join(".schedules.json");
    let line = format!("rotate api {options} --now {now}");
    let command: Vec<_> = line.split(' ').collect();
    let old = store.sandbox.read_set("api");
    // The first change of a day also looks through all histories.
    store.sandbox.ok(&command);
    fs::write(store.sandbox.set_file("api"), &old).expect("the old set");
    let _ = fs::remove_file(&schedules);
    let calls = calls_of(&store.sandbox, &command);
    let dates = store.dates();
    let kept = fs::read(&schedules).ok();
    let mut new = 0;
    for call in &calls {
        fs::write(store.sandbox.set_file("api"), &old).expect("the old set");
        let _ = fs::remove_file(&schedules);
        kill(&store.sandbox, &command, call);
        if store.sandbox.read_set("api") != old {
            assert_eq!(store.dates(), dates, "killed at {call:?}");
            new += 1;
        }
        let left = store.sandbox.read_set("api");
        let again = store.sandbox.run(&command).ok();
        assert_eq!(store.dates(), dates, "killed at {call:?}: {again:#?}");
        let is_done = left != old;
        assert_eq!(store.sandbox.read_set("api") == left, is_done, "{call:?}");
        assert_eq!(fs::read(&schedules).ok(), kept, "killed at {call:?}");
        let entries = store.sandbox.store_entries();
        assert!(!entries.contains(&".writing".into()), "{call:?}");
        store.ok("check api", now);
    }
    assert_both_seen(new, calls.len());
}

#[test]
fn a_killed_rotation_that_runs_again_ends_with_the_same_dates() {
    kill_at_each_call(SCHEDULE);
}

#[test]
fn a_killed_rotation_that_saves_its_schedule_has_it_the_next_time() {
    kill_at_each_call(&format!("{SCHEDULE} --save"));
}

#[test]
fn a_killed_move_that_runs_again_ends_with_the_same_dates() {
    kill_at_each_call(&format!("{SCHEDULE} --alg Ed25519"));
}

/// A compromised key is in the set, or it is out and another one signs.
#[test]
fn a_killed_rotation_of_a_compromised_key_leaves_a_signer() {
    if !has_tool("strace") {
        return;
    }
    let store = Store::with_a_key("EdDSA");
    let line = format!("rotate api --compromised first --now {DUE}");
    let command: Vec<_> = line.split(' ').collect();
    let old = store.sandbox.read_set("api");
    // The first change of a day also looks through all histories.
    store.sandbox.ok(&command);
    fs::write(store.sandbox.set_file("api"), &old).expect("the old set");
    let calls = calls_of(&store.sandbox, &command);
    let mut new = 0;
    for call in &calls {
        fs::write(store.sandbox.set_file("api"), &old).expect("the old set");
        kill(&store.sandbox, &command, call);
        let keys = store.keys();
        assert_eq!(keys.len(), 1, "killed at {call:?}");
        assert!(keys[0]["d"].is_string() && keys[0]["nbf"].is_null());
        let is_out = keys[0]["kid"] != "first";
        new += usize::from(is_out);
        // Who is out already cannot be taken out once more.
        let again = store.sandbox.run(&command);
        assert_eq!(again.code, Some(if is_out { 3 } else { 0 }), "{again:#?}");
        assert_ne!(store.keys()[0]["kid"], "first");
    }
    assert_both_seen(new, calls.len());
}

#[test]
fn eight_runs_at_once_stage_one_key() {
    for round in 0..3 {
        let (store, now) = with_all_to_do("EdDSA");
        let logged = lines(&store).len();
        let line = format!("rotate api {SCHEDULE} --json --lock-wait {LOCK_WAIT}");
        let run = || store.ok(&line, now).json();
        let reports: Vec<Value> = std::thread::scope(|scope| {
            let running: Vec<_> = (0..8).map(|_| scope.spawn(run)).collect();
            let ended = running.into_iter().map(|run| run.join());
            ended.map(|report| report.expect("a report")).collect()
        });
        let changed = |report: &&Value| report["sets"][0]["changed"] == true;
        assert_eq!(reports.iter().filter(changed).count(), 1, "round {round}");
        assert_eq!(store.keys().len(), 2);
        let verbs = &story(&store)[logged..];
        let kinds: BTreeSet<_> = verbs.iter().map(|(verb, _)| &**verb).collect();
        assert_eq!(kinds, ["removed", "retired", "staged"].into());
        assert_eq!(verbs.len(), 3, "{verbs:?}");
    }
}

/// Sets of one keystore wait for each other, and none is left out.
#[test]
fn runs_over_all_sets_at_once_rotate_each_of_them_once() {
    let store = Store::with_a_key("EdDSA");
    for set in ["b", "c", "d"] {
        store.ok(&format!("create {set} --alg EdDSA"), START);
    }
    let now = START + 40 * DAY;
    let line = format!("rotate --all {SCHEDULE} --lock-wait {LOCK_WAIT}");
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| store.ok(&line, now));
        }
    });
    for set in ["api", "b", "c", "d"] {
        let listed = store.ok(&format!("list {set} --json"), now).json();
        assert_eq!(listed["keys"].as_array().expect("keys").len(), 2, "{set}");
    }
}

#[test]
fn a_full_disk_leaves_the_old_set_and_the_old_schedules() {
    if !has_tool("strace") {
        return;
    }
    let (store, now) = with_all_to_do("EdDSA");
    let before = store.sandbox.read_set("api");
    let log = store.sandbox.read_log();
    let entries = store.sandbox.all_store_entries();
    for (file, call, error) in [
        (".writing", "/^open", "ENOSPC"),
        (".writing", "write", "ENOSPC"),
        (".writing", "/sync$", "EIO"),
        (".writing", "/^rename", "EROFS"),
        (".lock", "/^open", "EROFS"),
        ("api.json", "read", "EIO"),
    ] {
        for options in [SCHEDULE, "--every 30d --save", "--force", "--force --json"] {
            let line = format!("rotate api {options} --now {now}");
            let run = with_a_fault(&store, file, call, error, &line).fails(1);
            let told = run.stderr.contains("api.json")
                || run.stderr.contains(".schedules.json")
                || run.stderr.contains(".lock");
            assert!(told, "{file} {call} {error} {options}: {run:#?}");
            assert_eq!(store.sandbox.read_set("api"), before, "{call} {options}");
            assert_eq!(store.sandbox.all_store_entries(), entries, "{call}");
            assert_eq!(store.sandbox.read_log(), log, "{call} {options}");
            assert_tells_no_secret(&store, &[&run.stdout, &run.stderr]);
        }
    }
    store.rotate(SCHEDULE, now);
    assert_eq!(store.keys().len(), 2);
}

fn with_a_fault(store: &Store, file: &str, call: &str, error: &str, line: &str) -> Run {
    let mut strace = store.sandbox.command("strace");
    strace.args(["-f", "-qq", "-o", "/dev/null", "-P"]);
    strace.arg(store.sandbox.store().join(file));
    strace.args(["-e", &format!("inject={call}:error={error}")]);
    finish(strace.arg(JWKS).args(line.split(' ')))
}

#[test]
fn a_rotation_waits_for_its_turn_and_says_so_when_it_does_not_come() {
    let (store, now) = with_all_to_do("EdDSA");
    let before = store.sandbox.read_set("api");
    let lock = fs::File::open(store.sandbox.store().join(".lock")).expect("the lock");
    lock.lock().expect("its turn");
    let rotate = format!("rotate api {SCHEDULE} --lock-wait 0");
    let run = store.run(&rotate, now).fails(4);
    assert!(run.stderr.contains("--lock-wait"), "{run:#?}");
    assert_eq!(store.sandbox.read_set("api"), before);
    // To see that nothing is due takes no lock.
    store.ok(&rotate, START);
    store
        .run(&format!("{rotate} --dry-run --exit-code"), now)
        .fails(8);
    release(lock);
    store.ok(&rotate, now);
}

/// The lines of the log.
fn lines(store: &Store) -> Vec<Value> {
    let log = store.sandbox.read_log();
    let lines = log.lines().map(serde_json::from_str);
    lines.map(|line| line.expect("a line of JSON")).collect()
}

/// The log without times: what was done with which key, and why.
fn story(store: &Store) -> Vec<(String, String)> {
    let told = lines(store).into_iter().map(|line| {
        let text = |name: &str| line[name].as_str().unwrap_or_default().to_owned();
        let more = [text("kid"), text("note")].join(" ");
        (text("verb"), more.trim_end().to_owned())
    });
    told.collect()
}

#[track_caller]
fn assert_tells_no_secret(store: &Store, texts: &[&str]) {
    for key in store.keys() {
        for secret in PRIVATE.iter().filter_map(|name| key[name].as_str()) {
            for text in texts {
                assert!(!text.contains(&secret[..12]), "a secret in {text}");
            }
        }
    }
}

#[test]
fn the_log_tells_each_change_once() {
    let store = Store::with_a_key("EdDSA");
    let mut told = story(&store).len();
    let mut adds = |options: &str, now: i64| {
        store.rotate(options, now);
        // A second look has nothing to tell, and neither has a dry run.
        store.rotate(&format!("{SCHEDULE} --dry-run"), now);
        store.rotate(SCHEDULE, now);
        let new = story(&store).split_off(told);
        told += new.len();
        new
    };
    let is = |verb: &str, kid: &str| (verb.to_owned(), kid.to_owned());
    assert_eq!(adds(SCHEDULE, START), []);
    let staged = adds(SCHEDULE, DUE - HOUR - 2 * MINUTE);
    let second = staged[0].1.clone();
    assert_eq!(staged, [is("staged", &second), is("retired", "first")]);
    // That it begins is a matter of dates, and nobody did anything.
    assert_eq!(adds(SCHEDULE, DUE), []);
    let removed = adds(SCHEDULE, DUE + 2 * DAY);
    assert_eq!(removed, [is("removed", "first expired")]);
    let options = format!("{SCHEDULE} --compromised {second}");
    let taken_out = adds(&options, DUE + 3 * DAY);
    let fresh = taken_out[0].1.clone();
    let out = format!("{second} compromised");
    assert_eq!(taken_out, [is("activated", &fresh), is("removed", &out)]);
    let moved = adds(&format!("{SCHEDULE} --alg ES256"), DUE + 4 * DAY);
    let verbs: Vec<_> = moved.iter().map(|(verb, _)| &**verb).collect();
    assert_eq!(verbs, ["staged", "retired"]);
    for line in lines(&store) {
        let time = line["time"].as_str().expect("a time");
        assert!(
            time.starts_with("2027-"),
            "the clock of the command: {line}"
        );
        assert!(line["thumbprint"].is_string(), "{line}");
    }
    assert_tells_no_secret(&store, &[&store.sandbox.read_log()]);
}

#[test]
fn no_rotation_prints_or_logs_a_secret() {
    for alg in ["ES256", "HS256", "ECDH-ES"] {
        let (store, now) = with_all_to_do(alg);
        let mut texts = Vec::new();
        for line in [
            format!("rotate api {SCHEDULE} --dry-run"),
            format!("rotate api {SCHEDULE} --dry-run --json"),
            format!("rotate api {SCHEDULE} --json"),
            format!("rotate api {SCHEDULE} --force -v"),
            format!("rotate api {SCHEDULE} --compromised first"),
            "rotate api --size 1 --force".to_owned(),
        ] {
            // What goes with this one is a secret still.
            assert_tells_no_secret(&store, &[&store.sandbox.read_log()]);
            let run = store.run(&line, now);
            texts.extend([run.stdout, run.stderr]);
        }
        let texts: Vec<_> = texts.iter().map(String::as_str).collect();
        assert_tells_no_secret(&store, &texts);
        // A thumbprint would help to guess a weak symmetric key.
        let thumbprints = lines(&store).into_iter();
        let mut thumbprints = thumbprints.filter(|line| line["thumbprint"].is_string());
        assert_eq!(thumbprints.next().is_none(), alg == "HS256");
        assert_eq!(lines(&store)[0]["verb"], json!("created"));
    }
}
