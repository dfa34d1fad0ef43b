//! Single claims, each with the shortest way to it.

use super::calls::{Id, Script, Writes};
use super::expected::{self, Exceptions};
use super::world::{A, B, C, D, STATES, World, plan};
use crate::core::action::Note;
use crate::core::event::{CommitEnd, Event};
use crate::core::requests::{Reply, Request};
use crate::ids::{DeliveryId, HandlerIx, Ticket};
use crate::table::Table;
use crate::table::delivery::{DeliveryTable, StoredWait};
use crate::table::pending::PendingTable;

fn script(world: &mut World, id: Id, handler: HandlerIx, script: Script) {
    world.handlers.scripts.insert((id, handler), script);
}

const PLAIN: Script = Script { fails: 0, pends: 0, is_poison: false, writes: Writes::Note };
const FAILS_ONCE: Script = Script { fails: 1, ..PLAIN };
const PENDS: Script = Script { pends: 1, ..PLAIN };
const POISON: Script = Script { is_poison: true, ..PLAIN };

fn calls_of(world: &World, handler: HandlerIx) -> Vec<u32> {
    let of = world.handlers.called.iter().filter(|call| call.1 == handler);
    of.map(|call| call.0.0).collect()
}

#[test]
fn a_message_is_settled_by_the_commit_that_holds_its_effect() {
    let mut world = World::new(plan());
    for key in ["ada", "bob", "ada"] {
        world.road.send(0, Some(key), 0);
    }
    world.fetch_all();
    assert_eq!(world.settled, [0, 0], "nothing is durable");
    assert!(world.seal());
    assert_eq!(world.settled, [0, 0]);
    world.commit(CommitEnd::Durable);
    assert_eq!(world.settled.iter().sum::<u64>(), 3);
    expected::check(&world.store, &world.road, &Exceptions::default());
}

#[test]
fn a_copy_is_a_duplicate_before_and_after_a_start() {
    let mut world = World::new(plan());
    let id = world.road.send(0, Some("ada"), 1);
    world.road.send_again(id);
    world.settle();
    world.road.send_again(id);
    world.settle();
    world.crash(false);
    world.road.send_again(id);
    world.settle();
    assert_eq!(world.handlers.called.len(), 3, "each handler once");
    expected::check(&world.store, &world.road, &Exceptions::default());
}

#[test]
fn a_pending_call_holds_its_key_alone() {
    let mut world = World::new(plan());
    let first = world.road.send(0, Some("ada"), 0);
    world.road.send(0, Some("ada"), 0);
    world.road.send(0, Some("bob"), 0);
    script(&mut world, first, A, PENDS);
    world.fetch_all();
    assert_eq!(calls_of(&world, A), [0, 2]);
    world.make_durable();
    let runs = world.handlers.waiting();
    world.on(Event::Woken([&runs[..], &runs[..]].concat()));
    assert_eq!(calls_of(&world, A), [0, 2, 1], "a wake that comes twice is one");
    world.settle();
    expected::check(&world.store, &world.road, &Exceptions::default());
}

#[test]
fn a_failed_attempt_closes_its_lane_and_is_stored_with_its_message() {
    let mut world = World::new(plan());
    let first = world.road.send(0, Some("ada"), 0);
    world.road.send(0, Some("ada"), 0);
    script(&mut world, first, A, FAILS_ONCE);
    world.settle();
    assert_eq!(calls_of(&world, A), [0]);
    assert_eq!(
        world.store.count(DeliveryTable::ID),
        1,
        "followers within the limit stay in memory"
    );
    // The record is settled: after a crash the store alone has it.
    world.crash(false);
    world.settle();
    assert_eq!(calls_of(&world, A), [0], "it waits out its time");
    world.settle_in_time();
    assert_eq!(world.handlers.called.iter().map(|call| call.2).collect::<Vec<_>>(), [1, 2, 1]);
    expected::check(&world.store, &world.road, &Exceptions::default());
}

