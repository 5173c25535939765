//! Documents of others in the keystore: what can be encrypted, what opens, what is refused.

use super::{desk, header, open, read_jwe, run, secret_file, with};
use crate::support::{Run, Sandbox, vectors};
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// The documents of a kind, each with its bytes and what is expected of it.
fn documents(kind: &str) -> Vec<(String, Vec<u8>, Value)> {
    let directory = vectors().join("encrypted-jwk");
    let expected = fs::read(directory.join("expected.json")).expect("expected.json");
    let expected: Value = serde_json::from_slice(&expected).expect("expected.json");
    let expected = expected.as_object().expect("an object").clone();
    let of_kind = expected
        .into_iter()
        .filter(|(path, _)| path.starts_with(kind));
    let read = |(path, expected): (String, Value)| {
        let content = fs::read(directory.join(&path)).expect("a vector");
        (path, content, expected)
    };
    of_kind.map(read).collect()
}

/// A sandbox with another set `other`.
fn with_another_set() -> Sandbox {
    let sandbox = desk();
    run(&sandbox, "create other").ok();
    sandbox
}

/// Makes the document the set `v`, and puts its password into passphrase.txt.
fn put_document(sandbox: &Sandbox, content: &[u8], expected: &Value) {
    secret_file(sandbox, "store/v.jwe", content);
    let password = expected["password"].as_str().expect("a password");
    secret_file(sandbox, "passphrase.txt", password);
}

/// Encrypted sets that others have made tell nothing before they are opened, and everything from the
/// first change on.
#[test]
fn sets_of_others_are_taken_as_they_are() {
    let sets = documents("valid/set.");
    assert_eq!(sets.len(), 3);
    for (path, content, expected) in sets {
        let sandbox = with_another_set();
        put_document(&sandbox, &content, &expected);
        let table = run(&sandbox, "list").ok().stdout;
        let row = table.lines().last().expect("a row");
        let cells: Vec<_> = row.split_whitespace().collect();
        assert_eq!(cells, ["v", "?", "?", "-", "yes"], "{path}");
        let row = run(&sandbox, "list --json").ok().json()["sets"][1].clone();
        assert_eq!(row["encrypted"], true, "{path}");
        assert!(row.get("keys").is_none(), "{path}: {row}");
        let needs = run(&sandbox, "list v").fails(7);
        assert!(needs.stderr.contains("passphrase of set v"), "{needs:#?}");
        run(&sandbox, "get v").fails(7);

        let thumbprints = open(&sandbox, "thumbprint v").ok().stdout;
        let wanted = expected["keys"].as_array().expect("keys").iter();
        let wanted: Vec<_> = wanted
            .filter_map(|key| key["thumbprint_sha256"].as_str())
            .collect();
        assert_eq!(thumbprints.lines().collect::<Vec<_>>(), wanted, "{path}");
        let before = open(&sandbox, "get v --private").ok().json();
        open(&sandbox, "export v").ok();

        open(&sandbox, "create v --kid new").ok();
        let jwe = read_jwe(&sandbox, "v");
        assert_eq!(header(&jwe)["alg"], "PBES2-HS512+A256KW", "{path}");
        assert_eq!(header(&jwe)["enc"], "A256GCM", "{path}");
        let after = open(&sandbox, "get v --private").ok().json();
        let keys = before["keys"].as_array().expect("keys");
        let left = after["keys"].as_array().expect("keys");
        assert_eq!(left[..keys.len()], keys[..], "{path}");
        assert_eq!(
            run(&sandbox, "list v --format names")
                .ok()
                .stdout
                .lines()
                .count(),
            left.len()
        );
        assert!(
            run(&sandbox, "get v new").ok().stdout.contains("\"new\""),
            "{path}"
        );

        with(&sandbox, "passphrase.txt", "passwd v --remove").ok();
        assert_eq!(
            run(&sandbox, "get v --private").ok().json(),
            after,
            "{path}"
        );
    }
}

/// A set of which one key is no object: it is kept, as it is in a plain set.
const KEPT: &str = "hostile/payload-set-with-bad-key.jwe";

