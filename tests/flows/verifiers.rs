//! The verifiers that a set declares: when they are heard, where the declaration comes from, and where it
//! does not go.

use crate::hydra::site::Site;
use crate::servers::plain::Plain;
use crate::support::Sandbox;
use serde_json::{Value, json};

const REFUSED: &str = "refuses the whole set";

/// A set with an RS256 key that declares jwx.
fn declared() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.ok(["create", "api", "--alg", "RS256", "--kid", "first"]);
    let run = sandbox.run(["set", "api", "--verifiers", "jwx"]).ok();
    assert_eq!(run.stderr, "set api: declares the verifiers jwx\n");
    sandbox
}

#[test]
fn declared_verifiers_are_heard_before_a_key_takes_them_down() {
    let sandbox = declared();
    let heard = |line: &str| {
        let run = sandbox.run(line.split(' ')).ok();
        assert_eq!(run.stderr.matches(REFUSED).count(), 1, "{run:#?}");
    };
    let unheard = |line: &str| {
        let run = sandbox.run(line.split(' ')).ok();
        assert!(!run.stderr.contains("warning"), "{run:#?}");
    };
    unheard("create api --alg ES256 --kid second");
    unheard("check api");
    heard("create api --alg ML-DSA-65 --kid pq");
    let found = sandbox.run(["check", "api"]).fails(5);
    assert!(
        found
            .stdout
            .contains("jwx 3.4.0 refuses the whole set: this key has the alg ML-DSA-65"),
        "{found:#?}"
    );
    // What is given counts in place of what is declared.
    unheard("check api --for jwcrypto@1.6.1");
    unheard("set api --verifiers none");
    unheard("check api");
    unheard("create api --alg ML-DSA-65 --kid another");
    heard("set api --verifiers jwx");
}

#[test]
fn a_rotation_to_another_algorithm_warns() {
    let sandbox = declared();
    let rotate = |alg: &str| {
        let line = ["rotate", "api", "--alg", alg, "--publish-delay", "1h"];
        sandbox
            .run([&line[..], &["--retire-after", "24h"]].concat())
            .ok()
    };
    let run = rotate("ES256K");
    assert!(run.stderr.contains("warning: api: key "), "{run:#?}");
    assert!(run.stderr.contains(REFUSED), "{run:#?}");
    // Nothing is staged the second time.
    let again = rotate("ES256K");
    assert!(!again.stderr.contains(REFUSED), "{again:#?}");
}

#[test]
fn a_push_warns_and_sends_no_declaration() {
    let site = Site::newest();
    site.ok("create api --alg RS256 --kid first");
    site.ok("set api --verifiers node-jose,pyjwt");
    let run = site.run("push api prod --yes").ok();
    assert!(!run.stderr.contains("warning"), "{run:#?}");
    site.ok("create api --alg EdDSA --kid new");
    let run = site.run("push api prod --dry-run").ok();
    let warning = r#"warning: prod:api: key "new": node-jose 2.2.0 refuses the whole set"#;
    assert!(run.stderr.contains(warning), "{run:#?}");
    let calls = format!("{:?}", site.hydra.server.calls());
    assert!(!calls.contains("jwks_verifiers"), "{calls}");
}

#[test]
fn a_foreign_document_declares_nothing() {
    let sandbox = declared();
    let key = sandbox.json(["get", "api", "first"]);
    let document = json!({"keys": [key], "jwks_verifiers": ["jose"], "other": 1});
    let file = sandbox.write("foreign.json", document.to_string());
    let web = Plain::start();
    web.serve("/jwks.json", document);
    let url = web.url("/jwks.json");
    for line in [
        vec!["set", "api", &file],
        vec!["set", "fresh", &file],
        vec!["set", "api", &file, "--replace", "--yes", "--force"],
        vec!["set", "fresh", &file, "--replace"],
        vec!["pull", &url, "pulled"],
    ] {
        sandbox.run(&line).ok();
    }
    let member = |set: &str| {
        let set: Value = serde_json::from_str(&sandbox.read_set(set)).expect("JSON");
        assert_eq!(set["other"], 1);
        set["jwks_verifiers"].clone()
    };
    assert_eq!(member("api"), json!(["jwx"]));
    assert_eq!(member("fresh"), Value::Null);
    assert_eq!(member("pulled"), Value::Null);
}

