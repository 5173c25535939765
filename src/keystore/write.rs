//! Writes the file of a set in three steps: the new content as a temporary file, the history, then a
//! rename.

use crate::error::{Error, Result};
use crate::files::ownership::Fault;
use crate::files::{self, Access, Existing};
use crate::jwe;
use crate::key::parts::holds_secret;
use crate::keyset::public_header;
use crate::keyset::{KeySet, MOST_KEYS};
use crate::keystore::history::{Content, Earlier, Present};
use crate::keystore::{Keystore, SetName, TEMPORARY};
use crate::secret::Secret;
use std::fs;
use std::path::Path;

impl Keystore {
    /// Writes a set, encrypted if there is a passphrase with its iteration count. Returns an error if
    /// the set would be too large to be read again, or if others can write to the directory of private
    /// keys.
    pub(super) fn write(
        &self,
        name: &SetName,
        set: &KeySet,
        encryption: Option<(&Secret<String>, u32)>,
        present: Option<Present>,
        earlier: Earlier,
    ) -> Result<()> {
        if set.keys.iter().any(holds_secret) {
            self.refuse_open()?;
        }
        if present.is_none() {
            self.drop_schedule(name)?;
        }
        if set.keys.len() > MOST_KEYS {
            return Err(too_large(name, &format!("have more than {MOST_KEYS} keys")));
        }
        let content = Secret::new(set.to_json());
        let (text, content) = match encryption {
            None => (content, Content::Plain),
            Some((passphrase, _)) if passphrase.expose().is_empty() => {
                return Err(
                    Error::refused(format!("the passphrase of set {name} is empty")).hint(format!(
                        "nothing was written; run `jwks passwd {name}` to change it"
                    )),
                );
            }
            Some((passphrase, iterations)) => {
                let sealed = jwe::seal(
                    content.expose().as_bytes(),
                    passphrase,
                    iterations,
                    &public_header::header(set),
                    &mut self.derived.borrow_mut(),
                )?;
                (Secret::new(sealed), Content::Encrypted)
            }
        };
        if text.expose().len() as u64 > self.limit {
            let limit = self.limit >> 20;
            return Err(too_large(name, &format!("be larger than {limit} MiB")));
        }
        self.replace(name, (text.expose().as_bytes(), content), present, earlier)
    }

    /// Returns an error if other users can write to the directory, because private keys must not be
    /// written there.
    pub(super) fn refuse_open(&self) -> Result<()> {
        let Some(Fault::Open(open)) = self.fault() else {
            return Ok(());
        };
        let directory = open.display();
        Err(
            Error::refused(format!("other users can write to {directory}")).hint(format!(
                "run `chmod go-w {directory}` to keep private keys there"
            )),
        )
    }

    /// Replaces the file of a set, and keeps the old one in the history. The history is on the disk
    /// before the new file is in place.
    pub(super) fn replace(
        &self,
        name: &SetName,
        (bytes, content): (&[u8], Content),
        present: Option<Present>,
        earlier: Earlier,
    ) -> Result<()> {
        // The file gets its new suffix after it is written, so that at every moment there is exactly
        // one file. Its content decides how it is read, not its suffix.
        let right = self.path(name, content.suffix());
        let mut pending = self.keep(name, present.as_ref(), None, earlier)?;
        let path = present.map_or_else(|| right.clone(), |present| present.path);
        let written = files::write_after(
            &path,
            bytes,
            Access::Private,
            Existing::Replace,
            TEMPORARY,
            || pending.flush(),
        );
        let flushed = written.inspect_err(|_| pending.discard())?;
        self.defer_error(flushed);
        if path != right {
            self.defer_error(rename(name, &path, &right));
        }
        self.defer_error(pending.complete(content));
        self.sweep();
        Ok(())
    }
}

/// Renames the file of a set that was encrypted or decrypted, so that its suffix matches its content.
fn rename(name: &SetName, old: &Path, new: &Path) -> Result<()> {
    fs::rename(old, new).map_err(|error| {
        let what = if new.extension().is_some_and(|suffix| suffix == "jwe") {
            "encrypted now"
        } else {
            "no longer encrypted"
        };
        let message = format!("set {name} is {what}, but cannot rename {}", old.display());
        let hint = format!(
            "run `mv {} {}` to rename it, or leave that to the next change; until then jwks reads the old name",
            old.display(),
            new.display()
        );
        Error::failed(message).cause(error).hint(hint)
    })?;
    files::flush_directory_of(new, "wrote")
}

/// Returns the error for a set that is too large to be read again.
fn too_large(name: &SetName, what: &str) -> Error {
    Error::refused(format!(
        "set {name} would {what}, and could not be read again"
    ))
    .hint("nothing was written; put keys into another set")
}
