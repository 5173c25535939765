//! The named servers: what is kept of them, and what is refused.

#![cfg(unix)]

use crate::servers::hydra::{Hydra, Version};
use crate::support::{Run, Sandbox};
use crate::wire::sandbox_with;
use serde_json::{Value, json};
use std::fs;
use std::path::PathBuf;

/// The configuration directory in a sandbox.
pub const CONFIGURATION: &str = if cfg!(target_os = "macos") {
    "Library/Preferences/jwks"
} else {
    ".config/jwks"
};

/// Where the remotes are kept.
pub fn file(sandbox: &Sandbox) -> PathBuf {
    sandbox.path().join(CONFIGURATION).join("remotes.json")
}

/// What is kept of the remotes, as text.
pub fn text(sandbox: &Sandbox) -> String {
    fs::read_to_string(file(sandbox)).expect("remotes.json")
}

/// What is kept of the remotes.
pub fn kept(sandbox: &Sandbox) -> Value {
    serde_json::from_str(&text(sandbox)).expect("JSON")
}

/// Runs `jwks remote add prod` with these arguments.
pub fn add(sandbox: &Sandbox, arguments: &str) -> Run {
    let more = arguments.split(' ').filter(|word| !word.is_empty());
    sandbox.run(["remote", "add", "prod"].into_iter().chain(more))
}

#[test]
fn a_remote_is_added_listed_shown_tested_and_removed() {
    let hydra = Hydra::start(Version::V2_2);
    let sandbox = Sandbox::new();
    let address = hydra.address();
    let run = add(&sandbox, &format!("--kind hydra --url {address}")).ok();
    assert!(run.stderr.contains("jwks remote test prod"), "{run:#?}");
    assert_eq!(hydra.server.calls().len(), 0, "adding asks nobody");

    let list = sandbox.ok(["remote", "list"]);
    assert!(list.contains("prod") && list.contains(&address), "{list}");
    let show = sandbox.ok(["remote", "show", "prod"]);
    for word in ["prod", "hydra", &address, "none", "set whole sets"] {
        assert!(show.contains(word), "{word}: {show}");
    }
    let test = sandbox.ok(["remote", "test", "prod"]);
    assert!(
        test.contains(&address) && test.contains("no token"),
        "{test}"
    );
    assert_eq!(hydra.server.calls().len(), 1, "testing is one call");
    assert_eq!(hydra.server.calls()[0].method, "GET");

    sandbox.ok(["remote", "remove", "prod"]);
    assert_eq!(kept(&sandbox)["remotes"], json!([]));
    sandbox.run(["remote", "show", "prod"]).fails(3);
}

#[test]
fn scripts_get_json() {
    let hydra = Hydra::start(Version::V2_2);
    let sandbox = Sandbox::new();
    let address = hydra.address();
    let added = add(&sandbox, &format!("--kind hydra --url {address} --json"));
    let added = added.ok().json();
    assert_eq!(added["remote"], "prod");
    assert_eq!(added["url"], json!(address));
    let list = sandbox.json(["remote", "list", "--json"]);
    assert_eq!(list["remotes"], json!([added]));
    assert_eq!(sandbox.json(["remote", "show", "prod", "--json"]), added);
    let test = sandbox.json(["remote", "test", "prod", "--json"]);
    assert_eq!(test["kind"], "hydra");
    assert!(
        test["found"].is_string() && test["can"].is_array(),
        "{test}"
    );
    let removed = sandbox.json(["remote", "remove", "prod", "--json"]);
    assert_eq!(removed, json!({ "remote": "prod" }));
    assert_eq!(
        sandbox.json(["remote", "list", "--json"]),
        json!({ "remotes": [] })
    );
}

/// Every setting of every kind is kept as it was given; files so that they are found from
/// everywhere.
#[test]
fn every_setting_is_kept() {
    for (arguments, settings) in [
        (
            "hydra-v1 --url https://a.example:4445/x",
            json!({ "url": "https://a.example:4445/x" }),
        ),
        (
            "ory --project-slug happy-cat",
            json!({ "project_slug": "happy-cat" }),
        ),
        (
            "ory --url https://keys.example",
            json!({ "url": "https://keys.example" }),
        ),
        (
            "authlete --service-id 7 --region eu",
            json!({ "service_id": "7", "region": "eu" }),
        ),
        ("authlete-v2 --service-id 7", json!({ "service_id": "7" })),
        ("clerk", json!({})),
        (
            "apinizer --url https://a.example --project orders --client-id me",
            json!({ "url": "https://a.example", "project": "orders", "client_id": "me" }),
        ),
        (
            "oidc --issuer https://a.example/",
            json!({ "issuer": "https://a.example/" }),
        ),
        ("clerk --token-env CLERK", json!({ "token_env": "CLERK" })),
        (
            "clerk --token-command pass",
            json!({ "token_command": "pass" }),
        ),
        (
            "clerk --header X-A:1 --header X-B:2",
            json!({ "headers": ["X-A:1", "X-B:2"] }),
        ),
    ] {
        let sandbox = Sandbox::new();
        add(&sandbox, &format!("--kind {arguments}")).ok();
        let mut wanted = settings;
        wanted["name"] = json!("prod");
        wanted["kind"] = json!(arguments.split(' ').next());
        assert_eq!(kept(&sandbox)["remotes"], json!([wanted]), "{arguments}");
    }
    let sandbox = Sandbox::new();
    add(
        &sandbox,
        "--kind clerk --cacert ca --cert c --key k --token-file t",
    )
    .ok();
    let entry = kept(&sandbox)["remotes"][0].clone();
    let files = [
        ("cacert", "ca"),
        ("cert", "c"),
        ("key", "k"),
        ("token_file", "t"),
    ];
    for (member, name) in files {
        let path = sandbox.path().join(name);
        assert_eq!(entry[member], json!(path), "{member}");
    }
}

