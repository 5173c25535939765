//! `jwks list`: the sets, or the keys of one set.

use super::report::{count, plain_handle};
use super::select::FilterArgs;
use super::server::{RemoteArgs, set_name};
use super::time;
use crate::context::Context;
use crate::error::{Error, Result};
use crate::key::summary::{Header, Summary};
use crate::keyset::KeySet;
use crate::keyset::lifecycle::{self, State};
use crate::keystore::SetName;
use crate::output::{Narrow, Tone};
use crate::remote::Remote;
use crate::remote::kind::{Form, Listed};
use clap::{Args, ValueEnum};
use serde::Serialize;

const EXAMPLES: &str = "\
Examples:
  $ jwks list
  $ jwks list api
  $ jwks list api --state active --format names
  $ jwks list api --remote prod
  $ for set in $(jwks list --format names); do jwks check $set; done";

/// How a listing is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// A table for people
    Table,
    /// JSON, as with --json
    Json,
    /// One name a line, for loops
    Names,
}

/// List the sets, or the keys of a set
///
/// The state of a key follows from its dates: pending before nbf, active while it is the newest
/// of its line, retired when a newer one has begun, expired from exp on. A line is the keys with
/// the same use and algorithm, or the same type and curve where they name no algorithm. What breaks a rule is listed as invalid, what jwks does not know as
/// unsupported.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct ListArgs {
    /// The set; without it the sets are listed
    #[arg(value_name = "SET")]
    set: Option<String>,

    /// How to print; table by default, and json with --json whatever is said here
    #[arg(long, value_name = "FORMAT")]
    format: Option<Format>,

    #[command(flatten)]
    filter: FilterArgs,

    #[command(flatten)]
    remote: RemoteArgs,
}

/// Runs `jwks list`.
pub fn run(ctx: &Context, args: &ListArgs) -> Result<()> {
    let format = match ctx.out.is_json() {
        true => Format::Json,
        false => args.format.unwrap_or(Format::Table),
    };
    let remote = args.remote.open(ctx)?;
    match (&args.set, &remote) {
        (Some(_), Some(remote)) => {
            let name = set_name(remote, args.set.as_deref(), None)?;
            let set = remote.load(&name, Form::Private)?;
            let states = remote.kind.storage.states(&set, ctx.now);
            let dated = match remote.kind.storage.keeps("nbf") {
                true => Dated::Yes,
                false => Dated::No,
            };
            list_keys(ctx, args, &name, &set, &states, dated, format)
        }
        (Some(name), None) => {
            let name = SetName::new(name)?;
            let document = ctx.load(&name)?;
            let set = document.parse()?;
            let states = lifecycle::states(&set, ctx.now);
            list_keys(ctx, args, name.as_str(), &set, &states, Dated::Yes, format)
        }
        (None, _) if !args.filter.to_filter().is_empty() => {
            Err(Error::usage("filters are for the keys of a set").hint("name the set"))
        }
        (None, Some(remote)) => list_remote_sets(ctx, remote, format),
        (None, None) => list_sets(ctx, format),
    }
}

