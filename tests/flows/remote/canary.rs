//! A canary: a token and private keys that are known, and every way in which they could come out
//! (D5, D6, E6).

#![cfg(target_os = "linux")]

use crate::remotes;
use crate::servers::hydra::{Hydra, Version};
use crate::servers::tls::{Authority, Certificate, Tls};
use crate::servers::{Answer, Call};
use crate::support::{JWKS, Run, Sandbox, finish, vectors, wait_until};
use crate::wire::{each, name_server, nobody};
use serde_json::{Value, json};
use std::fs;
use std::process::{Child, Stdio};

const TOKEN: &str = "canary+token/5d1f8c2b9a4e7730==";

/// The members of RFC 7517 and RFC 7518 that nobody else may see.
const PRIVATE: [&str; 7] = ["d", "p", "q", "dp", "dq", "qi", "k"];

/// So much of a secret is too much.
const PART: usize = 12;

const TOKEN_FILE: [&str; 2] = ["--token-file", "token"];

/// Every command that speaks to a server.
pub fn commands() -> impl Iterator<Item = &'static str> {
    READING.into_iter().chain(WRITING)
}

const READING: [&str; 6] = [
    "remote test prod",
    "pull prod:api",
    "pull prod:api --public",
    "diff api prod",
    "list api --remote prod",
    "get api --remote prod",
];

const WRITING: [&str; 6] = [
    "push api prod --yes",
    "push api prod --yes --private-all --prune",
    "create api --remote prod",
    "set api own.json --remote prod --yes",
    "set api own.json --remote prod --yes --replace",
    "delete api --remote prod --yes --force",
];

/// The ways of asking for more, or for less.
const MANNERS: [&str; 3] = ["-v", "-v --json", ""];

/// A set `api` whose private members are known, the same in `own.json`, and a token in a file.
pub struct Canary {
    pub sandbox: Sandbox,
    secrets: Vec<String>,
}

impl Canary {
    fn new() -> Canary {
        let sandbox = Sandbox::new();
        let file = vectors().join("rfc/rfc7517-A2-private.jwks.json");
        let text = fs::read_to_string(file).expect("the keys of RFC 7517 A.2");
        let mut set: Value = serde_json::from_str(&text).expect("JSON");
        let keys = set["keys"].as_array_mut().expect("keys");
        for key in keys.iter_mut() {
            // Both sign, so that both are sent with their private part.
            key["use"] = json!("sig");
        }
        let members = keys.iter().flat_map(|key| PRIVATE.map(|name| &key[name]));
        let mut secrets: Vec<_> = members
            .filter_map(Value::as_str)
            .map(str::to_owned)
            .collect();
        secrets.push(TOKEN.to_owned());
        sandbox.write("own.json", set.to_string());
        sandbox.ok(["set", "api", "own.json"]);
        sandbox.write("token", TOKEN);
        sandbox.shell("chmod 600 token own.json").ok();
        Canary { sandbox, secrets }
    }

    /// With this server by the name of `prod`.
    pub fn at(address: &str, more: &[&str]) -> Canary {
        let canary = Canary::new();
        canary.name(address, more);
        canary
    }

    fn name(&self, address: &str, more: &[&str]) {
        let more = [&TOKEN_FILE[..], more].concat();
        name_server(&self.sandbox, "hydra", address, &more);
    }

    /// Nothing of any secret is in this text, not even its beginning.
    #[track_caller]
    pub fn assert_hidden(&self, text: &str, what: &str) {
        for secret in &self.secrets {
            let part = &secret[..PART];
            assert!(!text.contains(part), "{part}… came out: {what}: {text}");
        }
    }

    /// Runs every command in every manner; neither stream gives anything away.
    fn try_everything(&self, what: &str) {
        for line in commands() {
            for manner in MANNERS {
                self.try_one(&format!("{line} {manner} --timeout 1"), what);
            }
        }
        self.assert_hidden(&remotes::text(&self.sandbox), what);
        self.assert_hidden(&self.sandbox.read_log(), what);
    }

    fn try_one(&self, line: &str, what: &str) -> Run {
        let run = self.sandbox.run(line.split_whitespace());
        let what = format!("{what}: jwks {line}");
        self.assert_hidden(&run.stdout, &what);
        self.assert_hidden(&run.stderr, &what);
        assert!(!run.stderr.contains("panicked"), "{what}: {run:#?}");
        assert!(matches!(run.code, Some(0..=8)), "{what}: {run:#?}");
        run
    }

    pub fn spawn(&self, line: &str) -> Child {
        let mut command = self.sandbox.command(JWKS);
        command.args(line.split(' '));
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command.spawn().expect("the program starts")
    }
}

