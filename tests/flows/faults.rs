//! A fault of the file system is an error that names the file; the old set stays as it is (C3).
//!
//! strace injects the faults into the calls on one file of the keystore.

#![cfg(target_os = "linux")]

use crate::support::{JWKS, Run, Sandbox, finish, has_tool};
use serde_json::Value;

/// What fails: a file of the keystore, the calls on it, and how.
type Fault<'a> = (&'a str, &'a str, &'a str);

/// The keystore's directory itself, in place of a file in it.
const DIRECTORY: &str = ".";

/// Faults at reading a set.
const READING: [Fault<'static>; 3] = [
    ("api.json", "%%stat", "EIO"),
    ("api.json", "/^open", "EACCES"),
    ("api.json", "read", "EIO"),
];

/// Faults at writing one, up to the rename.
const WRITING: [Fault<'static>; 9] = [
    (".writing", "%%stat", "EIO"),
    (".writing", "/^open", "EROFS"),
    (".writing", "/^open", "ENOSPC"),
    (".writing", "write", "ENOSPC"),
    (".writing", "write", "EIO"),
    (".writing", "/sync$", "ENOSPC"),
    (".writing", "/sync$", "EIO"),
    (".writing", "/^rename", "EROFS"),
    (".writing", "/^rename", "EIO"),
];

#[test]
fn a_create_that_fails_leaves_the_old_set() {
    for fault in READING.into_iter().chain(WRITING) {
        fails_and_changes_nothing(fault, &["create", "api"]);
    }
}

#[test]
fn a_set_that_fails_leaves_the_old_set() {
    for fault in READING.into_iter().chain(WRITING) {
        fails_and_changes_nothing(fault, &["set", "api", "own.json"]);
    }
}

#[test]
fn a_change_of_members_that_fails_leaves_the_old_set() {
    for fault in WRITING {
        fails_and_changes_nothing(fault, &["set", "api", "--exp", "+1d"]);
    }
}

#[test]
fn without_a_lock_nothing_is_written() {
    for fault in [(".lock", "/^open", "EROFS"), (".lock", "flock", "ENOLCK")] {
        fails_and_changes_nothing(fault, &["create", "api"]);
    }
}

#[test]
fn a_set_that_cannot_be_read_is_not_taken_for_a_missing_one() {
    for fault in READING {
        for command in ["list api", "get api", "export api", "check api"] {
            fails_and_changes_nothing(fault, &command.split(' ').collect::<Vec<_>>());
        }
        fails_and_changes_nothing(fault, &["delete", "api", "--yes", "--force"]);
    }
}

/// An error of the system is no damage.
#[test]
fn a_set_that_cannot_be_read_is_not_called_damaged() {
    if !has_tool("strace") {
        return;
    }
    let sandbox = Sandbox::with_two_keys();
    let fault = ("api.json", "read", "EIO");
    for command in [&["list"][..], &["list", "--json"]] {
        let run = run_with(&sandbox, fault, command).fails(1);
        let both = format!("{}{}", run.stdout, run.stderr);
        for word in ["damaged", "backup"] {
            assert!(!both.contains(word), "{run:#?}");
        }
        assert!(both.contains("cannot read "), "{run:#?}");
    }
    // A damaged set decides the exit code before one that cannot be read.
    sandbox.shell("echo damaged > store/other.json").ok();
    run_with(&sandbox, fault, &["list"]).fails(5);
}

#[test]
fn a_set_whose_members_change_is_not_taken_for_a_missing_one() {
    for fault in READING {
        fails_and_changes_nothing(fault, &["set", "api", "--exp", "+1d"]);
    }
}

#[test]
fn a_directory_that_cannot_be_flushed_is_said_when_the_new_set_is_in_place() {
    if !has_tool("strace") {
        return;
    }
    for fault in [
        (DIRECTORY, "/sync$", "EIO"),
        (DIRECTORY, "/^open", "EMFILE"),
    ] {
        let sandbox = Sandbox::with_two_keys();
        let old = keys(&sandbox.read_set("api"));
        let run = run_with(&sandbox, fault, &["create", "api"]).fails(1);
        assert!(run.stderr.contains("cannot flush"), "{run:#?}");
        assert!(run.stderr.contains("api.json"), "{run:#?}");
        let new = keys(&sandbox.read_set("api"));
        assert_eq!((&new[..2], new.len()), (&old[..], 3));
        assert_eq!(sandbox.store_entries(), [".lock", "api.json"]);
        assert_no_secret(&sandbox, &run);
        sandbox.ok(["check", "api"]);
    }
}

