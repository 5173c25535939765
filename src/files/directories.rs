//! Creates private directories.

use crate::error::Result;
use crate::files::{failed, parent, platform, sync_directory};
use std::path::{Path, PathBuf};

/// Creates a directory and its missing parents, each with mode 0700, and flushes the parent of each.
/// Returns the created directories, the uppermost first. Returns an error if one of them cannot be
/// created.
pub fn create(path: &Path) -> Result<Vec<PathBuf>> {
    let missing = missing(path);
    let created = create_each(&missing)?;
    for directory in missing {
        let above = parent(directory);
        sync_directory(&above).map_err(|error| failed("flush", &above, error))?;
    }
    Ok(created)
}

/// Creates a directory as [`create`] does, but flushes nothing.
pub fn create_unflushed(path: &Path) -> Result<()> {
    create_each(&missing(path)).map(drop)
}

fn missing(path: &Path) -> Vec<&Path> {
    let missing = path.ancestors().take_while(|path| !path.is_dir());
    let mut missing: Vec<_> = missing
        .filter(|path| !path.as_os_str().is_empty())
        .collect();
    missing.reverse();
    missing
}

fn create_each(missing: &[&Path]) -> Result<Vec<PathBuf>> {
    let mut created = Vec::new();
    for directory in missing {
        match platform::create_directory(directory) {
            Ok(()) => created.push(directory.to_path_buf()),
            // Another process was faster.
            Err(_) if directory.is_dir() => {}
            Err(error) => return Err(failed("create", directory, error)),
        }
    }
    Ok(created)
}