/// What a server was sent, in its own words.
fn echo(call: &Call) -> String {
    let authorization = call.header("Authorization").unwrap_or_default();
    format!("you sent {authorization} and {}", call.body)
}

/// A Hydra that lets everything in, unless its gate has another answer. Its set `api` has a key
/// of its own.
pub fn hydra(gate: impl FnMut(&Call) -> Option<Answer> + Send + 'static) -> Hydra {
    let hydra = Hydra::behind(Version::V2_2, gate);
    let own = json!({ "kty": "oct", "kid": "theirs", "k": "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T" });
    hydra.put("api", &json!({ "keys": [own] }));
    hydra
}

/// A server that fails and repeats what it was sent, in one of the usual forms or in none.
fn repeating(form: &str, status: u16, call: &Call) -> Answer {
    let said = echo(call);
    match form {
        "flat" => Answer::json(status, json!({ "error": "no", "error_description": said })),
        "nested" => Answer::json(
            status,
            json!({ "error": { "message": said, "reason": call.body } }),
        ),
        "list" => Answer::json(
            status,
            json!({ "errors": [{ "message": said, "code": TOKEN }] }),
        ),
        // What a message has room for ends in the middle of a secret.
        "long" => {
            let filler = ".".repeat(400 - PART - "Bearer ".len() - 10);
            let said = format!("{filler} {said}");
            Answer::json(status, json!({ "error_description": said }))
        }
        "cut" => {
            let body = &call.body;
            let start = body.find("\"d\":\"").map_or(0, |at| at + 5);
            let room = 400 - 2 * PART;
            let said = format!("{}{}", "x".repeat(room), &body[start..]);
            Answer::json(status, json!({ "error": said }))
        }
        "text" => Answer::empty(status).body(said),
        "html" => Answer::html(status, &format!("<html>{said}</html>")),
        "location" => {
            let authorization = call.header("Authorization").unwrap_or_default();
            let token = authorization.trim_start_matches("Bearer ");
            Answer::empty(302).header("Location", format!("/login?token={token}"))
        }
        other => panic!("no form {other}"),
    }
}

#[test]
fn all_goes_well_and_nothing_comes_out() {
    let hydra = hydra(|_| None);
    let canary = Canary::at(&hydra.address(), &[]);
    canary.try_everything("all is well");
    let bodies: Vec<_> = hydra
        .server
        .calls()
        .into_iter()
        .map(|call| call.body)
        .collect();
    let was_sent = |secret: &String| bodies.iter().any(|body| body.contains(secret));
    let (token, members) = canary.secrets.split_last().expect("secrets");
    assert!(
        members.iter().all(was_sent),
        "the test has tested something"
    );
    assert!(!was_sent(token), "a token is no part of a body");
}

/// Private members come out where they are asked for, on standard output and nowhere else.
#[test]
fn what_is_asked_for_comes_out_on_standard_output_alone() {
    let hydra = hydra(|_| None);
    let canary = Canary::at(&hydra.address(), &[]);
    canary
        .sandbox
        .ok(["push", "api", "prod", "--yes", "--private-all"]);
    let get = ["get", "api", "--remote", "prod", "--private", "-v"];
    let run = canary.sandbox.run(get).ok();
    assert!(run.stdout.contains(&canary.secrets[0]), "{run:#?}");
    canary.assert_hidden(&run.stderr, "get --private");
}

/// Some servers repeat what they were sent in the words of their error.
#[test]
fn a_server_that_repeats_what_it_was_sent_is_not_quoted() {
    each(
        [
            "flat", "nested", "list", "long", "cut", "text", "html", "location",
        ],
        |form| {
            for (number, status) in [400, 401, 403, 500].into_iter().enumerate() {
                let only_writes = hydra(move |call| {
                    (call.method != "GET").then(|| repeating(form, status, call))
                });
                let canary = Canary::at(&only_writes.address(), &[]);
                // Two answers to each command: which ones makes no difference to it.
                for line in WRITING.into_iter().skip(number % 2).step_by(2) {
                    let manner = if status < 403 { "-v" } else { "-v --json" };
                    canary.try_one(&format!("{line} {manner}"), &format!("{form}, {status}"));
                }
            }
        },
    );
}

#[test]
fn a_server_that_repeats_the_token_is_not_quoted() {
    each(
        ["flat", "nested", "list", "long", "text", "html", "location"],
        |form| {
            let everything = hydra(move |call| Some(repeating(form, 401, call)));
            let canary = Canary::at(&everything.address(), &[]);
            for line in commands() {
                canary.try_one(&format!("{line} -v"), form);
            }
        },
    );
}

