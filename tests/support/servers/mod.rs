//! Servers to test against: each behaves as the real one of its kind does, faults included.

#![allow(dead_code, reason = "each flow uses its own part of this")]

pub mod apinizer;
pub mod authlete;
pub mod clerk;
pub mod cut;
pub mod front;
pub mod hostile;
pub mod hydra;
pub mod ory;
pub mod plain;
pub mod redirect;
pub mod tls;

use serde_json::Value;
use std::collections::VecDeque;
use std::net::TcpListener;
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::JoinHandle;

/// A request as it came in.
#[derive(Clone, Debug)]
pub struct Call {
    pub method: String,
    /// The path without the query, percent-encoding left as it came.
    pub path: String,
    /// What follows the question mark, or nothing.
    pub query: String,
    headers: Vec<(String, String)>,
    pub body: String,
}

impl Call {
    /// The value of a header, whatever the case of its name.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.headers.iter();
        let found = headers.find(|(other, _)| other.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    /// `GET /path`.
    pub fn line(&self) -> String {
        format!("{} {}", self.method, self.path)
    }
}

/// What a server answers.
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

    /// None at all: the request stays open until the server ends, past any client's patience,
    /// while the server goes on with the others.
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

/// The status of an answer that never comes.
const WITHHELD: u16 = 0;

/// A server on a port of its own on the loopback address; it ends with its value.
pub struct Server {
    http: Arc<tiny_http::Server>,
    shared: Arc<Mutex<Shared>>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    calls: Vec<Call>,
    next: VecDeque<Answer>,
}

impl Server {
    /// Answers each request with what `answer` makes of it, one after the other.
    pub fn start(mut answer: impl FnMut(&Call) -> Answer + Send + 'static) -> Server {
        let http = tiny_http::Server::from_listener(prompt_listener(), None);
        let http = Arc::new(http.expect("a server"));
        let shared = Arc::new(Mutex::new(Shared::default()));
        let (listener, log) = (Arc::clone(&http), Arc::clone(&shared));
        let thread = std::thread::spawn(move || {
            let mut open = Vec::new();
            while let Ok(mut request) = listener.recv() {
                let call = read(&mut request);
                let waiting = {
                    let mut log = lock(&log);
                    log.calls.push(call.clone());
                    log.next.pop_front()
                };
                let answer = waiting.unwrap_or_else(|| answer(&call));
                if answer.status == WITHHELD {
                    open.push(request);
                } else {
                    respond(request, answer);
                }
            }
        });
        Server {
            http,
            shared,
            thread: Some(thread),
        }
    }

    /// `http://127.0.0.1:PORT`, without a slash at the end.
    pub fn address(&self) -> String {
        let address = self.http.server_addr().to_ip().expect("an IP address");
        format!("http://{address}")
    }

    /// Gives this answer to the next request, whatever it is; several wait for their turn.
    pub fn answer_next(&self, answer: Answer) {
        lock(&self.shared).next.push_back(answer);
    }

    /// What was asked so far.
    pub fn calls(&self) -> Vec<Call> {
        lock(&self.shared).calls.clone()
    }

    /// The method and path of what was asked so far.
    pub fn lines(&self) -> Vec<String> {
        self.calls().iter().map(Call::line).collect()
    }

    /// Forgets what was asked so far.
    pub fn forget_calls(&self) {
        lock(&self.shared).calls.clear();
    }
}

/// A port of its own, whose connections send what they have at once: a server that waits for more
/// to send adds 40 ms to an answer.
fn prompt_listener() -> TcpListener {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    // Connections take it over from the listener.
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

/// A lock that outlives a panic elsewhere: the failed test is reported on its own.
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex
        .lock()
        .unwrap_or_else(|poisoned| poisoned.into_inner())
}

/// A key without its private members; a symmetric key is nothing without them.
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
    // A client that has gone is no fault of the server's.
    let _ = request.respond(response);
}
