//! Help, usage errors, and what is offered for a wrong word.

use crate::support::{COMMANDS, JWKS, REMOTE_COMMANDS, Sandbox, finish, has_tool};
use crate::terminal::on_terminal;
use std::fs::File;

/// Every command: its words.
fn commands() -> Vec<Vec<&'static str>> {
    let below = REMOTE_COMMANDS.iter().map(|below| vec!["remote", below]);
    let commands = COMMANDS.iter().map(|command| vec![*command]);
    std::iter::once(vec![])
        .chain(commands)
        .chain(below)
        .collect()
}

/// The help of a command on 80 columns.
fn help(command: &[&str], option: &str) -> String {
    let sandbox = Sandbox::new();
    let mut jwks = sandbox.command(JWKS);
    jwks.args(command).arg(option).env("COLUMNS", "80");
    finish(&mut jwks).ok().stdout
}

#[test]
fn the_short_help_fits_a_screen() {
    for command in commands() {
        let help = help(&command, "-h");
        let lines = help.lines().count();
        assert!(lines <= 40, "{command:?} has {lines} lines:\n{help}");
        for line in help.lines() {
            let is_example = line.starts_with("  $ ");
            assert!(
                is_example || line.chars().count() <= 80,
                "{command:?}: {line}"
            );
        }
        let place = |text: &str| help.find(text);
        assert!(place("Examples:") < place("Options:"), "{help}");
        assert!(help.trim_end().ends_with("see --help"), "{help}");
    }
}

#[test]
fn the_whole_help_ends_with_the_global_options() {
    for command in commands() {
        let help = help(&command, "--help");
        let headings = help.lines().filter(|line| {
            line.ends_with(':') && line.starts_with(|c: char| c.is_ascii_uppercase())
        });
        let headings: Vec<_> = headings.collect();
        assert_eq!(headings.last(), Some(&"Global options:"), "{headings:?}");
        assert!(help.contains("--lock-wait"), "{help}");
    }
}

#[test]
fn help_is_a_command_too() {
    let sandbox = Sandbox::new();
    for (one, other) in [
        ("help", "--help"),
        ("help create", "create --help"),
        ("help remote add", "remote add --help"),
        ("help rm", "delete --help"),
        ("help rotation", "man rotation"),
    ] {
        assert_eq!(sandbox.ok(one.split(' ')), sandbox.ok(other.split(' ')));
    }
    sandbox.run(["help", "nothing"]).fails(2);
}

#[test]
fn the_words_of_other_programs_lead_to_ours() {
    let sandbox = Sandbox::new();
    for (word, command) in [
        ("new", "create"),
        ("gen", "create"),
        ("generate", "create"),
        ("import", "set"),
        ("add", "set"),
        ("show", "get"),
        ("view", "get"),
        ("remove", "delete"),
    ] {
        let run = sandbox.run([word, "api"]).fails(2);
        let error = format!(
            "error: unrecognized command \"{word}\"\n  hint: did you mean `jwks {command}`?\n"
        );
        assert_eq!(run.stderr, error);
        let json = sandbox.run([word, "api", "--json"]).fails(2).error();
        assert_eq!(json["hint"], format!("did you mean `jwks {command}`?"));
    }
    // A name that is nearly right is offered as before.
    let run = sandbox.run(["crate", "api"]).fails(2);
    assert!(run.stderr.contains("'create'"), "{run:#?}");
}

#[test]
fn a_wrong_word_is_understood() {
    let sandbox = Sandbox::new();
    sandbox.ok(["create", "api"]);
    sandbox.write("my.pem", "");
    sandbox.write("junk.txt", "no key\n");
    for (line, code, said) in [
        (
            "set my.pem",
            2,
            "my.pem is a file; the name of the set is missing",
        ),
        ("set api junk.txt", 5, "unknown key format"),
        ("export api -o nodir/x", 3, "no directory nodir"),
        (
            "get --remote 127.0.0.1:8765/jwks.json",
            2,
            "did you mean http://127.0.0.1:8765/jwks.json?",
        ),
        (
            "pull example.com/jwks.json",
            2,
            "did you mean https://example.com/jwks.json?",
        ),
        ("create api --alg ES265", 2, "did you mean ES256?"),
        ("create api --alg rs256", 2, "did you mean RS256?"),
        (
            "create api --alg dir",
            2,
            "no keys are generated for algorithm",
        ),
        ("set api --alg ES265", 2, "did you mean ES256?"),
        ("create api --exp 90d", 2, "did you mean +90d?"),
        ("list api --alg RS265", 2, "did you mean RS256?"),
        ("list api --kty rsa", 2, "did you mean RSA?"),
        ("get api --use encryption", 2, "uses: sig, enc"),
    ] {
        let run = sandbox.run(line.split(' ')).fails(code);
        assert!(run.stderr.contains(said), "{line}: {run:#?}");
        assert!(run.stderr.lines().count() < 5, "{line}: {run:#?}");
    }
    assert_eq!(sandbox.ok(["list", "api", "--alg", "RS256"]), "");
}

