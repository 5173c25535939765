//! Writes files atomically, with private permissions from the beginning.

pub mod directories;
pub mod kept;
pub mod lock;
pub mod ownership;

use crate::error::{Error, Reason, Result};
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use tempfile::NamedTempFile;

/// Who can read a new file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Only the owner: 0600.
    Private,
    /// Everyone that the umask admits: at most 0644.
    Shared,
}

/// What happens to an existing file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Existing {
    /// It is replaced.
    Replace,
    /// It stays, and the write fails with [`io::ErrorKind::AlreadyExists`].
    Keep,
}

#[cfg(unix)]
mod unix {
    use std::fs::{DirBuilder, File, Metadata, OpenOptions, Permissions};
    use std::io;
    use std::os::unix::fs::{
        DirBuilderExt, FileTypeExt, MetadataExt, OpenOptionsExt, PermissionsExt,
    };
    use std::path::Path;

    use rustix::fs::OFlags;

    /// Makes an open call follow no symbolic link, not wait for the other end of a FIFO, and create
    /// files with mode 0600.
    pub fn careful(options: &mut OpenOptions) -> &mut OpenOptions {
        let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
        options.mode(0o600).custom_flags(flags.bits() as i32)
    }

    /// Makes an open call not wait for the other end of a FIFO.
    pub fn without_waiting(options: &mut OpenOptions) -> &mut OpenOptions {
        options.custom_flags(OFlags::NONBLOCK.bits() as i32)
    }

    /// Creates a directory with mode 0700.
    pub fn create_directory(path: &Path) -> io::Result<()> {
        DirBuilder::new().mode(0o700).create(path)
    }

    /// Returns the permission bits of the group and of others.
    pub fn others(metadata: &Metadata) -> u32 {
        metadata.mode() & 0o077
    }

    /// Removes the access of the group and of others to a file.
    pub fn make_private(path: &Path) -> io::Result<()> {
        match std::fs::symlink_metadata(path)? {
            metadata if others(&metadata) == 0 => Ok(()),
            _ => std::fs::set_permissions(path, Permissions::from_mode(0o600)),
        }
    }

    /// Returns true for a named or unnamed pipe.
    pub fn is_fifo(metadata: &Metadata) -> bool {
        metadata.file_type().is_fifo()
    }

    /// Returns the time of the last change to a file or its names: seconds since 1970, and nanoseconds.
    pub fn changed(metadata: &Metadata) -> (i64, i64) {
        (metadata.ctime(), metadata.ctime_nsec())
    }

    /// Returns true if two paths are names of one file. Links are not followed.
    pub fn is_same(one: &Path, other: &Path) -> bool {
        let identity = |path| {
            let metadata: Metadata = std::fs::symlink_metadata(path).ok()?;
            Some((metadata.dev(), metadata.ino()))
        };
        identity(one).is_some() && identity(one) == identity(other)
    }

