//! Claims about records that are no message.

use super::*;
use crate::envelope::Headers;
use crate::store::InvalidMessage;

pub(crate) fn record(n: u64, body: impl Into<Bytes>) -> InvalidMessage {
    let headers: Headers = [("tenant", "north")].into_iter().collect();
    InvalidMessage {
        at_ms: n,
        record: format!("in/0@{n}"),
        reason: "it has no type".into(),
        key: n.is_multiple_of(2).then(|| "k".into()),
        headers: headers.as_bytes().clone(),
        body: body.into(),
    }
}

pub(crate) fn invalid(message: InvalidMessage) -> Entry {
    entry(About::Invalid(Box::new(message)))
}

pub(crate) fn invalid_discarded(number: u64) -> Entry {
    entry(About::InvalidDiscarded { number })
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
        assert!(read.body.len() > 1_000_000 && read.body.iter().all(|byte| *byte == 7));
        open.push_behind().await;
        open = subject.reopen(open, leave).await;
    }
}
