//! The targets of a rotation: the files of `--export` and the servers of `--push`, and their names in the
//! record of deliveries.

use crate::error::{Error, Result};
use std::fmt;
use std::path::PathBuf;

/// The layout of a file without one.
const DEFAULT: &str = "jwks";

/// How the names of files begin in the record of deliveries.
const FILE: &str = "export ";

/// How the names of servers begin in the record of deliveries.
const SERVER: &str = "push ";

/// A file of `--export`: `PATH`, `PATH=LAYOUT` or `PATH=LAYOUT:LINE`.
#[derive(Clone, Debug)]
pub struct FileTarget {
    /// The absolute path, which does not depend on the directory of the next run.
    pub path: PathBuf,
    /// The name of the layout and the line, as they were given.
    layout: Option<String>,
}

impl FileTarget {
    /// Parses a value of `--export`. Returns an error if it has no path, or an invalid one.
    pub fn parse(text: &str) -> Result<FileTarget> {
        let (path, layout) = match text.rsplit_once('=') {
            Some((path, layout)) => (path, Some(layout.to_owned())),
            None => (text, None),
        };
        if path.is_empty() || path == "-" {
            return Err(Error::usage("--export has no path").hint("write --export PATH=LAYOUT"));
        }
        let path = std::path::absolute(path)
            .map_err(|error| Error::usage(format!("--export {path}: invalid path")).cause(error))?;
        Ok(FileTarget { path, layout })
    }

    /// Returns the name of the layout and of the line.
    pub fn layout(&self) -> (&str, Option<&str>) {
        let layout = self.layout.as_deref().unwrap_or(DEFAULT);
        match layout.split_once(':') {
            Some((layout, line)) => (layout, Some(line)),
            None => (layout, None),
        }
    }

    /// Returns the name of the file in the record of deliveries.
    pub fn id(&self) -> String {
        format!("{FILE}{}", self.path.display())
    }
}

impl fmt::Display for FileTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.path.display())?;
        match &self.layout {
            Some(layout) => write!(f, "={layout}"),
            // Without a layout, the text after the last = would be one.
            None if self.path.to_string_lossy().contains('=') => write!(f, "={DEFAULT}"),
            None => Ok(()),
        }
    }
}

/// Returns the name of a server in the record of deliveries. `target` is `REMOTE:NAME`.
pub fn server_id(target: &str) -> String {
    format!("{SERVER}{target}")
}

/// Returns true if a name in the record is that of a value of `--push`, `REMOTE` or `REMOTE:NAME`. The name of
/// the set on the server can be missing from the value.
pub fn is_server(id: &str, value: &str) -> bool {
    let Some(target) = id.strip_prefix(SERVER) else {
        return false;
    };
    let rest = target.strip_prefix(value);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(':'))
}
