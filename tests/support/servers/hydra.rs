//! Ory Hydra from 1.0 to 26.2: the admin API for key sets, signed tokens, and public discovery on the
//! same port.

mod check;
mod generate;
mod storage;
mod token;

use super::{Answer, Call, Server, lock, public_form};
use serde_json::{Value, json};
use std::collections::{BTreeSet, VecDeque};
use std::sync::{Arc, Mutex};
pub use storage::Database;
use storage::Storage;
pub use token::Token;

/// The sets that the server signs its own tokens with. Discovery publishes them.
const OWN_SETS: [&str; 2] = ["hydra.openid.id-token", "hydra.jwt.access-token"];

/// The releases in which the API for key sets behaves differently.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Version {
    V1_0,
    V1_10,
    V1_11,
    V2_0,
    V2_2,
    V26_2,
}

impl Version {
    /// Every version, oldest first.
    pub const ALL: [Version; 6] = [
        Version::V1_0,
        Version::V1_10,
        Version::V1_11,
        Version::V2_0,
        Version::V2_2,
        Version::V26_2,
    ];

    /// Returns the release on which the behavior was measured, as `/version` returns it.
    pub fn name(self) -> &'static str {
        match self {
            Version::V1_0 => "v1.0.9",
            Version::V1_10 => "v1.10.7",
            Version::V1_11 => "v1.11.10",
            Version::V2_0 => "v2.0.3",
            Version::V2_2 => "v2.2.0",
            Version::V26_2 => "v26.2.0",
        }
    }

    pub fn is_1(self) -> bool {
        self < Version::V2_0
    }

    /// Returns true if a failed write changes nothing.
    fn is_transactional(self) -> bool {
        self >= Version::V1_11
    }

    /// Returns the status for a body that is not JSON.
    fn malformed(self) -> u16 {
        if self < Version::V2_2 { 500 } else { 400 }
    }

    /// Returns what happens to a key with `x5u`.
    fn x5u(self) -> X5u {
        match self {
            // Version 1.0 also drops x5t and x5t#S256.
            Version::V1_0 => X5u::Dropped,
            Version::V1_10 | Version::V1_11 | Version::V2_0 => X5u::Fails,
            Version::V2_2 | Version::V26_2 => X5u::Kept,
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum X5u {
    Dropped,
    Fails,
    Kept,
}

/// How the server refuses a call over plain HTTP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PlainHttp {
    /// 502 from Hydra itself, in the form of the version. 1.x only.
    Unrecognizable,
    /// 400 from Go's TLS listener.
    TlsListener,
}

/// A simulated Hydra. At first, it has no sets.
pub struct Hydra {
    pub server: Server,
    state: Arc<Mutex<State>>,
}

struct State {
    version: Version,
    storage: Storage,
    plain_http: Option<PlainHttp>,
    forgets_writes: bool,
    /// True if the clock advances by a second with each read.
    seconds_pass: bool,
    /// The answers to the next writes, which are then not carried out.
    rejections: VecDeque<Answer>,
    /// What another administrator puts into a set after the next read of it.
    change_between: Option<(String, Value)>,
    /// What other administrators put into a set while the next writes to it are under way.
    changes_during: VecDeque<(String, Value)>,
    /// The server's own sets that were created at some time. 1.x creates them when it starts.
    made: BTreeSet<String>,
}

/// An error before it is written in the form of the version.
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

    /// Starts a server with a database other than SQLite.
    pub fn with_database(version: Version, database: Database) -> Hydra {
        Hydra::new(version, database, |_| None)
    }

    /// Starts a server behind a proxy, which answers the calls that it does not pass on.
    pub fn behind(
        version: Version,
        proxy: impl FnMut(&Call) -> Option<Answer> + Send + 'static,
    ) -> Hydra {
        Hydra::new(version, Database::Sqlite, proxy)
    }

    fn new(
        version: Version,
        database: Database,
        mut proxy: impl FnMut(&Call) -> Option<Answer> + Send + 'static,
    ) -> Hydra {
        let state = Arc::new(Mutex::new(State {
            version,
            storage: Storage::new(version, database),
            plain_http: None,
            forgets_writes: false,
            seconds_pass: false,
            rejections: VecDeque::new(),
            change_between: None,
            changes_during: VecDeque::new(),
            made: BTreeSet::new(),
        }));
        let served = Arc::clone(&state);
        let server =
            Server::start(move |call| proxy(call).unwrap_or_else(|| lock(&served).answer(call)));
        Hydra { server, state }
    }

    /// Returns `http://127.0.0.1:PORT`, which is both the admin and the public address.
    pub fn address(&self) -> String {
        self.server.address()
    }

    /// Advances the clock of the database, which can store `created_at` in whole seconds.
    pub fn advance(&self, seconds: u64) {
        lock(&self.state).storage.advance(seconds);
    }

    /// Advances the clock by a second with each read, so that tests need not wait.
    pub fn seconds_pass(&self) {
        lock(&self.state).seconds_pass = true;
    }

    /// Replaces a set as a PUT of this document would.
    #[track_caller]
    pub fn put(&self, set: &str, document: &Value) {
        let mut state = lock(&self.state);
        let version = state.version;
        let put = keys_of(version, document).and_then(|keys| state.replace(set, keys));
        put.expect("a set that the server accepts");
    }

    /// Puts one key into a set, and replaces the key with its kid.
    #[track_caller]
    pub fn put_key(&self, set: &str, key: &Value) {
        let put = lock(&self.state).put_key(set, &key.to_string());
        put.expect("a key that the server accepts");
    }

    /// Returns the keys of a set in the order of GET, with their private members.
    pub fn keys(&self, set: &str) -> Vec<Value> {
        lock(&self.state).storage.read(set)
    }

    /// Returns the kid of the key that the server would sign with, even if it cannot.
    pub fn signer(&self, set: &str) -> Option<String> {
        let keys = self.keys(set).into_iter();
        let mut others = keys.filter(|key| !token::is_public(key));
        others.next().map(|key| storage::kid(&key).to_owned())
    }

    /// Signs a token with a set. Returns the status of the server's answer if that fails.
    ///
    /// If no key of the set is private, 2.x generates one. 1.x does so only at its start.
    pub fn token(&self, set: &str) -> Result<Token, u16> {
        let mut state = lock(&self.state);
        state.make_at_start(set);
        let keys = state.storage.read(set);
        if !state.version.is_1() && keys.iter().all(token::is_public) {
            let made = state.create(set, &json!({ "alg": "RS256", "use": "sig" }));
            made.expect("a key of the server's own");
        }
        token::sign(state.version, &state.storage.read(set))
    }

    /// Restarts the server. Returns the status of the health check if it does not become ready: 1.x
    /// needs a key pair in each of its own sets, and generates one only if the set does not exist.
    pub fn restart(&self) -> Result<(), u16> {
        let mut state = lock(&self.state);
        if !state.version.is_1() {
            return Ok(());
        }
        for set in OWN_SETS {
            if state.storage.read(set).is_empty() {
                state.made.remove(set);
            }
            state.make_at_start(set);
            token::sign(state.version, &state.storage.read(set))?;
        }
        Ok(())
    }

    /// Makes the next write conflict with another session. Reads are not affected.
    pub fn serialization_conflict_next(&self) {
        let mut state = lock(&self.state);
        let answer = state.error(&Refusal::new(
            400,
            "Unable to serialize access due to a concurrent update in another session",
            "",
        ));
        state.rejections.push_back(answer);
    }

    /// Answers the next write with this status and body, and does not carry it out. Use
    /// `server.answer_next` for the next call of any kind.
    pub fn rejects_next(&self, status: u16, body: impl ToString) {
        self.answers_next_write(Answer::json(status, body));
    }

    /// Answers the next write with this answer, and does not carry it out.
    pub fn answers_next_write(&self, answer: Answer) {
        lock(&self.state).rejections.push_back(answer);
    }

    /// From now on, refuses all calls because they use plain HTTP.
    pub fn refuses_plain_http(&self, form: PlainHttp) {
        let mut state = lock(&self.state);
        assert!(state.version.is_1() || form == PlainHttp::TlsListener);
        state.plain_http = Some(form);
    }

    /// Makes another administrator put this document after the next read of the set or of a key in it.
    pub fn changes_between(&self, set: &str, document: &Value) {
        lock(&self.state).change_between = Some((set.to_owned(), document.clone()));
    }

    /// Makes another administrator put this document during the next write to the set. PostgreSQL then
    /// keeps the keys of both writes. In other databases, the other write comes last and replaces ours.
    pub fn changes_during(&self, set: &str, document: &Value) {
        let change = (set.to_owned(), document.clone());
        lock(&self.state).changes_during.push_back(change);
    }

    /// From now on, answers PUT as usual, but changes nothing.
    pub fn forgets_writes(&self) {
        lock(&self.state).forgets_writes = true;
    }
}

