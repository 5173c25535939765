//! The verbs on Ory Hydra, in every version.

#[path = "hydra_site.rs"]
pub mod site;

use crate::servers::hydra::Version;
use serde_json::Value;
use site::{Site, everywhere, kids, set_of};

/// What the server sends is private; what is printed is so only where it was asked for.
#[test]
fn a_set_is_printed_public_unless_its_private_keys_are_asked_for() {
    everywhere(|site| {
        site.ok("create api --remote prod --alg ES512 --kid first");
        let public = site.json("get api --remote prod");
        assert_eq!(kids(&public["keys"]), [site.kid("first")]);
        assert!(public["keys"][0]["d"].is_null());
        let private = site.json("get api --remote prod --private");
        assert_eq!(kids(&private["keys"]), [site.kid("first")]);
        assert!(private["keys"][0]["d"].is_string());
    });
}

#[test]
fn a_key_is_found_by_its_kid_its_beginning_and_its_thumbprint() {
    everywhere(|site| {
        for kid in ["signing-key", "another-key"] {
            site.ok(&format!("create api --remote prod --alg ES512 --kid {kid}"));
        }
        let listed = site.json("list api --remote prod --json");
        let mut keys = listed["keys"].as_array().expect("keys").iter();
        let listed = keys.find(|key| key["kid"] == site.kid("signing-key"));
        let thumbprint = listed.expect("the key")["thumbprint"].clone();
        for word in [
            "signing-key",
            "sign",
            thumbprint.as_str().expect("a thumbprint"),
        ] {
            let key = site.json(&format!("get api --remote prod -- {word}"));
            assert_eq!(key["kid"], site.kid("signing-key"), "{word}");
            assert!(key["d"].is_null());
        }
        let private = site.json("get api signing-key --remote prod --private");
        assert!(private["d"].is_string());
    });
}

#[test]
fn the_server_generates_keys_of_the_algorithms_that_its_version_knows() {
    let newer = &[
        "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA",
    ][..];
    for (version, known, unknown) in [
        (
            Version::V1_0,
            &["RS256", "ES512", "HS256", "HS512"][..],
            "ES256",
        ),
        (
            Version::V1_11,
            &["RS256", "ES256", "ES512", "EdDSA", "HS256", "HS512"],
            "PS256",
        ),
        (Version::V2_0, newer, "HS256"),
        (Version::V2_2, newer, "HS512"),
    ] {
        let site = Site::new(version);
        for alg in known {
            let created = site.ok(&format!("create api --remote prod --alg {alg} --kid {alg}"));
            let is_pair = !alg.starts_with("HS");
            let kid = if is_pair {
                site.kid(alg)
            } else {
                (*alg).to_owned()
            };
            assert_eq!(created.stdout.trim(), kid, "{version:?}");
            assert!(
                site.there("api")
                    .iter()
                    .any(|key| key.trim_end_matches('*') == kid)
            );
        }
        let before = site.hydra.keys("api");
        let refused = site
            .run(&format!("create api --remote prod --alg {unknown}"))
            .fails(6);
        assert!(
            refused.stderr.contains("Unsupported key algorithm"),
            "{refused:#?}"
        );
        assert_eq!(site.hydra.keys("api"), before);
    }
}

/// There is no staging: a key that the server makes signs at once, so that is said.
#[test]
fn a_generated_key_signs_at_once() {
    everywhere(|site| {
        site.ok("create api --remote prod --alg ES512 --kid old");
        let created = site.ok("create api --remote prod --alg ES512 --kid new");
        assert!(
            created
                .stderr
                .contains("signs with the new key from now on")
        );
        let listed = site.json("list api --remote prod --json");
        let state = |kid: &str| {
            let mut keys = listed["keys"].as_array().expect("keys").iter();
            keys.find(|key| key["kid"] == site.kid(kid))
                .expect("the key")["state"]
                .clone()
        };
        assert_eq!(
            (state("new"), state("old")),
            ("active".into(), serde_json::Value::Null),
            "without dates nothing tells what the others are"
        );
    });
}

/// What the server cannot be told is not left out silently.
#[test]
fn a_generated_key_takes_no_dates_curves_or_sizes() {
    let site = Site::newest();
    for option in [
        "--nbf +1d",
        "--exp +1d",
        "--crv P-256",
        "--size 2048",
        "--count 2",
    ] {
        let refused = site
            .run(&format!("create api --remote prod {option}"))
            .fails(2);
        assert!(refused.stderr.contains("jwks push"), "{refused:#?}");
    }
    assert!(site.writes().is_empty());
}

/// The server gives keys back in the reverse of what it is sent; that is no concern of the user's.
#[test]
fn a_whole_set_is_set_in_its_order() {
    everywhere(|site| {
        site.ok("create api --remote prod --alg ES512 --kid gone");
        let keys = ["a", "b", "c"].map(|kid| site.key(kid, ""));
        site.sandbox
            .write("own.json", set_of(&keys.each_ref()).to_string());
        let replace = "set api own.json --remote prod --replace";

        let refused = site.run(replace).fails(4);
        assert!(refused.stderr.contains(&site.kid("gone")), "{refused:#?}");
        assert_eq!(site.puts(), 0);

        site.ok(&format!("{replace} --yes"));
        assert_eq!(site.puts(), 1);
        let set = site.json("get api --remote prod --private");
        assert_eq!(kids(&set["keys"]), ["a", "b", "c"].map(|kid| site.kid(kid)));
        for (key, there) in keys.iter().zip(set["keys"].as_array().expect("keys")) {
            assert_eq!(key["d"], there["d"]);
        }
    });
}

