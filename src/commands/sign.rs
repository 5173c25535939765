//! `jwks sign`: signs tokens with the key that signs now.

mod claims;
mod key;

use crate::args::connection::ConnectionArgs;
use crate::args::password::PasswordArgs;
use crate::context::Context;
use crate::error::{Error, Result};
use crate::jws::{LARGEST_PAYLOAD, PayloadForm, RESERVED, Signer, algorithm_of};
use crate::key::header::Header;
use crate::key::members::{Members, quoted};
use crate::keystore::log::Verb;
use crate::report::json::JsonKeyName;
use crate::report::log_entry::Record;
use crate::report::names::count;
use crate::source::document;
use crate::source::target::{self, Access};
use crate::time;
use claims::ClaimArgs;
use clap::{Args, ValueHint};
use serde::Serialize;

/// The most tokens that are printed at once.
const CHUNK: usize = 1000;

const EXAMPLES: &str = "\
Examples:
  $ jwks sign web
  $ jwks sign web --iss https://issuer.example --sub alice --aud shop --exp +5m
  $ jwks sign web --typ at+jwt --claim 'roles=[\"admin\"]'
  $ jwks sign api --line ES256 --count 1000 > tokens.txt
  $ jwks sign api --kid first --payload jwks.json --detached > jwks.json.jws";

/// Sign tokens with the key that signs now
///
/// Prints a JWT in the compact form: the token alone, and a line for each of several tokens. The token gets
/// iat, exp in an hour, and a random jti, unless you give other values. The algorithm is the alg of the key. A
/// key without alg signs with the first algorithm of its type, which is RS256 for an RSA key.
///
/// With --payload, any bytes are signed in place of claims. The log gets a line with the number of tokens, and
/// none of their claims. A token gives access to whoever has it: give it a short life.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct SignArgs {
    /// A set with private keys: of the keystore, a file, or a remote
    #[arg(value_name = "SET|FILE|REMOTE")]
    target: String,

    /// Sign with this key: its kid or thumbprint
    ///
    /// A prefix of the kid of at least 4 characters is enough. A key that is pending, retired, expired or revoked is
    /// refused, and so is one that is not for signing.
    #[arg(long, value_name = "KID", allow_hyphen_values = true)]
    kid: Option<String>,

    /// Sign with the key of this line
    ///
    /// A line is named by its algorithm, or by its curve or key type if it has no algorithm.
    #[arg(long, value_name = "LINE", conflicts_with = "kid")]
    line: Option<String>,

    #[command(flatten)]
    password: PasswordArgs,

    #[command(flatten)]
    claims: ClaimArgs,

    /// The typ of the header, such as at+jwt [default: JWT]
    ///
    /// With --payload, the default is no typ.
    #[arg(long, value_name = "TYPE", help_heading = "Header")]
    typ: Option<String>,

    /// Add a text to the header; can be repeated
    #[arg(long = "header", value_name = "NAME=VALUE", help_heading = "Header")]
    #[arg(hide_short_help = true)]
    headers: Vec<String>,

    /// Sign the bytes of FILE in place of claims
    ///
    /// - is standard input.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, help_heading = "Payload")]
    #[arg(conflicts_with_all = claims::IDS)]
    payload: Option<String>,

    /// Leave the payload out of the token (RFC 7515 appendix F)
    #[arg(long, requires = "payload", help_heading = "Payload")]
    detached: bool,

    /// Sign the payload without encoding it as base64url (b64 false, RFC 7797)
    #[arg(
        long,
        requires = "payload",
        help_heading = "Payload",
        hide_short_help = true
    )]
    unencoded: bool,

    #[command(flatten)]
    connection: ConnectionArgs,
}

#[derive(Serialize)]
struct Report<'a> {
    set: &'a str,
    #[serde(flatten)]
    key: JsonKeyName<'static>,
    alg: &'static str,
    tokens: Vec<String>,
}

