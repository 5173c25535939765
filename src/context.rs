//! What every command is given.

use crate::error::Result;
use crate::files;
use crate::keystore::{Document, Keystore, SetName};
use crate::output::Output;
use crate::prompt::Prompt;
use crate::remote::entry::Entry;
use crate::remote::registry::Registry;

/// The keystore, the remotes, the way out, the way to ask, and the time.
#[derive(Debug)]
pub struct Context {
    /// The local keystore.
    pub store: Keystore,
    /// The named servers.
    pub remotes: Registry,
    /// Standard output and error.
    pub out: Output,
    /// The person at the terminal.
    pub prompt: Prompt,
    /// The moment at which the command began, in seconds since 1970.
    pub now: i64,
}

impl Context {
    /// Reads a set, and warns where others have access to its file.
    pub fn load(&self, name: &SetName) -> Result<Document> {
        self.store
            .load(name)
            .inspect(|document| self.warn_if_open(document))
    }

    /// The same for a set that need not be there.
    pub fn read(&self, name: &SetName) -> Result<Option<Document>> {
        let document = self.store.read(name)?;
        Ok(document.inspect(|document| self.warn_if_open(document)))
    }

    /// The remote with a name; warns where others have access to the file of remotes.
    pub fn remote(&self, name: &str) -> Result<Entry> {
        self.warn_open_remotes();
        self.remotes.find(name)
    }

    /// Warns where others have access to the file of remotes.
    pub fn warn_open_remotes(&self) {
        let path = self.remotes.open_file();
        self.warn_open(
            &path
                .iter()
                .map(|path| path.display().to_string())
                .collect::<Vec<_>>(),
        );
    }

    /// Warns of a keystore that others can put files into.
    pub fn warn_open_directory(&self) {
        let directory = self.store.directory();
        if files::others_can_write(directory) {
            let directory = directory.display();
            let advice = format!("others can write into {directory}: chmod go-w {directory}");
            self.out.warn(advice);
        }
    }

    fn warn_if_open(&self, document: &Document) {
        self.warn_open_directory();
        if document.is_open {
            self.warn_open(&[document.path().display().to_string()]);
        }
    }

    /// Warns of files that others have access to, once for all of them.
    pub fn warn_open(&self, paths: &[String]) {
        match paths {
            [] => {}
            [path] => {
                let advice = format!("others have access to {path}: chmod 600 {path}");
                self.out.warn(advice);
            }
            [path, ..] => {
                let more = paths.len() - 1;
                let advice =
                    format!("others have access to {path} and {more} more: chmod 600 them");
                self.out.warn(advice);
            }
        }
    }
}
