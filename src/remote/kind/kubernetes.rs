//! A JWK Set in a ConfigMap or a Secret of Kubernetes.
//!
//! Other keys of the object stay. Each write names the resourceVersion that was read.

mod object;

use crate::error::{Error, Reason, Result};
use crate::key::parts::holds_secret;
use crate::keyset::import;
use crate::remote::cluster::{Api, Caller, MANAGER, is_missing};
use crate::remote::http::{Answer, Caching, Client, Request, Retries};
use crate::remote::kind::http_put::COMMON;
use crate::remote::kind::published::Published;
use crate::remote::kind::published::place::{
    Condition, Content, Document, Place, Stored, overtaken,
};
use crate::remote::kind::published::site::{Site, check_issuer};
use crate::remote::kind::{Auth, ServerKind};
use crate::remote::location::parse_address;
use object::{DISCOVERY, LIMIT, Name, Object, Resource};
use std::cell::RefCell;
use ureq::http::Method;

/// The kind of Kubernetes.
pub static KUBERNETES: ServerKind = ServerKind {
    name: "kubernetes",
    about: "Kubernetes; publishes one set in a ConfigMap or a Secret",
    settings: &["--url", "--endpoint", "--issuer"],
    auth: Auth::Found,
    secret_address: false,
    retries: Retries {
        statuses: &[500, 502, 503, 504],
        ..COMMON.retries
    },
    check: |location| {
        let name = Name::of(location)?;
        check_issuer(location)?;
        if location.issuer.is_some() && name.key == DISCOVERY {
            return Err(Error::usage(format!(
                "with --issuer, the key {DISCOVERY} is that of the discovery document"
            ))
            .hint("write another key into --url, such as jwks.json"));
        }
        Ok(())
    },
    // Without an endpoint, the first call finds the server.
    base: |location| {
        let endpoint = location.endpoint.as_deref();
        parse_address(endpoint.unwrap_or("https://kubernetes.default.svc"))
    },
    open: |client, location, token| {
        if let Some(token) = token {
            client.authorize("Bearer", token);
        }
        let has_own = token.is_some() || client.has_certificate();
        let caller = match client.headers("authorization").next() {
            None if !has_own => Caller::Found,
            _ => Caller::Client,
        };
        let api = match location.endpoint {
            Some(_) => Api::at(client, caller),
            None => Api::sought(client, caller),
        };
        let name = Name::of(location)?;
        let site = Site::of([&name.key]);
        let seen = RefCell::default();
        Published::boxed(Holder { api, name, seen }, location, &site)
    },
    ..COMMON
};

/// The object that holds the documents.
struct Holder {
    api: Api,
    name: Name,
    seen: RefCell<Seen>,
}

/// What is known of the object.
#[derive(Default)]
struct Seen {
    /// The object after the last call; `None` if it does not exist.
    object: Option<Object>,
    /// The version of the object when each document was read; `None` if the object did not exist.
    keys: Option<String>,
    discovery: Option<String>,
    /// The versions of the object before and after each of our own writes.
    own: Vec<(Option<String>, String)>,
}

impl Seen {
    fn version(&mut self, document: Document) -> &mut Option<String> {
        match document {
            Document::Keys => &mut self.keys,
            Document::Discovery => &mut self.discovery,
        }
    }

    /// Returns the version that an older one has become by our own writes alone. Both documents are in one object, so
    /// a write of one changes the version of the other.
    fn after_own_writes(&self, mut version: Option<String>) -> Option<String> {
        for (before, after) in &self.own {
            if *before == version {
                version = Some(after.clone());
            }
        }
        version
    }
}

impl Holder {
    fn key(&self, document: Document) -> &str {
        match document {
            Document::Keys => &self.name.key,
            Document::Discovery => DISCOVERY,
        }
    }

    fn request(&self, method: Method, name: Option<&str>) -> Request {
        let resource = self.name.resource.plural();
        let path = ["api", "v1", "namespaces", &self.name.namespace, resource];
        Request::new(method, path.into_iter().chain(name))
    }

    /// Refuses what Kubernetes or a ConfigMap cannot take, before it is sent.
    fn refuse_unfit(&self, document: Document, text: &str) -> Result<()> {
        let name = &self.name;
        if document == Document::Keys && name.resource == Resource::ConfigMap {
            let set = import::read_set(text.as_bytes())?;
            if set.keys.iter().any(holds_secret) {
                return Err(Error::refused(format!(
                    "{name} is not for secrets, and the set has a private or symmetric key"
                ))
                .hint("use a Secret (--url secret://NAMESPACE/NAME), or leave out --private-all"));
            }
        }
        let seen = self.seen.borrow();
        let Some(object) = &seen.object else {
            return Ok(());
        };
        if object.is_of_keystore {
            return Err(Error::refused(format!(
                "{name} is a set of a keystore in Kubernetes, whose private keys would be lost"
            ))
            .hint("publish in another object"));
        }
        if object.is_immutable {
            return Err(Error::refused(format!("{name} is immutable"))
                .hint("delete it with kubectl, then run the command again"));
        }
        Ok(())
    }

