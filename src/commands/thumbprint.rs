//! `jwks thumbprint`: RFC 7638 thumbprints and RFC 9278 URIs.

use crate::args::source::SourceArgs;
use crate::context::Context;
use crate::error::{Error, Result};
use crate::key::Key;
use crate::key::check::{Breaks, Severity, findings, has_certain_thumbprint};
use crate::key::header::Header;
use crate::key::thumbprint::{thumbprint, uri};
use crate::keyset::kid_from::KidFrom;
use crate::report::names::describe;
use crate::source::target::{self, Access, Source};
use clap::Args;
use serde::Serialize;
use std::borrow::Cow;

const EXAMPLES: &str = "\
Examples:
  $ jwks thumbprint api
  $ jwks thumbprint own.pem
  $ jwks thumbprint own.pem --kid-from spki
  $ jwks get api | jwks thumbprint - --uri";

/// Print RFC 7638 thumbprints, one per line
///
/// The digest is SHA-256. Tools disagree on the thumbprint of a key that is encoded wrongly, so it is left out with a
/// warning. The thumbprint of a key that is invalid for another reason, such as a short modulus, is printed with a
/// warning.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct ThumbprintArgs {
    /// A set, a file, an address, a remote, or - for standard input
    ///
    /// A word without a slash is a SET, REMOTE or REMOTE:NAME. If there is none and it ends in the
    /// suffix of a key file, such as .pem, it is a file. Write ./FILE for any file.
    #[arg(value_name = "SET|FILE|URL")]
    target: String,

    /// The key: its kid, or a prefix of at least 4 characters
    #[arg(value_name = "KID", allow_hyphen_values = true)]
    kid: Option<String>,

    /// Print the kid that other tools compute: spki, x5t or x5t#S256
    ///
    /// kube-apiserver uses spki as the kid. The digests x5t and x5t#S256 require a certificate.
    #[arg(long, value_name = "SOURCE", conflicts_with = "uri")]
    kid_from: Option<KidFrom>,

    /// Print RFC 9278 URIs
    #[arg(long)]
    uri: bool,

    #[command(flatten)]
    source: SourceArgs,
}

#[derive(Serialize)]
struct Row {
    #[serde(skip_serializing_if = "Option::is_none")]
    kid: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    kty: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    crv: Option<String>,
    thumbprint: String,
    uri: String,
    /// The digest that --kid-from asks for.
    #[serde(skip_serializing_if = "Option::is_none")]
    digest: Option<String>,
}

/// Runs `jwks thumbprint`.
pub fn run(ctx: &Context, args: &ThumbprintArgs) -> Result<()> {
    let access = Access::PublicHeader(args.kid.as_deref());
    let SourceArgs {
        password,
        connection,
    } = &args.source;
    let source = target::read(ctx, &args.target, access, password, connection)?;
    let rows = rows(ctx, args, &source)?;
    if ctx.out.is_json() {
        return ctx.out.json(&serde_json::json!({ "keys": rows }));
    }
    ctx.out.lines(rows.iter().map(|row| match &row.digest {
        Some(digest) => digest,
        None if args.uri => &row.uri,
        None => &row.thumbprint,
    }))
}

fn rows(ctx: &Context, args: &ThumbprintArgs, source: &Source) -> Result<Vec<Row>> {
    if matches!(args.kid_from, Some(KidFrom::Uuid | KidFrom::Date)) {
        return Err(Error::usage("a uuid or date is not computed from the key")
            .hint("choose thumbprint, spki, x5t or x5t#S256"));
    }
    let set = source.set()?;
    let positions = match &args.kid {
        Some(kid) => {
            let found = set.find(&source.kid(&set, kid));
            vec![found.map_err(|error| error.about(&args.target))?]
        }
        None => (0..set.keys.len()).collect(),
    };
    let (mut rows, mut failed) = (Vec::new(), Vec::new());
    for i in positions {
        match row(ctx, args, &set.keys[i], i) {
            Ok(row) => rows.push(row),
            Err(error) => failed.push(error),
        }
    }
    if rows.is_empty() && !failed.is_empty() {
        return Err(failed.swap_remove(0));
    }
    for error in failed {
        ctx.out.warn(error.to_string());
    }
    Ok(rows)
}

/// Returns the thumbprint of a key. Warns about a key that is invalid although tools agree on its thumbprint.
fn row(ctx: &Context, args: &ThumbprintArgs, key: &Key, index: usize) -> Result<Row> {
    let members = key.members().unwrap_or_default();
    let thumbprint = thumbprint(&members).filter(|_| has_certain_thumbprint(&members));
    let faults = findings(key, &ctx.checks).into_iter();
    let faults = faults.filter(|fault| match thumbprint {
        Some(_) => fault.breaks() == Breaks::Key,
        None => fault.rule.severity() > Severity::Note,
    });
    let faults: Vec<_> = faults
        .map(|fault| format!("{} ({})", fault.message, fault.rule))
        .collect();
    let (name, faults) = (describe(index, key), faults.join("; "));
    let Some(thumbprint) = thumbprint else {
        let message = format!("{}: {name} has no thumbprint: {faults}", args.target);
        return Err(Error::invalid(message));
    };
    if !faults.is_empty() {
        ctx.out.warn(format!("{}: {name}: {faults}", args.target));
    }
    let digest = args.kid_from.map(|from| {
        let digest = from.compute(&members);
        digest.map_err(|error| error.about(format!("{}: key {index}", args.target)))
    });
    let header = Header::of(key);
    Ok(Row {
        digest: digest.transpose()?.flatten(),
        kid: header.kid.map(Cow::into_owned),
        kty: header.kty.map(Cow::into_owned),
        crv: header.crv.map(Cow::into_owned),
        uri: uri(&thumbprint),
        thumbprint,
    })
}
