//! The set that a target on the command line names: a set of the keystore, a file, standard input or an
//! address.

use crate::args::source::SourceArgs;
use crate::context::Context;
use crate::error::{Error, Result};
use crate::key::Key;
use crate::key::header::Header;
use crate::keyset::KeySet;
use crate::keyset::import;
use crate::keystore::SetName;
use crate::report::names::warn_left_out;
use crate::source::document;
use std::path::Path;

/// How much of an encrypted set to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access<'a> {
    /// All of it, decrypted.
    Decrypted,
    /// The public header, if it identifies all keys or the key with this kid, and otherwise all of it. The
    /// header does not identify symmetric keys.
    PublicHeader(Option<&'a str>),
}

/// Calls `then` with the set that a text names: `-`, a set of the keystore, a file or an address.
pub fn with_target<T>(
    ctx: &Context,
    target: &str,
    access: Access<'_>,
    source: &SourceArgs,
    then: impl FnOnce(&KeySet) -> Result<T>,
) -> Result<T> {
    let is_path = target == document::STANDARD_INPUT || target.contains(['/', '\\']);
    let name = SetName::new(target).ok().filter(|_| !is_path);
    if let Some(name) = &name
        && ctx.store.contains(name)?
    {
        if let Access::PublicHeader(kid) = access {
            let document = ctx.load_public(name)?;
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
        if access == Access::Decrypted {
            ctx.demand_encryption(name)?;
        }
        return then(&ctx.load(name)?.parse()?);
    }
    if !is_path && !Path::new(target).exists() {
        let directory = ctx.store.directory().display();
        let meant = ctx.store.did_you_mean(target);
        return Err(Error::not_found(format!(
            "{target:?} is neither a set of {directory} nor a file"
        ))
        .hint(meant.unwrap_or_else(|| "run `jwks list` to see the sets".into())));
    }
    source.password.refuse_twice([target])?;
    let document = document::read(target, &ctx.out, || source.connection.options(ctx))?;
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
