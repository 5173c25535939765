//! Servers that publish a JWK Set as a document for verifiers, and the discovery document of its issuer.
//!
//! A kind says where the documents are and how they are read and written ([`place::Place`]). This module has
//! the rules for all of them: the document has the text of an export, every write has the condition that
//! nothing has changed since the last reading, and what is as wanted is not written. Keys are added before the
//! discovery document names their algorithm, and removed after it no longer does.

pub mod object;
pub mod place;
pub mod site;

use crate::error::{Error, ErrorKind, Reason, Result};
use crate::key::Key;
use crate::keyset::KeySet;
use crate::keyset::discovery;
use crate::keyset::index::Index;
use crate::keyset::publish::pretty_set_with;
use crate::remote::http::{Caching, Event};
use crate::remote::kind::{Form, Presentation, Server};
use crate::remote::location::Location;
use crate::secret::Secret;
use place::{Condition, Content, Document, Place, Stored};
use site::Site;
use std::cell::{Cell, RefCell};

/// The name of the only set.
const SET: &str = "jwks";

/// The issuer whose discovery document is published, too.
struct Issuer {
    issuer: String,
    jwks_uri: String,
}

/// A server that publishes documents at a place.
pub struct Published<P> {
    place: P,
    issuer: Option<Issuer>,
    cache_control: RefCell<String>,
    /// The JWK Set that was read last; `None` if it does not exist.
    read: RefCell<Option<Stored>>,
    /// The cache lifetime with which the replaced JWK Set was served, in seconds. Caches keep it for that long.
    replaced: Cell<Option<u64>>,
}

/// A change to the discovery document.
struct Change {
    replaces: Option<Stored>,
    text: Secret<String>,
}

impl<P: Place + 'static> Published<P> {
    /// Makes a server. Returns an error if both documents would have the same address.
    pub fn boxed(place: P, location: &Location, site: &Site) -> Result<Box<dyn Server>> {
        let issuer = location.issuer.clone();
        if issuer.is_some() && site.keys() == site.discovery() {
            return Err(Error::usage(
                "the JWK Set and the discovery document have the same address",
            )
            .hint("name the JWK Set otherwise, such as jwks.json"));
        }
        Ok(Box::new(Published {
            place,
            issuer: issuer.map(|issuer| Issuer {
                jwks_uri: site.jwks_uri(&issuer),
                issuer,
            }),
            cache_control: RefCell::default(),
            read: RefCell::default(),
            replaced: Cell::new(None),
        }))
    }
}

