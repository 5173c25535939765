//! `jwks set`: put own keys into a set, or change members of its keys.

use super::create::check_kid;
use super::report::{JsonKeyName, count, json_names};
use super::{complete, input, time};
use crate::context::Context;
use crate::error::{Error, Result};
use crate::key::Key;
use crate::key::check::{self, Finding, Severity};
use crate::key::members::Members;
use crate::key::thumbprint::thumbprint;
use crate::keyset::KeySet;
use crate::keyset::import::{self, Form};
use crate::keyset::merge::{KeyName, Merged, OnConflict, any_secret};
use crate::keystore::{IfMissing, SetName};
use crate::secret::Secret;
use clap::builder::PossibleValue;
use clap::{Args, ValueEnum, ValueHint};
use clap_complete::{ArgValueCandidates, ArgValueCompleter};
use serde::Serialize;

const EXAMPLES: &str = "\
Examples:
  $ jwks set api own.pem
  $ jwks set api other.json --on-conflict rekey
  $ openssl genpkey -algorithm ed25519 | jwks set api - --kid first --alg EdDSA --use sig
  $ jwks set api --kid first --exp +30d";

impl ValueEnum for Form {
    fn value_variants<'a>() -> &'a [Self] {
        &[Form::Jwk, Form::Jwks, Form::Pem, Form::Der, Form::Secret]
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(match self {
            Form::Jwk => PossibleValue::new("jwk").help("One JSON Web Key"),
            Form::Jwks => PossibleValue::new("jwks").help("A JWK Set"),
            Form::Pem => {
                PossibleValue::new("pem").help("PEM: keys and certificates, one or several")
            }
            Form::Der => PossibleValue::new("der").help("DER: one key or certificate"),
            Form::Secret => PossibleValue::new("secret")
                .help("The octets of a shared secret; asked for where no FILE is given"),
        })
    }
}

impl ValueEnum for OnConflict {
    fn value_variants<'a>() -> &'a [Self] {
        &[
            OnConflict::Fail,
            OnConflict::Skip,
            OnConflict::Replace,
            OnConflict::Rekey,
        ]
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(match self {
            OnConflict::Fail => PossibleValue::new("fail").help("Change nothing"),
            OnConflict::Skip => PossibleValue::new("skip").help("Keep the set's key"),
            OnConflict::Replace => {
                PossibleValue::new("replace").help("Take the new key in its place")
            }
            OnConflict::Rekey => {
                PossibleValue::new("rekey").help("Give the new key its thumbprint as kid")
            }
        })
    }
}

/// Put own keys into a set, or change members of its keys
///
/// What a file is, is seen by its content: a JWK, a JWK Set, PEM with one or several blocks, DER,
/// a certificate. A key that is in the set already (the same thumbprint) is updated. Keys are
/// checked first. Without FILE, and with nothing on standard input, --alg, --use, --key-ops,
/// --nbf and --exp change the keys of the set, or the one that --kid names.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct SetArgs {
    /// The set
    #[arg(value_name = "SET", add = ArgValueCompleter::new(complete::sets))]
    set: String,

    /// Files with keys; - is standard input
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
    files: Vec<String>,

    /// What the input is, where its content should not decide
    #[arg(long, value_name = "FORM")]
    from: Option<Form>,

    /// Take this key of the input; or the kid of a key that has none
    #[arg(long, value_name = "KID", allow_hyphen_values = true)]
    #[arg(add = ArgValueCompleter::new(complete::kids))]
    kid: Option<String>,

    /// The algorithm of keys that name none
    #[arg(long, value_name = "ALG", add = ArgValueCandidates::new(complete::algorithms))]
    alg: Option<String>,

    /// The use of keys that name none: sig or enc
    #[arg(long = "use", value_name = "USE", add = ArgValueCandidates::new(complete::uses))]
    usage: Option<String>,

    /// The operations of keys that name none, such as sign,verify
    #[arg(long, value_name = "OP,…", value_delimiter = ',')]
    #[arg(add = ArgValueCandidates::new(complete::operations))]
    key_ops: Vec<String>,

    /// When keys that do not say so may first be used: a time, or an offset such as +1h
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    nbf: Option<String>,

    /// When keys that do not say so expire: a time, or an offset such as +90d
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
}

#[derive(Serialize)]
struct Report<'a> {
    set: &'a str,
    added: Vec<JsonKeyName<'a>>,
    updated: Vec<JsonKeyName<'a>>,
    skipped: Vec<JsonKeyName<'a>>,
}

