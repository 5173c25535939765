//! Clerk: the keys of an instance, which are only read.

use crate::servers::clerk::Clerk;
use crate::support::{JWKS, Run, Sandbox, finish, kids_in};
use crate::wire::each;
use serde_json::{Value, json};
use std::process::Command;

const SECRET_KEY: &str = "sk_test_4yqkD9VfB7tLm2";

/// An instance of Clerk, and a sandbox that knows it as `clerk`.
struct Instance {
    clerk: Clerk,
    sandbox: Sandbox,
}

impl Instance {
    fn start() -> Instance {
        let (clerk, sandbox) = (Clerk::start(SECRET_KEY), Sandbox::new());
        let address = clerk.address();
        sandbox.ok([
            "remote", "add", "clerk", "--kind", "clerk", "--url", &address,
        ]);
        Instance { clerk, sandbox }
    }

    /// The same whose keys are a private and a symmetric one beside a public one: the schema allows
    /// them.
    fn with_secrets() -> Instance {
        let instance = Instance::start();
        instance.run("create own --kid private --alg ES256").ok();
        instance.run("create own --kid symmetric --alg HS256").ok();
        let own = instance.run("get own --private").ok().json();
        let own = own["keys"].as_array().expect("keys").clone();
        let keys = instance.clerk.keys().into_iter().chain(own);
        instance.clerk.set_keys(keys);
        instance
    }

    fn command(&self, line: &str) -> Command {
        let mut command = self.sandbox.command(JWKS);
        command.args(line.split(' '));
        command
    }

    /// Runs the program as somebody who has the secret key.
    fn run(&self, line: &str) -> Run {
        finish(self.command(line).env("CLERK_SECRET_KEY", SECRET_KEY))
    }

    /// Runs the program, which must fail with this code and these words.
    #[track_caller]
    fn fails(&self, code: i32, line: &str, words: &str) -> Run {
        let run = self.run(line).fails(code);
        assert!(run.stderr.contains(words), "{line}: {run:#?}");
        run
    }

    fn lines(&self) -> Vec<String> {
        self.clerk.server.lines()
    }
}

fn kids(set: &Value) -> Vec<&str> {
    let keys = set["keys"].as_array().expect("keys").iter();
    keys.map(|key| key["kid"].as_str().expect("a kid"))
        .collect()
}

#[test]
fn an_instance_has_one_set_to_read() {
    let instance = Instance::start();
    let keys = instance.clerk.keys();
    let names = instance.run("list --remote clerk --format names").ok();
    assert_eq!(names.stdout, "jwks\n");
    let rows = instance.run("list jwks --remote clerk --json").ok().json();
    assert_eq!(rows["keys"][0]["kid"], keys[0]["kid"]);
    let set = instance.run("get --remote clerk").ok().json();
    assert_eq!(set["keys"], json!(keys));
    let kid = keys[0]["kid"].as_str().expect("a kid");
    let key = instance.run(&format!("get jwks {kid} --remote clerk"));
    assert_eq!(key.ok().json(), keys[0]);
    let test = instance.run("remote test clerk").ok();
    assert!(
        test.stdout.contains("the instance has keys: 1"),
        "{test:#?}"
    );
    assert!(instance.lines().iter().all(|line| line == "GET /v1/jwks"));
}

#[test]
fn the_set_is_pulled_and_compared() {
    let instance = Instance::start();
    let pulled = instance.run("pull clerk --json").ok().json();
    assert_eq!(
        (&pulled["set"], &pulled["changed"]),
        (&json!("clerk"), &json!(true))
    );
    instance.run("diff clerk clerk --exit-code").ok();
    let again = instance.run("pull clerk --json").ok().json();
    assert_eq!(again["changed"], false);
    instance.run("create clerk --kid own").ok();
    let difference = instance.run("diff clerk clerk --exit-code --json").fails(8);
    assert_eq!(kids_in(&difference.json()["only_local"]), ["own"]);
}

