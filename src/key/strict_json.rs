//! Checks foreign JSON beyond its syntax: duplicate names, depth and number of values. A parsed
//! document can take a hundred times the memory of its text.

use crate::error::{Error, Result};
use crate::key::Key;
use crate::key::header::Header;
use crate::key::members::quoted;
use std::borrow::Cow;
use std::collections::HashSet;

/// The deepest nesting of foreign JSON.
const DEPTH: usize = 64;

/// The largest number of names and values in a foreign document: 45 for each of 10,000 keys. An RSA key pair
/// with 15 members has 31, the object included.
const ITEMS: usize = 450_000;

/// The largest number of keys in one foreign document.
pub const MOST_FOREIGN_KEYS: usize = 10_000;

/// The largest number of members of one foreign object. Keys have about twenty. Some operations compare
/// each member with each other member.
const MEMBERS: usize = 1000;

/// The longest kid of a foreign key, in bytes.
pub const LONGEST_KID: usize = 64 << 10;

/// Returns an error for JSON text that is too deep, too long, or has duplicate names. Invalid JSON
/// can pass this check.
pub fn check(json: &str) -> Result<()> {
    check_size(json)?;
    check_names(json)
}

/// Returns an error for JSON text that is nested deeper than 64 levels, or has more than 450,000
/// names and values.
///
/// It reads the text once, allocates nothing, and must run before the text is parsed. Invalid JSON
/// can pass this check.
pub fn check_size(json: &str) -> Result<()> {
    let mut depth = 0_usize;
    let mut items = 0;
    for token in Tokens::of(json) {
        match token {
            Token::Begin => depth += 1,
            Token::End => depth = depth.saturating_sub(1),
            Token::Name(_) | Token::Value => {}
        }
        // An array or object is a value, and counts where it begins.
        items += usize::from(!matches!(token, Token::End));
        if depth > DEPTH {
            return Err(unfit(format!("it is nested deeper than {DEPTH} levels")));
        }
        if items > ITEMS {
            let message = format!("it has more than {ITEMS} names and values");
            return Err(Error::invalid(message));
        }
    }
    Ok(())
}

/// Returns an error for JSON text in which an object has duplicate names, or more than 1,000 members.
/// The size must have been checked.
pub fn check_names(json: &str) -> Result<()> {
    check_members(json)?;
    let mut open: Vec<HashSet<Cow<str>>> = Vec::new();
    for token in Tokens::of(json) {
        match token {
            Token::Begin => open.push(HashSet::new()),
            Token::End => drop(open.pop()),
            Token::Value => {}
            Token::Name(quoted_name) => {
                let name = decoded(quoted_name);
                if let Some(names) = open.last_mut()
                    && !names.insert(name.clone())
                {
                    let name = quoted(&name);
                    return Err(unfit(format!("the member {name} appears twice")));
                }
            }
        }
    }
    Ok(())
}

/// Returns an error for JSON text in which an object has more than 1,000 members, even if some have one name.
/// The size must have been checked.
pub fn check_members(json: &str) -> Result<()> {
    let mut open = Vec::new();
    for token in Tokens::of(json) {
        match token {
            Token::Begin => open.push(0),
            Token::End => drop(open.pop()),
            Token::Value => {}
            Token::Name(_) => {
                if let Some(members) = open.last_mut() {
                    *members += 1;
                    if *members > MEMBERS {
                        let message = format!("an object in it has more than {MEMBERS} members");
                        return Err(Error::invalid(message));
                    }
                }
            }
        }
    }
    Ok(())
}

/// Returns an error for more than 10,000 keys, or a kid of more than 64 KiB, because kids are
/// displayed and logged in many places.
pub fn check_keys(keys: &[Key]) -> Result<()> {
    check_number(keys.len())?;
    let is_long = |key: &Key| {
        Header::of(key)
            .kid
            .is_some_and(|kid| kid.len() > LONGEST_KID)
    };
    match keys.iter().position(is_long) {
        Some(position) => Err(Error::invalid(format!(
            "the kid of key {position} has more than {LONGEST_KID} bytes"
        ))),
        None => Ok(()),
    }
}

/// Returns an error for more than 10,000 keys.
pub fn check_number(keys: usize) -> Result<()> {
    if keys <= MOST_FOREIGN_KEYS {
        return Ok(());
    }
    let message = format!("it has {keys} keys; the limit is {MOST_FOREIGN_KEYS}");
    Err(Error::invalid(message).hint("split it into several documents"))
}

fn unfit(why: String) -> Error {
    Error::invalid(format!("not strict JSON: {why}"))
}

/// Decodes the name between two quotes. A name that cannot be decoded, such as half a surrogate
/// pair, is returned unchanged.
fn decoded(name: &str) -> Cow<'_, str> {
    if name.contains('\\') {
        serde_json::from_str(&format!("\"{name}\"")).unwrap_or(Cow::Borrowed(name))
    } else {
        Cow::Borrowed(name)
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Object,
    Array,
}

enum Token<'a> {
    Begin,
    End,
    /// The name of a member, without quotes.
    Name(&'a str),
    /// A string, number, boolean or null.
    Value,
}

