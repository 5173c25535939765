//! A set's file as it was read: plain, or encrypted and to be opened.

use crate::error::{Error, Result};
use crate::files::kept::Kept;
use crate::jwe::{self, DerivedKeys, Envelope};
use crate::keyset::KeySet;
use crate::keyset::public_header::{self, PUBLIC_PART};
use crate::secret::Secret;
use std::path::{Path, PathBuf};

/// The largest file of a set that jwks reads and writes, in octets.
pub(super) const OWN_LIMIT: u64 = 512 << 20;

/// What a set's file holds.
#[derive(Debug)]
pub enum Stored {
    /// A JWK Set.
    Plain(SetDocument),
    /// An encrypted one.
    Encrypted(Encrypted),
}

/// The text of a set, which may hold private keys.
#[derive(Debug)]
pub struct SetDocument {
    pub(super) text: Secret<String>,
    /// Whether it is no more than the public part of an encrypted set.
    is_public_part: bool,
    /// Whether others than the owner can read or write the file.
    pub is_open: bool,
    pub(super) path: PathBuf,
}

/// A set that a passphrase encrypts.
#[derive(Debug)]
pub struct Encrypted {
    envelope: Envelope,
    is_open: bool,
    path: PathBuf,
}

impl Stored {
    /// Takes the octets of a file for what they are, whatever its name.
    pub(super) fn read(kept: Kept, path: PathBuf) -> Result<Stored> {
        let is_open = kept.is_open;
        let text = String::from_utf8(kept.octets).map_err(|_| {
            Error::invalid(format!("{}: it is not UTF-8 text", path.display()))
                .hint("the file is damaged; restore it, jwks leaves it as it is")
        })?;
        let text = Secret::new(text);
        if !is_encrypted(text.expose(), &path) {
            return Ok(Stored::Plain(SetDocument {
                text,
                is_public_part: false,
                is_open,
                path,
            }));
        }
        let envelope = Envelope::parse(text.expose());
        Ok(Stored::Encrypted(Encrypted {
            envelope: envelope.map_err(|error| error.about(path.display()))?,
            is_open,
            path,
        }))
    }

    /// The path of the file.
    pub fn path(&self) -> &Path {
        match self {
            Stored::Plain(document) => &document.path,
            Stored::Encrypted(encrypted) => &encrypted.path,
        }
    }

    /// What can be known without a passphrase: all of a plain set, the public part of an encrypted
    /// one. `None` where that does not say it.
    pub fn known(self) -> Option<SetDocument> {
        match self {
            Stored::Plain(document) => Some(document),
            Stored::Encrypted(encrypted) => encrypted.public_part(),
        }
    }
}

/// Whether a set is encrypted. The JSON forms are looked for where the file's name speaks of them: a
/// large plain set need not be searched for that.
fn is_encrypted(text: &str, path: &Path) -> bool {
    let is_named_so = path.extension().is_some_and(|extension| extension == "jwe");
    if text.trim_start().starts_with('{') {
        is_named_so && Envelope::is_in(text)
    } else {
        is_named_so || Envelope::is_in(text)
    }
}

impl SetDocument {
    /// The set, borrowing from the text.
    pub fn parse(&self) -> Result<KeySet<'_>> {
        if self.is_public_part {
            let part = public_header::parse(self.text.expose());
            return part.ok_or_else(|| Error::invalid("no public part").about(self.path.display()));
        }
        KeySet::parse(self.text.expose()).map_err(|error| error.about(self.path.display()))
    }

    /// The path of the file.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Encrypted {
    /// The public part of the set, from the protected header; `None` where that does not have it. It is
    /// not authenticated before the set is opened.
    pub fn public_part(&self) -> Option<SetDocument> {
        let header = self.envelope.header();
        let part = header.raw(PUBLIC_PART)?;
        public_header::parse(part)?;
        Some(SetDocument {
            text: Secret::new(part.to_owned()),
            is_public_part: true,
            is_open: self.is_open,
            path: self.path.clone(),
        })
    }

    /// How often the passphrase is hashed: the number of PBKDF2 iterations.
    pub fn iterations(&self) -> u32 {
        self.envelope.iterations()
    }

    /// Decrypts the set. A wrong passphrase and a damaged file are one error, which nobody can tell
    /// apart.
    pub fn open(
        &self,
        passphrase: &Secret<String>,
        derived: &mut DerivedKeys,
    ) -> Result<SetDocument> {
        let damaged = || jwe::not_opened().about(self.path.display());
        let opened = jwe::open(&self.envelope, passphrase, derived)
            .map_err(|error| error.about(self.path.display()))?;
        let text = std::str::from_utf8(opened.expose()).map_err(|_| damaged())?;
        let document = SetDocument {
            text: Secret::new(text.to_owned()),
            is_public_part: false,
            is_open: self.is_open,
            path: self.path.clone(),
        };
        if let Some(public) = self.public_part()
            && !public_header::is_public_part(&public.parse()?, &document.parse()?)
        {
            return Err(damaged());
        }
        Ok(document)
    }
}
