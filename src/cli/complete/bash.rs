//! Completion for bash 3.2 and later. bash splits words at the characters in `COMP_WORDBREAKS` and
//! inserts replies unquoted. So this module parses the command line itself, and quotes each reply for
//! its place.

use super::{Candidate, Found, Paths, find, is_presentable, paths};

/// The quotes that are open at the cursor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Quotes {
    None,
    Single,
    Double,
}

/// A command line up to the cursor.
#[derive(Debug)]
struct Typed {
    /// The words before the current one, without quotes, the program's name first.
    words: Vec<String>,
    /// The current word, without quotes.
    current: String,
    /// The length in bytes of the part of the current word that bash keeps. The reply replaces the
    /// rest.
    kept: usize,
    quotes: Quotes,
    /// True if the current word begins with a tilde that bash expands.
    has_tilde: bool,
    /// True if the current word is the file of a redirection.
    is_redirection: bool,
}

/// Returns the replies, one per line. `line` is the command line up to the cursor, and `breaks` is the
/// value of COMP_WORDBREAKS.
pub fn answer(line: &str, breaks: &str) -> String {
    let typed = Typed::read(line, breaks);
    let mut found = if typed.is_redirection {
        Found {
            paths: Some(Paths::Files),
            ..Found::default()
        }
    } else {
        find(typed.words.get(1..).unwrap_or_default(), &typed.current)
    };
    if let Some(kind) = found.paths {
        let word = &typed.current[found.prefix.len()..];
        let has_tilde = typed.has_tilde && found.prefix.is_empty();
        let paths = paths::find(kind, word, has_tilde).into_iter();
        let paths = paths.filter(|path| is_presentable(path));
        let paths = paths.map(|path| Candidate::new(format!("{}{path}", found.prefix), ""));
        found.candidates.extend(paths);
    }
    // A tab makes bash use its own file completion, which knows variables and other users' home
    // directories.
    if found.candidates.is_empty() && found.paths == Some(Paths::Files) {
        return "\t\n".to_owned();
    }
    typed.replies(&found)
}

impl Typed {
    /// Parses a command line as bash and readline do.
    fn read(line: &str, breaks: &str) -> Typed {
        let mut typed = Typed {
            words: Vec::new(),
            current: String::new(),
            kept: 0,
            quotes: Quotes::None,
            has_tilde: false,
            is_redirection: false,
        };
        let mut is_word = false;
        let mut kept_before_quotes = 0;
        let mut characters = line.chars();
        while let Some(c) = characters.next() {
            match (typed.quotes, c) {
                (Quotes::Single, '\'') | (Quotes::Double, '"') => {
                    typed.quotes = Quotes::None;
                    typed.kept = kept_before_quotes;
                }
                (Quotes::Single, _) => typed.current.push(c),
                (Quotes::None, '\'' | '"') => {
                    typed.quotes = if c == '"' {
                        Quotes::Double
                    } else {
                        Quotes::Single
                    };
                    kept_before_quotes = typed.kept;
                    typed.kept = typed.current.len();
                    is_word = true;
                }
                (Quotes::Double, '\\') => match characters.next() {
                    Some(c @ ('$' | '`' | '"' | '\\')) => typed.current.push(c),
                    other => typed.current.extend(std::iter::once('\\').chain(other)),
                },
                (Quotes::Double, _) => typed.current.push(c),
                (Quotes::None, '\\') => {
                    typed.current.extend(characters.next());
                    is_word = true;
                }
                (Quotes::None, '<' | '>') => {
                    // A number before a redirection is a file descriptor, such as `2>`.
                    is_word &= !typed.current.chars().all(|c| c.is_ascii_digit());
                    typed.end_word(is_word);
                    typed.is_redirection = true;
                    is_word = false;
                }
                (Quotes::None, ' ' | '\t' | '\n') => {
                    if is_word {
                        typed.end_word(true);
                    }
                    is_word = false;
                }
                (Quotes::None, _) => {
                    typed.has_tilde |= c == '~' && !is_word;
                    typed.current.push(c);
                    is_word = true;
                    if breaks.contains(c) {
                        typed.kept = typed.current.len();
                    }
                }
            }
        }
        typed
    }

