//! Key sets on servers: the verbs of the keystore, as far as a server's API goes.
//!
//! [`kind`] holds one file for each kind of server, [`http`] the rules that all of them share,
//! and this module what holds for every operation: what a kind cannot do is said beforehand, what
//! was decided on must still be so when it is written, and what was written is read back.

pub mod entry;
pub mod http;
pub mod kind;
pub mod place;
pub mod registry;
pub mod token;

use crate::error::{Error, Result};
use crate::key::Key;
use crate::key::summary::Header;
use crate::keyset::KeySet;
use crate::keyset::index::Index;
use crate::keyset::merge::KeyName;
use crate::secret::Secret;
use entry::{Entry, TOKEN, split_header};
use http::{Client, Endpoint, Options, Privacy, Watch};
use kind::{Auth, Form, Generate, Kind, Listed, Operation, Server};
use place::{Place, parse_secret_address};
use token::Token;

/// A server that can be asked.
pub struct Remote {
    /// The remote's name, or the address that stands for it.
    pub name: String,
    /// What kind of server it is.
    pub kind: &'static Kind,
    /// Where its token came from, in words; `None` where it has none.
    pub token_source: Option<String>,
    /// Its address, for people's eyes.
    pub address: String,
    server: Box<dyn Server>,
    watch: Watch,
}

/// Which key may sign after a write, where the order decides it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Signer {
    /// The one that was first in what was written.
    Same,
    /// Whichever: the server decides where a single key goes.
    Any,
}

/// The entry that an address in place of a name stands for.
pub fn entry_of_address(address: &str) -> Result<Entry> {
    let url = place::parse_address(address)?;
    Ok(Entry {
        name: http::show(&url),
        kind: "url".into(),
        place: Place {
            url: Some(url.into()),
            ..Place::default()
        },
        ..Entry::default()
    })
}

/// Whether a text is an address, and not the name of something.
pub fn is_address(text: &str) -> bool {
    text.starts_with("https://") || text.starts_with("http://")
}

/// Fetches a document from an address, without any token.
pub fn fetch(address: &str, options: Options) -> Result<Secret<Vec<u8>>> {
    let entry = entry_of_address(address)?;
    let client = client(&entry, entry.kind()?, None, options)?;
    let request =
        http::Request::get([""; 0]).accept("application/jwk-set+json, application/json, */*");
    Ok(client.send(&request)?.success()?.body)
}

impl Remote {
    /// The server of an entry, with its token. Nothing is asked of it yet.
    pub fn open(entry: &Entry, token: Option<Token>, options: Options) -> Result<Remote> {
        let kind = entry.kind()?;
        if token.is_none() && kind.auth == Auth::Required {
            return Err(token::missing(entry, kind));
        }
        let watch = options.watch.clone();
        let client = client(entry, kind, token.as_ref(), options)?;
        let address = client.base();
        // A token that stands somewhere else is not sent as one.
        let is_placed =
            entry.has_secret_address() || entry.headers.iter().any(|header| header.contains(TOKEN));
        let secret = token.as_ref().map(|token| &token.secret);
        Ok(Remote {
            name: entry.name.clone(),
            kind,
            address,
            server: (kind.open)(client, &entry.place, secret.filter(|_| !is_placed)),
            token_source: token.map(|token| token.source),
            watch,
        })
    }

    /// One call that changes nothing; what was found, in words.
    pub fn test(&self) -> Result<String> {
        self.server.test()
    }

    /// The names of its sets.
    pub fn sets(&self) -> Result<Vec<String>> {
        self.kind.require(Operation::List)?;
        self.server.sets()
    }

    /// What it says of its keys without giving them away; `None` where it has no such listing.
    pub fn listed(&self) -> Result<Option<Vec<Listed>>> {
        self.kind.require(Operation::List)?;
        self.server.listed()
    }

