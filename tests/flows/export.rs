//! Exports under a password, as certificates and for deployments: what is refused, what is left
//! behind, and what is said.

#![cfg(unix)]

use crate::support::Sandbox;
use serde_json::json;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;

const PASSWORD: &str = "correct horse";

/// The forms of private keys that are written for others, and their options.
const PRIVATE: &[&str] = &[
    "pkcs12",
    "pem --encrypt",
    "der",
    "openssh",
    "jwe --p2c 1000",
];

fn sandbox() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.write("password.txt", PASSWORD);
    sandbox.ok(["create", "api", "--kid", "a"]);
    sandbox
}

/// Nothing that was printed has a secret in it.
#[track_caller]
fn assert_quiet(sandbox: &Sandbox, said: &str) {
    let key = sandbox.json(["get", "api", "a", "--private"]);
    for secret in [PASSWORD, key["d"].as_str().expect("d")] {
        assert!(!said.contains(secret), "{said}");
    }
}

#[test]
fn a_private_file_is_for_its_owner_and_overwrites_nothing() {
    for form in PRIVATE {
        let sandbox = sandbox();
        let export = format!(
            "umask 000; jwks export api a --to {form} --private --password-file password.txt -o out"
        );
        let run = sandbox.shell(&export).ok();
        assert!(run.stdout.is_empty(), "{run:#?}");
        assert_quiet(&sandbox, &run.stderr);
        let out = sandbox.path().join("out");
        let mode = fs::metadata(&out).expect("the file").permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{form}");
        let before = fs::read(&out).expect("the file");
        sandbox.shell(&export).fails(4);
        assert_eq!(fs::read(&out).expect("the file"), before, "{form}");
        sandbox.shell(&format!("{export} --force")).ok();
        // A new salt each time.
        assert_ne!(fs::read(&out).expect("the file"), before, "{form}");
        let told = sandbox.read_log();
        let word = form.split(' ').next().unwrap_or_default();
        assert_eq!(told.matches(&format!("{word}: out")).count(), 2, "{told}");
        assert_quiet(&sandbox, &told);
    }
}

#[test]
fn without_a_password_nothing_is_written() {
    let sandbox = sandbox();
    sandbox.write("empty.txt", "\n");
    for form in [
        "pkcs12",
        "pem --encrypt",
        "der --encrypt",
        "openssh --encrypt",
        "jwe",
    ] {
        let export = format!("jwks export api a --to {form} --private -o out");
        let run = sandbox.shell(&export).fails(7);
        assert!(run.stderr.contains("password of the "), "{run:#?}");
        assert!(
            run.stderr
                .contains("--password-file FILE, or on a terminal"),
            "{run:#?}"
        );
        assert!(!run.stderr.contains("passphrase"), "{run:#?}");
        sandbox
            .shell(&format!("{export} --password-file empty.txt"))
            .fails(7);
        sandbox
            .shell(&format!("{export} --password-file none.txt"))
            .fails(3);
        assert!(!sandbox.path().join("out").exists(), "{form}");
    }
    let piped = "jwks export api a --to openssh --private --password-file - -o out";
    sandbox.shell(&format!("echo '{PASSWORD}' | {piped}")).ok();
}

/// The set's passphrase and the file's password are two, and each error says which.
#[test]
fn an_encrypted_set_is_exported_under_another_password() {
    let sandbox = Sandbox::new();
    sandbox.write("password.txt", PASSWORD);
    sandbox.write("passphrase.txt", "of the set");
    let create = "create api --kid a --encrypt --p2c 1000 --passphrase-file passphrase.txt";
    sandbox.ok(create.split(' '));
    let export = "export api a --to pkcs12 --private --password-file password.txt -o a.p12";
    let run = sandbox.run(export.split(' ')).fails(7);
    assert!(run.stderr.contains("passphrase"), "{run:#?}");
    let wrong = format!("{export} --passphrase-file password.txt");
    sandbox.run(wrong.split(' ')).fails(7);
    assert!(!sandbox.path().join("a.p12").exists());
    let right = format!("{export} --passphrase-file passphrase.txt");
    sandbox.run(right.split(' ')).ok();
    // A certificate is public, and signed with the private key.
    let run = sandbox.run(["export", "api", "a", "--to", "x509"]).fails(7);
    assert!(run.stderr.contains("passphrase"), "{run:#?}");
    let export = "export api a --to x509 --passphrase-file passphrase.txt";
    assert!(sandbox.ok(export.split(' ')).contains("BEGIN CERTIFICATE"));
    // All else that is public needs none.
    sandbox.ok(["export", "api", "--to", "openssh"]);
    sandbox.ok(["export", "api", "--to", "kubernetes"]);
}

