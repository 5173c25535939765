//! Reads and checks the keys that `jwks set` imports.

use crate::commands::set::kid_source::{KidSource, name_keys, name_secret};
use crate::commands::set::{SetArgs, repair};
use crate::commands::shared::adoption::warn_of_losses;
use crate::context::Context;
use crate::credential::{STANDARD_INPUT, only_once};
use crate::error::{Error, ErrorKind, Reason, Result};
use crate::key::Key;
use crate::key::attributes::Attributes;
use crate::key::certificate::add_sha1;
use crate::key::check::{Breaks, Budget, Severity};
use crate::key::read::bundle::nothing_usable;
use crate::key::repair::resolved;
use crate::key::sanitize::{Sanitized, sanitize};
use crate::keyset::KeySet;
use crate::keyset::adopt::Foreign;
use crate::keyset::check::{self, Located};
use crate::keyset::import::{self, Form, Imported, Opened};
use crate::keyset::merge::RepairedKey;
use crate::keystore::SetName;
use crate::remote::is_address;
use crate::report::names::{count, describe, shell_word, warn_left_out};
use crate::secret::Secret;
use crate::source::document;
use std::collections::BTreeSet;
use std::path::Path;

/// Refuses files in front of the set.
pub fn refuse_wrong_order(args: &SetArgs) -> Result<()> {
    let Some((set, files)) = args.files.split_last() else {
        return Ok(());
    };
    let is_file = |name: &String| Path::new(name).is_file();
    let is_set = SetName::new(set).is_ok() && !Path::new(set).exists();
    if !is_set || !is_file(&args.set) || !files.iter().all(is_file) {
        return Ok(());
    }
    let files = std::iter::once(&args.set).chain(files);
    let files: Vec<_> = files.map(|file| shell_word(file)).collect();
    let right = format!("run `jwks set {set} {}`", files.join(" "));
    Err(Error::usage("the set comes before the files").hint(right))
}

/// Reads the documents to import; none if the options change members of the set's keys. Returns an
/// error if there is neither input nor a change.
pub fn read_documents(
    ctx: &Context,
    args: &SetArgs,
    attributes: &Attributes,
) -> Result<Vec<document::Document>> {
    args.password
        .refuse_twice(args.files.iter().map(String::as_str))?;
    let is_passphrase = ctx.passphrases.takes_standard_input();
    if is_passphrase && args.files.iter().any(|file| file == STANDARD_INPUT) {
        return Err(only_once());
    }
    let is_piped = document::is_piped() && !is_passphrase;
    if !args.files.is_empty() {
        let read = |file: &String| document::read(file, &ctx.out, || args.remote.options(ctx));
        return args.files.iter().map(read).collect();
    }
    if (!attributes.is_empty() || args.changes_keys()) && args.from.is_none() {
        // Options such as --alg without FILE mean the set's own keys. Standard input is not read,
        // because in a script it can be a pipe that is never closed.
        if args.replace || args.allow_invalid || args.skip_invalid {
            return Err(
                Error::usage("no keys were given").hint("name files, or - for standard input")
            );
        }
        if is_piped {
            ctx.out
                .status("standard input is ignored; pass - to read it");
        }
        return Ok(Vec::new());
    }
    if is_piped {
        let document = document::read_standard_input(&ctx.out)?;
        if !document.octets.expose().is_empty() {
            return Ok(vec![document]);
        }
    }
    if args.from == Some(Form::Secret) {
        let secret = ctx.prompt.new_secret("secret")?;
        return Ok(vec![document::Document {
            octets: Secret::new(secret.expose().as_bytes().to_vec()),
            name: "the secret".into(),
        }]);
    }
    if attributes.is_empty() {
        let name = &args.set;
        if Path::new(name).is_file()
            && SetName::new(name)
                .is_ok_and(|set| ctx.store.contains(&set).is_ok_and(|there| !there))
        {
            return Err(
                Error::usage(format!("{name} is a file; the name of the set is missing"))
                    .hint(format!("run `jwks set SET {name}`")),
            );
        }
        return Err(Error::usage("no keys were given").hint(
            "name files, or - for standard input; or pass what to change: --alg, --use, --key-ops, --nbf, --exp, --unset, --rename, --x5t, --repair",
        ));
    }
    Ok(Vec::new())
}

