//! Keystores as openssl and Java's keytool write them.

use crate::servers::hydra::{Hydra, Version};
use crate::support::{Sandbox, has_tool, named_by};
use crate::terminal::on_terminal;
use serde_json::Value;
use std::path::Path;

/// A sandbox with a key of an algorithm in `key.pem`, its certificate in `leaf.pem`, and the
/// authority's in `ca.pem`.
fn with_chain(algorithm: &str) -> Sandbox {
    let sandbox = Sandbox::new();
    let line = format!(
        "openssl genpkey {algorithm} -out key.pem
         openssl req -x509 -newkey ed25519 -nodes -keyout ca.key -subj /CN=authority -out ca.pem
         openssl req -new -key key.pem -subj '/CN=api/O=Example' -out request.pem
         openssl x509 -req -in request.pem -CA ca.pem -CAkey ca.key -CAcreateserial -out leaf.pem"
    );
    sandbox.shell(&format!("set -e; {line}")).ok();
    sandbox
}

const EC: &str = "-algorithm EC -pkeyopt ec_paramgen_curve:P-256";

/// The keys of a set with their private parts.
fn keys(sandbox: &Sandbox, set: &str) -> Vec<Value> {
    let set = sandbox.json(["get", set, "--private"]);
    set["keys"].as_array().expect("keys").clone()
}

/// Every way in which openssl protects a keystore, with and without a certificate, gives the key. The way
/// is the same for each type of key, so the first ones are enough for the other types.
#[test]
fn openssl_writes_keystores_in_many_ways() {
    if !has_tool("openssl") {
        return;
    }
    for algorithm in [EC, "-algorithm RSA", "-algorithm ed25519"] {
        let sandbox = with_chain(algorithm);
        let thumbprint = sandbox.ok(["thumbprint", "key.pem"]);
        for (i, (password, options)) in [
            ("secret", "-in leaf.pem"),
            ("secret", "-nocerts"),
            (
                "secret",
                "-in leaf.pem -keypbe PBE-SHA1-3DES -certpbe PBE-SHA1-3DES -macalg sha1",
            ),
            ("secret", "-in leaf.pem -certfile ca.pem -name 'my key'"),
            ("", "-in leaf.pem"),
            ("pässwörd 🔑", "-in leaf.pem"),
            (
                "secret",
                "-in leaf.pem -keypbe PBE-SHA1-2DES -certpbe PBE-SHA1-2DES",
            ),
            (
                "secret",
                "-in leaf.pem -keypbe AES-128-CBC -certpbe AES-192-CBC -macalg sha512",
            ),
            ("secret", "-in leaf.pem -keypbe NONE -certpbe NONE"),
            ("secret", "-in leaf.pem -nomac -iter 1"),
            ("secret", "-in leaf.pem -macalg sha384 -iter 100000"),
            ("secret", "-in leaf.pem -macalg sha512-256"),
            ("secret", "-in leaf.pem -macalg sha3-224"),
            ("secret", "-in leaf.pem -macalg sha3-256"),
            ("secret", "-in leaf.pem -macalg sha3-384"),
            ("secret", "-in leaf.pem -macalg sha3-512"),
            (
                "secret",
                "-in leaf.pem -keypbe ARIA-128-CBC -certpbe ARIA-256-CBC",
            ),
        ]
        .into_iter()
        .enumerate()
        .take(if algorithm == EC { 17 } else { 4 })
        {
            sandbox.write("password", format!("{password}\n"));
            let line = format!("openssl pkcs12 -export -inkey key.pem {options} -out {i}.p12");
            sandbox
                .shell(&format!("{line} -passout file:password"))
                .ok();
            let (set, file) = (format!("s{i}"), format!("{i}.p12"));
            let run = sandbox
                .run(["set", &set, &file, "--password-file", "password"])
                .ok();
            assert_eq!(run.stdout, thumbprint, "{algorithm} {options}");
            let [key] = &keys(&sandbox, &set)[..] else {
                panic!("{options}: not one key");
            };
            let chain = match options {
                "-nocerts" => 0,
                options if options.contains("ca.pem") => 2,
                _ => 1,
            };
            assert_eq!(
                key["x5c"].as_array().map_or(0, Vec::len),
                chain,
                "{options}"
            );
            sandbox.ok(["check", &set]);
        }
    }
}

