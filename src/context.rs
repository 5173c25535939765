//! What every command is given.

use crate::error::{Error, Kind, Result};
use crate::files;
use crate::jwe::WEAK_ITERATIONS;
use crate::key::check::Budget;
use crate::keyset::KeySet;
use crate::keystore::{Document, Encrypted, IfMissing, Keystore, Protection, SetName, Stored};
use crate::output::Output;
use crate::passphrase::{Passphrase, Passphrases};
use crate::prompt::Prompt;
use crate::remote::entry::Entry;
use crate::remote::registry::Registry;
use std::cell::Cell;

/// The keystore, the remotes, the way out, the way to ask, and the time.
#[derive(Debug)]
pub struct Context {
    /// The local keystore.
    pub store: Keystore,
    /// The named servers.
    pub remotes: Registry,
    /// Standard output and error.
    pub out: Output,
    /// The person at the terminal.
    pub prompt: Prompt,
    /// The passphrases of encrypted sets.
    pub passphrases: Passphrases,
    /// Whether there was a word about a weak passphrase; one is enough.
    pub weak: Cell<bool>,
    /// What the checks of private keys and certificates may still cost in this run.
    pub checks: Budget,
    /// The moment at which the command began, in seconds since 1970.
    pub now: i64,
}

impl Context {
    /// Reads a set with all that is in it, and warns where others have access to its file. An encrypted
    /// one takes its passphrase.
    pub fn load(&self, name: &SetName) -> Result<Document> {
        self.whole(name, self.store.load(name)?)
    }

    /// The same for a set that need not be there.
    pub fn read(&self, name: &SetName) -> Result<Option<Document>> {
        let stored = self.store.read(name)?;
        stored.map(|stored| self.whole(name, stored)).transpose()
    }

    /// Reads what can be known of a set without its passphrase: the public part of an encrypted one.
    /// Where the file does not tell that, it is opened.
    pub fn look(&self, name: &SetName) -> Result<Document> {
        let stored = self.store.load(name)?;
        if let Stored::Encrypted(encrypted) = &stored
            && let Some(known) = encrypted.public_part()
        {
            self.warn_if_open(&known);
            return Ok(known);
        }
        self.whole(name, stored)
    }

    fn whole(&self, name: &SetName, stored: Stored) -> Result<Document> {
        let document = match stored {
            Stored::Plain(document) => document,
            Stored::Encrypted(encrypted) => self.open(name, &encrypted)?.0,
        };
        self.warn_if_open(&document);
        Ok(document)
    }

    /// Opens an encrypted set with the passphrase that was given, one that was typed before, or one
    /// that is asked for now.
    pub fn open(&self, name: &SetName, encrypted: &Encrypted) -> Result<(Document, Passphrase)> {
        let try_with = |passphrase: Passphrase| {
            let document = self.store.open(encrypted, &passphrase)?;
            Ok((document, passphrase))
        };
        let opened = match self.passphrases.given(&self.out)? {
            Some(given) => try_with(given),
            None => {
                let is_wrong = |error: &Error| error.kind() == Kind::Denied;
                let mut tried = self.passphrases.typed().into_iter().map(try_with);
                match tried.find(|tried| !tried.as_ref().is_err_and(is_wrong)) {
                    Some(told) => told,
                    None => try_with(self.passphrases.ask(&self.prompt, &format!("set {name}"))?),
                }
            }
        };
        let opened = opened?;
        if encrypted.iterations() < WEAK_ITERATIONS && !self.weak.replace(true) {
            self.out.warn(format!(
                "the passphrase of set {name} is hashed {} times only, and quickly guessed: jwks passwd {name}",
                encrypted.iterations()
            ));
        }
        Ok(opened)
    }

    /// What opens an encrypted set and encrypts it again; `None` where the set is plain or not there.
    pub fn protection(&self, name: &SetName) -> Result<Option<Protection>> {
        match self.store.read(name)? {
            Some(Stored::Encrypted(encrypted)) => {
                let (_, passphrase) = self.open(name, &encrypted)?;
                Ok(Some(Protection {
                    passphrase,
                    iterations: encrypted.iterations(),
                }))
            }
            _ => Ok(None),
        }
    }

    /// Changes a set in one piece ([`Keystore::change`]). The passphrase of an encrypted one is asked
    /// for before the lock is taken.
    pub fn change<T>(
        &self,
        name: &SetName,
        if_missing: IfMissing,
        change: impl FnOnce(&mut KeySet) -> Result<T>,
    ) -> Result<T> {
        let protection = self.protection(name)?;
        self.store
            .change(name, if_missing, protection.as_ref(), change)
    }

    /// The remote with a name; warns where others have access to the file of remotes.
    pub fn remote(&self, name: &str) -> Result<Entry> {
        self.warn_open_remotes();
        self.remotes.find(name)
    }

    /// Warns where others have access to the file of remotes.
    pub fn warn_open_remotes(&self) {
        let path = self.remotes.open_file();
        self.warn_open(
            &path
                .iter()
                .map(|path| path.display().to_string())
                .collect::<Vec<_>>(),
        );
    }

    /// Warns of a keystore that others can put files into.
    pub fn warn_open_directory(&self) {
        let directory = self.store.directory();
        if files::others_can_write(directory) {
            let directory = directory.display();
            let advice = format!("others can write into {directory}: chmod go-w {directory}");
            self.out.warn(advice);
        }
    }

    fn warn_if_open(&self, document: &Document) {
        self.warn_open_directory();
        if document.is_open {
            self.warn_open(&[document.path().display().to_string()]);
        }
    }

    /// Warns of files that others have access to, once for all of them.
    pub fn warn_open(&self, paths: &[String]) {
        match paths {
            [] => {}
            [path] => {
                let advice = format!("others have access to {path}: chmod 600 {path}");
                self.out.warn(advice);
            }
            [path, ..] => {
                let more = paths.len() - 1;
                let advice =
                    format!("others have access to {path} and {more} more: chmod 600 them");
                self.out.warn(advice);
            }
        }
    }
}
