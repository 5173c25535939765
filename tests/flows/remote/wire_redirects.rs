//! Where redirects may lead (E2): public reading follows them, and nothing that is secret does.

use crate::servers::hostile::{Behavior, Hostile};
use crate::servers::hydra::{Hydra, Version};
use crate::servers::plain::Plain;
use crate::servers::redirect::{OtherHost, Redirect, STATUSES, by_name};
use crate::servers::tls::{Authority, Certificate, Tls};
use crate::servers::{Answer, Call, Server};
use crate::support::Sandbox;
use crate::wire::{PUBLIC_SET, each, name_server, sandbox_with};
use serde_json::json;

/// A server that has a public set at every path.
fn library() -> Server {
    Server::start(|_| Answer::json(200, PUBLIC_SET))
}

fn found(sandbox: &Sandbox, address: &str) {
    let set = sandbox.json(["get", "--remote", address]);
    assert_eq!(set["keys"][0]["kid"], "good-1");
}

fn path_of(call: &Call) -> String {
    match call.query.as_str() {
        "" => call.path.clone(),
        query => format!("{}?{query}", call.path),
    }
}

#[test]
fn public_reading_follows_every_redirect_to_other_ports_and_hosts() {
    let target = library();
    let other = OtherHost::of(&target.address());
    let addresses = [
        target.address(),
        by_name(&target.address()),
        other.address(),
    ];
    for status in STATUSES {
        for address in &addresses {
            let redirect = Redirect::to(status, &format!("{address}/set?v=1#part"));
            target.forget_calls();
            found(&Sandbox::new(), &redirect.address());
            let calls = target.calls();
            assert_eq!(calls.len(), 1, "{status} {address}");
            assert_eq!(calls[0].method, "GET");
            assert_eq!(path_of(&calls[0]), "/set?v=1", "no fragment travels");
            assert_eq!(calls[0].header("Authorization"), None);
        }
    }
}

#[test]
fn public_reading_goes_from_http_to_https_and_never_back() {
    let (authority, target) = (Authority::new(), library());
    let tls = Tls::in_front_of(&target.address(), &authority, Certificate::Valid);
    let file = authority.file();
    let trust = ["--cacert", file.to_str().expect("a path")];
    for status in STATUSES {
        let up = Redirect::to(status, &tls.address());
        let sandbox = sandbox_with("url", &up.address(), &trust);
        sandbox.ok(["get", "--remote", "prod"]);

        target.forget_calls();
        let down = Redirect::to(status, &target.address());
        let down = Tls::in_front_of(&down.address(), &authority, Certificate::Valid);
        name_server(&sandbox, "url", &down.address(), &trust);
        let run = sandbox.run(["get", "--remote", "prod"]).fails(6);
        assert!(
            run.stderr
                .contains("redirects from https to http are not followed"),
            "{run:#?}"
        );
        assert_eq!(target.calls().len(), 0, "{status}");
    }
}

#[test]
fn no_redirect_leads_out_of_http() {
    let sandbox = Sandbox::new();
    let file = sandbox.write("set.json", PUBLIC_SET);
    for location in [
        &format!("file://{file}"),
        "ftp://127.0.0.1/set.json",
        "data:application/json,{\"keys\":[]}",
        "gopher://127.0.0.1:70/",
        "javascript:alert(1)",
    ] {
        let redirect = Redirect::to(302, location);
        let get = ["get", "--remote", &redirect.address()];
        let run = sandbox.run(get).fails(6);
        assert!(run.stderr.contains("redirected (302)"), "{run:#?}");
        assert_eq!(run.stdout, "", "{location}");
    }
}

#[test]
fn relative_locations_count_from_where_they_stand() {
    for (location, leads_to) in [
        ("other.json", "/a/other.json"),
        ("/top.json", "/top.json"),
        ("../up.json", "/up.json"),
        ("?page=2", "/a/set.json?page=2"),
    ] {
        let server = Redirect::once(302, location, Answer::json(200, PUBLIC_SET));
        found(&Sandbox::new(), &format!("{}/a/set.json", server.address()));
        assert_eq!(path_of(&server.calls()[1]), leads_to);
    }
    let target = library();
    let same_scheme = target.address().replace("http:", "") + "/set.json";
    let redirect = Redirect::to(302, &same_scheme);
    found(&Sandbox::new(), &redirect.address());
    assert_eq!(target.lines(), ["GET /set.json"]);
}

#[test]
fn a_redirect_without_a_usable_location_is_an_error() {
    let nowhere = STATUSES.map(Redirect::without_location);
    let unusable = ["http://", "http://[::1", "http://host:99999/"];
    let unusable = unusable.map(|location| Redirect::to(302, location));
    for server in nowhere.iter().chain(&unusable) {
        let get = ["get", "--remote", &server.address()];
        let run = Sandbox::new().run(get).fails(6);
        assert!(run.stderr.contains("was redirected ("), "{run:#?}");
        assert_eq!(server.calls().len(), 1);
    }
}

