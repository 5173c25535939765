//! Tokens: which key signs, what is in a token, which key is found, and every reason to refuse one.

use crate::support::{Run, Sandbox};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::time::Instant;

/// The time of most commands here: a Friday in 2026.
const NOW: &str = "2026-05-01T12:00:00Z";

fn words(line: &str) -> Vec<&str> {
    line.split(' ').collect()
}

fn run(sandbox: &Sandbox, line: &str) -> Run {
    sandbox.run(words(line).into_iter().chain(["--now", NOW]))
}

fn token(sandbox: &Sandbox, line: &str) -> String {
    run(sandbox, line).ok().stdout.trim_end().to_owned()
}

/// Verifies a token that is an argument.
fn verify(sandbox: &Sandbox, line: &str, token: &str) -> Run {
    let words = words(line).into_iter().chain([token, "--now", NOW]);
    sandbox.run(words)
}

fn decoded(token: &str, segment: usize) -> Value {
    let text = token.split('.').nth(segment).expect("a segment");
    let octets = URL_SAFE_NO_PAD.decode(text).expect("base64url");
    serde_json::from_slice(&octets).expect("JSON")
}

fn with_header(token: &str, header: &str) -> String {
    let (_, rest) = token.split_once('.').expect("a header");
    format!("{}.{rest}", URL_SAFE_NO_PAD.encode(header))
}

/// A set `api` with an ES256 key `one`.
fn sandbox() -> Sandbox {
    let sandbox = Sandbox::new();
    run(&sandbox, "create api --kid one").ok();
    sandbox
}

