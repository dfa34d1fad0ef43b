//! Random runs in narrow limits: deliveries that fail, hang and take long, crashes, stops with a
//! short drain, copies, refused commits, replays and discards. Each message has one effect or is
//! given up by name, in its key's order.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::app::App;
use crate::broker::memory::MemoryBroker;
use crate::clock::Clock;
use crate::dead_letters::{Body, Filter};
use crate::limits::Limits;
use crate::message::json::Sampling;
use crate::random;
use crate::service::{Service, Setting};
use crate::store::memory::{Fault, MemoryStore};

mod lag;
mod ledger;

use lag::{Lag, Placed};
use ledger::{Book, Mood, Move, Noted, Plans, Skips};

const MOVES: u64 = 60;
const ACCOUNTS: u64 = 4;

/// Draws numbers that follow from a seed.
#[derive(Debug, Default)]
struct Dice {
    seed: u64,
    drawn: u64,
}

impl Dice {
    fn roll(&mut self, below: u64) -> u64 {
        self.drawn += 1;
        random::nth(self.seed, self.drawn) % below
    }
}

/// Lets time pass: paused, it takes none.
async fn pass(time: Duration) {
    let _ = tokio::time::timeout(time, std::future::pending::<()>()).await;
}

/// What was given up: by handler and number, and whether for sure.
type GivenUp = BTreeMap<(String, u64), bool>;

struct World {
    dice: Dice,
    broker: MemoryBroker,
    store: MemoryStore,
    home: Option<tempfile::TempDir>,
    lag: Lag,
    mood: Mood,
    setting: Setting,
    moves: Vec<Move>,
    given_up: GivenUp,
}

impl World {
    fn new(seed: u64) -> Self {
        let mut dice = Dice { seed, drawn: 0 };
        let clock = Clock::fixed(1_000_000);
        let limits = Limits {
            in_flight_max: 1 + dice.roll(24) as usize,
            fetch_max: 1 + dice.roll(8) as usize,
            lanes_max: 1 + dice.roll(8) as usize,
            task_lanes_max: 1 + dice.roll(3) as usize,
            followers_max: dice.roll(4) as usize,
            holds_max: 4 + dice.roll(100),
            outbox_max: 1 + dice.roll(20) as usize,
            timers_max: 3 + dice.roll(30),
            ..Limits::default()
        };
        let drain = Duration::from_millis(dice.roll(3) * 700);
        let setting =
            Setting { limits, drain, clock: clock.clone(), seed, sampling: Sampling::All };
        let moves = (0..MOVES).map(|number| Move {
            account: dice.roll(ACCOUNTS),
            number,
            plan: dice.roll(3),
            after_ms: dice.roll(8_000),
        });
        let moves = moves.collect();
        let percent = Arc::new(Mutex::new((0, Dice { seed: !seed, drawn: 0 })));
        World {
            broker: MemoryBroker::new(1 + dice.roll(3) as u32),
            store: MemoryStore::new(seed),
            home: (dice.roll(3) == 0).then(|| tempfile::tempdir().unwrap()),
            lag: Lag {
                dice: Arc::new(Mutex::new(Dice { seed: seed ^ 1 << 32, drawn: 0 })),
                percent: dice.roll(3) * 25,
            },
            mood: Mood { percent, clock },
            dice,
            setting,
            moves,
            given_up: BTreeMap::new(),
        }
    }

    async fn start(&self) -> Service {
        let app = App::new("ledger").provide(self.mood.clone()).handlers(ledger::all());
        let store = Placed {
            store: self.store.clone(),
            directory: self.home.as_ref().map(|home| home.path().to_owned()),
            lag: self.lag.clone(),
        };
        app.start_in(Arc::new(self.broker.clone()), Box::new(store), self.setting.clone())
            .await
            .unwrap()
    }

    async fn again(&self, service: Service, is_crash: bool) -> Service {
        if is_crash {
            drop(service);
        } else {
            let stopped = async {
                service.begin_stop();
                service.ended().await
            };
            let stopped = tokio::time::timeout(Duration::from_secs(60), stopped).await;
            if let Err(error) = stopped.expect("a stop ends") {
                assert!(error.to_string().contains("injected failure"), "{error}");
            }
        }
        self.start().await
    }

