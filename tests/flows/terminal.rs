//! A person at a terminal: questions, colors, width, progress.

pub use crate::support::terminal::on_terminal;

use crate::support::{Run, Sandbox, has_tool};

fn a_set() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.ok(["create", "api", "--kid", "first"]);
    sandbox.ok(["create", "api", "--kid", "second", "--alg", "RS256"]);
    sandbox
}

#[test]
fn a_deletion_is_asked_for() {
    if !has_tool("setsid") {
        return;
    }
    let sandbox = a_set();
    let run = on_terminal(&sandbox, "jwks delete api second", "n\n", &[]);
    assert_eq!(run.code, Some(4), "{run:#?}");
    assert!(
        run.stdout
            .contains("second (RS256, active, with its private part). Continue? [y/N]"),
        "{run:#?}"
    );
    assert!(run.stdout.contains("nothing was changed"), "{run:#?}");
    assert!(sandbox.read_set("api").contains("second"));
    on_terminal(&sandbox, "jwks delete api second", "y\n", &[]).ok();
    assert!(!sandbox.read_set("api").contains("second"));
    let run = on_terminal(&sandbox, "jwks delete api --no-input", "", &[]);
    assert_eq!(run.code, Some(4), "{run:#?}");
    assert!(!run.stdout.contains("[y/N]"), "{run:#?}");
}

#[test]
fn a_secret_is_typed_twice_and_not_shown() {
    if !has_tool("setsid") {
        return;
    }
    let sandbox = Sandbox::new();
    let set = "jwks set mac --from secret --kid k";
    let run = on_terminal(&sandbox, set, "correct horse\ncorrect horse\n", &[]).ok();
    assert!(!run.stdout.contains("correct"), "{run:#?}");
    let key = sandbox.json(["get", "mac", "k", "--set", "--private"]);
    assert_eq!(key["keys"][0]["k"], "Y29ycmVjdCBob3JzZQ");
    let run = on_terminal(
        &sandbox,
        "jwks set two --from secret",
        "correct horse\ncorect horse\n",
        &[],
    );
    assert_eq!(run.code, Some(7), "{run:#?}");
    let words = "you typed two different values for the ";
    assert!(run.stdout.contains(words), "{run:#?}");
    assert!(!sandbox.set_file("two").exists());
}

/// Ctrl-D at a question is no answer.
#[test]
fn an_end_of_input_is_no_answer() {
    if !has_tool("setsid") {
        return;
    }
    let sandbox = a_set();
    let run = on_terminal(
        &sandbox,
        "jwks delete api second",
        "\u{4}",
        &[("NO_COLOR", "1")],
    );
    assert_eq!(run.code, Some(4), "{run:#?}");
    let words = "[y/N] \r\nerror: no answer; nothing was changed\r\n  hint: type y to confirm, or pass --yes";
    assert!(run.stdout.contains(words), "{run:#?}");
    assert!(sandbox.read_set("api").contains("second"));
    let run = on_terminal(
        &sandbox,
        "jwks create mac --encrypt",
        "\u{4}",
        &[("NO_COLOR", "1")],
    );
    assert_eq!(run.code, Some(7), "{run:#?}");
    let words = "\r\nerror: no passphrase of set mac was given\r\n  hint: type it, and press Enter";
    assert!(run.stdout.contains(words), "{run:#?}");
    assert!(!sandbox.set_file("mac").exists());
}

