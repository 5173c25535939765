//! Where the tokens of remotes come from, and where they never go.

#![cfg(unix)]

use crate::remotes::text;
use crate::servers::clerk::Clerk;
use crate::servers::{Answer, Server};
use crate::support::{JWKS, Run, Sandbox, finish, has_tool};
use crate::terminal::on_terminal;
use crate::wire::{PUBLIC_SET, name_server, sandbox_with};
use std::fs;
use std::os::unix::fs::PermissionsExt as _;

const TOKEN: &str = "canary-token-5d1f";

/// A server that tells everybody everything, and remembers who asked.
fn listener() -> Server {
    Server::start(|_| Answer::json(200, PUBLIC_SET))
}

fn authorization(server: &Server) -> Option<String> {
    let calls = server.calls();
    let last = calls.last().expect("a call");
    last.header("Authorization").map(str::to_owned)
}

fn bearer() -> Option<String> {
    Some(format!("Bearer {TOKEN}"))
}

/// Runs `jwks remote test prod` with these variables.
fn test(sandbox: &Sandbox, variables: &[(&str, &str)]) -> Run {
    let mut command = sandbox.command(JWKS);
    command.envs(variables.iter().copied());
    finish(command.args(["remote", "test", "prod"]))
}

#[test]
fn a_token_comes_from_a_variable_a_file_or_a_command() {
    let server = listener();
    let sandbox = sandbox_with("clerk", &server.address(), &["--token-env", "MINE"]);
    let run = test(&sandbox, &[("MINE", TOKEN)]).ok();
    assert!(run.stdout.contains("the variable MINE"), "{run:#?}");
    assert_eq!(authorization(&server), bearer());

    sandbox.write("token", format!("{TOKEN}\n"));
    sandbox.shell("chmod 600 token").ok();
    name_server(
        &sandbox,
        "clerk",
        &server.address(),
        &["--token-file", "token"],
    );
    let run = test(&sandbox, &[]).ok();
    assert!(run.stdout.contains("token"), "{run:#?}");
    assert_eq!(run.stderr, "");
    assert_eq!(authorization(&server), bearer());

    let command = ["--token-command", "cat token; echo asked >&2"];
    name_server(&sandbox, "clerk", &server.address(), &command);
    let run = test(&sandbox, &[]).ok();
    assert!(run.stderr.contains("asked"), "a command may talk: {run:#?}");
    assert_eq!(authorization(&server), bearer());
    assert!(!text(&sandbox).contains(TOKEN));
}

/// Without any of them it is looked for where the service's own clients look; what the entry says
/// comes first.
#[test]
fn the_services_own_variable_is_looked_into_last() {
    let server = listener();
    let sandbox = sandbox_with("clerk", &server.address(), &[]);
    test(&sandbox, &[("CLERK_SECRET_KEY", TOKEN)]).ok();
    assert_eq!(authorization(&server), bearer());
    name_server(
        &sandbox,
        "clerk",
        &server.address(),
        &["--token-env", "MINE"],
    );
    test(
        &sandbox,
        &[("CLERK_SECRET_KEY", "other-token"), ("MINE", TOKEN)],
    )
    .ok();
    assert_eq!(authorization(&server), bearer());
    let run = test(&sandbox, &[("CLERK_SECRET_KEY", TOKEN)]).fails(7);
    assert!(run.stderr.contains("MINE is not set"), "{run:#?}");
}

/// A kind that needs no token sends none, though a variable of another service is set.
#[test]
fn a_token_goes_only_where_it_was_meant_for() {
    let server = listener();
    let sandbox = sandbox_with("hydra", &server.address(), &[]);
    let variables = [("CLERK_SECRET_KEY", TOKEN), ("ORY_ACCESS_TOKEN", TOKEN)];
    test(&sandbox, &variables).ok();
    assert_eq!(authorization(&server), None);
}

#[test]
fn a_token_may_stand_in_a_header() {
    let server = listener();
    let more = [
        "--token-env",
        "MINE",
        "--header",
        "X-Api-Key: key {token};v=1",
    ];
    for kind in ["clerk", "hydra", "url"] {
        let sandbox = sandbox_with(kind, &server.address(), &more);
        test(&sandbox, &[("MINE", TOKEN)]).ok();
        let calls = server.calls();
        let header = calls.last().and_then(|call| call.header("X-Api-Key"));
        assert_eq!(header, Some(&*format!("key {TOKEN};v=1")), "{kind}");
        assert_eq!(authorization(&server), None, "{kind}: nowhere else");
        assert!(text(&sandbox).contains("{token}"));
        test(&sandbox, &[]).fails(7);
    }
}

