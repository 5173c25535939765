//! One writer at a time, and no update is lost (C4, C5).

use crate::support::{Sandbox, has_tool};
use std::collections::HashSet;
use std::fs::File;
use std::process::Stdio;
use std::time::{Duration, Instant};

#[test]
fn many_writers_at_once_lose_no_key() {
    let (workers, each) = (32, 50);
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
    ];
    let work = || -> Vec<String> { (0..each).map(|_| sandbox.ok(create)).collect() };
    let printed: HashSet<String> = std::thread::scope(|scope| {
        let running: Vec<_> = (0..workers).map(|_| scope.spawn(work)).collect();
        let finished = running.into_iter().map(|worker| worker.join());
        let kids = finished.flat_map(|kids| kids.expect("a worker's kids"));
        kids.map(|kid| kid.trim().to_owned()).collect()
    });
    assert_eq!(printed.len(), workers * each);
    let names = sandbox.ok(["list", "api", "--format", "names"]);
    assert_eq!(names.lines().count(), workers * each);
    assert_eq!(
        names.lines().map(str::to_owned).collect::<HashSet<_>>(),
        printed
    );
    assert_eq!(sandbox.store_entries(), [".lock", "api.json"]);
}

#[test]
fn a_held_lock_is_refused_after_the_wait() {
    let sandbox = with_a_set();
    let (old, entries) = (sandbox.read_set("api"), sandbox.store_entries());
    let _lock = hold(&sandbox);
    for command in [
        &["create", "api"][..],
        &["create", "new"],
        &["set", "api", "--exp", "+1d"],
        &["delete", "api", "--yes", "--force"],
    ] {
        let start = Instant::now();
        let run = sandbox
            .run(command.iter().chain(&["--lock-wait", "1"]))
            .fails(4);
        let waited = start.elapsed();
        assert!(waited >= Duration::from_secs(1), "{command:?}: {waited:?}");
        assert!(waited < Duration::from_secs(5), "{command:?}: {waited:?}");
        assert!(run.stderr.contains("lock"), "{command:?}: {run:#?}");
        assert!(run.stderr.contains("hint: "), "{command:?}: {run:#?}");
        assert!(run.stderr.contains("--lock-wait"), "{command:?}: {run:#?}");
        assert_eq!(run.stdout, "", "{command:?}");
        assert_eq!(sandbox.read_set("api"), old, "{command:?}");
        assert_eq!(sandbox.store_entries(), entries, "{command:?}");
    }
}

#[test]
fn a_held_lock_is_refused_at_once_without_a_wait() {
    let sandbox = with_a_set();
    let _lock = hold(&sandbox);
    let start = Instant::now();
    let create = ["create", "api", "--lock-wait", "0", "--json"];
    let error = sandbox.run(create).fails(4).error();
    assert!(start.elapsed() < Duration::from_secs(1));
    assert_eq!(error["kind"], "refused");
    assert!(error["hint"].is_string(), "{error}");
}

#[test]
fn a_writer_waits_until_the_lock_is_free() {
    let sandbox = with_a_set();
    let lock = hold(&sandbox);
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| sandbox.run(["create", "api", "--lock-wait", "10"]));
        std::thread::sleep(Duration::from_millis(300));
        assert!(!writer.is_finished());
        drop(lock);
        writer.join().expect("the writer").ok();
    });
    assert_eq!(
        sandbox
            .ok(["list", "api", "--format", "names"])
            .lines()
            .count(),
        2
    );
}

#[test]
fn a_killed_holder_blocks_nobody() {
    if !has_tool("flock") {
        return;
    }
    let sandbox = with_a_set();
    let mut flock = sandbox.command("flock");
    let lock = sandbox.store().join(".lock");
    flock.arg("--no-fork").arg(lock).args(["sleep", "60"]);
    let mut holder = flock.stdout(Stdio::null()).spawn().expect("flock starts");
    let create = ["create", "api", "--lock-wait", "0"];
    let deadline = Instant::now() + Duration::from_secs(10);
    while sandbox.run(create).code != Some(4) {
        assert!(Instant::now() < deadline, "flock never took the lock");
    }
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

/// Holds the keystore's lock as another jwks would, until the file is dropped.
fn hold(sandbox: &Sandbox) -> File {
    let file = File::open(sandbox.store().join(".lock")).expect("the lock file");
    file.lock().expect("the lock");
    file
}
