//! Real storage that speaks the protocol of S3: moto, and versitygw, which verifies every signature.

use crate::peer::Peer;
use crate::support::{JWKS, Run, Sandbox, finish, has_tool, kids_in};
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;

const ACCESS: &str = "testkey";
const SECRET: &str = "testsecret1";

fn moto() -> Option<Peer> {
    if !has_tool("moto_server") {
        return None;
    }
    let moto = Peer::start(|port, _| {
        let mut command = Command::new("moto_server");
        command.args(["-H", "127.0.0.1", "-p", &port.to_string()]);
        command
    });
    let address = moto.url("");
    let host = address.trim_start_matches("http://");
    let mut stream = TcpStream::connect(host).expect("a connection");
    let call = format!(
        "PUT /keys HTTP/1.1\r\nHost: {host}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(call.as_bytes()).expect("a call");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    Some(moto)
}

fn versitygw() -> Option<Peer> {
    if !has_tool("versitygw") {
        return None;
    }
    Some(Peer::start(|port, directory: &Path| {
        let data = directory.join("data");
        std::fs::create_dir_all(data.join("keys")).expect("a bucket");
        let mut command = Command::new("versitygw");
        command
            .env("ROOT_ACCESS_KEY", ACCESS)
            .env("ROOT_SECRET_KEY", SECRET);
        command
            .args(["--port", &format!("127.0.0.1:{port}"), "posix"])
            .arg(data);
        command
    }))
}

/// Runs the program with these credentials.
fn run_as(sandbox: &Sandbox, secret: &str, line: &str) -> Run {
    let mut command = sandbox.command(JWKS);
    command
        .env("AWS_ACCESS_KEY_ID", ACCESS)
        .env("AWS_SECRET_ACCESS_KEY", secret);
    finish(command.args(line.split(' ')))
}

fn publish(server: &Peer) -> Sandbox {
    let sandbox = Sandbox::new();
    let run = |line: &str| run_as(&sandbox, SECRET, line);
    let endpoint = server.url("");
    let add = |name: &str, place: &str| {
        run(&format!(
            "remote add {name} --kind s3 --url {place} --endpoint {endpoint}"
        ))
        .ok();
    };
    // Each of these characters is encoded in the signature.
    add("s3", "s3://keys/a+b/c=d@e~f/keys.json");
    run("create api --kid one").ok();
    run("push api s3 --yes").ok();
    run("create api --kid two").ok();
    run("push api s3 --yes").ok();
    run("diff api s3 --exit-code").ok();
    let set = run("get --remote s3").ok().json();
    assert_eq!(kids_in(&set["keys"]), ["one", "two"]);
    let again = run("push api s3 --yes --json").ok().json();
    assert_eq!(again["changed"], false);
    let test = run("remote test s3 --probe --json").ok().json();
    assert_eq!(test["honors_conditions"], true);
    // Other headers are stored and compared.
    run("rotate api --every 30d --publish-delay 10m --save").ok();
    let pushed = run("push api s3 --yes --json").ok().json();
    assert_eq!(pushed["changed"], true);
    let pushed = run("push api s3 --yes --json").ok().json();
    assert_eq!(pushed["changed"], false);
    add("nowhere", "s3://nobody/keys.json");
    let missing = run("push api nowhere --yes").fails(6);
    assert!(missing.stderr.contains("NoSuchBucket"), "{missing:#?}");
    sandbox
}

/// A keystore on the storage, with several writers at once.
fn keep(server: &Peer) {
    let sandbox = Sandbox::new();
    sandbox.write("pass", "of this set\n");
    let run = |line: &str| {
        let mut command = sandbox.command(JWKS);
        command
            .env("JWKS_STORE", "s3://keys/store")
            .env("AWS_ENDPOINT_URL_S3", server.url(""))
            .env("AWS_ACCESS_KEY_ID", ACCESS)
            .env("AWS_SECRET_ACCESS_KEY", SECRET);
        finish(command.args(line.split(' ')))
    };
    run("create api --kid one").fails(4);
    run("create api --kid one --encrypt --p2c 1000 --passphrase-file pass").ok();
    run("rotate api --every 30d --save --passphrase-file pass").ok();
    run("rotate --all --now +31d --passphrase-file pass").ok();
    let rotated = run("get api --json --now +31d --passphrase-file pass");
    assert_eq!(kids_in(&rotated.ok().json()["keys"]).len(), 2);
    let create = "create shared --alg HS256 --kid-from uuid -q --allow-plaintext";
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| (0..3).for_each(|_| drop(run(create).ok())));
        }
    });
    let shared = run("get shared --private --json").ok().json();
    assert_eq!(kids_in(&shared["keys"]).len(), 24);
    assert_eq!(run("list --format names").ok().stdout, "api\nshared\n");
    run("delete shared --yes --force").ok();
    assert_eq!(run("list --format names").ok().stdout, "api\n");
    run("get shared").fails(3);
}

pub fn moto_stores_a_set() {
    if let Some(moto) = moto() {
        publish(&moto);
        keep(&moto);
    }
}

pub fn versitygw_verifies_the_signatures() {
    if let Some(gateway) = versitygw() {
        let sandbox = publish(&gateway);
        keep(&gateway);
        let refused = run_as(&sandbox, "testsecret2", "push api s3 --yes").fails(7);
        assert!(
            refused.stderr.contains("SignatureDoesNotMatch"),
            "{refused:#?}"
        );
    }
}
