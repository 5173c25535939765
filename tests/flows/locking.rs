//! One writer at a time, and no update is lost (C4, C5).

use crate::support::{JWKS, LOCK_WAIT, Sandbox, finish, has_tool, release, wait_until};
use crate::wire::each;
use std::collections::HashSet;
use std::fs::File;
use std::process::{Command, Stdio};

#[test]
fn many_writers_at_once_lose_no_key() {
    let (workers, rounds) = (32, 5);
    let sandbox = Sandbox::new();
    // Symmetric keys are quick to make: the lock is what is under test.
    let create = [
        "create",
        "api",
        "--alg",
        "HS256",
        "--kid-from",
        "uuid",
        "-q",
        "--lock-wait",
        LOCK_WAIT,
    ];
    let work = || -> Vec<String> { (0..rounds).map(|_| sandbox.ok(create)).collect() };
    let printed: HashSet<String> = std::thread::scope(|scope| {
        let running: Vec<_> = (0..workers).map(|_| scope.spawn(work)).collect();
        let finished = running.into_iter().map(|worker| worker.join());
        let kids = finished.flat_map(|kids| kids.expect("a worker's kids"));
        kids.map(|kid| kid.trim().to_owned()).collect()
    });
    assert_eq!(printed.len(), workers * rounds);
    let names = sandbox.ok(["list", "api", "--format", "names"]);
    assert_eq!(names.lines().count(), workers * rounds);
    assert_eq!(
        names.lines().map(str::to_owned).collect::<HashSet<_>>(),
        printed
    );
    assert_eq!(sandbox.store_entries(), [".lock", "api.json"]);
}

pub fn a_held_lock_is_refused_after_the_wait() {
    let sandbox = with_a_set();
    let (old, entries) = (sandbox.read_set("api"), sandbox.store_entries());
    let _lock = hold(&sandbox);
    let commands = [
        &["create", "api"][..],
        &["create", "new"],
        &["set", "api", "--exp", "+1d"],
        &["delete", "api", "--yes", "--force"],
    ];
    each(commands, |command| {
        let wait = ["--lock-wait", "1"];
        let run = sandbox.run(command.iter().chain(&wait)).fails(4);
        assert!(run.stderr.contains("for 1 s"), "{command:?}: {run:#?}");
        assert!(run.stderr.contains("lock"), "{command:?}: {run:#?}");
        assert!(run.stderr.contains("hint: "), "{command:?}: {run:#?}");
        assert!(run.stderr.contains("--lock-wait"), "{command:?}: {run:#?}");
        assert_eq!(run.stdout, "", "{command:?}");
        assert_eq!(sandbox.read_set("api"), old, "{command:?}");
        assert_eq!(sandbox.store_entries(), entries, "{command:?}");
    });
}

#[test]
fn a_held_lock_is_refused_at_once_without_a_wait() {
    let sandbox = with_a_set();
    let _lock = hold(&sandbox);
    let create = ["create", "api", "--lock-wait", "0", "--json"];
    let error = sandbox.run(create).fails(4).error();
    assert_eq!(error["kind"], "refused");
    assert!(error["hint"].is_string(), "{error}");
    if has_tool("strace") {
        finish(&mut tracing_locks(&sandbox, &create)).fails(4);
        assert_eq!(attempts(&sandbox), [REFUSED], "it tries once");
    }
}

/// The writer is refused more than once, and has the lock after the holder has let go of it.
#[test]
fn a_writer_waits_until_the_lock_is_free() {
    if !has_tool("strace") {
        return;
    }
    let sandbox = with_a_set();
    let lock = hold(&sandbox);
    let create = ["create", "api", "--lock-wait", LOCK_WAIT];
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| finish(&mut tracing_locks(&sandbox, &create)));
        wait_until("two attempts", || attempts(&sandbox).len() >= 2);
        let before = attempts(&sandbox);
        assert!(before.iter().all(|it| it == REFUSED), "{before:?}");
        release(lock);
        writer.join().expect("the writer").ok();
    });
    assert_eq!(attempts(&sandbox).last().expect("an attempt"), "0");
    let names = sandbox.ok(["list", "api", "--format", "names"]);
    assert_eq!(names.lines().count(), 2);
}

#[test]
fn a_killed_holder_blocks_nobody() {
    if !has_tool("flock") {
        return;
    }
    let sandbox = with_a_set();
    let mut flock = sandbox.command("flock");
    let lock = sandbox.store().join(".lock");
    flock.arg("--no-fork").arg(lock).args(["sleep", LOCK_WAIT]);
    let mut holder = flock.stdout(Stdio::null()).spawn().expect("flock starts");
    let create = ["create", "api", "--lock-wait", "0"];
    wait_until("flock has the lock", || sandbox.run(create).code == Some(4));
    holder.kill().expect("kill -9");
    holder.wait().expect("its end");
    sandbox.ok(create);
}

#[test]
fn reading_needs_no_lock() {
    let sandbox = with_a_set();
    let _lock = hold(&sandbox);
    for command in [
        "list",
        "list api",
        "get api",
        "export api",
        "check api",
        "thumbprint api",
    ] {
        sandbox.ok(command.split(' ').chain(["--lock-wait", "0"]));
    }
}

fn with_a_set() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.ok(["create", "api"]);
    sandbox
}

/// Holds the keystore's lock as another jwks would, until the file is released.
fn hold(sandbox: &Sandbox) -> File {
    let file = File::open(sandbox.store().join(".lock")).expect("the lock file");
    file.lock().expect("the lock");
    file
}

/// What flock(2) returns while another process holds the lock.
const REFUSED: &str = "-1 EAGAIN (Resource temporarily unavailable)";

/// A run of the program that leaves its attempts to take the lock in the file `attempts`.
fn tracing_locks(sandbox: &Sandbox, arguments: &[&str]) -> Command {
    let mut strace = sandbox.command("strace");
    strace.args(["-f", "-qq", "-o", "attempts", "-e", "trace=flock", JWKS]);
    strace.args(arguments);
    strace
}

/// What flock(2) returned so far, in order.
fn attempts(sandbox: &Sandbox) -> Vec<String> {
    let trace = std::fs::read_to_string(sandbox.path().join("attempts")).unwrap_or_default();
    let whole = trace
        .split_inclusive('\n')
        .filter(|line| line.ends_with('\n'));
    let results = whole.filter_map(|line| line.split_once(')')?.1.trim().strip_prefix("= "));
    results.map(str::to_owned).collect()
}