/// Java's entries each have an alias; all of them come, or the one that is asked for, with its
/// certificate.
#[test]
fn keytool_keeps_several_keys_under_aliases() {
    if !has_tool("keytool") {
        return;
    }
    let sandbox = Sandbox::new();
    sandbox.write("password", "changeit\n");
    for (alias, options) in [
        ("one", "-genkeypair -keyalg RSA -keysize 2048 -dname CN=one"),
        (
            "two",
            "-genkeypair -keyalg EC -groupname secp384r1 -dname CN=two",
        ),
        ("three", "-genkeypair -keyalg Ed25519 -dname CN=three"),
        ("shared", "-genseckey -keyalg HmacSHA256 -keysize 256"),
    ] {
        let store = "-keystore keys.p12 -storetype PKCS12 -storepass changeit";
        sandbox
            .shell(&format!("keytool {options} -alias {alias} {store}"))
            .ok();
    }
    let set = |name: &str, alias: &str| {
        let password = ["--password-file", "password", "--alias", alias];
        sandbox.run(["set", name, "keys.p12"].into_iter().chain(password))
    };
    sandbox.ok(["set", "all", "keys.p12", "--password-file", "password"]);
    let all = keys(&sandbox, "all");
    assert_eq!(all.len(), 4);
    let password = ["--password-file", "password"];
    let line = ["set", "aliases", "keys.p12", "--kid-from", "alias"];
    let kids = sandbox.ok(line.iter().chain(&password));
    let kids: Vec<_> = kids.lines().collect();
    assert_eq!(kids, ["one", "two", "three", "shared"]);
    let named = ["--alias", "shared", "--kid", "mac", "--alg", "HS256"];
    sandbox.ok(["set", "named", "keys.p12"]
        .into_iter()
        .chain(password)
        .chain(named));
    assert_eq!(keys(&sandbox, "named")[0]["kid"], "mac");
    for (alias, kty) in [
        ("one", "RSA"),
        ("two", "EC"),
        ("three", "OKP"),
        ("shared", "oct"),
    ] {
        let run = set(alias, alias).ok();
        assert!(!run.stderr.contains("warning"), "{alias}: {run:#?}");
        let [key] = &keys(&sandbox, alias)[..] else {
            panic!("{alias}: not one key");
        };
        assert_eq!(key["kty"], kty, "{alias}");
        let certificates = usize::from(kty != "oct");
        assert_eq!(
            key["x5c"].as_array().map_or(0, Vec::len),
            certificates,
            "{alias}"
        );
        let same = |other: &&Value| ["n", "x", "k"].iter().all(|name| other[name] == key[name]);
        assert!(all.iter().any(|other| same(&other)), "{alias}");
    }
    // The secret is what keytool made, and its kid is not its digest.
    let [secret] = &keys(&sandbox, "shared")[..] else {
        panic!("not one key");
    };
    assert_eq!(secret["k"].as_str().map(str::len), Some(43), "256 bits");
    assert_eq!(secret["kid"].as_str().map(str::len), Some(36), "a UUID");
    let run = set("none", "Two").fails(3);
    assert!(
        run.stderr
            .contains(r#"its aliases: "one", "shared", "three", "two""#),
        "{run:#?}"
    );
    assert!(!sandbox.set_file("none").exists());
}

/// A certificate that Java trusts is no key of one's own.
#[test]
fn a_trusted_certificate_is_left_out_with_a_warning() {
    if !has_tool("keytool") || !has_tool("openssl") {
        return;
    }
    let sandbox = with_chain(EC);
    sandbox.write("password", "changeit\n");
    let store = "-keystore keys.p12 -storetype PKCS12 -storepass changeit";
    sandbox
        .shell(&format!(
            "set -e
             keytool -genkeypair -keyalg EC -groupname secp256r1 -dname CN=own -alias own {store}
             keytool -importcert -noprompt -alias other -file ca.pem {store}"
        ))
        .ok();
    let run = sandbox
        .run(["set", "api", "keys.p12", "--password-file", "password"])
        .ok();
    assert!(
        run.stderr
            .contains("certificate of CN=authority belongs to none"),
        "{run:#?}"
    );
    assert_eq!(keys(&sandbox, "api").len(), 1);
    // With --alias, it is imported.
    let alias = ["--password-file", "password", "--alias", "other"];
    sandbox.ok(["set", "trust", "keys.p12"].into_iter().chain(alias));
    assert_eq!(keys(&sandbox, "trust")[0]["crv"], "Ed25519");
}

/// A server gets a key of a keystore as it gets any other.
#[test]
fn a_server_gets_a_key_of_a_keystore() {
    let hydra = Hydra::start(Version::V2_2);
    let sandbox = Sandbox::new();
    for name in ["keystore.p12", "password"] {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cmd/base");
        sandbox.write(name, std::fs::read(file.join(name)).expect("a fixture"));
    }
    sandbox.ok([
        "remote",
        "add",
        "prod",
        "--kind",
        "hydra",
        "--url",
        &*hydra.address(),
    ]);
    let line =
        "jwks set api keystore.p12 --alias signing --alg ES256 --use sig --remote prod --yes";
    let run = sandbox.shell(line).fails(7);
    assert!(
        run.stderr.contains("it is protected by a password"),
        "{run:#?}"
    );
    assert!(hydra.keys("api").is_empty());
    sandbox
        .shell(&format!("{line} --password-file password"))
        .ok();
    let [key] = &hydra.keys("api")[..] else {
        panic!("not one key");
    };
    assert_eq!(
        (&key["alg"], key.get("d").is_some()),
        (&"ES256".into(), true)
    );
}

/// Java's old keystores hold what its new ones do: keys with their chains, and certificates that
/// are trusted, under aliases.
#[test]
fn a_jks_keystore_is_read() {
    if !has_tool("keytool") || !has_tool("openssl") {
        return;
    }
    let sandbox = with_chain(EC);
    sandbox.write("password", "changeit\n");
    sandbox.write("wrong", "changedit\n");
    let store = "-keystore keys.jks -storetype JKS -storepass changeit";
    sandbox
        .shell(&format!(
            "set -e
             openssl pkcs12 -export -inkey key.pem -in leaf.pem -certfile ca.pem -name chained \\
                 -passout file:password -out chained.p12
             keytool -importkeystore -srckeystore chained.p12 -srcstorepass changeit \\
                 -destkeystore keys.jks -deststoretype JKS -deststorepass changeit
             keytool -genkeypair -keyalg RSA -keysize 2048 -dname CN=rsa -alias rsa {store}
             openssl req -x509 -newkey ed25519 -nodes -keyout x.key -subj /CN=x -out x.pem
             keytool -importcert -noprompt -alias trusted -file x.pem {store}"
        ))
        .ok();
    let set = |name: &str, options: &[&str]| {
        let arguments = ["set", name, "keys.jks", "--password-file"];
        sandbox.run(arguments.iter().chain(options))
    };
    let run = set("all", &["password"]).ok();
    assert!(
        run.stderr.contains("certificate of CN=x belongs to none"),
        "{run:#?}"
    );
    assert_eq!(keys(&sandbox, "all").len(), 2);
    let run = set("named", &["password", "--kid-from", "alias"]).ok();
    assert_eq!(run.stdout, "rsa\nchained\n");
    let run = set(
        "one",
        &["password", "--alias", "trusted", "--kid-from", "alias"],
    )
    .ok();
    assert_eq!(run.stdout, "trusted\n");
    for (alias, kty, is_private, chain) in [
        ("chained", "EC", true, 2),
        ("rsa", "RSA", true, 1),
        ("trusted", "OKP", false, 1),
    ] {
        let run = set(alias, &["password", "--alias", alias]).ok();
        assert!(!run.stderr.contains("warning"), "{alias}: {run:#?}");
        let [key] = &keys(&sandbox, alias)[..] else {
            panic!("{alias}: not one key");
        };
        assert_eq!(key["kty"], kty, "{alias}");
        assert_eq!(key.get("d").is_some(), is_private, "{alias}");
        assert_eq!(key["x5c"].as_array().map_or(0, Vec::len), chain, "{alias}");
        sandbox.ok(["check", alias]);
    }
    let chained = sandbox.ok(["thumbprint", "key.pem"]);
    assert_eq!(keys(&sandbox, "chained")[0]["kid"], chained.trim());
    let run = set("none", &["password", "--alias", "Chained"]).fails(3);
    assert!(
        run.stderr
            .contains(r#"its aliases: "chained", "rsa", "trusted""#),
        "{run:#?}"
    );
    let run = set("none", &["wrong"]).fails(7);
    assert!(run.stderr.contains("the password is wrong"), "{run:#?}");
    assert!(!sandbox.set_file("none").exists());
}

/// The line that a refusal of a keystore gives, for the file that was refused.
fn keytool_line(stderr: &str, file: &str) -> String {
    let mut words = stderr
        .lines()
        .filter_map(|line| line.trim().strip_prefix("hint: "));
    let hint = words.next().expect("a hint").replace("FILE", file);
    let start = hint.find("keytool").expect("a line of keytool");
    hint[start..].to_owned()
}

/// Each line of the password file is tried for each key.
#[test]
fn a_key_with_another_password_than_its_keystore_needs_a_second_line() {
    if !has_tool("keytool") {
        return;
    }
    let sandbox = Sandbox::new();
    let keytool = "keytool -genkeypair -keyalg EC -groupname secp256r1 -dname CN=me";
    let store = "-keystore keys.jks -storetype JKS -storepass changeit";
    sandbox
        .shell(&format!(
            "{keytool} {store} -alias same && {keytool} {store} -alias other -keypass another"
        ))
        .ok();
    let set = ["set", "api", "keys.jks", "--password-file", "password"];
    sandbox.write("password", "changeit\n");
    let run = sandbox.run(set).fails(7);
    let words = r#""other" of the keystore: it has another password than the keystore, or is damaged
  hint: write its password on the second line of the password file"#;
    assert!(run.stderr.contains(words), "{run:#?}");
    assert!(!sandbox.set_file("api").exists());
    sandbox.ok(set.into_iter().chain(["--alias", "same"]));
    sandbox.write("password", "changeit\r\n\nanother\r\n");
    sandbox.ok(set);
    assert_eq!(keys(&sandbox, "api").len(), 2);
    // The order of the lines does not matter, and at most ten of them count.
    sandbox.write("password", "\nanother\nchangeit\n");
    sandbox.ok(set);
    sandbox.write("password", format!("{}changeit\n", "x\n".repeat(10)));
    sandbox.run(set).fails(7);
}

#[test]
fn a_person_is_asked_for_the_password_of_a_key() {
    if !has_tool("keytool") || !has_tool("setsid") {
        return;
    }
    let sandbox = Sandbox::new();
    let keytool = "keytool -genkeypair -keyalg EC -groupname secp256r1 -dname CN=me -alias a";
    let store = "-keystore keys.jks -storetype JKS -storepass changeit -keypass another";
    sandbox.shell(&format!("{keytool} {store}")).ok();
    let line = "jwks set api keys.jks";
    let run = on_terminal(&sandbox, line, "changeit\nanother\n", &[]).ok();
    assert!(run.stdout.contains("password of keys.jks: "), "{run:#?}");
    let question = "password of \"a\" of the keystore keys.jks: ";
    assert!(run.stdout.contains(question), "{run:#?}");
    let run = on_terminal(&sandbox, line, "changeit\nwrong\n", &[]);
    assert_eq!(run.code, Some(7), "{run:#?}");
}

/// A keystore of cryptography for Python whose code is over an absent password, and one of openssl
/// whose code is over an empty one.
#[test]
fn a_keystore_without_a_password_asks_for_nothing() {
    if !has_tool("openssl") {
        return;
    }
    let sandbox = with_chain(EC);
    sandbox.write("empty", "\n");
    sandbox.write("other", "secret\n");
    let thumbprint = sandbox.ok(["thumbprint", "key.pem"]);
    let mut files = Vec::new();
    for (i, options) in [
        "",
        "-keypbe PBE-SHA1-3DES -certpbe PBE-SHA1-3DES -macalg sha1",
        "-nomac",
        "-keypbe NONE -certpbe NONE",
        "-keypbe NONE -certpbe NONE -nomac",
    ]
    .into_iter()
    .enumerate()
    {
        let file = format!("{i}.p12");
        sandbox
            .shell(&format!(
                "openssl pkcs12 -export -inkey key.pem -in leaf.pem {options} -passout pass: -out {file}"
            ))
            .ok();
        files.push(file);
    }
    if let Some(python) = named_by("JWKS_TEST_PYTHON") {
        sandbox.write("make.py", NO_PASSWORD);
        sandbox.shell(&format!("{python} make.py")).ok();
        files.push("python.p12".into());
    }
    for file in &files {
        assert_eq!(sandbox.ok(["thumbprint", file]), thumbprint, "{file}");
        let empty = ["thumbprint", file, "--password-file", "empty"];
        assert_eq!(sandbox.ok(empty), thumbprint, "{file}");
        if file != "4.p12" {
            let other = ["thumbprint", file, "--password-file", "other"];
            sandbox.run(other).fails(7);
        }
    }
    // The certificate of the key is not counted as another one.
    let inside = r#"printf '{"a":"%s"}' "$(base64 -w0 0.p12)" | jwks thumbprint -"#;
    let run = sandbox.shell(inside).ok();
    assert_eq!(run.stdout, thumbprint);
    assert!(run.stderr.contains("found a key in a"), "{run:#?}");
}

const NO_PASSWORD: &str = "
from cryptography import x509
from cryptography.hazmat.primitives.serialization import NoEncryption, load_pem_private_key, pkcs12
key = load_pem_private_key(open('key.pem', 'rb').read(), None)
leaf = x509.load_pem_x509_certificate(open('leaf.pem', 'rb').read())
store = pkcs12.serialize_key_and_certificates(b'own', key, leaf, None, NoEncryption())
open('python.p12', 'wb').write(store)
";

/// cryptography for Python signs certificates with ML-DSA since version 50.
#[test]
fn a_certificate_of_ml_dsa_joins_its_key() {
    let Some(python) = named_by("JWKS_TEST_PYTHON") else {
        return;
    };
    let sandbox = Sandbox::new();
    sandbox.write("make.py", ML_DSA);
    if sandbox.shell(&format!("{python} make.py")).code != Some(0) {
        return;
    }
    sandbox.ok(["set", "api", "key.pem", "leaf.pem"]);
    let [key] = &keys(&sandbox, "api")[..] else {
        panic!("not one key");
    };
    assert_eq!(key["alg"], "ML-DSA-65");
    assert_eq!(key["x5c"].as_array().map(Vec::len), Some(1));
    sandbox.ok(["check", "api"]);
    let thumbprint = sandbox.ok(["thumbprint", "key.pem"]);
    assert_eq!(sandbox.ok(["thumbprint", "leaf.pem"]), thumbprint);
}

const ML_DSA: &str = "
import datetime
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import mldsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
key = mldsa.MLDSA65PrivateKey.generate()
name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, 'api')])
leaf = x509.CertificateBuilder(name, name, key.public_key(), 7, datetime.datetime(2026, 1, 1),
                               datetime.datetime(2099, 1, 1)).sign(key, None)
