//! Keys as ssh-keygen writes them.

use crate::support::{Sandbox, has_tool};
use serde_json::{Value, json};

const KINDS: &[&str] = &[
    "-t rsa -b 2048",
    "-t ecdsa -b 256",
    "-t ecdsa -b 384",
    "-t ecdsa -b 521",
    "-t ed25519",
];

/// Each kind of key, plain and with a passphrase, in OpenSSH's form and in PEM; the public key
/// that ssh-keygen writes beside it is the same key. Each key is made once, and written in each form.
#[test]
fn ssh_keygen_makes_keys_of_each_kind() {
    if !has_tool("ssh-keygen") {
        return;
    }
    let sandbox = Sandbox::new();
    sandbox.write("passphrase", "correct horse\n");
    // A cipher needs a passphrase.
    let plain = ["", "-m PEM", "-m PKCS8"];
    let ciphers = [
        "-Z aes128-cbc",
        "-Z 3des-cbc",
        "-Z aes192-ctr",
        "-Z aes256-gcm@openssh.com",
        "-Z chacha20-poly1305@openssh.com",
    ];
    // What was asked for, the thumbprint, and the key.
    let mut taken = Vec::new();
    for (i, kind) in KINDS.iter().enumerate() {
        let make = format!("ssh-keygen -q {kind} -N '' -f key{i}");
        sandbox.shell(&make).ok();
        let thumbprint = sandbox.ok(["thumbprint", &format!("key{i}.pub")]);
        for (k, passphrase) in ["", "correct horse"].iter().enumerate() {
            // What a cipher encrypts is the same for each kind.
            let ciphers = ciphers.iter().filter(|_| !passphrase.is_empty() && i == 0);
            for (j, form) in plain.iter().chain(ciphers).enumerate() {
                let name = format!("k{i}{j}{k}");
                sandbox
                    .shell(&format!(
                        "cp -p key{i} {name} &&
                         ssh-keygen -q -p {form} -a 2 -P '' -N '{passphrase}' -f {name}"
                    ))
                    .ok();
                let mut set = vec!["set", &name, &name];
                if !passphrase.is_empty() {
                    sandbox.run(&set).fails(7);
                    set.extend(["--password-file", "passphrase"]);
                }
                sandbox.ok(&set);
                let set: Value = serde_json::from_str(&sandbox.read_set(&name)).expect("JSON");
                let mut key = set["keys"][0].clone();
                key["kid"] = (*name).into();
                let what = format!("{kind} {form} {passphrase:?}");
                taken.push((what, thumbprint.trim().to_owned(), key));
            }
        }
    }
    // All of them at once: the private part belongs to the public one, which is the key's own.
    let keys: Vec<_> = taken.iter().map(|(_, _, key)| key).collect();
    sandbox.write("store/all.json", json!({ "keys": keys }).to_string());
    let report = sandbox.json(["check", "all", "--json"]);
    let mut findings = report["findings"].as_array().expect("findings").iter();
    let are_forms = findings.all(|finding| finding["rule"] == "thumbprint-duplicate");
    assert!(are_forms, "{report}");
    let rows = sandbox.json(["list", "all", "--json"])["keys"].clone();
    let rows = rows.as_array().expect("rows");
    assert_eq!(rows.len(), taken.len());
    for (row, (what, thumbprint, _)) in rows.iter().zip(&taken) {
        assert_eq!(&row["thumbprint"], thumbprint, "{what}");
        assert_eq!(row["private"], true, "{what}");
        assert_eq!(row["invalid"], json!([]), "{what}");
    }
}

/// A file of public keys, with options, comments and blank lines, is a set of them.
#[test]
fn authorized_keys_are_public_keys() {
    if !has_tool("ssh-keygen") {
        return;
    }
    let sandbox = Sandbox::new();
    let line = "set -e
        ssh-keygen -q -t rsa -b 2048 -N '' -f rsa
        for kind in ecdsa ed25519; do ssh-keygen -q -t $kind -N '' -f $kind; done
        { echo '# who may come in'; echo; cat rsa.pub
          printf 'restrict,pty '; cat ecdsa.pub; cat ed25519.pub; } > authorized_keys";
    sandbox.shell(line).ok();
    sandbox.ok(["set", "people", "authorized_keys"]);
    let rows = sandbox.json(["list", "people", "--json"])["keys"].clone();
    let kinds: Vec<_> = rows
        .as_array()
        .expect("rows")
        .iter()
        .map(|row| &row["kty"])
        .collect();
    assert_eq!(kinds, ["RSA", "EC", "OKP"]);
    assert!(
        rows.as_array()
            .expect("rows")
            .iter()
            .all(|row| row["private"] == false)
    );
}

/// A private part beside the public one of another key is refused.
#[test]
fn a_damaged_key_is_refused() {
    if !has_tool("ssh-keygen") {
        return;
    }
    let sandbox = Sandbox::new();
    sandbox.shell("ssh-keygen -q -t ed25519 -N '' -f key").ok();
    let text = std::fs::read_to_string(sandbox.path().join("key")).expect("a key");
    // A letter in the last third, where the private part is.
    let at = text.len() * 2 / 3;
    let other = if text.as_bytes()[at] == b'A' {
        'B'
    } else {
        'A'
    };
    let damaged = format!("{}{other}{}", &text[..at], &text[at + 1..]);
    let file = sandbox.write("damaged", damaged);
    sandbox.run(["set", "api", &file]).fails(5);
    assert!(sandbox.store_entries().is_empty());
}