#[test]
fn an_address_with_a_password_is_refused_and_not_repeated() {
    let sandbox = Sandbox::new();
    for address in [
        "https://user:passphrase@a.example",
        "https://passphrase@a.example",
        "http://user:passphrase@127.0.0.1:4445",
        "https://user:passphrase@[a.example",
        "ftp://user:passphrase@a.example",
    ] {
        for line in [
            ["remote", "add", "prod", "--kind", "hydra", "--url", address],
            [
                "remote", "add", "prod", "--kind", "oidc", "--issuer", address,
            ],
        ] {
            let run = sandbox.run(line).fails(2);
            assert!(!run.stderr.contains("passphrase"), "{run:#?}");
            assert!(run.stderr.contains("address"), "{run:#?}");
        }
    }
    let address = "https://user:passphrase@a.example";
    for line in [
        &["pull", address, "api"][..],
        &["get", "--remote", address],
        &["set", "api", address],
        &["remote", "test", address],
    ] {
        let run = sandbox.run(line).fails(2);
        assert!(!run.stderr.contains("passphrase"), "{run:#?}");
    }
    assert!(!sandbox.path().join(".config").exists());
}

/// A token on the command line is in everybody's list of processes already; it does not come into
/// the entry and the log as well.
#[test]
fn a_secret_on_the_command_line_is_refused_and_not_repeated() {
    let sandbox = Sandbox::new();
    for more in [
        ["--header", &*format!("Authorization: Bearer {TOKEN}")],
        ["--header", &*format!("X-Api-Key:{TOKEN}")],
        ["--header", &*format!("Cookie: session={TOKEN}")],
        ["--header", &*format!("x-auth-token: {TOKEN}")],
        ["--header", &*format!("Authorization Bearer {TOKEN}")],
        [
            "--header",
            &*format!("Authorization: Bearer {TOKEN}\r\nX: y"),
        ],
        ["--token-env", TOKEN],
        ["--token", TOKEN],
    ] {
        let add = ["remote", "add", "prod", "--kind", "clerk"];
        let run = sandbox.run(add.iter().chain(&more)).fails(2);
        assert!(!run.stderr.contains(TOKEN), "{more:?}: {run:#?}");
        assert!(!sandbox.path().join(".config").exists(), "{more:?}");
    }
}

/// Tokens of Ory and Clerk look like the name of a variable; their beginning gives them away.
#[test]
fn a_token_is_not_taken_for_a_variable() {
    let sandbox = Sandbox::new();
    for token in [
        "ory_pat_5d1fAbCd",
        "ory_apikey_5d1fAbCd",
        "sk_live_5d1fAbCd",
    ] {
        let add = ["remote", "add", "prod", "--kind", "clerk", "--token-env"];
        let run = sandbox.run(add.iter().chain(&[token])).fails(2);
        assert!(!run.stderr.contains("5d1f"), "{run:#?}");
    }
}

#[test]
fn a_token_file_that_others_can_read_is_worth_a_warning() {
    let server = listener();
    let sandbox = sandbox_with("clerk", &server.address(), &["--token-file", "token"]);
    let file = sandbox.write("token", TOKEN);
    for open in [0o640, 0o604, 0o666] {
        fs::set_permissions(&file, fs::Permissions::from_mode(open)).expect("a mode");
        let run = test(&sandbox, &[]).ok();
        assert!(run.stderr.contains("chmod 600"), "{open:o}: {run:#?}");
        assert!(run.stderr.contains(&file), "{open:o}: {run:#?}");
        let run = sandbox.run(["remote", "test", "prod", "--quiet"]).ok();
        assert_eq!(run.stderr, "");
    }
}

/// Nothing is asked of the server with half a token or none.
#[test]
fn what_is_no_token_is_refused() {
    let server = listener();
    let sandbox = Sandbox::new();
    for (name, content) in [
        ("empty", &b""[..]),
        ("blank", b" \n\n"),
        ("two", b"canary-one\ncanary-two\n"),
        ("control", b"canary\x1b[31m"),
        ("binary", b"canary\xff\xfe"),
        ("unicode", "canary-caf\u{e9}".as_bytes()),
        ("huge", &b"canary-".repeat(20_000)),
    ] {
        sandbox.write(name, content);
        sandbox.shell(&format!("chmod 600 {name}")).ok();
        let command = format!("cat {name}");
        for source in [["--token-file", name], ["--token-command", &command]] {
            name_server(&sandbox, "clerk", &server.address(), &source);
            let run = test(&sandbox, &[]).fails(7);
            assert!(run.stderr.contains("token"), "{name}: {run:#?}");
            assert!(!run.stderr.contains("canary"), "{name}: {run:#?}");
        }
    }
    for (source, word) in [
        (["--token-file", "missing"], "missing"),
        (["--token-file", "."], "cannot read"),
        (["--token-command", "echo canary-token-5d1f; exit 3"], "3"),
        (["--token-command", "no-such-program"], "no-such-program"),
        (["--token-command", "kill -9 $$"], "9"),
        (["--token-env", "UNSET"], "UNSET"),
    ] {
        name_server(&sandbox, "clerk", &server.address(), &source);
        let run = test(&sandbox, &[]).fails(7);
        assert!(run.stderr.contains(word), "{source:?}: {run:#?}");
        assert!(run.stderr.contains("hint: "), "{source:?}: {run:#?}");
    }
    assert_eq!(server.calls().len(), 0);
}

