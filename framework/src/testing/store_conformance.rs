//! What every store must do, as one suite. A store's tests say `store_conformance!(make)`, where
//! `make()` returns a [`Subject`].
//!
//! What stores may do differently is declared as a feature, and what follows from either choice
//! is tested; nothing is skipped. No test waits for time.

use std::any::Any;
use std::sync::Arc;

use bytes::Bytes;

use crate::committed::RecordRef;
use crate::delivery::StateValue;
use crate::outcome::{Release, Send as Message, StateChange};
use crate::store::{
    Batch, Catalog, CommitError, Durable, Entry, Found, OpenStore, Reader, Recovered, Renames,
    StateTouch, Store, StoreError, StoredState, Subject as About, Verdict,
};
use crate::stream::{Key, PartitionId, Position, Slot, StreamId};

pub(crate) mod adopting;
pub(crate) mod entries;
pub(crate) mod invalid;
pub(crate) mod keeping;
pub(crate) mod model;
pub(crate) mod positions;
pub(crate) mod reading;
pub(crate) mod states;
pub(crate) mod timers;

/// A store to be tested, new, with what it declares.
pub(crate) struct Subject {
    /// Opens it, as often as wanted; it holds what was committed before.
    pub(crate) opener: Box<dyn Fn() -> Box<dyn OpenStore> + Send + Sync>,
    pub(crate) features: Features,
    /// What must outlive the store, such as its directory.
    pub(crate) _home: Box<dyn Any + Send + Sync>,
}

/// What stores may do differently.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Features {
    pub(crate) second_opening: SecondOpening,
}

/// What becomes of a store that is opened while it is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SecondOpening {
    /// It is refused.
    Locked,
    /// It takes over, and the first one's next commit is refused.
    Fences,
}

/// Makes a test of every claim.
macro_rules! store_conformance {
    ($make:expr; $($module:ident: $($claim:ident)*;)*) => {
        $($(
            #[tokio::test]
            async fn $claim() {
                $crate::testing::store_conformance::$module::$claim($make()).await;
            }
        )*)*
    };
    ($make:expr) => {
        $crate::testing::store_conformance::store_conformance! { $make;
            positions:
                sequences_are_dense_and_in_commit_order_across_reopening
                messages_without_a_key_take_the_slots_in_turn
                prev_names_the_keys_last_message_or_a_horizon
                what_is_confirmed_leaves_the_outbox_and_the_rest_comes_back_in_order
                nothing_is_confirmed_that_was_not_sent_by_this_store
                the_floor_follows_what_was_confirmed_long_ago
                causes_name_position_handler_and_place
                sent_is_counted_once_however_often_it_is_replayed;
            entries:
                a_refused_entry_has_no_effect_and_ends_its_run
                a_position_is_settled_when_the_last_of_its_first_handlers_is_done
                a_handler_that_is_not_left_to_do_is_refused
                a_duplicate_holds_only_for_what_is_settled
                what_is_not_mine_is_settled
                holes_that_are_passed_count_as_settled
                the_latest_commit_time_of_a_stream_comes_back
                foreign_positions_are_offsets
                cursors_advance_and_survive
                intake_numbers_go_up_with_gaps_and_survive
                a_schedule_is_remembered_as_it_was_last_sent
                an_id_is_sent_once_as_long_as_it_is_remembered
                a_batch_above_a_limit_is_refused_whole
                a_second_opening_is_treated_as_declared
                an_unknown_commit_is_resolved
                an_empty_batch_is_durable;
            states:
                a_state_of_another_version_is_a_conflict
                entries_of_one_batch_see_each_others_states
                a_deleted_state_begins_anew
                a_state_that_is_only_read_is_checked_and_not_written
                states_and_messages_of_one_entry_come_together
                a_state_is_set_whatever_it_was_or_at_the_version_that_is_expected;
            reading:
                what_was_never_written_reads_as_nothing
                pages_are_in_key_order_over_all_that_is_stored
                a_page_ends_where_it_is_told_to;
            keeping:
                a_kept_delivery_settles_its_position_and_comes_back_whole
                a_kept_delivery_waits_for_what_it_is_told_to
                a_kept_delivery_is_handled_once
                what_is_discarded_is_gone_and_its_number_is_not_used_again
                a_long_history_keeps_its_first_four_and_last_twelve
                what_is_too_large_to_keep_is_refused
                what_no_handler_takes_is_listed_apart_and_taken_in_its_place;
            timers:
                a_message_waits_and_is_sent_when_it_is_released
                what_is_due_already_is_sent_at_once
                what_waits_under_a_name_is_replaced_or_cancelled
                timers_are_in_the_order_of_their_times_over_all_that_is_stored
                a_name_that_is_too_long_is_refused
                what_waits_is_cancelled_by_its_number_or_released_never_both;
            invalid:
                a_record_that_is_no_message_is_listed_as_it_came
                a_record_larger_than_a_row_is_cut_and_says_so
                a_record_that_is_a_message_now_leaves_the_list_as_its_deliveries_come;
            adopting:
                the_catalog_comes_back
                what_a_handler_left_undone_is_listed
                a_renamed_handler_has_its_work
                a_retired_handlers_work_is_given_up
                what_is_kept_follows_its_handler
                handlers_that_swap_names_keep_their_work
                a_renamed_state_keeps_its_values
                two_states_cannot_become_one
                a_retired_state_leaves_the_catalog
                a_renamed_type_is_remembered_and_names_its_timers;
            model:
                random_batches_and_reopenings_do_as_the_model;
        }
    };
}
pub(crate) use store_conformance;

