//! A web server that takes PUT: what is published there, under which condition, and what goes wrong.

use crate::servers::Answer;
use crate::servers::dav::{Dav, Etags};
use crate::support::{JWKS, Run, Sandbox, finish, kids_in};

const PATH: &str = "/jwks.json";

/// A web server, and a sandbox with a set `api` that knows the server as `web`.
struct Site {
    dav: Dav,
    sandbox: Sandbox,
}

impl Site {
    fn start() -> Site {
        let site = Site {
            dav: Dav::start(),
            sandbox: Sandbox::new(),
        };
        site.run("create api --kid one --now 2026-01-05").ok();
        site.add("");
        site
    }

    fn add(&self, options: &str) {
        let url = self.dav.url(PATH);
        let line = format!("remote add web --force --kind http-put --url {url} {options}");
        self.run(line.trim_end()).ok();
    }

    fn run(&self, line: &str) -> Run {
        self.sandbox.run(line.split(' '))
    }

    #[track_caller]
    fn fails(&self, code: i32, line: &str, words: &str) -> Run {
        let run = self.run(line).fails(code);
        assert!(run.stderr.contains(words), "{line}: {run:#?}");
        run
    }

    fn published(&self) -> String {
        self.dav.document(PATH).expect("the document")
    }

    /// Returns another set with one key of this kid, as somebody else publishes it.
    fn of_another(&self, kid: &str) -> String {
        self.run(&format!("create {kid} --kid {kid}")).ok();
        self.run(&format!("export {kid}")).ok().stdout
    }
}

#[test]
fn the_bytes_of_an_export_are_published() {
    let site = Site::start();
    site.run("create api --kid later --nbf 2100-01-01").ok();
    site.run("create api --kid shared --alg HS256").ok();
    site.fails(4, "push api web", "not confirmed");
    assert_eq!(site.dav.document(PATH), None);
    let dry = site.run("push api web --dry-run").ok();
    assert!(
        dry.stderr.contains("one (ES256): new, public only"),
        "{dry:#?}"
    );
    assert!(dry.stderr.contains("shared: not sent"), "{dry:#?}");
    assert_eq!(site.dav.document(PATH), None);
    let pushed = site.run("push api web --yes --json").ok().json();
    assert_eq!(pushed["changed"], true);
    assert_eq!(site.published(), site.run("export api").ok().stdout);
    assert_eq!(site.dav.writes(), ["PUT /jwks.json if absent"]);
    let calls = site.dav.server.calls();
    let put = calls
        .iter()
        .find(|call| call.method == "PUT")
        .expect("a write");
    assert_eq!(put.header("Content-Type"), Some("application/jwk-set+json"));
    assert_eq!(put.header("Cache-Control"), Some("public, max-age=3600"));
    assert!(
        !put.body.contains("\"d\"") && !put.body.contains("\"k\""),
        "{put:?}"
    );
    let again = site.run("push api web --yes --json").ok().json();
    assert_eq!(again["changed"], false);
    assert_eq!(site.dav.writes().len(), 1, "nothing is sent twice");
}

#[test]
fn every_command_reads_the_document() {
    let site = Site::start();
    let none = site.run("remote test web").ok();
    assert!(none.stdout.contains("no document yet"), "{none:#?}");
    site.fails(8, "diff api web --exit-code", "differs");
    site.run("push api web --yes").ok();
    site.run("diff api web --exit-code").ok();
    site.run("check web").ok();
    let rows = site.run("list jwks --remote web --json").ok().json();
    assert_eq!(kids_in(&rows["keys"]), ["one"]);
    site.run("get --remote web").ok();
    site.run("pull web copy").ok();
    assert_eq!(site.run("export copy").ok().stdout, site.published());
    let test = site.run("remote test web").ok();
    assert!(test.stdout.contains("a JWK Set; keys: 1"), "{test:#?}");
    assert!(
        test.stdout.contains("not tested; pass --probe"),
        "{test:#?}"
    );
    let show = site.run("remote show web").ok();
    assert!(show.stdout.contains("publish sets"), "{show:#?}");
    for line in [
        "create jwks --remote web",
        "delete jwks --remote web --yes --force",
        "delete jwks one --remote web --yes",
        "set jwks own.json --remote web --yes",
        "set jwks own.json --replace --remote web --yes",
    ] {
        site.fails(2, line, "http-put cannot");
    }
}

