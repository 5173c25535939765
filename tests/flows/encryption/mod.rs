//! Sets that a passphrase encrypts: their files, what they tell without it, and what nobody gets.

#![cfg(unix)]

mod demand;
mod file;
#[cfg(target_os = "linux")]
mod kills;
mod other_tools;
mod passphrases;
mod passwd;
#[cfg(target_os = "linux")]
mod plaintext;
mod twins;
mod typed;
mod vectors;

use crate::support::{Run, Sandbox};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::Value;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;

/// What opens the sets of these tests, and what is in passphrase.txt.
const PASSPHRASE: &str = "correct horse battery staple";

/// What opens them afterwards, and what is in next.txt.
const NEXT: &str = "naïve café ☕ пароль";

/// The members that hold the private or symmetric part of a key.
const PRIVATE: [&str; 8] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];

/// A sandbox with a file for each passphrase.
fn desk() -> Sandbox {
    let sandbox = Sandbox::new();
    secret_file(&sandbox, "passphrase.txt", PASSPHRASE);
    secret_file(&sandbox, "next.txt", NEXT);
    sandbox
}

/// The same with an encrypted set `api` of one key, `first`.
fn with_a_set() -> Sandbox {
    let sandbox = desk();
    open(&sandbox, "create api --kid first --encrypt --p2c 1000").ok();
    sandbox
}

/// A file that nobody else can read.
fn secret_file(sandbox: &Sandbox, name: &str, content: impl AsRef<[u8]>) {
    let path = sandbox.write(name, content);
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).expect("a private file");
}

/// Runs a command line without a passphrase.
fn run(sandbox: &Sandbox, line: &str) -> Run {
    sandbox.run(line.split_whitespace())
}

/// Runs a command line with the passphrase.
fn open(sandbox: &Sandbox, line: &str) -> Run {
    with(sandbox, "passphrase.txt", line)
}

/// Runs a command line with the passphrase in a file.
fn with(sandbox: &Sandbox, file: &str, line: &str) -> Run {
    let given = ["--passphrase-file", file];
    sandbox.run(line.split_whitespace().chain(given))
}

/// The file of an encrypted set.
fn read_jwe(sandbox: &Sandbox, set: &str) -> String {
    let path = sandbox.store().join(format!("{set}.jwe"));
    fs::read_to_string(path).expect("the encrypted set")
}

/// The five parts of a compact JWE, decoded (RFC 7516 section 7.1).
fn parts(jwe: &str) -> Vec<Vec<u8>> {
    let parts = jwe.split('.');
    let parts = parts.map(|part| BASE64_URL_SAFE_NO_PAD.decode(part).expect("base64url"));
    parts.collect()
}

/// Its protected header.
fn header(jwe: &str) -> Value {
    serde_json::from_slice(&parts(jwe)[0]).expect("a header")
}

/// Every private member of a set, as it stands there.
fn private_members(set: &Value) -> Vec<String> {
    let keys = set["keys"].as_array().expect("keys").iter();
    let keys = keys.filter_map(Value::as_object);
    let members = keys.flat_map(|key| PRIVATE.iter().filter_map(|name| key.get(*name)));
    let texts = members.filter_map(Value::as_str).map(str::to_owned);
    texts.collect()
}

/// In base64url, without padding.
fn encode(octets: impl AsRef<[u8]>) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(octets)
}
