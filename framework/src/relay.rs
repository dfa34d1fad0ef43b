//! Relay: what is committed → published. The only part that publishes.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use crate::broker::{BrokerError, Publisher};
use crate::clock::Clock;
use crate::consume::commit::Work;
use crate::failure::RunError;
use crate::metrics::Outbox;
use crate::queue::Queue;
use crate::store::OutboxRow;
use crate::stream::StreamId;
use crate::vitals::Vitals;

mod encode;

use encode::Encoder;

/// How many messages go to the broker at a time.
const BATCH_MAX: usize = 1_024;

/// How many bytes of bodies go to the broker at a time, unless the first alone has more.
const BATCH_BYTES_MAX: usize = 4 << 20;

/// How long a batch for which the broker has no room waits before it is tried again.
const NO_ROOM_PAUSE: Duration = Duration::from_millis(100);

/// The relay of a service.
pub(crate) struct Relay {
    pub(crate) service: Arc<str>,
    pub(crate) clock: Clock,
    pub(crate) vitals: Arc<Vitals>,
    pub(crate) publisher: Box<dyn Publisher>,
    pub(crate) rows: Queue<Arc<OutboxRow>>,
    pub(crate) work: Queue<Work>,
    /// How many messages are committed and not confirmed by the broker.
    pub(crate) open: watch::Sender<usize>,
    pub(crate) gauge: Outbox,
    pub(crate) stop: watch::Receiver<bool>,
}

impl Relay {
    /// Publishes in commit order until it is stopped. What is not confirmed by then stays in the
    /// outbox, and goes out after the next start.
    pub(crate) async fn run(mut self) -> Result<(), RunError> {
        let mut encoder = Encoder::default();
        loop {
            let rows = tokio::select! {
                biased;
                _ = self.stop.wait_for(|stop| *stop) => return Ok(()),
                rows = self.rows.take(BATCH_MAX) => rows,
            };
            for rows in by_bytes(&rows) {
                loop {
                    let batch = rows.iter().map(|row| encoder.encode(row)).collect();
                    match self.publisher.publish(batch).await {
                        Ok(()) => break,
                        Err(full @ (BrokerError::Full { .. } | BrokerError::NoRoom(_))) => {
                            self.wait_for_room(&full);
                        }
                        Err(error) => return Err(error.into()),
                    }
                    tokio::select! {
                        biased;
                        _ = self.stop.wait_for(|stop| *stop) => return Ok(()),
                        () = self.clock.sleep(NO_ROOM_PAUSE) => {}
                    }
                }
                self.go_on();
                tracing::trace!(target: "endwise::relay", count = rows.len(), "published");
                self.work.push([Work::Confirmed(through(rows))])?;
                self.vitals.outbox_bytes.remove(rows.iter().map(|row| row.bytes()).sum());
                self.open.send_modify(|open| *open = open.saturating_sub(rows.len()));
                self.gauge.remove(rows.len());
            }
        }
    }

    /// Reports, once, that the broker has no room. Handlers go on: what they settle makes some.
    fn wait_for_room(&self, full: &BrokerError) {
        if self.vitals.broker_full.is_set() {
            return;
        }
        // Whoever waits for everything to be settled looks again.
        self.open.send_modify(|_| ());
        tracing::error!(
            target: "endwise::relay", service = &*self.service, outbox = *self.open.borrow(),
            error = %full, "publishing waits: the broker has no room",
        );
        self.vitals.broker_full.set(true);
        // Handlers that wait for the outbox look again.
        self.open.send_modify(|_| {});
    }

    fn go_on(&self) {
        if self.vitals.broker_full.is_set() {
            tracing::info!(
                target: "endwise::relay", service = &*self.service,
                "publishing goes on: the broker has room again",
            );
            self.vitals.broker_full.set(false);
        }
    }
}

/// The rows in parts of bounded size.
fn by_bytes(rows: &[Arc<OutboxRow>]) -> impl Iterator<Item = &[Arc<OutboxRow>]> {
    let mut rest = rows;
    std::iter::from_fn(move || {
        let mut bytes = 0;
        let more = rest.iter().take_while(|row| {
            bytes += row.bytes();
            bytes <= BATCH_BYTES_MAX
        });
        let count = more.count().max(1);
        let (part, after) = rest.split_at_checked(count)?;
        rest = after;
        Some(part)
    })
}

/// Each stream's last sequence among rows in commit order. A stream's rows share its id, so that
/// the id's address stands for it.
fn through(rows: &[Arc<OutboxRow>]) -> Vec<(Arc<StreamId>, u64)> {
    let mut through: Vec<(Arc<StreamId>, u64)> = Vec::new();
    let mut places = HashMap::new();
    for row in rows {
        let place = *places.entry(Arc::as_ptr(&row.stream)).or_insert(through.len());
        match through.get_mut(place) {
            Some((_, last)) => *last = row.sequence,
            None => through.push((Arc::clone(&row.stream), row.sequence)),
        }
    }
    through
}
