//! What became of the points that were tried.

use std::collections::BTreeMap;
use std::io::Write;

use super::home::Tried;
use super::points::{How, Point};

/// Failures that are shown in full.
const SHOWN: usize = 8;

/// What became of all points.
#[derive(Default)]
pub(crate) struct Report {
    pub(crate) reached: usize,
    /// Of these, calls in a checkpoint's batch.
    pub(crate) in_batches: usize,
    kinds: BTreeMap<(String, How), [usize; 3]>,
    pub(crate) failures: Vec<String>,
}

impl Report {
    pub(crate) fn add(&mut self, point: Point, tried: anyhow::Result<Tried>) {
        let counts = self.kinds.entry((point.call.clone(), point.how)).or_default();
        match tried {
            Ok(Tried::NotReached) => counts[2] += 1,
            Ok(Tried::WentOn) => counts[0] += 1,
            Ok(Tried::Stopped { in_batch }) => {
                counts[1] += 1;
                self.in_batches += usize::from(in_batch);
            }
            Err(error) => self.failures.push(format!("{point}: {error:#}")),
        }
        self.reached = self.kinds.values().map(|[on, stopped, _]| on + stopped).sum();
    }

    /// Not captured: the figures belong to the test's log.
    pub(crate) fn print(&self, all: usize, seed: u64) -> anyhow::Result<()> {
        let mut out = std::io::stderr();
        for failure in self.failures.iter().take(SHOWN) {
            writeln!(out, "!! {failure}\n")?;
        }
        let Report { reached, in_batches, .. } = self;
        writeln!(
            out,
            "failing calls: {reached} of {all} points, {in_batches} in a checkpoint's batch, seed \
             {seed}"
        )?;
        for ((call, how), [on, stopped, not_reached]) in &self.kinds {
            writeln!(
                out,
                "  {call:16} {how:8} {on:5} went on {stopped:5} stopped {not_reached:5} not reached",
                how = how.to_string()
            )?;
        }
        if !self.failures.is_empty() {
            let points: Vec<_> =
                self.failures.iter().filter_map(|f| f.split(": ").next()).collect();
            writeln!(out, "failed ({}):\n  {}", points.len(), points.join("\n  "))?;
            writeln!(out, "again: ENDWISE_FAULTS_SEED={seed} cargo test -p endwise-test-faults")?;
        }
        Ok(())
    }
}
