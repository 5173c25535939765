//! The kinds of servers. A new kind needs a file here and a line in [`KINDS`].

mod apinizer;
mod authlete;
mod azure_blob;
mod clerk;
mod gcs;
mod http_put;
pub mod hydra;
mod kubernetes;
pub mod published;
pub mod s3;
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

/// All kinds, in the order in which they are shown.
pub static KINDS: &[&ServerKind] = &[
    &hydra::HYDRA,
    &hydra::HYDRA_V1,
    &hydra::ORY,
    &authlete::AUTHLETE,
    &authlete::AUTHLETE_V2,
    &clerk::CLERK,
    &apinizer::APINIZER,
    &http_put::HTTP_PUT,
    &s3::S3,
    &azure_blob::AZURE_BLOB,
    &gcs::GCS,
    &kubernetes::KUBERNETES,
    &url::URL,
    &url::OIDC,
];

/// An operation on a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// List the sets.
    List,
    /// Get a set or a key.
    Get,
    /// Make the server generate a key.
    Create,
    /// Write a whole set.
    SetSet,
    /// Write one key.
    SetKey,
    /// Delete a whole set.
    DeleteSet,
    /// Delete a key.
    DeleteKey,
    /// Change the signing key in the server's settings.
    NameSigner,
    /// Publish a set as a document for verifiers.
    Publish,
}

impl Operation {
    /// Returns the operation for messages, to follow "cannot".
    pub fn description(self) -> &'static str {
        match self {
            Operation::List => "list sets",
            Operation::Get => "get sets and keys",
            Operation::Create => "generate keys",
            Operation::SetSet => "set whole sets",
            Operation::SetKey => "set keys",
            Operation::DeleteSet => "delete sets",
            Operation::DeleteKey => "delete keys",
            Operation::NameSigner => "change the signing key in the settings",
            Operation::Publish => "publish sets",
        }
    }
}

/// How many sets a server has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sets {
    /// Any number of sets with names.
    Named,
    /// One set, under any name.
    One,
}

/// When calls carry a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Auth {
    /// Never.
    None,
    /// If a token is configured.
    Optional,
    /// If a token is configured. If neither a token nor an endpoint is, the kind finds out who calls.
    Found,
    /// Always.
    Required,
}

/// A kind of server: its name, its settings and its capabilities.
pub struct ServerKind {
    /// The name in `--kind`.
    pub name: &'static str,
    /// A short description.
    pub about: &'static str,
    /// The options of `remote add` for its address.
    pub settings: &'static [&'static str],
    /// When calls carry a token.
    pub auth: Auth,
    /// A description of the token and how it is sent.
    pub token: &'static str,
    /// The environment variables from which the service's own clients read a token.
    pub token_variables: &'static [&'static str],
    /// How many sets it has.
    pub sets: Sets,
    /// The operations that it supports.
    pub can: &'static [Operation],
    /// The role of the server: it only publishes keys, or it holds private keys and signs with them.
    pub origin: Origin,
    /// How it stores keys and picks the one that signs.
    pub rules: ServerRules,
    /// What its calls carry: private keys or only public data.
    pub traffic: Traffic,
    /// Which of its failures are retried.
    pub retries: Retries,
    /// True if the whole address can be a secret, such as a presigned one.
    pub secret_address: bool,
    /// Checks the settings that are specific to the kind.
    pub check: fn(&Location) -> Result<()>,
    /// Returns the base address of the server.
    pub base: fn(&Location) -> Result<::url::Url>,
    /// Makes the server from a client and its token.
    pub open: Open,
}

/// Makes a server from a client, its location, and its token. Makes no calls. Returns an error if the location is
/// not usable.
pub type Open = fn(Client, &Location, Option<&Secret<String>>) -> Result<Box<dyn Server>>;

impl ServerKind {
    /// Returns an error if the kind does not support an operation.
    pub fn require(&self, operation: Operation) -> Result<()> {
        if self.can.contains(&operation) {
            return Ok(());
        }
        let can: Vec<_> = self.can.iter().map(|can| can.description()).collect();
        let (name, cannot) = (self.name, operation.description());
        Err(Error::usage(format!("{name} cannot {cannot}"))
            .hint(format!("{name} can {}", can.join(", "))))
    }
}

impl ServerKind {
    /// Returns an error if a push cannot write sets of this kind.
    pub fn require_push(&self) -> Result<()> {
        if self.can.contains(&Operation::Publish) {
            return Ok(());
        }
        self.require(Operation::SetSet)
    }
}

impl fmt::Debug for ServerKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

/// The form in which keys are requested from a server that supports both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Public keys are enough.
    Public,
    /// With the private and symmetric members.
    Private,
}