#[derive(Default, Serialize)]
struct SetRow {
    name: String,
    keys: usize,
    encrypted: bool,
    active: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_change: Option<i64>,
    /// Why the set cannot be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

fn list_sets(ctx: &Context, format: Format) -> Result<()> {
    let names = ctx.store.names()?;
    if format == Format::Names {
        return ctx.out.lines(names.iter().map(SetName::as_str));
    }
    let mut open = Vec::new();
    let rows = names.iter().map(|name| set_row(ctx, name, &mut open));
    let rows: Vec<_> = rows.collect();
    ctx.warn_open_directory();
    ctx.warn_open(&open);
    let damaged: Vec<_> = rows.iter().filter(|row| row.error.is_some()).collect();
    let failure = damaged.first().map(|row| {
        let error = row.error.as_deref().unwrap_or_default();
        Error::invalid(format!(
            "{} cannot be read: {error}",
            count(damaged.len(), "set")
        ))
        .hint("jwks leaves a damaged file as it is: restore it")
    });
    if format == Format::Table && rows.is_empty() {
        let directory = ctx.store.directory().display();
        ctx.out.status(format!(
            "no sets in {directory}; jwks create NAME makes one"
        ));
    } else {
        print_sets(ctx, &rows, format)?;
    }
    failure.map_or(Ok(()), Err)
}

fn print_sets(ctx: &Context, rows: &[SetRow], format: Format) -> Result<()> {
    if format == Format::Json {
        return ctx.out.json(&serde_json::json!({ "sets": rows }));
    }
    let header = ["SET", "KEYS", "ACTIVE", "NEXT CHANGE"];
    let cells = rows.iter().map(set_cells).collect();
    ctx.out.table(&header, cells, Narrow::CutFirst)
}

fn set_row(ctx: &Context, name: &SetName, open: &mut Vec<String>) -> SetRow {
    let mut read = || {
        let document = ctx.store.load(name)?;
        open.extend(
            document
                .is_open
                .then(|| document.path().display().to_string()),
        );
        let set = document.parse()?;
        let headers: Vec<_> = set.keys.iter().map(Header::of).collect();
        let states = lifecycle::states_of(&headers, ctx.now);
        Ok::<_, Error>(row_of(name.as_str(), &headers, &states, ctx.now))
    };
    read().unwrap_or_else(|error| SetRow {
        name: name.to_string(),
        error: Some(error.to_string()),
        ..SetRow::default()
    })
}

fn row_of(name: &str, headers: &[Header], states: &[State], now: i64) -> SetRow {
    let keys = headers.iter().zip(states);
    let active = keys.filter(|(_, state)| **state == State::Active);
    SetRow {
        name: name.to_owned(),
        keys: headers.len(),
        active: active
            .filter_map(|(header, _)| header.kid.as_deref().map(str::to_owned))
            .collect(),
        next_change: lifecycle::next_change(headers, now),
        ..SetRow::default()
    }
}

/// The sets of a server; where it tells its keys without giving them away, those.
fn list_remote_sets(ctx: &Context, remote: &Remote, format: Format) -> Result<()> {
    let names = remote.sets()?;
    if format == Format::Names {
        return ctx.out.lines(names);
    }
    if let ([name], Some(objects)) = (&names[..], remote.listed()?) {
        return list_objects(ctx, name, &objects, format);
    }
    let mut rows = Vec::new();
    for name in &names {
        let set = remote.load(name, Form::Private)?;
        let headers: Vec<_> = set.keys.iter().map(Header::of).collect();
        let states = remote.kind.storage.states(&set, ctx.now);
        rows.push(row_of(name, &headers, &states, ctx.now));
    }
    print_sets(ctx, &rows, format)
}

fn list_objects(ctx: &Context, name: &str, objects: &[Listed], format: Format) -> Result<()> {
    if format == Format::Json {
        let row = |object: &Listed| {
            serde_json::json!({
                "name": object.name, "source": object.source, "type": object.kind,
                "kid": object.kid,
            })
        };
        let keys: Vec<_> = objects.iter().map(row).collect();
        return ctx.out.json(&serde_json::json!({
            "sets": [{"name": name, "keys": keys.len(), "encrypted": false, "active": [], "objects": keys}],
        }));
    }
    if objects.is_empty() {
        ctx.out.status(format!("{name} has no keys"));
        return Ok(());
    }
    let cells = |object: &Listed| {
        let kid = object.kid.clone().unwrap_or_else(|| "-".into());
        let cells = [&object.name, &object.source, &object.kind, &kid];
        cells.map(|text| (text.clone(), Tone::Plain)).to_vec()
    };
    let rows = objects.iter().map(cells).collect();
    let header = ["NAME", "SOURCE", "TYPE", "KID"];
    ctx.out.table(&header, rows, Narrow::CutFirst)
}

fn set_cells(row: &SetRow) -> Vec<(String, Tone)> {
    let active = match (&row.error, &row.active[..]) {
        (Some(_), _) => ("damaged".into(), Tone::Bad),
        (None, []) => ("none".into(), Tone::Plain),
        (None, [kid]) => (kid.clone(), Tone::Good),
        (None, kids) => (count(kids.len(), "key"), Tone::Plain),
    };
    vec![
        (row.name.clone(), Tone::Plain),
        (row.keys.to_string(), Tone::Plain),
        active,
        (
            row.next_change.map_or_else(|| "-".into(), time::format),
            Tone::Plain,
        ),
    ]
}

#[derive(Serialize)]
struct KeyRow {
    #[serde(skip_serializing_if = "Option::is_none")]
    kid: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    kty: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    crv: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    size: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    alg: Option<String>,
    #[serde(rename = "use", skip_serializing_if = "Option::is_none")]
    usage: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    key_ops: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<&'static str>,
    private: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    thumbprint: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    iat: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    nbf: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    exp: Option<i64>,
    /// The rules of severity error that the key breaks.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    invalid: Vec<&'static str>,
    /// The kty or curve is not known.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    unsupported: bool,
}

/// Whether the dates of the keys are known. A server that drops them tells no more than which keys
/// sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Dated {
    Yes,
    No,
}

