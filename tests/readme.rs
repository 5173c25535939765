//! The README keeps its word: every line of its tour runs here, in one sandbox from top to
//! bottom, and prints what stands below it. `[..]` stands for what differs from run to run.

#[path = "support/servers/mod.rs"]
mod servers;
mod support;

use servers::apinizer::{Apinizer, Envelope};
use servers::authlete::{Authlete, SERVICE_ID, Version as Authletes};
use servers::clerk::Clerk;
use servers::hydra::{Hydra, Version};
use servers::ory::{ErrorForm, Ory};
use servers::plain::Plain;
use std::path::Path;
use support::Sandbox;

/// The commands of a document's console blocks and what each prints.
fn console_lines(document: &str) -> Vec<(String, String)> {
    let mut commands: Vec<(String, String)> = Vec::new();
    let mut inside = false;
    for line in document.lines() {
        if line.starts_with("```") {
            inside = line == "```console";
            continue;
        }
        if !inside {
            continue;
        }
        match (line.strip_prefix("$ "), commands.last_mut()) {
            (Some(command), _) => commands.push((command.to_owned(), String::new())),
            (None, Some((_, output))) => {
                output.push_str(line);
                output.push('\n');
            }
            (None, None) => panic!("output before the first command: {line}"),
        }
    }
    commands
}

#[test]
fn every_line_of_the_tour_runs() {
    let readme = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let readme = std::fs::read_to_string(readme).expect("README.md");
    let commands = console_lines(&readme);
    assert!(commands.len() > 10, "the tour was not found");
    let sandbox = Sandbox::new();
    for (command, expected) in commands {
        let run = sandbox.shell(&format!("{{ {command}\n}} 2>&1"));
        let matches = snapbox::Assert::new().try_eq(
            None,
            snapbox::Data::text(run.stdout.clone()),
            snapbox::Data::text(expected.clone()),
        );
        assert!(
            matches.is_ok(),
            "$ {command}\n{}\ninstead of\n{expected}",
            run.stdout
        );
    }
}

/// The lines that one types, from the chapter about servers.
fn server_lines(readme: &str) -> Vec<&str> {
    let chapter = readme.split("\n## Servers\n").nth(1).unwrap_or_default();
    let chapter = chapter.split("\n## ").next().unwrap_or_default();
    let is_typed = |line: &&str| line.starts_with("jwks ");
    let blocks = chapter.split("```sh\n").skip(1);
    let blocks = blocks.map(|block| block.split("```").next().unwrap_or_default());
    blocks.flat_map(str::lines).filter(is_typed).collect()
}

/// Every line about servers runs against a server of its kind, which stands for the address.
#[test]
fn every_line_about_servers_runs() {
    let readme = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let readme = std::fs::read_to_string(readme).expect("README.md");
    let lines = server_lines(&readme);
    assert!(lines.len() > 20, "the chapter was not found");

    let (hydra, old) = (Hydra::start(Version::V2_2), Hydra::start(Version::V1_11));
    let ory = Ory::start("ory_pat_readme", ErrorForm::Nested);
    let authlete = Authlete::start(Authletes::V3);
    let clerk = Clerk::start("sk_test_readme");
    let apinizer = Apinizer::start(Envelope::Success, "orders");
    let issuer = Plain::start();
    issuer.issuer("");
    let sandbox = Sandbox::new();
    sandbox.ok(["create", "published", "--store", "elsewhere"]);
    let published = sandbox.ok(["get", "published", "--store", "elsewhere"]);
    issuer.serve("/jwks.json", published);

    let places = [
        ("http://127.0.0.1:4445", hydra.address()),
        ("http://127.0.0.1:4545", old.address()),
        (
            "--project-slug happy-cat",
            format!("--url {}", ory.address()),
        ),
        (
            "--region eu --service-id 715948317",
            format!("--url {} --service-id {SERVICE_ID}", authlete.address()),
        ),
        (
            "--kind clerk",
            format!("--kind clerk --url {}", clerk.address()),
        ),
        ("https://apinizer.example", apinizer.address()),
        ("https://issuer.example", issuer.address()),
    ];
    for line in lines {
        let mut command = line.to_owned();
        for (place, server) in &places {
            command = command.replace(place, server);
        }
        let mut shell = sandbox.command("sh");
        shell
            .args(["-c", &command])
            .env("ORY_ACCESS_TOKEN", "ory_pat_readme")
            .env("AUTHLETE_BEARER", authlete.token())
            .env("CLERK_SECRET_KEY", "sk_test_readme")
            .env("APINIZER_TOKEN", apinizer.token());
        let run = support::finish(&mut shell);
        assert_eq!(run.code, Some(0), "$ {line}\n{run:#?}");
    }
}

/// The two commands for a fresh machine are there to be copied.
#[test]
fn the_two_commands_are_there() {
    let readme = include_str!("../README.md");
    assert!(readme.contains("\ncargo run --release -- create api\n"));
    assert!(readme.contains("\ncargo test\n"));
}
