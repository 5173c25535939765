//! `passwd`: a set becomes encrypted, gets another passphrase, and becomes plain again.

use super::{desk, header, open, parts, read_jwe, run, with, with_a_set};
use crate::support::{Run, Sandbox};
use serde_json::Value;
use std::fs;

/// A set as others may have written it: members that jwks does not know, and numbers to the last digit.
const BY_HAND: &str = r#"{
  "title": "by hand", "keys": [
    {"kty":"OKP","note":{"a":[1,2.50]},"crv":"Ed25519","n":1,"x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
     "d":"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A","kid":"by-hand"},
    {"kty":"XYZ","priv":"c2VjcmV0","big":12345678901234567890123.50}],
  "number": 1.0e5
}
"#;

/// The private set, whatever opens it.
fn content(sandbox: &Sandbox, file: &str) -> String {
    with(sandbox, file, "get api --private -q").ok().stdout
}

#[test]
fn a_set_goes_all_the_way_and_keeps_what_is_in_it() {
    let sandbox = desk();
    run(&sandbox, "create api").ok();
    fs::write(sandbox.set_file("api"), BY_HAND).expect("a set");
    run(&sandbox, "rotate api --every 30d --save --now 2026-01-05").ok();
    let set: Value = run(&sandbox, "get api --private").ok().json();
    let schedules =
        || fs::read_to_string(sandbox.store().join(".schedules.json")).expect("schedules");
    let (plain, saved) = (sandbox.read_set("api"), schedules());
    assert!(plain.contains("12345678901234567890123.50") && plain.contains("1.0e5"));

    let said = |run: Run| run.ok().stderr;
    let encrypt = said(open(&sandbox, "passwd api"));
    let deleted = "deleted 1 earlier version of set api, which the new passphrase did not protect";
    assert_eq!(encrypt, format!("set api is encrypted\n{deleted}\n"));
    assert_eq!(header(&read_jwe(&sandbox, "api"))["p2c"], 600_000);
    let change = said(open(
        &sandbox,
        "passwd api --new-passphrase-file next.txt --p2c 150000",
    ));
    assert_eq!(change, "set api has a new passphrase\n");
    assert_eq!(header(&read_jwe(&sandbox, "api"))["p2c"], 150_000);
    open(&sandbox, "get api --private").fails(7);
    assert_eq!(
        with(&sandbox, "next.txt", "get api --private").ok().json(),
        set
    );
    assert_eq!(schedules(), saved);
    let entries = [".lock", ".schedules.json", "api.jwe"];
    assert_eq!(sandbox.store_entries(), entries);

    let remove = said(with(&sandbox, "next.txt", "passwd api --remove"));
    assert_eq!(remove, "set api is no longer encrypted\n");
    let entries = [".lock", ".schedules.json", "api.json"];
    assert_eq!((sandbox.read_set("api"), schedules()), (plain, saved));
    assert_eq!(sandbox.store_entries(), entries);
}

/// Without --p2c it is what a new set gets, however many there were.
#[test]
fn a_new_passphrase_gets_the_iterations_of_new_sets() {
    let sandbox = with_a_set();
    open(&sandbox, "passwd api --new-passphrase-file next.txt").ok();
    assert_eq!(header(&read_jwe(&sandbox, "api"))["p2c"], 600_000);
}

#[test]
fn what_is_not_so_is_refused() {
    let sandbox = with_a_set();
    run(&sandbox, "create plain").ok();
    let before = (read_jwe(&sandbox, "api"), sandbox.read_set("plain"));
    for (line, code) in [
        ("passwd nobody", 3),
        ("passwd api nobody --new-passphrase-file next.txt", 3),
        ("passwd api --remove --p2c 1000", 2),
        ("passwd api --remove --new-passphrase-file next.txt", 2),
        ("passwd api --new-passphrase-file nowhere.txt", 3),
        ("passwd ../api", 2),
        ("passwd", 2),
    ] {
        let failed = open(&sandbox, line).fails(code);
        assert_eq!(failed.stdout, "", "{line}");
        let after = (read_jwe(&sandbox, "api"), sandbox.read_set("plain"));
        assert_eq!(after, before, "{line}");
    }
    assert_eq!(sandbox.store_entries(), [".lock", "api.jwe", "plain.json"]);
}

#[test]
fn one_wrong_passphrase_of_several_changes_nothing() {
    let sandbox = with_a_set();
    open(&sandbox, "create second --encrypt --p2c 1000").ok();
    with(&sandbox, "next.txt", "create third --encrypt --p2c 1000").ok();
    let all = || ["api", "second", "third"].map(|set| read_jwe(&sandbox, set));
    let before = all();
    for line in [
        "passwd api second third --new-passphrase-file next.txt",
        "passwd third second api --new-passphrase-file next.txt",
        "passwd api second third --remove",
    ] {
        let run = open(&sandbox, line).fails(7);
        assert!(run.stderr.contains("third.jwe"), "{run:#?}");
        assert_eq!(all(), before, "{line}");
    }
}

