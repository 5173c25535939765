//! Google Cloud Storage: a set in fake-gcs-server, and what goes wrong.

use crate::peer::Peer;
use crate::servers::{Answer, Server};
use crate::support::{JWKS, Run, Sandbox, finish, kids_in, named_by};
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::process::Command;

fn run(sandbox: &Sandbox, line: &str) -> Run {
    let mut command = sandbox.command(JWKS);
    command
        .env("GCS_TOKEN", "canary-token-of-nobody")
        .args(line.split(' '));
    let run = finish(&mut command);
    let said = format!("{}{}", run.stdout, run.stderr);
    assert!(!said.contains("canary"), "{line}: {said}");
    run
}

/// Makes the bucket `keys`.
fn make_bucket(server: &Peer) {
    let address = server.url("");
    let host = address.trim_start_matches("http://");
    let mut stream = TcpStream::connect(host).expect("a connection");
    let body = "{\"name\":\"keys\"}";
    let call = format!(
        "POST /storage/v1/b?project=test HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(call.as_bytes()).expect("a call");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

pub fn fake_gcs_server_stores_a_set() {
    let Some(program) = named_by("JWKS_TEST_FAKE_GCS") else {
        return;
    };
    let storage = Peer::start(|port, _| {
        let mut command = Command::new(&program);
        command.args([
            "-scheme",
            "http",
            "-host",
            "127.0.0.1",
            "-backend",
            "memory",
        ]);
        command.args(["-port", &port.to_string()]);
        command
    });
    make_bucket(&storage);
    let sandbox = Sandbox::new();
    let run = |line: &str| run(&sandbox, line);
    let endpoint = storage.url("");
    let add = |name: &str, place: &str| {
        run(&format!(
            "remote add {name} --kind gcs --url {place} --endpoint {endpoint} --token-env GCS_TOKEN"
        ))
        .ok();
    };
    add("gcs", "gs://keys/a/b+c/keys.json");
    run("create api --kid one").ok();
    run("push api gcs --yes -v").ok();
    run("create api --kid two").ok();
    run("push api gcs --yes").ok();
    let again = run("push api gcs --yes --json").ok().json();
    assert_eq!(again["changed"], false);
    let set = run("get --remote gcs").ok().json();
    assert_eq!(kids_in(&set["keys"]), ["one", "two"]);
    run("diff api gcs --exit-code").ok();
    let test = run("remote test gcs --probe --json").ok().json();
    assert_eq!(test["honors_conditions"], true);
    run("rotate api --every 30d --publish-delay 10m --save").ok();
    let pushed = run("push api gcs --yes --json").ok().json();
    assert_eq!(pushed["changed"], true);
    let pushed = run("push api gcs --yes --json").ok().json();
    assert_eq!(pushed["changed"], false);
    add("nowhere", "gs://nobody/keys.json");
    let failed = run("push api nowhere --yes").fails(6);
    assert!(failed.stderr.contains("create the bucket"), "{failed:#?}");
}

#[test]
fn a_write_has_a_generation_and_a_reason_to_fail() {
    let sandbox = Sandbox::new();
    run(&sandbox, "create api").ok();
    for (answer, code, words) in [
        (
            Answer::json(403, r#"{"error":{"code":403,"message":"no access"}}"#),
            7,
            "no access",
        ),
        (
            Answer::json(
                401,
                r#"{"error":{"code":401,"message":"Invalid Credentials"}}"#,
            ),
            7,
            "Invalid Credentials",
        ),
        (
            Answer::json(400, r#"{"error":{"code":400,"message":"odd"}}"#),
            6,
            "odd",
        ),
    ] {
        let server = Server::start(move |call| match call.method.as_str() {
            "GET" => Answer::empty(404),
            _ => answer.clone(),
        });
        let endpoint = server.address();
        run(&sandbox, &format!("remote add gcs --force --kind gcs --url gs://keys/keys.json --endpoint {endpoint} --token-env GCS_TOKEN")).ok();
        let failed = run(&sandbox, "push api gcs --yes").fails(code);
        assert!(failed.stderr.contains(words), "{failed:#?}");
        let calls = server.calls();
        let post = calls
            .iter()
            .find(|call| call.method == "POST")
            .expect("a write");
        assert_eq!(post.query, "uploadType=multipart&ifGenerationMatch=0");
        assert_eq!(
            post.header("Authorization"),
            Some("Bearer canary-token-of-nobody")
        );
        assert!(
            post.body
                .contains("\"cacheControl\":\"public, max-age=3600\"")
        );
    }
    for url in [
        "https://keys.example/x",
        "gs://keys",
        "gs://keys/",
        "gs:///x",
        "gs://keys/../x",
    ] {
        run(&sandbox, &format!("remote add bad --kind gcs --url {url}")).fails(2);
    }
}
