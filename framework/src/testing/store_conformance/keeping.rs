//! Claims about kept deliveries: kept whole, waiting, handled, discarded.

use super::*;
use crate::envelope::{Context, Envelope, Headers};
use crate::store::limits::{ERROR_BYTES_MAX, ERRORS_MAX, KEPT_BYTES_MAX};
use crate::store::{Failure, How, Keep, Kept, KeptMessage, LimitError, Totals, Wait};

pub(crate) const BOTH: [&str; 2] = ["audit", "deposit"];

/// A message as it came.
pub(crate) fn envelope(position: &Position, key: Option<&str>, body: impl ToString) -> Envelope {
    Envelope {
        time_ms: 0,
        position: position.clone(),
        topic: "in".into(),
        type_name: "Deposit".into(),
        key: key.map(Key::from),
        context: Context { prev: Some(6), horizon: 2, floor: 3 },
        digest: Some(u128::MAX - 1),
        headers: [("tenant", "north"), ("trace", "7")].into_iter().collect(),
        body: body.to_string().into(),
    }
}

/// A delivery of a position to "deposit" that is to be kept, under a number.
pub(crate) fn new(number: u64, position: Position, wait: Wait) -> Keep {
    let message = Some(Arc::new(envelope(&position, Some("k"), format!("body {number}"))));
    Keep { message, ..again(number, position, wait) }
}

/// One that is kept already.
pub(crate) fn again(number: u64, position: Position, wait: Wait) -> Keep {
    Keep {
        number,
        position,
        floor: 0,
        handler: "deposit".into(),
        handlers: texts(&BOTH).into(),
        message: None,
        wait,
        attempts: 1,
        late: false,
        failure: None,
    }
}

pub(crate) fn failure(attempt: u32, error: &str) -> Failure {
    let errors = vec![error.to_owned(), "its source".to_owned()];
    Failure { at_ms: 900 + u64::from(attempt), attempt, how: How::TimedOut, errors }
}

pub(crate) fn kept(keep: Keep) -> Entry {
    entry(About::Kept(Box::new(keep)))
}

pub(crate) fn discarded(number: u64) -> Entry {
    entry(About::Discarded { number })
}

/// The same, of a type that no handler takes.
pub(crate) fn unhandled(keep: Keep) -> Keep {
    let handler: Arc<str> = "Deposit".into();
    let handlers = [Arc::clone(&handler)].into();
    let (wait, attempts, late, failure) = (Wait::Unhandled, 0, false, None);
    Keep { handler, handlers, wait, attempts, late, failure, ..keep }
}

pub(crate) fn unhandled_discarded(number: u64) -> Entry {
    entry(About::UnhandledDiscarded { number })
}

/// A kept delivery of a position has been handled.
pub(crate) fn handled_kept(number: u64, position: Position, handler: &str) -> Entry {
    let (handlers, handler) = (texts(&BOTH).into(), handler.into());
    entry(About::Handled { position, floor: 0, handler, handlers, kept: Some(number) })
}

pub(crate) fn same(one: &Envelope, other: &Envelope) {
    assert_eq!(one.position, other.position);
    assert_eq!(
        (&one.topic, &one.type_name, &one.key),
        (&other.topic, &other.type_name, &other.key)
    );
    assert_eq!((one.context, one.digest), (other.context, other.digest));
    assert_eq!((&one.headers, &one.body), (&other.headers, &other.body));
}

impl Opened {
    pub(crate) async fn kept_message(&self, number: u64) -> Option<KeptMessage> {
        self.reader.kept_messages(vec![number]).await.unwrap().remove(0)
    }

    /// Lets several checkpoints happen where there are any: what is stored lies behind then.
    pub(crate) async fn push_behind(&mut self) {
        for _ in 0..6 {
            let key = format!("fill-{}-{}", self.recovered.kept_next, self.next_id);
            let fill = |n: u64| accepted().put(&format!("{key}-{n}"), 0, "x".repeat(7_000));
            self.commit((0..10).map(fill).collect()).await;
        }
    }
}