#[test]
fn a_token_has_the_claims_that_are_asked_for() {
    let sandbox = sandbox();
    let plain = token(&sandbox, "sign api");
    assert_eq!(
        decoded(&plain, 0),
        json!({"alg": "ES256", "typ": "JWT", "kid": "one"})
    );
    let mut claims = decoded(&plain, 1);
    let jti = claims["jti"].take();
    assert_eq!(jti.as_str().expect("a jti").len(), 36);
    assert_eq!(
        claims,
        json!({"iat": 1_777_636_800, "exp": 1_777_640_400, "jti": null})
    );
    let line = "sign api --iss https://i --sub alice --aud a --aud b --exp +5m --nbf -1m --jti x \
                --claim roles=[1] --header cty=x --typ at+jwt";
    let full = token(&sandbox, line);
    assert_eq!(
        decoded(&full, 0),
        json!({"alg": "ES256", "typ": "at+jwt", "cty": "x", "kid": "one"})
    );
    assert_eq!(
        decoded(&full, 1),
        json!({"iss": "https://i", "sub": "alice", "aud": ["a", "b"], "nbf": 1_777_636_740,
               "exp": 1_777_637_100, "iat": 1_777_636_800, "jti": "x", "roles": [1]})
    );
    sandbox.write("claims.json", r#"{"exp": 1, "n": 1.10, "sub": "bob"}"#);
    let read = token(
        &sandbox,
        "sign api --claims claims.json --sub carol --exp none",
    );
    let claims = decoded(&read, 1);
    assert_eq!((&claims["sub"], claims.get("exp")), (&json!("carol"), None));
    let text = URL_SAFE_NO_PAD.decode(read.split('.').nth(1).expect("claims"));
    let text = String::from_utf8(text.expect("base64url")).expect("UTF-8");
    assert!(text.contains(r#""n":1.10"#), "{text}");
}

#[test]
fn many_tokens_come_out_of_one_command() {
    let sandbox = sandbox();
    let many = token(&sandbox, "sign api --count 50");
    let jtis: BTreeSet<_> = many
        .lines()
        .map(|token| decoded(token, 1)["jti"].to_string())
        .collect();
    assert_eq!(jtis.len(), 50);
    let lines = "{\"sub\":\"a\"}\n\n{\"sub\":\"b\"}\n";
    let run = sandbox
        .run_with_input(["sign", "api", "--claims-lines", "-"], lines)
        .ok();
    let subjects: Vec<_> = run
        .stdout
        .lines()
        .map(|token| decoded(token, 1)["sub"].clone())
        .collect();
    assert_eq!(subjects, ["a", "b"]);
    let log = sandbox.read_log();
    assert!(
        log.contains(r#""verb":"signed","set":"api","kid":"one""#),
        "{log}"
    );
    assert!(log.contains(r#""note":"50 tokens""#) && log.contains(r#""note":"2 tokens""#));
    assert!(!log.contains("sub"), "{log}");
    let bad = "{\"sub\":\"a\"}\n{\"sub\":1}\n";
    let run = sandbox
        .run_with_input(["sign", "api", "--claims-lines", "-"], bad)
        .fails(5);
    assert!(run.stderr.contains("line 2"), "{run:#?}");
    assert!(run.stdout.is_empty());
}

/// A command for 1,000 tokens is at least 20 times faster than 1,000 commands.
#[test]
fn a_thousand_tokens_cost_little() {
    let sandbox = sandbox();
    let start = Instant::now();
    for _ in 0..5 {
        sandbox.ok(["sign", "api"]);
    }
    let thousand = start.elapsed() * 200;
    let start = Instant::now();
    let tokens = sandbox.ok(["sign", "api", "--count", "1000"]);
    assert_eq!(tokens.lines().count(), 1000);
    assert!(
        start.elapsed() * 20 < thousand,
        "{:?} {thousand:?}",
        start.elapsed()
    );
}

#[test]
fn any_bytes_are_signed_and_verified() {
    let sandbox = sandbox();
    sandbox.write("bytes", b"\0\xff not JSON");
    sandbox.write("text", "$02");
    sandbox.write("other", "$03");
    for (line, file, needs_file) in [
        ("sign api --payload bytes", "bytes", false),
        ("sign api --payload bytes --detached", "bytes", true),
        ("sign api --payload text --unencoded", "text", false),
        (
            "sign api --payload text --unencoded --detached",
            "text",
            true,
        ),
    ] {
        let signed = token(&sandbox, line);
        assert_eq!(signed.contains(".."), needs_file, "{line}");
        assert_eq!(
            signed.contains(".$02."),
            line.ends_with("--unencoded"),
            "{line}"
        );
        assert_eq!(decoded(&signed, 0).get("typ"), None);
        verify(&sandbox, "verify api", &signed).fails(5);
        if needs_file {
            verify(&sandbox, &format!("verify --payload {file} api"), &signed).ok();
            verify(&sandbox, "verify --payload other api", &signed).fails(5);
            verify(&sandbox, "verify --signature-only api", &signed).fails(5);
        } else {
            let run = verify(&sandbox, "verify --signature-only api", &signed).ok();
            assert!(run.stdout.contains("payload: "), "{run:#?}");
            verify(&sandbox, "verify --payload other api", &signed).fails(5);
        }
    }
    run(&sandbox, "sign api --payload bytes --unencoded").fails(5);
    run(&sandbox, "sign api --unencoded").fails(2);
    run(&sandbox, "sign api --payload text --sub a").fails(2);
}

#[test]
fn only_a_key_that_signs_now_signs() {
    let sandbox = sandbox();
    for line in [
        "create api --kid before --nbf -2d",
        "create api --kid next --nbf +1d",
        "create api --kid enc --alg RSA-OAEP-256",
        "create api --kid verifies",
    ] {
        run(&sandbox, line).ok();
    }
    let mut set: Value = serde_json::from_str(&sandbox.read_set("api")).expect("JSON");
    let keys = set["keys"].as_array_mut().expect("keys");
    let mut add = |kid: &str, change: &dyn Fn(&mut Value)| {
        let mut key = keys[0].clone();
        key["kid"] = kid.into();
        key["nbf"] = 1.into();
        change(&mut key);
        keys.push(key);
    };
    add("public", &|key| {
        key.as_object_mut().expect("a key").remove("d");
    });
    add("old", &|key| key["exp"] = 1_777_500_000.into());
    add("revoked", &|key| key["revoked"] = json!({"revoked_at": 1}));
    add("odd", &|key| key["alg"] = "RS256".into());
    add("wrong", &|key| {
        key["d"] = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE".into()
    });
    keys.retain(|key| key["kid"] != "verifies");
    sandbox.write("store/api.json", set.to_string());
    assert_eq!(decoded(&token(&sandbox, "sign api"), 0)["kid"], "one");
    token(&sandbox, "sign api --kid one");
    for (kid, word) in [
        ("old", "expired at 2026-04-29T22:00:00Z"),
        ("before", "is retired, and one signs now"),
        ("next", "is pending, and signs from 2026-05-02"),
        ("enc", "enc"),
        ("public", "its private key is not in the set"),
        ("revoked", "it was revoked"),
        ("odd", "alg-kty"),
        ("wrong", "private-mismatch"),
    ] {
        let run = run(&sandbox, &format!("sign api --kid {kid}")).fails(4);
        assert!(run.stderr.contains(word), "{kid}: {run:#?}");
        assert!(run.stdout.is_empty());
    }
    run(&sandbox, "sign api --kid nobody").fails(3);
    run(&sandbox, "sign api --line RS512").fails(3);
    run(&sandbox, "sign nowhere").fails(3);
    assert_eq!(sandbox.read_log().matches("\"signed\"").count(), 2);
    run(&sandbox, "create api --kid ed --alg EdDSA").ok();
    let several = run(&sandbox, "sign api").fails(4);
    assert!(
        several.stderr.contains("one (ES256), ed (EdDSA)"),
        "{several:#?}"
    );
    assert!(several.stderr.contains("--line"), "{several:#?}");
    assert_eq!(
        decoded(&token(&sandbox, "sign api --line EdDSA"), 0)["kid"],
        "ed"
    );
}

#[test]
fn a_header_names_no_key_and_no_address() {
    let sandbox = sandbox();
    for name in [
        "alg", "kid", "crit", "b64", "jwk", "jku", "x5u", "x5c", "typ",
    ] {
        let run = run(&sandbox, &format!("sign api --header {name}=x")).fails(2);
        assert!(run.stderr.contains("hint: "), "{run:#?}");
    }
    run(&sandbox, "sign api --header a=1 --header a=2").fails(2);
    run(&sandbox, "sign api --header a").fails(2);
    for claim in [
        "a=b",
        "a",
        "=1",
        "exp=\"x\"",
        "a={\"b\":1,\"b\":2}",
        "a=1 2",
    ] {
        let run = sandbox.run(["sign", "api", "--claim", claim]);
        assert!(matches!(run.code, Some(2 | 5)), "{claim}: {run:#?}");
    }
    run(&sandbox, "sign api --sub a --claim sub=\"b\"").fails(2);
    run(&sandbox, "sign api --count 0").fails(2);
}

#[test]
fn an_encrypted_set_asks_for_its_passphrase_once() {
    let sandbox = Sandbox::new();
    sandbox.write("passphrase", "correct horse\n");
    let create = "create api --kid one --encrypt --p2c 1000 --passphrase-file passphrase";
    run(&sandbox, create).ok();
    run(
        &sandbox,
        "create api --kid mac --alg HS256 --passphrase-file passphrase",
    )
    .ok();
    run(&sandbox, "sign api --line ES256").fails(7);
    let signed = token(
        &sandbox,
        "sign api --line ES256 --passphrase-file passphrase --count 3",
    );
    let first = signed.lines().next().expect("a token");
    // The public key is readable; the secret is not.
    verify(&sandbox, "verify api", first).ok();
    let mac = token(
        &sandbox,
        "sign api --line HS256 --passphrase-file passphrase",
    );
    verify(&sandbox, "verify api", &mac).fails(7);
    verify(&sandbox, "verify --passphrase-file passphrase api", &mac).ok();
}

/// Each cause has its exit code, its name in JSON, and words.
#[test]
fn every_cause_is_named() {
    let sandbox = sandbox();
    let good = token(&sandbox, "sign api --iss https://i --aud a --typ at+jwt");
    let typed = ["--typ", "JWT"];
    let header =
        |more: &str| with_header(&good, &format!(r#"{{"alg":"ES256","kid":"one"{more}}}"#));
    let long = header(&format!(r#","x":"{}""#, "x".repeat(1 << 20)));
    let deep = header(&format!(r#","x":{}1{}"#, "[".repeat(70), "]".repeat(70)));
    let claims = |more: &str| token(&sandbox, &format!("sign api {more}"));
    sandbox.write("list.json", "[1]");
    for (token, options, code, cause, word) in [
        (good.clone() + ".", &[][..], 5, "malformed", "4 segments"),
        (good.clone() + "..", &[], 5, "malformed", "5 segments"),
        (good.clone() + "=", &[], 5, "malformed", "ends in ="),
        (good.replace('.', ". "), &[], 5, "malformed", "base64url"),
        ("eyJ.".into(), &[], 5, "malformed", "2 of 3"),
        (header(r#","kid":"one""#), &[], 5, "malformed", "twice"),
        (long, &[], 5, "malformed", "64 KiB"),
        (deep, &[], 5, "malformed", "deeper"),
        (
            header(r#","crit":["exp"],"exp":1"#),
            &[],
            5,
            "critical_extension",
            "exp",
        ),
        (
            with_header(&good, r#"{"alg":"none"}"#),
            &[],
            5,
            "unsigned",
            "not signed",
        ),
        (
            with_header(&good, r#"{"alg":"NONE"}"#),
            &[],
            5,
            "unsigned",
            "not signed",
        ),
        (
            with_header(&good, r#"{"alg":"HS256","kid":"one"}"#),
            &[],
            5,
            "algorithm",
            "HS256",
        ),
        (
            good.clone(),
            &["--alg", "ES384"],
            5,
            "algorithm",
            "not ES384",
        ),
        (
            with_header(&good, r#"{"alg":"ES256","kid":"two"}"#),
            &[],
            3,
            "unknown_key",
            "\"two\"",
        ),
        (
            with_header(&good, r#"{"alg":"RS256"}"#),
            &[],
            3,
            "unknown_key",
            "no kid",
        ),
        (
            header(r#","x":1"#),
            &[],
            5,
            "signature",
            "key one of set api: the signature does not match",
        ),
        (
            claims("--payload list.json"),
            &[],
            5,
            "claims",
            "--signature-only",
        ),
        (claims("--exp -1h"), &[], 5, "expired", "expired 1h ago"),
        (claims("--nbf +1h"), &[], 5, "not_yet_valid", "1h"),
        (
            claims("--claim iat=1777640400"),
            &[],
            5,
            "issued_ahead",
            "clocks",
        ),
        (
            good.clone(),
            &["--iss", "https://j"],
            5,
            "issuer",
            "https://j",
        ),
        (good.clone(), &["--aud", "b"], 5, "audience", "\"b\""),
        (good.clone(), &typed[..], 5, "type", "at+jwt"),
    ] {
        // The longest of them would not fit into an argument.
        let verify = ["verify", "api", "-", "--leeway", "1m", "--now", NOW];
        let run = sandbox.run_with_input(verify.iter().chain(options), &token);
        let run = run.fails(code);
        assert!(run.stderr.contains(word), "{cause}: {run:#?}");
        assert!(run.stdout.is_empty(), "{run:#?}");
        let arguments = verify.iter().chain(options).chain(&["--json"]);
        let json = sandbox.run_with_input(arguments, &token).fails(code);
        let report: Value = serde_json::from_str(&json.stdout).expect("JSON");
        assert_eq!(
            (&report["valid"], &report["cause"]),
            (&json!(false), &json!(cause))
        );
    }
    let accepted = [
        "--iss",
        "https://i",
        "--aud",
        "b",
        "--aud",
        "a",
        "--typ",
        "AT+JWT",
    ];
    let line = [
        "verify", "api", &good, "--now", NOW, "--alg", "ES256", "--json",
    ];
    let report = sandbox.run(line.iter().chain(&accepted)).ok().json();
    assert_eq!(report["state"], "active");
    assert_eq!(report["claims"]["iss"], "https://i");
    run(&sandbox, "verify api --alg ES25").fails(2);
    run(&sandbox, "verify api --leeway 5").fails(2);
}

#[test]
fn a_key_that_has_ended_verifies_nothing() {
    let sandbox = Sandbox::new();
    run(&sandbox, "create api --kid old --exp +10m").ok();
    let signed = token(&sandbox, "sign api --exp +9d");
    verify(&sandbox, "verify api", &signed).ok();
    let late = ["verify", "api", &signed, "--now", "2026-05-02"];
    let run = sandbox.run(late).fails(5);
    assert!(
        run.stderr.contains("signed the token, but the key expired"),
        "{run:#?}"
    );
    let report = sandbox.run(late.iter().chain(&["--json"])).fails(5).stdout;
    assert!(report.contains("\"key_ended\""), "{report}");
}

/// An hour of difference between the clocks, both ways, and the leeway that helps.
#[test]
fn a_clock_that_is_an_hour_off() {
    let sandbox = sandbox();
    let signed = token(&sandbox, "sign api --exp +5m");
    for (now, cause) in [
        ("2026-05-01T11:00:00Z", "clocks"),
        ("2026-05-01T13:00:00Z", "expired 55m ago"),
    ] {
        let line = ["verify", "api", &signed, "--now", now];
        let run = sandbox.run(line).fails(5);
        assert!(run.stderr.contains(cause), "{run:#?}");
        sandbox.run(line.iter().chain(&["--leeway", "61m"])).ok();
    }
}

#[test]
fn the_key_is_found_without_a_set_and_without_a_kid() {
    let sandbox = sandbox();
    run(&sandbox, "create web --kid two --alg EdDSA").ok();
    let signed = token(&sandbox, "sign web");
    let found = verify(&sandbox, "verify", &signed).ok();
    assert!(
        found
            .stdout
            .starts_with("valid: key two of set web (EdDSA, active)\n"),
        "{found:#?}"
    );
    for input in [
        &["verify", "-"][..],
        &["verify"],
        &["verify", "web"],
        &["verify", "web", "-"],
    ] {
        let arguments = input.iter().chain(&["--now", NOW]);
        sandbox
            .run_with_input(arguments, format!("{signed}\n"))
            .ok();
    }
    sandbox
        .run_with_input(["verify", "web"], format!("{signed}\n\n"))
        .fails(5);
    // Two keys of one kid, and a third without one.
    let key = |set: &str| sandbox.json(["get", set, "--private"])["keys"][0].clone();
    let (mut one, mut two) = (key("api"), key("web"));
    one["kid"] = "same".into();
    two["kid"] = "same".into();
    let file = sandbox.write("twins.json", json!({"keys": [one, two]}).to_string());
    let same = |key: &Value| {
        let alone = json!({"keys": [key]}).to_string();
        let path = sandbox.write("alone.json", alone);
        token(&sandbox, &format!("sign {path}"))
    };
    for key in [&one, &two] {
        let run = verify(&sandbox, &format!("verify {file}"), &same(key)).ok();
        let alg = key["alg"].as_str().expect("an alg");
        assert!(run.stdout.contains(alg), "{run:#?}");
    }
    let mut nameless = two.clone();
    nameless.as_object_mut().expect("a key").remove("kid");
    let signed = same(&nameless);
    assert_eq!(decoded(&signed, 0).get("kid"), None);
    verify(&sandbox, "verify web", &signed).ok();
    verify(&sandbox, "verify", &signed).ok();
    // A key without a kid can be the one that a token names.
    let alone = sandbox.write("nameless.json", json!({"keys": [nameless]}).to_string());
    let named = token(&sandbox, "sign web");
    verify(&sandbox, &format!("verify {alone}"), &named).ok();
    let other = verify(&sandbox, "verify api", &signed).fails(3);
    assert!(other.stderr.contains("no kid"), "{other:#?}");
}

/// Keys without a kid in other sets neither use up the tries nor hide that a kid is unknown.
#[test]
fn keys_without_a_kid_hide_nothing() {
    let sandbox = sandbox();
    run(&sandbox, "create zz --kid last").ok();
    let signed = token(&sandbox, "sign zz");
    let mut nameless = sandbox.json(["get", "api", "--private"])["keys"][0].clone();
    nameless.as_object_mut().expect("a key").remove("kid");
    let file = sandbox.write("nameless.json", json!({"keys": [nameless]}).to_string());
    let unknown = verify(&sandbox, &format!("verify {file}"), &signed).fails(3);
    assert!(unknown.stderr.contains("the kid \"last\""), "{unknown:#?}");
    let many = json!({"keys": vec![nameless; 120]}).to_string();
    std::fs::write(sandbox.store().join("aa.json"), many).expect("a set");
    verify(&sandbox, "verify", &signed).ok();
}

#[test]
fn a_word_that_is_no_token_is_a_file() {
    let sandbox = sandbox();
    for word in ["missing.jwt", "missing"] {
        let missing = run(&sandbox, &format!("verify api {word}")).fails(3);
        assert!(missing.stderr.contains("no file"), "{missing:#?}");
    }
    run(&sandbox, "verify api .").fails(5);
}

/// Each of several tokens has its own jti, and what contradicts itself is refused.
#[test]
fn claims_do_not_contradict_each_other() {
    let sandbox = sandbox();
    run(&sandbox, "sign api --claim exp=5 --exp none").fails(2);
    let two = run(&sandbox, "sign api --count 2 --claim jti=\"same\"").ok();
    let jti: std::collections::BTreeSet<_> = two
        .stdout
        .lines()
        .map(|token| decoded(token, 1)["jti"].to_string())
        .collect();
    assert_eq!(jti.len(), 2);
}

/// A kid that is not there any more, or not in an old copy.
#[test]
fn the_end_of_an_unknown_kid_is_told() {
    let sandbox = sandbox();
    sandbox.ok(["export", "api", "-o", "copy.json"]);
    run(&sandbox, "create api --kid two").ok();
    let signed = token(&sandbox, "sign api --kid two");
    let old = ["verify", "./copy.json", &signed, "--now", "2099-01-01"];
    let run = sandbox.run(old).fails(3);
    assert!(
        run.stderr.contains("the file is ") && run.stderr.contains("d "),
        "{run:#?}"
    );
    assert!(
        run.stderr
            .contains("it was created in set api at 2026-05-01T12:00:00Z"),
        "{run:#?}"
    );
    let line = [
        "delete",
        "api",
        "two",
        "--yes",
        "--force",
        "--now",
        "2026-05-01T12:30:00Z",
    ];
    sandbox.ok(line);
    let run = verify(&sandbox, "verify api", &signed).fails(3);
    assert!(
        run.stderr
            .contains("it was removed at 2026-05-01T12:30:00Z"),
        "{run:#?}"
    );
    sandbox.ok(["create", "web"]);
    let run = verify(&sandbox, "verify", &signed).fails(3);
    assert!(run.stderr.contains("removed from set api"), "{run:#?}");
    assert!(run.stderr.contains("--online"), "{run:#?}");
}

/// Verifiers with an older copy of the set lack a new key, and never the first one.
#[test]
fn a_new_key_is_not_in_every_copy() {
    let sandbox = sandbox();
    let first = token(&sandbox, "sign api");
    let run = verify(&sandbox, "verify api", &first).ok();
    assert!(run.stderr.is_empty(), "{run:#?}");
    let new = [
        "create",
        "api",
        "--kid",
        "two",
        "--now",
        "2026-05-01T13:00:00Z",
    ];
    sandbox.ok(new);
    let at = "2026-05-01T13:10:00Z";
    let signed = sandbox.ok(["sign", "api", "--kid", "two", "--now", at]);
    let line = ["verify", "api", signed.trim_end(), "--json", "--now"];
    let report = |now| sandbox.run(line.iter().chain(&[now])).ok();
    let run = report(at);
    assert!(
        run.stderr.contains("lacks it until 2026-05-01T14:00:00Z"),
        "{run:#?}"
    );
    let copies = json!({"publish_delay": 3600, "known_from": 1_777_644_000, "known": false});
    assert_eq!(run.json()["copies"], copies);
    let run = report("2026-05-01T14:00:00Z");
    assert_eq!(run.json()["copies"]["known"], true);
    assert!(run.stderr.is_empty(), "{run:#?}");
}

/// Nothing of a token reaches a terminal raw.
#[test]
fn control_characters_are_escaped() {
    let sandbox = sandbox();
    let odd = "\u{1b}[31m\u{202e}\u{9b}\r\n";
    let json = serde_json::to_string(odd).expect("JSON");
    sandbox.write(
        "claims.json",
        format!("{{\"x\" :\r [{json}], {json}: {json}, \"iss\": {json}}}"),
    );
    let good = token(&sandbox, "sign api --claims claims.json");
    let header = |member: &str| {
        let rest = r#","kid":"one""#.replace(&format!(r#","{member}":"one""#), "");
        with_header(
            &good,
            &format!("{{\"alg\":\"ES256\"{rest},\r\"{member}\":{json}}}"),
        )
    };
    let mut key = sandbox.json(["get", "api", "one", "--private"]);
    key["kid"] = odd.into();
    let file = sandbox.write("odd.json", key.to_string());
    let of_odd = token(&sandbox, &format!("sign {file}"));
    for token in [&good, &header("kid"), &header("typ"), &header("x"), &of_odd] {
        for line in [
            "verify api",
            "verify --json api",
            "verify --typ a api",
            "verify --decode",
            "verify --decode --json",
            "verify --iss x api",
            "verify ./odd.json",
        ] {
            let run = verify(&sandbox, line, token);
            let all = run.stdout.clone() + &run.stderr;
            let is_raw = |c: char| c.is_control() && c != '\n' || "\u{202e}\u{9b}".contains(c);
            assert!(!all.contains(is_raw), "{line}: {run:#?}");
            assert!(!all.contains("panicked"), "{run:#?}");
        }
    }
    let shown = verify(&sandbox, "verify api", &good).ok().stdout;
    assert_eq!(shown.lines().count(), 7, "{shown}");
}

#[test]
fn a_token_is_decoded_without_a_set() {
    let sandbox = sandbox();
    let unsigned = format!(
        "{}.{}.",
        URL_SAFE_NO_PAD.encode(r#"{"alg":"none"}"#),
        URL_SAFE_NO_PAD.encode(r#"{"a":1.0}"#)
    );
    let run = verify(&sandbox, "verify --decode", &unsigned).ok();
    assert!(run.stderr.contains("nothing was verified"), "{run:#?}");
    assert_eq!(
        run.json(),
        json!({"header": {"alg": "none"}, "claims": {"a": 1.0}})
    );
    sandbox.write("bytes", "no JSON");
    let bytes = token(&sandbox, "sign api --payload bytes");
    let run = sandbox.run(["verify", "--decode", &bytes, "--json"]).ok();
    assert_eq!(run.json()["payload"], URL_SAFE_NO_PAD.encode("no JSON"));
    sandbox.run(["verify", "--decode", "no.to.ken"]).fails(5);
    sandbox
        .run(["verify", "--decode", "api", &unsigned])
        .fails(2);
    sandbox.run(["verify", "--online", "api", &bytes]).fails(2);
}
