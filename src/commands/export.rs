//! `jwks export`: writes a set or a key in a format that other programs read.

mod certified;
mod content;
mod for_signer;
mod format;
mod json_form;
mod options;

use crate::args::certificate::CertificateArgs;
use crate::args::connection::ConnectionArgs;
use crate::args::encryption::IterationsArgs;
use crate::args::layout::{LayoutArg, Which, layout_parser};
use crate::args::password::PasswordArgs;
use crate::commands::shared::output_file::OutputFile;
use crate::commands::shared::repairing::{repaired, report_repair};
use crate::context::Context;
use crate::error::{Error, Result};
use crate::key::parts::holds_secret;
use crate::key::repair::Repaired;
use crate::keyset::KeySet;
use crate::keyset::key_name::KeyName;
use crate::keyset::lifecycle::{self, State};
use crate::layout::Order;
use crate::report::log_entry::Record;
use crate::report::names::hint_at_output;
use crate::secret::Secret;
use crate::source::target::{self, Access, Origin, Source};
use clap::{Args, ValueHint};
use content::{private_content, public_content};
pub use format::To;
use std::borrow::Cow;
use std::collections::HashSet;
use std::path::PathBuf;

const EXAMPLES: &str = "\
Examples:
  $ jwks export api
  $ jwks export api -o jwks.json
  $ jwks export api $(jwks list api --format names | head -n 1) --to pem
  $ jwks export own.pem --to jwk --private
  $ jwks export broken.json --to jwks --repair
  $ jwks export api --to jwks --private -o backup.json
  $ jwks export api first --to pkcs12 --private --password-file password.txt -o first.p12
  $ jwks export api --to pem --private --encrypt --password-file password.txt -o keys.pem
  $ jwks export api first --to openssh
  $ jwks export api first --to x509 --subject 'CN=api, O=Example' --days 90 -o first.crt
  $ jwks export api --to dotenv --private --name API_KEYS
  $ jwks export api --for spring --line ES256 -o spring.json
  $ jwks export api --private --state active --to pem -o signing.pem
  $ jwks export api --to jwe --private --p2c 10000 --password-file password.txt -o keys.jwe
  $ jwks export api --to discovery --issuer https://issuer.example -o openid-configuration
  $ jwks export api --to kubernetes --private --name api-keys -o secret.json";

