//! The lock of a directory. A writer holds it while it reads, changes and writes files, but not during a
//! prompt. The kernel releases it when the process ends.

use crate::error::{Error, Result};
use std::fs::{File, TryLockError};
use std::path::Path;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// The name of the lock file. It is never renamed, and stays after the lock is released.
pub const FILE: &str = ".lock";

/// The time after which the user is told that jwks waits.
const PATIENCE: Duration = Duration::from_millis(300);

type Notify = Box<dyn Fn(Option<u32>) + Send + Sync>;

/// The function that tells the user that jwks waits for a lock.
static NOTIFY: OnceLock<Notify> = OnceLock::new();

/// Calls `notify` when this process waits for a lock, with the process id of the holder if it is known.
pub fn when_waiting(notify: impl Fn(Option<u32>) + Send + Sync + 'static) {
    // Only the first function of a process counts. A second one would come from a test.
    let _ = NOTIFY.set(Box::new(notify));
}

/// The lock, held until it is dropped.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

impl Lock {
    /// Takes the lock of a directory. Returns an error if another process still has it after `limit`,
    /// or if the file system has no locks.
    pub fn take(directory: &Path, limit: Duration) -> Result<Lock> {
        let path = directory.join(FILE);
        let file = crate::files::open_lock(&path)
            .map_err(|error| crate::files::failed("open", &path, error))?;
        let start = Instant::now();
        let mut pause = Duration::from_millis(1);
        let mut is_told = false;
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(Lock { _file: file }),
                Err(TryLockError::WouldBlock) if start.elapsed() < limit => {
                    std::thread::sleep(pause);
                    pause = (pause * 2).min(Duration::from_millis(16));
                    if !is_told && start.elapsed() > PATIENCE {
                        is_told = true;
                        if let Some(notify) = NOTIFY.get() {
                            notify(holder(&file));
                        }
                    }
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

/// Returns the id of the process that holds the lock of a file, from /proc/locks; `None` if it is not
/// listed.
#[cfg(target_os = "linux")]
fn holder(file: &File) -> Option<u32> {
    use std::os::unix::fs::MetadataExt as _;
    let inode = format!(":{}", file.metadata().ok()?.ino());
    let locks = std::fs::read_to_string("/proc/locks").ok()?;
    // A line is `1: FLOCK  ADVISORY  WRITE 4711 08:01:1234 0 EOF`. Lines with `->` are processes that
    // wait.
    let mut lines = locks
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>());
    let line = lines.find(|words| {
        words.get(1) == Some(&"FLOCK") && words.get(5).is_some_and(|place| place.ends_with(&inode))
    })?;
    line[4].parse().ok()
}

/// Other systems do not list the holders of locks.
#[cfg(not(target_os = "linux"))]
fn holder(_: &File) -> Option<u32> {
    None
}
