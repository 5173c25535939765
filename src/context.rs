//! The context of a command: what it works on, and how it reaches the user.

use crate::error::{Error, ErrorKind, Reason, Result};
use crate::files::ownership::{self, Fault};
use crate::jwe::WEAK_ITERATIONS;
use crate::key::check::Budget;
use crate::keyset::KeySet;
use crate::keystore::{Encrypted, IfMissing, Keystore, Protection, SetDocument, SetName, Stored};
use crate::output::Output;
use crate::passphrase::{Passphrase, Passphrases};
use crate::prompt::Prompt;
use crate::remote::entry::Entry;
use crate::remote::registry::Registry;
use std::cell::{Cell, RefCell};

/// The keystore, the remotes, the output, the prompts, the passphrases and the current time of one run.
#[derive(Debug)]
pub struct Context {
    /// The local keystore.
    pub store: Keystore,
    /// The named servers.
    pub remotes: Registry,
    /// Standard output and error.
    pub out: Output,
    /// Questions to the user.
    pub prompt: Prompt,
    /// The passphrases of encrypted sets.
    pub passphrases: Passphrases,
    /// True if this run has already warned about a weak passphrase.
    pub warned_of_weak_passphrase: Cell<bool>,
    /// True if this run has already checked who can write to the keystore's directory.
    pub checked_directory: Cell<bool>,
    /// The option or variable that demands encrypted sets; `None` if neither is set.
    pub require_encrypted: Option<&'static str>,
    /// The changes of this run, for the hint of an error after them.
    pub changes: RefCell<Vec<String>>,
    /// The work that checks of private keys and certificates can still do in this run.
    pub checks: Budget,
    /// The current time, in seconds since 1970: that of the start, or that of --now.
    pub now: i64,
}

impl Context {
    /// Reads a whole set. Decrypts an encrypted set, and warns if other users can access its file.
    /// Returns an error if the set does not exist.
    pub fn load(&self, name: &SetName) -> Result<SetDocument> {
        self.whole(name, self.store.load(name)?)
    }

    /// Reads a whole set as [`load`](Self::load) does; `None` if it does not exist.
    pub fn read(&self, name: &SetName) -> Result<Option<SetDocument>> {
        let stored = self.store.read(name)?;
        stored.map(|stored| self.whole(name, stored)).transpose()
    }

    /// Reads a set without its passphrase if possible: a plain set, or the public part of an encrypted
    /// set. Decrypts an encrypted set without a public part.
    pub fn load_public(&self, name: &SetName) -> Result<SetDocument> {
        let stored = self.store.load(name)?;
        if let Stored::Encrypted(encrypted) = &stored
            && let Some(known) = encrypted.public_part()
        {
            self.warn_if_open(&known);
            return Ok(known);
        }
        self.whole(name, stored)
    }

    fn whole(&self, name: &SetName, stored: Stored) -> Result<SetDocument> {
        let document = match stored {
            Stored::Plain(document) => {
                self.accept_plain(&[name.as_str()])?;
                document
            }
            Stored::Encrypted(encrypted) => self.open(name, &encrypted)?.0,
        };
        self.warn_if_open(&document);
        Ok(document)
    }

    /// Decrypts a set with the given passphrase, or else one that was typed earlier in this run, or
    /// else one that is typed now. Warns once if it has few iterations. Returns an error if the
    /// passphrase is wrong or missing.
    pub fn open(&self, name: &SetName, encrypted: &Encrypted) -> Result<(SetDocument, Passphrase)> {
        let try_with = |passphrase: Passphrase| {
            let document = self.store.open(encrypted, &passphrase)?;
            Ok((document, passphrase))
        };
        let opened = match self.passphrases.given(&self.out)? {
            Some(given) => try_with(given),
            None => {
                let is_wrong = |error: &Error| error.kind() == ErrorKind::Denied;
                let mut tried = self.passphrases.typed().into_iter().map(try_with);
                match tried.find(|tried| !tried.as_ref().is_err_and(is_wrong)) {
                    Some(told) => told,
                    None => try_with(self.passphrases.ask(&self.prompt, &format!("set {name}"))?),
                }
            }
        };
        let opened = opened?;
        if encrypted.iterations() < WEAK_ITERATIONS && !self.warned_of_weak_passphrase.replace(true)
        {
            self.out.warn(format!(
                "set {name} has only {} PBKDF2 iterations, so its passphrase can be guessed quickly: run `jwks passwd {name}`",
                encrypted.iterations()
            ));
        }
        Ok(opened)
    }

