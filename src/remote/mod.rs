//! Key sets on servers: the operations of the keystore, as far as a server's API supports them.
//!
//! [`kind`] has a file for each kind of server, and [`http`] the rules for all calls. This module has the
//! rules for all operations: unsupported ones fail before the first call, a write fails if the set has
//! changed since it was read, and every write is read back.

pub mod cluster;
mod discovery;
pub mod entry;
mod failed_write;
pub mod http;
pub mod kind;
pub mod location;
mod read_back;
pub mod registry;
pub mod token;
mod write;

use crate::error::{Error, Reason, Result};
use crate::key::Key;
use crate::keyset::KeySet;
use crate::keyset::index::Index;
use crate::keyset::key_name::KeyName;
use crate::keyset::server_rules::ServerRules;
use crate::secret::Secret;
use entry::{Entry, TOKEN, split_header};
use http::{Caching, Client, Endpoint, Notify, Options, Privacy, Watch};
use kind::{Auth, Form, Generate, Listed, Operation, Presentation, Server, ServerKind};
use location::{Location, parse_secret_address};
use std::cell::{Cell, RefCell};
use token::Token;
use url::Url;

/// A server with its connection.
pub struct Remote {
    /// The remote's name, or its address.
    pub name: String,
    /// The kind of server.
    pub kind: &'static ServerKind,
    /// The source of its token for messages; `None` if it has no token.
    pub token_source: Option<String>,
    /// The `Cache-Control` header of the documents that it publishes, if the entry has one.
    pub cache_control: Option<String>,
    server: Box<dyn Server>,
    notify: Notify,
    watch: Watch,
    /// The address for display with which it was opened.
    address: String,
    /// The number of keys that were read.
    keys_read: Cell<usize>,
    /// The set after the last write, if it was read back.
    left: RefCell<Option<KeySet<'static>>>,
}

/// Returns the entry for an address in place of a name. Fails as `location::parse_address` does.
pub fn entry_of_address(address: &str) -> Result<Entry> {
    let url = location::parse_address(address)?;
    Ok(Entry {
        name: http::show(&url),
        kind: "url".into(),
        location: Location {
            url: Some(address.to_owned()),
            ..Location::default()
        },
        ..Entry::default()
    })
}

/// Returns the entry of an issuer that has no name, whose discovery document must name it. Returns an error if it is
/// not an address.
pub fn entry_of_issuer(issuer: &str) -> Result<Entry> {
    let url = location::parse_address(issuer)?;
    Ok(Entry {
        name: http::show(&url),
        kind: "oidc".into(),
        location: Location {
            issuer: Some(issuer.to_owned()),
            ..Location::default()
        },
        ..Entry::default()
    })
}

/// Returns an address for display, without secrets.
pub fn shown_address(address: &str) -> String {
    Url::parse(address).map_or_else(|_| address.to_owned(), |url| http::show(&url))
}

/// Returns true if a text is an address, not a name.
pub fn is_address(text: &str) -> bool {
    text.starts_with("https://") || text.starts_with("http://")
}

/// Fetches a document from an address, without a token. The address of an issuer leads to its JWK Set.
/// Returns an error for an unsuccessful status.
pub fn fetch(address: &str, options: Options) -> Result<Secret<Vec<u8>>> {
    Ok(fetch_with_caching(address, options)?.0)
}

/// Fetches a document as [`fetch`] does, and returns also for how long caches can use it.
pub fn fetch_with_caching(address: &str, options: Options) -> Result<(Secret<Vec<u8>>, Caching)> {
    let entry = entry_of_address(address)?;
    let client = client(&entry, entry.kind()?, None, options)?;
    let accept = "application/jwk-set+json, application/json, */*";
    let answer = discovery::get(&client, address, accept)?;
    Ok((answer.body, answer.caching))
}

impl Remote {
    /// Returns the server of an entry. Makes no calls. Returns an error if a required token is missing.
    pub fn open(entry: &Entry, token: Option<Token>, options: Options) -> Result<Remote> {
        let kind = entry.kind()?;
        if token.is_none() && kind.auth == Auth::Required {
            return Err(token::missing(entry, kind));
        }
        let (watch, notify) = (options.watch.clone(), options.notify.clone());
        let client = client(entry, kind, token.as_ref(), options)?;
        let address = client.base();
        // If the token is part of a header or the address, it is not sent as a bearer token, too.
        let is_placed =
            entry.has_secret_address() || entry.headers.iter().any(|header| header.contains(TOKEN));
        let secret = token.as_ref().map(|token| &token.secret);
        Ok(Remote {
            name: entry.name.clone(),
            kind,
            address,
            cache_control: entry.location.cache_control.clone(),
            server: (kind.open)(client, &entry.location, secret.filter(|_| !is_placed))?,
            token_source: token.map(|token| token.source),
            notify,
            watch,
            keys_read: Cell::default(),
            left: RefCell::default(),
        })
    }

