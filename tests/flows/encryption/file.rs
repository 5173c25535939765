//! The file of an encrypted set: what is in it, and what is not.

use super::{PRIVATE, desk, header, open, parts, private_members, read_jwe, run, with_a_set};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::Value;
use std::collections::HashSet;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;

/// A set with a key of each kind, and one of a kind that jwks does not know.
const KINDS: [&str; 5] = [
    "create api --encrypt --p2c 1000 --alg ES256",
    "create api --alg RS256 --size 2048 --exp +30d",
    "create api --alg EdDSA --key-ops sign,verify",
    "create api --alg HS256",
    "create api --alg ECDH-ES --crv X25519",
];

#[test]
fn it_is_a_compact_jwe_with_a_slow_derivation() {
    let sandbox = desk();
    open(&sandbox, "create api --encrypt").ok();
    assert_eq!(sandbox.store_entries(), [".lock", "api.jwe"]);
    let path = sandbox.store().join("api.jwe");
    let mode = fs::metadata(path)
        .expect("its metadata")
        .permissions()
        .mode();
    assert_eq!(mode & 0o7777, 0o600);
    let jwe = read_jwe(&sandbox, "api");
    let header = header(&jwe);
    assert_eq!(header["alg"], "PBES2-HS512+A256KW");
    assert_eq!(header["enc"], "A256GCM");
    assert_eq!(header["p2c"], 600_000);
    assert_eq!(header["cty"], "jwk-set+json");
    assert!(header.get("zip").is_none() && header.get("crit").is_none());
    let salt = header["p2s"].as_str().expect("a salt");
    let salt = BASE64_URL_SAFE_NO_PAD.decode(salt).expect("base64url");
    let lengths: Vec<_> = parts(&jwe).iter().map(Vec::len).collect();
    let [_, encrypted_key, iv, _, tag] = lengths[..] else {
        panic!("not five parts: {lengths:?}");
    };
    assert_eq!((salt.len(), encrypted_key, iv, tag), (16, 40, 12, 16));
}

/// Neither as it stands there nor decoded; and a symmetric key tells no thumbprint, which would help
/// to guess a weak one.
#[test]
fn it_has_no_private_member() {
    let sandbox = desk();
    for create in KINDS {
        open(&sandbox, create).ok();
    }
    let odd =
        r#"{"keys":[{"kty":"XYZ","kid":"odd","k":"c2VjcmV0","note":"c2VjcmV0"}],"note":"bm90ZQ"}"#;
    sandbox.write("odd.json", odd);
    open(&sandbox, "set api odd.json --allow-invalid").ok();

    let set = open(&sandbox, "get api --private").ok().json();
    let thumbprints = open(&sandbox, "list api --json").ok().json();
    let jwe = read_jwe(&sandbox, "api");
    let mut places = vec![jwe.clone().into_bytes()];
    places.extend(parts(&jwe));
    let mut secrets = private_members(&set);
    assert_eq!(secrets.len(), 1 + 6 + 1 + 1 + 1 + 1, "{secrets:?}");
    secrets.extend(["c2VjcmV0".into(), "bm90ZQ".into()]);
    for secret in &secrets {
        let octets = BASE64_URL_SAFE_NO_PAD.decode(secret).expect("base64url");
        for needle in [secret.as_bytes(), &octets] {
            for place in &places {
                let found = place.windows(needle.len()).any(|part| part == needle);
                assert!(!found, "a secret lies in the file");
            }
        }
    }
    for key in header(&jwe)["jwks"]["keys"].as_array().expect("keys") {
        let names = key.as_object().expect("a key").keys();
        let private = names.filter(|name| PRIVATE.contains(&name.as_str()));
        assert_eq!(private.count(), 0, "{key}");
        // Of a symmetric key it is the size in bits.
        let withheld = &key["jwks_private"];
        let is_told = withheld == true || (key["kty"] == "oct" && withheld == 256);
        assert!(is_told, "{key}");
    }
    for key in thumbprints["keys"].as_array().expect("keys") {
        let has_one = key.get("thumbprint").is_some();
        assert_eq!(has_one, key["kty"] != "oct" && key["kty"] != "XYZ", "{key}");
    }
}

/// Salt, initialization vector and encrypted key are new each time.
#[test]
fn two_writes_share_nothing() {
    let sandbox = with_a_set();
    let mut seen = HashSet::new();
    let mut see = |what: &str| {
        let jwe = read_jwe(&sandbox, "api");
        let salt = header(&jwe)["p2s"].as_str().expect("a salt").to_owned();
        let parts = parts(&jwe);
        for part in [salt.as_bytes(), &parts[1], &parts[2], &parts[4]] {
            assert!(seen.insert(part.to_owned()), "{what}: used before");
        }
    };
    see("create");
    open(&sandbox, "set api --exp +1d").ok();
    see("set");
    open(&sandbox, "create api").ok();
    see("create");
    let same = "passwd api --new-passphrase-file passphrase.txt --p2c 1000";
    open(&sandbox, same).ok();
    see("passwd");
}

