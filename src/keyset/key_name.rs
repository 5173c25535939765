//! The name of a key in messages and reports: its kid or its thumbprint.

use crate::key::Key;
use crate::key::key_type::KeyType;
use crate::key::thumbprint::thumbprint;

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

    /// Returns the [handle](KeyName::handle) for a line of output, or `(without kid)`.
    pub fn shown(&self) -> &str {
        self.handle().unwrap_or("(without kid)")
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
