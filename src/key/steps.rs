//! Counts the work over many keys, so that a test can hold it to be proportional to their number. A
//! release build counts nothing.

use std::cell::Cell;

thread_local! {
    static STEPS: Cell<u64> = const { Cell::new(0) };
}

/// Counts one step: one look at a key, or one comparison of two.
pub(crate) fn count() {
    if cfg!(debug_assertions) {
        STEPS.with(|steps| steps.set(steps.get() + 1));
    }
}

/// Returns how many steps this thread has made.
pub fn counted() -> u64 {
    STEPS.with(Cell::get)
}
