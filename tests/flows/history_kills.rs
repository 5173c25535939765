//! What a killed command leaves is completed, whichever command comes next.

#![cfg(target_os = "linux")]

use crate::crash::{calls_of, kill};
use crate::history_faults::copy_of;
use crate::support::{Run, Sandbox, has_tool};
use std::fs;

fn run(sandbox: &Sandbox, line: &str) -> Run {
    sandbox.run(line.split(' '))
}

/// A set with three changes, and a file with a passphrase.
fn with_three_keys() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.write("one", "the first");
    for kid in ["a", "b", "c"] {
        run(&sandbox, &format!("create api --kid {kid}")).ok();
    }
    sandbox
}

/// A set that was damaged.
fn with_damage() -> Sandbox {
    let sandbox = with_three_keys();
    run(&sandbox, "rotate api --every 30d --save").ok();
    fs::write(sandbox.set_file("api"), "damaged").expect("the damaged set");
    sandbox
}

/// Kills a command at one call after the other, and looks at what is left.
fn kill_at_each_call(template: &Sandbox, line: &str, look: impl Fn(&Sandbox, &str)) {
    if !has_tool("strace") {
        return;
    }
    let command: Vec<_> = line.split(' ').collect();
    for call in &calls_of(&copy_of(template), &command) {
        let sandbox = copy_of(template);
        kill(&sandbox, &command, call);
        look(&sandbox, &format!("{line}: killed at {call:?}"));
    }
}

/// The files of the keystore that match a pattern, or that hold private keys in plain text.
fn files(sandbox: &Sandbox, search: &str) -> String {
    sandbox.shell(search).stdout
}

/// Without a file, the next command would begin a new set and delete the schedule.
#[test]
fn a_killed_undo_of_a_damaged_set_never_leaves_it_without_a_file() {
    let template = with_damage();
    kill_at_each_call(&template, "undo api --yes", |sandbox, killed| {
        assert!(sandbox.set_file("api").exists(), "{killed}");
        if run(sandbox, "get api").code != Some(0) {
            run(sandbox, "undo api --yes").ok();
        }
        let names = sandbox.ok(["list", "api", "--format", "names"]);
        assert_eq!(names, "a\nb\nc\n", "{killed}");
        let aside = files(sandbox, "cat store/*.damaged");
        assert_eq!(aside, "damaged", "{killed}");
        let schedules = fs::read_to_string(sandbox.store().join(".schedules.json"));
        assert!(schedules.expect("schedules").contains("api"), "{killed}");
    });
}

#[test]
fn a_purge_after_a_killed_one_leaves_nothing() {
    let purge = "delete api --yes --force --purge --if-exists";
    for template in [with_three_keys(), with_damage()] {
        run(&template, "undo api --yes").ok();
        kill_at_each_call(&template, purge, |sandbox, killed| {
            run(sandbox, purge).ok();
            let left = files(sandbox, "grep -rlE '\"d\"|damaged' store --exclude=.log");
            assert_eq!(left, "", "{killed}");
        });
        kill_at_each_call(&template, "forget api --yes", |sandbox, killed| {
            let again = run(sandbox, "forget api --yes");
            assert!(matches!(again.code, Some(0 | 3)), "{killed}: {again:#?}");
            let left = files(sandbox, "ls -A store/.history/api; ls store/*.damaged");
            assert_eq!(left, "", "{killed}");
        });
    }
}

#[test]
fn an_undo_after_a_killed_purge_finds_the_history() {
    let template = with_three_keys();
    let purge = "delete api c --yes --force --purge";
    kill_at_each_call(&template, purge, |sandbox, killed| {
        let names = sandbox.ok(["list", "api", "--format", "names"]);
        let undone = run(sandbox, "undo api --yes");
        let expected = if names.contains('c') {
            Some(0)
        } else {
            Some(3)
        };
        assert_eq!(undone.code, expected, "{killed}: {undone:#?}");
    });
}

#[test]
fn a_killed_decryption_leaves_no_plain_copy() {
    let template = with_three_keys();
    run(&template, "passwd api --p2c 1000 --passphrase-file one").ok();
    run(&template, "create api --kid d --passphrase-file one").ok();
    let decrypt = "passwd api --remove --keep-history 0 --passphrase-file one";
    kill_at_each_call(&template, decrypt, |sandbox, killed| {
        run(sandbox, "create other").ok();
        let left = files(sandbox, "grep -rl '\"d\"' store/.history");
        assert_eq!(left, "", "{killed}");
    });
}

/// Only the versions that are readable without a passphrase go.
#[test]
fn the_undo_of_a_decryption_keeps_the_encrypted_versions() {
    let sandbox = with_three_keys();
    run(&sandbox, "passwd api --p2c 1000 --passphrase-file one").ok();
    run(&sandbox, "delete api b --yes --force --passphrase-file one").ok();
    run(&sandbox, "passwd api --remove --passphrase-file one").ok();
    run(&sandbox, "undo api --yes").ok();
    assert_eq!(files(&sandbox, "grep -rl '\"d\"' store"), "");
    run(&sandbox, "undo api --yes").ok();
    let names = sandbox.ok(["list", "api", "--format", "names"]);
    assert_eq!(names, "a\nb\nc\n");
}

/// A version that somebody else has put there takes no other with it.
#[test]
fn a_foreign_plain_version_goes_alone() {
    let sandbox = with_three_keys();
    run(&sandbox, "passwd api --p2c 1000 --passphrase-file one").ok();
    run(&sandbox, "delete api b --yes --force --passphrase-file one").ok();
    sandbox.write("store/.history/api/000000-0-1.json", "{\"keys\":[]}");
    run(&sandbox, "create api --kid d --passphrase-file one").ok();
    let left = files(&sandbox, "ls store/.history/api");
    assert_eq!(left.lines().count(), 2, "{left}");
    assert!(left.lines().all(|name| name.ends_with(".jwe")), "{left}");
}
