use std::time::Duration;

use framework::RunError;
use framework::broker::memory::MemoryBroker;
use framework::dead_letters::Filter;
use framework::store::memory::{Fault, MemoryStore};
use framework::testing::TestApp;

use crate::ledger::{Mood, Move, app as ledger, check};
use crate::support::{Dice, for_seeds, in_time};

const MOVES: u64 = 30;

#[test]
fn random_crashes_lose_and_double_nothing() {
    for_seeds(300, run);
}

async fn run(seed: u64) -> anyhow::Result<()> {
    let mut dice = Dice::new(seed);
    let partitions = 1 + dice.roll(4) as u32;
    let (broker, store) = (MemoryBroker::new(partitions), MemoryStore::new(seed));
    let moves: Vec<(u64, u64)> = (0..MOVES).map(|n| (dice.roll(5), n)).collect();
    let mood = Mood::seeded(seed);
    let app = || ledger().provide(mood.clone());
    let mut service = TestApp::start_on(app(), broker.clone(), store.clone()).await?;
    for _ in 0..40 {
        match dice.roll(14) {
            0..=3 => send(&service, &moves, &mut dice).await,
            4 => copy(&broker, &mut dice),
            5 => store.inject([fault(&mut dice)]),
            10 => mood.trouble(dice.roll(4) * 15),
            11 => replay(&service, &mut dice).await,
            12 | 13 => {
                let time = Duration::from_millis(dice.roll(3_000));
                // As far as it comes: an injected fault may end it.
                let _ = tokio::time::timeout(time, std::future::pending::<()>()).await;
            }
            6 => {
                // As a crash; or, one time in three, stopped in order.
                if dice.roll(3) > 0 {
                    drop(service);
                } else if let Err(error) = in_time(service.stop()).await {
                    expect_injected(&error);
                }
                service = TestApp::start_on(app(), broker.clone(), store.clone()).await?;
            }
            _ => {
                for _ in 0..dice.roll(30) {
                    tokio::task::yield_now().await;
                }
            }
        }
    }
    mood.trouble(0);
    loop {
        // An error ended the service: it goes on after the next start.
        let Ok(sent) = service.service().producer().sent_from("test").await else {
            service = TestApp::start_on(app(), broker.clone(), store.clone()).await?;
            continue;
        };
        let left = moves.len() as u64 - sent;
        for _ in 0..left {
            send(&service, &moves, &mut dice).await;
        }
        match in_time(service.settle()).await {
            Ok(()) if left == 0 => {
                // One that fails now is seen by the next look.
                let dead = in_time(service.dead_letters().replay(Filter::new())).await;
                if dead.is_ok_and(|dead| dead.done.is_empty()) {
                    break;
                }
            }
            Ok(()) => {}
            Err(error) => {
                expect_injected(&error);
                service = TestApp::start_on(app(), broker.clone(), store.clone()).await?;
            }
        }
    }
    check(&service, &moves).await?;
    in_time(service.stop()).await?;
    let service = TestApp::start_on(app(), broker, store).await?;
    check(&service, &moves).await
}

/// Sends the next moves; whether they arrive is seen later.
async fn send(service: &TestApp, moves: &[(u64, u64)], dice: &mut Dice) {
    let producer = service.service().producer();
    let next = producer.sent_from("test").await.unwrap_or(0) as usize;
    let count = 1 + dice.roll(6) as usize;
    for &(account, number) in moves.iter().skip(next).take(count) {
        let yields = dice.roll(50);
        let message = Move { account, number, yields };
        let sent = producer.send_from("test", number, message);
        if dice.roll(4) == 0 {
            // The service may have been stopped by an injected fault.
            let _ = in_time(sent).await;
        }
    }
}

/// Has some of the dead letters handled again.
async fn replay(service: &TestApp, dice: &mut Dice) {
    let letters = service.dead_letters();
    // The service may have been stopped by an injected fault.
    let Ok(dead) = letters.list(&Filter::new()).await else { return };
    let some = dead.items.iter().map(|letter| letter.number).filter(|_| dice.roll(2) == 0);
    let some: Vec<u64> = some.collect();
    let _ = in_time(letters.replay(some)).await;
}

/// Publishes some record once more.
fn copy(broker: &MemoryBroker, dice: &mut Dice) {
    let topic = ["moves", "moved", "ticks"][dice.roll(3) as usize];
    let published = broker.published(topic);
    if !published.is_empty() {
        let again = published[dice.roll(published.len() as u64) as usize].clone();
        broker.publish_again(topic, again);
    }
}

fn fault(dice: &mut Dice) -> Fault {
    use Fault::{Conflict, Failed, NoRoom, UnknownCommitted, UnknownLost};
    [Conflict, Conflict, Conflict, NoRoom, UnknownCommitted, UnknownLost, Failed]
        [dice.roll(7) as usize]
}

fn expect_injected(error: &RunError) {
    assert!(error.to_string().contains("injected failure"), "{error}");
}
