//! A keystore in a namespace of Kubernetes: a Secret for each set.
//!
//! A Secret of the keystore has the labels `app.kubernetes.io/managed-by: jwks` and `jwks/keystore: PREFIX`. Each
//! write names the resourceVersion that was read.

mod wire;

use crate::credential;
use crate::environment::{STORE_CACERT, STORE_TOKEN_FILE};
use crate::error::{Error, Reason, Result};
use crate::keystore::SetName;
use crate::keystore::medium::{Found, Item, Outcome, Server, Version};
use crate::remote::http::{Answer, Client, Options, Request};
use crate::secret::Secret;
use crate::store::address::Address;
use crate::store::ahead::Ahead;
use crate::store::credentials::{client, token_of, variable};
use crate::store::failure::failure;
use crate::store::{MOST_PAGES, MOST_SETS, too_many};
use std::path::{Path, PathBuf};
use ureq::http::Method;
use url::Url;
use wire::{Listing, MANAGER, SecretObject};

/// The files of the identity of a pod.
const IDENTITY: &str = "/var/run/secrets/kubernetes.io/serviceaccount";

/// The beginning of the names of Secrets, unless the address has another one.
const PREFIX: &str = "jwks";

/// The longest prefix, which is the value of a label.
const LONGEST_PREFIX: usize = 63;

/// How many Secrets one answer lists.
const PAGE: &str = "250";

const ACCESS: &str = "check that the token is valid and that its role allows get, list, create, patch and delete on secrets in the namespace";

/// A keystore in Kubernetes.
#[derive(Debug)]
pub(super) struct Kubernetes {
    shown: String,
    client: Client,
    namespace: String,
    prefix: String,
    /// The file with the token, which is renewed on disk; `None` for a proxy that has one itself.
    token: Option<PathBuf>,
    ahead: Ahead,
}

impl Kubernetes {
    /// Opens a store. Makes no calls.
    pub fn open(address: &Address, options: Options) -> Result<Kubernetes> {
        let identity = Path::new(IDENTITY);
        let is_in_cluster = address.server.is_none();
        let base = match &address.server {
            Some(server) => server.clone(),
            None => in_cluster()?,
        };
        let (namespace, prefix) = match &address.path[..] {
            [] if is_in_cluster => (own_namespace(identity)?, PREFIX),
            [namespace] => (namespace.clone(), PREFIX),
            [namespace, prefix] => (namespace.clone(), prefix.as_str()),
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
        check_name(&namespace, "the namespace")?;
        let token = variable(&[STORE_TOKEN_FILE]).map(PathBuf::from);
        let token = token.or_else(|| is_in_cluster.then(|| identity.join("token")));
        let cacert = variable(&[STORE_CACERT]).map(PathBuf::from);
        let cacert = cacert.or_else(|| is_in_cluster.then(|| identity.join("ca.crt")));
        if let Some(token) = &token
            && !token.starts_with(identity)
        {
            // Warns if others can read the file.
            token_of(token, Some(&options))?;
        }
        Ok(Kubernetes {
            shown: address.shown.clone(),
            client: client(&address.shown, base, Vec::new(), cacert, options),
            namespace,
            prefix: prefix.to_owned(),
            token,
            ahead: Ahead::default(),
        })
    }

    fn request(&self, method: Method, name: Option<&str>) -> Request {
        let path = ["api", "v1", "namespaces", &self.namespace, "secrets"];
        Request::new(method, path.into_iter().chain(name))
    }

    fn send(&self, request: &Request) -> Result<Answer> {
        if let Some(file) = &self.token {
            self.client.authorize("Bearer", &token_of(file, None)?);
        }
        self.client.send(request)
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
            // The Secret exists already, has another version, or was deleted.
            409 => Ok(Outcome::Overtaken),
            404 if answer.call.starts_with("POST ") => {
                Err(failure(answer, ACCESS).hint("check that the namespace exists"))
            }
            404 => Ok(Outcome::Overtaken),
            422 => Err(failure(answer, ACCESS)
                .hint("a Secret can have at most 1 MiB, and an immutable one cannot be changed")),
            _ => Err(failure(answer, ACCESS)),
        }
    }

    /// Hides the text of a set in messages, in the form in which it is sent.
    fn hide(&self, encoded: &str) {
        // A server that repeats a part of the text would not repeat the whole.
        const PIECE: usize = 12;
        let pieces = encoded.as_bytes().chunks(PIECE);
        for piece in pieces.filter_map(|piece| std::str::from_utf8(piece).ok()) {
            self.client.hide(piece);
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
        for _ in 0..MOST_PAGES {
            let mut request = self
                .request(Method::GET, None)
                .query("labelSelector", &wire::selector(&self.prefix))
                .query("limit", PAGE);
            if !after.is_empty() {
                request = request.query("continue", &after);
            }
            let answer = self.send(&request)?;
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
        let answer = self.send(&self.request(Method::GET, Some(&name)))?;
        match answer.status {
            404 if wire::is_missing(&answer) => Ok(Found::nothing()),
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
        self.hide(encoded.expose());
        let request = match &version.tag {
            None => self
                .request(Method::POST, None)
                .body("application/json", body),
            Some(_) => self
                .request(Method::PATCH, Some(&name))
                .body("application/merge-patch+json", body),
        };
        let answer = self.send(&request.query("fieldManager", MANAGER))?;
        self.client.options().watch.settle();
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
            .request(Method::DELETE, Some(&name))
            .body("application/json", wire::preconditions(version));
        let answer = self.send(&request)?;
        self.client.options().watch.settle();
        self.outcome(&answer)
    }
}

/// Returns the address of the API server, from inside of a pod.
fn in_cluster() -> Result<Url> {
    let host = variable(&["KUBERNETES_SERVICE_HOST"]);
    let port = variable(&["KUBERNETES_SERVICE_PORT"]).unwrap_or_else(|| "443".into());
    let address = host.map(|host| {
        if host.contains(':') {
            format!("https://[{host}]:{port}/")
        } else {
            format!("https://{host}:{port}/")
        }
    });
    let address = address.and_then(|address| Url::parse(&address).ok());
    address.ok_or_else(|| {
        Error::usage("jwks does not run in a pod, and the address names no API server").hint(
            "run `kubectl proxy` and use kubernetes:http://127.0.0.1:8001/NAMESPACE, or write the API server into the address and set JWKS_STORE_TOKEN_FILE and JWKS_STORE_CACERT",
        )
    })
}

fn own_namespace(identity: &Path) -> Result<String> {
    let file = identity.join("namespace");
    let namespace = credential::file(&file)
        .and_then(|content| credential::first_line(&content.octets, "the namespace file"));
    let namespace = namespace.map_err(|error| {
        Error::usage(format!("the address names no namespace: {error}"))
            .hint("use kubernetes:NAMESPACE")
    })?;
    Ok(namespace.expose().trim().to_owned())
}

/// Returns an error for a name that Kubernetes does not allow (RFC 1123 subdomain).
fn check_name(name: &str, what: &str) -> Result<()> {
    let is_label = |label: &str| {
        let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        !label.is_empty()
            && label.chars().all(is_plain)
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    if name.len() <= 253 && name.split('.').all(is_label) {
        return Ok(());
    }
    Err(
        Error::usage(format!("{what} cannot be named {name:?} in Kubernetes"))
            .hint("use lower-case letters, digits, '-' and '.', and end with a letter or digit"),
    )
}
