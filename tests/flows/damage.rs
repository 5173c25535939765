//! A damaged set stops the command and stays as it is; it is never taken for an empty one (C9).

use crate::support::Sandbox;
use std::fs;

/// Every command on a set; before the damage it had a key `first`.
const COMMANDS: [&str; 18] = [
    "list api",
    "list api --json",
    "list api --format names",
    "get api",
    "get api --private",
    "get api first",
    "export api",
    "export api -o out.json",
    "export api --private -o out.json",
    "check api",
    "thumbprint api",
    "create api",
    "set api own.json",
    "set api own.json --replace --yes",
    "set api --exp +1d",
    "delete api --yes --force",
    "delete api first --yes --force",
    "delete api --expired --if-exists",
];

#[test]
fn a_truncated_set_is_left_alone() {
    every_command_refuses(|whole| whole[..whole.len() / 2].to_vec());
}

#[test]
fn an_empty_file_is_left_alone() {
    every_command_refuses(|_| Vec::new());
}

#[test]
fn a_file_of_zeros_is_left_alone() {
    // As some file systems leave a file after a power cut.
    every_command_refuses(|whole| vec![0; whole.len()]);
}

#[test]
fn a_set_that_is_not_utf_8_is_left_alone() {
    every_command_refuses(|whole| {
        let mut damaged = whole.to_vec();
        let in_a_string = whole.len() / 2;
        damaged[in_a_string] = 0xff;
        damaged
    });
}

#[test]
fn an_html_page_is_left_alone() {
    every_command_refuses(|_| b"<!DOCTYPE html><title>404 Not Found</title>\n".to_vec());
}

#[test]
fn a_set_with_a_member_twice_is_left_alone() {
    every_command_refuses(|whole| {
        let whole = std::str::from_utf8(whole).expect("text");
        whole.replacen('{', "{\"keys\": [],", 1).into_bytes()
    });
}

#[test]
fn a_damaged_set_hides_no_other() {
    let sandbox = with_two_sets();
    fs::write(sandbox.set_file("api"), "").expect("an empty file");

    let table = sandbox.run(["list"]).fails(5);
    let row = |set: &str| table.stdout.lines().find(|line| line.starts_with(set));
    assert!(
        row("api ").is_some_and(|row| row.contains("damaged")),
        "{table:#?}"
    );
    assert!(
        row("other ").is_some_and(|row| !row.contains("damaged")),
        "{table:#?}"
    );

    let json = sandbox.run(["list", "--json"]).fails(5);
    let sets = &json.json()["sets"];
    assert_eq!(
        (&sets[0]["set"], &sets[1]["set"]),
        (&"api".into(), &"other".into())
    );
    assert!(sets[0]["error"]["kind"] == "invalid", "{sets}");
    assert_eq!(sets[1]["key_count"], 1);
    assert_eq!(json.error()["kind"], "invalid");

    let names = sandbox.ok(["list", "--format", "names"]);
    assert_eq!(names, "api\nother\n");
}

#[test]
fn a_damaged_set_disturbs_no_change_of_another() {
    let sandbox = with_two_sets();
    fs::write(sandbox.set_file("api"), "").expect("an empty file");
    sandbox.ok(["create", "other"]);
    sandbox.ok(["set", "other", "own.json"]);
    sandbox.ok(["delete", "other", "--yes", "--force"]);
    assert_eq!(sandbox.read_set("api"), "");
}

/// Damages a set of two keys, and tries every command on it.
#[track_caller]
fn every_command_refuses(damage: impl Fn(&[u8]) -> Vec<u8>) {
    let sandbox = with_two_sets();
    let whole = sandbox.read_set("api");
    let damaged = damage(whole.as_bytes());
    fs::write(sandbox.set_file("api"), &damaged).expect("the damaged set");
    for command in COMMANDS {
        let run = sandbox.run(command.split(' '));
        assert_eq!(run.code, Some(5), "{command}: {run:#?}");
        assert!(run.stderr.contains("api.json"), "{command}: {run:#?}");
        assert!(!run.stderr.contains("panicked"), "{command}: {run:#?}");
        assert_eq!(run.stdout, "", "{command}");
        let left = fs::read(sandbox.set_file("api")).expect("the damaged set");
        assert!(left == damaged, "{command} has changed the file");
        assert_eq!(sandbox.store_entries(), [".lock", "api.json", "other.json"]);
        assert!(!sandbox.path().join("out.json").exists(), "{command}");
    }
}

/// The sets `api` and `other` with one key in common, and a key of its own in `own.json`.
fn with_two_sets() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.ok(["create", "other", "--kid", "first"]);
    fs::copy(sandbox.set_file("other"), sandbox.set_file("api")).expect("a copy");
    sandbox.ok(["create", "api"]);
    sandbox.ok(["create", "own", "--store", "elsewhere"]);
    let own = sandbox.ok(["get", "own", "--private", "--store", "elsewhere"]);
    sandbox.write("own.json", own);
    sandbox
}
