//! S3: a set as an object, its headers and conditions, where the credentials come from, and what goes wrong.

use crate::servers::Answer;
use crate::servers::s3::{Storage, error};
use crate::support::{JWKS, Run, Sandbox, finish, kids_in};
use std::process::Command;

const KEY: &str = "prefix/keys.json";
const SECRET: &str = "canary-secret-access-key-of-nobody";

/// A storage, and a sandbox with a set `api` that knows the storage as `s3`.
struct Site {
    storage: Storage,
    sandbox: Sandbox,
}

impl Site {
    fn start() -> Site {
        let site = Site {
            storage: Storage::start(),
            sandbox: Sandbox::new(),
        };
        site.run("create api --kid one").ok();
        site.add("");
        site
    }

    fn add(&self, options: &str) {
        let endpoint = self.storage.server.address();
        let line = format!(
            "remote add s3 --force --kind s3 --url s3://keys/{KEY} --endpoint {endpoint} {options}"
        );
        self.run(line.trim_end()).ok();
    }

    fn command(&self, line: &str) -> Command {
        let mut command = self.sandbox.command(JWKS);
        command.args(line.split(' '));
        command
    }

    /// Runs the program as somebody with credentials, which nothing may show.
    #[track_caller]
    fn run(&self, line: &str) -> Run {
        let mut command = self.command(line);
        command.env("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE");
        command.env("AWS_SECRET_ACCESS_KEY", SECRET);
        let run = finish(&mut command);
        let said = format!("{}{}", run.stdout, run.stderr);
        assert!(
            !said.contains("canary") && !said.contains("X-Amz"),
            "{said}"
        );
        run
    }

    #[track_caller]
    fn fails(&self, code: i32, line: &str, words: &str) -> Run {
        let run = self.run(line).fails(code);
        assert!(run.stderr.contains(words), "{line}: {run:#?}");
        run
    }

    fn published(&self) -> String {
        self.storage.object(KEY).expect("the object").body
    }
}

#[test]
fn a_set_is_an_object_with_its_headers() {
    let site = Site::start();
    site.run("push api s3 --yes -v").ok();
    let object = site.storage.object(KEY).expect("the object");
    assert_eq!(object.body, site.run("export api").ok().stdout);
    assert_eq!(
        object.content_type.as_deref(),
        Some("application/jwk-set+json")
    );
    assert_eq!(
        object.cache_control.as_deref(),
        Some("public, max-age=3600")
    );
    let again = site.run("push api s3 --yes --json").ok().json();
    assert_eq!(again["changed"], false);
    site.run("create api --kid two").ok();
    site.run("push api s3 --yes").ok();
    site.run("diff api s3 --exit-code").ok();
    site.run("check s3").ok();
    let set = site.run("get --remote s3").ok().json();
    assert_eq!(kids_in(&set["keys"]), ["one", "two"]);
    assert_eq!(site.storage.writes().len(), 2);
    let test = site.run("remote test s3 --probe").ok();
    assert!(test.stdout.contains("honored"), "{test:#?}");
    assert!(
        test.stdout
            .contains("credentials from the variable AWS_ACCESS_KEY_ID"),
        "{test:#?}"
    );
    assert!(!test.stdout.contains("no token"), "{test:#?}");
    assert_eq!(site.published(), site.run("export api").ok().stdout);
}

/// Other headers are a change, although every key is the same.
#[test]
fn other_headers_are_written() {
    let site = Site::start();
    site.run("push api s3 --yes").ok();
    site.run("rotate api --every 30d --publish-delay 10m --save")
        .ok();
    let planned = site.run("push api s3 --dry-run").ok();
    let words = "changes its Cache-Control, to public, max-age=600";
    assert!(planned.stderr.contains(words), "{planned:#?}");
    let pushed = site.run("push api s3 --yes --json").ok();
    assert_eq!(pushed.json()["changed"], true);
    let object = site.storage.object(KEY).expect("the object");
    assert_eq!(object.cache_control.as_deref(), Some("public, max-age=600"));
    site.add("--cache-control max-age=86400");
    let pushed = site.run("push api s3 --yes").ok();
    assert!(
        pushed.stderr.contains("longer than the publish delay"),
        "{pushed:#?}"
    );
}

