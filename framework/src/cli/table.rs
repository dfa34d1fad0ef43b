//! Tables in plain text, for 80 columns.

use super::print::{HEAD, styled};
use super::words::cut;

/// A column: its head, the most characters it may have, and on which side its text stands.
#[derive(Clone, Copy, Debug)]
pub(super) struct Column {
    pub(super) head: &'static str,
    pub(super) width_max: usize,
    pub(super) side: Side,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Left,
    Right,
}

/// Rows below their heads, each with lines of its own below it, if it has some.
#[derive(Debug)]
pub(super) struct Table<const N: usize> {
    columns: [Column; N],
    rows: Vec<([String; N], Vec<String>)>,
}

/// Between two columns.
const GAP: &str = "  ";

impl<const N: usize> Table<N> {
    pub(super) fn new(columns: [Column; N]) -> Self {
        Table { columns, rows: Vec::new() }
    }

    /// Adds a row. What is too wide for its column is cut.
    pub(super) fn row(&mut self, cells: [String; N], below: impl IntoIterator<Item = String>) {
        let mut widths = self.columns.iter().map(|column| column.width_max);
        let cells = cells.map(|cell| cut(&cell, widths.next().unwrap_or(0)));
        self.rows.push((cells, below.into_iter().collect()));
    }

    /// The table, a line a row.
    pub(super) fn lines(&self) -> Vec<String> {
        let heads = self.columns.map(|column| column.head.to_owned());
        let mut widths = [0; N];
        for cells in self.rows.iter().map(|(cells, _)| cells).chain([&heads]) {
            for (width, cell) in widths.iter_mut().zip(cells) {
                *width = cell.chars().count().max(*width);
            }
        }
        let mut lines = vec![styled(HEAD, &self.line(&heads, &widths))];
        for (cells, below) in &self.rows {
            lines.push(self.line(cells, &widths));
            lines.extend(below.clone());
        }
        lines
    }

    fn line(&self, cells: &[String; N], widths: &[usize; N]) -> String {
        let padded =
            cells.iter().zip(widths).zip(&self.columns).map(|((cell, width), column)| match column
                .side
            {
                Side::Left => format!("{cell:<width$}"),
                Side::Right => format!("{cell:>width$}"),
            });
        padded.collect::<Vec<_>>().join(GAP).trim_end().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_they_need_and_may() {
        let column = |head, width_max, side| Column { head, width_max, side };
        let mut table = Table::new([column("N", 4, Side::Right), column("KEY", 5, Side::Left)]);
        table.row(["12".into(), "ada".into()], Some("   why".into()));
        table.row(["3".into(), "a\nlong one".into()], None);
        let lines = table.lines();
        assert_eq!(lines[1..], ["12  ada", "   why", " 3  a\\nl…"]);
        assert!(lines[0].contains(" N  KEY"));
    }
}
