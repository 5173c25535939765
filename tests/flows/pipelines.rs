//! The examples of the guide for pipelines do what they say: each is taken out of it and run.

use crate::servers::hydra::{Hydra, Version};
use crate::support::{JWKS, Run, Sandbox, finish, has_tool};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use yaml_rust2::{Yaml, YamlLoader};

const GUIDE: &str = include_str!("../../man/jwks-pipelines.7.md");

/// The guide's block of one language that has some words in it.
#[track_caller]
fn block(language: &str, words: &str) -> &'static str {
    let open = format!("\n```{language}\n");
    let blocks = GUIDE.split(&open).skip(1);
    let blocks = blocks.map(|rest| rest.split("\n```").next().unwrap_or_default());
    let mut found = blocks.filter(|block| block.contains(words));
    let block = found.next().expect("a block of the guide");
    assert!(found.next().is_none(), "two blocks with {words:?}");
    block
}

fn yaml(words: &str) -> Vec<Yaml> {
    YamlLoader::load_from_str(block("yaml", words)).expect("YAML")
}

#[track_caller]
fn text(yaml: &Yaml) -> &str {
    yaml.as_str().unwrap_or_else(|| panic!("no text: {yaml:?}"))
}

fn texts(yaml: &Yaml) -> Vec<&str> {
    yaml.as_vec().expect("a list").iter().map(text).collect()
}

/// The lines `NAME=VALUE` below each `[Section]`.
fn sections(unit: &str) -> BTreeMap<&str, Vec<(&str, &str)>> {
    let mut sections: BTreeMap<&str, Vec<_>> = BTreeMap::new();
    let mut section = "";
    for line in unit.lines() {
        if let Some(name) = line.strip_prefix('[').and_then(|l| l.strip_suffix(']')) {
            section = name;
        } else if !line.is_empty() && !line.starts_with('#') {
            let (name, value) = line.split_once('=').expect("NAME=VALUE");
            sections.entry(section).or_default().push((name, value));
        }
    }
    sections
}

/// A keystore with a set `tokens` that is due, and a schedule for it.
fn due() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.ok(["create", "tokens", "--kid", "first", "--now", "2026-01-05"]);
    let save = "rotate tokens --every 30d --save --now 2026-01-05";
    sandbox.ok(save.split(' '));
    std::fs::create_dir(sandbox.path().join("www")).expect("a directory");
    sandbox
}

fn kids(set: &Value) -> BTreeSet<String> {
    let keys = set["keys"].as_array().expect("keys").iter();
    keys.map(|key| key["kid"].as_str().expect("a kid").to_owned())
        .collect()
}

/// The set has been rotated, and its public form with both keys lies there.
#[track_caller]
fn is_rotated_and_published(sandbox: &Sandbox, file: &Path) {
    let listed = sandbox.json(["list", "tokens", "--json"]);
    assert_eq!(listed["keys"].as_array().map(Vec::len), Some(2), "{listed}");
    let public = std::fs::read_to_string(file).expect("the public set");
    assert_is_public(&public);
    let public: Value = serde_json::from_str(&public).expect("JSON");
    assert_eq!(kids(&public), kids(&listed));
}

#[track_caller]
fn assert_is_public(set: &str) {
    assert!(!set.contains("\"d\""), "a private member: {set}");
}

/// Runs lines as a pipeline's shell does.
fn run_script(sandbox: &Sandbox, script: &str, environment: &[(&str, &str)]) -> Run {
    let mut shell = sandbox.command("sh");
    shell
        .args(["-euc", script])
        .envs(environment.iter().copied());
    finish(&mut shell)
}

#[test]
fn the_line_for_cron_runs() {
    let sandbox = due();
    let mut jobs = 0;
    for line in block("cron", "").lines() {
        let fields: Vec<_> = line.splitn(6, ' ').collect();
        let [minute, hour, day, month, weekday, command] = fields[..] else {
            let (name, _) = line.split_once('=').expect("NAME=VALUE");
            assert!(name.chars().all(|c| c.is_ascii_uppercase() || c == '_'));
            continue;
        };
        jobs += 1;
        assert!(minute.parse::<u8>().is_ok_and(|minute| minute < 60));
        assert_eq!([hour, day, month, weekday], ["*"; 4]);
        assert!(!command.contains('%'), "cron takes % for a new line");
        let run = sandbox.shell(&command.replace("/srv/www", "www"));
        assert_eq!((&*run.stdout, &*run.stderr), ("", ""), "cron mails output");
        run.ok();
    }
    assert_eq!(jobs, 1);
    is_rotated_and_published(&sandbox, &sandbox.path().join("www/jwks.json"));
}