/// Runs `jwks sign`.
pub fn run(ctx: &Context, args: &SignArgs) -> Result<()> {
    // What is wrong on the command line is found before a passphrase is asked for.
    let mut header = header(args)?;
    args.claims.check(ctx)?;
    let (target, password) = (&args.target, &args.password);
    let source = target::read(ctx, target, Access::Whole, password, &args.connection)?;
    let set = source.set()?;
    let position = key::choose(ctx, args, &source, &set)?;
    let key = &set.keys[position];
    let members = key.members().unwrap_or_default();
    let signer = Signer::new(&members, algorithm_of(&members, None)?)?;
    if let Some(kid) = members.string("kid") {
        header.set_raw("kid", quoted(&kid));
    }
    let (payloads, form) = match &args.payload {
        Some(path) => (
            vec![document::read_at_most(LARGEST_PAYLOAD, path, &ctx.out)?],
            PayloadForm {
                is_encoded: !args.unencoded,
                is_detached: args.detached,
            },
        ),
        None => {
            let claims = args.claims.read(ctx)?;
            warn_of_end(ctx, &Header::of(key), &claims);
            let octets = claims.iter().map(|claims| claims.to_json().into_bytes());
            (octets.collect(), PayloadForm::WHOLE)
        }
    };
    let sign = |payload: &Vec<u8>| signer.token(&header, payload, form);
    // Log before printing, as for a private key. The first token shows that the key can sign.
    let first = payloads.first().map(sign).transpose()?;
    if let Some(whose) = source.label() {
        let note = count(payloads.len(), "token");
        Record::of(ctx, whose)
            .noted(Verb::Signed, &note, [key])
            .append();
    }
    let rest = payloads.iter().skip(1).map(sign);
    let mut tokens = first.into_iter().map(Ok).chain(rest);
    if ctx.out.is_json() {
        return ctx.out.json(&Report {
            set: &source.name,
            key: JsonKeyName::from(key),
            alg: signer.alg(),
            tokens: tokens.collect::<Result<_>>()?,
        });
    }
    loop {
        let chunk: Vec<String> = tokens.by_ref().take(CHUNK).collect::<Result<_>>()?;
        if chunk.is_empty() {
            return Ok(());
        }
        // A token has only printable ASCII.
        ctx.out.octets((chunk.join("\n") + "\n").as_bytes())?;
    }
}

/// Returns the members of the header that the command line gives.
fn header(args: &SignArgs) -> Result<Members<'static>> {
    let mut header = Members::default();
    let is_jwt = args.payload.is_none();
    if let Some(typ) = args.typ.as_deref().or(is_jwt.then_some("JWT")) {
        header.set_text("typ", typ);
    }
    for pair in &args.headers {
        let (name, value) = claims::split(pair, "--header")?;
        if RESERVED.contains(&name) {
            let error = Error::usage(format!("--header cannot set {name}"));
            return Err(error.hint(match name {
                "typ" => "pass --typ",
                "kid" | "alg" => "the key decides it; pass --kid for another key",
                "b64" | "crit" => "pass --unencoded for a payload without base64url",
                _ => "verifiers must not take a key or an address from a token",
            }));
        }
        if header.raw(name).is_some() {
            return Err(Error::usage(format!("--header sets {name:?} twice")));
        }
        header.set_raw(name.to_owned(), quoted(value));
    }
    Ok(header)
}

/// Warns if the key leaves the published set before a token ends.
fn warn_of_end(ctx: &Context, key: &Header, claims: &[Members]) {
    let ends = claims
        .iter()
        .filter_map(|claims| claims.seconds("exp").ok()?);
    if let (Some(key_end), Some(end)) = (key.exp, ends.max())
        && key_end < end
    {
        let (key_end, end) = (time::format(key_end), time::format(end));
        ctx.out.warn(format!(
            "the key expires at {key_end}, before the token at {end}"
        ));
    }
}