    /// Returns true if an open file is the file at a path.
    pub fn is_at(file: &File, path: &Path) -> io::Result<bool> {
        let identity = |metadata: Metadata| (metadata.dev(), metadata.ino());
        match std::fs::symlink_metadata(path) {
            Ok(there) => Ok(identity(file.metadata()?) == identity(there)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }
}

#[cfg(not(unix))]
mod other {
    use std::fs::{File, Metadata, OpenOptions};
    use std::io;
    use std::path::Path;

    /// On other systems, a new file inherits the access list of its directory.
    pub fn careful(options: &mut OpenOptions) -> &mut OpenOptions {
        options
    }

    pub fn without_waiting(options: &mut OpenOptions) -> &mut OpenOptions {
        options
    }

    pub fn create_directory(path: &Path) -> io::Result<()> {
        std::fs::create_dir(path)
    }

    pub fn others(_: &Metadata) -> u32 {
        0
    }

    pub fn make_private(_: &Path) -> io::Result<()> {
        Ok(())
    }

    pub fn is_fifo(_: &Metadata) -> bool {
        false
    }

    /// On other systems, the second name of a file changes no time. The keystore copies its files
    /// there.
    pub fn changed(metadata: &Metadata) -> (i64, i64) {
        let since = metadata.modified().ok();
        let since = since.and_then(|time| time.duration_since(std::time::UNIX_EPOCH).ok());
        since.map_or((0, 0), |since| {
            (since.as_secs() as i64, since.subsec_nanos().into())
        })
    }

    /// On other systems, the keystore gives no file a second name.
    pub fn is_same(_: &Path, _: &Path) -> bool {
        false
    }

    /// On other systems, an open file cannot be removed.
    pub fn is_at(_: &File, _: &Path) -> io::Result<bool> {
        Ok(true)
    }
}

#[cfg(not(unix))]
use other as platform;
#[cfg(unix)]
use unix as platform;

use platform::is_at;
pub use platform::{changed, is_fifo, is_same, make_private, others};

/// Returns the error for a failed operation on a file. Denied access has a message of its own.
pub fn failed(operation: &str, path: &Path, error: io::Error) -> Error {
    let shown = path.display();
    match error.kind() {
        io::ErrorKind::PermissionDenied => {
            Error::failed(format!("no permission to {operation} {shown}"))
                .because(Reason::Permission)
                .hint(ownership::way_in(path))
        }
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            Error::failed(format!("cannot {operation} {shown}"))
                .because(Reason::Full)
                .cause(error)
        }
        _ => Error::failed(format!("cannot {operation} {shown}")).cause(error),
    }
}

/// Returns the error for a lock that fails although no other process holds it.
fn cannot_lock(path: &Path, error: io::Error) -> Error {
    failed("lock", path, error)
        .hint("use a directory on a file system that has locks, such as a local disk")
}

/// Opens a file for reading, without waiting for a FIFO's other end.
pub fn open_to_read(path: &Path) -> io::Result<File> {
    platform::without_waiting(OpenOptions::new().read(true)).open(path)
}

/// Opens a lock file. Creates it with private permissions if it does not exist.
pub fn open_lock(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    let options = options.read(true).write(true).create(true).truncate(false);
    open_regular(options, path)
}

/// Opens a file for reading and appending. Creates it with private permissions if it does not exist.
/// Returns an error for links and everything else that is not a regular file.
pub fn open_to_append(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    let options = options.read(true).append(true).create(true);
    open_regular(options, path)
}

fn open_regular(options: &mut OpenOptions, path: &Path) -> io::Result<File> {
    let file = platform::careful(options).open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("it is not a regular file"));
    }
    Ok(file)
}

/// Writes a file atomically: writes and flushes a temporary file in the same directory, renames it, and
/// flushes the directory. Returns an error if the target is a link, a device or a directory. Removes a
/// temporary file that a killed process left. The inner result is an error if the file is written but
/// its directory cannot be flushed.
pub fn write(
    path: &Path,
    content: &[u8],
    access: Access,
    existing: Existing,
    temporary: &str,
) -> Result<Result<()>> {
    write_after(path, content, access, existing, temporary, || Ok(()))
}

/// Writes a file as [`write()`] does. `before` runs when the new content is on the disk and not yet in
/// place; if it fails, the old file stays.
pub fn write_after(
    path: &Path,
    content: &[u8],
    access: Access,
    existing: Existing,
    temporary: &str,
    before: impl FnOnce() -> Result<()>,
) -> Result<Result<()>> {
    check_target(path)?;
    let directory = parent(path);
    let mut file = begin(path, &directory.join(temporary), access)?;
    let written = file
        .write_all(content)
        .and_then(|()| file.as_file().sync_all());
    written.map_err(|error| failed("write", path, error))?;
    before()?;
    let renamed = match existing {
        Existing::Replace => file.persist(path),
        Existing::Keep => file.persist_noclobber(path),
    };
    match renamed {
        Ok(_) => {}
        Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => {
            return Err(Error::refused(format!("{} already exists", path.display())));
        }
        Err(error) => return Err(failed("write", path, error.error)),
    }
    Ok(flush_directory_of(path, "wrote"))
}

