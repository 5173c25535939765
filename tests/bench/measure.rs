//! Whole runs of commands in turn: wall time, peak memory, and a row of the table.

use std::process::{Command, Stdio};
use std::time::Instant;

/// The head of the table.
pub const HEADER: &str = "| job | jwks, ms | beside |\n|---|---:|---|";

/// One row: command lines that do the same, jwks's own first. `#` in a line is the number of the
/// run, for files that must be new each time.
pub struct Job {
    pub name: &'static str,
    lines: Vec<(&'static str, String)>,
    with_memory: bool,
}

impl Job {
    pub fn new(name: &'static str, line: impl Into<String>) -> Job {
        Job {
            name,
            lines: vec![("jwks", line.into())],
            with_memory: false,
        }
    }

    pub fn beside(mut self, name: &'static str, line: impl Into<String>) -> Job {
        self.lines.push((name, line.into()));
        self
    }

    /// Peak memory is worth a look, too.
    pub fn with_memory(mut self) -> Job {
        self.with_memory = true;
        self
    }

    /// Runs every command once to warm up, then all of them in turn, there and back (A B C C B A),
    /// so that a machine that slows down, or a heavy neighbour, is no command's own misfortune.
    pub fn row(mut self, runs: usize) -> String {
        self.lines.retain(|(name, line)| warm_up(name, line));
        let mut times = vec![Vec::new(); self.lines.len()];
        for run in 1..=runs {
            let mut order: Vec<_> = (0..self.lines.len()).collect();
            if run % 2 == 0 {
                order.reverse();
            }
            for i in order {
                times[i].push(time(&mut numbered(&self.lines[i].1, run)));
            }
        }
        let memory = |line: &str| {
            if self.with_memory {
                peak(&numbered(line, runs + 1))
            } else {
                String::new()
            }
        };
        let others = self.lines.iter().zip(&times).skip(1);
        let beside = others.map(|((name, line), other)| {
            // Only runs of the same turn are compared.
            let ratios = times[0].iter().zip(other).map(|(own, other)| own / other);
            let ratio = short(median(ratios.collect()));
            format!("{name} {ratio}×{}", memory(line))
        });
        let beside = beside.collect::<Vec<_>>().join(", ");
        let own = short(median(times[0].clone())) + &memory(&self.lines[0].1);
        format!("| {} | {own} | {beside} |", self.name)
    }
}

/// A command from a line of words: variables, the program, its arguments; `''` is an empty one.
pub fn command(line: &str) -> Command {
    let mut words = line
        .split(' ')
        .map(|word| if word == "''" { "" } else { word });
    let mut variables = Vec::new();
    let program = loop {
        let word = words.next().expect("a program");
        match word.split_once('=') {
            Some(variable) => variables.push(variable),
            None => break word,
        }
    };
    let mut command = Command::new(match program {
        "jwks" => env!("CARGO_BIN_EXE_jwks"),
        other => other,
    });
    command.args(words).envs(variables).stdin(Stdio::null());
    command
}

fn numbered(line: &str, run: usize) -> Command {
    command(&line.replace('#', &run.to_string()))
}

/// Returns true if a command works. One that fails, or our own when it prints nothing, would be quick for
/// the wrong reason.
fn warm_up(name: &str, line: &str) -> bool {
    let failure = match numbered(line, 0).output() {
        Ok(output) if output.status.success() => {
            assert!(name != "jwks" || !output.stdout.is_empty(), "{line}");
            return true;
        }
        Ok(output) => String::from_utf8_lossy(&output.stderr).into_owned(),
        Err(error) => format!("Error: {error}"),
    };
    assert!(name != "jwks", "{line}: {failure}");
    let reason = failure.lines().find(|line| line.contains("rror"));
    eprintln!("{name} is left out: {}", reason.unwrap_or(line));
    false
}

/// From before the start to after the end, in milliseconds.
fn time(command: &mut Command) -> f64 {
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let start = Instant::now();
    let status = command.status().expect("it started before");
    let elapsed = start.elapsed();
    assert!(status.success(), "{command:?}: {status}");
    elapsed.as_secs_f64() * 1e3
}

/// The largest resident size, in a run of its own: std cannot ask the kernel for it.
fn peak(command: &Command) -> String {
    let mut timed = Command::new("/usr/bin/time");
    let timed = timed.args(["-f", "%M"]).arg(command.get_program());
    let timed = timed.args(command.get_args()).stdout(Stdio::null());
    let Ok(output) = timed.stdin(Stdio::null()).output() else {
        eprintln!("peak memory is left out: /usr/bin/time is not installed");
        return String::new();
    };
    let text = String::from_utf8_lossy(&output.stderr);
    let kib = text
        .lines()
        .last()
        .and_then(|line| line.parse::<f64>().ok());
    kib.map_or(String::new(), |kib| format!(" ({:.0} MiB)", kib / 1024.0))
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Two digits behind the point where a number is small, none where it is large.
fn short(number: f64) -> String {
    let digits = match number {
        ..10.0 => 2,
        ..100.0 => 1,
        _ => 0,
    };
    format!("{number:.digits$}")
}
