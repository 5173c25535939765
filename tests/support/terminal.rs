//! Runs the program on a terminal of 80 columns, with a simulated person who types the answers.
//!
//! The person waits for a question and, if it asks for a secret, until the terminal no longer echoes.
//! No test with questions depends on how long that takes. At a shell, Enter is pressed again after a while.

use super::{Run, Sandbox, wait_until};
use rustix::fs::OFlags;
use rustix::io::{FdFlags, fcntl_setfd, ioctl_fionread};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, Winsize, tcgetattr, tcsetwinsize};
use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::process::Child;
use std::sync::{Arc, Mutex};

/// The character that ends the input of a program on a terminal.
const CTRL_D: &str = "\u{4}";

/// Runs a command line on a terminal and types one line of `typed` at each question. A question
/// without a line left gets Ctrl-D. Everything that the terminal shows is returned as standard
/// output. Needs setsid(1).
pub fn on_terminal(
    sandbox: &Sandbox,
    line: &str,
    typed: &str,
    environment: &[(&str, &str)],
) -> Run {
    let (mut person, terminal) = open();
    let copy = || terminal.try_clone().expect("the terminal");
    let mut command = sandbox.command("setsid");
    command.args(["--ctty", "sh", "-c", line]);
    command.env("TERM", "xterm-256color");
    command.envs(environment.iter().copied());
    command.stdin(copy()).stdout(copy()).stderr(copy());
    let mut child = command.spawn().expect("setsid starts");
    // The terminal closes when no process has it open any more, so close our handles.
    drop((command, terminal));

    let shown = Mutex::new(Vec::new());
    let mut screen = person.try_clone().expect("the screen");
    std::thread::scope(|scope| {
        let watcher = scope.spawn(|| {
            let mut octets = [0; 4096];
            while let Ok(count @ 1..) = screen.read(&mut octets) {
                shown.lock().expect("the screen").extend(&octets[..count]);
            }
        });
        let mut lines = typed.split_inclusive('\n');
        let mut answered = 0;
        wait_until("the program on the terminal ends", || {
            let length = shown.lock().expect("the screen").len();
            if length > answered && asks(&person, &shown.lock().expect("the screen")[answered..]) {
                answered = length;
                let line = lines.next().unwrap_or(CTRL_D);
                // A program that has ended reads no more answers.
                let _ = person.write_all(line.as_bytes());
            }
            watcher.is_finished()
        });
    });
    let status = child.wait().expect("setsid ends");
    Run {
        code: status.code(),
        stdout: String::from_utf8_lossy(&shown.into_inner().expect("the screen")).into_owned(),
        stderr: String::new(),
    }
}

/// The character that makes a shell forget the line.
const CTRL_C: &str = "\u{3}";

/// A person at an interactive shell.
pub struct Typist {
    person: File,
    shell: Child,
    shown: Arc<Mutex<Vec<u8>>>,
}

impl Typist {
    /// Starts a shell on a terminal. Needs setsid(1).
    pub fn start(sandbox: &Sandbox, shell: &[&str], environment: &[(&str, &str)]) -> Typist {
        let (person, terminal) = open();
        let copy = || terminal.try_clone().expect("the terminal");
        let mut command = sandbox.command("setsid");
        command.arg("--ctty").args(shell);
        command.env("TERM", "xterm-256color").env("LANG", "C.UTF-8");
        command.envs(environment.iter().copied());
        command.stdin(copy()).stdout(copy()).stderr(copy());
        let shell = command.spawn().expect("setsid starts");
        let shown = Arc::new(Mutex::new(Vec::new()));
        let mut screen = person.try_clone().expect("the screen");
        let seen = Arc::clone(&shown);
        // The thread ends with the shell.
        std::thread::spawn(move || {
            let mut octets = [0; 4096];
            while let Ok(count @ 1..) = screen.read(&mut octets) {
                let octets = &octets[..count];
                seen.lock().expect("the screen").extend(octets);
                for (question, answer) in QUESTIONS {
                    if octets.windows(question.len()).any(|text| text == *question) {
                        let _ = screen.write_all(answer);
                    }
                }
            }
        });
        Typist {
            person,
            shell,
            shown,
        }
    }

    /// Waits until the shell reads single keys and has read those that were pressed, and types.
    pub fn type_keys(&mut self, keys: &str) {
        wait_until("the shell reads a line", || {
            self.reads_keys() && self.unread() == 0
        });
        self.press(keys);
    }

    /// Returns true if the shell reads single keys, which it does not while a command runs, and has read
    /// all of them.
    pub fn reads_keys(&self) -> bool {
        let modes = tcgetattr(&self.person).map(|state| state.local_modes);
        modes.is_ok_and(|modes| !modes.contains(LocalModes::ICANON)) && self.unread() == 0
    }

    /// Returns the number of bytes that were typed and that the shell has not read.
    fn unread(&self) -> u64 {
        ioctl_fionread(end_of_program(&self.person)).expect("the terminal")
    }

    /// Presses Ctrl-C, and waits until the shell shows that it has read it.
    pub fn clear_line(&mut self) {
        let shown = self.shown().len();
        self.press(CTRL_C);
        wait_until("the shell reads Ctrl-C", || self.shown().len() > shown);
    }

    /// Types without waiting for the shell.
    pub fn press(&mut self, keys: &str) {
        self.person
            .write_all(keys.as_bytes())
            .expect("the terminal");
    }

    /// Returns everything that the terminal has shown.
    pub fn shown(&self) -> String {
        String::from_utf8_lossy(&self.shown.lock().expect("the screen")).into_owned()
    }
}

impl Drop for Typist {
    fn drop(&mut self) {
        let _ = self.shell.kill();
        let _ = self.shell.wait();
    }
}

/// The questions that shells ask a terminal, and its answers: the position of the cursor, and the type
/// of terminal.
const QUESTIONS: &[(&[u8], &[u8])] = &[(b"\x1b[6n", b"\x1b[1;1R"), (b"\x1b[c", b"\x1b[?1;2c")];

/// Opens a new terminal, and returns both ends: the person's and the program's.
fn open() -> (File, File) {
    let person = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("a terminal");
    fcntl_setfd(&person, FdFlags::CLOEXEC).expect("a file that no child inherits");
    grantpt(&person).expect("a terminal of one's own");
    unlockpt(&person).expect("an unlocked terminal");
    let person = File::from(person);
    let terminal = end_of_program(&person);
    let size = Winsize {
        ws_row: 24,
        ws_col: 80,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    tcsetwinsize(&person, size).expect("a size");
    (person, terminal)
}

/// Opens the program's end of a terminal.
fn end_of_program(person: &File) -> File {
    let path = ptsname(person, Vec::new()).expect("the terminal's name");
    let path = path.into_string().expect("a UTF-8 name");
    let mut options = File::options();
    options.read(true).write(true);
    // The terminal must not become the controlling terminal of the test.
    options.custom_flags(OFlags::NOCTTY.bits() as i32);
    options.open(path).expect("the terminal")
}

/// Returns true if a program waits for an answer: to a confirmation, to a question for a secret after the
/// echo is off, or for standard input.
fn asks(person: &File, shown: &[u8]) -> bool {
    let echoes = || {
        let modes = tcgetattr(person).map(|state| state.local_modes);
        modes.is_ok_and(|modes| modes.contains(LocalModes::ECHO))
    };
    shown.ends_with(b"[y/N] ")
        || shown.ends_with(b"end it with Ctrl-D\r\n")
        || (shown.ends_with(b": ") && !echoes())
}