/// Plain and encrypted sets get the new passphrase together; a set that is named twice gets it once.
#[test]
fn several_sets_get_one_passphrase() {
    let sandbox = with_a_set();
    run(&sandbox, "create plain").ok();
    let change = "passwd api plain api --new-passphrase-file next.txt --p2c 1000";
    let run = open(&sandbox, change).ok();
    assert_eq!(
        run.stderr.matches("set api").count(),
        2,
        "once, and a warning: {run:#?}"
    );
    for set in ["api", "plain"] {
        with(&sandbox, "next.txt", &format!("get {set} --private")).ok();
    }
    let remove = "passwd api api plain --remove";
    with(&sandbox, "next.txt", remove).ok();
    assert_eq!(sandbox.store_entries(), [".lock", "api.json", "plain.json"]);
    // Nothing is left to do.
    let again = with(&sandbox, "next.txt", remove).ok();
    assert!(
        again.stderr.contains("set api is not encrypted"),
        "{again:#?}"
    );
    open(&sandbox, "passwd api plain api --p2c 1000").ok();
    assert_eq!(sandbox.store_entries(), [".lock", "api.jwe", "plain.jwe"]);
}

/// A plain and an encrypted file of one name: nobody guesses which one is meant.
#[test]
fn a_set_that_is_there_twice_is_not_touched() {
    let sandbox = with_a_set();
    run(&sandbox, "create other").ok();
    fs::copy(sandbox.set_file("other"), sandbox.set_file("api")).expect("a copy");
    let before = (read_jwe(&sandbox, "api"), sandbox.read_set("api"));
    for line in [
        "get api",
        "create api",
        "create api --encrypt",
        "delete api --yes --force",
        "passwd api",
        "passwd api --remove",
        "rotate api --force",
        "set api --exp +1d",
        "export api",
    ] {
        let run = open(&sandbox, line).fails(4);
        assert!(
            run.stderr.contains("api.json and api.jwe"),
            "{line}: {run:#?}"
        );
        assert!(run.stderr.contains("hint: "), "{line}: {run:#?}");
        let after = (read_jwe(&sandbox, "api"), sandbox.read_set("api"));
        assert_eq!(after, before, "{line}");
    }
    let listed = run(&sandbox, "list").fails(4);
    assert!(listed.stdout.contains("unreadable"), "{listed:#?}");
    assert!(listed.stdout.contains("other"), "{listed:#?}");
}

/// A file that was renamed by hand, or whose renaming a crash has cut short, is what its content says;
/// the next change gives it its name.
#[test]
fn the_content_decides_not_the_name() {
    let sandbox = with_a_set();
    let path = sandbox.store().join("api.jwe");
    fs::rename(&path, sandbox.set_file("api")).expect("a rename");
    let key = content(&sandbox, "passphrase.txt");
    run(&sandbox, "get api --private").fails(7);
    assert_eq!(
        run(&sandbox, "list --json").ok().json()["sets"][0]["encrypted"],
        true
    );
    open(&sandbox, "create api").ok();
    assert_eq!(sandbox.store_entries(), [".lock", "api.jwe"]);

    // A plain set under the other name, with a member that JWE has, too.
    let plain = format!(
        "{}, \"ciphertext\": \"\" }}",
        key.trim().trim_end_matches('}')
    );
    fs::write(&path, plain).expect("a plain set");
    assert_eq!(
        run(&sandbox, "get api --private").ok().json()["ciphertext"],
        ""
    );
    run(&sandbox, "create api").ok();
    assert_eq!(sandbox.store_entries(), [".lock", "api.json"]);
    assert!(sandbox.read_set("api").contains("ciphertext"));
}

/// The public part belongs to what is encrypted: another one, put in by whoever can write the file,
/// opens no more.
#[test]
fn another_public_part_is_damage() {
    let sandbox = with_a_set();
    with(
        &sandbox,
        "next.txt",
        "create foreign --kid first --encrypt --p2c 1000",
    )
    .ok();
    let (own, foreign) = (read_jwe(&sandbox, "api"), read_jwe(&sandbox, "foreign"));
    let mut header = header(&own);
    header["jwks"] = super::header(&foreign)["jwks"].clone();
    let (_, rest) = own.split_once('.').expect("parts");
    let forged = format!("{}.{rest}", super::encode(header.to_string()));
    fs::write(sandbox.store().join("api.jwe"), &forged).expect("a forged file");
    let run = open(&sandbox, "get api --private").fails(7);
    assert!(run.stderr.contains("damaged"), "{run:#?}");
    assert_eq!(parts(&forged).len(), 5);
}

/// A passphrase that is kept, and iterations that are changed.
#[test]
fn the_same_passphrase_can_be_hashed_otherwise() {
    let sandbox = with_a_set();
    let same = "passwd api --new-passphrase-file passphrase.txt --p2c 2000";
    open(&sandbox, same).ok();
    assert_eq!(header(&read_jwe(&sandbox, "api"))["p2c"], 2000);
    content(&sandbox, "passphrase.txt");
}
