//! Signals while a secret is being typed: the program ends, and the terminal shows again what is
//! typed. `script` plays the terminal.

use crate::support::{Run, Sandbox, has_tool};
use std::io::Read as _;
use std::process::Stdio;

/// Runs a command on a terminal and sends it a signal once it has turned the echo off.
fn signaled(sandbox: &Sandbox, line: &str, signal: &str) -> Run {
    let line = format!(
        "(until [ -s pid ] && stty -a < /dev/tty | grep -q -e ' -echo '; do sleep 0.02; done
          kill -{signal} $(cat pid)) &
         sh -c 'echo $$ > pid; exec {line}'; echo exit $?; stty -a"
    );
    let mut command = sandbox.command("script");
    command.args(["-q", "-e", "-c", &line, "/dev/null"]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().expect("script starts");
    // The keyboard stays connected until the end.
    let keyboard = child.stdin.take();
    let mut shown = Vec::new();
    let mut screen = child.stdout.take().expect("a screen");
    let _ = screen.read_to_end(&mut shown);
    let mut output = child.wait_with_output().expect("script ends");
    drop(keyboard);
    output.stdout = shown;
    Run::from(output)
}

#[test]
fn each_signal_ends_a_prompt_and_leaves_the_echo_on() {
    if !has_tool("script") {
        return;
    }
    for (signal, code) in [("INT", 130), ("TERM", 143), ("HUP", 129), ("QUIT", 131)] {
        let sandbox = Sandbox::new();
        for line in ["jwks create api --encrypt", "jwks set mac --from secret"] {
            let run = signaled(&sandbox, line, signal);
            let exit = format!("exit {code}");
            assert!(run.stdout.contains(&exit), "{signal} {line}: {run:#?}");
            let is_on = run.stdout.split_whitespace().any(|word| word == "echo");
            assert!(is_on, "{signal} {line}: {run:#?}");
            assert!(sandbox.store_entries().is_empty());
        }
    }
}
