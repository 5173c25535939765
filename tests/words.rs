//! Everything that people read, in one file, so that it can be read at once and a change shows in
//! review: `JWKS_UPDATE=1 cargo test --test words` writes `tests/words.txt` anew.

mod support;

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
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
    let top = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    collect(&top.join("src"), &mut files);
    files.sort();
    let mut text = String::new();
    for path in files {
        let source = fs::read_to_string(&path).expect("a source file");
        let code = source.split("#[cfg(test)]\nmod tests").next();
        let literals = literals(code.unwrap_or_default());
        if literals.is_empty() {
            continue;
        }
        let name = path.strip_prefix(top).expect("below the top").display();
        let _ = writeln!(text, "==== {name}\n");
        literals.iter().for_each(|literal| {
            let _ = writeln!(text, "{literal}");
        });
        text.push('\n');
    }
    text
}

fn collect(directory: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).expect("a directory") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            collect(&path, files);
        } else {
            files.push(path);
        }
    }
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