pub fn a_lost_race_is_planned_again() {
    let site = Site::start();
    site.run("create other --kid other").ok();
    let other = site.run("export other").ok().stdout;
    site.storage.put_before_next_write(KEY, &other);
    site.run("push api s3 --yes").ok();
    let set = site.run("get --remote s3").ok().json();
    assert_eq!(kids_in(&set["keys"]), ["one", "other"]);
    site.run("create api --kid two").ok();
    for _ in 0..20 {
        site.storage.put_before_next_write(KEY, &other);
    }
    site.fails(6, "push api s3 --yes", "412");
}

#[test]
fn a_storage_without_conditions_is_named() {
    let site = Site::start();
    site.storage.without_conditions();
    let pushed = site.run("push api s3 --yes").ok();
    assert!(
        pushed.stderr.contains("no conditional writes"),
        "{pushed:#?}"
    );
    assert_eq!(site.published(), site.run("export api").ok().stdout);
}

/// Without the right to list, a missing object and a forbidden one have the same answer.
#[test]
fn a_missing_object_can_look_forbidden() {
    let site = Site::start();
    site.storage.deny_listing();
    let pushed = site.run("push api s3 --yes").ok();
    assert!(pushed.stderr.contains("s3:ListBucket"), "{pushed:#?}");
    assert_eq!(site.published(), site.run("export api").ok().stdout);
    let again = site.run("push api s3 --yes").ok();
    assert!(!again.stderr.contains("s3:ListBucket"), "{again:#?}");
    site.storage.deny_reading();
    site.fails(7, "push api s3 --yes", "allow s3:GetObject");
}

/// Storage without conditions could be made to replace an object that the credentials must not read.
#[test]
fn what_cannot_be_read_is_not_replaced_without_a_condition() {
    let site = Site::start();
    site.storage.put(KEY, "of somebody else");
    site.storage.deny_reading();
    site.storage.without_conditions();
    site.fails(7, "push api s3 --yes", "must not read it");
    assert_eq!(site.published(), "of somebody else");
}

#[test]
fn a_bucket_that_everybody_can_write_is_named() {
    let site = Site::start();
    let pushed = site.run("push api s3 --yes").ok();
    assert!(!pushed.stderr.contains("everybody"), "{pushed:#?}");
    site.storage.give_everybody("WRITE");
    site.run("create api --kid two").ok();
    let pushed = site.run("push api s3 --yes").ok();
    assert!(
        pushed.stderr.contains("lets everybody write"),
        "{pushed:#?}"
    );
}

/// A storage that repeats the address of a call repeats its signature.
#[test]
fn a_signed_address_is_never_shown() {
    let site = Site::start();
    site.run("push api s3 --yes").ok();
    let calls = site.storage.server.calls();
    let query = calls.last().expect("a call").query.clone();
    assert!(query.contains("X-Amz-Signature="), "{query}");
    let repeating = crate::servers::Server::start(|call| {
        let said = format!(
            "no: /{}?{}",
            call.path,
            call.query.replace("X-Amz", "Y-Amz")
        );
        error(400, "InvalidRequest", &said.replace('&', "&amp;"))
    });
    let line = format!(
        "remote add s3 --force --kind s3 --url s3://keys/{KEY} --endpoint {}",
        repeating.address()
    );
    site.run(&line).ok();
    let failed = site.run("push api s3 --yes -v").fails(6);
    let sent = repeating.calls();
    for value in sent[0]
        .query
        .split('&')
        .filter_map(|pair| pair.split_once('='))
    {
        if matches!(value.0, "X-Amz-Signature" | "X-Amz-Credential") {
            assert!(!failed.stderr.contains(value.1), "{failed:#?}");
        }
    }
}

/// Caches keep the replaced document for as long as it allowed them, however short the new lifetime is.
#[test]
fn a_document_that_caches_keep_for_too_long_is_named() {
    let site = Site::start();
    site.add("--cache-control max-age=86400");
    site.run("push api s3 --yes").ok();
    site.add("");
    site.run("create api --kid two").ok();
    let pushed = site.run("push api s3 --yes").ok();
    assert!(
        pushed.stderr.contains("longer than the publish delay"),
        "{pushed:#?}"
    );
    site.run("create api --kid three").ok();
    let pushed = site.run("push api s3 --yes").ok();
    assert!(
        !pushed.stderr.contains("longer than the publish delay"),
        "{pushed:#?}"
    );
}

