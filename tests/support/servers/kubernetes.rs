//! The Secrets and ConfigMaps of the Kubernetes API, as its documentation describes them.

use super::{Answer, Call, Server, lock};
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};

/// The token that the server accepts.
pub const TOKEN: &str = "eyJhbGciOiJSUzI1NiJ9.of-a-service-account.signature";

/// The verbs of the API.
const VERBS: [&str; 5] = ["get", "list", "create", "patch", "delete"];

/// A simulated API server.
pub struct Kubernetes {
    pub server: Server,
    state: Arc<Mutex<State>>,
}

struct State {
    /// The objects by `resource/namespace/name`.
    objects: BTreeMap<String, Value>,
    /// The namespaces that do not exist.
    missing: Vec<String>,
    /// The version of the whole store, from which each object gets its own.
    revision: u64,
    token: String,
    /// True if a client certificate is enough, which the TLS in front of the server has verified.
    takes_certificates: bool,
    /// The verbs of the role.
    allowed: Vec<String>,
    /// What somebody else writes just before the next writes: the key of an object, and the object, or nothing for a
    /// deletion.
    races: VecDeque<(String, Option<Value>)>,
    /// True for a proxy that does not pass the conditions of writes on.
    repeats_writes: bool,
    longest_page: usize,
}

impl Kubernetes {
    pub fn start() -> Kubernetes {
        let state = Arc::new(Mutex::new(State {
            objects: BTreeMap::new(),
            missing: Vec::new(),
            revision: 1000,
            token: TOKEN.to_owned(),
            takes_certificates: false,
            allowed: VERBS.map(str::to_owned).to_vec(),
            races: VecDeque::new(),
            repeats_writes: false,
            // Short pages, so that there are several.
            longest_page: 2,
        }));
        let shared = Arc::clone(&state);
        let server = Server::start(move |call| lock(&shared).answer(call));
        Kubernetes { server, state }
    }

    /// Returns a Secret, by `namespace/name`.
    pub fn object(&self, path: &str) -> Option<Value> {
        lock(&self.state).objects.get(&of(path)).cloned()
    }

    /// Returns a ConfigMap, by `namespace/name`.
    pub fn config_map(&self, path: &str) -> Option<Value> {
        self.object(&format!("configmaps/{path}"))
    }

    /// Makes a namespace not exist.
    pub fn remove_namespace(&self, name: &str) {
        lock(&self.state).missing.push(name.to_owned());
    }

    /// Returns a decoded text in the data of a Secret.
    pub fn text(&self, path: &str, name: &str) -> Option<String> {
        let encoded = self.object(path)?["data"][name].as_str()?.to_owned();
        Some(String::from_utf8(decode(&encoded)).expect("UTF-8"))
    }

    /// Changes an object, as somebody with kubectl does. `path` is that of a Secret, or begins with `configmaps/`.
    pub fn edit(&self, path: &str, edit: impl FnOnce(&mut Value)) {
        let mut state = lock(&self.state);
        let mut object = state.objects.remove(&of(path)).expect("the object");
        edit(&mut object);
        state.store(&of(path), object);
    }

    /// Adds an object that is not of jwks. `path` is as for [`Self::edit`].
    pub fn add(&self, path: &str, object: Value) {
        lock(&self.state).store(&of(path), object);
    }

    /// Makes somebody else write an object just before the next write, or delete it. `path` is as for
    /// [`Self::edit`].
    pub fn write_before_next_write(&self, path: &str, object: Option<Value>) {
        lock(&self.state).races.push_back((of(path), object));
    }

    /// Makes calls without a token come from somebody with a client certificate.
    pub fn take_certificates(&self) {
        lock(&self.state).takes_certificates = true;
    }

    pub fn renew_token(&self, token: &str) {
        lock(&self.state).token = token.to_owned();
    }

    /// Puts as many objects on a page as the client wants.
    pub fn list_long_pages(&self) {
        lock(&self.state).longest_page = usize::MAX;
    }

    /// Refuses each write, with what was sent in the message.
    pub fn repeat_writes(&self) {
        lock(&self.state).repeats_writes = true;
    }

    /// Takes a verb away from the role.
    pub fn forbid(&self, verb: &str) {
        lock(&self.state).allowed.retain(|other| other != verb);
    }

    /// Gives the role these verbs and no others.
    pub fn allow(&self, verbs: &[&str]) {
        lock(&self.state).allowed = verbs.iter().map(|verb| (*verb).to_owned()).collect();
    }
}

/// Returns the key of an object. Without a resource, the path is that of a Secret.
fn of(path: &str) -> String {
    match path.split('/').count() {
        3 => path.to_owned(),
        _ => format!("secrets/{path}"),
    }
}

/// Encodes octets as the server stores them.
pub fn encode(text: &str) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(text)
}

fn decode(text: &str) -> Vec<u8> {
    use base64::Engine as _;
    let decoded = base64::engine::general_purpose::STANDARD.decode(text);
    decoded.expect("base64")
}

