//! What a server or a file of others may change here: nothing that nobody agreed to.

use crate::hydra::site::{Site, public};
use crate::servers::plain::Plain;
use crate::support::{Run, Sandbox, kids_in};
use serde_json::{Value, json};

/// A keystore with the set `tok` of one signing key, `ours`, and a publisher, which is the remote
/// `idp`. Whoever publishes there is not to be trusted.
struct Ground {
    sandbox: Sandbox,
    idp: Plain,
    ours: Value,
}

/// The ways in which the keys of a publisher come in.
const WAYS: [&str; 2] = ["pull idp tok", "set tok ADDRESS"];

impl Ground {
    fn new() -> Ground {
        let (sandbox, idp) = (Sandbox::new(), Plain::start());
        let ground = Ground {
            ours: Value::Null,
            sandbox,
            idp,
        };
        ground.ok("create tok --kid ours");
        let ours = ground.local()[0].clone();
        ground.serve(&[]);
        ground.ok("remote add idp --kind url --url ADDRESS");
        Ground { ours, ..ground }
    }

    fn run(&self, line: &str) -> Run {
        let line = line.replace("ADDRESS", &self.idp.url("/jwks.json"));
        self.sandbox.run(line.split_whitespace())
    }

    #[track_caller]
    fn ok(&self, line: &str) -> Run {
        self.run(line).ok()
    }

    fn serve(&self, keys: &[Value]) {
        self.idp.serve("/jwks.json", json!({ "keys": keys }));
    }

    /// A key pair of somebody else.
    fn foreign(&self, kid: &str, options: &str) -> Value {
        let aside = format!("--store aside-{kid}");
        self.ok(&format!("create aside --kid {kid} {options} {aside}"));
        let key = self.ok(&format!("get aside {kid} --private {aside}"));
        key.json()
    }

    fn local(&self) -> Vec<Value> {
        let set = self.ok("get tok --private").json();
        set["keys"].as_array().expect("keys").clone()
    }

    /// The kids of the keys in a state.
    fn in_state(&self, state: &str) -> Vec<String> {
        let listed = self.ok("list tok --json").json();
        let keys = listed["keys"].as_array().expect("keys").iter();
        let keys = keys.filter(|key| key["state"] == state);
        keys.map(|key| key["kid"].as_str().expect("a kid").to_owned())
            .collect()
    }

    fn thumbprint(&self) -> String {
        self.ok("thumbprint tok ours").stdout.trim().to_owned()
    }
}

fn with(key: &Value, name: &str, value: Value) -> Value {
    let mut key = key.clone();
    key[name] = value;
    key
}

#[test]
fn a_publisher_gives_no_private_keys() {
    for way in WAYS {
        let ground = Ground::new();
        let evil = ground.foreign("evil", "--key-ops sign");
        // The same members in another order.
        let mut turned = json!({"d": null});
        let other = ground.foreign("turned", "");
        for (name, value) in other.as_object().expect("members").iter().rev() {
            turned[name] = value.clone();
        }
        let secret = ground.foreign("secret", "--alg HS256");
        ground.serve(&[public(&ground.ours), evil, turned, secret]);
        let run = ground.ok(way);
        assert!(run.stderr.contains("private keys"), "{run:#?}");
        assert!(run.stderr.contains("evil, turned"), "{run:#?}");
        assert!(run.stderr.contains("symmetric keys"), "{run:#?}");
        let local = ground.local();
        assert_eq!(local.len(), 3, "{way}");
        assert_eq!(local[0], ground.ours);
        for key in &local[1..] {
            assert!(key.get("d").is_none() && key.get("k").is_none(), "{key}");
        }
        assert_eq!(local[1]["key_ops"], json!(["verify"]));
        assert_eq!(ground.in_state("active"), ["ours"]);
        // Who asks for them gets them, with a yes.
        let before = ground.sandbox.read_set("tok");
        let refused = ground.run(&format!("{way} --private")).fails(4);
        assert!(refused.stderr.contains("evil"), "{refused:#?}");
        assert_eq!(ground.sandbox.read_set("tok"), before);
        ground.ok(&format!("{way} --private --yes"));
        assert!(ground.local()[1]["d"].is_string());
    }
}

/// A set that becomes what an address has gets new private keys after a question only.
#[test]
fn a_replacement_from_an_address_asks_for_private_keys() {
    let ground = Ground::new();
    ground.serve(&[ground.foreign("evil", "")]);
    let refused = ground.run("set new ADDRESS --private --replace").fails(4);
    for said in [
        "private keys from the input: evil",
        "evil as the active key",
    ] {
        assert!(refused.stderr.contains(said), "{refused:#?}");
    }
    ground.run("list new").fails(3);
    ground.ok("set new ADDRESS --private --replace --yes");
    let again = ground.ok("set new ADDRESS --private --replace");
    assert!(again.stderr.contains("1 unchanged"), "{again:#?}");
}

