//! Claims about entries: what they settle, when they are refused, what they leave.

use super::*;
use crate::store::limits::{ENTRIES_MAX, KEY_BYTES_MAX, ROW_BYTES_MAX};
use crate::store::{LimitError, Once, Scheduled};

pub(crate) async fn a_refused_entry_has_no_effect_and_ends_its_run(subject: Subject) {
    let mut open = subject.open().await;
    let part = partition(0);
    open.one(handled(at(1)).put("k", 0, "one")).await;
    let full = |sequence, run: u64| {
        let entry = handled(at(sequence)).run(run).done(&part, sequence);
        entry.send("out", Some("k"), sequence)
    };
    let durable = open
        .commit(vec![
            full(2, 5).put("k", 9, "refused"),
            full(3, 5).put("other", 0, "behind it"),
            full(4, 6).put("k", 1, "two"),
            full(1, 7).put("third", 0, "settled before"),
            full(5, 7).put("third", 0, "behind that"),
        ])
        .await;
    use Verdict::*;
    assert_eq!(durable.verdicts, [Conflict, Conflict, Applied, NotPending, Conflict]);
    assert_eq!(durable.sent.iter().map(|row| row.sequence).collect::<Vec<_>>(), [1]);
    // What comes behind in a later batch of the run is refused as well; another run is not.
    assert_eq!(open.one(full(6, 5).put("fourth", 0, "late")).await, Conflict);
    assert_eq!(open.one(full(6, 8).put("fourth", 0, "again")).await, Applied);
    let open = subject.reopen(open, Leave::Dropped).await;
    assert_eq!(open.settled(&stream(1)), [(1, 1), (4, 4), (6, 6)]);
    assert_eq!(open.done(&part), [(4, 4), (6, 6)]);
    assert_eq!(open.state("k").await, stored(2, "two"));
    assert_eq!(open.state("other").await, StoredState::default());
    assert_eq!(open.state("third").await, StoredState::default());
    assert_eq!(open.outbox().len(), 2);
}

pub(crate) async fn a_position_is_settled_when_the_last_of_its_first_handlers_is_done(
    subject: Subject,
) {
    let mut open = subject.open().await;
    for (n, position) in [at(1), Position::Foreign(partition(3), 70)].into_iter().enumerate() {
        let both = ["audit", "deposit"];
        let first = handled_of(position.clone(), "deposit", &both);
        assert_eq!(open.one(first).await, Verdict::Applied);
        for leave in [Leave::Dropped, Leave::Closed] {
            open = subject.reopen(open, leave).await;
            assert_eq!(open.recovered.pending, [(position.clone(), texts(&["audit"]))]);
            assert_eq!(open.found.unfinished, texts(&["audit"]));
            assert_eq!(open.one(duplicate(position.clone())).await, Verdict::NotPending);
        }
        // A handler that is named later has no part in it.
        let later = ["audit", "deposit", "new"];
        assert_eq!(
            open.one(handled_of(position.clone(), "new", &later)).await,
            Verdict::NotPending
        );
        assert_eq!(open.one(handled_of(position.clone(), "audit", &later)).await, Verdict::Applied);
        open = subject.reopen(open, Leave::Dropped).await;
        assert_eq!(open.recovered.pending, []);
        assert_eq!(open.found.unfinished, texts(&[]));
        match n {
            0 => assert_eq!(open.settled(&stream(1)), [(1, 1)]),
            _ => assert_eq!(open.done(&partition(3)), [(70, 70)]),
        }
        assert_eq!(open.one(duplicate(position)).await, Verdict::Applied);
    }
}

