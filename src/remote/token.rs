//! Reads tokens from the environment, a file or a command, never from an argument or an entry.

use crate::credential;
use crate::environment;
use crate::error::{Error, Result};
use crate::remote::entry::Entry;
use crate::remote::http::{Event, Notify};
use crate::remote::kind::ServerKind;
use crate::secret::Secret;
use std::path::Path;
use zeroize::Zeroize as _;

/// A token and its source.
#[derive(Debug)]
pub struct Token {
    /// The token.
    pub secret: Secret<String>,
    /// The source, for messages.
    pub source: String,
}

/// Returns the token of a remote, or `None` if it has no source. Returns an error if the source has no
/// usable token. A command that prints the token does not inherit the environment variables in
/// `secrets`.
pub fn find(
    entry: &Entry,
    kind: &ServerKind,
    secrets: &[String],
    notify: &Notify,
) -> Result<Option<Token>> {
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
        return usable(from_command(command, secrets)?, source).map(Some);
    }
    for variable in kind.token_variables {
        if let Some(token) = from_variable(variable)? {
            return Ok(Some(token));
        }
    }
    Ok(None)
}

/// Returns a token that the user typed. Returns an error if it is empty or not printable ASCII.
pub fn typed(secret: Secret<String>) -> Result<Token> {
    usable(secret, "the prompt".into())
}

/// Returns the error for a missing token.
pub fn missing(entry: &Entry, kind: &ServerKind) -> Error {
    let variables = match kind.token_variables {
        [] => String::new(),
        variables => format!("set {}, or ", variables.join(" or ")),
    };
    Error::denied(format!(
        "no token for remote {}: {} needs one",
        entry.name, kind.name
    ))
    .hint(format!(
        "{variables}add the remote with --token-env VAR, --token-file FILE or --token-command CMD; on a terminal, jwks asks for it"
    ))
}

fn from_variable(name: &str) -> Result<Option<Token>> {
    let value = environment::secret(name)?;
    value
        .map(|value| usable(value, format!("the variable {name}")))
        .transpose()
}

fn from_file(path: &Path, notify: &Notify) -> Result<Secret<String>> {
    let shown = path.display();
    let unreadable = |error: Error| {
        Error::denied(format!("no token: {error}"))
            .hint("the remote takes its token from that file")
    };
    let content = credential::file(path).map_err(unreadable)?;
    if content.is_open {
        let warning = format!(
            "{shown} holds a token and other users have access to it: run `chmod 600 {shown}`"
        );
        notify(Event::Warning(&warning));
    }
    text(content.octets, &format!("the file {shown}"))
}

fn from_command(command: &str, secrets: &[String]) -> Result<Secret<String>> {
    let octets = credential::command(command, secrets).map_err(|error| {
        Error::denied(format!("no token: {error}"))
            .hint("the remote takes its token from what that command prints")
    })?;
    text(octets, &format!("the command {command:?}"))
}

fn text(octets: Secret<Vec<u8>>, source: &str) -> Result<Secret<String>> {
    match std::str::from_utf8(octets.expose()) {
        // The JSON of a credential_process can have several lines.
        Ok(text) if text.trim_start().starts_with('{') => {
            Ok(Secret::new(text.trim().replace(['\r', '\n', '\t'], " ")))
        }
        Ok(text) => Ok(Secret::new(text.trim().to_owned())),
        _ => Err(Error::denied(format!("{source} does not hold a token"))),
    }
}

fn usable(mut secret: Secret<String>, source: String) -> Result<Token> {
    if secret.expose().is_empty() {
        return Err(Error::denied(format!("no token: {source} is empty")));
    }
    if !secret.expose().chars().all(|c| matches!(c, ' '..='~')) {
        secret.expose_mut().zeroize();
        return Err(Error::denied(format!(
            "the token in {source} has characters that are not allowed in a header"
        )));
    }
    Ok(Token { secret, source })
}
