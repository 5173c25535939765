//! Everything that people read, in one file, so that it can be read at once and a change shows in
//! review: `JWKS_UPDATE=1 cargo test --test words` writes `tests/words.txt` anew.

#[path = "support/sources.rs"]
mod sources;
mod support;

use proc_macro2::{TokenStream, TokenTree};
use sources::sources;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use support::{COMMANDS, JWKS, REMOTE_COMMANDS, Sandbox, finish};

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

/// The text in each source file, in its order.
fn messages() -> String {
    let mut text = String::new();
    for (name, code) in sources() {
        let mut literals = Vec::new();
        let code: TokenStream = code.parse().expect("Rust");
        collect(code, &mut literals);
        if !literals.is_empty() {
            let _ = writeln!(text, "==== {name}\n\n{}\n", literals.join("\n"));
        }
    }
    text
}

/// Adds the string literals of more than one word. What attributes say is a comment, or is in the help,
/// and so are the examples.
fn collect(code: TokenStream, literals: &mut Vec<String>) {
    let mut tokens = code.into_iter().peekable();
    while let Some(token) = tokens.next() {
        match token {
            TokenTree::Punct(mark) if mark.as_char() == '#' => {
                tokens.next_if(|token| matches!(token, TokenTree::Punct(_)));
                tokens.next_if(|token| matches!(token, TokenTree::Group(_)));
            }
            TokenTree::Group(group) => collect(group.stream(), literals),
            TokenTree::Literal(literal) => {
                let literal = literal.to_string();
                let Some((_, text)) = literal.split_once('"') else {
                    continue;
                };
                let text = text.trim_end_matches(['"', '#']);
                // A line that ends in a backslash goes on without the indentation of the next one.
                let lines = text.split("\\\n").map(str::trim_start);
                let text = lines.collect::<String>();
                let has_words = text.trim().contains(' ') && text.contains(char::is_alphabetic);
                if has_words && !text.starts_with("Examples:") {
                    literals.push(text);
                }
            }
            TokenTree::Ident(_) | TokenTree::Punct(_) => {}
        }
    }
}
