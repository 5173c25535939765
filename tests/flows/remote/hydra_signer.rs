//! Hydra signs with the first private key that it holds: which one that is after a push, and what
//! of the others goes there.

use crate::hydra::site::{Site, everywhere, public, set_of};
use crate::servers::hydra::Version;

/// Keys of every state: `old` has signed, `now` signs, `next` is to sign.
fn with_every_state(site: &Site) {
    site.ok("create api --kid old");
    site.ok("create api --kid now");
    site.ok("create api --kid next --nbf +1d");
}

/// Verifiers know a key before it signs and after; the server has the private part of one.
#[test]
fn only_the_active_key_is_pushed_with_its_private_part() {
    everywhere(|site| {
        with_every_state(site);
        site.ok("push api prod --yes");
        let private: Vec<_> = site
            .there("api")
            .into_iter()
            .filter(|key| key.contains('*'))
            .collect();
        let signer = site.hydra.signer("api").expect("a signer");
        assert_eq!(private, [format!("{signer}*")]);
        assert!(signer.ends_with("now"));
        for kid in ["old", "now", "next"] {
            site.ok(&format!("get api {kid} --remote prod"));
        }
        if !site.is_1() {
            let token = site.hydra.token("api").expect("a token");
            assert_eq!(token.kid, signer, "none of the server's own making");
        }
    });
}

#[test]
fn with_every_private_part_there_the_active_key_signs_all_the_same() {
    everywhere(|site| {
        with_every_state(site);
        site.ok("push api prod --yes --private-all");
        let private = site
            .there("api")
            .iter()
            .filter(|key| key.contains('*'))
            .count();
        assert_eq!(private, 3);
        assert!(site.hydra.signer("api").expect("a signer").ends_with("now"));
    });
}

/// Wherever it stands in the file.
#[test]
fn a_pending_key_never_signs_before_its_time() {
    let site = Site::newest();
    site.ok("create api --kid next --nbf +1d");
    site.ok("create api --kid now");
    site.ok("push api prod --yes --private-all");
    assert_eq!(site.hydra.signer("api").as_deref(), Some("now"));
}

#[test]
fn a_pending_key_alone_does_not_sign_in_the_place_of_the_servers_own() {
    for more in ["", "--private-all"] {
        let site = Site::newest();
        site.ok("create api --remote prod --kid theirs");
        site.ok("create api --kid next --nbf +1d");
        // Whether it is sent behind the other or refused: it does not sign.
        let run = site.run(&format!("push api prod --yes {more}"));
        assert!(matches!(run.code, Some(0 | 4)), "{run:#?}");
        assert_eq!(
            site.hydra.signer("api").as_deref(),
            Some("theirs"),
            "{run:#?}"
        );
    }
}

/// A set that holds no private key makes the server generate one that nobody knows of.
#[test]
fn a_pending_key_alone_is_refused_with_its_private_part_and_warned_of_without() {
    let site = Site::newest();
    site.ok("create api --kid next --nbf +1d");
    let refused = site.run("push api prod --yes --private-all").fails(4);
    assert!(
        refused.stderr.contains("nbf is in the future"),
        "{refused:#?}"
    );
    assert_eq!(site.puts(), 0);
    let warned = site.ok("push api prod --yes");
    assert!(
        warned.stderr.contains("no private key would be left"),
        "{warned:#?}"
    );
    assert_eq!(site.there("api"), ["next"]);
}

#[test]
fn a_single_pending_key_is_not_set_with_its_private_part() {
    everywhere(|site| {
        let next = site.key("next", "--nbf +1d");
        site.sandbox.write("next.json", next.to_string());
        for more in ["", "--replace"] {
            let line = format!("set api next.json --remote prod --yes {more}");
            let refused = site.run(&line).fails(4);
            assert!(
                refused.stderr.contains("nbf is in the future"),
                "{refused:#?}"
            );
        }
        assert_eq!(site.puts(), 0);
        site.sandbox.write("next.json", public(&next).to_string());
        site.ok("set api next.json --remote prod --yes");
    });
}

/// When its time has come the next push changes over, and takes the old private part away.
#[test]
fn a_rotation_reaches_the_server_with_the_next_push() {
    everywhere(|site| {
        site.ok("create api --kid old");
        site.ok("push api prod --yes");
        assert!(site.hydra.signer("api").expect("a signer").ends_with("old"));
        site.ok("create api --kid new");
        let pushed = site.ok("push api prod --yes");
        assert!(
            pushed
                .stderr
                .contains("its private part is deleted on the server"),
            "{pushed:#?}"
        );
        let private: Vec<_> = site
            .there("api")
            .into_iter()
            .filter(|key| key.contains('*'))
            .collect();
        assert_eq!(private.len(), 1);
        assert!(private[0].ends_with("new*"));
    });
}

