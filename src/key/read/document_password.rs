//! The password of one document: asked for where it is needed and once at most, and what a
//! document may make its derivation cost.

use crate::error::{Error, Result};
use crate::secret::Secret;
use std::cell::{Cell, OnceCell};

/// How many iterations of SHA-256 one document may ask for, in all its parts together: a second
/// or two. Files of today ask for 2,048 to 1,000,000 a part.
const ITERATIONS: u64 = 10_000_000;

/// How a password is got, from a file or a person.
pub type Ask<'a> = &'a dyn Fn() -> Result<Secret<String>>;

/// The password of one document, and what is left of the work that it may cost.
pub struct DocumentPassword<'a> {
    ask: Ask<'a>,
    password: OnceCell<Secret<String>>,
    left: Cell<u64>,
}

impl<'a> DocumentPassword<'a> {
    /// `ask` is called once at most, when a part of the document turns out to be protected.
    pub fn new(ask: Ask<'a>) -> Self {
        DocumentPassword {
            ask,
            password: OnceCell::new(),
            left: Cell::new(ITERATIONS),
        }
    }

    /// The password.
    pub fn password(&self) -> Result<&str> {
        if let Some(password) = self.password.get() {
            return Ok(password.expose());
        }
        let asked = (self.ask)()?;
        Ok(self.password.get_or_init(|| asked).expose())
    }

    /// Takes the cost of a derivation, in iterations of SHA-256, off what the document may cost;
    /// comes before the derivation, and before the password is asked for.
    pub fn spend(&self, iterations: u64) -> Result<()> {
        match self.left.get().checked_sub(iterations) {
            Some(left) => {
                self.left.set(left);
                Ok(())
            }
            None => Err(Error::invalid(format!(
                "its password takes more than {ITERATIONS} iterations to try, as no honest file does"
            ))
            .hint("write it again with a smaller count, by the tool that it comes from")),
        }
    }
}

/// A wrong password and a damaged file cannot be told apart, and are not. Where nothing but
/// encryption protects a file, damage may still decrypt to a key, which the key's check then finds.
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
