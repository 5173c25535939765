//! Reads the files that jwks keeps: sets, schedules, the log and the remotes.

use crate::error::{Error, Result};
use crate::files::{open_regular, others, parent};
use std::fs::{File, OpenOptions};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

/// The content of a file that jwks keeps, and whether others can access it.
#[derive(Debug)]
pub struct Kept {
    /// The content, in bytes.
    pub octets: Vec<u8>,
    /// True if users other than the owner can read or write the file.
    pub is_open: bool,
}

/// Which symbolic links are followed to a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Links {
    /// Links within its directory, such as those of a Kubernetes Secret that is mounted.
    Within,
    /// All links, because people link to settings that they keep elsewhere.
    All,
}

/// Reads a file; `None` if it does not exist. Returns an error if it is not a regular file, has more
/// than `limit` bytes, or is behind a symbolic link that `links` does not allow. Never waits for the
/// other end of a FIFO.
pub fn read(path: &Path, links: Links, limit: u64) -> Result<Option<Kept>> {
    let Some(file) = open(path, links)? else {
        return Ok(None);
    };
    let failed = |error| crate::files::failed("read", path, error);
    let metadata = file.metadata().map_err(failed)?;
    let mut octets = Vec::with_capacity(metadata.len().min(limit) as usize + 1);
    file.take(limit + 1)
        .read_to_end(&mut octets)
        .map_err(failed)?;
    if octets.len() as u64 > limit {
        let message = format!("it is larger than {} MiB", limit >> 20);
        return Err(failed(io::Error::other(message)));
    }
    Ok(Some(Kept {
        octets,
        is_open: others(&metadata) != 0,
    }))
}

/// Opens a file for reading; `None` if it does not exist. Fails as [`read`] does, except for the size.
pub fn open(path: &Path, links: Links) -> Result<Option<File>> {
    let real = if path.is_symlink() {
        match target(path, links) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            real => real.map_err(|error| crate::files::failed("read", path, error))?,
        }
    } else {
        Some(path.to_owned())
    };
    let Some(real) = real else {
        let message = format!("{} is a symbolic link out of its directory", path.display());
        return Err(Error::failed(message).hint("replace the link with the file itself"));
    };
    match open_regular(OpenOptions::new().read(true), &real) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        file => file
            .map(Some)
            .map_err(|error| crate::files::failed("read", path, error)),
    }
}

/// Resolves the links of a path; `None` if `links` does not allow one of them.
fn target(path: &Path, links: Links) -> io::Result<Option<PathBuf>> {
    let real = path.canonicalize()?;
    let is_allowed = match links {
        Links::Within => real.starts_with(parent(path).canonicalize()?),
        Links::All => true,
    };
    Ok(is_allowed.then_some(real))
}
