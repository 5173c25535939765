//! The only writer to standard output and standard error: data, tables, JSON, status lines and errors.
//! Foreign text (kids, names, addresses) is escaped before a terminal shows it.

mod escape;
mod table;

pub use escape::escape;
pub use table::{Drop, Narrow};

use crate::environment::{self, NO_COLOR};
use crate::error::{Error, Reason, Result};
use comfy_table::{Color, Table};
use escape::{escape_json, escape_message};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde::Serialize;
use serde_json::json;
use std::borrow::Cow;
use std::fmt::Write as _;
use std::io::{self, IsTerminal as _, Write as _};
use std::time::Duration;
use unicode_width::UnicodeWidthStr as _;

/// The color of a table cell, if colors are on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    /// As it is.
    Plain,
    /// In use: green.
    Good,
    /// To come: blue.
    Ahead,
    /// Past: gray.
    Faint,
    /// Wrong, or worth a look: yellow.
    Warning,
    /// Wrong: red.
    Bad,
}

impl Tone {
    /// The ANSI escape sequence for this color, matching the tables.
    fn sequence(self) -> Option<&'static str> {
        match self {
            Tone::Plain => None,
            Tone::Good => Some("\u{1b}[38;5;10m"),
            Tone::Ahead => Some("\u{1b}[38;5;12m"),
            Tone::Faint => Some("\u{1b}[38;5;8m"),
            Tone::Warning => Some("\u{1b}[38;5;11m"),
            Tone::Bad => Some("\u{1b}[38;5;9m"),
        }
    }

    fn color(self) -> Option<Color> {
        match self {
            Tone::Plain => None,
            Tone::Good => Some(Color::Green),
            Tone::Ahead => Some(Color::Blue),
            Tone::Faint => Some(Color::DarkGrey),
            Tone::Warning => Some(Color::Yellow),
            Tone::Bad => Some(Color::Red),
        }
    }
}

/// An error in JSON output.
#[derive(Debug, Serialize)]
pub struct JsonError {
    kind: &'static str,
    /// What failed, on what, and why.
    pub message: String,
    /// What to do next.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

impl From<&Error> for JsonError {
    fn from(error: &Error) -> Self {
        JsonError {
            kind: error.kind().name(),
            message: error.to_string(),
            hint: error.advice().map(str::to_owned),
        }
    }
}

/// The output settings, decided once from the global options and the terminal.
#[derive(Clone, Copy, Debug)]
pub struct Output {
    json: bool,
    quiet: bool,
    verbose: bool,
    /// Colors on standard output.
    color: bool,
    /// Colors on standard error.
    error_color: bool,
}

/// The escape sequence that ends a style.
const RESET: &str = "\u{1b}[0m";

/// The style of `error:`, bold and red.
const ERROR: &str = "\u{1b}[1m\u{1b}[91m";

/// The style of `warning:`, bold and yellow.
const WARNING: &str = "\u{1b}[1m\u{1b}[93m";

/// The style of `hint:`, bold and cyan.
const HINT: &str = "\u{1b}[1m\u{1b}[96m";

impl Output {
    /// Returns the output. `color` forces colors on or off. If it is `None`, each stream has colors if
    /// it is a terminal and NO_COLOR is not set.
    pub fn new(json: bool, quiet: bool, verbose: bool, color: Option<bool>) -> Self {
        // NO_COLOR counts if it is not empty, whatever its value (no-color.org).
        let refused = || environment::is_set(NO_COLOR);
        Output {
            json,
            quiet,
            verbose,
            color: color.unwrap_or_else(|| io::stdout().is_terminal() && !refused()),
            error_color: color.unwrap_or_else(|| io::stderr().is_terminal() && !refused()),
        }
    }

    /// Returns true if JSON was asked for.
    pub fn is_json(&self) -> bool {
        self.json
    }

    /// Returns true if standard output is a terminal.
    pub fn is_terminal(&self) -> bool {
        io::stdout().is_terminal()
    }

    /// Writes a help text to standard output: `colored` if standard output has colors, or else `plain`.
    pub fn help(&self, plain: &str, colored: &str) -> Result<()> {
        let text = if self.color { colored } else { plain };
        self.octets(text.as_bytes())
    }

