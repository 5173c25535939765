//! `pull` and `diff`: what a server holds comes in without harm to what is here.

use crate::hydra::site::{Site, kids, public, set_of};
use crate::servers::Answer;
use crate::servers::plain::Plain;
use crate::support::without_thumbprints;
use serde_json::{Value, json};

/// The key of a set with a kid.
fn find<'k>(keys: &'k [Value], kid: &str) -> &'k Value {
    let mut keys = keys.iter();
    keys.find(|key| key["kid"] == kid).expect("the key")
}

#[test]
fn a_set_is_taken_in_with_its_private_keys() {
    let site = Site::newest();
    site.ok("create api --remote prod --kid first");
    let report = site.json("pull prod:api --yes --json");
    assert_eq!(
        without_thumbprints(report),
        json!({
            "set": "api", "remote": "prod", "remote_set": "api",
            "added": [{"kid": "first", "private": true}], "updated": [],
            "unchanged": [], "skipped": [], "removed": [], "differs": [], "changed": true,
        })
    );
    assert_eq!(site.local("api"), site.hydra.keys("api"));
    let again = site.json("pull prod:api --json");
    assert_eq!(
        without_thumbprints(again),
        json!({
            "set": "api", "remote": "prod", "remote_set": "api", "added": [], "updated": [],
            "unchanged": [{"kid": "first"}], "skipped": [], "removed": [], "differs": [],
            "changed": false,
        })
    );
}

#[test]
fn a_set_is_taken_in_without_them() {
    let site = Site::newest();
    site.ok("create api --remote prod --kid first");
    let report = site.json("pull prod:api --public --json");
    assert_eq!(
        without_thumbprints(report["added"].clone()),
        json!([{"kid": "first", "private": false}])
    );
    assert_eq!(site.local("api"), [public(&site.hydra.keys("api")[0])]);
    // The private part comes when it is asked for, and confirmed.
    let refused = site.run("pull prod:api").fails(4);
    assert!(
        refused.stderr.contains("private keys from prod:api: first"),
        "{refused:#?}"
    );
    let report = site.json("pull prod:api --yes --json");
    assert_eq!(
        without_thumbprints(report["updated"].clone()),
        json!([{"kid": "first", "private": true}])
    );
    assert!(site.local("api")[0]["d"].is_string());
}

#[test]
fn a_pull_takes_another_name_for_the_set() {
    let site = Site::newest();
    site.ok("create hydra.openid.id-token --remote prod --kid first");
    site.ok("pull prod:hydra.openid.id-token tokens --yes");
    assert_eq!(site.sandbox.store_entries(), [".lock", "tokens.json"]);
    site.ok("diff tokens prod:hydra.openid.id-token --exit-code");
}

/// A server that keeps a handful of members would otherwise strip keys at each pull.
#[test]
fn what_the_server_does_not_know_stays_here() {
    let site = Site::newest();
    let mut mine = site.key("mine", "--nbf=-1h --exp +30d --key-ops sign");
    mine["x-note"] = json!({"owner": "ops", "number": 1});
    site.sandbox.write(
        "own.json",
        json!({"keys": [mine], "issuer": "here"}).to_string(),
    );
    site.ok("set api own.json");
    site.ok("push api prod --yes");
    let before = site.sandbox.read_set("api");
    site.ok("pull prod:api");
    assert_eq!(site.sandbox.read_set("api"), before);
}

/// Also where the server has the public form only, and also with `--prune`.
#[test]
fn a_public_key_never_takes_the_place_of_a_private_one() {
    let site = Site::newest();
    site.ok("create api --kid mine");
    let before = site.sandbox.read_set("api");
    site.hydra
        .put("api", &set_of(&[&public(&site.local("api")[0])]));
    for more in [
        "",
        "--public",
        "--prune",
        "--on-conflict replace",
        "--prune --yes",
    ] {
        site.ok(&format!("pull prod:api {more}"));
        assert_eq!(site.sandbox.read_set("api"), before, "{more}");
    }
}

