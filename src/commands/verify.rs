//! `jwks verify`: verifies a token, and says which key signed it or why it is refused.

mod decode;
mod input;
mod place;
mod report;
mod trial;
mod unknown;

use crate::args::source::SourceArgs;
use crate::context::Context;
use crate::error::{Error, ErrorKind, Result};
use crate::jws::{Cause, Decoded, Refusal, Token, claims};
use crate::key::algorithm::{ALGORITHMS, Algorithm, Use};
use crate::key::check::excerpt;
use crate::key::members::Members;
use crate::nearest::unknown as unknown_name;
use crate::source::target::Source;
use crate::time::parse_duration;
use clap::{Args, ValueHint};
use report::Verified;
use trial::Trial;

const EXAMPLES: &str = "\
Examples:
  $ jwks sign web | jwks verify web
  $ jwks verify web token.jwt --iss https://issuer.example --aud shop
  $ jwks sign api --line ES256 | jwks verify jwks.json --alg ES256
  $ jwks verify --decode token.jwt";

/// Verify a token, and say which key signed it or why it is refused
///
/// Finds the key by the kid of the token, in a set or in all sets of the keystore. The algorithm is that of the
/// key, and the token must name the same one. `none`, unknown critical extensions and duplicate members are
/// refused. Keys and addresses in the header of a token are never used. A key without alg has --alg, or else the
/// first algorithm of its type: RS256 for RSA, HS256 for symmetric keys, EdDSA for Ed25519 and Ed448.
///
/// Then checks exp, nbf and iat with --leeway, and what you demand with --iss, --aud, --typ and --alg. Says also
/// whether the key was published for long enough that verifiers with a copy of the set know it. Exits with 3 if
/// no key has the kid, and with 5 for any other reason.
///
/// Other users can see the arguments of a process, so pass a token that still counts on standard input.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct VerifyArgs {
    /// A set, a file, an address or a remote [default: every set of the keystore]
    ///
    /// A word alone that is -, or that begins with eyJ and has a period, is the token.
    #[arg(value_name = "SET|FILE|URL")]
    target: Option<String>,

    /// The token, a file that holds it, or - for standard input [default: -]
    #[arg(value_name = "TOKEN", value_hint = ValueHint::FilePath)]
    token: Option<String>,

    /// Demand this issuer
    #[arg(long, value_name = "URL", help_heading = "Demands")]
    iss: Option<String>,

    /// Demand this audience; of several, the token needs one
    #[arg(long, value_name = "NAME", help_heading = "Demands")]
    aud: Vec<String>,

    /// Demand this typ, such as at+jwt
    #[arg(long, value_name = "TYPE", help_heading = "Demands")]
    typ: Option<String>,

    /// Demand this algorithm
    #[arg(long, value_name = "ALG", help_heading = "Demands")]
    alg: Option<String>,

    /// The largest difference between the clocks of the issuer and of this machine
    #[arg(
        long,
        value_name = "SPAN",
        default_value = "60s",
        help_heading = "Demands"
    )]
    leeway: String,

    /// Ask the issuer that the token names for its keys, if no set has the key
    ///
    /// The issuer must be an https address. Its discovery document must name the same issuer.
    #[arg(long)]
    online: bool,

    /// The bytes that a detached token signs; - is standard input
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    #[arg(conflicts_with_all = ["iss", "aud"])]
    payload: Option<String>,

    /// Verify only the signature: the payload can be anything
    #[arg(long, conflicts_with_all = ["iss", "aud", "online"])]
    signature_only: bool,

    /// Print the header and the claims without verifying anything
    #[arg(long)]
    #[arg(conflicts_with_all = ["iss", "aud", "typ", "alg", "online", "payload", "signature_only"])]
    decode: bool,

    #[command(flatten)]
    source: SourceArgs,
}

/// Runs `jwks verify`.
pub fn run(ctx: &Context, args: &VerifyArgs) -> Result<()> {
    let leeway = parse_duration(&args.leeway).map_err(|error| error.about("--leeway"))?;
    check_algorithm(args)?;
    let (target, token) = input::words(args)?;
    let text = input::token(ctx, token)?;
    if args.decode {
        return decode::print(ctx, &Decoded::of(&text)?);
    }
    let detached = input::payload(ctx, args)?;
    let result = Token::parse(&text)
        .map_err(Stop::from)
        .and_then(|token| verify(ctx, args, target, &token, detached, leeway));
    match result {
        Ok(verified) => report::print(ctx, &verified),
        Err(Stop::Refused(refusal)) => {
            if ctx.out.is_json() {
                report::print_refusal(ctx, &refusal)?;
            }
            Err((*refusal).into())
        }
        Err(Stop::Failed(error)) => Err(error),
    }
}