pub(crate) async fn a_handler_that_is_not_left_to_do_is_refused(subject: Subject) {
    let mut open = subject.open().await;
    let both = ["audit", "deposit"];
    let twice = handled_of(at(1), "audit", &both);
    let durable = open.commit(vec![twice.clone(), twice.clone()]).await;
    assert_eq!(durable.verdicts, [Verdict::Applied, Verdict::NotPending]);
    assert_eq!(open.one(twice.clone()).await, Verdict::NotPending);
    let mut open = subject.reopen(open, Leave::Dropped).await;
    assert_eq!(open.one(twice).await, Verdict::NotPending);
    let not_mine = entry(About::NotMine { position: at(1), floor: 0 });
    assert_eq!(open.one(not_mine).await, Verdict::NotPending, "half of it is done here");
    assert_eq!(open.one(handled_of(at(2), "new", &both)).await, Verdict::NotPending);
    assert_eq!(open.one(handled_of(at(1), "deposit", &both)).await, Verdict::Applied);
    assert_eq!(open.one(handled_of(at(1), "deposit", &both)).await, Verdict::NotPending);
}

pub(crate) async fn a_duplicate_holds_only_for_what_is_settled(subject: Subject) {
    let mut open = subject.open().await;
    let part = partition(0);
    let copy = |offset| duplicate(at(1)).done(&part, offset);
    assert_eq!(open.one(copy(0)).await, Verdict::NotPending);
    let durable = open.commit(vec![copy(1), handled(at(1)).done(&part, 2), copy(3)]).await;
    assert_eq!(durable.verdicts, [Verdict::NotPending, Verdict::Applied, Verdict::Applied]);
    let mut open = subject.reopen(open, Leave::Dropped).await;
    assert_eq!(open.one(copy(4)).await, Verdict::Applied);
    let open = subject.reopen(open, Leave::Dropped).await;
    assert_eq!(open.done(&part), [(2, 4)]);
}

pub(crate) async fn what_is_not_mine_is_settled(subject: Subject) {
    let mut open = subject.open().await;
    let part = partition(0);
    let not_mine = entry(About::NotMine { position: at(3), floor: 2 }).done(&part, 5);
    assert_eq!(open.one(not_mine.clone()).await, Verdict::Applied);
    let mut open = subject.reopen(open, Leave::Dropped).await;
    assert_eq!((open.settled(&stream(1)), open.done(&part)), (vec![(3, 3)], vec![(5, 5)]));
    assert_eq!(open.one(not_mine).await, Verdict::NotPending);
    assert_eq!(open.one(handled(at(3))).await, Verdict::NotPending);
}

pub(crate) async fn holes_that_are_passed_count_as_settled(subject: Subject) {
    let mut open = subject.open().await;
    open.commit([2, 5, 9].map(|n| handled(at(n))).to_vec()).await;
    let passed =
        |runs: &[(u64, u64)]| entry(About::HolesPassed { stream: stream(1), runs: runs.to_vec() });
    assert_eq!(open.one(passed(&[(1, 1), (6, 8)])).await, Verdict::Applied);
    assert_eq!(open.one(handled(at(7))).await, Verdict::NotPending);
    assert_eq!(open.one(duplicate(at(1))).await, Verdict::Applied);
    let mut open = subject.reopen(open, Leave::Dropped).await;
    assert_eq!(open.settled(&stream(1)), [(1, 2), (5, 9)]);
    assert_eq!(open.one(handled(at(4))).await, Verdict::Applied);
    let open = subject.reopen(open, Leave::Closed).await;
    assert_eq!(open.settled(&stream(1)), [(1, 2), (4, 9)]);
}

pub(crate) async fn the_latest_commit_time_of_a_stream_comes_back(subject: Subject) {
    let mut open = subject.open().await;
    for (number, time_ms) in [(1, 500), (2, 900), (3, 700)] {
        let (entries, times) = (vec![handled(at(number))], vec![(stream(1), time_ms)]);
        open.try_commit(Batch { entries, times, ..Batch::default() }).await.unwrap();
    }
    for leave in [Leave::Dropped, Leave::Closed] {
        open = subject.reopen(open, leave).await;
        assert_eq!(open.recovered.times, [(stream(1), 900)]);
    }
}