/// An open store, and what it said when it was opened.
pub(crate) struct Opened {
    pub(crate) store: Box<dyn Store>,
    pub(crate) reader: Arc<dyn Reader>,
    pub(crate) found: Found,
    pub(crate) recovered: Recovered,
    pub(crate) next_id: u64,
}

/// How a store is left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Leave {
    Closed,
    Dropped,
}

impl Subject {
    /// Opens it for the usual app.
    pub(crate) async fn open(&self) -> Opened {
        self.open_as(catalog(), Renames::default()).await.unwrap()
    }

    pub(crate) async fn open_as(
        &self,
        catalog: Catalog,
        renames: Renames,
    ) -> Result<Opened, StoreError> {
        let opened = (self.opener)().open("shop".into()).await?;
        let (mut store, reader, found) = (opened.store, opened.reader, opened.found);
        let recovered = store.adopt(catalog, renames).await?;
        Ok(Opened { store, reader, found, recovered, next_id: 1 })
    }

    /// Leaves it and opens it again.
    pub(crate) async fn reopen(&self, opened: Opened, leave: Leave) -> Opened {
        opened.leave(leave).await;
        self.open().await
    }
}

impl Opened {
    pub(crate) async fn leave(self, leave: Leave) {
        match leave {
            Leave::Closed => self.store.close().await.unwrap(),
            Leave::Dropped => drop(self.store),
        }
    }

    pub(crate) async fn try_commit(&mut self, batch: Batch) -> Result<Durable, CommitError> {
        let batch = Batch { id: self.next_id, ..batch };
        self.next_id += 1;
        self.store.commit(&batch).await
    }

    pub(crate) async fn commit(&mut self, entries: Vec<Entry>) -> Durable {
        self.try_commit(Batch { time_ms: 1_000, entries, ..Batch::default() }).await.unwrap()
    }

    /// Commits one entry.
    pub(crate) async fn one(&mut self, entry: Entry) -> Verdict {
        self.commit(vec![entry]).await.verdicts[0]
    }

    pub(crate) async fn confirm(&mut self, stream: &Arc<StreamId>, through: u64, time_ms: u64) {
        let confirmed = vec![(Arc::clone(stream), through)];
        // However the machine's clock is set: what has been confirmed for long is not known by it.
        let (time_ms, steady_ms) = (u64::MAX - time_ms, time_ms);
        let batch = Batch { time_ms, steady_ms, confirmed, ..Batch::default() };
        self.try_commit(batch).await.unwrap();
    }

    pub(crate) async fn state(&self, key: &str) -> StoredState {
        self.reader.states(vec![("account".into(), key.into())]).await.unwrap().remove(0)
    }

    /// The settled runs of what was received.
    pub(crate) fn settled(&self, stream: &Arc<StreamId>) -> Vec<(u64, u64)> {
        let found = self.recovered.inbox.iter().find(|(known, _)| known == stream);
        found.map(|(_, ranges)| ranges.runs().to_vec()).unwrap_or_default()
    }

    /// The done runs of a partition.
    pub(crate) fn done(&self, partition: &Arc<PartitionId>) -> Vec<(u64, u64)> {
        let found = self.recovered.cursors.iter().find(|(known, _)| known == partition);
        found.map(|(_, ranges)| ranges.runs().to_vec()).unwrap_or_default()
    }

