//! Ory Hydra's admin API from 1.0 to 2.2, as far as its key sets go, and the public discovery on
//! the same port.

mod check;
mod generate;
mod storage;

use super::{Answer, Call, Server, lock, public_form};
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use storage::Storage;

/// The sets that the server itself signs with; the discovery publishes them.
const OWN_SETS: [&str; 2] = ["hydra.openid.id-token", "hydra.jwt.access-token"];

/// The releases between which the contract changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Version {
    V1_0,
    V1_11,
    V2_0,
    V2_2,
}

impl Version {
    fn name(self) -> &'static str {
        match self {
            Version::V1_0 => "v1.0.0",
            Version::V1_11 => "v1.11.0",
            Version::V2_0 => "v2.0.0",
            Version::V2_2 => "v2.2.0",
        }
    }

    fn is_1(self) -> bool {
        self < Version::V2_0
    }

    /// Whether a write that fails leaves everything as it was.
    fn is_transactional(self) -> bool {
        self >= Version::V1_11
    }

    /// The status for a body that is no JSON.
    fn malformed(self) -> u16 {
        if self < Version::V2_2 { 500 } else { 400 }
    }
}

/// A Hydra without any sets at first.
pub struct Hydra {
    pub server: Server,
    state: Arc<Mutex<State>>,
}

struct State {
    version: Version,
    storage: Storage,
    insecure_http_refused: bool,
    forgets_writes: bool,
    /// The answers to the next writes, which are not carried out.
    rejections: VecDeque<Answer>,
    /// What another administrator puts into a set once it has been read.
    change_between: Option<(String, Value)>,
}

/// An error that is still to be brought into the form of the version.
#[derive(Debug)]
struct Refusal {
    status: u16,
    error: &'static str,
    description: String,
}

impl Refusal {
    fn new(status: u16, error: &'static str, description: impl Into<String>) -> Self {
        let description = description.into();
        Refusal {
            status,
            error,
            description,
        }
    }

    fn malformed(status: u16, description: impl Into<String>) -> Self {
        const ERROR: &str = "The request was malformed or contained invalid parameters";
        Refusal::new(status, ERROR, description)
    }
}

type Outcome<T = Answer> = Result<T, Refusal>;

impl Hydra {
    pub fn start(version: Version) -> Hydra {
        Hydra::behind(version, |_| None)
    }

    /// A server with a proxy before it, which answers what it does not let through.
    pub fn behind(
        version: Version,
        mut proxy: impl FnMut(&Call) -> Option<Answer> + Send + 'static,
    ) -> Hydra {
        let state = Arc::new(Mutex::new(State {
            version,
            storage: Storage::default(),
            insecure_http_refused: false,
            forgets_writes: false,
            rejections: VecDeque::new(),
            change_between: None,
        }));
        let served = Arc::clone(&state);
        let server =
            Server::start(move |call| proxy(call).unwrap_or_else(|| lock(&served).answer(call)));
        Hydra { server, state }
    }

    /// `http://127.0.0.1:PORT`, the admin and the public address alike.
    pub fn address(&self) -> String {
        self.server.address()
    }

    /// Replaces a set as a PUT of this document does.
    #[track_caller]
    pub fn put(&self, set: &str, document: &Value) {
        let put = keys_of(document).and_then(|keys| lock(&self.state).replace(set, keys));
        put.expect("a set that the server accepts");
    }

    /// The keys of a set as GET returns them, private members included.
    pub fn keys(&self, set: &str) -> Vec<Value> {
        lock(&self.state).storage.read(set)
    }

    /// The kid of the key that the server would sign with.
    pub fn signer(&self, set: &str) -> Option<String> {
        lock(&self.state).signer(set)
    }

    /// Signs with a set and returns the kid that did. A set without a private key gets one of the
    /// server's own making, as the newest.
    pub fn sign(&self, set: &str) -> String {
        let mut state = lock(&self.state);
        if state.signer(set).is_none() {
            let made = state.create(set, &json!({ "alg": "RS256", "use": "sig" }));
            made.expect("a key of the server's own");
        }
        state.signer(set).expect("a private key")
    }

    /// Lets the next write, and no read, find another session's update in its way.
    pub fn serialization_conflict_next(&self) {
        let mut state = lock(&self.state);
        let answer = state.error(&Refusal::new(
            400,
            "Unable to serialize access due to a concurrent update in another session",
            "",
        ));
        state.rejections.push_back(answer);
    }

