//! Keys and certificates in several files, and files of which jwks can use a part.

use crate::support::{Run, Sandbox, case, has_tool, vectors};
use serde_json::{Value, json};

/// The keys of a set with their private parts.
fn keys(sandbox: &Sandbox, set: &str) -> Vec<Value> {
    let set = sandbox.json(["get", set, "--private"]);
    set["keys"].as_array().expect("keys").clone()
}

fn chain_length(key: &Value) -> usize {
    key["x5c"].as_array().map_or(0, Vec::len)
}

#[track_caller]
fn warns(run: &Run, words: &str) {
    let warnings = run
        .stderr
        .lines()
        .filter(|line| line.starts_with("warning: "));
    let found = warnings.filter(|line| line.contains(words)).count();
    assert_eq!(found, 1, "{words}: {run:#?}");
}

/// What certbot, nginx and Kubernetes hand out: a key in one file, its certificates in others.
#[test]
fn a_key_and_its_certificate_join_across_files() {
    let sandbox = Sandbox::new();
    let (key, chain) = (case("03", "privkey.pem"), case("03", "fullchain.pem"));
    for (set, files) in [("a", [&key, &chain]), ("b", [&chain, &key])] {
        let run = sandbox
            .run(["set", set, files[0], files[1], "--kid", "web"])
            .ok();
        assert_eq!(
            (&*run.stdout, &*run.stderr),
            ("web\n", &*format!("set {set}: 1 added\n"))
        );
        let [key] = &keys(&sandbox, set)[..] else {
            panic!("not one key");
        };
        assert!(key.get("d").is_some() && chain_length(key) == 1, "{key}");
    }
    let run = sandbox.run(["set", "c", &key, &chain]).ok();
    assert_eq!(run.stderr, "set c: 1 added\n");
}

/// A sandbox with the keys `a.key` and `b.key`, their certificates `a.pem` and `b.pem` from an
/// authority between them and the root, and an unrelated certificate `other.pem`.
fn with_authority() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox
        .shell(
            "set -e
             openssl req -x509 -newkey ed25519 -nodes -keyout root.key -subj /CN=root -out root.pem
             openssl req -new -newkey ed25519 -nodes -keyout ca.key -subj /CN=ca -out ca.csr
             echo 'basicConstraints=critical,CA:TRUE' > ext
             openssl x509 -req -in ca.csr -CA root.pem -CAkey root.key -CAcreateserial -extfile ext -out ca.pem
             for name in a b; do
                 openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out $name.key
                 openssl req -new -key $name.key -subj /CN=$name -out $name.csr
                 openssl x509 -req -in $name.csr -CA ca.pem -CAkey ca.key -CAcreateserial -out $name.pem
             done
             openssl req -x509 -newkey ed25519 -nodes -keyout other.key -subj /CN=other -out other.pem
             cat ca.pem root.pem > chain.pem
             printf 'secret\\n' > password && chmod 600 password
             openssl pkcs12 -export -inkey a.key -nocerts -passout pass:secret -out a.p12",
        )
        .ok();
    sandbox
}

/// Whichever files the key, its certificate and the chain stand in, and in whichever form the key
/// is, one key with its whole chain comes out.
#[test]
fn three_files_are_one_key_in_any_order_and_form() {
    if !has_tool("openssl") {
        return;
    }
    let sandbox = with_authority();
    sandbox.ok(["set", "jwk", "a.key", "--kid", "own", "--alg", "ES256"]);
    sandbox
        .shell("jwks get jwk --private > set.json && jwks get jwk own --private > a.json")
        .ok();
    for (i, (files, kid)) in [
        (["a.key", "a.pem", "chain.pem"], None),
        (["chain.pem", "a.pem", "a.key"], None),
        (["a.pem", "a.key", "chain.pem"], None),
        (["a.p12", "chain.pem", "a.pem"], None),
        (["a.json", "a.pem", "chain.pem"], Some("own")),
        (["chain.pem", "set.json", "a.pem"], Some("own")),
    ]
    .into_iter()
    .enumerate()
    {
        let thumbprint = sandbox.ok(["thumbprint", "a.key"]);
        let password = ["--password-file", "password"];
        let set = format!("s{i}");
        let run = sandbox
            .run(["set", &set].into_iter().chain(files).chain(password))
            .ok();
        assert!(!run.stderr.contains("warning"), "{files:?}: {run:#?}");
        let [key] = &keys(&sandbox, &set)[..] else {
            panic!("{files:?}: not one key");
        };
        assert_eq!(key["kid"], kid.unwrap_or(thumbprint.trim()), "{files:?}");
        assert!(
            key.get("d").is_some() && chain_length(key) == 3,
            "{files:?}: {key}"
        );
        sandbox.ok(["check", &set]);
    }
}

