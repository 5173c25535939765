//! The delays that `jwks advise` proposes, and what it says of the addresses.

use crate::publication::{Copy, published};
use crate::rotation::{DAY, HOUR, START, Store};
use crate::servers::Answer;
use crate::servers::plain::Plain;
use crate::support::Run;
use serde_json::{Value, json};

fn advise(store: &Store, more: &str) -> Value {
    store.ok(&format!("advise api --json{more}"), START).json()
}

#[test]
fn the_headers_of_the_address_decide() {
    let copy = Copy::start();
    let store = published(&[&copy]);
    for (headers, delay, max_age) in [
        ("public, max-age=600", 900, 600),
        ("max-age=7200", 8100, 1800),
        ("no-cache", 300, 0),
        // An absurd lifetime is a matter for the header.
        ("max-age=604800", 3600, 900),
        ("max-age=99999999999999999999999999", 3600, 900),
    ] {
        copy.publish_for(&store, START, headers);
        let advice = advise(&store, "");
        let proposed = |name: &str| advice[name]["proposed"].as_i64();
        assert_eq!(
            proposed("publish_delay"),
            Some(delay),
            "{headers}: {advice:#}"
        );
        assert!(
            proposed("max_age") <= Some(max_age),
            "{headers}: {advice:#}"
        );
        assert_eq!(advice["publish_delay"]["current"], HOUR);
    }
    assert_eq!(advise(&store, "")["addresses"][0]["max_age"], 315_360_000);
    // Without a lifetime, the delay is not made shorter.
    copy.publish(&store, START);
    let advice = advise(&store, " --verifier istio");
    assert_eq!(advice["publish_delay"]["proposed"], HOUR);
    let before = store.sandbox.read_set("api");
    let calls = copy.calls();
    advise(&store, "");
    assert_eq!(store.sandbox.read_set("api"), before, "it changes nothing");
    let new = &copy.calls()[calls.len()..];
    assert_eq!(new.len(), 1);
    assert_eq!(new[0].method, "GET");
    assert_eq!(new[0].header("authorization"), None);
}

#[test]
fn verifiers_are_given_or_declared() {
    let store = Store::with_a_key("RS256");
    let advice = advise(&store, " --verifier istio,jose@6.2.18 --token-lifetime 1h");
    assert_eq!(advice["publish_delay"]["proposed"], 1500);
    assert_eq!(advice["retire_after"]["proposed"], HOUR);
    assert_eq!(advice["verifiers"][1]["new_kid"], 30);
    store.ok("set api --verifiers aspnet,oidc,josekit", START);
    let advice = advise(
        &store,
        " --token-lifetime 2h --signer-reload 10m --publish-interval 1h",
    );
    assert_eq!(advice["verifiers"].as_array().map(Vec::len), Some(2));
    assert_eq!(advice["publish_delay"]["proposed"], 99_000);
    assert_eq!(advice["retire_after"]["proposed"], 2 * HOUR + 600);
    for (line, word) in [
        ("advise api --verifier isto", "did you mean istio?"),
        ("advise api --token-lifetime 1", "--token-lifetime: "),
        ("advise api --published api", "is not an address"),
        ("check api --for istio", "only its cache is known"),
    ] {
        let run = store.run(line, START).fails(2);
        assert!(run.stderr.contains(word), "{line}: {run:#?}");
    }
    store.run("advise nothing", START).fails(3);
    // Declared services do not disturb the check.
    store.ok("check api", START);
}

fn warns(run: &Run, word: &str) -> bool {
    let mut lines = run.stderr.lines();
    lines.any(|line| line.starts_with("warning:") && line.contains(word))
}

