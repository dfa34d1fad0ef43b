//! The embedded broker's own claims, beside those of every broker.

use std::path::Path;

use tempfile::TempDir;

use super::writer::Command;
use super::{EmbeddedBroker, EmbeddedOptions};
use crate::testing::broker_conformance::{CursorBeyondEnd, Features, Subject, broker_conformance};

mod directory;
mod faults;
mod format;
mod group;
mod kill;
mod limits;
mod reading;
mod release;
mod reopen;

/// Small segments, so that a few records fill several; a fixed seed.
fn small() -> EmbeddedOptions {
    EmbeddedOptions { segment_bytes: 16 * 1024, seed: 1, ..EmbeddedOptions::default() }
}

fn open(dir: &Path, options: EmbeddedOptions) -> EmbeddedBroker {
    EmbeddedBroker::open(dir, options).unwrap()
}

/// Returns when the writer has done all that it does after what it was told before: it releases
/// segments after it has answered.
async fn writer_is_idle(broker: &EmbeddedBroker) {
    for _ in 0..2 {
        broker.handle.ask(Command::Register).await.unwrap();
    }
}

/// The numbers of the segment files, in order: live ones and, where some are kept, spares.
fn segment_files(dir: &Path) -> Vec<u64> {
    let names = std::fs::read_dir(dir.join("journal")).unwrap();
    let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut numbers: Vec<u64> =
        names.filter_map(|name| name.strip_prefix("segment-")?.parse().ok()).collect();
    numbers.sort_unstable();
    numbers
}

fn subject(options: EmbeddedOptions) -> Subject {
    let home = TempDir::new().unwrap();
    let broker = Box::new(open(home.path(), options));
    let features = Features { cursor_beyond_end: CursorBeyondEnd::Refused };
    Subject { broker, features, _home: Box::new(home) }
}

mod conformance {
    super::broker_conformance!(|| super::subject(super::small()));
}

/// The same with nothing in memory: every fetch reads from the disk.
mod conformance_from_disk {
    use super::EmbeddedOptions;
    super::broker_conformance!(|| super::subject(EmbeddedOptions {
        cache_bytes_max: 0,
        ..super::small()
    }));
}
