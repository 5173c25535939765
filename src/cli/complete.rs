//! What completion knows: sets, the keys of a set, algorithms, curves and other names.
//!
//! It works offline, asks no questions, and offers nothing after an error. bash inserts candidates
//! unquoted, so only kids that need no quotes are offered.

use crate::cli::Cli;
use crate::environment::{self, configuration_directory, store_directory};
use crate::key::algorithm::{ALGORITHMS, Algorithm, OPERATIONS};
use crate::key::curve::CURVES;
use crate::key::header::Header;
use crate::key::key_type::KEY_TYPES;
use crate::keyset::lifecycle;
use crate::keystore::{Keystore, SetDocument, SetName};
use crate::remote::registry::Registry;
use crate::report::names::is_plain;
use clap::{Arg, ArgMatches, CommandFactory as _};
use clap_complete::engine::{
    ArgValueCandidates, ArgValueCompleter, CompletionCandidate, PathCompleter, ValueCompleter as _,
};
use std::ffi::{OsStr, OsString};
use std::path::PathBuf;
use std::time::Duration;

/// The most kids that are offered; a list beyond that helps nobody.
const MOST_KIDS: usize = 1000;

/// The command line, with a completer for each argument that names something: the same name
/// means the same in every command. Options are hidden, so that the engine offers them only
/// after a dash, or if there is nothing else.
pub fn command() -> clap::Command {
    let mut program = Cli::command();
    program.build(); // adds --help and --version
    program = program.mut_args(|arg| arg.hide(true));
    program.mut_subcommands(with_completers)
}

fn with_completers(command: clap::Command) -> clap::Command {
    // Algorithms are those that keys are made for.
    let creates = matches!(command.get_name(), "create" | "rotate");
    let command = command.mut_args(|arg| {
        let is_option = !arg.is_positional();
        with_completer(arg, creates).hide(is_option)
    });
    command.mut_subcommands(with_completers)
}

fn with_completer(arg: Arg, creates: bool) -> Arg {
    match (arg.get_id().as_str(), creates) {
        ("set" | "sets", _) => arg.add(ArgValueCompleter::new(sets)),
        ("target", _) => arg.add(ArgValueCompleter::new(sets_and_files)),
        ("remote" | "push", _) => arg.add(ArgValueCompleter::new(remotes)),
        ("line", _) => arg.add(ArgValueCompleter::new(lines)),
        ("kid" | "kids", false) | ("compromised", _) => arg.add(ArgValueCompleter::new(kids)),
        ("alg", true) => arg.add(ArgValueCandidates::new(created_algorithms)),
        ("alg", false) => arg.add(ArgValueCandidates::new(algorithms)),
        ("kty", true) => arg.add(ArgValueCandidates::new(created_key_types)),
        ("kty", false) => arg.add(ArgValueCandidates::new(key_types)),
        ("crv", _) => arg.add(ArgValueCandidates::new(curves)),
        ("usage", _) => arg.add(ArgValueCandidates::new(uses)),
        ("key_ops", _) => arg.add(ArgValueCandidates::new(operations)),
        ("command", _) => arg.add(ArgValueCandidates::new(pages)),
        _ => arg,
    }
}

fn candidate(value: impl Into<OsString>) -> CompletionCandidate {
    CompletionCandidate::new(value)
}

fn described(value: &str, help: String) -> CompletionCandidate {
    candidate(value).help(Some(help.into()))
}

/// Algorithms that keys may name.
fn algorithms() -> Vec<CompletionCandidate> {
    let candidate = |algorithm: &Algorithm| described(algorithm.name, algorithm.key_requirement());
    ALGORITHMS.iter().map(candidate).collect()
}

/// Algorithms that keys are made for.
fn created_algorithms() -> Vec<CompletionCandidate> {
    let candidate = |algorithm: &Algorithm| described(algorithm.name, algorithm.key_requirement());
    Algorithm::created().map(candidate).collect()
}

/// Key types.
fn key_types() -> Vec<CompletionCandidate> {
    KEY_TYPES
        .iter()
        .map(|key_type| candidate(key_type.name))
        .collect()
}

/// Key types that keys are made of.
fn created_key_types() -> Vec<CompletionCandidate> {
    // An AKP key is asked for by its algorithm.
    let made = KEY_TYPES.iter().filter(|key_type| key_type.name != "AKP");
    made.map(|key_type| candidate(key_type.name)).collect()
}

/// Curves.
fn curves() -> Vec<CompletionCandidate> {
    CURVES
        .iter()
        .map(|curve| described(curve.name, format!("{} keys", curve.kty)))
        .collect()
}

/// The uses of a key.
fn uses() -> Vec<CompletionCandidate> {
    vec![
        described("sig", "signatures".into()),
        described("enc", "encryption".into()),
    ]
}

/// The operations of a key.
fn operations() -> Vec<CompletionCandidate> {
    OPERATIONS.concat().into_iter().map(candidate).collect()
}