/// Why a token could not be accepted.
enum Stop {
    /// The token is refused.
    Refused(Box<Refusal>),
    /// The question could not be answered.
    Failed(Error),
}

impl From<Refusal> for Stop {
    fn from(refusal: Refusal) -> Self {
        Stop::Refused(Box::new(refusal))
    }
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Stop::Failed(error)
    }
}

fn check_algorithm(args: &VerifyArgs) -> Result<()> {
    let Some(alg) = &args.alg else {
        return Ok(());
    };
    let signs = |algorithm: &&Algorithm| algorithm.usage == Use::Sig;
    let names = ALGORITHMS.iter().filter(signs);
    let names: Vec<_> = names.map(|algorithm| algorithm.name).collect();
    if names.contains(&alg.as_str()) {
        return Ok(());
    }
    Err(unknown_name("signature algorithm", alg, None, &names))
}

fn verify(
    ctx: &Context,
    args: &VerifyArgs,
    target: Option<&str>,
    token: &Token,
    detached: Option<Vec<u8>>,
    leeway: i64,
) -> Result<Verified, Stop> {
    let has_claims = !args.signature_only && detached.is_none();
    let header = token.header();
    if has_claims && !header.is_encoded {
        let message = "a token with claims must not have b64 false (RFC 7797 section 7)";
        let refusal = Refusal::new(Cause::Claims, message);
        return Err(refusal
            .hint("pass the bytes that it signs with --payload, or pass --signature-only")
            .into());
    }
    if let Some(typ) = &args.typ {
        claims::check_type(header.typ.as_deref(), typ)?;
    }
    let payload = token.payload(detached)?;
    let trial = Trial {
        ctx,
        token,
        payload: &payload,
        alg: args.alg.as_deref(),
    };
    let verified = find(ctx, args, target, &trial)?;
    if !has_claims {
        return Ok(verified);
    }
    let parsed = claims::parse(&payload).map_err(|refusal| {
        refusal.hint(if payload.is_empty() {
            "pass the bytes that a detached token signs with --payload"
        } else {
            "pass --signature-only to verify a payload that is not claims"
        })
    })?;
    let expected = claims::Expected {
        now: ctx.now,
        leeway,
        issuer: args.iss.as_deref(),
        audiences: &args.aud,
    };
    claims::check(&parsed, &expected)?;
    Ok(Verified {
        claims: Some(parsed),
        ..verified
    })
}

/// Finds the key that signed the token.
fn find(
    ctx: &Context,
    args: &VerifyArgs,
    target: Option<&str>,
    trial: &Trial,
) -> Result<Verified, Stop> {
    let sources = place::sources(ctx, args, target, trial)?;
    match trial.among(&sources) {
        Err(Stop::Refused(refusal)) if refusal.cause == Cause::UnknownKey => {
            let refusal = unknown::explain(ctx, *refusal, trial, &sources, target);
            match issuer(args, trial.payload) {
                Some(issuer) => online(ctx, args, trial, &issuer?),
                None => Err(refusal.into()),
            }
        }
        other => other,
    }
}

/// Asks the issuer for its keys.
fn online(ctx: &Context, args: &VerifyArgs, trial: &Trial, issuer: &str) -> Result<Verified, Stop> {
    let source = place::of_issuer(ctx, args, issuer)?;
    let sources = [source];
    let result = trial.among(&sources);
    result.map_err(|stop| match stop {
        Stop::Refused(refusal) if refusal.cause == Cause::UnknownKey => {
            unknown::explain(ctx, *refusal, trial, &sources, None).into()
        }
        other => other,
    })
}

/// Returns the issuer to ask, by the claims that nobody verified yet; `None` without --online. Returns a refusal if
/// the token names none, or another one than is demanded.
fn issuer(args: &VerifyArgs, payload: &[u8]) -> Option<Result<String, Refusal>> {
    let read = || {
        let claims: Members = claims::parse(payload)?;
        let refused = |message: String| Err(Refusal::new(Cause::Issuer, message));
        let iss = claims.string("iss").map(String::from);
        let Some(iss) = iss else {
            return refused("the token has no iss to ask".into());
        };
        if args.iss.as_ref().is_some_and(|expected| *expected != iss) {
            let expected = args.iss.as_deref().unwrap_or_default();
            return refused(format!("the issuer is {}, not {expected:?}", excerpt(&iss)));
        }
        if !iss.starts_with("https://") {
            return refused(format!(
                "the issuer {} is not an https address",
                excerpt(&iss)
            ));
        }
        Ok(iss)
    };
    args.online.then(read)
}

/// Returns true if a set that cannot be read is left out of a search in all sets.
fn is_skipped(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::Invalid | ErrorKind::Denied)
}

/// The sets in which a key is looked for.
type Sources = [Source];
