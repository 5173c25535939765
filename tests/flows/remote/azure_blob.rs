//! Azure Blob Storage: what a blob is written with, what goes wrong, and a set in Azurite.

use crate::peer::Peer;
use crate::servers::{Answer, Server};
use crate::support::{JWKS, Run, Sandbox, finish, kids_in, named_by};
use openssl::hash::MessageDigest;
use openssl::pkey::PKey;
use openssl::sign::Signer;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::process::Command;

/// The account of Azurite, and its published key.
const ACCOUNT: &str = "devstoreaccount1";
const ACCOUNT_KEY: &str =
    "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";

fn sign(text: &str) -> String {
    let key = openssl::base64::decode_block(ACCOUNT_KEY).expect("base64");
    let key = PKey::hmac(&key).expect("a key");
    let mut signer = Signer::new(MessageDigest::sha256(), &key).expect("a signer");
    signer.update(text.as_bytes()).expect("data");
    openssl::base64::encode_block(&signer.sign_to_vec().expect("a signature"))
}

fn escaped(text: &str) -> String {
    text.replace('+', "%2B")
        .replace('/', "%2F")
        .replace('=', "%3D")
        .replace(':', "%3A")
}

/// Returns the query of a shared access signature for the whole account.
fn signature() -> String {
    let (version, services, types, rights) = ("2020-08-04", "b", "sco", "rwc");
    let expiry = "2100-01-01T00:00:00Z";
    let text = format!("{ACCOUNT}\n{rights}\n{services}\n{types}\n\n{expiry}\n\n\n{version}\n");
    let signature = escaped(&sign(&text));
    let expiry = escaped(expiry);
    format!("sv={version}&ss={services}&srt={types}&sp={rights}&se={expiry}&sig={signature}")
}

/// Makes a call without a body, and returns its status line.
fn call(server: &Peer, method: &str, path: &str) -> String {
    let address = server.url("");
    let host = address.trim_start_matches("http://");
    let mut stream = TcpStream::connect(host).expect("a connection");
    let call = format!(
        "{method} {path} HTTP/1.1\r\nHost: {host}\r\nx-ms-version: 2020-08-04\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(call.as_bytes()).expect("a call");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    answer.lines().next().unwrap_or_default().to_owned()
}

/// Runs the program with an address in a variable, which nothing shows.
fn run(sandbox: &Sandbox, address: &str, line: &str) -> Run {
    let mut command = sandbox.command(JWKS);
    command.env("SAS", address).args(line.split(' '));
    let run = finish(&mut command);
    let said = format!("{}{}", run.stdout, run.stderr);
    assert!(!said.contains("sig="), "{line}: {said}");
    run
}

pub fn azurite_stores_a_set() {
    let Some(directory) = named_by("JWKS_TEST_AZURITE") else {
        return;
    };
    let azurite = Peer::start(|port, files| {
        let mut command = Command::new("node");
        let main = "node_modules/azurite/dist/src/blob/main.js";
        command.arg(std::path::Path::new(&directory).join(main));
        // Without the second option, it calls a server of its maker.
        command.args(["--silent", "--disableTelemetry", "--blobHost", "127.0.0.1"]);
        command
            .args(["--blobPort", &port.to_string()])
            .arg("-l")
            .arg(files);
        command
    });
    let query = signature();
    let made = call(
        &azurite,
        "PUT",
        &format!("/{ACCOUNT}/keys?restype=container&{query}"),
    );
    assert!(made.contains("201"), "{made}");
    let sandbox = Sandbox::new();
    let address = azurite.url(&format!("/{ACCOUNT}/keys/a/jwks.json?{query}"));
    let run_there = |line: &str| run(&sandbox, &address, line);
    run_there("remote add blob --kind azure-blob --url-env SAS").ok();
    run_there("create api --kid one").ok();
    run_there("push api blob --yes -v").ok();
    run_there("create api --kid two").ok();
    run_there("push api blob --yes").ok();
    let again = run_there("push api blob --yes --json").ok().json();
    assert_eq!(again["changed"], false);
    let set = run_there("get --remote blob").ok().json();
    assert_eq!(kids_in(&set["keys"]), ["one", "two"]);
    run_there("diff api blob --exit-code").ok();
    let test = run_there("remote test blob --probe --json").ok().json();
    assert_eq!(test["honors_conditions"], true);
    run_there("rotate api --every 30d --publish-delay 10m --save").ok();
    let pushed = run_there("push api blob --yes --json").ok().json();
    assert_eq!(pushed["changed"], true);
    let elsewhere = azurite.url(&format!("/{ACCOUNT}/nowhere/jwks.json?{query}"));
    let failed = run(&sandbox, &elsewhere, "push api blob --yes").fails(6);
    assert!(
        failed.stderr.contains("create the container"),
        "{failed:#?}"
    );
    let wrong = address.replace("sig=", "sig=x");
    run(&sandbox, &wrong, "push api blob --yes").fails(7);
}

#[test]
fn a_blob_has_its_type_and_its_headers() {
    let server = Server::start(|call| match call.method.as_str() {
        "GET" => Answer::empty(404).header("x-ms-error-code", "BlobNotFound"),
        _ => Answer::empty(412).header("x-ms-error-code", "LeaseIdMissing"),
    });
    let sandbox = Sandbox::new();
    let url = format!("{}/keys/jwks.json", server.address());
    let line = format!("remote add blob --kind azure-blob --token-env SAS --url {url}");
    run(&sandbox, "token-token", &line).ok();
    run(&sandbox, "", "create api").ok();
    let leased = run(&sandbox, "token-token", "push api blob --yes").fails(6);
    assert!(leased.stderr.contains("lease"), "{leased:#?}");
    let calls = server.calls();
    let put = calls
        .iter()
        .find(|call| call.method == "PUT")
        .expect("a write");
    for (name, value) in [
        ("Authorization", "Bearer token-token"),
        ("x-ms-version", "2023-11-03"),
        ("x-ms-blob-type", "BlockBlob"),
        ("x-ms-blob-cache-control", "public, max-age=3600"),
        ("Content-Type", "application/jwk-set+json"),
        ("If-None-Match", "*"),
    ] {
        assert_eq!(put.header(name), Some(value));
    }
    assert!(put.header("x-ms-date").is_some());
    let line = "remote add bad --kind azure-blob --url https://account.blob.core.windows.net/keys";
    run(&sandbox, "", line).fails(2);
}
