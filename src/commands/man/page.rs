//! Writes a manual page in roff, with the layout of man-pages(7).

use super::GLOBAL_OPTIONS;
use super::guides::GUIDES;
use super::tables::{ENVIRONMENT, EXIT_CODES, FILES, RELATED};
use crate::key::check::RULES;
use crate::key::repair::repairs;
use clap::{Arg, Command};
use std::fmt::Write as _;

/// The day of the version's release. A page does not have the day on which it was generated, so that
/// the same source gives the same page.
const RELEASED: &str = "2026-11-21";

/// The longest line of text in a page, in bytes as mandoc counts them.
const LONGEST_LINE: usize = 78;

/// Returns the page of a command in roff. `name` is the name of the page, `commands` are the commands of
/// the program.
pub(super) fn page(command: &Command, name: &str, commands: &[&str]) -> String {
    let version = env!("CARGO_PKG_VERSION");
    let title = roff(&name.to_uppercase());
    let about = command.get_about().map(ToString::to_string);
    let mut page = Page::default();
    page.line(&format!(
        ".TH {title} 1 {RELEASED} \"jwks {version}\" \"jwks manual\""
    ));
    // Do not justify lines and do not hyphenate: options must stay in one piece.
    page.line(".ad l");
    page.line(".nh");
    page.section("NAME");
    page.fill(&format!(
        "{} \\- {}",
        roff(name),
        roff(&about.unwrap_or_default())
    ));
    page.section("SYNOPSIS");
    page.synopsis(command, name);
    page.section("DESCRIPTION");
    let description = command.get_long_about().or_else(|| command.get_about());
    page.paragraphs(&description.map(ToString::to_string).unwrap_or_default());
    let is_program = command.has_subcommands();
    if is_program {
        page.section("COMMANDS");
        for below in command.get_subcommands() {
            let about = below.get_about().map(ToString::to_string);
            let page_name = format!("{name}-{}", below.get_name());
            page.entry(
                &format!("\\fB{}\\fR(1)", roff(&page_name)),
                &about.unwrap_or_default(),
            );
        }
    }
    page.section("OPTIONS");
    page.options(command);
    if command.get_name() == "check" {
        page.section("RULES");
        for rule in RULES {
            let (name, severity) = (roff(rule.name()), rule.severity().name());
            let repairable = if repairs(*rule) {
                ", can be repairable"
            } else {
                ""
            };
            let term = format!("\\fB{name}\\fR ({severity}{repairable})");
            page.entry(&term, rule.text());
        }
    }
    if let Some(examples) = command.get_after_help().map(ToString::to_string) {
        page.section("EXAMPLES");
        page.line(".EX");
        for line in examples.lines().skip(1) {
            page.line(&roff(line.trim_start()));
        }
        page.line(".EE");
    }
    page.section("EXIT STATUS");
    page.table(EXIT_CODES);
    let is_whole = command.get_name() == name;
    for (title, entries, number) in [("FILES", FILES, 2), ("ENVIRONMENT", ENVIRONMENT, 3)] {
        page.section(title);
        let number = if is_whole { entries.len() } else { number };
        page.table(&entries[..number]);
        if !is_whole {
            page.line(".PP");
            page.fill("See \\fBjwks\\fR(1) for the others.");
        }
    }
    page.section("SEE ALSO");
    page.fill(&see_also(name, commands));
    page.text
}

/// The references of a page: the program's page, and related commands.
fn see_also(name: &str, commands: &[&str]) -> String {
    let own = name.split('-').nth(1);
    let related = own.and_then(|own| RELATED.iter().find(|(command, _)| *command == own));
    let mut names: Vec<String> = match related {
        Some((_, related)) => related
            .iter()
            .map(|other| format!("jwks-{other}"))
            .collect(),
        None => commands
            .iter()
            .map(|other| format!("jwks-{other}"))
            .collect(),
    };
    if own.is_some() {
        names.insert(0, "jwks".into());
    }
    let reference = |name: &str, section: u8| format!("\\fB{}\\fR({section})", roff(name));
    let mut names: Vec<_> = names.iter().map(|name| reference(name, 1)).collect();
    if own.is_none() {
        let guides = GUIDES.iter().map(|guide| format!("jwks-{}", guide.name));
        names.extend(guides.map(|guide| reference(&guide, 7)));
    }
    names.join(", ")
}

