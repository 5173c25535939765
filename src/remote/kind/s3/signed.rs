//! Signed calls to storage (AWS Signature Version 4). The signature is in the query of the address.

use crate::remote::http::Request;
use crate::remote::kind::s3::credentials::Credentials;
use crate::secret::Secret;
use jiff::Timestamp;
use rusty_s3::Method;
use rusty_s3::signing::sign;
use std::time::Duration;
use ureq::http;
use url::Url;

/// How long a signed request can be used. It also bounds the difference of the clocks.
const VALID: Duration = Duration::from_secs(900);

/// A call before it is signed: a PUT if it has a body, and a GET otherwise.
pub struct Call<'a> {
    /// The address of the object or of the bucket.
    pub url: Url,
    /// The query parameters.
    pub query: Vec<(&'a str, &'a str)>,
    /// The headers, in lower case.
    pub headers: Vec<(&'a str, &'a str)>,
    /// The headers that the client adds to every call, in lower case.
    pub added: Vec<(String, String)>,
    /// The media type and the text.
    pub body: Option<(&'static str, &'a str)>,
}

impl Call<'_> {
    /// Signs the call for a region. Its messages show the address without the signature.
    pub fn signed(mut self, region: &str, credentials: &Credentials) -> Request {
        let added = self.added.iter().map(|(name, value)| (&**name, &**value));
        let media_type = self
            .body
            .map(|(media_type, _)| ("content-type", media_type));
        let mut headers: Vec<(&str, &str)> = self.headers.to_vec();
        headers.extend(added.chain(media_type));
        headers.sort_unstable();
        self.query.sort_unstable();
        let token = credentials.token.as_ref();
        let (method, signed) = match self.body {
            Some(_) => (http::Method::PUT, Method::Put),
            None => (http::Method::GET, Method::Get),
        };
        let address = sign(
            &Timestamp::now(),
            signed,
            self.url.clone(),
            credentials.key.expose(),
            credentials.secret.expose(),
            token.map(|token| token.expose().as_str()),
            region,
            VALID.as_secs(),
            self.query.iter().copied(),
            headers.iter().copied(),
        );
        let mut request = Request::to(method, address)
            .shown_as(self.url)
            .return_redirects()
            .accept("*/*");
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        match self.body {
            Some((media_type, text)) => request.body(media_type, Secret::new(text.to_owned())),
            None => request,
        }
    }
}