pub(crate) async fn foreign_positions_are_offsets(subject: Subject) {
    let mut open = subject.open().await;
    let part = partition(6);
    let foreign = |offset| Position::Foreign(Arc::clone(&part), offset);
    let entries = (0..10).map(|n| handled(foreign(n)).done(&part, n).send("out", None, n));
    let verdicts = open.commit(entries.collect()).await.verdicts;
    assert_eq!(verdicts, [Verdict::Applied; 10]);
    let mut open = subject.reopen(open, Leave::Dropped).await;
    assert_eq!(open.done(&part), [(0, 9)]);
    assert_eq!(open.one(handled(foreign(4))).await, Verdict::NotPending);
    assert_eq!(open.one(handled(foreign(10))).await, Verdict::Applied);
    let other = Position::Foreign(partition(7), 4);
    assert_eq!(open.one(handled(other)).await, Verdict::Applied, "another partition's offset");
}

pub(crate) async fn cursors_advance_and_survive(subject: Subject) {
    let mut open = subject.open().await;
    let parts = [partition(0), partition(1)];
    let entries =
        [0, 2, 1, 5, 4].map(|n| handled(at(n + 1)).done(&parts[0], n).done(&parts[1], n * 2));
    open.commit(entries.to_vec()).await;
    for leave in [Leave::Dropped, Leave::Closed] {
        open = subject.reopen(open, leave).await;
        assert_eq!(open.done(&parts[0]), [(0, 2), (4, 5)]);
        let twice = [(0, 0), (2, 2), (4, 4), (8, 8), (10, 10)];
        assert_eq!(open.done(&parts[1]), twice);
    }
    open.one(handled(at(4)).done(&parts[0], 3)).await;
    let open = subject.reopen(open, Leave::Dropped).await;
    assert_eq!(open.done(&parts[0]), [(0, 5)]);
}

pub(crate) async fn intake_numbers_go_up_with_gaps_and_survive(subject: Subject) {
    let mut open = subject.open().await;
    let line = |n: u64| intake("upload", n).send("out", Some("k"), n);
    assert_eq!(open.reader.sent_from("upload").await.unwrap(), 0);
    let durable = open.commit(vec![line(0), line(1), line(1), line(7), line(3)]).await;
    use Verdict::{Already, Applied, NotPending, Skipped};
    assert_eq!(durable.verdicts, [Applied, Applied, Already, Applied, Skipped]);
    assert_eq!(durable.sent.len(), 3);
    for leave in [Leave::Dropped, Leave::Closed] {
        open = subject.reopen(open, leave).await;
        assert_eq!(open.reader.sent_from("upload").await.unwrap(), 8);
        assert_eq!(open.reader.sent_from("another").await.unwrap(), 0);
        let bodies: Vec<_> = open.outbox().into_iter().map(|row| row.3).collect();
        assert_eq!(bodies, ["0", "1", "7"], "number and message are there together");
        assert_eq!(open.one(line(7)).await, Already);
        assert_eq!(open.one(line(3)).await, Skipped, "it was never sent");
    }
    assert_eq!(open.one(line(8)).await, Applied);
    assert_eq!(open.one(intake("another", 4)).await, Applied);
    assert_eq!(open.reader.sent_from("another").await.unwrap(), 5);
    let retired = |source: &str| entry(About::SourceRetired { source: source.into() });
    assert_eq!(open.one(retired("upload")).await, Applied);
    for leave in [Leave::Dropped, Leave::Closed] {
        open = subject.reopen(open, leave).await;
        assert_eq!(open.one(retired("upload")).await, NotPending, "it is gone");
        let left = open.reader.sources(None, 9).await.unwrap();
        assert_eq!(left, [("another".into(), 5)]);
    }
    assert_eq!(open.one(line(3)).await, Applied, "its numbers are forgotten");
}

