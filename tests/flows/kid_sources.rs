//! Kids and digests that other programs compute, and members that other specifications define.

use crate::support::{Sandbox, has_tool};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;
use sha2::{Digest, Sha256};

#[test]
fn kids_are_those_that_others_compute() {
    let sandbox = Sandbox::new();
    sandbox.ok(["create", "api", "--alg", "RS256", "--kid", "a"]);
    sandbox.ok(["export", "api", "a", "--to", "der", "-o", "a.der"]);
    let file = sandbox.path().join("a.der");
    let spki = std::fs::read(&file).expect("the public key");
    let kid = URL_SAFE_NO_PAD.encode(Sha256::digest(spki));
    let printed = sandbox.ok(["thumbprint", "./a.der", "--kid-from", "spki"]);
    assert_eq!(printed.trim(), kid);
    assert_eq!(
        sandbox
            .ok(["set", "b", "./a.der", "--kid-from", "spki"])
            .trim(),
        kid
    );
    let rows = sandbox.json(["thumbprint", "api", "--kid-from", "spki", "--json"]);
    assert_eq!(rows["keys"][0]["digest"], kid);

    for from in ["x5t", "x5t#S256"] {
        let line = ["create", "c", "--x509", "--x5t", "--kid-from", from];
        let kid = sandbox.ok(line).trim().to_owned();
        let key = sandbox.json(["get", "c", "--", &kid]);
        assert_eq!(key[from], kid);
    }
    let run = sandbox.run(["create", "d", "--kid-from", "x5t"]).fails(5);
    assert!(run.stderr.contains("no certificate"), "{run:#?}");
    assert!(!sandbox.set_file("d").exists());
    sandbox
        .run(["thumbprint", "api", "--kid-from", "uuid"])
        .fails(2);
}

#[test]
fn the_alias_in_a_keystore_is_a_kid() {
    let sandbox = Sandbox::new();
    sandbox.ok(["create", "own", "--kid", "own", "--x509"]);
    sandbox.write("password", "secret\n");
    let protected = ["--password-file", "password"];
    let export = ["export", "own", "own", "--to", "pkcs12", "--private"];
    let to = ["--alias", "signing key", "-o", "own.p12"];
    sandbox.ok(export.iter().chain(&to).chain(&protected));
    let named = ["set", "api", "own.p12", "--kid-from", "alias"];
    let kid = sandbox.ok(named.iter().chain(&protected));
    assert_eq!(kid.trim(), "signing key");

    if has_tool("openssl") {
        let line = "openssl pkcs12 -in own.p12 -passin file:password -nodes -out own.all &&
            openssl pkcs12 -export -in own.all -name \"$(printf 'a\\033[31m')\" -passout file:password -out escape.p12";
        sandbox.shell(line).ok();
        let escape = ["set", "api", "escape.p12", "--kid-from", "alias"];
        let run = sandbox.run(escape.iter().chain(&protected)).fails(5);
        assert!(run.stderr.contains("cannot be a kid"), "{run:#?}");
    }

    // A key from elsewhere has no alias.
    sandbox.ok(["export", "own", "--to", "pem", "-o", "own.pem"]);
    let run = sandbox
        .run(["set", "other", "own.pem", "--kid-from", "alias"])
        .fails(5);
    assert!(run.stderr.contains("the key has no alias"), "{run:#?}");
    assert!(!sandbox.set_file("other").exists());
}

#[test]
fn two_keys_do_not_get_one_alias() {
    let sandbox = Sandbox::new();
    sandbox.write("password", "secret\n");
    sandbox.ok(["create", "own", "--count", "2"]);
    let kids = sandbox.ok(["list", "own", "--format", "names"]);
    for (i, kid) in kids.lines().enumerate() {
        let file = format!("{i}.p12");
        let line = ["export", "own", kid, "--to", "pkcs12", "--private"];
        let to = ["--alias", "1", "--password-file", "password", "-o", &file];
        sandbox.ok(line.iter().chain(&to));
    }
    let line = ["set", "api", "0.p12", "1.p12", "--kid-from", "alias"];
    let run = sandbox
        .run(line.iter().chain(&["--password-file", "password"]))
        .fails(4);
    assert!(run.stderr.contains("have the alias"), "{run:#?}");
}

