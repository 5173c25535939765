//! Good keys with members beside them that are broken.

use crate::hydra::site::Site;
use crate::servers::plain::Plain;
use crate::support::{Sandbox, case};
use serde_json::{Value, json};

/// A set `own` with the EC key pair `own`, and the key itself.
fn with_key() -> (Sandbox, Value) {
    let sandbox = Sandbox::new();
    sandbox.ok(["create", "own", "--kid", "own", "--alg", "ES256"]);
    let key = sandbox.json(["get", "own", "own", "--private"]);
    (sandbox, key)
}

fn public(mut key: Value) -> Value {
    key.as_object_mut().expect("a key").remove("d");
    key
}

/// Members that are broken, one by one.
fn broken() -> Vec<(&'static str, Value)> {
    vec![
        ("iat", json!("yesterday")),
        ("nbf", json!({})),
        ("exp", json!(1_776_038_715_816_i64)),
        ("kid", json!(7)),
        ("use", json!(["sig"])),
        ("alg", json!(256)),
        ("key_ops", json!("verify")),
        ("key_ops", json!(["verify", "verify"])),
        ("x5u", json!(1)),
        ("x5c", json!("MIIB")),
        ("x5c", json!(["-----BEGIN CERTIFICATE-----"])),
        ("x5c", json!(["AAAA"])),
        ("x5t", json!("odd")),
        ("x5t#S256", json!([])),
    ]
}

/// `set` takes the key without the member and says so; nothing calls it invalid.
#[test]
fn a_key_with_a_broken_member_is_imported() {
    let (sandbox, key) = with_key();
    for (i, (name, value)) in broken().into_iter().enumerate() {
        let mut broken = public(key.clone());
        broken[name] = value;
        let file = sandbox.write("key.json", broken.to_string());
        let run = sandbox.run(["check", &file]).fails(5);
        assert!(run.stdout.contains("error"), "{name}: {run:#?}");
        let set = format!("s{i}");
        let run = sandbox.run(["set", &set, &file]).ok();
        assert!(
            run.stderr.contains(&format!("left out {name}\n")),
            "{name}: {run:#?}"
        );
        let rows = sandbox.json(["list", &set, "--json"])["keys"].clone();
        assert!(
            rows[0]["invalid"] == json!([]) && rows[0].get(name).is_none(),
            "{rows}"
        );
        sandbox.ok(["check", &set]);
    }
}

/// If the member is kept, `check` reports it, and no public form contains it.
#[test]
fn a_broken_member_that_is_kept_is_not_published() {
    let (sandbox, key) = with_key();
    for (i, (name, value)) in broken().into_iter().enumerate() {
        let mut broken = public(key.clone());
        broken[name] = value;
        let file = sandbox.write("key.json", broken.to_string());
        let set = format!("s{i}");
        sandbox.ok(["set", &set, &file, "--allow-invalid"]);
        assert_eq!(sandbox.json(["get", &set, "--private"])["keys"][0], broken);
        sandbox.run(["check", &set]).fails(5);
        let rows = sandbox.json(["list", &set, "--json"])["keys"].clone();
        assert!(rows[0]["invalid"] == json!([]), "{name}: {rows}");
        assert!(rows[0].get("thumbprint").is_some(), "{name}: {rows}");
        let mut good = broken.clone();
        good.as_object_mut().expect("a key").remove(name);
        good.as_object_mut().expect("a key").remove("iat");
        for command in [
            &["get", &*set][..],
            &["export", &set],
            &["export", &set, "--with-dates"],
        ] {
            let mut published = sandbox.json(command)["keys"][0].clone();
            published.as_object_mut().expect("a key").remove("iat");
            assert_eq!(published, good, "{name}: {command:?}");
        }
        for form in ["pem", "der", "jwk", "openssh", "kubernetes", "dotenv"] {
            sandbox.ok(["export", &set, "--to", form]);
        }
        sandbox.ok(["thumbprint", &set]);
    }
}

