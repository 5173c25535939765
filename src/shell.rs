//! Runs shell commands and programs, with a limit to their time and output.

use std::io::{self, Read, Write as _};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread;
use std::time::{Duration, Instant};

/// How much of the output of a command is kept, in bytes.
const KEPT: usize = 4096;

/// How long the output of a command is awaited after it has ended.
const AFTERMATH: Duration = Duration::from_millis(200);

/// How a command ended, and the end of its output.
pub struct Ended {
    /// How it ended; `None` if it was killed because it took too long.
    pub status: Option<ExitStatus>,
    /// The end of its standard output and standard error.
    pub output: String,
}

/// How a program ended, and the beginning of its standard output.
pub struct Printed {
    /// How it ended; `None` if it was killed because it took too long.
    pub status: Option<ExitStatus>,
    /// Its standard output. If that is longer than the limit, one byte more than the limit.
    pub octets: Vec<u8>,
}

/// Returns the call of the system's shell with a command.
pub fn command(text: &str) -> Command {
    let (shell, flag) = if cfg!(windows) {
        ("cmd", "/C")
    } else {
        ("sh", "-c")
    };
    let mut command = Command::new(shell);
    command.args([flag, text]);
    command
}

/// Runs a command with an input, and kills it and its children after `limit`. Returns an error if it cannot
/// be run.
pub fn run(mut command: Command, input: Vec<u8>, limit: Duration) -> io::Result<Ended> {
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    own_group(&mut command);
    let mut child = command.spawn()?;
    if let Some(mut pipe) = child.stdin.take() {
        // A command that does not read its input gets a broken pipe.
        thread::spawn(move || pipe.write_all(&input));
    }
    let kept = Arc::new(Mutex::new(Vec::new()));
    let stdout = child.stdout.take();
    let stdout = stdout.map(|output| keep_end(output, kept.clone()));
    let stderr = child.stderr.take();
    let stderr = stderr.map(|output| keep_end(output, kept.clone()));
    let status = wait(&mut child, limit)?;
    // A process in the background can keep the output open.
    let end = Instant::now() + AFTERMATH;
    let is_open = || {
        let mut readers = [&stdout, &stderr].into_iter().flatten();
        readers.any(|reader| !reader.is_finished())
    };
    while is_open() && Instant::now() < end {
        thread::sleep(Duration::from_millis(2));
    }
    let kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
    Ok(Ended {
        status,
        output: String::from_utf8_lossy(&kept).into_owned(),
    })
}

/// Runs a program without an input, and kills it and its children after `limit`. Its standard error is that of this
/// process. At most `most` bytes of its standard output are of use. Returns an error if it cannot be run.
pub fn output(mut program: Command, most: usize, limit: Duration) -> io::Result<Printed> {
    program.stdin(Stdio::null()).stdout(Stdio::piped());
    own_group(&mut program);
    let mut child = program.spawn()?;
    let (sender, receiver) = mpsc::channel();
    let stdout = child.stdout.take();
    thread::spawn(move || {
        // With this capacity, no copy of a secret stays behind in memory that was too small for it.
        let mut octets = Vec::with_capacity(most + 1);
        let read = match stdout {
            Some(stdout) => stdout.take(most as u64 + 1).read_to_end(&mut octets),
            None => Ok(0),
        };
        // Nobody receives the output of a program that was killed.
        let _ = sender.send(read.map(|_| octets));
    });
    let Some(status) = wait(&mut child, limit)? else {
        return Ok(Printed {
            status: None,
            octets: Vec::new(),
        });
    };
    // A process in the background can keep the output open.
    let octets = receiver.recv_timeout(AFTERMATH);
    let octets = octets.map_err(|_| io::Error::other("its output did not end with it"))?;
    Ok(Printed {
        status: Some(status),
        octets: octets?,
    })
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
fn wait(child: &mut Child, limit: Duration) -> io::Result<Option<ExitStatus>> {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(unix)]
    fn an_output_ends_in_time_and_within_its_limit() {
        let limit = Duration::from_secs(60);
        let printed = output(command("echo hello"), 100, limit).unwrap();
        assert_eq!(printed.octets, b"hello\n");
        assert!(printed.status.is_some_and(|status| status.success()));
        let printed = output(command("yes"), 100, limit).unwrap();
        assert_eq!(printed.octets.len(), 101);
        let start = Instant::now();
        let printed = output(command("sleep 60 | cat"), 100, Duration::from_millis(50)).unwrap();
        assert!(printed.status.is_none() && start.elapsed() < limit);
        assert!(output(command("sleep 60 & echo hello"), 100, limit).is_err());
        assert!(start.elapsed() < limit);
    }
}