#[test]
fn what_the_server_says_otherwise_of_our_key_is_taken_by_name_only() {
    let site = Site::newest();
    site.ok("create api --kid mine");
    let before = site.sandbox.read_set("api");
    let mut theirs = site.local("api")[0].clone();
    theirs["use"] = "enc".into();
    theirs["alg"] = "ECDH-ES".into();
    site.hydra.put("api", &set_of(&[&theirs]));
    let differs = site.json("diff api prod --json");
    let mut members = kids_of_members(&differs["differs"][0]);
    members.sort();
    assert!(members.starts_with(&["alg".to_owned()]) && members.contains(&"use".to_owned()));
    let report = site.json("pull prod:api --json");
    assert_eq!(
        without_thumbprints(report["differs"].clone()),
        json!([{"kid": "mine", "members": ["use", "alg"]}])
    );
    assert_eq!(site.sandbox.read_set("api"), before);
    let refused = site.run("pull prod:api --take use,alg").fails(4);
    assert!(
        refused.stderr.contains("active key of enc ECDH-ES"),
        "{refused:#?}"
    );
    let report = site.json("pull prod:api --take use,alg --yes --json");
    assert_eq!(kids(&report["updated"]), ["mine"]);
    assert_eq!(site.local("api")[0]["alg"], "ECDH-ES");
    assert!(site.local("api")[0]["d"].is_string());
    let unknown = site.run("pull prod:api --take d").fails(2);
    assert!(
        unknown.stderr.contains("members to take: kid, alg"),
        "{unknown:#?}"
    );
}

fn kids_of_members(changed: &Value) -> Vec<String> {
    let members = changed["members"].as_array().expect("members").iter();
    members
        .map(|member| member.as_str().expect("a name").to_owned())
        .collect()
}

/// A server's set and a local one that give one kid to two keys.
fn in_conflict() -> Site {
    let site = Site::newest();
    site.ok("create api --kid same");
    site.ok("create api --remote prod --kid same");
    site.ok("create api --remote prod --kid other");
    site
}

#[test]
fn a_kid_conflict_changes_nothing_unless_decided() {
    let site = in_conflict();
    let before = site.sandbox.read_set("api");
    for more in ["", "--on-conflict fail", "--yes"] {
        let run = site.run(&format!("pull prod:api {more}")).fails(4);
        assert!(run.stderr.contains("--on-conflict"), "{run:#?}");
        assert_eq!(site.sandbox.read_set("api"), before);
    }
}

#[test]
fn a_kid_conflict_is_decided_for_the_key_here() {
    let site = in_conflict();
    let mine = site.local("api")[0].clone();
    let report = site.json("pull prod:api --on-conflict skip --yes --json");
    assert_eq!(kids(&report["added"]), ["other"]);
    assert_eq!(kids(&report["skipped"]), ["same"]);
    assert_eq!(find(&site.local("api"), "same"), &mine);
    assert_eq!(site.local("api").len(), 2);
}

/// A private key goes only with a yes.
#[test]
fn a_kid_conflict_is_decided_for_the_key_there() {
    let site = in_conflict();
    let before = site.sandbox.read_set("api");
    let refused = site.run("pull prod:api --on-conflict replace").fails(4);
    assert!(
        refused.stderr.contains("lose 1 private key: same"),
        "{refused:#?}"
    );
    assert_eq!(site.sandbox.read_set("api"), before);
    let report = site.json("pull prod:api --on-conflict replace --yes --json");
    assert_eq!(kids(&report["removed"]), ["same"]);
    assert_eq!(
        find(&site.local("api"), "same")["d"],
        find(&site.hydra.keys("api"), "same")["d"]
    );
}

#[test]
fn a_kid_conflict_is_decided_for_both() {
    let site = in_conflict();
    let mine = site.local("api")[0].clone();
    let report = site.json("pull prod:api --on-conflict rekey --yes --json");
    assert_eq!(site.local("api").len(), 3);
    assert_eq!(find(&site.local("api"), "same"), &mine);
    let thumbprints = site.json("list api --remote prod --json");
    let theirs = find(thumbprints["keys"].as_array().expect("keys"), "same")["thumbprint"].clone();
    let theirs = theirs.as_str().expect("a thumbprint");
    assert!(site.local("api").iter().any(|key| key["kid"] == theirs));
    // A script looks for the key under the kid that it got here.
    assert!(kids(&report["added"]).contains(&theirs), "{report}");
}

#[test]
fn pruning_asks_before_it_removes() {
    let site = Site::newest();
    site.ok("create api --kid mine");
    site.ok("create api --remote prod --kid theirs");
    let before = site.sandbox.read_set("api");
    let refused = site.run("pull prod:api --prune").fails(4);
    assert!(
        refused.stderr.contains("lose 1 private key: mine"),
        "{refused:#?}"
    );
    assert_eq!(site.sandbox.read_set("api"), before);
    let report = site.json("pull prod:api --prune --yes --json");
    assert_eq!(kids(&report["removed"]), ["mine"]);
    // The key that signs there gets the date of its arrival, to be the newest here as well.
    let (local, there) = (site.local("api"), site.hydra.keys("api"));
    assert_eq!((local.len(), there.len()), (1, 1));
    assert_eq!(local[0]["d"], there[0]["d"]);
}

