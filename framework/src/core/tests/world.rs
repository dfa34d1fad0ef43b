//! One core, its store, a broker of a few partitions, and senders.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::calls::{Handlers, Id};
use super::store::Store;
use crate::core::Core;
use crate::core::action::{Action, Note};
use crate::core::event::{CommitEnd, Event, Incoming, Load, Names, Now, Records, StreamNameBuf};
use crate::core::message::Packed;
use crate::core::plan::{CoreLimits, HandlerPlan, Plan, RoutePlan};
use crate::core::requests::Reply;
use crate::core::seams::{Seams, Turn};
use crate::ids::{
    ComponentIx, FrameNo, HandlerIx, LoadId, NameNo, PartitionIx, RouteIx, RunId, Ticket,
};
use crate::policy::{Gap, OnFailure, Order};
use crate::stream::Slot;
use crate::table::frame::Frame;
use crate::table::message::Context;

pub(super) const A: HandlerIx = HandlerIx(0);
pub(super) const B: HandlerIx = HandlerIx(1);
pub(super) const C: HandlerIx = HandlerIx(2);
pub(super) const D: HandlerIx = HandlerIx(3);

/// The states of both components.
pub(super) const STATES: [&[NameNo]; 2] = [&[NameNo(10), NameNo(11)], &[NameNo(12)]];

/// A and B share states, and hold behind a dead letter; C skips one after five seconds; D is in no
/// order.
pub(super) fn plan() -> Plan {
    let on_failure = |gap| OnFailure {
        attempts: 3,
        min: Duration::from_millis(100),
        max: Duration::from_secs(2),
        gap,
        ..OnFailure::default()
    };
    let handler = |name, component, order, states: &[usize], gap| HandlerPlan {
        name: NameNo(name),
        component: ComponentIx(component),
        order,
        states: states.to_vec(),
        on_failure: on_failure(gap),
    };
    let skip = Gap::Skip(Duration::from_secs(5));
    let route = |type_name, handlers: &[HandlerIx]| RoutePlan {
        topic: NameNo(1),
        type_name: NameNo(type_name),
        handlers: handlers.to_vec(),
    };
    Plan {
        components: vec![STATES[0].to_vec(), STATES[1].to_vec(), vec![]],
        handlers: vec![
            handler(20, 0, Order::Key, &[0], Gap::Hold),
            handler(21, 0, Order::Key, &[1, 0], Gap::Hold),
            handler(22, 1, Order::Key, &[0], skip),
            handler(23, 2, Order::None, &[], Gap::Hold),
        ],
        routes: vec![route(2, &[A]), route(3, &[A, B, C]), route(4, &[C, D]), route(5, &[B, A])],
        limits: CoreLimits { turn_calls: 7, followers: 3, in_flight: 40, prev_keys: 4 },
    }
}

/// A message that a sender has sent.
#[derive(Clone, Debug)]
pub(super) struct SentIn {
    pub(super) id: Id,
    pub(super) stream: u32,
    pub(super) slot: u8,
    pub(super) sequence: u64,
    pub(super) key: Option<String>,
    pub(super) route: RouteIx,
}

/// The broker and the senders.
#[derive(Debug, Default)]
pub(super) struct Road {
    /// Records by partition, as indexes into what was sent.
    pub(super) records: [Vec<usize>; 2],
    pub(super) sent: Vec<SentIn>,
    sequences: BTreeMap<(u32, u8), u64>,
}

impl Road {
    pub(super) fn send(&mut self, stream: u32, key: Option<&str>, route: u16) -> Id {
        let slot = key.map_or(Slot((self.sent.len() % 256) as u8), Slot::of).0;
        let sequence = self.sequences.entry((stream, slot)).or_default();
        *sequence += 1;
        let id = Id(self.sent.len() as u32);
        let (key, route) = (key.map(str::to_owned), RouteIx(route));
        self.sent.push(SentIn { id, stream, slot, sequence: *sequence, key, route });
        self.records[usize::from(slot) % 2].push(id.0 as usize);
        id
    }

    /// Puts a copy of a message onto its partition.
    pub(super) fn send_again(&mut self, id: Id) {
        let slot = self.sent[id.0 as usize].slot;
        self.records[usize::from(slot) % 2].push(id.0 as usize);
    }

