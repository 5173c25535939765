//! Passphrases at a terminal.

use super::{PASSPHRASE, desk, open, read_jwe, run, with_a_set};
use crate::support::{Run, Sandbox, has_tool};
use crate::terminal::on_terminal;

/// Runs a command line on a terminal, into which the passphrases are typed. They are never shown.
fn typing(sandbox: &Sandbox, line: &str, typed: &[&str]) -> Run {
    let lines = typed.join("\n") + "\n";
    let run = on_terminal(sandbox, line, &lines, &[]);
    for typed in typed.iter().filter(|typed| typed.len() > 2) {
        assert!(!run.stdout.contains(typed), "it is shown: {run:#?}");
    }
    run
}

fn asked(run: &Run, question: &str) -> usize {
    run.stdout.matches(question).count()
}

#[test]
fn a_new_one_is_typed_twice() {
    if !has_tool("setsid") {
        return;
    }
    let sandbox = desk();
    let create = "jwks create api --encrypt --p2c 1000";
    let run = typing(&sandbox, create, &[PASSPHRASE, PASSPHRASE]).ok();
    assert_eq!(asked(&run, "New passphrase of set api: "), 1, "{run:#?}");
    assert_eq!(
        asked(&run, "The passphrase of set api again: "),
        1,
        "{run:#?}"
    );
    open(&sandbox, "get api --private").ok();

    let create = "jwks create other --encrypt --p2c 1000";
    for (typed, why) in [
        (&[PASSPHRASE, "corect horse"][..], "two different values"),
        (&[""], "is empty"),
    ] {
        let run = typing(&sandbox, create, typed);
        assert_eq!(run.code, Some(7), "{run:#?}");
        assert!(run.stdout.contains(why), "{run:#?}");
    }
    assert_eq!(sandbox.store_entries(), [".lock", "api.jwe"]);
}

#[test]
fn the_one_that_is_there_is_typed_once() {
    if !has_tool("setsid") {
        return;
    }
    let sandbox = with_a_set();
    let before = read_jwe(&sandbox, "api");
    let run = typing(&sandbox, "jwks get api --private", &[PASSPHRASE]).ok();
    assert_eq!(asked(&run, "passphrase of set api: "), 1, "{run:#?}");
    assert_eq!(asked(&run, "again"), 0, "{run:#?}");
    assert!(run.stdout.contains("\"d\":\""), "{run:#?}");

    let run = typing(&sandbox, "jwks create api", &["a wrong one"]);
    assert_eq!(run.code, Some(7), "{run:#?}");
    assert!(run.stdout.contains("wrong passphrase"), "{run:#?}");
    assert_eq!(read_jwe(&sandbox, "api"), before);

    let run = on_terminal(&sandbox, "jwks get api --private --no-input", "", &[]);
    assert_eq!(run.code, Some(7), "{run:#?}");
    assert_eq!(asked(&run, "passphrase of set api: "), 0, "{run:#?}");
    // What needs no secret asks for none, terminal or not.
    let run = on_terminal(
        &sandbox,
        "jwks list && jwks get api && jwks export api",
        "",
        &[],
    )
    .ok();
    assert_eq!(asked(&run, "passphrase"), 0, "{run:#?}");
}

#[test]
fn it_is_typed_once_for_many_sets() {
    if !has_tool("setsid") {
        return;
    }
    let sandbox = with_a_set();
    open(&sandbox, "create web --encrypt --p2c 1000").ok();
    let run = typing(&sandbox, "jwks rotate api web --force", &[PASSPHRASE]).ok();
    assert_eq!(asked(&run, "passphrase of set api: "), 1, "{run:#?}");
    assert_eq!(asked(&run, "passphrase of set web: "), 0, "{run:#?}");
    for set in ["api", "web"] {
        let listed = sandbox.json(["list", set, "--json"]);
        assert_eq!(listed["keys"].as_array().map(Vec::len), Some(2), "{listed}");
    }
    let change = "jwks passwd api web --p2c 1000";
    let run = typing(
        &sandbox,
        change,
        &[PASSPHRASE, "one for both", "one for both"],
    )
    .ok();
    assert_eq!(asked(&run, "passphrase of set api: "), 1, "{run:#?}");
    assert_eq!(asked(&run, "passphrase of set web: "), 0, "{run:#?}");
    assert_eq!(asked(&run, "New passphrase of the sets"), 1, "{run:#?}");
    open(&sandbox, "get api --private").fails(7);
    super::secret_file(&sandbox, "passphrase.txt", "one for both");
    open(&sandbox, "get api --private").ok();
    open(&sandbox, "get web --private").ok();
}

/// Sets with passphrases of their own: each that the ones before do not open is asked for.
#[test]
fn another_set_with_another_one_is_asked_for() {
    if !has_tool("setsid") {
        return;
    }
    let sandbox = with_a_set();
    super::with(&sandbox, "next.txt", "create web --encrypt --p2c 1000").ok();
    let typed = [PASSPHRASE, super::NEXT];
    let run = typing(&sandbox, "jwks rotate api web --force", &typed).ok();
    assert_eq!(asked(&run, "passphrase of set api: "), 1, "{run:#?}");
    assert_eq!(asked(&run, "passphrase of set web: "), 1, "{run:#?}");
}

#[test]
fn passwd_asks_for_the_old_one_and_twice_for_the_new_one() {
    if !has_tool("setsid") {
        return;
    }
    let sandbox = with_a_set();
    let before = read_jwe(&sandbox, "api");
    let passwd = "jwks passwd api --p2c 1000";
    for (typed, code) in [
        (&["a wrong one"][..], 7),
        (&[PASSPHRASE, "a new one", "another one"], 7),
        (&[PASSPHRASE, ""], 7),
    ] {
        let run = typing(&sandbox, passwd, typed);
        assert_eq!(run.code, Some(code), "{run:#?}");
        assert_eq!(read_jwe(&sandbox, "api"), before);
    }
    typing(&sandbox, passwd, &[PASSPHRASE, "a new one", "a new one"]).ok();
    typing(&sandbox, "jwks passwd api --remove", &["a new one"]).ok();
    run(&sandbox, "get api --private").ok();
}

/// Ctrl-C at a question changes nothing, and the terminal shows again what is typed.
#[test]
fn an_interrupted_question_leaves_all_as_it_was() {
    if !has_tool("setsid") {
        return;
    }
    let sandbox = with_a_set();
    run(&sandbox, "create plain").ok();
    let before = (read_jwe(&sandbox, "api"), sandbox.read_set("plain"));
    for (line, typed) in [
        ("jwks passwd api", "\u{3}"),
        ("jwks passwd api", "correct horse battery staple\n\u{3}"),
        ("jwks passwd plain", "\u{3}"),
        ("jwks passwd plain", "a new one\n\u{3}"),
        ("jwks create new --encrypt", "\u{3}"),
        ("jwks rotate api --force", "\u{3}"),
    ] {
        let shell = format!("trap : INT; {line}; echo exit $?; stty -a");
        let run = on_terminal(&sandbox, &shell, typed, &[]);
        assert!(run.stdout.contains("exit 130"), "{line}: {run:#?}");
        let echo = run.stdout.split_whitespace().any(|word| word == "echo");
        assert!(
            echo,
            "the terminal shows nothing any more: {line}: {run:#?}"
        );
        let after = (read_jwe(&sandbox, "api"), sandbox.read_set("plain"));
        assert_eq!(after, before, "{line}");
        let entries = [".lock", "api.jwe", "plain.json"];
        assert_eq!(sandbox.store_entries(), entries, "{line}");
    }
}