/// The commands that have a manual page.
fn pages() -> Vec<CompletionCandidate> {
    let mut program = Cli::command();
    program.build(); // what is below a command is built with it
    let mut names = Vec::new();
    for command in program.get_subcommands() {
        let name = command.get_name().to_owned();
        let below = command.get_subcommands();
        names.extend(below.map(|below| format!("{name}-{}", below.get_name())));
        names.push(name);
    }
    names.into_iter().map(candidate).collect()
}

/// The sets of the keystore; the remotes for `push --all`, which takes the remote first.
fn sets(current: &OsStr) -> Vec<CompletionCandidate> {
    let matches = matches();
    let is_for_all = |(name, command): (&str, &ArgMatches)| {
        name == "push" && command.try_get_one("all").ok().flatten() == Some(&true)
    };
    if matches.subcommand().is_some_and(is_for_all) {
        return remotes(current);
    }
    let Some(keystore) = keystore(&matches) else {
        return Vec::new();
    };
    let current = current.to_string_lossy();
    let names = keystore.names().unwrap_or_default();
    let wanted = names
        .iter()
        .filter(|name| name.as_str().starts_with(&*current));
    wanted.map(|name| candidate(name.as_str())).collect()
}

/// The remotes. What they hold is not asked: completion works offline.
fn remotes(current: &OsStr) -> Vec<CompletionCandidate> {
    let registry = Registry::new(configuration_directory(), Duration::ZERO);
    let current = current.to_string_lossy();
    let entries = registry.entries().unwrap_or_default().into_iter();
    let wanted = entries.filter(|entry| entry.name.starts_with(&*current) && is_plain(&entry.name));
    wanted
        .map(|entry| described(&entry.name, entry.kind))
        .collect()
}

/// The sets of the keystore, and files.
fn sets_and_files(current: &OsStr) -> Vec<CompletionCandidate> {
    let mut candidates = sets(current);
    candidates.extend(PathCompleter::file().complete(current));
    candidates
}

/// The lines of the set that stands on the command line.
fn lines(current: &OsStr) -> Vec<CompletionCandidate> {
    let Some(document) = named_set() else {
        return Vec::new();
    };
    let set = document.parse().unwrap_or_default();
    let headers: Vec<_> = set.keys.iter().map(Header::of).collect();
    let current = current.to_string_lossy();
    let mut names: Vec<_> = headers.iter().map(lifecycle::line_name).collect();
    names.sort_unstable();
    names.dedup();
    names.retain(|name| name.starts_with(&*current) && is_plain(name));
    names.into_iter().map(candidate).collect()
}

/// The kids of the set that stands on the command line, with algorithm and state.
fn kids(current: &OsStr) -> Vec<CompletionCandidate> {
    offer_kids(current).unwrap_or_default()
}

fn offer_kids(current: &OsStr) -> Option<Vec<CompletionCandidate>> {
    let document = named_set()?;
    let set = document.parse().ok()?;
    let current = current.to_str()?;
    let headers: Vec<_> = set.keys.iter().map(Header::of).collect();
    let now = jiff::Timestamp::now().as_second();
    let states = lifecycle::states(&set, now);
    let mut candidates = Vec::new();
    for (header, state) in headers.iter().zip(states) {
        let kid = header
            .kid
            .as_deref()
            .filter(|kid| kid.starts_with(current) && is_plain(kid));
        let Some(kid) = kid else {
            continue;
        };
        let alg = header
            .alg
            .as_deref()
            .filter(|alg| is_plain(alg))
            .unwrap_or("no alg");
        let state = state.map_or(String::new(), |state| format!(" {}", state.name()));
        candidates.push(described(kid, format!("{alg}{state}")));
        if candidates.len() == MOST_KIDS {
            break;
        }
    }
    Some(candidates)
}

/// The set that stands on the command line.
fn named_set() -> Option<SetDocument> {
    let matches = matches();
    let keystore = keystore(&matches)?;
    let (_, command) = matches.subcommand()?;
    let named = |id| command.try_get_one::<String>(id).ok().flatten();
    let several = || {
        let mut names = command.try_get_many::<String>("sets").ok().flatten()?;
        names.next()
    };
    let name = named("set").or_else(|| named("target")).or_else(several)?;
    keystore.read(&SetName::new(name).ok()?).ok()??.known()
}

fn keystore(matches: &ArgMatches) -> Option<Keystore> {
    let named = matches
        .subcommand()
        .and_then(|(_, command)| store_of(command));
    let directory = store_directory(named.or_else(|| store_of(matches))).ok()?;
    Some(Keystore::new(directory, Duration::ZERO))
}

fn store_of(matches: &ArgMatches) -> Option<PathBuf> {
    matches
        .try_get_one::<PathBuf>("store")
        .ok()
        .flatten()
        .cloned()
}

/// The command line up to the word that is completed: a completer is given that word alone.
fn matches() -> ArgMatches {
    let words: Vec<OsString> = std::env::args_os()
        .skip_while(|word| word != "--")
        .skip(1)
        .collect();
    let index = environment::value("_CLAP_COMPLETE_INDEX").and_then(|index| index.parse().ok());
    let index = index.unwrap_or(words.len().saturating_sub(1));
    let words = &words[..words.len().min(index)];
    let command = Cli::command().ignore_errors(true);
    command.try_get_matches_from(words).unwrap_or_default()
}
