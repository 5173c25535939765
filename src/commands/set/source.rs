//! What `jwks set` is given: documents, and the keys in them, checked.

use super::SetArgs;
use crate::commands::input;
use crate::commands::report::{count, describe};
use crate::context::Context;
use crate::credential::{STANDARD_INPUT, only_once};
use crate::error::{Error, Result};
use crate::key::Key;
use crate::key::attributes::Attributes;
use crate::key::check::Severity;
use crate::key::members::Members;
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
    let mut given = KeySet::default();
    let passwords = args.password.existing(ctx);
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
        let read = import::read(document.octets.expose(), &options);
        let mut read = read.map_err(|error| error.about(&document.name))?;
        for note in &read.notes {
            ctx.out.warn(format!("{}: {note}", document.name));
        }
        if args.kid.is_none() {
            name_secrets(&mut read);
        }
        let set = read.set;
        if args.kid.is_none() {
            given.add_members(&set);
        }
        given.keys.extend(set.keys);
    }
    if let Some(kid) = &args.kid {
        given.keys = vec![import::pick(given.keys, kid)?];
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

/// Names the shared secrets that came in another form than JWK, where nothing else can.
fn name_secrets(read: &mut Imported) {
    if matches!(read.form, Form::Jwk | Form::Jwks) {
        return;
    }
    for key in &mut read.set.keys {
        if let Ok(members) = key.members().map(Members::into_owned)
            && members.string("kty").as_deref() == Some("oct")
            && !members.has("kid")
        {
            let kid = uuid::Uuid::new_v4().to_string();
            *key = Key::from(members.with_kid(&kid));
        }
    }
}

/// Checks the keys: refuses invalid ones with every finding, or leaves them out, or warns.
fn check_keys(ctx: &Context, args: &SetArgs, keys: Vec<Key<'static>>) -> Result<Vec<Key<'static>>> {
    let given = KeySet::from(keys);
    let mut invalid = BTreeSet::new();
    let mut refused = Vec::new();
    for Located { index, finding, .. } in check::findings(&given, ctx.now, false, &ctx.checks) {
        let severity = finding.rule.severity();
        let name = describe(index, &given.keys[index]);
        let text = format!("{name}: {} ({})", finding.message, finding.rule);
        if severity == Severity::Error {
            invalid.insert(index);
        }
        if severity == Severity::Error && !args.allow_invalid && !args.skip_invalid {
            refused.push(text);
        } else if severity > Severity::Note {
            ctx.out.warn(text);
        }
    }
    if !refused.is_empty() {
        let count = count(invalid.len(), "invalid key");
        return Err(Error::invalid(format!("{count}: {}", refused.join("; ")))
            .hint("--skip-invalid takes the other keys, --allow-invalid keeps these as they are"));
    }
    let kept = given.keys.into_iter().enumerate();
    let kept = kept.filter(|(index, _)| !(args.skip_invalid && invalid.contains(index)));
    Ok(kept.map(|(_, key)| key).collect())
}
