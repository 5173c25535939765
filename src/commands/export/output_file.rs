//! The destination of an export: standard output, or a file that is written atomically.

use crate::commands::export::{ExportArgs, To};
use crate::commands::shared::published_file::{UNFINISHED, refuse_in_keystore, temporary_name};
use crate::context::Context;
use crate::error::{Error, Result};
use crate::files::ownership;
use crate::files::{self, Access, Existing};
use crate::key::parts::holds_secret;
use crate::keyset::FOREIGN_LIMIT;
use crate::keyset::import::{self, Form, Imported};
use crate::secret::Secret;
use std::fs;
use std::path::Path;

/// Returns an error if the export cannot be written to its file. Runs before the user types a password.
pub(super) fn check(ctx: &Context, args: &ExportArgs) -> Result<()> {
    let Some(path) = args.file() else {
        return Ok(());
    };
    let directory = files::parent(path);
    if !directory.exists() {
        return Err(
            Error::not_found(format!("no directory {}", directory.display()))
                .hint(format!("run `mkdir -p {}`", directory.display())),
        );
    }
    refuse_in_keystore(ctx, path)?;
    if path
        .as_os_str()
        .as_encoded_bytes()
        .ends_with(UNFINISHED.as_bytes())
    {
        return Err(Error::usage(format!(
            "the file name ends in {UNFINISHED}, which marks unfinished exports"
        ))
        .hint("choose another name"));
    }
    if args.private && ownership::is_replaceable(&files::parent(path)) {
        return Err(Error::refused(format!(
            "other users can write to the directory of {}",
            path.display()
        ))
        .hint("choose a directory of your own for private keys"));
    }
    // Check this before the export is logged.
    files::check_target(path)?;
    if args.private && !args.force && path.exists() {
        return Err(Error::refused(format!("{} already exists", path.display()))
            .hint("overwrite it with --force"));
    }
    if !args.force && !args.private && !may_be_overwritten(path, args.to) {
        return Err(Error::refused(format!(
            "{} exists and is not a public key file",
            path.display()
        ))
        .hint("choose another file, or overwrite it with --force"));
    }
    Ok(())
}

/// Returns true, and prints a status line, if the file already has the content of the export. Returns
/// false if the file holds private keys and other users have access to it.
pub(super) fn is_unchanged(ctx: &Context, args: &ExportArgs, content: &Secret<Vec<u8>>) -> bool {
    let Some(path) = args.file() else {
        return false;
    };
    let is_unchanged = is_written(path, content, args.private);
    if is_unchanged {
        ctx.out.status(format!("{} is unchanged", path.display()));
    }
    is_unchanged
}

/// Writes an export to its file, or to standard output.
pub(super) fn deliver(ctx: &Context, args: &ExportArgs, content: &Secret<Vec<u8>>) -> Result<()> {
    let Some(path) = args.file() else {
        let is_json = matches!(args.to, To::Jwks | To::Jwk | To::Kubernetes);
        let text = is_json.then(|| std::str::from_utf8(content.expose()));
        return match text {
            Some(Ok(json)) => ctx.out.json_text(json),
            _ => ctx.out.octets(content.expose()),
        };
    };
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
    })??;
    ctx.out.status(format!("wrote {}", path.display()));
    Ok(())
}

/// Returns true if a regular file has this content, and its permissions are right: nobody but the owner
/// has access to private keys.
fn is_written(path: &Path, content: &Secret<Vec<u8>>, is_private: bool) -> bool {
    let length = content.expose().len() as u64;
    let is_right = |metadata: &fs::Metadata| {
        let is_open = is_private && files::others(metadata) != 0;
        metadata.is_file() && metadata.len() == length && !is_open
    };
    fs::symlink_metadata(path).is_ok_and(|metadata| is_right(&metadata))
        && fs::read(path)
            .map(Secret::new)
            .is_ok_and(|there| there.expose() == content.expose())
}

/// Returns true if the file does not exist, or holds only public keys, as an earlier export does.
fn may_be_overwritten(path: &Path, to: To) -> bool {
    match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.is_file() => {}
        // The file does not exist, or it is not a regular file, which the write refuses anyway.
        _ => return true,
    }
    let small = fs::metadata(path).is_ok_and(|metadata| metadata.len() <= FOREIGN_LIMIT as u64);
    let content = if small {
        fs::read(path).unwrap_or_default()
    } else {
        Vec::new()
    };
    // Lines of OpenSSH keys can be an authorized_keys file, and a manifest can be another program's
    // configuration. They count as an earlier export only if the new export has the same format.
    let is_own = |form| match form {
        Form::Jwk | Form::Jwks | Form::Pem | Form::Der => true,
        Form::Openssh => to == To::Openssh,
        Form::Kubernetes => to == To::Kubernetes,
        Form::Jwe | Form::Pkcs12 | Form::Jks | Form::Secret => false,
    };
    let Ok(opened) = import::open(&content, &import::Options::default()) else {
        return false;
    };
    // Keys inside another document, such as a configuration, are not an earlier export.
    let Some(form) = opened.form() else {
        return false;
    };
    // A part that jwks cannot read can be a damaged private key.
    let is_public = |read: Imported| {
        let is_whole = !read.notes.iter().any(|note| note.is_loss);
        is_whole && !read.set.keys.iter().any(holds_secret)
    };
    is_own(form) && import::join(vec![opened]).is_ok_and(is_public)
}
