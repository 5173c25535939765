//! What `check` finds, and what the other commands do with such keys.

use crate::support::Sandbox;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use openssl::bn::BigNum;
use serde_json::{Value, json};

/// The rules that `check` reports for a document, with the position of the key.
#[track_caller]
fn rules(sandbox: &Sandbox, target: &str, more: &[&str]) -> Vec<String> {
    let arguments = [&["check", target, "--json"], more].concat();
    let report = sandbox.run(arguments).json();
    let rows = report["findings"].as_array().expect("findings");
    let rule = |row: &Value| format!("{} {}", row["index"], row["rule"].as_str().expect("a rule"));
    rows.iter().map(rule).collect()
}

/// An RSA key with a modulus of 2048 bits.
fn rsa(modulus: &[u8]) -> Value {
    let n = URL_SAFE_NO_PAD.encode(modulus);
    json!({"kty": "RSA", "kid": "r", "e": "AQAB", "n": n})
}

#[test]
fn a_file_and_a_set_have_the_same_findings() {
    let sandbox = Sandbox::new();
    for document in [
        r#"{"keys":[{"kty":"oct","k":"AAAA","kid":"a","kid":"b"},{"kty":"EC","crv":"P-256","x":"AA","y":"AA"}]}"#,
        r#"{"keys":[7,{"kty":"OKP","crv":"Ed25519","x":"AgAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA","x":1}]}"#,
        r#"{"keys":[],"other":{"a":1,"a":2}}"#,
    ] {
        let file = sandbox.write("keys.json", document);
        sandbox.write("store/keys.json", document);
        assert_eq!(
            rules(&sandbox, &file, &[]),
            rules(&sandbox, "keys", &[]),
            "{document}"
        );
    }
    let single = r#"{"kty":"oct","k":"AAAA","kid":"a","kid":"b"}"#;
    let file = sandbox.write("key.json", single);
    assert_eq!(rules(&sandbox, &file, &[]), ["0 member-duplicate"]);
    // Other commands refuse it, as before.
    let refused = sandbox.run(["set", "new", &file]).fails(5);
    assert!(refused.stderr.contains("appears twice"), "{refused:#?}");
}