/// Export a set or a key: JWK Set, PEM, PKCS#12, OpenSSH, X.509, …
///
/// A file, an address or standard input is converted without a keystore. Without --private, only
/// public keys are exported, and expired keys, keys without a public form, and dates are left out. A
/// file that would not change is not written again. Encrypted files and self-signed certificates
/// differ each time, so they are always written.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct ExportArgs {
    /// A set, a file, an address, a remote, or - for standard input
    ///
    /// A word without a slash is a SET, REMOTE or REMOTE:NAME. If there is none and it ends in the
    /// suffix of a key file, such as .pem, it is a file. Write ./FILE for any file.
    #[arg(value_name = "SET|FILE|URL")]
    target: String,

    /// The key: its kid, a prefix of at least 4 characters, or its thumbprint
    #[arg(value_name = "KID")]
    kid: Option<String>,

    /// The format
    #[arg(long, value_name = "FORMAT", default_value = "jwks")]
    to: To,

    /// Export private keys; a new file gets mode 0600
    ///
    /// With =active, only the keys that sign now have their private part.
    #[arg(long, value_name = "WHICH", num_args = 0..=1, require_equals = true, default_missing_value = "all")]
    private: Option<Which>,

    /// Write the file that this program reads
    ///
    /// The layout decides which keys the file holds, in which order and format, and which of them have
    /// their private part.
    #[arg(
        long = "for",
        value_name = "PROGRAM",
        value_parser = layout_parser(),
        conflicts_with_all = ["kid", "to", "encrypt", "states", "order", "with_dates", "keep_members", "repair"]
    )]
    layout: Option<LayoutArg>,

    /// Only keys in these states
    #[arg(
        long = "state",
        value_name = "STATE",
        value_delimiter = ',',
        conflicts_with = "kid",
        id = "states"
    )]
    states: Vec<State>,

    /// Only keys of this line
    ///
    /// A line is named by its algorithm, or by its curve or key type if it has no algorithm.
    #[arg(
        long,
        hide_short_help = true,
        value_name = "LINE",
        conflicts_with = "kid"
    )]
    line: Option<String>,

    /// The order of the keys
    #[arg(
        long,
        value_name = "ORDER",
        default_value = "set",
        hide_short_help = true
    )]
    order: Order,

    /// Encrypt private keys with a password
    ///
    /// For --to pem (PKCS#8), der and openssh. --password-file implies it. PKCS#12 and JWE files
    /// are always encrypted.
    #[arg(long)]
    encrypt: bool,

    #[command(flatten)]
    password: PasswordArgs,

    /// Read the password of the input file from FILE [default: --password-file]
    ///
    /// Without this option, --password-file has the password of both files.
    #[arg(long, hide_short_help = true, value_name = "FILE", value_hint = ValueHint::FilePath)]
    input_password_file: Option<String>,

    #[command(flatten)]
    iterations: IterationsArgs,

    /// The name of the key in a PKCS#12 file [default: its kid]
    #[arg(long, hide_short_help = true, value_name = "ALIAS")]
    alias: Option<String>,

    #[command(flatten)]
    certificate: CertificateArgs,

    /// The name of the variable or of the Kubernetes object
    ///
    /// By default, the variable is JWKS, or JWK for one key. The object has the name of the set or file.
    #[arg(long, value_name = "NAME")]
    name: Option<String>,

    /// The issuer of a discovery document
    ///
    /// It must match the iss of the tokens exactly.
    #[arg(long, hide_short_help = true, value_name = "URL", value_hint = ValueHint::Url)]
    issuer: Option<String>,

    /// The address of the JWK Set in a discovery document [default: ISSUER/.well-known/jwks.json]
    #[arg(long, hide_short_help = true, value_name = "URL", value_hint = ValueHint::Url, requires = "issuer")]
    jwks_uri: Option<String>,

    /// Keep iat, nbf and exp in a public JWK or JWK Set
    #[arg(long, hide_short_help = true)]
    with_dates: bool,

    /// Keep unregistered members in a public JWK or JWK Set
    ///
    /// Examples are spiffe_sequence, spiffe_refresh_hint and revoked. Make sure that none of them is
    /// secret.
    #[arg(long, hide_short_help = true, conflicts_with = "private")]
    keep_members: bool,

    /// Repair faults that leave the key material certain
    ///
    /// As `jwks set --repair` does. A key whose material is in doubt is an error.
    #[arg(long, hide_short_help = true)]
    repair: bool,

    /// Write to a file; - is standard output
    #[arg(short, long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    output: Option<PathBuf>,

    /// Overwrite an existing file, whatever its content
    #[arg(short, long)]
    force: bool,

    #[command(flatten)]
    connection: ConnectionArgs,
}

