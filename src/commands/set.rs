//! `jwks set`: imports keys into a set, or changes members of its keys.

mod declared;
mod kid_source;
mod members;
mod remote;
mod repair;
mod report;
mod signing;
mod source;

use crate::args::adoption::AdoptionArgs;
use crate::args::connection::RemoteArgs;
use crate::args::encryption::EncryptArgs;
use crate::args::password::PasswordArgs;
use crate::commands::shared::adoption::{Confirmation, warn_of_differences};
use crate::commands::shared::usage::warn_of_use;
use crate::context::Context;
use crate::error::{Error, Result};
use crate::key::attributes::Attributes;
use crate::key::members::Members;
use crate::key::parts::holds_secret;
use crate::keyset::KeySet;
use crate::keyset::adopt::Foreign;
use crate::keyset::changes::is_alike;
use crate::keyset::import::Form;
use crate::keyset::key_name::KeyName;
use crate::keyset::merge::{Merged, RepairedKey};
use crate::keyset::succession::Signers;
use crate::keyset::terms::{OnConflict, Terms};
use crate::keystore::{IfMissing, SetName};
use crate::report::log_entry::Record;
use crate::report::names::{SetLabel, changed_meanwhile, shell_word};
use clap::{Args, ValueHint};
use kid_source::KidSource;
use report::report;
use source::{read_documents, read_keys, refuse_wrong_order};

const EXAMPLES: &str = "\
Examples:
  $ jwks set api own.pem
  $ jwks set api other.json --on-conflict rekey
  $ jwks set api keystore.p12 --alias signing --password-file password
  $ jwks set api ~/.ssh/id_ed25519 --alg EdDSA
  $ openssl genpkey -algorithm ed25519 | jwks set api - --kid own --alg EdDSA --use sig
  $ jwks set api --kid first --exp +30d
  $ jwks set api --kid first --rename 2026-01
  $ jwks set api broken.json --repair
  $ jwks set issuer https://issuer.example/jwks.json
  $ jwks set api own.pem --remote prod --yes";