/// Public exports of the new forms hold no private part, of whatever key.
#[test]
fn nothing_private_is_public() {
    let sandbox = Sandbox::new();
    for (i, algorithm) in ["RS256", "ES256", "EdDSA", "HS256"].iter().enumerate() {
        sandbox.ok([
            "create",
            "api",
            "--alg",
            algorithm,
            "--kid",
            &format!("k{i}"),
        ]);
    }
    let private = sandbox.json(["get", "api", "--private"]);
    for form in ["dotenv", "kubernetes", "x509", "openssh"] {
        let run = sandbox.run(["export", "api", "--to", form]).ok();
        assert!(
            run.stderr
                .contains("left out of the public form: 1 symmetric"),
            "{run:#?}"
        );
        for key in private["keys"].as_array().expect("keys") {
            for name in ["d", "p", "q", "dp", "dq", "qi", "k"] {
                if let Some(secret) = key[name].as_str() {
                    assert!(!run.stdout.contains(secret), "{form}: {name}");
                }
            }
        }
    }
    let only = "create mac --alg HS256 --kid m";
    sandbox.ok(only.split(' '));
    for form in ["dotenv", "kubernetes", "x509", "openssh"] {
        let run = sandbox.run(["export", "mac", "--to", form]).fails(4);
        assert!(run.stdout.is_empty(), "{run:#?}");
    }
}

/// A public export of a form that is no key file on its own never replaces what is there.
#[test]
fn a_dotenv_file_with_more_in_it_stays() {
    let sandbox = sandbox();
    sandbox.write(".env", "DATABASE=postgres://\n");
    for more in ["", " --private"] {
        let export = format!("jwks export api --to dotenv -o .env{more}");
        sandbox.shell(&export).fails(4);
    }
    sandbox.shell("jwks export api --to dotenv >> .env").ok();
    let env = fs::read_to_string(sandbox.path().join(".env")).expect(".env");
    assert!(
        env.starts_with("DATABASE=postgres://\nJWKS='{\"keys\":["),
        "{env}"
    );
    // What jwks knows as public keys may be renewed in place.
    for _ in 0..2 {
        sandbox.ok(["export", "api", "--to", "openssh", "-o", "api.pub"]);
        sandbox.ok(["export", "api", "--to", "kubernetes", "-o", "api.json"]);
    }
    for days in ["1", "2"] {
        sandbox.ok([
            "export", "api", "--to", "x509", "--days", days, "-o", "api.crt",
        ]);
    }
}

/// Some keys have no such form: that is said, and nothing is written.
#[test]
fn keys_without_a_form() {
    let sandbox = sandbox();
    for (kid, algorithm, curve) in [
        ("ES256K", "ES256K", "secp256k1"),
        ("Ed448", "EdDSA", "Ed448"),
        ("X25519", "ECDH-ES", "X25519"),
    ] {
        sandbox.ok([
            "create", "api", "--kid", kid, "--alg", algorithm, "--crv", curve,
        ]);
    }
    sandbox.ok(["create", "api", "--kid", "HS256", "--alg", "HS256"]);
    for (options, said) in [
        (
            "ES256K --to openssh",
            "EC keys on secp256k1 have no OpenSSH form",
        ),
        (
            "ES256K --to openssh --private",
            "EC keys on secp256k1 have no OpenSSH form",
        ),
        (
            "Ed448 --to openssh",
            "OKP keys on Ed448 have no OpenSSH form",
        ),
        (
            "X25519 --to openssh --private",
            "OKP keys on X25519 have no OpenSSH form",
        ),
        (
            "X25519 --to x509",
            "key \"X25519\" cannot sign a certificate",
        ),
        (
            "HS256 --to openssh --private",
            "oct keys have no OpenSSH form",
        ),
        (
            "HS256 --to pkcs12 --private",
            "oct keys have no PKCS#12 form",
        ),
        (
            "HS256 --to pem --private --password-file password.txt",
            "oct keys have no PKCS#8 form",
        ),
    ] {
        let line = format!("jwks export api {options} -o out");
        let run = sandbox.shell(&line).fails(4);
        assert!(run.stderr.contains(said), "{run:#?}");
        assert!(!sandbox.path().join("out").exists(), "{options}");
    }
}

/// Nobody prints bytes of another world by mistake, and no NUL reaches OpenSSL.
#[test]
fn odd_passwords_and_aliases() {
    let sandbox = sandbox();
    sandbox.write("nul.txt", "a\0b");
    sandbox.write("accent.txt", "pässword");
    let export = "export api a --to pkcs12 --private -o out --password-file";
    let run = |file: &str, more: &[&str]| {
        let arguments = export.split(' ').chain([file]).chain(more.iter().copied());
        sandbox.run(arguments)
    };
    run("nul.txt", &[]).fails(2);
    for alias in ["", "a\nb", &"x".repeat(256)] {
        run("password.txt", &["--alias", alias]).fails(2);
    }
    assert!(!sandbox.path().join("out").exists());
    let said = run("accent.txt", &["--alias", "schlüssel"]).ok().stderr;
    assert!(
        said.contains("warning: the password is not ASCII"),
        "{said}"
    );
}

