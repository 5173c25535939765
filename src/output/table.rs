//! Writes tables, and fits them to narrow terminals.

use super::{Output, Tone, columns, escape, shorten};
use crate::error::Result;
use comfy_table::{Attribute, Cell, ColumnConstraint, ContentArrangement, Row, Table};

/// What happens if a table is wider than the terminal.
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

/// The maximum number of characters in a cell. The layout of a kid of several MiB would take seconds.
const LONGEST_CELL: usize = 64 << 10;

/// The widest content, in columns of a terminal, for which a table column keeps its full width.
const SHORT: u16 = 24;

/// The number of spaces between two columns.
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
        // A terminal of unknown width reports 0 columns.
        if table.width() == Some(0) {
            table.set_width(80);
        }
        // On a terminal, short columns keep their full width. The flexible column and long columns
        // share the rest.
        let widths = if table.is_tty() {
            table.column_max_content_widths()
        } else {
            Vec::new()
        };
        for (i, column) in table.column_iter_mut().enumerate() {
            let gap = if i + 1 < header.len() { GAP } else { 0 };
            column.set_padding((0, gap as u16));
            if i != flexible && widths.get(i).is_some_and(|width| *width <= SHORT) {
                column.set_constraint(ColumnConstraint::ContentWidth);
            }
        }
        let lines = table.lines().map(|line| line.trim_end().to_owned() + "\n");
        self.octets(lines.collect::<String>().as_bytes())
    }

    /// Leaves out columns in the given order, until the table fits the terminal. A column that fits
    /// after all, because a wider one is left out after it, stays.
    fn narrowed<'h>(&self, header: &[&'h str], rows: Rows, drop: Drop) -> (Vec<&'h str>, Rows) {
        if !self.is_terminal() {
            return (header.to_vec(), rows);
        }
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
        let widths: Vec<usize> = (0..header.len()).map(width).collect();
        let shown = shown(header, &widths, drop.order, self.width());
        let narrow_row = |row: Vec<_>| {
            let cells = row.into_iter().zip(&shown);
            cells.filter(|(_, shown)| **shown).map(|(cell, _)| cell)
        };
        let rows = rows.into_iter().map(|row| narrow_row(row).collect());
        let header = header.iter().zip(&shown).filter(|(_, shown)| **shown);
        (header.map(|(name, _)| *name).collect(), rows.collect())
    }
}

/// Returns which columns fit into `room`, the width of the terminal.
fn shown(header: &[&str], widths: &[usize], order: &[&str], room: usize) -> Vec<bool> {
    let mut shown = vec![true; header.len()];
    let fits = |shown: &[bool]| {
        let widths = widths.iter().zip(shown).filter(|(_, shown)| **shown);
        let total: usize = widths.map(|(width, _)| width + GAP).sum();
        total <= room + GAP
    };
    let places = order
        .iter()
        .filter_map(|name| header.iter().position(|column| column == name));
    let mut left_out = Vec::new();
    for place in places {
        if fits(&shown) {
            break;
        }
        shown[place] = false;
        left_out.push(place);
    }
    for place in left_out.into_iter().rev() {
        shown[place] = true;
        shown[place] = fits(&shown);
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_column_is_left_out_that_fits() {
        let header = ["KID", "STATE", "ALG", "USE", "KEY", "NEXT CHANGE"];
        let widths = [10, 7, 5, 3, 8, 20];
        let order = ["USE", "KEY", "ALG", "NEXT CHANGE"];
        let names = |room: usize| {
            let shown = shown(&header, &widths, &order, room);
            let names = header.iter().zip(shown).filter(|(_, shown)| *shown);
            names.map(|(name, _)| *name).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(names(63), "KID STATE ALG USE KEY NEXT CHANGE");
        assert_eq!(names(62), "KID STATE ALG KEY NEXT CHANGE");
        assert_eq!(names(57), "KID STATE ALG USE NEXT CHANGE");
        assert_eq!(names(47), "KID STATE USE NEXT CHANGE");
        assert_eq!(names(45), "KID STATE NEXT CHANGE");
        assert_eq!(names(40), "KID STATE ALG KEY");
        assert_eq!(names(5), "KID STATE");
    }
}
