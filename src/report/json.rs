//! The parts that the JSON documents of several commands share. jwks-json(7) describes the documents,
//! and `tests/schemas` holds a schema for each.
//!
//! Arrays and booleans are always there. A text, number or object without a value is left out. A time is
//! a number of seconds since 1970.

use crate::key::Key;
use crate::keyset::key_name::{KeyName, quote};
use crate::keyset::merge::Merged;
use serde::Serialize;
use std::borrow::Cow;

/// A key: its kid, and its thumbprint unless it is symmetric.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct JsonKeyName<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    kid: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    thumbprint: Option<Cow<'a, str>>,
}

impl<'a> JsonKeyName<'a> {
    /// Returns a key by its name.
    pub fn of(name: &'a KeyName) -> Self {
        JsonKeyName {
            kid: name.kid.as_deref().map(Cow::Borrowed),
            thumbprint: name.public_thumbprint().map(Cow::Borrowed),
        }
    }

    /// Returns a key of which only the kid is known.
    pub fn with_kid(kid: String) -> Self {
        JsonKeyName {
            kid: Some(kid.into()),
            thumbprint: None,
        }
    }

    /// Returns the kid.
    pub fn kid(&self) -> Option<&str> {
        self.kid.as_deref()
    }

    /// Returns the kid or the thumbprint.
    pub fn handle(&self) -> Option<&str> {
        let kid = self.kid.as_deref().filter(|kid| !kid.is_empty());
        kid.or(self.thumbprint.as_deref())
    }

    /// Returns the [handle](JsonKeyName::handle) for a sentence, [quoted](quote) if need be, or
    /// `(without kid)`.
    pub fn shown(&self) -> Cow<'_, str> {
        self.handle().map_or("(without kid)".into(), quote)
    }
}

impl From<KeyName> for JsonKeyName<'static> {
    fn from(name: KeyName) -> Self {
        JsonKeyName {
            thumbprint: name.public_thumbprint().map(|text| text.to_owned().into()),
            kid: name.kid.map(Cow::Owned),
        }
    }
}

impl From<&Key<'_>> for JsonKeyName<'static> {
    fn from(key: &Key) -> Self {
        KeyName::of(key).into()
    }
}

/// Returns keys by their names.
pub fn json_names<'a>(names: impl IntoIterator<Item = &'a KeyName>) -> Vec<JsonKeyName<'a>> {
    names.into_iter().map(JsonKeyName::of).collect()
}

/// Returns the names of keys.
pub fn json_keys<'k>(keys: impl IntoIterator<Item = &'k Key<'k>>) -> Vec<JsonKeyName<'static>> {
    keys.into_iter().map(JsonKeyName::from).collect()
}

/// A key that is sent or received.
#[derive(Debug, Serialize)]
pub struct JsonCarried {
    /// The key.
    #[serde(flatten)]
    pub key: JsonKeyName<'static>,
    /// True if its private part goes with it.
    pub private: bool,
}

/// A key that has other members on the other side.
#[derive(Debug, Serialize)]
pub struct JsonDiffering {
    /// The key.
    #[serde(flatten)]
    pub key: JsonKeyName<'static>,
    /// The members that differ.
    pub members: Vec<String>,
}

/// Returns the keys that keep protected members, and the members that differ at the source.
pub fn json_differing(merged: &Merged) -> Vec<JsonDiffering> {
    let differing = merged.differing.iter();
    let differing = differing.map(|(name, members)| JsonDiffering {
        key: name.clone().into(),
        members: members.clone(),
    });
    differing.collect()
}
