//! PEM files with several things in them: chains in any order, requests, and traditional encryption.

use crate::support::{Sandbox, has_tool};
use serde_json::Value;

/// A key in `key.pem`, an authority, one between them, and the key's certificate.
fn authority() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox
        .shell(
            "set -e
             ca='basicConstraints=critical,CA:TRUE'
             openssl req -x509 -newkey ed25519 -nodes -keyout root.key -subj /CN=root -out root.pem
             openssl req -new -newkey ed25519 -nodes -keyout middle.key -subj /CN=middle -out middle.csr
             echo \"$ca\" > ext
             openssl x509 -req -in middle.csr -CA root.pem -CAkey root.key -CAcreateserial \
                 -extfile ext -out middle.pem
             openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out key.pem
             openssl req -new -key key.pem -subj /CN=api -out request.pem
             openssl x509 -req -in request.pem -CA middle.pem -CAkey middle.key -CAcreateserial \
                 -out leaf.pem
             openssl pkey -in key.pem -pubout -out public.pem",
        )
        .ok();
    sandbox
}

/// The one key of a set.
fn only(sandbox: &Sandbox, set: &str) -> Value {
    let set = sandbox.json(["get", set, "--private"]);
    let [key] = &set["keys"].as_array().expect("keys")[..] else {
        panic!("not one key: {set}");
    };
    key.clone()
}

/// A certificate as `x5c` has it: base64 without lines.
fn x5c(sandbox: &Sandbox, file: &str) -> String {
    let line = format!("openssl x509 -in {file} -outform DER | openssl base64 -A");
    sandbox.shell(&line).ok().stdout
}

/// In any order, the key gets its chain from the leaf up, and no issuer becomes a key.
#[test]
fn a_chain_joins_its_key_in_any_order() {
    if !has_tool("openssl") {
        return;
    }
    let sandbox = authority();
    let [leaf, middle, root] =
        ["leaf.pem", "middle.pem", "root.pem"].map(|file| x5c(&sandbox, file));
    for (i, (files, chain)) in [
        (
            "key.pem leaf.pem middle.pem root.pem",
            &[&leaf, &middle, &root][..],
        ),
        (
            "root.pem middle.pem leaf.pem key.pem",
            &[&leaf, &middle, &root],
        ),
        (
            "middle.pem key.pem root.pem leaf.pem",
            &[&leaf, &middle, &root],
        ),
        ("leaf.pem middle.pem key.pem", &[&leaf, &middle]),
        ("leaf.pem key.pem", &[&leaf]),
        (
            "leaf.pem leaf.pem key.pem key.pem public.pem request.pem",
            &[&leaf],
        ),
        ("root.pem middle.pem leaf.pem", &[&leaf, &middle, &root]),
    ]
    .into_iter()
    .enumerate()
    {
        sandbox.shell(&format!("cat {files} > bundle.pem")).ok();
        let set = format!("s{i}");
        let run = sandbox.run(["set", &set, "bundle.pem"]).ok();
        assert!(!run.stderr.contains("warning"), "{files}: {run:#?}");
        let key = only(&sandbox, &set);
        let found: Vec<_> = key["x5c"].as_array().expect("x5c").iter().collect();
        assert_eq!(found, chain, "{files}");
        assert_eq!(key.get("d").is_some(), files.contains("key.pem"), "{files}");
        sandbox.ok(["check", &set]);
    }
    // A chain ends at a gap. The certificates above it cause a warning.
    sandbox
        .shell("cat key.pem leaf.pem root.pem > gap.pem")
        .ok();
    let run = sandbox.run(["set", "gap", "gap.pem"]).ok();
    assert!(
        run.stderr
            .contains("the certificate of CN=root belongs to none"),
        "{run:#?}"
    );
    assert_eq!(
        only(&sandbox, "gap")["x5c"].as_array().map(Vec::len),
        Some(1)
    );
}

