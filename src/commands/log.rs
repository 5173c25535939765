//! `jwks log`: shows the changes to keys.

use crate::args::connection::split_name;
use crate::context::Context;
use crate::error::{Error, Result};
use crate::keyset::key_name::quote;
use crate::keystore::SetName;
use crate::keystore::history::{Content, History};
use crate::keystore::log::{Change, Verb};
use crate::nearest::did_you_mean;
use crate::output::{Drop, Narrow, Tone, fit};
use crate::report::names::{count, list_names};
use crate::time;
use clap::Args;
use serde::Serialize;
use std::collections::{BTreeSet, HashMap};

/// The most changes that a table shows; the layout of a larger table takes long.
const MOST_ROWS: usize = 10_000;

const EXAMPLES: &str = "\
Examples:
  $ jwks log
  $ jwks log api --last 20
  $ jwks log --json";

/// Show the changes of keys, oldest first
///
/// The keystore's log has a line for each key that was created, added, updated, removed, or pushed to
/// a server. A command that prints or exports private keys first adds one line with all of their
/// kids. A command that signs adds a line with the number of tokens. Changes with --remote are logged, too. The log holds names and thumbprints, never
/// a secret, and no thumbprint of a symmetric key. It keeps the lines of deleted sets. The log is
/// not proof: anyone who can write to the keystore can change it.
///
/// The column CAN names the command that the history still allows: `jwks undo` for the last change of a
/// set, `jwks restore SET@TIME` to return to the state after a change.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct LogArgs {
    /// The set, or REMOTE:SET for a set of a server [default: all sets]
    #[arg(value_name = "SET")]
    set: Option<String>,

    /// Show only the last N changes
    #[arg(short = 'n', long, value_name = "N")]
    last: Option<usize>,
}

/// Runs `jwks log`.
pub fn run(ctx: &Context, args: &LogArgs) -> Result<()> {
    if args.last == Some(0) {
        return Err(Error::usage("--last 0 shows no changes")
            .hint("pass the number of changes to show, such as --last 20"));
    }
    let log = ctx.store.log()?;
    if log.is_open {
        ctx.warn_open(&[log.path.display().to_string()]);
    }
    if log.damaged > 0 {
        let lines = count(log.damaged, "damaged line");
        let path = log.path.display();
        ctx.out.warn(format!("{lines} in {path} left out"));
    }
    if log.is_cut {
        let path = log.path.display();
        ctx.out
            .warn(format!("{path} is large: only its last 16 MiB are read"));
    }
    let is_wanted = |change: &Change| {
        args.set
            .as_ref()
            .is_none_or(|set| *set == change.set_label())
    };
    let (changes, others): (Vec<_>, Vec<_>) = log.changes.into_iter().partition(is_wanted);
    let last = args.last.unwrap_or(changes.len());
    let changes = &changes[changes.len().saturating_sub(last)..];
    let mut marks = Marks::default();
    if ctx.out.is_json() {
        let entry = |change| Entry::of(ctx, change, marks.of(ctx, change));
        let changes = changes.iter().map(entry).collect();
        return ctx.out.json(&Report { changes });
    }
    if changes.is_empty() {
        say_none(ctx, args.set.as_deref(), &others);
        return Ok(());
    }
    let shown = &changes[changes.len().saturating_sub(MOST_ROWS)..];
    if shown.len() < changes.len() {
        let number = shown.len();
        ctx.out.warn(format!(
            "only the last {number} changes are shown; --json prints all"
        ));
    }
    print(ctx, shown, &mut marks)
}

/// The JSON output. A `serde_json::Value` would take many times the memory of a large log.
#[derive(Serialize)]
struct Report<'a> {
    changes: Vec<Entry<'a>>,
}

/// Says that there are no changes, and which set was probably meant.
fn say_none(ctx: &Context, set: Option<&str>, others: &[Change]) {
    let Some(set) = set else {
        return ctx.out.status("no changes in the log");
    };
    let labels: BTreeSet<_> = others.iter().map(Change::set_label).collect();
    let labels: Vec<_> = labels.into_iter().collect();
    let meant = did_you_mean(set, &labels).map(|meant| format!("; {meant}"));
    let meant = meant.unwrap_or_default();
    ctx.out
        .status(format!("no changes of set {set} in the log{meant}"));
}

/// A change in JSON output.
#[derive(Serialize)]
struct Entry<'a> {
    /// In seconds since 1970; absent if the line has no valid time.
    #[serde(skip_serializing_if = "Option::is_none")]
    time: Option<i64>,
    verb: Verb,
    set: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    kid: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    thumbprint: Option<&'a str>,
    kids: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    remote: Option<&'a str>,
    /// The name of the set on the server, if `set` is in the keystore.
    #[serde(skip_serializing_if = "Option::is_none")]
    remote_set: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<&'a str>,
    /// `undo` for the last change of a set, `restore` if the set can become what that change made.
    #[serde(skip_serializing_if = "Option::is_none")]
    can: Option<&'static str>,
}

