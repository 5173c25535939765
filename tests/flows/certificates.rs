//! The certificates of keys over time: renewed, expired, and those of the keys that follow.

use crate::support::Sandbox;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};

/// The keys of a set.
fn keys(sandbox: &Sandbox, set: &str) -> Vec<Value> {
    let set = sandbox.json(["get", set, "--private"]);
    set["keys"].as_array().expect("keys").clone()
}

/// The SHA-1 digest of the first certificate of a key, as `x5t` holds it.
fn sha1(key: &Value) -> String {
    let leaf = key["x5c"][0].as_str().expect("x5c");
    let leaf = STANDARD.decode(leaf).expect("base64");
    URL_SAFE_NO_PAD.encode(openssl::sha::sha1(&leaf))
}

/// A set `api` with a certified key `a` that also has `x5t`, and a newer certificate in `new.crt`.
fn with_a_renewed_certificate() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.ok(["create", "first", "--kid", "a", "--x509"]);
    let mut key = keys(&sandbox, "first").remove(0);
    key["x5t"] = sha1(&key).into();
    let file = sandbox.write("key.json", key.to_string());
    sandbox.ok(["set", "api", &file]);
    let export = "export api a --to x509 --days 90 -o new.crt";
    sandbox.ok(export.split(' '));
    sandbox
}

/// `x5t` follows `x5c` from one certificate to the next, whoever brings the new one.
#[test]
fn a_renewed_certificate_renews_every_digest() {
    let sandbox = with_a_renewed_certificate();
    let before = keys(&sandbox, "api").remove(0);
    sandbox.ok(["set", "api", "new.crt"]);
    let after = keys(&sandbox, "api").remove(0);
    assert_ne!(before["x5c"], after["x5c"]);
    assert_ne!(before["x5t#S256"], after["x5t#S256"]);
    assert_eq!(after["x5t"], sha1(&after));
    let checked = sandbox.json(["check", "api", "--json"]);
    assert_eq!(checked["findings"], json!([]));
}

/// A certificate is for the key, so that each entry of the key gets it.
#[test]
fn a_renewed_certificate_reaches_every_entry_of_its_key() {
    let sandbox = with_a_renewed_certificate();
    let key = keys(&sandbox, "api").remove(0);
    let entries = ["ES256", "A", "B"].map(|alg| {
        let mut entry = key.clone();
        entry["alg"] = alg.into();
        entry
    });
    let file = sandbox.write("entries.json", json!({ "keys": entries }).to_string());
    sandbox.ok(["set", "several", &file]);
    let run = sandbox.run(["set", "several", "new.crt"]).ok();
    assert!(run.stderr.contains("3 updated"), "{run:#?}");
    for entry in keys(&sandbox, "several") {
        assert_ne!(entry["x5c"], key["x5c"]);
        assert_eq!(entry["x5t"], sha1(&entry));
    }
    let again = sandbox.run(["set", "several", "new.crt"]).ok();
    assert!(again.stderr.contains("1 unchanged"), "{again:#?}");
}

/// A set that has the digest of another certificate already: it is not published, and the certificate
/// that is set again mends it.
#[test]
fn a_digest_of_another_certificate_is_not_published() {
    let sandbox = with_a_renewed_certificate();
    let mut key = keys(&sandbox, "api").remove(0);
    key["x5t"] = "v4tFMNjSRt10rFOhNHG7oXlB3_c".into();
    let file = sandbox.write("wrong.json", key.to_string());
    sandbox.ok(["set", "wrong", &file, "--allow-invalid"]);
    let public = sandbox.json(["export", "wrong"]);
    assert_eq!(public["keys"][0]["x5t"], Value::Null);
    assert_eq!(public["keys"][0]["x5c"], key["x5c"]);
    sandbox.ok(["set", "wrong", "new.crt"]);
    let mended = keys(&sandbox, "wrong").remove(0);
    assert_eq!(mended["x5t"], sha1(&mended));
    sandbox.ok(["check", "wrong", "--strict"]);
}

