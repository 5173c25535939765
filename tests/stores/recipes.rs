//! The recipes of the guide for keystores on servers: each is taken out of it and run.

use crate::servers::s3::error;
use crate::servers::{Answer, Server};
use crate::site::{Place, Site, kids};
use crate::support::{Run, finish, has_tool};
use serde_json::json;
use std::process::Command;
use yaml_rust2::{Yaml, YamlLoader};

const GUIDE: &str = include_str!("../../man/jwks-pipelines.7.md");

/// The documents of the guide's block that has these words in it.
fn yaml(words: &str) -> Vec<Yaml> {
    let blocks = GUIDE.split("\n```yaml\n").skip(1);
    let blocks = blocks.map(|rest| rest.split("\n```").next().unwrap_or_default());
    let mut found = blocks.filter(|block| block.contains(words));
    YamlLoader::load_from_str(found.next().expect("a block")).expect("YAML")
}

fn texts(yaml: &Yaml) -> Vec<&str> {
    let list = yaml.as_vec().expect("a list");
    list.iter().filter_map(Yaml::as_str).collect()
}

/// Makes a set whose rotation is due, and whose keys are encrypted if that is wanted.
fn make_due(site: &Site, encryption: &str) {
    site.sandbox.write("pass", "of this set\n");
    site.ok(&format!(
        "create api --kid first --now 2026-01-05 {encryption}"
    ));
    site.ok("rotate api --every 30d --publish-delay 3h --retire-after 27h --save --now 2026-01-05");
}

/// A shell that runs lines of a job, with the program on its PATH.
fn shell(site: &Site, lines: &str) -> Command {
    let mut shell = site.sandbox.command("sh");
    shell.args(["-euc", lines]);
    let own = site.command();
    for (name, value) in own.get_envs() {
        if let Some(value) = value {
            shell.env(name, value);
        }
    }
    shell
}

/// The job is one command, and its role is enough for it.
#[test]
fn the_job_in_kubernetes_rotates_with_its_role() {
    let documents = yaml("value: \"kubernetes:\"");
    let verbs = texts(&documents[1]["rules"][0]["verbs"]);
    let pod = &documents[3]["spec"]["jobTemplate"]["spec"]["template"]["spec"];
    let command = texts(&pod["containers"][0]["command"]);

    let site = Site::kubernetes();
    let Place::Kubernetes(kubernetes) = &site.place else {
        unreachable!("a site with Kubernetes")
    };
    kubernetes.allow(&verbs);
    make_due(&site, "");
    finish(site.command().args(&command[1..])).ok();
    assert_eq!(kids(&site.json("get api")).len(), 2);
    site.ok("delete api --yes --force");
}

/// The job that also publishes: what signs was published by an earlier run, and the role is enough.
#[test]
fn the_job_in_kubernetes_publishes_for_verifiers() {
    let script = yaml("remote add public");
    let script = texts(&script[0]["args"]).concat();
    let site = Site::kubernetes();
    let Place::Kubernetes(kubernetes) = &site.place else {
        unreachable!("a site with Kubernetes")
    };
    let server = site.address();
    site.sandbox.write(".kube/config", format!("current-context: c\nclusters: [{{name: c, cluster: {{server: '{server}'}}}}]\nusers: [{{name: c, user: {{tokenFile: ../token}}}}]\ncontexts: [{{name: c, context: {{cluster: c, user: c}}}}]\n"));
    site.ok("create api --kid first --now 2026-01-05");
    site.ok("rotate api --every 30d --publish-delay 3h --retire-after 27h --save --now 2026-01-05");
    let start: jiff::Timestamp = "2026-01-05T00:00:00Z".parse().expect("a time");
    let mut published: Vec<String> = Vec::new();
    for run in 0..(70 * 24 / 6) {
        let now = start.as_second() + run * 6 * 3600;
        let signers = site.json(&format!("list api --now {now}"));
        let signers = signers["keys"].as_array().expect("keys").iter();
        for key in signers.filter(|key| key["state"] == "active" && run > 0) {
            let kid = key["kid"].as_str().expect("a kid");
            assert!(
                published.iter().any(|other| other == kid),
                "{kid} at run {run}"
            );
        }
        let lines = script.replace("--no-input", &format!("--no-input --now {now}"));
        finish(&mut shell(&site, &lines)).ok();
        let map = kubernetes.config_map("apps/public").expect("the ConfigMap");
        let text = map["data"]["jwks.json"].as_str().expect("the set");
        assert!(!text.contains("\"d\""), "{text}");
        let set: serde_json::Value = serde_json::from_str(text).expect("JSON");
        published = kids(&set).into_iter().map(str::to_owned).collect();
    }
    assert!(!published.iter().any(|kid| kid == "first"), "{published:?}");
}

