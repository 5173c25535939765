//! `push`: what goes to a server, what is shown before, and what never goes.

use crate::hydra::site::{Site, kids, public, set_of};
use crate::servers::Answer;
use crate::servers::hydra::{Hydra, Version};
use crate::support::without_thumbprints;
use serde_json::{Value, json};

/// Keys here and there: one on both sides, one only here, one only there.
fn with_differences() -> Site {
    let site = Site::newest();
    site.ok("create api --kid both");
    site.ok("push api prod --yes");
    site.ok("create api --remote prod --kid theirs --alg RS256");
    site.ok("create api --kid new");
    site.hydra.server.forget_calls();
    site
}

#[test]
fn what_a_push_would_do_is_shown_and_without_a_yes_not_done() {
    let site = with_differences();
    let (here, there) = (site.sandbox.read_set("api"), site.hydra.keys("api"));
    let refused = site.run("push api prod").fails(4);
    for line in [
        "  new (ES256): new, with its PRIVATE part",
        "  both (ES256): changes d, public only: its private part is deleted on the server",
        "  theirs: only on the server, kept",
        "hint: pass --yes",
    ] {
        assert!(refused.stderr.contains(line), "{line}: {refused:#?}");
    }
    let pruned = site.run("push api prod --prune").fails(4);
    assert!(
        pruned
            .stderr
            .contains("theirs: only on the server, DELETED"),
        "{pruned:#?}"
    );
    assert!(
        pruned.stderr.contains("lose 1 private key: theirs"),
        "{pruned:#?}"
    );
    let quiet = site.run("push api prod --prune --json").fails(4).error();
    let message = quiet["message"].as_str().expect("a message").to_owned();
    assert!(
        message.contains("private part") && message.contains("theirs"),
        "{message}"
    );

    assert!(site.writes().is_empty());
    assert_eq!(site.sandbox.read_set("api"), here);
    assert_eq!(site.hydra.keys("api"), there);
}

#[test]
fn a_dry_run_shows_the_same_and_asks_nothing() {
    let site = with_differences();
    let there = site.hydra.keys("api");
    let run = site.ok("push api prod --prune --dry-run");
    assert!(
        run.stderr.contains("theirs: only on the server, DELETED"),
        "{run:#?}"
    );
    assert!(run.stderr.contains("dry run"), "{run:#?}");
    let report = site.json("push api prod --prune --dry-run --json");
    assert_eq!(report["changed"], false);
    assert_eq!(kids(&report["sent"]), ["both", "new"]);
    assert!(site.writes().is_empty());
    assert_eq!(site.hydra.keys("api"), there);
}

#[test]
fn what_only_the_server_has_stays_unless_pruned() {
    let site = with_differences();
    let theirs = site.hydra.keys("api")[0].clone();
    site.ok("push api prod --yes");
    assert_eq!(site.there("api"), ["both", "new*", "theirs*"]);
    assert!(site.hydra.keys("api").contains(&theirs));
    let report = site.json("push api prod --yes --prune --json");
    assert_eq!(kids(&report["removed"]), ["theirs"]);
    assert_eq!(site.there("api").len(), 2);
}

/// Scripts hold on to it.
#[test]
fn json_tells_what_was_sent() {
    let site = with_differences();
    let report = site.json("push api prod --yes --json");
    assert_eq!(
        without_thumbprints(report),
        json!({
            "set": "api",
            "remote": "prod",
            "remote_set": "api",
            "sent": [{"kid": "both", "private": false}, {"kid": "new", "private": true}],
            "removed": [],
            "refused": [],
            "signer": {"kid": "new"},
            "changed": true,
            "dry_run": false,
        })
    );
    let again = site.json("push api prod --yes --json");
    assert_eq!(
        without_thumbprints(again),
        json!({
            "set": "api", "remote": "prod", "remote_set": "api", "sent": [], "removed": [],
            "refused": [], "signer": {"kid": "new"}, "changed": false, "dry_run": false,
        })
    );
}

#[test]
fn a_public_push_sends_no_private_part_and_says_what_that_means() {
    let site = Site::newest();
    site.ok("create api --count 2");
    let secrets: Vec<_> = site
        .local("api")
        .iter()
        .map(|key| key["d"].clone())
        .collect();
    let run = site.ok("push api prod --public --yes");
    assert!(
        run.stderr
            .contains("no private key would be left in prod:api"),
        "{run:#?}"
    );
    assert!(site.there("api").iter().all(|key| !key.ends_with('*')));
    for secret in secrets {
        let secret = secret.as_str().expect("a private part");
        assert!(site.writes().iter().all(|call| !call.body.contains(secret)));
    }
    // Where the server has a signer of its own, nothing is amiss.
    site.ok("create other --remote prod");
    let run = site.ok("push api prod:other --public --yes");
    assert!(!run.stderr.contains("no private key"), "{run:#?}");
}

