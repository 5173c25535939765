//! Clerk's Backend API for its JWK Set, which is read only.

use super::{Answer, Call, Server, lock, public_form};
use josekit::jwk::Jwk;
use serde_json::{Value, json};
use std::io::Read as _;
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

/// A simulated Clerk instance. At first, it has one public RSA key.
pub struct Clerk {
    pub server: Server,
    front: Front,
    state: Arc<Mutex<State>>,
}

struct State {
    secret_key: String,
    keys: Vec<Value>,
    /// True if an error carries a trace id.
    traced: bool,
}

impl Clerk {
    pub fn start(secret_key: &str) -> Clerk {
        let state = Arc::new(Mutex::new(State {
            secret_key: secret_key.to_owned(),
            keys: vec![rsa_key()],
            traced: true,
        }));
        let served = Arc::clone(&state);
        let server = Server::start(move |call| lock(&served).answer(call));
        Clerk {
            front: Front::start(&server),
            server,
            state,
        }
    }

    /// Returns `http://127.0.0.1:PORT`. It leads to a gateway that can cut connections.
    pub fn address(&self) -> String {
        format!("http://{}", self.front.address)
    }

    /// Returns the keys, with all their members.
    pub fn keys(&self) -> Vec<Value> {
        lock(&self.state).keys.clone()
    }

    /// Replaces the keys. Private and symmetric keys are published unchanged, because the schema of the
    /// API allows them.
    pub fn set_keys(&self, keys: impl IntoIterator<Item = Value>) {
        lock(&self.state).keys = keys.into_iter().collect();
    }

    /// From now on, leaves the optional trace id out of errors.
    pub fn without_trace_ids(&self) {
        lock(&self.state).traced = false;
    }

    /// Answers the next requests with this status and its error code.
    pub fn fail_next(&self, times: usize, status: u16) {
        for _ in 0..times {
            self.server.answer_next(self.error(status));
        }
    }

    /// Answers the next requests with status 429, because there are too many.
    pub fn limit_next(&self, times: usize, retry_after_seconds: u64) {
        for _ in 0..times {
            let answer = self.error(429).header("Retry-After", retry_after_seconds);
            self.server.answer_next(answer);
        }
    }

    /// Cuts the next connections after the request arrived. The server does not receive these requests.
    pub fn cut_next(&self, times: usize) {
        self.front.cuts.fetch_add(times, Ordering::SeqCst);
    }

    fn error(&self, status: u16) -> Answer {
        let code = match status {
            401 => "authentication_invalid",
            403 => "authorization_invalid",
            429 => "too_many_requests",
            _ => "internal_clerk_error",
        };
        lock(&self.state).error(status, code)
    }
}

impl State {
    fn answer(&self, call: &Call) -> Answer {
        match call.line().as_str() {
            "GET /v1/jwks" => match self.refusal(call) {
                Some(code) => self.error(401, code),
                None => Answer::json(200, json!({ "keys": self.keys })),
            },
            // The domain that the applications use; it is public.
            "GET /.well-known/jwks.json" => {
                let keys: Vec<_> = self.keys.iter().filter_map(public_form).collect();
                Answer::json(200, json!({ "keys": keys }))
            }
            _ => self.error(404, "resource_not_found"),
        }
    }

    /// Returns the error code for an invalid secret key; `None` if the key is valid.
    fn refusal(&self, call: &Call) -> Option<&'static str> {
        let Some(authorization) = call.header("Authorization") else {
            return Some("authentication_invalid");
        };
        match authorization.split_once(' ') {
            Some(("Bearer", key)) if key == self.secret_key => None,
            Some(("Bearer", key)) if !key.is_empty() => Some("clerk_key_invalid"),
            _ => Some("authorization_header_format_invalid"),
        }
    }

    fn error(&self, status: u16, code: &str) -> Answer {
        let message = match code {
            "authentication_invalid" => "Not signed in",
            "authorization_header_format_invalid" => "Unusable Authorization header",
            "clerk_key_invalid" => "Unknown secret key",
            "authorization_invalid" => "Not allowed",
            "too_many_requests" => "Rate limit reached",
            "resource_not_found" => "Nothing here",
            _ => "Server trouble",
        };
        let long_message = format!("{message}: see {code} in the reference");
        let error = json!({ "message": message, "long_message": long_message, "code": code });
        let mut body = json!({ "errors": [error] });
        if self.traced {
            body["clerk_trace_id"] = json!("5f0c1e0a7d1b4c7e9a3df2b86e41d090");
        }
        Answer::json(status, body)
    }
}

fn rsa_key() -> Value {
    let mut key = Jwk::generate_rsa_key(2048).expect("an RSA key");
    key.set_key_id("ins_2x8MQmVnLrTg0Yb4KzWdE7cHsPa");
    key.set_key_use("sig");
    key.set_algorithm("RS256");
    let members: &serde_json::Map<String, Value> = key.as_ref();
    public_form(&Value::Object(members.clone())).expect("an asymmetric key")
}

/// A gateway that passes connections on to a server, or cuts them. Its thread ends with the process.
struct Front {
    address: String,
    /// The number of next connections to cut.
    cuts: Arc<AtomicUsize>,
}

impl Front {
    fn start(server: &Server) -> Front {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address").to_string();
        let cuts = Arc::new(AtomicUsize::new(0));
        let (counter, behind) = (Arc::clone(&cuts), server.address());
        let behind = behind.trim_start_matches("http://").to_owned();
        std::thread::spawn(move || {
            for mut client in listener.incoming().flatten() {
                let one_less = |left: usize| left.checked_sub(1);
                let cut = counter.fetch_update(Ordering::SeqCst, Ordering::SeqCst, one_less);
                if cut.is_ok() {
                    let _ = client.read(&mut [0; 8192]);
                } else if let Ok(server) = TcpStream::connect(&behind) {
                    pass_on(&client, &server);
                    pass_on(&server, &client);
                }
            }
        });
        Front { address, cuts }
    }
}

/// Copies bytes in the background until the stream ends.
fn pass_on(from: &TcpStream, to: &TcpStream) {
    let mut from = from.try_clone().expect("a stream");
    let mut to = to.try_clone().expect("a stream");
    to.set_nodelay(true).expect("a stream");
    std::thread::spawn(move || {
        let _ = std::io::copy(&mut from, &mut to);
        let _ = to.shutdown(Shutdown::Write);
    });
}
