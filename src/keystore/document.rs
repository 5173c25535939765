//! The content of a set's file: a plain or an encrypted set.

use crate::error::{Error, Result};
use crate::files::kept::Kept;
use crate::jwe::{self, DerivedKeys, Envelope};
use crate::keyset::KeySet;
use crate::keyset::public_header::{self, PUBLIC_PART};
use crate::keystore::directory::history::with_way_back;
use crate::keystore::medium::Place;
use crate::secret::Secret;
use std::path::PathBuf;

/// The maximum size in bytes of a set's file that jwks reads and writes.
pub(super) const OWN_LIMIT: u64 = 512 << 20;

/// The content of a set's file.
#[derive(Debug)]
pub enum Stored {
    /// A JWK Set.
    Plain(SetDocument),
    /// An encrypted JWK Set.
    Encrypted(Encrypted),
}

/// The text of a set, which can hold private keys.
#[derive(Debug)]
pub struct SetDocument {
    text: Secret<String>,
    /// True if this is only the public part of an encrypted set.
    is_public_part: bool,
    /// True if users other than the owner can read or write the file.
    pub is_open: bool,
    place: Place,
}

/// A set that is encrypted with a passphrase.
#[derive(Debug)]
pub struct Encrypted {
    envelope: Envelope,
    is_open: bool,
    place: Place,
}

impl Place {
    /// Adds a hint to the error about a damaged set: how to restore it.
    fn with_way_back(&self, error: Error) -> Error {
        match self {
            Place::File(path) => with_way_back(error, path),
            Place::Server(_) => error.hint("correct it on the server, or restore it from a backup"),
        }
    }
}

impl Stored {
    /// Detects from the content whether a set's file is plain or encrypted. The suffix decides only for
    /// text that is neither JSON nor a JWE. Returns an error if it is not UTF-8 text, or if a JWE is
    /// malformed. A plain set is parsed later.
    pub(super) fn of_file(kept: Kept, path: PathBuf) -> Result<Stored> {
        let place = Place::File(path);
        match String::from_utf8(kept.octets) {
            Ok(text) => Stored::new(Secret::new(text), kept.is_open, place),
            Err(_) => {
                let error = Error::invalid(format!("{place}: it is not UTF-8 text"));
                Err(place.with_way_back(error))
            }
        }
    }

    /// Detects from the content whether the set of a server is plain or encrypted, as
    /// [`of_file`](Self::of_file) does.
    pub(super) fn of_server(text: Secret<String>, shown: String) -> Result<Stored> {
        Stored::new(text, false, Place::Server(shown))
    }

    fn new(text: Secret<String>, is_open: bool, place: Place) -> Result<Stored> {
        if !is_encrypted(text.expose(), &place) {
            return Ok(Stored::Plain(SetDocument {
                text,
                is_public_part: false,
                is_open,
                place,
            }));
        }
        let envelope = Envelope::parse(text.expose()).and_then(|envelope| {
            if !envelope.is_simple() {
                let message =
                    "an encrypted set with several recipients, unprotected headers or aad cannot be rewritten";
                let hint = "move the file out of the keystore, and import it: jwks set SET FILE";
                return Err(Error::invalid(message).hint(hint));
            }
            Ok(envelope)
        });
        match envelope {
            Ok(envelope) => Ok(Stored::Encrypted(Encrypted {
                envelope,
                is_open,
                place,
            })),
            Err(error) => Err(place.with_way_back(error.about(&place))),
        }
    }

    /// Returns what can be read without a passphrase: a plain set, or the public part of an encrypted set.
    /// Returns `None` if there is no public part.
    pub fn known(self) -> Option<SetDocument> {
        match self {
            Stored::Plain(document) => Some(document),
            Stored::Encrypted(encrypted) => encrypted.public_part(),
        }
    }
}

/// Returns true if a set's file is encrypted. A JWE in a JSON form has a member `ciphertext`. The text
/// is parsed only if it contains that name, because parsing a large plain set twice is slow.
fn is_encrypted(text: &str, place: &Place) -> bool {
    let is_named_so = match place {
        Place::File(path) => path.extension().is_some_and(|extension| extension == "jwe"),
        Place::Server(_) => false,
    };
    if text.trim_start().starts_with('{') {
        (is_named_so || text.contains("\"ciphertext\"")) && jwe::is_in(text)
    } else {
        is_named_so || jwe::is_in(text)
    }
}

impl SetDocument {
    /// Parses the set, which borrows from the text. Returns an error if the text is not a JWK Set.
    pub fn parse(&self) -> Result<KeySet<'_>> {
        if self.is_public_part {
            let part = public_header::parse(self.text.expose());
            return part.ok_or_else(|| Error::invalid("no public part").about(&self.place));
        }
        KeySet::parse(self.text.expose())
            .map_err(|error| self.place.with_way_back(error.about(&self.place)))
    }

    /// Returns the place of the set.
    pub fn place(&self) -> &Place {
        &self.place
    }
}

impl Encrypted {
    /// Returns the public part of the set from the protected header, if there is one. Do not rely on it
    /// for decisions about secrets: it is authenticated only when the set is decrypted.
    pub fn public_part(&self) -> Option<SetDocument> {
        let header = self.envelope.header();
        let part = header.raw(PUBLIC_PART)?;
        public_header::parse(part)?;
        Some(SetDocument {
            text: Secret::new(part.to_owned()),
            is_public_part: true,
            is_open: self.is_open,
            place: self.place.clone(),
        })
    }

    /// Returns the PBKDF2 iteration count.
    pub fn iterations(&self) -> u32 {
        self.envelope.iterations()
    }

    /// Decrypts the set. Returns the same error for a wrong passphrase, a damaged file, and a public
    /// part that does not match the keys.
    pub fn open(
        &self,
        passphrase: &Secret<String>,
        derived: &mut DerivedKeys,
    ) -> Result<SetDocument> {
        let damaged = || jwe::not_opened().about(&self.place);
        let opened = jwe::open(&self.envelope, passphrase, derived)
            .map_err(|error| error.about(&self.place))?;
        let text = std::str::from_utf8(opened.expose()).map_err(|_| damaged())?;
        let document = SetDocument {
            text: Secret::new(text.to_owned()),
            is_public_part: false,
            is_open: self.is_open,
            place: self.place.clone(),
        };
        if let Some(public) = self.public_part()
            && !public_header::is_public_part(&public.parse()?, &document.parse()?)
        {
            return Err(damaged());
        }
        Ok(document)
    }
}