impl Dated {
    fn tell(self, state: State) -> Option<State> {
        (self == Dated::Yes || state == State::Active).then_some(state)
    }
}

fn list_keys(
    ctx: &Context,
    args: &ListArgs,
    name: &str,
    set: &KeySet,
    states: &[State],
    dated: Dated,
    format: Format,
) -> Result<()> {
    let positions = set.filter_by(&args.filter.to_filter(), states);
    let rows = positions
        .iter()
        .map(|i| (Summary::of(&set.keys[*i]), states[*i]));
    match format {
        Format::Names => {
            let handle = |(key, _): (Summary, State)| {
                plain_handle(key.kid.as_deref(), key.thumbprint.as_deref())
            };
            ctx.out.lines(rows.filter_map(handle))
        }
        Format::Json => {
            let rows: Vec<_> = rows
                .map(|(key, state)| key_row(key, dated.tell(state)))
                .collect();
            ctx.out
                .json(&serde_json::json!({ "set": name, "keys": rows }))
        }
        Format::Table => {
            let rows: Vec<_> = rows
                .map(|(key, state)| key_cells(ctx, &key, dated.tell(state)))
                .collect();
            if rows.is_empty() {
                let none = if set.keys.is_empty() {
                    "no keys"
                } else {
                    "no such keys"
                };
                ctx.out.status(format!("{none} in set {name}"));
                return Ok(());
            }
            let header = ["KID", "STATE", "ALG", "USE", "KEY", "NEXT CHANGE"];
            ctx.out.table(&header, rows, Narrow::CutFirst)
        }
    }
}

fn key_row(key: Summary, state: Option<State>) -> KeyRow {
    KeyRow {
        kid: key.kid,
        kty: key.kty,
        crv: key.crv,
        size: key.size,
        alg: key.alg,
        usage: key.usage,
        key_ops: key.key_ops,
        state: state.map(State::name),
        private: key.private,
        thumbprint: key.thumbprint,
        iat: key.iat,
        nbf: key.nbf,
        exp: key.exp,
        unsupported: !key.supported && key.invalid.is_empty(),
        invalid: key.invalid,
    }
}

fn key_cells(ctx: &Context, key: &Summary, state: Option<State>) -> Vec<(String, Tone)> {
    let dash = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".into());
    let shown_state = match (key.invalid.is_empty(), key.supported, state) {
        (false, ..) => ("invalid".into(), Tone::Bad),
        (true, false, _) => ("unsupported".into(), Tone::Warning),
        (.., Some(state)) => (state.name().to_owned(), tone(state)),
        (.., None) => ("-".into(), Tone::Plain),
    };
    let kind = match key.private || !key.supported {
        true => key.kind(),
        false => format!("{} public", key.kind()),
    };
    let next = [key.nbf, key.exp]
        .into_iter()
        .flatten()
        .filter(|date| *date > ctx.now)
        .min();
    vec![
        (dash(&key.kid), Tone::Plain),
        shown_state,
        (dash(&key.alg), Tone::Plain),
        (dash(&key.usage), Tone::Plain),
        (kind, Tone::Plain),
        (next.map_or_else(|| "-".into(), time::format), Tone::Plain),
    ]
}

fn tone(state: State) -> Tone {
    match state {
        State::Pending => Tone::Ahead,
        State::Active => Tone::Good,
        State::Retired => Tone::Faint,
        State::Expired => Tone::Bad,
    }
}
