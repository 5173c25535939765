//! Exports in the layout of a signer or of verifiers.

use crate::commands::export::{ExportArgs, certified, deliver, tell_unchanged};
use crate::context::Context;
use crate::error::{Error, Result};
use crate::keyset::KeySet;
use crate::layout::{Content, Layout, Options, Write};
use crate::report::log_entry::Record;
use crate::source::target::{self, Access, Source};

/// Runs `jwks export --for LAYOUT`.
pub(super) fn run(ctx: &Context, args: &ExportArgs, layout: &Layout) -> Result<()> {
    let access = if layout.is_private() {
        Access::Whole
    } else {
        Access::Public
    };
    let password = args.password.or_instead(args.input_password_file.as_ref());
    let source = target::read(ctx, &args.target, access, &password, &args.connection)?;
    let set = source.set()?;
    let about = |error: Error| error.about(&source.title);
    let options = Options {
        line: args.line.as_deref(),
        now: ctx.now,
        ..Options::default()
    };
    let chosen = layout.choose(&set, options, &ctx.checks).map_err(about)?;
    let file = args.output_file();
    if let Some(file) = &file {
        file.check(ctx)?;
    }
    let content = match layout.write {
        Write::Pkcs12 => pkcs12(ctx, args, &source, &set, &chosen.signing_positions())?,
        Write::Text(_) | Write::Body(_) => {
            let content = layout.content(&set, &chosen, options, &ctx.checks);
            content.map_err(about)?
        }
    };
    for warning in &content.warnings {
        ctx.out.warn(format!("{}: {warning}", source.title));
    }
    if let Some(file) = file.filter(|file| file.is_written(&content.octets)) {
        tell_unchanged(ctx, &file);
        return Ok(());
    }
    if let (true, Some(whose)) = (layout.is_private(), source.label()) {
        let private = chosen.keys.iter().filter(|key| key.private.is_some());
        let keys: Vec<_> = private.map(|key| &set.keys[key.position]).collect();
        Record::of(ctx, whose)
            .exported(Some(&args.description(layout.name)), &keys)
            .append();
    }
    deliver(ctx, file, &content.octets, content.is_json)
}

/// Returns the PKCS#12 file of the only key that signs.
fn pkcs12(
    ctx: &Context,
    args: &ExportArgs,
    source: &Source,
    set: &KeySet,
    signing: &[usize],
) -> Result<Content> {
    let key = signing.first().map(|position| &set.keys[*position]);
    let members = key.and_then(|key| key.members().ok()).unwrap_or_default();
    Ok(Content {
        octets: certified::pkcs12(ctx, args, source, &members)?,
        ..Content::default()
    })
}