#[test]
fn followers_beyond_a_few_are_stored_and_come_back_in_order() {
    let mut world = World::new(plan());
    let first = world.road.send(0, Some("ada"), 0);
    script(&mut world, first, A, POISON);
    for _ in 0..20 {
        world.road.send(0, Some("ada"), 0);
    }
    world.settle();
    let held = |world: &World| {
        let held = |row: &&(DeliveryId, StoredWait)| row.1 == StoredWait::Held;
        world.store.deliveries().iter().filter(held).count()
    };
    assert_eq!(held(&world), 20, "behind a dead letter none stays in memory alone");
    world.crash(true);
    world.road.send(0, Some("ada"), 0);
    world.settle();
    world.handlers.is_cured = true;
    let (dead, _) = world.store.deliveries()[0];
    world.on(Event::Request(Ticket(1), Request::Replay(dead)));
    assert_eq!(world.replies, [], "nothing is answered that is not durable");
    world.settle();
    assert_eq!(world.replies, [(Ticket(1), Reply::Done)]);
    expected::check(&world.store, &world.road, &Exceptions::default());
}

#[test]
fn what_runs_for_long_is_stored_with_those_behind_it() {
    let mut world = World::new(plan());
    let first = world.road.send(0, Some("ada"), 0);
    script(&mut world, first, A, PENDS);
    for _ in 0..9 {
        world.road.send(0, Some("ada"), 0);
    }
    world.fetch_all();
    world.wait(999);
    world.make_durable();
    assert_eq!(world.store.count(DeliveryTable::ID), 0);
    world.wait(1);
    world.make_durable();
    assert_eq!(world.store.count(DeliveryTable::ID), 10);
    for _ in 0..9 {
        world.road.send(0, Some("ada"), 0);
    }
    world.fetch_all();
    world.make_durable();
    let stored = world.store.count(DeliveryTable::ID);
    assert!(stored >= 16, "those that come later are stored too: {stored}");
    world.crash(false);
    world.settle();
    expected::check(&world.store, &world.road, &Exceptions::default());
}

#[test]
fn a_dead_letter_is_skipped_after_its_deadline_and_late_when_it_is_replayed() {
    let mut world = World::new(plan());
    let first = world.road.send(0, Some("ada"), 2);
    script(&mut world, first, C, POISON);
    world.road.send(0, Some("ada"), 2);
    world.settle();
    assert_eq!(calls_of(&world, C), [0]);
    world.settle_in_time();
    assert_eq!(calls_of(&world, C), [0, 1]);
    let (dead, wait) = world.store.deliveries()[0];
    assert!(matches!(wait, StoredWait::DeadSkipped { .. }), "{wait:?}");
    assert!(world.notes.contains(&Note::Skipped { delivery: dead }));
    world.crash(false);
    world.handlers.is_cured = true;
    world.on(Event::Request(Ticket(1), Request::Replay(dead)));
    world.settle();
    assert_eq!(world.handlers.called.last(), Some(&(first, C, 1, true)));
    let late = [(first, C)].into();
    expected::check(&world.store, &world.road, &Exceptions { late, ..Exceptions::default() });
}

#[test]
fn a_dead_letter_in_no_order_is_replayed_and_discarded() {
    let mut world = World::new(plan());
    let (first, second) = (world.road.send(0, None, 2), world.road.send(0, Some("ada"), 2));
    script(&mut world, first, D, POISON);
    script(&mut world, second, D, POISON);
    world.settle();
    let dead: Vec<_> = world.store.deliveries().into_iter().map(|(id, _)| id).collect();
    assert_eq!(dead.len(), 2);
    world.crash(false);
    world.handlers.is_cured = true;
    world.on(Event::Request(Ticket(1), Request::Replay(dead[0])));
    world.on(Event::Request(Ticket(2), Request::Discard(dead[1])));
    world.on(Event::Request(Ticket(3), Request::Discard(DeliveryId(99))));
    world.settle();
    let replies = [Reply::Done, Reply::Done, Reply::Missing];
    assert_eq!(world.replies.iter().map(|reply| reply.1).collect::<Vec<_>>(), replies);
    let gone = world.handlers.called.last().map(|call| call.0).unwrap();
    let discarded = [(if gone == first { second } else { first }, D)].into();
    let exceptions = Exceptions { discarded, ..Exceptions::default() };
    expected::check(&world.store, &world.road, &exceptions);
}

#[test]
fn several_handlers_of_a_position_settle_it_once() {
    let mut world = World::new(plan());
    let id = world.road.send(0, Some("ada"), 1);
    script(&mut world, id, B, PENDS);
    world.fetch_all();
    world.make_durable();
    assert_eq!((world.store.count(PendingTable::ID), world.settled), (1, [0, 0]));
    world.crash(false);
    world.settle();
    let calls = [calls_of(&world, A), calls_of(&world, B), calls_of(&world, C)];
    assert_eq!(calls.map(|calls| calls.len()), [1, 2, 1], "those that were done stay done");
    expected::check(&world.store, &world.road, &Exceptions::default());
}

