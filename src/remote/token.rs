//! Where tokens come from: the environment, a file, a command. Never an argument, never an entry.

use super::entry::Entry;
use super::http::{Event, Notify};
use super::kind::Kind;
use crate::error::{Error, Result};
use crate::files;
use crate::secret::Secret;
use std::fs::File;
use std::io::Read as _;
use std::path::Path;
use std::process::{Command, Stdio};
use zeroize::Zeroize as _;

/// The longest token, in octets.
const LONGEST: u64 = 64 << 10;

/// A token and where it came from, in words.
#[derive(Debug)]
pub struct Token {
    /// The token itself.
    pub secret: Secret<String>,
    /// Where it came from.
    pub source: String,
}

/// The token of a remote; `None` where nothing says where one is.
pub fn find(entry: &Entry, kind: &Kind, notify: &Notify) -> Result<Option<Token>> {
    if let Some(variable) = &entry.token_env {
        let missing = || {
            Error::denied(format!("no token: {variable} is not set")).hint(format!(
                "remote {} takes its token from that variable",
                entry.name
            ))
        };
        return from_variable(variable)?.ok_or_else(missing).map(Some);
    }
    let source = entry.token_source().unwrap_or_default();
    if let Some(file) = &entry.token_file {
        return usable(from_file(file, notify)?, source).map(Some);
    }
    if let Some(command) = &entry.token_command {
        return usable(from_command(command)?, source).map(Some);
    }
    for variable in kind.token_variables {
        if let Some(token) = from_variable(variable)? {
            return Ok(Some(token));
        }
    }
    Ok(None)
}

/// A token that somebody typed.
pub fn typed(secret: Secret<String>) -> Result<Token> {
    usable(secret, "the prompt".into())
}

/// There is no token where one is needed.
pub fn missing(entry: &Entry, kind: &Kind) -> Error {
    let variables = match kind.token_variables {
        [] => String::new(),
        variables => format!("set {}, or ", variables.join(" or ")),
    };
    Error::denied(format!(
        "no token for remote {}: {} needs one",
        entry.name, kind.name
    ))
    .hint(format!(
        "{variables}add the remote with --token-env VAR, --token-file FILE or --token-command CMD; a terminal is asked for it"
    ))
}

fn from_variable(name: &str) -> Result<Option<Token>> {
    match std::env::var(name) {
        Ok(value) if !value.is_empty() => {
            usable(Secret::new(value), format!("the variable {name}")).map(Some)
        }
        _ => Ok(None),
    }
}

fn from_file(path: &Path, notify: &Notify) -> Result<Secret<String>> {
    let shown = path.display();
    let unreadable = |error: std::io::Error| {
        Error::denied(format!("no token: cannot read {shown}"))
            .cause(error)
            .hint("the remote takes its token from that file")
    };
    let file = File::open(path).map_err(unreadable)?;
    let metadata = file.metadata().map_err(unreadable)?;
    if metadata.is_file() && files::others(&metadata) != 0 {
        let warning = format!("others have access to {shown}, which holds a token: chmod 600 it");
        notify(Event::Warning(&warning));
    }
    let mut octets = Secret::new(Vec::new());
    let read = file.take(LONGEST + 1).read_to_end(octets.expose_mut());
    read.map_err(unreadable)?;
    text(octets, &format!("the file {shown}"))
}

fn from_command(command: &str) -> Result<Secret<String>> {
    let failed = |why: String| {
        Error::denied(format!("no token: the command {command:?} {why}"))
            .hint("the remote takes its token from what that command prints")
    };
    let (shell, flag) = match cfg!(windows) {
        true => ("cmd", "/C"),
        false => ("sh", "-c"),
    };
    let mut shell = Command::new(shell);
    shell.args([flag, command]).stderr(Stdio::inherit());
    let output = shell
        .output()
        .map_err(|error| failed(format!("cannot be run: {error}")))?;
    let octets = Secret::new(output.stdout);
    if !output.status.success() {
        return Err(failed(format!("failed ({})", output.status)));
    }
    text(octets, &format!("the command {command:?}"))
}

fn text(octets: Secret<Vec<u8>>, source: &str) -> Result<Secret<String>> {
    match std::str::from_utf8(octets.expose()) {
        Ok(text) if octets.expose().len() as u64 <= LONGEST => {
            Ok(Secret::new(text.trim().to_owned()))
        }
        _ => Err(Error::denied(format!("what {source} holds is no token"))),
    }
}

fn usable(mut secret: Secret<String>, source: String) -> Result<Token> {
    if secret.expose().is_empty() {
        return Err(Error::denied(format!("no token: {source} holds none")));
    }
    if !secret.expose().chars().all(|c| matches!(c, ' '..='~')) {
        secret.expose_mut().zeroize();
        return Err(Error::denied(format!(
            "the token of {source} has characters that no header can carry"
        )));
    }
    Ok(Token { secret, source })
}
