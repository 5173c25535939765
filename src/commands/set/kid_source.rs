//! The kids of imported keys that have none of their own.

use crate::commands::set::SetArgs;
use crate::context::Context;
use crate::error::{Error, Result};
use crate::key::Key;
use crate::key::members::Members;
use crate::key::thumbprint::thumbprint;
use crate::keyset::KeySet;
use crate::keyset::import;
use crate::keyset::kid_from::{KidFrom, Kids};
use clap::ValueEnum;
use clap::builder::PossibleValue;
use std::collections::{HashMap, HashSet};

/// Where the kid of an imported key comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KidSource {
    /// Where that of a new key comes from.
    Of(KidFrom),
    /// The alias in the keystore that the key comes from.
    Alias,
}

impl ValueEnum for KidSource {
    fn value_variants<'a>() -> &'a [Self] {
        &[
            KidSource::Of(KidFrom::Thumbprint),
            KidSource::Of(KidFrom::Uuid),
            KidSource::Of(KidFrom::Date),
            KidSource::Of(KidFrom::Spki),
            KidSource::Of(KidFrom::X5t),
            KidSource::Of(KidFrom::X5tS256),
            KidSource::Alias,
        ]
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        match self {
            KidSource::Of(from) => from.to_possible_value(),
            KidSource::Alias => Some(PossibleValue::new("alias").help("The alias in a keystore")),
        }
    }
}

/// Gives the keys without a kid of their own the kid that --kid-from asks for. `aliases` are by thumbprint.
/// Returns an error if a key has no such kid, or if two keys have one alias.
pub fn name_keys(
    ctx: &Context,
    args: &SetArgs,
    keys: Vec<Option<Key<'static>>>,
    aliases: &HashMap<String, String>,
) -> Result<Vec<Option<Key<'static>>>> {
    let Some(from) = args.kid_from else {
        return Ok(keys);
    };
    let given = KeySet::from(keys.iter().flatten().cloned().collect::<Vec<_>>());
    let mut kids = match from {
        KidSource::Of(from) => Some(Kids::new(from, &given, ctx.now)),
        KidSource::Alias => None,
    };
    let mut used = HashSet::new();
    let named = keys.into_iter().enumerate().map(|(index, key)| {
        let members = key.as_ref().and_then(|key| key.members().ok());
        let Some(members) = members.map(Members::into_owned) else {
            return Ok(key);
        };
        let own = members.string("kid").filter(|kid| !kid.is_empty());
        if own.is_some() && own.as_deref() != thumbprint(&members).as_deref() {
            return Ok(key);
        }
        drop(own);
        // The secret of somebody else can be weak, and a digest would help to guess it (RFC 7638 section 7).
        if members.has("k") && from == KidSource::Of(KidFrom::Thumbprint) {
            let message = format!("key {index} of the input is a shared secret");
            return Err(Error::refused(format!(
                "{message}, and its thumbprint would help to guess it"
            ))
            .hint("choose uuid or date, or pass --kid KID"));
        }
        let kid = match &mut kids {
            Some(kids) => kids.next(&members),
            None => alias_of(&members, aliases),
        };
        let kid = kid.map_err(|error| error.about(format!("key {index} of the input")))?;
        if kids.is_none() && !used.insert(kid.clone()) {
            return Err(
                Error::refused(format!("two keys of the input have the alias {kid:?}"))
                    .hint("import them one by one, with --kid KID"),
            );
        }
        Ok(Some(Key::from(members.with_kid(&kid))))
    });
    named.collect()
}

/// Returns the alias of a key. Returns an error if it does not come from a keystore, has no alias there,
/// or has one that cannot be a kid.
fn alias_of(members: &Members, aliases: &HashMap<String, String>) -> Result<String> {
    let hint = "pass --kid KID, or choose another source for --kid-from";
    let alias = thumbprint(members).and_then(|key| aliases.get(&key));
    let alias = alias.ok_or_else(|| Error::invalid("the key has no alias").hint(hint))?;
    import::check_kid(alias)
        .map_err(|_| Error::invalid("the alias of the key cannot be a kid").hint(hint))?;
    Ok(alias.clone())
}

/// Gives a shared secret without a kid a random UUID, because its thumbprint would help to guess it.
pub fn name_secret(key: &mut Key<'static>) {
    let kid = uuid::Uuid::new_v4().to_string();
    *key = Key::from(key.members().unwrap_or_default().with_kid(&kid));
}