    /// Returns the passphrase and iteration count of an encrypted set; `None` if the set is plain or
    /// does not exist. Refuses a plain set if encryption is demanded.
    pub fn protection(&self, name: &SetName) -> Result<Option<Protection>> {
        let encrypted = match self.store.read(name)? {
            Some(Stored::Encrypted(encrypted)) => encrypted,
            Some(Stored::Plain(_)) => return self.refuse_plain(name).map(|()| None),
            None => return Ok(None),
        };
        let (_, passphrase) = self.open(name, &encrypted)?;
        Ok(Some(Protection {
            passphrase,
            iterations: encrypted.iterations(),
        }))
    }

    /// Returns the same as [`protection`](Self::protection), for a set that may be new. Refuses a new
    /// plain set, too, if encryption is demanded.
    pub fn protection_or_new(&self, name: &SetName) -> Result<Option<Protection>> {
        if let Some(demand) = self.demand()
            && !self.store.contains(name)?
        {
            let message = format!("set {name} would not be encrypted, but {demand}");
            let hint = "pass --encrypt to `jwks create` or `jwks set` to encrypt a new set";
            return Err(Error::refused(message)
                .names(format!("set {name}"))
                .hint(self.or_without(hint)));
        }
        self.protection(name)
    }

    /// Returns true if sets must be encrypted in this run, because of --require-encrypted or because a
    /// passphrase was given.
    pub fn demands_encryption(&self) -> bool {
        self.demand().is_some()
    }

    /// Refuses a set that is not encrypted if encryption is demanded. A set that does not exist is
    /// accepted.
    pub fn demand_encryption(&self, name: &SetName) -> Result<()> {
        if !self.demands_encryption() {
            return Ok(());
        }
        match self.store.read(name)? {
            Some(Stored::Plain(_)) => self.refuse_plain(name),
            _ => Ok(()),
        }
    }

    /// Warns about plain sets that are read if a passphrase was given. Refuses them with
    /// --require-encrypted.
    pub fn accept_plain(&self, names: &[&str]) -> Result<()> {
        let (Some(demand), [_, ..]) = (self.demand(), names) else {
            return Ok(());
        };
        let message = match names {
            [name] => format!("set {name} is not encrypted, but {demand}"),
            names => format!("sets {} are not encrypted, but {demand}", names.join(", ")),
        };
        match self.require_encrypted {
            Some(_) => {
                let hint = format!("run `jwks passwd {}` to encrypt", names.join(" "));
                let hint = hint + if names.len() == 1 { " it" } else { " them" };
                let error = Error::refused(message).hint(hint);
                Err(match names {
                    [name] => error.names(format!("set {name}")),
                    _ => error,
                })
            }
            None => {
                self.out.warn(message);
                Ok(())
            }
        }
    }

    /// Refuses a plain form of a set if encryption is demanded.
    pub fn refuse_plain(&self, name: &SetName) -> Result<()> {
        let Some(demand) = self.demand() else {
            return Ok(());
        };
        let hint = format!("run `jwks passwd {name}` to encrypt it");
        let message = format!("set {name} is not encrypted, but {demand}");
        Err(Error::refused(message)
            .names(format!("set {name}"))
            .hint(self.or_without(&hint)))
    }

    /// Returns why sets must be encrypted in this run; `None` if plain sets are accepted.
    fn demand(&self) -> Option<String> {
        let given = || self.passphrases.source();
        match self.require_encrypted {
            Some(source) => Some(format!("{source} refuses plain sets")),
            None => given().map(|source| format!("{source} gives a passphrase")),
        }
    }

