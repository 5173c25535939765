//! A keystore in a namespace of Kubernetes: a Secret for each set.
//!
//! A Secret of the keystore has the labels `app.kubernetes.io/managed-by: jwks` and `jwks/keystore: PREFIX`. Each
//! write names the resourceVersion that was read.

mod wire;

use crate::environment::{STORE_CACERT, STORE_TOKEN_FILE};
use crate::error::{Error, Reason, Result};
use crate::keystore::SetName;
use crate::keystore::medium::{Found, Item, Outcome, Server, Version};
use crate::kubernetes::{check_name, check_namespace, is_of_account};
use crate::remote::cluster::{Api, Caller, MANAGER, is_missing};
use crate::remote::http::{Answer, Options, Request};
use crate::secret::Secret;
use crate::store::address::Address;
use crate::store::ahead::Ahead;
use crate::store::credentials::{client, token_of, variable};
use crate::store::failure::failure;
use crate::store::{MOST_PAGES, MOST_SETS, too_many};
use std::cell::OnceCell;
use std::path::PathBuf;
use ureq::http::Method;
use url::Url;
use wire::{Listing, SecretObject};

/// The beginning of the names of Secrets, unless the address has another one.
const PREFIX: &str = "jwks";

/// The longest prefix, which is the value of a label.
const LONGEST_PREFIX: usize = 63;

/// How many Secrets one answer lists.
const PAGE: usize = 250;

/// The longest token that continues a list, in bytes, which stands in an address.
const LONGEST_CONTINUE: usize = 4096;

const ACCESS: &str = "check that the token is valid and that its role allows get, list, create, patch and delete on secrets in the namespace";

/// A keystore in Kubernetes.
#[derive(Debug)]
pub(super) struct Kubernetes {
    shown: String,
    api: Api,
    /// The namespace. Without one in the address, the first call finds it.
    namespace: OnceCell<String>,
    prefix: String,
    ahead: Ahead,
}

impl Kubernetes {
    /// Opens a store. Makes no calls.
    pub fn open(address: &Address, options: Options) -> Result<Kubernetes> {
        let (namespace, prefix) = match &address.path[..] {
            [] if address.server.is_none() => (OnceCell::new(), PREFIX),
            [namespace] => (OnceCell::from(namespace.clone()), PREFIX),
            [namespace, prefix] => (OnceCell::from(namespace.clone()), prefix.as_str()),
            _ => {
                return Err(Error::usage(format!(
                    "{} is not a namespace and a prefix",
                    address.shown
                ))
                .hint("use kubernetes:NAMESPACE or kubernetes:NAMESPACE/PREFIX"));
            }
        };
        check_name(prefix, "the prefix")?;
        if prefix.len() > LONGEST_PREFIX || prefix.contains('.') {
            return Err(Error::usage(format!(
                "the prefix {prefix:?} has a '.', or more than {LONGEST_PREFIX} characters"
            )));
        }
        if let Some(namespace) = namespace.get() {
            check_namespace(namespace)?;
        }
        let token = variable(&[STORE_TOKEN_FILE]).map(PathBuf::from);
        if let Some(token) = &token
            && !is_of_account(token)
        {
            // Warns if others can read the file.
            token_of(token, &options)?;
        }
        let cacert = variable(&[STORE_CACERT]).map(PathBuf::from);
        let caller = token.map_or(Caller::Found, Caller::File);
        let client = |base| client(&address.shown, base, Vec::new(), cacert, options);
        Ok(Kubernetes {
            shown: address.shown.clone(),
            api: match &address.server {
                Some(server) => Api::at(client(server.clone()), caller),
                None => Api::sought(client(unknown()?), caller),
            },
            namespace,
            prefix: prefix.to_owned(),
            ahead: Ahead::default(),
        })
    }

    fn namespace(&self) -> Result<&str> {
        if let Some(namespace) = self.namespace.get() {
            return Ok(namespace);
        }
        let namespace = self.api.namespace()?.unwrap_or_default();
        check_namespace(&namespace)?;
        Ok(self.namespace.get_or_init(|| namespace))
    }

    fn request(&self, method: Method, name: Option<&str>) -> Result<Request> {
        let path = ["api", "v1", "namespaces", self.namespace()?, "secrets"];
        Ok(Request::new(method, path.into_iter().chain(name)))
    }

    /// Returns the name of the Secret of an item. Returns an error for a set whose name Kubernetes does not
    /// allow.
    fn name(&self, item: Item) -> Result<String> {
        match item {
            Item::Set(set) => {
                let name = format!("{}-{set}", self.prefix);
                check_name(&name, "the Secret of the set")?;
                Ok(name)
            }
            // No set has such a name, because names never begin with a dash.
            Item::Schedules => Ok(format!("{}--schedules", self.prefix)),
            Item::Deliveries(set) => {
                let name = format!("{}--deliveries.{set}", self.prefix);
                check_name(&name, "the Secret of the record of deliveries")?;
                Ok(name)
            }
        }
    }

