//! Files, addresses, standard input and remotes in the place of a set.

use crate::servers::plain::Plain;
use crate::support::{JWKS, Run, Sandbox};
use serde_json::{Value, json};
use std::path::Path;

/// A sandbox without a keystore, in whose directory `keys.json` holds a set with three private keys, dates
/// and a shared secret.
fn sandbox() -> Sandbox {
    let sandbox = Sandbox::new();
    let make = |arguments: &str| {
        sandbox.ok(format!("{arguments} --store made --quiet").split(' '));
    };
    make("create it --kid old --nbf 2026-01-01");
    make("create it --kid new --nbf 2026-02-01");
    make("create it --kid far --alg RS256 --exp 2027-01-01");
    make("create it --alg HS256 --kid shared");
    let keys = sandbox.ok("get it --private --store made".split(' '));
    sandbox.write("keys.json", keys);
    sandbox
}

fn run(sandbox: &Sandbox, line: &str) -> Run {
    sandbox.run(line.split(' '))
}

/// Copies a fixture of the tests of commands.
fn fixture(sandbox: &Sandbox, name: &str) {
    let base = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cmd/base");
    sandbox.write(name, std::fs::read(base.join(name)).expect("a fixture"));
}

/// A file is read as the same set in the keystore is, and nothing is written or created.
#[test]
fn a_file_is_read_like_a_set_and_leaves_no_trace() {
    let sandbox = sandbox();
    let now = "--now 2026-03-01";
    for line in [
        "get TARGET",
        "get TARGET new",
        "get TARGET --state active --set --json",
        "get TARGET new --private",
        "export TARGET",
        "export TARGET new --to pem",
        "export TARGET --private",
        "export TARGET new --to pem --private",
        "list TARGET --format names",
        "list TARGET",
        "list TARGET --timeline",
        "thumbprint TARGET",
    ] {
        let line = format!("{line} {now}");
        let set = line.replace("TARGET", "it") + " --store made";
        let set = run(&sandbox, &set).ok();
        for target in ["keys.json", "./keys.json"] {
            let file = run(&sandbox, &line.replace("TARGET", target)).ok();
            let (file, set) = (
                file.stdout.replace(target, "it"),
                set.stdout.replace("set it", "it"),
            );
            assert_eq!(file.replace("set it", "it"), set, "{line}");
        }
        let keys = std::fs::read(sandbox.path().join("keys.json")).expect("the file");
        let mut words: Vec<_> = line.split(' ').collect();
        words[1] = "-";
        let piped = sandbox.run_with_input(words, keys).ok().stdout;
        let piped = piped.replace("standard input", "it");
        assert_eq!(piped, set.stdout.replace("set it", "it"), "{line}");
    }
    let rows = run(&sandbox, "list ./keys.json --json").ok().json();
    assert_eq!(rows["set"], "./keys.json");
    assert!(!sandbox.store().exists(), "no keystore was created");
    let made = sandbox.path().join("made/.log");
    let log = std::fs::read_to_string(made).expect("the log of the other keystore");
    assert!(!log.contains("keys.json"), "{log}");
}

/// Private parts leave a file only with --private.
#[test]
fn a_private_part_leaves_a_file_only_when_asked_for() {
    let sandbox = sandbox();
    let text = std::fs::read_to_string(sandbox.path().join("keys.json")).expect("the file");
    let set: Value = serde_json::from_str(&text).expect("JSON");
    let keys = set["keys"].as_array().expect("keys");
    let secrets = keys
        .iter()
        .filter_map(|key| key["d"].as_str().or(key["k"].as_str()));
    let secrets: Vec<_> = secrets.collect();
    assert_eq!(secrets.len(), 4);
    for line in [
        "get keys.json",
        "export keys.json",
        "export keys.json --to kubernetes",
        "list keys.json --json",
        "check keys.json --json",
        "diff keys.json keys.json --json",
    ] {
        let run = run(&sandbox, line).ok();
        for secret in &secrets {
            assert!(
                !run.stdout.contains(secret) && !run.stderr.contains(secret),
                "{line}"
            );
        }
    }
    let private = run(&sandbox, "get keys.json --private").ok().json();
    assert_eq!(private, set);
    let run = run(&sandbox, "get keys.json shared").fails(4);
    assert!(
        run.stderr.contains("nothing public in keys.json"),
        "{run:#?}"
    );
}

