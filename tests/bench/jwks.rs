//! `cargo bench`: whole runs of jwks beside other programs, as a Markdown table. A ratio below 1
//! means that jwks is quicker.
//!
//! `cargo bench -- WORD` runs the jobs with this word in their name. JWKS_BENCH_RUNS is the
//! number of runs, JWKS_BENCH_NODE_JOSE a directory in which npm's `jose` is installed.

mod fixtures;
mod measure;
#[path = "../support/servers/mod.rs"]
mod servers;

use fixtures::Servers;
use jwks::key::check::Budget;
use jwks::keyset::check;
use jwks::keyset::import::{self, Imported};
use measure::{HEADER, Job};
use std::{env, fs};

fn main() {
    let arguments: Vec<String> = env::args().skip(1).collect();
    if let [word, files @ ..] = &arguments[..]
        && word == READ_KEYS
    {
        return read_keys(files);
    }
    // `cargo test --all-targets` starts benchmarks as well, without this.
    if !arguments.iter().any(|argument| argument == "--bench") {
        return;
    }
    let is_chosen = |job: &Job| {
        let mut words = arguments
            .iter()
            .filter(|word| *word != "--bench")
            .peekable();
        words.peek().is_none() || words.any(|word| job.name.contains(word))
    };
    let runs = env::var("JWKS_BENCH_RUNS").unwrap_or("41".into());
    let runs = runs.parse().expect("JWKS_BENCH_RUNS is a number");
    let _workshop = fixtures::enter_workshop();
    let mut jobs = jobs();
    let servers = Servers::start();
    jobs.extend(remote_jobs(&servers));
    println!("{HEADER}");
    for job in jobs.into_iter().filter(is_chosen) {
        println!("{}", job.row(runs));
    }
}

/// Makes this program read and check keys, which is the least that an import costs.
const READ_KEYS: &str = "read-keys";

/// Reads and checks the keys of files, one after another.
fn read_keys(files: &[String]) {
    let budget = Budget::default();
    for file in files {
        let document = fs::read(file).expect("a file");
        let read = import::read(&document, &import::Options::default());
        let Ok(Imported { set, .. }) = read else {
            panic!("{file} has no key");
        };
        assert!(check::findings(&set, 0, false, &budget).is_empty());
    }
}