impl<P: Place> Published<P> {
    fn read(&self) -> Result<Option<KeySet<'static>>> {
        let stored = self.place.read(Document::Keys)?;
        let set = stored.as_ref().map(Stored::key_set).transpose();
        self.read.replace(stored);
        set
    }

    /// Writes a document, unless it is there as wanted.
    fn write(
        &self,
        document: Document,
        text: &Secret<String>,
        stored: Option<&Stored>,
    ) -> Result<()> {
        if stored.is_some_and(|stored| self.differs(document, stored, text.expose()).is_none()) {
            return Ok(());
        }
        let condition = Condition::of(stored);
        if let Condition::Unknown = condition {
            self.warn(&format!(
                "{} tells no version of {}, so the change of another writer at this moment would be lost",
                self.place.client().name(),
                document.description()
            ));
        }
        let cache_control = self.cache_control.borrow();
        let content = Content {
            text,
            media_type: document.media_type(),
            cache_control: &cache_control,
        };
        if document == Document::Keys {
            let lifetime = stored.and_then(|stored| stored.caching.lifetime());
            self.replaced.set(self.replaced.get().max(lifetime));
        }
        self.send(document, &content, stored)
    }

    /// Sends a write. If there is no answer, reads the document: the write can have been carried out.
    fn send(&self, document: Document, content: &Content, stored: Option<&Stored>) -> Result<()> {
        let condition = Condition::of(stored);
        let error = match self.place.write(document, content, condition) {
            Err(error) if error.is_because(Reason::Unanswered) => error,
            outcome => return outcome,
        };
        let Ok(now) = self.place.read(document) else {
            return Err(error);
        };
        let now = now.as_ref();
        if now.is_some_and(|now| now.is(content.text.expose())) {
            Ok(())
        } else if now.map(|now| now.body.expose()) == stored.map(|stored| stored.body.expose()) {
            // It was not carried out. Its condition lets the server carry it out only once.
            self.place.write(document, content, condition)
        } else {
            Err(error)
        }
    }

    /// Writes the JWK Set and reads it back, for another write after it.
    fn write_and_read(&self, set: &KeySet) -> Result<()> {
        let text = text_of(set)?;
        self.write(Document::Keys, &text, self.read.borrow().as_ref())?;
        let stored = self.place.read(Document::Keys)?;
        if !stored
            .as_ref()
            .is_some_and(|stored| stored.is(text.expose()))
        {
            return Err(self
                .not_as_written(Document::Keys)
                .because(Reason::Overtaken));
        }
        self.read.replace(stored);
        Ok(())
    }

    /// Returns the first difference between a document and what is wanted.
    fn differs(&self, document: Document, stored: &Stored, text: &str) -> Option<String> {
        if !stored.is(text) {
            return Some("its text".to_owned());
        }
        if !self.place.keeps_headers() {
            return None;
        }
        let media_type = document.media_type();
        if stored.content_type.as_deref() != Some(media_type) {
            return Some(format!("its Content-Type, to {media_type}"));
        }
        let cache_control = self.cache_control.borrow();
        let is_same = stored.cache_control.as_deref() == Some(&**cache_control);
        (!is_same).then(|| format!("its Cache-Control, to {cache_control}"))
    }

    /// Returns the change to the discovery document for a set; `None` if it is as wanted, or if there is no
    /// issuer.
    fn discovery_change(&self, set: &KeySet) -> Result<Option<Change>> {
        let Some(Issuer { issuer, jwks_uri }) = &self.issuer else {
            return Ok(None);
        };
        let stored = self.place.read(Document::Discovery)?;
        let there = stored.as_ref().map(|stored| stored.body.expose());
        let there = there.map(|body| std::str::from_utf8(body).unwrap_or_default());
        let algorithms = discovery::algorithms(set);
        let text = discovery::document(issuer, jwks_uri, &algorithms, there)?;
        let is_wanted =
            |stored: &Stored| self.differs(Document::Discovery, stored, &text).is_none();
        let change = (!stored.as_ref().is_some_and(is_wanted)).then(|| Change {
            replaces: stored,
            text: Secret::new(text),
        });
        Ok(change)
    }

    fn write_keys(&self, set: &KeySet) -> Result<()> {
        self.write(Document::Keys, &text_of(set)?, self.read.borrow().as_ref())
    }

    fn write_discovery(&self, change: &Change) -> Result<()> {
        self.write(Document::Discovery, &change.text, change.replaces.as_ref())
    }

    fn not_as_written(&self, document: Document) -> Error {
        let (name, what) = (self.place.client().name(), document.description());
        Error::remote(format!(
            "{name} accepted the change, but {what} there differs from what was sent"
        ))
        .hint("a cache can serve an old copy, or somebody else wrote; run the command again")
    }

    fn warn(&self, text: &str) {
        (self.place.client().options().notify)(Event::Warning(text));
    }
}

/// Returns the text of an export of a set. Returns an error if an entry of the set is no JSON object.
fn text_of(set: &KeySet) -> Result<Secret<String>> {
    let members = |key: &Key| match key.members() {
        Ok(members) => Ok(members.into_owned()),
        Err(_) => Err(
            Error::invalid("an entry of the set is not a JSON object that can be read")
                .hint("nothing was written; run `jwks check` on the set"),
        ),
    };
    let keys: Vec<_> = set.keys.iter().map(members).collect::<Result<_>>()?;
    Ok(Secret::new(pretty_set_with(&keys, set.members())))
}

/// Returns the keys of both sets. Those of `after` come first.
fn union(before: &KeySet, after: &KeySet) -> KeySet<'static> {
    let mut both = after.clone().into_owned();
    let index = Index::of(after);
    let gone = before.keys.iter().filter(|key| !index.has(key));
    let gone: Vec<_> = gone.cloned().map(Key::into_owned).collect();
    both.keys.extend(gone);
    both
}