    /// Answers the next write so and does not carry it out; reads go on. What is to hit any
    /// request is for `server.answer_next`.
    pub fn rejects_next(&self, status: u16, body: impl ToString) {
        let answer = Answer::json(status, body);
        lock(&self.state).rejections.push_back(answer);
    }

    /// Refuses everything from now on, as 1.x does when it was not started for plain HTTP.
    pub fn insecure_http_refused(&self) {
        let mut state = lock(&self.state);
        assert!(state.version.is_1(), "only 1.x refuses plain HTTP");
        state.insecure_http_refused = true;
    }

    /// Lets another administrator put this document once the set, or a key of it, was read next.
    pub fn changes_between(&self, set: &str, document: &Value) {
        lock(&self.state).change_between = Some((set.to_owned(), document.clone()));
    }

    /// Answers each PUT from now on as ever, but keeps what it had.
    pub fn forgets_writes(&self) {
        lock(&self.state).forgets_writes = true;
    }
}

impl State {
    fn answer(&mut self, call: &Call) -> Answer {
        if self.insecure_http_refused {
            let reason = "can not serve request over insecure http";
            return self.error(&Refusal::new(502, "Bad Gateway", reason));
        }
        let path = decoded(&call.path).unwrap_or_default();
        let path: Vec<&str> = path.split('/').skip(1).collect();
        match (call.method.as_str(), path.as_slice()) {
            ("GET", ["health", "ready"]) => Answer::json(200, json!({ "status": "ok" })),
            ("GET", ["version"]) => Answer::json(200, json!({ "version": self.version.name() })),
            ("GET", [".well-known", "jwks.json"]) => self.discovery(),
            (method, ["keys", target @ ..]) if self.version.is_1() => {
                self.answer_about_keys(call, method, target)
            }
            (method, ["admin", "keys", target @ ..]) if !self.version.is_1() => {
                self.answer_about_keys(call, method, target)
            }
            _ => unknown_route(call),
        }
    }

    fn answer_about_keys(&mut self, call: &Call, method: &str, target: &[&str]) -> Answer {
        if target.contains(&"") {
            return unknown_route(call);
        }
        let outcome = match (method, target) {
            ("GET", [set]) => self.get_set(set),
            ("GET", [set, kid]) => self.get_key(set, kid),
            ("POST", [set]) => self.write(|state| state.post(set, &call.body)),
            ("PUT", [set]) => self.write(|state| state.put_set(set, &call.body)),
            // The kid in the body is the one that counts.
            ("PUT", [set, _]) => self.write(|state| state.put_key(set, &call.body)),
            ("DELETE", [set]) => self.write(|state| {
                state.storage.delete(set);
                Ok(Answer::empty(204))
            }),
            ("DELETE", [set, kid]) => self.write(|state| {
                state.storage.delete_key(set, kid);
                Ok(Answer::empty(204))
            }),
            _ => return unknown_route(call),
        };
        outcome.unwrap_or_else(|refusal| self.error(&refusal))
    }

    /// Carries a write out, unless it is one that is to be rejected.
    fn write(&mut self, write: impl FnOnce(&mut State) -> Outcome) -> Outcome {
        match self.rejections.pop_front() {
            Some(rejection) => Ok(rejection),
            None => write(self),
        }
    }

    fn get_set(&mut self, set: &str) -> Outcome {
        let keys = self.storage.read(set);
        self.change_after_reading(set);
        if keys.is_empty() {
            let reason = "Unable to locate the requested resource";
            return Err(Refusal::new(404, "Not Found", reason));
        }
        Ok(Answer::json(200, json!({ "keys": keys })))
    }

    fn get_key(&mut self, set: &str, kid: &str) -> Outcome {
        let mut keys = self.storage.read(set);
        self.change_after_reading(set);
        keys.retain(|key| storage::kid(key) == kid);
        if keys.is_empty() {
            return Err(Refusal::new(404, "Unable to locate the resource", ""));
        }
        Ok(Answer::json(200, json!({ "keys": keys })))
    }

