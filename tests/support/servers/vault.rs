//! The key-value engine of HashiCorp Vault and OpenBao, version 2, as its source and API page describe it.

use super::{Answer, Call, Server, lock};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

/// The token that the server accepts.
pub const TOKEN: &str = "hvs.test-token-of-a-runner";

/// A simulated Vault with the engine at `secret` (version 2), at `kv/team` (version 2) and at `old` (version 1).
pub struct Vault {
    pub server: Server,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    secrets: BTreeMap<String, Secret>,
    is_sealed: bool,
    repeats_writes: bool,
    /// How many reads of data are answered with the version before the present one.
    stale_reads: usize,
    /// The part of a path to which the policy of the token gives no access.
    forbidden: Option<String>,
    /// The role and the token with which a job logs in.
    login: Option<(String, String)>,
}

#[derive(Default)]
struct Secret {
    versions: Vec<Version>,
}

struct Version {
    data: Option<Map<String, Value>>,
    is_destroyed: bool,
}

/// The mounts of the engine and their versions.
const MOUNTS: [(&str, &str); 3] = [("secret", "2"), ("kv/team", "2"), ("old", "1")];

impl Vault {
    pub fn start() -> Vault {
        let state = Arc::new(Mutex::new(State::default()));
        let shared = Arc::clone(&state);
        let server = Server::start(move |call| lock(&shared).answer(call));
        Vault { server, state }
    }

    /// Returns the field `jwks` of the present version of a secret, by its path such as `secret/jwks/api`.
    pub fn set(&self, path: &str) -> Option<String> {
        let state = lock(&self.state);
        let data = state.secrets.get(path)?.versions.last()?.data.clone()?;
        Some(data.get("jwks")?.as_str()?.to_owned())
    }

    /// Returns the data of all versions of a secret, oldest first.
    pub fn versions(&self, path: &str) -> Vec<Option<Map<String, Value>>> {
        let state = lock(&self.state);
        let secret = state.secrets.get(path);
        let versions = secret.iter().flat_map(|secret| &secret.versions);
        versions.map(|version| version.data.clone()).collect()
    }

    /// Writes a new version of a secret, as somebody at another machine does.
    pub fn put(&self, path: &str, data: Value) {
        let data = data.as_object().expect("an object").clone();
        lock(&self.state).add(path, data);
    }

    /// Deletes the present version of a secret, as `vault kv delete` does.
    pub fn soft_delete(&self, path: &str) {
        let mut state = lock(&self.state);
        let secret = state.secrets.get_mut(path).expect("the secret");
        secret.versions.last_mut().expect("a version").data = None;
    }

    pub fn seal(&self) {
        lock(&self.state).is_sealed = true;
    }

    /// Makes the next reads come from a standby that lags behind by one version.
    pub fn lag_behind(&self, reads: usize) {
        lock(&self.state).stale_reads = reads;
    }

    /// Refuses each write, with what was sent in the message.
    pub fn repeat_writes(&self) {
        lock(&self.state).repeats_writes = true;
    }

    /// Knows a role of the auth method `jwt`, and the only token that may take it.
    pub fn log_in(&self, role: &str, jwt: &str) {
        lock(&self.state).login = Some((role.to_owned(), jwt.to_owned()));
    }

    /// Takes the access to paths with this part away.
    pub fn forbid(&self, part: &str) {
        lock(&self.state).forbidden = Some(part.to_owned());
    }
}

fn errors(status: u16, errors: &[&str]) -> Answer {
    Answer::json(status, json!({ "errors": errors }))
}

impl State {
    fn answer(&mut self, call: &Call) -> Answer {
        if self.is_sealed {
            return errors(503, &["Vault is sealed"]);
        }
        if call.line() == "POST /v1/auth/jwt/login" {
            let body: Value = serde_json::from_str(&call.body).unwrap_or_default();
            let login = self.login.as_ref();
            if login.is_some_and(|(role, jwt)| body["role"] == **role && body["jwt"] == **jwt) {
                return Answer::json(200, json!({ "auth": { "client_token": TOKEN } }));
            }
            return errors(400, &["error validating token"]);
        }
        if call.header("X-Vault-Request") != Some("true") {
            return errors(412, &["missing 'X-Vault-Request' header"]);
        }
        let Some(path) = call.path.strip_prefix("/v1/") else {
            return errors(404, &[]);
        };
        let is_forbidden = self
            .forbidden
            .as_ref()
            .is_some_and(|part| path.contains(part));
        if call.header("X-Vault-Token") != Some(TOKEN) || is_forbidden {
            return errors(403, &["1 error occurred:\n\t* permission denied\n\n"]);
        }
        if self.repeats_writes && call.method != "GET" {
            let words = format!("token {TOKEN}: invalid {}", call.body);
            return errors(400, &[&words]);
        }
        if let Some(path) = path.strip_prefix("sys/internal/ui/mounts/") {
            return mount(path);
        }
        let mut mounts = MOUNTS.iter();
        let found = mounts.find(|(mount, _)| path.starts_with(&format!("{mount}/")));
        let Some((mount, version)) = found else {
            return errors(
                404,
                &[&format!(
                    "no handler for route \"{path}\". route entry not found."
                )],
            );
        };
        let rest = &path[mount.len() + 1..];
        if *version == "1" {
            return self.version_1(call, path);
        }
        match rest.split_once('/') {
            Some(("data", name)) => self.data(call, &format!("{mount}/{name}")),
            Some(("metadata", prefix)) if call.query == "list=true" => {
                self.list(&format!("{mount}/{prefix}"))
            }
            _ => errors(404, &[]),
        }
    }

