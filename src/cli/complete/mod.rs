//! Shell completion. The scripts in `completions/` run `jwks __complete SHELL WORD…`, where the last
//! word is the one to complete, up to the cursor.
//!
//! Completion works offline, asks no questions, and prints no errors. It does not offer text with
//! control characters. The shells quote what they insert. Only bash does not, so `bash` parses and
//! quotes its command line.

mod bash;
mod line;
mod paths;
mod values;

use crate::cli::Cli;
use crate::commands::completion::COMPLETE_COMMAND;
use crate::commands::man::guides::GUIDES;
use crate::output::{Output, escape, shorten};
use clap::{Arg, Command, CommandFactory as _};
use line::Line;
use std::ffi::OsString;

/// The maximum width of a description, in columns.
const DESCRIPTION: usize = 70;

/// The maximum length of a value that is offered, in bytes.
const LONGEST: usize = 1000;

/// A completion of the current word.
#[derive(Debug)]
pub struct Candidate {
    /// The whole completed word, without quotes.
    pub value: String,
    /// A description of the word; can be empty.
    pub help: String,
}

impl Candidate {
    fn new(value: impl Into<String>, help: impl Into<String>) -> Candidate {
        Candidate {
            value: value.into(),
            help: help.into(),
        }
    }

    /// Returns true if the word is incomplete, so that no space follows.
    fn is_partial(&self) -> bool {
        self.value.ends_with(['/', '@', '='])
    }
}

/// The kind of path that the current word can be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Paths {
    /// Files, and the directories that lead to them.
    Files,
    /// Directories only.
    Directories,
}

/// The completions of the current word.
#[derive(Debug, Default)]
pub struct Found {
    /// The kind of path that the word can be, besides the candidates. The shells complete paths
    /// themselves.
    pub paths: Option<Paths>,
    /// The part of the word before the path, such as `--output=`.
    pub prefix: String,
    /// The completed words.
    pub candidates: Vec<Candidate>,
}

/// Prints completions if a shell asked for them. Returns false if the command line is another one.
pub fn answer(arguments: &[OsString]) -> bool {
    let [_, command, shell, words @ ..] = arguments else {
        return false;
    };
    if command != COMPLETE_COMMAND {
        return false;
    }
    let words: Vec<_> = words.iter().map(|word| word.to_string_lossy()).collect();
    let answer = match (shell.to_str(), &*words) {
        (Some("bash"), [line, breaks]) => bash::answer(line, breaks),
        (Some("bash"), _) => String::new(),
        _ => {
            let words: Vec<String> = words.into_iter().map(Into::into).collect();
            let (current, before) = words
                .split_last()
                .map_or(("", &[][..]), |(current, before)| (current, before));
            listing(&find(before, current))
        }
    };
    // If the shell has closed the pipe, it needs no answer.
    let _ = Output::new(false, true, false, None).octets(answer.as_bytes());
    true
}

/// Formats completions for shells that quote by themselves. The first line has the kind of paths, a
/// tab, and the part of the word before the path. Each other line has a candidate, a tab, and its
/// description.
fn listing(found: &Found) -> String {
    let kind = match found.paths {
        None => "words",
        Some(Paths::Files) => "files",
        Some(Paths::Directories) => "directories",
    };
    let mut text = format!("{kind}\t{}\n", found.prefix);
    for Candidate { value, help } in &found.candidates {
        let help = escape(help.lines().next().unwrap_or_default());
        text.push_str(&format!("{value}\t{}\n", shorten(&help, DESCRIPTION)));
    }
    text
}

/// Returns the completions of the current word. `words` are the words before it, without the program's
/// name.
fn find(words: &[String], current: &str) -> Found {
    let mut program = Cli::command();
    program.build();
    let mut found = match words {
        [help, words @ ..] if help == "help" => {
            let line = Line::read(&program, words);
            let mut candidates = commands(&line, current);
            if words.is_empty() {
                candidates.extend(guides(current));
            }
            Found {
                candidates,
                ..Found::default()
            }
        }
        _ => complete(&Line::read(&program, words), current),
    };
    let mut seen = std::collections::HashSet::new();
    found.candidates.retain(|candidate| {
        let value = &candidate.value;
        value.len() <= LONGEST && is_presentable(value) && seen.insert(value.clone())
    });
    found
}

