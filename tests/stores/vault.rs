//! A keystore in Vault: versions, soft deletion, other fields, version 1 of the engine, policies.

use crate::servers::vault::Vault;
use crate::site::{Place, Site, kids};
use crate::support::finish;
use serde_json::json;

fn vault(site: &Site) -> &Vault {
    match &site.place {
        Place::Vault(vault) => vault,
        _ => unreachable!("a site with Vault"),
    }
}

#[test]
fn every_write_has_its_condition() {
    let site = Site::vault();
    site.ok("create api --kid first");
    site.ok("create api --kid second");
    let calls = vault(&site).server.calls();
    let writes: Vec<_> = calls.iter().filter(|call| call.method == "POST").collect();
    let conditions: Vec<_> = writes
        .iter()
        .map(|call| {
            let body: serde_json::Value = serde_json::from_str(&call.body).expect("JSON");
            body["options"]["cas"].as_u64()
        })
        .collect();
    assert_eq!(conditions, [Some(0), Some(1)]);
}

#[test]
fn fields_beside_the_set_are_kept() {
    let site = Site::vault();
    site.ok("create api --kid first");
    let text = site.text("api").expect("the set");
    vault(&site).put(
        "secret/jwks/api",
        json!({ "jwks": text, "owner": "team a", "n": 7 }),
    );
    site.ok("create api --kid second");
    let versions = vault(&site).versions("secret/jwks/api");
    let last = versions.last().cloned().flatten().expect("data");
    assert_eq!((&last["owner"], &last["n"]), (&json!("team a"), &json!(7)));
    assert_eq!(kids(&site.json("get api")), ["first", "second"]);
    // A deletion leaves them, too, and the secret is no set any more.
    site.ok("delete api --yes --force");
    assert_eq!(site.ok("list --format names"), "");
    let versions = vault(&site).versions("secret/jwks/api");
    assert_eq!(
        versions.last().cloned().flatten().expect("data")["owner"],
        "team a"
    );
}

#[test]
fn a_soft_deleted_secret_can_be_a_set_again() {
    let site = Site::vault();
    site.ok("create api --kid first");
    vault(&site).soft_delete("secret/jwks/api");
    site.run("get api").fails(3);
    assert_eq!(site.ok("list --format names"), "");
    site.ok("create api --kid second");
    assert_eq!(kids(&site.json("get api")), ["second"]);
}

#[test]
fn a_set_that_was_put_there_as_an_object_is_read() {
    let site = Site::vault();
    site.ok("create api --kid first");
    let text = site.text("api").expect("the set");
    let object: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    vault(&site).put("secret/jwks/api", json!({ "jwks": object }));
    site.ok("create api --kid second");
    assert_eq!(kids(&site.json("get api")), ["first", "second"]);
    vault(&site).put("secret/jwks/api", json!({ "jwks": 7 }));
    site.run("get api").fails(5);
}

/// A standby that lags behind gives an old version. The condition of the write then fails, and the set is read
/// again.
#[test]
fn a_stale_read_loses_nothing() {
    let site = Site::vault();
    for kid in ["first", "second"] {
        site.ok(&format!("create api --kid {kid}"));
    }
    vault(&site).lag_behind(4);
    site.ok("create api --kid third");
    vault(&site).lag_behind(0);
    assert_eq!(kids(&site.json("get api")), ["first", "second", "third"]);
}

#[test]
fn version_1_is_refused_before_anything_is_written() {
    let site = Site::vault();
    for command in ["list", "get api", "create api"] {
        let mut run = site.command();
        run.env("JWKS_STORE", "vault:old/jwks")
            .args(command.split(' '));
        let run = finish(&mut run).fails(4);
        assert!(run.stderr.contains("version 1"), "{run:#?}");
        assert!(run.stderr.contains("kv-v2"), "{run:#?}");
    }
    assert_eq!(site.writes(), 0);
}

#[test]
fn a_mount_can_have_several_segments() {
    let site = Site::vault();
    for store in ["vault:kv/team", "vault:kv/team/jwks"] {
        let mut run = site.command();
        finish(run.env("JWKS_STORE", store).args(["create", "api"])).ok();
    }
    assert!(vault(&site).set("kv/team/api").is_some());
    assert!(vault(&site).set("kv/team/jwks/api").is_some());
    let mut run = site.command();
    let names = finish(
        run.env("JWKS_STORE", "vault:kv/team")
            .args(["list", "--format", "names"]),
    );
    assert_eq!(names.ok().stdout, "api\n");
    let mut run = site.command();
    finish(run.env("JWKS_STORE", "vault:nothing/here").arg("list")).fails(7);
}

