//! Rotations that deliver: files of verifiers and signers, servers, hooks, and what a failure or a kill of each
//! leaves behind.

use crate::rotation::{DAY, HOUR, MINUTE, SCHEDULE, START, Store};
use crate::servers::hydra::{Hydra, Version};
use crate::support::{JWKS, Sandbox, finish, has_tool};
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;

pub const DUE: i64 = START + 30 * DAY;
pub const STAGED: i64 = DUE - HOUR - 2 * MINUTE;
pub const BEGUN: i64 = DUE + MINUTE;

const FILES: &str = "--export public/jwks.json --export private/sign.json=spring";

/// A set with a saved schedule that writes a file for verifiers and one for a signer.
pub fn delivering() -> Store {
    let store = Store::with_a_key("ES256");
    for directory in ["public", "private"] {
        fs::create_dir(store.sandbox.path().join(directory)).expect("a directory");
    }
    store.rotate(&format!("{SCHEDULE} {FILES} --save"), START);
    store
}

/// The kids of the keys in a file.
pub fn kids(sandbox: &Sandbox, file: &str) -> BTreeSet<String> {
    let text = fs::read_to_string(sandbox.path().join(file)).expect("the file");
    let set: Value = serde_json::from_str(&text).expect("a set");
    let keys = set["keys"].as_array().expect("keys").iter();
    keys.map(|key| key["kid"].as_str().expect("a kid").to_owned())
        .collect()
}

pub fn public(store: &Store) -> BTreeSet<String> {
    kids(&store.sandbox, "public/jwks.json")
}

pub fn signs(store: &Store) -> String {
    let mut kids = kids(&store.sandbox, "private/sign.json").into_iter();
    kids.next().expect("a key")
}

fn set_mode(store: &Store, directory: &str, mode: u32) {
    use std::os::unix::fs::PermissionsExt as _;
    let path = store.sandbox.path().join(directory);
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("the mode");
}

/// Puts a file in the place of a directory, which makes it unwritable for every user.
pub fn block(store: &Store, directory: &str) {
    let path = store.sandbox.path().join(directory);
    fs::rename(&path, path.with_extension("away")).expect("the directory");
    fs::write(path, "in the way").expect("a file");
}

pub fn unblock(store: &Store, directory: &str) {
    let path = store.sandbox.path().join(directory);
    fs::remove_file(&path).expect("the file");
    fs::rename(path.with_extension("away"), path).expect("the directory");
}

#[test]
fn verifiers_get_a_key_before_the_signer_and_keep_it_longer() {
    let store = delivering();
    assert_eq!((public(&store).len(), &*signs(&store)), (1, "first"));
    store.ok("rotate --all", STAGED);
    assert_eq!((public(&store).len(), &*signs(&store)), (2, "first"));
    store.ok("rotate --all", BEGUN);
    let next = signs(&store);
    assert_ne!(next, "first");
    assert!(public(&store).contains("first"), "its tokens live on");
    store.ok("rotate --all", BEGUN + DAY + HOUR);
    assert_eq!(public(&store), BTreeSet::from([next]));
    assert_eq!(store.keys().len(), 1);
    let run = store.ok("rotate --all", BEGUN + DAY + 2 * HOUR);
    assert!(run.stderr.contains("nothing to do"), "{run:#?}");
    let log = store.sandbox.read_log();
    assert!(log.contains("spring: "), "the export is logged: {log}");
}

#[test]
fn files_are_written_only_when_they_change() {
    use std::os::unix::fs::MetadataExt as _;
    let store = delivering();
    let state = |file: &str| {
        let metadata = fs::metadata(store.sandbox.path().join(file)).expect("the file");
        (
            metadata.ino(),
            metadata.mtime_nsec(),
            metadata.mode() & 0o777,
        )
    };
    let files = ["public/jwks.json", "private/sign.json"];
    let before = files.map(state);
    store.ok("rotate --all", START + DAY);
    assert_eq!(files.map(state), before);
    assert_eq!(before[1].2, 0o600);
}