impl<'a> Entry<'a> {
    fn of(ctx: &Context, change: &'a Change, can: Option<&'static str>) -> Self {
        let (remote, remote_set) = match &change.remote {
            Some(remote) => {
                let (remote, set) = split_name(remote);
                (Some(remote), set)
            }
            None => (None, None),
        };
        Entry {
            time: time::parse(&change.time, ctx.now).ok(),
            verb: change.verb,
            set: &change.set,
            kid: change.kid.as_deref(),
            thumbprint: change.thumbprint.as_deref(),
            kids: &change.kids,
            version: change.version,
            remote,
            remote_set,
            note: change.note.as_deref(),
            can,
        }
    }
}

/// The histories of the sets that the log names.
#[derive(Default)]
struct Marks(HashMap<String, Marked>);

/// A history, and the number of the change that `jwks undo` undoes.
#[derive(Default)]
struct Marked {
    history: History,
    last: Option<u64>,
}

impl Marks {
    /// Returns the command that restores the state after a change, or before it.
    fn of(&mut self, ctx: &Context, change: &Change) -> Option<&'static str> {
        let number = change.version?;
        let name = SetName::new(&change.set).ok()?;
        let read = || -> Result<Marked> {
            let history = ctx.store.history(&name)?;
            let last = ctx.store.last_version(&name, &history)?;
            let last = last.map(|version| version.number);
            Ok(Marked { history, last })
        };
        let read = || {
            let marked = read().inspect_err(|error| {
                ctx.out
                    .warn(format!("cannot read the history of set {name}: {error}"));
            });
            marked.unwrap_or_default()
        };
        let Marked { history, last } = self.0.entry(change.set.clone()).or_insert_with(read);
        let time = time::parse(&change.time, ctx.now).ok()?;
        // The numbers begin again after a history was deleted.
        let mut versions = history.versions.iter();
        if *last == Some(number) {
            let is_it = versions.any(|version| {
                version.number == number
                    && version.until == time
                    && version.content != Content::Damaged
            });
            return is_it.then_some("undo");
        }
        let next = versions.find(|version| version.number > number)?;
        let is_it = history.at(time) == Some(next) && next.holds_set();
        is_it.then_some("restore")
    }
}

fn print(ctx: &Context, changes: &[Change], marks: &mut Marks) -> Result<()> {
    let marks: Vec<_> = changes.iter().map(|change| marks.of(ctx, change)).collect();
    let has_marks = marks.iter().any(Option::is_some);
    let is_terminal = ctx.out.is_terminal();
    let is_narrow = is_terminal && ctx.out.width() < 80;
    let is_tiny = is_terminal && ctx.out.width() < 60;
    let mut header = vec!["TIME", "VERB", "SET", "KID"];
    if has_marks {
        header.push("CAN");
    }
    let columns = header.len();
    if changes.iter().any(|change| more(change).is_some()) {
        header.push("MORE");
    }
    let rows = changes.iter().zip(marks).map(|(change, mark)| {
        let text = |text: Option<String>| (text.unwrap_or_else(|| "-".into()), Tone::Plain);
        let (mut time, mut set) = (change.time.clone(), change.set_label().into_owned());
        if is_narrow {
            set = fit(&set, if is_tiny { 8 } else { 12 });
        }
        if is_tiny {
            time = time.chars().take(DATE).collect();
        }
        let mut row = vec![
            (time, Tone::Plain),
            (change.verb.name().to_owned(), tone(change.verb)),
            (set, Tone::Plain),
            text(key(change)),
        ];
        if has_marks {
            row.push(text(mark.map(str::to_owned)));
        }
        if header.len() > columns {
            row.push(text(more(change)));
        }
        row
    });
    let narrow = if is_narrow {
        Narrow::Drop(DROPPED)
    } else {
        Narrow::WrapLast
    };
    ctx.out.table(&header, rows.collect(), narrow)
}

/// The columns that a narrow terminal leaves out, in this order, before kids are cut.
const DROPPED: Drop = Drop {
    order: &["MORE", "CAN"],
    cut: 3,
    kept: 12,
};

/// The length of a date without the time of day.
const DATE: usize = "2026-12-31".len();

/// The key of a change, or the number of its keys.
fn key(change: &Change) -> Option<String> {
    match change.kids.len() {
        0 => change.kid.clone().or_else(|| change.thumbprint.clone()),
        number => Some(count(number, "key")),
    }
}

/// Joins the server, the note and the names of several keys; `None` if there are none of them.
fn more(change: &Change) -> Option<String> {
    let kids: Vec<_> = change.kids.iter().map(|kid| quote(kid)).collect();
    let kids = (!kids.is_empty()).then(|| list_names(&kids));
    // The column SET has the remote of a server's set.
    let remote = change
        .remote
        .clone()
        .filter(|_| change.set_label() == change.set);
    let more = [remote, change.note.clone(), kids];
    let more: Vec<_> = more.into_iter().flatten().collect();
    (!more.is_empty()).then(|| more.join(", "))
}

fn tone(verb: Verb) -> Tone {
    match verb {
        Verb::Created | Verb::Added | Verb::Activated => Tone::Good,
        Verb::Staged => Tone::Ahead,
        Verb::Updated | Verb::Pushed => Tone::Plain,
        Verb::Retired => Tone::Faint,
        Verb::Exported | Verb::Signed => Tone::Warning,
        Verb::Removed => Tone::Bad,
    }
}
