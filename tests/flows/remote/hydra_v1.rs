//! Ory Hydra 1.x keeps a key pair as two entries, `private:KID` and `public:KID`; here they are
//! one key.

use crate::hydra::site::{Site, kids, public, set_of};
use crate::servers::hydra::{Database, Hydra, Version};
use crate::servers::{Answer, lock};
use crate::wire::each;
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};

fn everywhere(story: impl Fn(&Site)) {
    for version in [Version::V1_0, Version::V1_11] {
        story(&Site::new(version));
    }
}

/// A key as 1.x keeps it: under this kid.
fn named(key: &Value, kid: &str) -> Value {
    let mut key = key.clone();
    key["kid"] = kid.into();
    key
}

/// Tokens carry the kid of the public half, and so does the key.
#[test]
fn two_halves_are_one_key() {
    everywhere(|site| {
        site.ok("create api --remote prod --alg RS256 --kid first");
        assert_eq!(site.there("api"), ["public:first", "private:first*"]);
        let set = site.json("get api --remote prod --private");
        assert_eq!(kids(&set["keys"]), ["public:first"]);
        let listed = site.json("list api --remote prod --json");
        assert_eq!(listed["keys"][0]["private"], true);
        for kid in ["first", "public:first"] {
            let key = site.json(&format!("get api {kid} --remote prod --private"));
            assert_eq!(key, set["keys"][0]);
        }
    });
}

/// A half of another key is not what the kid says.
#[test]
fn halves_of_different_keys_are_not_put_together() {
    everywhere(|site| {
        let [one, other] = ["one", "other"].map(|kid| site.key(kid, ""));
        let halves = [
            named(&one, "private:same"),
            named(&public(&other), "public:same"),
        ];
        site.hydra.put("api", &set_of(&halves.each_ref()));
        let set = site.json("get api --remote prod --private");
        assert_eq!(set["keys"].as_array().expect("keys").len(), 2);
    });
}

#[test]
fn a_symmetric_key_is_one_entry_and_signs_for_nobody_else() {
    everywhere(|site| {
        let created = site.ok("create api --remote prod --alg HS256 --kid shared");
        assert_eq!(created.stdout, "shared\n");
        assert!(
            !created.stderr.contains("signs with the new key"),
            "{created:#?}"
        );
        assert_eq!(site.there("api"), ["shared*"]);
        site.run("get api --remote prod").fails(4);
        let key = site.json("get api shared --remote prod --private");
        assert!(key["k"].is_string());
        site.ok("delete api shared --remote prod --yes --force");
        assert!(site.there("api").is_empty());
    });
}

#[test]
fn both_halves_are_deleted() {
    everywhere(|site| {
        for kid in ["stays", "goes"] {
            site.ok(&format!("create api --remote prod --alg ES512 --kid {kid}"));
        }
        site.ok("delete api goes --remote prod --yes --force");
        assert_eq!(site.there("api"), ["public:stays", "private:stays*"]);
    });
}

#[test]
fn a_push_writes_both_halves_of_what_signs_and_the_public_one_of_the_rest() {
    everywhere(|site| {
        site.ok("create api --kid old");
        site.ok("create api --kid now");
        site.ok("push api prod --yes");
        let mut there = site.there("api");
        there.sort();
        assert_eq!(there, ["private:now*", "public:now", "public:old"]);
        assert_eq!(site.hydra.signer("api").as_deref(), Some("private:now"));
        site.ok("push api prod --yes");
        assert_eq!(site.puts(), 1, "a second push has nothing to do");
        site.ok("diff api prod --exit-code");
    });
}

#[test]
fn a_single_key_is_put_as_both_halves() {
    everywhere(|site| {
        site.sandbox
            .write("own.json", site.key("mine", "").to_string());
        site.ok("set api own.json --remote prod --yes");
        let mut there = site.there("api");
        there.sort();
        assert_eq!(there, ["private:mine*", "public:mine"]);
    });
}

#[test]
fn what_was_pulled_is_pushed_without_a_change() {
    everywhere(|site| {
        for alg in ["RS256", "ES512", "HS256"] {
            site.ok(&format!("create api --remote prod --alg {alg} --kid {alg}"));
        }
        let before = site.hydra.keys("api");
        site.ok("pull prod:api --yes");
        assert_eq!(site.local("api").len(), 3);
        site.hydra.server.forget_calls();
        let pushed = site.ok("push api prod --yes");
        assert_eq!(site.puts(), 0, "{before:?} {pushed:#?}");
        assert_eq!(site.hydra.keys("api"), before);
        site.ok("diff api prod --exit-code");
    });
}

/// Pulled again, a key that has its bare kid here does not come a second time.
#[test]
fn a_pushed_key_comes_back_under_its_own_kid() {
    everywhere(|site| {
        site.ok("create api --kid mine");
        let before = site.sandbox.read_set("api");
        site.ok("push api prod --yes");
        site.ok("pull prod:api");
        assert_eq!(site.sandbox.read_set("api"), before);
    });
}