#[test]
fn several_keys_find_their_own_certificates() {
    if !has_tool("openssl") {
        return;
    }
    let sandbox = with_authority();
    let files = ["b.pem", "a.key", "other.pem", "chain.pem", "a.pem", "b.key"];
    let run = sandbox.run(["set", "api"].into_iter().chain(files)).ok();
    assert!(!run.stderr.contains("warning"), "{run:#?}");
    let found: Vec<_> = keys(&sandbox, "api");
    let found = found
        .iter()
        .map(|key| (key.get("d").is_some(), chain_length(key)));
    let mut found: Vec<_> = found.collect();
    found.sort_unstable();
    // A certificate in a file of its own that is of neither key is still a public key.
    assert_eq!(found, [(false, 1), (true, 3), (true, 3)]);
    // In the file of a private key it is somebody else's, as in one file.
    sandbox.shell("cat a.key other.pem > mixed.pem").ok();
    let run = sandbox.run(["set", "mixed", "mixed.pem", "a.pem"]).ok();
    warns(
        &run,
        "mixed.pem: the certificate of CN=other belongs to none of the private keys",
    );
    assert_eq!(keys(&sandbox, "mixed").len(), 1);
    // A JWK keeps the certificate that it has.
    sandbox
        .shell("jwks set old a.key a.pem --kid old && jwks get old --private > old.json")
        .ok();
    sandbox
        .shell("openssl x509 -req -in a.csr -CA ca.pem -CAkey ca.key -CAcreateserial -out new.pem")
        .ok();
    let run = sandbox.run(["set", "kept", "old.json", "new.pem"]).ok();
    warns(
        &run,
        "new.pem: the certificate of CN=a is left out: its key has another one in x5c",
    );
    assert_eq!(keys(&sandbox, "kept"), keys(&sandbox, "old"));
}

/// A block that is damaged, or not a key or certificate, does not affect the others.
#[test]
fn an_unusable_block_does_not_affect_the_others() {
    let run = Sandbox::new()
        .run(["set", "api", &case("04", "haproxy.pem")])
        .ok();
    warns(
        &run,
        "haproxy.pem: left out PEM block 3 (DH PARAMETERS): not a key or certificate",
    );
    let run = Sandbox::new()
        .run(["set", "api", &case("04", "tls-dh.json")])
        .ok();
    warns(
        &run,
        r#"left out "dhparam.pem" of the manifest: PEM block 1 (X9.42 DH PARAMETERS)"#,
    );
    let good = std::fs::read_to_string(case("04", "haproxy.pem")).expect("a bundle");
    let good = &good[..good.find("-----BEGIN DH").expect("a block")];
    let block = |label: &str, content: &str| {
        format!("-----BEGIN {label}-----\n{content}\n-----END {label}-----\n")
    };
    let damaged = block(
        "CERTIFICATE",
        "MIIDEzCCAfugAwIBAgIUR1+jcsfrU7rK1aw7086L5QPjm28=",
    );
    for (bad, words) in [
        (
            block("DSA PARAMETERS", "MAA="),
            "(DSA PARAMETERS): not a key",
        ),
        (
            block("SOMETHING ELSE", "MAA="),
            "(SOMETHING ELSE): not a key",
        ),
        (
            block("PKCS7", "MAA="),
            "(PKCS7): the content does not parse",
        ),
        (block("X509 CRL", "MAA="), "(X509 CRL): not a key"),
        (
            block("PUBLIC KEY", "MAA="),
            "(PUBLIC KEY): the content does not parse",
        ),
        (
            block("PRIVATE KEY", "MAA="),
            "(PRIVATE KEY): the content does not parse",
        ),
        (block("PRIVATE KEY", "M!A="), "(PRIVATE KEY): it is damaged"),
        (
            block("DSA PRIVATE KEY", "MAA="),
            "(DSA PRIVATE KEY): DSA keys",
        ),
        // X25519 is known, brainpoolP256r1 is not.
        (
            block(
                "PUBLIC KEY",
                "MFowFAYHKoZIzj0CAQYJKyQDAwIIAQEHA0IABAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
            ),
            "(PUBLIC KEY): unsupported curve brainpoolP256r1",
        ),
        (damaged, "(CERTIFICATE): the content does not parse"),
        (
            "-----BEGIN PRIVATE KEY-----\nMAA=\n".into(),
            "(PRIVATE KEY): it has no END line",
        ),
    ] {
        for bundle in [format!("{bad}{good}"), format!("{good}{bad}")] {
            let sandbox = Sandbox::new();
            let file = sandbox.write("bundle.pem", &bundle);
            let run = sandbox.run(["set", "api", &file]).ok();
            warns(&run, words);
            let [key] = &keys(&sandbox, "api")[..] else {
                panic!("{words}: not one key");
            };
            assert!(
                key.get("d").is_some() && chain_length(key) == 1,
                "{words}: {key}"
            );
        }
        // Alone it is an error that says what was found.
        let sandbox = Sandbox::new();
        let file = sandbox.write("bad.pem", &bad);
        let run = sandbox.run(["set", "api", &file]).fails(5);
        assert!(
            run.stderr.contains(words) && run.stderr.contains("hint: "),
            "{run:#?}"
        );
        assert!(sandbox.store_entries().is_empty());
    }
}