/// What is written again is another file: its inode and its times would tell those who wait for it.
#[test]
fn an_unchanged_export_is_not_written_again() {
    use std::os::unix::fs::MetadataExt as _;
    let sandbox = sandbox();
    let out = sandbox.path().join("out");
    let written = || {
        let metadata = fs::metadata(&out).expect("the export");
        (metadata.ino(), metadata.mtime(), metadata.mtime_nsec())
    };
    let forms = [
        "jwks",
        "jwk",
        "pem",
        "der",
        "dotenv",
        "kubernetes",
        "openssh",
    ];
    let private = [
        "jwks",
        "jwk",
        "pem",
        "der",
        "sec1",
        "dotenv",
        "kubernetes",
        "openssh",
    ];
    let public = forms.map(|form| format!("--to {form} --force"));
    let private = private.map(|form| format!("--to {form} --force --private"));
    for options in public.iter().chain(&private) {
        let _ = fs::remove_file(&out);
        let export = format!("jwks export api a -o out {options}");
        let first = sandbox.shell(&export).ok();
        assert!(first.stderr.contains("wrote out"), "{first:#?}");
        let before = written();
        let second = sandbox.shell(&export).ok();
        assert!(second.stderr.contains("out is unchanged"), "{second:#?}");
        assert_eq!(written(), before, "{options}");
        // One byte more or another one is another content.
        for content in ["other\n", ""] {
            fs::write(&out, content).expect("a file");
            sandbox.shell(&export).ok();
            assert!(!fs::read(&out).expect("the export").is_empty(), "{options}");
        }
    }
    // A set that changes is written; a rotation that changes nothing is none.
    sandbox.ok(["export", "api", "--force", "-o", "out"]);
    let before = written();
    sandbox.ok(["rotate", "api", "--every", "30d"]);
    sandbox.ok(["export", "api", "-o", "out"]);
    assert_eq!(written(), before);
    sandbox.ok(["rotate", "api", "--force"]);
    sandbox.ok(["export", "api", "-o", "out"]);
    assert_ne!(written(), before);
}

/// An unchanged export of private keys that others can read is made private again.
#[test]
fn an_unchanged_private_export_does_not_stay_open() {
    let sandbox = sandbox();
    let out = sandbox.path().join("out");
    let export = "export api --private --force -o out";
    sandbox.ok(export.split(' '));
    fs::set_permissions(&out, fs::Permissions::from_mode(0o644)).expect("permissions");
    sandbox.ok(export.split(' '));
    let mode = fs::metadata(&out).expect("the export").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    // A link to an equal file is refused as before.
    fs::rename(&out, sandbox.path().join("real")).expect("a file");
    std::os::unix::fs::symlink("real", &out).expect("a link");
    sandbox.run(export.split(' ')).fails(1);
    // Private keys were given out twice, and not a third time.
    sandbox.ok("export api --private --force -o real".split(' '));
    assert_eq!(sandbox.read_log().matches("exported").count(), 2);
}

/// Computing the primes of an RSA key, and signing with it, takes long. One key is always exported.
#[test]
fn a_set_that_is_too_costly_to_convert_is_refused() {
    let sandbox = Sandbox::new();
    // 16384 bits, and nothing that could be computed with.
    let number = format!("{}8", "_".repeat(2730));
    let key = |kid| json!({ "kty": "RSA", "kid": kid, "n": number, "e": "AQAB", "d": number });
    let set = json!({ "keys": [key("a"), key("b")] });
    sandbox.write("store/api.json", set.to_string());
    for (export, message) in [
        (
            "--to pem --private",
            "too many private keys to convert at once",
        ),
        (
            "--to pkcs1 --private",
            "too many private keys to convert at once",
        ),
        ("--to x509", "too many keys to certify at once"),
    ] {
        let line = format!("export api {export}");
        let refused = sandbox.run(line.split(' ')).fails(4);
        assert!(refused.stderr.contains(message), "{line}: {refused:#?}");
        assert!(
            refused.stderr.contains("hint: pass the KID of the key"),
            "{refused:#?}"
        );
    }
    let one = sandbox.run(["export", "api", "a", "--to", "pem", "--private"]);
    let one = one.fails(5);
    assert!(one.stderr.contains("d does not belong"), "{one:#?}");
    sandbox.ok(["export", "api", "--private"]);
}
