//! Tokens of other tools, and ours in other tools, by each algorithm that both know.

use crate::support::{Sandbox, has_tool, named_by};

const ALGORITHMS: &[&str] = &[
    "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA",
    "HS256", "HS384", "HS512",
];

/// A keystore with a set for each algorithm, its tokens in `ours`, and all keys in `keys.json`.
fn sandbox_with(algorithms: &[&str]) -> Sandbox {
    let sandbox = Sandbox::new();
    let mut keys = Vec::new();
    for alg in algorithms {
        sandbox.ok(["create", alg, "--alg", alg, "--kid", alg]);
        let token = sandbox.ok(["sign", alg, "--iss", "https://i", "--aud", "a"]);
        sandbox.write(&format!("ours/{alg}"), token.trim_end());
        keys.push(sandbox.json(["get", alg, alg, "--private"]));
    }
    std::fs::create_dir(sandbox.path().join("theirs")).expect("a directory");
    sandbox.write("keys.json", serde_json::json!({ "keys": keys }).to_string());
    sandbox
}

/// Their tokens verify here, and a changed one does not.
fn assert_verified(sandbox: &Sandbox, algorithms: &[&str]) {
    for alg in algorithms {
        let token = std::fs::read_to_string(sandbox.path().join("theirs").join(alg));
        let token = token.expect("a token");
        let line = ["verify", alg, &token, "--iss", "https://j", "--aud", "b"];
        let report = sandbox.run(line).ok();
        assert!(report.stdout.contains(alg), "{report:#?}");
        let (head, signature) = token.rsplit_once('.').expect("a signature");
        let other = if signature.starts_with('A') { "B" } else { "A" };
        let forged = format!("{head}.{other}{}", &signature[1..]);
        sandbox.run(["verify", alg, &forged]).fails(5);
    }
}

#[test]
fn npm_jose_verifies_and_signs() {
    let Some(directory) = named_by("JWKS_TEST_NODE_JOSE") else {
        return;
    };
    if !has_tool("node") {
        return;
    }
    let mut algorithms = ALGORITHMS.to_vec();
    algorithms.extend(["Ed25519", "ML-DSA-44", "ML-DSA-65", "ML-DSA-87"]);
    let sandbox = sandbox_with(&algorithms);
    sandbox.write(
        "both.mjs",
        format!(
            "import {{ createRequire }} from 'node:module'
             import {{ readFileSync, writeFileSync }} from 'node:fs'
             const path = createRequire({directory:?} + '/').resolve('jose')
             const jose = await import(path)
             const done = []
             for (const jwk of JSON.parse(readFileSync('keys.json', 'utf8')).keys) {{
               let key
               try {{
                 key = await jose.importJWK(jwk, jwk.alg)
               }} catch (error) {{
                 // Older versions of Node.js lack ML-DSA.
                 if (jwk.kty !== 'AKP') throw error
                 continue
               }}
               const {{ d, p, q, dp, dq, qi, priv, ...other }} = jwk
               const verifier = await jose.importJWK(other, jwk.alg)
               const token = readFileSync('ours/' + jwk.alg, 'utf8')
               const options = {{ issuer: 'https://i', audience: 'a', typ: 'JWT' }}
               await jose.jwtVerify(token, verifier, options)
               const theirs = await new jose.SignJWT({{}}).setIssuer('https://j').setAudience('b')
                 .setProtectedHeader({{ alg: jwk.alg, kid: jwk.kid }})
                 .setIssuedAt().setExpirationTime('5m').sign(key)
               writeFileSync('theirs/' + jwk.alg, theirs)
               done.push(jwk.alg)
             }}
             console.log(done.join(' '))
            "
        ),
    );
    let said = sandbox.shell("node both.mjs").ok().stdout;
    let done: Vec<&str> = said.split_whitespace().collect();
    assert!(done.len() > ALGORITHMS.len(), "{said}");
    assert_verified(&sandbox, &done);
}

#[test]
fn jwcrypto_verifies_and_signs() {
    let Some(python) = named_by("JWKS_TEST_PYTHON") else {
        return;
    };
    let mut algorithms = ALGORITHMS.to_vec();
    algorithms.push("ES256K");
    let sandbox = sandbox_with(&algorithms);
    sandbox.write(
        "both.py",
        "import json, time
from jwcrypto import jwk, jws, jwt
for members in json.load(open('keys.json'))['keys']:
    key, alg = jwk.JWK(**members), members['alg']
    ours = jwt.JWT(jwt=open('ours/' + alg).read(), key=key, algs=[alg],
                   check_claims={'iss': 'https://i', 'aud': 'a'})
    claims = {'iss': 'https://j', 'aud': 'b', 'exp': int(time.time()) + 300}
    token = jwt.JWT(header={'alg': alg, 'kid': alg}, claims=claims, algs=[alg])
    token.make_signed_token(key)
    open('theirs/' + alg, 'w').write(token.serialize())
",
    );
    sandbox.shell(&format!("{python} both.py")).ok();
    assert_verified(&sandbox, &algorithms);
}

/// Nimbus, which Spring Security verifies and signs with.
#[test]
fn nimbus_verifies_and_signs() {
    let Some(spring) = named_by("JWKS_TEST_SPRING") else {
        return;
    };
    if !has_tool("java") {
        return;
    }
    let algorithms: Vec<&str> = ALGORITHMS
        .iter()
        .copied()
        .filter(|alg| *alg != "EdDSA")
        .collect();
    let sandbox = sandbox_with(&algorithms);
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/signers/Nimbus.java");
    let said = sandbox
        .shell(&format!("java -cp '{spring}/*' {source}"))
        .ok()
        .stdout;
    assert_eq!(said.split_whitespace().collect::<Vec<_>>(), algorithms);
    assert_verified(&sandbox, &algorithms);
}