pub(crate) async fn a_kept_delivery_settles_its_position_and_comes_back_whole(subject: Subject) {
    let mut open = subject.open().await;
    let foreign = Position::Foreign(partition(3), 70);
    let first =
        Keep { failure: Some(failure(1, "no connection")), ..new(1, at(1), Wait::Until(5)) };
    let entries = vec![
        kept(first.clone()),
        handled_of(at(1), "audit", &BOTH),
        handled_of(foreign.clone(), "audit", &BOTH),
        kept(Keep { late: true, ..new(4, foreign.clone(), Wait::Held) }),
        kept(new(5, at(2), Wait::Held)).done(&partition(0), 9),
        duplicate(at(1)),
        duplicate(at(2)),
    ];
    let durable = open.commit(entries).await;
    use Verdict::{Applied, NotPending};
    assert_eq!(
        durable.verdicts,
        [Applied, Applied, Applied, Applied, Applied, Applied, NotPending]
    );
    let message = first.message.as_ref().unwrap();
    let bytes = message.headers.as_bytes().len() + message.body.len();
    let expected = |number, position: &Position, wait, late| Kept {
        number,
        position: position.clone(),
        handler: "deposit".into(),
        key: Some("k".into()),
        since_ms: 1_000,
        wait,
        attempts: 1,
        late,
        bytes: bytes as u32,
    };
    let all = [
        expected(1, &at(1), Wait::Until(5), false),
        expected(4, &foreign, Wait::Held, true),
        expected(5, &at(2), Wait::Held, false),
    ];
    let totals = Totals { held: 2, waiting: 1, kept_bytes: 3 * bytes as u64, ..Totals::default() };
    assert_eq!(durable.totals, totals);
    for leave in [Leave::Dropped, Leave::Closed, Leave::Dropped] {
        assert_eq!(open.reader.kept(None, 9).await.unwrap(), all);
        assert_eq!(open.reader.kept(Some(1), 1).await.unwrap(), all[1..2]);
        assert_eq!(open.reader.totals().await.unwrap(), totals);
        let read = open.reader.kept_messages(vec![5, 2, 1]).await.unwrap();
        assert!(read[1].is_none());
        let read = read[2].clone().unwrap();
        assert_eq!((&read.kept, &read.handlers[..]), (&all[0], &texts(&BOTH)[..]));
        assert_eq!(read.failures, [failure(1, "no connection")]);
        same(&read.envelope, message);
        open.push_behind().await;
        open = subject.reopen(open, leave).await;
        assert_eq!(open.recovered.kept, all);
        assert_eq!((open.recovered.kept_next, open.recovered.totals), (6, totals));
        assert_eq!(open.recovered.pending, [(at(2), texts(&["audit"]))]);
        assert_eq!(open.found.unfinished, texts(&["audit", "deposit"]));
        assert_eq!(open.settled(&stream(1)), [(1, 1)]);
        assert_eq!(open.done(&partition(3)), [(70, 70)]);
    }
}