#[test]
fn private_parts_are_published_only_on_demand() {
    let site = Site::start();
    site.run("create api --kid shared --alg HS256").ok();
    let named = site.run("push api web --kid shared --yes").fails(4);
    assert!(
        named.stderr.contains("only with --private-all"),
        "{named:#?}"
    );
    assert_eq!(site.dav.document(PATH), None);
    site.run("push api web --private-all --yes").ok();
    assert!(site.published().contains("\"d\""));
    let diff = site.run("diff api web").ok();
    assert!(diff.stderr.contains("private part"), "{diff:#?}");
    site.run("push api web --yes").ok();
    assert!(!site.published().contains("\"d\""));
    site.run("push api web --private-all --kid shared --yes")
        .ok();
    assert!(site.published().contains("\"k\""));
    site.fails(4, "push api web --yes", "shared");
    site.run("push api web --prune --yes").ok();
    assert_eq!(site.published(), site.run("export api").ok().stdout);
}

/// A private key that somebody else has published is not sent again.
#[test]
fn a_private_key_of_others_is_not_published_again() {
    let site = Site::start();
    site.run("create other --kid other").ok();
    let private = site.run("get other --private").ok().stdout;
    site.dav.put(PATH, &private);
    site.fails(4, "push api web --yes", "which a push does not send");
    assert_eq!(site.published(), private);
    site.run("push api web --prune --yes").ok();
    assert_eq!(site.published(), site.run("export api").ok().stdout);
}

#[test]
fn keys_of_others_stay_unless_pruned() {
    let site = Site::start();
    let other = site.of_another("other");
    site.dav.put(PATH, &other);
    site.run("push api web --yes").ok();
    let set = site.run("get --remote web").ok().json();
    assert_eq!(kids_in(&set["keys"]), ["one", "other"]);
    assert_eq!(site.dav.writes(), ["PUT /jwks.json if unchanged"]);
    site.run("push api web --prune --yes").ok();
    assert_eq!(site.published(), site.run("export api").ok().stdout);
}

/// Another form of the same keys is not what an export writes.
#[test]
fn another_text_of_the_same_keys_is_replaced() {
    let site = Site::start();
    let compact = site.run("export api").ok().json().to_string();
    site.dav.put(PATH, &compact);
    let planned = site.run("push api web --dry-run").ok();
    assert!(planned.stderr.contains("changes its text"), "{planned:#?}");
    let pushed = site.run("push api web --yes --json").ok();
    assert_eq!(pushed.json()["changed"], true);
    assert_eq!(site.published(), site.run("export api").ok().stdout);
}

pub fn a_lost_race_is_planned_again() {
    let site = Site::start();
    let other = site.of_another("other");
    site.dav.put_before_next_write(PATH, &other);
    let pushed = site.run("push api web --yes").ok();
    assert!(pushed.stderr.contains("planning again"), "{pushed:#?}");
    let set = site.run("get --remote web").ok().json();
    assert_eq!(kids_in(&set["keys"]), ["one", "other"]);
    assert_eq!(
        site.dav.writes(),
        ["PUT /jwks.json if absent", "PUT /jwks.json if unchanged"]
    );
}

pub fn a_race_that_is_always_lost_ends_after_five_tries() {
    let site = Site::start();
    let other = site.of_another("other");
    for _ in 0..20 {
        site.dav.put_before_next_write(PATH, &other);
    }
    site.fails(6, "push api web --yes", "412");
    assert_eq!(site.dav.writes().len(), 5);
    assert_eq!(site.published(), other);
}

/// A gateway can answer a write with an error although it was done; the repeated write then finds its own
/// result.
pub fn an_answer_that_is_lost_is_no_conflict() {
    let site = Site::start();
    site.dav.lie_about_next_write(502);
    site.run("push api web --yes").ok();
    assert_eq!(site.published(), site.run("export api").ok().stdout);
}

#[test]
fn a_probe_finds_out_whether_conditions_count() {
    let site = Site::start();
    site.fails(4, "remote test web --probe", "no document yet");
    site.run("push api web --yes").ok();
    let before = site.published();
    let test = site.run("remote test web --probe --json").ok().json();
    assert_eq!(test["honors_conditions"], true);
    site.dav.ignore_conditions();
    let test = site.run("remote test web --probe").ok();
    assert!(test.stdout.contains("ignored"), "{test:#?}");
    assert_eq!(site.published(), before);
}

/// Without a version there is no condition, and that is said.
#[test]
fn a_proxy_can_strip_the_etags() {
    for etags in [Etags::None, Etags::Weak] {
        let site = Site::start();
        site.dav.send_etags(etags);
        site.run("push api web --yes").ok();
        site.run("create api --kid two").ok();
        let pushed = site.run("push api web --yes").ok();
        assert!(pushed.stderr.contains("tells no version"), "{pushed:#?}");
        assert_eq!(site.dav.writes()[1], "PUT /jwks.json");
        let test = site.run("remote test web").ok();
        assert!(test.stdout.contains("tells no version"), "{test:#?}");
        let probed = site.run("remote test web --probe --json").ok().json();
        assert_eq!(probed["honors_conditions"], false);
    }
}