/// A broken member in the input does not replace a good one in the set.
#[test]
fn a_broken_member_does_not_replace_a_good_one() {
    let (sandbox, mut key) = with_key();
    key["exp"] = json!(4_000_000_000_i64);
    let good = sandbox.write("good.json", key.to_string());
    sandbox.ok(["set", "own", &good]);
    for (name, value) in [
        ("alg", json!([])),
        ("exp", json!("x")),
        ("iat", json!(null)),
    ] {
        let mut broken = public(key.clone());
        broken[name] = value;
        let file = sandbox.write("key.json", broken.to_string());
        sandbox.ok(["set", "own", &file, "--allow-invalid"]);
        assert_eq!(
            sandbox.json(["get", "own", "--private"])["keys"][0],
            key,
            "{name}"
        );
    }
}

/// Without a `use` that says otherwise, a key signs. A private key whose `use`, `alg` or `key_ops`
/// is broken keeps it, and is no signer until somebody says what it is for.
#[test]
fn a_private_key_with_a_broken_purpose_does_not_sign() {
    let (sandbox, mut key) = with_key();
    key.as_object_mut().expect("a key").remove("use");
    for (name, value, remedy) in [
        ("use", json!(["enc"]), ["--use", "sig"]),
        ("alg", json!(0), ["--alg", "ES256"]),
        ("key_ops", json!("deriveKey"), ["--key-ops", "sign,verify"]),
    ] {
        let mut broken = key.clone();
        broken["kid"] = json!(format!("broken-{name}"));
        broken[name] = value;
        let file = sandbox.write("key.json", broken.to_string());
        let run = sandbox.run(["set", name, &file]).ok();
        let words = format!("broken {name}, so the key does not sign");
        assert!(run.stderr.contains(&words), "{name}: {run:#?}");
        assert_eq!(sandbox.json(["get", name, "--private"])["keys"][0], broken);
        // The public key is still published.
        assert!(sandbox.json(["get", name])["keys"][0].get(name).is_none());
        // It is not rotated, because its line is unknown.
        let run = sandbox.run(["rotate", name, "--every", "30d", "--retire-after", "1h"]);
        assert!(!run.stdout.contains("broken-"), "{name}: {run:#?}");
        let kid = format!("broken-{name}");
        sandbox.ok(["set", name, "--kid", &kid, remedy[0], remedy[1]]);
        sandbox.ok(["check", name]);
        // Given at once, nothing is broken.
        let fixed = format!("{name}-fixed");
        let run = sandbox
            .run(["set", &fixed, &file, remedy[0], remedy[1]])
            .ok();
        assert!(!run.stderr.contains("does not sign"), "{name}: {run:#?}");
        sandbox.ok(["check", &fixed]);
    }
}

/// The files of the case, as issuers publish them.
#[test]
fn keys_of_real_issuers_are_imported() {
    for (file, left_out) in [
        ("04-x5c-pem.json", Some("x5c")),
        ("22-exp-ms.json", Some("exp")),
        ("24-key-ops-string.json", Some("key_ops")),
        ("24-null-members.json", None),
    ] {
        let sandbox = Sandbox::new();
        let run = sandbox.run(["set", "api", &case("06", file)]).ok();
        let words = left_out.map(|name| format!("left out {name}\n"));
        assert_eq!(
            run.stderr.contains("warning"),
            words.is_some(),
            "{file}: {run:#?}"
        );
        assert!(
            words.is_none_or(|words| run.stderr.contains(&words)),
            "{file}: {run:#?}"
        );
        let pem = sandbox.ok(["export", "api", "--to", "pem"]);
        assert!(pem.starts_with("-----BEGIN PUBLIC KEY-----"), "{file}");
        let published = sandbox.ok(["get", "api"]);
        assert!(!published.contains("null"), "{file}: {published}");
    }
}