/// The thumbprint of a secret that people made up helps to guess it (RFC 7638 section 7).
#[test]
fn no_message_has_the_thumbprint_of_a_shared_secret() {
    let ground = Ground::new();
    let mut secret = ground.foreign("secret", "--alg HS256");
    ground.sandbox.write("secret.json", secret.to_string());
    let thumbprint = ground.ok("thumbprint secret.json").stdout;
    ground.ok("set secrets secret.json");
    let other = ground.foreign("other", "--alg HS256");
    ground.serve(&[with(&other, "kid", "secret".into())]);
    let conflict = ground.run("pull idp secrets --private --yes").fails(4);
    secret["kid"] = Value::Null;
    ground.serve(&[secret]);
    let left_out = ground.ok("pull idp tok");
    let asked = ground.run("pull idp tok --private").fails(4);
    for run in [conflict, left_out, asked] {
        assert!(!run.stderr.contains(thumbprint.trim()), "{run:#?}");
    }
}

/// What nobody but the holder of our private key may say of it.
fn claims() -> Vec<(&'static str, Value)> {
    vec![
        ("exp", 1.into()),
        ("nbf", 4_000_000_000_u64.into()),
        ("iat", 4_000_000_000_u64.into()),
        ("alg", "none".into()),
        ("use", "enc".into()),
        ("key_ops", json!(["encrypt"])),
        ("x5c", json!(["AAAA"])),
        ("x5t", "AAAAAAAAAAAAAAAAAAAAAAAAAAA".into()),
        ("revoked", json!({"revoked_at": 1})),
        ("jwks_successor", "evil".into()),
        ("jwks_private", true.into()),
    ]
}

