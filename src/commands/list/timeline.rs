//! The timeline as text: a row for each key. Its characters are readable without colors.

use crate::commands::list::picture::{Picture, Row};
use crate::commands::list::time_axis::ticks;
use crate::context::Context;
use crate::error::Result;
use crate::keyset::timeline::{Phase, Stretch, Window};
use crate::output::{Tone, columns, fit};

/// One line of text: its pieces, each with a color.
type Line = Vec<(String, Tone)>;

/// The phases by increasing importance. If two phases fall into one cell, the later one in this list is
/// shown.
const PHASES: [Phase; 3] = [Phase::Retired, Phase::Published, Phase::Signing];

/// The mark of the current time, in all rows.
const NOW: char = '│';

/// The minimum number of cells of a bar, even on a narrow terminal.
const FEWEST_CELLS: usize = 16;

fn mark(phase: Phase) -> (char, Tone) {
    match phase {
        Phase::Published => ('░', Tone::Ahead),
        Phase::Signing => ('█', Tone::Good),
        Phase::Retired => ('─', Tone::Faint),
    }
}

fn meaning(phase: Phase) -> &'static str {
    match phase {
        Phase::Published => "pending, published",
        Phase::Signing => "active, signing",
        Phase::Retired => "retired, still published",
    }
}

/// The positions in a line, in columns of the terminal.
struct Layout {
    /// The indentation of a key's name.
    indent: usize,
    name: usize,
    state: usize,
    /// The width of a bar.
    cells: usize,
    /// The cell of the current time within a bar.
    now: usize,
}

impl Layout {
    fn of(picture: &Picture, width: usize) -> Layout {
        let widest = |of: fn(&Row) -> &str, heading: &str| {
            let widths = picture.rows.iter().map(|row| columns(of(row)));
            widths.max().unwrap_or(0).max(columns(heading))
        };
        let indent = if picture.has_lines() { 2 } else { 0 };
        let name = widest(Row::name, "KID").min(width / 4);
        let state = widest(|row| row.state.0, "STATE");
        let left = indent + name + 2 + state + 2;
        let cells = width.saturating_sub(left).max(FEWEST_CELLS);
        let now = picture.window.place(picture.now, cells);
        Layout {
            indent,
            name,
            state,
            cells,
            now,
        }
    }

    /// Returns the number of columns before the bars.
    fn left(&self) -> usize {
        self.indent + self.name + 2 + self.state + 2
    }

    /// Returns the names of the columns, with `now` above the mark of the current time.
    fn heading(&self) -> Line {
        let (indent, name, state) = (self.indent, self.name + 2, self.state + 2);
        let left = format!("{:indent$}{:name$}{:state$}", "", "KID", "STATE");
        let label = "now";
        let middle = self.now.saturating_sub(label.len() / 2);
        let gap = middle.min(self.cells.saturating_sub(label.len()));
        vec![(format!("{left}{:gap$}{label}", ""), Tone::Plain)]
    }

    /// Returns the heading of a line of keys, with the mark of the current time.
    fn line_heading(&self, line: &str) -> Line {
        let place = self.left() + self.now;
        let text = padded(&fit(line, self.left().saturating_sub(2)), place);
        vec![(format!("{text}{NOW}"), Tone::Plain)]
    }

    fn row(&self, window: Window, row: &Row) -> Line {
        let name = padded(&fit(row.name(), self.name), self.name + 2);
        let (state, tone) = row.state;
        let mut line = vec![
            (format!("{:1$}{name}", "", self.indent), Tone::Plain),
            (state.to_owned(), tone),
            (" ".repeat(self.state + 2 - state.len()), Tone::Plain),
        ];
        let mut cells = bar(window, &row.phases, self.cells);
        cells[self.now] = (NOW, Tone::Plain);
        while cells.last().is_some_and(|(c, _)| *c == ' ') {
            cells.pop();
        }
        for pieces in cells.chunk_by(|one, next| one.1 == next.1) {
            line.push((pieces.iter().map(|(c, _)| c).collect(), pieces[0].1));
        }
        line
    }

