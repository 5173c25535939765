//! Servers that misbehave: an end in time, within bounds, and nothing lost (E4, E5).

use crate::servers::hostile::{Behavior, Hostile};
use crate::support::{Run, Sandbox, wait_until};
use crate::wire::{each, name_server, sandbox_with};

/// The most memory in MiB: an answer is read up to 16 MiB, the rest is the program's own.
const MOST_MIB: u64 = 96;

/// What has no end, and what unpacks to 10 GB.
const HUGE: [Behavior; 4] = [
    Behavior::EndlessChunks,
    Behavior::EndlessLength,
    Behavior::EndlessHead,
    Behavior::GzipBomb,
];

/// Tells the same story of every behavior with every one of these.
fn each_with_each<T: Copy + Send + Sync>(
    things: impl IntoIterator<Item = T> + Copy + Sync,
    story: impl Fn(Behavior, T) + Sync,
) {
    each(Behavior::ALL, |what| {
        each(things, |thing| story(what, thing))
    });
}

/// The options for a server: one that answers too slowly or not at all is given up after a while.
/// The others answer or close the connection, and have all the time that they need.
fn patience(what: Behavior) -> &'static str {
    match what {
        Behavior::DrippingBody | Behavior::DrippingHead | Behavior::Silent => "--timeout 3",
        _ => "--timeout 600",
    }
}

/// The sandbox's set is as it was, to the byte, and nothing lies beside it.
fn assert_untouched(sandbox: &Sandbox, before: &str, what: Behavior) {
    assert_eq!(sandbox.read_set("api"), before, "{what:?}");
    let entries = sandbox.store_entries();
    assert_eq!(entries, [".lock", "api.json"], "{what:?}");
}

fn assert_orderly(run: Run, what: Behavior) -> Run {
    assert!(matches!(run.code, Some(5 | 6)), "{what:?}: {run:#?}");
    let code = run.code.unwrap_or_default();
    let run = run.fails(code);
    assert!(run.stderr.contains("127.0.0.1"), "{what:?}: {run:#?}");
    assert!(run.stderr.len() < 10_000, "{what:?}: {run:#?}");
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
        let line = format!("{line} {} --json -q", patience(what));
        let run = assert_orderly(sandbox.run(line.split(' ')), what);
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
        let line = format!("{line} {}", patience(what));
        let run = sandbox.run(line.split(' '));
        assert_eq!(run.code, Some(6), "{what:?}: {run:#?}");
        assert_orderly(run, what);
        assert_untouched(&sandbox, &before, what);
        wait_until("the calls are there", || !server.calls().is_empty());
        let calls = server.calls();
        let count = |method| calls.iter().filter(|call| call.method == method).count();
        assert_eq!(count("PUT"), 0, "{what:?}");
        assert!(count("GET") > 0, "{what:?}: {calls:?}");
        let most = usize::from(line.starts_with("create"));
        assert!(count("POST") <= most, "{what:?}");
        let private = calls.iter().find(|call| call.body.contains("\"d\""));
        assert!(private.is_none(), "{what:?}: {private:?}");
    });
}

#[test]
fn what_has_no_end_fills_no_memory() {
    let sandbox = sandbox_with("hydra", "http://127.0.0.1:9", &[]);
    for what in HUGE {
        let server = Hostile::start(what);
        name_server(&sandbox, "hydra", &server.address(), &[]);
        let Some((run, mib)) = sandbox.peak_memory(["pull", "prod:api"]) else {
            return;
        };
        assert!(matches!(run.code, Some(5 | 6)), "{what:?}: {run:#?}");
        assert!(mib < MOST_MIB, "{what:?}: {mib} MiB");
    }
}
