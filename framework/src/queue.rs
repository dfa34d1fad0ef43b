//! A bounded queue between two stages that moves whole batches.
//!
//! The stages of a service wait for each other in a circle (consume → commit → consume, commit →
//! relay → commit), so a queue that blocks its writer when full could lock them all. Here the
//! number of items is limited at the source (deliveries in flight, intake in flight, outbox
//! length); the limit of a queue is the sum of what those admit, and passing it is an error
//! instead of a wait.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

/// A queue of batches with many writers and one reader. A clone is the same queue.
#[derive(Debug)]
pub(crate) struct Queue<T>(Arc<Shared<T>>);

#[derive(Debug)]
struct Shared<T> {
    items: Mutex<Items<T>>,
    limit: usize,
    filled: Notify,
}

#[derive(Debug)]
struct Items<T> {
    queue: VecDeque<T>,
    is_closed: bool,
}

/// More items than the limits at the sources admit: an error in the framework.
#[derive(Clone, Debug, thiserror::Error)]
#[error("a queue between two stages passed its limit of {limit} items; please report this")]
pub struct QueueOverflow {
    pub(crate) limit: usize,
}

impl<T> Clone for Queue<T> {
    fn clone(&self) -> Self {
        Queue(Arc::clone(&self.0))
    }
}

impl<T> Queue<T> {
    /// A queue that admits up to `limit` items.
    pub(crate) fn new(limit: usize) -> Self {
        let items = Mutex::new(Items { queue: VecDeque::new(), is_closed: false });
        Queue(Arc::new(Shared { items, limit, filled: Notify::new() }))
    }

    /// Adds items in order. Never waits. A closed queue drops them.
    pub(crate) fn push(&self, items: impl IntoIterator<Item = T>) -> Result<(), QueueOverflow> {
        let mut into = self.lock();
        if into.is_closed {
            return Ok(());
        }
        into.queue.extend(items);
        let over = into.queue.len() > self.0.limit;
        drop(into);
        self.0.filled.notify_one();
        if over { Err(QueueOverflow { limit: self.0.limit }) } else { Ok(()) }
    }

    /// Adds an item if there is room for it. Never waits. A closed queue drops it.
    pub(crate) fn offer(&self, item: T) -> Result<(), QueueOverflow> {
        let mut into = self.lock();
        if into.is_closed {
            return Ok(());
        }
        if into.queue.len() >= self.0.limit {
            return Err(QueueOverflow { limit: self.0.limit });
        }
        into.queue.push_back(item);
        drop(into);
        self.0.filled.notify_one();
        Ok(())
    }

    /// Takes up to `most` items, waiting for the first. Cancellation safe.
    pub(crate) async fn take(&self, most: usize) -> Vec<T> {
        self.take_weighed(most, |_| 1).await
    }

    /// Takes items up to a weight, at least one, waiting for the first. Cancellation safe.
    pub(crate) async fn take_weighed(&self, most: usize, weigh: impl Fn(&T) -> usize) -> Vec<T> {
        loop {
            let taken = self.take_weighed_now(most, &weigh);
            if !taken.is_empty() {
                return taken;
            }
            // A push between the look and this wait has left its permit in the signal.
            self.0.filled.notified().await;
        }
    }

    /// Takes up to `most` items that are there.
    pub(crate) fn take_now(&self, most: usize) -> Vec<T> {
        self.take_weighed_now(most, |_| 1)
    }

    fn take_weighed_now(&self, most: usize, weigh: impl Fn(&T) -> usize) -> Vec<T> {
        let queue = &mut self.lock().queue;
        let mut weight: usize = 0;
        let fits = |item: &&T| {
            weight = weight.saturating_add(weigh(item));
            weight <= most
        };
        let count = queue.iter().take_while(fits).count().max(1).min(queue.len());
        queue.drain(..count).collect()
    }

    /// Drops all that comes from here on; what is there can be taken.
    pub(crate) fn seal(&self) {
        self.lock().is_closed = true;
    }

    /// Drops what is there and all that comes.
    pub(crate) fn close(&self) {
        let mut items = self.lock();
        items.is_closed = true;
        let dropped = std::mem::take(&mut items.queue);
        // What the items' own drops do is not done under the lock.
        drop(items);
        drop(dropped);
    }

    fn lock(&self) -> MutexGuard<'_, Items<T>> {
        // Nothing that can panic runs under the lock.
        self.0.items.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn items_come_in_order_and_in_batches() {
        let queue = Queue::new(4);
        queue.push([1, 2, 3]).unwrap();
        assert_eq!(queue.take(2).await, [1, 2]);
        assert_eq!(queue.take(2).await, [3]);
        let reader = tokio::spawn({
            let queue = queue.clone();
            async move { queue.take(8).await }
        });
        tokio::task::yield_now().await;
        queue.push([4]).unwrap();
        assert_eq!(reader.await.unwrap(), [4]);
    }

    #[tokio::test]
    async fn a_weight_bounds_what_is_taken_but_for_the_first() {
        let queue = Queue::new(9);
        queue.push([5, 1, 2, 3]).unwrap();
        let weigh = |item: &usize| *item;
        assert_eq!(queue.take_weighed(4, weigh).await, [5]);
        assert_eq!(queue.take_weighed(4, weigh).await, [1, 2]);
        assert_eq!(queue.take_weighed(4, weigh).await, [3]);
    }

    #[test]
    fn a_sealed_queue_gives_what_it_has_and_takes_no_more() {
        let queue = Queue::new(2);
        queue.push([1]).unwrap();
        queue.seal();
        queue.push([2]).unwrap();
        assert_eq!(queue.take_now(9), [1]);
    }

    #[test]
    fn passing_the_limit_is_an_error_and_loses_nothing() {
        let queue = Queue::new(1);
        assert!(queue.push([1, 2]).is_err());
        assert_eq!(queue.take_now(9), [1, 2]);
    }
}