/// A word that can be the name of a set is that set, and a file is named by its path.
#[test]
fn a_file_with_the_name_of_a_set_is_not_read() {
    let sandbox = sandbox();
    sandbox.ok("create api --kid mine --quiet".split(' '));
    let file = std::fs::read(sandbox.path().join("keys.json")).expect("the file");
    sandbox.write("api", &file);
    sandbox.write("api.pem", &file);
    let kids = |target: &str| {
        run(&sandbox, &format!("list {target} --format names"))
            .ok()
            .stdout
    };
    assert_eq!(kids("api"), "mine\n");
    assert_eq!(kids("./api"), kids("keys.json"));
    // A suffix of key files makes it a file, unless there is a set of this name.
    assert_eq!(kids("api.pem"), kids("keys.json"));
    sandbox.ok("create api.pem --kid other --quiet".split(' '));
    assert_eq!(kids("api.pem"), "other\n");
    sandbox.ok("delete api --yes --force".split(' '));
    for command in ["list", "get", "export", "check", "thumbprint", "diff ./api"] {
        let run = run(&sandbox, &format!("{command} api")).fails(3);
        assert!(
            run.stderr.contains("write ./api to read the file api"),
            "{run:#?}"
        );
    }
    let run = run(&sandbox, "get nothing.pem").fails(3);
    assert!(run.stderr.contains("no file nothing.pem"), "{run:#?}");
    let run = self::run(&sandbox, "get ftp://h.example/keys").fails(2);
    assert!(run.stderr.contains("begins with https://"), "{run:#?}");
}

/// One password opens the file and protects the export, unless they are given apart.
#[test]
fn the_file_that_is_read_has_its_own_password() {
    let sandbox = Sandbox::new();
    fixture(&sandbox, "keystore.p12");
    fixture(&sandbox, "password");
    sandbox.write("new", "another password\n");
    let export = "export ./keystore.p12 --private";
    let opened = "--password-file password";
    let keys = run(&sandbox, &format!("{export} {opened}")).ok().json();
    assert_eq!(keys["keys"].as_array().map(Vec::len), Some(2));
    let kid = keys["keys"][0]["kid"].as_str().expect("a kid").to_owned();
    let jwk = run(&sandbox, &format!("{export} {kid} --to jwk {opened}"))
        .ok()
        .json();
    assert_eq!(jwk, keys["keys"][0]);
    let public = run(
        &sandbox,
        &format!("export ./keystore.p12 --to pem {opened}"),
    )
    .ok();
    assert!(!public.stdout.contains("PRIVATE"), "{public:#?}");
    // Encrypted formats take the same password, or a new one.
    for (given, password) in [
        ("--password-file password", "password"),
        ("--password-file new --input-password-file password", "new"),
    ] {
        let line = format!("{export} {kid} --to pem {given} -o out.pem --force");
        run(&sandbox, &line).ok();
        let line = format!("get out.pem --private --set --password-file {password}");
        let copy = run(&sandbox, &line).ok().json();
        assert_eq!(copy["keys"][0]["d"], jwk["d"]);
        assert!(
            std::fs::read_to_string(sandbox.path().join("out.pem"))
                .is_ok_and(|text| text.contains("BEGIN ENCRYPTED PRIVATE KEY"))
        );
    }
    let line = format!("{export} {kid} --to pem --input-password-file password");
    let plain = run(&sandbox, &line).ok();
    assert!(plain.stdout.contains("BEGIN PRIVATE KEY"), "{plain:#?}");
    run(&sandbox, export).fails(7);
    run(&sandbox, &format!("{export} --password-file new")).fails(7);
    let line = format!("{export} --encrypt {opened}");
    let run = run(&sandbox, &line).fails(2);
    assert!(
        run.stderr
            .contains("--to jwks cannot be used with --encrypt"),
        "{run:#?}"
    );
    assert!(!sandbox.store().exists());
}