/// A set may hold keys for an algorithm that jwks does not know.
#[test]
fn an_unknown_algorithm_of_a_key_can_be_filtered() {
    let sandbox = Sandbox::new();
    sandbox.ok(["create", "api", "--kid", "own"]);
    let key = sandbox.ok(["get", "api", "own"]).replace("ES256", "X-OURS");
    sandbox.write("key.json", key);
    sandbox.ok("set other key.json --allow-invalid".split(' '));
    let names = sandbox.ok("list other --alg X-OURS --format names".split(' '));
    assert_eq!(names, "own\n");
    sandbox.run("list api --alg X-OURS".split(' ')).fails(2);
}

pub fn a_lock_that_is_waited_for_is_said() {
    let sandbox = Sandbox::new();
    sandbox.ok(["create", "api"]);
    let lock = File::options()
        .write(true)
        .open(sandbox.store().join(".lock"));
    let lock = lock.expect("the lock file");
    lock.lock().expect("the lock");
    let run = sandbox.run(["create", "api", "--lock-wait", "1"]).fails(4);
    let said = if cfg!(target_os = "linux") {
        format!("waiting for another jwks (pid {})\n", std::process::id())
    } else {
        "waiting for another jwks\n".into()
    };
    assert_eq!(run.stderr.matches(&said).count(), 1, "{run:#?}");
}

#[test]
fn messages_have_colors_as_tables_do() {
    let sandbox = Sandbox::new();
    let error = sandbox.run(["list", "none"]).fails(3).stderr;
    assert!(!error.contains('\u{1b}'), "{error}");
    let error = sandbox.run(["list", "none", "--color", "always"]).fails(3);
    for styled in ["91merror:\u{1b}[0m ", "96mhint:\u{1b}[0m "] {
        assert!(error.stderr.contains(styled), "{error:#?}");
    }
    for line in ["-h --color always", "create -h --color=always"] {
        let help = sandbox.ok(line.split(' '));
        assert!(help.contains("\u{1b}["), "{help}");
    }
    assert!(!sandbox.ok(["-h"]).contains('\u{1b}'));
    let usage = sandbox.run(["get", "--color", "always", "--what"]).fails(2);
    assert!(usage.stderr.contains("\u{1b}["), "{usage:#?}");
}

#[test]
fn a_terminal_shows_whole_kids_and_delete_takes_the_beginning_of_one() {
    if !has_tool("setsid") {
        return;
    }
    let sandbox = Sandbox::new();
    let kid = sandbox.ok(["create", "api", "-q"]);
    let kid = kid.trim();
    let run = on_terminal(&sandbox, "jwks list api", "", &[]).ok();
    assert!(run.stdout.contains(kid), "{run:#?}");
    assert!(run.stdout.contains("STATE"), "{run:#?}");
    let beginning = &kid[..8];
    sandbox
        .run(["delete", "api", beginning, "--yes", "--force"])
        .fails(3);
    let line = format!("jwks delete api {beginning} --force");
    let run = on_terminal(&sandbox, &line, "y\n", &[]).ok();
    assert!(run.stdout.contains(&format!("{kid} (ES256")), "{run:#?}");
    assert!(!sandbox.read_set("api").contains(kid));
}

#[test]
fn a_terminal_shows_the_manual_as_a_page() {
    if !has_tool("setsid") {
        return;
    }
    let sandbox = Sandbox::new();
    let pager = [("PAGER", "cat"), ("MANPAGER", "cat")];
    for (line, words) in [
        (
            format!("{JWKS} man create > source; {JWKS} man create"),
            "SYNOPSIS",
        ),
        // Without man(1), there is the help of a command, and the source of a guide.
        (
            format!("PATH=/nowhere; {JWKS} man create"),
            "Usage: jwks create",
        ),
        (
            format!("PATH=/nowhere; {JWKS} man remote-add"),
            "Usage: jwks remote add",
        ),
        (
            format!("PATH=/nowhere; {JWKS} man rotation"),
            "# jwks-rotation(7) - ",
        ),
    ] {
        let run = on_terminal(&sandbox, &line, "", &pager).ok();
        // Bold letters can be typed twice, one above the other, or stand in escape sequences.
        let mut shown = String::new();
        let mut is_escape = false;
        for c in run.stdout.chars() {
            match c {
                '\u{8}' => {
                    shown.pop();
                }
                '\u{1b}' => is_escape = true,
                'm' if is_escape => is_escape = false,
                _ if is_escape => {}
                c => shown.push(c),
            }
        }
        assert!(shown.contains(words), "{line}: {run:#?}");
        for roff in [".SH", "\\f", "\\-"] {
            assert!(!run.stdout.contains(roff), "{line}: {run:#?}");
        }
    }
    let source = std::fs::read_to_string(sandbox.path().join("source"));
    assert!(source.expect("the source").contains(".SH SYNOPSIS"));
}
