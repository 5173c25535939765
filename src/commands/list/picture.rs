//! The data of a timeline, for the text and for the SVG.

use crate::commands::list::keys::{Listing, state_cell};
use crate::error::{Error, Result};
use crate::key::check::Budget;
use crate::key::header::Header;
use crate::keyset::lifecycle::{State, can_sign};
use crate::keyset::timeline::lifetimes;
use crate::keyset::timeline::{Phase, Stretch, Window};
use crate::output::Tone;
use crate::report::names::count;
use serde_json::{Value, json};

/// The maximum number of keys that are drawn. Nobody reads a longer timeline.
const MOST_DRAWN: usize = 500;

/// The maximum number of keys of a set with a timeline. The work grows with the square of their number.
const MOST_KEYS: usize = 2000;

/// The keys of a set, and the periods in which each of them is published, signs and is retired.
pub(super) struct Picture<'a> {
    /// The name of the set or file.
    pub(super) set: &'a str,
    /// What to call it in a title, such as `set api`.
    pub(super) title: &'a str,
    /// The current time, in seconds since 1970.
    pub(super) now: i64,
    /// The period that the timeline shows.
    pub(super) window: Window,
    /// The keys, grouped by line. Within a line, they are in the order in which they begin.
    pub(super) rows: Vec<Row>,
}

/// One key of a timeline.
pub(super) struct Row {
    kid: Option<String>,
    thumbprint: Option<String>,
    /// The state now, as the table of `jwks list` shows it.
    pub(super) state: (&'static str, Tone),
    /// The state now; `None` if it is not known.
    known_state: Option<State>,
    /// The name of the key's line, such as `sig ES256`.
    pub(super) line: String,
    /// The periods of its life, in order.
    pub(super) phases: Vec<Stretch>,
}

impl Row {
    /// Returns the kid, or `-` if the key has none.
    pub(super) fn name(&self) -> &str {
        self.kid.as_deref().unwrap_or("-")
    }
}

impl<'a> Picture<'a> {
    /// Returns the timeline of the listed keys. The other keys of the set count, too, when states are
    /// computed. Returns an error if there are too many keys.
    pub(super) fn of(listing: &Listing<'a>, now: i64, budget: &Budget) -> Result<Picture<'a>> {
        let (drawn, all) = (listing.positions.len(), listing.set.keys.len());
        if drawn > MOST_DRAWN {
            let asked = count(drawn, "key");
            return Err(Error::refused(format!(
                "a timeline shows at most {MOST_DRAWN} keys, not {asked}"
            ))
            .hint("select keys with --state, --use, --alg or --kty"));
        }
        if all > MOST_KEYS {
            let message = format!("a timeline requires a set of at most {MOST_KEYS} keys");
            return Err(Error::refused(message).hint(format!(
                "{} has {all} keys; `jwks delete SET --expired` deletes the expired keys of a set",
                listing.title
            )));
        }
        let headers: Vec<_> = listing.set.keys.iter().map(Header::of).collect();
        let can_sign: Vec<_> = listing.set.keys.iter().map(can_sign).collect();
        let lives = lifetimes(&headers, now, |position| can_sign[position]);
        let window = Window::of(listing.positions.iter().map(|i| &lives[*i]), now);
        let keys = listing.positions.iter().zip(listing.keys(budget));
        let rows = keys.map(|(i, (key, state))| Row {
            state: state_cell(&key, state),
            known_state: state,
            thumbprint: key.public_thumbprint().map(str::to_owned),
            kid: key.kid,
            line: lives[*i].line.clone(),
            phases: lives[*i].phases.clone(),
        });
        Ok(Picture {
            set: listing.name,
            title: listing.title,
            now,
            window,
            rows: by_line(rows.collect()),
        })
    }

    /// Returns true if the keys belong to more than one line.
    pub(super) fn has_lines(&self) -> bool {
        self.rows
            .windows(2)
            .any(|pair| pair[0].line != pair[1].line)
    }

    /// Returns the timeline as JSON, with times in seconds since 1970.
    pub(super) fn to_json(&self) -> Value {
        let keys: Vec<_> = self.rows.iter().map(row_json).collect();
        json!({
            "set": self.set, "now": self.now, "from": self.window.from, "to": self.window.to,
            "keys": keys,
        })
    }
}

/// Sorts the keys by line, in the order of each line's first key in the set, and then by their
/// beginning.
fn by_line(mut rows: Vec<Row>) -> Vec<Row> {
    let mut lines: Vec<String> = Vec::new();
    for row in &rows {
        if !lines.contains(&row.line) {
            lines.push(row.line.clone());
        }
    }
    rows.sort_by_key(|row| {
        let line = lines.iter().position(|line| *line == row.line);
        let begins = row.phases.first().map(|stretch| stretch.from);
        let signs = row.phases.iter().find(|s| s.phase == Phase::Signing);
        // A key that expired before it was made has no phases and comes last.
        (
            line,
            begins.is_none(),
            begins,
            signs.map(|stretch| stretch.from),
        )
    });
    rows
}

fn row_json(row: &Row) -> Value {
    let mut key = json!({});
    for (name, value) in [("kid", &row.kid), ("thumbprint", &row.thumbprint)] {
        if let Some(value) = value {
            key[name] = value.as_str().into();
        }
    }
    key["line"] = row.line.as_str().into();
    if let Some(state) = row.known_state {
        key["state"] = state.name().into();
    }
    let phase = |stretch: &Stretch| {
        let mut phase = json!({ "phase": stretch.phase.name() });
        for (name, date) in [("from", stretch.from), ("to", stretch.to)] {
            if let Some(date) = date {
                phase[name] = date.into();
            }
        }
        phase
    };
    key["phases"] = row.phases.iter().map(phase).collect();
    key
}
