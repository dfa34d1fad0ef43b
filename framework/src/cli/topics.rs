//! `endwise topics`.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use serde::Serialize;

use super::args::Asked;
use super::brokers::BrokerPlace;
use super::print::{BAD, DIM, HEAD, Printed, note, styled};
use super::table::{Column, Side, Table};
use super::words::{bytes, cut, plain, span};
use super::{Came, Command, Trouble};
use crate::broker::status::{BrokerStatus, ReaderStatus, TopicStatus};

/// Of which broker.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    asked: Asked,
}

#[derive(Serialize)]
struct Json {
    broker: Option<BrokerStatus>,
}

#[async_trait]
impl Command for Args {
    async fn run(self, printed: &mut Printed) -> Result<Came, Trouble> {
        let place = BrokerPlace::of(&self.asked.dir)?;
        let mut way = place.open().await?;
        let status = way.status().await;
        let is_running = way.is_running();
        way.close().await?;
        let status = status?;
        let has_topics = status.as_ref().is_some_and(|status| !status.topics.is_empty());
        match (&status, self.asked.json) {
            (_, true) => printed.json(&Json { broker: status })?,
            (Some(status), false) => print(status, is_running, printed),
            (None, false) => note(
                "the broker does not tell: the service is stopping, or the broker has tools of its own",
            ),
        }
        Ok(if has_topics { Came::Done } else { Came::NothingMatched })
    }
}

/// A broker in short, and its topics.
pub(super) fn print(status: &BrokerStatus, is_running: bool, printed: &mut Printed) {
    printed.line(format!("{}: {}", styled(HEAD, "broker"), disk(status)));
    let column = |head, width_max, side| Column { head, width_max, side };
    let mut table = Table::new([
        column("TOPIC", 28, Side::Left),
        column("PARTS", 5, Side::Right),
        column("RECORDS", 12, Side::Right),
        column("BYTES", 11, Side::Right),
        column("OLDEST", 6, Side::Right),
    ]);
    let here = status.consumers.iter().map(|of| (&of.consumer, of.is_here || !is_running));
    let here: BTreeMap<&Arc<str>, bool> = here.collect();
    for topic in &status.topics {
        let age = topic.oldest_ms.map(|oldest| span(status.at_ms.saturating_sub(oldest)));
        let readers = topic.readers.iter().map(|of| reader(of, &here, status.at_ms));
        table.row(
            [
                topic.topic.to_string(),
                topic.partitions.to_string(),
                topic.records.to_string(),
                bytes(topic.bytes),
                age.unwrap_or_default(),
            ],
            readers.chain(unread(topic)),
        );
    }
    if !status.topics.is_empty() {
        table.lines().iter().for_each(|line| printed.line(format!("  {line}")));
    }
}

/// What the line of a reader begins with.
const READ_BY: &str = "      read by ";

/// How long that line may be: the table is indented by two.
const WIDTH: usize = 78;

/// How much of a name is shown at least.
const NAME_MIN: usize = 8;

/// How much of the disk is used, and by whom.
fn disk(status: &BrokerStatus) -> String {
    let disk = &status.disk;
    let mut text = match disk.bytes_max {
        Some(most) => {
            let percent = disk.bytes.saturating_mul(100) / most.max(1);
            format!("{} of {} on disk ({percent} %)", bytes(disk.bytes), bytes(most))
        }
        None => format!("{} on disk", bytes(disk.bytes)),
    };
    if let Some(consumer) = &disk.held_by {
        let percent = disk.held_bytes.saturating_mul(100) / disk.bytes.max(1);
        text += &format!(", {percent} % of it held by {}", plain(consumer));
    }
    text
}

fn reader(of: &ReaderStatus, here: &BTreeMap<&Arc<str>, bool>, now_ms: u64) -> String {
    let mut lag = format!(", {} behind", of.behind);
    if let Some(since) = of.waits_since_ms {
        lag += &format!(", the oldest for {}", span(now_ms.saturating_sub(since)));
    }
    let gone = if here.get(&of.consumer) == Some(&false) { " (does not run)" } else { "" };
    let room = WIDTH.saturating_sub(READ_BY.len() + lag.len() + gone.len());
    let name = cut(&of.consumer, room.max(NAME_MIN));
    format!("{}{}", styled(DIM, &format!("{READ_BY}{name}{lag}")), styled(BAD, gone))
}

/// What is said of a topic that nobody reads.
fn unread(topic: &TopicStatus) -> Option<String> {
    topic.readers.is_empty().then(|| {
        let kept = match topic.kept_unread_bytes {
            Some(kept) => format!(": its newest {} are kept, older ones go", bytes(kept)),
            None => String::new(),
        };
        let dropped = match topic.dropped {
            0 => String::new(),
            dropped => format!(", {dropped} went"),
        };
        styled(BAD, &format!("      read by nobody{kept}{dropped}"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::broker::status::{ConsumerStatus, DiskStatus};

    #[test]
    fn long_names_fit_80_columns_and_who_does_not_run_is_named() {
        let long: Arc<str> = "x".repeat(200).into();
        let reader = ReaderStatus {
            consumer: Arc::clone(&long),
            behind: 123_456_789,
            waits_since_ms: Some(0),
        };
        let topic = TopicStatus {
            topic: Arc::clone(&long),
            partitions: 256,
            records: 123_456_789_012,
            bytes: 1 << 40,
            oldest_ms: Some(0),
            readers: vec![reader],
            kept_unread_bytes: None,
            dropped: 0,
        };
        let alone = TopicStatus {
            readers: Vec::new(),
            kept_unread_bytes: Some(256 << 20),
            ..topic.clone()
        };
        let gone = ConsumerStatus { consumer: long, ..ConsumerStatus::default() };
        let status = BrokerStatus {
            at_ms: 1_767_225_600_000,
            disk: DiskStatus { bytes: 1 << 33, bytes_max: Some(1 << 33), ..DiskStatus::default() },
            topics: vec![topic, alone],
            consumers: vec![gone],
        };
        let mut printed = Printed::default();
        print(&status, true, &mut printed);
        let plain = anstream::adapter::strip_str(printed.text()).to_string();
        assert!(plain.lines().all(|line| line.chars().count() <= 80), "{plain}");
        for part in ["8.0 GiB of 8.0 GiB on disk (100 %)", "(does not run)", "read by nobody: its"]
        {
            assert!(plain.contains(part), "{part}: {plain}");
        }
    }
}