#[test]
fn refusals_of_the_server_are_told_apart() {
    let site = Site::vault();
    site.ok("create api");
    let mut run = site.command();
    let run = finish(run.env("VAULT_TOKEN", "hvs.expired").arg("list")).fails(7);
    assert!(run.stderr.contains("permission denied"), "{run:#?}");
    assert!(!run.stderr.contains("hvs.expired"), "{run:#?}");
    vault(&site).forbid("metadata/");
    site.run("list").fails(7);
    site.ok("get api");
    vault(&site).seal();
    let run = site.run("get api").fails(6);
    assert!(run.stderr.contains("operator unseal"), "{run:#?}");
}

#[test]
fn the_token_comes_from_where_vaults_own_tools_take_it() {
    let site = Site::vault();
    let mut without = site.command();
    let run = finish(without.env_remove("VAULT_TOKEN").arg("list")).fails(7);
    assert!(run.stderr.contains("vault login"), "{run:#?}");
    site.sandbox
        .write(".vault-token", crate::servers::vault::TOKEN);
    let mut with_file = site.command();
    finish(with_file.env_remove("VAULT_TOKEN").args(["create", "api"])).ok();
    let mut bao = site.command();
    bao.env_remove("VAULT_TOKEN").env_remove("VAULT_ADDR");
    bao.env("BAO_ADDR", site.address())
        .env("BAO_TOKEN", crate::servers::vault::TOKEN);
    finish(bao.env("VAULT_NAMESPACE", "team").args(["get", "api"])).ok();
    let calls = vault(&site).server.calls();
    let last = calls.last().expect("a call");
    assert_eq!(last.header("X-Vault-Namespace"), Some("team"));
}

/// Earlier versions of a secret stay readable on the server, so a command that protects a set says so.
#[test]
fn earlier_versions_are_named_when_a_set_is_encrypted_or_deleted() {
    let site = Site::vault();
    site.sandbox.write("pass", "of this set\n");
    site.ok("create api");
    let run = site
        .run("passwd api --passphrase-file pass --p2c 1000")
        .ok();
    assert!(run.stderr.contains("vault kv destroy"), "{run:#?}");
    let run = site.run("delete api --yes --force --purge").ok();
    assert!(run.stderr.contains("vault kv destroy"), "{run:#?}");
}

#[test]
fn many_secrets_are_read_at_the_same_time() {
    let site = Site::vault();
    site.ok("create first --kid one");
    let text = site.text("first").expect("the set");
    for number in 0..31 {
        let path = format!("secret/jwks/set{number:02}");
        vault(&site).put(&path, json!({ "jwks": text }));
    }
    site.server().answer_together("/v1/secret/data/jwks/set", 4);
    let listed = site.json("list");
    assert_eq!(listed["sets"].as_array().map(Vec::len), Some(32));
}

/// A server can repeat what it was sent, the fields of others included.
#[test]
fn what_others_keep_beside_the_set_is_not_said() {
    let site = Site::vault();
    site.ok("create api --kid first");
    let text = site.text("api").expect("the set");
    let data = json!({ "jwks": text, "a": "canary-of-a-team", "n": 1.0 });
    vault(&site).put("secret/jwks/api", data);
    site.repeat_writes();
    let run = site.run("create api --kid second -v").fails(6);
    assert!(!run.stderr.contains("canary"), "{run:#?}");
}

#[test]
fn a_secret_that_is_no_set_hides_no_other_set() {
    let site = Site::vault();
    site.ok("create api --kid first");
    vault(&site).put("secret/jwks/odd", json!({ "jwks": 7 }));
    assert_eq!(site.ok("list --format names"), "api\nodd\n");
    let run = site.run("list").fails(5);
    assert!(run.stdout.contains("api"), "{run:#?}");
    assert!(run.stderr.contains("odd"), "{run:#?}");
}

/// A file that is named and missing is an error of its own, not a missing token.
#[test]
fn a_token_file_that_is_not_there_is_named() {
    let site = Site::vault();
    let mut command = site.command();
    command
        .env_remove("VAULT_TOKEN")
        .env("JWKS_STORE_TOKEN_FILE", "nowhere");
    let run = finish(command.arg("list")).fails(7);
    assert!(run.stderr.contains("no file nowhere"), "{run:#?}");
}
