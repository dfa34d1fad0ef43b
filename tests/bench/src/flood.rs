//! A producer ten times as fast as its handler: memory stays flat, and the producer waits.

use std::sync::Arc;

use framework::Running;
use framework::prelude::*;
use framework::status::RunningStatus;
use futures::stream;
use tokio::sync::Semaphore;

use super::{Counted, body, process};

/// How many messages come while one is handled.
const FASTER: u64 = 10;

/// Lets the handler handle one message for each ten that have come.
struct Pace(Arc<Semaphore>);

#[handler]
async fn slow(_: Counted, pace: &Pace) -> Result<()> {
    pace.0.acquire().await?.forget();
    Ok(())
}

/// What was seen of a flood.
#[derive(Debug)]
pub(crate) struct Flood {
    /// How many were handled when the last had been taken in.
    pub(crate) handled_then: u64,
    /// The service, when all were handled.
    pub(crate) end: RunningStatus,
}

/// Sends messages as fast as they are taken in, and has one handled for each ten; when all are
/// there, the handler goes as fast as it can.
pub(crate) async fn run(messages: u64) -> anyhow::Result<Flood> {
    let home = tempfile::tempdir()?;
    let pace = Arc::new(Semaphore::new(0));
    let app = App::new("slow").provide(Pace(Arc::clone(&pace))).handlers(handlers![slow]);
    let running = Running::start(home.path(), [app]).await?;
    let service = running.service("slow").ok_or_else(|| anyhow::anyhow!("it does not run"))?;
    let paced = (0..messages).map(|number| {
        if number.is_multiple_of(FASTER) {
            pace.add_permits(1);
        }
        (number, body(number))
    });
    service.producer().send_all_from("flood", stream::iter(paced)).await?;
    let handled_then = service.counts().handled().map(|(_, count)| count).sum();
    pace.add_permits(usize::try_from(messages)?);
    running.settle().await?;
    let service = running.service("slow").ok_or_else(|| anyhow::anyhow!("it does not run"))?;
    let end = service.status().await?.running.unwrap_or_default();
    running.stop().await?;
    Ok(Flood { handled_then, end })
}

/// Prints the peak of memory for few and for many messages, each in a process of its own.
pub(crate) fn all() -> anyhow::Result<()> {
    ["100000", "1000000"].into_iter().try_for_each(|count| process::again(&["flood", count]))
}

/// One flood, and the peak of memory of this process.
pub(crate) async fn one(messages: u64) -> anyhow::Result<()> {
    let Flood { handled_then, end } = run(messages).await?;
    println!(
        "flood of {messages:>9}: peak {:>4} MiB; at most {} records and {} KiB in flight, {} in the \
         outbox; {handled_then} were handled when the last was taken in",
        process::peak_mib()?,
        end.in_flight_most,
        end.in_flight_bytes_most >> 10,
        end.outbox_most,
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use framework::Limits;

    use super::*;

    /// Messages from outside that may be on their way to the store beside the outbox's limit, and
    /// as many again in the commit that is being written.
    const ON_THEIR_WAY: usize = 2 * 8_192;

    #[tokio::test(flavor = "multi_thread")]
    async fn what_a_fast_producer_sends_waits_outside_of_the_memory() {
        const MESSAGES: u64 = 1_000_000;
        let Flood { handled_then, end } = run(MESSAGES).await.unwrap();
        assert!(handled_then <= MESSAGES / FASTER, "it was not faster: {handled_then}");
        let handled: u64 = end.handlers.values().map(|handler| handler.handled).sum();
        assert_eq!((handled, end.accepted, end.duplicates), (MESSAGES, MESSAGES, 0));
        let limits = Limits::default();
        let (records, bytes) = (end.in_flight_most as usize, end.in_flight_bytes_most as usize);
        assert!(records < limits.in_flight_max + limits.fetch_max, "{end:?}");
        assert!(bytes < limits.in_flight_bytes_max + limits.fetch_bytes_max, "{end:?}");
        assert!(end.outbox_most as usize <= limits.outbox_max + ON_THEIR_WAY, "{end:?}");
    }
}
