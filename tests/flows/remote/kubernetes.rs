//! Kubernetes: a set in a ConfigMap or a Secret, its neighbors, its limits and its roles.

use crate::servers::Answer;
use crate::servers::hostile::{Behavior, Hostile};
use crate::servers::kubernetes::{Kubernetes, TOKEN, encode};
use crate::support::{JWKS, Run, Sandbox, finish, kids_in};
use serde_json::{Value, json};
use std::process::Command;

/// A cluster, and a sandbox with a set `api` that knows its ConfigMap `apps/keys` as `map`.
pub struct Site {
    pub cluster: Kubernetes,
    pub sandbox: Sandbox,
}

impl Site {
    pub fn start() -> Site {
        let site = Site {
            cluster: Kubernetes::start(),
            sandbox: Sandbox::new(),
        };
        site.run("create api --kid one").ok();
        site.add("map", "configmap://apps/keys", "");
        site
    }

    fn add(&self, name: &str, url: &str, options: &str) {
        let endpoint = self.cluster.server.address();
        let line = format!(
            "remote add {name} --force --kind kubernetes --url {url} --endpoint {endpoint} --token-env KUBE_TOKEN {options}"
        );
        self.run(line.trim_end()).ok();
    }

    pub fn command(&self, line: &str) -> Command {
        let mut command = self.sandbox.command(JWKS);
        command.args(line.split(' '));
        command
    }

    /// Runs the program with a token, which nothing may show.
    #[track_caller]
    pub fn run(&self, line: &str) -> Run {
        let run = finish(self.command(line).env("KUBE_TOKEN", TOKEN));
        let said = format!("{}{}", run.stdout, run.stderr);
        assert!(!said.contains(TOKEN), "{line}: {said}");
        run
    }

    #[track_caller]
    fn fails(&self, code: i32, line: &str, words: &str) -> Run {
        let run = self.run(line).fails(code);
        assert!(run.stderr.contains(words), "{line}: {run:#?}");
        run
    }

    /// Returns the text of a key in the ConfigMap.
    pub fn text(&self, key: &str) -> Option<String> {
        let object = self.cluster.config_map("apps/keys")?;
        object["data"][key].as_str().map(str::to_owned)
    }

    /// Returns the writes so far: the method and the path.
    fn writes(&self) -> Vec<String> {
        let lines = self.cluster.server.lines().into_iter();
        lines.filter(|line| !line.starts_with("GET ")).collect()
    }

    fn kids_there(&self, remote: &str) -> Vec<String> {
        let set = self.run(&format!("get --remote {remote}")).ok().json();
        let kids = kids_in(&set["keys"]).into_iter();
        kids.map(str::to_owned).collect()
    }
}

#[test]
fn a_set_is_a_key_of_a_config_map() {
    let site = Site::start();
    let test = site.run("remote test map").ok();
    assert!(test.stdout.contains("no document yet"), "{test:#?}");
    assert!(test.stdout.contains("the ConfigMap apps/keys"), "{test:#?}");
    site.run("push api map --yes").ok();
    let export = site.run("export api").ok().stdout;
    assert_eq!(site.text("jwks.json").as_ref(), Some(&export));
    let object = site.cluster.config_map("apps/keys").expect("the object");
    let labels = json!({ "app.kubernetes.io/managed-by": "jwks" });
    assert_eq!(object["metadata"]["labels"], labels);
    let again = site.run("push api map --yes --json").ok().json();
    assert_eq!(again["changed"], false);
    site.run("create api --kid two").ok();
    site.run("push api map --yes").ok();
    site.run("diff api map --exit-code").ok();
    site.run("check map --public").ok();
    assert_eq!(site.kids_there("map"), ["one", "two"]);
    let path = "/api/v1/namespaces/apps/configmaps";
    assert_eq!(
        site.writes(),
        [format!("POST {path}"), format!("PATCH {path}/keys")]
    );
    let test = site.run("remote test map --probe").ok();
    assert!(test.stdout.contains("honored"), "{test:#?}");
    let pushed = site.run("export api").ok().stdout;
    assert_eq!(site.text("jwks.json"), Some(pushed));
}