/// Reads the keys of the documents, selects by --kid, repairs them with --repair, fills in members and
/// checks the keys. Returns an error if a document cannot be read, or if no valid key is left.
pub fn read_keys(
    ctx: &Context,
    args: &SetArgs,
    documents: &[document::Document],
    attributes: &Attributes,
) -> Result<(Vec<Foreign>, Vec<RepairedKey>)> {
    let passwords = args.password.existing(ctx);
    let mut opened = Vec::new();
    let mut skipped = Vec::new();
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
            password: &passwords.of(&document.name),
        };
        let one = import::open(document.octets.expose(), &options);
        let error = |error: Error| {
            let formats = import::FORMATS;
            let secret = || format!("{formats}; pass --from secret to import a shared secret");
            if error.is_because(Reason::UnknownFormat) {
                error.hint(secret()).about(&document.name)
            } else {
                error.about(&document.name)
            }
        };
        match one.map_err(error) {
            Ok(one) => opened.push(one),
            Err(error) if args.skip_invalid && error.kind() == ErrorKind::Invalid => {
                skipped.push(error);
                opened.push(Opened::default());
            }
            Err(error) => return Err(error),
        }
    }
    if skipped.len() == documents.len() {
        return Err(nothing_usable("no keys were given", skipped));
    }
    for error in skipped {
        ctx.out.warn(format!("left out {error}"));
    }
    let names: Vec<_> = documents.iter().map(|document| &document.name).collect();
    let mut imported = import::join(opened).map_err(|error| match &names[..] {
        [only] => error.about(only),
        _ => error,
    })?;
    warn_left_out(ctx, &names, &imported.notes);
    let aliases = std::mem::take(&mut imported.aliases);
    let mut given = foreign(ctx, args, &names, imported);
    if let Some(kid) = &args.kid {
        let (position, key) = import::pick(keys_of(&given), kid)?;
        let documents = given.iter().enumerate();
        let mut places = documents.flat_map(|(i, document)| vec![i; document.set().keys.len()]);
        let place = places.nth(position).unwrap_or_default();
        given = vec![given.swap_remove(place).only(key)];
    }
    let mut keys = keys_of(&given);
    let was_empty = keys.is_empty();
    let repaired = if args.repair {
        repair::repair_input(ctx, &mut keys)
    } else {
        Vec::new()
    };
    for key in &mut keys {
        // The check reports a key that is not a JSON object.
        let Ok(mut members) = key.members() else {
            continue;
        };
        attributes.fill_in(&mut members);
        if args.x5t {
            add_sha1(&mut members);
        }
        *key = Key::from(members);
    }
    let keys = check_keys(ctx, args, keys)?;
    let mut keys = name_keys(ctx, args, keys, &aliases)?.into_iter();
    let with_checked = |document: Foreign| {
        let number = document.set().keys.len();
        let checked = keys.by_ref().take(number).flatten().collect();
        document.with_keys(checked)
    };
    let given: Vec<_> = given.into_iter().map(with_checked).collect();
    let is_empty = given.iter().all(|document| document.set().keys.is_empty());
    if is_empty && !was_empty {
        Err(Error::invalid("no valid key is left to import"))
    } else {
        Ok((given, repaired))
    }
}

/// Groups the keys by their source, which decides what they can change in the set.
fn foreign(ctx: &Context, args: &SetArgs, names: &[&String], imported: Imported) -> Vec<Foreign> {
    let Imported {
        set: mut read,
        nameless,
        sources,
        ..
    } = imported;
    if args.kid.is_none() && args.kid_from != Some(KidSource::Alias) {
        nameless
            .into_iter()
            .for_each(|i| name_secret(&mut read.keys[i]));
    }
    let mut keys = std::mem::take(&mut read.keys).into_iter();
    let mut given = Vec::new();
    for sources in sources.chunk_by(|one, other| one == other) {
        let mut set = KeySet::from(keys.by_ref().take(sources.len()).collect::<Vec<_>>());
        // The other members of all JWK Sets come with the first group of keys.
        set.add_members(&std::mem::take(&mut read));
        let name = names[sources[0].document];
        let document = match (is_address(name), sources[0].has_other_format) {
            (true, _) => Foreign::of_address(set, args.adoption.private_parts()),
            (false, true) => Foreign::of_documents(set),
            (false, false) => Foreign::of_jwks(set),
        };
        warn_of_losses(ctx, name, &document);
        given.push(document);
    }
    if given.is_empty() {
        given.push(Foreign::of_jwks(read));
    }
    given
}

