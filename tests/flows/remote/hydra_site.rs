//! A sandbox with a Hydra beside it, which is its remote `prod`.

use crate::servers::Call;
use crate::servers::hydra::{Hydra, Version};
pub use crate::support::kids_in as kids;
use crate::support::{Run, Sandbox};
use serde_json::{Value, json};

pub struct Site {
    pub hydra: Hydra,
    pub sandbox: Sandbox,
    pub version: Version,
}

/// Tells a story with the first and the last version of 1.x and of 2.x, all at once, because a story
/// mostly waits. [`in_every_version`] is for stories in which the other versions behave differently.
pub fn everywhere(story: impl Fn(&Site) + Sync) {
    use Version::{V1_0, V1_11, V2_0, V26_2};
    with(&[V1_0, V1_11, V2_0, V26_2], story);
}

/// Tells a story with each version, as [`everywhere`] does.
pub fn in_every_version(story: impl Fn(&Site) + Sync) {
    with(&Version::ALL, story);
}

fn with(versions: &[Version], story: impl Fn(&Site) + Sync) {
    let story = &story;
    std::thread::scope(|scope| {
        for &version in versions {
            // A story that fails names its version: the name of its thread.
            let named = std::thread::Builder::new().name(format!("{version:?}"));
            let begun = named.spawn_scoped(scope, move || story(&Site::new(version)));
            begun.expect("a thread");
        }
    });
}

/// A JWK Set of these keys.
pub fn set_of(keys: &[&Value]) -> Value {
    json!({ "keys": keys })
}

impl Site {
    pub fn new(version: Version) -> Site {
        Site::beside(Hydra::start(version), version)
    }

    /// A site of the version that most tests need no other than.
    pub fn newest() -> Site {
        Site::new(Version::V26_2)
    }

    pub fn beside(hydra: Hydra, version: Version) -> Site {
        let site = Site {
            hydra,
            sandbox: Sandbox::new(),
            version,
        };
        let (address, kind) = (site.hydra.address(), site.kind());
        site.ok(&format!("remote add prod --kind {kind} --url {address}"));
        site
    }

    pub fn is_1(&self) -> bool {
        self.version.is_1()
    }

    /// The kind of remote that the version is.
    pub fn kind(&self) -> &'static str {
        if self.is_1() { "hydra-v1" } else { "hydra" }
    }

    /// The kid that a key pair has there, in the set that tokens name.
    pub fn kid(&self, kid: &str) -> String {
        if self.is_1() {
            format!("public:{kid}")
        } else {
            kid.to_owned()
        }
    }

    /// Runs a command line without quotes in it.
    pub fn run(&self, line: &str) -> Run {
        self.sandbox.run(line.split_whitespace())
    }

    #[track_caller]
    pub fn ok(&self, line: &str) -> Run {
        self.run(line).ok()
    }

    #[track_caller]
    pub fn json(&self, line: &str) -> Value {
        self.ok(line).json()
    }

    /// A new key with its private part, made where it is in nobody's way.
    pub fn key(&self, kid: &str, options: &str) -> Value {
        let aside = format!("--store aside-{kid}");
        self.ok(&format!("create aside --kid {kid} {options} {aside}"));
        self.json(&format!("get aside {kid} --private {aside}"))
    }

    /// The keys of a set of the keystore, private members included.
    pub fn local(&self, set: &str) -> Vec<Value> {
        let set = self.json(&format!("get {set} --private"));
        set["keys"].as_array().expect("keys").clone()
    }

    /// Each key of the server's set, `kid` or, with its private part, `kid*`. The two halves that
    /// 1.x makes of a key pair are both told.
    pub fn there(&self, set: &str) -> Vec<String> {
        let keys = self.hydra.keys(set);
        let told = keys.iter().map(|key| {
            let kid = key["kid"].as_str().unwrap_or_default();
            let has_private_part = key["d"].is_string() || key["k"].is_string();
            format!("{kid}{}", if has_private_part { "*" } else { "" })
        });
        told.collect()
    }

    /// The calls that could have changed something.
    pub fn writes(&self) -> Vec<Call> {
        let calls = self.hydra.server.calls().into_iter();
        calls.filter(|call| call.method != "GET").collect()
    }

    /// How often a set or key was put.
    pub fn puts(&self) -> usize {
        let writes = self.writes();
        writes.iter().filter(|call| call.method == "PUT").count()
    }
}

/// The public half of a key, as verifiers see it.
pub fn public(key: &Value) -> Value {
    crate::servers::public_form(key).expect("a public form")
}
