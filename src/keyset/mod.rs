//! A JWK Set (RFC 7517 section 5) and the operations on whole sets.
//!
//! Keys and members keep their original JSON text, borrowed from the document, so that a set of
//! 100,000 keys takes little more memory than its file. Nothing here uses a file, the environment,
//! a clock or a terminal.

pub mod adopt;
pub mod changes;
pub mod check;
pub mod diff;
pub mod discovery;
pub mod import;
pub mod index;
pub mod issuer;
pub mod key_name;
pub mod key_pairs;
pub mod kid_from;
pub mod lifecycle;
pub mod merge;
pub mod own_members;
pub mod public_header;
pub mod publish;
pub mod pull;
pub mod push;
pub mod rotate;
pub mod select;
pub mod server_rules;
pub mod succession;
pub mod terms;
pub mod timeline;
pub mod verifiers;

use crate::error::{Error, Result};
use crate::key::Key;
use crate::key::members::{Text, quoted};
use serde::de::{self, Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;

/// A member of the set other than `keys`: its name and the JSON text of its value.
pub type SetMember<'a> = (Cow<'a, str>, Cow<'a, str>);

/// A JWK Set: its keys in order, and its other members.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct KeySet<'a> {
    before: Vec<SetMember<'a>>,
    /// The keys, in the order of the document.
    pub keys: Vec<Key<'a>>,
    after: Vec<SetMember<'a>>,
}

/// The maximum size of a foreign JWK Set, in bytes.
pub const FOREIGN_LIMIT: usize = 16 << 20;

/// The maximum number of keys in a set. Small keys take many times their size in memory.
pub const MOST_KEYS: usize = 1 << 15;

impl<'a> KeySet<'a> {
    /// Reads a JWK Set without parsing its keys, so that an unusable key does not affect the others.
    /// Returns an error that says what the text is if it is not a JWK Set.
    pub fn parse(json: &'a str) -> Result<Self> {
        let json = json.strip_prefix('\u{feff}').unwrap_or(json);
        let document: Document =
            serde_json::from_str(json).map_err(|error| unlike_json(json, error))?;
        match document {
            Document::Set(set) => Ok(set),
            Document::Duplicate(name) => Err(Error::invalid(format!(
                "the member {} is duplicated in the set",
                quoted(&name)
            ))),
            Document::TooManyKeys => Err(Error::invalid(format!(
                "the set has more than {MOST_KEYS} keys"
            ))),
            Document::Other(what) => Err(Error::invalid(format!("not a JWK Set: {what}"))),
        }
    }

    /// Returns the members of the set other than `keys`.
    pub fn members(&self) -> impl Iterator<Item = &SetMember<'a>> {
        self.before.iter().chain(&self.after)
    }

    /// Adds the members of another set that this set lacks.
    pub fn add_members(&mut self, other: &KeySet) {
        let own = self.members().map(|(name, _)| name.to_string());
        let mut known: HashSet<String> = own.collect();
        known.insert("keys".into());
        for (name, value) in other.members() {
            if known.insert(name.to_string()) {
                let member = (name.to_string().into(), value.to_string().into());
                self.after.push(member);
            }
        }
    }

    /// Returns the JSON document: one line for each member of the set and for each new key. Keys that
    /// came from a document keep their text.
    pub fn to_json(&self) -> String {
        let size: usize = self.keys.iter().map(|key| key.json().len() + 6).sum();
        let mut json = String::with_capacity(size + 64);
        json.push_str("{\n");
        for (name, value) in &self.before {
            push_member(&mut json, name, value);
            json.push_str(",\n");
        }
        json.push_str("  \"keys\": [");
        for (i, key) in self.keys.iter().enumerate() {
            json.push_str(if i == 0 { "\n    " } else { ",\n    " });
            json.push_str(key.json());
        }
        json.push_str(if self.keys.is_empty() { "]" } else { "\n  ]" });
        for (name, value) in &self.after {
            json.push_str(",\n");
            push_member(&mut json, name, value);
        }
        json.push_str("\n}\n");
        json
    }

    /// Returns the set as an owned value.
    pub fn into_owned(self) -> KeySet<'static> {
        let owned = |members: Vec<SetMember>| {
            let members = members.into_iter();
            let owned = |text: Cow<str>| Cow::Owned(text.into_owned());
            members
                .map(|(name, value)| (owned(name), owned(value)))
                .collect()
        };
        KeySet {
            before: owned(self.before),
            keys: self.keys.into_iter().map(Key::into_owned).collect(),
            after: owned(self.after),
        }
    }
}