/// A certificate does not stand in for the private key beside it: a user who wants the key pair would
/// get a public key without noticing.
#[test]
fn a_damaged_private_key_does_not_become_a_public_one() {
    let sandbox = Sandbox::new();
    let key = std::fs::read_to_string(case("03", "privkey.pem")).expect("a key");
    let chain = std::fs::read_to_string(case("03", "fullchain.pem")).expect("a chain");
    let damaged = key.replacen("MII", "AAA", 1);
    let cut = &key[..key.len() / 2];
    for (name, content) in [
        ("damaged", format!("{damaged}{chain}")),
        ("last", format!("{chain}{damaged}")),
        ("cut", format!("{chain}{cut}")),
    ] {
        let file = sandbox.write(name, content);
        let run = sandbox.run(["set", "api", &file]).fails(5);
        assert!(run.stderr.contains("(PRIVATE KEY): "), "{name}: {run:#?}");
    }
    let manifest = json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "tls"},
        "stringData": {"tls.crt": chain, "tls.key": damaged},
    });
    let file = sandbox.write("tls.json", manifest.to_string());
    let run = sandbox.run(["set", "api", &file]).fails(5);
    assert!(
        run.stderr
            .contains(r#""tls.key" of the manifest: PEM block 1"#),
        "{run:#?}"
    );
    let file = sandbox.write("key.pem", &damaged);
    sandbox
        .run(["set", "api", &file, &case("03", "fullchain.pem")])
        .fails(5);
    assert!(sandbox.store_entries().is_empty());
    // Such a file is no earlier export that a new one may overwrite.
    let file = sandbox.write("out.pem", format!("{damaged}{chain}"));
    sandbox.ok(["create", "api"]);
    sandbox
        .run(["export", "api", "--to", "pem", "-o", &file])
        .fails(4);
}

#[test]
fn an_unusable_alias_does_not_affect_the_others() {
    for (file, count) in [("keys.p12", 4), ("keys.jks", 2)] {
        let sandbox = Sandbox::new();
        sandbox.write("password", "changeit\n");
        let store = case("05", file);
        let set = |more: &[&str]| {
            let arguments = ["set", "api", &store, "--password-file", "password"];
            sandbox.run(arguments.iter().chain(more))
        };
        let run = set(&[]).ok();
        warns(
            &run,
            r#"left out "dsak" of the keystore: DSA keys have no JWK form"#,
        );
        assert_eq!(keys(&sandbox, "api").len(), count);
        let run = set(&["--alias", "dsak"]).fails(5);
        assert!(
            run.stderr.contains(r#""dsak" of the keystore: DSA keys"#),
            "{run:#?}"
        );
        let run = set(&["--alias", "eck"]).ok();
        assert!(!run.stderr.contains("warning"), "{run:#?}");
        let run = set(&["--alias", "none"]).fails(3);
        assert!(
            run.stderr.contains(r#"its aliases: "dsak", "eck""#),
            "{run:#?}"
        );
        sandbox.write("password", "changedit\n");
        set(&[]).fails(7);
    }
}

#[test]
fn an_unusable_manifest_entry_does_not_affect_the_others() {
    let sandbox = Sandbox::new();
    sandbox.ok(["create", "own", "--kid", "own"]);
    let jwks = sandbox.ok(["get", "own"]);
    let key = std::fs::read_to_string(case("03", "privkey.pem")).expect("a key");
    let manifest = json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "api"},
        "data": {"base64.pem": "!", "bundle.p7b": "MAsGCSqGSIb3DQEHAg==", "old.jceks": "zs7OzgAA"},
        "stringData": {
            "broken.json": "{\"keys\": [{\"kty\":", "color": "blue", "jwks.json": jwks,
            "number": 7, "ssh.pub": "ssh-rsa AAAA", "tls.key": key,
        },
    });
    let file = sandbox.write("secret.json", manifest.to_string());
    let run = sandbox.run(["set", "api", &file]).ok();
    for entry in [
        "base64.pem",
        "broken.json",
        "bundle.p7b",
        "old.jceks",
        "number",
        "ssh.pub",
    ] {
        warns(
            &run,
            &format!("secret.json: left out {entry:?} of the manifest"),
        );
    }
    assert!(!run.stderr.contains("color"), "{run:#?}");
    assert_eq!(keys(&sandbox, "api").len(), 2);
    // A document without content, as a last separator makes one, is passed over.
    let yaml = format!(
        "apiVersion: v1\nkind: ConfigMap\ndata:\n  jwks.json: '{}'\n---\n",
        jwks.replace('\n', " ")
    );
    let file = sandbox.write("map.yaml", yaml);
    sandbox.ok(["set", "map", &file]);
}