pub(crate) async fn an_id_is_sent_once_as_long_as_it_is_remembered(subject: Subject) {
    use Verdict::{Already, Applied, Differs, Full};
    let mut open = subject.open().await;
    let send = |id: &str, digest| {
        let source = "http".into();
        let once = Once { source, id: id.into(), digest, keep_ms: 100, ids_max: 3 };
        entry(About::Once(Box::new(once))).send("out", Some("k"), digest as u64)
    };
    let even = 600_000;
    // Each opening has a steady clock of its own.
    let at =
        |time_ms, steady_ms, entries| Batch { time_ms, steady_ms, entries, ..Batch::default() };
    let entries = vec![send("a", 1), send("a", 1), send("a", 2), send("b", 3)];
    let durable = open.try_commit(at(1_000, 7, entries)).await.unwrap();
    assert_eq!(durable.verdicts, [Applied, Already, Differs, Applied]);
    assert_eq!(durable.sent.len(), 2);
    for leave in [Leave::Dropped, Leave::Closed] {
        open = subject.reopen(open, leave).await;
        // However late it is: a clock that has just begun is not believed.
        let again = at(9_000, 7, vec![send("a", 1), send("b", 4)]);
        assert_eq!(open.try_commit(again).await.unwrap().verdicts, [Already, Differs]);
    }
    open = subject.reopen(open, Leave::Closed).await;
    let more = open.try_commit(at(1_050, 7, vec![send("c", 1), send("d", 1)])).await.unwrap();
    assert_eq!(more.verdicts, [Applied, Full]);
    let ahead = open.try_commit(at(900_000, 100, vec![send("c", 1)])).await.unwrap();
    assert_eq!(ahead.verdicts, [Already], "the clock is ahead, and little time has passed");
    let later = open.try_commit(at(1_150, 107, vec![send("a", 1), send("d", 1)])).await.unwrap();
    assert_eq!(later.verdicts, [Already, Applied], "the time of the third is over, by both clocks");
    let mut open = subject.reopen(open, Leave::Closed).await;
    let full = vec![send("d", 1), send("e", 1), send("a", 9)];
    let full = open.try_commit(at(1_149, 7, full)).await.unwrap();
    assert_eq!(full.verdicts, [Already, Applied, Applied], "those from before make place");
    let late = open.try_commit(at(1_149 + even, 7 + even, vec![send("d", 9)])).await.unwrap();
    assert_eq!(late.verdicts, [Applied], "a clock that went on evenly is believed");
}

pub(crate) async fn a_schedule_is_remembered_as_it_was_last_sent(subject: Subject) {
    let mut open = subject.open().await;
    let schedule = |name: &str, cron: &str, last_ms| Scheduled {
        name: name.into(),
        cron: cron.into(),
        last_ms,
    };
    let tick = |one: &Scheduled| entry(About::Scheduled(one.clone())).send("out", None, 1);
    let (hourly, nightly) = (schedule("b", "0 * * * *", 9_000), schedule("a", "0 3 * * *", 5));
    open.commit(vec![tick(&hourly), tick(&nightly), tick(&hourly)]).await;
    for leave in [Leave::Dropped, Leave::Closed] {
        open = subject.reopen(open, leave).await;
        let known = [nightly.clone(), hourly.clone()];
        assert_eq!(open.reader.schedules().await.unwrap(), known);
    }
    // A clock that was ahead may be told so: the last time is what was said last.
    let earlier = schedule("b", "*/5 * * * *", 7);
    open.commit(vec![tick(&earlier), entry(About::ScheduleGone { name: "a".into() })]).await;
    for leave in [Leave::Dropped, Leave::Closed] {
        open = subject.reopen(open, leave).await;
        assert_eq!(open.reader.schedules().await.unwrap(), std::slice::from_ref(&earlier));
    }
}

