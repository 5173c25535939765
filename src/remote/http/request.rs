//! A call to a server, and the options for all calls.

use crate::remote::http::response::Answer;
use crate::secret::Secret;
use std::fmt;
use std::rc::Rc;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use ureq::http::Method;
use url::Url;

/// The media type of a form.
const FORM: &str = "application/x-www-form-urlencoded";

/// One call.
#[derive(Default)]
pub struct Request {
    pub(super) method: Method,
    pub(super) path: Vec<String>,
    pub(super) address: Option<Url>,
    pub(super) query: Vec<(String, String)>,
    pub(super) accept: &'static str,
    pub(super) headers: Vec<(String, Secret<String>)>,
    pub(super) body: Option<(&'static str, Secret<String>)>,
    pub(super) shown: Option<Url>,
    pub(super) redirects: Redirects,
}

/// What happens to an answer that redirects a call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Redirects {
    /// It is followed if that is safe, and otherwise it is an error.
    #[default]
    Judged,
    /// The caller gets it like any other answer.
    Returned,
}

impl Request {
    /// Makes a call to a path below the base address. The segments are percent-encoded. An empty last segment
    /// makes a slash at the end.
    pub fn new<S: AsRef<str>>(method: Method, path: impl IntoIterator<Item = S>) -> Request {
        let path = path.into_iter();
        Request {
            method,
            path: path.map(|segment| segment.as_ref().to_owned()).collect(),
            accept: "application/json",
            ..Request::default()
        }
    }

    /// Makes a GET call to a path.
    pub fn get<S: AsRef<str>>(path: impl IntoIterator<Item = S>) -> Request {
        Request::new(Method::GET, path)
    }

    /// Makes a GET call to an address.
    pub fn address(address: Url) -> Request {
        Request::to(Method::GET, address)
    }

    /// Makes a call to an address.
    pub fn to(method: Method, address: Url) -> Request {
        Request {
            address: Some(address),
            ..Request::new(method, [""; 0])
        }
    }

    /// Adds a query parameter.
    pub fn query(mut self, name: &str, value: &str) -> Request {
        self.query.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Sets the `Accept` header.
    pub fn accept(mut self, types: &'static str) -> Request {
        self.accept = types;
        self
    }

    /// Adds a header, which is sent only to the server itself. Its value can be secret.
    pub fn header(mut self, name: &str, value: &str) -> Request {
        let value = Secret::new(value.to_owned());
        self.headers.push((name.to_owned(), value));
        self
    }

    /// Sets a JSON body, which can hold private keys.
    pub fn json(self, text: String) -> Request {
        self.body("application/json", Secret::new(text))
    }

    /// Sets the body and its media type. The body can hold private keys.
    pub fn body(mut self, media_type: &'static str, text: Secret<String>) -> Request {
        self.body = Some((media_type, text));
        self
    }

    /// Sets the address for messages, if the real one is a secret.
    pub fn shown_as(mut self, address: Url) -> Request {
        self.shown = Some(address);
        self
    }

    /// Makes the caller get answers that redirect the call.
    pub fn return_redirects(mut self) -> Request {
        self.redirects = Redirects::Returned;
        self
    }

    /// Sets a form as the body. Its fields can be secret.
    pub fn form(mut self, fields: &[(&str, &str)]) -> Request {
        let mut form = url::form_urlencoded::Serializer::new(String::new());
        form.extend_pairs(fields);
        let body = Secret::new(form.finish());
        self.body = Some((FORM, body));
        self
    }

    /// Returns true if the call changes the state of the server. Forms only request tokens.
    pub(super) fn changes(&self) -> bool {
        let is_form = |(media_type, _): &(&str, _)| *media_type == FORM;
        self.method != Method::GET && !self.body.as_ref().is_some_and(is_form)
    }

    /// Returns true if the call is idempotent (RFC 9110 section 9.2.2).
    pub(super) fn is_idempotent(&self) -> bool {
        matches!(self.method, Method::GET | Method::PUT | Method::DELETE)
    }
}

/// Which failures are retried, in addition to failed connections.
#[derive(Clone, Copy, Debug)]
pub struct Retries {
    /// The maximum number of attempts.
    pub tries: u32,
    /// The statuses after which idempotent calls are retried. After 429 every call is retried, because the
    /// server did not carry it out.
    pub statuses: &'static [u16],
    /// What happens after a write whose connection ended without an answer.
    pub unanswered: Unanswered,
    /// Decides for a kind of server whether to repeat a call after an answer.
    pub judge: fn(&Answer) -> Verdict,
}

/// What happens after a write whose connection ended without an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unanswered {
    /// The write is repeated if it is idempotent.
    Repeat,
    /// The write is not repeated, because the caller first reads what the server has.
    Look,
}