/// What others keep in the object stays, and so does an object that somebody else has made.
#[test]
fn other_keys_of_the_object_stay() {
    let site = Site::start();
    let theirs = json!({
        "metadata": { "name": "keys", "labels": { "app": "web" } },
        "data": { "nginx.conf": "server {}" },
    });
    site.cluster.add("configmaps/apps/keys", theirs);
    site.run("push api map --yes").ok();
    let object = site.cluster.config_map("apps/keys").expect("the object");
    assert_eq!(object["data"]["nginx.conf"], "server {}");
    assert_eq!(object["metadata"]["labels"], json!({ "app": "web" }));
    assert_eq!(site.kids_there("map"), ["one"]);
    site.add("other", "configmap://apps/keys/nginx.conf", "");
    site.fails(6, "push api other --yes", "jwks replaces only a JWK Set");
    let object = site.cluster.config_map("apps/keys").expect("the object");
    assert_eq!(object["data"]["nginx.conf"], "server {}");
    site.cluster.edit("configmaps/apps/keys", |object| {
        object["data"] = Value::Null;
        object["binaryData"] = json!({ "jwks.json": encode("{}") });
    });
    site.fails(4, "push api map --yes", "binaryData");
}

/// A push of public keys would delete the private keys of a keystore.
#[test]
fn a_set_of_a_keystore_is_not_replaced() {
    let site = Site::start();
    let labels = json!({ "app.kubernetes.io/managed-by": "jwks", "jwks/keystore": "jwks" });
    let private = site.run("export api --private --yes").ok().stdout;
    let set = json!({
        "metadata": { "name": "jwks-api", "labels": labels },
        "data": { "jwks.json": encode(&private) },
    });
    site.cluster.add("apps/jwks-api", set);
    site.add("keystore", "secret://apps/jwks-api", "");
    site.fails(4, "push api keystore --yes", "set of a keystore");
    assert_eq!(
        site.cluster.text("apps/jwks-api", "jwks.json"),
        Some(private)
    );
}

#[test]
fn private_keys_go_into_a_secret_and_only_on_request() {
    let site = Site::start();
    site.add("secret", "secret://apps/signer/tokens.json", "");
    site.run("push api secret --yes").ok();
    let public = site.cluster.text("apps/signer", "tokens.json");
    assert_eq!(public, Some(site.run("export api").ok().stdout));
    site.run("push api secret --private-all --yes").ok();
    let private = site.cluster.text("apps/signer", "tokens.json");
    let private: Value = serde_json::from_str(&private.expect("the set")).expect("JSON");
    assert_eq!(private, site.run("export api --private --yes").ok().json());
    let object = site.cluster.object("apps/signer").expect("the object");
    assert_eq!(object["type"], "Opaque");
    let run = site.fails(
        4,
        "push api map --private-all --yes",
        "private or symmetric",
    );
    assert!(run.stderr.contains("secret://"), "{run:#?}");
    site.run("create mac --alg HS256 --kid shared").ok();
    let line = "push mac map --private-all --kid shared --yes";
    site.fails(4, line, "private or symmetric");
    assert_eq!(site.text("jwks.json"), None);
}

/// A server that repeats what it refuses does not bring private keys into messages, in no form.
#[test]
fn no_message_has_a_private_key() {
    let site = Site::start();
    site.add("secret", "secret://apps/signer", "");
    site.cluster.repeat_writes();
    let run = site.fails(6, "push api secret --private-all --yes", "invalid");
    let export = site.run("export api --private --yes").ok().json();
    let d = export["keys"][0]["d"].as_str().expect("the private member");
    let put = site.cluster.server.calls().into_iter();
    let mut put = put.filter(|call| call.method == "POST");
    let body: Value = serde_json::from_str(&put.next().expect("a write").body).expect("JSON");
    let encoded = body["data"]["jwks.json"].as_str().expect("the set");
    assert!(encoded.len() > 300, "{encoded}");
    assert!(!run.stderr.contains(&d[..12]), "{run:#?}");
    for start in (0..encoded.len() - 24).step_by(8) {
        let piece = &encoded[start..start + 24];
        assert!(!run.stderr.contains(piece), "{run:#?}");
    }
}

