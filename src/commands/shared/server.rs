//! Steps of commands that work on a server's set: conflicts, and many sets at once.

use crate::context::Context;
use crate::error::{Error, ErrorKind, Reason, Result};
use crate::output::JsonError;
use crate::remote::Remote;
use crate::remote::http::jittered;
use crate::report::names::{count, list_names};
use serde::Serialize;
use serde_json::json;
use std::fmt::Display;
use std::time::Duration;

/// The maximum number of times that a command plans and writes a set, if others keep changing it.
const ATTEMPTS: u32 = 5;

/// The first pause before a command plans again, so that several do not meet again and again.
const FIRST_PAUSE: Duration = Duration::from_millis(50);

/// The number of keys read after which a command does not plan again, because every try reads the set.
const MOST_KEYS_READ: usize = 30_000;

/// Calls `each` for every set. Shows the progress, continues after a failure, and reports each set.
/// Returns an error if a set failed; `done` is the verb for it, such as `pulled`.
pub fn for_each_set<N: Display, R: Serialize>(
    ctx: &Context,
    names: &[N],
    done: &str,
    mut each: impl FnMut(&N) -> Result<R>,
) -> Result<()> {
    let progress = ctx.out.progress(names.len() as u64, "sets");
    let (mut reports, mut failed, mut kind) = (Vec::new(), Vec::new(), None);
    for name in names {
        match progress.suspend(|| each(name)) {
            Ok(report) => reports.push(json!(report)),
            Err(error) => {
                let error = error.about(format!("set {name}"));
                progress.suspend(|| ctx.out.error(&error));
                kind.get_or_insert(error.kind());
                reports.push(json!({ "set": name.to_string(), "error": JsonError::from(&error) }));
                failed.push(name.to_string());
            }
        }
        progress.inc(1);
    }
    progress.finish_and_clear();
    if ctx.out.is_json() {
        ctx.out.json(&json!({ "sets": reports }))?;
    }
    let Some(kind) = kind else {
        return Ok(());
    };
    let number = count(failed.len(), "set");
    let failed = list_names(&failed);
    Err(Error::of(kind, format!("{number} not {done}: {failed}")))
}

/// Calls `attempt`, which reads a set, plans and writes it. If somebody else changes the set in the
/// meantime, tries again, up to five times in all, or fewer for a large set. Then returns the error.
pub fn retry_on_conflict<T>(
    ctx: &Context,
    server: &Remote,
    target: &str,
    mut attempt: impl FnMut() -> Result<T>,
) -> Result<T> {
    let before = server.keys_read();
    let mut pause = FIRST_PAUSE;
    for _ in 1..ATTEMPTS {
        match attempt() {
            Err(error)
                if error.is_because(Reason::Overtaken)
                    && server.keys_read() - before < MOST_KEYS_READ =>
            {
                ctx.out.status(format!(
                    "somebody else changed {target} at the same time; planning again"
                ));
                std::thread::sleep(jittered(pause));
                pause *= 2;
            }
            outcome => return outcome,
        }
    }
    attempt()
}

/// Corrects the hint of the error for a remote that does not exist, if the two words of a command line stand
/// in the wrong order. `right` is the command in the right one.
pub fn hint_at_order(ctx: &Context, error: Error, in_its_place: &str, right: &str) -> Error {
    let entries = ctx.remotes.entries().unwrap_or_default();
    let is_remote = entries.iter().any(|entry| entry.name == in_its_place);
    if error.kind() == ErrorKind::NotFound && is_remote {
        error.hint(format!("did you mean `{right}`?"))
    } else {
        error
    }
}