#[test]
fn five_redirects_are_followed_and_no_more() {
    let five = Redirect::chain(302, 5, Answer::json(200, PUBLIC_SET));
    found(&Sandbox::new(), &five.address());

    let six = Redirect::chain(302, 6, Answer::json(200, PUBLIC_SET));
    let endless = Hostile::start(Behavior::RedirectLoop);
    for address in [six.address(), endless.address()] {
        let run = Sandbox::new().run(["get", "--remote", &address]).fails(6);
        assert!(run.stderr.contains("more than 5 times"), "{run:#?}");
        assert!(run.stderr.contains(&address), "{run:#?}");
    }
    assert_eq!(six.calls().len(), 6);
    assert_eq!(endless.calls().len(), 6);
}

/// A location is a server's to choose: what it puts there for a name and a password is not shown.
#[test]
fn a_password_in_a_location_is_not_shown() {
    let target = library();
    let location = target.address().replace("//", "//user:passphrase@");
    for location in [location.as_str(), "ftp://user:passphrase@127.0.0.1/"] {
        let redirect = Redirect::to(302, location);
        let run = Sandbox::new().run(["get", "-v", "--remote", &redirect.address()]);
        assert!(!run.stderr.contains("passphrase"), "{run:#?}");
    }
}

/// A token, a header and a client's certificate each say who asks: they are meant for one server.
#[test]
fn authenticated_reading_is_not_redirected() {
    let authority = Authority::new();
    let client = authority.client_certificate();
    let path = |path: &std::path::Path| path.to_str().expect("a path").to_owned();
    let token = ["--token-command", "echo canary-token"].map(str::to_owned);
    let header = ["--header", "X-Tenant: canary-token"].map(str::to_owned);
    let certificate = [
        "--cert".to_owned(),
        path(&client.certificate),
        "--key".to_owned(),
        path(&client.key),
    ];
    let identities: [&[String]; 3] = [&token, &header, &certificate];
    let places = STATUSES.into_iter().flat_map(|status| {
        let kinds = ["url", "hydra"].into_iter();
        kinds.map(move |kind| (status, kind))
    });
    each(places, |(status, kind)| {
        let target = library();
        let redirect = Redirect::to(status, &target.address());
        for identity in identities {
            let identity: Vec<&str> = identity.iter().map(String::as_str).collect();
            let sandbox = sandbox_with(kind, &redirect.address(), &identity);
            for line in ["remote test prod", "pull prod api", "diff api prod"] {
                let run = sandbox.run(line.split(' ')).fails(6);
                let why = "calls with a token are not redirected";
                assert!(run.stderr.contains(why), "{line}: {run:#?}");
                assert!(run.stderr.contains("hint: "), "{line}: {run:#?}");
            }
        }
        assert_eq!(target.calls().len(), 0, "{status} {kind}");
    });
}

/// A body with private keys stays with the server that it was meant for.
#[test]
fn writing_is_never_redirected() {
    each(STATUSES, |status| {
        let target = library();
        let other = OtherHost::of(&target.address());
        for location in [target.address(), other.address()] {
            let hydra = Hydra::behind(Version::V2_2, move |call| {
                let answer = Answer::empty(status).header("Location", &location);
                (call.method != "GET").then_some(answer)
            });
            let sandbox = sandbox_with("hydra", &hydra.address(), &[]);
            hydra.put(
                "there",
                &json!({ "keys": [{ "kty": "oct", "k": "AAAA", "kid": "a" }] }),
            );
            for line in [
                "push api prod --yes",
                "create new --remote prod",
                "delete there --remote prod --yes --force",
                "delete there a --remote prod --yes --force",
            ] {
                let run = sandbox.run(line.split(' ')).fails(6);
                let why = "writes are not redirected";
                assert!(run.stderr.contains(why), "{line}: {run:#?}");
            }
            assert_eq!(hydra.keys("there").len(), 1);
        }
        assert_eq!(target.calls().len(), 0, "{status}");
    });
}

/// Private keys that are read over plain http from this machine do not come from another one.
#[test]
fn a_redirect_leads_private_keys_onto_no_plain_wire() {
    let redirect = Redirect::to(302, "http://192.0.2.1:9/admin/keys/api");
    let sandbox = sandbox_with("hydra", &redirect.address(), &[]);
    let run = sandbox.run(["pull", "prod:api"]).fails(4);
    assert!(run.stderr.contains("plain http"), "{run:#?}");
}

/// The keys of an issuer are where it says, on another host perhaps; a header that was meant for
/// the issuer stays with it.
#[test]
fn headers_stay_with_their_host() {
    let (issuer, keys) = (Plain::start(), library());
    let name = issuer.issuer("");
    issuer.require_header("X-Tenant", "canary-token");
    issuer.jwks_uri("", &format!("{}/jwks.json", keys.address()));
    let sandbox = Sandbox::new();
    let add = ["remote", "add", "prod", "--kind", "oidc", "--issuer", &name];
    sandbox.ok(add.iter().chain(&["--header", "X-Tenant: canary-token"]));
    sandbox.ok(["get", "--remote", "prod"]);
    assert_eq!(keys.calls()[0].header("X-Tenant"), None);
}
