//! Commands that run after a rotation has changed something, such as the reload of a signer.

use crate::context::Context;
use crate::environment::PASSPHRASE;
use crate::error::{Error, Result};
use crate::keystore::SetName;
use crate::time;
use serde_json::{Value, json};
use std::io::{Read, Write as _};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// How long a hook can run by default, in seconds.
pub(super) const LIMIT: u64 = 60;

/// How much of the output of a hook is kept, in bytes.
const KEPT: usize = 4096;

/// Returns the event of a hook until the rotation is complete.
pub(super) fn unfinished(name: &SetName, now: i64) -> Value {
    json!({ "event": "rotation", "set": name.as_str(), "time": time::format(now) })
}

/// Runs a command with an event on its standard input. The environment has the event, and no secrets.
/// Returns an error if it fails or takes longer than `limit` seconds.
pub(super) fn run(ctx: &Context, command: &str, event: &Value, limit: u64) -> Result<()> {
    let failed = |why: String| {
        Error::remote(format!("the hook {command:?} {why}")).hint("the next rotation runs it again")
    };
    let (shell, flag) = if cfg!(windows) {
        ("cmd", "/C")
    } else {
        ("sh", "-c")
    };
    let mut shell = Command::new(shell);
    shell.args([flag, command]).env_remove(PASSPHRASE);
    for variable in ctx.remotes.token_variables() {
        shell.env_remove(variable);
    }
    let text = |name: &str| event.get(name).and_then(Value::as_str).unwrap_or_default();
    shell
        .env("JWKS_EVENT", text("event"))
        .env("JWKS_EVENT_SET", text("set"))
        .env("JWKS_EVENT_TIME", text("time"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    own_group(&mut shell);
    let spawned = shell.spawn();
    let mut child = spawned.map_err(|error| failed(format!("cannot be run: {error}")))?;
    if let Some(mut input) = child.stdin.take() {
        let event = event.to_string();
        // A command that does not read its input gets a broken pipe.
        thread::spawn(move || input.write_all(event.as_bytes()));
    }
    let kept = Arc::new(Mutex::new(Vec::new()));
    let readers = [
        child
            .stdout
            .take()
            .map(|output| keep_end(output, kept.clone())),
        child
            .stderr
            .take()
            .map(|output| keep_end(output, kept.clone())),
    ];
    let status = wait(&mut child, Duration::from_secs(limit))
        .map_err(|error| failed(format!("cannot be run: {error}")))?;
    let why = match status {
        Some(status) if status.success() => return Ok(()),
        Some(status) => format!("failed ({status})"),
        None => format!("ran for more than {limit} s"),
    };
    // A process in the background can keep the output open.
    let end = Instant::now() + Duration::from_millis(200);
    let mut readers = readers.iter().flatten();
    while readers.any(|reader| !reader.is_finished()) && Instant::now() < end {
        thread::sleep(Duration::from_millis(2));
    }
    let shown = kept.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let shown = String::from_utf8_lossy(&shown);
    for line in shown.lines().filter(|line| !line.trim().is_empty()) {
        ctx.out.status(format!("hook: {line}"));
    }
    Err(failed(why))
}

/// Reads an output to its end, and keeps its last bytes.
fn keep_end(
    mut output: impl Read + Send + 'static,
    kept: Arc<Mutex<Vec<u8>>>,
) -> thread::JoinHandle<()> {
    thread::spawn(move || {
        let mut chunk = [0; KEPT];
        while let Ok(read @ 1..) = output.read(&mut chunk) {
            let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
            kept.extend_from_slice(&chunk[..read]);
            let more = kept.len().saturating_sub(KEPT);
            kept.drain(..more);
        }
    })
}

/// Waits for a child; `None` if it was killed because it took too long.
fn wait(child: &mut Child, limit: Duration) -> std::io::Result<Option<ExitStatus>> {
    let start = Instant::now();
    let mut pause = Duration::from_millis(2);
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if start.elapsed() >= limit {
            kill(child);
            child.wait()?;
            return Ok(None);
        }
        thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(100));
    }
}

/// Puts a child into a process group of its own, so that its children end with it.
#[cfg(unix)]
fn own_group(command: &mut Command) {
    use std::os::unix::process::CommandExt as _;
    command.process_group(0);
}

#[cfg(not(unix))]
fn own_group(_: &mut Command) {}

#[cfg(unix)]
fn kill(child: &mut Child) {
    use rustix::process::{Pid, Signal, kill_process_group};
    let group = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    if group.is_some_and(|group| kill_process_group(group, Signal::KILL).is_ok()) {
        return;
    }
    let _ = child.kill();
}

#[cfg(not(unix))]
fn kill(child: &mut Child) {
    let _ = child.kill();
}