#[test]
fn the_schedule_keeps_absolute_paths() {
    let store = delivering();
    let elsewhere = store.sandbox.path().join("elsewhere");
    fs::create_dir(&elsewhere).expect("a directory");
    let now = STAGED.to_string();
    let mut command = store.sandbox.command(JWKS);
    command.current_dir(&elsewhere);
    finish(command.args(["rotate", "--all", "--now", &now])).ok();
    assert_eq!(public(&store).len(), 2);
    assert_eq!(fs::read_dir(elsewhere).expect("it").count(), 0);
}

#[test]
fn a_signer_waits_until_verifiers_have_its_key() {
    let store = delivering();
    block(&store, "public");
    let run = store.run("rotate --all", STAGED).fails(1);
    assert!(run.stderr.contains("--export "), "{run:#?}");
    let run = store.run("rotate --all", BEGUN);
    assert_ne!(run.code, Some(0));
    assert_eq!(signs(&store), "first");
    unblock(&store, "public");
    // Nobody has seen the new key, so it waits for the publish delay.
    let run = store.ok("rotate --all", BEGUN + HOUR);
    assert!(run.stderr.contains("signs only from"), "{run:#?}");
    assert_eq!((public(&store).len(), &*signs(&store)), (2, "first"));
    store.ok("rotate --all", BEGUN + 2 * HOUR + MINUTE);
    assert_ne!(signs(&store), "first");
    assert!(public(&store).contains("first"));
}

#[test]
fn a_key_stays_published_as_long_as_a_signer_has_it() {
    let store = delivering();
    store.ok("rotate --all", STAGED);
    block(&store, "private");
    for day in 0..5 {
        let run = store.run("rotate --all", BEGUN + day * DAY);
        assert_ne!(run.code, Some(0), "{run:#?}");
        assert!(public(&store).contains("first"), "day {day}");
    }
    unblock(&store, "private");
    assert_eq!(signs(&store), "first");
    store.ok("rotate --all", BEGUN + 5 * DAY);
    assert_ne!(signs(&store), "first");
    store.ok("rotate --all", BEGUN + 6 * DAY - HOUR);
    assert!(public(&store).contains("first"), "its last token lives on");
    store.ok("rotate --all", BEGUN + 6 * DAY + HOUR);
    assert!(!public(&store).contains("first"));
}

#[test]
fn a_compromised_key_leaves_everything_at_once() {
    let store = delivering();
    store.ok("rotate --all", STAGED);
    let run = store.rotate("--compromised first", BEGUN);
    assert!(run.stderr.contains("revoked first"), "{run:#?}");
    assert!(!public(&store).contains("first"));
    assert_ne!(signs(&store), "first");
    assert!(!store.sandbox.read_set("api").contains("\"first\""));
}

#[test]
fn a_file_of_somebody_else_is_not_replaced() {
    let store = Store::with_a_key("ES256");
    let path = store.sandbox.path().join("key.json");
    for content in [
        "not ours",
        "{\"keys\":[],\"password\":\"x\"}",
        r#"{"kty":"oct","kid":"x","k":"c2VjcmV0IHNlY3JldCBzZWNyZXQgc2VjcmV0"}"#,
    ] {
        fs::write(&path, content).expect("a file");
        let line = format!("{SCHEDULE} --export key.json=spring");
        let run = store.run(&format!("rotate api {line}"), START).fails(4);
        assert!(run.stderr.contains("key.json"), "{run:#?}");
        assert_eq!(fs::read_to_string(&path).expect("it"), content);
    }
    // What was written before is ours, also after the key has left the set.
    fs::remove_file(&path).expect("the file");
    let line = format!("{SCHEDULE} --export key.json=spring --save");
    store.rotate(&line, START);
    store.rotate("--compromised first", START + HOUR);
    assert!(!fs::read_to_string(&path).expect("it").contains("first"));
}

