//! Writes a set: checks that it can be read again, encrypts it, and gives it to the medium.

use crate::error::{Error, ErrorKind, Result};
use crate::jwe;
use crate::key::parts::holds_secret;
use crate::keyset::public_header;
use crate::keyset::{KeySet, MOST_KEYS};
use crate::keystore::history::{Content, Earlier};
use crate::keystore::medium::{Medium, Outcome};
use crate::keystore::{Condition, Keystore, SetName, served};
use crate::secret::Secret;

impl Keystore {
    /// Writes a set, encrypted if there is a passphrase with its iteration count. `sets` are the set before
    /// the change, if it existed, and after it. Returns an error if the set would be too large to be read
    /// again, or if others can write to the directory of private keys.
    pub(super) fn write(
        &self,
        name: &SetName,
        sets: (Option<&KeySet>, &KeySet),
        encryption: Option<(&Secret<String>, u32)>,
        condition: Condition,
        earlier: Earlier,
    ) -> Result<Outcome> {
        let (_, set) = sets;
        if let (Medium::Directory(directory), Condition::File(present)) = (&self.medium, &condition)
        {
            if set.keys.iter().any(holds_secret) {
                directory.refuse_open()?;
            }
            if present.is_none() {
                directory.drop_schedule(name)?;
            }
        }
        if let Medium::Server(server) = &self.medium
            && server.demands_encryption()
            && encryption.is_none()
            && set.keys.iter().any(holds_secret)
        {
            let store = server.shown();
            return Err(Error::refused(format!(
                "set {name} would be in {store} without encryption, with its private keys"
            ))
            .hint("pass --encrypt for a new set, or --allow-plaintext if only its owners can read the storage"));
        }
        if set.keys.len() > MOST_KEYS {
            return Err(too_large(name, &format!("have more than {MOST_KEYS} keys")));
        }
        let content = Secret::new(set.to_json());
        let (text, content) = match encryption {
            None => (content, Content::Plain),
            Some((passphrase, _)) if passphrase.expose().is_empty() => {
                return Err(
                    Error::refused(format!("the passphrase of set {name} is empty")).hint(format!(
                        "nothing was written; run `jwks passwd {name}` to change it"
                    )),
                );
            }
            Some((passphrase, iterations)) => {
                let sealed = jwe::seal(
                    content.expose().as_bytes(),
                    passphrase,
                    iterations,
                    &public_header::header(set),
                    &mut self.derived.borrow_mut(),
                )?;
                (Secret::new(sealed), Content::Encrypted)
            }
        };
        let limit = match &self.medium {
            Medium::Directory(directory) => directory.limit,
            Medium::Server(_) => served::LIMIT,
        };
        if text.expose().len() as u64 > limit {
            let limit = limit >> 20;
            return Err(too_large(name, &format!("be larger than {limit} MiB")));
        }
        match (&self.medium, condition) {
            (Medium::Directory(directory), Condition::File(present)) => {
                let written = (text.expose().as_bytes(), content);
                directory.replace(name, written, present, earlier)?;
                Ok(Outcome::Done)
            }
            (Medium::Server(server), Condition::Version(version)) => {
                if sets.0.is_none() {
                    match served::drop_orphaned_schedule(&**server, name) {
                        // If the schedules are damaged, the new set is created anyway.
                        Err(error) if error.kind() == ErrorKind::Invalid => {}
                        dropped => dropped?,
                    }
                }
                served::write(&**server, name, &text, &version, sets)
            }
            // Conditions come from the medium itself.
            _ => Err(self.missing(name)),
        }
    }
}

/// Returns the error for a set that is too large to be read again.
fn too_large(name: &SetName, what: &str) -> Error {
    Error::refused(format!(
        "set {name} would {what}, and could not be read again"
    ))
    .hint("nothing was written; put keys into another set")
}
