//! What goes over the wire, what is asked again, and what is said of it.

use crate::authlete::Service;
use crate::servers::authlete::{self, SERVICE_ID};
use crate::servers::cut::{Cut, Cutting};
use crate::servers::hydra::{Hydra, Version};
use crate::servers::plain::Plain;
use crate::servers::{Answer, Server};
use crate::support::{Sandbox, wait_until};
use rustix::net::{AddressFamily, SocketType, bind, getsockname, socket};
use std::net::{Ipv4Addr, SocketAddrV4};

/// What everybody may read.
pub const PUBLIC_SET: &str = r#"{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"good-1","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#;

/// The statuses of a gateway whose server is in trouble.
const TROUBLE: [u16; 3] = [502, 503, 504];

/// A sandbox with a set `api`, and a server by the name of `prod`.
pub fn sandbox_with(kind: &str, address: &str, more: &[&str]) -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.ok(["create", "api"]);
    name_server(&sandbox, kind, address, more);
    sandbox
}

/// Names a server `prod`, or names another one so from now on.
pub fn name_server(sandbox: &Sandbox, kind: &str, address: &str, more: &[&str]) {
    let add = ["remote", "add", "prod", "--force"];
    let server = ["--kind", kind, "--url", address];
    sandbox.ok(add.iter().chain(&server).chain(more));
}

/// Tells the same story of many things, all at once: most of each is waiting.
pub fn each<T: Send>(things: impl IntoIterator<Item = T>, story: impl Fn(T) + Sync) {
    let story = &story;
    std::thread::scope(|scope| {
        for thing in things {
            scope.spawn(move || story(thing));
        }
    });
}

/// An address where nobody listens: its port is taken until the tests end, so that no server of
/// another test gets it.
pub fn nobody() -> String {
    let socket = socket(AddressFamily::INET, SocketType::STREAM, None).expect("a socket");
    bind(&socket, &SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0)).expect("a port");
    let address = getsockname(&socket).expect("an address");
    std::mem::forget(socket);
    let address = SocketAddrV4::try_from(address).expect("an IPv4 address");
    format!("http://{address}")
}

fn calls_of(server: &Server, method: &str) -> usize {
    let lines = server.lines();
    lines.iter().filter(|line| line.starts_with(method)).count()
}

/// If nobody listens, each retry is reported with its reason, and the error has a hint.
pub fn a_refused_connection_is_tried_again_and_then_given_up() {
    let sandbox = sandbox_with("hydra", &nobody(), &[]);
    let run = sandbox.run(["remote", "test", "prod"]).fails(6);
    assert_eq!(run.stderr.matches("again in").count(), 3, "{run:#?}");
    assert!(run.stderr.contains("refused"), "{run:#?}");
    assert!(run.stderr.contains("check the address"), "{run:#?}");
}

/// Reading, replacing and deleting twice is the same as once: a gateway in trouble is asked again.
pub fn what_may_be_repeated_is_repeated() {
    each(TROUBLE, |status| {
        let hydra = Hydra::start(Version::V2_2);
        let sandbox = sandbox_with("hydra", &hydra.address(), &[]);
        let said = format!("status {status}; again in ");

        hydra.rejects_next(status, "");
        let run = sandbox.run(["push", "api", "prod", "--yes"]).ok();
        assert!(run.stderr.contains(&said), "{run:#?}");
        assert_eq!(calls_of(&hydra.server, "PUT"), 2);

        hydra.server.answer_next(Answer::empty(status));
        let run = sandbox.run(["get", "api", "--remote", "prod"]).ok();
        assert!(run.stderr.contains(&said), "{run:#?}");

        hydra.rejects_next(status, "");
        let delete = "delete api --remote prod --yes --force";
        let run = sandbox.run(delete.split(' ')).ok();
        assert!(run.stderr.contains(&said), "{run:#?}");
        assert_eq!(calls_of(&hydra.server, "DELETE"), 2);
    });
}

#[test]
fn a_server_that_stays_in_trouble_is_given_up() {
    // The program's own pauses are seen where the connection is refused.
    let server = Server::start(|_| Answer::html(503, "<html>down</html>").header("Retry-After", 0));
    let sandbox = sandbox_with("hydra", &server.address(), &[]);
    let run = sandbox.run(["get", "api", "--remote", "prod"]).fails(6);
    assert!(run.stderr.contains("answered 503"), "{run:#?}");
    assert!(run.stderr.contains("hint: "), "{run:#?}");
    assert_eq!(server.calls().len(), 4);
}

