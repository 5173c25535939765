//! No plaintext of an encrypted set touches the disk, and no passphrase is told to anybody (D6, D10).

use super::{NEXT, PASSPHRASE, desk, open, private_members, run, secret_file};
use crate::support::{JWKS, Run, Sandbox, finish, has_tool};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::Value;
use std::fs;

/// Commands that work with private keys and give none out.
const COMMANDS: [&str; 10] = [
    "create new --encrypt --p2c 1000",
    "create new --encrypt --alg RS256 --p2c 1000 --json",
    "create api",
    "set api own.json",
    "set api --exp +1d",
    "rotate api --force",
    "delete api first --yes --force",
    "passwd api --new-passphrase-file next.txt --p2c 1000",
    "check api",
    "export api",
];

/// An encrypted set `api` that was never plain in this keystore, and a key in own.json.
fn workplace() -> Sandbox {
    let sandbox = desk();
    open(&sandbox, "create api --kid first --encrypt --p2c 1000").ok();
    open(&sandbox, "create api --kid second --alg EdDSA").ok();
    let elsewhere = ["--store", "elsewhere"];
    sandbox.ok(["create", "own", "--kid", "own"].iter().chain(&elsewhere));
    let own = sandbox.ok(["get", "own", "--private"].iter().chain(&elsewhere));
    secret_file(&sandbox, "own.json", own);
    sandbox
}

/// Runs a command under strace, which writes down each call with every byte of it in hexadecimal.
fn traced(sandbox: &Sandbox, line: &str) -> (Run, String) {
    let trace = sandbox.path().join("trace");
    let mut strace = sandbox.command("strace");
    let calls = "trace=write,pwrite64,writev,pwritev,pwritev2,sendto,sendmsg,execve,ftruncate,mmap,rename,renameat2";
    strace.args(["-f", "-qq", "-xx", "-s", "1000000", "-e", calls, "-o"]);
    strace.arg(&trace).arg(JWKS).args(line.split_whitespace());
    let run = finish(strace.args(["--passphrase-file", "passphrase.txt"]));
    (run, fs::read_to_string(trace).expect("the trace"))
}

/// As strace writes it with -xx.
fn in_trace(octets: &[u8]) -> String {
    octets
        .iter()
        .map(|octet| format!("\\x{octet:02x}"))
        .collect()
}

/// The private members of the sets, as they stand there and decoded; and the passphrases.
fn secrets(sets: &[Value]) -> Vec<Vec<u8>> {
    let mut secrets = vec![PASSPHRASE.as_bytes().to_vec(), NEXT.as_bytes().to_vec()];
    for member in sets.iter().flat_map(private_members) {
        secrets.push(BASE64_URL_SAFE_NO_PAD.decode(&member).expect("base64url"));
        secrets.push(member.into_bytes());
    }
    secrets
}

/// The private content of every set of the keystore, whatever opens it.
fn sets(sandbox: &Sandbox) -> Vec<Value> {
    let names = run(sandbox, "list --format names").ok().stdout;
    let set = |name: &str| {
        let get = format!("get {name} --private -q");
        let opened = open(sandbox, &get);
        match opened.code {
            Some(0) => opened.json(),
            _ => super::with(sandbox, "next.txt", &get).ok().json(),
        }
    };
    names.lines().map(set).collect()
}

#[test]
fn nothing_secret_is_written_or_told() {
    if !has_tool("strace") {
        return;
    }
    for line in COMMANDS {
        let sandbox = workplace();
        let mut known = sets(&sandbox);
        let (run, trace) = traced(&sandbox, line);
        let run = run.ok();
        known.extend(sets(&sandbox));
        let secrets = secrets(&known);
        assert!(secrets.len() > 4, "{line}: the test knows no secret");
        let log = sandbox.read_log();
        for secret in secrets {
            assert!(!trace.contains(&in_trace(&secret)), "{line}: written");
            let secret = String::from_utf8_lossy(&secret).into_owned();
            for told in [&run.stdout, &run.stderr, &log] {
                assert!(!told.contains(&secret), "{line}: told");
            }
        }
    }
}

/// The test would see it: a plain set is written, and one that is asked for goes to standard output.
#[test]
fn the_trace_shows_what_is_written() {
    if !has_tool("strace") {
        return;
    }
    let sandbox = workplace();
    for line in ["passwd api --remove", "get api --private"] {
        let set = sets(&sandbox).remove(0);
        let (run, trace) = traced(&sandbox, line);
        run.ok();
        for member in private_members(&set) {
            assert!(trace.contains(&in_trace(member.as_bytes())), "{line}");
        }
    }
}

/// A passphrase in the environment or from a command is in no argument of any process, and a failure
/// says nothing of it.
#[test]
fn a_passphrase_is_no_argument_and_in_no_message() {
    if !has_tool("strace") {
        return;
    }
    let sandbox = workplace();
    let canary = "canary-4711-passphrase";
    secret_file(&sandbox, "canary.txt", canary);
    for (variables, options) in [
        (vec![("JWKS_PASSPHRASE", canary)], ""),
        (vec![("JWKS_PASSPHRASE_FILE", "canary.txt")], ""),
        (vec![], "--passphrase-command cat<canary.txt"),
        (vec![], "--passphrase-file canary.txt"),
    ] {
        for line in [
            "get api --private",
            "create api --json",
            "passwd api --remove",
        ] {
            let trace = sandbox.path().join("trace");
            let mut strace = sandbox.command("strace");
            let calls = "trace=execve,write";
            strace.args(["-f", "-qq", "-s", "1000000", "-e", calls, "-o"]);
            strace.arg(&trace).arg(JWKS).args(line.split(' '));
            strace.args(options.splitn(2, ' ').filter(|option| !option.is_empty()));
            let run = finish(strace.envs(variables.iter().copied())).fails(7);
            let trace = fs::read_to_string(&trace).expect("the trace");
            let own = trace.lines().filter(|line| !line.contains("write(1,"));
            let told: Vec<_> = own.filter(|line| line.contains(canary)).collect();
            assert!(told.is_empty(), "{line} {options}: {told:?}");
            assert!(
                !run.stdout.contains(canary) && !run.stderr.contains(canary),
                "{run:#?}"
            );
        }
    }
}
