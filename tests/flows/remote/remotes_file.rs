//! The file that the named servers are kept in: whose it is, who writes it when, what it survives.

#![cfg(unix)]

use crate::remotes::{CONFIGURATION, add, file, kept, text};
use crate::support::{LOCK_WAIT, Sandbox, release};
use crate::wire::sandbox_with;
use serde_json::json;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

/// Puts a remotes.json into the sandbox as another program or version wrote it.
fn plant(sandbox: &Sandbox, content: &str) {
    sandbox.write(&format!("{CONFIGURATION}/remotes.json"), content);
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).expect("a file").permissions().mode() & 0o7777
}

#[test]
fn the_file_is_its_owners_alone() {
    let sandbox = Sandbox::new();
    let add = "umask 000; exec jwks remote add prod --kind clerk";
    sandbox.shell(add).ok();
    let directory = sandbox.path().join(CONFIGURATION);
    assert_eq!(mode(&directory), 0o700);
    assert_eq!(mode(&file(&sandbox)), 0o600);
    let entries = || {
        let entries = fs::read_dir(&directory).expect("a directory");
        let mut names: Vec<_> = entries
            .map(|it| it.expect("an entry").file_name())
            .collect();
        names.sort();
        names
    };
    assert_eq!(entries(), [".lock", "remotes.json"]);
    fs::set_permissions(file(&sandbox), fs::Permissions::from_mode(0o644)).expect("a mode");
    sandbox.shell("jwks remote add two --kind clerk").ok();
    assert_eq!(mode(&file(&sandbox)), 0o600, "a change makes it private");
    assert_eq!(entries(), [".lock", "remotes.json"]);
}

/// An entry may name a command to run: a file that others can change is worth a word.
#[test]
fn a_file_that_others_can_change_is_worth_a_warning() {
    let sandbox = sandbox_with("clerk", "https://a.example", &[]);
    fs::set_permissions(file(&sandbox), fs::Permissions::from_mode(0o666)).expect("a mode");
    let run = sandbox.run(["remote", "show", "prod"]).ok();
    assert!(run.stderr.contains("warning: "), "{run:#?}");
    assert!(run.stderr.contains("remotes.json"), "{run:#?}");
}

#[test]
fn many_at_once_lose_none() {
    let sandbox = Sandbox::new();
    std::thread::scope(|scope| {
        for number in 0..32 {
            let sandbox = &sandbox;
            let add = format!("remote add server-{number} --kind clerk --lock-wait {LOCK_WAIT}");
            scope.spawn(move || sandbox.ok(add.split(' ')));
        }
    });
    let list = sandbox.json(["remote", "list", "--json"]);
    assert_eq!(list["remotes"].as_array().map(Vec::len), Some(32));
}

/// A change takes the directory's lock over reading and writing, as one of a set does.
#[test]
fn a_change_waits_for_its_turn() {
    let sandbox = sandbox_with("clerk", "https://a.example", &[]);
    let before = text(&sandbox);
    let lock = sandbox.path().join(CONFIGURATION).join(".lock");
    let lock = fs::File::open(lock).expect("the lock file");
    lock.lock().expect("the lock");
    for line in ["remote add two --kind clerk", "remote remove prod"] {
        let run = sandbox
            .run(format!("{line} --lock-wait 0").split(' '))
            .fails(4);
        assert!(run.stderr.contains("--lock-wait"), "{run:#?}");
        assert_eq!(text(&sandbox), before);
    }
    sandbox.ok(["remote", "list"]);
    release(lock);
    sandbox.ok(["remote", "remove", "prod"]);
}

#[test]
fn reading_creates_nothing() {
    let sandbox = Sandbox::new();
    sandbox.ok(["remote", "list"]);
    for line in [
        "remote show prod",
        "remote test prod",
        "remote remove prod",
        "list --remote prod",
    ] {
        sandbox.run(line.split(' ')).fails(3);
    }
    let left = fs::read_dir(sandbox.path()).expect("the sandbox").count();
    assert_eq!(left, 0);
}

/// A newer version knows more kinds and settings. What it wrote survives a change by this one,
/// and is listed.
#[test]
fn what_another_version_wrote_survives() {
    let sandbox = Sandbox::new();
    let new =
        json!({ "name": "new", "kind": "vault", "mount": "kv", "deep": { "a": [1.5, null] } });
    let old = json!({ "name": "old", "kind": "clerk", "color": "red" });
    let document = json!({ "version": 7, "remotes": [new, old] });
    plant(&sandbox, &document.to_string());
    add(&sandbox, "--kind clerk").ok();
    sandbox.ok(["remote", "remove", "prod"]);
    assert_eq!(kept(&sandbox), document);
    sandbox.ok(["remote", "show", "old"]);
    let run = sandbox.run(["remote", "test", "new"]).fails(2);
    assert!(run.stderr.contains("vault"), "{run:#?}");
    let list = sandbox.ok(["remote", "list"]);
    assert!(list.contains("vault") && list.contains("old"), "{list}");
    let list = sandbox.json(["remote", "list", "--json"]);
    assert_eq!(list["remotes"].as_array().map(Vec::len), Some(2), "{list}");
}

#[test]
fn a_damaged_file_is_refused_and_left_alone() {
    for damaged in [
        "",
        "{",
        "[]",
        "{\"remotes\":7}",
        "{\"remotes\":[{}]}",
        "\0\0",
        "null",
    ] {
        let sandbox = Sandbox::new();
        plant(&sandbox, damaged);
        for line in [
            "remote list",
            "remote show prod",
            "remote add prod --kind clerk",
            "remote add prod --kind clerk --force",
            "remote remove prod",
        ] {
            let run = sandbox.run(line.split(' ')).fails(5);
            assert!(run.stderr.contains("remotes.json"), "{run:#?}");
            assert_eq!(text(&sandbox), damaged, "{line}");
        }
    }
}

/// Where the two directories are one, the file would pass for a set.
#[test]
fn the_keystore_is_no_place_for_remotes() {
    let sandbox = Sandbox::new();
    let store = sandbox.path().join(CONFIGURATION);
    let store = store.to_str().expect("a path");
    fs::create_dir_all(store).expect("a directory");
    add(&sandbox, &format!("--kind clerk --store {store}")).fails(2);
    assert!(!file(&sandbox).exists());
}