/// A request gives its public key, but only if it is signed with that key.
#[test]
fn a_request_gives_its_key() {
    if !has_tool("openssl") {
        return;
    }
    let sandbox = authority();
    sandbox
        .shell("openssl req -in request.pem -outform DER -out request.der")
        .ok();
    let thumbprint = sandbox.ok(["thumbprint", "key.pem"]);
    for file in ["request.pem", "request.der"] {
        assert_eq!(sandbox.ok(["thumbprint", file]), thumbprint, "{file}");
    }
    let mut der = std::fs::read(sandbox.path().join("request.der")).expect("a request");
    let last = der.len() - 1;
    der[last] ^= 1;
    let file = sandbox.write("forged.der", der);
    let run = sandbox.run(["set", "api", &file]).fails(5);
    assert!(
        run.stderr.contains("not signed with its own key"),
        "{run:#?}"
    );
    assert!(sandbox.store_entries().is_empty());
}

/// The encryption that older tools put around PKCS#1 and SEC1.
#[test]
fn traditional_encryption_is_read() {
    if !has_tool("openssl") {
        return;
    }
    let sandbox = authority();
    sandbox.write("password", "pässwörd\n");
    sandbox.shell("openssl genrsa -out rsa.pem 2048").ok();
    for (kind, key) in [("rsa", "rsa.pem"), ("ec", "key.pem")] {
        let thumbprint = sandbox.ok(["thumbprint", key]);
        for cipher in ["aes128", "aes192", "aes256", "des3"] {
            let line = format!(
                "openssl {kind} -in {key} -{cipher} -traditional -passout file:password -out out.pem ||
                 openssl {kind} -in {key} -{cipher} -passout file:password -out out.pem"
            );
            sandbox.shell(&line).ok();
            let text = std::fs::read_to_string(sandbox.path().join("out.pem")).expect("a key");
            assert!(text.contains("DEK-Info"), "{kind} {cipher}: {text}");
            let read = sandbox.ok(["thumbprint", "out.pem", "--password-file", "password"]);
            assert_eq!(read, thumbprint, "{kind} {cipher}");
            let wrong = sandbox.write("wrong", "password");
            let run = sandbox
                .run(["set", "api", "out.pem", "--password-file", &wrong])
                .fails(7);
            assert!(
                run.stderr
                    .contains("the password is wrong, or the file is damaged"),
                "{run:#?}"
            );
        }
    }
    assert!(sandbox.store_entries().is_empty());
}

/// A CA that changes its key keeps its name. The signature tells which of its certificates is meant.
#[test]
fn a_chain_follows_the_signature_where_two_issuers_have_one_name() {
    if !has_tool("openssl") {
        return;
    }
    let sandbox = Sandbox::new();
    sandbox
        .shell(
            "set -e
             for ca in old new; do
                 openssl req -x509 -newkey ed25519 -nodes -keyout $ca.key -subj /CN=ca -out $ca.pem \\
                     -addext subjectKeyIdentifier=none
             done
             openssl req -new -newkey ed25519 -nodes -keyout key.pem -subj /CN=api -out request.pem
             openssl x509 -req -in request.pem -CA new.pem -CAkey new.key -CAcreateserial -out leaf.pem",
        )
        .ok();
    let chain = ["leaf.pem", "new.pem"].map(|file| x5c(&sandbox, file));
    for (i, files) in ["old.pem new.pem", "new.pem old.pem"]
        .into_iter()
        .enumerate()
    {
        let line = format!("set s{i} key.pem leaf.pem {files}");
        sandbox.ok(line.split(' '));
        let set = sandbox.json(["get", &format!("s{i}"), "--private"]);
        let keys = set["keys"].as_array().expect("keys");
        let private = keys.iter().find(|key| key.get("d").is_some());
        let private = private.expect("a private key");
        assert_eq!(private["x5c"], serde_json::json!(chain), "{files}");
    }
}
