//! The kinds of servers. A new one is a file here and its line in [`KINDS`].

mod apinizer;
mod authlete;
mod clerk;
mod hydra;
pub(super) mod url;

use crate::error::{Error, Result};
use crate::key::Key;
use crate::keyset::KeySet;
use crate::keyset::server_rules::ServerRules;
use crate::keyset::terms::Origin;
use crate::remote::http::{Client, Retries, Traffic};
use crate::remote::location::Location;
use crate::secret::Secret;
use std::fmt;

/// Every kind, in the order in which they are shown.
pub static KINDS: &[&ServerKind] = &[
    &hydra::HYDRA,
    &hydra::HYDRA_V1,
    &hydra::ORY,
    &authlete::AUTHLETE,
    &authlete::AUTHLETE_V2,
    &clerk::CLERK,
    &apinizer::APINIZER,
    &url::URL,
    &url::OIDC,
];

/// What can be done with a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// List its sets.
    List,
    /// Get a set or a key.
    Get,
    /// Have it generate a key.
    Create,
    /// Put a whole set there.
    SetSet,
    /// Put one key there.
    SetKey,
    /// Delete a whole set.
    DeleteSet,
    /// Delete a key.
    DeleteKey,
    /// Have its settings name another key to sign with.
    NameSigner,
}

impl Operation {
    /// The operation in words, behind "cannot".
    pub fn in_words(self) -> &'static str {
        match self {
            Operation::List => "list sets",
            Operation::Get => "get sets and keys",
            Operation::Create => "generate keys",
            Operation::SetSet => "set whole sets",
            Operation::SetKey => "set keys",
            Operation::DeleteSet => "delete sets",
            Operation::DeleteKey => "delete keys",
            Operation::NameSigner => "name the key that signs",
        }
    }
}

/// How many sets a server has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sets {
    /// Any number, each with a name.
    Named,
    /// One, whatever it is called.
    One,
}

/// Whether calls carry a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Auth {
    /// Never.
    None,
    /// Where one is configured.
    Optional,
    /// Always.
    Required,
}

/// A kind of server: what it is called, what it needs, what it can do.
pub struct ServerKind {
    /// The name in `--kind`.
    pub name: &'static str,
    /// What it is, in a few words.
    pub about: &'static str,
    /// The options of `remote add` that say where it is.
    pub settings: &'static [&'static str],
    /// Whether it wants a token.
    pub auth: Auth,
    /// How the token is sent, and what it is, in words.
    pub token: &'static str,
    /// The variables in which the service's own clients look for a token.
    pub token_variables: &'static [&'static str],
    /// How many sets it has.
    pub sets: Sets,
    /// What it can do.
    pub can: &'static [Operation],
    /// Whether the server only publishes keys, or holds private keys and signs with them.
    pub origin: Origin,
    /// What it makes of keys.
    pub rules: ServerRules,
    /// What its calls carry.
    pub traffic: Traffic,
    /// Which of its answers are worth asking again.
    pub retries: Retries,
    /// The address that all of its paths are below.
    pub base: fn(&Location) -> Result<::url::Url>,
    /// The server itself, as far as it goes, with the token that it is to be given.
    pub open: Open,
}

/// Makes a server of a client, the place that is meant, and the token where there is one.
pub type Open = fn(Client, &Location, Option<&Secret<String>>) -> Box<dyn Server>;

impl ServerKind {
    /// Refuses what the kind cannot do.
    pub fn require(&self, operation: Operation) -> Result<()> {
        if self.can.contains(&operation) {
            return Ok(());
        }
        let can: Vec<_> = self.can.iter().map(|can| can.in_words()).collect();
        let (name, cannot) = (self.name, operation.in_words());
        Err(Error::usage(format!("{name} cannot {cannot}"))
            .hint(format!("{name} can {}", can.join(", "))))
    }
}

impl fmt::Debug for ServerKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

/// Which form of its keys a server is asked for, where it gives a choice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Public keys will do.
    Public,
    /// Private and symmetric members too.
    Private,
}

/// A key that a server is to generate; what is `None` is left to it.
#[derive(Clone, Debug, Default)]
pub struct Generate {
    /// The algorithm.
    pub alg: Option<String>,
    /// The type of key.
    pub kty: Option<String>,
    /// The curve.
    pub crv: Option<String>,
    /// The size in bits.
    pub size: Option<u32>,
    /// The use.
    pub usage: Option<String>,
    /// The kid.
    pub kid: String,
    /// An address that the server takes the key from instead.
    pub from_url: Option<String>,
}

/// What a listing without key material says of a key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listed {
    /// The name of the object that holds it.
    pub name: String,
    /// Where the server has it from, in its own words.
    pub source: String,
    /// Its type, in the server's own words.
    pub kind: String,
    /// Its kid, where it has one.
    pub kid: Option<String>,
}

/// A server of some kind. Whoever calls has asked [`ServerKind::require`] first; what a kind does not
/// do it need not define. Sets are JWK Sets with their keys in an order that means the same here
/// and there.
pub trait Server {
    /// One call that changes nothing; what was found, in words.
    fn test(&self) -> Result<String>;

    /// Refuses a server of another kind before a write, if one call can detect it.
    fn refuse_other_kind(&self) -> Result<()> {
        Ok(())
    }

    /// Returns how this server stores the keys of these sets, if its version differs from its kind.
    fn rules(&self, _sets: &[&KeySet]) -> Option<ServerRules> {
        None
    }

    /// The names of its sets; for a kind that has one, how it calls it.
    fn sets(&self) -> Result<Vec<String>> {
        undefined()
    }

    /// What it says of the keys of its only set without giving them away; `None` where it has no
    /// such listing.
    fn listed(&self) -> Result<Option<Vec<Listed>>> {
        Ok(None)
    }

    /// A set; `None` where it is not there.
    fn get(&self, set: &str, form: Form) -> Result<Option<KeySet<'static>>>;

    /// Generates a key in a set and returns what became of it.
    fn generate(&self, _set: &str, _key: &Generate) -> Result<KeySet<'static>> {
        undefined()
    }

    /// Makes a set what is given; `before` is what it was when that was decided.
    fn put_set(&self, _set: &str, _before: &KeySet, _after: &KeySet) -> Result<()> {
        undefined()
    }

    /// The kids of the keys that its settings name to sign with.
    fn signature_kids(&self) -> Result<Vec<String>> {
        Ok(Vec::new())
    }

    /// The same as `put_set`, and where its settings name the first kid of a pair, they name the
    /// second one then.
    fn put_set_and_name(
        &self,
        _set: &str,
        _before: &KeySet,
        _after: &KeySet,
        _kids: &[(String, String)],
    ) -> Result<()> {
        undefined()
    }

    /// Returns false if no key signs in the set that was read last, although its first key is a pair.
    fn is_in_order(&self) -> bool {
        true
    }

    /// Adds a key to a set, or puts it in the place of the one with its kid.
    fn put_key(&self, _set: &str, _before: &KeySet, _key: &Key) -> Result<()> {
        undefined()
    }

    /// Deletes a set that is there.
    fn delete_set(&self, _set: &str, _before: &KeySet) -> Result<()> {
        undefined()
    }

    /// Deletes keys that are there.
    fn delete_keys(&self, _set: &str, _before: &KeySet, _keys: &[Key]) -> Result<()> {
        undefined()
    }
}

fn undefined<T>() -> Result<T> {
    Err(Error::usage("this kind of server cannot do that"))
}
