//! `jwks man`: the manual. The pages of commands are generated from their definitions, the guides are
//! files.

pub mod guides;
mod page;
mod tables;

use self::guides::{GUIDES, guide};
use crate::context::Context;
use crate::error::{Error, Result};
use clap::Args;
use page::page;
use std::io::Write as _;
use std::process::{Command, Stdio};

const EXAMPLES: &str = "\
Examples:
  $ jwks man
  $ jwks man create | head -n 5
  $ jwks man rotation | head -n 5";

/// The heading of the options that every command has. Only the program's own page describes them.
pub const GLOBAL_OPTIONS: &str = "Global options";

/// The program's own page.
const PROGRAM: &str = "jwks";

/// Show a manual page
///
/// On a terminal, the page is shown as man(1) shows it. Otherwise, its roff source is printed. The page
/// of a subcommand has a dash in its name, such as remote-add. The guides are rotation,
/// servers, formats, pipelines, json, security and contributing.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct ManArgs {
    /// The command or guide [default: the page of jwks itself]
    #[arg(value_name = "PAGE")]
    command: Option<String>,
}

/// Runs `jwks man`; `program` is the definition of the whole command line.
pub fn run(ctx: &Context, args: &ManArgs, program: clap::Command) -> Result<()> {
    if let Some(page) = args.command.as_deref().and_then(guide) {
        return show(ctx, page);
    }
    let wanted = match &args.command {
        Some(command) => format!("jwks-{command}"),
        None => PROGRAM.into(),
    };
    let pages = pages(program);
    let names: Vec<_> = pages
        .iter()
        .filter_map(|(name, _)| name.strip_prefix("jwks-"))
        .chain(GUIDES.iter().map(|(name, _)| *name))
        .collect();
    match pages.iter().find(|(name, _)| *name == wanted) {
        Some((_, page)) => show(ctx, page),
        None => Err(Error::not_found(format!("no page for {wanted:?}"))
            .hint(format!("pages: {}", names.join(", ")))),
    }
}

/// Shows a page on a terminal, and prints its source elsewhere.
fn show(ctx: &Context, page: &str) -> Result<()> {
    if !ctx.out.is_terminal() {
        return ctx.out.octets(page.as_bytes());
    }
    let mut man = Command::new("man");
    match man.args(["-l", "-"]).stdin(Stdio::piped()).spawn() {
        Ok(mut man) => {
            if let Some(mut input) = man.stdin.take() {
                // A reader that leaves early is no failure.
                let _ = input.write_all(page.as_bytes());
            }
            match man.wait() {
                Ok(status) if status.success() => Ok(()),
                _ => ctx.out.octets(text(page).as_bytes()),
            }
        }
        Err(_) => ctx.out.octets(text(page).as_bytes()),
    }
}

/// Turns roff into plain text, for terminals without man(1).
fn text(page: &str) -> String {
    let mut text = String::new();
    for line in page.lines() {
        let (request, rest) = line.split_once(' ').unwrap_or((line, ""));
        let line = match request {
            ".SH" => format!("\n{rest}"),
            ".SS" => format!("\n  {rest}"),
            ".PP" | ".TP" => String::new(),
            _ if line.starts_with('.') => continue,
            _ => format!("    {line}"),
        };
        let line = line.replace('"', "");
        let plain = ["\\fB", "\\fI", "\\fR", "\\&"];
        let line = plain.iter().fold(line, |line, mark| line.replace(mark, ""));
        let line = line.replace("\\-", "-").replace("\\(aq", "'");
        text.push_str(&line.replace("\\e", "\\"));
        text.push('\n');
    }
    text
}

/// Every page: its name without the section, and its roff.
fn pages(mut program: clap::Command) -> Vec<(String, String)> {
    program.build();
    let mut pages = Vec::new();
    let commands = program.get_subcommands();
    let commands: Vec<_> = commands
        .map(|command| command.get_name().to_owned())
        .collect();
    add_pages(&program, PROGRAM, &commands, &mut pages);
    pages
}

/// Adds the page of a command, and those of the commands below it.
fn add_pages(
    command: &clap::Command,
    name: &str,
    commands: &[String],
    pages: &mut Vec<(String, String)>,
) {
    pages.push((name.to_owned(), page(command, name, commands)));
    for below in command.get_subcommands() {
        let name = format!("{name}-{}", below.get_name());
        add_pages(below, &name, commands, pages);
    }
}
