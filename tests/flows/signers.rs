//! A year of a rotation that delivers to real signers: oidc-provider for Node.js, and the encoder of Spring
//! Security. At every moment at which something changes, each of them signs with the file that it has.

use crate::rotation::{DAY, HOUR, START, Store};
use crate::support::{has_tool, named_by};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use josekit::jwk::Jwk;
use josekit::jws::{self, RS256};
use serde_json::Value;
use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

const YEAR: i64 = 365 * DAY;

/// The schedule, and the files that it writes.
const SCHEDULE: &str = "--every 30d --publish-delay 1h --retire-after 24h \
    --export www/jwks.json --export provider.json=oidc-provider --export spring.json=spring";

/// How long tokens and copies of the set live.
const LIFE: i64 = 24 * HOUR;
const COPY: i64 = HOUR;

/// A program that reads the paths of JWK Sets, and prints a token for each.
struct Signer {
    child: Child,
    paths: ChildStdin,
    tokens: BufReader<ChildStdout>,
}

impl Signer {
    fn start(command: &mut Command) -> Signer {
        let piped = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        let mut child = piped.spawn().expect("the signer");
        Signer {
            paths: child.stdin.take().expect("a pipe"),
            tokens: BufReader::new(child.stdout.take().expect("a pipe")),
            child,
        }
    }

    /// A token, and what follows it on the line.
    fn sign(&mut self, path: &Path) -> String {
        writeln!(self.paths, "{}", path.display()).expect("the signer reads");
        loop {
            let mut line = String::new();
            self.tokens.read_line(&mut line).expect("an answer");
            assert!(!line.is_empty(), "the signer ended");
            // oidc-provider prints notices.
            if line.starts_with("eyJ") || line.starts_with("error") {
                return line.trim_end().to_owned();
            }
        }
    }
}

impl Drop for Signer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn signers() -> Option<[Signer; 2]> {
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/signers");
    let provider = named_by("JWKS_TEST_OIDC_PROVIDER")?;
    let spring = named_by("JWKS_TEST_SPRING")?;
    if !has_tool("node") || !has_tool("java") {
        return None;
    }
    let mut node = Command::new("node");
    let mut java = Command::new("java");
    let classes = format!("{spring}/*");
    Some([
        Signer::start(node.arg(sources.join("provider.mjs")).arg(provider)),
        Signer::start(
            java.args(["-cp", &classes])
                .arg(sources.join("Spring.java")),
        ),
    ])
}

fn kid_of(token: &str) -> String {
    let header = token.split('.').next().expect("a header");
    let header = URL_SAFE_NO_PAD.decode(header).expect("base64url");
    let header: Value = serde_json::from_slice(&header).expect("JSON");
    header["kid"].as_str().expect("a kid").to_owned()
}

/// Returns true if a token verifies with the key of its kid in a set.
fn verifies(token: &str, set: &Value) -> bool {
    let kid = kid_of(token);
    let keys = set["keys"].as_array().expect("keys");
    let Some(key) = keys.iter().find(|key| key["kid"] == *kid) else {
        return false;
    };
    let jwk = Jwk::from_bytes(key.to_string()).expect("a JWK");
    let verifier = RS256.verifier_from_jwk(&jwk).expect("a verifier");
    jws::deserialize_compact(token, &verifier).is_ok()
}

#[test]
fn real_signers_follow_a_year_of_rotations() {
    let Some(mut signers) = signers() else {
        return;
    };
    let store = Store::with_a_key("RS256");
    let at = |file: &str| store.sandbox.path().join(file);
    fs::create_dir(at("www")).expect("a directory");
    store.rotate(&format!("{SCHEDULE} --save"), START);
    let files = ["provider.json", "spring.json"].map(at);
    // What was published, from when on.
    let mut published: Vec<(i64, Value)> = Vec::new();
    let mut tokens: Vec<(i64, String)> = Vec::new();
    let mut rotations = 0;
    let mut now = START;
    while now < START + YEAR {
        let report = store.ok("rotate --all --json", now).json();
        let set = fs::read(at("www/jwks.json")).expect("the set");
        let set: Value = serde_json::from_slice(&set).expect("JSON");
        if published.last().is_none_or(|(_, last)| *last != set) {
            published.push((now, set));
        }
        let listed = store.ok("list api --json", now).json();
        let keys = listed["keys"].as_array().expect("keys").iter();
        let active = keys.clone().find(|key| key["state"] == "active");
        let active = active.expect("an active key")["kid"].clone();
        for (signer, file) in signers.iter_mut().zip(&files) {
            let line = signer.sign(file);
            let token = line.split(' ').next().expect("a token");
            assert!(token.starts_with("eyJ"), "at {now}: {line}");
            assert_eq!(active, kid_of(token), "at {now}");
            tokens.push((now, token.to_owned()));
        }
        rotations += report["sets"][0]["staged"].as_array().expect("keys").len();
        let next = report["sets"][0]["next_change"].as_i64();
        now = next.expect("a next change").max(now + 1);
    }
    assert!(rotations >= 12, "{rotations} rotations");
    let ends = published.iter().skip(1).map(|(from, _)| *from);
    let ends: Vec<i64> = ends.chain([i64::MAX]).collect();
    let mut broken = 0;
    for (signed, token) in &tokens {
        for ((from, set), end) in published.iter().zip(&ends) {
            // Any copy that a verifier can hold while the token lives.
            let oldest = if *signed == START {
                START
            } else {
                signed - COPY
            };
            let is_held = *from <= signed + LIFE && *end > oldest;
            broken += u32::from(is_held && !verifies(token, set));
        }
    }
    assert_eq!(broken, 0, "of {} tokens", tokens.len());
}

/// The whole private set, which a signer without a layout would read.
#[test]
fn real_signers_do_not_follow_without_a_layout() {
    let Some([mut provider, mut spring]) = signers() else {
        return;
    };
    let store = Store::with_a_key("RS256");
    let due = START + 30 * DAY;
    store.rotate("--every 30d", due - HOUR);
    let now = due + HOUR;
    store.ok("export api --private -o all.json", now);
    let file = store.sandbox.path().join("all.json");
    assert_eq!(kid_of(&provider.sign(&file)), "first", "the retired key");
    assert!(spring.sign(&file).contains("multiple JWK signing keys"));
}
