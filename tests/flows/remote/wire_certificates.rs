//! Whom a client believes, and how it shows who it is (E3).

use crate::servers::hydra::{Hydra, Version};
use crate::servers::plain::Plain;
use crate::servers::tls::{Authority, Certificate, ClientCertificate, Tls};
use crate::support::{Run, Sandbox};
use crate::wire::{PUBLIC_SET, each, name_server, sandbox_with};
use std::path::Path;

fn text(path: &Path) -> &str {
    path.to_str().expect("a UTF-8 path")
}

fn trust(authority: &Authority) -> [String; 2] {
    ["--cacert".to_owned(), text(&authority.file()).to_owned()]
}

/// Names a server `prod` with these files.
fn name_with(sandbox: &Sandbox, address: &str, files: &[String]) {
    let files: Vec<&str> = files.iter().map(String::as_str).collect();
    name_server(sandbox, "hydra", address, &files);
}

fn identity(client: &ClientCertificate) -> [String; 4] {
    let (certificate, key) = (text(&client.certificate), text(&client.key));
    ["--cert", certificate, "--key", key].map(str::to_owned)
}

/// What a push of private keys comes to; nothing of it may get through where it is refused.
fn push(sandbox: &Sandbox) -> Run {
    sandbox.run(["push", "api", "prod", "--yes"])
}

#[test]
fn a_certificate_of_a_named_authority_is_believed() {
    let (hydra, authority) = (Hydra::start(Version::V2_2), Authority::new());
    let tls = Tls::in_front_of(&hydra.address(), &authority, Certificate::Valid);
    let sandbox = sandbox_with("hydra", &hydra.address(), &[]);
    for address in [tls.address(), tls.named_address()] {
        name_with(&sandbox, &address, &trust(&authority));
        sandbox.ok(["remote", "test", "prod"]);
        push(&sandbox).ok();
    }
    assert_eq!(hydra.keys("api").len(), 1);
}

/// Each refusal says what is wrong with the certificate, and nothing is tried again: it will be
/// as bad the next time.
#[test]
fn a_bad_certificate_is_refused_before_anything_is_said() {
    let bad = [
        (Certificate::SelfSigned, "certificate"),
        (Certificate::Expired, "expired"),
        (Certificate::NotYetValid, "not valid yet"),
        (Certificate::WrongHost, "not valid for"),
        (Certificate::OtherAuthority, "--cacert"),
    ];
    each(bad, |(certificate, word)| {
        let (hydra, authority) = (Hydra::start(Version::V2_2), Authority::new());
        let tls = Tls::in_front_of(&hydra.address(), &authority, certificate);
        let sandbox = sandbox_with("hydra", &hydra.address(), &[]);
        name_with(&sandbox, &tls.address(), &trust(&authority));
        let run = push(&sandbox).fails(6);
        assert!(run.stderr.contains(word), "{certificate:?}: {run:#?}");
        assert!(run.stderr.contains("hint: "), "{certificate:?}: {run:#?}");
        assert!(!run.stderr.contains("again in"), "{run:#?}");
        assert_eq!(tls.connections(), 1, "{certificate:?}");
        assert_eq!(hydra.server.calls().len(), 0, "{certificate:?}");
    });
}

#[test]
fn an_authority_that_nobody_named_is_not_believed() {
    let (hydra, authority) = (Hydra::start(Version::V2_2), Authority::new());
    let tls = Tls::in_front_of(&hydra.address(), &authority, Certificate::Valid);
    let sandbox = sandbox_with("hydra", &hydra.address(), &[]);
    for files in [&[][..], &trust(&Authority::new())] {
        name_with(&sandbox, &tls.address(), files);
        let run = push(&sandbox).fails(6);
        assert!(run.stderr.contains("--cacert"), "{run:#?}");
    }
    assert_eq!(hydra.server.calls().len(), 0);
}

/// An address in place of a name is read with the platform's authorities alone.
#[test]
fn an_address_is_not_believed_either() {
    let (plain, authority) = (Plain::start(), Authority::new());
    plain.serve("/jwks.json", PUBLIC_SET);
    let tls = Tls::in_front_of(&plain.address(), &authority, Certificate::SelfSigned);
    let address = format!("{}/jwks.json", tls.address());
    let sandbox = Sandbox::new();
    for line in [
        ["pull", &address, "api"],
        ["set", "api", &address],
        ["get", "--remote", &address],
    ] {
        let run = sandbox.run(line).fails(6);
        assert!(run.stderr.contains("certificate"), "{run:#?}");
    }
    assert!(!sandbox.set_file("api").exists());
    assert_eq!(plain.server.calls().len(), 0);
}

