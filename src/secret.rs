//! A wrapper for what must not leak: no `Display`, a redacted `Debug`, zeroed when dropped.

use std::fmt;
use zeroize::{Zeroize, Zeroizing};

/// A value that is a secret or holds one.
pub struct Secret<T: Zeroize>(Zeroizing<T>);

impl<T: Zeroize> Secret<T> {
    /// Takes a secret into custody.
    pub fn new(value: T) -> Self {
        Secret(Zeroizing::new(value))
    }

    /// The secret itself; the name marks each place that handles it.
    pub fn expose(&self) -> &T {
        &self.0
    }

    /// The same, to be changed in place.
    pub fn expose_mut(&mut self) -> &mut T {
        &mut self.0
    }
}

impl<T: Zeroize> fmt::Debug for Secret<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// Zeroes a text that may hold a secret and is dropped next. It is for the many small texts that come
/// and go, where zeroing byte by byte, as [`Secret`] does, would take most of the time of a rotation.
pub fn wipe(text: &mut String) {
    let mut octets = std::mem::take(text).into_bytes();
    octets.fill(0);
    // Who looks at the bytes has to find them zeroed: the compiler does not leave that out.
    std::hint::black_box(&octets);
}
