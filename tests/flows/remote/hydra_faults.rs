//! What goes wrong at a Hydra, and what it does to keys without a word.

use crate::hydra::site::{Site, everywhere, public, set_of};
use crate::servers::Answer;
use crate::servers::hydra::{PlainHttp, Version};
use serde_json::json;

#[test]
fn a_generated_kid_that_is_taken_is_a_conflict() {
    everywhere(|site| {
        let create = "create api --remote prod --alg ES512 --kid taken";
        site.ok(create);
        let before = site.hydra.keys("api");
        let refused = site.run(create).fails(4);
        assert!(
            refused.stderr.contains("already has the kid \"taken\""),
            "{refused:#?}"
        );
        assert_eq!(site.hydra.keys("api"), before);
    });
}

/// The server rolls back and says so: nothing was done, so it is done again.
pub fn a_serialization_conflict_is_tried_again() {
    everywhere(|site| {
        site.ok("create api --kid mine");
        for line in [
            "push api prod --yes",
            "create api --remote prod --alg ES512 --kid theirs",
            "delete api theirs --remote prod --yes --force",
        ] {
            site.hydra.serialization_conflict_next();
            let run = site.ok(line);
            assert!(run.stderr.contains("again in"), "{line}: {run:#?}");
        }
        assert!(site.there("api").iter().all(|key| key.contains("mine")));
    });
}

/// A 200 is no proof.
#[test]
fn a_write_that_was_forgotten_is_noticed() {
    everywhere(|site| {
        site.ok("create api --kid mine");
        site.sandbox
            .write("own.json", site.key("other", "").to_string());
        site.hydra.forgets_writes();
        for line in [
            "push api prod --yes",
            "set api own.json --remote prod --yes",
            "set api own.json --remote prod --yes --replace",
        ] {
            let run = site.run(line).fails(6);
            assert!(
                run.stderr.contains("its set differs from what was sent"),
                "{line}: {run:#?}"
            );
            assert!(!run.stderr.contains("sent set"), "{line}: {run:#?}");
        }
    });
}

/// Between the look and the write another administrator was there. What was shown is what goes.
#[test]
fn what_changed_in_between_is_not_overwritten() {
    everywhere(|site| {
        site.ok("create api --kid mine");
        let theirs = site.key("theirs", "");
        site.sandbox
            .write("own.json", site.key("other", "").to_string());
        site.ok("create api --remote prod --alg ES512 --kid before");
        site.hydra.server.forget_calls();
        for line in [
            "push api prod --yes --prune",
            "set api own.json --remote prod --yes --replace",
            "delete api before --remote prod --yes --force",
            "delete api --remote prod --yes --force",
        ] {
            let before = site.json("get api --remote prod --private");
            site.hydra.changes_between("api", &set_of(&[&theirs]));
            let run = site.run(line).fails(4);
            assert!(run.stderr.contains("changed meanwhile"), "{line}: {run:#?}");
            assert!(site.writes().is_empty(), "{line}");
            assert_eq!(site.there("api"), ["theirs*"], "{line}");
            // As it was, for the next one.
            put_back(site, &before);
        }
    });
}

fn put_back(site: &Site, set: &serde_json::Value) {
    let mut keys = set["keys"].as_array().expect("keys").clone();
    for key in &mut keys {
        let kid = key["kid"]
            .as_str()
            .expect("a kid")
            .replace("public:", "private:");
        key["kid"] = kid.into();
    }
    site.hydra.put("api", &json!({ "keys": keys }));
}

/// Each version says it in its own way.
#[test]
fn insecure_http_is_explained_and_not_tried_again() {
    for (version, form) in [
        (Version::V1_0, PlainHttp::Unrecognizable),
        (Version::V1_10, PlainHttp::Unrecognizable),
        (Version::V1_11, PlainHttp::Unrecognizable),
        (Version::V1_11, PlainHttp::TlsListener),
        (Version::V26_2, PlainHttp::TlsListener),
    ] {
        let site = Site::new(version);
        site.ok("create api --kid mine");
        site.hydra.refuses_plain_http(form);
        for line in [
            "get api --remote prod",
            "push api prod --yes",
            "create api --remote prod",
        ] {
            site.hydra.server.forget_calls();
            let run = site.run(line).fails(6);
            assert!(run.stderr.contains("does not serve plain http"), "{run:#?}");
            assert!(run.stderr.contains("https://"), "{run:#?}");
            assert_eq!(site.hydra.server.lines().len(), 1, "{line}");
        }
    }
}

/// The proxy before it may say so too, for a while.
#[test]
fn a_bad_gateway_is_tried_again_but_not_to_generate_twice() {
    let site = Site::newest();
    let gateway = Answer::html(502, "<html>bad gateway</html>");
    site.hydra.server.answer_next(gateway.clone());
    site.ok("create api --kid mine");
    site.ok("push api prod --yes");
    site.hydra.server.forget_calls();
    site.hydra.answers_next_write(gateway);
    site.run("create api --remote prod").fails(6);
    assert_eq!(site.writes().len(), 1);
}

