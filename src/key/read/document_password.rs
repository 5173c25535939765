//! The passwords of one document, and a limit for the cost of key derivation.

use crate::error::{Error, ErrorKind, Result};
use crate::secret::Secret;
use std::cell::{Cell, OnceCell, RefCell};
use std::rc::Rc;

/// The largest number of SHA-256 iterations for all parts of one document, which take one or two
/// seconds. Current tools use 2,048 to 1,000,000 per part.
const ITERATIONS: u64 = 10_000_000;

/// The largest cost of an attempt without a password, in SHA-256 iterations. The tools that write
/// keystores without a password use at most 10,000.
const FREE_ATTEMPT: u64 = 200_000;

/// Where the passwords of a document come from.
pub trait Ask {
    /// Returns the passwords that were given beforehand, in the order in which they are tried. It is
    /// called at most once.
    fn given(&self) -> Result<Vec<Secret<String>>>;

    /// Asks for the password of the document, or of one of its entries. Returns an error if nobody can
    /// be asked.
    fn ask(&self, entry: Option<&str>) -> Result<Secret<String>>;
}

/// A function that asks for the password of the document.
impl<F: Fn() -> Result<Secret<String>>> Ask for F {
    fn given(&self) -> Result<Vec<Secret<String>>> {
        Ok(Vec::new())
    }

    fn ask(&self, _: Option<&str>) -> Result<Secret<String>> {
        self()
    }
}

/// What a password opens.
#[derive(Clone, Copy)]
pub enum Lock<'a> {
    /// A document that always has a password.
    Document,
    /// A keystore that can be protected without a password.
    Keystore,
    /// An entry of a keystore, which can have a password of its own.
    Entry(&'a str),
}

/// A password, or `None` for the absent password of PKCS#12, whose keys differ from those of an empty
/// password.
type Password = Option<Rc<Secret<String>>>;

/// The passwords of one document, and the remaining iterations for it.
pub struct DocumentPassword<'a> {
    source: &'a dyn Ask,
    given: OnceCell<Vec<Password>>,
    asked: RefCell<Vec<Password>>,
    /// The password that opened the last part.
    fit: RefCell<Option<Password>>,
    left: Cell<u64>,
}

impl<'a> DocumentPassword<'a> {
    /// Creates passwords that are read only if a part of the document is encrypted. The user is asked
    /// once for the document, and once for each entry that has another password.
    pub fn new(source: &'a dyn Ask) -> Self {
        DocumentPassword {
            source,
            given: OnceCell::new(),
            asked: RefCell::default(),
            fit: RefCell::default(),
            left: Cell::new(ITERATIONS),
        }
    }

    /// Opens a part of the document with the first password that fits. `open` returns [`denied`] for a
    /// wrong password. `cost` is that of one attempt, in SHA-256 iterations. Returns an error if the
    /// attempts cost too much; if the first one does, no password is read.
    pub fn open<T>(
        &self,
        lock: Lock,
        cost: u64,
        open: impl Fn(Option<&str>) -> Result<T>,
    ) -> Result<T> {
        self.affordable(cost)?;
        let attempt = |password: &Password| -> Result<Option<T>> {
            match open(text(password)) {
                Err(error) if error.kind() == ErrorKind::Denied => Ok(None),
                opened => {
                    self.fit.replace(Some(password.clone()));
                    opened.map(Some)
                }
            }
        };
        for password in self.attempts(lock, cost)? {
            self.spend(cost)?;
            if let Some(opened) = attempt(&password)? {
                return Ok(opened);
            }
        }
        let is_open = self.fit.borrow().is_some();
        let (entry, failed): (_, fn() -> Error) = match lock {
            Lock::Entry(entry) if is_open => (Some(entry), another_password),
            _ => (None, denied),
        };
        let is_asked = !self.asked.borrow().is_empty() && entry.is_none();
        if is_asked || !self.given()?.is_empty() {
            return Err(failed());
        }
        self.spend(cost)?;
        let asked = Some(Rc::new(self.source.ask(entry)?));
        let opened = attempt(&asked)?;
        self.asked.borrow_mut().push(asked);
        opened.ok_or_else(failed)
    }

    /// Returns the passwords to try before the user is asked. The one that opened the last part comes
    /// first.
    fn attempts(&self, lock: Lock, cost: u64) -> Result<Vec<Password>> {
        let given = self.given()?;
        let mut attempts = given.to_vec();
        attempts.extend(self.asked.borrow().iter().cloned());
        if !matches!(lock, Lock::Document) {
            if given.is_empty() && cost <= FREE_ATTEMPT {
                attempts.push(Some(Rc::new(Secret::new(String::new()))));
            }
            if attempts.iter().any(|password| text(password) == Some("")) {
                attempts.push(None);
            }
        }
        if let Some(fit) = &*self.fit.borrow()
            && let Some(i) = attempts.iter().position(|one| text(one) == text(fit))
        {
            attempts.swap(0, i);
        }
        Ok(attempts)
    }

    fn given(&self) -> Result<&[Password]> {
        if let Some(given) = self.given.get() {
            return Ok(given);
        }
        let given = self.source.given()?.into_iter();
        let given = given.map(|password| Some(Rc::new(password)));
        Ok(self.given.get_or_init(|| given.collect()))
    }

