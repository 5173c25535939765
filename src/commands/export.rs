//! `jwks export`: a set or a key in the form that others read.

use super::record::Record;
use super::report::{Whose, note_left_out};
use crate::context::Context;
use crate::error::{Error, Result};
use crate::files::{self, Access, Existing};
use crate::key::Key;
use crate::key::check;
use crate::key::format::write::{self, Document};
use crate::key::members::Members;
use crate::key::public::{Dates, holds_secret};
use crate::keyset::import::{self, Imported};
use crate::keyset::lifecycle::{self, State};
use crate::keyset::merge::KeyName;
use crate::keyset::publish::pretty_set;
use crate::keyset::{FOREIGN_LIMIT, KeySet};
use crate::keystore::SetName;
use crate::keystore::log::Verb;
use crate::secret::Secret;
use clap::{Args, ValueEnum, ValueHint};
use std::fs;
use std::path::{Path, PathBuf};

const EXAMPLES: &str = "\
Examples:
  $ jwks export api
  $ jwks export api -o jwks.json
  $ jwks export api $(jwks list api --format names | head -n 1) --to pem
  $ jwks export api --to jwks --private -o backup.json";

/// The form of an export.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum To {
    /// A JWK Set
    Jwks,
    /// One JWK
    Jwk,
    /// PEM: SubjectPublicKeyInfo, PKCS#8 with --private
    Pem,
    /// DER of the same, one key
    Der,
    /// PEM of RSA keys as PKCS#1
    Pkcs1,
    /// DER of the same, one key
    Pkcs1Der,
    /// PEM of EC private keys as SEC1
    Sec1,
    /// DER of the same, one key
    Sec1Der,
}

/// Write a set or a key for others: JWK Set, JWK, PEM, DER
///
/// The public form unless --private. Expired keys, keys without a public form and the dates are
/// left out of a public export, as of the moment of the export.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct ExportArgs {
    /// The set
    #[arg(value_name = "SET")]
    set: String,

    /// The key: its kid, its thumbprint, or the first characters of its kid, at least four
    #[arg(value_name = "KID", allow_hyphen_values = true)]
    kid: Option<String>,

    /// The form
    #[arg(long, value_name = "FORM", default_value = "jwks")]
    to: To,

    /// Export private keys; a file gets mode 0600
    #[arg(long)]
    private: bool,

    /// Keep iat, nbf and exp in a public JWK or JWK Set
    #[arg(long)]
    with_dates: bool,

    /// The file to write; - is standard output
    #[arg(short, long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    output: Option<PathBuf>,

    /// Overwrite a file that is there, whatever it holds
    #[arg(short, long)]
    force: bool,
}

/// Runs `jwks export`.
pub fn run(ctx: &Context, args: &ExportArgs) -> Result<()> {
    let name = SetName::new(&args.set)?;
    let document = ctx.load(&name)?;
    let set = document.parse()?;
    let positions = match &args.kid {
        Some(kid) => vec![
            set.find(kid)
                .map_err(|error| error.about(format!("set {name}")))?,
        ],
        None if args.private => (0..set.keys.len()).collect(),
        None => unexpired(&set, ctx.now),
    };
    if let Some(kid) = &args.kid
        && !args.private
        && !unexpired(&set, ctx.now).contains(&positions[0])
    {
        return Err(Error::refused(format!("key {kid:?} has expired"))
            .hint("an expired key is not published; --private exports it for a backup"));
    }
    let content = if args.private {
        private_content(args, &name, &set, &positions)?
    } else {
        public_content(ctx, args, &name, &set, &positions)?
    };
    let delivered = deliver(ctx, args, &content);
    // A file is there whole or not at all; of what was printed a part may be out.
    if args.private && (delivered.is_ok() || args.file().is_none()) {
        let keys = positions.iter().map(|i| &set.keys[*i]);
        let keys = keys.filter(|key| holds_secret(key));
        Record::of(ctx, Whose::here(name.as_str()))
            .noted(Verb::Exported, &args.in_words(), keys)
            .append();
    }
    delivered
}

impl ExportArgs {
    /// The file to write; none for standard output.
    fn file(&self) -> Option<&Path> {
        self.output
            .as_deref()
            .filter(|path| path.as_os_str() != "-")
    }

    /// The form, and the file where there is one.
    fn in_words(&self) -> String {
        let form = self.to.to_possible_value();
        let form = form.as_ref().map_or("", |form| form.get_name());
        match self.file() {
            Some(file) => format!("{form}: {}", file.display()),
            None => form.to_owned(),
        }
    }
}