#[test]
fn a_delete_that_fails_leaves_the_whole_set() {
    for error in ["EROFS", "EIO"] {
        let fault = ("api.json", "/^unlink", error);
        fails_and_changes_nothing(fault, &["delete", "api", "--yes", "--force"]);
    }
}

#[test]
fn a_delete_that_cannot_be_flushed_does_not_claim_that_the_set_is_there() {
    if !has_tool("strace") {
        return;
    }
    let sandbox = Sandbox::with_two_keys();
    let delete = ["delete", "api", "--yes", "--force"];
    let run = run_with(&sandbox, (DIRECTORY, "/sync$", "EIO"), &delete).fails(1);
    assert_eq!(sandbox.store_entries(), [".lock"]);
    assert!(run.stderr.contains("cannot flush"), "{run:#?}");
    assert!(run.stderr.contains("api.json"), "{run:#?}");
}

/// A killed export leaves its temporary file, and the next one takes it away.
#[test]
fn what_a_killed_export_left_is_swept() {
    if !has_tool("strace") {
        return;
    }
    let sandbox = Sandbox::with_two_keys();
    let export = ["export", "api", "--private", "-o", "backup.json"];
    let mut strace = sandbox.command("strace");
    strace.args([
        "-f",
        "-qq",
        "-o",
        "/dev/null",
        "-e",
        "inject=/^(link|rename):signal=KILL:when=1",
    ]);
    finish(strace.arg(JWKS).args(export));
    let left = sandbox.path().join(".backup.json.jwks-unfinished");
    assert!(left.exists() && !sandbox.path().join("backup.json").exists());
    sandbox.ok(export);
    assert!(!left.exists() && sandbox.path().join("backup.json").exists());
}

#[test]
fn an_export_that_fails_leaves_the_old_file_and_no_other() {
    if !has_tool("strace") {
        return;
    }
    let sandbox = Sandbox::with_two_keys();
    sandbox.write("out/old.json", "the old one");
    for (call, error) in [
        ("/sync$", "ENOSPC"),
        ("/sync$", "EIO"),
        ("/^rename", "EROFS"),
    ] {
        for export in [
            "export api -o out/old.json --force",
            "export api -o out/new.json",
            "export api -o out/old.json --private --force",
            "export api -o out/new.json --private",
        ] {
            // An export flushes and renames nothing but its file, whose first name is random.
            let export: Vec<_> = export.split(' ').collect();
            let run = strace(&sandbox, &[], call, error, &export).fails(1);
            assert!(run.stderr.contains(export[3]), "{run:#?}");
            let left = sandbox.shell("ls -A out && cat out/*").ok().stdout;
            assert_eq!(left, "old.json\nthe old one", "{call} {error} {export:?}");
            assert_no_secret(&sandbox, &run);
        }
    }
}

#[test]
fn a_full_device_behind_standard_output_is_an_error() {
    for command in [
        "list",
        "list --json",
        "list api",
        "get api",
        "get api --private",
        "export api",
        "export api --to pem",
        "check api --json",
        "thumbprint api",
        "completion bash",
        "man",
    ] {
        fails_on_a_full_device(command);
    }
}

#[test]
fn a_full_device_behind_help_is_an_error() {
    for command in ["--help", "create --help", "--version"] {
        fails_on_a_full_device(command);
    }
}

fn fails_on_a_full_device(command: &str) {
    let sandbox = Sandbox::with_two_keys();
    let run = sandbox.shell(&format!("jwks {command} > /dev/full"));
    assert_eq!(run.code, Some(1), "{command}: {run:#?}");
    assert!(
        run.stderr.contains("standard output"),
        "{command}: {run:#?}"
    );
    assert!(run.stderr.contains("No space left"), "{command}: {run:#?}");
    assert!(!run.stderr.contains("panicked"), "{command}: {run:#?}");
    assert_no_secret(&sandbox, &run);
}

/// The file system has no locks: that is what is said, each time, and nothing is left behind.
#[test]
fn an_export_where_nothing_can_be_locked_says_so_and_leaves_nothing() {
    if !has_tool("strace") {
        return;
    }
    let sandbox = Sandbox::with_two_keys();
    sandbox.shell("mkdir out").ok();
    for error in ["ENOLCK", "EOPNOTSUPP", "ENOSYS"] {
        for export in [
            "export api -o out/new.json",
            "export api --private -o out/new.json",
        ] {
            let export: Vec<_> = export.split(' ').collect();
            for _ in 0..2 {
                let run = strace(&sandbox, &[], "flock", error, &export).fails(1);
                assert!(run.stderr.contains("cannot lock out/"), "{run:#?}");
                assert!(run.stderr.contains("has locks"), "{run:#?}");
                assert!(!run.stderr.contains("another jwks"), "{run:#?}");
                assert_eq!(sandbox.shell("ls -A out").ok().stdout, "", "{error}");
            }
        }
    }
}

