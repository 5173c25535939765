//! Servers that refuse, fail, lag behind or lie, and sets that somebody has edited on the server.

use crate::servers::hostile::{Behavior, Hostile};
use crate::servers::kubernetes::{self, encode};
use crate::servers::tls::{Authority, Certificate, Tls};
use crate::servers::vault;
use crate::servers::{Answer, Server};
use crate::site::{Site, everywhere, kids};
use crate::support::finish;
use serde_json::json;
use std::time::{Duration, Instant};

#[test]
fn hostile_answers_end_in_an_error() {
    use Behavior::*;
    let behaviors = [
        EndlessChunks,
        EndlessLength,
        EndlessHead,
        CutLength,
        CutChunks,
        GzipBomb,
        UnknownEncoding,
        EmptyBody,
        Html,
        TruncatedJson,
        InvalidUtf8,
        RedirectLoop,
        NullKeys,
    ];
    each(behaviors, |behavior| {
        let hostile = Hostile::start(behavior);
        for place in [Site::vault as fn() -> Site, Site::kubernetes, Site::s3] {
            let mut site = place();
            site.go_through(hostile.address());
            for command in ["list", "get api", "create api"] {
                let begun = Instant::now();
                let run = site.run(command).fails(6);
                assert!(run.stderr.len() < 2000, "{behavior:?} {command}: {run:#?}");
                assert!(
                    begun.elapsed() < Duration::from_secs(120),
                    "{behavior:?} {command}"
                );
            }
        }
    });
}

#[test]
fn a_list_that_does_not_end_is_an_error() {
    let mut page = 0;
    let server = Server::start(move |call| {
        page += 1;
        if call.path.contains("/api/v1/") {
            let list = json!({ "metadata": { "continue": page.to_string() }, "items": [] });
            return Answer::json(200, list);
        }
        let list = format!(
            "<ListBucketResult><NextContinuationToken>{page}</NextContinuationToken></ListBucketResult>"
        );
        Answer::html(200, &list)
    });
    for place in [Site::kubernetes as fn() -> Site, Site::s3] {
        let mut site = place();
        site.go_through(server.address());
        let run = site.run("list").fails(4);
        assert!(run.stderr.contains("does not end"), "{run:#?}");
    }
}

/// Tries each one in a thread of its own, because most of the time is spent waiting.
fn each<T: Send>(all: impl IntoIterator<Item = T>, try_one: impl Fn(T) + Sync) {
    let try_one = &try_one;
    std::thread::scope(|scope| {
        for one in all {
            scope.spawn(move || try_one(one));
        }
    });
}

#[test]
fn a_set_that_was_edited_by_hand_is_kept_as_it_is() {
    everywhere(|site| {
        site.ok("create api --kid first");
        let there = site.text("api").expect("the set");
        let edited = there.replacen('{', "{\n  \"note\": 1e400, ", 1);
        site.put("api", &edited);
        site.ok("create api --kid second");
        let after = site.text("api").expect("the set");
        assert!(
            after.contains("\"note\": 1e400") || after.contains("\"note\":1e400"),
            "{after}"
        );
        assert_eq!(kids(&site.json("get api")), ["first", "second"]);

        for damaged in ["", "no set", "{\"keys\":", "{\"keys\":[],\"keys\":[]}"] {
            site.put("api", damaged);
            site.forget_calls();
            let run = site.run("create api --kid third").fails(5);
            assert!(run.stderr.contains("on the server"), "{run:#?}");
            assert_eq!(site.writes(), 0, "{damaged}");
            assert_eq!(site.text("api").as_deref(), Some(damaged));
            site.run("list").fails(5);
        }
    });
}