    /// Makes one call that changes nothing. Returns what it found, in words.
    pub fn test(&self) -> Result<String> {
        self.server.test()
    }

    /// Returns its address for display.
    pub fn address(&self) -> String {
        let address = self.server.address();
        address.unwrap_or_else(|| self.address.clone())
    }

    /// Returns how the server knows who calls, if that was found out without a token of the remote.
    pub fn identity(&self) -> Option<String> {
        self.server.identity()
    }

    /// Returns how this server stores keys. Asks the server for its version if these sets have members
    /// that not every version keeps.
    pub fn rules(&self, sets: &[&KeySet]) -> ServerRules {
        self.server.rules(sets).unwrap_or(self.kind.rules)
    }

    /// Returns the names of its sets.
    pub fn sets(&self) -> Result<Vec<String>> {
        self.kind.require(Operation::List)?;
        self.server.sets()
    }

    /// Returns its listing of keys without key material; `None` if it has no such listing.
    pub fn listed(&self) -> Result<Option<Vec<Listed>>> {
        self.kind.require(Operation::List)?;
        self.server.listed()
    }

    /// Reads a set, without the members that only jwks sets; `None` if it does not exist.
    pub fn get(&self, set: &str, form: Form) -> Result<Option<KeySet<'static>>> {
        self.kind.require(Operation::Get)?;
        let found = self.server.get(set, form)?;
        let number = found.as_ref().map_or(0, |set| set.keys.len());
        self.keys_read.set(self.keys_read.get() + number);
        Ok(found.map(KeySet::without_own_members))
    }

    /// Returns the number of keys that this run has read from the server.
    pub fn keys_read(&self) -> usize {
        self.keys_read.get()
    }

    /// Reads a set. Returns an error if it does not exist.
    pub fn load(&self, set: &str, form: Form) -> Result<KeySet<'static>> {
        self.get(set, form)?
            .ok_or_else(|| Error::not_found(format!("no set {set} on {}", self.name)))
    }

    /// Makes the server generate a key in a set, and returns a set of only that key.
    pub fn generate(&self, set: &str, key: &Generate) -> Result<KeySet<'static>> {
        self.kind.require(Operation::Create)?;
        let made = self.server.generate(set, key)?;
        let now = self.get(set, Form::Private)?.unwrap_or_default();
        let index = Index::of(&now);
        for key in &made.keys {
            if !index.has(key) {
                let name = KeyName::of(key);
                let name = name.handle().unwrap_or("without a kid");
                return Err(self.not_as_written(&format!("the key {name:?} is missing")));
            }
        }
        self.watch.settle();
        Ok(made)
    }

    /// Changes a set to `after`, if it is still `before`.
    pub fn put_set(&self, set: &str, before: &KeySet, after: &KeySet) -> Result<()> {
        self.kind.require_push()?;
        self.write(set, before, after, || {
            self.server.put_set(set, before, after)
        })
    }

    /// Sets how documents are published from now on.
    pub fn present(&self, presentation: &Presentation) {
        self.server.present(presentation);
    }

    /// Returns what a write would change in the published documents besides the keys; `None` if nothing.
    /// Uses the document that was read last.
    pub fn redrawn(&self, after: &KeySet) -> Result<Option<String>> {
        self.server.redrawn(after)
    }

    /// Returns the longest cache lifetime of the documents that were replaced, in seconds; `None` if it is not known.
    pub fn replaced_lifetime(&self) -> Option<u64> {
        self.server.replaced_lifetime()
    }

    /// Returns the cache lifetime of the published document, in seconds; `None` if it is not known.
    pub fn lifetime(&self) -> Option<u64> {
        self.server.lifetime()
    }

    /// Finds out whether the server honors the condition of a write, by a write that changes nothing.
    pub fn honors_conditions(&self) -> Result<bool> {
        self.kind.require(Operation::Publish)?;
        self.server.honors_conditions()
    }

    /// Returns false if no key signs in the set that was read last, although a key pair comes first.
    pub fn is_in_order(&self) -> bool {
        self.server.is_in_order()
    }

    /// Returns the kids of the signing keys in its settings; empty if it has no such settings.
    pub fn signature_kids(&self) -> Result<Vec<String>> {
        if self.kind.can.contains(&Operation::NameSigner) {
            self.server.signature_kids()
        } else {
            Ok(Vec::new())
        }
    }

    /// Changes a set to `after`, if it is still `before`. In the server's settings, replaces the first kid of
    /// each pair by the second one.
    pub fn put_set_and_name(
        &self,
        set: &str,
        before: &KeySet,
        after: &KeySet,
        kids: &[(String, String)],
    ) -> Result<()> {
        if kids.is_empty() {
            return self.put_set(set, before, after);
        }
        self.kind.require(Operation::NameSigner)?;
        self.write(set, before, after, || {
            self.server.put_set_and_name(set, before, after, kids)
        })
    }

    /// Adds a key to a set, or replaces the key with its kid, if the set is still `before`.
    pub fn put_key(&self, set: &str, before: &KeySet, key: &Key) -> Result<()> {
        self.kind.require(Operation::SetKey)?;
        let mut after = before.with(key);
        if self.kind.rules.order_decides() {
            // A server puts a key that is written by itself first, as the newest.
            after.keys.retain(|other| other != key);
            after.keys.insert(0, key.clone().into_owned());
            self.kind.rules.put_a_pair_first(&mut after);
        }
        self.write(set, before, &after, || {
            self.server.put_key(set, before, key)
        })
    }

    /// Deletes a set, if it is still `before`.
    pub fn delete_set(&self, set: &str, before: &KeySet) -> Result<()> {
        self.kind.require(Operation::DeleteSet)?;
        self.write(set, before, &KeySet::default(), || {
            self.server.delete_set(set, before)
        })
    }

    /// Deletes keys of a set, if it is still `before`.
    pub fn delete_keys(&self, set: &str, before: &KeySet, keys: &[Key]) -> Result<()> {
        self.kind.require(Operation::DeleteKey)?;
        let mut after = before.without(keys);
        self.kind.rules.put_a_pair_first(&mut after);
        self.write(set, before, &after, || {
            self.server.delete_keys(set, before, keys)
        })
    }

    fn overtaken(&self, set: &str) -> Error {
        let message = format!("{set} on {} was changed meanwhile", self.name);
        let error = if self.kind.rules.publishes {
            Error::remote(message)
        } else {
            Error::refused(message)
        };
        error
            .because(Reason::Overtaken)
            .hint("run the command again")
    }

    fn not_as_written(&self, what: &str) -> Error {
        Error::remote(format!(
            "{} accepted the change, but its set differs from what was sent: {what}",
            self.name
        ))
        .hint("run `jwks diff` to see what it has, then run the command again")
    }
}

