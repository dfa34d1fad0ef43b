//! Claims about records that are no message.

use super::*;
use crate::envelope::Headers;
use crate::store::{Claim, InvalidMessage, Keep, Wait};
use crate::testing::store_conformance::keeping::{BOTH, discarded, handled_kept, new, unhandled};

pub(crate) fn record(n: u64, body: impl Into<Bytes>) -> InvalidMessage {
    let headers: Headers = [("tenant", "north")].into_iter().collect();
    InvalidMessage {
        at_ms: n,
        partition: Arc::clone(&partition(0)),
        offset: n,
        reason: "it has no type".into(),
        key: n.is_multiple_of(2).then(|| "k".into()),
        headers: headers.as_bytes().clone(),
        body: body.into(),
        is_whole: true,
        claim: Claim::Open,
    }
}

pub(crate) fn invalid(message: InvalidMessage) -> Entry {
    entry(About::Invalid(Box::new(message)))
}

pub(crate) fn invalid_discarded(number: u64) -> Entry {
    entry(About::InvalidDiscarded { number })
}

pub(crate) fn invalid_taken(number: u64, position: Position, keeps: Vec<Keep>) -> Entry {
    let was_settled = matches!(position, Position::Foreign(..));
    entry(About::InvalidTaken { number, position, was_settled, floor: 0, keeps })
}

/// A record whose position is settled with it.
pub(crate) fn invalid_of(message: InvalidMessage, position: Position) -> Entry {
    let message = Box::new(InvalidMessage { claim: Claim::Settled, ..message });
    entry(About::InvalidOf { message, position, floor: 0 })
}

pub(crate) async fn a_record_that_is_no_message_is_listed_as_it_came(subject: Subject) {
    let mut open = subject.open().await;
    let body = |n: u64| vec![0xff; 600 * n as usize];
    let mut expected = Vec::new();
    for n in 1..=12 {
        let entry = invalid(record(n, body(n))).done(&partition(0), n);
        let durable = open.commit(vec![entry]).await;
        assert_eq!((durable.verdicts[0], durable.totals.invalid), (Verdict::Applied, n));
        expected.push((n, record(n, body(n))));
    }
    for leave in [Leave::Dropped, Leave::Closed] {
        assert_eq!(open.reader.invalid(None, 99).await.unwrap(), expected);
        assert_eq!(open.reader.invalid(Some(3), 2).await.unwrap(), expected[3..5]);
        open.push_behind().await;
        open = subject.reopen(open, leave).await;
        assert_eq!(open.recovered.totals.invalid, 12);
        assert_eq!(open.done(&partition(0)), [(1, 12)]);
    }
    let entries = vec![invalid_discarded(4), invalid_discarded(4), invalid_discarded(13)];
    let durable = open.commit(entries).await;
    use Verdict::{Applied, NotPending};
    assert_eq!(durable.verdicts, [Applied, NotPending, NotPending]);
    open.one(invalid_discarded(12)).await;
    expected.retain(|(number, _)| ![4, 12].contains(number));
    for leave in [Leave::Dropped, Leave::Closed] {
        assert_eq!(open.reader.invalid(None, 99).await.unwrap(), expected);
        open.push_behind().await;
        open = subject.reopen(open, leave).await;
    }
    // A number is not given again.
    open.one(invalid(record(20, "?"))).await;
    assert_eq!(open.reader.invalid(Some(11), 9).await.unwrap(), [(13, record(20, "?"))]);
}

pub(crate) async fn a_record_larger_than_a_row_is_cut_and_says_so(subject: Subject) {
    let mut open = subject.open().await;
    open.one(invalid(record(1, vec![7; 5_000_000]))).await;
    for leave in [Leave::Dropped, Leave::Closed] {
        let (number, read) = open.reader.invalid(None, 9).await.unwrap().remove(0);
        assert_eq!(number, 1);
        assert!(read.reason.starts_with("it has no type ("), "{}", read.reason);
        assert!(read.reason.contains(&format!("{} of 5000000", read.body.len())));
        assert!(
            !read.is_whole
                && read.body.len() > 1_000_000
                && read.body.iter().all(|byte| *byte == 7)
        );
        open.push_behind().await;
        open = subject.reopen(open, leave).await;
    }
}