/// Also if the document is written twice, because the keys are added before the discovery document names them.
#[test]
fn the_first_of_two_writes_counts_for_caches() {
    let site = Site::start();
    site.add("--cache-control max-age=86400 --issuer https://issuer.example");
    site.run("push api s3 --yes").ok();
    site.add("--issuer https://issuer.example");
    site.run("create api --kid two --alg RS256").ok();
    site.run("delete api one --yes").ok();
    let pushed = site.run("push api s3 --yes --prune").ok();
    assert!(pushed.stderr.contains("the replaced set"), "{pushed:#?}");
    assert_eq!(
        site.storage
            .writes()
            .iter()
            .filter(|key| *key == KEY)
            .count(),
        3
    );
}

#[test]
fn every_refusal_has_its_hint() {
    let site = Site::start();
    let old = |answer: Answer| answer.header("Date", "Sun, 06 Nov 1994 08:49:37 GMT");
    for (answer, code, words) in [
        (
            error(404, "NoSuchBucket", "The specified bucket does not exist"),
            6,
            "create the bucket",
        ),
        (
            error(301, "PermanentRedirect", "use the right endpoint")
                .header("x-amz-bucket-region", "eu-west-1"),
            6,
            "pass --region eu-west-1",
        ),
        (
            error(
                400,
                "AuthorizationHeaderMalformed",
                "wrong</Message><Region>eu-north-1</Region><Message>",
            ),
            6,
            "pass --region eu-north-1",
        ),
        (
            old(error(
                403,
                "RequestTimeTooSkewed",
                "The difference is too large",
            )),
            7,
            "clock",
        ),
        (
            error(403, "AccessDenied", "Request has expired"),
            7,
            "clock",
        ),
        (
            error(400, "ExpiredToken", "The provided token has expired."),
            7,
            "have expired",
        ),
        (
            error(403, "SignatureDoesNotMatch", "no"),
            7,
            "check the access key",
        ),
        (
            error(403, "InvalidAccessKeyId", "no"),
            7,
            "check the access key",
        ),
        (error(403, "AllAccessDisabled", "no"), 7, "s3:PutObject"),
        (Answer::html(403, "<html>no</html>"), 7, "answered 403"),
        (error(400, "Odd", "\u{1b}[31m&lt;no&gt;"), 6, "<no>"),
        (
            Answer::empty(307).header("Location", "https://elsewhere.example/"),
            6,
            "--region",
        ),
        (
            Answer::empty(200).body("<html></html>"),
            6,
            "jwks replaces only a JWK Set",
        ),
    ] {
        site.storage.server.answer_next(answer);
        let failed = site.fails(code, "push api s3 --yes", words);
        assert!(!failed.stderr.contains('\u{1b}'), "{failed:#?}");
    }
    assert!(site.storage.object(KEY).is_none());
}

/// What a hostile server answers costs little.
#[test]
fn a_hostile_answer_is_bounded() {
    let site = Site::start();
    let words = format!(
        "{}<Error><Code>{}</Code>",
        "<a>".repeat(20_000),
        "c".repeat(1 << 20)
    );
    for status in [200, 400] {
        site.storage
            .server
            .answer_next(Answer::empty(status).body(words.as_str()));
        let failed = site.run("push api s3 --yes").fails(6);
        assert!(failed.stderr.len() < 2000, "{}", failed.stderr.len());
    }
}

