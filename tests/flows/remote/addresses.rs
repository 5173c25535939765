//! JWK Sets at an address, those of OpenID Connect issuers, and addresses in place of files.

use crate::servers::plain::Plain;
use crate::support::{Run, Sandbox};
use serde_json::{Value, json};

const TOKEN: &str = "token-of-the-proxy";

/// A web server with the public set of `own` at `/jwks.json`, and a sandbox.
struct Site {
    web: Plain,
    sandbox: Sandbox,
}

impl Site {
    fn start() -> Site {
        let (web, sandbox) = (Plain::start(), Sandbox::new());
        sandbox.ok(["create", "own", "--kid", "one"]);
        web.serve("/jwks.json", sandbox.ok(["get", "own"]));
        Site { web, sandbox }
    }

    /// The same, where the remote `issuer` is an OpenID provider with this set.
    fn with_issuer() -> Site {
        let site = Site::start();
        let issuer = site.web.issuer("/tenant");
        site.web
            .serve("/tenant/jwks.json", site.run("get own").ok().stdout);
        site.add_issuer(&issuer, &[]);
        site
    }

    fn add_issuer(&self, issuer: &str, more: &[&str]) {
        let add = ["remote", "add", "issuer", "--force", "--kind", "oidc"];
        let add = add.into_iter().chain(["--issuer", issuer]);
        self.sandbox.ok(add.chain(more.iter().copied()));
    }

    fn address(&self) -> String {
        self.web.url("/jwks.json")
    }

    /// Runs the program; `URL` stands for the address of the set.
    fn run(&self, line: &str) -> Run {
        let line = line.replace("URL", &self.address());
        self.sandbox.run(line.split(' '))
    }

    /// Runs the program, which must fail with this code and these words.
    #[track_caller]
    fn fails(&self, code: i32, line: &str, words: &str) -> Run {
        let run = self.run(line).fails(code);
        assert!(run.stderr.contains(words), "{line}: {run:#?}");
        run
    }

    fn own(&self) -> Value {
        self.run("get own").ok().json()
    }
}

#[test]
fn an_address_stands_for_a_remote() {
    let site = Site::start();
    assert_eq!(site.run("get --remote URL").ok().json(), site.own());
    let key = site.run("get jwks one --remote URL").ok().json();
    assert_eq!(key, site.own()["keys"][0]);
    let rows = site.run("list jwks --remote URL --json").ok().json();
    assert_eq!(rows["keys"][0]["kid"], "one");
    let sets = site.run("list --remote URL --json").ok().json();
    assert_eq!(sets["sets"][0]["key_count"], 1);
    site.run("remote test URL").ok();
    site.run("diff own URL --exit-code").ok();
    site.run("pull URL copy").ok();
    assert_eq!(site.run("get copy").ok().json(), site.own());
    site.fails(2, "pull URL", "the name of the local set is missing");
}

#[test]
fn a_remote_of_the_kind_url_is_the_same_with_a_name() {
    let site = Site::start();
    site.run("remote add web --kind url --url URL").ok();
    assert_eq!(site.run("get --remote web").ok().json(), site.own());
    site.run("list --remote web").ok();
    site.run("diff own web --exit-code").ok();
    let pulled = site.run("pull web --json").ok().json();
    assert_eq!(
        (&pulled["set"], &pulled["changed"]),
        (&json!("web"), &json!(true))
    );
}

#[test]
fn an_issuer_leads_to_its_set() {
    let site = Site::with_issuer();
    assert_eq!(site.run("get --remote issuer").ok().json(), site.own());
    let rows = site.run("list jwks --remote issuer --json").ok().json();
    assert_eq!(rows["keys"][0]["kid"], "one");
    site.run("remote test issuer").ok();
    site.run("diff own issuer --exit-code").ok();
    site.run("pull issuer").ok();
    assert_eq!(site.run("get issuer").ok().json(), site.own());
    let lines = site.web.server.lines();
    let well_known = "GET /tenant/.well-known/openid-configuration";
    assert_eq!(lines[..2], [well_known, "GET /tenant/jwks.json"]);
}