    /// Refuses an object of more than 1 MiB.
    fn refuse_large(&self, document: Document, text: &str) -> Result<()> {
        let seen = self.seen.borrow();
        let others = seen.object.as_ref();
        let others = others.map_or(0, |object| object.size_without(self.key(document)));
        let size = others + text.len();
        if size <= LIMIT {
            return Ok(());
        }
        let name = &self.name;
        Err(Error::refused(format!(
            "{name} would have {size} bytes, of which {others} bytes are other keys of its data; Kubernetes allows {LIMIT}"
        ))
        .hint("publish fewer keys, or in an object of their own"))
    }

    /// Returns the error for an answer that is no success. `verb` is what the role has to allow.
    fn refusal(&self, answer: &Answer, verb: &str) -> Error {
        let usual = answer.error();
        let (namespace, resource) = (&self.name.namespace, self.name.resource.plural());
        let is_of_role = |words: &String| words.contains(" cannot ");
        match answer.status {
            403 if answer.words.as_ref().is_some_and(is_of_role) => {
                let limit = match verb {
                    "create" => "; a role cannot limit create to a name",
                    _ => "",
                };
                Error::denied(usual.to_string()).hint(format!(
                    "the role needs the verb {verb} on {resource} in the namespace {namespace}{limit}"
                ))
            }
            // The usual hint would blame the role for a full quota.
            403 => Error::denied(usual.to_string()),
            404 if is_missing(answer) && verb == "create" => Error::remote(usual.to_string())
                .hint(format!("check that the namespace {namespace} exists")),
            404 => Error::remote(usual.to_string()).hint("check the address of the API server"),
            // The server can have carried it out.
            500.. if verb != "get" => Error::remote(usual.to_string())
                .because(Reason::Unanswered)
                .hint(
                    "the server may have made the change: check before you run the command again",
                ),
            422 => Error::remote(usual.to_string())
                .hint("an object can have at most 1 MiB, and an immutable one cannot be changed"),
            _ => usual,
        }
    }
}

impl Place for Holder {
    fn client(&self) -> &Client {
        self.api.client()
    }

    fn read(&self, document: Document) -> Result<Option<Stored>> {
        let request = self.request(Method::GET, Some(&self.name.name));
        let answer = self.api.send(&request)?;
        let mut seen = self.seen.borrow_mut();
        if is_missing(&answer) {
            seen.object = None;
            seen.own.retain(|(before, _)| before.is_some());
            *seen.version(document) = None;
            return Ok(None);
        }
        if !answer.is_success() {
            return Err(self.refusal(&answer, "get"));
        }
        let (object, text) = self.name.read(&answer, self.key(document))?;
        let version = Some(object.version.clone());
        *seen.version(document) = version.clone();
        seen.object = Some(object);
        Ok(text.map(|body| Stored {
            body,
            version,
            content_type: None,
            cache_control: None,
            caching: Caching::default(),
            call: answer.call,
        }))
    }

    fn write(&self, document: Document, content: &Content, condition: Condition) -> Result<()> {
        let text = content.text.expose();
        self.refuse_unfit(document, text)?;
        self.refuse_large(document, text)?;
        let mut seen = self.seen.borrow_mut();
        let read = match condition {
            Condition::Unchanged(version) => Some(version.to_owned()),
            Condition::Absent | Condition::Unknown => seen.version(document).clone(),
        };
        let before = seen.after_own_writes(read);
        let value = self.name.resource.encode(text);
        if self.name.resource == Resource::Secret {
            self.client().hide_keys(text);
            self.api.hide(value.expose());
        }
        let body = self
            .name
            .body(self.key(document), &value, before.as_deref());
        let (request, verb) = match &before {
            None => (
                self.request(Method::POST, None)
                    .body("application/json", body),
                "create",
            ),
            Some(_) => (
                self.request(Method::PATCH, Some(&self.name.name))
                    .body("application/merge-patch+json", body),
                "patch",
            ),
        };
        let answer = self.api.send(&request.query("fieldManager", MANAGER))?;
        match answer.status {
            _ if answer.is_success() => {
                // An answer without the object leaves the old version, with which no later write succeeds.
                if let Ok((object, _)) = self.name.read(&answer, self.key(document)) {
                    seen.own.push((before, object.version.clone()));
                    seen.object = Some(object);
                }
                Ok(())
            }
            409 => Err(overtaken(&answer)),
            // The object was deleted.
            404 if is_missing(&answer) && before.is_some() => Err(overtaken(&answer)),
            _ => Err(self.refusal(&answer, verb)),
        }
    }

    fn note(&self) -> Option<String> {
        Some(format!("in the key {} of {}", self.name.key, self.name))
    }

    fn identity(&self) -> Option<String> {
        self.api.identity().map(str::to_owned)
    }

    /// The first versions of a cluster are those of its own objects.
    fn no_version(&self) -> &'static str {
        "1"
    }

    fn keeps_headers(&self) -> bool {
        false
    }
}
