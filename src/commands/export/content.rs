//! The content of an export: public or private keys in the requested format.

use crate::args::layout::Which;
use crate::commands::export::format::To;
use crate::commands::export::json_form::in_json_form;
use crate::commands::export::{ExportArgs, certified, unexpired};
use crate::context::Context;
use crate::error::{Error, ErrorKind, Result};
use crate::key::Key;
use crate::key::check::{self, Budget, Rule};
use crate::key::key_type::Kty;
use crate::key::members::Members;
use crate::key::parts::holds_secret;
use crate::key::public::{Dates, keep_unknown, public_form, unknown};
use crate::key::write::{self, Document, openssh};
use crate::keyset::KeySet;
use crate::keyset::key_name::{KeyName, named, quote};
use crate::keyset::lifecycle::State;
use crate::keyset::publish::{pretty_set, pretty_set_with};
use crate::layout::deployment;
use crate::output::shorten;
use crate::report::names::note_left_out;
use crate::secret::Secret;
use crate::source::target::{Origin, Source};
use std::borrow::Cow;
use std::collections::BTreeSet;

/// Returns the public keys in the format of the export. Returns an error if there are none, or if they
/// have no such form.
pub(super) fn public_content(
    ctx: &Context,
    args: &ExportArgs,
    source: &Source,
    set: &KeySet,
    positions: &[usize],
) -> Result<Secret<Vec<u8>>> {
    let dates = if args.with_dates {
        Dates::Keep
    } else {
        Dates::Drop
    };
    let mut published = set.publish(positions, dates, &ctx.checks);
    published.expired = set.keys.len() - unexpired(set, ctx.now).len();
    if args.kid.is_some() {
        published.expired = 0;
    }
    if let Some(left_out) = published.left_out() {
        if published.keys.is_empty() {
            let error = Error::refused(format!("nothing public in {}: {left_out}", source.title));
            let is_faulty = published.invalid > 0 || published.unsupported > 0;
            return Err(match &source.origin {
                _ if !is_faulty => {
                    error.hint("pass --private to export private and symmetric keys")
                }
                Origin::Document | Origin::Server(_) if !args.repair => error.hint(
                    "pass --repair to repair what is certain, or run `jwks check` on it to see what is wrong",
                ),
                _ => error.hint(source.check_hint()),
            });
        }
        note_left_out(&ctx.out, &left_out);
    }
    if args.keep_members {
        for (public, position) in published.keys.iter_mut().zip(&published.positions) {
            keep_unknown(public, &set.keys[*position]);
        }
    } else if args.to.is_json() {
        note_unknown(ctx, args, set, &published.positions);
    }
    let keys: Vec<_> = published.keys.iter().collect();
    match args.to {
        To::Jwks | To::Dotenv | To::Kubernetes if args.keep_members && !args.is_one_jwk() => {
            let json = pretty_set_with(&published.keys, set.foreign_members());
            in_json_form(ctx, args, source, &Secret::new(json))
        }
        To::Jwks | To::Jwk | To::Dotenv | To::Kubernetes => {
            in_json_form(ctx, args, source, &json(args, source, &keys)?)
        }
        To::Discovery => {
            let set = published.keys.iter().cloned().map(Key::from);
            args.discovery_document(&KeySet::from(set.collect::<Vec<_>>()))
        }
        To::Pem => join_pem(&keys, write::spki),
        To::DotenvPem => dotenv_pem(args, "PUBLIC_KEY", &join_pem(&keys, write::spki)?),
        To::Der => Ok(octets(&write::spki(one(source, &keys)?)?)),
        To::Pkcs1 => join_pem(&keys, |key| write::pkcs1(key, false)),
        To::Pkcs1Der => Ok(octets(&write::pkcs1(one(source, &keys)?, false)?)),
        To::Openssh => join(&keys, |key| {
            openssh::public_line(key, &comment(source, key)).map(Secret::new)
        }),
        To::X509 => {
            let keys = positions.iter().map(|i| &set.keys[*i]);
            let keys = keys.filter(|key| public_form(key, Dates::Drop, &ctx.checks).is_ok());
            let keys: Vec<_> = keys.collect();
            for key in &keys {
                check_private(key, &ctx.checks).map_err(|error| match error.kind() {
                    ErrorKind::Refused => {
                        error.hint("a certificate is signed with the private key")
                    }
                    _ => error,
                })?;
            }
            certified::certificates(ctx, args, source, &keys)
        }
        To::Sec1 | To::Sec1Der | To::Pkcs12 | To::Jwe => {
            let to = args.to.name();
            Err(Error::usage(format!("--to {to} is for private keys"))
                .hint("add --private, or use --to pem for public keys"))
        }
    }
}

