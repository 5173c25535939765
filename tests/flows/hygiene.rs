//! What no command leaves behind: a core dump, or a private key in its arguments, its output, its log or
//! a file that is not meant for it (D6, D7).

#![cfg(target_os = "linux")]

use crate::support::{JWKS, Sandbox, has_tool, vectors};
use serde_json::Value;
use std::collections::HashSet;
use std::fs;
use std::io::Write as _;
use std::process::Stdio;

/// So much of a secret is too much.
const PART: usize = 12;

/// A set `api` of known private keys, the same as files of several forms, and the secrets in it.
fn with_known_keys() -> (Sandbox, Vec<String>) {
    let sandbox = Sandbox::new();
    let mut secrets = vec!["correct horse battery".to_owned()];
    for file in [
        "rfc7517-A2-private.jwks.json",
        "rfc7517-A3-symmetric.jwks.json",
    ] {
        let path = vectors().join("rfc").join(file);
        let text = fs::read_to_string(&path).expect("keys");
        let set: Value = serde_json::from_str(&text).expect("JSON");
        let keys = set["keys"].as_array().expect("keys");
        for name in ["d", "p", "q", "dp", "dq", "qi", "k"] {
            let values = keys.iter().filter_map(|key| key[name].as_str());
            secrets.extend(values.map(|value| value[..value.len().min(40)].to_owned()));
        }
        sandbox.write(file, text);
        sandbox.ok(["set", "api", file]);
    }
    sandbox.write("passphrase", "correct horse battery");
    let damaged = sandbox.read_set("api").replace("\"d\":\"", "\"d\":\"!");
    sandbox.write("damaged.json", damaged);
    sandbox.write("cut.json", &sandbox.read_set("api")[..900]);
    sandbox.ok("export api 1 --to pem --private -o key.pem"
        .replace(" 1 ", " 2011-04-29 ")
        .split(' '));
    sandbox.shell("chmod 600 passphrase *.json").ok();
    (sandbox, secrets)
}

/// Commands that handle private keys and are not asked for them, with input that is good and bad.
const COMMANDS: &[&str] = &[
    "list api",
    "list api --timeline",
    "get api",
    "get api nobody",
    "check api",
    "check damaged.json",
    "check cut.json",
    "thumbprint rfc7517-A2-private.jwks.json",
    "set other damaged.json",
    "set other cut.json",
    "set other key.pem --from der",
    "set other key.pem --kid own",
    "set api rfc7517-A2-private.jwks.json --on-conflict fail",
    "set other damaged.json --allow-invalid",
    "export other",
    "export api --to pkcs1",
    "export api --to dotenv",
    "export api --to kubernetes --json",
    "export api 2011-04-29 --to x509 --subject CN=api",
    "export api 2011-04-29 --to pkcs12 --private --password-file passphrase -o key.p12",
    "export api 2011-04-29 --to openssh --private --encrypt --password-file passphrase -o key.ssh",
    "export api 2011-04-29 --to pem --private --password-file key.pem -o .",
    "export api --to jwe --private --p2c 1000 --password-file passphrase -o api.jwe",
    "export api --to jwe --private --p2c 1000 --password-file damaged.json",
    "rotate api --every 30d",
    "rotate api --every 1d --publish-delay 2d",
    "rotate api --every 30d --compromised 2011-04-29 --dry-run",
    "create secret --encrypt --p2c 1000 --passphrase-file passphrase",
    "set secret rfc7517-A3-symmetric.jwks.json --passphrase-file passphrase",
    "passwd api --p2c 1000 --passphrase-file passphrase",
    "get api --passphrase-file passphrase",
    "check api --passphrase-file passphrase",
    "list api --passphrase-file key.pem --json",
    "check api --passphrase-file key.pem",
    "delete api 1 --yes --passphrase-file passphrase",
    "passwd api --passphrase-file passphrase --remove",
    "delete api --yes --force",
    "log",
];

fn parts(text: &str) -> impl Iterator<Item = &[u8]> {
    text.as_bytes().windows(PART)
}

