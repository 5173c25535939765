//! `jwks check`: finds the faults of a set or a file.

use crate::args::source::SourceArgs;
use crate::context::Context;
use crate::error::{Error, Result};
use crate::key::check::{Budget, Severity};
use crate::key::parts::has_private_member;
use crate::keyset::KeySet;
use crate::keyset::check::{self, Located};
use crate::keyset::verifiers::{self, Published};
use crate::output::{Narrow, Tone, shorten};
use crate::report::names::count;
use crate::source::target::{self, Access, Origin, Source};
use clap::Args;
use serde::Serialize;
use std::borrow::Cow;
use std::cmp::Reverse;

const EXAMPLES: &str = "\
Examples:
  $ jwks check api
  $ jwks check jwks.json --public --strict
  $ jwks check api --for jose,jwcrypto,fapi2
  $ jwks get api | jwks check - --json
  $ jwks check https://issuer.example/jwks.json --public";

/// Check the keys of a set, a file or a server
///
/// Prints every finding: the name of the rule, its severity (error, warning or note), and the key. Exits
/// with 5 if there is an error. A finding that `jwks set --repair` resolves is marked as repairable.
///
/// --for also reports what verifiers do with the set as it is published: the public form of the keys
/// that have not expired. With --public, and if a file or server has only public keys, all keys count as
/// they are. The verifiers are libraries, in the versions that were measured, and profiles. Without
/// --for, the verifiers that `jwks set --verifiers` declares are checked.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct CheckArgs {
    /// A set, a file, an address, a remote, or - for standard input
    ///
    /// A word without a slash is a SET, REMOTE or REMOTE:NAME. If there is none and it ends in the
    /// suffix of a key file, such as .pem, it is a file. Write ./FILE for any file.
    #[arg(value_name = "SET|FILE|URL")]
    target: String,

    /// Check it as a public set, which must not contain private or symmetric keys
    #[arg(long)]
    public: bool,

    /// Also check the set for these verifiers, or for all
    ///
    /// jwks knows the libraries authlib, fusionauth-jwt, go-jose, go-oidc, jjwt, jose (npm), jose4j, josekit,
    /// joserfc, jsonwebtoken (Rust), jwcrypto, jwks-rsa, jwks-rsa-java, jwx, keyfunc, nimbus-jose-jwt,
    /// node-jose, pyjwt and python-jose, and the profiles aws-iam, fapi2, federation, kubernetes, oidc and
    /// smart. NAME@VERSION is one of the measured versions, and all is every library.
    #[arg(
        long = "for",
        id = "verifiers",
        value_name = "PROGRAM",
        value_delimiter = ','
    )]
    verifiers: Vec<String>,

    /// Also exit with 5 if there is a warning
    #[arg(long)]
    strict: bool,

    #[command(flatten)]
    source: SourceArgs,
}

#[derive(Serialize)]
struct Row<'a> {
    rule: &'static str,
    severity: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    index: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    kid: Option<Cow<'a, str>>,
    message: &'a str,
    /// True if `jwks set --repair` resolves the finding.
    repairable: bool,
}

/// A finding, and true if `jwks set --repair` resolves it.
type Repairable = (Located, bool);

/// The maximum number of findings that are printed. Of the rest, only the number is printed.
const MOST_SHOWN: usize = 1000;

/// The longest kid that is printed in full, in characters.
const LONGEST_KID: usize = 1000;

#[derive(Serialize)]
struct Report<'a> {
    findings: Vec<Row<'a>>,
    /// The number of findings that are left out.
    more: usize,
    errors: usize,
    warnings: usize,
    notes: usize,
}

