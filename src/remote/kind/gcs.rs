//! A JWK Set as an object in Google Cloud Storage.

use crate::error::{Error, Result};
use crate::key::members::Members;
use crate::remote::http::{Answer, Client, Request, Retries};
use crate::remote::kind::ServerKind;
use crate::remote::kind::http_put::COMMON;
use crate::remote::kind::published::Published;
use crate::remote::kind::published::object;
use crate::remote::kind::published::place::{
    Condition, Content, Document, Place, Stored, overtaken,
};
use crate::remote::kind::published::site::{Site, check_issuer};
use crate::remote::location::{Location, parse_address};
use crate::secret::Secret;
use ureq::http::Method;

/// The kind of Google Cloud Storage.
pub static GCS: ServerKind = ServerKind {
    name: "gcs",
    about: "Google Cloud Storage; publishes one set as an object",
    settings: &["--url", "--endpoint", "--cache-control", "--issuer"],
    secret_address: false,
    retries: Retries {
        statuses: &[408, 500, 502, 503, 504],
        ..COMMON.retries
    },
    check: |location| {
        Object::of(location)?;
        check_issuer(location)
    },
    base: |location| {
        let endpoint = location.endpoint.as_deref();
        parse_address(endpoint.unwrap_or("https://storage.googleapis.com"))
    },
    open: |client, location, token| {
        if let Some(token) = token {
            client.authorize("Bearer", token);
        }
        let object = Object::of(location)?;
        let site = object.site.clone();
        Published::boxed(Storage { client, object }, location, &site)
    },
    ..COMMON
};

/// The media type of an upload: the metadata, and then the document. No line of JSON begins with the
/// boundary.
const MULTIPART: &str = "multipart/related; boundary=jwks-part";

/// Where the documents are.
struct Object {
    bucket: String,
    site: Site,
}

impl Object {
    fn of(location: &Location) -> Result<Object> {
        let address = Location::required("--url", &location.url, GCS.name)?;
        let (bucket, name) = object::parse("gs", address)?;
        Ok(Object {
            bucket: bucket.to_owned(),
            site: Site::of(name),
        })
    }
}

struct Storage {
    client: Client,
    object: Object,
}

impl Storage {
    fn name(&self, document: Document) -> String {
        let path = match document {
            Document::Keys => self.object.site.keys(),
            Document::Discovery => self.object.site.discovery(),
        };
        path.join("/")
    }

    fn error(&self, answer: &Answer) -> Error {
        let usual = answer.error();
        match answer.status {
            404 => Error::remote(usual.to_string())
                .hint("create the bucket, or check the address of the remote"),
            403 => Error::denied(usual.to_string()).hint(
                "the token needs storage.objects.get, create and delete (the role Storage Object User)",
            ),
            _ => usual,
        }
    }
}

impl Place for Storage {
    fn client(&self) -> &Client {
        &self.client
    }

    fn read(&self, document: Document) -> Result<Option<Stored>> {
        let name = self.name(document);
        let request = Request::get(["storage", "v1", "b", &self.object.bucket, "o", &name]);
        let answer = self
            .client
            .send(&request.query("alt", "media").accept("*/*"))?;
        match answer.status {
            200..=299 => {
                let generation = answer.header("x-goog-generation").map(str::to_owned);
                let mut stored = Stored::of(answer);
                stored.version = generation;
                Ok(Some(stored))
            }
            // A missing bucket is found out by the write.
            404 => Ok(None),
            _ => Err(self.error(&answer)),
        }
    }

    fn write(&self, document: Document, content: &Content, condition: Condition) -> Result<()> {
        self.client.hide_keys(content.text.expose());
        let mut metadata = Members::default();
        metadata.set_text("name", &self.name(document));
        metadata.set_text("contentType", content.media_type);
        if !content.cache_control.is_empty() {
            metadata.set_text("cacheControl", content.cache_control);
        }
        let body = Secret::new(format!(
            "--jwks-part\r\nContent-Type: application/json\r\n\r\n{}\r\n--jwks-part\r\nContent-Type: {}\r\n\r\n{}\r\n--jwks-part--\r\n",
            metadata.to_json(),
            content.media_type,
            content.text.expose()
        ));
        let path = ["upload", "storage", "v1", "b", &self.object.bucket, "o"];
        let mut request = Request::new(Method::POST, path)
            .query("uploadType", "multipart")
            .body(MULTIPART, body);
        let generation = match condition {
            Condition::Absent => Some("0"),
            Condition::Unchanged(generation) => Some(generation),
            Condition::Unknown => None,
        };
        if let Some(generation) = generation {
            request = request.query("ifGenerationMatch", generation);
        }
        let answer = self.client.send(&request)?;
        match answer.status {
            200..=299 => Ok(()),
            412 => Err(overtaken(&answer)),
            _ => Err(self.error(&answer)),
        }
    }

    fn keeps_headers(&self) -> bool {
        true
    }

    fn no_version(&self) -> &'static str {
        "1"
    }
}
