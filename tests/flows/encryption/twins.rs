//! A plain set and its encrypted twin: without the passphrase the one tells what the other does, and
//! with it both become the same.

use super::{desk, open, run};
use crate::completion::complete;
use crate::hydra::site::kids;
use crate::servers::hydra::{Hydra, Version};
use crate::support::{Run, Sandbox};
use serde_json::Value;

/// When the stories are told, so that no clock parts the twins.
const NOW: &str = "2026-11-20T12:00:00Z";

/// Keys of every state and kind. `odd` has the ones that are not as they should be, `mac` symmetric
/// ones.
const KEYS: [&str; 10] = [
    "create api --kid retired --now 2026-01-05",
    "create api --kid active --now 2026-05-05",
    "create api --kid pending --now 2026-11-20 --nbf 2026-12-01",
    "create api --kid expired --now 2026-01-05 --exp 2026-03-01 --alg RS256",
    "create api --kid ending --now 2026-11-01 --exp 2027-03-01 --alg RS256",
    "create api --kid okp --alg EdDSA --key-ops sign,verify --now 2026-11-01",
    "create api --kid agree --alg ECDH-ES --crv X448 --now 2026-11-01",
    "create mac --kid shared --alg HS256 --now 2026-11-01",
    "create mac --kid public --alg ES256K --now 2026-11-01",
    "create calm --kid calm --now 2026-11-19",
];

const ODD: &str = r#"{"keys":[
    {"kty":"XYZ","kid":"unknown","alg":"ZZ","priv":"c2VjcmV0"},
    {"kty":"EC","crv":"P-257","kid":"curve","x":"AAAA","y":"AAAA","d":"AAAA"},
    {"kty":"EC","crv":"P-256","kid":"short","x":"AAAA","y":"AAAA","d":"AAAA"},
    {"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
     "d":"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A","note":"a note","kid":"noted"}],
    "title":"odd ones","number":12345678901234567890.5}"#;

const SETS: [&str; 4] = ["api", "calm", "mac", "odd"];

/// The plain sets are in `store`, their encrypted twins in `twin`.
fn twins() -> Sandbox {
    let sandbox = desk();
    for create in KEYS {
        run(&sandbox, create).ok();
    }
    sandbox.write("odd.json", ODD);
    run(&sandbox, "set odd odd.json --allow-invalid").ok();
    sandbox.shell("cp -a store twin").ok();
    let encrypt = format!("passwd {} --store twin --p2c 1000", SETS.join(" "));
    open(&sandbox, &encrypt).ok();
    sandbox
}

fn of_the_twin(line: &str) -> String {
    format!("{line} --store twin --now {NOW}")
}

/// Runs a command line on the plain set and, without a passphrase, on the twin.
#[track_caller]
fn alike(sandbox: &Sandbox, line: &str) -> Run {
    let plain = run(sandbox, &format!("{line} --now {NOW}"));
    let twin = run(sandbox, &of_the_twin(line));
    assert_eq!(told(&twin), told(&plain), "{line}");
    plain
}

/// What a run has told: the exit code and every character.
fn told(run: &Run) -> (Option<i32>, &str, &str) {
    (run.code, &run.stdout, &run.stderr)
}

#[test]
fn without_a_passphrase_they_tell_the_same() {
    let sandbox = twins();
    for line in [
        "list api",
        "list api --json",
        "list api --format names",
        "list api --timeline",
        "list api --state active --json",
        "list calm --json",
        "list odd --format names",
        "get api",
        "get api --state pending",
        "get api --alg RS256 --set",
        "get api --use enc",
        "get api nobody",
        "get mac",
        "get mac shared",
        "get odd",
        "get odd noted",
        "get odd curve",
        "export api",
        "export api --with-dates",
        "export api --to pem",
        "export api --to jwk",
        "export api expired",
        "export mac",
        // The header of an encrypted set cannot name the members that a public JWK leaves out.
        "export odd --to pem",
        "export mac shared --to pem",
        "rotate api --every 30d --dry-run",
        "rotate api --every 30d --dry-run --json --exit-code",
        "rotate mac --every 30d --dry-run --json",
        "rotate odd --every 30d --dry-run",
        "rotate calm --every 30d",
        "rotate calm --every 30d --json",
        "rotate api",
        "thumbprint api",
        "thumbprint api --json",
        "thumbprint mac public",
        "thumbprint api nobody",
    ] {
        alike(&sandbox, line);
    }
    for kid in ["active", "ending", "okp", "agree"] {
        let jwk = alike(&sandbox, &format!("get api {kid}")).ok().json();
        let thumbprint = alike(&sandbox, &format!("thumbprint api {kid}"))
            .ok()
            .stdout;
        alike(&sandbox, &format!("get api {}", thumbprint.trim())).ok();
        for form in ["jwks", "jwk", "pem", "der", "pkcs1", "pkcs1-der", "sec1"] {
            let run = alike(&sandbox, &format!("export api {kid} --to {form}"));
            let is_written = match form {
                "sec1" => false,
                "pkcs1" | "pkcs1-der" => jwk["kty"] == "RSA",
                _ => true,
            };
            assert_eq!(run.code == Some(0), is_written, "{run:#?}");
        }
    }
}

