//! What is within the store's limits fits into the base.

use std::sync::Arc;

use bytes::Bytes;
use serde::Serialize;

use crate::delivery::StateValue;
use crate::envelope::Headers;
use crate::store::change::{KeptBody, KeptRow, Place, SendRow, TimerKey, TimerRow};
use crate::store::form::encode_exact;
use crate::store::inbox::InStream;
use crate::store::layers::{Row, RowId, Table};
use crate::store::limits::{
    ENTRIES_MAX, ERROR_BYTES_MAX, ERRORS_MAX, KEPT_BYTES_MAX, KEY_BYTES_MAX, NAME_BYTES_MAX,
    ROW_BYTES_MAX, RUNS_MAX,
};
use crate::store::sled::chunk::STORED_VALUE_MAX;
use crate::store::sled::{cold, table};
use crate::store::{Claim, Failure, How, InvalidMessage, StoredState, Wait, invalid};
use crate::stream::{KEY_BYTES_MAX as MESSAGE_KEY_BYTES_MAX, Key, PartitionId, Ranges};

#[test]
fn rows_at_the_limits_fit_into_the_base() {
    let keys = [Key::from("k".repeat(KEY_BYTES_MAX)), "\0".repeat(KEY_BYTES_MAX / 2).into()];
    let value = StateValue { schema: u32::MAX, json: Bytes::from(vec![b'x'; ROW_BYTES_MAX]) };
    let state = StoredState { version: u64::MAX, value: Some(value) };
    for key in keys {
        // Zero bytes in the number of the name count twice, too.
        table::state_row(0, &key, &state).row().unwrap();
        table::intake_row(&key, &Default::default()).unwrap().row().unwrap();
    }
    let send = SendRow {
        topic: 0,
        slot: 0,
        sequence: 0,
        type_name: u32::MAX,
        key: Some("k".into()),
        prev: Some(u64::MAX),
        horizon: u64::MAX,
        floor: u64::MAX,
        cause: Some((Place::Stream(u32::MAX, u64::MAX), u32::MAX, u32::MAX)),
        time_ms: u64::MAX,
        headers: Headers::default().as_bytes().clone(),
        body: Bytes::from(vec![b'x'; ROW_BYTES_MAX - 1]),
    };
    table::send_row(&send).unwrap().row().unwrap();
}

/// A stream as full of holes as one may become before a batch is refused.
#[test]
fn a_stream_full_of_holes_fits_into_the_base() {
    let mut settled = Ranges::default();
    for hole in 0..(RUNS_MAX + ENTRIES_MAX) as u64 {
        // Numbers above any that are ever given, and the longest as stored.
        settled.insert((1 << 56) + 2 * hole);
    }
    let stream = crate::testing::store_conformance::stream(1);
    let row = table::stream_row(
        0,
        Some(&stream),
        Some(&InStream { settled, floor: u64::MAX, time_ms: u64::MAX }),
    );
    row.unwrap().row().unwrap();
}

/// The stored form of a row that is read when it is needed.
fn fits(table: Table, row: &impl Serialize) {
    let row = Row::New(encode_exact(row));
    // Zero bytes in a key count twice.
    cold::row(RowId(table, 0, 0), &row).row().unwrap();
}

#[test]
fn what_is_kept_at_the_limits_fits_into_the_base() {
    for handlers in [0, 5_000] {
        let body = vec![b'x'; KEPT_BYTES_MAX - 5 * handlers];
        let message = KeptBody {
            topic: u32::MAX,
            type_name: u32::MAX,
            prev: Some(u64::MAX),
            horizon: u64::MAX,
            floor: u64::MAX,
            digest: Some(u128::MAX),
            headers: Bytes::new(),
            body: body.into(),
            handlers: vec![u32::MAX; handlers],
        };
        fits(Table::KeptMessages, &message);
    }
    let errors = vec!["e".repeat(ERROR_BYTES_MAX); ERRORS_MAX];
    let failure = Failure { at_ms: u64::MAX, attempt: u32::MAX, how: How::Killed, errors };
    fits(Table::KeptFailures, &(u32::MAX, failure));
    // Not more than this of a kept delivery is in memory.
    let kept = KeptRow {
        number: u64::MAX,
        place: Place::Stream(u32::MAX, u64::MAX),
        handler: u32::MAX,
        key: Some("k".repeat(MESSAGE_KEY_BYTES_MAX).into()),
        since_ms: u64::MAX,
        wait: Wait::Dead { since_ms: u64::MAX, skip_ms: Some(u64::MAX) },
        attempts: u32::MAX,
        late: true,
        bytes: u32::MAX,
        failures: u32::MAX,
    };
    table::kept_row(&kept).unwrap().row().unwrap();
    let part = |most: usize| "x".repeat(most);
    let record = InvalidMessage {
        at_ms: u64::MAX,
        partition: Arc::new(PartitionId {
            cluster: part(250).into(),
            topic: part(250).into(),
            incarnation: u64::MAX,
            partition: u32::MAX,
        }),
        offset: u64::MAX,
        reason: part(9_000),
        key: Some(part(9_000)),
        headers: Bytes::new(),
        body: vec![0; 3_000_000].into(),
        is_whole: true,
        claim: Claim::Open,
    };
    fits(Table::Invalid, &invalid::stored(&record));
}

#[test]
fn a_timer_at_the_limits_fits_into_the_base_and_its_name_into_the_first_chunk() {
    let timer = TimerKey {
        due_ms: u64::MAX,
        number: u64::MAX,
        topic: u32::MAX,
        type_name: u32::MAX,
        key: Some("k".repeat(MESSAGE_KEY_BYTES_MAX).into()),
        name: Some("n".repeat(NAME_BYTES_MAX).into()),
    };
    assert!(encode_exact(&timer).len() + 100 < STORED_VALUE_MAX);
    let body = vec![b'x'; ROW_BYTES_MAX - MESSAGE_KEY_BYTES_MAX].into();
    let cause = Some((Place::Stream(u32::MAX, u64::MAX), u32::MAX, u32::MAX));
    fits(Table::Timers, &TimerRow { timer, cause, headers: Bytes::new(), body });
}
