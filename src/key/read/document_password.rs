//! The password of one document, and a limit for the cost of key derivation.

use crate::error::{Error, Result};
use crate::secret::Secret;
use std::cell::{Cell, OnceCell};

/// The largest number of SHA-256 iterations for all parts of one document, which take one or two
/// seconds. Current tools use 2,048 to 1,000,000 per part.
const ITERATIONS: u64 = 10_000_000;

/// A function that reads a password from a file or a terminal.
pub type Ask<'a> = &'a dyn Fn() -> Result<Secret<String>>;

/// The password of one document, and the remaining iterations for it.
pub struct DocumentPassword<'a> {
    ask: Ask<'a>,
    password: OnceCell<Secret<String>>,
    left: Cell<u64>,
}

impl<'a> DocumentPassword<'a> {
    /// Creates a password that is read only if a part of the document is encrypted. `ask` is called
    /// at most once.
    pub fn new(ask: Ask<'a>) -> Self {
        DocumentPassword {
            ask,
            password: OnceCell::new(),
            left: Cell::new(ITERATIONS),
        }
    }

    /// Returns the password. Returns an error if it cannot be read.
    pub fn password(&self) -> Result<&str> {
        if let Some(password) = self.password.get() {
            return Ok(password.expose());
        }
        let asked = (self.ask)()?;
        Ok(self.password.get_or_init(|| asked).expose())
    }

    /// Subtracts the cost of a derivation, in SHA-256 iterations. Returns an error if the cost exceeds
    /// what is left. Call it before the derivation and before the password is read.
    pub fn spend(&self, iterations: u64) -> Result<()> {
        match self.left.get().checked_sub(iterations) {
            Some(left) => {
                self.left.set(left);
                Ok(())
            }
            None => Err(Error::invalid(format!(
                "the key derivation takes more than {ITERATIONS} iterations"
            ))
            .hint("encrypt it again with a smaller iteration count")),
        }
    }
}

/// Returns the error for a wrong password or a damaged file, which look the same. If a file has no
/// integrity check, a damaged file can decrypt to a key. The check of that key finds the damage.
pub fn denied() -> Error {
    Error::denied("the password is wrong, or the file is damaged")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_password_is_asked_for_once_and_only_where_it_is_needed() {
        let asked = Cell::new(0);
        let ask = || {
            asked.set(asked.get() + 1);
            Ok(Secret::new("secret".to_owned()))
        };
        let unlock = DocumentPassword::new(&ask);
        unlock.spend(1).unwrap();
        assert_eq!(asked.get(), 0);
        assert_eq!(unlock.password().unwrap(), "secret");
        assert_eq!(unlock.password().unwrap(), "secret");
        assert_eq!(asked.get(), 1);
    }

    /// A keystore may have thousands of parts, and show some of them only when it is decrypted.
    #[test]
    fn what_the_parts_of_a_document_cost_adds_up() {
        let unlock = DocumentPassword::new(&|| Err(denied()));
        for _ in 0..10 {
            unlock.spend(ITERATIONS / 10).unwrap();
        }
        let error = unlock.spend(1).unwrap_err();
        assert!(
            error.to_string().contains("more than 10000000 iterations"),
            "{error}"
        );
        assert!(
            DocumentPassword::new(&|| Err(denied()))
                .spend(u64::MAX)
                .is_err()
        );
    }
}
