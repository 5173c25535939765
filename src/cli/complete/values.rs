//! The values that completion offers: sets, keys of a set, algorithms, curves and other names.

use super::line::Line;
use super::{Candidate, Found, Paths, is_presentable};
use crate::cli::{Cli, keep_history};
use crate::commands::man::guides::GUIDES;
use crate::environment::configuration_directory;
use crate::key::algorithm::{ALGORITHMS, Algorithm, OPERATIONS};
use crate::key::curve::CURVES;
use crate::key::header::Header;
use crate::key::key_type::KEY_TYPES;
use crate::keyset::key_name::KeyName;
use crate::keyset::lifecycle;
use crate::keyset::verifiers::{self, caches::services};
use crate::keystore::history::Version;
use crate::keystore::{Keystore, SetDocument, SetName};
use crate::output::{escape, shorten};
use crate::remote::registry::Registry;
use crate::time;
use clap::builder::PossibleValue;
use clap::{Arg, CommandFactory as _, ValueHint};
use std::path::PathBuf;
use std::time::Duration;

/// The maximum number of kids that are offered. Nobody reads a longer list.
const MOST_KIDS: usize = 1000;

/// The maximum size in bytes of a set's file that is read for its kids.
const LARGEST: u64 = 16 << 20;

/// The maximum number of characters of a kid in a description.
const SHOWN: usize = 40;

/// Returns the values of an argument that begin with `text`. `prefix` is the part of the word before
/// the text, such as `--alg=`.
pub fn find(line: &Line, arg: &Arg, prefix: &str, text: &str) -> Found {
    let delimiter = arg.get_value_delimiter();
    let start = delimiter.and_then(|delimiter| Some(text.rfind(delimiter)? + 1));
    let (before, last) = text.split_at(start.unwrap_or(0));
    let id = arg.get_id().as_str();
    let is_given = |value: &str| {
        let mut earlier = line.values(id).chain(before.split(','));
        earlier.any(|given| given == value)
    };
    let may_begin_with_dash = line.is_escaped
        || !prefix.is_empty()
        || (line.pending.is_some() && arg.is_allow_hyphen_values_set());
    let candidates = candidates(line, arg, last, may_begin_with_dash).into_iter();
    let candidates = candidates.filter_map(|candidate| match candidate {
        Candidate { value, .. } if value.starts_with('-') && !may_begin_with_dash => None,
        Candidate { value, .. } if !value.starts_with(last) || is_given(&value) => None,
        Candidate { value, help } => Some(Candidate::new(format!("{prefix}{before}{value}"), help)),
    });
    Found {
        candidates: candidates.collect(),
        paths: match arg.get_value_hint() {
            ValueHint::FilePath => Some(Paths::Files),
            ValueHint::DirPath => Some(Paths::Directories),
            _ => {
                let is_remote = id == "other" && text.contains(':');
                (matches!(id, "target" | "other") && !is_remote).then_some(Paths::Files)
            }
        },
        prefix: prefix.to_owned(),
    }
}

/// Returns the values of an argument. Values that do not begin with `text` can be left out. An argument
/// id has the same meaning in every command.
fn candidates(line: &Line, arg: &Arg, text: &str, may_begin_with_dash: bool) -> Vec<Candidate> {
    // `create` and `rotate` get only the algorithms and key types that they can generate.
    let command = line.command.get_name();
    let creates = matches!(command, "create" | "rotate");
    match (arg.get_id().as_str(), creates) {
        ("set" | "sets", _) if matches!(command, "undo" | "forget") => {
            sets_with_history(line).unwrap_or_default()
        }
        ("set", _) if command == "log" => sets_that_were(line),
        // `push --all` takes the remote first.
        ("set", _) if command == "push" && line.value("all").is_some() => remotes(line, arg, text),
        ("sets", _) if command == "rotate" && line.value("all").is_some() => Vec::new(),
        ("set" | "sets" | "target", _) => sets(line),
        ("other", _) => {
            let mut others = remotes(line, arg, text);
            others.extend(sets(line));
            others
        }
        ("version", _) => versions(line, text).unwrap_or_default(),
        ("remote" | "push", _) => remotes(line, arg, text),
        ("line", _) => lines(line),
        ("kid" | "kids", false) | ("compromised", _) => {
            kids(line, may_begin_with_dash).unwrap_or_default()
        }
        ("alg", true) => algorithms(Algorithm::created()),
        ("alg", false) => algorithms(ALGORITHMS.iter()),
        // An AKP key is asked for by its algorithm.
        ("kty", true) => key_types().filter(|kty| kty.value != "AKP").collect(),
        ("kty", false) => key_types().collect(),
        ("crv", _) => curves(),
        ("usage", _) => vec![
            Candidate::new("sig", "signatures"),
            Candidate::new("enc", "encryption"),
        ],
        ("key_ops", _) => names(OPERATIONS.concat()),
        ("verifiers", _) => names(verifier_names(command)),
        ("page", _) => pages(line),
        _ if arg.get_num_args().is_some_and(|range| range.takes_values()) => arg
            .get_possible_values()
            .into_iter()
            .filter_map(possible_value)
            .collect(),
        _ => Vec::new(),
    }
}