/// `list` differs in what it says of the encryption alone.
#[test]
fn a_list_of_sets_says_which_are_encrypted() {
    let sandbox = twins();
    let [mut plain, mut twin] = ["store", "twin"].map(|store| {
        let line = format!("list --json --store {store} --now {NOW}");
        run(&sandbox, &line).ok().json()
    });
    let mut count = 0;
    for (sets, encrypted) in [(&mut plain, false), (&mut twin, true)] {
        for set in sets["sets"].as_array_mut().expect("sets") {
            let member = set.as_object_mut().expect("a set").remove("encrypted");
            assert_eq!(member, Some(Value::Bool(encrypted)));
            count += 1;
        }
    }
    assert_eq!((count, &twin), (2 * SETS.len(), &plain));
    let tables = ["store", "twin"].map(|store| {
        let line = format!("list --store {store} --now {NOW}");
        run(&sandbox, &line).ok().stdout
    });
    for (plain, twin) in tables[0].lines().zip(tables[1].lines()) {
        let last = if plain.starts_with("SET") {
            "ENCRYPTED"
        } else {
            "yes"
        };
        assert_eq!(
            twin.strip_suffix(last).map(str::trim_end),
            Some(plain.trim_end())
        );
    }
    alike(&sandbox, "list --format names").ok();
}

/// What only the secret tells is missing: the size and thumbprint of a symmetric key, and the rules
/// that an invalid key breaks.
#[test]
fn a_listing_lacks_what_only_the_secret_tells() {
    let sandbox = twins();
    for set in ["mac", "odd"] {
        let line = format!("list {set} --json");
        let mut plain = run(&sandbox, &format!("{line} --now {NOW}")).ok().json();
        let mut twin = run(&sandbox, &of_the_twin(&line)).ok().json();
        for keys in [&mut plain, &mut twin] {
            for key in keys["keys"].as_array_mut().expect("keys") {
                let is_symmetric = key["kty"] == "oct";
                let members = key.as_object_mut().expect("a key");
                if is_symmetric {
                    members.remove("size");
                    members.remove("thumbprint");
                }
                if let Some(rules) = members.get_mut("invalid") {
                    *rules = Value::Bool(true);
                }
            }
        }
        assert_eq!(twin, plain);
    }
}

#[test]
fn completion_knows_the_kids_of_both() {
    let sandbox = twins();
    for set in SETS {
        let words = ["jwks", "get", set, ""];
        let plain = complete(&sandbox, &words);
        assert!(!plain.is_empty());
        let twin = ["jwks", "--store", "twin", "get", set, ""];
        assert_eq!(complete(&sandbox, &twin), plain);
    }
    let lines = ["jwks", "--store", "twin", "rotate", "mac", "--line", ""];
    assert_eq!(complete(&sandbox, &lines), ["ES256K", "HS256"]);
}

#[test]
fn a_whole_set_goes_without_a_passphrase() {
    let sandbox = twins();
    alike(&sandbox, "delete mac --yes").fails(4);
    alike(&sandbox, "delete odd --force").fails(4);
    for set in SETS {
        // The header withholds what the thumbprint of an invalid key is made of.
        let json = if set == "odd" { "" } else { "--json" };
        alike(&sandbox, &format!("delete {set} --yes --force {json}")).ok();
    }
    let left = sandbox.shell("ls -A store twin").ok().stdout;
    assert_eq!(
        left,
        "store:\n.history\n.lock\n.log\n\ntwin:\n.history\n.lock\n.log\n"
    );
}

/// Runs a command line on both, on the twin with the passphrase, and compares what is in them.
#[track_caller]
fn become_alike(sandbox: &Sandbox, line: &str) -> Run {
    let plain = run(sandbox, &format!("{line} --now {NOW}"));
    let twin = open(sandbox, &of_the_twin(line));
    let warned = |line: &&str| !line.contains("guessed quickly");
    let heard: Vec<_> = twin.stderr.lines().filter(warned).collect();
    let wanted: Vec<_> = plain.stderr.lines().collect();
    assert_eq!((twin.code, heard), (plain.code, wanted), "{line}");
    assert_eq!(twin.stdout, plain.stdout, "{line}");
    let contents = |store: &str| {
        SETS.map(|set| open(sandbox, &format!("get {set} --private --store {store} -q")).stdout)
    };
    assert_eq!(contents("twin"), contents("store"), "{line}");
    plain
}

