//! `jwks man`: the manual. The pages of commands are generated from their definitions, the guides are
//! files.

pub mod guides;
mod page;
mod tables;

use self::guides::{GUIDES, guide};
use crate::context::Context;
use crate::error::{Error, Result};
use crate::nearest::did_you_mean;
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
/// On a terminal, man(1) shows the page. Without man(1), the help of the command or the Markdown source
/// of the guide is printed. If the output is not a terminal, the roff source is printed. Name the page of
/// a subcommand with two words or a dash: `remote add` or `remote-add`. The guides are rotation, servers,
/// formats, pipelines, json, security and contributing.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct ManArgs {
    /// The command or guide [default: the page of jwks itself]
    #[arg(value_name = "PAGE")]
    page: Vec<String>,
}

/// Runs `jwks man`; `program` is the definition of the whole command line.
pub fn run(ctx: &Context, args: &ManArgs, mut program: clap::Command) -> Result<()> {
    let words = args.page.join(" ").replace(' ', "-");
    let wanted = match words.strip_prefix("jwks-") {
        Some(_) => words,
        None if words.is_empty() || words == PROGRAM => PROGRAM.into(),
        None => format!("{PROGRAM}-{words}"),
    };
    if let Some(guide) = guide(&wanted) {
        if !show(ctx, guide.page)? {
            ctx.out.octets(guide.source.as_bytes())?;
        }
        return Ok(());
    }
    program.build();
    let pages = pages(&program, PROGRAM);
    let is_wanted = |(name, command): &&(String, &clap::Command)| {
        let above = name.strip_suffix(command.get_name()).unwrap_or_default();
        let mut aliases = command.get_visible_aliases();
        *name == wanted || aliases.any(|alias| wanted == format!("{above}{alias}"))
    };
    let Some((name, command)) = pages.iter().find(is_wanted) else {
        let names: Vec<_> = pages
            .iter()
            .filter_map(|(name, _)| name.strip_prefix("jwks-"))
            .chain(GUIDES.iter().map(|guide| guide.name))
            .collect();
        let word = wanted.trim_start_matches("jwks-");
        let meant = did_you_mean(word, &names);
        return Err(Error::usage(format!("no page for {wanted:?}"))
            .hint(meant.unwrap_or_else(|| format!("pages: {}", names.join(", ")))));
    };
    let commands: Vec<_> = program.get_subcommands().map(|c| c.get_name()).collect();
    if !show(ctx, &page(command, name, &commands))? {
        let help = (*command).clone().render_long_help();
        ctx.out.help(&help.to_string(), &help.ansi().to_string())?;
    }
    Ok(())
}

/// The pages of a command and of the commands below it: the name of each without the section, and the
/// command that it describes.
fn pages<'c>(command: &'c clap::Command, name: &str) -> Vec<(String, &'c clap::Command)> {
    let below = command
        .get_subcommands()
        .flat_map(|below| pages(below, &format!("{name}-{}", below.get_name())));
    std::iter::once((name.to_owned(), command))
        .chain(below)
        .collect()
}

/// Shows a page with man(1) on a terminal, and prints its source elsewhere. Returns false if man(1) cannot
/// show it.
fn show(ctx: &Context, page: &str) -> Result<bool> {
    if !ctx.out.is_terminal() {
        return ctx.out.octets(page.as_bytes()).map(|()| true);
    }
    let mut man = Command::new("man");
    let Ok(mut man) = man.args(["-l", "-"]).stdin(Stdio::piped()).spawn() else {
        return Ok(false);
    };
    if let Some(mut input) = man.stdin.take() {
        // A reader that leaves early is no failure.
        let _ = input.write_all(page.as_bytes());
    }
    Ok(man.wait().is_ok_and(|status| status.success()))
}