/// 500 for a body that is no JSON and whatever else: the words are passed on.
#[test]
fn the_words_of_a_refusal_are_passed_on_without_secrets() {
    everywhere(|site| {
        site.ok("create api --kid mine");
        let secret = site.local("api")[0]["d"].as_str().expect("d").to_owned();
        let words = format!("the key {secret} is not to my taste");
        site.hydra
            .rejects_next(400, json!({ "error": "No", "error_description": words }));
        let run = site.run("push api prod --yes -v").fails(6);
        assert!(run.stderr.contains("is not to my taste"), "{run:#?}");
        assert!(!run.stderr.contains(&secret), "{run:#?}");
    });
}

/// Dates, operations and own members are not kept there: that is no difference.
#[test]
fn members_that_hydra_drops_make_no_difference() {
    everywhere(|site| {
        let mut mine = site.key("mine", "--exp +30d --key-ops sign");
        mine["x-note"] = "ours".into();
        site.sandbox.write("own.json", mine.to_string());
        site.ok("set api own.json");
        site.ok("push api prod --yes");
        assert!(!site.hydra.keys("api")[0].to_string().contains("x-note"));
        site.ok("diff api prod --exit-code");
        site.ok("push api prod --yes");
        assert_eq!(site.puts(), 1);
        site.ok("pull prod:api");
        assert_eq!(site.local("api"), [mine]);
    });
}

/// Keys of curves that Hydra does not know, and an RSA key without its primes.
fn unfit(site: &Site) -> Vec<(String, serde_json::Value)> {
    let keys = [
        ("ed448", "--alg Ed448"),
        ("secp256k1", "--alg ES256K"),
        ("x25519", "--alg ECDH-ES --crv X25519"),
        ("no-primes", "--alg RS256"),
    ];
    let keys = keys.map(|(kid, options)| {
        let mut key = site.key(kid, options);
        if kid == "no-primes" {
            for member in ["p", "q", "dp", "dq", "qi"] {
                key.as_object_mut().expect("an object").remove(member);
            }
        }
        (kid.to_owned(), key)
    });
    keys.into()
}

#[test]
fn keys_that_hydra_does_not_take_stay_here_and_the_others_go() {
    everywhere(|site| {
        let unfit = unfit(site);
        let keys: Vec<_> = unfit.iter().map(|(_, key)| key).collect();
        site.sandbox.write("own.json", set_of(&keys).to_string());
        site.ok("set api own.json");
        site.ok("create api --kid fit");
        let pushed = site.run("push api prod --yes").fails(4);
        for (kid, _) in &unfit {
            let warning = format!("warning: \"{kid}\" is not sent");
            assert!(pushed.stderr.contains(&warning), "{pushed:#?}");
            site.run(&format!("get api {kid} --remote prod")).fails(3);
        }
        site.ok("get api fit --remote prod");
        assert!(site.hydra.signer("api").expect("a signer").ends_with("fit"));
        site.run("push api prod --yes").fails(4);
        assert_eq!(site.puts(), 1, "what is never sent is nothing new");
    });
}

#[test]
fn a_key_that_hydra_does_not_take_is_refused_when_it_is_set() {
    everywhere(|site| {
        for (kid, key) in unfit(site) {
            site.sandbox.write("own.json", key.to_string());
            for more in ["", "--replace"] {
                let line = format!("set api own.json --remote prod --yes {more}");
                let refused = site.run(&line).fails(4);
                assert!(refused.stderr.contains(&kid), "{refused:#?}");
                assert!(refused.stderr.contains("Hydra"), "{refused:#?}");
            }
        }
        assert!(site.writes().is_empty());
    });
}

/// Its public form is all that verifiers need, and Hydra takes that.
#[test]
fn an_rsa_key_without_primes_is_pushed_in_its_public_form() {
    let site = Site::newest();
    let (_, key) = unfit(&site).pop().expect("the RSA key");
    site.sandbox.write("own.json", key.to_string());
    site.ok("set api own.json");
    site.ok("push api prod --yes --public");
    assert_eq!(site.there("api"), ["no-primes"]);
    assert_eq!(site.hydra.keys("api")[0]["n"], public(&key)["n"]);
}

/// The default is for today's servers; an old one knows few algorithms, and says so without them.
#[test]
fn an_algorithm_that_the_version_does_not_know_is_no_riddle() {
    let site = Site::new(Version::V1_0);
    let run = site.run("create api --remote prod").fails(6);
    assert!(run.stderr.contains("Unsupported key algorithm"), "{run:#?}");
    assert!(
        run.stderr.contains("ES256") && run.stderr.contains("--alg"),
        "{run:#?}"
    );
}

/// A word in a set's name is not a reason of the server's.
#[test]
fn a_hint_does_not_depend_on_the_name_of_the_set() {
    let site = Site::newest();
    site.hydra
        .rejects_next(500, json!({ "error": "Out of space" }));
    let run = site.run("create algorithms --remote prod").fails(6);
    assert!(!run.stderr.contains("--alg"), "{run:#?}");
    for set in ["Unable-to-serialize-access", "Unable-to-locate"] {
        site.hydra
            .rejects_next(500, json!({ "error": "Out of space" }));
        let run = site.run(&format!("create {set} --remote prod")).fails(6);
        assert!(run.stderr.contains("Out of space"), "{run:#?}");
    }
    assert_eq!(site.writes().len(), 3, "none is repeated");
}
