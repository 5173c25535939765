//! Counts work, so that tests can show that it grows linearly with the number of keys. Release
//! builds count nothing.

use std::cell::Cell;

thread_local! {
    static STEPS: Cell<u64> = const { Cell::new(0) };
}

/// Counts one step: parsing a key, or comparing two.
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

/// Returns the number of steps of this thread.
pub fn counted() -> u64 {
    STEPS.with(Cell::get)
}