    fn outcome(&self, answer: &Answer) -> Result<Outcome> {
        match answer.status {
            _ if answer.is_success() => Ok(Outcome::Done),
            // A new Secret does not need another one, but its namespace.
            404 if answer.call.starts_with("POST ") => {
                let namespace = self.namespace()?;
                Err(failure(answer, ACCESS)
                    .hint(format!("check that the namespace {namespace} exists")))
            }
            // The Secret exists already, has another version, or was deleted.
            409 => Ok(Outcome::Overtaken),
            404 => Ok(Outcome::Overtaken),
            422 => Err(failure(answer, ACCESS)
                .hint("a Secret can have at most 1 MiB, and an immutable one cannot be changed")),
            _ => Err(failure(answer, ACCESS)),
        }
    }
}

impl Server for Kubernetes {
    fn shown(&self) -> &str {
        &self.shown
    }

    fn names(&self) -> Result<Vec<SetName>> {
        let mut names = Vec::new();
        let mut after = String::new();
        let mut page = PAGE;
        for _ in 0..MOST_PAGES {
            let mut request = self
                .request(Method::GET, None)?
                .query("labelSelector", &wire::selector(&self.prefix))
                .query("limit", &page.to_string());
            if !after.is_empty() {
                request = request.query("continue", &after);
            }
            let answer = match self.api.send(&request) {
                // A Secret can have 1 MiB.
                Err(error) if error.is_because(Reason::TooLarge) && page > 1 => {
                    page = (page / 5).max(1);
                    continue;
                }
                answer => answer?,
            };
            if !answer.is_success() {
                return Err(failure(&answer, ACCESS));
            }
            let listing: Listing = answer.json()?;
            if names.len() + listing.items.len() > MOST_SETS {
                return Err(too_many(&self.shown));
            }
            for object in listing.items {
                let name = object.name().strip_prefix(&self.prefix);
                let name = name.and_then(|name| name.strip_prefix('-'));
                let Some(name) = name.and_then(|name| SetName::new(name).ok()) else {
                    continue;
                };
                // A Secret that cannot be read is reported when it is read by itself.
                if let Ok(found) = object.found(Item::Set(&name), &self.prefix) {
                    self.ahead.keep(&name, found);
                }
                names.push(name);
            }
            match listing.metadata.next {
                Some(next) if next.len() > LONGEST_CONTINUE => {
                    return Err(Error::remote(format!(
                        "{} lists Secrets with a continue token of {} bytes",
                        self.shown,
                        next.len()
                    )));
                }
                // A server that repeats the same page would never end.
                Some(next) if !next.is_empty() && next != after => after = next,
                _ => return Ok(names),
            }
        }
        Err(too_many(&self.shown))
    }

    fn read(&self, item: Item) -> Result<Found> {
        if let Some(found) = self.ahead.take(item) {
            return Ok(found);
        }
        let name = self.name(item)?;
        let answer = self.api.send(&self.request(Method::GET, Some(&name))?)?;
        match answer.status {
            404 if is_missing(&answer) => Ok(Found::nothing()),
            404 => Err(failure(&answer, ACCESS).hint("check the address of the API server")),
            _ if answer.is_success() => {
                let object: SecretObject = answer.json()?;
                object
                    .found(item, &self.prefix)
                    .map_err(|error| error.about(format!("Secret {name}")))
            }
            _ => Err(failure(&answer, ACCESS)),
        }
    }

    fn write(&self, item: Item, text: &Secret<String>, version: &Version) -> Result<Outcome> {
        let name = self.name(item)?;
        let (body, encoded) = wire::body((&name, &self.prefix), item, text, version);
        self.api.hide(encoded.expose());
        let request = match &version.tag {
            None => self
                .request(Method::POST, None)?
                .body("application/json", body),
            Some(_) => self
                .request(Method::PATCH, Some(&name))?
                .body("application/merge-patch+json", body),
        };
        let answer = self.api.send(&request.query("fieldManager", MANAGER))?;
        self.api.client().options().watch.settle();
        let outcome = self.outcome(&answer)?;
        if outcome == Outcome::Done && wire::version(&answer) == version.tag {
            return Err(Error::remote(format!(
                "{} accepted a change of {name} without a new resourceVersion",
                self.shown
            ))
            .because(Reason::Unanswered)
            .hint(
                "something between jwks and the API server changes its answers; connect directly",
            ));
        }
        Ok(outcome)
    }

    fn delete(&self, item: Item, version: &Version) -> Result<Outcome> {
        let name = self.name(item)?;
        let request = self
            .request(Method::DELETE, Some(&name))?
            .body("application/json", wire::preconditions(version));
        let answer = self.api.send(&request)?;
        self.api.client().options().watch.settle();
        self.outcome(&answer)
    }
}

/// Returns the address that stands for the API server until the first call finds it.
fn unknown() -> Result<Url> {
    Url::parse("https://kubernetes.default.svc")
        .map_err(|error| Error::failed("no address for the API server").cause(error))
}