#[test]
fn credentials_come_from_a_command_too() {
    let site = Site::start();
    let json = format!(
        "{{\n \"Version\": 1,\n \"AccessKeyId\": \"ASIAEXAMPLE\",\n \"SecretAccessKey\": \"{SECRET}\",\n \"SessionToken\": \"canary/token==\",\n \"Expiration\": \"2100-01-01T00:00:00Z\"\n}}\n"
    );
    let file = site.sandbox.write("credentials.json", &json);
    let add = [
        "remote",
        "add",
        "s3",
        "--force",
        "--kind",
        "s3",
        "--url",
        "s3://keys/prefix/keys.json",
    ];
    let endpoint = site.storage.server.address();
    let command = format!("cat {file}");
    let more = ["--endpoint", &endpoint, "--token-command", &command];
    site.sandbox.ok(add.iter().chain(&more));
    let push = |site: &Site| {
        let run = finish(&mut site.command("push api s3 --yes -v"));
        assert!(!run.stderr.contains("canary"), "{run:#?}");
        run
    };
    push(&site).ok();
    let calls = site.storage.server.calls();
    assert!(calls.iter().all(|call| {
        call.query
            .contains("X-Amz-Security-Token=canary%2Ftoken%3D%3D")
    }));
    site.sandbox
        .write("credentials.json", json.replace("2100", "2020"));
    let expired = push(&site).fails(7);
    assert!(
        expired.stderr.contains("have expired at 2020-01-01"),
        "{expired:#?}"
    );
    for bad in ["{}", "canary", "{\"AccessKeyId\":\"a\"}", "a:b\u{7}", "[1]"] {
        site.sandbox.write("credentials.json", bad);
        push(&site).fails(7);
    }
    site.sandbox
        .write("credentials.json", format!("AKIDEXAMPLE:{SECRET}\n"));
    push(&site).ok();
    site.add("");
    let none = push(&site).fails(7);
    assert!(none.stderr.contains("AWS_ACCESS_KEY_ID"), "{none:#?}");
}

/// The token of a service account is exchanged for credentials, as in Kubernetes and on CI runners.
#[test]
fn a_web_identity_is_exchanged() {
    let site = Site::start();
    let file = site.sandbox.write("token", "canary.identity.token\n");
    let sts = crate::servers::Server::start(|call| {
        assert!(call.body.contains("Action=AssumeRoleWithWebIdentity"));
        if !call.body.contains("WebIdentityToken=canary.identity.token") {
            return error(400, "InvalidIdentityToken", "no");
        }
        Answer::empty(200).body(format!(
            "<R><Credentials><AccessKeyId>ASIAEXAMPLE</AccessKeyId><SecretAccessKey>{SECRET}</SecretAccessKey><SessionToken>canary-session</SessionToken><Expiration>2100-01-01T00:00:00Z</Expiration></Credentials></R>"
        ))
    });
    let push = || {
        let mut command = site.command("push api s3 --yes -v");
        command.env("AWS_WEB_IDENTITY_TOKEN_FILE", &file);
        command.env("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/keys");
        command.env("AWS_ENDPOINT_URL_STS", sts.address());
        let run = finish(&mut command);
        assert!(!run.stderr.contains("canary"), "{run:#?}");
        run
    };
    push().ok();
    let calls = site.storage.server.calls();
    assert!(
        calls
            .iter()
            .all(|call| call.query.contains("X-Amz-Security-Token=canary-session"))
    );
    site.sandbox.write("token", "another\n");
    let refused = push().fails(7);
    assert!(
        refused.stderr.contains("InvalidIdentityToken"),
        "{refused:#?}"
    );
}

#[test]
fn the_variables_of_the_vendor_name_the_place() {
    let site = Site::start();
    let mut add = site.command("remote add env --kind s3 --url s3://keys/prefix/keys.json");
    finish(&mut add).fails(2);
    finish(add.env("AWS_REGION", "eu-west-1")).ok();
    let mut push = site.command("push api env --yes");
    push.env("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
        .env("AWS_SECRET_ACCESS_KEY", SECRET);
    push.env("AWS_REGION", "eu-west-1");
    push.env("AWS_ENDPOINT_URL", "http://127.0.0.1:9");
    finish(push.env("AWS_ENDPOINT_URL_S3", site.storage.server.address())).ok();
    let calls = site.storage.server.calls();
    assert!(
        calls
            .iter()
            .all(|call| call.query.contains("%2Feu-west-1%2Fs3%2F"))
    );
    for url in [
        "https://keys.example/x",
        "s3://keys",
        "s3://keys/",
        "s3:///x",
        "s3://keys/a/../b",
        "s3://keys/a?x=1",
        "s3://keys//a",
    ] {
        let mut add = site.command("remote add bad --kind s3 --region eu-west-1 --url");
        finish(add.arg(url)).fails(2);
    }
}
