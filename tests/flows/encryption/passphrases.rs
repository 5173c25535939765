//! The ways to a passphrase, which one counts, and what is said where there is none.

use super::{NEXT, PASSPHRASE, desk, open, read_jwe, run, secret_file, with, with_a_set};
use crate::support::{Run, Sandbox, finish};
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::PermissionsExt as _;

/// Runs a command line with variables in the environment.
fn in_environment(sandbox: &Sandbox, variables: &[(&str, &str)], line: &str) -> Run {
    let mut command = sandbox.command(crate::support::JWKS);
    let variables = variables.iter().copied();
    finish(command.envs(variables).args(line.split_whitespace()))
}

const GET: &str = "get api --private";

#[test]
fn there_are_five_ways_and_each_has_its_place() {
    let sandbox = with_a_set();
    secret_file(&sandbox, "wrong.txt", "wrong");
    let (file, variable) = ("JWKS_PASSPHRASE_FILE", "JWKS_PASSPHRASE");
    let key = open(&sandbox, GET).ok().stdout;
    let given = |variables: &[(&str, &str)], options: &[&str]| {
        let mut command = sandbox.command(crate::support::JWKS);
        command.envs(variables.iter().copied());
        finish(command.args(["get", "api", "--private"]).args(options))
    };
    let right = ["--passphrase-file", "passphrase.txt"];
    let wrong = ["--passphrase-file", "wrong.txt"];
    let right_command = ["--passphrase-command", "cat passphrase.txt"];
    let wrong_command = ["--passphrase-command", "cat wrong.txt"];
    // An option before a variable, a file before the passphrase itself.
    for (opens, run) in [
        (true, given(&[], &right)),
        (true, given(&[], &right_command)),
        (true, given(&[(file, "passphrase.txt")], &[])),
        (true, given(&[(variable, PASSPHRASE)], &[])),
        (
            true,
            given(&[(file, "wrong.txt"), (variable, "wrong")], &right),
        ),
        (
            true,
            given(&[(file, "wrong.txt"), (variable, "wrong")], &right_command),
        ),
        (
            true,
            given(&[(file, "passphrase.txt"), (variable, "wrong")], &[]),
        ),
        (
            false,
            given(&[(file, "passphrase.txt"), (variable, PASSPHRASE)], &wrong),
        ),
        (
            false,
            given(
                &[(file, "passphrase.txt"), (variable, PASSPHRASE)],
                &wrong_command,
            ),
        ),
        (
            false,
            given(&[(file, "wrong.txt"), (variable, PASSPHRASE)], &[]),
        ),
        // An empty variable is none.
        (true, given(&[(file, ""), (variable, PASSPHRASE)], &[])),
    ] {
        if opens {
            assert_eq!(run.ok().stdout, key)
        } else {
            drop(run.fails(7))
        }
    }
    let piped = ["get", "api", "--private", "--passphrase-file", "-"];
    assert_eq!(sandbox.run_with_input(piped, PASSPHRASE).ok().stdout, key);
    let mut both = right.to_vec();
    both.extend(right_command);
    given(&[], &both).fails(2);
}

/// One line, without its end and with every blank and every byte that it has.
#[test]
fn the_passphrase_is_the_first_line_as_it_is() {
    let sandbox = desk();
    for (i, (passphrase, file)) in [
        ("simple", "simple\n"),
        ("simple", "simple\r\n"),
        ("simple", "simple\nand more\n"),
        ("simple", "simple\r\nand more"),
        (" blanks  on all sides\t", " blanks  on all sides\t\n"),
        (NEXT, NEXT),
        // One letter, and a letter with an accent: what looks the same need not be the same.
        ("e\u{301}", "e\u{301}\n"),
        ("\u{1f600}", "\u{1f600}"),
        ("\u{feff}marked", "\u{feff}marked\n"),
    ]
    .into_iter()
    .enumerate()
    {
        let set = format!("s{i}");
        let create = format!("create {set} --encrypt --p2c 1000");
        in_environment(&sandbox, &[("JWKS_PASSPHRASE", passphrase)], &create).ok();
        secret_file(&sandbox, "file.txt", file);
        let get = format!("get {set} --private");
        with(&sandbox, "file.txt", &get).ok();
        let trimmed = passphrase.trim();
        if trimmed != passphrase {
            in_environment(&sandbox, &[("JWKS_PASSPHRASE", trimmed)], &get).fails(7);
        }
    }
    let composed = [("JWKS_PASSPHRASE", "\u{e9}")];
    in_environment(&sandbox, &composed, "get s6 --private").fails(7);
}