/// Both sides of a comparison can be a set or a file.
#[test]
fn two_files_are_compared() {
    let sandbox = sandbox();
    let now = "--now 2026-03-01";
    let public = run(&sandbox, &format!("export keys.json {now}"))
        .ok()
        .stdout;
    sandbox.write("public.json", public);
    let same = "diff keys.json keys.json --exit-code --json";
    let same = run(&sandbox, same).ok().json();
    assert_eq!(same["identical"].as_array().map(Vec::len), Some(4));
    let run_diff = |line: &str| run(&sandbox, &format!("diff {line} {now}"));
    let report = run_diff("keys.json public.json --json").ok().json();
    assert_eq!(report["only_local"], json!([{"kid": "shared"}]));
    assert_eq!(report["identical"].as_array().map(Vec::len), Some(3));
    let run = run_diff("public.json keys.json --exit-code").fails(8);
    assert!(run.stdout.contains("only in keys.json  shared"), "{run:#?}");
    assert!(
        run.stderr
            .contains("keys.json also has the private part of these keys: "),
        "{run:#?}"
    );
    let run = run_diff("made/it.json ./public.json --exit-code").fails(8);
    assert!(
        run.stdout.contains("only in made/it.json  shared"),
        "{run:#?}"
    );
    // A set of the keystore can stand on either side.
    for sides in ["it keys.json", "keys.json it", "it it"] {
        run_diff(&format!("{sides} --exit-code --store made")).ok();
    }
    let report = run_diff("keys.json it --store made --json").ok().json();
    assert_eq!(
        (&report["remote"], &report["remote_set"]),
        (&Value::Null, &json!("it"))
    );
    let keys = std::fs::read(sandbox.path().join("keys.json")).expect("the file");
    let piped = |line: &str| sandbox.run_with_input(line.split(' '), &keys);
    piped("diff - keys.json --exit-code").ok();
    let run = piped("diff - -").fails(2);
    let said = "standard input can be read only once";
    assert!(run.stderr.contains(said), "{run:#?}");
    assert!(!sandbox.store().exists());
}

/// A web server with the public keys of `keys.json`, and with an issuer.
fn site(sandbox: &Sandbox) -> Plain {
    let web = Plain::start();
    web.serve("/keys", run(sandbox, "export keys.json").ok().stdout);
    web
}

fn serve_issuer(web: &Plain, path: &str, issuer: &str, jwks: &str) {
    let document = json!({"issuer": web.url(issuer), "jwks_uri": web.url(jwks)});
    web.serve(path, document);
}

/// The address of an issuer leads to its JWK Set, wherever its discovery document is.
#[test]
fn an_issuer_leads_to_its_keys() {
    let sandbox = sandbox();
    let web = site(&sandbox);
    let expected = run(&sandbox, &format!("get {}", web.url("/keys")))
        .ok()
        .stdout;
    serve_issuer(&web, "/.well-known/openid-configuration", "", "/keys");
    serve_issuer(&web, "/a/.well-known/openid-configuration", "/a", "/keys");
    serve_issuer(&web, "/b/.well-known/openid-configuration", "/b/", "/keys");
    serve_issuer(
        &web,
        "/.well-known/oauth-authorization-server/c",
        "/c",
        "/keys",
    );
    serve_issuer(&web, "/d", "/d", "/keys");
    web.serve("/e", "<html>Sign in</html>");
    serve_issuer(&web, "/e/.well-known/openid-configuration", "/e", "/keys");
    for issuer in [
        "",
        "/a",
        "/b/",
        "/c",
        "/d",
        "/e",
        "/.well-known/openid-configuration",
        "/b/.well-known/openid-configuration",
        "/.well-known/oauth-authorization-server/c",
    ] {
        let address = web.url(issuer);
        let keys = run(&sandbox, &format!("get {address}")).ok().stdout;
        assert_eq!(keys, expected, "{address}");
        let keys = run(&sandbox, &format!("get --remote {address}"))
            .ok()
            .stdout;
        assert_eq!(keys, expected, "{address}");
    }
    let issuer = web.address();
    let listed = run(&sandbox, &format!("list {issuer} --json")).ok().json();
    assert_eq!(listed["keys"][0]["private"], false);
    run(&sandbox, &format!("check {issuer} --public")).ok();
    run(&sandbox, &format!("diff keys.json {issuer} --exit-code")).ok();
    run(&sandbox, &format!("export {issuer} new --to pem")).ok();
    assert!(!sandbox.store().exists(), "no keystore was created");
    run(&sandbox, &format!("set copy {issuer}")).ok();
    run(&sandbox, &format!("pull {issuer} pulled")).ok();
    assert_eq!(
        run(&sandbox, "get copy").ok().stdout,
        run(&sandbox, "get pulled").ok().stdout
    );
}