/// What changes nothing writes nothing.
#[test]
fn no_change_is_no_write() {
    let sandbox = with_a_set();
    let jwe = read_jwe(&sandbox, "api");
    let own = open(&sandbox, "get api --private").ok().stdout;
    sandbox.write("own.json", own);
    let run = open(&sandbox, "set api own.json").ok();
    assert!(run.stderr.contains("1 unchanged"), "{run:#?}");
    assert_eq!(read_jwe(&sandbox, "api"), jwe);
}

/// A set keeps the number of iterations that it was made with, whoever made it.
#[test]
fn a_change_keeps_the_iterations() {
    let sandbox = with_a_set();
    open(&sandbox, "create api").ok();
    assert_eq!(header(&read_jwe(&sandbox, "api"))["p2c"], 1000);
    open(&sandbox, "create api --encrypt").ok();
    open(&sandbox, "create api --encrypt --p2c 1000").ok();
    let other = open(&sandbox, "create api --encrypt --p2c 2000").fails(4);
    assert!(
        other.stderr.contains("jwks passwd api --p2c 2000"),
        "{other:#?}"
    );
    assert_eq!(header(&read_jwe(&sandbox, "api"))["p2c"], 1000);
    let change = "passwd api --new-passphrase-file next.txt --p2c 2000";
    open(&sandbox, change).ok();
    assert_eq!(header(&read_jwe(&sandbox, "api"))["p2c"], 2000);
}

#[test]
fn few_iterations_are_warned_about() {
    let sandbox = desk();
    let warned = |line: &str| open(&sandbox, line).ok().stderr.contains("guessed quickly");
    assert!(warned("create few --encrypt --p2c 99999"));
    assert!(warned("get few --private"));
    assert!(!warned("create enough --encrypt --p2c 100000"));
    assert!(!warned("get enough --private"));
    for out_of_bounds in ["0", "999", "1000001", "4294967296", "many"] {
        let line = format!("create other --encrypt --p2c {out_of_bounds}");
        open(&sandbox, &line).fails(2);
    }
    open(&sandbox, "create other --p2c 1000").fails(2);
    assert_eq!(sandbox.store_entries(), [".lock", "enough.jwe", "few.jwe"]);
}

/// Nobody is left with a plain set who has asked for an encrypted one.
#[test]
fn encrypt_is_kept_or_refused() {
    let sandbox = desk();
    run(&sandbox, "create plain --kid p").ok();
    let plain = sandbox.read_set("plain");
    let own = sandbox.ok(["get", "plain", "p", "--private"]);
    sandbox.write("own.json", own);
    for line in [
        "create plain --encrypt",
        "set plain own.json --encrypt",
        "set plain own.json --encrypt --replace",
        "set plain --exp +1d --encrypt",
    ] {
        let run = open(&sandbox, line).fails(4);
        assert!(run.stderr.contains("jwks passwd plain"), "{line}: {run:#?}");
    }
    for line in [
        "create plain --encrypt --remote prod",
        "set plain own.json --encrypt --remote prod",
        "set plain --exp +1d --p2c 1000",
    ] {
        open(&sandbox, line).fails(2);
    }
    assert_eq!(sandbox.read_set("plain"), plain);
    assert_eq!(sandbox.store_entries(), [".lock", "plain.json"]);
    open(&sandbox, "set api own.json --encrypt --p2c 1000").ok();
    open(&sandbox, "set api own.json --encrypt --p2c 1000").ok();
    open(
        &sandbox,
        "set other own.json --encrypt --replace --p2c 1000",
    )
    .ok();
    let entries = [".lock", "api.jwe", "other.jwe", "plain.json"];
    assert_eq!(sandbox.store_entries(), entries);
    let listed: Value = run(&sandbox, "list --json").ok().json();
    assert_eq!(listed["sets"][0]["encrypted"], true);
    assert_eq!(listed["sets"][2]["encrypted"], false);
}

/// The header is sealed with the content: another one does not open.
#[test]
fn a_header_that_was_changed_is_damage() {
    let sandbox = with_a_set();
    let jwe = read_jwe(&sandbox, "api");
    let changed = header(&jwe).to_string().replacen("\"kid\"", "\"kit\"", 1);
    let changed = BASE64_URL_SAFE_NO_PAD.encode(changed);
    let rest = jwe.split_once('.').expect("parts").1;
    sandbox.write("store/api.jwe", format!("{changed}.{rest}"));
    open(&sandbox, "get api --private").fails(7);
}
