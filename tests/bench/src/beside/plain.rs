//! The plain loop: what a person would write who needs nothing else.

use std::collections::HashMap;
use std::fs::OpenOptions;
use std::io::Write;

use super::MESSAGES;
use crate::{Counted, body};

/// Messages of a sync.
const GROUP: u64 = 1_000;

pub(crate) fn run() -> anyhow::Result<()> {
    let home = tempfile::tempdir()?;
    let mut log = OpenOptions::new().create(true).append(true).open(home.path().join("log"))?;
    let mut counts: HashMap<String, u64> = HashMap::new();
    let mut group = Vec::new();
    for number in 0..MESSAGES {
        let bytes = serde_json::to_vec(&body(number))?;
        let message: Counted = serde_json::from_slice(&bytes)?;
        let count = counts.entry(message.key.clone()).or_default();
        *count += 1;
        // State and message go into the log, as they would have to.
        serde_json::to_writer(&mut group, &(&message.key, *count))?;
        serde_json::to_writer(&mut group, &message)?;
        if (number + 1) % GROUP == 0 {
            log.write_all(&group)?;
            log.sync_data()?;
            group.clear();
        }
    }
    anyhow::ensure!(counts.values().sum::<u64>() == MESSAGES, "the loop lost messages");
    Ok(())
}