#[test]
fn a_schedule_that_can_never_run_is_not_saved() {
    let sandbox = Sandbox::new();
    sandbox.ok(["create", "api"]);
    let rotate = ["rotate", "api", "--every", "30d", "--save"];
    let run = sandbox
        .run(rotate.iter().chain(&["--kid-from", "x5t"]))
        .fails(5);
    assert!(run.stderr.contains("no certificate"), "{run:#?}");
    assert!(!sandbox.store().join(".schedules.json").exists());
    // Only the lines that are rotated need a certificate.
    sandbox.ok(["create", "api", "--alg", "RS256", "--x509"]);
    let line = ["--kid-from", "x5t", "--line", "RS256"];
    sandbox.ok(rotate.iter().chain(&line));
}

#[test]
fn a_kid_that_no_import_takes_is_not_given() {
    let sandbox = Sandbox::new();
    let long = "a".repeat((64 << 10) + 1);
    sandbox.run(["create", "api", "--kid", &long]).fails(2);
    sandbox.ok(["create", "api", "--kid", "a"]);
    let rename = ["set", "api", "--kid", "a", "--rename", &long];
    let run = sandbox.run(rename).fails(2);
    assert!(run.stderr.contains("more than 65536 bytes"), "{run:#?}");
}

#[test]
fn no_kid_looks_like_an_option() {
    let sandbox = Sandbox::new();
    let line = ["create", "api", "--alg", "Ed25519", "--kid-from", "spki"];
    let kids = sandbox.ok(line.iter().chain(&["--count", "400"]));
    assert_eq!(kids.lines().count(), 400);
    assert!(kids.lines().all(|kid| !kid.starts_with('-')), "{kids}");
}

