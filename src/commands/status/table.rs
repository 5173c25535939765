//! Prints the status of sets as tables: the lines, then targets and addresses, then problems.

use crate::commands::status::delivered::{Address, Failed, Target};
use crate::commands::status::lines::Line;
use crate::commands::status::set::SetStatus;
use crate::context::Context;
use crate::error::Result;
use crate::output::{Drop, Narrow, Tone};
use crate::time;

/// The columns that a narrow terminal leaves out, in this order.
const LINES: Drop = Drop {
    order: &["LINE", "NEXT CHANGE", "AGE"],
    cut: 1,
    kept: 12,
};

/// The columns of targets that a narrow terminal leaves out, in this order.
const TARGETS: Drop = Drop {
    order: &["LAST SUCCESS"],
    cut: 1,
    kept: 24,
};

type Cells = Vec<(String, Tone)>;

pub(super) fn print(ctx: &Context, sets: &[SetStatus]) -> Result<()> {
    if sets.is_empty() {
        return Ok(());
    }
    let lines = sets.iter().flat_map(|set| set_cells(set, ctx.now));
    let header = ["SET", "SIGNER", "LINE", "AGE", "NEXT CHANGE"];
    ctx.out
        .table(&header, lines.collect(), Narrow::Drop(LINES))?;
    let targets: Vec<_> = sets.iter().flat_map(delivery_cells).collect();
    if !targets.is_empty() {
        ctx.out.lines([""])?;
        let header = ["SET", "TARGET", "LAST SUCCESS", "STATE"];
        ctx.out.table(&header, targets, Narrow::Drop(TARGETS))?;
    }
    let problems: Vec<_> = sets.iter().flat_map(problem_cells).collect();
    if !problems.is_empty() {
        ctx.out.lines([""])?;
        let header = ["SET", "PROBLEM", "WHAT"];
        ctx.out.table(&header, problems, Narrow::WrapLast)?;
    }
    Ok(())
}

fn set_cells(set: &SetStatus, now: i64) -> Vec<Cells> {
    let next = match set.next_change {
        _ if set.overdue => ("overdue".into(), Tone::Bad),
        _ if set.due => ("due".into(), Tone::Warning),
        None => ("-".into(), Tone::Plain),
        Some(next) => (time::format(next), Tone::Plain),
    };
    let row = |signer: (String, Tone), line: String, age: String| {
        vec![
            (set.set.clone(), Tone::Plain),
            signer,
            (line, Tone::Plain),
            (age, Tone::Plain),
            next.clone(),
        ]
    };
    if set.error.is_some() {
        let unreadable = ("unreadable".into(), Tone::Bad);
        return vec![row(unreadable, "-".into(), "-".into())];
    }
    if set.lines.is_empty() {
        return vec![row(("-".into(), Tone::Plain), "-".into(), "-".into())];
    }
    let lines = set.lines.iter();
    lines
        .map(|line| row(signer(line), line.line.clone(), age(line, now)))
        .collect()
}

fn signer(line: &Line) -> (String, Tone) {
    match &line.signer {
        Some(key) => (key.handle().unwrap_or("-").to_owned(), Tone::Good),
        None => ("none".into(), Tone::Warning),
    }
}

/// Returns how long the key signs, in its largest units.
fn age(line: &Line, now: i64) -> String {
    const MINUTE: i64 = 60;
    const HOUR: i64 = 60 * MINUTE;
    const DAY: i64 = 24 * HOUR;
    let Some(since) = line.since else {
        return "-".into();
    };
    let age = now.saturating_sub(since).max(0);
    let unit = match age {
        DAY.. => DAY,
        HOUR.. => HOUR,
        MINUTE.. => MINUTE,
        _ => 1,
    };
    time::format_duration(age / unit * unit)
}

fn delivery_cells(set: &SetStatus) -> Vec<Cells> {
    let row = |name: &str, last: Option<i64>, state: (String, Tone)| {
        let last = last.map_or("never".into(), time::format);
        vec![
            (set.set.clone(), Tone::Plain),
            (name.to_owned(), Tone::Plain),
            (last, Tone::Plain),
            state,
        ]
    };
    let targets = set.targets.iter();
    let targets = targets.map(|target| row(&target.target, target.delivered, target_state(target)));
    let addresses = set.published.iter();
    let addresses = addresses.map(|it| row(&it.address, it.read, address_state(it, set)));
    targets.chain(addresses).collect()
}

fn failed(failed: &Failed) -> (String, Tone) {
    let since = time::format(failed.failed_since);
    (format!("failing since {since}"), Tone::Bad)
}

fn target_state(target: &Target) -> (String, Tone) {
    match (&target.failure, target.delivered) {
        (Some(failure), _) => failed(failure),
        (None, Some(_)) => ("ok".into(), Tone::Good),
        (None, None) => ("-".into(), Tone::Plain),
    }
}

/// Returns the state of an address, with its cache lifetime and the publish delay.
fn address_state(address: &Address, set: &SetStatus) -> (String, Tone) {
    if let Some(failure) = &address.failure {
        return failed(failure);
    }
    if address.read.is_none() {
        return ("-".into(), Tone::Plain);
    }
    let delay = set.publish_delay.unwrap_or(0);
    let max_age = address.max_age.and_then(|time| i64::try_from(time).ok());
    match max_age {
        Some(max_age) => {
            let tone = if max_age > delay {
                Tone::Bad
            } else {
                Tone::Good
            };
            let (age, delay) = (time::format_duration(max_age), time::format_duration(delay));
            (format!("max-age {age}, delay {delay}"), tone)
        }
        None => ("no max-age".into(), Tone::Plain),
    }
}

fn problem_cells(set: &SetStatus) -> Vec<Cells> {
    let problems = set.problems.iter().map(|problem| {
        vec![
            (set.set.clone(), Tone::Plain),
            (problem.kind.name().into(), Tone::Bad),
            (problem.message.clone(), Tone::Plain),
        ]
    });
    problems.collect()
}
