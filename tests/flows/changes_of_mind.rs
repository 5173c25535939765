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
    let report = json!({"set": "api", "removed": [{"kid": "b"}], "activated": [{"kid": "a"}], "set_deleted": false});
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