#[test]
fn a_new_passphrase_is_never_empty() {
    let sandbox = with_a_set();
    let before = read_jwe(&sandbox, "api");
    run(&sandbox, "create plain").ok();
    let own = sandbox.ok(["get", "plain", "--private"]);
    sandbox.write("own.json", own);
    for (name, content) in [
        ("empty.txt", ""),
        ("line.txt", "\nsecond line\n"),
        ("crlf.txt", "\r\n"),
    ] {
        secret_file(&sandbox, name, content);
        for line in [
            "create new --encrypt",
            "set new own.json --encrypt",
            "passwd plain",
        ] {
            let run = with(&sandbox, name, line).fails(7);
            assert!(run.stderr.contains("is empty"), "{line}: {run:#?}");
        }
        let change = format!("passwd api --new-passphrase-file {name}");
        let run = open(&sandbox, &change).fails(7);
        assert!(run.stderr.contains("is empty"), "{run:#?}");
        // An old one that is empty is a wrong one.
        with(&sandbox, name, GET).fails(7);
    }
    let entries = [".lock", "api.jwe", "plain.json"];
    assert_eq!(sandbox.store_entries(), entries);
    assert_eq!(read_jwe(&sandbox, "api"), before);
}

#[test]
fn standard_input_is_the_passphrase_or_the_file() {
    let sandbox = with_a_set();
    let before = read_jwe(&sandbox, "api");
    run(&sandbox, "create own --kid own").ok();
    let own = sandbox.ok(["get", "own", "own", "--private"]);
    sandbox.write("own.json", &own);
    for line in [
        "set api - --passphrase-file -",
        "passwd api --passphrase-file - --new-passphrase-file -",
    ] {
        let run = sandbox.run_with_input(line.split(' '), PASSPHRASE).fails(2);
        assert!(run.stderr.contains("standard input"), "{line}: {run:#?}");
        assert!(run.stderr.contains("hint: "), "{line}: {run:#?}");
    }
    assert_eq!(read_jwe(&sandbox, "api"), before);
    let line = "set api --passphrase-file -";
    let run = sandbox.run_with_input(line.split(' '), PASSPHRASE).fails(2);
    assert!(run.stderr.contains("no keys were given"), "{run:#?}");
    for (line, input) in [
        ("set api own.json --passphrase-file -", PASSPHRASE),
        ("set api - --passphrase-file passphrase.txt", &own),
        (
            "passwd api --passphrase-file passphrase.txt --new-passphrase-file - --p2c 1000",
            NEXT,
        ),
        (
            "passwd api --passphrase-file - --new-passphrase-file passphrase.txt --p2c 1000",
            NEXT,
        ),
    ] {
        sandbox.run_with_input(line.split(' '), input).ok();
    }
    open(&sandbox, GET).ok();
}

#[test]
fn where_there_is_none_the_ways_are_named() {
    let sandbox = with_a_set();
    let before = read_jwe(&sandbox, "api");
    run(&sandbox, "create plain --kid p").ok();
    for line in [
        "get api --private",
        "export api --private -o out.json",
        "create api",
        "create new --encrypt",
        "set api --exp +1d",
        "delete api first --yes --force",
        "check api",
        "rotate api --force",
        "passwd plain",
        "passwd api --remove",
        "passwd api --new-passphrase-file next.txt",
    ] {
        let said = run(&sandbox, line).fails(7);
        assert_eq!(said.stdout, "", "{line}");
        assert!(said.stderr.contains("is needed"), "{line}: {said:#?}");
        for way in [
            "--passphrase-file",
            "--passphrase-command",
            "JWKS_PASSPHRASE_FILE",
            "JWKS_PASSPHRASE",
            "terminal",
        ] {
            assert!(said.stderr.contains(way), "{line}: {said:#?}");
        }
        let error = run(&sandbox, &format!("{line} --json")).fails(7).error();
        assert_eq!(error["kind"], "denied", "{line}");
    }
    let run = open(&sandbox, "passwd api").fails(7);
    assert!(run.stderr.contains("--new-passphrase-file"), "{run:#?}");
    assert_eq!(read_jwe(&sandbox, "api"), before);
    assert_eq!(sandbox.store_entries(), [".lock", "api.jwe", "plain.json"]);
}

/// What nobody asked a passphrase for does not look for one.
#[test]
fn a_way_that_is_not_needed_is_not_gone() {
    let sandbox = with_a_set();
    run(&sandbox, "create plain").ok();
    for line in [
        "list",
        "list api",
        "get api",
        "export api",
        "thumbprint api",
        "get plain --private",
    ] {
        let command = ["--passphrase-command", "touch asked; false"];
        sandbox.run(line.split(' ').chain(command)).ok();
        with(&sandbox, "nowhere.txt", line).ok();
    }
    assert!(!sandbox.path().join("asked").exists());
}

