//! Ways in which people lose keys, and what stands in each one's way.

use crate::support::{Run, Sandbox};
use serde_json::Value;
use std::fs;

fn keys(sandbox: &Sandbox, set: &str) -> Vec<Value> {
    let set = sandbox.json(["get", set, "--private"]);
    set["keys"].as_array().expect("keys").clone()
}

fn key(sandbox: &Sandbox, set: &str, kid: &str) -> Value {
    sandbox.json(["get", set, kid, "--private"])
}

/// `jwks delete api $(something that printed nothing) --yes` names no key, and so the set.
#[test]
fn an_empty_list_of_kids_deletes_no_signer() {
    let sandbox = Sandbox::new();
    sandbox.ok(["create", "api"]);
    let line = "jwks delete api $(jwks list api --format names --state expired) --yes";
    assert!(sandbox.shell(line).fails(4).stderr.contains("--force"));
    assert_eq!(keys(&sandbox, "api").len(), 1);
    sandbox.ok(["delete", "api", "--yes", "--force"]);
    assert!(!sandbox.set_file("api").exists());
}

/// A second run of the same deletion finds nothing, and no other key that begins alike.
#[test]
fn a_change_names_its_key_in_full() {
    let sandbox = Sandbox::new();
    for kid in ["other", "backend", "backend-2"] {
        sandbox.ok(["create", "api", "--kid", kid]);
    }
    let delete = ["delete", "api", "backend", "--yes"];
    assert!(sandbox.run(delete).ok().stderr.contains(": backend\n"));
    sandbox.run(delete).fails(3);
    sandbox
        .run(["set", "api", "--kid", "back", "--exp", "+1d"])
        .fails(3);
    assert_eq!(keys(&sandbox, "api").len(), 2);
}

/// A kid that is a thumbprint names its key, and not the same key under another kid.
#[test]
fn an_alias_survives_its_twin() {
    let sandbox = Sandbox::new();
    let kid = sandbox.ok(["create", "api", "-q"]).trim().to_owned();
    let mut alias = key(&sandbox, "api", &kid);
    alias["kid"] = "alias".into();
    let file = sandbox.write("alias.json", alias.to_string());
    let run = sandbox.run(["set", "api", &file]).ok();
    assert!(
        run.stderr.contains("also in set api under another kid"),
        "{run:#?}"
    );
    sandbox.ok(["delete", "api", &kid, "--yes"]);
    assert_eq!(keys(&sandbox, "api"), [alias]);
}

/// Only a valid private key can sign: the last one is kept, whatever else is called active.
#[test]
fn public_and_invalid_keys_are_no_signers() {
    let sandbox = Sandbox::new();
    sandbox.ok(["create", "api", "--kid", "signer"]);
    sandbox.ok(["create", "other", "--kid", "public", "--alg", "RS256"]);
    sandbox.shell("jwks get other | jwks set api -").ok();
    let bad =
        r#"{"kty":"RSA","kid":"bad","use":"sig","alg":"PS256","n":"AQAB","e":"AQAB","d":"AQAB"}"#;
    let file = sandbox.write("bad.json", bad);
    sandbox.ok(["set", "api", &file, "--allow-invalid"]);
    sandbox.run(["delete", "api", "signer", "--yes"]).fails(4);
    sandbox.ok(["delete", "api", "public", "bad", "--yes"]);
}

fn with_another_d(sandbox: &Sandbox) -> String {
    let mut bad = key(sandbox, "api", "good");
    bad["d"] = key(sandbox, "other", "other")["d"].clone();
    sandbox.write("bad.json", bad.to_string())
}

/// The same public key with another private part is no update.
#[test]
fn a_private_part_is_not_overwritten() {
    let sandbox = Sandbox::new();
    sandbox.ok(["create", "api", "--kid", "good"]);
    sandbox.ok(["create", "other", "--kid", "other"]);
    let before = sandbox.read_set("api");
    let bad = with_another_d(&sandbox);
    for more in [
        &["--allow-invalid"][..],
        &["--allow-invalid", "--yes", "--on-conflict", "replace"],
    ] {
        let mut arguments = vec!["set", "api", &bad];
        arguments.extend(more);
        let run = sandbox.run(arguments).fails(4);
        assert!(run.stderr.contains("another private part"), "{run:#?}");
    }
    sandbox
        .run(["set", "api", &bad, "--allow-invalid", "--replace"])
        .fails(4);
    assert_eq!(sandbox.read_set("api"), before);
}

