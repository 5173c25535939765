//! The passphrases of encrypted sets: where they come from, and those that were typed in this run.

use crate::credential::{self, STANDARD_INPUT};
use crate::environment::{self, PASSPHRASE, PASSPHRASE_FILE};
use crate::error::{Error, Result};
use crate::output::Output;
use crate::prompt::Prompt;
use crate::secret::Secret;
use std::cell::{OnceCell, RefCell};
use std::path::Path;
use std::rc::Rc;

/// A passphrase, shared by reference count so that the secret is not copied.
pub type Passphrase = Rc<Secret<String>>;

/// The sources of a passphrase. Each is read at most once in a run.
#[derive(Debug, Default)]
pub struct Passphrases {
    file: Option<String>,
    command: Option<String>,
    /// The variables that `command` must not inherit.
    secrets: Vec<String>,
    given: OnceCell<Option<Passphrase>>,
    typed: RefCell<Vec<Passphrase>>,
}

impl Passphrases {
    /// Returns the sources of the passphrase. It is the first line of `file` or of the output of
    /// `command`. Without both, it comes from the environment or the terminal. The command does not
    /// inherit the environment variables in `secrets`.
    pub fn new(file: Option<String>, command: Option<String>, secrets: Vec<String>) -> Self {
        Passphrases {
            file,
            command,
            secrets,
            ..Passphrases::default()
        }
    }

    /// Returns true if standard input is the passphrase.
    pub fn takes_standard_input(&self) -> bool {
        self.file.as_deref() == Some(STANDARD_INPUT)
    }

    /// Returns the option or variable that gives a passphrase, without reading it; `None` if there is
    /// none. A given passphrase demands encrypted sets.
    pub fn source(&self) -> Option<&'static str> {
        match () {
            () if self.file.is_some() => Some("--passphrase-file"),
            () if self.command.is_some() => Some("--passphrase-command"),
            () if environment::is_set(PASSPHRASE_FILE) => Some(PASSPHRASE_FILE),
            () if environment::is_set(PASSPHRASE) => Some(PASSPHRASE),
            () => None,
        }
    }

    /// Returns the passphrase from the file, the command or the environment; `None` if none of them is
    /// set. Returns an error if it cannot be read.
    pub fn given(&self, out: &Output) -> Result<Option<Passphrase>> {
        if let Some(given) = self.given.get() {
            return Ok(given.clone());
        }
        let found = self.find(out)?.map(Rc::new);
        Ok(self.given.get_or_init(|| found).clone())
    }

    fn find(&self, out: &Output) -> Result<Option<Secret<String>>> {
        if let Some(path) = &self.file {
            return from_file(path, out).map(Some);
        }
        if let Some(command) = &self.command {
            let octets = credential::command(command, &self.secrets)?;
            return credential::first_line(&octets, &format!("the command {command:?}")).map(Some);
        }
        if let Some(path) = environment::secret(PASSPHRASE_FILE)? {
            return from_file(path.expose(), out).map(Some);
        }
        environment::secret(PASSPHRASE)
    }

    /// Returns the passphrases that were typed in this run, the latest first.
    pub fn typed(&self) -> Vec<Passphrase> {
        self.typed.borrow().iter().rev().cloned().collect()
    }

    /// Asks for an existing passphrase on the terminal. `what` names its owner, such as `set api`.
    /// Returns an error without a terminal.
    pub fn ask(&self, prompt: &Prompt, what: &str) -> Result<Passphrase> {
        let typed = prompt.secret(&format!("passphrase of {what}"))?;
        let typed = typed.map(Rc::new).ok_or_else(|| missing(what))?;
        self.typed.borrow_mut().push(typed.clone());
        Ok(typed)
    }

    /// Returns a passphrase for a set that is not encrypted yet: the given one, or one that is typed
    /// twice. Returns an error if it is empty, or if there is none.
    pub fn new_one(&self, prompt: &Prompt, out: &Output, what: &str) -> Result<Passphrase> {
        match self.given(out)? {
            Some(given) => not_empty(given, what),
            None => self.ask_new(prompt, what),
        }
    }

    /// Returns a passphrase that replaces another: from a file, or typed twice. Returns an error if it
    /// is empty, or if there is neither a file nor a terminal.
    pub fn another(
        &self,
        file: Option<&str>,
        prompt: &Prompt,
        out: &Output,
        what: &str,
    ) -> Result<Passphrase> {
        match file {
            Some(path) => not_empty(Rc::new(from_file(path, out)?), what),
            None if prompt.can_ask() => self.ask_new(prompt, what),
            None => Err(
                Error::denied(format!("the new passphrase of {what} is needed"))
                    .hint("give it with --new-passphrase-file FILE, or on a terminal"),
            ),
        }
    }

    fn ask_new(&self, prompt: &Prompt, what: &str) -> Result<Passphrase> {
        if !prompt.can_ask() {
            return Err(missing(what));
        }
        let typed = prompt.new_secret(&format!("passphrase of {what}"))?;
        let typed = Rc::new(typed);
        self.typed.borrow_mut().push(typed.clone());
        Ok(typed)
    }
}

fn not_empty(passphrase: Passphrase, what: &str) -> Result<Passphrase> {
    if passphrase.expose().is_empty() {
        Err(Error::denied(format!("the passphrase of {what} is empty")))
    } else {
        Ok(passphrase)
    }
}

fn from_file(path: &str, out: &Output) -> Result<Secret<String>> {
    if path == STANDARD_INPUT {
        out.reading_standard_input();
    }
    let content = credential::file(Path::new(path))?;
    if content.is_open {
        out.warn(format!(
            "{path} holds a passphrase and other users have access to it: run `chmod 600 {path}`"
        ));
    }
    credential::first_line(&content.octets, path)
}

fn missing(what: &str) -> Error {
    Error::denied(format!("the passphrase of {what} is needed")).hint(format!(
        "give it with --passphrase-file FILE, --passphrase-command COMMAND, {PASSPHRASE_FILE} or {PASSPHRASE}, or on a terminal"
    ))
}