/// The discovery document is another key of the same object. Keys are there before it names them.
#[test]
fn the_discovery_document_is_beside_the_set() {
    let site = Site::start();
    site.add(
        "map",
        "configmap://apps/keys",
        "--issuer https://issuer.example",
    );
    site.run("push api map --yes").ok();
    let document = |site: &Site| -> Value {
        let text = site.text("openid-configuration").expect("the document");
        serde_json::from_str(&text).expect("JSON")
    };
    let before = document(&site);
    assert_eq!(before["issuer"], "https://issuer.example");
    assert_eq!(before["jwks_uri"], "https://issuer.example/jwks.json");
    let algorithms = "id_token_signing_alg_values_supported";
    assert_eq!(before[algorithms], json!(["ES256"]));
    site.run("create api --alg EdDSA --kid two").ok();
    site.cluster.server.forget_calls();
    site.run("push api map --yes").ok();
    let order = |site: &Site| -> Vec<bool> {
        let calls = site.cluster.server.calls().into_iter();
        let patches = calls.filter(|call| call.method == "PATCH");
        patches
            .map(|call| call.body.contains("openid-configuration"))
            .collect()
    };
    assert_eq!(order(&site), [false, true]);
    assert_eq!(document(&site)[algorithms], json!(["ES256", "EdDSA"]));
    site.run("delete api two --yes --force").ok();
    site.cluster.server.forget_calls();
    site.run("push api map --prune --yes").ok();
    assert_eq!(order(&site), [true, false]);
    assert_eq!(document(&site)[algorithms], json!(["ES256"]));
    let again = site.run("push api map --yes --json").ok().json();
    assert_eq!(again["changed"], false);
    let line = "remote add bad --kind kubernetes --url configmap://apps/keys/openid-configuration --issuer https://issuer.example";
    site.fails(2, line, "discovery document");
}

pub fn a_lost_race_is_planned_again() {
    let site = Site::start();
    site.run("create other --kid other").ok();
    let other = site.run("export other").ok().stdout;
    let object =
        |text: &str| Some(json!({ "metadata": { "name": "keys" }, "data": { "jwks.json": text } }));
    let path = "configmaps/apps/keys";
    // Somebody else creates the object (AlreadyExists), changes it (Conflict), and deletes it (NotFound).
    site.cluster.write_before_next_write(path, object(&other));
    site.run("push api map --yes").ok();
    assert_eq!(site.kids_there("map"), ["one", "other"]);
    site.run("create api --kid two").ok();
    site.cluster.write_before_next_write(path, object(&other));
    site.run("push api map --yes").ok();
    assert_eq!(site.kids_there("map"), ["one", "two", "other"]);
    site.run("create api --kid three").ok();
    site.cluster.write_before_next_write(path, None);
    site.run("push api map --yes").ok();
    assert_eq!(site.kids_there("map"), ["one", "two", "three"]);
    site.run("create api --kid four").ok();
    for _ in 0..20 {
        site.cluster.write_before_next_write(path, object(&other));
    }
    site.fails(6, "push api map --yes", "409");
}

