//! A keystore in object storage: encryption, conditions, ETags, pages.

use crate::servers::s3::{Storage, error};
use crate::site::{Place, Site, kids};
use crate::support::finish;

fn storage(site: &Site) -> &Storage {
    match &site.place {
        Place::S3(storage) => storage,
        _ => unreachable!("a site with S3"),
    }
}

#[test]
fn private_keys_are_encrypted_unless_plaintext_is_allowed() {
    let site = Site::s3();
    site.sandbox.write("pass", "of this set\n");
    let strict = |line: &str| {
        let mut command = site.command();
        finish(
            command
                .env_remove("JWKS_ALLOW_PLAINTEXT")
                .args(line.split(' ')),
        )
    };
    let run = strict("create api --kid first").fails(4);
    assert!(run.stderr.contains("--allow-plaintext"), "{run:#?}");
    assert!(site.text("api").is_none());
    strict("create api --kid first --encrypt --p2c 1000 --passphrase-file pass").ok();
    strict("create api --kid second --passphrase-file pass").ok();
    strict("passwd api --remove --passphrase-file pass").fails(4);
    strict("create other --allow-plaintext").ok();
    let object = storage(&site).object("jwks/api").expect("the object");
    assert_eq!(object.content_type.as_deref(), Some("application/jose"));
    assert_eq!(object.cache_control.as_deref(), Some("no-store"));
    assert_eq!(kids(&site.json("get api")), ["first", "second"]);
}

#[test]
fn storage_without_conditions_is_no_keystore() {
    for set_up in [Storage::without_conditions, Storage::ignore_conditions] {
        let site = Site::s3();
        set_up(storage(&site));
        let run = site.run("create api").fails(4);
        assert!(run.stderr.contains("no conditional writes"), "{run:#?}");
        assert!(site.text("api").is_none());
    }
}

#[test]
fn a_bucket_that_everybody_can_write_is_no_keystore() {
    let site = Site::s3();
    site.ok("create api --kid first");
    let before = site.text("api");
    for permission in ["WRITE", "WRITE_ACP", "FULL_CONTROL"] {
        storage(&site).give_everybody(permission);
        let run = site.run("create api").fails(4);
        assert!(run.stderr.contains("lets everybody write"), "{run:#?}");
    }
    assert_eq!(site.text("api"), before);
    site.ok("get api");
}

#[test]
fn an_answer_without_an_etag_is_refused() {
    let site = Site::s3();
    site.ok("create api --kid first");
    storage(&site).remove_etags();
    let before = site.text("api");
    let run = site.run("create api").fails(6);
    assert!(run.stderr.contains("ETag"), "{run:#?}");
    assert_eq!(site.text("api"), before);
}

#[test]
fn objects_on_several_pages_are_listed() {
    let site = Site::s3();
    for set in ["a", "b", "c", "d", "e"] {
        site.ok(&format!("create {set}"));
    }
    storage(&site).put("jwks/folder/f", "{}");
    storage(&site).put("other/g", "{}");
    site.ok("delete c --yes --force");
    assert_eq!(site.ok("list --format names"), "a\nb\nd\ne\n");
}

/// A list of many sets does not wait for one after the other.
#[test]
fn many_sets_are_read_at_the_same_time() {
    let site = Site::s3();
    site.ok("create first --kid one");
    let text = site.text("first").expect("the set");
    for number in 0..31 {
        storage(&site).put(&format!("jwks/set{number:02}"), &text);
    }
    site.server().answer_together("/keys/jwks/set", 4);
    let listed = site.json("list");
    assert_eq!(listed["sets"].as_array().map(Vec::len), Some(32));
}

/// One of the sets that are read at the same time does not fail the others.
#[test]
fn a_damaged_set_among_many_is_named() {
    let site = Site::s3();
    site.ok("create first --kid one");
    let text = site.text("first").expect("the set");
    storage(&site).put("jwks/second", "{");
    storage(&site).put("jwks/third", &text);
    // As large as what a deleted set leaves.
    storage(&site).put("jwks/fourth", "not a JWK Set...");
    let run = site.run("list").fails(5);
    assert!(run.stderr.contains("2 sets cannot be read"), "{run:#?}");
    assert!(run.stdout.contains("third"), "{run:#?}");
}

/// Hints name variables, because a store has no options.
#[test]
fn every_refusal_has_a_hint_that_can_be_followed() {
    let site = Site::s3();
    for (answer, code, words) in [
        (
            error(301, "PermanentRedirect", "elsewhere").header("x-amz-bucket-region", "eu-west-1"),
            6,
            "set AWS_REGION=eu-west-1",
        ),
        (error(403, "RequestTimeTooSkewed", "too skewed"), 7, "clock"),
        (error(400, "ExpiredToken", "expired"), 7, "have expired"),
        (
            error(403, "InvalidAccessKeyId", "no"),
            7,
            "check the access key",
        ),
        (error(404, "NoSuchBucket", "no"), 6, "create the bucket"),
        (error(403, "AccessDenied", "no"), 7, "s3:ListBucket"),
    ] {
        site.server().answer_next(answer);
        let run = site.run("list --format names").fails(code);
        assert!(run.stderr.contains(words), "{words}: {run:#?}");
        assert!(!run.stderr.contains("--"), "{run:#?}");
    }
}

#[test]
fn refusals_of_the_storage_are_told_apart() {
    let site = Site::s3();
    let mut command = site.command();
    let run = finish(command.env("JWKS_STORE", "s3://nobody/jwks").arg("list")).fails(6);
    assert!(run.stderr.contains("NoSuchBucket"), "{run:#?}");
    storage(&site).deny_listing();
    let run = site.run("get api").fails(7);
    assert!(run.stderr.contains("s3:ListBucket"), "{run:#?}");
    assert!(!run.stderr.contains("canary"), "{run:#?}");
    let mut command = site.command();
    finish(command.env_remove("AWS_ENDPOINT_URL_S3").arg("list")).fails(2);
}