pub(crate) async fn a_kept_delivery_waits_for_what_it_is_told_to(subject: Subject) {
    let mut open = subject.open().await;
    open.one(kept(new(1, at(1), Wait::Until(2_000)))).await;
    let dead = Wait::Dead { since_ms: 3_000, skip_ms: Some(9_000) };
    let steps = [
        (Wait::Until(2_500), 2, false),
        (dead, 3, false),
        (Wait::Dead { since_ms: 3_000, skip_ms: Some(0) }, 3, false),
        (Wait::Held, 0, true),
    ];
    for (n, (wait, attempts, late)) in (1..).zip(steps) {
        let failure = (n < 3).then(|| failure(n, "again"));
        let keep = Keep { attempts, late, failure, ..again(1, at(1), wait) };
        let batch = Batch { time_ms: 50_000, entries: vec![kept(keep)], ..Batch::default() };
        let durable = open.try_commit(batch).await.unwrap();
        assert_eq!(durable.verdicts, [Verdict::Applied]);
        let Totals { held, waiting, dead, .. } = durable.totals;
        let of = |is: bool| u64::from(is);
        let is_dead = matches!(wait, Wait::Dead { .. });
        assert_eq!((held, dead), (of(wait == Wait::Held), of(is_dead)));
        assert_eq!(waiting, 1 - held - dead);
        open.push_behind().await;
        open = subject.reopen(open, Leave::Dropped).await;
        let known = &open.recovered.kept[0];
        assert_eq!((known.wait, known.attempts, known.late), (wait, attempts, late));
        assert_eq!(known.since_ms, 1_000, "when it was first kept");
        let read = open.kept_message(1).await.unwrap();
        assert_eq!(read.failures.len(), (n as usize).min(2));
        assert_eq!(&*read.envelope.body, b"body 1");
    }
    // Another's number, and one that nobody has.
    assert_eq!(open.one(kept(again(1, at(2), Wait::Held))).await, Verdict::NotPending);
    assert_eq!(open.one(kept(again(2, at(1), Wait::Held))).await, Verdict::NotPending);
}

pub(crate) async fn a_kept_delivery_is_handled_once(subject: Subject) {
    let mut open = subject.open().await;
    let both = ["deposit"];
    let keep = |number, position| Keep {
        handlers: texts(&both).into(),
        failure: Some(failure(1, "no")),
        ..new(number, position, Wait::Until(5))
    };
    open.commit(vec![kept(keep(1, at(1))), kept(keep(2, at(2)))]).await;
    for leave in [Leave::Dropped, Leave::Closed] {
        open.push_behind().await;
        open = subject.reopen(open, leave).await;
        for refused in [
            handled(at(1)),
            handled_kept(1, at(2), "deposit"),
            handled_kept(1, at(1), "audit"),
            handled_kept(3, at(1), "deposit"),
            kept(keep(3, at(1))),
        ] {
            assert_eq!(open.one(refused.clone()).await, Verdict::NotPending, "{refused:?}");
        }
    }
    let conflict = handled_kept(1, at(1), "deposit").put("k", 4, "stale");
    assert_eq!(open.one(conflict).await, Verdict::Conflict);
    assert!(open.kept_message(1).await.is_some(), "a refused entry has no effect");
    let full = handled_kept(1, at(1), "deposit").put("k", 0, "1").send("out", Some("k"), "x");
    let durable = open.commit(vec![full.clone(), full]).await;
    assert_eq!(durable.verdicts, [Verdict::Applied, Verdict::NotPending]);
    let cause = durable.sent[0].cause.as_ref().unwrap();
    assert_eq!((&cause.position, &*cause.handler), (&at(1), "deposit"));
    assert_eq!(durable.totals.waiting, 1);
    for leave in [Leave::Dropped, Leave::Closed] {
        assert!(open.kept_message(1).await.is_none());
        assert!(open.kept_message(2).await.is_some());
        open = subject.reopen(open, leave).await;
        open.push_behind().await;
        assert_eq!(open.recovered.kept.iter().map(|kept| kept.number).collect::<Vec<_>>(), [2]);
        assert_eq!(open.settled(&stream(1)), [(1, 2)]);
        assert_eq!(open.one(duplicate(at(1))).await, Verdict::Applied);
        assert_eq!(open.state("k").await, stored(1, "1"));
    }
}