/// The newest key of a server is the first one; pulled and pushed, it still is the one that signs.
#[test]
fn what_was_pulled_is_pushed_with_the_same_signer() {
    everywhere(|site| {
        for kid in ["old", "new"] {
            site.ok(&format!("create api --remote prod --alg ES512 --kid {kid}"));
        }
        let signer = site.hydra.signer("api");
        site.ok("pull prod:api --yes");
        let listed = site.json("list api --json");
        let mut keys = listed["keys"].as_array().expect("keys").iter();
        let active = keys
            .find(|key| key["state"] == "active")
            .expect("an active key");
        assert_eq!(
            active["kid"],
            site.kid("new"),
            "the key that signs there is the active one here"
        );
        site.ok("push api prod --yes");
        assert_eq!(site.hydra.signer("api"), signer);
    });
}

/// The private part of a key may be on the server alone.
#[test]
fn a_public_copy_takes_no_private_part_away() {
    let site = Site::newest();
    let mine = site.key("mine", "");
    site.hydra.put("api", &set_of(&[&mine]));
    site.sandbox.write("public.json", public(&mine).to_string());
    site.ok("set api public.json");
    for more in ["", "--prune", "--public"] {
        site.ok(&format!("push api prod --yes {more}"));
        assert_eq!(site.there("api"), ["mine*"], "{more}");
    }
}

/// Keys of a line that the server does not sign with: they decrypt, and nothing else.
#[test]
fn encryption_keys_go_public() {
    let site = Site::new(Version::V2_0);
    site.ok("create api --kid decrypts --alg ECDH-ES --crv P-256");
    site.ok("create api --kid signs");
    site.ok("push api prod --yes");
    assert_eq!(site.there("api"), ["decrypts", "signs*"]);
    site.ok("push api prod --yes --private-all");
    assert_eq!(site.hydra.signer("api").as_deref(), Some("signs"));
}

/// Each algorithm has its own active key; the first of them signs.
#[test]
fn the_active_key_of_every_line_is_private() {
    let site = Site::newest();
    site.ok("create api --kid rsa --alg RS256");
    site.ok("create api --kid ec --alg ES256");
    site.ok("push api prod --yes");
    assert_eq!(site.there("api"), ["rsa*", "ec*"]);
    assert_eq!(site.hydra.signer("api").as_deref(), Some("rsa"));
}

/// The same keys in another order are another signer, and that is a difference.
#[test]
fn an_order_that_changes_the_signer_is_pushed_and_differs() {
    let site = Site::newest();
    site.ok("create api --kid old --nbf -1h");
    site.ok("create api --kid new");
    let keys = site.local("api");
    site.hydra.put("api", &set_of(&[&keys[1], &keys[0]]));
    assert_eq!(
        site.hydra.signer("api").as_deref(),
        Some("old"),
        "put in this order, given in reverse"
    );
    let differs = site.run("diff api prod --exit-code").fails(8);
    assert!(differs.stderr.contains("another key signs"), "{differs:#?}");
    let pushed = site.ok("push api prod --yes");
    assert!(
        pushed.stderr.contains("new becomes the signing key"),
        "{pushed:#?}"
    );
    assert_eq!(site.hydra.signer("api").as_deref(), Some("new"));
    site.ok("diff api prod --exit-code");
}

/// Clients know one algorithm, perhaps: a rotation of RS256 keys does not hand over to ES256.
#[test]
fn a_rotation_stays_in_the_line_that_signs() {
    let site = Site::newest();
    site.ok("create api --kid rsa --alg RS256 --nbf -1h");
    site.ok("create api --kid ec --alg ES256");
    site.ok("push api prod --yes");
    assert_eq!(site.hydra.signer("api").as_deref(), Some("rsa"));
    site.ok("create api --kid next --alg RS256");
    let pushed = site.ok("push api prod --yes");
    assert!(
        pushed.stderr.contains("next becomes the signing key"),
        "{pushed:#?}"
    );
    assert_eq!(site.hydra.signer("api").as_deref(), Some("next"));
    site.ok("push api prod --kid ec --yes");
    assert_eq!(site.hydra.signer("api").as_deref(), Some("next"));
}

/// What the server rotated by itself is not turned back.
#[test]
fn a_key_that_the_server_made_signs_on_after_pull_and_push() {
    let site = Site::newest();
    site.ok("create api --kid mine");
    site.ok("push api prod --yes");
    site.ok("create api --remote prod --kid theirs");
    site.ok("pull prod:api --yes");
    site.ok("push api prod --yes");
    assert_eq!(site.hydra.signer("api").as_deref(), Some("theirs"));
}

