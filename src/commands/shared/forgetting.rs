//! Deletes the history of a set and its damaged files, for `jwks forget` and `jwks delete --purge`.

use crate::context::Context;
use crate::error::Result;
use crate::keystore::SetName;
use crate::keystore::history::History;
use crate::report::names::{changed_meanwhile, count};
use std::path::{Path, PathBuf};

/// The earlier states of a set.
#[derive(Debug, Default)]
pub struct Past {
    /// The earlier versions; `None` if the set has no history.
    pub history: Option<History>,
    /// The damaged files of the set that `jwks undo` and `jwks restore` have moved aside.
    pub damaged: Vec<PathBuf>,
}

impl Past {
    /// Finds the earlier states of a set, which need not exist any more.
    pub fn of(ctx: &Context, name: &SetName) -> Result<Past> {
        let has_history = ctx.store.has_history(name)?;
        let history = has_history.then(|| ctx.store.whole_history(name));
        Ok(Past {
            history: history.transpose()?,
            damaged: ctx.store.damaged_files(name)?,
        })
    }

    /// Returns true if there is nothing to delete.
    pub fn is_empty(&self) -> bool {
        self.history.is_none() && self.damaged.is_empty()
    }

    /// Returns the names of the damaged files.
    pub fn damaged_names(&self) -> impl Iterator<Item = String> {
        let names = self.damaged.iter().filter_map(|path| path.file_name());
        names.map(|name| Path::new(name).display().to_string())
    }

    /// Describes the earlier states, such as `3 earlier versions of set api and api.json.damaged`.
    pub fn describe(&self, name: &SetName) -> String {
        let history = self.history.iter().map(|history| match history.sets() {
            0 => format!("the history of set {name}"),
            number => format!("{} of set {name}", count(number, "earlier version")),
        });
        let parts: Vec<_> = history.chain(self.damaged_names()).collect();
        parts.join(" and ")
    }
}

/// Deletes the earlier states of a set and reports it. Returns an error if another process has changed the
/// set since they were read.
pub fn forget(ctx: &Context, name: &SetName, past: &Past) -> Result<()> {
    // The damaged files go first: if the process is killed, the set and its history still lead to the rest.
    ctx.store.remove_damaged_files(&past.damaged)?;
    if let Some(history) = &past.history {
        ctx.store.forget(name, |now| {
            if now.last() == history.last() {
                Ok(())
            } else {
                Err(changed_meanwhile(name))
            }
        })?;
    }
    let status = format!("deleted {}", past.describe(name));
    ctx.out.status(&status);
    ctx.record_change(status);
    Ok(())
}
