//! What a shell gets when somebody presses Tab, asked of the engine as the scripts ask it.

use crate::support::{JWKS, Run, Sandbox, finish};

/// Completes the last of the words; `shell` decides the form of the answer.
fn ask(sandbox: &Sandbox, shell: &str, words: &[&str]) -> Run {
    let mut command = sandbox.command(JWKS);
    command
        .env("JWKS_COMPLETE", shell)
        .env("_CLAP_COMPLETE_INDEX", (words.len() - 1).to_string())
        .env("_CLAP_IFS", "\n")
        .arg("--")
        .args(words);
    finish(&mut command).ok()
}

/// The candidates, as bash gets them.
pub fn complete(sandbox: &Sandbox, words: &[&str]) -> Vec<String> {
    let run = ask(sandbox, "bash", words);
    assert_eq!(run.stderr, "", "completion says nothing: {run:#?}");
    run.stdout
        .lines()
        .map(|line| line.trim_end().to_owned())
        .collect()
}

fn two_sets() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.ok(["create", "api", "--kid", "alpha"]);
    sandbox.ok([
        "create", "api", "--kid", "beta", "--alg", "RS256", "--nbf", "+1h",
    ]);
    sandbox.ok(["create", "web", "--kid", "gamma"]);
    sandbox
}

#[test]
fn commands_sets_and_their_keys() {
    let sandbox = two_sets();
    assert_eq!(complete(&sandbox, &["jwks", "th"]), ["thumbprint"]);
    for command in [
        "create",
        "list",
        "get",
        "set",
        "delete",
        "export",
        "rotate",
        "check",
        "thumbprint",
    ] {
        let found = complete(&sandbox, &["jwks", command, ""]);
        assert!(
            found.contains(&"api".into()) && found.contains(&"web".into()),
            "{command}: {found:?}"
        );
    }
    assert_eq!(complete(&sandbox, &["jwks", "get", "a"]), ["api"]);
    for command in ["get", "delete", "export", "thumbprint"] {
        assert_eq!(
            complete(&sandbox, &["jwks", command, "api", ""]),
            ["alpha", "beta"],
            "{command}"
        );
    }
    assert_eq!(complete(&sandbox, &["jwks", "get", "api", "b"]), ["beta"]);
    assert_eq!(complete(&sandbox, &["jwks", "get", "web", ""]), ["gamma"]);
    assert_eq!(
        complete(&sandbox, &["jwks", "delete", "api", "alpha", "b"]),
        ["beta"]
    );
    assert_eq!(
        complete(&sandbox, &["jwks", "set", "api", "--kid", ""]),
        ["alpha", "beta"]
    );
}

#[test]
fn a_rotation_knows_sets_lines_keys_and_remotes() {
    let sandbox = two_sets();
    sandbox.ok(["create", "api", "--kid", "delta", "--alg", "ECDH-ES"]);
    for (name, kind) in [("prod", "hydra"), ("test", "hydra-v1")] {
        let url = "https://keys.example";
        sandbox.ok(["remote", "add", name, "--kind", kind, "--url", url]);
    }
    let ask = |words: &str| {
        let words: Vec<_> = words.split(' ').collect();
        complete(&sandbox, &words)
    };
    assert_eq!(ask("jwks rotate a"), ["api"]);
    assert_eq!(ask("jwks rotate api w"), ["web"]);
    assert_eq!(ask("jwks rotate --every 30d w"), ["web"]);
    assert_eq!(
        ask("jwks rotate api --line "),
        ["ECDH-ES", "ES256", "RS256"]
    );
    assert_eq!(ask("jwks rotate api --line ES256 --line R"), ["RS256"]);
    assert_eq!(ask("jwks rotate web --line "), ["ES256"]);
    assert_eq!(
        ask("jwks rotate api --compromised "),
        ["alpha", "beta", "delta"]
    );
    assert_eq!(ask("jwks rotate web --compromised g"), ["gamma"]);
    assert_eq!(
        ask("jwks rotate api --compromised alpha --compromised b"),
        ["beta"]
    );
    assert_eq!(ask("jwks rotate api --push "), ["prod", "test"]);
    assert_eq!(ask("jwks rotate --all --push p"), ["prod"]);
    assert_eq!(ask("jwks push --all p"), ["prod"]);
    assert_eq!(ask("jwks pull --all p"), ["prod"]);
    assert_eq!(ask("jwks rotate api --use "), ["sig", "enc"]);
    assert_eq!(ask("jwks rotate api --crv P-2"), ["P-256"]);
    // Only algorithms that keys are made for.
    let made = ask("jwks create new --alg ");
    assert_eq!(ask("jwks rotate api --alg "), made);
    assert!(made.len() < ask("jwks get api --alg ").len(), "{made:?}");
    assert_eq!(ask("jwks rotate api --comp"), ["--compromised"]);
    // Where no set stands on the line, or one that is not there, there is nothing to name.
    for words in ["jwks rotate --line ", "jwks rotate none --compromised "] {
        let found = ask(words);
        assert!(found.iter().all(|word| word.starts_with('-')), "{found:?}");
    }
}