/// An iterator over the names, values and brackets of a JSON text.
struct Tokens<'a> {
    json: &'a str,
    position: usize,
    open: Vec<Kind>,
    /// True if the next string is a name.
    is_name: bool,
}

impl<'a> Tokens<'a> {
    fn of(json: &'a str) -> Self {
        Tokens {
            json,
            position: 0,
            open: Vec::new(),
            is_name: false,
        }
    }

    /// Skips a string and returns the text between its quotes.
    fn string(&mut self) -> &'a str {
        let start = self.position + 1;
        let octets = self.json.as_bytes();
        let mut end = start;
        while end < octets.len() && octets[end] != b'"' {
            end += if octets[end] == b'\\' { 2 } else { 1 };
        }
        let end = end.min(octets.len());
        self.position = (end + 1).min(octets.len());
        // After an escape, the end can be inside a character.
        self.json.get(start..end).unwrap_or_default()
    }

    fn begin(&mut self, kind: Kind) -> Token<'a> {
        self.position += 1;
        self.open.push(kind);
        self.is_name = kind == Kind::Object;
        Token::Begin
    }
}

impl<'a> Iterator for Tokens<'a> {
    type Item = Token<'a>;

    fn next(&mut self) -> Option<Token<'a>> {
        let octets = self.json.as_bytes();
        loop {
            match octets.get(self.position)? {
                b'{' => return Some(self.begin(Kind::Object)),
                b'[' => return Some(self.begin(Kind::Array)),
                b'}' | b']' => {
                    self.position += 1;
                    self.open.pop();
                    return Some(Token::End);
                }
                b',' => {
                    self.position += 1;
                    self.is_name = self.open.last() == Some(&Kind::Object);
                }
                b'"' => {
                    let text = self.string();
                    let is_name = std::mem::take(&mut self.is_name);
                    return Some(if is_name {
                        Token::Name(text)
                    } else {
                        Token::Value
                    });
                }
                b' ' | b'\n' | b'\r' | b'\t' | b':' => self.position += 1,
                _ => {
                    let rest = &octets[self.position..];
                    let is_end = |octet: &u8| b" \n\r\t,:]}[{\"".contains(octet);
                    let length = rest.iter().position(is_end).unwrap_or(rest.len());
                    self.position += length;
                    return Some(Token::Value);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_appear_once_in_an_object() {
        for json in [
            r#"{"a":1,"b":{"a":2},"c":[{"a":3},{"a":4}]}"#,
            r#"["a","a",{"a":"a"},"a"]"#,
            r#"{"a":"\"a\":1,\"a\"","\\":1,"\"":2}"#,
            r#"{"\ud800":1,"\ud801":2}"#,
            "1",
        ] {
            check_names(json).unwrap_or_else(|error| panic!("{json}: {error}"));
        }
        for json in [
            r#"{"a":1,"a":2}"#,
            r#"{"a":1 , "b" : [{"x":[{"c":1,"\u0063":2}]}]}"#,
            r#"{"a":{"b":[]},"c":{},"a":null}"#,
        ] {
            assert!(check_names(json).is_err(), "{json}");
        }
    }

    #[test]
    fn members_of_an_object_are_bounded() {
        let object = |count: usize| {
            let members: Vec<_> = (0..count).map(|i| format!("\"m{i}\":0")).collect();
            format!("{{{}}}", members.join(","))
        };
        assert!(check_names(&object(MEMBERS)).is_ok());
        assert!(check_names(&object(MEMBERS + 1)).is_err());
    }

    #[test]
    fn depth_and_length_are_bounded() {
        let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
        assert!(check_size(&nested(64)).is_ok());
        assert!(check_size(&nested(65)).is_err());
        let flat = |count: usize| format!("[{}]", vec!["1"; count].join(","));
        assert!(check_size(&flat(ITEMS - 1)).is_ok());
        assert!(check_size(&flat(ITEMS)).is_err());
    }

    #[test]
    fn the_most_keys_can_be_rsa_key_pairs() {
        let members: Vec<_> = (0..15).map(|i| format!("\"m{i}\":\"v\"")).collect();
        let key = format!("{{{}}}", members.join(","));
        let keys = vec![key; MOST_FOREIGN_KEYS].join(",");
        check(&format!("{{\"keys\":[{keys}]}}")).unwrap();
    }

    #[test]
    fn the_number_of_keys_and_the_length_of_kids_are_bounded() {
        let key = |kid: usize| Key::from_json(format!(r#"{{"kid":"{}"}}"#, "k".repeat(kid)));
        assert!(check_keys(&vec![key(1); MOST_FOREIGN_KEYS]).is_ok());
        assert!(check_keys(&vec![key(1); MOST_FOREIGN_KEYS + 1]).is_err());
        assert!(check_keys(&[key(1), key(LONGEST_KID)]).is_ok());
        assert!(check_keys(&[key(1), key(LONGEST_KID + 1)]).is_err());
    }

    #[test]
    fn no_text_is_too_odd_to_be_read() {
        for json in [
            "",
            "\"",
            "\"\\",
            "{\"a\\é",
            "}]}]",
            "{\"a\"",
            "{,,:",
            "ü\u{0}",
            "\"\\\u{1f511}",
        ] {
            let _ = (check_size(json), check_names(json));
        }
    }
}