    fn records(&self, partition: PartitionIx, from: u64, most: usize, no: u64) -> Records {
        let records = self.records[partition.0 as usize].iter().enumerate();
        let records = records.skip(from as usize).take(most).map(|(offset, index)| {
            let SentIn { id, stream, slot, sequence, key, route } = &self.sent[*index];
            Incoming {
                offset: offset as u64,
                // A dictionary may have any order.
                stream: if no.is_multiple_of(2) { 1 - stream } else { *stream },
                slot: *slot,
                sequence: *sequence,
                context: Context { prev: None, horizon: 0, floor: 1 },
                time_ms: *sequence,
                digest: id.0.into(),
                route: Some(*route),
                message: Packed::of(key.as_deref(), b"h", id.0.to_string().as_bytes()),
            }
        });
        let mut streams = vec![stream_name(0), stream_name(1)];
        if no.is_multiple_of(2) {
            streams.reverse();
        }
        let names = Arc::new(Names { no, streams });
        Records { partition, names, records: records.collect() }
    }
}

fn stream_name(stream: u32) -> StreamNameBuf {
    let (service, store, epoch, writer, topic) = ("web".into(), stream.into(), 1, 0, "in".into());
    StreamNameBuf::Endwise { service, store, epoch, writer, topic }
}

/// All of it. Nothing happens by itself: a test, or a simulation, says what is next.
#[derive(Debug)]
pub(super) struct World {
    pub(super) core: Option<Core>,
    pub(super) handlers: Handlers,
    pub(super) store: Store,
    pub(super) road: Road,
    pub(super) now: Now,
    pub(super) frame: Frame,
    /// Sealed, and not durable.
    pub(super) flying: Option<Frame>,
    /// It was handed to the store once, which did not say what became of it.
    pub(super) is_in_doubt: bool,
    /// Where each partition is read.
    pub(super) read: [u64; 2],
    pub(super) loads: Vec<(LoadId, Load)>,
    pub(super) notes: Vec<Note>,
    pub(super) replies: Vec<(Ticket, Reply)>,
    /// How far brokers were told.
    pub(super) settled: [u64; 2],
    pub(super) turn: Turn,
    pub(super) lives: u64,
    plan: Arc<Plan>,
    pub(super) events: u64,
    /// Runs that were pending at some time.
    pub(super) woken: Vec<RunId>,
}

impl World {
    pub(super) fn new(plan: Plan) -> Self {
        let mut world = World {
            core: None,
            handlers: Handlers::default(),
            store: Store::default(),
            road: Road::default(),
            now: Now { mono_ms: 0, wall_ms: 1_000_000 },
            frame: Frame::default(),
            flying: None,
            is_in_doubt: false,
            read: [0; 2],
            loads: Vec::new(),
            notes: Vec::new(),
            replies: Vec::new(),
            settled: [0; 2],
            turn: Turn::Idle { wake_mono_ms: None },
            lives: 0,
            plan: Arc::new(plan),
            events: 0,
            woken: Vec::new(),
        };
        world.open();
        world
    }

    /// Opens the core on what is durable.
    fn open(&mut self) {
        self.lives += 1;
        let plan = Arc::clone(&self.plan);
        let core = Core::open(&self.store.recovered(), plan, 7, self.now).unwrap();
        self.core = Some(core);
        (self.flying, self.is_in_doubt) = (None, false);
        self.frame.clear();
        self.loads.clear();
        self.handlers.unready.clear();
        self.read = [0, 1].map(|partition| self.store.cursor(PartitionIx(partition)));
        self.turn = Turn::Idle { wake_mono_ms: None };
        self.on(Event::Go);
    }

    /// The process dies, and starts again. The frame on its way may have become durable.
    pub(super) fn crash(&mut self, keeps_frame: bool) {
        if let Some(frame) = self.flying.take()
            && keeps_frame
            && self.store.last != frame.no
        {
            self.store.commit(&frame);
        }
        self.core = None;
        self.handlers.pending.clear();
        self.open();
    }

    /// Somebody else had the shard for a while: the core is dropped, and opened again.
    fn rebuild(&mut self) {
        if let Some(core) = self.core.take() {
            core.close(&mut self.handlers);
        }
        assert!(self.handlers.pending.is_empty(), "all runs are dropped");
        self.open();
    }

    pub(super) fn on(&mut self, event: Event) {
        let Some(core) = &mut self.core else { return };
        self.events += 1;
        let mut actions = Vec::new();
        let (calls, frame) = (&mut self.handlers, &mut self.frame);
        let mut seams = Seams { calls, frame, actions: &mut actions };
        self.turn = core.on(self.now, event, &mut seams);
        for action in actions {
            let is_over = matches!(action, Action::Rebuild);
            self.carry_out(action);
            if is_over {
                // What the old core asked for is nothing to the new one.
                return;
            }
        }
    }

