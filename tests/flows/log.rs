//! The log tells what was done with each key, once, and no secret; it never stands in the way.

use crate::hydra::site::Site;
use crate::support::{JWKS, LOCK_WAIT, Sandbox, finish, has_tool};
use serde_json::{Value, json};
use std::fs;
use std::path::PathBuf;

/// The members of RFC 7517 and RFC 7518 that nobody else may see.
const PRIVATE: [&str; 7] = ["d", "p", "q", "dp", "dq", "qi", "k"];

/// The lines of the log, each of them whole.
fn lines(sandbox: &Sandbox) -> Vec<Value> {
    let log = sandbox.read_log();
    assert!(log.is_empty() || log.ends_with('\n'), "{log}");
    let line = |line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
    log.lines().map(line).collect()
}

/// The log without the times: `verb set kid`, and the server and the note where there are some.
fn story(sandbox: &Sandbox) -> Vec<String> {
    let told = lines(sandbox).into_iter().map(|line| {
        let members = ["verb", "set", "kid", "remote", "note"].map(|name| line[name].as_str());
        members.into_iter().flatten().collect::<Vec<_>>().join(" ")
    });
    told.collect()
}

/// What a command adds to the story.
#[track_caller]
fn adds(sandbox: &Sandbox, line: &str, expected: &[&str]) {
    let before = story(sandbox).len();
    sandbox.run(line.split(' ')).ok();
    assert_eq!(story(sandbox)[before..], *expected, "{line}");
}

fn log_file(sandbox: &Sandbox) -> PathBuf {
    sandbox.store().join(".log")
}

#[test]
fn each_change_is_logged_once() {
    let sandbox = Sandbox::new();
    adds(&sandbox, "create api --kid a", &["created api a"]);
    adds(&sandbox, "create api --kid b", &["created api b"]);
    let export = "export api a --private --to jwk -o a.json";
    adds(&sandbox, export, &["exported api a jwk: a.json"]);
    let export = "export api b --private --to pem";
    adds(&sandbox, export, &["exported api b pem"]);
    adds(&sandbox, "set copy a.json", &["added copy a"]);
    adds(&sandbox, "set copy a.json", &[]);
    adds(&sandbox, "set copy a.json --exp +9d", &["updated copy a"]);
    adds(&sandbox, "set copy --kid a --exp +1d", &["updated copy a"]);
    sandbox.ok(["create", "other", "--kid", "a", "--store", "elsewhere"]);
    sandbox.shell("jwks get other --private --store elsewhere > rival.json");
    let replaced = ["added copy a", "removed copy a"];
    let replace = "set copy rival.json --on-conflict replace --yes";
    adds(&sandbox, replace, &replaced);
    let replace = "set copy a.json --replace --yes";
    adds(&sandbox, replace, &replaced);
    adds(&sandbox, replace, &[]);
    adds(&sandbox, "get api b --private", &["exported api b"]);
    adds(&sandbox, "delete api a --yes", &["removed api a"]);
    adds(&sandbox, "delete api b --yes --force", &["removed api b"]);
    let delete = "delete copy --yes --force";
    adds(&sandbox, delete, &["removed copy a"]);
    adds(&sandbox, &format!("{delete} --if-exists"), &[]);
}

/// One line, with the kids of them all, however many keys a command gives out.
#[test]
fn keys_that_are_given_out_together_have_one_line() {
    let sandbox = Sandbox::new();
    sandbox.ok(["create", "api", "--kid", "a"]);
    sandbox.ok(["create", "api", "--kid", "b"]);
    sandbox.ok(["create", "api", "--kid-from", "uuid", "--count", "300"]);
    let kids = sandbox.ok(["list", "api", "--format", "names"]);
    let kids: Vec<&str> = kids.lines().collect();
    for line in ["get api --private", "export api --private"] {
        adds(
            &sandbox,
            line,
            &[["exported api", "exported api jwks"][usize::from(line.starts_with("export"))]],
        );
        let last = lines(&sandbox).pop().expect("a line");
        assert_eq!(last["kids"], json!(kids), "{line}");
    }
    let shown = sandbox.ok(["log", "--last", "1"]);
    assert!(shown.contains("302 keys"), "{shown}");
    assert!(shown.contains("a, b, "), "{shown}");
}