    /// Returns the axis, and the line with its dates.
    fn axis(&self, window: Window) -> [Line; 2] {
        let left = self.left();
        let mut axis = vec!['─'; self.cells];
        let mut labels: Vec<char> = "UTC".chars().collect();
        labels.resize(left + self.cells, ' ');
        let mut free = "UTC ".len();
        for tick in ticks(window, self.cells) {
            let cell = window.place(tick.at, self.cells).min(self.cells - 1);
            axis[cell] = '┬';
            let length = tick.label.len();
            let middle = (left + cell).saturating_sub(length / 2);
            let start = middle.min(left + self.cells - length);
            if start >= free {
                for (place, c) in labels[start..].iter_mut().zip(tick.label.chars()) {
                    *place = c;
                }
                free = start + length + 1;
            }
        }
        axis[self.now] = match axis[self.now] {
            '┬' => '┼',
            _ => '┴',
        };
        let axis: String = axis.into_iter().collect();
        let labels: String = labels.into_iter().collect();
        [
            vec![(" ".repeat(left) + &axis, Tone::Plain)],
            vec![(labels.trim_end().to_owned(), Tone::Plain)],
        ]
    }
}

/// Pads a text with spaces to a width in columns.
fn padded(text: &str, width: usize) -> String {
    let missing = width.saturating_sub(columns(text));
    format!("{text}{:missing$}", "")
}

/// Returns the cells of a bar. Each phase in the window gets at least one cell. An arrow marks a phase
/// that continues beyond an edge.
fn bar(window: Window, phases: &[Stretch], length: usize) -> Vec<(char, Tone)> {
    let mut cells = vec![(' ', Tone::Plain); length];
    for kind in PHASES {
        for stretch in phases.iter().filter(|stretch| stretch.phase == kind) {
            let from = stretch.from.unwrap_or(window.from);
            let to = stretch.to.unwrap_or(window.to);
            if to > window.from && from < window.to {
                let first = window.place(from, length).min(length - 1);
                let end = window.place(to, length).max(first + 1);
                cells[first..end].fill(mark(kind));
            }
        }
    }
    let (first, last) = (phases.first(), phases.last());
    if let Some(first) = first.filter(|first| window.cuts_beginning(first.from)) {
        let blank = cells[0].0 == ' ';
        cells[0] = (
            '<',
            if blank {
                mark(first.phase).1
            } else {
                cells[0].1
            },
        );
    }
    if let Some(last) = last.filter(|last| window.cuts_end(last.to)) {
        let end = &mut cells[length - 1];
        let blank = end.0 == ' ';
        *end = ('>', if blank { mark(last.phase).1 } else { end.1 });
    }
    cells
}

/// Explains the characters that occur in the timeline.
fn legend(picture: &Picture, width: usize) -> Vec<Line> {
    let rows = || picture.rows.iter();
    let mut items: Vec<(String, Tone, &str)> = Vec::new();
    for phase in [Phase::Published, Phase::Signing, Phase::Retired] {
        let is_there = |row: &Row| row.phases.iter().any(|stretch| stretch.phase == phase);
        if rows().any(is_there) {
            let (mark, tone) = mark(phase);
            items.push((mark.to_string(), tone, meaning(phase)));
        }
    }
    let window = picture.window;
    let left = rows().filter_map(|row| row.phases.first());
    let right = rows().filter_map(|row| row.phases.last());
    let arrows = match (
        left.map(|s| s.from).any(|from| window.cuts_beginning(from)),
        right.map(|s| s.to).any(|to| window.cuts_end(to)),
    ) {
        (true, true) => "< >",
        (true, false) => "<",
        (false, true) => ">",
        (false, false) => "",
    };
    if !arrows.is_empty() {
        items.push((arrows.to_owned(), Tone::Plain, "continues"));
    }
    let mut lines: Vec<Line> = Vec::new();
    let mut used = 0;
    for (mark, tone, meaning) in items {
        let needed = columns(&mark) + 1 + columns(meaning);
        if let Some(line) = lines.last_mut().filter(|_| used + 2 + needed <= width) {
            line.push(("  ".to_owned(), Tone::Plain));
            used += 2;
        } else {
            lines.push(Vec::new());
            used = 0;
        }
        used += needed;
        if let Some(line) = lines.last_mut() {
            line.extend([(mark, tone), (format!(" {meaning}"), Tone::Plain)]);
        }
    }
    lines
}

/// Prints the timeline, no wider than the terminal.
pub(super) fn draw(ctx: &Context, picture: &Picture) -> Result<()> {
    let width = ctx.out.width();
    let layout = Layout::of(picture, width);
    let mut lines = vec![layout.heading()];
    let mut line = None;
    for row in &picture.rows {
        if picture.has_lines() && line != Some(&row.line) {
            lines.push(layout.line_heading(&row.line));
            line = Some(&row.line);
        }
        lines.push(layout.row(picture.window, row));
    }
    lines.extend(layout.axis(picture.window));
    lines.push(Vec::new());
    lines.extend(legend(picture, width));
    ctx.out.painted(&lines)
}
