//! The examples of the guide for pipelines do what they say: each is taken out of it and run.

use crate::servers::hydra::{Hydra, Version};
use crate::support::{JWKS, Run, Sandbox, finish, has_tool};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use yaml_rust2::{Yaml, YamlLoader};

const GUIDE: &str = include_str!("../../man/jwks-pipelines.7.md");

/// Stands for kubectl, over objects that are files.
const KUBECTL: &str = include_str!("pipelines/kubectl");

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

/// A cluster with the two objects, and the script that is to be run in it.
struct Cluster {
    sandbox: Sandbox,
    script: String,
}

impl Cluster {
    /// Made as the guide says.
    fn new() -> Self {
        let sandbox = Sandbox::new();
        sandbox.ok(["create", "tokens", "--kid", "first", "--now", "2026-01-05"]);
        std::fs::create_dir(sandbox.path().join("bin")).expect("a directory");
        let tools = [
            ("kubectl", KUBECTL.to_owned()),
            // The clock of the cluster.
            (
                "jwks",
                format!("#!/bin/sh\nexec '{JWKS}' \"$@\" --now \"$NOW\"\n"),
            ),
        ];
        for (name, content) in tools {
            let script = sandbox.write(&format!("{name}.sh"), content);
            sandbox.install(script, &format!("bin/{name}"));
        }
        std::fs::create_dir(sandbox.path().join("cluster")).expect("a directory");
        let script = cron_job()["args"][0]
            .as_str()
            .expect("the script")
            .to_owned();
        let cluster = Cluster { sandbox, script };
        let first = block("sh", "kubectl create secret");
        let store = cluster.sandbox.store();
        cluster.shell(first, "2026-01-05", &store, "").ok();
        cluster
    }

    fn shell(&self, script: &str, now: &str, store: &Path, fails: &str) -> Run {
        let work = tempfile::tempdir().expect("a directory");
        let mut shell = self.sandbox.command("sh");
        let path = std::env::var("PATH").unwrap_or_default();
        let bin = self.sandbox.path().join("bin");
        shell
            .args(["-euc", script])
            .current_dir(work.path())
            .env("PATH", format!("{}:{path}", bin.display()))
            .env("CLUSTER", self.sandbox.path().join("cluster"))
            .env("CLUSTER_FAILS", fails)
            .env("JWKS_STORE", work.path().join(store))
            .env("NOW", now);
        finish(&mut shell)
    }

    /// Runs the job in a new pod. `fails` is the kubectl command at which the cluster fails.
    fn run(&self, now: &str, fails: &str) -> Run {
        self.shell(&self.script, now, Path::new("store"), fails)
    }

    fn file(&self, object: &str) -> PathBuf {
        self.sandbox
            .path()
            .join("cluster")
            .join(object)
            .join("data")
    }

    /// What an object holds.
    fn read(&self, object: &str) -> String {
        let decode = format!("base64 -d < '{}'", self.file(object).display());
        self.sandbox.shell(&decode).ok().stdout
    }

    fn published(&self) -> BTreeSet<String> {
        let public = self.read("configmap/tokens-public");
        assert_is_public(&public);
        kids(&serde_json::from_str(&public).expect("JSON"))
    }

    /// The keys of the Secret in some states: those that sign, or those that verify.
    fn held(&self, now: &str, states: &[&str]) -> BTreeSet<String> {
        self.sandbox
            .write("seen/tokens.json", self.read("secret/tokens-private"));
        let list = ["list", "tokens", "--json", "--store", "seen", "--now", now];
        let listed = self.sandbox.json(list);
        let mut keys = listed["keys"].as_array().expect("keys").clone();
        assert!(keys.iter().all(|key| key["private"] == true));
        keys.retain(|key| states.iter().any(|state| key["state"] == *state));
        kids(&serde_json::json!({ "keys": keys }))
    }
}

/// The container of the cron job.
fn cron_job() -> Yaml {
    let documents = yaml("jwks-and-kubectl");
    let job = documents
        .iter()
        .find(|it| it["kind"].as_str() == Some("CronJob"));
    let job = &job.expect("the cron job")["spec"];
    assert_eq!(job["concurrencyPolicy"].as_str(), Some("Forbid"));
    let pod = &job["jobTemplate"]["spec"]["template"]["spec"];
    assert_eq!(pod["restartPolicy"].as_str(), Some("Never"));
    assert_eq!(
        pod["volumes"][0]["emptyDir"]["medium"].as_str(),
        Some("Memory")
    );
    let container = &pod["containers"][0];
    assert_eq!(texts(&container["command"]), ["sh", "-euc"]);
    container.clone()
}