/// The line comes first: an export that is interrupted is in the log, too.
#[cfg(target_os = "linux")]
#[test]
fn a_private_export_is_logged_before_it_goes_out() {
    if !has_tool("strace") {
        return;
    }
    for line in [
        "get api --private",
        "export api --private",
        "export api --private -o out.json",
    ] {
        let sandbox = Sandbox::new();
        sandbox.ok(["create", "api", "--kid", "a"]);
        let before = lines(&sandbox).len();
        let trace = sandbox.path().join("trace");
        let mut strace = sandbox.command("strace");
        strace.args(["-f", "-qq", "-y", "-s", "9999", "-e", "trace=write", "-o"]);
        finish(strace.arg(&trace).arg(JWKS).args(line.split(' '))).ok();
        assert_eq!(lines(&sandbox).len(), before + 1, "{line}");
        let trace = fs::read_to_string(trace).expect("the trace");
        let log = trace.find("/.log>").expect("a line in the log");
        let out = trace.find("\\\"kty\\\"").expect("the key");
        assert!(log < out, "{line}: {trace}");
        // A file without a directory is refused first.
        if line.contains("out.json") {
            let line = line.replace("out.json", "none/out.json");
            sandbox.run(line.split(' ')).fails(3);
            assert_eq!(lines(&sandbox).len(), before + 1, "{line}");
            continue;
        }
        // Even where it cannot go out at all.
        let full = sandbox.shell(&format!("exec jwks {line} > /dev/full"));
        assert_eq!(full.code, Some(1), "{full:#?}");
        assert_eq!(lines(&sandbox).len(), before + 2, "{line}");
    }
}

#[test]
fn a_line_has_the_time_and_the_thumbprint() {
    let sandbox = Sandbox::new();
    sandbox.ok(["create", "api", "--kid", "a"]);
    let thumbprint = sandbox.ok(["thumbprint", "api"]);
    let mut line = lines(&sandbox).remove(0);
    assert_eq!(
        line["thumbprint"],
        thumbprint.split_whitespace().last().unwrap_or_default()
    );
    let key = sandbox.json(["list", "api", "--json"])["keys"][0].clone();
    assert_eq!(line["thumbprint"], key["thumbprint"]);
    let time: jiff::Timestamp = line["time"]
        .as_str()
        .expect("a time")
        .parse()
        .expect("RFC 3339");
    assert_eq!(json!(time.as_second()), key["iat"]);
    line["can"] = json!("undo");
    line["time"] = key["iat"].clone();
    line["kids"] = json!([]);
    assert_eq!(
        sandbox.json(["log", "--json"]),
        json!({ "changes": [line] })
    );
}

#[test]
fn keys_that_never_had_a_private_part_are_not_given_out() {
    let sandbox = Sandbox::new();
    sandbox.ok(["create", "own", "--kid", "a", "--store", "elsewhere"]);
    sandbox
        .shell("jwks get own --store elsewhere > a.json")
        .ok();
    adds(&sandbox, "set api a.json", &["added api a"]);
    adds(&sandbox, "get api --private", &[]);
    adds(&sandbox, "export api --private", &[]);
}

#[test]
fn no_secret_is_in_the_log() {
    let sandbox = Sandbox::new();
    for alg in ["ES256", "RS256", "EdDSA", "HS256", "ECDH-ES", "A256GCM"] {
        sandbox.ok(["create", "api", "--kid", alg, "--alg", alg]);
    }
    sandbox
        .run_with_input(
            [
                "set",
                "api",
                "-",
                "--from",
                "secret",
                "--alg",
                "HS256",
                "--allow-invalid",
            ],
            "a secret that people made up",
        )
        .ok();
    let set = sandbox.json(["get", "api", "--private"]);
    sandbox.ok(["export", "api", "--private", "-o", "backup.json"]);
    sandbox.ok(["set", "api", "--exp", "+1d"]);
    sandbox.ok(["delete", "api", "--yes", "--force"]);
    let log = sandbox.read_log();
    let mut secrets = 0;
    for key in set["keys"].as_array().expect("keys") {
        for secret in PRIVATE.iter().filter_map(|name| key[name].as_str()) {
            assert!(!log.contains(&secret[..12]), "{secret}: {log}");
            secrets += 1;
        }
    }
    assert_eq!(secrets, 12);
    assert!(!log.contains("people made up"), "{log}");
    // Each key three times: in, changed, away; and all of them in one line: printed, exported.
    assert_eq!(lines(&sandbox).len(), 3 * 7 + 2);
    let told = |line: &Value| line["thumbprint"].is_string();
    assert_eq!(
        lines(&sandbox).iter().filter(|line| told(line)).count(),
        3 * 4
    );
}