    /// A set, without the members that only jwks sets; `None` where it is not there.
    pub fn get(&self, set: &str, form: Form) -> Result<Option<KeySet<'static>>> {
        self.kind.require(Operation::Get)?;
        let found = self.server.get(set, form)?;
        Ok(found.map(KeySet::without_own_members))
    }

    /// The same; it is an error where it is not there.
    pub fn load(&self, set: &str, form: Form) -> Result<KeySet<'static>> {
        self.get(set, form)?
            .ok_or_else(|| Error::not_found(format!("no set {set} on {}", self.name)))
    }

    /// Has a key generated in a set and returns it.
    pub fn generate(&self, set: &str, key: &Generate) -> Result<KeySet<'static>> {
        self.kind.require(Operation::Create)?;
        let made = self.server.generate(set, key)?;
        let now = self.get(set, Form::Private)?.unwrap_or_default();
        let index = Index::of(&now);
        for key in &made.keys {
            if index.copies_of(key).is_empty() {
                let name = KeyName::of(key);
                let name = name.handle().unwrap_or("without a kid");
                return Err(self.not_as_written(&format!("the key {name:?} is not there")));
            }
        }
        self.watch.settle();
        Ok(made)
    }

    /// Makes a set `after`, if it is still `before`.
    pub fn put_set(&self, set: &str, before: &KeySet, after: &KeySet) -> Result<()> {
        self.kind.require(Operation::SetSet)?;
        self.refuse_changed(set, before)?;
        let written = self.server.put_set(set, before, after);
        self.tell_of_loss(set, before, after, written)?;
        self.read_back(set, after, Signer::Same)
    }

    /// The kids of the keys that its settings name to sign with; none where it has no such settings.
    pub fn signature_kids(&self) -> Result<Vec<String>> {
        match self.kind.can.contains(&Operation::NameSigner) {
            true => self.server.signature_kids(),
            false => Ok(Vec::new()),
        }
    }

    /// Makes a set `after`, if it is still `before`. Where the server's settings name the first kid of
    /// a pair to sign with, they name the second one then.
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
        self.refuse_changed(set, before)?;
        let written = self.server.put_set_and_name(set, before, after, kids);
        self.tell_of_loss(set, before, after, written)?;
        self.read_back(set, after, Signer::Same)
    }

    /// Adds a key to a set that is still `before`, or puts it in the place of the one with its kid.
    pub fn put_key(&self, set: &str, before: &KeySet, key: &Key) -> Result<()> {
        self.kind.require(Operation::SetKey)?;
        self.refuse_changed(set, before)?;
        let after = before.with(key);
        let written = self.server.put_key(set, before, key);
        self.tell_of_loss(set, before, &after, written)?;
        self.read_back(set, &after, Signer::Any)
    }

    /// Deletes a set that is still `before`.
    pub fn delete_set(&self, set: &str, before: &KeySet) -> Result<()> {
        self.kind.require(Operation::DeleteSet)?;
        self.refuse_changed(set, before)?;
        let after = KeySet::default();
        let deleted = self.server.delete_set(set, before);
        self.tell_of_loss(set, before, &after, deleted)?;
        self.read_back(set, &after, Signer::Same)
    }

    /// Deletes keys of a set that is still `before`.
    pub fn delete_keys(&self, set: &str, before: &KeySet, keys: &[Key]) -> Result<()> {
        self.kind.require(Operation::DeleteKey)?;
        self.refuse_changed(set, before)?;
        let after = before.without(keys);
        let deleted = self.server.delete_keys(set, before, keys);
        self.tell_of_loss(set, before, &after, deleted)?;
        self.read_back(set, &after, Signer::Same)
    }

    /// Servers know no condition under which a write holds: a look just before it is the best
    /// there is.
    fn refuse_changed(&self, set: &str, before: &KeySet) -> Result<()> {
        let now = self.get(set, Form::Private)?.unwrap_or_default();
        match now.is_alike(before) {
            true => Ok(()),
            false => Err(
                Error::refused(format!("{set} on {} was changed meanwhile", self.name))
                    .hint("run the command again"),
            ),
        }
    }

    /// A write that failed may have done half of its work; some servers lose a set by it.
    fn tell_of_loss(
        &self,
        set: &str,
        before: &KeySet,
        after: &KeySet,
        written: Result<()>,
    ) -> Result<()> {
        let Err(error) = written else {
            return Ok(());
        };
        let Ok(now) = self.get(set, Form::Private) else {
            return Err(error);
        };
        self.watch.settle();
        let now = now.unwrap_or_default();
        let is_done = self.first_difference(&now, after, Signer::Any).is_none();
        if is_done || now.is_alike(before) {
            return Err(error);
        }
        let (had, has) = (before.keys.len(), now.keys.len());
        let restored = || {
            let put_back = self.server.put_set(set, before, before);
            let now = put_back
                .and_then(|()| self.get(set, Form::Private))
                .ok()??;
            now.is_alike(before).then_some(())
        };
        let what = match has {
            0 if !after.keys.is_empty() && restored().is_some() => {
                format!(
                    "{set} on {} was lost by it, and is put back as it was",
                    self.name
                )
            }
            0 => format!("{set} on {} was lost by it", self.name),
            _ => format!("{set} on {} had {had} keys and has {has} now", self.name),
        };
        let advice = error.advice().unwrap_or("run the same command again");
        let hint = format!("{what}; {advice}");
        Err(error.hint(hint))
    }

    /// Compares what a server holds after a write with what was written.
    fn read_back(&self, set: &str, written: &KeySet, signer: Signer) -> Result<()> {
        let unread = |error: Error| {
            let error = Error::remote(format!("cannot see what was written: {error}"));
            error.hint("the server may hold the change already: look before you repeat it")
        };
        let now = self.get(set, Form::Private).map_err(unread)?;
        let now = now.unwrap_or_default();
        match self.first_difference(&now, written, signer) {
            None => {
                self.watch.settle();
                Ok(())
            }
            Some(difference) => Err(self.not_as_written(&difference)),
        }
    }

    fn first_difference(
        &self,
        now: &KeySet,
        written: &KeySet,
        wanted_signer: Signer,
    ) -> Option<String> {
        let storage = &self.kind.storage;
        let name = |key: &Key| {
            KeyName::of(key)
                .handle()
                .unwrap_or("without a kid")
                .to_owned()
        };
        let kid = |key: &Key| {
            let header = Header::of(key);
            header
                .kid
                .map(|kid| (storage.kid)(&kid, header.kty.as_deref()))
        };
        let (there, wanted) = (Index::of(now), Index::of(written));
        for key in &written.keys {
            let copies = there.copies_of(key);
            let copy = copies.iter().find(|i| kid(&now.keys[**i]) == kid(key));
            let Some(copy) = copy.map(|i| &now.keys[*i]) else {
                return Some(format!("the key {:?} is not there", name(key)));
            };
            let members = storage.differences(key, copy);
            if !members.is_empty() {
                let members = members.join(", ");
                return Some(format!("the key {:?} differs in {members}", name(key)));
            }
        }
        let more = now.keys.iter().find(|key| wanted.copies_of(key).is_empty());
        if let Some(key) = more {
            return Some(format!("the key {:?} is there", name(key)));
        }
        let signer = |set| storage.signer(set).map(|key| KeyName::of(key).thumbprint);
        let matters = wanted_signer == Signer::Same;
        (matters && signer(now) != signer(written)).then(|| "another key signs".to_owned())
    }

    fn not_as_written(&self, what: &str) -> Error {
        Error::remote(format!(
            "{} accepted the change, and holds something else: {what}",
            self.name
        ))
        .hint("look at what it holds: jwks get SET --remote, jwks diff; then run the command again")
    }
}

fn client(entry: &Entry, kind: &Kind, token: Option<&Token>, options: Options) -> Result<Client> {
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
        (false, _) => ((kind.base)(&entry.place)?, Privacy::Shown),
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
        // Where it is a name and a password, the password alone is secret too.
        if let Some((_, password)) = secret.split_once(':') {
            client.hide(password);
        }
    }
    Ok(client)
}
