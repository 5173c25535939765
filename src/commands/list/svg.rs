//! The timeline as a self-contained SVG, in colors that are readable on white and on black backgrounds.

use crate::commands::list::picture::{Picture, Row};
use crate::commands::list::time_axis::ticks;
use crate::commands::shared::output_file::{refuse_in_keystore, temporary_name};
use crate::context::Context;
use crate::error::{Error, Result};
use crate::files::{self, Access, Existing};
use crate::keyset::timeline::{Phase, Stretch, Window};
use crate::output::{escape, fit};
use crate::time;
use std::fs;
use std::io::Read as _;
use std::path::Path;
use svg::Document;
use svg::node::element::{Group, Line, Path as Shape, Rectangle, Text, Title};

// Lengths are in user units of the SVG, which are pixels if it is not scaled.
const WIDTH: f64 = 900.0;
const MARGIN: f64 = 16.0;
/// The x coordinates of the states and of the bars.
const STATES: f64 = 216.0;
const BARS: f64 = 312.0;
const BARS_END: f64 = WIDTH - 44.0;
const ROW: f64 = 26.0;
const BAR: f64 = 14.0;
const FONT: f64 = 13.0;
/// The distance from the middle of a row down to the baseline of its text.
const BASELINE: f64 = 4.5;

/// The maximum length of a name in columns, so that it ends before the states.
const NAME: usize = 20;

/// The number of text columns for dates on the axis.
const AXIS: usize = 72;

/// A gray of medium lightness, readable on light and dark backgrounds.
const INK: &str = "#767b83";
const RULE: &str = "#9a9fa7";
const NOW: &str = "#d9534f";

/// The class of the root element, which identifies an earlier timeline.
const CLASS: &str = "jwks-timeline";

fn color(phase: Phase) -> &'static str {
    match phase {
        Phase::Published => "#3b82c4",
        Phase::Signing => "#2f9e58",
        Phase::Retired => "#8b9098",
    }
}

fn meaning(phase: Phase) -> &'static str {
    match phase {
        Phase::Published => "pending: published, not yet signing",
        Phase::Signing => "active: signing",
        Phase::Retired => "retired: still published",
    }
}

/// Replaces the characters that XML forbids. The SVG library escapes markup.
fn plain(text: &str) -> String {
    escape(text).replace(['\u{fffe}', '\u{ffff}'], "\u{fffd}")
}

fn text(x: f64, y: f64, content: &str) -> Text {
    Text::new(plain(content)).set("x", x).set("y", y)
}

fn line(x1: f64, y1: f64, x2: f64, y2: f64, color: &str) -> Line {
    let line = Line::new().set("x1", x1).set("y1", y1);
    line.set("x2", x2).set("y2", y2).set("stroke", color)
}

/// Rounds a length to tenths, which keeps the file small.
fn rounded(length: f64) -> f64 {
    (length * 10.0).round() / 10.0
}

fn place(window: Window, moment: i64) -> f64 {
    rounded(BARS + window.fraction(moment) * (BARS_END - BARS))
}

/// Returns a part of a bar. Its shape tells the phase without colors: an outline before the key signs,
/// a full bar while it signs, and a thin line afterwards.
fn block(phase: Phase, x: f64, width: f64, middle: f64) -> Rectangle {
    let color = color(phase);
    let (height, inset) = match phase {
        Phase::Published => (BAR - 1.5, 0.75),
        Phase::Signing => (BAR, 0.0),
        Phase::Retired => (4.0, 0.0),
    };
    let block = Rectangle::new()
        .set("x", rounded(x + inset))
        .set("y", rounded(middle - height / 2.0))
        .set("width", rounded((width - 2.0 * inset).max(1.0)))
        .set("height", height);
    match phase {
        Phase::Published => block
            .set("fill", color)
            .set("fill-opacity", 0.15)
            .set("stroke", color)
            .set("stroke-width", 1.5),
        _ => block.set("fill", color),
    }
}

/// Returns an arrow at the edge of a bar. `direction` is 1 for an arrow to the right, and -1 for one to
/// the left.
fn arrow(x: f64, middle: f64, direction: f64, color: &str) -> Shape {
    let tip = x + direction * 8.0;
    let (top, bottom) = (middle - 6.0, middle + 6.0);
    Shape::new()
        .set("d", format!("M{x} {top}L{tip} {middle}L{x} {bottom}Z"))
        .set("fill", color)
}

fn bar(window: Window, phases: &[Stretch], middle: f64) -> Group {
    let mut bar = Group::new();
    for stretch in phases {
        let from = stretch.from.unwrap_or(window.from);
        let to = stretch.to.unwrap_or(window.to);
        if to > window.from && from < window.to {
            let (start, end) = (place(window, from), place(window, to));
            bar = bar.add(block(stretch.phase, start, (end - start).max(2.0), middle));
        }
    }
    if let Some(first) = phases.first().filter(|s| window.cuts_beginning(s.from)) {
        bar = bar.add(arrow(BARS - 2.0, middle, -1.0, color(first.phase)));
    }
    if let Some(last) = phases.last().filter(|s| window.cuts_end(s.to)) {
        bar = bar.add(arrow(BARS_END + 2.0, middle, 1.0, color(last.phase)));
    }
    bar
}

