//! Ory Network: a Hydra behind a gateway that wants a token and counts calls.

use crate::hydra::site::public;
use crate::servers::ory::{ErrorForm, Ory};
use crate::support::{JWKS, Run, Sandbox, finish};
use std::process::Command;

const TOKEN: &str = "ory_pat_canary_in_a_coal_mine";

/// Ory's own clients keep it there, and so do we where nothing else is said.
const VARIABLE: &str = "ORY_ACCESS_TOKEN";

fn project(sandbox: &Sandbox, options: &[&str]) -> Ory {
    let ory = Ory::start(TOKEN, ErrorForm::Nested);
    add(sandbox, &ory, options);
    ory
}

fn add(sandbox: &Sandbox, ory: &Ory, options: &[&str]) {
    let address = ory.address();
    let add = [
        "remote", "add", "network", "--kind", "ory", "--url", &address,
    ];
    sandbox.ok(add.iter().chain(options));
}

fn jwks(sandbox: &Sandbox, line: &str) -> Command {
    let mut command = sandbox.command(JWKS);
    command.args(line.split_whitespace());
    command
}

/// Runs with the token in the variable of Ory's own clients.
fn run(sandbox: &Sandbox, line: &str) -> Run {
    finish(jwks(sandbox, line).env(VARIABLE, TOKEN))
}

/// The token came to the server, and to nothing that is kept or said.
fn is_used_and_kept_secret(sandbox: &Sandbox, ory: &Ory, run: Run) {
    let run = run.ok();
    let calls = ory.hydra.server.calls();
    let bearer = format!("Bearer {TOKEN}");
    assert!(!calls.is_empty());
    assert!(
        calls
            .iter()
            .all(|call| call.header("Authorization") == Some(&bearer))
    );
    let found = sandbox.shell(&format!(
        "grep -r {TOKEN} . --exclude=token --exclude=token.sh"
    ));
    assert_eq!(found.code, Some(1), "{found:#?}");
    assert!(
        !run.stdout.contains(TOKEN) && !run.stderr.contains(TOKEN),
        "{run:#?}"
    );
}

#[test]
fn the_token_comes_from_the_variable_of_orys_own_clients() {
    let sandbox = Sandbox::new();
    let ory = project(&sandbox, &[]);
    let run = run(&sandbox, "create api --remote network -v");
    is_used_and_kept_secret(&sandbox, &ory, run);
}

#[test]
fn the_token_comes_from_a_variable_of_ones_own() {
    let sandbox = Sandbox::new();
    let ory = project(&sandbox, &["--token-env", "DEPLOY_TOKEN"]);
    let mut create = jwks(&sandbox, "create api --remote network -v");
    // The usual variable holds another project's.
    let run = finish(
        create
            .env("DEPLOY_TOKEN", TOKEN)
            .env(VARIABLE, "ory_pat_other"),
    );
    is_used_and_kept_secret(&sandbox, &ory, run);
    let run = sandbox.run(["list", "api", "--remote", "network"]).fails(7);
    assert!(run.stderr.contains("DEPLOY_TOKEN is not set"), "{run:#?}");
}

/// From whichever directory the program is started.
#[test]
fn the_token_comes_from_a_file() {
    let sandbox = Sandbox::new();
    sandbox.write("token", format!("{TOKEN}\n"));
    sandbox.shell("chmod 600 token; mkdir elsewhere").ok();
    let ory = project(&sandbox, &["--token-file", "token"]);
    let mut create = jwks(&sandbox, "create api --remote network -v");
    let run = finish(create.current_dir(sandbox.path().join("elsewhere")));
    assert!(!run.stderr.contains("chmod"), "{run:#?}");
    is_used_and_kept_secret(&sandbox, &ory, run);
}

#[test]
fn a_token_file_that_others_can_read_is_warned_of() {
    let sandbox = Sandbox::new();
    sandbox.write("token", TOKEN);
    sandbox.shell("chmod 644 token").ok();
    let _ory = project(&sandbox, &["--token-file", "token"]);
    let run = sandbox.run(["create", "api", "--remote", "network"]).ok();
    assert!(run.stderr.contains("chmod 600"), "{run:#?}");
}

#[test]
fn the_token_comes_from_a_command() {
    let sandbox = Sandbox::new();
    sandbox.write("token.sh", format!("echo {TOKEN}"));
    let ory = project(&sandbox, &["--token-command", "sh token.sh"]);
    let run = sandbox.run(["create", "api", "--remote", "network", "-v"]);
    is_used_and_kept_secret(&sandbox, &ory, run);
}

#[test]
fn a_source_that_gives_no_token_is_named() {
    for (options, said) in [
        (["--token-file", "nowhere"], "nowhere"),
        (["--token-command", "exit 3"], "exit 3"),
        (["--token-command", "true"], "is empty"),
        (
            ["--token-command", "printf 'a\\nb'"],
            "characters that are not allowed in a header",
        ),
    ] {
        let sandbox = Sandbox::new();
        let ory = project(&sandbox, &options);
        // The usual variable is no way around what was said.
        let run = run(&sandbox, "get api --remote network").fails(7);
        assert!(run.stderr.contains(said), "{options:?}: {run:#?}");
        assert!(ory.hydra.server.lines().is_empty());
    }
}