#[test]
fn the_thumbprint_of_a_weak_key_is_printed_with_a_warning() {
    const N: &str = "4sCXen5Ucw7UXu50NuNCjtJ1cNRFpnundV5CTSVcNj7ot__93UOdAjRCyO1mbiFa1-w1wLL6tv4yAfEEMDaknw8iGeFoTxd0EvkRcZjvLg9Uvad2HA1Kizt1UlkLq3hQm3UixhJd8yvQ9Zj_WK2HGiHIho_9bKSw_zV6UVEzdb8";
    const PEM: &str = "-----BEGIN PUBLIC KEY-----\nMIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDiwJd6flRzDtRe7nQ240KO0nVw\n1EWme6d1XkJNJVw2Pui3//3dQ50CNELI7WZuIVrX7DXAsvq2/jIB8QQwNqSfDyIZ\n4WhPF3QS+RFxmO8uD1S9p3YcDUqLO3VSWQureFCbdSLGEl3zK9D1mP9YrYcaIciG\nj/1spLD/NXpRUTN1vwIDAQAB\n-----END PUBLIC KEY-----\n";
    let sandbox = Sandbox::new();
    for (name, document) in [
        (
            "key.json",
            format!(r#"{{"kty":"RSA","e":"AQAB","n":"{N}"}}"#),
        ),
        (
            "set.json",
            format!(r#"{{"keys":[{{"kty":"RSA","kid":"a","e":"AQAB","n":"{N}"}}]}}"#),
        ),
        ("key.pem", PEM.to_owned()),
    ] {
        let file = sandbox.write(name, document);
        let run = sandbox.run(["thumbprint", &file]).ok();
        assert_eq!(run.stdout, "z_60WhO0Bi-YSZQ0FuXXLrgNNxOYpRY4KRjQWp1arUE\n");
        assert!(run.stderr.contains("(rsa-modulus-size)"), "{run:#?}");
    }
    let padded = json!({"kty": "RSA", "e": "AQAB", "n": format!("{N}=")});
    let file = sandbox.write("padded.json", padded.to_string());
    let run = sandbox.run(["thumbprint", &file]).fails(5);
    assert!(run.stderr.contains("has no thumbprint"), "{run:#?}");
}

#[test]
fn a_modulus_that_anybody_can_factor_is_refused() {
    let sandbox = Sandbox::new();
    // 2^2048 - 1 is divisible by 3.
    let file = sandbox.write("weak.json", rsa(&[255; 256]).to_string());
    assert_eq!(rules(&sandbox, &file, &[]), ["0 rsa-small-factor"]);
    let refused = sandbox.run(["set", "weak", &file]).fails(5);
    assert!(
        refused
            .stderr
            .contains("n is divisible by 3 (rsa-small-factor)"),
        "{refused:#?}"
    );
    assert!(sandbox.store_entries().is_empty());
    // --allow-invalid imports it, and get prints it.
    sandbox.ok(["set", "weak", &file, "--allow-invalid"]);
    assert_eq!(sandbox.json(["get", "weak", "r"])["kid"], "r");
}

#[test]
fn moduli_that_anybody_can_factor_are_errors() {
    let sandbox = Sandbox::new();
    let [one, two, other] = [(); 3].map(|()| {
        let mut prime = BigNum::new().expect("a number");
        prime
            .generate_prime(1024, false, None, None)
            .expect("a prime");
        prime
    });
    let product = |one: &BigNum, two: &BigNum| rsa(&(one * two).to_vec());
    let key = |kid: &str, mut key: Value| {
        key["kid"] = kid.into();
        key
    };
    for (keys, expected) in [
        (vec![product(&one, &one)], &["0 rsa-power"][..]),
        (
            vec![
                key("a", product(&one, &two)),
                key("b", product(&one, &other)),
            ],
            &["0 rsa-shared-prime", "1 rsa-shared-prime"],
        ),
        (
            vec![key("a", product(&one, &two)), key("b", product(&one, &two))],
            &["1 thumbprint-duplicate"],
        ),
    ] {
        let file = sandbox.write("keys.json", json!({ "keys": keys }).to_string());
        assert_eq!(rules(&sandbox, &file, &[]), expected);
    }
}

/// The work is bounded, and what was not checked is reported once.
#[test]
fn many_moduli_are_not_all_checked() {
    let sandbox = Sandbox::new();
    // The budget is enough for three moduli of 8192 bits.
    let moduli = (0..60_u32).map(|i| {
        let mut modulus = vec![255; 1024];
        modulus[1000..1004].copy_from_slice(&i.to_be_bytes());
        rsa(&modulus)
    });
    let keys: Vec<Value> = moduli.collect();
    let file = sandbox.write("many.json", json!({ "keys": keys }).to_string());
    let rules = rules(&sandbox, &file, &[]);
    let unchecked = rules.iter().filter(|rule| *rule == "null rsa-unchecked");
    assert_eq!(unchecked.count(), 1);
    assert!(rules.iter().any(|rule| rule.ends_with("rsa-small-factor")));
}

#[test]
fn a_key_that_everybody_knows_is_reported() {
    let sandbox = Sandbox::new();
    let known = [
        // RFC 7515 appendix A.3, and a secret of jwt.io.
        json!({"kty": "EC", "crv": "P-256", "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
            "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}),
        json!({"kty": "oct", "alg": "HS256", "k": URL_SAFE_NO_PAD.encode("your-256-bit-secret")}),
        // The base point of P-256 is the public key of d = 1.
        json!({"kty": "EC", "crv": "P-256", "x": "axfR8uEsQkf4vOblY6RA8ncDfYEt6zOg9KE5RdiYwpY",
            "y": "T-NC4v4af5uO5-tKfA-eFivOM1drMV7Oy7ZAaDe_UfU"}),
    ];
    for key in known {
        let file = sandbox.write("known.json", key.to_string());
        let rules = rules(&sandbox, &file, &[]);
        assert!(
            rules.contains(&"0 private-known".to_owned()),
            "{key}: {rules:?}"
        );
    }
}

#[test]
fn a_set_for_two_purposes_requires_use() {
    let sandbox = Sandbox::new();
    for arguments in ["create s --kid a", "create s --kid b --alg ECDH-ES"] {
        sandbox.ok(arguments.split(' '));
    }
    let mut set = sandbox.json(["export", "s"]);
    let published = |set: &Value| {
        let file = sandbox.write("set.json", set.to_string());
        rules(&sandbox, &file, &["--public"])
    };
    assert_eq!(published(&set), [""; 0]);
    set["keys"][0].as_object_mut().expect("a key").remove("use");
    assert_eq!(published(&set), ["0 use-required"]);
    set["keys"].as_array_mut().expect("keys").remove(1);
    assert_eq!(published(&set), ["0 use-missing"]);
}

#[test]
fn a_private_key_in_an_unknown_member_is_not_to_be_published() {
    let sandbox = Sandbox::new();
    sandbox.ok(["create", "s", "--kid", "a"]);
    let pem = sandbox.ok(["export", "s", "a", "--private", "--to", "pem", "--yes"]);
    let set = sandbox.json(["export", "s"]);
    let mut in_key = set.clone();
    in_key["keys"][0]["backup"] = pem.clone().into();
    let mut in_set = set;
    in_set["backup"] = pem.into();
    for (set, expected) in [
        (in_key, "0 private-published"),
        (in_set, "null private-published"),
    ] {
        let file = sandbox.write("set.json", set.to_string());
        assert_eq!(rules(&sandbox, &file, &["--public"]), [expected]);
        assert_eq!(rules(&sandbox, &file, &[]), [""; 0]);
    }
}

#[test]
fn names_that_are_almost_right_are_reported() {
    let sandbox = Sandbox::new();
    let document = json!({"keys": [
        {"kty": "EC", "crv": "P-256", "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
            "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0", "Kid": "a", "keyOps": ["verify"],
            "kid": "k", "alg": "es256", "use": "sig", "iat": 4_000_000_000_u64},
    ]});
    let file = sandbox.write("names.json", document.to_string());
    let expected = [
        "0 alg-name",
        "0 member-name",
        "0 member-name",
        "0 private-known",
        "0 iat-future",
    ];
    assert_eq!(rules(&sandbox, &file, &[]), expected);
}

/// What `create` makes by itself has no finding.
#[test]
fn a_created_key_has_no_finding() {
    let sandbox = Sandbox::new();
    for alg in [
        "ES256",
        "EdDSA",
        "Ed25519",
        "RS256",
        "HS256",
        "ECDH-ES+A256KW",
        "A256GCM",
    ] {
        sandbox.ok(["create", "all", "--alg", alg, "--kid", alg]);
    }
    assert_eq!(rules(&sandbox, "all", &[]), [""; 0]);
}

/// A short secret is an error, and still signs, so that a rotation replaces it.
#[test]
fn a_short_secret_is_rotated() {
    let sandbox = Sandbox::new();
    let secret = json!({"kty": "oct", "kid": "short", "use": "sig", "alg": "HS256", "iat": 1,
        "k": "pU8zS2nqY5Vf0gJr9b1eXw"});
    let file = sandbox.write("short.json", secret.to_string());
    let taken = sandbox.run(["set", "s", &file]).ok();
    assert!(taken.stderr.contains("(symmetric-size)"), "{taken:#?}");
    sandbox.run(["check", "s"]).fails(5);
    sandbox.ok(["rotate", "s", "--every", "30d", "--force"]);
    let rows = sandbox.json(["list", "s", "--json"])["keys"].clone();
    let states: Vec<_> = (0..2).map(|i| rows[i]["state"].clone()).collect();
    assert_eq!(states, ["active", "pending"]);
}
