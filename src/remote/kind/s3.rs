//! A JWK Set as an object in S3, or in storage that speaks its protocol.

pub mod access;
pub mod answer;
pub mod credentials;
pub mod signed;

use crate::environment;
use crate::error::{Error, Result};
use crate::remote::http::{Answer, Client, Event};
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
use answer::{Meaning, Purpose, error, meaning};
use credentials::Credentials;
use rusty_s3::{Bucket, UrlStyle};
use signed::Call;
use std::cell::{Cell, OnceCell};
use url::Url;

/// The kind of S3 and of storage that speaks its protocol.
pub static S3: ServerKind = ServerKind {
    name: "s3",
    about: "Amazon S3, or storage that speaks its protocol; publishes one set as an object",
    settings: &[
        "--url",
        "--region",
        "--endpoint",
        "--cache-control",
        "--issuer",
    ],
    token: "a signature (AWS Signature Version 4); the token is KEY:SECRET or the JSON of credential_process",
    secret_address: false,
    check: check_issuer,
    base: |location| Object::of(location).map(|object| object.url(Document::Keys)),
    open: |client, location, token| {
        let object = Object::of(location)?;
        let site = object.site.clone();
        let place = Storage {
            client,
            object,
            given: token.map(|token| Secret::new(token.expose().clone())),
            credentials: OnceCell::new(),
            has_warned: Cell::new(false),
            has_asked: Cell::new(false),
        };
        Published::boxed(place, location, &site)
    },
    ..COMMON
};

/// The variables for the endpoint and the region, as the vendor's own tools read them.
const ENDPOINTS: [&str; 2] = ["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"];
const REGIONS: [&str; 2] = ["AWS_REGION", "AWS_DEFAULT_REGION"];

/// The region of a server of one's own, which usually has none.
const NO_REGION: &str = "us-east-1";

/// Where the documents are.
struct Object {
    bucket: Bucket,
    site: Site,
}

impl Object {
    fn of(location: &Location) -> Result<Object> {
        let address = Location::required("--url", &location.url, S3.name)?;
        let (name, key) = object::parse("s3", address)?;
        let (region, endpoint) = (location.region.clone(), location.endpoint.clone());
        Ok(Object {
            bucket: bucket(name, region, endpoint)?,
            site: Site::of(key),
        })
    }

    fn url(&self, document: Document) -> Url {
        let path = match document {
            Document::Keys => self.site.keys(),
            Document::Discovery => self.site.discovery(),
        };
        self.bucket.object_url(&path.join("/"))
    }
}

/// Returns a bucket, at a region or an endpoint. Without them, those in the environment count. Returns an error if
/// there are none.
pub fn bucket(name: &str, region: Option<String>, endpoint: Option<String>) -> Result<Bucket> {
    let named = |names: [&str; 2]| names.into_iter().find_map(environment::value);
    let region = region.or_else(|| named(REGIONS));
    let endpoint = endpoint.or_else(|| named(ENDPOINTS));
    let (endpoint, style, region) = match (endpoint, region) {
        (Some(endpoint), region) => {
            let endpoint = parse_address(&endpoint)?;
            let region = region.unwrap_or_else(|| NO_REGION.to_owned());
            (endpoint, UrlStyle::Path, region)
        }
        (None, Some(region)) => {
            let is_region = |c: char| c.is_ascii_alphanumeric() || c == '-';
            if region.is_empty() || !region.chars().all(is_region) {
                return Err(Error::usage(format!("unknown region {region:?}")));
            }
            let china = if region.starts_with("cn-") { ".cn" } else { "" };
            let endpoint = format!("https://s3.{region}.amazonaws.com{china}");
            // A certificate covers no name with dots.
            let style = if name.contains('.') {
                UrlStyle::Path
            } else {
                UrlStyle::VirtualHost
            };
            (parse_address(&endpoint)?, style, region)
        }
        (None, None) => {
            return Err(Error::usage("s3 requires a region or an endpoint")
                .hint("set AWS_REGION or AWS_ENDPOINT_URL_S3, or add the remote with --region"));
        }
    };
    let bucket = Bucket::new(endpoint, style, name.to_owned(), region);
    bucket.map_err(|error| Error::usage("invalid bucket").cause(error))
}

struct Storage {
    client: Client,
    object: Object,
    /// The credentials from the source of the token.
    given: Option<Secret<String>>,
    credentials: OnceCell<Credentials>,
    /// True if this run has warned that the storage denies to read a document.
    has_warned: Cell<bool>,
    /// True if this run has asked who can write to the bucket.
    has_asked: Cell<bool>,
}