/// Import your own keys into a set, or change members of its keys
///
/// The format of a file is detected from its content: a JWK or JWK Set; PEM and DER with keys in
/// PKCS#8, PKCS#1 and SEC1, encrypted or not, certificates and certification requests; a PKCS#12 or
/// JKS keystore; an OpenSSH private key or public keys; a Kubernetes Secret or ConfigMap. A
/// certificate and its chain are added to their key as x5c and x5t#S256, even from another file. A
/// key that is not a JWK gets its thumbprint as kid, and a shared secret a UUID, unless you pass --kid.
///
/// A PEM block, alias, manifest entry or line that cannot be used is left out with a warning. Invalid
/// keys are refused. A broken member of a good key, such as a date in milliseconds, is left out with a
/// warning. However, a private key keeps a broken use, alg or key_ops, and does not sign until you
/// correct it with --use, --alg or --key-ops. --allow-invalid keeps invalid keys and broken members.
/// --repair fixes what is certain: it rewrites base64 as base64url, for example, and computes a
/// missing public part.
///
/// A key that is already in the set (same thumbprint, kid, alg and use) is updated. If its private
/// part is in the set, it keeps its kid, alg, use, key_ops, dates and certificates, unless the FILE
/// holds the same private part. jwks warns if an address or a public key has other values; --take uses
/// those. From an address, private keys are taken only with --private. Without FILE, --alg, --use,
/// --key-ops, --nbf, --exp, --unset, --x5t and --repair change the keys of the set, or the one that
/// --kid names in full; --rename gives that key another kid. If another key signs afterwards, the
/// command names it. If no key would sign, it asks; pass --yes --force to confirm without a terminal.
/// With --remote, the set is on a server, and jwks first shows what would be sent and deleted.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct SetArgs {
    /// The set
    #[arg(value_name = "SET")]
    set: String,

    /// Files or addresses with keys; - is standard input
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
    files: Vec<String>,

    /// The input format [default: detected]
    #[arg(long, value_name = "FORMAT")]
    from: Option<Form>,

    /// Take only the key with this alias from a keystore
    #[arg(
        long,
        value_name = "ALIAS",
        allow_hyphen_values = true,
        hide_short_help = true
    )]
    alias: Option<String>,

    #[command(flatten)]
    password: PasswordArgs,

    /// The kid of the key to import or to change
    ///
    /// Only the key with this kid is taken from the input. If the only key of the input has no kid, it gets
    /// this one. Without FILE, the key of the set that has this kid is changed.
    #[arg(long, value_name = "KID", allow_hyphen_values = true)]
    kid: Option<String>,

    /// How to choose the kid of keys without one
    ///
    /// A key whose kid is its thumbprint counts as a key without one. kube-apiserver uses spki as the
    /// kid. With alias, the kid is the key's alias in the keystore.
    #[arg(
        long,
        value_name = "SOURCE",
        conflicts_with = "kid",
        hide_short_help = true
    )]
    kid_from: Option<KidSource>,

    /// The algorithm for keys without one
    ///
    /// A broken alg counts as none. Without FILE, the alg of the keys is changed.
    #[arg(long, value_name = "ALG")]
    alg: Option<String>,

    /// The use for keys without one, such as sig or enc
    ///
    /// A broken use counts as none. Without FILE, the use of the keys is changed.
    #[arg(long = "use", value_name = "USE")]
    usage: Option<String>,

    /// The key operations for keys without any
    ///
    /// A list such as sign,verify. Broken key_ops count as none. Without FILE, the key_ops are
    /// changed.
    #[arg(long, value_name = "OP,…", value_delimiter = ',')]
    key_ops: Vec<String>,

    /// When keys without an nbf become valid
    ///
    /// The format is that of --exp.
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    nbf: Option<String>,

    /// When keys without an exp expire, such as +90d
    ///
    /// A time such as 2026-12-31T12:00:00Z, a date (midnight in UTC), seconds since 1970, or an offset from
    /// now, such as +90d, +1h30m or -1d. Without FILE, none removes the exp.
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    exp: Option<String>,

    /// Give the key that --kid names another kid
    ///
    /// Verifiers find a key by its kid, so tokens with the old kid no longer verify.
    #[arg(long, value_name = "NEW", requires = "kid", allow_hyphen_values = true)]
    #[arg(conflicts_with_all = ["files", "remote", "replace"])]
    rename: Option<String>,

    /// Add the SHA-1 digest of certificates as x5t, too
    ///
    /// Entra ID and AD FS require it. Without FILE, the keys of the set with a certificate get it.
    #[arg(long, hide_short_help = true)]
    x5t: bool,

    /// Remove members of the set's keys, such as alg,use
    ///
    /// Members that make up the key cannot be removed.
    #[arg(long, value_name = "MEMBER,…", value_delimiter = ',')]
    #[arg(conflicts_with_all = ["files", "remote", "replace"])]
    unset: Vec<String>,

    /// Declare which verifiers read the set, such as jose,fapi2
    ///
    /// `check`, `create`, `rotate` and `push` then warn if one of them refuses the set. The names are
    /// those of `check --for` and of `advise --verifier`; none removes the declaration.
    #[arg(
        long,
        value_name = "VERIFIER,…",
        value_delimiter = ',',
        hide_short_help = true
    )]
    #[arg(conflicts_with_all = ["files", "remote", "replace", "from", "kid", "alg", "usage", "key_ops"])]
    #[arg(conflicts_with_all = ["nbf", "exp", "rename", "x5t", "unset", "repair"])]
    verifiers: Vec<String>,

    /// What to do if another key has the same kid
    #[arg(long, value_name = "WHAT", default_value = "fail")]
    on_conflict: OnConflict,

    #[command(flatten)]
    adoption: AdoptionArgs,

    /// Replace the whole set; show losses first
    #[arg(long)]
    replace: bool,

    /// Keep invalid keys and broken members
    #[arg(long, hide_short_help = true, conflicts_with = "skip_invalid")]
    allow_invalid: bool,

    /// Repair faults that leave the key material certain
    ///
    /// Rewrites keys in canonical form: base64url values, the length of numbers, kty and crv names,
    /// dates, key_ops and certificate digests. Computes a missing public part or missing primes from
    /// the private key, and removes members of another kty. The numbers of the key never change. A key
    /// whose material is still in doubt after the repair is an error, and nothing is changed, unless
    /// you pass --skip-invalid or --allow-invalid with a FILE. Without FILE, the keys of the set are
    /// repaired, or the one that --kid names.
    #[arg(long)]
    repair: bool,

    /// Leave out invalid keys, and files without a usable key
    #[arg(long, hide_short_help = true)]
    skip_invalid: bool,

    /// Change the keys even if no key of the set signs afterwards
    ///
    /// With --remote: set the keys even if Hydra 1.x could no longer sign its tokens.
    #[arg(short, long, hide_short_help = true)]
    force: bool,

    #[command(flatten)]
    encrypt: EncryptArgs,

    #[command(flatten)]
    remote: RemoteArgs,
}

impl SetArgs {
    /// Returns true if the command changes keys of the set and reads none.
    fn changes_own_keys(&self) -> bool {
        self.files.is_empty() && self.from.is_none()
    }

    /// Returns true if an option besides the attributes changes keys of the set.
    fn changes_keys(&self) -> bool {
        self.rename.is_some() || self.repair || self.x5t
    }
}

/// Runs `jwks set`.
pub fn run(ctx: &Context, args: &SetArgs) -> Result<()> {
    let attributes = members::attributes(args, ctx.now)?;
    args.adoption.check()?;
    warn_of_use(ctx, args.usage.as_deref());
    signing::check_force(args)?;
    if let Some(server) = args.remote.open(ctx)? {
        return remote::set(ctx, args, &attributes, &server);
    }
    refuse_wrong_order(args)?;
    let name = SetName::given(&args.set)?;
    args.encrypt.check()?;
    ctx.demand_encryption(&name)?;
    if !args.verifiers.is_empty() {
        return declared::declare(ctx, args, &name);
    }
    let documents = read_documents(ctx, args, &attributes)?;
    let merged = if documents.is_empty() {
        members::change(ctx, args, &name, &attributes)?
    } else {
        let (given, repaired) = read_keys(ctx, args, &documents, &attributes)?;
        if args.replace {
            return replace(ctx, args, &name, &given, repaired);
        }
        Merged {
            repaired,
            ..merge(ctx, args, &name, &given, &attributes)?
        }
    };
    let whose = SetLabel::local(name.as_str());
    Record::of(ctx, whose).merged(&merged).append();
    report(ctx, whose, &merged)
}

