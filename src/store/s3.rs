//! A keystore in Amazon S3, or in storage that speaks its protocol: an object for each set.
//!
//! Each write has If-Match or If-None-Match. Storage that ignores these headers would lose changes, so the first
//! write of a run is tried on an object whose condition cannot hold.

use crate::environment::STORE_CACERT;
use crate::error::{Error, Result};
use crate::keystore::SetName;
use crate::keystore::medium::{Found, Item, Outcome, Server, Version};
use crate::remote::http::{Answer, Client, Options, Request, element};
use crate::remote::kind::s3::access;
use crate::remote::kind::s3::answer::{self, Meaning, Purpose, meaning};
use crate::remote::kind::s3::bucket;
use crate::remote::kind::s3::credentials::{self, Credentials};
use crate::remote::kind::s3::signed::Call;
use crate::secret::Secret;
use crate::store::address::Address;
use crate::store::ahead::Ahead;
use crate::store::credentials::{client, variable};
use crate::store::failure::failure;
use crate::store::{MOST_PAGES, MOST_SETS, too_many};
use rusty_s3::Bucket;
use std::cell::{Cell, OnceCell};
use std::path::PathBuf;

/// The object on which conditions are tried. No set has this name, because names never begin with a dot.
const PROBE: &str = ".conditions";

/// The text of the object that a deleted set leaves. It is not empty, because an object that somebody has emptied is
/// damaged.
const DELETED: &str = "deleted by jwks\n";

/// An ETag that no object has.
const NO_ETAG: &str = "\"jwks-no-such-etag\"";

const ACCESS: &str =
    "check the credentials; they need s3:GetObject, s3:PutObject and s3:ListBucket";

/// A keystore in object storage.
#[derive(Debug)]
pub(super) struct S3 {
    shown: String,
    client: Client,
    bucket: Bucket,
    prefix: String,
    credentials: OnceCell<Identity>,
    /// True if this run has found out that writes are conditional, and others cannot write.
    is_safe: Cell<bool>,
    ahead: Ahead,
}

/// The credentials, which are never shown.
struct Identity(Credentials);

impl std::fmt::Debug for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Identity(…)")
    }
}

/// The content of an object that is written.
struct Content<'a> {
    text: &'a str,
    media_type: &'static str,
    /// The header with the condition, and its value.
    condition: (&'static str, &'a str),
}

impl S3 {
    /// Opens a store. Makes no calls.
    pub fn open(address: &Address, options: Options) -> Result<S3> {
        let [name, prefix @ ..] = &address.path[..] else {
            return Err(Error::usage(format!("{} names no bucket", address.shown))
                .hint("use s3://BUCKET/PREFIX"));
        };
        let bucket = bucket(name, None, None)?;
        let cacert = variable(&[STORE_CACERT, "AWS_CA_BUNDLE"]).map(PathBuf::from);
        let base = bucket.base_url().clone();
        let mut prefix = prefix.join("/");
        if !prefix.is_empty() {
            prefix.push('/');
        }
        Ok(S3 {
            client: client(&address.shown, base, Vec::new(), cacert, options),
            shown: address.shown.clone(),
            bucket,
            prefix,
            credentials: OnceCell::new(),
            is_safe: Cell::new(false),
            ahead: Ahead::default(),
        })
    }

    /// Sends a signed call about an object, or about the bucket.
    fn send(
        &self,
        key: Option<&str>,
        query: &[(&str, &str)],
        content: Option<&Content>,
    ) -> Result<Answer> {
        let answer = self.client.send(&self.request(key, query, content)?)?;
        if content.is_some() {
            self.client.options().watch.settle();
        }
        Ok(answer)
    }

