//! What `jwks status` reports of sets that are well, late, damaged, or not delivered.

use crate::publication::{Copy, published};
use crate::rotation::{DAY, HOUR, MINUTE, SCHEDULE, START, Store};
use crate::servers::Answer;
use crate::support::{JWKS, Run, Sandbox, finish, has_tool};
use crate::terminal::on_terminal;
use serde_json::{Value, json};
use std::fs;
use std::io::Write as _;
use std::process::Stdio;

const DUE: i64 = START + 30 * DAY - HOUR - 2 * MINUTE;

/// The status of the set `api`, with the names of its problems.
fn status(store: &Store, now: i64) -> (Value, Vec<String>) {
    let run = store.run("status api --json", now);
    let set = run.json()["sets"][0].clone();
    let problems = set["problems"].as_array().expect("problems").iter();
    let problems: Vec<_> = problems
        .map(|problem| problem["problem"].as_str().expect("a name").to_owned())
        .collect();
    let code = if problems.is_empty() { 0 } else { 8 };
    assert_eq!(run.code, Some(code), "{set:#}");
    assert_eq!(run.stderr, "", "{set:#}");
    (set, problems)
}

fn problems(store: &Store, now: i64) -> Vec<String> {
    status(store, now).1
}

#[test]
fn a_rotation_that_does_not_run_is_overdue() {
    let store = Store::with_a_key("ES256");
    assert_eq!(problems(&store, START + 900 * DAY), [""; 0]);
    store.rotate(&format!("{SCHEDULE} --save"), START);
    let (set, found) = status(&store, START + DAY);
    assert_eq!(found, [""; 0]);
    assert_eq!(set["lines"][0]["signer"]["kid"], "first");
    assert_eq!(set["lines"][0]["since"], START);
    let next = set["next_change"].as_i64().expect("a time");
    assert!(next < DUE, "{set:#}");
    let (set, found) = status(&store, next + 50 * MINUTE);
    assert_eq!(
        (&set["due"], &set["overdue"]),
        (&json!(true), &json!(false))
    );
    assert_eq!(found, [""; 0]);
    let (set, found) = status(&store, next + 70 * MINUTE);
    assert_eq!(set["overdue"], true);
    assert_eq!(found, ["rotation-overdue"]);
    let before = store.sandbox.all_store_entries();
    let run = store.run("status", next + 70 * MINUTE).fails(8);
    assert!(run.stdout.contains("run `jwks rotate api`"), "{run:#?}");
    assert_eq!(
        store.sandbox.all_store_entries(),
        before,
        "nothing is written"
    );
    store.ok("rotate --all", next + 70 * MINUTE);
    assert_eq!(problems(&store, next + 70 * MINUTE), [""; 0]);
}

#[test]
fn a_set_that_was_just_changed_by_force_is_not_overdue() {
    let store = Store::with_a_key("ES256");
    store.rotate(&format!("{SCHEDULE} --save"), START);
    for (options, now) in [
        ("--force", START + DAY),
        ("--compromised first", START + 2 * DAY),
        ("--alg EdDSA", START + 3 * DAY),
    ] {
        store.rotate(options, now);
        for later in [0, MINUTE, HOUR / 2] {
            assert_eq!(problems(&store, now + later), [""; 0], "{options}");
        }
    }
}

/// A whole year of rotations, on time: there is never a problem.
#[test]
fn a_set_that_is_rotated_on_time_has_no_problems() {
    let store = Store::with_a_key("ES256");
    let schedule = "--every 10d --publish-delay 6h --retire-after 24h";
    store.rotate(&format!("{schedule} --save"), START);
    store.ok("set api --alg ES256", START);
    for step in 0..240 {
        let now = START + step * 3 * HOUR;
        assert_eq!(problems(&store, now), [""; 0], "before, {step}");
        store.ok("rotate --all", now);
        assert_eq!(problems(&store, now), [""; 0], "after, {step}");
    }
}