impl Storage {
    fn credentials(&self) -> Result<&Credentials> {
        if let Some(credentials) = self.credentials.get() {
            return Ok(credentials);
        }
        let region = self.object.bucket.region();
        let found = credentials::find(self.given.as_ref(), region, &self.client)?;
        Ok(self.credentials.get_or_init(|| found))
    }

    fn send(
        &self,
        document: Document,
        headers: Vec<(&str, &str)>,
        content: Option<&Content>,
    ) -> Result<Answer> {
        let call = Call {
            url: self.object.url(document),
            query: Vec::new(),
            headers,
            // Headers of the entry that mean something to the storage have to be signed.
            added: self.client.headers("x-amz-").collect(),
            body: content.map(|content| (content.media_type, content.text.expose().as_str())),
        };
        let region = self.object.bucket.region();
        self.client.send(&call.signed(region, self.credentials()?))
    }

    fn put(&self, document: Document, content: &Content, condition: Condition) -> Result<Answer> {
        let mut headers = Vec::new();
        if !content.cache_control.is_empty() {
            headers.push(("cache-control", content.cache_control));
        }
        headers.extend(condition.header());
        self.send(document, headers, Some(content))
    }

    /// Warns once if everybody can write to the bucket, and so decide whose tokens are accepted.
    fn warn_of_others(&self) -> Result<()> {
        if self.has_asked.replace(true) {
            return Ok(());
        }
        let bucket = &self.object.bucket;
        let call = access::request(bucket.base_url().clone());
        let answer = self
            .client
            .send(&call.signed(bucket.region(), self.credentials()?))?;
        if access::is_open(&answer) {
            let text = format!(
                "the bucket {} lets everybody write: others can replace the published keys",
                bucket.name()
            );
            (self.client.options().notify)(Event::Warning(&text));
        }
        Ok(())
    }

    fn get(&self, document: Document) -> Result<Answer> {
        self.send(document, Vec::new(), None)
    }
}

impl Place for Storage {
    fn client(&self) -> &Client {
        &self.client
    }

    fn read(&self, document: Document) -> Result<Option<Stored>> {
        let answer = self.get(document)?;
        match meaning(&answer) {
            Meaning::Done => Ok(Some(Stored::of(answer))),
            Meaning::NoObject => Ok(None),
            Meaning::Denied => {
                // Without the right to list, a missing object cannot be told from a forbidden one. A write
                // creates it only if it does not exist.
                if !self.has_warned.replace(true) {
                    let text = format!(
                        "{} answered 403: the object does not exist, or the credentials lack s3:GetObject; with s3:ListBucket, the storage tells them apart",
                        answer.call
                    );
                    (self.client.options().notify)(Event::Warning(&text));
                }
                Ok(None)
            }
            _ => Err(error(&answer, Purpose::Remote)),
        }
    }

    fn write(&self, document: Document, content: &Content, condition: Condition) -> Result<()> {
        self.warn_of_others()?;
        let mut answer = self.put(document, content, condition)?;
        // Credentials must not replace an object that they cannot read.
        if matches!(condition, Condition::Absent)
            && matches!(meaning(&answer), Meaning::NoConditions | Meaning::Overtaken)
            && meaning(&self.get(document)?) == Meaning::Denied
        {
            return Err(Error::denied(format!(
                "{} answered {}: the object can exist, but the credentials must not read it",
                answer.call, answer.status
            ))
            .hint("allow s3:GetObject for the object"));
        }
        if meaning(&answer) == Meaning::NoConditions && condition.header().is_some() {
            let text = format!(
                "{} has no conditional writes, so the change of another writer at this moment would be lost",
                self.client.name()
            );
            (self.client.options().notify)(Event::Warning(&text));
            answer = self.put(document, content, Condition::Unknown)?;
        }
        match meaning(&answer) {
            Meaning::Done => Ok(()),
            // The object that is to be replaced is gone.
            Meaning::NoObject | Meaning::Overtaken => Err(overtaken(&answer)),
            _ => Err(error(&answer, Purpose::Remote)),
        }
    }

    fn keeps_headers(&self) -> bool {
        true
    }

    fn identity(&self) -> Option<String> {
        let credentials = self.credentials.get()?;
        Some(format!("credentials from {}", credentials.source))
    }
}