pub(crate) async fn what_is_discarded_is_gone_and_its_number_is_not_used_again(subject: Subject) {
    let mut open = subject.open().await;
    let dead = Wait::Dead { since_ms: 1, skip_ms: None };
    open.commit(vec![kept(new(7, at(1), dead)), kept(new(9, at(2), dead))]).await;
    assert_eq!(open.one(kept(new(9, at(3), dead))).await, Verdict::NotPending, "9 is given");
    for leave in [Leave::Dropped, Leave::Closed] {
        open.push_behind().await;
        let durable = open.commit(vec![discarded(9), discarded(9), discarded(1)]).await;
        assert_eq!(durable.verdicts[1..], [Verdict::NotPending; 2]);
        assert_eq!(durable.totals.dead, 1);
        assert!(open.kept_message(9).await.is_none());
        open = subject.reopen(open, leave).await;
        assert_eq!((open.recovered.kept.len(), open.recovered.kept_next), (1, 10));
        assert_eq!(open.one(kept(new(9, at(3), dead))).await, Verdict::NotPending);
    }
    assert_eq!(open.one(kept(new(10, at(3), dead))).await, Verdict::Applied);
    // Made and given up within one commit.
    let durable = open.commit(vec![kept(new(11, at(4), dead)), discarded(11)]).await;
    assert_eq!(durable.verdicts, [Verdict::Applied; 2]);
    let open = subject.reopen(open, Leave::Dropped).await;
    assert_eq!((open.recovered.kept.len(), open.recovered.kept_next), (2, 12));
}

pub(crate) async fn a_long_history_keeps_its_first_four_and_last_twelve(subject: Subject) {
    let mut open = subject.open().await;
    open.one(kept(new(1, at(1), Wait::Until(5)))).await;
    for attempt in 1..=30 {
        let failure = Some(failure(attempt, "again"));
        open.one(kept(Keep { failure, attempts: attempt, ..again(1, at(1), Wait::Until(5)) }))
            .await;
        if attempt % 9 == 0 {
            open.push_behind().await;
            open = subject.reopen(open, Leave::Dropped).await;
        }
        let attempts: Vec<u32> =
            open.kept_message(1).await.unwrap().failures.iter().map(|f| f.attempt).collect();
        let expected = (1..=attempt).filter(|n| *n <= 4 || n + 12 > attempt);
        assert_eq!(attempts, expected.collect::<Vec<_>>());
    }
    open.push_behind().await;
    assert_eq!(open.one(discarded(1)).await, Verdict::Applied);
    open.push_behind().await;
    let open = subject.reopen(open, Leave::Closed).await;
    assert!(open.kept_message(1).await.is_none());
}

pub(crate) async fn what_is_too_large_to_keep_is_refused(subject: Subject) {
    let mut open = subject.open().await;
    let large = |bytes: usize| Envelope {
        headers: Headers::default(),
        ..envelope(&at(1), None, "x".repeat(bytes))
    };
    let keep = |envelope| Keep {
        message: Some(Arc::new(envelope)),
        handlers: texts(&["deposit"]).into(),
        ..new(1, at(1), Wait::Held)
    };
    let long = Failure { errors: vec!["e".repeat(ERROR_BYTES_MAX + 1)], ..failure(1, "") };
    let many = Failure { errors: vec!["e".into(); ERRORS_MAX + 1], ..failure(1, "") };
    let over = [
        keep(large(KEPT_BYTES_MAX)),
        Keep { failure: Some(long), ..new(1, at(1), Wait::Held) },
        Keep { failure: Some(many), ..new(1, at(1), Wait::Held) },
    ];
    for keep in over {
        let batch = Batch { entries: vec![kept(keep)], ..Batch::default() };
        let refused = open.try_commit(batch).await;
        let limit = refused.map(|_| ()).unwrap_err();
        let is_it = matches!(
            limit,
            CommitError::Limit(LimitError::Kept { .. } | LimitError::Failure { .. })
        );
        assert!(is_it, "{limit:?}");
    }
    let errors = vec!["e".repeat(ERROR_BYTES_MAX); ERRORS_MAX];
    let within = Keep {
        failure: Some(Failure { errors, ..failure(1, "") }),
        ..keep(large(KEPT_BYTES_MAX - 5))
    };
    assert_eq!(open.one(kept(within)).await, Verdict::Applied);
    open.push_behind().await;
    let open = subject.reopen(open, Leave::Closed).await;
    let read = open.kept_message(1).await.unwrap();
    assert_eq!(read.envelope.body.len(), KEPT_BYTES_MAX - 5);
    assert_eq!(read.failures[0].errors.len(), ERRORS_MAX);
}

