//! A web server with static documents, such as JWK Sets and OpenID Connect configurations.

use super::{Answer, Call, Server, lock};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

/// A web server. At first, it has no documents.
pub struct Plain {
    pub server: Server,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    documents: BTreeMap<String, Document>,
    /// The headers that every request must have.
    required: Vec<(String, String)>,
}

/// The document at a path.
struct Document {
    body: String,
    content_type: String,
    cache_control: Option<String>,
}

impl Plain {
    pub fn start() -> Plain {
        let state = Arc::new(Mutex::new(State::default()));
        let served = Arc::clone(&state);
        let server = Server::start(move |call| lock(&served).answer(call));
        Plain { server, state }
    }

    /// Returns `http://127.0.0.1:PORT`, without a slash at the end.
    pub fn address(&self) -> String {
        self.server.address()
    }

    /// Returns the address of a path on this server.
    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.address())
    }

    /// Serves a document with this exact text. A document that is replaced gets a new ETag.
    pub fn serve(&self, path: &str, document: impl ToString) {
        let body = document.to_string();
        let documents = &mut lock(&self.state).documents;
        match documents.get_mut(path) {
            Some(old) => old.body = body,
            None => _ = documents.insert(path.to_owned(), Document::new(body)),
        }
    }

    /// Removes a document.
    pub fn withdraw(&self, path: &str) {
        lock(&self.state).documents.remove(path);
    }

    /// From now on, serves an existing document with this `Content-Type`.
    pub fn content_type(&self, path: &str, content_type: &str) {
        self.change(path, |it| it.content_type = content_type.to_owned());
    }

    /// From now on, serves an existing document with this `Cache-Control`.
    pub fn cache_control(&self, path: &str, cache_control: &str) {
        self.change(path, |it| it.cache_control = Some(cache_control.to_owned()));
    }

    /// From now on, refuses requests without this token.
    pub fn require_bearer(&self, token: &str) {
        self.require_header("Authorization", &format!("Bearer {token}"));
    }

    /// From now on, refuses requests without this header.
    pub fn require_header(&self, name: &str, value: &str) {
        let header = (name.to_owned(), value.to_owned());
        lock(&self.state).required.push(header);
    }

    /// Serves an OpenID provider below a prefix such as `/tenant`, or on the whole server if the prefix
    /// is empty, and returns its issuer. Its JWK Set is at `PREFIX/jwks.json`, and empty at first.
    pub fn issuer(&self, prefix: &str) -> String {
        let issuer = self.url(prefix);
        let jwks_path = format!("{prefix}/jwks.json");
        let configuration = json!({ "issuer": issuer, "jwks_uri": self.url(&jwks_path) });
        self.serve(&jwks_path, json!({ "keys": [] }));
        self.serve(&configuration_path(prefix), configuration);
        issuer
    }

    /// Sets the issuer in the configuration of an OpenID provider, which can be a wrong one.
    pub fn issuer_is_named(&self, prefix: &str, issuer: &str) {
        self.configure(prefix, "issuer", Some(issuer));
    }

    /// Removes `jwks_uri` from the configuration of an OpenID provider.
    pub fn without_jwks_uri(&self, prefix: &str) {
        self.configure(prefix, "jwks_uri", None);
    }

    /// Sets the `jwks_uri` of an OpenID provider, which can be on another server.
    pub fn jwks_uri(&self, prefix: &str, uri: &str) {
        self.configure(prefix, "jwks_uri", Some(uri));
    }

    fn configure(&self, prefix: &str, member: &str, value: Option<&str>) {
        self.change(&configuration_path(prefix), |document| {
            let parsed = serde_json::from_str(&document.body);
            let mut configuration: Value = parsed.expect("a configuration");
            let members = configuration.as_object_mut().expect("an object");
            match value {
                Some(value) => _ = members.insert(member.to_owned(), json!(value)),
                None => _ = members.remove(member),
            }
            document.body = configuration.to_string();
        });
    }

    fn change(&self, path: &str, change: impl FnOnce(&mut Document)) {
        let documents = &mut lock(&self.state).documents;
        change(documents.get_mut(path).expect("a document"));
    }
}

impl State {
    fn answer(&self, call: &Call) -> Answer {
        let is_there = |(name, value): &(String, String)| call.header(name) == Some(value);
        if !self.required.iter().all(is_there) {
            return Answer::html(401, "<html><body>Unauthorized</body></html>")
                .header("WWW-Authenticate", "Bearer");
        }
        match self.documents.get(&call.path) {
            None => Answer::html(404, "<html><body>Not Found</body></html>"),
            Some(_) if call.method != "GET" => Answer::empty(405).header("Allow", "GET"),
            Some(document) => document.answer(call.header("If-None-Match")),
        }
    }
}

impl Document {
    fn new(body: String) -> Self {
        Document {
            body,
            content_type: "application/json".to_owned(),
            cache_control: None,
        }
    }

    fn answer(&self, known: Option<&str>) -> Answer {
        let etag = self.etag();
        let is_etag = |tag: &str| tag == "*" || tag.trim_start_matches("W/") == etag;
        let is_known = known.is_some_and(|tags| tags.split(',').map(str::trim).any(is_etag));
        let mut answer = if is_known {
            Answer::empty(304)
        } else {
            Answer::empty(200)
                .header("Content-Type", &self.content_type)
                .body(self.body.as_str())
        };
        if let Some(cache_control) = &self.cache_control {
            answer = answer.header("Cache-Control", cache_control);
        }
        answer.header("ETag", etag)
    }

    /// Returns an ETag that changes with the body.
    fn etag(&self) -> String {
        let digest = openssl::sha::sha256(self.body.as_bytes());
        format!("\"{}\"", openssl::base64::encode_block(&digest[..12]))
    }
}

fn configuration_path(prefix: &str) -> String {
    format!("{prefix}/.well-known/openid-configuration")
}
