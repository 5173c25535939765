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
fn a_private_part_is_not_lost_without_a_question() {
    let sandbox = Sandbox::new();
    let public = r#"{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"a","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#;
    let private = public.replace(
        "\"x\"",
        "\"d\":\"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A\",\"x\"",
    );
    sandbox.write("public.json", public);
    sandbox.write("private.json", private);
    run(&sandbox, "set api public.json").ok();
    run(&sandbox, "set api private.json").ok();
    let refused = run(&sandbox, "undo api").fails(4);
    let words = "set api would lose 1 private part";
    assert!(refused.stderr.contains(words), "{refused:#?}");
    run(&sandbox, "undo api --yes").ok();
    // The way back loses nothing.
    run(&sandbox, "undo api").ok();
    assert!(sandbox.read_set("api").contains("nWGxne"));
}

#[test]
fn nothing_is_asked_where_nothing_is_lost() {
    let sandbox = Sandbox::new();
    run(&sandbox, "create api --kid a").ok();
    run(&sandbox, "delete api a --yes --force").ok();
    run(&sandbox, "delete api --yes --force").ok();
    run(&sandbox, "undo api").ok();
    // The set has no keys, and goes again.
    run(&sandbox, "undo api").ok();
    assert!(!sandbox.set_file("api").exists());
}

/// Two changes in one second are told apart by their numbers.
#[test]
fn only_the_last_change_of_a_second_can_be_undone() {
    let sandbox = Sandbox::new();
    for (kid, day) in [("a", 1), ("b", 1), ("c", 2)] {
        let create = format!("create api --kid {kid} --now 2030-01-0{day}");
        run(&sandbox, &create).ok();
    }
    let cans = || {
        let log = run(&sandbox, "log api --json").ok().json();
        let changes = log["changes"].as_array().expect("changes").iter();
        let can = |change: &Value| change["can"].as_str().unwrap_or("-").to_owned();
        changes.map(can).collect::<Vec<_>>().join(" ")
    };
    // No time leads to the state between the changes of one second.
    assert_eq!(cans(), "- restore undo");
    let undone = run(&sandbox, "undo api --yes").ok();
    assert!(undone.stderr.contains("created c"), "{undone:#?}");
    assert!(!undone.stderr.contains("created b"), "{undone:#?}");
    // The numbers begin again, and the old lines do not count.
    run(&sandbox, "forget api --yes").ok();
    run(&sandbox, "create api --kid c --now 2030-01-02").ok();
    assert!(cans().ends_with("undo"), "{}", cans());
    assert_eq!(cans().matches("undo").count(), 1, "{}", cans());
}

#[test]
fn a_restored_set_has_the_schedule_that_its_deletion_dropped() {
    let sandbox = Sandbox::new();
    let at = |line: &str, day: &str| run(&sandbox, &format!("{line} --now 2030-01-{day}")).ok();
    at("create api --kid a", "01");
    at("create api --kid b", "02");
    at("rotate api --every 90d --save", "02");
    let schedules = || fs::read_to_string(sandbox.store().join(".schedules.json")).expect("it");
    let before = schedules();
    at("delete api --yes --force", "03");
    assert_ne!(schedules(), before);
    at("restore api@2030-01-01T12:00:00Z", "04");
    assert_eq!(kids(&sandbox, "api"), "a");
    assert_eq!(schedules(), before);
}

#[test]
fn a_compromised_key_does_not_come_back_unasked() {
    let sandbox = Sandbox::new();
    for (kid, time) in [("one", "-3h"), ("two", "-2h")] {
        run(&sandbox, &format!("create api --kid {kid} --now {time}")).ok();
    }
    run(&sandbox, "rotate api --compromised one --now -1h").ok();
    for line in ["undo api", "restore api@-90m"] {
        let refused = run(&sandbox, line).fails(4);
        let words = "would get keys back that were removed as compromised: one";
        assert!(refused.stderr.contains(words), "{line}: {refused:#?}");
    }
    run(&sandbox, "undo api --yes").ok();
}

