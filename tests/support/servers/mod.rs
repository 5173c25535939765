//! Simulated servers. Each behaves like the real one of its kind, including its faults.

#![allow(dead_code, reason = "each flow uses its own part of this")]

pub mod apinizer;
pub mod authlete;
pub mod clerk;
pub mod cut;
pub mod dav;
pub mod front;
pub mod gcs;
pub mod hostile;
pub mod hydra;
pub mod kubernetes;
pub mod ory;
pub mod plain;
pub mod redirect;
pub mod s3;
pub mod tls;
pub mod vault;

use serde_json::Value;
use std::collections::VecDeque;
use std::net::TcpListener;
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::JoinHandle;

/// A request that a server received.
#[derive(Clone, Debug)]
pub struct Call {
    pub method: String,
    /// The path without the query, still percent-encoded.
    pub path: String,
    /// The query without the question mark; empty if there is none.
    pub query: String,
    headers: Vec<(String, String)>,
    pub body: String,
}

impl Call {
    /// Returns the value of a header. The case of the name does not matter.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.headers.iter();
        let found = headers.find(|(other, _)| other.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    /// Returns the method and path, such as `GET /path`.
    pub fn line(&self) -> String {
        format!("{} {}", self.method, self.path)
    }
}

/// An answer of a server.
#[derive(Clone, Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn empty(status: u16) -> Self {
        Answer {
            status,
            headers: Vec::new(),
            body: Vec::new(),
        }
    }

    /// Returns an answer that is never sent. The request stays open until the server stops, while other
    /// requests are answered.
    pub fn withheld() -> Self {
        Answer::empty(WITHHELD)
    }

    pub fn json(status: u16, body: impl ToString) -> Self {
        Answer::empty(status)
            .header("Content-Type", "application/json; charset=utf-8")
            .body(body.to_string())
    }

    pub fn html(status: u16, body: &str) -> Self {
        Answer::empty(status)
            .header("Content-Type", "text/html")
            .body(body)
    }

    pub fn header(mut self, name: &str, value: impl ToString) -> Self {
        self.headers.push((name.to_owned(), value.to_string()));
        self
    }

    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }
}

/// The status of an answer that is never sent.
const WITHHELD: u16 = 0;

/// A server on its own port of the loopback address. It stops when it is dropped.
pub struct Server {
    http: Arc<tiny_http::Server>,
    shared: Arc<Mutex<Shared>>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    calls: Vec<Call>,
    next: VecDeque<Answer>,
    /// The beginning of the paths of requests that are answered together, and their number.
    together: Option<(String, usize)>,
}

impl Server {
    /// Starts a server that answers one request after the other with `answer`.
    pub fn start(mut answer: impl FnMut(&Call) -> Answer + Send + 'static) -> Server {
        let http = tiny_http::Server::from_listener(prompt_listener(), None);
        let http = Arc::new(http.expect("a server"));
        let shared = Arc::new(Mutex::new(Shared::default()));
        let (listener, log) = (Arc::clone(&http), Arc::clone(&shared));
        let thread = std::thread::spawn(move || {
            let mut open = Vec::new();
            let mut held = Vec::new();
            while let Ok(mut request) = listener.recv() {
                let call = read(&mut request);
                let (waiting, together) = {
                    let mut log = lock(&log);
                    log.calls.push(call.clone());
                    (log.next.pop_front(), log.together.clone())
                };
                let answer = waiting.unwrap_or_else(|| answer(&call));
                if answer.status == WITHHELD {
                    open.push(request);
                    continue;
                }
                match together {
                    Some((path, number)) if call.path.starts_with(&path) => {
                        held.push((request, answer));
                        if held.len() == number {
                            lock(&log).together = None;
                            held.drain(..)
                                .for_each(|(request, answer)| respond(request, answer));
                        }
                    }
                    _ => respond(request, answer),
                }
            }
        });
        Server {
            http,
            shared,
            thread: Some(thread),
        }
    }

    /// Returns `http://127.0.0.1:PORT`, without a slash at the end.
    pub fn address(&self) -> String {
        let address = self.http.server_addr().to_ip().expect("an IP address");
        format!("http://{address}")
    }

    /// Answers the next request with this answer. Several of them are used in turn.
    pub fn answer_next(&self, answer: Answer) {
        lock(&self.shared).next.push_back(answer);
    }

    /// Answers the next requests whose path begins with this only when so many of them are open.
    pub fn answer_together(&self, path: &str, number: usize) {
        lock(&self.shared).together = Some((path.to_owned(), number));
    }

    /// Returns the requests so far.
    pub fn calls(&self) -> Vec<Call> {
        lock(&self.shared).calls.clone()
    }

    /// Returns the method and path of the requests so far.
    pub fn lines(&self) -> Vec<String> {
        self.calls().iter().map(Call::line).collect()
    }

    /// Forgets the requests so far.
    pub fn forget_calls(&self) {
        lock(&self.shared).calls.clear();
    }
}

/// Returns a listener whose connections send data at once. Otherwise, the kernel waits for more data,
/// which adds 40 ms to an answer.
fn prompt_listener() -> TcpListener {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    // Connections inherit the option from the listener.
    #[cfg(unix)]
    rustix::net::sockopt::set_tcp_nodelay(&listener, true).expect("TCP has it");
    listener
}

impl Drop for Server {
    fn drop(&mut self) {
        self.http.unblock();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Locks a mutex even after a panic in another thread, because that test fails on its own.
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex
        .lock()
        .unwrap_or_else(|poisoned| poisoned.into_inner())
}

/// Returns a key without its private members; `None` for a symmetric key.
pub fn public_form(key: &Value) -> Option<Value> {
    const PRIVATE: [&str; 7] = ["d", "p", "q", "dp", "dq", "qi", "oth"];
    let mut key = key.clone();
    let members = key.as_object_mut()?;
    if members.get("kty")? == "oct" {
        return None;
    }
    members.retain(|name, _| !PRIVATE.contains(&name.as_str()));
    Some(key)
}

fn read(request: &mut tiny_http::Request) -> Call {
    let mut body = String::new();
    let _ = request.as_reader().read_to_string(&mut body);
    let (path, query) = match request.url().split_once('?') {
        Some((path, query)) => (path.to_owned(), query.to_owned()),
        None => (request.url().to_owned(), String::new()),
    };
    let headers = request.headers().iter().map(|header| {
        let name = header.field.as_str().as_str().to_owned();
        (name, header.value.as_str().to_owned())
    });
    Call {
        method: request.method().to_string(),
        path,
        query,
        headers: headers.collect(),
        body,
    }
}

fn respond(request: tiny_http::Request, answer: Answer) {
    let mut response = tiny_http::Response::from_data(answer.body).with_status_code(answer.status);
    for (name, value) in &answer.headers {
        let header = tiny_http::Header::from_bytes(name.as_bytes(), value.as_bytes());
        response.add_header(header.expect("a header"));
    }
    // If the client has closed the connection, that is not a failure of the server.
    let _ = request.respond(response);
}