/// A rate limit is obeyed, and a server that is overloaded for a moment is asked again.
#[test]
fn a_server_that_asks_to_wait_is_waited_for() {
    everywhere(|site| {
        site.ok("create api --kid first");
        let limited = || Answer::json(429, r#"{"errors":["slow down"]}"#).header("Retry-After", 0);
        site.server().answer_next(limited());
        site.ok("create api --kid second");
        site.server().answer_next(Answer::json(503, "{}"));
        site.ok("create api --kid third");
        assert_eq!(kids(&site.json("get api")).len(), 3);
        let long = Answer::json(429, "{}").header("Retry-After", 3600);
        site.server().answer_next(long);
        let run = site.run("get api").fails(6);
        assert!(run.stderr.contains("3600 s"), "{run:#?}");
    });
}

/// Neither the token nor a private key is in a message, even if the server repeats them.
#[test]
fn what_was_sent_is_not_said() {
    everywhere(|site| {
        site.ok("create api --kid first");
        let private = site.json("get api first --private")["d"].clone();
        let private = private.as_str().expect("d");
        let encoded = encode(&site.text("api").expect("the set"));
        site.repeat_writes();
        let run = site.run("create api --kid second").fails(6);
        for secret in [private, vault::TOKEN, kubernetes::TOKEN] {
            assert!(!run.stderr.contains(secret), "{run:#?}");
        }
        for window in encoded.as_bytes().windows(24) {
            let window = std::str::from_utf8(window).expect("ASCII");
            assert!(!run.stderr.contains(window), "{window}: {run:#?}");
        }
    });
}

#[test]
fn redirects_are_not_followed() {
    everywhere(|site| {
        let elsewhere = Answer::empty(307).header("Location", "http://127.0.0.1:1/v1/x");
        site.server().answer_next(elsewhere);
        let run = site.run("get api").fails(6);
        assert!(
            run.stderr.contains("not redirected") || run.stderr.contains("answered 307"),
            "{run:#?}"
        );
    });
}

#[test]
fn plain_http_is_only_for_this_machine() {
    let site = Site::vault();
    for store in [
        "vault:http://vault.example:8200/secret/jwks",
        "kubernetes:http://api.example/apps",
    ] {
        let mut command = site.command();
        command.env("JWKS_STORE", store).arg("list");
        let run = crate::support::finish(&mut command).fails(4);
        assert!(run.stderr.contains("plain http"), "{run:#?}");
    }
}

#[test]
fn a_wrong_address_is_refused_before_any_call() {
    let site = Site::vault();
    for store in [
        "vault:",
        "vault:a//b",
        "kubernetes:a/b/c",
        "kubernetes:Apps",
        "vault:https://user:pass@h/secret",
        "kubernetes:http://127.0.0.1:8001/",
    ] {
        let mut command = site.command();
        command.env("JWKS_STORE", store).arg("list");
        let run = crate::support::finish(&mut command).fails(2);
        assert!(run.stderr.contains("hint: "), "{run:#?}");
    }
    assert_eq!(site.lines(), [""; 0]);
}

/// Hints name what a store has: its connection has no options on the command line.
#[test]
fn hints_about_the_connection_can_be_followed() {
    let authority = Authority::new();
    for (place, address) in [
        (Site::vault as fn() -> Site, "http://192.0.2.1:8200"),
        (Site::s3, "http://192.0.2.1:9000"),
        (Site::kubernetes, "http://192.0.2.1:8001"),
    ] {
        let mut site = place();
        let tls = Tls::in_front_of(site.address(), &authority, Certificate::Valid);
        site.go_through(address.to_owned());
        let run = site.run("list").fails(4);
        assert!(run.stderr.contains("use an https address"), "{run:#?}");
        site.go_through(tls.address());
        let run = site.run("list").fails(6);
        assert!(run.stderr.contains("set JWKS_STORE_CACERT"), "{run:#?}");
        assert!(!run.stderr.contains("--"), "{run:#?}");
    }
}

/// A server that fails each read is not asked for every set of a long list.
#[test]
fn a_server_that_fails_is_left_after_some_sets() {
    let site = Site::s3();
    let server = Server::start(|call| {
        if !call.query.contains("list-type=2") {
            return Answer::html(400, "no");
        }
        let object =
            |number| format!("<Contents><Key>jwks/set{number}</Key><Size>300</Size></Contents>");
        let objects: String = (0..100).map(object).collect();
        Answer::html(
            200,
            &format!("<ListBucketResult>{objects}</ListBucketResult>"),
        )
    });
    let mut command = site.command_to(&server.address());
    let run = finish(command.arg("list")).fails(6);
    assert!(run.stderr.contains("100 sets cannot be read"), "{run:#?}");
    let calls = server.calls().len();
    assert!(calls < 80, "{calls} calls for 100 sets");
}
