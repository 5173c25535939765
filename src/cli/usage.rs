//! Help and usage errors: their layout, and suggestions for wrong words.

use super::{Cli, Command, When};
use crate::commands::man::GLOBAL_OPTIONS;
use crate::commands::man::guides::guide;
use crate::error::Error;
use crate::keystore::SetName;
use crate::nearest::nearest;
use crate::output::Output;
use clap::builder::Styles;
use clap::builder::styling::{AnsiColor, Effects};
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{CommandFactory as _, FromArgMatches as _, ValueEnum as _};
use std::borrow::Cow;
use std::ffi::OsString;

/// The colors of help and usage errors, the same as cargo's.
pub const STYLES: Styles = Styles::styled()
    .header(AnsiColor::BrightGreen.on_default().effects(Effects::BOLD))
    .usage(AnsiColor::BrightGreen.on_default().effects(Effects::BOLD))
    .literal(AnsiColor::BrightCyan.on_default().effects(Effects::BOLD))
    .placeholder(AnsiColor::Cyan.on_default())
    .error(AnsiColor::BrightRed.on_default().effects(Effects::BOLD))
    .valid(AnsiColor::BrightCyan.on_default().effects(Effects::BOLD))
    .invalid(AnsiColor::BrightYellow.on_default().effects(Effects::BOLD));

/// The line of the short help that replaces the global options.
const GLOBAL_LINE: &str = "\
--store, --json, --quiet, --yes and the other global options: see --help";

/// The order of a help text. The usage and the examples come first.
const TEMPLATE: &str = "{about-with-newline}\n{usage-heading} {usage}{after-help}\n\n{all-args}";

/// The number of examples in the short help.
const SHORT_EXAMPLES: usize = 3;

/// Names that other programs use for our commands.
const SYNONYMS: &[(&str, &[&str])] = &[
    (
        "create",
        &["new", "gen", "generate", "keygen", "make", "init"],
    ),
    ("set", &["import", "add", "put", "update", "edit"]),
    ("get", &["show", "view", "cat", "print", "read"]),
    ("delete", &["remove", "del", "destroy", "drop", "prune"]),
    ("export", &["convert", "save", "write"]),
    ("rotate", &["renew", "roll", "rollover"]),
    ("check", &["lint", "validate", "doctor"]),
    ("thumbprint", &["fingerprint", "hash", "kid"]),
    ("sign", &["jwt", "token", "mint", "issue"]),
    ("verify", &["decode", "inspect", "introspect"]),
    ("push", &["upload", "publish", "send", "deploy"]),
    ("pull", &["download", "fetch", "sync"]),
    ("diff", &["compare", "status"]),
    ("passwd", &["encrypt", "decrypt", "passphrase", "password"]),
    ("log", &["history", "audit"]),
    ("undo", &["revert", "redo", "undelete"]),
    ("restore", &["rollback", "recover"]),
    ("completion", &["completions"]),
    ("man", &["manual", "docs"]),
];

/// Turns `jwks help COMMAND` into `jwks COMMAND --help`, and `jwks help GUIDE` into `jwks man GUIDE`.
pub fn without_help_command(arguments: &[OsString]) -> Cow<'_, [OsString]> {
    let Some(place) = help_place(arguments) else {
        return Cow::Borrowed(arguments);
    };
    let mut meant = arguments[..place].to_vec();
    match &arguments[place + 1..] {
        [word] if word.to_str().and_then(guide).is_some() => {
            meant.extend(["man".into(), word.clone()]);
        }
        words => {
            meant.extend(words.iter().flat_map(command_words));
            meant.push("--help".into());
        }
    }
    Cow::Owned(meant)
}

/// Returns the position of `help` if it is the command: only global options are in front of it.
fn help_place(arguments: &[OsString]) -> Option<usize> {
    let place = arguments.iter().position(|word| word == "help")?;
    if place > 1 {
        let program = Cli::command();
        let takes_value = |option: &str| {
            let mut options = program.get_arguments();
            let named = options.find(|arg| arg.get_long() == option.strip_prefix("--"));
            named.is_some_and(|arg| arg.get_action().takes_values())
        };
        let mut words = arguments[1..place].iter();
        while let Some(word) = words.next() {
            let option = word.to_str().filter(|word| word.starts_with('-'))?;
            if takes_value(option) {
                words.next()?;
            }
        }
    }
    (place > 0).then_some(place)
}

/// Splits the name of a page, such as `remote-add` or `jwks-remote-add`, into the words of its command.
fn command_words(word: &OsString) -> Vec<OsString> {
    match word.to_str() {
        Some(name) if !name.starts_with('-') => {
            let name = name.strip_prefix("jwks-").unwrap_or(name);
            name.split('-').map(Into::into).collect()
        }
        _ => vec![word.clone()],
    }
}

