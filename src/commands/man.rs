//! `jwks man`: the manual. The pages of commands are generated from their definitions, the guides are
//! files.

pub mod guides;

use self::guides::{GUIDES, guide};
use crate::context::Context;
use crate::error::{Error, Result};
use crate::key::check::RULES;
use clap::Args;
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};

const EXAMPLES: &str = "\
Examples:
  $ jwks man
  $ jwks man create | head -n 5
  $ jwks man rotation | head -n 5";

/// The day of the version's release; a page names no day on which it was generated, so that the
/// same source gives the same page.
const RELEASED: &str = "2026-11-21";

/// The program's own page.
const PROGRAM: &str = "jwks";

/// Print a manual page
///
/// The page of a command below another is named with a dash: remote-add. The guides are rotation,
/// servers, formats, pipelines, json, security and contributing.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct ManArgs {
    /// The command or guide whose page to print; without it the program's own
    #[arg(value_name = "PAGE")]
    command: Option<String>,
}

/// The exit codes, one a line.
pub const EXIT_CODES: &str = "  0  done, also when there was nothing to do
  1  failed: file system, cryptography
  2  usage
  3  not found: set, key, file, remote
  4  refused: exists already, conflict, needs a confirmation, lock not obtained
  5  invalid: input that does not parse, or keys that fail a check
  6  remote: network, server error, unexpected answer
  7  denied: no token, password or passphrase, or one that is refused (401, 403, wrong)
  8  differs (diff --exit-code), due (rotate --dry-run --exit-code)
  130  interrupted";

/// Runs `jwks man`; `program` is the definition of the whole command line.
pub fn run(ctx: &Context, args: &ManArgs, program: clap::Command) -> Result<()> {
    if let Some(page) = args.command.as_deref().and_then(guide) {
        return ctx.out.octets(page.as_bytes());
    }
    let wanted = match &args.command {
        Some(command) => format!("jwks-{command}"),
        None => PROGRAM.into(),
    };
    let pages = pages(program)?;
    let names: Vec<_> = pages
        .iter()
        .filter_map(|(name, _)| name.strip_prefix("jwks-"))
        .chain(GUIDES.iter().map(|(name, _)| *name))
        .collect();
    match pages.iter().find(|(name, _)| *name == wanted) {
        Some((_, page)) => ctx.out.octets(page),
        None => Err(Error::not_found(format!("no page for {wanted:?}"))
            .hint(format!("pages: {}", names.join(", ")))),
    }
}

/// Every page: its name without the section, and its roff.
fn pages(mut program: clap::Command) -> Result<Vec<(String, Vec<u8>)>> {
    program.build();
    let mut pages = Vec::new();
    add_pages(&program, PROGRAM, &mut pages)?;
    Ok(pages)
}

/// The page of a command, and those of the commands below it.
fn add_pages(
    command: &clap::Command,
    name: &str,
    pages: &mut Vec<(String, Vec<u8>)>,
) -> Result<()> {
    pages.push((name.to_owned(), page(command, name)?));
    for below in command.get_subcommands() {
        add_pages(below, &format!("{name}-{}", below.get_name()), pages)?;
    }
    Ok(())
}

fn page(command: &clap::Command, name: &str) -> Result<Vec<u8>> {
    let version = env!("CARGO_PKG_VERSION");
    let man = Man::new(
        command
            .clone()
            .version(version)
            .display_name(name.to_owned()),
    )
    .title(name.to_uppercase())
    .section("1")
    .date(RELEASED)
    .source(format!("jwks {version}"))
    .manual("jwks manual");
    let mut roff = Vec::new();
    let write = |roff: &mut Vec<u8>| {
        man.render_title(roff)?;
        man.render_name_section(roff)?;
        man.render_synopsis_section(roff)?;
        man.render_description_section(roff)?;
        man.render_options_section(roff)?;
        if command.has_subcommands() {
            man.render_subcommands_section(roff)?;
        }
        if name == PROGRAM {
            verbatim("EXIT STATUS", EXIT_CODES).to_writer(roff)?;
            files().to_writer(roff)?;
        }
        if command.get_name() == "check" {
            rules().to_writer(roff)?;
        }
        let help = command
            .get_after_help()
            .map(ToString::to_string)
            .unwrap_or_default();
        let examples = help.strip_prefix("Examples:\n").unwrap_or(&help);
        verbatim("EXAMPLES", examples).to_writer(roff)
    };
    let written = write(&mut roff);
    written.map_err(|error| Error::failed("cannot write the manual").cause(error))?;
    Ok(roff)
}