/// A page to which text is added.
#[derive(Default)]
struct Page {
    text: String,
}

impl Page {
    fn line(&mut self, line: &str) {
        self.text.push_str(line);
        self.text.push('\n');
    }

    fn section(&mut self, title: &str) {
        self.line(&format!(".SH {title}"));
    }

    /// Adds text, broken into lines. A line must not begin like a request.
    fn fill(&mut self, text: &str) {
        let mut line = String::new();
        for word in text.split_whitespace() {
            if !line.is_empty() && width(&line) + width(word) >= LONGEST_LINE {
                self.line(&std::mem::take(&mut line));
            }
            if !line.is_empty() {
                line.push(' ');
            } else if word.starts_with(['.', '\'']) {
                line.push_str("\\&");
            }
            line.push_str(word);
        }
        self.line(&line);
    }

    fn paragraphs(&mut self, text: &str) {
        for (i, paragraph) in text.trim().split("\n\n").enumerate() {
            if i > 0 {
                self.line(".PP");
            }
            self.fill(&roff(paragraph));
        }
    }

    /// Adds a term, which is roff already, and its text.
    fn entry(&mut self, term: &str, text: &str) {
        self.line(".TP");
        self.line(term);
        for (i, paragraph) in text.trim().split("\n\n").enumerate() {
            if i > 0 {
                self.line(".IP");
            }
            self.fill(&roff(paragraph));
        }
    }

    fn table(&mut self, entries: &[(&str, &str)]) {
        for (term, text) in entries {
            self.entry(&format!("\\fB{}\\fR", roff(term)), text);
        }
    }

    /// Adds the command with its arguments and its own options.
    fn synopsis(&mut self, command: &Command, name: &str) {
        let mut words = format!("\\fB{}\\fR", roff(&name.replace('-', " ")));
        let args = command.get_arguments().filter(|arg| is_own(arg));
        let (places, options): (Vec<_>, Vec<_>) = args.partition(|arg| arg.is_positional());
        for option in options {
            let _ = write!(words, " [{}]", long_form(option).replace(' ', "\\~"));
        }
        for place in places {
            let _ = if place.is_required_set() {
                write!(words, " {}", value(place))
            } else {
                write!(words, " [{}]", value(place))
            };
        }
        if command.has_subcommands() {
            words.push_str(" \\fICOMMAND\\fR");
        }
        self.fill(&words);
    }

    /// Adds the arguments and options, in their groups; those of every command stand last.
    fn options(&mut self, command: &Command) {
        let args: Vec<_> = command
            .get_arguments()
            .filter(|arg| !arg.is_hide_set())
            .collect();
        let mut groups: Vec<&str> = Vec::new();
        for arg in &args {
            if !groups.contains(&group(arg)) {
                groups.push(group(arg));
            }
        }
        groups.sort_by_key(|name| match *name {
            ARGUMENTS => 0,
            OPTIONS => 1,
            GLOBAL_OPTIONS => 3,
            _ => 2,
        });
        let is_program = command.get_name() == "jwks";
        for name in groups {
            let _ = writeln!(self.text, ".SS {name}");
            let members = args.iter().filter(|arg| group(arg) == name);
            if name == GLOBAL_OPTIONS && !is_program {
                let names = members.map(|arg| format!("\\fB{}\\fR", roff(&flag(arg))));
                let names = names.collect::<Vec<_>>().join(", ");
                self.fill(&format!("{names}: see \\fBjwks\\fR(1)."));
                continue;
            }
            for arg in members {
                self.option(arg);
            }
        }
    }

