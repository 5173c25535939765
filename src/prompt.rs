//! Asks the user on the terminal. Without a terminal, nothing is asked.

use crate::error::{Error, Result};
use crate::interrupt::while_asking;
use crate::output::{Output, end_question, escape};
use crate::secret::Secret;
use std::io::{self, BufRead as _, IsTerminal as _};

/// Asks the user questions, if that is possible.
#[derive(Debug)]
pub struct Prompt {
    /// True if every confirmation is answered with yes (`--yes`).
    yes: bool,
    /// True if nothing is asked, even on a terminal (`--no-input`).
    no_input: bool,
}

impl Prompt {
    /// Returns a prompt. `yes` answers every confirmation, and `no_input` forbids questions.
    pub fn new(yes: bool, no_input: bool) -> Self {
        Prompt { yes, no_input }
    }

    /// Returns true if questions can be asked: standard input and standard error are a terminal, and
    /// `--no-input` is not given.
    pub fn can_ask(&self) -> bool {
        !self.no_input && io::stdin().is_terminal() && io::stderr().is_terminal()
    }

    /// Returns true if confirmations are asked for on the terminal, because --yes was not passed.
    pub fn asks(&self) -> bool {
        !self.yes && self.can_ask()
    }

    /// Asks the user to confirm a change. Returns an error if the answer is not yes, or if nobody can
    /// be asked.
    pub fn confirm(&self, out: &Output, what: &str) -> Result<()> {
        self.confirm_all(out, what, &[])
    }

    /// Asks the user to confirm a change with details, such as the keys that would be lost. Several
    /// details get a line each. Fails like [`confirm`](Self::confirm).
    pub fn confirm_all(&self, out: &Output, what: &str, details: &[String]) -> Result<()> {
        if self.yes {
            return Ok(());
        }
        if !self.can_ask() {
            let what = match details {
                [] => what.to_owned(),
                details => format!("{what}: {}", details.join(", ")),
            };
            return Err(Error::refused(format!("not confirmed: {what}"))
                .hint("pass --yes to confirm without a terminal"));
        }
        out.ask(what, details, "Continue? [y/N]");
        let mut answer = String::new();
        // After Ctrl-C, the shell's prompt is on a new line.
        let read = while_asking(|| io::stdin().lock().read_line(&mut answer));
        let read = read.map_err(|error| Error::failed("cannot read the answer").cause(error))?;
        if read == 0 {
            end_question();
            return Err(Error::refused("no answer; nothing was changed")
                .hint("type y to confirm, or pass --yes"));
        }
        match answer.trim().to_ascii_lowercase().as_str() {
            "y" | "yes" => Ok(()),
            _ => Err(Error::refused("not confirmed; nothing was changed")),
        }
    }

    /// Asks for an existing secret, which is typed once and not shown. Returns `None` if nobody can be
    /// asked.
    pub fn secret(&self, what: &str) -> Result<Option<Secret<String>>> {
        if !self.can_ask() {
            return Ok(None);
        }
        type_secret(what, format!("{}: ", escape(what))).map(Some)
    }

    /// Asks for a new secret, which is typed twice and not shown. Returns an error if it is empty, if
    /// the two entries differ, or if nobody can be asked.
    pub fn new_secret(&self, what: &str) -> Result<Secret<String>> {
        if !self.can_ask() {
            return Err(Error::denied(format!("no {what} was given"))
                .hint("without a terminal, pass it in a file or on standard input"));
        }
        let ask = |prompt| type_secret(what, prompt);
        let first = ask(format!("New {}: ", escape(what)))?;
        if first.expose().is_empty() {
            return Err(Error::denied(format!("the {what} is empty")));
        }
        let second = ask(format!("The {} again: ", escape(what)))?;
        if first.expose() != second.expose() {
            return Err(
                Error::denied(format!("you typed two different values for the {what}"))
                    .hint("run the command again"),
            );
        }
        Ok(first)
    }
}

/// Reads a secret that is not shown.
fn type_secret(what: &str, prompt: String) -> Result<Secret<String>> {
    let typed = while_asking(|| rpassword::prompt_password(prompt)).map(Secret::new);
    typed.map_err(|error| match error.kind() {
        // The person typed Ctrl-D.
        io::ErrorKind::UnexpectedEof => {
            end_question();
            Error::denied(format!("no {what} was given")).hint("type it, and press Enter")
        }
        _ => Error::failed(format!("cannot read the {what}")).cause(error),
    })
}