/// When a certificate is valid, in seconds since 1970.
fn validity(key: &Value) -> (i64, i64) {
    let leaf = STANDARD.decode(key["x5c"][0].as_str().expect("x5c"));
    let leaf = openssl::x509::X509::from_der(&leaf.expect("base64")).expect("a certificate");
    let epoch = openssl::asn1::Asn1Time::from_unix(0).expect("a time");
    let seconds = |time| {
        let since = epoch.diff(time).expect("a time");
        i64::from(since.days) * DAY + i64::from(since.secs)
    };
    (seconds(leaf.not_before()), seconds(leaf.not_after()))
}

const DAY: i64 = 86_400;

/// 2026-01-01T00:00:00Z.
const START: i64 = 1_767_225_600;

/// The rules about certificates that a check of a set at a time finds broken.
fn broken(sandbox: &Sandbox, set: &str, now: i64) -> Vec<String> {
    let now = now.to_string();
    let found = sandbox.json(["check", set, "--json", "--now", &now]);
    let findings = found["findings"].as_array().expect("findings").iter();
    let rules = findings.filter_map(|finding| finding["rule"].as_str());
    let rules = rules.filter(|rule| rule.starts_with("x5c"));
    rules.map(str::to_owned).collect()
}

/// A self-signed certificate lives as long as its key, if the key says how long that is.
#[test]
fn a_certificate_has_the_dates_of_its_key() {
    for (options, begin, end) in [
        ("", START, START + 365 * DAY),
        ("--days 90", START, START + 90 * DAY),
        ("--nbf +1d", START + DAY, START + 366 * DAY),
        ("--nbf +1d --days 2", START + DAY, START + 3 * DAY),
        ("--exp +30d", START, START + 30 * DAY),
        ("--nbf +1d --exp +30d", START + DAY, START + 30 * DAY),
    ] {
        let sandbox = Sandbox::new();
        let create = format!("create api --kid a --x509 --now 2026-01-01 {options}");
        sandbox.ok(create.split_whitespace());
        assert_eq!(
            validity(&keys(&sandbox, "api")[0]),
            (begin, end),
            "{options}"
        );
        assert_eq!(broken(&sandbox, "api", START), [""; 0], "{options}");
    }
    let sandbox = Sandbox::new();
    let create = "create api --kid a --x509 --days 2 --exp +30d";
    let run = sandbox.run(create.split(' ')).ok();
    assert!(run.stderr.contains("--days is ignored"), "{run:#?}");
}

/// The same for the certificates that an export makes.
#[test]
fn an_exported_certificate_has_the_dates_of_its_key() {
    let sandbox = Sandbox::new();
    let create = "create api --kid a --now 2026-01-01 --nbf +1d --exp +30d";
    sandbox.ok(create.split(' '));
    let export = "export api a --to x509 --now 2026-01-03 -o a.crt";
    sandbox.ok(export.split(' '));
    sandbox.ok(["set", "api", "a.crt"]);
    let dates = (START + DAY, START + 30 * DAY);
    assert_eq!(validity(&keys(&sandbox, "api")[0]), dates);
}

/// A check tells of certificates that are not valid when they are needed, at the time of the check.
#[test]
fn certificates_that_are_not_valid_are_reported() {
    let sandbox = Sandbox::new();
    let create = "create api --kid a --x509 --days 10 --now 2026-01-01";
    sandbox.ok(create.split(' '));
    let end = START + 10 * DAY;
    assert_eq!(broken(&sandbox, "api", START - 1), ["x5c-not-yet-valid"]);
    assert_eq!(broken(&sandbox, "api", end), [""; 0]);
    assert_eq!(broken(&sandbox, "api", end + 1), ["x5c-expired"]);
    let exp = |at: i64| {
        let now = ["--now", "2026-01-01"];
        let set = ["set", "api", "--kid", "a", "--exp", &at.to_string()];
        sandbox.ok(set.iter().chain(&now));
    };
    exp(end + 1);
    assert_eq!(broken(&sandbox, "api", START), [""; 0]);
    exp(end + 2);
    assert_eq!(broken(&sandbox, "api", START), ["x5c-ends-before-key"]);
    // Nobody needs the certificate of a key that has expired.
    assert_eq!(broken(&sandbox, "api", end + 2), [""; 0]);
    let strict = format!("check api --strict --now {}", end + 1);
    sandbox.run(strict.split(' ')).fails(5);
}

