//! The frame: all that one commit makes durable, as a value. The core fills it; stores write it or
//! apply it, and read it back from a log.

use super::fields::{Fields, PutField};
use super::sent::Sent;
use super::settled::{Settled, SettledRun};
use super::{RowError, Table, TableInfo};
use crate::ids::{FrameNo, Position, StreamIx, TableId};

/// The bytes from which on a frame takes no further outcome.
pub(crate) const FULL_BYTES: usize = 16 << 20;

/// The form of a frame in bytes: a head, runs, rows, and the messages that are sent.
const FORMAT: u8 = 1;

/// Bytes before a row: table, version, whether it is put, the lengths of its key and its value.
const ROW_HEAD: usize = 9;

/// One commit of a shard. Its buffers stay from frame to frame.
#[derive(Clone, Debug, Default)]
pub(crate) struct Frame {
    pub(crate) no: FrameNo,
    /// Milliseconds since 1970 when it was sealed.
    pub(crate) time_ms: u64,
    settled: Settled,
    rows: Vec<u8>,
    sent: Vec<u8>,
}

impl Frame {
    /// Settles a position whose message was committed at that time, with that floor.
    pub(crate) fn settle(&mut self, at: Position, time_ms: u64, floor: u64) {
        self.settled.add(at, time_ms, floor);
    }

    /// Puts a row. Its limits were checked where key and row came from.
    pub(crate) fn put<T: Table>(&mut self, key: &T::Key<'_>, row: &T::Row<'_>) {
        let start = self.begin_row::<T>(true, key);
        let before = self.rows.len();
        T::put_row(row, &mut self.rows);
        let (key_bytes, row_bytes) = (before - start - ROW_HEAD, self.rows.len() - before);
        self.end_row(start, key_bytes, row_bytes);
        debug_assert!(key_bytes <= T::KEY_BYTES_MAX && row_bytes <= T::ROW_BYTES_MAX);
    }

    /// Removes the row of a key, if there is one.
    pub(crate) fn remove<T: Table>(&mut self, key: &T::Key<'_>) {
        let start = self.begin_row::<T>(false, key);
        let key_bytes = self.rows.len() - start - ROW_HEAD;
        self.end_row(start, key_bytes, 0);
    }

    fn begin_row<T: Table>(&mut self, is_put: bool, key: &T::Key<'_>) -> usize {
        let start = self.rows.len();
        self.rows.extend_from_slice(&[T::ID.0, T::VERSION, is_put.into(), 0, 0, 0, 0, 0, 0]);
        T::put_key(key, &mut self.rows);
        start
    }

    fn end_row(&mut self, start: usize, key_bytes: usize, row_bytes: usize) {
        // Limits of tables are far below these, and those of a frame below the second.
        let key = u16::try_from(key_bytes).unwrap_or(u16::MAX).to_le_bytes();
        let row = u32::try_from(row_bytes).unwrap_or(u32::MAX).to_le_bytes();
        if let Some([_, _, _, lengths @ ..]) = self.rows.get_mut(start..start + ROW_HEAD) {
            let (of_key, of_row) = lengths.split_at_mut(2);
            of_key.copy_from_slice(&key);
            of_row.copy_from_slice(&row);
        }
    }

    /// Adds a message that is sent, in its final form.
    pub(crate) fn send(&mut self, message: &Sent<'_>) {
        message.put(&mut self.sent);
    }

    /// Returns whether the frame takes no further outcome. The core asks before a call, so that no
    /// outcome is ever cut back; the last one may be as large as an outcome may be.
    pub(crate) fn is_full(&self) -> bool {
        self.bytes() >= FULL_BYTES
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.settled.runs().is_empty() && self.rows.is_empty() && self.sent.is_empty()
    }

    /// The bytes of its rows and messages, and about those of its runs.
    pub(crate) fn bytes(&self) -> usize {
        self.rows.len() + self.sent.len() + size_of_val(self.settled.runs())
    }

    /// Forgets its content, and keeps its buffers.
    pub(crate) fn clear(&mut self) {
        self.settled.clear();
        self.rows.clear();
        self.sent.clear();
    }

    pub(crate) fn view(&self) -> FrameView<'_> {
        FrameView {
            no: self.no,
            time_ms: self.time_ms,
            settled: self.settled.runs().to_vec(),
            rows: &self.rows,
            sent: &self.sent,
        }
    }

    /// Writes the frame as bytes. Checksum and chain are the log's.
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        out.push(FORMAT);
        out.number(self.no.0);
        out.number(self.time_ms);
        out.number(self.settled.runs().len() as u64);
        for run in self.settled.runs() {
            out.number(run.stream.0.into());
            out.number(run.first);
            out.number(run.last - run.first);
            out.number(run.time_ms);
            out.number(run.floor);
        }
        out.blob(&self.rows);
        out.blob(&self.sent);
    }
}

