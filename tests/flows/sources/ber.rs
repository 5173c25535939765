//! Keystores and bundles that the tests take apart: in BER, as writers that stream make them, and with
//! several passwords.

use crate::support::{Sandbox, has_tool};

/// Splits off the first element: its tag, its content and the rest.
fn split(der: &[u8]) -> (u8, &[u8], &[u8]) {
    let (tag, length) = (der[0], usize::from(der[1]));
    let (start, length) = match length {
        0..0x80 => (2, length),
        _ => {
            let digits = &der[2..2 + (length & 0x7f)];
            let length = digits
                .iter()
                .fold(0, |n, digit| n << 8 | usize::from(*digit));
            (2 + digits.len(), length)
        }
    };
    (tag, &der[start..start + length], &der[start + length..])
}

/// The forms of BER.
#[derive(Clone, Copy, Debug)]
enum Form {
    /// Every length is indefinite, as NSS and BouncyCastle write.
    Indefinite,
    /// Every length has four digits.
    Long,
}

fn element(form: Form, tag: u8, content: &[u8]) -> Vec<u8> {
    if matches!(form, Form::Indefinite) && tag & 0x20 != 0 {
        return [&[tag, 0x80], content, &[0, 0]].concat();
    }
    let length = u32::try_from(content.len())
        .expect("a length")
        .to_be_bytes();
    [&[tag, 0x84], &length[..], content].concat()
}

/// Converts elements in DER. Octet strings get two segments. The content of the first `deep` octet
/// strings inside each other is converted, too.
fn ber(mut der: &[u8], form: Form, deep: usize) -> Vec<u8> {
    let mut converted = Vec::new();
    while !der.is_empty() {
        let (tag, content, rest) = split(der);
        let is_deep = deep > 0 && content.first() == Some(&0x30);
        converted.extend(match tag {
            // The ciphertext has an implicit tag.
            0x04 | 0x80 => {
                let content = if is_deep {
                    ber(content, form, deep - 1)
                } else {
                    content.to_vec()
                };
                let (one, other) = content.split_at(content.len() / 2);
                let segments = [one, other].map(|part| element(form, 0x04, part));
                element(form, tag | 0x20, &segments.concat())
            }
            tag if tag & 0x20 != 0 => element(form, tag, &ber(content, form, deep)),
            tag => element(form, tag, content),
        });
        der = rest;
    }
    converted
}

#[test]
fn a_keystore_in_ber_gives_its_key_and_certificate() {
    if !has_tool("openssl") {
        return;
    }
    let sandbox = Sandbox::new();
    sandbox.write("password", "secret\n");
    let make = "openssl genpkey -algorithm ed25519 -out key.pem &&
        openssl req -x509 -key key.pem -subj /CN=api -out leaf.pem";
    sandbox.shell(make).ok();
    let thumbprint = sandbox.ok(["thumbprint", "key.pem"]);
    for (i, (options, deep)) in [
        // The code of a keystore depends on the bytes of its content.
        ("-macalg sha256", 0),
        ("-nomac", 1),
        ("-nomac -keypbe NONE -certpbe NONE", 2),
    ]
    .into_iter()
    .enumerate()
    {
        let export = format!(
            "openssl pkcs12 -export -inkey key.pem -in leaf.pem -name own {options} \
             -passout file:password -out {i}.p12"
        );
        sandbox.shell(&export).ok();
        let der = std::fs::read(sandbox.path().join(format!("{i}.p12"))).expect("a keystore");
        for form in [Form::Indefinite, Form::Long] {
            let (set, file) = (format!("{form:?}{i}"), format!("{form:?}{i}.p12"));
            sandbox.write(&file, ber(&der, form, deep));
            let arguments = ["set", &set, &file, "--password-file", "password"];
            let run = sandbox.run(arguments).ok();
            assert_eq!(run.stdout, thumbprint, "{options} {form:?}");
            let keys = sandbox.json(["get", &set, "--private"])["keys"].clone();
            assert_eq!(keys[0]["x5c"].as_array().map(Vec::len), Some(1), "{keys}");
            let alias = ["--alias", "own", "--from", "pkcs12"];
            sandbox.ok(arguments.into_iter().chain(alias));
        }
    }
    // GnuTLS writes a keystore as PEM.
    let long = std::fs::read(sandbox.path().join("Long0.p12")).expect("a keystore");
    sandbox.write("store.pem", pem::encode(&pem::Pem::new("PKCS12", long)));
    let pem = ["thumbprint", "store.pem", "--password-file", "password"];
    assert_eq!(sandbox.ok(pem), thumbprint);
    sandbox.write("wrong", "secret2\n");
    let wrong = ["set", "wrong", "Long0.p12", "--password-file", "wrong"];
    sandbox.run(wrong).fails(7);
}

