//! The name of a key in messages and reports: its kid or its thumbprint.

use crate::key::Key;
use crate::key::key_type::KeyType;
use crate::key::thumbprint::thumbprint;
use std::borrow::Cow;

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

    /// Returns the [handle](KeyName::handle) for a sentence, [quoted](quote) if need be, or
    /// `(without kid)`.
    pub fn shown(&self) -> Cow<'_, str> {
        self.handle().map_or("(without kid)".into(), quote)
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
    use super::quote;

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
