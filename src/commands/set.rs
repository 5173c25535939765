//! `jwks set`: put own keys into a set, or change members of its keys.

mod members;
mod remote;

use super::encrypt::EncryptArgs;
use super::record::Record;
use super::report::{
    JsonKeyName, Whose, changed_meanwhile, count, describe, json_names, loss_in_words,
};
use super::server::RemoteArgs;
use super::{input, time};
use crate::context::Context;
use crate::credential::only_once;
use crate::error::{Error, Result};
use crate::key::Key;
use crate::key::attributes::Attributes;
use crate::key::check::Severity;
use crate::key::public::holds_secret;
use crate::keyset::KeySet;
use crate::keyset::changes::is_alike;
use crate::keyset::check::{self, Located};
use crate::keyset::import::{self, Form};
use crate::keyset::index::Index;
use crate::keyset::merge::{KeyName, Merged, OnConflict};
use crate::keystore::{IfMissing, SetName};
use crate::secret::Secret;
use clap::{Args, ValueHint};
use serde::Serialize;
use std::collections::BTreeSet;

const EXAMPLES: &str = "\
Examples:
  $ jwks set api own.pem
  $ jwks set api other.json --on-conflict rekey
  $ openssl genpkey -algorithm ed25519 | jwks set api - --kid own --alg EdDSA --use sig
  $ jwks set api --kid first --exp +30d
  $ jwks set issuer https://issuer.example/jwks.json
  $ jwks set api own.pem --remote prod --yes";

/// Put own keys into a set, or change members of its keys
///
/// What a file is, is seen by its content: a JWK, a JWK Set, PEM with one or several blocks, DER,
/// a certificate. A key that is in the set already (the same thumbprint) is updated. Keys are
/// checked first. Without FILE, --alg, --use, --key-ops, --nbf and --exp change the keys of the
/// set, or the one that --kid names in full. With --remote it is a server's set: what is sent and
/// what goes is shown and asked.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct SetArgs {
    /// The set
    #[arg(value_name = "SET")]
    set: String,

    /// Files with keys, or addresses; - is standard input
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
    files: Vec<String>,

    /// What the input is, where its content should not decide
    #[arg(long, value_name = "FORM")]
    from: Option<Form>,

    /// Take this key of the input; or the kid of a key that has none
    #[arg(long, value_name = "KID", allow_hyphen_values = true)]
    kid: Option<String>,

    /// The algorithm of keys that name none
    #[arg(long, value_name = "ALG")]
    alg: Option<String>,

    /// The use of keys that name none: sig or enc
    #[arg(long = "use", value_name = "USE")]
    usage: Option<String>,

    /// The operations of keys that name none, such as sign,verify
    #[arg(long, value_name = "OP,…", value_delimiter = ',')]
    key_ops: Vec<String>,

    /// When keys that do not say so may first be used: a time as in --exp
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    nbf: Option<String>,

    /// When keys that do not say so expire: 2026-12-31T12:00:00Z, 2026-12-31 (in UTC), seconds since
    /// 1970, or an offset such as +90d, +1h30m, -1d
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    exp: Option<String>,

    /// What to do when another key of the set has the same kid
    #[arg(long, value_name = "WHAT", default_value = "fail")]
    on_conflict: OnConflict,

    /// Make the set exactly what is given; what would be lost is shown first
    #[arg(long)]
    replace: bool,

    /// Keep invalid keys as they came; listings flag them
    #[arg(long, conflicts_with = "skip_invalid")]
    allow_invalid: bool,

    /// Leave invalid keys out and take the others
    #[arg(long)]
    skip_invalid: bool,

    #[command(flatten)]
    encrypt: EncryptArgs,

    #[command(flatten)]
    remote: RemoteArgs,
}

#[derive(Serialize)]
struct Report<'a> {
    set: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    remote: Option<&'a str>,
    added: Vec<JsonKeyName<'a>>,
    updated: Vec<JsonKeyName<'a>>,
    skipped: Vec<JsonKeyName<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    removed: Vec<JsonKeyName<'a>>,
}

/// Runs `jwks set`.
pub fn run(ctx: &Context, args: &SetArgs) -> Result<()> {
    let attributes = Attributes {
        alg: args.alg.clone(),
        usage: args.usage.clone(),
        key_ops: args.key_ops.clone(),
        nbf: time::parse_option(&args.nbf, ctx.now)?,
        exp: time::parse_option(&args.exp, ctx.now)?,
    };
    attributes.check()?;
    if let Some(server) = args.remote.open(ctx)? {
        return remote::set(ctx, args, &attributes, &server);
    }
    let name = SetName::new(&args.set)?;
    let documents = read_documents(ctx, args, &attributes)?;
    let merged = if documents.is_empty() {
        members::change(ctx, args, &name, &attributes)?
    } else {
        let given = read_keys(ctx, args, &documents, &attributes)?;
        match args.replace {
            true => return replace(ctx, args, &name, given),
            false => merge(ctx, args, &name, given)?,
        }
    };
    let whose = Whose::here(name.as_str());
    Record::of(ctx, whose).merged(&merged).append();
    report(ctx, whose, &merged)
}

