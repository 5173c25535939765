//! The source files of the program.

use std::fs;
use std::path::{Path, PathBuf};

/// Returns the path of each source file, such as `src/lib.rs`, and its code without the tests at its end.
pub fn sources() -> Vec<(String, String)> {
    let top = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    collect(&top.join("src"), &mut files);
    files.sort();
    let read = |path: PathBuf| {
        let text = fs::read_to_string(&path).expect("a source file");
        let code = text.split("#[cfg(test)]\nmod tests").next();
        let name = path.strip_prefix(top).expect("below the top");
        let name = name.to_str().expect("UTF-8").to_owned();
        (name, code.unwrap_or_default().to_owned())
    };
    files.into_iter().map(read).collect()
}

fn collect(directory: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).expect("a directory") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}