impl<'a> From<Vec<Key<'a>>> for KeySet<'a> {
    /// Makes a set that has only keys.
    fn from(keys: Vec<Key<'a>>) -> Self {
        KeySet {
            keys,
            ..KeySet::default()
        }
    }
}

fn push_member(json: &mut String, name: &str, value: &str) {
    json.push_str("  ");
    json.push_str(&quoted(name));
    json.push_str(": ");
    json.push_str(value);
}

impl fmt::Debug for KeySet<'_> {
    /// Prints only the redacted form of the keys, because members of the set can be secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeySet")
            .field("keys", &self.keys)
            .finish_non_exhaustive()
    }
}

/// The result of reading a JSON document as a JWK Set.
enum Document<'a> {
    Set(KeySet<'a>),
    Duplicate(String),
    TooManyKeys,
    Other(&'static str),
}

impl<'de: 'a, 'a> Deserialize<'de> for Document<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;
        impl<'de> Visitor<'de> for Object {
            type Value = Document<'de>;

            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("a JWK Set")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                read_set(&mut map)
            }
        }
        deserializer.deserialize_map(Object)
    }
}

fn read_set<'de, A: MapAccess<'de>>(map: &mut A) -> Result<Document<'de>, A::Error> {
    let mut set = KeySet::default();
    let (mut keys, mut is_key, mut duplicate) = (None, false, None);
    let mut seen: HashSet<Cow<str>> = HashSet::new();
    while let Some(Text(name)) = map.next_key()? {
        if !seen.insert(name.clone()) && duplicate.is_none() {
            duplicate = Some(name.to_string());
        }
        if name == "keys" {
            keys = Some(map.next_value::<Keys>()?);
            continue;
        }
        is_key |= name == "kty";
        let value: &'de RawValue = map.next_value()?;
        let side = if keys.is_none() {
            &mut set.before
        } else {
            &mut set.after
        };
        side.push((name, Cow::Borrowed(value.get())));
    }
    Ok(match (duplicate, keys) {
        (Some(name), _) => Document::Duplicate(name),
        (None, Some(Keys::Array(keys))) => {
            set.keys = keys
                .into_iter()
                .map(|key| Key::from_json(key.get()))
                .collect();
            Document::Set(set)
        }
        (None, Some(Keys::TooMany)) => Document::TooManyKeys,
        (None, Some(Keys::Other)) => Document::Other("its keys member is not an array"),
        (None, None) if is_key => Document::Other("it is a single JWK"),
        (None, None) => Document::Other("it has no keys member"),
    })
}

/// The value of the `keys` member.
enum Keys<'a> {
    Array(Vec<&'a RawValue>),
    TooMany,
    Other,
}

