//! Encrypts a set, changes its passphrase, or removes it.

use crate::error::Result;
use crate::keystore::history::Earlier;
use crate::keystore::medium::{Attempts, Item, Medium, Outcome};
use crate::keystore::{Keystore, Protection, SetDocument, SetName, Stored, protected_meanwhile};
use crate::secret::Secret;

impl Keystore {
    /// Rewrites a set: encrypted with `after`, or plain if that is `None`. `before`
    /// decrypts the old file. If the process is killed, the old or the new file is there. Deletes the
    /// history if the set becomes encrypted or gets another passphrase. Returns an error if `before` is
    /// wrong, or if another process has encrypted or decrypted the set.
    pub fn protect(
        &self,
        name: &SetName,
        before: Option<&Secret<String>>,
        after: Option<&Protection>,
    ) -> Result<()> {
        let _lock = match &self.medium {
            Medium::Directory(directory) => Some(directory.lock()?),
            Medium::Server(_) => None,
        };
        let encryption = after.map(|after| (&*after.passphrase, after.iterations));
        // Earlier versions would stay readable without the passphrase, or with the old one.
        let is_new = |new: (&Secret<String>, u32)| {
            before.is_none_or(|before| before.expose() != new.0.expose())
        };
        let earlier = if encryption.is_some_and(is_new) {
            Earlier::Delete
        } else {
            Earlier::Keep
        };
        let mut attempts = Attempts::default();
        loop {
            let (stored, condition) = self.look(name)?;
            let stored = stored.ok_or_else(|| self.missing(name))?;
            let document: SetDocument = match (stored, before) {
                (Stored::Plain(document), None) => document,
                (Stored::Encrypted(encrypted), Some(passphrase)) => {
                    self.open(&encrypted, passphrase)?
                }
                _ => return Err(protected_meanwhile(name)),
            };
            let set = document.parse()?;
            let sets = (Some(&set), &set);
            match self.write(name, sets, encryption, condition, earlier)? {
                Outcome::Done => return Ok(()),
                Outcome::Overtaken => attempts.again(Item::Set(name), &self.shown())?,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jwe::{self, DerivedKeys};
    use crate::key::Key;
    use crate::key::members::Members;
    use crate::keystore::IfMissing;
    use std::fs;
    use std::rc::Rc;
    use std::time::Duration;

    /// Other tools can encrypt a set with an empty passphrase. jwks reads such a set, but does not
    /// write one.
    #[test]
    fn nothing_is_written_under_an_empty_passphrase() {
        let directory = tempfile::tempdir().unwrap();
        let store = Keystore::new(directory.path().to_owned(), Duration::ZERO);
        let (name, empty) = (SetName::new("api").unwrap(), Secret::new(String::new()));
        let mut derived = DerivedKeys::default();
        let set = br#"{"keys":[]}"#;
        let sealed = jwe::seal(set, &empty, 1000, &Members::default(), &mut derived).unwrap();
        let file = directory.path().join("api.jwe");
        fs::write(&file, &sealed).unwrap();
        let protection = Protection {
            passphrase: Rc::new(empty),
            iterations: 1000,
        };
        let key = || Key::from(Members::default().with_kid("new"));
        let changed = store.change(&name, IfMissing::Fail, Some(&protection), |set| {
            set.keys.push(key());
            Ok(())
        });
        assert_eq!(changed.unwrap_err().kind().exit_code(), 4);
        assert_eq!(fs::read_to_string(&file).unwrap(), sealed);
    }
}