/// The members that the flags give.
struct Attributes {
    alg: Option<String>,
    usage: Option<String>,
    key_ops: Vec<String>,
    nbf: Option<i64>,
    exp: Option<i64>,
}

impl Attributes {
    fn new(args: &SetArgs, now: i64) -> Result<Attributes> {
        let parse = |text: &Option<String>| {
            text.as_deref()
                .map(|text| time::parse(text, now))
                .transpose()
        };
        check_operations(&args.key_ops)?;
        Ok(Attributes {
            alg: args.alg.clone(),
            usage: args.usage.clone(),
            key_ops: args.key_ops.clone(),
            nbf: parse(&args.nbf)?,
            exp: parse(&args.exp)?,
        })
    }

    fn is_empty(&self) -> bool {
        self.alg.is_none()
            && self.usage.is_none()
            && self.key_ops.is_empty()
            && self.nbf.is_none()
            && self.exp.is_none()
    }

    /// Sets the members; those that are there stay unless `over` says otherwise.
    fn apply(&self, members: &mut Members, over: bool) {
        let missing = |members: &Members, name| over || !members.has(name);
        if let Some(alg) = self.alg.as_deref().filter(|_| missing(members, "alg")) {
            members.set_text("alg", alg);
        }
        if let Some(usage) = self.usage.as_deref().filter(|_| missing(members, "use")) {
            members.set_text("use", usage);
        }
        if !self.key_ops.is_empty() && missing(members, "key_ops") {
            members.set_texts("key_ops", &self.key_ops);
        }
        for (name, date) in [("nbf", self.nbf), ("exp", self.exp)] {
            if let Some(date) = date.filter(|_| missing(members, name)) {
                members.set_number(name, date);
            }
        }
    }
}

/// Refuses operations that are not registered (RFC 7517 section 4.3) or stand twice.
pub fn check_operations(operations: &[String]) -> Result<()> {
    for (i, operation) in operations.iter().enumerate() {
        if !complete::OPERATIONS.contains(&operation.as_str()) {
            return Err(Error::usage(format!("there is no operation {operation:?}"))
                .hint(format!("operations: {}", complete::OPERATIONS.join(", "))));
        }
        if operations[..i].contains(operation) {
            return Err(Error::usage(format!(
                "the operation {operation} stands twice"
            )));
        }
    }
    Ok(())
}

/// Runs `jwks set`.
pub fn run(ctx: &Context, args: &SetArgs) -> Result<()> {
    let name = SetName::new(&args.set)?;
    let attributes = Attributes::new(args, ctx.now)?;
    let documents = read_documents(ctx, args, &attributes)?;
    if documents.is_empty() {
        return change_members(ctx, args, &name, &attributes);
    }
    let mut given = KeySet::default();
    for document in &documents {
        let octets = document.octets.expose();
        let set = import::read(octets, args.from).map_err(|error| error.about(&document.name))?;
        for (name, value) in set.members() {
            given.add_member(name.clone(), value.clone());
        }
        given.keys.extend(set.keys);
    }
    let total = given.keys.len();
    given.keys = prepare(args, &attributes, given.keys)?;
    given.keys = check_keys(ctx, args, given.keys)?;
    if given.keys.is_empty() && total > 0 {
        return Err(Error::invalid("no key is left to put into the set"));
    }
    let merged = if args.replace {
        replace(ctx, &name, given)?
    } else {
        merge(ctx, args, &name, given)?
    };
    report(ctx, &name, &merged)
}

/// The documents to read; none where members of the set's own keys are to be changed.
fn read_documents(
    ctx: &Context,
    args: &SetArgs,
    attributes: &Attributes,
) -> Result<Vec<input::Document>> {
    if !args.files.is_empty() {
        return args.files.iter().map(|file| input::read(file)).collect();
    }
    if input::is_piped() {
        let document = input::read(input::STANDARD_INPUT)?;
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
        return Err(Error::usage("no keys were given")
            .hint("name files, or - for standard input; or what to change: --alg, --use, --key-ops, --nbf, --exp"));
    }
    Ok(Vec::new())
}

