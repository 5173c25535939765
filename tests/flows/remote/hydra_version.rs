//! Each version of Hydra does something in its own way: where its sets are, which kids a path can
//! name, and what it keeps of a certificate.

use crate::hydra::site::{Site, in_every_version};
use crate::servers::hydra::Version;
use serde_json::{Value, json};

/// A site whose remote is of the other kind than its server.
fn of_the_wrong_kind(version: Version) -> Site {
    let site = Site::new(version);
    let kind = other_kind(version);
    let address = site.hydra.address();
    site.ok(&format!(
        "remote add prod --kind {kind} --url {address} --force"
    ));
    site
}

fn other_kind(version: Version) -> &'static str {
    if version.is_1() { "hydra" } else { "hydra-v1" }
}

/// 2.0 does not know the path, 2.2 redirects it to a host that is none, and 26.2 answers.
#[test]
fn a_server_of_the_other_kind_is_named_and_given_nothing() {
    for version in Version::ALL {
        eprintln!("{version:?}");
        let site = of_the_wrong_kind(version);
        let key = site.key("mine", "--alg RS256");
        site.sandbox.write("own.json", key.to_string());
        site.ok("set api own.json");
        for line in [
            "remote test prod",
            "push api prod --yes",
            "rotate api --every 30d --push prod",
            "set api own.json --remote prod --yes",
            "create api --remote prod --alg RS256",
        ] {
            let run = site.run(line).fails(6);
            let number = version.name().rsplit_once('.').expect("a number").0;
            let found = format!("is Hydra {}", number.trim_start_matches('v'));
            assert!(run.stderr.contains(&found), "{line}: {run:#?}");
            let kind = site.kind();
            let mend = format!("jwks remote add prod --kind {kind} --url http://127.0.0.1");
            assert!(run.stderr.contains(&mend), "{line}: {run:#?}");
            assert!(!run.stderr.contains("insecure"), "{line}: {run:#?}");
            assert!(site.writes().is_empty(), "{line}");
        }
    }
}

/// The command in the hint is whole.
#[test]
fn the_command_in_the_hint_mends_it() {
    for version in Version::ALL {
        let site = of_the_wrong_kind(version);
        let run = site.run("remote test prod").fails(6);
        let command = run.stderr.split('`').nth(1).expect("a command");
        let arguments = command.strip_prefix("jwks ").expect("one of ours");
        site.ok(arguments);
        site.ok("remote test prod");
    }
}

/// A deletion is a write, and 26.2 has what it would delete.
#[test]
fn nothing_is_deleted_on_a_server_of_the_other_kind() {
    let site = of_the_wrong_kind(Version::V26_2);
    site.hydra
        .put("api", &json!({ "keys": [site.key("mine", "")] }));
    let run = site.run("delete api --remote prod --yes --force").fails(6);
    assert!(run.stderr.contains("is Hydra 26.2"), "{run:#?}");
    assert_eq!(site.there("api"), ["mine*"]);
}

const KIDS: [&str; 14] = [
    "a=b", "a+b", "a@b", "a/b", "a#b", "it's", "a b", "über", "100%", "a?b", "a\\b", ".", "..",
    "%2e%2e",
];

/// They are escaped in paths. The set is put whole where a path cannot name a kid.
#[test]
fn kids_with_any_characters_are_pushed_found_and_deleted() {
    in_every_version(|site| {
        let mut key = site.key("own", "");
        for kid in KIDS {
            key["kid"] = kid.into();
            site.sandbox.write("own.json", key.to_string());
            let set = ["set", "api", "own.json", "--remote", "prod", "--yes"];
            site.sandbox.run(set).ok();
            let there = site.there("api");
            let is_there = |name: &str| there.iter().any(|key| key.trim_end_matches('*') == name);
            assert!(is_there(&site.kid(kid)), "{kid}: {there:?}");
            let get = ["get", "api", kid, "--remote", "prod"];
            let found: Value = site.sandbox.run(get).ok().json();
            assert_eq!(found["x"], key["x"]);
            let delete = ["delete", "api", kid, "--remote", "prod", "--yes", "--force"];
            site.sandbox.run(delete).ok();
            assert!(site.there("api").is_empty(), "{kid}");
        }
    });
}