    fn post(&mut self, set: &str, body: &str) -> Outcome {
        let keys = self.create(set, &self.parsed(body)?)?;
        // It points to where nothing is, as behind a proxy.
        Ok(Answer::json(201, json!({ "keys": keys }))
            .header("Location", "https://hydra.example.com/keys"))
    }

    fn put_set(&mut self, set: &str, body: &str) -> Outcome {
        let keys = keys_of(&self.parsed(body)?)?;
        if !self.forgets_writes {
            self.replace(set, keys.clone())?;
        }
        Ok(Answer::json(200, json!({ "keys": keys })))
    }

    fn put_key(&mut self, set: &str, body: &str) -> Outcome {
        let key = check::kept(&self.parsed(body)?)?;
        if !self.forgets_writes {
            self.storage.delete_key(set, storage::kid(&key));
            self.storage.insert(set, vec![key.clone()])?;
        }
        Ok(Answer::json(200, key))
    }

    /// Adds a new key to a set and returns its entries.
    fn create(&mut self, set: &str, wanted: &Value) -> Outcome<Vec<Value>> {
        let keys = generate::generate(self.version, wanted)?;
        self.storage.insert(set, keys.clone())?;
        Ok(keys)
    }

    /// Replaces a set; where that fails before 1.11 the set is lost.
    fn replace(&mut self, set: &str, keys: Vec<Value>) -> Outcome<()> {
        let old = self.storage.clone();
        self.storage.delete(set);
        let inserted = self.storage.insert(set, keys);
        if inserted.is_err() && self.version.is_transactional() {
            self.storage = old;
        }
        inserted
    }

    fn change_after_reading(&mut self, set: &str) {
        let due = self.change_between.take_if(|(changed, _)| changed == set);
        if let Some((set, document)) = due {
            let change = keys_of(&document).and_then(|keys| self.replace(&set, keys));
            change.expect("a set that the server accepts");
        }
    }

    fn signer(&self, set: &str) -> Option<String> {
        let mut keys = self.storage.read(set).into_iter();
        let private = keys.find(|key| key["d"].is_string())?;
        Some(storage::kid(&private).to_owned())
    }

    fn discovery(&self) -> Answer {
        let keys = OWN_SETS.iter().flat_map(|set| self.storage.read(set));
        let keys: Vec<_> = keys.filter_map(|key| public_form(&key)).collect();
        Answer::json(200, json!({ "keys": keys }))
    }

    /// The JSON object that a body holds.
    fn parsed(&self, body: &str) -> Outcome<Value> {
        let parsed: Option<Value> = serde_json::from_str(body).ok();
        let object = parsed.filter(Value::is_object);
        object.ok_or_else(|| Refusal::malformed(self.version.malformed(), "The body is no JSON"))
    }

    fn error(&self, refusal: &Refusal) -> Answer {
        let mut body = json!({
            "error": refusal.error,
            "error_description": refusal.description,
        });
        if self.version == Version::V1_0 {
            body["error_hint"] = json!("");
            body["status_code"] = json!(refusal.status);
            body["error_debug"] = json!("");
            body["request_id"] = json!("");
        }
        Answer::json(refusal.status, body)
    }
}

/// The keys of a JWK Set as they are kept, in its order.
fn keys_of(document: &Value) -> Outcome<Vec<Value>> {
    match &document["keys"] {
        Value::Array(keys) => keys.iter().map(check::kept).collect(),
        Value::Null => Ok(Vec::new()),
        _ => Err(Refusal::malformed(400, "keys is no array")),
    }
}

/// The 404 of a wrong address or version, which is not that of a missing set.
fn unknown_route(call: &Call) -> Answer {
    let accept = call.header("Accept").unwrap_or_default();
    if accept.contains("application/json") {
        Answer::json(404, json!({ "error": "There is no such route here" }))
    } else {
        Answer::html(404, "<html><body>There is no such route here</body></html>")
    }
}

/// A path with its percent-encoding undone, so that an encoded slash parts it as well.
fn decoded(path: &str) -> Option<String> {
    let mut pieces = path.split('%');
    let mut bytes = pieces.next()?.as_bytes().to_vec();
    for piece in pieces {
        let (hexadecimal, rest) = piece.split_at_checked(2)?;
        bytes.push(u8::from_str_radix(hexadecimal, 16).ok()?);
        bytes.extend(rest.as_bytes());
    }
    String::from_utf8(bytes).ok()
}