#[test]
fn without_a_token_the_ways_to_give_one_are_told() {
    let server = listener();
    let sandbox = sandbox_with("clerk", &server.address(), &[]);
    for line in ["remote test prod", "pull prod", "list --remote prod --json"] {
        let run = sandbox.run(line.split(' ')).fails(7);
        for way in [
            "CLERK_SECRET_KEY",
            "--token-env",
            "--token-file",
            "--token-command",
        ] {
            assert!(run.stderr.contains(way), "{line}: {run:#?}");
        }
    }
    assert_eq!(server.calls().len(), 0);
}

/// Who is refused is told where the token came from, so that the right one can be mended.
#[test]
fn a_refused_token_is_told_from_a_missing_right() {
    let clerk = Clerk::start("the-right-token");
    let sandbox = sandbox_with("clerk", &clerk.address(), &["--token-env", "MINE"]);
    let run = test(&sandbox, &[("MINE", TOKEN)]).fails(7);
    assert!(run.stderr.contains("401"), "{run:#?}");
    assert!(run.stderr.contains("jwks remote show"), "{run:#?}");
    clerk.fail_next(1, 403);
    let run = test(&sandbox, &[("MINE", "the-right-token")]).fails(7);
    assert!(run.stderr.contains("lacks the permission"), "{run:#?}");
}

#[test]
fn a_person_at_a_terminal_is_asked_and_not_overheard() {
    if !has_tool("setsid") {
        return;
    }
    let server = listener();
    let sandbox = sandbox_with("clerk", &server.address(), &[]);
    let typed = format!("{TOKEN}\n");
    let run = on_terminal(&sandbox, "jwks remote test prod", &typed, &[]).ok();
    assert!(!run.stdout.contains(TOKEN), "{run:#?}");
    assert!(run.stdout.contains("the prompt"), "{run:#?}");
    assert_eq!(authorization(&server), bearer());

    server.forget_calls();
    let empty = on_terminal(&sandbox, "jwks remote test prod", "\n", &[]);
    assert_eq!(empty.code, Some(7), "{empty:#?}");
    let quiet = on_terminal(&sandbox, "jwks remote test prod --no-input", "", &[]);
    assert_eq!(quiet.code, Some(7), "{quiet:#?}");
    assert!(!quiet.stdout.contains("Token for prod: "), "{quiet:#?}");
    let piped = on_terminal(&sandbox, "jwks remote test prod < /dev/null", "", &[]);
    assert_eq!(piped.code, Some(7), "{piped:#?}");
    assert_eq!(server.calls().len(), 0);
}

/// Ctrl-C at the question ends the program, and typing is seen again afterwards.
#[test]
fn an_interrupted_question_leaves_the_terminal_as_it_was() {
    if !has_tool("setsid") {
        return;
    }
    let sandbox = sandbox_with("clerk", "http://127.0.0.1:9", &[]);
    let line = "trap : INT; jwks remote test prod; echo code $?; stty -a";
    let run = on_terminal(&sandbox, line, "\u{3}", &[]);
    assert!(run.stdout.contains("code 130"), "{run:#?}");
    assert!(run.stdout.contains(" echo "), "{run:#?}");
}

/// A command that fetches one secret does not inherit the others.
#[test]
fn commands_do_not_inherit_secrets() {
    let server = listener();
    let sandbox = sandbox_with("url", &server.address(), &[]);
    sandbox.ok([
        "remote",
        "add",
        "other",
        "--kind",
        "clerk",
        "--token-env",
        "MY_OWN_TOKEN",
    ]);
    let command = "env > seen.txt; echo secret-enough";
    let remote = ["--token-command", command];
    name_server(&sandbox, "url", &server.address(), &remote);
    let secrets = [
        ("JWKS_PASSPHRASE", TOKEN),
        ("CLERK_SECRET_KEY", TOKEN),
        ("AUTHLETE_BEARER", TOKEN),
        ("ORY_ACCESS_TOKEN", TOKEN),
        ("MY_OWN_TOKEN", TOKEN),
        ("VAULT_ADDR", "kept"),
    ];
    test(&sandbox, &secrets).ok();
    let check = |what: &str| {
        let seen = fs::read_to_string(sandbox.path().join("seen.txt")).expect("its environment");
        assert!(!seen.contains(TOKEN), "{what}: {seen}");
        assert!(seen.contains("VAULT_ADDR=kept"), "{what}: {seen}");
        assert!(seen.contains("PATH="), "{what}: {seen}");
    };
    check("--token-command");
    let mut create = sandbox.command(JWKS);
    create
        .envs(secrets)
        .args(["create", "safe", "--encrypt", "--p2c", "1000"]);
    finish(create.args(["--passphrase-command", command])).ok();
    check("--passphrase-command");
}