#[test]
fn an_unusable_line_does_not_affect_the_others() {
    let sandbox = Sandbox::new();
    let key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAINdamAGCsQq31Uv+08lkBzoO4XLz2qYjJa8CGmj3B1Ea";
    let dsa = "ssh-dss AAAAB3NzaC1kc3MAAAABAQ==";
    let file = sandbox.write(
        "keys",
        format!("# mine\n{dsa} old\n\n{key} me@example\nssh-rsa AAAA\n"),
    );
    let run = sandbox.run(["set", "api", &file]).ok();
    warns(&run, "keys: left out line 2: ");
    warns(&run, "keys: left out line 5: ");
    assert_eq!(keys(&sandbox, "api").len(), 1);
    let file = sandbox.write("none", format!("{dsa}\n"));
    let run = sandbox.run(["set", "none", &file]).fails(5);
    assert!(run.stderr.contains("line 1: "), "{run:#?}");
}

/// An element of a JWK Set that is not an object is left out. The others are imported.
#[test]
fn an_element_that_is_not_a_key_does_not_affect_the_others() {
    let sandbox = Sandbox::new();
    sandbox.ok(["create", "own", "--kid", "own"]);
    let own = sandbox.ok(["get", "own", "own"]);
    let file = sandbox.write("set.json", format!("{{\"keys\":[7,{own},null]}}"));
    let run = sandbox.run(["set", "api", &file]).ok();
    for i in [0, 2] {
        let words = format!("left out key {i}: it is not a JSON object (key-not-object)");
        assert!(run.stderr.contains(&words), "{run:#?}");
    }
    assert_eq!(keys(&sandbox, "api").len(), 1);
    let file = sandbox.write("none.json", "{\"keys\":[7]}");
    sandbox.run(["set", "none", &file]).fails(5);
    sandbox.ok(["set", "kept", &file, "--allow-invalid"]);
}

/// A hostile file cannot flood the terminal with warnings.
#[test]
fn the_warnings_of_one_command_are_bounded() {
    let sandbox = Sandbox::new();
    let key = std::fs::read_to_string(case("03", "privkey.pem")).expect("a key");
    let bad = "-----BEGIN X-----\nMAA=\n-----END X-----\n".repeat(5000);
    let file = sandbox.write("bad.pem", format!("{bad}{key}"));
    let run = sandbox.run(["set", "api", &file]).ok();
    assert_eq!(run.stderr.lines().count(), 22, "{run:#?}");
    assert!(
        run.stderr.contains("warning: left out 4980 more"),
        "{run:#?}"
    );
    let file = sandbox.write("bad.pem", bad);
    let run = sandbox.run(["set", "none", &file]).fails(5);
    assert!(run.stderr.contains("and 4995 more"), "{run:#?}");
}

/// ring 0.14 to 0.16 tagged the public key of Ed25519 as no other writer does.
#[test]
fn a_key_that_ring_wrote_is_read() {
    let sandbox = Sandbox::new();
    sandbox.ok(["set", "api", &case("11", "ed-v2-ring.pem")]);
    let [key] = &keys(&sandbox, "api")[..] else {
        panic!("not one key");
    };
    assert_eq!(key["x"], "BXKHSJu8x3LgawUwCvwGVRz-Rfgsp4AGDWUbTAB-G0M");
    sandbox.ok(["check", "api"]);
}

