//! `jwks create`: generate keys and add them to a set.

mod keys;
mod remote;

use crate::args::certificate::{CertificateArgs, Maker};
use crate::args::connection::RemoteArgs;
use crate::args::encryption::EncryptArgs;
use crate::commands::shared::usage::warn_of_use;
use crate::commands::shared::verifiers::{refusals, warn};
use crate::context::Context;
use crate::error::{Error, Result};
use crate::key::Key;
use crate::key::attributes::{USES, check_operations, refuse_empty_use};
use crate::key::generate::{Plan, Request};
use crate::key::members::Members;
use crate::key::public::{Dates, public_form};
use crate::keyset::KeySet;
use crate::keyset::import::check_kid;
use crate::keyset::key_name::{KeyName, quote};
use crate::keyset::kid_from::KidFrom;
use crate::keyset::lifecycle;
use crate::keyset::succession::{Takeover, succession};
use crate::keystore::log::Verb;
use crate::keystore::{IfMissing, SetName, Stored};
use crate::report::json::{JsonKeyName, json_names};
use crate::report::log_entry::Record;
use crate::report::names::{SetLabel, count};
use crate::time;
use clap::Args;
use keys::{add, generate};
use serde::Serialize;

const EXAMPLES: &str = "\
Examples:
  $ jwks create api
  $ jwks create api --alg RS256 --size 3072
  $ jwks create api --if-missing
  $ jwks create api --alg ECDH-ES --crv X25519 --kid-from date
  $ jwks create api --nbf +1h --exp +90d
  $ jwks create api --kty EC --crv P-384 --count 3
  $ jwks create api --alg PS256 --x509 --subject 'CN=api, O=Example' --days 90
  $ jwks create payments --encrypt --passphrase-file passphrase.txt
  $ jwks create api --alg RS256 --remote prod";

/// Generate a key and add it to a set, which is created if needed
///
/// By default, the key is an ES256 signing key. The kid of each new key is printed, one per line. With
/// --remote, the server generates the key and keeps it. Which keys it can generate depends on the
/// server.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct CreateArgs {
    /// The set
    #[arg(value_name = "SET")]
    set: String,

    /// The algorithm, such as EdDSA [default: ES256]
    ///
    /// The algorithm decides the key type, and the curve or size. Among others, there are ES256, RS256,
    /// PS256, EdDSA, ML-DSA-65, HS256, ECDH-ES and RSA-OAEP-256.
    #[arg(long, value_name = "ALG")]
    alg: Option<String>,

    /// The key type, without --alg: RSA, EC, OKP or oct
    #[arg(long, value_name = "KTY")]
    kty: Option<String>,

    /// The curve, such as P-256 or X25519
    ///
    /// The curves are P-256, P-384, P-521, secp256k1, Ed25519, Ed448, X25519 and X448.
    #[arg(long, value_name = "CRV")]
    crv: Option<String>,

    /// The size of an RSA or symmetric key, in bits
    #[arg(long, value_name = "BITS")]
    size: Option<u32>,

    /// The use, such as sig or enc [default: that of the algorithm]
    #[arg(long = "use", value_name = "USE")]
    usage: Option<String>,

    /// The key operations, such as sign,verify
    #[arg(long, value_name = "OP,…", value_delimiter = ',')]
    key_ops: Vec<String>,

    /// The kid of the key, if there is only one
    #[arg(long, value_name = "KID", conflicts_with_all = ["kid_from", "count"])]
    kid: Option<String>,

    /// How to choose the kid
    #[arg(long, value_name = "SOURCE", default_value = "thumbprint")]
    kid_from: KidFrom,

    /// How many keys; only the last one is active
    #[arg(long, value_name = "N", default_value_t = 1)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=10_000))]
    count: u32,

    /// Do nothing if the set already has keys
    ///
    /// A pipeline can run the same command each time.
    #[arg(long)]
    if_missing: bool,

    /// When the key becomes valid, such as +1h
    ///
    /// The format is that of --exp.
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    nbf: Option<String>,

    /// When the key expires, such as 2026-12-31 or +90d
    ///
    /// A time such as 2026-12-31T12:00:00Z, a date (midnight in UTC), seconds since 1970, or an offset from
    /// now, such as +90d or +1h30m.
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    exp: Option<String>,

    /// Add a self-signed certificate as x5c and x5t#S256
    ///
    /// The certificate is valid from --nbf, or from now, to --exp, or for --days.
    #[arg(long, conflicts_with = "remote")]
    x509: bool,

    /// Add the SHA-1 digest of the certificate as x5t, too
    ///
    /// Entra ID and AD FS require it.
    #[arg(long, requires = "x509")]
    x5t: bool,

    #[command(flatten)]
    certificate: CertificateArgs,

    /// Let the remote fetch the key from this address
    ///
    /// The remote fetches the key instead of generating it. If the address is a set, --kid selects the key.
    #[arg(long, value_name = "URL", requires = "remote")]
    from_url: Option<String>,

    #[command(flatten)]
    encrypt: EncryptArgs,

    #[command(flatten)]
    remote: RemoteArgs,
}