#[test]
fn nothing_is_written_to_clerk() {
    let instance = Instance::start();
    instance.run("create api").ok();
    instance.run("export api --private -o api.json").ok();
    for (line, operation) in [
        ("create jwks --remote clerk", "generate keys"),
        ("set jwks api.json --remote clerk --yes", "set keys"),
        (
            "set jwks api.json --replace --remote clerk --yes",
            "set whole sets",
        ),
        ("delete jwks --remote clerk --yes --force", "delete sets"),
        ("delete jwks some --remote clerk --yes", "delete keys"),
        ("push api clerk --yes", "set whole sets"),
    ] {
        let error = instance.run(&format!("{line} --json")).fails(2).error();
        assert_eq!(
            error["message"],
            format!("clerk cannot {operation}"),
            "{line}"
        );
        assert_eq!(
            error["hint"], "clerk can list sets, get sets and keys",
            "{line}"
        );
    }
    assert_eq!(instance.lines(), [""; 0]);
}

#[test]
fn the_secret_key_comes_from_either_of_clerks_variables() {
    let instance = Instance::start();
    let get = || instance.command("get --remote clerk");
    for variable in ["CLERK_SECRET_KEY", "CLERK_BEARER_AUTH"] {
        finish(get().env(variable, SECRET_KEY)).ok();
        let without = finish(&mut get()).fails(7);
        assert!(without.stderr.contains(variable), "{without:#?}");
    }
}

pub fn a_server_in_trouble_is_asked_again() {
    let statuses = [Some(500), Some(502), Some(503), Some(504), None];
    each(statuses, |status| {
        let instance = Instance::start();
        let reason = match status {
            Some(status) => {
                instance.clerk.fail_next(1, status);
                format!("status {status}; again in")
            }
            None => {
                instance.clerk.cut_next(1);
                "again in".to_owned()
            }
        };
        let run = instance.run("get --remote clerk").ok();
        assert!(run.stderr.contains(&reason), "{run:#?}");
    });
}

pub fn a_limit_is_waited_for_as_long_as_the_server_asks() {
    let instance = Instance::start();
    instance.clerk.limit_next(1, 1);
    let run = instance.run("get --remote clerk").ok();
    assert!(run.stderr.contains("again in 1.0 s"), "{run:#?}");
}

/// A wait that is too long for anybody is said, and left to the user.
#[test]
fn a_limit_of_an_hour_is_an_error() {
    let instance = Instance::start();
    instance.clerk.limit_next(1, 3600);
    let run = instance.fails(6, "get --remote clerk", "too_many_requests");
    assert!(!run.stderr.contains("again in"), "{run:#?}");
    assert!(run.stderr.contains("3600 s"), "{run:#?}");
}

#[test]
fn a_refusal_shows_message_code_and_trace() {
    let instance = Instance::start();
    instance.clerk.fail_next(1, 403);
    let forbidden = instance.run("get --remote clerk").fails(7);
    let mut get = instance.command("get --remote clerk");
    let unknown = finish(get.env("CLERK_SECRET_KEY", "sk_test_of_nobody")).fails(7);
    for (run, message, code) in [
        (forbidden, "403: Not allowed;", "authorization_invalid"),
        (unknown, "401: Unknown secret key;", "clerk_key_invalid"),
    ] {
        let end = format!("; {code}; trace 5f0c1e0a7d1b4c7e9a3df2b86e41d090\n");
        assert!(run.stderr.contains(message), "{run:#?}");
        assert!(run.stderr.contains(&end), "{run:#?}");
        assert!(!run.stderr.contains("sk_test"), "{run:#?}");
        assert!(!run.stderr.contains("again in"), "{run:#?}");
    }
    instance.clerk.without_trace_ids();
    instance.clerk.fail_next(1, 403);
    let run = instance.fails(7, "get --remote clerk", "authorization_invalid\n");
    assert!(!run.stderr.contains("trace"), "{run:#?}");
}

#[test]
fn private_and_symmetric_members_do_not_go_on() {
    let instance = Instance::with_secrets();
    let got = instance.run("get --remote clerk").ok();
    assert!(got.stderr.contains("1 symmetric"), "{got:#?}");
    instance.run("pull clerk pulled").ok();
    let exported = instance.run("export pulled").ok();
    let public = instance.run("pull clerk public --public").ok();
    assert!(public.stderr.contains("1 symmetric"), "{public:#?}");
    let kept = instance.run("get public --private").ok();
    for run in [got, exported, kept] {
        let set = run.json();
        assert_eq!(kids(&set)[1..], ["private"]);
        assert!(!run.stdout.contains("\"d\""), "{run:#?}");
        assert!(!run.stdout.contains("\"k\""), "{run:#?}");
    }
}
