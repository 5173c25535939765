//! A passphrase that is given demands that the set is encrypted, and so does `--require-encrypted`.

use super::{PASSPHRASE, desk, open, read_jwe, run, secret_file, with, with_a_set};
use crate::servers::hydra::{Hydra, Version};
use crate::support::{JWKS, Run, Sandbox, finish};
use std::fs;

/// What changes a set, or sends it on.
const WRITES: [&str; 10] = [
    "create plain",
    "set plain own.json",
    "set plain own.json --replace --yes",
    "set plain --exp +1d",
    "delete plain p --yes --force",
    "delete plain --yes --force",
    "rotate plain --force",
    "rotate plain --force --dry-run",
    "rotate plain --every 30d",
    "push plain prod --yes",
];

/// What only reads it.
const READS: [&str; 6] = [
    "list plain",
    "get plain",
    "get plain --private",
    "export plain",
    "thumbprint plain",
    "diff plain prod:other",
];

/// A plain set `plain`, a key in `own.json`, and a server `prod`.
fn with_a_plain_set() -> (Sandbox, Hydra) {
    let sandbox = desk();
    run(&sandbox, "create own --store elsewhere").ok();
    let own = run(&sandbox, "get own --private --store elsewhere").ok();
    sandbox.write("own.json", own.stdout);
    run(&sandbox, "create plain --kid p").ok();
    let hydra = Hydra::start(Version::V2_2);
    let add = format!("remote add prod --kind hydra --url {}", hydra.address());
    run(&sandbox, &add).ok();
    (sandbox, hydra)
}

/// Runs a command line with a variable in the environment.
fn in_environment(sandbox: &Sandbox, (name, value): (&str, &str), line: &str) -> Run {
    let mut command = sandbox.command(JWKS);
    finish(command.env(name, value).args(line.split_whitespace()))
}

#[test]
fn a_given_passphrase_refuses_to_write_a_plain_set_and_to_check_it() {
    let (sandbox, hydra) = with_a_plain_set();
    let before = sandbox.read_set("plain");
    for line in WRITES.iter().chain(&["check plain"]) {
        let run = open(&sandbox, line).fails(4);
        let message = "set plain is not encrypted, but --passphrase-file gives a passphrase";
        assert!(run.stderr.contains(message), "{line}: {run:#?}");
        assert!(run.stderr.contains("jwks passwd plain"), "{line}: {run:#?}");
        assert!(!run.stderr.contains("warning"), "{line}: {run:#?}");
        assert_eq!(sandbox.read_set("plain"), before, "{line}");
        assert!(hydra.keys("plain").is_empty(), "{line}");
        assert_eq!(sandbox.store_entries(), [".lock", "plain.json"], "{line}");
    }
    // Each way to give one counts, before it is gone.
    for (variable, line) in [
        (("JWKS_PASSPHRASE", PASSPHRASE), "create plain"),
        (("JWKS_PASSPHRASE_FILE", "nowhere.txt"), "create plain"),
        (("HOME", "x"), "create plain --passphrase-command false"),
    ] {
        let run = in_environment(&sandbox, variable, line).fails(4);
        let source = match variable.0 {
            "HOME" => "--passphrase-command",
            name => name,
        };
        assert!(
            run.stderr.contains(&format!("{source} gives a passphrase")),
            "{run:#?}"
        );
    }
    // The way out that the hint names.
    open(&sandbox, "passwd plain --p2c 1000").ok();
    open(&sandbox, "create plain").ok();
    open(&sandbox, "check plain").ok();
}

/// Whoever changes a passphrase hears that there was none.
#[test]
fn passwd_warns_of_a_plain_set_that_gets_another_passphrase_than_the_given_one() {
    let (sandbox, _hydra) = with_a_plain_set();
    let line = "passwd plain --new-passphrase-file next.txt --p2c 1000";
    let run = open(&sandbox, line).ok();
    assert!(
        run.stderr
            .contains("plain is not encrypted, but --passphrase-file gives a passphrase"),
        "{run:#?}"
    );
}

