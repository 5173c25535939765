//! The discovery document of an issuer: exported, and published beside the JWK Set in the right order.

use crate::servers::dav::Dav;
use crate::support::{Run, Sandbox};
use serde_json::Value;

const KEYS: &str = "/site/keys.json";
const DISCOVERY: &str = "/site/.well-known/openid-configuration";

struct Site {
    dav: Dav,
    sandbox: Sandbox,
}

impl Site {
    /// A web server that is known as `web`, with an issuer at `/site`, and a set `api` with an ES256 key.
    fn start() -> Site {
        let site = Site {
            dav: Dav::start(),
            sandbox: Sandbox::new(),
        };
        site.run("create api --kid one").ok();
        let (url, issuer) = (site.dav.url(KEYS), site.dav.url("/site"));
        site.run(&format!(
            "remote add web --kind http-put --url {url} --issuer {issuer}"
        ))
        .ok();
        site
    }

    fn run(&self, line: &str) -> Run {
        self.sandbox.run(line.split(' '))
    }

    fn document(&self) -> Value {
        let text = self.dav.document(DISCOVERY).expect("the document");
        serde_json::from_str(&text).expect("JSON")
    }

    fn algorithms(&self) -> String {
        let document = self.document();
        let names = document["id_token_signing_alg_values_supported"].as_array();
        let names = names.expect("the algorithms").iter();
        names
            .map(|name| name.as_str().expect("a name"))
            .collect::<Vec<_>>()
            .join(" ")
    }

    /// Returns the documents that were written, in order.
    fn take_writes(&self) -> Vec<String> {
        let writes = self.dav.writes();
        self.dav.server.forget_calls();
        let path = |line: &String| line.split(' ').nth(1).expect("a path").to_owned();
        writes.iter().map(path).collect()
    }
}

#[test]
fn an_issuer_leads_to_the_published_keys() {
    let site = Site::start();
    site.run("push api web --yes").ok();
    assert_eq!(site.take_writes(), [KEYS, DISCOVERY]);
    let document = site.document();
    assert_eq!(document["issuer"], site.dav.url("/site"));
    assert_eq!(document["jwks_uri"], site.dav.url(KEYS));
    assert_eq!(document["subject_types_supported"][0], "public");
    assert_eq!(site.algorithms(), "ES256");
    let issuer = site.dav.url("/site");
    site.run(&format!("remote add issuer --kind oidc --issuer {issuer}"))
        .ok();
    let served = site.run("get --remote issuer").ok().stdout;
    assert_eq!(served, site.run("get --remote web").ok().stdout);
    let keys = site.dav.url(KEYS);
    let exported = site.run(&format!(
        "export api --to discovery --issuer {issuer} --jwks-uri {keys}"
    ));
    assert_eq!(
        exported.ok().stdout,
        site.dav.document(DISCOVERY).expect("the document")
    );
    let again = site.run("push api web --yes --json").ok().json();
    assert_eq!(again["changed"], false);
    assert!(site.take_writes().is_empty());
}

/// Keys are there before the document names their algorithm, and go after it.
#[test]
fn the_order_of_the_writes_keeps_verifiers_right() {
    let site = Site::start();
    site.run("push api web --yes").ok();
    site.take_writes();
    site.run("create api --kid two --alg RS256").ok();
    site.run("push api web --yes").ok();
    assert_eq!(site.take_writes(), [KEYS, DISCOVERY]);
    assert_eq!(site.algorithms(), "ES256 RS256");
    site.run("delete api one --yes --force").ok();
    site.run("push api web --prune --yes").ok();
    assert_eq!(site.take_writes(), [DISCOVERY, KEYS]);
    assert_eq!(site.algorithms(), "RS256");
    site.run("create api --kid three --alg EdDSA").ok();
    site.run("delete api two --yes --force").ok();
    site.run("push api web --prune --yes").ok();
    assert_eq!(site.take_writes(), [KEYS, DISCOVERY, KEYS]);
    assert_eq!(site.algorithms(), "EdDSA");
    let export = site.run("export api").ok().stdout;
    assert_eq!(site.dav.document(KEYS), Some(export));
    site.run("create api --kid four --alg EdDSA").ok();
    site.run("push api web --yes").ok();
    assert_eq!(site.take_writes(), [KEYS], "the document names no keys");
}

/// A push that ended between the two documents is completed by the next one.
#[test]
fn a_half_done_push_is_completed() {
    let site = Site::start();
    site.run("push api web --yes").ok();
    site.run("create api --kid two --alg RS256").ok();
    let export = site.run("export api").ok().stdout;
    site.dav.put(KEYS, &export);
    let planned = site.run("push api web --dry-run").ok();
    assert!(
        planned.stderr.contains("changes the discovery document"),
        "{planned:#?}"
    );
    site.run("push api web --yes").ok();
    assert_eq!(site.algorithms(), "ES256 RS256");
}

#[test]
fn the_document_of_another_issuer_stays() {
    let site = Site::start();
    let more = format!(
        "{{\"issuer\":\"{}\",\"token_endpoint\":\"https://t\"}}",
        site.dav.url("/site")
    );
    for text in [
        "{\"issuer\":\"https://other.example\"}",
        "<html></html>",
        "[]",
    ] {
        site.dav.put(DISCOVERY, text);
        site.run("push api web --yes").fails(4);
        assert_eq!(site.dav.document(DISCOVERY).as_deref(), Some(text));
        assert_eq!(site.dav.document(KEYS), None);
    }
    site.dav.put(DISCOVERY, &more);
    site.run("push api web --yes").ok();
    assert_eq!(site.document()["token_endpoint"], "https://t");
}

#[test]
fn an_issuer_is_an_address() {
    let site = Site::start();
    for line in [
        "export api --to discovery",
        "export api --to discovery --issuer issuer.example",
        "export api --to discovery --issuer https://i.example?x=1",
        "export api --to discovery --issuer https://i.example --jwks-uri keys.json",
        "export api --to discovery --issuer https://i.example --private",
        "export api --issuer https://i.example",
        "remote add x --kind http-put --url-env X --issuer https://i.example",
        "remote add x --kind http-put --url https://h.example/k --issuer i",
        "remote add x --kind hydra --url https://h.example --issuer https://i.example",
    ] {
        site.run(line).fails(2);
    }
    let document = site
        .run("export api --to discovery --issuer https://i.example/a/")
        .ok()
        .json();
    assert_eq!(document["issuer"], "https://i.example/a/");
    assert_eq!(
        document["jwks_uri"],
        "https://i.example/a/.well-known/jwks.json"
    );
}
