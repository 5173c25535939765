//! The files beside the sets are opened as carefully as the sets, and checked before anything
//! changes.

#![cfg(unix)]

use crate::support::{JWKS, Run, Sandbox, finish, has_tool};
use std::fs;

/// A shell line that puts something into the place of a file, `$1`.
const PLANTED: [(&str, &str); 12] = [
    ("a FIFO", "mkfifo $1"),
    ("a directory", "mkdir $1"),
    ("an endless device", "ln -s /dev/zero $1"),
    ("a link out of the keystore", "ln -s ../victim $1"),
    ("a huge file", "truncate -s 5M $1"),
    ("nothing", ": > $1"),
    ("no object", "echo '[]' > $1"),
    ("half of it", "printf '{\"api\":{\"every\"' > $1"),
    (
        "a name that stands twice",
        "echo '{\"api\":{},\"api\":{}}' > $1",
    ),
    (
        "an option that stands twice",
        "echo '{\"api\":{\"every\":\"30d\",\"every\":\"1d\"}}' > $1",
    ),
    (
        "a deep nest",
        "(printf '{\"api\":'; head -c 100000 /dev/zero | tr '\\0' '[') > $1",
    ),
    ("no UTF-8", "printf '{\"\\377\":{}}' > $1"),
];

/// Two sets, `api` with the key `a`, and something in the place of their schedules.
fn with_planted(how: &str) -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.ok(["create", "api", "--kid", "a"]);
    sandbox.ok(["create", "web", "--kid", "w"]);
    sandbox.write("victim", "{}");
    let plant = how.replace("$1", "store/.schedules.json");
    sandbox.shell(&plant).ok();
    sandbox
}

/// Runs a command line, which must neither hang nor take all memory.
fn in_bounds(sandbox: &Sandbox, line: &str) -> Run {
    let limits = format!("ulimit -v 1000000; exec timeout 600 {JWKS} {line}");
    finish(sandbox.command("sh").args(["-c", &limits]))
}

#[test]
fn damaged_schedules_change_nothing() {
    if !has_tool("timeout") {
        return;
    }
    for (what, how) in PLANTED {
        let sandbox = with_planted(how);
        let (set, log) = (sandbox.read_set("api"), sandbox.read_log());
        for line in [
            "delete api --yes --force",
            "rotate api --force",
            "rotate api --every 30d --save",
            "rotate api --forget",
            "rotate --all",
        ] {
            let run = in_bounds(&sandbox, line);
            assert!(matches!(run.code, Some(1 | 5)), "{what}, {line}: {run:#?}");
            let named = run.stderr.contains(".schedules.json");
            assert!(named, "{what}, {line}: {run:#?}");
            assert_eq!(sandbox.read_set("api"), set, "{what}, {line}");
            assert_eq!(sandbox.read_log(), log, "{what}, {line}");
            let entries = [".lock", ".schedules.json", "api.json", "web.json"];
            assert_eq!(sandbox.store_entries(), entries, "{what}, {line}");
        }
        let list = in_bounds(&sandbox, "list").ok();
        assert!(list.stdout.contains("web"), "{what}: {list:#?}");
        assert!(list.stderr.contains(".schedules.json"), "{what}: {list:#?}");
        let victim = fs::read_to_string(sandbox.path().join("victim"));
        assert_eq!(victim.expect("the victim"), "{}");
    }
}

#[test]
fn an_emergency_does_not_need_the_schedules() {
    if !has_tool("timeout") {
        return;
    }
    let entry = ("an unreadable schedule", "echo '{\"api\":7}' > $1");
    for (what, how) in PLANTED.iter().chain(&[entry]) {
        let sandbox = with_planted(how);
        let run = in_bounds(&sandbox, "rotate api --compromised a").ok();
        assert!(
            run.stderr.contains("warning: the saved schedule"),
            "{what}: {run:#?}"
        );
        assert!(run.stderr.contains("revoked a"), "{what}: {run:#?}");
        let kids = sandbox.ok(["list", "api", "--format", "names"]);
        assert!(!kids.lines().any(|kid| kid == "a"), "{what}: {kids}");
    }
}

