//! Pipes, standard input and odd files: data here, words there, and no waiting for nobody.

use crate::support::{JWKS, Sandbox, finish, vectors};
use std::fs::File;
use std::process::Stdio;

fn a_set() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.ok(["create", "api", "--kid", "first"]);
    sandbox
}

#[test]
fn keys_come_through_pipes() {
    let sandbox = a_set();
    let pem = sandbox.ok(["export", "api", "--to", "pem", "--private"]);
    for arguments in [&["set", "copy", "-"][..], &["set", "bare"]] {
        sandbox.run_with_input(arguments, &pem).ok();
    }
    let thumbprint = sandbox.ok(["thumbprint", "api"]);
    assert_eq!(sandbox.ok(["thumbprint", "copy"]), thumbprint);
    assert_eq!(sandbox.ok(["thumbprint", "bare"]), thumbprint);
    assert_eq!(
        sandbox
            .run_with_input(["thumbprint", "-"], &pem)
            .ok()
            .stdout,
        thumbprint
    );
    sandbox.run_with_input(["check", "-"], &pem).ok();
    let run = sandbox.shell(
        "jwks get api --private | jwks set again - && jwks export again -o - | jwks check -",
    );
    assert_eq!(run.ok().stderr.lines().last(), Some("-: no findings"));
}

#[test]
fn a_shells_process_substitution_is_read() {
    let sandbox = a_set();
    let mut bash = sandbox.command("bash");
    let run = finish(bash.args(["-c", "jwks set copy <(jwks get api --private)"]));
    run.ok();
    assert_eq!(
        sandbox.ok(["thumbprint", "copy"]),
        sandbox.ok(["thumbprint", "api"])
    );
}

/// With nothing on standard input the options change the set's own keys.
#[test]
fn members_are_changed_without_a_file() {
    let sandbox = a_set();
    sandbox.ok(["set", "api", "--kid", "first", "--exp", "2099-01-01"]);
    assert_eq!(
        sandbox.json(["get", "api", "first"])["exp"],
        4_070_908_800_i64
    );
    sandbox
        .run_with_input(["set", "api", "--exp", "2098-01-01"], "")
        .ok();
    assert_eq!(
        sandbox.json(["get", "api", "first"])["exp"],
        4_039_372_800_i64
    );
    sandbox.run_with_input(["set", "api"], "").fails(2);
    sandbox
        .run(["set", "api", "--kid", "none", "--use", "sig"])
        .fails(3);
    sandbox.run(["set", "none", "--use", "sig"]).fails(3);
}

#[test]
fn a_reader_that_has_had_enough_is_no_failure() {
    let sandbox = a_set();
    sandbox.ok(["create", "big", "--count", "2000"]);
    let run = sandbox.shell("{ jwks get big; echo $? >&2; } | head -n 1");
    assert_eq!((run.stdout.as_str(), run.stderr.as_str()), ("{\n", "0\n"));
    sandbox.shell("{ jwks man; echo $? >&2; } | true").ok();
    sandbox.shell("{ jwks --help; echo $? >&2; } | true").ok();
}

#[test]
fn odd_files_get_a_clear_word() {
    let sandbox = a_set();
    let before = sandbox.read_set("api");
    sandbox.write("empty", "");
    sandbox.write("latin1", [b'{', 0xe4, b'}']);
    sandbox
        .shell("mkdir directory; mkfifo fifo; truncate -s 1G huge; printf '{\"keys\":[' > start")
        .ok();
    for (file, word) in [
        ("empty", "it is empty"),
        ("latin1", "neither UTF-8 text nor"),
        ("directory", "is a directory"),
        ("fifo", "is a FIFO"),
        ("huge", "larger than 16 MiB"),
        ("start", "not JSON"),
    ] {
        for command in [&["set", "api"][..], &["check"], &["thumbprint"]] {
            let mut arguments = command.to_vec();
            let path = format!("./{file}");
            arguments.push(&path);
            let run = sandbox.run(&arguments).fails(5);
            assert!(run.stderr.contains(word), "{file}: {run:#?}");
        }
    }
    sandbox.run(["set", "api", "./missing"]).fails(3);
    assert_eq!(sandbox.read_set("api"), before);
}

/// Several files are one change: a bad one spoils all of it, and nothing is written.
#[test]
fn files_go_in_together_or_not_at_all() {
    let sandbox = Sandbox::new();
    let good = vectors().join("generated/p256/p256.pkcs8.pem");
    let bad = vectors().join("malformed-jwk/ec/off-curve.json");
    let good = good.to_str().expect("UTF-8");
    sandbox
        .run(["set", "v", good, bad.to_str().expect("UTF-8")])
        .fails(5);
    assert_eq!(sandbox.store_entries(), Vec::<String>::new());
    let certificate = vectors().join("generated/p256/p256.crt.pem");
    sandbox.ok(["set", "v", good, certificate.to_str().expect("UTF-8")]);
    let keys = sandbox.json(["get", "v", "--private"])["keys"].clone();
    assert_eq!(keys.as_array().map(Vec::len), Some(1));
    assert!(keys[0].get("d").is_some() && keys[0].get("x5c").is_some());
}

#[test]
fn a_closed_standard_output_is_a_failure_with_a_word() {
    let sandbox = a_set();
    let mut command = sandbox.command(JWKS);
    let full = File::options()
        .write(true)
        .open("/dev/full")
        .expect("/dev/full");
    command
        .args(["get", "api"])
        .stdout(full)
        .stderr(Stdio::piped());
    let output = command.output().expect("the program starts");
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("cannot write to standard output"));
}
