//! A store in memory: frames as bytes, applied as a replay does it.

use std::collections::BTreeMap;

use crate::core::event::{Load, StoredRow};
use crate::core::recover::{Recovered, RecoveredRow};
use crate::ids::{DeliveryId, FrameNo, NameNo, PartitionIx, TableId};
use crate::table::Table;
use crate::table::cursor::CursorTable;
use crate::table::delivery::{DeliveryTable, StoredWait};
use crate::table::frame::{Frame, FrameView};
use crate::table::message::MessageTable;
use crate::table::sent::{Sent, SentHead, SentOf};
use crate::table::settled::SettledRun;
use crate::table::state::{StateKey, StateTable};

/// All that is durable.
#[derive(Clone, Debug, Default)]
pub(super) struct Store {
    pub(super) last: FrameNo,
    pub(super) settled: Vec<SettledRun>,
    rows: BTreeMap<(TableId, Vec<u8>), (u8, Vec<u8>)>,
    pub(super) sent: Vec<(SentHead, Option<String>, Vec<u8>)>,
}

fn key_of<T: Table>(key: &T::Key<'_>) -> (TableId, Vec<u8>) {
    let mut bytes = Vec::new();
    T::put_key(key, &mut bytes);
    (T::ID, bytes)
}

impl Store {
    pub(super) fn commit(&mut self, frame: &Frame) {
        let mut bytes = Vec::new();
        frame.encode(&mut bytes);
        let view = FrameView::decode(&bytes).expect("a frame that a log can hold");
        assert_eq!(view.no, FrameNo(self.last.0 + 1), "frames come in order, each once");
        self.last = view.no;
        self.settled.extend(&view.settled);
        for row in view.rows() {
            let row = row.unwrap();
            let key = (row.table, row.key.to_vec());
            match row.value {
                Some(value) => drop(self.rows.insert(key, (row.version, value.to_vec()))),
                None => drop(self.rows.remove(&key)),
            }
        }
        for sent in SentOf::read(view.sent) {
            let Sent { head, key, body, .. } = sent.unwrap();
            self.sent.push((head, key.map(str::to_owned), body.to_vec()));
        }
    }

    /// What a core is opened on: messages and states stay behind.
    pub(super) fn recovered(&self) -> Recovered {
        let rows = self.rows.iter().filter(|((table, _), _)| *table != MessageTable::ID);
        let rows = rows.map(|((table, key), (version, value))| {
            let value = if *table == StateTable::ID { Vec::new() } else { value.clone() };
            RecoveredRow { table: *table, version: *version, key: key.clone(), value }
        });
        Recovered { last: self.last, settled: self.settled.clone(), rows: rows.collect() }
    }

    pub(super) fn load(&self, load: &Load) -> Option<StoredRow> {
        let key = match load {
            Load::State(state, key) => key_of::<StateTable>(&StateKey { state: *state, key }),
            Load::Message(id) => key_of::<MessageTable>(id),
        };
        let (version, bytes) = self.rows.get(&key)?;
        Some(StoredRow { version: *version, bytes: bytes.clone().into() })
    }

    pub(super) fn state(&self, state: NameNo, key: &str) -> Option<Vec<u8>> {
        let (version, bytes) = self.rows.get(&key_of::<StateTable>(&StateKey { state, key }))?;
        Some(StateTable::read_row(*version, bytes).unwrap().json.to_vec())
    }

    /// The offset from which a partition is read.
    pub(super) fn cursor(&self, partition: PartitionIx) -> u64 {
        let row = self.rows.get(&key_of::<CursorTable>(&partition));
        row.map_or(0, |(version, bytes)| CursorTable::read_row(*version, bytes).unwrap())
    }

    /// Stored deliveries, with what they wait for.
    pub(super) fn deliveries(&self) -> Vec<(DeliveryId, StoredWait)> {
        let mut found = Vec::new();
        for ((table, key), (version, row)) in &self.rows {
            if *table == DeliveryTable::ID {
                let row = DeliveryTable::read_row(*version, row).unwrap();
                found.push((DeliveryTable::read_key(key).unwrap(), row.wait));
            }
        }
        found
    }

    /// How many rows a table has.
    pub(super) fn count(&self, table: TableId) -> usize {
        self.rows.keys().filter(|(of, _)| *of == table).count()
    }
}
