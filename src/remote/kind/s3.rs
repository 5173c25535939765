//! A JWK Set as an object in S3, or in storage that speaks its protocol.

pub mod answer;
pub mod credentials;

use crate::environment;
use crate::error::{Error, Result};
use crate::remote::http::{Answer, Client, Event, Request};
use crate::remote::kind::ServerKind;
use crate::remote::kind::http_put::COMMON;
use crate::remote::kind::published::Published;
use crate::remote::kind::published::place::{
    Condition, Content, Document, Place, Stored, overtaken,
};
use crate::remote::kind::published::site::{Site, check_issuer};
use crate::remote::location::{Location, parse_address};
use crate::secret::Secret;
use answer::{Meaning, error, meaning};
use credentials::Credentials;
use jiff::Timestamp;
use rusty_s3::signing::sign;
use rusty_s3::{Bucket, Method, UrlStyle};
use std::cell::{Cell, OnceCell};
use std::time::Duration;
use ureq::http;
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
    base: |location| Object::of(location).map(|object| object.url(&object.site.keys())),
    open: |client, location, token| {
        // The base address was made of the same location.
        let object = Object::of(location).ok();
        let site = object
            .as_ref()
            .map_or_else(|| Site::of([""]), |it| it.site.clone());
        let place = Storage {
            client,
            object,
            given: token.map(|token| Secret::new(token.expose().clone())),
            credentials: OnceCell::new(),
            is_denied: Cell::new(false),
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

/// How long a signed request can be used. It also bounds the difference of the clocks.
const VALID: Duration = Duration::from_secs(900);

/// Where the documents are.
struct Object {
    bucket: Bucket,
    site: Site,
}

impl Object {
    fn of(location: &Location) -> Result<Object> {
        let address = Location::required("--url", &location.url, S3.name)?;
        let malformed = || {
            Error::usage("the address of an object is s3://BUCKET/KEY")
                .hint("for example: --url s3://keys.example/jwks.json")
        };
        let rest = address.strip_prefix("s3://").ok_or_else(malformed)?;
        let (name, key) = rest.split_once('/').ok_or_else(malformed)?;
        let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
        let is_segment = |segment: &str| !matches!(segment, "" | "." | "..");
        let is_plain = |c: char| matches!(c, ' '..='~') && !matches!(c, '?' | '#' | '\\');
        if name.is_empty()
            || !name.chars().all(is_name)
            || !key.split('/').all(is_segment)
            || !key.chars().all(is_plain)
        {
            return Err(malformed());
        }
        let (region, endpoint) = (location.region.clone(), location.endpoint.clone());
        Ok(Object {
            bucket: bucket(name, region, endpoint)?,
            site: Site::of(key.split('/')),
        })
    }

    fn url(&self, path: &[&str]) -> Url {
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
                .hint("pass --region, or set AWS_REGION or AWS_ENDPOINT_URL_S3"));
        }
    };
    let bucket = Bucket::new(endpoint, style, name.to_owned(), region);
    bucket.map_err(|error| Error::usage("invalid bucket").cause(error))
}

struct Storage {
    client: Client,
    /// `None` if the location is not usable, which the client has reported.
    object: Option<Object>,
    /// The credentials from the source of the token.
    given: Option<Secret<String>>,
    credentials: OnceCell<Credentials>,
    /// True if the storage has denied to read the JWK Set, which can mean that it does not exist.
    is_denied: Cell<bool>,
}

impl Storage {
    fn credentials(&self, region: &str) -> Result<&Credentials> {
        if let Some(credentials) = self.credentials.get() {
            return Ok(credentials);
        }
        let found = credentials::find(self.given.as_ref(), region, &self.client)?;
        Ok(self.credentials.get_or_init(|| found))
    }

    /// Sends a signed call. `headers` are signed, too.
    fn send(
        &self,
        method: http::Method,
        document: Document,
        headers: &[(&str, &str)],
        content: Option<&Content>,
    ) -> Result<Answer> {
        let object = self.object.as_ref();
        let object = object.ok_or_else(|| Error::usage("s3 has no usable address"))?;
        let url = object.url(&match document {
            Document::Keys => object.site.keys(),
            Document::Discovery => object.site.discovery(),
        });
        let region = object.bucket.region();
        let credentials = self.credentials(region)?;
        // Headers of the entry that mean something to the storage have to be signed.
        let own: Vec<(String, String)> = self.client.headers("x-amz-").collect();
        let own = own.iter().map(|(name, value)| (&**name, &**value));
        let mut signed: Vec<(&str, &str)> = headers.iter().copied().chain(own).collect();
        signed.sort_unstable();
        let signed_url = sign(
            &Timestamp::now(),
            match content {
                Some(_) => Method::Put,
                None => Method::Get,
            },
            url.clone(),
            credentials.key.expose(),
            credentials.secret.expose(),
            credentials
                .token
                .as_ref()
                .map(|token| token.expose().as_str()),
            region,
            VALID.as_secs(),
            std::iter::empty(),
            signed.iter().copied(),
        );
        let mut request = Request::to(method, signed_url)
            .shown_as(url)
            .return_redirects()
            .accept("*/*");
        for (name, value) in headers.iter().filter(|(name, _)| *name != "content-type") {
            request = request.header(name, value);
        }
        if let Some(content) = content {
            let text = Secret::new(content.text.expose().clone());
            request = request.body(content.media_type, text);
        }
        self.client.send(&request)
    }

    fn put(&self, document: Document, content: &Content, condition: Condition) -> Result<Answer> {
        let mut headers = vec![("content-type", content.media_type)];
        if !content.cache_control.is_empty() {
            headers.push(("cache-control", content.cache_control));
        }
        headers.extend(condition.header());
        self.send(http::Method::PUT, document, &headers, Some(content))
    }
}

impl Place for Storage {
    fn client(&self) -> &Client {
        &self.client
    }

    fn read(&self, document: Document) -> Result<Option<Stored>> {
        let answer = self.send(http::Method::GET, document, &[], None)?;
        match meaning(&answer) {
            Meaning::Done => Ok(Some(Stored::of(answer))),
            Meaning::NoObject => Ok(None),
            Meaning::Denied => {
                // Without the right to list, a missing object cannot be told from a forbidden one. A write
                // creates it only if it does not exist.
                if !self.is_denied.replace(true) {
                    let text = format!(
                        "{} answered 403: the object does not exist, or the credentials lack s3:GetObject; with s3:ListBucket, the storage tells them apart",
                        answer.call
                    );
                    (self.client.options().notify)(Event::Warning(&text));
                }
                Ok(None)
            }
            _ => Err(error(&answer)),
        }
    }

    fn write(&self, document: Document, content: &Content, condition: Condition) -> Result<()> {
        let mut answer = self.put(document, content, condition)?;
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
            Meaning::Overtaken if self.is_denied.get() => Err(Error::denied(format!(
                "{} answered {}: the object exists, but the credentials must not read it",
                answer.call, answer.status
            ))
            .hint("allow s3:GetObject for the object")),
            // The object that is to be replaced is gone.
            Meaning::NoObject | Meaning::Overtaken => Err(overtaken(&answer)),
            _ => Err(error(&answer)),
        }
    }

    fn keeps_headers(&self) -> bool {
        true
    }

    fn note(&self) -> Option<String> {
        let credentials = self.credentials.get()?;
        Some(format!("credentials from {}", credentials.source))
    }
}