    fn option(&mut self, arg: &Arg) {
        let term = match arg.get_short() {
            _ if arg.is_positional() => value(arg),
            Some(short) => format!("\\fB\\-{short}\\fR, {}", long_form(arg)),
            None => long_form(arg),
        };
        let help = arg.get_long_help().or_else(|| arg.get_help());
        let help = help.map(ToString::to_string).unwrap_or_default();
        self.entry(&term, &help);
        let values = arg.get_possible_values();
        let values = values.iter().filter(|value| !value.is_hide_set());
        // A flag has the values true and false, which nobody writes.
        let values: Vec<_> = values.filter(|_| arg.get_action().takes_values()).collect();
        if !values.is_empty() {
            let name = |value: &&clap::builder::PossibleValue| match value.get_help() {
                Some(help) => format!("{} ({help})", value.get_name()),
                None => value.get_name().to_owned(),
            };
            let names: Vec<_> = values.iter().map(name).collect();
            self.line(".IP");
            self.fill(&roff(&format!("Values: {}.", names.join("; "))));
        }
        let defaults = arg
            .get_default_values()
            .iter()
            .map(|value| value.to_string_lossy());
        let defaults: Vec<_> = defaults
            .filter(|_| arg.get_action().takes_values())
            .collect();
        if !defaults.is_empty() {
            self.line(".IP");
            self.fill(&roff(&format!("Default: {}.", defaults.join(", "))));
        }
    }
}

const ARGUMENTS: &str = "Arguments";
const OPTIONS: &str = "Options";

fn group(arg: &Arg) -> &str {
    match arg.get_help_heading() {
        Some(heading) => heading,
        None if arg.is_positional() => ARGUMENTS,
        None => OPTIONS,
    }
}

/// Returns true for the command's own arguments: not the global ones, and neither help nor version.
fn is_own(arg: &Arg) -> bool {
    let is_help = matches!(arg.get_id().as_str(), "help" | "version");
    arg.get_help_heading() != Some(GLOBAL_OPTIONS) && !is_help && !arg.is_hide_set()
}

/// Returns the name of an option with its dashes, such as `--alg`; the long name if there are two.
fn flag(arg: &Arg) -> String {
    match (arg.get_long(), arg.get_short()) {
        (Some(long), _) => format!("--{long}"),
        (None, Some(short)) => format!("-{short}"),
        (None, None) => arg.get_id().to_string(),
    }
}

/// Returns an option with the name of its value, in roff.
fn long_form(arg: &Arg) -> String {
    let flag = format!("\\fB{}\\fR", roff(&flag(arg)));
    if arg.get_action().takes_values() {
        format!("{flag} {}", value(arg))
    } else {
        flag
    }
}

/// Returns the name of an argument's value, in roff, with `…` if it can be repeated.
fn value(arg: &Arg) -> String {
    let names = arg.get_value_names().unwrap_or_default();
    let names: Vec<_> = names.iter().map(|name| roff(name)).collect();
    let several = arg.is_positional()
        && arg
            .get_num_args()
            .is_some_and(|range| range.max_values() > 1);
    let more = if several { "…" } else { "" };
    format!("\\fI{}\\fR{more}", names.join(" "))
}

/// Returns the length of a line in bytes, as mandoc counts it: a character beyond ASCII counts as an
/// escape such as `\[u2026]`.
fn width(line: &str) -> usize {
    let bytes = |c: char| if c.is_ascii() { 1 } else { "\\[u2026]".len() };
    line.chars().map(bytes).sum()
}

/// Escapes text for roff.
fn roff(text: &str) -> String {
    let text = text.replace('\\', "\\e").replace('-', "\\-");
    text.replace('\'', "\\(aq").replace('`', "\\(ga")
}
