//! The sets in which the key of a token is looked for.

use crate::commands::verify::trial::Trial;
use crate::commands::verify::{VerifyArgs, is_skipped};
use crate::context::Context;
use crate::error::{Error, ErrorKind, Result};
use crate::key::check::excerpt;
use crate::key::parts::is_withheld;
use crate::remote::{Remote, entry_of_issuer};
use crate::source::target::{self, Access, Source, Target};

/// Reads the target, or every set of the keystore. Symmetric keys of encrypted sets are decrypted only if the token
/// can need them.
pub(super) fn sources(
    ctx: &Context,
    args: &VerifyArgs,
    target: Option<&str>,
    trial: &Trial,
) -> Result<Vec<Source>> {
    if let Some(target) = target {
        return Ok(vec![read(ctx, args, target, trial)?]);
    }
    let mut sources = Vec::new();
    for name in ctx.store.names()? {
        match read(ctx, args, name.as_str(), trial) {
            Ok(source) => sources.push(source),
            Err(error) if is_skipped(&error) => {
                ctx.out.warn(format!("set {name} is left out: {error}"));
            }
            Err(error) => return Err(error),
        }
    }
    Ok(sources)
}

fn read(ctx: &Context, args: &VerifyArgs, target: &str, trial: &Trial) -> Result<Source> {
    let read = |access| {
        let (password, connection) = (&args.source.password, &args.source.connection);
        target::read(ctx, target, access, password, connection)
    };
    if !trial.may_be_symmetric() {
        return read(Access::Public);
    }
    // Servers publish no symmetric keys.
    if matches!(Target::of(ctx, target)?, Target::Remote(..)) {
        return read(Access::Whole);
    }
    let source = read(Access::Public)?;
    let set = source.set()?;
    let is_needed = trial
        .positions(&set)
        .iter()
        .any(|i| is_withheld(&set.keys[*i]));
    drop(set);
    if is_needed {
        read(Access::Whole)
    } else {
        Ok(source)
    }
}

/// Reads the published set of an issuer.
pub(super) fn of_issuer(ctx: &Context, args: &VerifyArgs, issuer: &str) -> Result<Source> {
    let read = || {
        let options = args.source.connection.options(ctx);
        let remote = Remote::open(&entry_of_issuer(issuer)?, None, options)?;
        target::of_server(remote, None, Access::Public)
    };
    read().map_err(|error| match error.kind() {
        // The address comes from the token, not from the command line.
        ErrorKind::Usage => Error::invalid(format!("the issuer {}: {error}", excerpt(issuer))),
        _ => error,
    })
}