/// Hydra 1.x lists each key as two entries, with one kid for each half.
#[test]
fn a_hydra_1_dump_gives_its_key_pairs() {
    let sandbox = Sandbox::new();
    let run = sandbox
        .run(["set", "api", &case("25", "hydra-v1.json")])
        .ok();
    assert_eq!(
        (&*run.stdout, &*run.stderr),
        ("public:abc\n", "set api: 1 added\n")
    );
    let rows = sandbox.json(["list", "api", "--json"])["keys"].clone();
    assert_eq!(
        (&rows[0]["state"], &rows[0]["private"]),
        (&json!("active"), &json!(true))
    );
    // Once more it is the same.
    let run = sandbox
        .run(["set", "api", &case("25", "hydra-v1.json")])
        .ok();
    assert_eq!(run.stderr, "set api: 1 unchanged\n");
}

#[test]
fn keys_in_several_formats_are_read_from_one_file() {
    let sandbox = Sandbox::new();
    sandbox.ok(["create", "own", "--alg", "EdDSA", "--count", "3"]);
    let kids = sandbox.ok(["list", "own", "--format", "names"]);
    let kids: Vec<_> = kids.lines().collect();
    let export = |kid: &str, to: &str| sandbox.ok(["export", "own", kid, "--to", to]);
    let (pem, ssh) = (export(kids[0], "pem"), export(kids[1], "openssh"));
    let jwk = export(kids[2], "jwk");
    let damaged = "-----BEGIN PUBLIC KEY-----\nMCowBQ\n-----END PUBLIC KEY-----\n";
    for text in [
        format!("# mine\n{pem}\n{ssh}{damaged}{jwk}"),
        format!("{jwk}\n{damaged}{ssh}# mine\n{pem}"),
    ] {
        let file = sandbox.write("all", &text);
        let run = sandbox.run(["list", &file, "--format", "names"]).ok();
        let mut found: Vec<_> = run.stdout.lines().collect();
        found.sort_unstable();
        let mut expected = kids.clone();
        expected.sort_unstable();
        assert_eq!(found, expected, "{run:#?}");
        assert!(run.stderr.contains("several formats"), "{run:#?}");
        warns(&run, "PEM block 1 (PUBLIC KEY)");
    }
}

#[test]
fn a_file_without_a_usable_key_is_skipped_on_request() {
    let sandbox = Sandbox::new();
    let dsa = vectors().join("generated/unsupported/dsa2048.pem");
    let good = vectors().join("generated/p256/p256.spki.pem");
    let (dsa, good) = (dsa.to_str().expect("UTF-8"), good.to_str().expect("UTF-8"));
    sandbox.run(["set", "api", dsa, good]).fails(5);
    assert!(!sandbox.set_file("api").exists());
    let run = sandbox
        .run(["set", "api", dsa, good, "--skip-invalid"])
        .ok();
    let warning = format!("left out {dsa}: PEM block 1 (PRIVATE KEY): DSA keys have no JWK form");
    warns(&run, &warning);
    assert_eq!(keys(&sandbox, "api").len(), 1);
    // Alone, or among others of its kind, it is an error.
    for files in [&[dsa][..], &[dsa, dsa]] {
        let set = ["set", "none", "--skip-invalid"];
        sandbox.run(set.iter().chain(files)).fails(5);
    }
    assert!(!sandbox.set_file("none").exists());
}

#[test]
fn a_broken_line_of_json_lines_does_not_affect_the_others() {
    let sandbox = Sandbox::new();
    let lines = r#"{"kty":"oct","k":"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr8","kid":"a"}
{"kty":"oct","k":"AyM1Sys
{"kty":"oct","kty":"oct","k":"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr8"}
# the other
{"kty":"oct","k":"FdFYFzERwC2uCBB46pZQi4GG85LujR8obt-KWRBICVQ","kid":"b"}
"#;
    let file = sandbox.write("keys.jsonl", lines);
    let run = sandbox.run(["list", &file, "--format", "names"]).ok();
    assert_eq!(run.stdout, "a\nb\n");
    warns(&run, "line 2: it is not JSON");
    warns(&run, "left out line 3");
    warns(&run, "line 4: it is not JSON");
    // The thumbprint of a secret would help to guess it.
    let file = sandbox.write("nameless.json", r#"{"kty":"oct","k":"c2VjcmV0"}"#);
    let run = sandbox.run(["list", &file, "--format", "names"]).ok();
    assert_eq!(run.stdout, "");
    warns(&run, "left out 1 key without a kid that is one word");
}
