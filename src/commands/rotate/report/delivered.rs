//! Reports what a rotation has delivered: pushes, files, hooks, and the keys that wait.

use crate::commands::rotate::report::{RotationReport, described};
use crate::commands::shared::push_report::PushReport;
use crate::context::Context;
use crate::error::Result;
use crate::key::Key;
use crate::output::JsonError;
use crate::report::json::JsonKeyName;
use crate::time;
use serde::Serialize;
use serde_json::{Value, json};
use std::path::Path;

/// What was delivered.
#[derive(Debug, Default, Serialize)]
pub(super) struct Delivered {
    /// Keys that are held until an address has served them for long enough.
    waiting: Vec<Waiting>,
    /// The results of the pushes to the servers.
    pushed: Vec<PushReport>,
    /// The files that were written.
    written: Vec<String>,
    /// The files of signers that wait until an address serves their new key.
    held: Vec<String>,
    /// The hooks that ran.
    hooks: Vec<RanHook>,
}

/// A key that waits for its publication.
#[derive(Debug, Serialize)]
struct Waiting {
    #[serde(flatten)]
    key: JsonKeyName<'static>,
    address: String,
    reason: String,
}

/// A hook that ran.
#[derive(Debug, Serialize)]
struct RanHook {
    command: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<JsonError>,
}

impl Delivered {
    /// Returns true if something was delivered, or waits.
    pub(super) fn says_something(&self) -> bool {
        self.pushed.iter().any(PushReport::changes)
            || !(self.written.is_empty()
                && self.held.is_empty()
                && self.hooks.is_empty()
                && self.waiting.is_empty())
    }
}

impl RotationReport {
    /// Adds the result of a push. A second push to the same server adds to the first one.
    pub fn add_push(&mut self, pushed: PushReport) {
        match self
            .delivered
            .pushed
            .iter_mut()
            .find(|other| other.is_to(&pushed))
        {
            Some(earlier) => earlier.add(pushed),
            None => self.delivered.pushed.push(pushed),
        }
    }

    /// Returns an error that names the keys that the servers did not accept.
    pub fn complete_pushes(&self) -> Result<()> {
        self.delivered
            .pushed
            .iter()
            .try_for_each(PushReport::complete)
    }

    /// Reports a file that was written.
    pub fn add_file(&mut self, ctx: &Context, path: &Path) {
        let path = path.display().to_string();
        ctx.out.status(format!("{}: wrote {path}", self.set));
        self.delivered.written.push(path);
    }

    /// Reports the file of a signer that keeps its key until an address serves the new one.
    pub fn hold_file(&mut self, ctx: &Context, path: &Path) {
        let path = path.display().to_string();
        ctx.out.status(format!(
            "{}: {path} keeps its key until each published address has served the new one for the publish delay",
            self.set
        ));
        self.delivered.held.push(path);
    }

    /// Returns true if the file of a signer keeps its key.
    pub fn waits(&self) -> bool {
        !self.delivered.held.is_empty()
    }

    /// Reports a file that a dry run would write.
    pub fn would_write(&mut self, ctx: &Context, path: &Path) {
        let path = path.display();
        ctx.out.status(format!("{}: would write {path}", self.set));
        self.due = true;
    }

    /// Reports a hook that a dry run would run.
    pub fn would_run(&mut self, ctx: &Context, hook: &str) {
        let set = &self.set;
        ctx.out
            .status(format!("{set}: would run the hook {hook:?}"));
        self.due = true;
    }

    /// Reports a key that is held because of an address.
    pub fn add_waiting(&mut self, ctx: &Context, key: &Key, address: &str, reason: String) {
        let set = &self.set;
        ctx.out.status(format!(
            "{set}: {} waits for {address}: {reason}",
            described(key)
        ));
        self.delivered.waiting.push(Waiting {
            key: key.into(),
            address: address.to_owned(),
            reason,
        });
    }

    /// Reports a hook that ran.
    pub fn add_hook(&mut self, command: &str, result: &Result<()>) {
        self.delivered.hooks.push(RanHook {
            command: command.to_owned(),
            error: result.as_ref().err().map(JsonError::from),
        });
    }

    /// Returns the event that hooks get. It has names of keys, and no keys.
    pub fn event(&self, active: &[JsonKeyName<'static>], now: i64) -> Value {
        let pushed = self
            .delivered
            .pushed
            .iter()
            .filter(|pushed| pushed.changes());
        json!({
            "event": "rotation",
            "set": self.set,
            "time": time::format(now),
            "active": active,
            "staged": self.staged,
            "activated": self.activated,
            "confirmed": self.confirmed,
            "postponed": self.postponed,
            "retired": self.retired,
            "removed": self.removed,
            "written": self.delivered.written,
            "pushed": pushed.map(PushReport::target).collect::<Vec<_>>(),
        })
    }
}