    /// Writes bytes to standard output unchanged. Returns an error if that fails, but not if the reader
    /// has closed the pipe.
    pub fn octets(&self, octets: &[u8]) -> Result<()> {
        let mut stdout = io::stdout().lock();
        match stdout.write_all(octets).and_then(|()| stdout.flush()) {
            // A reader such as `head` can close the pipe early. That is not an error.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            Err(error) => Err(Error::failed("cannot write to standard output")
                .because(Reason::Output)
                .cause(error)),
            Ok(()) => Ok(()),
        }
    }

    /// Writes a JSON text to standard output. Control and invisible characters in strings become JSON
    /// escapes, so the values stay the same.
    pub fn json_text(&self, json: &str) -> Result<()> {
        self.octets(escape_json(json).as_bytes())
    }

    /// Writes a value as JSON to standard output.
    pub fn json<T: Serialize>(&self, value: &T) -> Result<()> {
        let json = serde_json::to_string(value)
            .map_err(|error| Error::failed("cannot write JSON").cause(error))?;
        self.json_text(&(json + "\n"))
    }

    /// Writes lines to standard output.
    pub fn lines<S: AsRef<str>>(&self, lines: impl IntoIterator<Item = S>) -> Result<()> {
        let mut text = String::new();
        for line in lines {
            text.push_str(&escape(line.as_ref()));
            text.push('\n');
        }
        self.octets(text.as_bytes())
    }

    /// Returns the width of the terminal in columns, or 80 if it is unknown.
    pub fn width(&self) -> usize {
        // A terminal of unknown width reports 0 columns.
        let width = Table::new().width().filter(|width| *width > 0);
        width.map_or(80, usize::from)
    }

    /// Writes lines to standard output, each made of colored pieces.
    pub fn painted(&self, lines: &[Vec<(String, Tone)>]) -> Result<()> {
        let mut text = String::new();
        for line in lines {
            for (piece, tone) in line {
                let piece = escape(piece);
                match tone.sequence().filter(|_| self.color) {
                    Some(sequence) => text.extend([sequence, &piece, "\u{1b}[39m"]),
                    None => text.push_str(&piece),
                }
            }
            text.push('\n');
        }
        self.octets(text.as_bytes())
    }

    /// Writes a status line to standard error, unless `--quiet` or `--json` is given.
    pub fn status(&self, text: impl AsRef<str>) {
        if !self.quiet && !self.json {
            self.stderr(&escape_message(text.as_ref()));
        }
    }

    /// Says on a terminal that standard input is read, because the program would seem to hang.
    pub fn reading_standard_input(&self) {
        if io::stdin().is_terminal() {
            let end = if cfg!(windows) { "Ctrl-Z" } else { "Ctrl-D" };
            self.status(format!("reading standard input; end it with {end}"));
        }
    }

    /// Writes a line about one call to a server to standard error if `--verbose` is given. With
    /// `--json`, the line is the JSON of `facts`.
    pub fn call(&self, text: impl AsRef<str>, facts: impl FnOnce() -> serde_json::Value) {
        match (self.verbose, self.json) {
            (false, _) => {}
            (true, true) => self.stderr(&escape_json(&json!({ "call": facts() }).to_string())),
            (true, false) => self.stderr(&escape_message(text.as_ref())),
        }
    }

    /// Writes a warning to standard error, unless `--quiet` is given.
    pub fn warn(&self, text: impl AsRef<str>) {
        let text = text.as_ref();
        match (self.quiet, self.json) {
            (true, _) => {}
            (false, true) => self.stderr(&escape_json(
                &json!({"warning": {"message": text}}).to_string(),
            )),
            (false, false) => {
                let word = self.styled("warning:", WARNING);
                self.stderr(&format!("{word} {}", escape_message(text)));
            }
        }
    }

    /// Writes an error to standard error: the message, and the hint if there is one.
    pub fn error(&self, error: &Error) {
        if self.json {
            let object = json!({ "error": JsonError::from(error) });
            return self.stderr(&escape_json(&object.to_string()));
        }
        let word = self.styled("error:", ERROR);
        let mut text = format!("{word} {}", escape_message(&error.to_string()));
        if let Some(advice) = error.advice() {
            let word = self.styled("hint:", HINT);
            let _ = write!(text, "\n  {word} {}", escape_message(advice));
        }
        self.stderr(&text);
    }