#[test]
fn a_command_that_changes_nothing_leaves_the_log_alone() {
    let sandbox = Sandbox::new();
    for line in ["list", "log", "log api", "log --json"] {
        sandbox.ok(line.split(' '));
        assert!(!sandbox.store().exists(), "{line}");
    }
    sandbox.ok(["create", "api", "--kid", "a"]);
    sandbox.shell("jwks get api > public.json").ok();
    fs::remove_file(log_file(&sandbox)).expect("the log");
    for line in [
        "list",
        "list api",
        "get api",
        "export api",
        "check api",
        "thumbprint api",
        "log",
        "log api --json",
        "set api public.json",
        "set api --use sig",
        "delete api --expired",
        "delete api none --if-exists",
    ] {
        sandbox.ok(line.split(' '));
        assert!(!log_file(&sandbox).exists(), "{line}");
    }
    for (line, code) in [
        ("create api --kid a", 4),
        ("delete api", 4),
        ("get api b --private", 3),
    ] {
        sandbox.run(line.split(' ')).fails(code);
        assert!(!log_file(&sandbox).exists(), "{line}");
    }
}

#[test]
fn the_log_is_no_set() {
    let sandbox = Sandbox::new();
    sandbox.ok(["create", "api"]);
    assert_eq!(
        sandbox.all_store_entries(),
        [".history", ".lock", ".log", "api.json"]
    );
    assert_eq!(sandbox.ok(["list", "--format", "names"]), "api\n");
    sandbox.run(["get", ".log"]).fails(2);
}

#[test]
fn a_log_that_cannot_be_written_stops_no_change() {
    for make in [
        "mkdir store/.log",
        "ln -s ../victim store/.log",
        "mkfifo store/.log",
    ] {
        let sandbox = Sandbox::new();
        sandbox.ok(["create", "api", "--kid", "a"]);
        fs::remove_file(log_file(&sandbox)).expect("the log");
        sandbox.write("victim", "something dear");
        sandbox.shell(make).ok();
        for (line, words) in [
            ("create api --kid b", "the change is made"),
            ("set api --exp +1d", "the change is made"),
            ("get api --private", "the private key is exported"),
            (
                "export api --private -o out.json",
                "the private key is exported",
            ),
            ("delete api b --yes --force", "the change is made"),
        ] {
            let run = sandbox.run(line.split(' ')).ok();
            let warning = format!("warning: {words}, but it is not in the log: ");
            assert!(run.stderr.contains(&warning), "{make}, {line}: {run:#?}");
            assert!(run.stderr.contains(".log"), "{make}, {line}: {run:#?}");
        }
        assert_eq!(sandbox.ok(["list", "api", "--format", "names"]), "a\n");
        let quiet = sandbox.run(["create", "api", "--quiet"]).ok();
        assert_eq!(quiet.stderr, "");
        let victim = fs::read_to_string(sandbox.path().join("victim"));
        assert_eq!(victim.expect("the victim"), "something dear");
    }
}

#[test]
fn a_torn_line_spoils_only_itself() {
    let sandbox = Sandbox::new();
    sandbox.ok(["create", "api", "--kid", "a"]);
    let whole = sandbox.read_log();
    for torn in [&whole[..whole.len() - 1], &whole[..40], "{", "\0\0\0\0"] {
        fs::write(log_file(&sandbox), format!("{whole}{torn}")).expect("the log");
        let damaged = serde_json::from_str::<Value>(torn).is_err();
        for more in 0..2 {
            let run = sandbox.run(["log", "--json"]).ok();
            let changes = run.json()["changes"].as_array().expect("changes").len();
            assert_eq!(
                changes,
                1 + usize::from(!damaged) + more,
                "{torn}: {run:#?}"
            );
            let warning = run.stderr.contains("1 damaged line in ");
            assert_eq!(warning, damaged, "{torn}: {run:#?}");
            assert!(!damaged || run.stderr.contains(".log"), "{run:#?}");
            sandbox.ok(["create", "api"]);
        }
        assert_eq!(sandbox.read_log().lines().count(), 4, "{torn}");
    }
}

