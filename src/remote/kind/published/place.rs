//! A place where documents are published: what it stores of each, and how a write is made conditional.

use crate::error::{Error, Reason, Result};
use crate::keyset::KeySet;
use crate::keyset::import;
use crate::remote::http::{Answer, Caching, Client};
use crate::secret::Secret;

/// A document that is published.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Document {
    /// The JWK Set.
    Keys,
    /// The discovery document of the issuer, which names the address of the JWK Set.
    Discovery,
}

impl Document {
    /// Returns the media type with which the document is published.
    pub fn media_type(self) -> &'static str {
        match self {
            Document::Keys => "application/jwk-set+json",
            Document::Discovery => "application/json",
        }
    }

    /// Returns the document for messages.
    pub fn description(self) -> &'static str {
        match self {
            Document::Keys => "the JWK Set",
            Document::Discovery => "the discovery document",
        }
    }
}

/// A document as it was read.
pub struct Stored {
    /// Its text.
    pub body: Secret<Vec<u8>>,
    /// Its version for the condition of a write; `None` if the place does not tell one.
    pub version: Option<String>,
    /// Its media type.
    pub content_type: Option<String>,
    /// Its `Cache-Control` header.
    pub cache_control: Option<String>,
    /// For how long caches can use it.
    pub caching: Caching,
    /// The call that read it.
    pub call: String,
}

impl Stored {
    /// Returns the document in an answer. The version is its ETag. A weak one is no version, because no
    /// condition of a write matches it (RFC 9110 section 13.1.1).
    pub fn of(answer: Answer) -> Stored {
        let text = |name| answer.header(name).map(str::to_owned);
        let version = text("etag").filter(|tag| tag.starts_with('"'));
        let (content_type, cache_control) = (text("content-type"), text("cache-control"));
        Stored {
            version,
            content_type,
            cache_control,
            body: answer.body,
            caching: answer.caching,
            call: answer.call,
        }
    }

    /// Parses the document as a JWK Set. Returns an error if it is not one.
    pub fn key_set(&self) -> Result<KeySet<'static>> {
        import::read_set(self.body.expose()).map_err(|error| {
            Error::remote(format!("the answer to {}: {error}", self.call))
                .hint("check the address; jwks replaces only a JWK Set")
        })
    }

    /// Returns true if the document has this text.
    pub fn is(&self, text: &str) -> bool {
        self.body.expose() == text.as_bytes()
    }
}

/// What is written.
pub struct Content<'a> {
    /// The text, which can hold private keys.
    pub text: &'a Secret<String>,
    /// The media type.
    pub media_type: &'static str,
    /// The `Cache-Control` header.
    pub cache_control: &'a str,
}

/// The condition of a write.
#[derive(Clone, Copy, Debug)]
pub enum Condition<'a> {
    /// The document does not exist.
    Absent,
    /// The document still has this version.
    Unchanged(&'a str),
    /// None: the document exists, and the place told no version of it.
    Unknown,
}

impl<'a> Condition<'a> {
    /// Returns the condition that a document is as it was read.
    pub fn of(stored: Option<&'a Stored>) -> Condition<'a> {
        match stored.map(|stored| stored.version.as_deref()) {
            None => Condition::Absent,
            Some(Some(version)) => Condition::Unchanged(version),
            Some(None) => Condition::Unknown,
        }
    }

    /// Returns the header of the condition (RFC 9110 section 13.1).
    pub fn header(self) -> Option<(&'static str, &'a str)> {
        match self {
            Condition::Absent => Some(("if-none-match", "*")),
            Condition::Unchanged(version) => Some(("if-match", version)),
            Condition::Unknown => None,
        }
    }
}

/// A place where documents are published.
pub trait Place {
    /// Returns the client of its calls.
    fn client(&self) -> &Client;

    /// Reads a document; `None` if it does not exist.
    fn read(&self, document: Document) -> Result<Option<Stored>>;

    /// Writes a document under a condition. If the condition does not hold, returns an error whose reason is
    /// [`Reason::Overtaken`].
    fn write(&self, document: Document, content: &Content, condition: Condition) -> Result<()>;

    /// Returns what a test of the remote says about the calls, if there is anything to say.
    fn note(&self) -> Option<String> {
        None
    }

    /// Returns how the server knows who calls, if that was found out without a token of the remote.
    fn identity(&self) -> Option<String> {
        None
    }

    /// Returns a version that no document has.
    fn no_version(&self) -> &'static str {
        "\"00000000000000000000000000000000\""
    }

    /// Returns true if the place stores the headers of a document, and serves it with them.
    fn keeps_headers(&self) -> bool;
}

/// Returns the error of a write whose condition does not hold.
pub fn overtaken(answer: &Answer) -> Error {
    let words = answer.words.as_deref();
    let words = words.map_or_else(String::new, |words| format!(": {words}"));
    let (call, status) = (&answer.call, answer.status);
    Error::remote(format!(
        "{call} answered {status}{words}: the document was changed meanwhile"
    ))
    .because(Reason::Overtaken)
    .hint("run the command again")
}
