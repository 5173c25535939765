//! A store that is opened by its first call, so that commands that need no keystore need no credentials either.

use crate::error::{Error, ErrorKind, Result};
use crate::keystore::SetName;
use crate::keystore::medium::{Found, Item, Outcome, Server, Version};
use crate::remote::http::Options;
use crate::secret::Secret;
use crate::store::address::{Address, Kind};
use crate::store::{MOST_FAILURES, kubernetes, s3, vault};
use std::cell::{Cell, OnceCell};

/// A store that is opened by its first call.
#[derive(Debug)]
pub(super) struct Unopened {
    address: Address,
    options: Options,
    allow_plaintext: bool,
    opened: OnceCell<Box<dyn Server>>,
    /// The number of reads that have failed since the last one that did not.
    failures: Cell<u32>,
}

impl Unopened {
    pub fn new(address: Address, options: Options, allow_plaintext: bool) -> Unopened {
        Unopened {
            address,
            options,
            allow_plaintext,
            opened: OnceCell::new(),
            failures: Cell::new(0),
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
        let failures = self.failures.get();
        if failures >= MOST_FAILURES {
            let store = self.shown();
            return Err(Error::remote(format!(
                "{item} was not read, because {store} has failed {failures} times in a row"
            ))
            .hint("run the command again later"));
        }
        let found = self.server()?.read(item);
        let has_failed = matches!(&found, Err(error) if error.kind() == ErrorKind::Remote);
        self.failures.set(if has_failed { failures + 1 } else { 0 });
        found
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