#[test]
fn private_keys_go_only_to_directories_of_our_own() {
    let store = delivering();
    store.ok("rotate --all", STAGED);
    set_mode(&store, "private", 0o777);
    let run = store.run("rotate --all", BEGUN).fails(4);
    assert!(
        run.stderr
            .contains("other users can write to the directory"),
        "{run:#?}"
    );
    assert_eq!(signs(&store), "first");
    set_mode(&store, "private", 0o700);
    store.ok("rotate --all", BEGUN + HOUR);
    assert_ne!(signs(&store), "first");
}

#[test]
fn mistakes_in_targets_change_nothing() {
    let store = Store::with_a_key("ES256");
    let before = store.sandbox.read_set("api");
    for (option, code, word) in [
        ("--export a.json=sprin", 2, "did you mean spring?"),
        ("--export =spring", 2, "no path"),
        ("--published issuer.example", 2, "not an address"),
        ("--push nowhere", 3, "nowhere"),
        ("--hook-timeout 0", 2, "hook-timeout"),
    ] {
        let line = format!("rotate api {SCHEDULE} --force {option}");
        let run = store.run(&line, START + DAY).fails(code);
        assert!(run.stderr.contains(word), "{option}: {run:#?}");
        assert_eq!(store.sandbox.read_set("api"), before, "{option}");
    }
    let line = format!("rotate api {SCHEDULE} --export missing/a.json");
    store.run(&line, START + DAY).fails(3);
}

#[test]
fn a_file_of_another_set_is_not_replaced() {
    let store = delivering();
    store.ok("create other --kid theirs", START);
    let line = format!("rotate other {SCHEDULE} --export public/jwks.json");
    let run = store.run(&line, START).fails(4);
    assert!(
        run.stderr.contains("other content than this set"),
        "{run:#?}"
    );
    assert_eq!(public(&store), BTreeSet::from(["first".to_owned()]));
}

#[test]
fn each_layout_has_a_file_of_its_own() {
    let store = delivering();
    let line = format!("{SCHEDULE} --export a.json --export public/../a.json=spring");
    let run = store.run(&format!("rotate api {line}"), START).fails(2);
    assert!(run.stderr.contains("twice"), "{run:#?}");
    assert!(!store.sandbox.path().join("a.json").exists());
}

#[test]
fn a_line_that_has_moved_stops_no_other_target() {
    let store = Store::with_a_key("ES256");
    let line = format!("{SCHEDULE} --export a.json=spring:ES256 --export b.json --save");
    store.rotate(&line, START);
    store.rotate("--alg EdDSA", START + DAY);
    let run = store.run("rotate --all", START + 2 * DAY).fails(4);
    assert!(
        run.stderr.contains("no key of line ES256 signs now"),
        "{run:#?}"
    );
    assert_eq!(kids(&store.sandbox, "b.json").len(), 2);
}

#[test]
fn a_set_that_is_made_again_replaces_its_files() {
    let store = delivering();
    store.ok("delete api --yes --force", START + HOUR);
    store.ok("create api --kid again", START + HOUR);
    store.rotate(&format!("{SCHEDULE} {FILES} --save"), START + HOUR);
    assert_eq!(signs(&store), "again");
    store.ok("delete api --yes --force --purge", START + HOUR);
    assert!(!store.sandbox.store().join(".deliveries/api").exists());
}

#[test]
fn a_signer_keeps_its_key_published_after_an_undo() {
    let store = delivering();
    store.rotate("--force", START + DAY);
    let next = START + DAY + 2 * HOUR;
    store.ok("rotate --all", next);
    let new = signs(&store);
    assert_ne!(new, "first");
    store.ok("undo api --yes", next + MINUTE);
    store.ok("undo api --yes", next + MINUTE);
    block(&store, "private");
    let run = store.run("rotate --all", next + HOUR);
    assert_ne!(run.code, Some(0), "{run:#?}");
    assert!(public(&store).contains(&new), "{run:#?}");
    unblock(&store, "private");
}

