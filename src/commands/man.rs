//! `jwks man`: the manual, generated from the command definitions.

use crate::cli::Cli;
use crate::context::Context;
use crate::error::{Error, Result};
use crate::key::check::RULES;
use clap::{Args, CommandFactory as _};
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};

const EXAMPLES: &str = "\
Examples:
  $ jwks man
  $ jwks man create | head -n 5";

/// Print a manual page
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct ManArgs {
    /// The command whose page to print; without it the program's own
    #[arg(value_name = "COMMAND")]
    command: Option<String>,
}

/// Runs `jwks man`.
pub fn run(ctx: &Context, args: &ManArgs) -> Result<()> {
    let wanted = match &args.command {
        Some(command) => format!("jwks-{command}"),
        None => "jwks".into(),
    };
    let pages = pages()?;
    let names: Vec<_> = pages
        .iter()
        .filter_map(|(name, _)| name.strip_prefix("jwks-"))
        .collect();
    match pages.iter().find(|(name, _)| *name == wanted) {
        Some((_, page)) => ctx.out.octets(page),
        None => Err(Error::not_found(format!("no page for {wanted:?}"))
            .hint(format!("pages: {}", names.join(", ")))),
    }
}

/// Every page: its name without the section, and its roff.
pub fn pages() -> Result<Vec<(String, Vec<u8>)>> {
    let mut program = Cli::command();
    program.build();
    let mut pages = vec![page(program.clone(), "jwks".into())?];
    for command in program.get_subcommands() {
        let name = format!("jwks-{}", command.get_name());
        pages.push(page(command.clone(), name)?);
    }
    Ok(pages)
}

fn page(command: clap::Command, name: String) -> Result<(String, Vec<u8>)> {
    let failed = |error| Error::failed("cannot write the manual").cause(anyhow::Error::from(error));
    let is_check = command.get_name() == "check";
    let version = env!("CARGO_PKG_VERSION");
    // A page's name has a dash where the command line has a blank.
    let command = command
        .name(name.clone())
        .display_name(name.clone())
        .version(version);
    // No date: the same source gives the same page.
    let man = Man::new(command)
        .title(name.to_uppercase())
        .section("1")
        .date("")
        .source(format!("jwks {version}"))
        .manual("jwks manual");
    let mut page = Vec::new();
    man.render(&mut page).map_err(failed)?;
    if is_check {
        rules().to_writer(&mut page).map_err(failed)?;
    }
    Ok((name, page))
}

/// The table of rules, for the page of `check`.
fn rules() -> Roff {
    let mut roff = Roff::default();
    roff.control("SH", ["RULES"]);
    for rule in RULES {
        roff.control("TP", []);
        roff.text([
            bold(rule.name()),
            roman(format!(" ({})", rule.severity().name())),
        ]);
        roff.text([roman(rule.text())]);
    }
    roff
}