#[test]
fn kids_with_any_characters_are_pushed_and_stay_the_same() {
    in_every_version(|site| {
        site.ok(&format!("create api --count {} --store aside", KIDS.len()));
        let mut set = site.json("get api --private --store aside");
        for (key, kid) in set["keys"]
            .as_array_mut()
            .expect("keys")
            .iter_mut()
            .zip(KIDS)
        {
            key["kid"] = kid.into();
        }
        site.sandbox.write("own.json", set.to_string());
        site.ok("set api own.json");
        let pushed = site.ok("push api prod --yes");
        assert!(!pushed.stderr.contains("is not sent"), "{pushed:#?}");
        site.ok("diff api prod --exit-code");
        site.hydra.server.forget_calls();
        site.ok("push api prod --yes");
        assert!(site.writes().is_empty());
    });
}

/// A set with an ordinary certificate chain: x5c, x5t and x5t#S256.
fn with_a_certificate(site: &Site) {
    site.ok("create api --alg RS256 --x509 --kid certified");
    let mut key = site.local("api")[0].clone();
    key["x5t"] = sha1_thumbprint(&key).into();
    site.sandbox.write("own.json", key.to_string());
    site.ok("set api own.json");
    assert!(site.local("api")[0]["x5t"].is_string());
}

/// `x5t` of the first certificate (RFC 7517 section 4.8).
fn sha1_thumbprint(key: &Value) -> String {
    use base64::Engine as _;
    use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
    let certificate = key["x5c"][0].as_str().expect("a certificate");
    let certificate = STANDARD.decode(certificate).expect("base64");
    URL_SAFE_NO_PAD.encode(openssl::sha::sha1(&certificate))
}

#[test]
fn a_certificate_is_pushed_once_and_makes_no_difference() {
    in_every_version(|site| {
        with_a_certificate(site);
        site.ok("push api prod --yes");
        assert!(site.hydra.keys("api")[0]["x5c"].is_array());
        site.ok("diff api prod --exit-code");
        site.hydra.server.forget_calls();
        let again = site.ok("push api prod --yes");
        assert!(again.stderr.contains("nothing sent"), "{again:#?}");
        assert!(site.writes().is_empty());
        let before = site.local("api");
        site.ok("pull prod:api");
        assert_eq!(
            site.local("api"),
            before,
            "what is not kept there stays here"
        );
    });
}

/// 1.11 and 2.0 answer 500 to it, 1.0 drops it, and later ones keep it.
#[test]
fn an_address_of_certificates_is_left_out_where_it_would_fail() {
    in_every_version(|site| {
        with_a_certificate(site);
        let mut key = site.local("api")[0].clone();
        key["x5u"] = "https://example.com/chain.pem".into();
        site.sandbox.write("own.json", key.to_string());
        site.ok("set api own.json");
        let is_kept = site.version >= Version::V2_2;
        for line in [
            "push api prod --yes",
            "set api own.json --remote prod --yes --replace",
        ] {
            site.hydra.put("api", &json!({ "keys": [] }));
            let run = site.ok(line);
            assert_eq!(run.stderr.contains("does not keep"), !is_kept, "{run:#?}");
            assert_eq!(run.stderr.contains("x5u"), !is_kept, "{run:#?}");
            assert_eq!(site.hydra.keys("api")[0]["x5u"].is_string(), is_kept);
        }
        site.ok("diff api prod --exit-code");
    });
}

/// The version is asked for only if it matters.
#[test]
fn a_key_without_a_certificate_needs_no_version() {
    in_every_version(|site| {
        site.ok("create api --alg RS256");
        site.ok("push api prod --yes");
        site.ok("diff api prod");
        let lines = site.hydra.server.lines();
        assert!(!lines.contains(&"GET /version".to_owned()), "{lines:?}");
    });
}