/// A document of private keys that cannot be read is not shown to say so.
#[test]
fn a_document_that_cannot_be_read_is_not_quoted() {
    let canary = Canary::new();
    let set = fs::read_to_string(canary.sandbox.path().join("own.json")).expect("the set");
    let d = set.find("\"d\":\"").expect("a private member") + 5;
    let as_text = |at: &str| json!({ at: set }).to_string();
    let damaged = [
        set[..d + 30].to_owned(),
        set.replace("\"d\":", "\"d\" "),
        set.replace("\"d\":\"", "\"d\":\"\\q"),
        set.replace("\"d\":", "\"x\":"),
        set.replace("{\"keys\":[", "{\"keys\":{\"a\":")
            .replace("]}", "}}"),
        set.replace("\"d\":\"", "\"k\":[[["),
        as_text("keys"),
        json!({ "keys": [set] }).to_string(),
        json!(set).to_string(),
        format!("{set}{set}"),
        format!("{set},"),
    ];
    for document in damaged {
        let hydra = Hydra::behind(Version::V2_2, move |_| {
            Some(Answer::json(200, document.clone()))
        });
        canary.name(&hydra.address(), &[]);
        for line in [
            "pull prod:api",
            "diff api prod",
            "get api --remote prod",
            "push api prod --yes",
        ] {
            canary.try_one(&format!("{line} -v"), "a damaged document");
        }
    }
}

/// A server's own words are quoted otherwise; whatever a terminal would act on is shown, and not
/// done.
#[test]
fn a_servers_words_do_not_act_on_a_terminal() {
    let words =
        "\u{1b}]0;title\u{7}\u{1b}[2Jgone\r\nerror: forged \u{202e}reversed\u{2066}\u{9b}31m";
    let hydra = hydra(move |call| {
        let error = Answer::json(403, json!({ "error_description": words }));
        (call.method != "GET").then_some(error)
    });
    let canary = Canary::at(&hydra.address(), &[]);
    for manner in MANNERS {
        let run = canary.try_one(&format!("push api prod --yes {manner}"), "escapes");
        assert_eq!(run.code, Some(7), "{run:#?}");
        let acts = |c: char| c != '\n' && (c.is_control() || "\u{202e}\u{2066}".contains(c));
        assert!(!run.stderr.contains(acts), "{run:#?}");
        assert!(run.stderr.contains("gone"), "the words are there: {run:#?}");
        assert!(!run.stderr.contains("\nerror: forged"), "{run:#?}");
    }
}

#[test]
fn failures_below_http_give_nothing_away() {
    let (hydra, authority) = (hydra(|_| None), Authority::new());
    let tls = Tls::in_front_of(&hydra.address(), &authority, Certificate::OtherAuthority);
    let silent = Hydra::behind(Version::V2_2, |_| Some(Answer::withheld()));
    let plain = hydra.address().replace("http:", "https:");
    let addresses = [tls.address(), silent.address(), plain, nobody()];
    each(addresses, |address| {
        let canary = Canary::at(&address, &[]);
        each(commands(), |line| {
            canary.try_one(&format!("{line} -v --timeout 1"), &address);
        });
    });
}

/// While a call is under way, neither the list of processes nor any file has a secret in it that
/// was not there before.
#[test]
fn the_list_of_processes_shows_nothing() {
    let hydra = hydra(|call| (call.method == "PUT").then(Answer::withheld));
    let canary = Canary::at(&hydra.address(), &[]);
    for source in [&TOKEN_FILE[..], &["--token-command", "cat token"]] {
        name_server(&canary.sandbox, "hydra", &hydra.address(), source);
        hydra.server.forget_calls();
        let mut child = canary.spawn("push api prod --yes --private-all -v");
        wait_for(&hydra, "PUT");
        let line = fs::read(format!("/proc/{}/cmdline", child.id())).expect("a command line");
        canary.assert_hidden(&String::from_utf8_lossy(&line), "/proc/PID/cmdline");
        canary.assert_hidden(&remotes::text(&canary.sandbox), "remotes.json");
        child.kill().expect("its end");
        child.wait().expect("its end");
    }
    let environment = ["-c", "TOKEN=$(cat token) exec jwks remote test prod -v"];
    name_server(
        &canary.sandbox,
        "hydra",
        &hydra.address(),
        &["--token-env", "TOKEN"],
    );
    let run = finish(canary.sandbox.command("sh").args(environment)).ok();
    canary.assert_hidden(&run.stderr, "--token-env");
    canary.assert_hidden(&run.stdout, "--token-env");
}

/// Waits until a call has come in.
pub fn wait_for(hydra: &Hydra, method: &str) {
    let is_there = |line: &String| line.starts_with(method);
    wait_until(method, || hydra.server.lines().iter().any(is_there));
}
