//! The reading side of a store.

use std::sync::Arc;

use async_trait::async_trait;

use super::{
    InvalidMessage, Kept, KeptMessage, Scheduled, StoreError, StoredState, Timer, TimerId, Totals,
    Unhandled,
};
use crate::delivery::StateValue;
use crate::stream::Key;

/// The reading side of a store: what is durable, nothing sooner.
#[async_trait]
pub trait Reader: std::fmt::Debug + Send + Sync + 'static {
    /// The states of these names and keys, in their order.
    async fn states(&self, keys: Vec<(Arc<str>, Key)>) -> Result<Vec<StoredState>, StoreError>;

    /// Up to `most` states of a name in key order, those behind `after`.
    async fn scan(
        &self,
        name: Arc<str>,
        after: Option<Key>,
        most: usize,
    ) -> Result<Vec<(Key, StateValue)>, StoreError>;

    /// The names of all states that this store has, or has had, values of.
    async fn state_names(&self) -> Result<Vec<Arc<str>>, StoreError>;

    /// The next number of an intake source; 0 for one that has sent nothing.
    async fn sent_from(&self, source: &str) -> Result<u64, StoreError>;

    /// How far each schedule has been sent, in the order of their names.
    async fn schedules(&self) -> Result<Vec<Scheduled>, StoreError>;

    /// Up to `most` intake sources in the order of their names, those behind `after`, each with the
    /// number that it sends next.
    async fn sources(
        &self,
        after: Option<Arc<str>>,
        most: usize,
    ) -> Result<Vec<(Arc<str>, u64)>, StoreError>;

    /// How many messages this store has given a position, topic by topic.
    async fn sent(&self) -> Result<Vec<(Arc<str>, u64)>, StoreError>;

    /// Up to `most` kept deliveries in the order of their numbers, those behind `after`. Messages
    /// that no handler takes are not among them.
    async fn kept(&self, after: Option<u64>, most: usize) -> Result<Vec<Kept>, StoreError>;

    /// Up to `most` messages that no handler takes in the order of their numbers, those behind
    /// `after`.
    async fn unhandled(
        &self,
        after: Option<u64>,
        most: usize,
    ) -> Result<Vec<Unhandled>, StoreError>;

    /// The kept deliveries, and messages that no handler takes, of these numbers, in their order;
    /// `None` for one that is not there.
    async fn kept_messages(
        &self,
        numbers: Vec<u64>,
    ) -> Result<Vec<Option<KeptMessage>>, StoreError>;

    /// Up to `most` messages that wait for their time, in the order of their times, those behind
    /// `after`.
    async fn timers(&self, after: Option<TimerId>, most: usize) -> Result<Vec<Timer>, StoreError>;

    /// Up to `most` records that are no message, with their numbers, those behind `after`.
    async fn invalid(
        &self,
        after: Option<u64>,
        most: usize,
    ) -> Result<Vec<(u64, InvalidMessage)>, StoreError>;

    /// How much is kept.
    async fn totals(&self) -> Result<Totals, StoreError>;
}