/// Flushes the directory of a file after a change; `done` names the change, such as `wrote`.
pub fn flush_directory_of(path: &Path, done: &str) -> Result<()> {
    sync_directory(&parent(path)).map_err(|error| {
        let path = path.display();
        Error::failed(format!("{done} {path}, but cannot flush its directory"))
            .cause(error)
            .hint("the change can be lost if the machine crashes now; check the disk")
    })
}

/// Creates and locks the temporary file for a target. If the file exists and is locked, another process
/// is writing it. If it exists without a lock, a killed process has left it.
fn begin(target: &Path, path: &Path, access: Access) -> Result<NamedTempFile> {
    let beside = |error| failed("create a temporary file for", target, error);
    let busy = || {
        Error::refused(format!("another jwks is writing {}", target.display()))
            .hint("run the command again when the other one has ended")
    };
    match sweep(path) {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Err(busy()),
        Err(TryLockError::Error(error)) if error.kind() == io::ErrorKind::NotFound => {}
        Err(TryLockError::Error(error)) => return Err(beside(error)),
    }
    let mut builder = tempfile::Builder::new();
    set_mode(&mut builder, access);
    let name = path.file_name().unwrap_or_default();
    let created = builder.prefix(name).rand_bytes(0).tempfile_in(parent(path));
    let mut file = created.map_err(beside)?;
    // If the file system has no locks, remove the file that was just created.
    let is_locked = match file.as_file().try_lock() {
        // If the check fails, the file is still ours, and is removed when it is dropped.
        Ok(()) => is_at(file.as_file(), path).map_err(beside)?,
        Err(TryLockError::WouldBlock) => false,
        Err(TryLockError::Error(error)) => return Err(cannot_lock(path, error)),
    };
    if !is_locked {
        // Another process removed the file between the two calls, so the file there now is not ours.
        file.disable_cleanup(true);
        return Err(busy());
    }
    Ok(file)
}

/// Removes a temporary file that a killed process left or that somebody planted. A locked file stays.
fn sweep(path: &Path) -> Result<(), TryLockError> {
    let is_file = fs::symlink_metadata(path).map(|metadata| metadata.is_file());
    if is_file.map_err(TryLockError::Error)? {
        let file = File::open(path).map_err(TryLockError::Error)?;
        file.try_lock()?;
    }
    fs::remove_file(path).map_err(TryLockError::Error)
}

#[cfg(unix)]
fn set_mode(builder: &mut tempfile::Builder, access: Access) {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = match access {
        Access::Private => 0o600,
        Access::Shared => 0o644,
    };
    builder.permissions(fs::Permissions::from_mode(mode));
}

#[cfg(not(unix))]
fn set_mode(_: &mut tempfile::Builder, _: Access) {}

/// Refuses a path that is not a regular file, such as a link, a device, a pipe or a directory.
pub fn check_target(path: &Path) -> Result<()> {
    match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.is_file() => Ok(()),
        Ok(metadata) if metadata.is_symlink() => Err(Error::failed(format!(
            "{} is a symbolic link",
            path.display()
        ))
        .hint("jwks does not write through links; remove the link")),
        Ok(_) => Err(
            Error::failed(format!("{} is not a regular file", path.display()))
                .hint("choose the path of a new or regular file"),
        ),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(failed("access", path, error)),
    }
}

/// Returns the directory of a file, which is the current directory if the path has none.
pub fn parent(path: &Path) -> PathBuf {
    match path.parent() {
        Some(directory) if !directory.as_os_str().is_empty() => directory.to_owned(),
        _ => PathBuf::from("."),
    }
}

/// Makes a rename or removal in a directory durable.
#[cfg(unix)]
pub fn sync_directory(directory: &Path) -> io::Result<()> {
    File::open(directory)?.sync_all()
}

/// On other systems, a directory cannot be flushed.
#[cfg(not(unix))]
pub fn sync_directory(_: &Path) -> io::Result<()> {
    Ok(())
}
