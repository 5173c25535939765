//! Plain http, and proxies: what may go to other machines, and over which way (E1).
//!
//! A proxy stands for the network here. Made-up hosts are reached through it or not at all, so
//! that whatever it sees would have gone out.

use crate::servers::cut::read_request;
use crate::servers::hostile::Listener;
use crate::servers::{Answer, Server, lock};
use crate::support::{JWKS, Run, Sandbox, finish};
use crate::wire::{PUBLIC_SET, each, nobody, sandbox_with};
use std::io::Write as _;
use std::net::TcpStream;
use std::sync::{Arc, Mutex};

/// A proxy that answers every request with a public set, and remembers what it was asked.
struct ProxyServer {
    listener: Listener,
    heads: Arc<Mutex<Vec<String>>>,
}

impl ProxyServer {
    fn start() -> ProxyServer {
        let heads = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&heads);
        let listener = Listener::start("127.0.0.1", move |client| {
            while let Ok((head, _)) = read_request(client)
                && !head.is_empty()
            {
                let is_tunnel = head.starts_with("CONNECT ");
                // What comes through a tunnel to this port is not for the proxy.
                let is_over = head.starts_with("CONNECT ") && head.contains(":443 ");
                lock(&log).push(head);
                if answer(client, is_tunnel).is_err() || is_over {
                    break;
                }
            }
        });
        ProxyServer { listener, heads }
    }

    fn address(&self) -> String {
        format!("http://{}", self.listener.address())
    }

    fn heads(&self) -> Vec<String> {
        lock(&self.heads).clone()
    }

    /// The first lines of what it was asked.
    fn lines(&self) -> Vec<String> {
        let heads = self.heads();
        let first = |head: &String| head.lines().next().unwrap_or_default().to_owned();
        heads.iter().map(first).collect()
    }
}

/// The options for a call: a host that exists nowhere is given up after a second, and a proxy has
/// all the time that it needs.
fn patience(is_proxy_asked: bool) -> &'static str {
    if is_proxy_asked {
        "--timeout 600"
    } else {
        "--timeout 1"
    }
}

fn answer(mut client: &TcpStream, is_tunnel: bool) -> std::io::Result<()> {
    let length = PUBLIC_SET.len();
    if is_tunnel {
        write!(client, "HTTP/1.1 200 OK\r\n\r\n")
    } else {
        write!(
            client,
            "HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{PUBLIC_SET}"
        )
    }
}

/// Runs the program with these variables.
fn run_with(sandbox: &Sandbox, line: &str, variables: &[(&str, &str)]) -> Run {
    let mut command = sandbox.command(JWKS);
    command.envs(variables.iter().copied());
    finish(command.args(line.split(' ')))
}

/// Private keys and tokens do not leave this machine in the clear, whatever the kind of server: it
/// is refused before anybody is called.
#[test]
fn secrets_do_not_go_over_plain_http() {
    let token = ["--token-env", "TOKEN"];
    let header = ["--header", "X-Tenant: canary-tenant"];
    let project = ["--token-env", "TOKEN", "--project", "orders"];
    let service = ["--token-env", "TOKEN", "--service-id", "7"];
    for (kind, more) in [
        ("hydra", &[][..]),
        ("hydra-v1", &[]),
        ("ory", &token),
        ("authlete", &service),
        ("clerk", &token),
        ("apinizer", &project),
        ("url", &token),
        ("url", &header),
    ] {
        assert_refused(kind, "192.0.2.1:9", more);
    }
}

/// Under whichever name or number another machine goes.
#[test]
fn another_machine_is_not_taken_for_this_one() {
    for host in [
        "hydra.test.invalid",
        "[2001:db8::1]",
        "[::ffff:192.0.2.1]",
        "localhost.test.invalid",
        "127.0.0.1.test.invalid",
        "0.0.0.0.test.invalid",
    ] {
        assert_refused("hydra", host, &[]);
    }
}