#[test]
fn a_keystore_where_nothing_can_be_locked_is_not_begun() {
    if !has_tool("strace") {
        return;
    }
    let sandbox = Sandbox::with_two_keys();
    for error in ["ENOLCK", "EOPNOTSUPP", "ENOSYS"] {
        let create = ["create", "api", "--store", "new/store"];
        let run = strace(&sandbox, &[], "flock", error, &create).fails(1);
        assert!(
            run.stderr.contains("cannot lock new/store/.lock"),
            "{run:#?}"
        );
        assert!(!sandbox.path().join("new").exists(), "{error}");
    }
}

/// A new directory outlasts a crash once the one above it is flushed.
#[test]
fn the_directory_above_each_new_one_is_flushed() {
    if !has_tool("strace") {
        return;
    }
    let sandbox = Sandbox::new();
    let trace = sandbox.path().join("trace");
    let mut strace = sandbox.command("strace");
    strace.args(["-f", "-qq", "-y", "-e", "trace=/^mkdir,fsync", "-o"]);
    strace.arg(&trace).arg(JWKS);
    finish(strace.args(["create", "api", "--store", "a/b/c"])).ok();
    let trace = std::fs::read_to_string(trace).expect("the trace");
    let top = sandbox.path().canonicalize().expect("a directory");
    let flushed = |directory: &str| {
        let path = top.join(directory);
        let path = format!("<{}>", path.to_str().expect("UTF-8").trim_end_matches('/'));
        trace
            .lines()
            .position(|line| line.contains("fsync(") && line.contains(&path))
    };
    let made = |directory: &str| {
        let name = format!("\"{directory}\"");
        let line = trace
            .lines()
            .position(|line| line.contains("mkdir") && line.contains(&name));
        line.unwrap_or_else(|| panic!("{directory}: {trace}"))
    };
    for (directory, above) in [("a", ""), ("a/b", "a"), ("a/b/c", "a/b")] {
        let flushed = flushed(above).unwrap_or_else(|| panic!("{above}: {trace}"));
        assert!(flushed > made(directory), "{directory}: {trace}");
    }
}

/// A set that is gone is in the log, whatever fails afterwards.
#[test]
fn a_delete_whose_schedule_stays_is_told_and_logged() {
    if !has_tool("strace") {
        return;
    }
    let sandbox = Sandbox::with_two_keys();
    sandbox.ok(["rotate", "api", "--every", "30d", "--save"]);
    let delete = ["delete", "api", "--yes", "--force"];
    let run = run_with(&sandbox, (".writing", "/^rename", "EIO"), &delete).fails(1);
    let words = "set api is deleted, but its schedule is not";
    assert!(run.stderr.contains(words), "{run:#?}");
    assert!(run.stderr.contains("jwks rotate api --forget"), "{run:#?}");
    assert_eq!(sandbox.store_entries(), [".lock", ".schedules.json"]);
    let removed = sandbox.read_log().matches("\"removed\"").count();
    assert_eq!(removed, 2);
    sandbox.ok(["rotate", "api", "--forget"]);
}

/// What is in place is reported and logged, though its directory cannot be flushed.
#[test]
fn a_change_that_cannot_be_flushed_is_reported_and_logged() {
    if !has_tool("strace") {
        return;
    }
    let sandbox = Sandbox::with_two_keys();
    let create = ["create", "api", "--kid", "new"];
    let run = run_with(&sandbox, (DIRECTORY, "/sync$", "EIO"), &create).fails(1);
    assert_eq!(run.stdout, "new\n");
    assert!(run.stderr.contains("wrote "), "{run:#?}");
    assert!(sandbox.read_log().contains("\"new\""), "{run:#?}");
}

/// A file that cannot be looked at is not taken for one that is missing or belongs to another process.
#[test]
fn a_look_that_fails_hides_no_change_and_leaves_no_file() {
    if !has_tool("strace") {
        return;
    }
    for file in [DIRECTORY, ".writing"] {
        let mut was_clean = false;
        for number in 1..40 {
            let sandbox = Sandbox::with_two_keys();
            let error = format!("EIO:when={number}+");
            let create = ["create", "api", "--kid", "new"];
            let run = run_with(&sandbox, (file, "%%stat", &error), &create);
            let is_changed = sandbox.read_set("api").contains("\"new\"");
            let is_logged = sandbox.read_log().contains("\"new\"");
            let is_warned = run.stderr.contains("warning: ") && run.stderr.contains(".log");
            assert!(!is_changed || is_logged || is_warned, "{error}: {run:#?}");
            let code = run.code.expect("an exit code");
            assert!(code == 1 || code == 0 && is_changed, "{error}: {run:#?}");
            let is_left = |entry: &String| entry == ".writing";
            assert!(!sandbox.store_entries().iter().any(is_left), "{error}");
            was_clean = code == 0 && is_logged;
            if was_clean {
                break;
            }
        }
        assert!(was_clean, "{file}: there are more looks than were tried");
    }
}