#[test]
fn the_units_for_systemd_run_and_are_sound() {
    let sandbox = due();
    let place = |unit: &str| {
        unit.replace("/usr/local/bin/jwks", JWKS).replace(
            "/srv/www",
            sandbox.path().join("www").to_str().expect("UTF-8"),
        )
    };
    let service = place(block("ini", "[Service]"));
    let timer = place(block("ini", "[Timer]"));
    let (service_file, timer_file) = (
        sandbox.write("jwks-rotate.service", &service),
        sandbox.write("jwks-rotate.timer", &timer),
    );
    assert!(service.starts_with("# /etc/systemd/system/jwks-rotate.service\n"));
    assert!(timer.starts_with("# /etc/systemd/system/jwks-rotate.timer\n"));
    let service = sections(&service);
    let lines = &service["Service"];
    for wanted in [("Type", "oneshot"), ("StateDirectoryMode", "0700")] {
        assert!(lines.contains(&wanted), "{wanted:?}");
    }
    assert!(sections(&timer)["Timer"].contains(&("Persistent", "true")));
    for name in ["ExecStart", "ExecStopPost"] {
        let mut commands = lines.iter().filter(|(other, _)| *other == name);
        let (_, command) = commands.next().expect("a command");
        sandbox.shell(command).ok();
    }
    is_rotated_and_published(&sandbox, &sandbox.path().join("www/jwks.json"));
    if has_tool("systemd-analyze") {
        let mut verify = sandbox.command("systemd-analyze");
        verify.args(["verify", "--man=no", &service_file, &timer_file]);
        let run = finish(&mut verify);
        // It looks at the machine's own units, too.
        let ours: Vec<_> = run.stderr.lines().filter(|l| l.contains("jwks")).collect();
        assert!(ours.is_empty(), "{ours:#?}");
    }
}

#[test]
fn the_job_for_github_rotates_and_pushes() {
    let [workflow] = &yaml("self-hosted")[..] else {
        panic!("one document");
    };
    assert_eq!(
        workflow["concurrency"]["cancel-in-progress"].as_bool(),
        Some(false)
    );
    assert!(
        workflow["permissions"]
            .as_hash()
            .is_some_and(|all| all.is_empty())
    );
    assert!(workflow["on"]["schedule"][0]["cron"].as_str().is_some());
    let job = &workflow["jobs"]["rotate"];
    assert!(texts(&job["runs-on"]).contains(&"self-hosted"));

    let sandbox = due();
    let hydra = Hydra::start(Version::V2_2);
    let token = job["steps"][0]["env"].as_hash().expect("variables");
    let (variable, value) = token.iter().next().expect("the token");
    assert!(text(value).starts_with("${{ secrets."));
    let add = "remote add prod --kind hydra --token-env";
    let address = hydra.address();
    let add = add.split(' ').chain([text(variable), "--url", &*address]);
    sandbox.ok(add);
    let summary = sandbox.path().join("summary");
    for step in job["steps"].as_vec().expect("steps") {
        let environment = [
            (text(variable), "secret"),
            ("GITHUB_STEP_SUMMARY", summary.to_str().expect("UTF-8")),
        ];
        run_script(&sandbox, text(&step["run"]), &environment).ok();
    }
    let there = Value::from(hydra.keys("hydra.openid.id-token"));
    let listed = sandbox.json(["list", "tokens", "--json"]);
    assert_eq!(kids(&serde_json::json!({ "keys": there })), kids(&listed));
    let summary = std::fs::read_to_string(summary).expect("the summary");
    assert!(summary.contains("first"), "{summary}");
}

#[test]
fn the_job_for_gitlab_rotates_and_leaves_the_public_set() {
    let [pipeline] = &yaml("resource_group:")[..] else {
        panic!("one document");
    };
    let job = &pipeline["rotate"];
    assert_eq!(job["interruptible"].as_bool(), Some(false));
    let sandbox = due();
    let script = texts(&job["script"]).join("\n");
    run_script(&sandbox, &script, &[]).ok();
    let artifacts = texts(&job["artifacts"]["paths"]);
    let [artifact] = artifacts[..] else {
        panic!("one artifact: {artifacts:?}");
    };
    is_rotated_and_published(&sandbox, &sandbox.path().join(artifact));
}
