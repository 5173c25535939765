//! The keys and certificates of one document, and the parts that were left out.

use crate::error::{Error, ErrorKind, Result};
use crate::key::certificate::Certificate;
use crate::key::members::Members;
use crate::key::thumbprint::thumbprint;
use std::collections::HashMap;

/// The largest number of keys in one document, including unusable private keys. Computing the
/// public key of a private key takes more than a millisecond on P-521.
const KEYS: usize = 500;

/// The keys and certificates of one document, in order.
#[derive(Default)]
pub struct Bundle {
    /// The keys.
    pub keys: Vec<Members<'static>>,
    /// The certificates of keys and of their issuers.
    pub certificates: Vec<Certificate>,
    /// The aliases in a keystore, by the thumbprint of the key.
    pub aliases: HashMap<String, String>,
    /// True if only one alias of the document was requested, so that certificates can be without a key.
    pub is_part: bool,
    /// What the keys are, such as the key of a host.
    pub found: Vec<String>,
    /// The parts that cannot be used and were left out. Each error names its part and says why.
    pub left_out: Vec<Error>,
    /// True if a private key was left out. The public key of its certificate must then not be imported
    /// instead.
    pub lacks_private_key: bool,
    /// The number of private keys that were left out.
    unusable_keys: usize,
}

impl From<Members<'static>> for Bundle {
    fn from(key: Members<'static>) -> Self {
        Bundle {
            keys: vec![key],
            ..Bundle::default()
        }
    }
}

impl From<Certificate> for Bundle {
    fn from(certificate: Certificate) -> Self {
        Bundle {
            certificates: vec![certificate],
            ..Bundle::default()
        }
    }
}

/// A part of a document, such as a PEM block or the entry of a keystore.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// A part that should hold a private or shared key.
    PrivateKey,
    /// Any other part.
    Other,
}

impl Bundle {
    /// Returns true if there is no key and no certificate.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty() && self.certificates.is_empty()
    }

    /// Gives all keys and certificates an alias, unless it is empty.
    pub fn with_alias(mut self, alias: Option<&str>) -> Self {
        if let Some(alias) = alias.filter(|alias| !alias.is_empty()) {
            let certified = self.certificates.iter();
            let certified = certified.filter_map(|it| thumbprint(&it.public_key().ok()?));
            let own = self.keys.iter().filter_map(thumbprint);
            let named = own.chain(certified);
            self.aliases
                .extend(named.map(|key| (key, alias.to_owned())));
        }
        self
    }

    /// Adds the contents of another document.
    pub fn extend(&mut self, other: Bundle) {
        self.keys.extend(other.keys);
        self.certificates.extend(other.certificates);
        for (thumbprint, alias) in other.aliases {
            self.aliases.entry(thumbprint).or_insert(alias);
        }
        self.is_part |= other.is_part;
        self.found.extend(other.found);
        self.left_out.extend(other.left_out);
        self.lacks_private_key |= other.lacks_private_key;
    }

    /// Adds the contents of a part, or leaves the part out if jwks cannot use it.
    ///
    /// Returns errors that are not [`ErrorKind::Invalid`], such as a wrong password.
    pub fn take(&mut self, name: &str, part: Part, read: Result<Bundle>) -> Result<()> {
        match read {
            Ok(mut contents) => {
                let left_out = contents.left_out.drain(..);
                self.left_out
                    .extend(left_out.map(|error| error.about(name)));
                self.extend(contents);
            }
            Err(error) if error.kind() == ErrorKind::Invalid => {
                self.left_out.push(error.about(name));
                self.lacks_private_key |= part == Part::PrivateKey;
                self.unusable_keys += usize::from(part == Part::PrivateKey);
            }
            Err(error) => return Err(error.about(name)),
        }
        if self.keys.len() + self.unusable_keys <= KEYS {
            Ok(())
        } else {
            let message = format!("it has more than {KEYS} keys");
            Err(Error::invalid(message).hint("split it into several files"))
        }
    }

    /// Returns the contents, or an error if nothing in them can be used. `nothing` is the message
    /// for a document without parts.
    pub fn or_nothing(self, nothing: &str) -> Result<Self> {
        if self.is_empty() {
            Err(nothing_usable(nothing, self.left_out))
        } else {
            Ok(self)
        }
    }

    /// Returns the contents of one alias of a keystore: its keys and all certificates, or only the
    /// certificates in `named` if it has no key. `aliases` are all aliases of the keystore. Returns an
    /// error if the alias does not exist, or if nothing in it can be used.
    pub fn of_alias(
        mut self,
        alias: &str,
        named: Vec<Certificate>,
        aliases: Vec<String>,
    ) -> Result<Self> {
        if self.keys.is_empty() && named.is_empty() {
            return if self.left_out.is_empty() {
                Err(unknown(alias, aliases))
            } else {
                self.or_nothing("nothing in the keystore can be used")
            };
        }
        if self.keys.is_empty() {
            self.certificates = named;
        }
        self.is_part = true;
        Ok(self)
    }
}

/// Returns the error for a document in which nothing can be used. It names each part and says why
/// it was left out.
pub fn nothing_usable(nothing: &str, mut left_out: Vec<Error>) -> Error {
    const SHOWN: usize = 5;
    const HINT: &str =
        "jwks reads private keys, public keys, certificates and certification requests";
    let error = match left_out.len() {
        0 => return Error::invalid(nothing),
        1 => left_out.remove(0),
        count => {
            let mut found: Vec<_> = left_out.iter().take(SHOWN).map(Error::to_string).collect();
            if count > SHOWN {
                found.push(format!("and {} more", count - SHOWN));
            }
            let message = format!("nothing in it can be used: {}", found.join("; "));
            let error = Error::invalid(message);
            match left_out.iter().find_map(Error::advice) {
                Some(advice) => error.hint(advice),
                None => error,
            }
        }
    };
    match error.advice() {
        Some(_) => error,
        None => error.hint(HINT),
    }
}

fn unknown(alias: &str, mut aliases: Vec<String>) -> Error {
    aliases.sort();
    aliases.dedup();
    let aliases: Vec<_> = aliases.iter().map(|alias| format!("{alias:?}")).collect();
    let hint = if aliases.is_empty() {
        "no key has an alias; omit --alias to read all keys".into()
    } else {
        format!("its aliases: {}", aliases.join(", "))
    };
    Error::not_found(format!("no alias {alias:?} in the keystore")).hint(hint)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_of_keys_is_bounded() {
        let mut contents = Bundle::default();
        for i in 0..KEYS {
            let read = match i % 2 {
                0 => Ok(Bundle::from(Members::default())),
                _ => Err(Error::invalid("it is broken")),
            };
            contents.take("a part", Part::PrivateKey, read).unwrap();
        }
        let one_more = Ok(Bundle::from(Members::default()));
        assert!(contents.take("a part", Part::Other, one_more).is_err());
    }
}
