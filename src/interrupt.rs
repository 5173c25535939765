//! Ctrl-C: what is said before the end, and no end while the terminal is in a state of its own.

use std::io;
use std::process;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

/// The exit code of a program that was interrupted: 128 and the number of the signal.
const INTERRUPTED: i32 = 130;

/// Whether a secret is being typed: what is typed is not shown until its reader has ended.
static IS_ASKING: AtomicBool = AtomicBool::new(false);

/// What is said before the end.
static LAST_WORDS: Mutex<Option<Box<dyn Fn() + Send>>> = Mutex::new(None);

/// Has something said when the program is interrupted.
pub fn last_words(say: impl Fn() + Send + 'static) {
    *LAST_WORDS.lock().unwrap_or_else(PoisonError::into_inner) = Some(Box::new(say));
    handle();
}

/// Reads a secret. Where that is interrupted the program ends once the terminal is as it was.
pub fn while_asking<T>(ask: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
    handle();
    IS_ASKING.store(true, Ordering::SeqCst);
    let asked = ask();
    IS_ASKING.store(false, Ordering::SeqCst);
    match asked {
        Err(error) if error.kind() == io::ErrorKind::Interrupted => process::exit(INTERRUPTED),
        asked => asked,
    }
}

fn handle() {
    let handler = || {
        if IS_ASKING.load(Ordering::SeqCst) {
            return;
        }
        let words = LAST_WORDS.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(say) = &*words {
            say();
        }
        process::exit(INTERRUPTED);
    };
    // Where it is there already it does the same.
    let _ = ctrlc::set_handler(handler);
}