/// The document of another issuer is refused, only one step is taken, and a private key behind an address
/// is shown as one.
#[test]
fn a_discovery_document_is_not_trusted() {
    let sandbox = sandbox();
    let web = site(&sandbox);
    serve_issuer(
        &web,
        "/a/.well-known/openid-configuration",
        "/other",
        "/keys",
    );
    let run_get = |path: &str| run(&sandbox, &format!("get {}", web.url(path)));
    let run = run_get("/a").fails(6);
    for named in [web.url("/a"), web.url("/other")] {
        assert!(
            run.stderr.contains(&format!("{named:?}")),
            "{named}: {run:#?}"
        );
    }
    serve_issuer(&web, "/b", "/b", "/c");
    serve_issuer(&web, "/c", "/c", "/keys");
    let run = run_get("/b").fails(5);
    assert!(
        run.stderr.contains("not a JWK Set: it has no keys member"),
        "{run:#?}"
    );
    web.serve(
        "/d",
        json!({"issuer": web.url("/d"), "jwks_uri": "file:///etc/passwd"}),
    );
    let run = run_get("/d").fails(6);
    assert!(run.stderr.contains("has no valid jwks_uri"), "{run:#?}");
    web.serve(
        "/f",
        json!({"issuer": web.url("/f\u{1b}[2J"), "jwks_uri": web.url("/keys")}),
    );
    let run = run_get("/f").fails(6);
    assert!(!run.stderr.contains('\u{1b}'), "{run:#?}");
    let run = run_get("/nothing").fails(6);
    assert!(run.stderr.contains("/nothing answered 404"), "{run:#?}");
    // A set with a member jwks_uri is a set.
    let keys: Value = serde_json::from_str(&run_get("/keys").ok().stdout).expect("JSON");
    web.serve(
        "/g",
        json!({"issuer": "x", "jwks_uri": "y", "keys": keys["keys"]}),
    );
    run_get("/g").ok();
    let private = std::fs::read_to_string(sandbox.path().join("keys.json")).expect("the file");
    web.serve("/private", private);
    let line = format!("list {} --json", web.url("/private"));
    let listed = self::run(&sandbox, &line).ok().json();
    assert_eq!(listed["keys"][0]["private"], true);
}

/// Commands that read take a remote, after a set of the same name.
#[test]
fn a_remote_is_read_by_its_name() {
    let sandbox = sandbox();
    let web = site(&sandbox);
    let add = format!("remote add web --kind url --url {}", web.url("/keys"));
    run(&sandbox, &add).ok();
    let expected = run(&sandbox, "get --remote web").ok().stdout;
    for target in ["web", "web:jwks"] {
        assert_eq!(
            run(&sandbox, &format!("get {target}")).ok().stdout,
            expected
        );
        run(&sandbox, &format!("check {target} --public")).ok();
        run(&sandbox, &format!("list {target}")).ok();
        run(&sandbox, &format!("thumbprint {target}")).ok();
        run(&sandbox, &format!("export {target} new --to pem")).ok();
        run(&sandbox, &format!("diff keys.json {target} --exit-code")).ok();
    }
    assert!(!sandbox.store().exists(), "no keystore was created");
    let run_get = run(&sandbox, "get web:other").fails(3);
    assert!(
        run_get.stderr.contains("no set other on web"),
        "{run_get:#?}"
    );
    run(&sandbox, "create web --kid mine --quiet").ok();
    let kids = run(&sandbox, "list web --format names").ok().stdout;
    assert_eq!(kids, "mine\n");
    // The second side of a comparison is the remote.
    let report = run(&sandbox, "diff web web --json").ok().json();
    assert_eq!(report["remote"], "web");
}

#[test]
fn an_encrypted_set_is_compared_by_its_public_part() {
    let sandbox = Sandbox::new();
    sandbox.write("pass", "correct horse\n");
    let passphrase = ["--passphrase-file", "pass"];
    let create = ["create", "api", "--encrypt", "--p2c", "10000", "--kid", "a"];
    sandbox.ok(create.iter().chain(&passphrase));
    let export = ["export", "api", "--private", "-o", "api.json"];
    sandbox.ok(export.iter().chain(&passphrase));
    for line in [["api", "./api.json"], ["./api.json", "api"]] {
        let run = sandbox
            .run(["diff", "--exit-code"].iter().chain(&line))
            .ok();
        assert!(run.stderr.contains("1 identical"), "{run:#?}");
        assert!(!run.stdout.contains("jwks_private"), "{run:#?}");
    }
}

#[test]
fn keys_inside_a_document_at_an_address_are_compared() {
    let sandbox = sandbox();
    let web = site(&sandbox);
    let keys = run(&sandbox, "export keys.json").ok().stdout;
    web.serve("/client", format!(r#"{{"client_id":"a","jwks":{keys}}}"#));
    let line = format!("diff keys.json {} --exit-code", web.url("/client"));
    let compared = run(&sandbox, &line);
    assert!(compared.stderr.contains("identical"), "{compared:#?}");
    assert!(!compared.stdout.contains("differs"), "{compared:#?}");
    // Standard input is read once.
    let line = format!("cat keys.json | '{JWKS}' diff - {}", web.url("/client"));
    assert!(sandbox.shell(&line).ok().stderr.contains("identical"));
    web.serve("/none", r#"{"client_id":"a"}"#);
    let line = format!("diff keys.json {}", web.url("/none"));
    run(&sandbox, &line).fails(5);
}