#[test]
fn without_a_token_every_way_to_give_one_is_told() {
    let sandbox = Sandbox::new();
    let ory = project(&sandbox, &[]);
    let run = sandbox.run(["get", "api", "--remote", "network"]).fails(7);
    for way in [VARIABLE, "--token-env", "--token-file", "--token-command"] {
        assert!(run.stderr.contains(way), "{way}: {run:#?}");
    }
    assert!(ory.hydra.server.lines().is_empty());
}

/// Nobody could confirm in which form the gateway refuses: both are understood.
#[test]
fn the_gateways_own_words_are_passed_on() {
    for form in [ErrorForm::Nested, ErrorForm::Flat] {
        let sandbox = Sandbox::new();
        let ory = Ory::start(TOKEN, form);
        add(&sandbox, &ory, &[]);
        let mut wrong = jwks(&sandbox, "get api --remote network");
        let denied = finish(wrong.env(VARIABLE, "ory_pat_expired_long_ago")).fails(7);
        assert!(denied.stderr.contains("401"), "{denied:#?}");
        ory.without_permission();
        let forbidden = run(&sandbox, "get api --remote network").fails(7);
        assert!(forbidden.stderr.contains("403"), "{forbidden:#?}");
        for run in [denied, forbidden] {
            assert!(
                run.stderr.contains("does not let this request through"),
                "{run:#?}"
            );
            assert!(!run.stderr.contains("ory_pat_"), "{run:#?}");
        }
        assert_eq!(ory.hydra.server.lines().len(), 2, "neither is tried again");
    }
}

pub fn a_rate_limit_is_waited_for() {
    let sandbox = Sandbox::new();
    let ory = project(&sandbox, &[]);
    for (line, seconds) in [
        ("create api --remote network", 1),
        ("get api --remote network", 0),
    ] {
        ory.limit_next(1, seconds);
        let run = run(&sandbox, line).ok();
        let pause = format!("again in {seconds}.0 s");
        assert!(
            run.stderr.contains("429") && run.stderr.contains(&pause),
            "{run:#?}"
        );
    }
    assert_eq!(
        ory.hydra.keys("api").len(),
        1,
        "the first was not carried out"
    );
}

#[test]
fn a_rate_limit_that_lasts_is_told_and_not_waited_for() {
    let sandbox = Sandbox::new();
    let ory = project(&sandbox, &[]);
    ory.limit_next(1, 3600);
    let run = run(&sandbox, "get api --remote network").fails(6);
    assert!(run.stderr.contains("3600 s"), "{run:#?}");
    assert!(!run.stderr.contains("again in"), "{run:#?}");
}

#[test]
fn the_address_comes_from_the_variable_of_orys_own_clients() {
    let sandbox = Sandbox::new();
    let ory = Ory::start(TOKEN, ErrorForm::Nested);
    let with_address = |line: &str| {
        let mut command = jwks(&sandbox, line);
        finish(
            command
                .env("ORY_SDK_URL", ory.address())
                .env(VARIABLE, TOKEN),
        )
    };
    with_address("remote add network --kind ory").ok();
    with_address("create api --remote network --kid first").ok();
    assert_eq!(ory.hydra.signer("api").as_deref(), Some("first"));
    let lost = run(&sandbox, "get api --remote network").fails(2);
    assert!(lost.stderr.contains("ORY_SDK_URL"), "{lost:#?}");
}

#[test]
fn a_project_is_named_by_slug_or_address() {
    let sandbox = Sandbox::new();
    let add = |options: &str| run(&sandbox, &format!("remote add {options} --kind ory"));
    let run = add("nowhere").fails(2);
    assert!(
        run.stderr.contains("--project-slug") && run.stderr.contains("ORY_SDK_URL"),
        "{run:#?}"
    );
    add("both --project-slug happy-cat --url https://ory.example").fails(2);
    add("odd --project-slug happy/cat").fails(2);
    add("cat --project-slug happy-cat").ok();
}

/// All the rest is Hydra's.
#[test]
fn sets_move_there_and_back() {
    let sandbox = Sandbox::new();
    let ory = project(&sandbox, &[]);
    for kid in ["old", "now"] {
        run(&sandbox, &format!("create api --kid {kid}")).ok();
    }
    let before = sandbox.read_set("api");
    run(&sandbox, "push api network --yes").ok();
    assert_eq!(ory.hydra.signer("api").as_deref(), Some("now"));
    run(&sandbox, "diff api network --exit-code").ok();
    run(&sandbox, "pull network:api").ok();
    assert_eq!(sandbox.read_set("api"), before);
    let key = run(&sandbox, "get api now --remote network").ok().json();
    assert_eq!(key["x"], public(&ory.hydra.keys("api")[1])["x"]);
    run(&sandbox, "delete api now --remote network --yes --force").ok();
    run(&sandbox, "delete api now --remote network --yes").fails(3);
}

/// A client takes a private key or token nowhere over plain http.
#[test]
fn the_token_does_not_go_over_plain_http() {
    let sandbox = Sandbox::new();
    run(&sandbox, "remote add far --kind ory --url http://192.0.2.1").ok();
    let refused = run(&sandbox, "get api --remote far").fails(4);
    assert!(
        refused.stderr.contains("--allow-insecure-http"),
        "{refused:#?}"
    );
}
