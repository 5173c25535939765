//! Counts the work over many keys, so that a test can show that it grows linearly. A release build
//! counts nothing.

use std::cell::Cell;

thread_local! {
    static STEPS: Cell<u64> = const { Cell::new(0) };
}

/// Counts one step: reading one key, or comparing two.
pub(crate) fn count() {
    if cfg!(debug_assertions) {
        STEPS.with(|steps| steps.set(steps.get() + 1));
    }
}

/// Counts the reading of a text: one step, and one more for each 100 bytes.
pub(crate) fn count_text(text: &str) {
    if cfg!(debug_assertions) {
        STEPS.with(|steps| steps.set(steps.get() + 1 + text.len() as u64 / 100));
    }
}

/// Returns how many steps this thread has made.
pub fn counted() -> u64 {
    STEPS.with(Cell::get)
}
