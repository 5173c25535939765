//! The tour of the guide for the service accounts of a cluster: its files, and its documents in S3.

use crate::servers::s3::Storage;
use crate::support::{JWKS, Run, Sandbox, finish, has_tool, kids_in};
use serde_json::Value;

const GUIDE: &str = include_str!("../../../man/jwks-servers.7.md");

/// The lines of the chapter that run the program.
fn lines() -> impl Iterator<Item = &'static str> {
    let chapter = GUIDE
        .split("\n## Service accounts of a cluster")
        .nth(1)
        .expect("the chapter");
    let chapter = chapter.split("\n## ").next().unwrap_or_default();
    chapter.lines().filter(|line| line.starts_with("jwks "))
}

#[test]
fn the_documents_are_those_that_a_cloud_provider_reads() {
    if !has_tool("openssl") {
        return;
    }
    let (sandbox, storage) = (Sandbox::new(), Storage::start());
    // The bucket of the test server has another name.
    let endpoint = format!("--endpoint {}", storage.server.address());
    let run = |line: &str| -> Run {
        let line = line
            .replace("--region eu-west-1", &endpoint)
            .replace("s3://oidc/", "s3://keys/");
        let mut shell = sandbox.command("sh");
        shell
            .args(["-c", &line])
            .env("AWS_ACCESS_KEY_ID", "tour")
            .env("AWS_SECRET_ACCESS_KEY", "secret-of-the-tour");
        finish(&mut shell)
    };
    lines().for_each(|line| drop(run(line).ok()));

    // The kid that kube-apiserver gives to the key, by its own rule.
    let digest = "openssl pkey -in sa-signer.key -pubout -outform DER | openssl dgst -sha256 -binary | base64 | tr '+/' '-_' | tr -d '='";
    let kid = run(digest).ok().stdout;
    let document = |key: &str| -> Value {
        let object = storage.object(key).expect("the document");
        serde_json::from_str(&object.body).expect("JSON")
    };
    let keys = document("keys.json");
    assert_eq!(kids_in(&keys["keys"]), [kid.trim()]);
    let key = &keys["keys"][0];
    assert_eq!((&key["alg"], &key["use"]), (&"RS256".into(), &"sig".into()));
    assert!(key["d"].is_null(), "{key}");
    let discovery = document(".well-known/openid-configuration");
    let issuer = "https://oidc.s3.eu-west-1.amazonaws.com";
    assert_eq!(discovery["issuer"], issuer);
    assert_eq!(discovery["jwks_uri"], format!("{issuer}/keys.json"));
    assert_eq!(
        discovery["id_token_signing_alg_values_supported"],
        serde_json::json!(["RS256"])
    );

    // A token of kube-apiserver verifies with the published key.
    sandbox.write("token", "header.payload");
    run("openssl dgst -sha256 -sign sa-signer.key -out signature token").ok();
    sandbox.write("keys.json", keys.to_string());
    let published = finish(sandbox.command(JWKS).args([
        "export",
        "keys.json",
        "--to",
        "pem",
        "-o",
        "published.pem",
    ]));
    published.ok();
    run("openssl dgst -sha256 -verify published.pem -signature signature token").ok();

    // A rotation publishes the new key a day before kube-apiserver gets it.
    let staged = run("jwks rotate cluster --now +90d --json").ok().json();
    let next = staged["sets"][0]["next_change"].as_i64().expect("a time");
    assert_eq!(
        document("keys.json")["keys"].as_array().map(Vec::len),
        Some(2)
    );
    let before = std::fs::read(sandbox.path().join("sa-signer.key")).expect("the key");
    run(&format!("jwks rotate cluster --now {next}")).ok();
    let after = std::fs::read(sandbox.path().join("sa-signer.key")).expect("the key");
    assert_ne!(before, after);
    let verifiers =
        std::fs::read_to_string(sandbox.path().join("sa-signer.pub")).expect("the keys");
    assert_eq!(verifiers.matches("BEGIN PUBLIC KEY").count(), 2);
}