#[test]
fn a_declaration_is_not_published() {
    let sandbox = declared();
    for line in [
        vec!["export", "api"],
        vec!["export", "api", "--keep-members"],
        vec!["get", "api"],
        vec!["export", "api", "--private", "--to", "jwk"],
    ] {
        let run = sandbox.run(&line).ok();
        let all = run.stdout + &run.stderr;
        assert!(!all.contains("jwks_verifiers"), "{all}");
    }
    let backup = sandbox.json(["export", "api", "--private"]);
    assert_eq!(backup["jwks_verifiers"], json!(["jwx"]));
}

#[test]
fn an_encrypted_set_declares_verifiers() {
    let sandbox = declared();
    sandbox.write("passphrase", "correct horse battery staple");
    let with = ["--passphrase-file", "passphrase"];
    sandbox.ok([
        &["passwd", "api"][..],
        &["--new-passphrase-file", "passphrase"],
    ]
    .concat());
    let line = ["create", "api", "--alg", "ES256K", "--kid", "k"];
    let run = sandbox.run([&line[..], &with].concat()).ok();
    assert!(run.stderr.contains(REFUSED), "{run:#?}");
    let found = sandbox.run([&["check", "api"][..], &with].concat());
    found.fails(5);
}

#[test]
fn an_undo_brings_the_former_declaration_back() {
    let sandbox = declared();
    sandbox.ok(["set", "api", "--verifiers", "jose"]);
    sandbox.ok(["undo", "api", "--yes"]);
    assert!(
        sandbox
            .read_set("api")
            .contains(r#""jwks_verifiers": ["jwx"]"#)
    );
}

/// A document that is published as it is counts as it is.
#[test]
fn a_document_of_public_keys_counts_as_it_is() {
    let sandbox = Sandbox::new();
    let document = r#"{"keys":[{"kty":"XYZ","kid":"odd"}]}"#;
    let file = sandbox.write("odd.json", document);
    let rules = |more: &[&str]| {
        let line = [&["check", &file, "--json", "--for", "jwx"], more].concat();
        sandbox.run(line).json()["findings"].to_string()
    };
    assert!(rules(&[]).contains("verifier-refuses"));
    // A private key beside it means that the file itself is not published.
    let private = document.replace("[{", r#"[{"kty":"oct","k":"AAAA","kid":"s"},{"#);
    sandbox.write("odd.json", private);
    assert!(!rules(&[]).contains("verifier-"));
    assert!(rules(&["--public"]).contains("verifier-refuses"));
}

/// A later version of jwks can know another version of a verifier.
#[test]
fn a_declared_verifier_that_is_unknown_is_only_a_warning() {
    let sandbox = declared();
    let set = sandbox
        .read_set("api")
        .replace("[\"jwx\"]", "[\"jwx@1.0.0\",\"jwx\"]");
    sandbox.write("store/api.json", set);
    let warning = "warning: api: unknown version \"1.0.0\" of jwx";
    let run = sandbox.run(["check", "api"]).ok();
    assert!(run.stderr.contains(warning), "{run:#?}");
    let run = sandbox.run(["create", "api", "--alg", "ES256K"]).ok();
    assert!(run.stderr.contains(warning), "{run:#?}");
    assert!(run.stderr.contains(REFUSED), "{run:#?}");
}

#[test]
fn the_help_lists_every_verifier() {
    let sandbox = Sandbox::new();
    let file = sandbox.write("empty.json", r#"{"keys":[]}"#);
    let refused = sandbox
        .run(["check", &file, "--for", "?", "--json"])
        .fails(2);
    let hint = refused.error()["hint"].as_str().expect("a hint").to_owned();
    let names = hint.strip_prefix("verifiers: ").expect("names");
    let help = sandbox.ok(["check", "--help"]);
    let is_word = |name: &str| {
        let mut words = help.split(|c: char| c.is_whitespace() || ",.".contains(c));
        words.any(|word| word == name)
    };
    assert!(names.split(", ").count() > 20, "{names}");
    for name in names.split(", ") {
        assert!(is_word(name), "{name}");
    }
}