/// The name of all documents together, for messages.
const SOURCE: &str = "the input";

fn merge(
    ctx: &Context,
    args: &SetArgs,
    name: &SetName,
    given: &[Foreign],
    attributes: &Attributes,
) -> Result<Merged> {
    let mut by_hand = Members::default();
    attributes.overwrite(&mut by_hand);
    let terms = Terms {
        on_conflict: args.on_conflict,
        take: &args.adoption.take,
        given: Some(&by_hand),
        now: ctx.now,
        budget: Some(&ctx.checks),
    };
    let asked = |merged: &Merged| {
        let asks = merged.replaced.iter().any(holds_secret);
        Confirmation::of(merged, SOURCE, if asks { &merged.replaced } else { &[] })
    };
    // Ask before taking the lock, so that no other process waits. The plan that was confirmed must
    // still be the same once the lock is taken.
    let mut expected = (Vec::new(), Confirmation::default());
    if args.on_conflict == OnConflict::Replace || given.iter().any(Foreign::is_of_server) {
        let trial = match ctx.read(name)? {
            Some(document) => document.parse()?.adopt(given, &terms)?,
            None => KeySet::default().adopt(given, &terms)?,
        };
        let consent = asked(&trial);
        consent.ask(ctx, name.as_str())?;
        expected = (trial.replaced, consent);
    }
    let protection = args.encrypt.protection(ctx, name)?;
    let merged = ctx
        .store
        .change(name, IfMissing::Create, protection.as_ref(), |set| {
            let before = Signers::of(&set.keys, ctx.now);
            let mut merged = set.adopt(given, &terms)?;
            merged.signing = signing::of_import(&before, set, ctx.now);
            refuse_second_kid(args, name, set, &merged)?;
            if (&merged.replaced, asked(&merged)) == (&expected.0, expected.1.clone()) {
                Ok(merged)
            } else {
                Err(changed_meanwhile(name))
            }
        })?;
    warn_of_differences(ctx, SOURCE, &merged);
    Ok(merged)
}

/// Refuses a key that --kid would add a second time under another kid. The copy would count as its own
/// successor.
fn refuse_second_kid(args: &SetArgs, name: &SetName, set: &KeySet, merged: &Merged) -> Result<()> {
    let (Some(kid), Some(new)) = (&args.kid, merged.aliases.first()) else {
        return Ok(());
    };
    let mut names = set.keys.iter().map(KeyName::of);
    let same = names.find(|other| other.thumbprint == new.thumbprint && other.kid != new.kid);
    let old = same.and_then(|name| name.kid).unwrap_or_default();
    let (old_word, new_word) = (shell_word(&old), shell_word(kid));
    Err(
        Error::refused(format!("set {name} has this key under the kid {old:?}")).hint(format!(
            "run `jwks set {name} --kid {old_word} --rename {new_word}` to rename it"
        )),
    )
}

/// Replaces the set with the given keys. Asks first if keys would be lost, or if a server would bring in
/// private keys.
fn replace(
    ctx: &Context,
    args: &SetArgs,
    name: &SetName,
    given: &[Foreign],
    repaired: Vec<RepairedKey>,
) -> Result<()> {
    let document = ctx.read(name)?;
    let before = match &document {
        Some(document) => document.parse()?,
        None => KeySet::default(),
    };
    let (given, brought) = before.replaced_by(given, ctx.now);
    let lost = before.lost_in(&given);
    let signing = signing::of_replacement(&before, &given, ctx.now);
    Confirmation::of(&brought, SOURCE, &lost).ask(ctx, name.as_str())?;
    signing::confirm(ctx, args, name, &before, &signing)?;
    let changes = before.changes_to(&given, is_alike);
    let is_same = |key: &KeyName| !changes.added.contains(key) && !changes.updated.contains(key);
    let merged = Merged {
        unchanged: given.keys.iter().map(KeyName::of).filter(is_same).collect(),
        added: changes.added.clone(),
        updated: changes.updated.clone(),
        replaced: lost,
        repaired,
        signing,
        ..Merged::default()
    };
    let protection = args.encrypt.protection(ctx, name)?;
    ctx.store
        .change(name, IfMissing::Create, protection.as_ref(), |set| {
            if set.keys != before.keys {
                return Err(changed_meanwhile(name));
            }
            *set = given.clone();
            Ok(())
        })?;
    let whose = SetLabel::local(name.as_str());
    Record::of(ctx, whose).changes(&changes).append();
    report(ctx, whose, &merged)
}
