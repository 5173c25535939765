//! Completion: what a shell gets when somebody presses Tab. The scripts in `completions/` ask for it
//! with `jwks __complete SHELL WORD…`; the last word is the one to complete, up to the cursor.
//!
//! It works offline, asks no questions, and prints nothing after an error. Nothing is offered that a
//! terminal would act on. The shells quote what they insert; only bash cannot, so its words are
//! taken apart and quoted in `bash`.

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

/// The most columns of a description.
const DESCRIPTION: usize = 70;

/// The longest value that is offered, in bytes.
const LONGEST: usize = 1000;

/// A word that the current word can become.
#[derive(Debug)]
pub struct Candidate {
    /// The whole word, not quoted.
    pub value: String,
    /// What it is; can be empty.
    pub help: String,
}

impl Candidate {
    fn new(value: impl Into<String>, help: impl Into<String>) -> Candidate {
        Candidate {
            value: value.into(),
            help: help.into(),
        }
    }

    /// Returns true if the word goes on after this, so that no space follows.
    fn is_partial(&self) -> bool {
        self.value.ends_with(['/', '@', '='])
    }
}

/// The paths that the current word can be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Paths {
    /// Files, and the directories that lead to them.
    Files,
    /// Directories only.
    Directories,
}

/// What the current word can become.
#[derive(Debug, Default)]
pub struct Found {
    /// The paths that it can be besides the candidates. The shells know best how to complete them.
    pub paths: Option<Paths>,
    /// What stands before the path in the word, such as `--output=`.
    pub prefix: String,
    /// The words that it can become.
    pub candidates: Vec<Candidate>,
}

/// Answers a shell that asks for completions. Returns false if no shell asked.
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
    // A shell that has gone away needs no answer.
    let _ = Output::new(false, true, false, None).octets(answer.as_bytes());
    true
}

/// Writes an answer for shells that quote by themselves. The first line has the kind of paths, and what
/// stands before the path in the word. Each other line has a candidate and its description. A tab is
/// between the two.
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

/// Returns what the current word can become after the words before it, without the program's name.
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

/// Returns true if a text is one line that a terminal does not act on.
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

/// Returns the commands below the current one: those whose name begins with the word, or else those with
/// such an alias.
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

/// Returns the options that the word begins: those of the command first, then the global ones. An option
/// is offered by its short name only if the word is that name.
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
