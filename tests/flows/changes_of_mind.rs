//! Keys that are created or deleted one after the other: who signs then, and what is said of it.

use crate::support::{Sandbox, has_tool, kids_in, without_thumbprints};
use crate::terminal::on_terminal;
use serde_json::json;

/// A set `api` with two keys of one line: `b` signs, `a` is retired.
fn with_two() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.ok(["create", "api", "--kid", "a"]);
    sandbox.ok(["create", "api", "--kid", "b"]);
    sandbox
}

fn states(sandbox: &Sandbox, set: &str) -> Vec<String> {
    let list = sandbox.json(["list", set, "--json"]);
    let keys = list["keys"].as_array().expect("keys").iter();
    let words =
        keys.map(|key| [&key["kid"], &key["state"]].map(|text| text.as_str().expect("a text")));
    words.map(|words| words.join(" ")).collect()
}

#[test]
fn a_second_key_takes_over_and_that_is_said() {
    let sandbox = Sandbox::new();
    let first = sandbox.run(["create", "api", "--kid", "a"]).ok();
    assert!(!first.stderr.contains("signs"), "{first:#?}");
    let second = sandbox.run(["create", "api", "--kid", "b"]).ok();
    assert_eq!(second.stdout, "b\n");
    for words in [
        "b signs from now on; a is retired",
        "with a cached copy of the set do not know b yet",
        "`jwks rotate api --force`",
    ] {
        assert!(second.stderr.contains(words), "{second:#?}");
    }
    assert_eq!(states(&sandbox, "api"), ["a retired", "b active"]);
    let third = sandbox.json(["create", "api", "--kid", "c", "--json"]);
    assert_eq!(kids_in(&third["activated"]), ["c"]);
    assert_eq!(kids_in(&third["retired"]), ["b"]);
    // A key of another line, and one that is yet to begin, retire nobody.
    for line in ["create api --alg RS256", "create api --nbf +1d"] {
        let run = sandbox.run(line.split(' ')).ok();
        assert!(!run.stderr.contains("retired"), "{run:#?}");
    }
    // The command that is named does what is said of it.
    sandbox.ok("rotate api --force --line ES256".split(' '));
}