#[test]
fn a_publisher_says_nothing_about_our_key() {
    let ground = Ground::new();
    let before = ground.sandbox.read_set("tok");
    for (name, value) in claims() {
        let claim = with(&public(&ground.ours), name, value);
        let escaped = claim.to_string().replace("\"jwks", "\"\\u006awks");
        for document in [
            json!({"keys": [claim]}).to_string(),
            format!(r#"{{"keys":[{escaped}]}}"#),
        ] {
            ground.idp.serve("/jwks.json", &document);
            for way in WAYS {
                let run = ground.ok(way);
                assert_eq!(ground.sandbox.read_set("tok"), before, "{way}: {name}");
                let errors = ["(x5c-certificate)", "(use-key-ops)"];
                let is_broken = errors.iter().any(|error| run.stderr.contains(error));
                let is_ours = name.starts_with("jwks") || is_broken;
                let is_told = run.stderr.contains(&format!("differs in {name}"));
                assert!(is_ours || is_told, "{way}: {run:#?}");
            }
        }
    }
    // What decides nothing is taken.
    ground.serve(&[with(&public(&ground.ours), "note", 1.into())]);
    ground.ok("pull idp tok");
    assert_eq!(ground.local()[0]["note"], 1);
}

/// A file is given by the user, but a public key in it does not speak for the private one.
#[test]
fn a_public_key_in_a_file_says_nothing_about_our_key() {
    for (name, value) in claims() {
        let ground = Ground::new();
        let claim = with(&public(&ground.ours), name, value.clone());
        ground.sandbox.write("claim.json", claim.to_string());
        ground.ok("set tok claim.json");
        assert_eq!(ground.local()[0], ground.ours, "{name}");
        assert_eq!(ground.in_state("active")[0], "ours", "{name}");
        ground.ok("rotate tok --every 30d");
        assert_eq!(ground.local()[0]["d"], ground.ours["d"], "{name}");
    }
    // The private key itself does.
    let ground = Ground::new();
    let own = with(&ground.ours, "exp", 4_000_000_000_u64.into());
    ground.sandbox.write("own.json", own.to_string());
    ground.ok("set tok own.json");
    assert_eq!(ground.local(), [own]);
}

#[test]
fn members_are_taken_by_name() {
    let ground = Ground::new();
    let exp = 4_000_000_000_u64;
    let claim = with(&public(&ground.ours), "exp", exp.into());
    ground.serve(&[with(&claim, "iat", 1.into())]);
    for way in WAYS {
        ground.ok(&format!("{way} --take exp"));
        let key = &ground.local()[0];
        assert_eq!(
            (&key["exp"], &key["iat"]),
            (&exp.into(), &ground.ours["iat"])
        );
    }
}

/// A broken member would keep our key from signing, whoever asks for it.
#[test]
fn no_broken_member_is_taken_by_name() {
    let ground = Ground::new();
    let before = ground.sandbox.read_set("tok");
    for (name, value) in [("key_ops", json!("verify")), ("exp", json!("x"))] {
        ground.serve(&[with(&public(&ground.ours), name, value)]);
        for way in WAYS {
            let run = ground.ok(&format!("{way} --take {name}"));
            assert_eq!(ground.sandbox.read_set("tok"), before, "{way}");
            assert!(run.stderr.contains("(member-type)"), "{run:#?}");
            assert!(!run.stderr.contains("pass --take"), "{run:#?}");
        }
    }
}

/// What a signer holds is ours to confirm, key by key.
#[test]
fn a_new_private_key_and_a_new_signer_are_asked_for() {
    let site = Site::newest();
    site.ok("create tok --kid ours");
    site.ok("push tok prod --yes");
    let before = site.sandbox.read_set("tok");
    site.ok("create tok --remote prod --kid evil --alg ES256");
    let refused = site.run("pull prod:tok").fails(4);
    for said in [
        "private keys from prod:tok: evil",
        "evil as the active key of sig ES256 in place of ours",
    ] {
        assert!(refused.stderr.contains(said), "{refused:#?}");
    }
    assert_eq!(site.sandbox.read_set("tok"), before);
    // A look at the server takes nothing in either.
    site.ok("rotate tok --every 30d --push prod");
    assert_eq!(site.local("tok").len(), 1);
    site.ok("pull prod:tok --yes");
    assert_eq!(site.local("tok").len(), 2);
}

/// A server that lists our private key for something else makes no entry here.
#[test]
fn our_key_listed_for_another_algorithm_is_a_difference() {
    let ground = Ground::new();
    let before = ground.sandbox.read_set("tok");
    let public = public(&ground.ours);
    ground.serve(&[
        with(&public, "alg", "ES512".into()),
        with(&public, "use", "enc".into()),
    ]);
    for way in WAYS {
        let run = ground.ok(way);
        assert!(run.stderr.contains("(alg-crv)"), "{run:#?}");
        assert_eq!(ground.sandbox.read_set("tok"), before, "{way}");
    }
}

#[test]
fn a_foreign_key_under_our_kid_or_thumbprint_is_a_conflict() {
    for kid in ["ours".to_owned(), Ground::new().thumbprint()] {
        let ground = Ground::new();
        let kid = if kid == "ours" {
            kid
        } else {
            ground.thumbprint()
        };
        let evil = with(
            &public(&ground.foreign("evil", "")),
            "kid",
            kid.as_str().into(),
        );
        ground.serve(std::slice::from_ref(&evil));
        ground.sandbox.write("evil.json", evil.to_string());
        let before = ground.sandbox.read_set("tok");
        for way in [WAYS[0], WAYS[1], "set tok evil.json"] {
            let refused = ground.run(way).fails(4);
            assert!(refused.stderr.contains(&kid), "{refused:#?}");
            ground.ok(&format!("{way} --on-conflict skip"));
            assert_eq!(ground.sandbox.read_set("tok"), before, "{way}");
        }
    }
}

#[test]
fn no_new_key_is_called_like_the_thumbprint_of_another() {
    let ground = Ground::new();
    let name = ground.thumbprint();
    let refused = ground.run(&format!("create tok --kid={name}")).fails(4);
    assert!(
        refused.stderr.contains("the thumbprint of a key"),
        "{refused:#?}"
    );
    assert_eq!(ground.local().len(), 1);
}

/// Such a key may have come another way: then its kid names no key for sure.
#[test]
fn a_name_of_two_keys_is_refused_and_both_are_told() {
    let ground = Ground::new();
    let name = ground.thumbprint();
    let evil = with(&ground.foreign("evil", ""), "kid", name.as_str().into());
    let set = json!({"keys": [evil, ground.ours]}).to_string();
    std::fs::write(ground.sandbox.set_file("tok"), &set).expect("the set");
    for command in [
        "get tok -- NAME",
        "export tok -- NAME",
        "thumbprint tok -- NAME",
        "delete tok --yes --force -- NAME",
        "set tok --kid NAME --exp +30d",
        "rotate tok --every 30d --compromised NAME",
    ] {
        let refused = ground.run(&command.replace("NAME", &name)).fails(4);
        assert!(refused.stderr.contains("2 keys"), "{refused:#?}");
        for told in ["\"ours\"", &format!("{name:?} (thumbprint")] {
            assert!(refused.stderr.contains(told), "{refused:#?}");
        }
    }
    assert_eq!(ground.sandbox.read_set("tok"), set);
    let found = ground.ok("check tok").stdout;
    assert!(found.contains("kid-thumbprint"), "{found}");
}

/// The same key for three algorithms is three entries, wherever it goes.
#[test]
fn entries_of_one_key_stay_several() {
    let ground = Ground::new();
    let key = ground.foreign("k", "--alg RS256");
    let several: Vec<_> = ["RS256", "RS384", "RS512"]
        .map(|alg| with(&key, "alg", alg.into()))
        .to_vec();
    let published: Vec<_> = several.iter().map(public).collect();
    ground.serve(&published);
    ground
        .sandbox
        .write("several.json", json!({ "keys": several }).to_string());
    for (set, command) in [
        ("public", "pull idp public"),
        ("private", "set private several.json"),
        ("address", "set address ADDRESS"),
    ] {
        ground.ok(command);
        let kept = ground.sandbox.read_set(set);
        let keys = ground.ok(&format!("get {set} --private")).json();
        let algs: Vec<_> = keys["keys"].as_array().expect("keys").iter().collect();
        let algs: Vec<_> = algs.iter().map(|key| key["alg"].clone()).collect();
        assert_eq!(algs, ["RS256", "RS384", "RS512"], "{command}");
        ground.ok(command);
        assert_eq!(ground.sandbox.read_set(set), kept, "{command}: again");
        ground.ok(&format!("diff {set} idp --exit-code"));
        let exported = ground.ok(&format!("export {set}")).json();
        assert_eq!(exported["keys"].as_array().expect("keys").len(), 3);
    }
    // One that the publisher takes away goes by itself.
    ground.serve(&published[1..]);
    let differs = ground.ok("diff public idp --json").json();
    assert_eq!(
        (
            differs["identical"].as_array().map(Vec::len),
            kids_in(&differs["only_local"])
        ),
        (Some(2), vec!["k"])
    );
    ground.ok("pull idp public --prune --yes");
    let left = ground.ok("get public").json();
    assert_eq!(left["keys"].as_array().expect("keys").len(), 2);
}

#[test]
fn every_command_agrees_on_who_signs() {
    let ground = Ground::new();
    let newer = with(
        &public(&ground.foreign("newer", "")),
        "iat",
        4_000_000_000_u64.into(),
    );
    let broken = with(&ground.foreign("broken", ""), "x", ground.ours["y"].clone());
    let set = json!({"keys": [ground.ours, newer, broken]}).to_string();
    std::fs::write(ground.sandbox.set_file("tok"), &set).expect("the set");
    assert_eq!(ground.in_state("active"), ["ours"]);
    let active = ground.ok("get tok --state active --set").json();
    assert_eq!(active["keys"][0]["kid"], "ours");
    let sets = ground.ok("list --json").json();
    assert_eq!(kids_in(&sets["sets"][0]["active"]), ["ours"]);
    let refused = ground.run("delete tok ours --yes").fails(4);
    assert!(
        refused.stderr.contains("no active signing key"),
        "{refused:#?}"
    );
    let planned = ground.ok("rotate tok --every 30d --force --dry-run").stderr;
    assert!(
        planned.contains("ours would end") || planned.contains("would stage"),
        "{planned}"
    );
}

/// Who signs at an issuer is not ours to say: its dates alone tell a state.
#[test]
fn an_issuers_keys_have_the_states_of_their_dates() {
    let ground = Ground::new();
    let key = |kid: &str, name: &str, date: u64| {
        with(&public(&ground.foreign(kid, "")), name, date.into())
    };
    ground.serve(&[
        key("old", "iat", 1),
        key("next", "nbf", 4_000_000_000),
        key("gone", "exp", 1),
        key("new", "iat", 2),
    ]);
    ground.ok("pull idp issuer");
    for command in ["list issuer --json", "list idp --remote idp --json"] {
        let listed = ground.ok(command).json();
        let states = listed["keys"].as_array().expect("keys").iter();
        let states: Vec<_> = states.map(|key| key["state"].as_str()).collect();
        assert_eq!(
            states,
            [None, Some("pending"), Some("expired"), None],
            "{command}"
        );
    }
    let none = ground.ok("get issuer --state active");
    assert_eq!(none.json(), json!({"keys": []}));
    assert!(
        none.stderr.contains("no matching keys in set issuer"),
        "{none:#?}"
    );
}