/// The decision to repeat a call after an answer, for a kind of server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The status decides.
    ByStatus,
    /// Repeat the call, because the server did not carry it out.
    Repeat,
    /// Do not repeat the call, because the answer would be the same.
    Final,
}

impl Retries {
    /// The default for servers without special needs.
    pub const USUAL: Retries = Retries {
        tries: 4,
        statuses: &[502, 503, 504],
        unanswered: Unanswered::Repeat,
        judge: |_| Verdict::ByStatus,
    };
}

/// What a server's calls and answers carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Traffic {
    /// Private keys, which require https or a loopback address.
    Private,
    /// Only public data, unless there is a token.
    Public,
}

/// An event during a call, for listeners.
#[derive(Debug)]
pub enum Event<'a> {
    /// A call ended.
    Call {
        /// The method.
        method: &'a str,
        /// The address, without user information.
        address: &'a str,
        /// The status; `None` if there was no answer.
        status: Option<u16>,
        /// The duration.
        took: Duration,
    },
    /// A call will be repeated.
    Repeat {
        /// The call that is retried, and the reason.
        reason: &'a str,
        /// The pause before the retry.
        pause: Duration,
    },
    /// A warning for the user.
    Warning(&'a str),
}

/// A listener for events.
pub type Notify = Rc<dyn Fn(Event)>;

/// The write that is under way, so that an interrupted command can name it.
#[derive(Clone, Debug, Default)]
pub struct Watch(Arc<Mutex<Option<String>>>);

impl Watch {
    /// Returns the write that is under way, if there is one.
    pub fn under_way(&self) -> Option<String> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    pub(super) fn begin(&self, what: String) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(what);
    }

    /// Records that the write was read back.
    pub fn settle(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

/// How the user can change a connection, for hints.
#[derive(Debug)]
pub struct Advice {
    /// After a connection was not made in time.
    pub connect_timeout: &'static str,
    /// After a call was not answered in time.
    pub timeout: &'static str,
    /// If the authority of the server's certificate is unknown.
    pub authority: &'static str,
    /// If the server may want a client certificate.
    pub certificate: &'static str,
    /// If the address is neither https nor on this machine.
    pub plain_http: &'static str,
}

/// The options of the commands that call a remote.
pub static ADVICE_FOR_REMOTES: Advice = Advice {
    connect_timeout: "pass --connect-timeout to wait longer",
    timeout: "pass --timeout to wait longer",
    authority: "pass --cacert FILE with the authority that signed the server's certificate",
    certificate: "pass --cert and --key if the server requires a client certificate",
    plain_http: "use https, or pass --allow-insecure-http if the network is private",
};

/// The options for a command's calls.
#[derive(Clone)]
pub struct Options {
    /// The time limit for a connection, including TLS.
    pub connect_timeout: Duration,
    /// The time limit for a whole call.
    pub timeout: Duration,
    /// True if private keys and tokens can be sent over plain http to any address.
    pub allow_insecure_http: bool,
    /// How the user can change the connection.
    pub advice: &'static Advice,
    /// The time at which the command began, in seconds since 1970.
    pub now: i64,
    /// The listener for events.
    pub notify: Notify,
    /// The write that is under way.
    pub watch: Watch,
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("connect_timeout", &self.connect_timeout)
            .field("timeout", &self.timeout)
            .field("allow_insecure_http", &self.allow_insecure_http)
            .finish_non_exhaustive()
    }
}