/// A frame that is read: the one that a store was handed, or one of a log's bytes.
#[derive(Clone, Debug)]
pub(crate) struct FrameView<'a> {
    pub(crate) no: FrameNo,
    pub(crate) time_ms: u64,
    pub(crate) settled: Vec<SettledRun>,
    rows: &'a [u8],
    pub(crate) sent: &'a [u8],
}

impl<'a> FrameView<'a> {
    /// Reads what [`Frame::encode`] wrote, and checks each row against its table.
    pub(crate) fn decode(bytes: &'a [u8]) -> Result<Self, RowError> {
        let mut fields = Fields::of(bytes);
        let format = fields.byte()?;
        if format != FORMAT {
            let field = "the format of a frame";
            return Err(RowError::Value { field, value: format.into() });
        }
        let (no, time_ms) = (FrameNo(fields.number()?), fields.number()?);
        let mut settled = Vec::new();
        for _ in 0..fields.number()? {
            let stream = StreamIx(fields.number_u32("a stream")?);
            let (first, more) = (fields.number()?, fields.number()?);
            let last = first.checked_add(more);
            let last = last.ok_or(RowError::Value { field: "a run's length", value: more })?;
            let (time_ms, floor) = (fields.number()?, fields.number()?);
            settled.push(SettledRun { stream, first, last, time_ms, floor });
        }
        let (rows, sent) = (fields.blob()?, fields.blob()?);
        fields.end()?;
        let view = FrameView { no, time_ms, settled, rows, sent };
        for row in view.rows() {
            let RowRef { table, version, key, value } = row?;
            TableInfo::of(table)?.check(version, key, value)?;
        }
        Ok(view)
    }

    /// The rows, in the order in which they were put.
    pub(crate) fn rows(&self) -> Rows<'a> {
        Rows(self.rows)
    }
}

/// A row of a frame; without a value it is removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RowRef<'a> {
    pub(crate) table: TableId,
    pub(crate) version: u8,
    pub(crate) key: &'a [u8],
    pub(crate) value: Option<&'a [u8]>,
}

/// The rows of a frame.
#[derive(Clone, Debug)]
pub(crate) struct Rows<'a>(&'a [u8]);

impl<'a> Rows<'a> {
    fn read(&mut self) -> Result<RowRef<'a>, RowError> {
        let (head, rest) = self.0.split_first_chunk::<ROW_HEAD>().ok_or(RowError::Short)?;
        let [table, version, is_put, key0, key1, row0, row1, row2, row3] = *head;
        let key_bytes = usize::from(u16::from_le_bytes([key0, key1]));
        let row_bytes = u32::from_le_bytes([row0, row1, row2, row3]) as usize;
        let (key, rest) = rest.split_at_checked(key_bytes).ok_or(RowError::Short)?;
        let (row, rest) = rest.split_at_checked(row_bytes).ok_or(RowError::Short)?;
        let value = match is_put {
            0 if row.is_empty() => None,
            1 => Some(row),
            other => return Err(RowError::Value { field: "a row's kind", value: other.into() }),
        };
        self.0 = rest;
        Ok(RowRef { table: TableId(table), version, key, value })
    }
}

impl<'a> Iterator for Rows<'a> {
    type Item = Result<RowRef<'a>, RowError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let row = self.read();
        if row.is_err() {
            // Nothing behind it can be told apart.
            self.0 = &[];
        }
        Some(row)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;
    use crate::ids::{NameNo, PartitionIx};
    use crate::table::cursor::CursorTable;
    use crate::table::sent::SentHead;
    use crate::table::state::{StateKey, StateRow, StateTable};

    /// A store's rows, as a loop over frames makes them.
    type Stored = BTreeMap<(TableId, Vec<u8>), Vec<u8>>;

    fn apply(view: &FrameView<'_>, stored: &mut Stored) {
        for row in view.rows() {
            let row = row.unwrap();
            let key = (row.table, row.key.to_vec());
            match row.value {
                Some(value) => drop(stored.insert(key, value.to_vec())),
                None => drop(stored.remove(&key)),
            }
        }
    }

    #[derive(Clone, Debug)]
    enum Op {
        State(u32, Option<Vec<u8>>),
        Cursor(u32, u64),
        Settle(u32, u64),
        Send(Vec<u8>),
    }