/// Each job with its command lines, of which jwks's own comes first.
fn jobs() -> Vec<Job> {
    fixtures::compile("empty", "fn main() {}");
    fixtures::compile("read_all", include_str!("read_all.rs"));
    let scripts = [
        ("create.mjs", include_str!("create.mjs")),
        ("find.mjs", include_str!("find.mjs")),
        ("public.mjs", include_str!("public.mjs")),
    ];
    fixtures::scripts(&scripts, env::var_os("JWKS_BENCH_NODE_JOSE"));

    let small = fixtures::create("small", 4);
    let big = fixtures::create("one", 1);
    fixtures::create("thousand", 1000);
    let files = fixtures::private_keys("thousand", "files").join(" ");
    fixtures::bury_key("store/one.json", "store/big.json", 100_000);
    fixtures::encrypt("strong", 600_000);
    fixtures::encrypt("quick", 10_000);
    fixtures::copy_sets("store/small.json", "sets", 1000);
    fixtures::copy_sets("store/one.json", "scheduled", 1000);
    fixtures::schedule("scheduled");

    let create = |name, alg: &str, openssl: &str| {
        let jose = format!("jose jwk gen -i {{\"alg\":\"{alg}\"}} -o {alg}-#.jwk");
        let openssl = format!("openssl genpkey -algorithm {openssl} -out {alg}-#.pem");
        Job::new(name, format!("jwks --store new create {alg}-# --alg {alg}"))
            .beside("openssl", openssl)
            .beside("jose (latchset)", jose)
            .beside("node jose", format!("node create.mjs {alg} {alg}-#.jwks"))
    };
    let find = format!("jwks --store store get big {big}");
    let find_jq = format!("jq .keys[]|select(.kid==\"{big}\") store/big.json");
    let complete = "JWKS_STORE=sets jwks __complete fish get ''";
    let open = "JWKS_PASSPHRASE=open jwks --store store get";
    let pbkdf2 = "openssl kdf -keylen 32 -kdfopt digest:SHA512 -kdfopt pass:open \
                  -kdfopt salt:sixteen-octets-- -kdfopt iter:600000 PBKDF2";
    let get = format!("jwks --store store get small {small}");
    let program = env::current_exe().expect("this program");
    let read_keys = format!("{} {READ_KEYS} {files}", program.display());
    let pem = "files/0.pem";
    let (ec, rsa) = (
        "EC -pkeyopt ec_paramgen_curve:P-256",
        "RSA -pkeyopt rsa_keygen_bits:2048",
    );
    vec![
        Job::new("start (`--version`)", "jwks --version").beside("empty Rust program", "./empty"),
        Job::new("`get` one of 4 keys", get).beside("empty Rust program", "./empty"),
        create("`create` ES256", "ES256", ec),
        create("`create` RS256, 2048 bits", "RS256", rsa),
        Job::new("`list` 1,000 sets of 4 keys", "jwks --store sets list")
            .beside("reading the files", "./read_all sets"),
        Job::new(
            "`rotate --all`, nothing due in 1,000 sets",
            "jwks --store scheduled rotate --all --quiet",
        )
        .beside("`list` of them", "jwks --store scheduled list"),
        Job::new("`get` one of 100,000 keys", find)
            .beside("jq", find_jq)
            .beside("node", format!("node find.mjs store/big.json {big}"))
            .with_memory(),
        Job::new(
            "`get` 1,000 keys, public",
            "jwks --store store get thousand",
        )
        .beside("jose (latchset)", "jose jwk pub -i store/thousand.json")
        .beside("node", "node public.mjs store/thousand.json")
        .with_memory(),
        Job::new(
            "open an encrypted set, 600,000 iterations",
            format!("{open} strong --private"),
        )
        .beside("PBKDF2 alone (openssl)", pbkdf2),
        Job::new(
            "open an encrypted set, 10,000 iterations",
            format!("{open} quick --private"),
        )
        .beside(
            "jose (latchset)",
            "jose jwe dec -i store/quick.jwe -k open.jwk",
        ),
        Job::new("look at an encrypted set", "jwks --store store get strong")
            .beside("empty Rust program", "./empty"),
        Job::new("complete among 1,000 sets", complete),
        Job::new(
            "`export` a PEM file as PEM",
            format!("jwks export {pem} --to pem --private"),
        )
        .beside("openssl pkey", format!("openssl pkey -in {pem}")),
        Job::new(
            "`export` the public key of a PEM file as DER",
            format!("jwks export {pem} --to der"),
        )
        .beside(
            "openssl pkey",
            format!("openssl pkey -in {pem} -pubout -outform DER"),
        ),
        Job::new(
            "`set` 1,000 PEM files",
            format!("jwks --store new set files-# {files}"),
        )
        .beside("reading and checking them in process", read_keys),
    ]
}

/// Jobs with a server on this machine; curl makes the same calls, over one connection as well.
fn remote_jobs(servers: &Servers) -> Vec<Job> {
    let get = |name, remote, address: &str| {
        let own = format!("HOME=home jwks get small --remote {remote}");
        let curl = format!("curl -sf --cacert ca.pem {address}/admin/keys/small");
        Job::new(name, own).beside("curl", curl)
    };
    // A set of its own in each run, so that there is something to send.
    let push = |name, remote, address: &str| {
        let own = format!("HOME=home jwks --store store --json push small {remote}:new-# --yes");
        let url = format!("{address}/admin/keys/curl-#");
        let options = "-s --cacert ca.pem -o /dev/null";
        let put = format!("{options} -X PUT --data @store/small.json {url}");
        let curl = format!(
            "curl {options} {url} --next {options} {url} --next {put} --next {options} {url}"
        );
        Job::new(name, own).beside("curl", curl)
    };
    let (http, https) = (servers.http(), servers.https());
    let large = servers.large();
    vec![
        get("`get` 4 keys from a server, http", "http", &http),
        get("`get` 4 keys from a server, https", "https", &https),
        push("`push` 4 keys to a server, http", "http", &http),
        push("`push` 4 keys to a server, https", "https", &https),
        Job::new(
            "`pull` 10,000 keys",
            format!("jwks --store pulled --json pull {large} large"),
        )
        .beside("curl", format!("curl -sf -o large.json {large}"))
        .with_memory(),
    ]
}
