//! Paths, for bash: its own completion of files cannot be joined with other candidates.

use super::Paths;
use crate::environment::home_directory;
use std::path::PathBuf;

/// The maximum number of directory entries that are read.
const MOST: usize = 10_000;

/// Returns the paths that begin with the word, sorted; directories end in a slash. A tilde stands for the
/// home directory if `has_tilde`. Hidden files are left out unless the word names them.
pub fn find(kind: Paths, word: &str, has_tilde: bool) -> Vec<String> {
    let (directory, name) = word.split_at(word.rfind('/').map_or(0, |at| at + 1));
    let real = match directory.strip_prefix("~/").filter(|_| has_tilde) {
        Some(below) => home_directory().map(|home| home.join(below)),
        None if directory.is_empty() => Some(PathBuf::from(".")),
        None => Some(PathBuf::from(directory)),
    };
    let entries = real.and_then(|real| std::fs::read_dir(real).ok());
    let mut paths = Vec::new();
    for entry in entries.into_iter().flatten().take(MOST).flatten() {
        let Ok(found) = entry.file_name().into_string() else {
            continue;
        };
        let is_hidden = found.starts_with('.') && !name.starts_with('.');
        if is_hidden || !found.starts_with(name) {
            continue;
        }
        // Follow links, because a link can lead to a directory.
        let is_directory = entry.path().is_dir();
        if is_directory || kind == Paths::Files {
            let end = if is_directory { "/" } else { "" };
            paths.push(format!("{directory}{found}{end}"));
        }
    }
    paths.sort();
    paths
}
