//! The lock of a directory. A writer holds it while it reads, changes and writes files, but not during a
//! prompt. The kernel releases it when the process ends.

use crate::error::{Error, Result};
use std::fs::{File, TryLockError};
use std::path::Path;
use std::time::{Duration, Instant};

/// The name of the lock file. It is never renamed, and stays after the lock is released.
pub const FILE: &str = ".lock";

/// The lock, held until it is dropped.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

impl Lock {
    /// Takes the lock of a directory. Waits at most `limit`.
    pub fn take(directory: &Path, limit: Duration) -> Result<Lock> {
        let path = directory.join(FILE);
        let file = crate::files::open_lock(&path)
            .map_err(|error| crate::files::failed("open", &path, error))?;
        let start = Instant::now();
        let mut pause = Duration::from_millis(1);
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(Lock { _file: file }),
                Err(TryLockError::WouldBlock) if start.elapsed() < limit => {
                    std::thread::sleep(pause);
                    pause = (pause * 2).min(Duration::from_millis(16));
                }
                Err(TryLockError::WouldBlock) => {
                    let seconds = limit.as_secs();
                    let lock = path.display();
                    let message = format!("another jwks has held {lock} for {seconds} s");
                    return Err(Error::refused(message).hint(
                        "run the command again later, or pass --lock-wait SECONDS to wait longer",
                    ));
                }
                Err(TryLockError::Error(error)) => {
                    return Err(crate::files::cannot_lock(&path, error));
                }
            }
        }
    }
}