/// The password of a file and the passphrase of its set are asked for by name, and neither is shown.
#[test]
fn a_password_is_typed_twice_for_a_file() {
    if !has_tool("setsid") || !has_tool("openssl") {
        return;
    }
    let sandbox = Sandbox::new();
    sandbox.write("passphrase.txt", "of the set");
    let create = "create api --kid first --encrypt --p2c 1000 --passphrase-file passphrase.txt";
    sandbox.ok(create.split(' '));
    let export = "jwks export api first --to pkcs12 --private -o first.p12";
    let typed = "of the set\ncorrect horse\ncorrect horse\n";
    let run = on_terminal(&sandbox, export, typed, &[]).ok();
    for asked in [
        "assphrase of set api: ",
        "New password of the PKCS#12 file first.p12: ",
        "The password of the PKCS#12 file first.p12 again: ",
    ] {
        assert!(run.stdout.contains(asked), "{asked}: {run:#?}");
    }
    assert!(!run.stdout.contains("correct"), "{run:#?}");
    sandbox
        .shell("openssl pkcs12 -in first.p12 -passin 'pass:correct horse' -nodes -noout")
        .ok();
    for (typed, said) in [
        ("of the set\none\ntwo\n", "two different values"),
        (
            "of the set\n\n",
            "the password of the PKCS#12 file other.p12 is empty",
        ),
    ] {
        let export = "jwks export api first --to pkcs12 --private -o other.p12";
        let run = on_terminal(&sandbox, export, typed, &[]);
        assert_eq!(run.code, Some(7), "{run:#?}");
        assert!(run.stdout.contains(said), "{run:#?}");
        assert!(!sandbox.path().join("other.p12").exists());
    }
    // What cannot be written is said before anybody types.
    let run = on_terminal(&sandbox, export, "of the set\n", &[]);
    assert_eq!(run.code, Some(4), "{run:#?}");
    assert!(run.stdout.contains("first.p12 already exists"), "{run:#?}");
}

#[test]
fn is_coloreds_are_for_terminals_and_no_color_is_respected() {
    if !has_tool("setsid") {
        return;
    }
    let sandbox = a_set();
    let is_colored = |run: Run| run.ok().stdout.contains("\u{1b}[");
    assert!(is_colored(on_terminal(&sandbox, "jwks list api", "", &[])));
    assert!(!is_colored(on_terminal(
        &sandbox,
        "jwks list api",
        "",
        &[("NO_COLOR", "1")]
    )));
    assert!(is_colored(on_terminal(
        &sandbox,
        "jwks list api",
        "",
        &[("NO_COLOR", "")]
    )));
    assert!(!is_colored(on_terminal(
        &sandbox,
        "jwks list api --color never",
        "",
        &[]
    )));
    assert!(is_colored(on_terminal(
        &sandbox,
        "jwks list api --color always",
        "",
        &[("NO_COLOR", "1")]
    )));
    assert!(!is_colored(sandbox.run(["list", "api"])));
    assert!(is_colored(
        sandbox.run(["list", "api", "--color", "always"])
    ));
}

#[test]
fn tables_keep_to_eighty_columns() {
    if !has_tool("setsid") {
        return;
    }
    let sandbox = Sandbox::new();
    sandbox.ok(["create", "api", "--exp", "+30d"]);
    sandbox.ok(["create", "api", "--alg", "ECDH-ES+A256KW", "--nbf", "+1h"]);
    sandbox.ok([
        "create",
        "a-set-with-a-name-that-is-longer-than-most-people-would-choose",
    ]);
    let long = "k".repeat(10_000);
    sandbox.ok(["create", "api", "--kid", &long]);
    for line in [
        "jwks list",
        "jwks list api",
        "jwks list api --timeline",
        "jwks check api --public",
    ] {
        let run = on_terminal(&sandbox, line, "", &[("NO_COLOR", "1")]);
        assert!(!run.stdout.is_empty());
        for row in run.stdout.lines().filter(|row| !row.starts_with("error")) {
            assert!(row.trim_end().chars().count() <= 80, "{line}: {row}");
        }
    }
    let rows = on_terminal(&sandbox, "jwks list api", "", &[("NO_COLOR", "1")])
        .ok()
        .stdout;
    assert_eq!(rows.lines().count(), 4, "one line a key: {rows}");
    assert!(
        rows.contains('…') && rows.contains("ECDH-ES+A256KW"),
        "{rows}"
    );
}

#[test]
fn long_work_shows_progress_on_a_terminal_only() {
    if !has_tool("setsid") {
        return;
    }
    let sandbox = Sandbox::new();
    let run = on_terminal(&sandbox, "jwks create api --count 20 --alg ES512", "", &[]).ok();
    assert!(
        run.stdout.contains("generating keys: EC, P-521") && run.stdout.contains("/20"),
        "{run:#?}"
    );
    let run = sandbox.run(["create", "api", "--count", "3"]).ok();
    assert!(!run.stderr.contains("generating"), "{run:#?}");
    let created = "created 3 keys in set api: ES256 (EC, P-256)\n";
    assert!(run.stderr.ends_with(created), "{run:#?}");
    let run = on_terminal(&sandbox, "jwks create api --count 20 --quiet", "", &[]).ok();
    assert_eq!(run.stdout.lines().count(), 20, "{run:#?}");
}
