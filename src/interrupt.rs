//! Handles signals that end the program: prints a last message and restores the terminal.

use std::io;
use std::process;
use std::sync::{Mutex, PoisonError};

/// The offset of the exit code after a signal: the exit code is this plus the signal's number.
const BY_SIGNAL: i32 = 128;

/// The number of SIGINT, which Ctrl-C sends.
const INTERRUPT: i32 = 2;

/// Prints the last message of an interrupted program.
static LAST_WORDS: Mutex<Option<Box<dyn Fn() + Send>>> = Mutex::new(None);

/// Sets a function that prints a message when SIGINT or SIGTERM ends the program.
pub fn last_words(say: impl Fn() + Send + 'static) {
    *LAST_WORDS.lock().unwrap_or_else(PoisonError::into_inner) = Some(Box::new(say));
    #[cfg(unix)]
    signals::handle(signals::ENDING);
}

/// Calls `ask`, which reads an answer from the terminal. Restores the terminal's settings afterwards,
/// even after Ctrl-C or another signal. Ctrl-C ends the program with exit code 130.
pub fn while_asking<T>(ask: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
    #[cfg(unix)]
    let _guard = signals::guard_terminal();
    match ask() {
        // While a secret is read, the terminal is in raw mode, where Ctrl-C is a character and not a
        // signal.
        Err(error) if error.kind() == io::ErrorKind::Interrupted => {
            process::exit(BY_SIGNAL + INTERRUPT)
        }
        asked => asked,
    }
}

#[cfg(unix)]
mod signals {
    use super::{BY_SIGNAL, LAST_WORDS};
    use rustix::termios::{OptionalActions, Termios, tcgetattr, tcsetattr};
    use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM};
    use signal_hook::iterator::Signals;
    use std::collections::BTreeSet;
    use std::fs::File;
    use std::io::{self, Write as _};
    use std::process;
    use std::sync::{Mutex, MutexGuard, PoisonError};
    use std::thread;

    /// The signals that ask the program to end.
    pub const ENDING: &[i32] = &[SIGINT, SIGTERM];

    /// The signals that end a program at a terminal.
    const AT_TERMINAL: &[i32] = &[SIGINT, SIGTERM, SIGHUP, SIGQUIT];

    /// The terminal and its settings, while it does not show what is typed.
    static TERMINAL: Mutex<Option<(File, Termios)>> = Mutex::new(None);

    /// The signals that are handled already.
    static HANDLED: Mutex<BTreeSet<i32>> = Mutex::new(BTreeSet::new());

    /// Keeps the settings of the terminal until it is dropped.
    pub struct Guard;

    impl Drop for Guard {
        fn drop(&mut self) {
            *lock(&TERMINAL) = None;
        }
    }

    /// Restores the current settings of the terminal when a signal ends the program.
    pub fn guard_terminal() -> Guard {
        let settings = open_terminal().ok().and_then(|terminal| {
            let settings = tcgetattr(&terminal).ok()?;
            Some((terminal, settings))
        });
        *lock(&TERMINAL) = settings;
        handle(AT_TERMINAL);
        Guard
    }

    fn open_terminal() -> io::Result<File> {
        File::options().read(true).write(true).open("/dev/tty")
    }

    /// Handles these signals, except those that are handled already.
    pub fn handle(signals: &[i32]) {
        let mut handled = lock(&HANDLED);
        let new = signals.iter().filter(|signal| handled.insert(**signal));
        let new: Vec<i32> = new.copied().collect();
        if new.is_empty() {
            return;
        }
        // If a signal cannot be handled, its default action applies.
        let Ok(mut signals) = Signals::new(new) else {
            return;
        };
        thread::spawn(move || {
            if let Some(signal) = signals.forever().next() {
                end(signal);
            }
        });
    }

    fn end(signal: i32) {
        if let Some((terminal, settings)) = &*lock(&TERMINAL) {
            let _ = tcsetattr(terminal, OptionalActions::Now, settings);
            // The cursor is still on the line of the prompt.
            let _ = writeln!(&*terminal);
        } else if let Some(say) = &*lock(&LAST_WORDS) {
            say();
        }
        process::exit(BY_SIGNAL + signal);
    }

    fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
        mutex.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