/// Parses a command line again after a first failure, now with the definitions of all commands, which
/// help and suggestions need. A word such as `-x1` is a kid if the set has that key.
pub fn read_again(arguments: &[OsString]) -> Result<Cli, clap::Error> {
    let program = program();
    let matches = program.clone().try_get_matches_from(arguments);
    let parsed = matches.and_then(|matches| Cli::from_arg_matches(&matches));
    parsed.or_else(|error| {
        if error.kind() != ErrorKind::UnknownArgument {
            return Err(error);
        }
        let program = program.mut_subcommands(|command| {
            command.mut_args(|arg| {
                let is_kid = arg.get_id() == "kid" && arg.is_positional();
                if is_kid {
                    arg.allow_hyphen_values(true)
                } else {
                    arg
                }
            })
        });
        let matches = program.try_get_matches_from(arguments).ok();
        let cli = matches.and_then(|matches| Cli::from_arg_matches(&matches).ok());
        cli.filter(|cli| has_named_key(cli) == Some(true))
            .ok_or(error)
    })
}

/// Returns the definition of the whole command line, with the layout of its help.
fn program() -> clap::Command {
    let mut program = Cli::command();
    program.build();
    with_layout(program)
}

fn with_layout(command: clap::Command) -> clap::Command {
    let examples = command.get_after_help().map(ToString::to_string);
    let command = command.help_template(TEMPLATE).mut_subcommands(with_layout);
    let Some(examples) = examples else {
        return command;
    };
    let first: Vec<_> = examples.lines().take(1 + SHORT_EXAMPLES).collect();
    command
        .after_help(first.join("\n"))
        .after_long_help(examples)
}

/// Returns true if the set of the keystore that the command names has the key that the command names.
fn has_named_key(cli: &Cli) -> Option<bool> {
    let (set, kid) = match &cli.command {
        Command::Get(args) => args.named_key()?,
        Command::Export(args) => args.named_key()?,
        _ => return None,
    };
    let keystore = crate::cli::directory(cli.global.store.clone())?;
    let stored = keystore.read(&SetName::new(set).ok()?).ok()??;
    Some(stored.known()?.parse().ok()?.find(kid).is_ok())
}

/// Options of other tools, and our names for them.
const OTHER_NAMES: &[(&str, &str)] = &[
    ("--algo", "--alg"),
    ("--algorithm", "--alg"),
    ("--bits", "--size"),
    ("--format", "--to"),
    ("--if-not-exists", "--if-missing"),
    ("--type", "--kty"),
];

/// Corrects the suggestions for an unknown option. The parser suggests options that share only some
/// letters, and suggests passing the option as a value.
fn correct_advice(arguments: &[OsString], error: &mut clap::Error) {
    if error.kind() != ErrorKind::UnknownArgument {
        return;
    }
    error.remove(ContextKind::Suggested);
    let Some(ContextValue::String(unknown)) = error.get(ContextKind::InvalidArg) else {
        return;
    };
    let unknown = unknown.clone();
    let program = Cli::command();
    let command = arguments
        .iter()
        .find_map(|word| program.find_subcommand(word.to_str()?));
    let mut built = command.cloned().unwrap_or_default();
    built.build();
    let has = |name: &str| {
        let mut options = built.get_arguments();
        options.any(|arg| arg.get_long() == name.strip_prefix("--"))
    };
    let takes_kid = built
        .get_positionals()
        .any(|arg| arg.get_id().as_str().starts_with("kid"));
    let tip = match &*unknown {
        "--kid" => Some("the KID has no option: write it after the SET"),
        option if option.starts_with("--") => None,
        _ => Some("to pass a KID that begins with a dash, put it after '--'"),
    };
    if let Some(tip) = tip.filter(|_| takes_kid) {
        let tips = ContextValue::StyledStrs(vec![tip.into()]);
        error.insert(ContextKind::Suggested, tips);
        error.remove(ContextKind::SuggestedArg);
        return;
    }
    let other = OTHER_NAMES.iter().find(|(word, _)| *word == unknown);
    if let Some((_, name)) = other.filter(|(_, name)| has(name)) {
        error.insert(
            ContextKind::SuggestedArg,
            ContextValue::String((*name).to_owned()),
        );
        // Remove the usage, because it shows the option that the parser suggested.
        error.remove(ContextKind::Usage);
        return;
    }
    if let Some(ContextValue::String(suggested)) = error.get(ContextKind::SuggestedArg) {
        let is_beginning = unknown.len() > 5 && suggested.starts_with(&unknown);
        if !is_beginning && nearest(&unknown, &[suggested]).is_none() {
            error.remove(ContextKind::SuggestedArg);
            error.remove(ContextKind::Usage);
        }
    }
}