#[derive(Serialize)]
struct Report<'a> {
    set: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    remote: Option<&'a str>,
    created: Vec<JsonKeyName<'a>>,
    /// The new keys that sign in place of other keys.
    activated: Vec<JsonKeyName<'a>>,
    /// The keys that they replace as signing keys.
    retired: Vec<JsonKeyName<'a>>,
    /// The public form of the new keys.
    keys: Vec<Members<'static>>,
}

/// Runs `jwks create`.
pub fn run(ctx: &Context, args: &CreateArgs) -> Result<()> {
    if let Some(server) = args.remote.open(ctx)? {
        return remote::create(ctx, args, &server);
    }
    let name = SetName::new(&args.set)?;
    let plan = Plan::new(Request {
        alg: args.alg.as_deref(),
        kty: args.kty.as_deref(),
        crv: args.crv.as_deref(),
        size: args.size,
        usage: args.usage.as_deref().filter(|usage| USES.contains(usage)),
    })?;
    let dates = dates(ctx, args)?;
    let maker = certificate_maker(ctx, args, name.as_str())?;
    if let Some(kid) = &args.kid {
        check_kid(kid)?;
    }
    check_operations(&args.key_ops)?;
    refuse_empty_use(args.usage.as_deref())?;
    warn_of_use(ctx, args.usage.as_deref());
    if args.if_missing && has_keys(ctx, args, &name)? {
        return report_existing(ctx, SetLabel::local(name.as_str()));
    }

    warn_of_born_retired(ctx, args.count, dates.0);
    let is_new = !ctx.store.contains(&name)?;
    let protection = args.encrypt.protection(ctx, &name)?;
    // Generate before taking the lock, so that other processes do not wait for a slow key.
    let keys = generate(ctx, args, &plan, dates, maker.as_ref())?;
    let (created, takeovers, refused) =
        ctx.store
            .change(&name, IfMissing::Create, protection.as_ref(), |set| {
                let first = set.keys.len();
                if args.if_missing && first > 0 {
                    return Ok((Vec::new(), Vec::new(), Vec::new()));
                }
                let created = add(set, keys.clone(), args, ctx.now)?;
                let positions: Vec<usize> = (first..set.keys.len()).collect();
                // Only keys with a private part can sign, so only they take over from each other.
                let states = |set: &KeySet| lifecycle::states(set, ctx.now);
                let takeovers = succession(set, &positions, states).takeovers;
                Ok((created, takeovers, refusals(ctx, name.as_str(), set)))
            })?;
    warn(ctx, refused);
    let whose = SetLabel::local(name.as_str());
    if created.is_empty() {
        // Another process was quicker.
        return report_existing(ctx, whose);
    }
    Record::of(ctx, whose)
        .keys(Verb::Created, &created)
        .append();

    let what = plan.alg.map_or_else(
        || plan.description(),
        |alg| format!("{} ({})", alg.name, plan.description()),
    );
    let keys = match created.len() {
        1 => "a key".into(),
        number => count(number, "key"),
    };
    let set = if is_new { "the new set" } else { "set" };
    let status = format!("created {keys} in {set} {name}: {what}");
    report(ctx, whose, &created, &takeovers, &status)
}

