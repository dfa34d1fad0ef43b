//! A core as it stands on what is durable.

use std::sync::Arc;

use super::Core;
use super::commits::Commits;
use super::deliveries::Deliveries;
use super::effects::Effects;
use super::event::Now;
use super::jobs::{Job, Jobs, Origin, Stage};
use super::loading::Loading;
use super::plan::Plan;
use super::positions::Positions;
use super::retry;
use super::streams::Streams;
use super::work::Work;
use crate::ids::{DeliveryId, FrameNo, HandlerIx, NameNo, TableId};
use crate::policy::Order;
use crate::table::cursor::CursorTable;
use crate::table::delivery::{DeliveryRow, DeliveryTable};
use crate::table::message::Context;
use crate::table::pending::PendingTable;
use crate::table::sequence::SequenceTable;
use crate::table::settled::SettledRun;
use crate::table::state::StateTable;
use crate::table::stream::StreamTable;
use crate::table::{RowError, Table, check_version};

/// The durable state of a shard when it is opened.
#[derive(Clone, Debug, Default)]
pub(crate) struct Recovered {
    /// The last frame that is durable.
    pub(crate) last: FrameNo,
    pub(crate) settled: Vec<SettledRun>,
    pub(crate) rows: Vec<RecoveredRow>,
}

/// A row. Messages and failures need not be among them; of states the keys alone are read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RecoveredRow {
    pub(crate) table: TableId,
    pub(crate) version: u8,
    pub(crate) key: Vec<u8>,
    pub(crate) value: Vec<u8>,
}

/// Why a shard cannot be opened.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum OpenError {
    /// A row cannot be read.
    #[error(transparent)]
    Row(#[from] RowError),
    /// Something is left to do for a handler that the app lacks.
    #[error("something is left to do for a handler, number {0}, that the app does not have")]
    Handler(NameNo),
}

impl RecoveredRow {
    fn read<T: Table>(&self) -> Result<(T::Key<'_>, T::Row<'_>), RowError> {
        check_version::<T>(self.version)?;
        Ok((T::read_key(&self.key)?, T::read_row(self.version, &self.value)?))
    }
}

/// The parts of a core, as rows fill them.
struct Parts<'a> {
    plan: &'a Plan,
    now: Now,
    streams: Streams,
    deliveries: Deliveries,
}

impl Core {
    /// Opens a shard: what was stored waits in its lanes again, before anything comes.
    pub(crate) fn open(
        recovered: &Recovered,
        plan: Arc<Plan>,
        seed: u64,
        now: Now,
    ) -> Result<Self, OpenError> {
        let deliveries = Deliveries {
            work: Work::default(),
            positions: Positions::default(),
            effects: Effects::new(plan.limits.prev_keys),
            jobs: Jobs::new(DeliveryId(1)),
            loading: Loading::default(),
            seed,
        };
        let mut parts = Parts { plan: &plan, now, streams: Streams::default(), deliveries };
        for run in &recovered.settled {
            parts.deliveries.positions.inbox.recover_run(run);
        }
        // States first: a lane that is made after them knows that it has some.
        let states = recovered.rows.iter().filter(|row| row.table == StateTable::ID);
        let others = recovered.rows.iter().filter(|row| row.table != StateTable::ID);
        states.chain(others).try_for_each(|row| parts.add(row))?;
        let Parts { streams, deliveries, .. } = parts;
        Ok(Core { plan, streams, deliveries, commits: Commits::after(recovered.last) })
    }
}

impl Parts<'_> {
    fn add(&mut self, row: &RecoveredRow) -> Result<(), OpenError> {
        let deliveries = &mut self.deliveries;
        match row.table {
            StateTable::ID => deliveries.effects.lanes.recover(StateTable::read_key(&row.key)?.key),
            StreamTable::ID => {
                let (number, name) = row.read::<StreamTable>()?;
                self.streams.recover(number, &name);
            }
            CursorTable::ID => {
                let (partition, next) = row.read::<CursorTable>()?;
                deliveries.positions.ledger.recover(partition, next);
            }
            SequenceTable::ID => {
                let (key, last) = row.read::<SequenceTable>()?;
                deliveries.effects.outbox.recover(key, last);
            }
            PendingTable::ID => {
                let (position, left) = row.read::<PendingTable>()?;
                let left: Result<_, _> =
                    left.0.into_iter().map(|name| self.handler(name)).collect();
                self.deliveries.positions.inbox.recover_left(position, left?);
            }
            DeliveryTable::ID => {
                let (id, delivery) = row.read::<DeliveryTable>()?;
                self.delivery(id, &delivery)?;
            }
            _ => {}
        }
        Ok(())
    }

    fn handler(&self, name: NameNo) -> Result<HandlerIx, OpenError> {
        self.plan.handler_named(name).ok_or(OpenError::Handler(name))
    }

    fn delivery(&mut self, id: DeliveryId, row: &DeliveryRow<'_>) -> Result<(), OpenError> {
        let handler = self.handler(row.handler)?;
        let (of, deliveries) = (&self.plan[handler], &mut self.deliveries);
        let no = match row.key.filter(|_| of.order == Order::Key) {
            Some(key) => {
                deliveries.effects.lanes.find(of.component, key, self.plan[of.component].len())
            }
            None => deliveries.effects.lanes.own(of.component, row.key),
        };
        let wait = retry::recovered(row.wait, self.now);
        // Its message is stored: what came with it is not asked for again.
        let (position, context) = (row.position, Context::default());
        deliveries.jobs.recover(
            id,
            Job {
                origin: Origin { position, handler, route: None, digest: 0, context },
                lane: no,
                stage: wait.stage,
                due_ms: wait.due_ms,
                message: None,
                tries: row.tries(),
                is_stored: true,
            },
        );
        deliveries.effects.lanes[no].close().queue.insert(id);
        if wait.stage == Stage::Skipped {
            deliveries.effects.lanes[no].skip(id);
        }
        deliveries.queue_lane(no);
        Ok(())
    }
}
