//! The public and the private half of a key in one file, in any order: the private half is kept.

use crate::support::Sandbox;
use serde_json::Value;
use std::path::Path;

/// A key of each kty that PEM can hold, and whether it can have a certificate.
const KEYS: &[(&str, bool)] = &[
    ("--alg RS256", true),
    ("--alg ES256", true),
    ("--alg EdDSA", true),
    ("--crv X25519", false),
    ("--alg ML-DSA-44", false),
];

/// A set `own` of one key, with its halves in `private.pem` and `public.pem`; whether its certificate
/// is in `certificate.pem`.
fn halves(options: &str, has_certificate: bool) -> Sandbox {
    let sandbox = Sandbox::new();
    match options {
        // Not every OpenSSL makes keys of ML-DSA.
        "--alg ML-DSA-44" => {
            let vectors = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/rfc");
            let file = vectors.join("rfc9964-ML-DSA-44-zero-seed.jwk.json");
            sandbox.ok(["set", "own", file.to_str().expect("UTF-8")])
        }
        options => sandbox.ok(["create", "own"].into_iter().chain(options.split(' '))),
    };
    sandbox.shell("jwks export own --to pem -o public.pem").ok();
    sandbox
        .shell("jwks export own --to pem --private -o private.pem")
        .ok();
    if has_certificate {
        sandbox
            .shell("jwks export own --to x509 --subject CN=own --days 90 -o certificate.pem")
            .ok();
    }
    sandbox
}

fn only(sandbox: &Sandbox) -> Value {
    let set = sandbox.json(["get", "joined", "--private"]);
    let [key] = &set["keys"].as_array().expect("keys")[..] else {
        panic!("not one key: {set}");
    };
    key.clone()
}

#[test]
fn the_private_half_stays_in_any_order_of_blocks() {
    for (options, has_certificate) in KEYS {
        let sandbox = halves(options, *has_certificate);
        let secret = match *options {
            "--alg ML-DSA-44" => "priv",
            _ => "d",
        };
        let orders: &[&str] = if *has_certificate {
            &[
                "public.pem private.pem",
                "private.pem public.pem",
                "certificate.pem private.pem",
                "private.pem certificate.pem",
                "public.pem certificate.pem private.pem",
            ]
        } else {
            &["public.pem private.pem", "private.pem public.pem"]
        };
        for files in orders {
            sandbox.shell(&format!("cat {files} > both.pem")).ok();
            sandbox.ok(["set", "joined", "both.pem"]);
            let key = only(&sandbox);
            assert!(key[secret].is_string(), "{options}: {files}");
            let is_certified = key["x5c"].is_array();
            assert_eq!(
                is_certified,
                files.contains("certificate"),
                "{options}: {files}"
            );
            sandbox.ok(["delete", "joined", "--yes", "--force"]);
        }
    }
}

/// Beside a private key of any kty, a certificate of another key is left out with a warning.
#[test]
fn a_certificate_of_another_key_is_no_key() {
    let other = halves("--alg RS256", true);
    let certificate = std::fs::read(other.path().join("certificate.pem")).expect("a file");
    for (options, _) in KEYS {
        let sandbox = halves(options, false);
        sandbox.write("other.pem", &certificate);
        for files in ["private.pem other.pem", "other.pem private.pem"] {
            sandbox.shell(&format!("cat {files} > both.pem")).ok();
            let run = sandbox.run(["set", "joined", "both.pem"]).ok();
            assert!(run.stderr.contains("left out"), "{options}: {run:#?}");
            only(&sandbox);
            sandbox.ok(["delete", "joined", "--yes", "--force"]);
        }
    }
}