    fn request(
        &self,
        key: Option<&str>,
        query: &[(&str, &str)],
        content: Option<&Content>,
    ) -> Result<Request> {
        self.signed(Call {
            url: match key {
                Some(key) => self.bucket.object_url(&format!("{}{key}", self.prefix)),
                None => self.bucket.base_url().clone(),
            },
            query: query.to_vec(),
            headers: content.map_or_else(Vec::new, |content| {
                vec![("cache-control", "no-store"), content.condition]
            }),
            added: Vec::new(),
            body: content.map(|content| (content.media_type, content.text)),
        })
    }

    fn signed(&self, call: Call) -> Result<Request> {
        let region = self.bucket.region();
        let Identity(credentials) = match self.credentials.get() {
            Some(found) => found,
            None => {
                let found = credentials::find(None, region, &self.client)?;
                self.credentials.get_or_init(|| Identity(found))
            }
        };
        Ok(call.signed(region, credentials))
    }

    /// Returns an error if everybody can write to the bucket, or if the storage ignores the conditions of writes.
    fn require_safe_writes(&self) -> Result<()> {
        if self.is_safe.get() {
            return Ok(());
        }
        let call = access::request(self.bucket.base_url().clone());
        if access::is_open(&self.client.send(&self.signed(call)?)?) {
            return Err(Error::refused(format!(
                "the bucket of {} lets everybody write: others can replace the keys",
                self.shown
            ))
            .hint(
                "remove the grants to AllUsers and AuthenticatedUsers from its access control list",
            ));
        }
        let attempt = |condition| {
            let content = Content {
                text: "This object shows that the storage has conditional writes.\n",
                media_type: "text/plain",
                condition,
            };
            let answer = self.send(Some(PROBE), &[], Some(&content))?;
            self.outcome(&answer)
        };
        let create = || attempt(("if-none-match", "*"));
        // The first writer of all creates the object.
        let is_ignored = create()? == Outcome::Done && create()? == Outcome::Done
            || attempt(("if-match", NO_ETAG))? == Outcome::Done;
        if is_ignored {
            return Err(self.without_conditions());
        }
        self.is_safe.set(true);
        Ok(())
    }

    fn without_conditions(&self) -> Error {
        Error::refused(format!("{} has no conditional writes", self.shown)).hint(
            "the changes of other runners would be lost there; use other storage for the keystore",
        )
    }

    fn outcome(&self, answer: &Answer) -> Result<Outcome> {
        match meaning(answer) {
            Meaning::Done => Ok(Outcome::Done),
            // The object that is to be replaced is gone, or another one.
            Meaning::NoObject | Meaning::Overtaken => Ok(Outcome::Overtaken),
            Meaning::NoConditions => Err(self.without_conditions()),
            _ => Err(self.failure(answer)),
        }
    }

    /// Returns the error for an unsuccessful answer.
    fn failure(&self, answer: &Answer) -> Error {
        match answer.status {
            // A server that fails during a write can have carried it out.
            401 | 429 | 500.. => failure(answer, ACCESS),
            _ => answer::error(answer, Purpose::Keystore),
        }
    }

    fn put(&self, item: Item, text: &str, version: &Version) -> Result<Outcome> {
        self.require_safe_writes()?;
        let is_encrypted = !text.trim_start().starts_with('{') && text != DELETED;
        let content = Content {
            text,
            media_type: match item {
                Item::Set(_) if is_encrypted => "application/jose",
                Item::Set(_) => "application/jwk-set+json",
                Item::Schedules | Item::Deliveries(_) => "application/json",
            },
            condition: match &version.tag {
                Some(etag) => ("if-match", etag),
                None => ("if-none-match", "*"),
            },
        };
        let answer = self.send(Some(&key(item)), &[], Some(&content))?;
        self.outcome(&answer)
    }
}

impl Server for S3 {
    fn shown(&self) -> &str {
        &self.shown
    }