fn status(code: u16, reason: &str, message: &str) -> Answer {
    Answer::json(
        code,
        json!({
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": message,
            "reason": reason,
            "code": code,
        }),
    )
}

fn conflict(resource: &str, name: &str) -> Answer {
    status(
        409,
        "Conflict",
        &format!(
            "Operation cannot be fulfilled on {resource} \"{name}\": the object has been modified; please apply your changes to the latest version and try again"
        ),
    )
}

impl State {
    fn answer(&mut self, call: &Call) -> Answer {
        let authorization = format!("Bearer {}", self.token);
        let is_known = match call.header("Authorization") {
            Some(given) => given == authorization,
            None => self.takes_certificates,
        };
        if !is_known {
            return status(401, "Unauthorized", "Unauthorized");
        }
        if let Some(answer) = discovery(&call.path) {
            return answer;
        }
        let mut path = call
            .path
            .trim_start_matches("/api/v1/namespaces/")
            .split('/');
        let (Some(namespace), Some(resource @ ("secrets" | "configmaps"))) =
            (path.next(), path.next())
        else {
            return Answer::empty(404).body("404 page not found\n");
        };
        let name = path.next();
        if call.method != "GET"
            && let Some((key, object)) = self.races.pop_front()
        {
            match object {
                Some(object) => drop(self.store(&key, object)),
                None => drop(self.objects.remove(&key)),
            }
        }
        let verb = match (&*call.method, name) {
            ("GET", None) => "list",
            ("GET", Some(_)) => "get",
            ("POST", None) => "create",
            ("PATCH", Some(_)) => "patch",
            ("DELETE", Some(_)) => "delete",
            _ => {
                return status(
                    405,
                    "MethodNotAllowed",
                    "the server does not allow this method",
                );
            }
        };
        if !self.allowed.iter().any(|allowed| allowed == verb) {
            let message = format!(
                "{resource} is forbidden: User \"system:serviceaccount:{namespace}:jwks\" cannot {verb} resource \"{resource}\" in API group \"\" in the namespace \"{namespace}\""
            );
            return status(403, "Forbidden", &message);
        }
        if self.repeats_writes && call.method != "GET" {
            let data = call.body.split("\"data\":").nth(1).unwrap_or_default();
            return status(400, "BadRequest", &format!("token {TOKEN}: invalid {data}"));
        }
        let Some(name) = name else {
            return match verb {
                "list" => self.list(resource, namespace, &call.query),
                _ if self.missing.iter().any(|missing| missing == namespace) => status(
                    404,
                    "NotFound",
                    &format!("namespaces \"{namespace}\" not found"),
                ),
                _ => self.create(resource, namespace, &call.body),
            };
        };
        let key = format!("{resource}/{namespace}/{name}");
        let Some(object) = self.objects.get(&key).cloned() else {
            return status(404, "NotFound", &format!("{resource} \"{name}\" not found"));
        };
        let body: Value = serde_json::from_str(&call.body).unwrap_or_default();
        let present = &object["metadata"]["resourceVersion"];
        let is_stale = |asked: &Value| !asked.is_null() && asked != present;
        match verb {
            "get" => Answer::json(200, object),
            "patch" => {
                if call.header("Content-Type") != Some("application/merge-patch+json") {
                    return status(
                        415,
                        "UnsupportedMediaType",
                        "the body of the request was in an unknown format",
                    );
                }
                if is_stale(&body["metadata"]["resourceVersion"]) {
                    return conflict(resource, name);
                }
                if object["immutable"] == true {
                    return status(
                        422,
                        "Invalid",
                        &format!(
                            "{} \"{name}\" is invalid: data: Forbidden: field is immutable when `immutable` is set",
                            kind_of(resource)
                        ),
                    );
                }
                let mut merged = object.clone();
                merge(&mut merged, &body);
                if let Some(refusal) = invalid(resource, name, &merged) {
                    return refusal;
                }
                Answer::json(200, self.store(&key, merged))
            }
            _ => {
                if is_stale(&body["preconditions"]["resourceVersion"]) {
                    return conflict(resource, name);
                }
                self.objects.remove(&key);
                self.revision += 1;
                Answer::json(200, json!({ "kind": "Status", "status": "Success" }))
            }
        }
    }

    fn store(&mut self, key: &str, mut object: Value) -> Value {
        self.revision += 1;
        object["metadata"]["resourceVersion"] = json!(self.revision.to_string());
        let mut path = key.split('/');
        let (resource, namespace) = (path.next().unwrap_or_default(), path.next());
        object["apiVersion"] = json!("v1");
        object["kind"] = json!(kind_of(resource));
        object["metadata"]["namespace"] = json!(namespace);
        self.objects.insert(key.to_owned(), object.clone());
        object
    }

