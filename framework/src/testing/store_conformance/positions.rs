//! Claims about what is sent: sequences, context, the outbox.

use super::*;

pub(crate) async fn sequences_are_dense_and_in_commit_order_across_reopening(subject: Subject) {
    let mut open = subject.open().await;
    let (mut next, mut body) = (1, 0);
    for leave in [Leave::Closed, Leave::Dropped, Leave::Dropped, Leave::Closed] {
        for _ in 0..5 {
            let send = |n: u64| {
                accepted().send("out", Some("k"), body + 2 * n).send(
                    "other",
                    Some("k"),
                    body + 2 * n + 1,
                )
            };
            let sent = open.commit((0..10).map(send).collect()).await.sent;
            assert_eq!(sent.len(), 20);
            for (n, pair) in (0..).zip(sent.chunks(2)) {
                for (row, topic) in pair.iter().zip(["out", "other"]) {
                    assert_eq!((row.sequence, &*row.stream.topic), (next + n, topic));
                    assert_eq!(row.stream.slot, Slot::of("k"));
                    assert_eq!(&*row.stream.service, "shop");
                    assert_eq!(row.stream.store, open.recovered.store);
                }
                assert_eq!(pair[0].body, (body + 2 * n).to_string());
            }
            (next, body) = (next + 10, body + 20);
        }
        open = subject.reopen(open, leave).await;
    }
}

pub(crate) async fn messages_without_a_key_take_the_slots_in_turn(subject: Subject) {
    let mut open = subject.open().await;
    let sent = open.commit((0..512).map(|n| accepted().send("out", None, n)).collect()).await.sent;
    for (n, row) in (0..).zip(&sent) {
        assert_eq!(u64::from(row.stream.slot.0), n % 256);
        assert_eq!(row.sequence, n / 256 + 1);
        assert_eq!((row.context.prev, row.context.horizon), (None, 0));
    }
}

pub(crate) async fn prev_names_the_keys_last_message_or_a_horizon(subject: Subject) {
    let mut open = subject.open().await;
    // Two keys of one slot.
    let slot = Slot::of("key-0");
    let other = (1..).map(|n| format!("key-{n}")).find(|key| Slot::of(key) == slot).unwrap();
    let entries = ["key-0", &other, "key-0", "key-0", &other];
    let entries = entries.iter().map(|key| accepted().send("out", Some(key), "x"));
    let sent = open.commit(entries.collect()).await.sent;
    let prev: Vec<_> = sent.iter().map(|row| (row.context.prev, row.context.horizon)).collect();
    assert_eq!(prev, [(None, 0), (None, 0), (Some(1), 0), (Some(3), 0), (Some(2), 0)]);

    let stream = Arc::clone(&sent[0].stream);
    open.confirm(&stream, 4, 1_000).await;
    let mut open = subject.reopen(open, Leave::Dropped).await;
    // Sequence 5 is open: remembered. What is confirmed may be forgotten: then it is below the
    // horizon, and never taken for none at all.
    let again = |key: &str| accepted().send("out", Some(key), "x");
    let sent = open.commit(vec![again(&other), again("key-0")]).await.sent;
    assert_eq!(sent[0].context.prev, Some(5));
    match sent[1].context.prev {
        Some(prev) => assert_eq!(prev, 4),
        None => assert!(sent[1].context.horizon >= 4, "{:?}", sent[1].context),
    }
    // What was sent keeps its context.
    let open = subject.reopen(open, Leave::Closed).await;
    let kept: Vec<_> = open.recovered.outbox.iter().map(|row| row.context).collect();
    assert_eq!(kept[1..], [sent[0].context, sent[1].context]);
}

pub(crate) async fn what_is_confirmed_leaves_the_outbox_and_the_rest_comes_back_in_order(
    subject: Subject,
) {
    let mut open = subject.open().await;
    let entries = (0..40).map(|n| accepted().send("out", Some(["a", "b"][n % 2]), n));
    let sent = open.commit(entries.collect()).await.sent;
    let (a, b) = (Arc::clone(&sent[0].stream), Arc::clone(&sent[1].stream));
    open.confirm(&a, 15, 1_000).await;
    // An older confirmation changes nothing.
    open.confirm(&a, 3, 1_000).await;
    for leave in [Leave::Dropped, Leave::Closed] {
        open = subject.reopen(open, leave).await;
        let of = |stream: &Arc<StreamId>| {
            let rows = open.recovered.outbox.iter().filter(|row| row.stream == *stream);
            rows.map(|row| row.sequence).collect::<Vec<_>>()
        };
        assert_eq!(of(&a), (16..=20).collect::<Vec<_>>());
        assert_eq!(of(&b), (1..=20).collect::<Vec<_>>());
        let mut rows = open.recovered.outbox.clone();
        rows.sort_by_key(|row| row.body.to_vec());
        let mut expected: Vec<_> =
            sent.iter().filter(|row| row.stream == b || row.sequence > 15).cloned().collect();
        expected.sort_by_key(|row| row.body.to_vec());
        assert_eq!(rows, expected, "rows come back as they were sent");
    }
    open.confirm(&a, 20, 1_000).await;
    open.confirm(&b, 20, 1_000).await;
    let mut open = subject.reopen(open, Leave::Dropped).await;
    assert_eq!(open.outbox(), []);
    let sent = open.commit(vec![accepted().send("out", Some("a"), "next")]).await.sent;
    assert_eq!(sent[0].sequence, 21);
}

