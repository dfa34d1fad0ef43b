//! The input: numbered changes, made up or read, each sent once however often the job starts.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, stdin};
use std::path::Path;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::Context;
use framework::{Accepted, Producer};
use futures::stream::{Stream, StreamExt, poll_fn};
use serde::Deserialize;
use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::arguments::Arguments;
use crate::latency::{Latency, now_us};
use crate::messages::Moved;

/// Changes that are read ahead, in batches.
const BATCH: usize = 512;
const BATCHES_AHEAD: usize = 8;

/// The longest line, in bytes; a longer one is invalid.
const LINE_MAX: usize = 256 << 10;

/// The longest waybill number, in bytes.
const WAYBILL_MAX: usize = 200;

/// Statuses that made-up waybills go through, again and again.
const STATUSES: [&str; 8] = [
    "received",
    "labelled",
    "sorted",
    "loaded",
    "departed",
    "arrived",
    "out for delivery",
    "delivered",
];

/// How long one of them may take; then the rest is not sent one at a time.
const ONE_MAX: Duration = Duration::from_secs(10);

/// How many changes are sent one at a time before the rest is sent as fast as it is taken.
const ALONE: usize = 100;

/// Sends the input in; returns how many of its lines were invalid.
pub(crate) async fn feed(
    arguments: &Arguments,
    producer: &Producer,
    latency: &Latency,
) -> anyhow::Result<u64> {
    let (sender, receiver) = mpsc::channel(BATCHES_AHEAD);
    let invalid = Arc::new(AtomicU64::new(0));
    let source = source(arguments)?;
    // Numbers below this are in the store already: made up or read again, but not sent.
    let from = producer.sent_from(&source).await?;
    let reading = match &arguments.input {
        None => {
            let (seed, keys, count) = (arguments.seed, arguments.keys, arguments.count);
            tokio::task::spawn_blocking(move || {
                send(made_up(seed, keys).take_while(|(n, _)| *n < count), from, &sender);
                anyhow::Ok(())
            })
        }
        Some(path) => {
            let (input, invalid) = (open(path)?, Arc::clone(&invalid));
            tokio::task::spawn_blocking(move || {
                let mut failed = None;
                send(lines(input, &invalid, &mut failed), from, &sender);
                failed.map_or(Ok(()), |error| Err(error).context("cannot read the input"))
            })
        }
    };
    let mut changes = Box::pin(changes(receiver));
    alone(producer, &source, changes.by_ref().take(ALONE), latency).await?;
    latency.load();
    // What was read ahead meanwhile has not waited for others.
    let begun_us = now_us();
    let changes = changes
        .map(|(number, moved)| (number, Moved { read_us: moved.read_us.max(begun_us), ..moved }));
    producer.send_all_from(&source, changes).await?;
    reading.await??;
    Ok(invalid.load(Ordering::Relaxed))
}

/// Sends changes one at a time, each when the one before it is billed.
async fn alone(
    producer: &Producer,
    source: &str,
    changes: impl Stream<Item = Numbered>,
    latency: &Latency,
) -> anyhow::Result<()> {
    let (mut changes, mut billed) = (pin!(changes), latency.billed());
    while let Some((number, mut moved)) = changes.next().await {
        let before = *billed.borrow_and_update();
        moved.read_us = now_us();
        let accepted = producer.send_from(source, number, moved).await?;
        let next = billed.wait_for(|billed| *billed > before);
        // One that became a dead letter is never billed: the audit says so at the end.
        if accepted == Accepted::Already || timeout(ONE_MAX, next).await.is_err() {
            break;
        }
    }
    Ok(())
}

/// The name under which the store counts this input's lines.
fn source(arguments: &Arguments) -> anyhow::Result<String> {
    let Some(path) = &arguments.input else {
        return Ok(format!("made up from {} for {}", arguments.seed, arguments.keys));
    };
    if path == Path::new("-") {
        return Ok("standard input".to_owned());
    }
    let path = path.canonicalize().with_context(|| format!("cannot open {}", path.display()))?;
    let hash = xxhash_rust::xxh3::xxh3_64(path.as_os_str().as_encoded_bytes());
    Ok(format!("file {hash:016x}"))
}

fn open(path: &Path) -> anyhow::Result<Box<dyn BufRead + Send>> {
    if path == Path::new("-") {
        return Ok(Box::new(BufReader::new(stdin())));
    }
    let file = File::open(path).with_context(|| format!("cannot open {}", path.display()))?;
    Ok(Box::new(BufReader::with_capacity(1 << 16, file)))
}

type Numbered = (u64, Moved);

/// Hands numbered changes on in batches, until nobody takes them any more.
fn send(changes: impl Iterator<Item = Numbered>, from: u64, sender: &mpsc::Sender<Vec<Numbered>>) {
    let mut batch = Vec::with_capacity(BATCH);
    for change in changes.filter(|(number, _)| *number >= from) {
        batch.push(change);
        if batch.len() == BATCH && sender.blocking_send(std::mem::take(&mut batch)).is_err() {
            return;
        }
    }
    // If nobody takes the rest, whoever stopped says why.
    let _ = sender.blocking_send(batch);
}