/// A server that says yes and stores something else is found out.
#[test]
fn what_was_written_is_read_back() {
    let site = Site::start();
    site.dav.server.answer_next(Answer::empty(404));
    site.dav.server.answer_next(Answer::empty(404));
    site.dav.server.answer_next(Answer::empty(201));
    site.fails(6, "push api web --yes", "differs from what was sent");
}

pub fn every_refusal_has_its_reason() {
    for (status, code, words) in [
        (401, 7, "answered 401"),
        (403, 7, "answered 403"),
        (405, 6, "takes no PUT"),
        (501, 6, "takes no PUT"),
        (409, 6, "directory"),
        (423, 6, "locked"),
        (507, 6, "no space"),
        (413, 6, "answered 413"),
        (301, 6, "writes are not redirected"),
        (307, 6, "writes are not redirected"),
    ] {
        let site = Site::start();
        for _ in 0..2 {
            site.dav.server.answer_next(Answer::empty(404));
        }
        let refusal = Answer::html(status, "<html>no</html>");
        let elsewhere = "http://127.0.0.1:9/elsewhere";
        site.dav
            .server
            .answer_next(refusal.header("Location", elsewhere));
        site.fails(code, "push api web --yes", words);
        assert_eq!(site.dav.document(PATH), None, "{status}");
    }
}

#[test]
fn a_missing_directory_is_no_race() {
    let site = Site::start();
    let url = site.dav.url("/missing/jwks.json");
    site.run(&format!("remote add far --kind http-put --url {url}"))
        .ok();
    let failed = site.fails(6, "push api far --yes", "answered 409");
    assert!(!failed.stderr.contains("planning again"), "{failed:#?}");
}

/// Only a JWK Set is replaced.
#[test]
fn another_document_is_not_replaced() {
    let site = Site::start();
    for text in ["<html></html>", "{}", "", "{\"keys\":"] {
        site.dav.put(PATH, text);
        site.fails(6, "push api web --yes", "jwks replaces only a JWK Set");
        assert_eq!(site.published(), text);
    }
}

#[test]
fn the_lifetime_of_caches_follows_the_publish_delay() {
    let site = Site::start();
    let header = |site: &Site| {
        let calls = site.dav.server.calls();
        let put = calls.iter().rfind(|call| call.method == "PUT");
        put.and_then(|put| put.header("Cache-Control").map(str::to_owned))
    };
    site.run("rotate api --every 30d --publish-delay 10m --save")
        .ok();
    site.run("push api web --yes").ok();
    assert_eq!(header(&site).as_deref(), Some("public, max-age=600"));
    site.dav.cache_control("max-age=86400");
    let warned = site.run("push api web --yes").ok();
    assert!(
        warned
            .stderr
            .contains("for 1d, which is longer than the publish delay (10m)"),
        "{warned:#?}"
    );
    site.run("create api --kid two").ok();
    let line = "remote add web --force --kind http-put --cache-control";
    let mut words: Vec<String> = line.split(' ').map(str::to_owned).collect();
    words.extend([
        "public, max-age=60".into(),
        "--url".into(),
        site.dav.url(PATH),
    ]);
    site.sandbox.ok(words.clone());
    site.run("push api web --yes").ok();
    assert_eq!(header(&site).as_deref(), Some("public, max-age=60"));
    for bad in ["public", "max-age=x", "max-age=1\r\nX: y", ""] {
        words[7] = bad.to_owned();
        site.sandbox.run(words.clone()).fails(2);
    }
}

#[test]
fn a_rotation_publishes_keys_before_they_sign() {
    let site = Site::start();
    let rotate = "rotate api --every 30d --publish-delay 1h --retire-after 24h --push web --now";
    let kids = || {
        let text = site.published();
        let set: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        kids_in(&set["keys"]).len()
    };
    site.run(&format!("{rotate} 2026-01-05")).ok();
    assert_eq!(kids(), 1);
    let staged = site.run(&format!("{rotate} 2026-02-03T22:30:00Z")).ok();
    assert!(staged.stderr.contains("web:jwks has"), "{staged:#?}");
    assert_eq!(kids(), 2);
    assert!(!site.published().contains("\"d\""));
    site.run(&format!("{rotate} 2026-02-06")).ok();
    assert_eq!(kids(), 1);
    let writes = site.dav.writes().len();
    site.run(&format!("{rotate} 2026-02-06")).ok();
    assert_eq!(site.dav.writes().len(), writes, "nothing is sent twice");
}