#[test]
fn a_replacement_by_the_same_keys_changes_nothing() {
    let sandbox = Sandbox::new();
    sandbox.ok(["create", "api", "--kid", "a"]);
    for form in ["--private", "--public"] {
        let source = sandbox.ok(["get", "api", "--private"]);
        sandbox.write("same.json", source);
        if form == "--public" {
            let source = sandbox.ok(["get", "api"]);
            sandbox.ok(["delete", "api", "--yes", "--force"]);
            sandbox.write("same.json", source);
            sandbox.ok(["set", "api", "same.json"]);
        }
        let run = sandbox.run(["set", "api", "same.json", "--replace"]).ok();
        assert!(run.stderr.contains("set api: 1 unchanged"), "{run:#?}");
    }
}

/// What a replacement throws out is asked for, and said.
#[test]
fn a_replacement_says_what_goes() {
    let sandbox = Sandbox::new();
    sandbox.ok(["create", "api", "--kid", "mine"]);
    sandbox.ok(["create", "other", "--kid", "mine"]);
    sandbox
        .shell("jwks get other --private > rival.json; jwks get api > public.json")
        .ok();
    let before = sandbox.read_set("api");
    let removed = |run: Run| run.ok().json()["removed"][0]["kid"] == "mine";
    for (replacement, consent) in [
        ("rival.json --on-conflict replace", "--yes"),
        ("rival.json --replace", "--yes"),
        ("public.json --replace", "--yes --force"),
    ] {
        let line = format!("set api {replacement}");
        sandbox.run(line.split(' ')).fails(4);
        assert_eq!(sandbox.read_set("api"), before, "{line}");
        let line = format!("{line} {consent} --json");
        assert!(removed(sandbox.run(line.split(' '))));
        fs::write(sandbox.set_file("api"), &before).expect("the old set");
    }
}

/// Two keys of the input cannot both take the place of one.
#[test]
fn a_replacement_loses_no_key_of_the_input() {
    let sandbox = Sandbox::new();
    for set in ["api", "one", "two"] {
        sandbox.ok(["create", set, "--kid", "mine"]);
    }
    sandbox
        .shell("jwks get one --private > one.json; jwks get two --private > two.json")
        .ok();
    let before = sandbox.read_set("api");
    let replace = [
        "set",
        "api",
        "one.json",
        "two.json",
        "--on-conflict",
        "replace",
        "--yes",
    ];
    sandbox.run(replace).fails(4);
    assert_eq!(sandbox.read_set("api"), before);
}