    /// Subtracts a cost in SHA-256 iterations. Returns an error if it exceeds what is left.
    fn spend(&self, iterations: u64) -> Result<()> {
        self.left.set(self.affordable(iterations)?);
        Ok(())
    }

    /// Returns what is left after a cost.
    fn affordable(&self, iterations: u64) -> Result<u64> {
        self.left.get().checked_sub(iterations).ok_or_else(|| {
            Error::invalid(format!(
                "the key derivation takes more than {ITERATIONS} iterations"
            ))
            .hint("encrypt it again with a smaller iteration count")
        })
    }
}

fn text(password: &Password) -> Option<&str> {
    password.as_ref().map(|password| password.expose().as_str())
}

/// Returns the error for a wrong password or a damaged file, which look the same. If a file has no
/// integrity check, a damaged file can decrypt to a key. The check of that key finds the damage.
pub fn denied() -> Error {
    Error::denied("the password is wrong, or the file is damaged")
}

/// Returns the error for an entry of a keystore that was opened.
fn another_password() -> Error {
    Error::denied("it has another password than the keystore, or is damaged")
        .hint("write its password on the second line of the password file")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(text: &str) -> Secret<String> {
        Secret::new(text.to_owned())
    }

    fn only(right: Option<&'static str>) -> impl Fn(Option<&str>) -> Result<()> {
        move |password| {
            if password == right {
                Ok(())
            } else {
                Err(denied())
            }
        }
    }

    #[test]
    fn the_password_is_asked_for_once_and_only_where_it_is_needed() {
        let asked = Cell::new(0);
        let ask = || {
            asked.set(asked.get() + 1);
            Ok(secret("secret"))
        };
        let unlock = DocumentPassword::new(&ask);
        unlock.spend(1).unwrap();
        assert!(unlock.open(Lock::Document, u64::MAX, |_| Ok(())).is_err());
        assert_eq!(asked.get(), 0);
        for _ in 0..2 {
            let open = only(Some("secret"));
            unlock.open(Lock::Document, 1, open).unwrap();
        }
        let wrong = unlock.open(Lock::Document, 1, only(Some("other")));
        assert_eq!(wrong.unwrap_err().kind(), ErrorKind::Denied);
        assert_eq!(asked.get(), 1);
    }

    /// A keystore may have thousands of parts, and show some of them only when it is decrypted.
    #[test]
    fn what_the_parts_of_a_document_cost_adds_up() {
        let unlock = DocumentPassword::new(&|| Ok(secret("secret")));
        for _ in 0..10 {
            let open = only(Some("secret"));
            unlock.open(Lock::Document, ITERATIONS / 10, open).unwrap();
        }
        let error = unlock.open(Lock::Document, 1, |_| Ok(())).unwrap_err();
        assert!(
            error.to_string().contains("more than 10000000 iterations"),
            "{error}"
        );
    }

    struct Given(&'static [&'static str]);

    impl Ask for Given {
        fn given(&self) -> Result<Vec<Secret<String>>> {
            Ok(self.0.iter().map(|password| secret(password)).collect())
        }

        fn ask(&self, entry: Option<&str>) -> Result<Secret<String>> {
            entry.map(secret).ok_or_else(denied)
        }
    }

    /// Returns the passwords that were tried with a lock, until one fits.
    fn tried(unlock: &DocumentPassword, lock: Lock, right: Option<&str>) -> Vec<Option<String>> {
        let tried = RefCell::new(Vec::new());
        let _ = unlock.open(lock, 1, |password| {
            tried.borrow_mut().push(password.map(str::to_owned));
            if password == right {
                Ok(())
            } else {
                Err(denied())
            }
        });
        tried.into_inner()
    }

    #[test]
    fn each_given_password_is_tried_and_the_last_fit_first() {
        let some = |text: &str| Some(text.to_owned());
        let source = Given(&["a", "b", ""]);
        let unlock = DocumentPassword::new(&source);
        let attempts = tried(&unlock, Lock::Document, Some("b"));
        assert_eq!(attempts, [some("a"), some("b")]);
        let attempts = tried(&unlock, Lock::Entry("e"), None);
        assert_eq!(attempts, [some("b"), some("a"), some(""), None]);
        let attempts = tried(&unlock, Lock::Keystore, None);
        assert_eq!(attempts, [None]);
    }

    #[test]
    fn a_keystore_without_a_password_opens_if_none_is_given() {
        let some = |text: &str| Some(text.to_owned());
        let (none, given) = (Given(&[]), Given(&["a"]));
        let unlock = DocumentPassword::new(&none);
        assert_eq!(tried(&unlock, Lock::Document, None), []);
        assert_eq!(tried(&unlock, Lock::Keystore, None), [some(""), None]);
        // The user is asked for the password of an entry.
        let attempts = tried(&unlock, Lock::Entry("e"), Some("e"));
        assert_eq!(attempts, [None, some(""), some("e")]);
        // The next entry has none again.
        let attempts = tried(&unlock, Lock::Entry("f"), None);
        assert_eq!(attempts, [some("e"), some(""), None]);
        let unlock = DocumentPassword::new(&given);
        assert_eq!(tried(&unlock, Lock::Keystore, None), [some("a")]);
        // An expensive attempt without a password is not made.
        let unlock = DocumentPassword::new(&none);
        let open = unlock.open(Lock::Keystore, FREE_ATTEMPT + 1, only(None));
        assert!(open.is_err());
    }
}
