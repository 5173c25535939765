//! Real web servers that take PUT: nginx, which ignores conditions, and Apache, which honors them.

use crate::peer::{Peer, open_to_all};
use crate::support::{Run, Sandbox, has_tool, kids_in};
use std::fs;
use std::path::Path;
use std::process::Command;

const NGINX: &str = "\
daemon off; master_process off; pid DIR/pid; error_log DIR/error.log;
events {}
http {
  access_log off; client_body_temp_path DIR/body; proxy_temp_path DIR/proxy;
  fastcgi_temp_path DIR/fastcgi; uwsgi_temp_path DIR/uwsgi; scgi_temp_path DIR/scgi;
  server { listen 127.0.0.1:PORT; root DIR/www; location / { dav_methods PUT; } }
}
";

const APACHE: &str = "\
ServerRoot /usr/lib/apache2
ServerName localhost
Listen 127.0.0.1:PORT
PidFile DIR/pid
ErrorLog DIR/error.log
DefaultRuntimeDir DIR
LoadModule mpm_prefork_module modules/mod_mpm_prefork.so
LoadModule authz_core_module modules/mod_authz_core.so
LoadModule dav_module modules/mod_dav.so
LoadModule dav_fs_module modules/mod_dav_fs.so
DAVLockDB DIR/locks
DocumentRoot DIR/www
USER
<Directory DIR/www>
  Dav On
  Require all granted
</Directory>
";

/// Starts a server with this configuration.
fn start(
    program: &'static str,
    configuration: &'static str,
    last: &'static [&str],
) -> Option<Peer> {
    if !has_tool(program) {
        return None;
    }
    Some(Peer::start(move |port, directory: &Path| {
        let shown = directory.to_str().expect("a UTF-8 path");
        // Apache refuses to be root while it answers.
        let is_root = rustix::process::geteuid().is_root();
        let user = if is_root {
            "User www-data\nGroup www-data"
        } else {
            ""
        };
        let text = configuration
            .replace("DIR", shown)
            .replace("PORT", &port.to_string())
            .replace("USER", user);
        let text = if is_root && program == "nginx" {
            format!("user root; {text}")
        } else {
            text
        };
        let www = directory.join("www");
        fs::create_dir_all(&www).expect("a directory");
        open_to_all(&www);
        let file = directory.join("server.conf");
        fs::write(&file, text).expect("a file");
        let mut command = Command::new(program);
        command.args(last).arg(file);
        command
    }))
}

fn nginx() -> Option<Peer> {
    start("nginx", NGINX, &["-c"])
}

fn apache() -> Option<Peer> {
    start("apache2", APACHE, &["-X", "-f"])
}

fn run(sandbox: &Sandbox, line: &str) -> Run {
    sandbox.run(line.split(' '))
}

/// Publishes, changes and reads a set, and returns what a probe says.
fn publish(server: &Peer) -> bool {
    let sandbox = Sandbox::new();
    let run = |line: &str| run(&sandbox, line);
    let url = server.url("/keys.json");
    run(&format!("remote add web --kind http-put --url {url}")).ok();
    run("create api --kid one").ok();
    run("push api web --yes").ok();
    let published =
        || fs::read_to_string(server.path().join("www/keys.json")).expect("the document");
    assert_eq!(published(), run("export api").ok().stdout);
    run("create api --kid two").ok();
    run("push api web --yes").ok();
    assert_eq!(published(), run("export api").ok().stdout);
    run("diff api web --exit-code").ok();
    let set = run("get --remote web").ok().json();
    assert_eq!(kids_in(&set["keys"]), ["one", "two"]);
    let again = run("push api web --yes --json").ok().json();
    assert_eq!(again["changed"], false);
    // A missing directory is no race. Apache answers 409, nginx 500.
    let url = server.url("/missing/keys.json");
    run(&format!("remote add far --kind http-put --url {url}")).ok();
    let failed = run("push api far --yes").fails(6);
    let is_named = ["answered 409", "answered 500"];
    let is_named = is_named.iter().any(|words| failed.stderr.contains(words));
    assert!(is_named, "{failed:#?}");
    let before = published();
    // Apache tells a strong ETag only of a document that is older than a second.
    std::thread::sleep(std::time::Duration::from_millis(2100));
    let test = run("remote test web --probe --json").ok().json();
    assert_eq!(published(), before);
    test["honors_conditions"].as_bool().expect("a truth")
}

pub fn nginx_ignores_conditions() {
    if let Some(nginx) = nginx() {
        assert!(!publish(&nginx));
    }
}

pub fn apache_honors_conditions() {
    if let Some(apache) = apache() {
        assert!(publish(&apache));
    }
}