#[test]
fn several_keys_at_once_are_not_retired_without_a_word() {
    let sandbox = Sandbox::new();
    let run = sandbox.run(["create", "api", "--count", "3"]).ok();
    let words =
        "only the last of the 3 keys is active; the other 2 keys are retired from the start";
    assert!(run.stderr.contains(words), "{run:#?}");
    let active = run.stdout.lines().last().expect("a kid").to_owned() + " active";
    assert_eq!(states(&sandbox, "api").last(), Some(&active));
    // A pipeline is warned as well, and gets its keys.
    let run = sandbox
        .run(["create", "api", "--count", "2", "--json"])
        .ok();
    assert_eq!(run.json()["created"].as_array().map(Vec::len), Some(2));
    assert!(
        run.stderr
            .contains(r#"{"warning":{"message":"only the last"#),
        "{run:#?}"
    );
}

#[test]
fn a_deleted_key_is_followed_by_the_one_before_it() {
    let sandbox = with_two();
    let asked = sandbox.run(["delete", "api", "b"]).fails(4);
    let words = "set api would lose 1 key, and a signs again from now on: b (ES256, active, with its private part)";
    assert!(asked.stderr.contains(words), "{asked:#?}");
    assert_eq!(states(&sandbox, "api"), ["a retired", "b active"]);
    let deleted = sandbox.json(["delete", "api", "b", "--yes", "--json"]);
    let report = json!({"set": "api", "removed": [{"kid": "b"}], "activated": [{"kid": "a"}], "set_deleted": false, "history_deleted": false});
    assert_eq!(without_thumbprints(deleted), report);
    assert_eq!(states(&sandbox, "api"), ["a active"]);
    // Now nobody is left to sign.
    let refused = sandbox.run(["delete", "api", "a", "--yes"]).fails(4);
    assert!(
        refused.stderr.contains("no active signing key left"),
        "{refused:#?}"
    );
    sandbox.ok(["delete", "api", "a", "--yes", "--force"]);
}

/// A key that signs later, or that cannot sign at all, takes the place of no signer.
#[test]
fn only_a_key_that_signs_at_once_takes_over() {
    let sandbox = Sandbox::new();
    sandbox.ok(["create", "api", "--kid", "a"]);
    sandbox.ok(["create", "api", "--kid", "next", "--nbf", "+1d"]);
    sandbox.ok(["create", "other", "--kid", "public"]);
    let public = sandbox.ok(["get", "other"]);
    let public = sandbox.write("public.json", public);
    sandbox.ok(["set", "api", &public]);
    sandbox.run(["delete", "api", "a", "--yes"]).fails(4);
    sandbox.ok(["delete", "api", "public", "--yes"]);
}

/// A change of members that ends signing is asked for, like a deletion that does.
#[test]
fn a_change_that_ends_signing_is_asked_for() {
    let sandbox = Sandbox::new();
    sandbox.ok(["create", "api", "--kid", "a"]);
    let before = sandbox.read_set("api");
    for change in [
        "--kid a --nbf +30d",
        "--exp -1h",
        "--kid a --use enc --unset alg",
        "--kid a --unset alg,use",
    ] {
        let set = ["set", "api"].into_iter().chain(change.split(' '));
        for more in [&[][..], &["--yes"]] {
            let refused = sandbox
                .run(set.clone().chain(more.iter().copied()))
                .fails(4);
            let words = "set api would have no active signing key left";
            assert!(refused.stderr.contains(words), "{change}: {refused:#?}");
            assert!(refused.stderr.contains("--yes --force"), "{refused:#?}");
        }
        let refused = sandbox.run(set.clone().chain(["--force"])).fails(4);
        assert!(refused.stderr.contains("pass --yes"), "{refused:#?}");
        assert_eq!(sandbox.read_set("api"), before, "{change}");
        if has_tool("setsid") {
            let line = format!("jwks set api {change}");
            let run = on_terminal(&sandbox, &line, "n\n", &[]);
            assert_eq!(run.code, Some(4), "{run:#?}");
            let words = "a (ES256, active, with its private part). Continue? [y/N]";
            assert!(run.stdout.contains(words), "{run:#?}");
            assert_eq!(sandbox.read_set("api"), before, "{change}");
        }
        let run = sandbox.run(set.chain(["--yes", "--force"])).ok();
        let words = "no key of set api signs any more";
        assert!(run.stderr.contains(words), "{run:#?}");
        sandbox.ok(["undo", "api"]);
    }
    // A change that does not end signing asks nothing.
    sandbox.ok(["set", "api", "--kid", "a", "--key-ops", "sign"]);
}

/// The public part of an encrypted set shows which keys sign.
#[test]
fn a_change_that_ends_the_signing_of_an_encrypted_set_is_asked_for() {
    let sandbox = Sandbox::new();
    sandbox.write("passphrase.txt", "correct horse");
    let with = ["--passphrase-file", "passphrase.txt"];
    let create = "create api --kid a --encrypt --p2c 1000";
    sandbox.ok(create.split(' ').chain(with));
    let set = ["set", "api", "--exp", "-1h"];
    sandbox
        .run(set.iter().chain(&with).chain(&["--yes"]))
        .fails(4);
    sandbox.ok(set.iter().chain(&with).chain(&["--yes", "--force"]));
}

/// A change of members says which key signs instead.
#[test]
fn a_change_that_moves_signing_says_so() {
    let sandbox = with_two();
    let run = sandbox
        .run(["set", "api", "--kid", "b", "--exp", "-1h"])
        .ok();
    let words = "set api: 1 updated\na signs from now on; b no longer signs\n";
    assert!(run.stderr.contains(words), "{run:#?}");
    sandbox.ok(["undo", "api"]);
    let report = sandbox.json("set api --kid b --nbf +1d --json".split(' '));
    assert_eq!(report["activated"][0]["kid"], "a");
    assert_eq!(report["deactivated"][0]["kid"], "b");
    // Another line signs on.
    sandbox.ok(["create", "api", "--kid", "c", "--alg", "RS256"]);
    let run = sandbox
        .run(["set", "api", "--kid", "c", "--exp", "-1h"])
        .ok();
    assert!(run.stderr.contains("\nc no longer signs\n"), "{run:#?}");
    let run = sandbox
        .run(["set", "api", "--kid", "c", "--exp", "none"])
        .ok();
    assert!(run.stderr.contains("\nc signs from now on\n"), "{run:#?}");
    // A new name is no other key.
    let run = sandbox
        .run(["set", "api", "--kid", "c", "--rename", "d"])
        .ok();
    assert!(!run.stderr.contains("from now on"), "{run:#?}");
    // So does an import.
    sandbox.ok(["create", "other", "--kid", "e"]);
    let run = sandbox
        .shell("jwks get other --private | jwks set api -")
        .ok();
    assert!(
        run.stderr
            .contains("e signs from now on; a no longer signs"),
        "{run:#?}"
    );
}

/// The end of the last key that signs is the end of signing.
#[test]
fn an_end_of_signing_is_said_beforehand() {
    let sandbox = with_two();
    let exp = ["--exp", "2099-01-01"];
    let run = sandbox
        .run(["set", "api", "--kid", "b"].iter().chain(&exp))
        .ok();
    assert!(!run.stderr.contains("no key"), "{run:#?}");
    let run = sandbox.run(["set", "api"].iter().chain(&exp)).ok();
    let words = "no key of set api signs from 2099-01-01T00:00:00Z on; `jwks rotate api --force` stages a successor";
    assert!(run.stderr.contains(words), "{run:#?}");
    sandbox.run(["set", "api", "own.pem", "--force"]).fails(2);
}

/// The signer ends before the next key begins.
#[test]
fn a_gap_in_signing_is_said_beforehand() {
    let sandbox = Sandbox::new();
    sandbox.ok(["create", "api", "--kid", "a"]);
    sandbox.ok("create api --kid next --nbf 2099-02-01".split(' '));
    let words = "no key of set api signs from 2099-01-01T00:00:00Z to 2099-02-01T00:00:00Z\n";
    let run = |line: &str| sandbox.run(line.split(' ')).ok();
    let opened = run("set api --kid a --exp 2099-01-01");
    assert!(opened.stderr.contains(words), "{opened:#?}");
    let closed = run("set api --kid next --nbf 2099-01-01");
    assert!(!closed.stderr.contains("no key"), "{closed:#?}");
    let opened = run("set api --kid next --nbf 2099-02-01");
    assert!(opened.stderr.contains(words), "{opened:#?}");
}

/// A private key that is only to verify signs as little as one for encryption.
#[test]
fn key_ops_can_end_signing() {
    let sandbox = Sandbox::new();
    sandbox.ok(["create", "api", "--kid", "a"]);
    let set = ["set", "api", "--kid", "a", "--key-ops", "verify"];
    let refused = sandbox.run(set).fails(4);
    let words = "no active signing key";
    assert!(refused.stderr.contains(words), "{refused:#?}");
    let run = sandbox.run(set.iter().chain(&["--yes", "--force"])).ok();
    assert!(
        run.stderr.contains("no key of set api signs any more"),
        "{run:#?}"
    );
    let list = sandbox.json(["list", "api", "--json"]);
    assert_eq!(list["keys"][0]["state"], json!(null));
    sandbox.run("rotate api --every 30d".split(' ')).fails(4);
    sandbox.ok(["set", "api", "--kid", "a", "--key-ops", "sign,verify"]);
    assert_eq!(states(&sandbox, "api"), ["a active"]);
}

/// On a terminal the question names what is lost, and one answer is enough. A script says that it means
/// the set and not a list of kids that happens to be empty.
#[test]
fn a_whole_set_goes_with_the_ordinary_confirmation() {
    let sandbox = with_two();
    let keys =
        "a (ES256, retired, with its private part), b (ES256, active, with its private part)";
    for line in ["delete api", "delete api --yes"] {
        let refused = sandbox.run(line.split(' ')).fails(4);
        let words = format!("deleting set api would leave no active signing key; it holds {keys}");
        assert!(refused.stderr.contains(&words), "{refused:#?}");
        assert!(refused.stderr.contains("--yes --force"), "{refused:#?}");
    }
    // Without a key that signs, there is nothing more to say than yes.
    sandbox.ok("create later --nbf +1d --kid later".split(' '));
    sandbox.ok("delete later --yes".split(' '));
    if has_tool("script") {
        let run = on_terminal(&sandbox, "jwks delete api", "y\n", &[]).ok();
        let lines = keys.replace(", b", "\r\n  b");
        let words =
            format!("set api would be deleted with 2 keys:\r\n  {lines}\r\nContinue? [y/N]");
        assert!(run.stdout.contains(&words), "{run:#?}");
        assert!(!sandbox.set_file("api").exists());
    }
}

/// A second kid for a key would make the key its own successor.
#[test]
fn a_key_is_renamed_and_not_added_twice() {
    let sandbox = Sandbox::new();
    sandbox.ok(["create", "api", "--kid", "theirs"]);
    let pem = sandbox.ok(["export", "api", "--to", "pem", "--private"]);
    sandbox.write("my.pem", pem);
    let before = sandbox.read_set("api");
    let refused = sandbox
        .run(["set", "api", "my.pem", "--kid", "my"])
        .fails(4);
    let hint = "jwks set api --kid theirs --rename my";
    assert!(refused.stderr.contains(hint), "{refused:#?}");
    assert_eq!(sandbox.read_set("api"), before);
    sandbox.ok(hint.split(' ').skip(1));
    assert_eq!(states(&sandbox, "api"), ["my active"]);
    // The file is the same key still.
    let again = sandbox.run(["set", "api", "my.pem", "--kid", "my"]).ok();
    assert!(again.stderr.contains("1 unchanged"), "{again:#?}");
}

/// The log says which key was renamed. The kid that a key has is no new one.
#[test]
fn a_rename_is_in_the_log() {
    let sandbox = Sandbox::new();
    sandbox.ok(["create", "api", "--kid", "old"]);
    let rename = ["set", "api", "--kid", "old", "--rename"];
    let run = sandbox.run(rename.iter().chain(&["old"])).ok();
    assert!(run.stderr.ends_with("set api: 1 unchanged\n"), "{run:#?}");
    let more = ["old", "--key-ops", "sign"];
    let run = sandbox.run(rename.iter().chain(&more)).ok();
    assert!(run.stderr.ends_with("set api: 1 updated\n"), "{run:#?}");
    let run = sandbox.run(rename.iter().chain(&["new"])).ok();
    assert!(
        run.stderr
            .contains("tokens with the old kid no longer verify"),
        "{run:#?}"
    );
    let log = sandbox.json(["log", "api", "--json"]);
    let last = &log["changes"][2];
    assert_eq!(last["kid"], "new");
    assert_eq!(last["note"], "renamed from old");
}

/// A member that no key has is no member that was removed.
#[test]
fn a_member_that_is_not_there_is_not_removed() {
    let sandbox = Sandbox::new();
    sandbox.ok(["create", "api", "--kid", "a"]);
    let unset = ["set", "api", "--unset"];
    let run = sandbox.run(unset.iter().chain(&["keyops"])).fails(3);
    let words = "no key of set api has the member \"keyops\"\n  hint: did you mean key_ops?";
    assert!(run.stderr.contains(words), "{run:#?}");
    let run = sandbox.run(unset.iter().chain(&["owner", "--kid", "a"]));
    let words = "key \"a\" of set api has no member \"owner\"\n";
    assert!(run.fails(3).stderr.contains(words));
    // A script can remove an exp that is not there.
    sandbox.ok(unset.iter().chain(&["exp"]));
    let mut owned = sandbox.json(["get", "api", "a", "--private"]);
    owned["owner"] = "me".into();
    sandbox.write("owned.json", owned.to_string());
    sandbox.ok(["set", "api", "owned.json"]);
    sandbox.ok(["create", "api", "--kid", "b"]);
    let report = sandbox.json(unset.iter().chain(&["owner", "--json"]));
    assert_eq!(kids_in(&report["updated"]), ["a"]);
}

/// A deletion says that the history is gone, too.
#[test]
fn a_purge_is_told() {
    let sandbox = with_two();
    let delete = ["delete", "api", "--yes", "--force", "--purge"];
    let run = sandbox
        .run(delete[..2].iter().chain(&["b"]).chain(&delete[2..]))
        .ok();
    let words =
        "deleted 1 key of set api: b\ndeleted the history of set api\na signs from now on\n";
    assert!(run.stderr.ends_with(words), "{run:#?}");
    let run = sandbox.run(delete).ok();
    // The first purge has left no history.
    assert!(run.stderr.ends_with("deleted set api\n"), "{run:#?}");
    sandbox.ok(["create", "api"]);
    let report = sandbox.json(delete.iter().chain(&["--json"]));
    assert_eq!(report["history_deleted"], true);
}

/// The key that signs next keeps its place under another kid.
#[test]
fn a_renamed_successor_is_still_the_successor() {
    let sandbox = Sandbox::new();
    for line in [
        "create api --kid old --alg RS256 --now 2026-01-05",
        "rotate api --every 30d --alg ES256 --now 2026-01-06 --quiet",
    ] {
        sandbox.ok(line.split(' '));
    }
    let set: serde_json::Value = serde_json::from_str(&sandbox.read_set("api")).expect("a set");
    let next = set["keys"][0]["jwks_successor"].as_str().expect("a kid");
    sandbox.ok(["set", "api", "--kid", next, "--rename", "next"]);
    let set: serde_json::Value = serde_json::from_str(&sandbox.read_set("api")).expect("a set");
    assert_eq!(set["keys"][0]["jwks_successor"], "next");
    assert_eq!(set["keys"][1]["kid"], "next");
}

/// Two pipelines that start at once make one key.
#[test]
fn a_set_is_begun_once() {
    let sandbox = Sandbox::new();
    let create = [
        "create",
        "api",
        "--if-missing",
        "--json",
        "--lock-wait",
        "3600",
    ];
    let made: usize = std::thread::scope(|scope| {
        let runs: Vec<_> = (0..4)
            .map(|_| scope.spawn(|| sandbox.json(create)))
            .collect();
        let made = runs.into_iter().map(|run| run.join().expect("a report"));
        made.map(|report| report["created"].as_array().map_or(0, Vec::len))
            .sum()
    });
    assert_eq!(made, 1);
    let again = sandbox.run(["create", "api", "--if-missing"]).ok();
    assert_eq!(again.stdout, "");
    assert!(
        again.stderr.contains("already has keys; nothing created"),
        "{again:#?}"
    );
}

/// The private part goes with the file that has only the public one.
#[test]
fn a_file_that_replaces_the_only_signer_needs_force() {
    let sandbox = Sandbox::new();
    sandbox.ok(["create", "api", "--kid", "one"]);
    let public = sandbox.ok(["get", "api"]);
    sandbox.write("public.json", public);
    let replace = ["set", "api", "public.json", "--replace", "--yes"];
    let before = sandbox.read_set("api");
    let refused = sandbox.run(replace).fails(4);
    assert!(
        refused.stderr.contains("no active signing key left"),
        "{refused:#?}"
    );
    assert_eq!(sandbox.read_set("api"), before);
    let forced = sandbox
        .run(replace.iter().chain(&["--force", "--json"]))
        .ok();
    let report = forced.json();
    assert_eq!(report["deactivated"][0]["kid"], "one");
    assert_eq!(report["activated"], serde_json::json!([]));
}

/// Standard output has the keys, and the warning is on standard error.
#[test]
fn an_end_of_signing_is_warned_about_beside_json() {
    let sandbox = Sandbox::new();
    sandbox.ok(["create", "api"]);
    let run = sandbox.run(["set", "api", "--exp", "+1h", "--json"]).ok();
    assert!(
        run.stderr.contains("no key of set api signs from "),
        "{run:#?}"
    );
}
