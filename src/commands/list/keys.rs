//! `jwks list SET`: the keys of one set as a table, as JSON or by name.

use crate::commands::list::Format;
use crate::context::Context;
use crate::error::Result;
use crate::key::check::Budget;
use crate::key::parts::UNCONFIRMED;
use crate::key::summary::Summary;
use crate::keyset::KeySet;
use crate::keyset::lifecycle::State;
use crate::output::{Drop, Narrow, Tone};
use crate::report::names::{count, note_none, plain_handle};
use crate::time;
use serde::Serialize;

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
    /// The rules that make the key unusable.
    invalid: Vec<&'static str>,
    /// True if the kty or the curve is unknown.
    unsupported: bool,
}

/// Whether the dates of the keys are known. Their states follow from the dates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dated {
    /// The dates of the keys, which are known.
    Yes,
    /// The server, which does not store dates and only says which keys sign. All other states are
    /// unknown.
    No,
}

impl Dated {
    fn tell(self, state: Option<State>) -> Option<State> {
        state.filter(|state| self == Dated::Yes || *state == State::Active)
    }
}

/// The keys of a set that a listing is about.
pub(super) struct Listing<'a> {
    /// The name of the set.
    pub(super) name: &'a str,
    /// What to call the set in messages.
    pub(super) title: &'a str,
    /// The whole set.
    pub(super) set: &'a KeySet<'a>,
    /// The states of its keys, in the set's order.
    pub(super) states: &'a [Option<State>],
    /// The source of the states.
    pub(super) dated: Dated,
    /// The positions of the keys to show.
    pub(super) positions: Vec<usize>,
}

impl Listing<'_> {
    /// Prints a status line if there is no key to show. Returns true in that case.
    pub(super) fn says_none(&self, ctx: &Context) -> bool {
        if self.positions.is_empty() {
            note_none(ctx, self.title, self.set);
        }
        self.positions.is_empty()
    }

    /// The keys to show, with their states.
    pub(super) fn keys(&self, budget: &Budget) -> impl Iterator<Item = (Summary, Option<State>)> {
        let positions = self.positions.iter();
        positions.map(move |i| (Summary::of(&self.set.keys[*i], budget), self.states[*i]))
    }
}

/// The columns that a narrow terminal leaves out, in this order. Kids are kept whole, because other
/// commands take them as arguments. A thumbprint has 43 characters.
const DROPPED: Drop = Drop {
    order: &["USE", "KEY", "ALG", "NEXT CHANGE"],
    cut: 0,
    kept: 43,
};

/// Prints the keys of a set.
pub(super) fn list_keys(ctx: &Context, listing: &Listing, format: Format) -> Result<()> {
    let rows = listing.keys(&ctx.checks);
    let dated = listing.dated;
    match format {
        Format::Names => {
            let handle = |(key, _): (Summary, Option<State>)| {
                plain_handle(key.kid.as_deref(), key.public_thumbprint())
            };
            let (keys, names): (usize, Vec<_>) =
                (listing.positions.len(), rows.filter_map(handle).collect());
            if names.len() < keys {
                let missing = count(keys - names.len(), "key");
                ctx.out
                    .warn(format!("left out {missing} without a kid that is one word"));
            }
            ctx.out.lines(names)
        }
        Format::Json => {
            let rows: Vec<_> = rows
                .map(|(key, state)| key_row(key, dated.tell(state)))
                .collect();
            ctx.out
                .json(&serde_json::json!({ "set": listing.name, "keys": rows }))
        }
        Format::Table => {
            if listing.says_none(ctx) {
                return Ok(());
            }
            let rows = rows.map(|(key, state)| key_cells(ctx, &key, dated.tell(state)));
            let header = ["KID", "STATE", "ALG", "USE", "KEY", "NEXT CHANGE"];
            ctx.out
                .table(&header, rows.collect(), Narrow::Drop(DROPPED))
        }
    }
}

fn key_row(key: Summary, state: Option<State>) -> KeyRow {
    KeyRow {
        thumbprint: key.public_thumbprint().map(str::to_owned),
        kid: key.kid,
        kty: key.kty,
        crv: key.crv,
        size: key.size,
        alg: key.alg,
        usage: key.usage,
        key_ops: key.key_ops,
        state: state.map(State::name),
        private: key.private,
        iat: key.iat,
        nbf: key.nbf,
        exp: key.exp,
        unsupported: !key.supported && key.invalid.is_empty(),
        invalid: key.invalid,
    }
}

fn key_cells(ctx: &Context, key: &Summary, state: Option<State>) -> Vec<(String, Tone)> {
    let dash = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".into());
    let (shown, tone) = state_cell(key, state);
    let kind = if key.private || !key.supported {
        key.kind()
    } else {
        format!("{} public", key.kind())
    };
    let next = [key.nbf, key.exp]
        .into_iter()
        .flatten()
        .filter(|date| *date > ctx.now && *date < UNCONFIRMED)
        .min();
    vec![
        (dash(&key.kid), Tone::Plain),
        (shown.to_owned(), tone),
        (dash(&key.alg), Tone::Plain),
        (dash(&key.usage), Tone::Plain),
        (kind, Tone::Plain),
        (next.map_or_else(|| "-".into(), time::format), Tone::Plain),
    ]
}

/// Printed if the state of a key is not known.
pub(super) const NO_STATE: &str = "-";

/// Returns a one-word state of a key: `invalid` or `unsupported` if that applies, or else its state.
pub(super) fn state_cell(key: &Summary, state: Option<State>) -> (&'static str, Tone) {
    match (key.invalid.is_empty(), key.supported, state) {
        (false, ..) => ("invalid", Tone::Bad),
        (true, false, _) => ("unsupported", Tone::Warning),
        (.., Some(state)) => (state.name(), tone(state)),
        (.., None) => (NO_STATE, Tone::Plain),
    }
}

fn tone(state: State) -> Tone {
    match state {
        State::Pending => Tone::Ahead,
        State::Active => Tone::Good,
        State::Retired => Tone::Faint,
        State::Expired => Tone::Bad,
    }
}
