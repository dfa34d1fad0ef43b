//! Messages that no handler took and that are stored: at a start, those that one takes now become
//! deliveries of it, in their places, and those that the app ignores are let go.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::clock::{Clock, Now};
use crate::consume::replay_invalid::STORED_BYTES_MAX;
use crate::failure::RunError;
use crate::store::{
    Batch, Entry, Reader, Recovered, Store, StoreError, Subject, Unhandled, Verdict,
};
use crate::stream::Position;
use crate::wiring::{Route, Wiring};

/// How many messages are looked at in one go.
const PAGE: usize = 1_024;

/// Bytes that one commit stores anew, unless a single message has more.
const BYTES_MAX: usize = 8 << 20;

/// Hands what is stored to those who take it now.
pub(super) async fn take(
    store: &mut dyn Store,
    reader: &dyn Reader,
    wiring: &Wiring,
    clock: &Clock,
    recovered: &mut Recovered,
) -> Result<(), RunError> {
    if recovered.totals.unhandled == 0 {
        return Ok(());
    }
    let mut taking = Taking { reader, wiring, told: Told::default() };
    let mut after = None;
    loop {
        let page = reader.unhandled(after, PAGE).await?;
        let Some(last) = page.last() else { break };
        after = Some(last.number);
        let mut left = page.as_slice();
        while !left.is_empty() {
            let entries = taking.entries(&mut left).await?;
            if entries.is_empty() {
                continue;
            }
            let Now { wall_ms: time_ms, steady_ms } = clock.read();
            let batch = Batch { time_ms, steady_ms, entries, ..Batch::default() };
            let durable = store.commit(&batch).await?;
            if durable.verdicts.iter().any(|verdict| *verdict != Verdict::Applied) {
                let text = "a message that no handler took cannot be handed to its handlers: a \
                            type has at most 256 of them";
                return Err(StoreError::failed(text).into());
            }
            recovered.totals = durable.totals;
        }
    }
    taking.told.tell(wiring);
    recovered.kept = all_kept(reader).await?;
    Ok(())
}

struct Taking<'a> {
    reader: &'a dyn Reader,
    wiring: &'a Wiring,
    told: Told,
}

impl Taking<'_> {
    /// What is committed for the first of these; they are taken off.
    async fn entries(&mut self, left: &mut &[Unhandled]) -> Result<Vec<Entry>, RunError> {
        let (mut entries, mut bytes) = (Vec::new(), 0);
        while let Some((first, rest)) = left.split_first()
            && bytes < BYTES_MAX
        {
            *left = rest;
            let (topic, type_name) = (first.position.topic(), &first.type_name);
            let subject = match self.wiring.route(topic, type_name) {
                Some(route) if is_too_much(first.bytes, route.names.len()) => {
                    self.told.count(first, What::TooMuch);
                    continue;
                }
                Some(route) => {
                    self.told.count(first, What::Taken);
                    bytes += first.bytes as usize * route.names.len();
                    self.taken(first, route).await?
                }
                None if self.wiring.ignores(topic, type_name) => {
                    self.told.count(first, What::Ignored);
                    Subject::UnhandledDiscarded { number: first.number }
                }
                None => {
                    self.told.count(first, What::Left);
                    continue;
                }
            };
            entries.push(Entry::of(subject, Vec::new()));
        }
        Ok(entries)
    }

    async fn taken(&self, found: &Unhandled, route: &Route) -> Result<Subject, RunError> {
        let handlers = Arc::clone(&route.names);
        let (number, mut key) = (found.number, found.key.clone());
        // The type says the key where the sender names none, or is none of ours.
        let asks_type = key.is_none() || matches!(found.position, Position::Foreign(..));
        let message = if asks_type || handlers.len() > 1 {
            let read = self.reader.kept_messages(vec![number]).await?.into_iter().flatten();
            read.last().map(|read| read.envelope)
        } else {
            None
        };
        if asks_type && let Some(message) = &message {
            // A body that has no key becomes a dead letter when its handler cannot read it.
            key = route.own_key(&message.body).or(key);
        }
        let message = message.filter(|_| handlers.len() > 1);
        Ok(Subject::Taken { number, key, handlers, message })
    }
}

/// Whether what is stored of a message for all its handlers is more than one commit may have.
fn is_too_much(bytes: u32, handlers: usize) -> bool {
    (bytes as usize).saturating_mul(handlers) > STORED_BYTES_MAX
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum What {
    Taken,
    TooMuch,
    Ignored,
    Left,
}

/// What became of how many, by topic and type.
#[derive(Debug, Default)]
struct Told(BTreeMap<(What, Arc<str>, Arc<str>), u64>);

impl Told {
    fn count(&mut self, found: &Unhandled, what: What) {
        let (topic, type_name) = (found.position.topic(), &found.type_name);
        *self.0.entry((what, Arc::clone(topic), Arc::clone(type_name))).or_default() += 1;
    }

    fn tell(&self, wiring: &Wiring) {
        for ((what, topic, type_name), count) in &self.0 {
            let (service, topic, r#type) = (&*wiring.service, &**topic, &**type_name);
            match what {
                What::Taken => tracing::info!(
                    target: "endwise::unhandled", service, topic, r#type, count,
                    "stored messages of a type that no handler took are handled now",
                ),
                What::TooMuch => tracing::error!(
                    target: "endwise::unhandled", service, topic, r#type, count,
                    max_bytes = STORED_BYTES_MAX,
                    "stored messages stay unhandled: their bytes, once for each handler that takes \
                     them, are more than one commit may have; take them with fewer handlers, or \
                     discard them and send them again",
                ),
                What::Ignored => tracing::info!(
                    target: "endwise::unhandled", service, topic, r#type, count,
                    "stored messages of a type that is ignored now are discarded",
                ),
                What::Left => tracing::warn!(
                    target: "endwise::unhandled", service, topic, r#type, count,
                    "messages of a type that no handler takes are stored: add a handler, say \
                     App::ignore_types, or discard them",
                ),
            }
        }
    }
}

async fn all_kept(reader: &dyn Reader) -> Result<Vec<crate::store::Kept>, StoreError> {
    let mut all: Vec<crate::store::Kept> = Vec::new();
    loop {
        let page = reader.kept(all.last().map(|kept| kept.number), PAGE).await?;
        if page.is_empty() {
            return Ok(all);
        }
        all.extend(page);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::limits::BATCH_BYTES_MAX;

    #[test]
    fn what_is_taken_fits_a_commit() {
        assert!(!is_too_much(1 << 20, 64) && is_too_much(1 << 20, 65));
        // What is gathered before it, and names and keys of each delivery, come on top.
        const { assert!(STORED_BYTES_MAX + BYTES_MAX + 256 * 4_096 < BATCH_BYTES_MAX) };
    }
}