    fn op() -> impl Strategy<Value = Op> {
        prop_oneof![
            (0_u32..4, any::<Option<Vec<u8>>>()).prop_map(|(key, json)| Op::State(key, json)),
            (0_u32..3, any::<u64>()).prop_map(|(partition, next)| Op::Cursor(partition, next)),
            (0_u32..3, 1_u64..9).prop_map(|(stream, sequence)| Op::Settle(stream, sequence)),
            any::<Vec<u8>>().prop_map(Op::Send),
        ]
    }

    fn frame(no: u64, ops: &[Op]) -> Frame {
        let mut frame = Frame { no: FrameNo(no), time_ms: 3 * no, ..Frame::default() };
        for op in ops {
            match op {
                Op::State(key, json) => {
                    let (state, key) = (NameNo(1), key.to_string());
                    let key = StateKey { state, key: &key };
                    match json {
                        Some(json) => frame.put::<StateTable>(&key, &StateRow { schema: 1, json }),
                        None => frame.remove::<StateTable>(&key),
                    }
                }
                Op::Cursor(partition, next) => {
                    frame.put::<CursorTable>(&PartitionIx(*partition), next);
                }
                Op::Settle(stream, sequence) => {
                    let at = Position { stream: StreamIx(*stream), sequence: *sequence };
                    frame.settle(at, *sequence, 1);
                }
                Op::Send(body) => frame.send(&sent(body)),
            }
        }
        frame
    }

    fn sent(body: &[u8]) -> Sent<'_> {
        let head = SentHead {
            topic: NameNo(1),
            type_name: NameNo(2),
            slot: 0,
            sequence: 1,
            prev: None,
            horizon: 0,
            time_ms: 0,
            cause: None,
        };
        Sent { head, key: None, headers: &[], body }
    }

    proptest! {
        #[test]
        fn bytes_give_back_the_frame_and_twice_is_once(
            frames in prop::collection::vec(prop::collection::vec(op(), 0..12), 1..5),
        ) {
            let frames: Vec<Frame> =
                frames.iter().enumerate().map(|(no, ops)| frame(no as u64, ops)).collect();
            let (mut once, mut twice) = (Stored::new(), Stored::new());
            for frame in &frames {
                let mut bytes = Vec::new();
                frame.encode(&mut bytes);
                let (view, read) = (frame.view(), FrameView::decode(&bytes).unwrap());
                prop_assert_eq!((read.no, read.time_ms), (frame.no, frame.time_ms));
                prop_assert_eq!(&read.settled, &view.settled);
                prop_assert_eq!(read.sent, view.sent);
                let rows = |view: &FrameView<'_>| format!("{:?}", view.rows().collect::<Vec<_>>());
                prop_assert_eq!(rows(&read), rows(&view));
                apply(&view, &mut once);
            }
            // A crash in the middle of a replay, and all of it again.
            for frame in frames.iter().chain(&frames) {
                apply(&frame.view(), &mut twice);
            }
            prop_assert_eq!(once, twice);
        }

        #[test]
        fn no_cut_and_no_flip_of_a_bit_makes_reading_panic(
            ops in prop::collection::vec(op(), 1..8),
            at: prop::sample::Index,
            bit in 0_u32..8,
        ) {
            let mut bytes = Vec::new();
            frame(1, &ops).encode(&mut bytes);
            let at = at.index(bytes.len());
            prop_assert!(FrameView::decode(&bytes[..at]).is_err());
            bytes[at] ^= 1 << bit;
            let _ = FrameView::decode(&bytes);
        }
    }

    #[test]
    fn its_bytes_stay() {
        let ops = [
            Op::Settle(2, 7),
            Op::State(3, Some(b"{}".to_vec())),
            Op::State(3, None),
            Op::Send(b"sent".to_vec()),
        ];
        let mut bytes = Vec::new();
        frame(5, &ops).encode(&mut bytes);
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        let row = |put: &str, value: &str| format!("0101{put}0500{value}");
        let (key, put) = ("0000000133", row("01", "03000000"));
        let removed = row("00", "00000000");
        let (head, run) = ("01050f", "01".to_owned() + "0207000701");
        let rows = format!("{put}{key}017b7d{removed}{key}");
        let sent = "0101020001000000000000";
        assert_eq!(hex, format!("{head}{run}1f{rows}10{sent}0473656e74"));
    }

    #[test]
    fn a_frame_that_is_full_is_empty_again_once_it_is_cleared() {
        let mut frame = Frame::default();
        assert!(frame.is_empty() && !frame.is_full());
        let body = vec![0; FULL_BYTES];
        frame.send(&sent(&body));
        assert!(frame.is_full());
        frame.clear();
        assert!(frame.is_empty() && !frame.is_full());
    }
}