/// What was changed before the output failed is said.
#[test]
fn a_full_device_does_not_hide_what_was_changed() {
    for (command, done) in [
        ("create api --kid new", "created new in set api"),
        ("create api --kid new --json", "created new in set api"),
        ("set api own.json", "added "),
        ("set api --exp +1d --json", "updated "),
        ("delete api --yes --force --json", "removed "),
        ("rotate api --force --json", "staged "),
        (
            "rotate api --every 30d --save --json",
            "api: its schedule is saved",
        ),
        (
            "passwd api --passphrase-file own.json --p2c 1000 --json",
            "set api: encrypted",
        ),
        (
            "remote add idp --kind url --url https://idp.example/ --json",
            "added remote idp",
        ),
    ] {
        let sandbox = Sandbox::with_two_keys();
        let run = sandbox
            .shell(&format!("jwks {command} > /dev/full"))
            .fails(1);
        assert!(run.stderr.contains("No space left"), "{command}: {run:#?}");
        let hint = "already done: ";
        assert!(run.stderr.contains(hint), "{command}: {run:#?}");
        assert!(run.stderr.contains(done), "{command}: {run:#?}");
    }
    let sandbox = Sandbox::with_two_keys();
    for command in ["get api --private", "list api", "export api --private"] {
        let run = sandbox
            .shell(&format!("jwks {command} > /dev/full"))
            .fails(1);
        assert!(!run.stderr.contains("done"), "{command}: {run:#?}");
    }
}

/// Runs a command with a fault: it fails, names the file, says nothing secret, and all files are
/// as they were.
fn fails_and_changes_nothing(fault: Fault, command: &[&str]) {
    if !has_tool("strace") {
        return;
    }
    let sandbox = Sandbox::with_two_keys();
    let (old, entries) = (sandbox.read_set("api"), sandbox.store_entries());
    let run = run_with(&sandbox, fault, command);
    assert_eq!(run.code, Some(1), "{fault:?} {command:?}: {run:#?}");
    let named = if fault.0 == ".lock" {
        ".lock"
    } else {
        "api.json"
    };
    assert!(
        run.stderr.contains(named),
        "{fault:?} {command:?}: {run:#?}"
    );
    assert!(!run.stderr.contains("panicked"), "{fault:?}: {run:#?}");
    assert_eq!(sandbox.read_set("api"), old, "{fault:?} {command:?}");
    assert_eq!(sandbox.store_entries(), entries, "{fault:?} {command:?}");
    assert_no_secret(&sandbox, &run);
}

/// Runs a command; each of the fault's calls on its file fails.
fn run_with(sandbox: &Sandbox, (file, call, error): Fault, command: &[&str]) -> Run {
    let path = match file {
        DIRECTORY => sandbox.store(),
        file => sandbox.store().join(file),
    };
    let path = path.to_str().expect("a UTF-8 path");
    strace(sandbox, &["-P", path], call, error, command)
}

fn strace(sandbox: &Sandbox, only: &[&str], call: &str, error: &str, command: &[&str]) -> Run {
    let mut strace = sandbox.command("strace");
    strace.args(["-f", "-qq", "-o", "/dev/null"]).args(only);
    strace.args(["-e", &format!("inject={call}:error={error}")]);
    finish(strace.arg(JWKS).args(command))
}

fn keys(set: &str) -> Vec<Value> {
    let set: Value = serde_json::from_str(set).expect("a whole set");
    set["keys"].as_array().expect("an array of keys").clone()
}

/// No private `d` of any key of the sandbox was printed.
fn assert_no_secret(sandbox: &Sandbox, run: &Run) {
    let own = std::fs::read_to_string(sandbox.path().join("own.json")).expect("own.json");
    for key in keys(&sandbox.read_set("api")).iter().chain(&keys(&own)) {
        let secret = key["d"].as_str().expect("a private key");
        assert!(!run.stdout.contains(secret), "{run:#?}");
        assert!(!run.stderr.contains(secret), "{run:#?}");
    }
}
