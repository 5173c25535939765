//! Addresses that are secrets: a presigned one comes from where tokens come from, and is never
//! stored or shown.

use crate::servers::{Answer, Server};
use crate::support::{JWKS, Run, Sandbox, finish};
use crate::wire::PUBLIC_SET;

const SECRET: &str = "canary0signature0of0nothing";

/// Runs the program with the presigned address in a variable.
fn run(sandbox: &Sandbox, server: &Server, line: &str) -> Run {
    let address = format!(
        "{}/bucket-{SECRET}/jwks.json?sv=1&x={SECRET}",
        server.address()
    );
    let mut command = sandbox.command(JWKS);
    command.env("PRESIGNED", address);
    let run = finish(command.args(line.split(' ')));
    let said = format!("{}{}", run.stdout, run.stderr);
    assert!(!said.contains(SECRET), "{line}: {said}");
    run
}

fn add(sandbox: &Sandbox) {
    let add = "remote add bucket --kind url --url {token} --token-env PRESIGNED";
    sandbox.ok(add.split(' '));
}

#[test]
fn a_presigned_address_comes_from_a_variable_and_is_not_shown() {
    let server = Server::start(|_| Answer::json(200, PUBLIC_SET));
    let sandbox = Sandbox::new();
    add(&sandbox);
    for line in [
        "pull bucket issuer -v",
        "get --remote bucket -v",
        "remote test bucket",
        "remote show bucket",
        "remote show bucket --json",
        "remote list",
        "remote list --json",
        "diff issuer bucket",
    ] {
        run(&sandbox, &server, line).ok();
    }
    let asked = &server.calls()[0];
    assert!(asked.path.contains(SECRET), "the whole address is asked");
    assert_eq!(asked.header("Authorization"), None);
}

#[test]
fn errors_about_a_presigned_address_do_not_show_it() {
    let sandbox = Sandbox::new();
    add(&sandbox);
    let elsewhere = format!("https://elsewhere.example/{SECRET}");
    for answer in [
        Answer::json(403, format!(r#"{{"message":"not {SECRET}"}}"#)),
        Answer::html(200, "<html></html>"),
        Answer::empty(307).header("Location", &elsewhere),
        Answer::json(200, format!(r#"{{"keys":"{SECRET}"}}"#)),
    ] {
        let server = Server::start(move |_| answer.clone());
        let failed = run(&sandbox, &server, "get --remote bucket -v --json");
        assert!(matches!(failed.code, Some(6 | 7)), "{failed:#?}");
    }
    let mut command = sandbox.command(JWKS);
    command.env("PRESIGNED", format!("{SECRET} is no address"));
    let failed = finish(command.args(["get", "--remote", "bucket"])).fails(7);
    assert!(!failed.stderr.contains(SECRET), "{failed:#?}");
}

/// A server may send a reader on to a presigned address.
#[test]
fn a_redirect_to_a_presigned_address_does_not_show_it() {
    let server = Server::start(|call| match call.path.as_str() {
        "/jwks.json" => Answer::empty(302).header("Location", format!("/x?sig={SECRET}")),
        _ => Answer::empty(404),
    });
    let sandbox = Sandbox::new();
    let line = format!("get --remote {}/jwks.json -v", server.address());
    let failed = run(&sandbox, &server, &line).fails(6);
    assert!(failed.stderr.contains("(secret)"), "{failed:#?}");
}

#[test]
fn an_address_with_a_secret_is_refused() {
    let sandbox = Sandbox::new();
    for query in ["sig=", "X-Amz-Signature=", "code=", "pwd=", "sid=", "jwt="] {
        let address = format!("https://h.example/jwks.json?sv=1&{query}{SECRET}");
        for line in [
            format!("remote add bucket --kind url --url {address}"),
            format!("set api {address}"),
            format!("pull {address} api"),
            format!("check {address}"),
        ] {
            let refused = sandbox.run(line.split(' ')).fails(2);
            assert!(!refused.stderr.contains(SECRET), "{refused:#?}");
            assert!(refused.stderr.contains("--url-env VAR"), "{refused:#?}");
        }
    }
    let bare = "remote add bucket --kind url --url {token}";
    sandbox.run(bare.split(' ')).fails(2);
}