#[test]
fn a_given_passphrase_warns_of_a_plain_set_that_is_read() {
    let (sandbox, _hydra) = with_a_plain_set();
    for line in READS.iter().chain(&["list"]) {
        let plain = run(&sandbox, line);
        let warned = open(&sandbox, line);
        assert_eq!(warned.code, plain.code, "{line}: {warned:#?}");
        let warning = "warning: set plain is not encrypted, but --passphrase-file gives";
        assert!(warned.stderr.contains(warning), "{line}: {warned:#?}");
        assert!(
            !plain.stderr.contains("not encrypted"),
            "{line}: {plain:#?}"
        );
    }
}

#[test]
fn a_new_set_is_not_silently_stored_without_encryption() {
    let (sandbox, _hydra) = with_a_plain_set();
    for line in ["create new", "set new own.json"] {
        let run = open(&sandbox, line).fails(4);
        assert!(
            run.stderr.contains("set new would not be encrypted"),
            "{run:#?}"
        );
        assert!(run.stderr.contains("--encrypt"), "{run:#?}");
    }
    run(&sandbox, "push plain prod:there --yes").ok();
    let pull = open(&sandbox, "pull prod:there new --yes").fails(4);
    assert!(pull.stderr.contains("would not be encrypted"), "{pull:#?}");
    assert_eq!(sandbox.store_entries(), [".lock", "plain.json"]);
    open(&sandbox, "create new --encrypt --p2c 1000").ok();
    assert!(read_jwe(&sandbox, "new").starts_with("ey"));
    // A missing set is a missing set.
    for line in ["rotate none --force", "set none --exp +1d", "check none"] {
        open(&sandbox, line).fails(3);
    }
}

/// Whoever can write into the keystore puts a plain set in the place of an encrypted one.
#[test]
fn a_plain_set_in_the_place_of_an_encrypted_one_is_noticed() {
    for name in ["api.json", "api.jwe"] {
        let sandbox = with_a_set();
        run(&sandbox, "create api --kid evil --store elsewhere").ok();
        let planted = fs::read(sandbox.path().join("elsewhere/api.json")).expect("a set");
        fs::remove_file(sandbox.store().join("api.jwe")).expect("the set");
        fs::write(sandbox.store().join(name), &planted).expect("a planted set");
        for line in [
            "check api",
            "create api",
            "rotate api --every 30d",
            "set api --exp +1d",
        ] {
            open(&sandbox, line).fails(4);
        }
        let left = fs::read(sandbox.store().join(name)).expect("the planted set");
        assert_eq!(left, planted);
        assert_eq!(sandbox.store_entries(), [".lock", name]);
    }
}

#[test]
fn a_rotation_with_nothing_to_do_opens_the_set() {
    let sandbox = with_a_set();
    for line in ["rotate api --every 30d", "rotate api --every 30d --save"] {
        with(&sandbox, "next.txt", line).fails(7);
        assert_eq!(sandbox.store_entries(), [".lock", "api.jwe"], "{line}");
        run(&sandbox, &line.replace(" --save", "")).ok();
    }
    let idle = open(&sandbox, "rotate api --every 30d").ok();
    assert!(idle.stderr.contains("nothing to do"), "{idle:#?}");
}