#[test]
fn failures_of_targets_and_hooks_are_shown_until_they_end() {
    let store = Store::with_a_key("ES256");
    fs::create_dir(store.sandbox.path().join("www")).expect("a directory");
    let line = format!("{SCHEDULE} --export www/jwks.json --hook false --hook-timeout 9 --save");
    store.run(&format!("rotate api {line}"), START);
    let (set, found) = status(&store, START + MINUTE);
    assert_eq!(found, [""; 0], "the hook can still be running");
    assert_eq!(set["hooks"][0], json!({"command": "false", "since": START}));
    assert_eq!(set["targets"][0]["delivered"], START);
    assert_eq!(problems(&store, START + HOUR), ["hook-pending"]);
    // A file in the place of the directory.
    let www = store.sandbox.path().join("www");
    fs::rename(&www, store.sandbox.path().join("away")).expect("a directory");
    fs::write(&www, "").expect("a file");
    store.run("rotate --all", START + HOUR);
    store.run("rotate --all", START + 2 * HOUR);
    let (set, found) = status(&store, START + 3 * HOUR);
    assert_eq!(found, ["target-failed", "hook-pending"]);
    let target = &set["targets"][0];
    assert_eq!(target["failed_since"], START + HOUR);
    assert_eq!(target["delivered"], START);
    // What is no longer in the schedule counts no more.
    store.ok("rotate api --forget", START + 3 * HOUR);
    assert_eq!(problems(&store, START + 3 * HOUR), [""; 0]);
}

#[test]
fn addresses_that_lag_lie_or_are_down_are_problems() {
    let copy = Copy::start();
    let store = published(&[&copy]);
    let old = store.ok("export api", START).stdout;
    let planted = json!({"kty": "OKP", "crv": "Ed25519", "kid": "planted",
        "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"});
    let mut with_planted: Value = serde_json::from_str(&old).expect("a set");
    let keys = with_planted["keys"].as_array_mut().expect("keys");
    keys.push(planted.clone());
    let absurd = "max-age=99999999999999999999";
    for (answer, found) in [
        (Answer::json(200, &old), &[][..]),
        (Answer::html(200, "<p>maintenance"), &["address-failed"]),
        (Answer::json(200, with_planted), &["foreign-keys"]),
        (
            Answer::json(200, json!({"keys": [planted]})),
            &["address-stale", "foreign-keys"],
        ),
        (
            Answer::json(200, &old).header("Cache-Control", absurd),
            &["max-age"],
        ),
        (
            Answer::json(200, &old).header("Cache-Control", "max-age=3600"),
            &[],
        ),
    ] {
        copy.serve(answer);
        store.ok("rotate --all", START + HOUR);
        let calls = copy.calls().len();
        assert_eq!(problems(&store, START + HOUR), found);
        assert_eq!(copy.calls().len(), calls, "status makes no calls");
    }
    let (set, _) = status(&store, START + HOUR);
    assert_eq!(set["published"][0]["max_age"], 3600);
}

#[test]
fn a_key_that_waits_for_too_long_is_a_problem() {
    let copy = Copy::start();
    let store = published(&[&copy]);
    store.ok("rotate --all", DUE);
    let (set, found) = status(&store, DUE);
    assert_eq!(found, [""; 0]);
    assert_eq!(set["lines"][0]["held"].as_array().map(Vec::len), Some(1));
    assert_eq!(problems(&store, DUE + 2 * HOUR), [""; 0]);
    assert_eq!(problems(&store, DUE + 3 * HOUR), ["held-key"]);
    copy.publish(&store, DUE + 3 * HOUR);
    store.ok("rotate --all", DUE + 3 * HOUR);
    store.ok("rotate --all", DUE + 5 * HOUR);
    copy.publish(&store, DUE + 5 * HOUR);
    store.ok("rotate --all", DUE + 5 * HOUR);
    assert_eq!(problems(&store, DUE + 5 * HOUR), [""; 0]);
}

#[test]
fn a_line_without_a_signer_is_a_problem() {
    let store = Store::with_a_key("ES256");
    store.ok("create api --kid other --alg RS256", START);
    store.ok("set api --kid first --exp 2027-06-01", START);
    let after = START + 400 * DAY;
    let run = store.run("status", after);
    assert!(run.stdout.contains("none"), "{run:#?}");
    assert_eq!(problems(&store, after), ["no-signer"]);
    // In a public set, somebody else signs.
    let public = store.ok("get api", START).stdout;
    store.sandbox.write("public.json", public);
    store.ok("set copy public.json", START);
    let run = store.ok("status copy --json", after);
    assert_eq!(run.json()["sets"][0]["lines"], json!([]));
}

