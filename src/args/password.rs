//! The password of an imported or exported file. The passphrases of sets belong to the context.

use crate::context::Context;
use crate::credential::{self, STANDARD_INPUT};
use crate::error::{Error, Result};
use crate::key::read::document_password::Ask;
use crate::secret::Secret;
use clap::{Args, ValueHint};
use std::cell::OnceCell;

/// The largest number of passwords in a password file.
const PASSWORDS: usize = 10;

/// The option for the password of a file.
#[derive(Clone, Debug, Args)]
pub struct PasswordArgs {
    /// Read the password of a key file from FILE
    ///
    /// The password of the imported or exported file is the first line of FILE. - is standard input. If an
    /// imported file, or a key in it, has another password, the next nine lines that are not empty are tried,
    /// too.
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
        match &self.given(ctx)?[..] {
            [password, ..] if password.expose().is_empty() => {
                Err(Error::denied(format!("the password of {what} is empty")))
            }
            [password, ..] => Ok(Secret::new(password.expose().clone())),
            [] if ctx.prompt.can_ask() => ctx.prompt.new_secret(&format!("password of {what}")),
            [] => Err(missing(what)),
        }
    }

    /// Returns the passwords in the password file; empty if there is none.
    fn given(&self, ctx: &Context) -> Result<Vec<Secret<String>>> {
        let Some(path) = &self.password_file else {
            return Ok(Vec::new());
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
        let mut lines = credential::lines(&content.octets, path);
        let first = lines.next().transpose()?;
        let first = first.unwrap_or_else(|| Secret::new(String::new()));
        // PowerShell 5 writes a byte order mark, which nobody types.
        let without = first.expose().strip_prefix('\u{feff}').map(str::to_owned);
        let mut passwords = vec![without.map_or(first, Secret::new)];
        for line in lines {
            let line = line?;
            if !line.expose().is_empty() && passwords.len() < PASSWORDS {
                passwords.push(line);
            }
        }
        Ok(passwords)
    }
}

/// The passwords of the documents that one command reads. A password file is read once, for all
/// documents. On a terminal, the user is asked for each one.
pub struct ExistingPassword<'a> {
    ctx: &'a Context,
    args: &'a PasswordArgs,
    given: OnceCell<Vec<Secret<String>>>,
}

impl<'a> ExistingPassword<'a> {
    /// Returns the passwords of a document. `what` names the document in questions.
    pub fn of(&'a self, what: &'a str) -> PasswordOf<'a> {
        PasswordOf {
            passwords: self,
            what,
        }
    }
}

/// The passwords of one document.
pub struct PasswordOf<'a> {
    passwords: &'a ExistingPassword<'a>,
    what: &'a str,
}

impl Ask for PasswordOf<'_> {
    fn given(&self) -> Result<Vec<Secret<String>>> {
        let ExistingPassword { ctx, args, given } = self.passwords;
        let given = match given.get() {
            Some(given) => given,
            None => {
                let read = args.given(ctx)?;
                given.get_or_init(|| read)
            }
        };
        let copy = |password: &Secret<String>| Secret::new(password.expose().clone());
        Ok(given.iter().map(copy).collect())
    }

    fn ask(&self, entry: Option<&str>) -> Result<Secret<String>> {
        let what = self.what;
        let question = match entry {
            Some(entry) => format!("password of {entry} {what}"),
            None => format!("password of {what}"),
        };
        let asked = self.passwords.ctx.prompt.secret(&question)?;
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
