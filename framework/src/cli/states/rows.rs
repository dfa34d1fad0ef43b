//! Lists of states, for 80 columns.

use super::super::print::{BAD, styled};
use super::super::table::{Column, Side, Table};
use super::super::words::{bytes, cut};
use crate::raw_states::{RawEntry, StateName};

const fn column(head: &'static str, width_max: usize, side: Side) -> Column {
    Column { head, width_max, side }
}

/// The names of states.
pub(super) fn names(names: &[StateName], _now_ms: u64) -> Vec<String> {
    let mut table =
        Table::new([column("STATE", 60, Side::Left), column("TYPE VERSION", 12, Side::Right)]);
    for name in names {
        let version = name.type_version.map(|version| version.to_string());
        table.row([name.name.to_string(), version.unwrap_or_default()], None);
    }
    table.lines()
}

/// The keys that have a state; below one, why it cannot be read.
pub(super) fn keys(entries: &[RawEntry], _now_ms: u64) -> Vec<String> {
    let mut table = Table::new([
        column("KEY", 50, Side::Left),
        column("TYPE VERSION", 12, Side::Right),
        column("SIZE", 10, Side::Right),
    ]);
    for entry in entries {
        let below = entry.problem.as_deref();
        let below = below.map(|problem| styled(BAD, &format!("      {}", cut(problem, 74))));
        let cells = [entry.key.to_string(), entry.type_version.to_string(), bytes(entry.bytes)];
        table.row(cells, below);
    }
    table.lines()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_of_long_things_fits_80_columns() {
        let long = "x".repeat(400);
        let name = StateName { name: long.as_str().into(), type_version: Some(4_000_000_000) };
        let entry = RawEntry {
            key: long.as_str().into(),
            type_version: 4_000_000_000,
            bytes: 1_048_575,
            problem: Some(long),
        };
        for line in names(&[name], 0).iter().chain(&keys(&[entry], 0)) {
            let plain = anstream::adapter::strip_str(line).to_string();
            assert!(plain.chars().count() <= 80, "{plain}");
        }
    }
}
