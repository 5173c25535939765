//! Documents that are named on the command line: files, standard input and addresses.

use crate::credential::standard_input;
use crate::error::{Error, Result};
use crate::files::is_fifo;
use crate::keyset::FOREIGN_LIMIT;
use crate::output::Output;
use crate::remote::http::Options;
use crate::remote::{fetch, is_address};

use crate::secret::Secret;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;

pub use crate::credential::STANDARD_INPUT;

/// The bytes of a document, which may hold private keys, and its name in messages.
pub struct Document {
    /// The bytes, at most one more than the limit of foreign documents.
    pub octets: Secret<Vec<u8>>,
    /// The name in messages.
    pub name: String,
}

/// Reads standard input to its end. Says so on a terminal, where the program would seem to hang.
pub fn read_standard_input(out: &Output) -> Result<Document> {
    let input = standard_input()?;
    out.reading_standard_input();
    Ok(Document {
        octets: read_limited(input, "standard input")?,
        name: "standard input".into(),
    })
}

/// Reads a file, standard input for `-`, or an address with the options for calls. Returns an error
/// for a directory, and for a FIFO, which may never get a writer.
pub fn read(path: &str, out: &Output, options: impl FnOnce() -> Options) -> Result<Document> {
    if is_address(path) {
        return Ok(Document {
            octets: fetch(path, options())?,
            name: path.to_owned(),
        });
    }
    read_file(path, out)
}

/// Reads a file, or standard input for `-`. Returns an error for a directory and a FIFO, as [`read`] does.
pub fn read_file(path: &str, out: &Output) -> Result<Document> {
    if path == STANDARD_INPUT {
        return read_standard_input(out);
    }
    let failed = |error: io::Error| match error.kind() {
        io::ErrorKind::NotFound => Error::not_found(format!("no file {path}")),
        _ => Error::failed(format!("cannot read {path}")).cause(error),
    };
    let metadata = fs::metadata(path).map_err(failed)?;
    if metadata.is_dir() {
        return Err(Error::invalid(format!("{path} is a directory")).hint("name the files in it"));
    }
    // A shell's <(command) is a pipe under /dev/fd; another FIFO may never get a writer.
    let from_shell = Path::new(path).starts_with("/dev") || Path::new(path).starts_with("/proc");
    if is_fifo(&metadata) && !from_shell {
        return Err(Error::invalid(format!("{path} is a FIFO"))
            .hint(format!("read it from standard input: - < {path}")));
    }
    Ok(Document {
        octets: read_limited(File::open(path).map_err(failed)?, path)?,
        name: path.to_owned(),
    })
}

/// Reads a file of at most `limit` bytes, or standard input for `-`, as [`read_file`] does.
pub fn read_at_most(limit: usize, path: &str, out: &Output) -> Result<Vec<u8>> {
    let document = read_file(path, out)?;
    let octets = document.octets.expose();
    if octets.len() > limit {
        let mebibytes = limit >> 20;
        let message = format!("{} is larger than {mebibytes} MiB", document.name);
        return Err(Error::invalid(message));
    }
    Ok(octets.clone())
}

/// Reads at most one byte more than the limit, so that the caller sees that a document is too large.
fn read_limited(source: impl Read, name: &str) -> Result<Secret<Vec<u8>>> {
    let mut octets = Vec::new();
    let read = source
        .take(FOREIGN_LIMIT as u64 + 1)
        .read_to_end(&mut octets);
    read.map_err(|error| Error::failed(format!("cannot read {name}")).cause(error))?;
    Ok(Secret::new(octets))
}

/// Returns true if standard input is a pipe or a file, and not a terminal or a device.
pub fn is_piped() -> bool {
    match stdin_metadata() {
        Some(metadata) => metadata.is_file() || is_fifo(&metadata),
        None => false,
    }
}

#[cfg(unix)]
fn stdin_metadata() -> Option<fs::Metadata> {
    use std::os::fd::AsFd as _;
    let handle = io::stdin().as_fd().try_clone_to_owned().ok()?;
    File::from(handle).metadata().ok()
}

#[cfg(not(unix))]
fn stdin_metadata() -> Option<fs::Metadata> {
    None
}