impl<'de: 'a, 'a> Deserialize<'de> for Keys<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Value;
        impl<'de> Visitor<'de> for Value {
            type Value = Keys<'de>;

            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("an array")
            }

            fn visit_seq<A: de::SeqAccess<'de>>(self, mut seq: A) -> Result<Keys<'de>, A::Error> {
                let mut keys = Vec::new();
                while let Some(key) = seq.next_element()? {
                    keys.push(key);
                    if keys.len() > MOST_KEYS {
                        while seq.next_element::<de::IgnoredAny>()?.is_some() {}
                        return Ok(Keys::TooMany);
                    }
                }
                Ok(Keys::Array(keys))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Keys<'de>, A::Error> {
                while map
                    .next_entry::<de::IgnoredAny, de::IgnoredAny>()?
                    .is_some()
                {}
                Ok(Keys::Other)
            }

            fn visit_unit<E>(self) -> Result<Keys<'de>, E> {
                Ok(Keys::Other)
            }

            fn visit_bool<E>(self, _: bool) -> Result<Keys<'de>, E> {
                Ok(Keys::Other)
            }

            fn visit_i64<E>(self, _: i64) -> Result<Keys<'de>, E> {
                Ok(Keys::Other)
            }

            fn visit_u64<E>(self, _: u64) -> Result<Keys<'de>, E> {
                Ok(Keys::Other)
            }

            fn visit_f64<E>(self, _: f64) -> Result<Keys<'de>, E> {
                Ok(Keys::Other)
            }

            fn visit_str<E>(self, _: &str) -> Result<Keys<'de>, E> {
                Ok(Keys::Other)
            }
        }
        deserializer.deserialize_any(Value)
    }
}

/// Returns an error that says what a text looks like that is not a JSON object.
fn unlike_json(text: &str, error: serde_json::Error) -> Error {
    let start = text.trim_start();
    let looks_like = if start.is_empty() {
        "it is empty"
    } else if start.starts_with('<') {
        "it is HTML or XML"
    } else if start.starts_with("-----BEGIN ") {
        "it is PEM"
    } else if start.starts_with("eyJ") && start.contains('.') {
        "it is a JWT or JWE"
    } else if error.is_data() {
        "it is JSON, but not an object"
    } else {
        return Error::invalid("not JSON").cause(error);
    };
    Error::invalid(format!("not a JWK Set: {looks_like}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_keeps_its_members_their_order_and_numbers() {
        let json = r#"{"a":1E5,"keys":[ {"kty":"x" , "n":-0} ],"b":{"c":[1e400]}}"#;
        let set = KeySet::parse(json).unwrap();
        let written = set.to_json();
        assert_eq!(
            written,
            "{\n  \"a\": 1E5,\n  \"keys\": [\n    {\"kty\":\"x\" , \"n\":-0}\n  ],\n  \"b\": {\"c\":[1e400]}\n}\n"
        );
        assert_eq!(KeySet::parse(&written).unwrap(), set);
    }

    #[test]
    fn a_set_has_a_bounded_number_of_keys() {
        let set = |keys: usize| format!(r#"{{"keys":[{}]}}"#, vec!["{}"; keys].join(","));
        assert_eq!(
            KeySet::parse(&set(MOST_KEYS)).unwrap().keys.len(),
            MOST_KEYS
        );
        let error = KeySet::parse(&set(MOST_KEYS + 1)).unwrap_err().to_string();
        assert_eq!(error, "the set has more than 32768 keys");
    }

    #[test]
    fn what_is_no_set_is_named() {
        for (json, said) in [
            ("", "empty"),
            ("null", "not an object"),
            ("[]", "not an object"),
            ("{}", "no keys member"),
            (r#"{"kty":"EC"}"#, "single JWK"),
            (r#"{"keys":null}"#, "not an array"),
            (r#"{"keys":"[]"}"#, "not an array"),
            (r#"{"keys":{"kty":"EC"}}"#, "not an array"),
            (r#"{"keys":[],"k\u0065ys":[]}"#, "is duplicated"),
            (r#"{"a":1,"keys":[],"a":1}"#, "is duplicated"),
            ("<html>", "HTML"),
            ("eyJhbGciOiJub25lIn0.e30.", "JWT"),
            (r#"{"keys":[]} x"#, "not JSON"),
            (r#"{"keys":[],}"#, "not JSON"),
        ] {
            let error = KeySet::parse(json).unwrap_err().to_string();
            assert!(error.contains(said), "{json}: {error}");
        }
    }
}
