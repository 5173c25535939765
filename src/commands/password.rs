//! Passwords of single files: what comes in, what goes out. A set's own passphrase is the context's.

use crate::context::Context;
use crate::credential::{self, STANDARD_INPUT};
use crate::error::{Error, Result};
use crate::secret::Secret;
use clap::{Args, ValueHint};

/// Where the password of a file comes from.
#[derive(Clone, Debug, Args)]
pub struct PasswordArgs {
    /// A file with the password of the FILE that is read or written, on its first line; - is
    /// standard input
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    password_file: Option<String>,
}

impl PasswordArgs {
    /// Whether standard input is the password.
    pub fn takes_standard_input(&self) -> bool {
        self.password_file.as_deref() == Some(STANDARD_INPUT)
    }

    /// Whether a file with a password was named.
    pub fn is_given(&self) -> bool {
        self.password_file.is_some()
    }

    /// The password of a document that is read, which `what` names in questions and errors.
    pub fn existing(&self, ctx: &Context, what: &str) -> Result<Secret<String>> {
        if let Some(password) = self.given()? {
            return Ok(password);
        }
        let asked = ctx.prompt.secret(&format!("password of {what}"))?;
        asked.ok_or_else(|| missing(what))
    }

    /// The password of a document that is written: typed twice on a terminal, never empty.
    pub fn new_one(&self, ctx: &Context, what: &str) -> Result<Secret<String>> {
        match self.given()? {
            Some(password) if password.expose().is_empty() => {
                Err(Error::usage(format!("the password of {what} is empty")))
            }
            Some(password) => Ok(password),
            None if ctx.prompt.can_ask() => ctx.prompt.new_secret(&format!("password of {what}")),
            None => Err(missing(what)),
        }
    }

    fn given(&self) -> Result<Option<Secret<String>>> {
        let Some(path) = &self.password_file else {
            return Ok(None);
        };
        let content = credential::file(path.as_ref())?;
        credential::first_line(&content.octets, path).map(Some)
    }
}

fn missing(what: &str) -> Error {
    Error::denied(format!("the password of {what} is needed"))
        .hint("give it with --password-file FILE, or on a terminal")
}
