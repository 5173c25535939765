//! A command that needs no cryptography does not start OpenSSL, whose first act is to look for its
//! configuration file.

#![cfg(target_os = "linux")]

use crate::support::{JWKS, Sandbox, finish, has_tool};
use std::fs;

fn starts_openssl(sandbox: &Sandbox, command: &[&str]) -> bool {
    let trace = sandbox.path().join("trace");
    let mut strace = sandbox.command("strace");
    strace
        .args(["-f", "-qq", "-e", "trace=/^open", "-o"])
        .arg(&trace);
    finish(strace.arg(JWKS).args(command)).ok();
    let trace = fs::read_to_string(trace).expect("the trace");
    trace.contains("openssl.cnf")
}

/// What an encrypted set tells without its passphrase costs no derivation, and no cryptography at all.
#[test]
fn looking_at_an_encrypted_set_does_not_start_openssl() {
    if !has_tool("strace") {
        return;
    }
    let sandbox = Sandbox::new();
    let passphrase = sandbox.write("passphrase.txt", "correct horse");
    let given = ["--passphrase-file", &passphrase];
    for create in [
        "create api --kid first --encrypt --p2c 1000",
        "create api --alg HS256",
    ] {
        sandbox.ok(create.split(' ').chain(given));
    }
    for command in [
        "list",
        "list --json",
        "list api",
        "list api --timeline",
        "get api",
        "get api first",
        "export api",
        "export api -o jwks.json",
        "export api first --to jwk",
        "rotate api --every 30d --dry-run",
    ] {
        // A rotation opens the set if it is given a passphrase, even if it has nothing to do.
        let given = given.into_iter().filter(|_| !command.starts_with("rotate"));
        let command: Vec<_> = command.split(' ').chain(given).collect();
        assert!(!starts_openssl(&sandbox, &command), "{command:?}");
    }
    let private: Vec<_> = ["get", "api", "--private"]
        .into_iter()
        .chain(given)
        .collect();
    assert!(starts_openssl(&sandbox, &private), "the test sees nothing");
}

#[test]
fn reading_does_not_start_openssl() {
    if !has_tool("strace") {
        return;
    }
    let sandbox = Sandbox::new();
    sandbox.ok(["create", "api", "--kid", "first"]);
    sandbox.shell("jwks get api > public.json").ok();
    assert!(
        starts_openssl(&sandbox, &["create", "api"]),
        "the test sees nothing"
    );
    for command in [
        &["--version"][..],
        &["list"],
        &["list", "--json"],
        &["get", "api"],
        &["get", "api", "first"],
        &["get", "api", "--private"],
        &["export", "api"],
        &["export", "api", "first", "--to", "jwk"],
        &["thumbprint", "public.json"],
        &["check", "public.json"],
        &["delete", "api", "first", "--yes"],
        &["man", "create"],
    ] {
        assert!(!starts_openssl(&sandbox, command), "{command:?}");
    }
}