/// Other tools put keys under kids of their own choice.
fn with_bare_kids(site: &Site) -> Value {
    let [bare, other] = ["bare", "other"].map(|kid| site.key(kid, "--alg RS256"));
    site.hydra.put("api", &set_of(&[&public(&other), &bare]));
    bare
}

#[test]
fn a_kid_without_a_prefix_is_read_and_pushed_as_it_is() {
    everywhere(|site| {
        let bare = with_bare_kids(site);
        let key = site.json("get api bare --remote prod --private");
        assert_eq!(key["d"], bare["d"]);
        let before = site.hydra.keys("api");
        site.ok("pull prod:api --yes");
        site.ok("push api prod --yes");
        assert_eq!(site.hydra.keys("api"), before);
    });
}

/// Verifiers know it by that kid.
#[test]
fn a_kid_without_a_prefix_is_not_renamed_by_a_push_beside_it() {
    everywhere(|site| {
        with_bare_kids(site);
        site.ok("create api --kid mine");
        site.ok("push api prod --yes");
        let there = site.there("api");
        for kid in ["bare*", "other", "private:mine*", "public:mine"] {
            assert!(there.iter().any(|key| key == kid), "{kid}: {there:?}");
        }
    });
}

#[test]
fn a_kid_without_a_prefix_is_deleted() {
    everywhere(|site| {
        with_bare_kids(site);
        site.ok("delete api bare --remote prod --yes --force");
        assert_eq!(site.there("api"), ["other"]);
    });
}

/// The private half of the old key would sign on, under a kid that verifiers take for the new one.
#[test]
fn a_replaced_pair_leaves_no_half_behind() {
    everywhere(|site| {
        site.ok("create api --remote prod --alg ES512 --kid signs");
        site.ok("create api --remote prod --alg ES512 --kid taken");
        let rival = public(&site.key("taken", ""));
        site.sandbox.write("own.json", rival.to_string());
        site.ok("set api own.json --remote prod --yes --on-conflict replace");
        let mut there = site.there("api");
        there.sort();
        assert_eq!(there, ["private:signs*", "public:signs", "public:taken"]);
    });
}

#[test]
fn a_kid_must_leave_room_for_the_prefix() {
    everywhere(|site| {
        let [fits, long] = [247, 248].map(|length| "k".repeat(length));
        site.ok(&format!(
            "create api --remote prod --alg ES512 --kid {fits}"
        ));
        site.run(&format!(
            "create api --remote prod --alg ES512 --kid {long}"
        ))
        .fails(2);
        assert_eq!(site.hydra.keys("api").len(), 2);
    });
}

/// A 1.0 that deletes a set before it inserts it, and then fails.
fn failing_halfway() -> Site {
    let gone = Arc::new(Mutex::new(false));
    let proxy = move |call: &crate::servers::Call| {
        let mut gone = lock(&gone);
        *gone |= call.method == "PUT";
        let missing = json!({
            "error": "Not Found",
            "error_description": "Unable to locate the requested resource",
        });
        match call.method.as_str() {
            "PUT" => Some(Answer::json(
                500,
                json!({ "error": "The database has gone away" }),
            )),
            _ => gone.then(|| Answer::json(404, missing)),
        }
    };
    Site::beside(Hydra::behind(Version::V1_0, proxy), Version::V1_0)
}

/// A 1.0 that fails so once, and has then recovered.
fn failing_once() -> Site {
    let puts = Arc::new(Mutex::new(0));
    let proxy = move |call: &crate::servers::Call| {
        let mut puts = lock(&puts);
        *puts += usize::from(call.method == "PUT");
        let missing = json!({
            "error": "Not Found",
            "error_description": "Unable to locate the requested resource",
        });
        match (*puts, call.method.as_str()) {
            (1, "PUT") => Some(Answer::json(500, json!({ "error": "Out of space" }))),
            (1, _) => Some(Answer::json(404, missing)),
            _ => None,
        }
    };
    Site::beside(Hydra::behind(Version::V1_0, proxy), Version::V1_0)
}

/// What was there before is known, and is put there again.
#[test]
fn a_set_that_a_failed_push_lost_is_put_back() {
    let site = failing_once();
    site.ok("create api --remote prod --alg ES512 --kid theirs");
    let held = || {
        let mut keys = site.hydra.keys("api");
        keys.sort_by_key(|key| key["kid"].to_string());
        keys
    };
    let before = held();
    site.ok("create api --kid mine");
    let run = site.run("push api prod --yes").fails(6);
    assert!(run.stderr.contains("it is restored"), "{run:#?}");
    assert_eq!(held(), before);
    let puts = site.hydra.server.lines();
    assert_eq!(
        puts.iter().filter(|line| line.starts_with("PUT")).count(),
        2
    );
}

/// Whoever does not hear that the set is gone finds out when no token verifies any more.
#[test]
fn a_set_that_a_failed_push_lost_is_reported() {
    for line in ["push api prod --yes", "push api prod --yes --json"] {
        let site = failing_halfway();
        site.ok("create api --remote prod --alg ES512 --kid theirs");
        site.ok("create api --kid mine");
        let run = site.run(line).fails(6);
        assert!(
            run.stderr.contains("The database has gone away"),
            "{run:#?}"
        );
        assert!(
            run.stderr.contains("the failed write deleted")
                || run.stderr.contains("no longer there"),
            "{run:#?}"
        );
    }
}