#[test]
fn keys_come_with_algorithm_and_state() {
    let run = ask(&two_sets(), "zsh", &["jwks", "get", "api", ""]);
    assert_eq!(
        run.stdout.trim_end(),
        "alpha:ES256 active\nbeta:RS256 pending"
    );
    let run = ask(&two_sets(), "fish", &["jwks", "get", "api", ""]);
    assert_eq!(
        run.stdout.trim_end(),
        "alpha\tES256 active\nbeta\tRS256 pending"
    );
}

#[test]
fn the_store_on_the_line_counts() {
    let sandbox = two_sets();
    let elsewhere = sandbox.path().join("elsewhere");
    let elsewhere = elsewhere.to_str().expect("UTF-8");
    sandbox.ok(["--store", elsewhere, "create", "other", "--kid", "delta"]);
    assert_eq!(
        complete(&sandbox, &["jwks", "--store", elsewhere, "get", ""]),
        ["other"]
    );
    assert_eq!(
        complete(
            &sandbox,
            &["jwks", "get", "--store", elsewhere, "other", ""]
        ),
        ["delta"]
    );
}

#[test]
fn values_of_options() {
    let sandbox = Sandbox::new();
    let ask = |words: &[&str]| complete(&sandbox, words);
    assert_eq!(
        ask(&["jwks", "create", "x", "--alg", "ES2"]),
        ["ES256", "ES256K"]
    );
    assert_eq!(
        ask(&["jwks", "create", "x", "--crv", "X"]),
        ["X25519", "X448"]
    );
    assert_eq!(ask(&["jwks", "create", "x", "--kty", "o"]), ["oct"]);
    assert_eq!(
        ask(&["jwks", "create", "x", "--kid-from", ""]),
        ["thumbprint", "uuid", "date"]
    );
    assert_eq!(
        ask(&["jwks", "create", "x", "--key-ops", "sign,ver"]),
        ["sign,verify"]
    );
    assert_eq!(
        ask(&["jwks", "export", "x", "--to", "p"]),
        ["pem", "pkcs1", "pkcs1-der", "pkcs12"]
    );
    assert_eq!(
        ask(&["jwks", "list", "--format", ""]),
        ["table", "json", "names"]
    );
    assert_eq!(ask(&["jwks", "get", "x", "--state", "p"]), ["pending"]);
    assert_eq!(ask(&["jwks", "completion", "f"]), ["fish"]);
    assert_eq!(ask(&["jwks", "man", "th"]), ["thumbprint"]);
    // Options come when somebody types a dash.
    assert_eq!(ask(&["jwks", "get", "x", "--pri"]), ["--private"]);
}

#[test]
fn what_a_rotation_is_about() {
    let sandbox = two_sets();
    for name in ["prod", "test"] {
        let add = format!("remote add {name} --kind url --url https://{name}.example/jwks.json");
        sandbox.ok(add.split(' '));
    }
    let ask = |line: &str| complete(&sandbox, &line.split(' ').collect::<Vec<_>>());
    assert_eq!(ask("jwks rotate w"), ["web"]);
    assert_eq!(ask("jwks rotate api w"), ["web"]);
    assert_eq!(ask("jwks rotate api --line "), ["ES256", "RS256"]);
    assert_eq!(ask("jwks rotate api --line ES256 --line R"), ["RS256"]);
    assert_eq!(ask("jwks rotate web --line "), ["ES256"]);
    assert_eq!(ask("jwks rotate api --use "), ["sig", "enc"]);
    assert_eq!(ask("jwks rotate api --compromised "), ["alpha", "beta"]);
    assert_eq!(ask("jwks rotate api --compromised b"), ["beta"]);
    assert_eq!(ask("jwks rotate api --push "), ["prod", "test"]);
    assert_eq!(ask("jwks rotate api --every 30d --push p"), ["prod"]);
    assert_eq!(ask("jwks rotate api --crv P-2"), ["P-256"]);
    assert_eq!(ask("jwks rotate api --alg ES2"), ["ES256", "ES256K"]);
    // As for create: of what no keys are made there is nothing to move to.
    let algorithms = ask("jwks create api --alg ");
    assert_eq!(ask("jwks rotate api --alg "), algorithms);
}

