//! The sets of the keystore or of a server, as a table or as JSON.

use crate::args::schedule::next_rotation;
use crate::commands::list::Format;
use crate::context::Context;
use crate::error::{Error, ErrorKind, Reason, Result};
use crate::key::header::Header;
use crate::keyset::KeySet;
use crate::keyset::lifecycle::{self, State};
use crate::keystore::{Schedules, SetName, Stored};
use crate::output::{Drop, JsonError, Narrow, Tone};
use crate::remote::Remote;
use crate::remote::kind::{Form, Listed};
use crate::report::json::JsonKeyName;
use crate::report::names::count;
use crate::time;
use serde::{Serialize, Serializer};
use serde_json::Value;

#[derive(Default, Serialize)]
struct SetRow {
    set: String,
    /// The number of keys; `None` for an encrypted set without a public part.
    #[serde(skip_serializing_if = "Option::is_none")]
    key_count: Option<usize>,
    encrypted: bool,
    active: Vec<JsonKeyName<'static>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_change: Option<i64>,
    /// The options that `rotate --save` keeps for the set.
    #[serde(skip_serializing_if = "Option::is_none")]
    schedule: Option<Value>,
    /// Why the set cannot be read.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "as_json")]
    error: Option<Error>,
}

fn as_json<S: Serializer>(error: &Option<Error>, serializer: S) -> Result<S::Ok, S::Error> {
    error.as_ref().map(JsonError::from).serialize(serializer)
}

/// Prints the sets of the keystore.
pub(super) fn list_sets(ctx: &Context, format: Format) -> Result<()> {
    let names = ctx.store.names()?;
    if format == Format::Names {
        ctx.out.lines(names.iter().map(SetName::as_str))?;
        return refuse_plain(ctx, &names);
    }
    let mut open = Vec::new();
    let schedules = ctx.store.schedules().unwrap_or_else(|error| {
        ctx.out.warn(format!("cannot read the schedules: {error}"));
        Schedules::new()
    });
    let rows = names
        .iter()
        .map(|name| set_row(ctx, name, &schedules, &mut open));
    let rows: Vec<_> = rows.collect();
    ctx.warn_open_directory();
    ctx.warn_open(&open);
    let plain = rows.iter();
    let plain = plain.filter(|row| !row.encrypted && row.error.is_none());
    let plain: Vec<_> = plain.map(|row| row.set.as_str()).collect();
    let accepted = ctx.accept_plain(&plain);
    if format == Format::Table && rows.is_empty() {
        let directory = ctx.store.directory().display();
        ctx.out.status(format!(
            "no sets in {directory}; run `jwks create SET` to create one"
        ));
    } else {
        print_sets(ctx, &rows, format)?;
    }
    unreadable(&rows).and(accepted)
}

/// Refuses plain sets of which only the names were listed, if encryption is required.
fn refuse_plain(ctx: &Context, names: &[SetName]) -> Result<()> {
    if ctx.require_encrypted.is_none() {
        return Ok(());
    }
    let is_plain = |name: &&SetName| matches!(ctx.store.load(name), Ok(Stored::Plain(_)));
    let plain: Vec<_> = names.iter().filter(is_plain).map(SetName::as_str).collect();
    ctx.accept_plain(&plain)
}

/// Returns an error if some sets cannot be read. A damaged set decides the exit code before others.
fn unreadable(rows: &[SetRow]) -> Result<()> {
    let errors: Vec<_> = rows.iter().filter_map(|row| row.error.as_ref()).collect();
    let damaged = errors.iter().find(|error| is_damage(error));
    let Some(error) = damaged.or(errors.first()) else {
        return Ok(());
    };
    let number = count(errors.len(), "set");
    let unreadable = Error::of(error.kind(), format!("{number} cannot be read: {error}"));
    Err(match error.advice() {
        Some(advice) => unreadable.hint(advice),
        None => unreadable,
    })
}

/// Returns true if a file was read, but its content is invalid.
fn is_damage(error: &Error) -> bool {
    error.kind() == ErrorKind::Invalid
}

fn print_sets(ctx: &Context, rows: &[SetRow], format: Format) -> Result<()> {
    if format == Format::Json {
        return ctx.out.json(&serde_json::json!({ "sets": rows }));
    }
    let are_some_encrypted = rows.iter().any(|row| row.encrypted);
    let mut header = vec!["SET", "KEYS", "ACTIVE", "NEXT CHANGE"];
    header.extend(are_some_encrypted.then_some("ENCRYPTED"));
    let cells = rows.iter();
    let cells = cells.map(|row| set_cells(row, are_some_encrypted, ctx.now));
    let cells = cells.collect();
    ctx.out.table(&header, cells, Narrow::Drop(DROPPED))
}