#[test]
fn a_known_secret_is_in_no_output_and_no_log() {
    let (sandbox, mut secrets) = with_known_keys();
    let pem = fs::read_to_string(sandbox.path().join("key.pem")).expect("a key");
    secrets.extend(pem.lines().skip(2).take(20).map(str::to_owned));
    secrets.retain(|secret| secret.len() >= PART);
    assert!(secrets.len() > 20);
    let secret_parts: HashSet<&[u8]> = secrets.iter().flat_map(|it| parts(it)).collect();
    let found_in = |text: &str| {
        let found = parts(text).filter(|part| secret_parts.contains(part));
        found.count()
    };
    for manner in ["", " --json", " -v"] {
        for command in COMMANDS {
            // The slow derivation of a key from a password is the same in each manner.
            let is_slow = command.contains("--password-file passphrase -o key");
            if is_slow && !manner.is_empty() {
                continue;
            }
            let line = format!("{command}{manner}");
            let run = sandbox.run(line.split(' '));
            assert!(!run.stderr.contains("panicked"), "{line}: {run:#?}");
            for text in [&run.stdout, &run.stderr] {
                assert_eq!(found_in(text), 0, "{line} gives a secret away");
            }
            // The set is there again for the next one.
            if command.starts_with("delete api --yes") {
                sandbox.ok(["set", "api", "rfc7517-A2-private.jwks.json"]);
                sandbox.ok(["set", "api", "rfc7517-A3-symmetric.jwks.json"]);
                sandbox.run(["delete", "secret", "--yes", "--force"]);
            }
        }
    }
    // No command takes a line out of the log.
    assert_eq!(found_in(&sandbox.read_log()), 0, "a secret is in the log");
}

/// Neither the program nor what it starts names a secret in its arguments.
#[test]
fn a_known_secret_is_in_no_argument() {
    if !has_tool("strace") {
        return;
    }
    let (sandbox, secrets) = with_known_keys();
    sandbox
        .shell(
            "strace -f -s 4096 -e trace=execve -o trace jwks passwd api \
        --passphrase-command 'cat passphrase' --p2c 1000 && \
        strace -f -s 4096 -e trace=execve -A -o trace jwks get api --private \
        --passphrase-command 'cat passphrase' > /dev/null",
        )
        .ok();
    let trace = fs::read_to_string(sandbox.path().join("trace")).expect("a trace");
    assert!(trace.contains("cat passphrase"), "{trace}");
    for secret in &secrets {
        assert!(!trace.contains(secret), "{trace}");
    }
}

/// It is killed as a crash would kill it, where core dumps are allowed.
#[test]
fn a_crash_leaves_no_core() {
    let sandbox = Sandbox::new();
    let line = format!("ulimit -c unlimited; exec {JWKS} set api -");
    let mut command = sandbox.command("sh");
    command.args(["-c", &line]).stdin(Stdio::piped());
    let mut child = command.stderr(Stdio::piped()).spawn().expect("a shell");
    let mut input = child.stdin.take().expect("a pipe");
    input.write_all(b"{\"keys\":").expect("an open pipe");
    let limits = format!("/proc/{}/limits", child.id());
    let is_forbidden = || {
        let limits = fs::read_to_string(&limits).unwrap_or_default();
        let core = limits.lines().find(|line| line.starts_with("Max core"));
        // The shell before it may have the first of the two limits, but not the second.
        core.is_some_and(|line| line.split_whitespace().skip(4).take(2).eq(["0", "0"]))
    };
    while !is_forbidden() {
        assert_eq!(child.try_wait().expect("a process"), None, "it has ended");
    }
    let id = child.id();
    sandbox.shell(&format!("kill -ABRT {id}")).ok();
    let status = child.wait().expect("a process").to_string();
    assert!(
        status.contains("SIGABRT") && !status.contains("core dumped"),
        "{status}"
    );
    let names = fs::read_dir(sandbox.path()).expect("a directory");
    let names = names.map(|entry| entry.expect("an entry").file_name());
    let cores: Vec<_> = names
        .filter(|name| name.to_string_lossy().contains("core"))
        .collect();
    assert_eq!(cores, Vec::<std::ffi::OsString>::new());
}
