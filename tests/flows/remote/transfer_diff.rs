//! `diff`: what differs between a set here and on a server, and what makes no difference.

use crate::hydra::site::{Site, kids, public};
use crate::support::without_thumbprints;
use serde_json::json;

#[test]
fn a_difference_is_shown_and_is_no_error_unless_it_is_asked_for() {
    let site = Site::newest();
    site.ok("create api --kid both");
    site.ok("push api prod --yes");
    site.ok("create api --kid here --alg RS256");
    site.ok("create api --remote prod --kid there --alg PS256");
    let mut changed = site.hydra.keys("api");
    changed.retain(|key| key["kid"] == "there");
    changed.push(public(&site.local("api")[0]));
    site.hydra.put("api", &json!({ "keys": changed }));
    site.hydra.server.forget_calls();
    let before = site.sandbox.read_set("api");

    let shown = site.ok("diff api prod").stdout;
    let rows: Vec<Vec<&str>> = shown
        .lines()
        .map(|row| {
            row.split("  ")
                .map(str::trim)
                .filter(|cell| !cell.is_empty())
                .collect()
        })
        .collect();
    assert_eq!(
        rows,
        [
            ["WHAT", "KID"],
            ["only local", "here"],
            ["only remote", "there"],
            ["differs in d", "both"],
        ]
    );
    let report = json!({
        "set": "api",
        "remote": "prod",
        "remote_set": "api",
        "only_local": [{"kid": "here"}],
        "only_remote": [{"kid": "there"}],
        "differs": [{"kid": "both", "members": ["d"]}],
        "identical": [],
        "private_on_remote": [],
        "new_signer": {"kid": "both"},
    });
    let told = site.json("diff api prod --json");
    assert_eq!(without_thumbprints(told), report);
    let differs = site.run("diff api prod --json --exit-code").fails(8);
    assert_eq!(without_thumbprints(differs.json()), report);
    assert_eq!(differs.stderr, "", "an answer is no error");
    assert!(site.writes().is_empty());
    assert_eq!(site.sandbox.read_set("api"), before);
}

/// A private part that both sides have is no difference; that a push would take it away is told.
#[test]
fn an_unexpected_private_part_is_reported() {
    let site = Site::newest();
    site.ok("create api --kid old --nbf -1h");
    site.ok("create api --kid new");
    site.ok("push api prod --private-all --yes");
    let report = site.json("diff api prod --json --exit-code");
    assert_eq!(kids(&report["identical"]), ["old", "new"]);
    assert_eq!(kids(&report["private_on_remote"]), ["old"]);
    let shown = site.ok("diff api prod");
    assert!(
        shown
            .stderr
            .contains("a push would delete the private part of these keys on the server: old"),
        "{shown:#?}"
    );
}

/// The older name of the algorithm is no other algorithm.
#[test]
fn a_key_that_was_sent_as_eddsa_does_not_differ() {
    let site = Site::newest();
    site.ok("create api --kid one --alg Ed25519");
    site.ok("push api prod --ed25519-as-eddsa --yes");
    assert_eq!(site.hydra.keys("api")[0]["alg"], "EdDSA");
    let same = site.run("diff api prod --json --exit-code").ok().json();
    assert_eq!(kids(&same["identical"]), ["one"]);
}

#[test]
fn no_difference_is_exit_0() {
    let site = Site::newest();
    site.ok("create api --count 2");
    site.ok("push api prod --yes");
    let same = site.json("diff api prod --json --exit-code");
    assert_eq!(
        (&same["only_local"], &same["only_remote"], &same["differs"]),
        (&json!([]), &json!([]), &json!([]))
    );
    assert_eq!(site.ok("diff api prod --exit-code").stdout, "");
}

#[test]
fn a_set_that_is_on_one_side_only_differs() {
    let site = Site::newest();
    site.ok("create api --kid here");
    let report = site.json("diff api prod --json");
    assert_eq!(kids(&report["only_local"]), ["here"]);
    site.run("diff api prod --exit-code").fails(8);
    site.run("diff nobody prod").fails(3);
}