/// The same with a server that fails by itself: two keys with one kid.
#[test]
fn a_kid_that_stands_twice_costs_no_set() {
    everywhere(|site| {
        site.ok("create api --remote prod --alg ES512 --kid theirs");
        let before = site.hydra.keys("api");
        let [one, other] = ["one", "other"].map(|kid| named(&site.key(kid, ""), "same"));
        site.sandbox
            .write("own.json", set_of(&[&one, &other]).to_string());
        for more in ["--replace", ""] {
            let line = format!("set api own.json --remote prod --yes {more}");
            let run = site.run(&line);
            assert!(matches!(run.code, Some(4 | 5)), "{run:#?}");
            assert_eq!(site.hydra.keys("api"), before, "{line}");
        }
    });
}

const OWN: &str = "hydra.openid.id-token";

/// On every database: the order of one write is arbitrary on some.
#[test]
fn the_active_pair_comes_first_of_all() {
    let servers = [
        (Version::V1_0, Database::Postgres),
        (Version::V1_0, Database::Mysql),
        (Version::V1_11, Database::Sqlite),
        (Version::V1_11, Database::Mysql),
    ];
    each(servers, |(version, database)| {
        let hydra = Hydra::with_database(version, database);
        hydra.seconds_pass();
        let site = Site::beside(hydra, version);
        for kid in ["first", "second", "third"] {
            site.ok(&format!("create api --alg RS256 --kid {kid}"));
            for more in ["", "--private-all"] {
                site.ok(&format!("push api prod:{OWN} --yes {more}"));
                let token = site.hydra.token(OWN).expect("a token");
                assert_eq!(
                    token.kid,
                    format!("public:{kid}"),
                    "{version:?} {database:?}"
                );
            }
        }
        site.hydra.restart().expect("a server that starts");
        // A public key that is set alone, or a pair that goes, is not in the way.
        let other = public(&site.key("other", "--alg RS256"));
        site.sandbox.write("other.json", other.to_string());
        site.ok(&format!("set {OWN} other.json --remote prod --yes"));
        site.hydra.token(OWN).expect("a token");
        site.ok(&format!("delete {OWN} third --remote prod --yes --force"));
        site.hydra.token(OWN).expect("a token");
    });
}

/// 2.x on MySQL has the same trouble with one key.
#[test]
fn a_single_key_comes_first_on_mysql() {
    let hydra = Hydra::with_database(Version::V26_2, Database::Mysql);
    hydra.seconds_pass();
    let site = Site::beside(hydra, Version::V26_2);
    for kid in ["first", "second", "third"] {
        site.ok(&format!("create api --kid {kid}"));
        site.ok("push api prod --yes --private-all");
        assert_eq!(site.hydra.token("api").expect("a token").kid, kid);
    }
}

/// The clock of this server stands still.
pub fn an_order_that_cannot_be_reached_leaves_the_set_as_it_was() {
    let hydra = Hydra::with_database(Version::V1_11, Database::Mysql);
    let site = Site::beside(hydra, Version::V1_11);
    site.ok("create api --alg RS256 --kid first");
    site.ok(&format!("push api prod:{OWN} --yes --prune"));
    let before = site.hydra.token(OWN).expect("a token");
    let mut failed = 0;
    // Which key an arbitrary order brings to the front is a matter of its kid.
    for number in 0..4 {
        site.ok(&format!("create api --alg RS256 --kid next{number}"));
        let run = site.run(&format!("push api prod:{OWN} --yes"));
        match run.code {
            Some(0) => site.hydra.token(OWN).map(drop).expect("a token"),
            _ => {
                let run = run.fails(6);
                assert!(run.stderr.contains("the set is restored"), "{run:#?}");
                assert_eq!(site.hydra.token(OWN).expect("a token"), before);
                failed += 1;
                break;
            }
        }
    }
    assert_eq!(failed, 1, "no order was arbitrary");
}

/// It generates none until it starts again, and with public keys alone it does not start.
#[test]
fn the_sets_of_the_server_keep_a_private_key_without_force() {
    everywhere(|site| {
        site.hydra.token(OWN).expect("a token");
        site.ok("create api --alg RS256 --kid mine");
        let key = site.json("get api mine");
        site.sandbox.write("public.json", key.to_string());
        for line in [
            format!("push api prod:{OWN} --public --prune --yes"),
            format!("set {OWN} public.json --remote prod --replace --yes"),
            format!("delete {OWN} --remote prod --yes"),
            format!("delete {OWN} mine --remote prod --yes"),
        ] {
            let refused = site.run(&line).fails(4);
            assert!(refused.stderr.contains("--force"), "{refused:#?}");
            site.hydra.token(OWN).expect("a token");
            site.ok(&format!("{line} --force"));
            assert!(site.hydra.token(OWN).is_err());
            site.ok(&format!("push api prod:{OWN} --yes"));
            assert_eq!(site.hydra.token(OWN).expect("a token").kid, "public:mine");
        }
    });
}