/// What a server decided it will decide again.
#[test]
fn a_decision_is_not_asked_for_twice() {
    for (status, code) in [(400, 6), (401, 7), (403, 7), (500, 6), (501, 6)] {
        let hydra = Hydra::start(Version::V2_2);
        let sandbox = sandbox_with("hydra", &hydra.address(), &[]);
        hydra.rejects_next(status, r#"{"error":"No"}"#);
        let run = sandbox.run(["push", "api", "prod", "--yes"]).fails(code);
        assert!(run.stderr.contains("No"), "{status}: {run:#?}");
        assert_eq!(calls_of(&hydra.server, "PUT"), 1, "{status}");
    }
}

/// A second POST would make a second key. The first may have been carried out, whatever the
/// gateway says, and so nobody is told to run it again before a look.
#[test]
fn a_creation_that_may_have_happened_is_not_repeated() {
    each(TROUBLE, |status| {
        let hydra = Hydra::start(Version::V2_2);
        let sandbox = sandbox_with("hydra", &hydra.address(), &[]);
        hydra.rejects_next(status, "");
        let run = sandbox.run(["create", "api", "--remote", "prod"]).fails(6);
        assert_eq!(calls_of(&hydra.server, "POST"), 1);
        assert!(
            run.stderr
                .contains("check before you run the command again"),
            "{run:#?}"
        );
    });
}

pub fn a_creation_without_an_answer_is_not_repeated() {
    let hydra = Hydra::start(Version::V2_2);
    let sandbox = sandbox_with("hydra", &hydra.address(), &[]);
    hydra.answers_next_write(Answer::withheld());
    let create = ["create", "api", "--remote", "prod", "--timeout", "1"];
    let silent = sandbox.run(create).fails(6);
    wait_until("the POST is there", || calls_of(&hydra.server, "POST") > 0);
    assert_eq!(calls_of(&hydra.server, "POST"), 1);

    let cutting = Cutting::in_front_of(&hydra.address(), Cut::Before, "POST", usize::MAX);
    name_server(&sandbox, "hydra", &cutting.address(), &[]);
    let cut = sandbox.run(create).fails(6);
    assert_eq!(cutting.cuts(), 1, "{cut:#?}");

    for run in [silent, cut] {
        assert!(
            run.stderr
                .contains("check before you run the command again"),
            "{run:#?}"
        );
    }
}

/// The log of what was sent does not depend on an answer.
pub fn a_push_that_arrived_without_an_answer_is_in_the_log() {
    let cuts = [
        (Cut::Before, &[][..]),
        (Cut::After, &["private"]),
        (Cut::AndGone, &["private, unconfirmed"]),
    ];
    let lines = ["push api cut --yes", "rotate api --every 30d --push cut"];
    each(
        cuts.into_iter()
            .flat_map(|cut| lines.map(|line| (cut, line))),
        |((when, notes), line)| {
            let service = Service::start(authlete::Version::V3);
            let cutting = Cutting::in_front_of(&service.authlete.address(), when, "POST", 1);
            let address = cutting.address();
            let add = [
                "remote", "add", "cut", "--kind", "authlete", "--url", &address,
            ];
            let more = ["--service-id", SERVICE_ID, "--token-command", "cat token"];
            service.sandbox.ok(add.into_iter().chain(more));
            service.run("create api --kid one").ok();
            service.run(line).fails(6);
            let log = service.sandbox.json(["log", "--json"]);
            let changes = log["changes"].as_array().expect("changes").iter();
            let pushed = changes.filter(|change| change["verb"] == "pushed");
            let logged: Vec<_> = pushed.map(|change| &change["note"]).collect();
            assert_eq!(logged, notes, "{line}: {when:?}");
        },
    );
}

#[test]
fn a_call_that_was_cut_off_is_made_again() {
    let push = "push api prod --yes";
    let delete = "delete api --remote prod --yes --force";
    let get = "get api --remote prod";
    each(
        [("PUT", push), ("DELETE", delete), ("GET", get)],
        |(method, line)| {
            let hydra = Hydra::start(Version::V2_2);
            let sandbox = sandbox_with("hydra", &hydra.address(), &[]);
            if method != "PUT" {
                sandbox.ok(push.split(' '));
            }
            let cutting = Cutting::in_front_of(&hydra.address(), Cut::Before, method, 1);
            name_server(&sandbox, "hydra", &cutting.address(), &[]);
            sandbox.run(line.split(' ')).ok();
            assert_eq!(cutting.cuts(), 1, "{line}");
        },
    );
}

/// Too many requests: the server carried out none of them, so that even a creation is repeated.
/// The pause is the one that the server asks for; `canary_interrupt` shows that it is kept.
pub fn a_server_that_asks_to_wait_is_waited_for() {
    let headers = [
        ("Retry-After", "1", "1.0 s"),
        ("x-ratelimit-reset", "1", "1.0 s"),
        ("Retry-After", "0", "0.0 s"),
        ("Retry-After", "Sun, 06 Nov 1994 08:49:37 GMT", "0.0 s"),
        ("Retry-After", "whenever you like", ""),
    ];
    each(headers, |(name, value, pause)| {
        let hydra = Hydra::start(Version::V2_2);
        let sandbox = sandbox_with("hydra", &hydra.address(), &[]);
        let answer = Answer::empty(429).header(name, value);
        hydra.answers_next_write(answer);
        let run = sandbox.run(["create", "api", "--remote", "prod"]).ok();
        let said = format!("status 429; again in {pause}");
        assert!(run.stderr.contains(&said), "{value}: {run:#?}");
        assert_eq!(calls_of(&hydra.server, "POST"), 2);
    });
}

/// If a server asks for an hour, the command reports that and ends; it does not wait.
#[test]
fn a_server_that_asks_for_too_long_is_given_up_at_once() {
    for value in [
        "3600",
        "18446744073709551615",
        "99999999999999999999",
        "Fri, 31 Dec 2100 23:59:59 GMT",
    ] {
        let hydra = Hydra::start(Version::V2_2);
        let sandbox = sandbox_with("hydra", &hydra.address(), &[]);
        let answer = Answer::empty(429).header("Retry-After", value);
        hydra.server.answer_next(answer);
        let run = sandbox.run(["get", "api", "--remote", "prod"]).fails(6);
        assert!(run.stderr.contains("asks to wait"), "{value}: {run:#?}");
        assert!(!run.stderr.contains("again in"), "{value}: {run:#?}");
        assert_eq!(hydra.server.calls().len(), 1, "{value}");
    }
}

/// Every call says who asks and for what, and asks for nothing packed.
#[test]
fn calls_say_who_asks_and_for_what() {
    let hydra = Hydra::start(Version::V2_2);
    let sandbox = sandbox_with("hydra", &hydra.address(), &[]);
    sandbox.ok(["push", "api", "prod", "--yes"]);
    sandbox.ok(["create", "api", "--remote", "prod"]);
    sandbox.ok("delete api --remote prod --yes --force".split(' '));
    let plain = Plain::start();
    plain.serve("/jwks.json", PUBLIC_SET);
    sandbox.ok(["pull", &plain.url("/jwks.json"), "issuer"]);

    let own = concat!("jwks/", env!("CARGO_PKG_VERSION"));
    let (private, public) = (hydra.server.calls(), plain.server.calls());
    for call in private.iter().chain(&public) {
        assert_eq!(call.header("User-Agent"), Some(own), "{call:?}");
        let encoding = call.header("Accept-Encoding").unwrap_or("identity");
        assert_eq!(encoding, "identity", "{call:?}");
        assert_eq!(call.header("Authorization"), None, "{call:?}");
    }
    for call in &private {
        assert_eq!(call.header("Accept"), Some("application/json"), "{call:?}");
        let is_json = call.header("Content-Type") == Some("application/json");
        assert_eq!(is_json, !call.body.is_empty(), "{call:?}");
    }
    let accept = "application/jwk-set+json, application/json";
    assert_eq!(public[0].header("Accept"), Some(accept));
}

#[test]
fn verbose_tells_of_each_call_and_of_no_secret() {
    let hydra = Hydra::start(Version::V2_2);
    let more = ["--token-env", "TOKEN"];
    let sandbox = sandbox_with("hydra", &hydra.address(), &more);
    let run = |more: &str| {
        let line = format!("TOKEN=canary-token jwks push api prod --yes -v {more}");
        let run = sandbox.shell(&line).ok();
        let key = sandbox.json(["get", "api", "--private"])["keys"][0].clone();
        for secret in ["canary-token", key["d"].as_str().expect("d"), "\"keys\""] {
            assert!(!run.stderr.contains(secret), "{run:#?}");
        }
        run
    };
    let text = run("").stderr;
    for (method, status) in [("GET", 404), ("PUT", 200), ("GET", 200)] {
        let (call, status) = (
            format!("{method} {}/admin/keys/api", hydra.address()),
            format!(" {status} "),
        );
        let mut lines = text.lines();
        let line = lines.find(|line| line.starts_with(&call) && line.contains(&status));
        assert!(line.is_some_and(|line| line.ends_with(" ms")), "{text}");
    }
    sandbox.ok(["create", "api"]);
    let run = run("--json");
    let calls = run.stderr.lines().map(|line| {
        let line: serde_json::Value = serde_json::from_str(line).expect("JSON");
        line["call"].clone()
    });
    let calls: Vec<_> = calls.filter(|call| call.is_object()).collect();
    let put = calls.iter().find(|call| call["method"] == "PUT");
    let put = put.unwrap_or_else(|| panic!("{calls:?}"));
    assert_eq!(put["status"], 200);
    assert!(put["milliseconds"].is_u64(), "{put}");
    assert_eq!(run.json()["changed"], true, "standard output is the report");
}

/// A call that nobody answered has no status, and is told of all the same.
pub fn verbose_tells_of_calls_without_an_answer() {
    let server = Server::start(|_| Answer::withheld());
    let sandbox = sandbox_with("hydra", &server.address(), &[]);
    let run = sandbox.run("get api --remote prod --timeout 1 -v".split(' '));
    let run = run.fails(6);
    assert!(
        run.stderr.contains("no complete answer within 1 s"),
        "{run:#?}"
    );
    assert!(run.stderr.contains("--timeout"), "{run:#?}");
}