    /// Topic, slot, sequence and body of the outbox's rows.
    pub(crate) fn outbox(&self) -> Vec<(String, u8, u64, String)> {
        let row = |row: &Arc<crate::store::OutboxRow>| {
            let body = String::from_utf8(row.body.to_vec()).unwrap();
            (row.stream.topic.to_string(), row.stream.slot.0, row.sequence, body)
        };
        self.recovered.outbox.iter().map(row).collect()
    }
}

pub(crate) fn texts(names: &[&str]) -> Vec<Arc<str>> {
    names.iter().map(|name| Arc::from(*name)).collect()
}

/// The usual app.
pub(crate) fn catalog() -> Catalog {
    Catalog {
        handlers: texts(&["audit", "deposit"]),
        states: texts(&["account"]),
        types: vec![("in".into(), "Deposit".into())],
    }
}

/// A stream of another service.
pub(crate) fn stream(slot: u8) -> Arc<StreamId> {
    let (service, topic) = ("bank".into(), "in".into());
    Arc::new(StreamId { service, store: 9, epoch: 0, topic, slot: Slot(slot) })
}

pub(crate) fn partition(partition: u32) -> Arc<PartitionId> {
    let (cluster, topic) = ("c".into(), "in".into());
    Arc::new(PartitionId { cluster, topic, incarnation: 4, partition })
}

/// A position in stream 1.
pub(crate) fn at(sequence: u64) -> Position {
    Position::Stream(stream(1), sequence)
}

pub(crate) fn entry(subject: About) -> Entry {
    Entry {
        run: None,
        subject,
        states: Vec::new(),
        cancels: Vec::new(),
        sends: Vec::new(),
        done: Vec::new(),
    }
}

/// One of these handlers has handled a position.
pub(crate) fn handled_of(position: Position, handler: &str, handlers: &[&str]) -> Entry {
    let handlers = texts(handlers).into();
    entry(About::Handled { position, floor: 0, handler: handler.into(), handlers, kept: None })
}

/// The only handler has handled a position.
pub(crate) fn handled(position: Position) -> Entry {
    handled_of(position, "deposit", &["deposit"])
}

pub(crate) fn duplicate(position: Position) -> Entry {
    entry(About::Duplicate { position })
}

pub(crate) fn intake(source: &str, number: u64) -> Entry {
    entry(About::Intake { from: Some((source.into(), number)) })
}

/// A message from outside, without a number.
pub(crate) fn accepted() -> Entry {
    entry(About::Intake { from: None })
}

impl Entry {
    pub(crate) fn run(mut self, run: u64) -> Self {
        self.run = Some(run);
        self
    }

    pub(crate) fn send(mut self, topic: &str, key: Option<&str>, body: impl ToString) -> Self {
        self.sends.push(message(topic, key, body));
        self
    }

    pub(crate) fn put(self, key: &str, read: u64, json: impl ToString) -> Self {
        let json = Bytes::from(json.to_string());
        self.touch("account", key, read, StateChange::Put(StateValue { schema: 1, json }))
    }

    pub(crate) fn touch(mut self, name: &str, key: &str, read: u64, change: StateChange) -> Self {
        self.states.push(StateTouch { name: name.into(), key: key.into(), read, change });
        self
    }

    pub(crate) fn done(mut self, partition: &Arc<PartitionId>, offset: u64) -> Self {
        let partition = Arc::clone(partition);
        self.done.push(RecordRef { partition, offset, token: 0, bytes: 0 });
        self
    }
}

pub(crate) fn message(topic: &str, key: Option<&str>, body: impl ToString) -> Message {
    Message {
        topic: topic.to_owned().into(),
        type_name: "Sent".into(),
        key: key.map(Key::from),
        headers: [("tenant", "north")].into_iter().collect(),
        body: body.to_string().into(),
        release: Release::Now,
        name: None,
    }
}

/// What a state of that version and JSON reads as.
pub(crate) fn stored(version: u64, json: &'static str) -> StoredState {
    let value = StateValue { schema: 1, json: Bytes::from_static(json.as_bytes()) };
    StoredState { version, value: Some(value) }
}

mod memory {
    use super::{Features, SecondOpening, Subject};
    use crate::store::memory::MemoryStore;

    fn subject() -> Subject {
        let store = MemoryStore::new(7);
        Subject {
            opener: Box::new(move || Box::new(store.clone())),
            features: Features { second_opening: SecondOpening::Fences },
            _home: Box::new(()),
        }
    }

    super::store_conformance!(subject);
}
