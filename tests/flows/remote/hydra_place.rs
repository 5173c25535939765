//! Where a Hydra is, and what its sets are called: wrong addresses, wrong versions, wrong names.

use crate::hydra::site::{Site, everywhere, kids};
use crate::servers::Answer;

#[test]
fn a_kid_that_hydra_cannot_keep_is_refused_beforehand() {
    let site = Site::newest();
    let long = "k".repeat(256);
    for kid in [&long, "a\u{7f}b"] {
        let create = ["create", "api", "--remote", "prod", "--kid", kid];
        site.sandbox.run(create).fails(2);
    }
    assert!(site.writes().is_empty(), "{:?}", site.writes());
}

#[test]
fn no_hydra_lists_its_sets() {
    everywhere(|site| {
        for line in ["list --remote prod", "pull --all prod"] {
            let refused = site.run(line).fails(2);
            let said = format!("{} cannot list sets", site.kind());
            assert!(refused.stderr.contains(&said), "{refused:#?}");
            assert!(refused.stderr.contains("hint: "), "{refused:#?}");
        }
        assert!(site.hydra.server.lines().is_empty());
    });
}

/// A 404 of a wrong path would pass for an empty server, and a push would then send all anew.
#[test]
fn a_wrong_address_is_no_missing_set() {
    everywhere(|site| {
        site.ok("create own");
        let (kind, address) = (site.kind(), site.hydra.address());
        site.ok(&format!(
            "remote add prod --kind {kind} --url {address}/nowhere --force"
        ));
        for line in [
            "get api --remote prod",
            "push own prod --yes",
            "remote test prod",
        ] {
            let run = site.run(line).fails(6);
            assert!(run.stderr.contains("/admin/keys"), "{line}: {run:#?}");
            assert!(run.stderr.contains("hydra-v1"), "{line}: {run:#?}");
        }
        assert!(site.writes().is_empty());
    });
}

/// What stands before the server may have a page of its own for what it does not know.
#[test]
fn a_page_that_says_404_is_no_missing_set() {
    let site = Site::newest();
    site.hydra
        .server
        .answer_next(Answer::html(404, "<html>no such page</html>"));
    let run = site.run("get api --remote prod").fails(6);
    assert!(run.stderr.contains("not the admin address"), "{run:#?}");
}

#[test]
fn a_base_address_may_have_a_path_and_a_slash() {
    let site = Site::newest();
    let address = site.hydra.address();
    site.ok(&format!("remote add slash --kind hydra --url {address}/"));
    site.ok("create api --remote slash --kid first");
    assert_eq!(site.there("api"), ["first*"]);
}

#[test]
fn a_remote_is_tested_without_a_set() {
    everywhere(|site| {
        let tested = site.json("remote test prod --json");
        assert_eq!(tested["kind"], site.kind());
        let can = tested["can"].as_array().expect("what it can");
        assert_eq!(can.len(), 6, "everything but to list sets: {can:?}");
        assert!(site.writes().is_empty());
    });
}

/// Sets of a Hydra often have colons in their names; those of the keystore never have.
#[test]
fn a_set_there_may_have_colons_in_its_name() {
    everywhere(|site| {
        site.ok("create team:api --remote prod --alg ES512 --kid first");
        assert_eq!(
            kids(&site.json("get team:api --remote prod")["keys"]),
            [site.kid("first")]
        );
        let refused = site.run("pull prod:team:api").fails(2);
        assert!(
            refused.stderr.contains("jwks pull REMOTE SET"),
            "{refused:#?}"
        );
        site.ok("pull prod:team:api local --yes");
        site.ok("push local prod:team:copy --yes");
        assert_eq!(
            site.hydra.keys("team:copy").len(),
            site.hydra.keys("team:api").len()
        );
        site.ok("diff local prod:team:copy --exit-code");
    });
}

#[test]
fn names_that_hydra_does_not_take_are_refused_before_a_call() {
    let site = Site::newest();
    site.ok("create own");
    let long = "s".repeat(256);
    for name in ["a/b", "ümlaut", "..", "a b", "%2e%2e", "a?b", &long, ""] {
        for arguments in [
            vec!["get", name, "--remote", "prod"],
            vec!["create", name, "--remote", "prod"],
            vec!["push", "own", &format!("prod:{name}"), "--yes"],
        ] {
            let run = site.sandbox.run(&arguments).fails(2);
            assert!(
                run.stderr.contains("invalid name for a set"),
                "{arguments:?}: {run:#?}"
            );
        }
    }
    assert!(
        site.hydra.server.lines().is_empty(),
        "{:?}",
        site.hydra.server.lines()
    );
    let longest = "s".repeat(255);
    site.sandbox.ok(["create", &longest, "--remote", "prod"]);
    assert_eq!(site.hydra.keys(&longest).len(), 1);
}
