//! What the core allocates for records that neither wait nor fail.

use std::sync::Arc;

use crate::core::Core;
use crate::core::calls::{
    Begun, Called, Calls, Change, Decoded, Delivery, Outcome, SendOut, StateIn, StateOut,
};
use crate::core::event::{CommitEnd, Event, Incoming, Names, Now, Records, StreamNameBuf};
use crate::core::message::Packed;
use crate::core::plan::Plan;
use crate::core::recover::Recovered;
use crate::core::seams::Seams;
use crate::ids::{HandlerIx, PartitionIx, RouteIx, RunId};
use crate::stream::Slot;
use crate::table::frame::Frame;
use crate::table::message::Context;

use super::calls::{SENT_TOPIC, SENT_TYPE};
use super::world::plan;

const BATCH: u64 = 500;

/// A handler that counts in its state, and sends one message. It allocates nothing itself, so all
/// that is counted is the core's.
#[derive(Default)]
struct Counting;

impl Calls for Counting {
    fn begin(&mut self, _: &[Begun]) {}

    fn call(&mut self, _: RunId, _: HandlerIx, delivery: Delivery) -> Called {
        let Delivery { message, states, buffer, .. } = delivery;
        let mut outcome = Outcome { buffer, ..Outcome::default() };
        for state in states {
            // The value that was lent comes back in its box.
            let mut value = match state {
                StateIn::Decoded(value) => value.into_inner().unwrap(),
                StateIn::Absent | StateIn::Stored { .. } => Box::new(0_u8),
            };
            let count = value.downcast_mut::<u8>().unwrap();
            *count = (*count + 1) % 10;
            let json = outcome.put(&[b'0' + *count]);
            let change = Change::Put { schema: 1, json };
            outcome.states.push(StateOut { change, decoded: Some(Decoded::new(value)) });
        }
        let key = message.key().map(|key| outcome.put(key.as_bytes()));
        let (topic, type_name, headers) = (SENT_TOPIC, SENT_TYPE, 0..0);
        let body = outcome.put(b"body");
        outcome.sends.push(SendOut { topic, type_name, key, headers, body });
        Called::Done(outcome)
    }

    fn poll(&mut self, _: RunId) -> Called {
        unreachable!("nothing is pending")
    }

    fn cancel(&mut self, _: RunId) {}
}

fn records(names: &Arc<Names>, from: u64) -> Records {
    // As a reader makes it of a buffer that many records share.
    let message = Packed::of(Some("ada"), b"", b"0");
    let records = (from..from + BATCH).map(|n| Incoming {
        offset: n,
        stream: 0,
        slot: Slot::of("ada").0,
        sequence: n + 1,
        context: Context::default(),
        time_ms: n,
        digest: n.into(),
        route: Some(RouteIx(0)),
        message: message.clone(),
    });
    Records { partition: PartitionIx(0), names: Arc::clone(names), records: records.collect() }
}

#[test]
fn a_record_that_neither_waits_nor_fails_allocates_nothing() {
    let (service, topic) = ("web".into(), "in".into());
    let stream = StreamNameBuf::Endwise { service, store: 1, epoch: 1, writer: 0, topic };
    let names = Arc::new(Names { no: 1, streams: vec![stream] });
    let plan = Plan { ..plan() };
    let limits = crate::core::plan::CoreLimits { turn_calls: 10_000, prev_keys: 9, ..plan.limits };
    let plan = Arc::new(Plan { limits, ..plan });
    let mut core = Core::open(&Recovered::default(), plan, 1, Now::default()).unwrap();
    let (mut frame, mut actions, mut calls) = (Frame::default(), Vec::new(), Counting);
    let mut allocations = Vec::new();
    for round in 0..12 {
        let batch = records(&names, round * BATCH);
        let counted = allocation_counter::measure(|| {
            let (calls, frame, actions) = (&mut calls, &mut frame, &mut actions);
            let mut seams = Seams { calls, frame, actions };
            core.on(Now::default(), Event::Records(batch), &mut seams);
            let no = core.seal(Now::default(), frame).unwrap();
            frame.clear();
            let mut seams = Seams { calls, frame, actions };
            core.on(Now::default(), Event::Committed(no, CommitEnd::Durable), &mut seams);
            actions.clear();
        });
        allocations.push(counted.count_total);
    }
    // A few for each batch, whose buffers grow in the first rounds; none for each record.
    let most = allocations.iter().skip(4).max().unwrap();
    assert!(*most <= 12, "{allocations:?} in batches of {BATCH} records");
}
