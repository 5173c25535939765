//! The set that a target on the command line names: a set of the keystore, a file, standard input, an
//! address or a set of a remote.

use crate::args::connection::{ConnectionArgs, split_name};
use crate::args::password::PasswordArgs;
use crate::context::Context;
use crate::error::{Error, ErrorKind, Result};
use crate::key::Key;
use crate::key::header::Header;
use crate::keyset::KeySet;
use crate::keyset::import;
use crate::keyset::lifecycle::{self, State};
use crate::keyset::server_rules::ServerRules;
use crate::keystore::{SetDocument, SetName};
use crate::remote::kind::Form;
use crate::remote::{Remote, is_address};
use crate::report::names::{SetLabel, warn_left_out};
use crate::source::document;
use crate::source::server::{server_kid, set_name};
use std::borrow::Cow;
use std::path::Path;

/// What a target on the command line names.
#[derive(Debug)]
pub enum Target<'a> {
    /// A set of the keystore, which need not exist.
    Set(SetName),
    /// A remote, and the name of a set on it.
    Remote(&'a str, Option<&'a str>),
    /// A file, standard input or an address.
    Document(&'a str),
}

impl<'a> Target<'a> {
    /// Returns what a word names. A word that can be the name of a set is a set, or else a remote, or
    /// else a file if it has the suffix of a key file. Every other word is a file, `-`, an address or
    /// `REMOTE:NAME`. Returns an error if only a file without such a suffix has the name, because a
    /// mistyped set name must not read a file, and for an invalid name.
    pub fn of(ctx: &Context, word: &'a str) -> Result<Target<'a>> {
        if word.contains("://") && !is_address(word) {
            return Err(Error::usage(format!("{word:?} is not an address"))
                .hint("an address begins with https:// or http://"));
        }
        if word == document::STANDARD_INPUT || word.contains(['/', '\\']) {
            return Ok(Target::Document(word));
        }
        let is_remote = |name: &str| -> Result<bool> {
            let entries = ctx.remotes.entries()?;
            Ok(entries.iter().any(|entry| entry.name == name))
        };
        let path = Path::new(word);
        let Ok(name) = SetName::new(word) else {
            return Ok(match split_name(word) {
                (remote, Some(set)) if is_remote(remote)? => Target::Remote(remote, Some(set)),
                _ if path.exists() || path.extension().is_some() => Target::Document(word),
                _ => Target::Set(SetName::given(word)?),
            });
        };
        if ctx.store.contains(&name)? {
            if name.has_file_suffix() && path.is_file() {
                ctx.out.warn(format!(
                    "{name} is a set and a file; write ./{name} for the file"
                ));
            }
            return Ok(Target::Set(name));
        }
        if is_remote(word)? {
            return Ok(Target::Remote(word, None));
        }
        if name.has_file_suffix() {
            return Ok(Target::Document(word));
        }
        if path.exists() && !path.is_dir() {
            let store = ctx.store.shown();
            return Err(Error::not_found(format!("no set {name} in {store}"))
                .hint(format!("write ./{name} to read the file {name}")));
        }
        Ok(Target::Set(name))
    }
}

/// How much of a set to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access<'a> {
    /// All of it. An encrypted set is decrypted.
    Whole,
    /// Like `Whole`, with all faults of a document, to check it. If encryption is required, a plain set is
    /// refused: it could have been put in the place of the encrypted one.
    Faulty,
    /// The public part, without a passphrase if possible.
    Public,
    /// Like `Public`, but a server is also asked for private keys, so that a listing shows them.
    Listing,
    /// The public header of an encrypted set, if it identifies all keys or the key with this kid, and
    /// otherwise all of the set. The header does not identify symmetric keys.
    PublicHeader(Option<&'a str>),
}

/// A set that was read, and where it came from.
pub struct Source {
    /// The name in messages: `set NAME` for the keystore and for a server, or the name of the
    /// document.
    pub title: String,
    /// Its name: that of the set, or that of the document.
    pub name: String,
    /// Where it came from.
    pub origin: Origin,
    content: Content,
}

/// Where a set came from.
pub enum Origin {
    /// The keystore.
    Keystore(SetName),
    /// A server.
    Server(Box<Remote>),
    /// A file, standard input or an address.
    Document,
}

enum Content {
    Stored(SetDocument),
    Read(KeySet<'static>),
}

/// Reads the set that a target names. Returns an error if it does not exist or cannot be read.
pub fn read(
    ctx: &Context,
    target: &str,
    access: Access<'_>,
    password: &PasswordArgs,
    connection: &ConnectionArgs,
) -> Result<Source> {
    match Target::of(ctx, target)? {
        Target::Set(name) => of_keystore(ctx, name, access),
        Target::Remote(remote, set) => of_server(connection.open(ctx, remote)?, set, access),
        Target::Document(path) => of_document(ctx, path, access, password, connection),
    }
}

fn of_keystore(ctx: &Context, name: SetName, access: Access<'_>) -> Result<Source> {
    let stored = match access {
        Access::Public | Access::Listing => ctx.load_public(&name)?,
        Access::Whole => ctx.load(&name)?,
        Access::Faulty => {
            ctx.demand_encryption(&name)?;
            ctx.load(&name)?
        }
        Access::PublicHeader(kid) => {
            let known = ctx.load_public(&name)?;
            if identifies(&known, kid)? {
                known
            } else {
                ctx.load(&name)?
            }
        }
    };
    Ok(Source {
        title: format!("set {name}"),
        name: name.to_string(),
        origin: Origin::Keystore(name),
        content: Content::Stored(stored),
    })
}

/// Returns true if the public part of a set identifies the key with a kid, or all keys.
fn identifies(known: &SetDocument, kid: Option<&str>) -> Result<bool> {
    let set = known.parse()?;
    let is_symmetric = |key: &Key| Header::of(key).kty.as_deref() == Some("oct");
    Ok(match kid.and_then(|kid| set.find(kid).ok()) {
        Some(position) => !is_symmetric(&set.keys[position]),
        None => !set.keys.iter().any(is_symmetric),
    })
}

/// Reads a set from a server. The name of the set is optional if the server has only one.
pub fn of_server(remote: Remote, set: Option<&str>, access: Access<'_>) -> Result<Source> {
    let name = set_name(&remote, set, None)?;
    let form = match access {
        Access::Public => Form::Public,
        _ => Form::Private,
    };
    let read = remote.load(&name, form)?;
    Ok(Source {
        title: format!("set {name}"),
        name,
        origin: Origin::Server(Box::new(remote)),
        content: Content::Read(read),
    })
}

fn of_document(
    ctx: &Context,
    path: &str,
    access: Access<'_>,
    password: &PasswordArgs,
    connection: &ConnectionArgs,
) -> Result<Source> {
    password.refuse_twice([path])?;
    let document = document::read(path, &ctx.out, || connection.options(ctx));
    let document = document.map_err(|error| match ctx.store.meant_set(path) {
        Some(hint) if error.kind() == ErrorKind::NotFound => error.hint(hint),
        _ => error,
    })?;
    let source = |set| Source {
        title: document.name.clone(),
        name: document.name.clone(),
        origin: Origin::Document,
        content: Content::Read(set),
    };
    let about = |error: Error| error.about(&document.name);
    if access == Access::Faulty
        && let Some(set) = import::read_faulty(document.octets.expose()).map_err(about)?
    {
        return Ok(source(set));
    }
    let passwords = password.existing(ctx);
    let options = import::Options {
        password: &passwords.of(&document.name),
        ..import::Options::default()
    };
    let read = import::read(document.octets.expose(), &options);
    let read = read.map_err(about)?;
    warn_left_out(ctx, &[&document.name], &read.notes);
    Ok(source(read.set))
}

impl Source {
    /// Parses the set. Returns an error if it is not a JWK Set.
    pub fn set(&self) -> Result<Cow<'_, KeySet<'_>>> {
        Ok(match &self.content {
            Content::Stored(stored) => Cow::Owned(stored.parse()?),
            Content::Read(set) => Cow::Borrowed(set),
        })
    }