open('key.pem', 'wb').write(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
open('leaf.pem', 'wb').write(leaf.public_bytes(Encoding.PEM))
";

/// What only OpenSSL decrypts is named, and the line that the hint gives leads to the key.
#[test]
fn an_encryption_that_is_not_supported_is_named() {
    if !has_tool("openssl") {
        return;
    }
    let sandbox = with_chain(EC);
    sandbox.write("password", "secret\n");
    let thumbprint = sandbox.ok(["thumbprint", "key.pem"]);
    for (options, name) in [
        (
            "-keypbe SM4-CBC -certpbe SM4-CBC",
            "encryption: PBES2 with sm4-cbc",
        ),
        ("-macalg md5", "integrity algorithm: md5"),
    ] {
        let export = "openssl pkcs12 -export -inkey key.pem -in leaf.pem";
        sandbox
            .shell(&format!(
                "{export} {options} -passout file:password -out a.p12"
            ))
            .ok();
        let run = sandbox
            .run(["set", "api", "a.p12", "--password-file", "password"])
            .fails(5);
        assert!(run.stderr.contains(name), "{run:#?}");
        let hint = "openssl pkcs12 -in FILE -nodes -legacy | jwks set SET -";
        assert!(run.stderr.contains(hint), "{run:#?}");
        // The option only adds a provider, which is not installed everywhere.
        let line = hint.replace("FILE", "a.p12 -passin file:password");
        let line = line.replace(" -legacy", "").replace("SET", "api");
        assert_eq!(sandbox.shell(&line).ok().stdout, thumbprint);
        sandbox.ok(["delete", "api", "--yes", "--force"]);
    }
    let line = "openssl pkcs8 -topk8 -v2 sm4-cbc -in key.pem -passout file:password -out sm4.pem";
    sandbox.shell(line).ok();
    let run = sandbox.run(["set", "api", "sm4.pem", "--password-file", "password"]);
    let stderr = run.fails(5).stderr;
    assert!(
        stderr.contains("encryption: PBES2 with sm4-cbc"),
        "{stderr}"
    );
    assert!(stderr.contains("openssl pkey -in FILE"), "{stderr}");
}

/// The command in the hint for JCEKS converts the keystore.
#[test]
fn the_hint_for_jceks_converts_the_keystore() {
    if !has_tool("keytool") {
        return;
    }
    let sandbox = Sandbox::new();
    sandbox.write("password", "changeit\n");
    let keytool = "keytool -genkeypair -keyalg EC -groupname secp256r1 -dname CN=old -alias old";
    let store = "-keystore old.jceks -storetype JCEKS -storepass changeit -keypass changeit";
    sandbox.shell(&format!("{keytool} {store}")).ok();
    let run = sandbox
        .run(["set", "api", "old.jceks", "--password-file", "password"])
        .fails(5);
    let line = keytool_line(&run.stderr, "old.jceks");
    sandbox
        .shell(&format!(
            "{line} -srcstorepass changeit -deststorepass changeit"
        ))
        .ok();
    sandbox.ok(["set", "api", "NEW.p12", "--password-file", "password"]);
}
