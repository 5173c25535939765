//! `export`, then `diff`: what an export leaves out is no difference; all else is one.

use crate::servers::authlete::{Authlete, SERVICE_ID, Version};
use crate::servers::clerk::Clerk;
use crate::servers::plain::Plain;
use crate::support::{Run, Sandbox};
use serde_json::{Value, json};

/// A web server, also an OpenID provider, and a sandbox with a set `issuer` of many kinds of key.
struct Publisher {
    web: Plain,
    sandbox: Sandbox,
}

impl Publisher {
    fn start() -> Publisher {
        let (web, sandbox) = (Plain::start(), Sandbox::new());
        let publisher = Publisher { web, sandbox };
        publisher.fill("issuer", "");
        let issuer = publisher.web.issuer("/tenant");
        let add = ["remote", "add", "op", "--kind", "oidc", "--issuer", &issuer];
        publisher.sandbox.ok(add);
        publisher
    }

    /// Creates a set with an expired, a retired, an active, a pending, a symmetric, a certified, a
    /// moved and an unusable key, and with members that stay in the keystore.
    fn fill(&self, set: &str, more: &str) {
        for line in [
            "--kid old --nbf -9d",
            "--kid active --alg ES256 --key-ops sign,verify",
            "--kid next --nbf +1d --exp +30d",
            "--kid certified --alg PS256 --x509",
            "--kid agree --alg ECDH-ES --key-ops deriveKey",
            "--kid secret --alg HS256",
            "--kid moved --alg EdDSA",
        ] {
            self.run(&format!("create {set} {line} {more}"));
        }
        self.run(&format!("rotate {set} --alg ES384 --line EdDSA {more}"));
        let odd = r#"{"keys":[
            {"kty":"XYZ","kid":"odd","value":"AA"},
            {"kty":"OKP","crv":"Ed25519","use":"sig","alg":"Ed25519","kid":"noted","note":"ours",
             "x":"PUAXw-hDiVqStwqnTRt-vJyYLM8uxJaMwM1V8Sr0Zgw","exp":4102444800.5}]}"#;
        self.sandbox.write("odd.json", odd);
        self.run(&format!("set {set} odd.json {more}"));
    }

    fn run(&self, line: &str) -> Run {
        self.sandbox.run(line.split_whitespace()).ok()
    }

    /// Exports the set and serves the file at both places.
    fn publish(&self, set: &str, options: &str) {
        self.run(&format!("export {set} --force -o jwks.json {options}"));
        let file = self.sandbox.path().join("jwks.json");
        let document = std::fs::read_to_string(file).expect("the export");
        self.serve(&document);
    }

    fn serve(&self, document: &str) {
        for path in ["/jwks.json", "/tenant/jwks.json"] {
            self.web.serve(path, document);
        }
    }

    /// The kids that differ on both remotes; a difference is exit 8.
    #[track_caller]
    fn differing(&self, set: &str) -> Vec<String> {
        let differing = |remote: &str| {
            let run = self
                .sandbox
                .run(["diff", set, remote, "--exit-code", "--json"]);
            let report = run.json();
            let kids = |name: &str| {
                let keys = report[name].as_array().expect("keys").iter();
                let kids = keys.map(|key| key["kid"].as_str());
                kids.map(|kid| format!("{name} {}", kid.expect("a kid")))
                    .collect::<Vec<_>>()
            };
            let all = ["only_local", "only_remote", "differs"].map(kids).concat();
            assert_eq!(
                run.code,
                Some(if all.is_empty() { 0 } else { 8 }),
                "{run:#?}"
            );
            all
        };
        let url = self.web.url("/jwks.json");
        let (at_address, of_issuer) = (differing(&url), differing("op"));
        assert_eq!(at_address, of_issuer);
        of_issuer
    }
}

#[test]
fn what_an_export_leaves_out_is_no_difference() {
    let publisher = Publisher::start();
    for options in ["", "--with-dates", "--private"] {
        publisher.publish("issuer", options);
        assert_eq!(publisher.differing("issuer"), [""; 0], "{options}");
    }
    // A key that has expired since then is still there, and is to go.
    publisher.publish("issuer", "");
    publisher.run("set issuer --kid old --exp -1h");
    assert_eq!(publisher.differing("issuer"), ["only_remote old"]);
    publisher.publish("issuer", "");
    assert_eq!(publisher.differing("issuer"), [""; 0]);
}

/// The public keys of an encrypted set are compared without its passphrase.
#[test]
fn the_export_of_an_encrypted_set_does_not_differ() {
    let publisher = Publisher::start();
    publisher.sandbox.write("passphrase.txt", "of the set");
    let passphrase = "--passphrase-file passphrase.txt";
    publisher.run(&format!(
        "create sealed --encrypt --p2c 1000 --kid first {passphrase}"
    ));
    publisher.fill("sealed", passphrase);
    publisher.publish("sealed", "");
    assert_eq!(publisher.differing("sealed"), [""; 0]);
}