#[test]
fn what_cannot_be_read_at_all_is_an_error() {
    let sandbox = Sandbox::new();
    sandbox.ok(["create", "api"]);
    fs::remove_file(log_file(&sandbox)).expect("the log");
    fs::create_dir(log_file(&sandbox)).expect("a directory");
    let run = sandbox.run(["log"]).fails(1);
    assert!(run.stderr.contains("not a regular file"), "{run:#?}");
}

#[test]
fn writers_at_once_write_whole_lines() {
    let sandbox = Sandbox::new();
    let create = |i: usize| {
        let mut command = sandbox.command(JWKS);
        let (kid, set) = (format!("kid-{i}"), format!("set-{}", i % 2));
        command.args(["create", &*set, "--kid", &*kid, "--lock-wait", LOCK_WAIT]);
        finish(&mut command).ok();
    };
    std::thread::scope(|scope| {
        for i in 0..8 {
            scope.spawn(move || create(i));
        }
    });
    let lines = lines(&sandbox);
    let mut kids: Vec<_> = lines.iter().map(|line| line["kid"].as_str()).collect();
    kids.sort_unstable();
    let expected: Vec<_> = (0..8).map(|i| format!("kid-{i}")).collect();
    assert_eq!(
        kids,
        expected.iter().map(|kid| Some(&**kid)).collect::<Vec<_>>()
    );
}

#[cfg(unix)]
#[test]
fn the_log_is_private() {
    use std::os::unix::fs::PermissionsExt as _;
    let sandbox = Sandbox::new();
    sandbox.shell("umask 000; exec jwks create api").ok();
    let mode = fs::metadata(log_file(&sandbox))
        .expect("the log")
        .permissions()
        .mode();
    assert_eq!(mode & 0o7777, 0o600);
    sandbox.shell("chmod 644 store/.log").ok();
    let run = sandbox.run(["log"]).ok();
    assert!(run.stderr.contains("chmod 600"), "{run:#?}");
}

#[test]
fn what_was_done_on_a_server_is_logged() {
    let site = Site::newest();
    let sandbox = &site.sandbox;
    // Without a keystore there is no log, and none is made for it.
    site.ok("create there --remote prod --kid z --alg ES256");
    assert!(!sandbox.store().exists());

    adds(sandbox, "create api --kid a", &["created api a"]);
    let push = "push api prod:there --yes";
    let pushed = ["pushed api a prod:there private"];
    adds(sandbox, &format!("{push} --dry-run"), &[]);
    adds(sandbox, push, &pushed);
    adds(sandbox, push, &[]);
    let gone = ["removed api z prod:there pushed"];
    adds(sandbox, &format!("{push} --prune"), &gone);

    let create = "create there --remote prod --kid b --alg ES256";
    adds(sandbox, create, &["created there b prod"]);
    let pull = "pull prod:there api --yes";
    adds(sandbox, pull, &["added api b prod:there pulled"]);
    adds(sandbox, pull, &[]);
    let delete = "delete there b --remote prod --yes --force";
    adds(sandbox, delete, &["removed there b prod"]);
    let prune = "pull prod:there api --prune --yes";
    adds(sandbox, prune, &["removed api b prod:there pulled"]);

    sandbox.write("own.json", site.key("c", "--alg ES256").to_string());
    let set = "set there own.json --remote prod --yes";
    adds(sandbox, set, &["added there c prod"]);
    let replaced = ["removed there a prod"];
    adds(sandbox, &format!("{set} --replace"), &replaced);
    let get = "get there --remote prod";
    adds(sandbox, get, &[]);
    adds(
        sandbox,
        &format!("{get} --private"),
        &["exported there c prod"],
    );
    let delete = "delete there --remote prod --yes --force";
    adds(sandbox, delete, &["removed there c prod"]);
    sandbox.ok(["log"]);
}

/// A secret can stand in the query of an address.
#[test]
fn the_query_of_an_address_is_not_logged() {
    let server = crate::servers::plain::Plain::start();
    let sandbox = Sandbox::new();
    sandbox.ok(["create", "own", "--kid", "a", "--store", "elsewhere"]);
    server.serve(
        "/jwks.json",
        sandbox.ok(["get", "own", "--store", "elsewhere"]),
    );
    let address = server.url("/jwks.json?tenant=dear");
    sandbox.ok(["pull", &*address, "api"]);
    let told = story(&sandbox);
    assert!(
        told[0].starts_with("added api a http://127.0.0.1"),
        "{told:?}"
    );
    assert!(!told[0].contains("dear"), "{told:?}");
}