    async fn send(&mut self, service: &Service, count: u64) {
        let producer = service.producer();
        let Ok(next) = producer.sent_from("test").await else { return };
        for message in self.moves.iter().skip(next as usize).take(count as usize) {
            drop(producer.send_from("test", message.number, message.clone()));
        }
    }

    fn copy(&mut self) {
        let topic = ["moves", "notes"][self.dice.roll(2) as usize];
        let published = self.broker.published(topic);
        if !published.is_empty() {
            let again = published[self.dice.roll(published.len() as u64) as usize].clone();
            self.broker.publish_again(topic, again);
        }
    }

    async fn operate(&mut self, service: &Service) {
        let letters = service.dead_letters();
        let Ok(dead) = letters.list(&Filter::new()).await else { return };
        let dice = &mut self.dice;
        let some: Vec<u64> =
            dead.items.iter().map(|letter| letter.number).filter(|_| dice.roll(2) == 0).collect();
        let wait = Duration::from_secs(20);
        if dice.roll(3) > 0 {
            drop(tokio::time::timeout(wait, letters.replay(some)).await);
            return;
        }
        let mut about = BTreeMap::new();
        for number in some {
            let Ok(Some(shown)) = letters.show(number).await else { continue };
            let Body::Text(body) = &shown.body else { panic!("{:?}", shown.body) };
            let body: serde_json::Value = serde_json::from_str(body).unwrap();
            let named = (shown.letter.handler.to_string(), body["number"].as_u64().unwrap());
            about.insert(number, named);
        }
        let asked: Vec<u64> = about.keys().copied().collect();
        let answer = tokio::time::timeout(wait, letters.discard(asked)).await;
        let answered = answer.ok().and_then(std::result::Result::ok);
        for (number, named) in about {
            let is_done = answered.as_ref().map(|answer| answer.done.contains(&number));
            match is_done {
                Some(true) => drop(self.given_up.insert(named, true)),
                Some(false) => {}
                None => drop(self.given_up.entry(named).or_insert(false)),
            }
        }
    }

    /// Until nothing is left to do.
    async fn settle(&mut self, mut service: Service) -> Service {
        self.mood.trouble(0);
        // For longer than a commit lags: between its parts, what it moves is seen nowhere.
        let mut calm = 0;
        for _ in 0..600 {
            pass(Duration::from_secs(1)).await;
            let ended = tokio::time::timeout(Duration::ZERO, service.ended()).await;
            if let Ok(ended) = ended {
                assert!(ended.unwrap_err().to_string().contains("injected failure"));
                service = self.start().await;
                continue;
            }
            self.send(&service, MOVES).await;
            let sent = service.producer().sent_from("test").await.unwrap_or(0);
            let letters = service.dead_letters();
            let replayed = letters.replay(Filter::new());
            drop(tokio::time::timeout(Duration::from_secs(60), replayed).await);
            let Ok(status) = service.status().await else { continue };
            let kept = &status.kept;
            let left = kept.held + kept.waiting + kept.dead + status.outbox + status.timers.count;
            let is_calm = sent == MOVES && left == 0 && self.broker.is_settled();
            calm = if is_calm { calm + 1 } else { 0 };
            if calm > 5 {
                return service;
            }
        }
        panic!("it does not settle: {:?}", service.status().await);
    }

    /// Whether what is there is all that may be, but for what was given up.
    fn check_one(&self, handler: &str, sent: &[u64], found: &[u64]) {
        let given_up = |number: &u64| self.given_up.get(&(handler.to_owned(), *number)).copied();
        let must = sent.iter().filter(|number| given_up(number).is_none());
        let mut sorted = found.to_vec();
        sorted.sort_unstable();
        assert!(sorted.windows(2).all(|two| two[0] < two[1]), "{handler} twice: {found:?}");
        for number in must {
            assert!(sorted.binary_search(number).is_ok(), "{handler} lacks {number}: {found:?}");
        }
        for number in &sorted {
            assert!(given_up(number) != Some(true), "{handler}: {number} was given up");
            assert!(sent.contains(number), "{handler}: {number} of {sent:?}");
        }
    }