    /// Adds to a hint that the passphrase can be left out, unless --require-encrypted refuses plain
    /// sets anyway.
    fn or_without(&self, hint: &str) -> String {
        match self.require_encrypted {
            Some(_) => hint.to_owned(),
            None => format!("{hint}, or leave the passphrase out"),
        }
    }

    /// Changes a set, as [`Keystore::change`] does. Asks for the passphrase of an encrypted set before the
    /// lock is taken.
    pub fn change<T>(
        &self,
        name: &SetName,
        if_missing: IfMissing,
        change: impl FnMut(&mut KeySet) -> Result<T>,
    ) -> Result<T> {
        let protection = match if_missing {
            IfMissing::Create => self.protection_or_new(name)?,
            IfMissing::Fail => self.protection(name)?,
        };
        self.store
            .change(name, if_missing, protection.as_ref(), change)
    }

    /// Returns the remote with a name. Warns if other users can access the file of remotes. Returns an
    /// error if there is no such remote.
    pub fn remote(&self, name: &str) -> Result<Entry> {
        self.warn_open_remotes();
        self.remotes.find(name)
    }

    /// Warns if other users can access the file of remotes.
    pub fn warn_open_remotes(&self) {
        let path = self.remotes.open_file();
        self.warn_open(
            &path
                .iter()
                .map(|path| path.display().to_string())
                .collect::<Vec<_>>(),
        );
    }

    /// Warns once about a keystore that belongs to another user, or to which other users can write.
    pub fn warn_open_directory(&self) {
        if self.checked_directory.replace(true) {
            return;
        }
        match self.store.fault() {
            Some(Fault::Open(directory)) => {
                let directory = directory.display();
                let advice =
                    format!("other users can write to {directory}: run `chmod go-w {directory}`");
                self.out.warn(advice);
            }
            Some(Fault::Foreign(directory, owner)) => {
                let (directory, owner) = (directory.display(), ownership::name(owner));
                self.out.warn(format!("{directory} belongs to {owner}"));
            }
            None => {}
        }
    }

    fn warn_if_open(&self, document: &SetDocument) {
        self.warn_open_directory();
        if document.is_open {
            self.warn_open(&[document.place().to_string()]);
        }
    }

    /// Warns about files to which other users have access, with one warning for all of them.
    pub fn warn_open(&self, paths: &[String]) {
        match paths {
            [] => {}
            [path] => {
                let advice = format!("other users have access to {path}: run `chmod 600 {path}`");
                self.out.warn(advice);
            }
            [path, ..] => {
                let more = paths.len() - 1;
                let advice = format!(
                    "other users have access to {path} and {more} more: run `chmod 600` on them"
                );
                self.out.warn(advice);
            }
        }
    }

    /// Remembers a change, for the hint of an error after it.
    pub fn record_change(&self, what: impl Into<String>) {
        self.changes.borrow_mut().push(what.into());
    }

    /// Completes the result of a command. If the result cannot be printed, the error says what has
    /// changed. If a change cannot be flushed to the disk, that becomes an error.
    pub fn finish(&self, result: Result<()>) -> Result<()> {
        const SHOWN: usize = 5;
        let done = self.changes.take();
        for warning in self.store.take_warnings() {
            self.out.warn(warning);
        }
        let result = result.map_err(|error| {
            if !error.is_because(Reason::Output) || done.is_empty() {
                return error;
            }
            let more = done.len().saturating_sub(SHOWN);
            let more = if more == 0 {
                String::new()
            } else {
                format!(", and {more} more")
            };
            let shown = &done[..done.len().min(SHOWN)];
            error.hint(format!("already done: {}{more}", shown.join(", ")))
        });
        match (result, self.store.take_deferred_error()) {
            (Err(error), Some(deferred)) => {
                self.out.error(&deferred);
                Err(error)
            }
            (Ok(()), Some(deferred)) => Err(deferred),
            (result, None) => result,
        }
    }
}