/// A backup is the whole set: expired keys, odd ones, and the set's own members.
#[test]
fn a_private_export_is_a_whole_backup() {
    let sandbox = Sandbox::new();
    let set = r#"{"x-owner":"ops","keys":[{"kty":"oct","k":"AAAA","kid":"old","exp":1},{"kty":"new"},[1]]}"#;
    sandbox.write("store/api.json", set);
    sandbox.ok(["export", "api", "--private", "-o", "backup.json"]);
    fs::remove_file(sandbox.set_file("api")).expect("the set");
    sandbox.ok(["set", "api", "backup.json", "--allow-invalid"]);
    let compact = |json: &str| json.replace([' ', '\n'], "");
    let restored = compact(&sandbox.read_set("api"));
    assert!(restored.contains(r#""x-owner":"ops""#), "{restored}");
    for key in [
        r#"{"kty":"oct","k":"AAAA","kid":"old","exp":1}"#,
        r#"{"kty":"new"}"#,
        "[1]",
    ] {
        assert!(restored.contains(key), "{restored}");
    }
}

/// A public export overwrites what it can tell to be an earlier one.
#[test]
fn a_public_export_overwrites_public_keys_only() {
    let sandbox = Sandbox::new();
    sandbox.ok(["create", "api"]);
    sandbox
        .shell(
            "jwks get api --private > private.json; jwks export api --to pem --private > key.pem",
        )
        .ok();
    sandbox.write("notes.txt", "not a key");
    // Public keys, but nobody's export: who may come in, and settings of which a set is one.
    let line = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAINdamAGCsQq31Uv+08lkBzoO4XLz2qYjJa8CGmj3B1Ea";
    sandbox.write("authorized_keys", line);
    sandbox.ok(["thumbprint", "./authorized_keys"]);
    let set = sandbox.ok(["get", "api"]).replace('\n', "");
    let head = "apiVersion: v1\nkind: ConfigMap\ndata:\n  color: blue\n";
    sandbox.write("config.yaml", format!("{head}  jwks.json: '{set}'\n"));
    sandbox.ok(["thumbprint", "./config.yaml"]);
    sandbox.write("secret.bin", [0x30, 0x82, 0xff, 0x00]);
    for file in [
        "private.json",
        "key.pem",
        "notes.txt",
        "secret.bin",
        "authorized_keys",
        "config.yaml",
    ] {
        let before = fs::read(sandbox.path().join(file)).expect("a file");
        sandbox.run(["export", "api", "-o", file]).fails(4);
        assert_eq!(
            fs::read(sandbox.path().join(file)).expect("a file"),
            before,
            "{file}"
        );
        sandbox.ok(["export", "api", "-o", file, "--force"]);
        sandbox.ok(["export", "api", "-o", file]);
    }
}

/// The keystore is no place for exports.
#[test]
fn an_export_does_not_go_into_the_keystore() {
    let sandbox = Sandbox::new();
    sandbox.ok(["create", "api"]);
    let before = sandbox.read_set("api");
    for file in ["store/api.json", "store/new.json"] {
        for more in [&["--force"][..], &["--force", "--private"]] {
            let mut arguments = vec!["export", "api", "-o", file];
            arguments.extend(more);
            sandbox.run(arguments).fails(4);
        }
    }
    assert_eq!(sandbox.read_set("api"), before);
    assert_eq!(sandbox.store_entries(), [".lock", "api.json"]);
}

/// What has expired is not published, and a set of nothing else is not published as empty.
#[test]
fn an_export_of_expired_keys_alone_is_refused() {
    let sandbox = Sandbox::new();
    let key = r#"{"kty":"OKP","crv":"Ed25519","kid":"old","exp":1,"x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;
    sandbox.write("store/api.json", format!("{{\"keys\":[{key}]}}"));
    let run = sandbox.run(["export", "api"]).fails(4);
    assert!(run.stderr.contains("1 expired"), "{run:#?}");
}

/// The keys of another set come alone; its members stay where they are.
#[test]
fn one_key_brings_no_members_of_its_set() {
    let sandbox = Sandbox::new();
    sandbox.ok(["create", "other", "--kid", "one"]);
    let mut set = sandbox.json(["get", "other", "--private"]);
    set["issuer"] = "https://example.org".into();
    let file = sandbox.write("set.json", set.to_string());
    sandbox.ok(["set", "api", &file, "--kid", "one"]);
    assert!(!sandbox.read_set("api").contains("issuer"));
    sandbox.ok(["set", "all", &file]);
    assert!(sandbox.read_set("all").contains("issuer"));
}

/// A public key is none of ours, whatever it says of itself and however new it is.
#[test]
fn a_public_key_takes_the_place_of_no_private_one() {
    let sandbox = Sandbox::new();
    sandbox.ok(["create", "aside", "--kid", "theirs"]);
    let theirs = sandbox.ok(["get", "aside", "theirs"]);
    for marker in ["jwks_private", "jwks\\u005fprivate"] {
        let now = "2026-01-01";
        let kid = marker.replace('\\', "");
        sandbox.ok(["create", &kid, "--kid", "mine", "--now", now]);
        let iat = 1_769_904_000; // a month later
        let forged = theirs.replacen('{', &format!("{{\"{marker}\":true,\"iat\":{iat},"), 1);
        let forged = forged.replacen("\"iat\": ", "\"was\": ", 1);
        sandbox.write("forged.json", forged);
        sandbox.ok(["set", &kid, "forged.json"]);
        let rows = sandbox.json(["list", &kid, "--json"])["keys"].clone();
        assert_eq!(rows[1]["private"], false, "{rows}");
        // Our key goes on, and is followed by one of ours.
        for now in ["2026-02-02", "2026-02-04", "2026-02-06"] {
            sandbox.ok(["rotate", &kid, "--every", "30d", "--now", now]);
        }
        let rows = sandbox.json(["list", &kid, "--json", "--now", "2026-02-06"]);
        let rows = rows["keys"].as_array().expect("rows").clone();
        let signs = |row: &&serde_json::Value| row["private"] == true && row["state"] == "active";
        assert_eq!(rows.iter().filter(signs).count(), 1, "{rows:#?}");
    }
    // The guard on the last signing key sees through it.
    sandbox.ok(["create", "api", "--kid", "mine", "--now", "2026-01-01"]);
    sandbox.write("theirs.json", theirs);
    sandbox.ok(["set", "api", "theirs.json"]);
    for delete in [
        &["delete", "api", "mine", "--yes"][..],
        &["delete", "api", "--yes"],
    ] {
        let run = sandbox.run(delete).fails(4);
        assert!(run.stderr.contains("no active signing key"), "{run:#?}");
    }
}

/// The name that an export has until it is complete is nobody else's.
#[test]
fn an_export_sweeps_nothing_that_was_exported() {
    let sandbox = Sandbox::new();
    sandbox.ok(["create", "api"]);
    sandbox.ok(["export", "api", "--private", "-o", ".foo.jwks"]);
    sandbox.ok(["export", "api", "-o", "foo"]);
    assert!(sandbox.path().join(".foo.jwks").exists());
    let run = sandbox.run(["export", "api", "--private", "-o", ".foo.jwks-unfinished"]);
    assert!(run.fails(2).stderr.contains("choose another name"));
}