#[test]
fn an_address_that_lies_is_reported() {
    let copy = Copy::start();
    let store = published(&[&copy]);
    store.ok("rotate --all", START + 30 * DAY - 2 * HOUR);
    let old = store.ok("export api", START).stdout;
    let mut planted: Value = serde_json::from_str(&old).expect("a set");
    let keys = planted["keys"].as_array_mut().expect("keys");
    keys.push(json!({"kty": "OKP", "crv": "Ed25519", "kid": "planted",
        "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}));
    for (answer, word) in [
        (
            Answer::json(200, json!({"keys": []})),
            "does not serve first",
        ),
        (
            Answer::json(200, planted),
            "serves 1 key that the set does not have",
        ),
    ] {
        copy.serve(answer);
        let run = store.ok("advise api", START);
        assert!(warns(&run, word), "{word}: {run:#?}");
    }
    // A staged key that is not published yet is no fault.
    copy.serve(Answer::json(200, &old));
    let run = store.ok("advise api", START);
    assert!(!warns(&run, ""), "{run:#?}");
    for answer in [Answer::html(200, "<p>maintenance"), Answer::empty(500)] {
        copy.serve(answer);
        let run = store.run("advise api --verifier istio", START);
        assert_ne!(run.code, Some(0), "{run:#?}");
        assert!(run.stdout.contains("cannot be read"), "{run:#?}");
        assert!(run.stdout.contains("--publish-delay"), "{run:#?}");
    }
}

#[test]
fn the_address_of_an_issuer_leads_to_its_set() {
    let store = Store::with_a_key("ES256");
    let plain = Plain::start();
    let issuer = plain.issuer("/tenant");
    plain.serve("/tenant/jwks.json", store.ok("export api", START).stdout);
    plain.cache_control("/tenant/jwks.json", "max-age=1200");
    let advice = advise(&store, &format!(" --published {issuer}"));
    let address = &advice["addresses"][0];
    assert_eq!(
        (&address["max_age"], &address["faults"]),
        (&json!(1200), &json!([]))
    );
    assert!(address["etag"].is_string());
    // The query of a presigned address is a secret.
    let secret = plain.url("/tenant/jwks.json?X-Amz-Signature=abcdef0123456789");
    let run = store
        .run(&format!("advise api --published {secret}"), START)
        .fails(2);
    assert!(!format!("{run:?}").contains("abcdef"), "{run:#?}");
}

#[test]
fn a_rotation_warns_of_a_delay_that_is_too_short() {
    let copy = Copy::start();
    let store = published(&[&copy]);
    let warned = |now: i64| {
        let run = store.ok("rotate --all", now);
        run.stderr
            .matches("is shorter than the cache lifetime")
            .count()
    };
    copy.publish_for(&store, START, "max-age=3600");
    assert_eq!(warned(START), 0);
    copy.publish_for(&store, START, "max-age=604800");
    assert_eq!(warned(START + HOUR), 1);
    // The last reading counts while the address cannot be read.
    copy.serve(Answer::empty(500));
    assert_eq!(warned(START + 2 * HOUR), 1);
    copy.publish_for(&store, START, "max-age=60");
    assert_eq!(warned(START + 3 * HOUR), 0);
    store.ok("set api --verifiers aspnet,jose", START);
    let run = store.ok("rotate --all", START + 4 * HOUR);
    assert!(
        warns(&run, "the verifier aspnet (1d); run `jwks advise api`"),
        "{run:#?}"
    );
    let run = store.ok("rotate --all --dry-run", START + 5 * HOUR);
    assert!(!warns(&run, "aspnet"), "{run:#?}");
    let run = store.rotate("--publish-delay 1d", START + 6 * HOUR);
    assert!(!warns(&run, "aspnet"), "{run:#?}");
}

/// The table of caches is in the help, and every name of it can be declared.
#[test]
fn every_verifier_with_a_known_cache_is_in_the_help() {
    let store = Store::with_a_key("ES256");
    let help = store.sandbox.ok(["advise", "--help"]);
    let is_word = |name: &str| {
        let mut words = help.split(|c: char| c.is_whitespace() || ",.".contains(c));
        words.any(|word| word == name)
    };
    let table = include_str!("../../src/keyset/verifiers/caches.json");
    let table: Value = serde_json::from_str(table).expect("the table");
    let names = table.as_array().expect("rows").iter();
    let names = names.map(|row| row["name"].as_str().expect("a name"));
    let names: Vec<_> = names.collect();
    for name in &names {
        assert!(is_word(name), "{name}");
    }
    store.ok(&format!("set api --verifiers {}", names.join(",")), START);
    let advice = advise(&store, "");
    assert_eq!(
        advice["verifiers"].as_array().map(Vec::len),
        Some(names.len())
    );
}
