//! Reading the files that jwks keeps for itself: sets, schedules, the log, the remotes.

use super::{open_regular, others, parent};
use crate::error::{Error, Result};
use std::fs::{File, OpenOptions};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

/// A file that was read.
#[derive(Debug)]
pub struct Kept {
    /// All of its octets.
    pub octets: Vec<u8>,
    /// Whether others than the owner can read or write it.
    pub is_open: bool,
}

/// Reads a file; `None` if it does not exist. It is an error if it is not a regular file, has more
/// than `limit` octets, or is reached by a symbolic link out of its directory. Never waits for the
/// other end of a FIFO.
pub fn read(path: &Path, limit: u64) -> Result<Option<Kept>> {
    let Some(file) = open(path)? else {
        return Ok(None);
    };
    let failed = |error| super::failed("read", path, error);
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

/// Opens a file as [`read`] does.
pub fn open(path: &Path) -> Result<Option<File>> {
    // A Secret that Kubernetes mounts has links within its directory, and no others.
    let real = match path.is_symlink() {
        true => match within(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            real => real.map_err(|error| super::failed("read", path, error))?,
        },
        false => Some(path.to_owned()),
    };
    let Some(real) = real else {
        let message = format!("{} is a symbolic link out of its directory", path.display());
        return Err(Error::failed(message).hint("replace the link with the file itself"));
    };
    match open_regular(OpenOptions::new().read(true), &real) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        file => file
            .map(Some)
            .map_err(|error| super::failed("read", path, error)),
    }
}

/// The path without links; `None` if that is in another directory.
fn within(path: &Path) -> io::Result<Option<PathBuf>> {
    let real = path.canonicalize()?;
    let directory = parent(path).canonicalize()?;
    Ok(real.starts_with(directory).then_some(real))
}