#[test]
fn a_bundle_in_ber_gives_its_certificates_unchanged() {
    if !has_tool("openssl") {
        return;
    }
    let sandbox = Sandbox::new();
    let make =
        "openssl req -x509 -newkey ed25519 -nodes -keyout key.pem -subj /CN=api -out leaf.pem &&
        openssl crl2pkcs7 -nocrl -certfile leaf.pem -outform DER -out der.p7b";
    sandbox.shell(make).ok();
    let der = std::fs::read(sandbox.path().join("der.p7b")).expect("a bundle");
    sandbox.ok(["set", "der", "der.p7b"]);
    let expected = sandbox.ok(["get", "der"]);
    // A bundle can have indefinite lengths only inside.
    let (_, content, _) = split(&der);
    let inside = element(Form::Long, 0x30, &ber(content, Form::Indefinite, 0));
    sandbox.write("inside.p7b", inside);
    sandbox.ok(["set", "inside", "inside.p7b"]);
    assert_eq!(sandbox.ok(["get", "inside"]), expected);
    for form in [Form::Indefinite, Form::Long] {
        let converted = ber(&der, form, 0);
        let pem = pem::encode(&pem::Pem::new("PKCS7", converted.clone()));
        for (file, content) in [("p7b", converted), ("pem", pem.into_bytes())] {
            let name = format!("{form:?}.{file}");
            sandbox.write(&name, content);
            let set = format!("{form:?}-{file}");
            sandbox.ok(["set", &set, &name]);
            assert_eq!(sandbox.ok(["get", &set]), expected, "{form:?} {file}");
        }
    }
}

/// Returns the content of the element at a path of positions.
fn inside<'a>(mut der: &'a [u8], path: &[usize]) -> &'a [u8] {
    for position in path {
        for _ in 0..*position {
            (_, _, der) = split(der);
        }
        (_, der, _) = split(der);
    }
    der
}

/// The parts of two keystores in one, each under its own password.
#[test]
fn the_parts_of_a_keystore_can_have_two_passwords() {
    if !has_tool("openssl") {
        return;
    }
    let sandbox = Sandbox::new();
    let mut parts = Vec::new();
    for name in ["one", "two"] {
        sandbox.write(name, format!("{name}\n"));
        let make = format!(
            "openssl genpkey -algorithm ed25519 -out {name}.pem &&
             openssl pkcs12 -export -nocerts -nomac -inkey {name}.pem -name {name} \
                 -passout file:{name} -out {name}.p12"
        );
        sandbox.shell(&make).ok();
        let der = std::fs::read(sandbox.path().join(format!("{name}.p12"))).expect("a keystore");
        // The content of the data in the second member of PFX.
        parts.push(inside(&der, &[0, 1, 1, 0, 0]).to_vec());
    }
    let wrapped = |tags: &[u8], content: Vec<u8>| {
        let wrap = |content: Vec<u8>, tag: &u8| element(Form::Long, *tag, &content);
        tags.iter().fold(content, wrap)
    };
    let data = b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x01";
    let content = wrapped(&[0x30, 0x04, 0xa0], parts.concat());
    let safe = element(Form::Long, 0x30, &[&data[..], &content].concat());
    sandbox.write(
        "both.p12",
        element(Form::Long, 0x30, &[b"\x02\x01\x03", &safe[..]].concat()),
    );
    let set = ["set", "api", "both.p12", "--password-file", "passwords"];
    sandbox.write("passwords", "one\n");
    let run = sandbox.run(set).fails(7);
    let words = r#""two" of the keystore: it has another password than the keystore"#;
    assert!(run.stderr.contains(words), "{run:#?}");
    for passwords in ["one\ntwo\n", "two\none\n"] {
        sandbox.write("passwords", passwords);
        sandbox.ok(set);
    }
    let keys = sandbox.json(["get", "api"])["keys"].clone();
    assert_eq!(keys.as_array().map(Vec::len), Some(2));
}