/// A kid is public, so it must not help to guess a weak secret.
#[test]
fn the_thumbprint_of_a_foreign_secret_is_no_kid() {
    let sandbox = Sandbox::new();
    let file = sandbox.write("secret.json", r#"{"kty":"oct","k":"cGFzc3dvcmQx"}"#);
    let set = ["set", "s", &file, "--kid-from"];
    let run = sandbox.run([&set[..], &["thumbprint"]].concat()).fails(4);
    assert!(run.stderr.contains("would help to guess it"), "{run:#?}");
    assert!(!sandbox.set_file("s").exists());
    sandbox.ok([&set[..], &["uuid"]].concat());
}

#[test]
fn a_key_keeps_the_kid_that_it_has() {
    let sandbox = Sandbox::new();
    sandbox.ok(["create", "own", "--kid", "mine"]);
    let key = sandbox.json(["get", "own", "mine"]);
    let file = sandbox.write("key.json", key.to_string());
    assert_eq!(
        sandbox.ok(["set", "s", &file, "--kid-from", "uuid"]),
        "mine\n"
    );
    sandbox.ok(["export", "own", "mine", "--to", "pem", "-o", "key.pem"]);
    let kid = sandbox.ok(["set", "t", "key.pem", "--kid-from", "date"]);
    assert_eq!(kid.trim().len(), "2026-11-20T12-00-00Z".len());
    sandbox.run(["set", "t", "--kid-from", "date"]).fails(2);
}

/// A rotation names its keys as the schedule says, and gives them the digests that the old key has.
#[test]
fn a_schedule_keeps_the_source_of_kids() {
    let sandbox = Sandbox::new();
    let line = ["create", "api", "--kid", "first", "--x509", "--x5t"];
    sandbox.ok(line);
    let line = [
        "rotate",
        "api",
        "--every",
        "30d",
        "--kid-from",
        "spki",
        "--save",
    ];
    sandbox.ok(line);
    sandbox.ok(["rotate", "api", "--force"]);
    let set = sandbox.json(["get", "api"]);
    let kids = sandbox.ok(["thumbprint", "api", "--kid-from", "spki"]);
    assert_eq!(set["keys"][1]["kid"], kids.lines().nth(1).expect("a kid"));
    assert!(set["keys"][1]["x5t"].is_string(), "{set}");
}

#[test]
fn a_digest_is_added_to_the_keys_of_a_set() {
    let sandbox = Sandbox::new();
    sandbox.ok(["create", "api", "--kid", "a", "--x509"]);
    assert_eq!(sandbox.json(["get", "api", "a"]).get("x5t"), None);
    sandbox.ok(["set", "api", "--x5t"]);
    assert!(sandbox.json(["get", "api", "a"])["x5t"].is_string());
    assert!(sandbox.ok(["check", "api"]).is_empty());
}

#[test]
fn a_public_check_reports_missing_alg_and_use() {
    let sandbox = Sandbox::new();
    sandbox.ok(["create", "own", "--kty", "RSA", "--kid", "a"]);
    sandbox.ok(["export", "own", "--to", "pem", "-o", "a.pem"]);
    let report = sandbox.json(["check", "a.pem", "--public", "--json"]);
    let rules = report["findings"].as_array().expect("findings");
    let rules: Vec<_> = rules.iter().map(|finding| &finding["rule"]).collect();
    assert_eq!(rules, ["alg-missing", "use-missing"]);
    let file = sandbox.write("empty.json", r#"{"keys":[]}"#);
    let report = sandbox.json(["check", &file, "--public", "--json"]);
    assert_eq!(report["findings"][0]["rule"], "set-empty");
    assert_eq!(report["warnings"], 1);
    sandbox
        .run(["check", &file, "--public", "--strict"])
        .fails(5);
    assert!(sandbox.ok(["check", &file]).is_empty());
}

/// SPIFFE's trust bundles have a use of their own, and members beside the keys.
#[test]
fn a_use_that_others_define_is_kept() {
    let sandbox = Sandbox::new();
    let line = ["create", "spiffe", "--kid", "a", "--use", "jwt-svid"];
    let run = sandbox.run(line).ok();
    assert!(run.stderr.contains("not registered"), "{run:#?}");
    let key = sandbox.json(["get", "spiffe", "a"]);
    assert_eq!(
        (&key["use"], &key["alg"]),
        (&json!("jwt-svid"), &json!("ES256"))
    );
    sandbox.ok(["rotate", "spiffe", "--force"]);
    let set = sandbox.json(["get", "spiffe"]);
    assert_eq!(set["keys"][1]["use"], "jwt-svid");
    let move_to = ["rotate", "spiffe", "--alg", "RS256"];
    let run = sandbox.run(move_to).fails(3);
    let hint = "pass --use jwt-svid to move line ES256";
    assert!(run.stderr.contains(hint), "{run:#?}");
    sandbox.ok(move_to.iter().chain(&["--use", "jwt-svid"]));
    let set = sandbox.json(["get", "spiffe"]);
    let last = set["keys"].as_array().and_then(|keys| keys.last());
    let last = last.expect("a key");
    assert_eq!(
        (&last["use"], &last["alg"]),
        (&json!("jwt-svid"), &json!("RS256"))
    );
    let run = sandbox
        .run(["set", "spiffe", "--kid", "a", "--use", "sgi"])
        .ok();
    assert!(run.stderr.contains("did you mean sig?"), "{run:#?}");
    sandbox.run(["set", "spiffe", "--use", ""]).fails(2);
}

#[test]
fn members_of_a_published_set_are_kept_on_request() {
    let sandbox = Sandbox::new();
    sandbox.ok(["create", "own", "--kid", "a"]);
    let mut key = sandbox.json(["get", "own", "a", "--private"]);
    key["revoked"] = json!({ "revoked_at": 7 });
    key["note"] = json!("kept");
    let bundle = json!({ "spiffe_sequence": 1, "keys": [key], "spiffe_refresh_hint": 300 });
    sandbox.write("store/bundle.json", bundle.to_string());
    let run = sandbox.run(["export", "bundle"]).ok();
    let note = "left out of the public form: note, revoked, spiffe_refresh_hint, spiffe_sequence; \
                pass --keep-members to keep them\n";
    assert_eq!(run.stderr, note);
    let one = sandbox.run(["export", "bundle", "a", "--to", "jwk"]).ok();
    let note = "left out of the public form: note, revoked; pass --keep-members to keep them\n";
    assert_eq!(one.stderr, note);
    let pem = sandbox.run(["export", "bundle", "--to", "pem"]).ok();
    assert_eq!(pem.stderr, "");
    let plain = run.json();
    assert_eq!(plain.as_object().expect("a set").len(), 1);
    assert_eq!(plain["keys"][0].get("note"), None);
    let kept = sandbox.json(["export", "bundle", "--keep-members"]);
    assert_eq!(
        (&kept["spiffe_sequence"], &kept["spiffe_refresh_hint"]),
        (&json!(1), &json!(300))
    );
    let kept = &kept["keys"][0];
    assert_eq!(
        (&kept["note"], &kept["revoked"]),
        (&key["note"], &key["revoked"])
    );
    assert_eq!(kept.get("d"), None);
    sandbox
        .run(["export", "bundle", "--keep-members", "--to", "pem"])
        .fails(2);
}
