//! A stream that the service takes from, by number: 256 slots to a name.

use super::fields::{Fields, PutField};
use super::{RowError, Table};
use crate::ids::{StreamIx, TableId};

/// Names of streams by the number of their first slot. A row is written with the first message of a
/// name; the number stands for the name for good.
#[derive(Debug)]
pub(crate) struct StreamTable;

/// The sender of a stream, without its slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum StreamName<'a> {
    /// A writer of an Endwise service's store.
    Endwise {
        service: &'a str,
        store: u64,
        epoch: u32,
        /// The shard of the sending store.
        writer: u32,
        topic: &'a str,
    },
    /// Anybody else: a broker's partition, whose offsets are the sequences, each one higher. All of
    /// it is in the first slot.
    Foreign { cluster: &'a str, topic: &'a str, incarnation: u64, partition: u32 },
}

const ENDWISE: u8 = 1;
const FOREIGN: u8 = 2;

impl Table for StreamTable {
    const ID: TableId = TableId(3);
    const NAME: &'static str = "stream";
    const VERSION: u8 = 1;
    const KEY_BYTES_MAX: usize = 4;
    const ROW_BYTES_MAX: usize = 2_048;
    type Key<'a> = StreamIx;
    type Row<'a> = StreamName<'a>;

    fn put_key(key: &StreamIx, out: &mut Vec<u8>) {
        out.key_u32(key.0);
    }

    fn read_key(bytes: &[u8]) -> Result<StreamIx, RowError> {
        let number = Fields::only_u32(bytes)?;
        if number % StreamIx::SLOTS != 0 {
            let value = number.into();
            return Err(RowError::Value { field: "the number of a stream's first slot", value });
        }
        Ok(StreamIx(number))
    }

    fn put_row(row: &StreamName<'_>, out: &mut Vec<u8>) {
        match *row {
            StreamName::Endwise { service, store, epoch, writer, topic } => {
                out.push(ENDWISE);
                out.blob(service.as_bytes());
                out.number(store);
                out.number(epoch.into());
                out.number(writer.into());
                out.blob(topic.as_bytes());
            }
            StreamName::Foreign { cluster, topic, incarnation, partition } => {
                out.push(FOREIGN);
                out.blob(cluster.as_bytes());
                out.blob(topic.as_bytes());
                out.number(incarnation);
                out.number(partition.into());
            }
        }
    }

    fn read_row(_: u8, bytes: &[u8]) -> Result<StreamName<'_>, RowError> {
        let mut fields = Fields::of(bytes);
        let name = match fields.byte()? {
            ENDWISE => StreamName::Endwise {
                service: fields.text()?,
                store: fields.number()?,
                epoch: fields.number_u32("an epoch")?,
                writer: fields.number_u32("a writer")?,
                topic: fields.text()?,
            },
            FOREIGN => StreamName::Foreign {
                cluster: fields.text()?,
                topic: fields.text()?,
                incarnation: fields.number()?,
                partition: fields.number_u32("a partition")?,
            },
            other => {
                return Err(RowError::Value { field: "the kind of a stream", value: other.into() });
            }
        };
        fields.end().map(|()| name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::fixture;

    #[test]
    fn its_bytes_stay() {
        let name =
            StreamName::Endwise { service: "web", store: 300, epoch: 1, writer: 0, topic: "pay" };
        fixture::holds::<StreamTable>(
            StreamIx(512),
            name,
            "00000200",
            "0103776562ac02010003706179",
        );
        let name = StreamName::Foreign { cluster: "c", topic: "pay", incarnation: 9, partition: 2 };
        fixture::holds::<StreamTable>(StreamIx(0), name, "00000000", "020163037061790902");
        assert!(matches!(StreamTable::read_key(&[0, 0, 0, 7]), Err(RowError::Value { .. })));
    }
}
