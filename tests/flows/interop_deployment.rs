//! What shells, parsers of dotenv files and Kubernetes make of a deployment's files.

use crate::support::{Sandbox, has_tool, named_by};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use yaml_rust2::{Yaml, YamlLoader};

/// A kid with everything in it that some parser acts on.
const ODD: &str = r##"it's "$HOME" ${HOME} `id` \n \\ # é 😀 %PATH% !x"##;

/// A set `api` whose only key has an odd kid.
fn odd_sandbox() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.ok(["create", "plain", "--kid", "k"]);
    let mut key = sandbox.json(["get", "plain", "k", "--private"]);
    key["kid"] = ODD.into();
    key["odd"] = "1.50 \u{1b}[31m\u{2028}".into();
    sandbox.write("odd.json", key.to_string());
    sandbox.ok(["set", "api", "odd.json"]);
    sandbox
}

/// What was read is the set, to the last character.
#[track_caller]
fn assert_whole(sandbox: &Sandbox, read: &str) {
    let read: Value = serde_json::from_str(read).unwrap_or_else(|error| panic!("{error}: {read}"));
    assert_eq!(read, sandbox.json(["get", "api", "--private"]));
    assert_eq!(read["keys"][0]["kid"], ODD);
}

#[test]
fn shells_and_dotenv_parsers_read_a_line() {
    let sandbox = odd_sandbox();
    let line = sandbox.ok(["export", "api", "--to", "dotenv", "--private"]);
    assert_eq!(line.lines().count(), 1, "{line}");
    sandbox.write(".env", format!("BEFORE=1\n{line}AFTER=2\n"));
    let shell = "set -eu; . ./.env; test $BEFORE$AFTER = 12; printf %s \"$JWKS\"";
    assert_whole(&sandbox, &sandbox.shell(shell).ok().stdout);
    if has_tool("bash") {
        let run = crate::support::finish(sandbox.command("bash").args(["-c", shell])).ok();
        assert_whole(&sandbox, &run.stdout);
    }
    // Node reads dotenv files from 20.6 on.
    if has_tool("node") && sandbox.shell("node --help").stdout.contains("--env-file") {
        let read = "node --env-file=.env -e 'process.stdout.write(process.env.JWKS)'";
        assert_whole(&sandbox, &sandbox.shell(read).ok().stdout);
    }
    if let Some(python) = named_by("JWKS_TEST_PYTHON") {
        let read = "import dotenv, sys; sys.stdout.write(dotenv.dotenv_values('.env')['JWKS'])";
        let run = sandbox.shell(&format!("{python} -c \"{read}\"")).ok();
        assert_whole(&sandbox, &run.stdout);
    }
}

#[test]
fn a_manifest_is_yaml_and_holds_the_set() {
    let sandbox = odd_sandbox();
    let private = sandbox.ok(["export", "api", "--to", "kubernetes", "--private"]);
    let public = sandbox.ok(["export", "api", "--to", "kubernetes", "--name", "api.keys"]);
    let [secret, map] = [&private, &public].map(|text| {
        let mut documents = YamlLoader::load_from_str(text).expect("YAML");
        assert_eq!(documents.len(), 1);
        documents.remove(0)
    });
    let text = |manifest: &Yaml, path: &[&str]| {
        let value = path
            .iter()
            .fold(manifest, |manifest, name| &manifest[*name]);
        value.as_str().unwrap_or_default().to_owned()
    };
    assert_eq!(text(&secret, &["kind"]), "Secret");
    assert_eq!(text(&secret, &["type"]), "Opaque");
    assert_eq!(text(&secret, &["metadata", "name"]), "api");
    let data = STANDARD.decode(text(&secret, &["data", "jwks.json"]));
    let data = String::from_utf8(data.expect("base64")).expect("UTF-8");
    assert_whole(&sandbox, &data);
    assert_eq!(text(&map, &["kind"]), "ConfigMap");
    assert_eq!(text(&map, &["metadata", "name"]), "api.keys");
    let published = sandbox.ok(["export", "api"]);
    let parse = |text: &str| serde_json::from_str::<Value>(text).expect("JSON");
    let data = text(&map, &["data", "jwks.json"]);
    assert_eq!(parse(&data), parse(&published));
}

/// kubectl reads the manifests as objects of their kind, and wants no server for it.
#[test]
fn kubectl_reads_a_manifest() {
    if !has_tool("kubectl") {
        return;
    }
    let sandbox = odd_sandbox();
    let read = |export: &str, file: &str| {
        let line = format!(
            "jwks export api --to kubernetes {export} |
             kubectl label --local -f - -o 'jsonpath={{.data.{file}}}' read=yes"
        );
        sandbox.shell(&line).ok().stdout
    };
    let secret = STANDARD
        .decode(read("--private", "jwks\\.json"))
        .expect("base64");
    assert_whole(&sandbox, &String::from_utf8(secret).expect("UTF-8"));
    let public = read("", "jwks\\.json");
    assert_eq!(public, sandbox.ok(["export", "api"]));
}