#[test]
fn keys_are_set_from_an_address() {
    let site = Site::start();
    site.run("set jwk URL").ok();
    assert_eq!(site.run("get jwk").ok().json(), site.own());
    site.web
        .serve("/key.pem", site.run("export own --to pem").ok().stdout);
    let pem = site.web.url("/key.pem");
    site.run(&format!("set pem {pem} --kid one")).ok();
    let thumbprint = |set: &str| site.run(&format!("thumbprint {set}")).ok().stdout;
    assert_eq!(thumbprint("pem"), thumbprint("own"));
    site.web.withdraw("/key.pem");
    site.fails(6, &format!("set pem {pem}"), "answered 404");
}

#[test]
fn a_set_is_checked_at_its_address() {
    let site = Site::start();
    site.run("check URL --public").ok();
    assert_eq!(
        site.run("thumbprint URL").ok().stdout,
        site.run("thumbprint own").ok().stdout
    );
    site.web
        .serve("/jwks.json", site.run("get own --private").ok().stdout);
    site.fails(5, "check URL --public", "/jwks.json: 1 error");
}

#[test]
fn the_content_type_does_not_matter() {
    let site = Site::start();
    for content_type in [
        "application/jwk-set+json",
        "text/plain; charset=iso-8859-1",
        "application/octet-stream",
        "text/html",
    ] {
        site.web.content_type("/jwks.json", content_type);
        assert_eq!(site.run("get --remote URL").ok().json(), site.own());
    }
    let calls = site.web.server.calls();
    let accept = calls[0].header("Accept").expect("Accept");
    assert_eq!(accept, "application/jwk-set+json, application/json");
}

/// No copy is kept, so that what the server says about copies changes nothing.
#[test]
fn what_is_new_at_an_address_is_seen_at_once() {
    let site = Site::start();
    site.web
        .cache_control("/jwks.json", "public, max-age=31536000, immutable");
    site.run("pull URL copy").ok();
    site.run("create own --kid two").ok();
    site.web.serve("/jwks.json", site.own());
    site.run("pull URL copy").ok();
    assert_eq!(site.run("get copy").ok().json(), site.own());
}

#[test]
fn what_is_no_set_is_taken_for_none() {
    let site = Site::start();
    let secret = "swordfish-in-the-page";
    for (body, words) in [
        ("", "empty"),
        ("<html>swordfish-in-the-page</html>", "HTML"),
        ("{\"error\":\"swordfish-in-the-page\"}", "not a JWK Set"),
        ("{\"keys\":[", "JSON"),
    ] {
        site.web.serve("/jwks.json", body);
        for line in ["get --remote URL", "pull URL own", "check URL"] {
            let before = site.sandbox.read_set("own");
            let run = site
                .sandbox
                .run(line.replace("URL", &site.address()).split(' '));
            assert!(matches!(run.code, Some(5 | 6)), "{line}: {run:#?}");
            assert!(run.stderr.contains(words), "{line}: {run:#?}");
            assert!(!run.stderr.contains(secret), "{line}: {run:#?}");
            assert_eq!(site.sandbox.read_set("own"), before);
        }
    }
}

#[test]
fn members_that_nobody_knows_stay_on_a_pull() {
    let site = Site::start();
    let mut set = site.own();
    set["x-issuer"] = json!({ "limit": 1.50 });
    set["keys"][0]["x-owner"] = json!("ops");
    let text = set.to_string().replace("1.5", "12345678901234567890.50");
    site.web.serve("/jwks.json", text);
    site.run("pull URL copy").ok();
    let pulled = site.sandbox.read_set("copy");
    for text in ["x-issuer", "12345678901234567890.50", "\"x-owner\":\"ops\""] {
        assert!(pulled.contains(text), "{text}: {pulled}");
    }
    let again = site.run("pull URL copy --json").ok().json();
    assert_eq!(again["changed"], false);
}

#[test]
fn an_unusable_key_spoils_no_other() {
    let site = Site::start();
    let mut set = site.own();
    let keys = set["keys"].as_array_mut().expect("keys");
    keys.push(json!({ "kty": "RSA", "kid": "broken", "n": "AQAB", "e": "AQAB" }));
    keys.push(json!({ "kty": "new", "kid": "unknown" }));
    site.web.serve("/jwks.json", &set);
    let got = site.run("get --remote URL").ok();
    assert_eq!(got.json(), site.own());
    assert!(got.stderr.contains("1 unsupported, 1 invalid"), "{got:#?}");
    let pulled = site.run("pull URL copy").ok();
    assert!(pulled.stderr.contains("broken"), "{pulled:#?}");
    let copy = site.run("get copy --private").ok().json();
    assert_eq!(copy["keys"], set["keys"]);
    site.run("check URL").fails(5);
}

