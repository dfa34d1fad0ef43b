//! Passing over what a partition does not have any more.

use std::sync::Arc;

use crate::clock::{Clock, Now};
use crate::failure::RunError;
use crate::store::{Batch, Entry, Recovered, Store, Subject};
use crate::stream::PartitionId;

/// Notes what lies below the offset at which a partition is read for the first time: it was gone
/// before. Otherwise the cursor would stay before it, and all behind it would be read again at each
/// start. What is lost of a partition that was read before, the loop is told.
pub(super) async fn pass(
    store: &mut dyn Store,
    starts: Vec<(Arc<PartitionId>, u64)>,
    recovered: &Recovered,
    clock: &Clock,
) -> Result<(), RunError> {
    let is_known = |id: &Arc<PartitionId>| recovered.cursors.iter().any(|(known, _)| known == id);
    let passed = starts.into_iter().filter_map(|(partition, start)| {
        if is_known(&partition) {
            return None;
        }
        let (first, last) = (0, start.checked_sub(1)?);
        let subject = Subject::Passed { partition, first, last };
        (first <= last).then(|| Entry::of(subject, Vec::new()))
    });
    let entries: Vec<Entry> = passed.collect();
    if !entries.is_empty() {
        let Now { wall_ms: time_ms, steady_ms } = clock.read();
        store.commit(&Batch { time_ms, steady_ms, entries, ..Batch::default() }).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::memory::MemoryStore;
    use crate::store::{Catalog, OpenStore, Renames};

    #[tokio::test]
    async fn a_service_that_comes_late_reads_on_from_where_it_began() {
        let memory = MemoryStore::new(1);
        let partition =
            PartitionId { cluster: "c".into(), topic: "t".into(), incarnation: 1, partition: 0 };
        let starts = vec![(Arc::new(partition), 7)];
        for before in [None, Some(7), Some(7)] {
            let opened = Box::new(memory.clone()).open("s".into()).await.unwrap();
            let mut store = opened.store;
            let adopted = store.adopt(Catalog::default(), Renames::default()).await.unwrap();
            let cursor = adopted.cursors.first().map(|(_, done)| done.next_missing(0));
            assert_eq!(cursor, before, "what was never there is passed over once");
            pass(&mut *store, starts.clone(), &adopted, &Clock::fixed(0)).await.unwrap();
        }
    }
}