/// A job that has the passphrase in its environment hears of each plain set, and the others go on.
#[test]
fn several_sets_are_reported_one_by_one() {
    let (sandbox, hydra) = with_a_plain_set();
    open(&sandbox, "create secret --encrypt --p2c 1000 --kid s").ok();
    run(&sandbox, "create web --kid w").ok();
    for set in ["plain", "secret", "web"] {
        run(&sandbox, &format!("rotate {set} --every 30d --save")).ok();
    }
    let given = ("JWKS_PASSPHRASE", PASSPHRASE);
    let said = |run: &Run, set: &str| {
        let message =
            format!("error: set {set} is not encrypted, but JWKS_PASSPHRASE gives a passphrase");
        run.stderr.matches(&message).count()
    };
    let rotate = in_environment(&sandbox, given, "rotate --all --force").fails(4);
    let push = in_environment(&sandbox, given, "push --all prod --yes").fails(4);
    for run in [&rotate, &push] {
        assert_eq!((said(run, "plain"), said(run, "web")), (1, 1), "{run:#?}");
        assert!(run.stderr.contains("2 sets not"), "{run:#?}");
        assert!(!run.stderr.contains("set secret is not"), "{run:#?}");
    }
    assert!(rotate.stderr.contains("secret: staged"), "{rotate:#?}");
    let keys = |set: &str| hydra.keys(set).len();
    assert_eq!((keys("plain"), keys("web"), keys("secret")), (0, 0, 2));
    let list = in_environment(&sandbox, given, "list").ok();
    let warning = "sets plain, web are not encrypted, but JWKS_PASSPHRASE gives a passphrase";
    assert!(list.stderr.contains(warning), "{list:#?}");
    in_environment(&sandbox, given, "check secret").ok();
}

#[test]
fn encryption_can_be_required() {
    let (sandbox, _hydra) = with_a_plain_set();
    let before = sandbox.read_set("plain");
    let lines = || WRITES.iter().chain(&READS).chain(&["check plain"]);
    for line in lines() {
        let run = run(&sandbox, &format!("{line} --require-encrypted")).fails(4);
        let message = "set plain is not encrypted, but --require-encrypted refuses plain sets";
        assert!(run.stderr.contains(message), "{line}: {run:#?}");
        assert_eq!(run.stdout, "", "{line}");
        assert_eq!(sandbox.read_set("plain"), before, "{line}");
    }
    let on = ("JWKS_REQUIRE_ENCRYPTED", "1");
    for line in lines() {
        let run = in_environment(&sandbox, on, line).fails(4);
        assert!(
            run.stderr.contains("JWKS_REQUIRE_ENCRYPTED refuses"),
            "{run:#?}"
        );
    }
    for value in ["", "0", "no", "false"] {
        in_environment(&sandbox, ("JWKS_REQUIRE_ENCRYPTED", value), "get plain").ok();
    }
    in_environment(&sandbox, on, "create new").fails(4);
    assert_eq!(sandbox.store_entries(), [".lock", "plain.json"]);
}

#[test]
fn names_are_listed_all_the_same_where_encryption_is_required() {
    let sandbox = with_a_set();
    run(&sandbox, "list --require-encrypted").ok();
    run(&sandbox, "create plain").ok();
    for (line, names) in [
        ("list --require-encrypted --format names", "api\nplain\n"),
        ("list --require-encrypted", "plain"),
        ("list --require-encrypted --json", "plain"),
    ] {
        let run = run(&sandbox, line).fails(4);
        assert!(run.stdout.contains(names), "{line}: {run:#?}");
        assert!(
            run.stderr.contains("set plain is not encrypted"),
            "{run:#?}"
        );
    }
}

#[test]
fn what_is_required_can_be_had() {
    let sandbox = desk();
    run(&sandbox, "create plain --kid p").ok();
    let required = |line: &str| open(&sandbox, &format!("{line} --require-encrypted"));
    required("passwd plain --p2c 1000").ok();
    required("create new --encrypt --p2c 1000").ok();
    for line in [
        "create plain",
        "check plain",
        "get plain",
        "list",
        "rotate plain --force",
    ] {
        required(line).ok();
    }
    let remove = required("passwd plain --remove").fails(4);
    assert!(remove.stderr.contains("plain set"), "{remove:#?}");
    assert_eq!(sandbox.store_entries(), [".lock", "new.jwe", "plain.jwe"]);
    // It is no passphrase: without one the sets stay closed.
    secret_file(&sandbox, "unused", "");
    run(&sandbox, "get plain --private --require-encrypted").fails(7);
}