fn unexpired(set: &KeySet, now: i64) -> Vec<usize> {
    let states = lifecycle::states(set, now);
    let kept = states
        .iter()
        .enumerate()
        .filter(|(_, state)| **state != State::Expired);
    kept.map(|(position, _)| position).collect()
}

fn public_content(
    ctx: &Context,
    args: &ExportArgs,
    name: &SetName,
    set: &KeySet,
    positions: &[usize],
) -> Result<Secret<Vec<u8>>> {
    let dates = if args.with_dates {
        Dates::Keep
    } else {
        Dates::Drop
    };
    let mut published = set.publish(positions, dates);
    published.expired = set.keys.len() - unexpired(set, ctx.now).len();
    if args.kid.is_some() {
        published.expired = 0;
    }
    if let Some(left_out) = published.left_out() {
        if published.keys.is_empty() {
            return Err(
                Error::refused(format!("nothing public in set {name}: {left_out}"))
                    .hint("--private exports keys with their private part"),
            );
        }
        note_left_out(&ctx.out, &left_out);
    }
    let keys: Vec<_> = published.keys.iter().collect();
    match args.to {
        To::Jwks => Ok(Secret::new(pretty_set(&published.keys).into_bytes())),
        To::Jwk => Ok(Secret::new(
            (one(name, &keys)?.to_pretty_json(0) + "\n").into_bytes(),
        )),
        To::Pem => join_pem(&keys, write::spki),
        To::Der => Ok(octets(&write::spki(one(name, &keys)?)?)),
        To::Pkcs1 => join_pem(&keys, |key| write::pkcs1(key, false)),
        To::Pkcs1Der => Ok(octets(&write::pkcs1(one(name, &keys)?, false)?)),
        To::Sec1 | To::Sec1Der => Err(Error::usage("SEC1 is a form of private keys")
            .hint("add --private, or use --to pem for the public key")),
    }
}

fn private_content(
    args: &ExportArgs,
    name: &SetName,
    set: &KeySet,
    positions: &[usize],
) -> Result<Secret<Vec<u8>>> {
    if args.to == To::Jwks && args.kid.is_none() {
        // A backup is the whole set as it is kept: expired and odd keys, its own members.
        return Ok(Secret::new(set.to_json().into_bytes()));
    }
    let keys: Vec<&Key> = positions.iter().map(|i| &set.keys[*i]).collect();
    let mut members = Vec::new();
    for key in &keys {
        match key.members() {
            Ok(key) => members.push(key),
            Err(_) => return Err(Error::invalid("a key of the set is no object")),
        }
    }
    let members: Vec<_> = members.iter().collect();
    if !matches!(args.to, To::Jwks | To::Jwk) {
        for key in &keys {
            check_private(key)?;
        }
    }
    match args.to {
        To::Jwks => {
            let owned: Vec<_> = members.iter().map(|key| (*key).clone()).collect();
            Ok(Secret::new(pretty_set(&owned).into_bytes()))
        }
        To::Jwk => Ok(Secret::new(
            (one(name, &members)?.to_pretty_json(0) + "\n").into_bytes(),
        )),
        To::Pem => join_pem(&members, write::pkcs8),
        To::Der => Ok(octets(&write::pkcs8(one(name, &members)?)?)),
        To::Pkcs1 => join_pem(&members, |key| write::pkcs1(key, true)),
        To::Pkcs1Der => Ok(octets(&write::pkcs1(one(name, &members)?, true)?)),
        To::Sec1 => join_pem(&members, write::sec1),
        To::Sec1Der => Ok(octets(&write::sec1(one(name, &members)?)?)),
    }
}

/// Refuses a key that cannot be written as a private key of another form.
fn check_private(key: &Key) -> Result<()> {
    let name = KeyName::of(key);
    let name = name.handle().unwrap_or("without a kid");
    let findings = check::findings(key);
    let fault = findings
        .iter()
        .find(|finding| finding.rule.severity() == check::Severity::Error);
    if let Some(fault) = fault {
        let message = format!("key {name:?}: {} ({})", fault.message, fault.rule);
        return Err(Error::invalid(message).hint("only --to jwk and --to jwks export it as it is"));
    }
    if !holds_secret(key) {
        return Err(Error::refused(format!("key {name:?} has no private part"))
            .hint("leave --private out to export its public key"));
    }
    Ok(())
}