/// Picks the key that `--kid` names, and fills in what the keys leave open.
fn prepare(
    args: &SetArgs,
    attributes: &Attributes,
    keys: Vec<Key<'static>>,
) -> Result<Vec<Key<'static>>> {
    let mut keys = keys;
    if let Some(kid) = &args.kid {
        let given = KeySet::from(keys);
        let named = given.with_kid(kid);
        keys = match (&named[..], &given.keys[..]) {
            ([one], _) => vec![given.keys[*one].clone()],
            ([], [only]) => {
                check_kid(kid)?;
                vec![rename(only, kid)?]
            }
            ([], _) => return Err(Error::not_found(format!("no key {kid:?} in the input"))),
            _ => {
                return Err(Error::refused(format!(
                    "{} of the input have the kid {kid:?}",
                    count(named.len(), "key")
                )));
            }
        };
    }
    let secret = args.from == Some(Form::Secret);
    let fill = |key: Key<'static>| match key.members() {
        Ok(mut members) => {
            if secret && !members.has("kid") {
                members = members.with_kid(&uuid::Uuid::new_v4().to_string());
            }
            attributes.apply(&mut members, false);
            Key::from(members)
        }
        // It is no object; the check says so.
        Err(_) => key,
    };
    Ok(keys.into_iter().map(fill).collect())
}

/// Names a key that has no kid, or whose kid is but its thumbprint.
fn rename(key: &Key, kid: &str) -> Result<Key<'static>> {
    let members = key.members().unwrap_or_default();
    if let Some(own) = members.string("kid")
        && thumbprint(&members).as_deref() != Some(&own)
    {
        return Err(Error::not_found(format!("no key {kid:?} in the input"))
            .hint(format!("its only key has the kid {own:?}")));
    }
    Ok(Key::from(members.with_kid(kid)))
}