/// A writer who changes the discovery document between the two writes of a push loses nothing.
#[test]
fn a_change_between_the_two_writes_is_noticed() {
    let site = Site::start();
    site.add(
        "map",
        "configmap://apps/keys",
        "--issuer https://issuer.example",
    );
    site.run("push api map --yes").ok();
    site.run("create api --alg EdDSA --kid two").ok();
    let mut object = site.cluster.config_map("apps/keys").expect("the object");
    let theirs = r#"{"issuer":"https://issuer.example","jwks_uri":"https://issuer.example/jwks.json","theirs":1}"#;
    object["data"]["openid-configuration"] = theirs.into();
    object["data"]["jwks.json"] = site.run("export api").ok().stdout.into();
    // Before the first write, somebody else deletes something that is not there; before the second one, somebody
    // changes the object.
    let path = "configmaps/apps/keys";
    site.cluster
        .write_before_next_write("configmaps/apps/nothing", None);
    site.cluster.write_before_next_write(path, Some(object));
    site.run("push api map --yes").ok();
    let text = site.text("openid-configuration").expect("the document");
    assert!(text.contains("theirs") && text.contains("EdDSA"), "{text}");
}

#[test]
fn an_object_has_a_limit_that_is_known_before() {
    let site = Site::start();
    let theirs =
        |size: usize| json!({ "metadata": { "name": "keys" }, "data": { "a": "x".repeat(size) } });
    site.cluster
        .add("configmaps/apps/keys", theirs((1 << 20) - 50));
    let run = site.fails(4, "push api map --yes", "1048576");
    assert!(
        run.stderr.contains("1048526 bytes are other keys"),
        "{run:#?}"
    );
    assert_eq!(site.writes(), [""; 0]);
    // To the byte: the server takes what is not refused here.
    let size = site.run("export api").ok().stdout.len();
    site.cluster
        .add("configmaps/apps/keys", theirs((1 << 20) - size));
    site.run("push api map --yes").ok();
    site.cluster
        .add("configmaps/apps/keys", theirs((1 << 20) - size + 1));
    site.fails(4, "push api map --yes", "1048576");
    // Of a Secret, the decoded size counts.
    site.add("secret", "secret://apps/signer", "");
    let theirs = |size: usize| json!({ "metadata": { "name": "signer" }, "data": { "a": encode(&"x".repeat(size)) } });
    site.cluster.add("apps/signer", theirs((1 << 20) - size));
    site.run("push api secret --yes").ok();
    site.cluster
        .add("apps/signer", theirs((1 << 20) - size + 1));
    site.fails(4, "push api secret --yes", "1048576");
}

#[test]
fn what_the_cluster_refuses_is_said_with_what_to_do() {
    let site = Site::start();
    site.cluster.forbid("create");
    site.fails(
        7,
        "push api map --yes",
        "the verb create on configmaps in the namespace apps",
    );
    site.cluster.allow(&["get", "create"]);
    site.run("push api map --yes").ok();
    site.run("create api --kid two").ok();
    let run = site.fails(7, "push api map --yes", "the verb patch on configmaps");
    assert!(!run.stderr.contains("cannot limit create"), "{run:#?}");
    site.cluster.allow(&["create", "patch"]);
    site.fails(7, "push api map --yes", "the verb get on configmaps");
    site.cluster.allow(&["get", "create", "patch"]);
    site.cluster.edit("configmaps/apps/keys", |object| {
        object["immutable"] = true.into()
    });
    site.fails(4, "push api map --yes", "immutable");
    site.cluster.remove_namespace("nowhere");
    site.add("lost", "configmap://nowhere/keys", "");
    let run = site.fails(6, "push api lost --yes", "namespace nowhere exists");
    assert!(!run.stderr.contains("meanwhile"), "{run:#?}");
    let quota = json!({
        "kind": "Status", "status": "Failure", "reason": "Forbidden", "code": 403,
        "message": "configmaps \"keys\" is forbidden: exceeded quota: few",
    });
    site.cluster.server.answer_next(Answer::json(403, quota));
    let run = site.fails(7, "get --remote map", "exceeded quota");
    assert!(!run.stderr.contains("the role needs"), "{run:#?}");
    site.cluster
        .server
        .answer_next(Answer::empty(404).body("404 page not found\n"));
    site.fails(6, "get --remote map", "address of the API server");
    site.cluster.renew_token("another-token-of-somebody");
    site.fails(7, "push api map --yes", "Unauthorized");
}