    /// Returns the state of each key of the set. `now` is in seconds since 1970.
    pub fn states(&self, set: &KeySet, now: i64) -> Vec<Option<State>> {
        match &self.origin {
            Origin::Server(remote) => remote.kind.rules.states(set, now),
            // The publisher decides which key signs, so the states follow from the dates alone.
            Origin::Document if is_address(&self.name) => ServerRules::FAITHFUL.states(set, now),
            Origin::Keystore(_) | Origin::Document => lifecycle::states(set, now),
        }
    }

    /// Returns the kid in the set for a kid on the command line, which can lack a server's prefix.
    pub fn kid(&self, set: &KeySet, kid: &str) -> String {
        match &self.origin {
            Origin::Server(remote) => server_kid(remote, set, kid),
            Origin::Keystore(_) | Origin::Document => kid.to_owned(),
        }
    }

    /// Returns the set for the log; `None` for a document, about which nothing is logged.
    pub fn label(&self) -> Option<SetLabel<'_>> {
        match &self.origin {
            Origin::Keystore(name) => Some(SetLabel::local(name.as_str())),
            Origin::Server(remote) => Some(SetLabel::remote(&self.name, &remote.name)),
            Origin::Document => None,
        }
    }

    /// Returns the default name for something made from the set, such as a certificate: the name of
    /// the set, that of the file without its suffix, or `jwks`.
    pub fn stem(&self) -> String {
        match self.origin {
            Origin::Keystore(_) | Origin::Server(_) => self.name.clone(),
            Origin::Document => {
                let stem = Path::new(&self.name).file_stem();
                let stem = stem.and_then(|stem| stem.to_str()).unwrap_or_default();
                let is_file = !is_address(&self.name) && SetName::new(stem).is_ok();
                if is_file {
                    stem.to_owned()
                } else {
                    "jwks".into()
                }
            }
        }
    }

    /// Returns the hint for a set with invalid keys.
    pub fn check_hint(&self) -> String {
        match &self.origin {
            Origin::Keystore(name) => format!("run `jwks check {name}` to see what is wrong"),
            Origin::Server(_) | Origin::Document => {
                "run `jwks check` on it to see what is wrong".into()
            }
        }
    }
}
