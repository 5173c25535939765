//! What other tools say of what is exported.

use crate::support::{Sandbox, has_tool};

const ALGORITHMS: &[&[&str]] = &[
    &["--alg", "RS256"],
    &["--alg", "ES256"],
    &["--alg", "ES384"],
    &["--alg", "ES512"],
    &["--alg", "ES256K"],
    &["--alg", "EdDSA"],
    &["--alg", "EdDSA", "--crv", "Ed448"],
    &["--alg", "ECDH-ES", "--crv", "X25519"],
    &["--alg", "ECDH-ES", "--crv", "X448"],
];

/// openssl reads every private and public key, and the public one that it derives is ours.
#[test]
fn openssl_reads_every_key() {
    if !has_tool("openssl") {
        return;
    }
    let sandbox = Sandbox::new();
    for (i, algorithm) in ALGORITHMS.iter().enumerate() {
        let set = format!("s{i}");
        let mut create = vec!["create", &set];
        create.extend(*algorithm);
        sandbox.ok(&create);
        let export = |form: &str| {
            sandbox
                .shell(&format!("jwks export {set} --to {form}"))
                .ok()
                .stdout
        };
        let derived = format!("jwks export {set} --to pem --private | openssl pkey -pubout");
        assert_eq!(
            sandbox.shell(&derived).ok().stdout,
            export("pem"),
            "{algorithm:?}"
        );
        let der = format!(
            "jwks export {set} --to der --private | openssl pkey -inform DER -check -noout"
        );
        sandbox.shell(&der).ok();
        let der = format!("jwks export {set} --to der | openssl pkey -pubin -inform DER");
        sandbox.shell(&der).ok();
    }
    sandbox
        .shell("jwks export s0 --to pkcs1 --private | openssl rsa -check -noout")
        .ok();
    sandbox
        .shell("jwks export s0 --to pkcs1-der | openssl rsa -RSAPublicKey_in -inform DER -noout")
        .ok();
    sandbox
        .shell("jwks export s1 --to sec1 --private | openssl ec -check -noout")
        .ok();
    sandbox
        .shell("jwks export s1 --to sec1-der --private | openssl ec -inform DER -noout")
        .ok();
}

/// A key without the numbers that follow from others is written whole.
#[test]
fn openssl_reads_a_key_of_n_e_and_d() {
    if !has_tool("openssl") {
        return;
    }
    let sandbox = Sandbox::new();
    sandbox.ok(["create", "full", "--alg", "RS256", "--kid", "k"]);
    let mut key = sandbox.json(["get", "full", "k", "--private"]);
    let members = key.as_object_mut().expect("a key");
    for name in ["p", "q", "dp", "dq", "qi"] {
        members.remove(name);
    }
    let file = sandbox.write("short.json", key.to_string());
    sandbox.ok(["set", "short", &file]);
    sandbox
        .shell("jwks export short --to pem --private | openssl rsa -check -noout")
        .ok();
}

/// latchset jose signs with a key, and verifies with its public form.
#[test]
fn latchset_jose_works_with_the_keys() {
    if !has_tool("jose") {
        return;
    }
    let sandbox = Sandbox::new();
    for algorithm in ["ES256", "RS256", "PS384", "ES512"] {
        sandbox.ok(["create", algorithm, "--alg", algorithm]);
        let line = format!(
            "jwks get {algorithm} --private > private.jwks && jwks get {algorithm} > public.jwks
             jose jws sig -i '{{\"payload\":\"aGk\"}}' -k private.jwks -o signed.jws &&
             jose jws ver -i signed.jws -k public.jwks"
        );
        sandbox.shell(&line).ok();
    }
    let line = "jose jwk thp -i private.jwks";
    assert_eq!(
        sandbox.shell(line).ok().stdout.trim(),
        sandbox.ok(["thumbprint", "ES512"]).trim()
    );
}