fn changes(mut receiver: mpsc::Receiver<Vec<Numbered>>) -> impl Stream<Item = Numbered> {
    poll_fn(move |cx| receiver.poll_recv(cx)).flat_map(futures::stream::iter)
}

/// Made-up changes: of waybills drawn at random, each going through the statuses in order.
fn made_up(seed: u64, keys: u64) -> impl Iterator<Item = Numbered> {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut moves = std::collections::HashMap::new();
    (0..).map(move |number| {
        let waybill = random.u64(..keys);
        let done: &mut usize = moves.entry(waybill).or_default();
        let status = STATUSES.get(*done % STATUSES.len()).copied().unwrap_or_default();
        *done += 1;
        let moved = Moved {
            waybill: format!("wb-{waybill:06}"),
            status: status.to_owned(),
            at: String::new(),
            by: format!("clerk-{}", random.u32(..40)),
            read_us: now_us(),
        };
        (number, moved)
    })
}

/// The changes in lines of JSON, numbered by line. Invalid lines are reported and counted.
fn lines<'a>(
    mut input: Box<dyn BufRead + Send>,
    invalid: &'a AtomicU64,
    failed: &'a mut Option<std::io::Error>,
) -> impl Iterator<Item = Numbered> + 'a {
    let mut number = 0;
    let mut line = Vec::new();
    std::iter::from_fn(move || {
        loop {
            match read_line(&mut input, &mut line) {
                Ok(true) => {}
                Ok(false) => return None,
                Err(error) => {
                    *failed = Some(error);
                    return None;
                }
            }
            number += 1;
            match parse(&line) {
                // The store counts from 0, people from 1.
                Ok(moved) => return Some((number - 1, moved)),
                Err(why) => {
                    invalid.fetch_add(1, Ordering::Relaxed);
                    eprintln!("waybills: line {number} is invalid: {why}");
                }
            }
        }
    })
}

/// Reads one line, without its end; `false` at the end of the input. Of a line that is too long
/// only the first part is kept.
fn read_line(mut input: &mut dyn BufRead, line: &mut Vec<u8>) -> std::io::Result<bool> {
    line.clear();
    let most = LINE_MAX as u64 + 1;
    if Read::by_ref(&mut input).take(most).read_until(b'\n', line)? == 0 {
        return Ok(false);
    }
    if line.last() == Some(&b'\n') {
        line.pop();
    } else if line.len() > LINE_MAX {
        skip_line(input)?;
    }
    Ok(true)
}

fn skip_line(input: &mut dyn BufRead) -> std::io::Result<()> {
    loop {
        let buffer = input.fill_buf()?;
        let end = buffer.iter().position(|byte| *byte == b'\n');
        let length = end.map_or(buffer.len(), |end| end + 1);
        input.consume(length);
        if end.is_some() || length == 0 {
            return Ok(());
        }
    }
}

/// A line as it must be; `at` and `by` may be empty.
#[derive(Deserialize)]
struct Line {
    waybill: String,
    status: String,
    at: String,
    by: String,
}

fn parse(line: &[u8]) -> Result<Moved, String> {
    if line.len() > LINE_MAX {
        return Err(format!("it has more than {LINE_MAX} bytes"));
    }
    let Line { waybill, status, at, by } =
        serde_json::from_slice(line).map_err(|error| error.to_string())?;
    if waybill.is_empty() || waybill.len() > WAYBILL_MAX {
        return Err(format!("its waybill must have 1 to {WAYBILL_MAX} bytes"));
    }
    Ok(Moved { waybill, status, at, by, read_us: now_us() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &'static str) -> (Vec<(u64, String)>, u64) {
        let (invalid, mut failed) = (AtomicU64::new(0), None);
        let found = lines(Box::new(text.as_bytes()), &invalid, &mut failed)
            .map(|(number, moved)| (number, moved.waybill))
            .collect();
        assert!(failed.is_none());
        (found, invalid.load(Ordering::Relaxed))
    }

    #[test]
    fn invalid_lines_are_counted_and_the_rest_keeps_its_numbers() {
        let line = r#"{"waybill":"w","status":"s","at":"","by":""}"#;
        let text = format!("{line}\nno json\n{{\"waybill\":\"w\"}}\n\n{line}\n{line}");
        let (found, invalid) = read(text.leak());
        assert_eq!(found.iter().map(|(number, _)| *number).collect::<Vec<_>>(), [0, 4, 5]);
        assert_eq!(invalid, 3);
    }

    #[test]
    fn a_line_that_is_too_long_is_invalid_and_the_next_is_read() {
        let line = r#"{"waybill":"w","status":"s","at":"","by":""}"#;
        let text = format!("{{\"waybill\":\"{}\"}}\n{line}\n", "x".repeat(LINE_MAX * 3));
        assert_eq!(read(text.leak()), (vec![(1, "w".to_owned())], 1));
    }

    #[test]
    fn the_same_seed_makes_the_same_changes() {
        let some = |seed| {
            let changes = made_up(seed, 5).take(50).map(|(n, moved)| (n, moved.waybill));
            changes.collect::<Vec<_>>()
        };
        assert_eq!(some(7), some(7));
        assert_ne!(some(7), some(8));
    }
}
