//! Every example in the help of every command runs as it stands there.

use crate::servers::clerk::Clerk;
use crate::servers::hydra::{Hydra, Version};
use crate::servers::plain::Plain;
use crate::support::{COMMANDS, REMOTE_COMMANDS, Sandbox};
use std::path::Path;

/// The lines behind `$ ` in a help text.
fn examples(help: &str) -> Vec<String> {
    let lines = help.lines().filter_map(|line| line.strip_prefix("  $ "));
    lines.map(str::to_owned).collect()
}

/// The servers that the examples speak of.
struct Servers {
    hydra: Hydra,
    clerk: Clerk,
    issuer: Plain,
}

impl Servers {
    fn start() -> Self {
        let sandbox = Sandbox::new();
        sandbox.ok(["create", "issuer"]);
        let issuer = Plain::start();
        issuer.serve("/jwks.json", sandbox.ok(["get", "issuer"]));
        let hydra = Hydra::start(Version::V2_2);
        sandbox.ok(["create", "tokens"]);
        let tokens = sandbox.json(["get", "tokens", "--private"]);
        hydra.put("hydra.openid.id-token", &tokens);
        Servers {
            hydra,
            clerk: Clerk::start("sk_test_example"),
            issuer,
        }
    }

    /// The address that stands for the issuer's.
    fn run(&self, sandbox: &Sandbox, example: &str) -> crate::support::Run {
        // Each example finds the server as the first one did.
        let tokens = serde_json::json!({"keys": self.hydra.keys("hydra.openid.id-token")});
        let shared = sandbox.json(["get", "api", "--private"]);
        self.hydra.put("api", &shared);
        let line = example.replace("https://issuer.example", &self.issuer.address());
        let run = sandbox.shell(&format!("export EXAMPLE=sk_test_example; set -e\n{line}"));
        self.hydra.put("hydra.openid.id-token", &tokens);
        run
    }
}

/// What the examples speak of: the sets `api` and `old`, the keys in own.pem and other.json, the
/// remotes `prod` and `clerk`.
fn workplace(servers: &Servers) -> Sandbox {
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
    sandbox.ok(["create", "web"]);
    let issuer = servers.issuer.address();
    let token = sandbox.ok(["sign", "web", "--iss", &issuer, "--aud", "shop"]);
    sandbox.write("token.jwt", token);
    sandbox.write("password.txt", "correct horse");
    let half = r#"{"kty":"EC","crv":"P-256","d":"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A"}"#;
    sandbox.write("broken.json", half);
    sandbox.write("passphrase.txt", "of this set");
    sandbox.write("next.txt", "of the next one");
    let files = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cmd/base");
    for (name, file) in [
        ("keystore.p12", "keystore.p12"),
        ("password", "password"),
        (".ssh/id_ed25519", "id_ed25519"),
    ] {
        sandbox.write(name, std::fs::read(files.join(file)).expect("a fixture"));
    }
    let issuer = servers.issuer.url("/jwks.json");
    sandbox.ok(["set", "issuer", &*issuer]);
    let (hydra, clerk) = (servers.hydra.address(), servers.clerk.address());
    sandbox.ok(["remote", "add", "prod", "--kind", "hydra", "--url", &*hydra]);
    sandbox.ok([
        "remote",
        "add",
        "clerk",
        "--kind",
        "clerk",
        "--token-env",
        "EXAMPLE",
        "--url",
        &*clerk,
    ]);
    sandbox
}

/// A copy of a sandbox, to be changed.
fn copy(template: &Sandbox) -> Sandbox {
    let sandbox = Sandbox::new();
    let copy = format!("cp -a '{}/.' .", template.path().display());
    sandbox.shell(&copy).ok();
    sandbox
}

#[test]
fn every_example_runs() {
    let servers = Servers::start();
    let template = workplace(&servers);
    let commands = COMMANDS.iter().map(|command| vec![*command]);
    let below = REMOTE_COMMANDS.iter().map(|below| vec!["remote", below]);
    for command in commands.chain(below) {
        let help = Sandbox::new().ok(command.iter().copied().chain(["--help"]));
        let examples = examples(&help);
        let least = if command.len() == 1 { 2 } else { 0 };
        assert!(examples.len() >= least, "{command:?} has no examples");
        for example in examples {
            let sandbox = copy(&template);
            if example.contains("payments") {
                // An encrypted set, which the examples of other commands would ask for.
                let create =
                    "create payments --encrypt --p2c 1000 --passphrase-file passphrase.txt";
                sandbox.ok(create.split(' '));
            }
            if command == ["restore"] {
                sandbox.ok("delete api --yes --force --purge".split(' '));
                sandbox.ok("create api --now -2h".split(' '));
                sandbox.ok("create api --now -1h".split(' '));
            }
            let run = servers.run(&sandbox, &example);
            assert_eq!(run.code, Some(0), "$ {example}\n{run:#?}");
            assert!(!run.stderr.contains("error"), "$ {example}\n{run:#?}");
        }
    }
    let help = Sandbox::new().ok(["--help"]);
    let sandbox = copy(&template);
    for example in examples(&help) {
        servers.run(&sandbox, &example).ok();
    }
}
