//! Every example in the help of every command runs as it stands there.

use crate::support::{COMMANDS, Sandbox};

/// The lines behind `$ ` in a help text.
fn examples(help: &str) -> Vec<String> {
    let lines = help.lines().filter_map(|line| line.strip_prefix("  $ "));
    lines.map(str::to_owned).collect()
}

/// What the examples speak of: the sets `api` and `old`, the keys in own.pem and other.json.
fn workplace() -> Sandbox {
    let sandbox = Sandbox::new();
    for create in [
        &["create", "api", "--kid", "second"][..],
        &["create", "api", "--kid", "first", "--alg", "EdDSA"],
        &["create", "old"],
        &["create", "other", "--kid", "first"],
    ] {
        sandbox.ok(create);
    }
    sandbox.ok([
        "export",
        "other",
        "--to",
        "jwk",
        "--private",
        "-o",
        "other.json",
    ]);
    sandbox.ok(["export", "old", "--to", "pem", "--private", "-o", "own.pem"]);
    sandbox.ok(["export", "api", "-o", "jwks.json"]);
    sandbox
}

#[test]
fn every_example_runs() {
    for command in COMMANDS {
        let help = Sandbox::new().ok([command, "--help"]);
        let examples = examples(&help);
        assert!(examples.len() >= 2, "{command} has no examples");
        for example in examples {
            let run = workplace().shell(&format!("set -e\n{example}"));
            assert_eq!(run.code, Some(0), "$ {example}\n{run:#?}");
            assert!(!run.stderr.contains("error"), "$ {example}\n{run:#?}");
        }
    }
    let help = Sandbox::new().ok(["--help"]);
    let sandbox = workplace();
    for example in examples(&help) {
        sandbox.shell(&example).ok();
    }
}
