//! Files that commands write for other programs, outside the keystore.

use crate::context::Context;
use crate::error::{Error, Result};
use crate::files;
use std::path::Path;

/// Returns an error if a file for other programs would be in the keystore's directory.
pub fn refuse_in_keystore(ctx: &Context, path: &Path) -> Result<()> {
    if is_within(path, ctx.store.directory()) {
        Err(
            Error::refused(format!("{} is in the keystore", path.display()))
                .hint("choose a file elsewhere; jwks set puts keys into sets"),
        )
    } else {
        Ok(())
    }
}

/// The suffix of an exported file until it is complete. The next export to the same file removes
/// a leftover one.
pub const UNFINISHED: &str = ".jwks-unfinished";

/// Returns the name of a file until it is complete.
pub fn temporary_name(path: &Path) -> String {
    let file_name = path.file_name().unwrap_or_default().to_string_lossy();
    format!(".{file_name}{UNFINISHED}")
}

/// Returns true if a file would lie in a directory.
fn is_within(path: &Path, directory: &Path) -> bool {
    let parent = files::parent(path).canonicalize();
    matches!((parent, directory.canonicalize()), (Ok(parent), Ok(directory)) if parent.starts_with(&directory))
}