pub(crate) async fn a_record_that_is_a_message_now_leaves_the_list_as_its_deliveries_come(
    subject: Subject,
) {
    let mut open = subject.open().await;
    let foreign = foreign();
    let on_list = (1..=9).map(|n| invalid(record(n, "?")).done(&partition(0), n)).collect();
    open.commit(on_list).await;
    open.one(handled(at(5))).await;
    let again = |number| Keep { message: None, ..new(number, at(6), Wait::Held) };
    let (mut swapped, unordered) = (both(40, &at(6)), both(42, &at(6)));
    swapped.reverse();
    let entries = vec![
        // The offset is done, and says nothing.
        invalid_taken(3, foreign.clone(), both(1, &foreign)),
        invalid_taken(3, foreign.clone(), both(10, &foreign)),
        invalid_taken(4, at(4), both(3, &at(4))),
        invalid_taken(5, at(5), both(12, &at(5))),
        invalid_taken(6, at(6), both(4, &at(6))),
        invalid_taken(6, at(6), vec![again(14)]),
        invalid_taken(6, at(6), swapped),
        invalid_taken(6, at(6), vec![unordered[0].clone(); 2]),
        invalid_taken(10, at(6), both(16, &at(6))),
        invalid_taken(7, at(7), vec![unhandled(new(100, at(7), Wait::Held))]),
        invalid_taken(8, at(8), Vec::new()),
        handled_of(at(9), "audit", &BOTH),
        invalid_taken(9, at(9), both(500, &at(9))),
        invalid_taken(9, at(9), Vec::new()),
        invalid_taken(9, at(9), both(500, &at(9)).split_off(1)),
        duplicate(at(4)),
        duplicate(at(7)),
        duplicate(at(8)),
        duplicate(at(9)),
        duplicate(at(6)),
    ];
    use Verdict::{Applied, NotPending};
    let durable = open.commit(entries).await;
    let refused = [NotPending; 6];
    assert_eq!(durable.verdicts[..4], [Applied, NotPending, Applied, NotPending]);
    assert_eq!(durable.verdicts[4..9], refused[..5]);
    assert_eq!(durable.verdicts[9..12], [Applied; 3]);
    assert_eq!(durable.verdicts[12..15], [NotPending, NotPending, Applied]);
    assert_eq!(durable.verdicts[15..], [Applied, Applied, Applied, Applied, NotPending]);
    let totals = durable.totals;
    assert_eq!((totals.invalid, totals.held, totals.unhandled), (4, 5, 1));
    for leave in [Leave::Dropped, Leave::Closed, Leave::Dropped] {
        let left = open.reader.invalid(None, 99).await.unwrap().into_iter();
        assert_eq!(left.map(|(number, _)| number).collect::<Vec<_>>(), [1, 2, 5, 6]);
        let kept = open.reader.kept(None, 9).await.unwrap();
        let kept: Vec<_> =
            kept.into_iter().map(|kept| (kept.number, kept.position, kept.late)).collect();
        let late = |number, position: &Position| (number, position.clone(), true);
        let of_first = [late(1, &foreign), late(2, &foreign), late(3, &at(4)), late(4, &at(4))];
        assert_eq!(kept, [&of_first[..], &[late(501, &at(9))]].concat());
        assert_eq!(open.reader.unhandled(None, 9).await.unwrap()[0].number, 100);
        open.push_behind().await;
        open = subject.reopen(open, leave).await;
        assert_eq!((open.done(&partition(0)), open.recovered.pending.len()), (vec![(1, 9)], 0));
        assert_eq!(open.recovered.kept_next, 502);
    }
    settled_with_its_record(subject, open).await;
}

/// A delivery of each of both handlers, under these numbers.
fn both(first: u64, position: &Position) -> Vec<Keep> {
    let keep = |(number, handler): (u64, &str)| Keep {
        handler: handler.into(),
        late: true,
        ..new(number, position.clone(), Wait::Held)
    };
    (first..).zip(BOTH).map(keep).collect()
}

fn foreign() -> Position {
    Position::Foreign(partition(0), 3)
}

/// A position that was settled with its record is new as long as that is listed.
async fn settled_with_its_record(subject: Subject, mut open: Opened) {
    use Verdict::{Applied, NotPending};
    let foreign = foreign();
    let settled = |entry: Entry| match entry.subject {
        About::InvalidTaken { number, position, floor, keeps, .. } => {
            self::entry(About::InvalidTaken { number, position, was_settled: true, floor, keeps })
        }
        other => self::entry(other),
    };
    let entries = vec![
        invalid_of(record(30, "?"), at(30)),
        duplicate(at(30)),
        invalid_of(record(30, "?"), at(30)),
        invalid_taken(10, at(30), both(510, &at(30))),
        settled(invalid_taken(10, at(30), both(520, &at(30)))),
        settled(invalid_taken(10, at(30), both(530, &at(30)))),
    ];
    let durable = open.commit(entries).await;
    assert_eq!(durable.verdicts[..3], [Applied, Applied, NotPending]);
    assert_eq!(durable.verdicts[3..], [NotPending, Applied, NotPending]);
    open = subject.reopen(open, Leave::Dropped).await;
    assert_eq!((open.recovered.totals.held, open.recovered.totals.invalid), (7, 4));
    open.one(discarded(520)).await;
    open.one(discarded(521)).await;
    open.one(handled_kept(2, foreign.clone(), "deposit")).await;
    open.one(handled_kept(1, foreign, "audit")).await;
    open.one(discarded(3)).await;
    open = subject.reopen(open, Leave::Dropped).await;
    assert_eq!(open.recovered.totals.held, 2);
}
