//! What is within the store's limits fits into the base.

use bytes::Bytes;

use crate::delivery::StateValue;
use crate::envelope::Headers;
use crate::store::StoredState;
use crate::store::change::{Place, SendRow};
use crate::store::inbox::InStream;
use crate::store::limits::{ENTRIES_MAX, KEY_BYTES_MAX, ROW_BYTES_MAX, RUNS_MAX};
use crate::store::sled::table;
use crate::stream::{Key, Ranges};

#[test]
fn rows_at_the_limits_fit_into_the_base() {
    let keys = [Key::from("k".repeat(KEY_BYTES_MAX)), "\0".repeat(KEY_BYTES_MAX / 2).into()];
    let value = StateValue { schema: u32::MAX, json: Bytes::from(vec![b'x'; ROW_BYTES_MAX]) };
    let state = StoredState { version: u64::MAX, value: Some(value) };
    for key in keys {
        // Zero bytes in the number of the name count twice, too.
        table::state_row(0, &key, &state).row().unwrap();
        table::intake_row(&key, u64::MAX).unwrap().row().unwrap();
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
    let row = table::stream_row(0, Some(&stream), Some(&InStream { settled, floor: u64::MAX }));
    row.unwrap().row().unwrap();
}