fn row(window: Window, row: &Row, y: f64, indent: f64) -> Group {
    let middle = y + ROW / 2.0;
    let baseline = middle + BASELINE;
    Group::new()
        .add(Title::new(plain(row.name())))
        .add(text(MARGIN + indent, baseline, &fit(row.name(), NAME)))
        .add(text(STATES, baseline, row.state.0))
        .add(bar(window, &row.phases, middle))
}

fn legend(y: f64) -> Group {
    let mut legend = Group::new();
    let mut x = MARGIN;
    for phase in [Phase::Published, Phase::Signing, Phase::Retired] {
        let words = text(x + 34.0, y + BASELINE, meaning(phase));
        legend = legend.add(block(phase, x, 26.0, y)).add(words);
        // The SVG does not know the width of text, so it is estimated from the number of bytes.
        x += 34.0 + meaning(phase).len() as f64 * 6.6 + 24.0;
    }
    legend
        .add(arrow(x, y, 1.0, INK))
        .add(text(x + 16.0, y + BASELINE, "continues"))
}

/// Returns the whole SVG.
fn document(picture: &Picture) -> Document {
    let window = picture.window;
    let title = format!("The keys of {}", picture.title);
    let mut y = 2.0 * ROW + MARGIN;
    let top = y;
    let mut rows = Group::new();
    let mut heading = None;
    let indent = if picture.has_lines() { 12.0 } else { 0.0 };
    for key in &picture.rows {
        if picture.has_lines() && heading != Some(&key.line) {
            let words = text(MARGIN, y + ROW / 2.0 + BASELINE, &fit(&key.line, 2 * NAME));
            rows = rows.add(words.set("font-weight", "bold"));
            heading = Some(&key.line);
            y += ROW;
        }
        rows = rows.add(row(window, key, y, indent));
        y += ROW;
    }
    let bottom = y + 4.0;
    let mut axis = Group::new().set("text-anchor", "middle");
    for tick in ticks(window, AXIS) {
        let x = place(window, tick.at);
        let grid = line(x, top, x, bottom + 5.0, RULE).set("stroke-opacity", 0.45);
        axis = axis.add(grid).add(text(x, bottom + 20.0, &tick.label));
    }
    axis = axis.add(line(BARS, bottom, BARS_END, bottom, RULE));
    let x = place(window, picture.now);
    // The file is read later, so it names the time that was current when it was written.
    let moment = time::format(picture.now);
    let today = moment.split('T').next().unwrap_or_default();
    let now = Group::new()
        .add(line(x, top - 2.0, x, bottom, NOW).set("stroke-width", 2))
        .add(
            text(x, top - 8.0, &format!("now, {today}"))
                .set("text-anchor", "middle")
                .set("fill", NOW),
        );
    let height = bottom + 68.0;
    Document::new()
        .set("class", CLASS)
        .set("role", "img")
        .set("width", WIDTH)
        .set("height", height)
        .set("viewBox", (0, 0, WIDTH, height))
        .set("font-family", "sans-serif")
        .set("font-size", FONT)
        .set("fill", INK)
        .add(Title::new(plain(&title)))
        .add(
            text(MARGIN, MARGIN + FONT, &title)
                .set("font-size", 16)
                .set("font-weight", "bold"),
        )
        .add(axis)
        .add(text(MARGIN, bottom + 20.0, "UTC"))
        .add(rows)
        .add(now)
        .add(legend(bottom + 48.0))
}

/// Writes the timeline to an SVG file, or to standard output for `-`. Returns an error if the file
/// exists and is not an earlier timeline, unless `force` is true.
pub(super) fn write(ctx: &Context, picture: &Picture, path: &Path, force: bool) -> Result<()> {
    let svg = document(picture).to_string() + "\n";
    if path.as_os_str() == "-" {
        return ctx.out.octets(svg.as_bytes());
    }
    refuse_in_keystore(ctx, path)?;
    if !force && !may_be_overwritten(path) {
        return Err(
            Error::refused(format!("{} exists and is not a timeline", path.display()))
                .hint("choose another file, or overwrite it with --force"),
        );
    }
    let temporary = temporary_name(path);
    let octets = svg.as_bytes();
    files::write(path, octets, Access::Shared, Existing::Replace, &temporary)??;
    ctx.out.status(format!("wrote {}", path.display()));
    Ok(())
}

/// Returns true if the file does not exist, or is an earlier timeline.
fn may_be_overwritten(path: &Path) -> bool {
    match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.is_file() => {}
        // The file does not exist, or it is not a regular file, which the write refuses anyway.
        _ => return true,
    }
    let mut beginning = Vec::new();
    let read =
        files::open_to_read(path).and_then(|file| file.take(200).read_to_end(&mut beginning));
    let beginning = String::from_utf8_lossy(&beginning);
    read.is_ok() && beginning.starts_with(&format!("<svg class=\"{CLASS}\""))
}