impl State {
    fn answer(&mut self, call: &Call) -> Answer {
        if self.seconds_pass && call.method == "GET" {
            self.storage.advance(1);
        }
        if let Some(form) = self.plain_http {
            return self.refusal_of_plain_http(form);
        }
        let Some(path) = self.segments(&call.path) else {
            return self.unknown_route(call);
        };
        if path.iter().any(|segment| matches!(&**segment, "." | "..")) {
            return Answer::empty(307).header("Location", "/");
        }
        let path: Vec<&str> = path.iter().map(String::as_str).collect();
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
            (method, ["keys", target @ ..]) if self.version >= Version::V26_2 => {
                self.answer_about_keys(call, method, target)
            }
            // The host is missing in the redirect of calls for the admin API.
            (_, ["keys", ..]) if self.version == Version::V2_2 => {
                let location = format!("http:///admin{}", call.path);
                Answer::empty(307).header("Location", location)
            }
            _ => self.unknown_route(call),
        }
    }

    /// Returns the segments of a path. Before 26.2, an encoded slash also separates segments.
    fn segments(&self, path: &str) -> Option<Vec<String>> {
        if self.version >= Version::V26_2 {
            return path.split('/').skip(1).map(decoded).collect();
        }
        let path = decoded(path)?;
        Some(path.split('/').skip(1).map(str::to_owned).collect())
    }

    fn refusal_of_plain_http(&self, form: PlainHttp) -> Answer {
        const UNRECOGNIZABLE: &str = "The error is unrecognizable";
        match (form, self.version) {
            (PlainHttp::TlsListener, _) => {
                text(400, "Client sent an HTTP request to an HTTPS server.\n")
            }
            (_, Version::V1_0) => {
                let mut body = self.error_body(&Refusal::new(502, UNRECOGNIZABLE, ""));
                body["error_debug"] = json!("Can not serve request over insecure http");
                Answer::json(502, body)
            }
            _ => self.error(&Refusal::new(502, "error", UNRECOGNIZABLE)),
        }
    }

    fn answer_about_keys(&mut self, call: &Call, method: &str, target: &[&str]) -> Answer {
        if target.contains(&"") {
            return self.unknown_route(call);
        }
        if let [set, ..] = target {
            self.make_at_start(set);
        }
        let outcome = match (method, target) {
            ("GET", [set]) => self.get_set(set),
            ("GET", [set, kid]) => self.get_key(set, kid),
            ("POST", [set]) => self.write(set, |state| state.post(set, &call.body)),
            ("PUT", [set]) => self.write(set, |state| state.put_set(set, &call.body)),
            // The kid in the body decides, not the one in the path.
            ("PUT", [set, _]) => self.write(set, |state| state.put_key(set, &call.body)),
            ("DELETE", [set]) => self.write(set, |state| {
                state.storage.delete(set);
                Ok(Answer::empty(204))
            }),
            ("DELETE", [set, kid]) => self.write(set, |state| {
                state.storage.delete_key(set, kid);
                Ok(Answer::empty(204))
            }),
            _ => return self.unknown_route(call),
        };
        outcome.unwrap_or_else(|refusal| self.error(&refusal))
    }

    /// Carries out a write, unless it will be rejected. Another write can happen at the same time.
    fn write(&mut self, set: &str, write: impl FnOnce(&mut State) -> Outcome) -> Outcome {
        if let Some(rejection) = self.rejections.pop_front() {
            return Ok(rejection);
        }
        let before = self.storage.clone();
        let outcome = write(self);
        match self.changes_during.front() {
            Some((changed, _)) if changed == set => {
                let (_, document) = self.changes_during.pop_front().expect("a change");
                self.change_during(set, before, &document, outcome)
            }
            _ => outcome,
        }
    }

    /// Applies the write of another session that began when the set was `before`.
    fn change_during(
        &mut self,
        set: &str,
        before: Storage,
        document: &Value,
        outcome: Outcome,
    ) -> Outcome {
        let theirs = keys_of(self.version, document).expect("keys that the server accepts");
        if self.storage.database() != Database::Postgres {
            self.replace(set, theirs)
                .expect("a set that the server accepts");
            return outcome;
        }
        // Each session deletes the rows that existed at its start, and does not see those that the
        // other one inserts.
        for old in before.read(set) {
            let is_ours = self.storage.read(set).contains(&old);
            if is_ours {
                self.storage.delete_key(set, storage::kid(&old));
            }
        }
        match self.storage.insert(set, theirs.clone()) {
            Ok(()) => outcome,
            Err(conflict) => {
                self.storage = before;
                self.replace(set, theirs)
                    .expect("a set that the server accepts");
                Err(conflict)
            }
        }
    }

    /// Creates a key pair in one of the server's own sets, if that set never existed. 1.x does that when
    /// it starts; here it happens when the set is first used.
    fn make_at_start(&mut self, set: &str) {
        let is_own = self.version.is_1() && OWN_SETS.contains(&set);
        if is_own && self.made.insert(set.to_owned()) && self.storage.read(set).is_empty() {
            let made = self.create(set, &json!({ "alg": "RS256", "use": "sig", "kid": "" }));
            made.expect("a pair of the server's own");
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
        // The Location header points to a wrong address, as it does behind a proxy.
        Ok(Answer::json(201, json!({ "keys": keys }))
            .header("Location", "https://hydra.example.com/keys"))
    }

    fn put_set(&mut self, set: &str, body: &str) -> Outcome {
        let keys = keys_of(self.version, &self.parsed(body)?)?;
        if !self.forgets_writes {
            self.replace(set, keys.clone())?;
        }
        Ok(Answer::json(200, json!({ "keys": keys })))
    }

    fn put_key(&mut self, set: &str, body: &str) -> Outcome {
        let key = kept(self.version, &self.parsed(body)?)?;
        if !self.forgets_writes {
            self.storage.delete_key(set, storage::kid(&key));
            self.storage.insert(set, vec![key.clone()])?;
        }
        Ok(Answer::json(200, key))
    }

    /// Adds a generated key to a set, and returns its entries.
    fn create(&mut self, set: &str, wanted: &Value) -> Outcome<Vec<Value>> {
        let keys = generate::generate(self.version, wanted)?;
        self.storage.insert(set, keys.clone())?;
        Ok(keys)
    }

    /// Replaces a set. If that fails before 1.11, the set is lost.
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
            let keys = keys_of(self.version, &document);
            let change = keys.and_then(|keys| self.replace(&set, keys));
            change.expect("a set that the server accepts");
        }
    }

    /// Returns the published keys. Answers 500 to everybody if one of the server's own sets has a
    /// symmetric key. Answers 404 in 1.x if one of them is missing.
    fn discovery(&mut self) -> Answer {
        let mut published = Vec::new();
        for set in OWN_SETS {
            self.make_at_start(set);
            let keys = self.storage.read(set);
            if keys.iter().any(|key| key["kty"] == "oct") {
                return self.error(&Refusal::new(500, "Internal Server Error", ""));
            }
            if keys.is_empty() && self.version.is_1() {
                let reason = "Unable to locate the requested resource";
                return self.error(&Refusal::new(404, "Not Found", reason));
            }
            published.extend(keys.iter().filter_map(public_form));
        }
        Answer::json(200, json!({ "keys": published }))
    }

    /// Parses a body that must be a JSON object.
    fn parsed(&self, body: &str) -> Outcome<Value> {
        let parsed: Option<Value> = serde_json::from_str(body).ok();
        let object = parsed.filter(Value::is_object);
        object.ok_or_else(|| Refusal::malformed(self.version.malformed(), "The body is no JSON"))
    }

    fn error(&self, refusal: &Refusal) -> Answer {
        Answer::json(refusal.status, self.error_body(refusal))
    }

    fn error_body(&self, refusal: &Refusal) -> Value {
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
        body
    }

    /// Returns the 404 of an unknown path, which differs from the 404 of a missing set.
    fn unknown_route(&self, call: &Call) -> Answer {
        const REASON: &str = "The requested route does not exist. Make sure you are using the right path, domain, and port.";
        let accept = call.header("Accept").unwrap_or_default();
        match self.version {
            Version::V26_2 => text(404, "404 page not found\n"),
            Version::V1_0 | Version::V1_10 => {
                let body = json!({ "error": format!("Error 404 - {REASON}") });
                text(404, &body.to_string())
            }
            _ if accept.contains("application/json") => {
                let error = json!({ "code": 404, "message": "Not Found", "reason": REASON });
                Answer::json(404, json!({ "error": error }))
            }
            _ => Answer::html(404, "<html><body>There is no such route here</body></html>"),
        }
    }
}

fn text(status: u16, body: &str) -> Answer {
    Answer::empty(status)
        .header("Content-Type", "text/plain; charset=utf-8")
        .body(body)
}

/// Returns the keys of a JWK Set as the server stores them, in order.
fn keys_of(version: Version, document: &Value) -> Outcome<Vec<Value>> {
    match &document["keys"] {
        Value::Array(keys) => keys.iter().map(|key| kept(version, key)).collect(),
        Value::Null => Ok(Vec::new()),
        _ => Err(Refusal::malformed(400, "keys is no array")),
    }
}

/// Returns a key as a version stores it, or an error if the version does not accept the key.
fn kept(version: Version, key: &Value) -> Outcome<Value> {
    let mut key = check::kept(key)?;
    if let (false, X5u::Fails) = (key["x5u"].is_null(), version.x5u()) {
        return Err(Refusal::new(500, "Internal Server Error", ""));
    }
    if let (Some(members), X5u::Dropped) = (key.as_object_mut(), version.x5u()) {
        members.retain(|name, _| !["x5u", "x5t", "x5t#S256"].contains(&name.as_str()));
    }
    Ok(key)
}

/// Decodes the percent-encoding of a path, so that an encoded slash also separates segments.
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