/// Runs `jwks export`.
pub fn run(ctx: &Context, args: &ExportArgs) -> Result<()> {
    args.check(ctx)?;
    if let Some(LayoutArg(layout)) = args.layout {
        return for_signer::run(ctx, args, layout);
    }
    // A certificate is signed with the private key. Other public exports need no passphrase.
    let access = if args.is_private() || args.to == To::X509 {
        Access::Whole
    } else {
        Access::Public
    };
    let password = args.password.or_instead(args.input_password_file.as_ref());
    let source = target::read(ctx, &args.target, access, &password, &args.connection)?;
    let set = source.set()?;
    let mut positions = match &args.kid {
        Some(kid) => vec![args.find(&source, &set, kid)?],
        None if args.is_private() => (0..set.keys.len()).collect(),
        None => unexpired(&set, ctx.now),
    };
    if args.chooses() {
        positions = args.chosen(ctx, &source, &set, positions)?;
    }
    let set = if args.repair {
        Cow::Owned(with_repaired(ctx, set, &positions)?)
    } else {
        set
    };
    if !args.is_private() {
        // A repaired date can lie in the past.
        let unexpired: HashSet<usize> = unexpired(&set, ctx.now).into_iter().collect();
        positions.retain(|position| unexpired.contains(position));
    }
    if let (Some(kid), []) = (&args.kid, &positions[..]) {
        return Err(Error::refused(format!("key {kid:?} has expired"))
            .hint("pass --private to export it for a backup"));
    }
    let file = args.output_file();
    if let Some(file) = &file {
        file.check(ctx)?;
    }
    let content = if args.is_private() {
        private_content(ctx, args, &source, &set, &positions)?
    } else {
        public_content(ctx, args, &source, &set, &positions)?
    };
    if let Some(file) = file.filter(|file| file.is_written(&content)) {
        tell_unchanged(ctx, &file);
        return Ok(());
    }
    if let (true, Some(whose)) = (args.is_private(), source.label()) {
        let keys = positions.iter().map(|i| &set.keys[*i]);
        let keys: Vec<_> = keys.filter(|key| holds_secret(key)).collect();
        Record::of(ctx, whose)
            .exported(Some(&args.description(&args.to.name())), &keys)
            .append();
    }
    let is_json = matches!(args.to, To::Jwks | To::Jwk | To::Kubernetes | To::Discovery);
    deliver(ctx, file, &content, is_json)
}

fn tell_unchanged(ctx: &Context, file: &OutputFile) {
    ctx.out
        .status(format!("{} is unchanged", file.path.display()));
}

/// Writes an export to its file, or to standard output.
fn deliver(
    ctx: &Context,
    file: Option<OutputFile>,
    content: &Secret<Vec<u8>>,
    is_json: bool,
) -> Result<()> {
    let Some(file) = file else {
        let text = is_json.then(|| std::str::from_utf8(content.expose()));
        return match text {
            Some(Ok(json)) => ctx.out.json_text(json),
            _ => ctx.out.octets(content.expose()),
        };
    };
    file.write(content)?;
    ctx.out.status(format!("wrote {}", file.path.display()));
    Ok(())
}

impl ExportArgs {
    /// Returns the set and the kid, if a kid is named.
    pub fn named_key(&self) -> Option<(&str, &str)> {
        Some((&self.target, self.kid.as_deref()?))
    }

    /// Returns the position of a key.
    fn find(&self, source: &Source, set: &KeySet, kid: &str) -> Result<usize> {
        set.find(&source.kid(set, kid)).map_err(|error| {
            let error = match &source.origin {
                Origin::Keystore(name) => hint_at_output(error, name, kid),
                Origin::Server(_) | Origin::Document => error,
            };
            error.about(&source.title)
        })
    }
}

/// Returns the set with the keys at these positions repaired, and says what was repaired. Returns an error
/// if the material of one of them is in doubt.
fn with_repaired(ctx: &Context, set: Cow<KeySet>, positions: &[usize]) -> Result<KeySet<'static>> {
    let mut set = set.into_owned().into_owned();
    for position in positions {
        let key = &mut set.keys[*position];
        let done = repaired(ctx, *position, key).map_err(|error| {
            error.hint("nothing was written; name the KID of another key to export that one")
        })?;
        if let Some(Repaired { key: new, findings }) = done {
            report_repair(ctx, &KeyName::of(&new), &findings);
            *key = new;
        }
    }
    Ok(set)
}

fn unexpired(set: &KeySet, now: i64) -> Vec<usize> {
    let states = lifecycle::states_by_date(set, now);
    let kept = states
        .iter()
        .enumerate()
        .filter(|(_, state)| **state != Some(State::Expired));
    kept.map(|(position, _)| position).collect()
}
