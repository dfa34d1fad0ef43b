//! A service whose handlers fail, hang and take long.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Dice, pass};
use crate::clock::Clock;
use crate::handler::{Handlers, handler, handlers};
use crate::outgoing::Outbox;
use crate::prelude::{HandlerError, Late, Message, MessageExt, Result, State};

#[derive(Clone, Debug, Message, Serialize, Deserialize)]
#[message(topic = "moves", key = account)]
pub(super) struct Move {
    pub(super) account: u64,
    pub(super) number: u64,
    /// What is planned with it, and for when.
    pub(super) plan: u64,
    pub(super) after_ms: u64,
}

#[derive(Message, Serialize, Deserialize)]
#[message(topic = "notes", key = account)]
pub(super) struct Note {
    pub(super) account: u64,
    pub(super) number: u64,
    pub(super) due_ms: u64,
}

#[derive(Default, State, Serialize, Deserialize)]
pub(super) struct Book {
    pub(super) numbers: Vec<u64>,
}

#[derive(Default, State, Serialize, Deserialize)]
pub(super) struct Skips {
    pub(super) numbers: Vec<(u64, bool)>,
}

#[derive(Default, State, Serialize, Deserialize)]
pub(super) struct Plans {
    pub(super) numbers: Vec<u64>,
}

#[derive(Default, State, Serialize, Deserialize)]
pub(super) struct Noted {
    pub(super) numbers: Vec<u64>,
}

/// What befalls handlers.
#[derive(Clone)]
pub(super) struct Mood {
    /// How many of a hundred calls do not go well.
    pub(super) percent: Arc<Mutex<(u64, Dice)>>,
    pub(super) clock: Clock,
}

impl Mood {
    pub(super) fn trouble(&self, percent: u64) {
        self.percent.lock().unwrap().0 = percent;
    }

    async fn check(&self) -> Result<()> {
        let (what, ms) = {
            let (percent, dice) = &mut *self.percent.lock().unwrap();
            if dice.roll(100) >= *percent {
                return Ok(());
            }
            (dice.roll(10), dice.roll(4_000))
        };
        match what {
            0 => Err(HandlerError::permanent("injected, for good")),
            1 => panic!("injected panic"),
            2 => std::future::pending().await,
            3..=6 => {
                pass(Duration::from_millis(ms)).await;
                Ok(())
            }
            _ => Err("injected failure of a handler".into()),
        }
    }
}

#[handler(retry(attempts = 2, min = "50ms", max = "3s"), timeout = "6s")]
async fn book(message: Move, book: &mut Book, mood: &Mood) -> Result<()> {
    book.numbers.push(message.number);
    mood.check().await
}

#[handler(retry(attempts = 2, min = "50ms", max = "3s"), timeout = "6s", gap = skip("4s"))]
async fn skip(message: Move, late: Late, skips: &mut Skips, mood: &Mood) -> Result<()> {
    skips.numbers.push((message.number, late.0));
    mood.check().await
}

#[handler(retry(attempts = 2, min = "2s", max = "9s"), timeout = "6s")]
async fn plan(message: Move, plans: &mut Plans, outbox: &mut Outbox, mood: &Mood) -> Result<()> {
    let Move { account, number, plan, after_ms } = message;
    plans.numbers.push(number);
    let due_ms = mood.clock.now_ms() + after_ms;
    let note = Note { account, number, due_ms }.delay(Duration::from_millis(after_ms));
    match plan {
        0 => outbox.send(note),
        1 => outbox.send(note.named("note")),
        _ => outbox.cancel::<Note>(account, "note"),
    }
    mood.check().await
}

#[handler(order = none, retry(attempts = 2, min = "50ms", max = "3s"), timeout = "6s")]
async fn aside(_: Move, mood: &Mood) -> Result<()> {
    mood.check().await
}

#[handler(retry(attempts = 2), timeout = "6s")]
async fn noted(note: Note, noted: &mut Noted, mood: &Mood) -> Result<()> {
    assert!(mood.clock.now_ms() >= note.due_ms, "it came before its time");
    noted.numbers.push(note.number);
    mood.check().await
}

pub(super) fn all() -> Handlers {
    handlers![book, skip, plan, aside, noted]
}