/// Says which unregistered members of the keys and of the set are left out.
fn note_unknown(ctx: &Context, args: &ExportArgs, set: &KeySet, positions: &[usize]) {
    const SHOWN: usize = 5;
    const LONGEST: usize = 60;
    let mut names = BTreeSet::new();
    for position in positions {
        let members = set.keys[*position].members().unwrap_or_default();
        names.extend(unknown(&members).map(|(name, _)| name.to_owned()));
    }
    if !args.is_one_jwk() {
        names.extend(set.foreign_members().map(|(name, _)| name.to_string()));
    }
    // WebCrypto writes this member, which says nothing about a public key.
    names.remove("ext");
    if names.is_empty() {
        return;
    }
    let shown = names.iter().take(SHOWN);
    let mut shown: Vec<_> = shown
        .map(|name| quote(&shorten(name, LONGEST)).into_owned())
        .collect();
    if names.len() > SHOWN {
        shown.push(format!("{} more", names.len() - SHOWN));
    }
    note_left_out(
        &ctx.out,
        &format!("{}; pass --keep-members to keep them", shown.join(", ")),
    );
}

/// Returns the keys with their private parts in the format of the export. For formats other than JSON,
/// returns an error if a key is invalid, has no private part, or has no such form.
pub(super) fn private_content(
    ctx: &Context,
    args: &ExportArgs,
    source: &Source,
    set: &KeySet,
    positions: &[usize],
) -> Result<Secret<Vec<u8>>> {
    let states = source.states(set, ctx.now);
    let form = |i: &usize| {
        let key = &set.keys[*i];
        if args.private == Some(Which::All) || states[*i] == Some(State::Active) {
            return Some(key.clone());
        }
        let dates = if args.with_dates {
            Dates::Keep
        } else {
            Dates::Drop
        };
        // A key without a public form is left out.
        public_form(key, dates, &ctx.checks).ok().map(Key::from)
    };
    let keys: Vec<Key> = positions.iter().filter_map(form).collect();
    let keys: Vec<&Key> = keys.iter().collect();
    let json = || in_json_form(ctx, args, source, &private_json(args, source, set, &keys)?);
    if args.to.is_json() {
        return json();
    }
    let members: Vec<_> = keys.iter().map(|key| key.members()).collect();
    // A key that is not a JSON object is dropped here and fails its check below.
    let members: Vec<_> = members.iter().flatten().collect();
    if args.to.is_for_one() {
        one(source, &members)?;
    }
    let is_public = |key: &Key| args.private == Some(Which::Active) && !holds_secret(key);
    for key in keys.iter().filter(|key| !is_public(key)) {
        check_private(key, &ctx.checks)?;
        // A key that was too costly to check is as costly to write.
        if keys.len() > 1 && is_unchecked(key, &ctx.checks) {
            let message = format!(
                "{} has too many private keys to convert at once",
                source.title
            );
            return Err(
                Error::refused(message).hint("pass the KID of the key to export, or use --to jwks")
            );
        }
    }
    let password = args.encryption(ctx)?;
    let pkcs8 = |key: &Members| match &password {
        _ if is_public(&Key::from(key.clone())) => write::spki(key),
        Some(password) => write::encrypted_pkcs8(key, password),
        None => write::pkcs8(key),
    };
    match args.to {
        To::Der => Ok(octets(&pkcs8(one(source, &members)?)?)),
        To::Pkcs1 => join_pem(&members, |key| write::pkcs1(key, true)),
        To::Pkcs1Der => Ok(octets(&write::pkcs1(one(source, &members)?, true)?)),
        To::Sec1 => join_pem(&members, write::sec1),
        To::Sec1Der => Ok(octets(&write::sec1(one(source, &members)?)?)),
        To::Pkcs12 => certified::pkcs12(ctx, args, source, one(source, &members)?),
        To::Openssh => {
            let key = one(source, &members)?;
            let text = openssh::private_file(key, &comment(source, key), password.as_ref())?;
            Ok(Secret::new(text.expose().as_bytes().to_vec()))
        }
        To::Discovery => {
            Err(Error::usage("a discovery document holds no keys").hint("leave out --private"))
        }
        To::X509 => Err(Error::usage("a certificate holds no private key")
            .hint("leave out --private; --to pkcs12 has both in one file")),
        To::Pem => join_pem(&members, pkcs8),
        To::DotenvPem => dotenv_pem(args, "PRIVATE_KEY", &join_pem(&members, pkcs8)?),
        To::Jwks | To::Jwk | To::Dotenv | To::Kubernetes | To::Jwe => json(),
    }
}

