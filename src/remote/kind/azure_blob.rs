//! A JWK Set as a blob in Azure Blob Storage.

use crate::error::{Error, Result};
use crate::remote::http::{Answer, Client, Request};
use crate::remote::kind::ServerKind;
use crate::remote::kind::http_put::COMMON;
use crate::remote::kind::published::Published;
use crate::remote::kind::published::place::{
    Condition, Content, Document, Place, Stored, overtaken,
};
use crate::remote::kind::published::site::Site;
use crate::remote::location::parse_setting;
use crate::secret::Secret;
use jiff::Timestamp;
use ureq::http::Method;
use url::Url;

/// The kind of Azure Blob Storage.
pub static AZURE_BLOB: ServerKind = ServerKind {
    name: "azure-blob",
    about: "Azure Blob Storage; publishes one set as a blob",
    settings: &["--url", "--cache-control", "--issuer"],
    token: "Authorization: Bearer, or a shared access signature in the address",
    base: |location| {
        let url = parse_setting(location, AZURE_BLOB.name)?;
        check(&url).map(|()| url)
    },
    open: |client, location, token| {
        if let Some(token) = token {
            client.authorize("Bearer", token);
        }
        let site = Site::of_address(client.url());
        let place = Container {
            site: site.clone(),
            client,
        };
        Published::boxed(place, location, &site)
    },
    ..COMMON
};

/// The version of the API whose answers this file knows.
const VERSION: &str = "2023-11-03";

/// Refuses an address that is not of a blob.
fn check(url: &Url) -> Result<()> {
    let segments: Vec<_> = url.path_segments().into_iter().flatten().collect();
    match &segments[..] {
        [_, .., name] if !name.is_empty() => Ok(()),
        _ => Err(Error::usage("the address is not that of a blob")
            .hint("for example: --url https://ACCOUNT.blob.core.windows.net/CONTAINER/jwks.json")),
    }
}

struct Container {
    client: Client,
    site: Site,
}

impl Container {
    fn request(&self, method: Method, document: Document) -> Request {
        let mut url = self.client.url().clone();
        if document == Document::Discovery {
            url.set_path(&self.site.discovery().join("/"));
        }
        let date = Timestamp::now().strftime("%a, %d %b %Y %H:%M:%S GMT");
        Request::to(method, url)
            .accept("*/*")
            .header("x-ms-version", VERSION)
            .header("x-ms-date", &date.to_string())
    }

    fn error(&self, answer: &Answer) -> Error {
        let usual = answer.error();
        let message = || usual.to_string();
        match code(answer) {
            Some("ContainerNotFound") => Error::remote(message())
                .hint("create the container, or check the address of the remote"),
            Some("LeaseIdMissing") => {
                Error::remote(message()).hint("somebody holds a lease of the blob")
            }
            Some("PublicAccessNotPermitted") => {
                Error::remote(message()).hint("the account forbids public access")
            }
            _ if answer.status == 403 => Error::denied(message()).hint(
                "the token needs the role Storage Blob Data Contributor, or the address a valid signature",
            ),
            _ => usual,
        }
    }
}

/// Returns the code of an error.
fn code(answer: &Answer) -> Option<&str> {
    answer.header("x-ms-error-code")
}

impl Place for Container {
    fn client(&self) -> &Client {
        &self.client
    }

    fn read(&self, document: Document) -> Result<Option<Stored>> {
        let answer = self.client.send(&self.request(Method::GET, document))?;
        match answer.status {
            200..=299 => Ok(Some(Stored::of(answer))),
            404 if code(&answer).is_none_or(|code| code == "BlobNotFound") => Ok(None),
            _ => Err(self.error(&answer)),
        }
    }

    fn write(&self, document: Document, content: &Content, condition: Condition) -> Result<()> {
        let text = Secret::new(content.text.expose().clone());
        let mut request = self
            .request(Method::PUT, document)
            .body(content.media_type, text)
            .header("x-ms-blob-type", "BlockBlob");
        if !content.cache_control.is_empty() {
            request = request.header("x-ms-blob-cache-control", content.cache_control);
        }
        if let Some((name, value)) = condition.header() {
            request = request.header(name, value);
        }
        let answer = self.client.send(&request)?;
        match (answer.status, code(&answer)) {
            (200..=299, _) => Ok(()),
            (409, Some("BlobAlreadyExists")) => Err(overtaken(&answer)),
            (412, None | Some("ConditionNotMet")) => Err(overtaken(&answer)),
            _ => Err(self.error(&answer)),
        }
    }

    fn keeps_headers(&self) -> bool {
        true
    }
}