/// A section whose lines stay as they are.
fn verbatim(title: &str, text: &str) -> Roff {
    let mut roff = Roff::default();
    roff.control("SH", [title]);
    roff.control("nf", []);
    for line in text.lines() {
        roff.text([roman(line.trim_start_matches("  "))]);
    }
    roff.control("fi", []);
    roff
}

/// Where things lie, and what the environment says.
fn files() -> Roff {
    let mut roff = Roff::default();
    for (section, entries) in [("FILES", FILES), ("ENVIRONMENT", ENVIRONMENT)] {
        roff.control("SH", [section]);
        for (name, text) in entries {
            roff.control("TP", []);
            roff.text([bold(*name)]);
            roff.text([roman(*text)]);
        }
    }
    roff
}

const FILES: &[(&str, &str)] = &[
    (
        "~/.local/share/jwks/SET.json",
        "A set, mode 0600 in a directory of mode 0700: a JWK Set that any JOSE tool reads. This is \
         the place on Linux; on macOS it is ~/Library/Application Support/jwks, on Windows \
         %APPDATA%\\jwks\\data.",
    ),
    (
        "~/.local/share/jwks/SET.jwe",
        "A set that is encrypted: a JWE in the compact form, with the public keys in its protected \
         header.",
    ),
    (
        "~/.local/share/jwks/.lock",
        "The lock that a writer holds. It is never removed; the kernel frees it when its holder ends.",
    ),
    (
        "~/.local/share/jwks/.schedules.json",
        "The schedules that rotate --save keeps, by set: the options as they were given.",
    ),
    (
        "~/.local/share/jwks/.log",
        "The log of changes, mode 0600: a line of JSON for each key that was changed or sent, and one for \
         the keys that a command prints or exports with their private part, never with a secret. Only \
         jwks log reads it.",
    ),
    (
        "~/.config/jwks/remotes.json",
        "The remotes: where each server is and where its token comes from, never the token. On macOS \
         ~/Library/Preferences/jwks, on Windows %APPDATA%\\jwks\\config.",
    ),
];

const ENVIRONMENT: &[(&str, &str)] = &[
    ("JWKS_STORE", "The keystore's directory, as --store."),
    (
        "JWKS_PASSPHRASE_FILE, JWKS_PASSPHRASE",
        "The file with the passphrase of encrypted sets, or that passphrase itself, where neither \
         --passphrase-file nor --passphrase-command gives one. Other processes of the same user can \
         see the latter.",
    ),
    (
        "JWKS_REQUIRE_ENCRYPTED",
        "Refuses sets that are not encrypted, as --require-encrypted; 0, no and false turn it off.",
    ),
    (
        "CLERK_SECRET_KEY, CLERK_BEARER_AUTH, AUTHLETE_BEARER, ORY_ACCESS_TOKEN",
        "The token of a remote of that service whose entry does not say where it comes from.",
    ),
    (
        "ORY_SDK_URL",
        "The address of a remote of kind hydra, hydra-v1 or ory that has none.",
    ),
    (
        "HTTP_PROXY, HTTPS_PROXY, ALL_PROXY, NO_PROXY",
        "The proxy for http and https addresses, and the hosts that need none; in lower case too. \
         Nothing on this machine goes over a proxy.",
    ),
    (
        "SSL_CERT_FILE, SSL_CERT_DIR",
        "Where the trusted authorities are, on Linux.",
    ),
    (
        "NO_COLOR",
        "Set and not empty: no colours, unless --color always.",
    ),
    (
        "JWKS_COMPLETE",
        "Set by the completion scripts: the shell that asks for completions.",
    ),
];

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