fn assert_refused(kind: &str, host: &str, more: &[&str]) {
    let proxy = ProxyServer::start();
    let variables = [("ALL_PROXY", &*proxy.address()), ("TOKEN", "canary-token")];
    let sandbox = sandbox_with(kind, &format!("http://{host}"), more);
    let run = run_with(&sandbox, "remote test prod", &variables).fails(4);
    assert!(run.stderr.contains("plain http"), "{kind}: {run:#?}");
    assert!(run.stderr.contains("--allow-insecure-http"), "{run:#?}");
    assert_eq!(proxy.lines(), [""; 0], "{kind} {host}");
}

/// Each command that would send or fetch private keys is refused, and the keystore stays.
#[test]
fn no_command_goes_over_plain_http() {
    let proxy = ProxyServer::start();
    let variables = [("ALL_PROXY", &*proxy.address())];
    let sandbox = sandbox_with("hydra", "http://hydra.test.invalid", &[]);
    sandbox.shell("jwks get api --private > own.json").ok();
    let before = sandbox.read_set("api");
    for line in [
        "push api prod --yes",
        "pull prod:api",
        "diff api prod",
        "get api --remote prod",
        "list api --remote prod",
        "create api --remote prod",
        "set api own.json --remote prod --yes",
        "delete api --remote prod --yes --force",
    ] {
        run_with(&sandbox, line, &variables).fails(4);
    }
    assert_eq!(sandbox.read_set("api"), before);
    assert_eq!(proxy.lines(), [""; 0]);
}

#[test]
fn plain_http_can_be_insisted_on() {
    let proxy = ProxyServer::start();
    let variables = [("HTTP_PROXY", &*proxy.address())];
    let sandbox = sandbox_with("hydra", "http://hydra.test.invalid", &[]);
    let line = "get api --remote prod --allow-insecure-http";
    let run = run_with(&sandbox, line, &variables).ok();
    assert!(run.stderr.contains("warning: "), "{run:#?}");
    assert!(!proxy.lines().is_empty());
}

/// What everybody may read is read over plain http as well; with a warning, for it decides which
/// tokens will be believed.
#[test]
fn public_keys_over_plain_http_are_worth_a_warning() {
    let proxy = ProxyServer::start();
    let variables = [("http_proxy", &*proxy.address())];
    let line = "pull http://issuer.test/jwks.json issuer";
    let run = run_with(&Sandbox::new(), line, &variables).ok();
    assert!(
        run.stderr.contains("warning: http://issuer.test"),
        "{run:#?}"
    );
}

/// The variable of the scheme, or the one for all, in both ways of writing them.
pub fn the_usual_variables_name_the_proxy() {
    let cases = [
        ("http://issuer.test/jwks.json", "HTTP_PROXY", true),
        ("http://issuer.test/jwks.json", "http_proxy", true),
        ("http://issuer.test/jwks.json", "ALL_PROXY", true),
        ("http://issuer.test/jwks.json", "all_proxy", true),
        ("http://issuer.test/jwks.json", "HTTPS_PROXY", false),
        ("https://issuer.test/jwks.json", "HTTPS_PROXY", true),
        ("https://issuer.test/jwks.json", "https_proxy", true),
        ("https://issuer.test/jwks.json", "ALL_PROXY", true),
        ("https://issuer.test/jwks.json", "HTTP_PROXY", false),
    ];
    each(cases, |(address, variable, is_asked)| {
        let proxy = ProxyServer::start();
        let line = format!("get --remote {address} {}", patience(is_asked));
        let run = run_with(&Sandbox::new(), &line, &[(variable, &proxy.address())]);
        let lines = proxy.lines();
        assert_eq!(
            !lines.is_empty(),
            is_asked,
            "{variable}: {lines:?} {run:#?}"
        );
        if is_asked {
            let tunnel = if address.starts_with("https") {
                "CONNECT issuer.test:443 HTTP/1.1"
            } else {
                "CONNECT issuer.test:80 HTTP/1.1"
            };
            let absolute = "GET http://issuer.test/jwks.json HTTP/1.1";
            let first = &*lines[0];
            assert!(
                first == tunnel || first == absolute,
                "{variable}: {lines:?}"
            );
        }
        assert_eq!(
            run.code == Some(0),
            is_asked && address.starts_with("http:")
        );
    });
}