pub(crate) async fn a_batch_above_a_limit_is_refused_whole(subject: Subject) {
    let mut open = subject.open().await;
    let long = "k".repeat(KEY_BYTES_MAX + 1);
    let zeros = "\0".repeat(KEY_BYTES_MAX / 2 + 1);
    let large = "x".repeat(ROW_BYTES_MAX + 1);
    let over = [
        accepted().put(&long, 0, "1"),
        accepted().put(&zeros, 0, "1"),
        accepted().put("k", 0, &large),
        accepted().send("out", Some("k"), &large),
        intake(&long, 0),
        intake("upload", u64::MAX),
    ];
    for (n, entry) in over.into_iter().enumerate() {
        let before = intake("upload", 5).send("out", Some("k"), "before");
        let batch = Batch { entries: vec![before, entry], ..Batch::default() };
        match open.try_commit(batch).await {
            Err(CommitError::Limit(limit)) => assert!(!limit.to_string().is_empty()),
            other => panic!("case {n}: {other:?}"),
        }
    }
    let many = Batch { entries: vec![accepted(); ENTRIES_MAX + 1], ..Batch::default() };
    let refused = open.try_commit(many).await;
    assert!(matches!(refused, Err(CommitError::Limit(LimitError::Batch { .. }))));
    // The store goes on, and takes what is just within.
    let (key, value) = ("\0".repeat(KEY_BYTES_MAX / 2), "x".repeat(ROW_BYTES_MAX));
    let within = intake(&key, u64::MAX - 1).put(&key, 0, &value).send("out", Some("k"), "1");
    assert_eq!(open.one(within).await, Verdict::Applied);
    let open = subject.reopen(open, Leave::Closed).await;
    assert_eq!(open.reader.sent_from("upload").await.unwrap(), 0);
    assert_eq!(open.reader.sent_from(&key).await.unwrap(), u64::MAX);
    assert_eq!(open.outbox(), [("out".into(), Slot::of("k").0, 1, "1".into())]);
    assert_eq!(open.state(&key).await.value.unwrap().json.len(), ROW_BYTES_MAX);
}

pub(crate) async fn a_second_opening_is_treated_as_declared(subject: Subject) {
    let mut first = subject.open().await;
    first.one(handled(at(1))).await;
    let second = subject.open_as(catalog(), Renames::default()).await;
    match (second, subject.features.second_opening) {
        (Err(StoreError::Locked { place, .. }), SecondOpening::Locked) => {
            assert!(!place.is_empty());
            assert_eq!(first.one(handled(at(2))).await, Verdict::Applied);
        }
        (Ok(mut second), SecondOpening::Fences) => {
            let batch = Batch { entries: vec![handled(at(2))], ..Batch::default() };
            let fenced = first.try_commit(batch).await;
            assert!(matches!(fenced, Err(CommitError::Fenced(_))), "{fenced:?}");
            assert_eq!(second.one(handled(at(2))).await, Verdict::Applied);
            first = second;
        }
        (second, declared) => panic!("declared {declared:?}, but {:?}", second.err()),
    }
    let open = subject.reopen(first, Leave::Dropped).await;
    assert_eq!(open.settled(&stream(1)), [(1, 2)]);
}

pub(crate) async fn an_unknown_commit_is_resolved(subject: Subject) {
    let mut open = subject.open().await;
    open.one(handled(at(1))).await;
    // A number that was never given to a commit.
    assert!(open.store.resolve(900).await.unwrap().is_none());
    assert_eq!(open.one(handled(at(2))).await, Verdict::Applied);
}

pub(crate) async fn an_empty_batch_is_durable(subject: Subject) {
    let mut open = subject.open().await;
    let durable = open.commit(Vec::new()).await;
    assert!(durable.verdicts.is_empty() && durable.sent.is_empty());
    assert_eq!(open.one(accepted()).await, Verdict::Applied, "an entry that changes nothing");
}