/// http is asked for where https answers, and the other way round: the message is no riddle.
pub fn the_wrong_scheme_is_an_error() {
    let (hydra, authority) = (Hydra::start(Version::V2_2), Authority::new());
    let tls = Tls::in_front_of(&hydra.address(), &authority, Certificate::Valid);
    let http = tls.address().replace("https:", "http:");
    let https = hydra.address().replace("http:", "https:");
    each([http, https], |address| {
        let sandbox = Sandbox::new();
        name_with(&sandbox, &address, &trust(&authority));
        let test = ["remote", "test", "prod", "--timeout", "1"];
        let run = sandbox.run(test).fails(6);
        assert!(run.stderr.contains("hint: "), "{run:#?}");
    });
}

#[test]
fn a_client_shows_its_certificate() {
    let (hydra, authority, clients) = (
        Hydra::start(Version::V2_2),
        Authority::new(),
        Authority::new(),
    );
    let tls = Tls::requiring_client_certificate(&hydra.address(), &authority, &clients);
    let sandbox = sandbox_with("hydra", &hydra.address(), &[]);
    let files = [
        &trust(&authority)[..],
        &identity(&clients.client_certificate()),
    ];
    name_with(&sandbox, &tls.address(), &files.concat());
    push(&sandbox).ok();
    sandbox.ok(["create", "api", "--remote", "prod"]);
    assert_eq!(hydra.keys("api").len(), 2);
}

#[test]
fn a_client_without_the_right_certificate_is_turned_away() {
    let (hydra, authority, clients) = (
        Hydra::start(Version::V2_2),
        Authority::new(),
        Authority::new(),
    );
    let tls = Tls::requiring_client_certificate(&hydra.address(), &authority, &clients);
    let sandbox = sandbox_with("hydra", &hydra.address(), &[]);
    let strangers = Authority::new();
    let stranger = identity(&strangers.client_certificate());
    for identity in [&[][..], &stranger] {
        let files = [&trust(&authority)[..], identity].concat();
        name_with(&sandbox, &tls.address(), &files);
        let run = push(&sandbox).fails(6);
        assert!(run.stderr.contains("certificate"), "{run:#?}");
        assert!(run.stderr.contains("hint: "), "{run:#?}");
    }
    assert_eq!(hydra.server.calls().len(), 0);
}

/// Files that do not fit are found out before anybody is called.
#[test]
fn unfit_files_are_refused_before_any_connection() {
    let (hydra, authority) = (Hydra::start(Version::V2_2), Authority::new());
    let tls = Tls::in_front_of(&hydra.address(), &authority, Certificate::Valid);
    let (clients, others) = (Authority::new(), Authority::new());
    let (one, other) = (clients.client_certificate(), others.client_certificate());
    let sandbox = sandbox_with("hydra", &hydra.address(), &[]);
    let rubbish = sandbox.write("rubbish.pem", "no PEM at all");
    let torn = sandbox.write(
        "torn.pem",
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
    );
    let authority_file = authority.file();
    let (ca, cert, key) = (
        text(&authority_file),
        text(&one.certificate),
        text(&one.key),
    );
    let foreign = text(&other.key);
    for (cacert, cert, key, code, word) in [
        (ca, cert, foreign, 5, foreign),
        (ca, cert, &*rubbish, 5, "no private key"),
        (ca, cert, cert, 5, "no private key"),
        (ca, &*rubbish, key, 5, "rubbish.pem"),
        (ca, &*torn, key, 5, "torn.pem"),
        (&*rubbish, cert, key, 5, "no certificate"),
        (&*torn, cert, key, 5, "torn.pem"),
        ("missing.pem", cert, key, 3, "missing.pem"),
        (ca, "missing.pem", key, 3, "missing.pem"),
        (ca, cert, "missing.key", 3, "missing.key"),
    ] {
        let files = ["--cacert", cacert, "--cert", cert, "--key", key].map(str::to_owned);
        name_with(&sandbox, &tls.address(), &files);
        let run = push(&sandbox).fails(code);
        assert!(run.stderr.contains(word), "{run:#?}");
    }
    assert_eq!(tls.connections(), 0);
}
