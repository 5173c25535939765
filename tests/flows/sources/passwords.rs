//! The password of a file: from a file, from standard input, from a person; wrong ones.

use crate::support::{Sandbox, has_tool, vectors};
use crate::terminal::on_terminal;
use std::path::PathBuf;

fn vector(name: &str) -> String {
    let path: PathBuf = vectors().join("generated").join(name);
    path.to_str().expect("UTF-8").to_owned()
}

const PASSWORD: &str = "correct horse battery staple";

/// Every kind of file that a password protects.
const PROTECTED: &[&str] = &[
    "p256/p256.p12",
    "p256/p256.legacy-rc2-3des.p12",
    "p256/p256.3des-sha1.p12",
    "p256/p256.pkcs8-aes256.pem",
    "p256/p256.pkcs8-3des-v2.pem",
    "p256/p256.pkcs8-pbe-sha1-3des-v1.pem",
    "p256/p256.pkcs8-scrypt.pem",
    "p256/p256.sec1-dek-aes256.pem",
];

#[test]
fn a_password_that_is_not_text_says_what_to_do() {
    let sandbox = Sandbox::new();
    sandbox.write("latin", b"Stra\xdfe\n");
    let file = vector(PROTECTED[0]);
    let run = sandbox.run(["set", "api", &file, "--password-file", "latin"]);
    let words = "the secret from latin is not UTF-8 text\n  hint: encode line 1 as UTF-8";
    assert!(run.fails(5).stderr.contains(words));
}

/// A wrong password, and a file with one byte changed at its end, where the encryption is: the
/// same words and exit code, nothing written, and the password nowhere in what is said.
#[test]
fn a_wrong_password_and_damage_are_reported_alike() {
    let sandbox = Sandbox::new();
    let words = "the password is wrong, or the file is damaged";
    sandbox.write("right", PASSWORD);
    sandbox.write("wrong", "incorrect horse");
    for name in PROTECTED {
        let file = vector(name);
        let run = sandbox
            .run(["set", "api", &file, "--password-file", "wrong"])
            .fails(7);
        assert!(run.stderr.contains(words), "{name}: {run:#?}");
        assert!(!run.stderr.contains("incorrect"), "{name}: {run:#?}");
        let mut octets = std::fs::read(&file).expect("a vector");
        // In PEM, change the last cipher block. Elsewhere, the damage can decrypt to an invalid key,
        // which only the check of the key finds.
        let text = String::from_utf8_lossy(&octets);
        let at = match text.find("-----END") {
            Some(end) => end - 6,
            None => octets.len() / 2,
        };
        octets[at] = if octets[at] == b'A' { b'B' } else { b'A' };
        let damaged = sandbox.write("damaged", octets);
        let run = sandbox
            .run(["set", "api", &damaged, "--password-file", "right"])
            .fails(7);
        assert!(run.stderr.contains(words), "{name}: {run:#?}");
        // The right one is read, so that it is the password that decides.
        sandbox.ok(["thumbprint", &file, "--password-file", "right"]);
    }
    assert!(sandbox.store_entries().is_empty());
}

/// One file gives the password of all files; standard input can give it as well, but not when it
/// is one of them.
#[test]
fn a_password_comes_from_a_file_or_standard_input() {
    let sandbox = Sandbox::new();
    sandbox.write("password", format!("{PASSWORD}\r\nand a second line\n"));
    let files = PROTECTED.iter().map(|name| vector(name));
    let files: Vec<String> = files.chain([vector("ed25519/ed25519.p12")]).collect();
    let with = |source| {
        let files = files.iter().map(String::as_str);
        ["set", "api"]
            .into_iter()
            .chain(files)
            .chain(["--password-file", source])
    };
    sandbox.ok(with("password"));
    assert_eq!(
        sandbox.json(["list", "api", "--json"])["keys"]
            .as_array()
            .map(Vec::len),
        Some(2)
    );
    sandbox.run_with_input(with("-"), PASSWORD).ok();
    let run = sandbox
        .run_with_input(["set", "api", "-", "--password-file", "-"], "")
        .fails(2);
    assert!(run.stderr.contains("cannot hold both"), "{run:#?}");
    let run = sandbox
        .run_with_input(["check", "-", "--password-file", "-"], "")
        .fails(2);
    assert!(run.stderr.contains("cannot hold both"), "{run:#?}");
    sandbox.run(with("missing")).fails(3);
    // What needs no password asks for none: a file that is not there does not matter.
    let plain = vector("p256/p256.pkcs8.pem");
    sandbox.ok(["set", "plain", &plain, "--password-file", "missing"]);
}

