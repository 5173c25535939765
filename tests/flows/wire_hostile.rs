//! Servers that misbehave: an end in time, within bounds, and nothing lost (E4, E5).

use crate::servers::hostile::{Behaviour, Hostile};
use crate::support::{JWKS, Run, Sandbox, finish, has_tool};
use crate::wire::{each, name_server, sandbox_with, timed};
use std::time::Duration;

/// Four tries with their pauses, or one that runs out of its two seconds; and a slow computer.
const PATIENCE: Duration = Duration::from_secs(10);

/// An answer is read up to 16 MiB; the rest is the program's own.
const MOST_KILOBYTES: u64 = 96 << 10;

/// What has no end, and what unpacks to 10 GB.
const HUGE: [Behaviour; 4] = [
    Behaviour::EndlessChunks,
    Behaviour::EndlessLength,
    Behaviour::EndlessHead,
    Behaviour::GzipBomb,
];

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
    assert!(run.stderr.contains("error: "), "{what:?}: {run:#?}");
    assert!(run.stderr.contains("127.0.0.1"), "{what:?}: {run:#?}");
    assert!(run.stderr.len() < 10_000, "{what:?}: {run:#?}");
    assert!(took < PATIENCE, "{what:?}: {took:?}");
    run
}

/// Whatever the kind of server, a set that is there already stays what it is.
#[test]
fn no_answer_harms_the_set_that_it_is_pulled_into() {
    each(Behaviour::ALL, |what| {
        let server = Hostile::start(what);
        for kind in ["hydra", "url"] {
            let sandbox = sandbox_with(kind, &server.address(), &[]);
            let before = sandbox.read_set("api");
            let (run, took) = timed(&sandbox, "pull prod api --timeout 2");
            assert_orderly(run, took, what);
            assert_untouched(&sandbox, &before, what);
        }
    });
}

/// Nor does an answer make a set, in the place of one that is not there.
#[test]
fn no_answer_makes_a_set() {
    each(Behaviour::ALL, |what| {
        let server = Hostile::start(what);
        let sandbox = Sandbox::new();
        let pull = format!("pull {} new --timeout 2 --prune --yes", server.address());
        let (run, took) = timed(&sandbox, &pull);
        assert_orderly(run, took, what);
        assert!(!sandbox.set_file("new").exists(), "{what:?}");
    });
}

/// A push looks first; what it sees here is no server that keys should be given to.
#[test]
fn nothing_is_pushed_to_a_server_that_misbehaves() {
    each(Behaviour::ALL, |what| {
        let server = Hostile::start(what);
        let sandbox = sandbox_with("hydra", &server.address(), &[]);
        let before = sandbox.read_set("api");
        let (run, took) = timed(&sandbox, "push api prod --yes --timeout 2");
        assert_eq!(run.code, Some(6), "{what:?}: {run:#?}");
        assert_orderly(run, took, what);
        assert_untouched(&sandbox, &before, what);
        for call in server.calls() {
            assert_eq!((&*call.method, &*call.body), ("GET", ""), "{what:?}");
        }
    });
}

/// The set on the server is read back after a creation: what came of it is not known.
#[test]
fn a_creation_with_a_bad_answer_fails_and_is_made_once() {
    each(Behaviour::ALL, |what| {
        let server = Hostile::start(what);
        let sandbox = sandbox_with("hydra", &server.address(), &[]);
        let (run, took) = timed(&sandbox, "create api --remote prod --timeout 2");
        assert_orderly(run, took, what);
        let calls = server.calls();
        let posts = calls.iter().filter(|call| call.method == "POST");
        assert_eq!(posts.count(), 1, "{what:?}");
    });
}

/// `--json` is kept up: the error is one line of JSON.
#[test]
fn failures_are_json_where_json_is_asked_for() {
    each(Behaviour::ALL, |what| {
        let server = Hostile::start(what);
        let sandbox = sandbox_with("hydra", &server.address(), &[]);
        let (run, _) = timed(&sandbox, "pull prod:api --timeout 1 --json -q");
        assert_eq!(run.stdout, "", "{what:?}");
        assert_eq!(run.stderr.lines().count(), 1, "{what:?}: {run:#?}");
        let message = run.error()["message"].clone();
        assert!(message.is_string(), "{what:?}: {run:#?}");
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
        let kilobytes: u64 = peak.lines().last().and_then(|it| it.parse().ok()).expect(&peak);
        assert!(kilobytes < MOST_KILOBYTES, "{what:?}: {kilobytes} kB");
    }
}