#[test]
fn an_issuer_speaks_for_itself_only() {
    let site = Site::with_issuer();
    let other = format!("{}/", site.web.url("/tenant"));
    site.web.issuer_is_named("/tenant", &other);
    let run = site.fails(6, "get --remote issuer", &format!("{other:?}"));
    assert!(run.stderr.contains("must match exactly"), "{run:#?}");
    site.add_issuer(&other, &[]);
    site.run("get --remote issuer").ok();
}

#[test]
fn an_issuer_without_a_set_is_an_error() {
    let site = Site::with_issuer();
    for address in [
        "no address",
        "file:///etc/passwd",
        "https://user:word@host/",
    ] {
        site.web.jwks_uri("/tenant", address);
        let run = site.fails(6, "get --remote issuer", "no valid jwks_uri");
        assert!(!run.stderr.contains("word@"), "{run:#?}");
    }
    site.web.without_jwks_uri("/tenant");
    site.fails(6, "get --remote issuer", "jwks_uri");
    site.web
        .withdraw("/tenant/.well-known/openid-configuration");
    site.fails(6, "get --remote issuer", "answered 404");
}

/// An issuer may keep its set elsewhere; what was meant for the issuer does not go there.
#[test]
fn a_set_on_another_server_is_asked_for_without_secrets() {
    let site = Site::with_issuer();
    let elsewhere = Plain::start();
    elsewhere.serve("/keys", site.own());
    site.web.jwks_uri("/tenant", &elsewhere.url("/keys"));
    site.web.require_header("X-Api-Key", TOKEN);
    site.sandbox.write("token", TOKEN);
    let more = [
        "--header",
        "X-Api-Key:{token}",
        "--token-command",
        "cat token",
    ];
    site.add_issuer(&site.web.url("/tenant"), &more);
    assert_eq!(site.run("get --remote issuer").ok().json(), site.own());
    let calls = elsewhere.server.calls();
    assert_eq!(calls.len(), 1);
    assert_eq!(calls[0].header("X-Api-Key"), None);
    assert_eq!(calls[0].header("Authorization"), None);
}

#[test]
fn a_server_may_want_a_token_or_a_header() {
    let site = Site::start();
    site.web.require_bearer(TOKEN);
    site.fails(7, "get --remote URL", "answered 401");
    site.sandbox.write("token", TOKEN);
    let address = site.address();
    let add = [
        "remote", "add", "web", "--force", "--kind", "url", "--url", &address,
    ];
    let from_file = ["--token-command", "cat token"];
    site.sandbox.ok(add.iter().chain(&from_file));
    site.run("get --remote web").ok();
    site.web.require_header("X-Tenant", "orders");
    site.run("get --remote web").fails(7);
    let header = ["--header", "X-Tenant: orders"];
    site.sandbox.ok(add.iter().chain(&from_file).chain(&header));
    site.run("get --remote web").ok();
    let remotes = site.run("remote show web --json").ok();
    assert!(!remotes.stdout.contains(TOKEN), "{remotes:#?}");
}

#[test]
fn nothing_is_written_to_an_address() {
    let site = Site::with_issuer();
    site.run("remote add web --kind url --url URL").ok();
    site.run("export own --private -o own.json").ok();
    for (remote, kind) in [("URL", "url"), ("web", "url"), ("issuer", "oidc")] {
        for (line, operation) in [
            ("create jwks --remote", "generate keys"),
            ("set jwks own.json --yes --remote", "set keys"),
            (
                "set jwks own.json --replace --yes --remote",
                "set whole sets",
            ),
            ("delete jwks --yes --force --remote", "delete sets"),
            ("delete jwks one --yes --remote", "delete keys"),
            ("push own --yes", "set whole sets"),
        ] {
            let error = site
                .run(&format!("{line} {remote} --json"))
                .fails(2)
                .error();
            assert_eq!(
                error["message"],
                format!("{kind} cannot {operation}"),
                "{line}"
            );
            assert_eq!(
                error["hint"],
                format!("{kind} can list sets, get sets and keys")
            );
        }
    }
    assert_eq!(site.web.server.lines(), [""; 0]);
}
