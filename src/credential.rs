//! Reads secrets from a file, standard input or a command. Secrets are never arguments, because other
//! users can see those.

use crate::environment::PASSPHRASE;
use crate::error::{Error, Result};
use crate::files;
use crate::secret::Secret;
use crate::shell;
use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// The maximum length of a secret, in bytes.
const LONGEST: u64 = 64 << 10;

/// How long a program that prints credentials can take.
const PROGRAM_LIMIT: Duration = Duration::from_secs(60);

/// The name of standard input on the command line.
pub const STANDARD_INPUT: &str = "-";

/// The content of a file that holds a secret.
pub struct Content {
    /// The bytes, unchanged.
    pub octets: Secret<Vec<u8>>,
    /// True if it is a regular file that others than the owner can read or write.
    pub is_open: bool,
}

/// Returns standard input, which one reader can have. Returns an error for the second reader.
pub fn standard_input() -> Result<io::StdinLock<'static>> {
    static TAKEN: AtomicBool = AtomicBool::new(false);
    if TAKEN.swap(true, Ordering::Relaxed) {
        Err(only_once())
    } else {
        Ok(io::stdin().lock())
    }
}

/// Returns the error for a command line that reads standard input twice.
pub fn only_once() -> Error {
    Error::usage("standard input can be read only once")
        .hint("read only one of the passphrase, the password and the keys from standard input")
}

/// Reads a file, or standard input for `-`. Returns an error if it has more than 64 KiB.
pub fn file(path: &Path) -> Result<Content> {
    if path.as_os_str() == STANDARD_INPUT {
        return Ok(Content {
            octets: read(standard_input()?, "standard input")?,
            is_open: false,
        });
    }
    let name = path.display().to_string();
    let failed = |error: io::Error| match error.kind() {
        io::ErrorKind::NotFound => Error::not_found(format!("no file {name}")),
        _ => Error::failed(format!("cannot read {name}")).cause(error),
    };
    let file = File::open(path).map_err(failed)?;
    let metadata = file.metadata().map_err(failed)?;
    Ok(Content {
        is_open: metadata.is_file() && files::others(&metadata) != 0,
        octets: read(file, &name)?,
    })
}

/// Reads a token from the first line of a file, and returns also true if others can access the file. `purpose` says
/// in errors what the token is for.
pub fn token_of(file: &Path, purpose: &str) -> Result<(Secret<String>, bool)> {
    let content = self::file(file)
        .map_err(|error| Error::denied(format!("no token for {purpose}: {error}")))?;
    let source = format!("the file {}", file.display());
    let line = first_line(&content.octets, &source)?;
    Ok((token(line.expose(), purpose, &source)?, content.is_open))
}

/// Returns a token that can stand in a header, without spaces around it, or an error. `source` names its origin.
pub fn token(text: &str, purpose: &str, source: &str) -> Result<Secret<String>> {
    match text.trim() {
        "" => Err(Error::denied(format!(
            "no token for {purpose}: {source} is empty"
        ))),
        token if token.chars().all(|c| matches!(c, '!'..='~')) => Ok(Secret::new(token.to_owned())),
        _ => Err(Error::denied(format!(
            "the token in {source} has characters that are not allowed in a header"
        ))),
    }
}

/// Runs a shell command and returns its standard output. Its standard error is shown to the user.
/// Returns an error if the command fails or prints more than 64 KiB.
///
/// The command inherits the environment without the passphrase and without the variables in
/// `secrets`, so that one secret never reaches the program that fetches another.
pub fn command(command: &str, secrets: &[String]) -> Result<Secret<Vec<u8>>> {
    let failed = |why: String| Error::failed(format!("the command {command:?} {why}"));
    let mut shell = shell::command(command);
    shell.env_remove(PASSPHRASE);
    for variable in secrets {
        shell.env_remove(variable);
    }
    // Standard input can hold the keys, so the command must not read it.
    let spawned = shell.stdin(Stdio::null()).stdout(Stdio::piped()).spawn();
    let mut child = spawned.map_err(|error| failed(format!("cannot be run: {error}")))?;
    let mut octets = Secret::new(Vec::new());
    let read = match child.stdout.take() {
        Some(stdout) => stdout.take(LONGEST + 1).read_to_end(octets.expose_mut()),
        None => Ok(0),
    };
    // Standard output is closed now, so a command that prints more than the limit ends.
    let ended = child.wait();
    if octets.expose().len() as u64 > LONGEST {
        return Err(failed("prints more than 64 KiB".into()));
    }
    match read.and(ended) {
        Ok(status) if status.success() => Ok(octets),
        Ok(status) => Err(failed(format!("failed ({status})"))),
        Err(error) => Err(failed(format!("cannot be read: {error}"))),
    }
}