#[test]
fn a_token_is_sent_and_never_shown() {
    const TOKEN: &str = "canary-token-of-the-web-server";
    let site = Site::start();
    site.dav.require_bearer(TOKEN);
    site.add("--token-env DAV_TOKEN");
    let push = || {
        let mut command = site.sandbox.command(JWKS);
        command.args(["push", "api", "web", "--yes", "-v"]);
        command
    };
    finish(push().env("DAV_TOKEN", TOKEN)).ok();
    let refused = finish(push().env("DAV_TOKEN", "canary-of-nobody")).fails(7);
    assert!(!refused.stderr.contains("canary"), "{refused:#?}");
}

/// Keys of kinds that jwks does not know are published as they are, and their white space is no difference.
#[test]
fn keys_of_unknown_kinds_stay_as_they_are() {
    let site = Site::start();
    let foreign = r#"{"keys":[{"kty":"X-New","kid":"odd","n":1.0}]}"#;
    site.dav.put(PATH, foreign);
    site.run("push api web --yes").ok();
    assert!(site.published().contains("1.0"), "{}", site.published());
    let again = site.run("push api web --yes --json").ok().json();
    assert_eq!(again["changed"], false);
    assert!(site.published().contains("\"one\""), "{}", site.published());
}

#[test]
fn the_two_documents_have_two_addresses() {
    let site = Site::start();
    let url = site.dav.url("/.well-known/openid-configuration");
    let line =
        format!("remote add both --kind http-put --url {url} --issuer https://issuer.example");
    site.run(&line).ok();
    let run = site.run("push api both --yes").fails(2);
    assert!(run.stderr.contains("same address"), "{run:#?}");
}

/// The ETag of a copy on another server is no condition for the document that is written.
#[test]
fn a_document_that_is_read_elsewhere_is_written_without_its_etag() {
    let site = Site::start();
    let copy = Dav::start();
    let read_url = copy.url(PATH);
    site.add(&format!("--read-url {read_url}"));
    copy.put(PATH, &site.of_another("theirs"));
    let pushed = site.run("push api web --yes").fails(6);
    assert!(pushed.stderr.contains("tells no version"), "{pushed:#?}");
    assert_eq!(site.dav.writes(), ["PUT /jwks.json"]);
}

/// A presigned address writes, and the document is read where verifiers read it.
#[test]
fn a_presigned_address_is_never_shown() {
    const SECRET: &str = "canary0signature0of0nothing";
    let site = Site::start();
    let put = format!("{}?X-Amz-Signature={SECRET}", site.dav.url(PATH));
    let run = |line: &str| {
        let mut command = site.sandbox.command(JWKS);
        command.env("PRESIGNED", &put).args(line.split(' '));
        let run = finish(&mut command);
        let said = format!("{}{}", run.stdout, run.stderr);
        assert!(!said.contains(SECRET), "{line}: {said}");
        run
    };
    let read_url = site.dav.url(PATH);
    run(&format!(
        "remote add cdn --kind http-put --url-env PRESIGNED --read-url {read_url}"
    ))
    .ok();
    for line in [
        "remote show cdn",
        "remote list --json",
        "remote test cdn",
        "push api cdn --yes -v",
        "diff api cdn --exit-code",
    ] {
        run(line).ok();
    }
    let calls = site.dav.server.calls();
    assert!(
        calls
            .iter()
            .any(|call| call.method == "PUT" && call.query.contains(SECRET))
    );
    assert!(
        calls
            .iter()
            .all(|call| call.method == "PUT" || call.query.is_empty())
    );
    let file = site.sandbox.path().join(".config/jwks/remotes.json");
    assert!(
        !std::fs::read_to_string(file)
            .expect("the remotes")
            .contains(SECRET)
    );
    // Most presigned addresses are for one method.
    run("remote add cdn --force --kind http-put --url-env PRESIGNED").ok();
    site.dav.server.answer_next(Answer::empty(403));
    let failed = run("push api cdn --yes").fails(7);
    assert!(failed.stderr.contains("--read-url"), "{failed:#?}");
    run("remote add cdn --force --kind http-put --url-command false").ok();
    run("push api cdn --yes").fails(7);
    for line in [
        "remote add x --kind http-put --url-env PRESIGNED --url https://h.example",
        "remote add x --kind hydra --url-env PRESIGNED",
        "remote add x --kind http-put --url https://h.example/a?sig=canary",
        "remote add x --kind http-put --url-env PRESIGNED --read-url https://h.example/a?sig=canary",
    ] {
        run(line).fails(2);
    }
}

#[test]
fn keys_do_not_travel_over_plain_http() {
    let site = Site::start();
    let line = "remote add far --kind http-put --url http://192.0.2.1/jwks.json";
    let added = site.run(line).ok();
    assert!(added.stderr.contains("--allow-insecure-http"), "{added:#?}");
    site.fails(4, "push api far --yes", "plain http");
}