const GUIDE: &str = include_str!("../../../man/jwks-servers.7.md");

/// The role of the guide is enough for an object that exists and for one that does not, and it has no verb too many.
#[test]
fn the_role_of_the_guide_is_enough() {
    let role = GUIDE.split("```yaml\n").nth(1).unwrap_or_default();
    let role = role.split("```").next().unwrap_or_default();
    let lists = role.lines().filter_map(|line| {
        let list = line.trim().strip_prefix("verbs: [")?;
        list.strip_suffix(']')
    });
    let verbs: Vec<&str> = lists.flat_map(|list| list.split(", ")).collect();
    assert_eq!(verbs.len(), 3, "{role}");
    let site = Site::start();
    site.cluster.allow(&verbs);
    site.run("push api map --yes").ok();
    site.run("create api --kid two").ok();
    site.run("push api map --yes").ok();
    site.run("remote test map --probe").ok();
    for verb in verbs {
        let site = Site::start();
        site.run("push api map --yes").ok();
        site.run("create api --kid two").ok();
        site.cluster.forbid(verb);
        match verb {
            "create" => site.run("push api map --yes").ok(),
            _ => site.run("push api map --yes").fails(7),
        };
    }
}

#[test]
fn addresses_that_name_no_object_are_refused() {
    let sandbox = Sandbox::new();
    for url in [
        "https://api.example/apps",
        "configmap://apps",
        "configmap://Apps/keys",
        "configmap://apps/Keys_1",
        "configmap://apps/keys/a%2Fb",
        "configmap://a.b/keys",
        "secret://apps/keys/..",
        "secret://user:pass@apps/keys",
    ] {
        let line = ["remote", "add", "bad", "--kind", "kubernetes", "--url", url];
        let run = sandbox.run(line).fails(2);
        assert!(run.stderr.contains("hint: "), "{url}: {run:#?}");
    }
    let line = "remote add bad --kind kubernetes --url secret://apps/keys --cache-control no-cache";
    sandbox.run(line.split(' ')).fails(2);
}

pub fn hostile_servers_end_in_an_error() {
    let sandbox = Sandbox::new();
    sandbox.ok(["create", "api"]);
    for behavior in Behavior::ALL {
        let hostile = Hostile::start(behavior);
        let endpoint = hostile.address();
        let line = format!(
            "remote add map --force --kind kubernetes --url configmap://apps/keys --endpoint {endpoint}"
        );
        sandbox.ok(line.split(' '));
        let run = sandbox.run("push api map --yes --timeout 3".split(' '));
        let run = run.fails(6);
        assert!(run.stderr.len() < 10_000, "{behavior:?}: {run:#?}");
    }
    let cluster = Kubernetes::start();
    let endpoint = cluster.server.address();
    let line = format!(
        "remote add secret --kind kubernetes --url secret://apps/keys --endpoint {endpoint}"
    );
    sandbox.ok(line.split(' '));
    for body in [
        json!([]),
        json!({ "kind": "Secret" }),
        json!({ "metadata": { "resourceVersion": 7 } }),
        json!({ "metadata": { "resourceVersion": "7" }, "data": [] }),
        json!({ "metadata": { "resourceVersion": "7" }, "data": { "jwks.json": "***" } }),
        json!({ "metadata": { "resourceVersion": "7" }, "data": { "jwks.json": "/w==" } }),
        json!({ "metadata": { "resourceVersion": "7" }, "data": { "jwks.json": "" } }),
    ] {
        cluster.server.answer_next(Answer::json(200, &body));
        let run = sandbox.run(["get", "--remote", "secret"]).fails(6);
        assert!(run.stderr.contains("hint: "), "{body}: {run:#?}");
    }
}