#[test]
fn a_way_that_leads_nowhere_is_an_error() {
    let sandbox = with_a_set();
    let before = read_jwe(&sandbox, "api");
    secret_file(&sandbox, "latin.txt", b"caf\xe9\n");
    secret_file(&sandbox, "long.txt", "x".repeat(70_000));
    with(&sandbox, "nowhere.txt", GET).fails(3);
    with(&sandbox, ".", GET).fails(1);
    for (file, what) in [("latin.txt", "UTF-8"), ("long.txt", "larger")] {
        let run = with(&sandbox, file, GET).fails(5);
        assert!(
            run.stderr.contains(file) && run.stderr.contains(what),
            "{run:#?}"
        );
        assert!(!run.stderr.contains("caf"), "{run:#?}");
    }
    for (command, what) in [
        ("exit 3", "failed"),
        ("no-such-command-anywhere", "failed"),
        ("printf 'caf\\351'", "UTF-8"),
        ("yes", "more than 64 KiB"),
    ] {
        let line = ["get", "api", "--private", "--passphrase-command", command];
        let run = sandbox.run(line);
        assert!(matches!(run.code, Some(1 | 5)), "{command}: {run:#?}");
        assert!(run.stderr.contains(what), "{command}: {run:#?}");
    }
    let mut latin = sandbox.command(crate::support::JWKS);
    latin.env("JWKS_PASSPHRASE", OsStr::from_bytes(b"caf\xe9"));
    let run = finish(latin.args(GET.split(' '))).fails(5);
    assert!(
        run.stderr.contains("JWKS_PASSPHRASE") && run.stderr.contains("UTF-8"),
        "{run:#?}"
    );
    assert_eq!(read_jwe(&sandbox, "api"), before);
}

#[test]
fn a_file_that_others_can_read_is_warned_about() {
    let sandbox = with_a_set();
    let path = sandbox.path().join("passphrase.txt");
    fs::set_permissions(path, fs::Permissions::from_mode(0o644)).expect("a mode");
    let run = open(&sandbox, GET).ok();
    assert!(
        run.stderr.contains("run `chmod 600 passphrase.txt`"),
        "{run:#?}"
    );
    assert_eq!(run.stderr.matches("chmod").count(), 1, "{run:#?}");
}

/// Whatever byte of the file is another one, it opens no more; and where the cipher finds that, it
/// says what it says of a wrong passphrase.
#[test]
fn damage_and_a_wrong_passphrase_give_the_same_error() {
    let sandbox = with_a_set();
    let whole = read_jwe(&sandbox, "api");
    let wrong = with(&sandbox, "next.txt", GET).fails(7);
    assert!(
        wrong
            .stderr
            .contains("wrong passphrase, or the encrypted document is damaged")
    );
    let path = sandbox.store().join("api.jwe");
    let parts: Vec<&str> = whole.split('.').collect();
    for part in 0..5 {
        for position in [0, parts[part].len() / 2, parts[part].len() - 2] {
            let mut damaged: Vec<String> = parts.iter().map(|part| (*part).to_owned()).collect();
            let old = &parts[part][position..=position];
            let new = if old == "A" { "B" } else { "A" };
            damaged[part].replace_range(position..=position, new);
            let damaged = damaged.join(".");
            fs::write(&path, &damaged).expect("a damaged file");
            for line in [GET, "create api", "passwd api --remove", "check api"] {
                let run = open(&sandbox, line);
                let is_header = part == 0 && run.code == Some(5);
                if !is_header {
                    let run = run.fails(7);
                    assert_eq!(
                        run.stderr, wrong.stderr,
                        "part {part} at {position}: {line}"
                    );
                }
                let left = fs::read_to_string(&path).expect("the file");
                assert_eq!(left, damaged, "part {part} at {position}: {line}");
            }
        }
    }
    assert_eq!(sandbox.store_entries(), [".lock", "api.jwe"]);
    fs::write(&path, whole).expect("the old file");
    open(&sandbox, GET).ok();
}

/// A text file that lost its end, and one that is empty.
#[test]
fn a_torn_file_is_refused_and_left() {
    let sandbox = with_a_set();
    let whole = read_jwe(&sandbox, "api");
    let path = sandbox.store().join("api.jwe");
    for length in [0, 1, whole.len() / 2, whole.len() - 1] {
        let torn = &whole[..length];
        fs::write(&path, torn).expect("a torn file");
        for line in [GET, "get api", "create api", "delete api --yes --force"] {
            open(&sandbox, line).fails(5);
            assert_eq!(fs::read_to_string(&path).expect("the file"), torn, "{line}");
        }
        run(&sandbox, "list").fails(5);
    }
}

/// What cannot be rotated gets no schedule, either.
#[test]
fn a_missing_passphrase_saves_nothing() {
    let sandbox = with_a_set();
    let before = read_jwe(&sandbox, "api");
    let rotate = "rotate api --every 30d --force --save";
    run(&sandbox, rotate).fails(7);
    assert_eq!(read_jwe(&sandbox, "api"), before);
    assert_eq!(sandbox.store_entries(), [".lock", "api.jwe"]);
    open(&sandbox, rotate).ok();
    assert_eq!(
        sandbox.store_entries(),
        [".lock", ".schedules.json", "api.jwe"]
    );
}