    fn carry_out(&mut self, action: Action) {
        match action {
            // What the commit needs is done by `commit`, at a time of the test's choice.
            Action::CommitAgain(no) | Action::Resolve(no) => {
                assert_eq!(self.flying.as_ref().map(|frame| frame.no), Some(no));
            }
            Action::Rebuild => self.rebuild(),
            Action::Settle(all) => {
                for committed in all {
                    let partition = committed.partition();
                    assert!(
                        committed.next() <= self.store.cursor(partition),
                        "before it is durable"
                    );
                    let told = &mut self.settled[partition.0 as usize];
                    *told = committed.next().max(*told);
                }
            }
            Action::Load(loads) => self.loads.extend(loads),
            Action::Reply(ticket, reply) => self.replies.push((ticket, reply)),
            Action::Damaged(error) => panic!("{error}"),
            Action::Note(note) => self.notes.push(note),
        }
    }

    /// Hands in up to so many records of a partition, if the core has room; how many.
    pub(super) fn fetch(&mut self, partition: u32, most: usize) -> usize {
        if !self.core.as_ref().is_some_and(Core::has_room) {
            return 0;
        }
        let from = self.read[partition as usize];
        let records = self.road.records(PartitionIx(partition), from, most, 1 + self.events % 3);
        let count = records.records.len();
        self.read[partition as usize] += count as u64;
        if count > 0 {
            self.on(Event::Records(records));
        }
        count
    }

    /// Hands in all records, and lets all that may run begin.
    pub(super) fn fetch_all(&mut self) {
        while self.fetch(0, 16) + self.fetch(1, 16) > 0 || self.turn == Turn::More {
            self.on(Event::Go);
        }
    }

    /// Commits what is gathered.
    pub(super) fn make_durable(&mut self) {
        assert!(self.seal(), "nothing is gathered, or a frame is on its way");
        self.commit(CommitEnd::Durable);
    }

    /// Seals the frame, if that may be.
    pub(super) fn seal(&mut self) -> bool {
        let Some(core) = &mut self.core else { return false };
        let Some(no) = core.seal(self.now, &mut self.frame) else { return false };
        assert_eq!(no, FrameNo(self.store.last.0 + 1));
        self.flying = Some(std::mem::take(&mut self.frame));
        true
    }

    /// The store says what became of the frame on its way.
    pub(super) fn commit(&mut self, end: CommitEnd) {
        let Some(frame) = &self.flying else { return };
        let no = frame.no;
        match end {
            CommitEnd::Durable => {
                if self.store.last != no {
                    self.store.commit(frame);
                }
                (self.flying, self.is_in_doubt) = (None, false);
            }
            CommitEnd::Unknown => self.is_in_doubt = true,
            CommitEnd::NoRoom | CommitEnd::Absent | CommitEnd::Fenced => self.is_in_doubt = false,
        }
        self.on(Event::Committed(no, end));
    }

    /// Reads what was asked for.
    pub(super) fn load(&mut self) {
        let loads = std::mem::take(&mut self.loads);
        if !loads.is_empty() {
            let rows = loads.iter().map(|(id, load)| (*id, self.store.load(load)));
            let rows = rows.collect();
            self.on(Event::Loaded(rows));
        }
    }

    pub(super) fn wait(&mut self, ms: u64) {
        self.now.mono_ms += ms;
        self.now.wall_ms += ms;
        self.on(Event::Go);
    }

    /// All that was fetched is done and durable.
    pub(super) fn settle_all_but_fetching(&mut self) {
        let records = std::mem::take(&mut self.road.records);
        self.settle();
        self.road.records = records;
    }

    /// All goes well until nothing is left to do but what waits for its time, or for an operator.
    pub(super) fn settle(&mut self) {
        for round in 0.. {
            assert!(round < 100_000, "it never ends: {self:?}");
            self.handlers.unready.clear();
            for handler in [A, B, C, D] {
                self.on(Event::HandlerReady(handler));
            }
            let fetched = self.fetch(0, 16) + self.fetch(1, 16);
            let woken = self.handlers.waiting();
            let is_woken = !woken.is_empty();
            self.on(Event::Woken(woken));
            let loads = !self.loads.is_empty();
            self.load();
            // One that was on its way before goes first, and another one after it.
            let sealed = self.flying.is_some() || self.seal();
            self.commit(CommitEnd::Durable);
            let health = self.core.as_ref().unwrap().health();
            let is_more = self.turn != Turn::Idle { wake_mono_ms: None };
            if !(is_woken || loads || sealed) && fetched == 0 {
                match self.turn {
                    Turn::Idle { .. } if health.is_idle => return,
                    _ => assert!(is_more || !health.is_idle),
                }
            }
        }
    }

    /// The same, and waits until nothing waits for its time any more.
    pub(super) fn settle_in_time(&mut self) {
        loop {
            self.settle();
            let Turn::Idle { wake_mono_ms: Some(due) } = self.turn else { return };
            self.wait(due.saturating_sub(self.now.mono_ms));
        }
    }
}