/// It is not ours to mend; but it is told, now and whenever the set is listed.
#[test]
fn an_invalid_key_is_kept_as_it_is_and_flagged() {
    let site = Site::newest();
    let [good, mut off] = ["good", "off"].map(|kid| site.key(kid, ""));
    off["x"] = off["y"].clone();
    site.hydra.put("api", &set_of(&[&good, &off]));
    let run = site.ok("pull prod:api --yes");
    assert!(run.stderr.contains("off"), "{run:#?}");
    assert!(run.stderr.contains("warning: "), "{run:#?}");
    assert_eq!(find(&site.local("api"), "off")["x"], off["x"]);
    let listed = site.ok("list api").stdout;
    let line = listed
        .lines()
        .find(|line| line.starts_with("off"))
        .expect("its line");
    assert!(line.contains("invalid"), "{listed}");
    site.run("check api").fails(5);
    let run = site.ok("pull prod:api");
    assert!(run.stderr.contains("off"), "still: {run:#?}");
}

/// A proxy's page, half an answer: never an empty set, never over good keys.
#[test]
fn garbage_is_not_taken_in() {
    let site = Site::newest();
    site.ok("create api --kid mine");
    let before = site.sandbox.read_set("api");
    let truncated = site.sandbox.read_set("api").replace("]\n}", "");
    let json = |body: &str| Answer::json(200, body);
    for garbage in [
        Answer::html(200, "<!doctype html><html>Sign in</html>"),
        Answer::empty(200),
        Answer::empty(204),
        json(&truncated),
        json(r#"{"keys":null}"#),
        json(r#"{"keys":{}}"#),
        json(r#"{"keys":[],"keys":[]}"#),
        json(r#"{"error":"no"}"#),
        json("[]"),
        json("null"),
        Answer::empty(200).body([0xff, 0xfe, 0x00]),
        json(&format!("{}{}", "[".repeat(100_000), "]".repeat(100_000))),
    ] {
        for line in [
            "pull prod:api",
            "pull prod:api --prune --yes",
            "pull prod:api --on-conflict replace --yes",
            "pull prod:api fresh --yes",
            "push api prod --yes",
            "diff api prod",
            "get api --remote prod",
        ] {
            site.hydra.server.answer_next(garbage.clone());
            let run = site.run(line);
            assert!(matches!(run.code, Some(5 | 6)), "{line}: {run:#?}");
            assert_eq!(run.stdout, "", "{line}");
            assert!(run.stderr.contains("/admin/keys/api"), "{line}: {run:#?}");
            assert_eq!(site.sandbox.read_set("api"), before, "{line}");
        }
    }
    assert!(site.writes().is_empty());
    assert_eq!(site.sandbox.store_entries(), [".lock", "api.json"]);
}

/// A set without keys is one; it takes nothing away that was not asked for.
#[test]
fn an_empty_set_is_no_reason_to_lose_keys() {
    let site = Site::newest();
    site.ok("create api --kid mine");
    let before = site.sandbox.read_set("api");
    let pull = |more: &str| {
        site.hydra
            .server
            .answer_next(Answer::json(200, r#"{"keys":[]}"#));
        let run = site.run(&format!("pull prod:api {more}"));
        assert_eq!(site.sandbox.read_set("api"), before, "{run:#?}");
        run
    };
    let run = pull("").ok();
    assert!(run.stderr.contains("no keys"), "{run:#?}");
    assert!(
        pull("--prune")
            .fails(4)
            .stderr
            .contains("lose 1 private key")
    );
    pull("fresh").ok();
    assert_eq!(site.sandbox.store_entries(), [".lock", "api.json"]);
}

/// The set of a server that has only one is called after the remote.
#[test]
fn every_set_of_a_server_is_pulled_and_failures_are_told() {
    let (site, issuer) = (Site::newest(), Plain::start());
    site.ok("create api --kid first");
    issuer.serve("/jwks.json", site.ok("get api").stdout);
    let address = issuer.address();
    site.ok(&format!(
        "remote add issuer --kind url --url {address}/jwks.json"
    ));
    let report = site.json("pull --all issuer --json");
    assert_eq!(report["sets"][0]["set"], "issuer");
    assert_eq!(kids(&report["sets"][0]["added"]), ["first"]);
    let before = site.sandbox.read_set("issuer");

    issuer.serve("/jwks.json", "<html>".to_owned());
    let run = site.run("pull --all issuer --json");
    assert!(matches!(run.code, Some(5 | 6)), "{run:#?}");
    let report = run.json();
    assert!(report["sets"][0]["error"]["kind"].is_string(), "{report}");
    assert_eq!(site.sandbox.read_set("issuer"), before);
}
