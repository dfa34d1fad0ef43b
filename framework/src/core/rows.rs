//! The rows of a stored delivery.

use super::calls::Failed;
use super::jobs::{Job, Origin};
use super::message::Packed;
use super::mutants::{self, Mutant};
use super::plan::Plan;
use crate::ids::DeliveryId;
use crate::table::delivery::{DeliveryRow, DeliveryTable};
use crate::table::failure::{FailureKey, FailureRow, FailureTable};
use crate::table::frame::Frame;
use crate::table::message::{MessageRow, MessageTable};

/// Of a longer history the first few failures stay, and the last ones.
const FIRST_FAILURES: u32 = 4;
const LAST_FAILURES: u32 = 12;

/// Puts the row of a delivery.
pub(crate) fn put_delivery(
    id: DeliveryId,
    job: &Job,
    key: Option<&str>,
    plan: &Plan,
    frame: &mut Frame,
) {
    let tries = job.tries;
    let row = DeliveryRow {
        position: job.origin.position,
        handler: plan[job.origin.handler].name,
        key,
        since_ms: tries.since_ms,
        wait: tries.wait,
        attempts: tries.attempts,
        failures: tries.failures,
        late: tries.late,
    };
    frame.put::<DeliveryTable>(&id, &row);
}

/// Puts the message of a delivery that is stored from here on.
pub(crate) fn put_message(
    id: DeliveryId,
    origin: &Origin,
    message: &Packed,
    plan: &Plan,
    frame: &mut Frame,
) {
    let Some(route) = origin.route.and_then(|route| plan.routes.get(usize::from(route.0))) else {
        return;
    };
    let row = MessageRow {
        topic: route.topic,
        type_name: route.type_name,
        context: origin.context,
        digest: Some(origin.digest),
        handlers: route.handlers.iter().map(|handler| plan[*handler].name).collect(),
        headers: message.headers(),
        body: message.body(),
    };
    if mutants::holds(Mutant::MessageIsNotStored) {
        frame.put::<MessageTable>(&id, &row);
    }
}

/// Puts a failed attempt behind the others.
pub(crate) fn put_failure(
    id: DeliveryId,
    job: &Job,
    failed: &Failed,
    at_ms: u64,
    frame: &mut Frame,
) {
    let nth = job.tries.failures.saturating_sub(1);
    let errors = failed.errors.iter().map(String::as_str).collect();
    let row = FailureRow { at_ms, attempt: job.tries.attempts, how: failed.how, errors };
    frame.put::<FailureTable>(&FailureKey { delivery: id, nth }, &row);
    if let Some(nth) = nth.checked_sub(LAST_FAILURES).filter(|nth| *nth >= FIRST_FAILURES) {
        frame.remove::<FailureTable>(&FailureKey { delivery: id, nth });
    }
}

/// Removes all rows of a delivery that is stored no more.
pub(crate) fn remove(id: DeliveryId, failures: u32, frame: &mut Frame) {
    if !mutants::holds(Mutant::RowsStay) {
        return;
    }
    frame.remove::<DeliveryTable>(&id);
    frame.remove::<MessageTable>(&id);
    let last = failures.saturating_sub(LAST_FAILURES).max(FIRST_FAILURES)..failures;
    for nth in (0..failures.min(FIRST_FAILURES)).chain(last) {
        frame.remove::<FailureTable>(&FailureKey { delivery: id, nth });
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::ids::{HandlerIx, LaneNo, Position};
    use crate::store::How;
    use crate::table::Table;
    use crate::table::delivery::StoredWait;

    use super::super::jobs::{Stage, Tries};

    #[test]
    fn a_history_keeps_its_first_four_and_last_twelve_and_leaves_nothing() {
        let (handler, position) = (HandlerIx(0), Position::default());
        let context = crate::table::message::Context::default();
        let mut job = Job {
            origin: Origin { position, handler, route: None, digest: 0, context },
            lane: LaneNo(0),
            stage: Stage::Ready,
            due_ms: None,
            message: None,
            tries: Tries {
                attempts: 0,
                failures: 0,
                late: false,
                since_ms: 0,
                wait: StoredWait::Held,
            },
            is_stored: true,
        };
        let (id, failed) = (DeliveryId(1), Failed { how: How::Failed, errors: vec!["no".into()] });
        let mut stored = BTreeSet::new();
        let mut apply = |frame: &mut Frame| {
            for row in frame.view().rows().map(Result::unwrap) {
                if row.table != FailureTable::ID {
                    continue;
                }
                let nth = FailureTable::read_key(row.key).unwrap().nth;
                if row.value.is_some() {
                    stored.insert(nth)
                } else {
                    stored.remove(&nth)
                };
            }
            frame.clear();
            stored.iter().copied().collect::<Vec<_>>()
        };
        for count in 1..=40_u32 {
            (job.tries.attempts, job.tries.failures) = (count, count);
            let mut frame = Frame::default();
            put_failure(id, &job, &failed, 5, &mut frame);
            let kept = apply(&mut frame);
            let expected: Vec<u32> = (0..count).filter(|n| *n < 4 || n + 12 >= count).collect();
            assert_eq!(kept, expected);
        }
        let mut frame = Frame::default();
        remove(id, 40, &mut frame);
        assert_eq!(apply(&mut frame), Vec::<u32>::new());
    }
}
