//! Tables, and what happens to them on a terminal that is too narrow.

use super::{Output, Tone, columns, escape, shorten};
use crate::error::Result;
use comfy_table::{Attribute, Cell, ColumnConstraint, ContentArrangement, Row, Table};

/// What gives way if a table is wider than the terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Narrow {
    /// The first column is cut, so that every row stays on one line.
    CutFirst,
    /// Columns are left out, and one is cut, so that every row stays on one line.
    Drop(Drop),
    /// The last column goes on over several lines.
    WrapLast,
}

/// How a table gets narrower.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Drop {
    /// The columns that are left out one by one, until the table fits.
    pub order: &'static [&'static str],
    /// The position of the column that is then cut. It stands before those that are left out.
    pub cut: usize,
    /// The width that this column, or another wide one, has at least while columns can be left out.
    pub kept: usize,
}

/// The most characters of a table cell: laying out a kid of many MiB would take seconds.
const LONGEST_CELL: usize = 64 << 10;

/// The widest content, in columns of a terminal, for which a table column keeps its full width.
const SHORT: u16 = 24;

/// The space between two columns.
const GAP: usize = 2;

/// Makes a row that is never higher than one line.
fn one_line(cells: Vec<Cell>) -> Row {
    let mut row = Row::from(cells);
    row.max_height(1);
    row
}

type Rows = Vec<Vec<(String, Tone)>>;

impl Output {
    /// Writes a table to standard output, no wider than a terminal.
    pub fn table(&self, header: &[&str], rows: Rows, narrow: Narrow) -> Result<()> {
        let (header, rows) = match narrow {
            Narrow::Drop(drop) => self.narrowed(header, rows, drop),
            _ => (header.to_vec(), rows),
        };
        let flexible = match narrow {
            Narrow::CutFirst => 0,
            Narrow::Drop(Drop { cut, .. }) => cut,
            Narrow::WrapLast => header.len().saturating_sub(1),
        };
        let heading = |text: &&str| {
            let cell = Cell::new(*text);
            if self.color {
                cell.add_attribute(Attribute::Bold)
            } else {
                cell
            }
        };
        let mut table = Table::new();
        table
            .load_style(comfy_table::presets::NOTHING)
            .set_content_arrangement(ContentArrangement::Dynamic)
            .set_truncation_indicator("…")
            .set_header(one_line(header.iter().map(heading).collect()));
        for row in rows {
            let cells = row.into_iter().map(|(text, tone)| {
                let cell = Cell::new(escape(&shorten(&text, LONGEST_CELL)));
                match tone.color().filter(|_| self.color) {
                    Some(color) => cell.fg(color),
                    None => cell,
                }
            });
            let cells = cells.collect();
            table.add_row(match narrow {
                Narrow::WrapLast => Row::from(cells),
                Narrow::CutFirst | Narrow::Drop(_) => one_line(cells),
            });
        }
        if self.color {
            table.enforce_styling();
        }
        // A terminal that does not know its width says 0.
        if table.width() == Some(0) {
            table.set_width(80);
        }
        // Where there is a terminal's width to keep to, short columns keep theirs; the flexible one
        // and long ones share what is left.
        let widths = if table.is_tty() {
            table.column_max_content_widths()
        } else {
            Vec::new()
        };
        for (i, column) in table.column_iter_mut().enumerate() {
            column.set_padding((0, GAP as u16));
            if i != flexible && widths.get(i).is_some_and(|width| *width <= SHORT) {
                column.set_constraint(ColumnConstraint::ContentWidth);
            }
        }
        let lines = table.lines().map(|line| line.trim_end().to_owned() + "\n");
        self.octets(lines.collect::<String>().as_bytes())
    }

    /// Leaves columns out in this order, until the table fits the terminal.
    fn narrowed<'h>(&self, header: &[&'h str], rows: Rows, drop: Drop) -> (Vec<&'h str>, Rows) {
        let (mut header, mut rows) = (header.to_vec(), rows);
        if !self.is_terminal() {
            return (header, rows);
        }
        for name in drop.order {
            let width = |i: usize| {
                let cells = rows
                    .iter()
                    .map(|row| columns(&shorten(&row[i].0, LONGEST_CELL)));
                let widest = cells.chain([header[i].len()]).max().unwrap_or_default();
                if i == drop.cut || widest > SHORT.into() {
                    widest.min(drop.kept)
                } else {
                    widest
                }
            };
            let total: usize = (0..header.len()).map(|i| width(i) + GAP).sum();
            if total - GAP <= self.width() {
                break;
            }
            if let Some(place) = header.iter().position(|column| column == name) {
                header.remove(place);
                for row in &mut rows {
                    row.remove(place);
                }
            }
        }
        (header, rows)
    }
}
