//! Any JOSE tool opens an encrypted set, as far as it counts iterations (RFC 7517 section 7).

use super::{PASSPHRASE, desk, open, read_jwe};
use crate::support::{Sandbox, has_tool};
use std::path::Path;

/// A set with a key of each kind, encrypted with as many iterations, in api.jwe; and its content.
fn encrypted(p2c: u32) -> (Sandbox, String) {
    let sandbox = desk();
    open(&sandbox, &format!("create api --encrypt --p2c {p2c}")).ok();
    for alg in ["RS256", "EdDSA", "HS256"] {
        open(&sandbox, &format!("create api --alg {alg}")).ok();
    }
    let content = open(&sandbox, "get api --private -q").ok().stdout;
    sandbox.write("api.jwe", read_jwe(&sandbox, "api"));
    (sandbox, content)
}

#[test]
fn latchset_jose_opens_what_jwks_writes() {
    if !has_tool("jose") {
        return;
    }
    // A password, for jose, is a text of its own kind, which it asks a terminal for; or a key.
    let key = super::encode(PASSPHRASE);
    for (p2c, opens) in [(10_000, true), (32_768, true), (32_769, false)] {
        let (sandbox, content) = encrypted(p2c);
        sandbox.write("key.jwk", format!("{{\"kty\":\"oct\",\"k\":\"{key}\"}}"));
        let run = sandbox.shell("jose jwe dec -i api.jwe -k key.jwk");
        if opens {
            assert_eq!(run.ok().stdout, content, "{p2c}")
        } else {
            assert_ne!(
                run.code,
                Some(0),
                "{p2c}: it opens more than the guide says"
            )
        }
    }
}

const NODE: &str = r#"
import { readFileSync } from 'node:fs';
import { compactDecrypt } from 'jose';
const jwe = readFileSync('api.jwe', 'utf8');
const { plaintext } = await compactDecrypt(jwe, new TextEncoder().encode(process.argv[2]), {
  keyManagementAlgorithms: ['PBES2-HS512+A256KW'],
});
process.stdout.write(plaintext);
"#;

/// npm's jose, in the directory that the benchmarks take it from.
#[test]
fn npm_jose_opens_what_jwks_writes() {
    let Some(directory) = std::env::var_os("JWKS_BENCH_NODE_JOSE") else {
        eprintln!("JWKS_BENCH_NODE_JOSE names no directory: not tested here");
        return;
    };
    if !has_tool("node") {
        return;
    }
    for (p2c, opens) in [(10_000, true), (10_001, false)] {
        let (sandbox, content) = encrypted(p2c);
        sandbox.write("open.mjs", NODE);
        let modules = Path::new(&directory).join("node_modules");
        std::os::unix::fs::symlink(modules, sandbox.path().join("node_modules")).expect("a link");
        let run = sandbox.shell(&format!("node open.mjs '{PASSPHRASE}'"));
        if opens {
            assert_eq!(run.ok().stdout, content, "{p2c}")
        } else {
            assert_ne!(
                run.code,
                Some(0),
                "{p2c}: it opens more than the guide says"
            )
        }
    }
}

const PYTHON: &str = r#"
import sys
from jwcrypto import jwe, jwk
token = jwe.JWE(algs=["PBES2-HS512+A256KW", "A256GCM"])
token.deserialize(open("api.jwe").read(), jwk.JWK.from_password(sys.argv[1]))
sys.stdout.buffer.write(token.payload)
"#;

/// Python's jwcrypto, where it is installed.
#[test]
fn jwcrypto_opens_what_jwks_writes() {
    if desk().shell("python3 -c 'import jwcrypto'").code != Some(0) {
        eprintln!("jwcrypto is not installed: not tested here");
        return;
    }
    for (p2c, opens) in [(10_000, true), (16_384, true), (16_385, false)] {
        let (sandbox, content) = encrypted(p2c);
        sandbox.write("open.py", PYTHON);
        let run = sandbox.shell(&format!("python3 open.py '{PASSPHRASE}'"));
        if opens {
            assert_eq!(run.ok().stdout, content, "{p2c}")
        } else {
            assert_ne!(
                run.code,
                Some(0),
                "{p2c}: it opens more than the guide says"
            )
        }
    }
}