/// The columns that a narrow terminal leaves out, in this order.
const DROPPED: Drop = Drop {
    order: &["ENCRYPTED", "NEXT CHANGE", "KEYS"],
    cut: 0,
    kept: 12,
};

fn set_row(ctx: &Context, name: &SetName, schedules: &Schedules, open: &mut Vec<String>) -> SetRow {
    let mut read = || {
        let stored = ctx.store.load(name)?;
        let encrypted = matches!(stored, Stored::Encrypted(_));
        let Some(document) = stored.known() else {
            // Another tool wrote this JWE. It has no public part, so the number of keys is unknown
            // until it is decrypted.
            return Ok(SetRow {
                set: name.to_string(),
                encrypted,
                ..SetRow::default()
            });
        };
        open.extend(
            document
                .is_open
                .then(|| document.path().display().to_string()),
        );
        let set = document.parse()?;
        let states = lifecycle::states(&set, ctx.now);
        let mut row = row_of(name.as_str(), &set, &states, ctx.now);
        row.encrypted = encrypted;
        if let Some(schedule) = schedules.get(name.as_str()) {
            row.schedule = Some(schedule.clone());
            match next_rotation(&ctx.store, name, &set, schedules, ctx.now) {
                Ok(next) => row.next_change = next,
                Err(error) => ctx
                    .out
                    .warn(format!("set {name} cannot be rotated: {error}")),
            }
        }
        Ok::<_, Error>(row)
    };
    read().unwrap_or_else(|error| SetRow {
        set: name.to_string(),
        error: Some(error),
        ..SetRow::default()
    })
}

fn row_of(name: &str, set: &KeySet, states: &[Option<State>], now: i64) -> SetRow {
    let headers: Vec<_> = set.keys.iter().map(Header::of).collect();
    let keys = set.keys.iter().zip(states);
    let active = keys.filter(|(_, state)| **state == Some(State::Active));
    SetRow {
        set: name.to_owned(),
        key_count: Some(set.keys.len()),
        active: active.map(|(key, _)| key.into()).collect(),
        next_change: lifecycle::next_change(&headers, now),
        ..SetRow::default()
    }
}

/// Prints the sets of a server. If a server with a single set can list its keys without key material,
/// prints that list.
pub(super) fn list_remote_sets(ctx: &Context, remote: &Remote, format: Format) -> Result<()> {
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
        let states = remote.kind.rules.states(&set, ctx.now);
        rows.push(row_of(name, &set, &states, ctx.now));
    }
    print_sets(ctx, &rows, format)
}

fn list_objects(ctx: &Context, name: &str, objects: &[Listed], format: Format) -> Result<()> {
    if format == Format::Json {
        let row = |object: &Listed| {
            let mut row = serde_json::json!({
                "name": object.name, "source": object.source, "type": object.kind,
            });
            if let Some(kid) = &object.kid {
                row["kid"] = kid.as_str().into();
            }
            row
        };
        let keys: Vec<_> = objects.iter().map(row).collect();
        return ctx.out.json(&serde_json::json!({
            "sets": [{"set": name, "key_count": keys.len(), "encrypted": false, "active": [], "objects": keys}],
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

fn set_cells(row: &SetRow, are_some_encrypted: bool, now: i64) -> Vec<(String, Tone)> {
    let active = match (&row.error, &row.active[..]) {
        (Some(error), _) if is_damage(error) => ("damaged".into(), Tone::Bad),
        (Some(error), _) if error.is_because(Reason::Permission) => {
            ("no permission".into(), Tone::Bad)
        }
        (Some(_), _) => ("unreadable".into(), Tone::Bad),
        (None, []) if row.key_count.is_none() => ("?".into(), Tone::Plain),
        (None, []) => ("none".into(), Tone::Plain),
        (None, [key]) => (key.handle().unwrap_or("-").to_owned(), Tone::Good),
        (None, keys) => (count(keys.len(), "key"), Tone::Plain),
    };
    let next = match row.next_change {
        None => ("-".into(), Tone::Plain),
        Some(next) if next <= now => ("due".into(), Tone::Warning),
        Some(next) => (time::format(next), Tone::Plain),
    };
    let keys = row.key_count.map_or("?".into(), |keys| keys.to_string());
    let mut cells = vec![
        (row.set.clone(), Tone::Plain),
        (keys, Tone::Plain),
        active,
        next,
    ];
    if are_some_encrypted {
        let encrypted = if row.encrypted { "yes" } else { "-" };
        cells.push((encrypted.into(), Tone::Plain));
    }
    cells
}