/// A Secret that Kubernetes mounts is a directory of links within it.
#[test]
fn a_link_within_the_keystore_is_read_and_never_written() {
    let sandbox = Sandbox::new();
    sandbox.ok(["create", "api", "--kid", "a"]);
    sandbox.ok(["rotate", "api", "--every", "30d", "--save"]);
    let mount = "cd store && mkdir ..data && mv api.json .schedules.json .log ..data && \
                 ln -s ..data/api.json ..data/.schedules.json ..data/.log .";
    sandbox.shell(mount).ok();
    assert_eq!(sandbox.ok(["list", "api", "--format", "names"]), "a\n");
    assert_eq!(sandbox.json(["log", "--json"])["changes"][0]["kid"], "a");
    let list = sandbox.json(["list", "--json"]);
    assert_eq!(list["sets"][0]["schedule"]["every"], "30d");
    let before = sandbox.read_set("api");
    for line in [
        "create api",
        "rotate api --forget",
        "delete api --yes --force",
    ] {
        let run = sandbox.run(line.split(' ')).fails(1);
        assert!(run.stderr.contains("is a symbolic link"), "{run:#?}");
    }
    assert_eq!(sandbox.read_set("api"), before);
    // Out of it leads none.
    sandbox
        .shell("cp store/..data/.log secret && ln -sf ../secret store/.log")
        .ok();
    sandbox
        .shell("cp store/..data/api.json . && ln -sf ../api.json store/api.json")
        .ok();
    for line in ["log", "get api"] {
        let run = sandbox.run(line.split(' ')).fails(1);
        assert!(
            run.stderr.contains("symbolic link out of its directory"),
            "{run:#?}"
        );
    }
}

/// Settings may lie elsewhere, behind a link. What is no file of a bounded size is refused.
#[test]
fn the_remotes_are_read_through_a_link() {
    if !has_tool("timeout") {
        return;
    }
    let sandbox = Sandbox::new();
    let add = "remote add idp --kind url --url https://idp.example/jwks.json";
    sandbox.ok(add.split(' '));
    let link = "mkdir dotfiles && cd .config/jwks && mv remotes.json ../../dotfiles && \
                ln -s ../../dotfiles/remotes.json .";
    sandbox.shell(link).ok();
    assert!(sandbox.ok(["remote", "list"]).contains("idp"));
    for (what, how) in &PLANTED[..5] {
        sandbox.shell("rm -rf .config/jwks/remotes.json").ok();
        let plant = how.replace("$1", ".config/jwks/remotes.json");
        sandbox.shell(&plant).ok();
        if *what == "a link out of the keystore" {
            // That one leads to nothing.
            continue;
        }
        let run = in_bounds(&sandbox, "remote list").fails(1);
        assert!(run.stderr.contains("remotes.json"), "{what}: {run:#?}");
    }
}

#[test]
fn odd_lines_of_the_log_are_left_out() {
    let sandbox = Sandbox::new();
    sandbox.ok(["create", "api", "--kid", "a"]);
    let whole = sandbox.read_log();
    let line = whole.trim_end();
    let deep = "[".repeat(50_000) + &"]".repeat(50_000);
    let odd = [
        line.replace("\"a\"", "7"),
        line.replace("\"kid\"", "\"set\":\"b\",\"kid\""),
        line.replace("\"created\"", "\"sung\""),
        deep.clone(),
        "[]".into(),
        "{".into(),
    ];
    let more = line.replace("{", &format!("{{\"more\":{deep},"));
    let mut log = format!("{line}\n{}\n{more}\n", odd.join("\n")).into_bytes();
    log.extend(b"\xff\xfe\n");
    fs::write(sandbox.store().join(".log"), log).expect("the log");
    let run = sandbox.run(["log", "--json"]).ok();
    assert_eq!(run.json()["changes"].as_array().map(Vec::len), Some(2));
    assert!(run.stderr.contains("7 damaged lines in "), "{run:#?}");
}
