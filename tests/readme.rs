//! The README and the guides keep their word: every line of their console blocks runs here, in one
//! sandbox per document from top to bottom, and prints what stands below it. `[..]` stands for what
//! differs from run to run.

#[path = "support/servers/mod.rs"]
mod servers;
mod support;

use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};
use servers::apinizer::{Apinizer, Envelope};
use servers::authlete::{Authlete, SERVICE_ID, Version as Authletes};
use servers::clerk::Clerk;
use servers::dav::Dav;
use servers::gcs::Gcs;
use servers::hydra::{Hydra, Version};
use servers::kubernetes::{self, Kubernetes};
use servers::ory::{ErrorForm, Ory};
use servers::plain::Plain;
use servers::s3::Storage;
use std::path::Path;
use std::sync::Mutex;
use support::Sandbox;

const README: &str = include_str!("../README.md");

/// Every document with examples: its path and its text.
const DOCUMENTS: &[(&str, &str)] = &[
    ("README.md", README),
    (
        "man/jwks-rotation.7.md",
        include_str!("../man/jwks-rotation.7.md"),
    ),
    ("man/jwks-servers.7.md", SERVERS),
    (
        "man/jwks-formats.7.md",
        include_str!("../man/jwks-formats.7.md"),
    ),
    (
        "man/jwks-pipelines.7.md",
        include_str!("../man/jwks-pipelines.7.md"),
    ),
    ("man/jwks-json.7.md", include_str!("../man/jwks-json.7.md")),
    (
        "man/jwks-security.7.md",
        include_str!("../man/jwks-security.7.md"),
    ),
    (
        "man/jwks-contributing.7.md",
        include_str!("../man/jwks-contributing.7.md"),
    ),
];

const SERVERS: &str = include_str!("../man/jwks-servers.7.md");

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

/// Runs the console lines of a document, and returns what differs from it.
fn differences(path: &str, document: &str, sandbox: &Sandbox) -> Vec<String> {
    let mut differences = Vec::new();
    for (command, expected) in console_lines(document) {
        // One random secret in 256 ends in a line feed, and jwks warns about that.
        let command = command.replace("openssl rand 32 |", "openssl rand 32 | tr '\\n' x |");
        let run = sandbox.shell(&format!("{{ {command}\n}} 2>&1"));
        let matches = snapbox::Assert::new().try_eq(
            None,
            snapbox::Data::text(run.stdout.clone()),
            snapbox::Data::text(expected.clone()),
        );
        if matches.is_err() {
            differences.push(format!(
                "{path}: $ {command}\n{}\ninstead of\n{expected}",
                run.stdout
            ));
        }
    }
    differences
}

/// The documents are run at the same time, because some examples take long.
#[test]
fn every_console_line_runs_and_the_picture_is_up_to_date() {
    let differing = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for (path, document) in DOCUMENTS {
            scope.spawn(|| {
                let sandbox = Sandbox::new();
                let found = differences(path, document, &sandbox);
                if *path == "README.md" && found.is_empty() {
                    assert_picture_is_up_to_date(&sandbox);
                }
                differing.lock().expect("the differences").extend(found);
            });
        }
    });
    let differing = differing.into_inner().expect("the differences");
    assert!(differing.is_empty(), "{}", differing.join("\n"));
    let number = |document: &str| console_lines(document).len();
    assert!(number(README) > 10, "the tour was not found");
}

/// The README's picture is what the program draws. `JWKS_UPDATE=1` writes it anew.
fn assert_picture_is_up_to_date(sandbox: &Sandbox) {
    let drawn = sandbox.path().join("timeline.svg");
    let drawn = std::fs::read_to_string(drawn).expect("an example draws the picture");
    let committed = Path::new(env!("CARGO_MANIFEST_DIR")).join("man/timeline.svg");
    if std::env::var_os("JWKS_UPDATE").is_some() {
        std::fs::write(&committed, &drawn).expect("the file is written");
    }
    assert_eq!(
        std::fs::read_to_string(committed).expect("the picture"),
        drawn
    );
}

/// The commands in a document's `sh` blocks.
fn shell_lines(document: &str) -> Vec<&str> {
    let blocks = document.split("```sh\n").skip(1);
    let blocks = blocks.map(|block| block.split("```").next().unwrap_or_default());
    let is_jwks = |line: &&str| line.starts_with("jwks ");
    blocks.flat_map(str::lines).filter(is_jwks).collect()
}

/// The README's chapter about servers.
fn servers_chapter() -> &'static str {
    let chapter = README.split("\n## Servers\n").nth(1).unwrap_or_default();
    chapter.split("\n## ").next().unwrap_or_default()
}