/// Returns a JWK Set, or a single JWK if the options request one.
fn json(args: &ExportArgs, source: &Source, keys: &[&Members]) -> Result<Secret<String>> {
    Ok(Secret::new(if args.is_one_jwk() {
        one(source, keys)?.to_pretty_json(0) + "\n"
    } else {
        let keys: Vec<_> = keys.iter().map(|key| (*key).clone()).collect();
        pretty_set(&keys)
    }))
}

fn private_json(
    args: &ExportArgs,
    source: &Source,
    set: &KeySet,
    keys: &[&Key],
) -> Result<Secret<String>> {
    let is_whole = args.private == Some(Which::All) && !args.chooses();
    if is_whole && args.kid.is_none() && !args.is_one_jwk() {
        // A backup must be complete: it keeps expired and invalid keys, and the other members of the
        // set.
        return Ok(Secret::new(set.to_json()));
    }
    let members: Result<Vec<_>, _> = keys.iter().map(|key| key.members()).collect();
    let members = members.map_err(|_| Error::invalid("a key of the set is not a JSON object"))?;
    json(args, source, &members.iter().collect::<Vec<_>>())
}

/// Returns PEM in the lines of a variable.
fn dotenv_pem(args: &ExportArgs, default: &str, pem: &Secret<Vec<u8>>) -> Result<Secret<Vec<u8>>> {
    let name = args.name.as_deref().unwrap_or(default);
    // PEM is ASCII.
    let pem = Secret::new(String::from_utf8_lossy(pem.expose()).into_owned());
    let lines = deployment::lines(name, pem.expose())?;
    Ok(Secret::new(lines.expose().as_bytes().to_vec()))
}

/// Returns the comment of an OpenSSH key: its kid if that is printable ASCII, or else the name of the
/// set.
fn comment(source: &Source, key: &Members) -> String {
    let is_plain = |c: char| c == ' ' || c.is_ascii_graphic();
    let kid = key.string("kid").filter(|kid| kid.chars().all(is_plain));
    kid.map_or_else(|| source.stem(), Cow::into_owned)
}

/// Returns an error if a key has no private part, or is too broken to be written in another format.
fn check_private(key: &Key, budget: &Budget) -> Result<()> {
    let name = named(KeyName::of(key).handle());
    let findings = check::findings(key, budget);
    let fault = findings
        .iter()
        .find(|finding| finding.breaks() == check::Breaks::Key);
    if let Some(fault) = fault {
        let message = format!("{name}: {} ({})", fault.message, fault.rule);
        return Err(
            Error::invalid(message).hint("use --to jwk or --to jwks to export it unchanged")
        );
    }
    if !holds_secret(key) {
        return Err(Error::refused(format!("{name} has no private part"))
            .hint("leave out --private to export its public key"));
    }
    Ok(())
}

/// Returns true if the budget was too small to check the private part of an RSA or elliptic key.
fn is_unchecked(key: &Key, budget: &Budget) -> bool {
    let findings = check::findings(key, budget);
    let is_unchecked = |finding: &check::Finding| finding.rule == Rule::PrivateUnchecked;
    // For ML-DSA it can also be OpenSSL that is too old.
    let is_akp = key
        .members()
        .is_ok_and(|members| members.kty() == Some(Kty::Akp));
    !is_akp && findings.iter().any(is_unchecked)
}

/// Returns the only key. Returns an error if there is none, or more than one.
fn one<'k, 'm>(source: &Source, keys: &[&'k Members<'m>]) -> Result<&'k Members<'m>> {
    match keys {
        [key] => Ok(key),
        [] => Err(Error::refused(format!(
            "no key to export in {}",
            source.title
        ))),
        _ => {
            let kids = keys.iter().take(10).filter_map(|key| key.string("kid"));
            let kids: Vec<_> = kids.map(|kid| kid.into_owned()).collect();
            Err(Error::refused(format!(
                "this format holds one key, but {} has {}",
                source.title,
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
    join(keys, |key| Ok(Secret::new(write(key)?.to_pem())))
}

/// Returns the keys in one text, one after the other. Errors name the key.
fn join(
    keys: &[&Members],
    write: impl Fn(&Members) -> Result<Secret<String>>,
) -> Result<Secret<Vec<u8>>> {
    let mut text = Secret::new(Vec::new());
    for key in keys {
        let one = write(key).map_err(|error| error.about(named(key.string("kid").as_deref())))?;
        text.expose_mut().extend_from_slice(one.expose().as_bytes());
    }
    Ok(text)
}
