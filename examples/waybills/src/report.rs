//! What a person sees: a bar while it runs, a table at the end.

use std::time::Duration;

use comfy_table::{CellAlignment, Table, presets::UTF8_BORDERS_ONLY};
use framework::Running;
use indicatif::{ProgressBar, ProgressStyle};

use crate::audit::Audit;
use crate::latency::{Latency, Measured};

/// The bar, moved by what billing has handled. On a stream that is no terminal it is silent.
pub(crate) struct Progress(ProgressBar);

impl Progress {
    pub(crate) fn new(total: Option<u64>) -> Self {
        let bar = total.map_or_else(ProgressBar::no_length, ProgressBar::new);
        let style = "{bar:40} {pos}/{len} billed  {per_sec}  {elapsed}";
        Progress(bar.with_style(
            ProgressStyle::with_template(style).unwrap_or_else(|_| ProgressStyle::default_bar()),
        ))
    }

    /// Shows how far billing is.
    pub(crate) fn show(&self, running: &Running, before: u64) {
        let billing = running.service("billing").map(|billing| billing.counts());
        let handled = billing.and_then(|counts| counts.handled().find(|(name, _)| *name == "bill"));
        self.0.set_position(before + handled.map_or(0, |(_, count)| count));
    }

    pub(crate) fn finish(&self) {
        self.0.finish_and_clear();
    }
}

/// The table at the end.
pub(crate) struct Report<'a> {
    pub(crate) running: &'a Running,
    pub(crate) latency: &'a Latency,
    pub(crate) took: Duration,
    /// How much of that changes came as fast as they were taken.
    pub(crate) loaded_for: Duration,
    pub(crate) invalid: u64,
    pub(crate) audit: &'a Audit,
}

fn both(measured: &Measured) -> String {
    let ms = |part| Some(format!("{:.1} ms", measured.at(part)?.as_secs_f64() * 1000.0));
    let ms = |part| ms(part).unwrap_or_else(|| "-".to_owned());
    format!("{} / {}", ms(0.5), ms(0.99))
}

impl Report<'_> {
    pub(crate) fn print(&self) {
        println!("{}", self.table());
        let Audit { accepted, billed, waybills, findings, .. } = self.audit;
        if self.audit.holds() {
            println!(
                "Audit of the stored data: all {accepted} accepted changes of {waybills} waybills were billed once, each waybill's in order."
            );
        } else {
            println!("Audit of the stored data FAILED: {accepted} accepted, {billed} billed.");
            findings.iter().for_each(|finding| println!("  {finding}"));
        }
    }

    fn table(&self) -> Table {
        let mut table = Table::new();
        table.load_preset(UTF8_BORDERS_ONLY);
        let mut row = |name: &str, value: String| {
            table.add_row([name.to_owned(), value]);
        };
        row("accepted", self.audit.accepted.to_string());
        if self.invalid > 0 {
            row("invalid lines", self.invalid.to_string());
        }
        let (mut handled, mut duplicates) = (0, 0);
        for service in self.running.services() {
            for (handler, count) in service.counts().handled() {
                row(&format!("handled: {} {handler}", service.name()), count.to_string());
                handled += count;
            }
            duplicates += service.counts().duplicates();
        }
        row("duplicates suppressed", duplicates.to_string());
        // Each change is three messages.
        let under_load = handled - handled.min(3 * self.latency.alone.count());
        row(
            "messages handled a second, under load",
            format!("{:.0}", under_load as f64 / self.loaded_for.as_secs_f64()),
        );
        row("time", format!("{:.2} s", self.took.as_secs_f64()));
        let Latency { alone, under_load, .. } = self.latency;
        for (name, measured) in [("one at a time", alone), ("under load", under_load)] {
            row(&format!("latency p50 / p99, {name}"), both(measured));
        }
        if let Some(column) = table.column_mut(1) {
            column.set_cell_alignment(CellAlignment::Right);
        }
        table
    }
}