#[test]
fn a_certificate_that_ends_is_a_problem() {
    let store = Store {
        sandbox: Sandbox::new(),
    };
    let now = std::time::UNIX_EPOCH.elapsed().expect("a clock").as_secs() as i64;
    store.ok("create api --kid first --x509 --days 90", now);
    assert_eq!(problems(&store, now), [""; 0]);
    assert_eq!(problems(&store, now + 61 * DAY), ["certificate-ends"]);
    store.ok("set api --kid first --exp +100d", now);
    assert_eq!(problems(&store, now), ["certificate-ends"]);
    let (set, _) = status(&store, now);
    assert!(set["certificates"][0]["not_after"].is_i64(), "{set:#}");
}

#[test]
fn what_is_damaged_hides_nothing() {
    let store = Store::with_a_key("ES256");
    store.rotate(&format!("{SCHEDULE} --export jwks.json --save"), START);
    store.ok("create other --kid o", START);
    let file = store.sandbox.store();
    let deliveries = file.join(".deliveries/api/state.json");
    let schedules = file.join(".schedules.json");
    let damage = |path: &std::path::Path, content: &str, run: &dyn Fn() -> Run| {
        let whole = fs::read(path).expect("a file");
        fs::write(path, content).expect("the file");
        let result = run();
        fs::write(path, whole).expect("the file");
        result
    };
    let all = || store.run("status --json", START).fails(8);
    for (path, content) in [
        (store.sandbox.set_file("api"), "{\"keys\":["),
        (deliveries, "{\"targets\":1}"),
        (schedules.clone(), "{\"api\":{\"every\":\"soon\"}}"),
        (schedules.clone(), "{\"api\":{\"unknown\":1}}"),
    ] {
        let sets = damage(&path, content, &all).json();
        let of = |i: usize| &sets["sets"][i]["problems"];
        assert_eq!(of(0)[0]["problem"], "unreadable", "{content}: {sets:#}");
        assert_eq!(of(1), &json!([]), "{content}: {sets:#}");
        assert_eq!(sets["sets"][1]["lines"][0]["signer"]["kid"], "o");
    }
    let sets = damage(&schedules, "nothing", &all).json();
    assert_eq!(sets["sets"][1]["problems"][0]["problem"], "unreadable");
    let table = damage(&store.sandbox.set_file("api"), "", &|| {
        store.run("status", START).fails(8)
    });
    assert!(table.stdout.contains("unreadable"), "{table:#?}");
    store.run("status nothing", START).fails(3);
}

#[test]
fn an_encrypted_set_is_shown_without_its_passphrase() {
    let store = Store {
        sandbox: Sandbox::new(),
    };
    store.sandbox.write("passphrase.txt", "a long passphrase\n");
    let given = "--passphrase-file passphrase.txt";
    store.ok(
        &format!("create api --kid first --encrypt --p2c 1000 {given}"),
        START,
    );
    store.ok(&format!("rotate api {SCHEDULE} --save {given}"), START);
    let (set, found) = status(&store, START + 40 * DAY);
    assert_eq!(found, ["rotation-overdue"]);
    assert_eq!(set["encrypted"], true);
    assert_eq!(set["lines"][0]["signer"]["kid"], "first");
    store.ok("create plain", START);
    store.run("status --require-encrypted", START).fails(4);
}