/// Whoever has the secret can sign: it goes where it was sent by name, and nowhere else.
#[test]
fn a_symmetric_key_is_sent_only_when_it_is_named() {
    let site = Site::newest();
    site.ok("create api --kid secret --alg HS256");
    site.ok("create api --kid signer");
    let secret = site.local("api")[0]["k"].as_str().expect("k").to_owned();
    let was_sent = || {
        site.hydra
            .server
            .calls()
            .iter()
            .any(|call| call.body.contains(&secret))
    };
    for more in ["", "--private-all", "--prune", "--public", "--kid signer"] {
        let run = site.ok(&format!("push api prod --yes {more}"));
        assert!(!was_sent(), "{more}");
        if more.is_empty() {
            assert!(
                run.stderr.contains("secret: not sent, symmetric"),
                "{run:#?}"
            );
        }
        assert!(!run.stderr.contains(&secret));
    }
    let shown = site.run("push api prod --kid secret").fails(4);
    assert!(
        shown
            .stderr
            .contains("secret (HS256): new, with its PRIVATE part"),
        "{shown:#?}"
    );
    assert!(!was_sent());
    site.ok("push api prod --kid secret --yes");
    assert!(was_sent());
    // There it stays, also where it is not named any more.
    site.ok("create api --kid newer");
    site.ok("push api prod --yes --prune");
    assert!(site.there("api").contains(&"secret*".to_owned()));
}

#[test]
fn named_keys_are_sent_and_no_others() {
    let site = Site::newest();
    for kid in ["a", "b", "c"] {
        site.ok(&format!("create api --kid {kid} --alg RS256"));
    }
    site.ok("push api prod --yes --kid a --kid c");
    assert_eq!(site.there("api"), ["a", "c*"]);
    site.run("push api prod --yes --kid nobody").fails(3);
    site.run("push api prod --yes --kid a --prune").fails(2);
}

#[test]
fn expired_keys_are_never_sent() {
    let site = Site::newest();
    let mut old = site.key("old", "");
    old["exp"] = 1.into();
    site.sandbox.write("old.json", old.to_string());
    site.ok("set api old.json");
    for more in ["", "--private-all", "--public", "--kid old"] {
        let run = site.run(&format!("push api prod --yes {more}")).fails(4);
        assert!(run.stderr.contains("expired"), "{more}: {run:#?}");
    }
    site.ok("create api --kid now");
    let run = site.ok("push api prod --yes --private-all");
    assert!(run.stderr.contains("old: not sent, expired"), "{run:#?}");
    assert_eq!(site.there("api"), ["now*"]);
}

/// It was sent while it was good: then it is not the server's alone.
#[test]
fn a_key_that_expired_meanwhile_is_reported_as_expired() {
    let site = Site::newest();
    let mut old = site.key("old", "");
    site.hydra.put("api", &set_of(&[&public(&old)]));
    old["exp"] = 1.into();
    site.sandbox.write("old.json", old.to_string());
    site.ok("set api old.json");
    site.ok("create api --kid now");
    let run = site.ok("push api prod --yes");
    assert!(run.stderr.contains("old"), "{run:#?}");
    assert!(!run.stderr.contains("old: only on the server"), "{run:#?}");
    site.ok("push api prod --yes --prune");
    assert_eq!(site.there("api"), ["now*"]);
}

#[test]
fn invalid_keys_are_never_sent() {
    let site = Site::newest();
    site.ok("create api --kid good");
    let [mut wrong, other] = ["wrong", "other"].map(|kid| site.key(kid, ""));
    wrong["d"] = other["d"].clone();
    let mut off = other.clone();
    off["kid"] = "off".into();
    off["x"] = off["y"].clone();
    site.sandbox
        .write("bad.json", set_of(&[&wrong, &off]).to_string());
    site.ok("set api bad.json --allow-invalid");
    for more in ["", "--private-all"] {
        let run = site.ok(&format!("push api prod --yes {more}"));
        assert!(run.stderr.contains("off: not sent, invalid"), "{run:#?}");
        assert!(
            site.hydra.signer("api").as_deref() == Some("good"),
            "{run:#?}"
        );
        assert!(!site.there("api").contains(&"wrong*".to_owned()));
        assert!(!site.there("api").iter().any(|key| key.starts_with("off")));
    }
}

/// A kid stands for one key there.
#[test]
fn another_key_of_the_server_with_the_same_kid_is_in_the_way() {
    let site = Site::newest();
    let theirs = site.key("same", "");
    site.hydra.put("api", &set_of(&[&theirs]));
    site.ok("create api --kid same");
    let run = site.run("push api prod --yes").fails(4);
    assert!(run.stderr.contains("--prune"), "{run:#?}");
    assert_eq!(site.hydra.keys("api")[0]["d"], theirs["d"]);
    let run = site.ok("push api prod --yes --prune");
    assert!(run.stderr.contains("DELETED"), "{run:#?}");
    assert_eq!(site.hydra.keys("api")[0]["d"], site.local("api")[0]["d"]);
}