#[test]
fn one_key_is_put_by_itself() {
    everywhere(|site| {
        site.ok("create api --remote prod --alg ES512 --kid theirs");
        let theirs = site.hydra.keys("api");
        site.sandbox
            .write("own.json", site.key("mine", "").to_string());
        let set = site.ok("set api own.json --remote prod --yes");
        assert!(
            set.stderr
                .contains(&format!("signs with {}", site.kid("mine"))),
            "{set:#?}"
        );

        assert!(
            site.writes()
                .iter()
                .filter(|call| call.method == "PUT")
                .all(|call| { call.path.ends_with("mine") })
        );
        let now = site.hydra.keys("api");
        assert!(theirs.iter().all(|key| now.contains(key)));
        assert!(
            site.hydra
                .signer("api")
                .expect("a signer")
                .ends_with("mine")
        );
        assert!(site.json("get api mine --remote prod --private")["d"].is_string());
    });
}

#[test]
fn several_keys_are_put_beside_those_that_are_there() {
    everywhere(|site| {
        site.ok("create api --remote prod --alg ES512 --kid theirs");
        let keys = ["a", "b"].map(|kid| site.key(kid, ""));
        site.sandbox
            .write("own.json", set_of(&keys.each_ref()).to_string());
        site.ok("set api own.json --remote prod --yes");
        assert_eq!(site.puts(), 1, "both or none");
        for kid in ["theirs", "a", "b"] {
            let key = site.json(&format!("get api {kid} --remote prod --private"));
            assert!(key["d"].is_string(), "{kid}");
        }
    });
}

#[test]
fn another_key_with_a_taken_kid_is_a_conflict() {
    everywhere(|site| {
        site.ok("create api --remote prod --alg ES512 --kid taken");
        let before = site.hydra.keys("api");
        let rival = site.key("taken", "");
        site.sandbox.write("own.json", rival.to_string());
        let refused = site.run("set api own.json --remote prod --yes").fails(4);
        assert!(refused.stderr.contains("--on-conflict"), "{refused:#?}");
        assert_eq!(site.hydra.keys("api"), before);
        site.ok("set api own.json --remote prod --yes --on-conflict replace");
        assert_eq!(
            site.json("get api taken --remote prod --private")["d"],
            rival["d"]
        );
    });
}

#[test]
fn a_set_is_deleted_once() {
    everywhere(|site| {
        site.ok("create api --remote prod --alg ES512");
        site.run("delete api --remote prod --yes").fails(4);
        assert_eq!(
            site.hydra
                .server
                .lines()
                .iter()
                .filter(|line| line.starts_with("DELETE"))
                .count(),
            0
        );
        site.ok("delete api --remote prod --yes --force");
        assert!(site.hydra.keys("api").is_empty());

        // The server says 204 to this as well.
        let delete = "delete api --remote prod --yes --force";
        site.run(delete).fails(3);
        site.ok(&format!("{delete} --if-exists"));
    });
}

#[test]
fn a_key_is_deleted_and_no_other() {
    everywhere(|site| {
        for kid in ["goes", "stays"] {
            site.ok(&format!("create api --remote prod --alg ES512 --kid {kid}"));
        }
        let refused = site.run("delete api goes --remote prod").fails(4);
        assert!(
            refused.stderr.contains("with its private part"),
            "{refused:#?}"
        );
        let deleted = site.json("delete api goes --remote prod --yes --json");
        assert_eq!(kids(&deleted["removed"]), [site.kid("goes")]);
        assert_eq!(deleted["set_deleted"], false);
        assert!(site.there("api").iter().all(|key| key.contains("stays")));
        site.run("delete api goes --remote prod --yes").fails(3);
        site.ok("delete api goes --remote prod --yes --if-exists");
    });
}

#[test]
fn what_is_not_there_is_told_apart_from_what_went_wrong() {
    everywhere(|site| {
        for line in [
            "get api --remote prod",
            "list api --remote prod",
            "pull prod:api",
            "delete api --remote prod --yes",
        ] {
            let missing = site.run(line).fails(3);
            assert!(
                missing.stderr.contains("no set api on prod"),
                "{line}: {missing:#?}"
            );
        }
        site.ok("create api --remote prod --alg ES512");
        site.run("get api nobody --remote prod").fails(3);
        assert!(site.sandbox.store_entries().is_empty());
    });
}

/// The same verbs print the same JSON wherever the set is.
#[test]
fn json_is_that_of_the_keystore() {
    for version in Version::ALL {
        let site = Site::new(version);
        let created = site.json("create api --remote prod --alg ES512 --kid first --json");
        assert_eq!(created["set"], "api");
        assert_eq!(created["created"][0]["kid"], site.kid("first"));
        assert!(created["created"][0]["thumbprint"].is_string());
        let key: &Value = &created["keys"][0];
        assert!(key["x"].is_string() && key["d"].is_null(), "{key}");

        let mine = site.key("mine", "");
        site.sandbox.write("own.json", mine.to_string());
        let set = site.json("set api own.json --remote prod --yes --json");
        assert_eq!(set["added"][0]["kid"], site.kid("mine"));

        let listed = site.json("list api --remote prod --json");
        assert_eq!(listed["set"], "api");
        assert_eq!(listed["keys"].as_array().expect("keys").len(), 2);
        let deleted = site.json("delete api --remote prod --yes --force --json");
        assert_eq!(deleted["set_deleted"], true);
    }
}
