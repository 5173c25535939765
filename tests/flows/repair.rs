//! `set --repair`: keys that others wrote in another form become canonical, and nothing else changes.

use crate::support::{Run, Sandbox, case};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

/// A sandbox, and a key pair that it has made with the kid `own`.
fn with_key(alg: &str) -> (Sandbox, Value) {
    let sandbox = Sandbox::new();
    sandbox.ok(["create", "own", "--kid", "own", "--alg", alg]);
    let key = sandbox.json(["get", "own", "own", "--private"]);
    (sandbox, key)
}

/// The base64url text of a member, with a zero byte before its number.
fn with_zero(key: &Value, name: &str) -> Value {
    let text = key[name].as_str().expect("a text");
    let octets = URL_SAFE_NO_PAD.decode(text).expect("base64url");
    URL_SAFE_NO_PAD.encode([&[0], &octets[..]].concat()).into()
}

fn thumbprint(sandbox: &Sandbox, key: &Value) -> String {
    let file = sandbox.write("one.json", key.to_string());
    sandbox.ok(["thumbprint", &file]).trim().to_owned()
}

#[track_caller]
fn assert_says(run: &Run, texts: &[&str]) {
    for text in texts {
        assert!(run.stderr.contains(text), "{text}: {run:#?}");
    }
}

#[test]
fn a_damaged_key_in_a_file_is_repaired() {
    type Damage = fn(&mut Value);
    let damages: [(&str, &str, Damage); 9] = [
        ("RS256", "uint-leading-zero", |key| {
            key["n"] = with_zero(key, "n")
        }),
        ("RS256", "base64url-padding", |key| {
            key["n"] = format!("{}==", key["n"].as_str().expect("n")).into();
        }),
        ("RS256", "base64url-alphabet", |key| {
            let n = key["n"].as_str().expect("n").replace('-', "+");
            key["n"] = n.replace('_', "/").into();
            key["e"] = "AQ\nAB".into();
        }),
        ("RS256", "kty-unknown", |key| key["kty"] = "RSA-HSM".into()),
        ("RS256", "member-foreign", |key| key["crv"] = "P-256".into()),
        ("RS256", "rsa-crt-missing", |key| {
            let key = key.as_object_mut().expect("a key");
            key.retain(|name, _| !["dp", "dq", "qi"].contains(&&**name));
        }),
        ("ES256K", "crv-name", |key| key["crv"] = "P-256K".into()),
        ("ES256", "coordinate-length", |key| {
            key["x"] = with_zero(key, "x")
        }),
        ("ES256", "member-missing", |key| {
            key.as_object_mut().expect("a key").remove("y");
        }),
    ];
    for (alg, rule, damage) in damages {
        let (sandbox, key) = with_key(alg);
        let mut damaged = key.clone();
        damage(&mut damaged);
        let file = sandbox.write("key.json", damaged.to_string());
        let run = sandbox.run(["set", "s", &file, "--repair"]).ok();
        assert_says(&run, &["repaired own: ", &format!("({rule})"), "1 added"]);
        assert_eq!(
            sandbox.json(["get", "s", "own", "--private"]),
            key,
            "{rule}"
        );
        let checked = sandbox.run(["check", &file, "--json"]).json();
        let findings = checked["findings"].as_array().expect("findings");
        let found = findings.iter().find(|finding| finding["rule"] == rule);
        assert_eq!(found.expect("the rule")["repairable"], true, "{checked}");
    }
}

/// Documents as services publish them.
#[test]
fn broken_members_of_good_keys_are_repaired() {
    for (number, file, rule) in [
        ("06", "04-x5c-pem.json", "x5c-form"),
        ("06", "22-exp-ms.json", "member-type"),
        ("06", "24-key-ops-string.json", "member-type"),
        ("08", "x5t-hex.json", "x5t-"),
    ] {
        let sandbox = Sandbox::new();
        let run = sandbox
            .run(["set", "s", &case(number, file), "--repair"])
            .ok();
        assert_says(&run, &["repaired ", rule]);
        assert!(!run.stderr.contains("left out"), "{run:#?}");
        let run = sandbox.run(["check", "s"]).ok();
        assert!(!run.stdout.contains("repairable"), "{run:#?}");
    }
}

#[test]
fn a_published_thumbprint_changes_only_with_a_confirmation() {
    let (sandbox, key) = with_key("RS256");
    let mut damaged = key.clone();
    damaged["n"] = with_zero(&key, "n");
    let file = sandbox.write("key.json", damaged.to_string());
    sandbox.ok(["set", "api", &file, "--allow-invalid"]);
    let before = sandbox.read_set("api");
    let run = sandbox.run(["set", "api", "--repair"]).fails(4);
    let new = thumbprint(&sandbox, &key);
    assert_says(&run, &["own from ", &format!(" to {new}"), "--yes"]);
    assert_eq!(sandbox.read_set("api"), before);

    let report = sandbox.json(["set", "api", "--repair", "--yes", "--json"]);
    let old = report["repaired"][0]["former_thumbprint"].as_str();
    let old = old.expect("the old thumbprint");
    assert!(old != new, "{report}");
    assert_says(&run, &[old]);
    let repaired = json!([{
        "kid": "own", "thumbprint": new, "former_thumbprint": old, "rules": ["uint-leading-zero"]
    }]);
    assert_eq!(report["repaired"], repaired);
    assert_eq!(sandbox.json(["get", "api", "own", "--private"]), key);
    assert!(sandbox.ok(["check", "api"]).is_empty());
    let again = sandbox.json(["set", "api", "--repair", "--json"]);
    assert_eq!(again["repaired"], json!([]));
    assert_eq!(again["updated"], json!([]));
}