#[test]
fn the_role_for_kubernetes_allows_the_two_objects_and_no_more() {
    let documents = yaml("jwks-and-kubectl");
    let kinds: Vec<_> = documents.iter().map(|it| text(&it["kind"])).collect();
    assert_eq!(kinds, ["ServiceAccount", "Role", "RoleBinding", "CronJob"]);
    let rules = documents[1]["rules"].as_vec().expect("rules");
    let allowed: Vec<_> = rules
        .iter()
        .map(|rule| (texts(&rule["resources"]), texts(&rule["resourceNames"])))
        .collect();
    let expected = [
        (vec!["secrets"], vec!["tokens-private"]),
        (vec!["configmaps"], vec!["tokens-public"]),
    ];
    assert_eq!(allowed, expected);
    for rule in rules {
        assert_eq!(texts(&rule["verbs"]), ["get", "patch"]);
    }
}

/// Over a quarter of a year, with runs as rare as they come: what signs was published by an earlier run, and
/// all that may have signed still is.
#[test]
fn the_job_for_kubernetes_publishes_what_will_sign_and_what_has_signed() {
    if !has_tool("jq") {
        return;
    }
    let cluster = Cluster::new();
    let mut signers = BTreeSet::new();
    for day in (0..96).step_by(4) {
        let now = (1_767_571_200 + day * 86_400 + 3 * 3_600).to_string();
        let before = cluster.published();
        cluster.run(&now, "").ok();
        let active = cluster.held(&now, &["active"]);
        assert_eq!(active.len(), 1, "{now}");
        assert!(
            active.is_subset(&before),
            "{now}: {active:?} was not published"
        );
        let verify = cluster.held(&now, &["pending", "active", "retired"]);
        assert_eq!(cluster.published(), verify, "{now}");
        signers.extend(active);
    }
    assert!(signers.len() >= 3, "{signers:?}");
    let calls = cluster.sandbox.path().join("cluster/argv");
    let calls = std::fs::read_to_string(calls).expect("the calls");
    assert!(
        !calls.contains("\"d\""),
        "a private key among the arguments"
    );
    assert!(calls.lines().all(|call| call.len() < 200), "{calls}");
}

#[test]
fn a_run_that_ends_half_way_publishes_nothing_that_it_has_not_stored() {
    if !has_tool("jq") {
        return;
    }
    let cluster = Cluster::new();
    let due = "2026-02-03T22:00:00Z";
    let first = BTreeSet::from(["first".to_owned()]);
    for fails in ["get", "patch"] {
        cluster.run(due, fails).fails(1);
        assert_eq!(cluster.held(due, &["active", "pending"]), first);
        assert_eq!(cluster.published(), first);
    }
    // Stored, and not yet published: the next run does that.
    cluster.run(due, "apply").fails(1);
    assert_eq!(cluster.published(), first);
    let held = cluster.held(due, &["active", "pending"]);
    assert_eq!(held.len(), 2);
    cluster.run(due, "").ok();
    assert_eq!(cluster.published(), held);
}

#[test]
fn a_secret_that_is_damaged_or_changed_meanwhile_stays_as_it_is() {
    if !has_tool("jq") {
        return;
    }
    let due = "2026-02-03T22:00:00Z";
    let mut cluster = Cluster::new();
    let was = cluster.read("secret/tokens-private");
    let version = cluster
        .file("secret/tokens-private")
        .with_file_name("version");
    let meanwhile = format!("echo 7 > '{}'\njwks export", version.display());
    cluster.script = cluster.script.replacen("jwks export", &meanwhile, 1);
    let run = cluster.run(due, "").fails(1);
    assert!(run.stderr.contains("has been modified"), "{run:#?}");
    assert_eq!(cluster.read("secret/tokens-private"), was);

    std::fs::write(cluster.file("secret/tokens-private"), "").expect("an empty Secret");
    let published = cluster.published();
    cluster.run(due, "").fails(5);
    assert_eq!(cluster.read("secret/tokens-private"), "");
    assert_eq!(cluster.published(), published);
}
