//! The password of an imported or exported file. The passphrases of sets belong to the context.

use crate::context::Context;
use crate::credential::{self, STANDARD_INPUT};
use crate::error::{Error, Result};
use crate::secret::Secret;
use clap::{Args, ValueHint};
use std::cell::OnceCell;

/// The option for the password of a file.
#[derive(Clone, Debug, Args)]
pub struct PasswordArgs {
    /// Read the password of a key file from FILE
    ///
    /// The password of the imported or exported file is the first line of FILE. - is standard input.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    password_file: Option<String>,
}

impl PasswordArgs {
    /// Returns true if a password file is given.
    pub fn is_given(&self) -> bool {
        self.password_file.is_some()
    }

    /// Returns the same option with another file, if one is given.
    pub fn or_instead(&self, file: Option<&String>) -> PasswordArgs {
        PasswordArgs {
            password_file: file.or(self.password_file.as_ref()).cloned(),
        }
    }

    /// Returns an error if standard input would be both a document and its password.
    pub fn refuse_twice<'d>(&self, documents: impl IntoIterator<Item = &'d str>) -> Result<()> {
        let given = self.password_file.as_deref() == Some(STANDARD_INPUT);
        if given && documents.into_iter().any(|name| name == STANDARD_INPUT) {
            return Err(
                Error::usage("standard input cannot hold both the input and its password")
                    .hint("give the password in a file: --password-file FILE"),
            );
        }
        Ok(())
    }

    /// Returns a source of passwords for documents that are read.
    pub fn existing<'a>(&'a self, ctx: &'a Context) -> ExistingPassword<'a> {
        ExistingPassword {
            ctx,
            args: self,
            given: OnceCell::new(),
        }
    }

    /// Returns the password for a file that is written: from the password file, or typed twice. Returns
    /// an error if it is empty or missing. `what` names the file.
    pub fn new_one(&self, ctx: &Context, what: &str) -> Result<Secret<String>> {
        match self.given(ctx)? {
            Some(password) if password.expose().is_empty() => {
                Err(Error::denied(format!("the password of {what} is empty")))
            }
            Some(password) => Ok(password),
            None if ctx.prompt.can_ask() => ctx.prompt.new_secret(&format!("password of {what}")),
            None => Err(missing(what)),
        }
    }

    fn given(&self, ctx: &Context) -> Result<Option<Secret<String>>> {
        let Some(path) = &self.password_file else {
            return Ok(None);
        };
        if path == STANDARD_INPUT {
            ctx.out.reading_standard_input();
        }
        let content = credential::file(path.as_ref())?;
        if content.is_open {
            ctx.out.warn(format!(
                "{path} holds a password and other users have access to it: run `chmod 600 {path}`"
            ));
        }
        let password = credential::first_line(&content.octets, path)?;
        // PowerShell 5 writes a byte order mark, which nobody types.
        let without = password
            .expose()
            .strip_prefix('\u{feff}')
            .map(str::to_owned);
        Ok(Some(without.map_or(password, Secret::new)))
    }
}

/// The passwords of the documents that one command reads. A password file is read once, for all
/// documents. On a terminal, the user is asked for each one.
pub struct ExistingPassword<'a> {
    ctx: &'a Context,
    args: &'a PasswordArgs,
    given: OnceCell<Secret<String>>,
}

impl ExistingPassword<'_> {
    /// Returns the password of a document. `what` names the document in questions. Returns an error if
    /// there is no password file and no terminal.
    pub fn of(&self, what: &str) -> Result<Secret<String>> {
        if let Some(given) = self.given.get() {
            return Ok(Secret::new(given.expose().clone()));
        }
        if let Some(password) = self.args.given(self.ctx)? {
            let given = self.given.get_or_init(|| password);
            return Ok(Secret::new(given.expose().clone()));
        }
        let asked = self.ctx.prompt.secret(&format!("password of {what}"))?;
        asked.ok_or_else(|| {
            // The caller adds the document's name.
            Error::denied("it is protected by a password").hint(WAYS)
        })
    }
}

/// The ways to give a password, for hints.
const WAYS: &str = "give it with --password-file FILE, or on a terminal";

fn missing(what: &str) -> Error {
    Error::denied(format!("the password of {what} is needed")).hint(WAYS)
}
