//! Ctrl-C while a server is asked: what is said, what is left behind, and that no secret comes out.

#![cfg(target_os = "linux")]

use crate::canary::{Canary, commands, hydra, wait_for};
use crate::servers::Answer;
use crate::servers::hydra::Hydra;
use crate::support::{Run, finish};
use std::io::{BufRead as _, BufReader};
use std::process::Child;

/// Presses Ctrl-C once a call has come in. The call has an hour, so that nothing else ends it.
fn interrupt(canary: &Canary, hydra: &Hydra, line: &str, method: &str) -> Run {
    hydra.server.forget_calls();
    let child = canary.spawn(&format!("{line} --timeout 3600"));
    wait_for(hydra, method);
    press_ctrl_c(canary, &child);
    let run = Run::from(child.wait_with_output().expect("its end"));
    assert_eq!(run.code, Some(130), "{line}: {run:#?}");
    canary.assert_hidden(&run.stdout, line);
    canary.assert_hidden(&run.stderr, line);
    run
}

fn press_ctrl_c(canary: &Canary, child: &Child) {
    let kill = ["-INT".to_owned(), child.id().to_string()];
    finish(canary.sandbox.command("kill").args(kill)).ok();
}

/// Ctrl-C while a server thinks about a change: it may have made it, and that is said.
#[test]
fn an_interrupted_change_says_what_the_server_may_hold() {
    let hydra = hydra(|call| (call.method != "GET").then(Answer::withheld));
    let canary = Canary::at(&hydra.address(), &[]);
    let before = (
        canary.sandbox.read_set("api"),
        canary.sandbox.store_entries(),
    );
    for (line, method) in [
        ("push api prod --yes", "PUT"),
        ("create api --remote prod", "POST"),
        ("set api own.json --remote prod --yes", "PUT"),
        ("delete api --remote prod --yes --force", "DELETE"),
    ] {
        let run = interrupt(&canary, &hydra, line, method);
        let call = format!("{method} {}", hydra.address());
        assert!(run.stderr.contains(&call), "{line}: {run:#?}");
        assert!(run.stderr.contains("may hold the change"), "{run:#?}");
        assert!(run.stderr.contains("jwks diff"), "{run:#?}");
        let run = interrupt(&canary, &hydra, &format!("{line} --json"), method);
        let hint = run.error()["hint"].clone();
        assert!(
            hint.as_str().is_some_and(|hint| hint.contains("may hold")),
            "{run:#?}"
        );
        let after = (
            canary.sandbox.read_set("api"),
            canary.sandbox.store_entries(),
        );
        assert_eq!(after, before, "{line}");
    }
}

/// Ctrl-C while reading changes nothing anywhere: there is nothing to say.
#[test]
fn an_interrupted_look_ends_without_a_word() {
    let hydra = hydra(|_| Some(Answer::withheld()));
    let canary = Canary::at(&hydra.address(), &[]);
    let before = (
        canary.sandbox.read_set("api"),
        canary.sandbox.store_entries(),
    );
    for line in commands().filter(|line| !line.starts_with("create")) {
        let run = interrupt(&canary, &hydra, line, "GET");
        assert!(!run.stderr.contains("may hold"), "{line}: {run:#?}");
        let after = (
            canary.sandbox.read_set("api"),
            canary.sandbox.store_entries(),
        );
        assert_eq!(after, before, "{line}");
    }
}

/// The program announces a pause, and keeps it: there is no second call before Ctrl-C ends it.
#[test]
fn a_pause_can_be_interrupted() {
    let answer = Answer::empty(429).header("Retry-After", 30);
    let hydra = hydra(move |_| Some(answer.clone()));
    let canary = Canary::at(&hydra.address(), &[]);
    hydra.server.forget_calls();
    let mut child = canary.spawn("get api --remote prod");
    let mut said = BufReader::new(child.stderr.take().expect("a pipe"));
    let mut line = String::new();
    while !line.contains("again in 30.0 s") {
        line.clear();
        let length = said.read_line(&mut line).expect("what it says");
        assert!(length > 0, "it ended without a pause");
    }
    press_ctrl_c(&canary, &child);
    let run = Run::from(child.wait_with_output().expect("its end"));
    assert_eq!(run.code, Some(130), "{run:#?}");
    assert_eq!(run.stdout, "");
    assert_eq!(hydra.server.lines().len(), 1, "it did not wait");
}