/// Runs `jwks check`.
pub fn run(ctx: &Context, args: &CheckArgs) -> Result<()> {
    let SourceArgs {
        password,
        connection,
    } = &args.source;
    let source = target::read(ctx, &args.target, Access::Faulty, password, connection)?;
    let set = source.set()?;
    let mut findings = check::findings(&set, ctx.now, args.public, &ctx.checks);
    findings.extend(of_verifiers(ctx, args, &source, &set)?);
    findings.sort_by_key(|located| located.index);
    let repairable = check::repairable(&set, &findings, &Budget::default());
    let findings: Vec<_> = findings.into_iter().zip(repairable).collect();
    let of = |severity| {
        let alike = |(located, _): &&Repairable| located.finding.rule.severity() == severity;
        findings.iter().filter(alike).count()
    };
    let (errors, warnings, notes) = (
        of(Severity::Error),
        of(Severity::Warning),
        of(Severity::Note),
    );
    let shown = most_severe(&findings);
    let more = findings.len() - shown.len();
    if ctx.out.is_json() {
        ctx.out.json(&Report {
            findings: shown.into_iter().map(row).collect(),
            more,
            errors,
            warnings,
            notes,
        })?;
    } else if !findings.is_empty() {
        print(ctx, &shown)?;
        if more > 0 {
            let more = count(more, "more finding");
            ctx.out.lines([format!("and {more}")])?;
        }
    }
    let counts = [(errors, "error"), (warnings, "warning"), (notes, "note")];
    let counts = counts.iter().filter(|(number, _)| *number > 0);
    let words: Vec<_> = counts.map(|(number, what)| count(*number, what)).collect();
    if errors > 0 || (args.strict && warnings > 0) {
        let error = Error::invalid(format!("{}: {}", args.target, words.join(", ")));
        let repairable = findings
            .iter()
            .filter(|(_, repairable)| *repairable)
            .count();
        return Err(match repairable {
            0 => error,
            number => error.hint(format!("`jwks set --repair` resolves {number}")),
        });
    }
    let words = if words.is_empty() {
        "no findings".into()
    } else {
        words.join(", ")
    };
    ctx.out.status(format!("{}: {words}", args.target));
    Ok(())
}

/// Returns what the given or declared verifiers refuse and ignore.
fn of_verifiers(
    ctx: &Context,
    args: &CheckArgs,
    source: &Source,
    set: &KeySet,
) -> Result<Vec<Located>> {
    let is_of_keystore = matches!(source.origin, Origin::Keystore(_));
    let verifiers = if args.verifiers.is_empty() && is_of_keystore {
        let (declared, unknown) = verifiers::known(&set.declared_verifiers());
        for error in unknown {
            ctx.out.warn(format!("{}: {error}", args.target));
        }
        declared
    } else {
        verifiers::measured(&args.verifiers)?
    };
    if verifiers.is_empty() {
        return Ok(Vec::new());
    }
    let is_public = !is_of_keystore && !set.keys.iter().any(has_private_member);
    let published = if args.public || is_public {
        Published::as_it_is(set)
    } else {
        Published::public(set, ctx.now, &Budget::default())
    };
    Ok(verifiers::findings(&published, &verifiers))
}

/// Returns the findings to print, in the order of the set. If there are too many, errors are kept before
/// warnings, and warnings before notes.
fn most_severe(findings: &[Repairable]) -> Vec<&Repairable> {
    let mut shown: Vec<_> = findings.iter().collect();
    if shown.len() <= MOST_SHOWN {
        return shown;
    }
    shown.sort_by_key(|(located, _)| Reverse(located.finding.rule.severity()));
    shown.truncate(MOST_SHOWN);
    shown.sort_by_key(|(located, _)| located.index);
    shown
}

fn row((located, repairable): &Repairable) -> Row<'_> {
    Row {
        rule: located.finding.rule.name(),
        severity: located.finding.rule.severity().name(),
        index: located.index,
        kid: located.kid.as_deref().map(|kid| shorten(kid, LONGEST_KID)),
        message: &located.finding.message,
        repairable: *repairable,
    }
}

/// Prints the findings. A narrow terminal omits the rules, so that the messages fit.
fn print(ctx: &Context, shown: &[&Repairable]) -> Result<()> {
    let is_terminal = ctx.out.is_terminal();
    let width = if is_terminal { ctx.out.width() } else { 80 };
    let (has_rule, longest_kid) = (width >= 70, if width < 80 { 12 } else { 43 });
    let mut header = vec!["SEVERITY", "RULE", "KEY", "FINDING"];
    header.retain(|name| has_rule || *name != "RULE");
    let rows = shown.iter().map(|(located, repairable)| {
        let severity = located.finding.rule.severity();
        let tone = match severity {
            Severity::Error => Tone::Bad,
            Severity::Warning => Tone::Warning,
            Severity::Note => Tone::Plain,
        };
        let key = match (located.index, located.kid.as_deref()) {
            (Some(index), Some(kid)) => format!("{index} ({})", shorten(kid, longest_kid)),
            (Some(index), None) => index.to_string(),
            (None, _) => "-".into(),
        };
        let mut row = vec![(severity.name().into(), tone)];
        if has_rule {
            row.push((located.finding.rule.name().into(), Tone::Plain));
        }
        row.push((key, Tone::Plain));
        let mark = if *repairable { " (repairable)" } else { "" };
        row.push((format!("{}{mark}", located.finding.message), Tone::Plain));
        row
    });
    ctx.out.table(&header, rows.collect(), Narrow::WrapLast)
}
