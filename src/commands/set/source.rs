//! What `jwks set` is given: documents, and the keys in them, checked.

use super::SetArgs;
use crate::commands::input;
use crate::commands::report::{count, describe, warn_left_out};
use crate::context::Context;
use crate::credential::{STANDARD_INPUT, only_once};
use crate::error::{Error, Result};
use crate::key::Key;
use crate::key::attributes::Attributes;
use crate::key::check::{Breaks, Severity};
use crate::key::sound::{Sound, sound};
use crate::keyset::KeySet;
use crate::keyset::check::{self, Located};
use crate::keyset::import::{self, Form, Imported};
use crate::secret::Secret;
use std::collections::BTreeSet;

/// The documents to read; none where members of the set's own keys are to be changed.
pub fn read_documents(
    ctx: &Context,
    args: &SetArgs,
    attributes: &Attributes,
) -> Result<Vec<input::Document>> {
    args.password
        .refuse_twice(args.files.iter().map(String::as_str))?;
    let is_passphrase = ctx.passphrases.takes_standard_input();
    if is_passphrase && args.files.iter().any(|file| file == STANDARD_INPUT) {
        return Err(only_once());
    }
    let is_piped = input::is_piped() && !is_passphrase;
    if !args.files.is_empty() {
        let read = |file: &String| input::read(file, || args.remote.options(ctx));
        return args.files.iter().map(read).collect();
    }
    if !attributes.is_empty() && args.from.is_none() {
        // Whoever says what to change means the set's own keys; a script's standard input may be
        // a pipe that nobody ever closes.
        if args.replace || args.allow_invalid || args.skip_invalid {
            return Err(
                Error::usage("no keys were given").hint("name files, or - for standard input")
            );
        }
        if is_piped {
            ctx.out.status("standard input is not read without -");
        }
        return Ok(Vec::new());
    }
    if is_piped {
        let document = input::read_standard_input()?;
        if !document.octets.expose().is_empty() {
            return Ok(vec![document]);
        }
    }
    if args.from == Some(Form::Secret) {
        let secret = ctx.prompt.new_secret("secret")?;
        return Ok(vec![input::Document {
            octets: Secret::new(secret.expose().as_bytes().to_vec()),
            name: "the secret".into(),
        }]);
    }
    if attributes.is_empty() {
        return Err(Error::usage("no keys were given").hint(
            "name files, or - for standard input; or what to change: --alg, --use, --key-ops, --nbf, --exp",
        ));
    }
    Ok(Vec::new())
}

/// The keys of the documents, picked, filled in and checked.
pub fn read_keys(
    ctx: &Context,
    args: &SetArgs,
    documents: &[input::Document],
    attributes: &Attributes,
) -> Result<KeySet<'static>> {
    let passwords = args.password.existing(ctx);
    let mut opened = Vec::new();
    for document in documents {
        if args.from == Some(Form::Secret) && document.octets.expose().ends_with(b"\n") {
            let name = &document.name;
            ctx.out.warn(format!(
                "{name} ends in a line feed, which is part of the secret"
            ));
        }
        let options = import::Options {
            form: args.from,
            alias: args.alias.as_deref(),
            password: &|| passwords.of(&document.name),
        };
        let one = import::open(document.octets.expose(), &options);
        opened.push(one.map_err(|error| error.about(&document.name))?);
    }
    let names: Vec<_> = documents.iter().map(|document| &document.name).collect();
    let imported = import::join(opened).map_err(|error| match &names[..] {
        [only] => error.about(only),
        _ => error,
    })?;
    warn_left_out(ctx, &names, &imported.notes);
    let Imported {
        set: mut given,
        nameless,
        ..
    } = imported;
    match &args.kid {
        Some(kid) => given = KeySet::from(vec![import::pick(given.keys, kid)?]),
        None => nameless
            .into_iter()
            .for_each(|i| name_secret(&mut given.keys[i])),
    }
    let was_empty = given.keys.is_empty();
    for key in &mut given.keys {
        // What is no object is left to the check.
        let Ok(mut members) = key.members() else {
            continue;
        };
        attributes.fill_in(&mut members);
        *key = Key::from(members);
    }
    given.keys = check_keys(ctx, args, given.keys)?;
    if given.keys.is_empty() && !was_empty {
        return Err(Error::invalid("no key is left to put into the set"));
    }
    Ok(given)
}

/// Names a shared secret that came in another form than JWK, where nothing else can.
fn name_secret(key: &mut Key<'static>) {
    let kid = uuid::Uuid::new_v4().to_string();
    *key = Key::from(key.members().unwrap_or_default().with_kid(&kid));
}

/// Checks the keys. Invalid keys are refused with every finding, left out, or kept with a warning.
/// An element that is no key at all is left out, and so are members that are broken beside a good
/// key, unless they are to be kept.
fn check_keys(ctx: &Context, args: &SetArgs, keys: Vec<Key<'static>>) -> Result<Vec<Key<'static>>> {
    let given = KeySet::from(keys);
    let mut left_out = BTreeSet::new();
    let mut invalid = BTreeSet::new();
    let mut refused = Vec::new();
    for Located { index, finding, .. } in check::findings(&given, ctx.now, false, &ctx.checks) {
        let key = &given.keys[index];
        let text = format!(
            "{}: {} ({})",
            describe(index, key),
            finding.message,
            finding.rule
        );
        let is_invalid = finding.breaks() == Breaks::Key;
        if is_invalid && !args.allow_invalid && (args.skip_invalid || key.members().is_err()) {
            left_out.insert(index);
        } else if is_invalid && !args.allow_invalid {
            invalid.insert(index);
            refused.push(text);
            continue;
        }
        if finding.rule.severity() > Severity::Note {
            ctx.out.warn(text);
        }
    }
    if !refused.is_empty() {
        let count = count(invalid.len(), "invalid key");
        return Err(Error::invalid(format!("{count}: {}", refused.join("; ")))
            .hint("--skip-invalid takes the other keys, --allow-invalid keeps these as they are"));
    }
    let kept = given.keys.into_iter().enumerate();
    let kept = kept.filter(|(index, _)| !left_out.contains(index));
    Ok(match args.allow_invalid {
        true => kept.map(|(_, key)| key).collect(),
        false => kept
            .map(|(index, key)| without_broken(ctx, index, key))
            .collect(),
    })
}

/// Leaves the broken members of a key out, and warns about them.
fn without_broken(ctx: &Context, index: usize, key: Key<'static>) -> Key<'static> {
    let name = describe(index, &key);
    let Sound {
        key,
        left_out,
        kept,
    } = sound(key, &ctx.checks);
    if !left_out.is_empty() {
        ctx.out
            .warn(format!("{name}: left out {}", left_out.join(", ")));
    }
    if !kept.is_empty() {
        ctx.out.warn(format!(
            "{name}: {} is broken, so the key does not sign; say what it is for with --use, --alg or --key-ops",
            kept.join(", ")
        ));
    }
    key
}