    /// Ends the current word. The file of a redirection is not an argument of the command.
    fn end_word(&mut self, is_word: bool) {
        let word = std::mem::take(&mut self.current);
        if is_word && !self.is_redirection {
            self.words.push(word);
        }
        self.is_redirection &= !is_word;
        self.has_tilde = false;
        self.kept = 0;
    }

    /// Returns the text that bash inserts for each candidate. bash also inserts the common beginning of
    /// all replies, so it must not end within an escaped character.
    fn replies(&self, found: &Found) -> String {
        let is_path = found.paths.is_some() && self.has_tilde && self.kept == 0;
        let tails: Vec<&str> = found
            .candidates
            .iter()
            .filter_map(|candidate| candidate.value.get(self.kept..))
            .collect();
        let quoted = |text: &str| match text.strip_prefix("~/").filter(|_| is_path) {
            Some(rest) => format!("~/{}", self.quotes.quote(rest)),
            None => self.quotes.quote(text),
        };
        let mut replies: Vec<String> = tails.iter().map(|tail| quoted(tail)).collect();
        if let [candidate] = &*found.candidates {
            let reply = self.after_quotes(replies.concat());
            let end = match self.quotes {
                Quotes::None if candidate.is_partial() => "",
                Quotes::None => " ",
                // readline adds the closing quote, unless the reply already ends with that character.
                Quotes::Single if reply.ends_with('\'') => "'",
                Quotes::Double if reply.ends_with('"') => "\"",
                Quotes::Single | Quotes::Double => "",
            };
            return reply + end + "\n";
        }
        let common = common_start(&tails);
        if common_start(&replies).len() > quoted(common).len()
            && let Some(first) = tails.first()
        {
            let mut rest = first[common.len()..].chars();
            let next = rest.next().map(|c| self.quotes.quote_otherwise(c));
            let rest = self.quotes.quote(rest.as_str());
            replies[0] = quoted(common) + &next.unwrap_or_default() + &rest;
        }
        let replies = replies.into_iter();
        replies
            .map(|reply| self.after_quotes(reply) + "\n")
            .collect()
    }

    /// Doubles a quote at the start of a reply within the same quotes, because readline removes one.
    fn after_quotes(&self, reply: String) -> String {
        match self.quotes {
            Quotes::Single if reply.starts_with('\'') => format!("'{reply}"),
            Quotes::Double if reply.starts_with('"') => format!("\"{reply}"),
            _ => reply,
        }
    }
}

impl Quotes {
    /// Quotes a text for a position within these quotes.
    fn quote(self, text: &str) -> String {
        let mut quoted = String::with_capacity(text.len());
        for c in text.chars() {
            match self {
                Quotes::None if !is_plain(c) => quoted.extend(['\\', c]),
                Quotes::Single if c == '\'' => quoted.push_str(r"'\''"),
                // Within double quotes, bash would keep a backslash before the exclamation mark.
                Quotes::Double if c == '!' => quoted.push_str(r#""\!""#),
                Quotes::Double if "$`\"\\".contains(c) => quoted.extend(['\\', c]),
                _ => quoted.push(c),
            }
        }
        quoted
    }

    /// Quotes a special character in another way than [`quote`](Quotes::quote), so that the common
    /// beginning ends before it.
    fn quote_otherwise(self, c: char) -> String {
        match (self, c) {
            (Quotes::None, '\'') => r#""'""#.to_owned(),
            (Quotes::None, c) => format!("'{c}'"),
            (Quotes::Single, c) => self.quote(c.encode_utf8(&mut [0; 4])),
            (Quotes::Double, c) => format!("\"'{c}'\""),
        }
    }
}

/// Returns true if a character needs no quotes in an unquoted word.
fn is_plain(c: char) -> bool {
    c.is_alphanumeric() || "_-./:=@%+,".contains(c)
}

/// Returns the longest common beginning of the texts.
fn common_start<S: AsRef<str>>(texts: &[S]) -> &str {
    let Some((first, others)) = texts.split_first() else {
        return "";
    };
    let mut common = first.as_ref();
    for other in others {
        let pairs = common.char_indices().zip(other.as_ref().chars());
        let same = pairs.take_while(|((_, one), other)| one == other);
        let end = same.last().map_or(0, |((at, c), _)| at + c.len_utf8());
        common = &common[..end];
    }
    common
}