/// A kid, a path and a line that try to leave the quotes of a label.
fn with_hostile_names() -> Store {
    let copy = Copy::start();
    let store = published(&[&copy]);
    let key = json!({"kty": "oct", "kid": "h", "alg": "HS\"256\\\n\u{1b}[2J", "use": "s\"ig",
        "k": "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "iat": START});
    let file = store
        .sandbox
        .write("hostile.json", json!({"keys": [key]}).to_string());
    let mut command = store.sandbox.command(JWKS);
    finish(command.args(["set", "hostile", &file, "--allow-invalid"])).ok();
    let mut command = store.sandbox.command(JWKS);
    let export = format!("{}/a\"b\\c\nd.json", store.sandbox.path().display());
    let now = START.to_string();
    command.args(["rotate", "api", "--every", "30d", "--save", "--now", &now]);
    finish(command.args(["--export", &export])).ok();
    let mut command = store.sandbox.command(JWKS);
    command.args(["create", "certified", "--kid", "k\"} 1\\", "--x509"]);
    finish(&mut command).ok();
    store
}

#[test]
fn metrics_are_those_of_prometheus() {
    let store = with_hostile_names();
    let run = store.run("status --prometheus", START);
    assert!(!run.stdout.contains('\u{1b}'), "{run:#?}");
    for line in run.stdout.lines() {
        let is_comment = line.starts_with("# HELP jwks_") || line.starts_with("# TYPE jwks_");
        let has_value = |line: &str| {
            let value = line.rsplit(' ').next().unwrap_or_default();
            line.starts_with("jwks_") && value.parse::<i64>().is_ok()
        };
        assert!(is_comment || has_value(line), "{line}");
    }
    for series in [
        "jwks_problems{set=\"api\"} 0",
        "jwks_rotation_overdue{set=\"api\"} 0",
        "jwks_signer_age_seconds{set=\"api\",line=\"ES256\",use=\"sig\"} 0",
        "jwks_publish_delay_seconds{set=\"api\"} 3600",
        "a\\\"b\\\\c\\nd.json\"} 1800000000",
    ] {
        assert!(run.stdout.contains(series), "{series}: {}", run.stdout);
    }
    promtool(&store.sandbox, &["check", "metrics"], &run.stdout);
    store.run("status --prometheus --json", START).fails(2);
}

/// Runs promtool with an input. Its warnings fail the test, too.
fn promtool(sandbox: &Sandbox, arguments: &[&str], input: &str) {
    if !has_tool("promtool") {
        return;
    }
    let mut command = sandbox.command("promtool");
    command.args(arguments).stdin(Stdio::piped());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("promtool starts");
    let mut pipe = child.stdin.take().expect("a pipe");
    pipe.write_all(input.as_bytes()).expect("an open pipe");
    drop(pipe);
    let output = child.wait_with_output().expect("promtool ends");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success() && said.is_empty(),
        "{said}\n{input}"
    );
}

/// The rules of the guide are rules for Prometheus.
#[test]
fn the_rules_of_the_guide_are_valid() {
    let guide = include_str!("../../man/jwks-rotation.7.md");
    let rules = guide.split("```yaml\n").nth(1).expect("rules");
    let rules = rules.split("```").next().expect("an end");
    let sandbox = Sandbox::new();
    let file = sandbox.write("rules.yaml", rules);
    promtool(&sandbox, &["check", "rules", &file], "");
}

#[test]
fn the_file_of_metrics_is_replaced_and_no_other() {
    let store = Store::with_a_key("ES256");
    let write =
        |more: &str, now: i64| store.run(&format!("status --prometheus -o jwks.prom{more}"), now);
    let read = || fs::read_to_string(store.sandbox.path().join("jwks.prom")).expect("it");
    write("", START).ok();
    let first = read();
    write("", START + HOUR).ok();
    assert_ne!(read(), first);
    let entries = fs::read_dir(store.sandbox.path()).expect("a directory");
    assert_eq!(entries.count(), 2, "the store and the file");
    store.sandbox.write("jwks.prom", "# of somebody else\n");
    let run = write("", START).fails(4);
    assert!(run.stderr.contains("--force"), "{run:#?}");
    assert_eq!(read(), "# of somebody else\n");
    write(" --force", START).ok();
    store.run("status -o jwks.prom", START).fails(2);
    let inside = store.sandbox.store().join("x.prom");
    let inside = format!("status --prometheus -o {}", inside.display());
    store.run(&inside, START).fails(4);
    // A problem is an exit code, and the file is written all the same.
    store.rotate(&format!("{SCHEDULE} --save"), START);
    write("", START + 90 * DAY).fails(8);
    assert!(read().contains("jwks_rotation_overdue{set=\"api\"} 1"));
}

#[test]
fn the_tables_fit_a_terminal() {
    if !has_tool("setsid") {
        return;
    }
    let copy = Copy::start();
    let store = published(&[&copy]);
    let long = "k".repeat(200);
    store.ok(&format!("create long --kid {long}"), START);
    store.ok(&format!("create {}", "n".repeat(60)), START);
    copy.publish_for(&store, START, "max-age=604800");
    store.ok("rotate --all", START);
    for width in [60, 80] {
        let line = format!("stty cols {width}; jwks status --now {}", START + 40 * DAY);
        let run = on_terminal(&store.sandbox, &line, "", &[("NO_COLOR", "1")]);
        assert!(run.stdout.contains("rotation-overdue"), "{run:#?}");
        for line in run.stdout.lines() {
            assert!(line.chars().count() <= width, "{width}: {line}\n{run:#?}");
        }
    }
}