pub(crate) async fn nothing_is_confirmed_that_was_not_sent_by_this_store(subject: Subject) {
    let mut open = subject.open().await;
    let entries = (0..3).map(|n| accepted().send("out", Some("k"), n));
    let sent = open.commit(entries.collect()).await.sent;
    let own = Arc::clone(&sent[0].stream);
    let mut another = (*own).clone();
    another.store ^= 1;
    open.confirm(&Arc::new(another), 3, 1_000).await;
    let mut unknown = (*own).clone();
    unknown.topic = "nowhere".into();
    open.confirm(&Arc::new(unknown), 3, 1_000).await;
    let mut open = subject.reopen(open, Leave::Dropped).await;
    assert_eq!(open.outbox().len(), 3);
    // Beyond the last position: what is sent next is open all the same.
    open.confirm(&own, 100, 1_000).await;
    open.commit(vec![accepted().send("out", Some("k"), "later")]).await;
    let open = subject.reopen(open, Leave::Dropped).await;
    assert_eq!(open.outbox(), [("out".into(), own.slot.0, 4, "later".into())]);
}

pub(crate) async fn the_floor_follows_what_was_confirmed_long_ago(subject: Subject) {
    const HOUR_MS: u64 = 3_600_000;
    let mut open = subject.open().await;
    let send = || accepted().send("out", Some("k"), "x");
    let sent = open.commit(vec![send(), send(), send()]).await.sent;
    let stream = Arc::clone(&sent[0].stream);
    assert_eq!(sent[2].context.floor, 1);
    open.confirm(&stream, 2, 0).await;
    let sent = open.commit(vec![send()]).await.sent;
    assert_eq!(sent[0].context.floor, 1, "confirmed just now: a broker may still reorder it");
    open.confirm(&stream, 3, HOUR_MS).await;
    let sent = open.commit(vec![send()]).await.sent;
    assert_eq!(sent[0].context.floor, 3, "1 and 2 were confirmed an hour before");
    let mut open = subject.reopen(open, Leave::Dropped).await;
    let sent = open.commit(vec![send()]).await.sent;
    assert_eq!(sent[0].context.floor, 3);
}

pub(crate) async fn causes_name_position_handler_and_place(subject: Subject) {
    let mut open = subject.open().await;
    let foreign = Position::Foreign(partition(2), 8);
    let two = |entry: Entry| entry.send("out", Some("k"), "1").send("out", Some("k"), "2");
    open.commit(vec![two(handled(at(7))), two(handled(foreign.clone())), two(accepted())]).await;
    for leave in [Leave::Dropped, Leave::Closed] {
        open = subject.reopen(open, leave).await;
        let causes: Vec<_> = open.recovered.outbox.iter().map(|row| row.cause.clone()).collect();
        let positions = [at(7), at(7), foreign.clone(), foreign.clone()];
        for (n, (cause, position)) in (0..).zip(causes.iter().zip(positions)) {
            let cause = cause.as_ref().unwrap();
            assert_eq!((&cause.position, &*cause.handler), (&position, "deposit"));
            assert_eq!(cause.index, n % 2);
        }
        assert_eq!(causes[4..], [None, None]);
        let row = &open.recovered.outbox[0];
        assert_eq!((&*row.type_name, row.time_ms), ("Sent", 1_000));
        assert_eq!(row.headers.get("tenant"), Some("north"));
    }
}

pub(crate) async fn sent_is_counted_once_however_often_it_is_replayed(subject: Subject) {
    let mut open = subject.open().await;
    let mut total = 0;
    for round in 1..6_u64 {
        let entries = (0..20 * round).map(|n| accepted().send("out", Some(&n.to_string()), n));
        open.commit(entries.collect()).await;
        total += 20 * round;
        assert_eq!(open.reader.sent().await.unwrap(), [("out".into(), total)]);
        let leave = if round % 2 == 0 { Leave::Closed } else { Leave::Dropped };
        open = subject.reopen(open, leave).await;
        assert_eq!(open.reader.sent().await.unwrap(), [("out".into(), total)]);
    }
}
