//! What must be true of a store when all is done, computed from what was sent alone.

use std::collections::{BTreeMap, BTreeSet};

use super::calls::{History, Id, parse};
use super::store::Store;
use super::world::{A, B, C, D, Road, STATES, SentIn};
use crate::ids::HandlerIx;
use crate::table::Table;
use crate::table::delivery::DeliveryTable;
use crate::table::failure::FailureTable;
use crate::table::message::MessageTable;
use crate::table::pending::PendingTable;

/// The handlers of each route, in order.
const ROUTES: [&[HandlerIx]; 4] = [&[A], &[A, B, C], &[C, D], &[B, A]];

/// The states, by component and place, that each handler writes.
fn writes(handler: HandlerIx) -> &'static [(usize, usize)] {
    match handler {
        A => &[(0, 0)],
        B => &[(0, 1), (0, 0)],
        C => &[(1, 0)],
        _ => &[],
    }
}

/// What may differ from the plain order.
#[derive(Debug, Default)]
pub(super) struct Exceptions {
    /// Deliveries that an operator has discarded.
    pub(super) discarded: BTreeSet<(Id, HandlerIx)>,
    /// Deliveries that were handled late.
    pub(super) late: BTreeSet<(Id, HandlerIx)>,
}

/// Checks that each message had exactly one effect of each handler, in the order of its key, and
/// that nothing is left over.
pub(super) fn check(store: &Store, road: &Road, exceptions: &Exceptions) {
    effects(store, road, exceptions);
    sent(store, road, exceptions);
    for table in [DeliveryTable::ID, MessageTable::ID, FailureTable::ID, PendingTable::ID] {
        assert_eq!(store.count(table), 0, "rows of {table:?} are left");
    }
    for (partition, records) in road.records.iter().enumerate() {
        let cursor = store.cursor(crate::ids::PartitionIx(partition as u32));
        assert_eq!(cursor, records.len() as u64, "partition {partition} is done");
    }
    let mut settled = BTreeSet::new();
    for run in &store.settled {
        for sequence in run.first..=run.last {
            assert!(settled.insert((run.stream, sequence)), "{run:?} is settled twice");
        }
    }
    assert_eq!(settled.len(), road.sent.len());
}

fn deliveries<'a>(
    road: &'a Road,
    exceptions: &'a Exceptions,
) -> impl Iterator<Item = (&'a SentIn, HandlerIx)> {
    let all = road.sent.iter().flat_map(|message| {
        ROUTES[usize::from(message.route.0)].iter().map(move |handler| (message, *handler))
    });
    all.filter(|(message, handler)| !exceptions.discarded.contains(&(message.id, *handler)))
}

fn effects(store: &Store, road: &Road, exceptions: &Exceptions) {
    // By state and key, by stream: what comes in which order.
    let mut expected: BTreeMap<(usize, usize, &str), BTreeMap<u32, History>> = BTreeMap::new();
    for (message, handler) in deliveries(road, exceptions) {
        let Some(key) = &message.key else { continue };
        for (component, place) in writes(handler) {
            let of_key = expected.entry((*component, *place, key)).or_default();
            of_key.entry(message.stream).or_default().push((message.id, handler));
        }
    }
    for ((component, place, key), streams) in expected {
        let state = STATES[component][place];
        let history = store.state(state, key).map_or_else(Vec::new, |json| parse(&json));
        let all: usize = streams.values().map(Vec::len).sum();
        assert_eq!(history.len(), all, "{state:?} of {key}: {history:?} of {streams:?}");
        for (stream, in_order) in streams {
            let of_stream =
                |entry: &&(Id, HandlerIx)| road.sent[entry.0.0 as usize].stream == stream;
            let in_time = |entry: &&(Id, HandlerIx)| !exceptions.late.contains(*entry);
            let got: History = history.iter().filter(of_stream).copied().collect();
            let sorted = |history: &History| history.iter().copied().collect::<BTreeSet<_>>();
            assert_eq!(sorted(&got), sorted(&in_order), "{state:?} of {key}");
            let got: History = got.iter().filter(in_time).copied().collect();
            let wanted: History = in_order.iter().filter(in_time).copied().collect();
            assert_eq!(got, wanted, "the order of {state:?} of {key} in stream {stream}");
        }
    }
}

fn sent(store: &Store, road: &Road, exceptions: &Exceptions) {
    let mut expected: BTreeSet<_> = deliveries(road, exceptions)
        .map(|(message, handler)| format!("{}/{}", message.id.0, handler.0))
        .collect();
    let mut last: BTreeMap<u8, u64> = BTreeMap::new();
    let mut of_key: BTreeMap<&str, u64> = BTreeMap::new();
    for (head, key, body) in &store.sent {
        let body = String::from_utf8(body.clone()).unwrap();
        assert!(expected.remove(&body), "{body} was sent twice, or should not have been");
        let before = last.insert(head.slot, head.sequence).unwrap_or(0);
        assert_eq!(head.sequence, before + 1, "the sequences of slot {} are dense", head.slot);
        let Some(key) = key else { continue };
        let prev = of_key.insert(key, head.sequence);
        assert!(
            head.prev == prev || (head.prev.is_none() && prev <= Some(head.horizon)),
            "{head:?} names another message than {prev:?} of {key}"
        );
    }
    assert!(expected.is_empty(), "these were never sent: {expected:?}");
}