/// Returns the names of the verifiers that a command takes.
fn verifier_names(command: &str) -> Vec<&'static str> {
    let mut names = verifiers::names();
    if command == "check" {
        names.push(verifiers::ALL);
        return names;
    }
    names.extend(services().map(|cache| cache.name.as_str()));
    if command == "set" {
        names.push("none");
    }
    names
}

fn possible_value(value: PossibleValue) -> Option<Candidate> {
    let help = value.get_help().map(ToString::to_string);
    let is_shown = !value.is_hide_set();
    is_shown.then(|| Candidate::new(value.get_name(), help.unwrap_or_default()))
}

/// Returns names without a description.
fn names<S: Into<String>>(names: impl IntoIterator<Item = S>) -> Vec<Candidate> {
    let names = names.into_iter();
    names.map(|name| Candidate::new(name, "")).collect()
}

fn algorithms<'a>(algorithms: impl Iterator<Item = &'a Algorithm>) -> Vec<Candidate> {
    let candidate =
        |algorithm: &Algorithm| Candidate::new(algorithm.name, algorithm.key_requirement());
    algorithms.map(candidate).collect()
}

fn key_types() -> impl Iterator<Item = Candidate> {
    let names = KEY_TYPES.iter().map(|key_type| key_type.name);
    names.map(|name| Candidate::new(name, ""))
}

fn curves() -> Vec<Candidate> {
    let candidate = |name: &str, kty| Candidate::new(name, format!("{kty} keys"));
    let curves = CURVES.iter();
    curves
        .map(|curve| candidate(curve.name, curve.kty))
        .collect()
}

/// Returns the names of the manual pages: commands and guides. After the name of a command, it returns
/// what the names of the pages below it go on with.
fn pages(line: &Line) -> Vec<Candidate> {
    let mut program = Cli::command();
    program.build(); // what is below a command is built with it
    let mut pages = Vec::new();
    for command in program.get_subcommands() {
        let name = command.get_name().to_owned();
        let below = command.get_subcommands();
        pages.extend(below.map(|below| format!("{name}-{}", below.get_name())));
        pages.push(name);
    }
    pages.extend(GUIDES.iter().map(|guide| guide.name.to_owned()));
    let before: String = line.values("page").map(|word| format!("{word}-")).collect();
    let rest = |page: String| page.strip_prefix(&before).map(str::to_owned);
    names(pages.into_iter().filter_map(rest))
}

/// Returns the sets of the keystore.
fn sets(line: &Line) -> Vec<Candidate> {
    let sets = keystore(line).and_then(|keystore| keystore.names().ok());
    let sets = sets.unwrap_or_default();
    names(sets.iter().map(SetName::as_str))
}

/// Returns the sets that have a history, even if they are deleted.
fn sets_with_history(line: &Line) -> Option<Vec<Candidate>> {
    let sets = keystore(line)?.sets_with_history().ok()?;
    Some(names(sets.iter().map(SetName::as_str)))
}

/// Returns the sets of the keystore, and deleted sets that have a history.
fn sets_that_were(line: &Line) -> Vec<Candidate> {
    let Some(keystore) = keystore(line) else {
        return Vec::new();
    };
    let mut sets = keystore.names().unwrap_or_default();
    sets.extend(keystore.sets_with_history().unwrap_or_default());
    sets.sort();
    sets.dedup();
    names(sets.iter().map(SetName::as_str))
}