impl<P: Place> Server for Published<P> {
    fn test(&self) -> Result<String> {
        let keys = self.read()?.map(|set| set.keys.len());
        let found = match keys {
            Some(keys) => format!("a JWK Set; keys: {keys}"),
            None => "no document yet; a push creates it".to_owned(),
        };
        let found = match self.place.note() {
            Some(note) => format!("{found}; {note}"),
            None => found,
        };
        let stored = self.read.borrow();
        let has_version = stored
            .as_ref()
            .is_none_or(|stored| stored.version.is_some());
        Ok(if has_version {
            found
        } else {
            format!("{found}; the server tells no version of it, so writes have no condition")
        })
    }

    fn identity(&self) -> Option<String> {
        self.place.identity()
    }

    fn address(&self) -> Option<String> {
        Some(self.place.client().base())
    }

    fn sets(&self) -> Result<Vec<String>> {
        Ok(vec![SET.to_owned()])
    }

    fn get(&self, _: &str, _: Form) -> Result<Option<KeySet<'static>>> {
        self.read()
    }

    fn put_set(&self, _: &str, before: &KeySet, after: &KeySet) -> Result<()> {
        let Some(change) = self.discovery_change(after)? else {
            return self.write_keys(after);
        };
        let (old, new) = (Index::of(before), Index::of(after));
        let gains = after.keys.iter().any(|key| !old.has(key));
        let loses = before.keys.iter().any(|key| !new.has(key));
        match (gains, loses) {
            (false, true) => {
                self.write_discovery(&change)?;
                self.write_keys(after)
            }
            (true, true) => {
                self.write_and_read(&union(before, after))?;
                self.write_discovery(&change)?;
                self.write_keys(after)
            }
            (_, false) => {
                self.write_and_read(after)?;
                self.write_discovery(&change)
            }
        }
    }

    fn present(&self, presentation: &Presentation) {
        self.cache_control
            .replace(presentation.cache_control.clone());
    }

    fn redrawn(&self, after: &KeySet) -> Result<Option<String>> {
        let stored = self.read.borrow();
        let Some(stored) = stored.as_ref() else {
            return Ok(None);
        };
        if let Some(what) = self.differs(Document::Keys, stored, text_of(after)?.expose()) {
            return Ok(Some(what));
        }
        let change = self.discovery_change(after)?;
        Ok(change.map(|_| "the discovery document".to_owned()))
    }

    fn check_published(&self, after: &KeySet) -> Result<()> {
        let stored = self.read.borrow();
        let text = text_of(after)?;
        match stored.as_ref() {
            Some(stored) if stored.is(text.expose()) => {
                if let Some(what) = self.differs(Document::Keys, stored, text.expose()) {
                    let name = self.place.client().name();
                    self.warn(&format!(
                        "{name} does not keep all headers: a push would change {what} again"
                    ));
                }
            }
            _ => return Err(self.not_as_written(Document::Keys)),
        }
        match self.discovery_change(after)? {
            None => Ok(()),
            Some(_) => Err(self.not_as_written(Document::Discovery)),
        }
    }

    fn lifetime(&self) -> Option<u64> {
        if self.place.keeps_headers() {
            let cache_control = self.cache_control.borrow();
            return Caching::of_cache_control(&cache_control).lifetime();
        }
        self.read.borrow().as_ref()?.caching.lifetime()
    }

    fn replaced_lifetime(&self) -> Option<u64> {
        self.replaced.get()
    }

    fn honors_conditions(&self) -> Result<bool> {
        let stored = self.place.read(Document::Keys)?;
        let Some(stored) = stored else {
            let name = self.place.client().name();
            return Err(Error::of(
                ErrorKind::Refused,
                format!("{name} has no document yet, and a probe writes only what is there"),
            )
            .hint("push a set first"));
        };
        if stored.version.is_none() {
            // Without a version, no write has a condition.
            return Ok(false);
        }
        let text = String::from_utf8(stored.body.expose().clone());
        let text = text.map_err(|_| Error::remote(format!("{} is not text", stored.call)))?;
        let media_type = stored.content_type.as_deref();
        let content = Content {
            text: &Secret::new(text),
            media_type: match media_type {
                Some("application/json") => "application/json",
                _ => Document::Keys.media_type(),
            },
            cache_control: stored.cache_control.as_deref().unwrap_or_default(),
        };
        // No document has this version, so the write must fail.
        let never = Condition::Unchanged(self.place.no_version());
        match self.place.write(Document::Keys, &content, never) {
            Ok(()) => Ok(false),
            Err(error) if error.is_because(Reason::Overtaken) => Ok(true),
            Err(error) => Err(error),
        }
    }
}