#[test]
fn a_doubtful_key_is_not_changed() {
    let (sandbox, key) = with_key("ES256");
    let mut good = key.clone();
    good["x"] = with_zero(&key, "x");
    let mut doubtful = key.clone();
    doubtful["kid"] = "doubtful".into();
    doubtful["x"] = with_zero(&key, "y");
    let set = json!({ "keys": [good, doubtful] }).to_string();
    let file = sandbox.write("keys.json", &set);
    let run = sandbox.run(["set", "api", &file, "--repair"]).fails(5);
    assert_says(&run, &["cannot be repaired", "point-not-on-curve"]);
    assert!(!sandbox.set_file("api").exists());

    sandbox.ok(["set", "api", &file, "--allow-invalid"]);
    let before = sandbox.read_set("api");
    let run = sandbox.run(["set", "api", "--repair", "--yes"]).fails(5);
    assert_says(&run, &["doubtful", "cannot be repaired", "--kid"]);
    assert_eq!(sandbox.read_set("api"), before);
    sandbox.ok(["set", "api", "--repair", "--kid", "own", "--yes"]);
    assert_eq!(sandbox.json(["get", "api", "own", "--private"]), key);
}

#[test]
fn an_encrypted_set_is_repaired() {
    let (sandbox, key) = with_key("ES256");
    let mut half = key.clone();
    half.as_object_mut().expect("a key").remove("x");
    let file = sandbox.write("key.json", half.to_string());
    sandbox.write("pass", "correct horse\n");
    let passphrase = ["--passphrase-file", "pass"];
    let run = |line: &[&str]| sandbox.run(line.iter().chain(&passphrase)).ok();
    run(&["set", "api", &file, "--allow-invalid", "--encrypt"]);
    assert_says(
        &run(&["set", "api", "--repair"]),
        &["repaired own: ", "own"],
    );
    let stored: Value = run(&["get", "api", "own", "--private"]).json();
    assert_eq!(stored, key);
}

#[test]
fn an_export_repairs_a_file() {
    let (sandbox, key) = with_key("ES256");
    let mut broken = key.clone();
    broken["x"] = with_zero(&key, "x");
    let mut doubtful = key.clone();
    doubtful["kid"] = "doubtful".into();
    doubtful["x"] = with_zero(&key, "y");
    let set = json!({ "keys": [broken, doubtful] }).to_string();
    let file = sandbox.write("keys.json", &set);
    let line = ["export", &file, "own", "--to", "jwk"];
    assert_says(&sandbox.run(line).fails(4), &["pass --repair"]);
    let line = ["export", &file, "own", "--to", "jwk", "--private"];
    let run = sandbox.run(line.iter().chain(&["--repair"])).ok();
    assert_says(&run, &["repaired own: ", "coordinate-length"]);
    let repaired: Value = run.json();
    assert_eq!(repaired["x"], key["x"]);
    assert_eq!(repaired["d"], key["d"]);

    let mut past = key.clone();
    past["exp"] = 1_600_000_000_000_u64.into();
    let old = sandbox.write("old.json", past.to_string());
    sandbox.ok(["export", &old]);
    sandbox.run(["export", &old, "own", "--repair"]).fails(4);
    sandbox.run(["export", &old, "--repair"]).fails(4);

    let all = ["export", &file, "--repair", "-o", "out.json"];
    let run = sandbox.run(all).fails(5);
    assert_says(
        &run,
        &["doubtful", "cannot be repaired", "nothing was written"],
    );
    assert!(!sandbox.path().join("out.json").exists());
    let run = sandbox.run(["export", "own", "--repair"]).fails(2);
    assert_says(&run, &["jwks set own --repair"]);
}

#[test]
fn a_private_part_of_another_key_is_in_doubt() {
    let (sandbox, key) = with_key("ES256");
    sandbox.ok(["create", "other", "--kid", "own"]);
    let mut wrong = sandbox.json(["get", "other", "own", "--private"]);
    wrong["d"] = key["d"].clone();
    let file = sandbox.write("wrong.json", wrong.to_string());
    let line = ["export", &file, "--to", "jwk", "--private", "--repair"];
    assert_says(&sandbox.run(line).fails(5), &["private-mismatch"]);
    sandbox.ok(["set", "api", &file, "--allow-invalid"]);
    let run = sandbox.run(["set", "api", "--repair", "--yes"]).fails(5);
    assert_says(&run, &["cannot be repaired", "private-mismatch"]);
}