#[test]
fn other_keys_and_other_members_are_a_difference() {
    let publisher = Publisher::start();
    publisher.publish("issuer", "");
    let file = publisher.sandbox.path().join("jwks.json");
    let exported = std::fs::read_to_string(file).expect("the export");
    let change = |change: &dyn Fn(&mut Vec<Value>)| {
        let mut set: Value = serde_json::from_str(&exported).expect("JSON");
        change(set["keys"].as_array_mut().expect("keys"));
        publisher.serve(&set.to_string());
        publisher.differing("issuer")
    };
    let active = |keys: &mut Vec<Value>| {
        keys.iter()
            .position(|key| key["kid"] == "active")
            .expect("it")
    };
    let missing = change(&|keys| {
        let active = active(keys);
        keys.remove(active);
    });
    assert_eq!(missing, ["only_local active"]);
    let other_alg = change(&|keys| {
        let active = active(keys);
        keys[active]["alg"] = "ES256K".into();
    });
    assert_eq!(other_alg, ["differs active"]);
    publisher.run("create other --kid extra");
    let extra = publisher.run("get other extra").json();
    assert_eq!(
        change(&|keys| keys.push(extra.clone())),
        ["only_remote extra"]
    );
    let other_key = change(&|keys| {
        let active = active(keys);
        keys[active]["x"] = extra["x"].clone();
        keys[active]["y"] = extra["y"].clone();
    });
    assert_eq!(other_key, ["only_local active", "only_remote active"]);
    // A date that is there says when others stop to trust the key.
    let dated = change(&|keys| {
        let active = active(keys);
        keys[active]["exp"] = json!(4_102_444_800_u64);
    });
    assert_eq!(dated, ["differs active"]);
}

/// The same key material under several entries stays as many entries, whatever their order.
#[test]
fn entries_of_one_key_are_compared_one_by_one() {
    let publisher = Publisher::start();
    publisher.run("create one --alg RS256 --kid a");
    let key = publisher.run("get one a --private").json();
    let entry = |kid: &str, alg: &str, usage: &str| {
        let mut entry = key.clone();
        (entry["kid"], entry["alg"], entry["use"]) = (kid.into(), alg.into(), usage.into());
        entry
    };
    let entries = [
        entry("a", "RS256", "sig"),
        entry("a", "PS256", "sig"),
        entry("b", "RS256", "sig"),
        entry("a", "RSA-OAEP", "enc"),
    ];
    let file = json!({ "keys": entries }).to_string();
    publisher.sandbox.write("several.json", file);
    publisher.run("set several several.json");
    publisher.publish("several", "");
    assert_eq!(publisher.differing("several"), [""; 0]);
    let exported = publisher.run("export several").json();
    let change = |change: &dyn Fn(&mut Vec<Value>)| {
        let mut set = exported.clone();
        change(set["keys"].as_array_mut().expect("keys"));
        publisher.serve(&set.to_string());
        publisher.differing("several")
    };
    assert_eq!(change(&|keys| keys.reverse()), [""; 0]);
    assert_eq!(change(&|keys| drop(keys.remove(1))), ["only_local a"]);
    let other_alg = change(&|keys| keys[2]["alg"] = "RS512".into());
    assert_eq!(other_alg, ["differs b"]);
    let extra = change(&|keys| {
        let mut entry = keys[0].clone();
        entry["alg"] = "RS384".into();
        keys.push(entry);
    });
    assert_eq!(extra, ["only_remote a"]);
}

/// Servers that keep sets as they are get the dates with a push; without one they may lack them.
#[test]
fn other_servers_may_lack_dates() {
    let publisher = Publisher::start();
    let public = publisher.run("export issuer").stdout;
    let private = publisher.run("export issuer --private").stdout;
    let clerk = Clerk::start("sk_test");
    let document: Value = serde_json::from_str(&public).expect("JSON");
    clerk.set_keys(document["keys"].as_array().expect("keys").clone());
    let authlete = Authlete::start(Version::V3);
    authlete.set_jwks(private);
    publisher.sandbox.write("clerk.token", "sk_test");
    publisher.sandbox.write("authlete.token", authlete.token());
    let add = format!(
        "remote add clerk --kind clerk --url {} --token-file clerk.token",
        clerk.address()
    );
    publisher.run(&add);
    let differs = publisher.run("diff issuer clerk --exit-code --json").json();
    assert_eq!(differs["only_remote"], json!([]));
    let add = format!(
        "remote add authlete --kind authlete --url {} --service-id {SERVICE_ID} --token-file authlete.token",
        authlete.address()
    );
    publisher.run(&add);
    publisher.run("diff issuer authlete --exit-code");
}
