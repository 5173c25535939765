//! `jwks export`: a set or a key in the form that others read.

mod content;
mod deliver;

pub(super) use deliver::{refuse_in_keystore, temporary_name};

use super::record::Record;
use super::report::Whose;
use crate::context::Context;
use crate::error::{Error, Result};
use crate::key::public::holds_secret;
use crate::keyset::KeySet;
use crate::keyset::lifecycle::{self, State};
use crate::keystore::SetName;
use crate::keystore::log::Verb;
use clap::{Args, ValueEnum, ValueHint};
use content::{private_content, public_content};
use deliver::deliver;
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