#[test]
fn with_the_passphrase_they_become_the_same() {
    let sandbox = twins();
    let own = Sandbox::new();
    own.ok(["create", "own", "--kid", "own"]);
    sandbox.write("own.json", own.ok(["get", "own", "--private"]));
    for (line, code) in [
        ("get api --private", 0),
        ("get api okp --private", 0),
        ("get mac shared --private", 0),
        ("export api --private", 0),
        ("export api active --private --to pem", 0),
        ("check api", 0),
        ("check odd --json", 5),
        ("thumbprint mac", 0),
        ("set api own.json", 0),
        ("set api own.json", 0),
        ("set api --kid own --exp 2027-01-01", 0),
        ("set odd --alg EdDSA --kid noted", 0),
        ("delete api own --yes", 0),
        ("delete api own --yes", 3),
        ("delete api --expired --yes --json", 0),
        ("set mac own.json --replace --yes", 0),
        ("set odd own.json --json", 0),
    ] {
        let run = become_alike(&sandbox, line);
        assert_eq!(run.code, Some(code), "{line}: {run:#?}");
    }
}

/// New keys differ; everything else of a rotation is the same.
#[test]
fn rotations_are_the_same_but_for_the_new_keys() {
    let sandbox = twins();
    for day in [
        "2026-11-25",
        "2026-12-20",
        "2027-01-19T22:30:00Z",
        "2027-01-21",
        "2027-02-20",
    ] {
        let rotate = format!("rotate api --every 30d --json --now {day}");
        run(&sandbox, &rotate).ok();
        open(&sandbox, &format!("{rotate} --store twin")).ok();
        let [plain, twin] = ["store", "twin"].map(|store| {
            let list = format!("list api --json --now {day} --store {store}");
            let mut keys = run(&sandbox, &list).ok().json()["keys"].clone();
            for key in keys.as_array_mut().expect("keys") {
                if key["kid"] == key["thumbprint"] {
                    key["kid"] = Value::Null;
                    key["thumbprint"] = Value::Null;
                }
            }
            keys
        });
        assert_eq!(twin, plain, "{day}");
    }
}

#[test]
fn a_server_gets_and_gives_the_same() {
    let sandbox = twins();
    let hydra = Hydra::start(Version::V2_2);
    let add = format!("remote add prod --kind hydra --url {}", hydra.address());
    run(&sandbox, &add).ok();
    // Hydra does not take every key of the set.
    run(&sandbox, &format!("push api prod:plain --yes --now {NOW}")).fails(4);
    let without = run(&sandbox, &of_the_twin("push api prod:twin --yes"));
    assert!(without.fails(7).stderr.contains("passphrase of set api"));
    open(&sandbox, &of_the_twin("push api prod:twin --yes")).fails(4);
    assert_eq!(hydra.keys("twin"), hydra.keys("plain"));
    assert!(hydra.signer("twin").is_some());
    open(&sandbox, &of_the_twin("diff api prod:plain --exit-code")).ok();

    // What comes back comes into the encrypted set.
    run(
        &sandbox,
        "create calm --remote prod --kid theirs --alg RS256",
    )
    .ok();
    let jwe = || std::fs::read_to_string(sandbox.path().join("twin/calm.jwe")).expect("a set");
    let before = jwe();
    let pull = "pull prod:calm calm --yes";
    open(&sandbox, &of_the_twin(pull)).ok();
    assert_ne!(jwe(), before);
    let pulled = open(&sandbox, &of_the_twin("get calm --private"))
        .ok()
        .json();
    assert!(
        kids(&pulled["keys"]).contains(&"theirs"),
        "the key was lost"
    );
    assert!(!sandbox.path().join("twin/calm.json").exists());

    // After each rotation, the same key signs here and there.
    for day in ["2026-11-20", "2026-12-20", "2026-12-22"] {
        let rotate = format!(
            "rotate calm --line ES256 --every 30d --push prod:login --store twin --now {day}"
        );
        open(&sandbox, &rotate).ok();
        let list = format!("list calm --alg ES256 --state active --json --store twin --now {day}");
        let listed = run(&sandbox, &list).ok().json();
        let signer = hydra.signer("login").expect("a signer");
        assert!(kids(&listed["keys"]).contains(&&*signer), "{day}: {listed}");
    }
    assert!(jwe().starts_with("ey"), "the set became plain");
}
