//! The name of a key in messages and reports: its kid or its thumbprint.

use crate::key::Key;
use crate::key::key_type::KeyType;
use crate::key::thumbprint::thumbprint;
use std::borrow::Cow;

/// How the material of a shared secret begins. A thumbprint has no space.
const SECRET: &str = "kid ";

/// The kid and the thumbprint of a key.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct KeyName {
    /// The kid, if the key has one.
    pub kid: Option<String>,
    /// The RFC 7638 thumbprint, if the key has one.
    pub thumbprint: Option<String>,
    /// True if the key is symmetric.
    pub is_symmetric: bool,
}

impl KeyName {
    /// Returns the name of a key.
    pub fn of(key: &Key) -> KeyName {
        let members = key.members().unwrap_or_default();
        let key_type = members.key_type();
        KeyName {
            kid: members.string("kid").map(|kid| kid.into_owned()),
            thumbprint: thumbprint(&members),
            is_symmetric: key_type.is_some_and(KeyType::is_symmetric),
        }
    }

    /// Returns true if the text is the kid or the thumbprint of the key.
    pub fn is(&self, text: &str) -> bool {
        self.kid.as_deref() == Some(text) || self.thumbprint.as_deref() == Some(text)
    }

    /// Returns the thumbprint of a key that is not symmetric. The thumbprint of a weak secret would
    /// help to guess it (RFC 7638 section 7).
    pub fn public_thumbprint(&self) -> Option<&str> {
        self.thumbprint.as_deref().filter(|_| !self.is_symmetric)
    }

    /// Returns the kid, or else the [public thumbprint](KeyName::public_thumbprint).
    pub fn handle(&self) -> Option<&str> {
        let kid = self.kid.as_deref().filter(|kid| !kid.is_empty());
        kid.or(self.public_thumbprint())
    }

    /// Returns what identifies the material of the key in a record: its thumbprint. A shared secret could be
    /// guessed from its own, so it gets `kid KID`.
    pub fn material(&self) -> Option<String> {
        match self.public_thumbprint() {
            Some(thumbprint) => Some(thumbprint.to_owned()),
            None => self.kid.as_ref().map(|kid| format!("{SECRET}{kid}")),
        }
    }

    /// Returns what identifies the key in a record: its [material](KeyName::material) and its kid. For
    /// verifiers, the same material under another kid is another key.
    pub fn entry(&self) -> Option<String> {
        let material = self.material()?;
        match &self.kid {
            Some(kid) if !self.is_symmetric => Some(format!("{material} {kid}")),
            _ => Some(material),
        }
    }

    /// Returns the [handle](KeyName::handle) for a sentence, [quoted](quote) if need be, or
    /// `(without kid)`.
    pub fn shown(&self) -> Cow<'_, str> {
        self.handle().map_or("(without kid)".into(), quote)
    }
}

/// Returns the material of an [entry](KeyName::entry).
pub fn material_of(entry: &str) -> &str {
    match entry.split_once(' ') {
        Some((material, _)) if !entry.starts_with(SECRET) => material,
        _ => entry,
    }
}

/// Names a key in a sentence: `key "KID"`, or `a key without a kid`.
pub fn named(kid: Option<&str>) -> String {
    kid.map_or_else(
        || "a key without a kid".into(),
        |kid| format!("key {kid:?}"),
    )
}

/// Quotes a kid for a sentence if a shell would split it, or if it could be taken for words of the
/// sentence.
pub fn quote(kid: &str) -> Cow<'_, str> {
    let is_plain = |c: char| c.is_alphanumeric() || "._+=@%:/#~-".contains(c);
    let starts_plain = kid.starts_with(|c: char| c.is_alphanumeric() || "._+/".contains(c));
    if starts_plain && kid.chars().all(is_plain) {
        Cow::Borrowed(kid)
    } else {
        Cow::Owned(format!("{kid:?}"))
    }
}

impl From<&Key<'_>> for KeyName {
    fn from(key: &Key) -> Self {
        KeyName::of(key)
    }
}

impl From<&KeyName> for KeyName {
    fn from(name: &KeyName) -> Self {
        name.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::{KeyName, material_of, quote};

    #[test]
    fn an_entry_has_the_material_and_the_kid() {
        let name = |kid: Option<&str>, is_symmetric| KeyName {
            kid: kid.map(str::to_owned),
            thumbprint: Some("print".to_owned()),
            is_symmetric,
        };
        for (name, entry, material) in [
            (name(Some("a b"), false), "print a b", "print"),
            (name(None, false), "print", "print"),
            (name(Some("a b"), true), "kid a b", "kid a b"),
        ] {
            assert_eq!(name.entry().as_deref(), Some(entry));
            assert_eq!(name.material().as_deref(), Some(material));
            assert_eq!(material_of(entry), material);
        }
        assert_eq!(name(None, true).entry(), None);
    }

    #[test]
    fn a_kid_is_quoted_where_it_could_be_misread() {
        for plain in [
            "first",
            "2026-11",
            "public:a/b",
            "_x=",
            "https://a.example/#1",
            "鍵",
        ] {
            assert_eq!(quote(plain), plain);
        }
        for (kid, quoted) in [
            ("my key", "\"my key\""),
            ("a,b", "\"a,b\""),
            ("--yes", "\"--yes\""),
            ("#1", "\"#1\""),
            ("~root", "\"~root\""),
            ("$(x)", "\"$(x)\""),
            ("a\"b", r#""a\"b""#),
            ("", "\"\""),
        ] {
            assert_eq!(quote(kid), quoted);
        }
    }
}
