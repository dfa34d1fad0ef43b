//! Claims about states.

use super::*;
use crate::store::StateSet;

pub(crate) async fn a_state_of_another_version_is_a_conflict(subject: Subject) {
    let mut open = subject.open().await;
    let mut sequence = 0;
    let mut put = |read, json: &str| {
        sequence += 1;
        handled(at(sequence)).put("k", read, json)
    };
    assert_eq!(open.one(put(1, "there is none")).await, Verdict::Conflict);
    assert_eq!(open.one(put(0, "one")).await, Verdict::Applied);
    assert_eq!(open.one(put(0, "stale")).await, Verdict::Conflict);
    for leave in [Leave::Dropped, Leave::Closed] {
        open = subject.reopen(open, leave).await;
        assert_eq!(open.state("k").await, stored(1, "one"));
        assert_eq!(open.one(put(0, "stale")).await, Verdict::Conflict);
        assert_eq!(open.one(put(2, "ahead")).await, Verdict::Conflict);
    }
    assert_eq!(open.one(put(1, "two")).await, Verdict::Applied);
    assert_eq!(open.state("k").await, stored(2, "two"));
}

pub(crate) async fn entries_of_one_batch_see_each_others_states(subject: Subject) {
    let mut open = subject.open().await;
    let durable = open
        .commit(vec![
            handled(at(1)).put("k", 0, "1").put("other", 0, "x"),
            handled(at(2)).put("k", 1, "2"),
            handled(at(3)).put("k", 1, "stale"),
            handled(at(4)).put("k", 2, "3"),
        ])
        .await;
    use Verdict::{Applied, Conflict};
    assert_eq!(durable.verdicts, [Applied, Applied, Conflict, Applied]);
    assert_eq!(open.state("k").await, stored(3, "3"));
    let open = subject.reopen(open, Leave::Dropped).await;
    assert_eq!(open.state("k").await, stored(3, "3"));
    assert_eq!(open.state("other").await, stored(1, "x"));
}

pub(crate) async fn a_deleted_state_begins_anew(subject: Subject) {
    let mut open = subject.open().await;
    let delete =
        |sequence, read| handled(at(sequence)).touch("account", "k", read, StateChange::Delete);
    open.commit(vec![handled(at(1)).put("k", 0, "1"), handled(at(2)).put("k", 1, "2")]).await;
    open = subject.reopen(open, Leave::Closed).await;
    assert_eq!(open.one(delete(3, 2)).await, Verdict::Applied);
    for leave in [Leave::Dropped, Leave::Closed] {
        assert_eq!(open.state("k").await, StoredState::default());
        assert_eq!(open.reader.scan("account".into(), None, 9).await.unwrap(), []);
        open = subject.reopen(open, leave).await;
    }
    assert_eq!(open.one(handled(at(4)).put("k", 2, "its old version")).await, Verdict::Conflict);
    // Deleted, made and deleted in one batch.
    let entries = vec![
        handled(at(4)).put("k", 0, "again"),
        delete(5, 1),
        handled(at(6)).put("k", 0, "third"),
    ];
    assert_eq!(open.commit(entries).await.verdicts, [Verdict::Applied; 3]);
    let open = subject.reopen(open, Leave::Dropped).await;
    assert_eq!(open.state("k").await, stored(1, "third"));
}

pub(crate) async fn a_state_that_is_only_read_is_checked_and_not_written(subject: Subject) {
    let mut open = subject.open().await;
    open.one(handled(at(1)).put("k", 0, "1")).await;
    let read =
        |sequence, read| handled(at(sequence)).touch("account", "k", read, StateChange::Same);
    assert_eq!(open.one(read(2, 0)).await, Verdict::Conflict);
    assert_eq!(open.one(read(2, 1)).await, Verdict::Applied);
    assert_eq!(open.state("k").await, stored(1, "1"));
}

pub(crate) async fn states_and_messages_of_one_entry_come_together(subject: Subject) {
    let mut open = subject.open().await;
    for n in 0..20_u64 {
        let entry = handled(at(n + 1)).put("k", n, n).send("out", Some("k"), n);
        assert_eq!(open.one(entry).await, Verdict::Applied);
        let leave = if n % 2 == 0 { Leave::Dropped } else { Leave::Closed };
        open = subject.reopen(open, leave).await;
        assert_eq!(open.state("k").await.version, n + 1);
        assert_eq!(open.outbox().len() as u64, n + 1);
        assert_eq!(open.settled(&stream(1)), [(1, n + 1)]);
    }
}

pub(crate) async fn a_state_is_set_whatever_it_was_or_at_the_version_that_is_expected(
    subject: Subject,
) {
    let mut open = subject.open().await;
    let set = |expected, json: Option<&str>| {
        let value = json.map(|json| StateValue { schema: 3, json: json.to_owned().into() });
        let (name, key) = ("account".into(), "k".into());
        entry(About::StateSet(Box::new(StateSet { name, key, expected, value })))
    };
    use Verdict::{Applied, Conflict, NotPending};
    assert_eq!(open.one(set(None, None)).await, NotPending, "there is none to remove");
    assert_eq!(open.one(set(Some(1), Some("no"))).await, Conflict);
    assert_eq!(open.one(set(Some(0), Some("one"))).await, Applied);
    for (n, leave) in (0..).zip([Leave::Dropped, Leave::Closed]) {
        open.push_behind().await;
        open = subject.reopen(open, leave).await;
        // In one batch, each over what the one before has left.
        let before = open.state("k").await.version;
        let entries = vec![
            set(None, Some("two")),
            set(Some(before), Some("no")),
            handled(at(n + 1)).put("k", before + 1, "three"),
            set(Some(before + 2), Some("four")),
        ];
        let verdicts = open.commit(entries).await.verdicts;
        assert_eq!(verdicts, [Applied, Conflict, Applied, Applied]);
        let found = open.state("k").await;
        assert_eq!(found.version, before + 3);
        assert_eq!(found.value, Some(StateValue { schema: 3, json: "four".into() }));
    }
    assert_eq!(open.reader.state_names().await.unwrap(), texts(&["account"]));
    open.push_behind().await;
    assert_eq!(open.one(set(None, None)).await, Applied);
    let open = subject.reopen(open, Leave::Dropped).await;
    assert_eq!(open.state("k").await, StoredState::default());
}