/// Checks the keys: refuses invalid ones with every finding, or leaves them out, or warns.
fn check_keys(ctx: &Context, args: &SetArgs, keys: Vec<Key<'static>>) -> Result<Vec<Key<'static>>> {
    let mut kept = Vec::new();
    let mut refused = Vec::new();
    let mut invalid = 0;
    for (i, key) in keys.into_iter().enumerate() {
        let findings = check::findings(&key);
        let is_invalid = check::has_error(&findings);
        let name = describe(i, &key);
        let shown = findings
            .iter()
            .filter(|finding| finding.rule.severity() > Severity::Note);
        for finding in shown {
            let Finding { rule, message } = finding;
            let text = format!("{name}: {message} ({rule})");
            if rule.severity() == Severity::Error && !args.allow_invalid && !args.skip_invalid {
                refused.push(text);
            } else {
                ctx.out.warn(text);
            }
        }
        invalid += usize::from(is_invalid);
        if !(is_invalid && args.skip_invalid) {
            kept.push(key);
        }
    }
    if refused.is_empty() {
        return Ok(kept);
    }
    Err(Error::invalid(format!(
        "{}: {}",
        count(invalid, "invalid key"),
        refused.join("; ")
    ))
    .hint("--skip-invalid takes the other keys, --allow-invalid keeps these as they are"))
}

fn describe(index: usize, key: &Key) -> String {
    match KeyName::of(key).handle() {
        Some(handle) => format!("key {index} ({handle:?})"),
        None => format!("key {index}"),
    }
}

fn merge(ctx: &Context, args: &SetArgs, name: &SetName, given: KeySet<'static>) -> Result<Merged> {
    if args.on_conflict == OnConflict::Replace && !ctx.prompt.is_yes() {
        // Ask before the lock is taken, and make sure below that the question was the right one.
        let expected = match ctx.store.read(name)? {
            Some(document) => {
                document
                    .parse()?
                    .merge(given.keys.clone(), args.on_conflict)?
                    .replaced
            }
            None => Vec::new(),
        };
        if any_secret(&expected) {
            confirm_loss(ctx, name, &expected)?;
        }
        return ctx.store.change(name, IfMissing::Create, |set| {
            let merged = set.merge(given.keys, args.on_conflict)?;
            if merged.replaced != expected {
                return Err(changed_meanwhile(name));
            }
            Ok(merged)
        });
    }
    ctx.store.change(name, IfMissing::Create, |set| {
        for (name, value) in given.members() {
            set.add_member(name.clone(), value.clone());
        }
        set.merge(given.keys, args.on_conflict)
    })
}

fn confirm_loss(ctx: &Context, name: &SetName, lost: &[Key]) -> Result<()> {
    let names: Vec<_> = lost
        .iter()
        .enumerate()
        .map(|(i, key)| describe(i, key))
        .collect();
    let question = format!(
        "Set {name} would lose {} with their private part: {}.",
        count(lost.len(), "key"),
        names.join(", ")
    );
    ctx.prompt.confirm(&ctx.out, &question)
}

fn changed_meanwhile(name: &SetName) -> Error {
    Error::refused(format!("set {name} was changed meanwhile")).hint("run the command again")
}

/// Makes the set what is given. Keys that are not among the given ones are lost.
fn replace(ctx: &Context, name: &SetName, given: KeySet<'static>) -> Result<Merged> {
    let before = match ctx.store.read(name)? {
        Some(document) => document.parse()?.into_owned(),
        None => KeySet::default(),
    };
    let mut fresh = KeySet::default();
    fresh.merge(given.keys.clone(), OnConflict::Fail)?;
    let lost: Vec<_> = before
        .keys
        .iter()
        .filter(|key| {
            given
                .position_of(key, &key.members().unwrap_or_default())
                .is_none_or(|i| {
                    any_secret(std::slice::from_ref(*key)) && !any_secret(&given.keys[i..=i])
                })
        })
        .cloned()
        .collect();
    if !lost.is_empty() {
        confirm_replacement(ctx, name, &lost)?;
    }
    ctx.store.change(name, IfMissing::Create, |set| {
        if set.keys != before.keys {
            return Err(changed_meanwhile(name));
        }
        let names = |wanted: bool| {
            let keys = given.keys.iter().filter(|key| {
                let members = key.members().unwrap_or_default();
                before.position_of(key, &members).is_some() == wanted
            });
            keys.map(KeyName::of).collect()
        };
        let merged = Merged {
            added: names(false),
            updated: names(true),
            ..Merged::default()
        };
        *set = given.clone();
        Ok(merged)
    })
}

fn confirm_replacement(ctx: &Context, name: &SetName, lost: &[Key]) -> Result<()> {
    let names: Vec<_> = lost
        .iter()
        .enumerate()
        .map(|(i, key)| describe(i, key))
        .collect();
    let private = lost
        .iter()
        .filter(|key| any_secret(std::slice::from_ref(*key)))
        .count();
    let question = format!(
        "Set {name} would lose {}, {private} of them private: {}.",
        count(lost.len(), "key"),
        names.join(", ")
    );
    ctx.prompt.confirm(&ctx.out, &question)
}

/// Changes members of the set's own keys.
fn change_members(
    ctx: &Context,
    args: &SetArgs,
    name: &SetName,
    attributes: &Attributes,
) -> Result<()> {
    let merged = ctx.store.change(name, IfMissing::Fail, |set| {
        let positions: Vec<usize> = match &args.kid {
            Some(kid) => vec![
                set.find(kid)
                    .map_err(|error| error.about(format!("set {name}")))?,
            ],
            None => (0..set.keys.len()).collect(),
        };
        let mut merged = Merged::default();
        for position in positions {
            let key = &set.keys[position];
            let Ok(mut members) = key.members() else {
                merged.skipped.push(KeyName::of(key));
                continue;
            };
            let before = members.clone();
            attributes.apply(&mut members, true);
            if members == before {
                merged.skipped.push(KeyName::of(key));
                continue;
            }
            let changed = Key::from(members);
            refuse_new_faults(key, &changed)?;
            merged.updated.push(KeyName::of(&changed));
            set.keys[position] = changed;
        }
        Ok(merged)
    })?;
    report(ctx, name, &merged)
}

/// Refuses a change that makes members contradict each other which did not before.
fn refuse_new_faults(before: &Key, after: &Key) -> Result<()> {
    let old = check::findings(before);
    let new = check::findings(after);
    let fault = new.iter().find(|finding| {
        finding.rule.severity() > Severity::Note
            && old.iter().all(|other| other.rule != finding.rule)
    });
    match fault {
        Some(Finding { rule, message }) => {
            let name = KeyName::of(before);
            let name = name.handle().unwrap_or("without a kid");
            Err(Error::invalid(format!("key {name:?}: {message} ({rule})")))
        }
        None => Ok(()),
    }
}

fn report(ctx: &Context, name: &SetName, merged: &Merged) -> Result<()> {
    if ctx.out.is_json() {
        return ctx.out.json(&Report {
            set: name.as_str(),
            added: json_names(&merged.added),
            updated: json_names(&merged.updated),
            skipped: json_names(&merged.skipped),
        });
    }
    let counts = [
        (merged.added.len(), "added"),
        (merged.updated.len(), "updated"),
        (merged.skipped.len(), "unchanged"),
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
    ctx.out.status(format!("set {name}: {words}"));
    let changed = merged
        .added
        .iter()
        .chain(&merged.updated)
        .chain(&merged.skipped);
    ctx.out.lines(changed.filter_map(KeyName::handle))
}