/// A proxy written without a scheme, and one with a name and a password of its own: they are for
/// the proxy, and in no message.
#[test]
fn a_proxy_may_want_a_name_and_a_password() {
    let proxy = ProxyServer::start();
    let host = proxy.address().replace("http://", "");
    let get = "get --remote http://issuer.test/jwks.json -v";
    run_with(&Sandbox::new(), get, &[("HTTP_PROXY", &host)]).ok();
    let with_password = format!("http://agent:passphrase@{host}");
    let run = run_with(&Sandbox::new(), get, &[("HTTP_PROXY", &with_password)]).ok();
    let authorization = "Proxy-Authorization: Basic YWdlbnQ6cGFzc3BocmFzZQ==";
    let heads = proxy.heads();
    let is_sent = heads.iter().any(|head| head.contains(authorization));
    assert!(is_sent, "{heads:#?}");
    assert!(!run.stderr.contains("passphrase"), "{run:#?}");
}

/// Whoever names a proxy does not want to be connected without it.
#[test]
fn an_unusable_proxy_is_not_passed_over() {
    let unusable = [
        "http://",
        "http://[",
        "nonsense://127.0.0.1:9",
        "socks5://127.0.0.1:9",
    ];
    each(unusable, |proxy| {
        let get = "get --remote https://192.0.2.1:9/jwks.json";
        let run = run_with(&Sandbox::new(), get, &[("HTTPS_PROXY", proxy)]);
        assert!(!run.stderr.contains("panicked"), "{proxy}: {run:#?}");
        assert!(matches!(run.code, Some(2 | 6)), "{proxy}: {run:#?}");
        assert!(run.stderr.contains("proxy"), "{proxy}: {run:#?}");
    });
}

/// A proxy in the way is told from a server that is down: it is somebody else's to mend.
pub fn a_proxy_that_is_down_or_refuses_is_named() {
    let refusing = Server::start(|_| Answer::empty(407));
    each([refusing.address(), nobody()], |proxy| {
        let get = "get --remote https://issuer.test/jwks.json";
        let run = run_with(&Sandbox::new(), get, &[("HTTPS_PROXY", &proxy)]).fails(6);
        assert!(run.stderr.contains("proxy"), "{run:#?}");
    });
}

#[test]
fn exceptions_are_asked_directly() {
    let cases = [
        ("issuer.test", true),
        (".test", true),
        ("test", true),
        ("other.example, issuer.test", true),
        ("*", true),
        ("ssuer.test", false),
        ("other.example", false),
        ("", false),
    ];
    each(cases, |(exceptions, is_direct)| {
        for variable in ["NO_PROXY", "no_proxy"] {
            let proxy = ProxyServer::start();
            let variables = [("ALL_PROXY", &*proxy.address()), (variable, exceptions)];
            let address = "http://issuer.test/jwks.json";
            let line = format!("get --remote {address} {}", patience(!is_direct));
            run_with(&Sandbox::new(), &line, &variables);
            assert_eq!(proxy.lines().is_empty(), is_direct, "{exceptions:?}");
        }
    });
}

/// What is on this machine is asked on this machine, private keys above all.
#[test]
fn nothing_on_this_machine_goes_over_a_proxy() {
    let proxy = ProxyServer::start();
    let variables = ["ALL_PROXY", "HTTP_PROXY", "http_proxy"];
    let variables = variables.map(|name| (name, proxy.address()));
    let variables = variables.each_ref().map(|(name, value)| (*name, &**value));
    let server = Server::start(|_| Answer::json(200, PUBLIC_SET));
    for host in ["127.0.0.1", "localhost", "LOCALHOST", "127.1"] {
        let address = server.address().replace("127.0.0.1", host);
        let line = format!("get --remote {address}");
        run_with(&Sandbox::new(), &line, &variables).ok();
    }
    assert_eq!(proxy.lines(), [""; 0]);
    assert_eq!(server.calls().len(), 4);
}