/// The documents to read; none where members of the set's own keys are to be changed.
fn read_documents(
    ctx: &Context,
    args: &SetArgs,
    attributes: &Attributes,
) -> Result<Vec<input::Document>> {
    let is_passphrase = ctx.passphrases.takes_standard_input();
    if is_passphrase && args.files.iter().any(|file| file == input::STANDARD_INPUT) {
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
fn read_keys(
    ctx: &Context,
    args: &SetArgs,
    documents: &[input::Document],
    attributes: &Attributes,
) -> Result<KeySet<'static>> {
    let mut given = KeySet::default();
    for document in documents {
        if args.from == Some(Form::Secret) && document.octets.expose().ends_with(b"\n") {
            let name = &document.name;
            ctx.out.warn(format!(
                "{name} ends in a line feed, which is part of the secret"
            ));
        }
        let set = import::read(document.octets.expose(), args.from)
            .map_err(|error| error.about(&document.name))?;
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
        if args.from == Some(Form::Secret) && !members.has("kid") {
            members = members.with_kid(&uuid::Uuid::new_v4().to_string());
        }
        attributes.fill_in(&mut members);
        *key = Key::from(members);
    }
    given.keys = check_keys(ctx, args, given.keys)?;
    if given.keys.is_empty() && !was_empty {
        return Err(Error::invalid("no key is left to put into the set"));
    }
    Ok(given)
}

/// Checks the keys: refuses invalid ones with every finding, or leaves them out, or warns.
fn check_keys(ctx: &Context, args: &SetArgs, keys: Vec<Key<'static>>) -> Result<Vec<Key<'static>>> {
    let given = KeySet::from(keys);
    let mut invalid = BTreeSet::new();
    let mut refused = Vec::new();
    for Located { index, finding, .. } in check::findings(&given, ctx.now, false) {
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

fn merge(ctx: &Context, args: &SetArgs, name: &SetName, given: KeySet<'static>) -> Result<Merged> {
    // What a replacement throws out is asked for before the lock is taken, and must be the same
    // when it is.
    let mut expected = Vec::new();
    if args.on_conflict == OnConflict::Replace
        && let Some(document) = ctx.read(name)?
    {
        let mut trial = document.parse()?;
        expected = trial.merge(given.keys.clone(), args.on_conflict)?.replaced;
        if expected.iter().any(holds_secret) {
            confirm_loss(ctx, name, &expected)?;
        }
    }
    let protection = args.encrypt.protection(ctx, name)?;
    ctx.store
        .change(name, IfMissing::Create, protection.as_ref(), |set| {
            set.add_members(&given);
            let merged = set.merge(given.keys, args.on_conflict)?;
            match merged.replaced == expected {
                true => Ok(merged),
                false => Err(changed_meanwhile(name)),
            }
        })
}

/// Makes the set what is given, once the loss of the keys that are not is confirmed.
fn replace(ctx: &Context, args: &SetArgs, name: &SetName, given: KeySet<'static>) -> Result<()> {
    let document = ctx.read(name)?;
    let before = match &document {
        Some(document) => document.parse()?,
        None => KeySet::default(),
    };
    let lost = before.lost_in(&given);
    if !lost.is_empty() {
        confirm_loss(ctx, name, &lost)?;
    }
    let index = Index::of(&before);
    let names = |there: bool| {
        let keys = given.keys.iter();
        let keys = keys.filter(|key| index.copies_of(key).is_empty() != there);
        keys.map(KeyName::of).collect()
    };
    let merged = Merged {
        added: names(false),
        updated: names(true),
        replaced: lost,
        ..Merged::default()
    };
    let protection = args.encrypt.protection(ctx, name)?;
    ctx.store
        .change(name, IfMissing::Create, protection.as_ref(), |set| {
            if set.keys != before.keys {
                return Err(changed_meanwhile(name));
            }
            *set = given.clone();
            Ok(())
        })?;
    let whose = Whose::here(name.as_str());
    let changes = before.changes_to(&given, is_alike);
    Record::of(ctx, whose).changes(&changes).append();
    report(ctx, whose, &merged)
}

fn confirm_loss(ctx: &Context, name: &SetName, lost: &[Key]) -> Result<()> {
    let what = format!("set {name} {}", loss_in_words(lost));
    ctx.prompt.confirm(&ctx.out, &what)
}

fn report(ctx: &Context, whose: Whose, merged: &Merged) -> Result<()> {
    for alias in merged.aliases.iter().filter_map(KeyName::handle) {
        ctx.out.warn(format!(
            "{alias:?} is in set {whose} under another kid as well"
        ));
    }
    let removed: Vec<_> = merged.replaced.iter().map(KeyName::of).collect();
    if ctx.out.is_json() {
        return ctx.out.json(&Report {
            set: whose.set,
            remote: whose.remote,
            added: json_names(&merged.added),
            updated: json_names(&merged.updated),
            skipped: [json_names(&merged.unchanged), json_names(&merged.skipped)]
                .into_iter()
                .flatten()
                .collect(),
            removed: json_names(&removed),
        });
    }
    let counts = [
        (merged.added.len(), "added"),
        (merged.updated.len(), "updated"),
        (merged.unchanged.len(), "unchanged"),
        (merged.skipped.len(), "skipped"),
        (removed.len(), "removed"),
    ];
    let counts = counts.iter().filter(|(count, _)| *count > 0);
    let words: Vec<_> = counts
        .map(|(number, what)| format!("{number} {what}"))
        .collect();
    let words = if words.is_empty() {
        "no keys".into()
    } else {
        words.join(", ")
    };
    ctx.out.status(format!("set {whose}: {words}"));
    let Merged {
        added,
        updated,
        unchanged,
        ..
    } = merged;
    let names = added.iter().chain(updated).chain(unchanged);
    ctx.out.lines(names.filter_map(KeyName::handle))
}