/// Digests in hexadecimal, as they are or encoded once more, are a warning where they are right.
#[test]
fn a_digest_in_hexadecimal_is_a_warning() {
    let sandbox = Sandbox::new();
    let text = std::fs::read_to_string(case("08", "x5t-hex.json")).expect("a set");
    let hex = "B2250D658124C00A64F6C9B2CB74D0228535DB3D";
    // base64url of the same digits in lower case.
    let twice = "YjIyNTBkNjU4MTI0YzAwYTY0ZjZjOWIyY2I3NGQwMjI4NTM1ZGIzZA";
    let digest = |value: &str| {
        text.replace(
            &format!("\"x5t\": \"{hex}\""),
            &format!("\"x5t\": \"{value}\""),
        )
    };
    for (i, value) in [hex, &hex.to_lowercase(), twice].into_iter().enumerate() {
        let file = sandbox.write("set.json", digest(value));
        let run = sandbox.run(["check", &file]).ok();
        assert!(run.stdout.contains("x5t-hex"), "{value}: {run:#?}");
        let set = format!("s{i}");
        let run = sandbox.run(["set", &set, &file]).ok();
        assert!(!run.stderr.contains("left out"), "{value}: {run:#?}");
        assert_eq!(sandbox.json(["export", &set])["keys"][0]["x5t"], value);
    }
    // The digest of another certificate is wrong in either form.
    for value in [
        hex.replace('B', "C"),
        twice.replace('Y', "Z"),
        "AAAAAAAAAAAAAAAAAAAAAAAAAAA".into(),
    ] {
        let file = sandbox.write("set.json", digest(&value));
        let run = sandbox.run(["check", &file]).fails(5);
        assert!(run.stdout.contains("x5t-"), "{value}: {run:#?}");
        let run = sandbox.run(["set", "wrong", &file]).ok();
        assert!(run.stderr.contains("left out x5t\n"), "{value}: {run:#?}");
        assert!(
            sandbox.json(["export", "wrong"])["keys"][0]
                .get("x5c")
                .is_some()
        );
        sandbox.ok(["delete", "wrong", "--yes"]);
    }
}

/// What a server has is kept as it is and flagged; the public form is good.
#[test]
fn a_pull_keeps_a_broken_member_and_flags_it() {
    let (sandbox, key) = with_key();
    let mut broken = public(key);
    broken["exp"] = json!(1_776_038_715_816_i64);
    broken["use"] = json!(["sig"]);
    let plain = Plain::start();
    plain.serve("/jwks.json", json!({"keys": [broken]}));
    let url = plain.url("/jwks.json");
    let run = sandbox.run(["pull", &url, "issuer"]).ok();
    for words in ["exp is in milliseconds", "use is not a string"] {
        assert!(run.stderr.contains(words), "{run:#?}");
    }
    assert_eq!(
        sandbox.json(["get", "issuer", "--private"])["keys"][0],
        broken
    );
    let run = sandbox.run(["pull", &url, "issuer"]).ok();
    assert!(run.stderr.contains("1 unchanged"), "{run:#?}");
    let listed = sandbox.ok(["list", "issuer"]);
    assert!(!listed.contains("invalid"), "{listed}");
    let published = sandbox.json(["export", "issuer", "--with-dates"])["keys"][0].clone();
    assert!(
        published.get("exp").is_none() && published.get("use").is_none(),
        "{published}"
    );
}

/// A server gets the key without the member. It gets no private part of a key whose purpose nobody
/// knows.
#[test]
fn a_push_sends_no_broken_member() {
    let site = Site::newest();
    let mut key = site.key("own", "--alg ES256");
    key["exp"] = json!("never");
    key["x5t"] = json!("odd");
    key["key_ops"] = json!(null);
    site.sandbox.write("key.json", key.to_string());
    site.ok("set api key.json --allow-invalid");
    site.ok("push api prod --yes");
    let [there] = &site.hydra.keys("api")[..] else {
        panic!("not one key");
    };
    assert!(there.get("d").is_some(), "{there}");
    for name in ["exp", "x5t", "key_ops"] {
        assert!(there.get(name).is_none(), "{there}");
    }
    let puts = site.puts();
    site.ok("push api prod --yes");
    assert_eq!(site.puts(), puts);

    let mut unclear = site.key("unclear", "--alg ES256");
    unclear["use"] = json!(["enc"]);
    site.sandbox.write("unclear.json", unclear.to_string());
    site.ok("set other unclear.json");
    let run = site.run("push other prod --private-all --yes");
    assert!(
        run.stderr.contains("its use, alg or key_ops is broken"),
        "{run:#?}"
    );
    assert!(site.hydra.keys("other").is_empty());
}