#[test]
fn a_handler_that_is_not_ready_is_asked_again_when_it_is() {
    let mut world = World::new(plan());
    world.handlers.unready.push(A);
    world.road.send(0, Some("ada"), 0);
    world.road.send(0, Some("ada"), 0);
    world.fetch_all();
    world.on(Event::Go);
    assert_eq!(world.handlers.called, []);
    world.handlers.unready.clear();
    world.on(Event::HandlerReady(A));
    assert_eq!(calls_of(&world, A), [0, 1]);
    world.settle();
    expected::check(&world.store, &world.road, &Exceptions::default());
}

#[test]
fn without_room_nothing_begins_and_nothing_is_lost() {
    let mut world = World::new(plan());
    world.road.send(0, Some("ada"), 0);
    world.settle();
    world.road.send(0, Some("ada"), 0);
    world.road.send(0, Some("ada"), 0);
    world.fetch(0, 1);
    world.fetch(1, 1);
    world.seal();
    world.commit(CommitEnd::NoRoom);
    assert_eq!((world.fetch(0, 9), world.fetch(1, 9)), (0, 0));
    assert_eq!(calls_of(&world, A).len(), 2);
    world.commit(CommitEnd::Durable);
    world.settle();
    expected::check(&world.store, &world.road, &Exceptions::default());
}

#[test]
fn a_commit_in_doubt_is_resolved_and_a_fenced_one_is_rebuilt() {
    for end in [CommitEnd::Durable, CommitEnd::Absent] {
        let mut world = World::new(plan());
        world.road.send(0, Some("ada"), 1);
        world.fetch_all();
        world.seal();
        world.commit(CommitEnd::Unknown);
        world.commit(end);
        world.settle();
        assert_eq!(world.lives, 1);
        expected::check(&world.store, &world.road, &Exceptions::default());
    }
    let mut world = World::new(plan());
    let id = world.road.send(0, Some("ada"), 1);
    script(&mut world, id, B, PENDS);
    world.fetch_all();
    world.seal();
    world.commit(CommitEnd::Fenced);
    assert_eq!(world.lives, 2);
    world.settle();
    expected::check(&world.store, &world.road, &Exceptions::default());
}

#[test]
fn a_known_position_with_another_message_is_reported() {
    let mut world = World::new(plan());
    let first = world.road.send(0, Some("ada"), 0);
    script(&mut world, first, A, PENDS);
    let mut other = world.road.sent[0].clone();
    other.id = Id(1);
    world.road.sent.push(other);
    world.road.records[usize::from(world.road.sent[0].slot) % 2].push(1);
    world.fetch_all();
    assert!(matches!(world.notes[..], [Note::Mismatch { .. }]), "{:?}", world.notes);
    world.settle();
    assert_eq!(world.settled.iter().sum::<u64>(), 1, "it is not acknowledged");
}

#[test]
fn a_message_that_no_handler_takes_is_not_acknowledged() {
    let mut world = World::new(plan());
    world.road.send(0, Some("ada"), 0);
    world.road.send(0, Some("ada"), 99);
    world.road.send(0, Some("ada"), 0);
    world.settle();
    assert!(matches!(world.notes[..], [Note::NoHandler { .. }]), "{:?}", world.notes);
    assert_eq!(calls_of(&world, A), [0, 2]);
    assert_eq!(world.settled.iter().sum::<u64>(), 1, "what comes behind it is done, and open");
}

#[test]
fn a_state_that_is_deleted_is_gone_and_one_that_is_let_be_stays() {
    let mut world = World::new(plan());
    let ids = [0; 4].map(|_| world.road.send(0, Some("ada"), 0));
    script(&mut world, ids[1], A, Script { writes: Writes::Nothing, ..PLAIN });
    script(&mut world, ids[2], A, Script { writes: Writes::Delete, ..PLAIN });
    let state = |world: &World| world.store.state(STATES[0][0], "ada");
    let expected = [Some("[[0,0]]"), Some("[[0,0]]"), None, Some("[[3,0]]")];
    let partition = u32::from(world.road.sent[0].slot) % 2;
    for wanted in expected {
        // As it was left in memory, and as it is read after a start.
        world.fetch(partition, 1);
        world.settle_all_but_fetching();
        assert_eq!(state(&world).as_deref(), wanted.map(str::as_bytes));
        world.crash(false);
    }
}