/// Every line about servers runs against a server of its kind, which stands for the address.
#[test]
fn every_line_about_servers_runs() {
    for (chapter, at_least) in [(SERVERS, 20), (servers_chapter(), 4)] {
        let lines = shell_lines(chapter);
        assert!(lines.len() >= at_least, "the lines were not found");
        run_server_lines(&lines);
    }
}

fn run_server_lines(lines: &[&str]) {
    let (hydra, old) = (Hydra::start(Version::V2_2), Hydra::start(Version::V1_11));
    let ory = Ory::start("ory_pat_readme", ErrorForm::Nested);
    let authlete = Authlete::start(Authletes::V3);
    let clerk = Clerk::start("sk_test_readme");
    let apinizer = Apinizer::start(Envelope::Success, "orders");
    let issuer = Plain::start();
    issuer.issuer("");
    let (web, storage) = (Dav::start(), Storage::start());
    let endpoint = storage.server.address();
    let (google, cluster) = (Gcs::start(), Kubernetes::start());
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
        ("https://www.example", web.url("")),
        ("https://account.blob.core.windows.net", web.url("")),
        (
            "--kind gcs",
            format!("--kind gcs --endpoint {}", google.server.address()),
        ),
        (
            "--kind kubernetes",
            format!(
                "--kind kubernetes --endpoint {} --token-env KUBE_TOKEN",
                cluster.server.address()
            ),
        ),
        ("--region eu-west-1", format!("--endpoint {endpoint}")),
        ("s3://oidc/", "s3://keys/cluster/".into()),
        ("https://minio.example", endpoint),
    ];
    for line in lines {
        let mut command = (*line).to_owned();
        for (place, server) in &places {
            command = command.replace(place, server);
        }
        let mut shell = sandbox.command("sh");
        shell
            .args(["-c", &command])
            .env("ORY_ACCESS_TOKEN", "ory_pat_readme")
            .env("AUTHLETE_BEARER", authlete.token())
            .env("CLERK_SECRET_KEY", "sk_test_readme")
            .env("APINIZER_TOKEN", apinizer.token())
            .env("DAV_TOKEN", "token-readme")
            .env("AZURE_TOKEN", "token-readme")
            .env("GCS_TOKEN", "token-readme")
            .env("KUBE_TOKEN", kubernetes::TOKEN)
            .env("AWS_ACCESS_KEY_ID", "readme")
            .env("AWS_SECRET_ACCESS_KEY", "secret-readme")
            .env("PUT_ADDRESS", web.url("/jwks.json?sig=readme"));
        let run = support::finish(&mut shell);
        assert_eq!(run.code, Some(0), "$ {line}\n{run:#?}");
    }
}

/// The two commands for a fresh machine are there to be copied.
#[test]
fn the_two_commands_are_there() {
    assert!(README.contains("\ncargo run --release -- create api\n"));
    assert!(README.contains("\ncargo test\n"));
}

/// One reads the README to its end.
#[test]
fn the_readme_is_short() {
    assert!(README.lines().count() <= 250);
}

/// The name that a heading has in links, as repositories' web views make it.
fn anchor(heading: &str) -> String {
    let heading = heading.to_lowercase();
    let kept = |c: &char| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_');
    heading
        .chars()
        .filter(kept)
        .collect::<String>()
        .replace(' ', "-")
}

/// The headings of a document, as they are named in links.
fn anchors(document: &str) -> Vec<String> {
    let (mut anchors, mut heading) = (Vec::new(), None);
    for event in Parser::new_ext(document, Options::ENABLE_TABLES) {
        match (event, &mut heading) {
            (Event::Start(Tag::Heading { .. }), _) => heading = Some(String::new()),
            (Event::End(TagEnd::Heading(_)), Some(text)) => {
                anchors.push(anchor(text));
                heading = None;
            }
            (Event::Text(text) | Event::Code(text), Some(heading)) => *heading += &text,
            _ => {}
        }
    }
    anchors
}

/// Every link leads to a file, and to a heading in it where it names one.
#[test]
fn every_link_leads_somewhere() {
    let top = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = 0;
    for (path, document) in DOCUMENTS {
        for event in Parser::new_ext(document, Options::ENABLE_TABLES) {
            let Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) = event
            else {
                continue;
            };
            found += 1;
            if dest_url.starts_with("https://") {
                continue;
            }
            let (file, heading) = dest_url.split_once('#').unwrap_or((&dest_url, ""));
            let target = match file {
                "" => top.join(path),
                file => top.join(path).parent().expect("a directory").join(file),
            };
            let text = std::fs::read_to_string(&target);
            let text = text.unwrap_or_else(|_| panic!("{path}: no file for {dest_url}"));
            let is_there = heading.is_empty() || anchors(&text).iter().any(|it| it == heading);
            assert!(is_there, "{path}: no heading for {dest_url}");
        }
    }
    assert!(found > 20, "the links were not found");
}