    fn create(&mut self, resource: &str, namespace: &str, body: &str) -> Answer {
        let object: Value = serde_json::from_str(body).unwrap_or_default();
        let name = object["metadata"]["name"]
            .as_str()
            .unwrap_or_default()
            .to_owned();
        if object["kind"] != kind_of(resource) || object["apiVersion"] != "v1" {
            return status(400, "BadRequest", "the object is of another kind");
        }
        let key = format!("{resource}/{namespace}/{name}");
        if self.objects.contains_key(&key) {
            return status(
                409,
                "AlreadyExists",
                &format!("{resource} \"{name}\" already exists"),
            );
        }
        match invalid(resource, &name, &object) {
            Some(refusal) => refusal,
            None => Answer::json(201, self.store(&key, object)),
        }
    }

    fn list(&self, resource: &str, namespace: &str, query: &str) -> Answer {
        let query: BTreeMap<String, String> = url::form_urlencoded::parse(query.as_bytes())
            .into_owned()
            .collect();
        let selector = query.get("labelSelector").map_or("", String::as_str);
        let wanted = selector
            .split(',')
            .filter_map(|label| label.split_once('='));
        let wanted: Vec<_> = wanted.collect();
        let after = query.get("continue").map_or("", String::as_str);
        let begins = format!("{resource}/{namespace}/");
        let of_namespace = self.objects.iter().filter(|(key, object)| {
            let labels = &object["metadata"]["labels"];
            let mut wanted = wanted.iter();
            key.starts_with(&begins) && wanted.all(|(label, value)| labels[label] == *value)
        });
        let limit = query.get("limit").and_then(|limit| limit.parse().ok());
        let limit: usize = limit.unwrap_or(usize::MAX).min(self.longest_page);
        let mut rest = of_namespace.filter(|(key, _)| key.replace('/', "_").as_str() > after);
        let page: Vec<_> = rest.by_ref().take(limit).collect();
        let next = match rest.next() {
            Some(_) => page
                .last()
                .map_or(String::new(), |(key, _)| key.replace('/', "_")),
            None => String::new(),
        };
        let items: Vec<_> = page.into_iter().map(|(_, object)| object).collect();
        Answer::json(
            200,
            json!({
                "apiVersion": "v1",
                "kind": format!("{}List", kind_of(resource)),
                "metadata": { "continue": next },
                "items": items,
            }),
        )
    }
}

/// A merge patch (RFC 7396).
fn merge(target: &mut Value, patch: &Value) {
    let Value::Object(members) = patch else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = Value::Object(Map::new());
    }
    for (name, value) in members {
        match value {
            Value::Null => {
                target.as_object_mut().expect("an object").remove(name);
            }
            value => merge(&mut target[name.as_str()], value),
        }
    }
}

fn kind_of(resource: &str) -> &'static str {
    match resource {
        "configmaps" => "ConfigMap",
        _ => "Secret",
    }
}

/// Returns what kubectl asks for before its first call.
fn discovery(path: &str) -> Option<Answer> {
    let resource = |name: &str, kind: &str| {
        json!({
            "name": name,
            "singularName": "",
            "namespaced": true,
            "kind": kind,
            "verbs": ["create", "delete", "get", "list", "patch", "update"],
        })
    };
    let document = match path {
        "/version" => json!({ "major": "1", "minor": "32", "gitVersion": "v1.32.4" }),
        "/api" => json!({ "kind": "APIVersions", "versions": ["v1"] }),
        "/apis" => json!({ "kind": "APIGroupList", "apiVersion": "v1", "groups": [] }),
        "/api/v1" => json!({
            "kind": "APIResourceList",
            "groupVersion": "v1",
            "resources": [resource("secrets", "Secret"), resource("configmaps", "ConfigMap")],
        }),
        _ => return None,
    };
    Some(Answer::json(200, document))
}

/// Returns the refusal of an object that is too large, or whose name or data is not allowed.
fn invalid(resource: &str, name: &str, object: &Value) -> Option<Answer> {
    let refusal = |why: &str| {
        let kind = kind_of(resource);
        let message = format!("{kind} \"{name}\" is invalid: {why}");
        Some(status(422, "Invalid", &message))
    };
    let is_label = |label: &str| {
        let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        !label.is_empty()
            && label.chars().all(is_plain)
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    if !name.split('.').all(is_label) {
        return refusal("metadata.name: Invalid value");
    }
    let mut size = 0;
    for (key, value) in object["data"].as_object().into_iter().flatten() {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        if !key.chars().all(is_plain) {
            return refusal(&format!("data[{key}]: Invalid value"));
        }
        let Some(text) = value.as_str() else {
            return refusal("data: Invalid value");
        };
        size += match resource {
            "configmaps" => text.len(),
            _ => decode(text).len(),
        };
    }
    for (key, value) in object["binaryData"].as_object().into_iter().flatten() {
        if !object["data"][key.as_str()].is_null() {
            return refusal(&format!(
                "data[{key}]: Invalid value: duplicate of key present in binaryData"
            ));
        }
        size += decode(value.as_str().unwrap_or_default()).len();
    }
    match size {
        0..=1_048_576 => None,
        _ => refusal("[]: Too long: may not be more than 1048576 bytes"),
    }
}