fn subject(key: &Value) -> String {
    let leaf = STANDARD.decode(key["x5c"][0].as_str().expect("x5c"));
    let leaf = openssl::x509::X509::from_der(&leaf.expect("base64")).expect("a certificate");
    let entries = leaf.subject_name().entries();
    let values = entries.map(|entry| entry.data().to_string().expect("a text"));
    values.collect::<Vec<_>>().join(",")
}

/// The successor of a key with a self-signed certificate has one, too: of the same subject, as long as
/// the old one, from the time at which the key begins.
#[test]
fn a_successor_is_certified_like_the_key_before_it() {
    let sandbox = Sandbox::new();
    sandbox.write("passphrase.txt", "of the set");
    let subject_of_all = "CN=tls.example, O=Example";
    for (set, encrypt, passphrase) in [
        ("plain", "", ""),
        (
            "sealed",
            "--encrypt --p2c 1000",
            "--passphrase-file passphrase.txt",
        ),
    ] {
        let run = |line: &str| {
            let line = format!("{line} {passphrase}");
            sandbox.run(line.split_whitespace()).ok()
        };
        let create = format!(
            "create {set} --kid one --x509 --days 90 --now 2026-01-01 {encrypt} {passphrase}"
        );
        let create = create.split_whitespace();
        sandbox.ok(create.chain(["--subject", subject_of_all]));
        let rotate = format!("rotate {set} --force --every 30d --now 2026-01-06 --json");
        let rotated = run(&rotate);
        assert!(!rotated.stderr.contains("certificate"), "{rotated:#?}");
        let report = &rotated.json()["sets"][0];
        assert_eq!(report["uncertified"], json!([]));
        let keys = run(&format!("get {set} --private")).json()["keys"].clone();
        let new = &keys[1];
        assert_eq!(report["staged"][0]["kid"], new["kid"]);
        assert_eq!(subject(new), "Example,tls.example");
        let begin = new["nbf"].as_i64().expect("nbf");
        assert_eq!(validity(new), (begin, begin + 90 * DAY));
        run(&format!("check {set} --strict --now 2026-01-06"));
    }
    // A key that takes the place of a compromised one, and one of another algorithm.
    let rotate = "rotate plain --compromised one --now 2026-01-06";
    sandbox.ok(rotate.split(' '));
    let rotate = "rotate plain --alg RS256 --now 2026-01-06";
    sandbox.ok(rotate.split(' '));
    let all = keys(&sandbox, "plain");
    let algorithms: Vec<_> = all.iter().map(|key| key["alg"].as_str()).collect();
    assert_eq!(algorithms, [Some("ES256"), Some("RS256")]);
    assert!(all.iter().all(|key| subject(key) == "Example,tls.example"));
    let export = sandbox.json(["export", "plain"]);
    assert!(
        export["keys"]
            .as_array()
            .expect("keys")
            .iter()
            .all(|key| key["x5c"].is_array())
    );
}

/// A certificate that somebody else has issued cannot be made anew: that is said, and the rotation
/// goes on.
#[test]
fn a_successor_without_a_certificate_is_named() {
    let sandbox = Sandbox::new();
    sandbox.ok(["create", "self", "--kid", "self", "--x509"]);
    // A chain of two: the certificate certifies itself, so it can be above itself.
    let mut key = keys(&sandbox, "self").remove(0);
    let above = key["x5c"][0].clone();
    key["x5c"].as_array_mut().expect("x5c").push(above);
    let chained = sandbox.write("chained.json", key.to_string());
    key.as_object_mut().expect("a key").remove("x5c");
    let digest_only = sandbox.write("digest.json", key.to_string());
    for (set, file) in [("chained", chained), ("digest", digest_only)] {
        sandbox.ok(["set", set, &file]);
        let dry = format!("rotate {set} --force --dry-run");
        let run = sandbox.run(dry.split(' ')).ok();
        assert!(run.stderr.contains("would have no certificate"), "{run:#?}");
        let rotate = format!("rotate {set} --force --json");
        let run = sandbox.run(rotate.split(' ')).ok();
        let report = &run.json()["sets"][0];
        assert_eq!(report["uncertified"], report["staged"]);
        assert!(run.stderr.contains("has no certificate"), "{run:#?}");
        assert_eq!(keys(&sandbox, set)[1]["x5c"], Value::Null);
    }
}