pub(crate) async fn what_no_handler_takes_is_listed_apart_and_taken_in_its_place(subject: Subject) {
    let mut open = subject.open().await;
    let foreign = Position::Foreign(partition(3), 70);
    let entries = vec![
        kept(unhandled(new(1, at(1), Wait::Held))),
        kept(unhandled(new(300, foreign, Wait::Held))),
        kept(unhandled(new(600, at(3), Wait::Held))),
        kept(new(900, at(4), Wait::Held)),
        duplicate(at(1)),
        kept(unhandled(new(1_200, at(1), Wait::Held))),
    ];
    use Verdict::{Applied, NotPending};
    let durable = open.commit(entries).await;
    assert_eq!(durable.verdicts, [Applied, Applied, Applied, Applied, Applied, NotPending]);
    assert_eq!((durable.totals.unhandled, durable.totals.held), (3, 1));
    for leave in [Leave::Dropped, Leave::Closed, Leave::Dropped] {
        let listed = open.reader.unhandled(Some(1), 1).await.unwrap();
        assert_eq!((listed.len(), listed[0].number, &*listed[0].type_name), (1, 300, "Deposit"));
        assert_eq!(open.recovered.kept.len() as u64 + 1, open.recovered.totals.held + 1);
        open.push_behind().await;
        open = subject.reopen(open, leave).await;
        assert_eq!(open.found.unfinished, texts(&BOTH), "a type is no handler");
        assert_eq!(open.recovered.kept.len(), 1);
    }
    let taken = |number, handlers: &[&str], message: Option<Arc<Envelope>>| {
        let (key, handlers) = (Some("own".into()), texts(handlers).into());
        entry(About::Taken { number, key, handlers, message })
    };
    let message = open.kept_message(300).await.unwrap().envelope;
    let entries = vec![
        taken(1, &["deposit"], None),
        taken(1, &["deposit"], None),
        taken(300, &BOTH, None),
        taken(300, &BOTH, Some(message)),
        taken(900, &["deposit"], None),
        discarded(600),
        unhandled_discarded(900),
        unhandled_discarded(600),
    ];
    let durable = open.commit(entries).await;
    let refused = [NotPending, NotPending];
    assert_eq!(durable.verdicts[..3], [Applied, refused[0], refused[1]]);
    assert_eq!(durable.verdicts[3..], [Applied, NotPending, NotPending, NotPending, Applied]);
    assert_eq!((durable.totals.unhandled, durable.totals.held), (0, 4));
    for leave in [Leave::Dropped, Leave::Closed, Leave::Dropped] {
        let kept = open.reader.kept(None, 9).await.unwrap();
        let all: Vec<_> = kept.iter().map(|kept| (kept.number, &*kept.handler)).collect();
        assert_eq!(all, [(1, "deposit"), (300, "audit"), (301, "deposit"), (900, "deposit")]);
        for (number, body) in [(1, "body 1"), (300, "body 300"), (301, "body 300")] {
            let message = open.kept_message(number).await.unwrap();
            assert_eq!(
                (message.envelope.key.as_deref(), &*message.envelope.body),
                (Some("own"), body.as_bytes())
            );
        }
        open.push_behind().await;
        open = subject.reopen(open, leave).await;
    }
    let position = Position::Foreign(partition(3), 70);
    open.one(handled_kept(301, position, "deposit")).await;
    open.push_behind().await;
    open = subject.reopen(open, Leave::Dropped).await;
    assert!(open.kept_message(301).await.is_none() && open.kept_message(300).await.is_some());
}
