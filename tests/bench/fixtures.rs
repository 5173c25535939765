//! What the commands work on: a directory with keystores, small programs and scripts in it.

use crate::measure::command;
use crate::servers::hydra::{Hydra, Version};
use crate::servers::plain::Plain;
use crate::servers::tls::{Authority, Certificate, Tls};
use serde_json::Value;
use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use tempfile::TempDir;

/// Makes a directory, to be removed with the result, and goes there.
pub fn enter_workshop() -> TempDir {
    // Not under /tmp, which may be memory: flushing a file shall cost what it costs.
    let directory = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a directory");
    std::env::set_current_dir(&directory).expect("it can be entered");
    directory
}

/// Compiles a small Rust program.
pub fn compile(name: &str, source: &str) {
    let file = format!("{name}.rs");
    fs::write(&file, source).expect("a source");
    run(&format!("rustc -O {file}"));
}

/// Puts scripts into the directory, and beside them the packages that are installed in another.
pub fn scripts(scripts: &[(&str, &str)], packages: Option<OsString>) {
    for (name, script) in scripts {
        fs::write(name, script).expect("a script");
    }
    if let Some(packages) = packages {
        symlink(Path::new(&packages).join("node_modules"), "node_modules").expect("a link");
    }
}

/// Makes a set of ES256 keys; returns the kid of the last one.
pub fn create(set: &str, keys: usize) -> String {
    let kids = run(&format!("jwks --store store create {set} --count {keys}"));
    kids.lines().last().expect("a kid").to_owned()
}

/// Writes each private key of a set as PEM into a directory, and returns the files.
pub fn private_keys(set: &str, directory: &str) -> Vec<String> {
    fs::create_dir(directory).expect("a directory");
    let keys = run(&format!(
        "jwks --store store export {set} --to pem --private"
    ));
    let keys = keys.split_inclusive("-----END PRIVATE KEY-----\n");
    let write = |(number, key)| {
        let file = format!("{directory}/{number}.pem");
        fs::write(&file, key).expect("a key");
        file
    };
    keys.enumerate().map(write).collect()
}

/// Makes an encrypted set of one key, which the passphrase `open` opens; latchset jose takes that as
/// a key, in open.jwk.
pub fn encrypt(set: &str, iterations: u32) {
    let create = format!("jwks --store store create {set} --encrypt --p2c {iterations}");
    run(&format!("JWKS_PASSPHRASE=open {create}"));
    fs::write("open.jwk", r#"{"kty":"oct","k":"b3Blbg"}"#).expect("a key");
}

/// A keystore in which every set is a copy of the same.
pub fn copy_sets(from: &str, store: &str, count: usize) {
    fs::create_dir(store).expect("a directory");
    for number in 0..count {
        fs::copy(from, format!("{store}/set-{number:03}.json")).expect("a copy");
    }
}

/// Gives every set of a keystore a schedule, and rotates it as that says.
pub fn schedule(store: &str) {
    let rotate = format!("jwks --store {store} rotate --all --quiet");
    run(&format!("{rotate} --every 30d --save"));
    run(&rotate);
}

/// A set with the key of another in its middle; the other keys only look like keys, for nobody
/// checks the point of a key that is not asked for.
pub fn bury_key(from: &str, to: &str, count: usize) {
    let set: Value = serde_json::from_slice(&fs::read(from).expect("a set")).expect("JSON");
    let mut random = 0x9e37_79b9_7f4a_7c15;
    let mut keys: Vec<_> = (1..count).map(|_| look_alike(&mut random)).collect();
    keys.insert(count / 2, set["keys"][0].to_string());
    // A copy is as private as the set that it is made from.
    fs::copy(from, to).expect("a copy");
    let keys = keys.join(",\n    ");
    fs::write(to, format!("{{\n  \"keys\": [\n    {keys}\n  ]\n}}\n")).expect("a set");
}

fn look_alike(random: &mut u64) -> String {
    let [kid, x, y] = [(); 3].map(|()| octets(random));
    format!(
        r#"{{"kty":"EC","kid":"{kid}","use":"sig","alg":"ES256","crv":"P-256","x":"{x}","y":"{y}"}}"#
    )
}

/// 32 bytes in base64url, by xorshift; two bits of the last character are to spare.
fn octets(random: &mut u64) -> String {
    let symbols = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let text = (0..42).map(|_| {
        *random ^= *random << 13;
        *random ^= *random >> 7;
        *random ^= *random << 17;
        char::from(symbols[(*random >> 32) as usize % symbols.len()])
    });
    text.chain(['A']).collect()
}

/// Servers on this machine that hold the set `small`, and a large one.
pub struct Servers {
    hydra: Hydra,
    tls: Tls,
    plain: Plain,
    _authority: Authority,
}

impl Servers {
    /// Starts them, and names them `http` and `https`.
    pub fn start() -> Servers {
        let (hydra, plain, authority) = (
            Hydra::start(Version::V2_2),
            Plain::start(),
            Authority::new(),
        );
        let tls = Tls::in_front_of(&hydra.address(), &authority, Certificate::Valid);
        fs::copy(authority.file(), "ca.pem").expect("a certificate");
        run("jwks --store store create seed --count 1");
        bury_key("store/seed.json", "store/large.json", 10_000);
        let small = fs::read_to_string("store/small.json").expect("a set");
        hydra.put("small", &serde_json::from_str(&small).expect("JSON"));
        plain.serve(
            "/large",
            fs::read_to_string("store/large.json").expect("a set"),
        );
        let servers = Servers {
            hydra,
            tls,
            plain,
            _authority: authority,
        };
        for (name, address) in [("http", servers.http()), ("https", servers.https())] {
            let add = format!("HOME=home jwks remote add {name} --kind hydra --url {address}");
            run(&format!("{add} --cacert ca.pem --json"));
        }
        servers
    }

    pub fn http(&self) -> String {
        self.hydra.address()
    }

    pub fn https(&self) -> String {
        self.tls.address()
    }

    /// The address of the large set.
    pub fn large(&self) -> String {
        self.plain.url("/large")
    }
}

fn run(line: &str) -> String {
    let output = command(line).output().expect("it starts");
    assert!(output.status.success(), "{line}: {output:?}");
    String::from_utf8(output.stdout).expect("text")
}
