//! Everything that people read, in one file, so that it can be read at once and a change shows in
//! review: `JWKS_UPDATE=1 cargo test --test words` writes `tests/words.txt` anew.

#[path = "support/sources.rs"]
mod sources;
mod support;

use sources::sources;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use support::{COMMANDS, JWKS, REMOTE_COMMANDS, Sandbox, finish};

/// What stands before the messages and hints in the source.
const CALLS: &[&str] = &[
    "Error::of(",
    "Error::failed(",
    "Error::usage(",
    "Error::not_found(",
    "Error::refused(",
    "Error::invalid(",
    "Error::remote(",
    "Error::denied(",
    "Error::differs(",
    ".hint(",
    ".warn(",
    ".status(",
    ".confirm(",
];

#[test]
fn the_words_are_collected() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/words.txt");
    let words = format!("{}{}", helps(), messages());
    if std::env::var_os("JWKS_UPDATE").is_some() {
        fs::write(&path, &words).expect("the file is written");
    }
    let committed = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        committed == words,
        "tests/words.txt has drifted: JWKS_UPDATE=1 cargo test --test words"
    );
}

/// The whole help of each command.
fn helps() -> String {
    let below = REMOTE_COMMANDS.iter().map(|below| vec!["remote", below]);
    let commands = COMMANDS.iter().map(|command| vec![*command]);
    let (sandbox, mut text) = (Sandbox::new(), String::new());
    for command in std::iter::once(vec![]).chain(commands).chain(below) {
        let mut jwks = sandbox.command(JWKS);
        jwks.args(&command).arg("--help").env("COLUMNS", "100");
        let help = finish(&mut jwks).ok().stdout;
        // The global options are the same everywhere.
        let (own, global) = help.split_once("Global options:").unwrap_or((&help, ""));
        let shown = if command.is_empty() { &help } else { own };
        assert!(!global.is_empty(), "{command:?}");
        let name = command.join(" ");
        let _ = writeln!(text, "==== jwks {name}\n\n{}\n", shown.trim_end());
    }
    text
}

/// The messages and hints of each source file, in their order.
fn messages() -> String {
    let mut text = String::new();
    for (name, code) in sources() {
        let literals = literals(&code);
        if literals.is_empty() {
            continue;
        }
        let _ = writeln!(text, "==== {name}\n\n{}\n", literals.join("\n"));
    }
    text
}

/// The string literals with more than one word in the arguments of [`CALLS`].
fn literals(code: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = code;
    while let Some((start, call)) = CALLS
        .iter()
        .filter_map(|call| Some((rest.find(call)?, call)))
        .min()
    {
        rest = &rest[start + call.len()..];
        rest = arguments(rest, &mut found);
    }
    found
}

/// Reads arguments up to their closing parenthesis, collects their literals, and returns what follows.
fn arguments<'c>(code: &'c str, found: &mut Vec<String>) -> &'c str {
    let mut depth = 1;
    let mut characters = code.char_indices();
    while let Some((position, character)) = characters.next() {
        match character {
            '(' => depth += 1,
            ')' => depth -= 1,
            // A character such as '(' is no parenthesis.
            '\'' if code[position..].chars().nth(2) == Some('\'') => {
                characters.nth(1);
            }
            '"' => {
                let mut literal = String::new();
                while let Some((_, character)) = characters.next() {
                    match character {
                        '"' => break,
                        '\\' => match characters.next() {
                            // A line that goes on without its indentation.
                            Some((_, '\n')) => literal.push('\n'),
                            Some((_, escaped)) => literal.extend(['\\', escaped]),
                            None => break,
                        },
                        other => literal.push(other),
                    }
                }
                let lines: Vec<_> = literal.lines().map(str::trim_start).collect();
                let literal = lines.concat();
                if literal.trim().contains(' ') && literal.contains(char::is_alphabetic) {
                    found.push(literal);
                }
            }
            _ => {}
        }
        if depth == 0 {
            return &code[position + 1..];
        }
    }
    ""
}
