//! What is asked of a server, and the conditions under which.

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
    pub(super) body: Option<(&'static str, Secret<String>)>,
}

impl Request {
    /// A call to a path below the server's base; each segment is encoded as need be. An empty
    /// last segment makes a slash at the end.
    pub fn new<S: AsRef<str>>(method: Method, path: impl IntoIterator<Item = S>) -> Request {
        let path = path.into_iter();
        Request {
            method,
            path: path.map(|segment| segment.as_ref().to_owned()).collect(),
            accept: "application/json",
            ..Request::default()
        }
    }

    /// A reading call.
    pub fn get<S: AsRef<str>>(path: impl IntoIterator<Item = S>) -> Request {
        Request::new(Method::GET, path)
    }

    /// A reading call to an address of its own.
    pub fn address(address: Url) -> Request {
        Request {
            address: Some(address),
            ..Request::get([""; 0])
        }
    }

    /// With this parameter behind the question mark.
    pub fn query(mut self, name: &str, value: &str) -> Request {
        self.query.push((name.to_owned(), value.to_owned()));
        self
    }

    /// With these media types asked for.
    pub fn accept(mut self, types: &'static str) -> Request {
        self.accept = types;
        self
    }

    /// With a JSON text, which may hold private keys.
    pub fn json(mut self, text: String) -> Request {
        self.body = Some(("application/json", Secret::new(text)));
        self
    }

    /// With the fields of a form, which may be secret.
    pub fn form(mut self, fields: &[(&str, &str)]) -> Request {
        let mut form = url::form_urlencoded::Serializer::new(String::new());
        form.extend_pairs(fields);
        let body = Secret::new(form.finish());
        self.body = Some((FORM, body));
        self
    }

    /// Whether it changes what a server holds. Forms are sent for tokens alone.
    pub(super) fn changes(&self) -> bool {
        let is_form = |(media_type, _): &(&str, _)| *media_type == FORM;
        self.method != Method::GET && !self.body.as_ref().is_some_and(is_form)
    }

    /// Whether doing it twice is the same as doing it once (RFC 9110 section 9.2.2).
    pub(super) fn is_idempotent(&self) -> bool {
        matches!(self.method, Method::GET | Method::PUT | Method::DELETE)
    }
}

/// Which answers make a call worth repeating, beside connections that fail.
#[derive(Clone, Copy, Debug)]
pub struct Retries {
    /// How often a call is made at most.
    pub tries: u32,
    /// The statuses, for calls that are idempotent. After 429 every call is repeated: it was not
    /// carried out.
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

/// Whether a call is repeated after an answer.
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
    /// What holds where a server asks for nothing else.
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
    /// Private keys: https, or a loopback address.
    Private,
    /// What everybody may read, unless a token goes with it.
    Public,
}

/// What happens on the wire, for those who want to watch.
#[derive(Debug)]
pub enum Event<'a> {
    /// A call ended.
    Call {
        /// The method.
        method: &'a str,
        /// The address, without user information.
        address: &'a str,
        /// The status; `None` where no answer came.
        status: Option<u16>,
        /// How long it took.
        took: Duration,
    },
    /// A call will be repeated.
    Repeat {
        /// What is repeated and why.
        reason: &'a str,
        /// The pause before it.
        pause: Duration,
    },
    /// Something that the user should know.
    Warning(&'a str),
}

/// Who is told of events.
pub type Notify = Rc<dyn Fn(Event)>;

/// What a server may hold since a call that writes began; for the one who interrupts it.
#[derive(Clone, Debug, Default)]
pub struct Watch(Arc<Mutex<Option<String>>>);

impl Watch {
    /// What is under way now; `None` where nothing is.
    pub fn under_way(&self) -> Option<String> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    pub(super) fn begin(&self, what: String) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(what);
    }

    /// What was written has been seen to be there.
    pub fn settle(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

/// The conditions of a command's calls.
#[derive(Clone)]
pub struct Options {
    /// The limit for a connection, TLS included.
    pub connect_timeout: Duration,
    /// The limit for a whole call.
    pub timeout: Duration,
    /// Whether private keys and tokens may go over plain http to anywhere.
    pub allow_insecure_http: bool,
    /// The moment at which the command began, in seconds since 1970.
    pub now: i64,
    /// Who is told of events.
    pub notify: Notify,
    /// What a server may hold already.
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