#[test]
fn files_where_files_are_meant() {
    let sandbox = two_sets();
    sandbox.write("key.pem", "");
    assert_eq!(
        complete(&sandbox, &["jwks", "set", "api", "ke"]),
        ["key.pem"]
    );
    assert_eq!(complete(&sandbox, &["jwks", "check", "ke"]), ["key.pem"]);
    assert_eq!(
        complete(&sandbox, &["jwks", "thumbprint", "./ke"]),
        ["./key.pem"]
    );
    assert_eq!(
        complete(&sandbox, &["jwks", "export", "api", "-o", "ke"]),
        ["key.pem"]
    );
}

/// bash inserts candidates unquoted: what a shell would run, split or expand is not offered.
#[test]
fn no_kid_that_a_shell_would_act_on() {
    let sandbox = Sandbox::new();
    let kids = [
        "$(touch x)",
        "`id`",
        "a b",
        "a;b",
        "a|b",
        "*",
        "a'b",
        "a\"b",
        "a\\b",
        "~root",
        "-rf",
        "--help",
        "a:b",
        "a&b",
        "a>b",
        "#a",
        "a\u{1b}[31m",
        "a\nb",
        "!x",
        "{a,b}",
        "ä",
        "plain-kid_1.0~x",
    ];
    let key = |kid: &&str| {
        let kid = serde_json::Value::from(*kid);
        format!("{{\"kty\":\"oct\",\"k\":\"AAAAAAAAAAAAAAAAAAAAAA\",\"kid\":{kid}}}")
    };
    let keys: Vec<_> = kids.iter().map(key).collect();
    let file = sandbox.write("kids.json", format!("{{\"keys\":[{}]}}", keys.join(",")));
    sandbox.ok(["set", "v", &file]);
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let run = ask(&sandbox, shell, &["jwks", "get", "v", ""]);
        assert_eq!(run.stdout.lines().count(), 1, "{shell}: {run:#?}");
        assert!(
            run.stdout.starts_with("plain-kid_1.0~x"),
            "{shell}: {run:#?}"
        );
    }
}

/// Whatever is wrong, a shell in the middle of a line hears nothing of it.
#[test]
fn nothing_is_said_where_something_is_wrong() {
    let sandbox = Sandbox::new();
    // Where there is nothing to name, options are all that is left.
    let offers_nothing = |words: &[&str]| {
        let found = complete(&sandbox, words);
        assert!(
            found.iter().all(|word| word.starts_with('-')),
            "{words:?}: {found:?}"
        );
    };
    offers_nothing(&["jwks", "get", "../x", ""]);
    assert!(!sandbox.store().exists(), "completion creates nothing");
    std::fs::create_dir(sandbox.store()).expect("a directory");
    std::fs::write(sandbox.set_file("broken"), "{").expect("a file");
    offers_nothing(&["jwks", "get", "broken", ""]);
    offers_nothing(&["jwks", "get", "none", ""]);
    // An unknown shell gets no answer, and the program does not run as if it had been called.
    let mut command = sandbox.command(JWKS);
    let run = finish(command.env("JWKS_COMPLETE", "csh").args(["create", "api"]));
    assert_eq!((run.code, run.stdout.as_str()), (Some(0), ""));
    assert!(!sandbox.set_file("api").exists());
}

/// COMPLETE may be in anyone's environment for other reasons.
#[test]
fn another_programs_variable_does_not_hijack() {
    let sandbox = Sandbox::new();
    let mut command = sandbox.command(JWKS);
    finish(command.env("COMPLETE", "bash").args(["create", "api"])).ok();
    assert!(sandbox.set_file("api").exists());
}
