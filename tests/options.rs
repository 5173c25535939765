//! The options: a name means the same in each command.

use clap::{Arg, Command, CommandFactory as _};
use jwks::cli::Cli;
use std::collections::{BTreeMap, BTreeSet};

/// An option of a command.
struct Usage {
    command: String,
    /// The name of the value; `None` for a flag.
    value: Option<String>,
    short: Option<char>,
    help: String,
}

/// Collects the options of a command and of the commands below it, by their long names.
fn collect(command: &Command, path: &str, options: &mut BTreeMap<String, Vec<Usage>>) {
    let long = |arg: &Arg| Some((arg.get_long()?.to_owned(), usage(arg, path)));
    for (name, usage) in command.get_arguments().filter_map(long) {
        options.entry(name).or_default().push(usage);
    }
    for below in command.get_subcommands() {
        collect(below, &format!("{path} {}", below.get_name()), options);
    }
}

fn usage(arg: &Arg, command: &str) -> Usage {
    // A flag with an optional value, such as --private[=WHICH], is a flag.
    let is_optional = arg
        .get_num_args()
        .is_some_and(|range| range.min_values() == 0);
    let takes_value = arg.get_action().takes_values() && !is_optional;
    let names = arg.get_value_names().unwrap_or_default();
    let help = arg.get_help().map(ToString::to_string);
    Usage {
        command: command.to_owned(),
        value: takes_value.then(|| names.first().map(ToString::to_string).unwrap_or_default()),
        short: arg.get_short(),
        help: help.unwrap_or_default(),
    }
}

fn options() -> BTreeMap<String, Vec<Usage>> {
    let mut program = Cli::command();
    program.build();
    let mut options = BTreeMap::new();
    collect(&program, "jwks", &mut options);
    assert!(options.len() > 50, "the options were not found");
    options
}

/// The options that take another value in some commands. The header of a call to a server is written as in HTTP; a
/// member of the header of a token is written like a claim.
const DIFFERENT: &[&str] = &["header"];

#[test]
fn one_name_takes_one_value() {
    for (name, usages) in options() {
        if DIFFERENT.contains(&name.as_str()) {
            continue;
        }
        let values: BTreeSet<_> = usages.iter().map(|usage| &usage.value).collect();
        if values.len() > 1 {
            let of =
                |usage: &Usage| format!("{}: {:?} ({})", usage.command, usage.value, usage.help);
            let all: Vec<_> = usages.iter().map(of).collect();
            panic!("--{name} takes several values:\n{}", all.join("\n"));
        }
    }
}

#[test]
fn one_letter_is_one_option() {
    let mut letters: BTreeMap<char, BTreeSet<String>> = BTreeMap::new();
    for (name, usages) in options() {
        let shorts: BTreeSet<_> = usages.iter().map(|usage| usage.short).collect();
        assert_eq!(
            shorts.len(),
            1,
            "--{name} has a letter in some commands only"
        );
        for short in shorts.into_iter().flatten() {
            letters.entry(short).or_default().insert(name.clone());
        }
    }
    for (letter, names) in letters {
        assert_eq!(names.len(), 1, "-{letter} stands for {names:?}");
    }
}
