//! Commands that run after a rotation has changed something, such as the reload of a signer.

use crate::context::Context;
use crate::environment::PASSPHRASE;
use crate::error::{Error, Result};
use crate::keystore::SetName;
use crate::shell;
use crate::time;
use serde_json::{Value, json};
use std::time::Duration;

/// How long a hook can run by default, in seconds.
pub(super) const LIMIT: u64 = 60;

/// Returns the event of a hook until the rotation is complete.
pub(super) fn unfinished(name: &SetName, now: i64) -> Value {
    json!({ "event": "rotation", "set": name.as_str(), "time": time::format(now) })
}

/// Returns an event with the changes of an earlier one that a hook has not got: the lists of both, and the time
/// of the first as `since`.
pub(super) fn with_earlier(mut event: Value, earlier: &Value) -> Value {
    let (Value::Object(now), Value::Object(before)) = (&mut event, earlier) else {
        return event;
    };
    for (name, list) in now.iter_mut().filter(|(name, _)| *name != "active") {
        if let (Value::Array(list), Some(Value::Array(before))) = (list, before.get(name)) {
            let new: Vec<_> = list
                .drain(..)
                .filter(|item| !before.contains(item))
                .collect();
            list.extend(before.iter().cloned().chain(new));
        }
    }
    let since = before.get("since").or_else(|| before.get("time"));
    now.insert("since".into(), since.cloned().unwrap_or_default());
    event
}

/// Runs a command with an event on its standard input. The environment has the event, and no secrets.
/// Returns an error if it fails or takes longer than `limit` seconds.
pub(super) fn run(ctx: &Context, command: &str, event: &Value, limit: u64) -> Result<()> {
    let failed = |why: String| {
        Error::remote(format!("the hook {command:?} {why}"))
            .hint("the next rotation with this hook runs it again")
    };
    let mut call = shell::command(command);
    call.env_remove(PASSPHRASE);
    for variable in ctx.remotes.token_variables() {
        call.env_remove(variable);
    }
    for (variable, name) in [
        ("JWKS_EVENT", "event"),
        ("JWKS_EVENT_SET", "set"),
        ("JWKS_EVENT_TIME", "time"),
    ] {
        let value = event.get(name).and_then(Value::as_str);
        call.env(variable, value.unwrap_or_default());
    }
    let input = event.to_string().into_bytes();
    let ended = shell::run(call, input, Duration::from_secs(limit));
    let ended = ended.map_err(|error| failed(format!("cannot be run: {error}")))?;
    let why = match ended.status {
        Some(status) if status.success() => return Ok(()),
        Some(status) => format!("failed ({status})"),
        None => format!("ran for more than {limit} s"),
    };
    let lines = ended.output.lines();
    for line in lines.filter(|line| !line.trim().is_empty()) {
        ctx.out.status(format!("hook: {line}"));
    }
    Err(failed(why))
}
