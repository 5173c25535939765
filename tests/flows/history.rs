//! Every change of a set can be undone for a while, and for no longer.

use crate::support::Sandbox;
use serde_json::Value;
use std::fs;
use std::path::PathBuf;

/// The directory with the versions of a set.
pub fn history(sandbox: &Sandbox, set: &str) -> PathBuf {
    sandbox.store().join(".history").join(set)
}

/// The number of versions of a set.
pub fn versions(sandbox: &Sandbox, set: &str) -> usize {
    fs::read_dir(history(sandbox, set)).map_or(0, Iterator::count)
}

/// The kids of a set; none if it does not exist.
fn kids(sandbox: &Sandbox, set: &str) -> String {
    let run = sandbox.run(["list", set, "--format", "names"]);
    run.stdout.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn run(sandbox: &Sandbox, line: &str) -> crate::support::Run {
    sandbox.run(line.split(' '))
}

/// An undo is a change: the next one redoes what it has undone.
#[test]
fn an_undo_is_undone_by_the_next() {
    let sandbox = Sandbox::new();
    let run = |line: &str, minutes: u32| run(&sandbox, &format!("{line} --now +{minutes}m"));
    run("create api --kid a", 1).ok();
    run("create api --kid b", 2).ok();
    run("delete api a --yes", 3).ok();
    let deleted = sandbox.read_set("api");
    let undone = run("undo api", 4).ok();
    assert!(undone.stderr.contains(": removed a\n"), "{undone:#?}");
    assert!(undone.stderr.contains("added 1 key: a\n"), "{undone:#?}");
    assert_eq!(kids(&sandbox, "api"), "a b");
    let refused = run("undo api", 5).fails(4);
    assert!(refused.stderr.contains("added (undo) a"), "{refused:#?}");
    assert!(
        refused.stderr.contains("would lose 1 key: a "),
        "{refused:#?}"
    );
    run("undo api --yes", 5).ok();
    assert_eq!(sandbox.read_set("api"), deleted);
    run("undo api", 6).ok();
    assert_eq!(kids(&sandbox, "api"), "a b");
}

#[test]
fn a_deleted_set_comes_back_with_its_schedule() {
    let sandbox = Sandbox::new();
    run(&sandbox, "create api --kid a").ok();
    run(&sandbox, "rotate api --every 30d --save").ok();
    run(&sandbox, "create other --kid o").ok();
    let schedules = fs::read_to_string(sandbox.store().join(".schedules.json")).expect("it");
    let set = sandbox.read_set("api");
    run(&sandbox, "delete api --yes --force").ok();
    // Without a name, the set that was changed last.
    let undone = run(&sandbox, "undo --json").ok().json();
    assert_eq!(undone["set"], "api");
    assert_eq!(undone["set_created"], true);
    assert_eq!(undone["added"][0]["kid"], "a");
    assert_eq!(sandbox.read_set("api"), set);
    let after = fs::read_to_string(sandbox.store().join(".schedules.json")).expect("it");
    assert_eq!(after, schedules);
}

#[test]
fn a_new_set_is_deleted_again() {
    let sandbox = Sandbox::new();
    run(&sandbox, "create api --kid a").ok();
    let refused = run(&sandbox, "undo").fails(4);
    assert!(
        refused.stderr.contains("no key of the set would sign"),
        "{refused:#?}"
    );
    let undone = run(&sandbox, "undo --yes --json").ok().json();
    assert_eq!(undone["set_deleted"], true);
    assert!(!sandbox.set_file("api").exists());
    run(&sandbox, "undo").ok();
    assert_eq!(kids(&sandbox, "api"), "a");
}

#[test]
fn a_set_is_restored_as_it_was_at_a_time() {
    let sandbox = Sandbox::new();
    let at = |line: &str, day: &str| run(&sandbox, &format!("{line} --now 2030-01-{day}"));
    at("create api --kid a", "01").ok();
    at("create api --kid b", "03").ok();
    at("delete api --yes --force", "05").ok();
    for (time, code, left) in [
        ("2029-12-31", 3, ""),
        ("2030-01-02", 0, "a"),
        ("2030-01-04", 0, "a b"),
        ("2030-01-06", 3, "a b"),
        ("2030-01-11", 2, "a b"),
    ] {
        let restored = at(&format!("restore api@{time} --yes"), "10");
        assert_eq!(restored.code, Some(code), "{time}: {restored:#?}");
        assert_eq!(kids(&sandbox, "api"), left, "{time}");
    }
    let log = at("log --json", "10").ok().json();
    let cans: Vec<_> = log["changes"].as_array().expect("changes").iter().collect();
    assert_eq!(cans[0]["can"], "restore");
    assert_eq!(cans.last().expect("a change")["can"], "undo");
}

#[test]
fn versions_go_when_they_are_too_old_or_too_many() {
    let sandbox = Sandbox::new();
    let at = |line: &str, time: &str| run(&sandbox, &format!("{line} --now {time}")).ok();
    at("create api --kid a", "2030-01-01");
    at("create other --kid o", "2030-01-01");
    at("delete api --yes --force", "2030-01-02");
    assert_eq!(versions(&sandbox, "api"), 2);
    // A change of any set removes what is too old of all sets.
    at("create other --kid p", "2030-01-15");
    assert_eq!(versions(&sandbox, "api"), 2);
    at("create other --kid q", "2030-02-14");
    assert_eq!(versions(&sandbox, "api"), 0);
    run(&sandbox, "undo api --now 2030-02-14").fails(3);
    // 100 versions are kept.
    for second in 10..60 {
        at(
            "set other --exp +1d",
            &format!("2030-02-14T01:00:{second}Z"),
        );
        at(
            "set other --exp +2d",
            &format!("2030-02-14T01:00:{second}Z"),
        );
    }
    assert_eq!(versions(&sandbox, "other"), 100);
}

#[test]
fn keep_history_0_keeps_no_history() {
    let sandbox = Sandbox::new();
    run(&sandbox, "create api --kid a").ok();
    run(&sandbox, "create api --kid b --keep-history 0").ok();
    assert_eq!(versions(&sandbox, "api"), 0);
    run(&sandbox, "undo api").fails(3);
    run(&sandbox, "create api --kid c").ok();
    run(&sandbox, "undo api --yes").ok();
    assert_eq!(kids(&sandbox, "api"), "a b");
    let mut none = sandbox.command(crate::support::JWKS);
    let none = none.args(["create", "api"]).env("JWKS_KEEP_HISTORY", "0");
    crate::support::finish(none).ok();
    assert_eq!(versions(&sandbox, "api"), 0);
}

#[test]
fn a_purge_and_a_forget_leave_nothing() {
    let sandbox = Sandbox::new();
    run(&sandbox, "create api --kid a").ok();
    let set: Value = serde_json::from_str(&sandbox.read_set("api")).expect("a set");
    let secret = set["keys"][0]["d"].as_str().expect("d").to_owned();
    let is_anywhere = || {
        let found = sandbox.shell(&format!("grep -r -e '{secret}' store"));
        found.code == Some(0)
    };
    run(&sandbox, "create api --kid b").ok();
    run(&sandbox, "delete api a --yes").ok();
    assert!(is_anywhere());
    run(&sandbox, "forget api").fails(4);
    run(&sandbox, "forget api --yes").ok();
    assert!(!is_anywhere());
    run(&sandbox, "forget api --yes").fails(3);
    run(&sandbox, "create api --kid c").ok();
    run(&sandbox, "delete api --yes --force --purge").ok();
    assert_eq!(sandbox.store_entries(), [".lock"]);
    assert_eq!(versions(&sandbox, "api"), 0);
    run(&sandbox, "undo api").fails(3);
    assert!(sandbox.read_log().contains("\"c\""), "the log stays");
}

/// The earlier versions of an encrypted set are as encrypted as the set.
#[test]
fn no_version_of_an_encrypted_set_is_plain_or_under_an_old_passphrase() {
    let sandbox = Sandbox::new();
    sandbox.write("one", "the first");
    sandbox.write("two", "the second");
    run(&sandbox, "create api --kid a").ok();
    run(&sandbox, "create api --kid b").ok();
    let encrypted = run(&sandbox, "passwd api --p2c 1000 --passphrase-file one").ok();
    let told = encrypted
        .stderr
        .contains("deleted 1 earlier version of set api");
    assert!(told, "{encrypted:#?}");
    assert_eq!(versions(&sandbox, "api"), 0);
    run(&sandbox, "create api --kid c --passphrase-file one").ok();
    let old = fs::read(sandbox.store().join("api.jwe")).expect("the set");
    run(&sandbox, "delete api c --yes --force --passphrase-file one").ok();
    let plain = sandbox.shell("grep -r '\"d\"' store");
    assert_ne!(plain.code, Some(0), "{plain:#?}");
    // The old octets come back, and no passphrase is needed for that.
    run(&sandbox, "undo api").ok();
    assert_eq!(
        fs::read(sandbox.store().join("api.jwe")).expect("the set"),
        old
    );
    run(
        &sandbox,
        "passwd api --p2c 1000 --passphrase-file one --new-passphrase-file two",
    )
    .ok();
    assert_eq!(versions(&sandbox, "api"), 0);
    // The removal of a passphrase can be undone; the plain set is not kept then.
    run(&sandbox, "passwd api --remove --passphrase-file two").ok();
    assert_eq!(versions(&sandbox, "api"), 1);
    let demanded = run(&sandbox, "undo api").ok();
    assert!(
        demanded.stderr.contains("cannot be undone"),
        "{demanded:#?}"
    );
    assert_eq!(sandbox.store_entries(), [".lock", "api.jwe"]);
    assert_eq!(versions(&sandbox, "api"), 0);
    run(&sandbox, "get api --private --passphrase-file two").ok();
}

/// A passphrase that is given demands an encrypted version, too.
#[test]
fn no_plain_version_comes_back_where_encryption_is_demanded() {
    let sandbox = Sandbox::new();
    sandbox.write("one", "the first");
    run(&sandbox, "create api --kid a").ok();
    run(&sandbox, "delete api --yes --force").ok();
    for line in [
        "undo api --require-encrypted",
        "undo api --passphrase-file one",
    ] {
        let refused = run(&sandbox, line).fails(4);
        assert!(refused.stderr.contains("is not encrypted"), "{refused:#?}");
    }
    run(&sandbox, "undo api").ok();
}

#[test]
fn a_damaged_version_is_named_and_left_out() {
    let sandbox = Sandbox::new();
    for kid in ["a", "b", "c"] {
        run(&sandbox, &format!("create api --kid {kid}")).ok();
    }
    let damage = "for f in store/.history/api/000003-*; do echo '{\"keys\":[' > $f; done";
    sandbox
        .shell(&format!(
            "{damage}; ln -s /etc/passwd store/.history/api/000009-1-2.json"
        ))
        .ok();
    let undone = run(&sandbox, "undo api --yes").ok();
    assert!(undone.stderr.contains("000003-"), "{undone:#?}");
    assert!(
        undone.stderr.contains("000009-1-2.json is not a version"),
        "{undone:#?}"
    );
    assert_eq!(kids(&sandbox, "api"), "a");
}