/// Whatever came into the set last: only a valid private key signs.
#[test]
fn keys_that_cannot_sign_take_the_place_of_no_signer() {
    for unable in ["public", "invalid"] {
        let site = Site::newest();
        site.ok("create api --kid signs");
        site.ok("push api prod --yes");
        let mut other = public(&site.key("other", ""));
        if unable == "invalid" {
            other["x"] = other["y"].clone();
        }
        site.sandbox.write("other.json", other.to_string());
        site.ok("set api other.json --allow-invalid");
        let pushed = site.ok("push api prod --yes");
        assert_eq!(
            site.hydra.signer("api").as_deref(),
            Some("signs"),
            "{unable}: {pushed:#?}"
        );
    }
}

/// Each key that is put by itself is the newest afterwards.
#[test]
fn a_changed_member_of_a_retired_key_makes_it_no_signer() {
    everywhere(|site| {
        let [mut old, new] = ["old", "new"].map(|kid| site.key(kid, ""));
        old.as_object_mut().expect("an object").remove("use");
        let file = site
            .sandbox
            .write("keys.json", set_of(&[&new, &old]).to_string());
        site.ok(&format!("set api {file} --remote prod --replace --yes"));
        old["use"] = "sig".into();
        site.sandbox.write("old.json", old.to_string());
        let set = site.ok("set api old.json --remote prod --yes");
        assert_eq!(site.json("get api old --remote prod")["use"], "sig");
        let signer = site.hydra.signer("api").expect("a signer");
        assert!(signer.ends_with("new"), "{signer}: {set:#?}");
        assert!(
            set.stderr
                .contains(&format!("signs with {}", site.kid("new"))),
            "{set:#?}"
        );
    });
}

/// As a push does.
#[test]
fn a_replacement_without_a_private_key_is_warned_of() {
    everywhere(|site| {
        site.ok("create api --remote prod --alg ES512 --kid theirs");
        site.sandbox
            .write("public.json", public(&site.key("mine", "")).to_string());
        let set = site.ok("set api public.json --remote prod --replace --yes");
        assert!(
            set.stderr.contains("no private key would be left"),
            "{set:#?}"
        );
    });
}

const OWN: &str = "hydra.openid.id-token";

/// Each with what the command says to do about it.
#[test]
fn a_key_that_the_server_cannot_sign_with_does_not_become_its_signer() {
    for (version, alg, more, advice) in [
        (
            Version::V26_2,
            "Ed25519",
            "--kid mine",
            "--ed25519-as-eddsa",
        ),
        (
            Version::V26_2,
            "none",
            "--kid mine",
            "jwks set api --kid mine --alg RS256",
        ),
        (
            Version::V1_11,
            "ES256",
            "--kid mine",
            "jwks create api --alg RS256",
        ),
        (
            Version::V1_11,
            "PS256",
            "--kid mine",
            "jwks set api --kid mine --alg RS256",
        ),
    ] {
        let site = Site::new(version);
        match alg {
            "none" => site.ok(&format!("create api --kty RSA --use sig {more}")),
            alg => site.ok(&format!("create api --alg {alg} {more}")),
        };
        let before = site.hydra.token(OWN).expect("a token");
        let refused = site.run(&format!("push api prod:{OWN} --yes")).fails(4);
        assert!(
            refused.stderr.contains("cannot sign"),
            "{alg}: {refused:#?}"
        );
        assert!(refused.stderr.contains(advice), "{alg}: {refused:#?}");
        assert_eq!(site.puts(), 0);
        assert_eq!(site.hydra.token(OWN).expect("a token"), before);
        // The server does not sign with other sets.
        let warned = site.ok("push api prod --yes");
        assert!(
            warned.stderr.contains("warning: tokens fail"),
            "{alg}: {warned:#?}"
        );
    }
}

#[test]
fn ed25519_goes_as_eddsa_when_that_is_asked_for() {
    let site = Site::newest();
    site.ok("create api --alg Ed25519 --kid mine");
    for line in [
        format!("push api prod:{OWN} --yes --ed25519-as-eddsa"),
        format!("rotate api --every 30d --push prod:{OWN} --ed25519-as-eddsa"),
    ] {
        site.ok(&line);
        let token = site.hydra.token(OWN).expect("a token");
        assert_eq!((token.kid.as_str(), token.alg.as_str()), ("mine", "EdDSA"));
    }
    assert_eq!(site.puts(), 1, "the second one has nothing to send");
}

