//! A JWK Set on a web server that takes PUT: WebDAV, artifact stores, and presigned addresses.

use crate::error::{Error, Result};
use crate::keyset::server_rules::ServerRules;
use crate::keyset::terms::Origin;
use crate::remote::http::{Answer, Client, Request, Retries, Traffic, Unanswered};
use crate::remote::kind::published::Published;
use crate::remote::kind::published::place::{
    Condition, Content, Document, Place, Stored, overtaken,
};
use crate::remote::kind::published::site::{Site, check_issuer};
use crate::remote::kind::url::MEDIA_TYPES;
use crate::remote::kind::{Auth, Operation, ServerKind, Sets};
use crate::remote::location::{parse_address, parse_setting};
use crate::secret::Secret;
use ureq::http::Method;
use url::Url;

/// The kind, and the properties that all kinds share that publish documents.
pub const COMMON: ServerKind = ServerKind {
    name: "http-put",
    about: "a web server that takes PUT, such as WebDAV, or a presigned address; publishes one set",
    settings: &["--url", "--read-url", "--cache-control", "--issuer"],
    auth: Auth::Optional,
    token: "Authorization: Bearer",
    token_variables: &[],
    sets: Sets::One,
    can: &[Operation::List, Operation::Get, Operation::Publish],
    origin: Origin::Publisher,
    rules: ServerRules::PUBLISHED,
    // Whoever can change the document on its way decides whose tokens are accepted.
    traffic: Traffic::Private,
    retries: Retries {
        statuses: &[500, 502, 503, 504],
        unanswered: Unanswered::Look,
        ..Retries::USUAL
    },
    secret_address: true,
    check: |location| {
        check_issuer(location)?;
        let read_url = location.read_url.as_deref();
        read_url.map_or(Ok(()), |address| parse_address(address).map(drop))
    },
    base: |location| parse_setting(location, HTTP_PUT.name),
    open: |client, location, token| {
        if let Some(token) = token {
            client.authorize("Bearer", token);
        }
        let site = Site::of_address(client.url());
        let read_url = location.read_url.as_deref();
        let place = WebServer {
            read_url: read_url.map(parse_address).transpose()?,
            site: site.clone(),
            client,
        };
        Published::boxed(place, location, &site)
    },
};

/// The kind of web servers that take PUT.
pub static HTTP_PUT: ServerKind = COMMON;

struct WebServer {
    client: Client,
    site: Site,
    /// The address where the JWK Set is read, if that is another one.
    read_url: Option<Url>,
}

impl WebServer {
    fn address(&self, document: Document) -> Url {
        let mut url = self.client.url().clone();
        if document == Document::Discovery {
            // The segments of the address are percent-encoded already.
            url.set_path(&self.site.discovery().join("/"));
        }
        url
    }

    /// Returns the error for an answer to a write.
    fn refusal(&self, document: Document, answer: &Answer, condition: Condition) -> Error {
        let error = answer.error();
        match answer.status {
            412 => overtaken(answer),
            // WebDAV answers this if the directory does not exist, and others if two writes meet.
            409 if self.is_overtaken(document, condition) => overtaken(answer),
            409 => Error::remote(error.to_string()).hint(
                "check that the directory of the address exists and that it is no directory itself",
            ),
            405 | 501 => Error::remote(format!("{error}; this address takes no PUT"))
                .hint("turn on PUT there (WebDAV), or check the address"),
            423 => Error::remote(error.to_string()).hint("somebody has locked the document"),
            507 => Error::remote(error.to_string()).hint("the server has no space left"),
            _ => error,
        }
    }

    /// Returns true if the condition of a write does not hold any more.
    fn is_overtaken(&self, document: Document, condition: Condition) -> bool {
        let Ok(now) = self.read(document) else {
            return false;
        };
        let now = now.as_ref();
        match (condition, Condition::of(now)) {
            (Condition::Absent, Condition::Absent) => false,
            (Condition::Unchanged(before), Condition::Unchanged(now)) => before != now,
            (Condition::Unknown, _) => false,
            _ => true,
        }
    }
}

impl Place for WebServer {
    fn client(&self) -> &Client {
        &self.client
    }

    fn read(&self, document: Document) -> Result<Option<Stored>> {
        let read_url = self.read_url.clone();
        let address = match read_url.filter(|_| document == Document::Keys) {
            Some(address) => address,
            None => self.address(document),
        };
        let is_elsewhere = address.origin() != self.client.url().origin();
        let request = Request::address(address).accept(MEDIA_TYPES);
        // A cache in between could serve an old copy.
        let answer = self
            .client
            .send(&request.header("cache-control", "no-cache"))?;
        match answer.status {
            404 | 410 => Ok(None),
            401 | 403 if self.read_url.is_none() && self.client.has_secret_address() => {
                Err(answer.error().hint(
                    "a presigned address is usually for one method; pass --read-url to `jwks remote add` with the address where the document is read",
                ))
            }
            _ => {
                let mut stored = Stored::of(answer.success()?);
                if is_elsewhere {
                    // The ETag of another server says nothing about the document that is written.
                    stored.version = None;
                }
                Ok(Some(stored))
            }
        }
    }

    fn write(&self, document: Document, content: &Content, condition: Condition) -> Result<()> {
        let text = Secret::new(content.text.expose().clone());
        let mut request =
            Request::to(Method::PUT, self.address(document)).body(content.media_type, text);
        if !content.cache_control.is_empty() {
            request = request.header("cache-control", content.cache_control);
        }
        if let Some((name, value)) = condition.header() {
            request = request.header(name, value);
        }
        let answer = self.client.send(&request)?;
        match answer.status {
            200 | 201 | 202 | 204 => Ok(()),
            _ => Err(self.refusal(document, &answer, condition)),
        }
    }

    /// A web server chooses the headers by its own configuration.
    fn keeps_headers(&self) -> bool {
        false
    }
}
