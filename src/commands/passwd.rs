//! `jwks passwd`: encrypts a set at rest, or changes or removes its passphrase.

use crate::args::encryption::IterationsArgs;
use crate::context::Context;
use crate::error::{Error, Result};
use crate::keystore::log::Verb;
use crate::keystore::{Protection, SetName, Stored};
use crate::report::log_entry::Record;
use crate::report::names::{SetLabel, count};
use clap::{Args, ValueHint};
use serde_json::json;

const EXAMPLES: &str = "\
Examples:
  $ jwks passwd api --passphrase-file passphrase.txt
  $ jwks passwd payments --passphrase-file passphrase.txt --new-passphrase-file next.txt
  $ jwks passwd payments --passphrase-file passphrase.txt --remove";

/// Encrypt a set, or change or remove its passphrase
///
/// The file becomes a JWE that JOSE tools can open with the passphrase (RFC 7517 section 7). The public
/// keys stay readable in its header, so commands that need no private key ask for no passphrase.
///
/// The global options give the new passphrase of a set that is not encrypted, or the current passphrase
/// of an encrypted set. Without them, jwks asks on the terminal.
///
/// A set that becomes encrypted or gets another passphrase loses its history, because the earlier versions
/// would stay readable without the passphrase, or with the old one. `jwks undo` takes back --remove only.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct PasswdArgs {
    /// The sets
    #[arg(value_name = "SET", required = true)]
    sets: Vec<String>,

    /// Store the set without encryption
    #[arg(long, conflicts_with_all = ["new_passphrase_file", "p2c"])]
    remove: bool,

    /// Read the new passphrase from FILE
    ///
    /// The passphrase is the first line of FILE. - is standard input.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    new_passphrase_file: Option<String>,

    #[command(flatten)]
    iterations: IterationsArgs,
}

/// Runs `jwks passwd`.
pub fn run(ctx: &Context, args: &PasswdArgs) -> Result<()> {
    let mut names = Vec::new();
    for set in &args.sets {
        let name = SetName::given(set)?;
        if !names.contains(&name) {
            names.push(name);
        }
    }
    // Open all sets before the first one is changed, so that a wrong passphrase changes nothing.
    let mut openers = Vec::new();
    for name in &names {
        openers.push(match ctx.store.load(name)? {
            Stored::Plain(_) => None,
            Stored::Encrypted(encrypted) => Some(ctx.open(name, &encrypted)?.1),
        });
    }
    if args.remove {
        if let Some(source) = ctx.require_encrypted {
            let message = format!("--remove would leave a plain set, which {source} refuses");
            return Err(Error::refused(message).hint(format!("run it without {source}")));
        }
        for (name, old) in names.iter().zip(&openers) {
            if old.is_none() {
                ctx.out.status(format!("set {name} is not encrypted"));
                continue;
            }
            ctx.store.protect(name, old.as_deref(), None)?;
            record(ctx, name, "passphrase removed");
            ctx.out.status(format!("set {name} is no longer encrypted"));
        }
        return report(ctx, &names, false);
    }
    if args.new_passphrase_file.is_some() && ctx.require_encrypted.is_none() {
        // The passphrase was given to decrypt these sets, but they are not encrypted.
        let plain = names.iter().zip(&openers).filter(|(_, old)| old.is_none());
        let plain: Vec<_> = plain.map(|(name, _)| name.as_str()).collect();
        ctx.accept_plain(&plain)?;
    }
    let iterations = args.iterations.get(ctx, "passphrase");
    let what = match &names[..] {
        [name] => format!("set {name}"),
        _ => "the sets".into(),
    };
    let is_change = openers.iter().any(Option::is_some);
    let passphrase = match (&args.new_passphrase_file, is_change) {
        // If no set is encrypted, the given passphrase is the new one. Otherwise it is the current one,
        // so another one is needed.
        (None, false) => ctx.passphrases.new_one(&ctx.prompt, &ctx.out, &what)?,
        (file, _) => {
            let file = file.as_deref();
            ctx.passphrases
                .another(file, &ctx.prompt, &ctx.out, &what)?
        }
    };
    for (name, old) in names.iter().zip(&openers) {
        let after = Protection {
            passphrase: passphrase.clone(),
            iterations,
        };
        let sets_before = ctx.store.whole_history(name)?.sets();
        ctx.store.protect(name, old.as_deref(), Some(&after))?;
        let (note, status) = match old {
            Some(_) => ("new passphrase", "has a new passphrase"),
            None => ("encrypted", "is encrypted"),
        };
        record(ctx, name, note);
        ctx.out.status(format!("set {name} {status}"));
        let is_deleted =
            ctx.store.whole_history(name)?.versions.is_empty() && !ctx.store.has_remains(name);
        if is_deleted && sets_before > 0 {
            let versions = count(sets_before, "earlier version");
            ctx.out.status(format!(
                "deleted {versions} of set {name}, which the new passphrase did not protect"
            ));
        }
        if let Some(how) = ctx.store.earlier_versions(name) {
            ctx.out.warn(how);
        }
        for path in ctx.store.damaged_files(name)? {
            ctx.out.warn(format!(
                "the damaged file {} of set {name} is not encrypted; delete it if it holds private keys",
                path.display()
            ));
        }
    }
    report(ctx, &names, true)
}

fn record(ctx: &Context, name: &SetName, note: &str) {
    Record::of(ctx, SetLabel::local(name.as_str()))
        .set(Verb::Updated, note)
        .append();
}

fn report(ctx: &Context, names: &[SetName], encrypted: bool) -> Result<()> {
    if !ctx.out.is_json() {
        return Ok(());
    }
    let row = |name: &SetName| json!({ "set": name.as_str(), "encrypted": encrypted });
    let sets: Vec<_> = names.iter().map(row).collect();
    ctx.out.json(&json!({ "sets": sets }))
}