    fn names(&self) -> Result<Vec<SetName>> {
        let mut names = Vec::new();
        // Objects as large as the one that a deleted set leaves.
        let mut doubtful = Vec::new();
        let mut after = String::new();
        for _ in 0..MOST_PAGES {
            // Objects below a further slash belong to others.
            let mut query = vec![
                ("delimiter", "/"),
                ("list-type", "2"),
                ("prefix", &self.prefix),
            ];
            if !after.is_empty() {
                query.push(("continuation-token", &after));
            }
            let answer = self.send(None, &query, None)?;
            if !answer.is_success() {
                return Err(self.failure(&answer));
            }
            let xml = std::str::from_utf8(answer.body.expose()).unwrap_or_default();
            if !xml.contains("<ListBucketResult") {
                return Err(answer.unlike("a list of objects"));
            }
            for object in xml.split("<Contents>").skip(1) {
                let name = element(object, "Key");
                let name = name
                    .as_deref()
                    .and_then(|key| key.strip_prefix(&*self.prefix));
                let Some(name) = name.and_then(|name| SetName::new(name).ok()) else {
                    continue;
                };
                let size = element(object, "Size").and_then(|size| size.parse().ok());
                if size == Some(DELETED.len()) {
                    doubtful.push(name);
                } else {
                    names.push(name);
                }
            }
            if names.len() + doubtful.len() > MOST_SETS {
                return Err(too_many(&self.shown));
            }
            match element(xml, "NextContinuationToken") {
                // A server that repeats the same page would never end.
                Some(next) if next != after => after = next.into_owned(),
                _ => {
                    let read_together = |names: &[SetName]| self.read_together(names);
                    let read = |item: Item| self.read(item);
                    names.extend(self.ahead.existing(&doubtful, read_together, read)?);
                    self.ahead.remember(&names);
                    return Ok(names);
                }
            }
        }
        Err(too_many(&self.shown))
    }

    fn read(&self, item: Item) -> Result<Found> {
        if let Some(found) = self.ahead.take(item) {
            return Ok(found);
        }
        let next = self.ahead.after(item);
        if next.len() > 1 {
            self.read_together(&next)?;
            if let Some(found) = self.ahead.take(item) {
                return Ok(found);
            }
        }
        self.found(item, &self.send(Some(&key(item)), &[], None)?)
    }

    fn write(&self, item: Item, text: &Secret<String>, version: &Version) -> Result<Outcome> {
        self.put(item, text.expose(), version)
    }

    /// Much storage deletes without a condition only. A write can have one, so the object gets another text.
    fn delete(&self, item: Item, version: &Version) -> Result<Outcome> {
        self.put(item, DELETED, version)
    }
}

impl S3 {
    /// Reads several sets at the same time, for later.
    fn read_together(&self, names: &[SetName]) -> Result<()> {
        let request = |name: &SetName| self.request(Some(&key(Item::Set(name))), &[], None);
        let found = |name: &SetName, answer: &Answer| self.found(Item::Set(name), answer);
        self.ahead.read(&self.client, names, request, found)
    }

    fn found(&self, item: Item, answer: &Answer) -> Result<Found> {
        match meaning(answer) {
            Meaning::Done => {}
            Meaning::NoObject => return Ok(Found::nothing()),
            _ => return Err(self.failure(answer)),
        }
        let etag = answer.header("etag").ok_or_else(|| {
            Error::remote(format!("the answer to {} has no ETag", answer.call))
                .hint("something between jwks and the storage removes it; connect directly")
        })?;
        let text = std::str::from_utf8(answer.body.expose())
            .map_err(|_| Error::invalid(format!("{item} is not UTF-8 text")))?;
        Ok(Found {
            text: (text != DELETED).then(|| Secret::new(text.to_owned())),
            version: Version {
                tag: Some(etag.to_owned()),
                beside: None,
            },
        })
    }
}

/// Returns the name of the object of an item, below the prefix.
fn key(item: Item) -> String {
    match item {
        Item::Set(name) => name.to_string(),
        Item::Schedules => ".schedules".to_owned(),
        Item::Deliveries(name) => format!(".deliveries.{name}"),
    }
}