/// Returns true if a text needs no escapes on a terminal, and has only one line.
fn is_presentable(text: &str) -> bool {
    escape(text) == text
}

fn complete(line: &Line, current: &str) -> Found {
    let is_dashed = current.starts_with('-');
    if let Some(arg) = line.pending
        && (!is_dashed || arg.is_allow_hyphen_values_set())
    {
        return values::find(line, arg, "", current);
    }
    if line.is_escaped || !is_dashed {
        let value = |arg| values::find(line, arg, "", current);
        let mut found = line.positional().map(value).unwrap_or_default();
        found.candidates.extend(commands(line, current));
        return found;
    }
    let attached = match current.split_once('=') {
        Some((option, value)) if option.starts_with("--") => {
            line.long(&option[2..]).map(|arg| (arg, value))
        }
        _ if current.starts_with("--") => None,
        _ => line
            .short_with_value(current)
            .filter(|(_, value)| !value.is_empty()),
    };
    match attached {
        Some((arg, value)) => {
            let prefix = &current[..current.len() - value.len()];
            values::find(line, arg, prefix, value)
        }
        None => Found {
            candidates: options(line, current),
            ..Found::default()
        },
    }
}

/// Returns the subcommands whose name begins with the word, or else those that have an alias that does.
fn commands(line: &Line, current: &str) -> Vec<Candidate> {
    let commands = || line.command.get_subcommands();
    let about = |command: &Command| command.get_about().map(ToString::to_string);
    let named = |name: &str, command| {
        let is_meant = name.starts_with(current);
        is_meant.then(|| Candidate::new(name, about(command).unwrap_or_default()))
    };
    let mut found: Vec<_> = commands()
        .filter_map(|command| named(command.get_name(), command))
        .collect();
    if found.is_empty() {
        let aliases =
            |command| Command::get_visible_aliases(command).map(move |name| (name, command));
        found = commands()
            .flat_map(aliases)
            .filter_map(|(name, command)| named(name, command))
            .collect();
    }
    let is_program = line
        .command
        .get_subcommands()
        .any(|command| command.get_name() == "man");
    if is_program && "help".starts_with(current) {
        found.push(Candidate::new("help", "Print the help of a command"));
    }
    found
}

/// Returns the guides of the manual whose name begins with the word.
fn guides(current: &str) -> impl Iterator<Item = Candidate> {
    let guides = GUIDES.iter().map(|guide| guide.name);
    let meant = guides.filter(move |name| name.starts_with(current));
    meant.map(|name| Candidate::new(name, "A guide of the manual"))
}

/// Returns the options that begin with the word: those of the command first, then the global ones. An
/// option is offered by its short name only if the word is that name.
fn options(line: &Line, current: &str) -> Vec<Candidate> {
    let names = |arg: &Arg| {
        let short = arg.get_short().map(|flag| format!("-{flag}"));
        let long = arg.get_long().map(|name| format!("--{name}"));
        short
            .filter(|short| short == current)
            .or_else(|| long.filter(|long| long.starts_with(current)))
    };
    let args = line.command.get_arguments();
    let args = args.filter(|arg| !arg.is_positional() && !arg.is_hide_set() && line.accepts(arg));
    let (global, own): (Vec<&Arg>, Vec<&Arg>) = args.partition(|arg| arg.is_global_set());
    let args = own.into_iter().chain(global);
    let offered = args.filter_map(|arg| {
        let help = arg.get_help().map(ToString::to_string);
        Some(Candidate::new(names(arg)?, help.unwrap_or_default()))
    });
    offered.collect()
}
