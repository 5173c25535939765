//! The set that a target on the command line names: a set of the keystore, a file, standard input or an
//! address.

use crate::args::connection::ConnectionArgs;
use crate::args::password::PasswordArgs;
use crate::context::Context;
use crate::error::{Error, Result};
use crate::key::Key;
use crate::key::header::Header;
use crate::keyset::KeySet;
use crate::keyset::import;
use crate::keystore::SetName;
use crate::report::names::warn_left_out;
use crate::source::document;
use clap::Args;
use std::path::Path;

/// The options for a target that is a file or an address: its password, and the connection.
#[derive(Debug, Args)]
pub struct SourceArgs {
    #[command(flatten)]
    password: PasswordArgs,

    #[command(flatten)]
    connection: ConnectionArgs,
}

/// How much of a set has to be known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need<'a> {
    /// All of it, private parts included.
    Everything,
    /// What identifies its keys, or the one that is named. An encrypted set tells that without its
    /// passphrase, but for symmetric keys.
    Identity(Option<&'a str>),
}

/// Hands on the set that a text names: `-`, a set of the keystore, or a file.
pub fn with_target<T>(
    ctx: &Context,
    target: &str,
    need: Need<'_>,
    source: &SourceArgs,
    then: impl FnOnce(&KeySet) -> Result<T>,
) -> Result<T> {
    let is_path = target == document::STANDARD_INPUT || target.contains(['/', '\\']);
    let name = SetName::new(target).ok().filter(|_| !is_path);
    if let Some(name) = &name
        && ctx.store.contains(name)?
    {
        if let Need::Identity(kid) = need {
            let document = ctx.look(name)?;
            let set = document.parse()?;
            let is_symmetric = |key: &Key| Header::of(key).kty.as_deref() == Some("oct");
            let named = kid.and_then(|kid| set.find(kid).ok());
            let is_told = match named {
                Some(position) => !is_symmetric(&set.keys[position]),
                None => !set.keys.iter().any(is_symmetric),
            };
            if is_told {
                return then(&set);
            }
        }
        // Check the keys that the passphrase protects, and not a plain set in their place.
        if need == Need::Everything {
            ctx.demand_encryption(name)?;
        }
        return then(&ctx.load(name)?.parse()?);
    }
    if !is_path && !Path::new(target).exists() {
        let directory = ctx.store.directory().display();
        return Err(Error::not_found(format!(
            "{target:?} is neither a set of {directory} nor a file"
        ))
        .hint("run `jwks list` to see the sets"));
    }
    source.password.refuse_twice([target])?;
    let document = document::read(target, || source.connection.options(ctx))?;
    let passwords = source.password.existing(ctx);
    let options = import::Options {
        password: &|| passwords.of(&document.name),
        ..import::Options::default()
    };
    let read = import::read(document.octets.expose(), &options);
    let read = read.map_err(|error| error.about(&document.name))?;
    warn_left_out(ctx, &[&document.name], &read.notes);
    then(&read.set)
}