/// Without a terminal, no password is asked for.
#[test]
fn no_password_is_asked_for_without_a_terminal() {
    let sandbox = Sandbox::new();
    for name in PROTECTED {
        let file = vector(name);
        let run = sandbox.run(["set", "api", &file]).fails(7);
        assert!(
            run.stderr
                .contains("hint: give it with --password-file FILE"),
            "{run:#?}"
        );
        let run = sandbox.run(["set", "api", &file, "--json"]).fails(7);
        assert_eq!(run.error()["kind"], "denied", "{name}");
        sandbox.run(["check", &file]).fails(7);
    }
    assert!(sandbox.store_entries().is_empty());
}

/// A person is asked once for each file, by its name, and what is typed is not shown.
#[test]
fn the_password_is_asked_for_once_per_file() {
    if !has_tool("setsid") {
        return;
    }
    let sandbox = Sandbox::new();
    for (name, file) in [
        ("one.p12", "p256/p256.p12"),
        ("two.pem", "p384/p384.pkcs8-aes256.pem"),
    ] {
        sandbox.write(name, std::fs::read(vector(file)).expect("a vector"));
    }
    let typed = format!("{PASSWORD}\n{PASSWORD}\n");
    let run = on_terminal(&sandbox, "jwks set api one.p12 two.pem", &typed, &[]).ok();
    for file in ["one.p12", "two.pem"] {
        assert_eq!(
            run.stdout.matches(&format!("password of {file}: ")).count(),
            1,
            "{run:#?}"
        );
    }
    assert!(!run.stdout.contains("horse"), "{run:#?}");
    assert!(run.stdout.contains("2 added"), "{run:#?}");
    let run = on_terminal(&sandbox, "jwks set new one.p12", "mistyped\n", &[]);
    assert_eq!(run.code, Some(7), "{run:#?}");
    assert!(!sandbox.set_file("new").exists());
    let run = on_terminal(&sandbox, "jwks set new one.p12 --no-input", "", &[]);
    assert_eq!(run.code, Some(7), "{run:#?}");
    assert!(!run.stdout.contains("password of"), "{run:#?}");
}

/// A file with a password that others can read is warned of, whether the password opens a file or
/// protects one that is written.
#[cfg(unix)]
#[test]
fn a_password_file_that_others_can_read_is_warned_about() {
    use std::fs::{Permissions, set_permissions};
    use std::os::unix::fs::PermissionsExt as _;

    let sandbox = Sandbox::new();
    let password = sandbox.write("password", PASSWORD);
    sandbox.ok(["create", "own"]);
    let read = format!("set api {} --password-file password", vector(PROTECTED[0]));
    let written = "export own --private --to pkcs12 -o own.p12 --force --password-file password";
    for (mode, warnings) in [(0o600, 0), (0o644, 1), (0o620, 1)] {
        set_permissions(&password, Permissions::from_mode(mode)).expect("a mode");
        for line in [&*read, written] {
            let run = sandbox.run(line.split(' ')).ok();
            let warned = run.stderr.matches("run `chmod 600 password`").count();
            assert_eq!(warned, warnings, "{mode:o} {line}: {run:#?}");
        }
    }
}