/// Returns the keys of all documents, in order.
fn keys_of(documents: &[Foreign]) -> Vec<Key<'static>> {
    let keys = documents.iter().flat_map(|document| &document.set().keys);
    keys.cloned().collect()
}

/// Checks the keys. Invalid keys are refused with every finding, left out, or kept with a warning.
/// Elements that are not keys, and broken members of good keys, are left out unless --allow-invalid
/// keeps them. A key that is left out is `None`.
fn check_keys(
    ctx: &Context,
    args: &SetArgs,
    keys: Vec<Key<'static>>,
) -> Result<Vec<Option<Key<'static>>>> {
    let given = KeySet::from(keys);
    let mut left_out = BTreeSet::new();
    let mut invalid = BTreeSet::new();
    let mut refused = Vec::new();
    let mut warnings = Vec::new();
    for Located { index, finding, .. } in check::findings(&given, ctx.now, false, &ctx.checks) {
        let Some(index) = index else {
            warnings.push(format!("{} ({})", finding.message, finding.rule));
            continue;
        };
        let key = &given.keys[index];
        let text = format!(
            "{}: {} ({})",
            describe(index, key),
            finding.message,
            finding.rule
        );
        let is_invalid = finding.breaks() == Breaks::Key && !args.allow_invalid;
        if is_invalid && key.members().is_err() {
            left_out.insert(index);
            warnings.push(format!("left out {text}"));
        } else if is_invalid && !args.skip_invalid {
            invalid.insert(index);
            refused.push(text);
        } else if is_invalid {
            left_out.insert(index);
            warnings.push(text);
        } else if finding.rule.severity() > Severity::Note {
            warnings.push(text);
        }
    }
    if !refused.is_empty() {
        let count = count(invalid.len(), "invalid key");
        let refused = limited(refused, |more| format!("and {more} more findings"));
        warn_all(ctx, warnings);
        let mut keys = invalid.iter().map(|index| &given.keys[*index]);
        let is_repairable = |key| !resolved(key, &Budget::default()).is_empty();
        let hint = if !args.repair && keys.any(is_repairable) {
            "pass --repair to repair what is certain, --skip-invalid to import the other keys, or --allow-invalid to import these, too"
        } else {
            "pass --skip-invalid to import the other keys, or --allow-invalid to import these, too"
        };
        return Err(Error::invalid(format!("{count}: {}", refused.join("; "))).hint(hint));
    }
    let keys = given.keys.into_iter().enumerate();
    let mut take = |(index, key)| match (left_out.contains(&index), args.allow_invalid) {
        (true, _) => None,
        (false, true) => Some(key),
        (false, false) => Some(without_broken(ctx, index, key, &mut warnings)),
    };
    let keys = keys.map(&mut take).collect();
    warn_all(ctx, warnings);
    Ok(keys)
}

/// Limits the number of texts, and adds one that says how many are not shown.
fn limited(mut texts: Vec<String>, more: impl Fn(usize) -> String) -> Vec<String> {
    const SHOWN: usize = 100;
    if texts.len() > SHOWN {
        let last = more(texts.len() - SHOWN);
        texts.truncate(SHOWN);
        texts.push(last);
    }
    texts
}

fn warn_all(ctx: &Context, warnings: Vec<String>) {
    let warnings = limited(warnings, |more| {
        format!("{more} more warnings; run `jwks check` on the input to see them")
    });
    warnings
        .into_iter()
        .for_each(|warning| ctx.out.warn(warning));
}

/// Removes the broken members of a key, and adds a warning about them.
fn without_broken(
    ctx: &Context,
    index: usize,
    key: Key<'static>,
    warnings: &mut Vec<String>,
) -> Key<'static> {
    let name = describe(index, &key);
    let Sanitized {
        key,
        left_out,
        kept,
    } = sanitize(key, &ctx.checks);
    if !left_out.is_empty() {
        warnings.push(format!("{name}: left out {}", left_out.join(", ")));
    }
    if !kept.is_empty() {
        warnings.push(format!(
            "{name}: broken {}, so the key does not sign; set its purpose with --use, --alg or --key-ops",
            kept.join(", ")
        ));
    }
    key
}