fn client(
    entry: &Entry,
    kind: &ServerKind,
    token: Option<&Token>,
    options: Options,
) -> Result<Client> {
    let mut headers = Vec::new();
    for header in &entry.headers {
        let (name, value) = split_header(header)?;
        let value = match (value.contains(TOKEN), token) {
            (false, _) => value.to_owned(),
            (true, Some(token)) => value.replace(TOKEN, token.secret.expose()),
            (true, None) => return Err(token::missing(entry, kind)),
        };
        headers.push((name.to_owned(), Secret::new(value)));
    }
    let (base, privacy) = match (entry.has_secret_address(), token) {
        (false, _) => ((kind.base)(&entry.location)?, Privacy::Shown),
        (true, Some(token)) => (parse_secret_address(&token.secret)?, Privacy::Secret),
        (true, None) => return Err(token::missing(entry, kind)),
    };
    let endpoint = Endpoint {
        name: entry.name.clone(),
        base,
        privacy,
        headers,
        traffic: kind.traffic,
        retries: kind.retries,
        trust: entry.trust(),
    };
    let client = Client::new(endpoint, options);
    if let Some(token) = token {
        let secret = token.secret.expose();
        client.hide(secret);
        // If the token is a name and a password, the password by itself is secret, too.
        if let Some((_, password)) = secret.split_once(':') {
            client.hide(password);
        }
    }
    Ok(client)
}