#[test]
fn a_dry_run_says_what_it_would_write() {
    let store = delivering();
    store.ok("rotate --all", STAGED);
    let run = store
        .run("rotate --all --dry-run --exit-code", DUE)
        .fails(8);
    assert!(run.stderr.contains("would write "), "{run:#?}");
    assert_eq!(signs(&store), "first");
    store.ok("rotate --all", DUE);
    store.ok("rotate --all --dry-run --exit-code", DUE);
}

#[test]
fn several_servers_get_the_set() {
    let servers = [Hydra::start(Version::V2_2), Hydra::start(Version::V2_2)];
    let store = Store::with_a_key("RS256");
    for (name, server) in ["one", "two"].iter().zip(&servers) {
        let line = format!("remote add {name} --kind hydra --url {}", server.address());
        store.ok(&line, START);
    }
    let line = format!("{SCHEDULE} --push one --push two:other --save");
    store.rotate(&line, START);
    store.ok("rotate --all", STAGED);
    assert_eq!(servers[0].keys("api").len(), 2);
    assert_eq!(servers[1].keys("other").len(), 2);
    let report = store.ok("rotate --all --json", BEGUN).json();
    let pushed = report["sets"][0]["pushed"].as_array().expect("pushes");
    assert_eq!(pushed.len(), 2, "{report:#}");
    for (server, set) in servers.iter().zip(["api", "other"]) {
        assert_ne!(server.signer(set).as_deref(), Some("first"));
    }
}

#[test]
fn a_set_that_is_encrypted_is_delivered() {
    let store = Store {
        sandbox: Sandbox::new(),
    };
    let secret = store.sandbox.write("secret.txt", "correct horse\n");
    let with = |line: &str| format!("{line} --passphrase-file {secret}");
    store.ok(&with("create api --kid first --encrypt --p2c 1000"), START);
    fs::create_dir(store.sandbox.path().join("public")).expect("a directory");
    fs::create_dir(store.sandbox.path().join("private")).expect("a directory");
    store.rotate(&with(&format!("{SCHEDULE} {FILES} --save")), START);
    store.ok(&with("rotate --all"), STAGED);
    store.ok(&with("rotate --all"), BEGUN);
    assert_eq!(public(&store).len(), 2);
    assert_ne!(signs(&store), "first");
}

/// Whatever call a rotation is killed at: what signs is published, and the next run completes it.
#[test]
fn killed_at_any_call_no_signer_is_ahead_of_a_verifier() {
    if !has_tool("strace") {
        return;
    }
    for (begin, now) in [(STAGED, BEGUN), (BEGUN, BEGUN + DAY + HOUR)] {
        let story = || {
            let store = delivering();
            store.ok("rotate --all", STAGED);
            if begin == BEGUN {
                store.ok("rotate --all", BEGUN);
            }
            store
        };
        let mut number = 0;
        loop {
            number += 1;
            let store = story();
            let inject = format!("inject=/^(rename|unlink).*:signal=KILL:when={number}");
            let mut strace = store.sandbox.command("strace");
            strace.args(["-f", "-qq", "-o", "/dev/null", "-e", &inject, JWKS]);
            let run = finish(strace.args(["rotate", "--all", "--now", &now.to_string()]));
            let signing = signs(&store);
            assert!(public(&store).contains(&signing), "killed at {number}");
            store.ok("rotate --all", now);
            let signing = signs(&store);
            assert!(public(&store).contains(&signing), "after {number}");
            assert_ne!(signing, "first", "after {number}");
            if run.code == Some(0) {
                assert!(number > 4, "too few calls");
                break;
            }
        }
    }
}