/// Returns the times to which a set can be restored as `SET@TIME`, the latest first.
fn versions(line: &Line, text: &str) -> Option<Vec<Candidate>> {
    let Some((set, _)) = text.split_once('@') else {
        let sets = sets_with_history(line)?.into_iter();
        return Some(names(sets.map(|set| format!("{}@", set.value))));
    };
    let keep = keep_history(line.value("keep_history")).ok()?;
    let now = jiff::Timestamp::now().as_second();
    let keystore = keystore(line)?.with_history(keep, false, now);
    let history = keystore.history(&SetName::new(set).ok()?).ok()?;
    let versions = history.versions.iter().rev();
    let is_set = |version: &&Version| version.holds_set() && version.from < version.until;
    let candidate = |version: &Version| {
        // If the beginning of a version is unknown, offer its last second.
        let time = match version.from {
            0 => version.until - 1,
            from => from,
        };
        let until = format!("until {}", time::format(version.until));
        Candidate::new(format!("{set}@{}", time::format(time)), until)
    };
    Some(versions.filter(is_set).map(candidate).collect())
}

/// Returns the remotes. Their sets are not requested, because completion works offline. The sets of the
/// keystore are offered after `REMOTE:`, because they often have the same names there.
fn remotes(line: &Line, arg: &Arg, text: &str) -> Vec<Candidate> {
    let registry = Registry::new(configuration_directory(), Duration::ZERO);
    let entries = registry.entries().unwrap_or_default();
    let takes_set = arg
        .get_value_names()
        .is_some_and(|names| names.iter().any(|name| name.contains(':')));
    let named = |name: &str| entries.iter().any(|entry| entry.name == name);
    match text.split_once(':') {
        Some((remote, _)) if takes_set && named(remote) => {
            let sets = sets(line).into_iter();
            let there = sets.map(|set| format!("{remote}:{}", set.value));
            names(there)
        }
        _ => {
            let entries = entries.into_iter();
            entries
                .map(|entry| Candidate::new(entry.name, entry.kind))
                .collect()
        }
    }
}

/// Returns the lines of the set on the command line.
fn lines(line: &Line) -> Vec<Candidate> {
    let document = named_set(line);
    let set = document.as_ref().and_then(|document| document.parse().ok());
    let set = set.unwrap_or_default();
    let headers: Vec<_> = set.keys.iter().map(Header::of).collect();
    let mut lines: Vec<_> = headers.iter().map(lifecycle::line_name).collect();
    lines.sort_unstable();
    lines.dedup();
    names(lines)
}

/// Returns the keys of the set on the command line, described by algorithm and state. If a kid cannot
/// be printed or looks like an option, the thumbprint is offered instead.
fn kids(line: &Line, may_begin_with_dash: bool) -> Option<Vec<Candidate>> {
    let document = named_set(line)?;
    let set = document.parse().ok()?;
    let now = jiff::Timestamp::now().as_second();
    let keys = set.keys.iter().zip(lifecycle::states(&set, now));
    let mut candidates = Vec::new();
    for (key, state) in keys.take(MOST_KIDS) {
        let header = Header::of(key);
        let alg = header.alg.as_deref().unwrap_or("no alg");
        let state = state.map_or(String::new(), |state| format!(" {}", state.name()));
        let about = format!("{alg}{state}");
        let kid = header.kid.as_deref().unwrap_or_default();
        let is_option = kid.starts_with('-') && !may_begin_with_dash;
        if !kid.is_empty() && is_presentable(kid) && !is_option {
            candidates.push(Candidate::new(kid, about));
        } else {
            let about = format!("{about}, kid {}", escape(&shorten(kid, SHOWN)));
            let name = KeyName::of(key);
            let thumbprint = name.public_thumbprint().map(str::to_owned);
            candidates.extend(thumbprint.map(|thumbprint| Candidate::new(thumbprint, about)));
        }
    }
    Some(candidates)
}

/// Returns the set that the command line names.
fn named_set(line: &Line) -> Option<SetDocument> {
    let keystore = keystore(line)?.reading_at_most(LARGEST);
    let ids = ["set", "target", "sets"];
    let name = ids.iter().find_map(|id| line.value(id))?;
    keystore.read(&SetName::new(name).ok()?).ok()??.known()
}

fn keystore(line: &Line) -> Option<Keystore> {
    crate::cli::directory(line.value("store").map(PathBuf::from))
}
