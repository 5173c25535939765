//! A store that is opened by its first call, so that commands that need no keystore need no credentials either.

use crate::error::Result;
use crate::keystore::SetName;
use crate::keystore::medium::{Found, Item, Outcome, Server, Version};
use crate::remote::http::Options;
use crate::secret::Secret;
use crate::store::address::{Address, Kind};
use crate::store::{kubernetes, s3, vault};
use std::cell::OnceCell;

/// A store that is opened by its first call.
#[derive(Debug)]
pub(super) struct Unopened {
    address: Address,
    options: Options,
    allow_plaintext: bool,
    opened: OnceCell<Box<dyn Server>>,
}

impl Unopened {
    pub fn new(address: Address, options: Options, allow_plaintext: bool) -> Unopened {
        Unopened {
            address,
            options,
            allow_plaintext,
            opened: OnceCell::new(),
        }
    }

    fn server(&self) -> Result<&dyn Server> {
        if let Some(server) = self.opened.get() {
            return Ok(&**server);
        }
        let (address, options) = (&self.address, self.options.clone());
        let opened: Box<dyn Server> = match address.kind {
            Kind::Vault => Box::new(vault::Vault::open(address, options)?),
            Kind::S3 => Box::new(s3::S3::open(address, options)?),
            Kind::Kubernetes => Box::new(kubernetes::Kubernetes::open(address, options)?),
        };
        Ok(&**self.opened.get_or_init(|| opened))
    }
}

impl Server for Unopened {
    fn shown(&self) -> &str {
        &self.address.shown
    }

    fn names(&self) -> Result<Vec<SetName>> {
        self.server()?.names()
    }

    fn read(&self, item: Item) -> Result<Found> {
        self.server()?.read(item)
    }

    fn write(&self, item: Item, text: &Secret<String>, version: &Version) -> Result<Outcome> {
        self.server()?.write(item, text, version)
    }

    fn delete(&self, item: Item, version: &Version) -> Result<Outcome> {
        self.server()?.delete(item, version)
    }

    fn demands_encryption(&self) -> bool {
        self.address.kind == Kind::S3 && !self.allow_plaintext
    }

    fn earlier_versions(&self, name: &SetName) -> Option<String> {
        self.opened.get()?.earlier_versions(name)
    }
}
