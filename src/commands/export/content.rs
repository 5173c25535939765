//! What an export holds: the public form of keys, or the keys themselves, in the form asked for.

use super::{ExportArgs, To, unexpired};
use crate::commands::report::note_left_out;
use crate::context::Context;
use crate::error::{Error, Result};
use crate::key::Key;
use crate::key::check;
use crate::key::format::write::{self, Document};
use crate::key::members::Members;
use crate::key::public::{Dates, holds_secret};
use crate::keyset::KeySet;
use crate::keyset::merge::KeyName;
use crate::keyset::publish::pretty_set;
use crate::keystore::SetName;
use crate::secret::Secret;

/// The public keys in the form of the export.
pub(super) fn public_content(
    ctx: &Context,
    args: &ExportArgs,
    name: &SetName,
    set: &KeySet,
    positions: &[usize],
) -> Result<Secret<Vec<u8>>> {
    let dates = if args.with_dates {
        Dates::Keep
    } else {
        Dates::Drop
    };
    let mut published = set.publish(positions, dates);
    published.expired = set.keys.len() - unexpired(set, ctx.now).len();
    if args.kid.is_some() {
        published.expired = 0;
    }
    if let Some(left_out) = published.left_out() {
        if published.keys.is_empty() {
            return Err(
                Error::refused(format!("nothing public in set {name}: {left_out}"))
                    .hint("--private exports keys with their private part"),
            );
        }
        note_left_out(&ctx.out, &left_out);
    }
    let keys: Vec<_> = published.keys.iter().collect();
    match args.to {
        To::Jwks => Ok(Secret::new(pretty_set(&published.keys).into_bytes())),
        To::Jwk => Ok(Secret::new(
            (one(name, &keys)?.to_pretty_json(0) + "\n").into_bytes(),
        )),
        To::Pem => join_pem(&keys, write::spki),
        To::Der => Ok(octets(&write::spki(one(name, &keys)?)?)),
        To::Pkcs1 => join_pem(&keys, |key| write::pkcs1(key, false)),
        To::Pkcs1Der => Ok(octets(&write::pkcs1(one(name, &keys)?, false)?)),
        To::Sec1 | To::Sec1Der => Err(Error::usage("SEC1 is a form of private keys")
            .hint("add --private, or use --to pem for the public key")),
    }
}

/// The keys with their private part, in the form of the export.
pub(super) fn private_content(
    args: &ExportArgs,
    name: &SetName,
    set: &KeySet,
    positions: &[usize],
) -> Result<Secret<Vec<u8>>> {
    if args.to == To::Jwks && args.kid.is_none() {
        // A backup is the whole set as it is kept: expired and odd keys, its own members.
        return Ok(Secret::new(set.to_json().into_bytes()));
    }
    let keys: Vec<&Key> = positions.iter().map(|i| &set.keys[*i]).collect();
    let mut members = Vec::new();
    for key in &keys {
        match key.members() {
            Ok(key) => members.push(key),
            Err(_) => return Err(Error::invalid("a key of the set is no object")),
        }
    }
    let members: Vec<_> = members.iter().collect();
    if !matches!(args.to, To::Jwks | To::Jwk) {
        for key in &keys {
            check_private(key)?;
        }
    }
    match args.to {
        To::Jwks => {
            let owned: Vec<_> = members.iter().map(|key| (*key).clone()).collect();
            Ok(Secret::new(pretty_set(&owned).into_bytes()))
        }
        To::Jwk => Ok(Secret::new(
            (one(name, &members)?.to_pretty_json(0) + "\n").into_bytes(),
        )),
        To::Pem => join_pem(&members, write::pkcs8),
        To::Der => Ok(octets(&write::pkcs8(one(name, &members)?)?)),
        To::Pkcs1 => join_pem(&members, |key| write::pkcs1(key, true)),
        To::Pkcs1Der => Ok(octets(&write::pkcs1(one(name, &members)?, true)?)),
        To::Sec1 => join_pem(&members, write::sec1),
        To::Sec1Der => Ok(octets(&write::sec1(one(name, &members)?)?)),
    }
}

/// Refuses a key that cannot be written as a private key of another form.
fn check_private(key: &Key) -> Result<()> {
    let name = KeyName::of(key);
    let name = name.handle().unwrap_or("without a kid");
    let findings = check::findings(key);
    let fault = findings
        .iter()
        .find(|finding| finding.rule.severity() == check::Severity::Error);
    if let Some(fault) = fault {
        let message = format!("key {name:?}: {} ({})", fault.message, fault.rule);
        return Err(Error::invalid(message).hint("only --to jwk and --to jwks export it as it is"));
    }
    if !holds_secret(key) {
        return Err(Error::refused(format!("key {name:?} has no private part"))
            .hint("leave --private out to export its public key"));
    }
    Ok(())
}

/// The one key there is.
fn one<'k, 'm>(name: &SetName, keys: &[&'k Members<'m>]) -> Result<&'k Members<'m>> {
    match keys {
        [key] => Ok(key),
        [] => Err(Error::not_found(format!("no key to export in set {name}"))),
        _ => {
            let kids = keys.iter().take(10).filter_map(|key| key.string("kid"));
            let kids: Vec<_> = kids.map(|kid| kid.into_owned()).collect();
            Err(Error::usage(format!(
                "this form holds one key, and set {name} has {}",
                keys.len()
            ))
            .hint(format!("name one of them: {}", kids.join(", "))))
        }
    }
}

fn octets(document: &Document) -> Secret<Vec<u8>> {
    Secret::new(document.der().to_vec())
}

fn join_pem(
    keys: &[&Members],
    write: impl Fn(&Members) -> Result<Document>,
) -> Result<Secret<Vec<u8>>> {
    let mut pem = String::new();
    for key in keys {
        let kid = key.string("kid").unwrap_or_default();
        let document = write(key).map_err(|error| error.about(format!("key {kid:?}")))?;
        pem.push_str(&document.to_pem());
    }
    Ok(Secret::new(pem.into_bytes()))
}
