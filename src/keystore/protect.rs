//! A set becomes encrypted, gets another passphrase, or becomes plain again.

use super::{Document, Keystore, Protection, SetName, Stored, protected_meanwhile};
use crate::error::Result;
use crate::files::lock::Lock;
use crate::secret::Secret;

impl Keystore {
    /// Writes a set anew under the lock, encrypted as `after` says or plain. `before` opens it where it
    /// is encrypted. Killed at any moment, there is the old file or the new one.
    pub fn protect(
        &self,
        name: &SetName,
        before: Option<&Secret<String>>,
        after: Option<&Protection>,
    ) -> Result<()> {
        let _lock = Lock::take(self.directory(), self.lock_wait)?;
        let document: Document = match (self.load(name)?, before) {
            (Stored::Plain(document), None) => document,
            (Stored::Encrypted(encrypted), Some(passphrase)) => {
                self.open(&encrypted, passphrase)?
            }
            _ => return Err(protected_meanwhile(name)),
        };
        let encryption = after.map(|after| (&*after.passphrase, after.iterations));
        self.write(name, &document.parse()?, encryption)
    }
}
