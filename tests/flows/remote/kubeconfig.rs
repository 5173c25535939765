//! Where the cluster and the identity of the caller come from: a pod, or the kubeconfig.

use crate::servers::kubernetes::{Kubernetes, TOKEN, encode};
use crate::servers::tls::{Authority, Certificate, Tls};
use crate::support::{JWKS, Run, Sandbox, finish, has_tool, kids_in};
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

/// A cluster behind TLS, and a sandbox whose remote `map` names no address of it.
struct Site {
    cluster: Kubernetes,
    authority: Authority,
    tls: Tls,
    sandbox: Sandbox,
}

impl Site {
    fn start() -> Site {
        let (cluster, authority) = (Kubernetes::start(), Authority::new());
        let server = cluster.server.address();
        let tls = Tls::in_front_of(&server, &authority, Certificate::Valid);
        Site::of(cluster, authority, tls)
    }

    /// Starts a cluster that knows its users by their certificates, which its own authority signs.
    fn with_certificates() -> Site {
        let (cluster, authority) = (Kubernetes::start(), Authority::new());
        cluster.take_certificates();
        let server = cluster.server.address();
        let tls = Tls::requiring_client_certificate(&server, &authority, &authority);
        Site::of(cluster, authority, tls)
    }

    fn of(cluster: Kubernetes, authority: Authority, tls: Tls) -> Site {
        let sandbox = Sandbox::new();
        sandbox.write(".kube/config", "");
        sandbox.ok(["create", "api", "--kid", "one"]);
        let line = "remote add map --kind kubernetes --url configmap://apps/keys";
        sandbox.ok(line.split(' '));
        Site {
            cluster,
            authority,
            tls,
            sandbox,
        }
    }

    /// Writes the default kubeconfig. `user` is its user, as YAML in one line.
    fn configure(&self, user: &str) {
        let config = self.config(&self.authority_data(), user);
        self.sandbox.write(".kube/config", config);
    }