    /// Writes a usage error of the argument parser to standard error. `plain` and `colored` are the
    /// same text, which can have several lines.
    pub fn usage_error(&self, plain: &str, colored: &str) {
        let plain = plain.trim_end();
        let lines: Vec<_> = plain.lines().map(escape_message).collect();
        let escaped = lines.join("\n");
        // The colored text contains escape sequences, so it cannot be escaped. Use it only if the plain
        // text needs no escapes.
        if self.error_color && escaped == plain {
            self.stderr(colored.trim_end());
        } else {
            self.stderr(&escaped);
        }
    }

    /// Writes a question to standard error, without a line feed at the end. Several details get a line
    /// each.
    pub fn ask(&self, what: &str, details: &[String], question: &str) {
        let line = |text: &String| format!("\n  {}", escape_message(text));
        let what = escape_message(what);
        let what = match details {
            [] => format!("{what}."),
            [only] => format!("{what}: {}.", escape_message(only)),
            details => format!("{what}:{}\n", details.iter().map(line).collect::<String>()),
        };
        let blank = if details.len() > 1 { "" } else { " " };
        let _ = write!(io::stderr(), "{what}{blank}{question} ");
    }

    /// Returns a progress bar on standard error. It is hidden without a terminal, and with `--quiet` or
    /// `--json`.
    pub fn progress(&self, steps: u64, what: &str) -> ProgressBar {
        let shown = !self.quiet && !self.json && io::stderr().is_terminal();
        let target = if shown {
            ProgressDrawTarget::stderr()
        } else {
            ProgressDrawTarget::hidden()
        };
        let bar = ProgressBar::with_draw_target(Some(steps), target);
        let template = "{spinner} {msg} {bar:30} {pos}/{len} {elapsed}";
        // The template is a constant. If it were invalid, the default style would do.
        bar.set_style(
            ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar()),
        );
        bar.set_message(escape(what).into_owned());
        if shown {
            bar.enable_steady_tick(Duration::from_millis(120));
        }
        bar
    }

    /// Adds a style to a word, if standard error has colors.
    fn styled(&self, word: &str, style: &str) -> String {
        if self.error_color {
            format!("{style}{word}{RESET}")
        } else {
            word.to_owned()
        }
    }

    fn stderr(&self, text: &str) {
        // One call for the whole line, so that lines of several processes do not mix. If standard error is
        // closed, the failure cannot be reported.
        let _ = io::stderr().write_all(format!("{text}\n").as_bytes());
    }
}

/// Ends the line of a question that got no answer, on standard error.
pub fn end_question() {
    let _ = writeln!(io::stderr());
}

/// Shortens a text to `longest` characters, and adds an ellipsis if it was longer.
pub fn shorten(text: &str, longest: usize) -> Cow<'_, str> {
    match text.char_indices().nth(longest) {
        Some((end, _)) => Cow::Owned(format!("{}…", &text[..end])),
        None => Cow::Borrowed(text),
    }
}

/// Returns the width of a text in columns of a terminal, after it is escaped.
pub fn columns(text: &str) -> usize {
    escape(text).width()
}

/// Shortens a text so that it takes at most `longest` columns once it is escaped. The middle of a
/// longer text is left out; more is kept of its beginning than of its end.
pub fn fit(text: &str, longest: usize) -> String {
    if columns(text) <= longest {
        return text.to_owned();
    }
    let room = longest.saturating_sub(1);
    let take = |characters: &mut dyn Iterator<Item = char>, room: usize| {
        let mut taken = 0;
        let fits = |c: &char| {
            taken += columns(c.encode_utf8(&mut [0; 4]));
            taken <= room
        };
        characters.take_while(fits).collect::<Vec<char>>()
    };
    let mut tail = take(&mut text.chars().rev(), room / 3);
    let mut shortened = take(&mut text.chars(), room - room / 3);
    tail.reverse();
    shortened.push('…');
    shortened.extend(tail);
    shortened.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_text_loses_its_middle() {
        assert_eq!(fit("short", 5), "short");
        assert_eq!(fit("signing-key-2024-01", 10), "signin…-01");
        assert_eq!(fit("鍵鍵鍵鍵鍵", 7), "鍵鍵…鍵");
        assert_eq!(fit("a\u{1b}", 20), "a\u{1b}");
        assert_eq!(fit("ab\u{1b}c\u{1b}", 10), "ab…");
        assert_eq!(fit("abc", 1), "…");
    }
}