/// The one key there is.
fn one<'k, 'm>(name: &SetName, keys: &[&'k Members<'m>]) -> Result<&'k Members<'m>> {
    match keys {
        [key] => Ok(key),
        [] => Err(Error::not_found(format!("no key to export in set {name}"))),
        _ => {
            let kids = keys.iter().take(10).filter_map(|key| key.string("kid"));
            let kids: Vec<_> = kids.map(|kid| kid.into_owned()).collect();
            Err(Error::usage(format!(
                "this form holds one key, and set {name} has {}",
                keys.len()
            ))
            .hint(format!("name one of them: {}", kids.join(", "))))
        }
    }
}

fn octets(document: &Document) -> Secret<Vec<u8>> {
    Secret::new(document.der().to_vec())
}

fn join_pem(
    keys: &[&Members],
    write: impl Fn(&Members) -> Result<Document>,
) -> Result<Secret<Vec<u8>>> {
    let mut pem = String::new();
    for key in keys {
        let kid = key.string("kid").unwrap_or_default();
        let document = write(key).map_err(|error| error.about(format!("key {kid:?}")))?;
        pem.push_str(&document.to_pem());
    }
    Ok(Secret::new(pem.into_bytes()))
}

fn deliver(ctx: &Context, args: &ExportArgs, content: &Secret<Vec<u8>>) -> Result<()> {
    let path = match args.file() {
        Some(path) => path,
        None => {
            let text = matches!(args.to, To::Jwks | To::Jwk)
                .then(|| std::str::from_utf8(content.expose()));
            return match text {
                Some(Ok(json)) => ctx.out.json_text(json),
                _ => ctx.out.octets(content.expose()),
            };
        }
    };
    refuse_in_keystore(ctx, path)?;
    if args.private && files::others_can_replace(&files::parent(path)) {
        return Err(
            Error::refused(format!("others can write beside {}", path.display()))
                .hint("choose a directory of your own for private keys"),
        );
    }
    if !args.force && !args.private && !may_be_overwritten(path) {
        return Err(Error::refused(format!(
            "{} is there and no public key file",
            path.display()
        ))
        .hint("choose another file, or overwrite it with --force"));
    }
    let access = if args.private {
        Access::Private
    } else {
        Access::Shared
    };
    let existing = if args.private && !args.force {
        Existing::Keep
    } else {
        Existing::Replace
    };
    files::write(
        path,
        content.expose(),
        access,
        existing,
        &temporary_name(path),
    )
    .map_err(|error| match existing {
        Existing::Keep if error.advice().is_none() => error.hint("overwrite it with --force"),
        _ => error,
    })?;
    ctx.out.status(format!("wrote {}", path.display()));
    Ok(())
}

/// Refuses a file for others that would lie among the sets.
pub(super) fn refuse_in_keystore(ctx: &Context, path: &Path) -> Result<()> {
    match is_within(path, ctx.store.directory()) {
        true => Err(
            Error::refused(format!("{} is in the keystore", path.display()))
                .hint("choose a file elsewhere; jwks set puts keys into sets"),
        ),
        false => Ok(()),
    }
}

/// The name that a file for others has until it is complete.
pub(super) fn temporary_name(path: &Path) -> String {
    let file_name = path.file_name().unwrap_or_default().to_string_lossy();
    format!(".{file_name}.jwks")
}

/// Whether a file would lie in a directory.
fn is_within(path: &Path, directory: &Path) -> bool {
    let parent = files::parent(path).canonicalize();
    matches!((parent, directory.canonicalize()), (Ok(parent), Ok(directory)) if parent.starts_with(&directory))
}

/// Whether there is no such file, or one that holds public keys and nothing else: an earlier
/// export.
fn may_be_overwritten(path: &Path) -> bool {
    match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.is_file() => {}
        // There is none, or it is no regular file, which the write refuses whatever it is.
        _ => return true,
    }
    let small = fs::metadata(path).is_ok_and(|metadata| metadata.len() <= FOREIGN_LIMIT as u64);
    let content = if small {
        fs::read(path).unwrap_or_default()
    } else {
        Vec::new()
    };
    // Public keys in another form than export writes were made by somebody else.
    let is_own = |read: &Imported| {
        use import::Form::{Der, Jwks, Pem};
        matches!(read.form, Jwks | Pem | Der)
    };
    import::read(&content, &import::Options::default())
        .is_ok_and(|read| is_own(&read) && !read.set.keys.iter().any(holds_secret))
}
