//! Files that commands write for other programs, outside the keystore. They are written atomically.

mod existing;

use crate::context::Context;
use crate::error::{Error, Result};
use crate::files::ownership;
use crate::files::{self, Access, Existing};
use crate::key::Key;
use crate::keyset::import::Form;
use crate::secret::Secret;
use existing::{holds_only, is_public};
use std::fs;
use std::path::Path;

/// The suffix of a file until it is complete. The next write to the same file removes a leftover one.
const UNFINISHED: &str = ".jwks-unfinished";

/// A file to write.
#[derive(Clone, Copy)]
pub struct OutputFile<'a> {
    /// Its path.
    pub path: &'a Path,
    /// True if it holds private keys.
    pub is_private: bool,
    /// The existing file that it can replace.
    pub replaces: Replaces<'a>,
}

/// The existing file that a new one can replace.
#[derive(Clone, Copy)]
pub enum Replaces<'a> {
    /// Any file.
    Any,
    /// A file of public keys, if the new one holds public keys, too. Lines of OpenSSH keys and Kubernetes
    /// manifests count only if the new file has this format.
    Public(Option<Form>),
    /// A file with nothing but these keys, as a layout writes them, or with variables of these names.
    Own(&'a dyn Fn(&Key) -> bool, &'a [&'a str]),
}

impl OutputFile<'_> {
    /// Returns an error if the file cannot be written, or if it must not replace the existing one. Runs
    /// before the user types a password, and before the export is logged.
    pub fn check(&self, ctx: &Context) -> Result<()> {
        let path = self.path;
        let directory = files::parent(path);
        if !directory.exists() {
            return Err(
                Error::not_found(format!("no directory {}", directory.display()))
                    .hint(format!("run `mkdir -p {}`", directory.display())),
            );
        }
        refuse_in_keystore(ctx, path)?;
        let name = path.as_os_str().as_encoded_bytes();
        if name.ends_with(UNFINISHED.as_bytes()) {
            return Err(Error::usage(format!(
                "the file name ends in {UNFINISHED}, which marks unfinished exports"
            ))
            .hint("choose another name"));
        }
        if self.is_private && ownership::is_replaceable(&directory) {
            return Err(Error::refused(format!(
                "other users can write to the directory of {}",
                path.display()
            ))
            .hint("choose a directory of your own for private keys"));
        }
        files::check_target(path)?;
        match self.replaces {
            Replaces::Any => Ok(()),
            Replaces::Public(_) if self.is_private && path.exists() => Err(self.exists()),
            Replaces::Public(form) if !self.is_private && !is_public(path, form) => {
                Err(Error::refused(format!(
                    "{} exists and is not a public key file",
                    path.display()
                ))
                .hint("choose another file, or overwrite it with --force"))
            }
            Replaces::Public(_) => Ok(()),
            Replaces::Own(is_own, variables) if !holds_only(path, is_own, variables) => {
                let path = path.display();
                Err(
                    Error::refused(format!("{path} exists and has other content than this set"))
                        .hint("move the file away, or choose another one"),
                )
            }
            Replaces::Own(..) => Ok(()),
        }
    }

    fn exists(&self) -> Error {
        Error::refused(format!("{} already exists", self.path.display()))
            .hint("overwrite it with --force")
    }

    /// Returns true if the file has this content already. Returns false if it holds private keys and other
    /// users have access to it.
    pub fn is_written(&self, content: &Secret<Vec<u8>>) -> bool {
        let length = content.expose().len() as u64;
        let is_right = |metadata: &fs::Metadata| {
            let is_open = self.is_private && files::others(metadata) != 0;
            metadata.is_file() && metadata.len() == length && !is_open
        };
        fs::symlink_metadata(self.path).is_ok_and(|metadata| is_right(&metadata))
            && fs::read(self.path)
                .map(Secret::new)
                .is_ok_and(|there| there.expose() == content.expose())
    }

    /// Writes the file.
    pub fn write(&self, content: &Secret<Vec<u8>>) -> Result<()> {
        let access = if self.is_private {
            Access::Private
        } else {
            Access::Shared
        };
        let existing = match self.replaces {
            Replaces::Public(_) if self.is_private => Existing::Keep,
            _ => Existing::Replace,
        };
        let temporary = temporary_name(self.path);
        files::write(self.path, content.expose(), access, existing, &temporary).map_err(
            |error| match existing {
                Existing::Keep if error.advice().is_none() => {
                    error.hint("overwrite it with --force")
                }
                _ => error,
            },
        )?
    }
}

/// Returns an error if a file for other programs would be in the keystore's directory.
pub fn refuse_in_keystore(ctx: &Context, path: &Path) -> Result<()> {
    if is_within(path, ctx.store.directory()) {
        Err(
            Error::refused(format!("{} is in the keystore", path.display()))
                .hint("choose a file elsewhere; jwks set puts keys into sets"),
        )
    } else {
        Ok(())
    }
}

/// Returns the name of a file until it is complete.
pub fn temporary_name(path: &Path) -> String {
    let file_name = path.file_name().unwrap_or_default().to_string_lossy();
    format!(".{file_name}{UNFINISHED}")
}

/// Returns true if a file would lie in a directory.
fn is_within(path: &Path, directory: &Path) -> bool {
    let parent = files::parent(path).canonicalize();
    matches!((parent, directory.canonicalize()), (Ok(parent), Ok(directory)) if parent.starts_with(&directory))
}
