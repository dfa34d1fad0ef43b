//! The audit: computed from what the two services have stored, from nothing that was counted while
//! they ran.

use std::io::Write;
use std::path::Path;
use std::pin::pin;

use anyhow::Context;
use framework::{Running, Service};
use futures::stream::TryStreamExt;
use serde::Serialize;
use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::billing::{Account, Bill};
use crate::shipping::Waybill;

/// What the audit found.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Audit {
    /// Changes that shipping has accepted: positions that its store gave on the topic.
    pub(crate) accepted: u64,
    /// Changes on bills.
    pub(crate) billed: u64,
    pub(crate) waybills: u64,
    /// What does not fit, in words; the first few.
    pub(crate) findings: Vec<String>,
    findings_count: u64,
}

/// How many findings are told one by one.
const FINDINGS_MAX: usize = 10;

impl Audit {
    /// Whether every accepted change was billed once and in order.
    pub(crate) fn holds(&self) -> bool {
        self.findings_count == 0
    }

    fn find(&mut self, finding: String) {
        self.findings_count += 1;
        if self.findings.len() < FINDINGS_MAX {
            self.findings.push(finding);
        }
    }
}

/// A hash over statuses in order: equal histories have equal chains.
pub(crate) fn chain(before: u64, status: &str) -> u64 {
    xxh3_64_with_seed(status.as_bytes(), before)
}

/// How many changes are on bills.
pub(crate) async fn billed(running: &Running) -> anyhow::Result<u64> {
    let (_, billing) = services(running)?;
    let lines = |sum, (_, bill): (_, Bill)| async move { Ok(sum + bill.statuses.len() as u64) };
    Ok(billing.states::<Bill>().try_fold(0, lines).await?)
}

/// Compares what shipping has accepted with what billing has billed, waybill by waybill.
pub(crate) async fn audit(running: &Running) -> anyhow::Result<Audit> {
    let (shipping, billing) = services(running)?;
    let mut audit = Audit::default();
    let sent = shipping.sent().await?;
    audit.accepted = sent.iter().find(|(topic, _)| &**topic == "waybills").map_or(0, |(_, n)| *n);

    let mut moves = 0;
    let mut waybills = pin!(shipping.states::<Waybill>());
    let mut bills = pin!(billing.states::<Bill>());
    let mut accounts = pin!(billing.states::<Account>());
    while let Some((key, waybill)) = waybills.try_next().await? {
        audit.waybills += 1;
        moves += waybill.moves;
        // All three are in key order, and have the same keys unless something is wrong.
        let (bill, account) = (bills.try_next().await?, accounts.try_next().await?);
        let (Some((of, bill)), Some((also_of, account))) = (bill, account) else {
            audit.find(format!("waybill {key} has no bill or no account"));
            continue;
        };
        if of != key || also_of != key {
            audit
                .find(format!("waybill {key} meets the bill of {of} and the account of {also_of}"));
            continue;
        }
        audit.billed += bill.statuses.len() as u64;
        let billed = bill.statuses.iter().fold(0, |before, status| chain(before, status));
        if (bill.statuses.len() as u64, account.entries) != (waybill.moves, waybill.moves) {
            let (moves, entries, lines) = (waybill.moves, account.entries, bill.statuses.len());
            audit.find(format!("waybill {key}: {moves} moves, {entries} entries, {lines} billed"));
        } else if billed != waybill.chain {
            audit.find(format!("waybill {key} was billed in another order"));
        }
    }
    if let Some((key, _)) = bills.try_next().await? {
        audit.find(format!("there is a bill for {key}, which never moved"));
    }
    if audit.accepted != moves {
        let accepted = audit.accepted;
        audit.find(format!("{accepted} changes were accepted and {moves} were charged"));
    }
    Ok(audit)
}

/// A waybill's bill, for others to check.
#[derive(Serialize)]
struct Line<'a> {
    waybill: &'a str,
    statuses: &'a [String],
    events: usize,
}

/// Writes each waybill's bill as a line of JSON, read from the stored state.
pub(crate) async fn write_bills(running: &Running, path: &Path) -> anyhow::Result<()> {
    let (_, billing) = services(running)?;
    let failed = || format!("cannot write {}", path.display());
    let file = std::fs::File::create(path).with_context(failed)?;
    let mut out = std::io::BufWriter::new(file);
    let mut bills = pin!(billing.states::<Bill>());
    while let Some((waybill, bill)) = bills.try_next().await? {
        let events = bill.statuses.len();
        let line = Line { waybill: &waybill, statuses: &bill.statuses, events };
        serde_json::to_writer(&mut out, &line).with_context(failed)?;
        out.write_all(b"\n").with_context(failed)?;
    }
    out.flush().with_context(failed)
}

fn services(running: &Running) -> anyhow::Result<(&Service, &Service)> {
    let find = |name| running.service(name).with_context(|| format!("{name} does not run"));
    Ok((find("shipping")?, find("billing")?))
}
