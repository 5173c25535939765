//! A web server with documents, such as JWK Sets at an address, and OpenID providers.

use super::{Answer, Call, Server, lock};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

/// A web server without any documents at first.
pub struct Plain {
    pub server: Server,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    documents: BTreeMap<String, Document>,
    /// The headers that every request needs.
    required: Vec<(String, String)>,
}

/// What a path leads to.
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

    /// `http://127.0.0.1:PORT`, without a slash at the end.
    pub fn address(&self) -> String {
        self.server.address()
    }

    /// The address of a path on this server.
    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.address())
    }

    /// Serves a document, in the writing that is given; one that is there gets a new ETag.
    pub fn serve(&self, path: &str, document: impl ToString) {
        let body = document.to_string();
        let documents = &mut lock(&self.state).documents;
        match documents.get_mut(path) {
            Some(old) => old.body = body,
            None => _ = documents.insert(path.to_owned(), Document::new(body)),
        }
    }

    /// Takes a document away.
    pub fn withdraw(&self, path: &str) {
        lock(&self.state).documents.remove(path);
    }

    /// Serves a document that is there with this `Content-Type` from now on.
    pub fn content_type(&self, path: &str, content_type: &str) {
        self.change(path, |it| it.content_type = content_type.to_owned());
    }

    /// Serves a document that is there with this `Cache-Control` from now on.
    pub fn cache_control(&self, path: &str, cache_control: &str) {
        self.change(path, |it| it.cache_control = Some(cache_control.to_owned()));
    }

    /// Turns everyone away from now on who does not bring this token.
    pub fn require_bearer(&self, token: &str) {
        self.require_header("Authorization", &format!("Bearer {token}"));
    }

    /// Turns everyone away from now on who does not bring this header.
    pub fn require_header(&self, name: &str, value: &str) {
        let header = (name.to_owned(), value.to_owned());
        lock(&self.state).required.push(header);
    }

    /// Makes an OpenID provider of the paths below a prefix such as `/tenant`, or of the whole
    /// server where it is empty, and returns the issuer. Its JWK Set is at `PREFIX/jwks.json`,
    /// empty at first.
    pub fn issuer(&self, prefix: &str) -> String {
        let issuer = self.url(prefix);
        let jwks_path = format!("{prefix}/jwks.json");
        let configuration = json!({ "issuer": issuer, "jwks_uri": self.url(&jwks_path) });
        self.serve(&jwks_path, json!({ "keys": [] }));
        self.serve(&configuration_path(prefix), configuration);
        issuer
    }

    /// Lets the configuration of an OpenID provider name this issuer, whoever was asked.
    pub fn issuer_is_named(&self, prefix: &str, issuer: &str) {
        self.configure(prefix, "issuer", Some(issuer));
    }

    /// Leaves `jwks_uri` out of the configuration of an OpenID provider.
    pub fn without_jwks_uri(&self, prefix: &str) {
        self.configure(prefix, "jwks_uri", None);
    }

    /// Lets the configuration of an OpenID provider point to this address, on another server
    /// perhaps.
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

    /// An ETag that changes with the body.
    fn etag(&self) -> String {
        let digest = openssl::sha::sha256(self.body.as_bytes());
        format!("\"{}\"", openssl::base64::encode_block(&digest[..12]))
    }
}

fn configuration_path(prefix: &str) -> String {
    format!("{prefix}/.well-known/openid-configuration")
}
