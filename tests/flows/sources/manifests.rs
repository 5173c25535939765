//! Manifests of Kubernetes: keys in the data of Secrets and ConfigMaps.

use crate::support::{Sandbox, has_tool};
use serde_json::json;
use std::path::Path;

/// Standard base64 without lines.
fn base64(sandbox: &Sandbox, file: &str) -> String {
    sandbox
        .shell(&format!("openssl base64 -A -in {file}"))
        .ok()
        .stdout
}

/// A TLS Secret holds a key and its chain in two values; they come together, from YAML and JSON,
/// from `data` and `stringData`, and from a list of manifests.
#[test]
fn a_tls_secret_is_a_key_with_its_certificate() {
    if !has_tool("openssl") {
        return;
    }
    let sandbox = Sandbox::new();
    sandbox
        .shell(
            "openssl req -x509 -newkey ed25519 -nodes -keyout tls.key -subj /CN=api -out tls.crt",
        )
        .ok();
    let thumbprint = sandbox.ok(["thumbprint", "tls.key"]);
    let (key, certificate) = (base64(&sandbox, "tls.key"), base64(&sandbox, "tls.crt"));
    let plain = std::fs::read_to_string(sandbox.path().join("tls.key")).expect("a key");
    let indented = plain.replace('\n', "\n    ");
    let head = "apiVersion: v1\nkind: Secret\nmetadata: {name: api}\n";
    let yaml = format!(
        "{head}type: kubernetes.io/tls\ndata:\n  tls.crt: {certificate}\n  tls.key: {key}\n"
    );
    let secret = json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "api"},
        "data": {"tls.crt": certificate, "tls.key": key, "user": "bWU=", "old.jceks": "zs7OzgAA"},
    });
    let other = json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "api"}});
    let list = json!({"apiVersion": "v1", "kind": "List", "items": [other, secret]});
    for (i, (manifest, chain)) in [
        (yaml.clone(), 1),
        (
            format!("---\napiVersion: v1\nkind: Service\n---\n{yaml}"),
            1,
        ),
        (
            format!("{head}stringData:\n  key: |\n    {}\n", indented.trim_end()),
            0,
        ),
        (secret.to_string(), 1),
        (list.to_string(), 1),
    ]
    .into_iter()
    .enumerate()
    {
        let (set, file) = (format!("s{i}"), sandbox.write("manifest", manifest));
        assert_eq!(sandbox.ok(["set", &set, &file]), thumbprint, "{i}");
        let key = sandbox.json(["get", &set, "--private"])["keys"][0].clone();
        assert!(key.get("d").is_some(), "{i}");
        assert_eq!(key["x5c"].as_array().map_or(0, Vec::len), chain, "{i}");
    }
}

/// A JWK Set in a ConfigMap, as verifiers have it mounted, and in a Secret, as signers do.
#[test]
fn a_set_in_a_manifest_is_a_set() {
    let sandbox = Sandbox::new();
    sandbox.ok(["create", "api", "--count", "2"]);
    let public = sandbox.ok(["get", "api"]);
    let manifest = json!({
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "api"},
        "data": {"jwks.json": public, "color": "blue"},
    });
    let file = sandbox.write("manifest.json", manifest.to_string());
    sandbox.ok(["set", "copy", &file]);
    assert_eq!(sandbox.json(["get", "copy"]), sandbox.json(["get", "api"]));
}

/// A keystore in a Secret has its password beside it, given as for a file.
#[test]
fn a_keystore_in_a_secret_takes_its_password() {
    if !has_tool("openssl") {
        return;
    }
    let sandbox = Sandbox::new();
    for name in ["keystore.p12", "store.jks", "password"] {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cmd/base");
        sandbox.write(name, std::fs::read(file.join(name)).expect("a fixture"));
    }
    for name in ["keystore.p12", "store.jks"] {
        let keystore = base64(&sandbox, name);
        let manifest = format!("apiVersion: v1\nkind: Secret\ndata:\n  {name}: {keystore}\n");
        let file = sandbox.write("manifest.yaml", manifest);
        sandbox.run(["set", name, &file]).fails(7);
        sandbox.ok(["set", name, &file, "--password-file", "password"]);
    }
}

/// YAML that is small on disk and large in memory, or deep, is refused at once.
#[test]
fn hostile_yaml_is_refused() {
    let sandbox = Sandbox::new();
    let head = "apiVersion: v1\nkind: Secret\n";
    let mut laughs = format!("{head}a0: &a0 lol\n");
    for i in 1..30 {
        let alias = format!("*a{}", i - 1);
        laughs += &format!("a{i}: &a{i} [{}]\n", [&*alias; 9].join(", "));
    }
    for manifest in [
        laughs,
        format!("{head}data: {}", "[".repeat(200_000)),
        format!(
            "{head}data:\n{}",
            (0..2000)
                .map(|i| " ".repeat(i) + "a:\n")
                .collect::<String>()
        ),
        format!("{head}data: {{a: [}}"),
        format!("{head}data: {{a: '!'}}"),
        format!("{head}data: [1, 2]"),
        format!("{head}? [a, b]\n: c\n"),
    ] {
        let file = sandbox.write("manifest.yaml", &manifest);
        let arguments = ["set", "api", &file];
        sandbox.run(arguments).fails(5);
        if let Some((_, mib)) = sandbox.peak_memory(arguments) {
            assert!(mib < 300, "{mib} MiB: {}", &manifest[..60]);
        }
    }
    assert!(sandbox.store_entries().is_empty());
}