/// A hosted runner has no credentials of its own: it exchanges its token.
#[test]
fn the_hosted_runner_of_github_rotates_in_object_storage() {
    if !has_tool("curl") || !has_tool("jq") {
        return;
    }
    let workflow = yaml("ACTIONS_ID_TOKEN_REQUEST_URL");
    let job = &workflow[0]["jobs"]["rotate"];
    assert_eq!(
        job["env"]["JWKS_STORE"].as_str(),
        Some("s3://keys.example/jwks")
    );
    let site = Site::s3();
    make_due(&site, "--encrypt --p2c 1000 --passphrase-file pass");
    let github = Server::start(|call| {
        let is_authorized = call.header("Authorization") == Some("bearer of-this-job");
        if !is_authorized || call.query != "v=1&audience=sts.amazonaws.com" {
            return Answer::empty(401);
        }
        Answer::json(200, json!({ "value": "token.of-the.runner" }))
    });
    let role = job["env"]["AWS_ROLE_ARN"]
        .as_str()
        .expect("a role")
        .to_owned();
    let sts = Server::start(move |call| {
        let role: String = url::form_urlencoded::byte_serialize(role.as_bytes()).collect();
        if !call.body.contains("WebIdentityToken=token.of-the.runner") || !call.body.contains(&role)
        {
            return error(400, "InvalidIdentityToken", "no");
        }
        Answer::empty(200).body("<R><Credentials><AccessKeyId>ASIAEXAMPLE</AccessKeyId><SecretAccessKey>secret-of-the-role</SecretAccessKey><SessionToken>session-of-the-role</SessionToken><Expiration>2100-01-01T00:00:00Z</Expiration></Credentials></R>")
    });
    let temporary = site.sandbox.path().display().to_string();
    let run = |step: &Yaml| -> Run {
        let mut shell = shell(&site, step["run"].as_str().expect("lines"));
        shell
            .env_remove("JWKS_ALLOW_PLAINTEXT")
            .env_remove("AWS_ACCESS_KEY_ID")
            .env_remove("AWS_SECRET_ACCESS_KEY")
            .env("AWS_ENDPOINT_URL_STS", sts.address())
            .env(
                "ACTIONS_ID_TOKEN_REQUEST_URL",
                format!("{}/token?v=1", github.address()),
            )
            .env("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "of-this-job")
            .env("RUNNER_TEMP", &temporary);
        for name in ["AWS_REGION", "AWS_ROLE_ARN"] {
            shell.env(name, job["env"][name].as_str().expect("a value"));
        }
        for (name, value) in step["env"].as_hash().into_iter().flatten() {
            let value = value.as_str().expect("a value");
            let value = value.replace("${{ runner.temp }}", &temporary);
            let value = value.replace("${{ secrets.JWKS_PASSPHRASE }}", "of this set");
            shell.env(name.as_str().expect("a name"), value);
        }
        finish(&mut shell)
    };
    let steps = job["steps"].as_vec().expect("steps");
    for step in steps {
        run(step).ok();
    }
    assert_eq!(kids(&site.json("get api --passphrase-file pass")).len(), 2);
    let calls = site.server().calls();
    assert!(calls.iter().any(|call| {
        call.query
            .contains("X-Amz-Security-Token=session-of-the-role")
    }));
}

/// A job of GitLab logs in to Vault with its own token.
#[test]
fn the_job_of_gitlab_rotates_in_vault() {
    if !has_tool("curl") || !has_tool("jq") {
        return;
    }
    let pipeline = yaml("auth/jwt/login");
    let script = texts(&pipeline[0]["rotate"]["script"]).join("\n");
    let site = Site::vault();
    make_due(&site, "");
    let Place::Vault(vault) = &site.place else {
        unreachable!("a site with Vault")
    };
    vault.log_in("jwks", "token.of-the.job");
    let run = |token: &str| {
        let mut shell = shell(&site, &script);
        finish(shell.env_remove("VAULT_TOKEN").env("VAULT_ID_TOKEN", token))
    };
    assert_ne!(run("token.of-another.job").code, Some(0));
    assert_eq!(kids(&site.json("get api")).len(), 1);
    run("token.of-the.job").ok();
    assert_eq!(kids(&site.json("get api")).len(), 2);
}