/// A hostile document is refused and left as it is. Its passphrase is asked for only if it takes at
/// most a million iterations to try. Every failed decryption is reported the same way.
#[test]
fn hostile_documents_are_refused_and_left() {
    let hostile = documents("hostile/");
    assert!(hostile.len() > 150);
    let (all, mut asked) = (hostile.len(), 0);
    let mut texts = BTreeSet::new();
    let sandbox = with_another_set();
    for (number, (path, content, expected)) in hostile.into_iter().enumerate() {
        put_document(&sandbox, &content, &expected);
        if path == KEPT {
            let run = open(&sandbox, "list v --json").ok();
            assert_eq!(run.json()["keys"].as_array().map(Vec::len), Some(1));
            open(&sandbox, "check v").fails(5);
            continue;
        }
        let failed = open(&sandbox, "get v --private");
        assert!(matches!(failed.code, Some(5 | 7)), "{path}: {failed:#?}");
        assert!(failed.stderr.contains("error: "), "{path}: {failed:#?}");
        assert_eq!(failed.stdout, "", "{path}");
        if run(&sandbox, "get v --private").code == Some(7) {
            asked += 1;
            let iterations = p2c(&content).expect("a count of iterations");
            assert!(iterations <= 1_000_000, "{path}: {iterations}");
        }
        if path.contains("tampered-") || path.contains("wrong-password-") {
            assert_eq!(failed.code, Some(7), "{path}: {failed:#?}");
            // None of them comes as far as the word about its few iterations.
            texts.insert(
                failed
                    .stderr
                    .replace(&*sandbox.store().to_string_lossy(), "store"),
            );
        }
        // The commands take their turns: each opens the set in the same way.
        let line = ["create v", "passwd v --remove", "get v"][number % 3];
        let failed = open(&sandbox, line);
        assert!(
            matches!(failed.code, Some(5 | 7)),
            "{path}: {line}: {failed:#?}"
        );
        let left = fs::read(sandbox.store().join("v.jwe")).expect("the file");
        assert!(left == content, "{path} was changed");
        assert_eq!(
            sandbox.store_entries(),
            [".lock", "other.json", "v.jwe"],
            "{path}"
        );
        // One bad file is no reason to hide the others.
        if number % 10 == 0 {
            assert!(run(&sandbox, "list").stdout.contains("other"), "{path}");
        }
    }
    assert!(0 < asked && asked < all, "{asked} of {all}");
    let text = "error: store/v.jwe: wrong passphrase, or the encrypted document is damaged\n";
    assert_eq!(texts.into_iter().collect::<Vec<_>>(), [text]);
}

/// The number of iterations in the protected header of a document.
fn p2c(document: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(document).ok()?.trim();
    let protected = match serde_json::from_str::<Value>(text) {
        Ok(json) => json["protected"].as_str()?.to_owned(),
        Err(_) => text.split('.').next()?.to_owned(),
    };
    header(&protected)["p2c"].as_u64()
}

/// An encrypted set holds and shows what the plain set does, tried with every third of the sets that
/// jwks reads; every second of them is decrypted again.
#[test]
fn a_set_that_can_be_kept_can_be_encrypted() {
    let sandbox = desk();
    run(&sandbox, "create v").ok();
    let mut kept = 0;
    let mut paths = json_files(&vectors().join("malformed-jwk"));
    paths.sort();
    for path in paths.into_iter().step_by(3) {
        let document = fs::read(&path).expect("a vector");
        secret_file(&sandbox, "store/v.json", &document);
        let private = run(&sandbox, "get v --private");
        if private.code != Some(0) {
            continue;
        }
        kept += 1;
        let public = run(&sandbox, "get v");
        let path = path.display();
        open(&sandbox, "passwd v --p2c 1000").ok();
        assert_eq!(sandbox.store_entries(), [".lock", "v.jwe"], "{path}");
        let opened = open(&sandbox, "get v --private -q").ok();
        assert!(opened.stdout == private.stdout, "{path}: another content");
        let looked = run(&sandbox, "get v");
        let told = |run: &Run| (run.code, run.stdout.clone(), run.stderr.clone());
        assert_eq!(told(&looked), told(&public), "{path}");
        if kept % 2 != 0 {
            fs::remove_file(sandbox.store().join("v.jwe")).expect("the encrypted set");
            continue;
        }
        open(&sandbox, "passwd v --remove").ok();
        assert_eq!(sandbox.store_entries(), [".lock", "v.json"], "{path}");
        let plain = run(&sandbox, "get v --private").ok();
        assert!(plain.stdout == private.stdout, "{path}: another content");
    }
    assert!(kept > 30, "{kept} sets only");
}

/// The JSON files below a directory.
fn json_files(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).expect("a directory");
    let paths = entries.map(|entry| entry.expect("an entry").path());
    let below = paths.flat_map(|path| {
        if path.is_dir() {
            json_files(&path)
        } else {
            vec![path]
        }
    });
    let is_json = |path: &PathBuf| {
        path.extension()
            .is_some_and(|extension| extension == "json")
    };
    below.filter(is_json).collect()
}