#[test]
fn what_does_not_fit_together_is_refused() {
    for (arguments, word) in [
        ("", "--kind"),
        ("--kind nonsense", "hydra"),
        ("--kind hydra", "--url"),
        ("--kind url", "--url"),
        ("--kind oidc", "--issuer"),
        ("--kind authlete --region eu", "--service-id"),
        ("--kind authlete --service-id 7 --region mars", "eu"),
        ("--kind apinizer --url https://a.example", "--project"),
        ("--kind ory", "--project-slug"),
        (
            "--kind ory --project-slug a --url https://a.example",
            "together",
        ),
        ("--kind ory --project-slug a/b", "slug"),
        (
            "--kind hydra --url https://a.example --region eu",
            "--region",
        ),
        ("--kind clerk --project orders", "--project"),
        ("--kind hydra --url ftp://a.example", "https://"),
        ("--kind hydra --url a.example:4445", "https://"),
        ("--kind hydra --url https://", "address"),
        ("--kind clerk --cert c.pem", "--key"),
        ("--kind clerk --key c.key", "--cert"),
        ("--kind clerk --token-env A --token-file b", "--token-file"),
        (
            "--kind clerk --token-env A --token-command b",
            "--token-command",
        ),
        (
            "--kind clerk --token-file a --token-command b",
            "--token-command",
        ),
        ("--kind clerk --token-env 9", "variable"),
        ("--kind clerk --header nonsense", "NAME:VALUE"),
        ("--kind clerk --header Host:a.example", "host"),
        ("--kind clerk --header Content-Length:1", "content-length"),
    ] {
        let sandbox = Sandbox::new();
        let run = add(&sandbox, arguments).fails(2);
        assert!(run.stderr.contains(word), "{arguments}: {run:#?}");
        assert!(!file(&sandbox).exists(), "{arguments}");
    }
}

#[test]
fn names_are_no_addresses_and_no_paths() {
    let sandbox = Sandbox::new();
    let long = "n".repeat(129);
    for name in [
        "",
        ".",
        "../up",
        "a/b",
        "a:b",
        "a b",
        ".hidden",
        "é",
        "a\u{1b}[31m",
        &long,
    ] {
        let add = ["remote", "add", name, "--kind", "clerk"];
        let run = sandbox.run(add).fails(2);
        assert!(!run.stderr.contains('\u{1b}'), "{run:#?}");
    }
    let longest = "n".repeat(128);
    for name in ["a", "9", "prod.eu-1_x", &longest] {
        sandbox.ok(["remote", "add", name, "--kind", "clerk"]);
    }
}

#[test]
fn a_mistyped_remote_is_answered_with_the_one_that_is_meant() {
    let sandbox = sandbox_with("hydra", "https://a.example", &[]);
    for line in [
        "remote show pord",
        "remote test pord",
        "remote remove pord",
        "push api pord",
        "pull pord:api",
        "diff api pord",
        "get api --remote pord",
        "list --remote pord",
        "create api --remote pord",
        "delete api --remote pord --yes",
    ] {
        let run = sandbox.run(line.split(' ')).fails(3);
        assert!(run.stderr.contains("\"pord\""), "{line}: {run:#?}");
        assert!(
            run.stderr.contains("did you mean prod?"),
            "{line}: {run:#?}"
        );
    }
}

#[test]
fn a_name_that_is_taken_is_replaced_only_by_force() {
    let sandbox = sandbox_with("hydra", "https://one.example", &[]);
    let before = text(&sandbox);
    let two = "--kind hydra --url https://two.example";
    let run = add(&sandbox, two).fails(4);
    assert!(run.stderr.contains("--force"), "{run:#?}");
    assert_eq!(text(&sandbox), before);
    add(&sandbox, &format!("{two} --force")).ok();
    assert_eq!(kept(&sandbox)["remotes"][0]["url"], "https://two.example");
    assert_eq!(kept(&sandbox)["remotes"].as_array().map(Vec::len), Some(1));
}

/// `push`, `pull` and `diff` write REMOTE:NAME; the verbs name the set as they do here.
#[test]
fn the_verbs_name_the_set_by_itself() {
    let hydra = Hydra::start(Version::V2_2);
    let sandbox = Sandbox::new();
    add(&sandbox, &format!("--kind hydra --url {}", hydra.address())).ok();
    let run = sandbox.run(["get", "--remote", "prod:api"]).fails(2);
    assert!(run.stderr.contains("api --remote prod"), "{run:#?}");
    let run = sandbox.run(["get", "--remote", "prod"]).fails(2);
    assert!(run.stderr.contains("SET --remote prod"), "{run:#?}");
}