/// The options for a key that a server generates. The server chooses those that are `None`.
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
    /// An address from which the server takes the key instead of generating it.
    pub from_url: Option<String>,
}

/// How documents are published.
#[derive(Clone, Debug)]
pub struct Presentation {
    /// The `Cache-Control` header.
    pub cache_control: String,
}

/// A key in a listing without key material.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listed {
    /// The name of its object.
    pub name: String,
    /// Its source, as the server calls it.
    pub source: String,
    /// Its type, as the server calls it.
    pub kind: String,
    /// Its kid, if it has one.
    pub kid: Option<String>,
}

/// The operations of a server. A kind defines only those that it supports, so callers check
/// [`ServerKind::require`] first. The keys of a set are in the same order as on the server.
pub trait Server {
    /// Makes one call that changes nothing. Returns a description of what it found.
    fn test(&self) -> Result<String>;

    /// Returns how the server knows who calls, if that was found out without a token of the remote.
    fn identity(&self) -> Option<String> {
        None
    }

    /// Returns the address of the calls, if it can have been found out after the server was opened.
    fn address(&self) -> Option<String> {
        None
    }

    /// Refuses a server of another kind before a write, if one call can detect it.
    fn refuse_other_kind(&self) -> Result<()> {
        Ok(())
    }

    /// Returns how this server stores the keys of these sets, if its version differs from its kind.
    fn rules(&self, _sets: &[&KeySet]) -> Option<ServerRules> {
        None
    }

    /// Returns the names of its sets. A kind with one set returns its name for that.
    fn sets(&self) -> Result<Vec<String>> {
        undefined()
    }

    /// Returns the listing of its only set without key material; `None` if it has no such listing.
    fn listed(&self) -> Result<Option<Vec<Listed>>> {
        Ok(None)
    }

    /// Reads a set. Returns `None` if it does not exist.
    fn get(&self, set: &str, form: Form) -> Result<Option<KeySet<'static>>>;

    /// Generates a key in a set, and returns a set of only that key.
    fn generate(&self, _set: &str, _key: &Generate) -> Result<KeySet<'static>> {
        undefined()
    }

    /// Writes a set. `before` is the set that was read before.
    fn put_set(&self, _set: &str, _before: &KeySet, _after: &KeySet) -> Result<()> {
        undefined()
    }

    /// Returns the kids of the signing keys in its settings.
    fn signature_kids(&self) -> Result<Vec<String>> {
        Ok(Vec::new())
    }

    /// Writes a set as `put_set` does. In the server's settings, replaces the first kid of each pair by
    /// the second one.
    fn put_set_and_name(
        &self,
        _set: &str,
        _before: &KeySet,
        _after: &KeySet,
        _kids: &[(String, String)],
    ) -> Result<()> {
        undefined()
    }

    /// Returns false if no key signs in the set that was read last, although a key pair comes first.
    /// Only Hydra 1.x can be in that state.
    fn is_in_order(&self) -> bool {
        true
    }

    /// Adds a key to a set, or replaces the key with its kid.
    fn put_key(&self, _set: &str, _before: &KeySet, _key: &Key) -> Result<()> {
        undefined()
    }

    /// Deletes an existing set.
    fn delete_set(&self, _set: &str, _before: &KeySet) -> Result<()> {
        undefined()
    }

    /// Sets how documents are published from now on. Other kinds than those that publish ignore it.
    fn present(&self, _presentation: &Presentation) {}

    /// Returns what a write would change in the published documents besides the keys; `None` if nothing.
    /// `after` is the set to publish. Uses the document that was read last.
    fn redrawn(&self, _after: &KeySet) -> Result<Option<String>> {
        Ok(None)
    }

    /// Checks after a write that the published documents are as written. Uses the document that was read
    /// last.
    fn check_published(&self, _after: &KeySet) -> Result<()> {
        Ok(())
    }

    /// Returns the cache lifetime of the published document, in seconds; `None` if it is not known.
    fn lifetime(&self) -> Option<u64> {
        None
    }

    /// Returns the longest cache lifetime of the documents that were replaced, in seconds; `None` if it is not known.
    fn replaced_lifetime(&self) -> Option<u64> {
        None
    }

    /// Finds out whether the server honors the condition of a write, by a write that changes nothing.
    fn honors_conditions(&self) -> Result<bool> {
        undefined()
    }

    /// Deletes existing keys.
    fn delete_keys(&self, _set: &str, _before: &KeySet, _keys: &[Key]) -> Result<()> {
        undefined()
    }
}

fn undefined<T>() -> Result<T> {
    Err(Error::usage("this kind of server cannot do that"))
}
