//! The README keeps its word: every line of its tour runs here, in one sandbox from top to
//! bottom, and prints what stands below it. `[..]` stands for what differs from run to run.

mod support;

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

/// The two commands for a fresh machine are there to be copied.
#[test]
fn the_two_commands_are_there() {
    let readme = include_str!("../README.md");
    assert!(readme.contains("\ncargo run --release -- create api\n"));
    assert!(readme.contains("\ncargo test\n"));
}