/// Prints a requested help text, or a usage error, and returns the exit code.
pub fn report(arguments: &[OsString], mut error: clap::Error) -> u8 {
    correct_advice(arguments, &mut error);
    let error = &error;
    let json = arguments.iter().any(|argument| argument == "--json");
    let out = Output::new(json, false, false, color(arguments));
    let text = error.render();
    let result = match error.kind() {
        ErrorKind::DisplayVersion => out.help(&text.to_string(), &text.to_string()),
        ErrorKind::DisplayHelp => out.help(
            &arranged(&text.to_string()),
            &arranged(&text.ansi().to_string()),
        ),
        kind => {
            let is_help = kind == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand;
            let arrange = |text: String| if is_help { arranged(&text) } else { text };
            match meant_command(error) {
                Some(error) => out.error(&error),
                None if json => out.error(&if is_help {
                    Error::usage("a command is missing").hint("run `jwks help` to see the commands")
                } else {
                    in_one_line(&text.to_string())
                }),
                None => out.usage_error(
                    &arrange(text.to_string()),
                    &arrange(text.ansi().to_string()),
                ),
            }
            return crate::error::ErrorKind::Usage.exit_code();
        }
    };
    match result {
        Ok(()) => 0,
        Err(error) => {
            out.error(&error);
            error.kind().exit_code()
        }
    }
}

/// Converts an error of the argument parser. Its first paragraph says what is wrong, and with which
/// argument. The other paragraphs become the hint.
fn in_one_line(text: &str) -> Error {
    let mut message = String::new();
    let mut hints = Vec::new();
    for (i, paragraph) in text.trim().split("\n\n").enumerate() {
        let mut lines = paragraph.lines().map(str::trim);
        let first = lines.next().unwrap_or_default();
        let first = first.trim_start_matches("error: ");
        let names_arguments = i == 0 && first.ends_with(':');
        if i == 0 {
            message = first.to_owned();
        } else if !first.starts_with("For more information") {
            hints.push(first.trim_start_matches("tip: ").to_owned());
        }
        let lines: Vec<_> = lines.map(|line| line.trim_matches(['[', ']'])).collect();
        if names_arguments {
            message = format!("{message} {}", lines.join(", "));
        } else {
            hints.extend(lines.into_iter().map(str::to_owned));
        }
    }
    if hints.is_empty() {
        hints.push("pass --help to see the arguments".into());
    }
    Error::usage(message).hint(hints.join("; "))
}

/// Returns whether `--color` forces colors on or off, from a command line that did not parse.
fn color(arguments: &[OsString]) -> Option<bool> {
    let words: Vec<_> = arguments.iter().filter_map(|word| word.to_str()).collect();
    let next = |pair: &[&str]| (pair[0] == "--color").then(|| pair[1].to_owned());
    let value = words.windows(2).find_map(next).or_else(|| {
        let attached = words.iter().find_map(|word| word.strip_prefix("--color="));
        attached.map(str::to_owned)
    });
    When::from_str(&value?, false).ok()?.forced()
}

/// Moves the global options to the end of a help text. A short help has none, and gets a line about
/// them instead.
fn arranged(help: &str) -> String {
    let help = help.trim_end();
    let sections: Vec<_> = help.split("\n\n").collect();
    let heading = format!("{GLOBAL_OPTIONS}:");
    let is_heading = |section: &&str| {
        section
            .lines()
            .next()
            .is_some_and(|line| line.contains(&heading))
    };
    let Some(start) = sections.iter().position(is_heading) else {
        return format!("{help}\n\n{GLOBAL_LINE}\n");
    };
    // A section ends at the next line that is not indented.
    let rest = sections[start + 1..].iter();
    let end = start + 1 + rest.take_while(|section| section.starts_with(' ')).count();
    let order = [&sections[..start], &sections[end..], &sections[start..end]];
    order.concat().join("\n\n") + "\n"
}

/// Returns an error that suggests our command for a synonym of it; `None` if the word is not a synonym.
fn meant_command(error: &clap::Error) -> Option<Error> {
    let Some(ContextValue::String(word)) = error.get(ContextKind::InvalidSubcommand) else {
        return None;
    };
    let meant = SYNONYMS.iter().find(|(_, words)| words.contains(&&**word));
    let (command, _) = meant?;
    Some(
        Error::usage(format!("unrecognized command {word:?}"))
            .hint(format!("did you mean `jwks {command}`?")),
    )
}