    /// Returns a kubeconfig. `cluster` and `user` are members in the style of JSON.
    fn config(&self, cluster: &str, user: &str) -> String {
        let server = self.tls.address();
        format!(
            "apiVersion: v1
kind: Config
preferences: {{}}
current-context: here
clusters:
- name: theirs
  cluster: {{server: https://127.0.0.1:1}}
- name: ours
  cluster: {{server: \"{server}\", {cluster}}}
contexts:
- name: elsewhere
  context: {{cluster: theirs, user: nobody}}
- name: here
  context: {{cluster: ours, user: ci, namespace: apps}}
users:
- name: nobody
- name: ci
  user: {{{user}}}
"
        )
    }

    fn authority_data(&self) -> String {
        format!(
            "certificate-authority-data: {}",
            data(&self.authority.file())
        )
    }

    /// Installs a plugin that prints a text, and returns its command.
    fn install_plugin(&self, script: &str) {
        let source = self
            .sandbox
            .write("plugin.sh", format!("#!/bin/sh\n{script}\n"));
        self.sandbox.install(source, ".kube/plugin");
    }

    fn run(&self, line: &str) -> Run {
        self.finish(self.sandbox.command(JWKS).args(line.split(' ')))
    }

    /// Runs a command, whose output may contain no credentials.
    #[track_caller]
    fn finish(&self, command: &mut Command) -> Run {
        let run = finish(command);
        let said = format!("{}{}", run.stdout, run.stderr);
        assert!(!said.contains(TOKEN) && !said.contains("canary"), "{said}");
        run
    }

    #[track_caller]
    fn fails(&self, code: i32, words: &str) {
        let run = self.run("push api map --yes").fails(code);
        assert!(run.stderr.contains(words), "{words}: {run:#?}");
        assert!(self.cluster.config_map("apps/keys").is_none());
    }

    #[track_caller]
    fn pushes(&self) -> Run {
        let run = self.run("push api map --yes").ok();
        let set = self.run("get --remote map").ok().json();
        assert_eq!(kids_in(&set["keys"]), ["one"]);
        run
    }
}

/// Returns the content of a file as it stands in a kubeconfig.
fn data(file: &Path) -> String {
    encode(&fs::read_to_string(file).expect("PEM"))
}

fn credential(version: &str, status: &str) -> String {
    format!(
        r#"{{"apiVersion":"client.authentication.k8s.io/{version}","kind":"ExecCredential","status":{{{status}}}}}"#
    )
}

/// kubectl and jwks read the same file, and each reads what the other has written.
#[test]
fn kubectl_and_jwks_share_a_kubeconfig() {
    let site = Site::start();
    site.configure(&format!("token: {TOKEN}"));
    let test = site.run("remote test map").ok();
    for words in [
        &*site.tls.address(),
        "\"here\"",
        ".kube/config",
        "no document yet",
    ] {
        assert!(test.stdout.contains(words), "{test:#?}");
    }
    assert!(!test.stderr.contains("chmod"), "{test:#?}");
    let test = site.sandbox.json(["remote", "test", "map", "--json"]);
    let identity = test["identity"].as_str().unwrap_or_default();
    assert!(
        identity.contains("\"here\"") && test["token"].is_null(),
        "{test}"
    );
    site.pushes();
    let line = "remote add secret --kind kubernetes --url secret://apps/signer";
    site.run(line).ok();
    site.run("push api secret --private-all --yes").ok();
    if !has_tool("kubectl") {
        return;
    }
    let kubectl = |line: &str| {
        let mut kubectl = site.sandbox.command("kubectl");
        finish(kubectl.args(line.split(' '))).ok().stdout
    };
    let export = site.run("export api").ok().stdout;
    assert_eq!(
        kubectl(r"get configmap keys -o jsonpath={.data.jwks\.json}"),
        export
    );
    let labeled = kubectl("get configmap -l app.kubernetes.io/managed-by=jwks -o name");
    assert_eq!(labeled, "configmap/keys\n");
    let secret = kubectl(r"get secret signer -o jsonpath={.data.jwks\.json}");
    let private = site.cluster.text("apps/signer", "jwks.json");
    assert_eq!(Some(secret), private.as_deref().map(encode));
    let manifest = site.run("export api --to kubernetes --name made").ok();
    site.sandbox.write("made.json", &manifest.stdout);
    kubectl("create --validate=false -f made.json");
    site.run("remote add made --kind kubernetes --url configmap://apps/made")
        .ok();
    let again = site.run("push api made --yes --json").ok().json();
    assert_eq!(again["changed"], false);
}

/// The store without a namespace is in that of the context.
#[test]
fn a_keystore_is_in_the_namespace_of_the_context() {
    let site = Site::start();
    site.configure(&format!("token: {TOKEN}"));
    let with_store = |line: &str| {
        let mut command = site.sandbox.command(JWKS);
        command.env("JWKS_STORE", "kubernetes:");
        site.finish(command.args(line.split(' ')))
    };
    with_store("create tokens --kid first").ok();
    assert!(site.cluster.object("apps/jwks-tokens").is_some());
    assert_eq!(with_store("list --format names").ok().stdout, "tokens\n");
    // A namespace that does not exist is no race that was lost.
    site.cluster.remove_namespace("apps");
    let run = with_store("create more").fails(6);
    assert!(run.stderr.contains("the namespace apps exists"), "{run:#?}");
}

/// Paths are relative to the kubeconfig, and a token in a file comes before one beside it.
#[test]
fn files_are_beside_the_kubeconfig() {
    let site = Site::start();
    let authority = fs::read(site.authority.file()).expect("PEM");
    site.sandbox.write(".kube/pki/ca.pem", authority);
    site.sandbox.write(".kube/token", format!("{TOKEN}\n"));
    let user = "tokenFile: token, token: canary-of-the-past";
    let config = site.config("certificate-authority: pki/ca.pem", user);
    site.sandbox.write(".kube/config", config);
    site.pushes();
    fs::remove_file(site.sandbox.path().join(".kube/pki/ca.pem")).expect("the file");
    let run = site.run("remote test map").fails(3);
    assert!(run.stderr.contains(".kube/pki/ca.pem"), "{run:#?}");
    let other = Authority::new();
    let config = site.config(
        &format!("certificate-authority-data: {}", data(&other.file())),
        user,
    );
    site.sandbox.write(".kube/config", config);
    let run = site.run("remote test map").fails(6);
    assert!(run.stderr.contains("certificate"), "{run:#?}");
}

#[test]
fn a_client_certificate_is_enough() {
    let site = Site::with_certificates();
    let client = site.authority.client_certificate();
    site.configure("token: ''");
    site.fails(6, "client certificate");
    let (certificate, key) = (data(&client.certificate), data(&client.key));
    site.configure(&format!(
        "client-certificate-data: {certificate}, client-key-data: {key}"
    ));
    site.pushes();
    let (certificate, key) = (client.certificate.display(), client.key.display());
    site.configure(&format!(
        "client-certificate: {certificate}, client-key: {key}"
    ));
    site.pushes();
}

#[test]
fn a_plugin_prints_a_token() {
    for version in ["v1", "v1beta1"] {
        let site = Site::start();
        let printed = credential(version, &format!("\"token\":\"{TOKEN}\""));
        site.install_plugin(&format!(
            "printf %s \"$KUBERNETES_EXEC_INFO\" > info; echo \"$@ $GREETING $JWKS_PASSPHRASE\" >> calls; echo talking >&2; echo '{printed}'"
        ));
        let plugin = |more: &str| {
            site.configure(&format!(
                "exec: {{apiVersion: client.authentication.k8s.io/{version}, command: ./plugin, args: [get, '8080'], env: [{{name: GREETING, value: hello}}], interactiveMode: IfAvailable{more}}}"
            ));
        };
        plugin("");
        let read = |name: &str| {
            fs::read_to_string(site.sandbox.path().join(name)).expect("what the plugin wrote")
        };
        let run = site.run("push api map --yes").ok();
        assert!(run.stderr.contains("talking"), "{run:#?}");
        // One run of the plugin serves all calls.
        assert_eq!(read("calls"), "get 8080 hello \n");
        let mut test = site.sandbox.command(JWKS);
        test.env("JWKS_PASSPHRASE", "canary");
        site.finish(test.args(["remote", "test", "map"])).ok();
        assert_eq!(read("calls"), "get 8080 hello \n".repeat(2));
        let info: serde_json::Value = serde_json::from_str(&read("info")).expect("JSON");
        assert_eq!(
            info["apiVersion"],
            format!("client.authentication.k8s.io/{version}")
        );
        assert_eq!(info["spec"], serde_json::json!({ "interactive": false }));
        plugin(", provideClusterInfo: true");
        site.pushes();
        let info: serde_json::Value = serde_json::from_str(&read("info")).expect("JSON");
        let cluster = &info["spec"]["cluster"];
        assert_eq!(cluster["server"], site.tls.address());
        assert_eq!(
            cluster["certificate-authority-data"],
            data(&site.authority.file())
        );
    }
}

#[test]
fn a_token_that_has_expired_is_asked_for_again() {
    let site = Site::start();
    let expired = credential(
        "v1",
        &format!("\"token\":\"{TOKEN}\",\"expirationTimestamp\":\"2020-01-01T00:00:00Z\""),
    );
    site.install_plugin(&format!("echo again >> calls; echo '{expired}'"));
    site.configure("exec: {apiVersion: client.authentication.k8s.io/v1, command: ./plugin}");
    site.pushes();
    let calls = fs::read_to_string(site.sandbox.path().join("calls")).expect("the calls");
    let answered = site.cluster.server.calls().len();
    assert!(calls.lines().count() >= answered, "{calls}");
}

#[test]
fn a_plugin_prints_a_client_certificate() {
    let site = Site::with_certificates();
    let client = site.authority.client_certificate();
    let pem = |file: &Path| {
        let text = fs::read_to_string(file).expect("PEM");
        serde_json::to_string(&text).expect("JSON")
    };
    let (certificate, key) = (pem(&client.certificate), pem(&client.key));
    let status = format!("\"clientCertificateData\":{certificate},\"clientKeyData\":{key}");
    site.sandbox.write("printed", credential("v1", &status));
    // A name without a slash is looked for in the search path.
    let printed = site.sandbox.path().join("printed");
    site.configure(&format!(
        "exec: {{apiVersion: client.authentication.k8s.io/v1, command: cat, args: [{}]}}",
        printed.display()
    ));
    site.pushes();
}

#[test]
fn a_plugin_that_fails_is_named_and_not_repeated() {
    let site = Site::start();
    let plugin = |command: &str| {
        site.configure(&format!(
            "exec: {{apiVersion: client.authentication.k8s.io/v1, command: {command}, installHint: install the plugin}}"
        ));
    };
    plugin("./missing");
    site.fails(7, "install the plugin");
    plugin("./plugin");
    let token = "\\\"token\\\":\\\"canary-token\\\"";
    let print = |text: &str| format!("echo \"{text}\"");
    let ours = r#"{\"apiVersion\":\"client.authentication.k8s.io/v1\",\"kind\":\"ExecCredential\""#;
    for (script, words) in [
        ("exit 3".to_owned(), "exit status: 3"),
        (print("canary, no JSON"), "no ExecCredential as JSON"),
        (print(&format!("{{{token}}}")), "no ExecCredential as JSON"),
        (
            print(&format!("{}}}", ours.replace("v1", "v1beta1"))),
            "no ExecCredential of",
        ),
        (print(&format!("{ours}}}")), "neither a token nor"),
        (
            print(&format!(
                r#"{ours},\"status\":{{\"clientKeyData\":\"canary\"}}}}"#
            )),
            "only one of",
        ),
        (
            print(&format!(
                r#"{ours},\"status\":{{{token},\"expirationTimestamp\":\"canary\"}}}}"#
            )),
            "expirationTimestamp",
        ),
        (
            print(&format!(
                r#"{ours},\"status\":{{\"token\":\"canary\\\\ntoken\"}}}}"#
            )),
            "not allowed in a header",
        ),
        ("yes canary".to_owned(), "more than 64 KiB"),
    ] {
        site.install_plugin(&script);
        site.fails(7, words);
    }
    assert_eq!(site.cluster.server.calls().len(), 0);
}

/// What jwks does not honor is not ignored.
#[test]
fn settings_that_would_be_ignored_are_refused() {
    let site = Site::start();
    let token = format!("token: {TOKEN}");
    for (cluster, words) in [
        ("insecure-skip-tls-verify: true", "always verified"),
        ("tls-server-name: other.example", "tls-server-name"),
        ("proxy-url: http://proxy.example", "HTTPS_PROXY"),
    ] {
        site.sandbox
            .write(".kube/config", site.config(cluster, &token));
        site.fails(4, words);
    }
    for (user, code, words) in [
        (
            "username: admin, password: canary",
            4,
            "user name and a password",
        ),
        ("auth-provider: {name: gcp}", 4, "auth-provider"),
        (
            &*format!("{token}, as: somebody"),
            4,
            "acts as another user",
        ),
        (
            &*format!("{token}, as-groups: [admins]"),
            4,
            "acts as another user",
        ),
        ("client-key: key.pem", 5, "only one of"),
        (
            "client-certificate-data: '*', client-key-data: '*'",
            5,
            "not base64",
        ),
        ("exec: {command: ./plugin}", 5, "apiVersion"),
        (
            "exec: {apiVersion: client.authentication.k8s.io/v1}",
            5,
            "without a command",
        ),
        (
            "exec: {apiVersion: client.authentication.k8s.io/v1, command: ./plugin, interactiveMode: Always}",
            4,
            "interactiveMode",
        ),
        ("token: [canary]", 5, "not a kubeconfig"),
    ] {
        site.configure(user);
        site.fails(code, words);
    }
    site.sandbox.write(".kube/config", "a: &a\nb: *a\n");
    site.fails(5, "aliases");
    site.sandbox
        .write(".kube/config", "x".repeat((1 << 20) + 1));
    site.fails(1, "larger than 1 MiB");
    assert_eq!(site.tls.connections(), 0);
}

#[test]
fn a_kubeconfig_of_others_is_warned_of_and_runs_nothing() {
    let site = Site::start();
    let file = site.sandbox.path().join(".kube/config");
    let chmod = |mode: u32| {
        fs::set_permissions(&file, fs::Permissions::from_mode(mode)).expect("own file");
    };
    site.configure(&format!("token: {TOKEN}"));
    chmod(0o644);
    let run = site.pushes();
    assert!(run.stderr.contains("run `chmod 600"), "{run:#?}");
    let printed = credential("v1", &format!("\"token\":\"{TOKEN}\""));
    site.install_plugin(&format!("touch ran; echo '{printed}'"));
    site.configure("exec: {apiVersion: client.authentication.k8s.io/v1, command: ./plugin}");
    for mode in [0o620, 0o602, 0o1602] {
        chmod(mode);
        let run = site.run("remote test map").fails(4);
        assert!(run.stderr.contains("runs a program"), "{run:#?}");
    }
    chmod(0o600);
    let directory = file.parent().expect("the directory");
    fs::set_permissions(directory, fs::Permissions::from_mode(0o757)).expect("own directory");
    let run = site.run("remote test map").fails(4);
    assert!(run.stderr.contains("chmod go-w"), "{run:#?}");
    assert!(!site.sandbox.path().join("ran").exists());
    fs::set_permissions(directory, fs::Permissions::from_mode(0o755)).expect("own directory");
    site.pushes();
}

/// The first file that has a value wins, and files that do not exist are left out, as kubectl does it.
#[test]
fn several_files_are_one_kubeconfig() {
    let site = Site::start();
    let first =
        "current-context: here\nusers:\n- name: ci\n  user: {token: '".to_owned() + TOKEN + "'}\n";
    site.sandbox.write("first", first);
    let second = site.config(&site.authority_data(), "token: canary-of-the-second");
    site.sandbox.write(
        "second",
        second.replace("current-context: here", "current-context: elsewhere"),
    );
    let list = |list: &str| {
        let mut command = site.sandbox.command(JWKS);
        command.env("KUBECONFIG", list);
        site.finish(command.args(["push", "api", "map", "--yes"]))
    };
    list("missing::first:second").ok();
    let run = list("second:first").fails(6);
    assert!(run.stderr.contains("127.0.0.1:1/"), "{run:#?}");
    let run = list("first").fails(2);
    assert!(run.stderr.contains("no context \"here\""), "{run:#?}");
    site.sandbox
        .write("empty", "apiVersion: v1\nkind: Config\nclusters: null\n");
    let run = list("empty").fails(2);
    assert!(
        run.stderr.contains("a kubeconfig with a context"),
        "{run:#?}"
    );
    site.sandbox.write("none", "contexts:\n- name: here\n");
    let run = list("none").fails(2);
    assert!(run.stderr.contains("use-context"), "{run:#?}");
    let run = list("missing").fails(2);
    assert!(run.stderr.contains("KUBECONFIG"), "{run:#?}");
    if has_tool("kubectl") {
        let mut kubectl = site.sandbox.command("kubectl");
        kubectl.env("KUBECONFIG", "missing::first:second");
        finish(kubectl.args(["get", "configmap", "keys"])).ok();
    }
}

/// Commands that make no calls need no cluster, so a kubeconfig that cannot be read does not matter to them.
#[test]
fn commands_without_calls_read_no_kubeconfig() {
    let site = Site::start();
    site.sandbox.write(".kube/config", "token: [canary");
    site.run("remote list").ok();
    site.run("remote show map").ok();
    let line = "remote add more --kind kubernetes --url secret://apps/signer";
    site.run(line).ok();
    for line in ["man rotation", "completion bash", "remote list"] {
        let mut command = site.sandbox.command(JWKS);
        command.env("JWKS_STORE", "kubernetes:");
        site.finish(command.args(line.split(' '))).ok();
    }
    site.fails(5, "not a kubeconfig");
    assert_eq!(site.tls.connections(), 0);
}

/// A relative file named `-` is a file, and no standard input.
#[test]
fn a_token_file_can_have_any_name() {
    let site = Site::start();
    let config = site.config(&site.authority_data(), "tokenFile: '-'");
    site.sandbox.write("config", config);
    site.sandbox.write("-", TOKEN);
    let mut command = site.sandbox.command(JWKS);
    command.env("KUBECONFIG", "config");
    site.finish(command.args(["push", "api", "map", "--yes"]))
        .ok();
}

/// The files of the service account have a fixed place, so this runs where the test can have a /var/run of its own.
#[cfg(target_os = "linux")]
#[test]
fn a_pod_is_its_service_account() {
    const MOUNT: &str = "mount -t tmpfs none /var/run/";
    let site = Site::start();
    let unshare = |script: &str| {
        let mut command = site.sandbox.command("unshare");
        command.args(["-rm", "sh", "-ec", script]);
        command
    };
    if !has_tool("unshare") || finish(&mut unshare(MOUNT)).code != Some(0) {
        eprintln!("no mounts without privileges: not tested here");
        return;
    }
    let authority = fs::read(site.authority.file()).expect("PEM");
    site.sandbox.write("account/ca.crt", authority);
    site.sandbox.write("account/namespace", "apps");
    site.sandbox.write("account/token", TOKEN);
    let address = site.tls.address().replace("https://", "");
    let (host, port) = address.split_once(':').expect("a port");
    let in_pod = |script: &str| {
        let files = "mkdir -p /var/run/secrets/kubernetes.io && cp -r account /var/run/secrets/kubernetes.io/serviceaccount";
        let mut command = unshare(&format!("{MOUNT} && {files}\n{script}"));
        command
            .env("KUBERNETES_SERVICE_HOST", host)
            .env("KUBERNETES_SERVICE_PORT", port);
        site.finish(&mut command)
    };
    let run = in_pod("jwks push api map --yes; jwks remote test map").ok();
    assert!(
        run.stdout.contains("the service account of the pod"),
        "{run:#?}"
    );
    in_pod("export JWKS_STORE=kubernetes:; jwks create tokens; jwks get tokens").ok();
    assert!(site.cluster.config_map("apps/keys").is_some());
    assert!(site.cluster.object("apps/jwks-tokens").is_some());
    in_pod("export JWKS_STORE=kubernetes:; jwks list; rm /var/run/secrets/kubernetes.io/*/ca.crt; ! jwks list").ok();
    // A kubeconfig comes before the service account, as in kubectl.
    site.configure("token: of-nobody");
    let run = in_pod("jwks remote test map").fails(7);
    assert!(run.stderr.contains("answered 401"), "{run:#?}");
}

/// In a pod, the environment names the API server. A token of the remote takes the place of the service account.
#[test]
fn a_pod_finds_its_api_server() {
    let site = Site::start();
    let authority = site.authority.file();
    let line = format!(
        "remote add map --force --kind kubernetes --url configmap://apps/keys --token-env KUBE_TOKEN --cacert {}",
        authority.display()
    );
    site.run(&line).ok();
    let address = site.tls.address().replace("https://", "");
    let (host, port) = address.split_once(':').expect("a port");
    let in_pod = |line: &str| {
        let mut command = site.sandbox.command(JWKS);
        command
            .env("KUBE_TOKEN", TOKEN)
            .env("KUBERNETES_SERVICE_HOST", host)
            .env("KUBERNETES_SERVICE_PORT", port);
        site.finish(command.args(line.split(' ')))
    };
    in_pod("push api map --yes").ok();
    let test = in_pod("remote test map").ok();
    for words in ["the variable KUBE_TOKEN", &site.tls.address()] {
        assert!(test.stdout.contains(words), "{test:#?}");
    }
    // A pod whose service account has no token has the kubeconfig.
    let line = "remote add map --force --kind kubernetes --url configmap://apps/keys";
    site.run(line).ok();
    site.configure("token: canary-of-the-kubeconfig");
    in_pod("remote test map").fails(7);
    site.configure(&format!("token: {TOKEN}"));
    let test = in_pod("remote test map").ok();
    assert!(test.stdout.contains(".kube/config"), "{test:#?}");
}