/// Runs a program and returns its standard output. Its standard error is shown to the user. Returns an error if the
/// program fails, takes more than a minute, or prints more than 64 KiB. `shown` names the program in errors.
///
/// The program inherits the environment without the passphrase.
pub fn program(mut program: Command, shown: &str) -> Result<Secret<Vec<u8>>> {
    let failed = |why: String| Error::failed(format!("{shown} {why}"));
    program.env_remove(PASSPHRASE);
    let printed = shell::output(program, LONGEST as usize, PROGRAM_LIMIT);
    let printed = printed.map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => Error::not_found(format!("{shown} is not installed")),
        _ => failed(format!("cannot be run: {error}")),
    })?;
    let octets = Secret::new(printed.octets);
    if octets.expose().len() as u64 > LONGEST {
        return Err(failed("prints more than 64 KiB".into()));
    }
    match printed.status {
        Some(status) if status.success() => Ok(octets),
        Some(status) => Err(failed(format!("failed ({status})"))),
        None => Err(failed(format!(
            "did not end within {} s",
            PROGRAM_LIMIT.as_secs()
        ))),
    }
}

/// The largest file of certificates, in bytes.
const LONGEST_PEM: u64 = 1 << 20;

/// Certificates or a private key as PEM.
#[derive(Clone, Debug)]
pub enum Pem {
    /// The file with this path.
    File(PathBuf),
    /// A text, and its origin for messages.
    Text(Rc<Secret<Vec<u8>>>, String),
}

impl Pem {
    /// Returns the text. Returns an error if the file cannot be read.
    pub fn read(&self) -> Result<Secret<Vec<u8>>> {
        let file = match self {
            Pem::Text(text, _) => return Ok(Secret::new(text.expose().clone())),
            Pem::File(file) => file,
        };
        let failed = |error: io::Error| match error.kind() {
            io::ErrorKind::NotFound => Error::not_found(format!("no file {self}")),
            _ => Error::failed(format!("cannot read {self}")).cause(error),
        };
        let mut octets = Secret::new(Vec::new());
        let file = File::open(file).map_err(failed)?;
        let read = file.take(LONGEST_PEM + 1).read_to_end(octets.expose_mut());
        if read.map_err(failed)? as u64 > LONGEST_PEM {
            return Err(Error::invalid(format!("{self} is larger than 1 MiB")));
        }
        Ok(octets)
    }
}

impl fmt::Display for Pem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Pem::File(file) => file.display().fmt(f),
            Pem::Text(_, source) => f.write_str(source),
        }
    }
}

/// Returns the first line without its line ending. Spaces count. Returns an error if it is not UTF-8.
/// `source` names the origin in errors.
pub fn first_line(octets: &Secret<Vec<u8>>, source: &str) -> Result<Secret<String>> {
    match lines(octets, source).next() {
        Some(first) => first,
        None => Ok(Secret::new(String::new())),
    }
}

/// Returns the lines without their line endings, at least one. Spaces count. A line that is not UTF-8 is an
/// error. `source` names the origin in errors.
pub fn lines<'a>(
    octets: &'a Secret<Vec<u8>>,
    source: &'a str,
) -> impl Iterator<Item = Result<Secret<String>>> + 'a {
    let lines = (1..).zip(octets.expose().split(|octet| *octet == b'\n'));
    lines.map(move |(number, line)| {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let text = std::str::from_utf8(line).map_err(|_| {
            let message = format!("the secret from {source} is not UTF-8 text");
            Error::invalid(message).hint(format!("encode line {number} as UTF-8"))
        })?;
        Ok(Secret::new(text.to_owned()))
    })
}

fn read(source: impl Read, name: &str) -> Result<Secret<Vec<u8>>> {
    let mut octets = Secret::new(Vec::new());
    let read = source.take(LONGEST + 1).read_to_end(octets.expose_mut());
    read.map_err(|error| Error::failed(format!("cannot read {name}")).cause(error))?;
    if octets.expose().len() as u64 <= LONGEST {
        Ok(octets)
    } else {
        Err(Error::invalid(format!("{name} is larger than 64 KiB")))
    }
}