/// Returns true if the set has keys. Applies the rules for encryption as if a key were added.
fn has_keys(ctx: &Context, args: &CreateArgs, name: &SetName) -> Result<bool> {
    let Some(stored) = ctx.store.read(name)? else {
        return Ok(false);
    };
    if let Stored::Plain(_) = stored {
        args.encrypt.protection(ctx, name)?;
    }
    Ok(!ctx.load_public(name)?.parse()?.keys.is_empty())
}

/// Reports that --if-missing found keys.
fn report_existing(ctx: &Context, whose: SetLabel) -> Result<()> {
    let status = format!("set {whose} already has keys; nothing created");
    report(ctx, whose, &[], &[], &status)
}

/// Warns that only the last of `number` new keys becomes active. They become valid at `nbf`, in seconds
/// since 1970, or at once.
fn warn_of_born_retired(ctx: &Context, number: u32, nbf: Option<i64>) {
    if number > 1 {
        let others = number - 1;
        let (keys, verb) = match others {
            1 => ("key", "is"),
            _ => ("keys", "are"),
        };
        let (becomes, when) = if nbf.is_some_and(|nbf| nbf > ctx.now) {
            ("becomes active at --nbf", "then")
        } else {
            ("is active", "from the start")
        };
        ctx.out.warn(format!(
            "only the last of the {number} keys {becomes}; the other {others} {keys} {verb} retired {when}"
        ));
    }
}

/// Reports the keys that were created, and those that take over from other keys of the set.
fn report(
    ctx: &Context,
    SetLabel { set, remote }: SetLabel,
    created: &[Key],
    takeovers: &[Takeover],
    status: &str,
) -> Result<()> {
    let names: Vec<_> = created.iter().map(KeyName::of).collect();
    let handles = takeovers
        .iter()
        .filter_map(|takeover| Some((takeover.signer.handle()?, takeover.instead.handle()?)));
    let handles: Vec<_> = handles.map(|(new, old)| (quote(new), quote(old))).collect();
    if ctx.out.is_json() {
        let public = created
            .iter()
            .filter_map(|key| public_form(key, Dates::Keep, &ctx.checks).ok());
        return ctx.out.json(&Report {
            set,
            remote,
            created: json_names(&names),
            activated: json_names(takeovers.iter().map(|takeover| &takeover.signer)),
            retired: json_names(takeovers.iter().map(|takeover| &takeover.instead)),
            keys: public.collect(),
        });
    }
    ctx.out.status(status);
    for (new, old) in handles {
        ctx.out
            .status(format!("{new} signs from now on; {old} is retired"));
        ctx.out.status(format!(
            "verifiers with a cached copy of the set do not know {new} yet; `jwks rotate {set} --force` stages a key before it signs"
        ));
    }
    ctx.out.lines(names.iter().filter_map(KeyName::handle))
}

fn dates(ctx: &Context, args: &CreateArgs) -> Result<(Option<i64>, Option<i64>)> {
    let nbf = time::parse_option(&args.nbf, ctx.now)?;
    let exp = time::parse_option(&args.exp, ctx.now)?;
    if let Some(exp) = exp
        && exp <= nbf.unwrap_or(ctx.now).max(ctx.now)
    {
        let start = if nbf.is_some_and(|nbf| nbf >= ctx.now) {
            "--nbf"
        } else {
            "now"
        };
        return Err(Error::usage(format!(
            "--exp {} is not after {start}",
            time::format(exp)
        )));
    }
    Ok((nbf, exp))
}

fn certificate_maker(ctx: &Context, args: &CreateArgs, set: &str) -> Result<Option<Maker>> {
    match (args.x509, args.certificate.are_given()) {
        (true, _) => args.certificate.maker(ctx, set).map(Some),
        (false, true) => Err(Error::usage("--subject and --days require --x509")),
        (false, false) => Ok(None),
    }
}