/// A key that the server can sign with comes before one that it cannot.
#[test]
fn of_two_lines_the_one_signs_that_the_server_knows() {
    let site = Site::new(Version::V1_11);
    site.ok("create api --alg ES256 --kid curve");
    site.ok("create api --alg RS256 --kid rsa");
    site.ok(&format!("push api prod:{OWN} --yes"));
    assert_eq!(site.hydra.token(OWN).expect("a token").kid, "public:rsa");
}

/// The discovery of everybody would fail.
#[test]
fn a_symmetric_key_stays_out_of_the_sets_of_the_server() {
    everywhere(|site| {
        site.ok("create api --alg RS256 --kid signs");
        site.ok("create api --alg HS256 --kid shared");
        let line = format!("push api prod:{OWN} --kid signs --kid shared --yes");
        let refused = site.run(&line).fails(4);
        assert!(refused.stderr.contains("symmetric"), "{refused:#?}");
        let created = site.run(&format!("create {OWN} --remote prod --alg HS256"));
        created.fails(4);
        let key = site.json("get api shared --private");
        site.sandbox.write("shared.json", key.to_string());
        site.run(&format!("set {OWN} shared.json --remote prod --yes"))
            .fails(4);
        assert_eq!(site.writes().len(), 0);
        let warned = site.ok("push api prod --kid shared --yes");
        assert!(warned.stderr.contains("symmetric"), "{warned:#?}");
    });
}

/// The first key that is not public signs, and a symmetric one is not.
#[test]
fn a_listing_judges_as_the_server_does() {
    let site = Site::newest();
    let [pair, shared] =
        [("pair", ""), ("shared", "--alg HS256")].map(|(kid, alg)| site.key(kid, alg));
    site.hydra.put("api", &set_of(&[&pair, &shared]));
    let listed = site.json("list api --remote prod --json");
    let active = listed["keys"].as_array().expect("keys").iter();
    let active: Vec<_> = active.filter(|key| key["state"] == "active").collect();
    assert_eq!(active.len(), 1, "{listed}");
    assert_eq!(active[0]["kid"], "shared");
}

/// Tokens carry the kid.
#[test]
fn the_same_key_under_another_kid_is_a_change_and_asked() {
    everywhere(|site| {
        site.ok("create api --alg RS256 --kid old");
        site.ok("push api prod --yes");
        let mut key = site.local("api").remove(0);
        key["kid"] = "new".into();
        site.sandbox.write("new.json", key.to_string());
        site.ok("set renamed new.json");
        let asked = site.run("push renamed prod:api").fails(4);
        assert!(
            asked.stderr.contains("tokens carry the new kid"),
            "{asked:#?}"
        );
        let pushed = site.ok("push renamed prod:api --yes");
        assert!(!pushed.stderr.contains("as before"), "{pushed:#?}");
        assert_eq!(
            site.hydra.token("api").expect("a token").kid,
            site.kid("new")
        );
    });
}

/// Nothing says that such a key signs.
#[test]
fn a_key_without_use_and_alg_is_reported() {
    everywhere(|site| {
        let mut key = site.key("mine", "--alg RS256");
        for member in ["alg", "use", "key_ops"] {
            key.as_object_mut().expect("an object").remove(member);
        }
        site.sandbox.write("own.json", key.to_string());
        site.ok("set api own.json");
        let pushed = site.ok("push api prod --yes");
        let advice = "jwks set api --kid mine --use sig --alg RS256";
        assert!(pushed.stderr.contains("neither use nor alg"), "{pushed:#?}");
        assert!(pushed.stderr.contains(advice), "{pushed:#?}");
        site.ok(advice.trim_start_matches("jwks "));
        site.ok("push api prod --yes");
        assert_eq!(
            site.hydra.token("api").expect("a token").kid,
            site.kid("mine")
        );
    });
}

/// People copy the command of a hint into their shell. A kid of others must not run there.
#[test]
fn a_hint_with_a_foreign_kid_is_one_command() {
    let site = Site::newest();
    let mut key = site.key("mine", "--alg RS256");
    for member in ["alg", "use", "key_ops"] {
        key.as_object_mut().expect("an object").remove(member);
    }
    key["kid"] = "$(touch x)'; touch y".into();
    site.sandbox.write("own.json", key.to_string());
    site.ok("set api own.json");
    let pushed = site.ok("push api prod --yes").stderr;
    let (_, advice) = pushed.split_once("run `jwks").expect("a command");
    let (advice, _) = advice.split_once('`').expect("its end");
    site.sandbox.shell(&format!("jwks {advice}")).ok();
    let key = &site.sandbox.json(["get", "api", "--private"])["keys"][0];
    assert_eq!(key["use"], "sig", "{advice}");
    assert!(!site.sandbox.path().join("x").exists() && !site.sandbox.path().join("y").exists());
}
