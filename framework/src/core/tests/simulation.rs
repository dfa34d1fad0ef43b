//! Anything may happen, in any order: records, wakes, commits and their ends, loads, crashes,
//! operators. Then all is cured, and what is durable must be what was sent.

use super::calls::Id;
use super::expected::{self, Exceptions};
use super::world::{A, B, C, D, World, plan};
use crate::core::action::Note;
use crate::core::event::{CommitEnd, Event};
use crate::core::mutants::{self, Mutant};
use crate::core::plan::CoreLimits;
use crate::core::requests::{Reply, Request};
use crate::core::seams::Turn;
use crate::ids::{DeliveryId, Ticket};
use crate::random;
use crate::table::delivery::StoredWait;

/// Numbers of one seed, in turn.
struct Dice(u64, u64);

impl Dice {
    fn below(&mut self, most: u64) -> u64 {
        self.1 += 1;
        random::nth(self.0, self.1) % most
    }

    fn pick<T: Copy>(&mut self, of: &[T]) -> Option<T> {
        if of.is_empty() { None } else { of.get(self.below(of.len() as u64) as usize).copied() }
    }
}

const KEYS: [Option<&str>; 6] =
    [Some("ada"), Some("bob"), Some("eve"), Some("ada"), Some("joe"), None];

/// One run; how many events the core had.
fn run(seed: u64) -> u64 {
    let mut dice = Dice(seed, 0);
    let mut plan = plan();
    plan.limits = CoreLimits {
        turn_calls: 1 + dice.below(20) as usize,
        followers: dice.below(6) as usize,
        in_flight: 1 + dice.below(60) as usize,
        prev_keys: 1 + dice.below(5) as usize,
    };
    let mut world = World::new(plan);
    world.handlers.seed = seed | 1;
    let mut tickets = 0;
    for _ in 0..400 {
        step(&mut world, &mut dice, &mut tickets);
    }
    world.handlers.is_cured = true;
    world.settle_in_time();
    // All that is dead is replayed, until none is.
    while let Some((dead, _)) = world.store.deliveries().first().copied() {
        tickets += 1;
        world.on(Event::Request(Ticket(tickets), Request::Replay(dead)));
        world.settle_in_time();
        assert!(world.replies.contains(&(Ticket(tickets), Reply::Done)), "{dead:?}");
    }
    let late = world.handlers.called.iter().filter(|call| call.3);
    let late = late.map(|(id, handler, ..)| (*id, *handler)).collect();
    expected::check(&world.store, &world.road, &Exceptions { late, ..Exceptions::default() });
    world.events
}

fn step(world: &mut World, dice: &mut Dice, tickets: &mut u64) {
    match dice.below(20) {
        0..4 => {
            let key = dice.pick(&KEYS).unwrap();
            world.road.send(dice.below(2) as u32, key, dice.below(4) as u16);
        }
        4 => {
            let sent = world.road.sent.len() as u64;
            if sent > 0 {
                world.road.send_again(Id(dice.below(sent) as u32));
            }
        }
        5..9 => {
            world.fetch(dice.below(2) as u32, 1 + dice.below(12) as usize);
        }
        9 | 10 => {
            let waiting = world.handlers.waiting();
            let mut woken: Vec<_> =
                waiting.iter().copied().filter(|_| dice.below(2) == 0).collect();
            // A wake may come when its call has ended.
            woken.extend(dice.pick(&world.woken));
            world.woken.extend(waiting);
            world.on(Event::Woken(woken));
        }
        11 => world.load(),
        12 => world.wait(dice.below(3_000)),
        13 => {
            let handler = dice.pick(&[A, B, C, D]).unwrap();
            match world.handlers.unready.iter().position(|unready| *unready == handler) {
                Some(at) => {
                    world.handlers.unready.remove(at);
                    world.on(Event::HandlerReady(handler));
                }
                None => world.handlers.unready.push(handler),
            }
        }
        14 | 15 => drop(world.seal()),
        16 | 17 => commit(world, dice),
        18 => {
            let dead = |(_, wait): &&(DeliveryId, StoredWait)| *wait != StoredWait::Held;
            let stored = world.store.deliveries();
            let all: Vec<_> = stored.iter().filter(dead).map(|(id, _)| *id).collect();
            if let Some(id) = dice.pick(&all) {
                *tickets += 1;
                world.on(Event::Request(Ticket(*tickets), Request::Replay(id)));
            }
        }
        _ => {
            if dice.below(4) == 0 {
                world.crash(dice.below(2) == 0);
            } else if world.turn == Turn::More {
                world.on(Event::Go);
            }
        }
    }
}

fn commit(world: &mut World, dice: &mut Dice) {
    let end = match dice.below(12) {
        // What the store had before it lost its connection.
        0 if !world.is_in_doubt => CommitEnd::Unknown,
        1 if !world.is_in_doubt => CommitEnd::NoRoom,
        2 => CommitEnd::Absent,
        3 => CommitEnd::Fenced,
        _ => CommitEnd::Durable,
    };
    world.commit(end);
}

/// So many seeds, from a first one that `ENDWISE_SEED` may set.
#[test]
fn whatever_happens_each_message_has_one_effect_in_order() {
    let set = |name: &str| std::env::var(name).ok().map(|text| text.parse::<u64>().unwrap());
    let first = set("ENDWISE_SEED").unwrap_or(1);
    let (mut events, seeds) = (0, set("ENDWISE_SEEDS").unwrap_or(300));
    for seed in first..first + seeds {
        let ran = std::panic::catch_unwind(|| run(seed));
        events += ran.unwrap_or_else(|_| {
            panic!(
                "repeat it: ENDWISE_SEED={seed} ENDWISE_SEEDS=1 cargo test -p endwise --lib core"
            )
        });
    }
    println!("{seeds} seeds, {events} events");
}

#[test]
fn the_same_seed_gives_the_same_trace() {
    assert_eq!(run(5), run(5));
}

#[test]
fn a_simulation_sees_all_that_can_happen() {
    let mut dice = Dice(3, 0);
    let mut world = World::new(plan());
    world.handlers.seed = 3;
    let mut tickets = 0;
    let mut seen = [false; 5];
    for _ in 0..4_000 {
        step(&mut world, &mut dice, &mut tickets);
        let waits = world.store.deliveries();
        let has = |kind: fn(&StoredWait) -> bool| waits.iter().any(|(_, wait)| kind(wait));
        seen[0] |= has(|wait| matches!(wait, StoredWait::Held));
        seen[1] |= has(|wait| matches!(wait, StoredWait::Until { .. }));
        seen[2] |= has(|wait| matches!(wait, StoredWait::Dead { .. }));
        seen[3] |= has(|wait| matches!(wait, StoredWait::DeadSkipped { .. }));
        let skipped = |note: &Note| matches!(note, Note::Skipped { .. });
        seen[4] |= world.notes.iter().any(skipped);
    }
    assert_eq!(seen, [true; 5]);
    assert!(world.lives > 10 && !world.replies.is_empty());
}

#[test]
fn each_rule_that_is_left_out_is_found() {
    let mut missed = Vec::new();
    for mutant in Mutant::ALL {
        mutants::set(Some(mutant));
        let is_found = (1..300).any(|seed| std::panic::catch_unwind(|| run(seed)).is_err());
        mutants::set(None);
        if !is_found {
            missed.push(mutant);
        }
    }
    assert!(missed.is_empty(), "{missed:?}");
}