#[test]
fn the_set_may_have_another_name_there() {
    let site = Site::newest();
    site.ok("create api");
    site.ok("push api prod:hydra.openid.id-token --yes");
    assert_eq!(site.hydra.keys("hydra.openid.id-token").len(), 1);
    assert!(site.hydra.keys("api").is_empty());
    site.ok("diff api prod:hydra.openid.id-token --exit-code");
}

#[test]
fn what_is_not_here_is_not_pushed() {
    let site = Site::newest();
    site.run("push api prod --yes").fails(3);
    site.ok("create api");
    site.run("push api nobody --yes").fails(3);
    site.run("push api").fails(2);
    assert!(site.writes().is_empty());
}

/// One set that fails does not keep the others from their way.
#[test]
fn every_set_is_pushed_whatever_becomes_of_the_others() {
    let proxy = |call: &crate::servers::Call| {
        let is_hit = call.method == "PUT" && call.path.ends_with("/charlie");
        is_hit.then(|| Answer::json(400, json!({ "error": "not on Fridays" })))
    };
    let site = Site::beside(Hydra::behind(Version::V2_2, proxy), Version::V2_2);
    for set in ["alpha", "bravo", "charlie", "delta"] {
        site.ok(&format!("create {set} --kid {set}"));
    }
    site.sandbox.write("store/bravo.json", "{\"keys\":[");
    let damaged = site.sandbox.read_set("bravo");
    let run = site.run("push --all prod --yes");
    assert!(matches!(run.code, Some(5 | 6)), "{run:#?}");
    assert!(run.stderr.contains("set bravo: "), "{run:#?}");
    assert!(run.stderr.contains("not on Fridays"), "{run:#?}");
    assert!(
        run.stderr.contains("2 sets not pushed: bravo, charlie"),
        "{run:#?}"
    );
    for (set, signer) in [
        ("alpha", Some("alpha")),
        ("charlie", None),
        ("delta", Some("delta")),
    ] {
        assert_eq!(site.hydra.signer(set).as_deref(), signer);
    }
    assert_eq!(site.sandbox.read_set("bravo"), damaged);

    let run = site.run("push --all prod --yes --json");
    let report: Value = run.json();
    let sets = report["sets"].as_array().expect("sets");
    let failed = sets.iter().filter(|set| set["error"].is_object());
    let failed: Vec<_> = failed.map(|set| &set["set"]).collect();
    assert_eq!(failed, ["bravo", "charlie"]);
    assert_eq!(report["sets"][0]["set"], "alpha");
    assert_eq!(report["sets"][0]["changed"], false);
}

#[test]
fn an_empty_keystore_has_nothing_to_push() {
    let site = Site::newest();
    site.ok("push --all prod --yes");
    assert!(site.hydra.server.lines().is_empty());
}

/// The look after the write is what makes it certain.
#[test]
fn a_push_that_cannot_be_read_back_is_no_success() {
    let mut was_put = false;
    let proxy = move |call: &crate::servers::Call| {
        let answer = was_put.then(|| Answer::html(200, "<html>maintenance</html>"));
        was_put |= call.method == "PUT";
        answer
    };
    let site = Site::beside(Hydra::behind(Version::V2_2, proxy), Version::V2_2);
    site.ok("create api");
    let run = site.run("push api prod --yes");
    assert!(matches!(run.code, Some(5 | 6)), "{run:#?}");
    assert!(!run.stderr.contains("sent set"), "{run:#?}");
    assert!(
        run.stderr.contains("may have made the change") || run.stderr.contains("was sent"),
        "{run:#?}"
    );
}

/// Names and words of others are for terminals, too.
#[test]
fn nothing_of_the_server_reaches_the_terminal_as_it_is() {
    let site = Site::newest();
    let mut evil = site.key("evil", "");
    evil["kid"] = "evil\u{1b}[2J\u{202e}\r\nkid".into();
    site.hydra.put("api", &set_of(&[&evil]));
    site.ok("create api --kid mine");
    site.hydra
        .rejects_next(400, json!({ "error": "\u{1b}[31mred\u{7}" }));
    for line in [
        "push api prod --yes",
        "push api prod --dry-run",
        "push api prod --prune",
        "diff api prod",
        "diff api prod --json",
        "list api --remote prod",
        "get api --remote prod",
        "pull prod:api other",
        "delete api --remote prod",
    ] {
        let run = site.run(line);
        let said = run.stdout + &run.stderr;
        let is_bad = |c: char| (c.is_control() && c != '\n') || c == '\u{202e}';
        assert!(!said.contains(is_bad), "{line}: {said:?}");
    }
}