    async fn check(&self, service: &Service) {
        for account in 0..ACCOUNTS {
            let moves: Vec<&Move> = self.moves.iter().filter(|m| m.account == account).collect();
            let sent: Vec<u64> = moves.iter().map(|m| m.number).collect();
            let key = account.to_string();
            let found = service.state::<Book>(&key).await.unwrap().unwrap_or_default().numbers;
            assert!(found.is_sorted(), "{found:?}");
            self.check_one("book", &sent, &found);

            let found = service.state::<Skips>(&key).await.unwrap().unwrap_or_default().numbers;
            let mut last = None;
            for (number, late) in &found {
                assert!(*late || Some(*number) > last, "{number} is late: {found:?}");
                last = last.max(Some(*number));
            }
            let numbers: Vec<u64> = found.iter().map(|(number, _)| *number).collect();
            self.check_one("skip", &sent, &numbers);

            let plans = service.state::<Plans>(&key).await.unwrap().unwrap_or_default().numbers;
            assert!(plans.is_sorted(), "{plans:?}");
            self.check_one("plan", &sent, &plans);

            let found = service.state::<Noted>(&key).await.unwrap().unwrap_or_default().numbers;
            let plan_of = |number: &u64| self.moves[*number as usize].plan;
            let plain = |numbers: &[u64]| -> Vec<u64> {
                numbers.iter().copied().filter(|number| plan_of(number) == 0).collect()
            };
            self.check_one("noted", &plain(&plans), &plain(&found));
            let mut named: Vec<u64> =
                found.iter().copied().filter(|number| plan_of(number) != 0).collect();
            named.sort_unstable();
            assert!(named.windows(2).all(|two| two[0] < two[1]), "twice: {found:?}");
            assert!(named.iter().all(|number| plan_of(number) == 1 && plans.contains(number)));
            let last = plans.iter().rev().find(|number| plan_of(number) != 0);
            if let Some(last) = last.filter(|number| plan_of(number) == 1)
                && !self.given_up.contains_key(&("noted".to_owned(), *last))
            {
                assert!(named.contains(last), "the last that was named goes: {last} {found:?}");
            }
        }
    }
}

fn fault(dice: &mut Dice) -> Fault {
    use Fault::{Conflict, Failed, NoRoom, UnknownCommitted, UnknownLost};
    [Conflict, Conflict, Conflict, NoRoom, UnknownCommitted, UnknownLost, Failed]
        [dice.roll(7) as usize]
}

async fn run(seed: u64) {
    let mut world = World::new(seed);
    let mut service = world.start().await;
    for _ in 0..60 {
        match world.dice.roll(16) {
            0..=3 => {
                let count = 1 + world.dice.roll(12);
                world.send(&service, count).await;
            }
            4 => world.copy(),
            5 => {
                let fault = fault(&mut world.dice);
                world.store.inject([fault]);
            }
            6 => {
                let is_crash = world.dice.roll(3) > 0;
                service = world.again(service, is_crash).await;
            }
            7 | 8 => {
                let percent = world.dice.roll(4) * 20;
                world.mood.trouble(percent);
            }
            9 | 10 => world.operate(&service).await,
            11..=13 => {
                let time = Duration::from_millis(world.dice.roll(3_000));
                pass(time).await;
            }
            _ => {
                for _ in 0..world.dice.roll(30) {
                    tokio::task::yield_now().await;
                }
            }
        }
    }
    let service = world.settle(service).await;
    world.check(&service).await;
    let service = world.again(service, false).await;
    world.check(&service).await;
}

#[test]
fn random_runs_in_narrow_limits_lose_and_double_nothing() {
    // One seed, to replay it; or how many.
    let number = |name| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let count = number("ENDWISE_SEEDS").unwrap_or(60);
    let seeds = number("ENDWISE_SEED").map_or(0..count, |seed| seed..seed + 1);
    for seed in seeds {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .start_paused(true)
            .build()
            .unwrap();
        let ran = std::panic::catch_unwind(|| runtime.block_on(run(seed)));
        if let Err(panic) = ran {
            eprintln!("replay with: ENDWISE_SEED={seed} cargo test -p endwise random_runs");
            std::panic::resume_unwind(panic);
        }
    }
}
