//! A wrapper for secrets: no `Display`, a redacted `Debug`, zeroed when dropped.

use std::fmt;
use zeroize::{Zeroize, Zeroizing};

/// A value that is a secret or holds one.
pub struct Secret<T: Zeroize>(Zeroizing<T>);

impl<T: Zeroize> Secret<T> {
    /// Wraps a value, which is zeroed when it is dropped.
    pub fn new(value: T) -> Self {
        Secret(Zeroizing::new(value))
    }

    /// Returns the secret. The name of this function marks every place that handles secrets.
    pub fn expose(&self) -> &T {
        &self.0
    }

    /// Returns the secret for changes in place.
    pub fn expose_mut(&mut self) -> &mut T {
        &mut self.0
    }
}

impl<T: Zeroize> fmt::Debug for Secret<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// Zeroes a text that can hold a secret, before it is dropped. Faster than [`Secret`], which zeroes
/// byte by byte: a rotation handles many small texts, and would spend most of its time on that.
pub fn wipe(text: &mut String) {
    let mut octets = std::mem::take(text).into_bytes();
    octets.fill(0);
    // The compiler could leave out writes to memory that nobody reads again. The black box counts as a
    // reader.
    std::hint::black_box(&octets);
}