    /// Version 1 has no versions and no conditions: what is sent is what is stored.
    fn version_1(&mut self, call: &Call, path: &str) -> Answer {
        match &*call.method {
            "GET" => match self
                .secrets
                .get(path)
                .and_then(|secret| secret.versions.last())
            {
                Some(version) => Answer::json(200, json!({ "data": version.data })),
                None => errors(404, &[]),
            },
            _ => {
                let body: Map<String, Value> = serde_json::from_str(&call.body).expect("JSON");
                self.add(path, body);
                Answer::empty(204)
            }
        }
    }

    fn data(&mut self, call: &Call, path: &str) -> Answer {
        match &*call.method {
            "GET" => self.read(path),
            "POST" | "PUT" => self.write(call, path),
            "DELETE" => {
                let secret = self.secrets.get_mut(path);
                if let Some(last) = secret.and_then(|secret| secret.versions.last_mut()) {
                    last.data = None;
                }
                Answer::empty(204)
            }
            _ => errors(405, &["unsupported operation"]),
        }
    }

    fn read(&mut self, path: &str) -> Answer {
        let Some(secret) = self.secrets.get(path) else {
            return errors(404, &[]);
        };
        let mut number = secret.versions.len();
        if self.stale_reads > 0 && number > 1 {
            self.stale_reads -= 1;
            number -= 1;
        }
        let version = &secret.versions[number - 1];
        let is_deleted = version.data.is_none();
        let deletion = if is_deleted {
            "2026-12-01T00:00:00Z"
        } else {
            ""
        };
        let body = json!({
            "request_id": "6c2f8b4a",
            "lease_duration": 0,
            "data": {
                "data": version.data,
                "metadata": {
                    "version": number,
                    "created_time": "2026-11-30T00:00:00Z",
                    "deletion_time": deletion,
                    "destroyed": version.is_destroyed,
                    "custom_metadata": null,
                },
            },
        });
        Answer::json(if is_deleted { 404 } else { 200 }, body)
    }

    fn write(&mut self, call: &Call, path: &str) -> Answer {
        let Ok(body) = serde_json::from_str::<Value>(&call.body) else {
            return errors(400, &["failed to parse JSON input"]);
        };
        let Some(data) = body["data"].as_object() else {
            return errors(400, &["no data provided"]);
        };
        let present = self
            .secrets
            .get(path)
            .map_or(0, |secret| secret.versions.len() as u64);
        match body["options"]["cas"].as_u64() {
            None => return errors(400, &["check-and-set parameter required for this call"]),
            Some(cas) if cas != present => {
                return errors(
                    400,
                    &["check-and-set parameter did not match the current version"],
                );
            }
            Some(_) => {}
        }
        self.add(path, data.clone());
        let metadata = json!({
            "version": present + 1,
            "created_time": "2026-11-30T00:00:00Z",
            "deletion_time": "",
            "destroyed": false,
            "custom_metadata": null,
        });
        Answer::json(200, json!({ "data": metadata }))
    }

    fn add(&mut self, path: &str, data: Map<String, Value>) {
        let secret = self.secrets.entry(path.to_owned()).or_default();
        secret.versions.push(Version {
            data: Some(data),
            is_destroyed: false,
        });
    }

    fn list(&self, prefix: &str) -> Answer {
        let prefix = format!("{}/", prefix.trim_end_matches('/'));
        let below = self
            .secrets
            .keys()
            .filter_map(|path| path.strip_prefix(&prefix));
        let mut keys: Vec<String> = below
            .map(|name| match name.split_once('/') {
                Some((folder, _)) => format!("{folder}/"),
                None => name.to_owned(),
            })
            .collect();
        keys.dedup();
        match keys[..] {
            [] => errors(404, &[]),
            _ => Answer::json(200, json!({ "data": { "keys": keys } })),
        }
    }
}

fn mount(path: &str) -> Answer {
    let mut mounts = MOUNTS.iter();
    let found = mounts.find(|(mount, _)| path == *mount || path.starts_with(&format!("{mount}/")));
    match found {
        Some((mount, version)) => Answer::json(
            200,
            json!({
                "data": {
                    "path": format!("{mount}/"),
                    "type": "kv",
                    "options": { "version": version },
                },
            }),
        ),
        None => errors(
            403,
            &[
                "preflight capability check returned 403, please ensure client's policies grant access to path \"x/\"",
            ],
        ),
    }
}
