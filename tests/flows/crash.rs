//! A process that is killed at any moment leaves the old set or the whole new one (C2).
//!
//! strace kills at a system call before it is done, and counts the calls of each name apart: one
//! is known by its name and its number, `fsync` 2. The kills are at the calls that change a file
//! of the keystore, and at the last call of all. A kill at any other call leaves what a kill at the
//! next of these leaves.

#![cfg(target_os = "linux")]

use crate::support::{JWKS, Run, Sandbox, finish, has_tool};
use serde_json::Value;
use std::collections::HashMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

#[test]
fn a_killed_create_leaves_the_old_set_or_one_with_the_new_key() {
    kill_at_each_call(&["create", "api"]);
}

#[test]
fn a_killed_set_leaves_the_old_set_or_one_with_the_new_key() {
    kill_at_each_call(&["set", "api", "own.json"]);
}

#[test]
fn a_killed_first_create_leaves_no_set_or_a_whole_one() {
    if !has_tool("strace") {
        return;
    }
    let create = ["create", "api"];
    let mut whole = 0;
    let calls = calls_of(&Sandbox::new(), &create);
    for call in &calls {
        let sandbox = Sandbox::new();
        kill(&sandbox, &create, call);
        assert_all_private(&sandbox);
        let made = sandbox.set_file("api").exists();
        if made {
            assert_eq!(keys(&sandbox).len(), 1, "killed at {call:?}");
            sandbox.ok(["check", "api"]);
            whole += 1;
        }
        sandbox.ok(create);
        assert_eq!(keys(&sandbox).len(), 1 + usize::from(made), "{call:?}");
        assert_eq!(sandbox.store_entries(), [".lock", "api.json"], "{call:?}");
        assert_all_private(&sandbox);
    }
    assert_both_seen(whole, calls.len());
}

#[test]
fn a_killed_delete_leaves_the_whole_set_or_none() {
    if !has_tool("strace") {
        return;
    }
    let sandbox = Sandbox::with_two_keys();
    let old = sandbox.read_set("api");
    let delete = ["delete", "api", "--yes", "--force"];
    // The first change of a set flushes more than the later ones.
    sandbox.ok(delete);
    sandbox.write("store/api.json", &old);
    let mut gone = 0;
    let calls = calls_of(&sandbox, &delete);
    for call in &calls {
        sandbox.write("store/api.json", &old);
        kill(&sandbox, &delete, call);
        match fs::read_to_string(sandbox.set_file("api")) {
            Ok(left) => assert_eq!(left, old, "killed at {call:?}"),
            Err(_) => gone += 1,
        }
    }
    assert_both_seen(gone, calls.len());
}

/// Kills a command that adds one key to the set `api`, at one call after the other.
fn kill_at_each_call(command: &[&str]) {
    if !has_tool("strace") {
        return;
    }
    let sandbox = Sandbox::with_two_keys();
    let (old, old_keys) = (sandbox.read_set("api"), keys(&sandbox));
    // The first change of a set flushes more than the later ones.
    sandbox.ok(["create", "api"]);
    fs::write(sandbox.set_file("api"), &old).expect("the old set");
    let mut new = 0;
    let calls = calls_of(&sandbox, command);
    for call in &calls {
        fs::write(sandbox.set_file("api"), &old).expect("the old set");
        kill(&sandbox, command, call);
        let left = keys(&sandbox);
        if sandbox.read_set("api") != old {
            assert_eq!(left[..2], old_keys, "killed at {call:?}");
            assert_eq!(left.len(), 3, "killed at {call:?}");
            sandbox.ok(["check", "api"]);
            new += 1;
        }
        sandbox.ok(["create", "api"]);
        assert_eq!(keys(&sandbox)[..left.len()], left, "killed at {call:?}");
        assert_eq!(keys(&sandbox).len(), left.len() + 1, "killed at {call:?}");
        assert_eq!(sandbox.store_entries(), [".lock", "api.json"], "{call:?}");
    }
    assert_both_seen(new, calls.len());
}

/// A system call on the keystore's files: its name, and its number among those of that name.
pub type Call = (String, usize);

/// The calls of an undisturbed run that change a file, and its last call.
pub fn calls_of(sandbox: &Sandbox, command: &[&str]) -> Vec<Call> {
    let trace = sandbox.path().join("trace");
    strace(sandbox, &trace, &[], command).ok();
    let trace = fs::read_to_string(trace).expect("the trace");
    let mut seen: HashMap<_, usize> = HashMap::new();
    let mut calls = Vec::new();
    let mut lines = trace.lines().peekable();
    while let Some(line) = lines.next() {
        let call = line.trim_start_matches(|c: char| c.is_ascii_digit());
        let name = call.trim_start().split('(').next().unwrap_or_default();
        let number = seen.entry(name).or_default();
        *number += 1;
        if changes_a_file(name, line) || lines.peek().is_none() {
            calls.push((name.to_owned(), *number));
        }
    }
    assert!(calls.len() > 3, "too few calls: {calls:?}");
    calls
}

/// Returns false for a call that only looks: its name, and its line in the trace.
fn changes_a_file(name: &str, line: &str) -> bool {
    const LOOKS: [&str; 12] = [
        "close",
        "fcntl",
        "flock",
        "fstat",
        "getdents64",
        "ioctl",
        "lseek",
        "mmap",
        "newfstatat",
        "read",
        "readlink",
        "statx",
    ];
    let is_opened_to_read = name.starts_with("open") && !line.contains("O_CREAT");
    !LOOKS.contains(&name) && !is_opened_to_read
}

/// Runs a command that is killed at a call.
pub fn kill(sandbox: &Sandbox, command: &[&str], (name, number): &Call) {
    let inject = format!("inject={name}:signal=KILL:when={number}");
    let run = strace(sandbox, "/dev/null".as_ref(), &["-e", &inject], command);
    assert_eq!(run.code, None, "not killed at {name} {number}: {run:#?}");
}

/// Runs a command; only its calls on the keystore's files are traced.
fn strace(sandbox: &Sandbox, trace: &Path, options: &[&str], command: &[&str]) -> Run {
    let store = sandbox.store();
    let mut strace = sandbox.command("strace");
    strace.args(["-f", "-qq", "-o"]).arg(trace);
    strace.arg("-P").arg(&store);
    for file in [
        ".lock",
        ".writing",
        ".schedules.json",
        "api.json",
        "api.jwe",
        ".history",
        ".history/api",
    ] {
        strace.arg("-P").arg(store.join(file));
    }
    finish(strace.args(options).arg(JWKS).args(command))
}

fn keys(sandbox: &Sandbox) -> Vec<Value> {
    let set: Value = serde_json::from_str(&sandbox.read_set("api")).expect("a whole set");
    set["keys"].as_array().expect("an array of keys").clone()
}

/// The keystore, as far as there is one, belongs to its owner alone.
pub fn assert_all_private(sandbox: &Sandbox) {
    let Ok(store) = fs::metadata(sandbox.store()) else {
        return;
    };
    assert_eq!(store.permissions().mode() & 0o7777, 0o700);
    for entry in sandbox.store_entries() {
        let file = fs::metadata(sandbox.store().join(&entry)).expect("an entry");
        assert_eq!(file.permissions().mode() & 0o7777, 0o600, "{entry}");
    }
}

/// Kills came before the change and after it; otherwise the test has tested nothing.
pub fn assert_both_seen(new: usize, all: usize) {
    assert!(0 < new && new < all, "{new} of {all} kills left the change");
}
