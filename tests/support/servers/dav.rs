//! A web server that takes PUT, as WebDAV servers do: with conditions as Apache honors them, or without, as
//! nginx ignores them.

use super::{Answer, Call, Server, lock};
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};

/// A web server. At first, it has the root directory and no documents.
pub struct Dav {
    pub server: Server,
    state: Arc<Mutex<State>>,
}

/// The ETags that the server sends.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Etags {
    Strong,
    Weak,
    /// A proxy strips them.
    None,
}

struct State {
    documents: BTreeMap<String, (String, u64)>,
    writes: u64,
    honors: bool,
    etags: Etags,
    cache_control: Option<String>,
    token: Option<String>,
    /// What others write just before the next writes of the client.
    others: VecDeque<(String, String)>,
    /// The status of the next write, after it was done.
    lies: VecDeque<u16>,
}

impl Dav {
    /// Starts a server that honors conditions.
    pub fn start() -> Dav {
        let state = Arc::new(Mutex::new(State {
            documents: BTreeMap::new(),
            writes: 0,
            honors: true,
            etags: Etags::Strong,
            cache_control: None,
            token: None,
            others: VecDeque::new(),
            lies: VecDeque::new(),
        }));
        let served = Arc::clone(&state);
        let server = Server::start(move |call| lock(&served).answer(call));
        Dav { server, state }
    }

    /// Returns the address of a path on this server.
    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.server.address())
    }

    /// From now on, ignores conditions.
    pub fn ignore_conditions(&self) {
        lock(&self.state).honors = false;
    }

    pub fn send_etags(&self, etags: Etags) {
        lock(&self.state).etags = etags;
    }

    /// From now on, serves documents with this `Cache-Control`.
    pub fn cache_control(&self, value: &str) {
        lock(&self.state).cache_control = Some(value.to_owned());
    }

    /// From now on, refuses requests without this token.
    pub fn require_bearer(&self, token: &str) {
        lock(&self.state).token = Some(token.to_owned());
    }

    /// Lets somebody else write a document now.
    pub fn put(&self, path: &str, body: &str) {
        lock(&self.state).put(path, body);
    }

    /// Lets somebody else write a document just before the next write of the client; several of them in turn.
    pub fn put_before_next_write(&self, path: &str, body: &str) {
        let other = (path.to_owned(), body.to_owned());
        lock(&self.state).others.push_back(other);
    }

    /// Answers the next write with this status, although it is done.
    pub fn lie_about_next_write(&self, status: u16) {
        lock(&self.state).lies.push_back(status);
    }

    /// Returns a document.
    pub fn document(&self, path: &str) -> Option<String> {
        let state = lock(&self.state);
        state.documents.get(path).map(|(body, _)| body.clone())
    }

    /// Returns the writes so far: method, path, and condition.
    pub fn writes(&self) -> Vec<String> {
        let calls = self.server.calls();
        let writes = calls.iter().filter(|call| call.method != "GET");
        let line = |call: &Call| {
            let condition = match (call.header("If-Match"), call.header("If-None-Match")) {
                (Some(_), None) => " if unchanged",
                (None, Some("*")) => " if absent",
                (None, None) => "",
                other => panic!("odd conditions: {other:?}"),
            };
            format!("{}{condition}", call.line())
        };
        writes.map(line).collect()
    }
}

impl State {
    fn put(&mut self, path: &str, body: &str) -> bool {
        self.writes += 1;
        let document = (body.to_owned(), self.writes);
        self.documents.insert(path.to_owned(), document).is_some()
    }

    fn etag(&self, path: &str) -> Option<String> {
        let (_, version) = self.documents.get(path)?;
        match self.etags {
            Etags::Strong => Some(format!("\"{version:x}-5\"")),
            Etags::Weak => Some(format!("W/\"{version:x}-5\"")),
            Etags::None => None,
        }
    }

    fn answer(&mut self, call: &Call) -> Answer {
        let token = self.token.as_ref().map(|token| format!("Bearer {token}"));
        if token.is_some_and(|token| call.header("Authorization") != Some(&token)) {
            return Answer::html(401, "<html>Unauthorized</html>")
                .header("WWW-Authenticate", "Bearer");
        }
        match call.method.as_str() {
            "GET" => self.get(&call.path),
            "PUT" => self.answer_put(call),
            _ => Answer::empty(405).header("Allow", "GET, PUT"),
        }
    }

    fn get(&self, path: &str) -> Answer {
        let Some((body, _)) = self.documents.get(path) else {
            return Answer::html(404, "<html>Not Found</html>");
        };
        let mut answer = Answer::json(200, body);
        if let Some(etag) = self.etag(path) {
            answer = answer.header("ETag", etag);
        }
        if let Some(value) = &self.cache_control {
            answer = answer.header("Cache-Control", value);
        }
        answer
    }

    fn answer_put(&mut self, call: &Call) -> Answer {
        if let Some((path, body)) = self.others.pop_front() {
            self.put(&path, &body);
        }
        let (directory, name) = call.path.rsplit_once('/').expect("a path");
        if name.is_empty() || directory.starts_with("/missing") {
            return Answer::html(409, "<html>Conflict</html>");
        }
        let etag = self.etag(&call.path);
        let strong = etag.as_deref().filter(|etag| !etag.starts_with("W/"));
        let matches = call
            .header("If-Match")
            .is_none_or(|tag| strong == Some(tag));
        let is_new = !self.documents.contains_key(&call.path);
        let is_absent = call.header("If-None-Match").is_none() || is_new;
        if self.honors && !(matches && is_absent) {
            return Answer::html(412, "<html>Precondition Failed</html>");
        }
        let replaced = self.put(&call.path, &call.body);
        match (self.lies.pop_front(), replaced) {
            (Some(status), _) => Answer::empty(status),
            (None, true) => Answer::empty(204),
            (None, false) => Answer::empty(201).header("Location", &call.path),
        }
    }
}
