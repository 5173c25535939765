//! Servers that misbehave: an end in time, within bounds, and nothing lost (E4, E5).

use crate::servers::hostile::{Behaviour, Hostile};
use crate::support::{JWKS, Run, Sandbox, finish, has_tool};
use crate::wire::{PATIENCE, each, name_server, sandbox_with, timed};
use std::time::Duration;

/// An answer is read up to 16 MiB; the rest is the program's own.
const MOST_KILOBYTES: u64 = 96 << 10;

/// What has no end, and what unpacks to 10 GB.
const HUGE: [Behaviour; 4] = [
    Behaviour::EndlessChunks,
    Behaviour::EndlessLength,
    Behaviour::EndlessHead,
    Behaviour::GzipBomb,
];

/// Tells the same story of every behaviour with every one of these.
fn each_with_each<T: Copy + Send + Sync>(
    things: impl IntoIterator<Item = T> + Copy + Sync,
    story: impl Fn(Behaviour, T) + Sync,
) {
    each(Behaviour::ALL, |what| {
        each(things, |thing| story(what, thing))
    });
}

/// The sandbox's set is as it was, to the octet, and nothing lies beside it.
fn assert_untouched(sandbox: &Sandbox, before: &str, what: Behaviour) {
    assert_eq!(sandbox.read_set("api"), before, "{what:?}");
    let entries = sandbox.store_entries();
    assert_eq!(entries, [".lock", "api.json"], "{what:?}");
}

fn assert_orderly(run: Run, took: Duration, what: Behaviour) -> Run {
    assert!(matches!(run.code, Some(5 | 6)), "{what:?}: {run:#?}");
    let code = run.code.unwrap_or_default();
    let run = run.fails(code);
    assert!(run.stderr.contains("127.0.0.1"), "{what:?}: {run:#?}");
    assert!(run.stderr.len() < 10_000, "{what:?}: {run:#?}");
    assert!(took < PATIENCE, "{what:?}: {took:?}");
    run
}

/// Whatever the kind of server, a set that is there already stays what it is, and one that is not
/// there does not come to be. With `--json` the error is one line of it.
#[test]
fn no_answer_harms_or_makes_a_set() {
    let pulls = [
        ("hydra", "pull prod:api"),
        ("url", "pull prod api"),
        ("url", "pull prod new --prune --yes"),
    ];
    each_with_each(pulls, |what, (kind, line)| {
        let server = Hostile::start(what);
        let sandbox = sandbox_with(kind, &server.address(), &[]);
        let before = sandbox.read_set("api");
        let (run, took) = timed(&sandbox, &format!("{line} --timeout 2 --json -q"));
        let run = assert_orderly(run, took, what);
        assert_eq!(run.stdout, "", "{what:?}");
        assert_eq!(run.stderr.lines().count(), 1, "{what:?}: {run:#?}");
        assert!(run.error()["message"].is_string(), "{what:?}: {run:#?}");
        assert_untouched(&sandbox, &before, what);
    });
}

/// A write looks first; what it sees here is no server that keys should be given to.
#[test]
fn a_server_that_misbehaves_is_given_no_keys_and_asked_for_one_at_most() {
    let writes = ["push api prod --yes", "create api --remote prod"];
    each_with_each(writes, |what, line| {
        let server = Hostile::start(what);
        let sandbox = sandbox_with("hydra", &server.address(), &[]);
        let before = sandbox.read_set("api");
        let (run, took) = timed(&sandbox, &format!("{line} --timeout 1"));
        assert_eq!(run.code, Some(6), "{what:?}: {run:#?}");
        assert_orderly(run, took, what);
        assert_untouched(&sandbox, &before, what);
        let calls = server.calls();
        let count = |method| calls.iter().filter(|call| call.method == method).count();
        assert_eq!(count("PUT"), 0, "{what:?}");
        let most = usize::from(line.starts_with("create"));
        assert!(count("POST") <= most, "{what:?}");
        let private = calls.iter().find(|call| call.body.contains("\"d\""));
        assert!(private.is_none(), "{what:?}: {private:?}");
    });
}

#[test]
fn what_has_no_end_fills_no_memory() {
    if !has_tool("time") {
        return;
    }
    let sandbox = sandbox_with("hydra", "http://127.0.0.1:9", &[]);
    for what in HUGE {
        let server = Hostile::start(what);
        name_server(&sandbox, "hydra", &server.address(), &[]);
        let mut time = sandbox.command("time");
        time.args(["-f", "%M", "-o", "peak", JWKS]);
        let run = finish(time.args(["pull", "prod:api", "--timeout", "5"]));
        assert!(matches!(run.code, Some(5 | 6)), "{what:?}: {run:#?}");
        let peak = std::fs::read_to_string(sandbox.path().join("peak"));
        let peak = peak.expect("what time measured");
        let kilobytes: u64 = peak
            .lines()
            .last()
            .and_then(|it| it.parse().ok())
            .expect(&peak);
        assert!(kilobytes < MOST_KILOBYTES, "{what:?}: {kilobytes} kB");
    }
}
