//! A sandbox with a keystore on a server.

use crate::servers::kubernetes::{self, Kubernetes};
use crate::servers::s3::Storage;
use crate::servers::vault::{self, Vault};
use crate::support::{JWKS, Run, Sandbox, finish};
use serde_json::Value;
use std::process::Command;

/// A server with a keystore.
pub enum Place {
    Vault(Vault),
    Kubernetes(Kubernetes),
    S3(Storage),
}

pub struct Site {
    pub place: Place,
    pub sandbox: Sandbox,
    /// The address of the server, or of a gateway in front of it.
    address: String,
}

/// Tells a story with a keystore on each kind of server, all at once.
pub fn everywhere(story: impl Fn(&Site) + Sync) {
    let story = &story;
    std::thread::scope(|scope: &std::thread::Scope| {
        let named = |name: &str| std::thread::Builder::new().name(name.to_owned());
        let vault = named("vault").spawn_scoped(scope, || story(&Site::vault()));
        vault.expect("a thread");
        let kubernetes = named("kubernetes").spawn_scoped(scope, || story(&Site::kubernetes()));
        kubernetes.expect("a thread");
        let s3 = named("s3").spawn_scoped(scope, || story(&Site::s3()));
        s3.expect("a thread");
    });
}

impl Site {
    pub fn vault() -> Site {
        Site::new(Place::Vault(Vault::start()))
    }

    pub fn kubernetes() -> Site {
        Site::new(Place::Kubernetes(Kubernetes::start()))
    }

    pub fn s3() -> Site {
        Site::new(Place::S3(Storage::start()))
    }

    pub fn new(place: Place) -> Site {
        let address = match &place {
            Place::Vault(vault) => vault.server.address(),
            Place::Kubernetes(kubernetes) => kubernetes.server.address(),
            Place::S3(storage) => storage.server.address(),
        };
        let sandbox = Sandbox::new();
        sandbox.write("token", kubernetes::TOKEN);
        Site {
            place,
            sandbox,
            address,
        }
    }

    /// Makes later calls go through a gateway.
    pub fn go_through(&mut self, gateway: String) {
        self.address = gateway;
    }

    pub fn address(&self) -> &str {
        &self.address
    }

    /// Returns the value of --store.
    pub fn store(&self) -> String {
        self.store_at(&self.address)
    }

    fn store_at(&self, address: &str) -> String {
        match self.place {
            Place::Vault(_) => "vault:secret/jwks".into(),
            Place::S3(_) => "s3://keys/jwks".into(),
            Place::Kubernetes(_) => format!("kubernetes:{address}/apps"),
        }
    }

    /// Returns a command whose keystore is on the server.
    pub fn command(&self) -> Command {
        self.command_to(&self.address)
    }

    /// Returns a command that reaches the server at an address, such as that of a gateway.
    pub fn command_to(&self, address: &str) -> Command {
        let mut command = self.sandbox.command(JWKS);
        command.env("JWKS_STORE", self.store_at(address));
        match self.place {
            Place::Vault(_) => command
                .env("VAULT_ADDR", address)
                .env("VAULT_TOKEN", vault::TOKEN),
            Place::Kubernetes(_) => command.env("JWKS_STORE_TOKEN_FILE", "token"),
            Place::S3(_) => command
                .env("AWS_ENDPOINT_URL_S3", address)
                .env("AWS_ACCESS_KEY_ID", "canary-access-key-of-a-runner")
                .env("AWS_SECRET_ACCESS_KEY", "canary-secret-of-a-runner")
                .env("JWKS_ALLOW_PLAINTEXT", "1"),
        };
        command
    }

    pub fn run(&self, line: &str) -> Run {
        finish(self.command().args(line.split_whitespace()))
    }

    #[track_caller]
    pub fn ok(&self, line: &str) -> String {
        self.run(line).ok().stdout
    }

    #[track_caller]
    pub fn json(&self, line: &str) -> Value {
        self.run(&format!("{line} --json")).ok().json()
    }

    /// Returns the text of a set as it is on the server.
    pub fn text(&self, set: &str) -> Option<String> {
        match &self.place {
            Place::Vault(vault) => vault.set(&format!("secret/jwks/{set}")),
            Place::S3(storage) => {
                let object = storage.object(&format!("jwks/{set}"))?;
                Some(object.body).filter(|body| body != "deleted by jwks\n")
            }
            Place::Kubernetes(kubernetes) => {
                let path = format!("apps/jwks-{set}");
                let plain = kubernetes.text(&path, "jwks.json");
                plain.or_else(|| kubernetes.text(&path, "jwks.jwe"))
            }
        }
    }

    /// Puts another text of a set on the server, as somebody with the tools of the service does.
    pub fn put(&self, set: &str, text: &str) {
        match &self.place {
            Place::Vault(vault) => vault.put(
                &format!("secret/jwks/{set}"),
                serde_json::json!({ "jwks": text }),
            ),
            Place::S3(storage) => storage.put(&format!("jwks/{set}"), text),
            Place::Kubernetes(kubernetes) => {
                kubernetes.edit(&format!("apps/jwks-{set}"), |object| {
                    object["data"]["jwks.json"] = kubernetes::encode(text).into();
                });
            }
        }
    }

    /// Returns the method and path of each call so far.
    pub fn lines(&self) -> Vec<String> {
        match &self.place {
            Place::Vault(vault) => vault.server.lines(),
            Place::Kubernetes(kubernetes) => kubernetes.server.lines(),
            Place::S3(storage) => storage.server.lines(),
        }
    }

    /// Returns the number of calls so far that are not of method GET.
    pub fn writes(&self) -> usize {
        let lines = self.lines();
        lines
            .iter()
            .filter(|line| !line.starts_with("GET "))
            .count()
    }

    pub fn forget_calls(&self) {
        match &self.place {
            Place::Vault(vault) => vault.server.forget_calls(),
            Place::Kubernetes(kubernetes) => kubernetes.server.forget_calls(),
            Place::S3(storage) => storage.server.forget_calls(),
        }
    }

    /// Makes the server refuse each write and repeat what was sent.
    pub fn repeat_writes(&self) {
        match &self.place {
            Place::Vault(vault) => vault.repeat_writes(),
            Place::Kubernetes(kubernetes) => kubernetes.repeat_writes(),
            Place::S3(storage) => storage.repeat_writes(),
        }
    }

    /// Returns the server itself.
    pub fn server(&self) -> &crate::servers::Server {
        match &self.place {
            Place::Vault(vault) => &vault.server,
            Place::Kubernetes(kubernetes) => &kubernetes.server,
            Place::S3(storage) => &storage.server,
        }
    }
}

/// Returns the kids of a set in JSON.
pub fn kids(set: &Value) -> Vec<&str> {
    crate::support::kids_in(&set["keys"])
}
