//! What stands in the cache only, after a sync that failed: the next opening must not rely on it.

use std::path::Path;

use super::{
    claims::{STORE, options},
    model::{Fault, Flaw, ModelDisk},
};
use crate::journal::{head::Head, *};

fn open(disk: &ModelDisk) -> Result<Journal<ModelDisk>, JournalError> {
    let nonce = 3;
    Journal::open(disk.clone(), Path::new("journal"), options(nonce), FROM_FIRST_LIVE, |_| Ok(()))
}

#[test]
fn the_slot_of_head_that_is_believed_is_made_durable_before_segments_are_dropped() {
    for seed in 0..40 {
        let disk = ModelDisk::new(seed, Flaw::None);
        Journal::create(disk.clone(), Path::new("journal"), options(1)).unwrap();
        let mut journal = open(&disk).unwrap();
        while journal.segments().len() < 3 {
            journal.append(&[1; 3000]).unwrap();
        }
        journal.sync(HeadSync::Sync).unwrap();
        // The release writes HEAD, and then its sync fails: the new first segment is in the cache.
        disk.arm(1, Fault::Fail);
        journal.release(journal.durable() + 1).unwrap_err();
        disk.restart();
        let head = Head::open(&disk, Path::new("journal"), STORE).unwrap();
        assert_eq!(head.record().first_live, 3);
        // This opening drops the older segments. After the power cut HEAD must know.
        let durable = open(&disk).unwrap().durable();
        disk.cut_power();
        assert_eq!(open(&disk).unwrap().durable(), durable, "seed {seed}");
    }
}

#[test]
fn a_sync_that_failed_is_never_tried_again() {
    let disk = ModelDisk::new(1, Flaw::None);
    Journal::create(disk.clone(), Path::new("journal"), options(1)).unwrap();
    let mut journal = open(&disk).unwrap();
    journal.append(b"one").unwrap();
    // The write is the first operation, the sync of the segment the second.
    disk.arm(1, Fault::Fail);
    let first = journal.sync(HeadSync::Write).unwrap_err();
    assert!(
        first.to_string().starts_with("could not sync journal/segment-000000000001"),
        "{first}"
    );
    for error in [
        journal.sync(HeadSync::Write).unwrap_err(),
        journal.append(b"two").unwrap_err(),
        journal.release(1).unwrap_err(),
    ] {
        let JournalError::Poisoned { cause } = &error else { panic!("{error}") };
        assert_eq!(cause.to_string(), first.to_string(), "the first cause is named");
    }
    assert_eq!(journal.durable(), 0, "nothing un-synced counts");
}
