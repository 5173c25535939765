//! Questions to the person at the terminal; without one nothing is ever asked.

use crate::error::{Error, Result};
use crate::interrupt::while_asking;
use crate::output::{Output, end_question, escape};
use crate::secret::Secret;
use std::io::{self, BufRead as _, IsTerminal as _};

/// Asks the user questions, if that is possible.
#[derive(Debug)]
pub struct Prompt {
    /// Every confirmation is given beforehand.
    yes: bool,
    /// Nothing is asked, terminal or not.
    no_input: bool,
}

impl Prompt {
    /// `yes` answers confirmations, `no_input` forbids questions.
    pub fn new(yes: bool, no_input: bool) -> Self {
        Prompt { yes, no_input }
    }

    /// True if there is a terminal, and somebody who may be asked.
    pub fn can_ask(&self) -> bool {
        !self.no_input && io::stdin().is_terminal() && io::stderr().is_terminal()
    }

    /// Returns true if confirmations are asked for on the terminal, because --yes was not passed.
    pub fn asks(&self) -> bool {
        !self.yes && self.can_ask()
    }

    /// Gets a confirmation of what would happen, or fails and says how to give one.
    pub fn confirm(&self, out: &Output, what: &str) -> Result<()> {
        self.confirm_all(out, what, &[])
    }

    /// The same, for a change with details, such as the keys that would be lost: each detail gets a line
    /// of its own in the question.
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

    /// Gets a secret that exists already, typed once and not shown; `None` where nobody can be
    /// asked.
    pub fn secret(&self, what: &str) -> Result<Option<Secret<String>>> {
        if !self.can_ask() {
            return Ok(None);
        }
        type_secret(what, format!("{}: ", escape(what))).map(Some)
    }

    /// Gets a secret, typed twice and not shown.
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