#[test]
fn a_change_of_the_passphrase_is_in_the_log_and_can_be_undone() {
    let sandbox = Sandbox::new();
    sandbox.write("one", "the first");
    run(&sandbox, "create api --kid a").ok();
    run(&sandbox, "passwd api --p2c 1000 --passphrase-file one").ok();
    run(&sandbox, "passwd api --remove --passphrase-file one").ok();
    let log = run(&sandbox, "log api --json").ok().json();
    let last = log["changes"].as_array().and_then(|changes| changes.last());
    let last = last.expect("a change");
    assert_eq!(
        (&last["note"], &last["can"]),
        (&"passphrase removed".into(), &"undo".into())
    );
    let refused = run(&sandbox, "undo api").fails(4);
    assert!(
        refused.stderr.contains("updated (passphrase removed);"),
        "{refused:#?}"
    );
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

/// The age of a version is its time on the disk; a simulated time makes nothing old.
pub fn versions_go_when_they_are_too_old() {
    let sandbox = Sandbox::new();
    let briefly = |line: &str| {
        let mut jwks = sandbox.command(crate::support::JWKS);
        jwks.env("JWKS_KEEP_HISTORY", "2s");
        crate::support::finish(jwks.args(line.split(' ')))
    };
    for line in [
        "create api --kid a",
        "create other --kid o",
        "create other --kid p --now 2099-01-01",
    ] {
        run(&sandbox, line).ok();
    }
    std::thread::sleep(std::time::Duration::from_millis(2100));
    briefly("undo api --yes").fails(3);
    assert_eq!(
        (versions(&sandbox, "api"), versions(&sandbox, "other")),
        (1, 2)
    );
    // All histories are swept once a day, the history of a changed set each time.
    briefly("create other --kid q").ok();
    assert_eq!(
        (versions(&sandbox, "api"), versions(&sandbox, "other")),
        (1, 1)
    );
    sandbox
        .shell("touch -d '2 days ago' store/.history/.swept")
        .ok();
    // A run that changes nothing deletes nothing.
    sandbox.write(
        "same.json",
        run(&sandbox, "get other --private").ok().stdout,
    );
    briefly("set other same.json").ok();
    assert_eq!(versions(&sandbox, "api"), 1);
    // An option says nothing about other sets.
    run(&sandbox, "create other --kid r --keep-history 1s").ok();
    assert_eq!(versions(&sandbox, "api"), 1);
    briefly("create other --kid s").ok();
    assert_eq!(versions(&sandbox, "api"), 0);
    run(&sandbox, "undo api").fails(3);
    assert_eq!(kids(&sandbox, "api"), "a");
}

#[test]
fn a_sweep_leaves_what_is_not_ours() {
    let sandbox = Sandbox::new();
    run(&sandbox, "create api --kid a").ok();
    run(&sandbox, "create other --kid o").ok();
    sandbox
        .shell(
            "mkdir -m 777 store/.history/theirs && touch store/.history/file store/.history/api/note
             touch -d '2 days ago' store/.history/.swept",
        )
        .ok();
    let mut none = sandbox.command(crate::support::JWKS);
    let none = none.args(["create", "other"]).env("JWKS_KEEP_HISTORY", "0");
    crate::support::finish(none).ok();
    let left = sandbox.shell("cd store/.history && find . | sort").ok();
    assert_eq!(
        left.stdout,
        ".\n./.swept\n./api\n./api/note\n./file\n./theirs\n"
    );
}

/// The files of a killed change can hold private keys, and go with the versions.
#[test]
fn a_sweep_removes_what_a_killed_change_has_left() {
    let sandbox = Sandbox::new();
    run(&sandbox, "create api --kid a").ok();
    run(&sandbox, "create other --kid o").ok();
    sandbox
        .shell(
            "cd store/.history && touch api/.writing api/000009-1-2.schedule
             touch -d '2 days ago' .swept",
        )
        .ok();
    run(&sandbox, "create other").ok();
    let left = sandbox.shell("cd store/.history/api && ls -A").ok();
    assert_eq!(left.stdout.lines().count(), 1, "{left:#?}");
    assert_eq!(versions(&sandbox, "api"), 1);
}

#[test]
fn a_hundred_versions_are_kept() {
    let sandbox = Sandbox::new();
    run(&sandbox, "create api --kid a").ok();
    for days in 0..101 {
        run(&sandbox, &format!("set api --exp {}", 2_000_000_000 + days)).ok();
    }
    assert_eq!(versions(&sandbox, "api"), 100);
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
    for none in ["0", "0d", "PT0S"] {
        run(&sandbox, "create api").ok();
        assert_ne!(versions(&sandbox, "api"), 0);
        let mut jwks = sandbox.command(crate::support::JWKS);
        jwks.args(["create", "api"]).env("JWKS_KEEP_HISTORY", none);
        crate::support::finish(&mut jwks).ok();
        assert_eq!(versions(&sandbox, "api"), 0, "{none}");
    }
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
    // What a purge has to delete need not be a key.
    run(&sandbox, "create api --kid d").ok();
    run(&sandbox, "delete api --yes --force").ok();
    run(&sandbox, "delete api --if-exists --purge").fails(4);
    run(&sandbox, "delete api --if-exists --purge --yes").ok();
    assert_eq!(versions(&sandbox, "api"), 0);
    run(&sandbox, "create api --kid e").ok();
    run(&sandbox, "delete api --expired --purge --yes").ok();
    assert_eq!(versions(&sandbox, "api"), 0);
    assert_eq!(kids(&sandbox, "api"), "e");
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
    // The old bytes come back, and no passphrase is needed for that.
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
    // The removal of a passphrase can be undone; the plain set is not kept then, but the encrypted one is.
    run(&sandbox, "passwd api --remove --passphrase-file two").ok();
    assert_eq!(versions(&sandbox, "api"), 1);
    let refused = run(&sandbox, "undo api").fails(4);
    let words = "1 version without a passphrase would be deleted";
    assert!(refused.stderr.contains(words), "{refused:#?}");
    let undone = run(&sandbox, "undo api --yes").ok();
    assert!(undone.stderr.contains("cannot be undone"), "{undone:#?}");
    assert_eq!(sandbox.store_entries(), [".lock", "api.jwe"]);
    let plain = sandbox.shell("grep -r '\"d\"' store");
    assert_ne!(plain.code, Some(0), "{plain:#?}");
    run(&sandbox, "get api --private --passphrase-file two").ok();
}

#[test]
fn the_same_passphrase_keeps_the_history() {
    let sandbox = Sandbox::new();
    sandbox.write("one", "the first");
    run(
        &sandbox,
        "create api --kid a --encrypt --p2c 1000 --passphrase-file one",
    )
    .ok();
    run(&sandbox, "create api --kid b --passphrase-file one").ok();
    let change = "passwd api --p2c 2000 --passphrase-file one --new-passphrase-file one";
    let changed = run(&sandbox, change).ok();
    assert!(!changed.stderr.contains("deleted"), "{changed:#?}");
    assert_eq!(versions(&sandbox, "api"), 3);
    run(&sandbox, "undo api --yes").ok();
    run(&sandbox, "undo api --yes").ok();
    assert_eq!(kids(&sandbox, "api"), "a b");
}

/// The old versions would be readable beside the encrypted set.
#[test]
fn no_encrypted_set_takes_the_name_of_a_plain_one_with_a_history() {
    let sandbox = Sandbox::new();
    sandbox.write("one", "the first");
    run(&sandbox, "create api --kid a").ok();
    run(&sandbox, "delete api --yes --force").ok();
    let create = "create api --kid b --encrypt --p2c 1000 --passphrase-file one";
    let refused = run(&sandbox, create).fails(4);
    assert!(refused.stderr.contains("jwks undo api"), "{refused:#?}");
    assert!(refused.stderr.contains("jwks forget api"), "{refused:#?}");
    assert_eq!(versions(&sandbox, "api"), 2);
    run(&sandbox, "forget api --yes").ok();
    run(&sandbox, create).ok();
    assert_eq!(kids(&sandbox, "api"), "b");
}

/// What a file holds counts, and not its name.
#[test]
fn a_plain_file_with_the_name_of_an_encrypted_one_is_a_plain_version() {
    let sandbox = Sandbox::new();
    sandbox.write("one", "the first");
    run(&sandbox, "create api --kid a --keep-history 0").ok();
    sandbox.shell("mv store/api.json store/api.jwe").ok();
    run(&sandbox, "create api --kid b").ok();
    let names = sandbox.shell("ls store/.history/api").ok();
    assert!(names.stdout.ends_with(".json\n"), "{names:#?}");
    run(&sandbox, "passwd api --p2c 1000 --passphrase-file one").ok();
    assert_eq!(versions(&sandbox, "api"), 0);
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
fn a_damaged_version_is_not_passed_over() {
    let sandbox = Sandbox::new();
    for (kid, day) in [("a", 1), ("b", 2), ("c", 3)] {
        run(
            &sandbox,
            &format!("create api --kid {kid} --now 2030-01-0{day}"),
        )
        .ok();
    }
    let damage = "for f in store/.history/api/000003-*; do echo '{\"keys\":[' > $f; done";
    sandbox
        .shell(&format!(
            "{damage}; for i in 1 2 3 4 5 6 7; do ln -s /etc/passwd store/.history/api/00000$i-1-2.json; done"
        ))
        .ok();
    let refused = run(&sandbox, "undo api --yes").fails(5);
    assert!(refused.stderr.contains("000003-"), "{refused:#?}");
    assert!(
        refused.stderr.contains("jwks restore api@TIME"),
        "{refused:#?}"
    );
    assert_eq!(refused.stderr.matches("is not a version").count(), 5);
    assert!(
        refused.stderr.contains("left out 2 more files"),
        "{refused:#?}"
    );
    assert_eq!(kids(&sandbox, "api"), "a b c");
    let restore = "restore api@2030-01-01T12:00:00Z --yes --now 2030-01-04";
    run(&sandbox, restore).ok();
    assert_eq!(kids(&sandbox, "api"), "a");
}

/// Without the passphrase, nobody knows which secret a symmetric key has.
#[test]
fn a_secret_of_an_encrypted_set_is_not_replaced_without_a_question() {
    let sandbox = Sandbox::new();
    sandbox.write("one", "the first");
    sandbox.write("s1", [1; 32]);
    sandbox.write("s2", [2; 32]);
    let at = |line: &str, day: u32| {
        run(
            &sandbox,
            &format!("{line} --passphrase-file one --now 2030-01-0{day}"),
        )
    };
    at("create api --encrypt --p2c 1000 --kid x", 1).ok();
    at("set api s1 --from secret --kid s --alg HS256", 2).ok();
    at("delete api s --yes --force", 3).ok();
    at("set api s2 --from secret --kid s --alg HS256", 3).ok();
    let secrets = || at("get api s --private", 9).ok().stdout;
    let second = secrets();
    let refused = run(&sandbox, "restore api@2030-01-02 --now 2030-01-05").fails(4);
    assert!(refused.stderr.contains("could lose"), "{refused:#?}");
    assert_eq!(secrets(), second);
    let restored = run(&sandbox, "restore api@2030-01-02 --yes --now 2030-01-05").ok();
    assert!(
        restored.stderr.contains("restored set api"),
        "{restored:#?}"
    );
    assert_ne!(secrets(), second);
    run(&sandbox, "undo api").fails(4);
    run(&sandbox, "undo api --yes").ok();
    assert_eq!(secrets(), second);
}

#[test]
fn an_encrypted_set_keeps_no_version_with_another_passphrase() {
    let sandbox = Sandbox::new();
    sandbox.write("one", "the first");
    sandbox.write("two", "the second");
    let create = |file: &str| {
        run(
            &sandbox,
            &format!("create api --encrypt --p2c 1000 --passphrase-file {file}"),
        )
    };
    create("one").ok();
    run(&sandbox, "delete api --yes --force").ok();
    create("two").fails(4);
    create("one").ok();
    run(&sandbox, "delete api --yes --force --purge").ok();
    create("two").ok();
}

#[test]
fn a_history_that_is_not_safe_is_not_called_missing() {
    let sandbox = Sandbox::new();
    run(&sandbox, "create api --kid a").ok();
    sandbox.shell("chmod 777 store/.history/api").ok();
    for line in [
        "forget api --yes",
        "undo api --yes",
        "delete api --if-exists --expired --purge",
    ] {
        let refused = run(&sandbox, line).fails(4);
        assert!(
            refused.stderr.contains("other users can write to"),
            "{refused:#?}"
        );
    }
    let refused = run(&sandbox, "create api --kid b").fails(4);
    assert!(
        refused
            .stderr
            .contains("nothing was changed; run `chmod 700"),
        "{refused:#?}"
    );
    assert_eq!(versions(&sandbox, "api"), 1);
}

#[test]
fn a_forget_leaves_no_temporary_file_of_a_killed_change() {
    let sandbox = Sandbox::new();
    run(&sandbox, "create api --kid a").ok();
    sandbox.shell("cp store/api.json store/.writing").ok();
    run(&sandbox, "forget api --yes").ok();
    assert_eq!(sandbox.store_entries(), [".lock", "api.json"]);
}

/// No time selects a set that lived for less than a second, but an undo brings it back.
#[test]
fn a_set_that_lived_for_a_second_can_come_back() {
    let sandbox = Sandbox::new();
    let now = ["--now", "2026-01-05"];
    sandbox.ok(["create", "api"].iter().chain(&now));
    let delete = ["delete", "api", "--yes", "--force"];
    sandbox.ok(delete.iter().chain(&now));
    let run = sandbox.run(["restore", "api@"]).fails(2);
    let words = "error: restoring set api requires a time\n  hint: run `jwks undo api` to undo the last change\n";
    assert_eq!(run.stderr, words);
    sandbox.ok(["undo", "api"]);
}
